//! What the API shows of accounting records, one by one.

use super::db::{Row, Sql};
use super::partition::{Family, Partition};
use super::read::{MAX_PAGE, Order, Page};
use super::walk::{Segment, Walk};
use super::{Store, StoreError};
use crate::session::state::Session;
use crate::time::Timestamp;
use std::time::Duration;

/// Records that one page looks at: they are short, and no index but that of time is kept of them, since they are
/// written more often than anything else.
const LOOKS: i64 = 8_000;
/// Octets of a digest that tell the record's own time, in seconds.
const TIME_LEN: usize = 4;
/// How far the times of a session's records may lie outside of what is known of it.
const AROUND: Duration = Duration::from_secs(60);

/// Which records. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct AccountingFilter {
    /// From one of these NASes, by their names.
    pub nas: Option<Vec<String>>,
    /// The device, where one NAS stands for many.
    pub device: Option<String>,
    /// The endpoint: its MAC address in the normal spelling, or its Calling-Station-Id.
    pub station: Option<String>,
    /// Acct-Session-Id.
    pub acct_session_id: Option<String>,
    /// Of this time or later.
    pub since: Option<Timestamp>,
    /// Of before this time.
    pub until: Option<Timestamp>,
    /// Which end the list begins with.
    pub order: Order,
}

impl AccountingFilter {
    /// The records of one session, and of others that its NAS called alike at that time.
    pub fn of_session(session: &Session, now: Timestamp) -> AccountingFilter {
        let key = &session.key;
        AccountingFilter {
            nas: Some(vec![key.nas_name.clone()]),
            device: Some(key.device.clone()),
            station: Some(key.station.clone()),
            acct_session_id: session.acct_session_id().map(str::to_owned),
            since: Some(session.started_at() - AROUND),
            until: Some(session.stopped_at().unwrap_or(now).max(session.last_at) + AROUND),
            order: Order::default(),
        }
    }
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// What tells it from others, in hexadecimal.
    pub digest: Vec<u8>,
    /// When it came.
    pub received: Timestamp,
    /// When it happened.
    pub at: Timestamp,
    /// The NAS's name.
    pub nas: String,
    /// Which device of it.
    pub device: String,
    /// Acct-Status-Type.
    pub status: u32,
    /// Acct-Session-Id; empty where there is none.
    pub acct_session_id: String,
    /// The endpoint's MAC address, or else its Calling-Station-Id, or nothing.
    pub station: String,
    /// Octets from the endpoint, if they were told.
    pub input_octets: Option<u64>,
    /// Octets to the endpoint.
    pub output_octets: Option<u64>,
    /// Acct-Session-Time, in seconds.
    pub session_time: Option<u32>,
}

/// A place in the list: the week, and the digest of a record in it.
pub type RecordPlace = (Timestamp, Vec<u8>);

fn prefix(at: Timestamp) -> Vec<u8> {
    let secs = u32::try_from(at.unix_secs().max(0)).unwrap_or(u32::MAX);
    secs.to_be_bytes()[..TIME_LEN].to_vec()
}

/// The parts of a week's table, the newest first: records of the time that is asked for; and before and after them
/// those whose NAS has a wrong clock, or tells no time, so that their digests do not say when they were.
fn parts(week: &Partition, filter: &AccountingFilter, lead: &Sql) -> [(Timestamp, Segment); 3] {
    let (from, until) = (prefix(week.from), prefix(week.until));
    let since = filter.since.map_or_else(|| from.clone(), |since| prefix(since).max(from.clone()));
    let before =
        filter.until.map_or_else(|| until.clone(), |to| prefix(to + Duration::from_secs(1)).min(until.clone()));
    let part = |low: Option<Vec<u8>>, high: Option<Vec<u8>>| {
        (week.from, Segment { table: week.table(), low, high, lead: lead.clone() })
    };
    [part(Some(until), None), part(Some(since), Some(before)), part(None, Some(from))]
}

impl Store {
    /// Accounting records, after the one at `after`; at most `limit` and never more than [`MAX_PAGE`]. Those of
    /// one week come together; within it they are in the order of what their NASes say of the time, to the second.
    /// Those of NASes that say nothing of it come after the others, in the order of time within each page alone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn accounting(
        &self,
        filter: &AccountingFilter,
        after: Option<RecordPlace>,
        limit: u32,
    ) -> Result<Page<StoredRecord, RecordPlace>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let newest = filter.order == Order::NewestFirst;
        let place = after.as_ref().map(|(week, _)| *week);
        let (since, until) = match newest {
            true => (filter.since, place.into_iter().chain(filter.until).min()),
            false => (place.into_iter().chain(filter.since).max(), filter.until),
        };
        let lead = Sql::default().narrow("event_us >=", filter.since).narrow("event_us <", filter.until);
        let weeks = self.partitions.between(Family::Accounting, since, until);
        let mut parts: Vec<_> = weeks.iter().flat_map(|week| parts(week, filter, &lead)).collect();
        if !newest {
            parts.reverse();
        }
        let equal = |text: &str, value: &Option<String>| Sql::default().narrow(text, value.as_deref());
        let rest = filter.nas.as_deref().map_or_else(Sql::default, |names| super::read::named("nas_name", names));
        let rest = rest
            .join(&equal("device =", &filter.device))
            .join(&equal("station =", &filter.station))
            .join(&equal("acct_session_id =", &filter.acct_session_id));
        let (mut items, mut looks) = (Vec::new(), LOOKS);
        let (mut next, most) = (None, limit as usize + 1);
        for (week, segment) in parts {
            // Digests go from the one end to the other within each week.
            let after = after.as_ref().filter(|(of, _)| *of == week).map(|(_, digest)| digest.clone());
            let walk = Walk {
                key: "digest",
                columns: "*",
                segments: vec![segment],
                order: filter.order,
                after,
                rest: rest.clone(),
                looks,
            };
            let found = self.walk(&walk, (most - items.len()) as i64).await?;
            for row in &found.rows {
                items.push((week, record_of_row(row)?));
            }
            looks = found.looks;
            if let Some(digest) = found.stopped {
                next = Some((week, digest));
                break;
            }
            if items.len() >= most {
                break;
            }
        }
        if items.len() >= most {
            items.truncate(limit as usize);
            next = items.last().map(|(week, record)| (*week, record.digest.clone()));
        }
        let mut items: Vec<StoredRecord> = items.into_iter().map(|(_, record)| record).collect();
        // Digests of those that tell no time have no order.
        items.sort_by_key(|record| if newest { -record.at.as_micros() } else { record.at.as_micros() });
        Ok(Page { items, next })
    }
}

fn record_of_row(row: &Row) -> Result<StoredRecord, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    let number = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(i64::unsigned_abs));
    Ok(StoredRecord {
        digest: row.blob("digest")?.to_vec(),
        received: row.time("received_us")?,
        at: row.time("event_us")?,
        nas: text("nas_name")?,
        device: text("device")?,
        status: u32::try_from(row.int("status")?).unwrap_or_default(),
        acct_session_id: text("acct_session_id")?,
        station: text("station")?,
        input_octets: number("input_octets")?,
        output_octets: number("output_octets")?,
        session_time: number("session_time")?.and_then(|secs| u32::try_from(secs).ok()),
    })
}
