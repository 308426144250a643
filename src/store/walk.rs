//! Pages along a key that begins with the time. What an index leads to is looked at in the order of the key; for
//! conditions that no index knows, each row is looked at, and one page looks at so many rows and no more: it may
//! be short, and says where to go on. So no request takes long, however seldom what it asks for is.

use super::db::{Row, Sql};
use super::{Store, StoreError};

/// Which end a list begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// A part of one table, between two keys.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The table.
    pub table: String,
    /// Keys from this one on.
    pub low: Option<Vec<u8>>,
    /// Keys below this one.
    pub high: Option<Vec<u8>>,
    /// What an index knows, as ` AND ...`.
    pub lead: Sql,
}

/// What one page is read from.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    /// The column of the key.
    pub key: &'static str,
    /// What is read of each row; the key must be among it.
    pub columns: &'static str,
    /// In the order in which they are walked.
    pub segments: Vec<Segment>,
    /// Which way.
    pub order: Order,
    /// The key after which the page begins.
    pub after: Option<Vec<u8>>,
    /// What no index knows, as ` AND ...`.
    pub rest: Sql,
    /// Rows that are looked at for the rest.
    pub looks: i64,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Walked {
    /// In order.
    pub rows: Vec<Row>,
    /// The key up to which it was looked, if all looks were used up before there were rows enough.
    pub stopped: Option<Vec<u8>>,
    /// Looks that are left.
    pub looks: i64,
}

impl Walk {
    /// The rows of a segment that an index leads to, without an end.
    fn led(&self, what: &str, segment: &Segment) -> Sql {
        let (key, newest) = (self.key, self.order == Order::NewestFirst);
        // One bound on each side, so that the key leads from the first row to the last.
        let high = if newest { segment.high.iter().chain(&self.after).min() } else { segment.high.as_ref() };
        let (low, beyond) = match (&segment.low, &self.after) {
            (low, Some(after)) if !newest && low.as_ref().is_none_or(|low| after >= low) => (None, Some(after)),
            (low, _) => (low.as_ref(), None),
        };
        let sql = Sql::new(format!("{what} FROM {} WHERE true", segment.table))
            .narrow(&format!("{key} <"), high.cloned())
            .narrow(&format!("{key} >="), low.cloned())
            .narrow(&format!("{key} >"), beyond.cloned());
        sql.join(&segment.lead).then(format!(" ORDER BY {key} {} LIMIT ?", self.direction()))
    }

    const fn direction(&self) -> &'static str {
        match self.order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        }
    }

    /// At most so many rows.
    pub(super) fn page(&self, segment: &Segment, rows: i64, looks: i64) -> Sql {
        let columns = self.columns;
        if self.rest.is_empty() {
            return self.led(&format!("SELECT {columns}"), segment).bind(rows);
        }
        Sql::new(format!("SELECT {columns} FROM ("))
            .join(&self.led("SELECT *", segment).bind(looks))
            .then(") AS looked WHERE true")
            .join(&self.rest)
            .then(format!(" ORDER BY {} {} LIMIT ?", self.key, self.direction()))
            .bind(rows)
    }

    /// How many rows a page looked at that did not find enough.
    fn looked_at(&self, segment: &Segment, looks: i64) -> Sql {
        let led = self.led(&format!("SELECT {}", self.key), segment).bind(looks);
        Sql::new("SELECT count(*) AS n FROM (").join(&led).then(") AS looked")
    }

    /// The last key that it looked at.
    fn last_looked_at(&self, segment: &Segment, looks: i64) -> Sql {
        self.led(&format!("SELECT {}", self.key), segment).bind(1_i64).then(" OFFSET ?").bind(looks - 1)
    }

    /// Whether `a` comes after `b` on the way.
    fn is_after(&self, a: &[u8], b: &[u8]) -> bool {
        match self.order {
            Order::NewestFirst => a < b,
            Order::OldestFirst => a > b,
        }
    }
}

impl Store {
    /// At most `most` rows.
    pub(super) async fn walk(&self, walk: &Walk, most: i64) -> Result<Walked, StoreError> {
        let (mut rows, mut looks) = (Vec::new(), walk.looks);
        for segment in &walk.segments {
            let left = most - rows.len() as i64;
            let found = self.db.fetch(walk.page(segment, left, looks)).await?;
            let full = found.len() as i64 >= left;
            let latest = found.last().map(|row| row.blob(walk.key).map(<[u8]>::to_vec)).transpose()?;
            rows.extend(found);
            if full {
                break;
            }
            if walk.rest.is_empty() {
                continue;
            }
            let looked = self.db.number(walk.looked_at(segment, looks)).await?;
            if looked < looks {
                looks -= looked;
                continue;
            }
            if let Some(row) = self.db.fetch_one(walk.last_looked_at(segment, looks)).await? {
                let key = row.blob(walk.key)?.to_vec();
                // Rows that came meanwhile have moved it back.
                let key = latest.filter(|latest| walk.is_after(latest, &key)).unwrap_or(key);
                return Ok(Walked { rows, stopped: Some(key), looks: 0 });
            }
        }
        Ok(Walked { rows, stopped: None, looks })
    }
}
