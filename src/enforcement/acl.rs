//! Access rules in neutral words: what an endpoint may reach.
//!
//! ```text
//! permit tcp to 10.1.2.0/24 port 443
//! permit udp to 10.1.0.53 port 53
//! permit tcp to any port 8000-8099
//! deny ip to any
//! ```

use crate::inventory::nas::IpPrefix;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Lets traffic pass.
    Permit,
    /// Drops it.
    Deny,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Action::Permit => "permit",
            Action::Deny => "deny",
        }
    }
}

/// Which traffic it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// All of IP.
    Ip,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
}

impl Protocol {
    const ALL: [Protocol; 4] = [Protocol::Ip, Protocol::Tcp, Protocol::Udp, Protocol::Icmp];

    const fn word(self) -> &'static str {
        match self {
            Protocol::Ip => "ip",
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Icmp => "icmp",
        }
    }
}

/// One rule about traffic from the endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclRule {
    /// What it does.
    pub action: Action,
    /// Which traffic.
    pub protocol: Protocol,
    /// Where to; `None` is anywhere.
    pub to: Option<IpPrefix>,
    /// The first and the last destination port.
    pub ports: Option<(u16, u16)>,
}

/// The text is no rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?}: {what}; write it as \"permit tcp to 10.1.2.0/24 port 443\" or \"deny ip to any\"")]
pub struct AclError {
    text: String,
    what: String,
}

impl FromStr for AclRule {
    type Err = AclError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |what: &str| AclError { text: text.to_owned(), what: what.to_owned() };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (action, protocol, to, ports) = match words.as_slice() {
            [action, protocol, "to", to] => (*action, *protocol, *to, None),
            [action, protocol, "to", to, "port", ports] => (*action, *protocol, *to, Some(*ports)),
            _ => return Err(wrong("this is no rule")),
        };
        let action = match action {
            "permit" => Action::Permit,
            "deny" => Action::Deny,
            _ => return Err(wrong("it begins with permit or deny")),
        };
        let protocol = Protocol::ALL
            .into_iter()
            .find(|p| p.word() == protocol)
            .ok_or_else(|| wrong("the protocol is ip, tcp, udp or icmp"))?;
        let to = match to {
            "any" => None,
            prefix => Some(prefix.parse().map_err(|e: crate::inventory::nas::PrefixError| wrong(&e.to_string()))?),
        };
        let ports = match ports {
            None => None,
            Some(_) if !matches!(protocol, Protocol::Tcp | Protocol::Udp) => {
                return Err(wrong("only tcp and udp have ports"));
            }
            Some(ports) => {
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                let number = |text: &str| text.parse::<u16>().map_err(|_| wrong("a port is from 0 to 65535"));
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return Err(wrong("the first port is above the last"));
                }
                Some((first, last))
            }
        };
        Ok(AclRule { action, protocol, to, ports })
    }
}

impl fmt::Display for AclRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} to ", self.action.word(), self.protocol.word())?;
        match &self.to {
            Some(to) => write!(f, "{to}")?,
            None => f.write_str("any")?,
        }
        match self.ports {
            Some((first, last)) if first == last => write!(f, " port {first}"),
            Some((first, last)) => write!(f, " port {first}-{last}"),
            None => Ok(()),
        }
    }
}

/// How a vendor writes rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// IPFilterRule of RFC 6733, section 4.3.1, as NAS-Filter-Rule (RFC 4849)
    /// and Aruba take it.
    IpFilter,
    /// Cisco's extended access lists, IPv4 alone.
    Cisco,
    /// Juniper's Switching-Filter.
    Juniper,
}

