//! One accounting record (RFC 2866), read from a request's attributes.

use super::attributes as attr;
use super::names::{self, SessionNames, first};
use super::state::SessionKey;
use crate::audit::decision::decision_of_class;
use crate::ids::DecisionId;
use crate::inventory::mac::MacAddress;
use crate::inventory::sensor::{self, Clue};
use crate::radius::packet::Tlvs;
use crate::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// How far an Event-Timestamp may lie ahead of our clock before the NAS's clock
/// is taken to be wrong and our own is used: a day, so that a wrong time zone
/// does not count as wrong.
const MAX_AHEAD: Duration = Duration::from_secs(24 * 3600);

/// How old an Event-Timestamp may be: a NAS that could not reach us for a month
/// may still deliver what it kept. Switches without a clock begin at 1970 or 1993.
const MAX_AGE: Duration = Duration::from_secs(31 * 24 * 3600);

/// How much Acct-Delay-Time is believed, for the same reason.
const MAX_DELAY_SECS: u32 = 31 * 24 * 3600;

/// Acct-Status-Type (RFC 2866 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountingStatus {
    /// A session began.
    Start,
    /// A session ended.
    Stop,
    /// A session goes on (Interim-Update).
    Interim,
    /// The NAS started: none of its earlier sessions exists any more.
    On,
    /// The NAS is about to stop.
    Off,
    /// Tunnel and other records, which are stored but say nothing of a session.
    Other(u32),
}

impl AccountingStatus {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        match self {
            Self::Start => 1,
            Self::Stop => 2,
            Self::Interim => 3,
            Self::On => 7,
            Self::Off => 8,
            Self::Other(n) => n,
        }
    }

    /// The name that is counted by; a closed list.
    pub fn code(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Interim => "interim",
            Self::On => "on",
            Self::Off => "off",
            Self::Other(_) => "other",
        }
    }
}

impl From<u32> for AccountingStatus {
    fn from(number: u32) -> Self {
        match number {
            1 => Self::Start,
            2 => Self::Stop,
            3 => Self::Interim,
            7 => Self::On,
            8 => Self::Off,
            n => Self::Other(n),
        }
    }
}

/// Why an Accounting-Request is not a record. The request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountingError {
    /// Without it nothing can be told (RFC 2866 section 5.13, "exactly one").
    #[error("Acct-Status-Type is missing or not four octets")]
    NoStatus,
    /// Start, Interim and Stop must say which session they mean (RFC 2866 section 5.5).
    #[error("Acct-Session-Id is missing or empty")]
    NoSessionId,
}

/// What one Accounting-Request says. Text is escaped where it is not printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountingRecord {
    /// When it came here.
    pub received: Timestamp,
    /// When it happened: Event-Timestamp if it is credible, or else when it came
    /// less Acct-Delay-Time.
    pub event_time: Timestamp,
    /// The configured name of the NAS.
    pub nas_name: String,
    /// The address the request came from.
    pub nas_address: IpAddr,
    /// Which session it is about, and at which device and port.
    pub names: SessionNames,
    /// What happened.
    pub status: AccountingStatus,
    /// User-Name.
    pub user_name: Option<String>,
    /// Calling-Station-Id as it was sent.
    pub calling_station: Option<String>,
    /// Called-Station-Id as it was sent.
    pub called_station: Option<String>,
    /// The endpoint's MAC address in the normal spelling, if Calling-Station-Id is one.
    pub mac: Option<String>,
    /// NAS-Port-Type.
    pub nas_port_type: Option<u32>,
    /// Framed-IP-Address.
    pub framed_ip: Option<String>,
    /// Framed-IPv6-Address.
    pub framed_ipv6: Option<String>,
    /// Octets from the endpoint, with gigawords (RFC 2869 section 5.1), if it was told.
    pub input_octets: Option<u64>,
    /// Whether the gigawords were told, so that the counter does not run over.
    pub input_is_wide: bool,
    /// Octets to the endpoint, with gigawords.
    pub output_octets: Option<u64>,
    /// As for input.
    pub output_is_wide: bool,
    /// Packets from the endpoint.
    pub input_packets: Option<u64>,
    /// Packets to the endpoint.
    pub output_packets: Option<u64>,
    /// Seconds since the session began.
    pub session_time: Option<u32>,
    /// Acct-Terminate-Cause.
    pub terminate_cause: Option<u32>,
    /// The decision that the first Class attribute of ours names.
    pub class: Option<DecisionId>,
    /// What the NAS overheard of the endpoint; at most [`sensor::MAX_CLUES`].
    pub clues: Vec<Clue>,
    /// All attributes as they came.
    pub attributes: Vec<u8>,
    /// The same for the same record sent again, different for any other; the
    /// key it is stored by. See [`Digest`].
    pub digest: [u8; 32],
}

