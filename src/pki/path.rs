//! A verified path, and what must be looked at again at every login.

use super::certificate::{CertificateFacts, parse};
use super::crl::{self, Crl};
use super::der;
use super::error::ChainError;
use super::standing::IssuerFacts;
use super::trust::{Anchor, Ca, CrlPolicy, TrustStore, VerifiedChain};
use crate::time::Timestamp;
use std::sync::Arc;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{DistributionPointName, ParsedExtension};

/// RSA keys below this many bits are refused (NIST SP 800-131A).
pub(super) const MIN_RSA_BITS: usize = 2048;

/// A path whose signatures, names and usages were verified. Its validity in
/// time and its revocation are not: [`Path::check`] looks at them.
pub(super) struct Path {
    leaf: Arc<CertificateFacts>,
    issuers: Vec<String>,
    links: Vec<Link>,
    anchor: Arc<Anchor>,
    ca: Arc<Ca>,
}

/// One certificate of the path.
struct Link {
    subject: String,
    issuer: String,
    serial: Box<[u8]>,
    not_before: Timestamp,
    not_after: Timestamp,
    /// Lists that the issuer signed; of those with one scope only the newest.
    crls: Vec<Arc<Crl>>,
    /// Whether one of them covers this certificate, by place in `crls`.
    covering: Vec<bool>,
}

impl Path {
    /// Takes down a path that webpki verified.
    pub(super) fn build(store: &TrustStore, verified: &webpki::VerifiedPath<'_>) -> Result<Self, ChainError> {
        let anchor = store
            .anchor(verified.anchor())
            .ok_or_else(|| ChainError::Other("the trust anchor is not ours".to_owned()))?;
        let mut encoded = vec![verified.end_entity().der()];
        encoded.extend(verified.intermediate_certificates().map(|certificate| certificate.der()));
        let certificates: Vec<X509Certificate<'_>> =
            encoded.iter().map(|der| parse(der)).collect::<Result<_, _>>().map_err(|_| ChainError::Malformed)?;
        let [leaf, intermediates @ ..] = certificates.as_slice() else {
            return Err(ChainError::Empty);
        };
        let facts = CertificateFacts::from_parsed(leaf).map_err(|_| ChainError::Malformed)?;
        check_key(&facts)?;

        let mut links = Vec::with_capacity(certificates.len());
        for (i, certificate) in certificates.iter().enumerate() {
            let (issuer_key, may_sign_crls) = match certificates.get(i + 1) {
                Some(issuer) => (issuer.public_key().raw, may_sign_crls(issuer)),
                None => (anchor.spki.as_slice(), anchor.may_sign_crls),
            };
            let crls =
                if may_sign_crls { store.crls_of(certificate.issuer().as_raw(), issuer_key) } else { Vec::new() };
            links.push(Link::new(certificate, i > 0, crls));
        }
        let mut issuers: Vec<String> = intermediates.iter().map(|ca| super::name::rfc4514(ca.subject())).collect();
        issuers.push(anchor.subject.clone());
        Ok(Self { leaf: Arc::new(facts), issuers, links, ca: Arc::clone(&anchor.ca), anchor: Arc::clone(anchor) })
    }

    /// Whether the path is good at `now`: the validity of every certificate
    /// and, if its CA says so, its revocation.
    pub(super) fn check(&self, now: Timestamp) -> Result<VerifiedChain, ChainError> {
        let mut warnings = Vec::new();
        for link in &self.links {
            link.check_validity(now)?;
        }
        if self.ca.crl_check {
            for link in &self.links {
                link.check_revocation(&self.ca, now, &mut warnings)?;
            }
        }
        // What an anchor says of itself is not part of the path (RFC 5280 §6.1.1 d).
        if self.anchor.not_after < now {
            warnings
                .push(format!("the CA certificate of {} expired at {}", self.anchor.subject, self.anchor.not_after));
        }
        let between = self.links.iter().skip(1);
        let between =
            between.map(|link| IssuerFacts { subject: link.subject.clone(), serial: der::hex(&link.serial) }).collect();
        let (leaf, issuers) = (Arc::clone(&self.leaf), self.issuers.clone());
        Ok(VerifiedChain::new(leaf, issuers, between, self.ca.name.clone(), warnings))
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        let ca = super::testing::TestCa::new("Test");
        let store = ca.store();
        let chain = [ca.leaf("x")];
        store.verify(&chain, super::testing::NOW).unwrap();
        Arc::into_inner(store.forget(&chain).unwrap()).unwrap()
    }
}

