//! What a certificate says, as identities, policy and decision records see it.
//!
//! A binding is compared with one field and never with several joined, and the
//! fields keep the spelling of the certificate.

use super::{der, name};
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use std::net::{Ipv4Addr, Ipv6Addr};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

/// otherName that holds a user principal name (Microsoft).
const UPN: &str = "1.3.6.1.4.1.311.20.2.3";
/// Extension that holds a security identifier (Microsoft, KB5014754).
const SID_EXTENSION: &str = "1.3.6.1.4.1.311.25.2";
/// otherName inside [`SID_EXTENSION`].
const SID_OTHER_NAME: &str = "1.3.6.1.4.1.311.25.2.1";
/// URI that holds a security identifier where the extension cannot be had.
const SID_URI: &str = "tag:microsoft.com,2022-09-14:sid:";

/// The facts of one certificate. Text is safe to print: control characters are
/// written as `\u{..}` (in `subject` and `issuer` as RFC 4514 says).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CertificateFacts {
    /// Subject, as RFC 4514 writes it: `CN=laptop-1,O=Example`.
    pub subject: String,
    /// The last common name of the subject.
    pub common_name: Option<String>,
    /// Issuer, as RFC 4514 writes it.
    pub issuer: String,
    /// Serial number in lower-case hexadecimal, two digits an octet, without a
    /// leading zero octet.
    pub serial: String,
    /// SHA-256 of the certificate's DER, in lower-case hexadecimal.
    pub fingerprint: String,
    /// SHA-256 of the SubjectPublicKeyInfo, in lower-case hexadecimal.
    pub key_fingerprint: String,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last second of validity (inclusive, RFC 5280 §4.1.2.5).
    pub not_after: Timestamp,
    /// Subject alternative names of type dNSName.
    pub san_dns: Vec<String>,
    /// Subject alternative names of type rfc822Name.
    pub san_email: Vec<String>,
    /// Subject alternative names of type uniformResourceIdentifier.
    pub san_uri: Vec<String>,
    /// User principal names (otherName 1.3.6.1.4.1.311.20.2.3).
    pub san_upn: Vec<String>,
    /// Subject alternative names of type iPAddress.
    pub san_ip: Vec<String>,
    /// Microsoft security identifier: the extension 1.3.6.1.4.1.311.25.2, else
    /// a `tag:microsoft.com,2022-09-14:sid:` URI.
    pub sid: Option<String>,
    /// `RSA-2048`, `EC-P256`, `Ed25519`, or the OID of any other kind.
    pub key_type: String,
}

/// The octets are not a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid X.509 certificate: {0}")]
pub struct CertificateError(pub(super) String);

impl CertificateFacts {
    /// Reads the facts of a certificate. Nothing is verified.
    ///
    /// # Errors
    /// If `certificate` is not exactly one DER certificate, or an extension
    /// that is read here is malformed or there twice.
    pub fn from_der(certificate: &[u8]) -> Result<Self, CertificateError> {
        Self::from_parsed(&parse(certificate)?)
    }

    pub(super) fn from_parsed(parsed: &X509Certificate<'_>) -> Result<Self, CertificateError> {
        let mut facts = Self {
            subject: name::rfc4514(parsed.subject()),
            common_name: name::common_name(parsed.subject()),
            issuer: name::rfc4514(parsed.issuer()),
            serial: der::hex(der::trim_integer(parsed.raw_serial())),
            fingerprint: sha256_hex(parsed.as_raw()),
            key_fingerprint: sha256_hex(parsed.public_key().raw),
            not_before: timestamp(parsed.validity().not_before),
            not_after: timestamp(parsed.validity().not_after),
            san_dns: Vec::new(),
            san_email: Vec::new(),
            san_uri: Vec::new(),
            san_upn: Vec::new(),
            san_ip: Vec::new(),
            sid: None,
            key_type: key_type(parsed.public_key()),
        };
        let names = parsed
            .subject_alternative_name()
            .map_err(|_| CertificateError("the subject alternative name is malformed or there twice".to_owned()))?;
        for general_name in names.iter().flat_map(|extension| &extension.value.general_names) {
            facts.add_name(general_name)?;
        }
        facts.sid = match sid_extension(parsed)? {
            Some(sid) => Some(sid),
            None => facts.san_uri.iter().find_map(|uri| sid(uri.strip_prefix(SID_URI)?)),
        };
        Ok(facts)
    }

    fn add_name(&mut self, general_name: &GeneralName<'_>) -> Result<(), CertificateError> {
        let (list, value) = match general_name {
            GeneralName::DNSName(value) => (&mut self.san_dns, name::printable(value)),
            GeneralName::RFC822Name(value) => (&mut self.san_email, name::printable(value)),
            GeneralName::URI(value) => (&mut self.san_uri, name::printable(value)),
            GeneralName::OtherName(oid, value) if oid.to_id_string() == UPN => {
                let upn = der::expect(der::CONTEXT_0, value)
                    .and_then(|(inner, _)| der::element(inner))
                    .and_then(|(_, text, _)| std::str::from_utf8(text).ok())
                    .ok_or_else(|| CertificateError("a user principal name is malformed".to_owned()))?;
                (&mut self.san_upn, name::printable(upn))
            }
            GeneralName::IPAddress(octets) => {
                let address = if let Ok(v4) = <[u8; 4]>::try_from(*octets) {
                    Ipv4Addr::from(v4).to_string()
                } else if let Ok(v6) = <[u8; 16]>::try_from(*octets) {
                    Ipv6Addr::from(v6).to_string()
                } else {
                    return Err(CertificateError(format!("an iPAddress name has {} octets", octets.len())));
                };
                (&mut self.san_ip, address)
            }
            GeneralName::Invalid(..) => {
                return Err(CertificateError("a subject alternative name is malformed".to_owned()));
            }
            _ => return Ok(()),
        };
        if !value.is_empty() {
            list.push(value);
        }
        Ok(())
    }
}

