//! Signals of all sources, newest first; and what somebody says about one.

use super::db::{Arg, Kind, Row, Sql, Tx};
use super::read::{MAX_PAGE, Page, page};
use super::records::text;
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::{EndpointId, IdentityId, SessionId, SignalId};
use crate::inventory::mac::MacAddress;
use crate::signals::kind::SignalKind;
use crate::signals::signal::{About, Settled, Severity, Signal, Subject};
use crate::time::Timestamp;
use crate::webhooks::message::Message;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

pub(super) const COLUMNS: &str = "signal (id, endpoint_id, nas_name, nas_address, identity_id, mac, ip, session_id, \
                                  at_us, kind, severity, source, source_id, topic, detail, half_life_secs, evidence, \
                                  received_us)";
pub(super) const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Blob, Text, Text, Blob, Text, Text, Blob, Int, Text, Text, Text, Text, Text, Text, Int, Text, Int]
};
/// Signals at most, so that nobody fills the disk with them: some 1 GiB.
const MAX_SIGNALS: i64 = 1_000_000;
/// Rows that are read at once.
const READ_AT_ONCE: i64 = 10_000;
const ACKNOWLEDGED: &str = "acknowledged";
const DISMISSED: &str = "dismissed";

/// Which signals. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct SignalFilter {
    /// What they tell.
    pub kind: Option<SignalKind>,
    /// About this endpoint.
    pub endpoint: Option<EndpointId>,
    /// About the NAS of this name.
    pub nas: Option<String>,
    /// About this identity.
    pub identity: Option<IdentityId>,
    /// About this MAC address, in the normal spelling.
    pub mac: Option<String>,
    /// Of this source.
    pub source: Option<String>,
    /// Of this time or later.
    pub since: Option<Timestamp>,
}

/// What came of settling a signal.
#[derive(Clone, PartialEq, Debug)]
pub enum Settling {
    /// There is no such signal.
    Missing,
    /// It was dismissed before.
    Already(Box<Signal>),
    /// It is done: the signal as it is now, and all that went with it.
    Done(Box<Signal>, Vec<SignalId>),
}

/// A signal as a row.
pub(super) fn values(signal: &Signal) -> Result<[Arg; 18], StoreError> {
    let About { identity, mac, ip, session, endpoint, nas } = &signal.about;
    let (nas, address) = nas.clone().map(|(name, address)| (name, address.to_string())).unzip();
    Ok([
        signal.id.as_bytes().into(),
        Arg::Blob(endpoint.map(|id| id.as_bytes().to_vec())),
        nas.into(),
        address.into(),
        Arg::Blob(identity.map(|id| id.as_bytes().to_vec())),
        mac.map(|mac| mac.to_string()).into(),
        ip.map(|ip| ip.to_string()).into(),
        Arg::Blob(session.map(|id| id.as_bytes().to_vec())),
        signal.at.into(),
        signal.kind.code().into(),
        signal.severity.code().into(),
        signal.source.as_str().into(),
        signal.source_id.clone().into(),
        signal.topic.as_str().into(),
        signal.detail.as_str().into(),
        signal.half_life.map(|half| half.as_secs()).into(),
        text("signal", &signal.evidence)?.into(),
        signal.received.into(),
    ])
}

impl Store {
    /// Stores these, except those whose source has told the same id before. Returns, for each in their order, the signal
    /// that was stored before in its place.
    ///
    /// # Errors
    /// When the database does not; then none is stored.
    pub async fn save_signals(&self, all: &[Signal]) -> Result<Vec<Option<SignalId>>, StoreError> {
        let mut tx = self.db.begin().await?;
        let mut earlier = known(&mut tx, all).await?;
        let mut before = Vec::with_capacity(all.len());
        let mut rows: Vec<Arg> = Vec::with_capacity(all.len() * KINDS.len());
        let mut told = Vec::with_capacity(all.len());
        for signal in all {
            let key = signal.source_id.clone().map(|id| (signal.source.clone(), id));
            let found = key.as_ref().and_then(|key| earlier.get(key)).copied();
            before.push(found);
            if found.is_none() {
                rows.extend(values(signal)?);
                told.push(Message::of_signal(signal));
                earlier.extend(key.map(|key| (key, signal.id)));
            }
        }
        tx.insert(COLUMNS, KINDS, rows, "").await?;
        let enqueued = self.enqueue(&mut tx, &told).await?;
        tx.commit().await?;
        enqueued.committed(self);
        Ok(before)
    }

