//! Shared Signals: what was taken in, the streams of those who are told, and the keys that sign.

mod queue;

pub use queue::{Queued, Sent, Standing};

pub(super) use queue::of_certificate;

use super::db::{Row, Sql, Tx};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::StreamId;
use crate::shared_signals::event::EventType;
use crate::shared_signals::stream::{About, MAX_OWN_STREAMS, MAX_STREAMS, NoOwner, Status, Stream};
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

/// What the audit log calls a stream.
const KIND: &str = "ssf_stream";
/// How long a token is remembered: longer than one may be old, by both clocks' faults.
const REMEMBERED: Duration = Duration::from_secs(26 * 3600);
/// All of a stream, and how many events wait for it.
const SELECT: &str =
    "SELECT s.*, (SELECT count(*) FROM ssf_event e WHERE e.stream_id = s.id) AS waiting FROM ssf_stream s";

/// Rung when there is something to tell, or a stream is another.
#[derive(Debug, Default)]
pub(super) struct Bell(watch::Sender<u64>);

/// A stream for which something waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Which.
    pub id: StreamId,
    /// Whether it is pushed.
    pub pushed: bool,
    /// When what comes next is due.
    pub due: Timestamp,
}

/// A stream, and how it is doing.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamRow {
    /// Itself.
    pub stream: Stream,
    /// Events that wait.
    pub waiting: u64,
    /// Events that were taken.
    pub delivered: u64,
    /// Events that its queue had no room for.
    pub dropped: u64,
    /// Events that were given up.
    pub dead: u64,
    /// When it was last tried out.
    pub verified: Option<Timestamp>,
    /// When it last took something.
    pub last_success: Option<Timestamp>,
    /// When it last did not.
    pub last_failure: Option<Timestamp>,
    /// Why.
    pub last_error: Option<String>,
}

