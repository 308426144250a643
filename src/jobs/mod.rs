//! Work that comes round: what has gone silent is ended, who asks and is unknown
//! is stored.

use crate::access::Engine;
use crate::store::Store;
use crate::store::writer::Writer;
use crate::transport::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// How often conversations and duplicates are looked over.
const SWEEP: Duration = Duration::from_secs(1);
/// How often addresses that ask and are no NAS are stored: often enough for who
/// waits for a new switch to appear, seldom enough for a flood to cost little.
const NOTE: Duration = Duration::from_secs(2);

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
