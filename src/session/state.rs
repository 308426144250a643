//! One stay on the network, put together from the decision that let it in and
//! from accounting records.
//!
//! Records come in any order, late and more than once. [`Session::merge`]
//! therefore takes the earlier, the later or the larger of two things, so that the
//! same set of records ends in the same session whatever order it came in.

use super::accounting::{AccountingRecord, AccountingStatus};
use super::meter::{Counters, Place};
use super::names::{SessionNames, ssid_of};
use crate::audit::decision::{Decision, IdentityRef};
use crate::ids::{DecisionId, SessionId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The terminate cause of sessions that their NAS's restart ended (RFC 2866 section 5.10).
const NAS_REBOOT: u32 = 11;
/// How long a session that tells of itself may be silent, in intervals between
/// what it told: two may be lost.
const SILENT_INTERVALS: u32 = 3;
/// However often it told of itself, a session is not over for being silent this
/// long: a link that fails for a while loses everything.
const SILENT_LEAST: Duration = Duration::from_secs(15 * 60);
/// NASes tell whole seconds, and what they tell crosses on its way.
pub(super) const SLACK: Duration = Duration::from_secs(5);
/// How long a NAS is away at least that restarts: a session that seems to have begun
/// later than this after all that was told of one that goes on is another.
const AWAY: Duration = Duration::from_secs(60);
/// How far the beginning that Acct-Session-Time implies may be from that which Start
/// tells: some NASes count from when the endpoint had an address.
const VAGUE: Duration = Duration::from_secs(5 * 60);
/// How long after it was last heard of a session that is taken to have ended may go on
/// all the same: its NAS may tell nothing, and the endpoint be there. As long as a change
/// may reach it, a revocation must.
pub const MAY_GO_ON: Duration = Duration::from_secs(7 * 24 * 3600);
/// Addresses of one session that are remembered, the latest.
pub const MAX_ADDRESSES: usize = 16;

/// What the NAS calls the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// The configured name of the NAS.
    pub nas_name: String,
    /// Which device of it; see [`AccountingRecord::device`].
    pub device: String,
    /// Acct-Session-Id. Until the NAS has told one, the Class that it was given.
    pub acct_session_id: String,
    /// The endpoint's MAC address, or else its Calling-Station-Id, or else nothing.
    pub station: String,
}

/// Where a session stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// It was let in; the NAS has told nothing of it yet.
    Authenticated,
    /// Start came.
    Started,
    /// Interim-Update came.
    Active,
    /// Stop came, or the NAS restarted.
    Stopped,
    /// It was silent for too long, or another one has taken its place: it must have
    /// ended, though nobody said so.
    Inferred,
}

impl SessionState {
    /// All states.
    pub const ALL: [SessionState; 5] =
        [Self::Authenticated, Self::Started, Self::Active, Self::Stopped, Self::Inferred];

    /// The name that is stored and filtered by.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Authenticated => "authenticated",
            Self::Started => "started",
            Self::Active => "active",
            Self::Stopped => "stopped",
            Self::Inferred => "inferred",
        }
    }

    /// The state with this [`code`](Self::code), if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }

    /// Whether the endpoint is still there, as far as is known.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Authenticated | Self::Started | Self::Active)
    }
}

/// The value that the latest record told; of two told at the same time, the larger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest<T> {
    at_us: i64,
    value: T,
}

/// A [`Latest`] that may not have been told yet.
type MaybeLatest<T> = Option<Latest<T>>;

fn offer<T: Clone + Ord>(slot: &mut MaybeLatest<T>, value: Option<&T>, at: Timestamp) {
    let Some(value) = value else { return };
    let at_us = at.as_micros();
    let newer = slot.as_ref().is_none_or(|old| (at_us, value) > (old.at_us, &old.value));
    if newer {
        *slot = Some(Latest { at_us, value: value.clone() });
    }
}

fn told<T>(slot: &MaybeLatest<T>) -> Option<&T> {
    slot.as_ref().map(|l| &l.value)
}

/// Why a session must have ended, though nobody said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inference {
    /// Nothing was heard of it for too long.
    Silent,
    /// The same endpoint has another session at the same NAS.
    Superseded,
}

/// A conclusion, and when it was drawn: what is heard of later makes it void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Closed {
    at_us: i64,
    why: Inference,
}

