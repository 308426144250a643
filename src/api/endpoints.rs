//! What is seen on the wire, and what does not fit together about it.

use super::ApiState;
use super::decisions::{TIME, mac, parsed, time};
use super::extract::Query;
use super::page::{CURSOR, limit};
use super::problem::Problem;
use crate::ids::EndpointId;
use crate::inventory::endpoint::{Endpoint, Place};
use crate::inventory::fingerprint::{Category, Fingerprint, Judged, OsFamily};
use crate::inventory::observation::EndpointKey;
use crate::inventory::signal::{SignalKind, Subject};
use crate::store::endpoints_read::{EndpointFilter, Signal, SignalFilter};
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

/// Signals that are shown with an endpoint; the others are a page away.
const SHOWN_SIGNALS: u32 = 20;
const SIGNAL: &str = "a signal's code, such as mac_in_two_places";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    mac: Option<String>,
    vendor: Option<String>,
    category: Option<String>,
    nas: Option<String>,
    randomized: Option<String>,
    signal: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

#[utoipa::path(
    get,
    path = "/api/v1/endpoints",
    tag = "endpoints",
    params(Parameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(State(state): State<ApiState>, Query(p): Query<Parameters>) -> Result<Json<Value>, Problem> {
    let filter = EndpointFilter {
        mac: mac(p.mac.as_deref())?,
        vendor: p.vendor,
        category: parsed("category", p.category.as_deref(), &one_of(Category::ALL), Category::from_code)?,
        nas: p.nas,
        randomized: parsed("randomized", p.randomized.as_deref(), "true or false", |text| text.parse().ok())?,
        signal: parsed("signal", p.signal.as_deref(), SIGNAL, SignalKind::from_code)?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.endpoints(&filter, after, limit(p.limit)?).await?;
    let items: Vec<Value> = page.items.iter().map(summary).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{id}",
    tag = "endpoints",
    params(("id" = String, Path)),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no endpoint {id:?}"));
    let id: EndpointId = id.parse().map_err(|_| missing())?;
    let endpoint = state.store.endpoint(id).await?.ok_or_else(missing)?;
    let filter = SignalFilter { endpoint: Some(id), ..SignalFilter::default() };
    let signals = state.store.signals(filter, None, SHOWN_SIGNALS).await?;
    let mut shown = summary(&endpoint);
    if let Value::Object(shown) = &mut shown {
        let details = &endpoint.details;
        shown.insert("certificate".into(), json!(details.certificate));
        shown.insert("places".into(), details.places.iter().map(place).collect());
        shown.insert("ips".into(), json!(details.ips));
        shown.insert("fingerprint".into(), fingerprint(&details.fingerprint));
        shown.insert("signals".into(), signals.items.iter().map(signal).collect());
    }
    Ok(Json(shown))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SignalParameters {
    kind: Option<String>,
    endpoint: Option<String>,
    nas: Option<String>,
    since: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

#[utoipa::path(
    get,
    path = "/api/v1/signals",
    tag = "endpoints",
    params(SignalParameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn signals(
    State(state): State<ApiState>,
    Query(p): Query<SignalParameters>,
) -> Result<Json<Value>, Problem> {
    let filter = SignalFilter {
        kind: parsed("kind", p.kind.as_deref(), SIGNAL, SignalKind::from_code)?,
        endpoint: parsed("endpoint", p.endpoint.as_deref(), "an endpoint's id", |text| text.parse().ok())?,
        nas: p.nas,
        since: parsed("since", p.since.as_deref(), TIME, time)?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.signals(filter, after, limit(p.limit)?).await?;
    let items: Vec<Value> = page.items.iter().map(signal).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

fn one_of(categories: &[Category]) -> String {
    categories.iter().map(|c| c.code()).collect::<Vec<_>>().join(", ")
}

fn summary(endpoint: &Endpoint) -> Value {
    let details = &endpoint.details;
    let known_by = match &endpoint.key {
        EndpointKey::Certificate(_) => "certificate",
        EndpointKey::Mac(_) => "mac",
        EndpointKey::Login(_) => "login",
    };
    json!({
        "id": endpoint.id,
        "known_by": known_by,
        "first_at": endpoint.first_at,
        "last_at": endpoint.last_at,
        "mac": details.macs.first(),
        "macs": details.macs,
        "randomized": endpoint.is_randomized(),
        "vendor": endpoint.vendor(),
        "identity": details.identity,
        "category": details.fingerprint.category.map(|c| c.value.code()),
        "os": details.fingerprint.os.map(|o| o.value.code()),
        "confidence": details.fingerprint.confidence(),
        "nas": details.places.first().map(|p| json!({ "name": p.nas, "address": p.address, "port": p.port })),
        "ip": details.ips.first().map(|seen| seen.ip),
    })
}

fn place(place: &Place) -> Value {
    json!({
        "mac": place.mac,
        "nas": { "name": place.nas, "address": place.address, "port": place.port },
        "ssid": place.ssid,
        "wireless": place.wireless,
        "first_at": place.first_at,
        "last_at": place.last_at,
        "present": place.present_at().is_some(),
    })
}

fn fingerprint(fingerprint: &Fingerprint) -> Value {
    let Fingerprint { category, os, evidence } = fingerprint;
    json!({
        "category": category.map(|j: Judged<Category>| json!({ "is": j.value.code(), "confidence": j.confidence })),
        "os": os.map(|j: Judged<OsFamily>| json!({ "is": j.value.code(), "confidence": j.confidence })),
        "confidence": fingerprint.confidence(),
        "evidence": evidence,
    })
}

/// The signal, put into words.
fn signal(signal: &Signal) -> Value {
    let (endpoint, nas) = match &signal.subject {
        Subject::Endpoint(id) => (Some(id), None),
        Subject::Nas { name, address } => (None, Some(json!({ "name": name, "address": address }))),
    };
    json!({
        "id": signal.id,
        "at": signal.at,
        "endpoint": endpoint,
        "nas": nas,
        "kind": signal.kind,
        "cause": signal.kind.cause(),
        "remedy": signal.kind.remedy(),
        "detail": signal.detail,
    })
}
