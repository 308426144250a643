//! The policy: what is in force, drafts of another, and putting one in force.

use super::ApiState;
use super::extract::Body;
use super::inventory::faults;
use super::problem::{Fault, Problem};
use crate::access::again::decide;
use crate::access::replay::facts_of;
use crate::access::replayed::replay;
use crate::audit::decision::Decision;
use crate::config::Source;
use crate::config::build::ordinary_time;
use crate::config::live::Present;
use crate::config::revision::draft;
use crate::ids::DecisionId;
use crate::policy::engine::{DEFAULT_POLICY, Outcome, Policy, SCHEMA, Verdict};
use crate::policy::explain::RuleVerdict;
use crate::policy::facts::{Facts, Principal};
use crate::policy::suite::{Given, PolicyTests};
use crate::store::inventory::RevisionRow;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// Days of decisions that a draft is compared by, if it is not said.
const DEFAULT_DAYS: u32 = 7;
/// Days of decisions that may be asked again.
const MAX_DAYS: u32 = 90;
/// Those who go one way, of whom names are given; the others are counted.
const MAX_NAMED: usize = 100;

/// The policy in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyView {
    /// Of its text: decisions name it.
    digest: String,
    /// Its number; null if it is in a file, or the built-in one.
    #[schema(required)]
    revision: Option<i64>,
    /// `database`, `file` or `built_in`. Of a file it is not for the API to change.
    home: &'static str,
    /// The Cedar text.
    text: String,
    /// Its tests, in TOML.
    #[schema(required)]
    tests: Option<String>,
    /// How many rules it has.
    rules: usize,
}

fn in_force(present: &Present) -> Result<PolicyView, Problem> {
    let policy = &present.built.snapshot.policy;
    let (home, text, revision) = match (&present.config.policy.file, &present.stored.policy) {
        (Some(path), _) => {
            let file = present.source.resolve(path.get_ref());
            ("file", std::fs::read_to_string(file).map_err(|e| Problem::internal(&e))?, None)
        }
        (None, Some(stored)) => ("database", stored.text.text.clone(), Some(stored.number)),
        (None, None) => ("built_in", DEFAULT_POLICY.to_owned(), None),
    };
    let tests = present.tests().map_err(|e| Problem::internal(&e))?.map(|tests| tests.text);
    Ok(PolicyView { digest: policy.revision().to_owned(), revision, home, text, tests, rules: policy.len() })
}

/// The policy in force
#[utoipa::path(
    get, path = "/api/v1/policy", operation_id = "get_policy", tag = "policy",
    responses((status = 200, description = "Its text, and where it is", body = PolicyView)),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn get(State(state): State<ApiState>) -> Result<Json<PolicyView>, Problem> {
    in_force(&state.inventory.present()).map(Json)
}

/// What rules may speak of, as a Cedar schema
#[utoipa::path(
    get, path = "/api/v1/policy/schema", operation_id = "get_policy_schema", tag = "policy",
    responses((status = 200, description = "The schema", body = String, content_type = "text/plain")),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn schema() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], SCHEMA).into_response()
}

/// A revision of the policy.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevisionView {
    number: i64,
    digest: String,
    /// Why it was made.
    comment: String,
    author: String,
    created_at: Timestamp,
    /// Whether it is in force.
    in_force: bool,
    /// When it came into force, the latest first.
    activations: Vec<ActivationView>,
    /// The Cedar text; of one revision only.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Its tests, in TOML; of one revision only.
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<String>,
}

/// That a revision came into force.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ActivationView {
    at: Timestamp,
    author: String,
    /// `activate`, `rollback`, or `pin`: a test was added.
    step: &'static str,
}

async fn all_revisions(state: &ApiState) -> Result<Vec<(RevisionView, RevisionRow)>, Problem> {
    let activations = state.store.activations().await?;
    let managed = state.inventory.present().config.policy.file.is_none();
    let now = activations.first().map(|latest| latest.revision).filter(|_| managed);
    let view = |row: RevisionRow| {
        let of = activations.iter().filter(|a| a.revision == row.number);
        let of = of.map(|a| ActivationView { at: a.at, author: a.author.clone(), step: a.step.as_str() });
        let view = RevisionView {
            number: row.number,
            digest: row.digest.clone(),
            comment: row.comment.clone(),
            author: row.author.clone(),
            created_at: row.created,
            in_force: now == Some(row.number),
            activations: of.collect(),
            text: None,
            tests: None,
        };
        (view, row)
    };
    Ok(state.store.revisions().await?.into_iter().map(view).collect())
}

