//! Nobody asks so much that others wait: a bucket of requests for each who is known, and one of failures for each
//! address.

use super::problem::Problem;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What goes on for ever, and what may come at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    per_second: f64,
    burst: f64,
}

/// Requests of one caller: far more than a console or a script asks, and a fraction of what the server answers.
pub(super) const REQUESTS: Rate = Rate { per_second: 500.0, burst: 2_000.0 };
/// Tokens from one address that open nothing: each is a look into the database.
pub(super) const FAILURES: Rate = Rate { per_second: 5.0, burst: 50.0 };
/// Requests of one endpoint for itself: what changes is told at once, and more is a fault of its own.
pub(super) const REPORTS: Rate = Rate { per_second: 5.0, burst: 100.0 };
/// Looks at the page for endpoints by one ticket: it looks by itself every five seconds, and each look reads the database.
pub(super) const GUESTS: Rate = Rate { per_second: 1.0, burst: 20.0 };
/// Sign-ins by passkey or provider that are begun from one address, and fail. They are apart from [`FAILURES`]: nothing in
/// them can be guessed, so whoever guesses at the rest keeps nobody out here.
pub(super) const CEREMONIES: Rate = Rate { per_second: 2.0, burst: 50.0 };
/// Events that one transmitter of Shared Signals pushes: what a directory of a campus tells on its worst day.
pub(super) const EVENTS: Rate = Rate { per_second: 50.0, burst: 1_000.0 };
/// Buckets. Who has a full one is forgotten first; beyond, nobody new gets one.
const MOST: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

/// The buckets.
#[derive(Debug)]
pub(super) struct Limits<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Hash + Eq> Limits<K> {
    /// Buckets of this rate.
    pub(super) fn new(rate: Rate) -> Limits<K> {
        Limits { rate, buckets: Mutex::default() }
    }

    fn filled(&self, bucket: Bucket, now: Timestamp) -> f64 {
        (bucket.left + now.since(bucket.at).as_secs_f64() * self.rate.per_second).min(self.rate.burst)
    }

    /// Takes one out of somebody's bucket.
    ///
    /// # Errors
    /// When it is empty.
    pub(super) fn take(&self, who: K, now: Timestamp) -> Result<(), Problem> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| self.filled(*bucket, now) < self.rate.burst);
        }
        if buckets.len() >= MOST && !buckets.contains_key(&who) {
            return Err(self.empty());
        }
        let bucket = buckets.entry(who).or_insert(Bucket { left: self.rate.burst, at: now });
        let left = self.filled(*bucket, now);
        if left < 1.0 {
            return Err(self.empty());
        }
        *bucket = Bucket { left: left - 1.0, at: now };
        Ok(())
    }

    /// Whether there is something left in somebody's bucket; nothing is taken.
    ///
    /// # Errors
    /// When it is empty.
    pub(super) fn check(&self, who: &K, now: Timestamp) -> Result<(), Problem> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get(who) {
            Some(bucket) if self.filled(*bucket, now) < 1.0 => Err(self.empty()),
            _ => Ok(()),
        }
    }

    fn empty(&self) -> Problem {
        let detail = format!(
            "more than {} a second: use bulk forms and exports, ask more slowly, or correct the token",
            self.rate.per_second
        );
        Problem::too_many(detail, Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_runs_dry_and_fills_again_for_each_alone() {
        let (limits, at) = (Limits::new(REQUESTS), |millis: i64| Timestamp::from_micros(millis * 1_000));
        let mut taken = 0;
        while limits.take("anna", at(0)).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, REQUESTS.burst as usize);
        assert!(limits.check(&"anna", at(0)).is_err() && limits.check(&"ben", at(0)).is_ok());
        assert!(limits.take("ben", at(0)).is_ok());
        assert!(limits.take("anna", at(1)).is_err());
        assert!(limits.take("anna", at(5)).is_ok());
    }
}
