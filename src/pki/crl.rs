//! Certificate revocation lists (RFC 5280 §5): complete lists of the CA itself.

use super::certificate::timestamp;
use super::{der, name};
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::CertificateRevocationListDer;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use x509_parser::extensions::{DistributionPointName, GeneralName, IssuingDistributionPoint, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const CRL_NUMBER: &str = "2.5.29.20";
const DELTA_CRL_INDICATOR: &str = "2.5.29.27";
const ISSUING_DISTRIBUTION_POINT: &str = "2.5.29.28";
const REASON_CODE: &str = "2.5.29.21";
const INVALIDITY_DATE: &str = "2.5.29.24";
const CERTIFICATE_ISSUER: &str = "2.5.29.29";

/// Verdicts on signers kept per list. An issuer's name belongs to one key, or
/// to two while a CA changes its key; each costs a hash of the whole list.
const MAX_SIGNERS: usize = 8;

/// Why a revocation list cannot be honoured. What it does not say for certain
/// must not be guessed, so such a list is refused when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Not one DER CertificateList.
    #[error("it is malformed ({0})")]
    Malformed(String),
    /// It lists changes only (RFC 5280 §5.2.4).
    #[error("it is a delta CRL; load the complete CRL of {issuer} instead")]
    Delta {
        /// Who issued it (RFC 4514).
        issuer: String,
    },
    /// It lists certificates of several CAs (RFC 5280 §5.2.5).
    #[error("it is an indirect CRL (issued by {issuer} for other CAs), which is not supported")]
    Indirect {
        /// Who issued it (RFC 4514).
        issuer: String,
    },
    /// It covers only some reasons or attribute certificates (RFC 5280 §5.2.5).
    #[error("it covers only {what}, which is not supported")]
    Partial {
        /// What it covers.
        what: &'static str,
    },
    /// A critical extension that is not known (RFC 5280 §5.2).
    #[error("it has the critical extension {oid}, which is not supported")]
    UnknownCriticalExtension {
        /// The extension's OID.
        oid: String,
    },
    /// An entry has a critical extension that is not known (RFC 5280 §5.3).
    #[error("its entry for serial number {serial} has the critical extension {oid}, which is not supported")]
    UnknownCriticalEntryExtension {
        /// The extension's OID.
        oid: String,
        /// The entry's serial number.
        serial: String,
    },
    /// It does not say when it is outdated (RFC 5280 §5.1.2.5).
    #[error("it does not say when the next one is due (nextUpdate), so it cannot be told whether it is current")]
    NoNextUpdate,
}

/// A list, indexed by serial number. Whether its signature fits is found when
/// the issuer's key is known, once for each key.
pub(super) struct Crl {
    encoded: CertificateRevocationListDer<'static>,
    issuer: Box<[u8]>,
    issuer_name: String,
    this_update: Timestamp,
    next_update: Timestamp,
    scope: Scope,
    revoked: HashMap<Box<[u8]>, Timestamp>,
    signers: Mutex<Vec<([u8; 32], bool)>>,
}

/// Which certificates of its issuer a list covers (RFC 5280 §5.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Scope {
    only_end_entities: bool,
    only_cas: bool,
    uris: Option<Vec<String>>,
}

impl Crl {
    pub(super) fn parse(encoded: &CertificateRevocationListDer<'_>) -> Result<Self, CrlError> {
        let malformed = |what: &str| CrlError::Malformed(what.to_owned());
        let list = match CertificateRevocationList::from_der(encoded) {
            Ok(([], list)) => list,
            Ok(_) => return Err(malformed("octets follow it")),
            Err(error) => return Err(CrlError::Malformed(error.to_string())),
        };
        let (issuer, _) = der::expect(der::SEQUENCE, list.issuer().as_raw()).ok_or_else(|| malformed("issuer"))?;
        let issuer_name = name::rfc4514(list.issuer());
        let scope = scope(&list, &issuer_name)?;
        let mut revoked = HashMap::with_capacity(list.tbs_cert_list.revoked_certificates.len());
        for entry in list.iter_revoked_certificates() {
            let serial = der::trim_integer(entry.raw_serial());
            for extension in entry.extensions() {
                match extension.oid.to_id_string().as_str() {
                    CERTIFICATE_ISSUER => {
                        return Err(CrlError::Indirect { issuer: issuer_name });
                    }
                    REASON_CODE | INVALIDITY_DATE => {}
                    oid if extension.critical => {
                        return Err(CrlError::UnknownCriticalEntryExtension {
                            oid: oid.to_owned(),
                            serial: der::hex(serial),
                        });
                    }
                    _ => {}
                }
            }
            revoked.insert(serial.into(), timestamp(entry.revocation_date));
        }
        Ok(Self {
            issuer: issuer.into(),
            issuer_name,
            this_update: timestamp(list.last_update()),
            next_update: timestamp(list.next_update().ok_or(CrlError::NoNextUpdate)?),
            scope,
            revoked,
            signers: Mutex::default(),
            encoded: encoded.as_ref().to_vec().into(),
        })
    }

