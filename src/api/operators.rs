//! Operators: who may administer the server.

use super::ApiState;
use super::caller::Caller;
use super::door::{comes_by_itself, link_at, secret_text};
use super::extract::Body;
use super::inventory::{Preconditions, merge};
use super::problem::Problem;
use crate::ids::OperatorId;
use crate::operators::account::{MAX_NAME, Operator, Sites, is_name};
use crate::operators::role::Role;
use crate::operators::sign_in::LINK_LIFE;
use crate::operators::token::digest_of;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The longest address, in octets (RFC 5321, section 4.5.3.1.3).
const MAX_EMAIL: usize = 254;

/// What an operator is like.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OperatorBody)]
pub(super) struct OperatorBody {
    /// The name that they sign in with and that the audit log tells: 1 to 64 letters, digits and `. _ - @ +`.
    name: String,
    /// Where they are told things.
    #[serde(default)]
    email: Option<String>,
    /// What they are here for.
    roles: Vec<Role>,
    /// The sites at which that holds; null is everywhere.
    #[serde(default)]
    sites: Option<Vec<String>>,
    /// Whether they are shut out.
    #[serde(default)]
    disabled: bool,
}

/// An operator.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Operator)]
pub(super) struct OperatorView {
    id: OperatorId,
    /// The name that they sign in with and that the audit log tells.
    name: String,
    /// Where they are told things.
    #[schema(required)]
    email: Option<String>,
    /// What they are here for.
    roles: Vec<Role>,
    /// The sites at which that holds; null is everywhere.
    #[schema(required)]
    sites: Option<Vec<String>>,
    /// Whether they are shut out.
    disabled: bool,
    /// Whether a provider of identities vouches for them; it says the roles, then.
    of_provider: bool,
    created_at: Timestamp,
}

/// An operator who is new, or is to begin anew.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InvitedOperator {
    #[serde(flatten)]
    operator: OperatorView,
    /// The link by which they sign in for the first time, once. Shown here, and never again.
    link: String,
    /// When it ceases to be good.
    link_expires_at: Timestamp,
}

fn body_of(operator: &Operator) -> OperatorBody {
    OperatorBody {
        name: operator.name.clone(),
        email: operator.email.clone(),
        roles: operator.roles.clone(),
        sites: operator.sites.list(),
        disabled: operator.disabled,
    }
}

fn view(operator: &Operator) -> OperatorView {
    OperatorView {
        id: operator.id,
        name: operator.name.clone(),
        email: operator.email.clone(),
        roles: operator.roles.clone(),
        sites: operator.sites.list(),
        disabled: operator.disabled,
        of_provider: operator.provider.is_some(),
        created_at: operator.created,
    }
}

fn etag(operator: &Operator) -> String {
    format!("\"{}\"", operator.version)
}

fn tagged(operator: &Operator) -> [(HeaderName, String); 1] {
    [(header::ETAG, etag(operator))]
}

/// An operator as somebody wants them.
fn wanted(state: &ApiState, caller: &Caller, body: OperatorBody, base: Operator) -> Result<Operator, Problem> {
    let name = body.name.trim().to_owned();
    if !is_name(&name) {
        return Err(Problem::parameter("name", format!("a name has 1 to {MAX_NAME} letters, digits and . _ - @ +")));
    }
    let email = body.email.filter(|email| !email.is_empty());
    if email.as_ref().is_some_and(|e| e.len() > MAX_EMAIL || !e.contains('@') || e.chars().any(char::is_control)) {
        return Err(Problem::parameter("email", "that is no address"));
    }
    if body.roles.is_empty() {
        return Err(Problem::parameter("roles", "an operator has a role; shut them out by `disabled`"));
    }
    let present = state.inventory.present();
    for site in body.sites.iter().flatten() {
        if !present.built.snapshot.nas.all().iter().any(|nas| nas.site.as_deref() == Some(site.as_str()))
            && !known_site(state, site)
        {
            return Err(Problem::unknown_name("sites", format!("there is no site {site:?}")));
        }
    }
    let mut roles = body.roles;
    roles.sort_unstable();
    roles.dedup();
    let sites = Sites::from(body.sites);
    let operator = Operator { name, email, roles, sites, disabled: body.disabled, ..base };
    reaches(caller, &operator)?;
    Ok(operator)
}

fn known_site(state: &ApiState, site: &str) -> bool {
    let present = state.inventory.present();
    present.config.site.iter().any(|s| s.name.get_ref() == site)
        || present
            .stored
            .objects
            .keys()
            .any(|(kind, name)| *kind == crate::config::document::ObjectKind::Site && name == site)
}

/// Nobody makes, changes or takes over who may do more than they.
fn reaches(caller: &Caller, operator: &Operator) -> Result<(), Problem> {
    for permission in operator.permissions().each() {
        caller.may(permission)?;
    }
    if caller.sites.cover(&operator.sites) { Ok(()) } else { Err(Problem::beyond_sites()) }
}

async fn found(state: &ApiState, id: &str) -> Result<Operator, Problem> {
    let missing = || Problem::not_found(format!("there is no operator {id:?}; GET /api/v1/operators lists them"));
    let id: OperatorId = id.parse().map_err(|_| missing())?;
    state.store.operator(id).await?.ok_or_else(missing)
}

