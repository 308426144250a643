//! The audit log: events appended within the transaction that they tell of, read,
//! verified, and its checkpoints.
//!
//! Who appends takes the row of `audit_head` first, and holds it until the end of its
//! transaction: numbers have no gaps and each event names the one before, whichever
//! process writes. It is the last lock that a transaction takes.

use super::db::{Arg, Kind, Row, Sql, Tx};
use super::read::{MAX_PAGE, Page, page};
use super::{Store, StoreError};
use crate::audit::event::{Entry, Event};
use crate::audit::merkle::Hash;
use crate::audit::verify::{self, Report, Verifier};
use crate::ids::AuditEventId;
use crate::time::Timestamp;

const COLUMNS: &str = "audit_event (seq, id, at_us, actor, action, object_kind, object_name, outcome, body, hash)";
const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Int, Blob, Int, Text, Text, Text, Text, Text, Text, Blob]
};
/// Rows that are read at a time.
const READ_AT_ONCE: u32 = 1_000;
/// Hashes that are read at a time.
const HASHES_AT_ONCE: u32 = 20_000;

/// Which events. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// By whom.
    pub actor: Option<String>,
    /// What was done, such as `identity.update`.
    pub action: Option<String>,
    /// To which kind of object.
    pub kind: Option<String>,
    /// To the object of this name or id.
    pub object: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// How many events there are, and the hash of the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// How many.
    pub size: u64,
    /// The hash of the last, as it is stored.
    pub hash: Vec<u8>,
}

/// A checkpoint as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCheckpoint {
    /// How many events it is about.
    pub size: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// The signed note.
    pub note: String,
}

/// An event with the octets and the hash that it has in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The event in its place.
    pub entry: Entry,
    /// The octets that are hashed.
    pub body: String,
    /// Their hash, as it is stored.
    pub hash: Hash,
}

/// Appends events to the log, within a transaction.
pub(super) async fn append(tx: &mut Tx, events: Vec<Event>) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let count = events.len() as u64;
    let sql = Sql::new("UPDATE audit_head SET size = size + ? WHERE one = 1 RETURNING size, hash").bind(count);
    let row = tx.fetch_one(sql).await?;
    let head = head_of(row.as_ref())?;
    let mut prev: Hash = head.hash.try_into().map_err(|_| unreadable("audit_head", "its hash is not 32 octets"))?;
    let mut values: Vec<Arg> = Vec::with_capacity(events.len() * KINDS.len());
    for (seq, event) in (head.size.saturating_sub(count)..).zip(events) {
        let entry = Entry { seq, prev, event };
        let sealed = entry.seal();
        prev = sealed.hash;
        let Event { id, at, actor, action, object, outcome, .. } = &entry.event;
        values.extend([
            seq.into(),
            id.as_bytes().into(),
            (*at).into(),
            actor.into(),
            action.into(),
            (&object.kind).into(),
            (&object.name).into(),
            outcome.code().into(),
            sealed.body.into(),
            (&sealed.hash).into(),
        ]);
    }
    tx.insert(COLUMNS, KINDS, values, "").await?;
    tx.execute(Sql::new("UPDATE audit_head SET hash = ? WHERE one = 1").bind(&prev)).await.map(drop)
}

fn unreadable(table: &'static str, what: &str) -> StoreError {
    StoreError::Unreadable { table, what: what.to_owned() }
}

fn head_of(row: Option<&Row>) -> Result<Head, StoreError> {
    let row = row.ok_or_else(|| unreadable("audit_head", "its row is not there"))?;
    Ok(Head { size: row.counter("size")?, hash: row.blob("hash")?.to_vec() })
}

fn row_of(row: &Row) -> Result<verify::Row, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    Ok(verify::Row {
        seq: row.int("seq")?,
        id: row.blob("id")?.try_into().ok().map(AuditEventId::from_bytes),
        at: row.time("at_us")?,
        actor: text("actor")?,
        action: text("action")?,
        object_kind: text("object_kind")?,
        object_name: text("object_name")?,
        outcome: text("outcome")?,
        body: text("body")?,
        hash: row.blob("hash")?.to_vec(),
    })
}

fn found_of(row: &Row) -> Result<Found, StoreError> {
    let body = row.text("body")?.to_owned();
    let altered = |what: String| {
        let seq = row.int("seq").unwrap_or_default();
        unreadable("audit_event", &format!("event {seq}: {what}; `cordon audit verify` tells more"))
    };
    let entry = Entry::parse(&body).map_err(|e| altered(e.to_string()))?;
    let hash = row.blob("hash")?.try_into().map_err(|_| altered("its hash is not 32 octets".into()))?;
    Ok(Found { entry, body, hash })
}

fn checkpoint_of(row: &Row) -> Result<StoredCheckpoint, StoreError> {
    Ok(StoredCheckpoint { size: row.counter("size")?, at: row.time("at_us")?, note: row.text("note")?.to_owned() })
}

