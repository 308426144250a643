//! Compliance policies: what each kind of identity should be like, and whether one is.

use super::check::{Check, Value, compare_versions};
use super::standing::Standing;
use crate::inventory::identity::{Identity, IdentityKind};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a value must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// This.
    Is(Value),
    /// One of these.
    OneOf(Vec<Value>),
    /// This version or number, or a later or higher one.
    AtLeast(Value),
    /// This version or number, or an earlier or lower one.
    AtMost(Value),
    /// A list with none of these in it; with no names, an empty one.
    NoneOf(BTreeSet<Arc<str>>),
}

impl Condition {
    /// Whether `value` meets it. What cannot be compared does not.
    pub fn is_met(&self, value: &Value) -> bool {
        match self {
            Condition::Is(wanted) => value == wanted,
            Condition::OneOf(wanted) => wanted.contains(value),
            Condition::AtLeast(wanted) => compare(value, wanted).is_some_and(Ordering::is_ge),
            Condition::AtMost(wanted) => compare(value, wanted).is_some_and(Ordering::is_le),
            Condition::NoneOf(named) => match value {
                Value::List(found) if named.is_empty() => found.is_empty(),
                Value::List(found) => found.is_disjoint(named),
                _ => false,
            },
        }
    }
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => compare_versions(a, b),
        _ => None,
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |all: &[String]| all.join(", ");
        match self {
            Condition::Is(value) => write!(f, "{value}"),
            Condition::OneOf(values) => {
                write!(f, "one of {}", list(&values.iter().map(ToString::to_string).collect::<Vec<_>>()))
            }
            Condition::AtLeast(value) => write!(f, "{value} or more"),
            Condition::AtMost(value) => write!(f, "{value} or less"),
            Condition::NoneOf(named) if named.is_empty() => f.write_str("nothing"),
            Condition::NoneOf(named) => {
                write!(f, "none of {}", list(&named.iter().map(ToString::to_string).collect::<Vec<_>>()))
            }
        }
    }
}

/// How much a failing check matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is told, and access stays.
    Warning,
    /// It makes its identity non-compliant.
    Critical,
}

/// One thing that must be so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// What is checked.
    pub check: Check,
    /// What it must be.
    pub condition: Condition,
    /// How much it matters.
    pub severity: Severity,
    /// How long it may fail before it counts.
    pub grace: Duration,
    /// What its owner is told to do; else what the check itself says.
    pub remedy: Option<String>,
}

/// A named set of requirements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompliancePolicy {
    /// The name that decisions show.
    pub name: Arc<str>,
    /// Whom it is for; all kinds, if none is named.
    pub kinds: BTreeSet<&'static str>,
    /// Whom it is for: who is in one of these groups; everybody, if none is named.
    pub groups: BTreeSet<Arc<str>>,
    /// What must be so, no check twice.
    pub requirements: Vec<Requirement>,
}

impl CompliancePolicy {
    /// Whether it is for this identity.
    pub fn is_for(&self, identity: &Identity) -> bool {
        self.is_for_kind(identity.kind)
            && (self.groups.is_empty() || identity.groups.iter().any(|group| self.groups.contains(group)))
    }

    fn is_for_kind(&self, kind: IdentityKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(kind.as_str())
    }
}

/// The names of the software that is looked for on the hosts of this identity.
pub fn watched(policies: &[CompliancePolicy], identity: &Identity) -> BTreeSet<Arc<str>> {
    let mine = policies.iter().filter(|policy| policy.is_for(identity));
    let asked = mine.flat_map(|policy| &policy.requirements).filter(|r| r.check == Check::ForbiddenSoftware);
    let names = asked.filter_map(|requirement| match &requirement.condition {
        Condition::NoneOf(names) => Some(names.iter().cloned()),
        _ => None,
    });
    names.flatten().collect()
}

/// How an identity stands to all policies that are for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that is asked of it is so.
    Compliant,
    /// Something fails that does not count, or not yet.
    Warning,
    /// Something that matters is not known, or nothing is asked of it.
    Unknown,
    /// Something that matters fails.
    NonCompliant,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 4] = [Status::Compliant, Status::Warning, Status::Unknown, Status::NonCompliant];

    /// The name that rules and records use.
    pub const fn code(self) -> &'static str {
        match self {
            Status::Compliant => "compliant",
            Status::Warning => "warning",
            Status::Unknown => "unknown",
            Status::NonCompliant => "non_compliant",
        }
    }
}

/// One requirement that is not met.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// The policy that asks for it.
    pub policy: Arc<str>,
    /// The check.
    pub check: Check,
    /// How much it matters.
    pub severity: Severity,
    /// What was found; nothing if it is not known.
    pub found: Option<Value>,
    /// What it must be.
    pub wanted: String,
    /// Who said so.
    pub source: Option<String>,
    /// As of when; of what is not known, until when it was.
    pub at: Option<Timestamp>,
    /// Until when it does not count yet.
    pub grace_until: Option<Timestamp>,
    /// What to do.
    pub remedy: String,
}

