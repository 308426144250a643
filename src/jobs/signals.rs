//! Signals: led back to whom they are about, durable before they are acknowledged, added to the risk of those, and told
//! to those who look at sessions.
//!
//! All sources go this one way: other systems, what is seen of endpoints, and detectors. Many are written in one
//! transaction: what arrives while one is on its way goes with the next.

use super::playbooks::Noticed;
use super::reevaluate::{Reevaluate, Scope, Those};
use super::shared_signals::standing::Standings;
use crate::access::Engine;
use crate::audit::decision::IdentityRef;
use crate::audit::event::By;
use crate::ids::{DecisionId, IdentityId, SignalId};
use crate::inventory::mac::MacAddress;
use crate::session::Session;
use crate::signals::detect::{Detectors, Seen};
use crate::signals::risk::Risk;
use crate::signals::signal::{About, MAX_HALF_LIFE, MIN_HALF_LIFE, Signal, Subject, Told, Untimely, timely};
use crate::signals::table::Moved;
use crate::store::feed::Feed;
use crate::store::read::Held;
use crate::store::signals::Settling;
use crate::store::writer::{Tapped, Writer};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// Signals that wait to be written. Beyond it, who tells is asked to come again.
const QUEUE: usize = 10_000;
/// Signals of one transaction.
const BATCH: usize = 1_000;
/// How often it is looked whose risk has fallen.
const LOOK: Duration = Duration::from_millis(250);
/// Those that are judged again in one look: all, so fast that nobody waits for it.
const AT_ONCE: usize = 10_000;
/// How long changes are gathered before sessions are looked at: long enough for a storm to be one look, short
/// enough for two seconds to the switch.
const GATHER: Duration = Duration::from_millis(50);
/// How far back signals are read at the start: more than eight of the longest half-lives, after which none counts.
const KEPT: Duration = Duration::from_secs(60 * 24 * 3600);
/// How often it is stored what is usual of identities: what a crash loses is learned again.
const SAVE: Duration = Duration::from_secs(60);
/// Logins whose identity is kept in mind, at most; that of others is looked up.
const MAX_HOLDERS: usize = 200_000;
/// How often it is looked whether too many are stored.
const BOUND: Duration = Duration::from_secs(60);

