//! What was counted on each NAS in each five minutes, hour and day: written with
//! the records that tell it, so that nothing is counted twice or lost.

use super::db::{Arg, Kind, Sql, Tx};
use super::partition::Family;
use super::{Store, StoreError};
use crate::session::live::Counted;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// The periods, and the families that their tables are of.
const PERIODS: [(Family, Duration); 3] = [
    (Family::UsageMinutes, Duration::from_secs(300)),
    (Family::UsageHour, Duration::from_secs(3600)),
    (Family::UsageDay, Duration::from_secs(24 * 3600)),
];
const KINDS: &[Kind] = {
    use Kind::{Int, Text};
    &[Int, Text, Int, Int, Int, Int]
};

/// The most of anything in one period: 9 PB, which nobody counts in a day. A NAS that
/// tells nonsense fills its own periods, and neither a column nor the sum of a
/// thousand such NASes overflows.
const MOST: u64 = 1 << 53;

/// What was counted in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Octets from endpoints.
    pub input_octets: u64,
    /// Octets to endpoints.
    pub output_octets: u64,
    /// Accounting records that told something of a session.
    pub records: u64,
    /// Sessions that began.
    pub sessions: u64,
}

/// A period of one NAS, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// Its beginning.
    pub begin: Timestamp,
    /// What was counted.
    pub sum: Sum,
}

/// How long the periods are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Five minutes.
    Minutes,
    /// An hour.
    Hour,
    /// A day of UTC.
    Day,
}

impl Resolution {
    /// All of them.
    pub const ALL: [Resolution; 3] = [Resolution::Minutes, Resolution::Hour, Resolution::Day];

    /// The word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Resolution::Minutes => "5min",
            Resolution::Hour => "hour",
            Resolution::Day => "day",
        }
    }

    /// The resolution of this word, if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.code() == code)
    }

    const fn family(self) -> Family {
        PERIODS[self as usize].0
    }

    const fn period(self) -> Duration {
        PERIODS[self as usize].1
    }
}

/// What some records count, by period and NAS.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    sums: BTreeMap<(Family, Timestamp, String), Sum>,
}

impl Usage {
    pub(super) fn add(&mut self, counted: &Counted) {
        for (family, period) in PERIODS {
            let begin = begin_of(period, counted.at);
            let sum = self.sums.entry((family, begin, counted.nas_name.clone())).or_default();
            sum.input_octets = sum.input_octets.saturating_add(counted.input_octets).min(MOST);
            sum.output_octets = sum.output_octets.saturating_add(counted.output_octets).min(MOST);
            sum.records += 1;
            sum.sessions += u64::from(counted.began);
        }
    }
}

/// The beginning of the period that holds a time.
fn begin_of(period: Duration, at: Timestamp) -> Timestamp {
    let length = period.as_micros() as i64;
    Timestamp::from_micros(at.as_micros().div_euclid(length) * length)
}

impl Store {
    /// Adds to what was counted. The tables must be there.
    pub(super) async fn save_usage(&self, tx: &mut Tx, usage: &Usage) -> Result<(), StoreError> {
        let mut tables: BTreeMap<String, Vec<Arg>> = BTreeMap::new();
        for ((family, begin, nas), sum) in &usage.sums {
            let Some(partition) = self.partitions.at(*family, *begin) else { continue };
            tables.entry(partition.table()).or_default().extend([
                (*begin).into(),
                nas.as_str().into(),
                sum.input_octets.into(),
                sum.output_octets.into(),
                sum.records.into(),
                sum.sessions.into(),
            ]);
        }
        for (table, values) in tables {
            let add = |column: &str| {
                format!(
                    "{column} = CASE WHEN {table}.{column} > {MOST} - excluded.{column} THEN {MOST} \
                     ELSE {table}.{column} + excluded.{column} END"
                )
            };
            let sums = ["input_octets", "output_octets", "records", "sessions"].map(add).join(", ");
            let tail = format!("ON CONFLICT (nas_name, begin_us) DO UPDATE SET {sums}");
            let into = format!("{table} (begin_us, nas_name, input_octets, output_octets, records, sessions)");
            tx.insert(&into, KINDS, values, &tail).await?;
        }
        Ok(())
    }

    /// What was counted in the periods from that of `since` until `until`, the earliest period first: on
    /// one NAS, or on all together. At most `limit` periods, the latest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn usage(
        &self,
        resolution: Resolution,
        nas: Option<&str>,
        since: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<UsageRow>, StoreError> {
        let since = begin_of(resolution.period(), since);
        let mut found = Vec::new();
        for partition in self.partitions.between(resolution.family(), Some(since), Some(until)) {
            let sums = ["input_octets", "output_octets", "records", "sessions"]
                .map(|column| format!("CAST(sum({column}) AS BIGINT) AS {column}"))
                .join(", ");
            let sql =
                format!("SELECT begin_us, {sums} FROM {} WHERE begin_us >= ? AND begin_us < ?", partition.table());
            let sql = Sql::new(sql).bind(since).bind(until).narrow("nas_name =", nas);
            let left = i64::from(limit) - found.len() as i64;
            let sql = sql.then(" GROUP BY begin_us ORDER BY begin_us DESC LIMIT ?").bind(left);
            for row in self.db.fetch(sql).await? {
                let sum = Sum {
                    input_octets: row.counter("input_octets")?,
                    output_octets: row.counter("output_octets")?,
                    records: row.counter("records")?,
                    sessions: row.counter("sessions")?,
                };
                found.push(UsageRow { begin: row.time("begin_us")?, sum });
            }
            if found.len() >= limit as usize {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }
}
