//! One stay on the network, put together from accounting records.
//!
//! Records come in any order, late and more than once. [`Session::merge`]
//! therefore only ever takes the earlier, the later or the larger of two
//! things, so that the same set of records ends in the same session whatever
//! order it came in.

use super::accounting::{AccountingRecord, AccountingStatus};
use crate::ids::{DecisionId, SessionId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// The terminate cause of sessions that their NAS's restart ended (RFC 2866 section 5.10).
const NAS_REBOOT: u32 = 11;

/// What the NAS calls the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// The configured name of the NAS.
    pub nas_name: String,
    /// Which device of it; see [`AccountingRecord::device`].
    pub device: String,
    /// Acct-Session-Id.
    pub acct_session_id: String,
    /// The endpoint's MAC address, or else its Calling-Station-Id, or else nothing.
    pub station: String,
}

/// Whether the endpoint is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Start or Interim came, and nothing that ended it.
    Active,
    /// Stop came, or the NAS restarted.
    Stopped,
}

impl SessionState {
    /// Both states.
    pub const ALL: [SessionState; 2] = [Self::Active, Self::Stopped];

    /// The name that is stored and filtered by.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stopped => "stopped",
        }
    }

    /// The state with this [`code`](Self::code), if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
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

/// What a session holds besides what is searched by; stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDetails {
    /// The earliest Start, in microseconds.
    start_us: Option<i64>,
    /// The earliest beginning that any record implies (its time less Acct-Session-Time).
    implied_us: Option<i64>,
    /// The latest Stop.
    stop_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    terminate_cause: MaybeLatest<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    nas_address: MaybeLatest<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    nas_port: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    user_name: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mac: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    calling_station: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    called_station: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    multi_session_id: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    framed_ip: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    framed_ipv6: MaybeLatest<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    decision: MaybeLatest<DecisionId>,
}

/// One stay on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Our own id, made when its first record came.
    pub id: SessionId,
    /// What the NAS calls it.
    pub key: SessionKey,
    /// How many earlier stays had the same key.
    pub reuse: u32,
    /// When the latest thing happened that was told of it.
    pub last_at: Timestamp,
    /// When the NAS restarted after that, if it did.
    pub restarted_at: Option<Timestamp>,
    /// Octets from the endpoint.
    pub input_octets: u64,
    /// Octets to the endpoint.
    pub output_octets: u64,
    /// Packets from the endpoint.
    pub input_packets: u64,
    /// Packets to the endpoint.
    pub output_packets: u64,
    /// Seconds it has lasted, as the NAS counts.
    pub session_time: u32,
    /// Everything else.
    pub details: SessionDetails,
}

impl Session {
    /// The session that this record is the first to tell of.
    pub fn new(id: SessionId, key: SessionKey, reuse: u32, record: &AccountingRecord) -> Self {
        let mut session = Self {
            id,
            key,
            reuse,
            last_at: record.event_time,
            restarted_at: None,
            input_octets: 0,
            output_octets: 0,
            input_packets: 0,
            output_packets: 0,
            session_time: 0,
            details: SessionDetails::default(),
        };
        session.merge(record);
        session
    }

    /// Whether the record is about another, later stay for which the NAS uses
    /// the same id again: a Start after everything that is known of a session
    /// that ended. Some NAS count from 1 again when they restart.
    pub fn is_reused_by(&self, record: &AccountingRecord) -> bool {
        record.status == AccountingStatus::Start
            && self.stopped_at().is_some_and(|end| record.event_time > end.max(self.last_at))
    }

