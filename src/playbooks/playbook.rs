//! Playbooks: what sets one off, for whom, what is done, and when it is taken back.

use crate::ids::SignalId;
use crate::inventory::identity::Identity;
use crate::operators::role::Permission;
use crate::posture::check::Check;
use crate::posture::compliance::{Status, Verdict};
use crate::signals::kind::SignalKind;
use crate::signals::risk::{Level, Risk};
use crate::signals::signal::Severity;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Signals that a cause names, at most.
const MAX_NAMED: usize = 8;

/// Whether a playbook does anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It does not even look.
    Off,
    /// It says what it would do.
    DryRun,
    /// It does it.
    #[default]
    On,
}

/// What sets a playbook off. It is a state, not an event: when it is so no more, the cause is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A signal of one of these kinds, at least so bad, that counts.
    Signal {
        /// The kinds.
        kinds: BTreeSet<SignalKind>,
        /// The least severity.
        severity: Severity,
    },
    /// A level of risk, or a higher one.
    Risk(Level),
    /// A verdict of all compliance policies.
    NonCompliant,
    /// One of these checks fails, and counts.
    Checks(BTreeSet<Check>),
}

/// One thing that is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", deny_unknown_fields)]
pub enum Step {
    /// Its profile takes the place of any other; taken back when the run is released.
    Quarantine {
        /// The profile.
        profile: String,
    },
    /// Its sessions are ended; it may log in again.
    Disconnect,
    /// The identity is suspended; taken back when the run is released.
    Suspend,
    /// The certificates that the server's own CA gave it are revoked. That is not taken back.
    Revoke,
    /// Webhooks that listen to `playbook.notify` are told.
    Webhook,
    /// Its owner, or these addresses, get an email.
    Notify {
        /// Addresses; the owner's, if none is named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        to: Vec<String>,
    },
    /// A case is opened for people to look into, with what is known as its evidence.
    Case {
        /// Its title; the cause, if none is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
}

impl Step {
    /// The name that is recorded.
    pub const fn code(&self) -> &'static str {
        match self {
            Step::Quarantine { .. } => "quarantine",
            Step::Disconnect => "disconnect",
            Step::Suspend => "suspend",
            Step::Revoke => "revoke",
            Step::Webhook => "webhook",
            Step::Notify { .. } => "notify",
            Step::Case { .. } => "case",
        }
    }

    /// What an operator needs to do it by hand, beyond writing playbooks: that of those who put it in force, too.
    pub const fn wants(&self) -> Option<Permission> {
        match self {
            Step::Quarantine { .. } | Step::Disconnect => Some(Permission::SessionsChange),
            Step::Suspend => Some(Permission::InventoryWrite),
            Step::Revoke => Some(Permission::CertificatesWrite),
            Step::Webhook | Step::Notify { .. } | Step::Case { .. } => None,
        }
    }

    /// Whether it keeps somebody from something.
    pub const fn contains(&self) -> bool {
        matches!(self, Step::Quarantine { .. } | Step::Disconnect | Step::Suspend | Step::Revoke)
    }
}

/// When a run is taken back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Release {
    /// When its cause is gone; else an operator does it.
    pub automatic: bool,
    /// Where a level is named, a risk below it counts as recovery, whatever signals there are.
    pub risk_below: Option<Level>,
    /// After this time, whatever the cause.
    pub after: Option<Duration>,
}

/// What a run begins by, and ends by: the run keeps it, so that it ends though its playbook is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Terms {
    /// What sets it off.
    pub trigger: Trigger,
    /// When it is taken back.
    pub release: Release,
}

/// How much a playbook may do before an operator is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Runs within the window.
    pub runs: u64,
    /// The same in percent of all sessions that go on; it counts beyond [`super::budget::FEW`]. Nothing where nobody is contained.
    pub percent: Option<u8>,
    /// The window.
    pub window: Duration,
}

/// Runs of a playbook that contains nobody, within the window, where it is not said: more cases or emails in ten minutes nobody reads,
/// and mail servers begin to refuse them.
const TELLING_RUNS: u64 = 200;
/// Runs of one that contains somebody: what a switch or a floor may have at once, and no mistake beyond it.
const CONTAINING_RUNS: u64 = 20;
/// The share of all sessions, in percent.
const CONTAINING_PERCENT: u8 = 10;
/// The window.
const WINDOW: Duration = Duration::from_secs(600);

