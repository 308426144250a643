//! Why a certificate chain is refused, and why a trust setting is.

use super::crl::CrlError;
use crate::time::Timestamp;
use rustls::{CertificateError, OtherError};
use std::sync::Arc;

/// Why a presented certificate chain is refused. `Display` is plain language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No certificate was presented.
    #[error("no certificate was presented")]
    Empty,
    /// A certificate is not valid DER, or an extension in it is malformed.
    #[error("a presented certificate is malformed")]
    Malformed,
    /// A certificate of the path is past its end of validity.
    #[error("the certificate of {subject} expired at {not_after}")]
    Expired {
        /// Its last second of validity.
        not_after: Timestamp,
        /// Whose certificate it is (RFC 4514).
        subject: String,
    },
    /// A certificate of the path is not valid yet.
    #[error("the certificate of {subject} is not valid before {not_before}")]
    NotYetValid {
        /// Its first second of validity.
        not_before: Timestamp,
        /// Whose certificate it is (RFC 4514).
        subject: String,
    },
    /// The path does not lead to a trusted CA, or an intermediate is missing.
    #[error("the issuer {issuer} is not a trusted CA, and no certificate presented leads from it to one")]
    UnknownCa {
        /// The issuer that was not found (RFC 4514).
        issuer: String,
    },
    /// A certificate of the path is revoked.
    #[error("the certificate {serial} of {issuer} was revoked at {at}")]
    Revoked {
        /// Its serial number, as in `CertificateFacts::serial`.
        serial: String,
        /// Who issued and revoked it (RFC 4514).
        issuer: String,
        /// When it was revoked.
        at: Timestamp,
    },
    /// Revocation is to be checked, and there is no usable CRL of this issuer.
    #[error("there is no revocation list of {issuer} that covers the certificate")]
    CrlMissing {
        /// Whose CRL is missing (RFC 4514).
        issuer: String,
    },
    /// The newest CRL of this issuer is past its next update.
    #[error("the revocation list of {issuer} is outdated since {next_update}")]
    CrlOutdated {
        /// Whose CRL it is (RFC 4514).
        issuer: String,
        /// When the next one was due.
        next_update: Timestamp,
    },
    /// Extended key usage is there and does not name client authentication.
    #[error("the certificate is not meant for client authentication: its extended key usage does not name it")]
    WrongUsage,
    /// A key that is too short, or a signature with a broken hash.
    #[error("too weak to be trusted: {what}")]
    Weak {
        /// What is weak about which certificate.
        what: String,
    },
    /// A kind of key or signature that is not supported.
    #[error("not supported: {what}")]
    UnsupportedAlgorithm {
        /// What is not supported.
        what: String,
    },
    /// A signature in the path does not fit: the certificate was altered.
    #[error(
        "a signature in the certificate chain is wrong: a certificate was altered, or another key has its issuer's name"
    )]
    BadSignature,
    /// A name lies outside what a CA of the path may name (RFC 5280 §4.2.1.10).
    #[error("a name in the certificate lies outside the name constraints of its CA")]
    NameConstraint,
    /// A certificate that issued another one is not a CA's.
    #[error("{subject} issued a certificate, but is not a CA")]
    NotACa {
        /// Whose certificate it is (RFC 4514).
        subject: String,
    },
    /// A CA's certificate was presented as a client's.
    #[error("the certificate of {subject} is a CA certificate; a client needs one of its own")]
    CaAsClient {
        /// Whose certificate it is (RFC 4514).
        subject: String,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl ChainError {
    /// The error for rustls, chosen so that the TLS alert fits: for example
    /// certificate_expired, certificate_revoked, unknown_ca,
    /// unsupported_certificate (RFC 8446 §6.2).
    pub fn to_rustls(&self) -> CertificateError {
        match self {
            Self::Empty | Self::Malformed => CertificateError::BadEncoding,
            Self::Expired { .. } => CertificateError::Expired,
            Self::NotYetValid { .. } => CertificateError::NotValidYet,
            Self::UnknownCa { .. } => CertificateError::UnknownIssuer,
            Self::Revoked { .. } => CertificateError::Revoked,
            Self::CrlMissing { .. } => CertificateError::UnknownRevocationStatus,
            Self::CrlOutdated { .. } => CertificateError::ExpiredRevocationList,
            Self::WrongUsage | Self::CaAsClient { .. } => CertificateError::InvalidPurpose,
            Self::BadSignature => CertificateError::BadSignature,
            // The alert certificate_unknown: found unacceptable for some other reason.
            Self::Weak { .. }
            | Self::UnsupportedAlgorithm { .. }
            | Self::NameConstraint
            | Self::NotACa { .. }
            | Self::Other(_) => CertificateError::Other(OtherError(Arc::new(self.clone()))),
        }
    }
}

/// Why the trust settings cannot be used. Names the CA and the certificate or
/// list at fault; positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A CA is listed without any certificate.
    #[error("CA \"{ca}\" has no certificate")]
    NoCertificate {
        /// `CaSettings::name`.
        ca: String,
    },
    /// Two CAs have the same name.
    #[error("two CAs are named \"{ca}\"")]
    SameName {
        /// `CaSettings::name`.
        ca: String,
    },
    /// A certificate cannot serve as trust anchor.
    #[error("CA \"{ca}\", certificate {number}: {reason}")]
    BadCertificate {
        /// `CaSettings::name`.
        ca: String,
        /// Position in `CaSettings::certificates`, from 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// The same anchor under two CAs: whose settings apply would be unclear.
    #[error("the CA certificate of {subject} is listed under both \"{first}\" and \"{second}\"")]
    SharedCertificate {
        /// One `CaSettings::name`.
        first: String,
        /// The other.
        second: String,
        /// Whose certificate it is (RFC 4514).
        subject: String,
    },
    /// A CRL that cannot be honoured.
    #[error("CA \"{ca}\", revocation list {number}: {reason}")]
    BadCrl {
        /// `CaSettings::name`.
        ca: String,
        /// Position in `CaSettings::crls`, from 1.
        number: usize,
        /// What is wrong.
        reason: CrlError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::AlertDescription;

    #[test]
    fn the_alert_fits_the_reason() {
        let at = Timestamp::from_unix_secs(0);
        let name = || "CN=x".to_owned();
        for (error, alert) in [
            (ChainError::Malformed, AlertDescription::BadCertificate),
            (ChainError::Expired { not_after: at, subject: name() }, AlertDescription::CertificateExpired),
            (ChainError::NotYetValid { not_before: at, subject: name() }, AlertDescription::CertificateExpired),
            (ChainError::UnknownCa { issuer: name() }, AlertDescription::UnknownCA),
            (ChainError::Revoked { serial: name(), issuer: name(), at }, AlertDescription::CertificateRevoked),
            (ChainError::CrlMissing { issuer: name() }, AlertDescription::UnknownCA),
            (ChainError::WrongUsage, AlertDescription::UnsupportedCertificate),
            (ChainError::BadSignature, AlertDescription::DecryptError),
            (ChainError::Weak { what: name() }, AlertDescription::CertificateUnknown),
        ] {
            assert_eq!(AlertDescription::from(error.to_rustls()), alert, "{error}");
        }
    }
}
