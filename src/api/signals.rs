//! Signals: what speaks against somebody, whoever tells it.

use super::ApiState;
use super::caller::{Caller, Means};
use super::decisions::{TIME, mac, parsed, time};
use super::extract::{Body, Query, Text};
use super::page::{CURSOR, Page, limit};
use super::problem::{Fault, Problem};
use crate::ids::{EndpointId, IdentityId, SessionId, SignalId};
use crate::inventory::identity::IdentityKind;
use crate::inventory::mac::MacAddress;
use crate::jobs::signals::{NotTaken, Signals, Taken};
use crate::signals::hook::{self, Hook, SURICATA};
use crate::signals::kind::SignalKind;
use crate::signals::risk::Level;
use crate::signals::signal::{
    MAX_EVIDENCE, MAX_HALF_LIFE, MAX_TEXT, MIN_HALF_LIFE, OURSELVES, Severity, Signal, Told, plain,
};
use crate::store::signals::{Settling, SignalFilter};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Signals that one request may bring: what is durable well within the time that a request may take.
const MAX_SIGNALS: usize = 1_000;
/// The longest name of a source, and id that it gives, in characters.
const MAX_NAME: usize = 200;
/// The name of who tells with the server's own token and does not say it.
const UNNAMED: &str = "api";
/// What a filter by kind wants.
pub(super) const SIGNAL: &str = "a signal's code, such as mac_in_two_places";

/// What speaks against somebody, or does not fit together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Signal)]
pub(super) struct SignalView {
    id: SignalId,
    /// As of when.
    at: Timestamp,
    kind: SignalKind,
    severity: Severity,
    /// Who says so: `cordon`, a connector, a hook, or another system.
    source: String,
    /// What the source calls it.
    #[schema(required)]
    source_id: Option<String>,
    /// What of the kind and source it is about; the same told again takes its place.
    topic: String,
    #[schema(required)]
    identity: Option<IdentityId>,
    #[schema(required)]
    mac: Option<String>,
    #[schema(required)]
    ip: Option<String>,
    #[schema(required)]
    session: Option<SessionId>,
    #[schema(required)]
    endpoint: Option<EndpointId>,
    #[schema(required)]
    nas: Option<NasAt>,
    /// What was seen.
    cause: &'static str,
    /// What to do about it.
    remedy: &'static str,
    /// What is particular to it.
    detail: String,
    /// What the source knows besides.
    evidence: BTreeMap<String, String>,
    /// What somebody has said about it since.
    #[schema(required)]
    settled: Option<SettledView>,
}

/// What somebody has said about a signal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettledView {
    /// Whether it speaks against nobody any more; else somebody has only seen it.
    dismissed: bool,
    at: Timestamp,
    by: String,
    reason: String,
}

/// A NAS, at an address that it sends from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NasAt {
    name: String,
    address: String,
}