    /// Signals, newest first, after the one named `after`; at most `limit` and
    /// never more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn signals(
        &self,
        filter: SignalFilter,
        after: Option<SignalId>,
        limit: u32,
    ) -> Result<Page<Signal, SignalId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let sql = Sql::new("SELECT * FROM signal WHERE true")
            .narrow("id <", after.map(|id| id.as_bytes().to_vec()))
            .narrow("kind =", filter.kind.map(SignalKind::code))
            .narrow("endpoint_id =", filter.endpoint.map(|id| id.as_bytes().to_vec()))
            .narrow("identity_id =", filter.identity.map(|id| id.as_bytes().to_vec()))
            .narrow("nas_name =", filter.nas)
            .narrow("mac =", filter.mac)
            .narrow("source =", filter.source)
            .narrow("at_us >=", filter.since);
        let rows = self.db.fetch(sql.then(" ORDER BY id DESC LIMIT ?").bind(i64::from(limit) + 1)).await?;
        let items = rows.iter().map(signal_of_row).collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |s| s.id))
    }

    /// The signal of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn signal(&self, id: SignalId) -> Result<Option<Signal>, StoreError> {
        let sql = Sql::new("SELECT * FROM signal WHERE id = ?").bind(id.as_bytes());
        self.db.fetch_one(sql).await?.as_ref().map(signal_of_row).transpose()
    }

    /// All since a time that may add to somebody's risk, in the order of their times, handed to `take` one by one.
    ///
    /// # Errors
    /// When the database cannot be read. A row that cannot be understood is told in the log and left out.
    pub async fn counting_signals(&self, since: Timestamp, mut take: impl FnMut(Signal)) -> Result<(), StoreError> {
        let mut after = SignalId::floor(since).to_vec();
        loop {
            let sql = "SELECT * FROM signal WHERE id > ? AND (identity_id IS NOT NULL OR mac IS NOT NULL) \
                       AND (settled IS NULL OR settled <> ?) ORDER BY id LIMIT ?";
            let rows = self.db.fetch(Sql::new(sql).bind(after).bind(DISMISSED).bind(READ_AT_ONCE)).await?;
            for row in &rows {
                match signal_of_row(row) {
                    Ok(signal) => take(signal),
                    Err(error) => tracing::warn!(%error, "a signal cannot be read, and adds to nobody's risk"),
                }
            }
            match rows.last() {
                Some(last) if rows.len() as i64 == READ_AT_ONCE => after = last.blob("id")?.to_vec(),
                _ => return Ok(()),
            }
        }
    }

    /// Says of a signal that it was seen, or that it speaks against nobody; then so do those that it had taken the place
    /// of.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn settle_signal(
        &self,
        id: SignalId,
        dismiss: bool,
        by: &By,
        reason: &str,
        now: Timestamp,
    ) -> Result<Settling, StoreError> {
        let mut tx = self.db.begin().await?;
        let row = tx.fetch_one(Sql::new("SELECT * FROM signal WHERE id = ?").bind(id.as_bytes())).await?;
        let Some(mut signal) = row.as_ref().map(signal_of_row).transpose()? else { return Ok(Settling::Missing) };
        if signal.settled.as_ref().is_some_and(|settled| settled.dismissed) {
            return Ok(Settling::Already(Box::new(signal)));
        }
        let mut ids = vec![signal.id];
        if dismiss {
            let sql = Sql::new("SELECT id FROM signal WHERE kind = ? AND source = ? AND topic = ? AND at_us <= ?");
            let sql = sql.bind(signal.kind.code()).bind(&signal.source).bind(&signal.topic).bind(signal.at);
            let same = match signal.about.subject() {
                Some(Subject::Identity(id)) => Some(sql.narrow("identity_id =", Some(id.as_bytes().to_vec()))),
                Some(Subject::Mac(mac)) => {
                    Some(sql.narrow("mac =", Some(mac.to_string())).then(" AND identity_id IS NULL"))
                }
                None => None,
            };
            if let Some(same) = same {
                for row in tx.fetch(same.then(" AND settled IS NULL ORDER BY id DESC LIMIT 1000")).await? {
                    ids.push(SignalId::from_bytes(row.id("signal", "id")?));
                }
                ids.sort_unstable();
                ids.dedup();
            }
        }
        let word = if dismiss { DISMISSED } else { ACKNOWLEDGED };
        for id in &ids {
            let sql = "UPDATE signal SET settled = ?, settled_us = ?, settled_by = ?, settled_reason = ? WHERE id = ?";
            tx.execute(Sql::new(sql).bind(word).bind(now).bind(&by.actor).bind(reason).bind(id.as_bytes())).await?;
        }
        let action = if dismiss { "signal.dismiss" } else { "signal.acknowledge" };
        let event = Event::new(by, action, "signal", &id.to_string(), now);
        let state = |settled: Value| json!({ "kind": signal.kind, "source": signal.source, "settled": settled });
        let event = event.states(state(Value::Null), state(word.into())).because(reason);
        audit::append(&mut tx, vec![event]).await?;
        tx.commit().await?;
        signal.settled = Some(Settled { dismissed: dismiss, at: now, by: by.actor.clone(), reason: reason.to_owned() });
        Ok(Settling::Done(Box::new(signal), ids))
    }

    /// Deletes the oldest of what is too much. Call it when many were stored.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn bound_signals(&self) -> Result<(), StoreError> {
        let count = self.db.number(Sql::new("SELECT count(*) AS n FROM signal")).await?;
        if count > MAX_SIGNALS {
            let sql = "DELETE FROM signal WHERE id IN (SELECT id FROM signal ORDER BY id LIMIT ?)";
            self.db.execute(Sql::new(sql).bind(count - MAX_SIGNALS)).await?;
        }
        Ok(())
    }
}

