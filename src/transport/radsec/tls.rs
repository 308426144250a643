//! The handshake, and who is let in: a NAS that proves by a certificate of one of
//! our CAs that it is one that is configured, from an address of its own.
//!
//! All of it is decided while the handshake runs, so that the TLS alert tells the
//! peer what is wrong.

use super::Policy;
use crate::eap::tls::adapter::{TlsVersion, provider};
use crate::inventory::nas::{Nas, Unidentified};
use crate::pki::error::ChainError;
use crate::pki::trust::VerifiedChain;
use crate::radius::radsec::{Radius11, Version};
use crate::telemetry::Discard;
use crate::time::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, CipherSuite, DigitallySignedStruct, DistinguishedName, Error, ProtocolVersion, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// The longest line of a log about why a peer was not let in, in octets.
const MAX_DETAIL_LEN: usize = 300;

/// A peer that is let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub nas: Arc<Nas>,
    pub chain: VerifiedChain,
}

/// Why a peer is not let in.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub reason: Discard,
    /// The NAS that it says to be, if that much is known.
    pub nas: Option<String>,
    pub detail: String,
}

impl Refusal {
    fn new(reason: Discard, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        if let Some((end, _)) = detail.char_indices().find(|(at, _)| *at >= MAX_DETAIL_LEN) {
            detail.truncate(end);
        }
        Self { reason, nas: None, detail }
    }
}

/// A refusal, and the alert that fits it.
type Refused = (Refusal, CertificateError);

impl Policy {
    /// Whether the holder of this chain, leaf first, may connect from there.
    pub(super) fn admit(
        &self,
        chain: &[CertificateDer<'_>],
        source: IpAddr,
        now: Timestamp,
    ) -> Result<Admitted, Refused> {
        let chain = self.trust.verify(chain, now).map_err(|error: ChainError| {
            (Refusal::new(Discard::RadsecCertificate, error.to_string()), error.to_rustls())
        })?;
        let denied = CertificateError::ApplicationVerificationFailure;
        let of = |facts: &crate::pki::certificate::CertificateFacts| {
            let names: Vec<&str> = facts.san_dns.iter().chain(&facts.san_ip).map(String::as_str).collect();
            format!("{}; names: {}; serial {} of {}", facts.subject, names.join(", "), facts.serial, facts.issuer)
        };
        let nas = match self.nas.by_certificate(&chain.leaf) {
            Ok(nas) => nas.clone(),
            Err(error) => {
                let reason = match error {
                    Unidentified::Nobody => Discard::RadsecUnknownNas,
                    Unidentified::Several => Discard::RadsecAmbiguous,
                };
                return Err((Refusal::new(reason, of(&chain.leaf)), denied));
            }
        };
        if !nas.may_connect_from(source) {
            let refusal = Refusal::new(Discard::RadsecSource, of(&chain.leaf));
            return Err((Refusal { nas: Some(nas.name.clone()), ..refusal }, denied));
        }
        Ok(Admitted { nas, chain })
    }

    /// Whether `nas` may speak this version.
    pub(super) fn speaks(&self, nas: &Nas, version: Version) -> bool {
        self.setting(nas).admits(version)
    }

    fn setting(&self, nas: &Nas) -> Radius11 {
        nas.radsec.as_ref().and_then(|radsec| radsec.radius_1_1).unwrap_or(self.radius_1_1)
    }

    /// What is offered to who connects from there. The certificate comes later, so
    /// that a NAS's own setting is known beforehand only by its address, and only if
    /// all that have this one are of one mind.
    fn offered(&self, source: IpAddr) -> Radius11 {
        let own = self.nas.all().iter().filter(|nas| nas.radsec.is_some() && !nas.addresses.is_empty());
        let mut settings = own.filter(|nas| nas.may_connect_from(source)).map(|nas| self.setting(nas));
        match settings.next() {
            Some(first) if settings.all(|other| other == first) => first,
            _ => self.radius_1_1,
        }
    }

    fn tls_versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let (min, max) = self.versions;
        let mut versions = Vec::with_capacity(2);
        if max == TlsVersion::V13 {
            versions.push(&rustls::version::TLS13);
        }
        if min == TlsVersion::V12 {
            versions.push(&rustls::version::TLS12);
        }
        versions
    }
}

