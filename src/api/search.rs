//! One box for everything: a MAC address in any spelling, an IP address, a name, an id, a serial number.

use super::ApiState;
use super::ca::serial_of;
use super::caller::Caller;
use super::decisions::at_nas;
use super::extract::Query;
use super::problem::Problem;
use crate::ids::{DecisionId, EndpointId, IdentityId, SessionId};
use crate::inventory::identity::Identity;
use crate::inventory::mac::MacAddress;
use crate::operators::account::Sites;
use crate::session::Session;
use crate::store::endpoints_read::EndpointFilter;
use crate::store::issued::{Issued, IssuedFilter};
use crate::store::read::{Held, SessionFilter};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::{IntoParams, ToSchema};

/// Hits of each sort.
const OF_EACH: usize = 8;
/// The shortest part of a name that is looked for, in characters: less is in every name.
const SHORTEST: usize = 2;
/// The shortest beginning of a serial number that is looked for, in digits: words such as "bed" are names.
const SHORTEST_SERIAL: usize = 6;
/// The longest text that is looked for, in characters.
const LONGEST: usize = 200;

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// A MAC address in any spelling, an IP address, an id, the beginning of a certificate's serial number, or a part of a
    /// name.
    q: String,
}

/// What was found, the surest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Found {
    /// As what the text was read: `mac`, `ip`, `id` or `name`.
    read_as: &'static str,
    hits: Vec<Hit>,
}

/// One thing that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hit {
    /// `identity`, `endpoint`, `session`, `decision`, `certificate` or `nas`.
    kind: &'static str,
    /// Its id; of a NAS its name, of a certificate its serial number.
    id: String,
    /// What it is called.
    title: String,
    /// What else helps to tell it from others.
    detail: String,
    /// Where the API has it.
    href: String,
    /// The NASes where it is or was; `None` for what is at no site.
    #[serde(skip)]
    places: Option<Vec<String>>,
}

fn of_identity(identity: &Identity) -> Hit {
    let owner = identity.owner.as_deref().map_or(String::new(), |owner| format!(", owner {owner}"));
    Hit {
        kind: "identity",
        id: identity.id.to_string(),
        title: identity.name.to_string(),
        detail: format!("{}, {}{owner}", identity.kind, identity.status),
        href: format!("/api/v1/identities/{}", identity.id),
        places: None,
    }
}

fn of_session(session: &Session) -> Hit {
    let place = session.nas_port().map_or(String::new(), |port| format!(", port {port}"));
    let who = session.identity().or_else(|| session.mac()).or_else(|| session.user_name());
    Hit {
        kind: "session",
        id: session.id.to_string(),
        title: who.unwrap_or(&session.key.station).to_owned(),
        detail: format!(
            "{} at {}{place}, since {}",
            session.state().code(),
            session.key.nas_name,
            session.started_at()
        ),
        href: format!("/api/v1/sessions/{}", session.id),
        places: Some(vec![session.key.nas_name.clone()]),
    }
}

/// Finds identities, endpoints, sessions, decisions, certificates and NASes
///
/// Whose rights hold at some sites alone finds what is there: sessions, endpoints, decisions and NASes.
#[utoipa::path(
    get, path = "/api/v1/search", operation_id = "search", tag = "search", params(Parameters),
    responses((status = 200, description = "At most eight of each sort", body = Found)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn search(
    State(state): State<ApiState>,
    caller: Caller,
    Query(Parameters { q }): Query<Parameters>,
) -> Result<Json<Found>, Problem> {
    let mut found = look(&state, &caller, q.trim()).await?;
    found.hits.retain(|hit| match &hit.places {
        Some(names) => names.iter().any(|nas| caller.reaches(&state, nas)),
        None => caller.sites == Sites::All,
    });
    Ok(Json(found))
}

async fn look(state: &ApiState, caller: &Caller, text: &str) -> Result<Found, Problem> {
    if text.chars().count() > LONGEST {
        return Err(Problem::parameter("q", format!("it is longer than {LONGEST} characters")));
    }
    if text.len() == 36 && text.parse::<IdentityId>().is_ok() {
        return Ok(Found { read_as: "id", hits: by_id(state, text).await? });
    }
    if let Ok(mac) = MacAddress::parse(text) {
        let mut hits = by_mac(state, caller, mac).await?;
        // Twelve digits may begin a serial number, too.
        hits.extend(by_serial(state, text).await?);
        return Ok(Found { read_as: "mac", hits });
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Found { read_as: "ip", hits: by_ip(state, ip).await? });
    }
    if text.chars().count() < SHORTEST {
        return Err(Problem::parameter("q", format!("a name is looked for by {SHORTEST} characters or more")));
    }
    Ok(Found { read_as: "name", hits: by_name(state, caller, text).await? })
}