/// Those of the same sources and ids that are stored.
async fn known(tx: &mut Tx, all: &[Signal]) -> Result<HashMap<(String, String), SignalId>, StoreError> {
    let mut by_source: HashMap<&str, Vec<Arg>> = HashMap::new();
    for signal in all {
        if let Some(id) = &signal.source_id {
            by_source.entry(&signal.source).or_default().push(id.into());
        }
    }
    let mut known = HashMap::new();
    for (source, ids) in by_source {
        for chunk in super::db::chunks(ids, tx.rows_at_once()) {
            let sql = Sql::new("SELECT id, source_id FROM signal WHERE source = ? AND source_id IN (").bind(source);
            for row in tx.fetch(sql.rows(&[Kind::Text], chunk).then(")")).await? {
                let key = (source.to_owned(), row.text("source_id")?.to_owned());
                known.insert(key, SignalId::from_bytes(row.id("signal", "id")?));
            }
        }
    }
    Ok(known)
}

fn octets(row: &Row, column: &str) -> Result<Option<[u8; 16]>, StoreError> {
    let unreadable = |_| StoreError::Unreadable { table: "signal", what: format!("{column} is no id") };
    row.maybe_blob(column)?.map(|octets| octets.try_into().map_err(unreadable)).transpose()
}

pub(super) fn signal_of_row(row: &Row) -> Result<Signal, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "signal", what };
    let ip = |column: &str| {
        let text = row.maybe_text(column)?;
        text.map(|text| text.parse().map_err(|_| unreadable(format!("{text:?} is no address")))).transpose()
    };
    let mac = row.maybe_text("mac")?.map(|mac| MacAddress::parse(mac).map_err(|e| unreadable(e.to_string())));
    let nas = row.maybe_text("nas_name")?.map(str::to_owned).zip(ip("nas_address")?);
    let (kind, severity) = (row.text("kind")?, row.text("severity")?);
    let settled = match row.maybe_text("settled")? {
        None => None,
        Some(word) => Some(Settled {
            dismissed: word == DISMISSED,
            at: row.time("settled_us")?,
            by: row.text("settled_by")?.to_owned(),
            reason: row.text("settled_reason")?.to_owned(),
        }),
    };
    let half_life = row.maybe_int("half_life_secs")?;
    Ok(Signal {
        id: SignalId::from_bytes(row.id("signal", "id")?),
        at: row.time("at_us")?,
        received: row.maybe_int("received_us")?.map_or(row.time("at_us")?, Timestamp::from_micros),
        about: About {
            identity: octets(row, "identity_id")?.map(IdentityId::from_bytes),
            mac: mac.transpose()?,
            ip: ip("ip")?,
            session: octets(row, "session_id")?.map(SessionId::from_bytes),
            endpoint: octets(row, "endpoint_id")?.map(EndpointId::from_bytes),
            nas,
        },
        kind: SignalKind::from_code(kind).ok_or_else(|| unreadable(format!("there is no signal {kind:?}")))?,
        severity: Severity::from_code(severity).ok_or_else(|| unreadable(format!("{severity:?} is no severity")))?,
        source: row.text("source")?.to_owned(),
        source_id: row.maybe_text("source_id")?.map(str::to_owned),
        topic: row.text("topic")?.to_owned(),
        detail: row.text("detail")?.to_owned(),
        half_life: half_life.and_then(|secs| u64::try_from(secs).ok()).map(Duration::from_secs),
        evidence: serde_json::from_str(row.text("evidence")?).map_err(|e| unreadable(e.to_string()))?,
        settled,
    })
}