/// Who was let in, and as what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Granted {
    /// The decision.
    pub decision: DecisionId,
    /// Its identity, if it was recognised.
    pub identity: Option<String>,
    /// The profile.
    pub profile: Option<String>,
    /// How long the NAS was told that it may last, in seconds.
    pub session_timeout: Option<u32>,
    /// The VLAN, as the NAS was told it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vlan: Option<String>,
    /// The kind of its identity.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<String>,
}

/// What a session holds besides what is searched by; stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDetails {
    /// The earliest Start, in microseconds.
    start_us: Option<i64>,
    /// The earliest beginning that any record implies (its time less Acct-Session-Time).
    implied_us: Option<i64>,
    /// The latest Stop.
    stop_us: Option<i64>,
    /// The two latest Interim-Updates, the later first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    interim_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    before_us: Option<i64>,
    /// When its NAS restarted after all that was told of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    restarted_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    closed: Option<Closed>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    granted: MaybeLatest<Granted>,
    /// The decision that the NAS names by Class: a link to follow, no proof.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    class: MaybeLatest<DecisionId>,
    #[serde(default)]
    counters: Counters,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    terminate_cause: MaybeLatest<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    nas_address: MaybeLatest<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    names: MaybeLatest<SessionNames>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    user_name: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mac: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    calling_station: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    called_station: MaybeLatest<String>,
    /// Its addresses, those told last at the end; at most [`MAX_ADDRESSES`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    addresses: Vec<Place>,
}

/// One stay on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Our own id, made when it was first heard of.
    pub id: SessionId,
    /// The first session of the same stay: one that roams between NASes has a
    /// session at each.
    pub stay: SessionId,
    /// What the NAS calls it.
    pub key: SessionKey,
    /// How many earlier stays had the same key.
    pub reuse: u32,
    /// When the latest thing happened that was told of it.
    pub last_at: Timestamp,
    /// Everything else.
    pub details: SessionDetails,
}

impl Session {
    fn empty(id: SessionId, key: SessionKey, reuse: u32, at: Timestamp) -> Self {
        Self { id, stay: id, key, reuse, last_at: at, details: SessionDetails::default() }
    }

    /// The session that this record is the first to tell of.
    pub fn new(id: SessionId, key: SessionKey, reuse: u32, record: &AccountingRecord) -> Self {
        let mut session = Self::empty(id, key, reuse, record.event_time);
        session.merge(record);
        session
    }

    /// The session that this decision let in.
    pub fn let_in(id: SessionId, key: SessionKey, reuse: u32, decision: &Decision) -> Self {
        let mut session = Self::empty(id, key, reuse, decision.at);
        session.authenticated(decision);
        session
    }

    /// When the NAS told last of it, as far as that is known.
    fn told_last(&self) -> Option<i64> {
        let d = &self.details;
        d.start_us.max(d.interim_us).max(d.stop_us)
    }

    /// Whether the record is about another, later stay for which the NAS uses the same
    /// id again: what it tells of began after everything that was told of this one.
    /// Some NAS count from 1 again when they restart, whether or not they say so.
    pub fn is_reused_by(&self, record: &AccountingRecord) -> bool {
        let Some(last) = self.told_last() else {
            // It was let in, and has ended without a word.
            return record.status == AccountingStatus::Start
                && self.stopped_at().is_some_and(|end| record.event_time > end);
        };
        let ended = !self.state().is_live();
        match record.begun() {
            Some(begun) if record.status == AccountingStatus::Start => {
                let slack = if ended { Duration::ZERO } else { SLACK };
                begun > Timestamp::from_micros(last) + slack
            }
            Some(begun) => begun > Timestamp::from_micros(last) + if ended { SLACK } else { AWAY },
            None => false,
        }
    }

    /// Whether the record is about an earlier stay of the same id: it was before this
    /// one began.
    pub fn is_later_than(&self, record: &AccountingRecord) -> bool {
        let d = &self.details;
        // What other records imply is no more than a hint of when it began.
        let begun = d.start_us.map(|us| (us, SLACK)).or(d.implied_us.map(|us| (us, VAGUE)));
        begun.is_some_and(|(us, slack)| record.event_time + slack < Timestamp::from_micros(us))
    }

    /// Whether a record with its key is about this stay.
    pub fn is_told_of_by(&self, record: &AccountingRecord) -> bool {
        !self.is_reused_by(record) && !self.is_later_than(record)
    }

