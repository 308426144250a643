//! How much a playbook may do before an operator is asked: a mistake in it must not put half a company in quarantine.

use super::playbook::Limits;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// The share of all sessions does not count up to so many runs: of few sessions one is much.
pub const FEW: u64 = 10;
/// Runs that are remembered of one playbook. Beyond it the limit is reached whatever it says.
const MAX_REMEMBERED: usize = 100_000;

/// What a playbook has done lately.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    begun: VecDeque<Timestamp>,
}

impl Budget {
    /// Takes in that a run had begun, before the server was started.
    pub fn recall(&mut self, at: Timestamp) {
        self.begun.push_back(at);
    }

    /// Begins a run that contains somebody, where `live` sessions go on.
    ///
    /// # Errors
    /// In words, why an operator has to look first.
    pub fn begin(&mut self, limits: &Limits, live: u64, now: Timestamp) -> Result<(), String> {
        // What lies ahead was before the clock was set back.
        while self.begun.front().is_some_and(|at| *at > now || now.since(*at) >= limits.window) {
            self.begun.pop_front();
        }
        let (would, secs) = (self.begun.len() as u64 + 1, limits.window.as_secs());
        if would > limits.runs || self.begun.len() >= MAX_REMEMBERED {
            return Err(format!("it has run {} times within {secs} s, which is its limit", would - 1));
        }
        if would > FEW && would * 100 > u64::from(limits.percent) * live {
            let percent = limits.percent;
            return Err(format!("{would} runs within {secs} s would be more than {percent} % of {live} sessions"));
        }
        self.begun.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_holds_at_a_number_and_at_a_share_and_goes_on_when_the_window_has_passed() {
        let limits = Limits { runs: 20, percent: 10, window: Duration::from_secs(60) };
        let start = Timestamp::from_unix_secs(1_790_000_000);
        let mut budget = Budget::default();
        for n in 0..20 {
            assert_eq!(budget.begin(&limits, 1_000, start + Duration::from_secs(n)), Ok(()), "{n}");
        }
        assert!(budget.begin(&limits, 1_000, start + Duration::from_secs(30)).unwrap_err().contains("20 times"));
        assert_eq!(budget.begin(&limits, 1_000, start + Duration::from_secs(60)), Ok(()));
        let mut budget = Budget::default();
        let begun = (0..20).take_while(|_| budget.begin(&limits, 50, start).is_ok()).count();
        assert_eq!(begun as u64, FEW, "a tenth of 50 is less than the few that always go");
        let mut budget = Budget::default();
        budget.recall(start + Duration::from_secs(9_999));
        assert_eq!(budget.begin(&limits, 0, start), Ok(()), "the clock was set back");
    }
}
