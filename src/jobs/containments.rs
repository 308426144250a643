//! Quarantines: begun and ended, durable before they are acknowledged, and told to those who look at sessions.

use super::reevaluate::{Reevaluate, Scope, Those};
use crate::access::Engine;
use crate::audit::event::By;
use crate::playbooks::containment::{Containment, Full};
use crate::signals::signal::Subject;
use crate::store::{Store, StoreError};
use crate::transport::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whose time is over.
const LOOK: Duration = Duration::from_millis(500);

/// Why a quarantine does not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotContained {
    /// There is no room.
    #[error(transparent)]
    Full(#[from] Full),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug)]
struct Shared {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<Clock>,
    reevaluate: Reevaluate,
    /// Who changes them, one after the other, so that memory and database agree.
    turn: tokio::sync::Mutex<()>,
}

/// Begins and ends quarantines. Cloning it shares the one who does.
#[derive(Clone, Debug)]
pub struct Containments(Arc<Shared>);

impl Containments {
    /// Takes up what was stored: before anybody is answered, so that nobody gets out by a restart.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recall(store: &Store, engine: &Engine) -> Result<(), StoreError> {
        for containment in store.containments().await? {
            engine.containments().set(containment);
        }
        Ok(())
    }

    /// Begins to look whose time is over, and has the sessions of those who are contained looked at.
    pub fn start(store: Store, engine: Arc<Engine>, clock: Arc<Clock>, reevaluate: Reevaluate) -> Containments {
        let shared = Shared { store, engine, clock, reevaluate, turn: tokio::sync::Mutex::default() };
        let containments = Containments(Arc::new(shared));
        let all = containments.0.engine.containments().all();
        if !all.is_empty() {
            let those = containments.those(all.iter().map(|containment| containment.subject));
            containments.0.reevaluate.ask(Scope::Those(those), "quarantine");
        }
        tokio::spawn(containments.clone().watch());
        containments
    }

    /// Begins these. When it returns, they are durable, decisions go by them, and sessions are being looked at.
    ///
    /// # Errors
    /// See [`NotContained`]; then none has begun.
    pub async fn begin(&self, all: Vec<Containment>, by: &By) -> Result<(), NotContained> {
        let Shared { store, engine, clock, reevaluate, turn } = &*self.0;
        let table = engine.containments();
        let _turn = turn.lock().await;
        table.has_room(all.len())?;
        let renewed = |new: &Containment| table.all_of(new.subject).into_iter().find(|known| known.run == new.run);
        let renewed: Vec<_> = all.iter().filter_map(renewed).collect();
        store.contain(&all, &renewed, by, clock.now()).await?;
        let those = self.those(all.iter().map(|containment| containment.subject));
        for containment in all {
            table.set(containment);
        }
        reevaluate.ask(Scope::Those(those), "quarantine");
        Ok(())
    }

    /// Ends these. When it returns, that is durable, and decisions go by it.
    ///
    /// # Errors
    /// When it could not be stored; then all go on.
    pub async fn end(&self, all: &[Arc<Containment>], by: &By, reason: &str) -> Result<(), StoreError> {
        if all.is_empty() {
            return Ok(());
        }
        let Shared { store, engine, clock, reevaluate, turn } = &*self.0;
        let _turn = turn.lock().await;
        store.end_containments(all, by, reason, clock.now()).await?;
        for containment in all {
            engine.containments().end(containment.subject, containment.id);
        }
        let those = self.those(all.iter().map(|containment| containment.subject));
        reevaluate.ask(Scope::Those(those), "quarantine ended");
        Ok(())
    }

    fn those(&self, subjects: impl Iterator<Item = Subject>) -> Those {
        let (snapshot, mut those) = (self.0.engine.snapshot(), Those::default());
        for subject in subjects {
            match subject {
                Subject::Identity(id) => {
                    let name = snapshot.identities.by_id(id).map(|identity| identity.name.to_string());
                    those.identities.extend(name.map(|name| (id, name)));
                }
                Subject::Mac(mac) => drop(those.macs.insert(mac.to_string())),
            }
        }
        those
    }

    async fn watch(self) {
        let mut interval = tokio::time::interval(LOOK);
        loop {
            interval.tick().await;
            let over = self.0.engine.containments().overdue(self.0.clock.now());
            if let Err(error) = self.end(&over, &By::server(), "its time is over").await {
                tracing::warn!(%error, "quarantines whose time is over go on until that can be stored");
            }
        }
    }
}
