//! Tells what happened to those who asked for it: pushed (RFC 8935), one task for each stream; or polled for (RFC 8936).
//!
//! At least once: what is sent is noted after it was answered. The receiver knows by `jti` what it has already.

use super::names::{told, unknown};
use super::owner::may_be_told;
use super::signer::{NotSigned, Signer};
use crate::access::Engine;
use crate::audit::event::By;
use crate::config::live::Inventory;
use crate::ids::{StreamEventId, StreamId};
use crate::random::random;
use crate::shared_signals::event::EventType;
use crate::shared_signals::key::PUBLISHED;
use crate::shared_signals::receivers::Place;
use crate::shared_signals::stream::{Status, Stream};
use crate::store::shared_signals::{Queued, Sent, Waiting};
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use crate::transport::https::{self, FetchError};
use crate::webhooks::schedule::{again_after, rest_after};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How often it is looked for what is due though nobody rang: for what other processes do, and for what grows old.
const LOOK: Duration = Duration::from_secs(10);
/// How long what is rung for is gathered before it is looked: a storm is a few looks.
const GATHER: Duration = Duration::from_millis(50);
/// How often it is looked for what is too old to be kept.
const FORGET: Duration = Duration::from_secs(600);
/// Events of a stream that nobody polls for that are looked at to be given up, at once.
const AT_ONCE: u32 = 32;
/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most events of one answer to who polls.
pub const MAX_POLLED: u32 = 100;
/// How long a question is kept open until there is something: shorter than a request may take.
pub const HELD: Duration = Duration::from_secs(30);
/// The longest time until an event is tried again: those after it wait with it.
const LONGEST_AGAIN: Duration = Duration::from_secs(300);
/// What is told of an error, in characters.
const TOLD: usize = 300;
/// Why an event is given up that waited for too long.
const UNTAKEN: &str = "nobody took it in time";

/// Why nothing is told at the moment.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be signed.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// What the receiver wants to be shown cannot be opened.
    #[error("what the receiver wants to be shown cannot be opened: {0}")]
    Sealed(String),
    /// It was not reached.
    #[error(transparent)]
    Unreached(#[from] FetchError),
}

/// What a receiver says of an event that it refuses (RFC 8935, section 2.3).
#[derive(Debug, Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    err: String,
    #[serde(default)]
    description: String,
}

/// Tells.
#[derive(Debug)]
pub struct Teller {
    store: Store,
    engine: Arc<Engine>,
    inventory: Inventory,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    /// Signs what is told.
    pub signer: Signer,
    /// What this server calls itself.
    pub issuer: String,
    client: reqwest::Client,
    held: Held,
}

/// The questions that are kept open, one for each stream. The sender goes when another takes its place.
#[derive(Debug, Default)]
struct Held(Mutex<HashMap<StreamId, oneshot::Sender<()>>>);

impl Held {
    /// A question for this stream, and what ends when another takes its place: who polls has forgotten the one before, or would
    /// hold ever more of them.
    fn hold(&self, id: StreamId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, other| !other.is_closed());
        held.insert(id, sender);
        receiver
    }
}

impl Teller {
    /// One that tells as `issuer`.
    ///
    /// # Errors
    /// When there can be no client for HTTPS.
    pub fn new(
        shared: (Store, Arc<Engine>, Arc<Clock>, Arc<Metrics>),
        inventory: Inventory,
        issuer: String,
    ) -> Result<Teller, FetchError> {
        let (store, engine, clock, metrics) = shared;
        let signer = Signer::new(store.clone(), inventory.clone(), clock.clone());
        Ok(Teller {
            store,
            engine,
            inventory,
            clock,
            metrics,
            signer,
            issuer,
            client: https::client(&[])?,
            held: Held::default(),
        })
    }

