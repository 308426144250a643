//! osquery's TLS API (osquery, "Remotely interfacing osquery"): hosts enroll, get our pack, and log what it finds.
//!
//! A host is somebody by its certificate, if it has one; else by what an operator has written down of it: the
//! attribute `hardware_serial` or `osquery_host` of an identity. Errors are told as osquery understands them:
//! `node_invalid`, with which it enrolls again.

use super::Peer;
use crate::api::ApiState;
use crate::api::extract::Body;
use crate::api::problem::Problem;
use crate::audit::event::By;
use crate::config::live::{Inventory, Present};
use crate::ids::{IdentityId, NodeId};
use crate::inventory::identity::Identity;
use crate::jobs::posture::NotTaken;
use crate::operators::throttle::Network;
use crate::operators::token::digest_of;
use crate::posture::check::Check;
use crate::posture::compliance::watched;
use crate::posture::osquery::{MAX_NODE_TEXT, Node, Platform, Told, config, of_log, told, urgent};
use crate::posture::report::{Observed, Report, Source};
use crate::random::random;
use crate::time::Timestamp;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// The longest body, in octets: what osquery sends at once, 1,024 lines of a result each of ours and far longer ones.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Random octets of a node key.
const KEY_LEN: usize = 32;
/// Attributes of identities that name their hosts.
const HARDWARE_SERIAL: &str = "hardware_serial";
const HOST_IDENTIFIER: &str = "osquery_host";

/// Where flags of osquery point that were written for Fleet, beside our own paths: nothing else need be changed there.
const PREFIXES: [&str; 2] = ["/osquery", "/api/v1/osquery"];

pub(super) fn routes() -> Router<ApiState> {
    let mut routes = Router::new();
    for prefix in PREFIXES {
        let all = Router::new()
            .route("/enroll", post(enroll))
            .route("/config", post(configure))
            .route("/log", post(log))
            .route("/distributed/read", post(ask))
            .route("/distributed/write", post(answered));
        routes = routes.nest(prefix, all);
    }
    routes.layer(DefaultBodyLimit::max(MAX_BODY))
}

/// That a node is to enroll again.
fn invalid(why: &str) -> Json<Value> {
    Json(json!({ "node_invalid": true, "error": why }))
}

/// By what it is told whose host a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum Mapping {
    /// The certificate that it was enrolled by.
    Certificate,
    /// The attribute `hardware_serial` of the identity.
    HardwareSerial,
    /// The attribute `osquery_host` of the identity.
    OsqueryHost,
}

/// Identities by the attributes that name their hosts, made anew when the inventory has changed.
#[derive(Debug, Default)]
pub(in crate::api) struct Hosts(Mutex<Option<(Arc<Present>, Named)>>);

/// Nothing for what names several.
type Named = Arc<HashMap<(&'static str, String), Option<IdentityId>>>;

impl Hosts {
    async fn named(&self, inventory: &Inventory) -> Named {
        let present = inventory.present();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, named)) = known.filter(|(of, _)| Arc::ptr_eq(of, &present)) {
            drop(of);
            return named;
        }
        let read = present.clone();
        // A million identities are looked through.
        let named = tokio::task::spawn_blocking(move || {
            let mut named = HashMap::new();
            for identity in read.built.snapshot.identities.all() {
                for (attribute, value) in &identity.attributes {
                    let Some(key) = [HARDWARE_SERIAL, HOST_IDENTIFIER].into_iter().find(|key| *key == &**attribute)
                    else {
                        continue;
                    };
                    let place = named.entry((key, value.to_ascii_lowercase())).or_insert(Some(identity.id));
                    if *place != Some(identity.id) {
                        *place = None;
                    }
                }
            }
            Arc::new(named)
        });
        let named: Named = named.await.unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((present, named.clone()));
        named
    }
}

