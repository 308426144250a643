//! From a packet to its reply: the engine decides, the store makes durable what
//! must be, and only then the reply leaves.

use super::course::{Course, Recorded};
use crate::access::{Answer, Arrival, Engine, RequestToken, Service, TlsArrival};
use crate::radius::packet::Packet;
use crate::store::StoreError;
use crate::store::writer::Writer;
use crate::telemetry::trace::Tracer;
use crate::telemetry::{Discard, Metrics};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use crate::transport::{radsec, udp};
use std::net::IpAddr;
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
    pub metrics: Arc<Metrics>,
    pub tracer: Tracer,
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
        let began = clock.now();
        let answer = engine.handle(datagram, arrival, began);
        let course = self.shared.course(Packet::parse(datagram).ok(), path.to.ip(), began, &answer);
        self.shared.conclude(answer, Way::Udp(path), course);
    }
}

impl radsec::Serve for Shared {
    fn serve(&self, packet: Packet<'_>, peer: &radsec::Peer, path: radsec::ReplyPath) -> Result<(), Discard> {
        let arrival =
            TlsArrival { connection: peer.connection, source: peer.source, nas: &peer.nas, version: peer.version };
        let began = self.clock.now();
        let answer = self.engine.handle_tls(packet, arrival, began)?;
        let course = self.course(Some(packet), peer.source.ip(), began, &answer);
        self.conclude(answer, Way::Tls(path), course);
        Ok(())
    }
}

impl Shared {
    fn course(&self, packet: Option<Packet<'_>>, source: IpAddr, began: Timestamp, answer: &Answer) -> Course {
        let reply = match answer {
            Answer::Silent => None,
            Answer::Now(reply) | Answer::AfterRecord { reply, .. } => Some(reply.as_ref()),
        };
        Course::new((&self.metrics, &self.tracer), packet, source, (began, self.clock.now()), reply)
    }

    fn conclude(&self, answer: Answer, way: Way, course: Course) {
        match answer {
            Answer::Silent => {}
            Answer::Now(reply) => {
                way.send(reply.clone());
                let now = self.clock.now();
                course.replied(&self.metrics, &reply, now);
                course.over(&self.tracer, Some(&reply), false, None, now);
            }
            Answer::AfterRecord { record, reply, delay, token } => {
                let whole = course.recorded(&record);
                let (shared, back, pending) = (self.clone(), way.clone(), token.clone());
                let on_its_way = OnItsWay { reply, delay, way: back, course, whole };
                let done = Box::new(move |stored| shared.recorded(stored, &pending, on_its_way));
                if self.writer.submit(record, done).is_err() {
                    // Our own back end is at fault: no answer, so that the NAS
                    // tries another server.
                    self.abandoned(&token, Discard::Overloaded, way);
                    course.over(&self.tracer, None, false, None, self.clock.now());
                }
            }
        }
    }

    fn abandoned(&self, token: &RequestToken, reason: Discard, way: Way) {
        if let Some(refusal) = self.engine.abandoned(token, reason, self.clock.now()) {
            way.send(refusal);
        }
    }

    fn recorded(&self, stored: Result<(), StoreError>, token: &RequestToken, request: OnItsWay) {
        let OnItsWay { reply, delay, way, course, whole } = request;
        let now = self.clock.now();
        if stored.is_err() {
            self.abandoned(token, Discard::BackendUnavailable, way);
            course.over(&self.tracer, None, true, whole, now);
            return;
        }
        course.replied(&self.metrics, &reply, now);
        course.over(&self.tracer, Some(&reply), true, whole, now);
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

/// A request whose record is on its way to the disk.
#[derive(Debug)]
struct OnItsWay {
    reply: Arc<[u8]>,
    delay: Duration,
    way: Way,
    course: Course,
    whole: Option<Box<Recorded>>,
}
