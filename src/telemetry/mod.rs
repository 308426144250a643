//! What is counted and measured, each name said once.
//!
//! No label takes a value from the network: NAS names come from the
//! configuration, everything else from closed lists. A flood can thus raise
//! numbers but not the number of time series.

mod api;
mod changes;
mod discard;
pub mod otlp;
mod playbooks;
mod shared_signals;
pub mod trace;
mod webhooks;

pub use api::ApiMetrics;
pub use changes::ChangeMetrics;
pub use discard::{Discard, DiscardRow};
pub use playbooks::PlaybookMetrics;
pub use shared_signals::SharedSignalsMetrics;
pub use webhooks::WebhookMetrics;

use discard::Discards;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;

/// What every metric's name begins with.
const PREFIX: &str = "cordon";

/// The methods that have a label of their own; any other counts as "other".
const METHODS: &[&str] = &["eap-tls", "mab", "acl-download", "unknown"];

/// Buckets for the time to handle one request: 10 µs doubling up to 0.33 s. A
/// resumed login takes some 100 µs, and no request should take longer than the
/// last bucket.
const HANDLE_BUCKETS: (f64, f64, u16) = (10e-6, 2.0, 16);

/// Buckets for the time from a request to its reply: 50 µs doubling up to 3.3 s, when a NAS asks again.
const REPLY_BUCKETS: (f64, f64, u16) = (50e-6, 2.0, 17);

/// Buckets for the time of one commit: 100 µs doubling up to 3.3 s. A good disk
/// syncs in about 1 ms; a NAS retransmits after some 3 s.
const COMMIT_BUCKETS: (f64, f64, u16) = (100e-6, 2.0, 16);

