//! What is known of somebody at a moment, as one bundle of JSON: for a case, which outlives what is dropped for its age.

use super::Playbooks;
use super::whose::Whose;
use crate::ids::RunId;
use crate::signals::signal::Subject;
use crate::store::StoreError;
use crate::store::signals::SignalFilter;
use serde_json::{Value, json};

/// Records of each kind in a bundle.
const MAX_RECORDS: usize = 50;

impl Playbooks {
    /// Collects what is known of somebody: the latest signals, decisions and sessions, its risk and its posture.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn evidence(&self, subject: Subject, run: Option<RunId>) -> Result<Value, StoreError> {
        let (store, engine, now) = (&self.0.store, &self.0.engine, self.0.clock.now());
        let snapshot = engine.snapshot();
        let whose = Whose::of(subject, &snapshot);
        let identity = whose.as_ref().and_then(Whose::identity).cloned();
        let (name, mac) = whose.as_ref().map(Whose::names).unwrap_or_default();
        let of = match subject {
            Subject::Identity(id) => SignalFilter { identity: Some(id), ..SignalFilter::default() },
            Subject::Mac(_) => SignalFilter { mac: mac.clone(), ..SignalFilter::default() },
        };
        let signals = store.signals(of, None, MAX_RECORDS as u32).await?.items;
        let (decisions, sessions) = match &whose {
            Some(whose) => (whose.decisions(store, MAX_RECORDS).await?, whose.sessions(store, MAX_RECORDS).await?),
            // Of an identity that is no more, its name may be somebody else's by now.
            None => (Vec::new(), Vec::new()),
        };
        let signals = signals.iter().map(|signal| {
            json!({
                "id": signal.id, "at": signal.at, "kind": signal.kind, "severity": signal.severity,
                "source": signal.source, "topic": signal.topic, "detail": signal.detail, "evidence": signal.evidence,
            })
        });
        let sessions = sessions.iter().map(|session| {
            json!({
                "id": session.id, "state": session.state().code(), "nas": session.key.nas_name, "mac": session.mac(),
                "profile": session.profile(), "started_at": session.started_at(), "last_at": session.last_at,
                "decision": session.decision(),
            })
        });
        let risk = engine.risks().risk(subject, &snapshot.risk, now);
        let posture = identity.as_ref().map(|i| engine.posture().verdict(i, &snapshot.compliance, now));
        Ok(json!({
            "collected_at": now,
            "run": run,
            "identity": identity.as_ref().map(|identity| json!({
                "id": identity.id, "kind": identity.kind.to_string(), "name": name, "owner": identity.owner.as_deref(),
                "purpose": identity.purpose.as_deref(), "status": identity.status.to_string(),
            })),
            "mac": mac,
            "risk": { "level": risk.level, "score": risk.score },
            "posture": posture.as_deref(),
            "policy_revision": snapshot.policy.revision(),
            "signals": signals.collect::<Vec<_>>(),
            "decisions": decisions,
            "sessions": sessions.collect::<Vec<_>>(),
        }))
    }
}
