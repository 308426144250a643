//! What a rule can grant, and how each kind of gear is told.

use super::Builder;
use crate::config::document::Sections;
use crate::config::{Config, ProfileSection, Source, TerminationActionValue, VlanId, VlanPool, VlanValue};
use crate::enforcement::nas_profile;
use crate::enforcement::profile::{MAX_JITTER, Profile, Redirect, SessionTimeout, TerminationAction};
use crate::enforcement::repeated::{Repeated, repeated};
use crate::enforcement::spelling::Unspeakable;
use crate::enforcement::ticket::TICKET;
use crate::enforcement::vlan::{Pool, Vlan, VlanPlan};
use crate::enforcement::words::Vocabulary;
use crate::inventory::nas::NasRegistry;
use crate::policy::engine::Policy;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// VLAN ids that IEEE 802.1Q has.
const VLAN_IDS: std::ops::RangeInclusive<i64> = 1..=4094;
/// Octets that a VLAN's name may have: what an attribute holds.
const VLAN_NAME_LENS: std::ops::RangeInclusive<usize> = 1..=253;

impl<'a> Builder<'a> {
    pub(super) fn profile(&mut self, section: &ProfileSection) -> Option<Profile> {
        let name = section.name.get_ref().clone();
        if !self.profile_names.insert(name.clone()) {
            self.wrong(section.name.span(), format!("two profiles are called {name:?}"), "give each its own name");
        }
        let vlan = section.vlan.as_ref().and_then(|value| self.vlan_plan(value));
        if section.filter_id.as_ref().is_some_and(|f| !(1..=253).contains(&f.len())) {
            self.wrong(
                section.name.span(),
                format!("filter_id of {name} has not 1 to 253 octets"),
                "give the name that the NAS knows",
            );
        }
        let mut attributes = Vec::new();
        for line in &section.attributes {
            let encoded = line.get_ref().split_once('=').map(|(n, v)| self.dictionary.encode(n.trim(), v.trim()));
            match encoded {
                Some(Ok(octets)) => attributes.extend(octets),
                Some(Err(e)) => self.wrong(
                    line.span(),
                    e.to_string(),
                    "see dictionaries/ for names; 0x and hex digits give any value",
                ),
                None => self.wrong(line.span(), format!("{:?} has no =", line.get_ref()), "write \"Name = value\""),
            }
        }
        let mut tagged_vlans = Vec::new();
        for id in &section.tagged_vlans {
            match u16::try_from(*id.get_ref()) {
                Ok(vlan) if VLAN_IDS.contains(id.get_ref()) => tagged_vlans.push(vlan),
                _ => self.wrong(id.span(), format!("VLAN {} does not exist", id.get_ref()), "use 1 to 4094"),
            }
        }
        let mut acl = Vec::new();
        for rule in &section.acl {
            match rule.get_ref().parse() {
                Ok(rule) => acl.push(rule),
                Err(e) => {
                    let e: crate::enforcement::acl::AclError = e;
                    self.wrong(rule.span(), e.to_string(), "see docs/configuration.md for access rules");
                }
            }
        }
        if let Some(tag) = section.security_group.as_ref().filter(|tag| *tag.get_ref() == 0) {
            self.wrong(tag.span(), "the security group tag 0 means unknown", "use 1 to 65535");
        }
        Some(Profile {
            name,
            tagged_vlans,
            voice: section.voice,
            acl,
            role: section.role.clone(),
            security_group: section.security_group.as_ref().map(|tag| *tag.get_ref()),
            redirect: section.redirect.clone().map(|r| Redirect { url: r.url, acl: r.acl }),
            idle_timeout: section.idle_timeout_secs.map(|secs| Duration::from_secs(secs.into())),
            vlan,
            filter_id: section.filter_id.clone(),
            session_timeout: self.session_timeout(section),
            termination_action: section.termination_action.map(|action| match action {
                TerminationActionValue::Reauthenticate => TerminationAction::RadiusRequest,
                TerminationActionValue::Disconnect => TerminationAction::Default,
            }),
            raw: section.attributes.iter().map(|a| a.get_ref().clone()).collect(),
            attributes,
        })
    }

