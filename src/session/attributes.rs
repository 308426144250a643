//! Numbers of the attributes that accounting is read from (RFC 2865, 2866,
//! 2869, 3162, 6911), and how their values are read.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) const USER_NAME: u8 = 1;
pub(super) const NAS_IP_ADDRESS: u8 = 4;
pub(super) const NAS_PORT: u8 = 5;
pub(super) const FRAMED_IP_ADDRESS: u8 = 8;
pub(super) const CLASS: u8 = 25;
pub(super) const VENDOR_SPECIFIC: u8 = 26;
pub(super) const CALLED_STATION_ID: u8 = 30;
pub(super) const CALLING_STATION_ID: u8 = 31;
pub(super) const NAS_IDENTIFIER: u8 = 32;
pub(super) const PROXY_STATE: u8 = 33;
pub(super) const ACCT_STATUS_TYPE: u8 = 40;
pub(super) const ACCT_DELAY_TIME: u8 = 41;
pub(super) const ACCT_INPUT_OCTETS: u8 = 42;
pub(super) const ACCT_OUTPUT_OCTETS: u8 = 43;
pub(super) const ACCT_SESSION_ID: u8 = 44;
pub(super) const ACCT_SESSION_TIME: u8 = 46;
pub(super) const ACCT_INPUT_PACKETS: u8 = 47;
pub(super) const ACCT_OUTPUT_PACKETS: u8 = 48;
pub(super) const ACCT_TERMINATE_CAUSE: u8 = 49;
pub(super) const ACCT_MULTI_SESSION_ID: u8 = 50;
pub(super) const ACCT_INPUT_GIGAWORDS: u8 = 52;
pub(super) const ACCT_OUTPUT_GIGAWORDS: u8 = 53;
pub(super) const EVENT_TIMESTAMP: u8 = 55;
pub(super) const NAS_PORT_TYPE: u8 = 61;
pub(super) const MESSAGE_AUTHENTICATOR: u8 = 80;
pub(super) const NAS_PORT_ID: u8 = 87;
pub(super) const NAS_IPV6_ADDRESS: u8 = 95;
pub(super) const FRAMED_IPV6_ADDRESS: u8 = 168;

/// A 32-bit number; `None` if the value is not four octets.
pub(super) fn integer(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

/// An IPv4 address in text; `None` if the value is not four octets.
pub(super) fn ipv4(value: &[u8]) -> Option<String> {
    integer(value).map(|bits| Ipv4Addr::from_bits(bits).to_string())
}

/// An IPv6 address in text; `None` if the value is not sixteen octets.
pub(super) fn ipv6(value: &[u8]) -> Option<String> {
    let octets: [u8; 16] = value.try_into().ok()?;
    Some(Ipv6Addr::from(octets).to_string())
}

/// Cisco's number as a vendor, and the type of Cisco-AVPair.
const CISCO_AV_PAIR: [u8; 5] = [0, 0, 0, 9, 1];

/// The value of Cisco's `audit-session-id=`, by which its gear finds a session; `None`
/// if this Vendor-Specific attribute is another.
pub(super) fn audit_session_id(value: &[u8]) -> Option<String> {
    let (length, rest) = value.strip_prefix(&CISCO_AV_PAIR)?.split_first()?;
    let pair = rest.get(..usize::from(*length).checked_sub(2)?)?;
    text(pair.strip_prefix(b"audit-session-id=")?)
}

/// Text as it may be stored and shown: what is not UTF-8, and control
/// characters, are written as `\xNN`. An attribute of 253 octets can grow to
/// 1,012. `None` if there is nothing in it.
pub(super) fn text(value: &[u8]) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| escape(&mut out, b));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|&b| escape(&mut out, b));
    }
    Some(out)
}

fn escape(out: &mut String, octet: u8) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\x{octet:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_where_it_is_not_printable() {
        assert_eq!(text(b"alice").as_deref(), Some("alice"));
        assert_eq!(text("j\u{fc}rgen".as_bytes()).as_deref(), Some("j\u{fc}rgen"));
        assert_eq!(text(b"a\0b\xffc\n").as_deref(), Some("a\\x00b\\xffc\\x0a"));
        assert_eq!(text("\u{85}".as_bytes()).as_deref(), Some("\\xc2\\x85"));
        assert_eq!(text(b""), None);
        assert_eq!(text(&[0xff; 253]).unwrap().len(), 1012);
    }

    #[test]
    fn values_of_the_wrong_length_are_not_read() {
        assert_eq!(integer(&[0, 0, 1, 0]), Some(256));
        assert_eq!(integer(&[0, 1, 0]), None);
        assert_eq!(ipv4(&[192, 0, 2, 1]).as_deref(), Some("192.0.2.1"));
        assert_eq!(ipv6(&[0; 15]), None);
        assert_eq!(ipv6(&[0; 16]).as_deref(), Some("::"));
    }
}
