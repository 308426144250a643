//! Who is, and who was, on the network.

use super::caller::Caller;
use super::changes::ChangeView;
use super::decisions::NasRef;
use super::decisions::{TIME, at_nas, mac, order, parsed, time};
use super::extract::Query;
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use super::{ApiState, changes};
use crate::access::changes::confirmed_end;
use crate::audit::event::Event;
use crate::coa::life::Life;
use crate::ids::{DecisionId, SessionId};
use crate::session::state::{Inference, Session, SessionState};
use crate::store::changes::ChangeFilter;
use crate::store::read::{Held, SessionFilter};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::{IntoParams, ToSchema};

const STATES: &str = "authenticated, started, active, stopped or inferred";

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// `authenticated`, `started`, `active`, `stopped` or `inferred`.
    state: Option<String>,
    /// Whether it goes on.
    live: Option<bool>,
    /// The name of the NAS.
    nas: Option<String>,
    /// The site of the NAS.
    site: Option<String>,
    /// The endpoint's MAC address, in any spelling.
    mac: Option<String>,
    /// An IP address that it had.
    ip: Option<String>,
    /// The name of the identity.
    identity: Option<String>,
    /// User-Name, as the NAS told it.
    user: Option<String>,
    /// The authorization profile that it was let in with.
    profile: Option<String>,
    /// The wireless network.
    ssid: Option<String>,
    /// The VLAN that was granted, as the NAS was told it.
    vlan: Option<String>,
    /// The id of the first session of the stay.
    stay: Option<String>,
    /// First heard of at this time or later.
    since: Option<String>,
    /// First heard of before this time.
    until: Option<String>,
    /// `started_at`: the oldest first; `-started_at`: the newest first, as without it. By when they were first heard of.
    sort: Option<String>,
    pub(in crate::api) cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    pub(in crate::api) limit: Option<u32>,
}

/// A stay of an endpoint on the network, at one device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    id: SessionId,
    state: SessionState,
    /// When the NAS confirmed a disconnect, until its Accounting-Stop comes.
    #[schema(required)]
    disconnect_confirmed_at: Option<Timestamp>,
    started_at: Timestamp,
    /// When something was heard of it last.
    last_at: Timestamp,
    #[schema(required)]
    stopped_at: Option<Timestamp>,
    #[schema(required)]
    terminate_cause: Option<String>,
    /// `silent` or `superseded`: why it must have ended, though nobody said so.
    #[schema(required)]
    inferred_because: Option<Inference>,
    /// The id of the first session of the same stay.
    stay: SessionId,
    /// The name of the identity.
    #[schema(required)]
    identity: Option<String>,
    #[schema(required)]
    profile: Option<String>,
    nas: NasRef,
    #[schema(required)]
    acct_session_id: Option<String>,
    #[schema(required)]
    acct_multi_session_id: Option<String>,
    #[schema(required)]
    mac: Option<String>,
    #[schema(required)]
    calling_station: Option<String>,
    #[schema(required)]
    called_station: Option<String>,
    #[schema(required)]
    user_name: Option<String>,
    #[schema(required)]
    framed_ip: Option<String>,
    #[schema(required)]
    framed_ipv6: Option<String>,
    /// The addresses that it had, and when.
    addresses: Vec<AddressView>,
    /// Octets from the endpoint.
    input_octets: u64,
    /// Octets to the endpoint.
    output_octets: u64,
    input_packets: u64,
    output_packets: u64,
    session_time_secs: u32,
    /// How often the NAS set a counter back.
    counter_resets: u32,
    /// The decision that let it in.
    #[schema(required)]
    decision: Option<DecisionId>,
    /// The latest changes to it; of one session only.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeView>>,
}

/// An address that a session had.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AddressView {
    address: String,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// Who had an address, or was on a port.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Holders {
    /// At which time.
    at: Timestamp,
    items: Vec<SessionView>,
}

