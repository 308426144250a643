//! RADIUS over a stream: packets follow one another, and each one's Length field
//! says where the next begins (RFC 6613, section 2.6.1; RFC 6614, section 2.1).
//!
//! A stream that is out of step cannot be brought into step again: its connection
//! has to be closed.

use super::packet::{HEADER_LEN, MAX_PACKET_LEN, Packet, PacketError};

/// Octets until the Length field is known.
const LENGTH_KNOWN: usize = 4;

/// Cuts a stream into packets. Holds one packet at most, and so 4,096 octets.
#[derive(Debug, Default)]
pub struct Framer {
    /// The packet that is being put together, or the one that was handed out last.
    packet: Vec<u8>,
    /// Whether it was handed out.
    handed_out: bool,
}

impl Framer {
    /// Takes octets off the front of `input`, up to the end of one packet, which
    /// comes back; `None` when all are taken and the packet is not whole yet.
    ///
    /// # Errors
    /// When the length is out of range, which is found out after four octets, or
    /// the attributes do not fill the packet. The connection has to be closed.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Packet<'_>>, PacketError> {
        if self.handed_out {
            self.packet.clear();
            self.handed_out = false;
        }
        let mut wanted = LENGTH_KNOWN;
        loop {
            let missing = wanted.saturating_sub(self.packet.len()).min(input.len());
            let (now, later) = input.split_at(missing);
            self.packet.extend_from_slice(now);
            *input = later;
            if self.packet.len() < wanted {
                return Ok(None);
            }
            match self.packet.get(2..LENGTH_KNOWN) {
                Some(&[high, low]) if wanted == LENGTH_KNOWN => {
                    wanted = usize::from(u16::from_be_bytes([high, low]));
                    if !(HEADER_LEN..=MAX_PACKET_LEN).contains(&wanted) {
                        return Err(PacketError::BadLength(wanted));
                    }
                }
                _ => break,
            }
        }
        self.handed_out = true;
        Packet::parse(&self.packet).map(Some)
    }

    /// Whether part of a packet has come, and the rest has not.
    pub fn is_partial(&self) -> bool {
        !self.handed_out && !self.packet.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(identifier: u8, attributes: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, identifier, 0, 0];
        bytes.extend_from_slice(&[7; 16]);
        bytes.extend_from_slice(attributes);
        let length = bytes.len() as u16;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn nonsense_is_found_out_after_four_octets() {
        for garbage in [&b"GET / HTTP/1.1\r\n"[..], &[1, 0, 0, 19], &[1, 0, 16, 1], b"SSH-2.0-x\r\n"] {
            let mut input = garbage;
            assert!(matches!(Framer::default().take(&mut input), Err(PacketError::BadLength(_))), "{garbage:?}");
        }
        let mut input = &garbage_attributes()[..];
        assert_eq!(Framer::default().take(&mut input), Err(PacketError::BadAttribute(20)));
    }

    fn garbage_attributes() -> Vec<u8> {
        packet(1, &[1, 9, 0])
    }

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in_however_they_are_cut(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..250), 1..8),
            cuts in proptest::collection::vec(1usize..300, 1..60),
        ) {
            let sent: Vec<Vec<u8>> = bodies.iter().enumerate().map(|(n, body)| {
                let attribute = [&[26, body.len() as u8 + 2][..], body].concat();
                packet(n as u8, &attribute)
            }).collect();
            let stream = sent.concat();
            let (mut framer, mut got, mut rest) = (Framer::default(), Vec::new(), &stream[..]);
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (mut now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                rest = later;
                while let Some(packet) = framer.take(&mut now).unwrap() {
                    got.push(packet.bytes().to_vec());
                }
                prop_assert!(now.is_empty());
            }
            prop_assert!(!framer.is_partial());
            prop_assert_eq!(got, sent);
        }
    }
}
