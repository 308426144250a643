//! Carries changes to sessions out: takes what is due from the queue, asks the
//! NASes, and writes down what came of it. What was not finished when the server
//! ended is in the queue still.

use crate::access::Engine;
use crate::access::changes::{Told, tell};
use crate::coa::client::Refused;
use crate::coa::error_cause::ErrorCause;
use crate::coa::exchange::{Answer, Ask, dated};
use crate::coa::life::{Asking, BY_CONNECTION, Ending, Fared, Life, Over, Waiting};
use crate::coa::pace::{Held, Limits, Pace};
use crate::enforcement::coa::Change;
use crate::ids::{ChangeOrderId, SessionId};
use crate::radius::packet::Code;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use crate::transport::coa::{CoaClient, Failure, LateAnswer, Ticket};
use crate::transport::radsec::{Connections, Reply, ReverseError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// How often the queue is looked at though nobody said that it has changed: other
/// processes write to it, and what waits becomes due.
const LOOK: Duration = Duration::from_millis(200);
/// The least time between two looks while many changes are on their way.
const REST: Duration = Duration::from_millis(20);
/// The pace of what goes before waves: an operator's wish, a lost device.
const URGENT: Limits = Limits { in_flight: 64, per_nas: 8, per_second: 500 };
/// How long a NAS may take to answer down its own connection, where nothing is lost
/// on the way and nothing is sent again.
const BY_CONNECTION_FOR: Duration = Duration::from_secs(10);
/// After this time without an answer it is noted what a NAS is being asked for, so
/// that who waits for it sees that.
const NOTED: Duration = Duration::from_secs(1);
/// Error-Cause of what does not do changes by the connection, such as a proxy: 406
/// Unsupported Extension, 502 Request Not Routable.
const NOT_THIS_WAY: [u32; 2] = [406, 502];
/// Changes that are taken from the queue at once.
const TAKEN: usize = 64;
/// When a change is tried again that could not be sent through our own fault.
const LATER: Duration = Duration::from_secs(1);
/// How long the record of a change is kept after it was ordered.
const KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
/// How often old records are forgotten, and what waits is counted.
const TIDY: Duration = Duration::from_secs(3600);
const COUNT: Duration = Duration::from_secs(5);

/// Tells the dispatcher that there is something to do. Cloning it shares that.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Something was put into the queue.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// What the tasks that ask share.
#[derive(Clone, Debug)]
struct Shared {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    client: CoaClient,
    connections: Connections,
    number: Arc<AtomicU64>,
}

/// The one that carries changes out.
#[derive(Debug)]
pub struct Dispatcher {
    shared: Shared,
    wake: Wake,
    late: mpsc::Receiver<LateAnswer>,
    finished: mpsc::Receiver<Finished>,
    done: mpsc::Sender<Finished>,
    urgent: Pace,
    bulk: Pace,
    /// Changes on their way, and those whose outcome is not written yet.
    flying: HashSet<ChangeOrderId>,
    /// Sessions are changed one at a time.
    sessions: HashMap<SessionId, ChangeOrderId>,
    /// What is over and could not be written yet; no more than were on their way.
    unsaved: Vec<Life>,
    /// How changes of waves ended since that was told: one by one they would fill the
    /// log.
    ended: BTreeMap<&'static str, u64>,
    /// Answers that came late for changes that are on their way still.
    lates: HashMap<ChangeOrderId, Vec<(Change, Answer, Timestamp)>>,
}

#[derive(Debug)]
struct Finished {
    life: Life,
    bulk: bool,
}

impl Dispatcher {
    /// One that works on the queue of this database, and asks by `client`, whose late
    /// answers come by `late`.
    pub fn new(
        (store, engine, clock, metrics): (Store, Arc<Engine>, Arc<Clock>, Arc<Metrics>),
        (client, late): (CoaClient, mpsc::Receiver<LateAnswer>),
        connections: Connections,
        wake: Wake,
    ) -> Self {
        let limits = engine.snapshot().changes.limits;
        let (done, finished) = mpsc::channel(URGENT.in_flight + limits.in_flight);
        let shared = Shared { store, engine, clock, metrics, client, connections, number: Arc::default() };
        Self {
            shared,
            wake,
            late,
            finished,
            done,
            urgent: Pace::new(URGENT),
            bulk: Pace::new(limits),
            flying: HashSet::new(),
            sessions: HashMap::new(),
            unsaved: Vec::new(),
            ended: BTreeMap::new(),
            lates: HashMap::new(),
        }
    }

    /// Runs until the server ends.
    pub async fn run(mut self) {
        let (mut tidy, mut count) = (tokio::time::interval(TIDY), tokio::time::interval(COUNT));
        let mut pause = LOOK;
        if let Err(error) = self.shared.store.end_asking().await {
            tracing::debug!(%error, "the queue of changes cannot be written");
        }
        loop {
            tokio::select! {
                () = self.wake.0.notified() => {}
                Some(finished) = self.finished.recv() => {
                    self.landed(finished);
                    // What ends at the same time is written together.
                    tokio::time::sleep(REST).await;
                    while let Ok(finished) = self.finished.try_recv() {
                        self.landed(finished);
                    }
                }
                Some(late) = self.late.recv() => self.too_late(late).await,
                _ = tidy.tick() => self.tidy().await,
                _ = count.tick() => self.count().await,
                () = tokio::time::sleep(pause) => {}
            }
            self.save().await;
            // What cannot be written would be done again after a crash: no more of it.
            if !self.unsaved.is_empty() {
                pause = LATER;
                continue;
            }
            pause = match self.dispatch().await {
                Ok(pause) => pause,
                Err(error) => {
                    // The writer of records tells of a database that is away.
                    tracing::debug!(%error, "the queue of changes cannot be read");
                    LATER
                }
            };
        }
    }

    /// Begins what is due, as far as the pace allows. Returns how long to wait.
    async fn dispatch(&mut self) -> Result<Duration, StoreError> {
        let mut pause = LOOK;
        self.bulk.set(self.shared.engine.snapshot().changes.limits);
        for bulk in [false, true] {
            let now = self.shared.clock.now();
            let pace = if bulk { &mut self.bulk } else { &mut self.urgent };
            let due = self.shared.store.due_changes(bulk, &pace.busy(), &self.flying, TAKEN, now).await?;
            let mut begun = Vec::new();
            for waiting in due {
                let order = &waiting.order;
                if self.sessions.contains_key(&order.session) {
                    continue;
                }
                match pace.begin(&order.nas_name, now) {
                    Ok(()) => {
                        self.flying.insert(order.id);
                        self.sessions.insert(order.session, order.id);
                        begun.push(waiting);
                    }
                    // Others may come after those of this NAS.
                    Err(Held::Nas) => pause = REST,
                    Err(Held::Full) => break,
                    Err(Held::Rate(at)) => {
                        pause = pause.min(at.since(now).max(REST));
                        break;
                    }
                }
            }
            let ids: Vec<_> = begun.iter().map(|waiting| waiting.order.id).collect();
            let asked = self.shared.store.begin_asking(&ids).await;
            for waiting in begun {
                if asked.as_ref().is_ok_and(|asked| asked.contains(&waiting.order.id)) {
                    let (shared, done) = (self.shared.clone(), self.done.clone());
                    tokio::spawn(async move {
                        let life = shared.carry_out(waiting).await;
                        // Nobody is there any more when the server ends.
                        let _ = done.send(Finished { life, bulk }).await;
                    });
                    continue;
                }
                // It was stopped just now, or the database is away.
                let pace = if bulk { &mut self.bulk } else { &mut self.urgent };
                pace.finished(&waiting.order.nas_name);
                self.flying.remove(&waiting.order.id);
                self.sessions.remove(&waiting.order.session);
            }
            asked?;
        }
        Ok(pause)
    }

    /// A change needs its place no more; its outcome is to be written.
    fn landed(&mut self, finished: Finished) {
        let Finished { mut life, bulk } = finished;
        let pace = if bulk { &mut self.bulk } else { &mut self.urgent };
        pace.finished(&life.order().nas_name);
        for (change, answer, at) in self.lates.remove(&life.order().id).unwrap_or_default() {
            life.order_mut().late(change, answer, at);
        }
        self.unsaved.push(life);
    }

    async fn save(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        if let Err(error) = self.shared.store.save_changes(&self.unsaved).await {
            // The writer of records tells of a database that is away.
            tracing::debug!(%error, "what became of changes to sessions cannot be written yet");
            return;
        }
        for life in self.unsaved.drain(..) {
            self.flying.remove(&life.order().id);
            self.sessions.remove(&life.order().session);
            if let Life::Over(over) = life {
                if over.order.wave.is_some() {
                    *self.ended.entry(over.ending.code()).or_default() += 1;
                }
                told(&over, &self.shared.metrics);
            }
        }
    }

    async fn too_late(&mut self, late: LateAnswer) {
        let LateAnswer { ticket, answer } = late;
        self.shared.metrics.changes.late();
        let now = self.shared.clock.now();
        if self.flying.contains(&ticket.order) {
            self.lates.entry(ticket.order).or_default().push((ticket.change, answer, now));
            return;
        }
        let store = &self.shared.store;
        let amended = async {
            let Some(mut life) = store.change_to_session(ticket.order).await? else { return Ok(()) };
            life.order_mut().late(ticket.change, answer, now);
            store.amend_change(&life).await
        };
        let amended: Result<(), StoreError> = amended.await;
        if let Err(error) = amended {
            tracing::debug!(%error, "a late answer cannot be written");
        }
    }

    async fn tidy(&self) {
        let before = self.shared.clock.now() - KEPT;
        match self.shared.store.forget_changes(before).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "records of old changes to sessions are forgotten"),
            Err(error) => tracing::debug!(%error, "records of old changes cannot be forgotten"),
        }
    }

    async fn count(&mut self) {
        let ended = std::mem::take(&mut self.ended);
        if !ended.is_empty() {
            let ended: Vec<_> = ended.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
            tracing::info!("changes of waves: {}", ended.join(", "));
        }
        if let Ok(pending) = self.shared.store.pending_changes().await {
            self.shared.metrics.changes.set(self.flying.len(), pending);
        }
    }
}

