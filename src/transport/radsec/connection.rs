//! One connection, from its handshake to its end: a single task reads, has requests
//! served, and writes what there is to be sent.

use super::reverse::{MAX_PENDING, Stray};
use super::table::{Cut, Ending, Open, Place};
use super::{Limits, Serve, tls};
use crate::radius::packet::Packet;
use crate::radius::radsec;
use crate::radius::stream::Framer;
use crate::telemetry::Discard;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

/// Requests of one connection that are being served. Beyond it nothing more is read,
/// so that TCP holds the peer back.
const MAX_IN_FLIGHT: usize = 1024;
/// Octets that are read at a time.
const READ_LEN: usize = 8192;
/// Octets of replies that are put together before they are written: one TLS record
/// holds no more.
const WRITE_LEN: usize = 16_384;
/// How long a peer is given to take note that the connection ends.
const GOODBYE: Duration = Duration::from_secs(1);
/// Stands for "never" where a deadline must be named.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A packet on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    octets: Arc<[u8]>,
    /// The place of the request that it answers.
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Outgoing {
    pub(super) fn request(octets: Vec<u8>) -> Self {
        Self { octets: octets.into(), _permit: None }
    }
}

/// The way back to whoever sent a request by a connection.
#[derive(Clone, Debug)]
pub struct ReplyPath {
    outgoing: mpsc::Sender<Outgoing>,
    permit: Arc<OwnedSemaphorePermit>,
}

impl ReplyPath {
    /// Sends the reply, if the connection still stands.
    pub fn send(self, reply: Arc<[u8]>) {
        // There is room for the reply to every request that is being served.
        let _ = self.outgoing.try_send(Outgoing { octets: reply, _permit: Some(self.permit) });
    }
}

/// Serves one connection to its end.
pub(super) async fn run(stream: TcpStream, place: Place, mut cut: Cut, serve: Arc<dyn Serve>) {
    let policy = place.shared.policy();
    let limits = policy.limits;
    let now = place.shared.clock.now();
    let shaking = timeout(limits.io, tls::shake(stream, &policy, place.source.ip(), now));
    let shaken = tokio::select! {
        shaken = shaking => match shaken {
            Ok(Ok(shaken)) => Ok(shaken),
            Ok(Err(refusal)) => Err(Ending::Fault(refusal)),
            Err(_) => Err(Ending::fault(Discard::RadsecDeadline, "the handshake was not over in time")),
        },
        ending = &mut cut => Err(ending.unwrap_or(Ending::Stopped)),
    };
    let shaken = match shaken {
        Ok(shaken) => shaken,
        Err(ending) => return place.end(&ending),
    };
    let (sender, outgoing) = mpsc::channel(MAX_IN_FLIGHT + MAX_PENDING);
    let Some(open) = place.open(&shaken, sender) else {
        return place.end(&Ending::fault(Discard::RadsecLimit, "it made room for newer ones"));
    };
    let pending = open.pending.clone();
    let mut stopping = place.shared.stopping();
    let mut connection = Connection {
        stream: shaken.stream,
        limits,
        open,
        serve,
        outgoing,
        framer: Framer::default(),
        permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        input: vec![0; READ_LEN],
        unread: 0..0,
        partial_since: None,
        heard: Instant::now(),
    };
    let ending = loop {
        // The lock on the flag must not be held while waiting.
        let stopped = *stopping.borrow_and_update();
        match connection.step(&place, &mut cut, &mut stopping, stopped).await {
            ControlFlow::Continue(()) => {}
            ControlFlow::Break(ending) => break ending,
        }
    };
    pending.abandon();
    // From here on it is not there for anybody.
    place.end(&ending);
    let _ = timeout(GOODBYE, connection.stream.shutdown()).await;
}

struct Connection {
    stream: TlsStream<TcpStream>,
    limits: Limits,
    open: Open,
    serve: Arc<dyn Serve>,
    outgoing: mpsc::Receiver<Outgoing>,
    framer: Framer,
    permits: Arc<Semaphore>,
    input: Vec<u8>,
    /// What of `input` has not been looked at.
    unread: std::ops::Range<usize>,
    /// When the first octet of a packet came whose last has not come.
    partial_since: Option<Instant>,
    /// When a whole packet came last.
    heard: Instant,
}

