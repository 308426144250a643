//! Delivers to webhooks: one task for each, so that a slow or dead receiver is in nobody's way but its own.
//!
//! At least once: what is sent is noted after it was answered. The receiver knows by `webhook-id` what it has already.

use crate::audit::event::By;
use crate::config::live::Inventory;
use crate::ids::WebhookId;
use crate::random::random;
use crate::secret::Secret;
use crate::store::webhooks::{Delivery, Fate, Hook, Tried};
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::transport::clock::Clock;
use crate::transport::https::{self, FetchError};
use crate::webhooks::Webhook;
use crate::webhooks::message::Message;
use crate::webhooks::schedule::{again_after, rest_after};
use crate::webhooks::signature::signatures;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// Deliveries on their way to one receiver: enough for a thousand a second to one that answers in 10 ms.
const AT_ONCE: u32 = 16;
/// How long a receiver may take to answer: it should note what it got and work afterwards.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked for events of the audit log, which other processes write, too.
const LOOK: Duration = Duration::from_secs(1);
/// The longest sleep of a webhook that nothing is due for.
const SLEEP: Duration = Duration::from_secs(60);
/// How long a database is left alone that cannot be used.
const LATER: Duration = Duration::from_secs(2);
/// How often the numbers are told.
const COUNT: Duration = Duration::from_secs(2);
/// The receiver says that it wants no more (Standard Webhooks: "disable the endpoint").
const GONE: u16 = 410;
/// What is told of an error, in characters.
const TOLD: usize = 300;

/// Why nothing was delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// There is no such webhook any more.
    #[error("there is no such webhook any more")]
    NoWebhook,
    /// Its secret cannot be opened.
    #[error("its secret cannot be used: {0}; give it another one")]
    Secret(String),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was not reached.
    #[error("{}", .0.to_string().chars().take(TOLD).collect::<String>())]
    Unreached(#[from] FetchError),
    /// It answered, but did not take it.
    #[error("it answered {0}")]
    Refused(u16),
}

/// Delivers to all webhooks.
#[derive(Debug)]
pub struct Courier {
    store: Store,
    inventory: Inventory,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    client: reqwest::Client,
}

impl Courier {
    /// One that delivers what `store` says.
    ///
    /// # Errors
    /// When there can be no client for HTTPS.
    pub fn new(
        store: Store,
        inventory: Inventory,
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Courier, FetchError> {
        Ok(Courier { store, inventory, clock, metrics, client: https::client(&[])? })
    }

    /// Runs until the server ends.
    pub async fn run(self: Arc<Self>) {
        let mut changed = self.store.hooks().watch();
        let mut lanes: HashMap<WebhookId, JoinHandle<()>> = HashMap::new();
        loop {
            let hooks = self.store.hooks().all();
            let before = lanes.len();
            lanes.retain(|id, lane| {
                let stays = hooks.iter().any(|hook| hook.webhook.id == *id) && !lane.is_finished();
                if !stays {
                    lane.abort();
                }
                stays
            });
            if lanes.len() != before
                && let Err(error) = self.store.sweep_deliveries().await
            {
                tracing::debug!(%error, "deliveries to webhooks that are gone are still there");
            }
            for hook in hooks.iter() {
                let id = hook.webhook.id;
                lanes.entry(id).or_insert_with(|| tokio::spawn(self.clone().lane(id)));
            }
            let waiting = hooks.iter().map(|hook| hook.waiting()).sum();
            self.metrics.webhooks.set(waiting, self.store.hooks().take_dropped());
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep(COUNT) => {}
            }
        }
    }

