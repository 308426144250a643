//! `clients.conf`: the switches and controllers that may ask.

use super::Names;
use super::lines::{Include, Lines, Scanner, Word};
use crate::config::import::document::Document;
use crate::config::import::report::{Place, Report};
use crate::config::{MessageAuthenticatorValue, Source};
use crate::enforcement::nas_profile::{DEFAULT, NasProfiles};
use crate::inventory::nas::{IpPrefix, PrefixError};
use std::collections::HashMap;

/// Assignments, longest first.
const ASSIGNMENTS: [&str; 4] = [":=", "+=", "==", "="];

/// A client that can be a `[[nas]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Client {
    pub name: String,
    pub address: IpPrefix,
    pub secret: String,
    pub vendor: Option<String>,
    pub message_authenticator: MessageAuthenticatorValue,
}

impl Client {
    pub(super) fn write(&self, document: &mut Document) {
        document.section("nas");
        document.text("name", &self.name);
        document.text("address", &self.address.to_string());
        document.text("secret", &self.secret);
        document.optional("vendor", self.vendor.as_deref());
        if self.message_authenticator == MessageAuthenticatorValue::Required {
            document.text("message_authenticator", "required");
        }
    }
}

/// A client as it is read, key by key.
struct Draft {
    place: Place,
    name: String,
    pairs: Vec<(String, Word, Place)>,
}

/// What a `{` has opened.
enum Section {
    /// A list of clients for one listener.
    Clients,
    Client(Draft),
    /// Anything else, whose contents do not matter.
    Other,
}

/// Reads the clients; what cannot come along goes into the report.
pub(super) fn read(
    source: &Source,
    include: Include<'_>,
    nas_profiles: &NasProfiles,
    report: &mut Report,
) -> Vec<Client> {
    let mut reader = Reader {
        nas_profiles,
        open: Vec::new(),
        clients: Vec::new(),
        names: Names::default(),
        addresses: HashMap::new(),
    };
    for line in Lines::read(source, include, report).0 {
        reader.line(&line.text, &line.place, report);
    }
    for section in reader.open {
        if let Section::Client(draft) = section {
            let message = format!("the section of the client {} is not closed", draft.name);
            report.add(&draft.place, message, "add the } that is missing, and import again");
        }
    }
    reader.clients
}

struct Reader<'a> {
    nas_profiles: &'a NasProfiles,
    open: Vec<Section>,
    clients: Vec<Client>,
    names: Names,
    addresses: HashMap<IpPrefix, String>,
}

