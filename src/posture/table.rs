//! The posture of everybody that is known, in memory: reports go in, verdicts come out.
//!
//! Decisions read it, so that a lookup is one lock of one part and no judgement, unless the verdict's own time
//! has come. It holds identities of the inventory alone, and is so bounded by it.

use super::compliance::{CompliancePolicy, FailingSince, Status, Verdict, judge};
use super::report::{Refused, Report};
use super::standing::{Standing, Taken};
use crate::ids::IdentityId;
use crate::inventory::identity::Identity;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parts that are locked apart from one another, so that reports and logins seldom wait for each other.
const PARTS: usize = 64;

/// The policies in force. Another list is another value: verdicts know by which they were reached.
pub type Policies = Arc<[CompliancePolicy]>;

/// What is stored of one identity.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// What was reported.
    pub standing: Standing,
    /// Since when checks fail.
    pub failing: FailingSince,
}

#[derive(Debug)]
struct Known {
    kept: Kept,
    verdict: Arc<Verdict>,
    /// By which policies it was judged.
    by: Policies,
}

/// What a report, or the time, has come to.
#[derive(Clone, Debug)]
pub struct Judged {
    /// How it was before; nothing if nothing was known.
    pub before: Option<Arc<Verdict>>,
    /// How it is now.
    pub now: Arc<Verdict>,
}

impl Judged {
    /// Whether rules may come to something else.
    pub fn differs(&self) -> bool {
        self.before.as_ref().is_none_or(|before| !before.is_like(&self.now))
    }
}

/// Everybody's posture.
#[derive(Debug)]
pub struct PostureTable {
    parts: Vec<Mutex<HashMap<IdentityId, Known>>>,
    /// When verdicts may change though nothing is reported.
    due: Mutex<BTreeSet<(Timestamp, IdentityId)>>,
}

impl Default for PostureTable {
    fn default() -> Self {
        Self { parts: (0..PARTS).map(|_| Mutex::default()).collect(), due: Mutex::default() }
    }
}

