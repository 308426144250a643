//! Identities and the credentials by which they are recognised.

use super::mac::MacAddress;
use crate::ids::IdentityId;
use crate::pki::certificate::CertificateFacts;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The name in lower case.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| UnknownName {
                    given: text.to_owned(),
                    known: Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// A word that is not one of those that there are.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{given:?} is not one of {known}")]
pub struct UnknownName {
    /// What was written.
    pub given: String,
    /// What there is.
    pub known: String,
}

named_enum! {
    /// What an identity is.
    IdentityKind {
        /// A human.
        User = "user",
        /// Something a human uses: a laptop, a phone, a printer.
        Device = "device",
        /// A server or workload.
        Machine = "machine",
        /// An AI agent.
        Agent = "agent",
        /// An integration between systems.
        Service = "service",
        /// An AI model.
        Model = "model",
    }
}

named_enum! {
    /// Where an identity is in its life.
    IdentityStatus {
        /// Asked for.
        Requested = "requested",
        /// Allowed, and not yet in use.
        Approved = "approved",
        /// In use: the only one that may log in.
        Active = "active",
        /// Barred for now.
        Suspended = "suspended",
        /// Gone for good.
        Retired = "retired",
    }
}

/// Someone or something that may be let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// The name that decisions show.
    pub name: String,
    /// What it is.
    pub kind: IdentityKind,
    /// Groups it belongs to.
    pub groups: Vec<String>,
    /// The human who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// Where it is in its life.
    pub status: IdentityStatus,
    /// When it ceases to be valid.
    pub expires: Option<Timestamp>,
    /// By what it is recognised.
    pub credentials: Vec<Credential>,
}

/// What binds a certificate or a MAC address to an identity. Each field of a
/// certificate is compared with itself only, never combined with others.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Credential {
    /// Issuer and serial number, as [`CertificateFacts`] writes them.
    IssuerSerial {
        /// The issuer's name.
        issuer: String,
        /// In lower-case hex, without leading zero octets.
        serial: String,
    },
    /// SHA-256 of the public key, in lower-case hex.
    KeyFingerprint(String),
    /// SHA-256 of the certificate, in lower-case hex.
    Fingerprint(String),
    /// A Microsoft security identifier.
    Sid(String),
    /// A URI, letter by letter.
    SanUri(String),
    /// A User Principal Name, whatever its case.
    SanUpn(String),
    /// An email address, whatever its case.
    SanEmail(String),
    /// A DNS name, whatever its case.
    SanDns(String),
    /// The subject's common name, letter by letter. Weak: any CA may repeat it.
    CommonName(String),
    /// A MAC address.
    Mac(MacAddress),
}

impl Credential {
    /// The same credential as look-ups spell it: without case where case does
    /// not count, hex in lower case and without separators.
    fn normalized(&self) -> Credential {
        let hex = |s: &str| s.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
        match self {
            Credential::IssuerSerial { issuer, serial } => {
                let digits = hex(serial);
                let even = if digits.len().is_multiple_of(2) { digits } else { format!("0{digits}") };
                let mut serial = even.as_str();
                while let Some(rest) = serial.strip_prefix("00").filter(|rest| !rest.is_empty()) {
                    serial = rest;
                }
                Credential::IssuerSerial { issuer: issuer.clone(), serial: serial.to_owned() }
            }
            Credential::KeyFingerprint(f) => Credential::KeyFingerprint(hex(f)),
            Credential::Fingerprint(f) => Credential::Fingerprint(hex(f)),
            Credential::SanUpn(n) => Credential::SanUpn(n.to_lowercase()),
            Credential::SanEmail(n) => Credential::SanEmail(n.to_lowercase()),
            Credential::SanDns(n) => Credential::SanDns(n.trim_end_matches('.').to_lowercase()),
            other => other.clone(),
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::IssuerSerial { issuer, serial } => write!(f, "issuer {issuer}, serial {serial}"),
            Credential::KeyFingerprint(v) => write!(f, "key fingerprint {v}"),
            Credential::Fingerprint(v) => write!(f, "certificate fingerprint {v}"),
            Credential::Sid(v) => write!(f, "SID {v}"),
            Credential::SanUri(v) => write!(f, "SAN URI {v}"),
            Credential::SanUpn(v) => write!(f, "SAN UPN {v}"),
            Credential::SanEmail(v) => write!(f, "SAN email {v}"),
            Credential::SanDns(v) => write!(f, "SAN DNS {v}"),
            Credential::CommonName(v) => write!(f, "common name {v}"),
            Credential::Mac(v) => write!(f, "MAC {v}"),
        }
    }
}

