//! Writing packets.
//!
//! In everything written here Message-Authenticator stands first, right after
//! the header: what an attacker of CVE-2024-3596 could predict then comes too
//! late to be of use.

use super::attribute as attr;
use super::authenticator::{
    AUTHENTICATOR_LEN, Protection, VerifiedRequest, compute_message_authenticator, response_authenticator,
};
use super::hide;
use super::packet::{Code, HEADER_LEN, MAX_PACKET_LEN, MAX_VALUE_LEN};
use super::radsec::TOKEN_LEN;
use crate::secret::Secret;

/// Where the value of a leading Message-Authenticator begins.
const MESSAGE_AUTHENTICATOR_AT: usize = HEADER_LEN + 2;
/// The longest value of a vendor's sub-attribute, in octets: 253 less vendor
/// number, type and length.
const MAX_VENDOR_VALUE_LEN: usize = MAX_VALUE_LEN - 6;
/// A packet seldom needs more, in octets; longer ones grow.
const TYPICAL_LEN: usize = 512;

/// A value longer than an attribute can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the value of attribute {kind} has {len} octets, which is more than fits")]
pub struct AttributeTooLong {
    /// The attribute.
    pub kind: u8,
    /// Octets of its value.
    pub len: usize,
}

/// A packet longer than 4,096 octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the packet would have {0} octets; RADIUS carries {MAX_PACKET_LEN}")]
pub struct PacketTooLong(pub usize);

/// The attributes of a packet being written.
#[derive(Clone, Debug)]
struct Body {
    bytes: Vec<u8>,
}

impl Body {
    fn new(code: Code, identifier: u8, message_authenticator: bool) -> Self {
        let mut bytes = Vec::with_capacity(TYPICAL_LEN);
        bytes.extend_from_slice(&[code.into(), identifier, 0, 0]);
        bytes.resize(HEADER_LEN, 0);
        if message_authenticator {
            bytes.extend_from_slice(&[attr::MESSAGE_AUTHENTICATOR, 2 + AUTHENTICATOR_LEN as u8]);
            bytes.resize(bytes.len() + AUTHENTICATOR_LEN, 0);
        }
        Self { bytes }
    }

    fn push(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), AttributeTooLong> {
        let len: usize = parts.iter().map(|p| p.len()).sum();
        let Some(total) = u8::try_from(len + 2).ok().filter(|_| len <= MAX_VALUE_LEN) else {
            return Err(AttributeTooLong { kind, len });
        };
        self.bytes.extend_from_slice(&[kind, total]);
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        Ok(())
    }

    fn push_vendor(&mut self, vendor: u32, kind: u8, value: &[u8]) -> Result<(), AttributeTooLong> {
        let Some(length) = u8::try_from(value.len() + 2).ok().filter(|_| value.len() <= MAX_VENDOR_VALUE_LEN) else {
            return Err(AttributeTooLong { kind, len: value.len() });
        };
        self.push(attr::VENDOR_SPECIFIC, &[&vendor.to_be_bytes(), &[kind, length], value])
    }

    fn set_length(&mut self) -> Result<(), PacketTooLong> {
        let length = self.bytes.len();
        if length > MAX_PACKET_LEN {
            return Err(PacketTooLong(length));
        }
        let octets = u16::try_from(length).map_err(|_| PacketTooLong(length))?.to_be_bytes();
        self.write(2, &octets);
        Ok(())
    }

    fn write(&mut self, at: usize, octets: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    }

    fn set_authenticator(&mut self, authenticator: &[u8; AUTHENTICATOR_LEN]) {
        self.write(4, authenticator);
    }

    fn set_message_authenticator(&mut self, authenticator: &[u8; AUTHENTICATOR_LEN], secret: &Secret) {
        let value = compute_message_authenticator(&self.bytes, MESSAGE_AUTHENTICATOR_AT, authenticator, secret);
        self.write(MESSAGE_AUTHENTICATOR_AT, &value);
    }
}

