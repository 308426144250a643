//! What happened and is to be told: a row for each stream that wants it, in the transaction of what it tells of.

use super::super::db::{Arg, Kind, Sql, Tx};
use super::super::{Store, StoreError};
use super::{Listener, listeners};
use crate::ids::{IdentityId, StreamEventId, StreamId};
use crate::shared_signals::happening::{Happening, What};
use crate::time::Timestamp;

/// Events of one stream that may wait, of about half a KiB each.
const MAX_WAITING: u64 = 10_000;
const COLUMNS: &str = "ssf_event (id, stream_id, body, created_us, due_us, attempts)";
const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Blob, Text, Int, Int, Int]
};

/// An event that waits.
#[derive(Clone, PartialEq, Debug)]
pub struct Queued {
    /// Its id, which becomes the `jti`.
    pub id: StreamEventId,
    /// What happened.
    pub happening: Happening,
    /// Attempts that failed.
    pub attempts: u32,
}

/// What came of telling an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The receiver has it.
    Taken,
    /// The receiver is not told: nothing is of this subject.
    LeftOut,
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

impl Store {
    /// Adds what happened to the queues of those who want it, within the transaction of what it tells of. Whether anybody does:
    /// then [`Store::ring`] is due, once it is committed.
    pub(in crate::store) async fn tell(&self, tx: &mut Tx, all: &[Happening]) -> Result<bool, StoreError> {
        let mut told = false;
        if all.is_empty() {
            return Ok(told);
        }
        for listener in listeners(tx).await? {
            let wanted: Vec<_> = all.iter().filter(|of| listener.wants(of.what.event())).collect();
            add(tx, &listener, &wanted).await?;
            told |= !wanted.is_empty();
        }
        Ok(told)
    }

    /// Adds an event that one stream asked for. Whether there was room, and it is told anything.
    ///
    /// # Errors
    /// When the database does not; then it is not added.
    pub async fn tell_one(&self, stream: StreamId, happening: &Happening) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(listener) = listeners(&mut tx).await?.into_iter().find(|one| one.id == stream) else {
            return Ok(false);
        };
        let room = add(&mut tx, &listener, &[happening]).await?;
        let sql = Sql::new("UPDATE ssf_stream SET verified_us = ? WHERE id = ?").bind(happening.at);
        tx.execute(sql.bind(stream.as_bytes())).await?;
        tx.commit().await?;
        self.ring(true);
        Ok(room)
    }

    /// Tells what differs from what was told last of each of these: a risk or a compliance. Of what was never told, only
    /// what is not `usual` is news.
    ///
    /// # Errors
    /// When the database does not; then none is told.
    pub async fn tell_standings(&self, all: &[Standing]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.number(Sql::new("SELECT count(*) AS n FROM ssf_stream")).await? == 0 {
            return Ok(());
        }
        let mut told = Vec::new();
        for standing in all {
            let id = standing.identity.as_bytes();
            let sql = Sql::new("SELECT value FROM ssf_told WHERE identity_id = ? AND what = ?");
            let row = tx.fetch_one(sql.bind(id).bind(standing.what)).await?;
            let before = row.as_ref().map(|row| row.text("value")).transpose()?;
            if before.unwrap_or(standing.usual) == standing.value {
                continue;
            }
            told.push((standing.happening)(before));
            let sql = "INSERT INTO ssf_told (identity_id, what, value) VALUES (?, ?, ?) \
                       ON CONFLICT (identity_id, what) DO UPDATE SET value = excluded.value";
            tx.execute(Sql::new(sql).bind(id).bind(standing.what).bind(standing.value)).await?;
        }
        let told = self.tell(&mut tx, &told).await?;
        tx.commit().await?;
        self.ring(told);
        Ok(())
    }

    /// Whose standing was told as something that is not `usual`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn told_standings(&self, what: &'static str, usual: &str) -> Result<Vec<IdentityId>, StoreError> {
        let sql = Sql::new("SELECT identity_id FROM ssf_told WHERE what = ? AND value <> ?").bind(what).bind(usual);
        let rows = self.db.fetch(sql).await?;
        rows.iter().map(|row| Ok(IdentityId::from_bytes(row.id("ssf_told", "identity_id")?))).collect()
    }

    /// What waits for a stream and is due at `now`, the oldest first; at most `most`. What comes after one that is tried again
    /// later waits with it: nothing is overtaken. A row that cannot be read is given up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn due_events(&self, id: StreamId, now: Timestamp, most: u32) -> Result<Vec<Queued>, StoreError> {
        let sql = "SELECT id, body, attempts, due_us FROM ssf_event WHERE stream_id = ? ORDER BY id LIMIT ?";
        let rows = self.db.fetch(Sql::new(sql).bind(id.as_bytes()).bind(most)).await?;
        let (mut due, mut unreadable) = (Vec::new(), Vec::new());
        for row in &rows {
            if row.time("due_us")? > now {
                break;
            }
            let id = StreamEventId::from_bytes(row.id("ssf_event", "id")?);
            match serde_json::from_str(row.text("body")?) {
                Ok(happening) => {
                    let attempts = u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX);
                    due.push(Queued { id, happening, attempts });
                }
                Err(error) => {
                    tracing::error!(%id, %error, "an event is told to nobody: its row cannot be read");
                    unreadable.push((id, Sent::Dead { error: error.to_string() }));
                }
            }
        }
        self.note_sent(id, &unreadable, now).await?;
        Ok(due)
    }

    /// Notes what came of telling events of one stream. Ids that do not wait for it count for nothing.
    ///
    /// # Errors
    /// When the database does not; then they are told again.
    pub async fn note_sent(
        &self,
        id: StreamId,
        all: &[(StreamEventId, Sent)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if all.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let (mut taken, mut dead, mut failure) = (0, 0, None);
        for (event, sent) in all {
            if let Sent::Again { due, error } = sent {
                let sql = "UPDATE ssf_event SET due_us = ?, attempts = attempts + 1 WHERE id = ? AND stream_id = ?";
                tx.execute(Sql::new(sql).bind(*due).bind(event.as_bytes()).bind(id.as_bytes())).await?;
                failure = Some(error);
                continue;
            }
            let sql = Sql::new("DELETE FROM ssf_event WHERE id = ? AND stream_id = ?").bind(event.as_bytes());
            let gone = tx.execute(sql.bind(id.as_bytes())).await?;
            match sent {
                Sent::Taken => taken += gone,
                Sent::Dead { error } => {
                    dead += gone;
                    failure = Some(error);
                }
                Sent::LeftOut | Sent::Again { .. } => {}
            }
        }
        let sql = Sql::new("UPDATE ssf_stream SET delivered = delivered + ?, dead = dead + ?").bind(taken).bind(dead);
        let sql = if taken > 0 { sql.then(", last_success_us = ?").bind(now) } else { sql };
        let sql = match failure {
            Some(error) => sql.then(", last_failure_us = ?, last_error = ?").bind(now).bind(error),
            None => sql,
        };
        tx.execute(sql.then(" WHERE id = ?").bind(id.as_bytes())).await?;
        tx.commit().await
    }
}

