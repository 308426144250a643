//! The trusted CAs, and the check of a presented chain against them.
//!
//! A [`TrustStore`] never changes: when a CA or a CRL does, a new one takes its
//! place, and with it goes everything that was remembered.

use super::cache::{PathCache, chain_digest};
use super::certificate::{CertificateFacts, parse, rsa_bits, timestamp};
use super::crl::Crl;
pub use super::crl::CrlError;
use super::diagnose;
pub use super::error::{ChainError, TrustError};
use super::path::{MIN_RSA_BITS, Path, may_sign_crls};
use super::standing::IssuerFacts;
use super::{der, name};
use crate::time::Timestamp;
use rustls::DistinguishedName;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};

/// Certificates in a presented chain. Real ones have two to four; more only
/// cost time (webpki tries every order).
pub(super) const MAX_PRESENTED: usize = 16;

/// What to do where a CRL is missing or outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrlPolicy {
    /// Refuse the certificate.
    Fail,
    /// Accept it, with a warning in the record.
    Warn,
}

/// A trusted CA as configured.
#[derive(Clone, Debug)]
pub struct CaSettings {
    /// Its name in records and messages.
    pub name: String,
    /// Its certificates; every one is a trust anchor of its own.
    pub certificates: Vec<CertificateDer<'static>>,
    /// CRLs, of this CA or of any intermediate.
    pub crls: Vec<CertificateRevocationListDer<'static>>,
    /// Whether the revocation of certificates under this CA is checked.
    pub crl_check: bool,
    /// What to do where an issuer has no CRL.
    pub crl_missing: CrlPolicy,
    /// What to do where an issuer's CRL is past its next update.
    pub crl_outdated: CrlPolicy,
}

impl CaSettings {
    /// A CA from its PEM bundle, checking revocation if there are CRLs; a
    /// missing or outdated CRL then refuses.
    ///
    /// # Errors
    /// If either file is damaged.
    pub fn from_pem(name: &str, bundle: &[u8], crls: &[&[u8]]) -> Result<Self, super::pem::PemError> {
        let lists = crls.iter().map(|file| super::pem::crls(file)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            certificates: super::pem::certificates(bundle)?,
            crl_check: !lists.is_empty(),
            crls: lists.into_iter().flatten().collect(),
            crl_missing: CrlPolicy::Fail,
            crl_outdated: CrlPolicy::Fail,
        })
    }
}

/// What remains of [`CaSettings`] once its certificates are in use.
pub(super) struct Ca {
    pub(super) name: String,
    pub(super) crl_check: bool,
    pub(super) crl_missing: CrlPolicy,
    pub(super) crl_outdated: CrlPolicy,
}

/// A trust anchor: what webpki does not keep of its certificate.
pub(super) struct Anchor {
    pub(super) ca: Arc<Ca>,
    pub(super) subject: String,
    pub(super) spki: Vec<u8>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) may_sign_crls: bool,
    pub(super) key_identifier: Option<Vec<u8>>,
}

/// A chain that was verified; only [`TrustStore::verify`] makes one.
// Not `non_exhaustive`: that binds other packages alone, and this proof is for
// the rest of ours.
#[allow(clippy::manual_non_exhaustive)]
#[derive(Clone, Debug)]
pub struct VerifiedChain {
    /// The client's certificate.
    pub leaf: Arc<CertificateFacts>,
    /// The subjects of its issuers, up to and with the trust anchor (RFC 4514).
    pub issuers: Vec<String>,
    /// The certificates of its issuers but the anchor's, the nearest first.
    pub between: Vec<IssuerFacts>,
    /// Name of the CA (`CaSettings::name`) that it leads to.
    pub anchor: String,
    /// What was let pass, for the record.
    pub warnings: Vec<String>,
    _proof: (),
}

impl VerifiedChain {
    pub(super) fn new(
        leaf: Arc<CertificateFacts>,
        issuers: Vec<String>,
        between: Vec<IssuerFacts>,
        anchor: String,
        warnings: Vec<String>,
    ) -> Self {
        Self { leaf, issuers, between, anchor, warnings, _proof: () }
    }
}

