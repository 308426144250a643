//! rustls, driven over whole flights in memory. Only this folder knows its
//! connection types: an upgrade of rustls touches nothing else. Here is the
//! server's side, and what both sides share.

mod client;

pub use client::{ClientTls, ClientTlsConfig, KeyExchange};

use super::{Established, Keys, TlsFailure};
use crate::secret::Secret;
use crate::time::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ConnectionCommon, DigitallySignedStruct, DistinguishedName, Error, HandshakeKind,
    PeerIncompatible, ProtocolVersion, ServerConfig, ServerConnection, SideData, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// RFC 5216, section 2.3.
const TLS12_KEY_LABEL: &[u8] = b"client EAP encryption";
/// RFC 9190, section 2.3.
const TLS13_KEY_LABEL: &[u8] = b"EXPORTER_EAP_TLS_Key_Material";
/// RFC 9190, section 2.3.
const TLS13_METHOD_ID_LABEL: &[u8] = b"EXPORTER_EAP_TLS_Method-Id";
/// The EAP type of EAP-TLS, which is the exporters' context and begins the
/// Session-Id.
const EAP_TYPE_TLS: u8 = 13;
/// The one octet of application data that commits the server to success
/// (RFC 9190, section 2.5).
const PROTECTED_SUCCESS: u8 = 0;
/// Where the 32 octets of random begin in the first record of a hello: record
/// header 5, handshake header 4, version 2.
const HELLO_RANDOM: std::ops::Range<usize> = 11..43;
/// TLS 1.2 sessions that the server remembers by id. One holds the client's
/// chain, about 2 KiB, so this is about 32 MiB; the oldest make room.
const SERVER_SESSIONS: usize = 16_384;

/// Decides about the peer's certificates while the handshake runs, so that the
/// TLS alert can name the fault. Called again by nobody here: what was verified
/// is established anew when the decision is taken.
pub trait ChainVerifier: Send + Sync + fmt::Debug {
    /// Whether the chain, leaf first, is good at `now`.
    ///
    /// # Errors
    /// The rustls error whose alert fits the fault.
    fn verify_chain(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), CertificateError>;

    /// Subjects of the trusted CAs, told to the peer so that it can choose.
    fn subjects(&self) -> &[DistinguishedName];
}

/// The server's side of TLS, made anew when a certificate or CA changes.
#[derive(Clone)]
pub struct ServerTlsConfig {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    identity: Arc<dyn ResolvesServerCert>,
    verifier: Arc<dyn ChainVerifier>,
    resumption: Option<Resuming>,
}

/// What sessions resume by.
#[derive(Clone)]
struct Resuming {
    /// Stateless tickets.
    ticketer: Arc<dyn ProducesTickets>,
    /// TLS 1.2 sessions by id, for supplicants that take no tickets there:
    /// wpa_supplicant does not unless it is told to.
    sessions: Arc<dyn StoresServerSessions>,
}

/// The TLS versions to speak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TlsVersion {
    /// RFC 5246.
    V12,
    /// RFC 8446.
    V13,
}

fn versions(min: TlsVersion, max: TlsVersion) -> Vec<&'static SupportedProtocolVersion> {
    let mut out = Vec::with_capacity(2);
    if max == TlsVersion::V13 {
        out.push(&rustls::version::TLS13);
    }
    if min == TlsVersion::V12 {
        out.push(&rustls::version::TLS12);
    }
    out
}

/// The one provider of cryptography.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

impl ServerTlsConfig {
    /// Speaks TLS from `min` to `max` with this certificate and key. With
    /// `resumption`, sessions resume by stateless tickets, or in TLS 1.2 by id,
    /// whose keys live and die with this value: replacing the trusted CAs makes
    /// all of them void.
    ///
    /// # Errors
    /// When the ticket keys cannot be made (no randomness).
    pub fn new(
        certified_key: CertifiedKey,
        verifier: Arc<dyn ChainVerifier>,
        min: TlsVersion,
        max: TlsVersion,
        resumption: bool,
    ) -> Result<Self, Error> {
        let resumption = if resumption {
            let ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
            Some(Resuming { ticketer, sessions: ServerSessionMemoryCache::new(SERVER_SESSIONS) })
        } else {
            None
        };
        Ok(Self {
            provider: provider(),
            versions: versions(min, max),
            identity: Arc::new(SingleCertAndKey::from(certified_key)),
            verifier,
            resumption,
        })
    }
}

