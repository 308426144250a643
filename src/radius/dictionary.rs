//! Names, types and values of attributes: data, read from `dictionaries/`.
//!
//! A line is one of
//!
//! ```text
//! VENDOR    name number              what follows belongs to this vendor
//! ATTRIBUTE name number type [flag]  number is 1, or 241.1 (RFC 6929)
//! VALUE     attribute name number    a name for a value of an enum
//! ```
//!
//! with `#` for comments. Flags: `tagged` (RFC 2868), `hidden` (its value is
//! hidden with the secret and is not shown), `pairs` (its value is `name=value`,
//! so that several in a packet need not contradict one another).

use super::attribute as attr;
use super::extended;
use super::packet::{Attribute, MAX_VALUE_LEN, Packet, Tlvs};
use super::value::{DataType, ValueError, hex};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The packaged files, by name.
const STANDARD: &[(&str, &str)] = &[
    ("rfc2865", include_str!("../../dictionaries/rfc2865.dict")),
    ("rfc2866", include_str!("../../dictionaries/rfc2866.dict")),
    ("rfc2867", include_str!("../../dictionaries/rfc2867.dict")),
    ("rfc2868", include_str!("../../dictionaries/rfc2868.dict")),
    ("rfc2869", include_str!("../../dictionaries/rfc2869.dict")),
    ("rfc3162", include_str!("../../dictionaries/rfc3162.dict")),
    ("rfc3579", include_str!("../../dictionaries/rfc3579.dict")),
    ("rfc4072", include_str!("../../dictionaries/rfc4072.dict")),
    ("rfc4372", include_str!("../../dictionaries/rfc4372.dict")),
    ("rfc4675", include_str!("../../dictionaries/rfc4675.dict")),
    ("rfc4818", include_str!("../../dictionaries/rfc4818.dict")),
    ("rfc4849", include_str!("../../dictionaries/rfc4849.dict")),
    ("rfc5176", include_str!("../../dictionaries/rfc5176.dict")),
    ("rfc5580", include_str!("../../dictionaries/rfc5580.dict")),
    ("rfc5607", include_str!("../../dictionaries/rfc5607.dict")),
    ("rfc6911", include_str!("../../dictionaries/rfc6911.dict")),
    ("rfc6929", include_str!("../../dictionaries/rfc6929.dict")),
    ("rfc7268", include_str!("../../dictionaries/rfc7268.dict")),
    ("rfc7499", include_str!("../../dictionaries/rfc7499.dict")),
    ("rfc7930", include_str!("../../dictionaries/rfc7930.dict")),
    ("rfc8559", include_str!("../../dictionaries/rfc8559.dict")),
    ("vendor.aruba", include_str!("../../dictionaries/vendor.aruba.dict")),
    ("vendor.cisco", include_str!("../../dictionaries/vendor.cisco.dict")),
    ("vendor.aerohive", include_str!("../../dictionaries/vendor.aerohive.dict")),
    ("vendor.airespace", include_str!("../../dictionaries/vendor.airespace.dict")),
    ("vendor.arista", include_str!("../../dictionaries/vendor.arista.dict")),
    ("vendor.extreme", include_str!("../../dictionaries/vendor.extreme.dict")),
    ("vendor.fortinet", include_str!("../../dictionaries/vendor.fortinet.dict")),
    ("vendor.h3c", include_str!("../../dictionaries/vendor.h3c.dict")),
    ("vendor.hp", include_str!("../../dictionaries/vendor.hp.dict")),
    ("vendor.huawei", include_str!("../../dictionaries/vendor.huawei.dict")),
    ("vendor.juniper", include_str!("../../dictionaries/vendor.juniper.dict")),
    ("vendor.mikrotik", include_str!("../../dictionaries/vendor.mikrotik.dict")),
    ("vendor.ruckus", include_str!("../../dictionaries/vendor.ruckus.dict")),
    ("vendor.microsoft", include_str!("../../dictionaries/vendor.microsoft.dict")),
];

