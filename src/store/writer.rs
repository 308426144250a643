//! Group commit: what comes while one commit is on its way to the disk goes
//! with the next. Everyone is told when their record is durable.

use super::endpoints::Endpoints;
use super::{Store, StoreError, records};
use crate::audit::decision::Decision;
use crate::inventory::observation::Observation;
use crate::session::accounting::AccountingRecord;
use crate::telemetry::Metrics;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// Records that may wait. At 27,000 a second this is two seconds' worth, about
/// what a NAS waits before it asks again.
const QUEUE: usize = 65_536;
/// Records in one commit: enough that the disk's latency is shared, few enough
/// that nobody waits long for the others.
const BATCH: usize = 1_024;
/// How often a commit is tried before its records are given up. Two seconds in
/// all, within a NAS's patience.
const TRIES: u32 = 3;
/// Between two tries.
const RETRY: Duration = Duration::from_millis(500);
/// How often a database that failed is asked whether it works again.
const PROBE: Duration = Duration::from_secs(1);

/// How often endpoints that were not seen for long are looked for.
const PRUNE: Duration = Duration::from_secs(600);

/// How long a commit may take before the database counts as away: within the
/// time that a NAS waits for an answer.
const STALLED: Duration = Duration::from_secs(3);

/// What must not be lost.
#[derive(Debug)]
pub enum Record {
    /// An attempt that was decided.
    Decision(Box<Decision>),
    /// What a NAS told of a session.
    Accounting(Box<AccountingRecord>),
}

/// Called once, when the record is durable or given up. Runs on the writer's
/// task, so it must not block.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The record was not taken: too many wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("more records wait for the disk than may")]
pub struct Full;

struct Entry {
    record: Record,
    done: Done,
}

struct Shared {
    healthy: AtomicBool,
    started: Instant,
    /// When the commit in progress began, in milliseconds after `started`; 0
    /// when there is none.
    committing_since: AtomicU64,
    waiting: AtomicUsize,
    idle: Notify,
}

/// Hands records to the one task that writes them. Cloning it shares the task.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Entry>,
    shared: Arc<Shared>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("depth", &self.depth()).field("healthy", &self.healthy()).finish()
    }
}

