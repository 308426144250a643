//! Typed values (RFC 8044): from octets to text that people read, and back.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The data types of RFC 8044, section 3, as dictionaries name them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataType {
    /// A 32-bit unsigned number.
    Integer,
    /// A number with names for its values.
    Enum,
    /// Seconds since 1970, 32 bits.
    Time,
    /// UTF-8.
    Text,
    /// Octets without further meaning.
    String,
    /// Octets, put together from all attributes of the type.
    Concat,
    /// 64 bits.
    Ifid,
    /// An IPv4 address.
    Ipv4Addr,
    /// An IPv6 address.
    Ipv6Addr,
    /// Reserved octet, prefix length, up to 16 octets.
    Ipv6Prefix,
    /// Reserved octet, prefix length, 4 octets.
    Ipv4Prefix,
    /// A 64-bit unsigned number.
    Integer64,
    /// Attributes within the attribute.
    Tlv,
    /// Vendor-specific.
    Vsa,
    /// Extended (RFC 6929).
    Extended,
    /// Long extended (RFC 6929).
    LongExtended,
    /// Extended vendor-specific.
    Evs,
    /// One octet (vendors use it).
    Byte,
    /// Two octets (vendors use it).
    Short,
}

/// A text that does not spell a value of the type.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ValueError {
    /// What was given.
    pub text: String,
    /// What is needed.
    pub expected: &'static str,
}

impl DataType {
    /// The type of this name in a dictionary file.
    pub fn from_name(name: &str) -> Option<DataType> {
        Some(match name {
            "integer" => DataType::Integer,
            "enum" => DataType::Enum,
            "time" => DataType::Time,
            "text" => DataType::Text,
            "string" => DataType::String,
            "concat" => DataType::Concat,
            "ifid" => DataType::Ifid,
            "ipv4addr" => DataType::Ipv4Addr,
            "ipv6addr" => DataType::Ipv6Addr,
            "ipv6prefix" => DataType::Ipv6Prefix,
            "ipv4prefix" => DataType::Ipv4Prefix,
            "integer64" => DataType::Integer64,
            "tlv" => DataType::Tlv,
            "vsa" => DataType::Vsa,
            "extended" => DataType::Extended,
            "long-extended" => DataType::LongExtended,
            "evs" => DataType::Evs,
            "byte" => DataType::Byte,
            "short" => DataType::Short,
            _ => return None,
        })
    }

    /// The value as text. Octets that are no value of the type are shown in
    /// hex: they survive, and are seen for what they are.
    pub fn print(self, value: &[u8]) -> String {
        self.print_typed(value).unwrap_or_else(|| hex(value))
    }

    fn print_typed(self, value: &[u8]) -> Option<String> {
        Some(match self {
            DataType::Integer | DataType::Enum | DataType::Time => {
                u32::from_be_bytes(value.try_into().ok()?).to_string()
            }
            DataType::Byte => u8::from_be_bytes(value.try_into().ok()?).to_string(),
            DataType::Short => u16::from_be_bytes(value.try_into().ok()?).to_string(),
            DataType::Integer64 => u64::from_be_bytes(value.try_into().ok()?).to_string(),
            DataType::Ipv4Addr => Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).to_string(),
            DataType::Ipv6Addr => Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).to_string(),
            DataType::Ipv4Prefix => {
                let (&[0, length], address) = value.split_first_chunk::<2>()? else { return None };
                let address = Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?);
                (length <= 32).then(|| format!("{address}/{length}"))?
            }
            DataType::Ipv6Prefix => {
                let (&[0, length], prefix) = value.split_first_chunk::<2>()? else { return None };
                let mut octets = [0; 16];
                octets.get_mut(..prefix.len())?.copy_from_slice(prefix);
                let enough = usize::from(length).div_ceil(8) <= prefix.len();
                (length <= 128 && enough).then(|| format!("{}/{length}", Ipv6Addr::from(octets)))?
            }
            DataType::Ifid => {
                let id = u64::from_be_bytes(value.try_into().ok()?);
                format!("{:x}:{:x}:{:x}:{:x}", id >> 48, (id >> 32) & 0xffff, (id >> 16) & 0xffff, id & 0xffff)
            }
            DataType::Text => {
                let text = std::str::from_utf8(value).ok()?;
                (!text.chars().any(char::is_control)).then(|| text.to_owned())?
            }
            DataType::String | DataType::Concat => {
                let text = std::str::from_utf8(value).ok()?;
                let readable = !text.is_empty()
                    && !text.starts_with("0x")
                    && text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
                readable.then(|| text.to_owned())?
            }
            _ => return None,
        })
    }

    /// The octets of the value that a text spells. `0x...` gives octets as they
    /// are, for every type.
    ///
    /// # Errors
    /// When the text is no such value.
    pub fn encode(self, text: &str) -> Result<Vec<u8>, ValueError> {
        let bad = |expected| ValueError { text: text.to_owned(), expected };
        if let Some(digits) = text.strip_prefix("0x") {
            return unhex(digits).ok_or_else(|| bad("an even number of hex digits after 0x"));
        }
        Ok(match self {
            DataType::Integer | DataType::Enum | DataType::Time => {
                text.parse::<u32>().map_err(|_| bad("a number from 0 to 4294967295"))?.to_be_bytes().to_vec()
            }
            DataType::Byte => vec![text.parse::<u8>().map_err(|_| bad("a number from 0 to 255"))?],
            DataType::Short => text.parse::<u16>().map_err(|_| bad("a number from 0 to 65535"))?.to_be_bytes().to_vec(),
            DataType::Integer64 => {
                text.parse::<u64>().map_err(|_| bad("a number from 0 to 18446744073709551615"))?.to_be_bytes().to_vec()
            }
            DataType::Ipv4Addr => text.parse::<Ipv4Addr>().map_err(|_| bad("an IPv4 address"))?.octets().to_vec(),
            DataType::Ipv6Addr => text.parse::<Ipv6Addr>().map_err(|_| bad("an IPv6 address"))?.octets().to_vec(),
            DataType::Ipv4Prefix => {
                let (address, length) =
                    prefix::<Ipv4Addr>(text, 32).ok_or_else(|| bad("an IPv4 prefix such as 192.0.2.0/24"))?;
                [&[0, length][..], &address.octets()].concat()
            }
            DataType::Ipv6Prefix => {
                let (address, length) =
                    prefix::<Ipv6Addr>(text, 128).ok_or_else(|| bad("an IPv6 prefix such as 2001:db8::/32"))?;
                [&[0, length][..], &address.octets()].concat()
            }
            DataType::Ifid => {
                let parts: Vec<u16> = text.split(':').filter_map(|p| u16::from_str_radix(p, 16).ok()).collect();
                if parts.len() != 4 || text.split(':').count() != 4 {
                    return Err(bad("four groups of hex digits such as 1:2:3:4"));
                }
                parts.iter().flat_map(|p| p.to_be_bytes()).collect()
            }
            DataType::Text | DataType::String | DataType::Concat => text.as_bytes().to_vec(),
            _ => return Err(bad("a value of octets: write 0x and hex digits")),
        })
    }
}

