//! A datagram, as it comes from the network.
#![no_main]

use cordon_fuzz::radius::authenticator::{verify_reply, verify_request};
use cordon_fuzz::radius::builder::ReplyBuilder;
use cordon_fuzz::radius::dictionary::Dictionary;
use cordon_fuzz::radius::extended;
use cordon_fuzz::radius::packet::{Code, HEADER_LEN, Packet};
use cordon_fuzz::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let Ok(packet) = Packet::parse(datagram) else { return };
    assert!(packet.bytes().len() <= datagram.len());
    let body: usize = packet.attributes().map(|a| a.value.len() + 2).sum();
    assert_eq!(body + HEADER_LEN, packet.bytes().len(), "every octet is in an attribute");
    let _ = packet.eap_message();
    let _ = extended::extended(&packet);
    let _ = Dictionary::standard().describe(&packet);
    let secret = Secret::new("secret");
    for required in [false, true] {
        let Ok(verified) = verify_request(packet, &secret, required) else { continue };
        let mut reply = ReplyBuilder::new(Code::AccessReject, &verified);
        let _ = reply.push_text(18, "no");
        let Ok(reply) = reply.finish() else { continue };
        assert!(verify_reply(&reply, &packet, &secret).is_ok(), "our reply is one to this request");
    }
});
