//! `[ssf]`: Shared Signals, from other systems that tell what they know, and to those who may be told.

use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

/// `[ssf]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedSignalsSection {
    /// Hosts that streams may have events pushed to.
    pub receivers: Vec<Spanned<String>>,
    /// Who tells.
    pub transmitter: Vec<TransmitterSection>,
}

/// `[[ssf.transmitter]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransmitterSection {
    /// The name in its URL, which is the source of its signals.
    pub name: Spanned<String>,
    /// Its issuer.
    pub issuer: Spanned<String>,
    /// What it calls this server.
    pub audience: Spanned<Vec<String>>,
    /// Where its keys are; else its own description says.
    pub jwks_uri: Option<Spanned<String>>,
    /// Or a file that holds them, as a JSON Web Key Set.
    pub jwks_file: Option<Spanned<PathBuf>>,
    /// PEM: whose certificate it has, if the system does not trust it.
    pub ca: Option<Spanned<PathBuf>>,
    /// A file with the token that it shows when it pushes.
    pub push_token_file: Option<Spanned<PathBuf>>,
    /// Where it is asked for events.
    pub poll_endpoint: Option<Spanned<String>>,
    /// A file with the token that is shown there.
    pub poll_token_file: Option<Spanned<PathBuf>>,
    /// Whose names for subjects are believed, besides its own.
    #[serde(default)]
    pub subject_issuers: Vec<String>,
    /// Whether names are believed of which no issuer is said.
    #[serde(default)]
    pub opaque_subjects: bool,
    /// What is acted on; everything, if it is not said.
    pub events: Option<Vec<Spanned<String>>>,
    /// What its signals weigh at most.
    pub severity_at_most: Option<Spanned<String>>,
    /// What becomes of sessions that it ends: `disconnect`, `reauthenticate` or `no`.
    pub end_sessions: Option<Spanned<String>>,
    /// Whether what it tells of a user is true of what they own, too.
    #[serde(default)]
    pub owned: bool,
}
