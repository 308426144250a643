//! The form of the `users` file: entries with what they check and what they
//! reply.

use super::lines::{Include, Lines, Quote, Scanner, Word};
use crate::config::Source;
use crate::config::import::report::{Place, Report};

/// Operators, longest first.
const OPERATORS: [&str; 15] = [":=", "+=", "-=", "==", "=~", "=*", "!=", "!~", "!*", ">=", "<=", "=", ">", "<", "^="];
/// The name of entries that are about everybody.
pub(super) const DEFAULT: &str = "DEFAULT";

/// `Name:tag op value`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Item {
    pub name: String,
    /// RFC 2868; 0 is none.
    pub tag: u8,
    pub operator: &'static str,
    pub value: Word,
    pub place: Place,
}

impl Item {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it sets something for the server's own use, in place of asking
    /// for it.
    pub(super) fn sets(&self) -> bool {
        matches!(self.operator, ":=" | "=" | "+=")
    }

    /// Whether its value is made at each login.
    pub(super) fn is_dynamic(&self) -> bool {
        self.value.quote == Quote::Back || self.value.quote == Quote::Double && self.value.text.contains("%{")
    }

    /// The item as it is written, for the report.
    pub(super) fn shown(&self) -> String {
        let tag = if self.tag == 0 { String::new() } else { format!(":{}", self.tag) };
        let value = if self.is_password() { "***" } else { &self.value.text };
        format!("{}{tag} {} {value}", self.name, self.operator)
    }

    pub(super) fn is_password(&self) -> bool {
        self.name.to_ascii_lowercase().contains("password")
    }
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub place: Place,
    pub name: String,
    pub checks: Vec<Item>,
    pub replies: Vec<Item>,
    pub fall_through: bool,
    /// Part of it could not be read.
    pub damaged: bool,
}

/// Reads the entries; what cannot be read goes into the report.
pub(super) fn read(source: &Source, include: Include<'_>, report: &mut Report) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let (lines, mut complete) = Lines::read(source, include, report);
    for line in lines {
        let mut scanner = Scanner::new(&line.text);
        if scanner.at_end() {
            continue;
        }
        let (items, damaged);
        if line.text.starts_with([' ', '\t']) {
            (items, damaged) = read_items(&mut scanner, &line.place, report);
            let Some(entry) = entries.last_mut() else {
                report.add(&line.place, "a reply without an entry", "begin the line with a name, and import again");
                continue;
            };
            for item in items {
                if item.is("Fall-Through") {
                    entry.fall_through = matches!(item.value.text.to_ascii_lowercase().as_str(), "yes" | "1");
                } else {
                    entry.replies.push(item);
                }
            }
            entry.damaged |= damaged;
        } else {
            let Some(name) = scanner.word(&[]) else {
                complete = false;
                report.add(&line.place, "a name whose quotes are not closed", "close them, and import again");
                continue;
            };
            (items, damaged) = read_items(&mut scanner, &line.place, report);
            entries.push(Entry {
                place: line.place,
                name: name.text,
                checks: items,
                replies: Vec::new(),
                fall_through: false,
                damaged,
            });
        }
    }
    if !complete {
        // What is missing might have refused somebody.
        entries.iter_mut().for_each(|entry| entry.damaged = true);
    }
    entries
}

/// The items of a line, and whether some could not be read.
fn read_items(scanner: &mut Scanner<'_>, place: &Place, report: &mut Report) -> (Vec<Item>, bool) {
    let mut items = Vec::new();
    while !scanner.at_end() {
        if scanner.take(",") {
            continue;
        }
        let rest = scanner.rest();
        match read_item(scanner, place) {
            Some(item) => items.push(item),
            None => {
                // It may be a password.
                let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
                let message = format!("what begins with {name:?} is not understood");
                report.add(place, message, "write it as Name = \"value\", and import again");
                return (items, true);
            }
        }
    }
    (items, false)
}

fn read_item(scanner: &mut Scanner<'_>, place: &Place) -> Option<Item> {
    let mut name = scanner.word(&[':', '=', '+', '!', '<', '>', '^', ',', '#'])?.text;
    let mut tag = 0;
    if !scanner.rest().starts_with(":=") && scanner.take(":") {
        let text = scanner.word(&[':', '=', '+', '!', '<', '>', '^', ',', '#'])?.text;
        match text.parse() {
            Ok(number) => tag = number,
            Err(_) => name = format!("{name}:{text}"),
        }
    }
    let operator = scanner.one_of(&OPERATORS)?;
    let mut value = scanner.word(&[',', '#'])?;
    if value.quote == Quote::Double {
        value.text = unescape(&value.text);
    }
    Some(Item { name, tag, operator, value, place: place.clone() })
}

/// What a backslash means within double quotes; other letters keep it.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let octal = after.get(..3).filter(|digits| digits.bytes().all(|b| (b'0'..=b'7').contains(&b)));
        let octal = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(u8::is_ascii);
        let (c, len) = match (octal, after.chars().next()) {
            (Some(octet), _) => (char::from(octet), 3),
            (None, Some('n')) => ('\n', 1),
            (None, Some('r')) => ('\r', 1),
            (None, Some('t')) => ('\t', 1),
            (None, Some('\\')) => ('\\', 1),
            (None, _) => ('\\', 0),
        };
        out.push(c);
        rest = after.get(len..).unwrap_or_default();
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Vec<Entry>, String) {
        let mut report = Report::default();
        let source = Source { file: "users".into(), text: text.into() };
        let entries = read(&source, &|_| Err("none".into()), &mut report);
        (entries, report.to_string())
    }

    #[test]
    fn entries_as_freeradius_reads_them() {
        let (entries, report) = parse(
            "# a comment\n\"John Doe\"\tCleartext-Password := \"x,y\", NAS-IP-Address == 10.0.0.1 # remark\n\
             \tTunnel-Type:1 = VLAN,Tunnel-Private-Group-Id:1 := \"20\",\n\
             \tReply-Message = \"100% \\\"of\\\" \\101\\x41 %d\",\n\tFall-Through = yes\n\nDEFAULT\n  Filter-Id += a#b,\n",
        );
        assert_eq!(report, "");
        let [john, default] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((john.name.as_str(), john.checks.len(), john.place.line), ("John Doe", 2, 2));
        assert_eq!(john.checks[0].value.text, "x,y");
        assert!(john.fall_through && !default.fall_through);
        let shown: Vec<_> = john.replies.iter().chain(&default.replies).map(Item::shown).collect();
        // What radclient shows of the same entry.
        assert_eq!(
            shown,
            [
                "Tunnel-Type:1 = VLAN",
                "Tunnel-Private-Group-Id:1 := 20",
                "Reply-Message = 100% \"of\" A\\x41 %d",
                "Filter-Id += a"
            ]
        );
        assert!(!john.replies[2].is_dynamic());
    }

    #[test]
    fn what_cannot_be_read_is_reported_without_its_secret() {
        let (entries, report) =
            parse("  Filter-Id = x\nbob Cleartext-Password := \"secret\n\"open\nann Password hush\n");
        assert!(entries.iter().all(|e| e.damaged), "{entries:?}");
        for part in ["users:1: a reply without", "users:2: what begins with", "users:3: a name", "users:4: what"] {
            assert!(report.contains(part), "no {part:?} in\n{report}");
        }
        assert!(!report.contains("secret") && !report.contains("hush"), "{report}");
    }
}