impl AccountingRecord {
    /// Reads a record from the attributes of a verified request, one after the
    /// other as they are on the wire.
    ///
    /// Of an attribute that is there more than once the first counts; optional ones
    /// of the wrong length are taken as absent, since refusing the record would only
    /// make the NAS repeat it for ever.
    ///
    /// # Errors
    /// See [`AccountingError`].
    pub fn from_octets(
        octets: &[u8],
        nas_name: &str,
        nas_address: IpAddr,
        received: Timestamp,
    ) -> Result<Self, AccountingError> {
        let mut seen = Seen::default();
        let mut digest = Digest::new(nas_name);
        for (kind, value) in (Tlvs { rest: octets }) {
            digest.attribute(kind, value);
            seen.attribute(kind, value);
        }
        let status = AccountingStatus::from(seen.status.ok_or(AccountingError::NoStatus)?);
        let about_session =
            matches!(status, AccountingStatus::Start | AccountingStatus::Interim | AccountingStatus::Stop);
        let names = seen.names.names(nas_address);
        if about_session && names.acct_session_id.is_none() {
            return Err(AccountingError::NoSessionId);
        }
        let restart = matches!(status, AccountingStatus::On | AccountingStatus::Off);
        digest.device(&names.device);
        let delay = Duration::from_secs(seen.delay.unwrap_or(0).min(MAX_DELAY_SECS).into());
        let sent = received - delay;
        Ok(Self {
            received,
            event_time: event_time(seen.event_timestamp, sent, received),
            nas_name: nas_name.to_owned(),
            nas_address,
            names,
            status,
            mac: seen.calling_station.as_deref().and_then(|s| MacAddress::parse(s).ok()).map(|mac| mac.to_string()),
            // Two restarts say the same in every octet unless they are dated;
            // then the time they came at must tell them apart.
            digest: digest.finish(seen.event_timestamp, restart.then_some(sent)),
            user_name: seen.user_name,
            calling_station: seen.calling_station,
            called_station: seen.called_station,
            nas_port_type: seen.nas_port_type,
            framed_ip: seen.framed_ip,
            framed_ipv6: seen.framed_ipv6,
            input_octets: wide(seen.input_gigawords, seen.input_octets),
            input_is_wide: seen.input_gigawords.is_some(),
            output_octets: wide(seen.output_gigawords, seen.output_octets),
            output_is_wide: seen.output_gigawords.is_some(),
            input_packets: seen.input_packets.map(u64::from),
            output_packets: seen.output_packets.map(u64::from),
            session_time: seen.session_time,
            terminate_cause: seen.terminate_cause,
            class: seen.class,
            clues: seen.clues,
            attributes: octets.to_vec(),
        })
    }

    /// What identifies the session this record is about: with the station, since
    /// some NAS number the sessions of each port separately. `None` for
    /// records that are about no session.
    pub fn key(&self) -> Option<SessionKey> {
        match self.status {
            AccountingStatus::Start | AccountingStatus::Interim | AccountingStatus::Stop => Some(SessionKey {
                nas_name: self.nas_name.clone(),
                device: self.names.device.clone(),
                acct_session_id: self.names.acct_session_id.clone().unwrap_or_default(),
                station: self.station().to_owned(),
            }),
            AccountingStatus::On | AccountingStatus::Off | AccountingStatus::Other(_) => None,
        }
    }

    /// When the session began that it is about, as far as it says so itself. A count of
    /// no seconds says nothing: some NASes never count.
    pub fn begun(&self) -> Option<Timestamp> {
        match (self.status, self.session_time) {
            (AccountingStatus::Start, _) => Some(self.event_time),
            (AccountingStatus::Interim | AccountingStatus::Stop, Some(secs)) if secs > 0 => {
                Some(self.event_time - Duration::from_secs(secs.into()))
            }
            _ => None,
        }
    }

    /// Whether it says itself when it was.
    pub fn is_dated(&self) -> bool {
        self.digest.iter().take(4).any(|b| *b != 0)
    }

    /// The MAC address, or else Calling-Station-Id as it is, or else nothing.
    pub fn station(&self) -> &str {
        self.mac.as_deref().or(self.calling_station.as_deref()).unwrap_or_default()
    }
}

/// The first value of each attribute that is looked at.
#[derive(Default)]
struct Seen {
    status: Option<u32>,
    delay: Option<u32>,
    names: names::Seen,
    event_timestamp: Option<u32>,
    user_name: Option<String>,
    calling_station: Option<String>,
    called_station: Option<String>,
    nas_port_type: Option<u32>,
    framed_ip: Option<String>,
    framed_ipv6: Option<String>,
    input_octets: Option<u32>,
    output_octets: Option<u32>,
    input_gigawords: Option<u32>,
    output_gigawords: Option<u32>,
    input_packets: Option<u32>,
    output_packets: Option<u32>,
    session_time: Option<u32>,
    terminate_cause: Option<u32>,
    class: Option<DecisionId>,
    clues: Vec<Clue>,
}

