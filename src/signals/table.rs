//! What speaks against everybody, in memory: signals go in, risk comes out.
//!
//! Decisions read it: one lock of one part, and a sum over few factors.

use super::risk::{Factor, Level, Risk, STEP, Settings, risk, until};
use super::signal::{Signal, Subject};
use crate::ids::SignalId;
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts that are locked apart from one another, so that signals and logins seldom wait for each other.
const PARTS: usize = 64;
/// Those against whom something speaks, at most: what is known of each is a few hundred octets. Beyond it, signals about
/// others are stored, and add to nobody's risk until there is room.
pub const MAX_SUBJECTS: usize = 200_000;
/// Signals of one of them that count; the lightest makes room.
pub const MAX_FACTORS: usize = 64;

#[derive(Debug, Default)]
struct Known {
    factors: Vec<Factor>,
    level: Level,
    /// The score when it was last reckoned for those who act on it.
    score: f64,
    until: Option<Timestamp>,
}

/// What a signal, or the time, has come to.
#[derive(Clone, PartialEq, Debug)]
pub struct Moved {
    /// How it was before.
    pub before: (Level, f64),
    /// How it is now.
    pub now: Risk,
}

impl Moved {
    /// Whether rules may come to something else.
    pub fn differs(&self) -> bool {
        let step = |score: f64| (score / STEP).floor() as i64;
        let (level, score) = self.before;
        level != self.now.level || self.now.score > score || step(score) != step(self.now.score)
    }
}

/// Everybody's risk.
#[derive(Debug)]
pub struct RiskTable {
    parts: Vec<Mutex<HashMap<Subject, Known>>>,
    hasher: RandomState,
    count: AtomicUsize,
    /// When risks change though nothing is told.
    due: Mutex<BTreeSet<(Timestamp, Subject)>>,
}

impl Default for RiskTable {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self { parts, hasher: RandomState::new(), count: AtomicUsize::new(0), due: Mutex::default() }
    }
}

