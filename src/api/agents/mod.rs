//! What endpoints ask for themselves, each by its own certificate: they report how they are doing, see what fails, and
//! renew their certificates. osquery reports here too.
//!
//! It is a listener of its own, and no part of the API that operators use: nobody can do anything here for somebody
//! else.

mod osquery;
mod own;
mod renew;

use super::problem::Problem;
use super::{ApiState, request_id};
use crate::access::identify::by_certificate;
use crate::audit::event::By;
use crate::inventory::identity::Identity;
use crate::pki::trust::VerifiedChain;
use crate::policy::facts::Principal;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tower_http::timeout::TimeoutLayer;

pub(super) use osquery::{Hosts, Mapping};

/// The longest body of a request but of osquery's, in octets: a report of all checks is a few thousand.
const MAX_BODY: usize = 64 * 1024;
/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The certificates that it has shown, its own first; none if it has shown none.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// Where it connects from.
    pub from: SocketAddr,
}

/// All routes.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/posture/v1/report", put(own::report))
        .route("/posture/v1/standing", get(own::standing))
        .route("/posture/v1/certificate", post(renew::renew))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .merge(osquery::routes())
        .fallback(|| async {
            Problem::not_found("there is no such resource here; docs/posture.md lists those that exist")
        })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(from_fn_with_state(state.clone(), request_id::identified))
        .with_state(state)
}

/// Who asks, by a certificate that is good now: looked at with each request, so that what is revoked meanwhile is
/// refused on a connection that stands.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    identity: Arc<Identity>,
    certificate: VerifiedChain,
    /// The chain as it was shown.
    shown: Arc<[CertificateDer<'static>]>,
    from: SocketAddr,
}

impl Holder {
    /// As the author of a change.
    fn by(&self) -> By {
        By::api(&*self.identity.name, self.from).in_role("endpoint")
    }
}

impl ApiState {
    /// Who holds the certificate that `peer` has shown.
    ///
    /// # Errors
    /// When it has shown none, or it is nobody's that may log in.
    fn holder(&self, peer: &Peer) -> Result<Holder, Problem> {
        if peer.chain.is_empty() {
            let detail = "connect with the certificate of the endpoint: nobody reports here for somebody else";
            return Err(Problem::certificate("certificate_required", detail));
        }
        let (snapshot, now) = (self.engine.snapshot(), self.clock.now());
        let certificate = snapshot
            .trust
            .verify(&peer.chain, now)
            .map_err(|e| Problem::certificate("certificate_refused", e.to_string()))?;
        let found = by_certificate(&snapshot, &certificate.leaf, Some(&certificate.anchor), now);
        if let Some((reason, detail)) = found.barred {
            return Err(Problem::certificate(reason.code(), detail));
        }
        let Principal::Identity(identity) = found.principal else {
            let detail = format!("no identity has the certificate {}", certificate.leaf.subject);
            return Err(Problem::certificate("identity_unknown", detail));
        };
        self.reporters.take(identity.id, now)?;
        Ok(Holder { identity, certificate, shown: peer.chain.clone(), from: peer.from })
    }
}

impl FromRequestParts<ApiState> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        parts.extensions.get::<Peer>().cloned().ok_or_else(|| Problem::internal(&"a connection without its peer"))
    }
}

impl FromRequestParts<ApiState> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        state.holder(&Peer::from_request_parts(parts, state).await?)
    }
}