/// What happened, given what was told before.
type Since = Box<dyn Fn(Option<&str>) -> Happening + Send + Sync>;

/// A risk or a compliance, as it is now.
pub struct Standing {
    /// Whose.
    pub identity: IdentityId,
    /// `risk` or `compliance`.
    pub what: &'static str,
    /// What it is.
    pub value: &'static str,
    /// What it is of somebody of whom nothing was told.
    pub usual: &'static str,
    /// What tells it.
    pub happening: Since,
}

impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Standing").field("identity", &self.identity).field("value", &self.value).finish_non_exhaustive()
    }
}

/// Adds events to the queue of one stream, as far as there is room; whether there was for all.
async fn add(tx: &mut Tx, listener: &Listener, all: &[&Happening]) -> Result<bool, StoreError> {
    let room = usize::try_from(MAX_WAITING.saturating_sub(listener.waiting)).unwrap_or(usize::MAX);
    let mut values: Vec<Arg> = Vec::new();
    for happening in all.iter().take(room) {
        let body = serde_json::to_string(happening)
            .map_err(|e| StoreError::Unreadable { table: "ssf_event", what: e.to_string() })?;
        let id = StreamEventId::new(happening.at);
        values.extend([
            id.as_bytes().into(),
            listener.id.as_bytes().into(),
            body.into(),
            happening.at.into(),
            happening.at.into(),
            0_u32.into(),
        ]);
    }
    tx.insert(COLUMNS, KINDS, values, "").await?;
    let dropped = all.len().saturating_sub(room) as u64;
    if dropped > 0 {
        let sql = Sql::new("UPDATE ssf_stream SET dropped = dropped + ? WHERE id = ?").bind(dropped);
        tx.execute(sql.bind(listener.id.as_bytes())).await?;
    }
    Ok(dropped == 0)
}

/// What a certificate that was issued or revoked here tells.
pub(in crate::store) fn of_certificate(
    issued: &super::super::issued::Issued,
    revoked: bool,
    why: &str,
    at: Timestamp,
) -> Happening {
    Happening {
        at,
        what: What::Certificate {
            revoked,
            issuer: issued.issuer.clone(),
            serial: issued.serial.clone(),
            subject: issued.subject.clone(),
        },
        identity: Some(issued.identity),
        name: None,
        session: None,
        why: why.to_owned(),
        by_admin: true,
    }
}
