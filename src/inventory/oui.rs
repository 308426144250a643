//! Who made the network card: vendors by the leading bits of a MAC address.

use super::mac::MacAddress;
use std::cmp::Ordering;

/// The IEEE's public listing (MA-L, MA-M, MA-S and IAB), sorted: a prefix of 6, 7
/// or 9 hexadecimal digits, a tab, the vendor. Written by `scripts/oui.sh`.
const TABLE: &str = include_str!("oui.tsv");
/// Hexadecimal digits of a prefix, the longest first: blocks of 24 bits are handed
/// on in smaller ones, and the smallest says who has it.
const PREFIX_DIGITS: [usize; 3] = [9, 7, 6];

/// The vendor that the address was assigned to; `None` for those that nobody
/// assigned (randomised and group addresses) and for vendors who are not listed.
pub fn vendor(mac: MacAddress) -> Option<&'static str> {
    if mac.is_randomized() || mac.is_multicast() {
        return None;
    }
    let mut digits = [0; 12];
    for (pair, octet) in digits.chunks_exact_mut(2).zip(mac.octets()) {
        if let [high, low] = pair {
            (*high, *low) = (hex(octet >> 4), hex(octet & 0xf));
        }
    }
    PREFIX_DIGITS.into_iter().find_map(|n| search(TABLE, digits.get(..n)?))
}

const fn hex(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + nibble - 10,
    }
}

/// Binary search over the lines as they lie: no index has to be built.
fn search(table: &'static str, prefix: &[u8]) -> Option<&'static str> {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low + (high - low) / 2;
        // The line that holds the middle. Both ends are always the start of one.
        let start = table.as_bytes().get(low..middle)?.iter().rposition(|b| *b == b'\n').map_or(low, |at| low + at + 1);
        let end = table.as_bytes().get(middle..high)?.iter().position(|b| *b == b'\n').map_or(high, |at| middle + at);
        let (key, name) = table.get(start..end)?.split_once('\t')?;
        match key.as_bytes().cmp(prefix) {
            Ordering::Equal => return Some(name),
            Ordering::Less => low = end + 1,
            Ordering::Greater => high = start,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<&'static str> {
        vendor(MacAddress::parse(text).unwrap())
    }

    #[test]
    fn the_longest_prefix_names_the_vendor() {
        assert_eq!(of("00-00-0C-12-34-56"), Some("Cisco Systems, Inc"));
        assert_eq!(of("B8-27-EB-00-00-01"), Some("Raspberry Pi Foundation"));
        // 24 bits that belong to the IEEE itself, handed on in 28 and in 36.
        assert_eq!(of("20-85-93-B0-00-01"), Some("IOG Products LLC"));
        assert_eq!(of("70-B3-D5-71-90-01"), Some("2M Technology"));
        assert_eq!(of("70-B3-D5-FF-FF-FF").filter(|v| v.contains("IEEE")), None);
    }

    #[test]
    fn an_address_that_nobody_assigned_has_no_vendor() {
        assert_eq!(of("02-00-5E-00-00-01"), None);
        assert_eq!(of("01-00-0C-CC-CC-CC"), None);
    }

    #[test]
    fn every_line_is_sorted_and_found() {
        let mut last = "";
        for line in TABLE.lines() {
            let (prefix, name) = line.split_once('\t').unwrap();
            assert!(PREFIX_DIGITS.contains(&prefix.len()) && !name.is_empty(), "{line}");
            assert!(last < prefix, "{line} does not belong after {last}");
            assert_eq!(search(TABLE, prefix.as_bytes()), Some(name), "{line}");
            last = prefix;
        }
        assert!(TABLE.len() < 1_500_000, "the table would make the program too large");
    }
}