/// A name longer than this, in octets, is a mistake in a file.
const MAX_NAME_LEN: usize = 64;

/// Which attribute: its vendor (0 for the standard ones), its type, and its
/// extended type (0 for none).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AttributeId {
    /// The vendor's number, or 0.
    pub vendor: u32,
    /// The type.
    pub kind: u8,
    /// The extended type, or 0.
    pub extended: u8,
}

/// What is known of an attribute.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// Which it is.
    pub id: AttributeId,
    /// What its value is.
    pub data_type: DataType,
    /// The first octet of its value is a tag.
    pub tagged: bool,
    /// Its value is hidden with the secret.
    pub hidden: bool,
    /// Its value is `name=value`.
    pub pairs: bool,
    /// The file that says so.
    pub file: Arc<str>,
    values: Vec<(u32, String)>,
}

impl Definition {
    /// The name of a value.
    pub fn value_name(&self, number: u32) -> Option<&str> {
        self.values.iter().find(|(n, _)| *n == number).map(|(_, name)| name.as_str())
    }

    fn value_number(&self, name: &str) -> Option<u32> {
        self.values.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(n, _)| *n)
    }

    /// The value as text, by name where it has one.
    pub fn print(&self, value: &[u8]) -> String {
        if self.hidden {
            return "***".into();
        }
        let (tag, value) = match value.split_first() {
            // Above 0x1f it is no tag but the text's first octet (RFC 2868).
            Some((tag, rest)) if self.tagged && *tag <= 0x1f => (*tag, rest),
            _ => (0, value),
        };
        let number = match *value {
            [a, b, c] if self.tagged => Some(u32::from_be_bytes([0, a, b, c])),
            [a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        };
        let text = match self.data_type {
            DataType::Enum | DataType::Integer => match number {
                Some(n) => self.value_name(n).map_or_else(|| n.to_string(), str::to_owned),
                None => hex(value),
            },
            other => other.print(value),
        };
        if tag == 0 { text } else { format!("{text} (tag {tag})") }
    }
}

/// What is wrong in a dictionary file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct DictionaryError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Why an attribute cannot be written from text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// No such name.
    #[error("no attribute is called {0:?}")]
    UnknownAttribute(String),
    /// The value does not fit the type.
    #[error("{name}: {error}{names}")]
    Value {
        /// The attribute.
        name: String,
        /// What is wrong.
        error: ValueError,
        /// Names that the value may have.
        names: String,
    },
    /// The value is too long.
    #[error("{name}: the value has {len} octets, which is more than an attribute holds")]
    TooLong {
        /// The attribute.
        name: String,
        /// Octets of the value.
        len: usize,
    },
    /// Only the server can hide it.
    #[error("{0} is hidden with the shared secret and cannot be set by hand")]
    Hidden(String),
}

/// All attributes that are known by name.
#[derive(Debug, Default)]
pub struct Dictionary {
    definitions: Vec<Definition>,
    by_id: HashMap<AttributeId, usize>,
    by_name: HashMap<String, usize>,
    vendors: HashMap<u32, Vendor>,
}

#[derive(Debug)]
struct Vendor {
    name: String,
    file: Arc<str>,
}

static STANDARD_DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| {
    // A test reads them; a mistake never leaves the developer's machine.
    Dictionary::with([]).unwrap_or_default()
});

