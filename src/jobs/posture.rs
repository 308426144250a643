//! Reports of posture: taken in, durable before they are acknowledged, and told to those who look at sessions.
//!
//! Many are written in one transaction: what arrives while one is on its way goes with the next.

use super::playbooks::Noticed;
use super::reevaluate::{Reevaluate, Scope, Those};
use super::shared_signals::standing::Standings;
use crate::access::Engine;
use crate::ids::IdentityId;
use crate::inventory::identity::Identity;
use crate::posture::compliance::Verdict;
use crate::posture::report::{Refused, Report};
use crate::posture::table::Judged;
use crate::signals::signal::Subject;
use crate::store::posture::PostureRow;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// Reports that wait to be written. Beyond it, who reports is asked to come again.
const QUEUE: usize = 10_000;
/// Reports of one transaction.
const BATCH: usize = 1_000;
/// How often it is looked whose values grow stale and whose grace ends.
const LOOK: Duration = Duration::from_millis(250);
/// Identities that are judged again in one look: all, so fast that nobody waits for it.
const AT_ONCE: usize = 10_000;
/// How long changes are gathered before sessions are looked at: long enough for a storm to be one look, short
/// enough for two seconds to the switch.
const GATHER: Duration = Duration::from_millis(50);

/// Why a report is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// There is no such identity.
    #[error("there is no identity with the id {0}")]
    Unknown(IdentityId),
    /// It says something of another time.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There are too many at once.
    #[error("too many reports wait to be stored; send it again in a second")]
    Busy,
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct Waiting {
    identity: IdentityId,
    done: oneshot::Sender<Result<(), StoreError>>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<Clock>,
    /// Who tells others whose compliance has changed.
    standings: Standings,
    noticed: Noticed,
    /// Whose sessions may come to something else.
    changed: Mutex<BTreeMap<IdentityId, String>>,
    wake: Notify,
}

/// Takes reports in. Cloning it shares the one who stores them.
#[derive(Clone, Debug)]
pub struct Intake {
    shared: Arc<Shared>,
    waiting: mpsc::Sender<Waiting>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Intake {
    /// Takes in what was stored: before anybody is answered, so that nobody is let in by a restart.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recall(store: &Store, engine: &Engine, now: Timestamp) -> Result<(), StoreError> {
        store.posture(|id, kept| engine.posture().recall(id, kept, now)).await
    }

