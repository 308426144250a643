//! What runs there are, and room for more: each table has a bound of its own, and what has no room is told.

use super::budget::Budget;
use super::playbook::{Cause, Playbook};
use super::run::{Purpose, Run, State};
use crate::ids::RunId;
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Runs that are not over, of some 2 KiB each.
pub const MAX_OPEN: usize = 50_000;
/// Those of them against MAC addresses that are nobody's: anybody may show as many as they like, and must leave room for identities.
pub const MAX_OPEN_OF_MACS: usize = 5_000;
/// Runs that were taken back while their cause went on. Beyond it the earliest are forgotten, those against MAC addresses first: they
/// may begin anew for the same.
pub const MAX_MUTED: usize = 50_000;
/// Those whom dry runs were about. Beyond it nothing is said of others until causes are gone.
pub const MAX_REHEARSED: usize = 50_000;

/// A bound that was reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Limit {
    /// [`MAX_OPEN`]
    Open,
    /// [`MAX_OPEN_OF_MACS`]
    OpenOfMacs,
    /// [`MAX_MUTED`]
    Muted,
    /// [`MAX_REHEARSED`]
    Rehearsed,
    /// [`super::case::MAX_OPEN`] or [`super::case::MAX_OPEN_OF_MACS`]
    Cases,
}

impl Limit {
    /// The name that is counted by.
    pub const fn code(self) -> &'static str {
        match self {
            Limit::Open => "open_runs",
            Limit::OpenOfMacs => "open_runs_of_macs",
            Limit::Muted => "muted_runs",
            Limit::Rehearsed => "rehearsed_runs",
            Limit::Cases => "open_cases",
        }
    }

    /// What was dropped, and what to do.
    pub const fn told(self) -> &'static str {
        match self {
            Limit::Open => {
                "50,000 runs are not over, and no more are begun: release some, or resume with \"held\": \"drop\""
            }
            Limit::OpenOfMacs => {
                "5,000 runs against MAC addresses that are nobody's are not over, and no more are begun: let the playbook name kinds \
                 or groups"
            }
            Limit::Muted => {
                "50,000 runs were taken back while their cause went on; the earliest are forgotten, and may begin anew for the same"
            }
            Limit::Rehearsed => "dry runs were about 50,000 already, and nothing is said of others: end the trial",
            Limit::Cases => "there are too many open cases, and no more are opened: close some",
        }
    }
}

/// A playbook's name, and whom a run is against.
pub type Key = (String, Subject);

/// The runs.
#[derive(Debug, Default)]
pub struct Ledger {
    open: HashMap<Key, Run>,
    /// How many of those are against MAC addresses.
    open_of_macs: usize,
    muted: HashMap<Key, Run>,
    /// Those whom a dry run was about, as long as its cause goes on.
    rehearsed: HashSet<Key>,
    budgets: HashMap<String, Budget>,
    /// Playbooks that are gone, of which there are runs.
    gone: Vec<String>,
}

fn key_of(run: &Run) -> Key {
    (run.playbook.clone(), run.subject)
}

fn is_mac(subject: Subject) -> bool {
    matches!(subject, Subject::Mac(_))
}

impl Ledger {
    /// Takes in that a run had begun lately, before the server was started.
    pub fn recall_begun(&mut self, playbook: String, subject: Subject, at: Timestamp) {
        self.budgets.entry(playbook).or_default().recall(subject, at);
    }

    /// Takes in where a run stands. Whether that is new.
    pub fn put(&mut self, run: Run) -> bool {
        let key = key_of(&run);
        // What is over leaves a later run of the same where it is.
        let is_its = run.state.is_open() || self.open.get(&key).is_some_and(|open| open.id == run.id);
        let before = if is_its { self.remove(&key) } else { None };
        let news = before.is_none_or(|before| before.id != run.id || before.state != run.state);
        if run.state.is_open() {
            self.open_of_macs += usize::from(is_mac(run.subject));
            self.open.insert(key, run);
        } else if run.purpose == Purpose::DryRun {
            self.rehearsed.insert(key);
        } else if run.muted {
            self.muted.insert(key, run);
        }
        news
    }

    /// Forgets a run that has begun and could not be stored: it has used up nothing.
    pub fn forget(&mut self, run: &Run) {
        let key = key_of(run);
        if run.state == State::Running
            && let Some(budget) = self.budgets.get_mut(&run.playbook)
        {
            budget.give_back(run.subject);
        }
        self.remove(&key);
        self.rehearsed.remove(&key);
    }

    fn remove(&mut self, key: &Key) -> Option<Run> {
        let run = self.open.remove(key)?;
        self.open_of_macs -= usize::from(is_mac(run.subject));
        Some(run)
    }