macro_rules! pushing {
    () => {
        /// Appends an attribute.
        ///
        /// # Errors
        /// When the value has more than 253 octets.
        pub fn push(&mut self, kind: u8, value: &[u8]) -> Result<(), AttributeTooLong> {
            self.body.push(kind, &[value])
        }

        /// Appends a text.
        ///
        /// # Errors
        /// When it has more than 253 octets.
        pub fn push_text(&mut self, kind: u8, value: &str) -> Result<(), AttributeTooLong> {
            self.push(kind, value.as_bytes())
        }

        /// Appends an integer, or anything else of four octets.
        ///
        /// # Errors
        /// None in fact; the type is that of its siblings.
        pub fn push_u32(&mut self, kind: u8, value: u32) -> Result<(), AttributeTooLong> {
            self.push(kind, &value.to_be_bytes())
        }

        /// Appends a tagged integer of three octets (RFC 2868, section 3.1).
        ///
        /// # Errors
        /// None in fact; the type is that of its siblings.
        pub fn push_tagged_u24(&mut self, kind: u8, tag: u8, value: u32) -> Result<(), AttributeTooLong> {
            let [_, high, middle, low] = value.to_be_bytes();
            self.push(kind, &[tag, high, middle, low])
        }

        /// Appends a tagged text (RFC 2868, section 3.6).
        ///
        /// # Errors
        /// When it has more than 252 octets.
        pub fn push_tagged_text(&mut self, kind: u8, tag: u8, value: &str) -> Result<(), AttributeTooLong> {
            self.body.push(kind, &[&[tag], value.as_bytes()])
        }

        /// Appends a vendor's attribute in the form that RFC 2865 recommends.
        ///
        /// # Errors
        /// When the value has more than 247 octets.
        pub fn push_vendor(&mut self, vendor: u32, kind: u8, value: &[u8]) -> Result<(), AttributeTooLong> {
            self.body.push_vendor(vendor, kind, value)
        }

        /// Appends an EAP packet, cut into as many attributes as it takes
        /// (RFC 3579, section 3.1).
        ///
        /// # Errors
        /// None in fact; the type is that of its siblings.
        pub fn push_eap(&mut self, packet: &[u8]) -> Result<(), AttributeTooLong> {
            if packet.is_empty() {
                return self.push(attr::EAP_MESSAGE, &[]);
            }
            packet.chunks(MAX_VALUE_LEN).try_for_each(|chunk| self.push(attr::EAP_MESSAGE, chunk))
        }

        /// Appends whole attributes that were encoded elsewhere.
        pub fn push_raw(&mut self, attributes: &[u8]) {
            self.body.bytes.extend_from_slice(attributes);
        }
    };
}

/// Writes the reply to a request, protected as the request was.
#[derive(Clone, Debug)]
pub struct ReplyBuilder<'a> {
    body: Body,
    protection: Protection<'a>,
    request_authenticator: [u8; AUTHENTICATOR_LEN],
    message_authenticator: bool,
    proxy_state: Vec<u8>,
}

impl<'a> ReplyBuilder<'a> {
    /// A reply of this code. The request's Proxy-State attributes will stand at
    /// its end, unaltered and in order (RFC 2865, section 5.33).
    ///
    /// Message-Authenticator will be first, except in the answer to an
    /// Accounting-Request: no RFC says how it is computed there, and FreeRADIUS
    /// 3 computes it over a zeroed authenticator and drops what differs.
    ///
    /// RADIUS/1.1 has no Message-Authenticator, and the request's Token comes
    /// back (RFC 9765, sections 4.1 and 5.2).
    pub fn new(code: Code, request: &VerifiedRequest<'a>) -> Self {
        let packet = request.packet();
        let mut proxy_state = Vec::new();
        for value in packet.find_all(attr::PROXY_STATE) {
            proxy_state.extend_from_slice(&[attr::PROXY_STATE, value.len() as u8 + 2]);
            proxy_state.extend_from_slice(value);
        }
        let protection = request.protection();
        let (identifier, message_authenticator) = match protection {
            Protection::Secret(_) => (packet.identifier(), packet.code() != Code::AccountingRequest),
            // The octet is reserved there.
            Protection::Tls => (0, false),
        };
        Self {
            body: Body::new(code, identifier, message_authenticator),
            protection,
            message_authenticator,
            request_authenticator: *packet.authenticator(),
            proxy_state,
        }
    }

    pushing!();

