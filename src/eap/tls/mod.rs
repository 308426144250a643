//! EAP-TLS (RFC 5216, and RFC 9190 for TLS 1.3).
//!
//! [`fragment`] carries TLS flights in EAP packets, [`adapter`] drives rustls
//! over whole flights in memory, [`server`] is the server's method on top of
//! both. The supplicant's half is in [`crate::eap::peer`].

pub mod adapter;
pub mod fragment;
pub mod server;

use crate::secret::Secret;
use rustls_pki_types::CertificateDer;

/// The keys that the method exports (RFC 5216, section 2.3; RFC 9190, 2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// Master Session Key, 64 octets: the NAS gets it as MS-MPPE keys.
    pub msk: Secret,
    /// Extended Master Session Key, 64 octets: it never leaves the server.
    pub emsk: Secret,
    /// Names the keys (EAP-Key-Name, RFC 4072); 65 octets.
    pub session_id: Vec<u8>,
}

/// What a finished TLS handshake established.
#[derive(Clone, Debug)]
pub struct Established {
    /// "1.2" or "1.3".
    pub version: &'static str,
    /// The cipher suite, by its IANA name.
    pub cipher_suite: String,
    /// The key exchange group; `None` where a TLS 1.2 session was resumed.
    pub key_exchange: Option<String>,
    /// No certificate was sent now: it was, when the ticket was issued.
    pub resumed: bool,
    /// The peer's certificate and intermediates, leaf first, as it sent them.
    pub peer_chain: Vec<CertificateDer<'static>>,
    /// The exported keys.
    pub keys: Keys,
}

/// Why a handshake failed, by whose fault it is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TlsFailure {
    /// The peer ended it with an alert.
    #[error("the peer sent the TLS alert {name} ({code})")]
    Alert {
        /// The alert's number (RFC 8446, section 6).
        code: u8,
        /// The alert's name.
        name: String,
    },
    /// The peer's certificate, or its proof of possession, did not hold.
    #[error("the peer's certificate was refused: {message}")]
    Certificate {
        /// What it presented, leaf first.
        chain: Vec<CertificateDer<'static>>,
        /// What the TLS library said.
        message: String,
    },
    /// The peer sent no certificate.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// No TLS version that both sides allow.
    #[error("no TLS version in common: {0}")]
    NoCommonVersion(String),
    /// No cipher suite, group or signature scheme that both sides allow.
    #[error("no TLS parameters in common: {0}")]
    NoCommonParameters(String),
    /// Anything else that breaks the protocol.
    #[error("TLS protocol error: {0}")]
    Protocol(String),
}
