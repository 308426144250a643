//! The switches, controllers and VPN gateways that may ask.

use super::certificate_name::CertificateName;
use crate::ids::NasId;
use crate::pki::certificate::CertificateFacts;
use crate::radius::radsec::Radius11;
use crate::secret::Secret;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// EAP conversations that a NAS may have open at once, unless told otherwise: a
/// stack of switches that comes up after a power cut has fewer ports.
pub const DEFAULT_MAX_CONVERSATIONS: usize = 2_000;

/// When a NAS must send Message-Authenticator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageAuthenticatorMode {
    /// In every request.
    Required,
    /// In every request once it has sent one.
    Learned,
    /// Only with EAP and Status-Server, where the RFCs demand it.
    Off,
}

/// What decisions about a NAS's endpoints lead to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NasMode {
    /// They are carried out.
    #[default]
    Enforce,
    /// Everybody is let in as if there were no RADIUS server; what would have
    /// happened is recorded.
    Observe,
}

/// How a NAS is known when it speaks RADIUS over TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RadSec {
    /// What its certificate says.
    pub name: CertificateName,
    /// Whether it speaks RADIUS/1.1, if that is told for it alone.
    pub radius_1_1: Option<Radius11>,
}

/// A RADIUS client: over UDP known by where its packets come from, over TLS by its
/// certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nas {
    /// Its id.
    pub id: NasId,
    /// The name that decisions show.
    pub name: String,
    /// Where its packets come from. Empty if it may connect from anywhere, by TLS
    /// alone.
    pub addresses: Vec<IpPrefix>,
    /// The secret that it shares with us. `None`: it does not speak UDP.
    pub secret: Option<Secret>,
    /// How it is known over TLS. `None`: it does not speak TLS.
    pub radsec: Option<RadSec>,
    /// What kind of gear it is: the name of a NAS profile.
    pub vendor: String,
    /// When it must send Message-Authenticator.
    pub message_authenticator: MessageAuthenticatorMode,
    /// Where it stands.
    pub site: Option<String>,
    /// Groups it belongs to.
    pub groups: Vec<String>,
    /// EAP conversations that it may have open at once.
    pub max_conversations: usize,
    /// Whether decisions are carried out.
    pub mode: NasMode,
    /// Where it takes changes to its sessions.
    pub coa: CoaTarget,
}

/// Where a NAS takes changes to its sessions (RFC 5176).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CoaTarget {
    /// Nowhere.
    Off,
    /// At the address that its requests come from, unless told otherwise.
    At {
        /// The address, if it is another.
        address: Option<IpAddr>,
        /// The UDP port, if it is not that of its kind of gear.
        port: Option<u16>,
        /// The secret, if it is not that of its requests.
        secret: Option<Secret>,
    },
}

impl Default for CoaTarget {
    fn default() -> Self {
        CoaTarget::At { address: None, port: None, secret: None }
    }
}

impl Nas {
    /// Whether it may connect by TLS from this address.
    pub fn may_connect_from(&self, address: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|prefix| prefix.holds(address))
    }

    /// Its addresses and the name in its certificate, for people.
    pub fn known_by(&self) -> String {
        let mut all: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        all.extend(self.radsec.iter().map(|radsec| format!("certificate with {}", radsec.name)));
        all.join(", ")
    }
}

/// An address and how many of its leading bits count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IpPrefix {
    address: IpAddr,
    length: u8,
}

/// The text is no prefix.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PrefixError {
    /// Not of the form.
    #[error("{0:?} is no address or prefix; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32")]
    Malformed(String),
    /// The address names a host within the prefix.
    #[error("{given} has bits set beyond its prefix length; did you mean {meant}?")]
    HostBits {
        /// What was written.
        given: String,
        /// The prefix that it lies in.
        meant: IpPrefix,
    },
}

