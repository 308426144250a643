//! Quarantine: who gets one profile in place of any that rules permit, whatever the policy says, until it is ended.
//!
//! Decisions read it: one look into a map, and none while nobody is contained. It never lets anybody in: who is denied
//! stays denied.

use crate::ids::{ContainmentId, RunId};
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Those who are in quarantine, at most: each is a few hundred octets.
pub const MAX_CONTAINED: usize = 200_000;
/// The name of the profile where none is said.
pub const PROFILE: &str = "quarantine";

/// A quarantine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Containment {
    /// Its id.
    pub id: ContainmentId,
    /// Who is in it.
    pub subject: Subject,
    /// The profile that takes the place of any other.
    pub profile: String,
    /// Why, in words.
    pub cause: String,
    /// Who has said so.
    pub by: String,
    /// The run of a playbook that ends it; one without is an operator's.
    pub run: Option<RunId>,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

impl Containment {
    /// Whether `other` takes its place: an operator has one word about somebody, and so has each run.
    fn is_renewed_by(&self, other: &Containment) -> bool {
        self.subject == other.subject && self.run == other.run
    }

    /// Whether it is more than the help desk may say: a run's word, or a profile of its own.
    pub fn is_beyond_help(&self) -> bool {
        self.run.is_some() || self.profile != PROFILE
    }

    /// Which one counts, the least first: an operator's profile, then what runs say, then what the help desk may say, so that
    /// it loosens nothing.
    fn rank(&self) -> (u8, Timestamp) {
        let rank = match (self.run, self.is_beyond_help()) {
            (None, true) => 0,
            (Some(_), _) => 1,
            (None, false) => 2,
        };
        (rank, self.since)
    }
}

/// That there is no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{MAX_CONTAINED} are in quarantine, and there is no room for more; release some")]
pub struct Full;

/// Who is in quarantine.
#[derive(Debug, Default)]
pub struct ContainmentTable {
    /// By whom, the earliest first. None of the lists is empty.
    all: RwLock<HashMap<Subject, Vec<Arc<Containment>>>>,
    count: AtomicUsize,
}

impl ContainmentTable {
    /// Whether `more` have room.
    ///
    /// # Errors
    /// When they have not.
    pub fn has_room(&self, more: usize) -> Result<(), Full> {
        if self.count.load(Ordering::Relaxed).saturating_add(more) > MAX_CONTAINED { Err(Full) } else { Ok(()) }
    }

    /// Takes one in; gives the one whose place it takes.
    pub fn set(&self, containment: Containment) -> Option<Arc<Containment>> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let of = all.entry(containment.subject).or_default();
        let place = of.iter().position(|known| known.is_renewed_by(&containment));
        let before = place.map(|place| of.remove(place));
        of.push(Arc::new(containment));
        of.sort_by_key(|known| known.rank());
        if before.is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        before
    }

    /// Ends one.
    pub fn end(&self, subject: Subject, id: ContainmentId) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let Some(of) = all.get_mut(&subject) else { return };
        let before = of.len();
        of.retain(|known| known.id != id);
        self.count.fetch_sub(before - of.len(), Ordering::Relaxed);
        if of.is_empty() {
            all.remove(&subject);
        }
    }

    /// The one that counts for whoever is all of these: a profile that an operator names before that of a run, that before
    /// an operator's [`PROFILE`], and the earliest of them.
    pub fn of(&self, subjects: &[Option<Subject>]) -> Option<Arc<Containment>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let first = subjects.iter().flatten().filter_map(|subject| all.get(subject)?.first());
        first.min_by_key(|known| known.rank()).cloned()
    }

    /// All of one, the one that counts first.
    pub fn all_of(&self, subject: Subject) -> Vec<Arc<Containment>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&subject).cloned().unwrap_or_default()
    }

    /// All of them, in no order.
    pub fn all(&self) -> Vec<Arc<Containment>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.values().flatten().cloned().collect()
    }

    /// Those whose time is over.
    pub fn overdue(&self, now: Timestamp) -> Vec<Arc<Containment>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let due = |known: &&Arc<Containment>| known.until.is_some_and(|until| until <= now);
        all.values().flatten().filter(due).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdentityId;
    use crate::inventory::mac::MacAddress;
    use std::time::Duration;

    fn containment(subject: Subject, run: Option<RunId>, profile: &str, secs: u64) -> Containment {
        let since = Timestamp::from_unix_secs(1_790_000_000) + Duration::from_secs(secs);
        Containment {
            id: ContainmentId::new(since),
            subject,
            profile: profile.into(),
            cause: "a test".into(),
            by: "anna".into(),
            run,
            since,
            until: Some(since + Duration::from_secs(60)),
        }
    }

    #[test]
    fn the_help_desk_loosens_no_run_and_each_ends_what_is_theirs() {
        let table = ContainmentTable::default();
        let somebody = Subject::Identity(IdentityId::of_name("coder"));
        let mac = Subject::Mac(MacAddress::new([2, 0, 0x5e, 0, 0, 1]));
        assert_eq!(table.of(&[Some(somebody)]), None);
        let run = Some(RunId::of_name("run"));
        let (by_run, by_hand) = (containment(somebody, run, "walled", 0), containment(somebody, None, "quarantine", 5));
        assert_eq!(table.set(by_run.clone()), None);
        assert_eq!(table.set(by_hand.clone()), None);
        let profile = |subjects: &[Option<Subject>]| table.of(subjects).map(|known| known.profile.clone());
        assert_eq!(profile(&[None, Some(somebody)]).as_deref(), Some("walled"));
        let of_mac = containment(mac, None, "quarantine", 0);
        table.set(of_mac.clone());
        assert_eq!(profile(&[Some(mac), Some(somebody)]).as_deref(), Some("walled"), "the lists are one");
        assert!(by_run.is_beyond_help() && !by_hand.is_beyond_help());
        table.end(mac, of_mac.id);
        assert_eq!(profile(&[None, Some(mac)]), None);
        // The same word again renews it.
        let again = containment(somebody, None, "other", 9);
        assert_eq!(table.set(again.clone()).as_deref(), Some(&by_hand));
        assert_eq!((table.all_of(somebody).len(), profile(&[Some(somebody)]).as_deref()), (2, Some("other")));
        assert_eq!(table.overdue(by_run.since + Duration::from_secs(60)).len(), 1);
        table.end(somebody, again.id);
        assert_eq!(profile(&[Some(somebody)]).as_deref(), Some("walled"));
        table.end(somebody, by_run.id);
        assert!(table.all().is_empty() && table.of(&[Some(somebody)]).is_none() && table.has_room(1).is_ok());
        assert_eq!(table.has_room(MAX_CONTAINED + 1), Err(Full));
    }
}
