//! How the server itself is doing.

use super::ApiState;
use super::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

/// The process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "system",
    responses((status = 200, description = "", body = Value)),
    security(())
)]
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Logins can be served; if not, why.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "system",
    responses((status = 200, description = "", body = Value)),
    security(())
)]
pub(super) async fn readyz(State(state): State<ApiState>) -> impl IntoResponse {
    let problems = (state.ready)();
    if problems.is_empty() {
        (StatusCode::OK, Json(json!({ "status": "ready" })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not_ready", "problems": problems })))
    }
}

/// Datagrams that got no answer, by NAS and reason, in words.
#[utoipa::path(
    get,
    path = "/api/v1/discards",
    tag = "system",
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn discards(State(state): State<ApiState>) -> Json<Value> {
    let items: Vec<Value> = state
        .metrics
        .discards()
        .iter()
        .map(|row| {
            json!({
                "nas": row.nas,
                "reason": row.reason.code(),
                "cause": row.reason.cause(),
                "remedy": row.reason.remedy(),
                "count": row.count,
                "last_at": row.last_at,
                "last_source": row.last_source,
            })
        })
        .collect();
    Json(json!({ "items": items }))
}

/// Who asks and is no NAS, with what its latest packet says of it.
#[utoipa::path(
    get,
    path = "/api/v1/nas/unknown",
    tag = "nas",
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn unknown_nas(State(state): State<ApiState>) -> Result<Json<Value>, Problem> {
    let items: Vec<Value> = state
        .store
        .unknown_nas()
        .await?
        .iter()
        .map(|unknown| {
            let hints = unknown.hints();
            json!({
                "address": unknown.address,
                "first_at": unknown.first,
                "last_at": unknown.last,
                "packets": unknown.packets,
                "nas_identifier": hints.identifier,
                "nas_ip_address": hints.address,
                "vendor": hints.vendor,
            })
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}

/// The text format that Prometheus and OpenMetrics readers take.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "system",
    responses((status = 200, description = "", body = String, content_type = "text/plain")),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn metrics(State(state): State<ApiState>) -> impl IntoResponse {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, TYPE)], state.metrics.encode())
}