    /// The content of the issuer's Name, for look-up.
    pub(super) fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// The issuer's name (RFC 4514).
    pub(super) fn issuer_name(&self) -> &str {
        &self.issuer_name
    }

    pub(super) fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// When the certificate with this serial number (see
    /// [`der::trim_integer`]) was revoked, if it was. One hash look-up.
    pub(super) fn revoked_at(&self, serial: &[u8]) -> Option<Timestamp> {
        self.revoked.get(serial).copied()
    }

    /// Whether the list would name a certificate of its issuer if that were
    /// revoked. `uris` are those of the certificate's CRL distribution points.
    pub(super) fn covers(&self, is_ca: bool, uris: Option<&[String]>) -> bool {
        if (is_ca && self.scope.only_end_entities) || (!is_ca && self.scope.only_cas) {
            return false;
        }
        match (&self.scope.uris, uris) {
            (Some(ours), Some(theirs)) => ours.iter().any(|uri| theirs.contains(uri)),
            // It may be on another part (RFC 5280, section 6.3.3 (b)(2)).
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    /// Whether this list takes the place of `older`: same scope, newer.
    pub(super) fn replaces(&self, older: &Crl) -> bool {
        self.scope == older.scope && self.this_update > older.this_update
    }

    /// Whether the key `spki` (DER of SubjectPublicKeyInfo) signed the list.
    pub(super) fn is_signed_by(&self, spki: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> bool {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, spki).as_ref());
        let known = |signers: &Vec<([u8; 32], bool)>| signers.iter().find(|(k, _)| *k == key).map(|(_, fits)| *fits);
        if let Some(fits) = known(&self.signers.lock().unwrap_or_else(PoisonError::into_inner)) {
            return fits;
        }
        let fits = verify(&self.encoded, spki, algorithms).is_some();
        let mut signers = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        if signers.len() < MAX_SIGNERS && known(&signers).is_none() {
            signers.push((key, fits));
        }
        fits
    }
}

/// `Some` if the signature of a list or certificate fits, with the algorithms
/// that are taken at a login: x509-parser would also take SHA-1.
pub(super) fn verify(encoded: &[u8], spki: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> Option<()> {
    let (list, _) = der::expect(der::SEQUENCE, encoded)?;
    let (_, _, after) = der::element(list)?;
    let signed = list.get(..list.len() - after.len())?;
    let (signature_algorithm, after) = der::expect(der::SEQUENCE, after)?;
    let signature = der::bit_string(after)?;
    let (spki, _) = der::expect(der::SEQUENCE, spki)?;
    let (key_algorithm, key) = der::expect(der::SEQUENCE, spki)?;
    let key = der::bit_string(key)?;
    let mut fitting = algorithms.all.iter().filter(|algorithm| {
        algorithm.signature_alg_id().as_ref() == signature_algorithm
            && algorithm.public_key_alg_id().as_ref() == key_algorithm
    });
    fitting.any(|algorithm| algorithm.verify_signature(key, signed, signature).is_ok()).then_some(())
}

fn scope(list: &CertificateRevocationList<'_>, issuer: &str) -> Result<Scope, CrlError> {
    let mut scope = Scope::default();
    for extension in list.extensions() {
        match extension.oid.to_id_string().as_str() {
            DELTA_CRL_INDICATOR => {
                return Err(CrlError::Delta { issuer: issuer.to_owned() });
            }
            ISSUING_DISTRIBUTION_POINT => match extension.parsed_extension() {
                ParsedExtension::IssuingDistributionPoint(point) => scope = distribution_scope(point, issuer)?,
                _ => return Err(CrlError::Malformed("issuing distribution point".to_owned())),
            },
            AUTHORITY_KEY_IDENTIFIER | CRL_NUMBER => {}
            oid if extension.critical => {
                return Err(CrlError::UnknownCriticalExtension { oid: oid.to_owned() });
            }
            _ => {}
        }
    }
    Ok(scope)
}

fn distribution_scope(point: &IssuingDistributionPoint<'_>, issuer: &str) -> Result<Scope, CrlError> {
    if point.indirect_crl {
        return Err(CrlError::Indirect { issuer: issuer.to_owned() });
    }
    if point.only_some_reasons.is_some() {
        return Err(CrlError::Partial { what: "some reasons for revocation" });
    }
    if point.only_contains_attribute_certs {
        return Err(CrlError::Partial { what: "attribute certificates" });
    }
    let uris = match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => Some(uris(names)),
        Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => {
            return Err(CrlError::Partial { what: "a distribution point named relative to its issuer" });
        }
        None => None,
    };
    Ok(Scope { only_end_entities: point.only_contains_user_certs, only_cas: point.only_contains_ca_certs, uris })
}

/// The URIs among some names.
pub(super) fn uris(names: &[GeneralName<'_>]) -> Vec<String> {
    names
        .iter()
        .filter_map(|name| if let GeneralName::URI(uri) = name { Some((*uri).to_owned()) } else { None })
        .collect()
}