impl Store {
    /// Appends events that tell of no other change of the database.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn audit(&self, events: Vec<Event>) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        append(&mut tx, events).await?;
        tx.commit().await
    }

    /// How many events there are, and the hash of the last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_head(&self) -> Result<Head, StoreError> {
        head_of(self.db.fetch_one(Sql::new("SELECT size, hash FROM audit_head")).await?.as_ref())
    }

    /// Events, newest first, after the one numbered `after`; at most `limit` and never
    /// more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_events(
        &self,
        filter: &AuditFilter,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Page<Found, u64>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let sql = Sql::new("SELECT seq, body, hash FROM audit_event WHERE 1 = 1")
            .narrow("seq <", after)
            .narrow("actor =", filter.actor.as_deref())
            .narrow("action =", filter.action.as_deref())
            .narrow("object_kind =", filter.kind.as_deref())
            .narrow("object_name =", filter.object.as_deref())
            .narrow("at_us >=", filter.since)
            .narrow("at_us <", filter.until)
            .then(" ORDER BY seq DESC LIMIT ?")
            .bind(limit + 1);
        let rows = self.db.fetch(sql).await?;
        let all = rows.iter().map(found_of).collect::<Result<Vec<_>, _>>()?;
        Ok(page(all, limit, |found| found.entry.seq))
    }

    /// The event of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_event(&self, id: AuditEventId) -> Result<Option<Found>, StoreError> {
        let sql = Sql::new("SELECT seq, body, hash FROM audit_event WHERE id = ?").bind(id.as_bytes());
        self.db.fetch_one(sql).await?.as_ref().map(found_of).transpose()
    }

    /// The event of this number, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_event_at(&self, seq: u64) -> Result<Option<Found>, StoreError> {
        let sql = Sql::new("SELECT seq, body, hash FROM audit_event WHERE seq = ?").bind(seq);
        self.db.fetch_one(sql).await?.as_ref().map(found_of).transpose()
    }

    /// Rows from this number on, the oldest first, as they are stored; at most
    /// `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_rows(&self, from: u64, limit: u32) -> Result<Vec<verify::Row>, StoreError> {
        let sql = Sql::new("SELECT * FROM audit_event WHERE seq >= ? ORDER BY seq LIMIT ?").bind(from).bind(limit);
        self.db.fetch(sql).await?.iter().map(row_of).collect()
    }

    /// Tells the hashes of the first `size` events one after the other, as they are
    /// stored. Returns how many there were.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_hashes(&self, size: u64, mut each: impl FnMut(Hash)) -> Result<u64, StoreError> {
        let mut next = 0;
        while next < size {
            let sql = Sql::new("SELECT seq, hash FROM audit_event WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?");
            let rows = self.db.fetch(sql.bind(next).bind(size).bind(HASHES_AT_ONCE)).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let hash = row.blob("hash")?.try_into();
                each(hash.map_err(|_| unreadable("audit_event", "a hash is not 32 octets"))?);
                next += 1;
            }
        }
        Ok(next)
    }

    /// Looks at all rows as of one moment. `verifier` makes what looks at them, from
    /// the checkpoints that are stored; `seen` is told now and then how many they were.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_verify(
        &self,
        verifier: impl FnOnce(Vec<StoredCheckpoint>) -> Verifier,
        mut seen: impl FnMut(u64),
    ) -> Result<Report, StoreError> {
        let mut tx = self.db.begin_read().await?;
        let head = head_of(tx.fetch_one(Sql::new("SELECT size, hash FROM audit_head")).await?.as_ref())?;
        let checkpoints = tx.fetch(Sql::new("SELECT * FROM audit_checkpoint ORDER BY size")).await?;
        let mut verifier = verifier(checkpoints.iter().map(checkpoint_of).collect::<Result<_, _>>()?);
        let (mut from, mut count) = (i64::MIN, 0);
        loop {
            let sql = Sql::new("SELECT * FROM audit_event WHERE seq >= ? ORDER BY seq LIMIT ?");
            let rows = tx.fetch(sql.bind(from).bind(READ_AT_ONCE)).await?;
            for row in &rows {
                verifier.row(&row_of(row)?);
                from = row.int("seq")?.saturating_add(1);
            }
            count += rows.len() as u64;
            seen(count);
            if rows.len() < READ_AT_ONCE as usize {
                return Ok(verifier.finish(head.size, &head.hash));
            }
        }
    }

    /// The checkpoint of the most events, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn latest_checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError> {
        let sql = Sql::new("SELECT * FROM audit_checkpoint ORDER BY size DESC LIMIT 1");
        self.db.fetch_one(sql).await?.as_ref().map(checkpoint_of).transpose()
    }

    /// Stores a checkpoint. One of as many events stays as it is.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError> {
        let StoredCheckpoint { size, at, note } = checkpoint;
        let sql = "INSERT INTO audit_checkpoint (size, at_us, note) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        self.db.execute(Sql::new(sql).bind(*size).bind(*at).bind(note)).await.map(drop)
    }

    /// The number of the event that a receiver is to be told next.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn export_place(&self, receiver: &str) -> Result<u64, StoreError> {
        let sql = Sql::new("SELECT next_seq AS n FROM audit_export WHERE receiver = ?").bind(receiver);
        self.db.number(sql).await.map(i64::unsigned_abs)
    }

    /// Notes up to where a receiver has been told.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_export_place(&self, receiver: &str, next: u64, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO audit_export (receiver, next_seq, at_us) VALUES (?, ?, ?) \
                   ON CONFLICT (receiver) DO UPDATE SET next_seq = excluded.next_seq, at_us = excluded.at_us";
        self.db.execute(Sql::new(sql).bind(receiver).bind(next).bind(now)).await.map(drop)
    }
}