    /// Delivers to one webhook, until it is gone.
    async fn lane(self: Arc<Self>, id: WebhookId) {
        let mut changed = self.store.hooks().watch();
        let mut failures = 0;
        while let Some(hook) = self.store.hooks().get(id) {
            let (pause, added) = match self.round(&hook, &mut failures).await {
                Ok(pause) => (pause, failures == 0),
                Err(error) => {
                    tracing::debug!(webhook = hook.webhook.name, %error, "nothing can be delivered at the moment");
                    (LATER, false)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = hook.added(), if added => {}
                changed = changed.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Delivers what is due, at most [`AT_ONCE`]. Gives how long there is nothing to do.
    async fn round(self: &Arc<Self>, hook: &Arc<Hook>, failures: &mut u32) -> Result<Duration, Undelivered> {
        let webhook = &hook.webhook;
        if !webhook.enabled {
            return Ok(SLEEP);
        }
        let more = webhook.wants_audit() && self.store.take_audit(hook).await?;
        // One that fails is asked for one thing at a time.
        let most = if *failures > 0 { 1 } else { AT_ONCE };
        let due = self.store.due_deliveries(webhook.id, self.clock.now(), most).await?;
        if due.is_empty() {
            let now = self.clock.now();
            let next = self.store.next_delivery(webhook.id).await?.map_or(SLEEP, |at| at.since(now));
            let look = if webhook.wants_audit() { LOOK } else { SLEEP };
            return Ok(if more { Duration::ZERO } else { next.min(look) });
        }
        let secrets: Arc<[Secret]> = self.secrets(webhook.id).await?.into();
        let mut sent = JoinSet::new();
        for delivery in due {
            let (courier, webhook, secrets) = (self.clone(), webhook.clone(), secrets.clone());
            sent.spawn(async move {
                let id = delivery.id.to_string();
                let result = courier.send(&webhook.url, &id, &delivery.body, &secrets).await;
                (delivery, result)
            });
        }
        let (mut tried, mut taken, mut gone) = (Vec::new(), false, false);
        while let Some(ended) = sent.join_next().await {
            // One that panicked is sent again.
            let Ok((delivery, result)) = ended else { continue };
            gone |= matches!(result, Err(Undelivered::Refused(GONE)));
            let fate = self.fate(webhook, &delivery, result);
            taken |= fate == Fate::Taken;
            tried.push(Tried { delivery, fate });
        }
        self.store.note_attempts(hook, &tried, self.clock.now()).await?;
        if gone {
            self.disable(webhook).await?;
        }
        self.told(webhook, &tried, failures, taken);
        Ok(if *failures > 0 { rest_after(*failures) } else { Duration::ZERO })
    }

    /// What becomes of a delivery, given what came of the attempt.
    fn fate(&self, webhook: &Webhook, delivery: &Delivery, result: Result<(), Undelivered>) -> Fate {
        let error = match result {
            Ok(()) => {
                self.metrics.webhooks.tried("taken");
                return Fate::Taken;
            }
            Err(error) => error,
        };
        let now = self.clock.now();
        let dice = random().map_or(0, u32::from_be_bytes);
        let due = now + again_after(delivery.attempts.saturating_add(1), dice);
        let last = delivery.first.unwrap_or(now) + webhook.give_up;
        let over = due > last || matches!(error, Undelivered::Refused(GONE));
        self.metrics.webhooks.tried(if over { "dead" } else { "again" });
        let error = error.to_string();
        if over { Fate::Dead { error } } else { Fate::Again { due, error } }
    }

    /// The log says when a receiver begins to fail, when it takes again, and what was given up.
    fn told(&self, webhook: &Webhook, tried: &[Tried], failures: &mut u32, taken: bool) {
        let name = webhook.name.as_str();
        for Tried { delivery, fate } in tried {
            match fate {
                Fate::Taken => {}
                Fate::Again { due, error } => {
                    let attempts = delivery.attempts + 1;
                    tracing::debug!(webhook = name, delivery = %delivery.id, attempts, %due, error, "not delivered yet");
                }
                Fate::Dead { error } => {
                    tracing::warn!(webhook = name, delivery = %delivery.id, error, "a delivery was given up");
                }
            }
        }
        if taken {
            if std::mem::take(failures) > 0 {
                tracing::info!(webhook = name, "its receiver takes messages again");
            }
        } else if !tried.is_empty() {
            *failures = failures.saturating_add(1);
            let error = tried.iter().find_map(|tried| match &tried.fate {
                Fate::Again { error, .. } | Fate::Dead { error } => Some(error.as_str()),
                Fate::Taken => None,
            });
            if *failures == 1 {
                tracing::warn!(webhook = name, error, "its receiver takes nothing; messages wait");
            }
        }
    }

    /// The receiver wants no more.
    async fn disable(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let off = Webhook { enabled: false, ..webhook.clone() };
        tracing::warn!(webhook = webhook.name, "its receiver answered 410 Gone: it is told nothing any more");
        let why = Some("its receiver answered 410 Gone");
        self.store.change_webhook(webhook, &off, why, &By::server(), self.clock.now()).await
    }

    /// What a webhook's messages are signed with now.
    async fn secrets(&self, id: WebhookId) -> Result<Vec<Secret>, Undelivered> {
        let sealed = self.store.webhook_secrets(id).await?.ok_or(Undelivered::NoWebhook)?;
        let unusable = |e: String| Undelivered::Secret(e);
        let seal = self.inventory.seal().map_err(|e| unusable(e.to_string()))?;
        let now = self.clock.now();
        let old = sealed.old.filter(|(_, until)| *until > now).map(|(old, _)| old);
        let open = |sealed: Vec<u8>| seal.open(&secret_of(id), &sealed).map_err(|e| unusable(e.to_string()));
        std::iter::once(sealed.present).chain(old).map(open).collect()
    }

    /// Sends one message, signed.
    async fn send(&self, url: &str, id: &str, body: &str, secrets: &[Secret]) -> Result<(), Undelivered> {
        let began = Instant::now();
        let unix_secs = self.clock.now().unix_secs();
        let request = self
            .client
            .post(url)
            .timeout(PATIENCE)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", unix_secs.to_string())
            .header("webhook-signature", signatures(secrets, id, unix_secs, body))
            .body(body.to_owned());
        let answered = https::status_of(request).await;
        self.metrics.webhooks.took(began.elapsed());
        match answered? {
            200..300 => Ok(()),
            status => Err(Undelivered::Refused(status)),
        }
    }

    /// Sends a message that tells of nothing, at once and once. Its id is given back.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn test(&self, webhook: &Webhook, by: &str) -> Result<(), Undelivered> {
        let message = Message::of_test(self.clock.now(), by);
        let id = crate::ids::DeliveryId::new(message.at).to_string();
        self.send(&webhook.url, &id, &message.body(), &self.secrets(webhook.id).await?).await
    }
}

/// What a webhook's secret is sealed for.
pub fn secret_of(id: WebhookId) -> String {
    format!("webhook {id}")
}
