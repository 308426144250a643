//! One's own account: who one is, and by what one signs in.

use super::ApiState;
use super::caller::{Caller, Means};
use super::extract::Body;
use super::problem::Problem;
use super::sign_in::{Question, app_of};
use crate::ids::SignInId;
use crate::operators::role::{Permission, Permissions, Role};
use crate::operators::{password, second_factor};
use crate::random::random;
use crate::secret::Secret;
use crate::store::operators::{KeyChange, MAX_PASSKEYS, NamedPasskey};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The longest name of a passkey, in characters.
const MAX_NAME: usize = 64;
/// What shows a secret is kept by no cache.
const SECRET: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The name that the audit log tells.
    name: String,
    /// The roles, if somebody has one.
    roles: Vec<Role>,
    /// What they may do.
    permissions: Vec<&'static str>,
    /// The sites at which that holds; null is everywhere.
    #[schema(required)]
    sites: Option<Vec<String>>,
    /// What they are known by: `root_token`, the token of the server's own file, `token`, or how they signed in: `link`,
    /// `password`, `password_and_code`, `passkey`, `provider`.
    means: &'static str,
    /// Whether the sign-in opens all that they may; if not, they first need a passkey, or a password with an app.
    whole: bool,
    /// By what an operator can sign in.
    #[schema(required)]
    keys: Option<KeysView>,
}

/// By what an operator can sign in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignInKeys)]
pub(super) struct KeysView {
    /// Whether there is a password.
    password: bool,
    /// Whether an app shows codes.
    second_factor: bool,
    /// How many recovery codes are left.
    recovery_codes: usize,
    /// How many passkeys there are.
    passkeys: usize,
    /// Whether a provider of identities vouches for them.
    provider: bool,
}

/// Who you are to the server, and what you may do
#[utoipa::path(
    get, path = "/api/v1/me", operation_id = "get_me", tag = "me",
    responses((status = 200, description = "Name, roles and permissions", body = Me)),
    security(("bearer" = ["own"]))
)]
pub(super) async fn me(State(state): State<ApiState>, caller: Caller) -> Result<Json<Me>, Problem> {
    let (mut whole, mut keys, mut means) = (true, None, "token");
    if caller.means == Means::RootToken {
        means = "root_token";
    }
    if let Ok((operator, sign_in, _)) = caller.signed_in() {
        (whole, means) = (sign_in.whole, sign_in.means.code());
        let stored = state.store.keys(operator.id).await?;
        keys = Some(KeysView {
            password: stored.password.is_some(),
            second_factor: stored.totp.is_some(),
            recovery_codes: stored.recovery.len(),
            passkeys: state.store.passkeys(operator.id).await?.len(),
            provider: operator.provider.is_some(),
        });
    }
    Ok(Json(Me {
        permissions: codes(caller.permissions),
        sites: caller.sites.list(),
        means,
        whole,
        keys,
        name: caller.name,
        roles: caller.roles,
    }))
}

pub(super) fn codes(permissions: Permissions) -> Vec<&'static str> {
    permissions.each().map(Permission::code).collect()
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// 12 characters or more.
    password: String,
    /// The one that it replaces, if there is one.
    present: Option<String>,
}

/// Not what was typed.
impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPassword")
    }
}

