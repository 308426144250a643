//! Where the audit log is exported to.

use super::{Builder, certified_key};
use crate::config::Config;
use crate::eap::tls::adapter::provider;
use crate::pki::pem;
use crate::transport::syslog::Receiver;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use std::sync::Arc;

/// The port of syslog over TLS (RFC 5425, section 4.1).
const PORT: u16 = 6514;

impl Builder<'_> {
    /// `syslog` of `[audit]`.
    pub(super) fn syslog(&mut self, config: &Config) -> Option<Receiver> {
        let section = config.audit.syslog.as_ref()?;
        let (span, section) = (section.span(), section.get_ref());
        let server = section.server.get_ref();
        let parts = server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let bracketed = |host: &str| host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
        let host = match parts {
            // An IPv6 address has colons of its own, and stands in brackets.
            Some((host, 1..)) if !host.is_empty() && (bracketed(host).is_some() || !host.contains(':')) => {
                bracketed(host).unwrap_or_else(|| host.to_owned())
            }
            _ => {
                let message = format!("{server:?} is no host with a port");
                let remedy = format!("write siem.example.net:{PORT}, or [2001:db8::1]:{PORT}");
                self.wrong(section.server.span(), message, remedy);
                return None;
            }
        };
        let (given, at) = match &section.name {
            Some(name) => (name.get_ref().clone(), name.span()),
            None => (host, section.server.span()),
        };
        let Ok(name) = ServerName::try_from(given.clone()) else {
            let message = format!("{given:?} is no name that a certificate can bear");
            self.wrong(at, message, "give a DNS name or an IP address, as it is in the receiver's certificate");
            return None;
        };
        let bundle = self.read(&section.ca, "the CA file of syslog")?;
        let mut roots = RootCertStore::empty();
        let added = pem::certificates(&bundle).map(|all| roots.add_parsable_certificates(all));
        if !added.as_ref().is_ok_and(|(good, _)| *good > 0) {
            let why = added.err().map_or_else(|| "its certificates cannot be read".to_owned(), |e| e.to_string());
            let message = format!("the CA file of syslog: {why}");
            self.wrong(section.ca.span(), message, "give PEM certificates: that of the CA above the receiver's");
            return None;
        }
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let Ok(builder) = builder.map(|builder| builder.with_root_certificates(roots)) else {
            self.wrong(span, "TLS cannot be set up", "this is a fault of the program");
            return None;
        };
        let mut tls = match (&section.certificate, &section.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = self.read(certificate, "the certificate of syslog");
                let pair = certified_key(&chain?, &self.read(key, "its key")?);
                match pair {
                    Ok(pair) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair))),
                    Err(message) => {
                        self.wrong(certificate.span(), message, "give a certificate and the key that belongs to it");
                        return None;
                    }
                }
            }
            (Some(one), None) | (None, Some(one)) => {
                let message = "certificate and key of syslog go together";
                self.wrong(one.span(), message, "give both, or neither if the receiver asks for none");
                return None;
            }
        };
        // Each batch proves anew that the receiver is who it is.
        tls.resumption = Resumption::disabled();
        Some(Receiver::new(server.clone(), name, Arc::new(tls)))
    }
}
