//! A profile in the words of a NAS profile.

use super::download::{Download, MAX_ATTRIBUTES_LEN};
use super::nas_profile::{NasProfile, Spelling, Term};
use super::profile::{Profile, SessionTimeout, TerminationAction};
use super::ticket::{ROOM, TICKET, Tickets, filled, rooms};
use super::vlan::Vlan;
use crate::ids::DecisionId;
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::MAX_VALUE_LEN;
use crate::radius::value::{DataType, hex};
use std::borrow::Cow;

/// Egress-VLANID's first octet for a VLAN whose frames carry a tag (RFC 4675,
/// section 2.1).
const TAGGED: u32 = 0x3100_0000;

/// A profile as it goes on the wire.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spelled {
    /// The attributes, encoded.
    pub attributes: Vec<u8>,
    /// The same as name and value, for the record.
    pub shown: Vec<(String, String)>,
    /// Session-Timeout, which is another at each login.
    pub session_timeout: Option<SessionTimeout>,
    /// Where in `attributes` there is room for a ticket.
    tickets: Vec<usize>,
}

impl Spelled {
    /// The attributes for who was let in by this decision.
    pub fn for_decision(&self, id: DecisionId, tickets: &Tickets) -> Cow<'_, [u8]> {
        match self.tickets.as_slice() {
            [] => Cow::Borrowed(&self.attributes),
            rooms => Cow::Owned(filled(&self.attributes, rooms, &tickets.of(id))),
        }
    }
}

/// A NAS cannot be told what a profile wants.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unspeakable {
    /// There are no words for it.
    #[error("gear of the kind {nas_profile} cannot be told {term}")]
    NoWords {
        /// The NAS profile.
        nas_profile: String,
        /// What it lacks.
        term: Term,
    },
    /// There are words, but this value does not fit them.
    #[error("gear of the kind {nas_profile} cannot be told this: {what}")]
    NoFit {
        /// The NAS profile.
        nas_profile: String,
        /// What does not fit.
        what: String,
    },
    /// The profile names VLANs by site, but none here.
    #[error("it has no VLAN {}", .site.as_ref().map_or("where the NAS has no site".into(), |s| format!("at the site {s}")))]
    NoVlan {
        /// The site of the NAS.
        site: Option<String>,
    },
}

/// What a profile wants, as placeholders and their values; one list for each
/// time that the attributes are sent.
struct Wanted {
    term: Term,
    times: Vec<Vec<(&'static str, String)>>,
}

/// The placeholders that a spelling of a term may use.
fn placeholders(term: Term, spelling: &Spelling) -> &'static [&'static str] {
    match term {
        Term::Acl if !spelling.download.is_empty() => &["list"],
        Term::Vlan | Term::VlanName | Term::Voice => &["vlan"],
        Term::TaggedVlan => &["vlan", "egress"],
        Term::Filter => &["filter"],
        Term::Acl => &["number", "rule", "rules"],
        Term::Role => &["role"],
        Term::SecurityGroup => &["tag", "tag_hex"],
        Term::Redirect => &["url", "acl"],
    }
}

/// Whether a spelling names attributes that exist, and placeholders that have a
/// value.
pub(super) fn check(term: Term, spelling: &Spelling, dictionary: &Dictionary) -> Result<(), String> {
    spelling.send.iter().try_for_each(|line| check_line(line, placeholders(term, spelling), dictionary))?;
    spelling.download.iter().try_for_each(|line| check_line(line, &["number", "rule"], dictionary))
}

/// Whether a line `Name = value` names an attribute that exists, and placeholders
/// among these.
pub(super) fn check_line(line: &str, placeholders: &[&str], dictionary: &Dictionary) -> Result<(), String> {
    let (name, value) = line.split_once(" = ").ok_or(format!("{line:?}: write \"Name = value\""))?;
    dictionary.by_name(name).ok_or(format!("{line:?}: no attribute is called {name}"))?;
    for used in value.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default()) {
        if !placeholders.contains(&used) {
            let known = placeholders.join("}, {");
            return Err(format!("{line:?}: {{{used}}} has no value here; there is {{{known}}}"));
        }
    }
    Ok(())
}

