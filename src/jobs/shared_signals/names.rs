//! From the names that others have for somebody to identities, and back.

use crate::inventory::credential::Credential;
use crate::inventory::identity::{Identity, IdentityKind, IdentityStatus};
use crate::inventory::index::IdentityIndex;
use crate::inventory::mac::MacAddress;
use crate::shared_signals::happening::Told;
use crate::shared_signals::transmitter::{Name, Sort};
use serde_json::json;
use std::sync::Arc;

/// Attributes of identities that hold an address, or what another system calls them.
const ADDRESSES: [&str; 3] = ["email", "mail", "upn"];
const ELSEWHERE: [&str; 2] = ["external_id", "device_id"];
/// Things of one user that are reached with them, at most.
const MAX_OWNED: usize = 100;

/// Whose a name is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// Nobody's who is known.
    Nobody,
    /// This one's.
    One(Arc<Identity>),
    /// One of these, and nothing tells which.
    Several(Vec<Arc<Identity>>),
}

/// Whose name this is: one of `sort`, if that is said and there is one.
pub fn who(identities: &IdentityIndex, name: Name<'_>, sort: Option<Sort>) -> Found {
    let of = |credential: Credential| identities.by_credential(&credential);
    let named = |name: &str| IdentityKind::ALL.iter().filter_map(|kind| identities.by_name(*kind, name)).collect();
    let mut all: Vec<&Arc<Identity>> = match name {
        Name::Address(text) => {
            let mut all: Vec<_> = named(text);
            all.extend(
                [of(Credential::SanEmail(text.into())), of(Credential::SanUpn(text.into()))].into_iter().flatten(),
            );
            all
        }
        Name::Uri(text) => of(Credential::SanUri(text.into())).into_iter().collect(),
        Name::Issued(text) | Name::Opaque(text) => match exact(identities, text) {
            Some(one) => vec![one],
            None => {
                let by =
                    [Credential::SanDns(text.into()), Credential::SanUpn(text.into()), Credential::SanUri(text.into())];
                let mut all: Vec<_> = named(text);
                all.extend(by.into_iter().filter_map(of));
                all
            }
        },
    };
    if all.is_empty() {
        all = match name {
            Name::Address(text) => by_attribute(identities, &ADDRESSES, text),
            Name::Issued(text) | Name::Opaque(text) => by_attribute(identities, &ELSEWHERE, text),
            Name::Uri(_) => Vec::new(),
        };
    }
    all.sort_by_key(|identity| identity.id);
    all.dedup_by_key(|identity| identity.id);
    narrow(&mut all, |identity| identity.status != IdentityStatus::Retired);
    if let Some(sort) = sort {
        narrow(&mut all, |identity| (identity.kind == IdentityKind::User) == (sort == Sort::User));
    }
    match all.as_slice() {
        [] => Found::Nobody,
        [one] => Found::One(Arc::clone(one)),
        several => Found::Several(several.iter().map(|one| Arc::clone(one)).collect()),
    }
}

/// Leaves those of whom this is true, if it is of any.
fn narrow(all: &mut Vec<&Arc<Identity>>, is: impl Fn(&Identity) -> bool) {
    if all.iter().any(|identity| is(identity)) {
        all.retain(|identity| is(identity));
    }
}

/// Whose id or MAC address this is, which no other has.
fn exact<'a>(identities: &'a IdentityIndex, text: &str) -> Option<&'a Arc<Identity>> {
    let by_mac = || MacAddress::parse(text).ok().and_then(|mac| identities.by_mac(mac));
    text.parse().ok().and_then(|id| identities.by_id(id)).or_else(by_mac)
}

/// Who has this value. All are looked at: a few hundredths of a second for a million.
fn by_attribute<'a>(identities: &'a IdentityIndex, names: &[&str], value: &str) -> Vec<&'a Arc<Identity>> {
    let has = |identity: &&Arc<Identity>| {
        let mut attributes = identity.attributes.iter();
        attributes.any(|(name, known)| names.contains(&&**name) && known.eq_ignore_ascii_case(value))
    };
    identities.all().iter().filter(has).collect()
}

/// What this user owns.
pub fn owned(identities: &IdentityIndex, user: &Identity) -> Vec<Arc<Identity>> {
    let by_them = |of: &&Arc<Identity>| of.owner.as_deref().is_some_and(|owner| owner.eq_ignore_ascii_case(&user.name));
    identities.all().iter().filter(by_them).take(MAX_OWNED).cloned().collect()
}

/// The names by which others are told of somebody: a user by the address, if there is one; else by what `issuer`, which is
/// this server, calls them; a thing together with the user who owns it.
pub fn told(identities: &IdentityIndex, identity: &Identity, issuer: &str) -> Vec<Told> {
    if identity.kind == IdentityKind::User {
        return vec![user(identity, issuer)];
    }
    let mut all = vec![Told { role: "device", identifier: own(&identity.name, issuer) }];
    let owner = identity.owner.as_deref().and_then(|owner| identities.by_name(IdentityKind::User, owner));
    all.extend(owner.map(|owner| user(owner, issuer)));
    all
}

