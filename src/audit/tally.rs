//! How many attempts there were, minute by minute, how they ended and why: a day of it, in memory, so that nobody who looks at
//! the whole has to read each of them.

use super::decision::DecisionOutcome;
use super::reason::Reason;
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How far back it goes.
pub const SPAN: Duration = Duration::from_secs(24 * 3600);
/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;
/// Minutes of [`SPAN`], and the one that is not over.
const MINUTES: usize = 24 * 60 + 1;
/// How logins are made that prove themselves by a certificate.
const BY_CERTIFICATE: &str = "eap-tls";

/// What is counted of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt<'a> {
    /// When it was decided.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: DecisionOutcome,
    /// Why.
    pub reason: Reason,
    /// How it was tried, as the record says it.
    pub method: &'a str,
}

/// How many attempts ended how.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Were let in.
    pub accept: u64,
    /// Were refused.
    pub reject: u64,
    /// Were never finished.
    pub incomplete: u64,
    /// Were let in by a certificate; they are among those that were let in.
    pub by_certificate: u64,
}

impl Ended {
    fn add(&mut self, other: &Ended) {
        self.accept += other.accept;
        self.reject += other.reject;
        self.incomplete += other.incomplete;
        self.by_certificate += other.by_certificate;
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.accept + self.reject + self.incomplete
    }
}

#[derive(Clone, Debug, Default)]
struct Minute {
    /// Which, counted from 1970.
    number: i64,
    ended: Ended,
    /// Why those ended that were not let in; as many as there are reasons at most.
    reasons: Vec<(Reason, u64)>,
}

/// A day of minutes in which there was something.
#[derive(Clone, Debug)]
pub struct Tally {
    minutes: VecDeque<Minute>,
    /// Since when all is counted.
    since: Timestamp,
}

impl Tally {
    /// One without attempts, of which all are counted that are decided at `since` or later.
    pub fn new(since: Timestamp) -> Tally {
        Tally { minutes: VecDeque::new(), since }
    }

    /// Since when all is counted; what lies before is not, or only in part.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Counts an attempt. One from before the day that is kept is not counted.
    pub fn add(&mut self, attempt: &Attempt<'_>) {
        let number = attempt.at.as_micros().div_euclid(MINUTE_US);
        let at = self.minutes.partition_point(|minute| minute.number < number);
        if self.minutes.get(at).is_none_or(|minute| minute.number != number) {
            if at == 0 && self.minutes.len() >= MINUTES {
                return;
            }
            self.minutes.insert(at, Minute { number, ..Minute::default() });
        }
        if let Some(minute) = self.minutes.get_mut(at) {
            let ended = &mut minute.ended;
            match attempt.outcome {
                DecisionOutcome::Accept => {
                    ended.accept += 1;
                    ended.by_certificate += u64::from(attempt.method == BY_CERTIFICATE);
                }
                DecisionOutcome::Reject => ended.reject += 1,
                DecisionOutcome::Incomplete => ended.incomplete += 1,
            }
            if attempt.outcome != DecisionOutcome::Accept {
                match minute.reasons.iter_mut().find(|(reason, _)| *reason == attempt.reason) {
                    Some((_, count)) => *count += 1,
                    None => minute.reasons.push((attempt.reason, 1)),
                }
            }
        }
        while self.minutes.len() > MINUTES {
            self.minutes.pop_front();
        }
    }

    fn from(&self, since: Timestamp) -> impl Iterator<Item = &Minute> {
        let first = since.as_micros().div_euclid(MINUTE_US);
        self.minutes.iter().filter(move |minute| minute.number >= first)
    }

    /// Each minute from that of `since` to that of `now`, those without attempts included; at most a day of them.
    pub fn minutes(&self, since: Timestamp, now: Timestamp) -> Vec<(Timestamp, Ended)> {
        let last = now.as_micros().div_euclid(MINUTE_US);
        let first = since.as_micros().div_euclid(MINUTE_US).max(last - MINUTES as i64 + 1);
        let known: BTreeMap<i64, Ended> = self.from(since).map(|minute| (minute.number, minute.ended)).collect();
        let each = |n: i64| (Timestamp::from_micros(n * MINUTE_US), known.get(&n).copied().unwrap_or_default());
        (first..=last).map(each).collect()
    }

    /// All from the minute of `since` on.
    pub fn ended(&self, since: Timestamp) -> Ended {
        let mut sum = Ended::default();
        self.from(since).for_each(|minute| sum.add(&minute.ended));
        sum
    }

    /// Why those from the minute of `since` on ended that were not let in, the most frequent reason first.
    pub fn reasons(&self, since: Timestamp) -> Vec<(Reason, u64)> {
        let mut sums: Vec<(Reason, u64)> = Vec::new();
        for (reason, count) in self.from(since).flat_map(|minute| &minute.reasons) {
            match sums.iter_mut().find(|(known, _)| known == reason) {
                Some((_, sum)) => *sum += count,
                None => sums.push((*reason, *count)),
            }
        }
        sums.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), reason.code()));
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(secs: i64, outcome: DecisionOutcome, reason: Reason) -> Attempt<'static> {
        let method = if outcome == DecisionOutcome::Accept { BY_CERTIFICATE } else { "mab" };
        Attempt { at: Timestamp::from_unix_secs(secs), outcome, reason, method }
    }

    #[test]
    fn minutes_are_counted_whatever_order_attempts_come_in() {
        let mut tally = Tally::new(Timestamp::default());
        for secs in [125, 60, 130, 61] {
            tally.add(&attempt(secs, DecisionOutcome::Accept, Reason::Accepted));
        }
        tally.add(&attempt(121, DecisionOutcome::Reject, Reason::MacUnknown));
        let minutes = tally.minutes(Timestamp::from_unix_secs(0), Timestamp::from_unix_secs(190));
        let counts: Vec<(i64, u64, u64)> = minutes.iter().map(|(at, e)| (at.unix_secs(), e.accept, e.reject)).collect();
        assert_eq!(counts, [(0, 0, 0), (60, 2, 0), (120, 2, 1), (180, 0, 0)]);
        let ended = tally.ended(Timestamp::from_unix_secs(120));
        assert_eq!((ended.accept, ended.reject, ended.by_certificate, ended.all()), (2, 1, 2, 3));
    }

    #[test]
    fn reasons_are_ranked_and_those_of_success_are_none() {
        let mut tally = Tally::new(Timestamp::default());
        for reason in [Reason::MacUnknown, Reason::CertificateExpired, Reason::MacUnknown] {
            tally.add(&attempt(60, DecisionOutcome::Reject, reason));
        }
        tally.add(&attempt(60, DecisionOutcome::Accept, Reason::Accepted));
        let ranked = tally.reasons(Timestamp::default());
        assert_eq!(ranked, [(Reason::MacUnknown, 2), (Reason::CertificateExpired, 1)]);
        assert!(tally.reasons(Timestamp::from_unix_secs(120)).is_empty());
    }

    #[test]
    fn a_day_is_kept_and_what_is_older_is_not_counted() {
        let mut tally = Tally::new(Timestamp::default());
        for minute in 0..MINUTES as i64 + 10 {
            tally.add(&attempt(minute * 60, DecisionOutcome::Accept, Reason::Accepted));
        }
        assert_eq!(tally.minutes.len(), MINUTES);
        tally.add(&attempt(0, DecisionOutcome::Accept, Reason::Accepted));
        assert_eq!(tally.minutes.len(), MINUTES);
        assert_eq!(tally.ended(Timestamp::default()).all(), MINUTES as u64);
    }
}
