//! A stream: who is told, what of it, and how (SSF 1.0, section 8.1).

use super::event::EventType;
use crate::ids::{OperatorId, StreamId, TokenId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Streams at most.
pub const MAX_STREAMS: usize = 50;
/// Streams of one owner, at most: no token takes the place of all others.
pub const MAX_OWN_STREAMS: usize = 5;
/// Subjects that one stream leaves out, at most.
pub const MAX_REMOVED: usize = 1_000;
/// The longest subject that is left out, in octets as JSON: several names of a few hundred each.
pub const MAX_SUBJECT: usize = 2 * 1024;
/// All subjects together that one stream leaves out, in octets as JSON: they are read with each event that is pushed.
pub const MAX_ALL_REMOVED: usize = 128 * 1024;
/// How often a receiver may try a stream out.
pub const MIN_VERIFICATION: Duration = Duration::from_secs(10);
/// How long an event is tried to be pushed, counted from when it happened.
pub const PUSHED_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long one waits to be polled for.
pub const POLLED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Pushing (RFC 8935).
pub const PUSH: &str = "urn:ietf:rfc:8935";
/// Polling (RFC 8936).
pub const POLL: &str = "urn:ietf:rfc:8936";

/// What is told.
pub const TOLD: [EventType; 4] = [
    EventType::SessionRevoked,
    EventType::CredentialChange,
    EventType::DeviceComplianceChange,
    EventType::RiskLevelChange,
];

/// Whether anything is told (SSF 1.0, section 8.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = StreamStatus)]
pub enum Status {
    /// What happens is told.
    Enabled,
    /// It is kept, and told later.
    Paused,
    /// It is neither told nor kept.
    Disabled,
}

impl Status {
    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            Status::Enabled => "enabled",
            Status::Paused => "paused",
            Status::Disabled => "disabled",
        }
    }

    /// The status of this name.
    pub fn from_code(code: &str) -> Option<Status> {
        [Status::Enabled, Status::Paused, Status::Disabled].into_iter().find(|status| status.code() == code)
    }
}

/// Whose a stream is: who has made it. Each token has its own streams, whoever made the token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// Who holds the token of the server's own file.
    Root,
    /// An operator who was signed in.
    Operator(OperatorId),
    /// A token of the API.
    Token(TokenId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Root => f.write_str("root"),
            Owner::Operator(id) => write!(f, "operator {id}"),
            Owner::Token(id) => write!(f, "token {id}"),
        }
    }
}

/// A text that names no owner.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is nobody who owns a stream")]
pub struct NoOwner(String);

impl FromStr for Owner {
    type Err = NoOwner;

    fn from_str(text: &str) -> Result<Owner, NoOwner> {
        let no = || NoOwner(text.to_owned());
        match text.split_once(' ') {
            None if text == "root" => Ok(Owner::Root),
            Some(("operator", id)) => id.parse().map(Owner::Operator).map_err(|_| no()),
            Some(("token", id)) => id.parse().map(Owner::Token).map_err(|_| no()),
            _ => Err(no()),
        }
    }
}

/// Who is told, what, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Stream {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub owner: Owner,
    /// What the owner is called.
    pub owner_name: String,
    /// What the owner says of it.
    pub about: About,
    /// Whether anything is told.
    pub status: Status,
    /// When it was made.
    pub created: Timestamp,
    /// How often it was changed: who changes it says which form they have seen.
    pub version: u64,
}

/// What a receiver says of its stream.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct About {
    /// The URIs that it asked for.
    pub requested: Vec<String>,
    /// Where events are pushed; nowhere if they are polled for.
    pub push: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Subjects of which nothing is told.
    #[serde(default)]
    pub removed: Vec<Value>,
    /// Why the status is what it is.
    #[serde(default)]
    pub reason: Option<String>,
}

impl About {
    /// The URIs of what is told.
    pub fn delivered(&self) -> Vec<String> {
        TOLD.iter().map(|event| event.uri()).filter(|uri| self.requested.contains(uri)).collect()
    }

    /// Whether this is told. What is about the stream itself always is.
    pub fn wants(&self, event: EventType) -> bool {
        event.is_of_stream() || (TOLD.contains(&event) && self.requested.contains(&event.uri()))
    }

    /// How many octets the subjects are that are left out, as JSON.
    pub fn removed_len(&self) -> usize {
        self.removed.iter().map(|subject| subject.to_string().len()).sum()
    }

    /// Whether nothing is told of this subject: it, or a part of it, was taken out.
    pub fn leaves_out(&self, subject: &Value) -> bool {
        let members = subject.as_object().into_iter().flat_map(|map| map.values());
        self.removed.contains(subject) || members.filter(|value| value.is_object()).any(|of| self.removed.contains(of))
    }

    /// How long an event waits.
    pub fn patience(&self) -> Duration {
        if self.push.is_some() { PUSHED_FOR } else { POLLED_FOR }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_owner_is_read_as_it_is_written() {
        let at = Timestamp::from_unix_secs(1_790_000_000);
        for owner in [Owner::Root, Owner::Operator(OperatorId::new(at)), Owner::Token(TokenId::new(at))] {
            assert_eq!(owner.to_string().parse(), Ok(owner));
        }
        for bad in ["", "operator", "token x", "somebody 1"] {
            assert!(bad.parse::<Owner>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stream_tells_what_was_asked_for_of_whom_it_may() {
        let about = About {
            requested: vec![EventType::SessionRevoked.uri(), EventType::OptIn.uri(), "x".into()],
            removed: vec![json!({ "format": "email", "email": "a@b.example" })],
            ..About::default()
        };
        assert_eq!(about.delivered(), [EventType::SessionRevoked.uri()]);
        assert!(about.wants(EventType::SessionRevoked) && about.wants(EventType::Verification));
        assert!(!about.wants(EventType::RiskLevelChange) && !about.wants(EventType::OptIn));
        let email = |email: &str| json!({ "format": "email", "email": email });
        assert!(about.leaves_out(&email("a@b.example")) && !about.leaves_out(&email("c@b.example")));
        assert!(about.leaves_out(&json!({ "format": "complex", "user": email("a@b.example") })));
        for status in [Status::Enabled, Status::Paused, Status::Disabled] {
            assert_eq!(Status::from_code(status.code()), Some(status));
        }
    }
}
