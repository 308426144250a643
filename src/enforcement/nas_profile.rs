//! NAS profiles: how each family of switches and controllers is told things.
//! Data, read from `nas-profiles/`; a new vendor needs no Rust.

use super::acl::Dialect;
use super::coa::{Coa, CoaFile};
use super::setup::Setup;
use crate::radius::dictionary::Dictionary;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The packaged files, by name.
const PACKAGED: &[(&str, &str)] = &[
    ("standard", include_str!("../../nas-profiles/standard.toml")),
    ("arista", include_str!("../../nas-profiles/arista.toml")),
    ("aruba-aos-s", include_str!("../../nas-profiles/aruba-aos-s.toml")),
    ("aruba-cx", include_str!("../../nas-profiles/aruba-cx.toml")),
    ("aruba-wlan", include_str!("../../nas-profiles/aruba-wlan.toml")),
    ("cisco-ios", include_str!("../../nas-profiles/cisco-ios.toml")),
    ("cisco-ios-dacl", include_str!("../../nas-profiles/cisco-ios-dacl.toml")),
    ("cisco-wlc", include_str!("../../nas-profiles/cisco-wlc.toml")),
    ("comware", include_str!("../../nas-profiles/comware.toml")),
    ("dell-n", include_str!("../../nas-profiles/dell-n.toml")),
    ("dell-os10", include_str!("../../nas-profiles/dell-os10.toml")),
    ("extreme-exos", include_str!("../../nas-profiles/extreme-exos.toml")),
    ("extreme-voss", include_str!("../../nas-profiles/extreme-voss.toml")),
    ("fortinet", include_str!("../../nas-profiles/fortinet.toml")),
    ("huawei", include_str!("../../nas-profiles/huawei.toml")),
    ("juniper-ex", include_str!("../../nas-profiles/juniper-ex.toml")),
    ("meraki", include_str!("../../nas-profiles/meraki.toml")),
    ("mikrotik-switch", include_str!("../../nas-profiles/mikrotik-switch.toml")),
    ("mikrotik-wifi", include_str!("../../nas-profiles/mikrotik-wifi.toml")),
    ("ruckus-icx", include_str!("../../nas-profiles/ruckus-icx.toml")),
    ("ruckus-wlan", include_str!("../../nas-profiles/ruckus-wlan.toml")),
    ("ubiquiti", include_str!("../../nas-profiles/ubiquiti.toml")),
];

/// The profile of a NAS that names none.
pub const DEFAULT: &str = "standard";

/// Something that a profile can want.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// A VLAN by number.
    Vlan,
    /// A VLAN by name.
    VlanName,
    /// A further VLAN, with its tag.
    TaggedVlan,
    /// A filter that the NAS holds, by name.
    Filter,
    /// Access rules.
    Acl,
    /// A role or group policy that the NAS holds, by name.
    Role,
    /// A security group tag.
    SecurityGroup,
    /// Web traffic sent to a page.
    Redirect,
    /// The port's voice VLAN.
    Voice,
}

impl Term {
    /// All of them.
    pub const ALL: [Term; 9] = [
        Term::Vlan,
        Term::VlanName,
        Term::TaggedVlan,
        Term::Filter,
        Term::Acl,
        Term::Role,
        Term::SecurityGroup,
        Term::Redirect,
        Term::Voice,
    ];
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Term::Vlan => "a VLAN by number",
            Term::VlanName => "a VLAN by name",
            Term::TaggedVlan => "tagged VLANs",
            Term::Filter => "a filter by name",
            Term::Acl => "access rules",
            Term::Role => "a role",
            Term::SecurityGroup => "a security group tag",
            Term::Redirect => "a redirect",
            Term::Voice => "voice",
        })
    }
}

/// What stands behind a spelling.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Confirmed {
    /// An RFC.
    #[serde(rename = "standard")]
    Standard,
    /// The vendor's own guide.
    #[serde(rename = "vendor guide")]
    VendorGuide,
    /// Other software that is used with this gear sends it.
    #[serde(rename = "other software")]
    OtherSoftware,
    /// The attribute exists in the vendor's list; its use was not seen.
    #[serde(rename = "dictionary")]
    Dictionary,
    /// General knowledge: try it before you rely on it.
    #[serde(rename = "unconfirmed")]
    Unconfirmed,
}

impl Confirmed {
    /// As files and the API say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Confirmed::Standard => "standard",
            Confirmed::VendorGuide => "vendor guide",
            Confirmed::OtherSoftware => "other software",
            Confirmed::Dictionary => "dictionary",
            Confirmed::Unconfirmed => "unconfirmed",
        }
    }
}

/// How one thing is told.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spelling {
    /// Attributes, each `Name = value` with `{placeholders}`.
    pub send: Vec<String>,
    /// Attributes for each access rule, where `send` names a list that the NAS
    /// downloads.
    #[serde(default)]
    pub download: Vec<String>,
    /// How access rules are written.
    pub dialect: Option<Dialect>,
    /// What stands behind it.
    pub confirmed: Confirmed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    extends: Option<String>,
    #[serde(default)]
    without: Vec<Term>,
    vlan: Option<Spelling>,
    vlan_name: Option<Spelling>,
    tagged_vlan: Option<Spelling>,
    filter: Option<Spelling>,
    acl: Option<Spelling>,
    role: Option<Spelling>,
    security_group: Option<Spelling>,
    redirect: Option<Spelling>,
    voice: Option<Spelling>,
    coa: Option<CoaFile>,
    setup: Option<Setup>,
}

