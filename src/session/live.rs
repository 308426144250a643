//! The sessions that go on, and those that ended lately, in memory: decisions and
//! accounting records find theirs here, and what has changed is taken from here to
//! be stored.
//!
//! All sessions that go on are here. One that ended long ago is not: for a record
//! that may be about it, [`LiveSessions::unknown`] says what to look for and
//! [`LiveSessions::load`] takes in what was found, before the record is taken in.

use super::accounting::{AccountingRecord, AccountingStatus};
use super::state::{Inference, SLACK, Session, SessionKey};
use crate::audit::decision::{Decision, DecisionOutcome, class_of, decision_of_class};
use crate::ids::{DecisionId, SessionId};
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// Sessions in memory, of about one KiB each. Beyond it those of the NAS that has most
/// are taken to have ended, those that were silent for longest first: only a NAS that
/// makes sessions up gets there.
pub const MAX_SESSIONS: usize = 500_000;
/// One in so many makes room when there are too many, so that this is seldom.
const ROOM: usize = 10;
/// How long one that has ended stays in memory: late records, and roaming that is
/// told by the new NAS after the old.
pub const LINGER: Duration = Duration::from_secs(15 * 60);
/// Restarts of each device that are remembered for what is told late of the sessions
/// that they ended.
const MAX_RESTARTS: usize = 8;
/// Devices of which restarts are remembered; of others, late records are not held
/// against them.
const MAX_RESTARTED: usize = 65_536;
/// Sessions that one station may have at a device at once. An endpoint has one; more are
/// made of records whose times are wrong, and of those the longest silent have ended.
const MAX_AT_STATION: usize = 16;
/// What is said of one decision's method, where it lets nobody in.
const NO_SESSION: &str = "acl-download";

/// A device of a NAS: its configured name, and the device's own.
type DeviceOf = (String, String);
/// Where one endpoint can have one session: at a device.
type StationAt = (String, String, String);

/// What was counted in addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The configured name of the NAS.
    pub nas_name: String,
    /// When the record says that it was.
    pub at: Timestamp,
    /// Octets from the endpoint.
    pub input_octets: u64,
    /// Octets to the endpoint.
    pub output_octets: u64,
    /// Whether it was a session's first record.
    pub began: bool,
    /// The login that led to it, if it is known.
    pub decision: Option<DecisionId>,
}

/// The sessions in memory.
#[derive(Debug, Default)]
pub struct LiveSessions {
    all: HashMap<SessionId, Session>,
    /// The latest stay under each key.
    by_key: HashMap<SessionKey, SessionId>,
    /// Earlier stays under the same key, where there are any.
    earlier: HashMap<SessionKey, Vec<SessionId>>,
    by_station: HashMap<StationAt, Vec<SessionId>>,
    by_device: HashMap<DeviceOf, HashSet<SessionId>>,
    by_decision: HashMap<DecisionId, SessionId>,
    /// By station and Acct-Multi-Session-Id.
    by_stay: HashMap<(String, String), SessionId>,
    changed: BTreeSet<SessionId>,
    /// When devices restarted, by NAS and device, the latest at the end.
    restarts: HashMap<DeviceOf, Vec<Timestamp>>,
    /// When any of them restarted last: what was told later needs no look at them.
    restarted_last: Timestamp,
}