impl Reader<'_> {
    fn line(&mut self, text: &str, place: &Place, report: &mut Report) {
        let mut scanner = Scanner::new(text);
        while !scanner.at_end() {
            if scanner.take("}") {
                match self.open.pop() {
                    Some(Section::Client(draft)) => self.client(draft, report),
                    Some(_) => {}
                    None => report.add(place, "a } that closes nothing", "remove it, and import again"),
                }
                continue;
            }
            if scanner.one_of(&[",", ";"]).is_some() {
                continue;
            }
            let before = scanner.rest().len();
            let key = scanner.word(&['=', '{', '}', ',', ';', ':', '+']);
            if scanner.one_of(&ASSIGNMENTS).is_some() {
                // A bare value goes on to white space, whatever is in it.
                let value = scanner.word(&[',']);
                let unreadable = value.is_none();
                self.pair(key, value, place, report);
                if unreadable {
                    return;
                }
            } else {
                // The name of a section may be an address, with its colons.
                let name = scanner.word(&['{']);
                if scanner.take("{") {
                    self.section(key, name, place, report);
                } else if scanner.rest().len() == before || !scanner.at_end() {
                    report.add(place, format!("{:?} is not understood", text.trim()), "write it as name = value");
                    return;
                }
            }
        }
    }

    fn section(&mut self, kind: Option<Word>, name: Option<Word>, place: &Place, report: &mut Report) {
        let kind = kind.map_or(String::new(), |word| word.text);
        let within_client = matches!(self.open.last(), Some(Section::Client(_)));
        let section = match kind.as_str() {
            "client" if !within_client => {
                let name = name.map_or(String::new(), |word| word.text);
                Section::Client(Draft { place: place.clone(), name, pairs: Vec::new() })
            }
            "clients" if !within_client => {
                report.add(
                    place,
                    "a list of clients for one listener",
                    "its clients were taken; in Cordon each may ask on every address of [server]",
                );
                Section::Clients
            }
            "limit" => {
                let remedy = "nothing to do: it bounds TCP connections, and Cordon takes UDP";
                report.add(place, "limit { }", remedy);
                Section::Other
            }
            _ => {
                let remedy = "nothing of it was taken; docs/import.md says what can come along";
                report.add(place, format!("a section {kind:?}"), remedy);
                Section::Other
            }
        };
        self.open.push(section);
    }

    fn pair(&mut self, key: Option<Word>, value: Option<Word>, place: &Place, report: &mut Report) {
        match (self.open.last_mut(), key, value) {
            (Some(Section::Client(draft)), Some(key), Some(value)) => {
                draft.pairs.push((key.text.to_ascii_lowercase(), value, place.clone()));
            }
            (Some(Section::Client(_)), key, _) => {
                let key = key.map_or(String::new(), |word| word.text);
                report.add(place, format!("{key} has no value that can be read"), "close its quotes, and import again");
            }
            (Some(_), ..) => {}
            (None, ..) => report.add(place, "a line outside of any client", "nothing of it was taken"),
        }
    }

    /// What the keys amount to.
    fn client(&mut self, draft: Draft, report: &mut Report) {
        let mut name = draft.name.clone();
        let (mut address, mut length, mut secret, mut vendor) = (None, None, None, None);
        let mut message_authenticator = MessageAuthenticatorValue::default();
        for (key, value, place) in &draft.pairs {
            let text = &value.text;
            if text.contains("${") || text.contains("$ENV{") {
                let message = format!("{key} of the client {:?} holds a variable", draft.name);
                report.add(place, message, "write the value in its place, and import again");
                continue;
            }
            match key.as_str() {
                "ipaddr" | "ipv4addr" | "ipv6addr" => {
                    let any = if key == "ipv6addr" { "::/0" } else { "0.0.0.0/0" };
                    address = Some((if text == "*" { any.to_owned() } else { text.clone() }, place));
                }
                "netmask" => length = Some(text.clone()),
                "secret" => secret = Some(text.clone()),
                "shortname" => name.clone_from(text),
                "nas_type" | "nastype" => vendor = self.vendor(text, place, report),
                "require_message_authenticator" => {
                    message_authenticator = message_authenticator_of(text, place, report);
                }
                "proto" if matches!(text.as_str(), "udp" | "*") => {}
                "limit_proxy_state" if text != "no" => {}
                "password" => report.add(place, "password = ***", remedy_of(key)),
                _ => report.add(place, format!("{key} = {text}"), remedy_of(key)),
            }
        }
        let (address, place) = match (address, draft.name.as_str()) {
            (Some((address, place)), _) => (address, place),
            // As FreeRADIUS 1 had it.
            (None, name) => (name.to_owned(), &draft.place),
        };
        let address = match length {
            Some(length) if !address.contains('/') => format!("{address}/{length}"),
            _ => address,
        };
        let address = match address.parse::<IpPrefix>() {
            Ok(prefix) => prefix,
            // FreeRADIUS looks at the prefix alone as well.
            Err(PrefixError::HostBits { meant, .. }) => meant,
            Err(PrefixError::Malformed(_)) => {
                let message = format!("the client {:?} has no address but {address:?}", draft.name);
                return report.add(place, message, "Cordon asks no DNS for switches: add a [[nas]] with its address");
            }
        };
        let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
            let message = format!("the client {:?} has no secret", draft.name);
            return report.add(&draft.place, message, "add a [[nas]] with its address and secret");
        };
        if let Some(other) = self.addresses.get(&address) {
            let message = format!("{address} of the client {:?} belongs to {other:?} already", draft.name);
            return report.add(&draft.place, message, "an address has one secret: decide which of the two is right");
        }
        let name = if name.is_empty() { address.to_string() } else { name };
        let unique = self.names.unique(&name);
        if unique != name {
            let message = format!("a second client is called {name:?}");
            report.add(&draft.place, message, format!("it is called {unique:?} now; give it a name of its own"));
        }
        self.addresses.insert(address, unique.clone());
        self.clients.push(Client { name: unique, address, secret, vendor, message_authenticator });
    }

    /// The NAS profile that fits a `nas_type`; `None` is the standard one.
    fn vendor(&self, nas_type: &str, place: &Place, report: &mut Report) -> Option<String> {
        let nas_type = nas_type.to_ascii_lowercase();
        let named = match nas_type.as_str() {
            "other" | "" => return None,
            "cisco" => "cisco-ios",
            "juniper" => "juniper-ex",
            same => same,
        };
        if self.nas_profiles.get(named).is_some() {
            return Some(named.to_owned());
        }
        let near: Vec<_> = self.nas_profiles.all().map(|p| p.name.as_str()).filter(|p| p.starts_with(named)).collect();
        let remedy = match near.as_slice() {
            [] => format!("vendor is {DEFAULT:?} now; docs/vendors.md lists the others"),
            near => format!("vendor is {DEFAULT:?} now; set the one that fits: {}", near.join(", ")),
        };
        report.add(place, format!("nas_type = {nas_type}"), remedy);
        None
    }
}

fn message_authenticator_of(text: &str, place: &Place, report: &mut Report) -> MessageAuthenticatorValue {
    match text {
        "yes" | "true" | "1" | "on" => MessageAuthenticatorValue::Required,
        "auto" => MessageAuthenticatorValue::Learned,
        other => {
            report.add(
                place,
                format!("require_message_authenticator = {other}"),
                "Cordon demands it once the NAS has sent it (CVE-2024-3596); set \"off\" if this NAS sends it now and then",
            );
            MessageAuthenticatorValue::Learned
        }
    }
}