impl SignalView {
    /// The signal, put into words.
    pub(super) fn of(signal: &Signal) -> SignalView {
        let Signal { about, .. } = signal;
        let nas = about.nas.as_ref();
        SignalView {
            id: signal.id,
            at: signal.at,
            kind: signal.kind,
            severity: signal.severity,
            source: signal.source.clone(),
            source_id: signal.source_id.clone(),
            topic: signal.topic.clone(),
            identity: about.identity,
            mac: about.mac.map(|mac| mac.to_string()),
            ip: about.ip.map(|ip| ip.to_string()),
            session: about.session,
            endpoint: about.endpoint,
            nas: nas.map(|(name, address)| NasAt { name: name.clone(), address: address.to_string() }),
            cause: signal.kind.cause(),
            remedy: signal.kind.remedy(),
            detail: signal.detail.clone(),
            evidence: signal.evidence.clone(),
            settled: signal.settled.as_ref().map(|settled| SettledView {
                dismissed: settled.dismissed,
                at: settled.at,
                by: settled.by.clone(),
                reason: settled.reason.clone(),
            }),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// A signal's code.
    kind: Option<String>,
    /// The id of the identity.
    identity: Option<String>,
    /// A MAC address, in any spelling.
    mac: Option<String>,
    /// The id of the endpoint.
    endpoint: Option<String>,
    /// The name of the NAS.
    nas: Option<String>,
    /// Who says so.
    source: Option<String>,
    since: Option<String>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// What speaks against somebody, does not fit together, or is unexpected, with what to do, newest first
#[utoipa::path(
    get,
    path = "/api/v1/signals",
    operation_id = "list_signals",
    tag = "risk",
    params(Parameters),
    responses((status = 200, description = "A page of them", body = Page<SignalView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<SignalView>>, Problem> {
    let filter = SignalFilter {
        kind: parsed("kind", p.kind.as_deref(), SIGNAL, SignalKind::from_code)?,
        identity: parsed("identity", p.identity.as_deref(), "an identity's id", |text| text.parse().ok())?,
        mac: mac(p.mac.as_deref())?,
        endpoint: parsed("endpoint", p.endpoint.as_deref(), "an endpoint's id", |text| text.parse().ok())?,
        nas: p.nas,
        source: p.source,
        since: parsed("since", p.since.as_deref(), TIME, time)?,
    };
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse().ok())?;
    let page = state.store.signals(filter, after, limit(p.limit)?).await?;
    Ok(Json(Page::new(page.items.iter().map(SignalView::of).collect(), page.next)))
}

fn missing(id: &str) -> Problem {
    Problem::not_found(format!("there is no signal {id:?}; GET /api/v1/signals lists them"))
}

/// One signal
#[utoipa::path(
    get,
    path = "/api/v1/signals/{id}",
    operation_id = "get_signal",
    tag = "risk",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It", body = SignalView)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<SignalView>, Problem> {
    let signal = state.store.signal(id.parse().map_err(|_| missing(&id))?).await?;
    Ok(Json(SignalView::of(&signal.ok_or_else(|| missing(&id))?)))
}

/// A kind of signal that there is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KnownKind {
    kind: SignalKind,
    /// What was seen.
    cause: &'static str,
    /// What to do about it.
    remedy: &'static str,
    /// What one of severity `high` adds to a risk, in points of 100.
    weight: f64,
    /// After how many seconds it weighs half as much.
    half_life_secs: u64,
}

/// The kinds of signals, with what each weighs
#[utoipa::path(
    get,
    path = "/api/v1/signals/kinds",
    operation_id = "list_signal_kinds",
    tag = "risk",
    responses((status = 200, description = "All of them", body = Vec<KnownKind>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn kinds(State(state): State<ApiState>) -> Json<Vec<KnownKind>> {
    let settings = &state.engine.snapshot().risk;
    let known = SignalKind::ALL.iter().map(|kind| KnownKind {
        kind: *kind,
        cause: kind.cause(),
        remedy: kind.remedy(),
        weight: settings.weight(*kind),
        half_life_secs: settings.half_life(*kind).as_secs(),
    });
    Json(known.collect())
}

/// What is told of somebody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignalBody {
    kind: SignalKind,
    /// `medium`, if it is not said.
    severity: Option<Severity>,
    /// As of when, by the clock of who tells; now, if it is not said.
    at: Option<String>,
    /// What the source calls it: the same sent again is taken in once.
    id: Option<String>,
    /// The id of the identity.
    identity: Option<String>,
    /// Or its kind, with its name.
    identity_kind: Option<String>,
    /// Its name.
    identity_name: Option<String>,
    /// The id of a session.
    session: Option<String>,
    /// A MAC address.
    mac: Option<String>,
    /// An IP address: it is about who had it then.
    ip: Option<String>,
    /// What of the kind it is about, such as a rule: the same told again takes the place of what was told before.
    topic: Option<String>,
    /// In words; what is longer than 500 characters is cut.
    detail: Option<String>,
    /// After how many seconds it weighs half as much, 1 to 604,800; what the kind says, if it is not said.
    half_life_secs: Option<u64>,
    /// What the source knows besides: at most 16 texts.
    #[serde(default)]
    evidence: BTreeMap<String, String>,
    /// Who says so, where the server's own token is used; else it is the name of the token.
    source: Option<String>,
}

/// Several signals.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignalsBody {
    /// At most 1,000; each is taken in, or refused, for itself.
    signals: Vec<SignalBody>,
}

/// What came of several signals.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct SignalsTaken {
    /// How many are new.
    taken: usize,
    /// How many their source had told before.
    known: usize,
    /// How many events are none of those that the hook asks for.
    passed_over: usize,
    /// Those that are there now.
    signals: Vec<TakenView>,
    /// Those that were not taken in: which, counted from 0, and why.
    refused: Vec<Fault>,
}

/// What came of one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TakenView {
    /// Which of those that were sent, counted from 0.
    number: usize,
    id: SignalId,
    /// Whether its source had told it before.
    known: bool,
    /// Whom it is about, if that is known.
    #[schema(required)]
    identity: Option<IdentityId>,
    #[schema(required)]
    mac: Option<String>,
    /// The level of their risk now.
    level: Level,
    /// Their score.
    score: f64,
}