/// A change is over: the log and the metrics say so.
fn told(over: &Over, metrics: &Metrics) {
    let order = &over.order;
    let nas = order.nas_name.as_str();
    let latency = (over.ending == Ending::Done).then(|| over.at.since(order.cause.at));
    metrics.changes.over(over.ending.code(), latency);
    let (change, session, who) = (order.id, order.session, order.who.as_deref().unwrap_or("-"));
    let refused = order.attempts.iter().rev().find_map(|attempt| match attempt.fared {
        Fared::Nak { error_cause } => Some(ErrorCause::of(error_cause).to_string()),
        _ => None,
    });
    let cause = refused.as_deref().unwrap_or("-");
    let (ending, why, trigger) = (over.ending.code(), order.cause.detail.as_str(), order.cause.trigger.as_str());
    match over.ending {
        _ if order.wave.is_some() => {
            tracing::debug!(%change, %session, who, nas, trigger, why, ending, cause, "a change of a wave is over");
        }
        Ending::Done | Ending::Gone => {
            tracing::info!(%change, %session, who, nas, trigger, why, ending, "a session was changed")
        }
        Ending::Superseded | Ending::Aborted | Ending::Moot => {
            tracing::info!(%change, %session, who, nas, trigger, why, ending, "a session was not changed: {}", over.advice())
        }
        _ => tracing::warn!(
            %change, %session, who, nas, trigger, why, ending, cause,
            "a session was not changed: {}", over.advice()
        ),
    }
}

