//! From a datagram to its reply: the engine decides, the store makes durable
//! what must be, and only then the reply leaves.

use crate::access::{Answer, Arrival, Engine, RequestToken, Service};
use crate::store::StoreError;
use crate::store::writer::Writer;
use crate::telemetry::Discard;
use crate::transport::clock::Clock;
use crate::transport::udp::ReplyPath;
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

impl Requests {
    /// Serves one datagram to its end.
    pub(super) fn handle(&self, datagram: &[u8], path: ReplyPath) {
        let Shared { engine, writer, clock, .. } = &self.shared;
        let arrival = Arrival { source: path.to, listener: self.number, service: self.service };
        match engine.handle(datagram, arrival, clock.now()) {
            Answer::Silent => {}
            Answer::Now(reply) => path.send(&reply),
            Answer::AfterRecord { record, reply, delay, token } => {
                let shared = self.shared.clone();
                let done = Box::new(move |stored| shared.recorded(stored, &token, reply, delay, path));
                if writer.submit(record, done).is_err() {
                    // Our own back end is at fault: no answer, so that the NAS
                    // tries another server.
                    engine.abandoned(&token, Discard::Overloaded, clock.now());
                }
            }
        }
    }
}

impl Shared {
    fn recorded(
        &self,
        stored: Result<(), StoreError>,
        token: &RequestToken,
        reply: Arc<[u8]>,
        delay: Duration,
        path: ReplyPath,
    ) {
        if stored.is_err() {
            self.engine.abandoned(token, Discard::BackendUnavailable, self.clock.now());
            return;
        }
        match self.delayed.clone().try_acquire_owned() {
            Ok(permit) if !delay.is_zero() => {
                // Until it leaves, the request is in progress, and a repeated
                // one gets no answer earlier.
                let (shared, token) = (self.clone(), *token);
                self.runtime.spawn(async move {
                    tokio::time::sleep(delay).await;
                    shared.engine.answered(&token, &reply, shared.clock.now());
                    path.send(&reply);
                    drop(permit);
                });
            }
            _ => {
                self.engine.answered(token, &reply, self.clock.now());
                path.send(&reply);
            }
        }
    }
}