/// How an identity stands, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verdict {
    /// The worst of all findings.
    pub status: Status,
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// The policies that were asked.
    pub policies: Vec<Arc<str>>,
    /// As of when something was reported last.
    pub reported: Option<Timestamp>,
    /// When it may come to another verdict though nothing is reported: a value grows stale, a grace ends.
    #[serde(skip)]
    pub until: Option<Timestamp>,
}

impl Verdict {
    /// The checks that fail and count.
    pub fn failing(&self) -> impl Iterator<Item = &Check> {
        self.findings.iter().filter(|f| f.found.is_some() && f.grace_until.is_none()).map(|f| &f.check)
    }

    /// Whether rules cannot tell this verdict from `other`.
    pub fn is_like(&self, other: &Verdict) -> bool {
        self.status == other.status
            && self.policies == other.policies
            && self.failing().eq(other.failing())
            && self.unknown().eq(other.unknown())
    }

    /// The checks of which nothing is known that holds.
    pub fn unknown(&self) -> impl Iterator<Item = &Check> {
        self.findings.iter().filter(|f| f.found.is_none()).map(|f| &f.check)
    }
}

/// Since when each check has failed; a grace begins there, and not at each new value.
pub type FailingSince = BTreeMap<Check, Timestamp>;

/// How `standing` is judged by the policies that are for its identity. `failing` remembers since when checks
/// fail, from one judgement to the next.
pub fn judge<'a>(
    policies: impl IntoIterator<Item = &'a CompliancePolicy>,
    standing: &Standing,
    failing: &mut FailingSince,
    now: Timestamp,
) -> Verdict {
    let mut verdict = Verdict {
        status: Status::Compliant,
        findings: Vec::new(),
        policies: Vec::new(),
        reported: standing.sources().map(|(_, at)| at).max(),
        until: None,
    };
    let mut still = FailingSince::new();
    for policy in policies {
        verdict.policies.push(policy.name.clone());
        for requirement in &policy.requirements {
            let seen = standing.of(&requirement.check, now);
            if let Some((seen, _)) = seen {
                verdict.changes_at(seen.until);
                if requirement.condition.is_met(&seen.value) {
                    continue;
                }
            }
            let mut finding = Finding {
                policy: policy.name.clone(),
                check: requirement.check.clone(),
                severity: requirement.severity,
                found: seen.map(|(seen, _)| seen.value.clone()),
                wanted: requirement.condition.to_string(),
                source: seen.map(|(_, source)| source.to_string()),
                at: seen.map(|(seen, _)| seen.at).or_else(|| standing.known_until(&requirement.check)),
                grace_until: None,
                remedy: requirement.remedy.clone().unwrap_or_else(|| requirement.check.remedy().to_owned()),
            };
            let status = match seen {
                None if requirement.severity == Severity::Critical => Status::Unknown,
                None => Status::Warning,
                Some((seen, _)) => {
                    let since = *failing.get(&requirement.check).unwrap_or(&seen.at);
                    still.insert(requirement.check.clone(), since);
                    let counts_from = since + requirement.grace;
                    if now < counts_from {
                        verdict.changes_at(counts_from);
                        finding.grace_until = Some(counts_from);
                    }
                    let counts = finding.grace_until.is_none() && requirement.severity == Severity::Critical;
                    if counts { Status::NonCompliant } else { Status::Warning }
                }
            };
            verdict.status = verdict.status.max(status);
            verdict.findings.push(finding);
        }
    }
    *failing = still;
    if verdict.policies.is_empty() {
        verdict.status = Status::Unknown;
    }
    verdict.findings.sort_by_key(|f| (f.grace_until.is_some(), std::cmp::Reverse(f.severity), f.found.is_none()));
    verdict
}

