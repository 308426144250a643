//! Cases: what people look into.

use super::ApiState;
use super::caller::Caller;
use super::containments::{identity_of, reason_of};
use super::decisions::parsed;
use super::extract::{Body, Query};
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::ids::{CaseId, IdentityId, RunId};
use crate::playbooks::case::{Case, MAX_COMMENTS, NoRoom};
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// What somebody said of a case.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CaseComment)]
pub(super) struct CommentView {
    at: Timestamp,
    by: String,
    text: String,
}

/// A case.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Case)]
pub(super) struct CaseView {
    id: CaseId,
    /// `open` or `closed`.
    state: &'static str,
    title: String,
    #[schema(required)]
    identity: Option<IdentityId>,
    /// The identity's name, or the MAC address.
    who: String,
    /// The run of a playbook that opened it.
    #[schema(required)]
    run: Option<RunId>,
    opened_at: Timestamp,
    opened_by: String,
    #[schema(required)]
    closed_at: Option<Timestamp>,
    comments: Vec<CommentView>,
}

impl CaseView {
    fn of(case: Case) -> CaseView {
        let state = case.state();
        let comments = case.comments.into_iter();
        CaseView {
            id: case.id,
            state,
            title: case.title,
            identity: case.identity,
            who: case.who,
            run: case.run,
            opened_at: case.opened,
            opened_by: case.by,
            closed_at: case.closed,
            comments: comments.map(|said| CommentView { at: said.at, by: said.by, text: said.text }).collect(),
        }
    }
}

impl From<NoRoom> for Problem {
    fn from(error: NoRoom) -> Self {
        Problem::conflict("full", error.to_string())
    }
}

fn missing(id: &str) -> Problem {
    Problem::not_found(format!("there is no case {id:?}; GET /api/v1/cases lists them"))
}

/// Which cases to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// `open` or `closed`.
    state: Option<String>,
    /// About the identity of this id.
    identity: Option<String>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// Cases
#[utoipa::path(
    get, path = "/api/v1/cases", operation_id = "list_cases", tag = "cases", params(Parameters),
    responses((status = 200, description = "A page of them, newest first", body = Page<CaseView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<CaseView>>, Problem> {
    let code = |text: &str| ["open", "closed"].into_iter().find(|code| *code == text);
    let of = parsed("state", p.state.as_deref(), "open or closed", code)?;
    let identity = parsed("identity", p.identity.as_deref(), "the id of an identity", |text| text.parse().ok())?;
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.cases(of, identity, after, limit(p.limit)?).await?;
    Ok(Json(Page::new(page.items.into_iter().map(CaseView::of).collect(), page.next)))
}

/// What to look into.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCase {
    /// What it is about: 1 to 500 characters.
    title: String,
    /// The id of the identity that it is about.
    identity: String,
    /// Who asks, where the server's own token is used.
    #[serde(default)]
    by: String,
}

/// Opens a case about an identity, with what is known of it now as its evidence
#[utoipa::path(
    post, path = "/api/v1/cases", operation_id = "open_case", tag = "cases",
    request_body = NewCase,
    responses(
        (status = 201, description = "It is open", body = CaseView),
        (status = 404, description = "There is no such identity"),
    ),
    security(("bearer" = ["sessions:help"]))
)]
pub(super) async fn open(
    State(state): State<ApiState>,
    caller: Caller,
    Body(asked): Body<NewCase>,
) -> Result<(StatusCode, Json<CaseView>), Problem> {
    let title = reason_of(&asked.title).map_err(|_| Problem::parameter("title", "a title has 1 to 500 characters"))?;
    let identity = identity_of(&state, &asked.identity)?;
    let (by, now) = (caller.by_name(&asked.by), state.clock.now());
    let evidence = state.playbooks.evidence(Subject::Identity(identity), None).await?;
    let known = state.engine.snapshot().identities.by_id(identity).map(|identity| identity.name.to_string());
    let case = Case {
        id: CaseId::new(now),
        title,
        identity: Some(identity),
        who: known.unwrap_or_default(),
        run: None,
        opened: now,
        by: by.actor.clone(),
        closed: None,
        comments: Vec::new(),
    };
    state.store.open_case(&case, &evidence, &by).await??;
    Ok((StatusCode::CREATED, Json(CaseView::of(case))))
}

/// One case
#[utoipa::path(
    get, path = "/api/v1/cases/{id}", operation_id = "get_case", tag = "cases",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = CaseView)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<CaseView>, Problem> {
    let found = state.store.case(id.parse().map_err(|_| missing(&id))?).await?;
    found.map(|(case, _)| Json(CaseView::of(case))).ok_or_else(|| missing(&id))
}

/// What was known when a case was opened, as one bundle: the identity, its risk and posture, and the latest signals,
/// decisions and sessions
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/evidence", operation_id = "get_case_evidence", tag = "cases",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The bundle", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn evidence(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let found = state.store.case(id.parse().map_err(|_| missing(&id))?).await?;
    found.map(|(_, evidence)| Json(evidence)).ok_or_else(|| missing(&id))
}

/// What somebody says of a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCaseComment)]
pub(super) struct CommentBody {
    /// 1 to 500 characters.
    text: String,
    /// Who asks, where the server's own token is used.
    #[serde(default)]
    by: String,
}

async fn change(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    body: &CommentBody,
    close: bool,
) -> Result<Json<CaseView>, Problem> {
    let text = reason_of(&body.text).map_err(|_| Problem::parameter("text", "a text has 1 to 500 characters"))?;
    let (by, now) = (caller.by_name(&body.by), state.clock.now());
    let changed = state.store.change_case(id.parse().map_err(|_| missing(id))?, &by, now, |case| {
        if close && case.closed.is_some() {
            return Err("it was closed before".into());
        }
        if !case.say(&by.actor, &text, now) && !close {
            return Err(format!("it has {MAX_COMMENTS} comments, and takes no more"));
        }
        if close {
            case.closed = Some(now);
        }
        Ok((if close { "case.close" } else { "case.comment" }, text.clone()))
    });
    match changed.await? {
        None => Err(missing(id)),
        Some(Err(why)) => Err(Problem::conflict("not_changed", why)),
        Some(Ok(case)) => Ok(Json(CaseView::of(case))),
    }
}

/// Says something of a case
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/comments", operation_id = "comment_case", tag = "cases",
    params(("id" = String, Path, description = "Its id")),
    request_body = CommentBody,
    responses((status = 200, description = "It as it is now", body = CaseView)),
    security(("bearer" = ["sessions:help"]))
)]
pub(super) async fn comment(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<CommentBody>,
) -> Result<Json<CaseView>, Problem> {
    change(&state, &caller, &id, &body, false).await
}

/// Closes a case
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/close", operation_id = "close_case", tag = "cases",
    params(("id" = String, Path, description = "Its id")),
    request_body = CommentBody,
    responses((status = 200, description = "It as it is now", body = CaseView)),
    security(("bearer" = ["sessions:help"]))
)]
pub(super) async fn close(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<CommentBody>,
) -> Result<Json<CaseView>, Problem> {
    change(&state, &caller, &id, &body, true).await
}
