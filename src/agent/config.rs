//! `/etc/cordon-agent.toml`.

use super::collect::Host;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Intervals are between these, in seconds: below, a server of many hosts would hear nothing else; above, values would grow
/// stale between two reports.
const INTERVAL_SECS: std::ops::RangeInclusive<u64> = 30..=86_400;
/// Looks are between these, in seconds.
const LOOK_SECS: std::ops::RangeInclusive<u64> = 1..=3_600;

/// What the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the server is: `https://radius.corp.example:8444`.
    pub server: String,
    /// Its address, where names cannot be looked up, as in a quarantine VLAN.
    pub address: Option<SocketAddr>,
    /// PEM: the CAs of which one has issued the server's certificate.
    pub ca: PathBuf,
    /// PEM: the host's certificate, which it logs in with. Renewed, it is written anew.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
    /// Where it keeps what was not told, and what it was told.
    #[serde(default = "state_dir")]
    pub state_dir: PathBuf,
    /// The file system that is looked at.
    #[serde(default = "root")]
    pub root: PathBuf,
    /// Reports at least so often, in seconds, a fifth sooner or later.
    #[serde(default = "interval_secs")]
    interval_secs: u64,
    /// Looks so often whether something has changed, in seconds.
    #[serde(default = "look_secs")]
    look_secs: u64,
    /// Whether it renews the certificate, when a third of its life is left.
    #[serde(default = "yes")]
    pub renew: bool,
    /// A program with its arguments that is run after the certificate was renewed, such as `["wpa_cli", "reconfigure"]`.
    #[serde(default)]
    pub after_renewal: Vec<String>,
}

fn state_dir() -> PathBuf {
    "/var/lib/cordon-agent".into()
}

fn root() -> PathBuf {
    "/".into()
}

const fn interval_secs() -> u64 {
    300
}

const fn look_secs() -> u64 {
    10
}

const fn yes() -> bool {
    true
}

impl Settings {
    /// Reads the file; paths in it are relative to where it lies.
    ///
    /// # Errors
    /// What is wrong with it, where, and what to do.
    pub fn load(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|e| {
            format!(
                "{}: {e}\n  -> name the configuration by --config; docs/agent.md says what is in it",
                file.display()
            )
        })?;
        let mut settings: Settings = toml::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        let wrong = |key: &str, what: &str| Err(format!("{}: {key} {what}", file.display()));
        if !settings.server.starts_with("https://") {
            return wrong(
                "server",
                "is no address that begins with https://\n  -> such as \"https://radius.corp.example:8444\"",
            );
        }
        settings.server.truncate(settings.server.trim_end_matches('/').len());
        for (key, value, range) in
            [("interval_secs", settings.interval_secs, INTERVAL_SECS), ("look_secs", settings.look_secs, LOOK_SECS)]
        {
            if !range.contains(&value) {
                return wrong(key, &format!("is {value}\n  -> from {} to {}", range.start(), range.end()));
            }
        }
        let at = file.parent().unwrap_or(Path::new(".")).to_owned();
        for path in [
            &mut settings.ca,
            &mut settings.certificate,
            &mut settings.key,
            &mut settings.state_dir,
            &mut settings.root,
        ] {
            *path = at.join(&*path);
        }
        Ok(settings)
    }

    /// How often it reports at least.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_secs)
    }

    /// How often it looks.
    pub fn look(&self) -> Duration {
        Duration::from_secs(self.look_secs)
    }

    /// The host that it looks at.
    pub fn host(&self) -> Host {
        Host { root: self.root.clone(), certificate: self.certificate.clone() }
    }
}
