//! Changes to sessions that are there (RFC 5176), as far as no socket and no
//! table is needed: one request and its retransmissions, all requests that are
//! on their way, what a refusal means, the life of a change from its cause to
//! its end, and the pace of many at once.

use pace::Limits;
use std::time::Duration;

pub mod client;
pub mod error_cause;
pub mod exchange;
pub mod life;
pub mod pace;
pub mod plan;
pub mod wave;

/// How changes are made, as configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Whether sessions are looked at again when what they were let in by changes.
    pub reevaluate: bool,
    /// The pace of waves.
    pub limits: Limits,
    /// How long a change is tried.
    pub deadline: Duration,
    /// Which waves do not begin at once.
    pub hold: Hold,
    /// How long they wait, to be stopped or let go.
    pub hold_for: Duration,
    /// How often all sessions are looked at again though nothing has changed but
    /// the time.
    pub recheck: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reevaluate: true,
            // Below what switches are seen to take, and a tenth of what a server
            // can log in again at the same time.
            limits: Limits { in_flight: 64, per_nas: 8, per_second: 100 },
            deadline: Duration::from_secs(300),
            hold: Hold::Above(1_000),
            hold_for: Duration::from_secs(60),
            recheck: Duration::from_secs(600),
        }
    }
}

/// Which waves do not begin at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// Those of more changes than this.
    Above(u64),
    /// Those that concern more than this share of the sessions, in percent, and
    /// more than a few.
    Share(u8),
}

/// A wave of so few changes is not held for being a large share.
const FEW: u64 = 20;

impl Hold {
    /// Whether a wave of `changes` is held when `live` sessions are there.
    pub fn holds(self, changes: u64, live: u64) -> bool {
        match self {
            Hold::Above(most) => changes > most,
            Hold::Share(percent) => changes > FEW && changes * 100 > live.max(1) * u64::from(percent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_held_by_number_or_by_share() {
        assert!(Hold::Above(10).holds(11, 1_000) && !Hold::Above(10).holds(10, 10));
        assert!(Hold::Share(20).holds(21, 100) && !Hold::Share(20).holds(21, 105));
        assert!(!Hold::Share(20).holds(FEW, FEW), "a small site is not held up");
    }
}
