//! The queue: what a webhook was not told yet, and what it was not told at all.

use super::super::db::{Arg, Kind, Row, Sql, Tx};
use super::super::read::{MAX_PAGE, Page, page};
use super::super::{Store, StoreError, audit};
use super::hooks::Hook;
use super::{KIND, audit_place};
use crate::audit::event::{By, Entry, Event};
use crate::ids::{DeliveryId, WebhookId};
use crate::time::Timestamp;
use crate::webhooks::message::Message;
use serde_json::json;
use std::sync::Arc;

/// Deliveries of one webhook that may wait, of about half a KiB each: half a minute of 300 logins a second, or a day of
/// what is worth a message.
const MAX_WAITING: u64 = 10_000;
/// Deliveries that were given up and are kept, of one webhook.
const MAX_DEAD: i64 = 1_000;
/// Events of the audit log that are taken at a time.
const AUDIT_AT_ONCE: u32 = 200;

const COLUMNS: &str = "webhook_delivery (id, webhook_id, kind, body, created_us, due_us, dead, attempts)";
const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Blob, Text, Text, Int, Int, Int, Int]
};

/// Something that is to be delivered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its id, the same at each attempt.
    pub id: DeliveryId,
    /// Of which kind.
    pub kind: String,
    /// What is sent.
    pub body: String,
    /// Attempts that failed.
    pub attempts: u32,
    /// When it was tried first.
    pub first: Option<Timestamp>,
}

/// A delivery as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliveryRow {
    /// What is to be delivered.
    pub delivery: Delivery,
    /// When it happened.
    pub created: Timestamp,
    /// When it is tried next; of no meaning when it was given up.
    pub due: Timestamp,
    /// Whether it was given up.
    pub dead: bool,
    /// When it was tried last.
    pub last: Option<Timestamp>,
    /// What came of that.
    pub error: Option<String>,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It was taken.
    Taken,
    /// It is tried again.
    Again {
        /// When.
        due: Timestamp,
        /// Why it was not taken.
        error: String,
    },
    /// It was given up.
    Dead {
        /// Why it was not taken.
        error: String,
    },
}

/// An attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tried {
    /// Of what.
    pub delivery: Delivery,
    /// What came of it.
    pub fate: Fate,
}

/// What a transaction adds to queues; it counts when that is committed.
#[derive(Debug, Default)]
#[must_use]
pub(in crate::store) struct Enqueued(Vec<(Arc<Hook>, u64, u64)>);

impl Enqueued {
    /// The transaction is committed.
    pub(in crate::store) fn committed(self, store: &Store) {
        for (hook, count, dropped) in self.0 {
            hook.add(count, dropped);
            store.hooks.dropped(dropped);
        }
    }
}

impl Store {
    /// Whether anybody is to be told of anything: else no message need be made.
    pub(in crate::store) fn tells(&self) -> bool {
        self.hooks.all().iter().any(|hook| hook.webhook.enabled)
    }

    /// Adds messages to the queues of those who want them, within the transaction of what they tell of.
    pub(in crate::store) async fn enqueue(&self, tx: &mut Tx, messages: &[Message]) -> Result<Enqueued, StoreError> {
        let mut enqueued = Vec::new();
        let mut values: Vec<Arg> = Vec::new();
        for hook in self.hooks.all().iter() {
            let wanted: Vec<&Message> = messages.iter().filter(|message| hook.webhook.wants(&message.kind)).collect();
            if wanted.is_empty() {
                continue;
            }
            let room = usize::try_from(MAX_WAITING.saturating_sub(hook.waiting())).unwrap_or(usize::MAX);
            wanted.iter().take(room).for_each(|message| values.extend(row(hook.webhook.id, message)));
            let dropped = wanted.len().saturating_sub(room) as u64;
            if dropped > 0 {
                let sql = Sql::new("UPDATE webhook SET dropped = dropped + ? WHERE id = ?").bind(dropped);
                tx.execute(sql.bind(hook.webhook.id.as_bytes())).await?;
            }
            enqueued.push((hook.clone(), wanted.len() as u64 - dropped, dropped));
        }
        tx.insert(COLUMNS, KINDS, values, "").await?;
        Ok(Enqueued(enqueued))
    }