/// Sets your password; other sign-ins of yours end
#[utoipa::path(
    put, path = "/api/v1/me/password", operation_id = "set_my_password", tag = "me",
    request_body = NewPassword,
    responses((status = 204, description = "It is set")),
    security(("bearer" = ["own"]))
)]
pub(super) async fn set_password(
    State(state): State<ApiState>,
    caller: Caller,
    Body(new): Body<NewPassword>,
) -> Result<StatusCode, Problem> {
    let now = state.clock.now();
    let (operator, sign_in, cookie) = caller.adds_a_key(now)?;
    password::fit(&new.password, &operator.name).map_err(|e| Problem::parameter("password", e))?;
    let keys = state.store.keys(operator.id).await?;
    if let Some(stored) = keys.password.clone() {
        state.door.may_try(&operator.name, caller.from, true, now)?;
        let present = Secret::new(new.present.unwrap_or_default());
        if !state.door.hash(move || password::verify(&present, Some(&stored))).await? {
            return Err(Problem::parameter("present", "that is not the password that it is to replace"));
        }
        state.door.tried(&operator.name, caller.from);
    }
    let salt = random().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
    let secret = Secret::new(new.password);
    let hash = state.door.hash(move || password::hash(&secret, salt)).await?;
    let hash = hash.ok_or_else(|| Problem::internal(&"the password is not hashed"))?;
    state.store.set_keys(operator, KeyChange::Password(hash), Some(cookie), &caller.by(), now).await?;
    if !state.inventory.present().built.sign_in.second_factor {
        state.store.make_whole(sign_in.id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What an app is to be given.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct App {
    /// For a QR code.
    url: String,
    /// To be typed, in Base32.
    secret: String,
}

/// Begins to add an app that shows codes (TOTP)
#[utoipa::path(
    post, path = "/api/v1/me/second-factor", operation_id = "begin_my_second_factor", tag = "me",
    responses((status = 200, description = "What the app is to be given; it counts when a code of it was sent", body = App)),
    security(("bearer" = ["own"]))
)]
pub(super) async fn begin_second_factor(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<([(HeaderName, &'static str); 1], Json<App>), Problem> {
    let now = state.clock.now();
    let (operator, ..) = caller.adds_a_key(now)?;
    let octets: [u8; second_factor::SECRET_LEN] =
        random().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
    let secret = Secret::new(octets);
    let app = second_factor::for_app(&secret, &operator.name);
    let (url, text) = app.ok_or_else(|| Problem::internal(&"no URL can be made for an app"))?;
    state.door.begin_app(operator.id, secret, now)?;
    Ok((SECRET, Json(App { url, secret: text })))
}

/// A code that the app shows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    /// Six digits.
    code: String,
}

/// What stands in for a lost app.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    /// Each is good once, in place of a code. Shown here, and never again.
    recovery_codes: Vec<String>,
}

/// Adds the app, when it shows the right code
#[utoipa::path(
    post, path = "/api/v1/me/second-factor/confirm", operation_id = "confirm_my_second_factor", tag = "me",
    request_body = Code,
    responses((status = 200, description = "It counts from now on", body = RecoveryCodes)),
    security(("bearer" = ["own"]))
)]
pub(super) async fn confirm_second_factor(
    State(state): State<ApiState>,
    caller: Caller,
    Body(given): Body<Code>,
) -> Result<([(HeaderName, &'static str); 1], Json<RecoveryCodes>), Problem> {
    let now = state.clock.now();
    let (operator, sign_in, cookie) = caller.freshly_signed_in(now)?;
    let pending = state.door.pending_app(operator.id, now);
    let secret = pending.ok_or_else(|| {
        Problem::conflict(
            "not_asked",
            "no app is being added: POST /api/v1/me/second-factor begins, and waits for ten minutes",
        )
    })?;
    let step = second_factor::step_of(&secret, given.code.trim(), 0, now).ok_or_else(|| {
        Problem::parameter("code", "that is not the code of now: are the clocks of phone and server right?")
    })?;
    let mut texts = Vec::new();
    for _ in 0..second_factor::RECOVERY_CODES {
        let octets = random().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
        texts.push(second_factor::recovery_code(octets));
    }
    let sealed = state.door.seal()?.seal(&app_of(operator.id), &secret).map_err(|e| Problem::internal(&e))?;
    let recovery = texts.iter().map(|text| second_factor::recovery_digest(text)).collect();
    let change = KeyChange::App { secret: sealed, step, recovery };
    state.store.set_keys(operator, change, Some(cookie), &caller.by(), now).await?;
    state.door.end_app(operator.id);
    if state.store.keys(operator.id).await?.password.is_some() {
        state.store.make_whole(sign_in.id).await?;
    }
    Ok((SECRET, Json(RecoveryCodes { recovery_codes: texts })))
}

/// Removes the app and its recovery codes
#[utoipa::path(
    delete, path = "/api/v1/me/second-factor", operation_id = "remove_my_second_factor", tag = "me",
    responses((status = 204, description = "It is gone")),
    security(("bearer" = ["own"]))
)]
pub(super) async fn remove_second_factor(State(state): State<ApiState>, caller: Caller) -> Result<StatusCode, Problem> {
    let now = state.clock.now();
    let (operator, sign_in, cookie) = caller.freshly_signed_in(now)?;
    if !sign_in.whole {
        return Err(Problem::conflict("sign_in_again", "sign in with what you have before you remove it"));
    }
    state.store.set_keys(operator, KeyChange::NoApp, Some(cookie), &caller.by(), now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A passkey.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Passkey)]
pub(super) struct PasskeyView {
    /// Its id, in Base64 for URLs.
    id: String,
    /// What it is called.
    name: String,
    created_at: Timestamp,
    #[schema(required)]
    last_used_at: Option<Timestamp>,
}

fn view(named: &NamedPasskey) -> PasskeyView {
    PasskeyView {
        id: URL_SAFE_NO_PAD.encode(&named.passkey.id),
        name: named.name.clone(),
        created_at: named.created,
        last_used_at: named.last_used,
    }
}

/// Your passkeys, the oldest first
#[utoipa::path(
    get, path = "/api/v1/me/passkeys", operation_id = "list_my_passkeys", tag = "me",
    responses((status = 200, description = "All of them", body = Vec<PasskeyView>),
        (status = 409, description = "A token has none")),
    security(("bearer" = ["own"]))
)]
pub(super) async fn passkeys(State(state): State<ApiState>, caller: Caller) -> Result<Json<Vec<PasskeyView>>, Problem> {
    let (operator, ..) = caller.signed_in()?;
    Ok(Json(state.store.passkeys(operator.id).await?.iter().map(view).collect()))
}

