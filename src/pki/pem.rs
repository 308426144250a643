//! PEM files (RFC 7468): bundles of certificates, CRLs, one private key.
//!
//! DER is taken as well where a file holds just one certificate or CRL, since
//! that is what CRL distribution points and Windows hand out.

use super::der;
use rustls_pki_types::pem::{Error as RawError, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

/// Why a PEM file is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// The file holds no item of the wanted kind; says what it holds.
    #[error("no {wanted} found: {found}")]
    NotFound {
        /// "certificate", "certificate revocation list" or "private key".
        wanted: &'static str,
        /// What there is instead.
        found: String,
    },
    /// A `-----BEGIN` line has no matching `-----END` line.
    #[error("the file ends before the line \"-----END {label}-----\": it was cut off, or the line is damaged")]
    CutOff {
        /// The label that was begun.
        label: String,
    },
    /// A `-----BEGIN` line is damaged.
    #[error("the line \"{line}\" does not begin a PEM block: it must end in exactly five dashes")]
    BadLine {
        /// The line.
        line: String,
    },
    /// The text between the lines is not base64.
    #[error("block {number} is damaged: the text between its BEGIN and END lines is not base64")]
    NotBase64 {
        /// Which block of the wanted kind, from 1.
        number: usize,
    },
    /// The private key is protected by a password.
    #[error("the private key is encrypted; write it without a password: openssl pkey -in KEY -out KEY.plain")]
    Encrypted,
}

/// All certificates of a bundle, in order.
///
/// # Errors
/// If there is none, or the file is damaged.
pub fn certificates(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    items(file, "certificate")
}

/// All certificate revocation lists of a bundle, in order.
///
/// # Errors
/// If there is none, or the file is damaged.
pub fn crls(file: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    items(file, "certificate revocation list")
}

/// The first private key (PKCS#8, PKCS#1 or SEC1).
///
/// # Errors
/// If there is none, it is encrypted, or the file is damaged.
pub fn private_key(file: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    let file = without_byte_order_mark(file);
    if contains(file, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || contains(file, b"Proc-Type: 4,ENCRYPTED") {
        return Err(PemError::Encrypted);
    }
    match PrivateKeyDer::pem_slice_iter(file).next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(explain(error, 1, "private key", file)),
        None => Err(not_found(file, "private key")),
    }
}

fn items<T: PemObject + From<Vec<u8>>>(file: &[u8], wanted: &'static str) -> Result<Vec<T>, PemError> {
    if matches!(der::expect(der::SEQUENCE, file), Some((_, []))) {
        return Ok(vec![T::from(file.to_vec())]);
    }
    let file = without_byte_order_mark(file);
    let mut items = Vec::new();
    for item in T::pem_slice_iter(file) {
        items.push(item.map_err(|error| explain(error, items.len() + 1, wanted, file))?);
    }
    if items.is_empty() { Err(not_found(file, wanted)) } else { Ok(items) }
}

/// Editors on Windows put one first, which would hide the first BEGIN line.
fn without_byte_order_mark(file: &[u8]) -> &[u8] {
    file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file)
}

fn explain(error: RawError, number: usize, wanted: &'static str, file: &[u8]) -> PemError {
    match error {
        RawError::MissingSectionEnd { end_marker } => PemError::CutOff { label: shown(&end_marker) },
        RawError::IllegalSectionStart { line } => PemError::BadLine { line: shown(&line) },
        RawError::Base64Decode(_) => PemError::NotBase64 { number },
        _ => not_found(file, wanted),
    }
}

fn not_found(file: &[u8], wanted: &'static str) -> PemError {
    let text = String::from_utf8_lossy(file);
    let mut labels: Vec<String> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .map(|label| shown(label.as_bytes()))
        .collect();
    labels.dedup();
    let found = if !labels.is_empty() {
        format!("the file holds {}", labels.join(", "))
    } else if file.is_empty() {
        "the file is empty".to_owned()
    } else {
        "the file is not PEM (it has no line \"-----BEGIN ...-----\")".to_owned()
    };
    PemError::NotFound { wanted, found }
}

/// The start of a damaged line, safe to print.
fn shown(line: &[u8]) -> String {
    /// A message is read by people: characters of a damaged line to show.
    const SHOWN_CHARS: usize = 60;
    let line: String = String::from_utf8_lossy(line).chars().take(SHOWN_CHARS).collect();
    super::name::printable(&line)
}

fn contains(file: &[u8], wanted: &[u8]) -> bool {
    file.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "text before\r\n-----BEGIN CERTIFICATE-----\r\nMAMC\r\nAQE=\r\n-----END CERTIFICATE-----\r\n";

    #[test]
    fn reads_bundles_with_text_around_and_other_blocks_between() {
        let file = format!("{ONE}-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n{ONE}");
        assert_eq!(certificates(file.as_bytes()).unwrap().len(), 2);
        assert_eq!(crls(file.as_bytes()).unwrap(), [CertificateRevocationListDer::from(vec![0x30, 0])]);
    }

    #[test]
    fn a_byte_order_mark_does_not_hide_the_first_certificate() {
        let file = "\u{feff}".to_owned() + &ONE["text before\r\n".len()..];
        assert_eq!(certificates(file.as_bytes()).unwrap().len(), 1);
    }

    #[test]
    fn der_is_taken_too() {
        assert_eq!(crls(&[0x30, 0]).unwrap().len(), 1);
        assert!(crls(&[0x30, 0, 0]).is_err());
    }

    #[test]
    fn damage_is_named_in_plain_words() {
        let error = |file: &str| certificates(file.as_bytes()).unwrap_err();
        assert_eq!(error("").to_string(), "no certificate found: the file is empty");
        assert_eq!(
            error("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----").to_string(),
            "no certificate found: the file holds PRIVATE KEY"
        );
        assert!(matches!(error("-----BEGIN CERTIFICATE-----\nMAA="), PemError::CutOff { .. }));
        assert!(matches!(error("-----BEGIN CERTIFICATE----\nMAA="), PemError::BadLine { .. }));
        let second_bad = format!("{ONE}{}", ONE.replace("MAMC", "M%MC"));
        assert_eq!(error(&second_bad), PemError::NotBase64 { number: 2 });
    }

    #[test]
    fn an_encrypted_key_is_recognised() {
        let file = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(private_key(file).unwrap_err(), PemError::Encrypted);
    }
}
