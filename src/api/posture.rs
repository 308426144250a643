//! How identities are doing: reported by connectors, asked for by everybody who may see them.

use super::ApiState;
use super::caller::{Caller, Means};
use super::decisions::parsed;
use super::extract::{Body, Query};
use super::page::{CURSOR, Page, limit};
use super::problem::{Fault, Problem};
use crate::ids::IdentityId;
use crate::inventory::identity::{Identity, IdentityKind};
use crate::jobs::posture::NotTaken;
use crate::posture::check::Check;
use crate::posture::compliance::{Finding, Severity, Status, Verdict};
use crate::posture::report::{DEFAULT_TTL, MAX_CHECKS, MAX_TTL, MIN_TTL, Observed, Report, Source};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Reports that one request may bring: what is durable well within the time that a request may take.
const MAX_REPORTS: usize = 5_000;
/// The name of who reports with the server's own token and does not say it.
const UNNAMED: &str = "api";
/// The longest name of who reports, in characters.
const MAX_SOURCE: usize = 64;

/// What was found of one identity.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportBody {
    /// As of when it was found, by the clock of who reports; without it, now.
    at: Option<String>,
    /// How long it holds, in seconds: 10 to 2,592,000; without it, a day.
    ttl_secs: Option<u32>,
    /// By name of check: its value (true, false, a number, a text or a list of texts).
    checks: BTreeMap<String, Value>,
    /// Who says so, where the server's own token is used; else it is the name of the token.
    source: Option<String>,
}

/// The same, and of whom.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NamedReport {
    /// The id of the identity, or else its kind and name.
    identity: Option<String>,
    /// Its kind.
    kind: Option<String>,
    /// Its name.
    name: Option<String>,
    #[serde(flatten)]
    report: ReportBody,
}

/// Several reports.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reports {
    /// At most 5,000; each is taken in, or refused, for itself.
    reports: Vec<NamedReport>,
}

/// What came of several reports.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReportsTaken {
    /// How many were taken in.
    taken: usize,
    /// Those that were not: which, counted from 0, and why.
    refused: Vec<Fault>,
}

/// How an identity is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PostureView {
    /// Whose posture it is.
    identity: IdentityId,
    /// Its kind.
    kind: String,
    /// Its name.
    name: String,
    /// The worst of all findings.
    status: Status,
    /// The compliance policies that are for it.
    policies: Vec<String>,
    /// As of when something was reported last.
    #[schema(required)]
    reported_at: Option<Timestamp>,
    /// What is not as it should be, the worst first.
    findings: Vec<FindingView>,
    /// All that was reported and still holds; of one identity only.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<CheckView>>,
}

/// One requirement that is not met.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FindingView {
    /// The compliance policy that asks for it.
    policy: String,
    check: String,
    severity: Severity,
    /// What was found; null if nothing is known that holds.
    #[schema(required, value_type = Option<serde_json::Value>)]
    found: Option<crate::posture::check::Value>,
    /// What it must be.
    wanted: String,
    /// Who said so.
    #[schema(required)]
    source: Option<String>,
    /// As of when; of what is not known, until when it was.
    #[schema(required)]
    at: Option<Timestamp>,
    /// Until when it does not count yet.
    #[schema(required)]
    grace_until: Option<Timestamp>,
    /// What to do.
    remedy: String,
}

/// A value that was reported and still holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckView {
    check: String,
    /// What it tells, in words.
    meaning: &'static str,
    #[schema(value_type = serde_json::Value)]
    value: crate::posture::check::Value,
    /// Who said so.
    source: String,
    /// As of when.
    at: Timestamp,
    /// Since when it has been the same.
    since: Timestamp,
    /// Until when it holds.
    until: Timestamp,
}

/// A check that there is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KnownCheck {
    name: &'static str,
    /// What it tells.
    meaning: &'static str,
    /// What its owner does when it fails.
    remedy: &'static str,
}

fn view(identity: &Identity, verdict: &Verdict) -> PostureView {
    PostureView {
        identity: identity.id,
        kind: identity.kind.to_string(),
        name: identity.name.to_string(),
        status: verdict.status,
        policies: verdict.policies.iter().map(ToString::to_string).collect(),
        reported_at: verdict.reported,
        findings: verdict.findings.iter().map(finding).collect(),
        checks: None,
    }
}

fn finding(finding: &Finding) -> FindingView {
    let f = finding.clone();
    FindingView {
        policy: f.policy.to_string(),
        check: f.check.to_string(),
        severity: f.severity,
        found: f.found,
        wanted: f.wanted,
        source: f.source,
        at: f.at,
        grace_until: f.grace_until,
        remedy: f.remedy,
    }
}

