//! RADIUS over TLS: certificates of NASes, a server that listens for them, and the
//! peers that connect to it.

use super::pki::pki;
use super::server::{Config, SECRET, Server};
use super::{Background, cordon, read, succeed, system, text, wait_for};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A CA for NASes, of one test alone, since certificates are revoked there.
pub struct NasPki {
    dir: TempDir,
}

impl NasPki {
    /// A CA, and a certificate for sw1.corp.example.
    pub fn new() -> Self {
        let pki = Self { dir: tempfile::tempdir().unwrap() };
        succeed(cordon().args(["ca", "init", "--name", "NAS CA", "--dir"]).arg(pki.path("ca")));
        pki.issue("sw1", &["--dns", "sw1.corp.example"]);
        pki
    }

    /// Issues NAME.pem and NAME.key.
    pub fn issue(&self, name: &str, args: &[&str]) {
        let mut command = cordon();
        command.args(["ca", "issue", "--dir"]).arg(self.path("ca")).arg("--out").arg(self.path(name)).args(args);
        succeed(&mut command);
    }

    /// Revokes NAME.pem.
    pub fn revoke(&self, name: &str) {
        let certificate = self.path(&format!("{name}.pem"));
        succeed(cordon().args(["ca", "revoke", "--dir"]).arg(self.path("ca")).arg(certificate));
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `[radsec]` with these further lines, and NASes.
    pub fn config(&self, lines: &str, nas: &str) -> Config {
        let config = Config::default();
        let radsec = format!(
            "[radsec]\nlisten = [\"127.0.0.1:0\"]\n{lines}\n[[radsec.ca]]\nname = \"gear\"\nfile = {:?}\ncrl = [{:?}]\n{nas}\n",
            self.path("ca/ca.pem"),
            self.path("ca/ca.crl"),
        );
        Config { more: format!("{}{radsec}", config.more), ..config }
    }

    /// The same with the one NAS sw1, from anywhere.
    pub fn sw1(&self, lines: &str) -> Config {
        self.config(lines, SW1)
    }

    /// The independent peer, in a scenario. It presents the certificate of `name`.
    pub fn peer(&self, server: SocketAddr, name: &str, args: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/radsec_peer.py");
        let mut command = system("python3", Duration::from_secs(60));
        command.arg("-B").arg(script).args(["--connect", &server.to_string()]);
        command.arg("--cert").arg(self.path(&format!("{name}.pem")));
        command.arg("--key").arg(self.path(&format!("{name}.key")));
        command.arg("--ca").arg(pki().path("corp/ca.pem")).args(args);
        command
    }

    /// openssl's client, which waits a moment for what it is told, with these
    /// arguments and this to be sent: what it printed.
    pub fn openssl(&self, server: SocketAddr, args: &[&str], input: &str) -> String {
        let script = format!("(printf '{input}'; sleep 1) | openssl s_client -connect {server} -CAfile \"$CA\" \"$@\"");
        let mut command = system("sh", Duration::from_secs(20));
        command.args(["-c", &script, "sh"]).args(args).env("CA", pki().path("corp/ca.pem"));
        text(&command.stdin(Stdio::null()).output().unwrap())
    }

    /// Its arguments to present the certificate of `name`.
    pub fn presented(&self, name: &str) -> [String; 4] {
        let file = |kind: &str| self.path(&format!("{name}.{kind}")).display().to_string();
        ["-cert".into(), file("pem"), "-key".into(), file("key")]
    }
}

/// The NAS of [`NasPki::sw1`].
pub const SW1: &str = "[[nas]]\nname = \"sw1\"\nradsec = { san_dns = \"sw1.corp.example\" }";

/// radsecproxy with a UDP port of its own, that passes all on to a server over TLS.
pub struct Proxy {
    _process: Background,
    /// Where it takes UDP.
    pub address: SocketAddr,
    log: PathBuf,
}

impl Proxy {
    /// Starts it in `dir`, with the certificate of `name`, speaking TLS `version`.
    #[track_caller]
    pub fn start(dir: &Path, server: &Server, nas: &NasPki, name: &str, version: &str) -> Self {
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (file, log) = (dir.join("radsecproxy.conf"), dir.join("radsecproxy.log"));
        let version = version.replace('.', "_");
        let radsec = server.radsec();
        let configuration = format!(
            "ListenUDP {address}\nLogLevel 1\nLogDestination file://{log}\n\
             tls default {{\n  CACertificateFile {ca}\n  CertificateFile {cert}\n  CertificateKeyFile {key}\n  \
             TlsVersion TLS{version}:TLS{version}\n}}\n\
             client nas {{\n  host 127.0.0.1\n  type udp\n  secret {SECRET}\n}}\n\
             server cordon {{\n  host {host}\n  port {port}\n  type tls\n  tls default\n  CertificateNameCheck off\n  \
             StatusServer on\n}}\n\
             realm * {{\n  server cordon\n  accountingServer cordon\n}}\n",
            log = log.display(),
            ca = pki().path("corp/ca.pem").display(),
            cert = nas.path(&format!("{name}.pem")).display(),
            key = nas.path(&format!("{name}.key")).display(),
            host = radsec.ip(),
            port = radsec.port(),
        );
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new("radsecproxy");
        // Debian keeps it where a user's PATH does not look.
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        command.args(["-f", "-c"]).arg(&file).env("PATH", path).stdin(Stdio::null()).stderr(Stdio::null());
        let process = Background::start(&mut command);
        let proxy = Self { _process: process, address, log };
        wait_for("radsecproxy's connection", Duration::from_secs(10), || {
            (!server.connections("sw1").is_empty()).then_some(())
        });
        proxy
    }

    /// What it logged.
    pub fn log(&self) -> String {
        read(&self.log)
    }
}
