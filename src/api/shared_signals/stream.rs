//! Streams: made, read, changed and taken away by their receivers (SSF 1.0, section 8.1.1).

use super::describe::AT;
use crate::api::ApiState;
use crate::api::caller::{Caller, Means};
use crate::api::extract::{Body, Query};
use crate::api::problem::Problem;
use crate::api::webhooks::url_of;
use crate::ids::StreamId;
use crate::jobs::shared_signals::push::{audience, authorization_of};
use crate::secret::Secret;
use crate::shared_signals::stream::{
    About, MAX_OWN_STREAMS, MIN_VERIFICATION, Owner, POLL, PUSH, Status, Stream, TOLD,
};
use crate::signals::signal::{MAX_TEXT, plain};
use crate::store::shared_signals::StreamRow;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// URIs of events that a receiver may ask for, known or not.
const MAX_EVENTS: usize = 100;
/// How often a change of a stream is tried that others change at the same time: each time one of them is done.
const TRIES: usize = 20;
/// The longest header that a receiver wants to be shown, in octets.
const MAX_HEADER: usize = 4_096;

/// How events are brought.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StreamDelivery)]
pub(in crate::api) struct Delivery {
    /// `urn:ietf:rfc:8935` to push, `urn:ietf:rfc:8936` to poll.
    method: String,
    /// Where they are pushed, or polled for.
    endpoint_url: Option<String>,
    /// What is shown as `Authorization` where they are pushed; it is told to nobody.
    #[serde(default, skip_serializing)]
    authorization_header: Option<String>,
}

/// What a receiver says of its stream.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StreamBody)]
pub(in crate::api) struct StreamBody {
    /// Which, where it is there already.
    stream_id: Option<String>,
    /// The URIs of the events that it wants.
    events_requested: Option<Vec<String>>,
    /// How; by polling, if it is not said.
    delivery: Option<Delivery>,
    /// What it is for.
    description: Option<String>,
}

/// A stream, as its receiver sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamConfiguration)]
pub(in crate::api) struct StreamView {
    stream_id: StreamId,
    iss: String,
    aud: String,
    events_supported: Vec<String>,
    events_requested: Vec<String>,
    events_delivered: Vec<String>,
    delivery: Delivery,
    /// In seconds.
    min_verification_interval: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// A stream, as operators see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub(in crate::api) struct StreamState {
    id: StreamId,
    /// Who made it.
    owner: String,
    status: Status,
    /// Why the status is what it is.
    #[schema(required)]
    reason: Option<String>,
    #[schema(required)]
    description: Option<String>,
    /// Where events are pushed; nowhere, if they are polled for.
    #[schema(required)]
    push: Option<String>,
    events: Vec<String>,
    /// Subjects of which nothing is told.
    removed_subjects: usize,
    created: Timestamp,
    /// When its receiver last tried it out.
    #[schema(required)]
    verified: Option<Timestamp>,
    /// Events that wait.
    waiting: u64,
    delivered: u64,
    /// Events that its queue had no room for.
    dropped: u64,
    /// Events that were given up.
    dead: u64,
    #[schema(required)]
    last_success: Option<Timestamp>,
    #[schema(required)]
    last_failure: Option<Timestamp>,
    #[schema(required)]
    last_error: Option<String>,
}

/// Which stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Which {
    /// The id of the stream.
    stream_id: Option<String>,
}

pub(super) fn view(state: &ApiState, stream: &Stream) -> StreamView {
    let (issuer, about) = (&state.teller.issuer, &stream.about);
    let delivery = match &about.push {
        Some(url) => Delivery { method: PUSH.into(), endpoint_url: Some(url.clone()), authorization_header: None },
        None => Delivery {
            method: POLL.into(),
            endpoint_url: Some(format!("{issuer}{AT}/streams/{}/poll", stream.id)),
            authorization_header: None,
        },
    };
    StreamView {
        stream_id: stream.id,
        iss: issuer.clone(),
        aud: audience(issuer, stream.id),
        events_supported: TOLD.iter().map(|event| event.uri()).collect(),
        events_requested: about.requested.clone(),
        events_delivered: about.delivered(),
        delivery,
        min_verification_interval: MIN_VERIFICATION.as_secs(),
        description: about.description.clone(),
    }
}

fn missing() -> Problem {
    Problem::not_found("you have no stream of that id; GET /api/v1/ssf/stream lists yours")
}

/// As whose a stream counts that is made by who asks.
fn owner(caller: &Caller) -> Owner {
    match (caller.means, caller.operator) {
        (Means::Token(token), _) => Owner::Token(token),
        (Means::RootToken | Means::SignIn(_), Some(operator)) => Owner::Operator(operator),
        (Means::RootToken | Means::SignIn(_), None) => Owner::Root,
    }
}

