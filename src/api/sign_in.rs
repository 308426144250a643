//! Signing in: by passkey, by a provider of identities, by a password with a code of an app, and for the first time by a
//! link.

use super::ApiState;
use super::caller::Caller;
use super::door::{by, entry, let_in, same_origin};
use super::extract::Body;
use super::problem::Problem;
use crate::audit::event::By;
use crate::ids::OperatorId;
use crate::operators::account::{MAX_NAME, Operator, Sites, is_name};
use crate::operators::passkey::{PasskeyError, Passkeys};
use crate::operators::role::Role;
use crate::operators::sign_in::Means;
use crate::operators::throttle::Network;
use crate::operators::token::digest_of;
use crate::operators::{password, second_factor};
use crate::secret::Secret;
use crate::store::operators::Keys;
use crate::store::sign_ins::Invited;
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use utoipa::ToSchema;

/// In the audit log, whoever tries to sign in and is nobody yet.
const SOMEBODY: &str = "somebody";

/// How one can sign in here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ways {
    /// Whether by passkey.
    passkey: bool,
    /// What the provider of identities is called, if there is one.
    #[schema(required)]
    provider: Option<String>,
    /// Whether there is no operator yet: the server's log has a link to make the first.
    first: bool,
}

/// Who has signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedIn {
    /// Their name.
    name: String,
    /// Whether that opens all that they may; if not, they first need a passkey, or a password with an app: `/api/v1/me`
    /// has both.
    whole: bool,
}

/// The ways to sign in
#[utoipa::path(
    get, path = "/api/v1/sign-in", operation_id = "get_sign_in", tag = "sign-in",
    responses((status = 200, description = "What this server offers", body = Ways)),
    security(())
)]
pub(super) async fn ways(State(state): State<ApiState>) -> Result<Json<Ways>, Problem> {
    let rules = state.inventory.present().built.sign_in.clone();
    Ok(Json(Ways {
        passkey: state.door.has_passkeys(),
        provider: rules.provider.as_ref().map(|provider| provider.name.clone()),
        first: !state.store.has_operators().await?,
    }))
}

/// A name with its password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NameAndPassword {
    /// The operator's name, whatever its case.
    name: String,
    /// The password.
    password: String,
    /// The code that the app shows, or a recovery code; asked for when the password was right and there is an app.
    code: Option<String>,
}

/// Not what was typed.
impl std::fmt::Debug for NameAndPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameAndPassword").field("name", &self.name).finish_non_exhaustive()
    }
}

fn wrong() -> Problem {
    Problem::not_signed_in("wrong_credentials", "name, password or code is wrong, or may not be used")
}

impl ApiState {
    /// Says no, and says so in the audit log.
    pub(super) async fn refuse(&self, name: &str, why: &str, from: SocketAddr) {
        let name: String = name.chars().take(MAX_NAME).collect();
        let by = By::api(SOMEBODY, from);
        if let Err(error) = self.store.not_signed_in(&name, why, &by, self.clock.now()).await {
            tracing::warn!(%error, "that somebody was not let in is not in the audit log");
        }
    }

    /// Whether a second factor is there and fits, if one is wanted.
    async fn second_factor(&self, operator: &Operator, keys: &Keys, code: Option<&str>) -> Result<bool, Problem> {
        let Some(sealed) = &keys.totp else { return Ok(false) };
        let code = code.map(str::trim).filter(|code| !code.is_empty()).ok_or_else(|| {
            Problem::not_signed_in(
                "code_wanted",
                "the password is right; send the code of the app, or a recovery code, too",
            )
        })?;
        let secret = self.door.seal()?.open(&app_of(operator.id), sealed).map_err(|e| Problem::internal(&e))?;
        let now = self.clock.now();
        let used = match second_factor::step_of(&secret, code, keys.totp_step, now) {
            Some(step) => self.store.use_code(operator.id, step).await?,
            None => match second_factor::without(&keys.recovery, code) {
                Some(left) => self.store.use_recovery(operator.id, &keys.recovery, &left).await?,
                None => false,
            },
        };
        if used { Ok(true) } else { Err(wrong()) }
    }
}

