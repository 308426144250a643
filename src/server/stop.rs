//! How the server stops: it says so first, sees to its end what has begun, and makes all of it durable.

use super::{Running, host_name, keep};
use crate::access::Engine;
use crate::audit::event::{By, Event};
use crate::config::ServerSection;
use crate::jobs::audit::Signer;
use crate::store::Store;
use crate::transport::clock::Clock;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// How long each of the steps after the logins may take: threads that end, requests of the API, writes to the disk.
const STEP: Duration = Duration::from_secs(5);
/// How long connections have to say goodbye.
const GOODBYE: Duration = Duration::from_millis(100);
/// How long the last traces may take to be sent.
const FLUSH: Duration = Duration::from_secs(2);
/// How often it is looked whether logins are over: a round takes some milliseconds.
const LOOK: Duration = Duration::from_millis(20);

/// How long the server waits for others when it stops.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For those who look whether it is ready.
    delay: Duration,
    /// For logins that have begun.
    logins: Duration,
}

impl Patience {
    /// As `[server]` says.
    pub(super) fn of(section: &ServerSection) -> Patience {
        Patience {
            delay: Duration::from_millis(section.stop_delay_ms),
            logins: Duration::from_secs(section.drain_secs),
        }
    }
}

impl Running {
    /// Says that it is not ready, sees logins and requests to their end, and makes all records durable.
    pub async fn stop(self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.engine.leave();
        sleep(self.patience.delay).await;
        self.engine.close();
        logins_over(&self.engine, self.patience.logins).await;
        self.stop.store(true, Ordering::Relaxed);
        self.connections.stop();
        let workers = self.workers;
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                // A worker that panicked has said so already.
                let _ = worker.join();
            }
        });
        let _ = timeout(STEP, joined).await;
        let _ = timeout(STEP, self.writer.drain()).await;
        // Those that are held back leave when it is time.
        let all = u32::try_from(super::radius::MAX_DELAYED).unwrap_or(u32::MAX);
        let _ = timeout(STEP, self.delayed.acquire_many(all)).await;
        self.writer.feed().close();
        self.endpoints.stop();
        self.https.iter().for_each(|(handle, _)| handle.graceful_shutdown(Some(STEP)));
        let ended = async {
            for (_, task) in self.https {
                // One that panicked has said so already.
                let _ = task.await;
            }
        };
        let _ = timeout(STEP + LOOK, ended).await;
        self.connections.end();
        // The peers are told, if they take note at once.
        sleep(GOODBYE).await;
        drop(self.tls_threads);
        if let Some(exporter) = &self.exporter {
            exporter.flush(FLUSH).await;
        }
        // What is not in the database by then is stored at the next start.
        self.writer.settle(STEP).await;
        let _ = timeout(STEP, sign_off(&self.store, &self.signer, &self.data_dir, &self.clock)).await;
    }
}

/// Returns when no login is in progress, or after `patience`.
async fn logins_over(engine: &Engine, patience: Duration) {
    let over = async {
        while engine.conversations() > 0 {
            sleep(LOOK).await;
        }
    };
    if timeout(patience, over).await.is_err() {
        tracing::warn!(left = engine.conversations(), "logins were not over in time: their NASes will begin them anew");
    }
}

/// The server's last event, and a checkpoint over it.
async fn sign_off(store: &Store, signer: &Mutex<Signer>, data_dir: &Path, clock: &Clock) {
    let event = Event::new(&By::server(), "server.stop", "server", &host_name(), clock.now());
    if let Err(error) = store.audit(vec![event]).await {
        tracing::warn!(%error, "that the server stops is not in the audit log");
    }
    match signer.lock().await.sign(clock.now()).await {
        Ok(checkpoint) => checkpoint.iter().for_each(|checkpoint| keep(data_dir, checkpoint)),
        Err(error) => tracing::error!("no last checkpoint was signed: {error}"),
    }
}
