//! What an earlier version kept in one table each: moved into tables by weeks.

use super::db::{Arg, Db, Kind, Row, Sql};
use super::partition::Family;
use super::{Store, StoreError};
use crate::ids::{DecisionId, SessionId};
use crate::session::state::{Session, SessionKey};
use serde_json::{Value, json};

/// Rows of one transaction.
const AT_ONCE: i64 = 2_000;

impl Store {
    /// Moves what was recorded before there were tables by weeks. It can be
    /// interrupted, and goes on at the next start.
    pub(super) async fn move_what_was_before(&self) -> Result<(), StoreError> {
        let Db::Sqlite { .. } = self.db else { return Ok(()) };
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%\\_before' ESCAPE '\\'";
        for row in self.db.fetch(Sql::new(sql)).await? {
            let table = row.text("name")?.to_owned();
            match table.as_str() {
                "decision_before" => self.move_decisions().await?,
                "accounting_before" => self.move_accounting().await?,
                "session_before" => self.move_sessions().await?,
                _ => continue,
            }
            let mut tx = self.db.begin().await?;
            tx.define(&format!("DROP TABLE {table};")).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn move_decisions(&self) -> Result<(), StoreError> {
        const COLUMNS: &str = "id, at_us, outcome, reason, nas_name, identity_name, mac, enforced, body";
        loop {
            let sql = Sql::new("SELECT id FROM decision_before ORDER BY id LIMIT 1");
            let Some(row) = self.db.fetch_one(sql).await? else { return Ok(()) };
            let first = DecisionId::from_bytes(row.id("decision", "id")?);
            let partition = self.partitions.ensure(&self.db, Family::Decision, first.made_at()).await?;
            let until = DecisionId::floor(partition.until).to_vec();
            let these = format!("(SELECT id FROM decision_before WHERE id < ? ORDER BY id LIMIT {AT_ONCE})");
            let mut tx = self.db.begin().await?;
            let table = partition.table();
            let copy = format!(
                "INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM decision_before WHERE id IN {these} ON CONFLICT DO NOTHING"
            );
            tx.execute(Sql::new(copy).bind(until.clone())).await?;
            tx.execute(Sql::new(format!("DELETE FROM decision_before WHERE id IN {these}")).bind(until)).await?;
            tx.commit().await?;
        }
    }

    async fn move_accounting(&self) -> Result<(), StoreError> {
        const COLUMNS: &str = "digest, received_us, event_us, nas_name, device, status, acct_session_id, station, \
                               input_octets, output_octets, session_time";
        loop {
            let sql = Sql::new("SELECT event_us FROM accounting_before LIMIT 1");
            let Some(row) = self.db.fetch_one(sql).await? else { return Ok(()) };
            let partition = self.partitions.ensure(&self.db, Family::Accounting, row.time("event_us")?).await?;
            let these =
                format!("(SELECT digest FROM accounting_before WHERE event_us >= ? AND event_us < ? LIMIT {AT_ONCE})");
            let mut tx = self.db.begin().await?;
            let copy = format!(
                "INSERT INTO {} ({COLUMNS}) SELECT {COLUMNS} FROM accounting_before WHERE digest IN {these} ON CONFLICT DO NOTHING",
                partition.table()
            );
            tx.execute(Sql::new(copy).bind(partition.from).bind(partition.until)).await?;
            let done = Sql::new(format!("DELETE FROM accounting_before WHERE digest IN {these}"));
            tx.execute(done.bind(partition.from).bind(partition.until)).await?;
            tx.commit().await?;
        }
    }

    async fn move_sessions(&self) -> Result<(), StoreError> {
        loop {
            let sql = format!("SELECT * FROM session_before ORDER BY id LIMIT {AT_ONCE}");
            let rows = self.db.fetch(Sql::new(sql)).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut sessions = Vec::with_capacity(rows.len());
            let mut ids: Vec<Arg> = Vec::with_capacity(rows.len());
            for row in &rows {
                ids.push(row.blob("id")?.into());
                let session = session_of_before(row)?;
                self.partitions.ensure(&self.db, Family::Session, super::records::began(&session)).await?;
                sessions.push(session);
            }
            let mut tx = self.db.begin().await?;
            self.save_sessions(&mut tx, &sessions).await?;
            for chunk in super::db::chunks(ids, tx.rows_at_once()) {
                let sql = Sql::new("DELETE FROM session_before WHERE id IN (").rows(&[Kind::Blob], chunk).then(")");
                tx.execute(sql).await?;
            }
            tx.commit().await?;
        }
    }
}

/// A session as it was kept before: the same facts under other names.
fn session_of_before(row: &Row) -> Result<Session, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "session_before", what };
    let mut details: Value = serde_json::from_str(row.text("details")?).map_err(|e| unreadable(e.to_string()))?;
    let (device, acct_session_id) = (row.text("device")?.to_owned(), row.text("acct_session_id")?.to_owned());
    let last = row.int("last_us")?;
    let told = |details: &Value, name: &str| details.get(name).and_then(|latest| latest.get("value")).cloned();
    let names = json!({
        "device": device,
        "acct_session_id": acct_session_id,
        "multi_session_id": told(&details, "multi_session_id"),
        "nas_port_id": told(&details, "nas_port"),
    });
    let addresses: Vec<Value> = ["framed_ip", "framed_ipv6"]
        .iter()
        .filter_map(|name| details.get(name))
        .map(|latest| json!({ "value": latest["value"], "first_us": latest["at_us"], "last_us": latest["at_us"] }))
        .collect();
    let counter = |name: &str| Ok::<_, StoreError>(json!({ "shown": row.counter(name)? }));
    let counters = json!({
        "input_octets": counter("input_octets")?,
        "output_octets": counter("output_octets")?,
        "input_packets": counter("input_packets")?,
        "output_packets": counter("output_packets")?,
        "session_time": row.counter("session_time")?,
        "at_us": last,
    });
    let class = details.get("decision").cloned();
    if let Some(details) = details.as_object_mut() {
        details.insert("names".into(), json!({ "at_us": last, "value": names }));
        details.insert("addresses".into(), addresses.into());
        details.insert("counters".into(), counters);
        details.insert("restarted_us".into(), row.maybe_int("restarted_us")?.into());
        details.insert("class".into(), class.unwrap_or_default());
    }
    let id = SessionId::from_bytes(row.id("session_before", "id")?);
    let reuse = row.int("reuse")?;
    Ok(Session {
        id,
        stay: id,
        key: SessionKey {
            nas_name: row.text("nas_name")?.to_owned(),
            device,
            acct_session_id,
            station: row.text("station")?.to_owned(),
        },
        reuse: u32::try_from(reuse).map_err(|_| unreadable(format!("reuse is {reuse}")))?,
        last_at: row.time("last_us")?,
        details: serde_json::from_value(details).map_err(|e| unreadable(e.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionState;
    use crate::store::db::SQLITE;
    use crate::store::read::{DecisionFilter, SessionFilter};
    use crate::time::Timestamp;
    use sqlx::migrate::Migrator;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
    use std::time::Duration;

    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

    /// A decision as an earlier version wrote it.
    fn decision(id: DecisionId, at: Timestamp) -> String {
        json!({
            "id": id, "at": at, "outcome": "accept", "reason": "accepted", "detail": "", "method": "mab",
            "nas_name": "sw1", "nas_address": "192.0.2.1", "nas_port": null, "calling_station": null, "mac": null,
            "called_station": null, "outer_identity": null, "identity": null, "profile": "iot", "policies": [],
            "policy_revision": "x", "facts": [], "reply": [], "warnings": [], "rounds": 1, "duration_us": 5, "class": null,
        })
        .to_string()
    }

    #[tokio::test]
    async fn what_an_earlier_version_recorded_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let old = SqlitePool::connect_with(options).await.unwrap();
        let before: Vec<_> = SQLITE.iter().filter(|m| m.version < 5).cloned().collect();
        Migrator { migrations: before.into(), ..Migrator::DEFAULT }.run(&old).await.unwrap();
        let begin = Timestamp::from_unix_secs(1_764_000_000);
        let mut ids = Vec::new();
        let mut tx = old.begin().await.unwrap();
        // More than are moved at once, over three weeks.
        for n in 0..5_000_u32 {
            let at = begin + WEEK * (n % 3) + Duration::from_millis(n.into());
            let id = DecisionId::new(at);
            ids.push(id);
            let sql = "INSERT INTO decision VALUES (?, ?, 'accept', 'accepted', 'sw1', NULL, NULL, 1, ?)";
            let query = sqlx::query(sql).bind(id.as_bytes().to_vec()).bind(at.as_micros()).bind(decision(id, at));
            query.execute(&mut *tx).await.unwrap();
            let sql = "INSERT INTO accounting VALUES (?, 0, ?, 'sw1', 'd', 1, 's', 'm', 1, 2, 3)";
            let digest = [&n.to_be_bytes()[..], &[0; 28]].concat();
            sqlx::query(sql).bind(digest).bind(at.as_micros()).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let session = SessionId::new(begin);
        let latest = |value: Value| json!({ "at_us": begin.as_micros(), "value": value });
        let details = json!({
            "start_us": begin.as_micros(), "implied_us": begin.as_micros(), "stop_us": null,
            "nas_address": latest("192.0.2.1".into()), "nas_port": latest("Gi1/0/1".into()),
            "mac": latest("02-00-5E-00-00-01".into()), "user_name": latest("anna".into()),
            "framed_ip": latest("10.0.0.9".into()), "decision": latest(ids[0].to_string().into()),
        });
        let sql = "INSERT INTO session VALUES (?, 'sw1', 'd', '7', '02-00-5E-00-00-01', 0, 'active', 0, ?, NULL, 1000, 2000, \
                   3, 4, 60, '02-00-5E-00-00-01', 'anna', ?)";
        let query =
            sqlx::query(sql).bind(session.as_bytes().to_vec()).bind((begin + Duration::from_secs(60)).as_micros());
        query.bind(details.to_string()).execute(&old).await.unwrap();
        old.close().await;

        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.accounting_count().await.unwrap(), 5_000);
        let (bodies, _) = store.decision_bodies(begin, None, 10_000).await.unwrap();
        assert_eq!(bodies.len(), 5_000);
        assert_eq!(store.decision(ids[4_321]).await.unwrap().map(|d| d.id), Some(ids[4_321]));
        let page = store.decisions(&DecisionFilter::default(), None, 2).await.unwrap();
        assert!(page.items[0].at > begin + WEEK * 2, "the newest first");
        let all = store.sessions(&SessionFilter::default(), None, 10).await.unwrap().items;
        let moved = &all[0];
        assert_eq!((all.len(), moved.id, moved.state()), (1, session, SessionState::Started));
        assert_eq!((moved.counters().input_octets(), moved.counters().output_packets()), (1000, 4));
        assert_eq!((moved.nas_port().as_deref(), moved.framed_ip()), (Some("Gi1/0/1"), Some("10.0.0.9")));
        assert_eq!((moved.decision(), moved.user_name()), (Some(ids[0]), Some("anna")));
        // It is done once.
        drop(store);
        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.accounting_count().await.unwrap(), 5_000);
    }
}
