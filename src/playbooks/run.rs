//! One run of a playbook against somebody, from its cause to its release.
//!
//! A run says what is to be done next, and is told what came of it. A step that fails does not keep the next from being
//! done: containing somebody matters more than telling about it.

use super::playbook::{Cause, Mode, Playbook, Step, Terms};
use crate::ids::RunId;
use crate::inventory::mac::MacAddress;
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest text of an outcome, in characters.
const MAX_TEXT: usize = 500;

/// What a run is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Something has happened.
    Real,
    /// Nothing is done: it says what would be.
    DryRun,
    /// Nothing has happened: an operator wants to see it work, against somebody who is named for it.
    Drill,
}

/// What came of a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It is still to be done.
    Waiting,
    /// It was done.
    Done {
        /// When.
        at: Timestamp,
        /// What was done, in words.
        detail: String,
    },
    /// It could not be done.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        detail: String,
    },
    /// It was not to be done: nothing is in a dry run, and a drill revokes nothing.
    Left,
}

impl Outcome {
    /// In words.
    pub fn told(&self) -> String {
        match self {
            Outcome::Waiting => "not yet".into(),
            Outcome::Done { at, detail } => format!("done at {at}, {detail}"),
            Outcome::Failed { at, detail } => format!("failed at {at}: {detail}"),
            Outcome::Left => "left".into(),
        }
    }
}

/// A step, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Done {
    /// The step.
    pub step: Step,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Where a run stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// Steps are to be done.
    Running,
    /// An operator has to look first.
    Held {
        /// Why.
        why: String,
    },
    /// All steps are done.
    Contained {
        /// Since when.
        at: Timestamp,
    },
    /// All steps were tried, and not all could be done.
    Failed {
        /// Since when.
        at: Timestamp,
    },
    /// It was taken back.
    Released {
        /// When.
        at: Timestamp,
        /// By whom.
        by: String,
        /// Why.
        why: String,
    },
    /// It was a dry run.
    Rehearsed {
        /// When.
        at: Timestamp,
    },
}

impl State {
    /// All names, in the order of a run's life.
    pub const CODES: [&str; 6] = ["running", "held", "contained", "failed", "released", "rehearsed"];

    /// Those of runs that are not over.
    pub const OPEN_CODES: [&str; 4] = ["running", "held", "contained", "failed"];

    /// The name that is stored and filtered by.
    pub const fn code(&self) -> &'static str {
        match self {
            State::Running => "running",
            State::Held { .. } => "held",
            State::Contained { .. } => "contained",
            State::Failed { .. } => "failed",
            State::Released { .. } => "released",
            State::Rehearsed { .. } => "rehearsed",
        }
    }

    /// Whether it is not over.
    pub const fn is_open(&self) -> bool {
        !matches!(self, State::Released { .. } | State::Rehearsed { .. })
    }
}

/// A run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The playbook's name.
    pub playbook: String,
    /// Against whom.
    #[serde(with = "as_text")]
    pub subject: Subject,
    /// What they are called.
    pub who: String,
    /// Why.
    pub cause: Cause,
    /// What it is for.
    pub purpose: Purpose,
    /// When the cause was noticed.
    pub began: Timestamp,
    /// What ends it, should its playbook be gone by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// What is done.
    pub steps: Vec<Done>,
    /// Whether it was taken back while its cause went on: then it does not begin anew for the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
}

impl Run {
    /// A run that begins. In a playbook that is dry it is over at once.
    pub fn begin(playbook: &Playbook, subject: Subject, who: String, cause: Cause, drill: bool, now: Timestamp) -> Run {
        let (purpose, outcome, state) = match playbook.mode {
            _ if drill => (Purpose::Drill, Outcome::Waiting, State::Running),
            Mode::On => (Purpose::Real, Outcome::Waiting, State::Running),
            Mode::Off | Mode::DryRun => (Purpose::DryRun, Outcome::Left, State::Rehearsed { at: now }),
        };
        let outcome_of = |step: &Step| match step {
            // What cannot be taken back is not done to try it.
            Step::Revoke if drill => Outcome::Left,
            _ => outcome.clone(),
        };
        let steps = playbook.steps.iter().map(|step| Done { step: step.clone(), outcome: outcome_of(step) }).collect();
        let (id, terms, playbook) = (RunId::new(now), Some(playbook.terms.clone()), playbook.name.to_string());
        Run { id, playbook, subject, who, cause, purpose, began: now, terms, steps, muted: false, state }
    }

    /// It waits for an operator.
    pub fn hold(&mut self, why: String) {
        if self.state == State::Running {
            self.state = State::Held { why };
        }
    }

    /// Goes on: what was held is done, and what has failed is tried again. Whether there is something to do.
    pub fn go_on(&mut self) -> bool {
        if !matches!(self.state, State::Held { .. } | State::Failed { .. }) {
            return false;
        }
        for done in &mut self.steps {
            if matches!(done.outcome, Outcome::Failed { .. }) {
                done.outcome = Outcome::Waiting;
            }
        }
        self.state = State::Running;
        true
    }

    /// The number of the step that is to be done next.
    pub fn next(&self) -> Option<(usize, &Step)> {
        if self.state != State::Running {
            return None;
        }
        let next = self.steps.iter().enumerate().find(|(_, done)| done.outcome == Outcome::Waiting);
        next.map(|(number, done)| (number, &done.step))
    }