/// The trusted CAs with their CRLs: immutable, shared, thread-safe.
pub struct TrustStore {
    generation: u64,
    /// As webpki takes them; `details` has the rest, in the same order.
    anchors: Vec<TrustAnchor<'static>>,
    details: Vec<Arc<Anchor>>,
    /// By the content of the issuer's Name.
    crls: HashMap<Box<[u8]>, Vec<Arc<Crl>>>,
    algorithms: WebPkiSupportedAlgorithms,
    cache: PathCache,
}

impl TrustStore {
    /// Takes the CAs into use. No CA at all is allowed: then every chain is
    /// refused. `generation` tells this store from the one before it.
    ///
    /// # Errors
    /// If a certificate cannot be a trust anchor or a CRL cannot be honoured.
    pub fn new(cas: Vec<CaSettings>, generation: u64) -> Result<Self, TrustError> {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        let mut store = Self {
            generation,
            anchors: Vec::new(),
            details: Vec::new(),
            crls: HashMap::new(),
            algorithms,
            cache: PathCache::default(),
        };
        for settings in cas {
            store.add(settings)?;
        }
        Ok(store)
    }

    /// The number given to [`TrustStore::new`].
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The names of the trust anchors, for the TLS CertificateRequest.
    pub fn hints(&self) -> Vec<DistinguishedName> {
        let mut hints: Vec<DistinguishedName> = Vec::new();
        for anchor in &self.anchors {
            let hint = DistinguishedName::in_sequence(&anchor.subject);
            if !hints.iter().any(|known| known.as_ref() == hint.as_ref()) {
                hints.push(hint);
            }
        }
        hints
    }

    /// Verifies a presented chain, the client's certificate first and the
    /// others in any order, for client authentication at `now` (RFC 5280 §6,
    /// RFC 5216 §5.3): path, usage, validity and, as the CA says, revocation
    /// of every certificate but the anchor.
    ///
    /// What was verified is remembered, so that asking again costs microseconds;
    /// validity and revocation are looked at every time.
    ///
    /// # Errors
    /// The one reason why the chain is refused.
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<VerifiedChain, ChainError> {
        let key = chain_digest(chain);
        // A remembered path that is no longer good does not settle it: another may be.
        if let Some(verified) = self.cache.get(&key).and_then(|path| path.check(now).ok()) {
            return Ok(verified);
        }
        let (path, verified) = self.build(chain, now)?;
        self.cache.put(key, Arc::new(path));
        Ok(verified)
    }

