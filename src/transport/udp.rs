//! UDP sockets (RFC 2865, section 3): worker threads that block on a socket and
//! hand each datagram on with the way back.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The longest datagram that is looked at, in octets: a RADIUS packet, and
/// padding that is ignored.
const BUFFER_LEN: usize = 8192;
/// How often an idle worker looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(250);
/// Kernel buffers, in octets: some thousand packets while a worker is away.
const SOCKET_BUFFER_LEN: usize = 4 << 20;

/// One bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: Arc<UdpSocket>,
}

/// The way back to whoever sent a datagram.
#[derive(Clone, Debug)]
pub struct ReplyPath {
    socket: Arc<UdpSocket>,
    /// The sender.
    pub to: SocketAddr,
}

impl ReplyPath {
    /// Sends a reply. One that is lost is asked for again.
    pub fn send(&self, reply: &[u8]) {
        if let Err(e) = self.socket.send_to(reply, self.to) {
            tracing::debug!(error = %e, to = %self.to, "sending");
        }
    }
}

impl Listener {
    /// Binds a socket. IPv6 sockets serve IPv6 alone, so that both can be bound
    /// to the same port.
    ///
    /// # Errors
    /// As the system says, for instance when the port is taken.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // The kernel may allow less; that is no reason not to serve.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_LEN);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_LEN);
        socket.bind(&address.into())?;
        socket.set_read_timeout(Some(STOP_CHECK))?;
        Ok(Listener { socket: Arc::new(socket.into()) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Starts `workers` threads that call `handle` with each datagram until
    /// `stop` is set. It must not wait for the disk.
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub fn serve(
        &self,
        workers: usize,
        handle: impl Fn(&[u8], ReplyPath) + Clone + Send + 'static,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        (0..workers)
            .map(|number| {
                let (socket, handle, stop) = (self.socket.clone(), handle.clone(), stop.clone());
                let name = format!("radius-{number}");
                std::thread::Builder::new().name(name).spawn(move || work(&socket, handle, &stop))
            })
            .collect()
    }
}

fn work(socket: &Arc<UdpSocket>, handle: impl Fn(&[u8], ReplyPath), stop: &AtomicBool) {
    let mut buffer = [0; BUFFER_LEN];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((length, to)) => {
                let (datagram, path) =
                    (buffer.get(..length).unwrap_or_default(), ReplyPath { socket: socket.clone(), to });
                // No input is known to panic; should one be found, it must not
                // take the listener with it.
                if catch_unwind(AssertUnwindSafe(|| handle(datagram, path))).is_err() {
                    tracing::error!(%to, "a request made the server panic; please report it");
                }
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            // An ICMP error about an earlier reply, and the like: it says
            // nothing about the next request.
            Err(e) => tracing::debug!(error = %e, "receiving"),
        }
    }
}
