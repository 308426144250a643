//! What the API shows: pages of decisions.

use super::db::{Arg, Kind, Row, Sql, chunks};
use super::partition::{Family, Partition, Partitions};
use super::walk::{Segment, Walk, Walked};
use super::{Store, StoreError};
use crate::audit::decision::{Decision, DecisionOutcome};
use crate::audit::reason::Reason;
use crate::ids::DecisionId;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

pub use super::sessions::{Held, Of, SessionFilter};
pub use super::walk::Order;

/// The most rows of one page.
pub const MAX_PAGE: u32 = 500;

/// Rows that one page of decisions or sessions looks at for what no index knows: a few hundredths of a second.
pub(super) const LOOKS: i64 = 2_500;

/// Which decisions. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct DecisionFilter {
    /// How it ended.
    pub outcome: Option<DecisionOutcome>,
    /// Why.
    pub reason: Option<Reason>,
    /// One of these NASes, by their names.
    pub nas: Option<Vec<String>>,
    /// The identity's name.
    pub identity: Option<String>,
    /// The MAC address in the normal spelling.
    pub mac: Option<String>,
    /// The profile that was granted.
    pub profile: Option<String>,
    /// The wireless network.
    pub ssid: Option<String>,
    /// The VLAN that was granted, as the NAS was told it.
    pub vlan: Option<String>,
    /// Whether it was carried out.
    pub enforced: Option<bool>,
    /// Decided at this time or later.
    pub since: Option<Timestamp>,
    /// Decided before this time.
    pub until: Option<Timestamp>,
    /// Which end the list begins with.
    pub order: Order,
}

/// Some rows, and where the next page begins; `None` on the last. One that is not the last may be short, if what is asked
/// for is seldom.
#[derive(Clone, Debug)]
pub struct Page<T, Id> {
    /// In the order of the list.
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

/// Conditions on names: of one the index knows, of several each row is looked at.
pub(super) fn named(column: &str, names: &[String]) -> Sql {
    match names {
        [] => Sql::new(" AND 1 = 0"),
        [one] => Sql::default().narrow(&format!("{column} ="), Some(one.as_str())),
        names => {
            let all = names.iter().map(|name| name.as_str().into()).collect();
            Sql::new(format!(" AND {column} IN (")).rows(&[Kind::Text], all).then(")")
        }
    }
}

impl DecisionFilter {
    /// What the best index knows of it, and what no index does. The first that is asked for is that which leaves least.
    fn parted(&self) -> (Sql, Sql) {
        let refused = self.outcome.is_some_and(|outcome| outcome != DecisionOutcome::Accept)
            || self.reason.is_some_and(|reason| reason != Reason::Accepted && self.outcome.is_none());
        let equal = |text: &str, value: Option<&str>| value.map(|value| Sql::default().narrow(text, Some(value)));
        // As the indexes say it.
        let not_enforced = |enforced| Sql::new(if enforced { " AND enforced = 1" } else { " AND enforced = 0" });
        let conditions = [
            equal("mac =", self.mac.as_deref()),
            equal("identity_name =", self.identity.as_deref()),
            self.nas.as_deref().filter(|names| names.len() == 1).map(|names| named("nas_name", names)),
            equal("profile =", self.profile.as_deref()),
            equal("reason =", self.reason.filter(|reason| *reason != Reason::Accepted).map(Reason::code)),
            self.enforced.filter(|enforced| !enforced).map(not_enforced),
            // Each row is looked at for these.
            equal("outcome =", self.outcome.map(DecisionOutcome::code)),
            equal("reason =", self.reason.filter(|reason| *reason == Reason::Accepted).map(Reason::code)),
            self.nas.as_deref().filter(|names| names.len() != 1).map(|names| named("nas_name", names)),
            equal("ssid =", self.ssid.as_deref()),
            equal("vlan =", self.vlan.as_deref()),
            self.enforced.filter(|enforced| *enforced).map(not_enforced),
        ];
        const INDEXED: usize = 6;
        let mut conditions = conditions.into_iter().enumerate().filter_map(|(at, sql)| Some((at, sql?)));
        let (mut lead, mut rest) = (Sql::default(), Sql::default());
        if let Some((at, first)) = conditions.next() {
            *if at < INDEXED { &mut lead } else { &mut rest } = first;
        }
        let rest = conditions.fold(rest, |rest, (_, sql)| rest.join(&sql));
        let fewer = self.mac.is_some() || self.identity.is_some() || self.profile.is_some() || self.enforced.is_some();
        let by_reason = self.reason.is_some() && self.nas.as_ref().is_none_or(|names| names.len() != 1);
        if refused && !fewer && !by_reason { (lead.then(" AND outcome <> 'accept'"), rest) } else { (lead, rest) }
    }

