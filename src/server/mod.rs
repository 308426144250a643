//! The composition root: from a configuration file to a running server.

mod course;
mod endpoints;
mod http;
mod places;
mod radius;
pub mod reload;
mod stop;

use crate::access::{Engine, Service};
use crate::api::console::Console;
use crate::api::door::{Door, link_at};
use crate::api::{self, ApiState, Sources};
use crate::audit::event::{By, Event};
use crate::coa::exchange::{NoAnswer, Timing};
use crate::config::audit::{keep_checkpoint, kept_checkpoint, signing_key};
use crate::config::build::{Built, Faults, build};
use crate::config::database;
use crate::config::live::{Inventory, Present};
use crate::config::smtp::mail;
use crate::config::stored::{Stored, derived_key, seal};
use crate::config::telemetry::otlp;
use crate::config::token::api_token;
use crate::config::{Config, Source};
use crate::enforcement::ticket::Tickets;
use crate::jobs;
use crate::jobs::audit::Signer;
use crate::jobs::changes::{Dispatcher, Wake};
use crate::jobs::containments::Containments;
use crate::jobs::playbooks::{self, Barring, Noticed, Outbox, Playbooks};
use crate::jobs::posture::Intake;
use crate::jobs::reevaluate::Reevaluator;
use crate::jobs::shared_signals::push::Teller;
use crate::jobs::shared_signals::receive::Receiver;
use crate::jobs::shared_signals::standing::Standings;
use crate::jobs::signals::Signals;
use crate::jobs::traces::Exporter;
use crate::jobs::webhooks::Courier;
use crate::operators::token::digest_of;
use crate::radius::value::digits;
use crate::random::random;
use crate::store::audit::StoredCheckpoint;
use crate::store::writer::Writer;
use crate::store::{Location, Store, StoreError};
use crate::telemetry::Metrics;
use crate::telemetry::trace::Tracer;
use crate::transport::clock::Clock;
use crate::transport::coa::CoaClient;
use crate::transport::https;
use crate::transport::radsec::{self, Connections};
use crate::transport::udp::Listener;
use axum_server::tls_rustls::RustlsConfig;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};

/// What the key of tickets is derived for.
const TICKETS: &str = "tickets of the page for endpoints";
/// Random octets of the link for the first operator.
const LINK_LEN: usize = 32;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(Faults),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({what}): {}", unheard(.error))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What for.
        what: &'static str,
        /// As the system says.
        error: std::io::Error,
    },
    /// The database cannot be used.
    #[error("the database {location}: {message}")]
    Store {
        /// Where it is.
        location: Location,
        /// What is wrong.
        message: String,
    },
    /// The audit log cannot be signed.
    #[error("{0}")]
    Audit(String),
    /// Anything else of the system.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// Why an address cannot be listened on, and what to do.
fn unheard(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::AddrNotAvailable => "this host has no such address\n  -> `ip address` lists those that it has; \
                                        0.0.0.0 and [::] stand for all of them"
            .into(),
        ErrorKind::AddrInUse => "another process has this port\n  -> `ss -lunp` tells which has it for RADIUS, and \
                                 `ss -ltnp` for the API: stop it, or name another port"
            .into(),
        ErrorKind::PermissionDenied => format!(
            "{error}\n  -> ports below 1024 want the capability CAP_NET_BIND_SERVICE: AmbientCapabilities= of systemd \
             gives it"
        ),
        _ => format!("{error}\n  -> correct the address, or what the system lacks"),
    }
}

/// A server that serves.
#[derive(Debug)]
pub struct Running {
    /// Where it listens for authentication.
    pub auth: Vec<SocketAddr>,
    /// Where it listens for accounting.
    pub acct: Vec<SocketAddr>,
    /// Where it listens for RADIUS over TLS.
    pub radsec: Vec<SocketAddr>,
    /// Where endpoints report for themselves.
    pub posture: Vec<SocketAddr>,
    /// Where browsers find the page that NASes send them to.
    pub recheck: Vec<SocketAddr>,
    /// Where the API is.
    pub http: SocketAddr,
    /// Whether it is there over TLS.
    pub tls: bool,
    /// What has been recorded.
    pub store: Store,
    /// The connections of NASes.
    pub connections: Connections,
    endpoints: endpoints::Serving,
    https: Vec<(http::Handle, tokio::task::JoinHandle<()>)>,
    engine: Arc<Engine>,
    /// Holds rejects back.
    delayed: Arc<Semaphore>,
    patience: stop::Patience,
    signer: Arc<Mutex<Signer>>,
    data_dir: PathBuf,
    clock: Arc<Clock>,
    tls_threads: radsec::Threads,
    /// Whether it has been told to stop.
    leaving: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    writer: Writer,
    exporter: Option<Arc<Exporter>>,
}