    /// Takes in that it was let in, or logged in again.
    pub fn authenticated(&mut self, decision: &Decision) {
        let at = decision.at;
        self.last_at = self.last_at.max(at);
        let seconds = decision.reply.iter().find(|(name, _)| name == "Session-Timeout");
        let granted = Granted {
            decision: decision.id,
            identity: decision.identity.as_ref().map(|IdentityRef { name, .. }| name.clone()),
            profile: decision.profile.clone(),
            session_timeout: seconds.and_then(|(_, value)| value.parse().ok()),
            vlan: decision.vlan().map(str::to_owned),
            kind: decision.identity.as_ref().map(|IdentityRef { kind, .. }| kind.clone()),
        };
        let d = &mut self.details;
        d.implied_us = least(d.implied_us, at);
        offer(&mut d.granted, Some(&granted), at);
        offer(&mut d.nas_address, Some(&decision.nas_address), at);
        offer(&mut d.names, Some(&decision.names), at);
        let user = decision.identity.as_ref().map(|i| &i.name).or(decision.outer_identity.as_ref());
        offer(&mut d.user_name, user, at);
        offer(&mut d.mac, decision.mac.as_ref(), at);
        offer(&mut d.calling_station, decision.calling_station.as_ref(), at);
        offer(&mut d.called_station, decision.called_station.as_ref(), at);
        self.reopen();
    }

    /// Takes in what the record tells. Counters never go back.
    pub fn merge(&mut self, record: &AccountingRecord) {
        let at = record.event_time;
        self.last_at = self.last_at.max(at);
        let d = &mut self.details;
        d.counters.take(record);
        let implied = at - Duration::from_secs(record.session_time.unwrap_or(0).into());
        d.implied_us = least(d.implied_us, implied);
        match record.status {
            AccountingStatus::Start => d.start_us = least(d.start_us, at),
            AccountingStatus::Stop => {
                d.stop_us = d.stop_us.max(Some(at.as_micros()));
                offer(&mut d.terminate_cause, record.terminate_cause.as_ref(), at);
            }
            AccountingStatus::Interim => d.interim(at.as_micros()),
            AccountingStatus::On | AccountingStatus::Off | AccountingStatus::Other(_) => {}
        }
        offer(&mut d.class, record.class.as_ref(), at);
        offer(&mut d.nas_address, Some(&record.nas_address), at);
        offer(&mut d.names, Some(&record.names), at);
        offer(&mut d.user_name, record.user_name.as_ref(), at);
        offer(&mut d.mac, record.mac.as_ref(), at);
        offer(&mut d.calling_station, record.calling_station.as_ref(), at);
        offer(&mut d.called_station, record.called_station.as_ref(), at);
        for address in [&record.framed_ip, &record.framed_ipv6].into_iter().flatten() {
            d.address(address, at);
        }
        self.reopen();
    }

    /// What was concluded of it before it was heard of again.
    fn reopen(&mut self) {
        let last = self.last_at.as_micros();
        let d = &mut self.details;
        d.restarted_us = d.restarted_us.filter(|restart| *restart > last);
        d.closed = d.closed.filter(|closed| closed.at_us >= last);
    }

    /// Takes note that the NAS restarted at `restart`. A session with something
    /// later to tell has outlived it; one that must have ended, had ended by then.
    pub fn nas_restarted(&mut self, restart: Timestamp) {
        let d = &mut self.details;
        if d.closed.is_none()
            && restart > self.last_at
            && d.restarted_us.is_none_or(|earlier| restart.as_micros() < earlier)
        {
            d.restarted_us = Some(restart.as_micros());
        }
    }

    /// Concludes at `at` that it must have ended. Whatever is heard of it then makes an
    /// end for silence void, be it of before `at`: our clock may have been wrong.
    pub fn close(&mut self, at: Timestamp, why: Inference) {
        if self.state().is_live() {
            let at = if why == Inference::Silent { self.last_at } else { at.max(self.last_at) };
            self.details.closed = Some(Closed { at_us: at.as_micros(), why });
        }
    }

    /// When it will have been silent for too long: after a few intervals in which
    /// it used to tell of itself, or `otherwise` if it never did.
    pub fn silent_at(&self, otherwise: Duration) -> Timestamp {
        let d = &self.details;
        let interval = match (d.interim_us, d.before_us.or(d.start_us)) {
            (Some(latest), Some(before)) => latest - before,
            _ => return self.last_at + otherwise,
        };
        let interval = Duration::from_micros(interval.max(0).unsigned_abs());
        self.last_at + (interval * SILENT_INTERVALS).clamp(SILENT_LEAST, otherwise.max(SILENT_LEAST))
    }

