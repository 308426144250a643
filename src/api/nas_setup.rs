//! Setting a NAS up: what is entered on it, what was seen of it since, and whether it takes changes.

use super::ApiState;
use super::caller::Caller;
use super::decisions::{TIME, parsed, time};
use super::extract::{Body, Query};
use super::problem::Problem;
use crate::coa::error_cause::ErrorCause;
use crate::coa::exchange::{Answer, Ask, dated};
use crate::enforcement::coa::{LiveSession, Wish, order};
use crate::enforcement::nas_profile::NasProfile;
use crate::enforcement::setup::{Places, SECRET};
use crate::ids::ChangeOrderId;
use crate::inventory::behaviour::Behaviour;
use crate::inventory::nas::{CoaTarget, Nas};
use crate::radius::attribute as attr;
use crate::radius::packet::Code;
use crate::radius::value::digits;
use crate::random::random;
use crate::store::accounting_read::AccountingFilter;
use crate::time::Timestamp;
use crate::transport::coa::{CoaClient, Failure, Ticket};
use crate::transport::radsec::{Reply, ReverseError};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

/// How long a NAS is waited for: two retransmissions, and somebody watches.
const PATIENCE: Duration = Duration::from_secs(8);
/// Tests at a time.
const AT_ONCE: usize = 4;
/// After which it may be tried again when there are too many.
const AGAIN: Duration = Duration::from_secs(5);
/// Results that are kept: one for each NAS that was tried lately.
const KEPT: usize = 1_000;
/// How far back the check looks when nothing is said.
const BACK: Duration = Duration::from_secs(3600);

/// What tests of changes need.
#[derive(Clone, Debug)]
pub(super) struct CoaTests {
    client: CoaClient,
    number: Arc<AtomicU64>,
    turns: Arc<Semaphore>,
    results: Arc<Mutex<HashMap<String, CoaResult>>>,
}

impl CoaTests {
    pub(super) fn new(client: CoaClient) -> CoaTests {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        CoaTests { client, number: Arc::default(), turns, results: Arc::default() }
    }

    fn keep(&self, nas: &str, result: &CoaResult) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if results.len() >= KEPT {
            let oldest = results.iter().min_by_key(|(_, result)| result.at).map(|(name, _)| name.clone());
            oldest.map(|name| results.remove(&name));
        }
        results.insert(nas.to_owned(), result.clone());
    }

    fn last(&self, nas: &str) -> Option<CoaResult> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).get(nas).cloned()
    }
}

/// The NAS of this name, if it is at a site of who asks.
fn found(state: &ApiState, caller: &Caller, name: &str) -> Result<Arc<Nas>, Problem> {
    let missing = || Problem::not_found(format!("there is no NAS {name:?}; GET /api/v1/nas lists them"));
    let nas = state.engine.snapshot().nas.named(name).cloned().ok_or_else(missing)?;
    if caller.reaches(state, name) { Ok(nas) } else { Err(missing()) }
}

fn gear(state: &ApiState, vendor: &str) -> Result<Arc<NasProfile>, Problem> {
    let snapshot = state.engine.snapshot();
    snapshot.gear.get(vendor).cloned().ok_or_else(|| {
        let known: Vec<&str> = snapshot.gear.all().map(|gear| gear.name.as_str()).collect();
        Problem::parameter("vendor", format!("no kind of gear is called {vendor:?}; there are {}", known.join(", ")))
    })
}

/// A kind of gear.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VendorView {
    /// What `vendor` of a NAS says.
    name: String,
    /// What it is for.
    title: String,
    /// The UDP port at which it takes changes, unless told otherwise; null where it takes none.
    #[schema(required)]
    coa_port: Option<u16>,
    /// The changes that it can be told.
    changes: Vec<&'static str>,
}

/// All kinds of gear.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Vendors {
    items: Vec<VendorView>,
}

