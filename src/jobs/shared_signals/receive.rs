//! Events that others tell: believed or refused, and what follows from them.
//!
//! A token is noted as taken in after what it asks for was done: a crash before that has it come again, and the same
//! signal and the same change twice do no harm. What is noted changes nothing any more.

use super::names::{Found, owned, who};
use crate::access::{Engine, Snapshot};
use crate::audit::decision::IdentityRef;
use crate::audit::event::{By, Event};
use crate::enforcement::coa::Wish;
use crate::ids::DecisionId;
use crate::inventory::identity::{Identity, IdentityKind};
use crate::inventory::index::IdentityIndex;
use crate::jobs::asked::{Asked, ask_many, meant};
use crate::jobs::changes::Wake;
use crate::jobs::signals::{NotTaken, Signals};
use crate::session::state::Session;
use crate::shared_signals::event::EventType;
use crate::shared_signals::meaning::{Meaning, meaning};
use crate::shared_signals::set::{Refused, RefusedCode, Set};
use crate::shared_signals::subject::{Identifier, Subject};
use crate::shared_signals::transmitter::{Ends, Keys, Sort, Transmitter, is_safe};
use crate::shared_signals::{NotOpened, open};
use crate::signals::signal::{Severity, Told, plain};
use crate::store::read::SessionFilter;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use crate::transport::https::{self, FetchError};
use crate::transport::jwks::{Failure, Published};
use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::jwk::JwkSet;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as Turn;

/// As of when a signal is that tells of something older: within what is taken in, however long storing it takes.
const OLDEST: Duration = Duration::from_secs(23 * 3600);

/// Events of one transmitter that are remembered, of which something follows: some 10 MB. Beyond it none of its events is taken
/// in until some have grown old, for one that is forgotten could come again.
const MAX_REMEMBERED: u64 = 100_000;
/// How often it is counted how many are remembered; between, those that are added are.
const COUNTED: Duration = Duration::from_secs(600);
/// Decisions that are read at once.
const DECISIONS: usize = 500;
/// Those of one name that are told of, when nothing tells which is meant.
const ALIKE: usize = 8;

/// Why an event is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Untaken {
    /// It does not hold: the same again will be refused again.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot be judged or stored at the moment.
    #[error("it cannot be taken at the moment: {0}")]
    Later(String),
}

/// What came of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Something follows from it.
    Acted,
    /// Nothing does.
    Acknowledged,
    /// It was taken in before.
    Repeated,
}

/// How a transmitter is doing, since the server started.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Doing {
    /// Events that were taken in, whether or not something followed.
    pub taken: u64,
    /// Events that were refused.
    pub refused: u64,
    /// When the last one was taken in.
    pub last: Option<Timestamp>,
    /// When it last tried the stream out, and what it sent along.
    pub verified: Option<(Timestamp, String)>,
    /// When something last failed.
    pub failed: Option<Timestamp>,
    /// What.
    pub error: Option<String>,
}

/// What a transmitter says of itself (SSF 1.0, section 7).
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

/// What is known of the keys of a transmitter.
#[derive(Debug)]
enum Known {
    /// They.
    Keys(Published),
    /// That they were not to be had.
    Not(Failure),
}

/// The same, of a transmitter as it is configured.
type Cached = Arc<Turn<Option<(Arc<Transmitter>, Known)>>>;

/// Takes events in.
#[derive(Debug)]
pub struct Receiver {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    signals: Signals,
    wake: Wake,
    keys: Mutex<HashMap<String, Cached>>,
    doing: Mutex<BTreeMap<String, Doing>>,
    /// Events are taken in one after the other, so that none is twice.
    turn: Turn<Counts>,
}

/// How many events of each transmitter are remembered, and when they were counted.
type Counts = HashMap<String, (u64, Timestamp)>;

impl Receiver {
    /// One that adds to `signals`, and has sessions changed by whom `wake` wakes.
    pub fn new(shared: (Store, Arc<Engine>, Arc<Clock>, Arc<Metrics>), signals: Signals, wake: Wake) -> Receiver {
        let (store, engine, clock, metrics) = shared;
        Receiver {
            store,
            engine,
            clock,
            metrics,
            signals,
            wake,
            keys: Mutex::default(),
            doing: Mutex::default(),
            turn: Turn::default(),
        }
    }