fn remedy_of(key: &str) -> &'static str {
    match key {
        "limit_proxy_state" => "Cordon trusts no Proxy-State without Message-Authenticator, unless that is \"off\"",
        "proto" => "the NAS was taken, for UDP alone: set it to RADIUS over UDP",
        "virtual_server" => "there is one policy: give the [[nas]] groups, and let rules ask for them",
        "coa_server" | "coa_pool" => "home servers for change of authorization do not come along",
        _ => "there is no such key; docs/configuration.md lists those of [[nas]]",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> (Vec<Client>, String) {
        let mut report = Report::default();
        let source = Source { file: "clients.conf".into(), text: text.into() };
        let nas_profiles = NasProfiles::new(crate::radius::dictionary::Dictionary::standard(), []).unwrap();
        let clients = read(&source, &|_| Err("none".into()), &nas_profiles, &mut report);
        (clients, report.to_string())
    }

    /// Each was tried with FreeRADIUS 3.2: these are the secrets that it answers
    /// to.
    #[test]
    fn values_mean_what_they_mean_to_freeradius() {
        for (written, meant) in [
            ("abc#def   # comment", "abc#def"),
            (r#""a\"b\101\x41c\\d\te""#, r#"a"b\101\x41c\\d\te"#),
            (r"'a\'b\101\\d\te'", r"a'b\101\\d\te"),
            (r"a\101\\d", r"a\101\\d"),
            ("a=b{c}d", "a=b{c}d"),
            ("a;b", "a;b"),
            ("x,y = 1", "x"),
            ("\"x\\\ny\"", "xy"),
        ] {
            let (clients, report) = parse(&format!("client a {{\n ipaddr = 192.0.2.1\n secret = {written}\n}}\n"));
            assert_eq!(clients.first().map(|c| c.secret.as_str()), Some(meant), "{written}: {report}");
        }
    }

    #[test]
    fn addresses_in_every_form() {
        for (client, address) in [
            ("client a { ipaddr = 192.0.2.1", "192.0.2.1"),
            ("client a {\nipv4addr = 192.0.2.77/24", "192.0.2.0/24"),
            ("client a {\nipaddr = 192.0.2.0\nnetmask = 24", "192.0.2.0/24"),
            ("client a {\nipv6addr = 2001:db8::/32", "2001:db8::/32"),
            ("client a {\nipaddr = *", "0.0.0.0/0"),
            ("client a {\nipv6addr = *", "::/0"),
            ("client 192.0.2.0/24 {", "192.0.2.0/24"),
            ("client 2001:db8::7 {", "2001:db8::7"),
            ("clients list {\n client a {\nipaddr=192.0.2.1", "192.0.2.1"),
        ] {
            let (clients, report) = parse(&format!("{client}\nsecret = s }}\n"));
            assert_eq!(clients.first().map(|c| c.address.to_string()).as_deref(), Some(address), "{client}: {report}");
        }
    }

    #[test]
    fn oddities_are_reported_where_they_stand() {
        let (clients, report) = parse(
            "client a {\n ipaddr = switch.example\n secret = x\n}\nclient b {\n ipaddr = 192.0.2.2\n}\n\
             client c {\n ipaddr = 192.0.2.3\n secret = x\n nas_type = cisco\n virtual_server = home\n}\n\
             client c {\n ipaddr = 192.0.2.4\n secret = x\n nas_type = mikrotik\n require_message_authenticator = yes\n}\n\
             client d {\n ipaddr = 192.0.2.3\n secret = y\n}\nhome_server h {\n ipaddr = 192.0.2.9\n}\n\
             client e {\n ipaddr = 192.0.2.5\n secret = ${top}\n}\n}\nclient f {\n secret = \"x\n",
        );
        let names: Vec<_> = clients.iter().map(|c| (c.name.as_str(), c.vendor.as_deref())).collect();
        assert_eq!(names, [("c", Some("cisco-ios")), ("c-2", None)]);
        assert_eq!(clients[1].message_authenticator, MessageAuthenticatorValue::Required);
        for part in [
            "clients.conf:2: the client \"a\" has no address but \"switch.example\"",
            "clients.conf:5: the client \"b\" has no secret",
            "clients.conf:12: virtual_server = home",
            "clients.conf:14: a second client is called \"c\"",
            "clients.conf:17: nas_type = mikrotik\n  -> vendor is \"standard\" now; set the one that fits: mikrotik-switch",
            "clients.conf:20: 192.0.2.3 of the client \"d\" belongs to \"c\" already",
            "clients.conf:24: a section \"home_server\"",
            "clients.conf:29: secret of the client \"e\" holds a variable",
            "clients.conf:31: a } that closes nothing",
            "clients.conf:32: the section of the client f is not closed",
            "clients.conf:33: secret has no value",
        ] {
            assert!(report.contains(part), "no {part:?} in\n{report}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_safe(text in "([ \t\n{}=\"'\\\\#$,;a-z0-9./:*]|client |ipaddr|secret|INCLUDE|\\PC){0,120}") {
            parse(&text);
        }
    }
}
