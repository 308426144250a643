//! A system that tells what it knows, as it is configured: how it is recognised, and how far it is believed.

use super::event::EventType;
use super::subject::Identifier;
use crate::secret::Secret;
use crate::signals::signal::Severity;
use jsonwebtoken::jwk::JwkSet;

/// Transmitters at most: each that is polled has a task.
pub const MAX_TRANSMITTERS: usize = 50;

/// Where its keys are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Keys {
    /// These and no others.
    Fixed(JwkSet),
    /// At this URL.
    At(String),
    /// Where its own description says (SSF 1.0, section 7.2).
    Discovered,
}

/// What becomes of sessions whose end it tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    /// Nothing at once; rules may ask for the risk.
    No,
    /// They log in again, and come to what rules say by then.
    Reauthenticate,
    /// They are cut off.
    Disconnect,
}

impl Ends {
    /// All of them.
    pub const ALL: [Ends; 3] = [Ends::No, Ends::Reauthenticate, Ends::Disconnect];

    /// The word of the configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Ends::No => "no",
            Ends::Reauthenticate => "reauthenticate",
            Ends::Disconnect => "disconnect",
        }
    }
}

/// Where it is asked for events (RFC 8936).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poll {
    /// The URL.
    pub endpoint: String,
    /// What is shown there.
    pub token: Secret,
}

/// A system that tells what it knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmitter {
    /// What it is called here: the end of its URL, and the source of its signals.
    pub name: String,
    /// Who signs.
    pub issuer: String,
    /// What this server is called by it.
    pub audience: Vec<String>,
    /// Its keys.
    pub keys: Keys,
    /// Certificates of CAs, DER, that are believed besides the system's.
    pub cas: Vec<Vec<u8>>,
    /// What it shows when it pushes; without one it may not.
    pub push_token: Option<Secret>,
    /// Where it is asked.
    pub poll: Option<Poll>,
    /// Whose names for subjects are believed.
    pub subject_issuers: Vec<String>,
    /// Whether names are believed of which it is not said whose they are.
    pub opaque_subjects: bool,
    /// What of all that it tells is acted on; everything, if it is not said.
    pub events: Option<Vec<EventType>>,
    /// What its signals weigh at most.
    pub severity_at_most: Severity,
    /// What becomes of sessions.
    pub ends: Ends,
    /// Whether what it tells of a user is true of what they own, too.
    pub owned: bool,
}

/// Whether what is asked at this URL comes by TLS, or from this host.
pub fn is_safe(url: &str) -> bool {
    let plain = url.strip_prefix("http://").unwrap_or_default();
    let here = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|own| plain.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
    url.starts_with("https://") || here
}

impl Transmitter {
    /// Whether it is believed when it tells this.
    pub fn may_tell(&self, event: EventType) -> bool {
        self.events.as_ref().is_none_or(|events| events.contains(&event))
    }

    /// The names that an identifier comes to; none if it is of no use, or another issuer's.
    pub fn names<'a>(&self, identifier: &'a Identifier) -> Vec<Name<'a>> {
        match identifier {
            Identifier::Email(text) => vec![Name::Address(text)],
            Identifier::IssuerSubject { issuer, subject } if self.subject_issuers.contains(issuer) => {
                vec![Name::Issued(subject)]
            }
            Identifier::Opaque(text) if self.opaque_subjects => vec![Name::Opaque(text)],
            Identifier::Uri(uri) => match uri.strip_prefix("acct:").or_else(|| uri.strip_prefix("mailto:")) {
                Some(address) => vec![Name::Address(address)],
                None => vec![Name::Uri(uri)],
            },
            Identifier::Aliases(all) => all.iter().flat_map(|one| self.names(one)).collect(),
            Identifier::IssuerSubject { .. } | Identifier::Opaque(_) | Identifier::Ips(_) | Identifier::Other(_) => {
                Vec::new()
            }
        }
    }
}

/// A name by which the inventory may know somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name<'a> {
    /// An address: email or User Principal Name.
    Address(&'a str),
    /// A URI of a certificate.
    Uri(&'a str),
    /// What an issuer calls somebody: an id, a name, a DNS name or a MAC address.
    Issued(&'a str),
    /// The same, of which it is not said who calls them so.
    Opaque(&'a str),
}

/// What somebody is, as far as an event tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// A human.
    User,
    /// Anything else.
    Thing,
}

impl Name<'_> {
    /// What names of this form are as a rule, if there is a rule.
    pub fn sort(self) -> Option<Sort> {
        match self {
            Name::Address(_) | Name::Issued(_) => Some(Sort::User),
            Name::Uri(_) | Name::Opaque(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_believed_of_those_alone_who_may_give_them() {
        let transmitter = |opaque_subjects| Transmitter {
            name: "idp".into(),
            issuer: "https://idp.example".into(),
            audience: Vec::new(),
            keys: Keys::Discovered,
            cas: Vec::new(),
            push_token: None,
            poll: None,
            subject_issuers: vec!["https://idp.example".into(), "https://directory.example".into()],
            opaque_subjects,
            events: Some(vec![EventType::SessionRevoked]),
            severity_at_most: Severity::Critical,
            ends: Ends::No,
            owned: false,
        };
        let of = |issuer: &str| Identifier::IssuerSubject { issuer: issuer.into(), subject: "alice".into() };
        let one = transmitter(false);
        assert!(one.may_tell(EventType::SessionRevoked) && !one.may_tell(EventType::AccountDisabled));
        for (identifier, wanted) in [
            (of("https://idp.example"), vec![Name::Issued("alice")]),
            (of("https://directory.example"), vec![Name::Issued("alice")]),
            (of("https://idp.example/"), vec![]),
            (of("https://evil.example"), vec![]),
            (Identifier::Opaque("alice".into()), vec![]),
            (Identifier::Email("a@b.example".into()), vec![Name::Address("a@b.example")]),
            (Identifier::Uri("acct:a@b.example".into()), vec![Name::Address("a@b.example")]),
            (Identifier::Uri("spiffe://x/y".into()), vec![Name::Uri("spiffe://x/y")]),
            (Identifier::Ips(vec!["10.0.0.1".parse().unwrap()]), vec![]),
            (
                Identifier::Aliases(vec![
                    Identifier::Opaque("alice".into()),
                    of("https://evil.example"),
                    of("https://idp.example"),
                ]),
                vec![Name::Issued("alice")],
            ),
        ] {
            assert_eq!(one.names(&identifier), wanted, "{identifier:?}");
        }
        assert_eq!(transmitter(true).names(&Identifier::Opaque("alice".into())), [Name::Opaque("alice")]);
    }

    #[test]
    fn others_than_this_host_are_asked_by_tls_alone() {
        for good in ["https://a.example/x", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]/"] {
            assert!(is_safe(good), "{good}");
        }
        for bad in
            ["http://a.example/", "http://localhost.evil.example/", "http://127.0.0.1@evil.example/", "ftp://a", ""]
        {
            assert!(!is_safe(bad), "{bad}");
        }
    }
}