impl SignalBody {
    fn read(self, state: &ApiState, caller: &Caller) -> Result<Told, Problem> {
        let root = caller.means == Means::RootToken;
        let unnamed = if root { UNNAMED } else { caller.name.as_str() };
        let source = self.source.filter(|_| root).unwrap_or_else(|| unnamed.to_owned());
        let length = |text: &str| (1..=MAX_NAME).contains(&text.chars().count());
        if !length(&source) || source == OURSELVES {
            let detail = format!("a source has 1 to {MAX_NAME} characters, and is not {OURSELVES:?}");
            return Err(Problem::parameter("source", detail));
        }
        if self.id.as_deref().is_some_and(|id| !length(id)) {
            return Err(Problem::parameter("id", format!("an id has 1 to {MAX_NAME} characters")));
        }
        let severity = self.severity.unwrap_or(Severity::Medium);
        let mut told = Told::new(&source, self.kind, severity, self.detail.as_deref().unwrap_or_default());
        told.at = parsed("at", self.at.as_deref(), TIME, time)?;
        told.source_id = self.id.map(|id| plain(&id));
        told.identity = parsed("identity", self.identity.as_deref(), "an identity's id", |id| id.parse().ok())?;
        if let (Some(kind), Some(name)) = (&self.identity_kind, &self.identity_name) {
            let kind = kind.parse::<IdentityKind>().map_err(|e| Problem::parameter("identity_kind", e.to_string()))?;
            let snapshot = state.engine.snapshot();
            let found = snapshot.identities.by_name(kind, name);
            let missing = || Problem::unknown_name("identity_name", format!("there is no {kind} called {name:?}"));
            told.identity = Some(found.ok_or_else(missing)?.id);
        } else if self.identity_kind.is_some() || self.identity_name.is_some() {
            return Err(Problem::parameter("identity_name", "give identity_kind and identity_name together"));
        }
        told.session = parsed("session", self.session.as_deref(), "a session's id", |id| id.parse().ok())?;
        told.mac = parsed("mac", self.mac.as_deref(), "a MAC address", |text| MacAddress::parse(text).ok())?;
        let ip = parsed("ip", self.ip.as_deref(), "an IP address", |text| text.parse::<IpAddr>().ok())?;
        told.ips.extend(ip.map(|ip| ip.to_canonical()));
        if told.identity.is_none() && told.session.is_none() && told.mac.is_none() && told.ips.is_empty() {
            let detail = "it is not said of whom: give identity, identity_kind with identity_name, session, mac or ip";
            return Err(Problem::parameter("identity", detail));
        }
        told.topic = self.topic.as_deref().map(plain).unwrap_or_default();
        if let Some(secs) = self.half_life_secs {
            let allowed = MIN_HALF_LIFE.as_secs()..=MAX_HALF_LIFE.as_secs();
            if !allowed.contains(&secs) {
                let detail = format!("{secs} is not from {} to {}", allowed.start(), allowed.end());
                return Err(Problem::parameter("half_life_secs", detail));
            }
            told.half_life = Some(Duration::from_secs(secs));
        }
        if self.evidence.len() > MAX_EVIDENCE {
            return Err(Problem::parameter("evidence", format!("there are more than {MAX_EVIDENCE} pieces")));
        }
        for (name, value) in &self.evidence {
            told.evidence(name, value);
        }
        Ok(told)
    }
}

