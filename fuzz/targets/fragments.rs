//! Fragments in any order and shape; and cutting, which must come together.
#![no_main]

use cordon_fuzz::eap::tls::fragment::{Fragmenter, MAX_MESSAGE_LEN, Reassembled, Reassembler, TlsData};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    // As sent by somebody: pieces of varying length.
    let mut reassembler = Reassembler::default();
    for piece in rest.chunks(usize::from(*first).max(1)) {
        let Ok(fragment) = TlsData::parse(piece) else { continue };
        match reassembler.push(&fragment) {
            Ok(Reassembled::Complete(message)) => {
                assert!(message.len() <= MAX_MESSAGE_LEN);
                reassembler = Reassembler::default();
            }
            Ok(Reassembled::NeedMore) => {}
            Err(_) => reassembler = Reassembler::default(),
        }
    }
    // As sent by us.
    let max_len = usize::from(*first) * 8 + 16;
    let mut fragmenter = Fragmenter::new(rest.to_vec());
    let mut reassembler = Reassembler::default();
    loop {
        let piece = fragmenter.next(max_len);
        assert!(piece.len() <= max_len, "{} is longer than {max_len}", piece.len());
        let fragment = TlsData::parse(&piece).expect("ours is sound");
        match reassembler.push(&fragment).expect("ours fits") {
            Reassembled::Complete(message) => {
                assert_eq!(message, rest);
                assert!(fragmenter.is_done());
                break;
            }
            Reassembled::NeedMore => assert!(!fragmenter.is_done()),
        }
    }
});
