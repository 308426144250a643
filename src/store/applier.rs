//! From the journal to the database: records in their order, many in one
//! transaction, each exactly once. While the database is away they stay in the
//! journal; nobody waits for it.

use super::codec::{Encoded, decode};
use super::db::Claim;
use super::endpoints::Endpoints;
use super::journal::{Position, Reader};
use super::records::Row as RecordRow;
use super::usage::Usage;
use super::webhooks::Enqueued;
use super::writer::{Record, Shared, Tapped};
use super::{Store, StoreError};
use crate::inventory::observation::Observation;
use crate::session::census::Census;
use crate::session::live::LiveSessions;
use crate::signals::detect::Seen;
use crate::telemetry::Metrics;
use crate::time::Timestamp;
use crate::webhooks::message::Message;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

/// Records kept in memory on their way to the database. Beyond it they are read
/// from the journal again, so that a database that is away costs no memory.
const IN_MEMORY: usize = 32_768;
/// Records of one transaction: enough that its cost is shared, few enough that it
/// takes a fraction of a second.
const BATCH: usize = 4_096;
/// How long records are gathered before a transaction, unless somebody waits to
/// read them. A session that tells twice in this time is written once.
const GATHER: Duration = Duration::from_millis(20);
/// Between two tries to reach a database that is away; doubled up to [`RETRY_MOST`].
const RETRY: Duration = Duration::from_millis(250);
/// The longest time between two tries: what was lost is missed for that long.
const RETRY_MOST: Duration = Duration::from_secs(2);
/// The longest time that one transaction may take. PostgreSQL may be where no
/// packet reaches it.
const DEADLINE: Duration = Duration::from_secs(90);
/// How often it is said that the database is still away.
const REMIND: Duration = Duration::from_secs(60);
/// How often endpoints that were not seen for long are looked for.
const PRUNE: Duration = Duration::from_secs(600);
/// How often those on the network are counted, when something has changed.
const COUNT: Duration = Duration::from_secs(2);
/// Of its time, the task spends at most one part in so many on counting: half a million sessions take a tenth of a second.
const COUNT_SHARE: u32 = 50;

/// A record that is durable.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) record: Record,
    /// A decision as the database keeps it.
    pub(super) body: Option<String>,
}

/// Records between the journal and the database.
#[derive(Debug)]
pub(super) struct Pending {
    /// Where the first of them begins in the journal.
    begin: Position,
    /// In writes, each with where it ends.
    writes: VecDeque<(Position, Vec<Item>)>,
    count: usize,
    /// Where the journal ends.
    end: Position,
}

impl Pending {
    pub(super) fn starting_at(end: Position) -> Self {
        Self { begin: end, writes: VecDeque::new(), count: 0, end }
    }

    /// Takes what was written, up to `end`.
    pub(super) fn push(&mut self, records: Vec<(Record, Encoded)>, end: Position) {
        self.count += records.len();
        self.end = end;
        if self.count > IN_MEMORY {
            *self = Self::starting_at(end);
            return;
        }
        let items = records.into_iter().map(|(record, encoded)| {
            let body = matches!(record, Record::Decision(_)).then(|| String::from_utf8(encoded.content).ok()).flatten();
            Item { record, body }
        });
        self.writes.push_back((end, items.collect()));
    }
}

/// What the task is asked besides.
#[derive(Debug)]
pub(super) enum Command {
    /// See [`super::writer::Writer::sweep_sessions`]. `done` is told when what follows
    /// is stored.
    Sweep { now: Timestamp, silence: Duration, done: oneshot::Sender<()> },
}

/// The task.
#[derive(Debug)]
pub(super) struct Applier {
    store: Store,
    /// Nobody else writes records meanwhile.
    _claim: Claim,
    journal: Uuid,
    reader: Reader,
    place: Position,
    /// Where the journal ended when the server started.
    began: Position,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    sessions: LiveSessions,
    /// Those that were met lately.
    endpoints: Endpoints,
    /// When those of long ago were last forgotten.
    pruned: Instant,
    /// When those on the network are to be counted again; `None` while nothing has changed.
    count_at: Option<Instant>,
    /// Until when they are not.
    counted_until: Instant,
}

