//! What a NAS counts of a session, and where the session was: values that come
//! out of order, more than once, and sometimes set back.

use super::accounting::AccountingRecord;
use serde::{Deserialize, Serialize};

/// A counter of 32 bits that was beyond this and is now below has run over,
/// rather than been set back.
const HALF: u64 = 1 << 31;
/// How much a counter of 32 bits has counted when it runs over.
const WRAP: u64 = 1 << 32;

/// One counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Meter {
    /// What was counted before the counter was set back, or ran over.
    #[serde(skip_serializing_if = "is_zero", default)]
    base: u64,
    /// What it shows.
    shown: u64,
}

/// Serde's form: it asks by reference.
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What a counter did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Went {
    On,
    /// It shows less than before.
    Back,
}

impl Meter {
    /// `later`: told after all that is known. `wide`: of 64 bits, so that it does
    /// not run over.
    fn take(&mut self, value: u64, later: bool, wide: bool, set_back_before: bool) -> Went {
        if value >= self.shown {
            // Late, of a time before the counter was set back, it is in the base.
            if later || !set_back_before {
                self.shown = value;
            }
            return Went::On;
        }
        if !later {
            return Went::On;
        }
        let ran_over = !wide && self.shown >= HALF && value < HALF;
        self.base = self.base.saturating_add(if ran_over { WRAP } else { self.shown });
        self.shown = value;
        if ran_over { Went::On } else { Went::Back }
    }

    fn total(&self) -> u64 {
        self.base.saturating_add(self.shown)
    }
}

/// All counters of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    input_octets: Meter,
    output_octets: Meter,
    input_packets: Meter,
    output_packets: Meter,
    /// The latest Acct-Session-Time, in seconds.
    session_time: u32,
    /// When the latest that counts was told, in microseconds.
    at_us: i64,
    /// How often the NAS set a counter back.
    #[serde(skip_serializing_if = "is_none", default)]
    resets: u32,
}

fn is_none(n: &u32) -> bool {
    *n == 0
}

impl Counters {
    /// Takes in what a record tells. What it does not tell of stays.
    pub(super) fn take(&mut self, record: &AccountingRecord) {
        let (time, at) = (record.session_time.unwrap_or(self.session_time), record.event_time.as_micros());
        // The NAS's own count of seconds orders its records better than our clock.
        let later = (time, at) > (self.session_time, self.at_us) || self.at_us == 0;
        let mut went = Went::On;
        let before = self.resets > 0;
        for (meter, told, wide) in [
            (&mut self.input_octets, record.input_octets, record.input_is_wide),
            (&mut self.output_octets, record.output_octets, record.output_is_wide),
            (&mut self.input_packets, record.input_packets, false),
            (&mut self.output_packets, record.output_packets, false),
        ] {
            if let Some(value) = told
                && meter.take(value, later, wide, before) == Went::Back
            {
                went = Went::Back;
            }
        }
        if went == Went::Back {
            self.resets = self.resets.saturating_add(1);
        }
        if later {
            (self.session_time, self.at_us) = (time, at);
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
        self.resets
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

    fn told(all: &[(u64, bool)]) -> Meter {
        let (mut meter, mut resets) = (Meter::default(), false);
        for (value, later) in all {
            resets |= meter.take(*value, *later, false, resets) == Went::Back;
        }
        meter
    }

    #[test]
    fn a_counter_that_is_set_back_goes_on_from_what_was_counted() {
        assert_eq!(told(&[(10, true), (25, true), (25, true)]).total(), 25);
        assert_eq!(told(&[(10, true), (25, true), (3, true), (7, true)]).total(), 32);
        assert_eq!(told(&[(25, true), (10, false)]).total(), 25, "late is not set back");
        assert_eq!(told(&[(25, true), (3, true), (24, false)]).total(), 28, "late, of before it was set back");
    }

    #[test]
    fn a_counter_of_32_bits_runs_over() {
        let full = u64::from(u32::MAX);
        assert_eq!(told(&[(full, true), (9, true)]).total(), WRAP + 9);
        let mut wide = Meter { base: 0, shown: full };
        assert_eq!(wide.take(9, true, true, false), Went::Back);
        assert_eq!(wide.total(), full + 9);
    }
}