impl Verdict {
    fn changes_at(&mut self, at: Timestamp) {
        self.until = Some(self.until.map_or(at, |until| until.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdentityId;
    use crate::posture::report::{Observed, Report, Source};
    use serde_json::json;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(1_790_000_000 + secs)
    }

    fn standing(secs: i64, ttl_secs: u32, checks: &[(&str, serde_json::Value)]) -> Standing {
        let mut standing = Standing::default();
        take(&mut standing, secs, ttl_secs, checks);
        standing
    }

    fn take(standing: &mut Standing, secs: i64, ttl_secs: u32, checks: &[(&str, serde_json::Value)]) {
        let observed = |(name, value): &(&str, serde_json::Value)| {
            let check: Check = name.parse().unwrap();
            let value = check.value(value).unwrap();
            (check, Observed { value, ttl_secs })
        };
        let report = Report {
            identity: IdentityId::of_name("laptop-1"),
            source: Source::Endpoint,
            at: at(secs),
            checks: checks.iter().map(observed).collect(),
        };
        standing.take(&report, at(secs)).unwrap();
    }

    fn requirement(check: &str, condition: Condition, severity: Severity, grace: u64) -> Requirement {
        let check = check.parse().unwrap();
        Requirement { check, condition, severity, grace: Duration::from_secs(grace), remedy: None }
    }

    fn policy() -> CompliancePolicy {
        CompliancePolicy {
            name: "laptops".into(),
            kinds: BTreeSet::from(["device"]),
            groups: BTreeSet::new(),
            requirements: vec![
                requirement("firewall", Condition::Is(Value::Flag(true)), Severity::Critical, 0),
                requirement("patch_age_days", Condition::AtMost(Value::Number(30)), Severity::Critical, 100),
                requirement("secure_boot", Condition::Is(Value::Flag(true)), Severity::Warning, 0),
            ],
        }
    }

    const GOOD: [(&str, serde_json::Value); 2] = [("firewall", json_true()), ("secure_boot", json_true())];

    const fn json_true() -> serde_json::Value {
        serde_json::Value::Bool(true)
    }

    fn with_patches(days: i64) -> Vec<(&'static str, serde_json::Value)> {
        GOOD.into_iter().chain([("patch_age_days", json!(days))]).collect()
    }

    fn names<'a>(checks: impl Iterator<Item = &'a Check>) -> Vec<String> {
        checks.map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_missing_or_stale_is_unknown_and_a_failure_counts_for_more() {
        let policy = policy();
        let judge = |standing: &Standing, secs| judge([&policy], standing, &mut FailingSince::new(), at(secs));
        let none = judge(&Standing::default(), 0);
        assert_eq!((none.status, none.until), (Status::Unknown, None));
        assert_eq!(names(none.unknown()), ["firewall", "patch_age_days", "secure_boot"]);
        let good = standing(0, 600, &with_patches(3));
        let verdict = judge(&good, 1);
        assert_eq!((verdict.status, verdict.until, verdict.findings.len()), (Status::Compliant, Some(at(600)), 0));
        assert_eq!(judge(&good, 600).status, Status::Unknown);
        let off = standing(0, 600, &[("firewall", json!(false))]);
        let verdict = judge(&off, 1);
        assert_eq!(verdict.status, Status::NonCompliant);
        assert_eq!(names(verdict.failing()), ["firewall"]);
        assert_eq!((&*verdict.findings[0].wanted, verdict.findings[0].at), ("yes", Some(at(0))));
    }

    #[test]
    fn a_grace_begins_with_the_first_failure_and_not_with_each_report() {
        let policy = policy();
        let mut failing = FailingSince::new();
        let mut standing = standing(0, 600, &with_patches(31));
        let verdict = judge([&policy], &standing, &mut failing, at(0));
        assert_eq!((verdict.status, verdict.until), (Status::Warning, Some(at(100))));
        take(&mut standing, 90, 600, &with_patches(32));
        assert_eq!(judge([&policy], &standing, &mut failing, at(90)).status, Status::Warning);
        let verdict = judge([&policy], &standing, &mut failing, at(100));
        assert_eq!((verdict.status, verdict.until), (Status::NonCompliant, Some(at(690))));
        // Mended, and failing again: another grace.
        take(&mut standing, 200, 600, &with_patches(0));
        assert_eq!(judge([&policy], &standing, &mut failing, at(200)).status, Status::Compliant);
        take(&mut standing, 300, 600, &with_patches(40));
        assert_eq!(judge([&policy], &standing, &mut failing, at(300)).status, Status::Warning);
    }

    #[test]
    fn what_only_warns_never_makes_non_compliant() {
        let policy = policy();
        let mut checks = with_patches(1);
        checks[1] = ("secure_boot", json!(false));
        let verdict = judge([&policy], &standing(0, 600, &checks), &mut FailingSince::new(), at(1));
        assert_eq!((verdict.status, names(verdict.failing())), (Status::Warning, vec!["secure_boot".to_owned()]));
    }

    #[test]
    fn without_a_policy_nothing_is_known() {
        let verdict = judge([], &standing(0, 600, &with_patches(1)), &mut FailingSince::new(), at(1));
        assert_eq!(verdict.status, Status::Unknown);
    }

    #[test]
    fn conditions() {
        let text = |text: &str| Value::Text(text.into());
        let list = |all: &[&str]| Value::List(all.iter().map(|t| Arc::from(*t)).collect());
        let named = |all: &[&str]| all.iter().map(|t| Arc::from(*t)).collect::<BTreeSet<Arc<str>>>();
        for (condition, value, met) in [
            (Condition::AtLeast(text("14.6")), text("14.10.1"), true),
            (Condition::AtLeast(text("14.6")), text("13.9"), false),
            (Condition::AtMost(Value::Number(30)), Value::Number(30), true),
            (Condition::AtMost(Value::Number(30)), text("3"), false),
            (Condition::OneOf(vec![text("a"), text("b")]), text("b"), true),
            (Condition::OneOf(vec![]), text("b"), false),
            (Condition::NoneOf(named(&["tor"])), list(&["nmap"]), true),
            (Condition::NoneOf(named(&["tor"])), list(&["tor", "nmap"]), false),
            (Condition::NoneOf(named(&[])), list(&["nmap"]), false),
            (Condition::NoneOf(named(&[])), list(&[]), true),
            (Condition::NoneOf(named(&["tor"])), Value::Flag(true), false),
        ] {
            assert_eq!(condition.is_met(&value), met, "{condition}: {value}");
        }
    }
}
