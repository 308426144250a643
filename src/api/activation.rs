//! Putting a policy in force; with `[policy] four_eyes`, after somebody else has looked at it.

use super::caller::Caller;
use super::extract::{Body, Query};
use super::inventory::{Why, faults};
use super::policy::{DraftBody, facts_asked, managed, named, recorded, wrong};
use super::problem::Problem;
use super::{ApiState, MAX_REASON};
use crate::access::again::{DENIED, short};
use crate::config::build::Built;
use crate::config::live::{ChangeError, Present};
use crate::config::revision::{known_revision, new_revision};
use crate::config::stored::StoredPolicy;
use crate::ids::ProposalId;
use crate::policy::suite::{DENY, Given, PolicyTest};
use crate::store::inventory::{PolicyStep, Writes, before};
use crate::store::proposals::{MAX_OPEN, Proposal, Status};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// How often a change is tried again because another one came in between.
const TRIES: usize = 5;

/// What to put in force: a text, or a revision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Activation {
    /// The Cedar text of a new revision.
    text: Option<String>,
    /// Its tests, in TOML; without them, those in force.
    tests: Option<String>,
    /// A revision that is stored already.
    revision: Option<i64>,
    /// Why, for the record.
    #[serde(default)]
    comment: String,
}

/// What is in force now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Activated {
    revision: i64,
    digest: String,
    /// How many rules it has.
    rules: usize,
    /// Whether decisions go by it already.
    in_force: bool,
    warnings: Vec<String>,
}

/// What somebody wants in force, as it is kept until it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    /// A new text, with these tests or those in force.
    Text { text: String, tests: Option<String> },
    /// A revision that is stored.
    Revision(i64),
    /// What was in force before.
    Rollback,
    /// What is in force, with a decision as one more test.
    Pin { decision: String, name: Option<String> },
}

impl Asked {
    const fn step(&self) -> PolicyStep {
        match self {
            Asked::Text { .. } | Asked::Revision(_) => PolicyStep::Activate,
            Asked::Rollback => PolicyStep::Rollback,
            Asked::Pin { .. } => PolicyStep::Pin,
        }
    }

    /// The policy that it comes to with what is in force, and what is to be written.
    async fn of(&self, state: &ApiState, present: &Present, comment: &str) -> Result<(StoredPolicy, Writes), Problem> {
        let policy = match self {
            Asked::Text { text, tests } => {
                let draft = DraftBody::new(text.clone(), tests.clone());
                StoredPolicy { number: 0, text: named("policy", text.clone()), tests: draft.tests(present)? }
            }
            Asked::Pin { decision, name } => pinned(state, present, decision, name.as_deref()).await?,
            Asked::Revision(number) => return self.stored(state, *number, comment).await,
            Asked::Rollback => {
                let nothing = || Problem::conflict("nothing_before", "no other policy was in force before this one");
                let number = before(&state.store.activations().await?).ok_or_else(nothing)?;
                return self.stored(state, number, comment).await;
            }
        };
        let writes = new_revision(&policy, self.step(), comment);
        Ok((policy, writes))
    }

    async fn stored(&self, state: &ApiState, number: i64, comment: &str) -> Result<(StoredPolicy, Writes), Problem> {
        let found = state.store.revisions().await?.into_iter().find(|row| row.number == number);
        let row = found.ok_or_else(|| Problem::unknown_name("revision", format!("there is no revision {number}")))?;
        let writes = known_revision(row.number, &row.digest, self.step(), comment);
        Ok((StoredPolicy::of_row(row), writes))
    }
}