/// What one transaction writes.
#[derive(Debug, Default)]
struct Batch {
    items: Vec<Item>,
    /// How many records were written since the start, those that are passed over included.
    fresh: u64,
    /// Where the journal has them up to.
    end: Position,
    sessions: Vec<crate::session::Session>,
    usage: Usage,
    /// What sessions have used, for detectors.
    uses: Vec<Seen>,
    /// Without usage, endpoints and webhooks: the database does not take them.
    bare: bool,
}

/// Returns then; never if it is not known when.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Applier {
    /// A task that reads on from `reader`, with the sessions that go on.
    pub(super) async fn new(
        store: Store,
        claim: Claim,
        journal: Uuid,
        reader: Reader,
        shared: Arc<Shared>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StoreError> {
        let mut sessions = LiveSessions::default();
        store.load_live(&mut sessions).await?;
        let place = reader.place();
        let began = shared.pending.lock().unwrap_or_else(PoisonError::into_inner).end;
        let endpoints = Endpoints::default();
        let pruned = Instant::now();
        let mut applier = Self {
            store,
            _claim: claim,
            journal,
            reader,
            place,
            began,
            shared,
            metrics,
            sessions,
            endpoints,
            pruned,
            count_at: None,
            counted_until: pruned,
        };
        applier.count();
        Ok(applier)
    }

    /// Counts those on the network.
    fn count(&mut self) {
        let began = Instant::now();
        let census = Arc::new(Census::of(self.sessions.iter()));
        *self.shared.census.lock().unwrap_or_else(PoisonError::into_inner) = census;
        self.count_at = None;
        self.counted_until = Instant::now() + COUNT.max(began.elapsed() * COUNT_SHARE);
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut swept = Vec::new();
        loop {
            // Also while records come without a pause.
            while let Ok(command) = commands.try_recv() {
                swept.push(self.obey(command));
            }
            if self.count_at.is_some_and(|at| at <= Instant::now()) {
                self.count();
            }
            let mut batch = Batch { end: self.place, ..Batch::default() };
            self.gather(&mut batch);
            if batch.items.is_empty() && batch.end == self.place && swept.is_empty() {
                tokio::select! {
                    () = self.shared.arrived.notified() => {
                        tokio::select! {
                            () = tokio::time::sleep(GATHER) => {}
                            () = self.shared.progress.wanted_now() => {}
                        }
                        continue;
                    }
                    () = until(self.count_at) => continue,
                    command = commands.recv() => match command {
                        Some(command) => swept.push(self.obey(command)),
                        // The server ends. What is in the journal is stored at the next start.
                        None => return,
                    },
                }
            }
            let fresh = batch.fresh;
            // What the batches before had changed is stored.
            self.sessions.make_room();
            self.store_batch(batch).await;
            self.count_at.get_or_insert(self.counted_until);
            self.shared.progress.stored(self.place, fresh);
            for done in swept.drain(..) {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
            self.metrics.set_store_behind(self.shared.progress.behind());
            if commands.is_closed() && commands.is_empty() {
                return;
            }
        }
    }

    fn obey(&mut self, command: Command) -> oneshot::Sender<()> {
        let Command::Sweep { now, silence, done } = command;
        self.sessions.sweep(now, silence);
        done
    }

    /// The next records: from memory, or from the journal where memory has let go of
    /// them.
    fn gather(&mut self, batch: &mut Batch) {
        let shared = self.shared.clone();
        loop {
            let (begin, end) = {
                let mut pending = shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
                if batch.end >= pending.begin {
                    while batch.items.len() < BATCH
                        && let Some((end, items)) = pending.writes.pop_front()
                    {
                        pending.count -= items.len();
                        pending.begin = end;
                        batch.end = end;
                        batch.fresh += items.len() as u64;
                        batch.items.extend(items);
                    }
                    return;
                }
                (pending.begin, pending.end)
            };
            if self.reader.place() != batch.end {
                self.reader = self.reader.moved_to(batch.end);
            }
            while batch.items.len() < BATCH {
                match self.reader.next(begin.min(end)) {
                    Ok(Some((next, frame))) => {
                        batch.end = next;
                        batch.fresh += u64::from(next > self.began);
                        match decode(&frame) {
                            Ok((record, body)) => batch.items.push(Item { record, body }),
                            Err(error) => tracing::error!(%error, "a record of the journal is passed over"),
                        }
                    }
                    Ok(None) => {
                        batch.end = batch.end.max(self.reader.place()).max(begin);
                        break;
                    }
                    Err(error) => {
                        tracing::error!(%error, "the journal cannot be read");
                        return;
                    }
                }
            }
            if batch.items.len() >= BATCH {
                return;
            }
        }
    }

    /// Stores a batch, however long it takes.
    async fn store_batch(&mut self, mut batch: Batch) {
        let (mut wait, mut since, mut reminded) = (RETRY, None, Instant::now());
        let mut prepared = false;
        loop {
            let result = match tokio::time::timeout(DEADLINE, self.try_batch(&mut batch, &mut prepared)).await {
                Ok(result) => result,
                Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()),
            };
            let Err(error) = result else {
                if !self.shared.database.swap(true, Ordering::Relaxed) {
                    tracing::info!("the database takes records again");
                }
                let decisions = batch.items.iter().filter_map(|item| match &item.record {
                    Record::Decision(decision) => Some(&**decision),
                    Record::Accounting(_) => None,
                });
                self.shared.feed.publish(decisions, batch.sessions.iter());
                self.show(batch);
                return;
            };
            self.endpoints.forget();
            self.metrics.store_failed();
            if matches!(error, StoreError::Moved { .. }) {
                tracing::error!(%error, "the database is another than before: records go on from where it is");
                if let Err(error) = self.resume().await {
                    tracing::error!(%error, "it cannot be read where it is");
                    tokio::time::sleep(RETRY_MOST).await;
                }
                return;
            }
            // One that was dropped, though nobody heard that it was, is made anew. A
            // database that is away says no more than it has said.
            let _ = tokio::time::timeout(RETRY_MOST, self.store.partitions.read(&self.store.db)).await;
            if is_of_one_record(&error) {
                if self.sift(&mut batch).await {
                    continue;
                }
                // No record is to blame by itself: what follows from all of them is.
                if prepared && !std::mem::replace(&mut batch.bare, true) {
                    tracing::error!(%error, "the database refuses usage and endpoints of some records: they are left out");
                    self.metrics.record_refused();
                    continue;
                }
            }
            let since: Instant = *since.get_or_insert_with(Instant::now);
            if self.shared.database.swap(false, Ordering::Relaxed) || reminded.elapsed() > REMIND {
                reminded = Instant::now();
                let octets = self.shared.journal_len.load(Ordering::Relaxed);
                tracing::error!(
                    %error, journal_octets = octets, away_secs = since.elapsed().as_secs(),
                    "the database takes no records; they are kept in the journal, and logins go on"
                );
            }
            self.metrics.set_store_behind(self.shared.progress.behind());
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MOST);
        }
    }

    /// Hands what was stored to the detectors, if they keep up.
    fn show(&mut self, batch: Batch) {
        let signals = self.endpoints.take_told();
        let tap = self.shared.tap.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tap) = tap.as_ref() else { return };
        let logins = batch.items.iter().filter_map(|item| match &item.record {
            Record::Decision(decision) => Some(Seen::of_decision(decision)),
            Record::Accounting(_) => None,
        });
        let seen: Vec<Seen> = logins.chain(batch.uses).collect();
        if !(seen.is_empty() && signals.is_empty()) && tap.try_send(Tapped { seen, signals }).is_err() {
            tracing::debug!("detectors fall behind, and miss some of what was stored");
        }
    }

    /// Goes on from where the database is: one that took the place of another may lack
    /// what that one had last. What the journal still holds of it is stored again.
    async fn resume(&mut self) -> Result<(), StoreError> {
        let place = self.store.begin_journal(self.journal, |place| place).await?;
        self.store.partitions.read(&self.store.db).await?;
        self.sessions = LiveSessions::default();
        self.store.load_live(&mut self.sessions).await?;
        let mut pending = self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = Pending::starting_at(pending.end);
        self.place = place;
        Ok(())
    }

    /// What follows from the records for sessions and usage: once, whether or not
    /// the database then takes it at the first try; and of those records alone that
    /// the database did not have yet.
    async fn take_in(&mut self, batch: &mut Batch, mut fresh: HashSet<Vec<u8>>) -> Result<(), StoreError> {
        let accounting = || {
            batch.items.iter().filter_map(|item| match &item.record {
                Record::Accounting(record) => Some(&**record),
                Record::Decision(_) => None,
            })
        };
        let decisions = || {
            batch.items.iter().filter_map(|item| match &item.record {
                Record::Decision(decision) => Some(&**decision),
                Record::Accounting(_) => None,
            })
        };
        let unknown = self.sessions.unknown(accounting(), decisions());
        let wanted = self.sessions.wanted_stays(accounting(), decisions());
        let came = accounting().map(|r| r.received).chain(decisions().map(|d| d.at)).max().unwrap_or_default();
        let mut found = self.store.sessions_by_key(&unknown, came).await?;
        found.extend(self.store.sessions_of_stations(&wanted).await?);
        for session in found {
            self.sessions.load(session);
        }
        for item in &batch.items {
            match &item.record {
                Record::Decision(decision) => self.sessions.decided(decision),
                // A record may be twice in one batch, too.
                Record::Accounting(record) if fresh.remove(record.digest.as_slice()) => {
                    if let Some(counted) = self.sessions.told(record) {
                        batch.usage.add(&counted);
                        batch.uses.extend(Seen::of_counted(&counted));
                    }
                }
                Record::Accounting(_) => {}
            }
        }
        batch.sessions = self.sessions.changes();
        Ok(())
    }

    async fn try_batch(&mut self, batch: &mut Batch, prepared: &mut bool) -> Result<(), StoreError> {
        let started = Instant::now();
        let rows: Vec<RecordRow<'_>> = batch.items.iter().map(RecordRow::of).collect();
        self.store.make_room_for(&rows).await?;
        let mut tx = self.store.db.begin().await?;
        if !self.store.advance_journal(&mut tx, self.journal, self.place, batch.end).await? {
            self.place = batch.end;
            return Ok(());
        }
        let fresh = self.store.save_records(&mut tx, &rows).await?;
        if !*prepared {
            self.take_in(batch, fresh).await?;
            *prepared = true;
        }
        let mut enqueued = Enqueued::default();
        let contacts: Vec<Observation> = batch.items.iter().filter_map(contact).collect();
        self.store.save_sessions(&mut tx, &batch.sessions).await?;
        if !batch.bare {
            self.store.save_usage(&mut tx, &batch.usage).await?;
            let signals = self.endpoints.observe(&mut tx, &contacts).await?;
            let messages = if self.store.tells() { messages(batch, signals) } else { Vec::new() };
            enqueued = self.store.enqueue(&mut tx, &messages).await?;
        }
        if let Some(now) = contacts.iter().map(|o| o.at).max().filter(|_| self.pruned.elapsed() > PRUNE) {
            self.endpoints.prune(&mut tx, now).await?;
            self.pruned = Instant::now();
        }
        tx.commit().await?;
        enqueued.committed(&self.store);
        self.place = batch.end;
        self.metrics.stored(batch.items.len(), started.elapsed());
        Ok(())
    }

    /// Takes out what the database will never take, so that it does not hold up all
    /// else. Whether there was any.
    async fn sift(&mut self, batch: &mut Batch) -> bool {
        let mut found = false;
        let mut kept = Vec::with_capacity(batch.items.len());
        for item in std::mem::take(&mut batch.items) {
            let refused = match self.store.try_record(&RecordRow::of(&item)).await {
                Err(error) if is_of_one_record(&error) => Some(error),
                _ => None,
            };
            match refused {
                None => kept.push(item),
                Some(error) => {
                    found = true;
                    tracing::error!(%error, record = ?item.record, "the database refuses a record; it is only here");
                    self.metrics.record_refused();
                }
            }
        }
        batch.items = kept;
        let mut kept = Vec::with_capacity(batch.sessions.len());
        for session in std::mem::take(&mut batch.sessions) {
            match self.store.try_session(&session).await {
                Err(error) if is_of_one_record(&error) => {
                    found = true;
                    tracing::error!(%error, ?session, "the database refuses a session; it is only here");
                    self.metrics.record_refused();
                }
                _ => kept.push(session),
            }
        }
        batch.sessions = kept;
        found
    }
}

