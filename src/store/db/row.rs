//! A row of either database.

use crate::store::StoreError;
use crate::time::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

/// One row. Columns are read by name.
#[derive(Debug)]
pub enum Row {
    /// SQLite's.
    Sqlite(SqliteRow),
    /// PostgreSQL's.
    Postgres(PgRow),
}

macro_rules! get {
    ($self:ident, $column:ident) => {
        match $self {
            Row::Sqlite(row) => row.try_get($column)?,
            Row::Postgres(row) => row.try_get($column)?,
        }
    };
}

impl Row {
    /// A number.
    ///
    /// # Errors
    /// When there is no such column, or it holds something else.
    pub fn int(&self, column: &str) -> Result<i64, StoreError> {
        Ok(get!(self, column))
    }

    /// A number that may be missing.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn maybe_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(get!(self, column))
    }

    /// A time.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_micros)
    }

    /// A number that is never negative.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn counter(&self, column: &str) -> Result<u64, StoreError> {
        self.int(column).map(i64::unsigned_abs)
    }

    /// A text.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn text(&self, column: &str) -> Result<&str, StoreError> {
        Ok(get!(self, column))
    }

    /// A text that may be missing.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn maybe_text(&self, column: &str) -> Result<Option<&str>, StoreError> {
        Ok(get!(self, column))
    }

    /// Octets.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn blob(&self, column: &str) -> Result<&[u8], StoreError> {
        Ok(get!(self, column))
    }

    /// Octets that may be missing.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn maybe_blob(&self, column: &str) -> Result<Option<&[u8]>, StoreError> {
        Ok(get!(self, column))
    }

    /// The octets of an id in a column of `table`.
    ///
    /// # Errors
    /// As [`Row::int`], and when they are not 16.
    pub fn id(&self, table: &'static str, column: &str) -> Result<[u8; 16], StoreError> {
        let unreadable = |_| StoreError::Unreadable { table, what: format!("its {column} is not 16 octets") };
        self.blob(column)?.try_into().map_err(unreadable)
    }
}
