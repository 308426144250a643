//! The Debian package: built from this binary, installed into a copy of this system, run, and removed.

use crate::support::{cordon, succeed};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Builds the package of this binary; quickly, so larger than it need be.
fn package(dir: &TempDir) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/deb/build.sh");
    let mut command = Command::new("sh");
    command.arg(script).arg(cordon().get_program()).arg(dir.path()).env("COMPRESSION", "none");
    PathBuf::from(succeed(&mut command).trim())
}

/// Runs in a copy of this system that nobody else sees: what is written there is in memory, and gone afterwards. `$1` is the package.
fn in_a_copy(deb: &Path, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let prepare = "set -eu\nmount -t tmpfs tmpfs \"$2\"\nmkdir \"$2/upper\" \"$2/work\" \"$2/copy\"\ncopy=$2/copy\n\
                   mount -t overlay overlay -o \"lowerdir=/,upperdir=$2/upper,workdir=$2/work\" \"$copy\"\n\
                   mount --bind /proc \"$copy/proc\"\nmount --bind /dev \"$copy/dev\"\nmount -t tmpfs tmpfs \"$copy/run\"\n\
                   mount -t tmpfs tmpfs \"$copy/tmp\"\ncp \"$1\" \"$copy/tmp/cordon.deb\"\ncd /\n\
                   exec chroot \"$copy\" sh -euxc \"$3\" 2>&1";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", prepare, "sh"]).arg(deb).arg(dir.path()).arg(script);
    succeed(&mut command)
}

#[test]
fn the_package_says_what_is_in_it_and_is_the_same_each_time() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (deb, again) = (package(&dir), package(&other));
    assert!(std::fs::read(&deb).unwrap() == std::fs::read(&again).unwrap(), "two builds differ");
    let field = |name: &str| succeed(Command::new("dpkg-deb").arg("--field").arg(&deb).arg(name)).trim().to_owned();
    assert_eq!(
        (field("Package"), field("Version")),
        ("cordon".into(), concat!(env!("CARGO_PKG_VERSION"), "-1").into())
    );
    // What dpkg-shlibdeps found in the binary.
    assert!(field("Depends").contains("libc6 (>= "), "{}", field("Depends"));
    let contents = succeed(Command::new("dpkg-deb").arg("--contents").arg(&deb));
    for line in [
        "-rwxr-xr-x root/root",
        "./usr/bin/cordon",
        "./usr/lib/systemd/system/cordon.service",
        "./etc/default/cordon",
        "./usr/share/doc/cordon/copyright",
        "./usr/share/doc/cordon/operation.md",
    ] {
        assert!(contents.contains(line), "no {line} in:\n{contents}");
    }
    for line in contents.lines() {
        let mode: &str = line.split(' ').next().unwrap();
        assert!(line.contains(" root/root ") && mode.as_bytes()[8] != b'w', "{line}");
    }
}

#[test]
fn it_is_installed_run_upgraded_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let deb = package(&dir);
    let said = in_a_copy(
        &deb,
        r#"
        if getent passwd cordon; then exit 1; fi
        dpkg -i /tmp/cordon.deb
        test "$(dpkg-query -W -f '${Status}' cordon)" = "install ok installed"
        dpkg --verify cordon
        test "$(stat -c '%U:%G %a' /etc/cordon)" = "cordon:cordon 750"
        test "$(getent passwd cordon | cut -d : -f 6,7)" = /etc/cordon:/usr/sbin/nologin
        systemd-analyze verify --man=no cordon.service

        # As the message says; then on ports that nobody else has.
        runuser -u cordon -- cordon init /etc/cordon
        sed -i -e 's/0\.0\.0\.0:181[23]", "\[::\]:181[23]/127.0.0.1:0/' -e 's/127\.0\.0\.1:8443/127.0.0.1:0/' /etc/cordon/cordon.toml
        grep -c '127.0.0.1:0' /etc/cordon/cordon.toml
        cd /etc/cordon
        chmod 1777 /tmp
        setpriv --reuid cordon --regid cordon --clear-groups cordon serve --config /etc/cordon/cordon.toml --ready-file /tmp/ready &
        server=$!
        for _ in $(seq 200); do test -e /tmp/ready && break; sleep 0.1; done
        http=$(sed -n 's/^http=//p' /tmp/ready)
        curl -sS --cacert /etc/cordon/ca/ca.pem "https://localhost:${http##*:}/readyz"
        kill -TERM $server
        wait $server

        # An upgrade keeps what was changed.
        echo RUST_LOG=debug >> /etc/default/cordon
        dpkg -i /tmp/cordon.deb
        grep -x RUST_LOG=debug /etc/default/cordon
        runuser -u cordon -- cordon check --config /etc/cordon/cordon.toml

        dpkg -r cordon
        test ! -e /usr/bin/cordon
        test ! -e /usr/lib/systemd/system/cordon.service
        test -e /etc/default/cordon
        test -e /etc/cordon/cordon.toml
        dpkg -P cordon
        test ! -e /etc/default/cordon
        test -e /etc/cordon/ca/ca.pem
        if dpkg-query -W cordon; then exit 1; fi
        echo all of it
        "#,
    );
    for line in [
        "runuser -u cordon -- cordon init /etc/cordon",
        "\"status\":\"ready\"",
        "/etc/cordon stays, with the CA",
        "\nall of it\n",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
}
