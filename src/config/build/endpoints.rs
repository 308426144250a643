//! How endpoints report for themselves, checked as it is read.

use super::{Builder, certified_key};
use crate::config::Config;
use crate::secret::Secret;
use rustls::sign::CertifiedKey;
use std::path::PathBuf;
use std::sync::Arc;
use toml::Spanned;

/// An enroll secret shorter than this, in octets, could be guessed.
const MIN_SECRET_LEN: usize = 16;

/// How endpoints report for themselves.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// The server's certificate and key there; none if nobody listens.
    pub key: Option<Arc<CertifiedKey>>,
    /// By what osquery enrolls that has no certificate; none if it may not.
    pub secret: Option<Secret>,
}

impl Builder<'_> {
    /// The certificate of `[http]`, else that of `[tls]`; and the secret.
    pub(super) fn endpoints(&mut self, config: &Config) -> Endpoints {
        let secret = config.posture.enroll_secret_file.as_ref().and_then(|file| self.enroll_secret(file));
        if config.posture.listen.is_empty() {
            return Endpoints { key: None, secret };
        }
        let (certificate, key) = match (&config.http.certificate, &config.http.key) {
            (Some(certificate), Some(key)) => (certificate, key),
            _ => (&config.tls.certificate, &config.tls.key),
        };
        let (chain, private) = (self.read(certificate, "the certificate"), self.read(key, "the key"));
        let (Some(chain), Some(private)) = (chain, private) else { return Endpoints { key: None, secret } };
        let key = match certified_key(&chain, &private) {
            Ok(key) => Some(Arc::new(key)),
            Err(message) => {
                self.wrong(certificate.span(), message, "`cordon ca issue --server` makes a pair that fits");
                None
            }
        };
        Endpoints { key, secret }
    }

    fn enroll_secret(&mut self, file: &Spanned<PathBuf>) -> Option<Secret> {
        let text = self.text(file, "the enroll secret")?.text;
        let secret = text.trim();
        if secret.len() < MIN_SECRET_LEN {
            let message = format!("the enroll secret has less than {MIN_SECRET_LEN} octets");
            self.wrong(file.span(), message, "delete the file; `cordon posture secret` makes one that is good");
            return None;
        }
        Some(Secret::new(secret))
    }
}