/// The profile with this VLAN in the words of this kind of gear.
///
/// # Errors
/// What it cannot be told. Nothing may be granted then: a port without its
/// access rules is open.
pub fn spell(
    profile: &Profile,
    vlan: Option<&Vlan>,
    nas: &NasProfile,
    dictionary: &Dictionary,
) -> Result<Spelled, Unspeakable> {
    let (mut out, _) = without_own(profile, vlan, nas, dictionary)?;
    out.attributes.extend_from_slice(&profile.attributes);
    for raw in &profile.raw {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        out.shown.push((name.trim().into(), value.trim().into()));
    }
    if out.attributes.len() > MAX_ATTRIBUTES_LEN {
        let len = out.attributes.len();
        let what = format!("its attributes have {len} octets, and a reply has room for {MAX_ATTRIBUTES_LEN}");
        return Err(Unspeakable::NoFit { nas_profile: nas.name.clone(), what });
    }
    out.tickets = rooms(&out.attributes);
    Ok(out)
}

/// The same without the profile's own `attributes`; and for each that is shown, the
/// key of the profile that sends it.
pub(super) fn without_own(
    profile: &Profile,
    vlan: Option<&Vlan>,
    nas: &NasProfile,
    dictionary: &Dictionary,
) -> Result<(Spelled, Vec<&'static str>), Unspeakable> {
    let (mut out, mut keys) = (Spelled::default(), Vec::new());
    let no_fit = |what| Unspeakable::NoFit { nas_profile: nas.name.clone(), what };
    for wanted in wanted(profile, vlan, nas, dictionary)? {
        let spelling = nas
            .spellings
            .get(&wanted.term)
            .ok_or_else(|| Unspeakable::NoWords { nas_profile: nas.name.clone(), term: wanted.term })?;
        for values in &wanted.times {
            spelling.send.iter().try_for_each(|line| out.push(line, values, dictionary)).map_err(no_fit)?;
        }
        keys.resize(out.shown.len(), key(wanted.term));
    }
    out.session(profile, dictionary, &mut keys).map_err(no_fit)?;
    Ok((out, keys))
}

/// The key of a `[[profile]]` that wants this.
fn key(term: Term) -> &'static str {
    match term {
        Term::Vlan | Term::VlanName => "vlan",
        Term::TaggedVlan => "tagged_vlans",
        Term::Filter => "filter_id",
        Term::Acl => "acl",
        Term::Role => "role",
        Term::SecurityGroup => "security_group",
        Term::Redirect => "redirect",
        Term::Voice => "voice",
    }
}

/// The profile's access rules as a list to be downloaded, where this kind of gear
/// does so.
///
/// # Errors
/// As [`spell`].
pub fn download(profile: &Profile, nas: &NasProfile, dictionary: &Dictionary) -> Result<Option<Download>, Unspeakable> {
    let Some(spelling) = nas.spellings.get(&Term::Acl).filter(|s| !s.download.is_empty() && !profile.acl.is_empty())
    else {
        return Ok(None);
    };
    let no_fit = |what| Unspeakable::NoFit { nas_profile: nas.name.clone(), what };
    let mut rules = Vec::new();
    for values in numbered(written(profile, nas, spelling)?) {
        let mut rule = Spelled::default();
        spelling.download.iter().try_for_each(|line| rule.push(line, &values, dictionary)).map_err(no_fit)?;
        rules.push(rule.attributes);
    }
    Download::new(profile, &rules).map(Some).map_err(no_fit)
}

