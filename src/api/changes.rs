//! Changes to sessions: asked for, listed, and stopped.

use super::ApiState;
use super::caller::Caller;
use super::decisions::{mac, parsed};
use super::extract::{self, Query};
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::audit::reason::Reason;
use crate::coa::error_cause::ErrorCause;
use crate::coa::life::{Attempt, Ending, Fared, Late, Life, Order, WAITING};
use crate::coa::wave::{Counts, Wave};
use crate::enforcement::coa::{Change, Wish};
use crate::ids::{ChangeOrderId, DecisionId, IdentityId, SessionId, WaveId};
use crate::jobs::asked::{self, Asked, Unknown, ask_many, ask_one, meant, unknown, wish};
use crate::operators::account::Sites;
use crate::operators::role::Permission;
use crate::store::changes::{ChangeFilter, WaveStep};
use crate::store::read::SessionFilter;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Changes that are shown with the session or the decision that they are about.
pub(super) const SHOWN: u32 = 20;
/// The longest reason, and name of who asks, in characters.
const MAX_TEXT: usize = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The id of a session.
    session: Option<String>,
    /// The id of the decision that had let it in.
    decision: Option<String>,
    /// The id of the wave that they are part of.
    wave: Option<String>,
    /// The name of the NAS.
    nas: Option<String>,
    /// `waiting`, or how they ended.
    state: Option<String>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewChange)]
pub(super) struct Body {
    /// `reauthenticate`, `disconnect`, `bounce_port`, `disable_port`, `change_vlan` or `change_role`.
    change: String,
    /// The VLAN's number or name, for `change_vlan`.
    vlan: Option<Value>,
    /// The role, for `change_role`.
    role: Option<String>,
    /// Whether something harsher is tried when the NAS refuses.
    #[serde(default)]
    fallback: bool,
    /// Who asks, where the server's own token is used.
    #[serde(default)]
    by: String,
    /// Why, for the record.
    #[serde(default)]
    reason: String,
    /// Whose sessions; only where none is named by the path.
    filter: Option<Filter>,
    /// Many begin at once, however many they are.
    #[serde(default)]
    at_once: bool,
}

/// Whose sessions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionFilter)]
pub(super) struct Filter {
    /// The name of a NAS.
    nas: Option<String>,
    /// The site of their NASes.
    site: Option<String>,
    /// The name of an identity.
    identity: Option<String>,
    /// A MAC address, in any spelling.
    mac: Option<String>,
    /// User-Name, as the NAS told it.
    user: Option<String>,
    /// All that go on; then nothing else is said.
    #[serde(default)]
    all: bool,
}

/// That a change is in the queue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Placed {
    /// Its id.
    id: ChangeOrderId,
}

/// That changes to several sessions are in the queue: `ids` of few, or one `wave` of many.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ManyPlaced {
    /// One for each session.
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<ChangeOrderId>>,
    /// The wave that they are part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    wave: Option<WaveId>,
    /// How many sessions are changed.
    sessions: u64,
    /// When the wave begins: later where it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    begins_at: Option<Timestamp>,
    /// Sessions that were left out, since their NAS confirmed a disconnect within the last hour.
    ended_already: u64,
}

/// A change to a session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
pub(super) struct ChangeView {
    id: ChangeOrderId,
    /// `waiting`, or how it ended.
    state: &'static str,
    /// What that means, and what to do.
    #[schema(required)]
    advice: Option<String>,
    session: SessionId,
    /// The decision that had let it in.
    #[schema(required)]
    decision: Option<DecisionId>,
    /// The name of the NAS.
    nas: String,
    /// Whose session it is: the name of the identity, or else the MAC address.
    #[schema(required)]
    who: Option<String>,
    #[schema(required)]
    identity: Option<IdentityId>,
    /// The wave that it is part of.
    #[schema(required)]
    wave: Option<WaveId>,
    /// What set it off.
    trigger: String,
    /// Why the endpoint may not stay, where it is denied now.
    #[schema(required)]
    reason: Option<Reason>,
    /// What changes, in words.
    detail: String,
    /// Whether nobody asked for it but the server itself.
    automatic: bool,
    noticed_at: Timestamp,
    created_at: Timestamp,
    /// When it is given up.
    deadline: Timestamp,
    #[schema(required)]
    ended_at: Option<Timestamp>,
    /// When it is tried next, at the earliest.
    #[schema(required)]
    not_before: Option<Timestamp>,
    /// The forms that are still to be tried, one after the other.
    next: Vec<&'static str>,
    /// What the NAS is being asked for.
    #[schema(required)]
    asking: Option<AskingView>,
    /// What was tried.
    attempts: Vec<AttemptView>,
}

/// What a NAS is being asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AskingView {
    change: &'static str,
    since: Timestamp,
    /// Where it was sent to.
    #[schema(required)]
    address: Option<String>,
}

