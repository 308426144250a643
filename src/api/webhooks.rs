//! Webhooks: who is told what happens, and what they did not take.

use super::ApiState;
use super::caller::Caller;
use super::extract::{Body, Query};
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::config::stored::StoredError;
use crate::ids::{DeliveryId, WebhookId};
use crate::inventory::seal::SealError;
use crate::jobs::webhooks::{Undelivered, secret_of};
use crate::operators::role::Permission;
use crate::random::random;
use crate::secret::Secret;
use crate::store::webhooks::{DeliveryRow, Hook, WebhookRow};
use crate::time::Timestamp;
use crate::webhooks::signature::{SECRET_LEN, shown};
use crate::webhooks::topic::Topic;
use crate::webhooks::{GIVE_UP, GIVE_UP_LEAST, MAX_TOPICS, MAX_WEBHOOKS, OLD_SECRET, Webhook};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The longest name, in characters.
const MAX_NAME: usize = 64;
/// The longest URL, in octets.
const MAX_URL: usize = 2_000;

/// A webhook, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookView {
    id: WebhookId,
    /// What it is for.
    name: String,
    /// Where it is told.
    url: String,
    /// What is told: `decision`, `session`, `signal`, `audit`, and what begins so, such as
    /// `decision.reject.certificate_revoked`.
    events: Vec<String>,
    /// Whether anything is.
    enabled: bool,
    /// How long one delivery is tried, in seconds.
    give_up_secs: u64,
    created_by: String,
    created_at: Timestamp,
    /// Deliveries that wait.
    waiting: u64,
    /// Deliveries that were given up: at most 1,000 are kept.
    dead: u64,
    /// Deliveries that were taken.
    delivered: u64,
    /// Messages that were dropped, since 10,000 waited already.
    dropped: u64,
    /// Deliveries that were given up and are not kept any more.
    forgotten: u64,
    /// When it last took something.
    #[schema(required)]
    last_success_at: Option<Timestamp>,
    /// When it last did not.
    #[schema(required)]
    last_failure_at: Option<Timestamp>,
    /// Why.
    #[schema(required)]
    last_error: Option<String>,
}

fn view(row: WebhookRow) -> WebhookView {
    let WebhookRow { webhook, waiting, dead, delivered, dropped, forgotten, last_success, last_failure, last_error } =
        row;
    WebhookView {
        id: webhook.id,
        name: webhook.name,
        url: webhook.url,
        events: webhook.topics.iter().map(Topic::to_string).collect(),
        enabled: webhook.enabled,
        give_up_secs: webhook.give_up.as_secs(),
        created_by: webhook.created_by,
        created_at: webhook.created,
        waiting,
        dead,
        delivered,
        dropped,
        forgotten,
        last_success_at: last_success,
        last_failure_at: last_failure,
        last_error,
    }
}

/// What a webhook is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    /// What it is for, 1 to 64 characters.
    name: String,
    /// Where it is told: https, or http on this host.
    url: String,
    /// What is told, 1 to 50 topics.
    events: Vec<String>,
    /// How long one delivery is tried, in seconds, 10 to 86,400; a day if it is not said.
    give_up_secs: Option<u64>,
}

/// What is to be different about a webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookPatch {
    name: Option<String>,
    url: Option<String>,
    events: Option<Vec<String>>,
    give_up_secs: Option<u64>,
    /// Whether it is told anything. What waits is kept meanwhile; what happens then is not told later.
    enabled: Option<bool>,
}

/// A webhook with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookMade {
    /// What it verifies signatures with: shown here, and never again.
    secret: String,
    #[serde(flatten)]
    of: WebhookView,
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookTested {
    /// Whether it took the message, whose type is `webhook.test`.
    taken: bool,
    /// Why not.
    #[schema(required)]
    error: Option<String>,
}

