//! The RADIUS packet as it lies in the buffer (RFC 2865, section 3).

use super::attribute as attr;
use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

/// The longest packet, in octets (RFC 2865, section 3).
pub const MAX_PACKET_LEN: usize = 4096;
/// Code, identifier, length and authenticator, in octets.
pub const HEADER_LEN: usize = 20;
/// The longest attribute value, in octets.
pub const MAX_VALUE_LEN: usize = 253;
/// A vendor-specific attribute's value begins with the vendor's number.
const VENDOR_ID_LEN: usize = 4;

/// What a packet is (RFC 2865, section 3; RFC 5176, section 2.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Code {
    AccessRequest,
    AccessAccept,
    AccessReject,
    AccountingRequest,
    AccountingResponse,
    AccessChallenge,
    StatusServer,
    DisconnectRequest,
    DisconnectAck,
    DisconnectNak,
    CoaRequest,
    CoaAck,
    CoaNak,
    ProtocolError,
    Unknown(u8),
}

const CODES: [(u8, Code, &str); 14] = [
    (1, Code::AccessRequest, "Access-Request"),
    (2, Code::AccessAccept, "Access-Accept"),
    (3, Code::AccessReject, "Access-Reject"),
    (4, Code::AccountingRequest, "Accounting-Request"),
    (5, Code::AccountingResponse, "Accounting-Response"),
    (11, Code::AccessChallenge, "Access-Challenge"),
    (12, Code::StatusServer, "Status-Server"),
    (40, Code::DisconnectRequest, "Disconnect-Request"),
    (41, Code::DisconnectAck, "Disconnect-ACK"),
    (42, Code::DisconnectNak, "Disconnect-NAK"),
    (43, Code::CoaRequest, "CoA-Request"),
    (44, Code::CoaAck, "CoA-ACK"),
    (45, Code::CoaNak, "CoA-NAK"),
    (52, Code::ProtocolError, "Protocol-Error"),
];

impl From<u8> for Code {
    fn from(number: u8) -> Code {
        CODES.iter().find(|(n, ..)| *n == number).map_or(Code::Unknown(number), |(_, code, _)| *code)
    }
}

impl From<Code> for u8 {
    fn from(code: Code) -> u8 {
        match code {
            Code::Unknown(number) => number,
            known => CODES.iter().find(|(_, c, _)| *c == known).map_or(0, |(n, ..)| *n),
        }
    }
}

impl Code {
    /// Its name; `None` for one that nobody has named.
    pub fn name(self) -> Option<&'static str> {
        CODES.iter().find(|(_, code, _)| *code == self).map(|(.., name)| *name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Unknown(number) => write!(f, "code {number}"),
            known => f.write_str(known.name().unwrap_or_default()),
        }
    }
}

/// Why octets are no RADIUS packet. All are to be dropped silently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PacketError {
    /// Shorter than a header, or than the length field says.
    #[error("the datagram has {have} octets, the packet should have {want}")]
    Truncated {
        /// Octets that came.
        have: usize,
        /// Octets that the header calls for.
        want: usize,
    },
    /// The length field is out of 20..=4096.
    #[error("the length field says {0}; it must be from 20 to 4096")]
    BadLength(usize),
    /// An attribute is shorter than its header or reaches beyond the packet.
    #[error("the attribute at offset {0} does not fit the packet")]
    BadAttribute(usize),
}

/// A packet whose framing has been checked: every attribute lies within it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    authenticator: &'a [u8; 16],
}

impl<'a> Packet<'a> {
    /// Reads one packet. Octets beyond the length field are padding (RFC 2865,
    /// section 3).
    ///
    /// # Errors
    /// See [`PacketError`].
    pub fn parse(datagram: &'a [u8]) -> Result<Packet<'a>, PacketError> {
        let have = datagram.len();
        let header: &[u8; HEADER_LEN] =
            datagram.first_chunk().ok_or(PacketError::Truncated { have, want: HEADER_LEN })?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if !(HEADER_LEN..=MAX_PACKET_LEN).contains(&length) {
            return Err(PacketError::BadLength(length));
        }
        let bytes = datagram.get(..length).ok_or(PacketError::Truncated { have, want: length })?;
        let authenticator =
            bytes.get(4..).and_then(|b| b.first_chunk()).ok_or(PacketError::Truncated { have, want: HEADER_LEN })?;
        let mut offset = HEADER_LEN;
        while offset < length {
            let attribute_len = match bytes.get(offset..offset + 2) {
                Some(&[_, len]) if len >= 2 => usize::from(len),
                _ => return Err(PacketError::BadAttribute(offset)),
            };
            if offset + attribute_len > length {
                return Err(PacketError::BadAttribute(offset));
            }
            offset += attribute_len;
        }
        Ok(Packet { bytes, authenticator })
    }

    /// What the packet is.
    pub fn code(&self) -> Code {
        Code::from(self.bytes.first().copied().unwrap_or_default())
    }

    /// Pairs a reply with its request.
    pub fn identifier(&self) -> u8 {
        self.bytes.get(1).copied().unwrap_or_default()
    }

    /// The Request or Response Authenticator.
    pub fn authenticator(&self) -> &'a [u8; 16] {
        self.authenticator
    }

