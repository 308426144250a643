//! Playbooks at work: their runs, drills, and the button that stops them all.

use super::ApiState;
use super::caller::Caller;
use super::containments::{Asked, Release, asked, identity_of, to_its_end};
use super::decisions::parsed;
use super::extract::{Body, Query};
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::access::Snapshot;
use crate::audit::event::By;
use crate::ids::{ChangeOrderId, IdentityId, RunId, SignalId};
use crate::jobs::playbooks::{Counts, NotDone, Playbooks, Report};
use crate::operators::role::Permission;
use crate::playbooks::playbook::Step;
use crate::playbooks::run::{Done, Outcome, Purpose, Run, State as RunState};
use crate::signals::signal::Subject;
use crate::store::playbooks::RunFilter;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// The playbooks that the server comes with, as documents.
const SHIPPED: [&str; 4] = [
    include_str!("../../playbooks/prompt-injection.toml"),
    include_str!("../../playbooks/data-exfiltration.toml"),
    include_str!("../../playbooks/runaway-tool-use.toml"),
    include_str!("../../playbooks/credential-compromise.toml"),
];

/// A step of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunStep)]
pub(super) struct StepView {
    /// What is done.
    step: &'static str,
    /// `waiting`, `done`, `failed`, or `left`: nothing is done in a dry run, and a drill revokes nothing.
    outcome: &'static str,
    #[schema(required)]
    at: Option<Timestamp>,
    /// What was done, or why it was not.
    #[schema(required)]
    detail: Option<String>,
}

impl StepView {
    fn of(done: &Done) -> StepView {
        let (outcome, at, detail) = match &done.outcome {
            Outcome::Waiting => ("waiting", None, None),
            Outcome::Done { at, detail, .. } => ("done", Some(*at), Some(detail.clone())),
            Outcome::Failed { at, detail } => ("failed", Some(*at), Some(detail.clone())),
            Outcome::Left => ("left", None, None),
        };
        StepView { step: done.step.code(), outcome, at, detail }
    }
}

/// A run of a playbook against somebody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(super) struct RunView {
    id: RunId,
    playbook: String,
    #[schema(required)]
    identity: Option<IdentityId>,
    #[schema(required)]
    mac: Option<String>,
    /// The identity's name, or the MAC address.
    who: String,
    /// `running`, `held`, `contained`, `failed` (not all steps could be done), `released` or `rehearsed`.
    state: &'static str,
    /// `real`, `dry_run` or `drill`.
    purpose: &'static str,
    /// Why, in words.
    cause: String,
    /// The signals that are its cause.
    signals: Vec<SignalId>,
    /// When the cause was noticed.
    began: Timestamp,
    /// Why it is held, or was released.
    #[schema(required)]
    why: Option<String>,
    /// Who released it.
    #[schema(required)]
    released_by: Option<String>,
    #[schema(required)]
    released_at: Option<Timestamp>,
    /// Whether it goes on though its playbook is gone: until its cause is gone or its time is over, as that playbook said, or somebody
    /// releases it.
    orphaned: bool,
    steps: Vec<StepView>,
}

impl RunView {
    fn of(run: &Run, snapshot: &Snapshot) -> RunView {
        let (why, released_by) = match &run.state {
            RunState::Held { why } => (Some(why.clone()), None),
            RunState::Released { by, why, .. } => (Some(why.clone()), Some(by.clone())),
            _ => (None, None),
        };
        let (identity, mac) = match run.subject {
            Subject::Identity(id) => (Some(id), None),
            Subject::Mac(mac) => (None, Some(mac.to_string())),
        };
        RunView {
            id: run.id,
            playbook: run.playbook.clone(),
            identity,
            mac,
            who: run.who.clone(),
            state: run.state.code(),
            purpose: match run.purpose {
                Purpose::Real => "real",
                Purpose::DryRun => "dry_run",
                Purpose::Drill => "drill",
            },
            cause: run.cause.what.clone(),
            signals: run.cause.signals.clone(),
            began: run.began,
            why,
            released_by,
            released_at: run.released(),
            orphaned: run.state.is_open() && !snapshot.playbooks.iter().any(|known| *known.name == *run.playbook),
            steps: run.steps.iter().map(StepView::of).collect(),
        }
    }
}

