//! Work that comes round: once a second, what has gone silent is ended.

use crate::access::Engine;
use crate::store::writer::Writer;
use crate::transport::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// How often conversations and duplicates are looked over.
const SWEEP: Duration = Duration::from_secs(1);

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
