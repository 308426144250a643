//! From reply items to profiles.

use super::lines::Quote;
use super::users::Item;
use crate::config::import::document::Document;
use crate::config::import::report::{Place, Report};
use crate::radius::dictionary::Dictionary;
use crate::radius::value::{DataType, digits};

/// Names that FreeRADIUS has besides the RFC's.
const ALIASES: [(&str, &str); 1] = [("Framed-Filter-Id", "Filter-Id")];
/// Attributes that Cordon writes itself, and whether a port is open without
/// what they say here.
const OWN: [&str; 6] = ["User-Name", "Class", "State", "Proxy-State", "EAP-Message", "Message-Authenticator"];
/// Attributes without which nobody gets more than with them.
const HARMLESS: [&str; 2] = ["Reply-Message", "Class"];
const VLAN: [&str; 3] = ["Tunnel-Type", "Tunnel-Medium-Type", "Tunnel-Private-Group-Id"];
const VLAN_IDS: std::ops::RangeInclusive<u16> = 1..=4094;

/// A reply item that Cordon can send too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attribute {
    /// As the dictionary spells it.
    name: &'static str,
    tag: u8,
    operator: &'static str,
    value: String,
}

/// Reads an item of a reply. `Err` says whether the reply is incomplete without
/// it: nothing may be granted then, since a port without its filter is open.
pub(super) fn attribute(item: &Item, report: &mut Report) -> Result<Attribute, Incomplete> {
    let lost = |report: &mut Report, why: &str, remedy: &str| {
        report.add(&item.place, format!("{}: {why}", item.shown()), remedy);
        Err(Incomplete(!HARMLESS.iter().any(|name| item.is(name))))
    };
    let name = ALIASES.iter().find(|(alias, _)| item.is(alias)).map_or(item.name.as_str(), |(_, name)| name);
    if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return lost(report, "Cordon writes this attribute itself", "nothing to do, unless something reads it");
    }
    if item.is_dynamic() {
        return lost(report, "made at each login", "write what it amounts to into the profile's attributes");
    }
    if !item.sets() {
        return lost(report, "an operator that removes or compares", "write the profile as it is to be sent");
    }
    let Some(definition) = Dictionary::standard().by_name(name) else {
        let remedy = "there is no such name in dictionaries/; see whether a key of [[profile]] says the same";
        return lost(report, "this attribute is not known", remedy);
    };
    let is_vlan = VLAN.contains(&definition.name.as_str());
    if item.tag != 0 && !is_vlan {
        return lost(report, "tags are sent for VLANs alone", "leave the tag out if the NAS does not need it");
    }
    let mut value = item.value.text.clone();
    match definition.data_type {
        DataType::Integer | DataType::Enum => {
            let hex = value.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
            value = hex.map_or(value, |number| number.to_string());
            // FreeRADIUS says Framed-User where the RFC says Framed.
            let short = value.strip_suffix("-User").filter(|v| Dictionary::standard().encode(name, v).is_ok());
            value = short.map(str::to_owned).unwrap_or(value);
        }
        // The profile's lines are trimmed, and 0x means octets there.
        DataType::Text if value.trim() != value || value.starts_with("0x") || value.contains(char::is_control) => {
            value = format!("0x{}", digits(value.as_bytes()));
        }
        DataType::Text => {}
        _ if item.value.quote != Quote::Bare => value = value.trim().to_owned(),
        _ => {}
    }
    match Dictionary::standard().encode(name, &value) {
        Ok(_) => Ok(Attribute { name: &definition.name, tag: item.tag, operator: item.operator, value }),
        Err(e) => lost(report, &e.to_string(), "write it into the profile's attributes in a way that Cordon reads"),
    }
}

/// Whether a reply lacks something that narrows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Incomplete(pub bool);

/// Adds what an entry replies, as its operators say. They look at what earlier
/// entries replied, not at each other, and not at tags, as in FreeRADIUS.
pub(super) fn merge(reply: &mut Vec<Attribute>, entry: &[Attribute]) {
    let mut added = Vec::new();
    let mut replaced = vec![false; reply.len()];
    for attribute in entry {
        let mut before = reply.iter_mut().zip(&mut replaced);
        let same = before.find(|(a, replaced)| a.name == attribute.name && !**replaced);
        match (attribute.operator, same) {
            (":=", Some((first, replaced))) => {
                *first = attribute.clone();
                *replaced = true;
            }
            ("=", Some(_)) => {}
            _ => added.push(attribute.clone()),
        }
    }
    reply.append(&mut added);
}