/// One family of gear.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NasProfile {
    /// The name that the configuration uses.
    pub name: String,
    /// What it is for.
    pub title: String,
    /// What it can be told, and how.
    pub spellings: BTreeMap<Term, Spelling>,
    /// What changes to a session it can be told, and how.
    pub coa: Option<Coa>,
    /// What somebody enters on it, so that it asks here.
    pub setup: Option<Setup>,
}

/// All families.
#[derive(Clone, Debug)]
pub struct NasProfiles {
    by_name: BTreeMap<String, Arc<NasProfile>>,
}

/// What is wrong with a NAS profile.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the NAS profile {name}: {what}")]
pub struct NasProfileError {
    /// Which one.
    pub name: String,
    /// What is wrong.
    pub what: String,
}

impl NasProfiles {
    /// The packaged ones and `more`, as (name, text), with the attributes of
    /// `dictionary`. One of the same name takes the place of a packaged one.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn new<'a>(
        dictionary: &Dictionary,
        more: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, NasProfileError> {
        let mut profiles = Self { by_name: BTreeMap::new() };
        for (name, text) in PACKAGED.iter().copied().chain(more) {
            let profile = profiles
                .read(name, text, dictionary)
                .map_err(|what| NasProfileError { name: name.to_owned(), what })?;
            profiles.by_name.insert(name.to_owned(), Arc::new(profile));
        }
        Ok(profiles)
    }

    fn read(&self, name: &str, text: &str, dictionary: &Dictionary) -> Result<NasProfile, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string().trim().replace('\n', " "))?;
        let base = match &file.extends {
            None => None,
            Some(base) => Some(self.get(base).ok_or(format!("it extends {base:?}, which is not known yet"))?),
        };
        let mut spellings = base.map(|b| b.spellings.clone()).unwrap_or_default();
        spellings.retain(|term, _| !file.without.contains(term));
        let own = [
            (Term::Vlan, file.vlan),
            (Term::VlanName, file.vlan_name),
            (Term::TaggedVlan, file.tagged_vlan),
            (Term::Filter, file.filter),
            (Term::Acl, file.acl),
            (Term::Role, file.role),
            (Term::SecurityGroup, file.security_group),
            (Term::Redirect, file.redirect),
            (Term::Voice, file.voice),
        ];
        spellings.extend(own.into_iter().filter_map(|(term, spelling)| Some((term, spelling?))));
        for (term, spelling) in &spellings {
            if spelling.dialect.is_some() != (*term == Term::Acl) {
                return Err("dialect belongs to [acl], and to nothing else".into());
            }
            if !spelling.download.is_empty() && *term != Term::Acl {
                return Err("download belongs to [acl], and to nothing else".into());
            }
            super::spelling::check(*term, spelling, dictionary)?;
        }
        let coa = Coa::read(file.coa, base.and_then(|b| b.coa.as_ref()), dictionary)?;
        let setup = file.setup.or_else(|| base.and_then(|b| b.setup.clone()));
        setup.as_ref().map_or(Ok(()), Setup::check)?;
        Ok(NasProfile { name: name.to_owned(), title: file.title, spellings, coa, setup })
    }

    /// The profile of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<NasProfile>> {
        self.by_name.get(name)
    }

    /// All, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<NasProfile>> {
        self.by_name.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_files_are_sound() {
        let all = NasProfiles::new(Dictionary::standard(), []).unwrap();
        assert!(all.all().count() > 15);
        for profile in all.all() {
            assert!(profile.spellings.contains_key(&Term::Vlan), "{} has no VLAN", profile.name);
            assert!(profile.setup.is_some(), "{} has no text to enter", profile.name);
        }
        assert!(all.get(DEFAULT).is_some());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("colour = 1", "colour"),
            ("title = \"x\"\nextends = \"nobody\"", "nobody"),
            ("title = \"x\"\n[role]\nsend = [\"No-Such = {role}\"]\nconfirmed = \"unconfirmed\"", "No-Such"),
            ("title = \"x\"\n[role]\nsend = [\"Filter-Id = {rule}\"]\nconfirmed = \"unconfirmed\"", "{rule}"),
            ("title = \"x\"\n[role]\nsend = [\"Filter-Id\"]\nconfirmed = \"unconfirmed\"", "Name = value"),
            ("title = \"x\"\n[acl]\nsend = [\"Filter-Id = {rule}\"]\nconfirmed = \"unconfirmed\"", "dialect"),
            ("title = \"x\"\n[role]\nsend = []\nconfirmed = \"surely\"", "surely"),
            (
                "title = \"x\"\n[role]\nsend = []\ndownload = [\"Filter-Id = x\"]\nconfirmed = \"standard\"",
                "download belongs to [acl]",
            ),
            (
                "title = \"x\"\n[acl]\nsend = [\"Filter-Id = {list}\"]\ndialect = \"cisco\"\nconfirmed = \"standard\"",
                "{list}",
            ),
        ] {
            let error = NasProfiles::new(Dictionary::standard(), [("own", text)]).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("own"), "{error}");
        }
    }

    #[test]
    fn an_own_file_takes_the_place_of_a_packaged_one() {
        let text = "title = \"Ours\"\nextends = \"standard\"\nwithout = [\"filter\"]";
        let all = NasProfiles::new(Dictionary::standard(), [("cisco-ios", text)]).unwrap();
        let own = all.get("cisco-ios").unwrap();
        assert_eq!(own.title, "Ours");
        assert!(!own.spellings.contains_key(&Term::Filter) && own.spellings.contains_key(&Term::Vlan));
    }
}