    /// Appends MS-MPPE-Send-Key and MS-MPPE-Recv-Key (RFC 2548, section 2.4),
    /// seen from the NAS: it sends to the endpoint with `send_key`. The salts
    /// must differ. RADIUS/1.1 does not hide them (RFC 9765, section 5.1.4).
    ///
    /// # Errors
    /// When a key is longer than fits.
    pub fn push_mppe_keys(
        &mut self,
        send_key: &[u8],
        recv_key: &[u8],
        salts: [u16; 2],
    ) -> Result<(), AttributeTooLong> {
        let keys = [(attr::MS_MPPE_RECV_KEY, recv_key), (attr::MS_MPPE_SEND_KEY, send_key)];
        for ((kind, key), salt) in keys.into_iter().zip(salts) {
            match self.protection {
                Protection::Secret(secret) => {
                    let value = hide::salt_encrypt(key, secret, &self.request_authenticator, salt);
                    self.push_vendor(attr::VENDOR_MICROSOFT, kind, &value)?;
                }
                Protection::Tls => self.push_vendor(attr::VENDOR_MICROSOFT, kind, key)?,
            }
        }
        Ok(())
    }

    /// Appends Tunnel-Password (RFC 2868, section 3.5). RADIUS/1.1 sends neither
    /// salt nor length, and does not hide it (RFC 9765, section 5.1.3).
    ///
    /// # Errors
    /// When the password is longer than fits.
    pub fn push_tunnel_password(&mut self, tag: u8, salt: u16, password: &[u8]) -> Result<(), AttributeTooLong> {
        if password.len() > hide::MAX_SALTED_LEN {
            return Err(AttributeTooLong { kind: attr::TUNNEL_PASSWORD, len: password.len() });
        }
        match self.protection {
            Protection::Secret(secret) => {
                let value = hide::salt_encrypt(password, secret, &self.request_authenticator, salt);
                self.body.push(attr::TUNNEL_PASSWORD, &[&[tag], &value])
            }
            Protection::Tls => self.body.push(attr::TUNNEL_PASSWORD, &[&[tag], password]),
        }
    }

    /// The finished packet.
    ///
    /// # Errors
    /// When it would be longer than 4,096 octets.
    pub fn finish(mut self) -> Result<Vec<u8>, PacketTooLong> {
        self.body.bytes.extend_from_slice(&self.proxy_state);
        self.body.set_length()?;
        match self.protection {
            Protection::Secret(secret) => {
                if self.message_authenticator {
                    self.body.set_message_authenticator(&self.request_authenticator, secret);
                }
                let authenticator = response_authenticator(&self.body.bytes, &self.request_authenticator, secret);
                self.body.set_authenticator(&authenticator);
            }
            // All that follows the Token is zero.
            Protection::Tls => self.body.write(4, self.request_authenticator.get(..TOKEN_LEN).unwrap_or_default()),
        }
        Ok(self.body.bytes)
    }
}

/// Writes a request, for tools and tests.
#[derive(Clone, Debug)]
pub struct RequestBuilder {
    body: Body,
    code: Code,
    random: [u8; AUTHENTICATOR_LEN],
    message_authenticator: bool,
}

impl RequestBuilder {
    /// A request of this code. `random` becomes the Request Authenticator of
    /// Access-Request and Status-Server; others compute theirs.
    pub fn new(code: Code, identifier: u8, random: [u8; AUTHENTICATOR_LEN]) -> Self {
        Self { body: Body::new(code, identifier, true), code, random, message_authenticator: true }
    }

    /// The same without Message-Authenticator, as older clients send it.
    pub fn without_message_authenticator(code: Code, identifier: u8, random: [u8; AUTHENTICATOR_LEN]) -> Self {
        Self { body: Body::new(code, identifier, false), code, random, message_authenticator: false }
    }

    pushing!();

    /// Appends User-Password.
    ///
    /// # Errors
    /// None in fact; the type is that of its siblings.
    pub fn push_user_password(&mut self, secret: &Secret, password: &[u8]) -> Result<(), AttributeTooLong> {
        let value = hide::user_password_encrypt(password, secret, &self.random);
        self.push(attr::USER_PASSWORD, &value)
    }

