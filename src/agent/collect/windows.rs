//! Windows: what its own PowerShell tells, all in one run of it, since each takes a second to begin.

use super::{flag, of_text, output_within, values};
use crate::posture::check::{Check, Value};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long PowerShell may take: it begins in a second or two, and `Get-HotFix` takes some more.
const PATIENCE: Duration = Duration::from_secs(30);
/// Signatures older than this protect against little, in days.
const FRESH_DAYS: i64 = 7;
/// Seconds of a day.
const DAY_SECS: i64 = 86_400;
/// A line for each thing, `name=value`; what cannot be asked, for want of a right or of a module, leaves its line out.
/// Values of objects are not translated, as the output of `manage-bde` and `netsh` is.
const SCRIPT: &str = r"
function Tell($name, $ask) { try { $value = & $ask; if ($null -ne $value) { Write-Output ($name + '=' + $value) } } catch { } }
$ErrorActionPreference = 'Stop'
Tell 'disk' { [int](Get-BitLockerVolume -MountPoint $env:SystemDrive).ProtectionStatus }
Tell 'firewall' { @(Get-NetFirewallProfile | Where-Object { [int]$_.Enabled -ne 1 }).Count }
Tell 'version' { [Environment]::OSVersion.Version.ToString() }
Tell 'patched' { (Get-HotFix | Where-Object { $_.InstalledOn } | Sort-Object InstalledOn | Select-Object -Last 1).InstalledOn.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ') }
Tell 'lock' { (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System').InactivityTimeoutSecs }
Tell 'malware' { $s = Get-MpComputerStatus; [string][int]$s.RealTimeProtectionEnabled + ' ' + $s.AntivirusSignatureAge }
Tell 'boot' { [int](Confirm-SecureBootUEFI) }
";
/// Names of the programs that are installed, for all users.
const SOFTWARE: &str = r"
Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\*', 'HKLM:\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\*' -ErrorAction SilentlyContinue |
  ForEach-Object { $_.DisplayName }
";

fn powershell(script: &str) -> Option<String> {
    output_within("powershell.exe", &["-NoProfile", "-NonInteractive", "-Command", script], PATIENCE)
}

pub(super) fn collect(now: Timestamp) -> BTreeMap<Check, Value> {
    told(&powershell(SCRIPT).unwrap_or_default(), now)
}

/// Names of the programs that are installed.
pub(super) fn software() -> BTreeSet<String> {
    let names = powershell(SOFTWARE).unwrap_or_default();
    names.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What the lines of [`SCRIPT`] say.
fn told(said: &str, now: Timestamp) -> BTreeMap<Check, Value> {
    let lines: BTreeMap<_, _> = said.lines().filter_map(|line| line.trim().split_once('=')).collect();
    let number = |name: &str| lines.get(name).and_then(|value| value.trim().parse::<i64>().ok());
    let malware = lines.get("malware").and_then(|value| {
        let (on, age) = value.trim().split_once(' ')?;
        Some(on == "1" && age.parse::<i64>().ok()? <= FRESH_DAYS)
    });
    let patched = lines.get("patched").and_then(|at| at.trim().parse::<jiff::Timestamp>().ok());
    let patch_age = patched.map(|at| now.unix_secs().saturating_sub(at.as_second()).max(0) / DAY_SECS);
    values([
        // 2 is a volume that is locked, whose protection is not known.
        (Check::DiskEncryption, flag(number("disk").filter(|state| *state < 2).map(|state| state == 1))),
        (Check::Firewall, flag(number("firewall").map(|off| off == 0))),
        (Check::OsFamily, Some(Value::Text("windows".into()))),
        (Check::OsVersion, lines.get("version").and_then(|version| of_text(&Check::OsVersion, version))),
        (Check::PatchAgeDays, patch_age.map(Value::Number)),
        // 0 is no lock at all.
        (Check::ScreenLockSecs, number("lock").filter(|secs| *secs > 0).map(Value::Number)),
        (Check::AntiMalware, flag(malware)),
        (Check::SecureBoot, flag(number("boot").map(|on| on == 1))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_powershell_says() {
        let now = Timestamp::from_unix_secs(1_764_547_200);
        let said = "disk=1\r\nfirewall=0\r\nversion=10.0.26100.0\r\npatched=2025-11-12T00:00:00Z\r\nlock=600\r\nmalware=1 2\r\nboot=1\r\n";
        let all = told(said, now);
        assert_eq!(all.len(), 8);
        assert_eq!((&all[&Check::DiskEncryption], &all[&Check::Firewall]), (&Value::Flag(true), &Value::Flag(true)));
        assert_eq!((&all[&Check::AntiMalware], &all[&Check::SecureBoot]), (&Value::Flag(true), &Value::Flag(true)));
        assert_eq!(
            (&all[&Check::PatchAgeDays], &all[&Check::ScreenLockSecs]),
            (&Value::Number(19), &Value::Number(600))
        );
        assert_eq!(all[&Check::OsVersion], Value::Text("10.0.26100.0".into()));

        let all = told("disk=0\r\nfirewall=1\r\nlock=0\r\nmalware=1 30\r\nboot=0\r\n", now);
        assert_eq!((&all[&Check::DiskEncryption], &all[&Check::Firewall]), (&Value::Flag(false), &Value::Flag(false)));
        assert_eq!((&all[&Check::AntiMalware], &all[&Check::SecureBoot]), (&Value::Flag(false), &Value::Flag(false)));
        assert!(!all.contains_key(&Check::ScreenLockSecs));
        // Who may not ask is told nothing, and a locked volume tells nothing.
        assert_eq!(told("disk=2\r\nmalware=\r\npatched=soon\r\n", now).len(), 1);
    }
}
