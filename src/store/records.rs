//! Decisions and accounting records: each once.

use super::applier::Item;
use super::db::{Arg, Kind, Sql, Tx};
use super::journal::Position;
use super::partition::Family;
use super::writer::Record;
use super::{Store, StoreError};
use crate::audit::decision::Decision;
use crate::session::Session;
use crate::session::accounting::AccountingRecord;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;
use uuid::Uuid;

/// For how long after the beginning of a week a record that does not say when it
/// was may be one that was stored in the week before: a NAS repeats itself for that
/// long.
const REPEATED: Duration = Duration::from_secs(24 * 3600);

/// A value as JSON.
pub(super) fn text<T: serde::Serialize>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unreadable { table, what: e.to_string() })
}

/// A record that is to be stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row<'a> {
    Decision(&'a Decision, Option<&'a str>),
    Accounting(&'a AccountingRecord),
}

impl<'a> Row<'a> {
    pub(super) fn of(item: &'a Item) -> Self {
        match &item.record {
            Record::Decision(decision) => Row::Decision(decision, item.body.as_deref()),
            Record::Accounting(record) => Row::Accounting(record),
        }
    }

    fn family(&self) -> Family {
        match self {
            Row::Decision(..) => Family::Decision,
            Row::Accounting(_) => Family::Accounting,
        }
    }

    fn at(&self) -> Timestamp {
        match self {
            Row::Decision(decision, _) => decision.at,
            Row::Accounting(record) => record.event_time,
        }
    }
}

const DECISION: &str =
    "(id, at_us, outcome, reason, nas_name, identity_name, mac, enforced, profile, ssid, vlan, body)";
const DECISION_KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Int, Text, Text, Text, Text, Text, Int, Text, Text, Text, Text]
};
const ACCOUNTING: &str = "(digest, received_us, event_us, nas_name, device, status, acct_session_id, station, \
                          input_octets, output_octets, session_time)";
const ACCOUNTING_KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Int, Int, Text, Text, Int, Text, Text, Int, Int, Int]
};

fn decision_values(d: &Decision, body: Option<&str>, out: &mut Vec<Arg>) -> Result<(), StoreError> {
    out.extend([
        d.id.as_bytes().into(),
        d.at.into(),
        d.outcome.code().into(),
        d.reason.code().into(),
        d.nas_name.as_str().into(),
        d.identity.as_ref().map(|i| i.name.as_str()).into(),
        d.mac.as_deref().into(),
        d.enforced.into(),
        d.profile.as_deref().into(),
        d.ssid().into(),
        d.vlan().into(),
        body.map_or_else(|| text("decision", d), |body| Ok(body.to_owned()))?.into(),
    ]);
    Ok(())
}

fn accounting_values(r: &AccountingRecord, out: &mut Vec<Arg>) {
    out.extend([
        (&r.digest).into(),
        r.received.into(),
        r.event_time.into(),
        r.nas_name.as_str().into(),
        r.names.device.as_str().into(),
        r.status.number().into(),
        r.names.acct_session_id.as_deref().unwrap_or_default().into(),
        r.station().into(),
        r.input_octets.into(),
        r.output_octets.into(),
        r.session_time.into(),
    ]);
}

