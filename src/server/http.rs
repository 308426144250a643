//! The sockets of the API and of the page for endpoints: plain, or over TLS.

use super::places::Places;
use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a client may take for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a client may take for the head of a request: who is slower keeps a place that others need.
const HEAD: Duration = Duration::from_secs(10);

/// Connections at once: a console has a handful for each browser, and each costs some tens of KiB with TLS.
const MAX_CONNECTIONS: usize = 2_048;
/// Of these from one network: a proxy may stand there, and nobody takes all places.
const MAX_FROM_ONE: usize = 512;

/// Stops serving.
pub(super) type Handle = axum_server::Handle<SocketAddr>;

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
}

impl Listener {
    /// Listens there, with TLS if it is said how.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn bind(address: SocketAddr, tls: Option<RustlsConfig>) -> io::Result<Listener> {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Listener { socket, address, tls })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves, until the handle says otherwise; the task ends when all requests are answered.
    pub(super) fn serve(self, app: Router) -> (Handle, JoinHandle<()>) {
        let handle = Handle::new();
        let stops = handle.clone();
        let places = Places::new(MAX_CONNECTIONS, MAX_FROM_ONE);
        let task = tokio::spawn(async move {
            let service = app.into_make_service_with_connect_info::<SocketAddr>();
            let ended = match self.tls {
                Some(tls) => {
                    let server = axum_server::from_tcp_rustls(self.socket, tls).map(|server| {
                        server.map(|acceptor| places.clone().before(acceptor.handshake_timeout(HANDSHAKE)))
                    });
                    match server {
                        Ok(mut server) => {
                            server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
                            server.http1_only().first_request_timeout(HEAD).handle(stops).serve(service).await
                        }
                        Err(e) => Err(e),
                    }
                }
                None => match axum_server::from_tcp(self.socket) {
                    Ok(server) => {
                        let mut server = server.map(|acceptor| places.clone().before(acceptor));
                        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
                        server.http1_only().first_request_timeout(HEAD).handle(stops).serve(service).await
                    }
                    Err(e) => Err(e),
                },
            };
            if let Err(error) = ended {
                tracing::error!(%error, "the API has stopped");
            }
        });
        (handle, task)
    }
}
