//! What the API shows: pages of decisions and sessions, newest first.

use super::{Store, StoreError};
use crate::audit::decision::{Decision, DecisionOutcome};
use crate::audit::reason::Reason;
use crate::ids::{DecisionId, SessionId};
use crate::session::state::{Session, SessionKey, SessionState};
use crate::time::Timestamp;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, Row};
use std::time::Duration;

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

/// Which sessions. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Whether the endpoint is still there.
    pub state: Option<SessionState>,
    /// The NAS's name.
    pub nas: Option<String>,
    /// The MAC address in the normal spelling.
    pub mac: Option<String>,
    /// User-Name.
    pub user: Option<String>,
}

/// Some rows, and where the next page begins; `None` on the last.
#[derive(Clone, Debug)]
pub struct Page<T, Id> {
    /// Newest first.
    pub items: Vec<T>,
    /// The id to go on after.
    pub next: Option<Id>,
}

/// Appends ` AND column op value`.
pub(super) fn narrow<'a, T>(query: &mut QueryBuilder<Sqlite>, condition: &'static str, value: Option<T>)
where
    T: sqlx::Encode<'a, Sqlite> + sqlx::Type<Sqlite> + 'a,
{
    if let Some(value) = value {
        query.push(" AND ").push(condition).push(" ").push_bind(value);
    }
}

/// One row more than asked tells whether there is another page.
pub(super) fn page<T, Id>(mut items: Vec<T>, limit: u32, id: impl Fn(&T) -> Id) -> Page<T, Id> {
    let limit = limit as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(id);
    Page { items, next }
}

/// Appends the conditions, the order and the number of rows. Ids begin with the
/// time, so that the key, or the index of another condition, leads to the first
/// row and ends at the last; `at_us` only tells within a millisecond.
fn which(query: &mut QueryBuilder<Sqlite>, filter: &DecisionFilter, after: Option<DecisionId>, rows: u32) {
    let before = filter.until.map(|until| DecisionId::floor(until + Duration::from_millis(1)));
    let after = after.map(|id| *id.as_bytes());
    let below = after.into_iter().chain(before).min();
    narrow(query, "id <", below.map(|id| id.to_vec()));
    narrow(query, "id >=", filter.since.map(|since| DecisionId::floor(since).to_vec()));
    narrow(query, "outcome =", filter.outcome.map(DecisionOutcome::code));
    narrow(query, "reason =", filter.reason.map(Reason::code));
    narrow(query, "nas_name =", filter.nas.clone());
    narrow(query, "identity_name =", filter.identity.clone());
    narrow(query, "mac =", filter.mac.clone());
    match filter.enforced {
        // As the index says it.
        Some(false) => drop(query.push(" AND enforced = 0")),
        Some(true) => drop(query.push(" AND enforced = 1")),
        None => {}
    }
    narrow(query, "at_us >=", filter.since.map(Timestamp::as_micros));
    narrow(query, "at_us <", filter.until.map(Timestamp::as_micros));
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(rows));
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
        let mut query = QueryBuilder::new("SELECT body FROM decision WHERE true");
        which(&mut query, filter, after, limit + 1);
        let rows = query.build().fetch_all(&self.read).await?;
        let items = rows.iter().map(decision_of_row).collect::<Result<Vec<_>, _>>()?;
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
        // An id begins with its time, so that the primary key finds the first and
        // knows the last.
        let after = after.map_or([0xff; 16], |id| *id.as_bytes());
        let query = sqlx::query(
            "SELECT id, body FROM decision WHERE id < ? AND id >= ? AND at_us >= ? ORDER BY id DESC LIMIT ?",
        );
        let query = query.bind(after.to_vec()).bind(DecisionId::floor(since).to_vec());
        let query = query.bind(since.as_micros()).bind(i64::from(limit));
        let rows = query.fetch_all(&self.read).await?;
        let last = rows.last().filter(|_| rows.len() == limit as usize);
        let next = last.map(|row| row.try_get::<&[u8], _>("id")).transpose()?;
        let next = next.and_then(|id| <[u8; 16]>::try_from(id).ok()).map(DecisionId::from_bytes);
        let bodies = rows.iter().map(|row| row.try_get("body")).collect::<Result<_, _>>()?;
        Ok((bodies, next))
    }

    /// The decision of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        let query = sqlx::query("SELECT body FROM decision WHERE id = ?").bind(id.as_bytes().to_vec());
        query.fetch_optional(&self.read).await?.as_ref().map(decision_of_row).transpose()
    }

    /// Sessions, newest first, after the one named `after`; at most `limit` and
    /// never more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Page<Session, SessionId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut query = QueryBuilder::new("SELECT * FROM session WHERE true");
        narrow(&mut query, "id <", after.map(|id| id.as_bytes().to_vec()));
        narrow(&mut query, "state =", filter.state.map(SessionState::code));
        narrow(&mut query, "nas_name =", filter.nas.clone());
        narrow(&mut query, "mac =", filter.mac.clone());
        narrow(&mut query, "user_name =", filter.user.clone());
        query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = query.build().fetch_all(&self.read).await?;
        let items = rows.iter().map(session_of_row).collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |s| s.id))
    }

    /// The session of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let query = sqlx::query("SELECT * FROM session WHERE id = ?").bind(id.as_bytes().to_vec());
        query.fetch_optional(&self.read).await?.as_ref().map(session_of_row).transpose()
    }

    /// How many accounting records are stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn accounting_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM accounting").fetch_one(&self.read).await?;
        Ok(count.unsigned_abs())
    }
}

