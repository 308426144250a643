//! What is unlike somebody's own past, or cannot be: found in logins and accounting after they are stored, so that no
//! login waits for it.
//!
//! A pure function of what was seen before, what is seen, and the time of that. Nothing is unusual before there is
//! enough history; what was unusual is then known.

use super::kind::SignalKind;
use super::signal::{OURSELVES, Severity, Told};
use crate::audit::decision::{Decision, DecisionOutcome, IdentityRef};
use crate::audit::reason::Reason;
use crate::ids::{DecisionId, IdentityId};
use crate::inventory::mac::MacAddress;
use crate::session::live::Counted;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// Failed logins within [`FAILED_WITHIN`] that are more than mistakes.
const FAILED: usize = 5;
/// See [`FAILED`].
const FAILED_WITHIN: Duration = Duration::from_secs(600);
/// Logins before an hour is unusual.
const MIN_LOGINS: u32 = 50;
/// The time over which they came: two weeks, so that each weekday was there twice.
const MIN_SPAN: Duration = Duration::from_secs(14 * 24 * 3600);
/// Hours with traffic or sessions before their number is unusual.
const MIN_HOURS: u32 = 24;
/// By how much an hour exceeds the highest before it to be unusual.
const TIMES: u64 = 4;
/// Octets of an hour below which nothing is unusual: 100 MB, some pages and an update.
const MIN_OCTETS: u64 = 100_000_000;
/// Sessions of an hour below which nothing is unusual.
const MIN_SESSIONS: u64 = 20;
/// By how much the highest hour fades with each further one: a hundredth, so that what was once is forgotten.
const FADES: f64 = 0.99;
/// Those that are watched, at most; beyond it others are not, until some are forgotten.
const MAX_WATCHED: usize = 200_000;
/// Seconds of an hour.
const HOUR_SECS: i64 = 3600;

/// What detectors look at.
#[derive(Clone, PartialEq, Debug)]
pub enum Seen {
    /// A login.
    Login(Login),
    /// What a session has used since it was told last.
    Use {
        /// The login that led to it.
        decision: DecisionId,
        /// When.
        at: Timestamp,
        /// Octets in both directions.
        octets: u64,
        /// Whether it is new.
        began: bool,
    },
}

/// A login, as far as detectors ask.
#[derive(Clone, PartialEq, Debug)]
pub struct Login {
    decision: DecisionId,
    at: Timestamp,
    identity: Option<IdentityRef>,
    mac: Option<MacAddress>,
    credential: Option<String>,
    site: Option<String>,
    nas: String,
    hour: Option<u8>,
    outcome: DecisionOutcome,
    reason: Reason,
}

impl Login {
    /// The decision about it.
    pub fn decision(&self) -> DecisionId {
        self.decision
    }

    /// Who it was, if they were recognised.
    pub fn identity(&self) -> Option<&IdentityRef> {
        self.identity.as_ref()
    }
}

impl Seen {
    /// What a decision shows.
    pub fn of_decision(decision: &Decision) -> Seen {
        let fact = |name: &str| decision.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value);
        let text = |name: &str| fact(name).and_then(|value| value.as_str()).map(str::to_owned);
        let mac = decision.mac.as_deref().and_then(|mac| MacAddress::parse(mac).ok());
        Seen::Login(Login {
            decision: decision.id,
            at: decision.at,
            identity: decision.identity.clone(),
            credential: text("certificate.fingerprint").or_else(|| decision.mac.clone()),
            mac,
            site: text("nas.site"),
            nas: decision.nas_name.clone(),
            hour: fact("time.hour").and_then(|hour| hour.as_u64()).and_then(|hour| u8::try_from(hour).ok()),
            outcome: decision.outcome,
            reason: decision.reason,
        })
    }

    /// What accounting shows; nothing if it cannot be led back to a login.
    pub fn of_counted(counted: &Counted) -> Option<Seen> {
        let octets = counted.input_octets.saturating_add(counted.output_octets);
        Some(Seen::Use { decision: counted.decision?, at: counted.at, octets, began: counted.began })
    }
}

/// What an identity does in an hour, at most.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Hourly {
    /// The present hour since 1970, and what was counted in it.
    hour: i64,
    count: u64,
    /// Hours that are over in which there was anything.
    hours: u32,
    highest: f64,
    told: bool,
}

