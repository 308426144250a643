//! What a rule may look at.

use crate::inventory::identity::Identity;
use crate::inventory::mac::MacAddress;
use crate::pki::certificate::CertificateFacts;
use crate::posture::compliance::{Status, Verdict};
use crate::signals::risk::{Level, Risk};
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;

/// Everything known about one attempt. `policies/README.md` tells what each is.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who it is.
    pub principal: Principal,
    /// How it logged in.
    pub method: AuthMethod,
    /// Its verified certificate.
    pub certificate: Option<Arc<CertificateFacts>>,
    /// Its MAC address, as the NAS says.
    /// The name of the CA that vouches for the certificate.
    pub certificate_ca: Option<String>,
    /// The endpoint.
    pub mac: Option<MacAddress>,
    /// The name in clear; unverified.
    pub outer_identity: Option<String>,
    /// The NAS.
    pub nas_name: String,
    /// Its groups.
    pub nas_groups: Vec<String>,
    /// Its site.
    pub site: Option<String>,
    /// Where its packets come from.
    pub nas_address: IpAddr,
    /// NAS-Port-Type: `ethernet`, `wireless`, `virtual`, or its number.
    pub nas_port_type: Option<String>,
    /// The port.
    pub nas_port_id: Option<String>,
    /// The wireless network.
    pub ssid: Option<String>,
    /// Called-Station-Id.
    pub called_station: Option<String>,
    /// When it is decided.
    pub at: Timestamp,
    /// Hour of the day, 0 to 23, in the configured time zone.
    pub local_hour: i64,
    /// Minute, 0 to 59.
    pub local_minute: i64,
    /// 1 is Monday.
    pub weekday: i64,
    /// "1.2" or "1.3".
    pub tls_version: Option<String>,
    /// Whether the TLS session was resumed.
    pub resumed: bool,
    /// How it is doing.
    pub posture: PostureFacts,
    /// What speaks against it.
    pub risk: RiskFacts,
    /// The profile that it gets in place of any that rules permit: it is in quarantine.
    pub contained: Option<String>,
}

impl Facts {
    /// The profile that is granted where rules permit `profile`: that of a quarantine takes its place.
    pub fn granted(&self, profile: String) -> String {
        self.contained.clone().unwrap_or(profile)
    }
}

/// What speaks against somebody, as far as rules ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RiskFacts {
    /// `low`, `medium` or `high`.
    pub level: String,
    /// 0 to 100, rounded down.
    pub score: i64,
    /// The kinds of signals that it is the sum of.
    pub kinds: Vec<String>,
}

impl Default for RiskFacts {
    /// Nothing speaks against it.
    fn default() -> Self {
        Self { level: Level::Low.code().to_owned(), score: 0, kinds: Vec::new() }
    }
}

impl RiskFacts {
    /// What rules may ask of a risk.
    pub fn of(risk: &Risk) -> Self {
        let mut kinds: Vec<String> = risk.factors.iter().map(|(factor, _)| factor.kind.code().to_owned()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Self { level: risk.level.code().to_owned(), score: risk.score as i64, kinds }
    }
}

/// How somebody is doing, as far as rules ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostureFacts {
    /// `compliant`, `warning`, `unknown` or `non_compliant`.
    pub status: String,
    /// Checks that fail and count.
    pub failing: Vec<String>,
    /// Checks that are asked for, and of which nothing is known that holds.
    pub unknown: Vec<String>,
    /// Seconds since something was reported last.
    pub age_secs: Option<i64>,
}

impl Default for PostureFacts {
    /// Nothing is known.
    fn default() -> Self {
        let status = Status::Unknown.code().to_owned();
        Self { status, failing: Vec::new(), unknown: Vec::new(), age_secs: None }
    }
}

impl PostureFacts {
    /// What rules may ask of a verdict at `now`.
    pub fn of(verdict: &Verdict, now: Timestamp) -> Self {
        let age = verdict.reported.map(|at| now.since(at).as_secs());
        Self {
            status: verdict.status.code().to_owned(),
            failing: verdict.failing().map(ToString::to_string).collect(),
            unknown: verdict.unknown().map(ToString::to_string).collect(),
            age_secs: age.map(|secs| i64::try_from(secs).unwrap_or(i64::MAX)),
        }
    }
}

/// Who it is.
#[derive(Clone, Debug)]
pub enum Principal {
    /// An identity of the inventory.
    Identity(Arc<Identity>),
    /// A valid certificate that no identity is bound to.
    UnknownCertificate,
    /// A MAC address that no identity has.
    UnknownMac,
}

impl Principal {
    /// What a quarantine of it may be kept under: the identity, and the MAC address, whoever shows it.
    pub fn subjects(&self, mac: Option<MacAddress>) -> [Option<Subject>; 2] {
        let identity = match self {
            Principal::Identity(identity) => Some(Subject::Identity(identity.id)),
            Principal::UnknownCertificate | Principal::UnknownMac => None,
        };
        [identity, mac.map(Subject::Mac)]
    }
}

/// How it logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthMethod {
    /// By certificate.
    EapTls,
    /// By MAC address.
    Mab,
}

impl AuthMethod {
    /// The name that rules and records use.
    pub const fn as_str(self) -> &'static str {
        match self {
            AuthMethod::EapTls => "eap-tls",
            AuthMethod::Mab => "mab",
        }
    }
}
