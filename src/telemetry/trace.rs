//! Traces: how long each part of a login and of a request of the API took, for those who collect that.
//!
//! Off unless the configuration says otherwise, and then this costs a branch. Spans wait in memory for somebody to send
//! them; there is a bound, and what finds no room is dropped and counted.

use crate::random::random;
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Spans that wait, of about half a KiB each: those of a thousand logins.
const MAX_WAITING: usize = 16_384;
/// The version of `traceparent` that is understood (W3C Trace Context, section 3.2).
const VERSION: &str = "00";

/// Names a trace.
pub type TraceId = [u8; 16];
/// Names a span.
pub type SpanId = [u8; 8];

/// The trace that a span belongs to, and what is above it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// The span above.
    pub above: SpanId,
}

/// What is said of a span.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Words.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(number)
    }
}

/// Something that took time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Of which trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// The span above; none for a whole.
    pub parent: Option<SpanId>,
    /// What was done, out of a closed list.
    pub name: Cow<'static, str>,
    /// Whether somebody else asked for it.
    pub served: bool,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What is said of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Whether it came to nothing, through a fault of ours.
    pub failed: bool,
}

impl Span {
    /// A span below `trace`.
    pub fn below(trace: Trace, name: impl Into<Cow<'static, str>>, began: Timestamp, ended: Timestamp) -> Span {
        Span {
            trace: trace.id,
            // An id of zeros is none, and the receiver says so: the system gives random numbers.
            id: random().unwrap_or_default(),
            parent: Some(trace.above).filter(|above| *above != SpanId::default()),
            name: name.into(),
            served: false,
            began,
            ended,
            attributes: Vec::new(),
            failed: false,
        }
    }

    /// The same, with something that is said of it.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Span {
        self.attributes.push((key, value.into()));
        self
    }

    /// What is below it.
    pub fn trace(&self) -> Trace {
        Trace { id: self.trace, above: self.id }
    }
}

#[derive(Debug)]
struct Shared {
    /// Traces whose id begins with less are told.
    below: u64,
    whole: bool,
    waiting: Mutex<VecDeque<Span>>,
    dropped: AtomicU64,
}

/// Takes spans in. Cloning it shares it.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<Shared>>);

impl Tracer {
    /// One that takes nothing.
    pub fn off() -> Tracer {
        Tracer::default()
    }

    /// One that takes this share of all traces, from 0 to 1.
    pub fn new(ratio: f64) -> Tracer {
        // It saturates, as it should.
        let below = (ratio * u64::MAX as f64) as u64;
        let (waiting, dropped) = (Mutex::default(), AtomicU64::new(0));
        Tracer(Some(Arc::new(Shared { below, whole: ratio >= 1.0, waiting, dropped })))
    }

    /// The trace of what has a name, a random one that nobody else is to know: the same for each part of it. `None`
    /// when it is not told.
    pub fn of(&self, name: &[u8]) -> Option<Trace> {
        self.0.as_ref()?;
        let hash = digest(&SHA256, name);
        let (id, rest) = hash.as_ref().split_first_chunk()?;
        self.told(Trace { id: *id, above: *rest.first_chunk()? })
    }

    /// A new trace; `None` when it is not told.
    pub fn fresh(&self) -> Option<Trace> {
        self.0.as_ref()?;
        self.told(Trace { id: random()?, above: SpanId::default() })
    }

    /// The same, with a whole of its own that is told later.
    pub fn alone(&self) -> Option<Trace> {
        self.0.as_ref()?;
        self.told(Trace { id: random()?, above: random()? })
    }

    /// The trace that whoever asks is in already, by their `traceparent`, if they say that it is told; a new one when
    /// they are in none.
    pub fn continued(&self, traceparent: Option<&str>) -> Option<Trace> {
        self.0.as_ref()?;
        match traceparent.and_then(parse) {
            Some((trace, sampled)) => Some(trace).filter(|_| sampled),
            None => self.fresh(),
        }
    }

    fn told(&self, trace: Trace) -> Option<Trace> {
        let shared = self.0.as_ref()?;
        let place = u64::from_be_bytes(*trace.id.first_chunk()?);
        (shared.whole || place < shared.below).then_some(trace)
    }

    /// Takes a span in, if there is room.
    pub fn record(&self, span: Span) {
        let Some(shared) = &self.0 else { return };
        let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_WAITING {
            waiting.push_back(span);
        } else {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The oldest that wait, `most` at most.
    pub fn take(&self, most: usize) -> Vec<Span> {
        let Some(shared) = &self.0 else { return Vec::new() };
        let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(most);
        waiting.drain(..count).collect()
    }

    /// How many found no room since this was asked last.
    pub fn take_dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |shared| shared.dropped.swap(0, Ordering::Relaxed))
    }
}

/// `00-TRACE-PARENT-FLAGS`, and whether the flags say that it is told.
fn parse(text: &str) -> Option<(Trace, bool)> {
    let mut parts = text.split('-');
    let (version, id, above, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != VERSION || parts.next().is_some() {
        return None;
    }
    let (id, above, [flags]) = (hex::<16>(id)?, hex::<8>(above)?, hex::<1>(flags)?);
    let good = id != TraceId::default() && above != SpanId::default();
    good.then_some((Trace { id, above }, flags & 1 == 1))
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if text.len() != 2 * N || !lower {
        return None;
    }
    let mut octets = [0; N];
    for (n, octet) in octets.iter_mut().enumerate() {
        *octet = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(trace: Trace) -> Span {
        Span::below(trace, "test", Timestamp::from_unix_secs(1), Timestamp::from_unix_secs(2))
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let tracer = Tracer::new(1.0);
        let trace = tracer.fresh().unwrap();
        (0..MAX_WAITING + 3).for_each(|_| tracer.record(span(trace)));
        assert_eq!((tracer.take_dropped(), tracer.take_dropped()), (3, 0));
        assert_eq!(tracer.take(10).len(), 10);
        assert_eq!(tracer.take(usize::MAX).len(), MAX_WAITING - 10);
    }

    #[test]
    fn a_share_of_all_traces_is_told_and_each_as_a_whole() {
        assert_eq!((Tracer::off().fresh(), Tracer::off().of(b"x")), (None, None));
        assert_eq!((Tracer::new(0.0).fresh(), Tracer::new(0.0).of(b"x")), (None, None));
        let half = Tracer::new(0.5);
        let told = (0_u32..2_000).filter(|n| half.of(&n.to_be_bytes()).is_some()).count();
        assert!((900..1_100).contains(&told), "{told}");
        assert_eq!(Tracer::new(1.0).of(b"x"), Tracer::new(1.0).of(b"x"));
        let whole = span(Tracer::new(1.0).fresh().unwrap());
        assert_eq!((whole.parent, span(whole.trace()).parent), (None, Some(whole.id)));
    }

    #[test]
    fn who_asks_within_a_trace_is_answered_within_it() {
        let tracer = Tracer::new(0.0);
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = tracer.continued(Some(text)).unwrap();
        assert_eq!((trace.id[0], trace.above[7]), (0x0a, 0x31));
        assert_eq!(tracer.continued(Some(&text.replace("-01", "-00"))), None);
        for bad in ["", "00", &text.replace("00-0a", "01-0a"), &text.to_uppercase(), &format!("{text}-1"), "00-é-é-01"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(Tracer::off().continued(Some(text)), None);
    }
}
