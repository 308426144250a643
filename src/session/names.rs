//! By what a NAS names a session and its port.

use super::attributes as attr;
use crate::inventory::mac::MacAddress;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// What a request says of the session that it is about. Text is escaped where it
/// is not printable.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionNames {
    /// Which device of the NAS it was, since one entry of the configuration may
    /// stand for many: NAS-Identifier, or else NAS-IP-Address or NAS-IPv6-Address,
    /// or else the address the request came from.
    pub device: String,
    /// Acct-Session-Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acct_session_id: Option<String>,
    /// Acct-Multi-Session-Id: the same for all sessions of one stay (RFC 2866, section 5.11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_session_id: Option<String>,
    /// Cisco's `audit-session-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_session_id: Option<String>,
    /// NAS-IP-Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nas_ip: Option<Ipv4Addr>,
    /// NAS-Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nas_port: Option<u32>,
    /// NAS-Port-Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nas_port_id: Option<String>,
}

impl SessionNames {
    /// Reads them from the (number, value) pairs of a request that came from
    /// `source`. Of an attribute that is there more than once the first counts.
    pub fn read<'a>(attributes: impl Iterator<Item = (u8, &'a [u8])>, source: IpAddr) -> Self {
        let mut seen = Seen::default();
        attributes.for_each(|(kind, value)| seen.attribute(kind, value));
        seen.names(source)
    }

    /// NAS-Port-Id, or else NAS-Port in digits.
    pub fn port(&self) -> Option<String> {
        self.nas_port_id.clone().or_else(|| self.nas_port.map(|p| p.to_string()))
    }
}

/// Octets of a MAC address as text.
const BARE_MAC_LEN: usize = 17;

/// The wireless network at the end of a Called-Station-Id (RFC 3580, section 3.20): "AA-BB-CC-DD-EE-FF:name" names
/// one; a bare MAC address does not.
pub fn ssid_of(called_station: &str) -> Option<&str> {
    let (mac, ssid) = (called_station.get(..BARE_MAC_LEN)?, called_station.get(BARE_MAC_LEN..)?);
    MacAddress::parse(mac).ok()?;
    ssid.strip_prefix(':').filter(|ssid| !ssid.is_empty())
}

/// The first value of each.
#[derive(Debug, Default)]
pub(super) struct Seen {
    nas_identifier: Option<String>,
    nas_ipv6: Option<String>,
    names: SessionNames,
}

impl Seen {
    pub(super) fn attribute(&mut self, kind: u8, value: &[u8]) {
        let names = &mut self.names;
        match kind {
            attr::NAS_IDENTIFIER => first(&mut self.nas_identifier, || attr::text(value)),
            attr::NAS_IPV6_ADDRESS => first(&mut self.nas_ipv6, || attr::ipv6(value)),
            attr::NAS_IP_ADDRESS => first(&mut names.nas_ip, || attr::integer(value).map(Ipv4Addr::from_bits)),
            attr::ACCT_SESSION_ID => first(&mut names.acct_session_id, || attr::text(value)),
            attr::ACCT_MULTI_SESSION_ID => first(&mut names.multi_session_id, || attr::text(value)),
            attr::NAS_PORT => first(&mut names.nas_port, || attr::integer(value)),
            attr::NAS_PORT_ID => first(&mut names.nas_port_id, || attr::text(value)),
            attr::VENDOR_SPECIFIC => first(&mut names.audit_session_id, || attr::audit_session_id(value)),
            _ => {}
        }
    }

    pub(super) fn names(self, source: IpAddr) -> SessionNames {
        let Self { nas_identifier, nas_ipv6, names } = self;
        let ip = || names.nas_ip.map(|ip| ip.to_string());
        let device = nas_identifier.or_else(ip).or(nas_ipv6).unwrap_or_else(|| source.to_string());
        SessionNames { device, ..names }
    }
}

pub(super) fn first<T>(slot: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if slot.is_none() {
        *slot = value();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_counts_and_the_device_is_what_it_calls_itself() {
        let source = IpAddr::from([192, 0, 2, 9]);
        let avpair = |text: &str| {
            let mut value = vec![0, 0, 0, 9, 1, text.len() as u8 + 2];
            value.extend_from_slice(text.as_bytes());
            value
        };
        let (other, audit) = (avpair("method=dot1x"), avpair("audit-session-id=0A0000010000002A"));
        let read = |all: &[(u8, &[u8])]| SessionNames::read(all.iter().copied(), source);
        let names =
            read(&[(26, &other), (26, &audit), (4, &[10, 0, 0, 1]), (5, &[0, 0, 0, 7]), (44, b"a"), (44, b"b")]);
        assert_eq!(names.device, "10.0.0.1");
        assert_eq!(names.audit_session_id.as_deref(), Some("0A0000010000002A"));
        assert_eq!((names.acct_session_id.as_deref(), names.port().as_deref()), (Some("a"), Some("7")));
        assert_eq!(read(&[(4, &[10, 0, 0, 1]), (32, b"access-1")]).device, "access-1");
        assert_eq!(read(&[(4, &[10, 0, 0])]).device, "192.0.2.9");
    }

    #[test]
    fn an_ssid_follows_the_mac() {
        assert_eq!(ssid_of("02-00-5E-00-00-01:guests: wifi"), Some("guests: wifi"));
        assert_eq!(ssid_of("02-00-5E-00-00-01"), None);
        assert_eq!(ssid_of("02:00:5e:00:00:01:staff"), Some("staff"));
        assert_eq!(ssid_of("short"), None);
    }
}
