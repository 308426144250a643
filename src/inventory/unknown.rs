//! Who asks and is no NAS of ours: kept for the operator, to be adopted.

use crate::radius::attribute as attr;
use crate::radius::authenticator::{VerifyError, verify_request};
use crate::radius::packet::{Code, Packet};
use crate::radius::value::printable;
use crate::secret::Secret;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError, TryLockError};

/// Addresses that are remembered. Beyond it one that asked only once makes room
/// before one that asks again, and of these the one that has been silent for
/// longest: whoever forges sources can push others out, and no more.
pub const MAX_UNKNOWN: usize = 1024;
/// New addresses a second, and at once, that are taken note of: more than a rollout
/// brings, and little work when sources are forged.
const NEW_PER_SECOND: u32 = 50;
/// Addresses that are told at a time, so that a flood costs the database one small
/// statement.
pub const MAX_TOLD: usize = 64;

/// An address that asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownNas {
    /// Where it sends from.
    pub address: IpAddr,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// How many packets it sent.
    pub packets: u64,
    /// The latest of them: what its Length says, 4,096 octets at most.
    pub packet: Vec<u8>,
}

/// What a packet says of its sender. Nothing of it is verified.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hints {
    /// NAS-Identifier.
    pub identifier: Option<String>,
    /// NAS-IP-Address.
    pub address: Option<String>,
    /// The NAS profile that its vendor's attributes speak of.
    pub vendor: Option<&'static str>,
}

/// Vendors by their number (IANA enterprise numbers), and the NAS profile of
/// most of their gear.
const VENDORS: [(u32, &str); 15] = [
    (9, "cisco-ios"),
    (14179, "cisco-wlc"),
    (14823, "aruba-cx"),
    (11, "aruba-aos-s"),
    (2636, "juniper-ex"),
    (29671, "meraki"),
    (25053, "ruckus-wlan"),
    (1916, "extreme-exos"),
    (12356, "fortinet"),
    (14988, "mikrotik-wifi"),
    (41112, "ubiquiti"),
    (25506, "comware"),
    (2011, "huawei"),
    (30065, "arista"),
    (674, "dell-n"),
];

impl UnknownNas {
    /// What its latest packet says of it.
    pub fn hints(&self) -> Hints {
        let Ok(packet) = Packet::parse(&self.packet) else { return Hints::default() };
        let speaks =
            |vendor: u32| packet.find_all(attr::VENDOR_SPECIFIC).any(|value| value.starts_with(&vendor.to_be_bytes()));
        Hints {
            identifier: packet.find(attr::NAS_IDENTIFIER).map(printable),
            address: packet.address(attr::NAS_IP_ADDRESS).map(|address| address.to_string()),
            vendor: VENDORS.iter().find(|(number, _)| speaks(*number)).map(|(_, profile)| *profile),
        }
    }

    /// Whether its latest packet was made with this secret; `None` when nothing
    /// in it tells.
    pub fn shares(&self, secret: &Secret) -> Option<bool> {
        let packet = Packet::parse(&self.packet).ok()?;
        let proves = packet.code() == Code::AccountingRequest || packet.find(attr::MESSAGE_AUTHENTICATOR).is_some();
        match verify_request(packet, secret, false) {
            Ok(_) => proves.then_some(true),
            Err(VerifyError::BadMessageAuthenticator | VerifyError::BadRequestAuthenticator) => Some(false),
            Err(_) => None,
        }
    }
}

/// The addresses that asked, and which of them have asked again since they were
/// last told.
#[derive(Debug, Default)]
pub struct UnknownSources(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    all: HashMap<IpAddr, Entry>,
    newcomers: Newcomers,
    /// How often changes were asked for.
    round: u64,
}

#[derive(Debug)]
struct Entry {
    unknown: UnknownNas,
    changed: bool,
    /// The round in which it was last told; 0 if it never was.
    told: u64,
}

/// A token bucket for new addresses, of [`NEW_PER_SECOND`].
#[derive(Debug)]
struct Newcomers {
    tokens: u32,
    /// When it was last filled up.
    filled: Timestamp,
}

impl Default for Newcomers {
    fn default() -> Self {
        Self { tokens: NEW_PER_SECOND, filled: Timestamp::default() }
    }
}

impl Newcomers {
    /// Whether another one is taken.
    fn admit(&mut self, now: Timestamp) -> bool {
        // A clock that was set back must not keep everybody out.
        if now < self.filled {
            self.filled = now;
        }
        let earned = now.since(self.filled).as_millis() * u128::from(NEW_PER_SECOND) / 1_000;
        if earned > 0 {
            self.tokens = u32::try_from(earned).map_or(NEW_PER_SECOND, |n| n.saturating_add(self.tokens));
            self.tokens = self.tokens.min(NEW_PER_SECOND);
            self.filled = now;
        }
        let admitted = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        admitted
    }
}

impl Noted {
    fn note(&mut self, packet: Packet<'_>, address: IpAddr, now: Timestamp) {
        if !self.all.contains_key(&address) {
            if !self.newcomers.admit(now) {
                return;
            }
            if self.all.len() >= MAX_UNKNOWN {
                let known = self.all.values().map(|entry| &entry.unknown);
                let first = known.min_by_key(|known| (known.packets > 1, known.last)).map(|known| known.address);
                first.map(|first| self.all.remove(&first));
            }
        }
        let fresh = UnknownNas { address, first: now, last: now, packets: 0, packet: Vec::new() };
        let entry = self.all.entry(address).or_insert(Entry { unknown: fresh, changed: true, told: 0 });
        entry.unknown.last = now;
        entry.unknown.packets += 1;
        entry.unknown.packet.clear();
        entry.unknown.packet.extend_from_slice(packet.bytes());
        entry.changed = true;
    }
}

