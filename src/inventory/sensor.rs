//! What a NAS overhears and passes on: clues to what kind of thing an endpoint
//! is, in vendor attributes of Access-Request and Accounting-Request.
//!
//! Cisco's device sensor sends `dhcp-option=`, `cdp-tlv=`, `lldp-tlv=` and
//! `http-tlv=` in Cisco-AVPair, each followed by a type and a length of two
//! octets and the value; the classifier of its controllers sends `dc-device-name=`.

use crate::radius::packet::Tlvs;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Clues of one request. A sensor sends some ten; more is noise.
pub const MAX_CLUES: usize = 16;
/// The longest value that is kept, in characters: a User-Agent or a software version
/// says what it is long before.
const MAX_VALUE: usize = 200;
/// Cisco's number as a vendor, and the type of Cisco-AVPair.
const CISCO: [u8; 4] = [0, 0, 0, 9];
const AV_PAIR: u8 = 1;

/// What a clue is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClueKind {
    /// The vendor of the MAC address.
    Vendor,
    /// How it logged in: "mab" or "eap-tls".
    Method,
    /// The issuer of its verified certificate.
    CertificateIssuer,
    /// DHCP option 12.
    DhcpHostName,
    /// DHCP option 55, in decimal: "1,3,6,15".
    DhcpParameters,
    /// DHCP option 60, the vendor class identifier.
    DhcpClass,
    /// CDP's device id.
    CdpDevice,
    /// CDP's capabilities in words: "host phone".
    CdpCapabilities,
    /// CDP's software version.
    CdpVersion,
    /// CDP's platform.
    CdpPlatform,
    /// LLDP's system name.
    LldpName,
    /// LLDP's system description.
    LldpDescription,
    /// LLDP's enabled capabilities in words: "bridge telephone".
    LldpCapabilities,
    /// Where the manufacturer describes it (RFC 8520), told by LLDP.
    MudUrl,
    /// HTTP's User-Agent.
    HttpUserAgent,
    /// What the NAS itself takes it for.
    NasClassifier,
}

impl ClueKind {
    /// All kinds.
    pub const ALL: [ClueKind; 16] = [
        Self::Vendor,
        Self::Method,
        Self::CertificateIssuer,
        Self::DhcpHostName,
        Self::DhcpParameters,
        Self::DhcpClass,
        Self::CdpDevice,
        Self::CdpCapabilities,
        Self::CdpVersion,
        Self::CdpPlatform,
        Self::LldpName,
        Self::LldpDescription,
        Self::LldpCapabilities,
        Self::MudUrl,
        Self::HttpUserAgent,
        Self::NasClassifier,
    ];

    /// The name that rules and records use.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Method => "method",
            Self::CertificateIssuer => "certificate-issuer",
            Self::DhcpHostName => "dhcp-host-name",
            Self::DhcpParameters => "dhcp-parameters",
            Self::DhcpClass => "dhcp-class",
            Self::CdpDevice => "cdp-device",
            Self::CdpCapabilities => "cdp-capabilities",
            Self::CdpVersion => "cdp-version",
            Self::CdpPlatform => "cdp-platform",
            Self::LldpName => "lldp-name",
            Self::LldpDescription => "lldp-description",
            Self::LldpCapabilities => "lldp-capabilities",
            Self::MudUrl => "mud-url",
            Self::HttpUserAgent => "http-user-agent",
            Self::NasClassifier => "nas-classifier",
        }
    }

    /// The kind with this [`code`](Self::code), if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// One thing that was overheard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clue {
    /// What it is about.
    pub kind: ClueKind,
    /// What was said: printable, bounded, and unproven.
    pub value: String,
}

impl Clue {
    /// A clue of this kind, cut to what is kept.
    pub fn new(kind: ClueKind, value: &str) -> Self {
        Self { kind, value: value.chars().take(MAX_VALUE).collect() }
    }
}

