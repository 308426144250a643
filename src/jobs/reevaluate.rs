//! Sessions are looked at again when what they were let in by changes, and from
//! time to time: those that would come to something else are found first, and
//! then changed. Who is let in for a while stays no longer.

use super::changes::Wake;
use crate::access::changes::{Ordering, Wanted, is_due};
use crate::access::reevaluate::{Difference, Standing, look};
use crate::access::{Engine, Snapshot};
use crate::audit::decision::Decision;
use crate::audit::event::By;
use crate::coa::Settings;
use crate::coa::life::Ending;
use crate::coa::wave::{SMALL, Wave};
use crate::ids::{DecisionId, IdentityId, SessionId, WaveId};
use crate::session::state::Session;
use crate::store::read::Of;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool};
use std::time::Duration;
use tokio::sync::mpsc;

/// Sessions of one page.
const PAGE: u32 = 500;
/// Changes of one pass. Beyond it the next one finds the others.
const MAX_FOUND: usize = 200_000;
/// How often it is looked whose time is over, and at sessions that are new.
const SWEEP: Duration = Duration::from_secs(5);
/// How far back new sessions are looked for: their ids are those of their
/// beginning, and records may come later.
const NEW: Duration = Duration::from_secs(30);
/// How long after a change a login may still have been judged by what was before.
const MARGIN: Duration = Duration::from_secs(2);
/// Sessions whose end by the time alone is remembered: those that end before the
/// next look at all. Beyond it that look finds them.
const MAX_TIMED: usize = 1_000_000;
/// How long a pass waits for records of logins that are on their way to the
/// database.
const PATIENCE: Duration = Duration::from_secs(1);
/// Identities and MAC addresses whose sessions are looked for by name. If more have changed, all
/// sessions are looked at.
const MAX_NAMED: usize = 50;
/// Of whom it is remembered when something changed; beyond, it is for all.
const MAX_CHANGED: usize = 100_000;
/// Requests for a pass that wait. One more is a pass of its own for all.
const QUEUE: usize = 64;

/// Whose sessions to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Everybody's.
    All,
    /// Those of these, and of nobody else.
    Those(Those),
}

/// Some of all whose sessions there are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Those {
    /// Identities, by id and name.
    pub identities: BTreeMap<IdentityId, String>,
    /// MAC addresses, in the normal spelling.
    pub macs: BTreeSet<String>,
}

impl Those {
    /// Whether it is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many they are.
    fn len(&self) -> usize {
        self.identities.len() + self.macs.len()
    }
}

impl Scope {
    fn join(self, other: Scope) -> Scope {
        match (self, other) {
            (Scope::Those(mut some), Scope::Those(more)) => {
                some.identities.extend(more.identities);
                some.macs.extend(more.macs);
                Scope::Those(some)
            }
            _ => Scope::All,
        }
    }
}

/// Asks for a look at sessions.
#[derive(Clone, Debug)]
struct Request {
    scope: Scope,
    trigger: String,
    at: Timestamp,
}

/// Asks for looks at sessions, from wherever something becomes known that they
/// depend on. Cloning it shares the one who looks.
#[derive(Clone, Debug)]
pub struct Reevaluate {
    requests: mpsc::Sender<Request>,
    /// Whether there was no room for one: then it is not known what it was about.
    missed: Arc<AtomicBool>,
    clock: Arc<Clock>,
}

impl Reevaluate {
    /// Sessions of this scope are to be looked at, because of `trigger`. Returns at
    /// once.
    pub fn ask(&self, scope: Scope, trigger: &str) {
        let request = Request { scope, trigger: trigger.to_owned(), at: self.clock.now() };
        if self.requests.try_send(request).is_err() {
            self.missed.store(true, atomic::Ordering::Relaxed);
            tracing::warn!(trigger, "too much changes at once: sessions are looked at with the next look at all");
        }
    }
}

/// A session that would come to something else.
struct Found {
    session: Session,
    decision: Decision,
    difference: Difference,
}

/// When it was told last that something has changed, about whom.
#[derive(Debug)]
struct Changed {
    all: Timestamp,
    identities: HashMap<IdentityId, Timestamp>,
    macs: HashMap<String, Timestamp>,
}

impl Changed {
    fn note(&mut self, scope: &Scope, now: Timestamp) {
        if let Scope::Those(those) = scope
            && self.identities.len() + self.macs.len() < MAX_CHANGED
        {
            self.identities.extend(those.identities.keys().map(|id| (*id, now)));
            self.macs.extend(those.macs.iter().map(|mac| (mac.clone(), now)));
        } else {
            *self = Changed { all: now, identities: HashMap::new(), macs: HashMap::new() };
        }
    }

