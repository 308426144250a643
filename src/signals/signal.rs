//! One signal: about whom, what, how bad, who says so, as of when.

use super::kind::{Finding, SignalKind};
use crate::ids::{EndpointId, IdentityId, SessionId, SignalId};
use crate::inventory::mac::MacAddress;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How far ahead of our clock a signal may be dated: clocks differ.
pub const MAX_AHEAD: Duration = Duration::from_secs(120);
/// How old a signal may be when it comes: what a connector kept for a day is still told, and who sends an old one again
/// raises nothing.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The longest half-life: a week, so that what weighs anything is never older than two months.
pub const MAX_HALF_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The shortest half-life.
pub const MIN_HALF_LIFE: Duration = Duration::from_secs(1);
/// The longest text of a signal, in characters; what is longer is cut.
pub const MAX_TEXT: usize = 500;
/// The most pieces of evidence; further ones are left out.
pub const MAX_EVIDENCE: usize = 16;
/// What we call ourselves as a source.
pub const OURSELVES: &str = "cordon";

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It speaks against nobody; it may take the place of an earlier one that did.
    Info,
    /// A quarter of the kind's weight.
    Low,
    /// Half of it.
    Medium,
    /// The kind's weight.
    High,
    /// Half as much again.
    Critical,
}

impl Severity {
    /// All of them, from the least to the most.
    pub const ALL: [Severity; 5] =
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity of this name, if there is one.
    pub fn from_code(code: &str) -> Option<Severity> {
        Self::ALL.into_iter().find(|severity| severity.code() == code)
    }

    /// By how much the weight of a kind is multiplied.
    pub const fn factor(self) -> f64 {
        match self {
            Severity::Info => 0.0,
            Severity::Low => 0.25,
            Severity::Medium => 0.5,
            Severity::High => 1.0,
            Severity::Critical => 1.5,
        }
    }
}

/// What a signal is about, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct About {
    /// An identity.
    pub identity: Option<IdentityId>,
    /// A MAC address.
    pub mac: Option<MacAddress>,
    /// An IP address, which led to the others.
    pub ip: Option<IpAddr>,
    /// A session, likewise.
    pub session: Option<SessionId>,
    /// A thing as it is seen on the wire.
    pub endpoint: Option<EndpointId>,
    /// A NAS by name, and an address that it sends from.
    pub nas: Option<(String, IpAddr)>,
}

/// Whose risk a signal adds to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// An identity of the inventory.
    Identity(IdentityId),
    /// A MAC address that is nobody's.
    Mac(MacAddress),
}

impl About {
    /// Whose risk it adds to: the identity's; a MAC address's, if nobody is known to have it.
    pub fn subject(&self) -> Option<Subject> {
        self.identity.map(Subject::Identity).or(self.mac.map(Subject::Mac))
    }
}

/// What somebody has said about a signal since.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// Whether it speaks against nobody any more; else somebody has only seen it.
    pub dismissed: bool,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A signal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signal {
    /// Its id, which begins with the time it is as of.
    pub id: SignalId,
    /// As of when.
    pub at: Timestamp,
    /// When it came: later, where it is told late.
    pub received: Timestamp,
    /// What it is about.
    pub about: About,
    /// What it tells.
    pub kind: SignalKind,
    /// How bad it is.
    pub severity: Severity,
    /// Who says so.
    pub source: String,
    /// What the source calls it; no other of the source has the same.
    pub source_id: Option<String>,
    /// What of a kind and source it is about, such as the rule of an IDS. The same told again takes the place of what
    /// was told before; empty if there is nothing to tell apart.
    pub topic: String,
    /// What is particular to it.
    pub detail: String,
    /// After which time it weighs half as much, where the source says so.
    pub half_life: Option<Duration>,
    /// What the source knows besides.
    pub evidence: BTreeMap<String, String>,
    /// What was said about it since.
    pub settled: Option<Settled>,
}

