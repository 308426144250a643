//! Who is, and who was, on the network.

use super::ApiState;
use super::decisions::{CURSOR, limit, mac, parsed};
use super::problem::Problem;
use crate::ids::SessionId;
use crate::session::state::{Session, SessionState};
use crate::store::read::SessionFilter;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    state: Option<String>,
    nas: Option<String>,
    mac: Option<String>,
    user: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(state): State<ApiState>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(p) = query.map_err(|e| Problem::query(e.body_text()))?;
    let filter = SessionFilter {
        state: parsed("state", p.state.as_deref(), "active or stopped", SessionState::from_code)?,
        nas: p.nas,
        mac: mac(p.mac.as_deref())?,
        user: p.user,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.sessions(&filter, after, limit(p.limit)?).await?;
    let items: Vec<Value> = page.items.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no session {id:?}"));
    let id: SessionId = id.parse().map_err(|_| missing())?;
    let session = state.store.session(id).await?.ok_or_else(missing)?;
    Ok(Json(shown(&session)))
}

fn shown(session: &Session) -> Value {
    json!({
        "id": session.id,
        "state": session.state(),
        "started_at": session.started_at(),
        "last_at": session.last_at,
        "stopped_at": session.stopped_at(),
        "terminate_cause": session.terminate_cause(),
        "nas": { "name": session.key.nas_name, "address": session.nas_address(), "port": session.nas_port() },
        "acct_session_id": session.key.acct_session_id,
        "acct_multi_session_id": session.multi_session_id(),
        "mac": session.mac(),
        "calling_station": session.calling_station(),
        "called_station": session.called_station(),
        "user_name": session.user_name(),
        "framed_ip": session.framed_ip(),
        "framed_ipv6": session.framed_ipv6(),
        "input_octets": session.input_octets,
        "output_octets": session.output_octets,
        "input_packets": session.input_packets,
        "output_packets": session.output_packets,
        "session_time_secs": session.session_time,
        "decision": session.decision(),
    })
}
