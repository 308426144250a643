//! What a NAS normally says, learned from its traffic, and what differs from it.
//!
//! A pure function of what was learned, a request and the time. Nothing counts as
//! unexpected before there is enough history ([`Baseline`]).

use super::mac::MacAddress;
use crate::radius::attribute as attr;
use crate::radius::authenticator::VerifiedRequest;
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::Packet;
use crate::radius::value::printable;
use crate::signals::kind::{Finding, SignalKind};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Values that are learned of each sort. A NAS that says more than these, such as
/// a controller with the names of its access points, may say anything: of a sort
/// that is full nothing is unexpected.
pub const MAX_VALUES: usize = 16;
/// Access-Requests before anything is unexpected: two dozen logins by
/// certificate, or some days of a small office.
const MIN_REQUESTS: u64 = 200;
/// Time from the first to the latest of them: a minute in which one port asked
/// again and again tells little.
const MIN_SPAN: Duration = Duration::from_secs(3600);
/// For how long the same signal is not raised again about the same NAS.
const QUIET: Duration = Duration::from_secs(3600);
/// A vendor-specific attribute's value begins with the vendor's number.
const VENDOR_ID_LEN: usize = 4;
/// Service-Type of a login by MAC address (RFC 2865, section 5.6; Call-Check).
const CALL_CHECK: u32 = 10;

/// How much history there must be before something is unexpected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Baseline {
    /// How many requests.
    pub requests: u64,
    /// The time over which they came.
    pub span: Duration,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { requests: MIN_REQUESTS, span: MIN_SPAN }
    }
}

impl Baseline {
    fn is_met(&self, requests: u64, first: Timestamp, last: Timestamp) -> bool {
        requests >= self.requests && last.since(first) >= self.span
    }
}

/// How somebody logs in, as far as the request alone tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// EAP, which is EAP-TLS here.
    EapTls,
    /// By MAC address.
    Mab,
    /// Anything else: a person at the login of the NAS, the download of a list.
    Other,
}

impl Method {
    /// The name that decisions give it, too.
    pub const fn code(self) -> &'static str {
        match self {
            Self::EapTls => "eap-tls",
            Self::Mab => "mab",
            Self::Other => "other",
        }
    }

    fn of(packet: &Packet<'_>) -> Method {
        let is_mac = || packet.text(attr::USER_NAME).is_some_and(|name| MacAddress::parse(name).is_ok());
        if packet.find(attr::EAP_MESSAGE).is_some() {
            Self::EapTls
        } else if packet.integer(attr::SERVICE_TYPE).map_or_else(is_mac, |service| service == CALL_CHECK) {
            Self::Mab
        } else {
            Self::Other
        }
    }
}

/// What one Access-Request says of the NAS that sent it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said<'a> {
    /// NAS-Identifier.
    pub identifier: Option<&'a [u8]>,
    /// NAS-IP-Address and NAS-IPv6-Address.
    pub addresses: [Option<IpAddr>; 2],
    /// NAS-Port-Type.
    pub port_type: Option<u32>,
    /// Service-Type.
    pub service_type: Option<u32>,
    /// How somebody logs in.
    pub method: Method,
    /// Whether Message-Authenticator is there, which then is right.
    pub message_authenticator: bool,
    /// The vendors whose attributes it has (IANA enterprise numbers); at most
    /// [`MAX_VALUES`].
    pub vendors: Vec<u32>,
}

impl<'a> Said<'a> {
    /// What this Access-Request says.
    pub fn read(request: &VerifiedRequest<'a>) -> Self {
        let packet = request.packet();
        let v6 = packet.find(attr::NAS_IPV6_ADDRESS).and_then(|v| <[u8; 16]>::try_from(v).ok());
        let mut vendors = Vec::new();
        for value in packet.find_all(attr::VENDOR_SPECIFIC) {
            let vendor = value.first_chunk::<VENDOR_ID_LEN>().map(|id| u32::from_be_bytes(*id));
            vendors.extend(vendor.filter(|v| vendors.len() < MAX_VALUES && !vendors.contains(v)));
        }
        Self {
            identifier: packet.find(attr::NAS_IDENTIFIER),
            addresses: [packet.address(attr::NAS_IP_ADDRESS).map(IpAddr::V4), v6.map(|v| Ipv6Addr::from(v).into())],
            port_type: packet.integer(attr::NAS_PORT_TYPE),
            service_type: packet.integer(attr::SERVICE_TYPE),
            method: Method::of(&packet),
            message_authenticator: request.is_authenticated(),
            vendors,
        }
    }
}