    /// When something changed that a login of this endpoint goes by.
    fn for_whom(&self, decision: &Decision) -> Timestamp {
        let identity = decision.identity.as_ref().and_then(|identity| self.identities.get(&identity.id));
        let mac = decision.mac.as_ref().and_then(|mac| self.macs.get(mac));
        identity.into_iter().chain(mac).fold(self.all, |latest, at| latest.max(*at))
    }
}

/// What a pass has seen.
#[derive(Default)]
struct Seen {
    /// Sessions that go on.
    live: u64,
    /// Those that could not be judged, by why.
    alone: BTreeMap<&'static str, u64>,
    /// Those that come to what they came to, or are left alone: nothing is to be done.
    same: HashSet<SessionId>,
    found: Vec<Found>,
    /// When the time alone ends one.
    until: Vec<(Timestamp, SessionId)>,
}

impl Seen {
    fn take(&mut self, page: Vec<(Session, Option<Decision>)>, snapshot: &Snapshot, engine: &Engine, now: Timestamp) {
        for (session, decision) in page {
            self.live += 1;
            let Some(decision) = decision else {
                *self.alone.entry("no decision of ours is known for it").or_default() += 1;
                continue;
            };
            let seen = look(&decision, snapshot, &engine.known(), now);
            self.until.extend(seen.until.map(|at| (at, session.id)));
            match seen.standing {
                Standing::Same => drop(self.same.insert(session.id)),
                Standing::LeftAlone(why) => {
                    *self.alone.entry(why).or_default() += 1;
                    self.same.insert(session.id);
                }
                // Nobody is moved who may be gone: what is told of the endpoint may be
                // about another session of its by now.
                Standing::Differs(difference) if difference.reason.is_none() && !session.state().is_live() => {
                    self.same.insert(session.id);
                }
                Standing::Differs(difference) if self.found.len() < MAX_FOUND => {
                    self.found.push(Found { session, decision, difference: *difference });
                }
                Standing::Differs(_) => {}
            }
        }
    }
}

/// The one who looks at sessions.
#[derive(Debug)]
pub struct Reevaluator {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<Clock>,
    wake: Wake,
    requests: mpsc::Receiver<Request>,
    missed: Arc<AtomicBool>,
    /// When the time alone ends a session.
    timed: BTreeSet<(Timestamp, SessionId)>,
    /// Sessions that are known, of those that began lately, and by which decision.
    known: HashMap<SessionId, Option<DecisionId>>,
    /// When all were looked at last.
    last: Option<Timestamp>,
    /// How many there were then.
    live: u64,
    /// What has changed, and when. A login after that was judged by what is in force.
    changed: Changed,
}

impl Reevaluator {
    /// One that writes what it finds into the queue of `store` and wakes who carries
    /// it out; and the way to ask it.
    pub fn new(store: Store, engine: Arc<Engine>, clock: Arc<Clock>, wake: Wake) -> (Self, Reevaluate) {
        let (sender, requests) = mpsc::channel(QUEUE);
        let missed = Arc::new(AtomicBool::new(false));
        let asks = Reevaluate { requests: sender, missed: missed.clone(), clock: clock.clone() };
        let (timed, known) = (BTreeSet::new(), HashMap::new());
        let changed = Changed { all: clock.now(), identities: HashMap::new(), macs: HashMap::new() };
        (Self { store, engine, clock, wake, requests, missed, timed, known, last: None, live: 0, changed }, asks)
    }