/// Something that a webhook was not told yet, or at all.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryView {
    /// What the receiver gets as `webhook-id`, the same at each attempt.
    id: DeliveryId,
    /// What it tells.
    r#type: String,
    /// `waiting`, or `dead`: it was given up.
    state: &'static str,
    /// When it happened.
    created_at: Timestamp,
    /// Attempts that failed.
    attempts: u32,
    /// When it was tried last.
    #[schema(required)]
    last_attempt_at: Option<Timestamp>,
    /// When it is tried next; null when it was given up.
    #[schema(required)]
    next_attempt_at: Option<Timestamp>,
    /// What came of the last attempt.
    #[schema(required)]
    error: Option<String>,
    /// What is sent.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// `dead`, which were given up, or `waiting`; `dead` if it is not said.
    state: Option<String>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// What is to be delivered again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Redeliver {
    /// One delivery that was given up; all of them without it.
    delivery: Option<String>,
}

/// What is delivered again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Redelivered {
    /// How many.
    deliveries: u64,
}

impl From<StoredError> for Problem {
    fn from(error: StoredError) -> Self {
        Problem::internal(&error)
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        Problem::internal(&error)
    }
}

fn missing(id: &str) -> Problem {
    Problem::not_found(format!("there is no webhook {id:?}; GET /api/v1/webhooks lists them"))
}

fn found(state: &ApiState, id: &str) -> Result<Arc<Hook>, Problem> {
    let known: WebhookId = id.parse().map_err(|_| missing(id))?;
    state.store.hooks().get(known).ok_or_else(|| missing(id))
}

async fn told(state: &ApiState, id: WebhookId) -> Result<WebhookView, Problem> {
    state.store.webhook(id).await?.map(view).ok_or_else(|| missing(&id.to_string()))
}

fn name_of(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::parameter("name", format!("a name has 1 to {MAX_NAME} characters")));
    }
    Ok(name.to_owned())
}

/// What is told leaves this host by TLS alone.
pub(super) fn url_of(text: &str) -> Result<String, Problem> {
    let wrong = |why: &str| Problem::parameter("url", format!("{why}, such as https://siem.example/cordon"));
    if text.len() > MAX_URL {
        return Err(wrong("a URL of at most 2,000 octets is wanted"));
    }
    let url = reqwest::Url::parse(text).map_err(|_| wrong("that is no URL; an absolute one is wanted"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        _ if host.is_empty() => Err(wrong("it names no host; an absolute URL is wanted")),
        _ if !url.username().is_empty() || url.password().is_some() => Err(wrong(
            "a URL is no place for a password, which its readers see: messages are signed; a URL without is wanted",
        )),
        "https" => Ok(url.into()),
        "http" if here => Ok(url.into()),
        "http" => Err(wrong("without TLS only receivers on this host are told anything; https is wanted")),
        _ => Err(wrong("https is wanted")),
    }
}

fn topics_of(events: &[String]) -> Result<Vec<Topic>, Problem> {
    if events.is_empty() || events.len() > MAX_TOPICS {
        return Err(Problem::parameter("events", format!("a webhook is told of 1 to {MAX_TOPICS} topics")));
    }
    let topics: Result<Vec<Topic>, _> = events.iter().map(|event| event.parse::<Topic>()).collect();
    topics.map_err(|e| Problem::parameter("events", e.to_string()))
}

/// Nobody learns by a webhook what they may not read: neither who says where it is told, nor who sees what waits.
fn readable(topics: &[Topic], caller: &Caller) -> Result<(), Problem> {
    if topics.iter().any(Topic::is_of_audit) {
        caller.may(Permission::AuditRead)?;
    }
    if !topics.iter().all(Topic::is_of_audit) {
        caller.may(Permission::NetworkRead)?;
    }
    Ok(())
}

fn give_up_of(secs: u64) -> Result<Duration, Problem> {
    let given = Duration::from_secs(secs);
    if !(GIVE_UP_LEAST..=GIVE_UP).contains(&given) {
        let (least, most) = (GIVE_UP_LEAST.as_secs(), GIVE_UP.as_secs());
        return Err(Problem::parameter("give_up_secs", format!("a delivery is tried for {least} to {most} seconds")));
    }
    Ok(given)
}

/// A new secret, and as it is stored.
fn new_secret(state: &ApiState, id: WebhookId) -> Result<(Secret, Vec<u8>), Problem> {
    let octets = random::<SECRET_LEN>().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
    let secret = Secret::new(octets);
    let sealed = state.inventory.seal()?.seal(&secret_of(id), &secret)?;
    Ok((secret, sealed))
}

/// All webhooks, the oldest first
#[utoipa::path(
    get, path = "/api/v1/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses((status = 200, description = "All of them, without their secrets", body = Vec<WebhookView>)),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<WebhookView>>, Problem> {
    Ok(Json(state.store.webhooks().await?.into_iter().map(view).collect()))
}

