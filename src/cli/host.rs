//! The configuration and database that a command works on.

use crate::audit::decision::Decision;
use crate::config::apply::{self, Plan, Request};
use crate::config::build::Built;
use crate::config::stored::{Stored, seal_or_new};
use crate::config::{Config, Source, database};
use crate::ids::DecisionId;
use crate::inventory::seal::Seal;
use crate::server;
use crate::store::{Location, Store, StoreError};
use crate::transport::clock::Clock;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A configuration, and what its database holds of the inventory.
pub struct Host {
    pub file: PathBuf,
    pub config: Config,
    pub source: Source,
    pub data_dir: PathBuf,
    pub location: Location,
    /// Whether a server has made the tables of its database.
    pub has_database: bool,
    pub stored: Stored,
}

impl Host {
    /// Reads both. A database that is not there yet holds nothing.
    ///
    /// # Errors
    /// In words.
    pub async fn read(file: &Path) -> Result<Host, String> {
        let (config, source) = Config::load(file).map_err(|e| e.to_string())?;
        let data_dir = source.resolve(&config.server.data_dir);
        let location = database::location(&config, &source).map_err(|e| e.to_string())?;
        let store = match Store::open_to_read(&location).await {
            _ if !is_there(&location) => None,
            Ok(store) => Some(store),
            Err(StoreError::Empty) => None,
            Err(e) => return Err(format!("{location}: {e}")),
        };
        let stored = match &store {
            Some(store) => server::inventory(store, &data_dir).await.map_err(|e| format!("{location}: {e}"))?,
            None => Stored::default(),
        };
        let has_database = store.is_some();
        Ok(Host { file: file.to_owned(), config, source, data_dir, location, has_database, stored })
    }

    /// The database, to be read.
    ///
    /// # Errors
    /// In words, when there is none.
    pub async fn open(&self) -> Result<Store, String> {
        let location = &self.location;
        if !self.has_database {
            return Err(format!("{location}: there is no database yet; nothing was decided"));
        }
        Store::open_to_read(location).await.map_err(|e| format!("{location}: {e}"))
    }

    /// A recorded decision.
    ///
    /// # Errors
    /// In words, when there is none of that id.
    pub async fn decision(&self, id: DecisionId) -> Result<Decision, String> {
        let found = self.open().await?.decision(id).await.map_err(|e| e.to_string())?;
        found.ok_or(format!("there is no decision {id} in {}", self.data_dir.display()))
    }

    /// The database, to be written; made when there is none.
    ///
    /// # Errors
    /// In words.
    pub async fn open_to_write(&self) -> Result<(Store, Seal), String> {
        std::fs::create_dir_all(&self.data_dir).map_err(|e| format!("{}: {e}", self.data_dir.display()))?;
        let location = &self.location;
        let store = Store::open_at(location).await.map_err(|e| format!("{location}: {e}"))?;
        Ok((store, seal_or_new(&self.data_dir).map_err(|e| e.to_string())?))
    }

    /// Plans a change of the inventory.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn plan(&self, request: Request, seal: &Seal) -> Result<Plan, String> {
        let on = apply::Host { config: &self.config, source: &self.source };
        apply::plan(on, &self.stored, request, seal, Clock::start().now()).map_err(|faults| faults.to_string())
    }

    /// What a server would run on.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn build(&self) -> Result<Built, String> {
        server::load(&self.file, &self.stored, None).map(|(_, _, built)| built).map_err(|faults| faults.to_string())
    }
}

/// Whether there may be a database: SQLite's file is made when something is written.
fn is_there(location: &Location) -> bool {
    match location {
        Location::File(path) => path.exists(),
        Location::Url(_) => true,
    }
}

/// A file with its text.
///
/// # Errors
/// In words.
pub fn text_of(file: &Path) -> Result<Source, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(Source { file: file.to_owned(), text })
}

/// Runs what has to wait.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())
}

/// Who asks, for the record of changes: whoever became root by sudo, else the
/// user of the system.
pub fn author(given: Option<&str>) -> String {
    let named = given.map(str::to_owned).filter(|name| !name.is_empty());
    let sudo = || std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    named.or_else(sudo).or_else(user).unwrap_or_else(|| "unknown".into())
}

/// The name of the user whose process this is.
fn user() -> Option<String> {
    let id = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    Some(named.unwrap_or(id))
}