impl UnknownSources {
    /// Takes note of a datagram, if it is a request. It waits for nobody: while
    /// another thread is at it, the note is lost. Requests are repeated.
    pub fn note(&self, datagram: &[u8], source: IpAddr, now: Timestamp) {
        let Ok(packet) = Packet::parse(datagram) else { return };
        if !matches!(packet.code(), Code::AccessRequest | Code::AccountingRequest | Code::StatusServer) {
            return;
        }
        let mut noted = match self.0.try_lock() {
            Ok(noted) => noted,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        noted.note(packet, source.to_canonical(), now);
    }

    /// Some of those that have asked since they were last told, [`MAX_TOLD`] at
    /// most. Those that were not told for longest come first, and among them who
    /// asked more than once.
    pub fn changed(&self) -> Vec<UnknownNas> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.round += 1;
        let round = noted.round;
        let mut changed: Vec<&mut Entry> = noted.all.values_mut().filter(|entry| entry.changed).collect();
        changed.sort_unstable_by_key(|entry| (entry.told, entry.unknown.packets < 2, entry.unknown.first));
        let told = changed.into_iter().take(MAX_TOLD).map(|entry| {
            (entry.changed, entry.told) = (false, round);
            entry.unknown.clone()
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::builder::RequestBuilder;

    fn request(secret: &str) -> Vec<u8> {
        let mut request = RequestBuilder::new(Code::AccessRequest, 1, [7; 16]);
        request.push(attr::NAS_IDENTIFIER, b"access-7").unwrap();
        request.push(attr::VENDOR_SPECIFIC, &[0, 0, 0, 9, 1, 3, b'x']).unwrap();
        request.finish(&Secret::new(secret)).unwrap()
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(1_764_000_000_000_000 + millis * 1_000)
    }

    /// All that have asked, in however many rounds, and how many those were.
    fn drained(sources: &UnknownSources) -> (Vec<UnknownNas>, usize) {
        let (mut all, mut rounds) = (Vec::new(), 0);
        loop {
            let some = sources.changed();
            assert!(some.len() <= MAX_TOLD);
            if some.is_empty() {
                return (all, rounds);
            }
            all.extend(some);
            rounds += 1;
        }
    }

    #[test]
    fn what_asks_is_kept_within_bounds() {
        let sources = UnknownSources::default();
        sources.note(b"junk", address(1), at(0));
        assert_eq!(sources.changed(), []);
        // Within the rate: the first asks twice, and stays.
        sources.note(&request("s"), address(0), at(0));
        for number in 0..=MAX_UNKNOWN as u32 {
            sources.note(&request("s"), address(number), at(20 * i64::from(number)));
        }
        let (all, rounds) = drained(&sources);
        assert_eq!((all.len(), rounds), (MAX_UNKNOWN, MAX_UNKNOWN / MAX_TOLD));
        assert_eq!((all[0].address, all[0].packets), (address(0), 2), "who asked twice is told first");
        assert!(!all.iter().any(|unknown| unknown.address == address(1)), "the oldest that asked once made room");
    }

    #[test]
    fn forged_sources_come_at_a_rate_and_known_ones_at_any() {
        let sources = UnknownSources::default();
        for number in 0..10_000 {
            sources.note(&request("s"), address(number), at(i64::from(number) / 10));
        }
        // What there is room for at once, and what a second adds.
        let (all, _) = drained(&sources);
        assert_eq!(all.len(), 2 * NEW_PER_SECOND as usize - 1);
        for _ in 0..1_000 {
            sources.note(&request("s"), address(0), at(999));
        }
        assert_eq!(sources.changed()[0].packets, 1_001);
        // The clock was set back by an hour.
        sources.note(&request("s"), address(20_000), at(-3_600_000));
        sources.note(&request("s"), address(20_001), at(-3_599_000));
        assert_eq!(sources.changed().last().unwrap().address, address(20_001));
    }

    #[test]
    fn a_note_waits_for_nobody() {
        let sources = UnknownSources::default();
        let busy = sources.0.lock().unwrap();
        sources.note(&request("s"), address(1), at(0));
        drop(busy);
        assert_eq!(sources.changed(), []);
    }

    #[test]
    fn what_lies_behind_a_packet_is_not_kept() {
        let sources = UnknownSources::default();
        let mut datagram = request("s");
        let length = datagram.len();
        datagram.resize(60_000, 0);
        sources.note(&datagram, address(1), at(0));
        assert_eq!(sources.changed()[0].packet.len(), length);
    }

    #[test]
    fn a_packet_tells_who_and_whether_the_secret_fits() {
        let sources = UnknownSources::default();
        sources.note(&request("right"), IpAddr::from([192, 0, 2, 1]), Timestamp::default());
        let unknown = sources.changed().remove(0);
        let hints = unknown.hints();
        assert_eq!((hints.identifier.as_deref(), hints.vendor), (Some("access-7"), Some("cisco-ios")));
        assert_eq!(unknown.shares(&Secret::new("right")), Some(true));
        assert_eq!(unknown.shares(&Secret::new("wrong")), Some(false));
    }
}