/// What the secret of an app is sealed for.
pub(super) fn app_of(operator: OperatorId) -> String {
    format!("operator {operator} totp")
}

/// Signs in by password
///
/// Whoever has an app sends its code as well. Without one, the sign-in is good for adding one, if the server wants a
/// second factor.
#[utoipa::path(
    post, path = "/api/v1/sign-in/password", operation_id = "sign_in_by_password", tag = "sign-in",
    request_body = NameAndPassword,
    responses(
        (status = 200, description = "Signed in: the cookie is set", body = SignedIn),
        (status = 401, description = "Something is wrong, a code is wanted (`code_wanted`), or a password alone is not enough"),
        (status = 403, description = "It comes from a page of another site"),
        (status = 429, description = "Too many were wrong; Retry-After says when to try again"),
    ),
    security(())
)]
pub(super) async fn by_password(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Body(given): Body<NameAndPassword>,
) -> Result<(HeaderMap, Json<SignedIn>), Problem> {
    same_origin(&Method::POST, &headers, false)?;
    let now = state.clock.now();
    let name = given.name.trim().to_owned();
    let operator = state.store.operator_named(&name).await?;
    let known = operator.as_ref().is_some_and(|operator| state.door.knows(&headers, operator.id, now));
    // Whoever guesses keeps nobody out who shares their address and has signed in before.
    if !known {
        state.failures.check(&Network::of(from.ip()), now)?;
    }
    state.door.may_try(&name, from, known, now)?;
    let operator = operator.filter(|operator| !operator.disabled);
    let keys = match &operator {
        Some(operator) => state.store.keys(operator.id).await?,
        None => Keys::default(),
    };
    let (secret, stored) = (Secret::new(given.password), keys.password.clone());
    let right = state.door.hash(move || password::verify(&secret, stored.as_deref())).await?;
    let Some(operator) = operator.filter(|_| right) else {
        state.failures.take(Network::of(from.ip()), now)?;
        state.refuse(&name, "the password is wrong, or there is none", from).await;
        return Err(wrong());
    };
    let coded = match state.second_factor(&operator, &keys, given.code.as_deref()).await {
        Ok(coded) => coded,
        Err(problem) if problem.code() == "code_wanted" => {
            state.door.not_tried(&name, from);
            return Err(problem);
        }
        Err(problem) => {
            state.refuse(&name, "the code is wrong", from).await;
            return Err(problem);
        }
    };
    state.door.tried(&name, from);
    let second_factor = state.inventory.present().built.sign_in.second_factor;
    // A password alone is to begin with: who has something stronger does not get in by it, nor adds anything.
    let stronger = operator.provider.is_some() || !state.store.passkeys(operator.id).await?.is_empty();
    if second_factor && !coded && stronger {
        state.refuse(&name, "a password alone, of an operator who has more", from).await;
        let detail = "a password alone is not enough: sign in by passkey, or as your provider has it";
        return Err(Problem::not_signed_in("second_factor_wanted", detail));
    }
    let whole = coded || !second_factor;
    let means = if coded { Means::PasswordAndCode } else { Means::Password };
    let set = let_in(&state, &operator, means, whole, &headers, from).await?;
    Ok((set, Json(SignedIn { name: operator.name, whole })))
}

/// What the browser is to be asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PasskeyQuestion)]
pub(super) struct Question {
    /// For `PublicKeyCredential.parseRequestOptionsFromJSON` or `parseCreationOptionsFromJSON`.
    #[serde(rename = "publicKey")]
    #[schema(value_type = Object)]
    public_key: Value,
}

impl Question {
    pub(super) fn new(public_key: Value) -> Json<Question> {
        Json(Question { public_key })
    }
}

