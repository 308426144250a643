//! The inventory and the policy of a running server: what they are now, and changing them.
//!
//! One task puts in force what files and database say (`server::reload`); it publishes that here. A change is
//! planned against what is in force, written as one transaction, and answered when that task has taken it up.

use super::apply::{Host, Plan, Request, plan};
use super::build::{Built, Faults, build};
use super::settings::{Setting, settings};
use super::stored::{Stored, StoredError, StoredPolicy, seal_or_new};
use super::{Config, Source};
use crate::audit::event::By;
use crate::inventory::seal::Seal;
use crate::store::Store;
use crate::store::inventory::{ApplyError, Writes};
use crate::time::Timestamp;
use arc_swap::ArcSwap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify, watch};

/// How often a change is planned again because somebody else made one meanwhile.
pub const TRIES: usize = 5;
/// How long what others have written is given to come into force, before a change is planned again.
pub const PAUSE: Duration = Duration::from_millis(200);
/// How long a change may take until it is in force: reading a million identities again takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is in force.
#[derive(Clone, Debug)]
pub struct Present {
    /// What the configuration file says.
    pub config: Arc<Config>,
    /// Its text.
    pub source: Arc<Source>,
    /// What the database holds.
    pub stored: Arc<Stored>,
    /// What both amount to.
    pub built: Arc<Built>,
}

impl Present {
    /// What the server's own configuration says, to plan against.
    fn host(&self) -> Host<'_> {
        Host { config: &self.config, source: &self.source }
    }

    /// The tests of the policy in force.
    ///
    /// # Errors
    /// In words, when their file cannot be read.
    pub fn tests(&self) -> Result<Option<Source>, String> {
        let policy = &self.config.policy;
        match (&policy.file, &policy.tests) {
            (_, Some(path)) => {
                let file = self.source.resolve(path.get_ref());
                let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
                Ok(Some(Source { file, text }))
            }
            (Some(_), None) => Ok(None),
            (None, None) => Ok(self.stored.policy.as_ref().and_then(|policy| policy.tests.clone())),
        }
    }

    /// What the server would run on with another policy.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn with_policy(&self, policy: StoredPolicy, now: Timestamp) -> Result<Built, Faults> {
        let (mut config, source) = Config::parse(&self.source).map(|config| (config, &*self.source))?;
        (config.policy.file, config.policy.tests) = (None, None);
        let stored = Stored { policy: Some(policy), ..self.stored.as_ref().clone() };
        build(&config, source, &stored, None, now)
    }
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It is wrong, or what came of it would be.
    #[error("{0}")]
    Faults(Faults),
    /// The key of secrets cannot be used.
    #[error(transparent)]
    Key(#[from] StoredError),
    /// Others change the inventory all the time.
    #[error("somebody else changes the inventory at the same time; try again")]
    Overtaken,
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A thread did not come back.
    #[error("the change could not be planned")]
    Lost,
}

impl From<Faults> for ChangeError {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

/// A change that was made.
#[derive(Debug)]
pub struct Done {
    /// What it was.
    pub plan: Plan,
    /// The policy's revision, if it is another.
    pub revision: Option<i64>,
    /// Whether decisions go by it already.
    pub in_force: bool,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    data_dir: PathBuf,
    present: ArcSwap<Present>,
    /// The settings that the server was started with.
    started: Vec<Setting>,
    /// The generation that is in force.
    generation: watch::Sender<i64>,
    /// Asks for a look at what was written.
    look: Notify,
    /// Who changes something from here, one after the other.
    turn: Mutex<()>,
}

/// The inventory of a running server. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct Inventory(Arc<Shared>);

impl Inventory {
    /// Where the server keeps its data.
    pub fn data_dir(&self) -> &Path {
        &self.0.data_dir
    }

    /// That of `store`, of which `present` is in force.
    pub fn new(store: Store, data_dir: &Path, present: Present) -> Inventory {
        let (generation, _) = watch::channel(present.stored.generation);
        let started = settings(&present.config, &present.source);
        let present = ArcSwap::from_pointee(present);
        let (data_dir, look, turn) = (data_dir.to_owned(), Notify::new(), Mutex::default());
        Inventory(Arc::new(Shared { store, data_dir, present, started, generation, look, turn }))
    }

    /// The key of secrets at rest, made when there is none.
    ///
    /// # Errors
    /// When it cannot be read or made, or is no key.
    pub fn seal(&self) -> Result<Seal, StoredError> {
        seal_or_new(&self.0.data_dir)
    }

