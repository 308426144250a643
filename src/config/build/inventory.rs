//! Who may ask, and who is known.

use super::Builder;
use crate::config::document::{BindingSection, Sections};
use crate::config::{
    CoaSection, CoaValue, CredentialSection, IdentitySection, MessageAuthenticatorValue, NasRadsecSection, NasSection,
    Source,
};
use crate::enforcement::nas_profile;
use crate::ids::{IdentityId, NasId};
use crate::inventory::binding::{Binding, BindingField};
use crate::inventory::certificate_name::CertificateName;
use crate::inventory::credential::Credential;
use crate::inventory::identity::{Identity, IdentityKind, IdentityStatus, Interner, MAX_AUTONOMY, UnknownName};
use crate::inventory::index::{IdentityError, IdentityIndex};
use crate::inventory::mac::MacAddress;
use crate::inventory::nas::{
    CoaTarget, DEFAULT_MAX_CONVERSATIONS, MessageAuthenticatorMode, Nas, NasRegistry, RadSec, RegistryError,
};
use crate::secret::Secret;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;

/// A shared secret shorter than this, in octets, is warned about: RFC 2865,
/// section 3, asks for 16.
const GOOD_SECRET_LEN: usize = 16;
/// The longest name of an identity or of an attribute, in octets: what fits
/// User-Name.
const MAX_NAME_LEN: usize = 253;
/// Free attributes of one identity, and the octets of a value: each is part of
/// every decision about it.
const MAX_ATTRIBUTES: usize = 64;
/// See [`MAX_ATTRIBUTES`].
const MAX_ATTRIBUTE_LEN: usize = 1024;

impl<'a> Builder<'a> {
    /// All gear, of all documents.
    pub(super) fn registry(&mut self, documents: &[(&'a Source, Sections<'a>)]) -> Option<NasRegistry> {
        let mut all = Vec::new();
        let mut places = HashMap::new();
        for (source, sections) in documents {
            self.source = source;
            for section in sections.nas {
                places.insert(section.name.get_ref().as_str(), (*source, section.name.span()));
                all.extend(self.nas(section));
            }
        }
        match NasRegistry::new(all) {
            Ok(registry) => {
                self.nas_places = places;
                Some(registry)
            }
            Err(e) => {
                let (RegistryError::DuplicateAddress { second: name, .. }
                | RegistryError::DuplicateCertificate { second: name, .. }
                | RegistryError::DuplicateName(name)) = &e;
                self.wrong_at(
                    places.get(name.as_str()),
                    e.to_string(),
                    "an address, the name in a certificate and a name belong to one [[nas]] only",
                );
                None
            }
        }
    }

