//! What a rule may look at.

use crate::inventory::identity::Identity;
use crate::inventory::mac::MacAddress;
use crate::pki::certificate::CertificateFacts;
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