impl LiveSessions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.all.values()
    }

    /// Keys of sessions that the records and decisions are about and that are not here:
    /// they may be stored.
    pub fn unknown<'a>(
        &self,
        records: impl Iterator<Item = &'a AccountingRecord>,
        decisions: impl Iterator<Item = &'a Decision>,
    ) -> Vec<SessionKey> {
        let of_record = |record: &'a AccountingRecord| {
            let key = record.key()?;
            (!self.is_of_latest(&key, record)).then_some(key)
        };
        let of_decision = |decision: &'a Decision| {
            let named = lets_in(decision) && decision.names.acct_session_id.is_some();
            let key = named.then(|| key_of(decision))?;
            (!self.by_key.contains_key(&key)).then_some(key)
        };
        let keys: HashSet<SessionKey> =
            records.filter_map(of_record).chain(decisions.filter_map(of_decision)).collect();
        keys.into_iter().collect()
    }

    /// MAC addresses of new sessions that may belong to a stay of which nothing is here,
    /// each with the time at which it was told of.
    pub fn wanted_stays<'a>(
        &self,
        records: impl Iterator<Item = &'a AccountingRecord>,
        decisions: impl Iterator<Item = &'a Decision>,
    ) -> Vec<(&'a str, Timestamp)> {
        // One that was let in and not told of yet may itself belong to another's.
        let told_of =
            |id: &SessionId| self.all.get(id).is_some_and(|s| s.state() != super::SessionState::Authenticated);
        let is_here =
            |mac: &str, multi: &str| self.by_stay.get(&(mac.to_owned(), multi.to_owned())).is_some_and(told_of);
        let of_record = |record: &'a AccountingRecord| {
            let mac = record.mac.as_deref()?;
            let known = match &record.names.multi_session_id {
                Some(multi) => is_here(mac, multi),
                None => record.class.is_none_or(|class| self.by_decision.contains_key(&class)),
            };
            // The key last: to make it costs the most.
            (!known && !self.is_of_latest(&record.key()?, record)).then_some((mac, record.event_time))
        };
        let of_decision = |decision: &'a Decision| {
            let mac = decision.mac.as_deref().filter(|_| lets_in(decision))?;
            let multi = decision.names.multi_session_id.as_ref()?;
            (!is_here(mac, multi)).then_some((mac, decision.at))
        };
        records.filter_map(of_record).chain(decisions.filter_map(of_decision)).collect()
    }

    /// Takes in that a device restarted, as it was stored.
    pub fn load_restart(&mut self, nas_name: &str, device: &str, at: Timestamp) {
        let key = (nas_name.to_owned(), device.to_owned());
        if self.restarts.len() >= MAX_RESTARTED && !self.restarts.contains_key(&key) {
            return;
        }
        self.restarted_last = self.restarted_last.max(at);
        let known = self.restarts.entry(key).or_default();
        known.push(at);
        known.sort_unstable();
        known.dedup();
        let surplus = known.len().saturating_sub(MAX_RESTARTS);
        known.drain(..surplus);
    }

    /// Takes in a stored session. It is not a change.
    pub fn load(&mut self, session: Session) {
        if !self.all.contains_key(&session.id) {
            self.put(session);
        }
    }

    fn put(&mut self, session: Session) {
        let id = session.id;
        let latest = self.by_key.get(&session.key).and_then(|known| self.all.get(known));
        match latest.map(|known| (known.id, known.started_at() <= session.started_at())) {
            Some((known, _)) if known == id => {}
            Some((known, true)) => {
                self.by_key.insert(session.key.clone(), id);
                self.has_earlier(&session.key, known);
            }
            Some((_, false)) => self.has_earlier(&session.key, id),
            None => {
                self.by_key.insert(session.key.clone(), id);
            }
        }
        if let Some(decision) = session.decision() {
            let holder = self.by_decision.entry(decision).or_insert(id);
            // The one that the decision was made for, rather than one that roamed.
            *holder = (*holder).min(id);
        }
        self.by_device.entry(device_of(&session.key)).or_default().insert(id);
        let station = &session.key.station;
        if !station.is_empty() {
            let at = station_at(&session.key);
            if session.state().is_live() {
                let ids = self.by_station.entry(at).or_default();
                if !ids.contains(&id) {
                    ids.push(id);
                }
            } else if let Some(ids) = self.by_station.get_mut(&at) {
                ids.retain(|known| *known != id);
                if ids.is_empty() {
                    self.by_station.remove(&at);
                }
            }
            if let Some(multi) = session.multi_session_id() {
                self.by_stay.entry((station.clone(), multi.to_owned())).or_insert(id);
            }
        }
        self.all.insert(id, session);
    }

    fn has_earlier(&mut self, key: &SessionKey, id: SessionId) {
        let earlier = self.earlier.entry(key.clone()).or_default();
        if !earlier.contains(&id) {
            earlier.push(id);
        }
    }

    /// All stays under a key that are here, the latest first.
    fn stays_of(&self, key: &SessionKey) -> Vec<&Session> {
        let ids = self.by_key.get(key).into_iter().chain(self.earlier.get(key).into_iter().flatten());
        let mut all: Vec<&Session> = ids.filter_map(|id| self.all.get(id)).collect();
        all.sort_by_key(|s| std::cmp::Reverse((s.started_at(), s.id)));
        all.dedup_by_key(|s| s.id);
        all
    }

    /// How many stays under a key there were, so that a further one has another number.
    fn next_reuse(&self, key: &SessionKey) -> u32 {
        self.stays_of(key).iter().map(|s| s.reuse.saturating_add(1)).max().unwrap_or(0)
    }

    /// Takes it out to change it; [`LiveSessions::put`] brings it back.
    fn take(&mut self, id: SessionId) -> Option<Session> {
        let session = self.all.remove(&id)?;
        if self.by_key.get(&session.key) == Some(&id) {
            self.by_key.remove(&session.key);
        }
        if let Some(decision) = session.decision()
            && self.by_decision.get(&decision) == Some(&id)
        {
            self.by_decision.remove(&decision);
        }
        if let Some(multi) = session.multi_session_id() {
            let stay = (session.key.station.clone(), multi.to_owned());
            if self.by_stay.get(&stay) == Some(&id) {
                self.by_stay.remove(&stay);
            }
        }
        Some(session)
    }

    fn forget(&mut self, id: SessionId) {
        let Some(session) = self.take(id) else { return };
        if let Some(ids) = self.earlier.get_mut(&session.key) {
            ids.retain(|known| *known != id);
            if ids.is_empty() {
                self.earlier.remove(&session.key);
            }
        }
        self.leaves(&session.key, id);
    }

    /// It is not, or no longer, where this key says.
    fn leaves(&mut self, key: &SessionKey, id: SessionId) {
        let device = device_of(key);
        if let Some(ids) = self.by_device.get_mut(&device) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_device.remove(&device);
            }
        }
        let at = station_at(key);
        if let Some(ids) = self.by_station.get_mut(&at) {
            ids.retain(|known| *known != id);
            if ids.is_empty() {
                self.by_station.remove(&at);
            }
        }
    }

    fn change(&mut self, session: Session) {
        self.changed.insert(session.id);
        self.put(session);
    }

    /// Takes in that somebody was let in: a new session, or one that logged in again.
    pub fn decided(&mut self, decision: &Decision) {
        if !lets_in(decision) || self.by_decision.contains_key(&decision.id) {
            return;
        }
        let names = &decision.names;
        let mut key = key_of(decision);
        let known = match names.acct_session_id {
            Some(_) => self.by_key.get(&key).copied().filter(|id| self.is_live(*id)),
            None => self.at_port(&key, names.port().as_deref()),
        };
        if let Some(mut session) = known.and_then(|id| self.take(id)) {
            session.authenticated(decision);
            self.change(session);
            return;
        }
        if key.acct_session_id.is_empty() {
            key.acct_session_id = class_of(decision.id);
        }
        let reuse = self.next_reuse(&key);
        let mut session = Session::let_in(SessionId::new(decision.at), key.clone(), reuse, decision);
        self.join_stay(&mut session, None);
        self.change(session);
        self.supersede(&key);
    }

    fn is_live(&self, id: SessionId) -> bool {
        self.all.get(&id).is_some_and(|s| s.state().is_live())
    }

    /// The session of this station at this device, at the same port as far as both
    /// are known.
    fn at_port(&self, key: &SessionKey, port: Option<&str>) -> Option<SessionId> {
        if key.station.is_empty() {
            return None;
        }
        let ids = self.by_station.get(&station_at(key))?;
        let same = |s: &&Session| {
            s.state().is_live() && s.nas_port().is_none_or(|known| port.is_none_or(|port| port == known))
        };
        ids.iter().filter_map(|id| self.all.get(id)).filter(same).map(|s| s.id).max()
    }

    /// Takes in what a NAS tells. Says what was counted in addition.
    pub fn told(&mut self, record: &AccountingRecord) -> Option<Counted> {
        let Some(key) = record.key() else {
            if matches!(record.status, AccountingStatus::On | AccountingStatus::Off) {
                self.restarted(record);
            }
            return None;
        };
        let mine = self.stay_of(&key, record).or_else(|| self.unnamed(&key, record));
        let mut counted = Counted {
            nas_name: record.nas_name.clone(),
            at: record.event_time,
            input_octets: 0,
            output_octets: 0,
            began: false,
            decision: None,
        };
        let (before, mut session) = match mine.and_then(|id| self.take(id)) {
            Some(mut session) => {
                let before = (session.counters().input_octets(), session.counters().output_octets());
                counted.began = session.state() == super::SessionState::Authenticated;
                if session.key != key {
                    self.leaves(&session.key, session.id);
                    session.reuse = self.next_reuse(&key);
                    session.key = key.clone();
                }
                session.merge(record);
                (before, session)
            }
            None => {
                counted.began = true;
                let reuse = self.next_reuse(&key);
                ((0, 0), Session::new(SessionId::new(record.received), key.clone(), reuse, record))
            }
        };
        if counted.began {
            self.join_stay(&mut session, record.class);
        }
        if record.event_time < self.restarted_last {
            for restart in self.restarts.get(&(key.nas_name.clone(), key.device.clone())).into_iter().flatten() {
                session.nas_restarted(*restart);
            }
        }
        let counters = session.counters();
        counted.input_octets = counters.input_octets().saturating_sub(before.0);
        counted.output_octets = counters.output_octets().saturating_sub(before.1);
        counted.decision = session.decision();
        let began = counted.began;
        self.change(session);
        if began {
            self.supersede(&key);
        }
        Some(counted)
    }

    /// Whether a record is about the latest stay under its key, as most are.
    fn is_of_latest(&self, key: &SessionKey, record: &AccountingRecord) -> bool {
        self.by_key.get(key).and_then(|id| self.all.get(id)).is_some_and(|s| s.is_told_of_by(record))
    }

    /// Which of the stays under its key a record is about.
    fn stay_of(&self, key: &SessionKey, record: &AccountingRecord) -> Option<SessionId> {
        if self.is_of_latest(key, record) {
            return self.by_key.get(key).copied();
        }
        self.stays_of(key).into_iter().find(|s| s.is_told_of_by(record)).map(|s| s.id)
    }

    /// The session that was let in, and that this record is the first to name.
    fn unnamed(&self, key: &SessionKey, record: &AccountingRecord) -> Option<SessionId> {
        let is_unnamed = |s: &Session| {
            s.state() == super::SessionState::Authenticated
                && s.key.nas_name == key.nas_name
                && decision_of_class(s.key.acct_session_id.as_bytes()).is_some()
        };
        if let Some(decision) = record.class {
            let id = self.by_decision.get(&decision)?;
            return self.all.get(id).filter(|s| is_unnamed(s)).map(|s| s.id);
        }
        let id = self.at_port(key, record.names.port().as_deref())?;
        self.all.get(&id).filter(|s| is_unnamed(s)).map(|s| s.id)
    }

    /// Joins a new session with another of the same stay: told by Acct-Multi-Session-Id,
    /// or by the Class of a decision that was made elsewhere.
    fn join_stay(&self, session: &mut Session, class: Option<DecisionId>) {
        let multi = session.multi_session_id().map(|multi| (session.key.station.clone(), multi.to_owned()));
        let by_multi = multi.and_then(|stay| self.by_stay.get(&stay)).and_then(|id| self.all.get(id));
        let by_class = class.and_then(|class| self.by_decision.get(&class)).and_then(|id| self.all.get(id));
        let same_station = |s: &&Session| s.key.station == session.key.station;
        if let Some(other) = by_multi.or(by_class.filter(same_station)) {
            session.stay = other.stay;
            session.inherit(other);
        }
    }

    /// An endpoint has one session at a device: the one that began last. What was
    /// not heard of since has ended without a word.
    fn supersede(&mut self, key: &SessionKey) {
        let Some(ids) = self.by_station.get(&station_at(key)) else { return };
        let sessions: Vec<&Session> = ids.iter().filter_map(|id| self.all.get(id)).collect();
        let Some(latest) = sessions.iter().map(|s| (s.started_at(), s.id)).max() else { return };
        let over = |s: &&&Session| s.id != latest.1 && s.last_at <= latest.0 + SLACK;
        let over: Vec<SessionId> = sessions.iter().filter(over).map(|s| s.id).collect();
        let many = sessions.len().saturating_sub(over.len() + MAX_AT_STATION);
        let others = sessions.iter().copied().filter(|s| s.id != latest.1 && !over.contains(&s.id));
        let surplus = oldest(others, many);
        for id in over.into_iter().chain(surplus) {
            self.close(id, latest.0, Inference::Superseded);
        }
    }

    fn close(&mut self, id: SessionId, at: Timestamp, why: Inference) {
        if let Some(mut session) = self.take(id) {
            session.close(at, why);
            self.change(session);
        }
    }

    fn restarted(&mut self, record: &AccountingRecord) {
        self.load_restart(&record.nas_name, &record.names.device, record.event_time);
        let device = (record.nas_name.clone(), record.names.device.clone());
        for id in self.by_device.get(&device).cloned().unwrap_or_default() {
            if let Some(mut session) = self.take(id) {
                let before = session.clone();
                session.nas_restarted(record.event_time);
                if session == before { self.put(session) } else { self.change(session) }
            }
        }
    }

    /// Concludes that those have ended which were silent for too long at `now`:
    /// those that never told of themselves, after `otherwise`. Forgets those that
    /// ended a while ago and were stored.
    pub fn sweep(&mut self, now: Timestamp, otherwise: Duration) {
        let silent = |s: &&Session| {
            // What the NAS was told ends a session, too, if it was told to.
            let limit = s.session_timeout().map_or(otherwise, |secs| otherwise.max(Duration::from_secs(secs.into())));
            s.state().is_live() && s.silent_at(limit) <= now
        };
        let silent: Vec<SessionId> = self.all.values().filter(silent).map(|s| s.id).collect();
        silent.into_iter().for_each(|id| self.close(id, now, Inference::Silent));
        let gone = |s: &&Session| !s.state().is_live() && s.last_at + LINGER <= now && !self.changed.contains(&s.id);
        let gone: Vec<SessionId> = self.all.values().filter(gone).map(|s| s.id).collect();
        gone.into_iter().for_each(|id| self.forget(id));
    }

    /// Keeps the bound of [`MAX_SESSIONS`]. Call it when what had changed is stored, and
    /// before more is taken in.
    pub fn make_room(&mut self) {
        self.keep_to(MAX_SESSIONS);
    }

    /// Forgets what has ended and is stored, and then takes sessions of the NAS that has
    /// most to have ended. Those are forgotten next time.
    fn keep_to(&mut self, most: usize) {
        if self.all.len() <= most {
            return;
        }
        let goal = most - most / ROOM;
        let ended = |s: &&Session| !s.state().is_live() && !self.changed.contains(&s.id);
        let ended = oldest(self.all.values().filter(ended), self.all.len() - goal);
        ended.into_iter().for_each(|id| self.forget(id));
        let mut by_nas: HashMap<&str, usize> = HashMap::new();
        for session in self.all.values().filter(|s| s.state().is_live()) {
            *by_nas.entry(&session.key.nas_name).or_default() += 1;
        }
        let largest = by_nas.into_iter().max_by_key(|(_, count)| *count).map(|(nas, _)| nas.to_owned());
        let Some(largest) = largest.filter(|_| self.all.len() > most) else { return };
        let of_largest = |s: &&Session| s.state().is_live() && s.key.nas_name == largest;
        for id in oldest(self.all.values().filter(of_largest), self.all.len() - goal) {
            self.close(id, Timestamp::default(), Inference::Silent);
        }
    }

    /// What has changed since it was last asked for.
    pub fn changes(&mut self) -> Vec<Session> {
        std::mem::take(&mut self.changed).iter().filter_map(|id| self.all.get(id)).cloned().collect()
    }
}