fn decision_of_row(row: &SqliteRow) -> Result<Decision, StoreError> {
    serde_json::from_str(row.try_get("body")?)
        .map_err(|e| StoreError::Unreadable { table: "decision", what: e.to_string() })
}

/// A session as [`super::records`] wrote it.
pub(super) fn session_of_row(row: &SqliteRow) -> Result<Session, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "session", what };
    let counter = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    let number = |name| {
        let value = row.try_get::<i64, _>(name)?;
        u32::try_from(value).map_err(|_| unreadable(format!("{name} is {value}")))
    };
    let id: [u8; 16] =
        row.try_get::<&[u8], _>("id")?.try_into().map_err(|_| unreadable("its id is not 16 octets".into()))?;
    Ok(Session {
        id: SessionId::from_bytes(id),
        key: SessionKey {
            nas_name: row.try_get("nas_name")?,
            device: row.try_get("device")?,
            acct_session_id: row.try_get("acct_session_id")?,
            station: row.try_get("station")?,
        },
        reuse: number("reuse")?,
        last_at: Timestamp::from_micros(row.try_get("last_us")?),
        restarted_at: row.try_get::<Option<i64>, _>("restarted_us")?.map(Timestamp::from_micros),
        input_octets: counter("input_octets")?,
        output_octets: counter("output_octets")?,
        input_packets: counter("input_packets")?,
        output_packets: counter("output_packets")?,
        session_time: number("session_time")?,
        details: serde_json::from_str(row.try_get("details")?).map_err(|e| unreadable(e.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_is_found_by_a_key_and_not_by_looking_at_every_row() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let since = Some(Timestamp::from_unix_secs(1_767_225_600));
        let until = since.map(|since| since + Duration::from_secs(60));
        let times = DecisionFilter { since, until, ..DecisionFilter::default() };
        for (filter, plan) in [
            (times.clone(), "sqlite_autoindex_decision_1 (id>? AND id<?)"),
            (DecisionFilter { since, ..DecisionFilter::default() }, "sqlite_autoindex_decision_1 (id>?)"),
            (
                DecisionFilter { identity: Some("x".into()), ..times },
                "decision_by_identity (identity_name=? AND id>? AND id<?)",
            ),
        ] {
            let mut query = QueryBuilder::new("EXPLAIN QUERY PLAN SELECT body FROM decision WHERE true");
            which(&mut query, &filter, None, 51);
            let rows = query.build().fetch_all(&store.read).await.unwrap();
            let steps: Vec<String> = rows.iter().map(|row| row.try_get("detail").unwrap()).collect();
            assert_eq!(steps, [format!("SEARCH decision USING INDEX {plan}")], "{filter:?}");
        }
    }
}
