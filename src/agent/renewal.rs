//! The host's certificate, renewed while the present one still lets it in.

use super::client;
use super::config::Settings;
use crate::config::authority::facts_of;
use crate::config::files::{Readers, write_whole};
use crate::time::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::process::Command;

/// It is renewed when one in so many parts of its life is left.
const LEFT: u32 = 3;

/// Where the new pair is until both of its files are in their places.
fn pending(settings: &Settings) -> PathBuf {
    settings.state_dir.join("renewed.pem")
}

fn told(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}

/// Whether it is time.
pub fn due(settings: &Settings, now: Timestamp) -> Result<bool, String> {
    let path = &settings.certificate;
    let facts = facts_of(&std::fs::read(path).map_err(told(path))?).map_err(|e| format!("{}: {e}", path.display()))?;
    let life = facts.not_after.since(facts.not_before);
    Ok(now + life / LEFT > facts.not_after)
}

/// Gets a certificate for a new key, and puts both in their places. Gives its end.
///
/// # Errors
/// In words; then the present pair is as it was.
pub async fn renew(settings: &Settings) -> Result<Timestamp, String> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| e.to_string())?;
    // The names are those of the present one, whatever is asked for.
    let csr = CertificateParams::default().serialize_request(&key).and_then(|csr| csr.pem());
    let csr = csr.map_err(|e| e.to_string())?;
    let certificate = client::renewed(settings, csr).await.map_err(|e| e.to_string())?;
    let facts = facts_of(certificate.as_bytes()).map_err(|e| format!("the new certificate {e}"))?;
    let leaf = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|e| e.to_string())?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&leaf).map_err(|e| e.to_string())?;
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err("the new certificate is for another key than was asked for".into());
    }
    let pair = format!("{}{certificate}", key.serialize_pem());
    let file = pending(settings);
    write_whole(&file, &pair, Readers::Owner).map_err(told(&file))?;
    finish(settings)?;
    after(settings);
    Ok(facts.not_after)
}

/// Puts a pair in its places that was got, where the agent ended before it was there: a key of one and a certificate of the
/// other would let nobody in.
///
/// # Errors
/// When a file cannot be written.
pub fn finish(settings: &Settings) -> Result<(), String> {
    let file = pending(settings);
    let Ok(pair) = std::fs::read_to_string(&file) else { return Ok(()) };
    let begin = pair.find("-----BEGIN CERTIFICATE-----").unwrap_or(0);
    let (key, certificate) = pair.split_at(begin);
    if PrivateKeyDer::from_pem_slice(key.as_bytes()).is_ok() && facts_of(certificate.as_bytes()).is_ok() {
        write_whole(&settings.key, key, Readers::Owner).map_err(told(&settings.key))?;
        write_whole(&settings.certificate, certificate, Readers::All).map_err(told(&settings.certificate))?;
    }
    std::fs::remove_file(&file).map_err(told(&file))
}

/// Tells who uses the certificate, such as the supplicant. That it cannot be told is no fault of the certificate.
fn after(settings: &Settings) {
    let [program, args @ ..] = settings.after_renewal.as_slice() else { return };
    match Command::new(program).args(args).status() {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!(program, %status, "what is to be run after a renewal failed"),
        Err(error) => tracing::warn!(program, %error, "what is to be run after a renewal cannot be"),
    }
}