impl Connection {
    /// Does what there is to do, then waits for the next thing that happens.
    async fn step(
        &mut self,
        place: &Place,
        cut: &mut Cut,
        stopping: &mut tokio::sync::watch::Receiver<bool>,
        stopped: bool,
    ) -> ControlFlow<Ending> {
        if !stopped {
            self.serve_unread(place)?;
        }
        let held_back = !self.unread.is_empty();
        let idle = self.heard + self.limits.idle.unwrap_or(NEVER);
        let (deadline, late) = match self.partial_since {
            Some(since) if !held_back => {
                (since + self.limits.io, Ending::fault(Discard::RadsecDeadline, "half a packet came, and no more"))
            }
            _ => (idle, Ending::Idle),
        };
        tokio::select! {
            biased;
            ending = &mut *cut => ControlFlow::Break(ending.unwrap_or(Ending::Stopped)),
            Some(first) = self.outgoing.recv() => self.write(first).await,
            _ = stopping.changed(), if !stopped => ControlFlow::Continue(()),
            _ = self.permits.clone().acquire_owned(), if held_back && !stopped => ControlFlow::Continue(()),
            read = self.stream.read(&mut self.input), if !held_back && !stopped => match read {
                Ok(0) | Err(_) => ControlFlow::Break(Ending::Peer),
                Ok(length) => {
                    self.unread = 0..length;
                    ControlFlow::Continue(())
                }
            },
            () = sleep_until(deadline), if !stopped => ControlFlow::Break(late),
        }
    }

    /// Serves the packets that have come, as far as there is room for their replies.
    fn serve_unread(&mut self, place: &Place) -> ControlFlow<Ending> {
        while !self.unread.is_empty() {
            let Ok(permit) = self.permits.clone().try_acquire_owned() else { break };
            let mut rest = self.input.get(self.unread.clone()).unwrap_or_default();
            let packet = match self.framer.take(&mut rest) {
                Ok(Some(packet)) => packet,
                Ok(None) => {
                    self.unread = 0..0;
                    break;
                }
                Err(error) => {
                    let detail = error.to_string();
                    return ControlFlow::Break(Ending::fault(Discard::RadsecMalformed, detail));
                }
            };
            let left = rest.len();
            self.partial_since = None;
            self.heard = Instant::now();
            if radsec::is_reply(packet.code()) {
                answered(&self.open, place, &packet)?;
            } else {
                let path = ReplyPath { outgoing: self.open.outgoing.clone(), permit: Arc::new(permit) };
                // No input is known to panic; should one be found, it must not be
                // silent.
                let served = catch_unwind(AssertUnwindSafe(|| self.serve.serve(packet, &self.open.peer, path)));
                match served {
                    Ok(Ok(())) => {}
                    Ok(Err(reason)) => return ControlFlow::Break(Ending::fault(reason, "")),
                    Err(_) => {
                        tracing::error!(source = %place.source, "a request made the server panic; please report it");
                        return ControlFlow::Break(Ending::Peer);
                    }
                }
            }
            self.unread.start = self.unread.end - left;
        }
        if self.framer.is_partial() && self.partial_since.is_none() {
            self.partial_since = Some(Instant::now());
        }
        ControlFlow::Continue(())
    }

    /// Writes a packet, and those that wait behind it.
    async fn write(&mut self, first: Outgoing) -> ControlFlow<Ending> {
        let mut octets = first.octets.to_vec();
        while octets.len() < WRITE_LEN
            && let Ok(next) = self.outgoing.try_recv()
        {
            octets.extend_from_slice(&next.octets);
        }
        let stream = &mut self.stream;
        let written = timeout(self.limits.io, async {
            stream.write_all(&octets).await?;
            stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(Ending::Peer),
            Err(_) => ControlFlow::Break(Ending::fault(Discard::RadsecDeadline, "it does not take the replies")),
        }
    }
}

/// A reply came.
fn answered(open: &Open, place: &Place, reply: &Packet<'_>) -> ControlFlow<Ending> {
    let shared = &place.shared;
    match open.pending.complete(reply) {
        Ok(()) => ControlFlow::Continue(()),
        Err(Stray::Unmatched) => {
            let now = shared.clock.now();
            shared.metrics.discarded(Some(&open.peer.nas), Discard::RadsecUnmatched, place.source.ip(), now);
            ControlFlow::Continue(())
        }
        Err(Stray::Mismatched) => {
            let detail = format!("{} does not fit the request that it names", reply.code());
            ControlFlow::Break(Ending::fault(Discard::RadsecMalformed, detail))
        }
    }
}
