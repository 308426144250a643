//! Who is, and who was, on the network.

use super::decisions::{TIME, mac, parsed, time};
use super::extract::Query;
use super::page::{CURSOR, limit};
use super::problem::Problem;
use super::{ApiState, changes};
use crate::access::changes::confirmed_end;
use crate::coa::life::Life;
use crate::ids::SessionId;
use crate::session::state::{Session, SessionState};
use crate::store::changes::ChangeFilter;
use crate::store::read::{Held, SessionFilter};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use utoipa::IntoParams;

const STATES: &str = "authenticated, started, active, stopped or inferred";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    state: Option<String>,
    live: Option<bool>,
    nas: Option<String>,
    mac: Option<String>,
    identity: Option<String>,
    user: Option<String>,
    stay: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    tag = "sessions",
    params(Parameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(State(state): State<ApiState>, Query(p): Query<Parameters>) -> Result<Json<Value>, Problem> {
    let filter = SessionFilter {
        state: parsed("state", p.state.as_deref(), STATES, SessionState::from_code)?,
        live: p.live,
        may_go_on: None,
        nas: p.nas,
        mac: mac(p.mac.as_deref())?,
        identity: p.identity,
        user: p.user,
        stay: parsed("stay", p.stay.as_deref(), "the id of a session", |text| text.parse().ok())?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.sessions(&filter, after, limit(p.limit)?).await?;
    let items = all_shown(&state, &page.items).await?;
    Ok(Json(json!({ "items": items, "next": page.next })))
}

#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path)),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no session {id:?}"));
    let id: SessionId = id.parse().map_err(|_| missing())?;
    let session = state.store.session(id).await?.ok_or_else(missing)?;
    let mut shown = shown(&session, state.store.latest_changes(&[id]).await?.get(&id));
    let filter = ChangeFilter { session: Some(id), ..ChangeFilter::default() };
    shown["changes"] = changes::latest(&state, &filter).await?.into();
    Ok(Json(shown))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhoParameters {
    ip: Option<String>,
    mac: Option<String>,
    nas: Option<String>,
    port: Option<String>,
    at: Option<String>,
}

/// Who had an address, or was on a port, at a time: now, unless told otherwise.
#[utoipa::path(
    get,
    path = "/api/v1/who",
    tag = "sessions",
    params(WhoParameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn who(State(state): State<ApiState>, Query(p): Query<WhoParameters>) -> Result<Json<Value>, Problem> {
    let ip = parsed("ip", p.ip.as_deref(), "an IPv4 or IPv6 address", |text| text.parse::<IpAddr>().ok())?;
    let what = match (ip, mac(p.mac.as_deref())?, p.nas, p.port) {
        (Some(ip), None, None, None) => Held::Ip(ip.to_string()),
        (None, Some(mac), None, None) => Held::Mac(mac),
        (None, None, Some(nas), Some(port)) => Held::Port { nas, port },
        _ => return Err(Problem::query("say one of: ip, mac, or nas with port")),
    };
    let at = parsed("at", p.at.as_deref(), TIME, time)?.unwrap_or_else(|| state.clock.now());
    let items = all_shown(&state, &state.store.holders(&what, at).await?).await?;
    Ok(Json(json!({ "at": at, "items": items })))
}

async fn all_shown(state: &ApiState, all: &[Session]) -> Result<Vec<Value>, Problem> {
    let ids: Vec<SessionId> = all.iter().map(|session| session.id).collect();
    let latest = state.store.latest_changes(&ids).await?;
    Ok(all.iter().map(|session| shown(session, latest.get(&session.id))).collect())
}

fn shown(session: &Session, latest: Option<&Life>) -> Value {
    json!({
        "id": session.id,
        "state": session.state(),
        "disconnect_confirmed_at": confirmed_end(latest, session),
        "started_at": session.started_at(),
        "last_at": session.last_at,
        "stopped_at": session.stopped_at(),
        "terminate_cause": session.terminate_cause(),
        "inferred_because": session.inference(),
        "stay": session.stay,
        "identity": session.identity(),
        "profile": session.profile(),
        "nas": {
            "name": session.key.nas_name,
            "device": session.key.device,
            "address": session.nas_address(),
            "port": session.nas_port(),
        },
        "acct_session_id": session.acct_session_id(),
        "acct_multi_session_id": session.multi_session_id(),
        "mac": session.mac(),
        "calling_station": session.calling_station(),
        "called_station": session.called_station(),
        "user_name": session.user_name(),
        "framed_ip": session.framed_ip(),
        "framed_ipv6": session.framed_ipv6(),
        "addresses": session.addresses().iter().map(|place| json!({
            "address": place.value,
            "first_at": Timestamp::from_micros(place.first_us),
            "last_at": Timestamp::from_micros(place.last_us),
        })).collect::<Vec<_>>(),
        "input_octets": session.counters().input_octets(),
        "output_octets": session.counters().output_octets(),
        "input_packets": session.counters().input_packets(),
        "output_packets": session.counters().output_packets(),
        "session_time_secs": session.counters().session_time(),
        "counter_resets": session.counters().resets(),
        "decision": session.decision(),
    })
}
