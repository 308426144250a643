//! Playbooks at work: whoever something has become known of is looked at, runs begin and are carried out, and are taken back
//! when their cause is gone.
//!
//! One task decides, so that nobody is contained twice; what it knows is stored first, and read again at the start.

mod barring;
mod drill;
mod evidence;
mod look;
mod notify;
mod steps;
mod whose;

pub use barring::Barring;
pub use drill::{Report, Timing};
pub use notify::Outbox;

use crate::access::{Engine, Snapshot};
use crate::audit::event::By;
use crate::ids::RunId;
use crate::jobs::changes::Wake;
use crate::jobs::containments::Containments;
use crate::playbooks::ledger::{Ledger, Limit};
use crate::playbooks::playbook::Playbooks as Rules;
use crate::playbooks::run::{Purpose, Run, State};
use crate::signals::signal::Subject;
use crate::store::playbooks::Stopped;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use crate::webhooks::message::Message;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often it is looked whose time is over, and whether playbooks have changed.
const LOOK: Duration = Duration::from_millis(500);
/// How long what is noticed is gathered: a storm is one look.
const GATHER: Duration = Duration::from_millis(20);
/// Those of whom something was noticed and who were not looked at yet. Beyond it, all are looked at.
const MAX_NOTICED: usize = 100_000;
/// Those who are looked at in one go.
const AT_ONCE: usize = 5_000;
/// How far back it is counted how often playbooks have run: the longest window.
const RECALLED: Duration = Duration::from_secs(30 * 86_400);
/// How often it is told in the log that a bound is reached.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// How often old runs are looked for, in looks: each ten minutes.
const BOUND: u32 = 1_200;
/// Runs after which they are looked for besides, so that a storm leaves no more.
const BOUND_AFTER: usize = 10_000;

/// Of whom something has become known. Cloning it shares it.
#[derive(Clone, Debug, Default)]
pub struct Noticed(Arc<(Mutex<Those>, Notify)>);

/// Those, or everybody.
#[derive(Debug, Default)]
struct Those {
    subjects: HashSet<Subject>,
    all: bool,
}

impl Noticed {
    /// Something was told of them, or has changed.
    pub fn note(&self, subject: Subject) {
        let (some, wake) = &*self.0;
        let mut some = some.lock().unwrap_or_else(PoisonError::into_inner);
        if some.subjects.len() < MAX_NOTICED {
            some.subjects.insert(subject);
        } else {
            some.all = true;
        }
        drop(some);
        wake.notify_one();
    }

    fn take(&self) -> (Vec<Subject>, bool) {
        let mut some = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *some);
        (taken.subjects.into_iter().collect(), taken.all)
    }
}

#[derive(Debug)]
struct Shared {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<Clock>,
    containments: Containments,
    barring: Barring,
    wake: Wake,
    outbox: Outbox,
    metrics: Arc<Metrics>,
    /// Whether something could not be stored, so that all are looked at again.
    again: AtomicBool,
    /// Whether something has had no room, so that all are looked at again when there is some.
    lacking: AtomicBool,
    /// When each bound was last told in the log.
    told: Mutex<BTreeMap<Limit, Timestamp>>,
    counts: watch::Sender<Counts>,
    /// Whether all are stopped. It is no part of the runs, which may be at work for long: each step looks.
    stopped: watch::Sender<Option<Stopped>>,
    /// Who presses the button, one after the other, so that memory and database agree.
    button: tokio::sync::Mutex<()>,
    runs: tokio::sync::Mutex<Ledger>,
}

/// How many runs there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// That are not over.
    pub open: usize,
    /// Those of them that wait for an operator.
    pub held: usize,
    /// Those of them whose playbook is gone.
    pub orphaned: usize,
}

