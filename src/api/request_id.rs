//! Each request has an id, by which the log and who asked can speak of it; and what is said of every answer.

use super::ApiState;
use crate::telemetry::trace::Span;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use uuid::Uuid;

/// The header with the id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header with the trace that a client is in (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";
/// The longest id that is taken from a client, in octets.
const MAX_ID: usize = 64;

/// The id that the client gave, if it can stand in a log; else a new one.
fn id_of(request: &Request) -> String {
    let plain = |id: &&str| {
        !id.is_empty()
            && id.len() <= MAX_ID
            && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(plain);
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Serves a request under its id, and notes how it went. Paths are told as patterns, and queries not at all: what is in them
/// may be a secret.
pub(super) async fn identified(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let id = id_of(&request);
    let path = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("api", request = id, %method, path = path.as_str());
    let traceparent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let trace = state.tracer.continued(traceparent);
    let began = state.clock.now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let ended = state.clock.now();
    let (status, took) = (response.status().as_u16(), ended.since(began));
    state.metrics.api.answered(method.as_str(), &path, status, took);
    span.in_scope(|| {
        if method.is_safe() && status < 500 {
            tracing::debug!(status, ?took, "answered");
        } else {
            tracing::info!(status, ?took, "answered");
        }
    });
    if let Some(trace) = trace {
        let mut span = Span::below(trace, format!("{method} {path}"), began, ended)
            .with("http.request.method", method.to_string())
            .with("http.route", path)
            .with("http.response.status_code", i64::from(status))
            .with("cordon.request.id", id.clone());
        (span.served, span.failed) = (true, status >= 500);
        state.tracer.record(span);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // What is about a network is for who asked, and nobody's cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}
