//! The database: SQLite, one file, no set-up.
//!
//! One connection writes, in group commits ([`writer`]); a few others read. No
//! decision waits for a read: the path of a request knows memory only.

pub mod behaviour;
mod endpoints;
pub mod endpoints_read;
pub mod inventory;
pub mod read;
mod records;
pub mod unknown;
pub mod writer;

use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Statements that a connection keeps ready: one for each number of rows that it
/// writes at once.
const STATEMENTS: usize = 512;
/// SQLite's page cache of the writing connection, in KiB: the ends of all
/// indexes, and the middle of that by MAC address.
const CACHE_KIB: u32 = 32 * 1024;
/// Pages in the write-ahead log before they are copied to the database: 16 MiB,
/// so that a page that changes often is copied seldom.
const CHECKPOINT_PAGES: u32 = 4096;
/// Connections that read. More would only queue for the disk.
const READERS: u32 = 4;
/// How long a statement waits for another process's lock, such as a backup's.
const BUSY: Duration = Duration::from_secs(5);
/// How long a reader waits for a free connection before the API says so.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Why the database did not do what was asked. Cheap to clone, since everyone
/// who waits for a commit is told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said so.
    #[error("{0}")]
    Database(Arc<sqlx::Error>),
    /// Its tables could not be brought to this version's form.
    #[error("its tables cannot be brought up to date: {0}")]
    Migration(Arc<sqlx::migrate::MigrateError>),
    /// A row is not what this version wrote.
    #[error("a row of {table} cannot be read: {what}")]
    Unreadable {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(e: sqlx::Error) -> Self {
        Self::Database(Arc::new(e))
    }
}

/// The open database. Cloning it shares the connections.
#[derive(Clone, Debug)]
pub struct Store {
    write: SqlitePool,
    read: SqlitePool,
}

impl Store {
    /// Opens the database file, makes it if it is not there, and brings its
    /// tables up to date.
    ///
    /// # Errors
    /// When the file cannot be used or is of a newer version.
    pub async fn open(path: &Path) -> Result<Store, StoreError> {
        // Who was where and when is nobody else's business. SQLite gives the
        // files beside it the same mode.
        let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        made.map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit has reached the disk when it returns: replies wait for it.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .statement_cache_capacity(STATEMENTS)
            .pragma("cache_size", format!("-{CACHE_KIB}"))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .foreign_keys(true);
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        MIGRATIONS.run(&write).await.map_err(|e| StoreError::Migration(Arc::new(e)))?;
        let read = readers(options).await?;
        Ok(Store { write, read })
    }

    /// Opens the database to read it, as it is: that of a running server, too.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn open_to_read(path: &Path) -> Result<Store, StoreError> {
        let read = readers(SqliteConnectOptions::new().filename(path).busy_timeout(BUSY)).await?;
        Ok(Store { write: read.clone(), read })
    }
}

async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(ACQUIRE);
    pool.connect_with(options.read_only(true)).await
}