impl Store {
    /// Makes the tables that these will lie in, and what follows from them.
    pub(super) async fn make_room_for(&self, rows: &[Row<'_>]) -> Result<(), StoreError> {
        let mut all = BTreeSet::new();
        for row in rows {
            match row {
                Row::Decision(decision, _) => {
                    all.extend([Family::Decision, Family::Session].map(|family| (family, hour_of(decision.at))));
                }
                Row::Accounting(record) => {
                    all.insert((Family::Session, hour_of(record.received)));
                    let families = [Family::Accounting, Family::UsageMinutes, Family::UsageHour, Family::UsageDay];
                    all.extend(families.map(|family| (family, hour_of(record.event_time))));
                }
            }
        }
        for (family, at) in all {
            self.partitions.ensure(&self.db, family, at).await?;
        }
        Ok(())
    }

    fn table(&self, family: Family, at: Timestamp) -> Result<String, StoreError> {
        let missing = || StoreError::Unreadable { table: "partitions", what: format!("no table for {at}") };
        self.partitions.at(family, at).map(|p| p.table()).ok_or_else(missing)
    }

    /// Stores records; those that are there already are left as they are. Gives the
    /// digests of the accounting records that were not.
    pub(super) async fn save_records(&self, tx: &mut Tx, rows: &[Row<'_>]) -> Result<HashSet<Vec<u8>>, StoreError> {
        let (mut decisions, mut accounting) = (BTreeMap::new(), BTreeMap::new());
        let mut undated: BTreeMap<Timestamp, Vec<Arg>> = BTreeMap::new();
        for row in rows {
            let table = self.table(row.family(), row.at())?;
            match row {
                Row::Decision(decision, body) => {
                    decision_values(decision, *body, decisions.entry(table).or_insert_with(Vec::new))?;
                }
                Row::Accounting(record) => {
                    let week = self.partitions.at(Family::Accounting, record.event_time);
                    let fresh = week.is_some_and(|week| record.event_time.since(week.from) < REPEATED);
                    if fresh && !record.is_dated() {
                        undated.entry(record.event_time).or_default().push((&record.digest).into());
                    }
                    accounting_values(record, accounting.entry(table).or_insert_with(Vec::new));
                }
            }
        }
        for (table, values) in decisions {
            tx.insert(&format!("{table} {DECISION}"), DECISION_KINDS, values, "ON CONFLICT DO NOTHING").await?;
        }
        let repeated = self.stored_last_week(tx, undated).await?;
        let mut fresh = HashSet::with_capacity(rows.len());
        for (table, mut values) in accounting {
            if !repeated.is_empty() {
                values = without(values, &repeated);
            }
            let tail = "ON CONFLICT DO NOTHING RETURNING digest";
            for row in tx.insert(&format!("{table} {ACCOUNTING}"), ACCOUNTING_KINDS, values, tail).await? {
                fresh.insert(row.blob("digest")?.to_vec());
            }
        }
        Ok(fresh)
    }

    /// Which of these digests were stored in the week before theirs.
    async fn stored_last_week(
        &self,
        tx: &mut Tx,
        undated: BTreeMap<Timestamp, Vec<Arg>>,
    ) -> Result<BTreeSet<Vec<u8>>, StoreError> {
        let mut found = BTreeSet::new();
        for (at, digests) in undated {
            let Some(week) = self.partitions.at(Family::Accounting, at - REPEATED) else { continue };
            for chunk in super::db::chunks(digests, tx.rows_at_once()) {
                let sql = format!("SELECT digest FROM {} WHERE digest IN (", week.table());
                for row in tx.fetch(Sql::new(sql).rows(&[Kind::Blob], chunk).then(")")).await? {
                    found.insert(row.blob("digest")?.to_vec());
                }
            }
        }
        Ok(found)
    }

    /// Whether the database would take this record.
    pub(super) async fn try_record(&self, row: &Row<'_>) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        self.save_records(&mut tx, std::slice::from_ref(row)).await.map(drop)
    }

    /// Up to where the journal of this id is stored here; `reader` gives where it is
    /// read on from.
    ///
    /// Its row is locked first: a transaction of a process that was killed may still be
    /// on its way to its end, and what it stores must not be stored again.
    pub(super) async fn begin_journal(
        &self,
        journal: Uuid,
        reader: impl Fn(Position) -> Position,
    ) -> Result<Position, StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO journal_place (journal, file, place) VALUES (?, 0, 0) ON CONFLICT (journal) \
                   DO UPDATE SET file = journal_place.file RETURNING file, place";
        let row = tx.fetch_one(Sql::new(sql).bind(journal.as_bytes())).await?;
        let stored = row.map(|row| Ok::<_, StoreError>((row.counter("file")?, row.counter("place")?))).transpose()?;
        let place = reader(stored.map(|(file, offset)| Position { file, offset }).unwrap_or_default());
        let sql = Sql::new("UPDATE journal_place SET file = ?, place = ? WHERE journal = ?");
        tx.execute(sql.bind(place.file).bind(place.offset).bind(journal.as_bytes())).await?;
        tx.commit().await?;
        Ok(place)
    }

    /// Moves the place of a journal on. Whether it was where it should be; if not,
    /// it is there already: the transaction that did it went through, though nobody
    /// heard of it.
    pub(super) async fn advance_journal(
        &self,
        tx: &mut Tx,
        journal: Uuid,
        from: Position,
        to: Position,
    ) -> Result<bool, StoreError> {
        let sql = Sql::new("UPDATE journal_place SET file = ?, place = ? WHERE journal = ? AND file = ? AND place = ?");
        let sql = sql.bind(to.file).bind(to.offset).bind(journal.as_bytes()).bind(from.file).bind(from.offset);
        if tx.execute(sql).await? == 1 {
            return Ok(true);
        }
        let sql = Sql::new("SELECT file, place FROM journal_place WHERE journal = ?").bind(journal.as_bytes());
        let place =
            tx.fetch_one(sql).await?.map(|row| Ok::<_, StoreError>((row.counter("file")?, row.counter("place")?)));
        if place.transpose()? == Some((to.file, to.offset)) {
            return Ok(false);
        }
        Err(StoreError::Moved { journal })
    }
}

/// The beginning of an hour: no table ends within one.
fn hour_of(at: Timestamp) -> Timestamp {
    const HOUR_US: i64 = 3600 * 1_000_000;
    Timestamp::from_micros(at.as_micros().div_euclid(HOUR_US) * HOUR_US)
}

/// When a session's id was made, which names its table.
pub(super) fn began(session: &Session) -> Timestamp {
    session.id.made_at()
}

/// Rows without those whose digest, which comes first, is among `these`.
fn without(values: Vec<Arg>, these: &BTreeSet<Vec<u8>>) -> Vec<Arg> {
    let rows = values.chunks(ACCOUNTING_KINDS.len());
    let kept = rows.filter(|row| !matches!(row.first(), Some(Arg::Blob(Some(digest))) if these.contains(digest)));
    kept.flatten().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_journal_goes_on_where_the_last_transaction_ends_that_is_on_its_way() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let journal = Uuid::now_v7();
        let (first, second) = (Position { file: 1, offset: 16 }, Position { file: 1, offset: 900 });
        assert_eq!(store.begin_journal(journal, |place| place.max(first)).await.unwrap(), first);
        let mut tx = store.db.begin().await.unwrap();
        assert!(store.advance_journal(&mut tx, journal, first, second).await.unwrap());
        let next = tokio::spawn({
            let store = store.clone();
            async move { store.begin_journal(journal, |place| place.max(first)).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        tx.commit().await.unwrap();
        assert_eq!(next.await.unwrap().unwrap(), second);
    }
}
