//! `[risk]`: what signals weigh, and how those of other systems are read.

use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// `[risk]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskSection {
    /// The score from which the level is medium.
    pub medium: Option<Spanned<f64>>,
    /// The score from which the level is high.
    pub high: Option<Spanned<f64>>,
    /// How far below a threshold the score must be for the level to fall.
    pub hysteresis: Option<Spanned<f64>>,
    /// By kind of signal, what one of severity `high` weighs, in points.
    pub weights: BTreeMap<Spanned<String>, Spanned<f64>>,
    /// By kind of signal, after how many seconds it weighs half as much.
    pub half_life_secs: BTreeMap<Spanned<String>, Spanned<u64>>,
    /// In how many seconds nobody gets from one site to another.
    pub travel_secs: Option<Spanned<u64>>,
    /// Webhooks of other systems.
    pub hook: Vec<HookSection>,
}

/// `[[risk.hook]]`: pointers (RFC 6901) into the JSON that another system sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookSection {
    /// The name in its URL, which is the source of its signals.
    pub name: Spanned<String>,
    /// By pointer, what an event must have there; others are passed over.
    #[serde(default)]
    pub only: BTreeMap<Spanned<String>, String>,
    /// Where the id is.
    pub id: Option<Spanned<String>>,
    /// Where the time is.
    pub at: Option<Spanned<String>>,
    /// Where the name of the identity is.
    pub identity: Option<Spanned<String>>,
    /// Where the MAC address is.
    pub mac: Option<Spanned<String>>,
    /// Where IP addresses are, the likeliest first.
    #[serde(default)]
    pub ip: Vec<Spanned<String>>,
    /// Where the kind is.
    pub kind: Option<Spanned<String>>,
    /// What its values mean.
    #[serde(default)]
    pub kinds: BTreeMap<String, Spanned<String>>,
    /// The kind of what has none.
    pub default_kind: Option<Spanned<String>>,
    /// Where the severity is.
    pub severity: Option<Spanned<String>>,
    /// What its values mean.
    #[serde(default)]
    pub severities: BTreeMap<String, Spanned<String>>,
    /// The severity of what has none.
    pub default_severity: Option<Spanned<String>>,
    /// Where that is by which the same is known again.
    pub topic: Option<Spanned<String>>,
    /// Where the words are.
    pub detail: Option<Spanned<String>>,
    /// Evidence, by name, and where it is.
    #[serde(default)]
    pub evidence: BTreeMap<String, Spanned<String>>,
}
