//! MAC addresses in every spelling that switches use.

use std::fmt;

/// Octets of a MAC address.
const LEN: usize = 6;
/// Set in the first octet of group addresses (IEEE 802).
const MULTICAST: u8 = 0x01;
/// Set in the first octet of addresses that nobody assigned to the hardware.
const LOCALLY_ADMINISTERED: u8 = 0x02;

/// An endpoint's address on the link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddress([u8; LEN]);

/// The text spells no MAC address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no MAC address; write it as 02-00-5E-00-00-01, 02:00:5e:00:00:01, 0200.5e00.0001 or 02005e000001")]
pub struct MacError(pub String);

impl MacAddress {
    /// The address of these octets.
    pub const fn new(octets: [u8; LEN]) -> Self {
        Self(octets)
    }

    /// Its octets.
    pub const fn octets(self) -> [u8; LEN] {
        self.0
    }

    /// Reads the usual spellings: 12 digits; pairs with `-`, `:` or `.`; three
    /// groups of four with `.`, `-` or `:`; two groups of six with `-` or `:`;
    /// colons without leading zeroes, after the hardware type `1:` or not.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<MacAddress, MacError> {
        Self::read(text.trim()).map(MacAddress).ok_or_else(|| MacError(text.chars().take(64).collect()))
    }

    fn read(text: &str) -> Option<[u8; LEN]> {
        let separator = text.chars().find(|c| !c.is_ascii_hexdigit());
        let Some(separator) = separator else { return groups(&[text], 12) };
        if !matches!(separator, '-' | ':' | '.' | ' ') {
            return None;
        }
        let parts: Vec<&str> = text.split(separator).collect();
        match parts.len() {
            2 => groups(&parts, 6),
            3 => groups(&parts, 4),
            6 if separator == ':' => octets(&parts),
            6 => groups(&parts, 2),
            // The hardware type (1, Ethernet) comes first.
            7 if separator == ':' && parts.first() == Some(&"1") => octets(parts.get(1..)?),
            _ => None,
        }
    }

    /// Whether it is a group's address, which no endpoint has.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & MULTICAST != 0
    }

    /// Whether it was made up by the endpoint, as phones do for privacy: it
    /// identifies nobody for long.
    pub const fn is_randomized(self) -> bool {
        self.0[0] & LOCALLY_ADMINISTERED != 0
    }
}

fn groups(parts: &[&str], digits: usize) -> Option<[u8; LEN]> {
    if parts.iter().any(|p| p.len() != digits) {
        return None;
    }
    let joined = parts.concat();
    let mut out = [0; LEN];
    for (octet, i) in out.iter_mut().zip((0..).step_by(2)) {
        *octet = u8::from_str_radix(joined.get(i..i + 2)?, 16).ok()?;
    }
    joined.bytes().all(|b| b.is_ascii_hexdigit()).then_some(out)
}

fn octets(parts: &[&str]) -> Option<[u8; LEN]> {
    let mut out = [0; LEN];
    for (octet, part) in out.iter_mut().zip(parts) {
        let plain = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_hexdigit());
        *octet = plain.then(|| u8::from_str_radix(part, 16).ok())??;
    }
    Some(out)
}

/// As RFC 3580, section 3.21, writes it: 02-00-5E-00-00-01.
impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}-{b:02X}-{c:02X}-{d:02X}-{e:02X}-{g:02X}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for MacAddress {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MacAddress {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_spellings() {
        let expected = MacAddress([0x00, 0x0e, 0x01, 0x0c, 0x38, 0xc8]);
        for text in [
            "000e010c38c8",
            "000E010C38C8",
            "00-0e-01-0c-38-c8",
            "00:0E:01:0C:38:C8",
            "00.0e.01.0c.38.c8",
            "000e.010c.38c8",
            "000e-010c-38c8",
            "000e:010c:38c8",
            "000e01-0c38c8",
            "000e01:0c38c8",
            "0:e:1:c:38:c8",
            "1:0:e:1:c:38:c8",
            " 00-0e-01-0c-38-c8 ",
            "00 0e 01 0c 38 c8",
        ] {
            assert_eq!(MacAddress::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "alice",
            "000e010c38c",
            "000e010c38c8f",
            "00-0e-01-0c-38",
            "00-0e-01-0c-38-c8-00",
            "00-0e:01-0c-38-c8",
            "00-0e-01-0c-38-+8",
            "2:0:e:1:c:38:c8",
            "0-e-1-c-38-c8",
            "gg-00-00-00-00-00",
            "000e_010c_38c8",
        ] {
            assert!(MacAddress::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn shown_and_read(octets: [u8; 6]) {
            let mac = MacAddress(octets);
            prop_assert_eq!(MacAddress::parse(&mac.to_string()), Ok(mac));
        }

        #[test]
        fn any_text_is_safe(text in "\\PC{0,40}") {
            let _ = MacAddress::parse(&text);
        }
    }
}