    /// The transmitters as they are configured now.
    pub fn transmitters(&self) -> Arc<[Arc<Transmitter>]> {
        self.engine.snapshot().transmitters.clone()
    }

    /// How the one of this name is doing.
    pub fn doing(&self, name: &str) -> Doing {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }

    fn note(&self, name: &str, note: impl FnOnce(&mut Doing)) {
        note(self.doing.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
    }

    /// Notes that a transmitter is of no use at the moment.
    pub fn failed(&self, name: &str, error: String) {
        let now = self.clock.now();
        self.note(name, |doing| (doing.failed, doing.error) = (Some(now), Some(error)));
    }

    /// Takes an event in. When it returns, what follows is durable, and a repetition changes nothing.
    ///
    /// # Errors
    /// See [`Untaken`]; then nothing has changed that a repetition would not change in the same way.
    pub async fn take(&self, transmitter: &Arc<Transmitter>, token: &str) -> Result<Outcome, Untaken> {
        let name = transmitter.name.as_str();
        let taken = self.judge(transmitter, token).await;
        let now = self.clock.now();
        match &taken {
            Ok(outcome) => {
                self.note(name, |doing| (doing.taken, doing.last) = (doing.taken + 1, Some(now)));
                self.metrics.shared_signals.received(match outcome {
                    Outcome::Acted => "acted",
                    Outcome::Acknowledged => "acknowledged",
                    Outcome::Repeated => "repeated",
                });
            }
            Err(error) => {
                let refused = matches!(error, Untaken::Refused(_));
                self.note(name, |doing| doing.refused += u64::from(refused));
                self.failed(name, error.to_string());
                let code = match error {
                    Untaken::Refused(refused) => refused.code.code(),
                    Untaken::Later(_) => "unavailable",
                };
                self.metrics.shared_signals.received(code);
                tracing::info!(transmitter = name, code, %error, "an event is not taken");
            }
        }
        taken
    }

    async fn judge(&self, transmitter: &Arc<Transmitter>, token: &str) -> Result<Outcome, Untaken> {
        let set = self.opened(transmitter, token).await?;
        let jti = digest_of(&set.jti);
        let mut counts = self.turn.lock().await;
        if self.store.ssf_known(&transmitter.name, &jti).await? {
            return Ok(Outcome::Repeated);
        }
        let now = self.clock.now();
        if set.event == Some(EventType::Verification) {
            let state = plain(set.text("state").unwrap_or_default());
            self.note(&transmitter.name, |doing| doing.verified = Some((now, state)));
        }
        let means = set.event.filter(|event| transmitter.may_tell(*event)).and_then(|_| meaning(&set));
        // What changes nothing may come again.
        let Some(means) = means else {
            tracing::debug!(transmitter = transmitter.name, uri = set.uri, "an event is acknowledged, and no more");
            return Ok(Outcome::Acknowledged);
        };
        if self.remembered(&mut counts, &transmitter.name, now).await? >= MAX_REMEMBERED {
            return Err(Untaken::Later("more events came within a day than are remembered".into()));
        }
        let event = self.act(transmitter, &set, &means, now).await?;
        self.store.ssf_received(&transmitter.name, &jti, event, now).await?;
        if let Some((count, _)) = counts.get_mut(&transmitter.name) {
            *count += 1;
        }
        Ok(Outcome::Acted)
    }

    /// How many events of a transmitter are remembered.
    async fn remembered(&self, counts: &mut Counts, name: &str, now: Timestamp) -> Result<u64, StoreError> {
        if let Some((count, at)) = counts.get(name)
            && *at <= now
            && now.since(*at) < COUNTED
        {
            return Ok(*count);
        }
        let configured = self.transmitters();
        counts.retain(|known, _| configured.iter().any(|one| one.name == *known));
        let count = self.store.ssf_remembered(name).await?;
        counts.insert(name.to_owned(), (count, now));
        Ok(count)
    }

    /// The token, if it holds. A key that is not known may be new.
    async fn opened(&self, transmitter: &Arc<Transmitter>, token: &str) -> Result<Set, Untaken> {
        let now = self.clock.now();
        let Transmitter { issuer, audience, .. } = &**transmitter;
        for again in [false, true] {
            let keys = self.keys(transmitter, again).await.map_err(|e| Untaken::Later(e.to_string()))?;
            match open(token, &keys, issuer, audience, now) {
                Ok(set) => return Ok(set),
                Err(NotOpened::Refused(refused)) => return Err(refused.into()),
                Err(NotOpened::UnknownKey) => {}
            }
        }
        Err(Refused::new(RefusedCode::InvalidKey, NotOpened::UnknownKey.to_string()).into())
    }

    /// The keys of a transmitter; asked for anew where one is not known. What fails is not tried again for a moment.
    async fn keys(&self, transmitter: &Arc<Transmitter>, again: bool) -> Result<JwkSet, FetchError> {
        if let Keys::Fixed(keys) = &transmitter.keys {
            return Ok(keys.clone());
        }
        let cached = {
            let mut all = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let configured = self.transmitters();
            all.retain(|name, _| configured.iter().any(|one| one.name == *name));
            all.entry(transmitter.name.clone()).or_default().clone()
        };
        let mut cached = cached.lock().await;
        // Another may have asked while this one waited for its turn.
        let now = self.clock.now();
        match cached.as_mut().filter(|(of, _)| of == transmitter).map(|(_, known)| known) {
            Some(Known::Keys(published)) if !published.is_old(now) => {
                if again {
                    published.again(now).await?;
                }
                return Ok(published.keys.clone());
            }
            Some(Known::Not(failure)) => {
                if let Some(error) = failure.holds(now) {
                    return Err(error);
                }
            }
            Some(Known::Keys(_)) | None => {}
        }
        match fetched(transmitter, now).await {
            Ok(published) => {
                let keys = published.keys.clone();
                *cached = Some((transmitter.clone(), Known::Keys(published)));
                Ok(keys)
            }
            Err(error) => {
                let failure = Failure::new(&error, self.clock.now());
                *cached = Some((transmitter.clone(), Known::Not(failure)));
                Err(error)
            }
        }
    }

    /// What follows from an event. Gives what is told of it in the audit log.
    async fn act(
        &self,
        transmitter: &Transmitter,
        set: &Set,
        means: &Meaning,
        now: Timestamp,
    ) -> Result<Event, Untaken> {
        let snapshot = self.engine.snapshot();
        let whom = whom(transmitter, set, means, &snapshot.identities);
        let subject = set.subject.as_ref().map(Subject::describe).unwrap_or_default();
        let code = set.event.map_or(set.uri.as_str(), |event| event.code());
        let detail = match set.reason() {
            Some(reason) => format!("{code}: {reason}"),
            None => code.to_owned(),
        };
        let severity = means.severity.min(transmitter.severity_at_most);
        let mut told = Told::new(&transmitter.name, means.kind, severity, &detail);
        // As of then, as far back as signals go.
        told.at = Some(set.happened().min(now).max(now - OLDEST));
        told.topic.clone_from(&means.topic);
        told.evidence("event", code);
        told.evidence("subject", &subject);
        for key in [
            "current_level",
            "current_status",
            "change_type",
            "credential_type",
            "x509_serial",
            "change_direction",
            "initiating_entity",
            "risk_reason",
        ] {
            told.evidence(key, set.text(key).unwrap_or_default());
        }
        let alike = whom.alike.join(", ");
        if whom.all.is_empty() {
            self.metrics.shared_signals.unmatched(if alike.is_empty() { "unknown" } else { "ambiguous" });
            if !alike.is_empty() {
                tracing::warn!(
                    transmitter = transmitter.name,
                    subject,
                    alike,
                    "several have the name that an event tells of"
                );
                told.evidence("ambiguous", &alike);
            }
        }
        if let Some(Subject::Simple(Identifier::Ips(ips))) = &set.subject {
            told.ips.clone_from(ips);
        }
        // First, for the signal has sessions looked at, too, and gentler changes would take the place of this one.
        let by = By { actor: format!("ssf:{}", transmitter.name), ..By::server() };
        let (mut ended, ends) = (0, means.ends && transmitter.ends != Ends::No);
        if ends {
            for identity in &whom.all {
                ended += self.end(transmitter, identity, &by, &detail, &snapshot, now).await?;
            }
        }
        let mut signals = Vec::new();
        let about = whom.weighed(severity);
        // What is about nobody who is known is kept, for people to see; it adds to nobody's risk.
        let each: Vec<Option<&Arc<Identity>>> =
            if about.is_empty() { vec![None] } else { about.iter().map(Some).collect() };
        for (number, identity) in each.into_iter().enumerate() {
            let of = if number == 0 { set.jti.clone() } else { format!("{} {number}", set.jti) };
            let mut of_one =
                Told { source_id: Some(plain(&of)), identity: identity.map(|known| known.id), ..told.clone() };
            if number > 0 {
                // What is told of the owner is taken back by what is told of the owner, and takes back nothing else.
                of_one.topic = plain(format!("owner {}", means.topic).trim_end());
            }
            signals.push(self.signals.take(of_one).await?.signal.id);
        }
        let names: Vec<&str> =
            if ends { &whom.all[..] } else { about }.iter().map(|identity| &*identity.name).collect();
        let mut after = json!({
            "event": code, "jti": set.jti, "identities": names, "signals": signals, "severity": severity,
            "sessions_ended": ended,
        });
        if whom.all.is_empty() && !alike.is_empty() {
            after["ambiguous"] = whom.alike.into();
        }
        let event = Event::new(&by, "ssf.event", "subject", &subject, now).states(Value::Null, after);
        Ok(event.because(set.reason().unwrap_or_default()))
    }

    /// Ends the sessions of somebody; how many.
    async fn end(
        &self,
        transmitter: &Transmitter,
        identity: &Identity,
        by: &By,
        why: &str,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let filter = SessionFilter { identity: Some(identity.name.to_string()), ..SessionFilter::default() };
        let mut meant = meant(&self.store, snapshot, &filter, None, now).await?;
        self.leave_out_others(&mut meant.sessions, identity, &snapshot.identities).await?;
        if meant.sessions.is_empty() {
            return Ok(0);
        }
        let wish = match transmitter.ends {
            Ends::Reauthenticate => Wish::Reauthenticate,
            Ends::Disconnect | Ends::No => Wish::Disconnect,
        };
        let asked = Asked { wish, fallback: true, by: by.clone(), why: why.to_owned() };
        ask_many(&self.store, snapshot, &meant.sessions, &asked, true, now).await?;
        self.wake.wake();
        Ok(meant.sessions.len())
    }

    /// Leaves out the sessions that others have by the name of this identity.
    async fn leave_out_others(
        &self,
        sessions: &mut Vec<Session>,
        identity: &Identity,
        identities: &IdentityIndex,
    ) -> Result<(), StoreError> {
        let ids: Vec<DecisionId> = sessions.iter().filter_map(Session::decision).collect();
        let (mut own, mut others) = (HashSet::new(), HashSet::new());
        for piece in ids.chunks(DECISIONS) {
            for decision in self.store.decisions_by_id(piece).await? {
                let same = decision.identity.as_ref().is_some_and(|known| is_same(known, identity, identities));
                let of = if same { &mut own } else { &mut others };
                of.insert(decision.id);
            }
        }
        sessions.retain(|session| match session.decision() {
            Some(id) if own.contains(&id) => true,
            Some(id) if others.contains(&id) => false,
            // Of a decision that is not kept any more the session knows the kind.
            _ => session.kind().is_none_or(|kind| kind == identity.kind.as_str()),
        });
        Ok(())
    }
}

/// Whom an event is about, of those who are known.
#[derive(Debug, Default)]
struct Whom {
    /// They; first the one that it names.
    all: Vec<Arc<Identity>>,
    /// Whether the one whom such an event is of in the first place was not found, and this is another that it names.
    instead: bool,
    /// Those who have a name of the subject together, in words.
    alike: Vec<String>,
}

impl Whom {
    /// Of whom it is told as a signal of this severity. What speaks against nobody, good news above all, is of whom the event is
    /// of in the first place, and of nobody else.
    fn weighed(&self, severity: Severity) -> &[Arc<Identity>] {
        if severity == Severity::Info && self.instead { &[] } else { &self.all }
    }
}

fn whom(transmitter: &Transmitter, set: &Set, means: &Meaning, identities: &IdentityIndex) -> Whom {
    let mut whom = Whom::default();
    let members: Vec<(usize, &Identifier, Option<Sort>)> = match &set.subject {
        None => Vec::new(),
        Some(Subject::Simple(identifier)) => vec![(0, identifier, means.sort)],
        Some(subject @ Subject::Complex(_)) => {
            let sort = |role| if role == "user" { Sort::User } else { Sort::Thing };
            let member = |(place, role)| Some((place, subject.member(role)?, Some(sort(role))));
            means.about.into_iter().enumerate().filter_map(member).collect()
        }
    };
    for (place, identifier, sort) in members {
        for name in transmitter.names(identifier) {
            match who(identities, name, sort.or(name.sort())) {
                Found::Nobody => {}
                Found::Several(all) => {
                    let all = all.iter().map(|one| format!("{} {}", one.kind, one.name));
                    whom.alike.extend(all.take(ALIKE.saturating_sub(whom.alike.len())));
                }
                Found::One(identity) => {
                    if transmitter.owned && identity.kind == IdentityKind::User {
                        whom.all = owned(identities, &identity);
                    }
                    whom.all.insert(0, identity);
                    whom.instead = place > 0;
                    return whom;
                }
            }
        }
    }
    whom
}

/// Whether who was recognised by the name of `identity` is that identity: one of another kind may have the name, too. An id that
/// is nobody's any more is of one that was written down anew.
fn is_same(known: &IdentityRef, identity: &Identity, identities: &IdentityIndex) -> bool {
    let anew = || known.kind == identity.kind.as_str() && identities.by_id(known.id).is_none();
    known.id == identity.id || anew()
}

/// Asks a transmitter for its keys.
async fn fetched(transmitter: &Transmitter, now: Timestamp) -> Result<Published, FetchError> {
    let client = client_of(transmitter)?;
    let uri = match &transmitter.keys {
        Keys::At(uri) => uri.clone(),
        Keys::Fixed(_) | Keys::Discovered => {
            let says: Discovered = https::json(client.get(described_at(&transmitter.issuer))).await?;
            if says.issuer != transmitter.issuer {
                let message = format!("it calls itself {:?}, and its issuer is {:?}", says.issuer, transmitter.issuer);
                return Err(FetchError::Unreadable(message));
            }
            if !is_safe(&says.jwks_uri) {
                let message = format!("it has its keys at {:?}, which is no https URL", says.jwks_uri);
                return Err(FetchError::Unreadable(message));
            }
            says.jwks_uri
        }
    };
    Published::fetch(client, uri, now).await
}

/// A client for what a transmitter is asked.
///
/// # Errors
/// When a certificate of its CAs cannot be read.
pub fn client_of(transmitter: &Transmitter) -> Result<reqwest::Client, FetchError> {
    let cas: Vec<CertificateDer<'_>> = transmitter.cas.iter().map(|der| der.as_slice().into()).collect();
    https::client(&cas)
}

/// Where an issuer says what it is (SSF 1.0, section 7.2): the well-known part comes before its path.
fn described_at(issuer: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    let after_scheme = issuer.find("://").map_or(0, |at| at + 3);
    let path = issuer.get(after_scheme..).and_then(|rest| rest.find('/')).map_or(issuer.len(), |at| after_scheme + at);
    let (host, path) = issuer.split_at(path);
    format!("{host}/.well-known/ssf-configuration{path}")
}

fn digest_of(jti: &str) -> [u8; 32] {
    let mut octets = [0; 32];
    octets.iter_mut().zip(digest(&SHA256, jti.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    octets
}

impl From<StoreError> for Untaken {
    fn from(error: StoreError) -> Self {
        Untaken::Later(error.to_string())
    }
}

impl From<NotTaken> for Untaken {
    fn from(error: NotTaken) -> Self {
        Untaken::Later(error.to_string())
    }
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
