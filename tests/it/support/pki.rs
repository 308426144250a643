//! One set of certificates for all tests, made by `cordon ca` when the first
//! test asks.

use super::{cordon, succeed};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The certificates' directory.
pub struct Pki {
    dir: TempDir,
}

/// Clients with a good certificate, by the kind of their key.
pub const KEYS: [&str; 6] = ["p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"];

/// The certificates that all tests share.
pub fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(Pki::make)
}

impl Pki {
    fn make() -> Pki {
        let pki = Pki { dir: tempfile::tempdir().unwrap() };
        let (corp, other) = (pki.path("corp"), pki.path("other"));
        succeed(cordon().args(["ca", "init", "--name", "Corp CA", "--intermediate", "--dir"]).arg(&corp));
        succeed(cordon().args(["ca", "init", "--name", "Other CA", "--dir"]).arg(&other));
        for key in KEYS {
            pki.issue(&corp, key, &["--dns", &format!("{key}.corp.example"), "--key", key]);
            pki.issue(&corp, &format!("server-{key}"), &["--server", "--dns", "radius.corp.example", "--key", key]);
        }
        pki.issue(&corp, "direct", &["--dns", "direct.corp.example", "--from-root"]);
        let expired = ["--not-before", "2020-01-01T00:00:00Z", "--not-after", "2021-01-01T00:00:00Z"];
        pki.issue(&corp, "expired", &[&["--dns", "p256.corp.example"], &expired[..]].concat());
        let future = ["--not-before", "2090-01-01T00:00:00Z", "--not-after", "2091-01-01T00:00:00Z"];
        pki.issue(&corp, "future", &[&["--dns", "p256.corp.example"], &future[..]].concat());
        pki.issue(&corp, "wrong-usage", &["--dns", "p256.corp.example", "--eku", "server"]);
        pki.issue(&corp, "anna-laptop", &["--dns", "anna-laptop.corp.example"]);
        pki.issue(&corp, "web-01", &["--uri", "spiffe://corp.example/machine/web-01"]);
        pki.issue(&corp, "coder-1", &["--uri", "spiffe://corp.example/agent/coder-1"]);
        pki.issue(&corp, "unbound", &["--dns", "nobody.corp.example"]);
        pki.issue(&corp, "revoked", &["--dns", "p256.corp.example"]);
        pki.issue(&other, "stranger", &["--dns", "p256.corp.example"]);
        succeed(cordon().args(["ca", "revoke", "--dir"]).arg(&corp).arg(pki.path("revoked.pem")));
        pki
    }

    fn issue(&self, ca: &Path, name: &str, args: &[&str]) {
        succeed(cordon().args(["ca", "issue", "--dir"]).arg(ca).arg("--out").arg(self.path(name)).args(args));
    }

    /// A file, by its name in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}
