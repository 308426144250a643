//! Drills: a playbook carried out against somebody who is named for it, timed from the request to what the NAS answers, and
//! taken back.

use super::whose::Whose;
use super::{NotDone, Playbooks, who};
use crate::audit::event::By;
use crate::coa::life::{Fared, Life};
use crate::ids::{ChangeOrderId, IdentityId, SessionId};
use crate::playbooks::playbook::{Cause, Mode};
use crate::playbooks::run::Run;
use crate::signals::signal::Subject;
use crate::store::StoreError;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a drill waits for NASes to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(20);
/// After this nobody follows a drill any more that is not over: it is taken back.
pub(super) const DRILL_LIFE: Duration = Duration::from_secs(60);
/// Sessions of one identity that are followed.
const MAX_SESSIONS: usize = 50;

/// When each part of one session's change was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timing {
    /// The change.
    pub change: ChangeOrderId,
    /// The NAS.
    pub nas: String,
    /// When it was decided.
    pub decided: Timestamp,
    /// When the NAS was asked first.
    pub sent: Option<Timestamp>,
    /// When it confirmed.
    pub acked: Option<Timestamp>,
}

/// What a drill has shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The run, which is over.
    pub run: Run,
    /// When it was asked for, in place of something that is detected.
    pub detected: Timestamp,
    /// When all steps were done.
    pub contained: Option<Timestamp>,
    /// What became of each session.
    pub sessions: Vec<Timing>,
    /// How many sessions there were.
    pub live: usize,
}

impl Playbooks {
    /// Carries a playbook out against an identity, and takes it back; or, unless `enforce`, says what it would do.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn drill(&self, playbook: &str, id: IdentityId, enforce: bool, by: &By) -> Result<Report, NotDone> {
        let (snapshot, detected) = (self.0.engine.snapshot(), self.0.clock.now());
        let subject = Subject::Identity(id);
        let known = snapshot.playbooks.iter().find(|known| *known.name == *playbook);
        let unknown = || NotDone::Unknown(format!("there is no playbook called {playbook:?}"));
        let mut playbook = known.cloned().ok_or_else(unknown)?;
        let who = who(subject, &snapshot);
        let cause = Cause { what: format!("a drill that {} asked for", by.actor), at: None, signals: Vec::new() };
        if !enforce {
            playbook.mode = Mode::DryRun;
            let run = Run::begin(&playbook, subject, who, cause, false, detected);
            self.save(std::slice::from_ref(&run), true).await?;
            return Ok(Report { run, detected, contained: None, sessions: Vec::new(), live: 0 });
        }
        let run = Run::begin(&playbook, subject, who.clone(), cause, true, detected);
        let mut runs = self.0.runs.lock().await;
        if runs.is_open_against(subject) {
            return Err(NotDone::Unknown(format!("a playbook runs against {who} already")));
        }
        self.0.store.audit_run(&run, "playbook.drill", by, "", detected).await?;
        let whose = Whose::of(subject, &snapshot).ok_or_else(|| NotDone::Unknown("the identity is no more".into()))?;
        let sessions = whose.live_sessions(&self.0.store, MAX_SESSIONS, detected).await?;
        let sessions: Vec<_> = sessions.iter().map(|session| session.id).collect();
        let mut some = vec![run];
        let stopped = self.stopped();
        self.save(&some, true).await?;
        self.carry_out(&mut some, stopped.as_ref()).await;
        let contained = Some(self.0.clock.now());
        self.keep(&mut runs, some.clone()).await;
        // While NASes answer, what happens to others is not kept waiting.
        drop(runs);
        let timings = self.follow(&sessions, detected).await;
        let mut runs = self.0.runs.lock().await;
        // Somebody may have taken it back meanwhile. What cannot be taken back now is when it is looked at next.
        if runs.find(some[0].id).is_some() {
            let undone = self.undo(&mut some, by, "the drill is over", false).await;
            self.keep(&mut runs, some.clone()).await;
            undone?;
        }
        let run = some[0].clone();
        // What happened to it meanwhile was not looked at.
        self.0.again.store(true, Ordering::Relaxed);
        Ok(Report { run, detected, contained, sessions: timings?, live: sessions.len() })
    }

    /// Waits for what NASes answer to changes of these sessions.
    async fn follow(&self, sessions: &[SessionId], since: Timestamp) -> Result<Vec<Timing>, StoreError> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut lives: BTreeMap<SessionId, Vec<Life>> = BTreeMap::new();
            for life in self.0.store.changes_since(sessions, since).await? {
                lives.entry(life.order().session).or_default().push(life);
            }
            let is_over = |of: &[Life]| Self::is_over(&of.iter().collect::<Vec<_>>());
            let done = lives.len() >= sessions.len() && lives.values().all(|of| is_over(of));
            if done || tokio::time::Instant::now() >= until {
                return Ok(lives.values().filter_map(|of| timing(of)).collect());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Of the changes to one session that which was confirmed: a step may order one while another is due for the same, and one
/// takes the place of the other.
fn timing(lives: &[Life]) -> Option<Timing> {
    let acked = |life: &Life| {
        let acked = life.order().attempts.iter().find(|attempt| attempt.fared == Fared::Ack);
        acked.map(|attempt| attempt.over)
    };
    let confirmed = lives.iter().filter(|life| acked(life).is_some()).min_by_key(|life| acked(life));
    let life = confirmed.or(lives.last())?;
    let order = life.order();
    let sent = order.attempts.first().map(|attempt| attempt.at);
    Some(Timing { change: order.id, nas: order.nas_name.clone(), decided: order.created, sent, acked: acked(life) })
}
