//! How much a playbook may do before an operator is asked: a mistake in it must not put half a company in quarantine.

use super::playbook::Limits;
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// The share of all sessions does not count up to so many runs: of few sessions one is much.
pub const FEW: u64 = 10;
/// Runs that are remembered of one playbook. Beyond it the limit is reached whatever it says.
const MAX_REMEMBERED: usize = 100_000;

/// What a playbook has done lately. MAC addresses that are nobody's count apart: anybody may show as many as they like, and must not
/// use up what identities have.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    identities: VecDeque<Timestamp>,
    macs: VecDeque<Timestamp>,
}

impl Budget {
    fn of(&mut self, subject: Subject) -> &mut VecDeque<Timestamp> {
        match subject {
            Subject::Identity(_) => &mut self.identities,
            Subject::Mac(_) => &mut self.macs,
        }
    }

    /// Takes in that a run had begun, before the server was started.
    pub fn recall(&mut self, subject: Subject, at: Timestamp) {
        self.of(subject).push_back(at);
    }

    /// The run against somebody that began last did not come about.
    pub fn give_back(&mut self, subject: Subject) {
        self.of(subject).pop_back();
    }

    /// Begins a run against somebody, where `live` sessions go on.
    ///
    /// # Errors
    /// In words, why an operator has to look first.
    pub fn begin(&mut self, limits: &Limits, subject: Subject, live: u64, now: Timestamp) -> Result<(), String> {
        let begun = self.of(subject);
        // What lies ahead was before the clock was set back.
        while begun.front().is_some_and(|at| *at > now || now.since(*at) >= limits.window) {
            begun.pop_front();
        }
        let (would, secs) = (begun.len() as u64 + 1, limits.window.as_secs());
        let whom = match subject {
            Subject::Identity(_) => "",
            Subject::Mac(_) => " against MAC addresses that are nobody's",
        };
        if would > limits.runs || begun.len() >= MAX_REMEMBERED {
            return Err(format!("it has run {} times{whom} within {secs} s, which is its limit", would - 1));
        }
        if let Some(percent) = limits.percent
            && would > FEW
            && would * 100 > u64::from(percent) * live
        {
            return Err(format!(
                "{would} runs{whom} within {secs} s would be more than {percent} % of {live} sessions"
            ));
        }
        begun.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdentityId;
    use crate::inventory::mac::MacAddress;
    use std::time::Duration;

    fn somebody() -> Subject {
        Subject::Identity(IdentityId::of_name("coder"))
    }

    #[test]
    fn it_holds_at_a_number_and_at_a_share_and_goes_on_when_the_window_has_passed() {
        let limits = Limits { runs: 20, percent: Some(10), window: Duration::from_secs(60) };
        let start = Timestamp::from_unix_secs(1_790_000_000);
        let mut budget = Budget::default();
        for n in 0..20 {
            assert_eq!(budget.begin(&limits, somebody(), 1_000, start + Duration::from_secs(n)), Ok(()), "{n}");
        }
        let held = budget.begin(&limits, somebody(), 1_000, start + Duration::from_secs(30));
        assert!(held.unwrap_err().contains("20 times"));
        assert_eq!(budget.begin(&limits, somebody(), 1_000, start + Duration::from_secs(60)), Ok(()));
        let mut budget = Budget::default();
        let begun = (0..20).take_while(|_| budget.begin(&limits, somebody(), 50, start).is_ok()).count();
        assert_eq!(begun as u64, FEW, "a tenth of 50 is less than the few that always go");
        let mut budget = Budget::default();
        budget.recall(somebody(), start + Duration::from_secs(9_999));
        assert_eq!(budget.begin(&limits, somebody(), 0, start), Ok(()), "the clock was set back");
    }

    #[test]
    fn made_up_addresses_use_up_nothing_of_identities_and_those_that_only_tell_have_a_number_too() {
        let (limits, start) = (Limits::of(true), Timestamp::from_unix_secs(1_790_000_000));
        let mut budget = Budget::default();
        let made_up = |n: u8| Subject::Mac(MacAddress::new([2, 0, 0, 0, 0, n]));
        let begun = (0..99).take_while(|n| budget.begin(&limits, made_up(*n), 1_000, start).is_ok()).count();
        assert_eq!(begun as u64, limits.runs);
        assert!(budget.begin(&limits, made_up(99), 1_000, start).unwrap_err().contains("nobody's"));
        assert_eq!(budget.begin(&limits, somebody(), 1_000, start), Ok(()));
        let (limits, mut budget) = (Limits::of(false), Budget::default());
        let begun = (0..9_999).take_while(|_| budget.begin(&limits, somebody(), 0, start).is_ok()).count();
        assert_eq!(begun as u64, limits.runs, "whatever the share of sessions");
    }
}
