//! Webhooks: who is told, and the queue of what they have not been told yet.
//!
//! A delivery is a row that is written in the transaction of what it tells of. Of the audit log, which is a queue by
//! itself and is written by other processes, too, each webhook has a place in it; rows are made of it as there is room.
//! What a transaction asks of the webhooks is in memory ([`hooks`]).

mod hooks;
mod queue;

pub use hooks::{Hook, Hooks};
pub use queue::{Delivery, DeliveryRow, Fate, Tried};

pub(super) use queue::Enqueued;

use super::db::{Row, Sql, Tx};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event, states_of};
use crate::ids::WebhookId;
use crate::time::Timestamp;
use crate::webhooks::topic::Topic;
use crate::webhooks::{MAX_WEBHOOKS, Webhook};
use serde_json::{Value, json};
use std::time::Duration;

/// What the audit log calls one.
const KIND: &str = "webhook";

/// A webhook, and how it is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookRow {
    /// Itself.
    pub webhook: Webhook,
    /// Deliveries that wait.
    pub waiting: u64,
    /// Deliveries that were given up, and are kept.
    pub dead: u64,
    /// Deliveries that were taken.
    pub delivered: u64,
    /// Messages that its queue had no room for.
    pub dropped: u64,
    /// Deliveries that were given up and are not kept any more.
    pub forgotten: u64,
    /// When it last took something.
    pub last_success: Option<Timestamp>,
    /// When it last did not.
    pub last_failure: Option<Timestamp>,
    /// Why.
    pub last_error: Option<String>,
}

/// The sealed secrets of a webhook.
#[derive(Clone, Debug)]
pub struct SealedSecrets {
    /// The present one.
    pub present: Vec<u8>,
    /// The one before, and until when it signs, too.
    pub old: Option<(Vec<u8>, Timestamp)>,
}

impl Store {
    /// The webhooks as they are in memory.
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// All webhooks, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn webhooks(&self) -> Result<Vec<WebhookRow>, StoreError> {
        let counts = "SELECT webhook_id, dead, count(*) AS n FROM webhook_delivery GROUP BY webhook_id, dead";
        let mut counted = Vec::new();
        for row in self.db.fetch(Sql::new(counts)).await? {
            let id = WebhookId::from_bytes(row.id("webhook_delivery", "webhook_id")?);
            counted.push((id, row.int("dead")? != 0, row.counter("n")?));
        }
        let rows = self.db.fetch(Sql::new("SELECT * FROM webhook ORDER BY id")).await?;
        let mut all = rows.iter().map(webhook_of_row).collect::<Result<Vec<_>, _>>()?;
        for of in &mut all {
            let count = |dead| counted.iter().find(|(id, was, _)| *id == of.webhook.id && *was == dead);
            (of.waiting, of.dead) = (count(false).map_or(0, |(.., n)| *n), count(true).map_or(0, |(.., n)| *n));
        }
        Ok(all)
    }

    /// One webhook.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn webhook(&self, id: WebhookId) -> Result<Option<WebhookRow>, StoreError> {
        Ok(self.webhooks().await?.into_iter().find(|row| row.webhook.id == id))
    }

    /// Stores a new webhook. Whether there was room.
    ///
    /// # Errors
    /// When the database does not; then it is not stored.
    pub async fn add_webhook(&self, webhook: &Webhook, secret: &[u8], by: &By) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.number(Sql::new("SELECT count(*) AS n FROM webhook")).await? >= MAX_WEBHOOKS as i64 {
            return Ok(false);
        }
        let event = Event::new(by, "webhook.create", KIND, &webhook.id.to_string(), webhook.created);
        audit::append(&mut tx, vec![event.states(Value::Null, described(webhook))]).await?;
        let sql = "INSERT INTO webhook (id, name, url, topics, enabled, give_up_secs, secret, created_by, created_us, \
                   audit_next, delivered, dropped, forgotten) \
                   SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, size, 0, 0, 0 FROM audit_head";
        let sql = Sql::new(sql).bind(webhook.id.as_bytes()).bind(&webhook.name).bind(&webhook.url);
        let sql = sql.bind(topics(webhook)).bind(webhook.enabled).bind(webhook.give_up.as_secs());
        tx.execute(sql.bind(secret).bind(&webhook.created_by).bind(webhook.created)).await?;
        tx.commit().await?;
        self.load_webhooks().await?;
        Ok(true)
    }

    /// Puts `new` in the place of `old`, which has the same id. What was done in the audit log while it was not told of it
    /// is not told later.
    ///
    /// # Errors
    /// When the database does not; then it stays as it was.
    pub async fn change_webhook(
        &self,
        old: &Webhook,
        new: &Webhook,
        why: Option<&str>,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if old == new {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let (was, is) = (described(old), described(new));
        let fields = is.as_object().into_iter().flatten();
        let changed = fields.filter(|(key, is)| was[key.as_str()] != **is);
        let told = changed.map(|(key, is)| (key.clone(), json!({ "old": was[key.as_str()], "new": is })));
        let (before, after) = states_of(&told.collect());
        let event = Event::new(by, "webhook.update", KIND, &new.id.to_string(), now).states(before, after);
        audit::append(&mut tx, vec![event.because(why.unwrap_or_default())]).await?;
        let sql = "UPDATE webhook SET name = ?, url = ?, topics = ?, enabled = ?, give_up_secs = ?";
        let mut sql = Sql::new(sql).bind(&new.name).bind(&new.url).bind(topics(new)).bind(new.enabled);
        sql = sql.bind(new.give_up.as_secs());
        if new.wants_audit() && !old.wants_audit() {
            sql = sql.then(", audit_next = (SELECT size FROM audit_head)");
        }
        tx.execute(sql.then(" WHERE id = ?").bind(new.id.as_bytes())).await?;
        tx.commit().await?;
        self.load_webhooks().await
    }

    /// Gives a webhook another secret. The one that it has signs, too, until `old_until`.
    ///
    /// # Errors
    /// When the database does not; then it stays as it was.
    pub async fn change_webhook_secret(
        &self,
        id: WebhookId,
        secret: &[u8],
        old_until: Timestamp,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let event = Event::new(by, "webhook.rotate_secret", KIND, &id.to_string(), now);
        audit::append(&mut tx, vec![event]).await?;
        let sql = "UPDATE webhook SET old_secret = secret, old_until_us = ?, secret = ? WHERE id = ?";
        tx.execute(Sql::new(sql).bind(old_until).bind(secret).bind(id.as_bytes())).await?;
        tx.commit().await?;
        self.load_webhooks().await
    }

    /// Takes a webhook away, with all that it was not told yet.
    ///
    /// # Errors
    /// When the database does not; then it stays as it was.
    pub async fn delete_webhook(&self, webhook: &Webhook, by: &By, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let event = Event::new(by, "webhook.delete", KIND, &webhook.id.to_string(), now);
        audit::append(&mut tx, vec![event.states(described(webhook), Value::Null)]).await?;
        for sql in ["DELETE FROM webhook WHERE id = ?", "DELETE FROM webhook_delivery WHERE webhook_id = ?"] {
            tx.execute(Sql::new(sql).bind(webhook.id.as_bytes())).await?;
        }
        tx.commit().await?;
        self.load_webhooks().await
    }

    /// The sealed secrets of a webhook, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn webhook_secrets(&self, id: WebhookId) -> Result<Option<SealedSecrets>, StoreError> {
        let sql = Sql::new("SELECT secret, old_secret, old_until_us FROM webhook WHERE id = ?").bind(id.as_bytes());
        let Some(row) = self.db.fetch_one(sql).await? else { return Ok(None) };
        let until = row.maybe_int("old_until_us")?.map(Timestamp::from_micros);
        let old = row.maybe_blob("old_secret")?.map(<[u8]>::to_vec).zip(until);
        Ok(Some(SealedSecrets { present: row.blob("secret")?.to_vec(), old }))
    }

    /// Takes what the database says of webhooks into memory, and lets go of deliveries to those that are gone.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn load_webhooks(&self) -> Result<(), StoreError> {
        let _turn = self.hooks.turn().await;
        let all = self.webhooks().await?;
        self.hooks.replace(all.into_iter().map(|row| (row.webhook, row.waiting)).collect());
        Ok(())
    }

    /// Lets go of deliveries to webhooks that are gone: what was written while one was taken away.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn sweep_deliveries(&self) -> Result<(), StoreError> {
        let sql = "DELETE FROM webhook_delivery WHERE webhook_id NOT IN (SELECT id FROM webhook)";
        self.db.execute(Sql::new(sql)).await.map(drop)
    }
}