/// What to do about a signal that is not taken in.
fn remedy(error: &NotTaken) -> &'static str {
    match error {
        NotTaken::Unknown(_) => "GET /api/v1/identities lists those that there are",
        NotTaken::Untimely(_) => "send what is so now, with the time of now",
        NotTaken::Busy | NotTaken::Store(_) => "send it again in a second",
    }
}

/// Takes in what could be read, all at once, so that they are stored together.
async fn take(intake: &Signals, readable: Vec<(usize, Told)>, done: &mut SignalsTaken) -> Result<(), Problem> {
    let mut tasks = tokio::task::JoinSet::new();
    for (number, told) in readable {
        let intake = intake.clone();
        tasks.spawn(async move { (number, intake.take(told).await) });
    }
    while let Some(finished) = tasks.join_next().await {
        let (number, taken) = finished.map_err(|error| Problem::internal(&error))?;
        match taken {
            Ok(Taken { signal, known, risk }) => {
                *(if known { &mut done.known } else { &mut done.taken }) += 1;
                done.signals.push(TakenView {
                    number,
                    id: signal.id,
                    known,
                    identity: signal.about.identity,
                    mac: signal.about.mac.map(|mac| mac.to_string()),
                    level: risk.level,
                    score: risk.score.round(),
                });
            }
            Err(error) => done.refused.push(fault(number, error.to_string(), remedy(&error))),
        }
    }
    done.signals.sort_by_key(|taken| taken.number);
    let place = |fault: &Fault| fault.at.as_ref().map(|at| (at.len(), at.clone()));
    done.refused.sort_by_key(place);
    Ok(())
}

fn fault(number: usize, message: String, remedy: &str) -> Fault {
    Fault { at: Some(format!("signals[{number}]")), message, remedy: remedy.into() }
}

/// Tells what speaks against somebody
///
/// Decisions go by it when the answer comes, and sessions of those whom it is about are looked at again. Each signal is taken
/// in, or refused, for itself. With an `id` it may be sent again: it is taken in once. One that is dated ahead of the
/// server's clock by more than two minutes, or older than a day, is refused.
#[utoipa::path(
    post,
    path = "/api/v1/signals",
    operation_id = "tell_signals",
    tag = "risk",
    request_body = SignalsBody,
    responses((status = 200, description = "What came of each", body = SignalsTaken)),
    security(("bearer" = ["signals:write"]))
)]
pub(super) async fn tell(
    State(state): State<ApiState>,
    caller: Caller,
    Body(SignalsBody { signals }): Body<SignalsBody>,
) -> Result<Json<SignalsTaken>, Problem> {
    if signals.len() > MAX_SIGNALS {
        return Err(Problem::parameter("signals", format!("there are more than {MAX_SIGNALS}; send them in parts")));
    }
    let (mut done, mut readable) = (SignalsTaken::default(), Vec::new());
    for (number, body) in signals.into_iter().enumerate() {
        match body.read(&state, &caller) {
            Ok(told) => readable.push((number, told)),
            Err(problem) => {
                done.refused.push(fault(number, problem.told(), "correct it; docs/risk.md says what a signal may say"))
            }
        }
    }
    take(&state.signals, readable, &mut done).await?;
    Ok(Json(done))
}

/// What an event of a hook says, with the id of its identity; nothing if it is none of those that the hook asks for.
fn read_event(hook: &Hook, event: &serde_json::Value, state: &ApiState) -> Result<Option<Told>, String> {
    let Some(hook::Event { mut told, identity }) = hook.read(event).map_err(|e| e.to_string())? else {
        return Ok(None);
    };
    if hook.name == SURICATA && told.source_id.is_none() {
        told.source_id = hook::suricata_id(event);
    }
    if let Some(name) = identity {
        let snapshot = state.engine.snapshot();
        let mut named = IdentityKind::ALL.iter().filter_map(|kind| snapshot.identities.by_name(*kind, &name));
        match (named.next(), named.next()) {
            (Some(identity), None) => told.identity = Some(identity.id),
            (Some(_), Some(_)) => return Err(format!("several identities are called {name:?}")),
            // Then it may be found by its addresses.
            (None, _) if told.mac.is_none() && told.ips.is_empty() => {
                return Err(format!("there is no identity called {name:?}"));
            }
            (None, _) => told.evidence("identity", &name),
        }
    }
    Ok(Some(told))
}

