//! An endpoint renews its certificate: the same names, a new key, by the CA that has issued the present one.

use super::Holder;
use crate::api::ApiState;
use crate::api::ca::{BACKDATED, authority, most, on_disk};
use crate::api::problem::Problem;
use crate::config::authority::facts_of;
use crate::pki::authority::{KeyKind, Request, Usage};
use crate::pki::certificate::CertificateFacts;
use crate::store::issued::Issued;
use crate::time::Timestamp;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::time::Duration;

/// The part of its life after which a certificate may be renewed is one in so many: who renews at each report
/// would fill the list of what was issued.
const EARLIEST: u32 = 3;

/// A certificate that takes the place of the one that was shown.
#[derive(Debug, Serialize)]
pub(super) struct Renewed {
    /// In PEM, with the intermediate after it, if there is one.
    certificate: String,
    serial: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// What the certificate `leaf` says, for as long as it was for; the kind of the key is that of the request.
fn the_same(leaf: &CertificateFacts, name: &str, life: Duration, now: Timestamp) -> Request {
    Request {
        common_name: leaf.common_name.clone().unwrap_or_else(|| name.to_owned()),
        dns: leaf.san_dns.clone(),
        ip: leaf.san_ip.iter().filter_map(|address| address.parse().ok()).collect(),
        email: leaf.san_email.clone(),
        uri: leaf.san_uri.clone(),
        upn: leaf.san_upn.clone(),
        usage: Usage::Client,
        key: KeyKind::P256,
        not_before: now - BACKDATED,
        not_after: now + life,
    }
}

/// `POST /posture/v1/certificate`: a certification request in PEM is answered with a certificate of the same names.
pub(super) async fn renew(
    State(state): State<ApiState>,
    holder: Holder,
    csr: Bytes,
) -> Result<(StatusCode, Json<Renewed>), Problem> {
    let (dir, now) = (authority(&state)?, state.clock.now());
    let (leaf, identity) = (&holder.certificate.leaf, &holder.identity);
    let life = leaf.not_after.since(leaf.not_before);
    let from = leaf.not_before + life / EARLIEST;
    if now < from {
        let detail = format!("the certificate is good until {}, and can be renewed from {from} on", leaf.not_after);
        return Err(Problem::conflict("too_early", detail));
    }
    let mut request = the_same(leaf, &identity.name, life.min(most(identity.kind)), now);
    if let Some(expires) = identity.expires {
        request.not_after = request.not_after.min(expires);
    }
    let shown = holder.shown.clone();
    let issued = on_disk(move || {
        if !dir.has_issued(&shown, now)? {
            return Ok(None);
        }
        request.not_after = request.not_after.min(dir.issuer(false)?.0.not_after());
        let certificate = dir.issue_for(&request, &csr)?;
        let facts = facts_of(certificate.as_bytes())?;
        Ok(Some((certificate, facts)))
    });
    let Some((certificate, facts)) = issued.await? else {
        let detail = "the present certificate is of another CA than this server's own: renew it where it was issued";
        return Err(Problem::conflict("other_ca", detail));
    };
    // Who is known by the present certificate alone would be nobody with the new one.
    let snapshot = state.engine.snapshot();
    let found = snapshot.identities.by_certificate(&facts, Some(&holder.certificate.anchor));
    if !found.is_ok_and(|found| found.is_some_and(|(known, _)| known.id == identity.id)) {
        let detail = format!(
            "{} is known by what a new certificate does not have, such as its fingerprint: give it a credential that \
             stays, such as a san_dns",
            identity.name
        );
        return Err(Problem::conflict("not_bound", detail));
    }
    let renewed =
        Renewed { certificate, serial: facts.serial.clone(), not_before: facts.not_before, not_after: facts.not_after };
    let issued = Issued {
        serial: facts.serial,
        issuer: facts.issuer,
        subject: facts.subject,
        identity: identity.id,
        not_before: facts.not_before,
        not_after: facts.not_after,
        issued: now,
        issued_by: identity.name.to_string(),
        revoked: None,
    };
    state.store.add_issued(&issued, &holder.by()).await?;
    Ok((StatusCode::CREATED, Json(renewed)))
}
