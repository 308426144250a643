//! What an Access-Request says about the attempt, read once.

use crate::inventory::mac::MacAddress;
use crate::inventory::nas::Nas;
use crate::inventory::sensor::{self, Clue};
use crate::radius::attribute as attr;
use crate::radius::packet::Packet;
pub use crate::radius::value::printable;
use crate::session::names::{SessionNames, ssid_of};
use std::net::SocketAddr;
use std::sync::Arc;

/// Octets that EAPOL adds to an EAP packet on the wire (RFC 3580, section
/// 3.10: the EAP packet may have Framed-MTU - 4).
const EAPOL_HEADER_LEN: u32 = 4;
/// The least Framed-MTU that is believed, in octets (RFC 2865, section 5.12).
const MIN_FRAMED_MTU: u32 = 64;

/// An attempt, as the NAS describes it. Everything here is what it claims.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// The NAS, known by its source address and secret.
    pub nas: Arc<Nas>,
    /// Where the packet came from.
    pub source: SocketAddr,
    /// User-Name, lossily as text.
    pub user_name: Option<String>,
    /// Calling-Station-Id as sent.
    pub calling_station: Option<String>,
    /// Calling-Station-Id as a MAC address.
    pub mac: Option<MacAddress>,
    /// Called-Station-Id as sent.
    pub called_station: Option<String>,
    /// The SSID at the end of Called-Station-Id (RFC 3580, section 3.20).
    pub ssid: Option<String>,
    /// NAS-Port-Id, or NAS-Port as text.
    pub port: Option<String>,
    /// By what the NAS names the session.
    pub names: SessionNames,
    /// NAS-Port-Type, by the name that rules use.
    pub port_type: Option<String>,
    /// The longest EAP packet that fits the link, in octets.
    pub max_eap_len: Option<usize>,
    /// The NAS asks for EAP-Key-Name (RFC 4072, section 2.2.3).
    pub wants_key_name: bool,
    /// What the NAS overheard of the endpoint; at most [`sensor::MAX_CLUES`].
    pub clues: Vec<Clue>,
}

impl RequestInfo {
    /// Reads the attributes of `packet`.
    pub fn read(packet: &Packet<'_>, nas: &Arc<Nas>, source: SocketAddr) -> Self {
        let text = |kind| packet.find(kind).map(printable);
        let calling_station = text(attr::CALLING_STATION_ID);
        let called_station = text(attr::CALLED_STATION_ID);
        let mut clues = Vec::new();
        packet.find_all(attr::VENDOR_SPECIFIC).for_each(|value| sensor::read(value, &mut clues));
        Self {
            nas: nas.clone(),
            source,
            user_name: text(attr::USER_NAME),
            mac: calling_station.as_deref().and_then(|s| MacAddress::parse(s).ok()),
            ssid: called_station.as_deref().and_then(ssid_of).map(str::to_owned),
            calling_station,
            called_station,
            port: text(attr::NAS_PORT_ID).or_else(|| packet.integer(attr::NAS_PORT).map(|n| n.to_string())),
            names: SessionNames::read(packet.attributes().map(|a| (a.kind, a.value)), source.ip()),
            port_type: packet.integer(attr::NAS_PORT_TYPE).map(port_type),
            max_eap_len: packet
                .integer(attr::FRAMED_MTU)
                .filter(|mtu| *mtu >= MIN_FRAMED_MTU)
                .map(|mtu| (mtu - EAPOL_HEADER_LEN) as usize),
            wants_key_name: packet.find(attr::EAP_KEY_NAME).is_some(),
            clues,
        }
    }
}

/// Kinds of ports that rules know (RFC 2865, section 5.41); others by number.
fn port_type(number: u32) -> String {
    match number {
        5 => "virtual".into(),
        15 => "ethernet".into(),
        18 | 19 => "wireless".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable(b"a\x00b\n\xff"), "a\\u{0}b\\n\u{fffd}");
    }
}
