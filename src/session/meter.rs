//! What a NAS counts of a session, and where the session was: values that come
//! out of order, more than once, and sometimes set back.

use super::accounting::AccountingRecord;
use serde::{Deserialize, Serialize};

/// A counter of 32 bits that was beyond this and is now below has run over,
/// rather than been set back.
const HALF: u64 = 1 << 31;
/// How much a counter of 32 bits has counted when it runs over.
const WRAP: u64 = 1 << 32;

/// How often a counter may show less than before until the earliest times are only
/// remembered as a sum: a NAS that sets back a counter with each record is at fault.
const MAX_TURNS: usize = 16;

/// When a NAS told something: its own count of seconds orders its records better than
/// our clock, in microseconds.
type Moment = (u32, i64);

/// A counter showed less than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Turn {
    /// The last that is known of before.
    until: Moment,
    shown: u64,
    /// The first that is known of after.
    since: Moment,
    from: u64,
    /// It has 64 bits, so that it cannot have run over.
    wide: bool,
}

impl Turn {
    fn ran_over(&self) -> bool {
        !self.wide && self.shown >= HALF && self.from < HALF
    }

    /// What was counted until then, since the turn before.
    fn counted(&self) -> u64 {
        if self.ran_over() { WRAP } else { self.shown }
    }
}

/// One counter. Between two turns it only grows, so that the ends of each stretch are
/// enough to place what comes late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Meter {
    /// What was counted before the turns that are remembered.
    #[serde(skip_serializing_if = "is_zero", default)]
    base: u64,
    /// In the order of time.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    turns: Vec<Turn>,
    /// What it shows.
    shown: u64,
}

/// Serde's form: it asks by reference.
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Meter {
    /// It showed `value` at `at`; the latest that is known of was told at `latest`.
    fn take(&mut self, value: u64, at: Moment, latest: Moment, wide: bool) {
        let turn = |until, shown, since, from| Turn { until, shown, since, from, wide };
        if at > latest {
            if value < self.shown {
                self.turns.push(turn(latest, self.shown, at, value));
            }
            self.shown = value;
            return;
        }
        // The stretch that it lies in ends with this turn, or goes on.
        let n = self.turns.partition_point(|t| t.since <= at);
        let began = n.checked_sub(1).and_then(|n| self.turns.get(n)).map(|t| (t.since, t.from));
        let (until, shown) = self.turns.get(n).map_or((latest, self.shown), |t| (t.until, t.shown));
        if at < until {
            if value > shown {
                // It was set back in between, and nobody saw it.
                self.turns.insert(n, turn(at, value, until, shown));
            } else if let Some((since, from)) = began.filter(|(_, from)| value < *from) {
                self.turns.insert(n, turn(since, from, at, value));
            }
        } else if let Some(next) = self.turns.get_mut(n) {
            if value >= next.shown {
                (next.until, next.shown) = (at, value);
            } else if at > next.until && value <= next.from {
                (next.since, next.from) = (at, value);
            } else if at > next.until {
                let before = turn(next.until, next.shown, at, value);
                (next.until, next.shown) = (at, value);
                self.turns.insert(n, before);
            }
        } else {
            // Told twice for one moment.
            self.shown = self.shown.max(value);
        }
    }

    fn total(&self) -> u64 {
        self.turns.iter().fold(self.base.saturating_add(self.shown), |sum, turn| sum.saturating_add(turn.counted()))
    }

    fn set_back(&self) -> usize {
        self.turns.iter().filter(|turn| !turn.ran_over()).count()
    }

    /// Forgets the earliest turns beyond [`MAX_TURNS`], but not what was counted. Gives
    /// how often it was set back in them.
    fn fold(&mut self) -> usize {
        let surplus = self.turns.len().saturating_sub(MAX_TURNS);
        let early = self.turns.drain(..surplus);
        early.fold(0, |count, turn| {
            self.base = self.base.saturating_add(turn.counted());
            count + usize::from(!turn.ran_over())
        })
    }
}

/// All counters of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    input_octets: Meter,
    output_octets: Meter,
    input_packets: Meter,
    output_packets: Meter,
    /// The latest Acct-Session-Time, in seconds.
    session_time: u32,
    /// When the latest that counts was told, in microseconds.
    at_us: i64,
    /// How often the NAS set a counter back in what is only remembered as a sum.
    #[serde(skip_serializing_if = "is_none", default)]
    resets: u32,
}

fn is_none(n: &u32) -> bool {
    *n == 0
}

impl Counters {
    /// Takes in what a record tells. What it does not tell of stays.
    pub(super) fn take(&mut self, record: &AccountingRecord) {
        let latest = (self.session_time, self.at_us);
        let at = (record.session_time.unwrap_or(self.session_time), record.event_time.as_micros());
        let mut folded = 0;
        for (meter, told, wide) in [
            (&mut self.input_octets, record.input_octets, record.input_is_wide),
            (&mut self.output_octets, record.output_octets, record.output_is_wide),
            (&mut self.input_packets, record.input_packets, false),
            (&mut self.output_packets, record.output_packets, false),
        ] {
            if let Some(value) = told {
                meter.take(value, at, latest, wide);
                folded = folded.max(meter.fold());
            }
        }
        self.resets = self.resets.saturating_add(u32::try_from(folded).unwrap_or(u32::MAX));
        if at > latest {
            (self.session_time, self.at_us) = at;
        }
    }

