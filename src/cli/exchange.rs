//! Requests and replies over UDP, for the client commands.

use crate::client::{Ending, Login, LoginStep};
use crate::radius::authenticator::verify_reply;
use crate::radius::packet::Packet;
use crate::secret::Secret;
use crate::transport::clock::Clock;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// The longest reply, in octets, and some that would be wrong.
const BUFFER_LEN: usize = 8192;

/// A client's socket, connected to one server.
#[derive(Debug)]
pub struct Exchange {
    socket: UdpSocket,
    clock: Clock,
    timeout: Duration,
    tries: u32,
    identifier: u8,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Nothing came back.
    #[error(
        "no answer from {server} after {tries} tries of {} ms\n  -> is the server running there, does it know this address as a NAS, and is the secret right? \
         A wrong secret is answered by silence: see `GET /api/v1/discards`",
        .timeout.as_millis()
    )]
    Silence {
        /// The server.
        server: SocketAddr,
        /// Requests sent.
        tries: u32,
        /// How long each waited.
        timeout: Duration,
    },
    /// The system says that no program has this port.
    #[error(
        "nothing listens on {0}\n  -> is the server running there? Authentication is usually on 1812, accounting on 1813"
    )]
    Nobody(SocketAddr),
    /// As the system says.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The login cannot go on.
    #[error("{0}")]
    Protocol(String),
}

impl Exchange {
    /// A socket towards `server` that waits `timeout` for each of `tries`.
    ///
    /// # Errors
    /// As the system says.
    pub fn connect(server: SocketAddr, timeout: Duration, tries: u32) -> io::Result<Exchange> {
        let local: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(local)?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(timeout))?;
        Ok(Exchange { socket, clock: Clock::start(), timeout, tries, identifier: 0 })
    }

    /// The identifier of the next request.
    pub fn next_identifier(&mut self) -> u8 {
        self.identifier = self.identifier.wrapping_add(1);
        self.identifier
    }

    /// Sends a request until `accept` finds its reply among what comes back.
    ///
    /// # Errors
    /// When nothing fitting comes back.
    pub fn request<R>(&self, request: &[u8], mut accept: impl FnMut(&[u8]) -> Option<R>) -> Result<R, ExchangeError> {
        let mut buffer = [0; BUFFER_LEN];
        let mut refused = false;
        for _ in 0..self.tries {
            refused = false;
            self.socket.send(request)?;
            let deadline = self.clock.now() + self.timeout;
            while self.clock.now() < deadline {
                match self.socket.recv(&mut buffer) {
                    Ok(length) => {
                        if let Some(reply) = accept(buffer.get(..length).unwrap_or_default()) {
                            return Ok(reply);
                        }
                    }
                    Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                    // Nobody listens there now; somebody may at the next try.
                    Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                        refused = true;
                        std::thread::sleep(self.timeout.min(Duration::from_millis(200)));
                        break;
                    }
                    Err(e) => return Err(e.into()),
                }
            }
        }
        let server = self.socket.peer_addr()?;
        if refused {
            return Err(ExchangeError::Nobody(server));
        }
        Err(ExchangeError::Silence { server, tries: self.tries, timeout: self.timeout })
    }

    /// Sends a request that has one reply, and gives that.
    ///
    /// # Errors
    /// When none comes back that `secret` proves.
    pub fn answer(&self, request: &[u8], secret: &Secret) -> Result<Vec<u8>, ExchangeError> {
        let parsed = Packet::parse(request).map_err(|e| ExchangeError::Protocol(e.to_string()))?;
        self.request(request, |datagram| {
            verify_reply(datagram, &parsed, secret).ok().map(|reply| reply.packet().bytes().to_vec())
        })
    }

    /// Logs in by EAP-TLS; `trace` sees each request with what it is, and each
    /// reply.
    ///
    /// # Errors
    /// When the server falls silent.
    pub fn login(
        &mut self,
        login: &mut Login,
        mut trace: impl FnMut(Traced<'_>),
    ) -> Result<Box<Ending>, ExchangeError> {
        let first = self.next_identifier();
        let mut request = login.start(first, self.clock.now()).map_err(|e| ExchangeError::Protocol(e.to_string()))?;
        let mut what = "identity";
        loop {
            trace(Traced::Request(&request, what));
            let next = self.next_identifier();
            let mut ignored = None;
            let step = self
                .request(&request, |datagram| {
                    let step = login.receive(datagram, next, self.clock.now());
                    if let Ok(packet) = Packet::parse(datagram) {
                        trace(Traced::Reply(packet));
                    }
                    step.map_err(|e| ignored = Some(e.to_string())).ok()
                })
                .map_err(|e| match ignored {
                    Some(why) => ExchangeError::Protocol(format!("{why}\n{e}")),
                    None => e,
                })?;
            match step {
                LoginStep::Send(bytes, did) => (request, what) = (bytes, did),
                LoginStep::Done(ending) => return Ok(ending),
            }
        }
    }
}

/// A packet that passed by.
#[derive(Debug)]
pub enum Traced<'a> {
    /// Ours, and what the supplicant did.
    Request(&'a [u8], &'static str),
    /// The server's.
    Reply(Packet<'a>),
}
