//! The configuration file: typed, documented, and strict.
//!
//! [`Config::parse`] checks the form; [`build`] turns it into what the server
//! runs on and checks the meaning. Each error names the file, the line, what is
//! wrong and what to do.

pub mod apply;
pub mod audit;
pub mod authority;
pub mod build;
pub mod compliance;
pub mod database;
pub mod document;
pub mod files;
mod form;
mod host;
pub mod import;
pub mod live;
mod objects;
pub mod playbook;
pub mod revision;
pub mod risk;
pub mod secrets;
pub mod settings;
pub mod shared_signals;
pub mod smtp;
pub mod stored;
pub mod telemetry;
pub mod token;

use crate::policy::engine::{Policy, PolicyError};
use crate::policy::lint::Finding;
pub use host::*;
pub use objects::*;

use compliance::ComplianceSection;
use document::{BindingSection, GroupSection, SiteSection};
use playbook::PlaybookSection;
use serde::Deserialize;
use smtp::SmtpSection;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners and limits.
    #[serde(default)]
    pub server: ServerSection,
    /// Where records and the inventory are kept.
    #[serde(default)]
    pub database: DatabaseSection,
    /// How long records are kept.
    #[serde(default)]
    pub retention: RetentionSection,
    /// The audit log.
    #[serde(default)]
    pub audit: AuditSection,
    /// The HTTP API.
    #[serde(default)]
    pub http: HttpSection,
    /// What is told of the server's own work.
    #[serde(default)]
    pub telemetry: TelemetrySection,
    /// By which mail server people are told.
    pub smtp: Option<SmtpSection>,
    /// The server's certificate and the TLS versions.
    pub tls: TlsSection,
    /// Who administers the server.
    #[serde(default)]
    pub operators: OperatorsSection,
    /// A provider of identities that vouches for operators.
    pub oidc: Option<Spanned<OidcSection>>,
    /// The server's own CA.
    #[serde(default)]
    pub pki: PkiSection,
    /// How endpoints report for themselves.
    #[serde(default)]
    pub posture: PostureSection,
    /// The page that NASes send browsers to.
    #[serde(default)]
    pub recheck: RecheckSection,
    /// RADIUS over TLS.
    #[serde(default)]
    pub radsec: RadsecSection,
    /// Certificate authorities whose clients are let in.
    #[serde(default)]
    pub ca: Vec<CaSection>,
    /// The policy file.
    #[serde(default)]
    pub policy: PolicySection,
    /// How sessions are changed while they last.
    #[serde(default)]
    pub changes: ChangesSection,
    /// What signals weigh, and how those of other systems are read.
    #[serde(default)]
    pub risk: risk::RiskSection,
    /// Who tells what they know by Shared Signals.
    #[serde(default)]
    pub ssf: shared_signals::SharedSignalsSection,
    /// What a rule can grant.
    #[serde(default)]
    pub profile: Vec<ProfileSection>,
    /// What identities should be like.
    #[serde(default)]
    pub compliance: Vec<ComplianceSection>,
    /// What is done against somebody by itself.
    #[serde(default)]
    pub playbook: Vec<PlaybookSection>,
    /// The switches and controllers that may ask.
    #[serde(default)]
    pub nas: Vec<NasSection>,
    /// Places.
    #[serde(default)]
    pub site: Vec<SiteSection>,
    /// Groups of identities.
    #[serde(default)]
    pub group: Vec<GroupSection>,
    /// How certificates name identities.
    #[serde(default)]
    pub binding: Vec<BindingSection>,
    /// Who is known.
    #[serde(default)]
    pub identity: Vec<IdentitySection>,
}

/// What is wrong with a configuration, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl ConfigError {
    /// A policy's error, in its file.
    pub fn in_policy(file: &Path, error: PolicyError) -> Self {
        let PolicyError { line, message, remedy, .. } = error;
        Self { file: file.to_owned(), line: Some(line), message, remedy }
    }

    /// A finding about a rule of the policy in `file`.
    pub fn of_finding(file: &Path, policy: &Policy, finding: Finding) -> Self {
        let Finding { rule, message, remedy, .. } = finding;
        Self { file: file.to_owned(), line: policy.line_of(&rule), message, remedy }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.remedy.is_empty() {
            write!(f, "\n  -> {}", self.remedy)?;
        }
        Ok(())
    }
}

/// A configuration file's text, to tell lines by.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// An error at a place in this file. An empty span stands for a default
    /// value, which has no line.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) -> ConfigError {
        // The text of a YAML file is what it became as TOML: its lines are others.
        let known = span.end > 0 && !document::is_yaml(&self.file);
        let line = known.then(|| line_of(&self.text, span.start));
        ConfigError { file: self.file.clone(), line, message: message.into(), remedy: remedy.into() }
    }

    /// A path as written in this file: relative ones start where the file is.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

impl Config {
    /// Reads the form of a configuration.
    ///
    /// # Errors
    /// What is wrong and where: syntax, an unknown key, a value of another type.
    pub fn parse(source: &Source) -> Result<Config, ConfigError> {
        toml::from_str(&source.text).map_err(|e| form::error(source, &e, "see docs/configuration.md for every key"))
    }

    /// Reads the file and its form.
    ///
    /// # Errors
    /// When it cannot be read, and as [`Config::parse`].
    pub fn load(file: &Path) -> Result<(Config, Source), ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError {
            file: file.to_owned(),
            line: None,
            message: format!("cannot be read: {e}"),
            remedy: "`cordon init` makes one with all that it needs; --config names another".into(),
        })?;
        let source = Source { file: file.to_owned(), text };
        Ok((Config::parse(&source)?, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(&Source { file: "cordon.toml".into(), text: text.into() })
    }

    #[test]
    fn errors_name_the_line() {
        let text = "[tls]\ncertificate = \"a\"\nkey = \"b\"\n\n[server]\nworkers = \"two\"\n";
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, Some(6), "{error}");
        let error = parse("[tls]\ncertificate = \"a\"\nkey = \"b\"\ncolour = 1\n").unwrap_err();
        assert_eq!(error.line, Some(4), "{error}");
        assert!(error.to_string().contains("colour"), "{error}");
    }

    #[test]
    fn a_minimal_file_is_enough() {
        let config = parse("[tls]\ncertificate = \"a\"\nkey = \"b\"\n").unwrap();
        assert_eq!(config.server.auth[0].port(), 1812);
        assert!(config.http.listen.get_ref().ip().is_loopback());
        assert!(config.nas.is_empty(), "nobody may ask until it is said who");
    }
}
