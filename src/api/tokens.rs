//! API tokens, and who one is.

use super::ApiState;
use super::caller::Caller;
use super::extract::Body;
use super::me::codes;
use super::problem::Problem;
use crate::ids::TokenId;
use crate::operators::account::Sites;
use crate::operators::role::{Permission, Permissions, Role};
use crate::operators::token::{ApiToken, DEFAULT_LIFE, MAX_LIFE, digest_of, value_of};
use crate::random::random;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// The longest name of a token, in characters.
const MAX_NAME: usize = 64;
/// Seconds of a day.
const DAY_SECS: u64 = 86_400;

/// A token, without its value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct TokenView {
    id: TokenId,
    /// What it is for; the audit log tells it as the author.
    name: String,
    /// What it may do.
    permissions: Vec<&'static str>,
    /// The sites at which it is good; null is everywhere.
    #[schema(required)]
    sites: Option<Vec<String>>,
    created_by: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// When it was used last, to the minute.
    #[schema(required)]
    last_used_at: Option<Timestamp>,
    /// When it was taken back.
    #[schema(required)]
    revoked_at: Option<Timestamp>,
    /// Whether it opens anything now.
    good: bool,
}

fn view(token: ApiToken, now: Timestamp) -> TokenView {
    TokenView {
        good: token.is_good(now),
        id: token.id,
        name: token.name,
        permissions: codes(token.permissions),
        sites: token.sites.list(),
        created_by: token.created_by,
        created_at: token.created,
        expires_at: token.expires,
        last_used_at: token.last_used,
        revoked_at: token.revoked,
    }
}

/// What a token is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What it is for, 1 to 64 characters.
    name: String,
    /// A role, whose permissions it has: `viewer`, `help_desk`, `operator`, `policy_author`, `auditor` or
    /// `administrator`.
    role: Option<String>,
    /// What it may do, in place of a role; or besides.
    #[serde(default)]
    permissions: Vec<String>,
    /// The sites at which it is good, in place of all that you have.
    sites: Option<Vec<String>>,
    /// How many days it is good, 1 to 400; 90 if it is not said.
    expires_in_days: Option<u64>,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenMade {
    /// Its value: shown here, and never again.
    token: String,
    #[serde(flatten)]
    of: TokenView,
}

/// Makes a token, which may do no more than who makes it
#[utoipa::path(
    post, path = "/api/v1/tokens", operation_id = "create_token", tag = "tokens",
    request_body = NewToken,
    responses(
        (status = 201, description = "Its value, shown once", body = TokenMade),
    ),
    security(("bearer" = ["operators:write"]))
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<TokenMade>), Problem> {
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::parameter("name", format!("a name has 1 to {MAX_NAME} characters")));
    }
    let of_role = match new.role.as_deref().map(str::parse::<Role>).transpose() {
        Ok(role) => role.map_or(Permissions::NONE, Role::permissions),
        Err(e) => return Err(Problem::parameter("role", e.to_string())),
    };
    let named: Result<Permissions, _> = new.permissions.iter().map(|code| code.parse::<Permission>()).collect();
    let named = named.map_err(|e| Problem::parameter("permissions", e.to_string()))?;
    let wanted = of_role.or(named);
    if wanted.each().next().is_none() {
        return Err(Problem::parameter(
            "permissions",
            "a token that may do nothing opens nothing: name a role or permissions",
        ));
    }
    for permission in wanted.each() {
        caller.may(permission)?;
    }
    let sites = new.sites.map_or_else(|| caller.sites.clone(), |sites| Sites::from(Some(sites)));
    if !caller.sites.cover(&sites) {
        return Err(Problem::beyond_sites());
    }
    // What an operator's token makes is theirs as well: it ends with them.
    let operator = caller.operator;
    let life = new.expires_in_days.map_or(DEFAULT_LIFE, |days| Duration::from_secs(days.saturating_mul(DAY_SECS)));
    if life.is_zero() || life > MAX_LIFE {
        let days = MAX_LIFE.as_secs() / DAY_SECS;
        return Err(Problem::parameter("expires_in_days", format!("a token is good for 1 to {days} days")));
    }
    let now = state.clock.now();
    let value = value_of(random().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?);
    let token = ApiToken {
        id: TokenId::new(now),
        name,
        permissions: wanted,
        sites,
        operator,
        created_by: caller.name.clone(),
        created: now,
        expires: now + life,
        last_used: None,
        revoked: None,
    };
    if !state.store.add_token(&token, &digest_of(value.expose()), &caller.by()).await? {
        return Err(Problem::conflict("too_many_tokens", "there are 10,000 tokens: delete those that nobody uses"));
    }
    let token_text = String::from_utf8_lossy(value.expose()).into_owned();
    // The value is for who asked alone: no cache keeps it, and no repetition shows it.
    let secret = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, secret, Json(TokenMade { token: token_text, of: view(token, now) })))
}

/// All tokens, the newest first
#[utoipa::path(
    get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "tokens",
    responses((status = 200, description = "All of them, without their values", body = Vec<TokenView>)),
    security(("bearer" = ["operators:read"]))
)]
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<TokenView>>, Problem> {
    let now = state.clock.now();
    Ok(Json(state.store.tokens().await?.into_iter().map(|token| view(token, now)).collect()))
}

async fn found(state: &ApiState, id: &str) -> Result<ApiToken, Problem> {
    let missing = || Problem::not_found(format!("there is no token {id:?}; GET /api/v1/tokens lists them"));
    let id: TokenId = id.parse().map_err(|_| missing())?;
    state.store.token(id).await?.ok_or_else(missing)
}

/// One token
#[utoipa::path(
    get, path = "/api/v1/tokens/{id}", operation_id = "get_token", tag = "tokens",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It, without its value", body = TokenView)),
    security(("bearer" = ["operators:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<TokenView>, Problem> {
    found(&state, &id).await.map(|token| Json(view(token, state.clock.now())))
}

/// Takes a token back, at once
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", operation_id = "revoke_token", tag = "tokens",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "It opens nothing any more")),
    security(("bearer" = ["operators:write"]))
)]
pub(super) async fn revoke(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let token = found(&state, &id).await?;
    // Once more is no error: it opens nothing either way.
    state.store.revoke_token(&token, &caller.by(), state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