impl Dictionary {
    /// The packaged dictionaries.
    pub fn standard() -> &'static Dictionary {
        &STANDARD_DICTIONARY
    }

    /// The packaged dictionaries, and `own` on top, as (file, text).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn with<'a>(own: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Dictionary, DictionaryError> {
        Self::parse(STANDARD.iter().copied().chain(own))
    }

    /// Reads files, given by name and text. Later ones may add to earlier ones
    /// but not contradict them.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Dictionary, DictionaryError> {
        let mut dictionary = Dictionary::default();
        for (file, text) in files {
            let mut vendor = 0;
            let name: Arc<str> = file.into();
            for (index, line) in text.lines().enumerate() {
                dictionary.line(line, &mut vendor, &name).map_err(|message| DictionaryError {
                    file: file.to_owned(),
                    line: index + 1,
                    message,
                })?;
            }
        }
        Ok(dictionary)
    }

    fn line(&mut self, line: &str, vendor: &mut u32, file: &Arc<str>) -> Result<(), String> {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        if words.iter().any(|w| w.len() > MAX_NAME_LEN) {
            return Err(format!("a word is longer than {MAX_NAME_LEN} octets"));
        }
        match *words.as_slice() {
            [] => Ok(()),
            ["VENDOR", name, number] => {
                *vendor = number.parse().map_err(|_| format!("{number:?} is no vendor number"))?;
                self.vendor(name, *vendor, file)
            }
            ["ATTRIBUTE", name, number, data_type] => self.attribute(name, number, data_type, "", *vendor, file),
            ["ATTRIBUTE", name, number, data_type, flag] => {
                self.attribute(name, number, data_type, flag, *vendor, file)
            }
            ["VALUE", attribute, name, number] => self.value(attribute, name, number),
            _ => {
                Err("expected VENDOR name number, ATTRIBUTE name number type [flag], or VALUE attribute name number"
                    .into())
            }
        }
    }

    /// A vendor may be named again, to add to it, but not be two.
    fn vendor(&mut self, name: &str, number: u32, file: &Arc<str>) -> Result<(), String> {
        let other = self.vendors.iter().find(|(n, v)| (**n == number) != v.name.eq_ignore_ascii_case(name));
        if let Some((n, other)) = other {
            let Vendor { name: other, file } = other;
            return Err(format!("the vendor {name} cannot be {number}: {n} is {other} in {file}"));
        }
        self.vendors.entry(number).or_insert_with(|| Vendor { name: name.to_owned(), file: file.clone() });
        Ok(())
    }

    fn attribute(
        &mut self,
        name: &str,
        number: &str,
        data_type: &str,
        flag: &str,
        vendor: u32,
        file: &Arc<str>,
    ) -> Result<(), String> {
        let (kind, extended) = number.split_once('.').unwrap_or((number, "0"));
        let (Ok(kind), Ok(extended)) = (kind.parse(), extended.parse()) else {
            return Err(format!("{number:?} is no attribute number"));
        };
        let data_type = DataType::from_name(data_type).ok_or_else(|| format!("{data_type:?} is no data type"))?;
        if !["", "tagged", "hidden", "pairs"].contains(&flag) {
            return Err(format!("{flag:?} is no flag; there are tagged, hidden and pairs"));
        }
        let (tagged, hidden, pairs) = (flag == "tagged", flag == "hidden", flag == "pairs");
        let id = AttributeId { vendor, kind, extended };
        if let Some(other) = self.by_number(id) {
            return Err(format!("{name} cannot be {number}, which is {} already, in {}", other.name, other.file));
        }
        if let Some(other) = self.by_name(name) {
            let AttributeId { vendor, kind, .. } = other.id;
            let of = if vendor == 0 { String::new() } else { format!(" of the vendor {vendor}") };
            let (other, file) = (&other.name, &other.file);
            return Err(format!("{name} cannot be {number}: {other} is there already, as {kind}{of} in {file}"));
        }
        let index = self.definitions.len();
        self.definitions.push(Definition {
            name: name.to_owned(),
            id,
            data_type,
            tagged,
            hidden,
            pairs,
            file: file.clone(),
            values: Vec::new(),
        });
        self.by_id.insert(id, index);
        self.by_name.insert(name.to_ascii_lowercase(), index);
        Ok(())
    }

    fn value(&mut self, attribute: &str, name: &str, number: &str) -> Result<(), String> {
        let number: u32 = number.parse().map_err(|_| format!("{number:?} is no value"))?;
        let index = self.by_name.get(&attribute.to_ascii_lowercase()).copied();
        let definition = index
            .and_then(|i| self.definitions.get_mut(i))
            .ok_or_else(|| format!("no attribute is called {attribute:?}; its ATTRIBUTE line must come first"))?;
        let clash = definition.values.iter().find(|(n, v)| *n == number || v.eq_ignore_ascii_case(name));
        if let Some((n, other)) = clash {
            return Err(format!("{attribute}: {name} cannot be {number}, since {n} is {other} already"));
        }
        definition.values.push((number, name.to_owned()));
        Ok(())
    }

    /// What is known of an attribute.
    pub fn by_number(&self, id: AttributeId) -> Option<&Definition> {
        self.by_id.get(&id).and_then(|i| self.definitions.get(*i))
    }

    /// The name of the vendor with this number.
    pub fn vendor_name(&self, number: u32) -> Option<&str> {
        self.vendors.get(&number).map(|vendor| vendor.name.as_str())
    }

    /// The value of a standard attribute as text, by name where it has one.
    pub fn value_text(&self, kind: u8, number: u32) -> String {
        let definition = self.by_number(AttributeId { vendor: 0, kind, extended: 0 });
        definition.and_then(|d| d.value_name(number)).map_or_else(|| number.to_string(), str::to_owned)
    }

    /// What is known of an attribute of this name, whatever its letters' case.
    pub fn by_name(&self, name: &str) -> Option<&Definition> {
        self.by_name.get(&name.to_ascii_lowercase()).and_then(|i| self.definitions.get(*i))
    }

    /// How many attributes are known.
    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// Each attribute of a packet by name and value, as far as they are known;
    /// others by number (`Attr-200`, `Attr-26.9.250`) and in hex.
    pub fn describe(&self, packet: &Packet<'_>) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for Attribute { kind, value, .. } in packet.attributes() {
            if kind == attr::VENDOR_SPECIFIC {
                self.describe_vendor(value, &mut out);
            } else if !(attr::EXTENDED_1..=attr::LONG_EXTENDED_2).contains(&kind) {
                out.push(self.print(AttributeId { vendor: 0, kind, extended: 0 }, value));
            }
        }
        for whole in extended::extended(packet) {
            match whole.vendor() {
                Some((vendor, kind, value)) => {
                    out.push((format!("Attr-{}.26.{vendor}.{kind}", whole.kind), hex(value)));
                }
                None => {
                    let id = AttributeId { vendor: 0, kind: whole.kind, extended: whole.extended };
                    out.push(self.print(id, &whole.value));
                }
            }
        }
        out
    }

    fn describe_vendor(&self, value: &[u8], out: &mut Vec<(String, String)>) {
        let Some((vendor, rest)) = value.split_first_chunk::<4>() else {
            out.push(("Attr-26".into(), hex(value)));
            return;
        };
        let vendor = u32::from_be_bytes(*vendor);
        let mut tlvs = Tlvs { rest };
        for (kind, value) in tlvs.by_ref() {
            out.push(self.print(AttributeId { vendor, kind, extended: 0 }, value));
        }
        if !tlvs.rest.is_empty() {
            out.push((format!("Attr-26.{vendor}"), hex(tlvs.rest)));
        }
    }

    fn print(&self, id: AttributeId, value: &[u8]) -> (String, String) {
        match self.by_number(id) {
            Some(definition) => (definition.name.clone(), definition.print(value)),
            None => {
                let AttributeId { vendor, kind, extended } = id;
                let name = match (vendor, extended) {
                    (0, 0) => format!("Attr-{kind}"),
                    (0, _) => format!("Attr-{kind}.{extended}"),
                    _ => format!("Attr-26.{vendor}.{kind}"),
                };
                (name, hex(value))
            }
        }
    }

    /// The whole attribute, headers included, that says `name = value`.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn encode(&self, name: &str, value: &str) -> Result<Vec<u8>, EncodeError> {
        let definition = self.by_name(name).ok_or_else(|| EncodeError::UnknownAttribute(name.to_owned()))?;
        if definition.hidden {
            return Err(EncodeError::Hidden(definition.name.clone()));
        }
        let octets = match definition.value_number(value) {
            Some(number) => number.to_be_bytes().to_vec(),
            None => definition.data_type.encode(value).map_err(|error| EncodeError::Value {
                name: definition.name.clone(),
                error,
                names: name_list(definition),
            })?,
        };
        let octets = if definition.tagged {
            match definition.data_type {
                // The tag takes the place of the number's first octet.
                DataType::Enum | DataType::Integer => octets,
                _ => [&[0][..], &octets].concat(),
            }
        } else {
            octets
        };
        wrap(definition.id, &octets)
            .ok_or_else(|| EncodeError::TooLong { name: definition.name.clone(), len: octets.len() })
    }
}