impl From<NotDone> for Problem {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Missing => Problem::not_found("there is no such run; GET /api/v1/playbooks/runs lists them"),
            NotDone::State(state) => Problem::conflict("wrong_state", format!("the run is {state}")),
            NotDone::Unknown(what) => Problem::conflict("not_done", what),
            goes @ NotDone::Goes(_) => Problem::conflict("not_done", goes.to_string()),
            NotDone::Store(error) => error.into(),
        }
    }
}

/// Which runs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The name of the playbook.
    playbook: Option<String>,
    /// The id of the identity.
    identity: Option<String>,
    /// `running`, `held`, `contained`, `failed`, `released` or `rehearsed`.
    state: Option<String>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// Runs of playbooks
#[utoipa::path(
    get, path = "/api/v1/playbooks/runs", operation_id = "list_runs", tag = "playbooks", params(Parameters),
    responses((status = 200, description = "A page of them, newest first", body = Page<RunView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn runs(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<RunView>>, Problem> {
    let code = |text: &str| RunState::CODES.into_iter().find(|code| *code == text);
    let filter = RunFilter {
        playbook: p.playbook,
        identity: parsed("identity", p.identity.as_deref(), "the id of an identity", |text| text.parse().ok())?,
        state: parsed("state", p.state.as_deref(), "the state of a run", code)?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.runs(filter, after, limit(p.limit)?).await?;
    let snapshot = state.engine.snapshot();
    Ok(Json(Page::new(page.items.iter().map(|run| RunView::of(run, &snapshot)).collect(), page.next)))
}

fn run_id(id: &str) -> Result<RunId, Problem> {
    id.parse().map_err(|_| NotDone::Missing.into())
}

/// One run, with what came of its steps
#[utoipa::path(
    get, path = "/api/v1/playbooks/runs/{id}", operation_id = "get_run", tag = "playbooks",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = RunView)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn run(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<RunView>, Problem> {
    let run = state.store.run(run_id(&id)?).await?.ok_or(NotDone::Missing)?;
    Ok(Json(RunView::of(&run, &state.engine.snapshot())))
}

/// Does with a run what an operator wants, to its end.
async fn on_run<F>(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    asked: &Release,
    wish: impl FnOnce(Playbooks, RunId, By, String) -> F,
) -> Result<Json<RunView>, Problem>
where
    F: Future<Output = Result<Run, NotDone>> + Send + 'static,
{
    let (by, reason) = asked.read(caller)?;
    let run = to_its_end(wish(state.playbooks.clone(), run_id(id)?, by, reason)).await?;
    Ok(Json(RunView::of(&run, &state.engine.snapshot())))
}

/// Takes a run back, whatever its cause
///
/// Its quarantine ends, and a suspension that it made is lifted. It does not begin anew until something new is told, or the
/// cause was gone in between.
#[utoipa::path(
    post, path = "/api/v1/playbooks/runs/{id}/release", operation_id = "release_run", tag = "playbooks",
    params(("id" = String, Path, description = "Its id")),
    request_body = Release,
    responses((status = 200, description = "It is over", body = RunView)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn release(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Release>,
) -> Result<Json<RunView>, Problem> {
    let wish = |playbooks: Playbooks, id, by, reason: String| async move { playbooks.release(id, &by, &reason).await };
    on_run(&state, &caller, &id, &asked, wish).await
}

/// Goes on with a run that is held, and tries again what has failed
#[utoipa::path(
    post, path = "/api/v1/playbooks/runs/{id}/retry", operation_id = "retry_run", tag = "playbooks",
    params(("id" = String, Path, description = "Its id")),
    request_body = Release,
    responses((status = 200, description = "What came of it", body = RunView)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn retry(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Release>,
) -> Result<Json<RunView>, Problem> {
    let run = state.store.run(run_id(&id)?).await?.ok_or(NotDone::Missing)?;
    for left in run.steps.iter().filter(|left| !matches!(left.outcome, Outcome::Done { .. })) {
        if let Some(permission) = left.step.wants() {
            caller.may_do(permission, &format!("the step {} of this run", left.step.code()))?;
        }
    }
    let wish = |playbooks: Playbooks, id, by, reason: String| async move { playbooks.go_on(id, &by, &reason).await };
    on_run(&state, &caller, &id, &asked, wish).await
}

/// The playbooks that the server comes with: each may be put as it is, or changed first
///
/// They are not in force until they are put. Those that put somebody in quarantine want a profile of that name.
#[utoipa::path(
    get, path = "/api/v1/playbooks/shipped", operation_id = "list_shipped_playbooks", tag = "playbooks",
    responses((status = 200, description = "All of them", body = Vec<Value>)),
    security(("bearer" = ["inventory:read"]))
)]
pub(super) async fn shipped() -> Result<Json<Vec<Value>>, Problem> {
    let mut all = Vec::new();
    for text in SHIPPED {
        let document: Value = toml::from_str(text).map_err(|e| Problem::internal(&e))?;
        all.extend(document["playbook"].as_array().into_iter().flatten().cloned());
    }
    Ok(Json(all))
}

/// Whether playbooks work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlaybooksState {
    /// Whether they are stopped: what would begin is held then.
    stopped: bool,
    #[schema(required)]
    stopped_at: Option<Timestamp>,
    #[schema(required)]
    stopped_by: Option<String>,
    #[schema(required)]
    reason: Option<String>,
    /// Runs that are not over.
    open: usize,
    /// Those of them that wait for an operator.
    held: usize,
    /// Those of them whose playbook is gone.
    orphaned: usize,
}

fn state_of(state: &ApiState) -> PlaybooksState {
    let (stopped, Counts { open, held, orphaned }) = (state.playbooks.stopped(), state.playbooks.counts());
    PlaybooksState {
        stopped: stopped.is_some(),
        stopped_at: stopped.as_ref().map(|stopped| stopped.at),
        stopped_by: stopped.as_ref().map(|stopped| stopped.by.clone()),
        reason: stopped.map(|stopped| stopped.reason),
        open,
        held,
        orphaned,
    }
}

/// Whether playbooks are stopped, and how many runs are not over
#[utoipa::path(
    get, path = "/api/v1/playbooks/state", operation_id = "get_playbooks_state", tag = "playbooks",
    responses((status = 200, description = "That", body = PlaybooksState)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn state(State(state): State<ApiState>) -> Json<PlaybooksState> {
    Json(state_of(&state))
}

/// Stops all playbooks at once: what is still to be done of runs is held, and so are runs that would begin
///
/// A step that is under way is the last. Whoever is contained stays so until released. It holds over restarts, until they are resumed.
#[utoipa::path(
    post, path = "/api/v1/playbooks/stop", operation_id = "stop_playbooks", tag = "playbooks",
    request_body = Release,
    responses((status = 200, description = "They are stopped", body = PlaybooksState)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn stop(
    State(state): State<ApiState>,
    caller: Caller,
    Body(asked): Body<Release>,
) -> Result<Json<PlaybooksState>, Problem> {
    let (by, reason) = asked.read(&caller)?;
    state.playbooks.stop(&by, &reason).await?;
    Ok(Json(state_of(&state)))
}

/// What becomes of runs that are held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HeldRuns {
    /// They are carried out.
    Go,
    /// They are dropped.
    Drop,
}

asked! {
    /// That playbooks go on.
    pub(super) struct Resume {
        /// What becomes of runs that are held.
        held: HeldRuns,
    }
}

/// Lets playbooks go on, and settles all runs that are held
#[utoipa::path(
    post, path = "/api/v1/playbooks/resume", operation_id = "resume_playbooks", tag = "playbooks",
    request_body = Resume,
    responses((status = 200, description = "They go on", body = PlaybooksState)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn resume(
    State(state): State<ApiState>,
    caller: Caller,
    Body(asked): Body<Resume>,
) -> Result<Json<PlaybooksState>, Problem> {
    let (by, reason) = asked.read(&caller)?;
    let (go, playbooks) = (matches!(asked.held, HeldRuns::Go), state.playbooks.clone());
    to_its_end(async move { Ok(playbooks.resume(go, &by, &reason).await?) }).await?;
    Ok(Json(state_of(&state)))
}

/// Against whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DrillBody {
    /// The id of an identity that is there to be contained.
    identity: String,
    /// Whether it is done, and taken back when NASes have answered; else it is only said what would be.
    #[serde(default)]
    enforce: bool,
    /// Who asks, where the server's own token is used.
    #[serde(default)]
    by: String,
}

/// How long one session's change took. Milliseconds count from when the drill began.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DrillTiming {
    change: ChangeOrderId,
    nas: String,
    /// When it was decided that the session changes.
    decided_ms: u64,
    /// When the NAS was asked first.
    #[schema(required)]
    sent_ms: Option<u64>,
    /// When the NAS confirmed.
    #[schema(required)]
    acked_ms: Option<u64>,
}

/// What a drill has shown.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DrillReport {
    run: RunView,
    /// When it began, in place of something that is detected.
    detected_at: Timestamp,
    /// After how many milliseconds all steps were done.
    #[schema(required)]
    contained_ms: Option<u64>,
    /// How many sessions of it went on.
    live_sessions: usize,
    sessions: Vec<DrillTiming>,
}

impl DrillReport {
    fn of(report: &Report, snapshot: &Snapshot) -> DrillReport {
        let after = |at: Timestamp| u64::try_from(at.since(report.detected).as_millis()).unwrap_or(u64::MAX);
        let sessions = report.sessions.iter().map(|timing| DrillTiming {
            change: timing.change,
            nas: timing.nas.clone(),
            decided_ms: after(timing.decided),
            sent_ms: timing.sent.map(after),
            acked_ms: timing.acked.map(after),
        });
        DrillReport {
            run: RunView::of(&report.run, snapshot),
            detected_at: report.detected,
            contained_ms: report.contained.map(after),
            live_sessions: report.live,
            sessions: sessions.collect(),
        }
    }
}

/// Tries a playbook against an identity that is named for it, and tells how long each part took
///
/// With `enforce`, steps are carried out, but nothing is revoked; when NASes have answered, within ten seconds, all is taken
/// back. Limits, conditions and the stop do not hold for it.
#[utoipa::path(
    post, path = "/api/v1/playbooks/{name}/drill", operation_id = "drill_playbook", tag = "playbooks",
    params(("name" = String, Path, description = "The playbook's name")),
    request_body = DrillBody,
    responses((status = 200, description = "What it has shown", body = DrillReport)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn drill(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    Body(asked): Body<DrillBody>,
) -> Result<Json<DrillReport>, Problem> {
    let identity = identity_of(&state, &asked.identity)?;
    let snapshot = state.engine.snapshot();
    let Some(playbook) = snapshot.playbooks.iter().find(|known| *known.name == *name) else {
        return Err(Problem::not_found(format!(
            "there is no playbook called {name:?}; GET /api/v1/playbooks lists them"
        )));
    };
    // What it does to somebody who is named is the caller's doing. Nothing is revoked in a drill.
    if asked.enforce && playbook.steps.contains(&Step::Suspend) {
        caller.may_do(Permission::InventoryWrite, "the step suspend")?;
    }
    let (by, playbooks) = (caller.by_name(&asked.by), state.playbooks.clone());
    let report = to_its_end(async move { playbooks.drill(&name, identity, asked.enforce, &by).await }).await?;
    Ok(Json(DrillReport::of(&report, &state.engine.snapshot())))
}
