//! All identities, found by credential and by name.

use super::binding::Binding;
use super::credential::{Credential, candidates};
use super::identity::{Identity, IdentityKind, IdentityStatus, Orphaned};
use super::listing::Listing;
use super::mac::MacAddress;
use crate::ids::IdentityId;
use crate::pki::certificate::CertificateFacts;
use crate::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, OnceLock};

/// Identities that cannot be told apart.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// The same credential twice.
    #[error("{credential} is bound to {first} and to {second}")]
    DuplicateCredential {
        /// The credential.
        credential: Credential,
        /// The one that has it.
        first: String,
        /// The one that wants it too.
        second: String,
    },
    /// The same name twice within a kind, whatever its case.
    #[error("two identities of kind {kind} are called {name}")]
    DuplicateName {
        /// The kind.
        kind: IdentityKind,
        /// The name.
        name: String,
    },
}

/// A certificate that two identities lay claim to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the certificate is bound to {first} by its {first_by} and to {second} by its {second_by}")]
pub struct Ambiguous {
    /// One of them.
    pub first: String,
    /// By what.
    pub first_by: String,
    /// Another.
    pub second: String,
    /// By what.
    pub second_by: String,
}

/// What identities are found by: a digest, since a million credentials take a
/// third of the memory so, and 128 bits of SHA-256 do not collide.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key([u8; 16]);

impl Key {
    fn of(parts: &[&str]) -> Key {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 16];
        key.iter_mut().zip(context.finish().as_ref()).for_each(|(k, d)| *k = *d);
        Key(key)
    }

    fn of_credential(credential: &Credential) -> Key {
        let (field, normalized) = (credential.field(), credential.normalized());
        match (&normalized, normalized.text()) {
            (Credential::IssuerSerial { issuer, serial }, _) => Key::of(&[field, issuer, serial]),
            (_, text) => Key::of(&[field, text.as_deref().unwrap_or_default()]),
        }
    }

    fn of_name(kind: IdentityKind, name: &str) -> Key {
        Key::of(&["name", kind.as_str(), &name.to_ascii_lowercase()])
    }
}

/// All identities, found by credential.
#[derive(Clone, Debug, Default)]
pub struct IdentityIndex {
    all: Vec<Arc<Identity>>,
    by_key: HashMap<Key, u32>,
    /// Places in `all`, in the order of ids.
    by_id: Vec<u32>,
    bindings: Vec<Binding>,
    listing: OnceLock<Listing>,
}

impl IdentityIndex {
    /// An index of these.
    ///
    /// # Errors
    /// When a credential is bound twice; both identities are named.
    pub fn new(all: Vec<Arc<Identity>>, bindings: Vec<Binding>) -> Result<IdentityIndex, IdentityError> {
        let keys = all.iter().map(|identity| 1 + identity.credentials.len()).sum();
        let mut by_key = HashMap::<Key, u32>::with_capacity(keys);
        // Who is retired comes last, and keeps what nobody else has taken over.
        let retired = |identity: &Identity| identity.status == IdentityStatus::Retired;
        let numbered = || (0..).zip(&all);
        let living = numbered().filter(|(_, identity)| !retired(identity));
        for (number, identity) in living.chain(numbered().filter(|(_, identity)| retired(identity))) {
            match by_key.entry(Key::of_name(identity.kind, &identity.name)) {
                Entry::Vacant(free) => free.insert(number),
                Entry::Occupied(_) => {
                    return Err(IdentityError::DuplicateName { kind: identity.kind, name: identity.name.to_string() });
                }
            };
            for credential in &identity.credentials {
                match by_key.entry(Key::of_credential(credential)) {
                    Entry::Vacant(free) => {
                        free.insert(number);
                    }
                    Entry::Occupied(taken) if *taken.get() == number || retired(identity) => {}
                    Entry::Occupied(taken) => {
                        let first = all.get(*taken.get() as usize).map(|other| other.name.to_string());
                        return Err(IdentityError::DuplicateCredential {
                            credential: credential.clone(),
                            first: first.unwrap_or_default(),
                            second: identity.name.to_string(),
                        });
                    }
                }
            }
        }
        let mut by_id: Vec<u32> = (0..).zip(&all).map(|(number, _)| number).collect();
        by_id.sort_unstable_by_key(|number| all.get(*number as usize).map(|identity| identity.id));
        Ok(IdentityIndex { all, by_key, by_id, bindings, listing: OnceLock::new() })
    }

