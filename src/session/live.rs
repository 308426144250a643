//! The sessions that go on, and those that ended lately, in memory: decisions and
//! accounting records find theirs here, and what has changed is taken from here to
//! be stored.
//!
//! All sessions that go on are here. One that ended long ago is not: for a record
//! that may be about it, [`LiveSessions::unknown`] says what to look for and
//! [`LiveSessions::load`] takes in what was found, before the record is taken in.

use super::accounting::{AccountingRecord, AccountingStatus};
use super::state::{Inference, Session, SessionKey};
use crate::audit::decision::{Decision, DecisionOutcome, class_of};
use crate::ids::{DecisionId, SessionId};
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// Sessions in memory, of about one KiB each. Beyond it those that were silent for
/// longest are taken to have ended: only a NAS that makes sessions up gets there.
pub const MAX_SESSIONS: usize = 500_000;
/// How long one that has ended stays in memory: late records, and roaming that is
/// told by the new NAS after the old.
pub const LINGER: Duration = Duration::from_secs(15 * 60);
/// How much later than another one's beginning a session may have been heard of
/// and yet be the earlier: NASes tell whole seconds, and a login precedes its Start.
const SLACK: Duration = Duration::from_secs(5);
/// What is said of one decision's method, where it lets nobody in.
const NO_SESSION: &str = "acl-download";

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
}

/// The sessions in memory.
#[derive(Debug, Default)]
pub struct LiveSessions {
    all: HashMap<SessionId, Session>,
    /// The latest stay under each key.
    by_key: HashMap<SessionKey, SessionId>,
    by_station: HashMap<StationAt, Vec<SessionId>>,
    by_decision: HashMap<DecisionId, SessionId>,
    /// By station and Acct-Multi-Session-Id.
    by_stay: HashMap<(String, String), SessionId>,
    changed: BTreeSet<SessionId>,
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

