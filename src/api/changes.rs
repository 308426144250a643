//! Changes to sessions: asked for, listed, and stopped.

use super::ApiState;
use super::caller::Caller;
use super::decisions::{mac, parsed};
use super::extract::{self, Query};
use super::page::{CURSOR, limit};
use super::problem::Problem;
use crate::coa::error_cause::ErrorCause;
use crate::coa::life::{Attempt, Ending, Fared, Life, Order, WAITING};
use crate::coa::wave::{Counts, Wave};
use crate::enforcement::coa::{Change, Wish};
use crate::ids::{ChangeOrderId, SessionId, WaveId};
use crate::jobs::asked::{Asked, Placed, Unknown, ask_many, ask_one, meant, unknown, wish};
use crate::operators::role::Permission;
use crate::store::changes::{ChangeFilter, WaveStep};
use crate::store::read::SessionFilter;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

/// Changes that are shown with the session or the decision that they are about.
pub(super) const SHOWN: u32 = 20;
/// The longest reason, and name of who asks, in characters.
const MAX_TEXT: usize = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
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
#[derive(Debug, Deserialize, ToSchema)]
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
    /// Many begin at once, however many they are.
    #[serde(default)]
    at_once: bool,
}

/// Whose sessions.
#[derive(Debug, Deserialize, ToSchema)]
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
    fn asked(&self, caller: &Caller) -> Result<Asked, Problem> {
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
        // What the help desk may do is no more than what the endpoint could do itself.
        if change != Change::Reauthenticate || self.fallback {
            caller.may(Permission::SessionsChange)?;
        }
        Ok(Asked { wish, fallback: self.fallback, by: caller.by_name(&short(&self.by)), why: short(&self.reason) })
    }
}

/// Asks for a change to one session.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/changes",
    tag = "changes",
    params(("id" = String, Path)),
    request_body = Body,
    responses((status = 202, description = "", body = Value)),
    security(("bearer" = ["sessions:help"]))
)]
pub(super) async fn ask(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    extract::Body(body): extract::Body<Body>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    if body.filter.is_some() {
        return Err(Problem::parameter("filter", "one session is named already: POST /api/v1/changes takes a filter"));
    }
    let missing = || Problem::not_found(format!("there is no session {id:?} that goes on"));
    let session: SessionId = id.parse().map_err(|_| missing())?;
    let (asked, now) = (body.asked(&caller)?, state.clock.now());
    let placed = ask_one(&state.store, &state.engine.snapshot(), session, &asked, now).await?.ok_or_else(missing)?;
    state.wake.wake();
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": placed }))))
}

/// Asks for a change to all sessions of a filter.
#[utoipa::path(
    post,
    path = "/api/v1/changes",
    tag = "changes",
    request_body = Body,
    responses((status = 202, description = "", body = Value)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn ask_all(
    State(state): State<ApiState>,
    caller: Caller,
    extract::Body(body): extract::Body<Body>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let asked = body.asked(&caller)?;
    const WHOSE: &str = "say whose sessions: nas, site, identity, mac or user; or {\"all\": true}";
    let filter = body.filter.ok_or_else(|| Problem::parameter("filter", WHOSE))?;
    let given = [
        ("nas", &filter.nas),
        ("site", &filter.site),
        ("identity", &filter.identity),
        ("mac", &filter.mac),
        ("user", &filter.user),
    ];
    let named: Vec<_> = given.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name).collect();
    match (filter.all, named.is_empty()) {
        (false, true) => return Err(Problem::parameter("filter", WHOSE)),
        (true, false) => {
            let named = named.join(", ");
            return Err(Problem::parameter("filter", format!("all contradicts {named}: say one or the other")));
        }
        _ => {}
    }
    let sessions = SessionFilter {
        nas: filter.nas,
        mac: mac(filter.mac.as_deref())?,
        identity: filter.identity,
        user: filter.user,
        ..SessionFilter::default()
    };
    let (snapshot, store, now) = (state.engine.snapshot(), &state.store, state.clock.now());
    let site = filter.site.as_deref();
    if let Some(Unknown { field, detail }) = unknown(store, &snapshot, &sessions, site).await? {
        return Err(Problem::unknown_name(field, detail));
    }
    let meant = meant(store, &snapshot, &sessions, site, now).await?;
    let placed = ask_many(store, &snapshot, &meant.sessions, &asked, !body.at_once, now).await?;
    state.wake.wake();
    let body = match placed {
        Placed::Few(ids) => json!({ "ids": ids, "sessions": ids.len(), "ended_already": meant.ended }),
        Placed::Wave(wave) => json!({
            "wave": wave.id,
            "sessions": wave.total,
            "begins_at": wave.begins,
            "ended_already": meant.ended,
        }),
    };
    Ok((StatusCode::ACCEPTED, Json(body)))
}

