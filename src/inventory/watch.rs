//! How all NASes behave, in memory: noted on the path of a request, stored now
//! and then.

use super::behaviour::{Baseline, Behaviour, Said};
use crate::signals::kind::Finding;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

/// Addresses whose behaviour is known, of about one KiB each. Beyond it those that
/// have been silent for longest make room.
pub const MAX_WATCHED: usize = 16_384;
/// How many make room at a time: looking for them looks at all.
const EVICTED: usize = MAX_WATCHED / 16;

/// Something unexpected about a NAS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NasSignal {
    /// The name of the NAS.
    pub name: String,
    /// Where it sends from.
    pub address: IpAddr,
    /// When it was seen.
    pub at: Timestamp,
    /// What it is.
    pub finding: Finding,
}

/// What has happened since somebody asked last.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct News {
    /// How those behave that have asked since.
    pub behaviours: Vec<Behaviour>,
    /// What was unexpected.
    pub signals: Vec<NasSignal>,
}

#[derive(Debug)]
struct Watched {
    behaviour: Behaviour,
    changed: bool,
    /// At most one an hour of each kind.
    findings: Vec<(Timestamp, Finding)>,
}

/// How all NASes behave, by the address that they send from.
#[derive(Debug, Default)]
pub struct NasWatch {
    baseline: Baseline,
    all: RwLock<HashMap<IpAddr, Mutex<Watched>>>,
}

impl NasWatch {
    /// One that knows nothing yet.
    pub fn new(baseline: Baseline) -> Self {
        Self { baseline, all: RwLock::default() }
    }

    /// How much history there must be before something is unexpected.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Takes up what was stored.
    pub fn recall(&self, stored: Vec<Behaviour>) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        for behaviour in stored.into_iter().take(MAX_WATCHED) {
            let watched = Watched { behaviour, changed: false, findings: Vec::new() };
            all.insert(watched.behaviour.address, Mutex::new(watched));
        }
    }

    /// Takes note of an Access-Request that was verified.
    pub fn note(&self, name: &str, source: IpAddr, said: &Said<'_>, now: Timestamp) {
        let address = source.to_canonical();
        let observe = |behaviour: &mut Behaviour| behaviour.observe(said, now, &self.baseline);
        if self.with(name, address, now, observe) {
            return;
        }
        {
            let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= MAX_WATCHED {
                evict(&mut all);
            }
            // Another worker may have been faster.
            all.entry(address).or_insert_with(|| {
                let behaviour = Behaviour::new(name.to_owned(), address, now);
                Mutex::new(Watched { behaviour, changed: true, findings: Vec::new() })
            });
        }
        self.with(name, address, now, observe);
    }

    /// Takes note of an Access-Request that was dropped for want of
    /// Message-Authenticator. Anybody may have sent it, so that nothing is learned
    /// but that it came.
    pub fn note_unproven(&self, name: &str, source: IpAddr, now: Timestamp) {
        self.with(name, source.to_canonical(), now, |behaviour| behaviour.unproven(now, &self.baseline));
    }

    /// How those behave that `wanted` picks.
    pub fn select(&self, wanted: impl Fn(&Behaviour) -> bool) -> Vec<Behaviour> {
        let all = self.read();
        let each = all.values().filter_map(|watched| {
            let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
            wanted(&watched.behaviour).then(|| watched.behaviour.clone())
        });
        each.collect()
    }

    /// What has happened since this was last called.
    pub fn news(&self) -> News {
        let mut news = News::default();
        for watched in self.read().values() {
            let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
            if !std::mem::take(&mut watched.changed) {
                continue;
            }
            let told = std::mem::take(&mut watched.findings);
            let behaviour = watched.behaviour.clone();
            let signal =
                |(at, finding)| NasSignal { name: behaviour.name.clone(), address: behaviour.address, at, finding };
            news.signals.extend(told.into_iter().map(signal));
            news.behaviours.push(behaviour);
        }
        news
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<IpAddr, Mutex<Watched>>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the address is watched; then it has taken in what came.
    fn with(
        &self,
        name: &str,
        address: IpAddr,
        now: Timestamp,
        take_in: impl FnOnce(&mut Behaviour) -> Vec<Finding>,
    ) -> bool {
        let all = self.read();
        let Some(watched) = all.get(&address) else { return false };
        let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.behaviour.name != name {
            // The address is another NAS's now.
            watched.behaviour = Behaviour::new(name.to_owned(), address, now);
            watched.findings.clear();
        }
        let findings = take_in(&mut watched.behaviour);
        watched.findings.extend(findings.into_iter().map(|finding| (now, finding)));
        watched.changed = true;
        true
    }
}

