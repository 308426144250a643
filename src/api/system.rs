//! How the server itself is doing.

use super::ApiState;
use super::problem::Problem;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, `ready` or `not_ready`.
    status: &'static str,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

/// Whether the process lives
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "get_health",
    tag = "system",
    responses((status = 200, description = "It lives", body = Health)),
    security(())
)]
pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", problems: Vec::new() })
}

/// Whether logins can be served, and if not, why
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "get_readiness",
    tag = "system",
    responses(
        (status = 200, description = "They can", body = Health),
        (status = 503, description = "They cannot", body = Health),
    ),
    security(())
)]
pub(super) async fn readyz(State(state): State<ApiState>) -> (StatusCode, Json<Health>) {
    let problems = (state.ready)();
    if problems.is_empty() {
        (StatusCode::OK, Json(Health { status: "ready", problems }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "not_ready", problems }))
    }
}

/// A list that is always whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Whole<T> {
    items: Vec<T>,
}

/// Packets that got no answer, or connections that were refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Discard)]
pub(super) struct DiscardView {
    /// The NAS, or what stands for those that are none.
    nas: String,
    /// Why, out of a closed list.
    reason: &'static str,
    /// The reason in words.
    cause: &'static str,
    /// What to do about it.
    remedy: &'static str,
    /// How many, since the server was started.
    count: u64,
    last_at: Timestamp,
    /// Where the latest came from.
    last_source: String,
}

/// Packets that got no answer, by NAS and reason, with what to do
#[utoipa::path(
    get,
    path = "/api/v1/discards",
    operation_id = "list_discards",
    tag = "system",
    responses((status = 200, description = "All sorts that there were", body = Whole<DiscardView>)),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn discards(State(state): State<ApiState>) -> Json<Whole<DiscardView>> {
    let rows = state.metrics.discards();
    let items = rows.iter().map(|row| DiscardView {
        nas: row.nas.clone(),
        reason: row.reason.code(),
        cause: row.reason.cause(),
        remedy: row.reason.remedy(),
        count: row.count,
        last_at: row.last_at,
        last_source: row.last_source.to_string(),
    });
    Json(Whole { items: items.collect() })
}

/// An address that asks and is no NAS.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnknownNasView {
    address: String,
    first_at: Timestamp,
    last_at: Timestamp,
    packets: u64,
    /// What its latest packet calls it.
    #[schema(required)]
    nas_identifier: Option<String>,
    /// Which address its latest packet says that it has.
    #[schema(required)]
    nas_ip_address: Option<String>,
    /// The kind of gear that its latest packet speaks like.
    #[schema(required)]
    vendor: Option<String>,
}

/// Addresses that ask and are no NAS, with what their latest packet says of them
#[utoipa::path(
    get,
    path = "/api/v1/nas/unknown",
    operation_id = "list_unknown_nas",
    tag = "nas",
    responses((status = 200, description = "All of them", body = Whole<UnknownNasView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn unknown_nas(State(state): State<ApiState>) -> Result<Json<Whole<UnknownNasView>>, Problem> {
    let all = state.store.unknown_nas().await?;
    let items = all.iter().map(|unknown| {
        let hints = unknown.hints();
        UnknownNasView {
            address: unknown.address.to_string(),
            first_at: unknown.first,
            last_at: unknown.last,
            packets: unknown.packets,
            nas_identifier: hints.identifier.map(|name| name.to_string()),
            nas_ip_address: hints.address.map(|address| address.to_string()),
            vendor: hints.vendor.map(str::to_owned),
        }
    });
    Ok(Json(Whole { items: items.collect() }))
}

/// What was counted, for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "system",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text")),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn metrics(State(state): State<ApiState>) -> impl IntoResponse {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, TYPE)], state.metrics.encode())
}
