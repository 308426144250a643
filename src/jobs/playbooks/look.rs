//! Whose cause has come, and whose is gone.

use super::drill::DRILL_LIFE;
use super::whose::Whose;
use super::{Playbooks, who};
use crate::access::Snapshot;
use crate::audit::event::By;
use crate::playbooks::ledger::{Ledger, Limit};
use crate::playbooks::playbook::{Cause, Mode, Playbook, Terms};
use crate::playbooks::run::{Purpose, Run, State};
use crate::signals::signal::Subject;
use crate::store::playbooks::Stopped;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Sessions of one identity whose sites are looked at.
const MAX_SESSIONS: usize = 50;

impl Playbooks {
    /// Why a run by these terms is to begin against somebody, or to go on.
    fn cause(&self, terms: &Terms, subject: Subject, snapshot: &Snapshot, now: Timestamp) -> Option<Cause> {
        let identity = match subject {
            Subject::Identity(id) => Some(snapshot.identities.by_id(id)?),
            Subject::Mac(_) => None,
        };
        let risk = self.0.engine.risks().risk(subject, &snapshot.risk, now);
        let verdict = identity.map(|i| self.0.engine.posture().verdict(i, &snapshot.compliance, now));
        terms.cause(&risk, verdict.as_deref())
    }

    /// The same of a playbook, which is for some.
    fn cause_of(&self, playbook: &Playbook, subject: Subject, snapshot: &Snapshot, now: Timestamp) -> Option<Cause> {
        let identity = match subject {
            Subject::Identity(id) => Some(snapshot.identities.by_id(id)?),
            Subject::Mac(_) => None,
        };
        playbook.is_for(identity.map(AsRef::as_ref)).then(|| self.cause(&playbook.terms, subject, snapshot, now))?
    }

    /// Looks at some of whom something was noticed. How many runs have begun.
    pub(super) async fn look(&self, subjects: &[Subject], snapshot: &Arc<Snapshot>) -> usize {
        let now = self.0.clock.now();
        let mut runs = self.0.runs.lock().await;
        if snapshot.playbooks.is_empty() && runs.gone().is_empty() {
            return 0;
        }
        let (mut begun, mut recovered, mut unmuted, mut live) = (Vec::new(), Vec::new(), Vec::new(), None);
        let mut dropped: BTreeMap<Limit, usize> = BTreeMap::new();
        for subject in subjects {
            for name in runs.gone().to_vec() {
                let key = (name, *subject);
                let is_over = |run: &&Run| {
                    let terms = run.terms(None).filter(|terms| terms.release.automatic || run.muted);
                    terms.is_some_and(|terms| self.cause(terms, *subject, snapshot, now).is_none())
                };
                recovered.extend(runs.open_of(&key).filter(is_over).cloned());
                if runs.muted_of(&key).is_some_and(|run| is_over(&run)) {
                    unmuted.extend(runs.unmute(&key));
                }
            }
            for playbook in snapshot.playbooks.iter() {
                let key = (playbook.name.to_string(), *subject);
                let Some(cause) = self.cause_of(playbook, *subject, snapshot, now) else {
                    unmuted.extend(runs.unmute(&key));
                    let is_over = |run: &&Run| run.terms(Some(playbook)).is_some_and(|terms| terms.release.automatic);
                    recovered.extend(runs.open_of(&key).filter(is_over).cloned());
                    continue;
                };
                if playbook.mode == Mode::Off || runs.is_settled(&key, &cause) {
                    continue;
                }
                if let Err(limit) = runs.has_room(playbook, *subject) {
                    *dropped.entry(limit).or_default() += 1;
                    continue;
                }
                if !self.is_at(playbook, *subject, snapshot).await {
                    continue;
                }
                unmuted.extend(runs.unmute(&key));
                let live = match live {
                    Some(live) => live,
                    None => match self.0.store.count_live_sessions().await {
                        Ok(count) => *live.insert(count),
                        Err(error) => {
                            tracing::debug!(%error, "of how many sessions a playbook may hit a share cannot be read");
                            self.0.again.store(true, Ordering::Relaxed);
                            continue;
                        }
                    },
                };
                begun.push(self.begin(&mut runs, playbook, *subject, (cause, live), snapshot, now));
            }
        }
        for (limit, count) in dropped {
            self.drop_for(limit, count);
        }
        // What is not stored may begin no more after a restart than it may now.
        let _ = self.save(&unmuted, false).await;
        if !recovered.is_empty() {
            self.take_back(&mut runs, recovered, "its cause is gone", false).await;
        }
        let count = begun.len();
        // First that they run, so that a crash leaves nobody contained whom no run would release.
        if self.save(&begun, false).await.is_err() {
            for run in &begun {
                runs.forget(run);
            }
        } else if count > 0 {
            self.carry_out(&mut begun, None).await;
            self.keep(&mut runs, begun).await;
        }
        count
    }

