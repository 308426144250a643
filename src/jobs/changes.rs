//! Carries changes to sessions out: takes what is due from the queue, asks the
//! NASes, and writes down what came of it. What was not finished when the server
//! ended is in the queue still.

use crate::access::Engine;
use crate::access::changes::{Told, tell};
use crate::coa::client::Refused;
use crate::coa::exchange::{Answer, Ask, dated};
use crate::coa::life::{Ending, Life, Over, Waiting};
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
const BY_CONNECTION: Duration = Duration::from_secs(10);
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
            for waiting in due {
                let order = &waiting.order;
                if self.sessions.contains_key(&order.session) {
                    continue;
                }
                match pace.begin(&order.nas_name, now) {
                    Ok(()) => {
                        self.flying.insert(order.id);
                        self.sessions.insert(order.session, order.id);
                        let (shared, done) = (self.shared.clone(), self.done.clone());
                        tokio::spawn(async move {
                            let life = shared.carry_out(waiting).await;
                            // Nobody is there any more when the server ends.
                            let _ = done.send(Finished { life, bulk }).await;
                        });
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
    let (session, who) = (order.session, order.who.as_deref().unwrap_or("-"));
    let (ending, why, trigger) = (over.ending.code(), order.cause.detail.as_str(), order.cause.trigger.as_str());
    match over.ending {
        _ if order.wave.is_some() => {
            tracing::debug!(%session, who, nas, trigger, why, ending, "a change of a wave is over");
        }
        Ending::Done | Ending::Gone => {
            tracing::info!(%session, who, nas, trigger, why, ending, "a session was changed")
        }
        _ => {
            tracing::warn!(%session, who, nas, trigger, why, ending, "a session was not changed: {}", over.ending.advice())
        }
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
            let asking = match waiting.ask(self.clock.now()) {
                Ok(asking) => asking,
                Err(over) => return Life::Over(*over),
            };
            let change = asking.wish().change();
            let ticket =
                Ticket { order: asking.order().id, change, number: self.number.fetch_add(1, Ordering::Relaxed) };
            let (result, life) = match tell(asking.wish(), &session, &self.engine.snapshot()) {
                Err(why) => ("untold", asking.untold(&why, self.clock.now())),
                Ok(told) => match self.ask(told, ticket).await {
                    Ok(answer @ Answer::Ack) => ("ack", asking.answered(answer, self.clock.now())),
                    Ok(answer @ Answer::Nak(_)) => ("nak", asking.answered(answer, self.clock.now())),
                    Err(Unasked::Silent) => ("silent", asking.unanswered(self.clock.now())),
                    Err(Unasked::Untold(why)) => ("untold", asking.untold(&why, self.clock.now())),
                    Err(Unasked::Later) => return Life::Waiting(asking.postponed(self.clock.now() + LATER)),
                },
            };
            self.metrics.changes.asked(change.code(), result);
            match life {
                Life::Waiting(next) if next.not_before <= self.clock.now() => waiting = next,
                life => return life,
            }
        }
    }

    /// Sends a request by whatever way leads to the NAS.
    async fn ask(&self, told: Told, ticket: Ticket) -> Result<Answer, Unasked> {
        let Told { nas, code, attributes, udp } = told;
        if self.connections.is_connected(&nas.name) {
            let dated = dated(&attributes, self.clock.now());
            match self.connections.request(&nas.name, code, &dated, BY_CONNECTION).await {
                Ok(Reply { code: Code::CoaAck | Code::DisconnectAck, .. }) => return Ok(Answer::Ack),
                Ok(Reply { error_cause, .. }) => return Ok(Answer::Nak(error_cause)),
                // The connection has gone meanwhile; there may be another way.
                Err(ReverseError::NotConnected) => {}
                Err(ReverseError::Busy | ReverseError::Closed) => return Err(Unasked::Later),
                Err(ReverseError::TimedOut | ReverseError::BadReply) => return Err(Unasked::Silent),
            }
        }
        let (to, secret) = udp.map_err(Unasked::Untold)?;
        let ask = Ask { code, attributes, secret };
        self.client.request(to, ask, ticket).await.map_err(|failure| match failure {
            Failure::Silent => Unasked::Silent,
            e @ (Failure::Unreachable(_) | Failure::Refused(Refused::TooLong(_))) => Unasked::Untold(e.to_string()),
            Failure::Refused(_) | Failure::Stopping => Unasked::Later,
        })
    }
}

/// Why a NAS gave no answer.
enum Unasked {
    /// It was silent.
    Silent,
    /// It cannot be asked for this, and why.
    Untold(String),
    /// It cannot be asked now, through no fault of its own.
    Later,
}
