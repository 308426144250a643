//! What is seen on the wire, and what does not fit together about it.

use super::ApiState;
use super::caller::Caller;
use super::decisions::{at_nas, mac, parsed};
use super::extract::Query;
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use super::signals::{SIGNAL, SignalView};
use crate::audit::decision::IdentityRef;
use crate::ids::EndpointId;
use crate::inventory::endpoint::{Endpoint, Place, SeenIp};
use crate::inventory::fingerprint::{Category, Fingerprint, Judged, OsFamily};
use crate::inventory::mac::MacAddress;
use crate::inventory::observation::{CertificateRef, EndpointKey};
use crate::operators::account::Sites;
use crate::signals::kind::SignalKind;
use crate::store::endpoints_read::EndpointFilter;
use crate::store::signals::SignalFilter;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Signals that are shown with an endpoint; the others are a page away.
const SHOWN_SIGNALS: u32 = 20;

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// A MAC address that it had, in any spelling.
    mac: Option<String>,
    /// The vendor of its network card.
    vendor: Option<String>,
    /// What it seems to be: `printer`, `phone`, `camera`, `workstation`, `mobile`, `server` and others.
    category: Option<String>,
    /// A NAS where it was.
    nas: Option<String>,
    /// The site of a NAS where it was.
    site: Option<String>,
    /// `true` or `false`: whether its address was made up.
    randomized: Option<String>,
    /// A signal about it, by its code.
    signal: Option<String>,
    pub(in crate::api) cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    pub(in crate::api) limit: Option<u32>,
}

/// A thing as it is seen on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub(super) struct EndpointView {
    id: EndpointId,
    /// What makes two contacts the same endpoint's: `certificate`, `mac` or `login`.
    known_by: &'static str,
    first_at: Timestamp,
    last_at: Timestamp,
    #[schema(required, value_type = Option<String>)]
    mac: Option<MacAddress>,
    /// Its network cards, the latest first.
    #[schema(value_type = Vec<String>)]
    macs: Vec<MacAddress>,
    /// Whether its address was made up.
    randomized: bool,
    /// The vendor of its network card.
    #[schema(required)]
    vendor: Option<String>,
    /// Who was recognised the last time.
    #[schema(required)]
    identity: Option<IdentityRef>,
    /// What it seems to be.
    #[schema(required)]
    category: Option<&'static str>,
    /// What seems to run on it.
    #[schema(required)]
    os: Option<&'static str>,
    /// How sure that is, in percent.
    confidence: u8,
    /// Where it was the last time.
    #[schema(required)]
    nas: Option<PortView>,
    #[schema(required)]
    ip: Option<String>,
}

/// All that is known of an endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndpointWhole)]
pub(super) struct EndpointWhole {
    #[serde(flatten)]
    of: EndpointView,
    /// The certificate that it proved the last time.
    #[schema(required, value_type = Option<Object>)]
    certificate: Option<CertificateRef>,
    /// Where it was, the latest first.
    places: Vec<PlaceView>,
    /// Its IP addresses, the latest first.
    ips: Vec<IpView>,
    fingerprint: FingerprintView,
    /// The latest signals about it.
    signals: Vec<SignalView>,
}

/// A port of a NAS.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PortView {
    name: String,
    address: String,
    #[schema(required)]
    port: Option<String>,
}

/// Where an endpoint was.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlaceView {
    #[schema(required, value_type = Option<String>)]
    mac: Option<MacAddress>,
    nas: PortView,
    #[schema(required)]
    ssid: Option<String>,
    wireless: bool,
    first_at: Timestamp,
    last_at: Timestamp,
    /// Whether it is there, as far as is known.
    present: bool,
}

/// An IP address of an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IpView {
    ip: String,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// What an endpoint seems to be, and by what.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FingerprintView {
    #[schema(required)]
    category: Option<JudgedView>,
    #[schema(required)]
    os: Option<JudgedView>,
    confidence: u8,
    /// The clues that rules had something to say about.
    evidence: Vec<EvidenceView>,
}

/// What was concluded, and how sure that is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JudgedView {
    is: &'static str,
    /// In percent.
    confidence: u8,
}

/// A clue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvidenceView {
    /// What it was about.
    clue: &'static str,
    /// What was seen.
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<&'static str>,
    /// How much it weighs, 1 to 99.
    weight: u8,
}