/// A lock is poisoned only by a panic, which left no half-made change here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RiskTable {
    fn part(&self, subject: &Subject) -> MutexGuard<'_, HashMap<Subject, Known>> {
        let mut hasher = self.hasher.build_hasher();
        std::hash::Hash::hash(subject, &mut hasher);
        locked(&self.parts[hasher.finish() as usize % PARTS])
    }

    /// Takes a signal in. Nothing if it adds to nobody's risk: it is about nobody, was dismissed, weighs nothing any
    /// more, or there is no room.
    pub fn take(&self, signal: &Signal, settings: &Settings, now: Timestamp) -> Option<Moved> {
        let subject = signal.about.subject().filter(|_| signal.settled.as_ref().is_none_or(|s| !s.dismissed))?;
        let factor = Factor::of(signal);
        self.change(subject, settings, now, |factors| {
            if let Some(told) = factors.iter_mut().find(|known| factor.renews(known)) {
                if told.at <= factor.at {
                    *told = factor;
                }
            } else if factor.counts(settings, now) {
                factors.push(factor);
            }
        })
    }

    /// Takes signals back.
    pub fn dismiss(&self, subject: Subject, ids: &[SignalId], settings: &Settings, now: Timestamp) -> Option<Moved> {
        self.change(subject, settings, now, |factors| factors.retain(|factor| !ids.contains(&factor.id)))
    }

    /// Reckons anew, because of the time or of other settings. Nothing if nothing speaks against them.
    pub fn again(&self, subject: Subject, settings: &Settings, now: Timestamp) -> Option<Moved> {
        self.change(subject, settings, now, |_| {})
    }

    fn change(
        &self,
        subject: Subject,
        settings: &Settings,
        now: Timestamp,
        change: impl FnOnce(&mut Vec<Factor>),
    ) -> Option<Moved> {
        let mut part = self.part(&subject);
        let mut known = part.remove(&subject);
        if known.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        let is_new = known.is_none();
        let Known { mut factors, level, score: told, until: due } = known.take().unwrap_or_default();
        let present = risk(&factors, level, settings, now).level;
        change(&mut factors);
        factors.retain(|factor| factor.counts(settings, now));
        if factors.len() > MAX_FACTORS {
            factors.sort_by(|a, b| b.weight(settings, now).total_cmp(&a.weight(settings, now)));
            factors.truncate(MAX_FACTORS);
        }
        let after = risk(&factors, present, settings, now);
        let mut deadlines = locked(&self.due);
        if let Some(at) = due {
            deadlines.remove(&(at, subject));
        }
        if factors.is_empty() {
            return (!is_new).then_some(Moved { before: (level, told), now: after });
        }
        if self.count.fetch_add(1, Ordering::Relaxed) >= MAX_SUBJECTS {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let until = until(&factors, after.level, settings, now);
        deadlines.extend(until.map(|at| (at, subject)));
        part.insert(subject, Known { factors, level: after.level, score: after.score, until });
        Some(Moved { before: (level, told), now: after })
    }

    /// How much speaks against somebody.
    pub fn risk(&self, subject: Subject, settings: &Settings, now: Timestamp) -> Risk {
        let part = self.part(&subject);
        part.get(&subject).map(|known| risk(&known.factors, known.level, settings, now)).unwrap_or_default()
    }

    /// Those whose risk may have changed by the time alone, at most so many.
    pub fn overdue(&self, most: usize, now: Timestamp) -> Vec<Subject> {
        let mut due = locked(&self.due);
        let mut subjects = Vec::new();
        while subjects.len() < most && due.first().is_some_and(|(at, _)| *at <= now) {
            subjects.extend(due.pop_first().map(|(_, subject)| subject));
        }
        subjects
    }

    /// Everybody against whom something speaks.
    pub fn subjects(&self) -> Vec<Subject> {
        self.parts.iter().flat_map(|part| locked(part).keys().copied().collect::<Vec<_>>()).collect()
    }

    /// How many of those there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether nothing speaks against anybody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::SignalKind;
    use super::super::signal::{About, Severity};
    use super::*;
    use crate::ids::IdentityId;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(1_790_000_000) + Duration::from_secs(secs)
    }

    fn signal(kind: SignalKind, severity: Severity, topic: &str, secs: u64) -> Signal {
        Signal {
            id: SignalId::new(at(secs)),
            at: at(secs),
            received: at(secs),
            about: About { identity: Some(IdentityId::of_name("coder")), ..About::default() },
            kind,
            severity,
            source: "gateway".into(),
            source_id: None,
            topic: topic.into(),
            detail: String::new(),
            half_life: Some(Duration::from_secs(60)),
            evidence: BTreeMap::new(),
            settled: None,
        }
    }

    #[test]
    fn signals_add_up_decay_and_are_taken_back() {
        let (table, settings) = (RiskTable::default(), Settings::default());
        let subject = Subject::Identity(IdentityId::of_name("coder"));
        let injection = signal(SignalKind::PromptInjection, Severity::High, "", 0);
        let moved = table.take(&injection, &settings, at(0)).unwrap();
        assert!(moved.differs() && moved.now.level == Level::Medium && moved.before == (Level::Low, 0.0));
        let runaway = signal(SignalKind::RunawayToolUse, Severity::High, "shell", 0);
        assert_eq!(table.take(&runaway, &settings, at(0)).unwrap().now.level, Level::High);
        // The same again renews it, and adds nothing.
        let again = signal(SignalKind::RunawayToolUse, Severity::High, "shell", 1);
        let moved = table.take(&again, &settings, at(1)).unwrap();
        assert_eq!((moved.now.factors.len(), moved.now.score.round() as i64), (2, 99));
        assert_eq!(table.risk(subject, &settings, at(31)).level, Level::High);
        let due = table.overdue(9, at(10_000));
        assert_eq!(due, [subject]);
        let moved = table.again(subject, &settings, at(61)).unwrap();
        assert!(moved.differs() && moved.now.level == Level::Medium, "{moved:?}");
        let moved = table.dismiss(subject, &[injection.id, again.id], &settings, at(61)).unwrap();
        assert!(moved.differs() && moved.now.level == Level::Low && moved.now.factors.is_empty());
        assert!(table.is_empty() && table.subjects().is_empty() && table.overdue(9, at(99_999)).is_empty());
    }

    #[test]
    fn a_later_word_of_the_same_source_takes_the_place_of_an_earlier_one() {
        let (table, settings) = (RiskTable::default(), Settings::default());
        table.take(&signal(SignalKind::RiskLevelChange, Severity::High, "", 5), &settings, at(5)).unwrap();
        let late = signal(SignalKind::RiskLevelChange, Severity::Info, "", 1);
        assert_eq!(table.take(&late, &settings, at(6)).unwrap().now.level, Level::High, "it was told before");
        let moved = table.take(&signal(SignalKind::RiskLevelChange, Severity::Info, "", 7), &settings, at(7)).unwrap();
        assert_eq!((moved.now.level, moved.now.score), (Level::Low, 0.0));
        assert!(table.is_empty());
    }

    #[test]
    fn a_storm_about_one_keeps_its_bound() {
        let (table, settings) = (RiskTable::default(), Settings::default());
        for n in 0..1_000_u64 {
            table.take(&signal(SignalKind::Other, Severity::Low, &n.to_string(), n / 100), &settings, at(n / 100));
        }
        let risk = table.risk(Subject::Identity(IdentityId::of_name("coder")), &settings, at(10));
        assert_eq!((risk.factors.len(), risk.score), (MAX_FACTORS, 100.0));
        assert_eq!(table.len(), 1);
    }
}