impl From<PasskeyError> for Problem {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::Busy => Problem::too_many(error.to_string(), std::time::Duration::from_secs(60)),
            PasskeyError::Unasked => Problem::conflict("not_asked", error.to_string()),
            PasskeyError::NoName(_) => Problem::conflict("no_passkeys", error.to_string()),
            PasskeyError::Refused(_) => Problem::parameter("credential", error.to_string()),
        }
    }
}

/// Begins to sign in by passkey
#[utoipa::path(
    post, path = "/api/v1/sign-in/passkey/begin", operation_id = "begin_sign_in_by_passkey", tag = "sign-in",
    responses(
        (status = 200, description = "What to ask the browser", body = Question),
        (status = 403, description = "It comes from a page of another site"),
        (status = 409, description = "There are no passkeys here"),
        (status = 429, description = "Too many are under way"),
    ),
    security(())
)]
pub(super) async fn begin_passkey(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Question>, Problem> {
    same_origin(&Method::POST, &headers, false)?;
    // Each takes a place of those that are under way.
    state.ceremonies.take(Network::of(from.ip()), state.clock.now())?;
    Ok(Question::new(state.door.passkeys()?.begin_sign_in()?))
}

/// Signs in by passkey
#[utoipa::path(
    post, path = "/api/v1/sign-in/passkey/end", operation_id = "sign_in_by_passkey", tag = "sign-in",
    request_body = Map<String, Value>,
    responses(
        (status = 200, description = "Signed in: the cookie is set", body = SignedIn),
        (status = 401, description = "The passkey is not known, or its answer does not hold"),
        (status = 403, description = "It comes from a page of another site"),
        (status = 409, description = "There are no passkeys here, or it was not asked for"),
        (status = 429, description = "Too many were wrong; Retry-After says when to try again"),
    ),
    security(())
)]
pub(super) async fn end_passkey(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Body(answer): Body<Map<String, Value>>,
) -> Result<(HeaderMap, Json<SignedIn>), Problem> {
    same_origin(&Method::POST, &headers, false)?;
    let now = state.clock.now();
    let passkeys = state.door.passkeys()?;
    let answer = Passkeys::read(Value::Object(answer).to_string().as_bytes())?;
    let known = state.store.passkey(answer.passkey()).await?.filter(|(id, _)| *id == answer.operator());
    let operator = match &known {
        Some((id, _)) => {
            let operator = state.store.operator(*id).await?;
            // A provider's operators come by it alone.
            operator.filter(|operator| !operator.disabled && operator.provider.is_none())
        }
        None => None,
    };
    let (Some((_, named)), Some(operator)) = (known, operator) else {
        state.ceremonies.take(Network::of(from.ip()), now)?;
        state.refuse("", "the passkey is not known", from).await;
        return Err(Problem::not_signed_in(
            "unknown_passkey",
            "this passkey is not known here, or its operator is shut out",
        ));
    };
    let used = match passkeys.end_sign_in(&answer, &named.passkey) {
        Ok(used) => used,
        Err(error @ PasskeyError::Unasked) => return Err(error.into()),
        Err(error) => {
            state.ceremonies.take(Network::of(from.ip()), now)?;
            state.refuse(&operator.name, &format!("the passkey's answer does not hold: {error}"), from).await;
            return Err(Problem::not_signed_in("wrong_credentials", "the passkey's answer does not hold"));
        }
    };
    state.store.use_passkey(&used, now).await?;
    let set = let_in(&state, &operator, Means::Passkey, true, &headers, from).await?;
    Ok((set, Json(SignedIn { name: operator.name, whole: true })))
}

/// A link that is good once, and the name of the first operator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    /// What stands behind `#` in the link.
    link: String,
    /// What the first operator is to be called; only for the link of the first.
    name: Option<String>,
}

/// Where a link leads.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Leads {
    /// Whether it is to make the first operator, who chooses a name.
    first: bool,
    /// Whose link it is.
    #[schema(required)]
    name: Option<String>,
}

fn dead_link() -> Problem {
    Problem::not_signed_in(
        "dead_link",
        "this link is not good, or was used: an administrator, or `cordon operator link` on the server's host, makes a new one",
    )
}