/// All revisions of the policy, the newest first
#[utoipa::path(
    get, path = "/api/v1/policy/revisions", operation_id = "list_policy_revisions", tag = "policy",
    responses((status = 200, description = "All of them, without their texts", body = Vec<RevisionView>)),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn revisions(State(state): State<ApiState>) -> Result<Json<Vec<RevisionView>>, Problem> {
    Ok(Json(all_revisions(&state).await?.into_iter().map(|(view, _)| view).collect()))
}

/// One revision with its text
#[utoipa::path(
    get, path = "/api/v1/policy/revisions/{number}", operation_id = "get_policy_revision", tag = "policy",
    params(("number" = String, Path, description = "Its number")),
    responses((status = 200, description = "It", body = RevisionView)),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn revision(
    State(state): State<ApiState>,
    Path(number): Path<String>,
) -> Result<Json<RevisionView>, Problem> {
    let missing =
        || Problem::not_found(format!("there is no revision {number:?}; GET /api/v1/policy/revisions lists them"));
    let wanted: i64 = number.parse().map_err(|_| missing())?;
    let found = all_revisions(&state).await?.into_iter().find(|(view, _)| view.number == wanted);
    let (view, row) = found.ok_or_else(missing)?;
    Ok(Json(RevisionView { text: Some(row.text), tests: row.tests, ..view }))
}

/// A policy that is not in force.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftBody {
    /// The Cedar text; without it, that in force.
    text: Option<String>,
    /// Its tests, in TOML; without them, those in force.
    tests: Option<String>,
    /// Not looked at: so that what is to be put in force can be checked as it is.
    #[serde(default, rename = "comment")]
    _comment: String,
}

pub(super) fn named(file: &str, text: String) -> Source {
    Source { file: file.into(), text }
}

impl DraftBody {
    /// This text, with these tests or those in force.
    pub(super) fn new(text: String, tests: Option<String>) -> DraftBody {
        DraftBody { text: Some(text), tests, _comment: String::new() }
    }

    pub(super) fn tests(&self, present: &Present) -> Result<Option<Source>, Problem> {
        match &self.tests {
            Some(text) => Ok(Some(named("tests", text.clone()))),
            None => present.tests().map_err(|e| Problem::internal(&e)),
        }
    }

    /// The rules, held to what would keep them out of force; and what is unwise about them.
    fn policy(&self, present: &Present) -> Result<(Arc<Policy>, Vec<Fault>), Problem> {
        let Some(text) = &self.text else { return Ok((present.built.snapshot.policy.clone(), Vec::new())) };
        match draft(&present.built, &named("policy", text.clone())) {
            Ok(draft) => Ok((Arc::new(draft.policy), faults(&draft.warnings))),
            Err(errors) => Err(wrong(faults(&errors))),
        }
    }
}

pub(super) fn wrong(errors: Vec<Fault>) -> Problem {
    let first = errors.first().map_or_else(String::new, |e| format!("{}; {}", e.message, e.remedy));
    Problem::unprocessable("invalid_policy", first, errors)
}

/// What was found about a draft.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckedView {
    /// Whether it could come into force.
    valid: bool,
    /// What keeps it out of force: lines, what is wrong, what to do.
    errors: Vec<Fault>,
    /// What is unwise.
    warnings: Vec<Fault>,
    /// How its tests went, if its text is sound.
    tests: Vec<TestView>,
}

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestView {
    name: String,
    passed: bool,
    /// What is wrong, if it failed.
    #[schema(required)]
    failure: Option<String>,
}

fn tested(policy: &Policy, tests: Option<&Source>, present: &Present) -> Result<Vec<TestView>, Vec<Fault>> {
    let Some(source) = tests else { return Ok(Vec::new()) };
    let tests: PolicyTests = toml::from_str(&source.text).map_err(|e| {
        let remedy = "docs/configuration.md has the form of tests".to_owned();
        vec![Fault { at: Some("tests".into()), message: e.message().to_owned(), remedy }]
    })?;
    let world = present.built.world(ordinary_time(&present.built.snapshot.timezone));
    let view = |result: crate::policy::suite::TestResult| TestView {
        name: result.name,
        passed: result.failure.is_none(),
        failure: result.failure,
    };
    Ok(tests.run(policy, &world).into_iter().map(view).collect())
}

