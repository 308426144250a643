//! All profiles in the words of one kind of gear, spelled before anybody logs in.

use super::download::Downloads;
use super::nas_profile::NasProfile;
use super::profile::Profile;
use super::spelling::{Spelled, Unspeakable, download, spell};
use super::vlan::{Vlan, VlanPlan};
use crate::radius::dictionary::Dictionary;
use std::collections::HashMap;
use std::sync::Arc;

/// All profiles in the words of one kind of gear.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Each profile by name.
    pub profiles: HashMap<String, Words>,
    /// Access lists that gear of this kind downloads.
    pub downloads: Downloads,
}

impl Vocabulary {
    /// Spells the profiles for this kind of gear. Lists of `previous` can be
    /// downloaded for a while longer.
    pub fn new(profiles: &[Profile], nas: &NasProfile, dictionary: &Dictionary, previous: Option<&Vocabulary>) -> Self {
        // Why a list cannot be written, its profile's words say.
        let lists = profiles.iter().filter_map(|profile| download(profile, nas, dictionary).ok().flatten());
        Self {
            profiles: profiles
                .iter()
                .map(|profile| (profile.name.clone(), Words::new(profile, nas, dictionary)))
                .collect(),
            downloads: Downloads::new(lists, previous.map(|p| &p.downloads)),
        }
    }
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
    pub fn new(profile: &Profile, nas: &NasProfile, dictionary: &Dictionary) -> Self {
        let mut by_vlan = HashMap::new();
        let vlans = profile.vlan.iter().flat_map(VlanPlan::all).map(Some);
        // A profile without VLANs has one spelling, which names none.
        for vlan in vlans.chain(profile.vlan.is_none().then_some(None)) {
            by_vlan.entry(vlan.cloned()).or_insert_with(|| spell(profile, vlan, nas, dictionary).map(Arc::new));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::nas_profile::{NasProfiles, Term};
    use crate::enforcement::vlan::Pool;
    use std::collections::BTreeSet;

    #[test]
    fn the_vlan_is_that_of_the_site_and_of_the_endpoint() {
        let pool = |ids: &[u16]| Pool::new(ids.iter().map(|id| Vlan::Id(*id)).collect()).unwrap();
        let sites = [("hq".to_owned(), pool(&[20, 21])), ("lab".to_owned(), Vlan::Name("lab".into()).into())];
        let profile =
            Profile { vlan: Some(VlanPlan::by_site(sites.into_iter().collect(), None)), ..Profile::default() };
        let nas = NasProfiles::new(Dictionary::standard(), []).unwrap();
        let words = Words::new(&profile, nas.get("ubiquiti").unwrap(), Dictionary::standard());
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
}
