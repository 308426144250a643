use super::*;
use std::os::unix::fs::symlink;

/// A host of files.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let made = Files(tempfile::tempdir().unwrap());
        for (path, octets) in files {
            made.write(path, octets);
        }
        made
    }

    fn write(&self, path: &str, octets: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, octets).unwrap();
    }

    fn link(&self, target: &str, at: &str) {
        let (target, at) = (self.0.path().join(target), self.0.path().join(at));
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(target, at).unwrap();
    }

    fn host(&self) -> Host {
        Host { root: self.0.path().to_owned(), certificate: "none".into() }
    }
}

const PLAIN: &[u8] = b"22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n23 22 0:21 / /proc rw - proc proc rw\n";
const MAPPED: &[u8] = b"22 1 253:1 / / rw,relatime - ext4 /dev/mapper/vg-root rw\n";

#[test]
fn a_disk_is_encrypted_when_all_below_the_root_is() {
    let plain = Files::new(&[("proc/self/mountinfo", PLAIN), ("sys/dev/block/8:2/partition", b"2")]);
    assert_eq!(disk_encryption(&plain.host()), Some(false));

    // LVM on LUKS.
    let luks = Files::new(&[
        ("proc/self/mountinfo", MAPPED),
        ("sys/block/dm-1/dm/uuid", b"LVM-abc\n"),
        ("sys/block/dm-0/dm/uuid", b"CRYPT-LUKS2-0123-root\n"),
        ("sys/block/dm-0/dm/name", b"cryptroot\n"),
        ("sys/block/sda2/partition", b"2"),
    ]);
    luks.link("sys/block/dm-1", "sys/dev/block/253:1");
    luks.link("sys/block/dm-0", "sys/block/dm-1/slaves/dm-0");
    assert_eq!(disk_encryption(&luks.host()), Some(true));
    // A volume group of which a part lies in the clear.
    luks.link("sys/block/sda2", "sys/block/dm-1/slaves/sda2");
    assert_eq!(disk_encryption(&luks.host()), Some(false));

    // btrfs has no device number of its own.
    let btrfs = "22 1 0:30 /@ / rw - btrfs /dev/mapper/cryptroot rw,subvol=/@\n";
    luks.write("proc/self/mountinfo", btrfs.as_bytes());
    luks.link("sys/block/dm-0", "sys/class/block/dm-0");
    assert_eq!(disk_encryption(&luks.host()), Some(true));
    // A container: who knows.
    let overlay = b"22 1 0:50 / / rw - overlay overlay rw,lowerdir=/a\n";
    assert_eq!(disk_encryption(&Files::new(&[("proc/self/mountinfo", overlay)]).host()), None);
}

#[test]
fn the_version_is_the_most_exact_that_is_told() {
    for (files, expected) in [
        (vec![("etc/os-release", &b"ID=ubuntu\nVERSION_ID=\"24.04\"\n"[..])], Some("24.04")),
        (vec![("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"), ("etc/debian_version", b"12.5\n")], Some("12.5")),
        (vec![("etc/os-release", b"ID=debian\n"), ("etc/debian_version", b"trixie/sid\n")], None),
        (vec![("usr/lib/os-release", b"ID=arch\n")], None),
    ] {
        let expected = expected.map(|version| Value::Text(version.into()));
        assert_eq!(os_version(&Files::new(&files).host()), expected, "{files:?}");
    }
}

#[test]
fn secure_boot_is_what_the_firmware_says() {
    let name = |name: &str| format!("sys/firmware/efi/efivars/{name}-{GLOBAL}");
    let (on, setup) = (name("SecureBoot"), name("SetupMode"));
    for (files, expected) in [
        (vec![(on.as_str(), &[6, 0, 0, 0, 1][..]), (&setup, &[6, 0, 0, 0, 0])], Some(true)),
        (vec![(on.as_str(), &[6, 0, 0, 0, 0])], Some(false)),
        (vec![(on.as_str(), &[6, 0, 0, 0, 1]), (&setup, &[6, 0, 0, 0, 1])], Some(false)),
        (vec![("sys/firmware/efi/runtime", &[])], None),
        (vec![("sys/firmware/dmi/tables/DMI", &[])], Some(false)),
        (vec![], None),
    ] {
        assert_eq!(secure_boot(&Files::new(&files).host()), expected, "{files:?}");
    }
}

#[test]
fn a_screen_lock_counts_when_nobody_can_undo_it() {
    let settings = b"[org/gnome/desktop/session]\nidle-delay=uint32 300\n[org/gnome/desktop/screensaver]\nlock-enabled=true\nlock-delay=uint32 5\n";
    let locks = b"/org/gnome/desktop/session/idle-delay\n/org/gnome/desktop/screensaver/lock-enabled\n/org/gnome/desktop/screensaver/lock-delay\n";
    let host = Files::new(&[("etc/dconf/db/local.d/00-lock", settings)]);
    assert_eq!(screen_lock(&host.host()), None, "everyone may change it");
    host.write("etc/dconf/db/local.d/locks/lock", locks);
    assert_eq!(screen_lock(&host.host()), Some(305));
    host.write("etc/dconf/db/local.d/00-lock", b"[org/gnome/desktop/session]\nidle-delay=uint32 0\n");
    assert_eq!(screen_lock(&host.host()), None);
}

#[test]
fn software_is_what_is_installed_or_runs() {
    let status = b"Package: tor\nStatus: install ok installed\nVersion: 1\n\nPackage: nmap\nStatus: deinstall ok config-files\n\n";
    let host = Files::new(&[
        ("var/lib/dpkg/status", status),
        ("proc/12/comm", b"a-very-long-nam\n"),
        ("proc/13/comm", b"bash\n"),
        ("snap/discord/current", b""),
    ]);
    let watched = ["tor", "nmap", "a-very-long-name-of-it", "discord", "../../etc", "absent"].map(Arc::from).into();
    let found: Vec<_> = software(&host.host(), &watched).into_iter().collect();
    assert_eq!(found, ["a-very-long-name-of-it", "discord", "tor"]);
}

#[test]
fn anti_malware_is_up_to_date_or_not_or_not_known() {
    let now = Timestamp::from_unix_secs(1_790_000_000);
    let host = Files::new(&[("proc/7/comm", b"bash\n")]);
    assert_eq!(anti_malware(&host.host(), now), None);
    host.write("proc/8/comm", b"clamd\n");
    assert_eq!(anti_malware(&host.host(), now), Some(false), "it has no signatures");
    host.write("var/lib/clamav/daily.cld", b"");
    let file = fs::File::options().write(true).open(host.0.path().join("var/lib/clamav/daily.cld")).unwrap();
    let secs = |days: u64| std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_790_000_000 - days * 86_400);
    for (days, fresh) in [(1, true), (8, false)] {
        file.set_modified(secs(days)).unwrap();
        assert_eq!(anti_malware(&host.host(), now), Some(fresh), "{days} days");
    }
}
