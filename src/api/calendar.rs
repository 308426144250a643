//! What will stop working, when, and what it takes down.

use super::ApiState;
use super::ca::on_disk;
use super::decisions::{TIME, parsed, time};
use super::extract::Query;
use super::problem::Problem;
use crate::config::authority::{AuthorityDir, facts};
use crate::inventory::credential::Credential;
use crate::inventory::identity::IdentityStatus;
use crate::pki::trust::endings::Ends;
use crate::store::issued::IssuedFilter;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// How far ahead it looks when nothing is said.
const AHEAD: Duration = Duration::from_secs(90 * 24 * 3600);
/// Of each sort, as many as a page holds.
const MOST: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Until when; 90 days ahead, if it is not said.
    until: Option<String>,
}

/// What will stop working, in the order of time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Calendar {
    at: Timestamp,
    until: Timestamp,
    pub(super) items: Vec<Item>,
    /// Whether there are more than 500 of a sort: of those the earliest are here.
    more: bool,
}

/// Something that ends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarItem)]
pub(super) struct Item {
    /// The last moment at which it is good.
    ends_at: Timestamp,
    /// Whether that is over.
    over: bool,
    /// `server_certificate`, `api_certificate`, `nas_server_certificate`, `ca`, `issuing_ca`, `crl`, `nas_certificate`,
    /// `certificate`, `identity`, `token` or `operator_link`.
    kind: &'static str,
    /// What it is called.
    name: String,
    /// What it takes down.
    takes_down: String,
    /// How many identities cannot log in by it any more, at most; null where that is not what it takes down.
    #[schema(required)]
    identities: Option<usize>,
    /// What to do about it.
    remedy: &'static str,
    /// The operation that shows it.
    #[schema(required)]
    see: Option<String>,
}

impl Item {
    /// Whether it takes down more than somebody alone.
    pub(super) fn is_of_many(&self) -> bool {
        !matches!(self.kind, "certificate" | "identity" | "token" | "operator_link")
    }
}

/// What will stop working, in the order of time, and what it takes down
///
/// Certificates of this server, CAs and revocation lists in use, certificates that were issued here, those of connected NASes,
/// identities, tokens, and links of operators. Of the server's own and of CAs, what is over already is here too.
#[utoipa::path(
    get, path = "/api/v1/calendar", operation_id = "get_calendar", tag = "certificates", params(Parameters),
    responses((status = 200, description = "All of it", body = Calendar)),
    security(("bearer" = ["inventory:read"]))
)]
pub(super) async fn get(State(state): State<ApiState>, Query(p): Query<Parameters>) -> Result<Json<Calendar>, Problem> {
    let now = state.clock.now();
    let until = parsed("until", p.until.as_deref(), TIME, time)?.unwrap_or(now + AHEAD);
    Ok(Json(endings(&state, now, until).await?))
}

/// What ends until then.
pub(super) async fn endings(state: &ApiState, now: Timestamp, until: Timestamp) -> Result<Calendar, Problem> {
    let with_certificate = by_certificate(state);
    let mut items = own(state, with_certificate).await?;
    items.extend(trusted(state, with_certificate));
    items.extend(connected(state));
    items.retain(|item| item.ends_at <= until);
    let (people, mut more) = identities(state, now, until);
    items.extend(people);
    let filter = IssuedFilter { ends_before: Some(until), revoked: Some(false), ..IssuedFilter::default() };
    let page = state.store.issued(&filter, Some((now, String::new())), MOST).await?;
    more |= page.next.is_some();
    items.extend(page.items.into_iter().map(|issued| Item {
        ends_at: issued.not_after,
        over: false,
        kind: "certificate",
        name: issued.subject,
        takes_down: "logins of its identity by this certificate".into(),
        identities: Some(1),
        remedy: "issue another, or let cordon-agent renew it",
        see: Some(format!("/api/v1/ca/certificates?serial={}", issued.serial)),
    }));
    items.extend(access(state, now, until).await?);
    for item in &mut items {
        item.over = item.ends_at < now;
    }
    items.sort_by(|a, b| (a.ends_at, a.kind, &a.name).cmp(&(b.ends_at, b.kind, &b.name)));
    Ok(Calendar { at: now, until, items, more })
}

/// How many identities log in by a certificate.
fn by_certificate(state: &ApiState) -> usize {
    let snapshot = state.engine.snapshot();
    let by = |credential: &Credential| !matches!(credential, Credential::Mac(_));
    snapshot.identities.all().iter().filter(|identity| identity.credentials.iter().any(by)).count()
}

