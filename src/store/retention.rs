//! What is dropped for its age, and how much room the rest takes.

use super::db::{Db, Sql};
use super::partition::{Family, Partition, Retention};
use super::{Store, StoreError};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Octets of a table up to which its rows are counted.
const COUNTED: i64 = 32 << 20;

/// How much room something takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// What it is: a family of records, or `other` for all else.
    pub family: &'static str,
    /// The stretches of time that have a table.
    pub partitions: u64,
    /// Since when there are any.
    pub since: Option<Timestamp>,
    /// Rows, as the database estimates them.
    pub rows: u64,
    /// Octets with all indexes; `None` where the database does not tell.
    pub octets: Option<u64>,
}

impl Store {
    /// Drops what is older than it should be. Gives what was dropped.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn retain(&self, retention: &Retention, now: Timestamp) -> Result<Vec<Partition>, StoreError> {
        let mut dropped = Vec::new();
        for family in Family::ALL {
            if let Some(kept) = retention.of(family) {
                dropped.extend(self.partitions.drop_before(&self.db, family, now - kept).await?);
            }
        }
        Ok(dropped)
    }

    /// How much room each family takes, and the whole database in octets.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sizes(&self) -> Result<(Vec<Size>, u64), StoreError> {
        let mut sizes = Vec::new();
        for family in Family::ALL {
            let partitions = self.partitions.between(family, None, None);
            let mut size = Size {
                family: family.code(),
                partitions: partitions.len() as u64,
                since: partitions.last().map(|p| p.from),
                rows: 0,
                octets: matches!(self.db, Db::Postgres(_)).then_some(0),
            };
            for table in partitions.iter().flat_map(Partition::tables) {
                size.rows += self.rows_of(&table).await?;
                if let Some(octets) = &mut size.octets {
                    let sql = "SELECT pg_total_relation_size(to_regclass(?)) AS n";
                    *octets += self.db.number(Sql::new(sql).bind(&table)).await?.unsigned_abs();
                }
            }
            sizes.push(size);
        }
        let whole = match self.db {
            Db::Sqlite { .. } => "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()",
            Db::Postgres(_) => "SELECT pg_database_size(current_database()) AS n",
        };
        Ok((sizes, self.db.number(Sql::new(whole)).await?.unsigned_abs()))
    }

    /// How many rows a table has; of a large one of PostgreSQL, about how many, since
    /// counting millions would take long.
    async fn rows_of(&self, table: &str) -> Result<u64, StoreError> {
        if let Db::Postgres(_) = self.db {
            let sql = "SELECT CAST(CASE WHEN pg_relation_size(oid) < ? THEN -1 ELSE reltuples END AS BIGINT) AS n \
                       FROM pg_class WHERE oid = to_regclass(?)";
            let about = self.db.number(Sql::new(sql).bind(COUNTED).bind(table)).await?;
            if let Ok(about) = u64::try_from(about) {
                return Ok(about);
            }
        }
        let count = Sql::new(format!("SELECT count(*) AS n FROM {table}"));
        Ok(self.db.number(count).await?.unsigned_abs())
    }

    /// How many accounting records are stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn accounting_count(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for partition in self.partitions.between(Family::Accounting, None, None) {
            let sql = Sql::new(format!("SELECT count(*) AS n FROM {}", partition.table()));
            count += self.db.number(sql).await?.unsigned_abs();
        }
        Ok(count)
    }

    /// How many accounting records of each Acct-Session-Id that begins so are stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn accounting_by_session(&self, prefix: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut counts = BTreeMap::new();
        for partition in self.partitions.between(Family::Accounting, None, None) {
            let sql =
                format!("SELECT acct_session_id, count(*) AS n FROM {} GROUP BY acct_session_id", partition.table());
            for row in self.db.fetch(Sql::new(sql)).await? {
                let id = row.text("acct_session_id")?;
                if id.starts_with(prefix) {
                    *counts.entry(id.to_owned()).or_default() += row.counter("n")?;
                }
            }
        }
        Ok(counts)
    }
}
