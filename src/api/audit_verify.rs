//! Whether the audit log is as it was written: looked at from its beginning, one look at a time, while whoever asked watches.

use super::ApiState;
use super::problem::Problem;
use crate::audit::verify::{Report, Verifier};
use crate::config::audit::{kept_checkpoint, public_key};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use utoipa::ToSchema;

/// The look that is under way or was the last.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    state: Arc<Mutex<Stand>>,
    /// Events that were looked at.
    seen: Arc<AtomicU64>,
}

#[derive(Clone, Debug, Default)]
enum Stand {
    #[default]
    Never,
    Running {
        began: Timestamp,
        of: u64,
    },
    Over {
        began: Timestamp,
        at: Timestamp,
        report: Result<Report, String>,
    },
}

impl Look {
    fn stand(&self) -> std::sync::MutexGuard<'_, Stand> {
        // Each stand is whole, even if another thread panicked while it held the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a look at the audit log stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditVerification {
    /// `never`, `running`, `intact`, `not_intact` or `failed`.
    state: &'static str,
    #[schema(required)]
    began_at: Option<Timestamp>,
    #[schema(required)]
    ended_at: Option<Timestamp>,
    /// Events that were looked at.
    events: u64,
    /// How many there were when it began; null before.
    #[schema(required)]
    of: Option<u64>,
    /// Up to which number of events a signed checkpoint confirms them.
    confirmed: u64,
    /// Checkpoints that fit.
    checkpoints: u64,
    /// What is wrong, in words; at most 100.
    faults: Vec<String>,
    /// How much is wrong in all.
    fault_count: u64,
    /// Why it failed, where the database or the key could not be read.
    #[schema(required)]
    error: Option<String>,
}

fn shown(look: &Look) -> AuditVerification {
    let nothing = AuditVerification {
        state: "never",
        began_at: None,
        ended_at: None,
        events: 0,
        of: None,
        confirmed: 0,
        checkpoints: 0,
        faults: Vec::new(),
        fault_count: 0,
        error: None,
    };
    match &*look.stand() {
        Stand::Never => nothing,
        Stand::Running { began, of } => AuditVerification {
            state: "running",
            began_at: Some(*began),
            events: look.seen.load(Ordering::Relaxed),
            of: Some(*of),
            ..nothing
        },
        Stand::Over { began, at, report: Err(error) } => AuditVerification {
            state: "failed",
            began_at: Some(*began),
            ended_at: Some(*at),
            error: Some(error.clone()),
            ..nothing
        },
        Stand::Over { began, at, report: Ok(report) } => AuditVerification {
            state: if report.count == 0 { "intact" } else { "not_intact" },
            began_at: Some(*began),
            ended_at: Some(*at),
            events: report.events,
            of: Some(report.events),
            confirmed: report.confirmed,
            checkpoints: report.checkpoints,
            faults: report.faults.iter().map(ToString::to_string).collect(),
            fault_count: report.count,
            error: None,
        },
    }
}

/// Begins a look at the whole audit log
///
/// Each event, the chain of their hashes, and each signed checkpoint, that in the data directory included. One look is made at a
/// time: who asks while one is under way is told of that one. `GET` of the same path tells how far it is, and what it found.
#[utoipa::path(
    post, path = "/api/v1/audit/verify", operation_id = "verify_audit", tag = "audit",
    responses((status = 202, description = "It is under way", body = AuditVerification)),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn begin(State(state): State<ApiState>) -> Result<(StatusCode, Json<AuditVerification>), Problem> {
    let (look, began) = (state.audit_look.clone(), state.clock.now());
    let of = state.store.audit_head().await?.size;
    {
        let mut stand = look.stand();
        if matches!(*stand, Stand::Running { .. }) {
            drop(stand);
            return Ok((StatusCode::ACCEPTED, Json(shown(&look))));
        }
        look.seen.store(0, Ordering::Relaxed);
        *stand = Stand::Running { began, of };
    }
    tokio::spawn({
        let (state, look) = (state.clone(), look.clone());
        async move {
            let report = verified(&state, &look).await;
            *look.stand() = Stand::Over { began, at: state.clock.now(), report };
        }
    });
    Ok((StatusCode::ACCEPTED, Json(shown(&look))))
}

/// How the latest look at the audit log stands, and what it found
#[utoipa::path(
    get, path = "/api/v1/audit/verify", operation_id = "get_audit_verification", tag = "audit",
    responses((status = 200, description = "It", body = AuditVerification)),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn get(State(state): State<ApiState>) -> Json<AuditVerification> {
    Json(shown(&state.audit_look))
}

async fn verified(state: &ApiState, look: &Look) -> Result<Report, String> {
    let dir = state.inventory.data_dir().to_owned();
    let beside = tokio::task::spawn_blocking(move || (public_key(&dir), kept_checkpoint(&dir)));
    let (key, kept) = beside.await.map_err(|e| e.to_string())?;
    let key = key?;
    let mut notes: Vec<(String, String)> =
        kept.map(|note| ("the checkpoint in the data directory".to_owned(), note)).into_iter().collect();
    let verifier = |stored: Vec<crate::store::audit::StoredCheckpoint>| {
        notes.extend(stored.into_iter().map(|c| (format!("the checkpoint of {} events", c.size), c.note)));
        Verifier::against(notes, key.as_slice())
    };
    let report = state.store.audit_verify(verifier, |seen| look.seen.store(seen, Ordering::Relaxed));
    report.await.map_err(|e| e.to_string())
}
