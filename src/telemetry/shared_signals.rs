//! Events of Shared Signals, counted.

use super::ResultLabel;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What is counted of events that others tell, and that are told to others. All labels are of closed lists.
#[derive(Debug, Default)]
pub struct SharedSignalsMetrics {
    received: Family<ResultLabel, Counter>,
    unmatched: Family<ResultLabel, Counter>,
    sent: Family<ResultLabel, Counter>,
}

impl SharedSignalsMetrics {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("ssf_received", "Events that others told, by what came of them", self.received.clone());
        let help = "Events that others told of nobody who is known, or of somebody who cannot be told from others";
        r.register("ssf_unmatched", help, self.unmatched.clone());
        r.register("ssf_sent", "Attempts to tell events to others, by what came of them", self.sent.clone());
    }

    /// An event came in: "acted", "acknowledged", "repeated", "unavailable", or the code of RFC 8935 that it was refused with.
    pub fn received(&self, result: &'static str) {
        self.received.get_or_create(&ResultLabel { result }).inc();
    }

    /// An event that was acted on is about nobody: "unknown", or "ambiguous" where several have that name.
    pub fn unmatched(&self, result: &'static str) {
        self.unmatched.get_or_create(&ResultLabel { result }).inc();
    }

    /// An event was told: "taken", "left_out", "again" or "dead".
    pub fn sent(&self, result: &'static str) {
        self.sent.get_or_create(&ResultLabel { result }).inc();
    }
}
