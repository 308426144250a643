//! How fast many changes go: so many on their way in all and for one NAS, and so
//! many begun in a second, so that logins and switches do not suffer.

use crate::time::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// What may be begun at once although the rate says one by one: what a look each
/// tenth of a second finds due.
const BURST: Duration = Duration::from_millis(100);

/// The limits of a pace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Changes on their way.
    pub in_flight: usize,
    /// Changes on their way to one NAS: a switch has one small processor for them.
    pub per_nas: usize,
    /// Changes begun in a second; at least 1.
    pub per_second: u32,
}

impl Limits {
    /// How long it takes to begin so many, with as much again for NASes that are
    /// slower than this.
    pub fn takes(&self, changes: u64) -> Duration {
        Duration::from_secs(2 * changes / u64::from(self.per_second.max(1)))
    }
}

/// Why a change has to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// Enough are on their way to this NAS.
    Nas,
    /// Enough are on their way.
    Full,
    /// Enough were begun; go on at this time.
    Rate(Timestamp),
}

/// The changes that are on their way, counted.
#[derive(Debug)]
pub struct Pace {
    limits: Limits,
    in_flight: usize,
    by_nas: HashMap<String, usize>,
    /// When the next would be begun if they went one by one.
    next: Timestamp,
}

impl Pace {
    /// None on their way.
    pub fn new(limits: Limits) -> Pace {
        Pace { limits, in_flight: 0, by_nas: HashMap::new(), next: Timestamp::default() }
    }

    /// Other limits, for those that come.
    pub fn set(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Begins one to this NAS, if it may be. It must be [`finished`](Self::finished).
    ///
    /// # Errors
    /// Why not.
    pub fn begin(&mut self, nas: &str, now: Timestamp) -> Result<(), Held> {
        if self.in_flight >= self.limits.in_flight {
            return Err(Held::Full);
        }
        if self.by_nas.get(nas).is_some_and(|n| *n >= self.limits.per_nas) {
            return Err(Held::Nas);
        }
        // What lies further ahead than one second was set before the clock was set back.
        if self.next > now + BURST + Duration::from_secs(1) {
            self.next = now;
        }
        if self.next > now + BURST {
            return Err(Held::Rate(self.next - BURST));
        }
        self.next = self.next.max(now) + Duration::from_secs(1) / self.limits.per_second.max(1);
        self.in_flight += 1;
        *self.by_nas.entry(nas.to_owned()).or_default() += 1;
        Ok(())
    }

    /// One to this NAS is over, or waits again.
    pub fn finished(&mut self, nas: &str) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(n) = self.by_nas.get_mut(nas) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                self.by_nas.remove(nas);
            }
        }
    }

    /// How many are on their way.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// NASes to which nothing more may be begun now.
    pub fn busy(&self) -> Vec<String> {
        let busy = self.by_nas.iter().filter(|(_, n)| **n >= self.limits.per_nas);
        busy.map(|(nas, _)| nas.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_unix_secs(1_767_225_600);

    #[test]
    fn a_nas_that_is_slow_holds_up_nobody_else() {
        let mut pace = Pace::new(Limits { in_flight: 10, per_nas: 2, per_second: 1000 });
        let after = |ms| START + Duration::from_millis(ms);
        assert_eq!(pace.begin("slow", after(0)), Ok(()));
        assert_eq!(pace.begin("slow", after(0)), Ok(()));
        assert_eq!(pace.begin("slow", after(0)), Err(Held::Nas));
        assert_eq!(pace.busy(), ["slow"]);
        assert_eq!(pace.begin("other", after(0)), Ok(()));
        pace.finished("slow");
        assert_eq!(pace.begin("slow", after(0)), Ok(()));
        (0..7).for_each(|n| assert_eq!(pace.begin(&n.to_string(), after(1)), Ok(())));
        assert_eq!(pace.begin("more", after(2)), Err(Held::Full));
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up() {
        let mut pace = Pace::new(Limits { in_flight: 10, per_nas: 10, per_second: 1 });
        let later = START + Duration::from_secs(86_400);
        assert_eq!(pace.begin("sw", later), Ok(()));
        assert_eq!(pace.begin("sw", START), Ok(()));
        assert!(matches!(pace.begin("sw", START), Err(Held::Rate(_))), "the pace is kept again");
    }

    proptest! {
        #[test]
        fn no_limit_is_passed(
            steps in prop::collection::vec((0_u64..30, 0_u8..6, any::<bool>()), 400),
            per_second in 1_u32..200,
            in_flight in 1_usize..20,
            per_nas in 1_usize..5,
        ) {
            let mut pace = Pace::new(Limits { in_flight, per_nas, per_second });
            let (mut now, mut begun, mut on) = (START, Vec::new(), Vec::<u8>::new());
            for (ms, nas, finish) in steps {
                now = now + Duration::from_millis(ms);
                if finish && !on.is_empty() {
                    pace.finished(&on.remove(0).to_string());
                } else if pace.begin(&nas.to_string(), now).is_ok() {
                    on.push(nas);
                    begun.push(now);
                }
                prop_assert_eq!(pace.in_flight(), on.len());
                prop_assert!(on.len() <= in_flight);
                prop_assert!(on.iter().filter(|n| **n == nas).count() <= per_nas);
            }
            for (n, first) in begun.iter().enumerate() {
                let within = begun[n..].iter().filter(|at| at.since(*first) < Duration::from_secs(1)).count();
                // A second's worth, a burst's, and one.
                prop_assert!(within as u32 <= per_second + per_second / 10 + 2, "{} in a second", within);
            }
        }
    }
}
