//! A type for each kind of id, so that they cannot be mistaken for one another.
//!
//! All are UUIDv7: unique without coordination, and sorted by creation.

use crate::time::Timestamp;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A text that is no id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("that is no id of a {what}; {command} shows them")]
pub struct NoId {
    what: &'static str,
    command: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $command:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id whose leading bits are the time `at`, in milliseconds.
            pub fn new(at: Timestamp) -> Self {
                let micros = at.as_micros().max(0) as u64;
                let (secs, nanos) = (micros / 1_000_000, (micros % 1_000_000) as u32 * 1_000);
                Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, secs, nanos)))
            }

            /// The id of what a configuration file calls `name`: the same at
            /// each start (UUIDv8 of its SHA-256, RFC 9562, section 5.8).
            pub fn of_name(name: &str) -> Self {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
                let mut bytes = [0; 16];
                bytes.iter_mut().zip(digest.as_ref()).for_each(|(b, d)| *b = *d);
                Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
            }

            /// The id as its 16 octets, big-endian.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// What no id made at `at` or later is below, and no earlier one at or
            /// above, to the millisecond: a place in the order of ids.
            pub fn floor(at: Timestamp) -> [u8; 16] {
                let millis = at.as_micros().max(0) as u64 / 1000;
                let mut octets = [0; 16];
                octets.iter_mut().zip(millis.to_be_bytes().iter().skip(2)).for_each(|(o, b)| *o = *b);
                octets
            }

            /// The time in its leading bits, to the millisecond.
            pub fn made_at(&self) -> Timestamp {
                let millis = self.as_bytes().iter().take(6).fold(0_i64, |n, b| n << 8 | i64::from(*b));
                Timestamp::from_micros(millis * 1000)
            }

            /// The id that these octets spell.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NoId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self).map_err(|_| NoId { what: $what, command: $command })
            }
        }
    };
}

id!(
    /// One authentication attempt and what was decided.
    DecisionId, "decision", "GET /api/v1/decisions"
);
id!(
    /// One stay of an endpoint on the network.
    SessionId, "session", "`cordon session list`"
);
id!(
    /// A user, device, machine, agent, service or model.
    IdentityId, "identity", "`cordon identity list`"
);
id!(
    /// Somebody who administers the server.
    OperatorId, "operator", "GET /api/v1/operators"
);
id!(
    /// One sign-in of an operator, until it ends.
    SignInId, "sign-in", "GET /api/v1/me/sign-ins"
);
id!(
    /// A policy that waits for a second pair of eyes.
    ProposalId, "proposal", "GET /api/v1/policy/proposals"
);
id!(
    /// One change of one object of the inventory.
    ChangeId, "change of the inventory", "`cordon identity history`"
);
id!(
    /// A switch, controller or other RADIUS client.
    NasId, "NAS", "`cordon nas list`"
);
id!(
    /// A thing as it is seen on the wire.
    EndpointId, "endpoint", "GET /api/v1/endpoints"
);
id!(
    /// One change that a session is to undergo.
    ChangeOrderId, "change", "`cordon session changes`"
);
id!(
    /// Changes that one cause asked of many sessions.
    WaveId, "wave", "`cordon session wave list`"
);
id!(
    /// One contradiction in what was seen of an endpoint.
    SignalId, "signal", "GET /api/v1/signals"
);
id!(
    /// One API token.
    TokenId, "token", "GET /api/v1/tokens"
);
id!(
    /// A host whose osquery was enrolled.
    NodeId, "node", "GET /api/v1/osquery/nodes"
);
id!(
    /// Somebody who is told what happens.
    WebhookId, "webhook", "GET /api/v1/webhooks"
);
id!(
    /// One thing that one webhook is told.
    DeliveryId, "delivery", "GET /api/v1/webhooks/{id}/deliveries"
);
id!(
    /// Somebody who is told by Shared Signals.
    StreamId, "stream", "GET /api/v1/ssf/streams"
);
id!(
    /// One event that one stream is told.
    StreamEventId, "event", "GET /api/v1/ssf/streams"
);
id!(
    /// Somebody who is kept apart for a while.
    ContainmentId, "containment", "GET /api/v1/containments"
);
id!(
    /// One run of a playbook against somebody.
    RunId, "run", "GET /api/v1/playbooks/runs"
);
id!(
    /// Something that people look into.
    CaseId, "case", "GET /api/v1/cases"
);
id!(
    /// One event of the audit log.
    AuditEventId, "event", "`cordon audit list`"
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn ids_lie_between_the_floors_of_their_time_and_the_next() {
        for micros in [0, 999, 1_000, 1_767_225_600_123_456, (1_i64 << 47) * 1000] {
            let at = Timestamp::from_micros(micros);
            let id = DecisionId::new(at);
            assert_eq!(id.made_at().as_micros() / 1000, micros / 1000);
            assert!(DecisionId::floor(at) <= *id.as_bytes(), "{at}");
            assert!(*id.as_bytes() < DecisionId::floor(at + Duration::from_millis(1)), "{at}");
        }
    }
}