    /// Takes events of the audit log into the queue of a webhook that wants them, as far as there is room: none is dropped.
    /// Whether there may be more.
    ///
    /// # Errors
    /// When the database does not; then they are taken later.
    pub async fn take_audit(&self, hook: &Arc<Hook>) -> Result<bool, StoreError> {
        let id = hook.webhook.id;
        if hook.waiting() + u64::from(AUDIT_AT_ONCE) > MAX_WAITING {
            return Ok(false);
        }
        let mut tx = self.db.begin_read().await?;
        let Some((next, size)) = audit_place(&mut tx, id).await? else { return Ok(false) };
        drop(tx);
        if next >= size {
            return Ok(false);
        }
        let rows = self.audit_rows(next, AUDIT_AT_ONCE).await?;
        let Some(last) = rows.last() else { return Ok(false) };
        let read = |row: &crate::audit::verify::Row| match Entry::parse(&row.body) {
            Ok(entry) => Some(Message::of_audit(&entry)),
            // Others must not wait for what cannot be read; verifying names it.
            Err(error) => {
                tracing::error!(event = row.seq, %error, "an event was altered and is not told");
                None
            }
        };
        let wanted = rows.iter().filter_map(read).filter(|message| hook.webhook.wants(&message.kind));
        let values: Vec<Arg> = wanted.flat_map(|message| row(id, &message)).collect();
        let count = (values.len() / KINDS.len()) as u64;
        let mut tx = self.db.begin().await?;
        let sql = Sql::new("UPDATE webhook SET audit_next = ? WHERE id = ? AND audit_next = ?");
        let sql = sql.bind(last.seq.saturating_add(1)).bind(id.as_bytes()).bind(next);
        // It was changed meanwhile, or is gone.
        if tx.execute(sql).await? != 1 {
            return Ok(true);
        }
        tx.insert(COLUMNS, KINDS, values, "").await?;
        tx.commit().await?;
        hook.add(count, 0);
        Ok(rows.len() == AUDIT_AT_ONCE as usize)
    }

    /// What is due at `now`, the oldest first; at most `most`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn due_deliveries(&self, id: WebhookId, now: Timestamp, most: u32) -> Result<Vec<Delivery>, StoreError> {
        let sql = "SELECT * FROM webhook_delivery WHERE webhook_id = ? AND dead = 0 AND due_us <= ? \
                   ORDER BY due_us, id LIMIT ?";
        let rows = self.db.fetch(Sql::new(sql).bind(id.as_bytes()).bind(now).bind(most)).await?;
        rows.iter().map(|row| delivery_of_row(row).map(|row| row.delivery)).collect()
    }

    /// When the next delivery is due, if one waits.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next_delivery(&self, id: WebhookId) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT due_us FROM webhook_delivery WHERE webhook_id = ? AND dead = 0 ORDER BY due_us LIMIT 1";
        let row = self.db.fetch_one(Sql::new(sql).bind(id.as_bytes())).await?;
        row.map(|row| row.time("due_us")).transpose()
    }

    /// Notes what came of attempts at deliveries to one webhook.
    ///
    /// # Errors
    /// When the database does not; then they are made again.
    pub async fn note_attempts(&self, hook: &Hook, tried: &[Tried], now: Timestamp) -> Result<(), StoreError> {
        let id = hook.webhook.id;
        let (mut taken, mut died, mut failure): (Vec<Arg>, u64, _) = (Vec::new(), 0, None);
        let mut tx = self.db.begin().await?;
        for Tried { delivery, fate } in tried {
            let (dead, due, error) = match fate {
                Fate::Taken => {
                    taken.push(delivery.id.as_bytes().into());
                    continue;
                }
                Fate::Again { due, error } => (false, *due, error),
                Fate::Dead { error } => (true, now, error),
            };
            died += u64::from(dead);
            failure = Some(error);
            let sql = "UPDATE webhook_delivery SET dead = ?, due_us = ?, attempts = ?, first_us = ?, last_us = ?, \
                       error = ? WHERE id = ?";
            let sql = Sql::new(sql).bind(dead).bind(due).bind(delivery.attempts.saturating_add(1));
            let sql = sql.bind(delivery.first.unwrap_or(now)).bind(now).bind(error);
            tx.execute(sql.bind(delivery.id.as_bytes())).await?;
        }
        let count = taken.len() as u64;
        if count > 0 {
            let sql = Sql::new("DELETE FROM webhook_delivery WHERE id IN (").rows(&[Kind::Blob], taken).then(")");
            tx.execute(sql).await?;
            let sql = Sql::new("UPDATE webhook SET delivered = delivered + ?, last_success_us = ? WHERE id = ?");
            tx.execute(sql.bind(count).bind(now).bind(id.as_bytes())).await?;
        }
        if let Some(error) = failure {
            let sql = Sql::new("UPDATE webhook SET last_failure_us = ?, last_error = ? WHERE id = ?");
            tx.execute(sql.bind(now).bind(error).bind(id.as_bytes())).await?;
        }
        if died > 0 {
            forget_oldest(&mut tx, id).await?;
        }
        tx.commit().await?;
        hook.settled(count + died);
        Ok(())
    }

    /// Deliveries of a webhook that wait, or those that were given up; the newest first, after the one with the id
    /// `after`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn deliveries(
        &self,
        id: WebhookId,
        dead: bool,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Page<DeliveryRow, DeliveryId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let sql = Sql::new("SELECT * FROM webhook_delivery WHERE webhook_id = ? AND dead = ?");
        let sql = sql.bind(id.as_bytes()).bind(dead).narrow("id <", after.map(|id| id.as_bytes().to_vec()));
        let rows = self.db.fetch(sql.then(" ORDER BY id DESC LIMIT ?").bind(limit + 1)).await?;
        let all = rows.iter().map(delivery_of_row).collect::<Result<Vec<_>, _>>()?;
        Ok(page(all, limit, |row| row.delivery.id))
    }

    /// Has a delivery that was given up tried again, or all of them. Gives how many there were.
    ///
    /// # Errors
    /// When the database does not; then they stay as they were.
    pub async fn redeliver(
        &self,
        hook: &Hook,
        one: Option<DeliveryId>,
        by: &By,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let id = hook.webhook.id;
        let mut tx = self.db.begin().await?;
        let sql =
            Sql::new("UPDATE webhook_delivery SET dead = 0, due_us = ?, attempts = 0, first_us = NULL WHERE dead = 1");
        let sql = sql.bind(now).narrow("webhook_id =", Some(id.as_bytes()));
        let count = tx.execute(sql.narrow("id =", one.map(|one| one.as_bytes().to_vec()))).await?;
        if count == 0 {
            return Ok(0);
        }
        let event = Event::new(by, "webhook.redeliver", KIND, &id.to_string(), now);
        let after = json!({ "deliveries": count, "delivery": one });
        audit::append(&mut tx, vec![event.states(serde_json::Value::Null, after)]).await?;
        tx.commit().await?;
        hook.add(count, 0);
        Ok(count)
    }
}

