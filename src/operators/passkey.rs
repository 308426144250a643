//! Passkeys (WebAuthn, level 3): registered by who is signed in, and then enough to sign in.

use crate::ids::OperatorId;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use webauthn_rp::bin::{Decode, Encode};
use webauthn_rp::request::auth::AuthenticationVerificationOptions;
use webauthn_rp::request::register::{
    CredProtect, Nickname, PublicKeyCredentialUserEntity, RegistrationVerificationOptions, UserHandle16, Username,
};
use webauthn_rp::request::{AsciiDomain, FixedCapHashSet, InsertResult, PublicKeyCredentialDescriptor, RpId};
use webauthn_rp::response::register::{CompressedPubKey, DynamicState, StaticState};
use webauthn_rp::response::{AuthTransports, CredentialId};
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthentication16, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, PublicKeyCredentialCreationOptions, Registration, RegistrationServerState,
};

/// Ceremonies that may be under way at once. Each ends by itself after five minutes; beyond, nobody begins one.
const MAX_CEREMONIES: usize = 1_000;

/// What is kept of a passkey. None of it is a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passkey {
    /// The id that the authenticator gave it.
    pub id: Vec<u8>,
    /// Its public key and what does not change.
    pub fixed: Vec<u8>,
    /// Its counter and what changes with each use.
    pub changing: Vec<u8>,
}

/// Why a passkey is not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PasskeyError {
    /// Passkeys are for names, not for addresses.
    #[error("{0:?} is no host name: browsers know passkeys for names alone")]
    NoName(String),
    /// Too many began and did not end.
    #[error("too many sign-ins are under way")]
    Busy,
    /// What the browser sent is none, or does not hold.
    #[error("{0}")]
    Refused(String),
    /// It was not asked for, or too long ago.
    #[error("it was not asked for here, or too long ago")]
    Unasked,
}

fn refused(error: impl fmt::Display) -> PasskeyError {
    PasskeyError::Refused(error.to_string())
}

/// Where passkeys are good: the host's name, and the origin that the browser must name.
struct Place {
    id: RpId,
    origin: String,
}

/// The ceremonies of one server.
pub struct Passkeys {
    place: Place,
    registrations: Mutex<FixedCapHashSet<RegistrationServerState<16>>>,
    sign_ins: Mutex<FixedCapHashSet<DiscoverableAuthenticationServerState>>,
}

impl fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passkeys").field("origin", &self.place.origin).finish_non_exhaustive()
    }
}

/// The public key of a passkey: Ed25519, P-256, P-384 or RSA.
type PublicKey = CompressedPubKey<[u8; 32], [u8; 32], [u8; 48], Vec<u8>>;

/// What the browser is asked, and what it has answered, are JSON as the specification says.
type Json = serde_json::Value;

fn handle_of(operator: OperatorId) -> UserHandle16 {
    let Ok(handle) = UserHandle16::decode(*operator.as_bytes());
    handle
}

impl Passkeys {
    /// For the server at `origin`, `https://host:port`.
    ///
    /// # Errors
    /// When its host is no name.
    pub fn new(origin: &str) -> Result<Passkeys, PasskeyError> {
        let rest = origin.split_once("://").map_or(origin, |(_, rest)| rest);
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        let no_name = || PasskeyError::NoName(host.to_owned());
        if host.parse::<std::net::IpAddr>().is_ok() || rest.starts_with('[') {
            return Err(no_name());
        }
        let domain = AsciiDomain::try_from(host.to_owned()).map_err(|_| no_name())?;
        Ok(Passkeys {
            place: Place { id: RpId::Domain(domain), origin: origin.trim_end_matches('/').to_owned() },
            registrations: Mutex::new(FixedCapHashSet::new(MAX_CEREMONIES)),
            sign_ins: Mutex::new(FixedCapHashSet::new(MAX_CEREMONIES)),
        })
    }

    /// What the browser is to be asked for a new passkey of `operator`, who has `present` ones.
    ///
    /// # Errors
    /// When too many are under way.
    pub fn begin_registration(
        &self,
        operator: OperatorId,
        name: &str,
        present: &[Passkey],
    ) -> Result<Json, PasskeyError> {
        let id = handle_of(operator);
        let user = PublicKeyCredentialUserEntity {
            name: Username::try_from(Cow::Borrowed(name)).map_err(refused)?,
            id: &id,
            display_name: Nickname::try_from(Cow::Borrowed(name)).ok(),
        };
        let mut have = Vec::new();
        for passkey in present {
            let id = CredentialId::decode(passkey.id.clone()).map_err(refused)?;
            have.push(PublicKeyCredentialDescriptor { id, transports: AuthTransports::NONE });
        }
        let mut options = PublicKeyCredentialCreationOptions::passkey(&self.place.id, user, have);
        // Wanting it would shut out all authenticators that have no such extension, and a sign-in demands user
        // verification anyway.
        options.extensions.cred_protect = CredProtect::None;
        let (server, client) = options.start_ceremony().map_err(refused)?;
        let mut under_way = self.registrations.lock().unwrap_or_else(PoisonError::into_inner);
        match under_way.insert_or_replace_all_expired(server) {
            InsertResult::Success => serde_json::to_value(&client).map_err(refused),
            _ => Err(PasskeyError::Busy),
        }
    }

