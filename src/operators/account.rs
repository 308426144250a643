//! Operators: the people who administer the server.

use super::role::{Permissions, Role};
use crate::ids::OperatorId;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// The longest name, in characters: it stands in every audit event.
pub const MAX_NAME: usize = 64;
/// Operators at most: a list that people look through.
pub const MAX_OPERATORS: i64 = 10_000;

/// Where somebody's rights hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sites {
    /// Everywhere, and for what belongs to no site.
    All,
    /// At the NASes of these sites alone.
    Only(BTreeSet<String>),
}

impl Sites {
    /// Whether a NAS at `site` is among them; none is at no site.
    pub fn include(&self, site: Option<&str>) -> bool {
        match self {
            Sites::All => true,
            Sites::Only(sites) => site.is_some_and(|site| sites.contains(site)),
        }
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(&self, other: &Sites) -> Sites {
        match (self, other) {
            (Sites::All, sites) | (sites, Sites::All) => sites.clone(),
            (Sites::Only(one), Sites::Only(other)) => Sites::Only(one & other),
        }
    }

    /// Whether nobody with `other` reaches beyond these.
    pub fn cover(&self, other: &Sites) -> bool {
        match (self, other) {
            (Sites::All, _) => true,
            (Sites::Only(_), Sites::All) => false,
            (Sites::Only(one), Sites::Only(other)) => other.is_subset(one),
        }
    }

    /// As a list; none says everywhere.
    pub fn list(&self) -> Option<Vec<String>> {
        match self {
            Sites::All => None,
            Sites::Only(sites) => Some(sites.iter().cloned().collect()),
        }
    }
}

impl From<Option<Vec<String>>> for Sites {
    fn from(list: Option<Vec<String>>) -> Self {
        list.map_or(Sites::All, |sites| Sites::Only(sites.into_iter().collect()))
    }
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    /// The id, which stays when all else changes.
    pub id: OperatorId,
    /// The name that they sign in with and that the audit log tells.
    pub name: String,
    /// Where they are told things.
    pub email: Option<String>,
    /// What they are here for.
    pub roles: Vec<Role>,
    /// Where.
    pub sites: Sites,
    /// Whether they are shut out.
    pub disabled: bool,
    /// Issuer and subject, if a provider of identities vouches for them.
    pub provider: Option<String>,
    /// When they came.
    pub created: Timestamp,
    /// How often they were changed: the ETag.
    pub version: i64,
}

impl Operator {
    /// All that they may do.
    pub fn permissions(&self) -> Permissions {
        self.roles.iter().fold(Permissions::NONE, |all, role| all.or(role.permissions()))
    }

    /// Whether the server can be put right by them: somebody must be able to.
    pub fn is_administrator(&self) -> bool {
        !self.disabled && self.roles.contains(&Role::Administrator) && self.sites == Sites::All
    }
}

/// Whether a text can be somebody's name: it stands in logs, links and the names of authenticator apps.
pub fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_alphanumeric() || "._-@+ ".contains(c);
    !text.trim().is_empty() && text.trim() == text && text.chars().count() <= MAX_NAME && text.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(sites: &[&str]) -> Sites {
        Sites::Only(sites.iter().map(|s| (*s).to_owned()).collect())
    }

    #[test]
    fn who_is_bound_to_sites_has_nothing_elsewhere() {
        let lab = only(&["lab"]);
        assert!(lab.include(Some("lab")) && !lab.include(Some("hq")) && !lab.include(None));
        assert!(Sites::All.include(None));
        assert_eq!(lab.and(&Sites::All), lab);
        assert_eq!(lab.and(&only(&["hq", "lab"])), lab);
        assert!(Sites::All.cover(&lab) && !lab.cover(&Sites::All) && !lab.cover(&only(&["hq"])) && lab.cover(&lab));
        assert_eq!(Sites::from(lab.list()), lab);
    }

    #[test]
    fn names_are_such_that_logs_and_links_bear_them() {
        for good in ["anna", "Anna Berg", "anna.berg@corp.example", "张伟"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", " ", " anna", "anna\n", "a:b", "<b>", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
