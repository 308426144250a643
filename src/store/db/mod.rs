//! SQLite or PostgreSQL, behind one small face: the rest of the store writes one
//! SQL text and does not know which it is.

mod row;
mod sql;

pub use row::Row;
pub use sql::{Arg, Kind, Sql};

use super::StoreError;
use sql::{postgres_query, sqlite_query};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tracing::log::LevelFilter;

pub(super) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
pub(super) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

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
/// Connections to PostgreSQL: those that read, the writer of records, a change of
/// the inventory, and the periodic work.
const CONNECTIONS: u32 = 10;
/// How long a statement waits for another process's lock, such as a backup's.
const BUSY: Duration = Duration::from_secs(5);
/// How long one waits for a free connection, or for a new one to PostgreSQL.
const ACQUIRE: Duration = Duration::from_secs(5);
/// What PostgreSQL is told of each connection: no statement runs, and no lock is
/// waited for, for longer, in milliseconds. A million identities are written in
/// statements of 256.
const SESSION: [(&str, &str); 5] = [
    // Not that a table is there already.
    ("client_min_messages", "warning"),
    ("application_name", "cordon"),
    ("statement_timeout", "60000"),
    ("lock_timeout", "10000"),
    ("idle_in_transaction_session_timeout", "120000"),
];
/// How long anything that PostgreSQL is asked may take: longer than it lets a statement
/// run, since a host that is gone says nothing at all.
const DEADLINE: Duration = Duration::from_secs(75);
/// Rows of one statement of SQLite. Each number of rows is a statement of its
/// own, prepared once and then found in the connection's cache.
const SQLITE_ROWS: usize = 64;
/// Rows of one statement of PostgreSQL, which is the same for any number.
const POSTGRES_ROWS: usize = 8_192;

/// Where the database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    /// SQLite, in this file.
    File(PathBuf),
    /// PostgreSQL, by its URL, `postgres://user@host/name`.
    Url(String),
}

/// Without the password.
impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => {
                let Some((scheme, rest)) = url.split_once("://") else { return f.write_str("postgres") };
                let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                write!(f, "{scheme}://{host}")
            }
        }
    }
}

/// The number by which PostgreSQL knows the lock of the one server that writes records:
/// "cordon" in ASCII.
const CLAIM: i64 = 0x636f_7264_6f6e;
/// How often, and after which time, one that another server seems to hold is asked for:
/// PostgreSQL needs a moment to notice that a server has died.
const CLAIM_TRIES: u32 = 20;
const CLAIM_AGAIN: Duration = Duration::from_millis(500);

/// Held by the one server that writes records to a database. It ends with the process.
#[derive(Debug)]
pub(super) struct Claim {
    _connection: Option<PgConnection>,
}

/// The connections.
#[derive(Clone, Debug)]
pub(super) enum Db {
    Sqlite { write: SqlitePool, read: SqlitePool },
    Postgres(PgPool),
}

/// A transaction. Dropping it undoes it.
#[derive(Debug)]
pub(super) enum Tx {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

fn migration(migrator: &Migrator) -> impl Fn(MigrateError) -> StoreError {
    let known = migrator.iter().map(|step| step.version).max().unwrap_or_default();
    move |e| match e {
        MigrateError::VersionMissing(step) => StoreError::Newer { step, known },
        e => StoreError::Migration(Arc::new(e)),
    }
}

impl Db {
    /// Opens it, makes SQLite's file if it is not there, and brings the tables up
    /// to date.
    pub(super) async fn open(location: &Location) -> Result<Db, StoreError> {
        match location {
            Location::File(path) => Self::open_file(path).await,
            Location::Url(url) => {
                let options = postgres_options(url)?;
                reach(&options).await?;
                let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE);
                let pool = pool.acquire_slow_level(LevelFilter::Off).connect_with(options).await?;
                POSTGRES.run(&pool).await.map_err(migration(&POSTGRES))?;
                Ok(Db::Postgres(pool))
            }
        }
    }