/// How a NAS behaves at one address that it sends from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behaviour {
    /// The name of the NAS.
    pub name: String,
    /// Where it sends from.
    pub address: IpAddr,
    /// Its first Access-Request.
    pub first: Timestamp,
    /// Its latest.
    pub last: Timestamp,
    /// How many there were.
    pub requests: u64,
    /// What it says.
    pub learned: Learned,
}

/// What a NAS says: of each sort at most [`MAX_VALUES`], in the order in which they
/// were first seen.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    /// NAS-Identifier, control characters escaped.
    pub identifiers: Vec<String>,
    /// NAS-IP-Address and NAS-IPv6-Address.
    pub addresses: Vec<IpAddr>,
    /// NAS-Port-Type.
    pub port_types: Vec<u32>,
    /// How logins are made.
    pub methods: Vec<Method>,
    /// Service-Type.
    pub service_types: Vec<u32>,
    /// Vendors whose attributes it sends (IANA enterprise numbers).
    pub vendors: Vec<u32>,
    /// Whether its requests carry Message-Authenticator.
    pub message_authenticator: Authenticated,
    /// What was raised last, one of each kind.
    pub raised: Vec<Raised>,
}

impl Learned {
    /// Its kinds of ports by name; by number where there is none.
    pub fn port_type_names(&self) -> Vec<String> {
        let name = |number: &u32| Dictionary::standard().value_text(attr::NAS_PORT_TYPE, *number);
        self.port_types.iter().map(name).collect()
    }

    /// Its kinds of service, likewise.
    pub fn service_type_names(&self) -> Vec<String> {
        let name = |number: &u32| Dictionary::standard().value_text(attr::SERVICE_TYPE, *number);
        self.service_types.iter().map(name).collect()
    }

    /// The vendors whose attributes it sends, likewise.
    pub fn vendor_names(&self) -> Vec<String> {
        self.vendors.iter().copied().map(vendor_name).collect()
    }
}

/// How regularly Message-Authenticator comes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Authenticated {
    /// Requests with it, ever.
    pub total: u64,
    /// Requests with it since the latest without it.
    pub in_a_row: u64,
    /// When the first of that row came, in microseconds since 1970.
    pub since_us: i64,
}

/// A signal that was raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Raised {
    kind: SignalKind,
    at_us: i64,
}

impl Behaviour {
    /// One that nothing is known of yet.
    pub fn new(name: String, address: IpAddr, now: Timestamp) -> Self {
        Self { name, address, first: now, last: now, requests: 0, learned: Learned::default() }
    }

    /// Whether there is enough history for something to be unexpected.
    pub fn is_settled(&self, baseline: &Baseline) -> bool {
        baseline.is_met(self.requests, self.first, self.last)
    }