    /// The whole packet, without padding.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its attributes in order.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, offset: HEADER_LEN }
    }

    /// The first value of this type.
    pub fn find(&self, kind: u8) -> Option<&'a [u8]> {
        self.find_all(kind).next()
    }

    /// All values of this type, in order.
    pub fn find_all(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.attributes().filter(move |a| a.kind == kind).map(|a| a.value)
    }

    /// All values of a vendor's type, in order, in the form that RFC 2865
    /// recommends; several may share one attribute.
    pub fn vendor(&self, vendor: u32, kind: u8) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.find_all(attr::VENDOR_SPECIFIC)
            .filter_map(move |value| {
                let (id, rest) = value.split_first_chunk::<VENDOR_ID_LEN>()?;
                (u32::from_be_bytes(*id) == vendor).then_some(rest)
            })
            .flat_map(|rest| Tlvs { rest })
            .filter(move |(k, _)| *k == kind)
            .map(|(_, value)| value)
    }

    /// The first value of this type, if it is UTF-8 text.
    pub fn text(&self, kind: u8) -> Option<&'a str> {
        self.find(kind).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// The first value of this type, if it has four octets.
    pub fn integer(&self, kind: u8) -> Option<u32> {
        self.find(kind).and_then(|v| v.try_into().ok()).map(u32::from_be_bytes)
    }

    /// The first value of this type as an IPv4 address.
    pub fn address(&self, kind: u8) -> Option<Ipv4Addr> {
        self.integer(kind).map(Ipv4Addr::from)
    }

    /// The EAP packet, put together from all EAP-Message attributes (RFC 3579,
    /// section 3.1). `None` without any; empty is EAP-Start.
    pub fn eap_message(&self) -> Option<Cow<'a, [u8]>> {
        let mut parts = self.find_all(attr::EAP_MESSAGE);
        let first = parts.next()?;
        match parts.next() {
            None => Some(Cow::Borrowed(first)),
            Some(second) => {
                let mut whole = [first, second].concat();
                parts.for_each(|part| whole.extend_from_slice(part));
                Some(Cow::Owned(whole))
            }
        }
    }
}

impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} id {} ({} octets)", self.code(), self.identifier(), self.bytes.len())
    }
}

/// One attribute as it lies in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// Its type.
    pub kind: u8,
    /// What follows type and length.
    pub value: &'a [u8],
    /// Where its type octet stands in the packet.
    pub offset: usize,
}

/// The attributes of a packet, in order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let offset = self.offset;
        let &[kind, length] = self.bytes.get(offset..offset + 2)? else { return None };
        let end = offset + usize::from(length).max(2);
        let value = self.bytes.get(offset + 2..end)?;
        self.offset = end;
        Some(Attribute { kind, value, offset })
    }
}

/// Type-length-value triples inside an attribute; ends at the first that does
/// not fit, since what follows has no meaning.
#[derive(Clone, Debug)]
pub struct Tlvs<'a> {
    /// What has not been read yet.
    pub rest: &'a [u8],
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let &[kind, length, ..] = self.rest else { return None };
        let length = usize::from(length);
        let value = self.rest.get(2..length)?;
        self.rest = self.rest.get(length..)?;
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(attributes: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, 9, 0, 0];
        bytes.extend_from_slice(&[7; 16]);
        bytes.extend_from_slice(attributes);
        let length = bytes.len() as u16;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn padding_is_ignored() {
        let mut bytes = packet(&[1, 3, b'x']);
        bytes.extend_from_slice(b"padding");
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!((parsed.code(), parsed.identifier(), parsed.bytes().len()), (Code::AccessRequest, 9, 23));
        assert_eq!(parsed.text(attr::USER_NAME), Some("x"));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = packet(&[1, 3, b'x', 4, 6, 127, 0, 0, 1]);
        for end in 0..bytes.len() {
            assert!(Packet::parse(&bytes[..end]).is_err(), "{end}");
        }
        for bad in [&[1, 0][..], &[1, 1], &[1, 4, 0], &[1], &[1, 3, 0, 9]] {
            assert!(matches!(Packet::parse(&packet(bad)), Err(PacketError::BadAttribute(_))), "{bad:?}");
        }
        let mut short = packet(&[]);
        short[3] = 19;
        assert_eq!(Packet::parse(&short), Err(PacketError::BadLength(19)));
        short[2..4].copy_from_slice(&4097u16.to_be_bytes());
        assert_eq!(Packet::parse(&short), Err(PacketError::BadLength(4097)));
    }

    #[test]
    fn concatenated_and_vendor_attributes() {
        let bytes = packet(&[79, 4, 1, 2, 79, 3, 3, 26, 14, 0, 0, 0, 9, 1, 4, b'a', b'b', 1, 4, b'c', b'd']);
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!(parsed.eap_message().unwrap().as_ref(), [1, 2, 3]);
        assert_eq!(parsed.vendor(9, 1).collect::<Vec<_>>(), [b"ab", b"cd"]);
        assert_eq!(parsed.vendor(10, 1).count(), 0);
    }

    #[test]
    fn codes_have_names() {
        for number in 0..=255 {
            assert_eq!(u8::from(Code::from(number)), number);
        }
        assert_eq!(Code::from(12).to_string(), "Status-Server");
        assert_eq!(Code::from(99).to_string(), "code 99");
    }
}