/// What was tried, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AttemptView {
    change: &'static str,
    at: Timestamp,
    answered_at: Timestamp,
    /// Where it was sent to.
    #[schema(required)]
    address: Option<String>,
    /// `ack`, `nak`, `silent` and others.
    result: &'static str,
    /// The number of the Error-Cause.
    #[schema(required)]
    error_cause: Option<u32>,
    /// Its name.
    #[schema(required)]
    error: Option<&'static str>,
    /// What it means.
    #[schema(required)]
    cause: Option<&'static str>,
    /// What to do.
    #[schema(required)]
    remedy: Option<String>,
    /// Why it could not be asked for.
    #[schema(required)]
    why: Option<String>,
    /// What came late, if something did.
    #[schema(required)]
    late: Option<Late>,
}

/// Changes to many sessions for one cause.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Wave)]
pub(super) struct WaveView {
    id: WaveId,
    /// `held`, `going`, `over` or `aborted`.
    state: &'static str,
    /// What set it off.
    trigger: String,
    /// What it does, in words.
    detail: String,
    created_at: Timestamp,
    begins_at: Timestamp,
    /// How many sessions it changes.
    sessions: u64,
    /// How many sessions there were.
    sessions_in_all: u64,
    /// Changes that are to be tried.
    waiting: u64,
    /// Those of them whose NAS is being asked.
    asking: u64,
    /// How many ended how.
    over: BTreeMap<&'static str, u64>,
    /// Who stopped it, and when.
    #[schema(required)]
    aborted: Option<AbortedView>,
    /// How many were stopped, in the answer to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<u64>,
}

/// Who stopped a wave.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AbortedView {
    at: Timestamp,
    by: String,
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

/// Asks for a change to one session
///
/// The help desk may have it authenticate again; all else wants `sessions:change`. A newer change takes the place of
/// one that was not carried out yet.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/changes",
    operation_id = "change_session",
    tag = "changes",
    params(("id" = String, Path, description = "The id of the session")),
    request_body = Body,
    responses((status = 202, description = "It is in the queue", body = Placed)),
    security(("bearer" = ["sessions:help", "by_site"]))
)]
pub(super) async fn ask(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    extract::Body(body): extract::Body<Body>,
) -> Result<(StatusCode, Json<Placed>), Problem> {
    if body.filter.is_some() {
        return Err(Problem::parameter("filter", "one session is named already: POST /api/v1/changes takes a filter"));
    }
    let missing = || Problem::not_found(format!("there is no session {id:?} that goes on"));
    let session: SessionId = id.parse().map_err(|_| missing())?;
    if caller.sites != Sites::All {
        let found = state.store.session(session).await?.ok_or_else(missing)?;
        if !caller.reaches(&state, &found.key.nas_name) {
            return Err(missing());
        }
    }
    let (asked, now) = (body.asked(&caller)?, state.clock.now());
    let placed = ask_one(&state.store, &state.engine.snapshot(), session, &asked, now).await?.ok_or_else(missing)?;
    state.wake.wake();
    Ok((StatusCode::ACCEPTED, Json(Placed { id: placed })))
}

/// Asks for a change to all sessions of a filter
///
/// More than 20 are a wave, which is paced, may be held, and can be stopped.
#[utoipa::path(
    post,
    path = "/api/v1/changes",
    operation_id = "change_sessions",
    tag = "changes",
    request_body = Body,
    responses((status = 202, description = "They are in the queue", body = ManyPlaced),),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn ask_all(
    State(state): State<ApiState>,
    caller: Caller,
    extract::Body(body): extract::Body<Body>,
) -> Result<(StatusCode, Json<ManyPlaced>), Problem> {
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
        nas: filter.nas.map(|name| vec![name]),
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
    let ended_already = meant.ended as u64;
    let body = match placed {
        asked::Placed::Few(ids) => {
            let sessions = ids.len() as u64;
            ManyPlaced { ids: Some(ids), wave: None, sessions, begins_at: None, ended_already }
        }
        asked::Placed::Wave(wave) => ManyPlaced {
            ids: None,
            wave: Some(wave.id),
            sessions: wave.total,
            begins_at: Some(wave.begins),
            ended_already,
        },
    };
    Ok((StatusCode::ACCEPTED, Json(body)))
}