/// Begins to add a passkey
#[utoipa::path(
    post, path = "/api/v1/me/passkeys/begin", operation_id = "begin_my_passkey", tag = "me",
    responses((status = 200, description = "What to ask the browser", body = Question)),
    security(("bearer" = ["own"]))
)]
pub(super) async fn begin_passkey(State(state): State<ApiState>, caller: Caller) -> Result<Json<Question>, Problem> {
    let (operator, ..) = caller.adds_a_key(state.clock.now())?;
    let present: Vec<_> = state.store.passkeys(operator.id).await?.into_iter().map(|named| named.passkey).collect();
    Ok(Question::new(state.door.passkeys()?.begin_registration(operator.id, &operator.name, &present)?))
}

/// A new passkey.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPasskey {
    /// What to call it, 1 to 64 characters.
    name: String,
    /// What the browser answered, as `toJSON()` gives it.
    #[schema(value_type = Object)]
    credential: Map<String, Value>,
}

/// Adds a passkey
#[utoipa::path(
    post, path = "/api/v1/me/passkeys", operation_id = "add_my_passkey", tag = "me",
    request_body = NewPasskey,
    responses((status = 201, description = "It is added", body = PasskeyView)),
    security(("bearer" = ["own"]))
)]
pub(super) async fn add_passkey(
    State(state): State<ApiState>,
    caller: Caller,
    Body(new): Body<NewPasskey>,
) -> Result<(StatusCode, Json<PasskeyView>), Problem> {
    let now = state.clock.now();
    let (operator, sign_in, _) = caller.freshly_signed_in(now)?;
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::parameter("name", format!("a name has 1 to {MAX_NAME} characters")));
    }
    let answer = Value::Object(new.credential).to_string();
    let (whose, passkey) = state.door.passkeys()?.end_registration(answer.as_bytes())?;
    if whose != operator.id {
        return Err(Problem::conflict("not_asked", "it was asked for by somebody else"));
    }
    let named = NamedPasskey { name, passkey, created: now, last_used: None };
    if !state.store.add_passkey(operator, &named, &caller.by(), now).await? {
        let detail = format!("it is there already, or there are {MAX_PASSKEYS}: remove one first");
        return Err(Problem::conflict("passkey_not_added", detail));
    }
    // A passkey is two factors: the thing, and the finger or PIN that it asks for.
    state.store.make_whole(sign_in.id).await?;
    Ok((StatusCode::CREATED, Json(view(&named))))
}

/// Removes a passkey
#[utoipa::path(
    delete, path = "/api/v1/me/passkeys/{id}", operation_id = "remove_my_passkey", tag = "me",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "It is gone")),
    security(("bearer" = ["own"]))
)]
pub(super) async fn remove_passkey(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let now = state.clock.now();
    let (operator, ..) = caller.freshly_signed_in(now)?;
    let all = state.store.passkeys(operator.id).await?;
    let named = all.iter().find(|named| view(named).id == id);
    let named =
        named.ok_or_else(|| Problem::not_found("you have no such passkey; GET /api/v1/me/passkeys lists them"))?;
    state.store.remove_passkey(operator, named, &caller.by(), now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A sign-in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignIn)]
pub(super) struct SignInView {
    id: SignInId,
    /// How: `link`, `password`, `password_and_code`, `passkey`, `provider`.
    means: &'static str,
    /// From where.
    address: String,
    /// What the browser calls itself.
    browser: String,
    at: Timestamp,
    /// When it was used last, to the minute.
    seen_at: Timestamp,
    /// Whether it is the one by which this was asked.
    this: bool,
}

/// Where you are signed in
#[utoipa::path(
    get, path = "/api/v1/me/sign-ins", operation_id = "list_my_sign_ins", tag = "me",
    responses((status = 200, description = "All that are good, the newest first", body = Vec<SignInView>),
        (status = 409, description = "A token has none")),
    security(("bearer" = ["own"]))
)]
pub(super) async fn sign_ins(State(state): State<ApiState>, caller: Caller) -> Result<Json<Vec<SignInView>>, Problem> {
    let (operator, this, _) = caller.signed_in()?;
    let all = state.store.sign_ins(operator.id, state.clock.now()).await?;
    let view = |sign_in: crate::operators::sign_in::SignIn| SignInView {
        id: sign_in.id,
        means: sign_in.means.code(),
        at: sign_in.at,
        seen_at: sign_in.seen,
        this: sign_in.id == this.id,
        address: sign_in.from,
        browser: sign_in.browser,
    };
    Ok(Json(all.into_iter().map(view).collect()))
}

/// Ends a sign-in of yours
#[utoipa::path(
    delete, path = "/api/v1/me/sign-ins/{id}", operation_id = "end_my_sign_in", tag = "me",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "It has ended")),
    security(("bearer" = ["own"]))
)]
pub(super) async fn end_sign_in(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (operator, ..) = caller.signed_in()?;
    let missing = || Problem::not_found("you have no such sign-in; GET /api/v1/me/sign-ins lists them");
    let id: SignInId = id.parse().map_err(|_| missing())?;
    let gone = state.store.end_sign_in(operator, id, &caller.by(), state.clock.now()).await?;
    if gone { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}