    fn session_timeout(&mut self, section: &ProfileSection) -> Option<SessionTimeout> {
        let jitter = section.session_timeout_jitter.as_ref();
        let Some(secs) = section.session_timeout_secs else {
            if let Some(jitter) = jitter {
                let message = "session_timeout_jitter without session_timeout_secs spreads nothing";
                self.wrong(jitter.span(), message, "add session_timeout_secs, or leave it out");
            }
            return None;
        };
        let timeout = SessionTimeout::new(secs, jitter.map_or(0, |jitter| *jitter.get_ref()));
        if let (None, Some(jitter)) = (timeout, jitter) {
            let message = format!("a jitter of {} percent is above {MAX_JITTER}", jitter.get_ref());
            self.wrong(jitter.span(), message, "10 spreads a building over a tenth of the session's time");
        }
        timeout
    }

    fn vlan_plan(&mut self, value: &Spanned<VlanValue>) -> Option<VlanPlan> {
        match value.get_ref() {
            VlanValue::Everywhere(pool) => self.vlan_pool(pool, value.span()).map(VlanPlan::everywhere),
            VlanValue::BySite(section) => {
                let mut by_site = BTreeMap::new();
                for (site, pool) in &section.by_site {
                    by_site.insert(site.clone(), self.vlan_pool(pool, value.span())?);
                }
                let otherwise = match &section.otherwise {
                    Some(pool) => Some(self.vlan_pool(pool, value.span())?),
                    None => None,
                };
                Some(VlanPlan::by_site(by_site, otherwise))
            }
        }
    }

    fn vlan_pool(&mut self, pool: &VlanPool, span: Range<usize>) -> Option<Pool> {
        let ids = match pool {
            VlanPool::One(id) => std::slice::from_ref(id),
            VlanPool::Pool(section) => section.pool.as_slice(),
        };
        let mut all = Vec::new();
        for id in ids {
            all.push(self.vlan(id, span.clone())?);
        }
        match Pool::new(all) {
            Ok(pool) => Some(pool),
            Err(e) => {
                self.wrong(span, e.to_string(), "write a pool as { pool = [20, 21, \"guests\"] }");
                None
            }
        }
    }

    fn vlan(&mut self, id: &VlanId, span: Range<usize>) -> Option<Vlan> {
        match id {
            VlanId::Id(id) => match u16::try_from(*id) {
                Ok(vlan) if VLAN_IDS.contains(id) => Some(Vlan::Id(vlan)),
                _ => {
                    self.wrong(span, format!("VLAN {id} does not exist"), "use 1 to 4094, or a name in quotes");
                    None
                }
            },
            VlanId::Name(name) if VLAN_NAME_LENS.contains(&name.len()) => Some(Vlan::Name(name.clone())),
            VlanId::Name(_) => {
                self.wrong(span, "a VLAN's name has 1 to 253 octets", "give the name that the switch knows");
                None
            }
        }
    }

    /// A site that is misspelled in a profile leaves its switches without VLAN,
    /// or with that of `else`.
    pub(super) fn unknown_sites(&mut self, profiles: &[Profile], nas: Option<&NasRegistry>) {
        let Some(registry) = nas else { return };
        for profile in profiles {
            for site in profile.vlan.iter().flat_map(VlanPlan::sites) {
                if !registry.all().iter().any(|nas| nas.site.as_deref() == Some(site)) {
                    let name = &profile.name;
                    self.warnings
                        .push(format!("the profile {name:?} has a VLAN at the site {site:?}, where no NAS is"));
                }
            }
        }
    }