    /// Takes in what the record tells. Counters never go back.
    pub fn merge(&mut self, record: &AccountingRecord) {
        let at = record.event_time;
        self.last_at = self.last_at.max(at);
        self.input_octets = self.input_octets.max(record.input_octets);
        self.output_octets = self.output_octets.max(record.output_octets);
        self.input_packets = self.input_packets.max(record.input_packets);
        self.output_packets = self.output_packets.max(record.output_packets);
        self.session_time = self.session_time.max(record.session_time);

        let d = &mut self.details;
        let implied = at - Duration::from_secs(record.session_time.into());
        d.implied_us = least(d.implied_us, implied);
        match record.status {
            AccountingStatus::Start => d.start_us = least(d.start_us, at),
            AccountingStatus::Stop => {
                d.stop_us = d.stop_us.max(Some(at.as_micros()));
                offer(&mut d.terminate_cause, record.terminate_cause.as_ref(), at);
            }
            _ => {}
        }
        offer(&mut d.nas_address, Some(&record.nas_address), at);
        offer(&mut d.nas_port, record.nas_port.as_ref(), at);
        offer(&mut d.user_name, record.user_name.as_ref(), at);
        offer(&mut d.mac, record.mac.as_ref(), at);
        offer(&mut d.calling_station, record.calling_station.as_ref(), at);
        offer(&mut d.called_station, record.called_station.as_ref(), at);
        offer(&mut d.multi_session_id, record.multi_session_id.as_ref(), at);
        offer(&mut d.framed_ip, record.framed_ip.as_ref(), at);
        offer(&mut d.framed_ipv6, record.framed_ipv6.as_ref(), at);
        offer(&mut d.decision, record.class.as_ref(), at);
        self.restarted_at = self.restarted_at.filter(|restart| *restart > self.last_at);
    }

    /// Takes note that the NAS restarted at `restart`. A session with something
    /// later to tell has outlived it.
    pub fn nas_restarted(&mut self, restart: Timestamp) {
        if restart > self.last_at && self.restarted_at.is_none_or(|earlier| restart < earlier) {
            self.restarted_at = Some(restart);
        }
    }

    /// Whether the endpoint is still there.
    pub fn state(&self) -> SessionState {
        if self.stopped_at().is_some() { SessionState::Stopped } else { SessionState::Active }
    }

    /// When it began: what Start said, or else what the other records imply.
    pub fn started_at(&self) -> Timestamp {
        let us = self.details.start_us.or(self.details.implied_us);
        us.map_or(self.last_at, Timestamp::from_micros)
    }

    /// When it ended, if it did.
    pub fn stopped_at(&self) -> Option<Timestamp> {
        self.details.stop_us.map(Timestamp::from_micros).or(self.restarted_at)
    }

    /// Why it ended, by the names of RFC 2866 section 5.10; a number if it has no name.
    pub fn terminate_cause(&self) -> Option<String> {
        let cause = if self.details.stop_us.is_some() {
            told(&self.details.terminate_cause).copied()
        } else {
            self.restarted_at.map(|_| NAS_REBOOT)
        };
        cause.map(|n| terminate_cause_name(n).map_or_else(|| n.to_string(), str::to_owned))
    }

    /// User-Name as the NAS told last. It proves nothing.
    pub fn user_name(&self) -> Option<&str> {
        told(&self.details.user_name).map(String::as_str)
    }

    /// The endpoint's MAC address.
    pub fn mac(&self) -> Option<&str> {
        told(&self.details.mac).map(String::as_str)
    }

    /// The decision that let it in last, as the NAS told by Class.
    pub fn decision(&self) -> Option<DecisionId> {
        told(&self.details.decision).copied()
    }

    /// The address that accounting for it came from last.
    pub fn nas_address(&self) -> Option<IpAddr> {
        told(&self.details.nas_address).copied()
    }

    /// NAS-Port-Id, or else NAS-Port.
    pub fn nas_port(&self) -> Option<&str> {
        told(&self.details.nas_port).map(String::as_str)
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
        told(&self.details.multi_session_id).map(String::as_str)
    }

    /// The endpoint's IPv4 address, once the NAS knew it.
    pub fn framed_ip(&self) -> Option<&str> {
        told(&self.details.framed_ip).map(String::as_str)
    }

    /// The endpoint's IPv6 address, once the NAS knew it.
    pub fn framed_ipv6(&self) -> Option<&str> {
        told(&self.details.framed_ipv6).map(String::as_str)
    }

    /// Whether it was a Stop that ended it, rather than a restart.
    pub fn has_stop(&self) -> bool {
        self.details.stop_us.is_some()
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
