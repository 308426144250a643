//! `[[playbook]]`: what is done against somebody by itself.

use crate::playbooks::playbook::{Mode, Step};
use crate::signals::risk::Level;
use crate::signals::signal::Severity;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// `[[playbook]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookSection {
    /// The name that runs show.
    pub name: Spanned<String>,
    /// What it is for, for people.
    pub description: Option<String>,
    /// `on` (unless said otherwise), `dry_run` or `off`.
    #[serde(default)]
    pub mode: Mode,
    /// What sets it off.
    pub when: Spanned<WhenSection>,
    /// Whom it is for: kinds of identities; all, if none is named.
    #[serde(default)]
    pub kinds: Vec<Spanned<String>>,
    /// Whom it is for: members of these groups; everybody, if none is named.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whom it is for: whose attributes have these values.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Whom it is for: who has a session at one of these sites; all, if none is named.
    #[serde(default)]
    pub sites: Vec<String>,
    /// What is done, one after the other.
    pub steps: Vec<Spanned<Step>>,
    /// When it is taken back: `recovered` (unless said otherwise) or `by_hand`.
    pub release: Option<Spanned<String>>,
    /// A risk below this level is recovery.
    pub release_below: Option<Level>,
    /// It is taken back after so many seconds, whatever the cause.
    pub release_after_secs: Option<Spanned<u64>>,
    /// Runs within the window before an operator is asked.
    pub max_runs: Option<Spanned<u64>>,
    /// The same in percent of all sessions that go on.
    pub max_percent: Option<Spanned<u8>>,
    /// The window, in seconds.
    pub window_secs: Option<Spanned<u64>>,
}

/// `when` of a playbook: one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WhenSection {
    /// Kinds of signals.
    pub signals: Option<Vec<Spanned<String>>>,
    /// With `signals`: how bad one must be at least; `low`, if it is not said.
    pub severity: Option<Severity>,
    /// A level of risk, or a higher one.
    pub risk: Option<Level>,
    /// `non_compliant`.
    pub posture: Option<Spanned<String>>,
    /// Checks of which one fails.
    pub checks: Option<Vec<Spanned<String>>>,
}