/// Makes a webhook: from now on it is told what happens
///
/// Messages have the form and the signature of Standard Webhooks; docs/webhooks.md says how a receiver verifies them.
#[utoipa::path(
    post, path = "/api/v1/webhooks", operation_id = "create_webhook", tag = "webhooks",
    request_body = NewWebhook,
    responses((status = 201, description = "It, and its secret, shown once", body = WebhookMade)),
    security(("bearer" = ["settings:write"]))
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(new): Body<NewWebhook>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<WebhookMade>), Problem> {
    let now = state.clock.now();
    let webhook = Webhook {
        id: WebhookId::new(now),
        name: name_of(&new.name)?,
        url: url_of(&new.url)?,
        topics: topics_of(&new.events)?,
        enabled: true,
        give_up: new.give_up_secs.map_or(Ok(GIVE_UP), give_up_of)?,
        created_by: caller.name.clone(),
        created: now,
    };
    readable(&webhook.topics, &caller)?;
    let (secret, sealed) = new_secret(&state, webhook.id)?;
    if !state.store.add_webhook(&webhook, &sealed, &caller.by()).await? {
        let detail = format!("there are {MAX_WEBHOOKS} webhooks: delete those that nobody needs");
        return Err(Problem::conflict("too_many_webhooks", detail));
    }
    made(&state, webhook.id, StatusCode::CREATED, &secret).await
}

async fn made(
    state: &ApiState,
    id: WebhookId,
    status: StatusCode,
    secret: &Secret,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<WebhookMade>), Problem> {
    let made = WebhookMade { secret: shown(secret), of: told(state, id).await? };
    // The secret is for who asked alone: no cache keeps it, and no repetition shows it.
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(made)))
}

/// One webhook
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", operation_id = "get_webhook", tag = "webhooks",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It, without its secret", body = WebhookView)),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<WebhookView>, Problem> {
    told(&state, found(&state, &id)?.webhook.id).await.map(Json)
}

/// Changes a webhook, as far as something is said of it
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", operation_id = "change_webhook", tag = "webhooks",
    params(("id" = String, Path, description = "Its id")), request_body = WebhookPatch,
    responses((status = 200, description = "It, as it is now", body = WebhookView)),
    security(("bearer" = ["settings:write"]))
)]
pub(super) async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(patch): Body<WebhookPatch>,
) -> Result<Json<WebhookView>, Problem> {
    let hook = found(&state, &id)?;
    let mut new = hook.webhook.clone();
    if let Some(name) = patch.name {
        new.name = name_of(&name)?;
    }
    if let Some(url) = patch.url {
        new.url = url_of(&url)?;
    }
    if let Some(events) = patch.events {
        new.topics = topics_of(&events)?;
    }
    if let Some(secs) = patch.give_up_secs {
        new.give_up = give_up_of(secs)?;
    }
    new.enabled = patch.enabled.unwrap_or(new.enabled);
    readable(&new.topics, &caller)?;
    state.store.change_webhook(&hook.webhook, &new, None, &caller.by(), state.clock.now()).await?;
    told(&state, new.id).await.map(Json)
}

