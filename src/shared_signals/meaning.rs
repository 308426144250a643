//! What an event means here: a signal, its severity, and whether sessions end.

use super::event::EventType;
use super::set::Set;
use super::transmitter::Sort;
use crate::signals::kind::SignalKind;
use crate::signals::signal::{Severity, plain};

/// What an event means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meaning {
    /// The signal that it becomes.
    pub kind: SignalKind,
    /// How bad it is. `Info` takes back what was told before.
    pub severity: Severity,
    /// What tells it from others of the same kind: the same again takes its place.
    pub topic: String,
    /// Whether sessions end at once.
    pub ends: bool,
    /// What of a complex subject it is about, the first that is known.
    pub about: [&'static str; 2],
    /// What a subject is that does not say so, where the event does.
    pub sort: Option<Sort>,
}

/// An account as a whole, rather than one session.
const ACCOUNT: &str = "account";
/// That a credential is to be changed, whichever it is: what is told of one credential takes nothing of it back.
const CHANGE_REQUIRED: &str = "change-required";
const DEVICE_FIRST: [&str; 2] = ["device", "user"];
const USER_FIRST: [&str; 2] = ["user", "device"];

/// What an event means; nothing, where it is acknowledged and no more.
pub fn meaning(set: &Set) -> Option<Meaning> {
    let says = |key: &str, word: &str| set.text(key).is_some_and(|said| said.eq_ignore_ascii_case(word));
    // What is good news of one credential, namespace or principal takes back nothing of another.
    let named = |key: &str| plain(&set.text(key).unwrap_or_default().to_ascii_lowercase());
    let of = |kind, severity, topic, about, sort| Some(Meaning { kind, severity, topic, ends: false, about, sort });
    let account = |severity, ends| {
        Some(Meaning {
            kind: SignalKind::SessionRevoked,
            severity,
            topic: ACCOUNT.to_owned(),
            ends,
            about: USER_FIRST,
            sort: Some(Sort::User),
        })
    };
    match set.event? {
        EventType::SessionRevoked | EventType::SessionsRevoked => Some(Meaning {
            kind: SignalKind::SessionRevoked,
            severity: Severity::High,
            topic: String::new(),
            ends: true,
            about: DEVICE_FIRST,
            sort: None,
        }),
        EventType::AccountDisabled | EventType::AccountPurged => account(Severity::Critical, true),
        EventType::AccountEnabled => account(Severity::Info, false),
        EventType::CredentialChange => {
            let topic = named("credential_type");
            let says = |word| says("change_type", word);
            if says("revoke") || says("delete") {
                of(SignalKind::CredentialChange, Severity::High, topic, USER_FIRST, None)
            } else if (says("create") || says("update")) && !topic.is_empty() {
                of(SignalKind::CredentialChange, Severity::Info, topic, USER_FIRST, None)
            } else {
                None
            }
        }
        EventType::CredentialCompromise => {
            of(SignalKind::CredentialCompromise, Severity::High, named("credential_type"), USER_FIRST, None)
        }
        EventType::CredentialChangeRequired => of(
            SignalKind::CredentialCompromise,
            Severity::Medium,
            CHANGE_REQUIRED.to_owned(),
            USER_FIRST,
            Some(Sort::User),
        ),
        EventType::AssuranceLevelChange => {
            // What does not say in which direction is weighed as the worse.
            let severity = if says("change_direction", "increase") { Severity::Info } else { Severity::High };
            of(SignalKind::AssuranceLevelChange, severity, named("namespace"), USER_FIRST, None)
        }
        EventType::DeviceComplianceChange if says("current_status", "compliant") => {
            of(SignalKind::DeviceNotCompliant, Severity::Info, String::new(), DEVICE_FIRST, Some(Sort::Thing))
        }
        EventType::DeviceComplianceChange if says("current_status", "not-compliant") => {
            of(SignalKind::DeviceNotCompliant, Severity::High, String::new(), DEVICE_FIRST, Some(Sort::Thing))
        }
        EventType::RiskLevelChange => {
            // Such that the level here is that there: without `[risk]`, 70 points are just below high when a second is over.
            let levels = [("HIGH", Severity::Critical), ("MEDIUM", Severity::High), ("LOW", Severity::Info)];
            let (_, severity) = levels.into_iter().find(|(level, _)| says("current_level", level))?;
            let (about, sort) = if says("principal", "DEVICE") {
                (DEVICE_FIRST, Some(Sort::Thing))
            } else {
                (USER_FIRST, says("principal", "USER").then_some(Sort::User))
            };
            // Of a tenant or a group it is not known whom it concerns.
            let known = ["USER", "DEVICE", "SESSION"].into_iter().any(|principal| says("principal", principal));
            if known || set.text("principal").is_none() {
                of(SignalKind::RiskLevelChange, severity, named("principal"), about, sort)
            } else {
                None
            }
        }
        EventType::DeviceComplianceChange
        | EventType::TokenClaimsChange
        | EventType::SessionEstablished
        | EventType::SessionPresented
        | EventType::IdentifierChanged
        | EventType::IdentifierRecycled
        | EventType::OptIn
        | EventType::OptOutInitiated
        | EventType::OptOutCancelled
        | EventType::OptOutEffective
        | EventType::RecoveryActivated
        | EventType::RecoveryInformationChanged
        | EventType::Verification
        | EventType::StreamUpdated => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use serde_json::{Value, json};

    fn of(event: EventType, details: Value) -> Option<(SignalKind, Severity, bool)> {
        full(event, details).map(|meaning| (meaning.kind, meaning.severity, meaning.ends))
    }

    fn full(event: EventType, details: Value) -> Option<Meaning> {
        let set = Set {
            jti: "1".into(),
            issued: Timestamp::from_unix_secs(1_790_000_000),
            subject: None,
            uri: event.uri(),
            event: Some(event),
            details: details.as_object().unwrap().clone(),
        };
        meaning(&set)
    }

    #[test]
    fn good_news_of_one_thing_takes_back_nothing_of_another() {
        let topic = |event, details| full(event, details).unwrap().topic;
        let change = |kind: &str, change: &str| json!({ "credential_type": kind, "change_type": change });
        let revoked = topic(EventType::CredentialChange, change("x509", "revoke"));
        assert_eq!(revoked, topic(EventType::CredentialChange, change("X509", "create")));
        assert_ne!(revoked, topic(EventType::CredentialChange, change("fido2-platform", "create")));
        let risk = |principal: &str, level: &str| json!({ "principal": principal, "current_level": level });
        let high = topic(EventType::RiskLevelChange, risk("DEVICE", "HIGH"));
        assert_ne!(high, topic(EventType::RiskLevelChange, risk("USER", "LOW")));
        let compromised = topic(EventType::CredentialCompromise, json!({ "credential_type": "password" }));
        assert_ne!(compromised, topic(EventType::CredentialChangeRequired, json!({})));
        for details in [json!({ "credential_type": "x509" }), change("x509", "odd"), json!({ "change_type": "create" })]
        {
            assert_eq!(full(EventType::CredentialChange, details.clone()), None, "{details}");
        }
    }

    #[test]
    fn each_event_means_what_the_page_says() {
        use SignalKind as K;
        for (event, details, wanted) in [
            (EventType::SessionRevoked, json!({}), Some((K::SessionRevoked, Severity::High, true))),
            (EventType::SessionsRevoked, json!({}), Some((K::SessionRevoked, Severity::High, true))),
            (EventType::AccountDisabled, json!({}), Some((K::SessionRevoked, Severity::Critical, true))),
            (EventType::AccountEnabled, json!({}), Some((K::SessionRevoked, Severity::Info, false))),
            (
                EventType::CredentialChange,
                json!({ "change_type": "revoke" }),
                Some((K::CredentialChange, Severity::High, false)),
            ),
            (
                EventType::CredentialChange,
                json!({ "credential_type": "x509", "change_type": "create" }),
                Some((K::CredentialChange, Severity::Info, false)),
            ),
            (
                EventType::DeviceComplianceChange,
                json!({ "current_status": "not-compliant" }),
                Some((K::DeviceNotCompliant, Severity::High, false)),
            ),
            (
                EventType::DeviceComplianceChange,
                json!({ "current_status": "compliant" }),
                Some((K::DeviceNotCompliant, Severity::Info, false)),
            ),
            (EventType::DeviceComplianceChange, json!({ "current_status": 5 }), None),
            (
                EventType::RiskLevelChange,
                json!({ "principal": "USER", "current_level": "HIGH" }),
                Some((K::RiskLevelChange, Severity::Critical, false)),
            ),
            (
                EventType::RiskLevelChange,
                json!({ "current_level": "low" }),
                Some((K::RiskLevelChange, Severity::Info, false)),
            ),
            (EventType::RiskLevelChange, json!({ "principal": "TENANT", "current_level": "HIGH" }), None),
            (EventType::RiskLevelChange, json!({ "current_level": "EXTREME" }), None),
            (
                EventType::AssuranceLevelChange,
                json!({ "change_direction": "decrease" }),
                Some((K::AssuranceLevelChange, Severity::High, false)),
            ),
            (EventType::CredentialCompromise, json!({}), Some((K::CredentialCompromise, Severity::High, false))),
            (EventType::Verification, json!({ "state": "x" }), None),
            (EventType::SessionPresented, json!({}), None),
        ] {
            assert_eq!(of(event, details.clone()), wanted, "{event:?} {details}");
        }
    }
}