    /// How a page that begins after a decision is read. Ids begin with the time; `at_us` only tells within a millisecond.
    fn walk(&self, columns: &'static str, partitions: &Partitions, after: Option<DecisionId>) -> Walk {
        let at = after.map(|id| id.made_at());
        let (since, until) = match self.order {
            Order::NewestFirst => (self.since, at.into_iter().chain(self.until).min()),
            Order::OldestFirst => (at.into_iter().chain(self.since).max(), self.until),
        };
        let (lead, rest) = self.parted();
        let lead = lead.narrow("at_us >=", self.since).narrow("at_us <", self.until);
        let mut weeks = partitions.between(Family::Decision, since, until);
        if self.order == Order::OldestFirst {
            weeks.reverse();
        }
        let segment = |week: &Partition| Segment {
            table: week.table(),
            low: self.since.map(|since| DecisionId::floor(since).to_vec()),
            high: self.until.map(|until| DecisionId::floor(until + Duration::from_millis(1)).to_vec()),
            lead: lead.clone(),
        };
        Walk {
            key: "id",
            columns,
            segments: weeks.iter().map(segment).collect(),
            order: self.order,
            after: after.map(|id| id.as_bytes().to_vec()),
            rest,
            looks: LOOKS,
        }
    }
}

/// The items of a page, and where the next one begins.
pub(super) fn walked<T, Id>(
    walked: Walked,
    limit: u32,
    read: impl Fn(&Row) -> Result<T, StoreError>,
    id: impl Fn(&T) -> Id,
    id_of_key: impl Fn([u8; 16]) -> Id,
) -> Result<Page<T, Id>, StoreError> {
    let items = walked.rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let stopped = walked.stopped.and_then(|key| key.try_into().ok()).map(id_of_key);
    let Page { items, next } = page(items, limit, id);
    Ok(Page { items, next: next.or(stopped) })
}

impl Store {
    /// Decisions, after the one named `after`; at most `limit` and never more than [`MAX_PAGE`].
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
        let walk = filter.walk("id, body", &self.partitions, after);
        let found = self.walk(&walk, i64::from(limit) + 1).await?;
        walked(found, limit, decision_of_row, |d| d.id, DecisionId::from_bytes)
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
        let rows = self.walk(&filter.walk("id, body", &self.partitions, after), i64::from(limit)).await?.rows;
        let bodies = rows.iter().map(|row| row.text("body").map(str::to_owned)).collect::<Result<Vec<_>, _>>()?;
        let last = rows.last().filter(|_| rows.len() >= limit as usize);
        let last = last.map(|row| row.id("decision", "id").map(DecisionId::from_bytes)).transpose()?;
        Ok((bodies, last))
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
        let at = Timestamp::from_unix_secs(1_767_225_600);
        let week = store.partitions.ensure(&store.db, Family::Decision, at).await.unwrap();
        let since = Some(at);
        let until = since.map(|since| since + Duration::from_secs(60));
        let times = DecisionFilter { since, until, ..DecisionFilter::default() };
        let table = week.table();
        let by = |index: &str, keys: &str| format!("SEARCH {table} USING INDEX {table}_{index} ({keys}id>? AND id<?)");
        let key = format!("SEARCH {table} USING INDEX sqlite_autoindex_{table}_1 (id>? AND id<?)");
        let refused = Some(DecisionOutcome::Reject);
        let two = Some(vec!["sw1".to_owned(), "sw2".to_owned()]);
        for (filter, plan, looks) in [
            (times.clone(), key.clone(), false),
            (
                DecisionFilter { identity: Some("x".into()), ..times.clone() },
                by("by_identity", "identity_name=? AND "),
                false,
            ),
            (
                DecisionFilter { mac: Some("x".into()), vlan: Some("20".into()), ..times.clone() },
                by("by_mac", "mac=? AND "),
                true,
            ),
            (DecisionFilter { profile: Some("x".into()), ..times.clone() }, by("by_profile", "profile=? AND "), false),
            (
                DecisionFilter { reason: Some(Reason::MacUnknown), ..times.clone() },
                by("by_reason", "reason=? AND "),
                false,
            ),
            (DecisionFilter { outcome: refused, ..times.clone() }, by("refused", ""), true),
            (
                DecisionFilter { outcome: refused, nas: Some(vec!["sw1".into()]), ..times.clone() },
                by("refused_by_nas", "nas_name=? AND "),
                true,
            ),
            (DecisionFilter { nas: two, ssid: Some("corp".into()), ..times.clone() }, key, true),
        ] {
            let walk = filter.walk("id, body", &store.partitions, None);
            assert_eq!(walk.rest.is_empty(), !looks, "{filter:?}");
            let rows = store.db.fetch(walk.page(&walk.segments[0], 51, LOOKS).explained()).await.unwrap();
            let steps: Vec<&str> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
            assert!(
                steps.contains(&plan.as_str()) && !steps.iter().any(|step| step.starts_with("SCAN decision")),
                "{filter:?}: {steps:?}"
            );
        }
    }
}
