//! The HTTP API: all that the console and scripts see and do.
//!
//! Each handler says by `#[utoipa::path]` where it is, which permission it wants and what it answers. The OpenAPI
//! document is made of that, and [`caller::Guard`] goes by the document: an operation that does not say who may
//! ask for it is for nobody.

mod accounting;
mod activation;
pub mod agents;
mod audit;
mod audit_verify;
mod ca;
mod calendar;
mod caller;
mod cases;
mod changes;
pub mod console;
mod containments;
mod decisions;
mod docs;
pub mod door;
mod endpoints;
mod events;
mod export;
mod extract;
mod idempotency;
mod inventory;
mod limits;
mod me;
mod nas;
mod nas_setup;
mod openapi;
mod operators;
mod osquery;
mod overview;
mod page;
mod pages;
mod playbooks;
mod policy;
mod posture;
mod problem;
mod provider;
pub mod recheck;
mod request_id;
mod risk;
mod schema;
mod search;
mod sessions;
mod settings;
mod shared_signals;
mod sign_in;
mod signals;
mod system;
mod tokens;
mod turns;
mod usage;
mod webhooks;

use crate::access::Engine;
use crate::config::live::Inventory;
use crate::ids::{DecisionId, IdentityId};
use crate::jobs::changes::Wake;
use crate::jobs::containments::Containments;
use crate::jobs::playbooks::Playbooks;
use crate::jobs::posture::Intake;
use crate::jobs::shared_signals::push::Teller;
use crate::jobs::shared_signals::receive::Receiver;
use crate::jobs::signals::Signals;
use crate::jobs::webhooks::Courier;
use crate::operators::throttle::Network;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::writer::Writer;
use crate::telemetry::Metrics;
use crate::telemetry::trace::Tracer;
use crate::transport::clock::Clock;
use crate::transport::coa::CoaClient;
use crate::transport::radsec::Connections;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use caller::Guard;
use inventory::{apply, identities, objects};
use limits::Limits;
use problem::{MAX_BODY, Problem};
use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The longest reason of a change, in characters.
const MAX_REASON: usize = 200;

/// Tells why the server cannot serve; nothing when it can.
pub type ReadyCheck = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the handlers work with.
#[derive(Clone)]
pub struct ApiState {
    console: console::Console,
    store: Store,
    engine: Arc<Engine>,
    connections: Connections,
    token: Secret,
    metrics: Arc<Metrics>,
    writer: Writer,
    clock: Arc<Clock>,
    wake: Wake,
    posture: Intake,
    signals: Signals,
    receiver: Arc<Receiver>,
    teller: Arc<Teller>,
    containments: Containments,
    playbooks: Playbooks,
    inventory: Inventory,
    courier: Arc<Courier>,
    tracer: Tracer,
    watchers: Arc<Semaphore>,
    ca: ca::Turn,
    overview: overview::Last,
    audit_look: audit_verify::Look,
    coa_tests: nas_setup::CoaTests,
    listening: Arc<Listening>,
    door: door::SharedDoor,
    turns: turns::Turns,
    sizes: usage::Sizes,
    requests: Arc<Limits<caller::Means>>,
    /// Of endpoints that ask for themselves.
    reporters: Arc<Limits<IdentityId>>,
    /// Whose hosts osquery runs on.
    hosts: Arc<agents::Hosts>,
    failures: Arc<Limits<Network>>,
    /// Of those who look at the page for endpoints, by the decision of their ticket.
    guests: Arc<Limits<DecisionId>>,
    ceremonies: Arc<Limits<Network>>,
    /// Of transmitters of Shared Signals, by name.
    transmitters: Arc<Limits<String>>,
    /// Digests of tokens that were good: they are looked up whatever others try.
    seen: Arc<Mutex<HashSet<[u8; 32]>>>,
    ready: ReadyCheck,
}