async fn by_id(state: &ApiState, text: &str) -> Result<Vec<Hit>, Problem> {
    let mut hits = Vec::new();
    if let Ok(Some(identity)) =
        text.parse::<IdentityId>().map(|id| state.engine.snapshot().identities.by_id(id).cloned())
    {
        hits.push(of_identity(&identity));
    }
    if let Ok(id) = text.parse::<DecisionId>()
        && let Some(decision) = state.store.decision(id).await?
    {
        let who = decision.identity.as_ref().map(|identity| identity.name.clone()).or(decision.mac);
        hits.push(Hit {
            kind: "decision",
            id: text.to_owned(),
            title: who.unwrap_or_default(),
            detail: format!("{} at {}: {}", decision.outcome.code(), decision.nas_name, decision.reason.code()),
            href: format!("/api/v1/decisions/{id}"),
            places: Some(vec![decision.nas_name]),
        });
    }
    if let Ok(id) = text.parse::<SessionId>()
        && let Some(session) = state.store.session(id).await?
    {
        hits.push(of_session(&session));
    }
    if let Ok(id) = text.parse::<EndpointId>()
        && let Some(endpoint) = state.store.endpoint(id).await?
    {
        hits.push(of_endpoint(&endpoint));
    }
    Ok(hits)
}

fn of_endpoint(endpoint: &crate::inventory::endpoint::Endpoint) -> Hit {
    let mac = endpoint.details.macs.first().map(ToString::to_string).unwrap_or_default();
    let name = endpoint.details.identity.as_ref().map(|identity| identity.name.clone());
    let vendor = endpoint.vendor().map_or(String::new(), |vendor| format!("{vendor}, "));
    Hit {
        kind: "endpoint",
        id: endpoint.id.to_string(),
        title: name.unwrap_or_else(|| mac.clone()),
        detail: format!("{mac}, {vendor}last at {}", endpoint.last_at),
        href: format!("/api/v1/endpoints/{}", endpoint.id),
        places: Some(endpoint.details.places.iter().map(|place| place.nas.clone()).collect()),
    }
}

async fn by_mac(state: &ApiState, caller: &Caller, mac: MacAddress) -> Result<Vec<Hit>, Problem> {
    let mut hits: Vec<Hit> =
        state.engine.snapshot().identities.by_mac(mac).map(|found| of_identity(found)).into_iter().collect();
    let nas = at_nas(state, &caller.sites, None, None);
    let filter = EndpointFilter { mac: Some(mac.to_string()), nas: nas.clone(), ..EndpointFilter::default() };
    let endpoints = state.store.endpoints(&filter, None, OF_EACH as u32).await?;
    hits.extend(endpoints.items.iter().map(of_endpoint));
    let filter = SessionFilter { mac: Some(mac.to_string()), nas, ..SessionFilter::default() };
    let sessions = state.store.sessions(&filter, None, OF_EACH as u32).await?;
    hits.extend(sessions.items.iter().map(of_session));
    Ok(hits)
}

async fn by_ip(state: &ApiState, ip: IpAddr) -> Result<Vec<Hit>, Problem> {
    let snapshot = state.engine.snapshot();
    let holders = state.store.holders(&Held::Ip(ip.to_string()), state.clock.now()).await?;
    let nas = snapshot.nas.lookup(ip).map(|nas| of_nas(nas));
    Ok(nas.into_iter().chain(holders.iter().take(OF_EACH).map(of_session)).collect())
}