    /// Takes in what came of a step: what was done, or why it failed.
    pub fn note(&mut self, number: usize, result: Result<String, String>, now: Timestamp) {
        let cut = |text: String| text.chars().take(MAX_TEXT).collect();
        if let Some(done) = self.steps.get_mut(number) {
            done.outcome = match result {
                Ok(detail) => Outcome::Done { at: now, detail: cut(detail) },
                Err(detail) => Outcome::Failed { at: now, detail: cut(detail) },
            };
        }
        if self.state == State::Running && self.next().is_none() {
            let failed = self.steps.iter().any(|done| matches!(done.outcome, Outcome::Failed { .. }));
            self.state = if failed { State::Failed { at: now } } else { State::Contained { at: now } };
        }
    }

    /// How many steps of this name are done.
    pub fn count_done(&self, code: &str) -> usize {
        let is_done = |done: &&Done| done.step.code() == code && matches!(done.outcome, Outcome::Done { .. });
        self.steps.iter().filter(is_done).count()
    }

    /// What ends it by itself, where its playbook is this one; or, where that is gone, what it began by. Nothing of what is not real,
    /// and of runs of those that were removed before runs kept this.
    pub fn terms<'a>(&'a self, playbook: Option<&'a Playbook>) -> Option<&'a Terms> {
        if self.purpose != Purpose::Real {
            return None;
        }
        playbook.map(|playbook| &playbook.terms).or(self.terms.as_ref())
    }

    /// It is over.
    pub fn release(&mut self, by: &str, why: &str, now: Timestamp) {
        if self.state.is_open() {
            let why = why.chars().take(MAX_TEXT).collect();
            self.state = State::Released { at: now, by: by.to_owned(), why };
        }
    }

    /// When it was taken back, if it was.
    pub fn released(&self) -> Option<Timestamp> {
        match &self.state {
            State::Released { at, .. } => Some(*at),
            _ => None,
        }
    }
}

/// Whom this text names: an identity by its id, or a MAC address.
pub fn subject_of(text: &str) -> Option<Subject> {
    text.parse().ok().map(Subject::Identity).or_else(|| MacAddress::parse(text).ok().map(Subject::Mac))
}

/// Somebody as text.
pub fn text_of(subject: Subject) -> String {
    match subject {
        Subject::Identity(id) => id.to_string(),
        Subject::Mac(mac) => mac.to_string(),
    }
}

mod as_text {
    use super::{Subject, subject_of, text_of};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(subject: &Subject, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text_of(*subject))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
        let text = String::deserialize(deserializer)?;
        subject_of(&text).ok_or_else(|| de::Error::custom("neither the id of an identity nor a MAC address"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::playbook::Trigger;
    use super::super::playbook::tests::playbook;
    use super::*;
    use crate::ids::IdentityId;
    use crate::signals::risk::Level;
    use std::time::Duration;

    fn now() -> Timestamp {
        Timestamp::from_unix_secs(1_790_000_000)
    }

    fn run(steps: Vec<Step>, drill: bool, mode: Mode) -> Run {
        let mut playbook = playbook(Trigger::NonCompliant, steps);
        playbook.mode = mode;
        let cause = Cause { what: "a test".into(), at: None, signals: Vec::new() };
        Run::begin(&playbook, Subject::Identity(IdentityId::of_name("coder")), "coder".into(), cause, drill, now())
    }

    fn steps() -> Vec<Step> {
        vec![Step::Quarantine { profile: "quarantine".into() }, Step::Suspend, Step::Webhook]
    }

    #[test]
    fn steps_are_done_one_after_the_other_and_what_was_changed_is_undone() {
        let mut run = run(steps(), false, Mode::On);
        assert_eq!(
            (run.purpose, run.next().map(|(n, step)| (n, step.code()))),
            (Purpose::Real, Some((0, "quarantine")))
        );
        run.note(0, Ok("done".into()), now());
        run.note(1, Ok("it was suspended before".into()), now());
        assert_eq!(run.next().map(|(n, _)| n), Some(2));
        run.note(2, Err("nobody listens".into()), now());
        assert_eq!((run.state.code(), run.next()), ("failed", None));
        assert_eq!((run.count_done("quarantine"), run.count_done("webhook")), (1, 0));
        assert!(run.go_on() && run.next().map(|(n, _)| n) == Some(2), "what has failed is tried again");
        run.note(2, Ok("told".into()), now());
        assert_eq!(run.state, State::Contained { at: now() });
        let stored: Run = serde_json::from_str(&serde_json::to_string(&run).unwrap()).unwrap();
        assert_eq!(stored, run);
        let mut changed = playbook(Trigger::Risk(Level::High), steps());
        assert_eq!(stored.terms(Some(&changed)), Some(&changed.terms), "as its playbook is now");
        changed.terms.trigger = Trigger::NonCompliant;
        assert_eq!(stored.terms(None), Some(&changed.terms), "as it was, when it is gone");
        let later = now() + Duration::from_secs(9);
        run.release("anna", "looked at", later);
        assert_eq!((run.released(), run.state.is_open()), (Some(later), false));
        assert!(!run.go_on() && run.next().is_none());
    }

    #[test]
    fn a_dry_run_does_nothing_and_what_is_held_waits() {
        let dry = run(steps(), false, Mode::DryRun);
        assert_eq!((dry.next(), dry.state.code(), dry.terms(None)), (None, "rehearsed", None));
        assert_eq!(run(steps(), true, Mode::Off).purpose, Purpose::Drill);
        let mut held = run(steps(), false, Mode::On);
        held.hold("too many".into());
        assert_eq!((held.next(), held.state.code()), (None, "held"));
        assert!(held.go_on() && held.next().is_some());
    }
}