    fn get(&self, key: Key) -> Option<&Arc<Identity>> {
        self.all.get(*self.by_key.get(&key)? as usize)
    }

    /// Whose certificate this is, and by which binding, in words: the strongest
    /// that matches. `ca` is the name of the CA that vouches for it.
    ///
    /// # Errors
    /// When bindings of different identities match it.
    pub fn by_certificate(
        &self,
        facts: &CertificateFacts,
        ca: Option<&str>,
    ) -> Result<Option<(&Arc<Identity>, String)>, Box<Ambiguous>> {
        let exact = candidates(facts).filter_map(|credential| {
            let identity = self.get(Key::of_credential(&credential))?;
            Some((identity, credential.to_string()))
        });
        let captured = self.bindings.iter().flat_map(|binding| {
            let names = binding.captures(facts, ca);
            names.filter_map(move |name| {
                let identity = self.by_name(binding.kind, &name)?;
                (binding.folds_case() || *identity.name == *name).then(|| (identity, binding.to_string()))
            })
        });
        let mut found: Option<(&Arc<Identity>, String)> = None;
        for (identity, by) in exact.chain(captured) {
            match &found {
                None => found = Some((identity, by)),
                Some((first, _)) if Arc::ptr_eq(first, identity) => {}
                // Who is retired claims nothing that somebody else has.
                Some(_) if identity.status == IdentityStatus::Retired => {}
                Some((first, _)) if first.status == IdentityStatus::Retired => found = Some((identity, by)),
                Some((first, first_by)) => {
                    return Err(Box::new(Ambiguous {
                        first: first.name.to_string(),
                        first_by: first_by.clone(),
                        second: identity.name.to_string(),
                        second_by: by,
                    }));
                }
            }
        }
        Ok(found)
    }

    /// Whose MAC address this is.
    pub fn by_mac(&self, mac: MacAddress) -> Option<&Arc<Identity>> {
        self.get(Key::of_credential(&Credential::Mac(mac)))
    }

    /// Who is recognised by this.
    pub fn by_credential(&self, credential: &Credential) -> Option<&Arc<Identity>> {
        self.get(Key::of_credential(credential))
    }

    /// The identity of this kind and name, whatever its case.
    pub fn by_name(&self, kind: IdentityKind, name: &str) -> Option<&Arc<Identity>> {
        self.get(Key::of_name(kind, name))
    }

    /// The identity with this id.
    pub fn by_id(&self, id: IdentityId) -> Option<&Arc<Identity>> {
        let at = |number: &u32| self.all.get(*number as usize);
        let place = self.by_id.binary_search_by_key(&Some(id), |number| at(number).map(|identity| identity.id));
        self.by_id.get(place.ok()?).and_then(at)
    }

    /// Those whose ids come after this one, or all, in the order of ids.
    pub fn after(&self, id: Option<IdentityId>) -> impl Iterator<Item = &Arc<Identity>> {
        self.numbers_after(id).filter_map(|number| self.all.get(number as usize))
    }

    /// The places of the same among all.
    pub(super) fn numbers_after(&self, id: Option<IdentityId>) -> impl Iterator<Item = u32> {
        let at = |number: &u32| self.all.get(*number as usize);
        let first =
            id.map_or(0, |id| self.by_id.partition_point(|number| at(number).is_none_or(|known| known.id <= id)));
        self.by_id.iter().skip(first).copied()
    }

    /// Whether somebody has looked at lists of these.
    pub fn is_listed(&self) -> bool {
        self.listing.get().is_some()
    }

    /// Sorts what lists are made of, before somebody looks at them.
    pub fn prepare_listing(&self) {
        self.listing();
    }

    /// What lists are made of. The first time it takes a second for each million: not for who must not wait.
    pub(super) fn listing(&self) -> &Listing {
        self.listing.get_or_init(|| Listing::new(&self.all))
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Identity>] {
        &self.all
    }

    /// The bindings that let a certificate name its identity.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Why nobody answers for this identity at `now`. Users answer for
    /// themselves, and the retired need nobody.
    pub fn orphaned(&self, identity: &Identity, now: Timestamp) -> Option<Orphaned> {
        if identity.kind == IdentityKind::User || identity.status == IdentityStatus::Retired {
            return None;
        }
        let Some(owner) = identity.owner.as_deref() else { return Some(Orphaned::NoOwner) };
        match self.by_name(IdentityKind::User, owner) {
            None => Some(Orphaned::UnknownOwner),
            Some(owner) => (!owner.is_live(now)).then_some(Orphaned::OwnerGone(owner.status)),
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
