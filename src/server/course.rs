//! How a request went: counted always, and told as a trace where that is wanted.
//!
//! A login is one trace: a span for the whole, one below for each of its requests, one below that for what waits for the
//! disk. What its requests have in common is the State attribute; a digest of it names the trace.

use crate::radius::attribute::STATE;
use crate::radius::packet::{Code, Packet};
use crate::store::writer::Record;
use crate::telemetry::Metrics;
use crate::telemetry::trace::{Span, Trace, Tracer};
use crate::time::Timestamp;
use std::net::IpAddr;
use std::time::Duration;

/// One request on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    source: IpAddr,
    code: Code,
    began: Timestamp,
    /// When its reply was made.
    worked: Timestamp,
    /// When it is told, of which trace it is.
    trace: Option<Trace>,
}

impl Course {
    /// A request, if it was one, which came at `began` and was worked on until `worked`, when there was a `reply`.
    pub(super) fn new(
        (metrics, tracer): (&Metrics, &Tracer),
        packet: Option<Packet<'_>>,
        source: IpAddr,
        (began, worked): (Timestamp, Timestamp),
        reply: Option<&[u8]>,
    ) -> Course {
        let code = packet.map_or(Code::Unknown(0), |packet| packet.code());
        metrics.handled(kind(packet, code), worked.since(began));
        let trace = reply.and_then(|reply| trace(tracer, packet?, reply));
        Course { source, code, began, worked, trace }
    }

    /// What was to be recorded about it first: as much of it as is told.
    pub(super) fn recorded(&self, record: &Record) -> Option<Box<Recorded>> {
        let trace = self.trace?;
        let Record::Decision(d) = record else { return None };
        let name = format!("login {}", d.method);
        let whole = Span {
            id: trace.above,
            parent: None,
            served: true,
            ..Span::below(trace, name, d.at - Duration::from_micros(d.duration_us), d.at)
        };
        let whole = whole
            .with("cordon.decision.id", d.id.to_string())
            .with("cordon.outcome", d.outcome.code())
            .with("cordon.reason", d.reason.code())
            .with("cordon.nas", d.nas_name.clone())
            .with("cordon.rounds", i64::from(d.rounds));
        Some(Box::new(Recorded { whole }))
    }

    /// Its reply leaves at `now`, or would if it were not held back.
    pub(super) fn replied(&self, metrics: &Metrics, reply: &[u8], now: Timestamp) {
        metrics.replied(name_of(reply), now.since(self.began));
    }

    /// It is over at `now`: with this reply, if there was one; after waiting for the disk, if there was a `record`.
    pub(super) fn over(
        &self,
        tracer: &Tracer,
        reply: Option<&[u8]>,
        waited: bool,
        whole: Option<Box<Recorded>>,
        now: Timestamp,
    ) {
        let Some(trace) = self.trace else { return };
        let mut span = Span::below(trace, self.code.name().unwrap_or("unknown"), self.began, now)
            .with("client.address", self.source.to_string());
        // What is no login has nothing above it.
        span.parent = span.parent.filter(|_| self.code == Code::AccessRequest);
        span.served = true;
        match reply {
            Some(reply) => span = span.with("radius.reply", name_of(reply)),
            None => span.failed = true,
        }
        if waited {
            tracer.record(Span::below(span.trace(), "journal", self.worked, now));
        }
        tracer.record(span);
        if let Some(recorded) = whole {
            let mut whole = recorded.whole;
            whole.ended = whole.ended.max(now);
            tracer.record(whole);
        }
    }
}

/// What a record tells of a whole login.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    whole: Span,
}

/// A kind of requests, out of a closed list.
fn kind(packet: Option<Packet<'_>>, code: Code) -> &'static str {
    match code {
        Code::AccessRequest if packet.is_some_and(|packet| packet.eap_message().is_some()) => "eap",
        Code::AccessRequest => "mab",
        Code::AccountingRequest => "accounting",
        Code::StatusServer => "status",
        _ => "other",
    }
}

/// Of which trace a request is: of that which its State names, or else that of its reply.
fn trace(tracer: &Tracer, packet: Packet<'_>, reply: &[u8]) -> Option<Trace> {
    let answered = Packet::parse(reply).ok();
    match packet.find(STATE).or_else(|| answered?.find(STATE)) {
        Some(state) => tracer.of(state),
        // What has one round only.
        None => tracer.alone(),
    }
}

fn name_of(reply: &[u8]) -> &'static str {
    reply.first().and_then(|code| Code::from(*code).name()).unwrap_or("other")
}
