//! Which hosts events may be pushed to. Who makes a stream names an address, and not all that this server reaches is theirs
//! to have reached: the operator lists what is.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Entries at most: as many as there may be streams.
pub const MAX_RECEIVERS: usize = super::stream::MAX_STREAMS;
/// The port where none is said: that of https.
const HTTPS: u16 = 443;
/// The longest name of a host, in octets (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// A host, by name or address.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Host {
    /// In lower case, without a dot at the end.
    Name(String),
    Address(IpAddr),
}

/// A port of a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    host: Host,
    port: u16,
}

/// A text that names no place.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} names no host")]
pub struct NoPlace(String);

impl Host {
    /// An IPv6 address may stand in brackets, as in a URL.
    fn read(text: &str) -> Option<Host> {
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return inner.parse::<Ipv6Addr>().ok().map(|address| Host::Address(address.into()));
        }
        if let Ok(address) = text.parse() {
            return Some(Host::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let label = |label: &str| !label.is_empty() && label.chars().all(plain);
        // What ends in a number is an address in another spelling, and never a name.
        let number =
            |label: &str| label.chars().all(|c| c.is_ascii_digit()) || label.to_ascii_lowercase().starts_with("0x");
        let number = name.rsplit('.').next().is_some_and(number);
        let good = name.len() <= MAX_HOST && name.split('.').all(label) && !number;
        good.then(|| Host::Name(name.to_ascii_lowercase()))
    }
}

impl Place {
    /// The port of a host, which is written as in a URL.
    ///
    /// # Errors
    /// When that is no host.
    pub fn of(host: &str, port: u16) -> Result<Place, NoPlace> {
        Host::read(host).map(|host| Place { host, port }).ok_or_else(|| NoPlace(host.to_owned()))
    }
}

/// As the configuration has it: `siem.example`, `siem.example:8443`, `192.0.2.7`, `[2001:db8::7]:8443`.
impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Place, NoPlace> {
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address without brackets has no port.
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
                (host, port.parse().ok().filter(|port| *port != 0).ok_or_else(|| NoPlace(text.to_owned()))?)
            }
            _ => (text, HTTPS),
        };
        Place::of(host, port).map_err(|_| NoPlace(text.to_owned()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        if self.port == HTTPS { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// The places that events may be pushed to: what the operator lists, and nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Receivers(Vec<Place>);

/// A place that nothing is pushed to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotListed {
    /// There is no list.
    #[error(
        "nothing is pushed anywhere, as [ssf] receivers of the configuration names no host: have {0:?} added there, or poll"
    )]
    Nowhere(String),
    /// It is not on it.
    #[error(
        "events are pushed to what [ssf] receivers of the configuration names alone: have {0:?} added there, or poll"
    )]
    Elsewhere(String),
}

impl Receivers {
    /// These.
    pub fn new(all: Vec<Place>) -> Receivers {
        Receivers(all)
    }

    /// Whether nothing is pushed anywhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that events may be pushed to this place.
    ///
    /// # Errors
    /// [`NotListed`], which says what the operator can do.
    pub fn check(&self, place: &Place) -> Result<(), NotListed> {
        if self.0.contains(place) {
            return Ok(());
        }
        Err(if self.is_empty() {
            NotListed::Nowhere(place.to_string())
        } else {
            NotListed::Elsewhere(place.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(all: &[&str]) -> Receivers {
        Receivers::new(all.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (text, shown) in [
            ("siem.example", "siem.example"),
            ("SIEM.example.", "siem.example"),
            ("siem.example:443", "siem.example"),
            ("siem.example:8443", "siem.example:8443"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("2001:db8::7", "[2001:db8::7]"),
            ("[2001:DB8:0::7]:8443", "[2001:db8::7]:8443"),
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), shown, "{text}");
        }
        for bad in [
            "",
            ":443",
            "siem.example:",
            "siem.example:0",
            "siem.example:70000",
            "https://siem.example",
            "siem.example/x",
            "a@siem.example",
            "siem..example",
            "*.example",
            "[192.0.2.7]",
            "[::1",
            "2130706433",
            "127.1",
            "0x7f.1",
            "\u{e4}.example",
        ] {
            assert_eq!(bad.parse::<Place>(), Err(NoPlace(bad.to_owned())));
        }
    }

    #[test]
    fn what_is_not_listed_is_not_told() {
        let all = listed(&["siem.example", "127.0.0.1:9000", "::1"]);
        let check = |host: &str, port| all.check(&Place::of(host, port).unwrap());
        for (host, port) in [("siem.example", 443), ("SIEM.EXAMPLE.", 443), ("127.0.0.1", 9000), ("[::1]", 443)] {
            assert_eq!(check(host, port), Ok(()), "{host} {port}");
        }
        for (host, port) in [
            ("siem.example", 8443),
            ("evil.siem.example", 443),
            ("siem.example.evil.example", 443),
            ("localhost", 9000),
            ("127.0.0.1", 443),
            ("127.0.0.2", 9000),
            ("[::ffff:127.0.0.1]", 9000),
            ("169.254.169.254", 80),
        ] {
            assert!(matches!(check(host, port), Err(NotListed::Elsewhere(_))), "{host} {port}");
        }
        let place = Place::of("siem.example", 443).unwrap();
        assert_eq!(Receivers::default().check(&place), Err(NotListed::Nowhere("siem.example".into())));
    }
}
