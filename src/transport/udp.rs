//! UDP listeners (RFC 2865, section 3): worker threads that block on a socket,
//! serve one datagram to its end, and never wait for the disk. What must be
//! durable first goes to the store with the reply attached.

use super::clock::Clock;
use crate::access::{Answer, Arrival, Engine, Service};
use crate::store::writer::Writer;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// The longest datagram that is looked at, in octets: a RADIUS packet, and
/// padding that is ignored.
const BUFFER_LEN: usize = 8192;
/// How often an idle worker looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(250);
/// Kernel buffers, in octets: some thousand packets while a worker is away.
const SOCKET_BUFFER_LEN: usize = 4 << 20;
/// Access-Rejects held back at a time. Beyond it they leave at once: delay is a
/// defence, memory is worth more.
const MAX_DELAYED: usize = 20_000;

/// One bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: Arc<UdpSocket>,
    service: Service,
    number: u16,
}

impl Listener {
    /// Binds a socket. IPv6 sockets serve IPv6 alone, so that both can be bound
    /// to the same port.
    ///
    /// # Errors
    /// As the system says, for instance when the port is taken.
    pub fn bind(address: SocketAddr, service: Service, number: u16) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // The kernel may allow less; that is no reason not to serve.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_LEN);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_LEN);
        socket.bind(&address.into())?;
        socket.set_read_timeout(Some(STOP_CHECK))?;
        Ok(Listener { socket: Arc::new(socket.into()), service, number })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// What workers share.
#[derive(Clone, Debug)]
pub struct Workshop {
    /// Serves requests.
    pub engine: Arc<Engine>,
    /// Makes records durable.
    pub writer: Writer,
    /// The time.
    pub clock: Arc<Clock>,
    /// Holds rejects back.
    pub runtime: Handle,
    /// Set to stop.
    pub stop: Arc<AtomicBool>,
}

/// Starts `workers` threads that serve a listener until told to stop.
///
/// # Errors
/// When a thread cannot be made.
pub fn serve(listener: Listener, workers: usize, workshop: &Workshop) -> io::Result<Vec<JoinHandle<()>>> {
    let listener = Arc::new(listener);
    let delayed = Arc::new(Semaphore::new(MAX_DELAYED));
    (0..workers)
        .map(|i| {
            let worker = Worker { listener: listener.clone(), workshop: workshop.clone(), delayed: delayed.clone() };
            std::thread::Builder::new().name(format!("radius-{}-{i}", listener.number)).spawn(move || worker.run())
        })
        .collect()
}

struct Worker {
    listener: Arc<Listener>,
    workshop: Workshop,
    delayed: Arc<Semaphore>,
}

impl Worker {
    fn run(&self) {
        let mut buffer = [0; BUFFER_LEN];
        while !self.workshop.stop.load(Ordering::Relaxed) {
            match self.listener.socket.recv_from(&mut buffer) {
                Ok((length, source)) => self.serve(buffer.get(..length).unwrap_or_default(), source),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                // An ICMP error about an earlier reply, and the like: it says
                // nothing about the next request.
                Err(e) => tracing::debug!(error = %e, "receiving"),
            }
        }
    }

    fn serve(&self, datagram: &[u8], source: SocketAddr) {
        let Workshop { engine, writer, clock, .. } = &self.workshop;
        let arrival = Arrival { source, listener: self.listener.number, service: self.listener.service };
        match engine.handle(datagram, arrival, clock.now()) {
            Answer::Silent => {}
            Answer::Now(reply) => send(&self.listener.socket, &reply, source),
            Answer::AfterRecord { record, reply, delay, token } => {
                let shared = self.workshop.clone();
                let socket = self.listener.socket.clone();
                let delayed = self.delayed.clone();
                let done = Box::new(move |stored: Result<(), _>| match stored {
                    Ok(()) => {
                        shared.engine.answered(&token, &reply, shared.clock.now());
                        match delayed.try_acquire_owned() {
                            Ok(permit) if !delay.is_zero() => {
                                shared.runtime.spawn(async move {
                                    tokio::time::sleep(delay).await;
                                    send(&socket, &reply, source);
                                    drop(permit);
                                });
                            }
                            _ => send(&socket, &reply, source),
                        }
                    }
                    Err(_) => shared.engine.abandoned(&token),
                });
                if writer.submit(record, done).is_err() {
                    // Our own back end is at fault: no answer, so that the NAS
                    // tries another server.
                    engine.abandoned(&token);
                    engine.overloaded(&arrival);
                }
            }
        }
    }
}

fn send(socket: &UdpSocket, reply: &[u8], to: SocketAddr) {
    if let Err(e) = socket.send_to(reply, to) {
        tracing::debug!(error = %e, %to, "sending");
    }
}