impl Signal {
    /// What was found here about somebody.
    pub fn found(about: About, at: Timestamp, finding: Finding) -> Signal {
        Signal {
            id: SignalId::new(at),
            at,
            received: at,
            about,
            kind: finding.kind,
            severity: Severity::High,
            source: OURSELVES.into(),
            source_id: None,
            topic: String::new(),
            detail: finding.detail,
            half_life: None,
            evidence: BTreeMap::new(),
            settled: None,
        }
    }
}

/// What somebody tells, before it is known whom it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// What.
    pub kind: SignalKind,
    /// How bad it is.
    pub severity: Severity,
    /// As of when; nothing if it is not said.
    pub at: Option<Timestamp>,
    /// Who says so.
    pub source: String,
    /// What they call it, so that it is taken in once.
    pub source_id: Option<String>,
    /// The identity, if it is known.
    pub identity: Option<IdentityId>,
    /// The MAC address.
    pub mac: Option<MacAddress>,
    /// Whether the MAC address is only claimed, so that it leads to nobody: anybody may show it.
    pub claimed: bool,
    /// IP addresses, one of which leads to whom it is about: the first that somebody has.
    pub ips: Vec<IpAddr>,
    /// The session.
    pub session: Option<SessionId>,
    /// See [`Signal::topic`].
    pub topic: String,
    /// What is particular to it.
    pub detail: String,
    /// After which time it weighs half as much.
    pub half_life: Option<Duration>,
    /// What the source knows besides.
    pub evidence: BTreeMap<String, String>,
}

impl Told {
    /// That much, and nothing else yet.
    pub fn new(source: &str, kind: SignalKind, severity: Severity, detail: &str) -> Told {
        Told {
            kind,
            severity,
            at: None,
            source: plain(source),
            source_id: None,
            identity: None,
            mac: None,
            claimed: false,
            ips: Vec::new(),
            session: None,
            topic: String::new(),
            detail: plain(detail),
            half_life: None,
            evidence: BTreeMap::new(),
        }
    }

    /// Adds a piece of evidence, while there is room.
    pub fn evidence(&mut self, name: &str, value: &str) {
        if self.evidence.len() < MAX_EVIDENCE && !value.is_empty() {
            self.evidence.insert(plain(name), plain(value));
        }
    }
}

/// Why a signal is not taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Untimely {
    /// It is of a time that has not come.
    #[error("it is dated {0}, which lies ahead; set the clock of who sends it")]
    Ahead(Timestamp),
    /// It is too old.
    #[error("it is dated {0}, more than a day ago, and changes nothing any more")]
    Old(Timestamp),
}

/// Whether what is dated `at` may be taken in.
///
/// # Errors
/// See [`Untimely`].
pub fn timely(at: Timestamp, now: Timestamp) -> Result<(), Untimely> {
    if at > now + MAX_AHEAD {
        return Err(Untimely::Ahead(at));
    }
    if now.since(at) > MAX_AGE {
        return Err(Untimely::Old(at));
    }
    Ok(())
}

/// Text of others as it is kept: without control characters, and cut.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_another_time_is_refused() {
        let now = Timestamp::from_unix_secs(1_790_000_000);
        assert_eq!(timely(now + MAX_AHEAD, now), Ok(()));
        assert_eq!(timely(now - MAX_AGE, now), Ok(()));
        let ahead = now + MAX_AHEAD + Duration::from_secs(1);
        assert_eq!(timely(ahead, now), Err(Untimely::Ahead(ahead)));
        let old = now - MAX_AGE - Duration::from_secs(1);
        assert_eq!(timely(old, now), Err(Untimely::Old(old)));
    }

    #[test]
    fn texts_of_others_are_kept_plain_and_short() {
        assert_eq!(plain(" a\nb\u{7}c "), "a b c");
        assert_eq!(plain(&"x".repeat(10_000)).len(), MAX_TEXT);
    }

    #[test]
    fn codes_lead_back() {
        for severity in Severity::ALL {
            assert_eq!(Severity::from_code(severity.code()), Some(severity));
        }
    }
}
