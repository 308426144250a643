//! By what in its certificate a NAS is known (draft-ietf-radext-radiusdtls-bis,
//! section 4.2): a DNS name or an IP address among its alternative names, or its
//! issuer and serial number. The common name never counts.

use super::credential::Credential;
use crate::pki::certificate::CertificateFacts;
use std::fmt;

/// One such name, as look-ups spell it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CertificateName(Credential);

impl CertificateName {
    /// The name, if a NAS can be known by it. A wildcard names nobody.
    pub fn new(credential: Credential) -> Option<Self> {
        let usable = match &credential {
            Credential::SanDns(name) => !name.contains('*') && !name.trim_matches('.').is_empty(),
            Credential::SanIp(_) | Credential::IssuerSerial { .. } => true,
            _ => false,
        };
        usable.then(|| Self(credential.normalized()))
    }

    /// A certificate's issuer and serial number.
    pub fn of_number(facts: &CertificateFacts) -> Self {
        let (issuer, serial) = (facts.issuer.clone(), facts.serial.clone());
        Self(Credential::IssuerSerial { issuer, serial }.normalized())
    }

    /// The names that a certificate gives its holder.
    pub fn of_subject(facts: &CertificateFacts) -> impl Iterator<Item = Self> + '_ {
        let dns = facts.san_dns.iter().cloned().map(Credential::SanDns);
        let ip = facts.san_ip.iter().cloned().map(Credential::SanIp);
        dns.chain(ip).filter_map(Self::new)
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
