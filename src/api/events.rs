//! What happens, as it happens: Server-Sent Events (the HTML standard, section 9.2).

use super::ApiState;
use super::caller::{Caller, at_site};
use super::decisions::parsed;
use super::extract::Query;
use super::problem::Problem;
use crate::audit::decision::DecisionOutcome;
use crate::operators::account::Sites;
use crate::store::feed::{FeedItem, FeedPlace};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

/// Who may watch at once: each is a connection.
pub(super) const MAX_WATCHERS: usize = 64;
/// Events that are read at a time.
const AT_ONCE: usize = 256;
/// How often something is sent though nothing happens, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After which time a client comes back that was cut off.
const RETRY: Duration = Duration::from_secs(2);
/// What a client sends that was cut off.
const LAST_EVENT_ID: &str = "last-event-id";

/// What to watch.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// `decision`, `session` or `signal`; all of them, if it is not said.
    kind: Option<String>,
    /// Of decisions: `accept`, `reject` or `incomplete`.
    outcome: Option<String>,
    /// The name of the NAS.
    nas: Option<String>,
    /// The name of the identity.
    identity: Option<String>,
    /// The id of the last event that was read; the header `Last-Event-ID` says the same.
    after: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Decision,
    Session,
    Signal,
}

struct Wanted {
    kind: Option<Kind>,
    outcome: Option<DecisionOutcome>,
    nas: Option<String>,
    identity: Option<String>,
    sites: Sites,
}

impl Wanted {
    fn includes(&self, state: &ApiState, item: &FeedItem) -> bool {
        let (kind, outcome) = match item {
            FeedItem::Decision { outcome, .. } => (Kind::Decision, Some(*outcome)),
            FeedItem::Session { .. } => (Kind::Session, None),
            FeedItem::Signal { .. } => (Kind::Signal, None),
        };
        self.kind.is_none_or(|wanted| wanted == kind)
            && self.outcome.is_none_or(|wanted| outcome == Some(wanted))
            && self.nas.as_deref().is_none_or(|nas| nas == item.nas())
            && self.identity.as_deref().is_none_or(|identity| Some(identity) == item.identity())
            && at_site(state, &self.sites, item.nas())
    }
}

/// One who watches.
struct Watcher {
    state: ApiState,
    wanted: Wanted,
    place: FeedPlace,
    /// What was read and not sent yet, the next at the end.
    ready: Vec<Event>,
    grown: tokio::sync::watch::Receiver<u64>,
    _place: OwnedSemaphorePermit,
}

fn id_of(place: FeedPlace) -> String {
    format!("{}-{}", place.run, place.next)
}

/// The place after the event with this id.
fn place_after(id: &str) -> Option<FeedPlace> {
    let (run, number) = id.split_once('-')?;
    Some(FeedPlace { run: run.parse().ok()?, next: number.parse::<u64>().ok()?.checked_add(1)? })
}

fn told(number: u64, run: u64, item: &FeedItem) -> Event {
    let (kind, data): (&str, Value) = match item {
        FeedItem::Decision { id, at, outcome, reason, nas, identity, mac, profile } => (
            "decision",
            json!({ "id": id, "at": at, "outcome": outcome, "reason": reason, "nas": nas, "identity": identity,
                    "mac": mac, "profile": profile }),
        ),
        FeedItem::Session { id, at, state, nas, identity, mac, profile } => (
            "session",
            json!({ "id": id, "at": at, "state": state, "nas": nas, "identity": identity, "mac": mac,
                    "profile": profile }),
        ),
        FeedItem::Signal { id, at, kind, severity, source, detail, nas, identity, mac, dismissed } => (
            "signal",
            json!({ "id": id, "at": at, "kind": kind, "severity": severity, "source": source, "detail": detail,
                    "nas": nas, "identity": identity, "mac": mac, "dismissed": dismissed }),
        ),
    };
    Event::default().id(id_of(FeedPlace { run, next: number })).event(kind).data(data.to_string())
}

impl Watcher {
    /// The next event, as soon as there is one.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Watcher)> {
        loop {
            if let Some(event) = self.ready.pop() {
                return Some((Ok(event), self));
            }
            self.grown.mark_unchanged();
            let feed = self.state.writer.feed();
            match feed.after(self.place, AT_ONCE) {
                None => {
                    self.place = feed.end();
                    let data = json!({ "why": "events were missed: read the lists again" }).to_string();
                    let place = FeedPlace { next: self.place.next.wrapping_sub(1), ..self.place };
                    self.ready.push(Event::default().id(id_of(place)).event("reset").data(data));
                }
                Some(read) => {
                    let run = self.place.run;
                    self.place.next += read.len() as u64;
                    let wanted = read.iter().filter(|(_, item)| self.wanted.includes(&self.state, item));
                    self.ready = wanted.map(|(number, item)| told(*number, run, item)).collect();
                    self.ready.reverse();
                    if read.is_empty() && (feed.is_closed() || self.grown.changed().await.is_err()) {
                        return None;
                    }
                }
            }
        }
    }
}

/// What happens, as it happens: Server-Sent Events of decisions, sessions and signals
///
/// Each event has an `id`; who comes back with it in `Last-Event-ID` goes on from there, as EventSource does by itself. When
/// that is too long ago, or the server was started again, the first event is `reset`: read the lists again. What was told can
/// be read. Of sessions it is told that they begin, end or log in again.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "watch_events", tag = "events", params(Parameters),
    responses(
        (status = 200, description = "Events, until the client goes", body = String, content_type = "text/event-stream"),
        (status = 429, description = "Too many watch already"),
    ),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn watch(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Query(p): Query<Parameters>,
) -> Result<Response, Problem> {
    let kind = |text: &str| match text {
        "decision" => Some(Kind::Decision),
        "session" => Some(Kind::Session),
        "signal" => Some(Kind::Signal),
        _ => None,
    };
    let wanted = Wanted {
        kind: parsed("kind", p.kind.as_deref(), "decision, session or signal", kind)?,
        outcome: parsed("outcome", p.outcome.as_deref(), "accept, reject or incomplete", DecisionOutcome::from_code)?,
        nas: p.nas,
        identity: p.identity,
        sites: caller.sites,
    };
    let after = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).map(str::to_owned).or(p.after);
    let place = parsed("after", after.as_deref(), "the id of an event", place_after)?;
    let feed = state.writer.feed();
    let place = place.unwrap_or_else(|| feed.end());
    let grown = feed.watch();
    let seat = state.watchers.clone().try_acquire_owned().map_err(|_| {
        Problem::too_many(format!("{MAX_WATCHERS} watch already; come again when one has gone"), HEARTBEAT)
    })?;
    // Something at once, so that proxies pass the answer on.
    let ready = vec![Event::default().retry(RETRY).comment("watching")];
    let watcher = Watcher { state, wanted, place, ready, grown, _place: seat };
    Ok(sse(stream::unfold(watcher, Watcher::next)).into_response())
}

fn sse(stream: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> impl IntoResponse {
    Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}