/// What the handshake established.
#[derive(Debug)]
pub(super) struct Shaken {
    pub stream: TlsStream<TcpStream>,
    pub admitted: Admitted,
    /// The chain as it was presented, to be judged again later.
    pub presented: Vec<CertificateDer<'static>>,
    pub version: Version,
    pub tls: &'static str,
    pub cipher_suite: String,
}

/// Does the handshake. The caller sets the deadline.
///
/// # Errors
/// Why the peer is not let in; the alert has been sent.
pub(super) async fn shake(
    stream: TcpStream,
    policy: &Arc<Policy>,
    source: IpAddr,
    now: Timestamp,
) -> Result<Shaken, Refusal> {
    let failed = |error: io::Error| Refusal::new(Discard::RadsecHandshake, error.to_string());
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(failed)?;
    let refused = Arc::new(Mutex::new(None));
    let door = Door {
        hints: policy.trust.hints(),
        policy: policy.clone(),
        source,
        now,
        provider: provider(),
        refused: refused.clone(),
    };
    let config =
        door.server_config(&start.client_hello()).map_err(|e| Refusal::new(Discard::RadsecHandshake, e.to_string()))?;
    let stream = start.into_stream(Arc::new(config)).await.map_err(|error| {
        if let Some(refusal) = refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return refusal;
        }
        match error.get_ref().and_then(|e| e.downcast_ref::<Error>()) {
            Some(Error::NoCertificatesPresented) => Refusal::new(Discard::RadsecNoCertificate, error.to_string()),
            Some(Error::NoApplicationProtocol) => Refusal::new(Discard::RadsecVersion, error.to_string()),
            _ => failed(error),
        }
    })?;
    let (_, session) = stream.get_ref();
    let presented: Vec<_> =
        session.peer_certificates().unwrap_or_default().iter().map(|c| c.clone().into_owned()).collect();
    // The proof that the verifier made cannot come out of the handshake: what it
    // remembers of the chain makes this cheap.
    let admitted = policy.admit(&presented, source, now).map_err(|(refusal, _)| refusal)?;
    let version = Version::agreed(session.alpn_protocol());
    let tls = if session.protocol_version() == Some(ProtocolVersion::TLSv1_3) { "1.3" } else { "1.2" };
    if !policy.speaks(&admitted.nas, version) {
        let refusal = Refusal::new(Discard::RadsecVersion, format!("{version} was agreed on"));
        return Err(Refusal { nas: Some(admitted.nas.name.clone()), ..refusal });
    }
    let cipher_suite = session.negotiated_cipher_suite().map(|s| format!("{:?}", s.suite())).unwrap_or_default();
    Ok(Shaken { admitted, presented, version, tls, cipher_suite, stream })
}

/// Lets the peer of one connection in, or not.
#[derive(Debug)]
struct Door {
    policy: Arc<Policy>,
    source: IpAddr,
    now: Timestamp,
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
    /// Why it was not let in, since rustls tells no more than the alert.
    refused: Arc<Mutex<Option<Refusal>>>,
}

impl Door {
    fn server_config(self, hello: &ClientHello<'_>) -> Result<ServerConfig, Error> {
        let tls13 = self.policy.versions.1 == TlsVersion::V13 && offers_tls13(hello);
        let versions = self.policy.offered(self.source).versions().iter();
        // RADIUS/1.1 is not spoken over TLS 1.2 (RFC 9765, section 3.4).
        let alpn: Vec<Vec<u8>> =
            versions.filter(|v| tls13 || **v == Version::V1_0).map(|v| v.alpn().to_vec()).collect();
        let identity = Arc::new(SingleCertAndKey::from(self.policy.identity.clone()));
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&self.policy.tls_versions())?
            .with_client_cert_verifier(Arc::new(self))
            .with_cert_resolver(identity);
        config.alpn_protocols = alpn;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }
}

/// Whether the peer offers TLS 1.3: its cipher suites are of no use before.
fn offers_tls13(hello: &ClientHello<'_>) -> bool {
    hello.cipher_suites().iter().any(|suite| {
        matches!(
            suite,
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS13_AES_256_GCM_SHA384
                | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        )
    })
}

impl ClientCertVerifier for Door {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        match self.policy.admit(&chain, self.source, self.now) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err((refusal, error)) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
                Err(Error::InvalidCertificate(error))
            }
        }
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
