//! The clock. Everything else is told the time.

use crate::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How far the wall clock may run away from the monotonic one before it is
/// believed, in microseconds: NTP slews stay below, a set clock does not.
const STEP_MICROS: i64 = 500_000;

/// Wall-clock time that does not jump backwards while it is slewed, and follows
/// when it is set.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// Wall-clock microseconds at `started`.
    offset: AtomicI64,
}

impl Clock {
    /// Starts at the system's time.
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Self {
        Self { started: Instant::now(), offset: AtomicI64::new(wall_micros()) }
    }

    /// The time now.
    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let steady = self.offset.load(Ordering::Relaxed).saturating_add(elapsed);
        let wall = wall_micros();
        if (wall - steady).abs() > STEP_MICROS {
            self.offset.store(wall - elapsed, Ordering::Relaxed);
            return Timestamp::from_micros(wall);
        }
        Timestamp::from_micros(steady)
    }
}

#[allow(clippy::disallowed_methods)]
fn wall_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}
