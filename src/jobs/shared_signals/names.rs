//! From the names that others have for somebody to identities, and back.

use crate::inventory::credential::Credential;
use crate::inventory::identity::{Identity, IdentityKind};
use crate::inventory::index::IdentityIndex;
use crate::inventory::mac::MacAddress;
use crate::shared_signals::happening::Told;
use crate::shared_signals::transmitter::Name;
use serde_json::json;
use std::sync::Arc;

/// Attributes of identities that hold an address, or what another system calls them.
const ADDRESSES: [&str; 3] = ["email", "mail", "upn"];
const ELSEWHERE: [&str; 2] = ["external_id", "device_id"];
/// Things of one user that are reached with them, at most.
const MAX_OWNED: usize = 100;

/// Whose name this is; of `kinds` where the name alone does not say so. Nobody, if it is that of several.
pub fn who(identities: &IdentityIndex, name: Name<'_>, kinds: &[IdentityKind]) -> Option<Arc<Identity>> {
    let of = |credential: Credential| identities.by_credential(&credential);
    let named = |name: &str| kinds.iter().find_map(|kind| identities.by_name(*kind, name));
    let found = match name {
        Name::Address(text) => of(Credential::SanEmail(text.into()))
            .or_else(|| of(Credential::SanUpn(text.into())))
            .or_else(|| named(text)),
        Name::Uri(text) => of(Credential::SanUri(text.into())),
        Name::Text(text) => text
            .parse()
            .ok()
            .and_then(|id| identities.by_id(id))
            .or_else(|| MacAddress::parse(text).ok().and_then(|mac| identities.by_mac(mac)))
            .or_else(|| named(text))
            .or_else(|| of(Credential::SanDns(text.into())))
            .or_else(|| of(Credential::SanUpn(text.into())))
            .or_else(|| of(Credential::SanUri(text.into()))),
    };
    found.cloned().or_else(|| match name {
        Name::Address(text) => by_attribute(identities, &ADDRESSES, text),
        Name::Text(text) => by_attribute(identities, &ELSEWHERE, text),
        Name::Uri(_) => None,
    })
}

/// Who alone has this value. All are looked at: a few hundredths of a second for a million.
fn by_attribute(identities: &IdentityIndex, names: &[&str], value: &str) -> Option<Arc<Identity>> {
    let has = |identity: &&Arc<Identity>| {
        let mut attributes = identity.attributes.iter();
        attributes.any(|(name, known)| names.contains(&&**name) && known.eq_ignore_ascii_case(value))
    };
    let mut found = identities.all().iter().filter(has);
    match (found.next(), found.next()) {
        (Some(one), None) => Some(one.clone()),
        _ => None,
    }
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