/// Changes to sessions, newest first: asked for, and found due by the server
#[utoipa::path(
    get,
    path = "/api/v1/changes",
    operation_id = "list_changes",
    tag = "changes",
    params(Parameters),
    responses((status = 200, description = "A page of them", body = Page<ChangeView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<ChangeView>>, Problem> {
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
    Ok(Json(Page::new(page.items.iter().map(shown).collect(), page.next)))
}

/// One of them: why, what was tried, and what that means
#[utoipa::path(
    get,
    path = "/api/v1/changes/{id}",
    operation_id = "get_change",
    tag = "changes",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = ChangeView)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<ChangeView>, Problem> {
    let missing = || Problem::not_found(format!("there is no change {id:?}"));
    let id: ChangeOrderId = id.parse().map_err(|_| missing())?;
    let life = state.store.change_to_session(id).await?.ok_or_else(missing)?;
    Ok(Json(shown(&life)))
}

/// The latest changes of a filter, as they are shown with what they are about.
pub(super) async fn latest(state: &ApiState, filter: &ChangeFilter) -> Result<Vec<ChangeView>, Problem> {
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

/// Changes to many sessions for one cause, newest first
#[utoipa::path(
    get,
    path = "/api/v1/waves",
    operation_id = "list_waves",
    tag = "changes",
    params(WaveParameters),
    responses((status = 200, description = "A page of them", body = Page<WaveView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn waves(
    State(state): State<ApiState>,
    Query(p): Query<WaveParameters>,
) -> Result<Json<Page<WaveView>>, Problem> {
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.waves(after, limit(p.limit)?).await?;
    let items = page.items.iter().map(|(wave, counts)| shown_wave(&state, wave, counts));
    Ok(Json(Page::new(items.collect(), page.next)))
}

/// One wave, and how far it is
#[utoipa::path(
    get,
    path = "/api/v1/waves/{id}",
    operation_id = "get_wave",
    tag = "changes",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = WaveView)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn wave(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<WaveView>, Problem> {
    found(&state, &id).await.map(Json)
}

/// Stops what is not sent yet
#[utoipa::path(
    post,
    path = "/api/v1/waves/{id}/abort",
    operation_id = "abort_wave",
    tag = "changes",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It, with how many were stopped", body = WaveView),),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn abort(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<WaveView>, Problem> {
    let step = match id.parse() {
        Ok(wave) => state.store.abort_wave(wave, &caller.by(), state.clock.now()).await?,
        Err(_) => WaveStep::Missing,
    };
    match step {
        WaveStep::Made(stopped) => {
            let mut shown = found(&state, &id).await?;
            shown.stopped = Some(stopped.stopped);
            Ok(Json(shown))
        }
        WaveStep::Not(stands) => {
            Err(Problem::conflict("wave_state", format!("the wave is {stands}: there is nothing to stop")))
        }
        WaveStep::Missing => Err(no_wave(&id)),
    }
}

/// Lets a wave go that is held
#[utoipa::path(
    post,
    path = "/api/v1/waves/{id}/release",
    operation_id = "release_wave",
    tag = "changes",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = WaveView),),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn release(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<WaveView>, Problem> {
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

async fn found(state: &ApiState, id: &str) -> Result<WaveView, Problem> {
    let missing = || no_wave(id);
    let wave: WaveId = id.parse().map_err(|_| missing())?;
    let (wave, counts) = state.store.wave(wave).await?.ok_or_else(missing)?;
    Ok(shown_wave(state, &wave, &counts))
}

fn shown_wave(state: &ApiState, wave: &Wave, counts: &Counts) -> WaveView {
    let Wave { id, trigger, detail, created, begins, total, live, aborted } = wave;
    WaveView {
        id: *id,
        state: wave.state(counts, state.clock.now()),
        trigger: trigger.clone(),
        detail: detail.clone(),
        created_at: *created,
        begins_at: *begins,
        sessions: *total,
        sessions_in_all: *live,
        waiting: counts.waiting,
        asking: counts.asking,
        over: counts.over.iter().copied().collect(),
        aborted: aborted.as_ref().map(|aborted| AbortedView { at: aborted.at, by: aborted.by.clone() }),
        stopped: None,
    }
}

/// A change with what each of its attempts means.
pub(super) fn shown(life: &Life) -> ChangeView {
    let Order { id, session, decision, nas_name, who, identity, wave, cause, target: _, created, deadline, attempts } =
        life.order();
    let (ended_at, next, not_before, asking) = match life {
        Life::Over(over) => (Some(over.at), Vec::new(), None, None),
        Life::Waiting(waiting) => {
            let next = waiting.chain().map(Wish::change).map(Change::code).collect();
            let asking = waiting.asks.as_ref();
            let asking = asking.map(|a| AskingView { change: a.change.code(), since: a.at, address: a.to.clone() });
            (None, next, Some(waiting.not_before), asking)
        }
    };
    ChangeView {
        id: *id,
        state: life.code(),
        advice: life.advice(),
        session: *session,
        decision: *decision,
        nas: nas_name.clone(),
        who: who.clone(),
        identity: *identity,
        wave: *wave,
        trigger: cause.trigger.clone(),
        reason: cause.reason,
        detail: cause.detail.clone(),
        automatic: cause.automatic,
        noticed_at: cause.at,
        created_at: *created,
        deadline: *deadline,
        ended_at,
        not_before,
        next,
        asking,
        attempts: attempts.iter().map(attempt).collect(),
    }
}

fn attempt(attempt: &Attempt) -> AttemptView {
    let (cause, why) = match &attempt.fared {
        Fared::Nak { error_cause } => (Some(ErrorCause::of(*error_cause)), None),
        Fared::Untold { why } => (None, Some(why.clone())),
        Fared::Ack | Fared::Silent | Fared::WrongSecret => (None, None),
    };
    AttemptView {
        change: attempt.change.code(),
        at: attempt.at,
        answered_at: attempt.over,
        address: attempt.to.clone(),
        result: attempt.fared.code(),
        error_cause: cause.and_then(ErrorCause::number),
        error: cause.map(ErrorCause::code),
        cause: cause.map(ErrorCause::cause),
        remedy: attempt.advice(),
        why,
        late: attempt.late.clone(),
    }
}
