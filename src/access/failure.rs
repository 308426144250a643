//! Each failure's one reason out of the closed list. Total: a new kind of
//! failure does not compile until it has a reason.

use super::conversation::Conversation;
use super::{Snapshot, record};
use crate::audit::reason::Reason;
use crate::eap::server::Failure;
use crate::eap::tls::TlsFailure;
use crate::eap::tls::server::MethodFailure;
use crate::pki::error::ChainError;
use crate::pki::trust::TrustStore;
use crate::store::writer::Record;
use crate::time::Timestamp;

/// Why the peer's certificate was refused.
pub fn of_chain(error: &ChainError) -> Reason {
    match error {
        ChainError::Empty => Reason::NoCertificate,
        ChainError::Expired { .. } => Reason::CertificateExpired,
        ChainError::NotYetValid { .. } => Reason::CertificateNotYetValid,
        ChainError::UnknownCa { .. } => Reason::UnknownCa,
        ChainError::Revoked { .. } => Reason::CertificateRevoked,
        ChainError::CrlMissing { .. } => Reason::CrlMissing,
        ChainError::CrlOutdated { .. } => Reason::CrlOutdated,
        ChainError::WrongUsage => Reason::WrongKeyUsage,
        ChainError::Weak { .. } | ChainError::UnsupportedAlgorithm { .. } => Reason::CertificateWeak,
        _ => Reason::CertificateInvalid,
    }
}

/// Why the conversation failed, and what is known beyond the reason.
pub fn of_eap(failure: &Failure, trust: &TrustStore, now: Timestamp) -> (Reason, String) {
    let reason = match failure {
        Failure::MethodRefused { .. } => Reason::EapMethodRefused,
        Failure::TooManyRounds => Reason::TooManyRounds,
        Failure::Protocol(_) => Reason::EapProtocolError,
        Failure::Denied => Reason::PolicyDenied,
        Failure::Method(MethodFailure::Framing(_)) => Reason::EapProtocolError,
        Failure::Method(MethodFailure::Tls(tls)) => return of_tls(tls, trust, now),
    };
    (reason, failure.to_string())
}

fn of_tls(failure: &TlsFailure, trust: &TrustStore, now: Timestamp) -> (Reason, String) {
    let reason = match failure {
        TlsFailure::Alert { code, .. } => of_alert(*code),
        TlsFailure::Certificate { chain, .. } => {
            // The handshake keeps only that it failed; asked again, the trust
            // store says why in full.
            return match trust.verify(chain, now) {
                Err(error) => (of_chain(&error), error.to_string()),
                Ok(_) => (Reason::PossessionNotProven, failure.to_string()),
            };
        }
        TlsFailure::NoCertificate => Reason::NoCertificate,
        TlsFailure::NoCommonVersion(_) => Reason::NoCommonTlsVersion,
        TlsFailure::NoCommonParameters(_) => Reason::NoCommonCipher,
        TlsFailure::Protocol(_) => Reason::TlsProtocolError,
    };
    (reason, failure.to_string())
}

/// What an alert of the peer says about us (RFC 8446, section 6.2).
fn of_alert(code: u8) -> Reason {
    match code {
        // unknown_ca
        48 => Reason::ServerCertificateNotTrusted,
        // bad_certificate, unsupported_certificate, certificate_revoked,
        // certificate_expired, certificate_unknown,
        // bad_certificate_status_response; and internal_error, which is what
        // wpa_supplicant sends when the server's name is not the expected one
        42..=46 | 80 | 113 => Reason::ServerCertificateRejected,
        // protocol_version
        70 => Reason::NoCommonTlsVersion,
        // handshake_failure, insufficient_security
        40 | 71 => Reason::NoCommonCipher,
        _ => Reason::TlsAlertFromPeer,
    }
}

/// The record of an attempt that fell silent.
pub(super) fn timed_out(snapshot: &Snapshot, conversation: Conversation, now: Timestamp) -> Record {
    let Conversation { eap, info, outer_identity, started, course, .. } = conversation;
    let (reason, detail) = if eap.is_mid_flight() {
        (Reason::FragmentsLost, "the supplicant fell silent between fragments of a TLS flight")
    } else if eap.is_half_open() {
        (Reason::ConversationTimedOut, "the supplicant never answered the proposal of EAP-TLS")
    } else {
        (Reason::ConversationTimedOut, "the supplicant fell silent during the TLS handshake")
    };
    let mut draft = record::Draft::new(&info, "eap-tls", started);
    draft.outer_identity = Some(outer_identity);
    draft.rounds = eap.rounds();
    draft.course = course;
    record::incomplete(draft, snapshot, reason, detail.into(), now)
}
