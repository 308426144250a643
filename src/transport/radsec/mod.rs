//! RADIUS over TLS (RFC 6614; draft-ietf-radext-radiusdtls-bis) and RADIUS/1.1
//! (RFC 9765), as server. A NAS connects, proves who it is by its certificate, and
//! all kinds of packets go over that connection, in both directions.
//!
//! | file | what it does |
//! |---|---|
//! | `tls` | the handshake, and who is let in |
//! | `table` | all connections: bounds, and cutting those that are not let in any more |
//! | `connection` | one connection, from its handshake to its end |
//! | `reverse` | requests to the NAS, down its own connection |
//!
//! Connections have threads of their own, so that handshakes do not keep those
//! waiting that serve UDP and the store. A session is never resumed: connections last
//! for days, and so every one is a full handshake whose certificate is looked at, and
//! no early data is taken.

mod connection;
mod reverse;
mod table;
mod tls;

pub use connection::ReplyPath;
pub use reverse::{Reply, ReverseError};

use super::clock::Clock;
use crate::eap::tls::adapter::TlsVersion;
use crate::inventory::nas::NasRegistry;
use crate::pki::certificate::CertificateFacts;
use crate::pki::trust::TrustStore;
use crate::radius::packet::{Code, Packet};
use crate::radius::radsec::{Radius11, Version};
use crate::telemetry::{Discard, Metrics};
use crate::time::Timestamp;
use rustls::sign::CertifiedKey;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use table::Shared;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Connections that the kernel completes before they are taken.
const BACKLOG: i32 = 1024;
/// How long no connection is taken after that failed: files were short, and will be
/// for a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the log says nothing more about that.
const ACCEPT_QUIET: Duration = Duration::from_secs(60);
/// How often connections are looked after.
const SWEEP: Duration = Duration::from_secs(1);
/// A peer that has been silent for this long is asked by TCP whether it is there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// How often it is asked again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How often in vain until the connection is given up: a dead peer is noticed within
/// a minute.
const KEEPALIVE_TRIES: u32 = 3;

/// What connections are let in by, immutable, replaced as a whole.
#[derive(Clone)]
pub struct Policy {
    /// The NASes.
    pub nas: NasRegistry,
    /// Whose certificates are believed. Its own list: by default nobody's.
    pub trust: Arc<TrustStore>,
    /// Our certificate and key.
    pub identity: Arc<CertifiedKey>,
    /// The oldest and the newest TLS version.
    pub versions: (TlsVersion, TlsVersion),
    /// Whether RADIUS/1.1 is spoken, where a NAS says nothing else.
    pub radius_1_1: Radius11,
    /// Bounds and deadlines.
    pub limits: Limits,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trust, versions, radius_1_1, limits, .. } = self;
        f.debug_struct("Policy")
            .field("trust", trust)
            .field("versions", versions)
            .field("radius_1_1", radius_1_1)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}

/// Bounds and deadlines of connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How long a connection may be silent; for ever without.
    pub idle: Option<Duration>,
    /// How long a handshake, the rest of a packet, or the taking of a reply may last.
    pub io: Duration,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub per_address: usize,
}

/// An open connection of a NAS.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its number, which no other connection ever has.
    pub connection: u64,
    /// The other end.
    pub source: SocketAddr,
    /// The name of the NAS.
    pub nas: String,
    /// When the handshake was over.
    pub since: Timestamp,
    /// What is spoken.
    pub version: Version,
    /// The TLS version, "1.2" or "1.3".
    pub tls: &'static str,
    /// The cipher suite, as rustls names it.
    pub cipher_suite: String,
    /// What the NAS's certificate says.
    pub certificate: Arc<CertificateFacts>,
    /// The CA that vouches for it, by its name in the configuration.
    pub ca: String,
}

/// Serves requests. Must not wait.
pub trait Serve: Send + Sync + 'static {
    /// Serves a packet that is no reply, or drops it with the way back.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    fn serve(&self, packet: Packet<'_>, peer: &Peer, path: ReplyPath) -> Result<(), Discard>;
}

