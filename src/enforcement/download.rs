//! Access lists that a NAS is told by name, and downloads: the form of Cisco's
//! downloadable ACLs.
//!
//! The name holds a digest of the rules, so that a changed list has a new name
//! and what a NAS keeps under a name never goes out of date.

use super::profile::Profile;
use crate::radius::value::digits;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What the name of every list begins with; the NAS asks for it as User-Name.
pub const PREFIX: &str = "#ACSACL#-IP-";
/// Octets of the attributes that one reply may hold of a profile or of a list:
/// 4,096 less what else is in it (header, Message-Authenticator, EAP, keys,
/// User-Name, Class: some 530 at most), and a margin for Proxy-State.
pub const MAX_ATTRIBUTES_LEN: usize = 3_500;
/// The most replies that one list takes: some 4,000 rules, more than any port
/// has room for.
const MAX_PARTS: usize = 64;
/// Characters of the profile's name within that of the list: with prefix and
/// digest it stays below the 64 that a switch takes for an access list's name.
const MAX_NAME_LEN: usize = 40;
/// Octets of the digest that are in the name, in the field's form of 8 digits.
const DIGEST_LEN: usize = 4;
/// Lists that were in force before and can still be downloaded, for sessions
/// that were told their names.
const MAX_FORMER: usize = 256;

/// A list that can be downloaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Download {
    name: String,
    /// Encoded attributes, each as many as one reply holds.
    parts: Vec<Vec<u8>>,
}

/// One reply's share of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// The encoded attributes.
    pub attributes: &'a [u8],
    /// The number of the part that follows, if one does.
    pub next: Option<u8>,
}

impl Download {
    /// The list of a profile, whose rules are these encoded attributes.
    ///
    /// # Errors
    /// In plain words, when it is longer than any NAS will take.
    pub fn new(profile: &Profile, rules: &[Vec<u8>]) -> Result<Self, String> {
        let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
        for rule in rules {
            match parts.last_mut() {
                Some(part) if part.len() + rule.len() <= MAX_ATTRIBUTES_LEN => part.extend_from_slice(rule),
                _ => parts.push(rule.clone()),
            }
        }
        if parts.len() > MAX_PARTS {
            return Err(format!("{} access rules take more than {MAX_PARTS} replies", rules.len()));
        }
        // The whole name counts too: two profiles may be the same when cut.
        let all = [profile.name.as_bytes(), &[0], &parts.concat()].concat();
        let digest = digest(&SHA256, &all);
        let version = digits(digest.as_ref().get(..DIGEST_LEN).unwrap_or_default());
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '-' };
        let short: String = profile.name.chars().map(plain).take(MAX_NAME_LEN).collect();
        Ok(Self { name: format!("{PREFIX}{short}-{version}"), parts })
    }

    /// The name that the NAS is told.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A part, counted from 0.
    pub fn part(&self, number: u8) -> Option<Part<'_>> {
        let attributes = self.parts.get(usize::from(number))?;
        let next = number.checked_add(1).filter(|next| usize::from(*next) < self.parts.len());
        Some(Part { attributes, next })
    }
}

/// The lists of one kind of gear.
#[derive(Clone, Debug, Default)]
pub struct Downloads {
    current: HashMap<String, Arc<Download>>,
    /// Oldest first.
    former: VecDeque<Arc<Download>>,
}

impl Downloads {
    /// These lists, and those that `previous` had, as far as there is room.
    pub fn new(current: impl IntoIterator<Item = Download>, previous: Option<&Downloads>) -> Self {
        let current: HashMap<_, _> = current.into_iter().map(|list| (list.name.clone(), Arc::new(list))).collect();
        let mut former = VecDeque::new();
        if let Some(previous) = previous {
            let gone = previous.former.iter().chain(previous.current.values());
            former.extend(gone.filter(|list| !current.contains_key(&list.name)).cloned());
        }
        former.drain(..former.len().saturating_sub(MAX_FORMER));
        Self { current, former }
    }

    /// The list of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Download>> {
        self.current.get(name).or_else(|| self.former.iter().find(|list| list.name == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, rules: usize, len: usize) -> Result<Download, String> {
        let profile = Profile { name: name.into(), ..Profile::default() };
        Download::new(&profile, &vec![vec![b'r'; len]; rules])
    }

    #[test]
    fn a_long_list_is_cut_between_rules() {
        let list = list("staff", 100, 100).unwrap();
        let lens: Vec<_> = (0..3).map(|n| list.part(n).map(|p| (p.attributes.len(), p.next))).collect();
        assert_eq!(lens, [Some((3500, Some(1))), Some((3500, Some(2))), Some((3000, None))]);
        assert_eq!(list.part(3), None);
    }

    #[test]
    fn a_list_has_an_end() {
        assert!(list("staff", 35 * MAX_PARTS, 100).is_ok());
        assert!(list("staff", 35 * MAX_PARTS + 1, 100).unwrap_err().contains("2241 access rules"));
    }

    #[test]
    fn the_name_changes_with_the_rules_and_is_one_that_a_switch_takes() {
        let (a, b) = (list("staff", 1, 100).unwrap(), list("staff", 2, 100).unwrap());
        assert!(a.name().starts_with("#ACSACL#-IP-staff-") && a.name() != b.name());
        assert_eq!(a, list("staff", 1, 100).unwrap());
        let odd = list("B\u{fc}ro & \"Gast\"", 1, 10).unwrap();
        assert!(odd.name().starts_with("#ACSACL#-IP-B-ro----Gast--"), "{}", odd.name());
        let (long, longer) = (list(&"x".repeat(60), 1, 10).unwrap(), list(&"x".repeat(61), 1, 10).unwrap());
        assert_ne!(long.name(), longer.name());
        assert!(long.name().len() < 64);
    }

    #[test]
    fn former_lists_stay_for_a_while() {
        let one = |rules: usize| list("staff", rules, 10).unwrap();
        let mut lists = Downloads::new([one(1)], None);
        for rules in 2..MAX_FORMER + 3 {
            lists = Downloads::new([one(rules)], Some(&lists));
        }
        assert!(lists.get(one(MAX_FORMER + 2).name()).is_some());
        assert!(lists.get(one(2).name()).is_some());
        assert!(lists.get(one(1).name()).is_none(), "the oldest makes room");
        assert_eq!(lists.former.len(), MAX_FORMER);
        // What comes back is current, and there once.
        let lists = Downloads::new([one(2)], Some(&lists));
        assert!(lists.former.iter().all(|former| former.name() != one(2).name()));
    }
}
