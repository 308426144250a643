//! A profile in the words of a NAS profile.

use super::nas_profile::{NasProfile, Spelling, Term};
use super::profile::{Profile, SessionTimeout, TerminationAction};
use super::vlan::{Vlan, VlanPlan};
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::MAX_VALUE_LEN;
use crate::radius::value::{DataType, hex};
use std::collections::HashMap;
use std::sync::Arc;

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

/// A profile in the words of one kind of gear, ready to be sent: one spelling for
/// each VLAN that it may choose.
#[derive(Clone, Debug)]
pub struct Words {
    plan: Option<VlanPlan>,
    by_vlan: HashMap<Option<Vlan>, Result<Arc<Spelled>, Unspeakable>>,
}

impl Words {
    /// Spells the profile for this kind of gear.
    pub fn new(profile: &Profile, nas: &NasProfile) -> Self {
        let mut by_vlan = HashMap::new();
        let vlans = profile.vlan.iter().flat_map(VlanPlan::all).map(Some);
        // A profile without VLANs has one spelling, which names none.
        for vlan in vlans.chain(profile.vlan.is_none().then_some(None)) {
            by_vlan.entry(vlan.cloned()).or_insert_with(|| spell(profile, vlan, nas).map(Arc::new));
        }
        Self { plan: profile.vlan.clone(), by_vlan }
    }

    /// What a NAS at this site is told about this endpoint.
    ///
    /// # Errors
    /// When it cannot be told, and when the profile has no VLAN here.
    pub fn pick(&self, site: Option<&str>, endpoint: &[u8]) -> Result<&Arc<Spelled>, Unspeakable> {
        let vlan = match &self.plan {
            Some(plan) => Some(plan.at(site).ok_or_else(|| no_vlan(site))?.choose(endpoint)),
            None => None,
        };
        self.of(vlan, site)
    }

    /// Whether a NAS at this site can be told whatever the endpoint is.
    ///
    /// # Errors
    /// As [`pick`](Self::pick).
    pub fn check_at(&self, site: Option<&str>) -> Result<(), Unspeakable> {
        match &self.plan {
            Some(plan) => {
                let pool = plan.at(site).ok_or_else(|| no_vlan(site))?;
                pool.all().try_for_each(|vlan| self.of(Some(vlan), site).map(drop))
            }
            None => self.of(None, site).map(drop),
        }
    }

    fn of(&self, vlan: Option<&Vlan>, site: Option<&str>) -> Result<&Arc<Spelled>, Unspeakable> {
        self.by_vlan.get(&vlan.cloned()).ok_or_else(|| no_vlan(site))?.as_ref().map_err(Clone::clone)
    }
}

fn no_vlan(site: Option<&str>) -> Unspeakable {
    Unspeakable::NoVlan { site: site.map(str::to_owned) }
}

/// What a profile wants, as placeholders and their values; one list for each
/// time that the attributes are sent.
struct Wanted {
    term: Term,
    times: Vec<Vec<(&'static str, String)>>,
}

/// The placeholders that a spelling of a term may use.
fn placeholders(term: Term) -> &'static [&'static str] {
    match term {
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
pub(super) fn check(term: Term, spelling: &Spelling) -> Result<(), String> {
    for line in &spelling.send {
        let (name, value) = line.split_once(" = ").ok_or(format!("{line:?}: write \"Name = value\""))?;
        let definition = Dictionary::standard().by_name(name);
        definition.ok_or(format!("{line:?}: no attribute is called {name}"))?;
        for used in value.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default()) {
            if !placeholders(term).contains(&used) {
                let known = placeholders(term).join("}, {");
                return Err(format!("{line:?}: {{{used}}} has no value here; there is {{{known}}}"));
            }
        }
    }
    Ok(())
}

/// The profile with this VLAN in the words of this kind of gear.
///
/// # Errors
/// What it cannot be told. Nothing may be granted then: a port without its
/// access rules is open.
fn spell(profile: &Profile, vlan: Option<&Vlan>, nas: &NasProfile) -> Result<Spelled, Unspeakable> {
    let mut out = Spelled::default();
    for wanted in wanted(profile, vlan, nas)? {
        let spelling = nas
            .spellings
            .get(&wanted.term)
            .ok_or_else(|| Unspeakable::NoWords { nas_profile: nas.name.clone(), term: wanted.term })?;
        for values in &wanted.times {
            for line in &spelling.send {
                out.push(line, values).map_err(|what| Unspeakable::NoFit { nas_profile: nas.name.clone(), what })?;
            }
        }
    }
    out.session(profile).map_err(|what| Unspeakable::NoFit { nas_profile: nas.name.clone(), what })?;
    out.attributes.extend_from_slice(&profile.attributes);
    for raw in &profile.raw {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        out.shown.push((name.trim().into(), value.trim().into()));
    }
    Ok(out)
}

fn wanted(profile: &Profile, vlan: Option<&Vlan>, nas: &NasProfile) -> Result<Vec<Wanted>, Unspeakable> {
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
        once(Term::Redirect, vec![("url", redirect.url.clone()), ("acl", acl)]);
    }
    if profile.voice {
        once(Term::Voice, vec![("vlan", vlan.map(ToString::to_string).unwrap_or_default())]);
    }
    if !profile.tagged_vlans.is_empty() {
        let each = |id: &u16| vec![("vlan", id.to_string()), ("egress", (TAGGED | u32::from(*id)).to_string())];
        all.push(Wanted { term: Term::TaggedVlan, times: profile.tagged_vlans.iter().map(each).collect() });
    }
    if !profile.acl.is_empty() {
        all.push(acl(profile, nas)?);
    }
    Ok(all)
}