/// The policy in force with a decision as one more test, which it passes.
async fn pinned(
    state: &ApiState,
    present: &Present,
    decision: &str,
    name: Option<&str>,
) -> Result<StoredPolicy, Problem> {
    let was = recorded(state, decision).await?;
    let given = Given::of(&facts_asked(&was)?);
    let expected = was.profile.as_deref().unwrap_or(DENY);
    let name = name.map_or_else(|| format!("decision {}", was.id), short_text);
    let no_test = |e| Problem::unprocessable("cannot_be_pinned", e, Vec::new());
    let again = given.facts(&present.built.world(state.clock.now())).map_err(no_test)?;
    let again = short(&present.built.snapshot.policy.evaluate(&again).outcome);
    let again = if again == DENIED { DENY.to_owned() } else { again };
    if again != expected {
        let detail = "then, and what a test can say of it gives";
        return Err(no_test(format!("it was {expected} {detail} {again} today: the test would fail")));
    }
    let built_in = || Problem::conflict("built_in", "the built-in policy has no tests; activate one of your own");
    let policy = present.stored.policy.clone().ok_or_else(built_in)?;
    let test = PolicyTest::text(&name, &given, expected).map_err(|e| Problem::internal(&e))?;
    let known = policy.tests.as_ref().map_or("", |tests| tests.text.trim_end());
    let tests = Some(named("tests", format!("{known}\n{test}").trim_start().to_owned()));
    Ok(StoredPolicy { tests, ..policy })
}

/// The server as it would be with this policy, which has passed its tests.
async fn tried(state: &ApiState, present: Arc<Present>, policy: StoredPolicy) -> Result<Built, Problem> {
    let now = state.clock.now();
    let built = state.turns.run(move || present.with_policy(policy, now)).await?;
    built.map_err(|e| wrong(faults(&e.errors)))
}

async fn put_in_force(state: &ApiState, caller: &Caller, asked: &Asked, comment: &str) -> Result<Activated, Problem> {
    for _ in 0..TRIES {
        let present = state.inventory.present();
        managed(&present)?;
        let (policy, writes) = asked.of(state, &present, comment).await?;
        let generation = present.stored.generation;
        let built = tried(state, present, policy).await?;
        match state.inventory.commit(generation, &writes, &caller.by(), state.clock.now()).await {
            Err(ChangeError::Overtaken) => {}
            done => {
                let (revision, in_force) = done?;
                let policy = &built.snapshot.policy;
                let (digest, rules) = (policy.revision().to_owned(), policy.len());
                let revision = revision.unwrap_or_default();
                return Ok(Activated { revision, digest, rules, in_force, warnings: built.warnings.clone() });
            }
        }
    }
    Err(ChangeError::Overtaken.into())
}

fn short_text(text: &str) -> String {
    text.chars().take(MAX_REASON).collect()
}

/// Puts a policy in force, after its tests
#[utoipa::path(
    post, path = "/api/v1/policy/activate", operation_id = "activate_policy", tag = "policy",
    request_body = Activation,
    responses(
        (status = 200, description = "It is in force", body = Activated),
        (status = 202, description = "It waits for a second pair of eyes", body = ProposalView),
    ),
    security(("bearer" = ["policy:activate"]))
)]
pub(super) async fn activate(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<Activation>,
) -> Result<Response, Problem> {
    let comment = short_text(&body.comment);
    let asked = match (body.text, body.tests, body.revision) {
        (Some(text), tests, None) => Asked::Text { text, tests },
        (None, None, Some(number)) => Asked::Revision(number),
        _ => return Err(Problem::body("give text, perhaps with tests, or the number of a revision")),
    };
    ask_for(&state, &caller, asked, &comment).await
}

/// Puts the policy in force that was so before the present one was wanted
///
/// Another rollback goes one further back.
#[utoipa::path(
    post, path = "/api/v1/policy/rollback", operation_id = "rollback_policy", tag = "policy", params(Why),
    responses(
        (status = 200, description = "It is in force", body = Activated),
        (status = 202, description = "It waits for a second pair of eyes", body = ProposalView),
    ),
    security(("bearer" = ["policy:activate"]))
)]
pub(super) async fn rollback(
    State(state): State<ApiState>,
    caller: Caller,
    Query(why): Query<Why>,
) -> Result<Response, Problem> {
    ask_for(&state, &caller, Asked::Rollback, &why.comment()).await
}