    /// An error at the place of an object, or in the file at hand when that is
    /// not known.
    fn wrong_at(&mut self, place: Option<&(&'a Source, Range<usize>)>, message: String, remedy: &str) {
        let (source, span) = place.cloned().unwrap_or((self.source, 0..0));
        self.errors.push(source.error(span, message, remedy));
    }

    /// Sites and groups, once some are declared, are all that there are: a
    /// misspelt one is a mistake.
    pub(super) fn declared(&mut self, documents: &[(&'a Source, Sections<'a>)]) {
        let sites = self.declarations(documents, "site", |s| s.site.iter().map(|site| &site.name).collect());
        let groups = self.declarations(documents, "group", |s| s.group.iter().map(|group| &group.name).collect());
        for (source, sections) in documents {
            self.source = source;
            for nas in sections.nas.iter().filter(|_| !sites.is_empty()) {
                if let Some(site) = nas.site.as_deref().filter(|site| !sites.contains(*site)) {
                    let message =
                        format!("the NAS {} stands at the site {site:?}, which is not declared", nas.name.get_ref());
                    self.wrong(nas.name.span(), message, "add a [[site]] of that name, or correct the spelling");
                }
            }
            for identity in sections.identity.iter().filter(|_| !groups.is_empty()) {
                for group in identity.groups.iter().filter(|group| !groups.contains(group.as_str())) {
                    let message =
                        format!("{} is in the group {group:?}, which is not declared", identity.name.get_ref());
                    self.wrong(identity.name.span(), message, "add a [[group]] of that name, or correct the spelling");
                }
            }
        }
    }

    fn declarations(
        &mut self,
        documents: &[(&'a Source, Sections<'a>)],
        what: &str,
        names: impl Fn(&Sections<'a>) -> Vec<&'a Spanned<String>>,
    ) -> HashSet<&'a str> {
        let mut all = HashSet::new();
        for (source, sections) in documents {
            self.source = source;
            for name in names(sections) {
                if !all.insert(name.get_ref().as_str()) {
                    let message = format!("two {what}s are called {:?}", name.get_ref());
                    self.wrong(name.span(), message, "remove one of them");
                }
            }
        }
        all
    }

    fn nas(&mut self, section: &NasSection) -> Option<Nas> {
        let name = section.name.get_ref().clone();
        let mut addresses = Vec::new();
        for (span, text) in section.address.iter().flat_map(|a| a.get_ref().iter().map(|text| (a.span(), text))) {
            match text.parse() {
                Ok(prefix) => addresses.push(prefix),
                Err(e) => {
                    let e: crate::inventory::nas::PrefixError = e;
                    self.wrong(span, e.to_string(), "give the address that the NAS sends from");
                }
            }
        }
        let radsec = match &section.radsec {
            Some(radsec) => Some(self.nas_radsec(radsec, &name)?),
            None => None,
        };
        if section.address.is_none() {
            let span = section.secret.as_ref().map(Spanned::span).or(section.secret_file.as_ref().map(Spanned::span));
            match (&radsec, span) {
                (None, _) => {
                    self.wrong(
                        section.name.span(),
                        format!("the NAS {name} has no address"),
                        "add address = \"...\", or radsec = { san_dns = \"...\" } if it speaks RADIUS over TLS",
                    );
                    return None;
                }
                (Some(_), Some(span)) => {
                    self.wrong(
                        span,
                        format!("the NAS {name} has a secret but no address: a secret is for RADIUS over UDP"),
                        "add the address that it sends from, or remove the secret: over TLS it is known by its certificate",
                    );
                    return None;
                }
                (Some(_), None) => {}
            }
        }
        let secret = match (&section.secret, &section.secret_file) {
            (None, None) if section.address.is_none() => None,
            (Some(secret), None) => Some(secret.get_ref().clone().into_bytes()),
            (None, Some(file)) => Some(self.read(file, "the secret")?.trim_ascii_end().to_vec()),
            (None, None) if section.shut.is_some() => {
                let why = section.shut.as_deref().unwrap_or_default();
                self.warnings.push(format!(
                    "the NAS {name} is not served: its stored secret cannot be opened: {why}; restore secrets.key from \
                     the backup, or apply the NAS again with its secret"
                ));
                self.incomplete = true;
                return None;
            }
            (None, None) if section.kept_secret.as_ref().is_some_and(|kept| kept.shared.is_some()) => {
                let kept = section.kept_secret.as_ref().and_then(|kept| kept.shared.as_ref());
                kept.map(|secret| secret.expose().to_vec())
            }
            (None, None) if radsec.is_some() => None,
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
        match secret.as_ref().map(Vec::len) {
            Some(0) => self.wrong(
                section.name.span(),
                format!("the secret of {name} is empty"),
                "`openssl rand -hex 16` makes a good one",
            ),
            Some(len) if len < GOOD_SECRET_LEN => self.warnings.push(format!(
                "the secret of {name} has {len} octets; below {GOOD_SECRET_LEN} it can be guessed from captured packets"
            )),
            _ => {}
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
        let coa = self.coa(section)?;
        Some(Nas {
            id: NasId::of_name(&format!("nas:{name}")),
            name,
            vendor,
            addresses,
            secret: secret.map(Secret::new),
            radsec,
            message_authenticator: match section.message_authenticator {
                MessageAuthenticatorValue::Required => MessageAuthenticatorMode::Required,
                MessageAuthenticatorValue::Learned => MessageAuthenticatorMode::Learned,
                MessageAuthenticatorValue::Off => MessageAuthenticatorMode::Off,
            },
            site: section.site.clone(),
            groups: section.groups.clone(),
            max_conversations,
            mode: section.mode,
            coa,
        })
    }

    /// By what in its certificate a NAS is known.
    fn nas_radsec(&mut self, section: &Spanned<NasRadsecSection>, nas: &str) -> Option<RadSec> {
        let NasRadsecSection { san_dns, san_ip, issuer, serial, radius_1_1 } = section.get_ref().clone();
        let credential = match (san_dns, san_ip, issuer, serial) {
            (Some(name), None, None, None) => Credential::SanDns(name),
            (None, Some(ip), None, None) => match ip.parse::<IpAddr>() {
                Ok(address) => Credential::SanIp(address.to_string()),
                Err(_) => {
                    self.wrong(
                        section.span(),
                        format!("{ip:?} is no IP address"),
                        "give the address of the certificate",
                    );
                    return None;
                }
            },
            (None, None, Some(issuer), Some(serial)) => Credential::IssuerSerial { issuer, serial },
            _ => {
                let message = format!("radsec of the NAS {nas} must name one thing in its certificate");
                self.wrong(section.span(), message, "give san_dns, or san_ip, or issuer with serial");
                return None;
            }
        };
        let text = credential.text().map(|text| text.into_owned()).unwrap_or_default();
        let name = CertificateName::new(credential);
        if name.is_none() {
            let message = format!("{text:?} is the name of no single NAS");
            self.wrong(
                section.span(),
                message,
                "give the whole DNS name that is in its certificate, without a wildcard",
            );
        }
        Some(RadSec { name: name?, radius_1_1 })
    }

    /// Where a NAS takes changes to its sessions.
    fn coa(&mut self, section: &NasSection) -> Option<CoaTarget> {
        let Some(value) = &section.coa else { return Some(CoaTarget::default()) };
        let CoaSection { port, address, secret, secret_file } = match value.get_ref() {
            CoaValue::Switch(true) => return Some(CoaTarget::default()),
            CoaValue::Switch(false) => return Some(CoaTarget::Off),
            CoaValue::At(at) => at.clone(),
        };
        let (name, span) = (section.name.get_ref(), value.span());
        let port = match port.map(|port| (port, u16::try_from(port))) {
            None => None,
            Some((_, Ok(port))) if port > 0 => Some(port),
            Some((port, _)) => {
                let message = format!("the coa port of {name} is {port}");
                self.wrong(span, message, "give 1 to 65535: 3799 as a rule, 1700 for much of Cisco's gear");
                return None;
            }
        };
        let address = match address.map(|text| text.parse::<IpAddr>().map_err(|_| text)).transpose() {
            Ok(address) => address,
            Err(text) => {
                let message = format!("the coa address of {name} is {text:?}, which is no IP address");
                self.wrong(span, message, "give the one that it takes changes at, or leave it out: its own is taken");
                return None;
            }
        };
        let secret = match (secret, secret_file) {
            (Some(_), Some(_)) => {
                self.wrong(span, format!("coa of {name} has a secret and a secret_file"), "remove one of them");
                return None;
            }
            (Some(secret), None) => Some(secret.into_bytes()),
            (None, Some(file)) => {
                let file = Spanned::new(span.clone(), file);
                Some(self.read(&file, "the secret")?.trim_ascii_end().to_vec())
            }
            (None, None) => {
                let kept = section.kept_secret.as_ref().and_then(|kept| kept.coa.as_ref());
                kept.map(|secret| secret.expose().to_vec())
            }
        };
        if secret.as_ref().is_some_and(Vec::is_empty) {
            let message = format!("the coa secret of {name} is empty");
            self.wrong(span, message, "leave it out: then it is the secret of the NAS");
            return None;
        }
        Some(CoaTarget::At { address, port, secret: secret.map(Secret::new) })
    }

    /// All identities, of all documents, and those of the database.
    pub(super) fn identities(
        &mut self,
        documents: &[(&'a Source, Sections<'a>)],
        stored: &[Arc<Identity>],
    ) -> Option<IdentityIndex> {
        let mut interner = Interner::default();
        let (mut all, mut bindings) = (stored.to_vec(), Vec::new());
        let mut places = HashMap::new();
        for (source, sections) in documents {
            self.source = source;
            for section in sections.identity {
                places.insert(section.name.get_ref().as_str(), (*source, section.name.span()));
                all.extend(self.identity(section, &mut interner).map(Arc::new));
            }
            for section in sections.binding {
                bindings.extend(self.binding(section));
            }
        }
        match IdentityIndex::new(all, bindings) {
            Ok(index) => Some(index),
            Err(e) => {
                let (name, remedy) = match &e {
                    IdentityError::DuplicateCredential { second, .. } => {
                        (second, "a credential belongs to one identity only")
                    }
                    IdentityError::DuplicateName { name, .. } => {
                        (name, "give one of them another name, or remove it; case does not tell names apart")
                    }
                };
                self.wrong_at(places.get(name.as_str()), e.to_string(), remedy);
                None
            }
        }
    }

    fn binding(&mut self, section: &BindingSection) -> Option<Binding> {
        let name = section.name.get_ref().clone();
        let kind = self.kind(&section.kind)?;
        let fields = [
            (BindingField::SanDns, &section.san_dns),
            (BindingField::SanUri, &section.san_uri),
            (BindingField::SanEmail, &section.san_email),
            (BindingField::SanUpn, &section.san_upn),
            (BindingField::CommonName, &section.common_name),
        ];
        let mut given = fields.into_iter().filter_map(|(field, pattern)| Some((field, pattern.as_deref()?)));
        let (Some((field, pattern)), None) = (given.next(), given.next()) else {
            let message = format!("the binding {name} must look at exactly one field of the certificate");
            self.wrong(
                section.name.span(),
                message,
                "give one of san_dns, san_uri, san_email, san_upn and common_name",
            );
            return None;
        };
        match Binding::new(name, field, pattern, kind, section.ca.clone()) {
            Ok(binding) => Some(binding),
            Err(message) => {
                self.wrong(section.name.span(), message, "write it like san_dns = \"{name}.corp.example\"");
                None
            }
        }
    }

    fn kind(&mut self, text: &Spanned<String>) -> Option<IdentityKind> {
        match text.get_ref().parse() {
            Ok(kind) => Some(kind),
            Err(e) => {
                let e: UnknownName = e;
                self.wrong(text.span(), e.to_string(), "give the kind of the identity");
                None
            }
        }
    }

    fn identity(&mut self, section: &IdentitySection, interner: &mut Interner) -> Option<Identity> {
        let name = section.name.get_ref();
        if name.is_empty() || name.len() > MAX_NAME_LEN {
            let message = format!("the name of an identity has 1 to {MAX_NAME_LEN} octets");
            self.wrong(section.name.span(), message, "shorten it");
            return None;
        }
        let kind = self.kind(&section.kind)?;
        if let Some(level) = section.autonomy.as_ref().filter(|level| *level.get_ref() > MAX_AUTONOMY) {
            let message = format!("the autonomy level {} is above {MAX_AUTONOMY}", level.get_ref());
            self.wrong(level.span(), message, "0 acts only when told to, 5 acts without anybody watching");
        }
        let too_long = |(key, value): (&String, &String)| key.len() > MAX_NAME_LEN || value.len() > MAX_ATTRIBUTE_LEN;
        if section.attributes.len() > MAX_ATTRIBUTES || section.attributes.iter().any(too_long) {
            let message = format!(
                "{name} has more than {MAX_ATTRIBUTES} attributes, or one that is longer than {MAX_ATTRIBUTE_LEN} octets"
            );
            self.wrong(section.name.span(), message, "keep what rules and people need");
        }
        let status = match &section.status {
            None => IdentityStatus::Active,
            Some(text) => match text.get_ref().parse() {
                Ok(status) => status,
                Err(e) => {
                    let e: UnknownName = e;
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
        let attributes = section.attributes.iter();
        Some(Identity {
            id: IdentityId::of_name(&format!("identity:{kind}:{name}")),
            name: name.as_str().into(),
            kind,
            groups: interner.list(section.groups.iter().map(String::as_str)),
            owner: section.owner.as_deref().map(|owner| interner.word(owner)),
            purpose: section.purpose.as_deref().map(|purpose| interner.word(purpose)),
            autonomy: section.autonomy.as_ref().map(|level| *level.get_ref()),
            environment: section.environment.as_deref().map(|environment| interner.word(environment)),
            attributes: attributes.map(|(key, value)| (interner.word(key), interner.word(value))).collect(),
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
        if let Some(ip) = c.san_ip {
            match ip.parse::<IpAddr>() {
                Ok(address) => found.push(Credential::SanIp(address.to_string())),
                Err(_) => self.wrong(
                    section.span(),
                    format!("{ip:?} is no IP address"),
                    "give the address of the certificate",
                ),
            }
        }
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
        let digest = |text: &String| text.chars().filter(|c| !":- ".contains(*c)).collect::<String>();
        for credential in &found {
            let hexadecimal = |text| digest(text).len() == 64 && digest(text).bytes().all(|b| b.is_ascii_hexdigit());
            match credential {
                Credential::Fingerprint(text) | Credential::KeyFingerprint(text) if !hexadecimal(text) => {
                    let message = format!("{text:?} is no SHA-256 fingerprint");
                    self.wrong(section.span(), message, "give its 64 hexadecimal digits, with or without colons");
                }
                other if other.text().is_some_and(|text| text.trim_matches('.').is_empty()) => {
                    let message = format!("the credential {} is empty", other.field());
                    self.wrong(section.span(), message, "give what the certificate says");
                }
                _ => {}
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
