//! The steps of runs, carried out, and undone.

use super::Playbooks;
use super::whose::Whose;
use crate::audit::event::{By, Origin};
use crate::coa::life::Life;
use crate::enforcement::coa::Wish;
use crate::ids::{CaseId, ContainmentId, IdentityId};
use crate::jobs::asked::{Asked, ask_many, meant};
use crate::playbooks::case::Case;
use crate::playbooks::containment::Containment;
use crate::playbooks::ledger::Limit;
use crate::playbooks::playbook::Step;
use crate::playbooks::run::Run;
use crate::signals::signal::Subject;
use crate::store::StoreError;
use crate::store::playbooks::Stopped;
use crate::store::read::SessionFilter;
use crate::webhooks::message::Message;
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// As the author of what a playbook does.
pub(super) fn author(run: &Run) -> By {
    By { actor: format!("playbook {}", run.playbook), role: None, origin: Origin::Server }
}

fn of_identity(run: &Run) -> Result<IdentityId, String> {
    match run.subject {
        Subject::Identity(id) => Ok(id),
        Subject::Mac(_) => Err("the MAC address is nobody's, and there is no identity to do that to".into()),
    }
}

impl Playbooks {
    /// Carries out what is to be done next, until nothing is, or until all are stopped: before each step it is looked whether they are,
    /// beyond the stop that is `known`. Quarantines that several runs begin are one transaction and one look at sessions.
    pub(super) async fn carry_out(&self, runs: &mut [Run], known: Option<&Stopped>) {
        loop {
            self.heed(runs, known);
            let (mut contained, mut containments) = (Vec::new(), Vec::new());
            let now = self.0.clock.now();
            for (place, run) in runs.iter().enumerate() {
                if let Some((number, Step::Quarantine { profile })) = run.next() {
                    contained.push((place, number));
                    containments.push(Containment {
                        id: ContainmentId::new(now),
                        subject: run.subject,
                        profile: profile.clone(),
                        cause: run.cause.what.clone(),
                        by: format!("playbook {}", run.playbook),
                        run: Some(run.id),
                        since: now,
                        until: None,
                    });
                }
            }
            if !containments.is_empty() {
                let by = match contained.as_slice() {
                    [(place, _)] => runs.get(*place).map_or_else(By::server, author),
                    _ => By { actor: "playbooks".into(), ..By::server() },
                };
                let begun = self.0.containments.begin(containments, &by).await.map_err(|e| e.to_string());
                let now = self.0.clock.now();
                for (place, number) in contained {
                    self.0.metrics.playbooks.step("quarantine", begun.is_ok());
                    let result = begun.clone().map(|()| "it is in quarantine".to_owned());
                    runs[place].note(number, result, now);
                }
                continue;
            }
            for run in runs.iter_mut() {
                self.heed(std::slice::from_mut(run), known);
                if let Some((number, step)) = run.next().map(|(number, step)| (number, step.clone())) {
                    let result = self.step(run, &step).await;
                    self.0.metrics.playbooks.step(step.code(), result.is_ok());
                    run.note(number, result, self.0.clock.now());
                }
            }
            if runs.iter().all(|run| run.next().is_none()) {
                return;
            }
            // A crash repeats no more than one step of each. What cannot be stored is no reason to contain nobody.
            let _ = self.save(runs, false).await;
        }
    }

    /// Holds what is still to be done, if all were stopped since.
    fn heed(&self, runs: &mut [Run], known: Option<&Stopped>) {
        let stopped = self.0.stopped.borrow();
        if let Some(stopped) = stopped.as_ref().filter(|stopped| Some(*stopped) != known) {
            for run in runs.iter_mut() {
                run.hold(stopped.why());
            }
        }
    }

    /// Carries out one step: what was done, or why it was not.
    async fn step(&self, run: &Run, step: &Step) -> Result<String, String> {
        let (by, reason) = (author(run), run.cause.what.as_str());
        match step {
            // All of them at once, above.
            Step::Quarantine { .. } => Err("it was not begun".into()),
            Step::Disconnect => self.disconnect(run, &by).await.map(|count| format!("{count} sessions are ended")),
            Step::Suspend => {
                let id = of_identity(run)?;
                let ours = self.0.barring.suspend(id, run.id, &by, reason).await?;
                Ok(if ours { "it is suspended" } else { "its status bars it already" }.into())
            }
            Step::Revoke => {
                let count = self.0.barring.revoke(of_identity(run)?, &by, reason).await?;
                Ok(format!("{count} certificates are revoked"))
            }
            Step::Webhook => {
                let message = Message::of_run(run, "notify", self.0.clock.now());
                self.0.store.save_runs(&[], &[message]).await.map_err(|e| e.to_string())?;
                Ok("webhooks that listen to playbook.notify are told".into())
            }
            Step::Notify { to } => self.notify(run, to),
            Step::Case { title } => self.open_case(run, title.clone(), &by).await.map(|id| format!("case {id}")),
        }
    }

