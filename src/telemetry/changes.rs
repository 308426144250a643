//! Changes to sessions, counted.

use super::histogram;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Buckets from what calls for a change to the NAS's answer: 10 ms doubling up to
/// 11 minutes. Two seconds are the promise for one session; a wave takes longer.
const BUCKETS: (f64, f64, u16) = (0.01, 2.0, 17);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    change: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndingLabel {
    ending: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

/// What is counted of changes. All labels are of closed lists.
#[derive(Debug)]
pub struct ChangeMetrics {
    requests: Family<RequestLabels, Counter>,
    endings: Family<EndingLabel, Counter>,
    ignored: Family<WhyLabel, Counter>,
    late: Counter,
    in_flight: Gauge,
    pending: Gauge,
    latency: Histogram,
}

impl Default for ChangeMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            endings: Family::default(),
            ignored: Family::default(),
            late: Counter::default(),
            in_flight: Gauge::default(),
            pending: Gauge::default(),
            latency: histogram(BUCKETS),
        }
    }
}

impl ChangeMetrics {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "change_requests",
            "Requests to NASes to change a session, by what came of them",
            self.requests.clone(),
        );
        r.register("changes", "Changes to sessions that are over, by how they ended", self.endings.clone());
        r.register("change_ignored_datagrams", "Datagrams from NASes that are no answer", self.ignored.clone());
        r.register("change_late_answers", "Answers of NASes after they had been given up", self.late.clone());
        r.register("changes_in_flight", "Changes whose NAS is being asked", self.in_flight.clone());
        r.register("changes_pending", "Changes that are to be made", self.pending.clone());
        r.register_with_unit(
            "change_latency",
            "From what calls for a change to the answer of the NAS that made it",
            Unit::Seconds,
            self.latency.clone(),
        );
    }

    /// One request is over; both are codes of closed lists.
    pub fn asked(&self, change: &'static str, result: &'static str) {
        self.requests.get_or_create(&RequestLabels { change, result }).inc();
    }

    /// One change is over; `latency` is told of those that were made.
    pub fn over(&self, ending: &'static str, latency: Option<Duration>) {
        self.endings.get_or_create(&EndingLabel { ending }).inc();
        if let Some(latency) = latency {
            self.latency.observe(latency.as_secs_f64());
        }
    }

    /// A datagram was no answer.
    pub fn ignored(&self, why: &'static str) {
        self.ignored.get_or_create(&WhyLabel { why }).inc();
    }

    /// An answer came too late.
    pub fn late(&self) {
        self.late.inc();
    }

    /// How many there are now.
    pub fn set(&self, in_flight: usize, pending: u64) {
        self.in_flight.set(in_flight as i64);
        self.pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
    }
}