/// A lock is poisoned only by a panic, which left no half-made change here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PostureTable {
    fn part(&self, id: IdentityId) -> MutexGuard<'_, HashMap<IdentityId, Known>> {
        // The last octets of an id are random, or of a digest.
        let last = id.as_bytes().last().copied().unwrap_or_default();
        locked(&self.parts[usize::from(last) % PARTS])
    }

    /// Takes in what was stored, when the server starts. The identity's verdict is reached when it is asked for, or
    /// soon by [`PostureTable::overdue`].
    pub fn recall(&self, id: IdentityId, kept: Kept, now: Timestamp) {
        let nobody: Policies = Arc::new([]);
        let verdict = Arc::new(judge([], &kept.standing, &mut FailingSince::new(), now));
        self.part(id).insert(id, Known { kept, verdict, by: nobody });
        locked(&self.due).insert((now, id));
    }

    /// Takes a report of `identity` in.
    ///
    /// # Errors
    /// See [`Refused`]; then nothing is changed. `Ok(None)`: it is the same report again.
    pub fn take(
        &self,
        report: &Report,
        identity: &Identity,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Option<Judged>, Refused> {
        let mut part = self.part(identity.id);
        let known = part.get(&identity.id);
        let before = known.map(|known| known.verdict.clone());
        let mut kept = known.map(|known| known.kept.clone()).unwrap_or_default();
        if kept.standing.take(report, now)? == Taken::Repeated {
            return Ok(None);
        }
        Ok(Some(self.judged(&mut part, kept, before, identity, policies, now)))
    }

    fn judged(
        &self,
        part: &mut HashMap<IdentityId, Known>,
        mut kept: Kept,
        before: Option<Arc<Verdict>>,
        identity: &Identity,
        policies: &Policies,
        now: Timestamp,
    ) -> Judged {
        let mine = policies.iter().filter(|policy| policy.is_for(identity));
        let verdict = Arc::new(judge(mine, &kept.standing, &mut kept.failing, now));
        let mut due = locked(&self.due);
        if let Some(at) = before.as_ref().and_then(|before| before.until) {
            due.remove(&(at, identity.id));
        }
        if let Some(at) = verdict.until {
            due.insert((at, identity.id));
        }
        drop(due);
        let known = Known { kept, verdict: verdict.clone(), by: policies.clone() };
        part.insert(identity.id, known);
        Judged { before, now: verdict }
    }

    /// How an identity stands. Somebody of whom nothing was ever reported is judged too. What the time or other policies
    /// have changed is answered and not noted: [`PostureTable::again`] does, so that its sessions are looked at.
    pub fn verdict(&self, identity: &Identity, policies: &Policies, now: Timestamp) -> Arc<Verdict> {
        let part = self.part(identity.id);
        let fresh = |standing: &Standing, mut failing: FailingSince| {
            let mine = policies.iter().filter(|policy| policy.is_for(identity));
            Arc::new(judge(mine, standing, &mut failing, now))
        };
        match part.get(&identity.id) {
            Some(known) if Arc::ptr_eq(&known.by, policies) && known.verdict.until.is_none_or(|until| now < until) => {
                known.verdict.clone()
            }
            Some(known) => fresh(&known.kept.standing, known.kept.failing.clone()),
            None => fresh(&Standing::default(), FailingSince::new()),
        }
    }

    /// What is known of an identity.
    pub fn kept(&self, id: IdentityId) -> Option<Kept> {
        self.stored(id).map(|(kept, _)| kept)
    }

    /// The same, with how it was judged last: what is to be stored.
    pub fn stored(&self, id: IdentityId) -> Option<(Kept, Status)> {
        self.part(id).get(&id).map(|known| (known.kept.clone(), known.verdict.status))
    }

    /// Identities whose verdicts may have changed by the time alone, at most so many.
    pub fn overdue(&self, most: usize, now: Timestamp) -> Vec<IdentityId> {
        let mut due = locked(&self.due);
        let mut ids = Vec::new();
        while ids.len() < most && due.first().is_some_and(|(at, _)| *at <= now) {
            ids.extend(due.pop_first().map(|(_, id)| id));
        }
        ids
    }

    /// Judges an identity again, because of the time or of other policies. Nothing if nothing is known of it.
    pub fn again(&self, identity: &Identity, policies: &Policies, now: Timestamp) -> Option<Judged> {
        let mut part = self.part(identity.id);
        let known = part.get(&identity.id)?;
        let (kept, before) = (known.kept.clone(), known.verdict.clone());
        Some(self.judged(&mut part, kept, Some(before), identity, policies, now))
    }

    /// Everybody of whom something is known.
    pub fn ids(&self) -> Vec<IdentityId> {
        self.parts.iter().flat_map(|part| locked(part).keys().copied().collect::<Vec<_>>()).collect()
    }

    /// How many stand how.
    pub fn counts(&self) -> HashMap<Status, usize> {
        let mut counts = HashMap::new();
        for part in &self.parts {
            for known in locked(part).values() {
                *counts.entry(known.verdict.status).or_default() += 1;
            }
        }
        counts
    }

    /// Forgets an identity that is no more.
    pub fn forget(&self, id: IdentityId) {
        self.part(id).remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::identity::IdentityKind;
    use crate::posture::check::{Check, Value};
    use crate::posture::compliance::{Condition, Requirement, Severity};
    use crate::posture::report::{Observed, Source};
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(1_790_000_000 + secs)
    }

    fn policies() -> Policies {
        Arc::new([CompliancePolicy {
            name: "laptops".into(),
            kinds: BTreeSet::new(),
            groups: BTreeSet::new(),
            requirements: vec![Requirement {
                check: Check::Firewall,
                condition: Condition::Is(Value::Flag(true)),
                severity: Severity::Critical,
                grace: Duration::ZERO,
                remedy: None,
            }],
        }])
    }

    fn laptop() -> Identity {
        Identity::new(IdentityId::of_name("laptop-1"), IdentityKind::Device, "laptop-1")
    }

    fn firewall(secs: i64, on: bool) -> Report {
        let observed = Observed { value: Value::Flag(on), ttl_secs: 60 };
        let checks = BTreeMap::from([(Check::Firewall, observed)]);
        Report { identity: laptop().id, source: Source::Endpoint, at: at(secs), checks }
    }

    #[test]
    fn a_report_changes_the_verdict_at_once_and_time_makes_it_unknown() {
        let (table, policies, laptop) = (PostureTable::default(), policies(), laptop());
        assert_eq!(table.verdict(&laptop, &policies, at(0)).status, Status::Unknown);
        let first = table.take(&firewall(0, true), &laptop, &policies, at(0)).unwrap().unwrap();
        assert!(first.differs() && first.now.status == Status::Compliant);
        assert!(table.take(&firewall(0, true), &laptop, &policies, at(1)).unwrap().is_none());
        let renewed = table.take(&firewall(10, true), &laptop, &policies, at(10)).unwrap().unwrap();
        assert!(!renewed.differs());
        let off = table.take(&firewall(20, false), &laptop, &policies, at(20)).unwrap().unwrap();
        assert!(off.differs() && off.now.status == Status::NonCompliant);
        assert_eq!(table.overdue(10, at(79)), []);
        assert_eq!(table.overdue(10, at(80)), [laptop.id]);
        let stale = table.again(&laptop, &policies, at(80)).unwrap();
        assert!(stale.differs() && stale.now.status == Status::Unknown);
        assert_eq!(table.counts(), HashMap::from([(Status::Unknown, 1)]));
    }

    #[test]
    fn other_policies_are_other_verdicts() {
        let (table, laptop) = (PostureTable::default(), laptop());
        table.take(&firewall(0, false), &laptop, &policies(), at(0)).unwrap();
        let lenient: Policies = Arc::new([CompliancePolicy { requirements: vec![], ..policies()[0].clone() }]);
        assert_eq!(table.verdict(&laptop, &lenient, at(1)).status, Status::Compliant);
        assert_eq!(table.verdict(&laptop, &policies(), at(2)).status, Status::NonCompliant);
    }

    #[test]
    fn what_was_stored_is_judged_when_it_is_asked_for() {
        let (table, policies, laptop) = (PostureTable::default(), policies(), laptop());
        table.take(&firewall(0, true), &laptop, &policies, at(0)).unwrap();
        let kept = table.kept(laptop.id).unwrap();
        let text = serde_json::to_string(&kept).unwrap();
        let again = PostureTable::default();
        again.recall(laptop.id, serde_json::from_str(&text).unwrap(), at(5));
        assert_eq!(again.verdict(&laptop, &policies, at(6)).status, Status::Compliant);
        // That somebody has asked is not that it was told.
        assert_eq!(again.overdue(10, at(6)), [laptop.id]);
        assert!(again.again(&laptop, &policies, at(6)).unwrap().differs());
        assert_eq!(again.kept(laptop.id), Some(kept));
        again.forget(laptop.id);
        assert_eq!(again.ids(), []);
    }
}