/// What a reply amounts to, in the keys of `[[profile]]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Profile {
    vlan: Option<String>,
    filter_id: Option<String>,
    session_timeout: Option<u32>,
    idle_timeout: Option<u32>,
    termination_action: Option<&'static str>,
    attributes: Vec<String>,
}

impl Profile {
    /// The profile of a reply, and whether it says all of it. With
    /// `plain_filters` each NAS is told `filter_id` as it stands.
    pub(super) fn of(
        reply: &[Attribute],
        plain_filters: bool,
        place: &Place,
        report: &mut Report,
    ) -> (Self, Incomplete) {
        let mut profile = Profile::default();
        let (tunnel, others): (Vec<&Attribute>, Vec<&Attribute>) = reply.iter().partition(|a| VLAN.contains(&a.name));
        let incomplete = profile.vlan(&tunnel, place, report);
        for Attribute { name, value, .. } in others {
            let number = || value.parse::<u32>().ok();
            // A key of a profile sends one; who wants several writes them all out.
            let once = reply.iter().filter(|a| a.name == *name).count() == 1;
            match *name {
                "Filter-Id" if once && plain_filters && !value.starts_with("0x") => {
                    profile.filter_id = Some(value.clone());
                }
                "Session-Timeout" if once => profile.session_timeout = number(),
                "Idle-Timeout" if once => profile.idle_timeout = number(),
                "Termination-Action" if once => {
                    let again = matches!(value.as_str(), "1") || value.eq_ignore_ascii_case("RADIUS-Request");
                    profile.termination_action = Some(if again { "reauthenticate" } else { "disconnect" });
                }
                _ => profile.attributes.push(format!("{name} = {value}")),
            }
        }
        (profile, incomplete)
    }

    fn vlan(&mut self, tunnel: &[&Attribute], place: &Place, report: &mut Report) -> Incomplete {
        let [kind, medium, id] = VLAN.map(|name| tunnel.iter().filter(|a| a.name == name).collect::<Vec<_>>());
        let says = |all: &[&&Attribute], tag: u8, words: [&str; 2]| {
            all.iter().any(|a| a.tag == tag && words.iter().any(|w| w.eq_ignore_ascii_case(&a.value)))
        };
        match id.as_slice() {
            [] if tunnel.is_empty() => Incomplete(false),
            [id] if says(&kind, id.tag, ["VLAN", "13"])
                && says(&medium, id.tag, ["IEEE-802", "6"])
                && kind.len() + medium.len() == 2 =>
            {
                self.vlan = Some(id.value.clone());
                Incomplete(false)
            }
            // What switches need to take it for a VLAN goes along in any case.
            [id] if kind.is_empty() || medium.is_empty() => {
                self.vlan = Some(id.value.clone());
                let remedy = "the profile has the VLAN, with all three; see that it is meant";
                report.add(place, "a VLAN without Tunnel-Type or Tunnel-Medium-Type", remedy);
                Incomplete(kind.len() + medium.len() > 1)
            }
            _ => {
                self.attributes.extend(tunnel.iter().map(|a| format!("{} = {}", a.name, a.value)));
                let remedy = "the profile sends all of them without tags; write it as it is meant";
                report.add(place, "tunnel attributes that are not one VLAN", remedy);
                Incomplete(true)
            }
        }
    }

    /// A name that tells what it grants.
    pub(super) fn name(&self) -> String {
        let parts = [
            self.vlan.as_ref().map(|vlan| format!("vlan-{vlan}")),
            self.filter_id.as_ref().map(|filter| format!("filter-{filter}")),
        ];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join("-");
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
        let words: Vec<&str> = name.split(|c| !plain(c)).filter(|word| !word.is_empty()).collect();
        let name = words.join("-");
        if name.is_empty() { "network".into() } else { name.to_ascii_lowercase() }
    }

    pub(super) fn write(&self, name: &str, document: &mut Document) {
        document.section("profile");
        document.text("name", name);
        match self.vlan.as_ref().map(|vlan| (vlan, vlan.parse::<u16>())) {
            Some((text, Ok(id))) if VLAN_IDS.contains(&id) && id.to_string() == *text => {
                document.number("vlan", id.into());
            }
            Some((text, _)) => document.text("vlan", text),
            None => {}
        }
        document.optional("filter_id", self.filter_id.as_deref());
        for (key, value) in [("session_timeout_secs", self.session_timeout), ("idle_timeout_secs", self.idle_timeout)] {
            if let Some(value) = value {
                document.number(key, value);
            }
        }
        document.optional("termination_action", self.termination_action);
        document.list("attributes", &self.attributes);
    }
}