fn name_list(definition: &Definition) -> String {
    if definition.values.is_empty() {
        return String::new();
    }
    let names: Vec<_> = definition.values.iter().map(|(_, n)| n.as_str()).collect();
    format!(", or one of {}", names.join(", "))
}

fn wrap(id: AttributeId, value: &[u8]) -> Option<Vec<u8>> {
    if id.extended != 0 {
        return extended::encode(id.kind, id.extended, value);
    }
    let header = if id.vendor == 0 {
        vec![id.kind, u8::try_from(value.len() + 2).ok()?]
    } else {
        let [a, b, c, d] = id.vendor.to_be_bytes();
        let inner = u8::try_from(value.len() + 2).ok()?;
        vec![attr::VENDOR_SPECIFIC, inner.checked_add(6)?, a, b, c, d, id.kind, inner]
    };
    (header.len() - 2 + value.len() <= MAX_VALUE_LEN).then(|| [header.as_slice(), value].concat())
}

#[cfg(test)]
mod tests {
    use super::super::builder::RequestBuilder;
    use super::super::packet::Code;
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn the_packaged_files_are_sound() {
        let dictionary = Dictionary::with([]).unwrap();
        assert!(dictionary.len() > 160, "{}", dictionary.len());
        assert_eq!(dictionary.by_name("message-authenticator").unwrap().id.kind, attr::MESSAGE_AUTHENTICATOR);
        for (name, kind) in
            [("EAP-Message", attr::EAP_MESSAGE), ("Class", attr::CLASS), ("EAP-Key-Name", attr::EAP_KEY_NAME)]
        {
            assert_eq!(dictionary.by_name(name).unwrap().id.kind, kind);
        }
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let cases = [
            ("ATTRIBUTE A 1 text\nATTRIBUTE B 1 text", 2, "A already"),
            ("ATTRIBUTE A 1 colour", 1, "no data type"),
            ("ATTRIBUTE A x text", 1, "no attribute number"),
            ("\nVALUE Nobody Zero 0", 2, "must come first"),
            ("WHAT", 1, "expected"),
        ];
        for (text, line, words) in cases {
            let error = Dictionary::parse([("mine", text)]).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn files_of_ones_own_add_to_the_packaged_ones_and_do_not_contradict_them() {
        let own = "VENDOR Acme 64512\nATTRIBUTE Acme-Zone 1 text\nVENDOR Cisco 9\nATTRIBUTE Cisco-Ours 250 integer\n\
                   VALUE Service-Type Acme-Call 4000\n";
        let dictionary = Dictionary::with([("acme.dict", own)]).unwrap();
        assert_eq!(dictionary.encode("Acme-Zone", "x").unwrap()[..6], [26, 9, 0, 0, 252, 0]);
        assert_eq!(dictionary.len(), Dictionary::standard().len() + 2);
        for (line, words) in [
            ("ATTRIBUTE Mine 1 text", "Mine cannot be 1, which is User-Name already, in rfc2865"),
            ("ATTRIBUTE user-name 240 text", "user-name cannot be 240: User-Name is there already, as 1 in rfc2865"),
            ("VENDOR Cisco 9\nATTRIBUTE Mine 1 text", "which is Cisco-AVPair already, in vendor.cisco"),
            ("VENDOR Acme 1\nATTRIBUTE Cisco-AVPair 7 text", "as 1 of the vendor 9 in vendor.cisco"),
            ("VENDOR Acme 9", "the vendor Acme cannot be 9: 9 is Cisco in vendor.cisco"),
            ("VENDOR cisco 10", "the vendor cisco cannot be 10: 9 is Cisco in vendor.cisco"),
            ("VALUE Service-Type Login 4000", "Login cannot be 4000, since 1 is Login already"),
            ("VALUE Service-Type Mine 1", "Mine cannot be 1, since 1 is Login already"),
        ] {
            let error = Dictionary::with([("own.dict", line)]).unwrap_err().to_string();
            assert!(error.contains(words) && error.starts_with("own.dict:"), "{error}");
        }
    }

    #[test]
    fn unknown_attributes_survive_and_known_ones_are_named() {
        let dictionary = Dictionary::standard();
        let mut builder = RequestBuilder::new(Code::AccessRequest, 1, [0; 16]);
        builder.push_u32(attr::SERVICE_TYPE, 10).unwrap();
        builder.push_tagged_u24(attr::TUNNEL_TYPE, 1, 13).unwrap();
        builder.push_tagged_text(attr::TUNNEL_PRIVATE_GROUP_ID, 1, "20").unwrap();
        builder.push(200, &[1, 2]).unwrap();
        builder.push_vendor(9, 1, b"audit-session-id=0A").unwrap();
        builder.push_vendor(65000, 7, b"\x00").unwrap();
        builder.push_raw(&dictionary.encode("Frag-Status", "1").unwrap());
        let bytes = builder.finish(&Secret::new("s")).unwrap();
        let described = dictionary.describe(&Packet::parse(&bytes).unwrap());
        let expected = [
            ("Service-Type", "Call-Check"),
            ("Tunnel-Type", "VLAN (tag 1)"),
            ("Tunnel-Private-Group-Id", "20 (tag 1)"),
            ("Attr-200", "0x0102"),
            ("Cisco-AVPair", "audit-session-id=0A"),
            ("Attr-26.65000.7", "0x00"),
            ("Frag-Status", "Fragmentation-Supported"),
        ];
        assert_eq!(described[1..].iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn attributes_can_be_written_by_name() {
        let dictionary = Dictionary::standard();
        assert_eq!(dictionary.encode("Reply-Message", "hi").unwrap(), [18, 4, b'h', b'i']);
        assert_eq!(dictionary.encode("cisco-avpair", "x").unwrap(), [26, 9, 0, 0, 0, 9, 1, 3, b'x']);
        assert_eq!(dictionary.encode("Tunnel-Type", "VLAN").unwrap(), [64, 6, 0, 0, 0, 13]);
        assert_eq!(dictionary.encode("Tunnel-Private-Group-Id", "20").unwrap(), [81, 5, 0, b'2', b'0']);
        assert!(dictionary.encode("Service-Type", "Nonsense").unwrap_err().to_string().contains("Call-Check"));
        assert!(dictionary.encode("No-Such-Thing", "x").unwrap_err().to_string().contains("No-Such-Thing"));
        assert!(matches!(dictionary.encode("User-Password", "x"), Err(EncodeError::Hidden(_))));
        assert!(matches!(dictionary.encode("Reply-Message", &"x".repeat(254)), Err(EncodeError::TooLong { .. })));
        assert!(matches!(dictionary.encode("Cisco-AVPair", &"x".repeat(248)), Err(EncodeError::TooLong { .. })));
    }
}
