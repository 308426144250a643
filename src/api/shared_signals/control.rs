//! What receivers do with their streams: pause them, take subjects out, try them out, and poll (SSF 1.0, sections 8.1.2 to
//! 8.1.4; RFC 8936).

use super::stream::{edit, own};
use crate::api::ApiState;
use crate::api::caller::Caller;
use crate::api::extract::{Body, Query};
use crate::api::problem::Problem;
use crate::ids::StreamEventId;
use crate::jobs::shared_signals::push::{MAX_POLLED, Untold};
use crate::shared_signals::happening::Happening;
use crate::shared_signals::stream::{MAX_ALL_REMOVED, MAX_REMOVED, MAX_SUBJECT, MIN_VERIFICATION, Status, Stream};
use crate::shared_signals::subject::Subject;
use crate::signals::signal::plain;
use crate::store::shared_signals::Sent;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// The longest text that is sent along when a stream is tried out, in octets.
const MAX_STATE: usize = 1_024;
/// Events that one question may acknowledge and refuse.
const MAX_SETTLED: usize = 1_000;

/// Which stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Of {
    /// The id of the stream.
    stream_id: String,
}

/// Whether a stream tells anything.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StreamStatusOf)]
pub(in crate::api) struct StatusOf {
    /// The id of the stream.
    stream_id: String,
    status: Status,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Whether a stream tells anything
#[utoipa::path(
    get, path = "/api/v1/ssf/status", operation_id = "read_stream_status", tag = "shared signals", params(Of),
    responses(
        (status = 200, description = "It", body = StatusOf),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn status(
    State(state): State<ApiState>,
    caller: Caller,
    Query(of): Query<Of>,
) -> Result<Json<StatusOf>, Problem> {
    let stream = own(&state, &caller, &of.stream_id).await?.stream;
    Ok(Json(StatusOf { stream_id: of.stream_id, status: stream.status, reason: stream.about.reason }))
}

/// Has a stream tell what happens, keep it for later, or do neither
#[utoipa::path(
    post, path = "/api/v1/ssf/status", operation_id = "set_stream_status", tag = "shared signals",
    request_body = StatusOf,
    responses(
        (status = 200, description = "It", body = StatusOf),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn set_status(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<StatusOf>,
) -> Result<Json<StatusOf>, Problem> {
    let reason = body.reason.as_deref().map(plain);
    let changed = edit(&state, &caller, &body.stream_id, |stream| {
        (stream.status, stream.about.reason) = (body.status, reason.clone());
        Ok(None)
    });
    let Stream { status, about, .. } = changed.await?;
    Ok(Json(StatusOf { stream_id: body.stream_id, status, reason: about.reason }))
}

/// A subject of a stream.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StreamSubject)]
pub(in crate::api) struct SubjectBody {
    /// The id of the stream.
    stream_id: String,
    /// The subject (RFC 9493).
    subject: Value,
    /// Whether the receiver knows that it is theirs; it counts for nothing.
    #[serde(default, rename = "verified")]
    _verified: bool,
}

async fn subject(state: &ApiState, caller: &Caller, body: SubjectBody, removes: bool) -> Result<(), Problem> {
    Subject::read(&body.subject).map_err(|e| Problem::parameter("subject", e.to_string()))?;
    let len = body.subject.to_string().len();
    if len > MAX_SUBJECT {
        return Err(Problem::parameter("subject", format!("a subject has at most {MAX_SUBJECT} octets")));
    }
    let changed = edit(state, caller, &body.stream_id, |stream| {
        let about = &mut stream.about;
        if about.removed.contains(&body.subject) == removes {
            return Ok(None);
        }
        if !removes {
            about.removed.retain(|known| *known != body.subject);
            return Ok(None);
        }
        if about.removed.len() >= MAX_REMOVED || about.removed_len() + len > MAX_ALL_REMOVED {
            let detail = format!(
                "{MAX_REMOVED} subjects or {MAX_ALL_REMOVED} octets are left out already: leave the others out where they arrive"
            );
            return Err(Problem::conflict("too_many_subjects", detail));
        }
        about.removed.push(body.subject.clone());
        Ok(None)
    });
    changed.await.map(drop)
}

/// Has a stream tell of a subject again
#[utoipa::path(
    post, path = "/api/v1/ssf/subjects/add", operation_id = "add_stream_subject", tag = "shared signals",
    request_body = SubjectBody,
    responses(
        (status = 200, description = "It is told of"),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn add_subject(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<SubjectBody>,
) -> Result<StatusCode, Problem> {
    subject(&state, &caller, body, false).await.map(|()| StatusCode::OK)
}

/// Takes a subject out of a stream
#[utoipa::path(
    post, path = "/api/v1/ssf/subjects/remove", operation_id = "remove_stream_subject", tag = "shared signals",
    request_body = SubjectBody,
    responses(
        (status = 204, description = "Nothing is told of it"),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn remove_subject(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<SubjectBody>,
) -> Result<StatusCode, Problem> {
    subject(&state, &caller, body, true).await.map(|()| StatusCode::NO_CONTENT)
}

/// Which stream is to be tried out.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StreamVerification)]
pub(in crate::api) struct VerifyBody {
    /// The id of the stream.
    stream_id: String,
    /// What is sent along.
    state: Option<String>,
}

/// Sends an event that tells of nothing
#[utoipa::path(
    post, path = "/api/v1/ssf/verify", operation_id = "verify_stream", tag = "shared signals",
    request_body = VerifyBody,
    responses(
        (status = 204, description = "It is on its way"),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn verify(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<VerifyBody>,
) -> Result<StatusCode, Problem> {
    if body.state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
        return Err(Problem::parameter("state", format!("at most {MAX_STATE} octets are sent along")));
    }
    let row = own(&state, &caller, &body.stream_id).await?;
    let now = state.clock.now();
    if row.verified.is_some_and(|at| now.since(at) < MIN_VERIFICATION && at <= now) {
        let detail = format!("a stream is tried out once in {} seconds", MIN_VERIFICATION.as_secs());
        return Err(Problem::too_many(detail, MIN_VERIFICATION));
    }
    if !state.store.tell_one(row.stream.id, &Happening::verification(body.state, now)).await? {
        let detail = "the stream is disabled, or as many events wait as may: POST /api/v1/ssf/status enables it";
        return Err(Problem::conflict("stream_state", detail));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What is asked for, and what came of what was given before (RFC 8936, section 2.2).
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StreamPoll)]
pub(in crate::api) struct PollBody {
    /// The most events of the answer; 100 if it is not said.
    #[serde(default, rename = "maxEvents")]
    most: Option<u32>,
    /// Whether to answer at once, though there is nothing; else it is waited for half a minute, or until another waits.
    #[serde(default, rename = "returnImmediately")]
    at_once: bool,
    /// Events that are taken in.
    #[serde(default)]
    ack: Vec<String>,
    /// Events that are refused, with why.
    #[serde(default, rename = "setErrs")]
    errors: BTreeMap<String, PollError>,
}

/// Why an event is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StreamPollError)]
pub(in crate::api) struct PollError {
    /// A code of RFC 8935.
    err: String,
    /// In words.
    #[serde(default)]
    description: String,
}

/// Events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamEvents)]
pub(in crate::api) struct Polled {
    /// Security Event Tokens by their `jti`; they come again until they are acknowledged or refused.
    sets: BTreeMap<String, Value>,
    /// Whether there are more.
    #[serde(rename = "moreAvailable")]
    more: bool,
}

/// Polls for the events of a stream
///
/// RFC 8936.
#[utoipa::path(
    post, path = "/api/v1/ssf/streams/{id}/poll", operation_id = "poll_stream", tag = "shared signals",
    params(("id" = String, Path, description = "The id of the stream")),
    request_body = PollBody,
    responses((status = 200, description = "Events", body = Polled)),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn poll(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<PollBody>,
) -> Result<Json<Polled>, Problem> {
    let stream = own(&state, &caller, &id).await?.stream;
    if stream.about.push.is_some() {
        return Err(Problem::conflict("stream_state", "the events of this stream are pushed"));
    }
    if body.ack.len() + body.errors.len() > MAX_SETTLED {
        return Err(Problem::parameter("ack", format!("at most {MAX_SETTLED} events are settled at once")));
    }
    let known = |jti: &String| jti.parse::<StreamEventId>().ok();
    let mut settled: Vec<_> = body.ack.iter().filter_map(|jti| Some((known(jti)?, Sent::Taken))).collect();
    settled.extend(body.errors.iter().filter_map(|(jti, refusal)| {
        let error = plain(&format!("it answered {} {}", refusal.err, refusal.description));
        Some((known(jti)?, Sent::Dead { error }))
    }));
    let most = body.most.unwrap_or(MAX_POLLED);
    let polled = state.teller.poll(stream.id, &settled, most, !body.at_once).await.map_err(|error| match error {
        Untold::Store(error) => error.into(),
        error => Problem::internal(&error),
    })?;
    let (sets, more) = polled;
    Ok(Json(Polled { sets, more }))
}