    fn begin(
        &self,
        runs: &mut Ledger,
        playbook: &Playbook,
        subject: Subject,
        cause: (Cause, u64),
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Run {
        let stopped = self.stopped().as_ref().map(Stopped::why);
        let run = runs.begin(playbook, (subject, who(subject, snapshot)), cause, stopped, now);
        self.0.metrics.playbooks.run(&run.playbook, "begun");
        if let State::Held { why } = &run.state {
            self.0.metrics.playbooks.run(&run.playbook, run.state.code());
            tracing::warn!(playbook = run.playbook, who = run.who, "{why}: it waits for an operator");
        }
        run
    }

    /// Whether somebody is where a playbook is for.
    async fn is_at(&self, playbook: &Playbook, subject: Subject, snapshot: &Snapshot) -> bool {
        if playbook.sites.is_empty() {
            return true;
        }
        let Some(whose) = Whose::of(subject, snapshot) else { return false };
        let sessions = whose.live_sessions(&self.0.store, MAX_SESSIONS, self.0.clock.now()).await;
        let sessions = sessions.unwrap_or_else(|error| {
            tracing::warn!(%error, playbook = &*playbook.name, "where somebody is cannot be read");
            // Somebody may be where it is for: they are looked at again.
            self.0.again.store(true, Ordering::Relaxed);
            Vec::new()
        });
        sessions.iter().any(|session| {
            let site = snapshot.nas.named(&session.key.nas_name).and_then(|nas| nas.site.clone());
            site.is_some_and(|site| playbook.sites.contains(site.as_str()))
        })
    }

    /// Looks at runs that are not over: whose time is, and, if `all`, whose cause is gone.
    pub(super) async fn look_at_open(&self, snapshot: &Arc<Snapshot>, all: bool) {
        let now = self.0.clock.now();
        let mut runs = self.0.runs.lock().await;
        let mut states: BTreeMap<&'static str, usize> = State::OPEN_CODES.into_iter().map(|code| (code, 0)).collect();
        let (mut timed, mut gone, mut drills) = (Vec::new(), Vec::new(), Vec::new());
        for run in runs.open() {
            *states.entry(run.state.code()).or_default() += 1;
            if run.purpose == Purpose::Drill && now.since(run.began) >= DRILL_LIFE {
                drills.push(run.clone());
                continue;
            }
            let playbook = snapshot.playbooks.iter().find(|known| *known.name == *run.playbook);
            let Some(terms) = run.terms(playbook) else { continue };
            let cause = || match playbook {
                Some(playbook) => self.cause_of(playbook, run.subject, snapshot, now),
                None => self.cause(terms, run.subject, snapshot, now),
            };
            if terms.release.after.is_some_and(|after| run.began + after <= now) {
                timed.push(run.clone());
            } else if all && terms.release.automatic && cause().is_none() {
                gone.push(run.clone());
            }
        }
        let states: Vec<_> = states.into_iter().collect();
        self.0.metrics.playbooks.set_open(&states, runs.count_orphaned());
        self.0.metrics.playbooks.set_stopped(self.stopped().is_some());
        self.publish(&runs);
        for (some, why, muted) in [
            (timed, "its time is over", true),
            (gone, "its cause is gone", false),
            (drills, "the drill is over", false),
        ] {
            if !some.is_empty() {
                self.take_back(&mut runs, some, why, muted).await;
            }
        }
    }

    async fn take_back(&self, runs: &mut Ledger, mut some: Vec<Run>, why: &str, muted: bool) {
        if let Err(error) = self.undo(&mut some, &By::server(), why, muted).await {
            tracing::warn!(%error, "runs of playbooks are not taken back yet");
            self.0.again.store(true, Ordering::Relaxed);
        }
        self.keep(runs, some).await;
    }
}
