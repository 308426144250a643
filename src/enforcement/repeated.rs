//! Attributes that a profile writes out although another of its keys sends them:
//! the NAS would be told twice, and take whichever it likes.

use super::nas_profile::NasProfile;
use super::profile::Profile;
use super::spelling::without_own;
use super::vlan::VlanPlan;
use crate::radius::dictionary::Dictionary;

/// An attribute that is sent twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repeated {
    /// Which of the profile's `attributes`, counted from 0.
    pub line: usize,
    /// The key that sends it too.
    pub key: &'static str,
}

/// What the profile's `attributes` repeat for this kind of gear.
///
/// Attributes of pairs, such as Cisco-AVPair, are the same when what stands before
/// `=` is (or before `#`, which numbers access rules).
pub fn repeated(profile: &Profile, nas: &NasProfile, dictionary: &Dictionary) -> Vec<Repeated> {
    let mut sent: Vec<(String, &'static str)> = Vec::new();
    let vlans = profile.vlan.iter().flat_map(VlanPlan::all).map(Some);
    for vlan in vlans.chain(profile.vlan.is_none().then_some(None)) {
        // What cannot be told is told of elsewhere.
        let Ok((spelled, keys)) = without_own(profile, vlan, nas, dictionary) else { continue };
        sent.extend(spelled.shown.iter().zip(keys).map(|((name, value), key)| (what(name, value, dictionary), key)));
    }
    if profile.session_timeout.is_some() {
        sent.push(("session-timeout".into(), "session_timeout_secs"));
    }
    let mut all = Vec::new();
    for (line, raw) in profile.raw.iter().enumerate() {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        let what = what(name.trim(), value.trim(), dictionary);
        all.extend(sent.iter().find(|(other, _)| *other == what).map(|(_, key)| Repeated { line, key }));
    }
    all
}

/// What there should be one of.
fn what(name: &str, value: &str, dictionary: &Dictionary) -> String {
    let name = name.to_ascii_lowercase();
    if dictionary.by_name(&name).is_some_and(|definition| definition.pairs) {
        let pair = value.split(['=', '#']).next().unwrap_or_default();
        return format!("{name} {pair}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::nas_profile::NasProfiles;
    use crate::enforcement::profile::SessionTimeout;
    use crate::enforcement::vlan::Vlan;

    fn keys(profile: Profile, attributes: &[&str], kind: &str) -> Vec<(usize, &'static str)> {
        let dictionary = Dictionary::standard();
        let profile = Profile { raw: attributes.iter().map(|a| (*a).to_owned()).collect(), ..profile };
        let nas = NasProfiles::new(dictionary, []).unwrap();
        repeated(&profile, nas.get(kind).unwrap(), dictionary).into_iter().map(|r| (r.line, r.key)).collect()
    }

    #[test]
    fn each_key_is_known_by_what_it_sends() {
        let profile = || Profile {
            vlan: Some(VlanPlan::everywhere(Vlan::Id(20).into())),
            filter_id: Some("staff".into()),
            session_timeout: SessionTimeout::new(3600, 0),
            ..Profile::default()
        };
        let attributes = ["Reply-Message = hello", "filter-id=other", "Tunnel-Type = VLAN", "Session-Timeout = 60"];
        let found = [(1, "filter_id"), (2, "vlan"), (3, "session_timeout_secs")];
        assert_eq!(keys(profile(), &attributes, "standard"), found);
        // This gear is told the filter in other words.
        assert_eq!(keys(profile(), &attributes, "cisco-wlc"), [(2, "vlan"), (3, "session_timeout_secs")]);
        assert_eq!(keys(Profile::default(), &attributes, "standard"), []);
    }

    #[test]
    fn pairs_are_the_same_when_their_names_are() {
        let profile = || Profile {
            acl: vec!["deny ip to any".parse().unwrap()],
            role: Some("staff".into()),
            ..Profile::default()
        };
        let attributes = [
            "Cisco-AVPair = ip:inacl#900=permit ip any any",
            "Cisco-AVPair = device-traffic-class=voice",
            "Cisco-AVPair = interface-template-name=other",
        ];
        assert_eq!(keys(profile(), &attributes, "cisco-ios"), [(0, "acl"), (2, "role")]);
    }
}
