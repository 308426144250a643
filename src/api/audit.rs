//! Who changed what, and what proves it.

use super::ApiState;
use super::decisions::{TIME, parsed, time};
use super::extract::Query;
use super::page::{CURSOR, limit};
use super::problem::Problem;
use crate::audit::event::{Entry, Event};
use crate::audit::merkle::Prover;
use crate::ids::AuditEventId;
use crate::radius::value::digits;
use crate::store::audit::{AuditFilter, Found, StoredCheckpoint};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    actor: Option<String>,
    action: Option<String>,
    kind: Option<String>,
    object: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    from: Option<String>,
}

#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "audit",
    params(Parameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn list(State(state): State<ApiState>, Query(p): Query<Parameters>) -> Result<Json<Value>, Problem> {
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
    let items: Vec<Value> = page.items.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next": page.next.map(|seq| seq.to_string()) })))
}

#[utoipa::path(
    get,
    path = "/api/v1/audit/{id}",
    tag = "audit",
    params(("id" = String, Path)),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no event {id:?}"));
    let id: AuditEventId = id.parse().map_err(|_| missing())?;
    let found = state.store.audit_event(id).await?.ok_or_else(missing)?;
    Ok(Json(shown(&found)))
}

/// The latest checkpoint, as the signed note that it is.
#[utoipa::path(
    get,
    path = "/api/v1/audit/checkpoint",
    tag = "audit",
    responses((status = 200, description = "", body = String, content_type = "text/plain")),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn checkpoint(State(state): State<ApiState>) -> Result<Response, Problem> {
    let StoredCheckpoint { note, .. } = latest(&state).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// That the log of an earlier checkpoint is the beginning of that of the latest.
#[utoipa::path(
    get,
    path = "/api/v1/audit/consistency",
    tag = "audit",
    params(From),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["audit:read"]))
)]
pub(super) async fn consistency(
    State(state): State<ApiState>,
    Query(From { from }): Query<From>,
) -> Result<Json<Value>, Problem> {
    let size = "the number of events of an earlier checkpoint";
    let from = parsed("from", from.as_deref(), size, |text| text.parse::<u64>().ok())?;
    let from = from.ok_or_else(|| Problem::parameter("from", format!("give {size}")))?;
    let latest = latest(&state).await?;
    let more = || Problem::parameter("from", format!("the latest checkpoint is about {} events", latest.size));
    let mut prover = Prover::consistency(from, latest.size).ok_or_else(more)?;
    state.store.audit_hashes(latest.size, |hash| prover.push(hash)).await?;
    let gone = || Problem::not_found("events are missing; `cordon audit verify` names them");
    let proof: Vec<String> = prover.finish().ok_or_else(gone)?.iter().map(|hash| STANDARD.encode(hash)).collect();
    Ok(Json(json!({ "from": from, "to": latest.size, "proof": proof, "checkpoint": latest.note })))
}

async fn latest(state: &ApiState) -> Result<StoredCheckpoint, Problem> {
    let missing = || Problem::not_found("no checkpoint was signed yet; the server signs one each minute");
    state.store.latest_checkpoint().await?.ok_or_else(missing)
}

fn shown(found: &Found) -> Value {
    let Found { entry: Entry { seq, prev, event }, body: _, hash } = found;
    let Event { id, at, actor, role, source, action, object, before, after, reason, outcome } = event;
    json!({
        "id": id,
        "seq": seq,
        "at": at,
        "actor": actor,
        "role": role,
        "source": source,
        "action": action,
        "object": object,
        "before": before,
        "after": after,
        "reason": reason,
        "outcome": outcome,
        "prev": digits(prev),
        "hash": digits(hash),
    })
}