/// Stays on the network, newest first
///
/// A page may be short and still have a next one: what is seldom is looked for a stretch at a time.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    params(Parameters),
    responses((status = 200, description = "A page of them", body = Page<SessionView>)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<SessionView>>, Problem> {
    let filter = SessionFilter {
        state: parsed("state", p.state.as_deref(), STATES, SessionState::from_code)?,
        live: p.live,
        may_go_on: None,
        nas: at_nas(&state, &caller.sites, p.nas, p.site.as_deref()),
        mac: mac(p.mac.as_deref())?,
        ip: ip(p.ip.as_deref())?.map(|ip| ip.to_string()),
        identity: p.identity,
        user: p.user,
        profile: p.profile,
        ssid: p.ssid,
        vlan: p.vlan,
        stay: parsed("stay", p.stay.as_deref(), "the id of a session", |text| text.parse().ok())?,
        since: parsed("since", p.since.as_deref(), TIME, time)?,
        until: parsed("until", p.until.as_deref(), TIME, time)?,
        order: order(p.sort.as_deref(), "started_at")?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.sessions(&filter, after, limit(p.limit)?).await?;
    let items = all_shown(&state, &page.items).await?;
    Ok(Json(Page::new(items, page.next)))
}

/// One of them, with the latest changes to it
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}",
    operation_id = "get_session",
    tag = "sessions",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = SessionView)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn one(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SessionView>, Problem> {
    let missing = || Problem::not_found(format!("there is no session {id:?}"));
    let id: SessionId = id.parse().map_err(|_| missing())?;
    let session = state.store.session(id).await?.ok_or_else(missing)?;
    if !caller.reaches(&state, &session.key.nas_name) {
        return Err(missing());
    }
    let mut shown = shown(&session, state.store.latest_changes(&[id]).await?.get(&id));
    let filter = ChangeFilter { session: Some(id), ..ChangeFilter::default() };
    shown.changes = Some(changes::latest(&state, &filter).await?);
    Ok(Json(shown))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhoParameters {
    /// An IPv4 or IPv6 address; or else:
    ip: Option<String>,
    /// A MAC address, in any spelling; or else:
    mac: Option<String>,
    /// The name of a NAS, with `port`.
    nas: Option<String>,
    port: Option<String>,
    /// When; now, if it is not said.
    at: Option<String>,
}

/// Who had an address, or was on a port, at a time
///
/// That somebody asked is in the audit log.
#[utoipa::path(
    get,
    path = "/api/v1/who",
    operation_id = "find_who",
    tag = "sessions",
    params(WhoParameters),
    responses((status = 200, description = "Their sessions", body = Holders)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn who(
    State(state): State<ApiState>,
    caller: Caller,
    Query(p): Query<WhoParameters>,
) -> Result<Json<Holders>, Problem> {
    let what = match (ip(p.ip.as_deref())?, mac(p.mac.as_deref())?, p.nas, p.port) {
        (Some(ip), None, None, None) => Held::Ip(ip.to_string()),
        (None, Some(mac), None, None) => Held::Mac(mac),
        (None, None, Some(nas), Some(port)) => Held::Port { nas, port },
        _ => return Err(Problem::query("say one of: ip, mac, or nas with port")),
    };
    let at = parsed("at", p.at.as_deref(), TIME, time)?.unwrap_or_else(|| state.clock.now());
    let mut holders = state.store.holders(&what, at).await?;
    holders.retain(|session| caller.reaches(&state, &session.key.nas_name));
    let asked = Event::new(&caller.by(), "who.read", "address", &what.to_string(), state.clock.now());
    state.store.audit(vec![asked.because(&format!("at {at}"))]).await?;
    let items = all_shown(&state, &holders).await?;
    Ok(Json(Holders { at, items }))
}

fn ip(given: Option<&str>) -> Result<Option<IpAddr>, Problem> {
    parsed("ip", given, "an IPv4 or IPv6 address", |text| text.parse().ok())
}

async fn all_shown(state: &ApiState, all: &[Session]) -> Result<Vec<SessionView>, Problem> {
    let ids: Vec<SessionId> = all.iter().map(|session| session.id).collect();
    let latest = state.store.latest_changes(&ids).await?;
    Ok(all.iter().map(|session| shown(session, latest.get(&session.id))).collect())
}

fn shown(session: &Session, latest: Option<&Life>) -> SessionView {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let counters = session.counters();
    let addresses = session.addresses().iter().map(|place| AddressView {
        address: place.value.to_string(),
        first_at: Timestamp::from_micros(place.first_us),
        last_at: Timestamp::from_micros(place.last_us),
    });
    SessionView {
        id: session.id,
        state: session.state(),
        disconnect_confirmed_at: confirmed_end(latest, session),
        started_at: session.started_at(),
        last_at: session.last_at,
        stopped_at: session.stopped_at(),
        terminate_cause: session.terminate_cause(),
        inferred_because: session.inference(),
        stay: session.stay,
        identity: text(session.identity()),
        profile: text(session.profile()),
        nas: NasRef {
            name: session.key.nas_name.clone(),
            device: session.key.device.clone(),
            address: session.nas_address().map(|address| address.to_string()),
            port: session.nas_port(),
        },
        acct_session_id: text(session.acct_session_id()),
        acct_multi_session_id: text(session.multi_session_id()),
        mac: text(session.mac()),
        calling_station: text(session.calling_station()),
        called_station: text(session.called_station()),
        user_name: text(session.user_name()),
        framed_ip: text(session.framed_ip()),
        framed_ipv6: text(session.framed_ipv6()),
        addresses: addresses.collect(),
        input_octets: counters.input_octets(),
        output_octets: counters.output_octets(),
        input_packets: counters.input_packets(),
        output_packets: counters.output_packets(),
        session_time_secs: counters.session_time(),
        counter_resets: counters.resets(),
        decision: session.decision(),
        changes: None,
    }
}