/// The kinds of gear that are known, by name
#[utoipa::path(
    get, path = "/api/v1/nas/vendors", operation_id = "list_vendors", tag = "nas",
    responses((status = 200, description = "All of them", body = Vendors)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn vendors(State(state): State<ApiState>) -> Json<Vendors> {
    let snapshot = state.engine.snapshot();
    let items = snapshot.gear.all().map(|gear| VendorView {
        name: gear.name.clone(),
        title: gear.title.clone(),
        coa_port: gear.coa.as_ref().map(|coa| coa.port),
        changes: gear.coa.iter().flat_map(|coa| coa.forms.keys()).map(|change| change.code()).collect(),
    });
    Json(Vendors { items: items.collect() })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SnippetOf {
    /// The kind of gear; that of the NAS, if it is not said.
    vendor: Option<String>,
    /// The address at which the NAS reaches this server; that at which it listens, if it is not said.
    server: Option<String>,
}

/// What is entered on a NAS, so that it asks here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Snippet {
    vendor: String,
    /// What kind of gear that is.
    title: String,
    /// The text. `<secret>` stands for the secret, which is shown nowhere.
    text: String,
    /// What stands for the secret in the text.
    secret: &'static str,
    /// What stands behind it: `standard` (the RFCs), or `unconfirmed`, which is to be compared with the vendor's guide.
    confirmed: &'static str,
    /// The address of this server, if it is known.
    #[schema(required)]
    server: Option<String>,
    auth_port: u16,
    acct_port: u16,
    /// The port at which the NAS takes changes; null if it takes none.
    #[schema(required)]
    coa_port: Option<u16>,
}

/// What is entered on a NAS, so that it asks here
#[utoipa::path(
    get, path = "/api/v1/nas/{name}/snippet", operation_id = "get_nas_snippet", tag = "nas",
    params(("name" = String, Path, description = "Its name"), SnippetOf),
    responses((status = 200, description = "The text, with a placeholder for the secret", body = Snippet)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn snippet(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    Query(p): Query<SnippetOf>,
) -> Result<Json<Snippet>, Problem> {
    let nas = found(&state, &caller, &name)?;
    let gear = gear(&state, p.vendor.as_deref().unwrap_or(&nas.vendor))?;
    let server = parsed("server", p.server.as_deref(), "an IP address", |text| text.parse::<IpAddr>().ok())?;
    let known = |places: &[SocketAddr]| places.iter().map(SocketAddr::ip).find(|ip| !ip.is_unspecified());
    let server = server.or_else(|| known(&state.listening.auth));
    let port = |places: &[SocketAddr], usual| places.first().map_or(usual, SocketAddr::port);
    let own = match &nas.coa {
        CoaTarget::Off => None,
        CoaTarget::At { port, .. } => port.or_else(|| gear.coa.as_ref().map(|coa| coa.port)),
    };
    let places = Places {
        server,
        auth_port: port(&state.listening.auth, 1812),
        acct_port: port(&state.listening.acct, 1813),
        coa_port: own.unwrap_or(3799),
    };
    let missing = || Problem::not_found(format!("the NAS profile {} holds no text to enter", gear.name));
    let setup = gear.setup.as_ref().ok_or_else(missing)?;
    Ok(Json(Snippet {
        vendor: gear.name.clone(),
        title: gear.title.clone(),
        text: setup.text(&places),
        secret: SECRET,
        confirmed: setup.confirmed.as_str(),
        server: server.map(|address| address.to_string()),
        auth_port: places.auth_port,
        acct_port: places.acct_port,
        coa_port: own,
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// Only what came at this time or later counts; an hour ago, if it is not said.
    since: Option<String>,
}

/// Whether something was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Seen {
    /// It was, and is well.
    Good,
    /// It was, and is not as it should be.
    Bad,
    /// It was not yet.
    Waiting,
}

/// One thing to look for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckStep {
    /// `packet`, `secret`, `message_authenticator`, `login`, `accounting` or `changes`.
    step: &'static str,
    state: Seen,
    /// What was seen, or is waited for.
    detail: String,
    /// What to do about it; null where that is nothing.
    #[schema(required)]
    remedy: Option<String>,
    #[schema(required)]
    at: Option<Timestamp>,
}

/// What was seen of a NAS.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NasCheck {
    name: String,
    since: Timestamp,
    /// In their order: each is of use only when those before are good.
    steps: Vec<CheckStep>,
    /// What the NAS was last asked as a test.
    #[schema(required)]
    coa_test: Option<CoaResult>,
}

fn step(step: &'static str, state: Seen, detail: impl Into<String>) -> CheckStep {
    CheckStep { step, state, detail: detail.into(), remedy: None, at: None }
}

impl CheckStep {
    fn do_this(mut self, remedy: impl Into<String>) -> CheckStep {
        self.remedy = Some(remedy.into());
        self
    }

    fn at(mut self, at: Timestamp) -> CheckStep {
        self.at = Some(at);
        self
    }
}

/// What was seen of a NAS since a time: its first packet, whether its secret is right, Message-Authenticator, logins, accounting
///
/// Made to be asked each second while somebody sets the NAS up.
#[utoipa::path(
    get, path = "/api/v1/nas/{name}/check", operation_id = "check_nas", tag = "nas",
    params(("name" = String, Path, description = "Its name"), Since),
    responses((status = 200, description = "Step by step", body = NasCheck)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn check(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    Query(p): Query<Since>,
) -> Result<Json<NasCheck>, Problem> {
    let (nas, now) = (found(&state, &caller, &name)?, state.clock.now());
    let since = parsed("since", p.since.as_deref(), TIME, time)?.unwrap_or(now - BACK);
    let mut seen = state.engine.watch().select(|behaviour| behaviour.name == nas.name && behaviour.last >= since);
    seen.sort_unstable_by_key(|behaviour| behaviour.last);
    let latest = seen.last();
    let dropped: Vec<_> =
        state.metrics.discards().into_iter().filter(|row| row.nas == nas.name && row.last_at >= since).collect();
    let records =
        AccountingFilter { nas: Some(vec![nas.name.clone()]), since: Some(since), ..AccountingFilter::default() };
    let accounted = !state.store.accounting(&records, None, 1).await?.items.is_empty();
    let connected = nas.radsec.is_some() && state.connections.is_connected(&nas.name);
    let newest_drop = dropped.iter().max_by_key(|row| row.last_at);

    let packet = match (latest, newest_drop) {
        (Some(b), _) => step("packet", Seen::Good, format!("requests come from {}", b.address)).at(b.last),
        (None, Some(row)) => step("packet", Seen::Good, format!("packets come from {}", row.last_source)).at(row.last_at),
        (None, None) if connected => step("packet", Seen::Good, "it is connected by TLS"),
        (None, None) if accounted => step("packet", Seen::Good, "accounting comes"),
        (None, None) => step("packet", Seen::Waiting, format!("waiting for the first packet from {}", nas.known_by()))
            .do_this("enter the text below on it, and let something log in; look at GET /api/v1/nas/unknown if it asks from another address"),
    };
    let wrong = dropped.iter().find(|row| row.reason.code() == "wrong_secret");
    let proven = latest.is_some_and(|b| b.learned.message_authenticator.in_a_row > 0);
    let over = |at: Timestamp| latest.is_some_and(|b| b.last > at && proven);
    let secret = match wrong {
        Some(row) if !over(row.last_at) => {
            step("secret", Seen::Bad, row.reason.cause()).do_this(row.reason.remedy()).at(row.last_at)
        }
        _ if proven || connected || accounted => step("secret", Seen::Good, "the secret is the same on both sides"),
        _ if latest.is_some() => step(
            "secret",
            Seen::Waiting,
            "requests come, and nothing in them proves the secret: they have no Message-Authenticator",
        ),
        _ => step("secret", Seen::Waiting, "a first packet tells whether the secret is the same on both sides"),
    };
    let missing = dropped.iter().find(|row| row.reason.code() == "missing_message_authenticator");
    let authenticator = match (latest.map(Behaviour::message_authenticator), missing) {
        (_, Some(row)) if !over(row.last_at) => step("message_authenticator", Seen::Bad, row.reason.cause())
            .do_this(row.reason.remedy())
            .at(row.last_at),
        (Some("always"), _) => step("message_authenticator", Seen::Good, "all requests have it"),
        (Some(_), _) => step("message_authenticator", Seen::Bad, "requests come without it").do_this(
            "update the NAS, or switch Message-Authenticator on there; then say message_authenticator = \"required\" here",
        ),
        (None, _) if connected => step("message_authenticator", Seen::Good, "TLS protects all packets"),
        (None, _) => step("message_authenticator", Seen::Waiting, "a first request tells whether it has it"),
    };
    let steps = vec![
        packet,
        secret,
        authenticator,
        login(&state, &nas, since).await?,
        accounting(accounted),
        changes(&state, &nas, since),
    ];
    let coa_test = state.coa_tests.last(&nas.name);
    Ok(Json(NasCheck { name: nas.name.clone(), since, steps, coa_test }))
}

async fn login(state: &ApiState, nas: &Nas, since: Timestamp) -> Result<CheckStep, Problem> {
    let filter = crate::store::read::DecisionFilter {
        nas: Some(vec![nas.name.clone()]),
        since: Some(since),
        ..Default::default()
    };
    let page = state.store.decisions(&filter, None, 1).await?;
    Ok(match page.items.first() {
        None => step("login", Seen::Waiting, "waiting for the first login"),
        Some(decision) if decision.reason == crate::audit::Reason::Accepted => {
            let who = decision.identity.as_ref().map(|identity| identity.name.clone());
            let who = who.or_else(|| decision.mac.clone()).unwrap_or_else(|| "somebody".into());
            step("login", Seen::Good, format!("{who} was let in")).at(decision.at)
        }
        Some(decision) => {
            let reason = decision.reason;
            step("login", Seen::Bad, format!("the latest was not let in: {}", reason.cause()))
                .do_this(reason.remedy())
                .at(decision.at)
        }
    })
}

fn accounting(comes: bool) -> CheckStep {
    if comes {
        return step("accounting", Seen::Good, "accounting comes");
    }
    step("accounting", Seen::Waiting, "waiting for accounting: without it, sessions end here by silence alone")
        .do_this("switch accounting on, with Interim-Updates every 5 minutes")
}

fn changes(state: &ApiState, nas: &Nas, since: Timestamp) -> CheckStep {
    if nas.coa == CoaTarget::Off {
        return step("changes", Seen::Bad, "it is set to take no changes: coa = false")
            .do_this("sessions there stay as they are until they log in again; say where it takes changes");
    }
    match state.coa_tests.last(&nas.name).filter(|result| result.at >= since) {
        None => step("changes", Seen::Waiting, "not tried yet").do_this("test whether it takes changes"),
        Some(result) => {
            let seen = if result.listens && result.secret != Some(false) { Seen::Good } else { Seen::Bad };
            let mut told = step("changes", seen, result.detail).at(result.at);
            told.remedy = result.remedy;
            told
        }
    }
}

/// Where to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCoaTest {
    /// One of its addresses; that which it takes changes at or asked from last, if it is not said.
    address: Option<String>,
}

/// What a NAS said to a change that does not concern anybody.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct CoaResult {
    at: Timestamp,
    /// Where it was asked.
    to: String,
    /// `ack`, `nak`, `silent` or `wrong_secret`.
    outcome: &'static str,
    /// Whether it listens there.
    listens: bool,
    /// Whether the secret is right; null where nothing tells.
    #[schema(required)]
    secret: Option<bool>,
    /// Error-Cause, if it said one.
    #[schema(required)]
    error_cause: Option<u32>,
    /// What that means.
    detail: String,
    /// What to do about it; null where that is nothing.
    #[schema(required)]
    remedy: Option<String>,
    /// How long it took, in milliseconds.
    took_ms: u64,
}

/// Asks a NAS to end a session that there is not, which shows whether it takes changes
///
/// A Disconnect-Request for names that were made up for it: a NAS that listens and knows the secret answers that there is no
/// such session (Error-Cause 503). Nobody is disconnected. It takes up to 8 seconds.
#[utoipa::path(
    post, path = "/api/v1/nas/{name}/coa-test", operation_id = "test_nas_changes", tag = "nas",
    params(("name" = String, Path, description = "Its name")),
    request_body = NewCoaTest,
    responses(
        (status = 200, description = "What came of it", body = CoaResult),
        (status = 409, description = "It takes no changes, or it is not known where"),
        (status = 429, description = "Too many are tried at the same time"),
    ),
    security(("bearer" = ["sessions:change", "by_site"]))
)]
pub(super) async fn coa_test(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    Body(new): Body<NewCoaTest>,
) -> Result<Json<CoaResult>, Problem> {
    let nas = found(&state, &caller, &name)?;
    let address = parsed("address", new.address.as_deref(), "an IP address", |text| text.parse::<IpAddr>().ok())?;
    let too_many = || Problem::too_many("NASes are being tried; try again later", AGAIN);
    let _turn = state.coa_tests.turns.clone().try_acquire_owned().map_err(|_| too_many())?;
    let result = tried(&state, &nas, address).await?;
    state.coa_tests.keep(&nas.name, &result);
    Ok(Json(result))
}