    /// Begins to work: stores reports, judges what grows stale, and has sessions looked at.
    pub fn start(
        store: Store,
        engine: Arc<Engine>,
        clock: Arc<Clock>,
        reevaluate: Reevaluate,
        standings: Standings,
        noticed: Noticed,
    ) -> Intake {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (changed, wake) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { store, engine, clock, noticed, standings, changed, wake });
        let intake = Intake { shared: shared.clone(), waiting: sender };
        tokio::spawn(write(shared.clone(), receiver));
        tokio::spawn(tell(shared, reevaluate));
        tokio::spawn(intake.clone().watch());
        intake
    }

    /// Takes a report in. When it returns, the report is durable, and decisions go by it.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub async fn report(&self, report: &Report) -> Result<Arc<Verdict>, NotTaken> {
        let Shared { engine, clock, .. } = &*self.shared;
        let snapshot = engine.snapshot();
        let identity = snapshot.identities.by_id(report.identity).ok_or(NotTaken::Unknown(report.identity))?;
        let place = self.waiting.try_reserve().map_err(|_| NotTaken::Busy)?;
        let now = clock.now();
        let Some(judged) = engine.posture().take(report, identity, &snapshot.compliance, now)? else {
            return Ok(engine.posture().verdict(identity, &snapshot.compliance, now));
        };
        self.shared.note(identity, &judged);
        let (done, stored) = oneshot::channel();
        place.send(Waiting { identity: identity.id, done });
        // Only the end of the server drops it.
        stored.await.unwrap_or_else(|_| Err(StoreError::Database(Arc::new(sqlx::Error::PoolClosed))))?;
        Ok(judged.now)
    }

    /// Judges somebody again, as when a report comes.
    pub fn judge_again(&self, identity: &Identity) {
        let Shared { engine, clock, noticed, .. } = &*self.shared;
        if let Some(judged) = engine.posture().again(identity, &engine.snapshot().compliance, clock.now()) {
            self.shared.note(identity, &judged);
        }
        // Who is contained is released, if that is due.
        noticed.note(Subject::Identity(identity.id));
    }

    /// Has the sessions of somebody looked at who would come to something else.
    pub fn look_again(&self, identity: &Identity) {
        self.shared.look_at(identity);
    }

    /// What the time alone changes: values grow stale, graces end.
    async fn watch(self) {
        let Shared { engine, clock, store, .. } = &*self.shared;
        let mut interval = tokio::time::interval(LOOK);
        let mut compliance = engine.snapshot().compliance.clone();
        loop {
            interval.tick().await;
            let (snapshot, now) = (engine.snapshot(), clock.now());
            let mut due = engine.posture().overdue(AT_ONCE, now);
            if !Arc::ptr_eq(&compliance, &snapshot.compliance) {
                compliance = snapshot.compliance.clone();
                due = engine.posture().ids();
            }
            for id in due {
                match snapshot.identities.by_id(id) {
                    Some(identity) => {
                        if let Some(judged) = engine.posture().again(identity, &snapshot.compliance, now) {
                            self.shared.note(identity, &judged);
                        }
                    }
                    None => {
                        engine.posture().forget(id);
                        if let Err(error) = store.forget_posture(id).await {
                            tracing::debug!(%error, "the posture of who is no more is stored still");
                        }
                    }
                }
            }
        }
    }
}

impl Shared {
    fn note(&self, identity: &Identity, judged: &Judged) {
        if judged.differs() {
            self.noticed.note(Subject::Identity(identity.id));
            tracing::debug!(identity = &*identity.name, status = judged.now.status.code(), "its posture has changed");
            self.standings.note(identity.id);
            self.look_at(identity);
        }
    }

    /// Has the sessions of somebody looked at.
    fn look_at(&self, identity: &Identity) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.insert(identity.id, identity.name.to_string());
        self.wake.notify_one();
    }
}

/// Has the sessions looked at of all whose posture has changed.
async fn tell(shared: Arc<Shared>, reevaluate: Reevaluate) {
    loop {
        shared.wake.notified().await;
        tokio::time::sleep(GATHER).await;
        let changed = std::mem::take(&mut *shared.changed.lock().unwrap_or_else(PoisonError::into_inner));
        if !changed.is_empty() {
            let those = Those { identities: changed, ..Those::default() };
            reevaluate.ask(Scope::Those(those), "posture");
        }
    }
}

async fn write(shared: Arc<Shared>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let mut dones = Vec::with_capacity(batch.len());
        let mut ids = BTreeSet::new();
        for Waiting { identity, done } in batch.drain(..) {
            ids.insert(identity);
            dones.push(done);
        }
        // As it is now: of several reports of one identity the latest holds what the others told.
        let known = |id: IdentityId| {
            let (kept, status) = shared.engine.posture().stored(id)?;
            Some(PostureRow { identity: id, status: status.code(), kept })
        };
        let rows: Vec<PostureRow> = ids.into_iter().filter_map(known).collect();
        let stored = save(&shared, &rows, shared.clock.now()).await;
        for done in dones {
            // Who does not wait any more needs no answer.
            let _ = done.send(stored.clone());
        }
    }
}

async fn save(shared: &Shared, rows: &[PostureRow], now: Timestamp) -> Result<(), StoreError> {
    let stored = shared.store.save_posture(rows, now).await;
    if let Err(error) = &stored {
        tracing::warn!(%error, "reports of posture could not be stored");
    }
    stored
}
