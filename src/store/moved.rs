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
