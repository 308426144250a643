//! What comes within TLS, cut anywhere: the first octet says where, and which version
//! was agreed on.
#![no_main]

use cordon_fuzz::radius::packet::{HEADER_LEN, MAX_PACKET_LEN};
use cordon_fuzz::radius::radsec::{self, Version};
use cordon_fuzz::radius::stream::Framer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&control, stream)) = data.split_first() else { return };
    let version = if control & 1 == 0 { Version::V1_0 } else { Version::V1_1 };
    let whole = read(stream, stream.len().max(1), version);
    let cut = read(stream, usize::from(control >> 1) + 1, version);
    assert_eq!(whole, cut, "how it is cut makes no difference");
});

/// The packets, and whether the stream was in step to its end.
fn read(stream: &[u8], cut: usize, version: Version) -> (Vec<Vec<u8>>, bool) {
    let (mut framer, mut packets) = (Framer::default(), Vec::new());
    for mut part in stream.chunks(cut) {
        loop {
            match framer.take(&mut part) {
                Ok(Some(packet)) => {
                    assert!((HEADER_LEN..=MAX_PACKET_LEN).contains(&packet.bytes().len()));
                    packets.push(packet.bytes().to_vec());
                    let _ = radsec::fingerprint(&packet, version);
                    if let Ok(request) = radsec::verify(packet, version) {
                        let _ = (request.user_password(), request.chap_challenge());
                        if let Ok(error) = radsec::protocol_error(&request, radsec::error_cause::RESOURCES_UNAVAILABLE) {
                            let error = cordon_fuzz::radius::packet::Packet::parse(&error).expect("ours is sound");
                            assert_eq!(radsec::number(&error, version), radsec::number(&packet, version));
                            assert_eq!(radsec::check_reply(version, &error, &packet), Ok(()));
                        }
                    }
                    let _ = radsec::unsupported(&packet, version);
                }
                Ok(None) => break,
                Err(_) => return (packets, false),
            }
        }
        assert!(part.is_empty(), "all is taken");
    }
    (packets, true)
}
