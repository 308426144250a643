//! The audit event: one change, who made it, and from where.
//!
//! An event is stored as the octets of its canonical JSON: keys sorted, no white
//! space, whole numbers only. Those octets are hashed, signed over and exported, so
//! that who verifies them need not know how they were made.

use super::merkle::{Hash, leaf_hash};
use crate::ids::AuditEventId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// The longest name, reason or other text of an event, in characters.
const MAX_TEXT: usize = 500;
/// The most octets of `before` or `after` as JSON. Beyond, their digest takes their
/// place: an event fits an entry of C2SP tlog-tiles, which has 65,535 octets.
const MAX_STATE: usize = 24 * 1024;
/// How deep `before` and `after` may nest; beyond, they are told as text.
const MAX_DEPTH: usize = 32;

/// From where a change was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// By a command on the server's host.
    Cli,
    /// By the API.
    Api {
        /// Where the request came from.
        address: SocketAddr,
    },
    /// By the server itself.
    Server,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused, and changed nothing.
    Failure,
}

impl Outcome {
    /// The name that is stored.
    pub const fn code(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
        }
    }
}

/// Who makes a change, and from where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct By {
    /// The author, or what is known of one.
    pub actor: String,
    /// In which role, where one is known.
    pub role: Option<String>,
    /// From where.
    pub origin: Origin,
}

impl By {
    /// Somebody at the command line.
    pub fn cli(actor: impl Into<String>) -> By {
        By { actor: actor.into(), role: None, origin: Origin::Cli }
    }

    /// Somebody who asks by the API.
    pub fn api(actor: impl Into<String>, address: SocketAddr) -> By {
        By { actor: actor.into(), role: None, origin: Origin::Api { address } }
    }

    /// The same, in that role.
    #[must_use]
    pub fn in_role(self, role: impl Into<String>) -> By {
        By { role: Some(role.into()), ..self }
    }

    /// The server itself.
    pub fn server() -> By {
        By { actor: "server".into(), role: None, origin: Origin::Server }
    }
}

/// What an event is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its kind, such as `identity`, `policy`, `session`.
    pub kind: String,
    /// Its name or id.
    pub name: String,
}

/// One change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// In which role, where one is known.
    pub role: Option<String>,
    /// From where.
    pub source: Origin,
    /// What was done, such as `identity.update`.
    pub action: String,
    /// To what.
    pub object: Object,
    /// What it was, as far as it became different. Secrets are hidden.
    pub before: Value,
    /// What it became.
    pub after: Value,
    /// Why, in the author's words.
    pub reason: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Event {
    /// A change that was made.
    pub fn new(by: &By, action: impl Into<String>, kind: &str, name: &str, now: Timestamp) -> Event {
        Event {
            id: AuditEventId::new(now),
            at: now,
            actor: plain(&by.actor),
            role: by.role.as_deref().map(plain),
            source: by.origin.clone(),
            action: plain(&action.into()),
            object: Object { kind: plain(kind), name: plain(name) },
            before: Value::Null,
            after: Value::Null,
            reason: None,
            outcome: Outcome::Success,
        }
    }

    /// What it was and what it became.
    #[must_use]
    pub fn states(mut self, before: Value, after: Value) -> Event {
        self.before = bounded(before);
        self.after = bounded(after);
        self
    }

    /// Why; an empty text is none.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Event {
        self.reason = Some(plain(reason)).filter(|reason| !reason.is_empty());
        self
    }

    /// It was refused, for this reason.
    #[must_use]
    pub fn refused(mut self, why: &str) -> Event {
        self.outcome = Outcome::Failure;
        self.because(why)
    }
}

/// An event in its place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the log, from 0.
    pub seq: u64,
    /// The hash of the entry before; zeros for the first.
    #[serde(with = "hex")]
    pub prev: Hash,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// An entry as it is kept: the octets that are hashed, and their hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The canonical JSON.
    pub body: String,
    /// Its leaf hash.
    pub hash: Hash,
}

/// The octets are no entry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoEntry(String);

impl Entry {
    /// The canonical octets and their hash.
    pub fn seal(&self) -> Sealed {
        let mut body = String::new();
        // It is made of texts and numbers alone, which always have a form in JSON.
        canonical(&serde_json::to_value(self).unwrap_or_default(), &mut body);
        let hash = leaf_hash(body.as_bytes());
        Sealed { body, hash }
    }

    /// Reads what [`seal`](Self::seal) wrote, and nothing else.
    ///
    /// # Errors
    /// When it is no entry, or is written in another way.
    pub fn parse(body: &str) -> Result<Entry, NoEntry> {
        let entry: Entry = serde_json::from_str(body).map_err(|e| NoEntry(e.to_string()))?;
        if entry.seal().body != body {
            return Err(NoEntry("it is not in canonical form".into()));
        }
        Ok(entry)
    }
}

/// Control characters go, since texts reach logs and terminals; and what is too long.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

