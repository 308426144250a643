//! What is different when TLS carries RADIUS: RadSec (RFC 6614 and its successor
//! draft-ietf-radext-radiusdtls-bis), and RADIUS/1.1 (RFC 9765), which leaves MD5
//! out and names packets by a Token of four octets.

use super::attribute as attr;
use super::authenticator::{Protection, ReplyError, VerifiedRequest, VerifyError, verify_reply, verify_request};
use super::builder::{PacketTooLong, ReplyBuilder, RequestBuilder};
use super::packet::{Code, HEADER_LEN, MAX_PACKET_LEN, Packet};
use crate::secret::Secret;
use md5::{Digest, Md5};
use std::fmt;
use std::sync::LazyLock;

/// Octets of the Token, which takes the first place of the authenticator
/// (RFC 9765, section 4.1).
pub const TOKEN_LEN: usize = 4;

/// What stands in for a shared secret within TLS (RFC 6614, section 2.3).
static SECRET: LazyLock<Secret> = LazyLock::new(|| Secret::new("radsec"));

/// Why a request cannot be served (RFC 5176, section 3.5, and its registry).
pub mod error_cause {
    /// The EAP packet is broken or out of turn.
    pub const INVALID_EAP_PACKET: u32 = 202;
    /// An attribute that is needed is not there.
    pub const MISSING_ATTRIBUTE: u32 = 402;
    /// The packet is of a kind that is not served here.
    pub const UNSUPPORTED_EXTENSION: u32 = 406;
    /// Nothing is known of the session.
    pub const SESSION_CONTEXT_NOT_FOUND: u32 = 503;
    /// The server cannot serve now; another may.
    pub const RESOURCES_UNAVAILABLE: u32 = 506;
    /// The reply would be longer than a packet.
    pub const RESPONSE_TOO_BIG: u32 = 601;
}

/// What is spoken within TLS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Version {
    /// RADIUS as over UDP, with the secret "radsec".
    V1_0,
    /// RFC 9765: without MD5.
    V1_1,
}

impl Version {
    /// Its name in ALPN (RFC 9765, section 3.1).
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Version::V1_0 => b"radius/1.0",
            Version::V1_1 => b"radius/1.1",
        }
    }

    /// What was agreed on; without ALPN it is RADIUS/1.0.
    pub fn agreed(alpn: Option<&[u8]>) -> Version {
        if alpn == Some(Version::V1_1.alpn()) { Version::V1_1 } else { Version::V1_0 }
    }

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::V1_0 => "1.0",
            Version::V1_1 => "1.1",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RADIUS/{}", self.as_str())
    }
}

/// Whether RADIUS/1.1 is spoken (RFC 9765, section 3.3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Radius11 {
    /// Never.
    Forbid,
    /// With who offers it.
    #[default]
    Allow,
    /// Nothing else is.
    Require,
}

impl Radius11 {
    /// The names to agree on in ALPN, the best first.
    pub const fn versions(self) -> &'static [Version] {
        match self {
            Radius11::Forbid => &[Version::V1_0],
            Radius11::Allow => &[Version::V1_1, Version::V1_0],
            Radius11::Require => &[Version::V1_1],
        }
    }

    /// Whether what was agreed on will do.
    pub fn admits(self, version: Version) -> bool {
        self.versions().contains(&version)
    }
}

/// Checks a request that came over TLS from its NAS. Message-Authenticator need
/// not be there but for EAP and Status-Server; what is there must be right. In
/// RADIUS/1.1 there is nothing to check: TLS did.
///
/// # Errors
/// See [`VerifyError`]. What shows another secret or an altered packet means that
/// the peer is out of step: the connection has to be closed.
pub fn verify<'a>(packet: Packet<'a>, version: Version) -> Result<VerifiedRequest<'a>, VerifyError> {
    match version {
        Version::V1_0 => verify_request(packet, &SECRET, false).map(VerifiedRequest::over_tls),
        Version::V1_1 => match packet.code() {
            Code::AccessRequest
            | Code::AccountingRequest
            | Code::StatusServer
            | Code::CoaRequest
            | Code::DisconnectRequest => Ok(VerifiedRequest::by_channel(packet, Protection::Tls)),
            other => Err(VerifyError::NotARequest(other)),
        },
    }
}