    /// Takes in which playbooks there are now. Gives those that are gone, with how many runs of each go on.
    pub fn playbooks(&mut self, all: &[Playbook]) -> BTreeMap<String, usize> {
        // What was only said may be done now.
        self.rehearsed.clear();
        let is_gone = |name: &str| !all.iter().any(|playbook| *playbook.name == *name);
        let mut gone: BTreeMap<String, usize> = BTreeMap::new();
        for (name, _) in self.open.keys().filter(|(name, _)| is_gone(name)) {
            *gone.entry(name.clone()).or_default() += 1;
        }
        let muted = self.muted.keys().map(|(name, _)| name).filter(|name| is_gone(name));
        self.gone = gone.keys().chain(muted).cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        gone
    }

    /// Playbooks that are gone, of which there are runs.
    pub fn gone(&self) -> &[String] {
        &self.gone
    }

    /// How many runs that are not over have lost their playbook.
    pub fn count_orphaned(&self) -> usize {
        if self.gone.is_empty() { 0 } else { self.open.keys().filter(|(name, _)| self.gone.contains(name)).count() }
    }

    /// The run of a playbook against somebody that is not over.
    pub fn open_of(&self, key: &Key) -> Option<&Run> {
        self.open.get(key)
    }

    /// Those that are not over.
    pub fn open(&self) -> impl Iterator<Item = &Run> {
        self.open.values()
    }

    /// How many they are.
    pub fn count_open(&self) -> usize {
        self.open.len()
    }

    /// The one of this id that is not over.
    pub fn find(&self, id: RunId) -> Option<&Run> {
        self.open.values().find(|run| run.id == id)
    }

    /// Whether something goes on against somebody.
    pub fn is_open_against(&self, subject: Subject) -> bool {
        self.open.keys().any(|(_, other)| *other == subject)
    }

    /// Those that wait for an operator.
    pub fn held(&self) -> impl Iterator<Item = &Run> {
        self.open.values().filter(|run| matches!(run.state, State::Held { .. }))
    }

    /// The run that was taken back while its cause went on.
    pub fn muted_of(&self, key: &Key) -> Option<&Run> {
        self.muted.get(key)
    }

    /// That the cause is gone, or that there is another: it may begin anew. Gives the run that was taken back, to be stored.
    pub fn unmute(&mut self, key: &Key) -> Option<Run> {
        self.rehearsed.remove(key);
        self.muted.remove(key).map(|run| Run { muted: false, ..run })
    }

    /// Whether nothing is to begin for this cause: a run goes on, was only said, or was taken back since the cause came.
    pub fn is_settled(&self, key: &Key, cause: &Cause) -> bool {
        let same = |run: &Run| cause.at.is_none() || cause.at <= run.released();
        self.open.contains_key(key) || self.rehearsed.contains(key) || self.muted.get(key).is_some_and(same)
    }

    /// Whether one more has room.
    ///
    /// # Errors
    /// The bound that was reached.
    pub fn has_room(&self, playbook: &Playbook, subject: Subject) -> Result<(), Limit> {
        match playbook.mode {
            super::playbook::Mode::On => {
                if is_mac(subject) && self.open_of_macs >= MAX_OPEN_OF_MACS {
                    return Err(Limit::OpenOfMacs);
                }
                if self.open.len() >= MAX_OPEN { Err(Limit::Open) } else { Ok(()) }
            }
            _ if self.rehearsed.len() >= MAX_REHEARSED => Err(Limit::Rehearsed),
            _ => Ok(()),
        }
    }

    /// Begins a run against somebody, where `live` sessions go on. It is held where `stopped` says why, or the playbook has done enough.
    pub fn begin(
        &mut self,
        playbook: &Playbook,
        (subject, who): (Subject, String),
        (cause, live): (Cause, u64),
        stopped: Option<String>,
        now: Timestamp,
    ) -> Run {
        let mut run = Run::begin(playbook, subject, who, cause, false, now);
        if run.state == State::Running {
            let budget = self.budgets.entry(run.playbook.clone()).or_default();
            if let Some(why) = stopped {
                run.hold(why);
            } else if let Err(why) = budget.begin(&playbook.limits, subject, live, now) {
                run.hold(why);
            }
        }
        self.put(run.clone());
        run
    }

