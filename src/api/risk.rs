//! How much speaks against somebody, and what it is the sum of.

use super::ApiState;
use super::decisions::{mac, parsed};
use super::extract::Query;
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::access::Snapshot;
use crate::ids::{IdentityId, SignalId};
use crate::inventory::mac::MacAddress;
use crate::signals::kind::SignalKind;
use crate::signals::risk::{Factor, Level, Risk};
use crate::signals::signal::{Severity, Subject};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How much speaks against an identity, or against a MAC address that is nobody's.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Risk)]
pub(super) struct RiskView {
    /// The identity.
    #[schema(required)]
    identity: Option<IdentityId>,
    /// Its kind.
    #[schema(required)]
    kind: Option<String>,
    /// Its name.
    #[schema(required)]
    name: Option<String>,
    /// The MAC address that is nobody's.
    #[schema(required)]
    mac: Option<String>,
    /// It rises as soon as the score reaches a threshold, and falls when the score is below it by the hysteresis.
    level: Level,
    /// The sum of the weights, at most 100.
    score: f64,
    /// The score from which the level is medium.
    medium: f64,
    /// The score from which the level is high.
    high: f64,
    /// How far the score must be below a threshold for the level to fall.
    hysteresis: f64,
    /// What the score is the sum of, the heaviest first.
    factors: Vec<FactorView>,
}

/// One signal, and what it weighs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RiskFactor)]
pub(super) struct FactorView {
    signal: SignalId,
    kind: SignalKind,
    severity: Severity,
    source: String,
    /// What of the kind and source it is about; the same told again takes its place.
    topic: String,
    detail: String,
    at: Timestamp,
    /// What it weighed at first: the weight of its kind, times 0, 0.25, 0.5, 1 or 1.5 for its severity.
    full_weight: f64,
    /// After how many seconds it weighs half as much.
    half_life_secs: u64,
    /// What it weighs now.
    weight: f64,
    /// What was seen.
    cause: &'static str,
    /// What to do about it.
    remedy: &'static str,
}

/// To two decimals, as people read it.
fn rounded(points: f64) -> f64 {
    (points * 100.0).round() / 100.0
}

impl RiskView {
    pub(super) fn of(subject: Subject, risk: &Risk, snapshot: &Snapshot) -> RiskView {
        let identity = match subject {
            Subject::Identity(id) => snapshot.identities.by_id(id),
            Subject::Mac(_) => None,
        };
        let settings = &snapshot.risk;
        let factor = |(factor, weight): &(Factor, f64)| FactorView {
            signal: factor.id,
            kind: factor.kind,
            severity: factor.severity,
            source: factor.source.clone(),
            topic: factor.topic.clone(),
            detail: factor.detail.clone(),
            at: factor.at,
            full_weight: rounded(factor.full_weight(settings)),
            half_life_secs: factor.halves_in(settings).as_secs(),
            weight: rounded(*weight),
            cause: factor.kind.cause(),
            remedy: factor.kind.remedy(),
        };
        RiskView {
            identity: match subject {
                Subject::Identity(id) => Some(id),
                Subject::Mac(_) => None,
            },
            kind: identity.map(|identity| identity.kind.to_string()),
            name: identity.map(|identity| identity.name.to_string()),
            mac: match subject {
                Subject::Identity(_) => None,
                Subject::Mac(mac) => Some(mac.to_string()),
            },
            level: risk.level,
            score: rounded(risk.score),
            medium: settings.medium,
            high: settings.high,
            hysteresis: settings.hysteresis,
            factors: risk.factors.iter().map(factor).collect(),
        }
    }
}

fn view(state: &ApiState, subject: Subject) -> RiskView {
    let snapshot = state.engine.snapshot();
    let risk = state.engine.risks().risk(subject, &snapshot.risk, state.clock.now());
    RiskView::of(subject, &risk, &snapshot)
}

/// How much speaks against an identity, and what that is the sum of
///
/// Each factor is a signal, with what it weighs now; `POST /api/v1/signals/{id}/dismiss` takes one back.
#[utoipa::path(
    get,
    path = "/api/v1/identities/{id}/risk",
    operation_id = "get_risk",
    tag = "risk",
    params(("id" = String, Path, description = "The id of the identity")),
    responses((status = 200, description = "Its risk", body = RiskView)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<RiskView>, Problem> {
    let missing = || Problem::not_found(format!("there is no identity {id:?}; GET /api/v1/identities lists them"));
    let id: IdentityId = id.parse().map_err(|_| missing())?;
    state.engine.snapshot().identities.by_id(id).ok_or_else(missing)?;
    Ok(Json(view(&state, Subject::Identity(id))))
}

/// Whose risk to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// `low`, `medium` or `high`.
    level: Option<String>,
    /// Of this MAC address alone, in any spelling.
    mac: Option<String>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// The order of the list, and its cursor: identities by id, then MAC addresses.
fn place(text: &str) -> Option<Subject> {
    text.parse().ok().map(Subject::Identity).or_else(|| MacAddress::parse(text).ok().map(Subject::Mac))
}

/// Everybody against whom something speaks: identities, and MAC addresses that are nobody's
#[utoipa::path(
    get,
    path = "/api/v1/risk",
    operation_id = "list_risk",
    tag = "risk",
    params(Parameters),
    responses((status = 200, description = "A page of them, identities by id before MAC addresses", body = Page<RiskView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn all(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<RiskView>>, Problem> {
    let level = parsed("level", p.level.as_deref(), "low, medium or high", Level::from_code)?;
    let of = mac(p.mac.as_deref())?.and_then(|mac| MacAddress::parse(&mac).ok()).map(Subject::Mac);
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, place)?;
    let limit = limit(p.limit)? as usize;
    let (snapshot, now) = (state.engine.snapshot(), state.clock.now());
    let mut subjects = state.engine.risks().subjects();
    subjects.retain(|subject| after.is_none_or(|after| *subject > after) && of.is_none_or(|of| *subject == of));
    subjects.sort_unstable();
    let mut items = Vec::new();
    for subject in subjects {
        let risk = state.engine.risks().risk(subject, &snapshot.risk, now);
        if risk.factors.is_empty() || level.is_some_and(|level| level != risk.level) {
            continue;
        }
        if items.len() == limit {
            let next = items
                .last()
                .and_then(|item: &RiskView| item.identity.map(|id| id.to_string()).or_else(|| item.mac.clone()));
            return Ok(Json(Page::new(items, next)));
        }
        items.push(RiskView::of(subject, &risk, &snapshot));
    }
    Ok(Json(Page::new(items, None::<String>)))
}