    /// A session that is in memory.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.all.get(&id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.all.values()
    }

    /// Keys of sessions that the records are about and that are not here: they may
    /// be stored.
    pub fn unknown<'a>(&self, records: impl Iterator<Item = &'a AccountingRecord>) -> Vec<SessionKey> {
        let keys: HashSet<SessionKey> = records.filter_map(AccountingRecord::key).collect();
        keys.into_iter().filter(|key| !self.by_key.contains_key(key)).collect()
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
        if latest.is_none_or(|known| known.id == id || known.reuse <= session.reuse) {
            self.by_key.insert(session.key.clone(), id);
        }
        if let Some(decision) = session.decision() {
            let holder = self.by_decision.entry(decision).or_insert(id);
            // The one that the decision was made for, rather than one that roamed.
            *holder = (*holder).min(id);
        }
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
        let at = station_at(&session.key);
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
        if decision.outcome != DecisionOutcome::Accept && decision.enforced || decision.method == NO_SESSION {
            return;
        }
        if decision.class.is_none() || self.by_decision.contains_key(&decision.id) {
            return;
        }
        let station = decision.mac.as_ref().or(decision.calling_station.as_ref()).cloned().unwrap_or_default();
        let names = &decision.names;
        let mut key = SessionKey {
            nas_name: decision.nas_name.clone(),
            device: names.device.clone(),
            acct_session_id: names.acct_session_id.clone().unwrap_or_default(),
            station,
        };
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
        let reuse = self.by_key.get(&key).and_then(|id| self.all.get(id)).map_or(0, |s| s.reuse.saturating_add(1));
        let session = Session::let_in(SessionId::new(decision.at), key.clone(), reuse, decision);
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
        let known = self.by_key.get(&key).copied();
        let reused = known.and_then(|id| self.all.get(&id)).filter(|s| s.is_reused_by(record)).map(|s| s.reuse);
        let mine =
            known.filter(|_| reused.is_none()).or_else(|| self.unnamed(&key, record).filter(|_| known.is_none()));
        let mut counted = Counted {
            nas_name: record.nas_name.clone(),
            at: record.event_time,
            input_octets: 0,
            output_octets: 0,
            began: false,
        };
        let (before, session) = match mine.and_then(|id| self.take(id)) {
            Some(mut session) => {
                let before = (session.counters().input_octets(), session.counters().output_octets());
                counted.began = session.state() == super::SessionState::Authenticated;
                session.key = key.clone();
                session.merge(record);
                (before, session)
            }
            None => {
                counted.began = true;
                let reuse = reused.map_or(0, |reuse| reuse.saturating_add(1));
                let mut session = Session::new(SessionId::new(record.received), key.clone(), reuse, record);
                if let Some(other) = self.same_stay(&session, record) {
                    session.stay = other.stay;
                    session.inherit(other);
                }
                ((0, 0), session)
            }
        };
        let counters = session.counters();
        counted.input_octets = counters.input_octets().saturating_sub(before.0);
        counted.output_octets = counters.output_octets().saturating_sub(before.1);
        let began = counted.began;
        self.change(session);
        if began {
            self.supersede(&key);
        }
        Some(counted)
    }

    /// The session that was let in, and that this record is the first to name.
    fn unnamed(&self, key: &SessionKey, record: &AccountingRecord) -> Option<SessionId> {
        let is_unnamed = |s: &Session| {
            s.state() == super::SessionState::Authenticated
                && s.key.nas_name == key.nas_name
                && s.decision().is_some_and(|d| s.key.acct_session_id == class_of(d))
        };
        if let Some(decision) = record.class {
            let id = self.by_decision.get(&decision)?;
            return self.all.get(id).filter(|s| is_unnamed(s)).map(|s| s.id);
        }
        let id = self.at_port(key, record.names.port().as_deref())?;
        self.all.get(&id).filter(|s| is_unnamed(s)).map(|s| s.id)
    }

    /// Another session of the same stay: told by Acct-Multi-Session-Id, or by the
    /// Class of a decision that was made elsewhere.
    fn same_stay(&self, session: &Session, record: &AccountingRecord) -> Option<&Session> {
        let multi = session.multi_session_id().map(|multi| (session.key.station.clone(), multi.to_owned()));
        let by_multi = multi.and_then(|stay| self.by_stay.get(&stay));
        let same_station = |s: &&Session| s.key.station == session.key.station;
        let by_class = || {
            let id = record.class.and_then(|class| self.by_decision.get(&class))?;
            self.all.get(id).filter(same_station)
        };
        by_multi.and_then(|id| self.all.get(id)).or_else(by_class)
    }

    /// An endpoint has one session at a device: the one that began last. What was
    /// not heard of since has ended without a word.
    fn supersede(&mut self, key: &SessionKey) {
        let Some(ids) = self.by_station.get(&station_at(key)) else { return };
        let sessions: Vec<&Session> = ids.iter().filter_map(|id| self.all.get(id)).collect();
        let Some(latest) = sessions.iter().map(|s| (s.started_at(), s.id)).max() else { return };
        let over = |s: &&&Session| s.id != latest.1 && s.last_at <= latest.0 + SLACK;
        let over: Vec<SessionId> = sessions.iter().filter(over).map(|s| s.id).collect();
        for id in over {
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
        let of_device = |s: &&Session| s.key.nas_name == record.nas_name && s.key.device == record.names.device;
        let ids: Vec<SessionId> = self.all.values().filter(of_device).map(|s| s.id).collect();
        for id in ids {
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
        if self.all.len() > MAX_SESSIONS {
            let mut oldest: Vec<(Timestamp, SessionId)> = self.all.values().map(|s| (s.last_at, s.id)).collect();
            oldest.sort_unstable();
            let surplus = self.all.len() - MAX_SESSIONS;
            for (_, id) in oldest.into_iter().take(surplus) {
                self.close(id, now, Inference::Silent);
            }
        }
    }

    /// What has changed since it was last asked for.
    pub fn changes(&mut self) -> Vec<Session> {
        std::mem::take(&mut self.changed).iter().filter_map(|id| self.all.get(id)).cloned().collect()
    }
}

fn station_at(key: &SessionKey) -> StationAt {
    (key.nas_name.clone(), key.device.clone(), key.station.clone())
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
