//! The trusted CAs, as the TLS handshake asks for them.

use super::trust::TrustStore;
use crate::eap::tls::adapter::ChainVerifier;
use crate::time::Timestamp;
use rustls::{CertificateError, DistinguishedName};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;

/// Lets a [`TrustStore`] decide during the handshake.
#[derive(Debug)]
pub struct ClientVerifier {
    trust: Arc<TrustStore>,
    subjects: Vec<DistinguishedName>,
}

impl ClientVerifier {
    /// Asks `trust`.
    pub fn new(trust: Arc<TrustStore>) -> Self {
        let subjects = trust.hints();
        Self { trust, subjects }
    }
}

/// Believes every chain: for where nothing is decided by it.
#[derive(Debug)]
pub struct AnyChain(Vec<DistinguishedName>);

impl AnyChain {
    /// Names these authorities to the peer, so that it picks the right
    /// certificate.
    pub fn new(subjects: Vec<DistinguishedName>) -> Self {
        Self(subjects)
    }
}

impl ChainVerifier for AnyChain {
    fn verify_chain(&self, _: &[CertificateDer<'_>], _: Timestamp) -> Result<(), CertificateError> {
        Ok(())
    }

    fn subjects(&self) -> &[DistinguishedName] {
        &self.0
    }
}

impl ChainVerifier for ClientVerifier {
    fn verify_chain(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), CertificateError> {
        self.trust.verify(chain, now).map(|_| ()).map_err(|error| error.to_rustls())
    }

    fn subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }
}
