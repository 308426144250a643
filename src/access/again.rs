//! What would be decided today about who was decided about before: the recorded
//! facts of the endpoint, and the inventory and rules of a snapshot.

use super::replay::facts_of;
use super::{Snapshot, identify};
use crate::audit::decision::Decision;
use crate::inventory::nas::NasMode;
use crate::policy::engine::Outcome;
use crate::policy::facts::AuthMethod;
use std::collections::{BTreeMap, BTreeSet};

/// What comes of a login, as far as people tell outcomes apart.
pub const DENIED: &str = "denied";

/// The same at a NAS that is only observed.
pub const OBSERVED: &str = "let in, since it is only observed";

/// The profile that `snapshot` grants, or [`DENIED`], or [`OBSERVED`]. `None` when the policy was
/// not asked at the time.
pub fn decide(decision: &Decision, snapshot: &Snapshot) -> Option<String> {
    let mut facts = facts_of(decision)?;
    let identified = match (facts.method, &facts.certificate, facts.mac) {
        (AuthMethod::EapTls, Some(leaf), _) => {
            identify::by_certificate(snapshot, leaf, facts.certificate_ca.as_deref(), decision.at)
        }
        (AuthMethod::Mab, _, Some(mac)) => identify::by_mac(snapshot, mac, decision.at),
        _ => return None,
    };
    // Over TLS a NAS is known by its certificate, wherever it asks from.
    let nas = snapshot.nas.named(&decision.nas_name).or_else(|| snapshot.nas.lookup(decision.nas_address));
    if nas.is_some_and(|nas| nas.mode == NasMode::Observe) {
        return Some(OBSERVED.into());
    }
    if identified.barred.is_some() {
        return Some(DENIED.into());
    }
    facts.principal = identified.principal;
    if let Some(nas) = nas {
        facts.nas_name = nas.name.clone();
        facts.nas_groups = nas.groups.clone();
        facts.site = nas.site.clone();
    }
    Some(match snapshot.policy.evaluate(&facts).outcome {
        Outcome::Permit { profile } => facts.granted(profile),
        other => short(&other),
    })
}

/// The profile's name, or [`DENIED`].
pub fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Permit { profile } => profile.clone(),
        Outcome::Deny | Outcome::NoRule | Outcome::Error => DENIED.into(),
    }
}

/// Who goes from one outcome to another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flow {
    /// How many decisions.
    pub decisions: u64,
    /// Whom they were about.
    pub who: BTreeSet<String>,
}

/// All flows, by old and new outcome.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flows {
    /// Decisions that could be asked again.
    pub asked: u64,
    /// Where the outcome differs.
    pub changed: BTreeMap<(String, String), Flow>,
}

impl Flows {
    /// Takes in what one decision was and would be.
    pub fn add(&mut self, decision: &Decision, old: String, new: String) {
        self.asked += 1;
        if old != new {
            let flow = self.changed.entry((old, new)).or_default();
            flow.decisions += 1;
            flow.who.insert(who(decision));
        }
    }

    /// Takes in the flows of other decisions.
    pub fn merge(&mut self, other: Flows) {
        self.asked += other.asked;
        for (change, flow) in other.changed {
            let into = self.changed.entry(change).or_default();
            into.decisions += flow.decisions;
            into.who.extend(flow.who);
        }
    }
}

/// The name under which people know the endpoint of a decision.
pub fn who(decision: &Decision) -> String {
    let identity = decision.identity.as_ref().map(|i| i.name.clone());
    identity.or_else(|| decision.mac.clone()).or_else(|| decision.outer_identity.clone()).unwrap_or_default()
}