impl ApiState {
    async fn invited(&self, link: &str, from: SocketAddr) -> Result<([u8; 32], Invited), Problem> {
        let now = self.clock.now();
        self.failures.check(&Network::of(from.ip()), now)?;
        let digest = digest_of(link.as_bytes());
        match self.store.link(&digest, now).await? {
            Some(invited) => Ok((digest, invited)),
            None => {
                self.failures.take(Network::of(from.ip()), now)?;
                Err(dead_link())
            }
        }
    }
}

/// Says where a link leads, and does not use it up
#[utoipa::path(
    post, path = "/api/v1/sign-in/link/look", operation_id = "look_at_link", tag = "sign-in",
    request_body = Link,
    responses(
        (status = 200, description = "Whose it is", body = Leads),
        (status = 401, description = "It is not good"),
        (status = 403, description = "It comes from a page of another site"),
        (status = 429, description = "Too many were wrong; Retry-After says when to try again"),
    ),
    security(())
)]
pub(super) async fn look_at_link(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Body(given): Body<Link>,
) -> Result<Json<Leads>, Problem> {
    same_origin(&Method::POST, &headers, false)?;
    Ok(Json(match state.invited(&given.link, from).await?.1 {
        Invited::First => Leads { first: true, name: None },
        Invited::Operator(operator) => Leads { first: false, name: Some(operator.name) },
    }))
}

/// Signs in by a link, once, to get a passkey or a password
#[utoipa::path(
    post, path = "/api/v1/sign-in/link", operation_id = "sign_in_by_link", tag = "sign-in",
    request_body = Link,
    responses(
        (status = 200, description = "Signed in: the cookie is set", body = SignedIn),
        (status = 401, description = "It is not good"),
        (status = 403, description = "It comes from a page of another site"),
        (status = 409, description = "Somebody has that name"),
        (status = 429, description = "Too many were wrong; Retry-After says when to try again"),
    ),
    security(())
)]
pub(super) async fn by_link(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Body(given): Body<Link>,
) -> Result<(HeaderMap, Json<SignedIn>), Problem> {
    same_origin(&Method::POST, &headers, false)?;
    let now = state.clock.now();
    let (digest, invited) = state.invited(&given.link, from).await?;
    let (operator, first) = match invited {
        Invited::Operator(operator) => (operator, false),
        Invited::First => {
            let name = given.name.unwrap_or_default();
            let name = name.trim();
            if !is_name(name) {
                let detail = format!("choose a name of 1 to {MAX_NAME} letters, digits and . _ - @ +");
                return Err(Problem::parameter("name", detail));
            }
            let operator = Operator {
                id: OperatorId::new(now),
                name: name.to_owned(),
                email: None,
                roles: vec![Role::Administrator],
                sites: Sites::All,
                disabled: false,
                provider: None,
                created: now,
                version: 1,
            };
            (operator, true)
        }
    };
    let (sign_in, cookie, set) = entry(&state, &operator, Means::Link, false, &headers, from)?;
    let by = by(&operator, from);
    let followed = state.store.follow_link(&digest, first.then_some(&operator), &sign_in, &cookie, &by).await?;
    followed.ok_or_else(dead_link)?;
    Ok((set, Json(SignedIn { name: operator.name, whole: false })))
}

/// Signs out
#[utoipa::path(
    post, path = "/api/v1/sign-out", operation_id = "sign_out", tag = "sign-in",
    responses((status = 204, description = "Signed out: the cookie is gone")),
    security(("bearer" = ["own"]))
)]
pub(super) async fn sign_out(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<(StatusCode, HeaderMap), Problem> {
    let (operator, sign_in, _) = caller.signed_in()?;
    state.store.end_sign_in(operator, sign_in.id, &caller.by(), state.clock.now()).await?;
    let mut set = HeaderMap::new();
    set.append(header::SET_COOKIE, state.door.forget()?);
    Ok((StatusCode::NO_CONTENT, set))
}