/// Parses exactly one certificate.
pub(super) fn parse(certificate: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok((rest, _)) => Err(CertificateError(format!("{} octets follow it", rest.len()))),
        Err(error) => Err(CertificateError(format!("{error}"))),
    }
}

/// What keeps supplicants from believing a server with this certificate at `now`.
/// Nothing when all seems well.
///
/// # Errors
/// As [`CertificateFacts::from_der`].
pub fn server_faults(certificate: &[u8], now: Timestamp) -> Result<Vec<String>, CertificateError> {
    let parsed = parse(certificate)?;
    let facts = CertificateFacts::from_parsed(&parsed)?;
    let mut faults = Vec::new();
    if now > facts.not_after {
        faults.push(format!("the server's certificate expired at {}: no supplicant accepts it", facts.not_after));
    } else if now < facts.not_before {
        faults.push(format!("the server's certificate is not valid before {}", facts.not_before));
    }
    let usage = parsed.extended_key_usage().map_err(|e| CertificateError(e.to_string()))?;
    if usage.is_some_and(|usage| !usage.value.server_auth && !usage.value.any) {
        faults.push(format!(
            "the certificate of {} is not for server authentication: no supplicant accepts it",
            facts.subject
        ));
    }
    Ok(faults)
}

/// The facts, and in the error case the reason in the same words everywhere.
impl TryFrom<&CertificateDer<'_>> for CertificateFacts {
    type Error = CertificateError;

    fn try_from(certificate: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        Self::from_der(certificate)
    }
}

/// An ASN.1 time; its range (years 0 to 9999) always fits.
pub(super) fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_unix_secs(time.timestamp())
}

/// `RSA-2048`, `EC-P256`, `EC-P384`, `EC-P521`, `Ed25519`, else an OID.
pub(super) fn key_type(spki: &SubjectPublicKeyInfo<'_>) -> String {
    if let Some(bits) = rsa_bits(spki) {
        return format!("RSA-{bits}");
    }
    let algorithm = spki.algorithm.algorithm.to_id_string();
    let curve = spki.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok()).map(|oid| oid.to_id_string());
    match (algorithm.as_str(), curve.as_deref()) {
        ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => "EC-P256".to_owned(),
        ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => "EC-P384".to_owned(),
        ("1.2.840.10045.2.1", Some("1.3.132.0.35")) => "EC-P521".to_owned(),
        ("1.2.840.10045.2.1", Some(curve)) => format!("EC-{curve}"),
        ("1.3.101.112", _) => "Ed25519".to_owned(),
        _ => algorithm,
    }
}

/// The size of an RSA key's modulus in bits; `None` for other keys.
pub(super) fn rsa_bits(spki: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    match spki.parsed() {
        Ok(PublicKey::RSA(key)) => {
            let modulus = der::trim_integer(key.modulus);
            let first = modulus.first().copied().unwrap_or_default();
            Some((modulus.len() * 8).saturating_sub(first.leading_zeros() as usize))
        }
        _ => None,
    }
}

pub(super) fn sha256_hex(octets: &[u8]) -> String {
    der::hex(digest(&SHA256, octets).as_ref())
}

/// KB5014754: `GeneralNames { otherName { 1.3.6.1.4.1.311.25.2.1, [0] OCTET STRING } }`.
fn sid_extension(parsed: &X509Certificate<'_>) -> Result<Option<String>, CertificateError> {
    let malformed = || CertificateError("the security identifier extension is malformed or there twice".to_owned());
    let mut extensions = parsed.extensions().iter().filter(|extension| extension.oid.to_id_string() == SID_EXTENSION);
    let Some(extension) = extensions.next() else {
        return Ok(None);
    };
    if extensions.next().is_some() {
        return Err(malformed());
    }
    let (names, _) = der::expect(der::SEQUENCE, extension.value).ok_or_else(malformed)?;
    let (_, general_name) = GeneralName::from_der(names).map_err(|_| malformed())?;
    let GeneralName::OtherName(oid, value) = general_name else {
        return Err(malformed());
    };
    if oid.to_id_string() != SID_OTHER_NAME {
        return Err(malformed());
    }
    der::expect(der::CONTEXT_0, value)
        .and_then(|(inner, _)| der::expect(der::OCTET_STRING, inner))
        .and_then(|(text, _)| sid(std::str::from_utf8(text).ok()?))
        .map(Some)
        .ok_or_else(malformed)
}

/// A security identifier is `S-1-` and numbers joined by dashes.
fn sid(text: &str) -> Option<String> {
    let numbers = text.strip_prefix("S-1-")?;
    let valid = numbers.split('-').all(|n| !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit()));
    valid.then(|| text.to_owned())
}
