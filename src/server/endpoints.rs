//! The sockets for endpoints that report for themselves: TLS 1.2 and 1.3, client certificates that are asked for and
//! checked as those of logins are, and bounds for who connects.

use crate::access::Engine;
use crate::api::agents::Peer;
use crate::config::live::Inventory;
use crate::eap::tls::adapter::provider;
use crate::pki::trust::TrustStore;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Connections at once; others wait until one ends, which is soon.
const MAX_CONNECTIONS: usize = 2_048;
/// Connections at once from one address: a site behind one, in the morning.
const MAX_PER_ADDRESS: usize = 512;
/// How long a client may take for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a client may take for the head of a request, and be silent between two.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may last: who goes on connects again, and is looked at again.
const LIFE: Duration = Duration::from_secs(120);
/// How long requests may take that are being served when the connection is to end.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long no connection is taken after that failed: files were short, and will be for a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// By what is decided who is let in.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) engine: Arc<Engine>,
    pub(super) inventory: Inventory,
    pub(super) clock: Arc<Clock>,
}

/// The listeners.
#[derive(Debug)]
pub(super) struct Listeners(Vec<std::net::TcpListener>);

/// Those that serve.
#[derive(Debug)]
pub(super) struct Serving {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Listeners {
    /// Listens there. Gives the addresses, too.
    ///
    /// # Errors
    /// As the system says, and of which address.
    pub(super) fn bind(addresses: &[SocketAddr]) -> Result<(Self, Vec<SocketAddr>), (SocketAddr, io::Error)> {
        let bound = |address: &SocketAddr| {
            let socket = std::net::TcpListener::bind(address)?;
            socket.set_nonblocking(true)?;
            let local = socket.local_addr()?;
            Ok((socket, local))
        };
        let all = addresses.iter().map(|address| bound(address).map_err(|e| (*address, e)));
        let (sockets, addresses) = all.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok((Listeners(sockets), addresses))
    }

    /// Serves.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn serve(self, app: &Router, door: &Door) -> io::Result<Serving> {
        let (stop, stopped) = watch::channel(false);
        let places = Arc::new(Places { all: Arc::new(Semaphore::new(MAX_CONNECTIONS)), each: Mutex::default() });
        let mut tasks = Vec::new();
        for socket in self.0 {
            let socket = TcpListener::from_std(socket)?;
            tasks.push(tokio::spawn(accept(socket, app.clone(), door.clone(), places.clone(), stopped.clone())));
        }
        Ok(Serving { stop, tasks })
    }
}

impl Serving {
    /// Takes no connection any more; requests that are being served are answered.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Who is connected.
#[derive(Debug)]
struct Places {
    all: Arc<Semaphore>,
    each: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection.
struct Place {
    places: Arc<Places>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    fn take(self: &Arc<Self>, address: IpAddr, permit: OwnedSemaphorePermit) -> Option<Place> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let count = each.entry(address).or_default();
        if *count >= MAX_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), address, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut each = self.places.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = each.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                each.remove(&self.address);
            }
        }
    }
}

async fn accept(socket: TcpListener, app: Router, door: Door, places: Arc<Places>, stopped: watch::Receiver<bool>) {
    loop {
        // Only the end of the server closes it.
        let Ok(permit) = places.all.clone().acquire_owned().await else { return };
        match socket.accept().await {
            Ok((stream, from)) => {
                if let Some(place) = places.take(from.ip(), permit) {
                    tokio::spawn(serve(stream, from, app.clone(), door.clone(), stopped.clone(), place));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "no connection of an endpoint can be taken");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, from its handshake to its end.
async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    app: Router,
    door: Door,
    mut stopped: watch::Receiver<bool>,
    _place: Place,
) {
    let Some(config) = door.config() else { return };
    let shaken = timeout(HANDSHAKE, TlsAcceptor::from(Arc::new(config)).accept(stream)).await;
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%from, %error, "an endpoint was not let in"),
        Err(_) => return tracing::debug!(%from, "an endpoint did not end its handshake in time"),
    };
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = shown.iter().map(|certificate| certificate.clone().into_owned()).collect();
    let service = TowerToHyperService::new(app.layer(Extension(Peer { chain, from })));
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = serving.as_mut() => return,
        () = sleep(LIFE) => {}
        _ = stopped.changed() => {}
    }
    serving.as_mut().graceful_shutdown();
    // That the peer has gone is no fault.
    let _ = timeout(GOODBYE, serving).await;
}

impl Door {
    /// How one connection is let in: by what is in force now.
    fn config(&self) -> Option<ServerConfig> {
        let key = self.inventory.present().built.endpoints.key.clone()?;
        let trust = self.engine.snapshot().trust.clone();
        let provider = provider();
        let verifier = Verifier { hints: trust.hints(), trust, now: self.clock.now(), provider: provider.clone() };
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions).ok()?;
        let mut config = builder
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Every connection is a full handshake, whose certificate is looked at.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Some(config)
    }
}

/// Believes whom logins believe. Who shows no certificate is let in, and may do little.
#[derive(Debug)]
struct Verifier {
    trust: Arc<TrustStore>,
    hints: Vec<DistinguishedName>,
    now: Timestamp,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        match self.trust.verify(&chain, self.now) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => Err(rustls::Error::InvalidCertificate(error.to_rustls())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