/// What has a canonical form, and fits.
fn bounded(value: Value) -> Value {
    let value = whole(value, MAX_DEPTH);
    let mut text = String::new();
    canonical(&value, &mut text);
    if text.len() <= MAX_STATE {
        return value;
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    json!({ "octets": text.len(), "sha256": hex::of(digest.as_ref()) })
}

/// Numbers with a fraction become texts: they have more than one spelling.
fn whole(value: Value, depth: usize) -> Value {
    match value {
        Value::Number(n) if n.is_f64() => Value::String(n.to_string()),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::String(value.to_string()),
        Value::Array(all) => all.into_iter().map(|value| whole(value, depth - 1)).collect(),
        Value::Object(all) => Value::Object(all.into_iter().map(|(key, v)| (key, whole(v, depth - 1))).collect()),
        other => other,
    }
}

/// JSON with sorted keys and without white space.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(all) => {
            out.push('[');
            for (n, value) in all.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { "," });
                canonical(value, out);
            }
            out.push(']');
        }
        Value::Object(all) => {
            let mut all: Vec<_> = all.iter().collect();
            all.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (n, (key, value)) in all.into_iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(out, "{}{}:", if n == 0 { "" } else { "," }, Value::String(key.clone()));
                canonical(value, out);
            }
            out.push('}');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// Fields as they are told one by one, `{"key": {"old": ..., "new": ...}}`, as what
/// was and what is.
pub fn states_of(fields: &Value) -> (Value, Value) {
    let Some(fields) = fields.as_object() else { return (Value::Null, fields.clone()) };
    let (mut before, mut after) = (Map::new(), Map::new());
    for (key, value) in fields {
        match value.as_object().filter(|pair| pair.contains_key("old") || pair.contains_key("new")) {
            Some(pair) => {
                let side = |name: &str| pair.get(name).filter(|value| !value.is_null()).cloned();
                before.extend(side("old").map(|value| (key.clone(), value)));
                after.extend(side("new").map(|value| (key.clone(), value)));
            }
            None => drop(after.insert(key.clone(), value.clone())),
        }
    }
    let told = |side: Map<String, Value>| if side.is_empty() { Value::Null } else { Value::Object(side) };
    (told(before), told(after))
}

/// Hashes in hexadecimal, as serde wants them.
pub(super) mod hex {
    use super::{Cow, Hash};
    use crate::radius::value::{digits, unhex};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::audit) fn of(octets: &[u8]) -> String {
        digits(octets)
    }

    pub(in crate::audit) fn serialize<S: Serializer>(hash: &Hash, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&digits(hash))
    }

    pub(in crate::audit) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Hash, D::Error> {
        let text = Cow::<str>::deserialize(d)?;
        let octets = unhex(&text).unwrap_or_default();
        octets.try_into().map_err(|_| D::Error::custom("a hash is 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let now = Timestamp::from_micros(1_764_000_000_000_001);
        let by = By::api("elena", "127.0.0.1:4711".parse().unwrap());
        let event = Event::new(&by, "identity.update", "identity", "agent \u{7}coder-1", now);
        let event = event.states(json!({ "z": 1, "a": [1.5, null, "é\n"] }), json!({ "z": { "y": true, "b": {} } }));
        Entry { seq: 7, prev: [0xab; 32], event: event.because("at night") }
    }

    #[test]
    fn an_entry_has_one_form_and_comes_back_from_it() {
        let entry = entry();
        let Sealed { body, hash } = entry.seal();
        assert!(body.contains(r#""after":{"z":{"b":{},"y":true}}"#), "{body}");
        assert!(body.contains(r#""before":{"a":["1.5",null,"é\n"],"z":1}"#), "{body}");
        assert!(body.contains(r#""object":{"kind":"identity","name":"agent coder-1"}"#), "{body}");
        assert_eq!(hash, leaf_hash(body.as_bytes()));
        assert_eq!(Entry::parse(&body).unwrap(), entry);
        for other in [body.replace("\"seq\":7", "\"seq\": 7"), body.replace("{\"action\"", "{\"aa\":1,\"action\"")] {
            assert!(Entry::parse(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_large_is_told_by_its_digest() {
        let event = entry().event.states(Value::Null, json!(vec!["x"; 20_000]));
        assert_eq!(event.after["octets"], 80_001);
        let long = Event::new(&By::server(), "a", "b", &"n".repeat(9_000), Timestamp::default());
        assert_eq!(long.object.name.len(), MAX_TEXT);
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let body = Entry { event: entry().event.states(deep, Value::Null), ..entry() }.seal().body;
        assert!(Entry::parse(&body).is_ok() && body.len() < 65_535);
    }

    #[test]
    fn fields_become_what_was_and_what_is() {
        let fields = json!({ "vlan": { "old": 20, "new": 30 }, "voice": { "old": null, "new": true }, "created": 9 });
        assert_eq!(states_of(&fields), (json!({ "vlan": 20 }), json!({ "vlan": 30, "voice": true, "created": 9 })));
        assert_eq!(states_of(&json!({ "a": { "old": 1, "new": null } })), (json!({ "a": 1 }), Value::Null));
    }
}