impl ApiState {
    /// Whose host a node is, and by what that is told.
    pub(in crate::api) async fn host_of(&self, node: &Node) -> Option<(Arc<Identity>, Mapping)> {
        let snapshot = self.engine.snapshot();
        if let Some(id) = node.identity {
            return snapshot.identities.by_id(id).cloned().map(|identity| (identity, Mapping::Certificate));
        }
        let named = self.hosts.named(&self.inventory).await;
        let by = |key, value: &str| {
            let id = named.get(&(key, value.to_ascii_lowercase())).copied().flatten()?;
            snapshot.identities.by_id(id).cloned()
        };
        by(HARDWARE_SERIAL, &node.hardware_serial)
            .map(|identity| (identity, Mapping::HardwareSerial))
            .or_else(|| by(HOST_IDENTIFIER, &node.host_identifier).map(|identity| (identity, Mapping::OsqueryHost)))
    }

    /// The node of this key. One that was enrolled by a certificate shows it each time.
    async fn node_of(&self, peer: &Peer, key: &str) -> Result<Option<Node>, Problem> {
        let now = self.clock.now();
        let digest = digest_of(key.as_bytes());
        // Who guesses keeps none of those out who stand behind the same address.
        if !self.remembers(&digest) {
            self.failures.check(&Network::of(peer.from.ip()), now)?;
        }
        let Some(node) = self.store.node_by_digest(&digest).await? else {
            self.failures.take(Network::of(peer.from.ip()), now)?;
            return Ok(None);
        };
        self.remember(digest);
        if let Some(id) = node.identity
            && !self.holder(peer).is_ok_and(|holder| holder.identity.id == id)
        {
            return Ok(None);
        }
        self.store.node_seen(&node, now).await?;
        Ok(Some(node))
    }

    /// The identity of a node, if it is anybody who may report.
    async fn reporter(&self, node: &Node) -> Option<Arc<Identity>> {
        let (identity, _) = self.host_of(node).await?;
        identity.is_live(self.clock.now()).then_some(identity)
    }

    /// Takes in what the queries of a node have found.
    async fn found(&self, node: &Node, all: Vec<Told>) -> Result<(), Problem> {
        let Some(identity) = self.reporter(node).await else { return Ok(()) };
        // What was found at one time is one report, the oldest first.
        let mut reports: BTreeMap<Timestamp, BTreeMap<Check, Observed>> = BTreeMap::new();
        for Told { check, value, ttl_secs, at } in all {
            reports.entry(at).or_default().insert(check, Observed { value, ttl_secs });
        }
        for (at, checks) in reports {
            let report = Report { identity: identity.id, source: Source::Osquery, at, checks };
            match self.posture.report(&report).await {
                // What lay in a buffer for too long tells nothing any more.
                Ok(_) | Err(NotTaken::Refused(_)) => {}
                Err(error) => return Err(crate::api::posture::problem(error)),
            }
        }
        Ok(())
    }
}

/// What a host says when it enrolls.
#[derive(Debug, Deserialize)]
struct Enroll {
    #[serde(default)]
    enroll_secret: String,
    host_identifier: String,
    #[serde(default)]
    host_details: Value,
}

impl Enroll {
    fn detail(&self, table: &str, column: &str) -> String {
        limited(self.host_details[table][column].as_str().unwrap_or_default())
    }

    fn node(&self, identity: Option<IdentityId>, now: Timestamp) -> Node {
        let platform = self.detail("os_version", "platform");
        Node {
            id: NodeId::new(now),
            host_identifier: limited(&self.host_identifier),
            identity,
            hardware_serial: self.detail("system_info", "hardware_serial"),
            hostname: self.detail("system_info", "hostname"),
            platform: Platform::named(&platform),
            os_version: limited(&format!(
                "{} {}",
                self.detail("os_version", "name"),
                self.detail("os_version", "version")
            )),
            osquery_version: self.detail("osquery_info", "version"),
            enrolled: now,
            seen: now,
        }
    }
}

fn limited(text: &str) -> String {
    let mut text: String = text.chars().filter(|c| !c.is_control()).collect();
    let end = text.floor_char_boundary(MAX_NODE_TEXT);
    text.truncate(end);
    text.trim().to_owned()
}