    async fn disconnect(&self, run: &Run, by: &By) -> Result<usize, String> {
        let (store, snapshot, now) = (&self.0.store, self.0.engine.snapshot(), self.0.clock.now());
        let whose = Whose::of(run.subject, &snapshot).ok_or("the identity is no more")?;
        let (identity, mac) = whose.names();
        let filter = SessionFilter { identity, mac, ..SessionFilter::default() };
        let mut meant = meant(store, &snapshot, &filter, None, now).await.map_err(|e| e.to_string())?;
        meant.sessions.retain(|session| whose.has(session));
        if meant.sessions.is_empty() {
            return Ok(0);
        }
        let why = run.cause.what.clone();
        let asked = Asked { wish: Wish::Disconnect, fallback: true, by: by.clone(), why };
        let placed = ask_many(store, &snapshot, &meant.sessions, &asked, false, now).await;
        placed.map_err(|e| e.to_string())?;
        self.0.wake.wake();
        Ok(meant.sessions.len())
    }

    async fn open_case(&self, run: &Run, title: Option<String>, by: &By) -> Result<CaseId, String> {
        // A crash may have come before it was stored that this one is open.
        let open = self.0.store.cases_of(run.id).await.map_err(|e| e.to_string())?;
        if let Some(case) = open.get(run.count_done("case")) {
            return Ok(*case);
        }
        let evidence = self.evidence(run.subject, Some(run.id)).await.map_err(|e| e.to_string())?;
        let now = self.0.clock.now();
        let case = Case {
            id: CaseId::new(now),
            title: title.unwrap_or_else(|| run.cause.what.clone()),
            identity: of_identity(run).ok(),
            who: run.who.clone(),
            run: Some(run.id),
            opened: now,
            by: by.actor.clone(),
            closed: None,
            comments: Vec::new(),
        };
        let opened = self.0.store.open_case(&case, &evidence, by).await.map_err(|e| e.to_string())?;
        opened.map(|()| case.id).map_err(|no_room| {
            self.drop_for(Limit::Cases, 1);
            no_room.to_string()
        })
    }

    /// Takes back what runs have done, and ends them. One that cannot be undone goes on.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub(super) async fn undo(&self, runs: &mut [Run], by: &By, why: &str, muted: bool) -> Result<(), StoreError> {
        // Whatever their outcomes say: a crash may have come before they were stored.
        let contained: HashSet<_> = runs.iter().map(|run| run.id).collect();
        let table = self.0.engine.containments();
        let of_runs = runs.iter().flat_map(|run| table.all_of(run.subject));
        let ours: Vec<_> = of_runs.filter(|known| known.run.is_some_and(|id| contained.contains(&id))).collect();
        self.0.containments.end(&ours, by, why).await?;
        for run in runs.iter_mut() {
            if run.steps.iter().any(|done| done.step == Step::Suspend)
                && let Ok(id) = of_identity(run)
                && let Err(error) = self.0.barring.lift(id, run.id, by, why).await
            {
                tracing::warn!(run = %run.id, who = run.who, "its suspension is not taken back yet: {error}");
                self.0.again.store(true, Ordering::Relaxed);
                continue;
            }
            let now = self.0.clock.now();
            run.release(&by.actor, why, now);
            run.muted = muted;
            for case in self.0.store.cases_of(run.id).await? {
                let said = format!("{} was released: {why}", run.who);
                let told = self.0.store.change_case(case, by, now, |case| {
                    case.say(&by.actor, &said, now);
                    Ok(("case.comment", String::new()))
                });
                told.await?;
            }
        }
        Ok(())
    }

    /// Whether the changes that a run has asked of sessions are over.
    pub(super) fn is_over(lives: &[&Life]) -> bool {
        !lives.is_empty() && lives.iter().all(|life| matches!(life, Life::Over(_)))
    }
}
