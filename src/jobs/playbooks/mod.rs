//! Playbooks at work: whoever something has become known of is looked at, runs begin and are carried out, and are taken back
//! when their cause is gone.
//!
//! One task decides, so that nobody is contained twice; what it knows is stored first, and read again at the start.

mod barring;
mod drill;
mod evidence;
mod notify;
mod steps;

pub use barring::Barring;
pub use drill::{Report, Timing};
pub use notify::Outbox;

use crate::access::{Engine, Snapshot};
use crate::audit::event::By;
use crate::ids::RunId;
use crate::jobs::changes::Wake;
use crate::jobs::containments::Containments;
use crate::playbooks::budget::Budget;
use crate::playbooks::playbook::{Cause, Mode, Playbook, Playbooks as Rules};
use crate::playbooks::run::{Purpose, Run, State};
use crate::signals::signal::Subject;
use crate::store::playbooks::Stopped;
use crate::store::read::Of;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use crate::webhooks::message::Message;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How often it is looked whose time is over, and whether playbooks have changed.
const LOOK: Duration = Duration::from_millis(500);
/// How long what is noticed is gathered: a storm is one look.
const GATHER: Duration = Duration::from_millis(20);
/// Those of whom something was noticed and who were not looked at yet. Beyond it, all are looked at.
const MAX_NOTICED: usize = 100_000;
/// Runs that are not over. Beyond it none begins, and that is told in the log.
const MAX_OPEN: usize = 50_000;
/// Those who are looked at in one go.
const AT_ONCE: usize = 5_000;
/// Sessions of one identity whose sites are looked at.
const MAX_SESSIONS: u32 = 50;
/// How often old runs are looked for, in looks.
const BOUND: u32 = 1_200;

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

type Key = (String, Subject);