/// Whether somebody was let in, or would have been refused at a NAS that is only
/// observed.
fn lets_in(decision: &Decision) -> bool {
    (decision.outcome == DecisionOutcome::Accept || !decision.enforced)
        && decision.method != NO_SESSION
        && decision.class.is_some()
}

/// What the NAS called the session when it asked; without a name of its own, if it
/// gave none.
fn key_of(decision: &Decision) -> SessionKey {
    SessionKey {
        nas_name: decision.nas_name.clone(),
        device: decision.names.device.clone(),
        acct_session_id: decision.names.acct_session_id.clone().unwrap_or_default(),
        station: decision.mac.as_ref().or(decision.calling_station.as_ref()).cloned().unwrap_or_default(),
    }
}

/// The sessions that were silent for longest, at most so many.
fn oldest<'a>(some: impl Iterator<Item = &'a Session>, most: usize) -> Vec<SessionId> {
    let mut all: Vec<(Timestamp, SessionId)> = some.map(|s| (s.last_at, s.id)).collect();
    all.sort_unstable();
    all.into_iter().take(most).map(|(_, id)| id).collect()
}

fn device_of(key: &SessionKey) -> DeviceOf {
    (key.nas_name.clone(), key.device.clone())
}

fn station_at(key: &SessionKey) -> StationAt {
    (key.nas_name.clone(), key.device.clone(), key.station.clone())
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