fn of_nas(nas: &crate::inventory::nas::Nas) -> Hit {
    let site = nas.site.as_deref().map_or(String::new(), |site| format!(", at {site}"));
    Hit {
        kind: "nas",
        id: nas.name.clone(),
        title: nas.name.clone(),
        detail: format!("{}, {}{site}", nas.known_by(), nas.vendor),
        href: format!("/api/v1/nas/{}", nas.name),
        places: Some(vec![nas.name.clone()]),
    }
}

/// Certificates that were issued here whose serial numbers begin so.
async fn by_serial(state: &ApiState, text: &str) -> Result<Vec<Hit>, Problem> {
    let Some(serial) = serial_of(text).filter(|serial| serial.len() >= SHORTEST_SERIAL) else { return Ok(Vec::new()) };
    let filter = IssuedFilter { serial: Some(serial), ..IssuedFilter::default() };
    let found = state.store.issued(&filter, None, OF_EACH as u32).await?;
    Ok(found.items.iter().map(of_certificate).collect())
}

fn of_certificate(issued: &Issued) -> Hit {
    let state = issued.revoked.map_or(String::new(), |at| format!(", revoked {at}"));
    Hit {
        kind: "certificate",
        id: issued.serial.clone(),
        title: issued.subject.clone(),
        detail: format!("by {}, ends {}{state}", issued.issuer, issued.not_after),
        href: format!("/api/v1/ca/certificates?serial={}", issued.serial),
        places: None,
    }
}

async fn by_name(state: &ApiState, caller: &Caller, text: &str) -> Result<Vec<Hit>, Problem> {
    let (snapshot, wanted, sites) = (state.engine.snapshot(), text.to_lowercase(), caller.sites.clone());
    // A million names take some milliseconds, away from who serves others.
    let searched = tokio::task::spawn_blocking(move || {
        let named = |name: &str| {
            let name = name.to_lowercase();
            (name == wanted)
                .then_some(0)
                .or(name.starts_with(&wanted).then_some(1))
                .or(name.contains(&wanted).then_some(2))
        };
        let own = snapshot.nas.all().iter().filter(|nas| sites.include(nas.site.as_deref()));
        let nas = own.filter_map(|nas| Some((named(&nas.name)?, of_nas(nas))));
        let mut hits: Vec<(u8, Hit)> = nas.collect();
        hits.sort_by(|a, b| (a.0, &a.1.title).cmp(&(b.0, &b.1.title)));
        hits.truncate(OF_EACH);
        let found = snapshot.identities.find(&wanted, OF_EACH);
        let ids: Vec<IdentityId> = found.iter().map(|(_, identity)| identity.id).collect();
        hits.extend(found.into_iter().map(|(rank, identity)| (rank, of_identity(identity))));
        hits.sort_by_key(|(rank, _)| *rank);
        (hits.into_iter().map(|(_, hit)| hit).collect::<Vec<_>>(), ids)
    });
    let (mut hits, ids) = searched.await.map_err(|e| Problem::internal(&e))?;
    let mut certificates = by_serial(state, text).await?;
    for id in ids {
        let left = OF_EACH.saturating_sub(certificates.len()) as u32;
        if left == 0 {
            break;
        }
        let filter = IssuedFilter { identity: Some(id), ..IssuedFilter::default() };
        certificates.extend(state.store.issued(&filter, None, left).await?.items.iter().map(of_certificate));
    }
    hits.append(&mut certificates);
    let nas = at_nas(state, &caller.sites, None, None);
    let filter = SessionFilter { user: Some(text.to_owned()), nas, ..SessionFilter::default() };
    let sessions = state.store.sessions(&filter, None, OF_EACH as u32).await?;
    hits.extend(sessions.items.iter().map(of_session));
    Ok(hits)
}
