//! Whom an event is about (Subject Identifiers, RFC 9493, with the complex subjects of SSF 1.0, section 3).

use serde_json::{Map, Value};
use std::net::IpAddr;

/// The longest text of an identifier, in octets.
const MAX_TEXT: usize = 512;
/// The most members of a complex subject, and aliases or addresses of one identifier.
const MAX_MEMBERS: usize = 16;

/// One name of somebody or something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identifier {
    /// An email address.
    Email(String),
    /// A subject as an issuer calls it.
    IssuerSubject {
        /// The issuer.
        issuer: String,
        /// Its name for them.
        subject: String,
    },
    /// A text that means something to both sides.
    Opaque(String),
    /// A URI, an account (`acct:`) or a decentralized id.
    Uri(String),
    /// Addresses.
    Ips(Vec<IpAddr>),
    /// Several names for the same.
    Aliases(Vec<Identifier>),
    /// One that is of no use here: a telephone number, a token, or a format that is not known.
    Other(String),
}

/// Whom an event is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// One name.
    Simple(Identifier),
    /// Several things that are meant together, by what each is: `user`, `device`, `session` and others.
    Complex(Vec<(String, Identifier)>),
}

/// A subject that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the subject cannot be read: {0}")]
pub struct NoSubject(String);

impl Subject {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or is out of all proportion.
    pub fn read(value: &Value) -> Result<Subject, NoSubject> {
        let map = value.as_object().ok_or_else(|| NoSubject("it is no object".into()))?;
        let format = map.get("format").and_then(Value::as_str);
        // What was written for drafts of SSF says `subject_type`, or no format for a complex one.
        let format = format.or_else(|| map.get("subject_type").and_then(Value::as_str)).unwrap_or("complex");
        if format != "complex" {
            return identifier(map, format, true).map(Subject::Simple);
        }
        let members: Vec<(&String, &Map<String, Value>)> =
            map.iter().filter_map(|(name, member)| Some((name, member.as_object()?))).collect();
        if members.is_empty() || members.len() > MAX_MEMBERS {
            return Err(NoSubject(format!("a complex one has 1 to {MAX_MEMBERS} members")));
        }
        let read = |(name, member): (&String, &Map<String, Value>)| {
            let format = member.get("format").or_else(|| member.get("subject_type")).and_then(Value::as_str);
            let format = format.ok_or_else(|| NoSubject("a member has no format".into()))?;
            Ok((bounded(name)?, identifier(member, format, true)?))
        };
        members.into_iter().map(read).collect::<Result<_, _>>().map(Subject::Complex)
    }

    /// The member of this name; of a simple subject, itself.
    pub fn member(&self, name: &str) -> Option<&Identifier> {
        match self {
            Subject::Simple(identifier) => Some(identifier),
            Subject::Complex(members) => members.iter().find(|(of, _)| of == name).map(|(_, identifier)| identifier),
        }
    }

    /// In words, for people.
    pub fn describe(&self) -> String {
        match self {
            Subject::Simple(identifier) => identifier.describe(),
            Subject::Complex(members) => {
                let all: Vec<_> = members.iter().map(|(name, of)| format!("{name} {}", of.describe())).collect();
                all.join(", ")
            }
        }
    }
}

impl Identifier {
    fn describe(&self) -> String {
        match self {
            Identifier::Email(text) | Identifier::Opaque(text) | Identifier::Uri(text) | Identifier::Other(text) => {
                text.clone()
            }
            Identifier::IssuerSubject { subject, .. } => subject.clone(),
            Identifier::Ips(all) => all.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "),
            Identifier::Aliases(all) => all.iter().map(Identifier::describe).collect::<Vec<_>>().join(" or "),
        }
    }
}