impl ReportBody {
    /// Who says so, as `caller` may tell.
    fn source(&self, caller: &Caller) -> Result<Source, Problem> {
        let told = self.source.clone().filter(|_| caller.means == Means::RootToken);
        let name =
            told.unwrap_or_else(|| if caller.means == Means::RootToken { UNNAMED.into() } else { caller.name.clone() });
        if name.is_empty() || name.chars().count() > MAX_SOURCE {
            return Err(Problem::parameter("source", format!("a name has 1 to {MAX_SOURCE} characters")));
        }
        Ok(Source::Connector(name))
    }

    /// The report of `source` on this identity.
    ///
    /// # Errors
    /// Which field says what it cannot.
    pub(super) fn read(self, identity: IdentityId, source: Source, now: Timestamp) -> Result<Report, Problem> {
        let at = parsed("at", self.at.as_deref(), super::decisions::TIME, super::decisions::time)?.unwrap_or(now);
        let ttl = self.ttl_secs.unwrap_or(DEFAULT_TTL.as_secs() as u32);
        let allowed = MIN_TTL.as_secs() as u32..=MAX_TTL.as_secs() as u32;
        if !allowed.contains(&ttl) {
            let detail = format!("{ttl} is not from {} to {}", allowed.start(), allowed.end());
            return Err(Problem::parameter("ttl_secs", detail));
        }
        if self.checks.is_empty() || self.checks.len() > MAX_CHECKS {
            return Err(Problem::parameter("checks", format!("a report has 1 to {MAX_CHECKS} checks")));
        }
        let mut checks = BTreeMap::new();
        for (name, value) in &self.checks {
            let field = || format!("checks.{name}");
            let check: Check = name.parse().map_err(|e| Problem::parameter(field(), format!("{e}")))?;
            let value = check.value(value).map_err(|e| Problem::parameter(field(), e.to_string()))?;
            checks.insert(check, Observed { value, ttl_secs: ttl });
        }
        Ok(Report { identity, source, at, checks })
    }
}

/// Why a report is not taken in, as an answer.
pub(super) fn problem(error: NotTaken) -> Problem {
    let detail = error.to_string();
    match error {
        NotTaken::Unknown(_) => Problem::not_found(detail),
        NotTaken::Refused(_) => Problem::conflict("report_refused", detail),
        NotTaken::Busy => Problem::too_many(detail, std::time::Duration::from_secs(1)),
        NotTaken::Store(error) => error.into(),
    }
}

fn known(state: &ApiState, id: &str) -> Result<Arc<Identity>, Problem> {
    let missing = || Problem::not_found(format!("there is no identity {id:?}; GET /api/v1/posture lists them"));
    let id: IdentityId = id.parse().map_err(|_| missing())?;
    state.engine.snapshot().identities.by_id(id).cloned().ok_or_else(missing)
}

/// Reports how an identity is doing
///
/// Decisions go by it when the answer comes, and sessions of the identity are looked at again. The same report may be
/// sent again; an older one than the latest of the same source is refused.
#[utoipa::path(
    put,
    path = "/api/v1/identities/{id}/posture",
    operation_id = "report_posture",
    tag = "posture",
    params(("id" = String, Path, description = "The id of the identity")),
    request_body = ReportBody,
    responses(
        (status = 200, description = "It is taken in", body = PostureView),
    ),
    security(("bearer" = ["posture:write"]))
)]
pub(super) async fn report(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<ReportBody>,
) -> Result<Json<PostureView>, Problem> {
    let identity = known(&state, &id)?;
    let source = body.source(&caller)?;
    let report = body.read(identity.id, source, state.clock.now())?;
    let verdict = state.posture.report(&report).await.map_err(problem)?;
    Ok(Json(view(&identity, &verdict)))
}