fn prefix<A: std::str::FromStr>(text: &str, max: u8) -> Option<(A, u8)> {
    let (address, length) = text.split_once('/')?;
    let length = length.parse().ok().filter(|l| *l <= max)?;
    Some((address.parse().ok()?, length))
}

/// Two hex digits for each octet.
pub fn digits(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len() * 2);
    for octet in octets {
        // Writing to a string cannot fail.
        let _ = write!(out, "{octet:02x}");
    }
    out
}

/// The same behind `0x`.
pub fn hex(octets: &[u8]) -> String {
    format!("0x{}", digits(octets))
}

/// The octets that pairs of hex digits spell.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(digits.get(i..i + 2)?, 16).ok()).collect()
}

/// Characters that have no width, or reorder what stands around them: a line that
/// holds one does not say what it seems to.
const REORDERS: [char; 15] = [
    '\u{200b}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2060}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{061c}', '\u{feff}',
];

/// Octets of the network as text that is safe to show and store: what is no
/// UTF-8 or a control character is escaped.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        if c.is_control() || REORDERS.contains(&c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_hides_or_reorders() {
        assert_eq!(printable("a\u{202e}b\u{7}c".as_bytes()), "a\\u{202e}b\\u{7}c");
    }
    use proptest::prelude::*;

    const ALL: [DataType; 14] = [
        DataType::Integer,
        DataType::Time,
        DataType::Text,
        DataType::String,
        DataType::Concat,
        DataType::Ifid,
        DataType::Ipv4Addr,
        DataType::Ipv6Addr,
        DataType::Ipv6Prefix,
        DataType::Ipv4Prefix,
        DataType::Integer64,
        DataType::Byte,
        DataType::Short,
        DataType::Tlv,
    ];

    proptest! {
        #[test]
        fn what_is_printed_can_be_encoded(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
            for data_type in ALL {
                let text = data_type.print(&octets);
                let back = data_type.encode(&text).unwrap();
                // A prefix may be written with fewer octets than it could have.
                prop_assert_eq!(data_type.print(&back), text, "{:?}", data_type);
            }
        }
    }

    #[test]
    fn values_look_as_people_write_them() {
        assert_eq!(DataType::Ipv6Prefix.print(&[0, 32, 0x20, 1, 0x0d, 0xb8]), "2001:db8::/32");
        assert_eq!(DataType::Ipv4Addr.print(&[1, 2, 3]), "0x010203");
        assert_eq!(DataType::Text.print("zu Hause ü".as_bytes()), "zu Hause ü");
        assert!(DataType::Integer.encode("-1").is_err());
        assert!(DataType::Ipv4Prefix.encode("10.0.0.0/33").is_err());
        assert_eq!(DataType::Ifid.encode("1:2:3:4").unwrap(), [0, 1, 0, 2, 0, 3, 0, 4]);
    }
}
