//! Distinguished names and other text out of certificates, safe to show.

use super::der;
use std::fmt::Write;
use x509_parser::asn1_rs::{Any, Tag, ToDer};
use x509_parser::x509::X509Name;

/// Short names of attribute types (RFC 4514 §3 and the IANA LDAP registry).
const SHORT_NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.42", "givenName"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// The name as RFC 4514 writes it: last component first, special and control
/// characters escaped, so that different names never look alike.
pub(super) fn rfc4514(name: &X509Name<'_>) -> String {
    let mut components: Vec<String> = Vec::new();
    for rdn in name.iter() {
        let attributes: Vec<String> = rdn
            .iter()
            .map(|attribute| {
                let oid = attribute.attr_type().to_id_string();
                let short = SHORT_NAMES.iter().find(|(known, _)| *known == oid);
                match (short, text(attribute.attr_value())) {
                    (Some((_, short)), Some(value)) => format!("{short}={}", escape(&value)),
                    (Some((_, short)), None) => {
                        format!("{short}=#{}", whole(attribute.attr_value()))
                    }
                    (None, _) => format!("{oid}=#{}", whole(attribute.attr_value())),
                }
            })
            .collect();
        components.push(attributes.join("+"));
    }
    components.reverse();
    components.join(",")
}

/// The last (most specific) common name, as [`printable`] text.
pub(super) fn common_name(name: &X509Name<'_>) -> Option<String> {
    let value = text(name.iter_common_name().last()?.attr_value())?;
    (!value.is_empty()).then(|| printable(&value))
}

/// `text` with control characters and those that reorder or hide text written
/// as `\u{..}`: what is left cannot forge a log line or look like another name.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, zero-width ones, and Unicode's direction overrides.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// RFC 4514 §2.4.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (i, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '#' if i == 0 => out.push_str("\\#"),
            ' ' if i == 0 || i == last => out.push_str("\\ "),
            c if is_invisible(c) => {
                let mut octets = [0; 4];
                for octet in c.encode_utf8(&mut octets).bytes() {
                    let _ = write!(out, "\\{octet:02X}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// The characters of a string type (X.520 DirectoryString and IA5String).
fn text(value: &Any<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            std::str::from_utf8(value.data).ok().map(str::to_owned)
        }
        // T.61 in name, Latin-1 in practice.
        Tag::TeletexString => Some(value.data.iter().map(|&octet| char::from(octet)).collect()),
        Tag::BmpString => {
            let (units, rest) = value.data.as_chunks::<2>();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            rest.is_empty().then(|| char::decode_utf16(units).collect::<Result<String, _>>().ok())?
        }
        Tag::UniversalString => {
            let (units, rest) = value.data.as_chunks::<4>();
            let units = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit)));
            rest.is_empty().then(|| units.collect::<Option<String>>())?
        }
        _ => None,
    }
}

/// The whole element in hexadecimal (RFC 4514 §2.4).
fn whole(value: &Any<'_>) -> String {
    der::hex(&value.to_der_vec().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escape("Smith, John+\"x\""), "Smith\\, John\\+\\\"x\\\"");
        assert_eq!(escape(" # "), "\\ #\\ ");
        assert_eq!(escape("#1"), "\\#1");
        assert_eq!(escape("a\0b\n"), "a\\00b\\0A");
        assert_eq!(escape("a\u{202e}b"), "a\\E2\\80\\AEb");
        assert_eq!(escape("Zoë"), "Zoë");
    }

    #[test]
    fn control_characters_never_survive() {
        assert_eq!(printable("good.example\0.evil"), "good.example\\u{0}.evil");
        assert_eq!(printable("CORP\\bob"), "CORP\\bob");
    }
}