impl Hourly {
    /// Counts; whether that is unusual, once for each hour.
    fn add(&mut self, count: u64, at: Timestamp, least: u64) -> bool {
        let hour = at.unix_secs().div_euclid(HOUR_SECS);
        if hour > self.hour {
            if self.count > 0 {
                self.hours = self.hours.saturating_add(1);
                self.highest = (self.highest * FADES).max(self.count as f64);
            }
            (self.hour, self.count, self.told) = (hour, 0, false);
        }
        // What is told late belongs to an hour that is over.
        self.count = self.count.saturating_add(if hour == self.hour { count } else { 0 });
        let most = (self.highest * TIMES as f64).max(least as f64);
        let unusual = self.hours >= MIN_HOURS && self.count as f64 > most && !self.told;
        self.told |= unusual;
        unusual
    }
}

/// An identity's own past.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// The first login, in seconds since 1970.
    first: i64,
    logins: u32,
    /// Logins by hour of the day.
    hours: [u32; 24],
    octets: Hourly,
    sessions: Hourly,
}

/// The detectors, with what they have seen.
#[derive(Debug, Default)]
pub struct Detectors {
    baselines: HashMap<IdentityId, Baseline>,
    changed: BTreeSet<IdentityId>,
    /// Failed logins by the MAC address that was shown.
    failed: HashMap<String, VecDeque<Timestamp>>,
    /// Where a credential was let in last.
    places: HashMap<String, (String, String, Timestamp)>,
}

impl Detectors {
    /// Takes up what was stored.
    pub fn recall(&mut self, identity: IdentityId, baseline: Baseline) {
        if self.baselines.len() < MAX_WATCHED {
            self.baselines.insert(identity, baseline);
        }
    }

    /// What has changed since this was last called: to be stored.
    pub fn changed(&mut self) -> Vec<(IdentityId, Baseline)> {
        let ids = std::mem::take(&mut self.changed);
        ids.into_iter().filter_map(|id| Some((id, self.baselines.get(&id)?.clone()))).collect()
    }

    /// What a login shows. Two sites are apart if nobody gets from one to the other within `travel`.
    pub fn login(&mut self, login: &Login, travel: Duration) -> Vec<Told> {
        let mut found = Vec::new();
        match login.outcome {
            DecisionOutcome::Accept => {
                found.extend(self.moved(login, travel));
                found.extend(self.hour(login));
            }
            DecisionOutcome::Reject => found.extend(self.failed(login)),
            DecisionOutcome::Incomplete => {}
        }
        for told in &mut found {
            told.at = Some(login.at);
            told.identity = login.identity.as_ref().filter(|_| !told.claimed).map(|identity| identity.id);
            told.mac = login.mac;
            told.evidence("decision", &login.decision.to_string());
        }
        found
    }

    /// What an identity's use of the network shows. Of people it is not asked how many sessions they begin.
    pub fn used(&mut self, identity: &IdentityRef, at: Timestamp, octets: u64, began: bool) -> Vec<Told> {
        let mut found = Vec::new();
        let Some(baseline) = self.baseline(identity.id) else { return found };
        if baseline.octets.add(octets, at, MIN_OCTETS) {
            let (count, highest) = (baseline.octets.count, baseline.octets.highest);
            let detail = format!("{count} octets within an hour; so far at most {highest:.0}");
            found.push(Told::new(OURSELVES, SignalKind::ByteVolume, Severity::High, &detail));
        }
        if began && identity.kind != "user" && baseline.sessions.add(1, at, MIN_SESSIONS) {
            let (count, highest) = (baseline.sessions.count, baseline.sessions.highest);
            let detail = format!("{count} sessions began within an hour; so far at most {highest:.0}");
            found.push(Told::new(OURSELVES, SignalKind::CallRate, Severity::High, &detail));
        }
        for told in &mut found {
            (told.at, told.identity) = (Some(at), Some(identity.id));
        }
        found
    }

    fn baseline(&mut self, id: IdentityId) -> Option<&mut Baseline> {
        if !self.baselines.contains_key(&id) && self.baselines.len() >= MAX_WATCHED {
            return None;
        }
        self.changed.insert(id);
        Some(self.baselines.entry(id).or_default())
    }

