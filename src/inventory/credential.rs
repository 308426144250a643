//! Credentials: by what an identity is recognised.

use super::mac::MacAddress;
use crate::pki::certificate::CertificateFacts;
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// What binds a certificate or a MAC address to an identity. Each field of a
/// certificate is compared with itself only, never combined with others.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// Issuer and serial number, as [`CertificateFacts`] writes them.
    IssuerSerial {
        /// The issuer's name.
        issuer: String,
        /// In lower-case hex, without leading zero octets.
        serial: String,
    },
    /// SHA-256 of the public key, in lower-case hex.
    KeyFingerprint(String),
    /// SHA-256 of the certificate, in lower-case hex.
    Fingerprint(String),
    /// A Microsoft security identifier.
    Sid(String),
    /// A URI, letter by letter.
    SanUri(String),
    /// A User Principal Name, whatever its case.
    SanUpn(String),
    /// An email address, whatever its case.
    SanEmail(String),
    /// A DNS name, whatever its case.
    SanDns(String),
    /// An IP address.
    SanIp(String),
    /// The subject's common name, letter by letter. Weak: any CA may repeat it.
    CommonName(String),
    /// A MAC address.
    Mac(MacAddress),
}

impl Credential {
    /// The same credential as look-ups spell it: without case where case does
    /// not count, hex in lower case and without separators.
    pub fn normalized(&self) -> Credential {
        let hex = |s: &str| s.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
        match self {
            Credential::IssuerSerial { issuer, serial } => {
                let digits = hex(serial);
                let even = if digits.len().is_multiple_of(2) { digits } else { format!("0{digits}") };
                let mut serial = even.as_str();
                while let Some(rest) = serial.strip_prefix("00").filter(|rest| !rest.is_empty()) {
                    serial = rest;
                }
                Credential::IssuerSerial { issuer: issuer.clone(), serial: serial.to_owned() }
            }
            Credential::KeyFingerprint(f) => Credential::KeyFingerprint(hex(f)),
            Credential::Fingerprint(f) => Credential::Fingerprint(hex(f)),
            Credential::SanUpn(n) => Credential::SanUpn(n.to_ascii_lowercase()),
            Credential::SanEmail(n) => Credential::SanEmail(n.to_ascii_lowercase()),
            Credential::SanDns(n) => Credential::SanDns(n.trim_end_matches('.').to_ascii_lowercase()),
            Credential::SanIp(n) => {
                Credential::SanIp(n.parse::<IpAddr>().map_or_else(|_| n.clone(), |address| address.to_string()))
            }
            other => other.clone(),
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::IssuerSerial { issuer, serial } => write!(f, "issuer {issuer}, serial {serial}"),
            Credential::KeyFingerprint(v) => write!(f, "key fingerprint {v}"),
            Credential::Fingerprint(v) => write!(f, "certificate fingerprint {v}"),
            Credential::Sid(v) => write!(f, "SID {v}"),
            Credential::SanUri(v) => write!(f, "SAN URI {v}"),
            Credential::SanUpn(v) => write!(f, "SAN UPN {v}"),
            Credential::SanEmail(v) => write!(f, "SAN email {v}"),
            Credential::SanDns(v) => write!(f, "SAN DNS {v}"),
            Credential::SanIp(v) => write!(f, "SAN IP {v}"),
            Credential::CommonName(v) => write!(f, "common name {v}"),
            Credential::Mac(v) => write!(f, "MAC {v}"),
        }
    }
}

impl Credential {
    /// The key of the configuration that names its kind.
    pub const fn field(&self) -> &'static str {
        match self {
            Credential::IssuerSerial { .. } => "serial",
            Credential::KeyFingerprint(_) => "key_fingerprint",
            Credential::Fingerprint(_) => "fingerprint",
            Credential::Sid(_) => "sid",
            Credential::SanUri(_) => "san_uri",
            Credential::SanUpn(_) => "san_upn",
            Credential::SanEmail(_) => "san_email",
            Credential::SanDns(_) => "san_dns",
            Credential::SanIp(_) => "san_ip",
            Credential::CommonName(_) => "common_name",
            Credential::Mac(_) => "mac",
        }
    }

    /// What is compared, where that is one text: all but issuer and serial number.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Credential::IssuerSerial { .. } => None,
            Credential::Mac(mac) => Some(mac.to_string().into()),
            Credential::KeyFingerprint(text)
            | Credential::Fingerprint(text)
            | Credential::Sid(text)
            | Credential::SanUri(text)
            | Credential::SanUpn(text)
            | Credential::SanEmail(text)
            | Credential::SanDns(text)
            | Credential::SanIp(text)
            | Credential::CommonName(text) => Some(text.into()),
        }
    }
}

/// Everything in a certificate that a credential may be, strongest first.
pub fn candidates(facts: &CertificateFacts) -> impl Iterator<Item = Credential> + '_ {
    let exact = [
        Credential::IssuerSerial { issuer: facts.issuer.clone(), serial: facts.serial.clone() },
        Credential::KeyFingerprint(facts.key_fingerprint.clone()),
        Credential::Fingerprint(facts.fingerprint.clone()),
    ];
    exact
        .into_iter()
        .chain(facts.sid.iter().cloned().map(Credential::Sid))
        .chain(facts.san_uri.iter().cloned().map(Credential::SanUri))
        .chain(facts.san_upn.iter().cloned().map(Credential::SanUpn))
        .chain(facts.san_email.iter().cloned().map(Credential::SanEmail))
        .chain(facts.san_dns.iter().cloned().map(Credential::SanDns))
        .chain(facts.san_ip.iter().cloned().map(Credential::SanIp))
        .chain(facts.common_name.iter().cloned().map(Credential::CommonName))
}