/// Buckets for records in one commit: 1 doubling up to 4,096.
const BATCH_BUCKETS: (f64, f64, u16) = (1.0, 2.0, 13);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    outcome: &'static str,
    reason: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndingLabel {
    ending: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// What became of spans.
#[derive(Debug, Default)]
pub struct TraceMetrics(Family<ResultLabel, Counter>);

impl TraceMetrics {
    /// So many spans were "sent", "lost" since the collector did not take them, or "dropped" for want of room.
    pub fn spans(&self, result: &'static str, count: u64) {
        if count > 0 {
            self.0.get_or_create(&ResultLabel { result }).inc_by(count);
        }
    }
}

/// All counters and gauges of the process. Shared by reference; every method
/// may be called from any thread at any rate.
pub struct Metrics {
    registry: Registry,
    discards: Arc<Discards>,
    decisions: Family<DecisionLabels, Counter>,
    replies: Family<CodeLabel, Counter>,
    duplicates: Counter,
    conversations: Gauge,
    accounting: Family<StatusLabel, Counter>,
    handle: Family<KindLabel, Histogram, fn() -> Histogram>,
    reply: Family<CodeLabel, Histogram, fn() -> Histogram>,
    writer_depth: Gauge,
    writer_batch: Histogram,
    writer_commit: Histogram,
    writer_failures: Counter,
    store_behind: Gauge,
    store_batch: Histogram,
    store_commit: Histogram,
    store_failures: Counter,
    store_refused: Counter,
    connections: Family<StateLabel, Gauge>,
    connections_ended: Family<EndingLabel, Counter>,
    /// Of changes to sessions.
    pub changes: ChangeMetrics,
    /// Of playbooks.
    pub playbooks: PlaybookMetrics,
    /// Of Shared Signals.
    pub shared_signals: SharedSignalsMetrics,
    /// Of webhooks.
    pub webhooks: WebhookMetrics,
    /// Of the API.
    pub api: ApiMetrics,
    /// Of traces.
    pub traces: TraceMetrics,
}

impl Metrics {
    /// A fresh set, everything at zero.
    pub fn new() -> Self {
        let handle_histogram: fn() -> Histogram = || histogram(HANDLE_BUCKETS);
        let reply_histogram: fn() -> Histogram = || histogram(REPLY_BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix(PREFIX),
            discards: Arc::default(),
            decisions: Family::default(),
            replies: Family::default(),
            duplicates: Counter::default(),
            conversations: Gauge::default(),
            accounting: Family::default(),
            handle: Family::new_with_constructor(handle_histogram),
            reply: Family::new_with_constructor(reply_histogram),
            writer_depth: Gauge::default(),
            writer_batch: histogram(BATCH_BUCKETS),
            writer_commit: histogram(COMMIT_BUCKETS),
            writer_failures: Counter::default(),
            store_behind: Gauge::default(),
            store_batch: histogram(BATCH_BUCKETS),
            store_commit: histogram(COMMIT_BUCKETS),
            store_failures: Counter::default(),
            store_refused: Counter::default(),
            connections: Family::default(),
            connections_ended: Family::default(),
            changes: ChangeMetrics::default(),
            playbooks: PlaybookMetrics::default(),
            shared_signals: SharedSignalsMetrics::default(),
            webhooks: WebhookMetrics::default(),
            api: ApiMetrics::default(),
            traces: TraceMetrics::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register_collector(Box::new(Arc::clone(&self.discards)));
        r.register("decisions", "Attempts that were decided", self.decisions.clone());
        r.register("radius_replies", "Replies that were sent, with those to retransmissions", self.replies.clone());
        r.register(
            "radius_duplicates",
            "Retransmissions that were answered with the same reply",
            self.duplicates.clone(),
        );
        r.register("conversations", "EAP conversations in progress", self.conversations.clone());
        r.register("accounting_records", "Accounting-Requests that were accepted for storing", self.accounting.clone());
        r.register_with_unit("radius_handle", "Own work for one request", Unit::Seconds, self.handle.clone());
        let help =
            "Time from a request to its reply, until what it tells is durable; that rejects are held back is not in it";
        r.register_with_unit("radius_reply", help, Unit::Seconds, self.reply.clone());
        r.register("journal_depth", "Records that are not durable yet", self.writer_depth.clone());
        r.register("journal_batch_records", "Records made durable at once", self.writer_batch.clone());
        r.register_with_unit("journal_write", "Time to make them durable", Unit::Seconds, self.writer_commit.clone());
        r.register("journal_failures", "Writes of the journal that failed", self.writer_failures.clone());
        r.register("store_behind", "Durable records that are not in the database yet", self.store_behind.clone());
        r.register("store_batch_records", "Records in one transaction", self.store_batch.clone());
        r.register_with_unit("store_commit", "Time of one transaction", Unit::Seconds, self.store_commit.clone());
        r.register("store_failures", "Transactions that failed and are tried again", self.store_failures.clone());
        r.register("store_refused", "Records that the database will not take", self.store_refused.clone());
        r.register("radsec_connections", "TLS connections of NASes that are open", self.connections.clone());
        r.register("radsec_connections_ended", "TLS connections that have ended", self.connections_ended.clone());
        self.changes.register(r);
        self.playbooks.register(r);
        self.shared_signals.register(r);
        self.webhooks.register(r);
        self.api.register(r);
        r.register("trace_spans", "Spans of traces, by what became of them", self.traces.0.clone());
    }

    /// Counts a datagram that was dropped without an answer. `nas` is a name
    /// from the configuration, or `None` when the source is not a known NAS.
    pub fn discarded(&self, nas: Option<&str>, reason: Discard, source: IpAddr, now: Timestamp) {
        if self.discards.count(nas, reason, source, now) {
            let nas = nas.unwrap_or("unknown");
            tracing::warn!(nas, %source, reason = reason.code(), "no answer: {} {}", reason.cause(), reason.remedy());
        }
    }

    /// Counts a TLS connection that was refused or cut, and says what was found in
    /// `detail`. Use as [`Metrics::discarded`].
    pub fn cut(&self, nas: Option<&str>, reason: Discard, source: IpAddr, detail: &str, now: Timestamp) {
        if self.discards.count(nas, reason, source, now) {
            let nas = nas.unwrap_or("unknown");
            let (cause, remedy) = (reason.cause(), reason.remedy());
            tracing::warn!(nas, %source, reason = reason.code(), detail, "no connection: {cause} {remedy}");
        } else {
            tracing::debug!(nas, %source, reason = reason.code(), detail, "no connection");
        }
    }

    /// Says how many TLS connections are in a `state`: "handshake", "radius_1_0" or
    /// "radius_1_1".
    pub fn set_connections(&self, state: &'static str, count: usize) {
        self.connections.get_or_create(&StateLabel { state }).set(count as i64);
    }

    /// Counts a TLS connection that has ended, by the code of how it did.
    pub fn connection_ended(&self, ending: &'static str) {
        self.connections_ended.get_or_create(&EndingLabel { ending }).inc();
    }

    /// What was discarded so far, ordered by NAS and reason; only what happened at least once.
    pub fn discards(&self) -> Vec<DiscardRow> {
        self.discards.rows()
    }

    /// Counts a decision; `outcome` and `reason` are codes of the closed lists in `audit`.
    pub fn decided(&self, outcome: &'static str, reason: &'static str, method: &str) {
        let method = METHODS.iter().copied().find(|m| *m == method).unwrap_or("other");
        self.decisions.get_or_create(&DecisionLabels { outcome, reason, method }).inc();
    }

    /// Counts a reply by the name of its packet code, such as "Access-Accept", `time` after its request.
    pub fn replied(&self, code: &'static str, time: Duration) {
        let label = CodeLabel { code };
        self.replies.get_or_create(&label).inc();
        self.reply.get_or_create(&label).observe(time.as_secs_f64());
    }

    /// Counts a retransmission that was answered from the duplicate cache.
    pub fn duplicate(&self) {
        self.duplicates.inc();
    }

    /// Says how many EAP conversations are in progress.
    pub fn set_conversations(&self, count: usize) {
        self.conversations.set(count as i64);
    }

    /// Counts an accounting record by its status, such as "start".
    pub fn accounted(&self, status: &'static str) {
        self.accounting.get_or_create(&StatusLabel { status }).inc();
    }

    /// Records how long this server worked on one request of a `kind` such as
    /// "eap", "mab" or "accounting", without waiting for peer or disk.
    pub fn handled(&self, kind: &'static str, time: Duration) {
        self.handle.get_or_create(&KindLabel { kind }).observe(time.as_secs_f64());
    }

    /// Records one transaction of the database.
    pub fn stored(&self, records: usize, time: Duration) {
        self.store_batch.observe(records as f64);
        self.store_commit.observe(time.as_secs_f64());
    }

    /// Counts a transaction that failed and is tried again.
    pub fn store_failed(&self) {
        self.store_failures.inc();
    }

    /// Counts a record that the database will not take.
    pub fn record_refused(&self) {
        self.store_refused.inc();
    }

    /// Says how many durable records are not in the database yet.
    pub fn set_store_behind(&self, records: u64) {
        self.store_behind.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Records one write of the journal.
    pub fn committed(&self, records: usize, time: Duration) {
        self.writer_batch.observe(records as f64);
        self.writer_commit.observe(time.as_secs_f64());
    }

    /// Counts a write of the journal that failed.
    pub fn commit_failed(&self) {
        self.writer_failures.inc();
    }

    /// Says how many records wait for the journal.
    pub fn set_writer_depth(&self, records: usize) {
        self.writer_depth.set(records as i64);
    }

    /// All metrics in the OpenMetrics text format, which Prometheus reads.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Only a formatter can fail here, and writing to a String cannot.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

fn histogram((start, factor, length): (f64, f64, u16)) -> Histogram {
    Histogram::new(exponential_buckets(start, factor, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_counted_is_shown() {
        let m = Metrics::new();
        m.discarded(Some("sw1"), Discard::WrongSecret, IpAddr::from([192, 0, 2, 1]), Timestamp::from_unix_secs(1));
        m.decided("accept", "accepted", "eap-tls");
        m.decided("reject", "mac_unknown", "a method \"nobody\" knows");
        m.replied("Access-Accept", Duration::from_millis(3));
        m.api.answered("GET", "/api/v1/decisions/{id}", 404, Duration::from_millis(2));
        m.api.answered("BREW", "(none)", 405, Duration::from_millis(2));
        m.traces.spans("sent", 5);
        m.duplicate();
        m.set_conversations(3);
        m.accounted("start");
        m.handled("mab", Duration::from_micros(15));
        m.committed(7, Duration::from_millis(2));
        m.set_writer_depth(4);
        m.set_connections("radius_1_1", 2);
        m.connection_ended("idle");
        m.changes.asked("disconnect", "ack");
        m.changes.over("done", Some(Duration::from_millis(300)));
        m.changes.ignored("wrong_authenticator");
        m.changes.late();
        m.changes.set(1, 2);
        m.playbooks.run("injected", "held");
        m.playbooks.step("revoke", false);
        m.playbooks.dropped("open_runs", 3);
        m.playbooks.set_open(&[("held", 4)], 1);
        m.playbooks.set_stopped(true);
        let text = m.encode();
        for line in [
            "cordon_radius_discarded_total{nas=\"sw1\",reason=\"wrong_secret\"} 1",
            "cordon_decisions_total{outcome=\"accept\",reason=\"accepted\",method=\"eap-tls\"} 1",
            "cordon_decisions_total{outcome=\"reject\",reason=\"mac_unknown\",method=\"other\"} 1",
            "cordon_radius_replies_total{code=\"Access-Accept\"} 1",
            "cordon_radius_reply_seconds_count{code=\"Access-Accept\"} 1",
            "cordon_api_requests_total{method=\"GET\",path=\"/api/v1/decisions/{id}\",status=\"404\"} 1",
            "cordon_api_requests_total{method=\"other\",path=\"(none)\",status=\"405\"} 1",
            "cordon_api_request_seconds_count{method=\"GET\",path=\"/api/v1/decisions/{id}\"} 1",
            "cordon_trace_spans_total{result=\"sent\"} 5",
            "cordon_radius_duplicates_total 1",
            "cordon_conversations 3",
            "cordon_accounting_records_total{status=\"start\"} 1",
            "cordon_radius_handle_seconds_count{kind=\"mab\"} 1",
            "cordon_journal_batch_records_sum 7.0",
            "cordon_journal_write_seconds_count 1",
            "cordon_journal_depth 4",
            "cordon_radsec_connections{state=\"radius_1_1\"} 2",
            "cordon_radsec_connections_ended_total{ending=\"idle\"} 1",
            "cordon_change_requests_total{change=\"disconnect\",result=\"ack\"} 1",
            "cordon_changes_total{ending=\"done\"} 1",
            "cordon_change_ignored_datagrams_total{why=\"wrong_authenticator\"} 1",
            "cordon_change_late_answers_total 1",
            "cordon_changes_in_flight 1",
            "cordon_changes_pending 2",
            "cordon_change_latency_seconds_count 1",
            "cordon_playbook_runs_total{playbook=\"injected\",outcome=\"held\"} 1",
            "cordon_playbook_steps_total{step=\"revoke\",result=\"failed\"} 1",
            "cordon_playbook_dropped_total{limit=\"open_runs\"} 3",
            "cordon_playbook_runs_open{state=\"held\"} 4",
            "cordon_playbook_runs_orphaned 1",
            "cordon_playbooks_stopped 1",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
