//! What browsers connect to, checked as it is read.

use super::{Builder, certified_key};
use crate::config::Config;
use crate::eap::tls::adapter::provider;
use std::path::PathBuf;
use std::sync::Arc;
use toml::Spanned;

impl Builder<'_> {
    /// How the API is served over TLS; nothing when it is plain HTTP.
    pub(super) fn http(&mut self, config: &Config) -> Option<Arc<rustls::ServerConfig>> {
        let http = &config.http;
        let (certificate, key) = match (&http.certificate, &http.key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => {
                if !http.listen.get_ref().ip().is_loopback() {
                    self.wrong(
                        http.listen.span(),
                        format!("http.listen is {}, and the API is plain HTTP there", http.listen.get_ref()),
                        "give it `certificate` and `key` (`cordon ca issue --server` makes them), or listen on 127.0.0.1 or [::1]",
                    );
                }
                return None;
            }
            (Some(one), None) | (None, Some(one)) => {
                self.wrong(one.span(), "[http] has one of certificate and key", "give both, or neither");
                return None;
            }
        };
        self.served(certificate, key, "the API's")
    }

    /// How the page for endpoints is served over TLS: by the certificate of `[http]`, else that of `[tls]`. Nothing when it
    /// is plain HTTP, or nobody listens.
    pub(super) fn recheck(&mut self, config: &Config) -> Option<Arc<rustls::ServerConfig>> {
        if config.recheck.listen.is_empty() || !config.recheck.tls {
            return None;
        }
        match (&config.http.certificate, &config.http.key) {
            (Some(certificate), Some(key)) => self.served(certificate, key, "the API's"),
            _ => self.served(&config.tls.certificate, &config.tls.key, "the server's"),
        }
    }

    fn served(
        &mut self,
        certificate: &Spanned<PathBuf>,
        key: &Spanned<PathBuf>,
        whose: &str,
    ) -> Option<Arc<rustls::ServerConfig>> {
        let (chain, secret) =
            (self.read(certificate, &format!("{whose} certificate")), self.read(key, &format!("{whose} key")));
        let key = match certified_key(&chain?, &secret?) {
            Ok(key) => key,
            Err(message) => {
                self.wrong(certificate.span(), message, "`cordon ca issue --server` makes a pair that fits");
                return None;
            }
        };
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let builder = rustls::ServerConfig::builder_with_provider(provider()).with_protocol_versions(&versions);
        match builder {
            Ok(builder) => {
                let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(key));
                let mut tls = builder.with_no_client_auth().with_cert_resolver(resolver);
                tls.alpn_protocols = vec![b"http/1.1".to_vec()];
                Some(Arc::new(tls))
            }
            Err(e) => {
                self.wrong(certificate.span(), e.to_string(), "the TLS library cannot be used");
                None
            }
        }
    }
}
