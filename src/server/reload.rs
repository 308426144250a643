//! Changes take effect without a restart: the configuration, the policy,
//! certificates, CAs and CRLs are watched, and so is what is applied to the
//! database.

use super::{inventory, load};
use crate::access::Engine;
use crate::audit::event::{By, Event};
use crate::config::build::{Built, build};
use crate::config::live::{Inventory, Present};
use crate::config::settings::{settings, waiting};
use crate::config::stored::Stored;
use crate::config::{Config, Source};
use crate::ids::IdentityId;
use crate::inventory::identity::Identity;
use crate::jobs::reevaluate::{Reevaluate, Scope, Those};
use crate::store::Store;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use crate::transport::radsec::Connections;
use axum_server::tls_rustls::RustlsConfig;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};

/// How often files are looked at. A change is in force at most twice this
/// later, since it is taken when it has been still for one look: what bars somebody
/// is to reach a switch within two seconds.
const LOOK: Duration = Duration::from_millis(250);
/// How often an inventory that could not be read is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// What tells that a file has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// What is known of each watched file; `None` for one that is not there.
type Stamps = HashMap<PathBuf, Option<Stamp>>;

/// Where what was read is in force.
#[derive(Clone, Debug)]
pub struct InUse {
    /// Serves requests.
    pub engine: Arc<Engine>,
    /// The connections of NASes.
    pub connections: Connections,
    /// The API over TLS.
    pub http_tls: Option<RustlsConfig>,
    /// The page for endpoints over TLS.
    pub recheck_tls: Option<RustlsConfig>,
}

/// Watches the files of a configuration, and puts a change in force when it is
/// sound. A mistake is logged and changes nothing.
#[derive(Debug)]
pub struct Reloader {
    file: PathBuf,
    watched: Vec<PathBuf>,
    /// The files as they were when they were last read.
    in_force: Stamps,
    in_use: InUse,
    store: Store,
    data_dir: PathBuf,
    stored: Arc<Stored>,
    /// The generation that could not be used, and when that was found out.
    refused: Option<(i64, Timestamp)>,
    built: Arc<Built>,
    reevaluate: Reevaluate,
    inventory: Inventory,
}

impl Reloader {
    /// Watches the files that the configuration `file` amounted to when
    /// the server was started with it, and what of `inventory` is stored.
    pub fn new(
        file: PathBuf,
        in_use: InUse,
        store: Store,
        data_dir: PathBuf,
        inventory: Inventory,
        reevaluate: Reevaluate,
    ) -> Self {
        let present = inventory.present();
        let (stored, built) = (present.stored.clone(), present.built.clone());
        let watched = built.files.clone();
        // Not when it first runs: requests are served by then, and files may change.
        let in_force = stamps(&watched);
        let refused = None;
        Self { file, watched, in_force, in_use, store, data_dir, stored, refused, built, reevaluate, inventory }
    }