    /// The new passkey that the browser answered with, and whose it is.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn end_registration(&self, answer: &[u8]) -> Result<(OperatorId, Passkey), PasskeyError> {
        let registration = Registration::from_json_relaxed(answer).map_err(refused)?;
        let challenge = registration.challenge_relaxed().map_err(refused)?;
        let asked = self.registrations.lock().unwrap_or_else(PoisonError::into_inner).take(&challenge);
        let origins = [self.place.origin.as_str()];
        let options = RegistrationVerificationOptions::<&str, &str> { allowed_origins: &origins, ..Default::default() };
        let asked = asked.ok_or(PasskeyError::Unasked)?;
        let credential = asked.verify(&self.place.id, &registration, &options).map_err(refused)?;
        let Ok(user) = credential.user_id().encode();
        let Ok(fixed) = credential.static_state().encode();
        let Ok(changing) = credential.dynamic_state().encode();
        let id = credential.id().into_inner().to_vec();
        Ok((OperatorId::from_bytes(user), Passkey { id, fixed, changing: changing.to_vec() }))
    }

    /// What the browser is to be asked to sign somebody in, whoever it is.
    ///
    /// # Errors
    /// When too many are under way.
    pub fn begin_sign_in(&self) -> Result<Json, PasskeyError> {
        let options = DiscoverableCredentialRequestOptions::passkey(&self.place.id);
        let (server, client) = options.start_ceremony().map_err(refused)?;
        let mut under_way = self.sign_ins.lock().unwrap_or_else(PoisonError::into_inner);
        match under_way.insert_or_replace_all_expired(server) {
            InsertResult::Success => serde_json::to_value(&client).map_err(refused),
            _ => Err(PasskeyError::Busy),
        }
    }

    /// Reads what the browser answered: whose passkey it says it is, and which.
    ///
    /// # Errors
    /// When it is no answer.
    pub fn read(answer: &[u8]) -> Result<Answer, PasskeyError> {
        let answer = DiscoverableAuthentication16::from_json_relaxed(answer).map_err(refused)?;
        Ok(Answer(answer))
    }

    /// Whether the answer was given by `passkey`: the same, with its counter moved on.
    ///
    /// # Errors
    /// When it was not, or not for this sign-in.
    pub fn end_sign_in(&self, answer: &Answer, passkey: &Passkey) -> Result<Passkey, PasskeyError> {
        let Answer(answer) = answer;
        let challenge = answer.challenge_relaxed().map_err(refused)?;
        let asked = self.sign_ins.lock().unwrap_or_else(PoisonError::into_inner).take(&challenge);
        let fixed: StaticState<PublicKey> = StaticState::decode(passkey.fixed.as_slice()).map_err(refused)?;
        let changing = <[u8; 7]>::try_from(passkey.changing.as_slice()).map_err(refused)?;
        let changing = DynamicState::decode(changing).map_err(refused)?;
        let user = answer.response().user_handle();
        let mut credential = AuthenticatedCredential::new(answer.raw_id(), user, fixed, changing).map_err(refused)?;
        let origins = [self.place.origin.as_str()];
        let options =
            AuthenticationVerificationOptions::<&str, &str> { allowed_origins: &origins, ..Default::default() };
        let asked = asked.ok_or(PasskeyError::Unasked)?;
        asked.verify(&self.place.id, answer, &mut credential, &options).map_err(refused)?;
        let Ok(changing) = credential.dynamic_state().encode();
        Ok(Passkey { changing: changing.to_vec(), ..passkey.clone() })
    }
}

/// What a browser answered that was asked to sign somebody in. Nothing in it is believed yet.
#[derive(Debug)]
pub struct Answer(DiscoverableAuthentication16);

impl Answer {
    /// The passkey that it says it is of.
    pub fn passkey(&self) -> &[u8] {
        self.0.raw_id().into_inner()
    }

    /// The operator that it says it is of.
    pub fn operator(&self) -> OperatorId {
        let Ok(user) = self.0.response().user_handle().encode();
        OperatorId::from_bytes(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn passkeys_are_for_names_and_what_was_not_asked_for_is_refused() {
        for address in ["http://127.0.0.1:8080", "https://[::1]:8443", "https://"] {
            assert!(matches!(Passkeys::new(address), Err(PasskeyError::NoName(_))), "{address}");
        }
        let passkeys = Passkeys::new("https://nac.corp.example:8443").unwrap();
        let asked = passkeys.begin_registration(OperatorId::new(Timestamp::from_unix_secs(1)), "anna", &[]).unwrap();
        assert_eq!(asked["rp"]["id"], "nac.corp.example", "{asked}");
        assert_eq!(asked["authenticatorSelection"]["userVerification"], "required", "{asked}");
        assert_eq!(passkeys.begin_sign_in().unwrap()["userVerification"], "required");
        for rubbish in [&b"{}"[..], b"", b"[]", b"null"] {
            assert!(matches!(passkeys.end_registration(rubbish), Err(PasskeyError::Refused(_))));
            assert!(matches!(Passkeys::read(rubbish), Err(PasskeyError::Refused(_))));
        }
    }

    #[test]
    fn ceremonies_are_bounded() {
        let passkeys = Passkeys::new("http://localhost").unwrap();
        let begun = (0..3 * MAX_CEREMONIES).filter(|_| passkeys.begin_sign_in().is_ok()).count();
        assert!((MAX_CEREMONIES..2 * MAX_CEREMONIES).contains(&begun), "{begun}");
    }
}
