//! The server's own CA: certificates for identities, and taking them back.

use super::caller::Caller;
use super::decisions::{TIME, parsed, time};
use super::extract::{Body, Query};
use super::inventory::{Why, identities};
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use super::{ApiState, MAX_REASON};
use crate::config::authority::{AuthorityDir, facts_of};
use crate::ids::IdentityId;
use crate::inventory::credential::Credential;
use crate::inventory::identity::{Identity, IdentityKind};
use crate::pki::authority::{KeyKind, Request, Usage};
use crate::store::issued::{Issued, IssuedFilter};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Seconds of a day.
const DAY_SECS: u64 = 86_400;
/// Certificates of one identity that are revoked at once. More are taken with the next call.
const MAX_AT_ONCE: u32 = 500;
/// How far back a certificate is valid, for clocks that are late.
pub(super) const BACKDATED: Duration = Duration::from_secs(300);

/// How long certificates of each kind of identity may live, in days: what acts by itself renews by itself, and often.
const fn most_days(kind: IdentityKind) -> u64 {
    match kind {
        IdentityKind::User | IdentityKind::Device => 397,
        IdentityKind::Machine | IdentityKind::Service => 90,
        IdentityKind::Agent | IdentityKind::Model => 7,
    }
}

/// The same as a time.
pub(super) const fn most(kind: IdentityKind) -> Duration {
    Duration::from_secs(most_days(kind) * DAY_SECS)
}

/// The server's own CA.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CaView {
    /// The root's certificate, in PEM: what devices trust.
    certificate: String,
    subject: String,
    not_after: Timestamp,
}

/// What to issue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCertificate {
    /// The id of the identity. Its credentials say which names the certificate has.
    identity: String,
    /// How many days it is valid; the most for its kind, if it is not said: 397 for users and devices, 90 for machines and
    /// services, 7 for agents and models, and never longer than the identity.
    days: Option<u64>,
    /// `p256` (unless said otherwise), `p384`, `ed25519`, `rsa2048`, `rsa3072` or `rsa4096`.
    key: Option<String>,
}

/// A certificate with its key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CertificateMade {
    /// In PEM, with the intermediate after it, if there is one.
    certificate: String,
    /// In PEM: shown here, and never again.
    private_key: String,
    #[serde(flatten)]
    of: CertificateView,
}

/// A certificate that was issued here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CertificateView {
    /// In lower-case hexadecimal.
    serial: String,
    issuer: String,
    subject: String,
    identity: IdentityId,
    not_before: Timestamp,
    not_after: Timestamp,
    issued_at: Timestamp,
    issued_by: String,
    #[schema(required)]
    revoked_at: Option<Timestamp>,
}

fn view(issued: Issued) -> CertificateView {
    CertificateView {
        serial: issued.serial,
        issuer: issued.issuer,
        subject: issued.subject,
        identity: issued.identity,
        not_before: issued.not_before,
        not_after: issued.not_after,
        issued_at: issued.issued,
        issued_by: issued.issued_by,
        revoked_at: issued.revoked,
    }
}

pub(super) fn authority(state: &ApiState) -> Result<AuthorityDir, Problem> {
    let present = state.inventory.present();
    match &present.config.pki.dir {
        Some(dir) => Ok(AuthorityDir::at(&present.source.resolve(dir.get_ref()))),
        None => Err(Problem::conflict(
            "no_ca",
            "this server has no CA of its own: `dir` of [pki] names the directory of one",
        )),
    }
}

/// What the files of the CA do, away from who serves others.
pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(&e))?;
    done.map_err(|e| Problem::unprocessable("ca", e, Vec::new()))
}

/// The server's own CA
#[utoipa::path(
    get, path = "/api/v1/ca", operation_id = "get_ca", tag = "certificates",
    responses(
        (status = 200, description = "Its certificate", body = CaView),
        (status = 409, description = "This server has no CA of its own"),
    ),
    security(("bearer" = ["inventory:read"]))
)]
pub(super) async fn get(State(state): State<ApiState>) -> Result<Json<CaView>, Problem> {
    let dir = authority(&state)?;
    let (certificate, facts) = on_disk(move || {
        let certificate = dir.root()?;
        let facts = facts_of(certificate.as_bytes())?;
        Ok((certificate, facts))
    })
    .await?;
    Ok(Json(CaView { certificate, subject: facts.subject, not_after: facts.not_after }))
}

