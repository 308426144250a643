//! Tables for stretches of time. What is old is dropped as a whole, which takes a
//! moment and gives the room back; no row is deleted for its age.

use super::db::{Db, Row, Sql};
use super::{StoreError, audit};
use crate::audit::event::{By, Event};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// A week, in microseconds.
const WEEK_US: i64 = 7 * 24 * 3600 * 1_000_000;
/// The first Monday of 1970: weeks begin on Mondays.
const MONDAY_US: i64 = 4 * 24 * 3600 * 1_000_000;

/// What lies in tables of its own for each stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// Decisions.
    Decision,
    /// Accounting records.
    Accounting,
    /// Sessions and their addresses.
    Session,
    /// What was counted in each five minutes.
    UsageMinutes,
    /// In each hour.
    UsageHour,
    /// In each day.
    UsageDay,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 6] = [
        Family::Decision,
        Family::Accounting,
        Family::Session,
        Family::UsageMinutes,
        Family::UsageHour,
        Family::UsageDay,
    ];

    /// The word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Family::Decision => "decision",
            Family::Accounting => "accounting",
            Family::Session => "session",
            Family::UsageMinutes => "usage_5min",
            Family::UsageHour => "usage_hour",
            Family::UsageDay => "usage_day",
        }
    }

    /// How many weeks one table holds: many rows or few.
    const fn weeks(self) -> i64 {
        match self {
            Family::Decision | Family::Accounting | Family::Session | Family::UsageMinutes => 1,
            Family::UsageHour => 8,
            Family::UsageDay => 104,
        }
    }

    /// What makes the tables of one stretch, in steps. What is released is never changed: more is another step.
    const fn steps(self) -> &'static [&'static str] {
        match self {
            Family::Decision => &[
                include_str!("../../migrations/partitions/decision.sql"),
                include_str!("../../migrations/partitions/decision_2.sql"),
            ],
            Family::Accounting => &[include_str!("../../migrations/partitions/accounting.sql")],
            Family::Session => &[
                include_str!("../../migrations/partitions/session.sql"),
                include_str!("../../migrations/partitions/session_2.sql"),
                include_str!("../../migrations/partitions/session_3.sql"),
            ],
            Family::UsageMinutes | Family::UsageHour | Family::UsageDay => {
                &[include_str!("../../migrations/partitions/usage.sql")]
            }
        }
    }

    /// The tables of one stretch; the first is the family's own.
    fn tables(self, suffix: &str) -> Vec<String> {
        let own = match self {
            Family::UsageMinutes | Family::UsageHour | Family::UsageDay => format!("usage_{suffix}"),
            _ => format!("{}_{suffix}", self.code()),
        };
        match self {
            Family::Session => vec![own, format!("session_address_{suffix}")],
            _ => vec![own],
        }
    }

    /// The stretch that holds this time.
    fn stretch(self, at: Timestamp) -> Partition {
        let length = self.weeks() * WEEK_US;
        // Nobody was anywhere before 1970, or will be after 9999.
        let at = at.as_micros().clamp(MONDAY_US, 253_000_000_000_000_000);
        let from = (at - MONDAY_US).div_euclid(length) * length + MONDAY_US;
        let day = jiff::Timestamp::from_microsecond(from)
            .map_or_else(|_| from.to_string(), |t| t.strftime("%Y%m%d").to_string());
        let suffix = match self {
            Family::UsageMinutes => format!("5min_{day}"),
            Family::UsageHour => format!("hour_{day}"),
            Family::UsageDay => format!("day_{day}"),
            _ => day,
        };
        Partition {
            family: self,
            from: Timestamp::from_micros(from),
            until: Timestamp::from_micros(from + length),
            suffix,
        }
    }
}

/// One stretch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// What lies there.
    pub family: Family,
    /// Its beginning.
    pub from: Timestamp,
    /// Its end, which is the next one's beginning.
    pub until: Timestamp,
    suffix: String,
}

impl Partition {
    /// The family's own table.
    pub fn table(&self) -> String {
        self.family.tables(&self.suffix).swap_remove(0)
    }

    /// The table of addresses beside that of sessions.
    pub fn addresses(&self) -> String {
        format!("session_address_{}", self.suffix)
    }

    /// All its tables.
    pub fn tables(&self) -> Vec<String> {
        self.family.tables(&self.suffix)
    }
}

/// Which stretches there are. Cloning it shares them.
#[derive(Clone, Debug, Default)]
pub struct Partitions {
    known: Arc<RwLock<BTreeMap<(Family, Timestamp), Partition>>>,
}

impl Partitions {
    /// Reads which there are.
    pub(super) async fn read(&self, db: &Db) -> Result<(), StoreError> {
        let rows = db.fetch(Sql::new("SELECT * FROM partitions")).await?;
        let all: Vec<Partition> = rows.iter().map(partition_of_row).collect::<Result<_, _>>()?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = all.into_iter().map(|p| ((p.family, p.from), p)).collect();
        Ok(())
    }