    fn build(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(Path, VerifiedChain), ChainError> {
        let (leaf, intermediates) = chain.split_first().ok_or(ChainError::Empty)?;
        if chain.len() > MAX_PRESENTED {
            return Err(ChainError::Other(format!(
                "{} certificates were presented; at most {MAX_PRESENTED} are looked at",
                chain.len()
            )));
        }
        let end_entity = EndEntityCert::try_from(leaf).map_err(|error| diagnose::explain(error, self, chain))?;
        let outcome: RefCell<Option<Result<(Path, VerifiedChain), ChainError>>> = RefCell::new(None);
        // Called for each path that webpki finds good; refusing one makes it try the next.
        let look_closer = |candidate: &webpki::VerifiedPath<'_>| {
            let result = Path::build(self, candidate).and_then(|path| path.check(now).map(|verified| (path, verified)));
            let accepted = result.is_ok();
            outcome.replace(Some(result));
            if accepted { Ok(()) } else { Err(webpki::Error::UnknownRevocationStatus) }
        };
        let verified = end_entity.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(now.unix_secs().max(0) as u64)),
            KeyUsage::client_auth(),
            None,
            Some(&look_closer),
        );
        match (outcome.take(), verified) {
            (Some(result), _) => result,
            (None, Err(error)) => Err(diagnose::explain(error, self, chain)),
            (None, Ok(_)) => Err(ChainError::Other("the path was not looked at".to_owned())),
        }
    }

    /// The anchor that webpki's path ends in.
    pub(super) fn anchor(&self, found: &TrustAnchor<'_>) -> Option<&Arc<Anchor>> {
        let at = self.anchors.iter().position(|anchor| std::ptr::eq(anchor, found))?;
        self.details.get(at)
    }

    pub(super) fn anchors(&self) -> &[Arc<Anchor>] {
        &self.details
    }

    /// The CRLs that the holder of this name (DER) and key (DER of
    /// SubjectPublicKeyInfo) signed; of those with one scope only the newest.
    pub(super) fn crls_of(&self, name: &[u8], spki: &[u8]) -> Vec<Arc<Crl>> {
        let Some((name, _)) = der::expect(der::SEQUENCE, name) else {
            return Vec::new();
        };
        let signed: Vec<&Arc<Crl>> =
            self.crls.get(name).into_iter().flatten().filter(|crl| crl.is_signed_by(spki, &self.algorithms)).collect();
        signed.iter().filter(|crl| !signed.iter().any(|other| other.replaces(crl))).map(|crl| Arc::clone(crl)).collect()
    }

    pub(super) fn lists(&self) -> impl Iterator<Item = &Arc<Crl>> {
        self.crls.values().flatten()
    }

    pub(super) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.algorithms
    }

    fn add(&mut self, settings: CaSettings) -> Result<(), TrustError> {
        if settings.certificates.is_empty() {
            return Err(TrustError::NoCertificate { ca: settings.name });
        }
        if self.details.iter().any(|anchor| anchor.ca.name == settings.name) {
            return Err(TrustError::SameName { ca: settings.name });
        }
        let ca = Arc::new(Ca {
            name: settings.name,
            crl_check: settings.crl_check,
            crl_missing: settings.crl_missing,
            crl_outdated: settings.crl_outdated,
        });
        for (i, certificate) in settings.certificates.iter().enumerate() {
            let bad = |reason| TrustError::BadCertificate { ca: ca.name.clone(), number: i + 1, reason };
            let anchor = anchor_details(certificate, &ca).map_err(bad)?;
            let webpki_anchor = webpki::anchor_from_trusted_cert(certificate)
                .map_err(|error| bad(format!("it cannot be used ({error})")))?
                .to_owned();
            let same = |known: &&Arc<Anchor>| known.spki == anchor.spki && known.subject == anchor.subject;
            match self.details.iter().find(same) {
                Some(known) if known.ca.name == ca.name => continue,
                Some(known) => {
                    return Err(TrustError::SharedCertificate {
                        first: known.ca.name.clone(),
                        second: ca.name.clone(),
                        subject: anchor.subject,
                    });
                }
                None => {}
            }
            self.anchors.push(webpki_anchor);
            self.details.push(Arc::new(anchor));
        }
        for (i, encoded) in settings.crls.iter().enumerate() {
            let crl = Crl::parse(encoded).map_err(|reason| TrustError::BadCrl {
                ca: ca.name.clone(),
                number: i + 1,
                reason,
            })?;
            self.crls.entry(crl.issuer().into()).or_default().push(Arc::new(crl));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn forget(&self, chain: &[CertificateDer<'_>]) -> Option<Arc<Path>> {
        self.cache.remove(&chain_digest(chain))
    }
}

impl std::fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustStore")
            .field("generation", &self.generation)
            .field("anchors", &self.details.iter().map(|anchor| &anchor.subject).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Reads a CA certificate; in the error case says what is wrong with it.
fn anchor_details(certificate: &CertificateDer<'_>, ca: &Arc<Ca>) -> Result<Anchor, String> {
    let parsed = parse(certificate).map_err(|error| error.to_string())?;
    let subject = name::rfc4514(parsed.subject());
    let is_version_3 = parsed.version().0 == 2;
    match parsed.basic_constraints() {
        Ok(Some(constraints)) if constraints.value.ca => {}
        // A version 1 certificate has no extensions that could say so.
        Ok(None) if !is_version_3 => {}
        _ => {
            return Err(format!("{subject} is not a CA (basicConstraints does not say CA:TRUE)"));
        }
    }
    if let Some(bits) = rsa_bits(parsed.public_key()).filter(|bits| *bits < MIN_RSA_BITS) {
        return Err(format!("the key of {subject} is RSA with {bits} bits; at least {MIN_RSA_BITS} are needed"));
    }
    Ok(Anchor {
        ca: Arc::clone(ca),
        spki: parsed.public_key().raw.to_vec(),
        not_before: timestamp(parsed.validity().not_before),
        not_after: timestamp(parsed.validity().not_after),
        may_sign_crls: may_sign_crls(&parsed),
        key_identifier: diagnose::subject_key_identifier(&parsed),
        subject,
    })
}

#[path = "trust_endings.rs"]
pub mod endings;
#[path = "trust_warnings.rs"]
mod warnings;

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