/// All operators, by name
#[utoipa::path(
    get, path = "/api/v1/operators", operation_id = "list_operators", tag = "operators",
    responses((status = 200, description = "All of them", body = Vec<OperatorView>)),
    security(("bearer" = ["operators:read"]))
)]
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<OperatorView>>, Problem> {
    Ok(Json(state.store.operators().await?.iter().map(view).collect()))
}

/// One operator
#[utoipa::path(
    get, path = "/api/v1/operators/{id}", operation_id = "get_operator", tag = "operators",
    params(("id" = String, Path, description = "Their id")),
    responses((status = 200, description = "They", body = OperatorView)),
    security(("bearer" = ["operators:read"]))
)]
pub(super) async fn one(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<([(HeaderName, String); 1], Json<OperatorView>), Problem> {
    let operator = found(&state, &id).await?;
    Ok((tagged(&operator), Json(view(&operator))))
}

async fn invite(state: &ApiState, caller: &Caller, operator: &Operator) -> Result<Json<InvitedOperator>, Problem> {
    let (secret, now) = (secret_text()?, state.clock.now());
    state.store.add_link(&digest_of(secret.as_bytes()), Some(operator), &caller.by(), now).await?;
    let link = link_at(state.door.origin(), &secret);
    Ok(Json(InvitedOperator { operator: view(operator), link, link_expires_at: now + LINK_LIFE }))
}

/// What shows a secret is kept by no cache.
type Shown = ([(HeaderName, &'static str); 1], Json<InvitedOperator>);
const SECRET: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Adds an operator, and gives the link by which they sign in for the first time
#[utoipa::path(
    post, path = "/api/v1/operators", operation_id = "create_operator", tag = "operators",
    request_body = OperatorBody,
    responses((status = 201, description = "They, and their link", body = InvitedOperator)),
    security(("bearer" = ["operators:write"]))
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<OperatorBody>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<InvitedOperator>), Problem> {
    let now = state.clock.now();
    let base = Operator {
        id: OperatorId::new(now),
        name: String::new(),
        email: None,
        roles: Vec::new(),
        sites: Sites::All,
        disabled: false,
        provider: None,
        created: now,
        version: 1,
    };
    let operator = wanted(&state, &caller, body, base)?;
    state.store.add_operator(&operator, &caller.by(), now).await?;
    Ok((StatusCode::CREATED, SECRET, invite(&state, &caller, &operator).await?))
}

/// Changes an operator: what the body names becomes as it says (RFC 7396)
#[utoipa::path(
    patch, path = "/api/v1/operators/{id}", operation_id = "patch_operator", tag = "operators",
    params(("id" = String, Path, description = "Their id")),
    request_body = serde_json::Map<String, Value>,
    responses((status = 200, description = "As they are now", body = OperatorView)),
    security(("bearer" = ["operators:write"]))
)]
pub(super) async fn patch(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    conditions: Preconditions,
    Body(patch): Body<serde_json::Map<String, Value>>,
) -> Result<([(HeaderName, String); 1], Json<OperatorView>), Problem> {
    let present = found(&state, &id).await?;
    conditions.check(Some(&etag(&present)))?;
    reaches(&caller, &present)?;
    let mut body = serde_json::to_value(body_of(&present)).map_err(|e| Problem::internal(&e))?;
    merge(&mut body, Value::Object(patch));
    let body: OperatorBody = serde_json::from_value(body).map_err(|e| Problem::body(e.to_string()))?;
    let operator = wanted(&state, &caller, body, present)?;
    let operator = state.store.change_operator(operator, &caller.by(), state.clock.now()).await?;
    Ok((tagged(&operator), Json(view(&operator))))
}

/// Removes an operator, with all that they sign in with and their tokens
#[utoipa::path(
    delete, path = "/api/v1/operators/{id}", operation_id = "delete_operator", tag = "operators",
    params(("id" = String, Path, description = "Their id")),
    responses((status = 204, description = "They are gone")),
    security(("bearer" = ["operators:write"]))
)]
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    conditions: Preconditions,
) -> Result<StatusCode, Problem> {
    let operator = found(&state, &id).await?;
    conditions.check(Some(&etag(&operator)))?;
    reaches(&caller, &operator)?;
    state.store.remove_operator(&operator, &caller.by(), state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new link for an operator who lost what they signed in with
///
/// What they have stays good: remove it, or sign them out, if somebody else may have it.
#[utoipa::path(
    post, path = "/api/v1/operators/{id}/link", operation_id = "invite_operator", tag = "operators",
    params(("id" = String, Path, description = "Their id")),
    responses((status = 200, description = "They, and their link", body = InvitedOperator)),
    security(("bearer" = ["operators:write"]))
)]
pub(super) async fn link(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Shown, Problem> {
    let operator = found(&state, &id).await?;
    reaches(&caller, &operator)?;
    comes_by_itself(&operator)?;
    Ok((SECRET, invite(&state, &caller, &operator).await?))
}

/// How many sign-ins have ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ended {
    ended: u64,
}

/// Signs an operator out everywhere
#[utoipa::path(
    post, path = "/api/v1/operators/{id}/sign-out", operation_id = "sign_operator_out", tag = "operators",
    params(("id" = String, Path, description = "Their id")),
    responses((status = 200, description = "All their sign-ins have ended", body = Ended)),
    security(("bearer" = ["operators:write"]))
)]
pub(super) async fn sign_out(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Ended>, Problem> {
    let operator = found(&state, &id).await?;
    reaches(&caller, &operator)?;
    Ok(Json(Ended { ended: state.store.end_sign_ins(&operator, &caller.by(), state.clock.now()).await? }))
}
