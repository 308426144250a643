//! What was seen of endpoints, written with the records that tell it.
//!
//! The writer's task keeps those that were met lately in memory, so that normally
//! a contact needs no read. One that brings nothing new moves only the time of the
//! latest contact; the times within its history are written when something
//! else is, or now and then ([`REFRESH`]).

use super::StoreError;
use super::endpoints_read::endpoint_of_row;
use super::records::{MAX_ROWS, placeholders, text};
use crate::ids::{EndpointId, SignalId};
use crate::inventory::endpoint::{Endpoint, MAX_MACS};
use crate::inventory::mac::MacAddress;
use crate::inventory::observation::{EndpointKey, Observation, Origin};
use crate::inventory::signal::Finding;
use crate::time::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Row};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Endpoints kept in memory, of one to four KiB each. Beyond it all are forgotten
/// and read again as they come, which costs a read for each batch for a while.
const MAX_CACHED: usize = 16_384;
/// Others with the same MAC address that a contact is compared with: the latest.
/// A randomised address has an endpoint for each login.
const MAX_PEERS: usize = 8;
/// How old the times within a stored history may be.
const REFRESH: Duration = Duration::from_secs(600);
/// Days after which an endpoint that identifies nobody is forgotten.
const EPHEMERAL_DAYS: i64 = 30;
/// Days after which any endpoint is forgotten: whoever comes once a year is known.
const KEPT_DAYS: i64 = 400;
/// How long signals are kept: as long as endpoints.
const KEPT_SIGNALS: Duration = Duration::from_secs(KEPT_DAYS as u64 * 24 * 3600);
/// Endpoints of each sort, and signals, at most, so that made-up addresses cannot fill the disk:
/// some 2 GiB.
const MAX_STORED: i64 = 1_000_000;
/// Endpoints forgotten at a time, in a commit that others wait for.
const PRUNED_AT_ONCE: i64 = 500;

/// The endpoints that were met lately.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    known: HashMap<EndpointId, Known>,
    by_key: HashMap<EndpointKey, EndpointId>,
    /// Of the addresses here all endpoints are known, the latest [`MAX_PEERS`].
    by_mac: HashMap<MacAddress, Vec<EndpointId>>,
}

#[derive(Debug)]
struct Known {
    endpoint: Endpoint,
    /// The latest contact when all of it was written.
    written: Option<Timestamp>,
}

/// What a batch has to write.
#[derive(Debug, Default)]
struct Changes {
    /// All of it.
    full: HashSet<EndpointId>,
    /// Only the time of the latest contact.
    touched: HashSet<EndpointId>,
    signals: Vec<(EndpointId, Timestamp, Finding)>,
}

impl Endpoints {
    /// Takes in contacts and writes what follows. When this fails, or what it is
    /// a part of, call [`Endpoints::forget`]: memory is ahead of the database then.
    pub(super) async fn observe(
        &mut self,
        tx: &mut SqliteConnection,
        contacts: &[Observation],
    ) -> Result<(), StoreError> {
        if self.known.len() > MAX_CACHED {
            self.forget();
        }
        self.load(tx, contacts).await?;
        let mut changes = Changes::default();
        for contact in contacts {
            self.take_in(contact, &mut changes);
        }
        changes.touched.retain(|id| !changes.full.contains(id));
        self.save(tx, &changes).await
    }