/// Takes a webhook away, with all that it was not told yet
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", operation_id = "delete_webhook", tag = "webhooks",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "It is told nothing any more")),
    security(("bearer" = ["settings:write"]))
)]
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let hook = found(&state, &id)?;
    state.store.delete_webhook(&hook.webhook, &caller.by(), state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a webhook another secret; for a day messages are signed with both
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/secret", operation_id = "rotate_webhook_secret", tag = "webhooks",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It, and its new secret, shown once", body = WebhookMade)),
    security(("bearer" = ["settings:write"]))
)]
pub(super) async fn rotate(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<WebhookMade>), Problem> {
    let (id, now) = (found(&state, &id)?.webhook.id, state.clock.now());
    let (secret, sealed) = new_secret(&state, id)?;
    state.store.change_webhook_secret(id, &sealed, now + OLD_SECRET, &caller.by(), now).await?;
    made(&state, id, StatusCode::OK, &secret).await
}

/// Sends a webhook a message that tells of nothing, at once and once
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "What came of it", body = WebhookTested)),
    security(("bearer" = ["settings:write"]))
)]
pub(super) async fn test(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<WebhookTested>, Problem> {
    let hook = found(&state, &id)?;
    let error = match state.courier.test(&hook.webhook, &caller.name).await {
        Ok(()) => None,
        Err(Undelivered::Store(error)) => return Err(error.into()),
        Err(error) => Some(error.to_string()),
    };
    Ok(Json(WebhookTested { taken: error.is_none(), error }))
}

fn delivery_of(row: DeliveryRow) -> Result<DeliveryView, Problem> {
    let DeliveryRow { delivery, created, due, dead, last, error } = row;
    Ok(DeliveryView {
        id: delivery.id,
        r#type: delivery.kind,
        state: if dead { "dead" } else { "waiting" },
        created_at: created,
        attempts: delivery.attempts,
        last_attempt_at: last,
        next_attempt_at: Some(due).filter(|_| !dead),
        error,
        body: RawValue::from_string(delivery.body).map_err(|e| Problem::internal(&e))?,
    })
}

/// What a webhook did not take: what was given up, or what waits; newest first
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", operation_id = "list_webhook_deliveries", tag = "webhooks",
    params(("id" = String, Path, description = "Its id"), Parameters),
    responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>)),
    security(("bearer" = ["settings:write"]))
)]
pub(super) async fn deliveries(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let hook = found(&state, &id)?;
    // Of what it was told before, too, whatever it is told now.
    caller.may(Permission::NetworkRead)?;
    caller.may(Permission::AuditRead)?;
    let dead = match p.state.as_deref() {
        None | Some("dead") => true,
        Some("waiting") => false,
        Some(_) => return Err(Problem::parameter("state", "it is dead or waiting")),
    };
    let after = p.cursor.map(|cursor| cursor.parse::<DeliveryId>()).transpose();
    let after = after.map_err(|_| Problem::parameter("cursor", CURSOR))?;
    let page = state.store.deliveries(hook.webhook.id, dead, after, limit(p.limit)?).await?;
    let items = page.items.into_iter().map(delivery_of).collect::<Result<_, _>>()?;
    Ok(Json(Page::new(items, page.next)))
}

/// Has what was given up tried again: one delivery, or all
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/redeliver", operation_id = "redeliver", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")), request_body = Redeliver,
    responses((status = 200, description = "How many there are", body = Redelivered)),
    security(("bearer" = ["settings:write"]))
)]
pub(super) async fn redeliver(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Redeliver>,
) -> Result<Json<Redelivered>, Problem> {
    let hook = found(&state, &id)?;
    let unknown =
        || Problem::unknown_name("delivery", "no delivery with this id was given up; GET .../deliveries lists them");
    let one = asked.delivery.map(|one| one.parse::<DeliveryId>()).transpose().map_err(|_| unknown())?;
    let deliveries = state.store.redeliver(&hook, one, &caller.by(), state.clock.now()).await?;
    if deliveries == 0 && one.is_some() {
        return Err(unknown());
    }
    Ok(Json(Redelivered { deliveries }))
}
