//! Work that comes round: what has gone silent is ended; who asks and is unknown
//! is stored, and so is how NASes behave.

pub mod asked;
pub mod changes;
pub mod reevaluate;

use crate::access::Engine;
use crate::inventory::behaviour::Behaviour;
use crate::store::Store;
use crate::store::partition::Retention;
use crate::store::writer::Writer;
use crate::transport::clock::Clock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often conversations and duplicates are looked over.
const SWEEP: Duration = Duration::from_secs(1);
/// How often addresses that ask and are no NAS are stored: often enough for who
/// waits for a new switch to appear, seldom enough for a flood to cost little.
const NOTE: Duration = Duration::from_secs(2);

/// How often sessions are looked over.
const SESSIONS: Duration = Duration::from_secs(30);
/// How often it is looked for records that are too old.
const RETAIN: Duration = Duration::from_secs(3600);

/// How often it is stored how NASes behave: what is lost with the power is learned
/// again.
const LEARN: Duration = Duration::from_secs(5);
/// Signals that wait for a database that is away. Beyond it the oldest are told.
const MAX_UNTOLD: usize = 1_000;

/// Ends silent conversations and records them. Tells the engine whether it may
/// claim to serve.
pub async fn sweep(engine: Arc<Engine>, writer: Writer, clock: Arc<Clock>) {
    let mut interval = tokio::time::interval(SWEEP);
    loop {
        interval.tick().await;
        engine.set_serving(writer.healthy());
        for record in engine.sweep(clock.now()) {
            // When there is no room, what is lost is a note about someone who
            // went away, and the counters still tell.
            let _ = writer.submit(record, Box::new(|_| {}));
        }
    }
}

/// What [`keep`] looks after.
#[derive(Debug)]
pub struct Keep {
    /// Where records lie.
    pub store: Store,
    /// What writes them.
    pub writer: Writer,
    /// The time.
    pub clock: Arc<Clock>,
    /// How long records are kept.
    pub retention: Retention,
    /// After which silence a session that never tells of itself has ended.
    pub silence: Duration,
}

/// Ends sessions that were silent for too long, and drops records that are too old.
pub async fn keep(keep: Keep) {
    let Keep { store, writer, clock, retention, silence } = keep;
    let mut interval = tokio::time::interval(SESSIONS);
    let mut retained = None;
    loop {
        interval.tick().await;
        let now = clock.now();
        writer.sweep_sessions(now, silence).await;
        if retained.is_none_or(|at| now.since(at) >= RETAIN) {
            retained = Some(now);
            match store.retain(&retention, now).await {
                Ok(dropped) => {
                    for partition in dropped {
                        tracing::info!(table = partition.table(), until = %partition.until, "records were dropped for their age");
                    }
                }
                Err(error) => tracing::warn!(%error, "old records could not be dropped"),
            }
        }
    }
}

/// Stores who asks and is no NAS, for the operator to adopt.
pub async fn note_unknown(engine: Arc<Engine>, store: Store) {
    let mut interval = tokio::time::interval(NOTE);
    loop {
        interval.tick().await;
        let unknown = engine.unknown_sources();
        if !unknown.is_empty()
            && let Err(error) = store.save_unknown(&unknown).await
        {
            tracing::warn!(%error, "who asks and is unknown could not be stored");
        }
    }
}

/// Stores how NASes behave, as far as they have asked since, and what was
/// unexpected about them.
pub async fn learn(engine: Arc<Engine>, store: Store) {
    let mut interval = tokio::time::interval(LEARN);
    let mut untold = Vec::new();
    // As many as are watched, at most.
    let mut unsaved = HashMap::new();
    loop {
        interval.tick().await;
        let news = engine.watch().news();
        untold.extend(news.signals);
        untold.truncate(MAX_UNTOLD);
        if !untold.is_empty() {
            match store.save_nas_signals(&untold).await {
                Ok(()) => untold.clear(),
                Err(error) => tracing::warn!(%error, "signals about NASes could not be stored yet"),
            }
        }
        unsaved.extend(news.behaviours.into_iter().map(|behaviour| (behaviour.address, behaviour)));
        if !unsaved.is_empty() {
            let all: Vec<Behaviour> = unsaved.values().cloned().collect();
            match store.save_behaviours(&all).await {
                Ok(()) => unsaved.clear(),
                Err(error) => tracing::debug!(%error, "how NASes behave could not be stored yet"),
            }
        }
    }
}