/// A decision to make a test of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    /// Its id.
    decision: String,
    /// What the test shows; without it, the decision's id.
    name: Option<String>,
}

/// Makes a recorded decision a test, so that no later policy decides otherwise unnoticed
#[utoipa::path(
    post, path = "/api/v1/policy/pin", operation_id = "pin_decision", tag = "policy",
    request_body = Pin,
    responses(
        (status = 200, description = "The policy has the test", body = Activated),
        (status = 202, description = "It waits for a second pair of eyes", body = ProposalView),
    ),
    security(("bearer" = ["policy:activate"]))
)]
pub(super) async fn pin(
    State(state): State<ApiState>,
    caller: Caller,
    Body(Pin { decision, name }): Body<Pin>,
) -> Result<Response, Problem> {
    let comment = format!("pinned: {}", short_text(name.as_deref().unwrap_or(&decision)));
    ask_for(&state, &caller, Asked::Pin { decision, name }, &comment).await
}

/// Puts in force what is asked for, or has it wait until somebody else has looked at it.
async fn ask_for(state: &ApiState, caller: &Caller, asked: Asked, comment: &str) -> Result<Response, Problem> {
    if !state.inventory.present().built.sign_in.four_eyes {
        return Ok(Json(put_in_force(state, caller, &asked, comment).await?).into_response());
    }
    let present = state.inventory.present();
    managed(&present)?;
    // What could never come into force need not wait.
    let (policy, _) = asked.of(state, &present, comment).await?;
    tried(state, present, policy).await?;
    let now = state.clock.now();
    let proposal = Proposal {
        id: ProposalId::new(now),
        request: serde_json::to_string(&asked).map_err(|e| Problem::internal(&e))?,
        by: caller.name.clone(),
        proposer: caller.who(),
        at: now,
        reason: comment.to_owned(),
        status: Status::Open,
        decided_by: None,
        decided_at: None,
        remark: None,
    };
    if !state.store.propose(&proposal, &caller.by()).await? {
        let detail = format!("{MAX_OPEN} proposals wait already: decide about some first");
        return Err(Problem::conflict("too_many_proposals", detail));
    }
    Ok((StatusCode::ACCEPTED, Json(shown(&proposal, true)?)).into_response())
}

/// A policy that somebody wants in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyProposal)]
pub(super) struct ProposalView {
    id: ProposalId,
    /// `open`, `approved` or `rejected`.
    status: &'static str,
    /// `activate`, `rollback`, or `pin`: a test is to be added.
    step: &'static str,
    proposed_by: String,
    proposed_at: Timestamp,
    /// Why they want it.
    reason: String,
    #[schema(required)]
    decided_by: Option<String>,
    #[schema(required)]
    decided_at: Option<Timestamp>,
    /// What was said of it.
    #[schema(required)]
    remark: Option<String>,
    /// The revision, if it is one that is stored.
    #[schema(required)]
    revision: Option<i64>,
    /// The decision, if it is to become a test.
    #[schema(required)]
    decision: Option<String>,
    /// The Cedar text, if it is new; of one proposal only.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Its tests, in TOML; of one proposal only.
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<String>,
}

fn shown(proposal: &Proposal, whole: bool) -> Result<ProposalView, Problem> {
    let asked: Asked = serde_json::from_str(&proposal.request).map_err(|e| Problem::internal(&e))?;
    let step = asked.step().as_str();
    let (mut text, mut tests, mut revision, mut decision) = (None, None, None, None);
    match asked {
        Asked::Text { text: t, tests: of } if whole => (text, tests) = (Some(t), of),
        Asked::Text { .. } | Asked::Rollback => {}
        Asked::Revision(number) => revision = Some(number),
        Asked::Pin { decision: of, .. } => decision = Some(of),
    }
    Ok(ProposalView {
        id: proposal.id,
        status: proposal.status.code(),
        step,
        proposed_by: proposal.by.clone(),
        proposed_at: proposal.at,
        reason: proposal.reason.clone(),
        decided_by: proposal.decided_by.clone(),
        decided_at: proposal.decided_at,
        remark: proposal.remark.clone(),
        revision,
        decision,
        text,
        tests,
    })
}