/// The certificates of the server and its CA.
async fn own(state: &ApiState, with_certificate: usize) -> Result<Vec<Item>, Problem> {
    let present = state.inventory.present();
    let (config, source) = (&present.config, &present.source);
    let file = |path: &PathBuf| source.resolve(path);
    let mut files = vec![("server_certificate", file(config.tls.certificate.get_ref()))];
    files.extend(config.http.certificate.as_ref().map(|path| ("api_certificate", file(path.get_ref()))));
    files.extend(config.radsec.certificate.as_ref().map(|path| ("nas_server_certificate", file(path.get_ref()))));
    let ca = config.pki.dir.as_ref().map(|dir| AuthorityDir::at(&source.resolve(dir.get_ref())));
    on_disk(move || {
        // What cannot be read now is in force as it was read before, and the log says so.
        let read = files.into_iter().filter_map(|(kind, path)| Some((kind, facts(&path).ok()?)));
        let mut items: Vec<Item> = read
            .map(|(kind, facts)| {
                let (takes_down, identities, remedy) = match kind {
                    "server_certificate" => (
                        "all EAP-TLS logins: no device believes this server any more",
                        Some(with_certificate),
                        "`cordon ca issue --server` makes another; put it where [tls] says, and it is in force within a second",
                    ),
                    "api_certificate" => (
                        "the API, the console, and reports of endpoints",
                        None,
                        "put another where [http] says",
                    ),
                    _ => ("all connections of NASes by TLS", None, "put another where [radsec] says"),
                };
                Item {
                    ends_at: facts.not_after,
                    over: false,
                    kind,
                    name: facts.subject,
                    takes_down: takes_down.into(),
                    identities,
                    remedy,
                    see: None,
                }
            })
            .collect();
        if let Some(ca) = ca
            && let Ok((issuer, _)) = ca.issuer(false)
        {
            items.push(Item {
                ends_at: issuer.not_after(),
                over: false,
                kind: "issuing_ca",
                name: "the CA of this server".into(),
                takes_down: "issuing certificates here, and all that it has issued".into(),
                identities: Some(with_certificate),
                remedy: "make another with `cordon ca init`, and let devices trust both for a while",
                see: Some("/api/v1/ca".into()),
            });
        }
        Ok(items)
    })
    .await
}

/// CAs and revocation lists.
fn trusted(state: &ApiState, with_certificate: usize) -> Vec<Item> {
    let endings = state.engine.snapshot().trust.endings();
    let item = |ending: crate::pki::trust::endings::Ending| {
        let below = ending.ca.as_ref().map_or_else(String::new, |ca| format!(" below the CA {ca}"));
        let (kind, takes_down, remedy) = match (ending.what, ending.refuses) {
            (Ends::Ca, _) => (
                "ca",
                format!("all certificates{below}"),
                "get the CA's next certificate, name it in [[ca]] beside this one, and issue from it in time",
            ),
            (Ends::Crl, true) => (
                "crl",
                format!("logins{below} whose certificates {} has issued: they are refused", ending.subject),
                "fetch the next list; `cordon ca crl` makes that of an own CA, and wants to be run daily",
            ),
            (Ends::Crl, false) => (
                "crl",
                format!("nothing at once: certificates{below} are accepted with a warning, and revocations are missed"),
                "fetch the next list; `cordon ca crl` makes that of an own CA, and wants to be run daily",
            ),
        };
        let identities = ending.refuses.then_some(with_certificate);
        Item { ends_at: ending.at, over: false, kind, name: ending.subject, takes_down, identities, remedy, see: None }
    };
    endings.into_iter().map(item).collect()
}

/// Certificates of NASes that are connected by TLS.
fn connected(state: &ApiState) -> Vec<Item> {
    let mut seen = BTreeSet::new();
    let peers = state.connections.open(None);
    let fresh = peers.iter().filter(|peer| seen.insert(peer.certificate.fingerprint.clone()));
    let item = |peer: &std::sync::Arc<crate::transport::radsec::Peer>| Item {
        ends_at: peer.certificate.not_after,
        over: false,
        kind: "nas_certificate",
        name: peer.nas.clone(),
        takes_down: format!("the connection of {}: nobody logs in there", peer.nas),
        identities: None,
        remedy: "issue the NAS another certificate",
        see: Some("/api/v1/nas".into()),
    };
    fresh.map(item).collect()
}

/// Identities that cease to be valid, the earliest, and whether there are more.
fn identities(state: &ApiState, now: Timestamp, until: Timestamp) -> (Vec<Item>, bool) {
    let snapshot = state.engine.snapshot();
    let ends = |identity: &&std::sync::Arc<crate::inventory::identity::Identity>| {
        identity.status == IdentityStatus::Active && identity.expires.is_some_and(|at| at >= now && at <= until)
    };
    let mut found: Vec<_> = snapshot.identities.all().iter().filter(ends).collect();
    found.sort_by_key(|identity| (identity.expires, identity.id));
    let more = found.len() > MOST as usize;
    let item = |identity: &std::sync::Arc<crate::inventory::identity::Identity>| Item {
        ends_at: identity.expires.unwrap_or_default(),
        over: false,
        kind: "identity",
        name: identity.name.to_string(),
        takes_down: format!("the {} {}: it is refused, and its sessions end", identity.kind, identity.name),
        identities: Some(1),
        remedy: "if it is still needed, let whoever answers for it say so, and set another end",
        see: Some(format!("/api/v1/identities/{}", identity.id)),
    };
    (found.into_iter().take(MOST as usize).map(item).collect(), more)
}

/// Tokens and links by which people and programs come in.
async fn access(state: &ApiState, now: Timestamp, until: Timestamp) -> Result<Vec<Item>, Problem> {
    let tokens = state.store.tokens().await?;
    let ends = tokens.into_iter().filter(|t| t.revoked.is_none() && t.expires >= now && t.expires <= until);
    let mut items: Vec<Item> = ends
        .take(MOST as usize)
        .map(|token| Item {
            ends_at: token.expires,
            over: false,
            kind: "token",
            name: token.name,
            takes_down: "whatever program uses it".into(),
            identities: None,
            remedy: "make another, give it to the program, and take this one back",
            see: Some(format!("/api/v1/tokens/{}", token.id)),
        })
        .collect();
    let links = state.store.links(now, until).await?;
    items.extend(links.into_iter().map(|(name, at)| Item {
        ends_at: at,
        over: false,
        kind: "operator_link",
        name: name.unwrap_or_else(|| "the first operator".into()),
        takes_down: "the link by which they sign in for the first time".into(),
        identities: None,
        remedy: "let them use it, or make another",
        see: Some("/api/v1/operators".into()),
    }));
    Ok(items)
}