impl Link {
    fn new(certificate: &X509Certificate<'_>, is_ca: bool, crls: Vec<Arc<Crl>>) -> Self {
        let uris = distribution_uris(certificate);
        Self {
            subject: super::name::rfc4514(certificate.subject()),
            issuer: super::name::rfc4514(certificate.issuer()),
            serial: der::trim_integer(certificate.raw_serial()).into(),
            not_before: super::certificate::timestamp(certificate.validity().not_before),
            not_after: super::certificate::timestamp(certificate.validity().not_after),
            covering: crls.iter().map(|crl| crl.covers(is_ca, uris.as_deref())).collect(),
            crls,
        }
    }

    /// RFC 5280 §4.1.2.5: both ends belong to the validity, in whole seconds.
    fn check_validity(&self, now: Timestamp) -> Result<(), ChainError> {
        if now.unix_secs() < self.not_before.unix_secs() {
            return Err(ChainError::NotYetValid { not_before: self.not_before, subject: self.subject.clone() });
        }
        if now.unix_secs() > self.not_after.unix_secs() {
            return Err(ChainError::Expired { not_after: self.not_after, subject: self.subject.clone() });
        }
        Ok(())
    }

    /// An outdated list still tells who is revoked, and that comes first.
    fn check_revocation(&self, ca: &Ca, now: Timestamp, warnings: &mut Vec<String>) -> Result<(), ChainError> {
        for crl in &self.crls {
            if let Some(at) = crl.revoked_at(&self.serial) {
                return Err(ChainError::Revoked { serial: der::hex(&self.serial), issuer: self.issuer.clone(), at });
            }
        }
        let covering = self.crls.iter().zip(&self.covering).filter(|(_, covers)| **covers);
        let error = match covering.map(|(crl, _)| crl.next_update()).max() {
            None => ChainError::CrlMissing { issuer: self.issuer.clone() },
            Some(next_update) if next_update < now => {
                ChainError::CrlOutdated { issuer: self.issuer.clone(), next_update }
            }
            Some(_) => return Ok(()),
        };
        let policy = if matches!(error, ChainError::CrlMissing { .. }) { ca.crl_missing } else { ca.crl_outdated };
        match policy {
            CrlPolicy::Fail => Err(error),
            CrlPolicy::Warn => {
                warnings.push(error.to_string());
                Ok(())
            }
        }
    }
}

/// webpki leaves the client's own key to the signature that proves it, which
/// would say "bad signature" of a key that is too short.
pub(super) fn check_key(facts: &CertificateFacts) -> Result<(), ChainError> {
    match facts.key_type.as_str() {
        "EC-P256" | "EC-P384" | "EC-P521" | "Ed25519" => Ok(()),
        kind => match kind.strip_prefix("RSA-").and_then(|bits| bits.parse::<usize>().ok()) {
            Some(bits) if bits >= MIN_RSA_BITS => Ok(()),
            Some(bits) => Err(ChainError::Weak {
                what: format!(
                    "the key of {} is RSA with {bits} bits; at least {MIN_RSA_BITS} are needed",
                    facts.subject
                ),
            }),
            None => Err(ChainError::UnsupportedAlgorithm {
                what: format!("the key of {} is of type {kind}", facts.subject),
            }),
        },
    }
}

/// RFC 5280 §6.3.3 (f): a key usage that lacks cRLSign rules it out.
pub(super) fn may_sign_crls(certificate: &X509Certificate<'_>) -> bool {
    match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.crl_sign(),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// The URIs of the certificate's CRL distribution points. Points for other
/// issuers or for some reasons only do not count (RFC 5280 §4.2.1.13).
fn distribution_uris(certificate: &X509Certificate<'_>) -> Option<Vec<String>> {
    let points = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(points) => Some(points),
        _ => None,
    })?;
    let whole = points.iter().filter(|point| point.crl_issuer.is_none() && point.reasons.is_none());
    let names = whole.filter_map(|point| match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => Some(crl::uris(names)),
        _ => None,
    });
    Some(names.flatten().collect())
}
