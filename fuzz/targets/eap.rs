//! An EAP packet.
#![no_main]

use cordon_fuzz::eap::packet::{EapPacket, typed};
use cordon_fuzz::eap::tls::fragment::TlsData;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(packet) = EapPacket::parse(octets) else { return };
    let _ = TlsData::parse(packet.data);
    if let Some(kind) = packet.kind {
        let again = typed(packet.code, packet.identifier, kind, packet.data);
        let reread = EapPacket::parse(&again);
        assert!(reread.is_ok_and(|p| p.data == packet.data && p.kind == packet.kind), "it reads as it was");
    }
});
