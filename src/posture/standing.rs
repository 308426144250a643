//! What is known of one identity, from all who report of it.

use super::check::{Check, Value};
use super::report::{Refused, Report, Source};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Sources of one identity that are told apart; a further one takes the place of the one that was silent for
/// longest.
const MAX_SOURCES: usize = 8;

/// A value that was reported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// The value.
    pub value: Value,
    /// As of when.
    pub at: Timestamp,
    /// Until when it holds.
    pub until: Timestamp,
    /// Since when it has been the same.
    pub since: Timestamp,
}

impl Observation {
    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// What one source says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Told {
    /// When it reported last.
    at: Timestamp,
    /// A digest of its latest report, by which a repetition is known.
    digest: u64,
    checks: BTreeMap<Check, Observation>,
}

/// What is known of one identity.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    told: Vec<(Source, Told)>,
}

/// What came of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// Values are others than before, or were unknown.
    Changed,
    /// The same values, as of later.
    Renewed,
    /// The very same report again.
    Repeated,
}

impl Standing {
    /// Takes a report in. A check that the source no longer tells of is what it told last, until that no
    /// longer holds.
    ///
    /// # Errors
    /// See [`Refused`]; then nothing is changed.
    pub fn take(&mut self, report: &Report, now: Timestamp) -> Result<Taken, Refused> {
        let digest = digest_of(report);
        let known = self.told.iter_mut().find(|(source, _)| *source == report.source).map(|(_, told)| told);
        if known.as_ref().is_some_and(|told| told.at == report.at && told.digest == digest) {
            return Ok(Taken::Repeated);
        }
        report.admit(known.as_ref().map(|told| told.at), now)?;
        let told = match known {
            Some(told) => told,
            None => self.place_for(&report.source),
        };
        let mut taken = Taken::Renewed;
        (told.at, told.digest) = (report.at, digest);
        for (check, observed) in &report.checks {
            // A clock that is ahead does not make a value hold for longer.
            let until = report.at.min(now) + Duration::from_secs(observed.ttl_secs.into());
            let same = told.checks.get(check).filter(|old| old.value == observed.value && old.holds(now));
            let since = same.map_or(report.at, |old| old.since);
            if same.is_none() {
                taken = Taken::Changed;
            }
            let value = observed.value.clone();
            told.checks.insert(check.clone(), Observation { value, at: report.at, until, since });
        }
        told.checks.retain(|_, old| old.holds(now));
        Ok(taken)
    }

    fn place_for(&mut self, source: &Source) -> &mut Told {
        if self.told.len() >= MAX_SOURCES
            && let Some(oldest) = (0..self.told.len()).min_by_key(|n| self.told[*n].1.at)
        {
            self.told.swap_remove(oldest);
        }
        self.told.push((source.clone(), Told { at: Timestamp::default(), digest: 0, checks: BTreeMap::new() }));
        let last = self.told.len() - 1;
        &mut self.told[last].1
    }

    /// What is known of a check, and from whom: of several sources that which told last, and of those that
    /// told at the same time the one that is first by name.
    pub fn of(&self, check: &Check, now: Timestamp) -> Option<(&Observation, &Source)> {
        let all = self.told.iter().filter_map(|(source, told)| Some((told.checks.get(check)?, source)));
        all.filter(|(seen, _)| seen.holds(now))
            .max_by(|a, b| (a.0.at, std::cmp::Reverse(a.1)).cmp(&(b.0.at, std::cmp::Reverse(b.1))))
    }

    /// When a check was known last; nothing if it never was, or so long ago that it is forgotten.
    pub fn known_until(&self, check: &Check) -> Option<Timestamp> {
        self.told.iter().filter_map(|(_, told)| told.checks.get(check)).map(|seen| seen.until).max()
    }

    /// All checks of which something holds.
    pub fn checks(&self, now: Timestamp) -> BTreeMap<&Check, (&Observation, &Source)> {
        let names = self.told.iter().flat_map(|(_, told)| told.checks.keys());
        names.filter_map(|check| Some((check, self.of(check, now)?))).collect()
    }

    /// Who reports, and as of when last.
    pub fn sources(&self) -> impl Iterator<Item = (&Source, Timestamp)> {
        self.told.iter().map(|(source, told)| (source, told.at))
    }
}