/// Why a signal is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// There is no such identity.
    #[error("there is no identity with the id {0}")]
    Unknown(IdentityId),
    /// It says something of another time.
    #[error(transparent)]
    Untimely(#[from] Untimely),
    /// There are too many at once.
    #[error("too many signals wait to be stored; send it again in a second")]
    Busy,
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of a signal.
#[derive(Clone, PartialEq, Debug)]
pub struct Taken {
    /// The signal; of one that its source had told before, the id is the earlier one's.
    pub signal: Signal,
    /// Whether its source had told it before: then nothing has changed.
    pub known: bool,
    /// The risk of whom it is about.
    pub risk: Risk,
}

struct Waiting {
    signal: Signal,
    done: oneshot::Sender<Result<Option<SignalId>, StoreError>>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("signal", &self.signal.id).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Shared {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<Clock>,
    feed: Feed,
    /// Who tells others whose risk has changed.
    standings: Standings,
    noticed: Noticed,
    /// Whose sessions may come to something else.
    changed: Mutex<Those>,
    wake: Notify,
}

/// What was taken up, and what is stored since.
#[derive(Debug)]
pub struct Recalled {
    feed: Feed,
    tapped: mpsc::Receiver<Tapped>,
    detectors: Detectors,
}

/// Takes signals in. Cloning it shares the one who stores them.
#[derive(Clone, Debug)]
pub struct Signals {
    shared: Arc<Shared>,
    waiting: mpsc::Sender<Waiting>,
}

impl Signals {
    /// Takes up what was stored: before anybody is answered, so that nobody is let in by a restart. What is stored from now on waits in
    /// what it gives.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recall(
        store: &Store,
        writer: &Writer,
        engine: &Engine,
        now: Timestamp,
    ) -> Result<Recalled, StoreError> {
        let tapped = writer.tap();
        let settings = engine.snapshot().risk.clone();
        // Each as of its own time, so that a level that falls late is what it was before the server was stopped.
        let recall = |signal: Signal| drop(engine.risks().take(&signal, &settings, signal.at.min(now)));
        store.counting_signals(now - KEPT, recall).await?;
        for subject in engine.risks().subjects() {
            engine.risks().again(subject, &settings, now);
        }
        let mut detectors = Detectors::default();
        store.baselines(|identity, baseline| detectors.recall(identity, baseline)).await?;
        Ok(Recalled { feed: writer.feed().clone(), tapped, detectors })
    }

    /// Begins to work: stores signals, looks whose risk has fallen, and has sessions looked at.
    pub fn start(
        recalled: Recalled,
        store: Store,
        engine: Arc<Engine>,
        clock: Arc<Clock>,
        reevaluate: Reevaluate,
        standings: Standings,
        noticed: Noticed,
    ) -> Signals {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let Recalled { feed, tapped, detectors } = recalled;
        let (changed, wake) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { store, engine, clock, feed, noticed, standings, changed, wake });
        tokio::spawn(write(shared.clone(), receiver));
        tokio::spawn(tell(shared.clone(), reevaluate));
        tokio::spawn(watch(shared.clone()));
        let signals = Signals { shared, waiting: sender };
        tokio::spawn(listen(signals.clone(), Watcher { detectors, holders: HashMap::new() }, tapped));
        signals
    }

    /// Takes a signal in. When it returns, the signal is durable, and decisions go by it.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub async fn take(&self, told: Told) -> Result<Taken, NotTaken> {
        let Shared { engine, clock, .. } = &*self.shared;
        let now = clock.now();
        let at = told.at.unwrap_or(now);
        timely(at, now)?;
        let place = self.waiting.try_reserve().map_err(|_| NotTaken::Busy)?;
        let about = self.shared.attribute(&told, at).await?;
        let mut signal = Signal {
            id: SignalId::new(at),
            at,
            received: now,
            about,
            kind: told.kind,
            severity: told.severity,
            source: told.source,
            source_id: told.source_id,
            topic: told.topic,
            detail: told.detail,
            half_life: told.half_life.map(|half| half.clamp(MIN_HALF_LIFE, MAX_HALF_LIFE)),
            evidence: told.evidence,
            settled: None,
        };
        let (done, stored) = oneshot::channel();
        place.send(Waiting { signal: signal.clone(), done });
        // Only the end of the server drops it.
        let lost = || Err(StoreError::Database(Arc::new(sqlx::Error::PoolClosed)));
        let earlier = stored.await.unwrap_or_else(|_| lost())?;
        signal.id = earlier.unwrap_or(signal.id);
        let risk = match signal.about.subject() {
            Some(subject) => engine.risks().risk(subject, &engine.snapshot().risk, clock.now()),
            None => Risk::default(),
        };
        Ok(Taken { signal, known: earlier.is_some(), risk })
    }

    /// Says of a signal that it was seen, or that it speaks against nobody; what came of it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn settle(&self, id: SignalId, dismiss: bool, by: &By, reason: &str) -> Result<Settling, StoreError> {
        let Shared { store, engine, clock, feed, .. } = &*self.shared;
        let now = clock.now();
        let settling = store.settle_signal(id, dismiss, by, reason, now).await?;
        if let Settling::Done(signal, ids) = &settling {
            if let Some(subject) = signal.about.subject().filter(|_| dismiss) {
                let moved = engine.risks().dismiss(subject, ids, &engine.snapshot().risk, now);
                self.shared.note(subject, moved.as_ref());
            }
            feed.publish_signals(std::iter::once((&**signal, self.shared.name(signal))));
        }
        Ok(settling)
    }
}

