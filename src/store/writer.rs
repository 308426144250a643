//! Group commit: what comes while one write is on its way to the disk goes
//! with the next. Everyone is told when their record is durable, in the journal;
//! from there it is taken to the database ([`super::applier`]).

use super::applier::{Applier, Command, Pending};
use super::codec::{Encoded, encode};
use super::feed::Feed;
use super::journal::{Framed, Journal, JournalError, Position};
use super::{Store, StoreError};
use crate::audit::decision::Decision;
use crate::random::random;
use crate::session::accounting::AccountingRecord;
use crate::session::census::Census;
use crate::signals::detect::Seen;
use crate::signals::signal::Signal;
use crate::telemetry::Metrics;
use crate::time::Timestamp;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

/// Records that may wait for the journal. At 27,000 a second this is two seconds'
/// worth, about what a NAS waits before it asks again.
const QUEUE: usize = 65_536;
/// Records in one write: enough that the disk's latency is shared, few enough
/// that nobody waits long for the others.
const BATCH: usize = 1_024;
/// How often a journal that failed is asked whether it works again.
const PROBE: Duration = Duration::from_secs(1);
/// How long a write may take before the disk counts as away: within the time that
/// a NAS waits for an answer.
const STALLED: Duration = Duration::from_secs(3);
/// Octets that the journal may hold for a database that is away, unless told
/// otherwise: about a million decisions, or five million accounting records.
pub const JOURNAL_MAX: u64 = 1 << 30;
/// The journal's folder, within the data directory.
pub const JOURNAL: &str = "journal";

/// Transactions that wait for detectors. Beyond it they miss some.
const TAPPED: usize = 64;

/// What must not be lost.
#[derive(Clone, Debug)]
pub enum Record {
    /// An attempt that was decided.
    Decision(Box<Decision>),
    /// What a NAS told of a session.
    Accounting(Box<AccountingRecord>),
}

/// What one transaction has stored, for detectors.
#[derive(Clone, Debug, Default)]
pub struct Tapped {
    /// Logins and uses.
    pub seen: Vec<Seen>,
    /// Signals about endpoints.
    pub signals: Vec<Signal>,
}

/// Called once, when the record is durable or given up. Runs on the writer's
/// thread, so it must not block.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The record was not taken: too many wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("more records wait for the disk than may")]
pub struct Full;

struct Entry {
    record: Record,
    done: Done,
}

/// How far records have come: written to the journal, and stored in the database.
#[derive(Debug)]
pub struct Progress {
    /// How many were made durable since the start.
    written: AtomicU64,
    /// How many of them are in the database.
    taken: AtomicU64,
    /// Where the journal ends.
    end: Mutex<Position>,
    /// Up to where the database has it.
    stored: watch::Sender<Position>,
    /// Somebody waits to read what was written.
    wanted: Notify,
}

impl Progress {
    fn new(stored: Position, end: Position) -> Self {
        Self {
            written: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            end: Mutex::new(end),
            stored: watch::Sender::new(stored),
            wanted: Notify::new(),
        }
    }

    fn written(&self, records: u64, end: Position) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
        self.written.fetch_add(records, Ordering::Release);
    }

    /// See [`Store::caught_up`].
    pub(super) async fn caught_up(&self, patience: Duration) {
        let target = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stored = self.stored.subscribe();
        self.wanted.notify_one();
        // Whether it came that far or not, what is there is read.
        let _ = tokio::time::timeout(patience, stored.wait_for(|stored| *stored >= target)).await;
    }

    fn is_caught_up(&self) -> bool {
        self.place() >= *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn wanted_now(&self) {
        self.wanted.notified().await;
    }

    /// Records that are durable and not in the database yet, of those that were
    /// written since the start.
    pub fn behind(&self) -> u64 {
        self.written.load(Ordering::Acquire).saturating_sub(self.taken.load(Ordering::Acquire))
    }

    /// Up to where the database has the journal.
    pub(super) fn place(&self) -> Position {
        *self.stored.borrow()
    }

    /// The database has the journal up to `place`: so many more records of those
    /// that were written since the start.
    pub(super) fn stored(&self, place: Position, records: u64) {
        self.taken.fetch_add(records, Ordering::Release);
        self.stored.send_replace(place);
    }
}

/// What the journal's thread, the applier and everybody else share.
#[derive(Debug)]
pub(super) struct Shared {
    healthy: AtomicBool,
    /// Whether the database takes records.
    pub(super) database: AtomicBool,
    started: Instant,
    /// When the write in progress began, in milliseconds after `started`; 0
    /// when there is none.
    writing_since: AtomicU64,
    waiting: AtomicUsize,
    idle: Notify,
    pub(super) progress: Arc<Progress>,
    pub(super) pending: Mutex<Pending>,
    pub(super) arrived: Notify,
    /// Octets of the journal.
    pub(super) journal_len: AtomicU64,
    /// What was stored lately.
    pub(super) feed: Feed,
    /// Who is on the network, a few seconds ago.
    pub(super) census: Mutex<Arc<Census>>,
    /// See [`Writer::tap`].
    pub(super) tap: Mutex<Option<mpsc::Sender<Tapped>>>,
}