    /// Pushes, until the server ends: one task for each stream for which something is due.
    pub async fn run(self: Arc<Self>) {
        let mut changed = self.store.watch_streams();
        let (mut lanes, mut running) = (JoinSet::new(), HashMap::new());
        let (mut forgot, mut kept): (Option<Instant>, Option<Instant>) = (None, None);
        let is_over = |at: Option<Instant>, after| at.is_none_or(|at| at.elapsed() >= after);
        loop {
            changed.borrow_and_update();
            if is_over(forgot, FORGET) {
                forgot = Some(Instant::now());
                if let Err(error) = self.store.ssf_forget(PUBLISHED, self.clock.now()).await {
                    tracing::debug!(%error, "old events of Shared Signals are still there");
                }
            }
            let streams = self.store.waiting_streams().await.unwrap_or_else(|error| {
                tracing::debug!(%error, "streams cannot be read");
                Vec::new()
            });
            // Of those that are polled for, the old ones are given up now and then.
            let keeps = is_over(kept, LOOK);
            kept = if keeps { Some(Instant::now()) } else { kept };
            let (now, mut rest) = (self.clock.now(), LOOK);
            for Waiting { id, pushed, due } in streams {
                if running.values().any(|other| *other == id) || !(pushed || keeps) {
                    continue;
                }
                if due > now && pushed {
                    rest = rest.min(due.since(now));
                    continue;
                }
                let teller = self.clone();
                let lane = lanes.spawn(async move { teller.lane(id).await });
                running.insert(lane.id(), id);
            }
            let ended = tokio::select! {
                _ = changed.changed() => None,
                ended = lanes.join_next_with_id(), if !lanes.is_empty() => ended,
                () = tokio::time::sleep(rest) => None,
            };
            match ended {
                Some(Ok((lane, ()))) => drop(running.remove(&lane)),
                Some(Err(error)) => drop(running.remove(&error.id())),
                None => {}
            }
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Tells what is due for one stream.
    async fn lane(&self, id: StreamId) {
        if let Err(error) = self.told(id).await {
            tracing::warn!(stream = %id, %error, "nothing can be told at the moment");
            tokio::time::sleep(rest_after(3)).await;
        }
    }

    /// Pushes what is due for one stream in the order in which it happened, until all is taken or one is not.
    async fn told(&self, id: StreamId) -> Result<(), Untold> {
        // Anew before each event: of a stream that is paused, taken away or moved meanwhile nothing more is told where it was.
        while let Some((stream, shown)) = self.store.stream_to_push(id).await? {
            let now = self.clock.now();
            if stream.status != Status::Enabled {
                break;
            }
            if !may_be_told(&self.store, stream.owner, now).await? {
                let mut off = stream.clone();
                off.status = Status::Disabled;
                off.about.reason = Some("its owner may be told nothing any more".into());
                if self.store.change_stream(&stream, &off, None, &By::server(), now).await? {
                    tracing::warn!(stream = %id, owner = stream.owner_name, "a stream is disabled: its owner may be told nothing");
                }
                continue;
            }
            let Some(url) = &stream.about.push else {
                self.due(&stream, AT_ONCE).await?;
                break;
            };
            let Some(queued) = self.store.due_events(id, now, 1).await?.pop() else { break };
            let sent = match is_old(&stream, &queued, now) {
                true => Sent::Dead { error: UNTAKEN.into() },
                false => self.push(&stream, url, shown, &queued).await?,
            };
            let goes_on = !matches!(sent, Sent::Again { .. });
            self.settle(&stream, &queued, sent).await?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Pushes one event; what came of it.
    async fn push(&self, stream: &Stream, url: &str, shown: Option<Vec<u8>>, queued: &Queued) -> Result<Sent, Untold> {
        // What was allowed when the stream was made may not be any more.
        if let Err(error) = self.may_push_to(url) {
            return Ok(self.again(queued, error));
        }
        let Some(token) = self.token(stream, queued).await? else { return Ok(Sent::LeftOut) };
        let mut request = self.client.post(url).timeout(PATIENCE).header("content-type", "application/secevent+jwt");
        request = request.header("accept", "application/json").body(token);
        if let Some(shown) = self.opened(stream.id, shown)? {
            request = request.header("authorization", shown);
        }
        Ok(match https::answer_to(request).await {
            Ok((200..300, _)) => Sent::Taken,
            Ok((status, body)) => self.refused(queued, status, &body),
            Err(error) => self.again(queued, error.to_string()),
        })
    }

    /// Checks that the operator has events pushed to this URL.
    ///
    /// # Errors
    /// What is to be configured.
    pub fn may_push_to(&self, url: &str) -> Result<(), String> {
        let place = reqwest::Url::parse(url).ok().and_then(|url| {
            let port = url.port_or_known_default()?;
            Place::of(url.host_str()?, port).ok()
        });
        let place = place.ok_or_else(|| format!("{url:?} names no host"))?;
        self.engine.snapshot().receivers.check(&place).map_err(|error| error.to_string())
    }

    /// Whether events are pushed anywhere.
    pub fn pushes(&self) -> bool {
        !self.engine.snapshot().receivers.is_empty()
    }

    fn refused(&self, queued: &Queued, status: u16, body: &[u8]) -> Sent {
        let said: Refusal = serde_json::from_slice(body).unwrap_or_default();
        let error = format!("it answered {status} {} {}", said.err, said.description);
        match (status, said.err.as_str()) {
            // What is wrong with a token stays so; who may not tell may be let in again.
            (400, "invalid_request" | "invalid_key" | "invalid_issuer" | "invalid_audience") => {
                Sent::Dead { error: cut(&error) }
            }
            _ => self.again(queued, error),
        }
    }

    fn again(&self, queued: &Queued, error: String) -> Sent {
        let dice = random().map_or(0, u32::from_be_bytes);
        let due = self.clock.now() + again_after(queued.attempts.saturating_add(1), dice).min(LONGEST_AGAIN);
        Sent::Again { due, error: cut(&error) }
    }

    async fn settle(&self, stream: &Stream, queued: &Queued, sent: Sent) -> Result<(), StoreError> {
        let result = match &sent {
            Sent::Taken => "taken",
            Sent::LeftOut => "left_out",
            Sent::Again { .. } => "again",
            Sent::Dead { error } => {
                tracing::warn!(stream = %stream.id, event = %queued.id, error, "an event was given up");
                "dead"
            }
        };
        if let Sent::Again { error, .. } = &sent {
            tracing::debug!(stream = %stream.id, event = %queued.id, error, "an event is told later");
        }
        self.metrics.shared_signals.sent(result);
        self.store.note_sent(stream.id, &[(queued.id, sent)], self.clock.now()).await
    }

    /// What is due for a stream. What has waited for too long is given up.
    async fn due(&self, stream: &Stream, most: u32) -> Result<Vec<Queued>, Untold> {
        let now = self.clock.now();
        let (mut due, mut old) = (Vec::new(), Vec::new());
        for queued in self.store.due_events(stream.id, now, most).await? {
            let of = if is_old(stream, &queued, now) { &mut old } else { &mut due };
            of.push(queued);
        }
        for queued in old {
            self.settle(stream, &queued, Sent::Dead { error: UNTAKEN.into() }).await?;
        }
        Ok(due)
    }

    /// The event as a token for this stream; nothing, if it is told nothing of the subject.
    async fn token(&self, stream: &Stream, queued: &Queued) -> Result<Option<String>, Untold> {
        let happening = &queued.happening;
        let (subject, about) = if happening.what.event() == EventType::Verification {
            (json!({ "format": "opaque", "id": stream.id }), "user")
        } else {
            let snapshot = self.engine.snapshot();
            let identity = happening.identity.and_then(|id| snapshot.identities.by_id(id));
            let names = match (identity, &happening.name, happening.identity) {
                (Some(identity), ..) => told(&snapshot.identities, identity, &self.issuer),
                (None, Some(name), _) => vec![unknown(name, &self.issuer)],
                (None, None, Some(id)) => vec![unknown(&id.to_string(), &self.issuer)],
                (None, None, None) => Vec::new(),
            };
            (happening.subject(&names), names.first().map_or("device", |of| of.role))
        };
        if stream.about.leaves_out(&subject) {
            return Ok(None);
        }
        let audience = audience(&self.issuer, stream.id);
        let (jti, signed) = (queued.id.to_string(), self.clock.now());
        let claims = happening.claims(&jti, (&self.issuer, &audience), &subject, about, signed);
        Ok(Some(self.signer.key().await?.sign(&claims).map_err(NotSigned::from)?))
    }

    /// What the receiver of a stream wants to be shown.
    fn opened(&self, id: StreamId, sealed: Option<Vec<u8>>) -> Result<Option<String>, Untold> {
        let Some(sealed) = sealed else { return Ok(None) };
        let seal = self.inventory.seal().map_err(|e| Untold::Sealed(e.to_string()))?;
        let opened = seal.open(&authorization_of(id), &sealed).map_err(|e| Untold::Sealed(e.to_string()))?;
        Ok(Some(String::from_utf8_lossy(opened.expose()).into_owned()))
    }

    /// Events for who polls, by their ids, and whether there are more. What they acknowledge or refuse is told no more. A
    /// question that `waits` is answered when there is something, and with nothing when another of the same stream waits or the
    /// stream is gone.
    ///
    /// # Errors
    /// See [`Untold`].
    pub async fn poll(
        &self,
        id: StreamId,
        settled: &[(StreamEventId, Sent)],
        most: u32,
        waits: bool,
    ) -> Result<(BTreeMap<String, Value>, bool), Untold> {
        self.store.note_sent(id, settled, self.clock.now()).await?;
        for (_, sent) in settled {
            self.metrics.shared_signals.sent(if *sent == Sent::Taken { "taken" } else { "dead" });
        }
        let (began, most) = (Instant::now(), most.min(MAX_POLLED));
        let mut changed = self.store.watch_streams();
        let mut replaced = waits.then(|| self.held.hold(id));
        loop {
            changed.borrow_and_update();
            let Some((sets, more)) = self.polled(id, most).await? else { return Ok((BTreeMap::new(), false)) };
            let left = HELD.saturating_sub(began.elapsed());
            let Some(replaced) = replaced.as_mut().filter(|_| sets.is_empty() && most > 0 && !left.is_zero()) else {
                return Ok((sets, more));
            };
            tokio::select! {
                _ = changed.changed() => tokio::time::sleep(GATHER).await,
                _ = replaced => return Ok((sets, more)),
                () = tokio::time::sleep(left.min(LOOK)) => {}
            }
        }
    }

    /// What there is at the moment for who polls, and whether there is more; `None` where there will be nothing, as the stream is
    /// pushed or gone.
    async fn polled(&self, id: StreamId, most: u32) -> Result<Option<(BTreeMap<String, Value>, bool)>, Untold> {
        let (mut sets, mut more) = (BTreeMap::new(), false);
        let stream = self.store.stream_to_push(id).await?.map(|(stream, _)| stream);
        let Some(stream) = stream.filter(|stream| stream.about.push.is_none()) else { return Ok(None) };
        if stream.status != Status::Enabled {
            return Ok(Some((sets, more)));
        }
        for queued in self.due(&stream, most + 1).await? {
            if sets.len() >= most as usize {
                more = true;
                break;
            }
            match self.token(&stream, &queued).await? {
                Some(token) => drop(sets.insert(queued.id.to_string(), token.into())),
                None => self.settle(&stream, &queued, Sent::LeftOut).await?,
            }
        }
        Ok(Some((sets, more)))
    }
}

/// Whether an event has waited for too long.
fn is_old(stream: &Stream, queued: &Queued, now: Timestamp) -> bool {
    now.since(queued.happening.at) > stream.about.patience()
}

/// What a stream's receiver is called.
pub fn audience(issuer: &str, stream: StreamId) -> String {
    format!("{issuer}/api/v1/ssf/streams/{stream}")
}

/// What a stream's authorization is sealed for.
pub fn authorization_of(id: StreamId) -> String {
    format!("ssf stream {id}")
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TOLD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_stream_one_question_is_kept_open() {
        let (held, at) = (Held::default(), Timestamp::from_unix_secs(1_790_000_000));
        let (one, other) = (StreamId::new(at), StreamId::new(at));
        let mut first = held.hold(one);
        let mut second = held.hold(other);
        assert!(first.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        let mut third = held.hold(one);
        assert!(first.try_recv() == Err(oneshot::error::TryRecvError::Closed), "another took its place");
        for open in [&mut second, &mut third] {
            assert!(open.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        }
        // Those that were answered are not kept in mind.
        drop((second, third));
        let _last = held.hold(one);
        assert_eq!(held.0.lock().unwrap().len(), 1);
    }
}