impl Shared {
    /// Whom a signal is about: who it names, or else who has the session or the addresses that it names.
    async fn attribute(&self, told: &Told, at: Timestamp) -> Result<About, NotTaken> {
        let snapshot = self.engine.snapshot();
        let mut about = About { identity: told.identity, mac: told.mac, session: told.session, ..About::default() };
        if let Some(id) = told.identity {
            snapshot.identities.by_id(id).ok_or(NotTaken::Unknown(id))?;
        } else if let Some(id) = told.session {
            if let Some(session) = self.store.session(id).await? {
                self.holder(&mut about, &session).await?;
            }
        } else if let Some(mac) = told.mac.filter(|_| !told.claimed) {
            about.identity = snapshot.identities.by_mac(mac).map(|identity| identity.id);
            if about.identity.is_none()
                && let Some(session) = self.holds(&Held::Mac(mac.to_string()), at).await?
            {
                self.holder(&mut about, &session).await?;
            }
        }
        if about.subject().is_none() {
            for ip in &told.ips {
                if let Some(session) = self.holds(&Held::Ip(ip.to_string()), at).await? {
                    about.ip = Some(*ip);
                    self.holder(&mut about, &session).await?;
                    break;
                }
            }
        }
        about.ip = about.ip.or(told.ips.first().copied());
        Ok(about)
    }

    /// Whose session had this: at the time, or else now, if that session had begun by then: an address is often told
    /// of after it was given.
    async fn holds(&self, what: &Held, at: Timestamp) -> Result<Option<Session>, StoreError> {
        if let Some(session) = self.store.holders(what, at).await?.into_iter().next() {
            return Ok(Some(session));
        }
        let now = self.store.holders(what, self.clock.now()).await?;
        Ok(now.into_iter().find(|session| session.started_at() <= at))
    }

    /// Adds the holder of a session.
    async fn holder(&self, about: &mut About, session: &Session) -> Result<(), StoreError> {
        about.session = Some(session.id);
        about.mac = about.mac.or_else(|| session.mac().and_then(|mac| MacAddress::parse(mac).ok()));
        if let Some(decision) = session.decision() {
            let decision = self.store.decision(decision).await?;
            about.identity = decision.and_then(|decision| decision.identity).map(|identity| identity.id);
        }
        Ok(())
    }

    /// Adds a signal that is stored to the risk of whom it is about.
    fn add(&self, signal: &Signal) {
        if let Some(subject) = signal.about.subject() {
            let moved = self.engine.risks().take(signal, &self.engine.snapshot().risk, self.clock.now());
            self.note(subject, moved.as_ref());
        }
    }

    fn name(&self, signal: &Signal) -> Option<String> {
        let snapshot = self.engine.snapshot();
        snapshot.identities.by_id(signal.about.identity?).map(|identity| identity.name.to_string())
    }

    /// Notes whose sessions are to be looked at.
    fn note(&self, subject: Subject, moved: Option<&Moved>) {
        if moved.is_some() {
            self.noticed.note(subject);
        }
        let Some(moved) = moved.filter(|moved| moved.differs()) else { return };
        let level = moved.now.level.code();
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        match subject {
            Subject::Identity(id) => {
                self.standings.note(id);
                let Some(identity) = self.engine.snapshot().identities.by_id(id).cloned() else { return };
                tracing::debug!(identity = &*identity.name, level, score = moved.now.score, "its risk has changed");
                changed.identities.insert(id, identity.name.to_string());
            }
            Subject::Mac(mac) => {
                tracing::debug!(%mac, level, score = moved.now.score, "its risk has changed");
                changed.macs.insert(mac.to_string());
            }
        }
        self.wake.notify_one();
    }
}

/// What the time alone changes, and other weights.
async fn watch(shared: Arc<Shared>) {
    let Shared { engine, clock, .. } = &*shared;
    let mut interval = tokio::time::interval(LOOK);
    let mut settings = engine.snapshot().risk.clone();
    loop {
        interval.tick().await;
        let (snapshot, now) = (engine.snapshot(), clock.now());
        let mut due = engine.risks().overdue(AT_ONCE, now);
        if settings != snapshot.risk {
            settings = snapshot.risk.clone();
            due = engine.risks().subjects();
        }
        for subject in due {
            let moved = engine.risks().again(subject, &settings, now);
            shared.note(subject, moved.as_ref());
        }
    }
}

