//! eapol_test: a stock supplicant and a NAS in one.

use super::pki::pki;
use super::server::{SECRET, Server};
use super::{system, text};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// One run.
#[derive(Clone, Debug)]
pub struct Eapol {
    /// The name of the client's certificate.
    pub client: String,
    /// The CA that the client believes.
    pub ca: String,
    /// "1.2" or "1.3".
    pub tls: &'static str,
    /// The longest EAP packet that it sends.
    pub fragment_size: u32,
    /// The EAP method.
    pub eap: &'static str,
    /// Further logins that may resume.
    pub again: u32,
    /// Further arguments.
    pub args: Vec<String>,
    /// Further lines of the network.
    pub network: String,
    /// The endpoint; each run has its own.
    pub mac: String,
    /// What the NAS shares with the server.
    pub secret: String,
}

impl Eapol {
    /// A login by the certificate of this name.
    pub fn new(client: &str) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            client: client.into(),
            ca: "corp/ca.pem".into(),
            tls: "1.3",
            fragment_size: 1300,
            eap: "TLS",
            again: 0,
            args: Vec::new(),
            network: String::new(),
            mac: format!("02-00-5e-01-00-{number:02x}"),
            secret: SECRET.into(),
        }
    }

    fn config(&self) -> String {
        let pki = pki();
        let versions = match self.tls {
            "1.2" => "tls_disable_tlsv1_2=0 tls_disable_tlsv1_3=1",
            _ => "tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=0",
        };
        let password = if self.eap == "TLS" { "" } else { "password=\"x\"\n  phase2=\"auth=MSCHAPV2\"" };
        format!(
            r#"network={{
  key_mgmt=IEEE8021X
  eap={}
  identity="anonymous@corp.example"
  ca_cert={:?}
  client_cert={:?}
  private_key={:?}
  phase1="tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 {versions}"
  fragment_size={}
  {password}
  {}
}}
"#,
            self.eap,
            pki.path(&self.ca),
            pki.path(&format!("{}.pem", self.client)),
            pki.path(&format!("{}.key", self.client)),
            self.fragment_size,
            self.network,
        )
    }

    /// Runs it against the server.
    pub fn run(&self, server: &Server) -> Login {
        self.run_at(server.auth, &server.path("."))
    }

    /// Runs it against whatever listens there.
    pub fn run_at(&self, address: SocketAddr, dir: &Path) -> Login {
        let file = dir.join(format!("eapol-{}.conf", self.mac));
        std::fs::write(&file, self.config()).unwrap();
        let mut command = system("eapol_test", Duration::from_secs(30));
        command
            .arg("-c")
            .arg(&file)
            .args(["-a", &address.ip().to_string(), "-p", &address.port().to_string(), "-s", &self.secret])
            .args(["-M", &self.mac.replace('-', ":"), "-t", "20", "-r", &self.again.to_string()])
            .args(&self.args);
        let output = command.output().expect("eapol_test is missing; `make deps` installs it");
        Login { accepted: output.status.success(), text: text(&output) }
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Login {
    /// SUCCESS, in all logins of the run.
    pub accepted: bool,
    /// What eapol_test printed.
    pub text: String,
}

impl Login {
    /// Accepted, with keys equal on both sides, `times` over.
    #[track_caller]
    pub fn assert_accepted(&self, times: u32) -> &Self {
        assert!(self.accepted, "{}", self.text);
        let keys = format!("MPPE keys OK: {times}  mismatch: 0");
        assert!(self.text.contains(&keys), "no {keys:?} in:\n{}", self.text);
        self
    }

    /// Refused.
    #[track_caller]
    pub fn assert_refused(&self) -> &Self {
        assert!(!self.accepted, "{}", self.text);
        assert!(self.text.contains("FAILURE"), "{}", self.text);
        self
    }
}