/// A row of one message for one webhook. What happens at one moment is tried in the order in which it is told.
fn row(webhook: WebhookId, message: &Message) -> [Arg; 8] {
    let id = DeliveryId::new(message.at);
    [
        id.as_bytes().into(),
        webhook.as_bytes().into(),
        (&message.kind).into(),
        message.body().into(),
        message.at.into(),
        message.at.into(),
        false.into(),
        0_u32.into(),
    ]
}

/// Keeps [`MAX_DEAD`] of those that were given up.
async fn forget_oldest(tx: &mut Tx, id: WebhookId) -> Result<(), StoreError> {
    let sql = "SELECT count(*) AS n FROM webhook_delivery WHERE webhook_id = ? AND dead = 1";
    let more = tx.number(Sql::new(sql).bind(id.as_bytes())).await? - MAX_DEAD;
    if more <= 0 {
        return Ok(());
    }
    let sql = "DELETE FROM webhook_delivery WHERE id IN \
               (SELECT id FROM webhook_delivery WHERE webhook_id = ? AND dead = 1 ORDER BY due_us, id LIMIT ?)";
    tx.execute(Sql::new(sql).bind(id.as_bytes()).bind(more)).await?;
    let sql = Sql::new("UPDATE webhook SET forgotten = forgotten + ? WHERE id = ?");
    tx.execute(sql.bind(more).bind(id.as_bytes())).await.map(drop)
}

fn delivery_of_row(row: &Row) -> Result<DeliveryRow, StoreError> {
    let maybe = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(Timestamp::from_micros));
    let delivery = Delivery {
        id: DeliveryId::from_bytes(row.id("webhook_delivery", "id")?),
        kind: row.text("kind")?.to_owned(),
        body: row.text("body")?.to_owned(),
        attempts: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
        first: maybe("first_us")?,
    };
    Ok(DeliveryRow {
        delivery,
        created: row.time("created_us")?,
        due: row.time("due_us")?,
        dead: row.int("dead")? != 0,
        last: maybe("last_us")?,
        error: row.maybe_text("error")?.map(str::to_owned),
    })
}