/// Things as they are seen on the wire, newest first
#[utoipa::path(
    get,
    path = "/api/v1/endpoints",
    operation_id = "list_endpoints",
    tag = "endpoints",
    params(Parameters),
    responses((status = 200, description = "A page of them", body = Page<EndpointView>)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<EndpointView>>, Problem> {
    let filter = EndpointFilter {
        mac: mac(p.mac.as_deref())?,
        vendor: p.vendor,
        category: parsed("category", p.category.as_deref(), &one_of(Category::ALL), Category::from_code)?,
        nas: at_nas(&state, &caller.sites, p.nas, p.site.as_deref()),
        randomized: parsed("randomized", p.randomized.as_deref(), "true or false", |text| text.parse().ok())?,
        signal: parsed("signal", p.signal.as_deref(), SIGNAL, SignalKind::from_code)?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.endpoints(&filter, after, limit(p.limit)?).await?;
    Ok(Json(Page::new(page.items.iter().map(summary).collect(), page.next)))
}

/// One of them: addresses, places, fingerprint with evidence, signals
#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{id}",
    operation_id = "get_endpoint",
    tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = EndpointWhole)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn one(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<EndpointWhole>, Problem> {
    let missing = || Problem::not_found(format!("there is no endpoint {id:?}"));
    let id: EndpointId = id.parse().map_err(|_| missing())?;
    let mut endpoint = state.store.endpoint(id).await?.ok_or_else(missing)?;
    // Where else it was is for those who may know of there.
    endpoint.details.places.retain(|place| caller.reaches(&state, &place.nas));
    if endpoint.details.places.is_empty() && caller.sites != Sites::All {
        return Err(missing());
    }
    let filter = SignalFilter { endpoint: Some(id), ..SignalFilter::default() };
    let signals = state.store.signals(filter, None, SHOWN_SIGNALS).await?;
    let details = &endpoint.details;
    Ok(Json(EndpointWhole {
        of: summary(&endpoint),
        certificate: details.certificate.clone(),
        places: details.places.iter().map(place).collect(),
        ips: details.ips.iter().map(ip).collect(),
        fingerprint: fingerprint(&details.fingerprint),
        signals: signals.items.iter().filter(|_| caller.sites == Sites::All).map(SignalView::of).collect(),
    }))
}

fn one_of(categories: &[Category]) -> String {
    categories.iter().map(|c| c.code()).collect::<Vec<_>>().join(", ")
}

fn summary(endpoint: &Endpoint) -> EndpointView {
    let details = &endpoint.details;
    let known_by = match &endpoint.key {
        EndpointKey::Certificate(_) => "certificate",
        EndpointKey::Mac(_) => "mac",
        EndpointKey::Login(_) => "login",
    };
    EndpointView {
        id: endpoint.id,
        known_by,
        first_at: endpoint.first_at,
        last_at: endpoint.last_at,
        mac: details.macs.first().copied(),
        macs: details.macs.clone(),
        randomized: endpoint.is_randomized(),
        vendor: endpoint.vendor().map(|vendor| vendor.to_string()),
        identity: details.identity.clone(),
        category: details.fingerprint.category.map(|c| c.value.code()),
        os: details.fingerprint.os.map(|o| o.value.code()),
        confidence: details.fingerprint.confidence(),
        nas: details.places.first().map(port),
        ip: details.ips.first().map(|seen| seen.ip.to_string()),
    }
}

fn port(place: &Place) -> PortView {
    PortView { name: place.nas.clone(), address: place.address.to_string(), port: place.port.clone() }
}

fn place(place: &Place) -> PlaceView {
    PlaceView {
        mac: place.mac,
        nas: port(place),
        ssid: place.ssid.clone(),
        wireless: place.wireless,
        first_at: place.first_at,
        last_at: place.last_at,
        present: place.present_at().is_some(),
    }
}

fn ip(seen: &SeenIp) -> IpView {
    IpView { ip: seen.ip.to_string(), first_at: seen.first_at, last_at: seen.last_at }
}

fn fingerprint(fingerprint: &Fingerprint) -> FingerprintView {
    let Fingerprint { category, os, evidence } = fingerprint;
    let evidence = evidence.iter().map(|e| EvidenceView {
        clue: e.clue.code(),
        value: e.value.clone(),
        category: e.category.map(Category::code),
        os: e.os.map(OsFamily::code),
        weight: e.weight,
    });
    FingerprintView {
        category: category.map(|j: Judged<Category>| JudgedView { is: j.value.code(), confidence: j.confidence }),
        os: os.map(|j: Judged<OsFamily>| JudgedView { is: j.value.code(), confidence: j.confidence }),
        confidence: fingerprint.confidence(),
        evidence: evidence.collect(),
    }
}