impl Limits {
    /// Where a playbook says nothing else: those of one that contains somebody, or only tells.
    pub fn of(contains: bool) -> Limits {
        match contains {
            true => Limits { runs: CONTAINING_RUNS, percent: Some(CONTAINING_PERCENT), window: WINDOW },
            false => Limits { runs: TELLING_RUNS, percent: None, window: WINDOW },
        }
    }
}

/// A playbook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Playbook {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it does anything.
    pub mode: Mode,
    /// What sets it off, and when it is taken back.
    pub terms: Terms,
    /// For which kinds of identities; for all, and MAC addresses too that are nobody's, if none is named.
    pub kinds: BTreeSet<&'static str>,
    /// For members of one of these groups; for everybody, if none is named.
    pub groups: BTreeSet<Arc<str>>,
    /// For those whose attributes have these values.
    pub attributes: BTreeMap<String, String>,
    /// For those who are at one of these sites; wherever they are, if none is named.
    pub sites: BTreeSet<Arc<str>>,
    /// What is done, one after the other.
    pub steps: Vec<Step>,
    /// How much it may do.
    pub limits: Limits,
}

/// All playbooks in force, in the order in which they are written.
pub type Playbooks = Arc<[Playbook]>;

/// Why a playbook runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cause {
    /// In words.
    pub what: String,
    /// When the latest of it came; nothing of what is a state and no word.
    pub at: Option<Timestamp>,
    /// The signals that it is made of, the heaviest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalId>,
}

impl Playbook {
    /// Whether it is for this identity, or for a MAC address that is nobody's; sites apart.
    pub fn is_for(&self, identity: Option<&Identity>) -> bool {
        let Some(identity) = identity else {
            return self.kinds.is_empty() && self.groups.is_empty() && self.attributes.is_empty();
        };
        let has = |(name, value): (&String, &String)| {
            identity.attributes.iter().any(|(known, is)| **known == **name && **is == **value)
        };
        (self.kinds.is_empty() || self.kinds.contains(identity.kind.as_str()))
            && (self.groups.is_empty() || identity.groups.iter().any(|group| self.groups.contains(group)))
            && self.attributes.iter().all(has)
    }

    /// Whether it keeps somebody from something.
    pub fn contains(&self) -> bool {
        self.steps.iter().any(Step::contains)
    }
}

impl Terms {
    /// Why a run is to begin, or to go on; nothing when its cause is gone.
    pub fn cause(&self, risk: &Risk, verdict: Option<&Verdict>) -> Option<Cause> {
        if self.release.risk_below.is_some_and(|level| risk.level < level) && self.is_about_risk() {
            return None;
        }
        match &self.trigger {
            Trigger::Signal { kinds, severity } => {
                of_signals(risk, |kind, bad| kinds.contains(&kind) && bad >= *severity)
            }
            Trigger::Risk(level) if risk.level >= *level => {
                let cause = of_signals(risk, |_, _| true)?;
                Some(Cause { what: format!("its risk is {}: {}", risk.level.code(), cause.what), ..cause })
            }
            Trigger::Risk(_) => None,
            Trigger::NonCompliant => {
                let verdict = verdict.filter(|verdict| verdict.status == Status::NonCompliant)?;
                let failing: Vec<&str> = verdict.failing().map(Check::name).collect();
                Some(Cause {
                    what: format!("it is not compliant: {}", failing.join(", ")),
                    at: None,
                    signals: Vec::new(),
                })
            }
            Trigger::Checks(checks) => {
                let failing: Vec<&str> = verdict?.failing().filter(|c| checks.contains(c)).map(Check::name).collect();
                let what = format!("fails: {}", failing.join(", "));
                (!failing.is_empty()).then_some(Cause { what, at: None, signals: Vec::new() })
            }
        }
    }

    fn is_about_risk(&self) -> bool {
        matches!(self.trigger, Trigger::Signal { .. } | Trigger::Risk(_))
    }
}