    /// The finished packet.
    ///
    /// # Errors
    /// When it would be longer than 4,096 octets.
    pub fn finish(mut self, secret: &Secret) -> Result<Vec<u8>, PacketTooLong> {
        const ZEROES: [u8; AUTHENTICATOR_LEN] = [0; AUTHENTICATOR_LEN];
        self.body.set_length()?;
        let random = matches!(self.code, Code::AccessRequest | Code::StatusServer);
        let during = if random { self.random } else { ZEROES };
        if self.message_authenticator {
            self.body.set_message_authenticator(&during, secret);
        }
        let authenticator =
            if random { self.random } else { response_authenticator(&self.body.bytes, &ZEROES, secret) };
        self.body.set_authenticator(&authenticator);
        Ok(self.body.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::authenticator::{VerifyError, verify_reply, verify_request};
    use super::super::packet::Packet;
    use super::*;
    use proptest::prelude::*;

    fn secret() -> Secret {
        Secret::new("a long shared secret")
    }

    #[test]
    fn message_authenticator_is_first_and_proxy_state_last() {
        let mut request = RequestBuilder::new(Code::AccessRequest, 5, [9; 16]);
        request.push(attr::PROXY_STATE, b"one").unwrap();
        request.push_text(attr::USER_NAME, "alice").unwrap();
        request.push(attr::PROXY_STATE, b"two").unwrap();
        let request = request.finish(&secret()).unwrap();
        let secret = secret();
        let verified = verify_request(Packet::parse(&request).unwrap(), &secret, true).unwrap();
        let mut reply = ReplyBuilder::new(Code::AccessAccept, &verified);
        reply.push_mppe_keys(&[1; 32], &[2; 32], [0x8001, 0x8002]).unwrap();
        let reply = reply.finish().unwrap();
        let verified = verify_reply(&reply, &Packet::parse(&request).unwrap(), &secret).unwrap();
        assert!(verified.message_authenticator_first());
        let packet = verified.packet();
        assert_eq!(packet.find_all(attr::PROXY_STATE).collect::<Vec<_>>(), [b"one", b"two"]);
        assert_eq!(packet.attributes().last().unwrap().value, b"two");
        let hidden = packet.vendor(attr::VENDOR_MICROSOFT, attr::MS_MPPE_RECV_KEY).next().unwrap();
        assert_eq!(hide::salt_decrypt(hidden, &secret, &[9; 16]).unwrap(), [2; 32]);
    }

    #[test]
    fn the_wrong_secret_shows() {
        for code in [Code::AccessRequest, Code::StatusServer, Code::AccountingRequest, Code::CoaRequest] {
            let request = RequestBuilder::new(code, 1, [3; 16]).finish(&secret()).unwrap();
            let packet = Packet::parse(&request).unwrap();
            assert!(verify_request(packet, &secret(), true).is_ok(), "{code}");
            assert!(verify_request(packet, &Secret::new("other"), true).is_err(), "{code}");
        }
    }

    #[test]
    fn a_missing_message_authenticator_is_told_apart() {
        let mut builder = RequestBuilder::without_message_authenticator(Code::AccessRequest, 1, [3; 16]);
        builder.push_text(attr::USER_NAME, "bob").unwrap();
        let plain = builder.clone().finish(&secret()).unwrap();
        let packet = Packet::parse(&plain).unwrap();
        assert_eq!(verify_request(packet, &secret(), true).unwrap_err(), VerifyError::MissingMessageAuthenticator);
        assert!(!verify_request(packet, &secret(), false).unwrap().has_message_authenticator());
        builder.push_eap(&[2, 1, 0, 5, 1]).unwrap();
        let eap = builder.finish(&secret()).unwrap();
        let packet = Packet::parse(&eap).unwrap();
        assert_eq!(verify_request(packet, &secret(), false).unwrap_err(), VerifyError::EapWithoutMessageAuthenticator);
    }

    #[test]
    fn a_packet_has_an_end() {
        let mut builder = RequestBuilder::new(Code::AccessRequest, 1, [3; 16]);
        for _ in 0..17 {
            builder.push(attr::REPLY_MESSAGE, &[b'x'; 253]).unwrap();
        }
        assert!(builder.finish(&secret()).is_err());
        let mut builder = RequestBuilder::new(Code::AccessRequest, 1, [3; 16]);
        assert!(builder.push(attr::REPLY_MESSAGE, &[b'x'; 254]).is_err());
    }

    proptest! {
        #[test]
        fn any_change_to_a_reply_is_noticed(at in 0usize..60, bit in 0u8..8) {
            let mut request = RequestBuilder::new(Code::AccessRequest, 5, [9; 16]);
            request.push_text(attr::USER_NAME, "alice").unwrap();
            let request = request.finish(&secret()).unwrap();
            let secret = secret();
            let verified = verify_request(Packet::parse(&request).unwrap(), &secret, true).unwrap();
            let mut reply = ReplyBuilder::new(Code::AccessAccept, &verified);
            reply.push_text(attr::CLASS, "0123456789012345678").unwrap();
            let mut reply = reply.finish().unwrap();
            let at = at % reply.len();
            reply[at] ^= 1 << bit;
            prop_assert!(verify_reply(&reply, &Packet::parse(&request).unwrap(), &secret).is_err());
        }
    }
}