async fn tried(state: &ApiState, nas: &Nas, address: Option<IpAddr>) -> Result<CoaResult, Problem> {
    let CoaTarget::At { address: own, port, secret } = &nas.coa else {
        return Err(Problem::conflict("takes_no_changes", format!("{} takes no changes: coa = false", nas.name)));
    };
    let began = state.clock.now();
    let (attributes, usual) = nobody(state, nas)?;
    if address.is_none() && state.connections.is_connected(&nas.name) {
        let request = dated(&attributes, began);
        let answer = state.connections.request(&nas.name, Code::DisconnectRequest, &request, PATIENCE).await;
        let outcome = match answer {
            Ok(Reply { code: Code::DisconnectAck, .. }) => Outcome::Answered(Answer::Ack),
            Ok(Reply { error_cause, .. }) => Outcome::Answered(Answer::Nak(error_cause)),
            Err(ReverseError::Busy) => return Err(Problem::too_many("its connection is full", AGAIN)),
            Err(_) => Outcome::Silent,
        };
        return Ok(told(outcome, "its TLS connection".into(), began, state.clock.now()));
    }
    let ip = place(state, nas, *own, address)?;
    let to = SocketAddr::new(ip, port.unwrap_or(usual));
    let no_secret = || {
        let detail = format!("{} has no secret for UDP, and no connection now", nas.name);
        Problem::conflict("no_way", detail)
    };
    let secret = secret.clone().or_else(|| nas.secret.clone()).ok_or_else(no_secret)?;
    let tests = &state.coa_tests;
    let change = Wish::Disconnect.change();
    let ticket =
        Ticket { order: ChangeOrderId::new(began), change, number: tests.number.fetch_add(1, Ordering::Relaxed) };
    let ask = Ask { code: Code::DisconnectRequest, attributes, secret };
    let outcome = match tokio::time::timeout(PATIENCE, tests.client.request(to, ask, ticket)).await {
        Ok(Ok(answer)) => Outcome::Answered(answer),
        Ok(Err(Failure::WrongSecret)) => Outcome::WrongSecret,
        Ok(Err(Failure::Silent)) | Err(_) => Outcome::Silent,
        Ok(Err(e)) => return Err(Problem::conflict("no_way", format!("{} cannot be asked: {e}", nas.name))),
    };
    Ok(told(outcome, to.to_string(), began, state.clock.now()))
}