/// A stream of the one who asks.
pub(super) async fn own(state: &ApiState, caller: &Caller, id: &str) -> Result<StreamRow, Problem> {
    let id: StreamId = id.parse().map_err(|_| missing())?;
    let found = state.store.stream(id).await?;
    found.filter(|row| row.stream.owner == owner(caller)).ok_or_else(missing)
}

fn named(id: Option<&str>) -> Result<&str, Problem> {
    id.ok_or_else(|| Problem::parameter("stream_id", "say which stream: GET /api/v1/ssf/stream lists yours"))
}

/// What a delivery comes to: where events are pushed, and what is shown there.
fn delivered(state: &ApiState, delivery: Option<&Delivery>) -> Result<(Option<String>, Option<Secret>), Problem> {
    let Some(delivery) = delivery else { return Ok((None, None)) };
    match delivery.method.as_str() {
        POLL => Ok((None, None)),
        PUSH => {
            let url = delivery.endpoint_url.as_deref();
            let url = url.ok_or_else(|| Problem::parameter("delivery", "to push wants an endpoint_url"))?;
            let shown = delivery.authorization_header.as_deref();
            if shown.is_some_and(|shown| shown.len() > MAX_HEADER || HeaderValue::from_str(shown).is_err()) {
                return Err(Problem::parameter("delivery", "authorization_header is no value of a header"));
            }
            let url = url_of(url)?;
            state.teller.may_push_to(&url).map_err(|error| Problem::parameter("delivery", error))?;
            Ok((Some(url), shown.map(Secret::new)))
        }
        other => Err(Problem::parameter("delivery", format!("{other:?} is neither {PUSH} nor {POLL}"))),
    }
}

fn requested(events: Vec<String>) -> Result<Vec<String>, Problem> {
    if events.len() > MAX_EVENTS || events.iter().any(|uri| uri.len() > MAX_TEXT) {
        return Err(Problem::parameter("events_requested", format!("at most {MAX_EVENTS} URIs are asked for")));
    }
    Ok(events)
}

fn sealed(state: &ApiState, id: StreamId, shown: Option<&Secret>) -> Result<Option<Vec<u8>>, Problem> {
    let Some(shown) = shown else { return Ok(None) };
    let seal = state.inventory.seal().map_err(|e| Problem::internal(&e))?;
    seal.seal(&authorization_of(id), shown).map(Some).map_err(|e| Problem::internal(&e))
}

/// Makes a stream
///
/// It tells of everybody, until subjects are taken out of it. Without `delivery` its events are polled for.
#[utoipa::path(
    post, path = "/api/v1/ssf/stream", operation_id = "create_stream", tag = "shared signals",
    request_body = StreamBody,
    responses((status = 201, description = "It", body = StreamView)),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<StreamBody>,
) -> Result<(StatusCode, Json<StreamView>), Problem> {
    let (push, shown) = delivered(&state, body.delivery.as_ref())?;
    let now = state.clock.now();
    let stream = Stream {
        id: StreamId::new(now),
        owner: owner(&caller),
        owner_name: caller.name.clone(),
        about: About {
            requested: requested(body.events_requested.unwrap_or_default())?,
            push,
            description: body.description.as_deref().map(plain),
            removed: Vec::new(),
            reason: None,
        },
        status: Status::Enabled,
        created: now,
        version: 0,
    };
    let authorization = sealed(&state, stream.id, shown.as_ref())?;
    if !state.store.add_stream(&stream, authorization.as_deref(), &caller.by()).await? {
        let detail = format!(
            "there are as many streams as there may be, {MAX_OWN_STREAMS} of one owner: delete those that nobody uses"
        );
        return Err(Problem::conflict("too_many_streams", detail));
    }
    Ok((StatusCode::CREATED, Json(view(&state, &stream))))
}