/// What the API reads from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The files of the web console.
    pub console: console::Console,
    /// What was recorded.
    pub store: Store,
    /// What is on its way there.
    pub writer: Writer,
    /// How requests are served.
    pub engine: Arc<Engine>,
    /// The TLS connections of NASes.
    pub connections: Connections,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<Clock>,
    /// Wakes who changes sessions.
    pub wake: Wake,
    /// Takes reports of posture in.
    pub posture: Intake,
    /// Takes signals in.
    pub signals: Signals,
    /// Takes events of Shared Signals in.
    pub receiver: Arc<Receiver>,
    /// Tells events of Shared Signals.
    pub teller: Arc<Teller>,
    /// Puts somebody in quarantine.
    pub containments: Containments,
    /// What is done by itself.
    pub playbooks: Playbooks,
    /// The inventory and the policy.
    pub inventory: Inventory,
    /// What operators come in by.
    pub door: Arc<door::Door>,
    /// Delivers to webhooks.
    pub courier: Arc<Courier>,
    /// Takes spans in.
    pub tracer: Tracer,
    /// Asks NASes over UDP.
    pub coa: CoaClient,
    /// Where NASes find this server.
    pub listening: Listening,
}

/// Where NASes find this server, over UDP.
#[derive(Clone, Debug)]
pub struct Listening {
    /// For authentication.
    pub auth: Vec<SocketAddr>,
    /// For accounting.
    pub acct: Vec<SocketAddr>,
}

impl ApiState {
    /// Reads from `sources`, for those who know `token`.
    pub fn new(sources: Sources, token: Secret, ready: ReadyCheck) -> Self {
        let Sources {
            console,
            store,
            writer,
            engine,
            connections,
            metrics,
            clock,
            wake,
            posture,
            signals,
            receiver,
            teller,
            containments,
            playbooks,
            inventory,
            courier,
            tracer,
            door,
            coa,
            listening,
        } = sources;
        let ca = playbooks.revocations();
        let watchers = Arc::new(Semaphore::new(events::MAX_WATCHERS));
        Self {
            console,
            store,
            engine,
            connections,
            token,
            metrics,
            writer,
            clock,
            wake,
            posture,
            signals,
            receiver,
            teller,
            containments,
            playbooks,
            inventory,
            courier,
            tracer,
            watchers,
            overview: overview::Last::default(),
            audit_look: audit_verify::Look::default(),
            coa_tests: nas_setup::CoaTests::new(coa),
            listening: Arc::new(listening),
            ca,
            door,
            turns: turns::Turns::default(),
            sizes: usage::Sizes::default(),
            requests: Arc::new(Limits::new(limits::REQUESTS)),
            reporters: Arc::new(Limits::new(limits::REPORTS)),
            hosts: Arc::default(),
            failures: Arc::new(Limits::new(limits::FAILURES)),
            guests: Arc::new(Limits::new(limits::GUESTS)),
            ceremonies: Arc::new(Limits::new(limits::CEREMONIES)),
            transmitters: Arc::new(Limits::new(limits::EVENTS)),
            seen: Arc::default(),
            ready,
        }
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").finish_non_exhaustive()
    }
}

/// Where the OpenAPI document is.
const DOCUMENT: &str = "/api/v1/openapi.json";
/// How long a request may take, unless it is a stream.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// All routes, and the OpenAPI document that describes them.
pub fn router(state: ApiState) -> Router {
    let (routes, document) = operations().split_for_parts();
    let document = Arc::new(openapi::finish(document));
    let guard = Guard::new(&document, state.clone());
    let page: Arc<str> = docs::page(&document).into();
    routes
        .route_layer(from_fn_with_state(state.clone(), idempotency::once))
        .route_layer(from_fn_with_state(guard, caller::guard))
        .route(DOCUMENT, get(async move || axum::Json(document.as_ref().clone())))
        .route("/api/docs", get(async move || html(page)))
        .route("/api/docs.css", get(async || ([(header::CONTENT_TYPE, "text/css")], docs::STYLE)))
        .merge(pages::pages())
        .merge(console::routes())
        .fallback(console::fallback)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(from_fn_with_state(state.clone(), request_id::identified))
        .with_state(state)
}

fn html(page: Arc<str>) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, docs::POLICY)];
    (headers, page.to_string())
}

/// The OpenAPI document.
pub fn document() -> serde_json::Value {
    openapi::finish(operations().into_openapi())
}

