//! Signing in by a provider of identities: to its page, and back.

use super::ApiState;
use super::door::{let_in, secret_text};
use super::extract::Query;
use super::problem::Problem;
use crate::audit::event::By;
use crate::ids::OperatorId;
use crate::operators::account::Operator;
use crate::operators::provider::{Away, Discovered, Provider, ProviderError, Vouched, challenge};
use crate::operators::sign_in::Means;
use crate::operators::throttle::Network;
use crate::time::Timestamp;
use crate::transport::https::{self, FetchError};
use crate::transport::jwks::{KNOWN, Published};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use utoipa::IntoParams;

/// Where people come back.
const BACK: &str = "/api/v1/sign-in/provider/back";

/// What is known of the provider.
#[derive(Clone, Debug)]
pub(super) struct Known {
    of: Arc<Provider>,
    says: Discovered,
    published: Published,
    at: Timestamp,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

fn away(error: &FetchError) -> Problem {
    Problem::bad_gateway(format!("the provider of identities is of no use: {error}"))
}

impl ApiState {
    /// What the provider says of itself; asked for again after an hour, and when a key is not known.
    async fn provider(&self, new_keys: bool) -> Result<Known, Problem> {
        let rules = self.inventory.present().built.sign_in.clone();
        let configured = rules.provider.ok_or_else(|| {
            Problem::conflict("no_provider", "this server has no provider of identities: [oidc] can name one")
        })?;
        let now = self.clock.now();
        let mut known = self.door.provider.lock().await;
        if let Some(of) = known.as_mut().filter(|known| known.of == configured && now.since(known.at) < KNOWN) {
            if new_keys {
                of.published.again(now).await.map_err(|e| away(&e))?;
            }
            return Ok(of.clone());
        }
        let cas: Vec<CertificateDer<'_>> =
            configured.cas.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let client = https::client(&cas).map_err(|e| away(&e))?;
        let document = format!("{}/.well-known/openid-configuration", configured.issuer.trim_end_matches('/'));
        let says: Discovered = https::json(client.get(&document)).await.map_err(|e| away(&e))?;
        if says.issuer != configured.issuer {
            return Err(Problem::bad_gateway(format!(
                "the provider calls itself {:?}, and oidc.issuer is {:?}",
                says.issuer, configured.issuer
            )));
        }
        let published = Published::fetch(client, says.jwks_uri.clone(), now).await.map_err(|e| away(&e))?;
        let fresh = Known { of: configured, says, published, at: now };
        *known = Some(fresh.clone());
        Ok(fresh)
    }
}

/// Goes to the page of the provider
#[utoipa::path(
    get, path = "/api/v1/sign-in/provider", operation_id = "sign_in_by_provider", tag = "sign-in",
    responses(
        (status = 303, description = "To its page"),
        (status = 409, description = "There is none"),
        (status = 429, description = "Too many are away"),
        (status = 502, description = "The provider is of no use"),
    ),
    security(())
)]
pub(super) async fn go(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    // Each may ask the provider what it says of itself.
    state.ceremonies.take(Network::of(from.ip()), now)?;
    let known = state.provider(false).await?;
    let away = Away { state: secret_text()?, nonce: secret_text()?, verifier: secret_text()?, since: now };
    let shown = challenge(&away.verifier);
    let redirect = format!("{}{BACK}", state.door.origin());
    let question = known.of.question(&redirect, &away.state, &away, &shown);
    let url = reqwest::Url::parse_with_params(&known.says.authorization_endpoint, &question)
        .map_err(|e| Problem::bad_gateway(format!("the provider's page has no URL: {e}")))?;
    let cookie = state.door.keep_away(&away)?;
    let to = HeaderValue::from_str(url.as_str()).map_err(|e| Problem::internal(&e))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::SET_COOKIE, cookie)]).into_response())
}

/// What the provider sends people back with.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Answer {
    /// What becomes tokens.
    code: Option<String>,
    /// What this server sent.
    state: Option<String>,
    /// Who it says it is (RFC 9207).
    iss: Option<String>,
    /// Why it let nobody in.
    error: Option<String>,
    /// The same, in words.
    error_description: Option<String>,
}

