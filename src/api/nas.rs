//! The NASes that may ask, and how they behave.

use super::ApiState;
use super::caller::Caller;
use super::extract::Query;
use super::page::{Page, limit};
use super::problem::Problem;
use crate::inventory::behaviour::{Baseline, Behaviour, Method};
use crate::inventory::nas::{Nas, NasMode};
use crate::time::Timestamp;
use crate::transport::radsec::Peer;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Addresses that are shown of one NAS: those that asked last.
const SHOWN_SOURCES: usize = 20;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// A NAS, and how it behaves.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NasView {
    name: String,
    /// Addresses and prefixes that it sends from.
    addresses: Vec<String>,
    /// Whether it may ask by UDP.
    udp: bool,
    #[schema(required)]
    radsec: Option<RadsecView>,
    /// What kind of gear it is.
    vendor: String,
    #[schema(required)]
    site: Option<String>,
    groups: Vec<String>,
    /// `enforce` or `observe`.
    #[schema(value_type = String)]
    mode: NasMode,
    /// When it asked last.
    #[schema(required)]
    last_at: Option<Timestamp>,
    /// Requests that were verified.
    requests: u64,
    /// How many addresses it was seen to send from.
    sources: usize,
    /// What was learned of the 20 that asked last.
    learned: Vec<LearnedView>,
}

/// A NAS that speaks RADIUS over TLS.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RadsecView {
    /// The name in its certificate by which it is known.
    certificate: String,
    /// Its open connections.
    connections: Vec<ConnectionView>,
}

/// An open connection.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConnectionView {
    source: String,
    since: Timestamp,
    /// `1.0` or `1.1`.
    version: &'static str,
    tls: &'static str,
    cipher_suite: String,
    /// Of its certificate.
    subject: String,
    serial: String,
    not_after: Timestamp,
    /// The CA that vouches for it.
    ca: String,
}

/// What was learned of a NAS at an address that it sends from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LearnedView {
    address: String,
    first_at: Timestamp,
    last_at: Timestamp,
    requests: u64,
    /// Whether something new would be unexpected.
    settled: bool,
    nas_identifiers: Vec<String>,
    nas_addresses: Vec<String>,
    port_types: Vec<String>,
    methods: Vec<&'static str>,
    service_types: Vec<String>,
    vendors: Vec<String>,
    /// `always`, `sometimes` or `never`.
    message_authenticator: &'static str,
}

/// The NASes that may ask, by name: their TLS connections, and what was learned of them
#[utoipa::path(
    get,
    path = "/api/v1/nas",
    operation_id = "list_nas",
    tag = "nas",
    params(Parameters),
    responses((status = 200, description = "A page of them", body = Page<NasView>)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<NasView>>, Problem> {
    let limit = limit(p.limit)? as usize;
    let snapshot = state.engine.snapshot();
    let after = |nas: &&Arc<Nas>| p.cursor.as_ref().is_none_or(|cursor| nas.name > *cursor);
    let own = |nas: &&Arc<Nas>| caller.sites.include(nas.site.as_deref());
    let mut all: Vec<&Arc<Nas>> = snapshot.nas.all().iter().filter(own).filter(after).collect();
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| more).map(|nas| nas.name.clone());
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
    Ok(Json(Page::new(items.collect(), next)))
}

fn shown(nas: &Nas, mut sources: Vec<Behaviour>, baseline: &Baseline, connections: &[Arc<Peer>]) -> NasView {
    sources.sort_unstable_by_key(|behaviour| std::cmp::Reverse(behaviour.last));
    NasView {
        name: nas.name.clone(),
        addresses: nas.addresses.iter().map(ToString::to_string).collect(),
        udp: nas.secret.is_some(),
        radsec: nas.radsec.as_ref().map(|radsec| RadsecView {
            certificate: radsec.name.to_string(),
            connections: connections.iter().map(|peer| connection(peer)).collect(),
        }),
        vendor: nas.vendor.clone(),
        site: nas.site.clone(),
        groups: nas.groups.clone(),
        mode: nas.mode,
        last_at: sources.first().map(|behaviour| behaviour.last),
        requests: sources.iter().map(|behaviour| behaviour.requests).sum(),
        sources: sources.len(),
        learned: sources.iter().take(SHOWN_SOURCES).map(|b| learned(b, baseline)).collect(),
    }
}

fn connection(peer: &Peer) -> ConnectionView {
    ConnectionView {
        source: peer.source.to_string(),
        since: peer.since,
        version: peer.version.as_str(),
        tls: peer.tls,
        cipher_suite: peer.cipher_suite.clone(),
        subject: peer.certificate.subject.clone(),
        serial: peer.certificate.serial.clone(),
        not_after: peer.certificate.not_after,
        ca: peer.ca.clone(),
    }
}

fn learned(behaviour: &Behaviour, baseline: &Baseline) -> LearnedView {
    let learned = &behaviour.learned;
    LearnedView {
        address: behaviour.address.to_string(),
        first_at: behaviour.first,
        last_at: behaviour.last,
        requests: behaviour.requests,
        settled: behaviour.is_settled(baseline),
        nas_identifiers: learned.identifiers.clone(),
        nas_addresses: learned.addresses.iter().map(ToString::to_string).collect(),
        port_types: learned.port_type_names(),
        methods: learned.methods.iter().copied().map(Method::code).collect(),
        service_types: learned.service_type_names(),
        vendors: learned.vendor_names(),
        message_authenticator: behaviour.message_authenticator(),
    }
}