/// Reads a configuration and what it names. What should be known about it
/// before clients notice is among its warnings.
///
/// # Errors
/// All that is wrong.
pub fn load(file: &Path, stored: &Stored, previous: Option<&Built>) -> Result<(Config, Source, Built), Faults> {
    let (config, source) = Config::load(file)?;
    database::location(&config, &source)?;
    otlp(&config, &source)?;
    mail(&config, &source)?;
    let now = Clock::start().now();
    let mut built = build(&config, &source, stored, previous, now)?;
    built.warnings.extend(built.snapshot.trust.warnings(now));
    built.warnings.extend(built.radsec.trust.warnings(now));
    Ok((config, source, built))
}

/// The same, whatever the policy's tests say, which `stored` loses: for the
/// commands that ask why.
///
/// # Errors
/// All else that is wrong.
pub fn load_untested(file: &Path, stored: &mut Stored) -> Result<(Config, Source, Built), Faults> {
    let (mut config, source) = Config::load(file)?;
    let tests = config.policy.tests.take();
    if let Some(policy) = &mut stored.policy {
        policy.tests = None;
    }
    let built = build(&config, &source, stored, None, Clock::start().now())?;
    config.policy.tests = tests;
    Ok((config, source, built))
}

/// Starts everything, with this web console. Returns when requests are served.
///
/// # Errors
/// See [`StartError`].
pub async fn start(file: &Path, console: Console) -> Result<Running, StartError> {
    let (config, source) = Config::load(file).map_err(|e| StartError::Config(e.into()))?;
    let data_dir = source.resolve(&config.server.data_dir);
    std::fs::create_dir_all(&data_dir)?;
    let location = database::location(&config, &source).map_err(|e| StartError::Config(e.into()))?;
    let unusable = |message: String| StartError::Store { location: location.clone(), message };
    let store = Store::open_at(&location).await.map_err(|e| unusable(e.to_string()))?;
    let stored = inventory(&store, &data_dir).await.map_err(unusable)?;
    let (config, source, built) = load(file, &stored, None).map_err(StartError::Config)?;
    let config = Arc::new(config);
    for warning in &built.warnings {
        tracing::warn!("{warning}");
    }
    let built = Arc::new(built);
    let present = Present {
        config: config.clone(),
        source: Arc::new(source.clone()),
        stored: Arc::new(stored),
        built: built.clone(),
    };
    let live = Inventory::new(store.clone(), &data_dir, present);
    let key = signing_key(&data_dir).map_err(StartError::Audit)?;
    tracing::info!(key = %key.public(), "checkpoints of the audit log are signed with this key");
    let signer = Arc::new(Mutex::new(Signer::new(store.clone(), key, kept_checkpoint(&data_dir))));
    let token = api_token(&config, &source).map_err(|e| StartError::Config(e.into()))?;
    let metrics = Arc::new(Metrics::new());
    let clock = Arc::new(Clock::start());
    let journal_max = config.database.journal_mib.get_ref() << 20;
    let writer = Writer::start(store.clone(), &data_dir, journal_max, metrics.clone());
    let writer = writer.await.map_err(|e| unusable(e.to_string()))?;

    let tickets = Tickets::new(&derived_key(&data_dir, TICKETS).map_err(|e| unusable(e.to_string()))?);
    let engine = Arc::new(Engine::new(
        built.snapshot.clone(),
        metrics.clone(),
        Duration::from_secs(config.server.conversation_timeout_secs.max(1)),
        Duration::from_millis(config.server.reject_delay_ms),
        tickets,
    ));
    engine.watch().recall(store.behaviours().await.map_err(|e| unusable(e.to_string()))?);
    // What keeps somebody out or apart is known before the first request is answered.
    Containments::recall(&store, &engine).await.map_err(|e| unusable(e.to_string()))?;
    Intake::recall(&store, &engine, clock.now()).await.map_err(|e| unusable(e.to_string()))?;
    let recalled = Signals::recall(&store, &writer, &engine, clock.now()).await;
    let recalled = recalled.map_err(|e| unusable(e.to_string()))?;
    let (listeners, auth, acct) = bind(&config)?;
    let (tls_listeners, radsec) = bind_radsec(&config)?;
    let (endpoint_listeners, at) = endpoints::Listeners::bind(&config.posture.listen)
        .map_err(|(address, error)| StartError::Listen { address, what: "reports of posture", error })?;
    let connections = Connections::new(built.radsec.clone(), metrics.clone(), clock.clone());
    let unheard = |error| StartError::Listen { address: *config.http.listen.get_ref(), what: "the API", error };
    let http_tls = built.http_tls.clone().map(RustlsConfig::from_config);
    let http_listener = http::Listener::bind(*config.http.listen.get_ref(), http_tls.clone()).map_err(unheard)?;
    let http = http_listener.address();
    let recheck_tls = built.recheck_tls.clone().map(RustlsConfig::from_config);
    let recheck_listeners = bind_recheck(&config, &recheck_tls)?;
    let recheck = recheck_listeners.iter().map(http::Listener::address).collect();

    let started = Event::new(&By::server(), "server.start", "server", &host_name(), clock.now());
    let started = started.states(serde_json::Value::Null, built.described());
    store.audit(vec![started]).await.map_err(|e| unusable(e.to_string()))?;
    let kept = {
        let data_dir = data_dir.clone();
        move |checkpoint: &StoredCheckpoint| keep(&data_dir, checkpoint)
    };
    tokio::spawn(jobs::audit::checkpoints(signer.clone(), clock.clone(), kept));
    if let Some(receiver) = built.syslog.clone() {
        tokio::spawn(jobs::audit::export(store.clone(), receiver, host_name(), clock.clone()));
    }

    let unusual = |e: https::FetchError| std::io::Error::other(e.to_string());
    let target = otlp(&config, &source).map_err(|e| StartError::Config(e.into()))?;
    let tracer = target.as_ref().map_or_else(Tracer::off, |target| Tracer::new(target.ratio));
    let exporter = match target {
        Some(target) => {
            let client = https::client(&[]).map_err(unusual)?;
            let exporter = Exporter::new(tracer.clone(), target.url, client, host_name(), metrics.clone());
            let exporter = Arc::new(exporter);
            tokio::spawn(exporter.clone().run());
            Some(exporter)
        }
        None => None,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let leaving = Arc::new(AtomicBool::new(false));
    let delayed = Arc::new(Semaphore::new(radius::MAX_DELAYED));
    let shared = radius::Shared {
        engine: engine.clone(),
        writer: writer.clone(),
        clock: clock.clone(),
        runtime: tokio::runtime::Handle::current(),
        delayed: delayed.clone(),
        metrics: metrics.clone(),
        tracer: tracer.clone(),
    };
    let per_listener = match config.server.workers {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        n => n,
    };
    let mut workers = Vec::new();
    for (number, (listener, service)) in listeners.into_iter().enumerate() {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let requests = radius::Requests { shared: shared.clone(), service, number };
        let handle = move |datagram: &[u8], path| requests.handle(datagram, path);
        workers.extend(listener.serve(per_listener, handle, &stop)?);
    }
    let tls_threads = radsec::Threads::start(tls_listeners, per_listener, &connections, Arc::new(shared))?;
    let wake = Wake::default();
    let ignored = {
        let metrics = metrics.clone();
        Arc::new(move |why: NoAnswer| metrics.changes.ignored(why.code()))
    };
    let from: Vec<IpAddr> = config.server.auth.iter().map(SocketAddr::ip).collect();
    let client = CoaClient::start(&from, Timing::RFC_5080, clock.clone(), ignored).await?;
    let (reevaluator, reevaluate) = Reevaluator::new(store.clone(), engine.clone(), clock.clone(), wake.clone());
    let coa = client.0.clone();
    let shared = (store.clone(), engine.clone(), clock.clone(), metrics.clone());
    tokio::spawn(Dispatcher::new(shared, client, connections.clone(), wake.clone()).run());
    tokio::spawn(reevaluator.run());
    let standings = Standings::default();
    let containments = Containments::start(store.clone(), engine.clone(), clock.clone(), reevaluate.clone());
    let noticed = Noticed::default();
    let posture = Intake::start(
        store.clone(),
        engine.clone(),
        clock.clone(),
        reevaluate.clone(),
        standings.clone(),
        noticed.clone(),
    );
    let signals = Signals::start(
        recalled,
        store.clone(),
        engine.clone(),
        clock.clone(),
        reevaluate.clone(),
        standings.clone(),
        noticed.clone(),
    );
    let barring = Barring { inventory: live.clone(), store: store.clone(), clock: clock.clone(), turn: Arc::default() };
    let parts = playbooks::Parts {
        store: store.clone(),
        engine: engine.clone(),
        clock: clock.clone(),
        containments: containments.clone(),
        barring,
        wake: wake.clone(),
        metrics: metrics.clone(),
        outbox: Outbox::start(mail(&config, &source).map_err(|e| StartError::Config(e.into()))?),
    };
    let playbooks = Playbooks::start(parts, noticed).await.map_err(|e| unusable(e.to_string()))?;
    let door = Arc::new(Door::new(origin(&config, http), data_dir.clone()));
    first_operator(&store, &door, &clock).await.map_err(|e| unusable(e.to_string()))?;
    let courier = Courier::new(store.clone(), live.clone(), clock.clone(), metrics.clone());
    let courier = Arc::new(courier.map_err(unusual)?);
    tokio::spawn(courier.clone().run());
    let shared = (store.clone(), engine.clone(), clock.clone(), metrics.clone());
    let receiver = Arc::new(Receiver::new(shared.clone(), signals.clone(), wake.clone()));
    tokio::spawn(jobs::shared_signals::poll::run(receiver.clone()));
    tokio::spawn(jobs::shared_signals::standing::run(standings, store.clone(), engine.clone(), clock.clone()));
    let teller = Arc::new(Teller::new(shared, live.clone(), door.origin().to_owned()).map_err(unusual)?);
    tokio::spawn(teller.clone().run());
    let sources = Sources {
        console,
        door,
        courier,
        tracer,
        inventory: live.clone(),
        store: store.clone(),
        writer: writer.clone(),
        engine: engine.clone(),
        connections: connections.clone(),
        metrics: metrics.clone(),
        clock: clock.clone(),
        wake,
        posture,
        signals,
        receiver,
        teller,
        coa,
        listening: api::Listening { auth: auth.clone(), acct: acct.clone() },
        containments,
        playbooks,
    };
    let state = ApiState::new(sources, token, ready(&writer, &leaving));
    let in_use = reload::InUse { engine: engine.clone(), connections: connections.clone(), http_tls, recheck_tls };
    let door = endpoints::Door { engine: engine.clone(), inventory: live.clone(), clock: clock.clone() };
    let endpoints = endpoint_listeners.serve(&api::agents::router(state.clone()), &door)?;
    let pages = api::recheck::router(state.clone(), config.recheck.contact.clone());
    let mut https: Vec<_> = recheck_listeners.into_iter().map(|listener| listener.serve(pages.clone())).collect();
    https.push(http_listener.serve(api::router(state)));
    tokio::spawn(jobs::sweep(engine.clone(), writer.clone(), clock.clone()));
    let keep = jobs::Keep {
        store: store.clone(),
        writer: writer.clone(),
        clock: clock.clone(),
        retention: database::retention(&config.retention),
        silence: database::silence(&config.retention),
    };
    tokio::spawn(jobs::keep(keep));
    tokio::spawn(jobs::own_ca::renew(live.clone(), store.clone(), clock.clone()));
    tokio::spawn(jobs::note_unknown(engine.clone(), store.clone()));
    tokio::spawn(jobs::learn(engine.clone(), store.clone()));
    let home = data_dir.clone();
    let reloader = reload::Reloader::new(file.to_owned(), in_use, store.clone(), home, live, reevaluate);
    tokio::spawn(reloader.run());
    Ok(Running {
        auth,
        acct,
        radsec,
        posture: at,
        recheck,
        http,
        tls: built.http_tls.is_some(),
        endpoints,
        https,
        engine,
        delayed,
        patience: stop::Patience::of(&config.server),
        store,
        connections,
        signer,
        data_dir,
        clock,
        tls_threads,
        leaving,
        stop,
        workers,
        writer,
        exporter,
    })
}

/// How browsers reach the API: as the configuration says, else by the name that they all know this host by.
pub fn origin(config: &Config, http: SocketAddr) -> String {
    let scheme = if config.http.certificate.is_some() { "https" } else { "http" };
    let said = config.http.origin.as_ref().map(|origin| origin.get_ref().trim_end_matches('/').to_owned());
    said.unwrap_or_else(|| match http.ip() {
        ip if ip.is_loopback() || ip.is_unspecified() => format!("{scheme}://localhost:{}", http.port()),
        _ => format!("{scheme}://{http}"),
    })
}

/// Says how the first operator comes in, as long as there is none.
async fn first_operator(store: &Store, door: &Door, clock: &Clock) -> Result<(), StoreError> {
    if store.has_operators().await? {
        return Ok(());
    }
    let Some(octets) = random::<LINK_LEN>() else { return Ok(()) };
    let secret = digits(&octets);
    store.add_link(&digest_of(secret.as_bytes()), None, &By::server(), clock.now()).await?;
    let link = link_at(door.origin(), &secret);
    tracing::info!(
        "no operator yet: {link} makes the first one, once, within 24 hours (`cordon operator link` makes another)"
    );
    Ok(())
}

/// The listeners, and the addresses for authentication and for accounting.
type Bound = (Vec<(Listener, Service)>, Vec<SocketAddr>, Vec<SocketAddr>);

fn bind(config: &Config) -> Result<Bound, StartError> {
    let mut listeners = Vec::new();
    let mut bound = [Vec::new(), Vec::new()];
    let services = [
        (Service::Authentication, "authentication", &config.server.auth),
        (Service::Accounting, "accounting", &config.server.acct),
    ];
    for ((service, what, addresses), bound) in services.into_iter().zip(&mut bound) {
        for address in addresses {
            let failed = |error| StartError::Listen { address: *address, what, error };
            let listener = Listener::bind(*address).map_err(failed)?;
            bound.push(listener.local_addr().map_err(failed)?);
            listeners.push((listener, service));
        }
    }
    let [auth, acct] = bound;
    Ok((listeners, auth, acct))
}

/// The listeners for RADIUS over TLS, and their addresses.
fn bind_radsec(config: &Config) -> Result<(Vec<radsec::Listener>, Vec<SocketAddr>), StartError> {
    let mut listeners = Vec::new();
    let mut bound = Vec::new();
    for address in &config.radsec.listen {
        let failed = |error| StartError::Listen { address: *address, what: "RADIUS over TLS", error };
        let listener = radsec::Listener::bind(*address).map_err(failed)?;
        bound.push(listener.local_addr().map_err(failed)?);
        listeners.push(listener);
    }
    Ok((listeners, bound))
}

fn bind_recheck(config: &Config, tls: &Option<RustlsConfig>) -> Result<Vec<http::Listener>, StartError> {
    let bound = |address: &SocketAddr| {
        let failed = |error| StartError::Listen { address: *address, what: "the page for endpoints", error };
        http::Listener::bind(*address, tls.clone()).map_err(failed)
    };
    config.recheck.listen.iter().map(bound).collect()
}

fn ready(writer: &Writer, leaving: &Arc<AtomicBool>) -> api::ReadyCheck {
    let (writer, leaving) = (writer.clone(), leaving.clone());
    Arc::new(move || {
        let mut problems = Vec::new();
        if !writer.healthy() {
            problems.push("records cannot be stored: see the log for the database's error".to_owned());
        }
        if leaving.load(Ordering::Relaxed) {
            problems.push("the server is stopping".to_owned());
        }
        problems
    })
}

/// What the database holds of the inventory.
///
/// # Errors
/// In words, when it cannot be read.
pub async fn inventory(store: &Store, data_dir: &Path) -> Result<Stored, String> {
    let rows = store.inventory().await.map_err(|e| e.to_string())?;
    let seal = seal(data_dir).map_err(|e| e.to_string())?;
    Stored::of_rows(rows, seal.as_ref()).map_err(|e| e.to_string())
}

/// Keeps a checkpoint beside the database.
fn keep(data_dir: &Path, checkpoint: &StoredCheckpoint) {
    if let Err(error) = keep_checkpoint(data_dir, &checkpoint.note) {
        tracing::warn!(%error, "the checkpoint of the audit log is kept in the database alone");
    }
}

/// The name of this host; empty if it has none.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

impl Running {
    /// What a script needs to find the server: `auth=`, `acct=`, `radsec=`,
    /// `posture=`, `recheck=` and `http=` lines.
    pub fn ready_text(&self) -> String {
        let mut out = String::new();
        let http = vec![self.http];
        let all = [
            ("auth", &self.auth),
            ("acct", &self.acct),
            ("radsec", &self.radsec),
            ("posture", &self.posture),
            ("recheck", &self.recheck),
            ("http", &http),
        ];
        for (name, addresses) in all {
            for address in addresses {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "{name}={address}");
            }
        }
        out
    }
}