/// Reports how several identities are doing
///
/// Each report is taken in, or refused, for itself.
#[utoipa::path(
    post,
    path = "/api/v1/posture/reports",
    operation_id = "report_postures",
    tag = "posture",
    request_body = Reports,
    responses((status = 200, description = "What came of each", body = ReportsTaken)),
    security(("bearer" = ["posture:write"]))
)]
pub(super) async fn reports(
    State(state): State<ApiState>,
    caller: Caller,
    Body(Reports { reports }): Body<Reports>,
) -> Result<Json<ReportsTaken>, Problem> {
    if reports.len() > MAX_REPORTS {
        return Err(Problem::parameter("reports", format!("there are more than {MAX_REPORTS}; send them in parts")));
    }
    let (snapshot, now) = (state.engine.snapshot(), state.clock.now());
    let mut refused = Vec::new();
    let mut refuse = |number: usize, message: String, remedy: &str| {
        refused.push(Fault { at: Some(format!("reports[{number}]")), message, remedy: remedy.into() });
    };
    let mut readable = Vec::new();
    for (number, named) in reports.into_iter().enumerate() {
        let identity = match (&named.identity, &named.kind, &named.name) {
            (Some(id), None, None) => id.parse().ok().and_then(|id| snapshot.identities.by_id(id)),
            (None, Some(kind), Some(name)) => {
                kind.parse::<IdentityKind>().ok().and_then(|kind| snapshot.identities.by_name(kind, name))
            }
            _ => {
                refuse(number, "it is not said of whom".into(), "give identity, or kind and name");
                continue;
            }
        };
        let Some(identity) = identity else {
            refuse(number, "there is no such identity".into(), "GET /api/v1/posture lists those that there are");
            continue;
        };
        let source = named.report.source(&caller);
        match source.and_then(|source| named.report.read(identity.id, source, now)) {
            Ok(report) => readable.push((number, report)),
            Err(problem) => refuse(number, problem.told(), "correct it; docs/posture.md says what a report may say"),
        }
    }
    // All at once: they are stored together.
    let mut tasks = tokio::task::JoinSet::new();
    let mut taken = 0;
    for (number, report) in readable {
        let intake = state.posture.clone();
        tasks.spawn(async move { (number, intake.report(&report).await) });
    }
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((_, Ok(_))) => taken += 1,
            Ok((number, Err(error))) => refuse(number, error.to_string(), "send what is so now"),
            Err(error) => return Err(Problem::internal(&error)),
        }
    }
    refused.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(Json(ReportsTaken { taken, refused }))
}

/// How an identity is doing, and why
#[utoipa::path(
    get,
    path = "/api/v1/identities/{id}/posture",
    operation_id = "get_posture",
    tag = "posture",
    params(("id" = String, Path, description = "The id of the identity")),
    responses((status = 200, description = "Its posture", body = PostureView)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<PostureView>, Problem> {
    Ok(Json(whole(&state, &*known(&state, &id)?)))
}

/// How an identity is doing, with all that is known of it.
pub(super) fn whole(state: &ApiState, identity: &Identity) -> PostureView {
    let now = state.clock.now();
    let table = state.engine.posture();
    let verdict = table.verdict(identity, &state.engine.snapshot().compliance, now);
    let mut shown = view(identity, &verdict);
    let kept = table.kept(identity.id).unwrap_or_default();
    let checks = kept.standing.checks(now).into_iter().map(|(check, (seen, source))| CheckView {
        check: check.to_string(),
        meaning: check.meaning(),
        value: seen.value.clone(),
        source: source.to_string(),
        at: seen.at,
        since: seen.since,
        until: seen.until,
    });
    shown.checks = Some(checks.collect());
    shown
}

/// Which identities to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// `compliant`, `warning`, `unknown` or `non_compliant`.
    status: Option<String>,
    /// The kind of identity.
    kind: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// How all identities are doing of which something was reported, or of which something is asked
#[utoipa::path(
    get,
    path = "/api/v1/posture",
    operation_id = "list_posture",
    tag = "posture",
    params(Parameters),
    responses((status = 200, description = "A page of them, by id", body = Page<PostureView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<PostureView>>, Problem> {
    const STATUS: &str = "compliant, warning, unknown or non_compliant";
    let wanted = |text: &str| Status::ALL.into_iter().find(|status| status.code() == text);
    let status = parsed("status", p.status.as_deref(), STATUS, wanted)?;
    let kind = parsed("kind", p.kind.as_deref(), "a kind of identity", |text| text.parse::<IdentityKind>().ok())?;
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse::<IdentityId>().ok())?;
    let limit = limit(p.limit)? as usize;
    let (snapshot, now) = (state.engine.snapshot(), state.clock.now());
    let table = state.engine.posture();
    let mut items = Vec::new();
    for identity in snapshot.identities.after(after) {
        if kind.is_some_and(|kind| identity.kind != kind) {
            continue;
        }
        let verdict = table.verdict(identity, &snapshot.compliance, now);
        let concerned = !verdict.policies.is_empty() || verdict.reported.is_some();
        if !concerned || status.is_some_and(|status| verdict.status != status) {
            continue;
        }
        items.push(view(identity, &verdict));
        if items.len() > limit {
            items.pop();
            let next = items.last().map(|item| item.identity);
            return Ok(Json(Page::new(items, next)));
        }
    }
    Ok(Json(Page::new(items, None::<String>)))
}

/// The checks that reports and compliance policies can speak of
#[utoipa::path(
    get,
    path = "/api/v1/posture/checks",
    operation_id = "list_checks",
    tag = "posture",
    responses((status = 200, description = "All but those of one's own, which begin with `x.`", body = Vec<KnownCheck>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn checks() -> Json<Vec<KnownCheck>> {
    let known = Check::KNOWN.iter().map(|check| KnownCheck {
        name: check.static_name(),
        meaning: check.meaning(),
        remedy: check.remedy(),
    });
    Json(known.collect())
}
