//! What is found of a host. What cannot be told is left out: it is unknown, and not well.

mod firewall;
mod linux;
mod macos;
mod windows;

use crate::config::authority::facts_of;
use crate::posture::check::{Check, MAX_LIST, Value};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The longest file that is read whole, in octets: `dpkg`'s list of a workstation is some millions.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// The most that a program may print, in octets: a set of rules of tens of thousands.
const MAX_OUTPUT: u64 = 32 * 1024 * 1024;
/// How often it is looked whether a program has ended.
const STEP: Duration = Duration::from_millis(5);
/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Seconds of a day.
const DAY_SECS: u64 = 86_400;

/// A host to look at.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its file system; programs are those of the system, and tell of it.
    pub root: PathBuf,
    /// Its certificate.
    pub certificate: PathBuf,
}

impl Host {
    /// A file below the root.
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A file's text, if it is there and no longer than any should be.
    fn text(&self, path: &str) -> Option<String> {
        text(&self.path(path))
    }
}

/// All that can be told, looking for the software that is `watched`.
pub fn collect(host: &Host, watched: &BTreeSet<Arc<str>>, now: Timestamp) -> BTreeMap<Check, Value> {
    let mut found = match std::env::consts::OS {
        "macos" => macos::collect(host, now),
        "windows" => windows::collect(now),
        _ => linux::collect(host, now),
    };
    if !watched.is_empty() {
        let names = match std::env::consts::OS {
            "macos" => macos::software(host),
            "windows" => windows::software(),
            _ => linux::software(host, watched),
        };
        let found_of = watched.iter().filter(|name| names.contains(&***name)).take(MAX_LIST).cloned();
        found.insert(Check::ForbiddenSoftware, Value::List(found_of.collect()));
    }
    let certificate = fs::read(&host.certificate).ok().and_then(|pem| facts_of(&pem).ok());
    if let Some(facts) = certificate {
        let days = i64::try_from(facts.not_after.since(now).as_secs() / DAY_SECS).unwrap_or(i64::MAX);
        found.insert(Check::CertificateDaysLeft, Value::Number(days));
    }
    found
}

/// What was found, one after the other; what cannot be told is not there.
fn values(all: impl IntoIterator<Item = (Check, Option<Value>)>) -> BTreeMap<Check, Value> {
    all.into_iter().filter_map(|(check, value)| Some((check, value?))).collect()
}

fn flag(flag: Option<bool>) -> Option<Value> {
    flag.map(Value::Flag)
}

/// The text as a value of this check, if it has its form.
fn of_text(check: &Check, text: &str) -> Option<Value> {
    check.value(&text.trim().into()).ok()
}

fn text(path: &Path) -> Option<String> {
    let file = fs::File::open(path).ok()?;
    let mut octets = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut octets).ok()?;
    Some(String::from_utf8_lossy(&octets).into_owned())
}

/// Whole days since this file or directory was changed.
fn days_since_changed(path: &Path, now: Timestamp) -> Option<i64> {
    let changed = fs::metadata(path).ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let secs = now.unix_secs().saturating_sub(i64::try_from(changed.as_secs()).ok()?).max(0);
    Some(secs / i64::try_from(DAY_SECS).ok()?)
}

/// What a program prints that succeeds within five seconds.
fn output(program: &str, args: &[&str]) -> Option<String> {
    output_within(program, args, PATIENCE)
}

/// What a program prints that succeeds within that time.
fn output_within(program: &str, args: &[&str], patience: Duration) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // What it says is read by programs.
    let mut child = command.env("LC_ALL", "C").spawn().ok()?;
    let out = child.stdout.take()?;
    // It would wait for ever to be rid of what nobody reads.
    let reader = std::thread::spawn(move || {
        let mut octets = Vec::new();
        out.take(MAX_OUTPUT).read_to_end(&mut octets).ok()?;
        Some(octets)
    });
    for _ in 0..patience.as_millis() / STEP.as_millis() {
        match child.try_wait().ok()? {
            Some(status) => {
                let octets = reader.join().ok()??;
                return status.success().then(|| String::from_utf8_lossy(&octets).into_owned());
            }
            None => std::thread::sleep(STEP),
        }
    }
    tracing::warn!(program, ?patience, "was ended, since it did not end in time");
    let _ = child.kill();
    let _ = child.wait();
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_or_fails_tells_nothing() {
        assert_eq!(output("printf", &["%s", "well"]).as_deref(), Some("well"));
        assert_eq!(output("false", &[]), None);
        assert_eq!(output("there-is-no-such-program", &[]), None);
        assert_eq!(output("sleep", &["60"]), None);
    }
}