/// The names that the credentials of an identity want in its certificate.
fn names(identity: &Identity, request: &mut Request) -> Result<(), Problem> {
    for credential in identity.credentials.iter() {
        match credential {
            Credential::SanDns(name) => request.dns.push(name.to_string()),
            Credential::SanUri(name) => request.uri.push(name.to_string()),
            Credential::SanEmail(name) => request.email.push(name.to_string()),
            Credential::SanUpn(name) => request.upn.push(name.to_string()),
            _ => {}
        }
    }
    if [&request.dns, &request.uri, &request.email, &request.upn].iter().all(|names| names.is_empty()) {
        let detail = "it has no credential that a certificate could hold: give it one, such as {\"san_dns\": \"laptop-1.example\"}";
        return Err(Problem::unprocessable("no_name", detail, Vec::new()));
    }
    Ok(())
}

/// Issues a certificate with a new key to an identity
#[utoipa::path(
    post, path = "/api/v1/ca/certificates", operation_id = "issue_certificate", tag = "certificates",
    request_body = NewCertificate,
    responses(
        (status = 201, description = "The certificate and its key, shown once", body = CertificateMade),
    ),
    security(("bearer" = ["certificates:write"]))
)]
pub(super) async fn issue(
    State(state): State<ApiState>,
    caller: Caller,
    Body(new): Body<NewCertificate>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<CertificateMade>), Problem> {
    let (dir, now) = (authority(&state)?, state.clock.now());
    let unknown = || Problem::unknown_name("identity", format!("there is no identity {:?}", new.identity));
    let id: IdentityId = new.identity.parse().map_err(|_| unknown())?;
    let identity = state.inventory.present().built.snapshot.identities.by_id(id).cloned().ok_or_else(unknown)?;
    if !identity.is_live(now) {
        let detail =
            format!("{} {} is {} or expired: it gets no certificate", identity.kind, identity.name, identity.status);
        return Err(Problem::unprocessable("not_live", detail, Vec::new()));
    }
    let most = most_days(identity.kind);
    let days = new.days.unwrap_or(most);
    if days == 0 || days > most {
        let detail = format!("a certificate of a {} is valid for 1 to {most} days", identity.kind);
        return Err(Problem::unprocessable("too_long", detail, Vec::new()));
    }
    let key: KeyKind =
        new.key.as_deref().unwrap_or("p256").parse().map_err(|e| Problem::parameter("key", format!("{e}")))?;
    let end = now + Duration::from_secs(days * DAY_SECS);
    let mut request = Request {
        common_name: identity.name.to_string(),
        dns: Vec::new(),
        ip: Vec::new(),
        email: Vec::new(),
        uri: Vec::new(),
        upn: Vec::new(),
        usage: Usage::Client,
        key,
        not_before: now - BACKDATED,
        not_after: identity.expires.map_or(end, |expires| expires.min(end)),
    };
    names(&identity, &mut request)?;
    let (pair, facts) = on_disk(move || {
        // What outlives its CA is believed by nobody.
        request.not_after = request.not_after.min(dir.issuer(false)?.0.not_after());
        let pair = dir.issue(false, &request)?;
        let facts = facts_of(pair.certificate.as_bytes())?;
        Ok((pair, facts))
    })
    .await?;
    let issued = Issued {
        serial: facts.serial,
        issuer: facts.issuer,
        subject: facts.subject,
        identity: id,
        not_before: facts.not_before,
        not_after: facts.not_after,
        issued: now,
        issued_by: caller.name.clone(),
        revoked: None,
    };
    state.store.add_issued(&issued, &caller.by()).await?;
    let made = CertificateMade { certificate: pair.certificate, private_key: pair.key, of: view(issued) };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)))
}

/// Which certificates to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The id of the identity.
    identity: Option<String>,
    /// Those that end before this time.
    ends_before: Option<String>,
    /// Whether they are revoked.
    revoked: Option<bool>,
    /// What their serial numbers begin with, in hexadecimal; colons and case do not matter.
    serial: Option<String>,
    /// A part of the subject's name; case does not matter.
    q: Option<String>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// Certificates that were issued here, in the order in which they end