/// Identities that cannot be told apart.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// The same credential twice.
    #[error("{credential} is bound to {first} and to {second}")]
    DuplicateCredential {
        /// The credential.
        credential: Credential,
        /// The one that has it.
        first: String,
        /// The one that wants it too.
        second: String,
    },
    /// The same name twice within a kind.
    #[error("two identities of kind {kind} are called {name}")]
    DuplicateName {
        /// The kind.
        kind: IdentityKind,
        /// The name.
        name: String,
    },
}

/// A certificate that two identities lay claim to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the certificate is bound to {first} by its {first_by} and to {second} by its {second_by}")]
pub struct Ambiguous {
    /// One of them.
    pub first: String,
    /// By what.
    pub first_by: Credential,
    /// Another.
    pub second: String,
    /// By what.
    pub second_by: Credential,
}

/// All identities, found by credential.
#[derive(Clone, Debug, Default)]
pub struct IdentityIndex {
    all: Vec<Arc<Identity>>,
    by_credential: HashMap<Credential, Arc<Identity>>,
}

impl IdentityIndex {
    /// An index of these.
    ///
    /// # Errors
    /// When a credential is bound twice; both identities are named.
    pub fn new(all: Vec<Identity>) -> Result<IdentityIndex, IdentityError> {
        let mut index = IdentityIndex::default();
        let mut names = HashMap::new();
        for identity in all.into_iter().map(Arc::new) {
            let Identity { kind, ref name, .. } = *identity;
            if names.insert((kind, name.clone()), ()).is_some() {
                return Err(IdentityError::DuplicateName { kind, name: name.clone() });
            }
            for credential in &identity.credentials {
                if let Some(other) = index.by_credential.insert(credential.normalized(), identity.clone())
                    && other.id != identity.id
                {
                    return Err(IdentityError::DuplicateCredential {
                        credential: credential.clone(),
                        first: other.name.clone(),
                        second: name.clone(),
                    });
                }
            }
            index.all.push(identity);
        }
        Ok(index)
    }

    /// Whose certificate this is, and by which binding: the strongest that
    /// matches.
    ///
    /// # Errors
    /// When bindings of different identities match it.
    pub fn by_certificate(
        &self,
        facts: &CertificateFacts,
    ) -> Result<Option<(&Arc<Identity>, Credential)>, Box<Ambiguous>> {
        let mut found: Option<(&Arc<Identity>, Credential)> = None;
        for candidate in candidates(facts) {
            let Some(identity) = self.by_credential.get(&candidate.normalized()) else { continue };
            match &found {
                None => found = Some((identity, candidate)),
                Some((first, _)) if first.id == identity.id => {}
                Some((first, first_by)) => {
                    return Err(Box::new(Ambiguous {
                        first: first.name.clone(),
                        first_by: first_by.clone(),
                        second: identity.name.clone(),
                        second_by: candidate,
                    }));
                }
            }
        }
        Ok(found)
    }

    /// Whose MAC address this is.
    pub fn by_mac(&self, mac: MacAddress) -> Option<&Arc<Identity>> {
        self.by_credential.get(&Credential::Mac(mac))
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Identity>] {
        &self.all
    }
}