/// What there is to tell of a batch.
fn messages(batch: &Batch, signals: Vec<Message>) -> Vec<Message> {
    let decisions = batch.items.iter().filter_map(|item| match &item.record {
        Record::Decision(decision) => Some(Message::of_decision(decision)),
        Record::Accounting(_) => None,
    });
    decisions.chain(batch.sessions.iter().filter_map(Message::of_session)).chain(signals).collect()
}

fn contact(item: &Item) -> Option<Observation> {
    match &item.record {
        Record::Decision(decision) => Observation::of_decision(decision),
        Record::Accounting(record) => Observation::of_accounting(record),
    }
}

/// Whether the error is about what a record holds, rather than about the database.
fn is_of_one_record(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else {
        // Of a table that was dropped meanwhile, another is made at the next try.
        return matches!(error, StoreError::Unreadable { table, .. } if *table != "partitions");
    };
    // SQLSTATE classes 22 and 23 (data, constraints) and 54 (limits).
    let by_class = |code: &str| code.len() == 5 && ["22", "23", "54"].iter().any(|class| code.starts_with(class));
    // SQLite's SQLITE_TOOBIG, SQLITE_CONSTRAINT and SQLITE_MISMATCH, with what extends them.
    let by_number = |code: &str| code.len() < 5 && code.parse::<u32>().is_ok_and(|n| (18..=20).contains(&(n & 0xff)));
    error.as_database_error().is_some_and(|e| {
        e.is_unique_violation()
            || e.is_check_violation()
            || e.is_foreign_key_violation()
            || e.code().is_some_and(|code| by_class(&code) || by_number(&code))
    })
}