impl Shared {
    /// Tries the forms of a change one after the other, until it is over or has to
    /// wait.
    async fn carry_out(&self, mut waiting: Waiting) -> Life {
        let session = match self.store.session(waiting.order.session).await {
            Ok(Some(session)) if session.may_go_on(self.clock.now()) => session,
            // It has ended by itself: its NAS said so, or it was silent for long.
            Ok(_) => return Life::Over(waiting.end(Ending::Gone, self.clock.now())),
            Err(_) => return Life::Waiting(waiting.postpone(self.clock.now() + LATER)),
        };
        loop {
            if let Some(wave) = waiting.order.wave {
                match self.store.is_stopped(wave).await {
                    Ok(false) => {}
                    Ok(true) => return Life::Over(waiting.stopped(self.clock.now())),
                    Err(_) => return Life::Waiting(waiting.postpone(self.clock.now() + LATER)),
                }
            }
            let asking = match waiting.ask(self.clock.now()) {
                Ok(asking) => asking,
                Err(over) => return Life::Over(*over),
            };
            let change = asking.wish().change();
            let ticket =
                Ticket { order: asking.order().id, change, number: self.number.fetch_add(1, Ordering::Relaxed) };
            let life = match tell(asking.wish(), &session, &self.engine.snapshot()) {
                Err(why) => asking.untold(&why, self.clock.now()),
                Ok(told) => {
                    let asking = asking.asked_at(self.way(&told));
                    let (outcome, to) = self.ask_and_note(told, ticket, &asking).await;
                    let (asking, now) = (asking.asked_at(to), self.clock.now());
                    match outcome {
                        Ok(answer) => asking.answered(answer, now),
                        Err(Unasked::Silent) => asking.unanswered(now),
                        Err(Unasked::WrongSecret) => asking.mismatched(now),
                        Err(Unasked::Untold(why)) => asking.untold(&why, now),
                        Err(Unasked::Later) => return Life::Waiting(asking.postponed(now + LATER)),
                    }
                }
            };
            let result = life.order().attempts.last().map_or("untold", |attempt| attempt.fared.code());
            self.metrics.changes.asked(change.code(), result);
            match life {
                Life::Waiting(next) if next.not_before <= self.clock.now() => waiting = next,
                life => return life,
            }
        }
    }