/// Checks a draft, and runs its tests
///
/// The answer is 200 whether or not the draft is sound: `valid` tells.
#[utoipa::path(
    post, path = "/api/v1/policy/validate", operation_id = "validate_policy", tag = "policy",
    request_body = DraftBody,
    responses((status = 200, description = "What was found", body = CheckedView)),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn validate(
    State(state): State<ApiState>,
    Body(body): Body<DraftBody>,
) -> Result<Json<CheckedView>, Problem> {
    let present = state.inventory.present();
    state.turns.run(move || checked(&present, body)).await?.map(Json)
}

fn checked(present: &Present, body: DraftBody) -> Result<CheckedView, Problem> {
    let tests = body.tests(present)?;
    let text = body.text.unwrap_or(in_force(present)?.text);
    let (policy, warnings) = match draft(&present.built, &named("policy", text)) {
        Ok(draft) => (draft.policy, faults(&draft.warnings)),
        Err(errors) => {
            let errors = faults(&errors);
            return Ok(CheckedView { valid: false, errors, warnings: Vec::new(), tests: Vec::new() });
        }
    };
    Ok(match tested(&policy, tests.as_ref(), present) {
        Ok(tests) => {
            let valid = tests.iter().all(|test| test.passed);
            CheckedView { valid, errors: Vec::new(), warnings, tests }
        }
        Err(errors) => CheckedView { valid: false, errors, warnings, tests: Vec::new() },
    })
}

/// What to explain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The Cedar text; without it, that in force.
    text: Option<String>,
    /// A recorded decision, by its id: its facts are asked again.
    decision: Option<String>,
    /// Facts as tests write them: `identity`, `method`, `nas`, `at`, `mac`, `ssid`, `port_type`, `posture` and others.
    given: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What the policy says, rule by rule.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Explained {
    /// `permit`, `deny`, `no_rule` or `error`.
    outcome: &'static str,
    /// The profile, if it is permitted.
    #[schema(required)]
    profile: Option<String>,
    /// The rules that decided.
    decided_by: Vec<String>,
    /// What could not be evaluated.
    errors: Vec<String>,
    /// Why the endpoint is refused whatever the rules say.
    #[schema(required)]
    barred: Option<String>,
    /// Every rule, in the order in which they are looked at.
    rules: Vec<RuleView>,
}

/// Whether a rule matches, and if not, on what it stops.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleView {
    id: String,
    order: u32,
    /// `permit` or `forbid`.
    effect: &'static str,
    #[schema(required)]
    profile: Option<String>,
    /// `matches`, or what it stops on, in words.
    verdict: String,
}

fn outcome(verdict: &Verdict) -> (&'static str, Option<String>) {
    match &verdict.outcome {
        Outcome::Permit { profile } => ("permit", Some(profile.clone())),
        Outcome::Deny => ("deny", None),
        Outcome::NoRule => ("no_rule", None),
        Outcome::Error => ("error", None),
    }
}

/// The decision that a body names.
pub(super) async fn recorded(state: &ApiState, id: &str) -> Result<Decision, Problem> {
    let missing = || Problem::unknown_name("decision", format!("there is no decision {id:?}"));
    let id: DecisionId = id.parse().map_err(|_| missing())?;
    state.store.decision(id).await?.ok_or_else(missing)
}

/// What the policy was asked when it was made.
pub(super) fn facts_asked(decision: &Decision) -> Result<Facts, Problem> {
    facts_of(decision).ok_or_else(|| {
        let detail =
            format!("the policy was not asked about it: {} {}", decision.reason.cause(), decision.reason.remedy());
        Problem::unprocessable("not_asked", detail, Vec::new())
    })
}

/// Says of each rule whether it matches, and if not, on what it stops
#[utoipa::path(
    post, path = "/api/v1/policy/explain", operation_id = "explain_policy", tag = "policy",
    request_body = Question,
    responses(
        (status = 200, description = "What the policy says of it", body = Explained),
    ),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn explain(
    State(state): State<ApiState>,
    Body(question): Body<Question>,
) -> Result<Json<Explained>, Problem> {
    let present = state.inventory.present();
    let facts = match (question.decision, question.given) {
        (Some(id), None) => facts_asked(&recorded(&state, &id).await?)?,
        (None, given) => {
            let given = serde_json::Value::Object(given.unwrap_or_default());
            let given: Given = serde_json::from_value(given).map_err(|e| Problem::parameter("given", e.to_string()))?;
            given
                .facts(&present.built.world(state.clock.now()))
                .map_err(|e| Problem::unprocessable("unknown_name", e, vec![]))?
        }
        (Some(_), Some(_)) => {
            return Err(Problem::parameter("given", "decision brings its own facts: give one of the two"));
        }
    };
    state.turns.run(move || explained(&present, question.text, &facts)).await?.map(Json)
}