/// Adds what one Vendor-Specific attribute says, as long as there is room. Of two
/// clues of a kind the first counts.
pub fn read(vendor_specific: &[u8], clues: &mut Vec<Clue>) {
    let Some(rest) = vendor_specific.strip_prefix(&CISCO) else { return };
    for (_, pair) in (Tlvs { rest }).filter(|(kind, _)| *kind == AV_PAIR) {
        let Some(clue) = clue(pair) else { continue };
        if clues.len() < MAX_CLUES && clues.iter().all(|known| known.kind != clue.kind) {
            clues.push(clue);
        }
    }
}

fn clue(pair: &[u8]) -> Option<Clue> {
    let at = pair.iter().position(|b| *b == b'=')?;
    let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
    let (kind, value) = match name {
        b"dhcp-option" => dhcp(tlv(value)?)?,
        b"cdp-tlv" => cdp(tlv(value)?)?,
        b"lldp-tlv" => lldp(tlv(value)?)?,
        b"http-tlv" => match tlv(value)? {
            (1, agent) => (ClueKind::HttpUserAgent, printable(&agent)),
            _ => return None,
        },
        b"dc-device-name" => (ClueKind::NasClassifier, printable(value)),
        _ => return None,
    };
    (!value.is_empty()).then(|| Clue::new(kind, &value))
}

/// Type and value. Gateways that cannot carry binary text write it in hexadecimal.
fn tlv(value: &[u8]) -> Option<(u16, Vec<u8>)> {
    let plain = |octets: &[u8]| {
        let (&kind, rest) = octets.split_first_chunk::<2>()?;
        let (&length, rest) = rest.split_first_chunk::<2>()?;
        let value = rest.get(..usize::from(u16::from_be_bytes(length)))?;
        Some((u16::from_be_bytes(kind), value.to_vec()))
    };
    plain(value).or_else(|| {
        let digits = std::str::from_utf8(value).ok()?;
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let octets: Option<Vec<u8>> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect();
        plain(&octets?)
    })
}

fn dhcp((option, value): (u16, Vec<u8>)) -> Option<(ClueKind, String)> {
    match option {
        12 => Some((ClueKind::DhcpHostName, printable(&value))),
        55 => {
            let numbers: Vec<String> = value.iter().map(u8::to_string).collect();
            Some((ClueKind::DhcpParameters, numbers.join(",")))
        }
        60 => Some((ClueKind::DhcpClass, printable(&value))),
        _ => None,
    }
}

fn cdp((kind, value): (u16, Vec<u8>)) -> Option<(ClueKind, String)> {
    /// From the lowest bit up.
    const CAPABILITIES: [&str; 8] =
        ["router", "bridge", "source-bridge", "switch", "host", "igmp", "repeater", "phone"];
    match kind {
        1 => Some((ClueKind::CdpDevice, printable(&value))),
        4 => Some((ClueKind::CdpCapabilities, words(&value, &CAPABILITIES))),
        5 => Some((ClueKind::CdpVersion, printable(&value))),
        6 => Some((ClueKind::CdpPlatform, printable(&value))),
        _ => None,
    }
}

fn lldp((kind, value): (u16, Vec<u8>)) -> Option<(ClueKind, String)> {
    /// IEEE 802.1AB, table 8-4, from the lowest bit up.
    const CAPABILITIES: [&str; 8] =
        ["other", "repeater", "bridge", "wlan-access-point", "router", "telephone", "docsis", "station"];
    /// IANA's OUI and its subtype 1 (RFC 8520, section 11).
    const MUD: [u8; 4] = [0, 0, 0x5e, 1];
    match kind {
        5 => Some((ClueKind::LldpName, printable(&value))),
        6 => Some((ClueKind::LldpDescription, printable(&value))),
        // What it can do, then what of it is switched on.
        7 => Some((ClueKind::LldpCapabilities, words(value.get(2..4)?, &CAPABILITIES))),
        127 => Some((ClueKind::MudUrl, printable(value.strip_prefix(&MUD)?))),
        _ => None,
    }
}

