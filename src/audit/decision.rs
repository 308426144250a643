//! The decision record: everything that is known about one attempt.

use super::course::Course;
use super::reason::Reason;
use crate::ids::{DecisionId, IdentityId};
use crate::session::names::{SessionNames, ssid_of};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;

/// The attribute that tells a VLAN (RFC 3580, section 3.31).
const VLAN: &str = "Tunnel-Private-Group-Id";
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct IdentityRef {
    /// The identity's id.
    pub id: IdentityId,
    /// Its name then; it may have been renamed since.
    pub name: String,
    /// Its kind in lower case: "user", "device", "machine", "agent", "service" or "model".
    pub kind: String,
}

/// One thing that the decision was based on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fact {
    /// What it is about, for example "certificate.issuer".
    pub name: Cow<'static, str>,
    /// What was known; null says that it was asked for and not known.
    pub value: serde_json::Value,
    /// Where it came from, for example "certificate", "inventory" or "request".
    pub source: Cow<'static, str>,
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
    /// How it was tried: "eap-tls", "mab", "acl-download" (a switch that asks for a list), or "unknown" when it did not get that far.
    pub method: String,
    /// The configured name of the NAS.
    pub nas_name: String,
    /// The address the request came from.
    pub nas_address: IpAddr,
    /// NAS-Port-Id, or else NAS-Port in digits.
    pub nas_port: Option<String>,
    /// By what the NAS names the session, so that it can be spoken of later.
    #[serde(default)]
    pub names: SessionNames,
    /// Calling-Station-Id as it was sent.
    pub calling_station: Option<String>,
    /// The endpoint's MAC address in the one normal spelling, "02-00-5E-00-00-01".
    pub mac: Option<String>,
    /// Called-Station-Id as it was sent.
    pub called_station: Option<String>,
    /// The name outside the tunnel: a hint for routing, proof of nothing.
    pub outer_identity: Option<String>,
    /// Who was recognised by credential, if anybody; where a certificate was
    /// refused as expired, revoked or not yet valid, whom it names.
    pub identity: Option<IdentityRef>,
    /// The authorization profile that was applied.
    pub profile: Option<String>,
    /// The ids of the policy rules that decided.
    pub policies: Vec<String>,
    /// Which revision of the policy was asked.
    pub policy_revision: String,
    /// All facts, whether or not a rule looked at them.
    #[serde(with = "grouped")]
    pub facts: Vec<Fact>,
    /// The reply's attributes as name and printable value; secrets are left out.
    pub reply: Vec<(String, String)>,
    /// What was let pass but deserves attention, such as an outdated CRL.
    pub warnings: Vec<String>,
    /// How many requests the NAS sent for it, without retransmissions.
    pub rounds: u32,
    /// Microseconds from the first request to the last, waiting for the peer included.
    pub duration_us: u64,
    /// What came and what was answered, round by round; empty where there is one round.
    #[serde(default, skip_serializing_if = "Course::is_empty")]
    pub course: Course,
    /// The Class attribute that was sent (see [`class_of`]); the NAS returns it with accounting.
    pub class: Option<String>,
    /// Whether it was carried out. If not, the NAS is only observed: the endpoint
    /// was let in without a profile, and this is what would have happened.
    #[serde(default = "carried_out", skip_serializing_if = "is_carried_out")]
    pub enforced: bool,
}

impl Decision {
    /// The wireless network that was asked from.
    pub fn ssid(&self) -> Option<&str> {
        self.called_station.as_deref().and_then(ssid_of)
    }

    /// The VLAN that was granted, as the NAS was told it, without the tag that groups attributes (RFC 2868, section 3.6).
    pub fn vlan(&self) -> Option<&str> {
        let (_, value) = self.reply.iter().find(|(name, _)| name == VLAN)?;
        Some(value.split_once(" (tag ").map_or(value.as_str(), |(vlan, _)| vlan))
    }
}

fn carried_out() -> bool {
    true
}

/// Serde's form: it asks by reference.
fn is_carried_out(enforced: &bool) -> bool {
    *enforced
}

/// Facts as they are stored: neighbours of one source and time share them, which
/// makes a record a third as long as it would be with each on its own.
mod grouped {
    use super::{Cow, Fact, Timestamp};
    use serde::de::Error as _;
    use serde::ser::{Error as _, SerializeMap, SerializeSeq};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::{Map, Value};

    struct Members<'a>(&'a [Fact]);

    impl Serialize for Members<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.0.len()))?;
            for fact in self.0 {
                map.serialize_entry(&fact.name, &fact.value)?;
            }
            map.end()
        }
    }

    pub(super) fn serialize<S: Serializer>(facts: &[Fact], serializer: S) -> Result<S::Ok, S::Error> {
        let mut groups = serializer.serialize_seq(None)?;
        for group in facts.chunk_by(|a, b| a.source == b.source && a.at == b.at) {
            let first = group.first().ok_or_else(|| S::Error::custom("an empty group"))?;
            groups.serialize_element(&(&first.source, first.at.as_micros(), Members(group)))?;
        }
        groups.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Fact>, D::Error> {
        let groups = Vec::<(String, i64, Map<String, Value>)>::deserialize(deserializer)?;
        let mut facts = Vec::new();
        for (source, at, members) in groups {
            if members.is_empty() {
                return Err(D::Error::custom("an empty group of facts"));
            }
            let source = Cow::<'static, str>::from(source);
            facts.extend(members.into_iter().map(|(name, value)| Fact {
                name: name.into(),
                value,
                source: source.clone(),
                at: Timestamp::from_micros(at),
            }));
        }
        Ok(facts)
    }
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
    fn facts_are_stored_in_groups_and_read_as_they_were() {
        #[derive(PartialEq, Debug, Serialize, Deserialize)]
        struct Record(#[serde(with = "grouped")] Vec<Fact>);
        let fact = |name: &'static str, source: &'static str, secs| Fact {
            name: name.into(),
            value: serde_json::json!([name]),
            source: source.into(),
            at: Timestamp::from_unix_secs(secs),
        };
        let record = Record(vec![fact("a", "nas", 1), fact("b", "nas", 1), fact("c", "nas", 2), fact("d", "clock", 2)]);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            text,
            r#"[["nas",1000000,{"a":["a"],"b":["b"]}],["nas",2000000,{"c":["c"]}],["clock",2000000,{"d":["d"]}]]"#
        );
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }

    #[test]
    fn class_leads_back_to_the_decision() {
        let id = DecisionId::new(Timestamp::from_unix_secs(1_764_000_000));
        let class = class_of(id);
        assert!(class.len() <= 253, "one attribute");
        assert_eq!(decision_of_class(class.as_bytes()), Some(id));
    }

    #[test]
    fn foreign_classes_are_no_link() {
        for class in [&b""[..], b"cordon:", b"cordon:x", b"\xff\xfe", b"other:0190b4e2-0000-7000-8000-000000000000"] {
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