fn of_signals(risk: &Risk, wanted: impl Fn(SignalKind, Severity) -> bool) -> Option<Cause> {
    let factors: Vec<_> = risk.factors.iter().map(|(factor, _)| factor).collect();
    let factors: Vec<_> = factors.into_iter().filter(|factor| wanted(factor.kind, factor.severity)).collect();
    let first = factors.first()?;
    let detail = if first.detail.is_empty() { String::new() } else { format!(": {}", first.detail) };
    let more = factors.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Some(Cause {
        what: format!("{} of {}{detail}{more}", first.kind, first.source),
        at: factors.iter().map(|factor| factor.received).max(),
        signals: factors.iter().take(MAX_NAMED).map(|factor| factor.id).collect(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ids::IdentityId;
    use crate::inventory::identity::IdentityKind;
    use crate::signals::risk::Factor;

    pub(in crate::playbooks) fn playbook(trigger: Trigger, steps: Vec<Step>) -> Playbook {
        Playbook {
            name: "injected".into(),
            mode: Mode::On,
            limits: Limits::of(steps.iter().any(Step::contains)),
            terms: Terms { trigger, release: Release { automatic: true, risk_below: None, after: None } },
            kinds: BTreeSet::from(["agent"]),
            groups: BTreeSet::new(),
            attributes: BTreeMap::new(),
            sites: BTreeSet::new(),
            steps,
        }
    }

    fn risk(level: Level, signals: &[(SignalKind, Severity)]) -> Risk {
        let at = Timestamp::from_unix_secs(1_790_000_000);
        let factor = |(kind, severity): &(SignalKind, Severity)| {
            let (source, topic, detail) = ("gateway".into(), String::new(), "a page".into());
            let (id, kind, severity) = (SignalId::new(at), *kind, *severity);
            (Factor { id, kind, severity, source, topic, at, received: at, detail, half_life: None }, 50.0)
        };
        Risk { level, score: 50.0, factors: signals.iter().map(factor).collect() }
    }

    #[test]
    fn a_signal_is_a_cause_from_its_severity_on_and_while_it_counts() {
        let kinds = BTreeSet::from([SignalKind::PromptInjection]);
        let mut terms = playbook(Trigger::Signal { kinds, severity: Severity::Medium }, vec![Step::Disconnect]).terms;
        let told = [(SignalKind::PromptInjection, Severity::High), (SignalKind::Malware, Severity::High)];
        let cause = terms.cause(&risk(Level::Medium, &told), None).unwrap();
        assert_eq!((cause.what.as_str(), cause.signals.len()), ("prompt_injection of gateway: a page", 1));
        assert_eq!(terms.cause(&risk(Level::High, &told[1..]), None), None);
        let mild = [(SignalKind::PromptInjection, Severity::Low)];
        assert_eq!(terms.cause(&risk(Level::High, &mild), None), None);
        terms.release.risk_below = Some(Level::Medium);
        assert!(terms.cause(&risk(Level::Medium, &told), None).is_some());
        assert_eq!(terms.cause(&risk(Level::Low, &told), None), None, "it has recovered");
        terms.trigger = Trigger::Risk(Level::High);
        assert_eq!(terms.cause(&risk(Level::Medium, &told), None), None);
        let cause = terms.cause(&risk(Level::High, &told), None).unwrap();
        assert_eq!(cause.what, "its risk is high: prompt_injection of gateway: a page (and 1 more)");
    }

    #[test]
    fn it_is_for_whom_it_names() {
        let mut playbook = playbook(Trigger::NonCompliant, Vec::new());
        let mut agent = Identity::new(IdentityId::of_name("coder"), IdentityKind::Agent, "coder");
        let device = Identity::new(IdentityId::of_name("laptop"), IdentityKind::Device, "laptop");
        assert!(playbook.is_for(Some(&agent)) && !playbook.is_for(Some(&device)) && !playbook.is_for(None));
        playbook.groups.insert("coders".into());
        assert!(!playbook.is_for(Some(&agent)));
        agent.groups = Arc::from([Arc::from("coders")]);
        assert!(playbook.is_for(Some(&agent)));
        playbook.attributes.insert("tier".into(), "1".into());
        assert!(!playbook.is_for(Some(&agent)));
        (playbook.kinds, playbook.groups, playbook.attributes) = Default::default();
        assert!(playbook.is_for(None), "for MAC addresses that are nobody's");
    }
}