    async fn open_file(path: &Path) -> Result<Db, StoreError> {
        // Who was where and when is nobody else's business. SQLite gives the
        // files beside it the same mode.
        let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        made.map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit has reached the disk when it returns.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .statement_cache_capacity(STATEMENTS)
            .pragma("cache_size", format!("-{CACHE_KIB}"))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .foreign_keys(true);
        let write = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE);
        let write = write.connect_with(options.clone()).await?;
        SQLITE.run(&write).await.map_err(migration(&SQLITE))?;
        Ok(Db::Sqlite { write, read: readers(options).await? })
    }

    /// Opens it to read it, as it is: that of a running server, too.
    pub(super) async fn open_to_read(location: &Location) -> Result<Db, StoreError> {
        match location {
            Location::File(path) => {
                let read = readers(SqliteConnectOptions::new().filename(path).busy_timeout(BUSY)).await?;
                Ok(Db::Sqlite { write: read.clone(), read })
            }
            Location::Url(url) => {
                let options = postgres_options(url)?.options([("default_transaction_read_only", "on")]);
                reach(&options).await?;
                let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(ACQUIRE);
                Ok(Db::Postgres(pool.connect_with(options).await?))
            }
        }
    }

    /// Whether a server has made tables in it.
    pub(super) async fn has_tables(&self) -> Result<bool, StoreError> {
        let sql = match self {
            Db::Sqlite { .. } => "SELECT count(*) AS n FROM sqlite_master WHERE name = 'partitions'",
            Db::Postgres(_) => {
                "SELECT CAST(count(*) AS BIGINT) AS n FROM pg_class WHERE oid = to_regclass('partitions')"
            }
        };
        Ok(self.number(Sql::new(sql)).await? > 0)
    }

    /// Claims the database for this server. `None` when another one has it. SQLite's
    /// lies beside the journal, which one process has.
    pub(super) async fn claim(&self) -> Result<Option<Claim>, StoreError> {
        let Db::Postgres(pool) = self else { return Ok(Some(Claim { _connection: None })) };
        let mut connection = pool.acquire().await?.detach();
        for _ in 0..CLAIM_TRIES {
            let query = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(CLAIM);
            if query.fetch_one(&mut connection).await? {
                return Ok(Some(Claim { _connection: Some(connection) }));
            }
            tokio::time::sleep(CLAIM_AGAIN).await;
        }
        Ok(None)
    }

    /// The most rows that one statement takes.
    pub(super) fn rows_at_once(&self) -> usize {
        match self {
            Db::Sqlite { .. } => SQLITE_ROWS,
            Db::Postgres(_) => POSTGRES_ROWS,
        }
    }

    /// Begins a transaction that writes.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Db::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Db::Postgres(pool) => Tx::Postgres(in_time(pool.begin()).await?),
        })
    }

    /// Begins a transaction that reads the database as of one moment.
    pub(super) async fn begin_read(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Db::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Db::Postgres(pool) => {
                Tx::Postgres(in_time(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")).await?)
            }
        })
    }

    /// Runs one statement that writes. Returns how many rows it touched.
    pub(super) async fn execute(&self, sql: Sql) -> Result<u64, StoreError> {
        Ok(match self {
            Db::Sqlite { write, .. } => sqlite_query(sql).execute(write).await?.rows_affected(),
            Db::Postgres(pool) => in_time(postgres_query(sql).execute(pool)).await?.rows_affected(),
        })
    }

    /// The rows that a statement reads.
    pub(super) async fn fetch(&self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Db::Sqlite { read, .. } => sqlite_query(sql).fetch_all(read).await?.into_iter().map(Row::Sqlite).collect(),
            Db::Postgres(pool) => {
                in_time(postgres_query(sql).fetch_all(pool)).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row that a statement reads, if there is one.
    pub(super) async fn fetch_one(&self, sql: Sql) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql).await?.into_iter().next())
    }

    /// The number that a statement reads, in its only row, as `n`.
    pub(super) async fn number(&self, sql: Sql) -> Result<i64, StoreError> {
        self.fetch_one(sql).await?.map_or(Ok(0), |row| row.int("n"))
    }
}

impl Tx {
    /// See [`Db::rows_at_once`].
    pub(super) fn rows_at_once(&self) -> usize {
        match self {
            Tx::Sqlite(_) => SQLITE_ROWS,
            Tx::Postgres(_) => POSTGRES_ROWS,
        }
    }

    /// Runs one statement. Returns how many rows it touched.
    pub(super) async fn execute(&mut self, sql: Sql) -> Result<u64, StoreError> {
        Ok(match self {
            Tx::Sqlite(tx) => sqlite_query(sql).execute(&mut **tx).await?.rows_affected(),
            Tx::Postgres(tx) => in_time(postgres_query(sql).execute(&mut **tx)).await?.rows_affected(),
        })
    }

