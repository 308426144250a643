//! Who may ask, and who is known.

use super::Builder;
use crate::config::{Config, CredentialSection, IdentitySection, MessageAuthenticatorValue, NasSection};
use crate::enforcement::nas_profile;
use crate::ids::{IdentityId, NasId};
use crate::inventory::identity::{Credential, Identity, IdentityIndex, IdentityStatus};
use crate::inventory::mac::MacAddress;
use crate::inventory::nas::{DEFAULT_MAX_CONVERSATIONS, MessageAuthenticatorMode, Nas, NasRegistry};
use crate::secret::Secret;
use toml::Spanned;

/// A shared secret shorter than this, in octets, is warned about: RFC 2865,
/// section 3, asks for 16.
const GOOD_SECRET_LEN: usize = 16;

impl Builder<'_> {
    pub(super) fn registry(&mut self, config: &Config) -> Option<NasRegistry> {
        let all = config.nas.iter().filter_map(|n| self.nas(n)).collect();
        match NasRegistry::new(all) {
            Ok(registry) => Some(registry),
            Err(e) => {
                let span = config.nas.last().map_or(0..0, |n| n.name.span());
                self.wrong(span, e.to_string(), "an address and a name belong to one [[nas]] only");
                None
            }
        }
    }

    fn nas(&mut self, section: &NasSection) -> Option<Nas> {
        let name = section.name.get_ref().clone();
        let mut addresses = Vec::new();
        for text in section.address.get_ref().iter() {
            match text.parse() {
                Ok(prefix) => addresses.push(prefix),
                Err(e) => {
                    let e: crate::inventory::nas::PrefixError = e;
                    self.wrong(section.address.span(), e.to_string(), "give the address that the NAS sends from");
                }
            }
        }
        let secret = match (&section.secret, &section.secret_file) {
            (Some(secret), None) => secret.get_ref().clone().into_bytes(),
            (None, Some(file)) => self.read(file, "the secret")?.trim_ascii_end().to_vec(),
            (None, None) => {
                self.wrong(
                    section.name.span(),
                    format!("the NAS {name} has no secret"),
                    "add secret = \"...\" or secret_file = \"...\"",
                );
                return None;
            }
            (Some(secret), Some(_)) => {
                self.wrong(
                    secret.span(),
                    format!("the NAS {name} has a secret and a secret_file"),
                    "remove one of them",
                );
                return None;
            }
        };
        if secret.is_empty() {
            self.wrong(
                section.name.span(),
                format!("the secret of {name} is empty"),
                "`openssl rand -hex 16` makes a good one",
            );
        } else if secret.len() < GOOD_SECRET_LEN {
            self.warnings.push(format!(
                "the secret of {name} has {} octets; below {GOOD_SECRET_LEN} it can be guessed from captured packets",
                secret.len()
            ));
        }
        let max_conversations = match &section.max_conversations {
            Some(n) if *n.get_ref() == 0 => {
                self.wrong(n.span(), "max_conversations is 0: nobody could log in", "leave it out, or give a number");
                return None;
            }
            Some(n) => *n.get_ref(),
            None => DEFAULT_MAX_CONVERSATIONS,
        };
        let vendor = section.vendor.as_ref().map_or(nas_profile::DEFAULT, |v| v.get_ref()).to_owned();
        if self.nas_profiles.get(&vendor).is_none() {
            let known: Vec<_> = self.nas_profiles.all().map(|p| p.name.as_str()).collect();
            let message = format!("no NAS profile is called {vendor:?}");
            let span = section.vendor.as_ref().map_or(section.name.span(), Spanned::span);
            self.wrong(span, message, format!("there are {}; docs/vendors.md explains them", known.join(", ")));
        }
        Some(Nas {
            id: NasId::of_name(&format!("nas:{name}")),
            name,
            vendor,
            addresses,
            secret: Secret::new(secret),
            message_authenticator: match section.message_authenticator {
                MessageAuthenticatorValue::Required => MessageAuthenticatorMode::Required,
                MessageAuthenticatorValue::Learned => MessageAuthenticatorMode::Learned,
                MessageAuthenticatorValue::Off => MessageAuthenticatorMode::Off,
            },
            site: section.site.clone(),
            groups: section.groups.clone(),
            max_conversations,
        })
    }

    pub(super) fn identities(&mut self, config: &Config) -> Option<IdentityIndex> {
        let all = config.identity.iter().filter_map(|i| self.identity(i)).collect();
        match IdentityIndex::new(all) {
            Ok(index) => Some(index),
            Err(e) => {
                let span = config.identity.last().map_or(0..0, |i| i.name.span());
                self.wrong(span, e.to_string(), "a credential belongs to one identity only");
                None
            }
        }
    }

    fn identity(&mut self, section: &IdentitySection) -> Option<Identity> {
        let name = section.name.get_ref().clone();
        let kind = match section.kind.get_ref().parse() {
            Ok(kind) => kind,
            Err(e) => {
                let e: crate::inventory::identity::UnknownName = e;
                self.wrong(section.kind.span(), e.to_string(), "give the kind of the identity");
                return None;
            }
        };
        let status = match &section.status {
            None => IdentityStatus::Active,
            Some(text) => match text.get_ref().parse() {
                Ok(status) => status,
                Err(e) => {
                    let e: crate::inventory::identity::UnknownName = e;
                    self.wrong(text.span(), e.to_string(), "only an active identity may log in");
                    return None;
                }
            },
        };
        let expires = match &section.expires {
            None => None,
            Some(text) => match text.get_ref().parse::<jiff::Timestamp>() {
                Ok(at) => Some(crate::time::Timestamp::from_micros(at.as_microsecond())),
                Err(_) => {
                    self.wrong(
                        text.span(),
                        format!("{:?} is no time", text.get_ref()),
                        "write it as 2027-01-31T00:00:00Z",
                    );
                    return None;
                }
            },
        };
        let credentials = section.credentials.iter().filter_map(|c| self.credential(c)).collect();
        Some(Identity {
            id: IdentityId::of_name(&format!("identity:{kind}:{name}")),
            name,
            kind,
            groups: section.groups.clone(),
            owner: section.owner.clone(),
            purpose: section.purpose.clone(),
            status,
            expires,
            credentials,
        })
    }

    fn credential(&mut self, section: &Spanned<CredentialSection>) -> Option<Credential> {
        let c = section.get_ref().clone();
        let mut found = Vec::new();
        found.extend(c.san_dns.map(Credential::SanDns));
        found.extend(c.san_uri.map(Credential::SanUri));
        found.extend(c.san_email.map(Credential::SanEmail));
        found.extend(c.san_upn.map(Credential::SanUpn));
        found.extend(c.sid.map(Credential::Sid));
        found.extend(c.common_name.map(Credential::CommonName));
        found.extend(c.fingerprint.map(Credential::Fingerprint));
        found.extend(c.key_fingerprint.map(Credential::KeyFingerprint));
        match (c.issuer, c.serial) {
            (Some(issuer), Some(serial)) => found.push(Credential::IssuerSerial { issuer, serial }),
            (None, None) => {}
            _ => self.wrong(section.span(), "issuer and serial go together", "give both"),
        }
        if let Some(mac) = c.mac {
            match MacAddress::parse(&mac) {
                Ok(mac) => found.push(Credential::Mac(mac)),
                Err(e) => self.wrong(section.span(), e.to_string(), "give the endpoint's address"),
            }
        }
        if found.len() > 1 {
            self.wrong(section.span(), "a credential names one thing", "write one { } for each");
            return None;
        }
        if found.is_empty() {
            self.wrong(
                section.span(),
                "an empty credential",
                "name what it is recognised by, such as { san_dns = \"...\" }",
            );
        }
        found.pop()
    }
}
