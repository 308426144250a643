//! Runs of playbooks, counted.

use super::StateLabel;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    playbook: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

/// What is counted of playbooks. Their names come from the inventory, all else from closed lists.
#[derive(Debug, Default)]
pub struct PlaybookMetrics {
    runs: Family<RunLabels, Counter>,
    steps: Family<StepLabels, Counter>,
    dropped: Family<LimitLabel, Counter>,
    open: Family<StateLabel, Gauge>,
    orphaned: Gauge,
    stopped: Gauge,
}

impl PlaybookMetrics {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("playbook_runs", "Runs of playbooks, by what became of them", self.runs.clone());
        r.register("playbook_steps", "Steps of runs that were tried, by what came of them", self.steps.clone());
        r.register("playbook_dropped", "What was dropped for want of room, by the bound", self.dropped.clone());
        r.register("playbook_runs_open", "Runs that are not over; held ones wait for an operator", self.open.clone());
        r.register(
            "playbook_runs_orphaned",
            "Runs that are not over and whose playbook is gone",
            self.orphaned.clone(),
        );
        r.register("playbooks_stopped", "Whether all playbooks are stopped: 1 if they are", self.stopped.clone());
    }

    /// A run of this playbook was "begun", or has come to a state: "held", "contained", "failed", "released" or "rehearsed".
    pub fn run(&self, playbook: &str, outcome: &'static str) {
        self.runs.get_or_create(&RunLabels { playbook: playbook.to_owned(), outcome }).inc();
    }

    /// A step was tried.
    pub fn step(&self, step: &'static str, done: bool) {
        let result = if done { "done" } else { "failed" };
        self.steps.get_or_create(&StepLabels { step, result }).inc();
    }

    /// So much was dropped at this bound.
    pub fn dropped(&self, limit: &'static str, count: u64) {
        self.dropped.get_or_create(&LimitLabel { limit }).inc_by(count);
    }

    /// How many runs that are not over stand in each state, and how many have lost their playbook.
    pub fn set_open(&self, states: &[(&'static str, usize)], orphaned: usize) {
        for (state, count) in states {
            self.open.get_or_create(&StateLabel { state }).set(*count as i64);
        }
        self.orphaned.set(orphaned as i64);
    }

    /// Whether all are stopped.
    pub fn set_stopped(&self, stopped: bool) {
        self.stopped.set(i64::from(stopped));
    }
}