/// Every operation; each says itself where it is, what it wants and what it answers.
fn operations() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(decisions::list))
        .routes(routes!(decisions::one))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::one))
        .routes(routes!(sessions::who))
        .routes(routes!(accounting::list))
        .routes(routes!(search::search))
        .routes(routes!(events::watch))
        .routes(routes!(export::decisions_ndjson))
        .routes(routes!(export::decisions_csv))
        .routes(routes!(export::sessions_ndjson))
        .routes(routes!(export::sessions_csv))
        .routes(routes!(export::accounting_ndjson))
        .routes(routes!(export::accounting_csv))
        .routes(routes!(export::endpoints_ndjson))
        .routes(routes!(export::endpoints_csv))
        .routes(routes!(export::identities_ndjson))
        .routes(routes!(export::identities_csv))
        .routes(routes!(export::audit_ndjson))
        .routes(routes!(export::audit_csv))
        .routes(routes!(changes::ask))
        .routes(routes!(changes::list, changes::ask_all))
        .routes(routes!(changes::one))
        .routes(routes!(changes::waves))
        .routes(routes!(changes::wave))
        .routes(routes!(changes::abort))
        .routes(routes!(changes::release))
        .routes(routes!(overview::get))
        .routes(routes!(calendar::get))
        .routes(routes!(usage::usage))
        .routes(routes!(usage::storage))
        .routes(routes!(endpoints::list))
        .routes(routes!(endpoints::one))
        .routes(routes!(signals::list, signals::tell))
        .routes(routes!(signals::kinds))
        .routes(routes!(signals::hook))
        .routes(routes!(signals::one))
        .routes(routes!(signals::dismiss))
        .routes(routes!(signals::acknowledge))
        .routes(routes!(containments::list, containments::set))
        .routes(routes!(containments::release))
        .routes(routes!(containments::quarantine))
        .routes(routes!(containments::release_identity))
        .routes(routes!(risk::all))
        .routes(routes!(risk::one))
        .routes(routes!(audit::list))
        .routes(routes!(audit::checkpoint))
        .routes(routes!(audit::consistency))
        .routes(routes!(audit_verify::get, audit_verify::begin))
        .routes(routes!(audit::one))
        .routes(routes!(posture::list))
        .routes(routes!(posture::checks))
        .routes(routes!(posture::reports))
        .routes(routes!(posture::one, posture::report))
        .routes(routes!(osquery::list))
        .routes(routes!(osquery::forget))
        .routes(routes!(objects::sites::list))
        .routes(routes!(objects::sites::get, objects::sites::put, objects::sites::patch, objects::sites::delete))
        .routes(routes!(objects::groups::list))
        .routes(routes!(objects::groups::get, objects::groups::put, objects::groups::patch, objects::groups::delete))
        .routes(routes!(objects::nas::list))
        .routes(routes!(objects::nas::get, objects::nas::put, objects::nas::patch, objects::nas::delete))
        .routes(routes!(objects::profiles::list))
        .routes(routes!(
            objects::profiles::get,
            objects::profiles::put,
            objects::profiles::patch,
            objects::profiles::delete
        ))
        .routes(routes!(objects::bindings::list))
        .routes(routes!(
            objects::bindings::get,
            objects::bindings::put,
            objects::bindings::patch,
            objects::bindings::delete
        ))
        .routes(routes!(objects::compliance::list))
        .routes(routes!(
            objects::compliance::get,
            objects::compliance::put,
            objects::compliance::patch,
            objects::compliance::delete
        ))
        .routes(routes!(playbooks::runs))
        .routes(routes!(playbooks::run))
        .routes(routes!(playbooks::release))
        .routes(routes!(playbooks::retry))
        .routes(routes!(playbooks::shipped))
        .routes(routes!(playbooks::state))
        .routes(routes!(playbooks::stop))
        .routes(routes!(playbooks::resume))
        .routes(routes!(playbooks::drill))
        .routes(routes!(cases::list, cases::open))
        .routes(routes!(cases::one))
        .routes(routes!(cases::comment))
        .routes(routes!(cases::close))
        .routes(routes!(cases::evidence))
        .routes(routes!(objects::playbooks::list))
        .routes(routes!(
            objects::playbooks::get,
            objects::playbooks::put,
            objects::playbooks::patch,
            objects::playbooks::delete
        ))
        .routes(routes!(identities::list, identities::create))
        .routes(routes!(identities::bulk))
        .routes(routes!(identities::get, identities::put, identities::patch))
        .routes(routes!(identities::status))
        .routes(routes!(ca::revoke_identity))
        .routes(routes!(ca::get))
        .routes(routes!(ca::list, ca::issue))
        .routes(routes!(ca::revoke))
        .routes(routes!(identities::add_credential))
        .routes(routes!(identities::remove_credential))
        .routes(routes!(identities::history))
        .routes(routes!(me::me))
        .routes(routes!(me::set_password))
        .routes(routes!(me::begin_second_factor, me::remove_second_factor))
        .routes(routes!(me::confirm_second_factor))
        .routes(routes!(me::passkeys, me::add_passkey))
        .routes(routes!(me::begin_passkey))
        .routes(routes!(me::remove_passkey))
        .routes(routes!(me::sign_ins))
        .routes(routes!(me::end_sign_in))
        .routes(routes!(sign_in::ways))
        .routes(routes!(sign_in::by_password))
        .routes(routes!(sign_in::begin_passkey))
        .routes(routes!(sign_in::end_passkey))
        .routes(routes!(sign_in::look_at_link))
        .routes(routes!(sign_in::by_link))
        .routes(routes!(provider::go))
        .routes(routes!(provider::back))
        .routes(routes!(sign_in::sign_out))
        .routes(routes!(operators::list, operators::create))
        .routes(routes!(operators::one, operators::patch, operators::delete))
        .routes(routes!(operators::link))
        .routes(routes!(operators::sign_out))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::one, tokens::revoke))
        .routes(routes!(policy::get))
        .routes(routes!(policy::schema))
        .routes(routes!(policy::revisions))
        .routes(routes!(policy::revision))
        .routes(routes!(policy::validate))
        .routes(routes!(policy::explain))
        .routes(routes!(policy::diff))
        .routes(routes!(activation::activate))
        .routes(routes!(activation::rollback))
        .routes(routes!(activation::pin))
        .routes(routes!(activation::proposals))
        .routes(routes!(activation::proposal))
        .routes(routes!(activation::approve))
        .routes(routes!(activation::reject))
        .routes(routes!(apply::apply))
        .routes(routes!(apply::export_all))
        .routes(routes!(nas::list))
        .routes(routes!(nas_setup::vendors))
        .routes(routes!(nas_setup::snippet))
        .routes(routes!(nas_setup::check))
        .routes(routes!(nas_setup::coa_test))
        .routes(routes!(settings::get))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::one, webhooks::change, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::redeliver))
        .merge(streams())
        .routes(routes!(system::unknown_nas))
        .routes(routes!(system::discards))
        .routes(routes!(system::metrics))
        .routes(routes!(system::healthz))
        .routes(routes!(system::readyz))
}

/// Shared Signals, whose bodies are short.
fn streams() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(shared_signals::receive::receive))
        .routes(routes!(shared_signals::receive::transmitters))
        .routes(routes!(shared_signals::describe::configuration))
        .routes(routes!(shared_signals::describe::keys))
        .routes(routes!(shared_signals::describe::rotate))
        .routes(routes!(
            shared_signals::stream::read,
            shared_signals::stream::create,
            shared_signals::stream::update,
            shared_signals::stream::replace,
            shared_signals::stream::delete
        ))
        .routes(routes!(shared_signals::control::status, shared_signals::control::set_status))
        .routes(routes!(shared_signals::control::add_subject))
        .routes(routes!(shared_signals::control::remove_subject))
        .routes(routes!(shared_signals::control::verify))
        .routes(routes!(shared_signals::control::poll))
        .routes(routes!(shared_signals::stream::all))
        .routes(routes!(shared_signals::stream::remove))
        .layer(DefaultBodyLimit::max(shared_signals::MAX_BODY))
}
