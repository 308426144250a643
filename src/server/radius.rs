//! From a packet to its reply: the engine decides, the store makes durable what
//! must be, and only then the reply leaves.

use crate::access::{Answer, Arrival, Engine, RequestToken, Service, TlsArrival};
use crate::radius::packet::Packet;
use crate::store::StoreError;
use crate::store::writer::Writer;
use crate::telemetry::Discard;
use crate::transport::clock::Clock;
use crate::transport::{radsec, udp};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Access-Rejects held back at a time. Beyond it they leave at once: delay is a
/// defence, memory is worth more.
pub(super) const MAX_DELAYED: usize = 20_000;

/// What all listeners share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub engine: Arc<Engine>,
    pub writer: Writer,
    pub clock: Arc<Clock>,
    /// Holds rejects back.
    pub runtime: Handle,
    pub delayed: Arc<Semaphore>,
}

/// The requests of one listener.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    pub shared: Shared,
    pub service: Service,
    /// Which listener it is.
    pub number: u16,
}

/// The way back to who asked.
#[derive(Clone, Debug)]
enum Way {
    Udp(udp::ReplyPath),
    Tls(radsec::ReplyPath),
}

impl Way {
    fn send(self, reply: Arc<[u8]>) {
        match self {
            Way::Udp(path) => path.send(&reply),
            Way::Tls(path) => path.send(reply),
        }
    }
}

impl Requests {
    /// Serves one datagram to its end.
    pub(super) fn handle(&self, datagram: &[u8], path: udp::ReplyPath) {
        let Shared { engine, clock, .. } = &self.shared;
        let arrival = Arrival { source: path.to, listener: self.number, service: self.service };
        let answer = engine.handle(datagram, arrival, clock.now());
        self.shared.conclude(answer, Way::Udp(path));
    }
}

impl radsec::Serve for Shared {
    fn serve(&self, packet: Packet<'_>, peer: &radsec::Peer, path: radsec::ReplyPath) -> Result<(), Discard> {
        let arrival =
            TlsArrival { connection: peer.connection, source: peer.source, nas: &peer.nas, version: peer.version };
        let answer = self.engine.handle_tls(packet, arrival, self.clock.now())?;
        self.conclude(answer, Way::Tls(path));
        Ok(())
    }
}

impl Shared {
    fn conclude(&self, answer: Answer, way: Way) {
        match answer {
            Answer::Silent => {}
            Answer::Now(reply) => way.send(reply),
            Answer::AfterRecord { record, reply, delay, token } => {
                let (shared, back, pending) = (self.clone(), way.clone(), token.clone());
                let done = Box::new(move |stored| shared.recorded(stored, &pending, reply, delay, back));
                if self.writer.submit(record, done).is_err() {
                    // Our own back end is at fault: no answer, so that the NAS
                    // tries another server.
                    self.abandoned(&token, Discard::Overloaded, way);
                }
            }
        }
    }

    fn abandoned(&self, token: &RequestToken, reason: Discard, way: Way) {
        if let Some(refusal) = self.engine.abandoned(token, reason, self.clock.now()) {
            way.send(refusal);
        }
    }

    fn recorded(
        &self,
        stored: Result<(), StoreError>,
        token: &RequestToken,
        reply: Arc<[u8]>,
        delay: Duration,
        way: Way,
    ) {
        if stored.is_err() {
            self.abandoned(token, Discard::BackendUnavailable, way);
            return;
        }
        match self.delayed.clone().try_acquire_owned() {
            Ok(permit) if !delay.is_zero() => {
                // Until it leaves, the request is in progress, and a repeated
                // one gets no answer earlier.
                let (shared, token) = (self.clone(), token.clone());
                self.runtime.spawn(async move {
                    tokio::time::sleep(delay).await;
                    shared.engine.answered(&token, &reply, shared.clock.now());
                    way.send(reply);
                    drop(permit);
                });
            }
            _ => {
                self.engine.answered(token, &reply, self.clock.now());
                way.send(reply);
            }
        }
    }
}