/// Everything in a certificate that a binding may name, strongest first.
fn candidates(facts: &CertificateFacts) -> impl Iterator<Item = Credential> + '_ {
    let exact = [
        Credential::IssuerSerial { issuer: facts.issuer.clone(), serial: facts.serial.clone() },
        Credential::KeyFingerprint(facts.key_fingerprint.clone()),
        Credential::Fingerprint(facts.fingerprint.clone()),
    ];
    exact
        .into_iter()
        .chain(facts.sid.iter().cloned().map(Credential::Sid))
        .chain(facts.san_uri.iter().cloned().map(Credential::SanUri))
        .chain(facts.san_upn.iter().cloned().map(Credential::SanUpn))
        .chain(facts.san_email.iter().cloned().map(Credential::SanEmail))
        .chain(facts.san_dns.iter().cloned().map(Credential::SanDns))
        .chain(facts.common_name.iter().cloned().map(Credential::CommonName))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str, credentials: Vec<Credential>) -> Identity {
        Identity {
            id: IdentityId::new(Timestamp::default()),
            name: name.into(),
            kind: IdentityKind::Device,
            groups: Vec::new(),
            owner: None,
            purpose: None,
            status: IdentityStatus::Active,
            expires: None,
            credentials,
        }
    }

    fn certificate() -> CertificateFacts {
        CertificateFacts {
            subject: "CN=laptop-1".into(),
            common_name: Some("laptop-1".into()),
            issuer: "CN=Corp CA".into(),
            serial: "0a1b".into(),
            fingerprint: "aa".repeat(32),
            key_fingerprint: "bb".repeat(32),
            not_before: Timestamp::default(),
            not_after: Timestamp::default(),
            san_dns: vec!["Laptop-1.Example".into()],
            san_email: Vec::new(),
            san_uri: vec!["spiffe://example/laptop-1".into()],
            san_upn: Vec::new(),
            san_ip: Vec::new(),
            sid: None,
            key_type: "EC-P256".into(),
        }
    }

    #[test]
    fn each_field_binds_by_itself() {
        for credential in [
            Credential::SanDns("laptop-1.example.".into()),
            Credential::SanUri("spiffe://example/laptop-1".into()),
            Credential::CommonName("laptop-1".into()),
            Credential::IssuerSerial { issuer: "CN=Corp CA".into(), serial: "A:1B".into() },
            Credential::IssuerSerial { issuer: "CN=Corp CA".into(), serial: "00:0a:1b".into() },
            Credential::Fingerprint(["AA"; 32].join(":")),
            Credential::KeyFingerprint("BB".repeat(32)),
        ] {
            let index = IdentityIndex::new(vec![identity("laptop-1", vec![credential.clone()])]).unwrap();
            let found = index.by_certificate(&certificate()).unwrap();
            assert_eq!(found.map(|(i, _)| i.name.as_str()), Some("laptop-1"), "{credential}");
        }
        for credential in [
            Credential::SanUri("spiffe://example/LAPTOP-1".into()),
            Credential::SanEmail("laptop-1.example".into()),
            Credential::SanDns("laptop-1".into()),
            Credential::CommonName("laptop-1.example".into()),
        ] {
            let index = IdentityIndex::new(vec![identity("other", vec![credential.clone()])]).unwrap();
            assert_eq!(index.by_certificate(&certificate()).unwrap(), None, "{credential}");
        }
    }

    #[test]
    fn lay_1_a_credential_has_one_identity() {
        let same = || vec![Credential::SanDns("laptop-1.example".into())];
        let error = IdentityIndex::new(vec![identity("one", same()), identity("two", same())]).unwrap_err();
        assert_eq!(error.to_string(), "SAN DNS laptop-1.example is bound to one and to two");
    }

    #[test]
    fn a_certificate_that_two_claim_is_nobodys() {
        let index = IdentityIndex::new(vec![
            identity("one", vec![Credential::SanDns("laptop-1.example".into())]),
            identity("two", vec![Credential::CommonName("laptop-1".into())]),
        ])
        .unwrap();
        let error = index.by_certificate(&certificate()).unwrap_err();
        assert_eq!((error.first.as_str(), error.second.as_str()), ("one", "two"));
    }

    #[test]
    fn unknown_words_are_told_what_there_is() {
        let error = "robot".parse::<IdentityKind>().unwrap_err();
        assert!(error.to_string().contains("agent"), "{error}");
    }
}