/// Comes back from the page of the provider
#[utoipa::path(
    get, path = BACK, operation_id = "come_back_from_provider", tag = "sign-in", params(Answer),
    responses((status = 303, description = "Signed in, and to the console; or to the sign-in page, which says what is wrong")),
    security(())
)]
pub(super) async fn back(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    match come_back(&state, from, &headers, answer).await {
        Ok(mut set) => {
            set.insert(header::LOCATION, HeaderValue::from_static("/sign-in?in"));
            (StatusCode::SEE_OTHER, set).into_response()
        }
        Err(problem) => {
            // People see this, not programs: the page says it.
            let mut url = String::from("/sign-in?problem=");
            url.extend(problem.told().bytes().map(|octet| format!("%{octet:02x}")));
            (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response()
        }
    }
}

async fn come_back(
    state: &ApiState,
    from: SocketAddr,
    headers: &HeaderMap,
    answer: Answer,
) -> Result<HeaderMap, Problem> {
    let now = state.clock.now();
    let unasked = || Problem::not_signed_in("not_asked", "that sign-in was not begun in this browser, or too long ago");
    let sent = answer.state.ok_or_else(unasked)?;
    // The browser that comes back must be the one that went: else somebody would be signed in as another.
    let gone = state.door.kept_away(headers, now).filter(|away| away.state == sent).ok_or_else(unasked)?;
    if let Some(error) = answer.error {
        let why: String = answer.error_description.unwrap_or(error).chars().take(200).collect();
        return Err(Problem::not_signed_in("provider_refused", format!("the provider says: {why}")));
    }
    let code = answer.code.ok_or_else(unasked)?;
    let known = state.provider(false).await?;
    let provider = known.of.clone();
    let names_itself = known.says.authorization_response_iss_parameter_supported;
    if answer.iss.as_ref().map_or(names_itself, |iss| *iss != provider.issuer) {
        return Err(Problem::not_signed_in("wrong_issuer", "the answer is of another provider"));
    }
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &format!("{}{BACK}", state.door.origin())),
        ("code_verifier", &gone.verifier),
    ];
    let secret = String::from_utf8_lossy(provider.client_secret.expose()).into_owned();
    // RFC 6749, section 2.3.1: both are encoded as in forms first.
    let encoded = |text: &str| -> String { text.bytes().map(form_octet).collect() };
    let request = known.published.client.post(&known.says.token_endpoint);
    let request = request.basic_auth(encoded(&provider.client_id), Some(encoded(&secret))).form(&form);
    let tokens: Tokens = https::json(request).await.map_err(|e| away(&e))?;
    let vouched = match provider.vouched(&tokens.id_token, &known.published.keys, &gone.nonce, now) {
        Err(ProviderError::UnknownKey) => {
            let known = state.provider(true).await?;
            provider.vouched(&tokens.id_token, &known.published.keys, &gone.nonce, now)
        }
        vouched => vouched,
    };
    let mut vouched = match vouched {
        Ok(vouched) => vouched,
        Err(error) => {
            state.refuse("", &error.to_string(), from).await;
            return Err(Problem::not_signed_in("not_vouched", error.to_string()));
        }
    };
    if let (false, Some(endpoint), Some(token)) =
        (vouched.claims.contains_key(&provider.claim), &known.says.userinfo_endpoint, &tokens.access_token)
    {
        let said: Map<String, Value> =
            https::json(known.published.client.get(endpoint).bearer_auth(token)).await.map_err(|e| away(&e))?;
        // OpenID Connect Core 1.0, section 5.3.2: it must be of the same subject.
        if said.get("sub").and_then(Value::as_str) == Some(vouched.subject.as_str()) {
            for (claim, value) in said {
                vouched.claims.entry(claim).or_insert(value);
            }
        }
    }
    let operator = known_to(state, &provider, &vouched, from, now).await?;
    let mut set = let_in(state, &operator, Means::Provider, true, headers, from).await?;
    set.append(header::SET_COOKIE, state.door.is_back()?);
    Ok(set)
}

fn form_octet(octet: u8) -> String {
    match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(octet).to_string(),
        b' ' => "+".into(),
        octet => format!("%{octet:02X}"),
    }
}

/// The operator for whom the provider vouches: made when they are new, and with the roles that it grants now.
async fn known_to(
    state: &ApiState,
    provider: &Provider,
    vouched: &Vouched,
    from: SocketAddr,
    now: Timestamp,
) -> Result<Operator, Problem> {
    let by = By::api(format!("the provider {}", provider.name), from);
    let key = provider.key_of(vouched);
    let known = state.store.operator_of_provider(&key).await?;
    let (roles, sites) = match provider.granted(vouched) {
        Ok(granted) => granted,
        Err(error) => {
            let name = known.as_ref().map_or_else(|| vouched.name(), |operator| operator.name.clone());
            state.refuse(&name, &error.to_string(), from).await;
            // What they had while it granted something ends as well: other browsers, and tokens.
            if let Some(operator) = known.filter(|operator| !operator.roles.is_empty()) {
                state.store.change_operator(Operator { roles: Vec::new(), ..operator }, &by, now).await?;
            }
            return Err(Problem::not_signed_in("not_granted", error.to_string()));
        }
    };
    match known {
        Some(operator) if operator.disabled => {
            state.refuse(&operator.name, "they are shut out", from).await;
            Err(Problem::not_signed_in("shut_out", "an administrator has shut you out"))
        }
        Some(operator) if operator.roles == roles && operator.sites == sites => Ok(operator),
        Some(operator) => Ok(state.store.change_operator(Operator { roles, sites, ..operator }, &by, now).await?),
        None => {
            let operator = Operator {
                id: OperatorId::new(now),
                name: vouched.name(),
                email: vouched.email(),
                roles,
                sites,
                disabled: false,
                provider: Some(key),
                created: now,
                version: 1,
            };
            state.store.add_operator(&operator, &by, now).await?;
            Ok(operator)
        }
    }
}