fn identifier(map: &Map<String, Value>, format: &str, outermost: bool) -> Result<Identifier, NoSubject> {
    let text = |key: &str| {
        let value = map.get(key).and_then(Value::as_str).ok_or_else(|| NoSubject(format!("{format} has no {key}")))?;
        bounded(value)
    };
    Ok(match format {
        "email" => Identifier::Email(text("email")?),
        "iss_sub" | "iss-sub" => Identifier::IssuerSubject { issuer: text("iss")?, subject: text("sub")? },
        "opaque" => Identifier::Opaque(text("id")?),
        "uri" => Identifier::Uri(text("uri")?),
        "account" => Identifier::Uri(text("uri")?),
        "did" => Identifier::Uri(text("url")?),
        "ip-addresses" => {
            let all = list(map, "ip-addresses")?;
            let address = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
            let read = all.iter().map(|value| address(value).ok_or_else(|| NoSubject("it holds no IP address".into())));
            Identifier::Ips(read.collect::<Result<_, _>>()?)
        }
        // RFC 9493, section 3.2.8: aliases hold no aliases.
        "aliases" if outermost => {
            let of = |value: &Value| {
                let map = value.as_object().ok_or_else(|| NoSubject("an alias is no object".into()))?;
                let format = map.get("format").and_then(Value::as_str);
                identifier(map, format.ok_or_else(|| NoSubject("an alias has no format".into()))?, false)
            };
            Identifier::Aliases(list(map, "identifiers")?.iter().map(of).collect::<Result<_, _>>()?)
        }
        other => Identifier::Other(bounded(other)?),
    })
}

fn list<'a>(map: &'a Map<String, Value>, key: &str) -> Result<&'a Vec<Value>, NoSubject> {
    let all = map.get(key).and_then(Value::as_array).filter(|all| (1..=MAX_MEMBERS).contains(&all.len()));
    all.ok_or_else(|| NoSubject(format!("{key} holds 1 to {MAX_MEMBERS}")))
}

fn bounded(text: &str) -> Result<String, NoSubject> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(NoSubject(format!("a text of 1 to {MAX_TEXT} octets is wanted")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_formats_are_read() {
        let simple = |value: Value| match Subject::read(&value).unwrap() {
            Subject::Simple(identifier) => identifier,
            complex => panic!("{complex:?}"),
        };
        let email = json!({ "format": "email", "email": "a@b.example" });
        assert_eq!(simple(email.clone()), Identifier::Email("a@b.example".into()));
        let subject = json!({ "format": "iss_sub", "iss": "https://id.example", "sub": "42" });
        let known = Identifier::IssuerSubject { issuer: "https://id.example".into(), subject: "42".into() };
        assert_eq!(simple(subject.clone()), known);
        assert_eq!(simple(json!({ "format": "opaque", "id": "x" })), Identifier::Opaque("x".into()));
        let ips = simple(json!({ "format": "ip-addresses", "ip-addresses": ["10.0.0.1", "2001:db8::1"] }));
        assert_eq!(ips, Identifier::Ips(vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]));
        assert_eq!(
            simple(json!({ "format": "phone_number", "phone_number": "+1" })),
            Identifier::Other("phone_number".into())
        );
        let aliases = simple(json!({ "format": "aliases", "identifiers": [email, subject] }));
        assert_eq!(aliases, Identifier::Aliases(vec![Identifier::Email("a@b.example".into()), known]));
        let complex = json!({ "format": "complex", "user": { "format": "email", "email": "a@b.example" },
                              "device": { "format": "opaque", "id": "d" } });
        let complex = Subject::read(&complex).unwrap();
        assert_eq!(complex.member("device"), Some(&Identifier::Opaque("d".into())));
        assert_eq!((complex.member("tenant"), complex.describe()), (None, "user a@b.example, device d".into()));
    }

    #[test]
    fn what_is_none_is_refused() {
        let nested = json!({ "format": "aliases", "identifiers": [{ "format": "opaque", "id": "x" }] });
        for bad in [
            json!(null),
            json!({}),
            json!({ "format": "email" }),
            json!({ "format": "email", "email": 5 }),
            json!({ "format": "email", "email": "" }),
            json!({ "format": "opaque", "id": "x".repeat(513) }),
            json!({ "format": "ip-addresses", "ip-addresses": ["x"] }),
            json!({ "format": "ip-addresses", "ip-addresses": [] }),
            json!({ "format": "complex", "user": { "email": "a" } }),
            json!({ "format": "aliases", "identifiers": (0..17).map(|_| nested.clone()).collect::<Vec<_>>() }),
        ] {
            assert!(Subject::read(&bad).is_err(), "{bad}");
        }
        // Aliases within aliases are of no use, and go no deeper.
        let deep = Subject::read(&json!({ "format": "aliases", "identifiers": [nested] })).unwrap();
        assert_eq!(deep, Subject::Simple(Identifier::Aliases(vec![Identifier::Other("aliases".into())])));
    }
}
