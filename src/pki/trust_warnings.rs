//! What an operator should know of the trusted CAs before the clients do.

use super::{Ca, CrlPolicy, MAX_PRESENTED, TrustStore};
use crate::pki::certificate::parse;
use crate::pki::name;
use crate::time::Timestamp;
use rustls_pki_types::CertificateDer;

impl TrustStore {
    /// Anchors that are
    /// not valid at `now` or lack a CRL where revocation is checked, and CRLs
    /// that are outdated or that no anchor signed.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        for anchor in &self.details {
            if now > anchor.not_after {
                warnings.push(format!("the CA certificate of {} expired at {}", anchor.subject, anchor.not_after));
            } else if now < anchor.not_before {
                warnings.push(format!(
                    "the CA certificate of {} is not valid before {}",
                    anchor.subject, anchor.not_before
                ));
            }
            warnings.extend(self.unlisted(&anchor.subject, &anchor.ca));
        }
        for crl in self.crls.values().flatten() {
            if now > crl.next_update() {
                warnings.push(format!("the CRL of {} is outdated since {}", crl.issuer_name(), crl.next_update()));
            }
            let mut named = self.details.iter().filter(|anchor| anchor.subject == crl.issuer_name()).peekable();
            if named.peek().is_some() && !named.any(|anchor| crl.is_signed_by(&anchor.spki, &self.algorithms)) {
                warnings.push(format!(
                    "the CRL of {} is signed by another key than its CA certificate's",
                    crl.issuer_name()
                ));
            }
        }
        warnings.sort();
        warnings
    }

    /// The intermediates of a chain below one of the CAs that lack a CRL where
    /// revocation is checked. Clients' intermediates are not known before they
    /// present them; the server's chain tells of those that issue here.
    pub fn unlisted_intermediates(&self, chain: &[CertificateDer<'_>]) -> Vec<String> {
        let certificates: Vec<_> = chain.iter().take(MAX_PRESENTED).filter_map(|der| parse(der).ok()).collect();
        let anchored = |issuer: &str| self.details.iter().find(|anchor| anchor.subject == issuer);
        let Some(anchor) = certificates.iter().find_map(|c| anchored(&name::rfc4514(c.issuer()))) else {
            return Vec::new();
        };
        let intermediates = certificates.iter().filter(|c| c.is_ca()).map(|c| name::rfc4514(c.subject()));
        let unknown = intermediates.filter(|subject| anchored(subject).is_none());
        unknown.filter_map(|subject| self.unlisted(&subject, &anchor.ca)).collect()
    }

    /// That there is no CRL of this issuer, and what comes of it.
    fn unlisted(&self, issuer: &str, ca: &Ca) -> Option<String> {
        let listed = self.crls.values().flatten().any(|crl| crl.issuer_name() == issuer);
        let consequence = match ca.crl_missing {
            CrlPolicy::Fail => "will be refused (crl_missing = \"fail\")",
            CrlPolicy::Warn => "will be accepted with a warning (crl_missing = \"warn\")",
        };
        (ca.crl_check && !listed).then(|| {
            format!(
                "no CRL of {issuer} is configured for the CA {}: the certificates that it issued {consequence}; name \
                 its CRL in crl",
                ca.name
            )
        })
    }
}