#[utoipa::path(
    get,
    path = "/api/v1/changes",
    tag = "changes",
    params(Parameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(State(state): State<ApiState>, Query(p): Query<Parameters>) -> Result<Json<Value>, Problem> {
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

#[utoipa::path(
    get,
    path = "/api/v1/changes/{id}",
    tag = "changes",
    params(("id" = String, Path)),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaveParameters {
    cursor: Option<String>,
    limit: Option<u32>,
}

#[utoipa::path(
    get,
    path = "/api/v1/waves",
    tag = "changes",
    params(WaveParameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn waves(
    State(state): State<ApiState>,
    Query(p): Query<WaveParameters>,
) -> Result<Json<Value>, Problem> {
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.waves(after, limit(p.limit)?).await?;
    let items: Vec<Value> = page.items.iter().map(|(wave, counts)| shown_wave(&state, wave, counts)).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

#[utoipa::path(
    get,
    path = "/api/v1/waves/{id}",
    tag = "changes",
    params(("id" = String, Path)),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn wave(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    found(&state, &id).await.map(Json)
}

/// Stops what is not sent yet.
#[utoipa::path(
    post,
    path = "/api/v1/waves/{id}/abort",
    tag = "changes",
    params(("id" = String, Path)),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn abort(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let step = match id.parse() {
        Ok(wave) => state.store.abort_wave(wave, &caller.by(), state.clock.now()).await?,
        Err(_) => WaveStep::Missing,
    };
    match step {
        WaveStep::Made(stopped) => {
            let mut shown = found(&state, &id).await?;
            shown["stopped"] = stopped.stopped.into();
            Ok(Json(shown))
        }
        WaveStep::Not(stands) => {
            Err(Problem::conflict("wave_state", format!("the wave is {stands}: there is nothing to stop")))
        }
        WaveStep::Missing => Err(no_wave(&id)),
    }
}

/// Lets one go that is held.
#[utoipa::path(
    post,
    path = "/api/v1/waves/{id}/release",
    tag = "changes",
    params(("id" = String, Path)),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn release(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let step = match id.parse() {
        Ok(wave) => state.store.release_wave(wave, &caller.by(), state.clock.now()).await?,
        Err(_) => WaveStep::Missing,
    };
    match step {
        WaveStep::Made(()) => {
            state.wake.wake();
            found(&state, &id).await.map(Json)
        }
        WaveStep::Not(stands) => Err(Problem::conflict("wave_state", format!("the wave is {stands}, and not held"))),
        WaveStep::Missing => Err(no_wave(&id)),
    }
}

fn no_wave(id: &str) -> Problem {
    Problem::not_found(format!("there is no wave {id:?}; GET /api/v1/waves shows them"))
}

async fn found(state: &ApiState, id: &str) -> Result<Value, Problem> {
    let missing = || no_wave(id);
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
        "asking": counts.asking,
        "over": over,
        "aborted": aborted,
    })
}

/// A change with what each of its attempts means.
pub(super) fn shown(life: &Life) -> Value {
    let Order { id, session, decision, nas_name, who, identity, wave, cause, target: _, created, deadline, attempts } =
        life.order();
    let (ended, next, not_before, asking) = match life {
        Life::Over(over) => (Some(over.at), Vec::new(), None, None),
        Life::Waiting(waiting) => {
            let next = waiting.chain().map(Wish::change).map(Change::code).collect();
            let asking = waiting.asks.as_ref();
            let asking = asking.map(|a| json!({ "change": a.change.code(), "since": a.at, "address": a.to }));
            (None, next, Some(waiting.not_before), asking)
        }
    };
    json!({
        "id": id,
        "state": life.code(),
        "advice": life.advice(),
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
        "asking": asking,
        "attempts": attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let (cause, why) = match &attempt.fared {
        Fared::Nak { error_cause } => (Some(ErrorCause::of(*error_cause)), None),
        Fared::Untold { why } => (None, Some(why.as_str())),
        Fared::Ack | Fared::Silent | Fared::WrongSecret => (None, None),
    };
    json!({
        "change": attempt.change.code(),
        "at": attempt.at,
        "answered_at": attempt.over,
        "address": attempt.to,
        "result": attempt.fared.code(),
        "error_cause": cause.and_then(ErrorCause::number),
        "error": cause.map(ErrorCause::code),
        "cause": cause.map(ErrorCause::cause),
        "remedy": attempt.advice(),
        "why": why,
        "late": attempt.late,
    })
}