    /// Brings the tables of earlier versions up to the last step.
    pub(super) async fn bring_up(&self, db: &Db) -> Result<(), StoreError> {
        for row in db.fetch(Sql::new("SELECT * FROM partitions ORDER BY family, from_us")).await? {
            let (partition, done) = (partition_of_row(&row)?, row.int("step")?);
            let steps = partition.family.steps();
            let missing = steps.get(usize::try_from(done).unwrap_or_default()..).unwrap_or_default();
            if missing.is_empty() {
                continue;
            }
            let mut tx = db.begin().await?;
            // An index of millions of rows takes its time.
            tx.without_haste().await?;
            for step in missing {
                tx.define(&step.replace("{p}", &partition.suffix)).await?;
            }
            let sql = Sql::new("UPDATE partitions SET step = ? WHERE family = ? AND from_us = ?");
            tx.execute(sql.bind(steps.len() as u64).bind(partition.family.code()).bind(partition.from)).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The stretch that holds this time, if it is there.
    pub fn at(&self, family: Family, at: Timestamp) -> Option<Partition> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (_, latest) = known.range((family, Timestamp::from_micros(i64::MIN))..=(family, at)).next_back()?;
        (latest.until > at).then(|| latest.clone())
    }

    /// All of a family that hold some of the time from `since` until `until`, the
    /// latest first.
    pub fn between(&self, family: Family, since: Option<Timestamp>, until: Option<Timestamp>) -> Vec<Partition> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let all = known.values().rev().filter(|p| p.family == family);
        let within = all.filter(|p| since.is_none_or(|t| p.until > t) && until.is_none_or(|t| p.from <= t));
        within.cloned().collect()
    }

    /// Makes the stretch that holds this time, if it is not there.
    pub(super) async fn ensure(&self, db: &Db, family: Family, at: Timestamp) -> Result<Partition, StoreError> {
        if let Some(known) = self.at(family, at) {
            return Ok(known);
        }
        let new = family.stretch(at);
        let mut tx = db.begin().await?;
        let sql = "INSERT INTO partitions (family, from_us, until_us, suffix, step) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let sql = Sql::new(sql).bind(family.code()).bind(new.from).bind(new.until).bind(&new.suffix);
        // Another process may have made it meanwhile.
        if tx.execute(sql.bind(family.steps().len() as u64)).await? == 1 {
            for step in family.steps() {
                tx.define(&step.replace("{p}", &new.suffix)).await?;
            }
        }
        tx.commit().await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert((family, new.from), new.clone());
        Ok(new)
    }

    /// Drops the stretches of a family that end before `before`, but for sessions those
    /// in which one goes on. Gives what was dropped.
    pub(super) async fn drop_before(
        &self,
        db: &Db,
        family: Family,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Partition>, StoreError> {
        let mut dropped = Vec::new();
        for old in self.between(family, None, None).into_iter().filter(|p| p.until <= before) {
            if family == Family::Session {
                // One that goes on, and began long ago, keeps its table.
                let live =
                    format!("SELECT count(*) AS n FROM {} WHERE state <> 'stopped' AND ended_us IS NULL", old.table());
                if db.number(Sql::new(live)).await? > 0 {
                    continue;
                }
            }
            let mut tx = db.begin().await?;
            for table in old.tables() {
                tx.define(&format!("DROP TABLE IF EXISTS {table};")).await?;
            }
            let sql = Sql::new("DELETE FROM partitions WHERE family = ? AND from_us = ?");
            tx.execute(sql.bind(family.code()).bind(old.from)).await?;
            let state = json!({ "from": old.from, "until": old.until, "tables": old.tables() });
            let event = Event::new(&By::server(), "records.drop", family.code(), &old.table(), now);
            let event = event.states(state, Value::Null).because("they are older than [retention] keeps them");
            audit::append(&mut tx, vec![event]).await?;
            tx.commit().await?;
            self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&(family, old.from));
            dropped.push(old);
        }
        Ok(dropped)
    }
}

fn partition_of_row(row: &Row) -> Result<Partition, StoreError> {
    let code = row.text("family")?;
    let family = Family::ALL.into_iter().find(|f| f.code() == code);
    let unknown = || StoreError::Unreadable { table: "partitions", what: format!("there is no family {code:?}") };
    Ok(Partition {
        family: family.ok_or_else(unknown)?,
        from: row.time("from_us")?,
        until: row.time("until_us")?,
        suffix: row.text("suffix")?.to_owned(),
    })
}

/// How long what is kept, by family. `None`: for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Decisions.
    pub decisions: Option<Duration>,
    /// Accounting records.
    pub accounting: Option<Duration>,
    /// Sessions.
    pub sessions: Option<Duration>,
    /// Usage by five minutes.
    pub usage_minutes: Option<Duration>,
    /// Usage by hours.
    pub usage_hours: Option<Duration>,
    /// Usage by days.
    pub usage_days: Option<Duration>,
}

impl Retention {
    /// How long one family is kept.
    pub fn of(&self, family: Family) -> Option<Duration> {
        match family {
            Family::Decision => self.decisions,
            Family::Accounting => self.accounting,
            Family::Session => self.sessions,
            Family::UsageMinutes => self.usage_minutes,
            Family::UsageHour => self.usage_hours,
            Family::UsageDay => self.usage_days,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_mondays_and_follow_one_another() {
        // Thursday.
        let at = Timestamp::from_unix_secs(1_764_288_000 - 24 * 3600);
        let week = Family::Decision.stretch(at);
        assert_eq!(week.table(), "decision_20251124");
        assert!(week.from <= at && at < week.until);
        let next = Family::Decision.stretch(week.until);
        assert_eq!((next.from, next.table().as_str()), (week.until, "decision_20251201"));
        assert_eq!(Family::Session.stretch(at).tables(), ["session_20251124", "session_address_20251124"]);
        let last = Family::UsageHour.stretch(Timestamp::from_micros(i64::MAX));
        assert!(last.table().starts_with("usage_hour_"), "{last:?}");
        assert_eq!(Family::Accounting.stretch(Timestamp::from_micros(i64::MIN)).table(), "accounting_19700105");
    }
}
