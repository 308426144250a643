//! What an endpoint reports of itself, and what it is told of itself.

use super::Holder;
use crate::api::ApiState;
use crate::api::extract::Body;
use crate::api::posture::{PostureView, ReportBody, problem, whole};
use crate::api::problem::Problem;
use crate::posture::compliance::watched;
use crate::posture::report::Source;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How the one who asks is doing, and what it needs to know to report.
#[derive(Debug, Serialize)]
pub(super) struct Standing {
    #[serde(flatten)]
    posture: PostureView,
    /// The software that is looked for.
    watched: BTreeSet<Arc<str>>,
    certificate: CertificateLife,
}

/// The certificate that was shown.
#[derive(Debug, Serialize)]
struct CertificateLife {
    serial: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

fn told(state: &ApiState, holder: &Holder) -> Json<Standing> {
    let leaf = &holder.certificate.leaf;
    Json(Standing {
        posture: whole(state, &holder.identity),
        watched: watched(&state.engine.snapshot().compliance, &holder.identity),
        certificate: CertificateLife {
            serial: leaf.serial.clone(),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
        },
    })
}

/// `PUT /posture/v1/report`: takes in how the one who asks is doing. The same report may be sent again.
pub(super) async fn report(
    State(state): State<ApiState>,
    holder: Holder,
    Body(body): Body<ReportBody>,
) -> Result<Json<Standing>, Problem> {
    let report = body.read(holder.identity.id, Source::Endpoint, state.clock.now())?;
    state.posture.report(&report).await.map_err(problem)?;
    Ok(told(&state, &holder))
}

/// `GET /posture/v1/standing`: what fails, and how to mend it.
pub(super) async fn standing(State(state): State<ApiState>, holder: Holder) -> Json<Standing> {
    told(&state, &holder)
}