/// All connections of NASes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Shared>);

impl Connections {
    /// No connection yet. They will be let in by `policy`.
    pub fn new(policy: Arc<Policy>, metrics: Arc<Metrics>, clock: Arc<Clock>) -> Self {
        Self(Arc::new(Shared::new(policy, metrics, clock)))
    }

    /// Lets in by `policy` from now on, and cuts the connections that it does not
    /// let in: of revoked certificates, and of NASes that are not configured so any
    /// more.
    pub fn replace(&self, policy: Arc<Policy>) {
        self.0.replace(policy);
    }

    /// The open connections of a NAS, or of all, the oldest first.
    pub fn open(&self, nas: Option<&str>) -> Vec<Arc<Peer>> {
        self.0.open(nas)
    }

    /// Whether the NAS of this name has a connection that can carry a request.
    pub fn is_connected(&self, nas_name: &str) -> bool {
        self.0.is_connected(nas_name)
    }

    /// Sends a request such as CoA-Request or Disconnect-Request to a NAS, down the
    /// connection that it opened last (draft-ietf-radext-reverse-coa). `attributes`
    /// are encoded, Event-Timestamp among them if it is wanted; header, authenticator
    /// and Message-Authenticator are added as the connection's version demands. It is
    /// sent once: TLS neither loses nor repeats.
    ///
    /// # Errors
    /// See [`ReverseError`].
    pub async fn request(
        &self,
        nas_name: &str,
        code: Code,
        attributes: &[u8],
        deadline: Duration,
    ) -> Result<Reply, ReverseError> {
        reverse::request(&self.0, nas_name, code, attributes, deadline).await
    }

    /// Takes no more connections and no more requests. Replies still go out, until
    /// [`Connections::end`].
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Ends all connections.
    pub fn end(&self) {
        self.0.end();
    }
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Binds a socket. IPv6 sockets serve IPv6 alone, so that both can be bound
    /// to the same port.
    ///
    /// # Errors
    /// As the system says, for instance when the port is taken.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the connections of the last run to be forgotten.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Listener { socket: socket.into() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// The threads that serve connections. They end with it.
#[derive(Debug)]
pub struct Threads(Option<Runtime>);

impl Threads {
    /// Serves what connects to `listeners`, with so many threads.
    ///
    /// # Errors
    /// When threads cannot be made.
    pub fn start(
        listeners: Vec<Listener>,
        threads: usize,
        connections: &Connections,
        serve: Arc<dyn Serve>,
    ) -> io::Result<Self> {
        if listeners.is_empty() {
            return Ok(Self(None));
        }
        let runtime =
            Builder::new_multi_thread().worker_threads(threads.max(1)).thread_name("radsec").enable_all().build()?;
        let guard = runtime.enter();
        for listener in listeners {
            let socket = tokio::net::TcpListener::from_std(listener.socket)?;
            runtime.spawn(accept(socket, connections.0.clone(), serve.clone()));
        }
        drop(guard);
        let shared = connections.0.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                shared.sweep();
            }
        });
        Ok(Self(Some(runtime)))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // It may be dropped where nothing may wait.
            runtime.shutdown_background();
        }
    }
}

async fn accept(socket: tokio::net::TcpListener, shared: Arc<Shared>, serve: Arc<dyn Serve>) {
    let mut stop = shared.stopping();
    let mut told: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, source)) => {
                if let Some((place, cut)) = shared.admit(source) {
                    prepare(&stream);
                    tokio::spawn(connection::run(stream, place, cut, serve.clone()));
                }
            }
            Err(error) => {
                if told.is_none_or(|at| at.elapsed() > ACCEPT_QUIET) {
                    told = Some(Instant::now());
                    tracing::warn!(%error, "taking TLS connections fails; raise the number of files that may be open");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A reply must not wait for more of its kind, and a peer that is gone must be
/// noticed. Where the system does not know how, the idle time is left.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_TRIES);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
