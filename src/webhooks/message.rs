//! What is told: one message for each thing that happened.

use crate::audit::decision::Decision;
use crate::audit::event::Entry;
use crate::playbooks::run::{Run, text_of};
use crate::session::Session;
use crate::session::state::SessionState;
use crate::signals::signal::Signal;
use crate::time::Timestamp;
use serde_json::{Value, json};

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// Of which kind; what topics are compared with.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// What there is to say of it.
    pub data: Value,
}

impl Message {
    /// An attempt was decided.
    pub fn of_decision(d: &Decision) -> Message {
        let identity = d.identity.as_ref().map(|identity| &identity.name);
        let data = json!({
            "id": d.id, "outcome": d.outcome.code(), "reason": d.reason.code(), "detail": d.detail, "method": d.method,
            "nas": d.nas_name, "nas_port": d.nas_port, "identity": identity, "mac": d.mac, "profile": d.profile,
            "policies": d.policies, "enforced": d.enforced,
        });
        Message { kind: format!("decision.{}.{}", d.outcome.code(), d.reason.code()), at: d.at, data }
    }

    /// A session began, ended, or logged in again; nothing of one that goes on.
    pub fn of_session(s: &Session) -> Option<Message> {
        if s.state() == SessionState::Active {
            return None;
        }
        let state = s.state().code();
        let data = json!({
            "id": s.id, "state": state, "nas": s.key.nas_name, "identity": s.identity(), "mac": s.mac(),
            "profile": s.profile(),
        });
        Some(Message { kind: format!("session.{state}"), at: s.last_at, data })
    }

    /// Something does not fit together.
    pub fn of_signal(signal: &Signal) -> Message {
        let (code, about) = (signal.kind.code(), &signal.about);
        let subject = json!({
            "identity": about.identity, "mac": about.mac, "endpoint": about.endpoint, "session": about.session,
            "ip": about.ip, "nas": about.nas.as_ref().map(|(name, _)| name), "address": about.nas.as_ref().map(|(_, at)| at),
        });
        let data = json!({
            "id": signal.id, "kind": code, "severity": signal.severity, "source": signal.source, "subject": subject,
            "detail": signal.detail, "cause": signal.kind.cause(), "remedy": signal.kind.remedy(),
        });
        Message { kind: format!("signal.{code}"), at: signal.at, data }
    }

    /// A run of a playbook came to another state; or, as `notify`, one of its steps tells of it.
    pub fn of_run(run: &Run, code: &str, now: Timestamp) -> Message {
        let data = json!({
            "id": run.id, "playbook": run.playbook, "state": run.state.code(), "purpose": run.purpose,
            "subject": text_of(run.subject), "who": run.who, "cause": run.cause.what, "signals": run.cause.signals,
            "began": run.began,
        });
        Message { kind: format!("playbook.{code}"), at: now, data }
    }

    /// Somebody changed something.
    pub fn of_audit(entry: &Entry) -> Message {
        let event = &entry.event;
        // It was read from JSON.
        let data = serde_json::to_value(entry).unwrap_or_default();
        Message { kind: format!("audit.{}", event.action), at: event.at, data }
    }

    /// Nothing happened: somebody wants to see that it arrives.
    pub fn of_test(now: Timestamp, by: &str) -> Message {
        Message { kind: "webhook.test".into(), at: now, data: json!({ "by": by }) }
    }

    /// The body that is sent.
    pub fn body(&self) -> String {
        json!({ "type": self.kind, "timestamp": self.at, "data": self.data }).to_string()
    }
}