fn wanted(
    profile: &Profile,
    vlan: Option<&Vlan>,
    nas: &NasProfile,
    dictionary: &Dictionary,
) -> Result<Vec<Wanted>, Unspeakable> {
    let mut all = Vec::new();
    let mut once = |term, values: Vec<(&'static str, String)>| all.push(Wanted { term, times: vec![values] });
    match vlan {
        Some(Vlan::Id(id)) => once(Term::Vlan, vec![("vlan", id.to_string())]),
        Some(Vlan::Name(name)) => once(Term::VlanName, vec![("vlan", name.clone())]),
        None => {}
    }
    if let Some(filter) = &profile.filter_id {
        once(Term::Filter, vec![("filter", filter.clone())]);
    }
    if let Some(role) = &profile.role {
        once(Term::Role, vec![("role", role.clone())]);
    }
    if let Some(tag) = profile.security_group {
        once(Term::SecurityGroup, vec![("tag", tag.to_string()), ("tag_hex", format!("{tag:04x}"))]);
    }
    if let Some(redirect) = &profile.redirect {
        let acl = redirect.acl.clone().unwrap_or_default();
        once(Term::Redirect, vec![("url", redirect.url.replace(TICKET, ROOM)), ("acl", acl)]);
    }
    if profile.voice {
        once(Term::Voice, vec![("vlan", vlan.map(ToString::to_string).unwrap_or_default())]);
    }
    if !profile.tagged_vlans.is_empty() {
        let each = |id: &u16| vec![("vlan", id.to_string()), ("egress", (TAGGED | u32::from(*id)).to_string())];
        all.push(Wanted { term: Term::TaggedVlan, times: profile.tagged_vlans.iter().map(each).collect() });
    }
    if !profile.acl.is_empty() {
        all.push(acl(profile, nas, dictionary)?);
    }
    Ok(all)
}

/// Access rules: once for each, all together where the spelling says `{rules}`, or
/// the name of their list.
fn acl(profile: &Profile, nas: &NasProfile, dictionary: &Dictionary) -> Result<Wanted, Unspeakable> {
    if let Some(list) = download(profile, nas, dictionary)? {
        return Ok(Wanted { term: Term::Acl, times: vec![vec![("list", list.name().to_owned())]] });
    }
    let missing = || Unspeakable::NoWords { nas_profile: nas.name.clone(), term: Term::Acl };
    let spelling = nas.spellings.get(&Term::Acl).ok_or_else(missing)?;
    let rules = written(profile, nas, spelling)?;
    let together = spelling.send.iter().any(|line| line.contains("{rules}"));
    // RFC 4849, section 2: rules are separated by a NUL octet.
    let times = if together { vec![vec![("rules", rules.join("\0"))]] } else { numbered(rules) };
    Ok(Wanted { term: Term::Acl, times })
}

/// The access rules in the dialect of the gear.
fn written(profile: &Profile, nas: &NasProfile, spelling: &Spelling) -> Result<Vec<String>, Unspeakable> {
    let missing = || Unspeakable::NoWords { nas_profile: nas.name.clone(), term: Term::Acl };
    let dialect = spelling.dialect.ok_or_else(missing)?;
    let rules = profile.acl.iter().map(|rule| dialect.write(rule));
    rules.collect::<Result<_, _>>().map_err(|what| Unspeakable::NoFit { nas_profile: nas.name.clone(), what })
}

/// Each rule with its number, in tens.
fn numbered(rules: Vec<String>) -> Vec<Vec<(&'static str, String)>> {
    let each = |(rule, number): (String, u32)| vec![("number", (number * 10).to_string()), ("rule", rule)];
    rules.into_iter().zip(1_u32..).map(each).collect()
}

impl Spelled {
    /// Appends the attribute that a line `Name = value` makes with these values.
    pub(super) fn push(
        &mut self,
        line: &str,
        values: &[(&'static str, String)],
        dictionary: &Dictionary,
    ) -> Result<(), String> {
        let (name, template) = line.split_once(" = ").unwrap_or((line, ""));
        let mut value = template.to_owned();
        for (placeholder, with) in values {
            if with.is_empty() && template.contains(&format!("{{{placeholder}}}")) {
                return Err(format!("{name} needs {placeholder}, of which nothing is known here"));
            }
            value = value.replace(&format!("{{{placeholder}}}"), with);
        }
        self.add(name, &value, dictionary)
    }

    fn add(&mut self, name: &str, value: &str, dictionary: &Dictionary) -> Result<(), String> {
        let definition = dictionary.by_name(name).ok_or_else(|| format!("no attribute is called {name}"))?;
        if definition.data_type == DataType::Concat {
            for piece in value.as_bytes().chunks(MAX_VALUE_LEN) {
                self.attributes.extend(dictionary.encode(name, &hex(piece)).map_err(|e| e.to_string())?);
            }
        } else {
            self.attributes.extend(dictionary.encode(name, value).map_err(|e| e.to_string())?);
        }
        self.shown.push((definition.name.clone(), value.replace('\0', "; ").replace(ROOM, TICKET)));
        Ok(())
    }

    fn session(
        &mut self,
        profile: &Profile,
        dictionary: &Dictionary,
        keys: &mut Vec<&'static str>,
    ) -> Result<(), String> {
        self.session_timeout = profile.session_timeout;
        if let Some(time) = profile.idle_timeout {
            let secs = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
            self.add("Idle-Timeout", &secs.to_string(), dictionary)?;
            keys.push("idle_timeout_secs");
        }
        if let Some(action) = profile.termination_action {
            let value = match action {
                TerminationAction::Default => "Default",
                TerminationAction::RadiusRequest => "RADIUS-Request",
            };
            self.add("Termination-Action", value, dictionary)?;
            keys.push("termination_action");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::nas_profile::NasProfiles;
    use crate::enforcement::profile::Redirect;

    fn spelled(profile: &Profile, name: &str) -> Result<Vec<(String, String)>, Unspeakable> {
        let nas = NasProfiles::new(Dictionary::standard(), []).unwrap();
        spell(profile, None, nas.get(name).unwrap(), Dictionary::standard()).map(|s| s.shown)
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        let role = Profile { role: Some("staff".into()), ..Profile::default() };
        assert_eq!(spelled(&role, "aruba-cx").unwrap(), [("Aruba-User-Role".into(), "staff".into())]);
        let error = spelled(&role, "ubiquiti").unwrap_err().to_string();
        assert_eq!(error, "gear of the kind ubiquiti cannot be told a role");
        let acl = Profile { acl: vec!["permit ip to 2001:db8::/32".parse().unwrap()], ..Profile::default() };
        assert!(spelled(&acl, "aruba-cx").is_ok());
        let error = spelled(&acl, "cisco-ios").unwrap_err().to_string();
        assert!(error.contains("only IPv4"), "{error}");
        let redirect = Redirect { url: "https://help.example".into(), acl: None };
        let redirect = Profile { redirect: Some(redirect), ..Profile::default() };
        assert!(spelled(&redirect, "aruba-cx").is_ok());
        let error = spelled(&redirect, "cisco-ios").unwrap_err().to_string();
        assert!(error.contains("needs acl"), "{error}");
        let long = Profile { filter_id: Some("x".repeat(252)), ..Profile::default() };
        assert!(spelled(&long, "standard").is_ok());
        assert!(spelled(&long, "cisco-ios").is_err(), "with .in it has 255 octets");
    }

    #[test]
    fn who_is_sent_to_a_page_brings_a_ticket_of_their_own() {
        let redirect = Redirect { url: "https://help.example/recheck/{ticket}".into(), acl: Some("to-help".into()) };
        let profile = Profile { redirect: Some(redirect), ..Profile::default() };
        let nas = NasProfiles::new(Dictionary::standard(), []).unwrap();
        let spelled = spell(&profile, None, nas.get("cisco-ios").unwrap(), Dictionary::standard()).unwrap();
        let url = ("Cisco-AVPair".into(), "url-redirect=https://help.example/recheck/{ticket}".into());
        assert!(spelled.shown.contains(&url), "{:?}", spelled.shown);
        let (tickets, id) = (Tickets::new(&[7; 32]), DecisionId::of_name("login"));
        let sent = spelled.for_decision(id, &tickets);
        assert_eq!(sent.len(), spelled.attributes.len());
        let ticket = tickets.of(id);
        assert!(sent.windows(ticket.len()).any(|octets| octets == ticket.as_bytes()));
        assert_eq!(rooms(&sent), [0; 0]);
    }

    #[test]
    fn what_no_reply_can_hold_is_an_error_unless_it_is_downloaded() {
        let rules: Vec<_> =
            (0..200).map(|n| format!("permit tcp to 10.0.{n}.0/24 port 443").parse().unwrap()).collect();
        let profile = Profile { name: "staff".into(), acl: rules, ..Profile::default() };
        let error = spelled(&profile, "cisco-ios").unwrap_err().to_string();
        assert!(error.contains("a reply has room for 3500"), "{error}");
        let told = spelled(&profile, "cisco-ios-dacl").unwrap();
        let nas = NasProfiles::new(Dictionary::standard(), []).unwrap();
        let list = download(&profile, nas.get("cisco-ios-dacl").unwrap(), Dictionary::standard()).unwrap().unwrap();
        assert_eq!(told, [("Cisco-AVPair".into(), format!("ACS:CiscoSecure-Defined-ACL={}", list.name()))]);
        let rule = b"ip:inacl#2000=permit tcp any 10.0.199.0 0.0.0.255 eq 443";
        let parts: Vec<_> = (0..).map_while(|n| list.part(n)).collect();
        assert_eq!(parts.len(), 4);
        assert!(parts[3].attributes.ends_with(rule) && parts[3].next.is_none());
        assert_eq!(download(&profile, nas.get("cisco-ios").unwrap(), Dictionary::standard()), Ok(None));
    }

    #[test]
    fn long_filter_rules_are_cut_and_separated() {
        let rules: Vec<_> = (0..20).map(|n| format!("permit tcp to 10.0.{n}.0/24 port 443").parse().unwrap()).collect();
        let profile = Profile { acl: rules, ..Profile::default() };
        let nas = NasProfiles::new(Dictionary::standard(), []).unwrap();
        let out = spell(&profile, None, nas.get("arista").unwrap(), Dictionary::standard()).unwrap();
        let whole = 20 * "permit in tcp from any to 10.0.0.0/24 443".len() + 19 + 10;
        let pieces = whole.div_ceil(MAX_VALUE_LEN);
        assert_eq!(out.attributes.len(), whole + 2 * pieces);
        assert_eq!(out.attributes[0], 92);
    }
}