/// What names a request on its connection: the identifier, or the Token.
pub fn number(packet: &Packet<'_>, version: Version) -> u32 {
    match version {
        Version::V1_0 => packet.identifier().into(),
        Version::V1_1 => token(packet),
    }
}

fn token(packet: &Packet<'_>) -> u32 {
    packet.authenticator().first_chunk::<TOKEN_LEN>().map_or(0, |token| u32::from_be_bytes(*token))
}

/// What tells two requests of one number apart: the authenticator, or in
/// RADIUS/1.1, which has none, a digest of it all.
pub fn fingerprint(packet: &Packet<'_>, version: Version) -> [u8; 16] {
    match version {
        Version::V1_0 => *packet.authenticator(),
        Version::V1_1 => Md5::digest(packet.bytes()).into(),
    }
}

/// A Protocol-Error (RFC 7930, section 4; RFC 9765, section 6) that says why the
/// request is not served.
///
/// # Errors
/// When the request's Proxy-State leaves no room.
pub fn protocol_error(request: &VerifiedRequest<'_>, cause: u32) -> Result<Vec<u8>, PacketTooLong> {
    let mut reply = ReplyBuilder::new(Code::ProtocolError, request);
    let code = u32::from(u8::from(request.packet().code()));
    if matches!(request.protection(), Protection::Secret(_)) {
        let [a, b, c, d] = code.to_be_bytes();
        // Neither value is longer than an attribute.
        let _ = reply.push(attr::EXTENDED_1, &[attr::ORIGINAL_PACKET_CODE, a, b, c, d]);
    }
    let _ = reply.push_u32(attr::ERROR_CAUSE, cause);
    reply.finish()
}

/// The answer to a packet of a kind that is not served here: Protocol-Error with
/// "Unsupported Extension". `None` for a reply, which gets none.
pub fn unsupported(packet: &Packet<'_>, version: Version) -> Option<Vec<u8>> {
    if is_reply(packet.code()) {
        return None;
    }
    let protection = match version {
        Version::V1_0 => Protection::Secret(&SECRET),
        Version::V1_1 => Protection::Tls,
    };
    protocol_error(&VerifiedRequest::by_channel(*packet, protection), error_cause::UNSUPPORTED_EXTENSION).ok()
}

/// Whether a packet of this kind answers another one.
pub const fn is_reply(code: Code) -> bool {
    matches!(
        code,
        Code::AccessAccept
            | Code::AccessReject
            | Code::AccountingResponse
            | Code::AccessChallenge
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaAck
            | Code::CoaNak
            | Code::ProtocolError
    )
}

/// A request to the NAS, such as Disconnect-Request, down its own connection.
/// `attributes` are encoded; `number` is the identifier, or the Token.
///
/// # Errors
/// When it would be longer than 4,096 octets.
pub fn request(version: Version, code: Code, number: u32, attributes: &[u8]) -> Result<Vec<u8>, PacketTooLong> {
    match version {
        Version::V1_0 => {
            let mut request = RequestBuilder::new(code, number.to_be_bytes()[3], [0; 16]);
            request.push_raw(attributes);
            request.finish(&SECRET)
        }
        Version::V1_1 => {
            let length = HEADER_LEN + attributes.len();
            let octets =
                u16::try_from(length).ok().filter(|_| length <= MAX_PACKET_LEN).ok_or(PacketTooLong(length))?;
            let mut packet = vec![code.into(), 0];
            packet.extend_from_slice(&octets.to_be_bytes());
            packet.extend_from_slice(&number.to_be_bytes());
            packet.resize(HEADER_LEN, 0);
            packet.extend_from_slice(attributes);
            Ok(packet)
        }
    }
}

