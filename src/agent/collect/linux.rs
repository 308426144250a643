//! Linux: files of `/proc`, `/sys`, `/etc` and the package managers.

use super::{Host, days_since_changed, firewall, flag, of_text, output, text, values};
use crate::posture::check::{Check, Value};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The UEFI variables of global use (UEFI, section 3.3), with their vendor's GUID.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// What package managers change when they install something.
const PACKAGES: [&str; 5] = [
    "var/lib/dpkg/info",
    "var/lib/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "var/lib/pacman/local",
    "lib/apk/db/installed",
];
/// Signatures of ClamAV; one of them is what is updated daily.
const SIGNATURES: [&str; 2] = ["var/lib/clamav/daily.cld", "var/lib/clamav/daily.cvd"];
/// Days after which signatures are out of date.
const SIGNATURE_DAYS: i64 = 7;
/// Block devices below one another: file system, LVM, LUKS, RAID, partition.
const MAX_DEPTH: u32 = 8;
/// The longest name that the kernel keeps of a process, in octets (`TASK_COMM_LEN` without its end).
const MAX_COMM: usize = 15;

pub(super) fn collect(host: &Host, now: Timestamp) -> BTreeMap<Check, Value> {
    let patched = PACKAGES.iter().filter_map(|path| days_since_changed(&host.path(path), now)).min();
    values([
        (Check::DiskEncryption, flag(disk_encryption(host))),
        (Check::Firewall, flag(firewall::is_on(host))),
        (Check::OsFamily, Some(Value::Text("linux".into()))),
        (Check::OsVersion, os_version(host)),
        (Check::PatchAgeDays, patched.map(Value::Number)),
        (Check::ScreenLockSecs, screen_lock(host).map(Value::Number)),
        (Check::AntiMalware, flag(anti_malware(host, now))),
        (Check::SecureBoot, flag(secure_boot(host))),
    ])
}

/// Whether the file system `/` lies on LUKS or another device of dm-crypt.
fn disk_encryption(host: &Host) -> Option<bool> {
    // proc(5): id, parent, major:minor, root, mount point, options, optional fields, "-", type, source, options.
    let mounts = host.text("proc/self/mountinfo")?;
    let line = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/"))?;
    let number = line.split(' ').nth(2)?;
    let source = line.split_once(" - ")?.1.split(' ').nth(1)?;
    let device =
        if number.starts_with("0:") { by_source(host, source)? } else { host.path("sys/dev/block").join(number) };
    device.exists().then(|| encrypted(&device, MAX_DEPTH))
}

/// The device of a file system that has none of its own, such as btrfs: by the name that it was mounted by.
fn by_source(host: &Host, source: &str) -> Option<PathBuf> {
    let all = host.path("sys/class/block");
    let Some(mapped) = source.strip_prefix("/dev/mapper/") else {
        return Some(all.join(source.strip_prefix("/dev/")?));
    };
    let entries = fs::read_dir(all).ok()?.flatten();
    entries.map(|entry| entry.path()).find(|path| text(&path.join("dm/name")).is_some_and(|name| name.trim() == mapped))
}

/// Whether a block device is encrypted: itself, or all that it lies on.
fn encrypted(device: &Path, depth: u32) -> bool {
    if text(&device.join("dm/uuid")).is_some_and(|uuid| uuid.starts_with("CRYPT-")) {
        return true;
    }
    let below: Vec<_> = fs::read_dir(device.join("slaves")).into_iter().flatten().flatten().collect();
    depth > 0 && !below.is_empty() && below.iter().all(|slave| encrypted(&slave.path(), depth - 1))
}

/// The version by `os-release`(5); Debian says its point release elsewhere.
fn os_version(host: &Host) -> Option<Value> {
    let release = host.text("etc/os-release").or_else(|| host.text("usr/lib/os-release"))?;
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches(['"', '\'']))
    };
    let point = (field("ID") == Some("debian")).then(|| host.text("etc/debian_version")).flatten();
    let point = point.and_then(|version| of_text(&Check::OsVersion, &version));
    point.or_else(|| of_text(&Check::OsVersion, field("VERSION_ID")?))
}