    /// Where the NAS is asked first.
    fn way(&self, told: &Told) -> Option<String> {
        match &told.udp {
            _ if self.connections.is_connected(&told.nas.name) => Some(BY_CONNECTION.to_owned()),
            Ok((to, _)) => Some(to.to_string()),
            Err(_) => None,
        }
    }

    /// Asks, and notes that where it takes a while. Returns what came of it, and where
    /// it was asked last.
    async fn ask_and_note(
        &self,
        told: Told,
        ticket: Ticket,
        asking: &Asking,
    ) -> (Result<Answer, Unasked>, Option<String>) {
        let mut asked = std::pin::pin!(self.ask(told, ticket));
        tokio::select! {
            outcome = &mut asked => return outcome,
            () = tokio::time::sleep(NOTED) => {}
        }
        let (outcome, noted) = tokio::join!(asked, self.store.note_asking(asking.noted()));
        if let Err(error) = noted {
            tracing::debug!(%error, "what a NAS is asked for cannot be noted");
        }
        outcome
    }

    /// Sends a request by whatever way leads to the NAS: down its connection, and over
    /// UDP where it has none that takes changes.
    async fn ask(&self, told: Told, ticket: Ticket) -> (Result<Answer, Unasked>, Option<String>) {
        let Told { nas, code, attributes, udp } = told;
        let by_connection = match self.connections.is_connected(&nas.name) {
            true => self.ask_by_connection(&nas.name, code, &attributes).await,
            false => None,
        };
        let (to, secret) = match (by_connection, udp) {
            (Some(OnTheWay { outcome, last: true }), _) | (Some(OnTheWay { outcome, .. }), Err(_)) => {
                return (outcome, Some(BY_CONNECTION.to_owned()));
            }
            (None, Err(why)) => return (Err(Unasked::Untold(why)), None),
            (_, Ok(udp)) => udp,
        };
        let ask = Ask { code, attributes, secret };
        let outcome = self.client.request(to, ask, ticket).await.map_err(|failure| match failure {
            Failure::Silent => Unasked::Silent,
            Failure::WrongSecret => Unasked::WrongSecret,
            e @ (Failure::Unreachable(_) | Failure::Refused(Refused::TooLong(_))) => Unasked::Untold(e.to_string()),
            Failure::Refused(_) | Failure::Stopping => Unasked::Later,
        });
        (outcome, Some(to.to_string()))
    }

    /// Sends a request down the connection of the NAS. `None` when it has gone.
    async fn ask_by_connection(&self, nas: &str, code: Code, attributes: &[u8]) -> Option<OnTheWay> {
        let dated = dated(attributes, self.clock.now());
        let (outcome, last) = match self.connections.request(nas, code, &dated, BY_CONNECTION_FOR).await {
            Ok(Reply { code: Code::CoaAck | Code::DisconnectAck, .. }) => (Ok(Answer::Ack), true),
            Ok(Reply { error_cause, .. }) => {
                (Ok(Answer::Nak(error_cause)), !error_cause.is_some_and(|cause| NOT_THIS_WAY.contains(&cause)))
            }
            Err(ReverseError::NotConnected) => return None,
            Err(ReverseError::Busy) => (Err(Unasked::Later), true),
            Err(ReverseError::Closed) => (Err(Unasked::Later), false),
            Err(ReverseError::TimedOut | ReverseError::BadReply) => (Err(Unasked::Silent), false),
        };
        Some(OnTheWay { outcome, last })
    }
}

/// What came of asking down a connection.
struct OnTheWay {
    outcome: Result<Answer, Unasked>,
    /// Whether that is all: no other way is to be tried.
    last: bool,
}

/// Why a NAS gave no answer.
enum Unasked {
    /// It was silent.
    Silent,
    /// It answered with another secret.
    WrongSecret,
    /// It cannot be asked for this, and why.
    Untold(String),
    /// It cannot be asked now, through no fault of its own.
    Later,
}