impl ServerTlsConfig {
    /// The same with another verifier: tickets that were issued stay good, as
    /// far as it agrees.
    pub fn with_verifier(&self, verifier: Arc<dyn ChainVerifier>) -> Self {
        Self { verifier, ..self.clone() }
    }

    /// The same with a verifier that lets strangers finish: nothing of theirs is
    /// kept to be resumed.
    pub fn lenient(&self, verifier: Arc<dyn ChainVerifier>) -> Self {
        Self { verifier, resumption: None, ..self.clone() }
    }
}

impl fmt::Debug for ServerTlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTlsConfig").field("resumption", &self.resumption.is_some()).finish_non_exhaustive()
    }
}

/// The time as the connection sees it: set before each step, never read from a
/// clock.
#[derive(Debug)]
struct StepTime(AtomicI64);

impl rustls::time_provider::TimeProvider for StepTime {
    fn current_time(&self) -> Option<UnixTime> {
        let secs = u64::try_from(self.0.load(Ordering::Relaxed)).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}

/// Lets [`ChainVerifier`] decide, and keeps what was presented, since rustls
/// does not tell it when the handshake fails.
#[derive(Debug)]
struct PeerVerifier {
    verifier: Arc<dyn ChainVerifier>,
    provider: Arc<CryptoProvider>,
    presented: Arc<Mutex<Vec<CertificateDer<'static>>>>,
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).map(|c| c.clone().into_owned()).collect();
        let now = Timestamp::from_unix_secs(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let verdict = self.verifier.verify_chain(&chain, now);
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        verdict.map(|()| ClientCertVerified::assertion()).map_err(Error::InvalidCertificate)
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

/// The server's end of one handshake.
pub struct ServerTls {
    connection: ServerConnection,
    time: Arc<StepTime>,
    presented: Arc<Mutex<Vec<CertificateDer<'static>>>>,
    client_random: [u8; 32],
    server_random: [u8; 32],
}

impl ServerTls {
    /// Awaits a ClientHello.
    ///
    /// # Errors
    /// When rustls finds the configuration unusable.
    pub fn new(config: &ServerTlsConfig, now: Timestamp) -> Result<Self, TlsFailure> {
        let time = Arc::new(StepTime(AtomicI64::new(now.unix_secs())));
        let presented = Arc::new(Mutex::new(Vec::new()));
        let verifier = PeerVerifier {
            verifier: config.verifier.clone(),
            provider: config.provider.clone(),
            presented: presented.clone(),
        };
        let mut tls = ServerConfig::builder_with_details(config.provider.clone(), time.clone())
            .with_protocol_versions(&config.versions)
            .map_err(|e| TlsFailure::Protocol(e.to_string()))?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(config.identity.clone());
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        tls.max_early_data_size = 0;
        tls.send_tls13_tickets = usize::from(config.resumption.is_some());
        if let Some(Resuming { ticketer, sessions }) = &config.resumption {
            tls.ticketer = ticketer.clone();
            tls.session_storage = sessions.clone();
        }
        let mut connection = ServerConnection::new(Arc::new(tls)).map_err(|e| TlsFailure::Protocol(e.to_string()))?;
        // Flights are bounded by the reassembler and by our own certificates.
        connection.set_buffer_limit(None);
        Ok(Self { connection, time, presented, client_random: [0; 32], server_random: [0; 32] })
    }

    /// Takes a whole flight of the peer. What is to be sent back, an alert
    /// included, is then in [`ServerTls::output`].
    ///
    /// # Errors
    /// The failure that ends the handshake.
    pub fn advance(&mut self, flight: &[u8], now: Timestamp) -> Result<(), TlsFailure> {
        self.time.0.store(now.unix_secs(), Ordering::Relaxed);
        if self.client_random == [0; 32] {
            self.client_random = hello_random(flight);
        }
        feed(&mut self.connection, flight).map_err(|error| self.failure(error))
    }

    /// What is to be sent: the next flight, or an alert.
    pub fn output(&mut self) -> Vec<u8> {
        let out = drain(&mut self.connection);
        if self.server_random == [0; 32] && out.len() >= HELLO_RANDOM.end {
            self.server_random = hello_random(&out);
        }
        out
    }

    /// Whether the peer's Finished has been verified.
    pub fn is_finished(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Whether TLS 1.3 was negotiated, where success is signalled inside TLS.
    pub fn is_tls13(&self) -> bool {
        self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Queues the protected success indication (RFC 9190, section 2.5).
    pub fn commit(&mut self) {
        use std::io::Write;
        // Writing into memory cannot fail; were it to, the peer would miss the
        // octet and refuse, which is the safe side.
        let _ = self.connection.writer().write_all(&[PROTECTED_SUCCESS]);
    }

    /// What the finished handshake established.
    ///
    /// # Errors
    /// When it is not finished, or the exporter refuses.
    pub fn established(&self) -> Result<Established, TlsFailure> {
        let keys = export_keys(&self.connection, &self.client_random, &self.server_random)?;
        Ok(describe(&self.connection, keys))
    }

    fn failure(&self, error: Error) -> TlsFailure {
        match error {
            Error::InvalidCertificate(error) => {
                let presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner).clone();
                TlsFailure::Certificate { chain: presented, message: error.to_string() }
            }
            other => general_failure(other),
        }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

fn hello_random(flight: &[u8]) -> [u8; 32] {
    flight.get(HELLO_RANDOM).and_then(|r| r.try_into().ok()).unwrap_or([0; 32])
}

fn feed<S: SideData>(connection: &mut ConnectionCommon<S>, flight: &[u8]) -> Result<(), Error> {
    let mut rest = flight;
    while !rest.is_empty() {
        let before = rest.len();
        connection.read_tls(&mut rest).map_err(|e| Error::General(e.to_string()))?;
        connection.process_new_packets()?;
        if rest.len() == before {
            return Err(Error::General("data after the end of the connection".into()));
        }
    }
    Ok(())
}

fn drain<S: SideData>(connection: &mut ConnectionCommon<S>) -> Vec<u8> {
    let mut out = Vec::new();
    while connection.wants_write() {
        // Writing into a vector cannot fail.
        if connection.write_tls(&mut out).is_err() {
            break;
        }
    }
    out
}

fn general_failure(error: Error) -> TlsFailure {
    use PeerIncompatible as P;
    match error {
        Error::AlertReceived(alert) => TlsFailure::Alert { code: alert.into(), name: format!("{alert:?}") },
        Error::NoCertificatesPresented => TlsFailure::NoCertificate,
        Error::InvalidCertificate(e) => TlsFailure::Certificate { chain: Vec::new(), message: e.to_string() },
        Error::PeerIncompatible(
            e @ (P::Tls12NotOffered
            | P::Tls12NotOfferedOrEnabled
            | P::ServerDoesNotSupportTls12Or13
            | P::ServerTlsVersionIsDisabledByOurConfig
            | P::SupportedVersionsExtensionRequired),
        ) => TlsFailure::NoCommonVersion(format!("{e:?}")),
        Error::PeerIncompatible(e) => TlsFailure::NoCommonParameters(format!("{e:?}")),
        other => TlsFailure::Protocol(other.to_string()),
    }
}

fn export_keys<S: SideData>(
    connection: &ConnectionCommon<S>,
    client_random: &[u8; 32],
    server_random: &[u8; 32],
) -> Result<Keys, TlsFailure> {
    let export = |length: usize, label: &[u8], context: Option<&[u8]>| {
        connection
            .export_keying_material(vec![0; length], label, context)
            .map_err(|e| TlsFailure::Protocol(format!("exporting keys: {e}")))
    };
    let mut session_id = vec![EAP_TYPE_TLS];
    let material = Secret::new(if connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
        session_id.extend(export(64, TLS13_METHOD_ID_LABEL, Some(&[EAP_TYPE_TLS]))?);
        export(128, TLS13_KEY_LABEL, Some(&[EAP_TYPE_TLS]))?
    } else {
        session_id.extend_from_slice(client_random);
        session_id.extend_from_slice(server_random);
        export(128, TLS12_KEY_LABEL, None)?
    });
    let (msk, emsk) = material.expose().split_at(64);
    Ok(Keys { msk: Secret::new(msk), emsk: Secret::new(emsk), session_id })
}

fn describe<S: SideData>(connection: &ConnectionCommon<S>, keys: Keys) -> Established {
    let tls13 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    Established {
        version: if tls13 { "1.3" } else { "1.2" },
        cipher_suite: connection.negotiated_cipher_suite().map(|s| format!("{:?}", s.suite())).unwrap_or_default(),
        key_exchange: connection.negotiated_key_exchange_group().map(|g| format!("{:?}", g.name())),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        peer_chain: connection.peer_certificates().unwrap_or_default().iter().map(|c| c.clone().into_owned()).collect(),
        keys,
    }
}
