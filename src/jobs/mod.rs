//! Work that comes round: what has gone silent is ended; who asks and is unknown
//! is stored, and so is how NASes behave.

pub mod asked;
pub mod audit;
pub mod changes;
pub mod containments;
pub mod own_ca;
pub mod playbooks;
pub mod posture;
pub mod reevaluate;
pub mod shared_signals;
pub mod signals;
pub mod traces;
pub mod webhooks;

use crate::access::Engine;
use crate::inventory::behaviour::Behaviour;
use crate::store::Store;
use crate::store::partition::Retention;
use crate::store::writer::Writer;
use crate::time::Timestamp;
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

/// A clock that was set by more than this is wrong now, or was before.
const STEP: Duration = Duration::from_secs(3600);
/// How long it must go on without another step until it is believed: what is dropped
/// for its age does not come back.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

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

/// Whether the clock is to be believed. That of the start is.
#[derive(Debug, Default)]
struct Doubt {
    /// What the clock said last, and how long after the start that was.
    last: Option<(Timestamp, Duration)>,
    /// When it was set last.
    set: Option<Duration>,
}

impl Doubt {
    /// Whether the time `now` is to be believed, so long after the start.
    fn believes(&mut self, now: Timestamp, since_start: Duration) -> bool {
        if let Some((told, then)) = self.last.replace((now, since_start)) {
            let expected = told + since_start.saturating_sub(then);
            if now.since(expected).max(expected.since(now)) > STEP {
                tracing::warn!(%expected, %now, "the clock was set: nothing is dropped for its age for a day");
                self.set = Some(since_start);
            }
        }
        self.set.is_none_or(|set| since_start.saturating_sub(set) >= BELIEVED)
    }
}

/// Ends sessions that were silent for too long, and drops records that are too old.
pub async fn keep(keep: Keep) {
    let Keep { store, writer, clock, retention, silence } = keep;
    let mut interval = tokio::time::interval(SESSIONS);
    let mut retained: Option<Timestamp> = None;
    let (started, mut doubt) = (tokio::time::Instant::now(), Doubt::default());
    loop {
        interval.tick().await;
        let now = clock.now();
        let believed = doubt.believes(now, started.elapsed());
        writer.sweep_sessions(now, silence).await;
        if believed && retained.is_none_or(|at| at > now || now.since(at) >= RETAIN) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_not_believed_for_a_day() {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        let (start, year) = (Timestamp::from_unix_secs(1_767_225_600), hours(365 * 24));
        let mut doubt = Doubt::default();
        assert!(doubt.believes(start, hours(0)) && doubt.believes(start + hours(2), hours(2)));
        assert!(!doubt.believes(start + year, hours(3)), "a year ahead");
        assert!(!doubt.believes(start + hours(4), hours(4)), "and back");
        assert!(!doubt.believes(start + hours(27), hours(27)));
        assert!(doubt.believes(start + hours(28), hours(28)));
    }
}
