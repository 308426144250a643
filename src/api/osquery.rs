//! The hosts whose osquery was enrolled, and whose they are.

use super::ApiState;
use super::agents::Mapping;
use super::caller::Caller;
use super::decisions::parsed;
use super::extract::Query;
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::ids::{IdentityId, NodeId};
use crate::posture::osquery::Node;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Nodes that are read at once when those are looked for that are nobody's.
const READ_AT_ONCE: u32 = 500;

/// A host whose osquery was enrolled.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NodeView {
    id: NodeId,
    /// What the host is called by `--host_identifier`.
    host_identifier: String,
    hardware_serial: String,
    hostname: String,
    /// `linux`, `darwin` or `windows`.
    platform: &'static str,
    os_version: String,
    osquery_version: String,
    enrolled_at: Timestamp,
    /// When it was heard of last, to the minute.
    seen_at: Timestamp,
    /// Whose host it is; null if that is not known, and what it reports counts for nobody.
    #[schema(required)]
    identity: Option<IdentityId>,
    /// The name of that identity.
    #[schema(required)]
    identity_name: Option<String>,
    /// By what that is told.
    #[schema(required)]
    mapped_by: Option<Mapping>,
}

/// Which nodes to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Whether it is known whose host it is.
    mapped: Option<bool>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

async fn view(state: &ApiState, node: Node) -> NodeView {
    let of = state.host_of(&node).await;
    NodeView {
        id: node.id,
        identity: of.as_ref().map(|(identity, _)| identity.id),
        identity_name: of.as_ref().map(|(identity, _)| identity.name.to_string()),
        mapped_by: of.map(|(_, by)| by),
        host_identifier: node.host_identifier,
        hardware_serial: node.hardware_serial,
        hostname: node.hostname,
        platform: node.platform.name(),
        os_version: node.os_version,
        osquery_version: node.osquery_version,
        enrolled_at: node.enrolled,
        seen_at: node.seen,
    }
}

/// Hosts whose osquery was enrolled, and whose they are
///
/// Of a host that is nobody's, write down in the attributes of its identity which it is: `hardware_serial`, or
/// `osquery_host` for its `host_identifier`.
#[utoipa::path(
    get, path = "/api/v1/osquery/nodes", operation_id = "list_osquery_nodes", tag = "posture", params(Parameters),
    responses((status = 200, description = "A page of them, by id", body = Page<NodeView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<NodeView>>, Problem> {
    let mut after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse::<NodeId>().ok())?;
    let limit = limit(p.limit)? as usize;
    let mut items: Vec<NodeView> = Vec::new();
    loop {
        let nodes = state.store.nodes(after, READ_AT_ONCE).await?;
        let more = nodes.len() == READ_AT_ONCE as usize;
        after = nodes.last().map(|node| node.id);
        for node in nodes {
            let node = view(&state, node).await;
            if p.mapped.is_some_and(|mapped| mapped != node.identity.is_some()) {
                continue;
            }
            items.push(node);
            if items.len() > limit {
                items.pop();
                let next = items.last().map(|node| node.id);
                return Ok(Json(Page::new(items, next)));
            }
        }
        if !more {
            return Ok(Json(Page::new(items, None::<String>)));
        }
    }
}

/// Forgets a host: its osquery has to enroll again
#[utoipa::path(
    delete, path = "/api/v1/osquery/nodes/{id}", operation_id = "forget_osquery_node", tag = "posture",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "Its key opens nothing any more")),
    security(("bearer" = ["inventory:write"]))
)]
pub(super) async fn forget(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::not_found(format!("there is no node {id:?}; GET /api/v1/osquery/nodes lists them"));
    let node = state.store.node(id.parse().map_err(|_| missing())?).await?.ok_or_else(missing)?;
    state.store.forget_node(&node, &caller.by(), state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