/// One's stream, or all that one has
#[utoipa::path(
    get, path = "/api/v1/ssf/stream", operation_id = "read_stream", tag = "shared signals", params(Which),
    responses(
        (status = 200, description = "The stream of that id; without an id, a list of all", body = serde_json::Value),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn read(
    State(state): State<ApiState>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    if let Some(id) = which.stream_id {
        return Ok(Json(view(&state, &own(&state, &caller, &id).await?.stream)).into_response());
    }
    let all = state.store.streams().await?;
    let who = owner(&caller);
    let own = all.iter().filter(|row| row.stream.owner == who).map(|row| view(&state, &row.stream));
    Ok(Json(own.collect::<Vec<_>>()).into_response())
}

/// Changes a stream of the one who asks, as it is now. Where somebody else changes it meanwhile, the change is made to what they
/// made of it, so that neither is lost. `change` also gives what is shown to the receiver, sealed, where that is another.
pub(super) async fn edit(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    change: impl Fn(&mut Stream) -> Result<Option<Option<Vec<u8>>>, Problem> + Send + Sync,
) -> Result<Stream, Problem> {
    for _ in 0..TRIES {
        let old = own(state, caller, id).await?.stream;
        let mut new = old.clone();
        let shown = change(&mut new)?;
        if old == new && shown.is_none() {
            return Ok(new);
        }
        let shown = shown.as_ref().map(Option::as_deref);
        if state.store.change_stream(&old, &new, shown, &caller.by(), state.clock.now()).await? {
            return Ok(new);
        }
    }
    Err(Problem::conflict("stream_changed", "others change this stream all the time: read it, and change it again"))
}

async fn change(state: &ApiState, caller: &Caller, body: StreamBody, whole: bool) -> Result<Json<StreamView>, Problem> {
    let delivery = match body.delivery.is_some() || whole {
        true => Some(delivered(state, body.delivery.as_ref())?),
        false => None,
    };
    let events = match body.events_requested {
        Some(events) => Some(requested(events)?),
        None => whole.then(Vec::new),
    };
    let description = (body.description.is_some() || whole).then(|| body.description.as_deref().map(plain));
    let changed = edit(state, caller, named(body.stream_id.as_deref())?, |stream| {
        if let Some(events) = &events {
            stream.about.requested.clone_from(events);
        }
        if let Some(description) = &description {
            stream.about.description.clone_from(description);
        }
        let Some((push, shown)) = &delivery else { return Ok(None) };
        stream.about.push.clone_from(push);
        sealed(state, stream.id, shown.as_ref()).map(Some)
    });
    Ok(Json(view(state, &changed.await?)))
}

/// Changes what is said of a stream
#[utoipa::path(
    patch, path = "/api/v1/ssf/stream", operation_id = "update_stream", tag = "shared signals",
    request_body = StreamBody,
    responses(
        (status = 200, description = "It", body = StreamView),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn update(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<StreamBody>,
) -> Result<Json<StreamView>, Problem> {
    change(&state, &caller, body, false).await
}

/// Says anew what a stream is
#[utoipa::path(
    put, path = "/api/v1/ssf/stream", operation_id = "replace_stream", tag = "shared signals",
    request_body = StreamBody,
    responses(
        (status = 200, description = "It", body = StreamView),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn replace(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<StreamBody>,
) -> Result<Json<StreamView>, Problem> {
    change(&state, &caller, body, true).await
}

/// Takes a stream away, with all that it was not told yet
#[utoipa::path(
    delete, path = "/api/v1/ssf/stream", operation_id = "delete_stream", tag = "shared signals", params(Which),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "One has no such stream"),
    ),
    security(("bearer" = ["ssf:manage"]))
)]
pub(in crate::api) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<StatusCode, Problem> {
    let row = own(&state, &caller, named(which.stream_id.as_deref())?).await?;
    state.store.delete_stream(&row.stream, &caller.by(), state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a stream away, whosever it is
///
/// With all that it was not told yet.
#[utoipa::path(
    delete, path = "/api/v1/ssf/streams/{id}", operation_id = "remove_stream", tag = "shared signals",
    params(("id" = String, Path, description = "The id of the stream")),
    responses((status = 204, description = "It is gone")),
    security(("bearer" = ["settings:write"]))
)]
pub(in crate::api) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::not_found("there is no such stream; GET /api/v1/ssf/streams lists all");
    let id: StreamId = id.parse().map_err(|_| missing())?;
    let row = state.store.stream(id).await?.ok_or_else(missing)?;
    state.store.delete_stream(&row.stream, &caller.by(), state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All streams, and how their receivers are doing
#[utoipa::path(
    get, path = "/api/v1/ssf/streams", operation_id = "list_streams", tag = "shared signals",
    responses((status = 200, description = "All of them", body = Vec<StreamState>)),
    security(("bearer" = ["settings:read"]))
)]
pub(in crate::api) async fn all(State(state): State<ApiState>) -> Result<Json<Vec<StreamState>>, Problem> {
    let one = |row: StreamRow| StreamState {
        id: row.stream.id,
        owner: row.stream.owner_name,
        status: row.stream.status,
        reason: row.stream.about.reason.clone(),
        description: row.stream.about.description.clone(),
        events: row.stream.about.delivered(),
        push: row.stream.about.push,
        removed_subjects: row.stream.about.removed.len(),
        created: row.stream.created,
        verified: row.verified,
        waiting: row.waiting,
        delivered: row.delivered,
        dropped: row.dropped,
        dead: row.dead,
        last_success: row.last_success,
        last_failure: row.last_failure,
        last_error: row.last_error,
    };
    Ok(Json(state.store.streams().await?.into_iter().map(one).collect()))
}