/// How records are on their way, for those who look after the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// Records that are not durable yet.
    pub waiting: usize,
    /// Records that are durable, and not in the database yet; of those that were
    /// written since the start.
    pub behind: u64,
    /// Whether the database has all of the journal, what was there at the start included.
    pub caught_up: bool,
    /// Octets of the journal, with what is stored and not deleted yet.
    pub journal_octets: u64,
    /// Whether the database takes records.
    pub database: bool,
}

/// Hands records to the one thread that writes them. Cloning it shares the thread.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Entry>,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("depth", &self.depth()).field("healthy", &self.healthy()).finish()
    }
}

impl Writer {
    /// What was stored lately, for those who watch.
    pub fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    /// Who is on the network, as it was a few seconds ago.
    pub fn census(&self) -> Arc<Census> {
        self.shared.census.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is stored from now on, for one who looks for what is unusual in it. Who falls behind misses some, so that
    /// nothing stored waits for it. Another one who asks takes the place of the first.
    pub fn tap(&self) -> mpsc::Receiver<Tapped> {
        let (sender, receiver) = mpsc::channel(TAPPED);
        *self.shared.tap.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Opens the journal within `data_dir`, which may hold `journal_max` octets, and
    /// starts the thread that writes it and the task that takes records on to the
    /// database. They end when the last clone is dropped.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn start(
        store: Store,
        data_dir: &Path,
        journal_max: u64,
        metrics: Arc<Metrics>,
    ) -> Result<Writer, StartError> {
        let dir = data_dir.join(JOURNAL);
        let journal = tokio::task::spawn_blocking(move || Journal::open(&dir));
        let journal = journal.await.map_err(|e| StartError::Thread(std::io::Error::other(e)))??;
        let claim = store.db.claim().await?.ok_or(StartError::Claimed)?;
        let place = store.begin_journal(journal.id(), |place| journal.reader(place).place()).await?;
        let (queue, entries) = mpsc::channel(QUEUE);
        let (commands, asked) = mpsc::channel(16);
        let progress = Arc::new(Progress::new(place, journal.end()));
        let shared = Arc::new(Shared {
            healthy: AtomicBool::new(true),
            database: AtomicBool::new(true),
            started: Instant::now(),
            writing_since: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            idle: Notify::new(),
            progress: progress.clone(),
            pending: Mutex::new(Pending::starting_at(journal.end())),
            arrived: Notify::new(),
            journal_len: AtomicU64::new(journal.size()),
            tap: Mutex::default(),
            census: Mutex::default(),
            feed: Feed::new(random().map_or(0, u64::from_be_bytes)),
        });
        shared.feed.recall(store.tally().await?);
        // Whoever reads through this store waits for what this writer writes.
        let _ = store.progress.set(progress);
        let reader = journal.reader(place);
        let applier = Applier::new(store, claim, journal.id(), reader, shared.clone(), metrics.clone()).await?;
        tokio::spawn(applier.run(asked));
        let runtime = tokio::runtime::Handle::current();
        let task = Task { journal, max: journal_max, metrics, shared: shared.clone(), runtime };
        let thread = std::thread::Builder::new().name("journal".into());
        thread.spawn(move || task.run(entries)).map_err(StartError::Thread)?;
        Ok(Writer { queue, commands, shared })
    }

    /// Hands a record over, from any thread and without waiting.
    ///
    /// # Errors
    /// [`Full`], and then `done` is not called.
    pub fn submit(&self, record: Record, done: Done) -> Result<(), Full> {
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        self.queue.try_send(Entry { record, done }).map_err(|_| {
            self.shared.finished(1);
            Full
        })
    }

    /// Whether the last write succeeded, and the present one is not stuck.
    pub fn healthy(&self) -> bool {
        let since = self.shared.writing_since.load(Ordering::Relaxed);
        let stalled = since > 0 && self.shared.millis().saturating_sub(since) > STALLED.as_millis() as u64;
        self.shared.healthy.load(Ordering::Relaxed) && !stalled
    }

    /// How many records are not durable yet.
    pub fn depth(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// How records are on their way.
    pub fn backlog(&self) -> Backlog {
        Backlog {
            waiting: self.depth(),
            behind: self.shared.progress.behind(),
            caught_up: self.shared.progress.is_caught_up(),
            journal_octets: self.shared.journal_len.load(Ordering::Relaxed),
            database: self.shared.database.load(Ordering::Relaxed),
        }
    }

    /// Looks over the sessions at `now`: those that were silent for longer than
    /// `silence` have ended. Returns when that is stored. Call it now and then.
    pub async fn sweep_sessions(&self, now: Timestamp, silence: Duration) {
        let (done, stored) = oneshot::channel();
        // The task is gone only when the server ends.
        if self.commands.send(Command::Sweep { now, silence, done }).await.is_ok() {
            let _ = stored.await;
        }
    }

    /// Returns when everything that was submitted is durable or given up.
    pub async fn drain(&self) {
        loop {
            let idle = self.shared.idle.notified();
            if self.depth() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Returns when everything that is durable is in the database, or after
    /// `patience`.
    pub async fn settle(&self, patience: Duration) {
        self.shared.progress.caught_up(patience).await;
    }
}

/// Why records cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another server writes to this database.
    #[error("another server writes to it\n  -> stop that one first, or give this one a database of its own")]
    Claimed,
    /// The system gives no thread.
    #[error("a thread: {0}")]
    Thread(std::io::Error),
}

impl Shared {
    /// Milliseconds since the start; never 0.
    fn millis(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 + 1
    }

    fn finished(&self, count: usize) {
        if self.waiting.fetch_sub(count, Ordering::Relaxed) == count {
            self.idle.notify_waiters();
        }
    }
}

/// The journal's thread.
struct Task {
    journal: Journal,
    max: u64,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
}

impl Task {
    fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let received = if self.shared.healthy.load(Ordering::Relaxed) {
                entries.blocking_recv_many(&mut batch, BATCH)
            } else {
                let received = self
                    .runtime
                    .block_on(async { tokio::time::timeout(PROBE, entries.recv_many(&mut batch, BATCH)).await });
                let Ok(received) = received else {
                    self.probe();
                    continue;
                };
                received
            };
            if received == 0 {
                return;
            }
            self.metrics.set_writer_depth(self.shared.waiting.load(Ordering::Relaxed));
            self.shared.writing_since.store(self.shared.millis(), Ordering::Relaxed);
            self.write(std::mem::take(&mut batch));
            self.shared.writing_since.store(0, Ordering::Relaxed);
        }
    }

    fn write(&mut self, batch: Vec<Entry>) {
        let mut ready: Vec<(Entry, Encoded)> = Vec::with_capacity(batch.len());
        for entry in batch {
            match encode(&entry.record) {
                Ok(encoded) => ready.push((entry, encoded)),
                Err(error) => {
                    tracing::error!(%error, "a record cannot be written");
                    (entry.done)(Err(error));
                    self.shared.finished(1);
                }
            }
        }
        let started = Instant::now();
        let result = self.append(&ready);
        self.shared.journal_len.store(self.journal.size(), Ordering::Relaxed);
        match result {
            Ok(()) => {
                self.metrics.committed(ready.len(), started.elapsed());
                self.recovered();
            }
            Err(ref error) => {
                self.metrics.commit_failed();
                if self.shared.healthy.swap(false, Ordering::Relaxed) {
                    tracing::error!(%error, "records cannot be stored: no login is answered until they can");
                }
            }
        }
        let written = ready.len() as u64;
        let mut items = Vec::with_capacity(ready.len());
        let mut finished = Vec::with_capacity(ready.len());
        for (Entry { record, done }, encoded) in ready {
            items.push((record, encoded));
            finished.push(done);
        }
        let count = finished.len();
        if result.is_ok() {
            let mut pending = self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.push(items, self.journal.end());
            self.shared.progress.written(written, self.journal.end());
        }
        for done in finished {
            done(result.clone());
        }
        self.shared.finished(count);
        self.shared.arrived.notify_one();
        self.forget_stored();
    }

    /// Deletes what the database has.
    fn forget_stored(&mut self) {
        self.journal.forget_before(self.shared.progress.place());
    }

    fn append(&mut self, ready: &[(Entry, Encoded)]) -> Result<(), StoreError> {
        if self.journal.size() > self.max {
            self.forget_stored();
            if self.journal.size() > self.max {
                return Err(StoreError::JournalFull(self.journal.size()));
            }
        }
        let framed: Vec<Framed<'_>> = ready.iter().map(|(_, e)| Framed { kind: e.kind, content: &e.content }).collect();
        self.journal.append(&framed).map(drop).map_err(|e| StoreError::Journal(Arc::new(e)))
    }

    /// Tries whether the disk takes writes again.
    fn probe(&mut self) {
        self.forget_stored();
        if self.append(&[]).is_ok() {
            self.recovered();
        }
        self.shared.journal_len.store(self.journal.size(), Ordering::Relaxed);
    }

    fn recovered(&self) {
        if !self.shared.healthy.swap(true, Ordering::Relaxed) {
            tracing::info!("records can be stored again");
        }
    }
}