    /// The rows that a statement gives.
    pub(super) async fn fetch(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Tx::Sqlite(tx) => sqlite_query(sql).fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect(),
            Tx::Postgres(tx) => {
                in_time(postgres_query(sql).fetch_all(&mut **tx)).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row that a statement gives, if there is one.
    pub(super) async fn fetch_one(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql).await?.into_iter().next())
    }

    /// The number that a statement gives, in its only row, as `n`.
    pub(super) async fn number(&mut self, sql: Sql) -> Result<i64, StoreError> {
        self.fetch_one(sql).await?.map_or(Ok(0), |row| row.int("n"))
    }

    /// Lets what follows take as long as it takes: PostgreSQL ends no statement of this transaction.
    pub(super) async fn without_haste(&mut self) -> Result<(), StoreError> {
        if let Tx::Postgres(tx) = self {
            sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Runs statements of the schema, which take no values. They are written for
    /// SQLite; PostgreSQL has other words for two types.
    pub(super) async fn define(&mut self, text: &str) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(&mut **tx).await.map(drop)?,
            Tx::Postgres(tx) => {
                let text = text.replace("BLOB", "BYTEA").replace("INTEGER", "BIGINT");
                let text = text.replace(") STRICT, WITHOUT ROWID;", ");").replace(") STRICT;", ");");
                sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut **tx).await.map(drop)?;
            }
        }
        Ok(())
    }

    /// Inserts rows, in as many statements as the database wants: `INSERT INTO into`,
    /// the rows, and then `tail`. Gives what `tail` returns.
    pub(super) async fn insert(
        &mut self,
        into: &str,
        kinds: &'static [Kind],
        values: Vec<Arg>,
        tail: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let mut returned = Vec::new();
        for chunk in chunks(values, kinds.len() * self.rows_at_once()) {
            let sql = Sql::new(format!("INSERT INTO {into} ")).rows(kinds, chunk).then(format!(" {tail}"));
            if tail.contains("RETURNING") {
                returned.extend(self.fetch(sql).await?);
            } else {
                self.execute(sql).await?;
            }
        }
        Ok(returned)
    }

    /// Makes it durable.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await?,
            Tx::Postgres(tx) => in_time(tx.commit()).await?,
        }
        Ok(())
    }
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)?.statement_cache_capacity(STATEMENTS).options(SESSION);
    // A slow database is told of by the metrics; each statement of it says nothing new.
    Ok(options.log_slow_statements(LevelFilter::Off, Duration::ZERO))
}

/// Connects once, since a pool would only say that there was no connection.
async fn reach(options: &PgConnectOptions) -> Result<(), StoreError> {
    let unreachable = |what: String, remedy| Err(StoreError::Unreachable { what, remedy });
    match tokio::time::timeout(ACQUIRE, PgConnection::connect_with(options)).await {
        Ok(Ok(connection)) => Ok(connection.close().await?),
        Ok(Err(sqlx::Error::Database(e))) => {
            let remedy = match e.code().as_deref() {
                Some("3D000") => "make the database first: `createdb NAME` on the host of PostgreSQL",
                Some("28000" | "28P01") => "correct user and password of the URL, or pg_hba.conf of PostgreSQL",
                Some("57P03") => "it is starting or stopping: try again in a moment",
                _ => "see the log of PostgreSQL",
            };
            unreachable(e.message().to_owned(), remedy)
        }
        Ok(Err(sqlx::Error::Tls(e))) => {
            unreachable(format!("TLS: {e}"), "check sslmode and sslrootcert of the URL, and ssl of postgresql.conf")
        }
        Ok(Err(e)) => unreachable(
            e.to_string(),
            "is PostgreSQL running there, at this host and port, and does its listen_addresses name it?",
        ),
        Err(_) => unreachable(
            format!("no answer within {} s", ACQUIRE.as_secs()),
            "is the host right, and does a firewall let this server through?",
        ),
    }
}

/// What PostgreSQL was asked, or that it said nothing for too long.
async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(late)
}

/// Values in pieces of at most so many.
pub(super) fn chunks(values: Vec<Arg>, most: usize) -> Vec<Vec<Arg>> {
    let mut values = values.into_iter();
    let mut all = Vec::new();
    loop {
        let chunk: Vec<Arg> = values.by_ref().take(most.max(1)).collect();
        if chunk.is_empty() {
            return all;
        }
        all.push(chunk);
    }
}

async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(ACQUIRE);
    pool.connect_with(options.read_only(true)).await
}