#[cfg(test)]
mod tests {
    use super::super::db::Sql;
    use super::super::writer::{JOURNAL_MAX, Writer};
    use super::*;
    use crate::session::accounting::AccountingRecord;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_database_refuses_of_endpoints_holds_up_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON endpoint BEGIN SELECT RAISE(ABORT, 'refused'); END";
        store.db.execute(Sql::new(trigger)).await.unwrap();
        let writer = Writer::start(store.clone(), dir.path(), JOURNAL_MAX, Arc::new(Metrics::new())).await.unwrap();
        for (id, endpoints) in [(b"1", 0), (b"2", 1)] {
            let octets = [&[40, 6, 0, 0, 0, 1, 44, 3][..], id, &[31, 19], b"02-00-5e-00-00-01"].concat();
            let now = Timestamp::from_unix_secs(1_764_000_000);
            let record = AccountingRecord::from_octets(&octets, "sw1", [192, 0, 2, 1].into(), now).unwrap();
            writer.submit(Record::Accounting(Box::new(record)), Box::new(|_| {})).unwrap();
            writer.drain().await;
            writer.settle(Duration::from_secs(20)).await;
            assert_eq!(writer.backlog().behind, 0);
            let count = store.db.number(Sql::new("SELECT count(*) AS n FROM endpoint")).await.unwrap();
            assert_eq!(count, endpoints);
            store.db.execute(Sql::new("DROP TRIGGER IF EXISTS refuse")).await.unwrap();
        }
        assert_eq!(store.accounting_count().await.unwrap(), 2);
    }
}