    /// Octets from the endpoint.
    pub fn input_octets(&self) -> u64 {
        self.input_octets.total()
    }

    /// Octets to the endpoint.
    pub fn output_octets(&self) -> u64 {
        self.output_octets.total()
    }

    /// Packets from the endpoint.
    pub fn input_packets(&self) -> u64 {
        self.input_packets.total()
    }

    /// Packets to the endpoint.
    pub fn output_packets(&self) -> u64 {
        self.output_packets.total()
    }

    /// Seconds it has lasted, as the NAS counts.
    pub fn session_time(&self) -> u32 {
        self.session_time
    }

    /// How often the NAS set a counter back while the session went on.
    pub fn resets(&self) -> u32 {
        let meters = [&self.input_octets, &self.output_octets, &self.input_packets, &self.output_packets];
        let most = meters.into_iter().map(Meter::set_back).max().unwrap_or(0);
        self.resets.saturating_add(u32::try_from(most).unwrap_or(u32::MAX))
    }
}

/// An address or a port, and when it was told first and last, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// In text.
    pub value: String,
    /// First.
    pub first_us: i64,
    /// Last.
    pub last_us: i64,
}

impl Place {
    pub(super) fn seen(&mut self, at_us: i64) {
        self.first_us = self.first_us.min(at_us);
        self.last_us = self.last_us.max(at_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A counter that showed these values at these seconds, told in this order.
    fn told(all: &[(u32, u64)]) -> Meter {
        let (mut meter, mut latest) = (Meter::default(), (0, 0));
        for (secs, value) in all {
            meter.take(*value, (*secs, 0), latest, false);
            latest = latest.max((*secs, 0));
        }
        meter
    }

    #[test]
    fn a_counter_that_is_set_back_goes_on_from_what_was_counted() {
        assert_eq!(told(&[(1, 10), (2, 25), (3, 25)]).total(), 25);
        assert_eq!(told(&[(1, 10), (2, 25), (3, 3), (4, 7)]).total(), 32);
        assert_eq!(told(&[(2, 25), (1, 10)]).total(), 25, "late is not set back");
        assert_eq!(told(&[(2, 25), (4, 3), (1, 24)]).total(), 28, "late, of before it was set back");
        assert_eq!(told(&[(2, 25), (4, 3), (3, 27)]).total(), 30, "late, and the last before it was set back");
        assert_eq!(told(&[(2, 25), (4, 3), (3, 1)]).set_back(), 1);
        assert_eq!(told(&[(2, 25), (4, 3), (3, 9)]).total(), 37, "set back twice");
    }

    #[test]
    fn a_counter_of_32_bits_runs_over() {
        let full = u64::from(u32::MAX);
        assert_eq!(told(&[(1, full), (2, 9)]).total(), WRAP + 9);
        let late = told(&[(1, full - 9), (3, 9), (2, full)]);
        assert_eq!((late.total(), late.set_back()), (WRAP + 9, 0), "what comes late counts nothing twice");
        assert_eq!(told(&[(2, 9), (1, full)]).total(), WRAP + 9);
        let mut wide = Meter { shown: full, ..Meter::default() };
        wide.take(9, (2, 0), (1, 0), true);
        assert_eq!((wide.total(), wide.set_back()), (full + 9, 1));
    }

    #[test]
    fn however_often_it_is_set_back_it_stays_small_and_counts_all() {
        let mut counters = Meter::default();
        let mut folded = 0;
        for n in 1..=1_000_u32 {
            counters.take(u64::from(1_000 - n), (n, 0), (n - 1, 0), false);
            folded += counters.fold();
        }
        assert_eq!((counters.turns.len(), counters.total()), (MAX_TURNS, 999 * 1_000 / 2));
        assert_eq!(folded + counters.set_back(), 999);
    }

    proptest! {
        /// One that runs over or is set back now and then, told in any order.
        #[test]
        fn told_in_any_order_it_counts_no_more_than_was_sent(
            (told_in_order, shuffled) in proptest::collection::vec((1_u32..2_000_000_000, proptest::bool::weighted(0.2)), 1..12)
                .prop_map(|steps| {
                    let mut value = 0_u32;
                    let grow = |(n, (step, back)): (usize, (u32, bool))| {
                        // Set back low, so that what follows does not hide it.
                        value = if back { value / 1_000 } else { value.wrapping_add(step) };
                        (u32::try_from(n).unwrap() + 1, u64::from(value))
                    };
                    steps.into_iter().enumerate().map(grow).collect::<Vec<_>>()
                })
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            // A stretch of which only the ends are known hides what lies in between.
            let hidden = told_in_order.windows(3).any(|w| w[1].1 < w[0].1 && w[2].1 >= w[0].1);
            prop_assume!(!hidden);
            prop_assert!(told(&shuffled).total() <= told(&told_in_order).total());
        }
    }
}