/// Takes in what an IDS or a SIEM sends by its own webhook
///
/// `suricata` takes alerts of EVE; other hooks are described by `[[risk.hook]]` in the configuration. The body is one event, a
/// list of them, or one a line, and at most 1,000. Each is taken in, or refused, for itself.
#[utoipa::path(
    post,
    path = "/api/v1/signals/hooks/{name}",
    operation_id = "tell_hook",
    tag = "risk",
    params(("name" = String, Path, description = "The name of the hook")),
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, description = "What came of each", body = SignalsTaken)),
    security(("bearer" = ["signals:write"]))
)]
pub(super) async fn hook(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Text(body): Text,
) -> Result<Json<SignalsTaken>, Problem> {
    let snapshot = state.engine.snapshot();
    let Some(hook) = snapshot.hooks.iter().find(|hook| hook.name == name) else {
        let known = snapshot.hooks.iter().map(|hook| hook.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Problem::not_found(format!(
            "there is no hook {name:?}; there are {known}; [[risk.hook]] adds one"
        )));
    };
    let events = hook::events(&body).map_err(Problem::body)?;
    let (mut done, mut readable) = (SignalsTaken::default(), Vec::new());
    for (number, event) in events.iter().enumerate() {
        match read_event(hook, event, &state) {
            Ok(Some(told)) => readable.push((number, told)),
            Ok(None) => done.passed_over += 1,
            Err(why) => {
                done.refused.push(fault(number, why, "correct [[risk.hook]], or what the other system sends"));
            }
        }
    }
    take(&state.signals, readable, &mut done).await?;
    Ok(Json(done))
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettleBody {
    /// In words, for the audit log: 1 to 500 characters.
    reason: String,
    /// Who asks, where the server's own token is used.
    #[serde(default)]
    by: String,
}

async fn settle(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    dismiss: bool,
    body: &SettleBody,
) -> Result<Json<SignalView>, Problem> {
    let reason = plain(&body.reason);
    if reason.is_empty() || body.reason.chars().count() > MAX_TEXT {
        return Err(Problem::parameter("reason", format!("a reason has 1 to {MAX_TEXT} characters")));
    }
    let by = caller.by_name(&plain(&body.by));
    let settling = state.signals.settle(id.parse().map_err(|_| missing(id))?, dismiss, &by, &reason).await?;
    match settling {
        Settling::Missing => Err(missing(id)),
        Settling::Already(_) => Err(Problem::conflict("already_dismissed", "it was dismissed before")),
        Settling::Done(signal, _) => Ok(Json(SignalView::of(&signal))),
    }
}

/// Says that a signal speaks against nobody
///
/// It adds to no risk any more, nor do earlier ones of the same kind, source and topic about the same. Sessions are looked at
/// again.
#[utoipa::path(
    post,
    path = "/api/v1/signals/{id}/dismiss",
    operation_id = "dismiss_signal",
    tag = "risk",
    params(("id" = String, Path, description = "Its id")),
    request_body = SettleBody,
    responses((status = 200, description = "It is dismissed", body = SignalView)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn dismiss(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<SettleBody>,
) -> Result<Json<SignalView>, Problem> {
    settle(&state, &caller, &id, true, &body).await
}

/// Says that somebody has seen a signal; it weighs what it weighed
#[utoipa::path(
    post,
    path = "/api/v1/signals/{id}/acknowledge",
    operation_id = "acknowledge_signal",
    tag = "risk",
    params(("id" = String, Path, description = "Its id")),
    request_body = SettleBody,
    responses((status = 200, description = "It is noted", body = SignalView)),
    security(("bearer" = ["sessions:change"]))
)]
pub(super) async fn acknowledge(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<SettleBody>,
) -> Result<Json<SignalView>, Problem> {
    settle(&state, &caller, &id, false, &body).await
}
