//! The EAP packet (RFC 3748, section 4).

use std::fmt;

/// Code, identifier and length.
pub const HEADER_LEN: usize = 4;
/// The header and the type octet of a Request or Response.
pub const TYPED_HEADER_LEN: usize = HEADER_LEN + 1;

/// What kind of packet it is (RFC 3748, section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EapCode {
    /// From the server; asks for a Response with the same identifier.
    Request = 1,
    /// From the peer.
    Response = 2,
    /// From the server: the peer is let in.
    Success = 3,
    /// From the server: the peer is not let in.
    Failure = 4,
}

/// The type octet of a Request or Response (RFC 3748, section 5).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EapType(pub u8);

impl EapType {
    /// The peer's name, in clear and unverified.
    pub const IDENTITY: EapType = EapType(1);
    /// A text for the user.
    pub const NOTIFICATION: EapType = EapType(2);
    /// The proposed method is refused; lists those that are wanted.
    pub const NAK: EapType = EapType(3);
    /// EAP-TLS (RFC 5216).
    pub const TLS: EapType = EapType(13);
    /// Expanded types, and the expanded Nak (RFC 3748, section 5.7).
    pub const EXPANDED: EapType = EapType(254);
}

/// The method's usual name, or its number.
impl fmt::Display for EapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "Identity",
            2 => "Notification",
            3 => "Nak",
            4 => "EAP-MD5",
            6 => "EAP-GTC",
            13 => "EAP-TLS",
            17 => "LEAP",
            18 => "EAP-SIM",
            21 => "EAP-TTLS",
            23 => "EAP-AKA",
            25 => "PEAP",
            26 => "EAP-MSCHAPv2",
            43 => "EAP-FAST",
            50 => "EAP-AKA'",
            52 => "EAP-PWD",
            55 => "TEAP",
            254 => "an expanded type",
            n => return write!(f, "EAP type {n}"),
        };
        f.write_str(name)
    }
}

impl fmt::Debug for EapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why octets are no EAP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EapError {
    /// Fewer octets than the header, or than its length field says.
    #[error("the EAP packet is shorter than its length field says")]
    Truncated,
    /// The length field is smaller than what the code calls for.
    #[error("the EAP length field is too small for its code")]
    BadLength,
    /// A code other than 1 to 4.
    #[error("EAP code {0} is not known")]
    UnknownCode(u8),
}

/// A packet as it lies in the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EapPacket<'a> {
    /// Request, Response, Success or Failure.
    pub code: EapCode,
    /// Pairs a Response with its Request.
    pub identifier: u8,
    /// The type of a Request or Response; `None` for Success and Failure.
    pub kind: Option<EapType>,
    /// What follows the type.
    pub data: &'a [u8],
}

impl<'a> EapPacket<'a> {
    /// Reads one packet. Octets beyond its length field are padding and are
    /// ignored (RFC 3748, section 4).
    ///
    /// # Errors
    /// See [`EapError`]; such packets are to be dropped silently.
    pub fn parse(bytes: &'a [u8]) -> Result<EapPacket<'a>, EapError> {
        let [code, identifier, high, low, ..] = *bytes else {
            return Err(EapError::Truncated);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < HEADER_LEN {
            return Err(EapError::BadLength);
        }
        let body = bytes.get(HEADER_LEN..length).ok_or(EapError::Truncated)?;
        let code = match code {
            1 => EapCode::Request,
            2 => EapCode::Response,
            3 => EapCode::Success,
            4 => EapCode::Failure,
            other => return Err(EapError::UnknownCode(other)),
        };
        let (kind, data) = match code {
            EapCode::Request | EapCode::Response => {
                let (kind, data) = body.split_first().ok_or(EapError::BadLength)?;
                (Some(EapType(*kind)), data)
            }
            EapCode::Success | EapCode::Failure => (None, body),
        };
        Ok(EapPacket { code, identifier, kind, data })
    }
}

/// A Request or Response; `data` follows the type octet. At most 65,530 octets
/// of data fit, and all senders here stay far below.
pub fn typed(code: EapCode, identifier: u8, kind: EapType, data: &[u8]) -> Vec<u8> {
    let length = TYPED_HEADER_LEN + data.len();
    let mut out = Vec::with_capacity(length);
    out.push(code as u8);
    out.push(identifier);
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    out.push(kind.0);
    out.extend_from_slice(data);
    out
}

/// EAP-Success, with the identifier of the Response it answers.
pub fn success(identifier: u8) -> Vec<u8> {
    vec![EapCode::Success as u8, identifier, 0, 4]
}

/// EAP-Failure, with the identifier of the Response it answers.
pub fn failure(identifier: u8) -> Vec<u8> {
    vec![EapCode::Failure as u8, identifier, 0, 4]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_ignored_and_truncation_is_not() {
        let mut bytes = typed(EapCode::Response, 7, EapType::IDENTITY, b"anonymous");
        let whole = bytes.len();
        bytes.extend_from_slice(&[0; 3]);
        let packet = EapPacket::parse(&bytes).unwrap();
        assert_eq!((packet.identifier, packet.data), (7, &b"anonymous"[..]));
        for end in 0..whole {
            assert_eq!(EapPacket::parse(&bytes[..end]), Err(EapError::Truncated), "{end}");
        }
    }

    #[test]
    fn lengths_below_the_header_are_refused() {
        assert_eq!(EapPacket::parse(&[2, 1, 0, 3]), Err(EapError::BadLength));
        assert_eq!(EapPacket::parse(&[2, 1, 0, 4]), Err(EapError::BadLength));
        assert_eq!(EapPacket::parse(&[9, 1, 0, 4]), Err(EapError::UnknownCode(9)));
        assert!(EapPacket::parse(&success(1)).is_ok());
    }
}
