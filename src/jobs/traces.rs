//! Sends traces to a collector, by OTLP over HTTP.
//!
//! What it does not take in a few attempts is lost, and counted: a trace is worth less than memory.

use crate::telemetry::Metrics;
use crate::telemetry::otlp::request;
use crate::telemetry::trace::{Tracer, Value};
use crate::transport::https::{FetchError, status_of};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How often spans are sent.
const EACH: Duration = Duration::from_secs(1);
/// Spans in one request: a quarter of a MiB.
const BATCH: usize = 512;
/// How often one request is sent before it is given up, a second and then twice as long after each.
const ATTEMPTS: u32 = 4;
/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers that ask for another attempt (OTLP specification, "Retryable Response Codes").
const LATER: [u16; 4] = [429, 502, 503, 504];

/// Sends what a tracer takes in.
#[derive(Debug)]
pub struct Exporter {
    tracer: Tracer,
    url: reqwest::Url,
    client: reqwest::Client,
    metrics: Arc<Metrics>,
    /// What every trace says of the server.
    server: Vec<(&'static str, Value)>,
    failing: AtomicBool,
}

impl Exporter {
    /// One that sends to `url` what `tracer` takes in on the host of that name.
    pub fn new(
        tracer: Tracer,
        url: reqwest::Url,
        client: reqwest::Client,
        host: String,
        metrics: Arc<Metrics>,
    ) -> Exporter {
        let server = vec![
            ("service.name", Value::from("cordon")),
            ("service.version", env!("CARGO_PKG_VERSION").into()),
            ("host.name", host.into()),
        ];
        Exporter { tracer, url, client, metrics, server, failing: AtomicBool::new(false) }
    }

    /// Runs until the server ends.
    pub async fn run(self: Arc<Self>) {
        loop {
            sleep(EACH).await;
            self.send_all(ATTEMPTS).await;
        }
    }

    /// Sends what is left, if that goes quickly: the server stops.
    pub async fn flush(&self, patience: Duration) {
        // What is not sent by then is lost, as anything else that is not sent.
        let _ = timeout(patience, self.send_all(1)).await;
    }

    async fn send_all(&self, attempts: u32) {
        loop {
            self.metrics.traces.spans("dropped", self.tracer.take_dropped());
            let spans = self.tracer.take(BATCH);
            if spans.is_empty() {
                return;
            }
            let body = request(&spans, &self.server);
            let result = if self.send(body, attempts).await { "sent" } else { "lost" };
            self.metrics.traces.spans(result, spans.len() as u64);
        }
    }

    /// Whether it was taken.
    async fn send(&self, body: Vec<u8>, attempts: u32) -> bool {
        for attempt in 0..attempts {
            let error = match self.once(body.clone()).await {
                Ok(200..300) => {
                    if self.failing.swap(false, Ordering::Relaxed) {
                        tracing::info!("the collector takes traces again");
                    }
                    return true;
                }
                Ok(status) if LATER.contains(&status) => format!("it answered {status}"),
                Ok(status) => {
                    self.fails(&format!("it answered {status}"));
                    return false;
                }
                Err(error) => error.to_string(),
            };
            self.fails(&error);
            if attempt + 1 < attempts {
                sleep(EACH * 2_u32.saturating_pow(attempt)).await;
            }
        }
        false
    }

    async fn once(&self, body: Vec<u8>) -> Result<u16, FetchError> {
        let request = self.client.post(self.url.clone()).timeout(PATIENCE);
        status_of(request.header("content-type", "application/x-protobuf").body(body)).await
    }

    fn fails(&self, error: &str) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(error, url = %self.url, "the collector takes no traces; they are lost meanwhile, and counted");
        }
    }
}