    /// A ticket is of use on one page alone.
    pub(super) fn tickets(&mut self, config: &Config, profiles: &[Profile]) {
        if !config.recheck.listen.is_empty() {
            return;
        }
        let sends =
            |profile: &&Profile| profile.redirect.as_ref().is_some_and(|redirect| redirect.url.contains(TICKET));
        for Profile { name, .. } in profiles.iter().filter(sends) {
            self.warnings.push(format!(
                "the profile {name:?} redirects with {TICKET} to a page that is not there\n  -> say in [recheck] listen where it is"
            ));
        }
    }

    /// A NAS that is told a thing twice takes whichever it likes. The RFCs' words are
    /// looked at too, so that it shows before there is a NAS.
    pub(super) fn repeated_attributes(
        &mut self,
        documents: &[(&'a Source, Sections<'a>)],
        profiles: &[Profile],
        nas: Option<&NasRegistry>,
    ) {
        let vendors = nas.into_iter().flat_map(NasRegistry::all).map(|nas| nas.vendor.as_str());
        let kinds: BTreeSet<&str> = vendors.chain([nas_profile::DEFAULT]).collect();
        let sections: HashMap<&str, (&Source, &ProfileSection)> = documents
            .iter()
            .flat_map(|(source, all)| {
                all.profile.iter().map(|section| (section.name.get_ref().as_str(), (*source, section)))
            })
            .collect();
        let mut told = HashSet::new();
        for kind in kinds {
            let Some(kind) = self.nas_profiles.get(kind).cloned() else { continue };
            for profile in profiles {
                let Some((source, section)) = sections.get(profile.name.as_str()) else { continue };
                for Repeated { line, key } in repeated(profile, &kind, &self.dictionary) {
                    let Some(attribute) = section.attributes.get(line) else { continue };
                    if told.insert((profile.name.as_str(), line)) {
                        let (name, attribute_text, kind) = (&profile.name, attribute.get_ref(), &kind.name);
                        let message = format!(
                            "the profile {name:?}: {attribute_text:?} repeats what {key} sends to gear of the kind {kind}"
                        );
                        let remedy = "leave one of them out, or the NAS is told both";
                        self.errors.push(source.error(attribute.span(), message, remedy));
                    }
                }
            }
        }
    }

    /// Each profile in the words of each kind of gear that there is. A rule that
    /// could grant what its NAS cannot be told is an error now, so that it is no
    /// surprise at night.
    pub(super) fn spelled(
        &mut self,
        profiles: &[Profile],
        nas: Option<&NasRegistry>,
        policy: Option<&Policy>,
    ) -> HashMap<String, Vocabulary> {
        let mut all: HashMap<String, Vocabulary> = HashMap::new();
        let (Some(registry), Some(policy)) = (nas, policy) else { return all };
        for nas in registry.all() {
            let Some(kind) = self.nas_profiles.get(&nas.vendor).cloned() else { continue };
            let previous = self.previous.and_then(|built| built.snapshot.spelled.get(&nas.vendor));
            let words = all
                .entry(nas.vendor.clone())
                .or_insert_with(|| Vocabulary::new(profiles, &kind, &self.dictionary, previous));
            let site = nas.site.as_deref();
            if words.profiles.values().all(|words| words.check_at(site).is_ok()) {
                continue;
            }
            for (rule, profile) in policy.grants_at(&nas.name, &nas.groups, site) {
                if let Some(Err(e)) = words.profiles.get(profile).map(|words| words.check_at(site)) {
                    let message =
                        format!("the rule {rule:?} can grant the profile {profile:?} at {}, but {e}", nas.name);
                    let remedy = match e {
                        Unspeakable::NoVlan { .. } => {
                            "add the site to by_site of the profile, give it an else, or narrow the rule to other sites"
                        }
                        _ => "narrow the rule to a Site or NasGroup whose gear can be told, or change the profile",
                    };
                    let (source, span) = self.nas_places.get(nas.name.as_str()).cloned().unwrap_or((self.source, 0..0));
                    self.errors.push(source.error(span, message, remedy));
                }
            }
        }
        all
    }
}
