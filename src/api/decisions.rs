//! What was decided, and why.

use super::problem::Problem;
use super::{ApiState, changes};
use crate::audit::decision::{Decision, DecisionOutcome};
use crate::audit::reason::Reason;
use crate::ids::DecisionId;
use crate::inventory::mac::MacAddress;
use crate::store::changes::ChangeFilter;
use crate::store::read::{DecisionFilter, MAX_PAGE};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

/// Rows of a page when the caller does not say.
pub(super) const DEFAULT_PAGE: u32 = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    outcome: Option<String>,
    reason: Option<String>,
    nas: Option<String>,
    identity: Option<String>,
    mac: Option<String>,
    enforced: Option<bool>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(state): State<ApiState>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(p) = query.map_err(|e| Problem::query(e.body_text()))?;
    let filter = DecisionFilter {
        outcome: parsed("outcome", p.outcome.as_deref(), "accept, reject or incomplete", DecisionOutcome::from_code)?,
        reason: parsed("reason", p.reason.as_deref(), "a reason's code as decisions show it", Reason::from_code)?,
        nas: p.nas,
        identity: p.identity,
        mac: mac(p.mac.as_deref())?,
        enforced: p.enforced,
        since: parsed("since", p.since.as_deref(), TIME, time)?,
        until: parsed("until", p.until.as_deref(), TIME, time)?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.decisions(&filter, after, limit(p.limit)?).await?;
    let items: Vec<Value> = page.items.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no decision {id:?}"));
    let id: DecisionId = id.parse().map_err(|_| missing())?;
    let decision = state.store.decision(id).await?.ok_or_else(missing)?;
    let mut shown = shown(&decision);
    let filter = ChangeFilter { decision: Some(id), ..ChangeFilter::default() };
    shown["changes"] = changes::latest(&state, &filter).await?.into();
    Ok(Json(shown))
}

/// The record, with its reason put into words.
fn shown(decision: &Decision) -> Value {
    let Decision {
        id,
        at,
        outcome,
        reason,
        detail,
        method,
        nas_name,
        nas_address,
        nas_port,
        names,
        calling_station,
        mac,
        called_station,
        outer_identity,
        identity,
        profile,
        policies,
        policy_revision,
        facts,
        reply,
        warnings,
        rounds,
        duration_us,
        class,
        enforced,
    } = decision;
    let reply: Vec<Value> = reply.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({
        "id": id,
        "at": at,
        "outcome": outcome,
        "reason": reason,
        "cause": reason.cause(),
        "remedy": reason.remedy(),
        "detail": detail,
        "method": method,
        "nas": { "name": nas_name, "device": names.device, "address": nas_address, "port": nas_port },
        "acct_session_id": names.acct_session_id,
        "identity": identity,
        "outer_identity": outer_identity,
        "mac": mac,
        "calling_station": calling_station,
        "called_station": called_station,
        "profile": profile,
        "policies": policies,
        "policy_revision": policy_revision,
        "facts": facts,
        "reply": reply,
        "warnings": warnings,
        "rounds": rounds,
        "duration_us": duration_us,
        "class": class,
        "enforced": enforced,
    })
}

pub(super) const TIME: &str = "a time such as 2026-11-24T08:30:00Z";
pub(super) const CURSOR: &str = "the \"next\" of an earlier page";

pub(super) fn time(text: &str) -> Option<Timestamp> {
    serde_json::from_value(text.into()).ok()
}

/// A parameter's value, if it was given.
pub(super) fn parsed<T>(
    field: &'static str,
    given: Option<&str>,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    given
        .map(|text| parse(text).ok_or_else(|| Problem::parameter(field, format!("{text:?} is not {expected}"))))
        .transpose()
}

pub(super) fn mac(given: Option<&str>) -> Result<Option<String>, Problem> {
    parsed("mac", given, "a MAC address", |text| MacAddress::parse(text).ok().map(|mac| mac.to_string()))
}

pub(super) fn limit(given: Option<u32>) -> Result<u32, Problem> {
    match given {
        None => Ok(DEFAULT_PAGE),
        Some(n) if (1..=MAX_PAGE).contains(&n) => Ok(n),
        Some(n) => Err(Problem::parameter("limit", format!("{n} is not between 1 and {MAX_PAGE}"))),
    }
}