impl Seen {
    fn attribute(&mut self, kind: u8, value: &[u8]) {
        self.names.attribute(kind, value);
        match kind {
            attr::ACCT_STATUS_TYPE => first(&mut self.status, || attr::integer(value)),
            attr::ACCT_DELAY_TIME => first(&mut self.delay, || attr::integer(value)),
            attr::EVENT_TIMESTAMP => first(&mut self.event_timestamp, || attr::integer(value)),
            attr::USER_NAME => first(&mut self.user_name, || attr::text(value)),
            attr::CALLING_STATION_ID => first(&mut self.calling_station, || attr::text(value)),
            attr::CALLED_STATION_ID => first(&mut self.called_station, || attr::text(value)),
            attr::NAS_PORT_TYPE => first(&mut self.nas_port_type, || attr::integer(value)),
            attr::FRAMED_IP_ADDRESS => first(&mut self.framed_ip, || attr::ipv4(value)),
            attr::FRAMED_IPV6_ADDRESS => first(&mut self.framed_ipv6, || attr::ipv6(value)),
            attr::ACCT_INPUT_OCTETS => first(&mut self.input_octets, || attr::integer(value)),
            attr::ACCT_OUTPUT_OCTETS => first(&mut self.output_octets, || attr::integer(value)),
            attr::ACCT_INPUT_GIGAWORDS => first(&mut self.input_gigawords, || attr::integer(value)),
            attr::ACCT_OUTPUT_GIGAWORDS => first(&mut self.output_gigawords, || attr::integer(value)),
            attr::ACCT_INPUT_PACKETS => first(&mut self.input_packets, || attr::integer(value)),
            attr::ACCT_OUTPUT_PACKETS => first(&mut self.output_packets, || attr::integer(value)),
            attr::ACCT_SESSION_TIME => first(&mut self.session_time, || attr::integer(value)),
            attr::ACCT_TERMINATE_CAUSE => first(&mut self.terminate_cause, || attr::integer(value)),
            attr::CLASS => first(&mut self.class, || decision_of_class(value)),
            attr::VENDOR_SPECIFIC => sensor::read(value, &mut self.clues),
            _ => {}
        }
    }
}

fn wide(gigawords: Option<u32>, octets: Option<u32>) -> Option<u64> {
    octets.map(|octets| u64::from(gigawords.unwrap_or(0)) << 32 | u64::from(octets))
}

fn event_time(stamp: Option<u32>, sent: Timestamp, received: Timestamp) -> Timestamp {
    let credible = |t: &Timestamp| *t <= received + MAX_AHEAD && *t >= received - MAX_AGE;
    stamp.map(|secs| Timestamp::from_unix_secs(secs.into())).filter(credible).unwrap_or(sent)
}

/// What makes two requests the same record: the NAS and all attributes, except
/// those that a NAS or proxy changes when it sends a record again
/// (Acct-Delay-Time, Proxy-State, Message-Authenticator).
///
/// The first four octets are the record's own time in seconds (zero if it has
/// none), the others a SHA-256: in an index ordered by it, records of one time
/// lie together and new ones at its end.
struct Digest(Context);

impl Digest {
    fn new(nas_name: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&(nas_name.len() as u64).to_be_bytes());
        context.update(nas_name.as_bytes());
        Self(context)
    }

    fn attribute(&mut self, kind: u8, value: &[u8]) {
        if !matches!(kind, attr::ACCT_DELAY_TIME | attr::PROXY_STATE | attr::MESSAGE_AUTHENTICATOR) {
            self.0.update(&[kind]);
            self.0.update(&(value.len() as u64).to_be_bytes());
            self.0.update(value);
        }
    }

    fn device(&mut self, device: &str) {
        self.0.update(device.as_bytes());
    }

    fn finish(self, event_timestamp: Option<u32>, otherwise: Option<Timestamp>) -> [u8; 32] {
        let fallback = || otherwise.and_then(|t| u32::try_from(t.unix_secs()).ok()).unwrap_or(0);
        let time = event_timestamp.unwrap_or_else(fallback).to_be_bytes();
        let hash = self.0.finish();
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(time.iter().chain(hash.as_ref())) {
            *to = *from;
        }
        digest
    }
}

impl fmt::Display for AccountingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(n) => write!(f, "other({n})"),
            status => f.write_str(status.code()),
        }
    }
}

#[cfg(test)]
#[path = "accounting_tests.rs"]
mod tests;
