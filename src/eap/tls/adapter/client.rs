//! The supplicant's side of TLS, for the client commands and tests.

use super::{
    PROTECTED_SUCCESS, StepTime, TlsVersion, describe, drain, export_keys, feed, general_failure, hello_random,
    provider, versions,
};
use crate::eap::tls::{Established, TlsFailure};
use crate::time::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Sessions the supplicant's side remembers. It talks to one server.
const CLIENT_SESSIONS: usize = 16;

/// The key exchanges that the supplicant's side offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyExchange {
    /// Those of today, and the post-quantum hybrid first.
    Hybrid,
    /// Elliptic curves alone, as most supplicants do.
    Classic,
}

/// The supplicant's side of TLS; keeps tickets for resumption while it lives.
#[derive(Clone)]
pub struct ClientTlsConfig {
    config: Arc<ClientConfig>,
    time: Arc<StepTime>,
}

impl ClientTlsConfig {
    /// Trusts servers whose chain ends in one of `roots`, and shows `identity`
    /// if there is one.
    ///
    /// # Errors
    /// When a root is no certificate, or key and certificate do not fit.
    pub fn new(
        roots: &[CertificateDer<'static>],
        identity: Option<CertifiedKey>,
        min: TlsVersion,
        max: TlsVersion,
        resumption: bool,
        key_exchange: KeyExchange,
    ) -> Result<Self, Error> {
        let provider = match key_exchange {
            KeyExchange::Hybrid => provider(),
            KeyExchange::Classic => {
                let mut classic = rustls::crypto::aws_lc_rs::default_provider();
                classic.kx_groups = vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
                Arc::new(classic)
            }
        };
        let time = Arc::new(StepTime(AtomicI64::new(0)));
        let verifier = ServerChainVerifier { roots: roots.to_vec(), provider: provider.clone() };
        let builder = ClientConfig::builder_with_details(provider, time.clone())
            .with_protocol_versions(&versions(min, max))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match identity {
            Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
            None => builder.with_no_client_auth(),
        };
        config.resumption = if resumption {
            Resumption::store(Arc::new(ClientSessionMemoryCache::new(CLIENT_SESSIONS)))
        } else {
            Resumption::disabled()
        };
        config.enable_sni = false;
        Ok(Self { config: Arc::new(config), time })
    }
}

impl fmt::Debug for ClientTlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTlsConfig")
    }
}

/// The server's chain must end in one of our roots and be meant for servers.
/// EAP knows no host name to compare.
#[derive(Debug)]
struct ServerChainVerifier {
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ServerChainVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refuse = |e: webpki::Error| {
            Error::InvalidCertificate(match e {
                webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
                webpki::Error::CertExpired { .. } => CertificateError::Expired,
                webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
                webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
                _ => CertificateError::BadEncoding,
            })
        };
        let anchors: Vec<_> =
            self.roots.iter().map(webpki::anchor_from_trusted_cert).collect::<Result<_, _>>().map_err(refuse)?;
        webpki::EndEntityCert::try_from(end_entity)
            .and_then(|cert| {
                cert.verify_for_usage(
                    self.provider.signature_verification_algorithms.all,
                    &anchors,
                    intermediates,
                    now,
                    webpki::KeyUsage::server_auth(),
                    None,
                    None,
                )
                .map(|_| ServerCertVerified::assertion())
            })
            .map_err(refuse)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The supplicant's end of one handshake.
pub struct ClientTls {
    connection: ClientConnection,
    time: Arc<StepTime>,
    client_random: [u8; 32],
    server_random: [u8; 32],
}

impl ClientTls {
    /// Begins: the ClientHello is ready in [`ClientTls::output`].
    ///
    /// # Errors
    /// When rustls finds the configuration unusable.
    pub fn new(config: &ClientTlsConfig, now: Timestamp) -> Result<Self, TlsFailure> {
        config.time.0.store(now.unix_secs(), Ordering::Relaxed);
        let name = ServerName::try_from("radius").map_err(|e| TlsFailure::Protocol(e.to_string()))?;
        let mut connection =
            ClientConnection::new(config.config.clone(), name).map_err(|e| TlsFailure::Protocol(e.to_string()))?;
        connection.set_buffer_limit(None);
        Ok(Self { connection, time: config.time.clone(), client_random: [0; 32], server_random: [0; 32] })
    }

    /// Takes a whole flight of the server.
    ///
    /// # Errors
    /// The failure that ends the handshake; the alert is in the output.
    pub fn advance(&mut self, flight: &[u8], now: Timestamp) -> Result<(), TlsFailure> {
        self.time.0.store(now.unix_secs(), Ordering::Relaxed);
        if self.server_random == [0; 32] {
            self.server_random = hello_random(flight);
        }
        feed(&mut self.connection, flight).map_err(general_failure)
    }

    /// What is to be sent.
    pub fn output(&mut self) -> Vec<u8> {
        let out = drain(&mut self.connection);
        if self.client_random == [0; 32] {
            self.client_random = hello_random(&out);
        }
        out
    }

    /// Whether the handshake is complete on this side.
    pub fn is_finished(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Whether TLS 1.3 was negotiated.
    pub fn is_tls13(&self) -> bool {
        self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Whether the server's protected success indication has arrived.
    pub fn committed(&mut self) -> bool {
        let mut octet = [0xff; 1];
        matches!(self.connection.reader().read(&mut octet), Ok(1)) && octet == [PROTECTED_SUCCESS]
    }

    /// What the finished handshake established.
    ///
    /// # Errors
    /// When it is not finished, or the exporter refuses.
    pub fn established(&self) -> Result<Established, TlsFailure> {
        let keys = export_keys(&self.connection, &self.client_random, &self.server_random)?;
        Ok(describe(&self.connection, keys))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