impl Store {
    /// Whether a token was taken in before.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn ssf_known(&self, transmitter: &str, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let sql = Sql::new("SELECT at_us FROM ssf_received WHERE transmitter = ? AND digest = ?");
        Ok(self.db.fetch_one(sql.bind(transmitter).bind(digest)).await?.is_some())
    }

    /// How many tokens of a transmitter are remembered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn ssf_remembered(&self, transmitter: &str) -> Result<u64, StoreError> {
        let sql = Sql::new("SELECT count(*) AS n FROM ssf_received WHERE transmitter = ?").bind(transmitter);
        Ok(u64::try_from(self.db.number(sql).await?).unwrap_or_default())
    }

    /// Notes that a token was taken in, and what came of it.
    ///
    /// # Errors
    /// When the database does not; then it may come again.
    pub async fn ssf_received(
        &self,
        transmitter: &str,
        digest: &[u8; 32],
        event: Event,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let sql =
            Sql::new("INSERT INTO ssf_received (transmitter, digest, at_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
        tx.execute(sql.bind(transmitter).bind(digest).bind(now)).await?;
        audit::append(&mut tx, vec![event]).await?;
        tx.commit().await
    }

    /// Forgets tokens that are too old to be taken in again, and keys that nobody needs any more.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn ssf_forget(&self, published: Duration, now: Timestamp) -> Result<(), StoreError> {
        self.db.execute(Sql::new("DELETE FROM ssf_received WHERE at_us < ?").bind(now - REMEMBERED)).await?;
        // Of a stream that was disabled or taken away while something was added to it.
        let stray =
            "DELETE FROM ssf_event WHERE stream_id NOT IN (SELECT id FROM ssf_stream WHERE status <> 'disabled')";
        self.db.execute(Sql::new(stray)).await?;
        self.db.execute(Sql::new("DELETE FROM ssf_key WHERE retired_us < ?").bind(now - published)).await.map(drop)
    }

    /// All streams that can be read, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn streams(&self) -> Result<Vec<StreamRow>, StoreError> {
        let rows = self.db.fetch(Sql::new(SELECT).then(" ORDER BY s.id")).await?;
        let read = |row: &Row| match stream_of_row(row) {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::error!(%error, "a stream is left out");
                None
            }
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// One stream.
    ///
    /// # Errors
    /// When the database or its row cannot be read.
    pub async fn stream(&self, id: StreamId) -> Result<Option<StreamRow>, StoreError> {
        let sql = Sql::new(SELECT).then(" WHERE s.id = ?").bind(id.as_bytes());
        self.db.fetch_one(sql).await?.as_ref().map(stream_of_row).transpose()
    }

    /// A stream as it is now, with what its receiver wants to be shown, sealed: both of one moment, so that nothing is shown at
    /// the address that was before.
    ///
    /// # Errors
    /// When the database or its row cannot be read.
    pub async fn stream_to_push(&self, id: StreamId) -> Result<Option<(Stream, Option<Vec<u8>>)>, StoreError> {
        let sql = Sql::new("SELECT * FROM ssf_stream WHERE id = ?").bind(id.as_bytes());
        let Some(row) = self.db.fetch_one(sql).await? else { return Ok(None) };
        Ok(Some((stream_of(&row)?, row.maybe_blob("authorization_")?.map(<[u8]>::to_vec))))
    }

    /// The streams that are told something, and for which something waits.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waiting_streams(&self) -> Result<Vec<Waiting>, StoreError> {
        let sql = "SELECT s.id, s.body, (SELECT e.due_us FROM ssf_event e WHERE e.stream_id = s.id ORDER BY e.id LIMIT 1) \
                   AS due FROM ssf_stream s WHERE s.status = 'enabled' ORDER BY s.id";
        let mut all = Vec::new();
        for row in self.db.fetch(Sql::new(sql)).await? {
            let Some(due) = row.maybe_int("due")?.map(Timestamp::from_micros) else { continue };
            let id = StreamId::from_bytes(row.id("ssf_stream", "id")?);
            match serde_json::from_str(row.text("body")?) {
                Ok(Pushed { push }) => all.push(Waiting { id, pushed: push.is_some(), due }),
                Err(error) => tracing::error!(stream = %id, %error, "a stream is told nothing: its row cannot be read"),
            }
        }
        Ok(all)
    }

    /// Wakes when there is something to tell, or a stream is another; not by what another process does.
    pub fn watch_streams(&self) -> watch::Receiver<u64> {
        self.streams.0.subscribe()
    }

    /// Wakes those who tell, if there is something to tell: it must be committed by now.
    pub(super) fn ring(&self, told: bool) {
        if told {
            self.streams.0.send_modify(|count| *count += 1);
        }
    }

    /// Whether there is any stream.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_streams(&self) -> Result<bool, StoreError> {
        Ok(self.db.number(Sql::new("SELECT count(*) AS n FROM ssf_stream")).await? > 0)
    }

    /// Stores a new stream. Whether there was room, among all and among those of its owner.
    ///
    /// # Errors
    /// When the database does not; then it is not stored.
    pub async fn add_stream(&self, stream: &Stream, authorization: Option<&[u8]>, by: &By) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        // First: it lets one at a time count.
        let event = Event::new(by, "ssf.stream.create", KIND, &stream.id.to_string(), stream.created);
        audit::append(&mut tx, vec![event.states(Value::Null, described(stream))]).await?;
        if tx.number(Sql::new("SELECT count(*) AS n FROM ssf_stream")).await? >= MAX_STREAMS as i64 {
            return Ok(false);
        }
        let owner = stream.owner.to_string();
        let own = Sql::new("SELECT count(*) AS n FROM ssf_stream WHERE owner = ?").bind(&owner);
        if tx.number(own).await? >= MAX_OWN_STREAMS as i64 {
            return Ok(false);
        }
        let sql = "INSERT INTO ssf_stream (id, owner, owner_name, status, body, authorization_, created_us, delivered, \
                   dropped, dead) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)";
        let sql = Sql::new(sql).bind(stream.id.as_bytes()).bind(&owner).bind(&stream.owner_name);
        let sql = sql.bind(stream.status.code()).bind(body(stream)?).bind(authorization.map(<[u8]>::to_vec));
        tx.execute(sql.bind(stream.created)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts `new` in the place of `old`, which has the same id; `authorization` where that is another, too. What waits for one
    /// that is told nothing any more is let go. Whether `old` was what is stored: else nothing has changed, and what is stored
    /// now is to be looked at.
    ///
    /// # Errors
    /// When the database does not; then it stays as it was.
    pub async fn change_stream(
        &self,
        old: &Stream,
        new: &Stream,
        authorization: Option<Option<&[u8]>>,
        by: &By,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let event = Event::new(by, "ssf.stream.update", KIND, &new.id.to_string(), now);
        audit::append(&mut tx, vec![event.states(described(old), described(new))]).await?;
        let mut sql = Sql::new("UPDATE ssf_stream SET version = version + 1, status = ?, body = ?");
        sql = sql.bind(new.status.code()).bind(body(new)?);
        if let Some(authorization) = authorization {
            sql = sql.then(", authorization_ = ?").bind(authorization.map(<[u8]>::to_vec));
        }
        let sql = sql.then(" WHERE id = ? AND version = ?").bind(new.id.as_bytes()).bind(old.version);
        if tx.execute(sql).await? == 0 {
            return Ok(false);
        }
        if new.status == Status::Disabled {
            tx.execute(Sql::new("DELETE FROM ssf_event WHERE stream_id = ?").bind(new.id.as_bytes())).await?;
        }
        tx.commit().await?;
        self.ring(true);
        Ok(true)
    }

    /// Takes a stream away, with all that it was not told yet.
    ///
    /// # Errors
    /// When the database does not; then it stays as it was.
    pub async fn delete_stream(&self, stream: &Stream, by: &By, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let event = Event::new(by, "ssf.stream.delete", KIND, &stream.id.to_string(), now);
        audit::append(&mut tx, vec![event.states(described(stream), Value::Null)]).await?;
        for sql in ["DELETE FROM ssf_stream WHERE id = ?", "DELETE FROM ssf_event WHERE stream_id = ?"] {
            tx.execute(Sql::new(sql).bind(stream.id.as_bytes())).await?;
        }
        if tx.number(Sql::new("SELECT count(*) AS n FROM ssf_stream")).await? == 0 {
            // Nobody is told, so that nothing is known of what was told last.
            tx.execute(Sql::new("DELETE FROM ssf_told")).await?;
        }
        tx.commit().await?;
        self.ring(true);
        Ok(())
    }

    /// The keys, sealed, by their names; the one that signs first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn ssf_keys(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let sql =
            "SELECT kid, private FROM ssf_key ORDER BY CASE WHEN retired_us IS NULL THEN 0 ELSE 1 END, created_us DESC";
        let rows = self.db.fetch(Sql::new(sql)).await?;
        rows.iter().map(|row| Ok((row.text("kid")?.to_owned(), row.blob("private")?.to_vec()))).collect()
    }

    /// Has this key sign from now on; those that did are published for a while.
    ///
    /// # Errors
    /// When the database does not; then the one before signs.
    pub async fn add_ssf_key(&self, kid: &str, sealed: &[u8], by: &By, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        audit::append(&mut tx, vec![Event::new(by, "ssf.key.rotate", "ssf_key", kid, now)]).await?;
        tx.execute(Sql::new("UPDATE ssf_key SET retired_us = ? WHERE retired_us IS NULL").bind(now)).await?;
        let sql = Sql::new("INSERT INTO ssf_key (kid, private, created_us) VALUES (?, ?, ?)");
        tx.execute(sql.bind(kid).bind(sealed).bind(now)).await?;
        tx.commit().await
    }
}