/// Access rules: once for each, or all together where the spelling says `{rules}`.
fn acl(profile: &Profile, nas: &NasProfile) -> Result<Wanted, Unspeakable> {
    let missing = || Unspeakable::NoWords { nas_profile: nas.name.clone(), term: Term::Acl };
    let spelling = nas.spellings.get(&Term::Acl).ok_or_else(missing)?;
    let dialect = spelling.dialect.ok_or_else(missing)?;
    let mut rules = Vec::new();
    for rule in &profile.acl {
        let written = dialect.write(rule);
        rules.push(written.map_err(|what| Unspeakable::NoFit { nas_profile: nas.name.clone(), what })?);
    }
    let together = spelling.send.iter().any(|line| line.contains("{rules}"));
    let times = if together {
        // RFC 4849, section 2: rules are separated by a NUL octet.
        vec![vec![("rules", rules.join("\0"))]]
    } else {
        let numbered = rules.into_iter().zip(1_u32..);
        numbered.map(|(rule, number)| vec![("number", (number * 10).to_string()), ("rule", rule)]).collect()
    };
    Ok(Wanted { term: Term::Acl, times })
}

impl Spelled {
    fn push(&mut self, line: &str, values: &[(&'static str, String)]) -> Result<(), String> {
        let (name, template) = line.split_once(" = ").unwrap_or((line, ""));
        let mut value = template.to_owned();
        for (placeholder, with) in values {
            if with.is_empty() && template.contains(&format!("{{{placeholder}}}")) {
                return Err(format!("{name} needs {placeholder}, which the profile does not say"));
            }
            value = value.replace(&format!("{{{placeholder}}}"), with);
        }
        self.add(name, &value)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let dictionary = Dictionary::standard();
        let definition = dictionary.by_name(name).ok_or_else(|| format!("no attribute is called {name}"))?;
        if definition.data_type == DataType::Concat {
            for piece in value.as_bytes().chunks(MAX_VALUE_LEN) {
                self.attributes.extend(dictionary.encode(name, &hex(piece)).map_err(|e| e.to_string())?);
            }
        } else {
            self.attributes.extend(dictionary.encode(name, value).map_err(|e| e.to_string())?);
        }
        self.shown.push((definition.name.clone(), value.replace('\0', "; ")));
        Ok(())
    }

    fn session(&mut self, profile: &Profile) -> Result<(), String> {
        self.session_timeout = profile.session_timeout;
        if let Some(time) = profile.idle_timeout {
            self.add("Idle-Timeout", &u32::try_from(time.as_secs()).unwrap_or(u32::MAX).to_string())?;
        }
        match profile.termination_action {
            Some(TerminationAction::Default) => self.add("Termination-Action", "Default"),
            Some(TerminationAction::RadiusRequest) => self.add("Termination-Action", "RADIUS-Request"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::nas_profile::NasProfiles;
    use crate::enforcement::profile::Redirect;
    use crate::enforcement::vlan::Pool;
    use std::collections::BTreeSet;

    fn spelled(profile: &Profile, name: &str) -> Result<Vec<(String, String)>, Unspeakable> {
        let nas = NasProfiles::new([]).unwrap();
        Words::new(profile, nas.get(name).unwrap()).pick(None, b"").map(|s| s.shown.clone())
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
    fn the_vlan_is_that_of_the_site_and_of_the_endpoint() {
        let pool = |ids: &[u16]| Pool::new(ids.iter().map(|id| Vlan::Id(*id)).collect()).unwrap();
        let sites = [("hq".to_owned(), pool(&[20, 21])), ("lab".to_owned(), Vlan::Name("lab".into()).into())];
        let profile =
            Profile { vlan: Some(VlanPlan::by_site(sites.into_iter().collect(), None)), ..Profile::default() };
        let nas = NasProfiles::new([]).unwrap();
        let words = Words::new(&profile, nas.get("ubiquiti").unwrap());
        let vlan = |site, endpoint: u8| words.pick(Some(site), &[endpoint]).map(|s| s.shown[2].1.clone());
        let chosen: BTreeSet<_> = (0..20).map(|endpoint| vlan("hq", endpoint).unwrap()).collect();
        assert_eq!(chosen.into_iter().collect::<Vec<_>>(), ["20", "21"]);
        assert_eq!(vlan("hq", 7), vlan("hq", 7));
        // Whole sites may lack words or VLANs, and the others do not suffer.
        assert_eq!(words.check_at(Some("hq")), Ok(()));
        assert!(matches!(words.check_at(Some("lab")), Err(Unspeakable::NoWords { term: Term::VlanName, .. })));
        assert_eq!(vlan("moon", 1).unwrap_err().to_string(), "it has no VLAN at the site moon");
        assert_eq!(words.check_at(None).unwrap_err().to_string(), "it has no VLAN where the NAS has no site");
    }

    #[test]
    fn long_filter_rules_are_cut_and_separated() {
        let rules: Vec<_> = (0..20).map(|n| format!("permit tcp to 10.0.{n}.0/24 port 443").parse().unwrap()).collect();
        let profile = Profile { acl: rules, ..Profile::default() };
        let nas = NasProfiles::new([]).unwrap();
        let out = spell(&profile, None, nas.get("arista").unwrap()).unwrap();
        let whole = 20 * "permit in tcp from any to 10.0.0.0/24 443".len() + 19 + 10;
        let pieces = whole.div_ceil(MAX_VALUE_LEN);
        assert_eq!(out.attributes.len(), whole + 2 * pieces);
        assert_eq!(out.attributes[0], 92);
    }
}
