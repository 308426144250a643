//! The trusted CAs as rustls asks for them.

use super::trust::TrustStore;
use crate::time::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;

/// Demands a client certificate and has a [`TrustStore`] verify it.
///
/// rustls passes on only what fits into its own error type; whoever needs the
/// full [`ChainError`](super::trust::ChainError) asks the store again.
#[derive(Debug)]
pub struct ClientVerifier {
    trust: Arc<TrustStore>,
    hints: Vec<DistinguishedName>,
}

impl ClientVerifier {
    /// A verifier for one state of the trusted CAs.
    pub fn new(trust: Arc<TrustStore>) -> Self {
        let hints = trust.hints();
        Self { trust, hints }
    }

    /// The store it asks.
    pub fn trust(&self) -> &Arc<TrustStore> {
        &self.trust
    }

    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        self.trust.algorithms()
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let borrowed = std::iter::once(end_entity).chain(intermediates);
        let chain: Vec<CertificateDer<'_>> = borrowed
            .map(|certificate| CertificateDer::from(certificate.as_ref()))
            .collect();
        let now = Timestamp::from_unix_secs(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        match self.trust.verify(&chain, now) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => Err(Error::InvalidCertificate(error.to_rustls())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
