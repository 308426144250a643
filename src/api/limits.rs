//! Nobody asks so much that others wait: a bucket of requests for each who is known.

use super::caller::Means;
use super::problem::Problem;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Requests a second that go on for ever: far more than a console or a script asks, and a fraction of what the server
/// answers.
const RATE: f64 = 500.0;
/// Requests that may come at once.
const BURST: f64 = 2_000.0;
/// Callers that are told apart. Who has a full bucket is forgotten first.
const MOST: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn filled(self, now: Timestamp) -> f64 {
        (self.left + now.since(self.at).as_secs_f64() * RATE).min(BURST)
    }
}

/// The buckets.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<HashMap<Means, Bucket>>);

impl Limits {
    /// Takes one request out of a caller's bucket.
    ///
    /// # Errors
    /// When it is empty.
    pub(super) fn take(&self, who: Means, now: Timestamp) -> Result<(), Problem> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| bucket.filled(now) < BURST);
        }
        let bucket = buckets.entry(who).or_insert(Bucket { left: BURST, at: now });
        let left = bucket.filled(now);
        if left < 1.0 {
            let detail = format!("more than {RATE} requests a second: use bulk forms and exports, or ask more slowly");
            return Err(Problem::too_many(detail, Duration::from_secs(1)));
        }
        *bucket = Bucket { left: left - 1.0, at: now };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_runs_dry_and_fills_again_for_each_alone() {
        let (limits, at) = (Limits::default(), |millis: i64| Timestamp::from_micros(millis * 1_000));
        let mut taken = 0;
        while limits.take(Means::RootToken, at(0)).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, BURST as usize);
        let other = Means::Token(crate::ids::TokenId::new(at(0)));
        assert!(limits.take(other, at(0)).is_ok());
        assert!(limits.take(Means::RootToken, at(1)).is_err());
        assert!(limits.take(Means::RootToken, at(5)).is_ok());
    }
}