fn explained(present: &Present, text: Option<String>, facts: &Facts) -> Result<Explained, Problem> {
    let (policy, _) = DraftBody { text, ..DraftBody::default() }.policy(present)?;
    let barred = match &facts.principal {
        Principal::Identity(identity) if !identity.is_live(facts.at) => {
            Some(format!("{} is {} or expired", identity.name, identity.status))
        }
        _ => None,
    };
    let verdict = policy.evaluate(facts);
    let rules = policy.explain(facts).map_err(|e| Problem::unprocessable("not_explained", e, Vec::new()))?;
    let rule = |rule: RuleVerdict| RuleView {
        id: rule.id.to_string(),
        order: rule.order,
        effect: if rule.forbids { "forbid" } else { "permit" },
        profile: rule.profile.map(|profile| profile.to_string()),
        verdict: rule.matched.to_string(),
    };
    let (outcome, profile) = outcome(&verdict);
    let rules = rules.into_iter().map(rule).collect();
    Ok(Explained { outcome, profile, decided_by: verdict.policies, errors: verdict.errors, barred, rules })
}

/// A draft, and by what to compare it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Comparison {
    /// The Cedar text.
    text: String,
    /// How many days of decisions to ask again, 1 to 90; 7 if it is not said.
    days: Option<u32>,
}

/// Who would get something else.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Difference {
    /// How many decisions were asked again.
    asked: u64,
    /// Since when.
    since: Timestamp,
    /// From what to what, most decisions first.
    flows: Vec<FlowView>,
    /// What is unwise about the draft.
    warnings: Vec<Fault>,
}

/// Those who go from one outcome to another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FlowView {
    /// The profile today, or `denied`.
    from: String,
    /// The profile by the draft, or `denied`.
    to: String,
    /// How many decisions.
    decisions: u64,
    /// How many identities and endpoints.
    who_in_all: usize,
    /// The names of the first 100.
    who: Vec<String>,
}

/// Says who would get another profile by a draft, from recorded decisions
#[utoipa::path(
    post, path = "/api/v1/policy/diff", operation_id = "diff_policy", tag = "policy",
    request_body = Comparison,
    responses(
        (status = 200, description = "Who would get what else", body = Difference),
    ),
    security(("bearer" = ["policy:read"]))
)]
pub(super) async fn diff(
    State(state): State<ApiState>,
    Body(body): Body<Comparison>,
) -> Result<Json<Difference>, Problem> {
    let days = body.days.unwrap_or(DEFAULT_DAYS);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(Problem::parameter("days", format!("{days} is not from 1 to {MAX_DAYS}")));
    }
    let present = state.inventory.present();
    let _turn = state.turns.wait().await?;
    let (of, text) = (present.clone(), Some(body.text));
    let drafted = tokio::task::spawn_blocking(move || DraftBody { text, ..DraftBody::default() }.policy(&of)).await;
    let (policy, warnings) = drafted.map_err(|e| Problem::internal(&e))??;
    let old = Arc::new(present.built.snapshot.clone());
    let new = Arc::new(crate::access::Snapshot { policy, ..present.built.snapshot.clone() });
    let since = state.clock.now() - Duration::from_secs(u64::from(days) * 86_400);
    let ask = move |decision: &_| Some((decide(decision, &old)?, decide(decision, &new)?));
    let replayed = replay(&state.store, since, ask).await.map_err(|e| Problem::internal(&e))?;
    let flow = |((from, to), flow): ((String, String), crate::access::again::Flow)| FlowView {
        from,
        to,
        decisions: flow.decisions,
        who_in_all: flow.who.len(),
        who: flow.who.into_iter().take(MAX_NAMED).collect(),
    };
    let mut flows: Vec<FlowView> = replayed.flows.changed.into_iter().map(flow).collect();
    flows.sort_by_key(|flow| std::cmp::Reverse(flow.decisions));
    Ok(Json(Difference { asked: replayed.flows.asked, since, flows, warnings }))
}

/// The policy in force, if it is for the API to change.
pub(super) fn managed(present: &Present) -> Result<(), Problem> {
    match &present.config.policy.file {
        None => Ok(()),
        Some(file) => Err(Problem::conflict(
            "described_in_file",
            format!(
                "the policy in force is the file {}: change it there, or remove `file` from [policy] of the server's \
                 configuration to keep revisions in the database",
                file.get_ref().display()
            ),
        )),
    }
}
