//! Where transmitters push events (RFC 8935), and how they are doing.

use super::MAX_BODY;
use crate::api::ApiState;
use crate::api::caller::bearer;
use crate::api::problem::{Problem, ProblemDetails};
use crate::jobs::shared_signals::receive::{Doing, Untaken};
use crate::operators::throttle::Network;
use crate::shared_signals::event::EventType;
use crate::shared_signals::set::{Refused, RefusedCode, TYPE};
use crate::shared_signals::transmitter::Transmitter;
use crate::time::Timestamp;
use axum::Json;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

/// When who pushes should try again what could not be judged at the moment.
const LATER: Duration = Duration::from_secs(5);

/// Why an event is refused (RFC 8935, section 2.3).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventRefused)]
pub(in crate::api) struct RefusedView {
    /// One of the codes of RFC 8935, section 2.4.
    err: &'static str,
    /// In words.
    description: String,
}

fn refused(refused: Refused) -> Response {
    let body = RefusedView { err: refused.code.code(), description: refused.description };
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// Takes an event that a transmitter pushes
///
/// RFC 8935: the body is one Security Event Token, as `application/secevent+jwt`. The transmitter shows the token of its
/// `push_token_file`. The same event again is answered alike and changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/ssf/receive/{name}",
    operation_id = "receive_event",
    tag = "shared signals",
    params(("name" = String, Path, description = "The name of the transmitter")),
    request_body(content = String, content_type = "application/secevent+jwt"),
    responses(
        (status = 202, description = "It is taken in"),
        (
            status = 400, description = "It does not hold, or no such transmitter shows that token",
            content((RefusedView = "application/json"), (ProblemDetails = "application/problem+json")),
        ),
        (status = 429, description = "Too many at once; Retry-After says when to try again"),
        (status = 503, description = "It cannot be judged at the moment"),
    ),
    security(())
)]
pub(in crate::api) async fn receive(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let transmitters = state.receiver.transmitters();
    let Some(transmitter) = authenticated(&transmitters, &name, &headers) else {
        state.failures.take(Network::of(from.ip()), now)?;
        state.metrics.shared_signals.received(RefusedCode::AuthenticationFailed.code());
        let why = "no transmitter of that name shows that token";
        return Ok(refused(Refused::new(RefusedCode::AuthenticationFailed, why)));
    };
    state.transmitters.take(name, now)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(&format!("application/{TYPE}")) {
        let why = format!("the Content-Type is {kind:?}, and not application/{TYPE}");
        state.metrics.shared_signals.received(RefusedCode::InvalidRequest.code());
        return Ok(refused(Refused::new(RefusedCode::InvalidRequest, why)));
    }
    // Of who may not push nothing is read.
    let body = to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| Problem::too_large())?;
    let body = String::from_utf8_lossy(&body);
    match state.receiver.take(&transmitter, body.trim()).await {
        Ok(_) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(Untaken::Refused(why)) => Ok(refused(why)),
        Err(Untaken::Later(why)) => Err(Problem::unavailable("not_judged", format!("{why}; push it again"), LATER)),
    }
}

/// The transmitter of this name, if it shows its token.
fn authenticated(all: &[Arc<Transmitter>], name: &str, headers: &HeaderMap) -> Option<Arc<Transmitter>> {
    let transmitter = all.iter().find(|one| one.name == name)?;
    let token = transmitter.push_token.as_ref()?;
    bool::from(bearer(headers)?.ct_eq(token.expose())).then(|| transmitter.clone())
}

/// Who tells by Shared Signals.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transmitter)]
pub(in crate::api) struct TransmitterView {
    name: String,
    issuer: String,
    /// Whether it may push.
    pushes: bool,
    /// Whether it is asked.
    polled: bool,
    /// What of all that it tells is acted on.
    events: Vec<&'static str>,
    /// What becomes of sessions whose end it tells: `no`, `reauthenticate` or `disconnect`.
    end_sessions: &'static str,
    /// Events that were taken in since the server started, repetitions included.
    taken: u64,
    /// Events that were refused.
    refused: u64,
    #[schema(required)]
    last: Option<Timestamp>,
    /// When it last tried the stream out.
    #[schema(required)]
    verified: Option<Timestamp>,
    /// What it sent along then.
    #[schema(required)]
    verified_state: Option<String>,
    /// When something last failed.
    #[schema(required)]
    failed: Option<Timestamp>,
    /// What.
    #[schema(required)]
    error: Option<String>,
}

/// Who tells by Shared Signals, and how they are doing
#[utoipa::path(
    get,
    path = "/api/v1/ssf/transmitters",
    operation_id = "list_transmitters",
    tag = "shared signals",
    responses((status = 200, description = "All of them", body = Vec<TransmitterView>)),
    security(("bearer" = ["settings:read"]))
)]
pub(in crate::api) async fn transmitters(State(state): State<ApiState>) -> Json<Vec<TransmitterView>> {
    let all = state.receiver.transmitters();
    let view = |one: &Arc<Transmitter>| {
        let Doing { taken, refused, last, verified, failed, error } = state.receiver.doing(&one.name);
        let (verified, verified_state) = verified.unzip();
        TransmitterView {
            name: one.name.clone(),
            issuer: one.issuer.clone(),
            pushes: one.push_token.is_some(),
            polled: one.poll.is_some(),
            events: EventType::ALL.iter().filter(|event| one.may_tell(**event)).map(|event| event.code()).collect(),
            end_sessions: one.ends.code(),
            taken,
            refused,
            last,
            verified,
            verified_state,
            failed,
            error,
        }
    };
    Json(all.iter().map(view).collect())
}
