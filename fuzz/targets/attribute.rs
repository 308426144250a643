//! An attribute's value of any type, hidden and extended ones included.
#![no_main]

use cordon_fuzz::radius::dictionary::Dictionary;
use cordon_fuzz::radius::hide;
use cordon_fuzz::radius::packet::Packet;
use cordon_fuzz::radius::value::DataType;
use cordon_fuzz::secret::Secret;
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 12] = [
    "integer", "time", "text", "string", "ipv4addr", "ipv6addr", "ipv6prefix", "ipv4prefix", "integer64", "ifid",
    "tlv", "byte",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, value)) = data.split_first() else { return };
    let secret = Secret::new("secret");
    let authenticator = [*choice; 16];
    let _ = hide::user_password_decrypt(value, &secret, &authenticator);
    if let Some(plain) = hide::salt_decrypt(value, &secret, &authenticator) {
        assert!(plain.len() <= hide::MAX_SALTED_LEN.max(value.len()));
    }
    let kind = DataType::from_name(TYPES[usize::from(*choice) % TYPES.len()]);
    if let Some(kind) = kind {
        let printed = kind.print(value);
        if let Ok(octets) = kind.encode(&printed) {
            assert_eq!(kind.print(&octets), printed, "what is printed can be written again");
        }
    }
    // The same octets as the one attribute of a packet.
    let value = &value[..value.len().min(253)];
    let length = (22 + value.len()) as u16;
    let mut packet = vec![1, 1];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&authenticator);
    packet.extend_from_slice(&[*choice, value.len() as u8 + 2]);
    packet.extend_from_slice(value);
    if let Ok(packet) = Packet::parse(&packet) {
        let described = Dictionary::standard().describe(&packet);
        assert!(!described.is_empty() || (241..=246).contains(choice) || *choice == 26, "{choice} is lost");
    }
});
