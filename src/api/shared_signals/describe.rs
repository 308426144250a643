//! What this server says of itself as a transmitter (SSF 1.0, section 7), and the keys that it signs with.

use crate::api::ApiState;
use crate::api::caller::Caller;
use crate::api::problem::Problem;
use crate::jobs::shared_signals::NotSigned;
use crate::shared_signals::stream::{POLL, PUSH};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Where all of it is.
pub(super) const AT: &str = "/api/v1/ssf";

/// A transmitter's own description.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TransmitterConfiguration)]
pub(in crate::api) struct Configuration {
    spec_version: &'static str,
    issuer: String,
    jwks_uri: String,
    /// Pushing, if the configuration lists whom to, and polling.
    delivery_methods_supported: Vec<&'static str>,
    configuration_endpoint: String,
    status_endpoint: String,
    add_subject_endpoint: String,
    remove_subject_endpoint: String,
    verification_endpoint: String,
    critical_subject_members: [&'static str; 2],
    authorization_schemes: [Scheme; 1],
    /// Who is told of a stream that was just made: everybody.
    default_subjects: &'static str,
}

/// How receivers say who they are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuthorizationScheme)]
pub(in crate::api) struct Scheme {
    spec_urn: &'static str,
}

/// What this server is as a transmitter of Shared Signals
#[utoipa::path(
    get,
    path = "/.well-known/ssf-configuration",
    operation_id = "ssf_configuration",
    tag = "shared signals",
    responses((status = 200, description = "It", body = Configuration)),
    security(())
)]
pub(in crate::api) async fn configuration(State(state): State<ApiState>) -> Json<Configuration> {
    let issuer = &state.teller.issuer;
    let at = |path: &str| format!("{issuer}{AT}/{path}");
    Json(Configuration {
        spec_version: "1_0",
        issuer: issuer.clone(),
        jwks_uri: at("jwks"),
        delivery_methods_supported: if state.teller.pushes() { vec![PUSH, POLL] } else { vec![POLL] },
        configuration_endpoint: at("stream"),
        status_endpoint: at("status"),
        add_subject_endpoint: at("subjects/add"),
        remove_subject_endpoint: at("subjects/remove"),
        verification_endpoint: at("verify"),
        critical_subject_members: ["user", "device"],
        authorization_schemes: [Scheme { spec_urn: "urn:ietf:rfc:6750" }],
        default_subjects: "ALL",
    })
}

/// Public keys (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct JsonWebKeySet {
    keys: Vec<Value>,
}

/// The keys that events are signed with
#[utoipa::path(
    get,
    path = "/api/v1/ssf/jwks",
    operation_id = "ssf_keys",
    tag = "shared signals",
    responses(
        (status = 200, description = "They", body = JsonWebKeySet),
        (status = 503, description = "The database cannot be used at the moment"),
    ),
    security(())
)]
pub(in crate::api) async fn keys(State(state): State<ApiState>) -> Result<Json<Value>, Problem> {
    Ok(Json(state.teller.signer.published().await.map_err(|e| problem(&e))?))
}

/// A key that signs from now on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub(in crate::api) struct Rotated {
    /// Its name among the keys.
    kid: String,
}

/// Makes another key that events are signed with
///
/// The one before is published for eight days more, and signs nothing.
#[utoipa::path(
    post,
    path = "/api/v1/ssf/keys",
    operation_id = "rotate_ssf_key",
    tag = "shared signals",
    responses((status = 200, description = "It signs", body = Rotated)),
    security(("bearer" = ["settings:write"]))
)]
pub(in crate::api) async fn rotate(State(state): State<ApiState>, caller: Caller) -> Result<Json<Rotated>, Problem> {
    let kid = state.teller.signer.rotate(&caller.by()).await.map_err(|e| problem(&e))?;
    Ok(Json(Rotated { kid }))
}

fn problem(error: &NotSigned) -> Problem {
    match error {
        NotSigned::Store(error) => error.clone().into(),
        error => Problem::internal(error),
    }
}
