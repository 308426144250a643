//! What is kept: a journal of what must not be lost, and the database, SQLite or
//! PostgreSQL, from which everything is read.
//!
//! Records are durable in the journal ([`writer`]), and move to the database in
//! order ([`applier`]). No decision waits for the database: the path of a request
//! knows memory only.

pub mod accounting_read;
mod applier;
pub mod audit;
pub mod baselines;
pub mod behaviour;
pub mod cases;
pub mod changes;
mod codec;
pub mod containments;
mod db;
mod endpoints;
pub mod endpoints_read;
pub mod feed;
pub mod idempotency;
pub mod inventory;
pub mod issued;
pub mod journal;
mod moved;
pub mod operators;
pub mod osquery;
pub mod partition;
pub mod playbooks;
pub mod posture;
pub mod proposals;
pub mod read;
mod records;
pub mod retention;
mod sessions;
pub mod shared_signals;
pub mod sign_ins;
pub mod signals;
pub mod suspensions;
pub mod tally;
mod tokens;
pub mod unknown;
pub mod usage;
mod walk;
pub mod webhooks;
pub mod writer;

pub use db::Location;

use db::Db;
use partition::Partitions;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Why the database did not do what was asked. Cheap to clone, since everyone
/// who waits for a commit is told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said so.
    #[error("{}", said(.0))]
    Database(Arc<sqlx::Error>),
    /// Nothing answers there, or it lets this server not in.
    #[error("{what}\n  -> {remedy}")]
    Unreachable {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It is there, and no server has made its tables yet.
    #[error("there is nothing in it yet: a server makes its tables when it starts")]
    Empty,
    /// A newer version has brought its tables to a form that this one does not know. It was left as it is.
    #[error(
        "a newer version of Cordon has used it: it has step {step} of the tables, and this version knows them up to {known}\n  \
         -> start that version again, or restore a backup of before the upgrade; nothing was changed"
    )]
    Newer {
        /// The step that is not known.
        step: i64,
        /// The last one that is.
        known: i64,
    },
    /// Its tables could not be brought to this version's form.
    #[error("its tables cannot be brought up to date: {0}")]
    Migration(Arc<sqlx::migrate::MigrateError>),
    /// The journal is not written.
    #[error("the journal cannot be written: {0}")]
    Journal(Arc<std::io::Error>),
    /// The database is away for so long that the journal has reached its bound.
    #[error("the journal is full: {0} octets wait for the database")]
    JournalFull(u64),
    /// The place up to which the database has the journal is not where it was put: the
    /// database was restored, or another one has taken its place.
    #[error("the place of the journal {journal} in it was moved")]
    Moved {
        /// The journal.
        journal: uuid::Uuid,
    },
    /// A row is not what this version wrote.
    #[error("a row of {table} cannot be read: {what}")]
    Unreadable {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

/// An error in words, without places in the source of the database.
fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(e) => e.message().to_owned(),
        sqlx::Error::PoolTimedOut => "no connection to it is to be had in time".into(),
        other => other.to_string(),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(e: sqlx::Error) -> Self {
        Self::Database(Arc::new(e))
    }
}

/// The open database. Cloning it shares the connections.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    partitions: Partitions,
    /// Of the process that writes: how far records have come.
    progress: Arc<OnceLock<Arc<writer::Progress>>>,
    /// Who is told what happens.
    hooks: Arc<webhooks::Hooks>,
    /// Those who tell by Shared Signals wake by it.
    streams: Arc<shared_signals::Bell>,
}

impl Store {
    /// Opens SQLite's file, makes it if it is not there, and brings its tables up
    /// to date.
    ///
    /// # Errors
    /// When the file cannot be used or is of a newer version.
    pub async fn open(path: &Path) -> Result<Store, StoreError> {
        Self::open_at(&Location::File(path.to_owned())).await
    }

    /// Opens the database and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be used or is of a newer version.
    pub async fn open_at(location: &Location) -> Result<Store, StoreError> {
        let store = Self::of(Db::open(location).await?);
        store.partitions.read(&store.db).await?;
        store.partitions.bring_up(&store.db).await?;
        store.move_what_was_before().await?;
        store.load_webhooks().await?;
        Ok(store)
    }

    /// Opens the database to read it, as it is: that of a running server, too.
    ///
    /// # Errors
    /// When it cannot be read, or no server has used it yet.
    pub async fn open_to_read(location: &Location) -> Result<Store, StoreError> {
        let store = Self::of(Db::open_to_read(location).await?);
        if !store.db.has_tables().await? {
            return Err(StoreError::Empty);
        }
        store.partitions.read(&store.db).await?;
        Ok(store)
    }

    /// Writes a copy of the database as it is at one moment to a new file, while others go on with it. For SQLite alone:
    /// PostgreSQL has `pg_dump`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        self.db.execute(db::Sql::new("VACUUM INTO ?").bind(file.display().to_string())).await.map(drop)
    }

    /// What is wrong with the database's own structure; nothing if it is sound. For SQLite alone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn damage(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.db.fetch(db::Sql::new("PRAGMA integrity_check(20)")).await?;
        let all = rows.iter().map(|row| row.text("integrity_check").map(str::to_owned));
        Ok(all.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|said| said != "ok").collect())
    }

    fn of(db: Db) -> Store {
        Store {
            db,
            partitions: Partitions::default(),
            progress: Arc::default(),
            hooks: Arc::default(),
            streams: Arc::default(),
        }
    }

    /// Waits until what is durable by now can be read here, but no longer than
    /// `patience`.
    pub async fn caught_up(&self, patience: Duration) {
        if let Some(progress) = self.progress.get() {
            progress.caught_up(patience).await;
        }
    }
}