/// Why a reply is none to the request that it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MismatchedReply {
    /// Its authenticators do not fit.
    #[error(transparent)]
    Unproven(#[from] ReplyError),
    /// It is of a kind that does not answer the request's.
    #[error("{got} does not answer {asked}")]
    Kind {
        /// The reply's.
        got: Code,
        /// The request's.
        asked: Code,
    },
}

/// Checks the reply to a request that [`request`] wrote, of the same number.
///
/// # Errors
/// See [`MismatchedReply`].
pub fn check_reply(version: Version, reply: &Packet<'_>, request: &Packet<'_>) -> Result<(), MismatchedReply> {
    let (got, asked) = (reply.code(), request.code());
    let fits = matches!(
        (asked, got),
        (Code::CoaRequest, Code::CoaAck | Code::CoaNak)
            | (Code::DisconnectRequest, Code::DisconnectAck | Code::DisconnectNak)
            | (_, Code::ProtocolError)
    );
    if !fits {
        return Err(MismatchedReply::Kind { got, asked });
    }
    match version {
        Version::V1_0 => verify_reply(reply.bytes(), request, &SECRET).map(|_| ()).map_err(Into::into),
        Version::V1_1 => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::authenticator::UserPassword;
    use super::super::hide;
    use super::*;

    /// A packet of RADIUS/1.1, put together by hand.
    fn packet(code: u8, token: [u8; 4], attributes: &[u8]) -> Vec<u8> {
        let length = (20 + attributes.len() as u16).to_be_bytes();
        [&[code, 0], &length[..], &token, &[0; 12], attributes].concat()
    }

    #[test]
    fn radius_1_1_hides_nothing_and_returns_the_token() {
        let bytes = packet(1, [0xde, 0xad, 0xbe, 0xef], &[2, 8, b's', b'e', b'c', b'r', b'e', b't', 33, 4, 7, 8]);
        let request = verify(Packet::parse(&bytes).unwrap(), Version::V1_1).unwrap();
        assert_eq!(request.user_password(), UserPassword::Given(b"secret".to_vec()));
        assert_eq!(request.chap_challenge(), None);
        assert!(request.is_authenticated() && !request.has_message_authenticator());
        let mut reply = ReplyBuilder::new(Code::AccessAccept, &request);
        reply.push_mppe_keys(&[1; 32], &[2; 32], [0x8001, 0x8002]).unwrap();
        reply.push_tunnel_password(1, 0x8003, b"pw").unwrap();
        let reply = reply.finish().unwrap();
        let mut expected = vec![26, 40, 0, 0, 1, 0x37, 17, 34];
        expected.extend([2; 32]);
        expected.extend([26, 40, 0, 0, 1, 0x37, 16, 34]);
        expected.extend([1; 32]);
        expected.extend([69, 5, 1, b'p', b'w', 33, 4, 7, 8]);
        assert_eq!(reply, packet(2, [0xde, 0xad, 0xbe, 0xef], &expected));
    }

    #[test]
    fn a_challenge_for_chap_must_be_an_attribute() {
        let bytes = packet(1, [0; 4], &[60, 4, 1, 2]);
        let request = verify(Packet::parse(&bytes).unwrap(), Version::V1_1).unwrap();
        assert_eq!(request.chap_challenge(), Some(&[1, 2][..]));
    }

    #[test]
    fn radius_1_0_is_held_together_by_the_fixed_secret() {
        let secret = Secret::new("radsec");
        let mut request = RequestBuilder::new(Code::AccessRequest, 9, [3; 16]);
        request.push_user_password(&secret, b"pw").unwrap();
        let bytes = request.finish(&secret).unwrap();
        let parsed = Packet::parse(&bytes).unwrap();
        let verified = verify(parsed, Version::V1_0).unwrap();
        assert_eq!(verified.user_password(), UserPassword::Given(b"pw".to_vec()));
        let mut reply = ReplyBuilder::new(Code::AccessAccept, &verified);
        reply.push_mppe_keys(&[1; 32], &[2; 32], [0x8001, 0x8002]).unwrap();
        let reply = reply.finish().unwrap();
        let reply = verify_reply(&reply, &parsed, &secret).unwrap();
        assert!(reply.message_authenticator_first());
        let hidden = reply.packet().vendor(attr::VENDOR_MICROSOFT, attr::MS_MPPE_SEND_KEY).next().unwrap();
        assert_eq!(hide::salt_decrypt(hidden, &secret, &[3; 16]).unwrap(), [1; 32]);
        let other = RequestBuilder::new(Code::AccessRequest, 9, [3; 16]).finish(&Secret::new("other")).unwrap();
        assert!(verify(Packet::parse(&other).unwrap(), Version::V1_0).is_err());
    }

    #[test]
    fn what_is_not_served_is_told_so_but_never_a_reply() {
        let bytes = packet(43, [1, 2, 3, 4], &[]);
        let reply = unsupported(&Packet::parse(&bytes).unwrap(), Version::V1_1).unwrap();
        assert_eq!(reply, packet(52, [1, 2, 3, 4], &[101, 6, 0, 0, 1, 0x96]));
        let bytes = request(Version::V1_0, Code::CoaRequest, 7, &[]).unwrap();
        let parsed = Packet::parse(&bytes).unwrap();
        let reply = unsupported(&parsed, Version::V1_0).unwrap();
        let reply = verify_reply(&reply, &parsed, &SECRET).unwrap();
        assert!(reply.message_authenticator_first());
        assert_eq!(reply.packet().integer(attr::ERROR_CAUSE), Some(406));
        assert_eq!(reply.packet().find(attr::EXTENDED_1), Some(&[4, 0, 0, 0, 43][..]));
        for code in [2, 3, 5, 11, 41, 42, 44, 45, 52] {
            let bytes = packet(code, [0; 4], &[]);
            assert_eq!(unsupported(&Packet::parse(&bytes).unwrap(), Version::V1_1), None, "{code}");
        }
    }

    #[test]
    fn replies_of_the_nas_are_checked() {
        for version in [Version::V1_0, Version::V1_1] {
            let bytes = request(version, Code::DisconnectRequest, 300, &[44, 3, b'x']).unwrap();
            let asked = Packet::parse(&bytes).unwrap();
            assert_eq!(number(&asked, version), if version == Version::V1_0 { 300 & 0xff } else { 300 });
            let verified = verify(asked, version).unwrap();
            let ack = ReplyBuilder::new(Code::DisconnectAck, &verified).finish().unwrap();
            let ack = Packet::parse(&ack).unwrap();
            assert_eq!((number(&ack, version), check_reply(version, &ack, &asked)), (number(&asked, version), Ok(())));
            let wrong = ReplyBuilder::new(Code::CoaAck, &verified).finish().unwrap();
            assert!(check_reply(version, &Packet::parse(&wrong).unwrap(), &asked).is_err());
            let error = protocol_error(&verified, error_cause::UNSUPPORTED_EXTENSION).unwrap();
            assert_eq!(check_reply(version, &Packet::parse(&error).unwrap(), &asked), Ok(()));
        }
        let bytes = request(Version::V1_0, Code::CoaRequest, 1, &[]).unwrap();
        let mut forged = vec![44, 1, 0, 20];
        forged.extend([0; 16]);
        let (forged, asked) = (Packet::parse(&forged).unwrap(), Packet::parse(&bytes).unwrap());
        assert!(check_reply(Version::V1_0, &forged, &asked).is_err());
        assert!(request(Version::V1_1, Code::CoaRequest, 1, &[0; 4077]).is_err());
    }

    #[test]
    fn what_is_agreed_on() {
        assert_eq!(Version::agreed(None), Version::V1_0);
        assert_eq!(Version::agreed(Some(b"radius/1.1")), Version::V1_1);
        assert!(Radius11::Allow.admits(Version::V1_0) && Radius11::Allow.admits(Version::V1_1));
        assert!(!Radius11::Require.admits(Version::V1_0) && !Radius11::Forbid.admits(Version::V1_1));
    }
}