fn user(identity: &Identity, issuer: &str) -> Told {
    let by_credential = identity.credentials.iter().find_map(|credential| match credential {
        Credential::SanEmail(text) => Some(text.as_str()),
        Credential::SanUpn(text) if text.contains('@') => Some(text),
        _ => None,
    });
    let by_attribute = || identity.attributes.iter().find(|(name, _)| ADDRESSES.contains(&&**name));
    let address = by_credential.or_else(|| by_attribute().map(|(_, value)| &**value));
    let identifier = match address {
        Some(address) => json!({ "format": "email", "email": address }),
        None => own(&identity.name, issuer),
    };
    Told { role: "user", identifier }
}

/// What this server calls somebody.
fn own(name: &str, issuer: &str) -> serde_json::Value {
    json!({ "format": "iss_sub", "iss": issuer, "sub": name })
}

/// A name that is nobody's any more, or a MAC address.
pub fn unknown(name: &str, issuer: &str) -> Told {
    Told { role: "device", identifier: own(name, issuer) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdentityId;

    fn identity(kind: IdentityKind, name: &str) -> Identity {
        Identity::new(IdentityId::of_name(&format!("{kind} {name}")), kind, name)
    }

    fn index(all: Vec<Identity>) -> IdentityIndex {
        IdentityIndex::new(all.into_iter().map(Arc::new).collect(), Vec::new()).unwrap()
    }

    /// Kind and name of whom a name is found to be.
    fn found(identities: &IdentityIndex, name: Name<'_>, sort: Option<Sort>) -> Vec<String> {
        let told = |one: &Arc<Identity>| format!("{} {}", one.kind, one.name);
        match who(identities, name, sort) {
            Found::Nobody => Vec::new(),
            Found::One(one) => vec![told(&one)],
            Found::Several(all) => {
                assert!(all.len() > 1);
                let mut all: Vec<_> = all.iter().map(told).collect();
                all.sort();
                all
            }
        }
    }

    #[test]
    fn of_several_of_one_name_that_is_meant_which_the_event_tells() {
        use IdentityKind::{Device, Machine, User};
        let all = index(vec![
            identity(User, "alice"),
            identity(Device, "alice"),
            identity(Device, "printer"),
            identity(Machine, "printer"),
            identity(User, "bob"),
        ]);
        for (name, sort, wanted) in [
            (Name::Issued("alice"), Some(Sort::User), &["user alice"][..]),
            (Name::Issued("ALICE"), Some(Sort::Thing), &["device alice"]),
            (Name::Opaque("alice"), None, &["device alice", "user alice"]),
            (Name::Opaque("bob"), None, &["user bob"]),
            // Nobody else is called so.
            (Name::Issued("bob"), Some(Sort::Thing), &["user bob"]),
            (Name::Issued("printer"), Some(Sort::User), &["device printer", "machine printer"]),
            (Name::Issued("printer"), Some(Sort::Thing), &["device printer", "machine printer"]),
            (Name::Issued("carol"), Some(Sort::User), &[]),
        ] {
            assert_eq!(found(&all, name, sort), wanted, "{name:?} {sort:?}");
        }
        let id = identity(Device, "alice").id.to_string();
        assert_eq!(found(&all, Name::Opaque(&id), None), ["device alice"], "an id is of one alone");
    }

    #[test]
    fn credentials_count_before_attributes_and_the_living_before_the_retired() {
        use IdentityKind::{Device, Machine, User};
        let with = |mut identity: Identity, attribute: &str, value: &str| {
            identity.attributes = [(attribute.into(), value.into())].into();
            identity
        };
        let mut alice = identity(User, "alice");
        alice.credentials = [Credential::SanEmail("alice@corp.example".into())].into();
        let mut old = identity(Machine, "relic");
        old.status = IdentityStatus::Retired;
        let all = index(vec![
            alice,
            with(identity(Device, "laptop"), "email", "alice@corp.example"),
            with(identity(User, "bob"), "mail", "bob@corp.example"),
            with(identity(Device, "phone"), "mail", "bob@corp.example"),
            with(identity(Device, "one"), "external_id", "77"),
            with(identity(Device, "two"), "external_id", "77"),
            old,
            identity(Device, "relic"),
        ]);
        for (name, sort, wanted) in [
            (Name::Address("Alice@Corp.Example"), Some(Sort::User), &["user alice"][..]),
            (Name::Address("bob@corp.example"), Some(Sort::User), &["user bob"]),
            (Name::Address("bob@corp.example"), Some(Sort::Thing), &["device phone"]),
            (Name::Opaque("77"), None, &["device one", "device two"]),
            (Name::Opaque("relic"), None, &["device relic"]),
        ] {
            assert_eq!(found(&all, name, sort), wanted, "{name:?} {sort:?}");
        }
    }
}
