//! From webpki's error to a reason that a person can act on.
//!
//! Runs only when a chain is refused. Everything in the chain is untrusted.

use super::certificate::{parse, rsa_bits, timestamp};
use super::error::ChainError;
use super::name::rfc4514;
use super::path::MIN_RSA_BITS;
use super::trust::TrustStore;
use crate::time::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

/// Signature algorithms with a broken hash, as certificates name them.
const BROKEN_SIGNATURES: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.4", "MD5"),
    ("1.2.840.113549.1.1.5", "SHA-1"),
    ("1.3.14.3.2.29", "SHA-1"),
    ("1.2.840.10045.4.1", "SHA-1"),
    ("1.2.840.10040.4.3", "SHA-1"),
];

/// The reason why `chain` was refused, given what webpki says.
pub(super) fn explain(error: Error, store: &TrustStore, chain: &[CertificateDer<'_>]) -> ChainError {
    let Ok(certificates) = chain.iter().map(|certificate| parse(certificate)).collect::<Result<Vec<_>, _>>() else {
        return ChainError::Malformed;
    };
    let Some(leaf) = certificates.first() else {
        return ChainError::Empty;
    };
    let chain = Chain { store, certificates: &certificates };
    match error {
        Error::CertExpired { not_after, .. } => {
            let not_after = from_unix_time(not_after);
            ChainError::Expired {
                not_after,
                subject: chain.subject_where(|c| timestamp(c.validity().not_after) == not_after),
            }
        }
        Error::CertNotValidYet { not_before, .. } => {
            let not_before = from_unix_time(not_before);
            ChainError::NotYetValid {
                not_before,
                subject: chain.subject_where(|c| timestamp(c.validity().not_before) == not_before),
            }
        }
        Error::UnknownIssuer => ChainError::UnknownCa { issuer: chain.missing_issuer() },
        Error::CaUsedAsEndEntity if !chain.is_anchored(leaf) => {
            ChainError::UnknownCa { issuer: chain.missing_issuer() }
        }
        Error::CaUsedAsEndEntity => ChainError::CaAsClient { subject: rfc4514(leaf.subject()) },
        Error::EndEntityUsedAsCa => {
            ChainError::NotACa { subject: chain.subject_where(|c| !std::ptr::eq(c, leaf) && !c.is_ca()) }
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => ChainError::WrongUsage,
        Error::InvalidSignatureForPublicKey => chain.why_signature_is_wrong(),
        Error::UnsupportedSignatureAlgorithmContext(_) | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            chain.unsupported_signature()
        }
        Error::NameConstraintViolation
        | Error::InvalidNetworkMaskConstraint
        | Error::MalformedNameConstraint
        | Error::MaximumNameConstraintComparisonsExceeded => ChainError::NameConstraint,
        Error::PathLenConstraintViolated => ChainError::Other(
            "a CA of the chain issued more levels of CAs below it than it may (path length constraint)".to_owned(),
        ),
        Error::InvalidCertValidity => ChainError::Other("a certificate ends before it begins to be valid".to_owned()),
        Error::UnsupportedCertVersion => {
            ChainError::Other("a certificate is of X.509 version 1 or 2; version 3 is needed".to_owned())
        }
        Error::UnsupportedCriticalExtension => {
            ChainError::Other("a certificate has a critical extension that is not supported".to_owned())
        }
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumPathDepthExceeded => {
            ChainError::Other("the certificates presented are too many or too tangled to find a path".to_owned())
        }
        Error::BadDer
        | Error::BadDerTime
        | Error::ExtensionValueInvalid
        | Error::MalformedExtensions
        | Error::SignatureAlgorithmMismatch
        | Error::InvalidSerialNumber
        | Error::TrailingData(_) => ChainError::Malformed,
        other => ChainError::Other(format!("the certificate chain was refused ({other})")),
    }
}

struct Chain<'a> {
    store: &'a TrustStore,
    /// As presented; the client's own is the first.
    certificates: &'a [X509Certificate<'a>],
}

