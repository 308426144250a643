//! Security Event Tokens (RFC 8417) in the form of SSF 1.0, section 4: what their claims must be.

use super::event::EventType;
use super::subject::Subject;
use crate::time::Timestamp;
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest token, in octets: an event is a few hundred.
pub const MAX_LEN: usize = 64 * 1024;
/// What the header must say that it is.
pub const TYPE: &str = "secevent+jwt";
/// How far ahead of our clock a token may be dated: clocks differ.
pub const MAX_AHEAD: Duration = Duration::from_secs(120);
/// How old a token may be: what a transmitter kept for a day is still told. What was taken in is remembered for longer.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The longest `jti`, in octets.
const MAX_JTI: usize = 255;

/// Why a token is refused, as it is told (RFC 8935, section 2.4).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{description}")]
pub struct Refused {
    /// Which of the registered codes.
    pub code: RefusedCode,
    /// In words.
    pub description: String,
}

/// The codes of RFC 8935, section 2.4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefusedCode {
    /// It is no token, or says what it must not.
    InvalidRequest,
    /// It is signed by something that is not believed.
    InvalidKey,
    /// It is of somebody else.
    InvalidIssuer,
    /// It is for somebody else.
    InvalidAudience,
    /// Who brings it is not who they must be.
    AuthenticationFailed,
    /// Who brings it may not.
    AccessDenied,
}

impl RefusedCode {
    /// All of them.
    pub const ALL: [RefusedCode; 6] = [
        RefusedCode::InvalidRequest,
        RefusedCode::InvalidKey,
        RefusedCode::InvalidIssuer,
        RefusedCode::InvalidAudience,
        RefusedCode::AuthenticationFailed,
        RefusedCode::AccessDenied,
    ];

    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            RefusedCode::InvalidRequest => "invalid_request",
            RefusedCode::InvalidKey => "invalid_key",
            RefusedCode::InvalidIssuer => "invalid_issuer",
            RefusedCode::InvalidAudience => "invalid_audience",
            RefusedCode::AuthenticationFailed => "authentication_failed",
            RefusedCode::AccessDenied => "access_denied",
        }
    }
}

impl Refused {
    /// Refused for this.
    pub fn new(code: RefusedCode, description: impl Into<String>) -> Refused {
        Refused { code, description: description.into() }
    }
}

/// A token whose claims are as they must be.
#[derive(Clone, PartialEq, Debug)]
pub struct Set {
    /// What its issuer calls it; no other has the same.
    pub jti: String,
    /// When it was made.
    pub issued: Timestamp,
    /// Whom it is about; nobody, where it is about the stream or whom cannot be told.
    pub subject: Option<Subject>,
    /// The URI of what happened.
    pub uri: String,
    /// What happened, if that is one of the known types.
    pub event: Option<EventType>,
    /// What is said of it.
    pub details: Map<String, Value>,
}

impl Set {
    /// Reads the claims of a token from `issuer` for one of `audience`.
    ///
    /// # Errors
    /// When they are not as they must be, or of another time.
    pub fn read(
        claims: &Map<String, Value>,
        issuer: &str,
        audience: &[String],
        now: Timestamp,
    ) -> Result<Set, Refused> {
        use RefusedCode::{InvalidAudience, InvalidIssuer, InvalidRequest};
        let wrong = |what: &str| Refused::new(InvalidRequest, what);
        if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err(Refused::new(InvalidIssuer, format!("the issuer is not {issuer}")));
        }
        let named: Vec<&str> = match claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !named.iter().any(|name| audience.iter().any(|own| own == name)) {
            return Err(Refused::new(InvalidAudience, "the audience is somebody else"));
        }
        // SSF 1.0, section 4.1: an ID or access token is never taken for an event.
        if claims.contains_key("sub") {
            return Err(wrong("an event says sub_id, and never sub"));
        }
        if claims.contains_key("exp") {
            return Err(wrong("an event has no exp: what happened does not expire"));
        }
        let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| (1..=MAX_JTI).contains(&jti.len()));
        let jti = jti.ok_or_else(|| wrong("jti is a text of 1 to 255 octets"))?.to_owned();
        let issued = claims.get("iat").and_then(seconds).ok_or_else(|| wrong("iat is a number of seconds"))?;
        if issued > now + MAX_AHEAD {
            return Err(wrong("iat lies ahead: set the clock of the transmitter"));
        }
        if now.since(issued) > MAX_AGE {
            return Err(wrong("iat is more than a day ago"));
        }
        let events = claims.get("events").and_then(Value::as_object).ok_or_else(|| wrong("there is no events"))?;
        // SSF 1.0, section 4.1.7: one event each.
        let mut all = events.iter();
        let (Some((uri, Value::Object(details))), None) = (all.next(), all.next()) else {
            return Err(wrong("events holds exactly one object"));
        };
        let event = EventType::from_uri(uri);
        // Drafts of SSF had the subject within the event.
        let subject = claims.get("sub_id").or_else(|| details.get("subject"));
        let subject = subject.map(Subject::read).transpose().map_err(|e| wrong(&e.to_string()))?;
        if subject.is_none() && event.is_some_and(|event| !event.is_of_stream()) {
            return Err(wrong("there is no sub_id"));
        }
        Ok(Set { jti, issued, subject, uri: uri.chars().take(MAX_JTI).collect(), event, details: details.clone() })
    }

    /// When it happened, as far as that is said and can be.
    pub fn happened(&self) -> Timestamp {
        let said = self.details.get("event_timestamp").and_then(seconds);
        let fits = |at: &Timestamp| *at <= self.issued + MAX_AHEAD && self.issued.since(*at) <= MAX_AGE;
        said.filter(fits).unwrap_or(self.issued)
    }

    /// A text that the event says.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.details.get(key)?.as_str()
    }

    /// Why, in words for administrators, in English if there are such.
    pub fn reason(&self) -> Option<&str> {
        ["reason_admin", "reason_user"].into_iter().find_map(|key| match self.details.get(key)? {
            Value::String(text) => Some(text.as_str()),
            Value::Object(map) => {
                let english = map.iter().find(|(language, _)| language.starts_with("en"));
                english.or_else(|| map.iter().next())?.1.as_str()
            }
            _ => None,
        })
    }
}

/// A NumericDate (RFC 7519, section 2), in whole seconds, of years that a clock can show.
fn seconds(value: &Value) -> Option<Timestamp> {
    /// The year 2200.
    const LAST: f64 = 7_258_118_400.0;
    let secs = value.as_f64().filter(|secs| (0.0..=LAST).contains(secs))?;
    Some(Timestamp::from_unix_secs(secs as i64))
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