fn words(big_endian: &[u8], names: &[&str]) -> String {
    let bits = big_endian.iter().take(4).fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet));
    let set: Vec<&str> = names.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, name)| *name).collect();
    set.join(" ")
}

/// Text that is safe to store and show.
fn printable(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for c in String::from_utf8_lossy(value).trim_end_matches('\0').chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            // Writing to a String cannot fail.
            c if c.is_control() => _ = write!(out, "{}", c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an attribute with these pairs says.
    fn said(pairs: &[&[u8]]) -> Vec<(ClueKind, String)> {
        let mut clues = Vec::new();
        for pair in pairs {
            let length = u8::try_from(pair.len() + 2).unwrap();
            read(&[&CISCO[..], &[AV_PAIR, length], pair].concat(), &mut clues);
        }
        clues.into_iter().map(|clue| (clue.kind, clue.value)).collect()
    }

    #[test]
    fn the_device_sensor_is_read() {
        use ClueKind::*;
        let expected = [
            (DhcpParameters, "1,121,3,6,15"),
            (DhcpClass, "MSFT 5.0"),
            (CdpCapabilities, "host phone"),
            (LldpDescription, "Axis network camera"),
            (LldpCapabilities, "telephone"),
            (MudUrl, "https://mud.example/lamp"),
            (HttpUserAgent, "Mozilla/5.0"),
            (NasClassifier, "HP-Printer"),
        ];
        let seen = said(&[
            b"audit-session-id=0A0000010000000C",
            b"dhcp-option=\x007\0\x05\x01y\x03\x06\x0f",
            b"dhcp-option=\0<\0\x08MSFT 5.0",
            b"cdp-tlv=\0\x04\0\x04\0\0\0\x90",
            b"lldp-tlv=\0\x06\0\x13Axis network camera",
            b"lldp-tlv=\0\x07\0\x04\0\x24\0\x20",
            b"lldp-tlv=\0\x7f\0\x1c\0\0\x5e\x01https://mud.example/lamp",
            b"http-tlv=\0\x01\0\x0bMozilla/5.0",
            b"dc-device-name=HP-Printer",
        ]);
        assert_eq!(seen, expected.map(|(kind, value)| (kind, value.to_owned())));
    }

    #[test]
    fn hexadecimal_is_read_too_and_what_fits_nothing_is_not() {
        let class = vec![(ClueKind::DhcpClass, "udhcp".to_owned())];
        assert_eq!(said(&[b"dhcp-option=003c00057564686370"]), class);
        assert_eq!(said(&[b"dhcp-option=0x003C00057564686370"]), class);
        for bad in [&b"dhcp-option="[..], b"dhcp-option=\0<\0\x09MSFT 5.0", b"lldp-tlv=\0\x07\0\x01\0", b"dhcp-option"]
        {
            assert_eq!(said(&[bad]), [], "{bad:?}");
        }
        let mut clues = Vec::new();
        read(b"\0\0\0\x0a\x01\x0cdc-device-name=x", &mut clues);
        assert!(clues.is_empty());
    }

    #[test]
    fn codes_lead_back() {
        for kind in ClueKind::ALL {
            assert_eq!(ClueKind::from_code(kind.code()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.code());
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_safe_and_bounded(values: Vec<Vec<u8>>) {
            let mut clues = Vec::new();
            for value in values {
                read(&[&CISCO[..], &value].concat(), &mut clues);
                read(&[&CISCO[..], b"\x01\x20dhcp-option=", &value].concat(), &mut clues);
            }
            prop_assert!(clues.len() <= MAX_CLUES);
            prop_assert!(clues.iter().all(|c| c.value.chars().count() <= MAX_VALUE && !c.value.contains('\0')));
        }
    }
}
