//! What has just been stored, for those who watch: the latest decisions, sessions and signals in memory, numbered in the order
//! in which the database has them.
//!
//! Who watches has a place of their own in it and reads on from there, so that a slow one costs nobody anything. Who was
//! away for longer than it goes back is told so.

use crate::audit::decision::{Decision, DecisionOutcome};
use crate::audit::reason::Reason;
use crate::audit::tally::{Attempt, Tally};
use crate::ids::{DecisionId, SessionId, SignalId};
use crate::session::Session;
use crate::session::state::SessionState;
use crate::signals::kind::SignalKind;
use crate::signals::signal::{Severity, Signal};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Events in memory, of about half a KiB each: a minute of 300 logins a second.
const KEPT: usize = 20_000;

/// Something that was stored.
#[derive(Clone, Debug)]
pub enum FeedItem {
    /// An attempt to get on the network.
    Decision {
        /// Its id.
        id: DecisionId,
        /// When it was decided.
        at: Timestamp,
        /// How it ended.
        outcome: DecisionOutcome,
        /// Why.
        reason: Reason,
        /// The NAS.
        nas: String,
        /// The name of the identity.
        identity: Option<String>,
        /// The endpoint.
        mac: Option<String>,
        /// What was granted.
        profile: Option<String>,
    },
    /// A session that began, ended, or logged in again.
    Session {
        /// Its id.
        id: SessionId,
        /// When something was heard of it.
        at: Timestamp,
        /// Where it stands.
        state: SessionState,
        /// The NAS.
        nas: String,
        /// The name of the identity.
        identity: Option<String>,
        /// The endpoint.
        mac: Option<String>,
        /// What was granted.
        profile: Option<String>,
    },
    /// A signal that was taken in, or dismissed.
    Signal {
        /// Its id.
        id: SignalId,
        /// As of when.
        at: Timestamp,
        /// What it tells.
        kind: SignalKind,
        /// How bad it is.
        severity: Severity,
        /// Who says so.
        source: String,
        /// What is particular to it.
        detail: String,
        /// The NAS, if it is about one.
        nas: Option<String>,
        /// The name of the identity.
        identity: Option<String>,
        /// The endpoint.
        mac: Option<String>,
        /// Whether it speaks against nobody any more.
        dismissed: bool,
    },
}

impl FeedItem {
    fn of_signal(signal: &Signal, identity: Option<String>) -> FeedItem {
        FeedItem::Signal {
            id: signal.id,
            at: signal.at,
            kind: signal.kind,
            severity: signal.severity,
            source: signal.source.clone(),
            detail: signal.detail.clone(),
            nas: signal.about.nas.as_ref().map(|(name, _)| name.clone()),
            identity,
            mac: signal.about.mac.map(|mac| mac.to_string()),
            dismissed: signal.settled.as_ref().is_some_and(|settled| settled.dismissed),
        }
    }

    /// The NAS that it is about.
    pub fn nas(&self) -> &str {
        match self {
            FeedItem::Decision { nas, .. } | FeedItem::Session { nas, .. } => nas,
            FeedItem::Signal { nas, .. } => nas.as_deref().unwrap_or_default(),
        }
    }

    /// The identity that it is about.
    pub fn identity(&self) -> Option<&str> {
        match self {
            FeedItem::Decision { identity, .. }
            | FeedItem::Session { identity, .. }
            | FeedItem::Signal { identity, .. } => identity.as_deref(),
        }
    }
}

/// Where somebody has read up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedPlace {
    /// Which run of the server it is of: numbers begin anew with each.
    pub run: u64,
    /// The number of the next event.
    pub next: u64,
}

#[derive(Debug, Default)]
struct Ring {
    /// The number of the next event.
    next: u64,
    events: VecDeque<Arc<FeedItem>>,
}

#[derive(Debug)]
struct Shared {
    run: u64,
    ring: Mutex<Ring>,
    tally: Mutex<Tally>,
    grown: watch::Sender<u64>,
    closed: AtomicBool,
}

/// The latest events. Cloning it shares them.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Shared>);

