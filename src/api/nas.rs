//! The NASes that may ask, and how they behave.

use super::ApiState;
use super::extract::Query;
use super::page::limit;
use super::problem::Problem;
use crate::inventory::behaviour::{Baseline, Behaviour, Method};
use crate::inventory::nas::Nas;
use crate::transport::radsec::Peer;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::IntoParams;

/// Addresses that are shown of one NAS: those that asked last.
const SHOWN_SOURCES: usize = 20;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    cursor: Option<String>,
    limit: Option<u32>,
}

/// All NASes by name.
#[utoipa::path(
    get,
    path = "/api/v1/nas",
    tag = "nas",
    params(Parameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(State(state): State<ApiState>, Query(p): Query<Parameters>) -> Result<Json<Value>, Problem> {
    let limit = limit(p.limit)? as usize;
    let snapshot = state.engine.snapshot();
    let after = |nas: &&Arc<Nas>| p.cursor.as_ref().is_none_or(|cursor| nas.name > *cursor);
    let mut all: Vec<&Arc<Nas>> = snapshot.nas.all().iter().filter(after).collect();
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| more).map(|nas| nas.name.as_str());
    let mut sources: HashMap<&str, Vec<Behaviour>> = all.iter().map(|nas| (nas.name.as_str(), Vec::new())).collect();
    let watch = state.engine.watch();
    for behaviour in watch.select(|behaviour| sources.contains_key(behaviour.name.as_str())) {
        if let Some(of) = sources.get_mut(behaviour.name.as_str()) {
            of.push(behaviour);
        }
    }
    let items = all.iter().map(|nas| {
        let sources = sources.remove(nas.name.as_str()).unwrap_or_default();
        let connections = if nas.radsec.is_some() { state.connections.open(Some(&nas.name)) } else { Vec::new() };
        shown(nas, sources, watch.baseline(), &connections)
    });
    Ok(Json(json!({ "items": items.collect::<Vec<_>>(), "next": next })))
}

fn shown(nas: &Nas, mut sources: Vec<Behaviour>, baseline: &Baseline, connections: &[Arc<Peer>]) -> Value {
    sources.sort_unstable_by_key(|behaviour| std::cmp::Reverse(behaviour.last));
    json!({
        "name": nas.name,
        "addresses": nas.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "udp": nas.secret.is_some(),
        "radsec": nas.radsec.as_ref().map(|radsec| json!({
            "certificate": radsec.name.to_string(),
            "connections": connections.iter().map(|peer| connection(peer)).collect::<Vec<_>>(),
        })),
        "vendor": nas.vendor,
        "site": nas.site,
        "groups": nas.groups,
        "mode": nas.mode,
        "last_at": sources.first().map(|behaviour| behaviour.last),
        "requests": sources.iter().map(|behaviour| behaviour.requests).sum::<u64>(),
        "sources": sources.len(),
        "learned": sources.iter().take(SHOWN_SOURCES).map(|b| learned(b, baseline)).collect::<Vec<_>>(),
    })
}

fn connection(peer: &Peer) -> Value {
    json!({
        "source": peer.source.to_string(),
        "since": peer.since,
        "version": peer.version.as_str(),
        "tls": peer.tls,
        "cipher_suite": peer.cipher_suite,
        "subject": peer.certificate.subject,
        "serial": peer.certificate.serial,
        "not_after": peer.certificate.not_after,
        "ca": peer.ca,
    })
}

fn learned(behaviour: &Behaviour, baseline: &Baseline) -> Value {
    let learned = &behaviour.learned;
    json!({
        "address": behaviour.address,
        "first_at": behaviour.first,
        "last_at": behaviour.last,
        "requests": behaviour.requests,
        "settled": behaviour.is_settled(baseline),
        "nas_identifiers": learned.identifiers,
        "nas_addresses": learned.addresses,
        "port_types": learned.port_type_names(),
        "methods": learned.methods.iter().copied().map(Method::code).collect::<Vec<_>>(),
        "service_types": learned.service_type_names(),
        "vendors": learned.vendor_names(),
        "message_authenticator": behaviour.message_authenticator(),
    })
}
