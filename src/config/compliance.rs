//! `[[compliance]]`: what identities should be like.

use crate::posture::compliance::Severity;
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

/// `[[compliance]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplianceSection {
    /// The name that decisions show.
    pub name: Spanned<String>,
    /// Whom it is for: kinds of identities; all, if none is named.
    #[serde(default)]
    pub kinds: Vec<Spanned<String>>,
    /// Whom it is for: members of these groups; everybody, if none is named.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What must be so.
    pub checks: Vec<Spanned<RequirementSection>>,
}

/// One of `checks`: exactly one condition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequirementSection {
    /// The name of the check.
    pub check: String,
    /// The value that it must have.
    pub is: Option<Value>,
    /// The values of which it must have one.
    pub one_of: Option<Vec<Value>>,
    /// The lowest number, or the earliest version.
    pub at_least: Option<Value>,
    /// The highest number, or the latest version.
    pub at_most: Option<Value>,
    /// What its list must not hold; with `[]`, it must be empty.
    pub none_of: Option<Vec<String>>,
    /// `critical` (unless said otherwise) or `warning`.
    #[serde(default = "critical")]
    pub severity: Severity,
    /// How long it may fail before it counts, in seconds.
    #[serde(default)]
    pub grace_secs: u64,
    /// What its owner is told to do.
    pub remedy: Option<String>,
}

fn critical() -> Severity {
    Severity::Critical
}
