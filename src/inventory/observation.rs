//! One contact with an endpoint, as a decision or an accounting record tells it.

use super::mac::MacAddress;
use super::sensor::{Clue, ClueKind};
use crate::audit::decision::{Decision, DecisionOutcome, IdentityRef};
use crate::ids::DecisionId;
use crate::session::accounting::{AccountingRecord, AccountingStatus};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// NAS-Port-Type of stations on the air (RFC 2865, section 5.41).
const WIRELESS: [u32; 2] = [18, 19];
/// What the facts about overheard clues begin with in a decision record.
pub const CLUE_FACT: &str = "device.";

/// What makes two contacts the same endpoint's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndpointKey {
    /// A verified certificate, by the SHA-256 of its DER in hexadecimal.
    Certificate(String),
    /// A MAC address that somebody assigned.
    Mac(MacAddress),
    /// Nothing that lasts: one login or session, by its name. Another one is
    /// another endpoint, since a randomised address identifies nobody.
    Login(String),
}

impl EndpointKey {
    /// Whether it will never be met again.
    pub fn is_ephemeral(&self) -> bool {
        matches!(self, Self::Login(_))
    }
}

/// As it is stored.
impl fmt::Display for EndpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(fingerprint) => write!(f, "certificate:{fingerprint}"),
            Self::Mac(mac) => write!(f, "mac:{mac}"),
            Self::Login(name) => write!(f, "login:{name}"),
        }
    }
}

impl FromStr for EndpointKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no key of an endpoint");
        match text.split_once(':').ok_or_else(wrong)? {
            ("certificate", fingerprint) => Ok(Self::Certificate(fingerprint.into())),
            ("mac", mac) => MacAddress::parse(mac).map(Self::Mac).map_err(|e| e.to_string()),
            ("login", name) => Ok(Self::Login(name.into())),
            _ => Err(wrong()),
        }
    }
}

/// A verified certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRef {
    /// SHA-256 of its DER, in hexadecimal.
    pub fingerprint: String,
    /// Whom it names.
    pub subject: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
}

/// What a contact says about being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is on the network: an accepted login, or accounting of a session that goes on.
    Here,
    /// It tried.
    Tried,
    /// It has left: accounting said so.
    Left,
}

/// Which record told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A login.
    Login {
        /// Its decision.
        decision: DecisionId,
        /// "eap-tls" or "mab".
        method: String,
    },
    /// Accounting.
    Session {
        /// The decision that its Class names.
        decision: Option<DecisionId>,
        /// What the NAS calls the session, the station included.
        name: String,
    },
}

impl Origin {
    /// The decision that led here, if it is known.
    pub fn decision(&self) -> Option<DecisionId> {
        match self {
            Self::Login { decision, .. } => Some(*decision),
            Self::Session { decision, .. } => *decision,
        }
    }
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When it was.
    pub at: Timestamp,
    /// Which record told it.
    pub origin: Origin,
    /// The address on the link.
    pub mac: Option<MacAddress>,
    /// The certificate that was proven.
    pub certificate: Option<CertificateRef>,
    /// Who was recognised.
    pub identity: Option<IdentityRef>,
    /// The configured name of the NAS.
    pub nas_name: String,
    /// The address the request came from, since a name may stand for many NASes.
    pub nas_address: IpAddr,
    /// The port.
    pub port: Option<String>,
    /// The wireless network.
    pub ssid: Option<String>,
    /// Whether the port is a radio.
    pub wireless: bool,
    /// What it says about being there.
    pub presence: Presence,
    /// Addresses that the NAS says it has.
    pub ips: Vec<IpAddr>,
    /// What was overheard.
    pub clues: Vec<Clue>,
}