/// Of what a report says; only its repetition is looked for by it.
fn digest_of(report: &Report) -> u64 {
    let text = serde_json::to_vec(&report.checks).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    digest.as_ref().first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdentityId;
    use crate::posture::report::{MAX_AHEAD, Observed};
    use serde_json::json;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(1_790_000_000 + secs)
    }

    fn report(secs: i64, source: Source, checks: &[(&str, serde_json::Value)]) -> Report {
        let observed = |(name, value): &(&str, serde_json::Value)| {
            let check: Check = name.parse().unwrap();
            let value = check.value(value).unwrap();
            (check, Observed { value, ttl_secs: 600 })
        };
        Report {
            identity: IdentityId::of_name("laptop-1"),
            source,
            at: at(secs),
            checks: checks.iter().map(observed).collect(),
        }
    }

    fn known(standing: &Standing, check: Check, secs: i64) -> Option<Value> {
        standing.of(&check, at(secs)).map(|(seen, _)| seen.value.clone())
    }

    #[test]
    fn a_value_holds_for_its_time_and_is_unknown_then() {
        let mut standing = Standing::default();
        let on = report(0, Source::Endpoint, &[("firewall", json!(true))]);
        assert_eq!(standing.take(&on, at(1)), Ok(Taken::Changed));
        assert_eq!(standing.take(&on, at(2)), Ok(Taken::Repeated));
        assert_eq!(known(&standing, Check::Firewall, 599), Some(Value::Flag(true)));
        assert_eq!(known(&standing, Check::Firewall, 600), None);
        let again = report(300, Source::Endpoint, &[("firewall", json!(true))]);
        assert_eq!(standing.take(&again, at(300)), Ok(Taken::Renewed));
        let (seen, source) = standing.of(&Check::Firewall, at(700)).unwrap();
        assert_eq!((seen.at, seen.since, source), (at(300), at(0), &Source::Endpoint));
    }

    #[test]
    fn what_is_repeated_old_or_ahead_changes_nothing() {
        let mut standing = Standing::default();
        standing.take(&report(100, Source::Endpoint, &[("firewall", json!(false))]), at(100)).unwrap();
        let before = standing.clone();
        let old = report(50, Source::Endpoint, &[("firewall", json!(true))]);
        assert_eq!(standing.take(&old, at(101)), Err(Refused::Replayed { given: at(50), known: at(100) }));
        let same_time = report(100, Source::Endpoint, &[("firewall", json!(true))]);
        assert!(matches!(standing.take(&same_time, at(101)), Err(Refused::Replayed { .. })));
        let ahead = report(101 + 121, Source::Endpoint, &[("firewall", json!(true))]);
        assert!(at(101) + MAX_AHEAD < ahead.at);
        assert_eq!(standing.take(&ahead, at(101)), Err(Refused::Ahead(ahead.at)));
        let stale = report(-90_000, Source::Osquery, &[("firewall", json!(true))]);
        assert!(matches!(standing.take(&stale, at(101)), Err(Refused::Old(_))));
        assert_eq!(standing, before);
    }

    #[test]
    fn a_clock_that_is_ahead_makes_nothing_hold_longer() {
        let mut standing = Standing::default();
        standing.take(&report(100, Source::Endpoint, &[("firewall", json!(true))]), at(0)).unwrap();
        assert_eq!(known(&standing, Check::Firewall, 600), None);
    }

    #[test]
    fn of_several_sources_the_latest_counts_and_their_number_is_bounded() {
        let mut standing = Standing::default();
        let mdm = Source::Connector("mdm".into());
        standing.take(&report(0, mdm.clone(), &[("firewall", json!(true))]), at(0)).unwrap();
        standing.take(&report(10, Source::Endpoint, &[("firewall", json!(false))]), at(10)).unwrap();
        assert_eq!(known(&standing, Check::Firewall, 11), Some(Value::Flag(false)));
        standing.take(&report(20, mdm, &[("firewall", json!(true))]), at(20)).unwrap();
        assert_eq!(known(&standing, Check::Firewall, 21), Some(Value::Flag(true)));
        for n in 0..100 {
            let source = Source::Connector(format!("c{n}"));
            standing.take(&report(30 + n, source, &[("edr", json!(true))]), at(30 + n)).unwrap();
        }
        assert_eq!(standing.sources().count(), MAX_SOURCES);
    }
}