impl IpPrefix {
    /// The prefix of this length that holds `address`.
    fn of(address: IpAddr, length: u8) -> IpPrefix {
        let address = match address {
            IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & mask(u32::MAX, length, 32)).into()),
            IpAddr::V6(v6) => {
                let bits = u128::from(v6);
                let masked = if length == 0 { 0 } else { bits & (u128::MAX << (128 - u32::from(length.min(128)))) };
                IpAddr::V6(Ipv6Addr::from(masked))
            }
        };
        IpPrefix { address, length }
    }

    /// Whether an address lies in it. An IPv4 address that came in by an IPv6 socket
    /// is the IPv4 address.
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && IpPrefix::of(address, self.length).address == self.address
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    pub fn length(&self) -> u8 {
        self.length
    }

    fn max_length(address: &IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

fn mask(all: u32, length: u8, width: u32) -> u32 {
    if length == 0 { 0 } else { all << (width - u32::from(length).min(width)) }
}

impl FromStr for IpPrefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<IpPrefix, PrefixError> {
        let malformed = || PrefixError::Malformed(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| malformed())?;
        let max = IpPrefix::max_length(&address);
        let length = match length {
            None => max,
            Some(length) => length.trim().parse().ok().filter(|l| *l <= max).ok_or_else(malformed)?,
        };
        let prefix = IpPrefix::of(address, length);
        if prefix.address != address {
            return Err(PrefixError::HostBits { given: text.to_owned(), meant: prefix });
        }
        Ok(prefix)
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == IpPrefix::max_length(&self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.length)
        }
    }
}

/// Two NASes that cannot be told apart.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The same address twice.
    #[error("{prefix} belongs to {first} and to {second}")]
    DuplicateAddress {
        /// The address.
        prefix: IpPrefix,
        /// The one that has it.
        first: String,
        /// The one that wants it too.
        second: String,
    },
    /// The same name in a certificate twice.
    #[error("a certificate with the {name} is that of {first} and of {second}")]
    DuplicateCertificate {
        /// The name.
        name: CertificateName,
        /// The one that has it.
        first: String,
        /// The one that wants it too.
        second: String,
    },
    /// The same name twice.
    #[error("two NASes are called {0}")]
    DuplicateName(String),
}

/// Why a good certificate is that of no NAS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unidentified {
    /// None is configured by any name in it.
    Nobody,
    /// Its names are those of several.
    Several,
}

/// All NASes, found by address (the longest prefix wins), by certificate or by
/// name.
#[derive(Clone, Debug, Default)]
pub struct NasRegistry {
    all: Vec<Arc<Nas>>,
    by_name: HashMap<String, Arc<Nas>>,
    by_certificate: HashMap<CertificateName, Arc<Nas>>,
    /// Those that speak UDP.
    by_prefix: HashMap<IpPrefix, Arc<Nas>>,
    /// Prefix lengths in use, longest first; a look-up costs one hash for each.
    lengths_v4: Vec<u8>,
    lengths_v6: Vec<u8>,
}

impl NasRegistry {
    /// A registry of these.
    ///
    /// # Errors
    /// When two have the same address, certificate or name; both are named.
    /// Several that speak TLS alone may connect from the same address.
    pub fn new(all: Vec<Nas>) -> Result<NasRegistry, RegistryError> {
        let mut registry = NasRegistry::default();
        for nas in all.into_iter().map(Arc::new) {
            if registry.by_name.insert(nas.name.clone(), nas.clone()).is_some() {
                return Err(RegistryError::DuplicateName(nas.name.clone()));
            }
            if let Some(RadSec { name, .. }) = &nas.radsec
                && let Some(other) = registry.by_certificate.insert(name.clone(), nas.clone())
            {
                return Err(RegistryError::DuplicateCertificate {
                    name: name.clone(),
                    first: other.name.clone(),
                    second: nas.name.clone(),
                });
            }
            for prefix in nas.addresses.iter().filter(|_| nas.secret.is_some()) {
                if let Some(other) = registry.by_prefix.insert(*prefix, nas.clone()) {
                    return Err(RegistryError::DuplicateAddress {
                        prefix: *prefix,
                        first: other.name.clone(),
                        second: nas.name.clone(),
                    });
                }
                let lengths =
                    if prefix.address.is_ipv4() { &mut registry.lengths_v4 } else { &mut registry.lengths_v6 };
                if !lengths.contains(&prefix.length) {
                    lengths.push(prefix.length);
                }
            }
            registry.all.push(nas);
        }
        registry.lengths_v4.sort_unstable_by(|a, b| b.cmp(a));
        registry.lengths_v6.sort_unstable_by(|a, b| b.cmp(a));
        Ok(registry)
    }

