//! A stream: who is told, what of it, and how (SSF 1.0, section 8.1).

use super::event::EventType;
use crate::ids::StreamId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Streams at most.
pub const MAX_STREAMS: usize = 50;
/// Subjects that one stream leaves out, at most.
pub const MAX_REMOVED: usize = 1_000;
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

/// Who is told, what, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Stream {
    /// Its id.
    pub id: StreamId,
    /// Whose it is: who has made it.
    pub owner: String,
    /// What the owner is called.
    pub owner_name: String,
    /// What the owner says of it.
    pub about: About,
    /// Whether anything is told.
    pub status: Status,
    /// When it was made.
    pub created: Timestamp,
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