async fn found(state: &ApiState, id: &str) -> Result<Proposal, Problem> {
    let missing =
        || Problem::not_found(format!("there is no proposal {id:?}; GET /api/v1/policy/proposals lists them"));
    let id: ProposalId = id.parse().map_err(|_| missing())?;
    state.store.proposal(id).await?.ok_or_else(missing)
}

fn decided() -> Problem {
    Problem::conflict("decided", "somebody has decided about it already")
}

/// Policies that were proposed, the newest first
#[utoipa::path(
    get, path = "/api/v1/policy/proposals", operation_id = "list_policy_proposals", tag = "policy",
    responses((status = 200, description = "The newest 200, without their texts", body = Vec<ProposalView>)),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn proposals(State(state): State<ApiState>) -> Result<Json<Vec<ProposalView>>, Problem> {
    let all = state.store.proposals().await?;
    all.iter().map(|proposal| shown(proposal, false)).collect::<Result<_, _>>().map(Json)
}

/// One proposal with its text
#[utoipa::path(
    get, path = "/api/v1/policy/proposals/{id}", operation_id = "get_policy_proposal", tag = "policy",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = ProposalView)),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn proposal(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<ProposalView>, Problem> {
    shown(&found(&state, &id).await?, true).map(Json)
}

/// Approves a proposal of somebody else, and puts it in force
///
/// It is for operators who are signed in: a token has no eyes.
#[utoipa::path(
    post, path = "/api/v1/policy/proposals/{id}/approve", operation_id = "approve_policy_proposal", tag = "policy",
    params(("id" = String, Path, description = "Its id"), Why),
    responses(
        (status = 200, description = "It is in force", body = Activated),
        (status = 409, description = "It is one's own (`own_proposal`), or somebody has decided already"),
    ),
    security(("bearer" = ["policy:activate"]))
)]
pub(super) async fn approve(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(why): Query<Why>,
) -> Result<Json<Activated>, Problem> {
    caller.signed_in()?;
    let proposal = found(&state, &id).await?;
    if proposal.proposer == caller.who() {
        return Err(Problem::conflict("own_proposal", "it is your own: somebody else must look at it"));
    }
    let asked: Asked = serde_json::from_str(&proposal.request).map_err(|e| Problem::internal(&e))?;
    let (by, now) = (caller.by(), state.clock.now());
    // Of two who approve at once, one does.
    if !state.store.decide(proposal.id, Status::Approved, &why.comment(), &by, now).await? {
        return Err(decided());
    }
    let comment = short_text(&format!("{} (proposed by {})", proposal.reason, proposal.by));
    match put_in_force(&state, &caller, &asked, &comment).await {
        Ok(done) => Ok(Json(done)),
        Err(problem) => {
            state.store.reopen(proposal.id, &problem.told(), &by, now).await?;
            Err(problem)
        }
    }
}

/// Rejects a proposal, or takes back one's own
#[utoipa::path(
    post, path = "/api/v1/policy/proposals/{id}/reject", operation_id = "reject_policy_proposal", tag = "policy",
    params(("id" = String, Path, description = "Its id"), Why),
    responses(
        (status = 200, description = "It does not come into force", body = ProposalView),
        (status = 409, description = "Somebody has decided already"),
    ),
    security(("bearer" = ["policy:activate"]))
)]
pub(super) async fn reject(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(why): Query<Why>,
) -> Result<Json<ProposalView>, Problem> {
    let proposal = found(&state, &id).await?;
    let (by, now) = (caller.by(), state.clock.now());
    if !state.store.decide(proposal.id, Status::Rejected, &why.comment(), &by, now).await? {
        return Err(decided());
    }
    shown(&found(&state, &id).await?, true).map(Json)
}