    fn moved(&mut self, login: &Login, travel: Duration) -> Option<Told> {
        let (credential, site) = (login.credential.clone()?, login.site.clone()?);
        make_room(&mut self.places, |(_, _, seen)| login.at.since(*seen) > travel);
        let here = (site.clone(), login.nas.clone(), login.at);
        let (there, nas, seen) = self.places.insert(credential, here)?;
        let apart = login.at.since(seen).max(seen.since(login.at));
        if there == site || apart >= travel {
            return None;
        }
        let detail = format!(
            "its credential was let in at {there} ({nas}) and {} s later at {site} ({})",
            apart.as_secs(),
            login.nas
        );
        let mut told = Told::new(OURSELVES, SignalKind::ImpossibleMovement, Severity::High, &detail);
        let mut both = [there, site];
        both.sort_unstable();
        told.topic = both.join(" and ");
        Some(told)
    }

    fn hour(&mut self, login: &Login) -> Option<Told> {
        let (identity, hour) = (login.identity.as_ref()?, login.hour?);
        let baseline = self.baseline(identity.id)?;
        if baseline.logins == 0 {
            baseline.first = login.at.unix_secs();
        }
        let near = [hour + 23, hour, hour + 1].map(|hour| usize::from(hour % 24));
        let known = near.iter().any(|hour| baseline.hours[*hour] > 0);
        let settled =
            baseline.logins >= MIN_LOGINS && login.at.since(Timestamp::from_unix_secs(baseline.first)) >= MIN_SPAN;
        baseline.logins = baseline.logins.saturating_add(1);
        let count = &mut baseline.hours[usize::from(hour % 24)];
        *count = count.saturating_add(1);
        (settled && !known).then(|| {
            let detail = format!("it logged in at {hour} o'clock, unlike its {} logins before", baseline.logins - 1);
            Told::new(OURSELVES, SignalKind::UnusualHours, Severity::High, &detail)
        })
    }

    fn failed(&mut self, login: &Login) -> Option<Told> {
        if !is_of_credential(login.reason) {
            return None;
        }
        // Whoever fails proves nothing of whom they name: an outsider would have somebody else contained.
        let whose = login.mac?.to_string();
        let old = |at: &Timestamp| login.at.since(*at) > FAILED_WITHIN;
        make_room(&mut self.failed, |times| times.back().is_none_or(old));
        let times = self.failed.entry(whose).or_default();
        times.retain(|at| !old(at));
        times.push_back(login.at);
        if times.len() < FAILED {
            return None;
        }
        times.clear();
        let detail = format!(
            "{FAILED} logins within {} minutes, the latest at {}: {}",
            FAILED_WITHIN.as_secs() / 60,
            login.nas,
            login.reason.code()
        );
        let told = Told::new(OURSELVES, SignalKind::FailedLogins, Severity::High, &detail);
        Some(Told { claimed: true, ..told })
    }
}

/// Lets go of what is `stale` when there is too much; of everything, if that is not enough.
fn make_room<T>(map: &mut HashMap<String, T>, stale: impl Fn(&T) -> bool) {
    if map.len() >= MAX_WATCHED {
        map.retain(|_, value| !stale(value));
        if map.len() >= MAX_WATCHED {
            map.clear();
        }
    }
}