    /// Forgets what is in memory.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Reads those that the contacts may be about.
    async fn load(&mut self, tx: &mut SqliteConnection, contacts: &[Observation]) -> Result<(), StoreError> {
        // A login that nothing identifies is new; it cannot have been met.
        let may_be_known = |o: &&Observation| !(o.key().is_ephemeral() && matches!(o.origin, Origin::Login { .. }));
        let keys: HashSet<EndpointKey> = contacts.iter().filter(may_be_known).map(Observation::key).collect();
        let keys: Vec<String> = keys.iter().filter(|k| !self.by_key.contains_key(k)).map(ToString::to_string).collect();
        let macs: HashSet<MacAddress> = contacts.iter().filter_map(|o| o.mac).collect();
        let macs: Vec<MacAddress> = macs.into_iter().filter(|mac| !self.by_mac.contains_key(mac)).collect();
        for chunk in keys.chunks(MAX_ROWS) {
            let sql = format!("SELECT * FROM endpoint WHERE key IN (VALUES {})", placeholders(1, chunk.len()));
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for key in chunk {
                query = query.bind(key);
            }
            self.read(tx, query).await?;
        }
        for chunk in macs.chunks(MAX_ROWS) {
            let sql = format!(
                "SELECT * FROM endpoint WHERE id IN (SELECT endpoint_id FROM (SELECT endpoint_id, row_number() OVER \
                 (PARTITION BY mac ORDER BY endpoint_id DESC) AS nth FROM endpoint_mac WHERE mac IN (VALUES {})) \
                 WHERE nth <= ?)",
                placeholders(1, chunk.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for mac in chunk {
                self.by_mac.insert(*mac, Vec::new());
                query = query.bind(mac.to_string());
            }
            for id in self.read(tx, query.bind(MAX_PEERS as i64)).await? {
                let macs = self.known.get(&id).map(|k| k.endpoint.details.macs.clone());
                macs.into_iter().flatten().for_each(|mac| self.index_mac(mac, id));
            }
        }
        Ok(())
    }

    /// Whose rows these are. What is in memory is newer than the row, and stays.
    async fn read<'q>(
        &mut self,
        tx: &mut SqliteConnection,
        query: Query<'q, Sqlite, SqliteArguments>,
    ) -> Result<Vec<EndpointId>, StoreError> {
        let mut ids = Vec::new();
        for row in query.fetch_all(&mut *tx).await? {
            match endpoint_of_row(&row) {
                Ok(endpoint) => {
                    let id = endpoint.id;
                    ids.push(id);
                    if !self.known.contains_key(&id) {
                        self.by_key.insert(endpoint.key.clone(), id);
                        self.known.insert(id, Known { written: Some(endpoint.last_at), endpoint });
                    }
                }
                // It is only what was seen: better lost than in the way of a login.
                Err(error) => {
                    tracing::warn!(%error, "an endpoint is forgotten");
                    let id: Vec<u8> = row.try_get("id")?;
                    sqlx::query("DELETE FROM endpoint WHERE id = ?").bind(id).execute(&mut *tx).await?;
                }
            }
        }
        Ok(ids)
    }

    fn index_mac(&mut self, mac: MacAddress, id: EndpointId) {
        let Some(ids) = self.by_mac.get_mut(&mac) else { return };
        if let Err(at) = ids.binary_search(&id) {
            ids.insert(at, id);
            if ids.len() > MAX_PEERS {
                ids.remove(0);
            }
        }
    }

    /// Whose contact it is; a new endpoint's if nobody's.
    fn meet(&mut self, contact: &Observation) -> EndpointId {
        let peers = || contact.mac.and_then(|mac| self.by_mac.get(&mac)).into_iter().flatten().rev();
        let peer = |id: &EndpointId| self.known.get(id).map(|k| &k.endpoint);
        let key = contact.key();
        let by_key = || self.by_key.get(&key);
        let known = match &contact.origin {
            // Accounting proves nothing: it belongs to the login that it names, or else
            // to whoever had the address last.
            Origin::Session { decision, .. } => peers()
                .find(|id| peer(id).zip(*decision).is_some_and(|(e, d)| e.has_login(d)))
                .or_else(|| by_key().filter(|_| key.is_ephemeral()))
                .or_else(|| peers().max_by_key(|id| peer(id).map(|e| e.last_at)))
                .or_else(by_key),
            Origin::Login { .. } => {
                by_key().or_else(|| peers().find(|id| peer(id).is_some_and(|e| e.is_renewed_by(contact))))
            }
        };
        known.copied().unwrap_or_else(|| {
            let endpoint = Endpoint::new(EndpointId::new(contact.at), contact);
            let id = endpoint.id;
            self.by_key.insert(endpoint.key.clone(), id);
            self.known.insert(id, Known { endpoint, written: None });
            id
        })
    }

    fn take_in(&mut self, contact: &Observation, changes: &mut Changes) {
        let id = self.meet(contact);
        // Out of the map while others are looked at.
        let Some(mut known) = self.known.remove(&id) else { return };
        let peers = contact.mac.and_then(|mac| self.by_mac.get(&mac)).into_iter().flatten();
        let peers: Vec<&Endpoint> = peers.filter_map(|id| self.known.get(id)).map(|k| &k.endpoint).collect();
        let old_key = known.endpoint.key.clone();
        let merged = known.endpoint.merge(contact, &peers);
        let stale = known
            .written
            .is_none_or(|at| known.endpoint.last_at.since(at) >= REFRESH || day(known.endpoint.last_at) != day(at));
        if merged.changed || stale {
            known.written = Some(known.endpoint.last_at);
            changes.full.insert(id);
        } else {
            changes.touched.insert(id);
        }
        if known.endpoint.key != old_key {
            self.by_key.remove(&old_key);
            self.by_key.insert(known.endpoint.key.clone(), id);
        }
        self.known.insert(id, known);
        changes.signals.extend(merged.findings.into_iter().map(|finding| (id, contact.at, finding)));
        if let Some(mac) = contact.mac {
            self.index_mac(mac, id);
        }
    }

    async fn save(&self, tx: &mut SqliteConnection, changes: &Changes) -> Result<(), StoreError> {
        let of = |ids: &HashSet<EndpointId>| -> Vec<&Endpoint> {
            let mut ids: Vec<&EndpointId> = ids.iter().collect();
            ids.sort_unstable();
            ids.into_iter().filter_map(|id| self.known.get(id)).map(|k| &k.endpoint).collect()
        };
        let (full, touched) = (of(&changes.full), of(&changes.touched));
        for chunk in full.chunks(MAX_ROWS) {
            save_full(tx, chunk).await?;
        }
        for chunk in touched.chunks(MAX_ROWS) {
            let sql = format!(
                "WITH seen (id, at_us) AS (VALUES {}) UPDATE endpoint SET last_us = seen.at_us FROM seen \
                 WHERE endpoint.id = seen.id",
                placeholders(2, chunk.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for e in chunk {
                query = query.bind(&e.id.as_bytes()[..]).bind(e.last_at.as_micros());
            }
            query.execute(&mut *tx).await?;
        }
        for chunk in changes.signals.chunks(MAX_ROWS) {
            let sql = format!(
                "INSERT INTO signal (id, endpoint_id, at_us, kind, detail) VALUES {}",
                placeholders(5, chunk.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (endpoint, at, finding) in chunk {
                query = query
                    .bind(SignalId::new(*at).as_bytes().to_vec())
                    .bind(&endpoint.as_bytes()[..])
                    .bind(at.as_micros())
                    .bind(finding.kind.code())
                    .bind(&finding.detail);
            }
            query.execute(&mut *tx).await?;
        }
        Ok(())
    }

    /// Forgets some of those that have not been seen for long, and of those that
    /// are too many the oldest. Call it now and then.
    pub(super) async fn prune(&mut self, tx: &mut SqliteConnection, now: Timestamp) -> Result<(), StoreError> {
        let mut removed = 0;
        for (ephemeral, days) in [(true, EPHEMERAL_DAYS), (false, KEPT_DAYS)] {
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM endpoint WHERE ephemeral = ?")
                .bind(ephemeral)
                .fetch_one(&mut *tx)
                .await?;
            let oldest = if count > MAX_STORED { i64::MAX } else { day(now) - days };
            let query = sqlx::query(
                "DELETE FROM endpoint WHERE id IN (SELECT id FROM endpoint WHERE ephemeral = ? AND last_day < ? \
                 ORDER BY last_day LIMIT ?)",
            );
            let limit = if count > MAX_STORED { PRUNED_AT_ONCE.min(count - MAX_STORED) } else { PRUNED_AT_ONCE };
            removed += query.bind(ephemeral).bind(oldest).bind(limit).execute(&mut *tx).await?.rows_affected();
        }
        if removed > 0 {
            self.forget();
        }
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM signal").fetch_one(&mut *tx).await?;
        let oldest = if count > MAX_STORED { now } else { now - KEPT_SIGNALS };
        sqlx::query("DELETE FROM signal WHERE id IN (SELECT id FROM signal WHERE id < ? ORDER BY id LIMIT ?)")
            // Ids begin with their time.
            .bind(SignalId::new(oldest).as_bytes().to_vec())
            .bind(PRUNED_AT_ONCE)
            .execute(&mut *tx)
            .await?;
        Ok(())
    }
}

/// UTC days since 1970.
fn day(at: Timestamp) -> i64 {
    const SECS: i64 = 24 * 3600;
    at.unix_secs().div_euclid(SECS)
}

async fn save_full(tx: &mut SqliteConnection, chunk: &[&Endpoint]) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO endpoint (id, key, ephemeral, first_us, last_us, last_day, randomized, vendor, category, details) \
         VALUES {} ON CONFLICT (id) DO UPDATE SET key = excluded.key, first_us = excluded.first_us, \
         last_us = excluded.last_us, last_day = excluded.last_day, randomized = excluded.randomized, \
         vendor = excluded.vendor, category = excluded.category, details = excluded.details",
        placeholders(10, chunk.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for e in chunk {
        query = query
            .bind(&e.id.as_bytes()[..])
            .bind(e.key.to_string())
            .bind(e.key.is_ephemeral())
            .bind(e.first_at.as_micros())
            .bind(e.last_at.as_micros())
            .bind(day(e.last_at))
            .bind(e.is_randomized())
            .bind(e.vendor())
            .bind(e.details.fingerprint.category.map(|c| c.value.code()))
            .bind(text("endpoint", &e.details)?);
    }
    query.execute(&mut *tx).await?;
    // One that has had many addresses leaves the oldest behind.
    for e in chunk.iter().filter(|e| e.details.macs.len() == MAX_MACS) {
        let query = sqlx::query("DELETE FROM endpoint_mac WHERE endpoint_id = ?").bind(&e.id.as_bytes()[..]);
        query.execute(&mut *tx).await?;
    }
    let macs = chunk.iter().flat_map(|e| e.details.macs.iter().map(|mac| (mac.to_string(), e.id)));
    link(tx, "endpoint_mac (mac, endpoint_id)", macs.collect()).await?;
    let places = chunk.iter().flat_map(|e| e.details.places.iter().map(|place| (place.nas.clone(), e.id)));
    link(tx, "endpoint_place (nas_name, endpoint_id)", places.collect()).await
}

/// What endpoints are found by, besides their key.
async fn link(
    tx: &mut SqliteConnection,
    table: &'static str,
    links: HashSet<(String, EndpointId)>,
) -> Result<(), StoreError> {
    let links: Vec<_> = links.into_iter().collect();
    for chunk in links.chunks(MAX_ROWS) {
        let sql = format!("INSERT OR IGNORE INTO {table} VALUES {}", placeholders(2, chunk.len()));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (from, to) in chunk {
            query = query.bind(from).bind(&to.as_bytes()[..]);
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DecisionId;
    use crate::inventory::observation::Presence;
    use crate::store::Store;

    fn contact(mac: [u8; 6], at: Timestamp) -> Observation {
        Observation {
            at,
            origin: Origin::Login { decision: DecisionId::new(at), method: "mab".into() },
            mac: Some(MacAddress::new(mac)),
            certificate: None,
            identity: None,
            nas_name: "sw1".into(),
            nas_address: [192, 0, 2, 1].into(),
            port: Some("1".into()),
            ssid: None,
            wireless: false,
            presence: Presence::Here,
            ips: Vec::new(),
            clues: Vec::new(),
        }
    }

    const ASSIGNED: [u8; 6] = [0x00, 0x01, 0xe6, 0, 0, 1];
    const RANDOM: [u8; 6] = [0x02, 0x00, 0x5e, 0, 0, 1];

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(1_764_000_000) + Duration::from_secs(secs)
    }

    struct Fixture {
        store: Store,
        endpoints: Endpoints,
        _dir: tempfile::TempDir,
    }

    impl Fixture {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("db")).await.unwrap();
            Self { store, endpoints: Endpoints::default(), _dir: dir }
        }

        async fn observe(&mut self, contacts: &[Observation]) {
            let mut tx = self.store.write.begin().await.unwrap();
            self.endpoints.observe(&mut tx, contacts).await.unwrap();
            tx.commit().await.unwrap();
        }

        async fn all(&self) -> Vec<Endpoint> {
            self.store.endpoints(&Default::default(), None, 100).await.unwrap().items
        }
    }

    #[tokio::test]
    async fn memory_and_database_agree_with_and_without_each_other() {
        let mut f = Fixture::new().await;
        f.observe(&[contact(ASSIGNED, at(0)), contact(ASSIGNED, at(1))]).await;
        f.observe(&[contact(ASSIGNED, at(5))]).await;
        let cached = f.all().await;
        assert_eq!((cached.len(), cached[0].first_at, cached[0].last_at), (1, at(0), at(5)));
        f.endpoints.forget();
        f.observe(&[contact(ASSIGNED, at(9))]).await;
        let read = f.all().await;
        assert_eq!((read.len(), read[0].id, read[0].last_at), (1, cached[0].id, at(9)));
        assert_eq!(read[0].details.places.len(), 1);
    }

    #[tokio::test]
    async fn peers_of_a_randomised_address_are_bounded() {
        let mut f = Fixture::new().await;
        for n in 0..20 {
            f.observe(&[contact(RANDOM, at(n))]).await;
        }
        assert_eq!(f.all().await.len(), 20);
        let latest = |f: &Fixture| f.endpoints.by_mac[&MacAddress::new(RANDOM)].clone();
        let before = latest(&f);
        assert_eq!(before.len(), MAX_PEERS);
        f.endpoints.forget();
        f.observe(&[contact(RANDOM, at(30))]).await;
        assert_eq!(latest(&f)[..MAX_PEERS - 1], before[1..]);
    }

    #[tokio::test]
    async fn what_was_not_seen_for_long_is_forgotten_with_all_that_hangs_on_it() {
        const DAY: u64 = 24 * 3600;
        let mut f = Fixture::new().await;
        let elsewhere = Observation { nas_name: "sw2".into(), ..contact(ASSIGNED, at(5)) };
        f.observe(&[contact(RANDOM, at(0)), contact(ASSIGNED, at(0)), elsewhere]).await;
        assert_eq!(f.store.signals(Default::default(), None, 10).await.unwrap().items.len(), 1);
        for (days, left) in [(29, 2), (31, 1), (399, 1), (402, 0)] {
            let mut tx = f.store.write.begin().await.unwrap();
            f.endpoints.prune(&mut tx, at(days * DAY)).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(f.all().await.len(), left, "after {days} days");
        }
        for table in ["endpoint_mac", "endpoint_place", "signal"] {
            let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let rows: i64 = sqlx::query_scalar(sql).fetch_one(&f.store.read).await.unwrap();
            assert_eq!(rows, 0, "{table}");
        }
        assert!(f.endpoints.known.is_empty());
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_stands_in_nobodys_way() {
        let mut f = Fixture::new().await;
        f.observe(&[contact(ASSIGNED, at(0))]).await;
        sqlx::query("UPDATE endpoint SET details = '{'").execute(&f.store.write).await.unwrap();
        f.endpoints.forget();
        f.observe(&[contact(ASSIGNED, at(1))]).await;
        let all = f.all().await;
        assert_eq!((all.len(), all[0].first_at), (1, at(1)));
    }
}
