//! Who guesses passwords waits; whose password is guessed does not.
//!
//! Failures count for an account and the network they come from: there the wait grows. Those of an account from all
//! networks together slow down browsers that nobody signed in from before. Neither holds for a browser that is known
//! to be the operator's, nor for passkeys and providers, which cannot be guessed: nobody is locked out by others.

use crate::time::Timestamp;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Failures before the first wait: people mistype.
const FREE: u32 = 5;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long failures are remembered.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Failures of one account from anywhere, within [`MEMORY`], beyond which strangers wait for each other.
const SPREAD: u32 = 50;
/// How long strangers then wait after each failure.
const SPREAD_WAIT: Duration = Duration::from_secs(60);
/// Accounts and networks that are remembered. Beyond, those that failed longest ago are forgotten.
const MOST: usize = 20_000;

/// Where somebody comes from: who has one address of an IPv6 network has all of its 2^64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network(IpAddr);

impl Network {
    /// The network that an address stands for.
    pub fn of(address: IpAddr) -> Network {
        Network(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => IpAddr::V4(v4),
                None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            },
        })
    }
}

/// An account, and from where it is tried; from anywhere without it.
type Key = (String, Option<Network>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// What failed lately.
#[derive(Debug, Default)]
pub struct Throttle(HashMap<Key, Failures>);

fn account(name: &str) -> String {
    // An account is known by its name whatever its case; longer texts name nobody.
    name.chars().take(super::account::MAX_NAME + 1).flat_map(char::to_lowercase).collect()
}

impl Throttle {
    fn failures(&self, key: &Key, now: Timestamp) -> Option<Failures> {
        self.0.get(key).copied().filter(|f| now.since(f.last) < MEMORY)
    }

    /// How long somebody must wait before they may try again; a `known` browser waits for its own failures alone.
    pub fn wait(&self, name: &str, from: IpAddr, known: bool, now: Timestamp) -> Duration {
        let name = account(name);
        let left = |failures: Option<Failures>, wait: &dyn Fn(u32) -> Duration| {
            failures.map_or(Duration::ZERO, |f| wait(f.count).saturating_sub(now.since(f.last)))
        };
        let own = left(self.failures(&(name.clone(), Some(Network::of(from))), now), &|count| match count {
            0..FREE => Duration::ZERO,
            count => Duration::from_secs(1 << (count - FREE).min(10)).min(LONGEST),
        });
        let spread = left(self.failures(&(name, None), now), &|count| match count {
            0..SPREAD => Duration::ZERO,
            _ => SPREAD_WAIT,
        });
        if known { own } else { own.max(spread) }
    }

    /// Takes a try back that was counted before its outcome was known, and was none: the password was right, and a code
    /// is wanted. What failed before stays: else who knows the password could guess codes without end.
    pub fn unmade(&mut self, name: &str, from: IpAddr) {
        let name = account(name);
        for key in [(name.clone(), Some(Network::of(from))), (name, None)] {
            if let Some(failures) = self.0.get_mut(&key) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }

    /// Notes that somebody did not know the password.
    pub fn failed(&mut self, name: &str, from: IpAddr, now: Timestamp) {
        if self.0.len() + 2 > MOST {
            self.0.retain(|_, f| now.since(f.last) < MEMORY);
        }
        if self.0.len() + 2 > MOST {
            let mut times: Vec<Timestamp> = self.0.values().map(|f| f.last).collect();
            times.sort_unstable();
            let middle = times.get(times.len() / 2).copied().unwrap_or(now);
            self.0.retain(|_, f| f.last > middle);
        }
        let name = account(name);
        for key in [(name.clone(), Some(Network::of(from))), (name, None)] {
            let count = self.failures(&key, now).map_or(0, |f| f.count);
            self.0.insert(key, Failures { count: count.saturating_add(1), last: now });
        }
    }

    /// Notes that somebody whose try was counted did know it: what they mistyped before is forgotten.
    pub fn succeeded(&mut self, name: &str, from: IpAddr) {
        self.unmade(name, from);
        self.0.remove(&(account(name), Some(Network::of(from))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_guesses_waits_longer_each_time_and_others_do_not() {
        let mut throttle = Throttle::default();
        let mut waits = Vec::new();
        for _ in 0..18 {
            throttle.failed("anna", ip("192.0.2.1"), at(0));
            waits.push(throttle.wait("ANNA", ip("192.0.2.1"), true, at(0)).as_secs());
        }
        assert_eq!(waits[..8], [0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(*waits.last().unwrap(), LONGEST.as_secs());
        assert_eq!(throttle.wait("anna", ip("192.0.2.2"), false, at(0)), Duration::ZERO);
        assert_eq!(throttle.wait("ben", ip("192.0.2.1"), false, at(0)), Duration::ZERO);
        assert_eq!(throttle.wait("anna", ip("192.0.2.1"), false, at(3_600)), Duration::ZERO);
        throttle.unmade("Anna", ip("192.0.2.1"));
        assert!(throttle.wait("anna", ip("192.0.2.1"), false, at(0)) > Duration::ZERO);
        throttle.succeeded("Anna", ip("192.0.2.1"));
        assert_eq!(throttle.wait("anna", ip("192.0.2.1"), false, at(0)), Duration::ZERO);
    }

    #[test]
    fn an_account_that_is_guessed_from_everywhere_stays_open_to_its_own_browser() {
        let mut throttle = Throttle::default();
        for n in 0..60_u32 {
            throttle.failed("anna", IpAddr::from(n.to_be_bytes()), at(0));
        }
        assert_eq!(throttle.wait("anna", ip("192.0.2.9"), false, at(1)), SPREAD_WAIT - Duration::from_secs(1));
        assert_eq!(throttle.wait("anna", ip("192.0.2.9"), true, at(1)), Duration::ZERO);
    }

    #[test]
    fn neither_names_nor_addresses_without_end_fill_the_memory() {
        let mut throttle = Throttle::default();
        for n in 0..40_000_u32 {
            throttle.failed(&format!("n{n}"), IpAddr::from(n.to_be_bytes()), at(i64::from(n / 100)));
        }
        assert!(throttle.0.len() <= MOST, "{}", throttle.0.len());
        let mut one = Throttle::default();
        for n in 0..6 {
            one.failed("anna", ip(&format!("2001:db8::{n}")), at(0));
        }
        assert!(one.wait("anna", ip("2001:db8::ffff"), true, at(0)) > Duration::ZERO, "one network, many addresses");
    }
}