    /// Where it stands.
    pub fn state(&self) -> SessionState {
        let d = &self.details;
        match (d.stop_us.or(d.restarted_us), &d.closed, d.interim_us, d.start_us) {
            (Some(_), ..) => SessionState::Stopped,
            (None, Some(_), ..) => SessionState::Inferred,
            (None, None, Some(_), _) => SessionState::Active,
            (None, None, None, Some(_)) => SessionState::Started,
            (None, None, None, None) => SessionState::Authenticated,
        }
    }

    /// Whether the endpoint may be there at `now`: nobody said that it has gone.
    pub fn may_go_on(&self, now: Timestamp) -> bool {
        let state = self.state();
        state.is_live() || state == SessionState::Inferred && now.since(self.last_at) < MAY_GO_ON
    }

    /// When it began: what Start said, or else what the other records imply.
    pub fn started_at(&self) -> Timestamp {
        let us = self.details.start_us.or(self.details.implied_us);
        us.map_or(self.last_at, Timestamp::from_micros)
    }

    /// When it ended, if it did. Of one that must have ended, when it was last heard of.
    pub fn stopped_at(&self) -> Option<Timestamp> {
        let said = self.details.stop_us.or(self.details.restarted_us).map(Timestamp::from_micros);
        said.or(self.details.closed.map(|_| self.last_at))
    }

    /// Why it ended, by the names of RFC 2866 section 5.10; a number if it has no
    /// name. Nothing if nobody said.
    pub fn terminate_cause(&self) -> Option<String> {
        let cause = if self.details.stop_us.is_some() {
            told(&self.details.terminate_cause).copied()
        } else {
            self.details.restarted_us.map(|_| NAS_REBOOT)
        };
        cause.map(|n| terminate_cause_name(n).map_or_else(|| n.to_string(), str::to_owned))
    }

    /// Why it is concluded that it has ended.
    pub fn inference(&self) -> Option<Inference> {
        self.details.closed.filter(|_| self.state() == SessionState::Inferred).map(|closed| closed.why)
    }

    /// What the NAS counted.
    pub fn counters(&self) -> &Counters {
        &self.details.counters
    }

    /// User-Name: that of the identity, or what the NAS told last, which proves nothing.
    pub fn user_name(&self) -> Option<&str> {
        told(&self.details.user_name).map(String::as_str)
    }

    /// The identity that was let in.
    pub fn identity(&self) -> Option<&str> {
        told(&self.details.granted).and_then(|g| g.identity.as_deref())
    }

    /// The kind of its identity.
    pub fn kind(&self) -> Option<&str> {
        told(&self.details.granted).and_then(|g| g.kind.as_deref())
    }

    /// The profile that it was let in with.
    pub fn profile(&self) -> Option<&str> {
        told(&self.details.granted).and_then(|g| g.profile.as_deref())
    }

    /// The VLAN that the NAS was told.
    pub fn vlan(&self) -> Option<&str> {
        told(&self.details.granted).and_then(|g| g.vlan.as_deref())
    }

    /// The wireless network that it is on.
    pub fn ssid(&self) -> Option<&str> {
        told(&self.details.called_station).and_then(|called| ssid_of(called))
    }

    /// How long the NAS was told that it may last, in seconds.
    pub fn session_timeout(&self) -> Option<u32> {
        told(&self.details.granted).and_then(|g| g.session_timeout)
    }

    /// The endpoint's MAC address.
    pub fn mac(&self) -> Option<&str> {
        told(&self.details.mac).map(String::as_str)
    }

    /// The decision that let it in last: one of ours, or else what the NAS named.
    pub fn decision(&self) -> Option<DecisionId> {
        told(&self.details.granted).map(|g| g.decision).or_else(|| told(&self.details.class).copied())
    }

    /// Takes over what `other` was let in as, if it is by the same decision: an
    /// endpoint that roams is not always asked to log in again.
    pub fn inherit(&mut self, other: &Session) {
        if self.details.granted.is_none() && self.decision() == other.decision() {
            self.details.granted = other.details.granted.clone();
        }
    }

    /// The address that requests about it came from last.
    pub fn nas_address(&self) -> Option<IpAddr> {
        told(&self.details.nas_address).copied()
    }

    /// By what the NAS names it.
    pub fn names(&self) -> Option<&SessionNames> {
        told(&self.details.names)
    }

    /// Acct-Session-Id, once the NAS has told it.
    pub fn acct_session_id(&self) -> Option<&str> {
        self.names().and_then(|n| n.acct_session_id.as_deref())
    }

    /// NAS-IP-Address.
    pub fn nas_ip(&self) -> Option<Ipv4Addr> {
        self.names().and_then(|n| n.nas_ip)
    }

