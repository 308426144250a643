//! Who a packet comes from: Request and Response Authenticator (RFC 2865,
//! section 3; RFC 2866, section 3) and Message-Authenticator (RFC 3579, section
//! 3.2), with the order of checks that CVE-2024-3596 asks for.

use super::attribute as attr;
use super::hide;
use super::packet::{Code, HEADER_LEN, Packet, PacketError};
use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// Octets of an MD5 digest, and so of every authenticator.
pub const AUTHENTICATOR_LEN: usize = 16;
/// What stands in for an authenticator while it is computed.
const ZEROES: [u8; AUTHENTICATOR_LEN] = [0; AUTHENTICATOR_LEN];

/// What protects packets and the secrets within them.
#[derive(Clone, Copy, Debug)]
pub enum Protection<'a> {
    /// MD5 and a shared secret (RFC 2865), whatever carries them.
    Secret(&'a Secret),
    /// TLS alone: RADIUS/1.1 (RFC 9765).
    Tls,
}

/// A request that only its NAS can have sent, as far as its code allows to tell.
/// Only the checks make one: [`verify_request`], and
/// [`verify`](super::radsec::verify) for what came over TLS.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedRequest<'a> {
    packet: Packet<'a>,
    message_authenticator: bool,
    protection: Protection<'a>,
    /// It came over TLS from a NAS that proved who it is.
    channel: bool,
}

/// What a request says by User-Password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UserPassword {
    /// Nothing: the attribute is not there.
    Absent,
    /// Its length is none that the RFC allows.
    Unreadable,
    /// This, without padding. It may be empty.
    Given(Vec<u8>),
}

impl<'a> VerifiedRequest<'a> {
    /// The packet.
    pub fn packet(&self) -> Packet<'a> {
        self.packet
    }

    /// Whether it carried a Message-Authenticator, which then was right.
    pub fn has_message_authenticator(&self) -> bool {
        self.message_authenticator
    }

    /// Whether something proves who sent it: Message-Authenticator, or TLS. An
    /// Access-Request over UDP without the former proves nothing.
    pub fn is_authenticated(&self) -> bool {
        self.message_authenticator || self.channel
    }

    /// What protects it, and is to protect its reply.
    pub fn protection(&self) -> Protection<'a> {
        self.protection
    }

    /// Its User-Password (RFC 2865, section 5.2), which RADIUS/1.1 does not hide
    /// (RFC 9765, section 5.1.1).
    pub fn user_password(&self) -> UserPassword {
        let Some(value) = self.packet.find(attr::USER_PASSWORD) else { return UserPassword::Absent };
        let plain = match self.protection {
            Protection::Secret(secret) => hide::user_password_decrypt(value, secret, self.packet.authenticator()),
            Protection::Tls => Some(value.to_vec()),
        };
        plain.map_or(UserPassword::Unreadable, UserPassword::Given)
    }

    /// What CHAP-Password answers: CHAP-Challenge, or else the Request
    /// Authenticator (RFC 2865, section 5.3), which RADIUS/1.1 has not.
    pub fn chap_challenge(&self) -> Option<&'a [u8]> {
        let own = match self.protection {
            Protection::Secret(_) => Some(self.packet.authenticator().as_slice()),
            Protection::Tls => None,
        };
        self.packet.find(attr::CHAP_CHALLENGE).or(own)
    }

    /// The same request, known to have come over TLS from its NAS.
    pub(super) fn over_tls(self) -> Self {
        Self { channel: true, ..self }
    }

    /// A request that TLS alone vouches for: of RADIUS/1.1, or of a code that
    /// cannot be checked otherwise.
    pub(super) fn by_channel(packet: Packet<'a>, protection: Protection<'a>) -> Self {
        Self { packet, message_authenticator: false, protection, channel: true }
    }
}

/// Why a request is not believed. All are to be dropped silently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is demanded of this client and is not there.
    #[error("Message-Authenticator is required and missing")]
    MissingMessageAuthenticator,
    /// RFC 3579, section 3.2.
    #[error("EAP-Message without Message-Authenticator")]
    EapWithoutMessageAuthenticator,
    /// Another secret, or an altered packet.
    #[error("the Message-Authenticator does not fit the shared secret")]
    BadMessageAuthenticator,
    /// Another secret, or an altered packet.
    #[error("the Request Authenticator does not fit the shared secret")]
    BadRequestAuthenticator,
    /// There may be one at most.
    #[error("more than one Message-Authenticator, or one of the wrong length")]
    DuplicateMessageAuthenticator,
    /// A reply, or a code that is not known.
    #[error("{0} is not a request")]
    NotARequest(Code),
}

/// Checks a request. Whether Message-Authenticator is there is looked at before
/// anything is computed.
///
/// # Errors
/// See [`VerifyError`].
pub fn verify_request<'a>(
    packet: Packet<'a>,
    secret: &'a Secret,
    require_message_authenticator: bool,
) -> Result<VerifiedRequest<'a>, VerifyError> {
    let position = message_authenticator(&packet)?;
    match packet.code() {
        Code::AccessRequest => {
            if position.is_none() {
                if packet.find(attr::EAP_MESSAGE).is_some() {
                    return Err(VerifyError::EapWithoutMessageAuthenticator);
                }
                if require_message_authenticator {
                    return Err(VerifyError::MissingMessageAuthenticator);
                }
            }
            check_message_authenticator(&packet, packet.authenticator(), position, secret)?;
        }
        Code::StatusServer => {
            if position.is_none() {
                return Err(VerifyError::MissingMessageAuthenticator);
            }
            check_message_authenticator(&packet, packet.authenticator(), position, secret)?;
        }
        Code::AccountingRequest | Code::CoaRequest | Code::DisconnectRequest => {
            let expected = response_authenticator(packet.bytes(), &ZEROES, secret);
            if !bool::from(expected.ct_eq(packet.authenticator())) {
                return Err(VerifyError::BadRequestAuthenticator);
            }
            check_message_authenticator(&packet, &ZEROES, position, secret)?;
        }
        other => return Err(VerifyError::NotARequest(other)),
    }
    Ok(VerifiedRequest {
        packet,
        message_authenticator: position.is_some(),
        protection: Protection::Secret(secret),
        channel: false,
    })
}