    /// Runs until the server ends.
    pub async fn run(mut self) {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                Some(request) = self.requests.recv() => {
                    let mut request = request;
                    while let Ok(more) = self.requests.try_recv() {
                        let trigger = if more.trigger == request.trigger { request.trigger }
                            else { format!("{}, {}", request.trigger, more.trigger) };
                        request = Request { scope: request.scope.join(more.scope), trigger, at: request.at };
                    }
                    self.changed.note(&request.scope, self.clock.now());
                    self.pass(request).await
                }
                _ = sweep.tick() => self.sweep().await,
            };
            if let Err(error) = done {
                // The writer of records tells of a database that is away; what was
                // missed is found by the next look at all.
                tracing::debug!(%error, "sessions could not be looked at again");
                self.last = None;
            }
        }
    }

    fn settings(&self) -> Settings {
        self.engine.snapshot().changes
    }

    /// Looks at the sessions of a scope, and orders what follows.
    async fn pass(&mut self, request: Request) -> Result<(), StoreError> {
        let Request { scope, trigger, at } = request;
        if !self.settings().reevaluate {
            return Ok(());
        }
        // A login that was decided just now is there when it has been written.
        self.store.caught_up(PATIENCE).await;
        let snapshot = self.engine.snapshot();
        let seen = match &scope {
            Scope::Those(some) if some.len() <= MAX_NAMED => self.look_at_those_of(some, &snapshot).await?,
            _ => self.look_at_all(&snapshot).await?,
        };
        let took = self.clock.now().since(at);
        tracing::debug!(trigger, live = seen.live, found = seen.found.len(), ?took, "sessions were looked at");
        let recheck = snapshot.changes.recheck;
        if scope == Scope::All {
            self.timed.clear();
            self.last = Some(self.clock.now());
            self.live = seen.live;
        }
        self.remember(&seen, self.clock.now() + recheck * 2);
        self.drop_moot(&seen).await?;
        self.order(seen, &trigger, at, &snapshot).await
    }

    async fn look_at_all(&self, snapshot: &Arc<Snapshot>) -> Result<Seen, StoreError> {
        let (mut seen, mut after) = (Seen::default(), None);
        loop {
            let page = self.store.live_sessions(Of::All, self.clock.now(), after, PAGE).await?;
            seen = self.judged(seen, page.items, snapshot).await;
            after = page.next;
            if after.is_none() {
                return Ok(seen);
            }
        }
    }

    async fn look_at_those_of(&self, those: &Those, snapshot: &Arc<Snapshot>) -> Result<Seen, StoreError> {
        let mut seen = Seen::default();
        let names = those.identities.values().map(|name| Of::Identity(name));
        for of in names.chain(those.macs.iter().map(|mac| Of::Mac(mac))) {
            let mut after = None;
            loop {
                let page = self.store.live_sessions(of, self.clock.now(), after, PAGE).await?;
                seen = self.judged(seen, page.items, snapshot).await;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(seen)
    }

    /// Judges a page where nobody waits for it.
    async fn judged(&self, mut seen: Seen, page: Vec<(Session, Option<Decision>)>, snapshot: &Arc<Snapshot>) -> Seen {
        let (engine, snapshot, now) = (self.engine.clone(), snapshot.clone(), self.clock.now());
        let judged = tokio::task::spawn_blocking(move || {
            seen.take(page, &snapshot, &engine, now);
            seen
        });
        // Only a panic fails it, which has been told then.
        judged.await.unwrap_or_default()
    }

    fn remember(&mut self, seen: &Seen, before: Timestamp) {
        for timed in seen.until.iter().filter(|(at, _)| *at < before) {
            if self.timed.len() < MAX_TIMED {
                self.timed.insert(*timed);
            }
        }
    }

    /// Changes that are still to be made, and whose session comes to what it came to
    /// at its login: what called for them was taken back.
    async fn drop_moot(&self, seen: &Seen) -> Result<(), StoreError> {
        if seen.same.is_empty() {
            return Ok(());
        }
        let mut after = None;
        loop {
            let page = self.store.automatic_changes(after, PAGE).await?;
            let moot: Vec<_> = page.items.into_iter().filter(|w| seen.same.contains(&w.order.session)).collect();
            if !moot.is_empty() {
                let count = self.store.end_changes(moot, Ending::Moot, self.clock.now()).await?;
                tracing::info!(count, "changes to sessions are not due any more");
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Orders what follows from a pass, as a wave where it is much.
    async fn order(
        &self,
        seen: Seen,
        trigger: &str,
        at: Timestamp,
        snapshot: &Arc<Snapshot>,
    ) -> Result<(), StoreError> {
        let Seen { live, alone, found, .. } = seen;
        // Of a look at some, what they are a share of is known from the last at all.
        let live = live.max(self.live);
        if !alone.is_empty() && !found.is_empty() {
            let alone: Vec<_> = alone.iter().map(|(why, n)| format!("{n}: {why}")).collect();
            tracing::info!(trigger, "sessions left alone: {}", alone.join("; "));
        }
        let sessions: Vec<_> = found.iter().map(|found| found.session.id).collect();
        let latest = self.store.latest_changes(&sessions).await?;
        let now = self.clock.now();
        let alone = found.len() <= SMALL;
        let due: Vec<Found> = found
            .into_iter()
            .filter(|found| is_due(latest.get(&found.session.id), self.wanted(found), alone, now))
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let settings = snapshot.changes;
        let total = due.len() as u64;
        let bulk = due.len() > SMALL;
        let held = bulk && settings.hold.holds(total, live);
        let begins = if held { now + settings.hold_for } else { now };
        let detail = summary(&due);
        let wave = bulk.then(|| Wave {
            id: WaveId::new(now),
            trigger: trigger.to_owned(),
            detail: detail.clone(),
            created: now,
            begins,
            total,
            live,
            aborted: None,
        });
        match &wave {
            Some(Wave { id, .. }) if held => tracing::warn!(
                wave = %id, trigger, sessions = total, of = live,
                "{detail}; this is more than [changes] hold_above, and begins at {begins}: `cordon session wave abort {id}` \
                 stops it, `cordon session wave release {id}` lets it go at once"
            ),
            Some(Wave { id, .. }) => tracing::warn!(
                wave = %id, trigger, sessions = total, of = live,
                "{detail}; `cordon session wave abort {id}` stops what is not done yet"
            ),
            None => tracing::info!(trigger, sessions = total, of = live, "{detail}"),
        }
        let turn = settings.limits.takes(total);
        let ordering = Ordering { snapshot, wave: wave.as_ref().map(|w| w.id), begins, turn, now };
        let orders = due.into_iter().map(|found| {
            let mut life = ordering.automatic(&found.session, &found.decision, found.difference, trigger);
            // What a change is late by is counted from what called for it.
            life.order_mut().cause.at = at;
            life
        });
        self.store.take_up_changes(wave.as_ref(), orders.collect(), bulk, &By::server(), now).await?;
        self.wake.wake();
        Ok(())
    }

    fn wanted<'a>(&self, found: &'a Found) -> Wanted<'a> {
        Wanted {
            session: &found.session,
            target: &found.difference.target,
            judged: self.judged_by_now(&found.decision),
        }
    }

    /// Whether a login was judged by what is in force.
    fn judged_by_now(&self, decision: &Decision) -> bool {
        decision.at > self.changed.for_whom(decision) + MARGIN
    }

    /// Looks at sessions whose time is over, at those that are new, and from time to
    /// time at all.
    async fn sweep(&mut self) -> Result<(), StoreError> {
        if self.missed.swap(false, atomic::Ordering::Relaxed) {
            self.changed.note(&Scope::All, self.clock.now());
            self.last = None;
        }
        let settings = self.settings();
        if !settings.reevaluate {
            return Ok(());
        }
        let now = self.clock.now();
        // One that lies ahead was before the clock was set back.
        if self.last.is_none_or(|last| last > now || now.since(last) >= settings.recheck) {
            return self.pass(Request { scope: Scope::All, trigger: "time".into(), at: now }).await;
        }
        let snapshot = self.engine.snapshot();
        let mut sessions = Vec::new();
        while let Some((_, id)) = self.timed.first().copied().filter(|(at, _)| *at <= now) {
            self.timed.pop_first();
            if let Some(session) = self.store.session(id).await?.filter(|session| session.may_go_on(now)) {
                let decision = match session.decision() {
                    Some(id) => self.store.decision(id).await?,
                    None => None,
                };
                sessions.push((session, decision));
            }
        }
        let mut judged_already = Vec::new();
        for (session, decision) in self.new_sessions(now).await? {
            match &decision {
                Some(by) if self.judged_by_now(by) => judged_already.push((session, decision)),
                _ => sessions.push((session, decision)),
            }
        }
        let before = now + settings.recheck * 2;
        if !judged_already.is_empty() {
            let seen = self.judged(Seen::default(), judged_already, &snapshot).await;
            self.remember(&seen, before);
        }
        if sessions.is_empty() {
            return Ok(());
        }
        let seen = self.judged(Seen::default(), sessions, &snapshot).await;
        self.remember(&seen, before);
        self.order(seen, "time", now, &snapshot).await
    }

    /// Sessions that began lately, each once for each login: one that was decided
    /// while something changed is looked at again, and when it ends is remembered.
    async fn new_sessions(&mut self, now: Timestamp) -> Result<Vec<(Session, Option<Decision>)>, StoreError> {
        let floor = SessionId::from_bytes(SessionId::floor(now - NEW));
        self.known.retain(|id, _| *id >= floor);
        let (mut new, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.live_sessions(Of::All, self.clock.now(), after, PAGE).await?;
            let older = page.items.last().is_none_or(|(session, _)| session.id < floor);
            for (session, decision) in page.items {
                let by = session.decision();
                if session.id >= floor && self.known.insert(session.id, by) != Some(by) {
                    new.push((session, decision));
                }
            }
            after = page.next;
            if older || after.is_none() {
                return Ok(new);
            }
        }
    }
}

/// What is found, in words: how many of which kind, and at how many NASes.
fn summary(found: &[Found]) -> String {
    let denied = found.iter().filter(|f| f.difference.reason.is_some()).count();
    let nases: BTreeSet<&str> = found.iter().map(|f| f.session.key.nas_name.as_str()).collect();
    let mut text = String::new();
    if denied > 0 {
        let _ = write!(text, "{denied} may not stay");
    }
    if denied < found.len() {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{} get something else", found.len() - denied);
    }
    let _ = match nases.len() {
        1 => write!(text, ", at {}", nases.first().copied().unwrap_or_default()),
        n => write!(text, ", at {n} NASes"),
    };
    text
}
