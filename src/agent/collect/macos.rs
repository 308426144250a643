//! macOS: what its own programs say. Secure boot and anti-malware are not asked for: no program tells them to others.

use super::{Host, days_since_changed, flag, of_text, output, values};
use crate::posture::check::{Check, Value};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Where updates of the system and of its packages leave their receipts.
const RECEIPTS: [&str; 2] = ["var/db/receipts", "Library/Receipts/InstallHistory.plist"];
const FIREWALL: &str = "/usr/libexec/ApplicationFirewall/socketfilterfw";

pub(super) fn collect(host: &Host, now: Timestamp) -> BTreeMap<Check, Value> {
    let patched = RECEIPTS.iter().filter_map(|path| days_since_changed(&host.path(path), now)).min();
    let version = output("sw_vers", &["-productVersion"]);
    values([
        (Check::DiskEncryption, flag(output("fdesetup", &["status"]).and_then(|said| file_vault(&said)))),
        (Check::Firewall, flag(output(FIREWALL, &["--getglobalstate"]).and_then(|said| firewall(&said)))),
        (Check::OsFamily, Some(Value::Text("macos".into()))),
        (Check::OsVersion, version.and_then(|version| of_text(&Check::OsVersion, &version))),
        (Check::PatchAgeDays, patched.map(Value::Number)),
    ])
}

fn file_vault(said: &str) -> Option<bool> {
    // While it is being switched on or off, not all is encrypted.
    let first = said.lines().next()?.trim();
    match first {
        "FileVault is On." => Some(!said.contains("in progress")),
        "FileVault is Off." => Some(false),
        _ => None,
    }
}

fn firewall(said: &str) -> Option<bool> {
    let state = said.split("State = ").nth(1)?.chars().next()?;
    state.is_ascii_digit().then_some(state != '0')
}

/// Names of the applications that are installed.
pub(super) fn software(host: &Host) -> BTreeSet<String> {
    let entries = fs::read_dir(host.path("Applications")).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".app")?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_its_programs_say() {
        assert_eq!(file_vault("FileVault is On.\n"), Some(true));
        assert_eq!(file_vault("FileVault is Off.\n"), Some(false));
        assert_eq!(file_vault("FileVault is On.\nDecryption in progress: Percent completed = 12\n"), Some(false));
        assert_eq!(file_vault("Error: Unable to unlock\n"), None);
        assert_eq!(firewall("Firewall is enabled. (State = 1)\n"), Some(true));
        assert_eq!(firewall("Firewall is blocking all non-essential incoming connections. (State = 2)\n"), Some(true));
        assert_eq!(firewall("Firewall is disabled. (State = 0)\n"), Some(false));
        assert_eq!(firewall(""), None);
    }
}