/// Whether a login failed for want of a good credential: not for a rule, whose refusals would otherwise raise the risk
/// that they follow from; and not for what grows old by itself.
fn is_of_credential(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::MacPasswordMismatch
            | Reason::UnknownCa
            | Reason::CertificateRevoked
            | Reason::WrongKeyUsage
            | Reason::CertificateInvalid
            | Reason::CertificateWeak
            | Reason::NoCertificate
            | Reason::PossessionNotProven
            | Reason::UnsupportedAuthentication
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(1_790_000_000 - 1_790_000_000 % 86_400) + Duration::from_secs(secs)
    }

    fn who(kind: &str) -> IdentityRef {
        IdentityRef { id: IdentityId::of_name(kind), name: kind.into(), kind: kind.into() }
    }

    fn login(secs: u64) -> Login {
        Login {
            decision: DecisionId::new(at(secs)),
            at: at(secs),
            identity: Some(who("user")),
            mac: Some(MacAddress::new([2, 0, 0x5e, 0, 0, 1])),
            credential: Some("a1".into()),
            site: Some("hq".into()),
            nas: "sw1".into(),
            hour: Some((secs / 3600 % 24) as u8),
            outcome: DecisionOutcome::Accept,
            reason: Reason::Accepted,
        }
    }

    const TRAVEL: Duration = Duration::from_secs(600);

    fn kinds(found: &[Told]) -> Vec<SignalKind> {
        found.iter().map(|told| told.kind).collect()
    }

    #[test]
    fn nobody_is_at_two_sites_at_once() {
        let mut detectors = Detectors::default();
        let there = |secs| Login { site: Some("branch".into()), nas: "sw2".into(), ..login(secs) };
        assert_eq!(detectors.login(&login(0), TRAVEL), []);
        let found = detectors.login(&there(60), TRAVEL);
        assert_eq!(kinds(&found), [SignalKind::ImpossibleMovement]);
        assert_eq!(found[0].identity, Some(who("user").id));
        assert!(found[0].detail.contains("hq (sw1) and 60 s later at branch (sw2)"), "{found:?}");
        assert_eq!(detectors.login(&login(60 + 600), TRAVEL), [], "who takes their time may travel");
        assert_eq!(
            detectors.login(&Login { credential: Some("b2".into()), ..there(661) }, TRAVEL),
            [],
            "another device"
        );
        assert_eq!(detectors.login(&Login { site: None, ..there(662) }, TRAVEL), [], "a NAS without a site");
    }

    #[test]
    fn failures_of_credentials_are_counted_and_refusals_by_rules_are_not() {
        let mut detectors = Detectors::default();
        let failed = |secs, reason| Login { outcome: DecisionOutcome::Reject, reason, ..login(secs) };
        for n in 0..20 {
            assert_eq!(detectors.login(&failed(n, Reason::PolicyDenied), TRAVEL), []);
            assert_eq!(detectors.login(&failed(n, Reason::CertificateExpired), TRAVEL), []);
        }
        for n in 0..9 {
            assert_eq!(detectors.login(&failed(n * 151, Reason::UnknownCa), TRAVEL), [], "slowly");
        }
        let found: Vec<_> =
            (2000..2010).flat_map(|secs| detectors.login(&failed(secs, Reason::UnknownCa), TRAVEL)).collect();
        assert_eq!(kinds(&found), [SignalKind::FailedLogins; 2]);
        assert_eq!((found[0].identity, found[0].mac), (None, login(0).mac));
    }

    #[test]
    fn an_hour_is_unusual_once_habits_are_known() {
        let mut detectors = Detectors::default();
        assert_eq!(detectors.login(&login(3 * 3600), TRAVEL), [], "there is no history");
        let mut detectors_of_days = |days: std::ops::Range<u64>| {
            for day in days {
                for hour in [8, 9, 12, 16] {
                    assert_eq!(detectors.login(&login((day * 24 + hour) * 3600), TRAVEL), []);
                }
            }
        };
        detectors_of_days(1..15);
        let night = (15 * 24 + 22) * 3600;
        assert_eq!(kinds(&detectors.login(&login(night), TRAVEL)), [SignalKind::UnusualHours]);
        assert_eq!(detectors.login(&login(night + 60), TRAVEL), [], "it is known now");
        assert_eq!(detectors.login(&login((15 * 24 + 10) * 3600), TRAVEL), [], "an hour beside a known one");
    }

    #[test]
    fn volumes_and_rates_are_held_against_their_own_past() {
        let mut detectors = Detectors::default();
        let agent = who("agent");
        assert_eq!(detectors.used(&agent, at(0), 1 << 40, true), [], "there is no history");
        let mut detectors = Detectors::default();
        for hour in 0..30 {
            for n in 0..10 {
                assert_eq!(detectors.used(&agent, at(hour * 3600 + n * 60), 5_000_000, true), []);
            }
        }
        // What is stored goes on.
        let mut again = Detectors::default();
        for (id, baseline) in detectors.changed() {
            again.recall(id, serde_json::from_str(&serde_json::to_string(&baseline).unwrap()).unwrap());
        }
        assert!(detectors.changed().is_empty());
        let now = 30 * 3600;
        assert_eq!(again.used(&agent, at(now), 190_000_000, false), []);
        let found = again.used(&agent, at(now + 1), 20_000_000, false);
        assert_eq!(kinds(&found), [SignalKind::ByteVolume]);
        assert!(found[0].detail.contains("210000000 octets within an hour; so far at most 50000000"), "{found:?}");
        assert_eq!(again.used(&agent, at(now + 2), 1 << 40, false), [], "once in an hour");
        let found: Vec<_> = (0..60).flat_map(|n| again.used(&agent, at(now + 100 + n), 0, true)).collect();
        assert_eq!(kinds(&found), [SignalKind::CallRate]);
    }
}
