//! What the API shows: pages of decisions, newest first.

use super::db::{Arg, Kind, Row, Sql, chunks};
use super::partition::Family;
use super::{Store, StoreError};
use crate::audit::decision::{Decision, DecisionOutcome};
use crate::audit::reason::Reason;
use crate::ids::DecisionId;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

pub use super::sessions::{Held, SessionFilter};

/// The most rows of one page.
pub const MAX_PAGE: u32 = 500;

/// Which decisions. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct DecisionFilter {
    /// How it ended.
    pub outcome: Option<DecisionOutcome>,
    /// Why.
    pub reason: Option<Reason>,
    /// The NAS's name.
    pub nas: Option<String>,
    /// The identity's name.
    pub identity: Option<String>,
    /// The MAC address in the normal spelling.
    pub mac: Option<String>,
    /// Whether it was carried out.
    pub enforced: Option<bool>,
    /// Decided at this time or later.
    pub since: Option<Timestamp>,
    /// Decided before this time.
    pub until: Option<Timestamp>,
}

/// Some rows, and where the next page begins; `None` on the last.
#[derive(Clone, Debug)]
pub struct Page<T, Id> {
    /// Newest first.
    pub items: Vec<T>,
    /// The id to go on after.
    pub next: Option<Id>,
}

/// One row more than asked tells whether there is another page.
pub(super) fn page<T, Id>(mut items: Vec<T>, limit: u32, id: impl Fn(&T) -> Id) -> Page<T, Id> {
    let limit = limit as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(id);
    Page { items, next }
}

/// A page's statement for one table. Ids begin with the time, so that the key, or
/// the index of another condition, leads to the first row and ends at the last;
/// `at_us` only tells within a millisecond.
fn which(what: &str, table: &str, filter: &DecisionFilter, after: Option<DecisionId>, rows: i64) -> Sql {
    let before = filter.until.map(|until| DecisionId::floor(until + Duration::from_millis(1)));
    let after = after.map(|id| *id.as_bytes());
    let below = after.into_iter().chain(before).min();
    let sql = Sql::new(format!("{what} FROM {table} WHERE true"))
        .narrow("id <", below.map(|id| id.to_vec()))
        .narrow("id >=", filter.since.map(|since| DecisionId::floor(since).to_vec()))
        .narrow("outcome =", filter.outcome.map(DecisionOutcome::code))
        .narrow("reason =", filter.reason.map(Reason::code))
        .narrow("nas_name =", filter.nas.as_deref())
        .narrow("identity_name =", filter.identity.as_deref())
        .narrow("mac =", filter.mac.as_deref());
    let sql = match filter.enforced {
        // As the index says it.
        Some(false) => sql.then(" AND enforced = 0"),
        Some(true) => sql.then(" AND enforced = 1"),
        None => sql,
    };
    let sql = sql.narrow("at_us >=", filter.since).narrow("at_us <", filter.until);
    sql.then(" ORDER BY id DESC LIMIT ?").bind(rows)
}

impl Store {
    /// Decisions, newest first, after the one named `after`; at most `limit`
    /// and never more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn decisions(
        &self,
        filter: &DecisionFilter,
        after: Option<DecisionId>,
        limit: u32,
    ) -> Result<Page<Decision, DecisionId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut items: Vec<Decision> = Vec::new();
        let latest = after.map(|id| id.made_at()).into_iter().chain(filter.until).min();
        for partition in self.partitions.between(Family::Decision, filter.since, latest) {
            let left = i64::from(limit) + 1 - items.len() as i64;
            for row in self.db.fetch(which("SELECT body", &partition.table(), filter, after, left)).await? {
                items.push(decision_of_row(&row)?);
            }
            if items.len() > limit as usize {
                break;
            }
        }
        Ok(page(items, limit, |d| d.id))
    }

    /// The bodies of decisions made at `since` or later, newest first, after the
    /// one named `after`; and where to go on. They are parsed elsewhere, so that
    /// a hundred thousand are read in the time that they take.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn decision_bodies(
        &self,
        since: Timestamp,
        after: Option<DecisionId>,
        limit: u32,
    ) -> Result<(Vec<String>, Option<DecisionId>), StoreError> {
        let filter = DecisionFilter { since: Some(since), ..DecisionFilter::default() };
        let (mut bodies, mut last) = (Vec::new(), None);
        for partition in self.partitions.between(Family::Decision, Some(since), after.map(|id| id.made_at())) {
            let left = i64::from(limit) - bodies.len() as i64;
            for row in self.db.fetch(which("SELECT id, body", &partition.table(), &filter, after, left)).await? {
                last = Some(DecisionId::from_bytes(row.id("decision", "id")?));
                bodies.push(row.text("body")?.to_owned());
            }
            if bodies.len() >= limit as usize {
                return Ok((bodies, last));
            }
        }
        Ok((bodies, None))
    }

    /// The decision of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        Ok(self.decisions_by_id(&[id]).await?.pop())
    }

    /// Those of these decisions that are there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn decisions_by_id(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, StoreError> {
        let mut tables: BTreeMap<String, Vec<Arg>> = BTreeMap::new();
        for id in ids {
            if let Some(partition) = self.partitions.at(Family::Decision, id.made_at()) {
                tables.entry(partition.table()).or_default().push(id.as_bytes().into());
            }
        }
        let mut found = Vec::with_capacity(ids.len());
        for (table, ids) in tables {
            for chunk in chunks(ids, self.db.rows_at_once()) {
                let sql = Sql::new(format!("SELECT body FROM {table} WHERE id IN (")).rows(&[Kind::Blob], chunk);
                for row in self.db.fetch(sql.then(")")).await? {
                    found.push(decision_of_row(&row)?);
                }
            }
        }
        Ok(found)
    }
}

fn decision_of_row(row: &Row) -> Result<Decision, StoreError> {
    serde_json::from_str(row.text("body")?)
        .map_err(|e| StoreError::Unreadable { table: "decision", what: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_is_found_by_a_key_and_not_by_looking_at_every_row() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let since = Some(Timestamp::from_unix_secs(1_767_225_600));
        let week = store.partitions.ensure(&store.db, Family::Decision, since.unwrap()).await.unwrap();
        let until = since.map(|since| since + Duration::from_secs(60));
        let times = DecisionFilter { since, until, ..DecisionFilter::default() };
        let table = week.table();
        for (filter, plan) in [
            (times.clone(), format!("sqlite_autoindex_{table}_1 (id>? AND id<?)")),
            (DecisionFilter { since, ..DecisionFilter::default() }, format!("sqlite_autoindex_{table}_1 (id>?)")),
            (
                DecisionFilter { identity: Some("x".into()), ..times },
                format!("{table}_by_identity (identity_name=? AND id>? AND id<?)"),
            ),
        ] {
            let sql = which("EXPLAIN QUERY PLAN SELECT body", &table, &filter, None, 51);
            let rows = store.db.fetch(sql).await.unwrap();
            let steps: Vec<&str> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
            assert_eq!(steps, [format!("SEARCH {table} USING INDEX {plan}")], "{filter:?}");
        }
    }
}
