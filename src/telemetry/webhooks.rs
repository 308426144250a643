//! Deliveries to webhooks, counted.

use super::{ResultLabel, histogram};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Buckets for the time of one attempt: 1 ms doubling up to 16 s, which no attempt takes.
const BUCKETS: (f64, f64, u16) = (1e-3, 2.0, 15);

/// What is counted of webhooks. All labels are of closed lists.
#[derive(Debug)]
pub struct WebhookMetrics {
    attempts: Family<ResultLabel, Counter>,
    dropped: Counter,
    waiting: Gauge,
    time: Histogram,
}

impl Default for WebhookMetrics {
    fn default() -> Self {
        Self {
            attempts: Family::default(),
            dropped: Counter::default(),
            waiting: Gauge::default(),
            time: histogram(BUCKETS),
        }
    }
}

impl WebhookMetrics {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("webhook_attempts", "Attempts to deliver to webhooks, by what came of them", self.attempts.clone());
        r.register("webhook_dropped", "Messages that the queue of a webhook had no room for", self.dropped.clone());
        r.register("webhook_waiting", "Deliveries that wait, of all webhooks", self.waiting.clone());
        r.register_with_unit("webhook_attempt", "Time of one attempt", Unit::Seconds, self.time.clone());
    }

    /// One attempt is over: `result` is "taken", "again" or "dead".
    pub fn tried(&self, result: &'static str) {
        self.attempts.get_or_create(&ResultLabel { result }).inc();
    }

    /// So long it took.
    pub fn took(&self, time: Duration) {
        self.time.observe(time.as_secs_f64());
    }

    /// How many wait now, and how many were dropped since this was told last.
    pub fn set(&self, waiting: u64, dropped: u64) {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.dropped.inc_by(dropped);
    }
}
