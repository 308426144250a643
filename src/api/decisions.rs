//! What was decided, and why.

use super::caller::Caller;
use super::changes::ChangeView;
use super::extract::Query;
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use super::{ApiState, changes};
use crate::audit::course::Round;
use crate::audit::decision::{Decision, DecisionOutcome, Fact, IdentityRef};
use crate::audit::reason::Reason;
use crate::ids::DecisionId;
use crate::inventory::mac::MacAddress;
use crate::operators::account::Sites;
use crate::store::changes::ChangeFilter;
use crate::store::read::{DecisionFilter, Order};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// `accept`, `reject` or `incomplete`.
    outcome: Option<String>,
    /// A reason's code.
    reason: Option<String>,
    /// The name of the NAS.
    nas: Option<String>,
    /// The site of the NAS.
    site: Option<String>,
    /// The name of the identity.
    identity: Option<String>,
    /// The endpoint's MAC address, in any spelling.
    mac: Option<String>,
    /// The authorization profile that was granted.
    profile: Option<String>,
    /// The wireless network.
    ssid: Option<String>,
    /// The VLAN that was granted, as the NAS was told it.
    vlan: Option<String>,
    /// Whether it was carried out.
    enforced: Option<bool>,
    since: Option<String>,
    until: Option<String>,
    /// `at`: the oldest first; `-at`: the newest first, as without it.
    sort: Option<String>,
    pub(in crate::api) cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    pub(in crate::api) limit: Option<u32>,
}

/// Attempts to get on the network, newest first
///
/// A page may be short and still have a next one: what is seldom is looked for a stretch at a time.
#[utoipa::path(
    get,
    path = "/api/v1/decisions",
    operation_id = "list_decisions",
    tag = "decisions",
    params(Parameters),
    responses((status = 200, description = "A page of them", body = Page<DecisionView>)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<DecisionView>>, Problem> {
    let filter = DecisionFilter {
        outcome: parsed("outcome", p.outcome.as_deref(), "accept, reject or incomplete", DecisionOutcome::from_code)?,
        reason: parsed("reason", p.reason.as_deref(), "a reason's code as decisions show it", Reason::from_code)?,
        nas: at_nas(&state, &caller.sites, p.nas, p.site.as_deref()),
        identity: p.identity,
        mac: mac(p.mac.as_deref())?,
        profile: p.profile,
        ssid: p.ssid,
        vlan: p.vlan,
        enforced: p.enforced,
        since: parsed("since", p.since.as_deref(), TIME, time)?,
        until: parsed("until", p.until.as_deref(), TIME, time)?,
        order: order(p.sort.as_deref(), "at")?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.decisions(&filter, after, limit(p.limit)?).await?;
    Ok(Json(Page::new(page.items.iter().map(shown).collect(), page.next)))
}

/// One attempt with all its facts, and the latest changes to its session
#[utoipa::path(
    get,
    path = "/api/v1/decisions/{id}",
    operation_id = "get_decision",
    tag = "decisions",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = DecisionView)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn one(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DecisionView>, Problem> {
    let missing = || Problem::not_found(format!("there is no decision {id:?}"));
    let id: DecisionId = id.parse().map_err(|_| missing())?;
    let decision = state.store.decision(id).await?.ok_or_else(missing)?;
    if !caller.reaches(&state, &decision.nas_name) {
        return Err(missing());
    }
    let mut shown = shown(&decision);
    let filter = ChangeFilter { decision: Some(id), ..ChangeFilter::default() };
    shown.changes = Some(changes::latest(&state, &filter).await?);
    Ok(Json(shown))
}

/// One attempt to get on the network: what was known, what was decided and why, and what was answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
pub(super) struct DecisionView {
    id: DecisionId,
    /// When it was decided.
    at: Timestamp,
    outcome: DecisionOutcome,
    /// Why, out of a closed list.
    reason: Reason,
    /// The reason in words.
    cause: &'static str,
    /// What to do about it.
    remedy: &'static str,
    /// What is particular to this attempt: names, dates, alerts.
    detail: String,
    /// How it was tried: `eap-tls`, `mab`, `acl-download`, or `unknown` when it did not get that far.
    method: String,
    nas: NasRef,
    /// By what the NAS names the session.
    #[schema(required)]
    acct_session_id: Option<String>,
    /// Who was recognised by credential.
    #[schema(required)]
    identity: Option<IdentityRef>,
    /// The name outside the tunnel: a hint for routing, proof of nothing.
    #[schema(required)]
    outer_identity: Option<String>,
    #[schema(required)]
    mac: Option<String>,
    /// Calling-Station-Id as it was sent.
    #[schema(required)]
    calling_station: Option<String>,
    /// Called-Station-Id as it was sent.
    #[schema(required)]
    called_station: Option<String>,
    /// The authorization profile that was applied.
    #[schema(required)]
    profile: Option<String>,
    /// The rules that decided.
    policies: Vec<String>,
    /// Which revision of the policy was asked: its digest.
    policy_revision: String,
    /// All that was known, whether or not a rule looked at it.
    facts: Vec<Fact>,
    /// The attributes of the reply; secrets are left out.
    reply: Vec<Attribute>,
    /// What was let pass but deserves attention.
    warnings: Vec<String>,
    /// How many requests the NAS sent for it, without retransmissions.
    rounds: u32,
    /// Microseconds from the first request to the last.
    duration_us: u64,
    /// What came and what was answered, round by round; empty where there was one round.
    course: Vec<Round>,
    /// The Class attribute that was sent; the NAS returns it with accounting.
    #[schema(required)]
    class: Option<String>,
    /// Whether it was carried out. If not, the NAS is only observed.
    enforced: bool,
    /// The latest changes to its session; of one decision only, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeView>>,
}

/// Where it was asked from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NasRef {
    /// Its name in the inventory.
    pub(super) name: String,
    /// Which of the devices that this entry stands for.
    pub(super) device: String,
    /// The address that the request came from.
    #[schema(required)]
    pub(super) address: Option<String>,
    /// NAS-Port-Id, or else NAS-Port in digits.
    #[schema(required)]
    pub(super) port: Option<String>,
}

/// An attribute of a RADIUS packet, as it is written in words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Attribute {
    name: String,
    value: String,
}

