//! Who asks and is no NAS of ours: kept for the operator, to be adopted.

use crate::radius::attribute as attr;
use crate::radius::authenticator::{VerifyError, verify_request};
use crate::radius::packet::{Code, Packet};
use crate::radius::value::printable;
use crate::secret::Secret;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Addresses that are remembered. Beyond it the one that has been silent for
/// longest makes room: whoever forges sources can push others out, and no more.
pub const MAX_UNKNOWN: usize = 1024;

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
    /// The latest of them.
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
/// last stored.
#[derive(Debug, Default)]
pub struct UnknownSources(Mutex<HashMap<IpAddr, (UnknownNas, bool)>>);

impl UnknownSources {
    /// Takes note of a datagram, if it is a request.
    pub fn note(&self, datagram: &[u8], source: IpAddr, now: Timestamp) {
        let asks = Packet::parse(datagram).is_ok_and(|packet| {
            matches!(packet.code(), Code::AccessRequest | Code::AccountingRequest | Code::StatusServer)
        });
        if !asks {
            return;
        }
        let address = source.to_canonical();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_UNKNOWN && !all.contains_key(&address) {
            let oldest = all.values().min_by_key(|(unknown, _)| unknown.last).map(|(unknown, _)| unknown.address);
            oldest.map(|oldest| all.remove(&oldest));
        }
        let fresh = UnknownNas { address, first: now, last: now, packets: 0, packet: Vec::new() };
        let (unknown, changed) = all.entry(address).or_insert((fresh, true));
        unknown.last = now;
        unknown.packets += 1;
        unknown.packet = datagram.to_vec();
        *changed = true;
    }

    /// Those that have asked since this was last called.
    pub fn changed(&self) -> Vec<UnknownNas> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed =
            all.values_mut().filter_map(|(unknown, changed)| std::mem::take(changed).then(|| unknown.clone()));
        changed.collect()
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

    #[test]
    fn what_asks_is_kept_within_bounds() {
        let sources = UnknownSources::default();
        let at = Timestamp::from_unix_secs;
        sources.note(b"junk", IpAddr::from([192, 0, 2, 1]), at(0));
        assert_eq!(sources.changed(), []);
        for number in 0..=MAX_UNKNOWN as u32 {
            sources.note(&request("s"), IpAddr::from(number.to_be_bytes()), at(i64::from(number)));
        }
        let all = sources.changed();
        assert_eq!(all.len(), MAX_UNKNOWN);
        assert!(all.iter().all(|unknown| unknown.first > at(0)), "the oldest made room");
        assert_eq!(sources.changed(), [], "each is told once");
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