    /// The settings that the server was started with: some of them stay until the next start.
    pub fn started(&self) -> &[Setting] {
        &self.0.started
    }

    /// What is in force.
    pub fn present(&self) -> Arc<Present> {
        self.0.present.load_full()
    }

    /// That this is in force now.
    pub fn publish(&self, present: Present) {
        let generation = present.stored.generation;
        self.0.present.store(Arc::new(present));
        self.0.generation.send_replace(generation);
    }

    /// Waits until somebody has written something.
    pub async fn written(&self) {
        self.0.look.notified().await;
    }

    /// Waits until this generation, or a later one, is in force. Whether it is in time.
    async fn takes_up(&self, generation: i64) -> bool {
        let mut in_force = self.0.generation.subscribe();
        self.0.look.notify_one();
        let reached = in_force.wait_for(|now| *now >= generation);
        tokio::time::timeout(PATIENCE, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Plans a change, and changes nothing.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn plan(&self, request: Request, now: Timestamp) -> Result<Plan, ChangeError> {
        let (present, seal) = (self.present(), self.seal()?);
        let planned = tokio::task::spawn_blocking(move || plan(present.host(), &present.stored, request, &seal, now));
        Ok(planned.await.map_err(|_| ChangeError::Lost)??)
    }

    /// Plans a change and makes it. It is in force, as a rule, when this returns. With `only_at` it is made in that
    /// generation or not at all.
    ///
    /// # Errors
    /// See [`ChangeError`]; then nothing is changed.
    pub async fn change(
        &self,
        request: Request,
        by: &By,
        now: Timestamp,
        only_at: Option<i64>,
    ) -> Result<Done, ChangeError> {
        let _turn = self.0.turn.lock().await;
        for _ in 0..TRIES {
            let generation = self.present().stored.generation;
            if only_at.is_some_and(|only| only != generation) {
                break;
            }
            let plan = self.plan(request.clone(), now).await?;
            if plan.changes.is_empty() {
                match self.confirm(&plan.writes, by, now).await {
                    Ok(()) => return Ok(Done { plan, revision: None, in_force: true }),
                    // It is planned by what is not so any more.
                    Err(ChangeError::Overtaken) => tokio::time::sleep(PAUSE).await,
                    Err(e) => return Err(e),
                }
                continue;
            }
            match self.write(generation, &plan.writes, by, now).await {
                Ok((revision, in_force)) => return Ok(Done { plan, revision, in_force }),
                Err(ChangeError::Overtaken) => {}
                Err(e) => return Err(e),
            }
        }
        Err(ChangeError::Overtaken)
    }

    /// Says of identities which are suspended that they are so by an operator's word: [`Writes::confirmed`].
    ///
    /// # Errors
    /// When the database does not; then nothing is changed.
    pub async fn confirm(&self, writes: &Writes, by: &By, now: Timestamp) -> Result<(), ChangeError> {
        if writes.confirmed.is_empty() {
            return Ok(());
        }
        match self.0.store.confirm_suspensions(writes, by, now).await {
            Err(ApplyError::Overtaken) => Err(ChangeError::Overtaken),
            Err(ApplyError::Store(e)) => Err(e.into()),
            Ok(()) => Ok(()),
        }
    }

    /// Writes what was made of what was in force in `generation`. Gives the policy's revision, if it is another, and
    /// whether decisions go by it already.
    ///
    /// # Errors
    /// See [`ChangeError`]; then nothing is changed.
    pub async fn commit(
        &self,
        generation: i64,
        writes: &Writes,
        by: &By,
        now: Timestamp,
    ) -> Result<(Option<i64>, bool), ChangeError> {
        let _turn = self.0.turn.lock().await;
        self.write(generation, writes, by, now).await
    }

    async fn write(
        &self,
        generation: i64,
        writes: &Writes,
        by: &By,
        now: Timestamp,
    ) -> Result<(Option<i64>, bool), ChangeError> {
        match self.0.store.apply(generation, writes, by, now).await {
            Ok(revision) => Ok((revision, self.takes_up(generation + 1).await)),
            Err(ApplyError::Overtaken) => {
                let latest = self.0.store.generation().await?;
                self.takes_up(latest).await;
                Err(ChangeError::Overtaken)
            }
            Err(ApplyError::Store(e)) => Err(e.into()),
        }
    }
}