impl Chain<'_> {
    fn subject_where(&self, wanted: impl Fn(&X509Certificate<'_>) -> bool) -> String {
        let found = self.certificates.iter().find(|c| wanted(c)).or(self.certificates.first());
        found.map(|c| rfc4514(c.subject())).unwrap_or_default()
    }

    fn is_anchored(&self, certificate: &X509Certificate<'_>) -> bool {
        let issuer = rfc4514(certificate.issuer());
        self.store.anchors().iter().any(|anchor| anchor.subject == issuer)
    }

    /// The presented certificates from the client's up, each the issuer (by
    /// name) of the one before; never the same one twice.
    fn walk(&self) -> Vec<&X509Certificate<'_>> {
        let mut walked: Vec<&X509Certificate<'_>> = self.certificates.first().into_iter().collect();
        while let Some(last) = walked.last().copied() {
            let next = self.certificates.iter().find(|candidate| {
                candidate.subject().as_raw() == last.issuer().as_raw()
                    && !walked.iter().any(|known| std::ptr::eq(*known, *candidate))
            });
            match next {
                Some(issuer) if !self.is_anchored(last) => walked.push(issuer),
                _ => break,
            }
        }
        walked
    }

    fn missing_issuer(&self) -> String {
        self.walk().last().map(|top| rfc4514(top.issuer())).unwrap_or_default()
    }

    /// A wrong signature has three causes: a key too short to be accepted, a
    /// foreign CA that has a name of ours, or an altered certificate.
    fn why_signature_is_wrong(&self) -> ChainError {
        let walked = self.walk();
        for issuer in walked.iter().skip(1) {
            if let Some(bits) = rsa_bits(issuer.public_key()).filter(|bits| *bits < MIN_RSA_BITS) {
                let subject = rfc4514(issuer.subject());
                return ChainError::Weak {
                    what: format!("the key of {subject} is RSA with {bits} bits; at least {MIN_RSA_BITS} are needed"),
                };
            }
        }
        let Some(top) = walked.last() else {
            return ChainError::BadSignature;
        };
        let issuer = rfc4514(top.issuer());
        let wanted = authority_key_identifier(top);
        let mut named = self.store.anchors().iter().filter(|anchor| anchor.subject == issuer);
        let foreign =
            wanted.is_some() && named.all(|anchor| anchor.key_identifier.is_some() && anchor.key_identifier != wanted);
        if foreign { ChainError::UnknownCa { issuer } } else { ChainError::BadSignature }
    }

    fn unsupported_signature(&self) -> ChainError {
        for certificate in self.walk() {
            let oid = certificate.signature_algorithm.algorithm.to_id_string();
            let subject = rfc4514(certificate.subject());
            if let Some((_, hash)) = BROKEN_SIGNATURES.iter().find(|(known, _)| *known == oid) {
                return ChainError::Weak { what: format!("the certificate of {subject} is signed with {hash}") };
            }
            if !self.is_known_signature(certificate) {
                return ChainError::UnsupportedAlgorithm {
                    what: format!("the certificate of {subject} is signed with {oid}"),
                };
            }
        }
        ChainError::UnsupportedAlgorithm { what: "the kind of signature does not fit the CA's key".to_owned() }
    }

    fn is_known_signature(&self, certificate: &X509Certificate<'_>) -> bool {
        let oid = certificate.signature_algorithm.algorithm.as_bytes();
        // An AlgorithmIdentifier begins with the OID's tag and length.
        self.store
            .algorithms()
            .all
            .iter()
            .any(|known| known.signature_alg_id().as_ref().get(2..2 + oid.len()) == Some(oid))
    }
}

fn authority_key_identifier(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => {
            identifier.key_identifier.as_ref().map(|id| id.0.to_vec())
        }
        _ => None,
    })
}

pub(super) fn subject_key_identifier(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
        _ => None,
    })
}

fn from_unix_time(time: UnixTime) -> Timestamp {
    Timestamp::from_unix_secs(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
