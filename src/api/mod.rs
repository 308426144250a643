//! The HTTP API: decisions, sessions and changes to them, endpoints, signals, the audit log,
//! discards, NASes, health and metrics. Plain HTTP on loopback; a bearer token opens all but the probes.

mod audit;
mod changes;
mod decisions;
mod endpoints;
mod nas;
mod problem;
mod sessions;
mod system;
mod usage;

use crate::access::Engine;
use crate::jobs::changes::Wake;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::writer::Writer;
use crate::telemetry::Metrics;
use crate::transport::clock::Clock;
use crate::transport::radsec::Connections;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use problem::Problem;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a reader waits for what was recorded before it asked.
const CATCH_UP: Duration = Duration::from_millis(500);

/// Tells why the server cannot serve; nothing when it can.
pub type ReadyCheck = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the handlers work with.
#[derive(Clone)]
pub struct ApiState {
    store: Store,
    engine: Arc<Engine>,
    connections: Connections,
    token: Secret,
    metrics: Arc<Metrics>,
    writer: Writer,
    clock: Arc<Clock>,
    wake: Wake,
    ready: ReadyCheck,
}

/// What the API reads from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// What was recorded.
    pub store: Store,
    /// What is on its way there.
    pub writer: Writer,
    /// How requests are served.
    pub engine: Arc<Engine>,
    /// The TLS connections of NASes.
    pub connections: Connections,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<Clock>,
    /// Wakes who changes sessions.
    pub wake: Wake,
}

impl ApiState {
    /// Reads from `sources`, for those who know `token`.
    pub fn new(sources: Sources, token: Secret, ready: ReadyCheck) -> Self {
        let Sources { store, writer, engine, connections, metrics, clock, wake } = sources;
        Self { store, engine, connections, token, metrics, writer, clock, wake, ready }
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").finish_non_exhaustive()
    }
}

/// All routes.
pub fn router(state: ApiState) -> Router {
    let guarded = Router::new()
        .route("/api/v1/decisions", get(decisions::list))
        .route("/api/v1/decisions/{id}", get(decisions::one))
        .route("/api/v1/sessions", get(sessions::list))
        .route("/api/v1/sessions/{id}", get(sessions::one))
        .route("/api/v1/sessions/{id}/changes", post(changes::ask))
        .route("/api/v1/changes", get(changes::list).post(changes::ask_all))
        .route("/api/v1/changes/{id}", get(changes::one))
        .route("/api/v1/waves", get(changes::waves))
        .route("/api/v1/waves/{id}", get(changes::wave))
        .route("/api/v1/waves/{id}/abort", post(changes::abort))
        .route("/api/v1/waves/{id}/release", post(changes::release))
        .route("/api/v1/who", get(sessions::who))
        .route("/api/v1/usage", get(usage::usage))
        .route("/api/v1/storage", get(usage::storage))
        .route("/api/v1/endpoints", get(endpoints::list))
        .route("/api/v1/endpoints/{id}", get(endpoints::one))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/audit/checkpoint", get(audit::checkpoint))
        .route("/api/v1/audit/consistency", get(audit::consistency))
        .route("/api/v1/audit/{id}", get(audit::one))
        .route("/api/v1/signals", get(endpoints::signals))
        .route("/api/v1/discards", get(system::discards))
        .route("/api/v1/nas", get(nas::list))
        .route("/api/v1/nas/unknown", get(system::unknown_nas))
        .route("/metrics", get(system::metrics))
        .route_layer(from_fn_with_state(state.clone(), require_token));
    Router::new()
        .merge(guarded)
        // Probes tell nothing that a port scan would not, and load balancers
        // carry no token.
        .route("/healthz", get(system::healthz))
        .route("/readyz", get(system::readyz))
        .fallback(|| async { Problem::not_found("no such resource; see docs/api.md for those that exist") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .with_state(state)
}

/// RFC 6750: `Authorization: Bearer <token>`.
async fn require_token(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().split_at_checked("Bearer ".len()))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
        .map(|(_, token)| token);
    match given {
        Some(token) if bool::from(token.ct_eq(state.token.expose())) => {
            // Whoever has seen an answer finds its record.
            state.store.caught_up(CATCH_UP).await;
            next.run(request).await
        }
        given => Problem::unauthorized(given.is_some()).into_response(),
    }
}