fn evict(all: &mut HashMap<IpAddr, Mutex<Watched>>) {
    let last = |watched: &mut Watched| watched.behaviour.last;
    let mut times: Vec<Timestamp> =
        all.values_mut().map(|w| last(w.get_mut().unwrap_or_else(PoisonError::into_inner))).collect();
    let (_, newest_evicted, _) = times.select_nth_unstable(EVICTED - 1);
    let limit = *newest_evicted;
    let mut room = EVICTED;
    all.retain(|_, watched| {
        let goes = room > 0 && last(watched.get_mut().unwrap_or_else(PoisonError::into_inner)) <= limit;
        room -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::behaviour::Method;
    use crate::signals::kind::SignalKind;
    use std::time::Duration;

    fn said(identifier: &str) -> Said<'_> {
        Said {
            identifier: Some(identifier.as_bytes()),
            addresses: [None, None],
            port_type: None,
            service_type: None,
            method: Method::Mab,
            message_authenticator: true,
            vendors: Vec::new(),
        }
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(1_764_000_000) + Duration::from_secs(secs)
    }

    fn quick() -> NasWatch {
        NasWatch::new(Baseline { requests: 2, span: Duration::from_secs(1) })
    }

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn what_happened_is_told_once() {
        let watch = quick();
        watch.note("sw1", SOURCE, &said("a"), at(0));
        watch.note("sw1", "::ffff:192.0.2.1".parse().unwrap(), &said("a"), at(1));
        let news = watch.news();
        assert_eq!((news.behaviours.len(), news.behaviours[0].requests, news.signals.len()), (1, 2, 0));
        assert_eq!(watch.news(), News::default());
        watch.note("sw1", SOURCE, &said("b"), at(2));
        let news = watch.news();
        let signal = &news.signals[0];
        assert_eq!((signal.name.as_str(), signal.address, signal.at), ("sw1", SOURCE, at(2)));
        assert_eq!(signal.finding.kind, SignalKind::NasNewIdentifier);
        assert_eq!(news.signals.len(), 1);
        assert_eq!(watch.news(), News::default());
    }

    #[test]
    fn what_was_stored_goes_on_and_another_nas_begins_anew() {
        let watch = quick();
        watch.note("sw1", SOURCE, &said("a"), at(0));
        watch.note("sw1", SOURCE, &said("a"), at(1));
        let again = quick();
        again.recall(watch.news().behaviours);
        assert_eq!(again.news(), News::default(), "it is stored already");
        again.note("sw1", SOURCE, &said("b"), at(9));
        assert_eq!(again.news().signals.len(), 1);
        again.note("sw2", SOURCE, &said("c"), at(10));
        let news = again.news();
        assert_eq!((news.behaviours[0].name.as_str(), news.behaviours[0].requests), ("sw2", 1));
        assert_eq!(news.behaviours[0].learned.identifiers, ["c"]);
        assert_eq!(news.signals, []);
    }

    #[test]
    fn the_longest_silent_make_room() {
        let watch = NasWatch::default();
        for n in 0..=MAX_WATCHED as u32 {
            watch.note("net", IpAddr::from(n.to_be_bytes()), &said("a"), at(u64::from(n)));
        }
        let all = watch.select(|_| true);
        assert_eq!(all.len(), MAX_WATCHED - EVICTED + 1);
        assert!(all.iter().all(|b| b.last >= at(EVICTED as u64)), "the oldest made room");
    }

    #[test]
    fn what_is_dropped_makes_nobody_known() {
        let watch = quick();
        watch.note_unproven("sw1", SOURCE, at(0));
        assert_eq!(watch.news(), News::default());
        watch.note("sw1", SOURCE, &said("a"), at(0));
        watch.note("sw1", SOURCE, &said("a"), at(1));
        watch.note_unproven("sw1", SOURCE, at(2));
        let news = watch.news();
        assert_eq!(news.signals[0].finding.kind, SignalKind::NasMessageAuthenticatorCeased);
        assert_eq!(news.behaviours[0].requests, 2);
    }
}