/// Has the sessions looked at of all whose risk has changed.
async fn tell(shared: Arc<Shared>, reevaluate: Reevaluate) {
    loop {
        shared.wake.notified().await;
        tokio::time::sleep(GATHER).await;
        let changed = std::mem::take(&mut *shared.changed.lock().unwrap_or_else(PoisonError::into_inner));
        if !changed.is_empty() {
            reevaluate.ask(Scope::Those(changed), "risk");
        }
    }
}

/// The detectors, and whose logins led to what sessions use.
#[derive(Debug)]
struct Watcher {
    detectors: Detectors,
    holders: HashMap<DecisionId, Option<IdentityRef>>,
}

impl Watcher {
    /// What is unusual about what was seen.
    async fn look(&mut self, shared: &Shared, seen: Seen) -> Result<Vec<Told>, StoreError> {
        if self.holders.len() >= MAX_HOLDERS {
            self.holders.clear();
        }
        match seen {
            Seen::Login(login) => {
                if login.identity().is_some() {
                    self.holders.insert(login.decision(), login.identity().cloned());
                }
                Ok(self.detectors.login(&login, shared.engine.snapshot().risk.travel))
            }
            Seen::Use { decision, at, octets, began } => {
                let holder = match self.holders.entry(decision) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let found = shared.store.decision(decision).await?;
                        place.insert(found.and_then(|decision| decision.identity))
                    }
                };
                let used = |holder: &IdentityRef| self.detectors.used(holder, at, octets, began);
                Ok(holder.as_ref().map_or_else(Vec::new, used))
            }
        }
    }
}

/// Takes up what was stored with logins, contacts and accounting: signals about endpoints, and what detectors look at.
async fn listen(signals: Signals, mut watcher: Watcher, mut tapped: mpsc::Receiver<Tapped>) {
    let shared = &*signals.shared;
    let mut saved = tokio::time::Instant::now();
    while let Some(Tapped { seen, signals: about }) = tapped.recv().await {
        for signal in &about {
            shared.add(signal);
        }
        shared.feed.publish_signals(about.iter().map(|signal| (signal, shared.name(signal))));
        for seen in seen {
            let found = watcher.look(shared, seen).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "whose session it is cannot be read");
                Vec::new()
            });
            for told in found {
                let kind = told.kind.code();
                if let Err(error) = signals.take(told).await {
                    tracing::debug!(%error, kind, "what is unusual is not told");
                }
            }
        }
        if saved.elapsed() >= SAVE {
            saved = tokio::time::Instant::now();
            if let Err(error) = shared.store.save_baselines(&watcher.detectors.changed()).await {
                tracing::warn!(%error, "what is usual of identities could not be stored");
            }
        }
    }
}

async fn write(shared: Arc<Shared>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut bounded = tokio::time::Instant::now();
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let (signals, dones): (Vec<Signal>, Vec<_>) =
            batch.drain(..).map(|Waiting { signal, done }| (signal, done)).unzip();
        match shared.store.save_signals(&signals).await {
            Ok(earlier) => {
                let new = signals.iter().zip(&earlier).filter(|(_, earlier)| earlier.is_none());
                let new: Vec<&Signal> = new.map(|(signal, _)| signal).collect();
                for signal in &new {
                    shared.add(signal);
                }
                shared.feed.publish_signals(new.iter().map(|signal| (*signal, shared.name(signal))));
                for (done, earlier) in dones.into_iter().zip(earlier) {
                    // Who does not wait any more needs no answer.
                    let _ = done.send(Ok(earlier));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "signals could not be stored");
                for done in dones {
                    let _ = done.send(Err(error.clone()));
                }
            }
        }
        if bounded.elapsed() >= BOUND {
            bounded = tokio::time::Instant::now();
            if let Err(error) = shared.store.bound_signals().await {
                tracing::debug!(%error, "old signals could not be dropped");
            }
        }
    }
}