    /// `always`, `sometimes` or `never`.
    pub fn message_authenticator(&self) -> &'static str {
        match self.learned.message_authenticator {
            Authenticated { total: 0, .. } => "never",
            Authenticated { in_a_row, .. } if in_a_row >= self.requests => "always",
            _ => "sometimes",
        }
    }

    /// Takes in a request, and says what is unexpected about it. That is then
    /// learned; while a signal of its kind is a short while ago it is neither told
    /// nor learned, so that nothing is learned in silence.
    pub fn observe(&mut self, said: &Said<'_>, now: Timestamp, baseline: &Baseline) -> Vec<Finding> {
        let settled = self.is_settled(baseline);
        let doubtful = !said.message_authenticator && self.proves_itself(baseline);
        self.requests += 1;
        self.last = self.last.max(now);
        if doubtful {
            // It does not come from the NAS for sure: what else it says is not learned.
            return self.unproven(now, baseline);
        }
        let authenticated = &mut self.learned.message_authenticator;
        if !said.message_authenticator {
            authenticated.in_a_row = 0;
        } else {
            if authenticated.in_a_row == 0 {
                authenticated.since_us = now.as_micros();
            }
            authenticated.in_a_row += 1;
            authenticated.total += 1;
        }
        self.learn(said, now, settled)
    }

    /// Takes note of a request without Message-Authenticator that is not served,
    /// and says whether that is unexpected.
    pub fn unproven(&mut self, now: Timestamp, baseline: &Baseline) -> Vec<Finding> {
        if !self.proves_itself(baseline) {
            return Vec::new();
        }
        let authenticated = &mut self.learned.message_authenticator;
        let detail = format!(
            "{} sent a request without Message-Authenticator, after {} in a row with it",
            self.address, authenticated.in_a_row
        );
        authenticated.in_a_row = 0;
        let mut lookout = Lookout { raised: &mut self.learned.raised, settled: true, now, findings: Vec::new() };
        lookout.raise(SignalKind::NasMessageAuthenticatorCeased, || detail);
        lookout.findings
    }

    /// Whether Message-Authenticator has come for long enough to be expected.
    fn proves_itself(&self, baseline: &Baseline) -> bool {
        let Authenticated { in_a_row, since_us, .. } = self.learned.message_authenticator;
        baseline.is_met(in_a_row, Timestamp::from_micros(since_us), self.last)
    }

    fn learn(&mut self, said: &Said<'_>, now: Timestamp, settled: bool) -> Vec<Finding> {
        let Learned { identifiers, addresses, port_types, methods, service_types, vendors, raised, .. } =
            &mut self.learned;
        let from = self.address;
        let mut lookout = Lookout { raised, settled, now, findings: Vec::new() };
        // Only what is not known as it came is made printable.
        let identifier = said.identifier.filter(|said| !identifiers.iter().any(|known| known.as_bytes() == *said));
        if let Some(identifier) = identifier.map(printable) {
            lookout.meet(identifiers, identifier, SignalKind::NasNewIdentifier, |known, new| {
                format!("{from} calls itself {new:?}; before, {}", listed(known.iter().map(|k| format!("{k:?}"))))
            });
        }
        for address in said.addresses.into_iter().flatten() {
            lookout.meet(addresses, address, SignalKind::NasNewAddress, |known, new| {
                format!("{from} says that its address is {new}; before, {}", listed(known))
            });
        }
        for vendor in &said.vendors {
            lookout.meet(vendors, *vendor, SignalKind::NasNewVendor, |known, new| {
                let known = listed(known.iter().copied().map(vendor_name));
                format!("{from} sends attributes of the vendor {}; before, {known}", vendor_name(*new))
            });
        }
        if let Some(port_type) = said.port_type {
            lookout.meet(port_types, port_type, SignalKind::NasNewPortType, |known, new| {
                let name = |number: &u32| Dictionary::standard().value_text(attr::NAS_PORT_TYPE, *number);
                format!("{from} speaks of a port of the type {}; before, {}", name(new), listed(known.iter().map(name)))
            });
        }
        // A first printer or a first person at the prompt is nothing unexpected.
        add(methods, said.method);
        said.service_type.into_iter().for_each(|service| add(service_types, service));
        lookout.findings
    }
}

/// Learns, and tells what is unexpected.
struct Lookout<'a> {
    raised: &'a mut Vec<Raised>,
    settled: bool,
    now: Timestamp,
    findings: Vec<Finding>,
}

impl Lookout<'_> {
    fn meet<T: PartialEq>(
        &mut self,
        known: &mut Vec<T>,
        value: T,
        kind: SignalKind,
        detail: impl FnOnce(&[T], &T) -> String,
    ) {
        let is_news = known.len() < MAX_VALUES && !known.contains(&value);
        if is_news && (!self.settled || self.raise(kind, || detail(known, &value))) {
            known.push(value);
        }
    }

    /// Whether it was raised; not if it was a short while ago.
    fn raise(&mut self, kind: SignalKind, detail: impl FnOnce() -> String) -> bool {
        let at = |raised: &Raised| Timestamp::from_micros(raised.at_us);
        let last = self.raised.iter().position(|raised| raised.kind == kind);
        let is_recent = |raised: &Raised| self.now.since(at(raised)).max(at(raised).since(self.now)) < QUIET;
        if last.and_then(|last| self.raised.get(last)).is_some_and(is_recent) {
            return false;
        }
        last.map(|last| self.raised.swap_remove(last));
        self.raised.push(Raised { kind, at_us: self.now.as_micros() });
        self.findings.push(Finding { kind, detail: detail() });
        true
    }
}

fn add<T: PartialEq>(known: &mut Vec<T>, value: T) {
    if known.len() < MAX_VALUES && !known.contains(&value) {
        known.push(value);
    }
}

fn vendor_name(number: u32) -> String {
    Dictionary::standard().vendor_name(number).map_or_else(|| number.to_string(), str::to_owned)
}

fn listed<T: Display>(known: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = known.into_iter().map(|k| k.to_string()).collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

#[cfg(test)]
#[path = "behaviour_tests.rs"]
mod tests;
