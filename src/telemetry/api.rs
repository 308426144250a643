//! Requests of the API, counted and timed.

use super::histogram;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Buckets for the time of one request: 1 ms doubling up to 65 s, which none takes.
const BUCKETS: (f64, f64, u16) = (1e-3, 2.0, 17);
/// The methods that have a label of their own; any other counts as "other".
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    method: &'static str,
    path: String,
    status: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    path: String,
}

/// What is counted of the API. Paths are the patterns of routes, of which there is a closed list.
#[derive(Debug)]
pub struct ApiMetrics {
    requests: Family<AnswerLabels, Counter>,
    time: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

impl Default for ApiMetrics {
    fn default() -> Self {
        Self { requests: Family::default(), time: Family::new_with_constructor(|| histogram(BUCKETS)) }
    }
}

impl ApiMetrics {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("api_requests", "Requests of the API that were answered", self.requests.clone());
        let help = "Time until an answer begins; a stream goes on";
        r.register_with_unit("api_request", help, Unit::Seconds, self.time.clone());
    }

    /// A request to the route with the pattern `path` was answered.
    pub fn answered(&self, method: &str, path: &str, status: u16, time: Duration) {
        let method = METHODS.iter().copied().find(|known| *known == method).unwrap_or("other");
        let answer = AnswerLabels { method, path: path.to_owned(), status: status.into() };
        self.requests.get_or_create(&answer).inc();
        let route = RouteLabels { method, path: answer.path };
        self.time.get_or_create(&route).observe(time.as_secs_f64());
    }
}