/// Where the NAS is asked: an address of its own and no other.
fn place(state: &ApiState, nas: &Nas, own: Option<IpAddr>, wanted: Option<IpAddr>) -> Result<IpAddr, Problem> {
    let its = |address: IpAddr| own == Some(address) || nas.addresses.iter().any(|prefix| prefix.holds(address));
    if let Some(address) = wanted {
        let detail = || Problem::parameter("address", format!("{address} is no address of {}", nas.name));
        return if its(address) { Ok(address) } else { Err(detail()) };
    }
    let seen = state.engine.watch().select(|behaviour| behaviour.name == nas.name);
    let last = seen.iter().filter(|b| its(b.address)).max_by_key(|b| b.last).map(|b| b.address);
    let only = match nas.addresses.as_slice() {
        [prefix] if prefix.length() == if prefix.address().is_ipv4() { 32 } else { 128 } => Some(prefix.address()),
        _ => None,
    };
    let unknown = || {
        let detail =
            format!("nothing came from {} yet, and it has several addresses: say which in `address`", nas.name);
        Problem::conflict("no_way", detail)
    };
    own.or(last).or(only).ok_or_else(unknown)
}

/// The attributes of a request that is about nobody, in the words of the gear, and the port at which it takes it.
fn nobody(state: &ApiState, nas: &Nas) -> Result<(Vec<u8>, u16), Problem> {
    let octets = random::<12>().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
    let id = format!("cordon-test-{}", digits(&octets));
    // A locally administered address, as nobody's card has.
    let mac: Vec<String> = octets.iter().take(5).map(|octet| format!("{octet:02X}")).collect();
    let session = LiveSession {
        user_name: Some(id.clone()),
        calling_station: Some(format!("02-{}", mac.join("-"))),
        acct_session_id: Some(id.clone()),
        // A port there is: where the gear finds sessions by it, somebody would be disconnected.
        nas_port: None,
        nas_port_id: None,
        nas_address: None,
        audit_session_id: Some(digits(&octets).to_uppercase()),
    };
    let snapshot = state.engine.snapshot();
    let gear = gear(state, &nas.vendor)?;
    let spelled = order(&Wish::Disconnect, &session, &gear, &snapshot.dictionary);
    Ok(match spelled {
        Ok(order) if order.code == Code::DisconnectRequest => (order.attributes, order.port),
        // Gear that is told otherwise knows the attributes of the RFC at least as names of no session.
        _ => {
            let length = u8::try_from(id.len() + 2).unwrap_or(u8::MAX);
            let attributes = [&[attr::ACCT_SESSION_ID, length], id.as_bytes()].concat();
            (attributes, gear.coa.as_ref().map_or(3799, |coa| coa.port))
        }
    })
}