impl Feed {
    /// One without events, of the run of the server that has this number.
    pub fn new(run: u64) -> Feed {
        let (grown, _) = watch::channel(0);
        let (ring, tally) = (Mutex::default(), Mutex::new(Tally::new(Timestamp::default())));
        Feed(Arc::new(Shared { run, ring, tally, grown, closed: AtomicBool::new(false) }))
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // A count is right even if another thread panicked while it held the lock.
        self.0.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on counting from what was stored before.
    pub(super) fn recall(&self, tally: Tally) {
        *self.tally() = tally;
    }

    /// What was counted of the attempts that were stored.
    pub fn counted<T>(&self, look: impl FnOnce(&Tally) -> T) -> T {
        look(&self.tally())
    }

    /// Takes in what was stored.
    pub(super) fn publish<'a>(
        &self,
        decisions: impl Iterator<Item = &'a Decision>,
        sessions: impl Iterator<Item = &'a Session>,
    ) {
        let mut tally = self.tally();
        let decisions = decisions.inspect(|d| {
            tally.add(&Attempt { at: d.at, outcome: d.outcome, reason: d.reason, method: &d.method });
        });
        let decisions = decisions.map(|d| FeedItem::Decision {
            id: d.id,
            at: d.at,
            outcome: d.outcome,
            reason: d.reason,
            nas: d.nas_name.clone(),
            identity: d.identity.as_ref().map(|identity| identity.name.clone()),
            mac: d.mac.clone(),
            profile: d.profile.clone(),
        });
        // That one goes on is told each few minutes, and is no news.
        let sessions = sessions.filter(|s| s.state() != SessionState::Active).map(|s| FeedItem::Session {
            id: s.id,
            at: s.last_at,
            state: s.state(),
            nas: s.key.nas_name.clone(),
            identity: s.identity().map(str::to_owned),
            mac: s.mac().map(str::to_owned),
            profile: s.profile().map(str::to_owned),
        });
        self.push(decisions.chain(sessions));
    }

    /// Takes in signals that were stored, each with the name of its identity.
    pub fn publish_signals<'a>(&self, signals: impl Iterator<Item = (&'a Signal, Option<String>)>) {
        self.push(signals.map(|(signal, identity)| FeedItem::of_signal(signal, identity)));
    }

    fn push(&self, items: impl Iterator<Item = FeedItem>) {
        let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let before = ring.next;
        for item in items {
            if ring.events.len() >= KEPT {
                ring.events.pop_front();
            }
            ring.events.push_back(Arc::new(item));
            ring.next += 1;
        }
        let next = ring.next;
        drop(ring);
        if next != before {
            self.0.grown.send_replace(next);
        }
    }

    /// The place after the latest event.
    pub fn end(&self) -> FeedPlace {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        FeedPlace { run: self.0.run, next: ring.next }
    }

    /// At most so many events from `place` on, with their numbers. Nothing if some of them are gone: they were stored
    /// before the server started, or too long ago.
    pub fn after(&self, place: FeedPlace, most: usize) -> Option<Vec<(u64, Arc<FeedItem>)>> {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.next - ring.events.len() as u64;
        if place.run != self.0.run || place.next < first || place.next > ring.next {
            return None;
        }
        let skip = usize::try_from(place.next - first).unwrap_or(usize::MAX);
        Some((place.next..).zip(ring.events.iter().skip(skip).take(most).cloned()).collect())
    }

    /// There will be no more: the server stops. Who watches is woken.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Relaxed);
        self.0.grown.send_modify(|_| {});
    }

    /// Whether there will be no more.
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed)
    }

    /// Tells how many events there were, whenever there is another.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.grown.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::names::SessionNames;

    fn decision(n: i64) -> Decision {
        let at = Timestamp::from_unix_secs(1_790_000_000 + n);
        Decision {
            id: DecisionId::new(at),
            at,
            outcome: DecisionOutcome::Accept,
            reason: Reason::Accepted,
            detail: String::new(),
            method: "mab".into(),
            nas_name: format!("sw{n}"),
            nas_address: [192, 0, 2, 1].into(),
            nas_port: None,
            names: SessionNames::default(),
            calling_station: None,
            mac: None,
            called_station: None,
            outer_identity: None,
            identity: None,
            profile: None,
            policies: Vec::new(),
            policy_revision: String::new(),
            facts: Vec::new(),
            reply: Vec::new(),
            warnings: Vec::new(),
            rounds: 1,
            duration_us: 0,
            course: Default::default(),
            class: None,
            enforced: true,
        }
    }

    fn publish(feed: &Feed, numbers: std::ops::Range<i64>) {
        let all: Vec<Decision> = numbers.map(decision).collect();
        feed.publish(all.iter(), [].into_iter());
    }

    #[test]
    fn each_reads_on_from_where_they_were() {
        let feed = Feed::new(7);
        let begin = feed.end();
        publish(&feed, 0..3);
        let read = feed.after(begin, 2).unwrap();
        let names: Vec<_> = read.iter().map(|(n, item)| (*n, item.nas().to_owned())).collect();
        assert_eq!(names, [(0, "sw0".into()), (1, "sw1".into())]);
        assert_eq!(feed.after(FeedPlace { next: 2, ..begin }, 10).unwrap().len(), 1);
        assert_eq!(feed.after(feed.end(), 10).unwrap().len(), 0);
    }

    #[test]
    fn who_was_away_for_too_long_is_told() {
        let feed = Feed::new(7);
        let begin = feed.end();
        publish(&feed, 0..(KEPT as i64 + 1));
        assert!(feed.after(begin, 1).is_none());
        assert_eq!(feed.after(FeedPlace { next: 1, ..begin }, KEPT).unwrap().len(), KEPT);
        assert!(feed.after(FeedPlace { run: 8, next: 5 }, 1).is_none(), "of another run of the server");
        assert!(feed.after(FeedPlace { next: u64::MAX, ..begin }, 1).is_none());
    }
}
