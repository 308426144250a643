//! When a delivery that failed is tried again, and how long a receiver that fails is left alone.

use std::time::Duration;

/// After the first failure of a delivery; doubled by each further one.
const FIRST: Duration = Duration::from_secs(5);
/// The longest time between two attempts of one delivery: a day has eight more of them.
const LONGEST: Duration = Duration::from_secs(3 * 3600);
/// By how many percent it may be more or less, so that what failed together does not come back together.
const JITTER: u32 = 20;
/// How long a receiver is left alone after its first failure in a row; doubled by each further one.
const REST: Duration = Duration::from_secs(1);
/// The longest rest: one that is there again gets what waits within that time.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The time until the next attempt, after `attempts` that failed. `dice` is random.
pub fn again_after(attempts: u32, dice: u32) -> Duration {
    let plain = doubled(FIRST, attempts.saturating_sub(1), LONGEST);
    plain * (100 - JITTER + dice % (2 * JITTER + 1)) / 100
}

/// How long a receiver is asked for nothing that has failed so often in a row.
pub fn rest_after(failures: u32) -> Duration {
    doubled(REST, failures.saturating_sub(1), LONGEST_REST)
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_holds_a_score_of_attempts_and_none_comes_too_soon() {
        let (mut at, mut attempts) = (Duration::ZERO, 1);
        while at < Duration::from_secs(24 * 3600) {
            at += again_after(attempts, JITTER);
            attempts += 1;
        }
        assert!((15..25).contains(&attempts), "{attempts}");
        assert_eq!(again_after(1, 0), Duration::from_secs(4));
        assert_eq!(again_after(1, 2 * JITTER), Duration::from_secs(6));
        assert_eq!(again_after(u32::MAX, JITTER), LONGEST);
        assert_eq!((rest_after(1), rest_after(u32::MAX)), (REST, LONGEST_REST));
    }
}