/// After how many seconds the screen is locked, if GNOME's users cannot change it: dconf's system databases and locks. What
/// one may change oneself tells nothing.
fn screen_lock(host: &Host) -> Option<i64> {
    const IDLE: &str = "/org/gnome/desktop/session/idle-delay";
    const ENABLED: &str = "/org/gnome/desktop/screensaver/lock-enabled";
    const DELAY: &str = "/org/gnome/desktop/screensaver/lock-delay";
    let mut settings = BTreeMap::new();
    let mut locked = BTreeSet::new();
    for database in fs::read_dir(host.path("etc/dconf/db")).ok()?.flatten().map(|entry| entry.path()) {
        let texts = |dir: &Path| {
            let mut paths: Vec<_> =
                fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            paths.sort();
            paths.into_iter().filter(|path| path.is_file()).filter_map(|path| text(&path)).collect::<Vec<_>>()
        };
        for file in texts(&database) {
            let mut group = String::new();
            for line in file.lines().map(str::trim) {
                if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                    group = format!("/{name}/");
                } else if let Some((key, value)) = line.split_once('=') {
                    let value = value.trim().trim_start_matches("uint32 ").to_owned();
                    settings.insert(format!("{group}{}", key.trim()), value);
                }
            }
        }
        locked.extend(
            texts(&database.join("locks")).iter().flat_map(|file| file.lines()).map(|line| line.trim().to_owned()),
        );
    }
    let fixed = |key: &str| settings.get(key).filter(|_| locked.contains(key));
    if fixed(ENABLED)? != "true" {
        return None;
    }
    let idle: i64 = fixed(IDLE)?.parse().ok()?;
    let delay: i64 = fixed(DELAY).map_or(Some(0), |delay| delay.parse().ok())?;
    // GNOME never locks after 0.
    (idle > 0).then(|| idle.saturating_add(delay))
}

/// Whether ClamAV runs and has signatures of this week. Where it does not run, another product may, that is not known.
fn anti_malware(host: &Host, now: Timestamp) -> Option<bool> {
    if !processes(host).contains("clamd") {
        return None;
    }
    let age = SIGNATURES.iter().filter_map(|path| days_since_changed(&host.path(path), now)).min();
    Some(age.is_some_and(|days| days < SIGNATURE_DAYS))
}

/// Whether the firmware has checked what it started.
fn secure_boot(host: &Host) -> Option<bool> {
    let variable = |name: &str| {
        let octets = fs::read(host.path(&format!("sys/firmware/efi/efivars/{name}-{GLOBAL}"))).ok()?;
        // Four octets of attributes go before the value.
        octets.get(4).map(|value| *value == 1)
    };
    if !host.path("sys/firmware/efi").exists() {
        // The older firmware cannot; but a container sees none at all.
        return host.path("sys/firmware/dmi").exists().then_some(false);
    }
    let on = variable("SecureBoot")?;
    Some(on && variable("SetupMode") != Some(true))
}

/// Names of packages that are installed, and of processes that run, among those that are looked for.
pub(super) fn software(host: &Host, watched: &BTreeSet<Arc<str>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut name = "";
    let packages = host.text("var/lib/dpkg/status").unwrap_or_default();
    for line in packages.lines() {
        if let Some(package) = line.strip_prefix("Package: ") {
            name = package;
        } else if line.starts_with("Status: ") && line.ends_with(" installed") && watched.contains(name) {
            found.insert(name.to_owned());
        }
    }
    let rpm = PACKAGES.iter().any(|path| path.contains("rpm") && host.path(path).exists());
    for name in watched {
        let runs = || {
            let end = name.floor_char_boundary(MAX_COMM);
            processes(host).contains(&name[..end])
        };
        let elsewhere =
            [format!("snap/{name}"), format!("var/lib/flatpak/app/{name}"), format!("var/lib/pacman/local/{name}")];
        // A name of a path is none of a package.
        let plain = !name.contains('/') && !name.starts_with('.');
        if (plain && elsewhere.iter().any(|path| host.path(path).exists()))
            || (rpm && !name.starts_with('-') && output("rpm", &["-q", "--", name]).is_some())
            || runs()
        {
            found.insert(name.to_string());
        }
    }
    found
}

/// Names of the processes that run.
fn processes(host: &Host) -> BTreeSet<String> {
    let entries = fs::read_dir(host.path("proc")).into_iter().flatten().flatten();
    let numbers =
        entries.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|octet| octet.is_ascii_digit()));
    numbers
        .filter_map(|entry| Some(fs::read_to_string(entry.path().join("comm")).ok()?.trim_end().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests;