/// As the audit log tells it.
fn described(stream: &Stream) -> Value {
    let about = &stream.about;
    json!({
        "owner": stream.owner_name, "status": stream.status.code(), "reason": about.reason, "push": about.push,
        "events": about.delivered(), "description": about.description, "removed_subjects": about.removed.len(),
    })
}

fn body(stream: &Stream) -> Result<String, StoreError> {
    serde_json::to_string(&stream.about)
        .map_err(|e| StoreError::Unreadable { table: "ssf_stream", what: e.to_string() })
}

fn stream_of(row: &Row) -> Result<Stream, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "ssf_stream", what };
    let status = row.text("status")?;
    Ok(Stream {
        id: StreamId::from_bytes(row.id("ssf_stream", "id")?),
        owner: row.text("owner")?.parse().map_err(|e: NoOwner| unreadable(e.to_string()))?,
        owner_name: row.text("owner_name")?.to_owned(),
        about: serde_json::from_str(row.text("body")?).map_err(|e| unreadable(e.to_string()))?,
        status: Status::from_code(status).ok_or_else(|| unreadable(format!("{status:?} is no status")))?,
        created: row.time("created_us")?,
        version: row.counter("version")?,
    })
}

fn stream_of_row(row: &Row) -> Result<StreamRow, StoreError> {
    let maybe = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(Timestamp::from_micros));
    Ok(StreamRow {
        stream: stream_of(row)?,
        waiting: row.counter("waiting")?,
        delivered: row.counter("delivered")?,
        dropped: row.counter("dropped")?,
        dead: row.counter("dead")?,
        verified: maybe("verified_us")?,
        last_success: maybe("last_success_us")?,
        last_failure: maybe("last_failure_us")?,
        last_error: row.maybe_text("last_error")?.map(str::to_owned),
    })
}

/// A stream that is told something: no more of it than is wanted where something happens.
struct Listener {
    id: StreamId,
    waiting: u64,
    about: About,
}

impl Listener {
    fn wants(&self, event: EventType) -> bool {
        self.about.wants(event)
    }
}

/// The part of what a receiver says of its stream that tells what it wants.
#[derive(Deserialize)]
struct Wanted {
    requested: Vec<String>,
}

/// The part that tells where it is told.
#[derive(Deserialize)]
struct Pushed {
    push: Option<String>,
}

/// The streams that are told something, within a transaction that may tell it. One that cannot be read holds nobody up.
async fn listeners(tx: &mut Tx) -> Result<Vec<Listener>, StoreError> {
    let sql = "SELECT s.id, s.body, (SELECT count(*) FROM ssf_event e WHERE e.stream_id = s.id) AS waiting \
               FROM ssf_stream s WHERE s.status <> 'disabled' ORDER BY s.id";
    let mut all = Vec::new();
    for row in tx.fetch(Sql::new(sql)).await? {
        let id = StreamId::from_bytes(row.id("ssf_stream", "id")?);
        match serde_json::from_str(row.text("body")?) {
            Ok(Wanted { requested }) => {
                let about = About { requested, ..About::default() };
                all.push(Listener { id, waiting: row.counter("waiting")?, about });
            }
            Err(error) => tracing::error!(stream = %id, %error, "a stream is told nothing: its row cannot be read"),
        }
    }
    Ok(all)
}
