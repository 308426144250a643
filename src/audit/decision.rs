//! The decision record: everything that is known about one attempt.

use super::reason::Reason;
use crate::ids::{DecisionId, IdentityId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a Class attribute of ours begins with; the decision's id follows as text.
const CLASS_PREFIX: &str = "cordon:";

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecisionOutcome {
    /// An Access-Accept was sent.
    Accept,
    /// An Access-Reject was sent.
    Reject,
    /// It was never finished: the peer went away, or we could not answer.
    Incomplete,
}

impl DecisionOutcome {
    /// All outcomes.
    pub const ALL: [DecisionOutcome; 3] = [Self::Accept, Self::Reject, Self::Incomplete];

    /// The name that is stored, filtered by and counted.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Incomplete => "incomplete",
        }
    }

    /// The outcome with this [`code`](Self::code), if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.code() == code)
    }
}

/// Who was recognised, as it was at the time of the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRef {
    /// The identity's id.
    pub id: IdentityId,
    /// Its name then; it may have been renamed since.
    pub name: String,
    /// Its kind in lower case: "user", "device", "machine", "agent", "service" or "model".
    pub kind: String,
}

/// One thing that the decision was based on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about, for example "certificate.issuer".
    pub name: String,
    /// What was known; null says that it was asked for and not known.
    pub value: serde_json::Value,
    /// Where it came from, for example "certificate", "inventory" or "request".
    pub source: String,
    /// When it was true, so that its age at the decision can be told.
    pub at: Timestamp,
}

/// One attempt to get on the network: what was known, what was decided and
/// why, and what was answered. Written once and never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The attempt's id, also the key of the record: the same id is stored once.
    pub id: DecisionId,
    /// When it was decided.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: DecisionOutcome,
    /// Why, out of the closed list.
    pub reason: Reason,
    /// What is particular to this attempt: names, dates, alerts. May be empty.
    pub detail: String,
    /// How it was tried: "eap-tls", "mab", or "unknown" when it did not get that far.
    pub method: String,
    /// The configured name of the NAS.
    pub nas_name: String,
    /// The address the request came from.
    pub nas_address: IpAddr,
    /// NAS-Port-Id, or else NAS-Port in digits.
    pub nas_port: Option<String>,
    /// Calling-Station-Id as it was sent.
    pub calling_station: Option<String>,
    /// The endpoint's MAC address in the one normal spelling, "02-00-5E-00-00-01".
    pub mac: Option<String>,
    /// Called-Station-Id as it was sent.
    pub called_station: Option<String>,
    /// The name outside the tunnel: a hint for routing, proof of nothing.
    pub outer_identity: Option<String>,
    /// Who was recognised by credential, if anybody.
    pub identity: Option<IdentityRef>,
    /// The authorization profile that was applied.
    pub profile: Option<String>,
    /// The ids of the policy rules that decided.
    pub policies: Vec<String>,
    /// Which revision of the policy was asked.
    pub policy_revision: String,
    /// All facts, whether or not a rule looked at them.
    pub facts: Vec<Fact>,
    /// The reply's attributes as name and printable value; secrets are left out.
    pub reply: Vec<(String, String)>,
    /// What was let pass but deserves attention, such as an outdated CRL.
    pub warnings: Vec<String>,
    /// How many requests the NAS sent for it, without retransmissions.
    pub rounds: u32,
    /// Microseconds of this server's own work, without waiting for the peer.
    pub duration_us: u64,
    /// The Class attribute that was sent (see [`class_of`]); the NAS returns it with accounting.
    pub class: Option<String>,
}

/// The Class attribute (RFC 2865 section 5.25) that links a session's
/// accounting to the decision that let it in. It holds nothing secret.
pub fn class_of(decision: DecisionId) -> String {
    format!("{CLASS_PREFIX}{decision}")
}

/// The decision that a Class attribute names; `None` if the Class is not ours.
/// Anybody who can send accounting can name any decision, so this is a link to
/// follow, never a proof.
pub fn decision_of_class(class: &[u8]) -> Option<DecisionId> {
    let text = std::str::from_utf8(class).ok()?;
    text.strip_prefix(CLASS_PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_leads_back_to_the_decision() {
        let id = DecisionId::new(Timestamp::from_unix_secs(1_764_000_000));
        let class = class_of(id);
        assert!(class.len() <= 253, "one attribute");
        assert_eq!(decision_of_class(class.as_bytes()), Some(id));
    }

    #[test]
    fn foreign_classes_are_no_link() {
        for class in [
            &b""[..],
            b"cordon:",
            b"cordon:x",
            b"\xff\xfe",
            b"other:0190b4e2-0000-7000-8000-000000000000",
        ] {
            assert_eq!(decision_of_class(class), None);
        }
    }

    #[test]
    fn outcomes_are_spelled_one_way() {
        for outcome in DecisionOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.code());
            assert_eq!(DecisionOutcome::from_code(outcome.code()), Some(outcome));
        }
    }
}
