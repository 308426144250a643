//! radius-rs as a peer: what it encodes we decode, and the reverse.

use cordon::radius::authenticator::{verify_reply, verify_request};
use cordon::radius::builder::{ReplyBuilder, RequestBuilder};
use cordon::radius::hide;
use cordon::radius::packet;
use cordon::secret::Secret;
use proptest::prelude::*;
use radius::core::avp::AVP;
use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::request::Request;
use std::net::SocketAddr;

const SECRET: &[u8] = b"a-secret-of-some-length";

/// Attributes whose value is any octets; not those that hide or authenticate.
fn attributes() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let kind = any::<u8>().prop_filter("plain", |k| ![0, 2, 3, 60, 69, 79, 80].contains(k));
    proptest::collection::vec((kind, proptest::collection::vec(any::<u8>(), 0..=40)), 0..30)
}

fn listed(packet: &packet::Packet<'_>) -> Vec<(u8, Vec<u8>)> {
    packet.attributes().filter(|a| a.kind != 80).map(|a| (a.kind, a.value.to_vec())).collect()
}

proptest! {
    #[test]
    fn what_radius_rs_encodes_we_decode(attributes in attributes(), accounting in any::<bool>()) {
        let code = if accounting { Code::AccountingRequest } else { Code::AccessRequest };
        let mut theirs = Packet::new(code, SECRET);
        for (kind, value) in &attributes {
            theirs.add(AVP::from_bytes(*kind, value));
        }
        let octets = theirs.encode().unwrap();
        let ours = packet::Packet::parse(&octets).unwrap();
        prop_assert_eq!(listed(&ours), attributes);
        prop_assert_eq!(ours.identifier(), theirs.get_identifier());
        // Requests of theirs carry no Message-Authenticator.
        prop_assert!(verify_request(ours, &Secret::new(SECRET), false).is_ok());
        prop_assert!(accounting == verify_request(ours, &Secret::new("other"), false).is_err());
    }

    #[test]
    fn what_we_encode_radius_rs_decodes(attributes in attributes(), identifier in any::<u8>(), random in any::<[u8; 16]>()) {
        let mut ours = RequestBuilder::new(packet::Code::AccountingRequest, identifier, random);
        for (kind, value) in &attributes {
            ours.push(*kind, value).unwrap();
        }
        let octets = ours.finish(&Secret::new(SECRET)).unwrap();
        prop_assert!(Packet::is_authentic_request(&octets, SECRET));
        prop_assert!(!Packet::is_authentic_request(&octets, b"other"));
        let theirs = Packet::decode(&octets, SECRET).unwrap();
        prop_assert_eq!(theirs.get_identifier(), identifier);
        for (kind, value) in &attributes {
            let all = theirs.lookup_all(*kind);
            prop_assert!(all.iter().any(|avp| avp.encode_bytes() == *value), "{} is missing", kind);
        }
    }

    #[test]
    fn our_replies_are_authentic_to_radius_rs(attributes in attributes()) {
        let request = Packet::new(Code::AccessRequest, SECRET).encode().unwrap();
        let parsed = packet::Packet::parse(&request).unwrap();
        let secret = Secret::new(SECRET);
        let mut reply = ReplyBuilder::new(packet::Code::AccessAccept, &verify_request(parsed, &secret, false).unwrap());
        for (kind, value) in &attributes {
            reply.push(*kind, value).unwrap();
        }
        let octets = reply.finish().unwrap();
        prop_assert!(Packet::is_authentic_response(&octets, &request, SECRET));
        let theirs = Packet::decode(&octets, SECRET).unwrap();
        prop_assert!(theirs.get_code() == Code::AccessAccept);
    }

    #[test]
    fn their_replies_are_authentic_to_us(attributes in attributes()) {
        let request = Packet::new(Code::AccessRequest, SECRET).encode().unwrap();
        let from: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let theirs = Request::new(from, from, Packet::decode(&request, SECRET).unwrap());
        let mut reply = theirs.get_packet().make_response_packet(Code::AccessAccept);
        for (kind, value) in &attributes {
            reply.add(AVP::from_bytes(*kind, value));
        }
        let octets = reply.encode().unwrap();
        let parsed = packet::Packet::parse(&request).unwrap();
        let verified = verify_reply(&octets, &parsed, &Secret::new(SECRET)).unwrap();
        prop_assert_eq!(listed(&verified.packet()), attributes);
    }

    #[test]
    fn passwords_are_hidden_the_same_way(password in "[ -~]{1,100}", authenticator in any::<[u8; 16]>()) {
        let secret = Secret::new(SECRET);
        let theirs = AVP::from_user_password(2, password.as_bytes(), SECRET, &authenticator).unwrap();
        let shown = hide::user_password_decrypt(&theirs.encode_bytes(), &secret, &authenticator).unwrap();
        prop_assert_eq!(shown, password.as_bytes());
        let ours = AVP::from_bytes(2, &hide::user_password_encrypt(password.as_bytes(), &secret, &authenticator));
        prop_assert_eq!(ours.encode_user_password(SECRET, &authenticator).unwrap(), password.as_bytes());
    }
}
