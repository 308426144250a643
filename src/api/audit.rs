//! Who changed what, and what proves it.

use super::ApiState;
use super::decisions::{TIME, parsed, time};
use super::extract::Query;
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::audit::event::{Entry, Event, Object, Origin, Outcome};
use crate::audit::merkle::Prover;
use crate::ids::AuditEventId;
use crate::radius::value::digits;
use crate::store::audit::{AuditFilter, Found, StoredCheckpoint};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Who.
    actor: Option<String>,
    /// What was done, such as `identity.update`.
    action: Option<String>,
    /// To which kind of thing.
    kind: Option<String>,
    /// To which, by name or id.
    object: Option<String>,
    since: Option<String>,
    until: Option<String>,
    pub(in crate::api) cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    pub(in crate::api) limit: Option<u32>,
}

/// One change, who made it, and what proves it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(super) struct EventView {
    id: AuditEventId,
    /// Its place in the log, from 0.
    seq: u64,
    at: Timestamp,
    actor: String,
    /// In which role, where one is known.
    #[schema(required)]
    role: Option<String>,
    /// From where: `kind` is `cli`, `api` (with `address`) or `server`.
    #[schema(value_type = Object)]
    source: Origin,
    /// What was done, such as `identity.update`.
    action: String,
    object: Object,
    /// What it was, as far as it became different. Secrets are hidden.
    before: Value,
    /// What it became.
    after: Value,
    /// Why, in the author's words.
    #[schema(required)]
    reason: Option<String>,
    /// `success` or `failure`.
    #[schema(value_type = String)]
    outcome: Outcome,
    /// The hash of the event before, in hexadecimal.
    prev: String,
    /// The hash of this one, in hexadecimal.
    hash: String,
}

/// That an earlier log is the beginning of the present one (RFC 6962, section 2.1.2).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Consistency {
    /// How many events the earlier one has.
    from: u64,
    /// How many the present one has.
    to: u64,
    /// Hashes in base64.
    proof: Vec<String>,
    /// The latest checkpoint, as the signed note that it is.
    checkpoint: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The number of events of an earlier checkpoint.
    from: Option<String>,
}

/// Who changed what, newest first
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "list_audit_events",
    tag = "audit",
    params(Parameters),
    responses((status = 200, description = "A page of events", body = Page<EventView>)),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<EventView>>, Problem> {
    let filter = AuditFilter {
        actor: p.actor,
        action: p.action,
        kind: p.kind,
        object: p.object,
        since: parsed("since", p.since.as_deref(), TIME, time)?,
        until: parsed("until", p.until.as_deref(), TIME, time)?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.audit_events(&filter, after, limit(p.limit)?).await?;
    Ok(Json(Page::new(page.items.iter().map(shown).collect(), page.next)))
}

/// One event
#[utoipa::path(
    get,
    path = "/api/v1/audit/{id}",
    operation_id = "get_audit_event",
    tag = "audit",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = EventView)),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<EventView>, Problem> {
    let missing = || Problem::not_found(format!("there is no event {id:?}"));
    let id: AuditEventId = id.parse().map_err(|_| missing())?;
    let found = state.store.audit_event(id).await?.ok_or_else(missing)?;
    Ok(Json(shown(&found)))
}

/// The latest signed checkpoint (C2SP tlog-checkpoint)
#[utoipa::path(
    get,
    path = "/api/v1/audit/checkpoint",
    operation_id = "get_audit_checkpoint",
    tag = "audit",
    responses((status = 200, description = "The text that it is", body = String, content_type = "text/plain"),
        (status = 404, description = "None was signed yet, or events are missing")),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn checkpoint(State(state): State<ApiState>) -> Result<Response, Problem> {
    let StoredCheckpoint { note, .. } = latest(&state).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// The proof that the log of an earlier checkpoint is the beginning of that of the latest
#[utoipa::path(
    get,
    path = "/api/v1/audit/consistency",
    operation_id = "get_audit_consistency",
    tag = "audit",
    params(From),
    responses((status = 200, description = "The proof", body = Consistency),
        (status = 404, description = "None was signed yet, or events are missing")),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn consistency(
    State(state): State<ApiState>,
    Query(From { from }): Query<From>,
) -> Result<Json<Consistency>, Problem> {
    let size = "the number of events of an earlier checkpoint";
    let from = parsed("from", from.as_deref(), size, |text| text.parse::<u64>().ok())?;
    let from = from.ok_or_else(|| Problem::parameter("from", format!("give {size}")))?;
    let latest = latest(&state).await?;
    let more = || Problem::parameter("from", format!("the latest checkpoint is about {} events", latest.size));
    let mut prover = Prover::consistency(from, latest.size).ok_or_else(more)?;
    state.store.audit_hashes(latest.size, |hash| prover.push(hash)).await?;
    let gone = || Problem::not_found("events are missing; `cordon audit verify` names them");
    let proof: Vec<String> = prover.finish().ok_or_else(gone)?.iter().map(|hash| STANDARD.encode(hash)).collect();
    Ok(Json(Consistency { from, to: latest.size, proof, checkpoint: latest.note }))
}

async fn latest(state: &ApiState) -> Result<StoredCheckpoint, Problem> {
    let missing = || Problem::not_found("no checkpoint was signed yet; the server signs one each minute");
    state.store.latest_checkpoint().await?.ok_or_else(missing)
}

fn shown(found: &Found) -> EventView {
    let Found { entry: Entry { seq, prev, event }, body: _, hash } = found;
    let Event { id, at, actor, role, source, action, object, before, after, reason, outcome } = event.clone();
    let (prev, hash) = (digits(prev), digits(hash));
    EventView { id, seq: *seq, at, actor, role, source, action, object, before, after, reason, outcome, prev, hash }
}