impl Dialect {
    /// The rule in this dialect.
    ///
    /// # Errors
    /// What cannot be said in it.
    pub fn write(self, rule: &AclRule) -> Result<String, String> {
        let AclRule { action, protocol, to, ports } = rule;
        let (action, protocol) = (action.word(), protocol.word());
        match self {
            Dialect::IpFilter => {
                let to = to.as_ref().map_or("any".to_owned(), ToString::to_string);
                let ports = dashed(*ports).map_or(String::new(), |p| format!(" {p}"));
                Ok(format!("{action} in {protocol} from any to {to}{ports}"))
            }
            Dialect::Cisco => {
                let to = match to {
                    None => "any".to_owned(),
                    Some(prefix) => cisco_address(prefix).ok_or_else(|| format!("{rule}: only IPv4 can be told"))?,
                };
                let ports = match ports {
                    None => String::new(),
                    Some((first, last)) if first == last => format!(" eq {first}"),
                    Some((first, last)) => format!(" range {first} {last}"),
                };
                Ok(format!("{action} {protocol} any {to}{ports}"))
            }
            Dialect::Juniper => {
                let mut conditions = Vec::new();
                conditions.extend(to.as_ref().map(|to| format!("destination-ip {to}")));
                if protocol != "ip" {
                    conditions.push(format!("ip-protocol {protocol}"));
                }
                conditions.extend(dashed(*ports).map(|p| format!("destination-port {p}")));
                if conditions.is_empty() {
                    conditions.push("destination-ip 0.0.0.0/0".to_owned());
                }
                let action = if action == "permit" { "allow" } else { "deny" };
                Ok(format!("Match {}, Action {action}", conditions.join(", ")))
            }
        }
    }
}

fn dashed(ports: Option<(u16, u16)>) -> Option<String> {
    ports.map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
}

/// `host 10.1.2.3`, or an address and its wildcard mask.
fn cisco_address(prefix: &IpPrefix) -> Option<String> {
    let IpAddr::V4(address) = prefix.address() else { return None };
    Some(match prefix.length() {
        32 => format!("host {address}"),
        0 => "any".to_owned(),
        length => format!("{address} {}", std::net::Ipv4Addr::from_bits(u32::MAX >> length)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> AclRule {
        text.parse().unwrap()
    }

    #[test]
    fn rules_read_as_they_are_written() {
        for text in [
            "permit tcp to 10.1.2.0/24 port 443",
            "permit udp to 10.1.0.53 port 53",
            "permit tcp to any port 8000-8099",
            "permit icmp to 2001:db8::/32",
            "deny ip to any",
        ] {
            assert_eq!(rule(text).to_string(), text);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("allow ip to any", "permit or deny"),
            ("permit gre to any", "ip, tcp, udp or icmp"),
            ("permit tcp to 10.1.2.3/24", "10.1.2.0/24"),
            ("permit ip to any port 80", "only tcp and udp"),
            ("permit tcp to any port 70000", "65535"),
            ("permit tcp to any port 90-80", "above the last"),
            ("permit tcp from any", "no rule"),
        ] {
            let error = text.parse::<AclRule>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn each_dialect_has_its_words() {
        let web = rule("permit tcp to 10.1.2.0/24 port 443");
        let range = rule("permit udp to 10.1.0.53 port 50-60");
        let all = rule("deny ip to any");
        let said = |dialect: Dialect| [&web, &range, &all].map(|r| dialect.write(r).unwrap());
        assert_eq!(
            said(Dialect::IpFilter),
            [
                "permit in tcp from any to 10.1.2.0/24 443",
                "permit in udp from any to 10.1.0.53 50-60",
                "deny in ip from any to any"
            ]
        );
        assert_eq!(
            said(Dialect::Cisco),
            [
                "permit tcp any 10.1.2.0 0.0.0.255 eq 443",
                "permit udp any host 10.1.0.53 range 50 60",
                "deny ip any any"
            ]
        );
        assert_eq!(
            said(Dialect::Juniper),
            [
                "Match destination-ip 10.1.2.0/24, ip-protocol tcp, destination-port 443, Action allow",
                "Match destination-ip 10.1.0.53, ip-protocol udp, destination-port 50-60, Action allow",
                "Match destination-ip 0.0.0.0/0, Action deny"
            ]
        );
        assert!(Dialect::Cisco.write(&rule("permit ip to 2001:db8::/32")).is_err());
    }
}
