//! The few octets of DER (ITU-T X.690) that the libraries do not hand out.

/// Splits one element off: its tag, its content and what follows it.
///
/// `None` if the octets are not one definite-length element with a tag of one
/// octet and a length of at most four.
pub(super) fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets.iter().fold(0usize, |n, &octet| (n << 8) | usize::from(octet));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The content of the one element of type `tag` at the start, and what follows.
pub(super) fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(input)?;
    (found == tag).then_some((content, rest))
}

/// Tag of SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// Tag of BIT STRING.
pub(super) const BIT_STRING: u8 = 0x03;
/// Tag of OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// Tag of `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;

/// The octets of a BIT STRING that has no unused bits.
pub(super) fn bit_string(input: &[u8]) -> Option<&[u8]> {
    match expect(BIT_STRING, input)?.0.split_first()? {
        (0, octets) => Some(octets),
        _ => None,
    }
}

/// An INTEGER's octets without leading zeros, but at least one octet.
pub(super) fn trim_integer(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
    let keep = zeros.min(octets.len().saturating_sub(1));
    octets.get(keep..).unwrap_or_default()
}

/// Lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        text.push(char::from(DIGITS[usize::from(octet >> 4)]));
        text.push(char::from(DIGITS[usize::from(octet & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_elements_and_refuses_what_is_cut_off() {
        assert_eq!(element(&[0x04, 2, 1, 2, 9]), Some((0x04, &[1, 2][..], &[9][..])));
        assert_eq!(element(&[0x04, 0x81, 1, 7]), Some((0x04, &[7][..], &[][..])));
        for bad in [&[][..], &[4], &[4, 2, 1], &[4, 0x80, 0, 0], &[4, 0x85, 0, 0, 0, 0, 1, 1], &[4, 0x82, 1]] {
            assert_eq!(element(bad), None);
        }
        assert_eq!(bit_string(&[3, 2, 0, 5]), Some(&[5][..]));
        assert_eq!(bit_string(&[3, 2, 1, 5]), None);
    }

    #[test]
    fn integers_lose_their_leading_zero() {
        assert_eq!(hex(trim_integer(&[0, 0x8f, 1])), "8f01");
        assert_eq!(hex(trim_integer(&[0])), "00");
        assert_eq!(hex(trim_integer(&[])), "");
    }
}