/// What is going on.
#[derive(Debug, Default)]
struct Runs {
    open: HashMap<Key, Run>,
    /// Those that were taken back while their cause went on.
    muted: HashMap<Key, Run>,
    /// Those whom a dry run was about, as long as its cause goes on.
    rehearsed: HashSet<Key>,
    budgets: HashMap<String, Budget>,
    stopped: Option<Stopped>,
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
    /// Whether something could not be stored, so that all are looked at again.
    again: AtomicBool,
    runs: tokio::sync::Mutex<Runs>,
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
        let Parts { store, engine, clock, containments, barring, wake, outbox } = parts;
        let mut runs = Runs { stopped: store.playbooks_stopped().await?, ..Runs::default() };
        for run in store.open_runs().await? {
            let key = (run.playbook.clone(), run.subject);
            if run.muted {
                runs.muted.insert(key, run)
            } else {
                runs.open.insert(key, run)
            };
        }
        let day = Duration::from_secs(86_400);
        for (playbook, at) in store.runs_since(clock.now() - day).await? {
            runs.budgets.entry(playbook).or_default().recall(at);
        }
        let runs = tokio::sync::Mutex::new(runs);
        let playbooks = Playbooks(Arc::new(Shared {
            store,
            engine,
            clock,
            containments,
            barring,
            wake,
            outbox,
            again: AtomicBool::new(false),
            runs,
        }));
        playbooks.resume_open().await?;
        tokio::spawn(playbooks.clone().work(noticed));
        Ok(playbooks)
    }

    /// Carries on with runs that a stop of the server has interrupted, and ends drills.
    async fn resume_open(&self) -> Result<(), StoreError> {
        let mut runs = self.0.runs.lock().await;
        let open = runs.open.values().cloned();
        let (mut drills, real): (Vec<Run>, Vec<Run>) = open.partition(|run| run.purpose == Purpose::Drill);
        self.undo(&mut drills, &By::server(), "the server was stopped", false).await?;
        self.keep(&mut runs, drills).await;
        let mut interrupted: Vec<Run> = real.into_iter().filter(|run| run.state == State::Running).collect();
        self.carry_out(&mut interrupted).await;
        self.keep(&mut runs, interrupted).await;
        Ok(())
    }

    async fn work(self, noticed: Noticed) {
        let mut interval = tokio::time::interval(LOOK);
        let (mut rules, mut looks): (Option<Rules>, u32) = (None, 0);
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
                // What was only said may be done now.
                self.0.runs.lock().await.rehearsed.clear();
            }
            if all {
                subjects = self.0.engine.risks().subjects();
                subjects.extend(self.0.engine.posture().ids().into_iter().map(Subject::Identity));
            }
            for some in subjects.chunks(AT_ONCE) {
                self.look(some, &snapshot).await;
            }
            if !told {
                self.look_at_open(&snapshot, all).await;
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(BOUND)
                    && let Err(error) = self.0.store.bound_runs().await
                {
                    tracing::debug!(%error, "old runs of playbooks could not be dropped");
                }
            }
        }
    }

    /// Why a playbook is to run against somebody now.
    fn cause(&self, playbook: &Playbook, subject: Subject, snapshot: &Snapshot, now: Timestamp) -> Option<Cause> {
        let identity = match subject {
            Subject::Identity(id) => Some(snapshot.identities.by_id(id)?),
            Subject::Mac(_) => None,
        };
        if playbook.mode == Mode::Off || !playbook.is_for(identity.map(AsRef::as_ref)) {
            return None;
        }
        let risk = self.0.engine.risks().risk(subject, &snapshot.risk, now);
        let verdict = identity.map(|i| self.0.engine.posture().verdict(i, &snapshot.compliance, now));
        playbook.cause(&risk, verdict.as_deref())
    }

    /// Looks at some of whom something was noticed.
    async fn look(&self, subjects: &[Subject], snapshot: &Arc<Snapshot>) {
        if snapshot.playbooks.is_empty() {
            return;
        }
        let now = self.0.clock.now();
        let mut runs = self.0.runs.lock().await;
        let (mut begun, mut recovered, mut unmuted, mut live) = (Vec::new(), Vec::new(), Vec::new(), None);
        for subject in subjects {
            for playbook in snapshot.playbooks.iter() {
                let key = (playbook.name.to_string(), *subject);
                let cause = self.cause(playbook, *subject, snapshot, now);
                let Some(cause) = cause else {
                    runs.rehearsed.remove(&key);
                    unmuted.extend(runs.muted.remove(&key));
                    let over = |run: &&Run| run.purpose == Purpose::Real && playbook.release.automatic;
                    recovered.extend(runs.open.get(&key).filter(over).cloned());
                    continue;
                };
                let same = |run: &Run| cause.at.is_none() || cause.at <= run.released();
                if runs.open.contains_key(&key)
                    || runs.rehearsed.contains(&key)
                    || runs.muted.get(&key).is_some_and(same)
                {
                    continue;
                }
                if runs.open.len() + begun.len() >= MAX_OPEN {
                    tracing::warn!(playbook = key.0, "{MAX_OPEN} runs are not over: no more are begun");
                    break;
                }
                if !self.is_at(playbook, *subject, snapshot).await {
                    continue;
                }
                unmuted.extend(runs.muted.remove(&key));
                let live = match live {
                    Some(live) => live,
                    None => *live.insert(self.0.store.count_live_sessions().await.unwrap_or_default()),
                };
                begun.push(begin(&mut runs, playbook, *subject, (cause, live), snapshot, now));
            }
        }
        for run in &mut unmuted {
            run.muted = false;
        }
        self.save(&unmuted, false).await;
        if !recovered.is_empty() {
            if let Err(error) = self.undo(&mut recovered, &By::server(), "its cause is gone", false).await {
                tracing::warn!(%error, "runs of playbooks are not taken back yet");
                self.0.again.store(true, Ordering::Relaxed);
            }
            self.keep(&mut runs, recovered).await;
        }
        // First that it runs, so that a crash leaves nobody contained whom no run would release.
        if !begun.is_empty() && self.save(&begun, false).await {
            self.carry_out(&mut begun).await;
            self.keep(&mut runs, begun).await;
        }
    }

    /// Whether somebody is where a playbook is for.
    async fn is_at(&self, playbook: &Playbook, subject: Subject, snapshot: &Snapshot) -> bool {
        if playbook.sites.is_empty() {
            return true;
        }
        let (name, mac);
        let of = match subject {
            Subject::Identity(id) => match snapshot.identities.by_id(id) {
                Some(identity) => {
                    name = identity.name.to_string();
                    Of::Identity(&name)
                }
                None => return false,
            },
            Subject::Mac(address) => {
                mac = address.to_string();
                Of::Mac(&mac)
            }
        };
        let sessions = self.0.store.live_sessions(of, self.0.clock.now(), None, MAX_SESSIONS).await;
        let sessions = sessions.map(|page| page.items).unwrap_or_default();
        sessions.iter().any(|(session, _)| {
            let site = snapshot.nas.named(&session.key.nas_name).and_then(|nas| nas.site.clone());
            site.is_some_and(|site| playbook.sites.contains(site.as_str()))
        })
    }

    /// Looks at runs that are not over: whose time is, and, if `all`, whose cause is gone.
    async fn look_at_open(&self, snapshot: &Arc<Snapshot>, all: bool) {
        let now = self.0.clock.now();
        let mut runs = self.0.runs.lock().await;
        let (mut timed, mut gone) = (Vec::new(), Vec::new());
        for run in runs.open.values().filter(|run| run.purpose == Purpose::Real) {
            let Some(playbook) = snapshot.playbooks.iter().find(|known| *known.name == *run.playbook) else { continue };
            if playbook.release.after.is_some_and(|after| run.began + after <= now) {
                timed.push(run.clone());
            } else if all && playbook.release.automatic && self.cause(playbook, run.subject, snapshot, now).is_none() {
                gone.push(run.clone());
            }
        }
        for (mut some, why, muted) in [(timed, "its time is over", true), (gone, "its cause is gone", false)] {
            if some.is_empty() {
                continue;
            }
            if let Err(error) = self.undo(&mut some, &By::server(), why, muted).await {
                tracing::warn!(%error, "runs of playbooks are not taken back yet");
                self.0.again.store(true, Ordering::Relaxed);
            }
            self.keep(&mut runs, some).await;
        }
    }

    /// Stores runs; with `tell`, webhooks are told where they stand. Whether it was done.
    async fn save(&self, runs: &[Run], tell: bool) -> bool {
        if runs.is_empty() {
            return true;
        }
        let now = self.0.clock.now();
        let told = runs.iter().filter(|_| tell).map(|run| Message::of_run(run, run.state.code(), now));
        let told: Vec<Message> = told.collect();
        let saved = self.0.store.save_runs(runs, &told).await;
        if let Err(error) = &saved {
            tracing::warn!(%error, "runs of playbooks could not be stored");
            self.0.again.store(true, Ordering::Relaxed);
        }
        saved.is_ok()
    }

    /// Takes in where runs stand, and stores it.
    async fn keep(&self, runs: &mut Runs, some: Vec<Run>) {
        for run in &some {
            tracing::info!(playbook = run.playbook, who = run.who, state = run.state.code(), "{}", run.cause.what);
        }
        self.save(&some, true).await;
        for run in some {
            let key = (run.playbook.clone(), run.subject);
            if run.state.is_open() {
                runs.open.insert(key, run);
                continue;
            }
            runs.open.remove(&key);
            if run.purpose == Purpose::DryRun && runs.rehearsed.len() < MAX_OPEN {
                runs.rehearsed.insert(key);
            } else if run.muted {
                runs.muted.insert(key, run);
            }
        }
    }

    /// Takes a run back, whatever its cause; it does not begin anew for the same.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn release(&self, id: RunId, by: &By, reason: &str) -> Result<Run, NotDone> {
        let mut runs = self.0.runs.lock().await;
        let Some(run) = runs.open.values().find(|run| run.id == id).cloned() else {
            return Err(self.closed(id).await?);
        };
        let mut some = vec![run];
        self.undo(&mut some, by, reason, true).await?;
        let run = some[0].clone();
        self.keep(&mut runs, some).await;
        self.0.store.audit_run(&run, "playbook.release", by, reason, self.0.clock.now()).await?;
        Ok(run)
    }

    /// Goes on with a run that is held, and tries again what has failed.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn go_on(&self, id: RunId, by: &By, reason: &str) -> Result<Run, NotDone> {
        let mut runs = self.0.runs.lock().await;
        let Some(mut run) = runs.open.values().find(|run| run.id == id).cloned() else {
            return Err(self.closed(id).await?);
        };
        if !run.go_on() {
            return Err(NotDone::State(run.state.code()));
        }
        self.0.store.audit_run(&run, "playbook.go_on", by, reason, self.0.clock.now()).await?;
        let mut some = vec![run];
        self.carry_out(&mut some).await;
        let run = some[0].clone();
        self.keep(&mut runs, some).await;
        Ok(run)
    }

    async fn closed(&self, id: RunId) -> Result<NotDone, StoreError> {
        Ok(self.0.store.run(id).await?.map_or(NotDone::Missing, |run| NotDone::State(run.state.code())))
    }

    /// Whether they are stopped, and how many runs are held.
    pub async fn state(&self) -> (Option<Stopped>, usize, usize) {
        let runs = self.0.runs.lock().await;
        let held = runs.open.values().filter(|run| matches!(run.state, State::Held { .. })).count();
        (runs.stopped.clone(), runs.open.len(), held)
    }

    /// Stops all: what would begin from now on is held. What is contained stays so.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn stop(&self, by: &By, reason: &str) -> Result<(), StoreError> {
        let mut runs = self.0.runs.lock().await;
        let at = self.0.clock.now();
        self.0.store.stop_playbooks(true, by, reason, at).await?;
        runs.stopped = Some(Stopped { at, by: by.actor.clone(), reason: reason.to_owned() });
        Ok(())
    }

    /// Lets them go on; what is held is done if `go`, and dropped otherwise. How many that were.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn resume(&self, go: bool, by: &By, reason: &str) -> Result<usize, StoreError> {
        let mut runs = self.0.runs.lock().await;
        self.0.store.stop_playbooks(false, by, reason, self.0.clock.now()).await?;
        runs.stopped = None;
        let held = runs.open.values().filter(|run| matches!(run.state, State::Held { .. }));
        let mut held: Vec<Run> = held.cloned().collect();
        if go {
            for run in &mut held {
                run.go_on();
            }
            self.carry_out(&mut held).await;
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

/// Begins a run, which is held where playbooks are stopped or the playbook has done enough.
fn begin(
    runs: &mut Runs,
    playbook: &Playbook,
    subject: Subject,
    (cause, live): (Cause, u64),
    snapshot: &Snapshot,
    now: Timestamp,
) -> Run {
    let mut run = Run::begin(playbook, subject, who(subject, snapshot), cause, false, now);
    if run.state == State::Running {
        if let Some(Stopped { by, .. }) = &runs.stopped {
            run.hold(format!("playbooks were stopped by {by}"));
        } else if playbook.contains()
            && let Err(why) = runs.budgets.entry(run.playbook.clone()).or_default().begin(&playbook.limits, live, now)
        {
            tracing::warn!(playbook = run.playbook, who = run.who, "{why}: it waits for an operator");
            run.hold(why);
        }
    }
    run
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