    /// The NAS of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Nas>> {
        self.by_name.get(name)
    }

    /// The NAS that a verified certificate names. Issuer and serial number tell it
    /// from all others; names of its own must not be those of two.
    ///
    /// # Errors
    /// When it is that of none, or cannot be told.
    pub fn by_certificate(&self, facts: &CertificateFacts) -> Result<&Arc<Nas>, Unidentified> {
        if let Some(nas) = self.by_certificate.get(&CertificateName::of_number(facts)) {
            return Ok(nas);
        }
        let mut found = CertificateName::of_subject(facts).filter_map(|name| self.by_certificate.get(&name));
        let first = found.next().ok_or(Unidentified::Nobody)?;
        if found.all(|other| Arc::ptr_eq(first, other)) { Ok(first) } else { Err(Unidentified::Several) }
    }

    /// The NAS that speaks UDP and whose longest prefix holds `address`. An IPv4 address that came
    /// in by an IPv6 socket is the IPv4 address.
    pub fn lookup(&self, address: IpAddr) -> Option<&Arc<Nas>> {
        let address = address.to_canonical();
        let lengths = if address.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 };
        lengths.iter().find_map(|length| self.by_prefix.get(&IpPrefix::of(address, *length)))
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Nas>] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::credential::Credential;
    use crate::time::Timestamp;

    fn nas(name: &str, addresses: &[&str]) -> Nas {
        Nas {
            id: NasId::new(Timestamp::default()),
            vendor: "standard".into(),
            name: name.into(),
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            secret: Some(Secret::new("s")),
            radsec: None,
            message_authenticator: MessageAuthenticatorMode::Learned,
            site: None,
            groups: Vec::new(),
            max_conversations: DEFAULT_MAX_CONVERSATIONS,
            mode: NasMode::Enforce,
            coa: CoaTarget::default(),
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let registry = NasRegistry::new(vec![
            nas("all", &["0.0.0.0/0", "::/0"]),
            nas("site", &["192.0.2.0/24", "2001:db8::/32"]),
            nas("switch", &["192.0.2.7", "2001:db8::7"]),
        ])
        .unwrap();
        let name = |ip: &str| registry.lookup(ip.parse().unwrap()).map(|n| n.name.as_str());
        assert_eq!(name("192.0.2.7"), Some("switch"));
        assert_eq!(name("::ffff:192.0.2.7"), Some("switch"));
        assert_eq!(name("192.0.2.8"), Some("site"));
        assert_eq!(name("198.51.100.1"), Some("all"));
        assert_eq!(name("2001:db8::7"), Some("switch"));
        assert_eq!(name("2001:db8::8"), Some("site"));
        assert_eq!(name("2001:db9::"), Some("all"));
        assert!(NasRegistry::default().lookup("192.0.2.7".parse().unwrap()).is_none());
    }

    #[test]
    fn both_parties_of_a_clash_are_named() {
        let error = NasRegistry::new(vec![nas("one", &["192.0.2.7"]), nas("two", &["192.0.2.7/32"])]).unwrap_err();
        assert_eq!(error.to_string(), "192.0.2.7 belongs to one and to two");
        assert!(NasRegistry::new(vec![nas("one", &[]), nas("one", &[])]).is_err());
    }

    fn over_tls(name: &str, credential: Credential, addresses: &[&str]) -> Nas {
        let radsec = RadSec { name: CertificateName::new(credential).unwrap(), radius_1_1: None };
        Nas { secret: None, radsec: Some(radsec), ..nas(name, addresses) }
    }

    fn facts(dns: &[&str], ip: &[&str]) -> CertificateFacts {
        let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        CertificateFacts {
            subject: "CN=sw1.corp.example".into(),
            common_name: Some("sw1.corp.example".into()),
            issuer: "CN=Corp CA".into(),
            serial: "0a1b".into(),
            fingerprint: String::new(),
            key_fingerprint: String::new(),
            not_before: Timestamp::default(),
            not_after: Timestamp::default(),
            san_dns: own(dns),
            san_email: Vec::new(),
            san_uri: Vec::new(),
            san_upn: Vec::new(),
            san_ip: own(ip),
            sid: None,
            key_type: String::new(),
        }
    }

    #[test]
    fn a_certificate_names_its_nas_and_never_by_its_common_name() {
        let dns = |name: &str| Credential::SanDns(name.into());
        let number = Credential::IssuerSerial { issuer: "CN=Corp CA".into(), serial: "A1:B2".into() };
        let registry = NasRegistry::new(vec![
            over_tls("sw1", dns("SW1.corp.example"), &[]),
            over_tls("sw2", dns("sw2.corp.example"), &["192.0.2.0/24"]),
            over_tls("ap", Credential::SanIp("2001:DB8::7".into()), &["192.0.2.0/24"]),
            over_tls("old", number, &[]),
            nas("udp", &["192.0.2.0/25"]),
        ])
        .unwrap();
        let name = |facts| registry.by_certificate(&facts).map(|nas| nas.name.as_str());
        assert_eq!(name(facts(&["sw1.corp.example"], &[])), Ok("sw1"));
        assert_eq!(name(facts(&["sw1.corp.example", "other.example"], &[])), Ok("sw1"));
        assert_eq!(name(facts(&[], &["2001:db8::7"])), Ok("ap"));
        assert_eq!(name(facts(&[], &[])), Err(Unidentified::Nobody), "the common name is none");
        assert_eq!(name(facts(&["*.corp.example"], &[])), Err(Unidentified::Nobody));
        assert_eq!(name(facts(&["sw1.corp.example", "sw2.corp.example"], &[])), Err(Unidentified::Several));
        let numbered = CertificateFacts { serial: "a1b2".into(), ..facts(&["sw1.corp.example"], &[]) };
        assert_eq!(name(numbered), Ok("old"), "the number is of this certificate alone");
        // Over UDP those are no NASes.
        let udp = |ip: &str| registry.lookup(ip.parse().unwrap()).map(|n| n.name.as_str());
        assert_eq!((udp("192.0.2.7"), udp("192.0.2.200")), (Some("udp"), None));
        let sw2 = registry.named("sw2").unwrap();
        assert!(sw2.may_connect_from("::ffff:192.0.2.9".parse().unwrap()));
        assert!(!sw2.may_connect_from("192.0.3.9".parse().unwrap()));
        assert!(registry.named("sw1").unwrap().may_connect_from("203.0.113.1".parse().unwrap()));
        let twice = vec![over_tls("one", dns("x.example"), &[]), over_tls("two", dns("X.example."), &[])];
        let error = NasRegistry::new(twice).unwrap_err();
        assert_eq!(error.to_string(), "a certificate with the SAN DNS x.example is that of one and of two");
        assert!(CertificateName::new(Credential::CommonName("sw1".into())).is_none());
        assert!(CertificateName::new(dns("*.example")).is_none());
    }

    #[test]
    fn host_bits_are_a_mistake() {
        let error = "192.0.2.7/24".parse::<IpPrefix>().unwrap_err();
        assert!(error.to_string().contains("did you mean 192.0.2.0/24"), "{error}");
        for text in ["192.0.2.0/33", "x", "192.0.2", "2001:db8::/129", "1.2.3.4/"] {
            assert!(text.parse::<IpPrefix>().is_err(), "{text}");
        }
    }
}