    /// Forgets what is too much of those that were taken back while their cause went on: they are to be stored.
    pub fn bound_muted(&mut self) -> Vec<Run> {
        let excess = self.muted.len().saturating_sub(MAX_MUTED);
        if excess == 0 {
            return Vec::new();
        }
        let mut keys: Vec<(bool, Option<Timestamp>, Key)> =
            self.muted.iter().map(|(key, run)| (!is_mac(key.1), run.released(), key.clone())).collect();
        keys.sort_unstable_by_key(|(is_identity, released, _)| (*is_identity, *released));
        keys.iter().take(excess).filter_map(|(_, _, key)| self.unmute(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::playbook::tests::playbook;
    use super::super::playbook::{Mode, Step, Trigger};
    use super::*;
    use crate::ids::IdentityId;
    use crate::inventory::mac::MacAddress;
    use std::time::Duration;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(1_790_000_000) + Duration::from_secs(secs)
    }

    fn cause(secs: u64) -> Cause {
        Cause { what: "a test".into(), at: Some(at(secs)), signals: Vec::new() }
    }

    fn identity(n: usize) -> Subject {
        Subject::Identity(IdentityId::of_name(&n.to_string()))
    }

    fn made_up(n: usize) -> Subject {
        Subject::Mac(MacAddress::new([2, 0, 0, (n >> 16) as u8, (n >> 8) as u8, n as u8]))
    }

    fn begin(ledger: &mut Ledger, of: &Playbook, subject: Subject, secs: u64) -> Result<Run, Limit> {
        ledger.has_room(of, subject)?;
        Ok(ledger.begin(of, (subject, String::new()), (cause(secs), 9), Some("a test".into()), at(secs)))
    }

    #[test]
    fn made_up_addresses_leave_room_for_identities_and_what_is_over_makes_room() {
        let (of, mut ledger) = (playbook(Trigger::NonCompliant, vec![Step::Disconnect]), Ledger::default());
        let mut first = None;
        for n in 0..MAX_OPEN_OF_MACS {
            let run = begin(&mut ledger, &of, made_up(n), 0).unwrap();
            first.get_or_insert(run);
        }
        assert_eq!(begin(&mut ledger, &of, made_up(MAX_OPEN_OF_MACS), 0), Err(Limit::OpenOfMacs));
        for n in 0..MAX_OPEN - MAX_OPEN_OF_MACS {
            begin(&mut ledger, &of, identity(n), 0).unwrap();
        }
        assert_eq!(begin(&mut ledger, &of, identity(MAX_OPEN), 0), Err(Limit::Open));
        let mut first = first.unwrap();
        first.release("anna", "looked at", at(1));
        assert!(ledger.put(first.clone()));
        assert!(begin(&mut ledger, &of, made_up(MAX_OPEN), 2).is_ok());
        assert_eq!((ledger.count_open(), ledger.held().count()), (MAX_OPEN, MAX_OPEN));
    }

    #[test]
    fn what_came_after_a_release_is_news_and_dry_runs_are_said_once() {
        let (of, mut ledger) = (playbook(Trigger::NonCompliant, vec![Step::Disconnect]), Ledger::default());
        let key = (of.name.to_string(), identity(1));
        let mut run = begin(&mut ledger, &of, identity(1), 0).unwrap();
        assert!(ledger.is_settled(&key, &cause(99)) && !ledger.put(run.clone()), "it goes on");
        run.release("anna", "looked at", at(10));
        run.muted = true;
        assert!(ledger.put(run));
        assert!(ledger.is_settled(&key, &cause(10)) && !ledger.is_settled(&key, &cause(11)));
        let state = Cause { at: None, ..cause(0) };
        assert!(ledger.is_settled(&key, &state), "a state that goes on is no news");
        assert!(ledger.unmute(&key).is_some_and(|run| !run.muted) && !ledger.is_settled(&key, &cause(10)));
        let dry = Playbook { mode: Mode::DryRun, ..of };
        for n in 0..MAX_REHEARSED {
            assert_eq!(begin(&mut ledger, &dry, identity(n), 0).map(|run| run.state.code()), Ok("rehearsed"));
        }
        assert_eq!(begin(&mut ledger, &dry, identity(MAX_REHEARSED), 0), Err(Limit::Rehearsed));
        assert!(ledger.is_settled(&key, &cause(0)) && ledger.playbooks(&[dry]).is_empty());
        assert!(!ledger.is_settled(&key, &cause(0)), "other playbooks may do what was said");
    }

    #[test]
    fn those_that_were_taken_back_are_bounded_the_earliest_addresses_first() {
        let (of, mut ledger) = (playbook(Trigger::NonCompliant, vec![Step::Disconnect]), Ledger::default());
        let mut mute = |subject: Subject, secs: u64| {
            let mut run = Run::begin(&of, subject, String::new(), cause(0), false, at(0));
            run.release("anna", "looked at", at(secs));
            run.muted = true;
            ledger.put(run);
            ledger.bound_muted()
        };
        for n in 0..MAX_MUTED - 1 {
            assert!(mute(identity(n), 0).is_empty());
        }
        assert!(mute(made_up(1), 5).is_empty());
        assert_eq!(mute(identity(MAX_MUTED), 9).iter().map(|run| run.subject).collect::<Vec<_>>(), [made_up(1)]);
        assert_eq!(mute(identity(MAX_MUTED + 1), 9).len(), 1);
    }

    #[test]
    fn runs_whose_playbook_is_gone_are_counted() {
        let (of, mut ledger) = (playbook(Trigger::NonCompliant, vec![Step::Disconnect]), Ledger::default());
        begin(&mut ledger, &of, identity(1), 0).unwrap();
        assert!(ledger.playbooks(std::slice::from_ref(&of)).is_empty() && ledger.count_orphaned() == 0);
        assert_eq!(ledger.playbooks(&[]), BTreeMap::from([("injected".to_owned(), 1)]));
        assert_eq!((ledger.count_orphaned(), ledger.gone()), (1, &["injected".to_owned()][..]));
        assert!(ledger.playbooks(&[of]).is_empty() && ledger.gone().is_empty());
    }
}