async fn enroll(State(state): State<ApiState>, peer: Peer, Body(asked): Body<Enroll>) -> Result<Json<Value>, Problem> {
    let now = state.clock.now();
    state.failures.check(&Network::of(peer.from.ip()), now)?;
    let identity = match state.holder(&peer) {
        Ok(holder) => Some(holder.identity),
        Err(_) if peer.chain.is_empty() => None,
        Err(problem) => return Ok(invalid(&problem.told())),
    };
    let secret = state.inventory.present().built.endpoints.secret.clone();
    let knows = secret.is_some_and(|secret| bool::from(secret.expose().ct_eq(asked.enroll_secret.as_bytes())));
    if identity.is_none() && !knows {
        state.failures.take(Network::of(peer.from.ip()), now)?;
        return Ok(invalid("neither a certificate nor the enroll secret of this server was shown"));
    }
    if limited(&asked.host_identifier).is_empty() {
        return Ok(invalid("the host says no host_identifier"));
    }
    let key = random::<KEY_LEN>().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
    let key = crate::radius::value::digits(&key);
    let node = asked.node(identity.map(|identity| identity.id), now);
    let by = By::api(&*node.host_identifier, peer.from).in_role("osquery");
    state.store.enroll_node(&node, &digest_of(key.as_bytes()), &by).await?;
    tracing::info!(host = node.host_identifier, from = %peer.from, "an osquery was enrolled");
    Ok(Json(json!({ "node_key": key, "node_invalid": false })))
}

/// What every later request begins with.
#[derive(Debug, Deserialize)]
struct Known {
    #[serde(default)]
    node_key: String,
}

const UNKNOWN: &str = "this node is not enrolled, or not with this key and certificate";

async fn configure(
    State(state): State<ApiState>,
    peer: Peer,
    Body(asked): Body<Known>,
) -> Result<Json<Value>, Problem> {
    let Some(node) = state.node_of(&peer, &asked.node_key).await? else { return Ok(invalid(UNKNOWN)) };
    let identity = state.reporter(&node).await;
    let names = identity.map(|identity| watched(&state.engine.snapshot().compliance, &identity));
    Ok(Json(config(&names.unwrap_or_default())))
}

/// What a host logs: results of its queries, or how osquery itself fares.
#[derive(Debug, Deserialize)]
struct Log {
    #[serde(default)]
    node_key: String,
    log_type: String,
    #[serde(default)]
    data: Vec<Value>,
}

async fn log(State(state): State<ApiState>, peer: Peer, Body(said): Body<Log>) -> Result<Json<Value>, Problem> {
    let Some(node) = state.node_of(&peer, &said.node_key).await? else { return Ok(invalid(UNKNOWN)) };
    if said.log_type == "result" {
        let now = state.clock.now();
        state.found(&node, said.data.iter().filter_map(|entry| of_log(entry, now)).collect()).await?;
    }
    Ok(Json(json!({ "node_invalid": false })))
}

/// What fails, or is not known, is asked again at each look, so that what was mended counts soon.
async fn ask(State(state): State<ApiState>, peer: Peer, Body(asked): Body<Known>) -> Result<Json<Value>, Problem> {
    let Some(node) = state.node_of(&peer, &asked.node_key).await? else { return Ok(invalid(UNKNOWN)) };
    let queries = state.reporter(&node).await.map(|identity| {
        let compliance = state.engine.snapshot().compliance.clone();
        let verdict = state.engine.posture().verdict(&identity, &compliance, state.clock.now());
        urgent(&verdict, node.platform, &watched(&compliance, &identity))
    });
    Ok(Json(json!({ "queries": queries.unwrap_or_default(), "node_invalid": false })))
}

/// What a host answers to what it was asked.
#[derive(Debug, Deserialize)]
struct Answers {
    #[serde(default)]
    node_key: String,
    #[serde(default)]
    queries: HashMap<String, Value>,
    /// By query: 0 if it could be asked.
    #[serde(default)]
    statuses: HashMap<String, Value>,
}

async fn answered(
    State(state): State<ApiState>,
    peer: Peer,
    Body(said): Body<Answers>,
) -> Result<Json<Value>, Problem> {
    let Some(node) = state.node_of(&peer, &said.node_key).await? else { return Ok(invalid(UNKNOWN)) };
    let now = state.clock.now();
    let good = |name: &String| said.statuses.get(name).is_none_or(|status| *status == 0 || *status == "0");
    let answers = said.queries.iter().filter(|(name, _)| good(name));
    let all = answers.filter_map(|(name, rows)| told(name, rows.as_array()?, now)).collect();
    state.found(&node, all).await?;
    Ok(Json(json!({ "node_invalid": false })))
}