impl Writer {
    /// Starts the task. It ends when the last clone is dropped.
    pub fn start(store: Store, metrics: Arc<Metrics>) -> Writer {
        let (queue, entries) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            healthy: AtomicBool::new(true),
            started: Instant::now(),
            committing_since: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            idle: Notify::new(),
        });
        let endpoints = Endpoints::default();
        tokio::spawn(Task { store, metrics, shared: shared.clone(), endpoints, pruned: Instant::now() }.run(entries));
        Writer { queue, shared }
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

    /// Whether the last commit succeeded, and the present one is not stuck.
    pub fn healthy(&self) -> bool {
        let since = self.shared.committing_since.load(Ordering::Relaxed);
        let stalled = since > 0 && self.shared.millis().saturating_sub(since) > STALLED.as_millis() as u64;
        self.shared.healthy.load(Ordering::Relaxed) && !stalled
    }

    /// How many records are not durable yet.
    pub fn depth(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
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

struct Task {
    store: Store,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    /// Those that were met lately.
    endpoints: Endpoints,
    /// When those of long ago were last forgotten.
    pruned: Instant,
}

impl Task {
    async fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let received = if self.shared.healthy.load(Ordering::Relaxed) {
                entries.recv_many(&mut batch, BATCH).await
            } else {
                tokio::select! {
                    received = entries.recv_many(&mut batch, BATCH) => received,
                    () = tokio::time::sleep(PROBE) => {
                        self.probe().await;
                        continue;
                    }
                }
            };
            if received == 0 {
                return;
            }
            self.metrics.set_writer_depth(self.shared.waiting.load(Ordering::Relaxed));
            self.shared.committing_since.store(self.shared.millis(), Ordering::Relaxed);
            self.commit_all(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).await;
            self.shared.committing_since.store(0, Ordering::Relaxed);
            self.metrics.set_writer_depth(self.shared.waiting.load(Ordering::Relaxed));
        }
    }

    async fn commit_all(&mut self, batch: Vec<Entry>) {
        let (records, done): (Vec<Record>, Vec<Done>) = batch.into_iter().map(|e| (e.record, e.done)).unzip();
        match self.commit_with_retries(&records).await {
            // One record that the database does not take must not take the
            // others with it.
            Err(error) if records.len() > 1 && is_of_one_record(&error) => {
                tracing::warn!(%error, "a record was refused; storing the batch one by one");
                for (record, done) in records.iter().zip(done) {
                    let result = self.commit_with_retries(std::slice::from_ref(record)).await;
                    self.finish(done, result);
                }
            }
            result => done.into_iter().for_each(|done| self.finish(done, result.clone())),
        }
    }

    fn finish(&self, done: Done, result: Result<(), StoreError>) {
        done(result);
        self.shared.finished(1);
    }

    async fn commit_with_retries(&mut self, batch: &[Record]) -> Result<(), StoreError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let started = Instant::now();
            match self.commit(batch).await {
                Ok(()) => {
                    self.metrics.committed(batch.len(), started.elapsed());
                    self.recovered();
                    return Ok(());
                }
                Err(error) => {
                    self.metrics.commit_failed();
                    let of_one_record = is_of_one_record(&error);
                    // While the database is known to be away, nobody waits for
                    // more than one try.
                    let hopeless = !self.shared.healthy.load(Ordering::Relaxed);
                    if of_one_record || hopeless || tried >= TRIES {
                        if !of_one_record && self.shared.healthy.swap(false, Ordering::Relaxed) {
                            tracing::error!(%error, "records cannot be stored: no login is answered until they can");
                        }
                        return Err(error);
                    }
                    tracing::warn!(%error, tried, "commit failed");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn commit(&mut self, batch: &[Record]) -> Result<(), StoreError> {
        let result = self.write(batch).await;
        if result.is_err() {
            self.endpoints.forget();
        }
        result
    }

    async fn write(&mut self, batch: &[Record]) -> Result<(), StoreError> {
        let mut decisions = Vec::with_capacity(batch.len());
        let mut accounting = Vec::with_capacity(batch.len());
        for record in batch {
            match record {
                Record::Decision(d) => decisions.push(&**d),
                Record::Accounting(a) => accounting.push(&**a),
            }
        }
        let mut contacts: Vec<Observation> = decisions.iter().filter_map(|d| Observation::of_decision(d)).collect();
        if accounting.is_empty() && contacts.is_empty() && decisions.len() <= records::MAX_ROWS {
            // One statement is a transaction by itself, and costs one exchange
            // with the connection's thread instead of three.
            let mut connection = self.store.write.acquire().await?;
            return records::decisions(&mut connection, &decisions).await;
        }
        let mut tx = self.store.write.begin_with("BEGIN IMMEDIATE").await?;
        records::decisions(&mut tx, &decisions).await?;
        let new = records::accounting(&mut tx, &accounting).await?;
        contacts.extend(new.into_iter().filter_map(Observation::of_accounting));
        self.endpoints.observe(&mut tx, &contacts).await?;
        if let Some(now) = contacts.iter().map(|o| o.at).max().filter(|_| self.pruned.elapsed() > PRUNE) {
            self.endpoints.prune(&mut tx, now).await?;
            self.pruned = Instant::now();
        }
        Ok(tx.commit().await?)
    }

    async fn probe(&self) {
        let write = "INSERT INTO probe (one, at_us) VALUES (1, 0) ON CONFLICT (one) DO UPDATE SET at_us = at_us + 1";
        if sqlx::query(write).execute(&self.store.write).await.is_ok() {
            self.recovered();
        }
    }

    fn recovered(&self) {
        if !self.shared.healthy.swap(true, Ordering::Relaxed) {
            tracing::info!("records can be stored again");
        }
    }
}

/// Whether the error is about what a record holds, rather than about the disk.
fn is_of_one_record(error: &StoreError) -> bool {
    match error {
        StoreError::Unreadable { .. } => true,
        StoreError::Database(e) => e
            .as_database_error()
            .is_some_and(|e| e.is_unique_violation() || e.is_check_violation() || e.is_foreign_key_violation()),
        StoreError::Migration(_) => false,
    }
}