impl Observation {
    /// What a decision tells. `None` if it names no endpoint: neither a MAC address
    /// nor a verified certificate.
    pub fn of_decision(decision: &Decision) -> Option<Self> {
        let fact = |name: &str| decision.facts.iter().find(|f| f.name == name).and_then(|f| f.value.as_str());
        // Only a verified chain has a trusted CA at its end; without, the certificate
        // in the facts is what a stranger showed.
        let certificate =
            fact("certificate.ca").and(fact("certificate.fingerprint")).map(|fingerprint| CertificateRef {
                fingerprint: fingerprint.to_owned(),
                subject: fact("certificate.subject").map(str::to_owned),
                issuer: fact("certificate.issuer").map(str::to_owned),
            });
        let proven = certificate.is_some() || decision.method != "eap-tls";
        let mac = decision.mac.as_deref().and_then(station);
        if mac.is_none() && certificate.is_none() {
            return None;
        }
        let clues = decision.facts.iter().filter_map(|f| {
            let kind = ClueKind::from_code(f.name.strip_prefix(CLUE_FACT)?)?;
            Some(Clue::new(kind, f.value.as_str()?))
        });
        Some(Self {
            at: decision.at,
            origin: Origin::Login { decision: decision.id, method: decision.method.clone() },
            mac,
            certificate,
            // Whom a certificate names that was refused, nobody has proven to be.
            identity: decision.identity.clone().filter(|_| proven),
            nas_name: decision.nas_name.clone(),
            nas_address: decision.nas_address,
            port: decision.nas_port.clone(),
            ssid: fact("nas.ssid").map(str::to_owned),
            wireless: fact("nas.port_type") == Some("wireless"),
            presence: match decision.outcome {
                DecisionOutcome::Accept => Presence::Here,
                DecisionOutcome::Reject | DecisionOutcome::Incomplete => Presence::Tried,
            },
            ips: Vec::new(),
            clues: clues.collect(),
        })
    }

    /// What an accounting record tells. `None` if it is about no station with a
    /// MAC address.
    pub fn of_accounting(record: &AccountingRecord) -> Option<Self> {
        let presence = match record.status {
            AccountingStatus::Start | AccountingStatus::Interim => Presence::Here,
            AccountingStatus::Stop => Presence::Left,
            AccountingStatus::On | AccountingStatus::Off | AccountingStatus::Other(_) => return None,
        };
        let mac = record.mac.as_deref().and_then(station)?;
        let (device, session_id) = (&record.names.device, record.names.acct_session_id.as_deref().unwrap_or_default());
        let ips = [&record.framed_ip, &record.framed_ipv6].into_iter().flatten().filter_map(|ip| ip.parse().ok());
        Some(Self {
            // A NAS whose clock is ahead does not see into the future.
            at: record.event_time.min(record.received),
            origin: Origin::Session {
                decision: record.class,
                name: format!("{} {} {} {mac}", record.nas_name, device, session_id),
            },
            mac: Some(mac),
            certificate: None,
            identity: None,
            nas_name: record.nas_name.clone(),
            nas_address: record.nas_address,
            port: record.names.port(),
            ssid: None,
            wireless: record.nas_port_type.is_some_and(|kind| WIRELESS.contains(&kind)),
            presence,
            ips: ips.collect(),
            clues: record.clues.clone(),
        })
    }

    /// What identifies the endpoint if it has not been met before.
    pub fn key(&self) -> EndpointKey {
        match (&self.certificate, self.mac) {
            (Some(certificate), _) => EndpointKey::Certificate(certificate.fingerprint.clone()),
            (None, Some(mac)) if !mac.is_randomized() => EndpointKey::Mac(mac),
            _ => EndpointKey::Login(match &self.origin {
                Origin::Login { decision, .. } => decision.to_string(),
                Origin::Session { decision: Some(decision), .. } => decision.to_string(),
                Origin::Session { decision: None, name } => name.clone(),
            }),
        }
    }
}

/// The MAC address of one station; no group's.
fn station(text: &str) -> Option<MacAddress> {
    MacAddress::parse(text).ok().filter(|mac| !mac.is_multicast())
}
