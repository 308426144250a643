//! Changes to sessions: asked for, listed, and stopped.

use super::ApiState;
use super::decisions::{CURSOR, limit, mac, parsed};
use super::problem::Problem;
use crate::audit::event::By;
use crate::coa::error_cause::ErrorCause;
use crate::coa::life::{Attempt, Ending, Fared, Life, Order, WAITING};
use crate::coa::wave::{Counts, Wave};
use crate::enforcement::coa::{Change, Wish};
use crate::ids::{ChangeOrderId, SessionId, WaveId};
use crate::jobs::asked::{Asked, Placed, ask_many, ask_one, wish};
use crate::store::changes::ChangeFilter;
use crate::store::read::SessionFilter;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Changes that are shown with the session or the decision that they are about.
pub(super) const SHOWN: u32 = 20;
/// Who holds the token and does not say who.
const API: &str = "api";
/// The longest reason, and name of who asks, in characters.
const MAX_TEXT: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    session: Option<String>,
    decision: Option<String>,
    wave: Option<String>,
    nas: Option<String>,
    state: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    change: String,
    vlan: Option<Value>,
    role: Option<String>,
    #[serde(default)]
    fallback: bool,
    #[serde(default)]
    by: String,
    #[serde(default)]
    reason: String,
    filter: Option<Filter>,
}

/// Whose sessions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    nas: Option<String>,
    site: Option<String>,
    identity: Option<String>,
    mac: Option<String>,
    user: Option<String>,
    #[serde(default)]
    all: bool,
}

impl Body {
    fn asked(&self, from: SocketAddr) -> Result<Asked, Problem> {
        let known = Change::ALL.map(Change::code).join(", ");
        let change = Change::from_code(&self.change)
            .ok_or_else(|| Problem::parameter("change", format!("{:?} is none of {known}", self.change)))?;
        let vlan = match &self.vlan {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            Some(_) => return Err(Problem::parameter("vlan", "a VLAN is a number, or a name in quotes")),
        };
        let wish = wish(change, vlan.as_deref(), self.role.as_deref()).map_err(|e| Problem::parameter("change", e))?;
        let short = |text: &str| text.chars().take(MAX_TEXT).collect::<String>();
        let by = if self.by.is_empty() { API.to_owned() } else { short(&self.by) };
        Ok(Asked { wish, fallback: self.fallback, by: By::api(by, from), why: short(&self.reason) })
    }
}

/// Asks for a change to one session.
pub(super) async fn ask(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
    body: Result<Json<Body>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Json(body) = body.map_err(|e| Problem::body(e.body_text()))?;
    if body.filter.is_some() {
        return Err(Problem::parameter("filter", "one session is named already: POST /api/v1/changes takes a filter"));
    }
    let missing = || Problem::not_found(format!("there is no session {id:?} that goes on"));
    let session: SessionId = id.parse().map_err(|_| missing())?;
    let (asked, now) = (body.asked(from)?, state.clock.now());
    let placed = ask_one(&state.store, &state.engine.snapshot(), session, &asked, now).await?.ok_or_else(missing)?;
    state.wake.wake();
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": placed }))))
}

/// Asks for a change to all sessions of a filter.
pub(super) async fn ask_all(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Result<Json<Body>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Json(body) = body.map_err(|e| Problem::body(e.body_text()))?;
    let asked = body.asked(from)?;
    let filter = body
        .filter
        .filter(|f| f.all || [&f.nas, &f.site, &f.identity, &f.mac, &f.user].into_iter().any(Option::is_some));
    let filter = filter.ok_or_else(|| {
        Problem::parameter("filter", "say whose sessions: nas, site, identity, mac or user; or {\"all\": true}")
    })?;
    let sessions = SessionFilter {
        nas: filter.nas,
        mac: mac(filter.mac.as_deref())?,
        identity: filter.identity,
        user: filter.user,
        ..SessionFilter::default()
    };
    let snapshot = state.engine.snapshot();
    let placed =
        ask_many(&state.store, &snapshot, &sessions, filter.site.as_deref(), &asked, state.clock.now()).await?;
    state.wake.wake();
    let body = match placed {
        Placed::Few(ids) => json!({ "ids": ids, "sessions": ids.len() }),
        Placed::Wave(id, total) => json!({ "wave": id, "sessions": total }),
    };
    Ok((StatusCode::ACCEPTED, Json(body)))
}

