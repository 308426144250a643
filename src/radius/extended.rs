//! Extended types (RFC 6929): 241.x to 244.x, and the long ones, 245.x and
//! 246.x, whose values may span several attributes.

use super::attribute as attr;
use super::packet::{MAX_VALUE_LEN, Packet};

/// More fragments of this value follow (RFC 6929, section 2.2).
const FLAG_MORE: u8 = 0x80;
/// Octets of a value in one extended attribute.
const MAX_EXTENDED_LEN: usize = MAX_VALUE_LEN - 1;
/// Octets of a value in one long extended attribute.
const MAX_LONG_LEN: usize = MAX_VALUE_LEN - 2;
/// The extended type that holds vendors' attributes.
pub const EXTENDED_VENDOR_SPECIFIC: u8 = 26;

/// An extended attribute, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extended {
    /// 241 to 246.
    pub kind: u8,
    /// The extended type.
    pub extended: u8,
    /// The value, put together where it was fragmented.
    pub value: Vec<u8>,
}

impl Extended {
    /// The vendor, its type and the value, of an extended vendor-specific
    /// attribute (RFC 6929, section 2.3).
    pub fn vendor(&self) -> Option<(u32, u8, &[u8])> {
        if self.extended != EXTENDED_VENDOR_SPECIFIC {
            return None;
        }
        let (vendor, rest) = self.value.split_first_chunk::<4>()?;
        let (kind, value) = rest.split_first()?;
        Some((u32::from_be_bytes(*vendor), *kind, value))
    }
}

/// All extended attributes of a packet, in order. Those that break the format
/// are left out: they are "invalid attributes", not invalid packets (RFC 6929,
/// section 2.8). The packet's length bounds what is held.
pub fn extended(packet: &Packet<'_>) -> Vec<Extended> {
    let mut out = Vec::new();
    let mut pending: Option<Extended> = None;
    for attribute in packet.attributes() {
        let fragment = parse(attribute.kind, attribute.value);
        // Fragments follow one another without anything in between.
        let continues = match (&pending, &fragment) {
            (Some(p), Some((extended, _, _))) => p.kind == attribute.kind && p.extended == *extended,
            _ => false,
        };
        let so_far = pending.take().filter(|_| continues);
        let Some((extended, more, value)) = fragment else { continue };
        let mut whole = so_far.unwrap_or(Extended { kind: attribute.kind, extended, value: Vec::new() });
        whole.value.extend_from_slice(value);
        if more {
            pending = Some(whole);
        } else {
            out.push(whole);
        }
    }
    out
}

fn parse(kind: u8, value: &[u8]) -> Option<(u8, bool, &[u8])> {
    match kind {
        attr::LONG_EXTENDED_1 | attr::LONG_EXTENDED_2 => {
            let (&[extended, flags], rest) = value.split_first_chunk::<2>()?;
            Some((extended, flags & FLAG_MORE != 0, rest))
        }
        attr::EXTENDED_1..attr::LONG_EXTENDED_1 => {
            let (extended, rest) = value.split_first()?;
            Some((*extended, false, rest))
        }
        _ => None,
    }
}

/// The whole attributes, headers included, that carry this value. `None` when
/// `kind` is not an extended type, or the value is too long for a short one.
pub fn encode(kind: u8, extended: u8, value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len() + 4);
    match kind {
        attr::LONG_EXTENDED_1 | attr::LONG_EXTENDED_2 => {
            let mut chunks = value.chunks(MAX_LONG_LEN).peekable();
            if value.is_empty() {
                out.extend_from_slice(&[kind, 4, extended, 0]);
            }
            while let Some(chunk) = chunks.next() {
                let flags = if chunks.peek().is_some() { FLAG_MORE } else { 0 };
                out.extend_from_slice(&[kind, chunk.len() as u8 + 4, extended, flags]);
                out.extend_from_slice(chunk);
            }
        }
        attr::EXTENDED_1..attr::LONG_EXTENDED_1 if value.len() <= MAX_EXTENDED_LEN => {
            out.extend_from_slice(&[kind, value.len() as u8 + 3, extended]);
            out.extend_from_slice(value);
        }
        _ => return None,
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::builder::RequestBuilder;
    use super::super::packet::Code;
    use super::*;
    use crate::secret::Secret;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_cut_comes_together(kind in 241u8..=246, ext in 1u8..=255, len in 0usize..2000) {
            let value: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let encoded = encode(kind, ext, &value);
            prop_assert_eq!(encoded.is_some(), kind >= 245 || len <= MAX_EXTENDED_LEN);
            if let Some(encoded) = encoded {
                let mut builder = RequestBuilder::new(Code::AccessRequest, 1, [0; 16]);
                builder.push_raw(&encoded);
                builder.push_raw(&encoded);
                let bytes = builder.finish(&Secret::new("s"));
                prop_assume!(bytes.is_ok());
                let bytes = bytes.unwrap();
                let found = extended(&Packet::parse(&bytes).unwrap());
                let one = Extended { kind, extended: ext, value };
                prop_assert_eq!(found, vec![one.clone(), one]);
            }
        }
    }

    #[test]
    fn a_broken_one_does_not_take_others_along() {
        let mut builder = RequestBuilder::new(Code::AccessRequest, 1, [0; 16]);
        builder.push(245, &[1]).unwrap();
        builder.push(245, &[1, FLAG_MORE, 7]).unwrap();
        builder.push_text(attr::USER_NAME, "in between").unwrap();
        builder.push(241, &[26, 0, 0, 0, 9, 5, b'x']).unwrap();
        let bytes = builder.finish(&Secret::new("s")).unwrap();
        let found = extended(&Packet::parse(&bytes).unwrap());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].vendor(), Some((9, 5, &b"x"[..])));
    }
}
