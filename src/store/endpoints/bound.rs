//! What is forgotten: that was not seen for long, and the oldest of what is too much.

use super::{Endpoints, day};
use crate::ids::{EndpointId, SignalId};
use crate::store::StoreError;
use crate::store::db::{Sql, Tx};
use crate::time::Timestamp;
use std::time::Duration;

/// Days after which an endpoint that identifies nobody is forgotten.
const EPHEMERAL_DAYS: i64 = 30;
/// Days after which any endpoint is forgotten: whoever comes once a year is known.
const KEPT_DAYS: i64 = 400;
/// How long signals are kept: as long as endpoints.
const KEPT_SIGNALS: Duration = Duration::from_secs(KEPT_DAYS as u64 * 24 * 3600);
/// Endpoints of each sort, and signals, at most, so that made-up addresses cannot fill the disk:
/// some 2 GiB.
pub(super) const MAX_STORED: i64 = 1_000_000;
/// Those of long ago that are forgotten at a time, in a commit that others wait for.
const PRUNED_AT_ONCE: i64 = 500;
/// While there are too many, a commit deletes so many for each that it adds: the
/// bound is reached again, whatever arrives.
const DELETED_FOR_EACH: i64 = 2;

/// Rows of each sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Rows {
    /// Endpoints that identify nobody.
    pub(super) ephemeral: i64,
    /// Other endpoints.
    pub(super) lasting: i64,
    pub(super) signals: i64,
}

impl Rows {
    /// Counts them.
    pub(super) async fn count(tx: &mut Tx) -> Result<Rows, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM endpoint WHERE ephemeral = 1) AS ephemeral, \
                   (SELECT count(*) FROM endpoint WHERE ephemeral = 0) AS lasting, \
                   (SELECT count(*) FROM signal) AS signals";
        let Some(row) = tx.fetch_one(Sql::new(sql)).await? else { return Ok(Rows::default()) };
        Ok(Rows { ephemeral: row.int("ephemeral")?, lasting: row.int("lasting")?, signals: row.int("signals")? })
    }

    /// Endpoints that identify nobody, or the others.
    pub(super) fn endpoints(&mut self, ephemeral: bool) -> &mut i64 {
        if ephemeral { &mut self.ephemeral } else { &mut self.lasting }
    }
}

impl Endpoints {
    /// Forgets some of those that have not been seen for long, and counts what is
    /// left. Call it now and then.
    pub(in crate::store) async fn prune(&mut self, tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
        for (ephemeral, days) in [(true, EPHEMERAL_DAYS), (false, KEPT_DAYS)] {
            self.delete(tx, ephemeral, day(now) - days, PRUNED_AT_ONCE).await?;
        }
        delete_signals(tx, SignalId::new(now - KEPT_SIGNALS), PRUNED_AT_ONCE).await?;
        self.stored = Some(Rows::count(tx).await?);
        Ok(())
    }

    /// After rows were added to those stored: deletes the oldest of what is too
    /// much. Returns what is stored then.
    pub(super) async fn make_room(&mut self, tx: &mut Tx, stored: Rows, added: Rows) -> Result<Rows, StoreError> {
        let mut left = Rows {
            ephemeral: stored.ephemeral + added.ephemeral,
            lasting: stored.lasting + added.lasting,
            signals: stored.signals + added.signals,
        };
        let most = self.most;
        let surplus = |left: i64, added: i64| (left - most).min(added * DELETED_FOR_EACH);
        for (ephemeral, added) in [(true, added.ephemeral), (false, added.lasting)] {
            let count = surplus(*left.endpoints(ephemeral), added);
            if count > 0 {
                let (endpoints, signals) = self.delete(tx, ephemeral, i64::MAX, count).await?;
                *left.endpoints(ephemeral) -= endpoints;
                left.signals -= signals;
            }
        }
        let count = surplus(left.signals, added.signals);
        if count > 0 {
            left.signals -= delete_signals(tx, SignalId::from_bytes([0xff; 16]), count).await?;
        }
        Ok(left)
    }

    /// Deletes endpoints that were last seen before a day, the oldest first.
    /// Returns how many, and how many signals went with them.
    async fn delete(
        &mut self,
        tx: &mut Tx,
        ephemeral: bool,
        before_day: i64,
        count: i64,
    ) -> Result<(i64, i64), StoreError> {
        const OLDEST: &str = "IN (SELECT id FROM endpoint WHERE ephemeral = ? AND last_day < ? \
                              ORDER BY last_day, id LIMIT ?)";
        let oldest = |text: String| Sql::new(text).bind(ephemeral).bind(before_day).bind(count);
        let signals = tx.execute(oldest(format!("DELETE FROM signal WHERE endpoint_id {OLDEST}"))).await?;
        let rows = tx.fetch(oldest(format!("DELETE FROM endpoint WHERE id {OLDEST} RETURNING id"))).await?;
        for row in &rows {
            self.drop_known(row.blob("id")?);
        }
        Ok((rows.len() as i64, signals as i64))
    }

    /// Forgets one that was deleted. Its addresses are read again when they come.
    fn drop_known(&mut self, id: &[u8]) {
        let Some(known) = <[u8; 16]>::try_from(id).ok().and_then(|id| self.known.remove(&EndpointId::from_bytes(id)))
        else {
            return;
        };
        self.by_key.remove(&known.endpoint.key);
        for mac in &known.endpoint.details.macs {
            self.by_mac.remove(mac);
        }
    }
}

/// Deletes signals before this one, the oldest first: ids begin with their time.
/// Returns how many.
async fn delete_signals(tx: &mut Tx, before: SignalId, count: i64) -> Result<i64, StoreError> {
    let sql = "DELETE FROM signal WHERE id IN (SELECT id FROM signal WHERE id < ? ORDER BY id LIMIT ?)";
    Ok(tx.execute(Sql::new(sql).bind(before.as_bytes()).bind(count)).await? as i64)
}