/// The record, with its reason put into words.
fn shown(decision: &Decision) -> DecisionView {
    let d = decision.clone();
    DecisionView {
        id: d.id,
        at: d.at,
        outcome: d.outcome,
        reason: d.reason,
        cause: d.reason.cause(),
        remedy: d.reason.remedy(),
        detail: d.detail,
        method: d.method,
        nas: NasRef {
            name: d.nas_name,
            device: d.names.device,
            address: Some(d.nas_address.to_string()),
            port: d.nas_port,
        },
        acct_session_id: d.names.acct_session_id,
        identity: d.identity,
        outer_identity: d.outer_identity,
        mac: d.mac,
        calling_station: d.calling_station,
        called_station: d.called_station,
        profile: d.profile,
        policies: d.policies,
        policy_revision: d.policy_revision,
        facts: d.facts,
        reply: d.reply.into_iter().map(|(name, value)| Attribute { name, value }).collect(),
        warnings: d.warnings,
        rounds: d.rounds,
        duration_us: d.duration_us,
        course: d.course.rounds,
        class: d.class,
        enforced: d.enforced,
        changes: None,
    }
}

pub(super) const TIME: &str = "a time such as 2026-11-24T08:30:00Z";

pub(super) fn time(text: &str) -> Option<Timestamp> {
    serde_json::from_value(text.into()).ok()
}

/// A parameter's value, if it was given.
pub(in crate::api) fn parsed<T>(
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

/// The NASes that are meant, by their names: one, or those of a site; of these, those at `sites`.
pub(super) fn at_nas(state: &ApiState, sites: &Sites, nas: Option<String>, site: Option<&str>) -> Option<Vec<String>> {
    if site.is_none() && *sites == Sites::All {
        return nas.map(|name| vec![name]);
    }
    let snapshot = state.engine.snapshot();
    let within = snapshot.nas.all().iter().filter(|known| sites.include(known.site.as_deref()));
    let at_site = within.filter(|known| site.is_none() || known.site.as_deref() == site);
    let named = at_site.filter(|known| nas.as_deref().is_none_or(|name| known.name == name));
    Some(named.map(|known| known.name.clone()).collect())
}

/// Which end a list begins with that is in the order of `field`.
pub(super) fn order(given: Option<&str>, field: &str) -> Result<Order, Problem> {
    let backwards = given.is_some_and(|text| text.starts_with('-'));
    match given.map(|text| text.strip_prefix('-').unwrap_or(text)) {
        None => Ok(Order::NewestFirst),
        Some(text) if text != field => {
            Err(Problem::parameter("sort", format!("this list is sorted by {field} or -{field}")))
        }
        Some(_) if backwards => Ok(Order::NewestFirst),
        Some(_) => Ok(Order::OldestFirst),
    }
}