/// What playbooks work with.
#[derive(Debug)]
pub struct Parts {
    /// Where runs are stored.
    pub store: Store,
    /// What is known of everybody.
    pub engine: Arc<Engine>,
    /// The time.
    pub clock: Arc<Clock>,
    /// Quarantines.
    pub containments: Containments,
    /// Takes from identities what they have.
    pub barring: Barring,
    /// Wakes who changes sessions.
    pub wake: Wake,
    /// Sends emails.
    pub outbox: Outbox,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// Playbooks at work. Cloning it shares them.
#[derive(Clone, Debug)]
pub struct Playbooks(Arc<Shared>);

/// Why an operator's wish about a run is not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// There is no such run.
    #[error("there is no run of this id")]
    Missing,
    /// It is in another state.
    #[error("the run is {0}")]
    State(&'static str),
    /// What it did could not be taken back; it goes on.
    #[error("the suspension of {0} could not be taken back, since others changed the inventory meanwhile: ask again")]
    Goes(String),
    /// There is no such playbook, or nobody of that id.
    #[error("{0}")]
    Unknown(String),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Playbooks {
    /// Takes up what was stored, and begins to look.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn start(parts: Parts, noticed: Noticed) -> Result<Playbooks, StoreError> {
        let Parts { store, engine, clock, containments, barring, wake, outbox, metrics } = parts;
        let mut runs = Ledger::default();
        for run in store.open_runs().await? {
            runs.put(run);
        }
        for (playbook, subject, at) in store.runs_since(clock.now() - RECALLED).await? {
            runs.recall_begun(playbook, subject, at);
        }
        let (stopped, _) = watch::channel(store.playbooks_stopped().await?);
        let playbooks = Playbooks(Arc::new(Shared {
            store,
            engine,
            clock,
            containments,
            barring,
            wake,
            outbox,
            metrics,
            again: AtomicBool::new(false),
            lacking: AtomicBool::new(false),
            told: Mutex::default(),
            counts: watch::channel(Counts::default()).0,
            stopped,
            button: tokio::sync::Mutex::default(),
            runs: tokio::sync::Mutex::new(runs),
        }));
        playbooks.resume_open().await?;
        tokio::spawn(playbooks.clone().work(noticed));
        Ok(playbooks)
    }

    /// Carries on with runs that a stop of the server has interrupted, and ends drills. What was done and not stored is done again,
    /// which changes nothing.
    async fn resume_open(&self) -> Result<(), StoreError> {
        let mut runs = self.0.runs.lock().await;
        let (mut drills, real): (Vec<Run>, Vec<Run>) =
            runs.open().cloned().partition(|run| run.purpose == Purpose::Drill);
        self.undo(&mut drills, &By::server(), "the server was stopped", false).await?;
        self.keep(&mut runs, drills).await;
        let mut interrupted: Vec<Run> = real.into_iter().filter(|run| run.state == State::Running).collect();
        self.carry_out(&mut interrupted, None).await;
        self.keep(&mut runs, interrupted).await;
        Ok(())
    }

    async fn work(self, noticed: Noticed) {
        let mut interval = tokio::time::interval(LOOK);
        let (mut rules, mut looks, mut begun): (Option<Rules>, u32, usize) = (None, 0, 0);
        loop {
            let told = tokio::select! {
                () = noticed.0.1.notified() => true,
                _ = interval.tick() => false,
            };
            if told {
                tokio::time::sleep(GATHER).await;
            }
            let (mut subjects, mut all) = noticed.take();
            all |= !told && self.0.again.swap(false, Ordering::Relaxed);
            let snapshot = self.0.engine.snapshot();
            if rules.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &snapshot.playbooks)) {
                rules = Some(snapshot.playbooks.clone());
                all = true;
                for (playbook, runs) in self.0.runs.lock().await.playbooks(&snapshot.playbooks) {
                    tracing::warn!(
                        playbook,
                        runs,
                        "this playbook is gone; its runs go on until their cause is gone, their time is \
                                   over, or somebody releases them"
                    );
                }
            }
            if all {
                // Beside those of whom something was noticed: it may be that nothing speaks against them any more.
                subjects.extend(self.0.engine.risks().subjects());
                subjects.extend(self.0.engine.posture().ids().into_iter().map(Subject::Identity));
                subjects.sort_unstable();
                subjects.dedup();
            }
            for some in subjects.chunks(AT_ONCE) {
                begun += self.look(some, &snapshot).await;
            }
            if all || !told {
                self.look_at_open(&snapshot, all).await;
            }
            if !told {
                looks = looks.wrapping_add(1);
            }
            if begun >= BOUND_AFTER || (!told && looks.is_multiple_of(BOUND)) {
                begun = 0;
                if let Err(error) = self.0.store.bound_runs().await {
                    tracing::debug!(%error, "old runs of playbooks could not be dropped");
                }
            }
        }
    }

    /// Stores runs; with `tell`, webhooks are told where they stand.
    async fn save(&self, runs: &[Run], tell: bool) -> Result<(), StoreError> {
        if runs.is_empty() {
            return Ok(());
        }
        let now = self.0.clock.now();
        let told = runs.iter().filter(|_| tell).map(|run| Message::of_run(run, run.state.code(), now));
        let told: Vec<Message> = told.collect();
        let saved = self.0.store.save_runs(runs, &told).await;
        if let Err(error) = &saved {
            tracing::warn!(%error, "runs of playbooks could not be stored");
            self.0.again.store(true, Ordering::Relaxed);
        }
        saved
    }

    /// Takes in where runs stand, and stores it.
    async fn keep(&self, runs: &mut Ledger, some: Vec<Run>) {
        for run in &some {
            tracing::info!(playbook = run.playbook, who = run.who, state = run.state.code(), "{}", run.cause.what);
        }
        let closed = some.iter().any(|run| !run.state.is_open());
        // It is in memory all the same; after a restart the database's word is carried out again, which changes nothing.
        let _ = self.save(&some, true).await;
        for run in some {
            let (playbook, state) = (run.playbook.clone(), run.state.code());
            if runs.put(run) {
                self.0.metrics.playbooks.run(&playbook, state);
            }
        }
        if closed && self.0.lacking.swap(false, Ordering::Relaxed) {
            self.0.again.store(true, Ordering::Relaxed);
        }
        let forgotten = runs.bound_muted();
        self.drop_for(Limit::Muted, forgotten.len());
        let _ = self.save(&forgotten, false).await;
        self.publish(runs);
    }

    /// Says how many runs there are, for whoever asks while others are at work.
    fn publish(&self, runs: &Ledger) {
        let (open, held, orphaned) = (runs.count_open(), runs.held().count(), runs.count_orphaned());
        self.0.counts.send_replace(Counts { open, held, orphaned });
    }

    /// Tells that so much was dropped for want of room.
    fn drop_for(&self, limit: Limit, count: usize) {
        if count == 0 {
            return;
        }
        self.0.lacking.store(true, Ordering::Relaxed);
        self.0.metrics.playbooks.dropped(limit.code(), count as u64);
        let (mut told, now) = (self.0.told.lock().unwrap_or_else(PoisonError::into_inner), self.0.clock.now());
        if told.get(&limit).is_none_or(|at| now.since(*at) >= TELL_AGAIN) {
            told.insert(limit, now);
            tracing::warn!(limit = limit.code(), count, "{}", limit.told());
        }
    }

    /// Takes a run back, whatever its cause; it does not begin anew for the same.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn release(&self, id: RunId, by: &By, reason: &str) -> Result<Run, NotDone> {
        let mut runs = self.0.runs.lock().await;
        let Some(run) = runs.find(id).cloned() else {
            return Err(self.closed(id).await?);
        };
        let mut some = vec![run];
        self.undo(&mut some, by, reason, true).await?;
        let run = some[0].clone();
        self.keep(&mut runs, some).await;
        if run.state.is_open() {
            return Err(NotDone::Goes(run.who));
        }
        self.0.store.audit_run(&run, "playbook.release", by, reason, self.0.clock.now()).await?;
        Ok(run)
    }

    /// Goes on with a run that is held, and tries again what has failed; though playbooks are stopped, but not beyond another stop.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn go_on(&self, id: RunId, by: &By, reason: &str) -> Result<Run, NotDone> {
        let mut runs = self.0.runs.lock().await;
        let Some(mut run) = runs.find(id).cloned() else {
            return Err(self.closed(id).await?);
        };
        if !run.go_on() {
            return Err(NotDone::State(run.state.code()));
        }
        let stopped = self.stopped();
        self.0.store.audit_run(&run, "playbook.go_on", by, reason, self.0.clock.now()).await?;
        let mut some = vec![run];
        // First that it runs, so that a crash leaves nothing half done.
        self.save(&some, false).await?;
        self.carry_out(&mut some, stopped.as_ref()).await;
        let run = some[0].clone();
        self.keep(&mut runs, some).await;
        Ok(run)
    }

    async fn closed(&self, id: RunId) -> Result<NotDone, StoreError> {
        Ok(self.0.store.run(id).await?.map_or(NotDone::Missing, |run| NotDone::State(run.state.code())))
    }

    /// Whether they are stopped.
    pub fn stopped(&self) -> Option<Stopped> {
        self.0.stopped.borrow().clone()
    }

    /// How many runs there are. It waits for nobody who is at work.
    pub fn counts(&self) -> Counts {
        *self.0.counts.borrow()
    }

    /// Stops all at once: nothing more is done of runs that are at work, and what would begin from now on is held. What is contained stays
    /// so.
    ///
    /// # Errors
    /// When it could not be stored; then they are stopped until the server is.
    pub async fn stop(&self, by: &By, reason: &str) -> Result<(), StoreError> {
        let at = self.0.clock.now();
        let stopped = Some(Stopped { at, by: by.actor.clone(), reason: reason.to_owned() });
        // Whoever is at work waits for nobody, and neither does this.
        self.0.stopped.send_replace(stopped.clone());
        let _turn = self.0.button.lock().await;
        self.0.stopped.send_replace(stopped);
        self.0.store.stop_playbooks(true, by, reason, at).await
    }

    /// Lets them go on; what is held is done if `go`, and dropped otherwise. How many that were.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn resume(&self, go: bool, by: &By, reason: &str) -> Result<usize, StoreError> {
        let mut runs = self.0.runs.lock().await;
        {
            let _turn = self.0.button.lock().await;
            self.0.store.stop_playbooks(false, by, reason, self.0.clock.now()).await?;
            self.0.stopped.send_replace(None);
        }
        let mut held: Vec<Run> = runs.held().cloned().collect();
        if go {
            for run in &mut held {
                run.go_on();
            }
            self.save(&held, false).await?;
            self.carry_out(&mut held, None).await;
        } else {
            self.undo(&mut held, by, reason, true).await?;
        }
        let count = held.len();
        self.keep(&mut runs, held).await;
        Ok(count)
    }

    /// The turn of those who revoke certificates.
    pub fn revocations(&self) -> Arc<tokio::sync::Mutex<()>> {
        self.0.barring.turn.clone()
    }
}

/// What somebody is called.
fn who(subject: Subject, snapshot: &Snapshot) -> String {
    match subject {
        Subject::Identity(id) => {
            snapshot.identities.by_id(id).map_or_else(|| id.to_string(), |identity| identity.name.to_string())
        }
        Subject::Mac(mac) => mac.to_string(),
    }
}
