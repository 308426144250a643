//! The switches, controllers and VPN gateways that may ask.

use crate::ids::NasId;
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

/// A RADIUS client, known by where its packets come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nas {
    /// Its id.
    pub id: NasId,
    /// The name that decisions show.
    pub name: String,
    /// Where its packets come from.
    pub addresses: Vec<IpPrefix>,
    /// The secret that it shares with us.
    pub secret: Secret,
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
    /// The same name twice.
    #[error("two NASes are called {0}")]
    DuplicateName(String),
}

/// All NASes, found by address: the longest prefix wins.
#[derive(Clone, Debug, Default)]
pub struct NasRegistry {
    all: Vec<Arc<Nas>>,
    by_prefix: HashMap<IpPrefix, Arc<Nas>>,
    /// Prefix lengths in use, longest first; a look-up costs one hash for each.
    lengths_v4: Vec<u8>,
    lengths_v6: Vec<u8>,
}

impl NasRegistry {
    /// A registry of these.
    ///
    /// # Errors
    /// When two have the same address or name; both are named.
    pub fn new(all: Vec<Nas>) -> Result<NasRegistry, RegistryError> {
        let mut registry = NasRegistry::default();
        let mut names = HashMap::new();
        for nas in all.into_iter().map(Arc::new) {
            if names.insert(nas.name.clone(), ()).is_some() {
                return Err(RegistryError::DuplicateName(nas.name.clone()));
            }
            for prefix in &nas.addresses {
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

    /// The NAS whose longest prefix holds `address`. An IPv4 address that came
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
    use crate::time::Timestamp;

    fn nas(name: &str, addresses: &[&str]) -> Nas {
        Nas {
            id: NasId::new(Timestamp::default()),
            vendor: "standard".into(),
            name: name.into(),
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            secret: Secret::new("s"),
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

    #[test]
    fn host_bits_are_a_mistake() {
        let error = "192.0.2.7/24".parse::<IpPrefix>().unwrap_err();
        assert!(error.to_string().contains("did you mean 192.0.2.0/24"), "{error}");
        for text in ["192.0.2.0/33", "x", "192.0.2", "2001:db8::/129", "1.2.3.4/"] {
            assert!(text.parse::<IpPrefix>().is_err(), "{text}");
        }
    }
}