/// Where the Message-Authenticator's value begins.
fn message_authenticator(packet: &Packet<'_>) -> Result<Option<usize>, VerifyError> {
    let mut all = packet.attributes().filter(|a| a.kind == attr::MESSAGE_AUTHENTICATOR);
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(one), None) if one.value.len() == AUTHENTICATOR_LEN => Ok(Some(one.offset + 2)),
        _ => Err(VerifyError::DuplicateMessageAuthenticator),
    }
}

fn check_message_authenticator(
    packet: &Packet<'_>,
    authenticator: &[u8; AUTHENTICATOR_LEN],
    position: Option<usize>,
    secret: &Secret,
) -> Result<(), VerifyError> {
    let Some(position) = position else { return Ok(()) };
    let received = packet.bytes().get(position..position + AUTHENTICATOR_LEN).unwrap_or_default();
    let expected = compute_message_authenticator(packet.bytes(), position, authenticator, secret);
    if bool::from(expected.ct_eq(received)) { Ok(()) } else { Err(VerifyError::BadMessageAuthenticator) }
}

/// HMAC-MD5 over the packet with this authenticator in its header and zeroes
/// for the Message-Authenticator whose value begins at `position`.
pub(super) fn compute_message_authenticator(
    packet: &[u8],
    position: usize,
    authenticator: &[u8; AUTHENTICATOR_LEN],
    secret: &Secret,
) -> [u8; AUTHENTICATOR_LEN] {
    let mut mac = hmac_md5(secret);
    mac.update(packet.get(..4).unwrap_or_default());
    mac.update(authenticator);
    mac.update(packet.get(HEADER_LEN..position).unwrap_or_default());
    mac.update(&ZEROES);
    mac.update(packet.get(position + AUTHENTICATOR_LEN..).unwrap_or_default());
    mac.finalize().into_bytes().into()
}

/// HMAC takes keys of any length, so that this cannot fail.
#[allow(clippy::expect_used)]
fn hmac_md5(secret: &Secret) -> Hmac<Md5> {
    <Hmac<Md5> as KeyInit>::new_from_slice(secret.expose()).expect("HMAC takes a key of any length")
}

/// MD5 over the packet with this authenticator in its header, and the secret
/// (RFC 2865, section 3; with zeroes, RFC 2866, section 3).
pub(super) fn response_authenticator(
    packet: &[u8],
    authenticator: &[u8; AUTHENTICATOR_LEN],
    secret: &Secret,
) -> [u8; AUTHENTICATOR_LEN] {
    let mut md5 = Md5::new();
    md5.update(packet.get(..4).unwrap_or_default());
    md5.update(authenticator);
    md5.update(packet.get(HEADER_LEN..).unwrap_or_default());
    md5.update(secret.expose());
    md5.finalize().into()
}

/// A reply that fits its request and the secret. Only [`verify_reply`] makes
/// one.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedReply<'a> {
    packet: Packet<'a>,
    message_authenticator: Option<usize>,
}

impl<'a> VerifiedReply<'a> {
    /// The packet.
    pub fn packet(&self) -> Packet<'a> {
        self.packet
    }

    /// Whether Message-Authenticator is there, and right.
    pub fn has_message_authenticator(&self) -> bool {
        self.message_authenticator.is_some()
    }

    /// Whether it comes before all other attributes, as CVE-2024-3596 asks.
    pub fn message_authenticator_first(&self) -> bool {
        self.message_authenticator == Some(HEADER_LEN + 2)
    }
}

/// Why a reply is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplyError {
    /// It is no RADIUS packet.
    #[error(transparent)]
    Malformed(#[from] PacketError),
    /// It answers another request.
    #[error("the reply has the identifier {got}, the request had {want}")]
    WrongIdentifier {
        /// The reply's.
        got: u8,
        /// The request's.
        want: u8,
    },
    /// Another secret, or an altered packet.
    #[error("the Response Authenticator does not fit: another shared secret, or an altered packet")]
    BadResponseAuthenticator,
    /// Another secret, or an altered packet.
    #[error("the Message-Authenticator does not fit: another shared secret, or an altered packet")]
    BadMessageAuthenticator,
}

/// Checks a reply, as a client does.
///
/// # Errors
/// See [`ReplyError`].
pub fn verify_reply<'a>(
    datagram: &'a [u8],
    request: &Packet<'_>,
    secret: &Secret,
) -> Result<VerifiedReply<'a>, ReplyError> {
    let packet = Packet::parse(datagram)?;
    let (got, want) = (packet.identifier(), request.identifier());
    if got != want {
        return Err(ReplyError::WrongIdentifier { got, want });
    }
    let expected = response_authenticator(packet.bytes(), request.authenticator(), secret);
    if !bool::from(expected.ct_eq(packet.authenticator())) {
        return Err(ReplyError::BadResponseAuthenticator);
    }
    let position = message_authenticator(&packet).map_err(|_| ReplyError::BadMessageAuthenticator)?;
    check_message_authenticator(&packet, request.authenticator(), position, secret)
        .map_err(|_| ReplyError::BadMessageAuthenticator)?;
    Ok(VerifiedReply { packet, message_authenticator: position })
}