/// As the audit log tells it.
fn described(webhook: &Webhook) -> Value {
    let topics: Vec<&str> = webhook.topics.iter().map(Topic::as_str).collect();
    json!({
        "name": webhook.name, "url": webhook.url, "events": topics, "enabled": webhook.enabled,
        "give_up_secs": webhook.give_up.as_secs(),
    })
}

fn topics(webhook: &Webhook) -> String {
    webhook.topics.iter().map(Topic::as_str).collect::<Value>().to_string()
}

fn webhook_of_row(row: &Row) -> Result<WebhookRow, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "webhook", what };
    let topics: Vec<String> = serde_json::from_str(row.text("topics")?).map_err(|e| unreadable(e.to_string()))?;
    let maybe = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(Timestamp::from_micros));
    let webhook = Webhook {
        id: WebhookId::from_bytes(row.id("webhook", "id")?),
        name: row.text("name")?.to_owned(),
        url: row.text("url")?.to_owned(),
        // What a later version knows, and this one does not, is not told.
        topics: topics.iter().filter_map(|topic| topic.parse().ok()).collect(),
        enabled: row.int("enabled")? != 0,
        give_up: Duration::from_secs(row.counter("give_up_secs")?),
        created_by: row.text("created_by")?.to_owned(),
        created: row.time("created_us")?,
    };
    Ok(WebhookRow {
        webhook,
        waiting: 0,
        dead: 0,
        delivered: row.counter("delivered")?,
        dropped: row.counter("dropped")?,
        forgotten: row.counter("forgotten")?,
        last_success: maybe("last_success_us")?,
        last_failure: maybe("last_failure_us")?,
        last_error: row.maybe_text("last_error")?.map(str::to_owned),
    })
}

/// The number of the event that a webhook is told next, and how many events there are.
async fn audit_place(tx: &mut Tx, id: WebhookId) -> Result<Option<(u64, u64)>, StoreError> {
    let sql = Sql::new("SELECT audit_next, size FROM webhook, audit_head WHERE id = ?").bind(id.as_bytes());
    let row = tx.fetch_one(sql).await?;
    row.map(|row| Ok((row.counter("audit_next")?, row.counter("size")?))).transpose()
}