///
/// With `q` a page may be short and still have a next one: parts of names are looked for a stretch at a time.
#[utoipa::path(
    get, path = "/api/v1/ca/certificates", operation_id = "list_issued_certificates", tag = "certificates", params(Parameters),
    responses((status = 200, description = "A page of them, without their keys", body = Page<CertificateView>)),
    security(("bearer" = ["inventory:read"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<CertificateView>>, Problem> {
    let place = |text: &str| {
        let (end, serial) = text.split_once('.')?;
        Some((Timestamp::from_micros(end.parse().ok()?), serial.to_owned()))
    };
    let filter = IssuedFilter {
        identity: parsed("identity", p.identity.as_deref(), "the id of an identity", |text| text.parse().ok())?,
        ends_before: parsed("ends_before", p.ends_before.as_deref(), TIME, time)?,
        revoked: p.revoked,
        serial: parsed("serial", p.serial.as_deref(), "hexadecimal", serial_of)?,
        subject: p.q,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, place)?;
    let limit = limit(p.limit)?;
    let page = state.store.issued(&filter, after, limit).await?;
    let next = page.next.map(|(end, serial)| format!("{}.{serial}", end.as_micros()));
    Ok(Json(Page::new(page.items.into_iter().map(view).collect(), next)))
}

/// The beginning of a serial number, however it is written.
pub(super) fn serial_of(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
    (!digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit())).then_some(digits)
}

/// Revokes them on disk, which is what counts, and then notes it.
async fn revoke_all(state: &ApiState, caller: &Caller, all: Vec<Issued>, why: &str) -> Result<u64, Problem> {
    if all.is_empty() {
        return Ok(0);
    }
    let (dir, now) = (authority(state)?, state.clock.now());
    // Lists are written one at a time.
    let _turn = state.ca.lock().await;
    let of_disk: Vec<(String, String)> = all.iter().map(|one| (one.issuer.clone(), one.serial.clone())).collect();
    on_disk(move || of_disk.iter().try_for_each(|(issuer, serial)| dir.revoke(issuer, serial, now).map(drop))).await?;
    state.store.mark_revoked(&all, why, &caller.by(), now).await?;
    Ok(all.len() as u64)
}

/// Revokes a certificate
///
/// The list is signed anew at once, and in force within a second: sessions that the certificate let in are ended.
#[utoipa::path(
    post, path = "/api/v1/ca/certificates/{id}/revoke", operation_id = "revoke_certificate", tag = "certificates",
    params(("id" = String, Path, description = "Its serial number"), Why),
    responses(
        (status = 200, description = "It is revoked", body = CertificateView),
    ),
    security(("bearer" = ["certificates:write"]))
)]
pub(super) async fn revoke(
    State(state): State<ApiState>,
    caller: Caller,
    Path(serial): Path<String>,
    Query(why): Query<Why>,
) -> Result<Json<CertificateView>, Problem> {
    let missing = || Problem::not_found(format!("no certificate with the serial number {serial:?} was issued here"));
    let issued = state.store.issued_one(&serial).await?.ok_or_else(missing)?;
    revoke_all(&state, &caller, vec![issued], &why.comment()).await?;
    state.store.issued_one(&serial).await?.map(|issued| Json(view(issued))).ok_or_else(missing)
}

/// Why an identity loses everything.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoking {
    /// Why, for the audit log.
    reason: String,
}

/// What an identity has lost.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revoked {
    identity: IdentityId,
    /// `suspended`: an operator can let it in again, with a new certificate. Who was `requested` or `retired` stays so.
    status: String,
    /// How many certificates were revoked.
    certificates: u64,
    /// Whether decisions go by it already; its sessions are ended within two seconds.
    in_force: bool,
}

/// Takes everything from an identity: it is suspended, its certificates are revoked, its sessions end
#[utoipa::path(
    post, path = "/api/v1/identities/{id}/revoke", operation_id = "revoke_identity", tag = "identities",
    params(("id" = String, Path, description = "Its id")),
    request_body = Revoking,
    responses(
        (status = 200, description = "It has nothing any more", body = Revoked),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(super) async fn revoke_identity(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(Revoking { reason }): Body<Revoking>,
) -> Result<Json<Revoked>, Problem> {
    let reason: String = reason.chars().take(MAX_REASON).collect();
    let why = Why { reason: Some(reason.clone()) };
    // First what ends its sessions; a second call does no harm.
    let (identity, in_force) = identities::suspend(&state, &caller, &id, &why).await?;
    let mut certificates = 0;
    loop {
        let filter = IssuedFilter { identity: Some(identity.id), revoked: Some(false), ..IssuedFilter::default() };
        let all = state.store.issued(&filter, None, MAX_AT_ONCE).await?.items;
        match revoke_all(&state, &caller, all, &reason).await? {
            0 => break,
            count => certificates += count,
        }
    }
    let status = identity.status.as_str().to_owned();
    Ok(Json(Revoked { identity: identity.id, status, certificates, in_force }))
}

/// Revocations, one after the other.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;