    /// NAS-Port-Id, or else NAS-Port.
    pub fn nas_port(&self) -> Option<String> {
        self.names().and_then(SessionNames::port)
    }

    /// Calling-Station-Id as it was sent.
    pub fn calling_station(&self) -> Option<&str> {
        told(&self.details.calling_station).map(String::as_str)
    }

    /// Called-Station-Id as it was sent.
    pub fn called_station(&self) -> Option<&str> {
        told(&self.details.called_station).map(String::as_str)
    }

    /// Acct-Multi-Session-Id.
    pub fn multi_session_id(&self) -> Option<&str> {
        self.names().and_then(|n| n.multi_session_id.as_deref())
    }

    /// The endpoint's addresses, in the order in which they were first told.
    pub fn addresses(&self) -> &[Place] {
        &self.details.addresses
    }

    /// The endpoint's IPv4 address, once the NAS knew it.
    pub fn framed_ip(&self) -> Option<&str> {
        self.latest_address(|a| a.is_ipv4())
    }

    /// The endpoint's IPv6 address, once the NAS knew it.
    pub fn framed_ipv6(&self) -> Option<&str> {
        self.latest_address(|a| a.is_ipv6())
    }

    fn latest_address(&self, of: impl Fn(&IpAddr) -> bool) -> Option<&str> {
        let family = |p: &&Place| p.value.parse().is_ok_and(|address| of(&address));
        let latest = self.details.addresses.iter().filter(family).max_by_key(|p| (p.last_us, &p.value));
        latest.map(|p| p.value.as_str())
    }

    /// Whether it had this address at a time: since it was first told until another
    /// of the same family was, or until it ended.
    pub fn had_address(&self, value: &str, at: Timestamp) -> bool {
        let at_us = at.as_micros();
        let Some(place) = self.details.addresses.iter().find(|p| p.value == value) else { return false };
        let same_family = |p: &&Place| p.value != value && p.value.contains(':') == value.contains(':');
        let next = self.details.addresses.iter().filter(same_family).map(|p| p.first_us);
        let next = next.filter(|first| *first > place.last_us).min();
        let until = next.or(self.stopped_at().map(Timestamp::as_micros)).unwrap_or(i64::MAX);
        (place.first_us..=until.max(place.last_us)).contains(&at_us)
    }

    /// Whether it was a Stop that ended it, rather than a restart.
    pub fn has_stop(&self) -> bool {
        self.details.stop_us.is_some()
    }
}

impl SessionDetails {
    /// Keeps the two latest, whatever the order in which they come.
    fn interim(&mut self, at_us: i64) {
        let mut known = [self.interim_us, self.before_us, Some(at_us)];
        known.sort_unstable_by(|a, b| b.cmp(a));
        self.interim_us = known[0];
        self.before_us = known.into_iter().find(|at| *at < known[0]).flatten();
    }

    fn address(&mut self, value: &str, at: Timestamp) {
        let at_us = at.as_micros();
        match self.addresses.iter_mut().find(|p| p.value == value) {
            Some(place) => place.seen(at_us),
            None => self.addresses.push(Place { value: value.to_owned(), first_us: at_us, last_us: at_us }),
        }
        self.addresses.sort_unstable_by(|a, b| (a.first_us, &a.value).cmp(&(b.first_us, &b.value)));
        if self.addresses.len() > MAX_ADDRESSES {
            self.addresses.remove(0);
        }
    }
}

fn least(old: Option<i64>, new: Timestamp) -> Option<i64> {
    let new = new.as_micros();
    Some(old.map_or(new, |old| old.min(new)))
}

/// The name of an Acct-Terminate-Cause (RFC 2866 section 5.10, RFC 3580 section 3.6).
fn terminate_cause_name(number: u32) -> Option<&'static str> {
    const NAMES: [&str; 22] = [
        "User-Request",
        "Lost-Carrier",
        "Lost-Service",
        "Idle-Timeout",
        "Session-Timeout",
        "Admin-Reset",
        "Admin-Reboot",
        "Port-Error",
        "NAS-Error",
        "NAS-Request",
        "NAS-Reboot",
        "Port-Unneeded",
        "Port-Preempted",
        "Port-Suspended",
        "Service-Unavailable",
        "Callback",
        "User-Error",
        "Host-Request",
        "Supplicant-Restart",
        "Reauthentication-Failure",
        "Port-Reinit",
        "Port-Disabled",
    ];
    NAMES.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
