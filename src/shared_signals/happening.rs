//! What happens here and is told to others: kept as it happened, and put into the words of each receiver when it is sent.

use super::event::EventType;
use crate::ids::{IdentityId, SessionId};
use crate::signals::risk::Level;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Something that happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// To whom.
    pub identity: Option<IdentityId>,
    /// What they are called, should they not be known any more; or a MAC address.
    pub name: Option<String>,
    /// In which session.
    pub session: Option<SessionId>,
    /// Why, in words.
    pub why: String,
    /// Whether somebody asked for it; else rules did.
    pub by_admin: bool,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A session was ended.
    SessionRevoked,
    /// A certificate was issued or revoked.
    Certificate {
        /// Whether it was revoked.
        revoked: bool,
        /// Who signed it.
        issuer: String,
        /// Its serial number, in lower-case hexadecimal.
        serial: String,
        /// Whom it names.
        subject: String,
    },
    /// A device is as it should be, or is not.
    Compliance {
        /// Whether it is now.
        compliant: bool,
        /// Whether it was before; nothing if that was not known.
        before: Option<bool>,
    },
    /// A risk has another level.
    Risk {
        /// The level now.
        level: Level,
        /// That before.
        before: Level,
    },
    /// Nothing: the receiver wants to see that it arrives.
    Verification {
        /// What the receiver sent along.
        state: Option<String>,
    },
}

/// A name of somebody or something, as it is told to others.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// `user` or `device`.
    pub role: &'static str,
    /// The identifier (RFC 9493).
    pub identifier: Value,
}

impl What {
    /// The type of event that tells it.
    pub fn event(&self) -> EventType {
        match self {
            What::SessionRevoked => EventType::SessionRevoked,
            What::Certificate { .. } => EventType::CredentialChange,
            What::Compliance { .. } => EventType::DeviceComplianceChange,
            What::Risk { .. } => EventType::RiskLevelChange,
            What::Verification { .. } => EventType::Verification,
        }
    }
}

impl Happening {
    /// Nothing happened: the stream is tried out.
    pub fn verification(state: Option<String>, at: Timestamp) -> Happening {
        let what = What::Verification { state };
        Happening { at, what, identity: None, name: None, session: None, why: String::new(), by_admin: false }
    }

    /// The subject of the event: what all of `told` and the session are together.
    pub fn subject(&self, told: &[Told]) -> Value {
        let mut members: Map<String, Value> =
            told.iter().map(|told| (told.role.to_owned(), told.identifier.clone())).collect();
        if let Some(session) = self.session {
            members.insert("session".into(), json!({ "format": "opaque", "id": session }));
        }
        // A user alone is told in the simplest form, which all receivers know.
        if let ([Told { role: "user", identifier }], 1) = (told, members.len()) {
            return identifier.clone();
        }
        members.insert("format".into(), "complex".into());
        Value::Object(members)
    }

    /// The claims of a token that tells it, signed at `signed` (SSF 1.0, section 4): when it happened is said within the event.
    pub fn claims(
        &self,
        jti: &str,
        (issuer, audience): (&str, &str),
        subject: &Value,
        about: &'static str,
        signed: Timestamp,
    ) -> Value {
        let mut event = match &self.what {
            What::SessionRevoked => json!({}),
            What::Certificate { revoked, issuer, serial, subject } => json!({
                "credential_type": "x509", "change_type": if *revoked { "revoke" } else { "create" },
                "friendly_name": subject, "x509_issuer": issuer, "x509_serial": serial,
            }),
            What::Compliance { compliant, before } => {
                let word = |compliant: bool| if compliant { "compliant" } else { "not-compliant" };
                json!({ "current_status": word(*compliant), "previous_status": word(before.unwrap_or(!compliant)) })
            }
            What::Risk { level, before } => json!({
                "principal": about.to_ascii_uppercase(), "current_level": level_code(*level),
                "previous_level": level_code(*before), "risk_reason": self.why,
            }),
            What::Verification { state } => state.as_ref().map_or_else(|| json!({}), |state| json!({ "state": state })),
        };
        if !matches!(self.what, What::Verification { .. }) {
            event["event_timestamp"] = self.at.unix_secs().into();
            event["initiating_entity"] = if self.by_admin { "admin" } else { "policy" }.into();
            // The interoperability profile wants it to say something.
            let why = if self.why.is_empty() { self.what.event().code() } else { &self.why };
            event["reason_admin"] = json!({ "en": why });
        }
        json!({
            "iss": issuer, "aud": audience, "jti": jti, "iat": signed.unix_secs(), "txn": jti,
            "sub_id": subject, "events": { self.what.event().uri(): event },
        })
    }
}

const fn level_code(level: Level) -> &'static str {
    match level {
        Level::Low => "LOW",
        Level::Medium => "MEDIUM",
        Level::High => "HIGH",
    }
}

#[cfg(test)]
mod tests {
    use super::super::set::Set;
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_told_is_what_would_be_taken() {
        let at = Timestamp::from_unix_secs(1_790_000_000);
        let told = [Told { role: "user", identifier: json!({ "format": "email", "email": "a@b.example" }) }];
        let all = [
            What::SessionRevoked,
            What::Certificate { revoked: true, issuer: "CN=ca".into(), serial: "0a".into(), subject: "CN=x".into() },
            What::Compliance { compliant: false, before: None },
            What::Risk { level: Level::High, before: Level::Low },
            What::Verification { state: Some("s".into()) },
        ];
        for what in all {
            let happening = Happening { what, ..Happening::verification(None, at) };
            let subject = happening.subject(&told);
            assert_eq!(subject["format"], "email");
            // It waited for days: it is told as of then, and taken in as a token of now.
            let signed = at + Duration::from_secs(3 * 24 * 3600);
            let of = ("https://a.example", "https://b.example");
            let claims = happening.claims("7", of, &subject, "user", signed);
            let set = Set::read(claims.as_object().unwrap(), of.0, &[of.1.into()], signed).unwrap();
            assert_eq!((set.issued, &claims["txn"]), (signed, &json!("7")));
            let timestamp = &claims["events"][happening.what.event().uri()]["event_timestamp"];
            let verification = matches!(happening.what, What::Verification { .. });
            assert_eq!(timestamp.as_i64(), (!verification).then_some(at.unix_secs()));
            assert_eq!(set.event, Some(happening.what.event()));
            assert_eq!(set.reason().is_some(), !matches!(happening.what, What::Verification { .. }));
        }
        let session = SessionId::new(at);
        let happening = Happening { session: Some(session), ..Happening::verification(None, at) };
        let complex = happening.subject(&told);
        assert_eq!((&complex["format"], &complex["user"]["email"]), (&json!("complex"), &json!("a@b.example")));
        assert_eq!(complex["session"]["id"], session.to_string());
    }
}