pub(super) async fn list(
    State(state): State<ApiState>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(p) = query.map_err(|e| Problem::query(e.body_text()))?;
    let code = |text: &str| match text {
        WAITING => Some(WAITING),
        other => Ending::from_code(other).map(Ending::code),
    };
    let states = format!("{WAITING}, {}", Ending::ALL.map(Ending::code).join(", "));
    let filter = ChangeFilter {
        session: parsed("session", p.session.as_deref(), "the id of a session", |text| text.parse().ok())?,
        decision: parsed("decision", p.decision.as_deref(), "the id of a decision", |text| text.parse().ok())?,
        wave: parsed("wave", p.wave.as_deref(), "the id of a wave", |text| text.parse().ok())?,
        nas: p.nas,
        state: parsed("state", p.state.as_deref(), &format!("one of {states}"), code)?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.changes_to_sessions(&filter, after, limit(p.limit)?).await?;
    let items: Vec<Value> = page.items.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no change {id:?}"));
    let id: ChangeOrderId = id.parse().map_err(|_| missing())?;
    let life = state.store.change_to_session(id).await?.ok_or_else(missing)?;
    Ok(Json(shown(&life)))
}

/// The latest changes of a filter, as they are shown with what they are about.
pub(super) async fn latest(state: &ApiState, filter: &ChangeFilter) -> Result<Vec<Value>, Problem> {
    let page = state.store.changes_to_sessions(filter, None, SHOWN).await?;
    Ok(page.items.iter().map(shown).collect())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaveParameters {
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn waves(
    State(state): State<ApiState>,
    query: Result<Query<WaveParameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(p) = query.map_err(|e| Problem::query(e.body_text()))?;
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.waves(after, limit(p.limit)?).await?;
    let items: Vec<Value> = page.items.iter().map(|(wave, counts)| shown_wave(&state, wave, counts)).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

pub(super) async fn wave(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    found(&state, &id).await.map(Json)
}

/// Stops what is not done yet.
pub(super) async fn abort(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    if let Ok(wave) = id.parse() {
        state.store.abort_wave(wave, &By::api(API, from), state.clock.now()).await?;
    }
    found(&state, &id).await.map(Json)
}

/// Lets one go that is held.
pub(super) async fn release(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    if let Ok(wave) = id.parse() {
        state.store.release_wave(wave, &By::api(API, from), state.clock.now()).await?;
        state.wake.wake();
    }
    found(&state, &id).await.map(Json)
}

async fn found(state: &ApiState, id: &str) -> Result<Value, Problem> {
    let missing = || Problem::not_found(format!("there is no wave {id:?}"));
    let wave: WaveId = id.parse().map_err(|_| missing())?;
    let (wave, counts) = state.store.wave(wave).await?.ok_or_else(missing)?;
    Ok(shown_wave(state, &wave, &counts))
}

fn shown_wave(state: &ApiState, wave: &Wave, counts: &Counts) -> Value {
    let Wave { id, trigger, detail, created, begins, total, live, aborted } = wave;
    let over: serde_json::Map<String, Value> =
        counts.over.iter().map(|(code, n)| ((*code).into(), (*n).into())).collect();
    json!({
        "id": id,
        "state": wave.state(counts, state.clock.now()),
        "trigger": trigger,
        "detail": detail,
        "created_at": created,
        "begins_at": begins,
        "sessions": total,
        "sessions_in_all": live,
        "waiting": counts.waiting,
        "over": over,
        "aborted": aborted,
    })
}

/// A change with what each of its attempts means.
pub(super) fn shown(life: &Life) -> Value {
    let Order { id, session, decision, nas_name, who, identity, wave, cause, target: _, created, deadline, attempts } =
        life.order();
    let (advice, ended, next, not_before) = match life {
        Life::Over(over) => (Some(over.ending.advice()), Some(over.at), Vec::new(), None),
        Life::Waiting(waiting) => {
            (None, None, waiting.chain().map(Wish::change).map(Change::code).collect(), Some(waiting.not_before))
        }
    };
    json!({
        "id": id,
        "state": life.code(),
        "advice": advice,
        "session": session,
        "decision": decision,
        "nas": nas_name,
        "who": who,
        "identity": identity,
        "wave": wave,
        "trigger": cause.trigger,
        "reason": cause.reason,
        "detail": cause.detail,
        "automatic": cause.automatic,
        "noticed_at": cause.at,
        "created_at": created,
        "deadline": deadline,
        "ended_at": ended,
        "not_before": not_before,
        "next": next,
        "attempts": attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let (result, cause, why) = match &attempt.fared {
        Fared::Ack => ("ack", None, None),
        Fared::Nak { error_cause } => ("nak", Some(ErrorCause::of(*error_cause)), None),
        Fared::Silent => ("silent", None, None),
        Fared::Untold { why } => ("untold", None, Some(why.as_str())),
    };
    json!({
        "change": attempt.change.code(),
        "at": attempt.at,
        "answered_at": attempt.over,
        "result": result,
        "error_cause": cause.and_then(ErrorCause::number),
        "error": cause.map(ErrorCause::code),
        "cause": cause.map(ErrorCause::cause),
        "remedy": cause.map(ErrorCause::remedy),
        "why": why,
        "late": attempt.late,
    })
}