    /// Runs until the server ends. SIGHUP asks for a reload at once.
    pub async fn run(mut self) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut last = self.in_force.clone();
        loop {
            let inventory = self.inventory.clone();
            let asked = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = inventory.written() => false,
                () = hung_up(&mut hangup) => true,
            };
            let now = stamps(&self.watched);
            // A file that is still being written is left alone.
            let settled = now == last;
            last = now.clone();
            let applied = self.read_applied().await;
            if asked || applied || (settled && now != self.in_force) {
                self.reload(now != self.in_force, applied).await;
                // Files that are watched from now on count as they are; others
                // as they were when they were read, so that no change is missed.
                self.in_force = stamps(&self.watched)
                    .into_iter()
                    .map(|(path, new)| {
                        let stamp = now.get(&path).cloned().unwrap_or(new);
                        (path, stamp)
                    })
                    .collect();
            }
        }
    }

    /// Reads the inventory of the database, if it is another than before.
    async fn read_applied(&mut self) -> bool {
        let generation = match self.store.generation().await {
            Ok(generation) if generation == self.stored.generation => return false,
            Ok(generation) => generation,
            // The writer tells of a database that is away.
            Err(_) => return false,
        };
        let now = Clock::start().now();
        if self.refused.is_some_and(|(refused, at)| refused == generation && now.since(at) < RETRY) {
            return false;
        }
        match inventory(&self.store, &self.data_dir).await {
            Ok(stored) => {
                self.stored = Arc::new(stored);
                true
            }
            Err(error) => {
                tracing::error!("what was applied is not in force: {error}");
                self.refused = Some((generation, now));
                false
            }
        }
    }

    /// Files were changed, by whom is not known: who may write them. What is applied
    /// was told by who applied it.
    async fn audit(&self, new: &Built, files: bool) {
        if !files {
            return;
        }
        let (was, is) = (self.built.described(), new.described());
        let now = Clock::start().now();
        let name = self.file.display().to_string();
        let event = Event::new(&By::server(), "configuration.load", "configuration", &name, now);
        if let Err(error) = self.store.audit(vec![event.states(was, is)]).await {
            tracing::error!(%error, "that the configuration was changed is not in the audit log");
        }
    }

    async fn reload(&mut self, files: bool, applied: bool) {
        let (file, stored, previous) = (self.file.clone(), self.stored.clone(), self.built.clone());
        // Reading and compiling takes a while, which nobody else should wait for.
        let loaded = tokio::task::spawn_blocking(move || load(&file, &stored, Some(&previous))).await;
        match loaded {
            Ok(Ok((config, source, new))) => {
                self.watched = new.files.clone();
                self.put_in_force(Arc::new(config), Arc::new(source), new, files).await;
            }
            Ok(Err(faults)) => {
                for error in &faults.errors {
                    tracing::error!("not reloaded: {error}");
                }
                // The mistake may be mended in a file that was not watched yet.
                self.watched.extend(faults.files);
                self.watched.sort();
                self.watched.dedup();
                if applied {
                    self.reload_applied().await;
                }
            }
            Err(e) => tracing::error!(error = %e, "not reloaded: reading the configuration failed"),
        }
    }

    /// A mistake in a file keeps nobody on the network who was barred meanwhile: what was applied comes into force
    /// with the configuration that was sound. If that is no longer so, because a file that it names is wrong too or
    /// holds another policy, which waits for the mistake to be mended, at least the identities do.
    async fn reload_applied(&mut self) {
        let (present, stored) = (self.inventory.present(), self.stored.clone());
        let (config, source) = (present.config.clone(), present.source.clone());
        let built = tokio::task::spawn_blocking(move || {
            let Present { config, source, stored: was, built } = present.as_ref();
            let revision = |built: &Built| built.snapshot.policy.revision().to_owned();
            match build(config, source, &stored, Some(built), Clock::start().now()) {
                Ok(new) if config.policy.file.is_none() || revision(&new) == revision(built) => Ok((new, true)),
                _ => built.with_identities(&was.identities, &stored.identities).map(|new| (new, false)),
            }
        });
        match built.await {
            Ok(Ok((new, whole))) => {
                let what = if whole { "what was applied" } else { "of what was applied, who is known" };
                tracing::warn!("{what} is in force; files count as they were before the mistake");
                self.put_in_force(config, source, new, false).await;
            }
            Ok(Err(e)) => tracing::error!("what was applied is not in force: {e}"),
            Err(e) => tracing::error!(error = %e, "what was applied is not in force"),
        }
    }

    async fn put_in_force(&mut self, config: Arc<Config>, source: Arc<Source>, new: Built, files: bool) {
        for warning in &new.warnings {
            tracing::warn!("{warning}");
        }
        self.in_use.engine.replace(new.snapshot.clone());
        let (connections, policy) = (self.in_use.connections.clone(), new.radsec.clone());
        // All open connections are judged again.
        if let Err(e) = tokio::task::spawn_blocking(move || connections.replace(policy)).await {
            tracing::error!(error = %e, "TLS connections were not judged again");
        }
        let served = [(&self.in_use.http_tls, &new.http_tls), (&self.in_use.recheck_tls, &new.recheck_tls)];
        for (in_use, tls) in served {
            if let (Some(in_use), Some(tls)) = (in_use, tls) {
                in_use.reload_from_config(tls.clone());
            }
        }
        let policy = new.snapshot.policy.revision();
        let (scope, trigger) = scope(&self.built, &new);
        self.reevaluate.ask(scope, &trigger);
        self.audit(&new, files).await;
        let waiting = waiting(self.inventory.started(), &settings(&config, &source));
        if waiting.is_empty() {
            tracing::info!(policy, "the changed configuration is in force");
        } else {
            tracing::warn!("needs a restart: {}", waiting.join(", "));
            tracing::info!(policy, "all else of the changed configuration is in force");
        }
        self.built = Arc::new(new);
        let (stored, built) = (self.stored.clone(), self.built.clone());
        // Who looks at lists does not wait for them to be sorted anew.
        if self.inventory.present().built.snapshot.identities.is_listed() {
            let identities = built.snapshot.identities.clone();
            tokio::task::spawn_blocking(move || identities.prepare_listing());
        }
        self.inventory.publish(Present { config, source, stored, built });
    }
}

/// Whose sessions may come to something else, and because of what.
fn scope(old: &Built, new: &Built) -> (Scope, String) {
    let (was, is) = (&old.snapshot, &new.snapshot);
    if was.policy.revision() != is.policy.revision() {
        return (Scope::All, format!("policy {}", is.policy.revision()));
    }
    let changed = changed(was.identities.all(), is.identities.all());
    let same = old.profiles == new.profiles
        && was.compliance == is.compliance
        && was.risk == is.risk
        && new.trusts_as(old)
        && was.nas.all() == is.nas.all()
        && was.identities.bindings() == is.identities.bindings();
    match changed {
        Some(changed) if same && !changed.is_empty() => {
            (Scope::Those(Those { identities: changed, ..Those::default() }), "inventory".into())
        }
        _ => (Scope::All, "configuration".into()),
    }
}

/// The identities that are others than before, with the names that their sessions
/// know. `None` when somebody else's sessions may be theirs now.
fn changed(was: &[Arc<Identity>], is: &[Arc<Identity>]) -> Option<BTreeMap<IdentityId, String>> {
    let now: HashMap<IdentityId, &Arc<Identity>> = is.iter().map(|identity| (identity.id, identity)).collect();
    if was.len() < is.len() {
        return None;
    }
    let mut changed = BTreeMap::new();
    for old in was {
        match now.get(&old.id) {
            Some(new) if new == &old => {}
            Some(new) if new.credentials != old.credentials || new.name != old.name => return None,
            Some(_) => drop(changed.insert(old.id, old.name.to_string())),
            None => return None,
        }
    }
    Some(changed)
}

async fn hung_up(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn stamps(files: &[PathBuf]) -> Stamps {
    files.iter().map(|path| (path.clone(), stamp(path))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp { modified: metadata.modified().ok(), length: metadata.len(), inode: metadata.ino() })
}