enum Outcome {
    Answered(Answer),
    WrongSecret,
    Silent,
}

fn told(outcome: Outcome, to: String, began: Timestamp, now: Timestamp) -> CoaResult {
    let took_ms = u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX);
    let (code, listens, secret, error_cause, detail, remedy) = match outcome {
        Outcome::Answered(Answer::Nak(Some(503))) => (
            "nak",
            true,
            Some(true),
            Some(503),
            "it listens, knows the secret, and says rightly that there is no such session".to_owned(),
            None,
        ),
        Outcome::Answered(Answer::Nak(cause)) => {
            let meant = ErrorCause::of(cause);
            let detail = format!("it listens and knows the secret. It refused: {}", meant.cause());
            ("nak", true, Some(true), cause, detail, Some(meant.remedy().to_owned()))
        }
        Outcome::Answered(Answer::Ack) => (
            "ack",
            true,
            Some(true),
            None,
            "it listens and knows the secret. It confirmed the end of a session that there is not: its confirmations tell little"
                .to_owned(),
            None,
        ),
        Outcome::WrongSecret => (
            "wrong_secret",
            true,
            Some(false),
            None,
            "it answers, and its secret for changes is another".to_owned(),
            Some("set the same on both sides: `secret` of the NAS, or that of `coa` where it has one of its own".to_owned()),
        ),
        Outcome::Silent => (
            "silent",
            false,
            None,
            None,
            format!("nothing came back from {to}"),
            Some(
                "allow dynamic authorization (RFC 5176) there from the address of this server, with this port and secret; many drop in silence what has another secret, or comes while their clock is wrong"
                    .to_owned(),
            ),
        ),
    };
    CoaResult { at: now, to, outcome: code, listens, secret, error_cause, detail, remedy, took_ms }
}
