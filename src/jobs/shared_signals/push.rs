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
use crate::shared_signals::stream::{Status, Stream};
use crate::store::shared_signals::{Queued, Sent};
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::transport::clock::Clock;
use crate::transport::https::{self, FetchError};
use crate::webhooks::schedule::{again_after, rest_after};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked for what is too old to be kept.
const FORGET: Duration = Duration::from_secs(600);
/// Events that are read at once.
const AT_ONCE: u32 = 32;
/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most events of one answer to who polls.
pub const MAX_POLLED: u32 = 100;
/// How long a question is kept open until there is something: shorter than a request may take.
pub const HELD: Duration = Duration::from_secs(30);
/// How often it is looked meanwhile.
const HELD_LOOK: Duration = Duration::from_millis(250);
/// The longest time until an event is tried again: those after it wait with it.
const LONGEST_AGAIN: Duration = Duration::from_secs(300);
/// What is told of an error, in characters.
const TOLD: usize = 300;

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
        Ok(Teller { store, engine, inventory, clock, metrics, signer, issuer, client: https::client(&[])? })
    }

    /// Pushes, until the server ends.
    pub async fn run(self: Arc<Self>) {
        let mut lanes: HashMap<StreamId, JoinHandle<()>> = HashMap::new();
        let mut interval = tokio::time::interval(LOOK);
        let mut forgot: Option<Instant> = None;
        loop {
            interval.tick().await;
            if forgot.is_none_or(|at| at.elapsed() >= FORGET) {
                forgot = Some(Instant::now());
                if let Err(error) = self.store.ssf_forget(PUBLISHED, self.clock.now()).await {
                    tracing::debug!(%error, "old events of Shared Signals are still there");
                }
            }
            lanes.retain(|_, lane| !lane.is_finished());
            let streams = match self.store.waiting_streams().await {
                Ok(streams) => streams,
                Err(error) => {
                    tracing::debug!(%error, "streams cannot be read");
                    continue;
                }
            };
            for id in streams {
                let teller = self.clone();
                lanes.entry(id).or_insert_with(|| tokio::spawn(async move { teller.round(id).await }));
            }
        }
    }

    /// Pushes what is due for one stream; gives up what waited too long.
    async fn round(&self, id: StreamId) {
        match self.told(id).await {
            Ok(true) => {}
            // It fails: it is left alone for a moment.
            Ok(false) => tokio::time::sleep(rest_after(3)).await,
            Err(error) => {
                tracing::warn!(stream = %id, %error, "nothing can be told at the moment");
                tokio::time::sleep(rest_after(3)).await;
            }
        }
    }

    async fn told(&self, id: StreamId) -> Result<bool, Untold> {
        let Some(stream) = self.store.stream(id).await?.map(|row| row.stream) else { return Ok(true) };
        let now = self.clock.now();
        if !may_be_told(&self.store, stream.owner, now).await? {
            let mut off = stream.clone();
            off.status = Status::Disabled;
            off.about.reason = Some("its owner may be told nothing any more".into());
            tracing::warn!(stream = %id, owner = stream.owner_name, "a stream is disabled: its owner may be told nothing");
            self.store.change_stream(&stream, &off, None, &By::server(), now).await?;
            return Ok(true);
        }
        match &stream.about.push {
            _ if stream.status != Status::Enabled => Ok(true),
            Some(url) => self.push(&stream, url).await,
            None => self.due(&stream, AT_ONCE).await.map(|_| true),
        }
    }

    /// Pushes in the order in which it happened; whether all was taken.
    async fn push(&self, stream: &Stream, url: &str) -> Result<bool, Untold> {
        let due = self.due(stream, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(true);
        }
        let shown = self.shown(stream.id).await?;
        for queued in due {
            let Some(token) = self.token(stream, &queued).await? else {
                self.settle(stream, &queued, Sent::LeftOut).await?;
                continue;
            };
            let mut request =
                self.client.post(url).timeout(PATIENCE).header("content-type", "application/secevent+jwt");
            request = request.header("accept", "application/json").body(token);
            if let Some(shown) = &shown {
                request = request.header("authorization", shown);
            }
            let sent = match https::answer_to(request).await {
                Ok((200..300, _)) => Sent::Taken,
                Ok((status, body)) => self.refused(&queued, status, &body),
                Err(error) => self.again(&queued, error.to_string()),
            };
            let goes_on = !matches!(sent, Sent::Again { .. });
            self.settle(stream, &queued, sent).await?;
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
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
            if now.since(queued.happening.at) > stream.about.patience() {
                old.push(queued);
            } else {
                due.push(queued);
            }
        }
        for queued in old {
            self.settle(stream, &queued, Sent::Dead { error: "nobody took it in time".into() }).await?;
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
        let claims = happening.claims(&queued.id.to_string(), &self.issuer, &audience, &subject, about);
        Ok(Some(self.signer.key().await?.sign(&claims).map_err(NotSigned::from)?))
    }

    /// What the receiver of a stream wants to be shown.
    async fn shown(&self, id: StreamId) -> Result<Option<String>, Untold> {
        let Some(sealed) = self.store.stream_authorization(id).await? else { return Ok(None) };
        let seal = self.inventory.seal().map_err(|e| Untold::Sealed(e.to_string()))?;
        let opened = seal.open(&authorization_of(id), &sealed).map_err(|e| Untold::Sealed(e.to_string()))?;
        Ok(Some(String::from_utf8_lossy(opened.expose()).into_owned()))
    }

    /// Events for who polls, by their ids, and whether there are more. What they acknowledge or refuse is told no more.
    ///
    /// # Errors
    /// See [`Untold`].
    pub async fn poll(
        &self,
        stream: &Stream,
        settled: &[(StreamEventId, Sent)],
        most: u32,
        waits: bool,
    ) -> Result<(BTreeMap<String, Value>, bool), Untold> {
        self.store.note_sent(stream.id, settled, self.clock.now()).await?;
        for (_, sent) in settled {
            self.metrics.shared_signals.sent(if *sent == Sent::Taken { "taken" } else { "dead" });
        }
        let (began, most) = (Instant::now(), most.min(MAX_POLLED));
        loop {
            let (mut sets, mut more) = (BTreeMap::new(), false);
            if stream.status == Status::Enabled {
                for queued in self.due(stream, most + 1).await? {
                    if sets.len() >= most as usize {
                        more = true;
                        break;
                    }
                    match self.token(stream, &queued).await? {
                        Some(token) => drop(sets.insert(queued.id.to_string(), token.into())),
                        None => self.settle(stream, &queued, Sent::LeftOut).await?,
                    }
                }
            }
            if !sets.is_empty() || most == 0 || !waits || began.elapsed() >= HELD {
                return Ok((sets, more));
            }
            tokio::time::sleep(HELD_LOOK).await;
        }
    }
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
