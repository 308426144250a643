//! One batch of records, written in one transaction: each once, and the
//! sessions that follow from them.

use super::StoreError;
use super::read::session_of_row;
use crate::audit::decision::Decision;
use crate::ids::SessionId;
use crate::session::accounting::{AccountingRecord, AccountingStatus};
use crate::session::state::{Session, SessionKey};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};
use std::collections::{HashMap, HashSet};

/// The most rows of one statement. Each number of rows is a statement of its
/// own, prepared once and then found in the connection's cache.
pub(super) const MAX_ROWS: usize = 64;

/// `(?, ?), (?, ?)`: `rows` times `columns` placeholders.
pub(super) fn placeholders(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row; rows].join(", ")
}

/// A value as JSON.
pub(super) fn text<T: serde::Serialize>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unreadable { table, what: e.to_string() })
}

/// Stores decisions; one whose id is there already is left as it is.
pub(super) async fn decisions(tx: &mut SqliteConnection, all: &[&Decision]) -> Result<(), StoreError> {
    for chunk in all.chunks(MAX_ROWS) {
        let sql = format!(
            "INSERT OR IGNORE INTO decision (id, at_us, outcome, reason, nas_name, identity_name, mac, enforced, body) VALUES {}",
            placeholders(9, chunk.len())
        );
        // Safe: only the number of placeholders varies.
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for d in chunk {
            query = query
                .bind(&d.id.as_bytes()[..])
                .bind(d.at.as_micros())
                .bind(d.outcome.code())
                .bind(d.reason.code())
                .bind(&d.nas_name)
                .bind(d.identity.as_ref().map(|i| &i.name))
                .bind(&d.mac)
                .bind(d.enforced)
                .bind(text("decision", d)?);
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// Stores accounting records that are not there yet, and brings the sessions
/// they tell of up to date. Gives those that are new.
pub(super) async fn accounting<'a>(
    tx: &mut SqliteConnection,
    all: &[&'a AccountingRecord],
) -> Result<Vec<&'a AccountingRecord>, StoreError> {
    let mut new = insert_accounting(tx, all).await?;
    // Of two that are the same in one batch the first counts.
    let records: Vec<&'a AccountingRecord> = all.iter().copied().filter(|r| new.remove(&r.digest)).collect();
    let mut sessions = load_sessions(tx, &records).await?;
    for record in &records {
        match record.key() {
            Some(key) => sessions.take_in(key, record),
            None if matches!(record.status, AccountingStatus::On | AccountingStatus::Off) => {
                sessions.nas_restarted(record);
            }
            None => {}
        }
    }
    save_sessions(tx, &sessions.changed()).await?;
    Ok(records)
}

/// The digests of those that were not there yet.
async fn insert_accounting(
    tx: &mut SqliteConnection,
    all: &[&AccountingRecord],
) -> Result<HashSet<[u8; 32]>, StoreError> {
    let mut new = HashSet::with_capacity(all.len());
    for chunk in all.chunks(MAX_ROWS) {
        let sql = format!(
            "INSERT OR IGNORE INTO accounting (digest, received_us, event_us, nas_name, device, status, acct_session_id, \
             station, input_octets, output_octets, session_time) VALUES {} RETURNING digest",
            placeholders(11, chunk.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for r in chunk {
            query = query
                .bind(&r.digest[..])
                .bind(r.received.as_micros())
                .bind(r.event_time.as_micros())
                .bind(&r.nas_name)
                .bind(&r.device)
                .bind(i64::from(r.status.number()))
                .bind(&r.session_id)
                .bind(r.station())
                .bind(saturated(r.input_octets))
                .bind(saturated(r.output_octets))
                .bind(i64::from(r.session_time));
        }
        for row in query.fetch_all(&mut *tx).await? {
            new.extend(<[u8; 32]>::try_from(row.try_get::<&[u8], _>(0)?));
        }
    }
    Ok(new)
}

/// SQLite's integers are signed; no counter gets there in earnest.
fn saturated(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(i64::MAX)
}

/// The sessions that a batch is about.
#[derive(Default)]
struct Sessions {
    all: Vec<Session>,
    /// Which of them have changed.
    changed: HashSet<usize>,
    /// The latest stay under each key.
    by_key: HashMap<SessionKey, usize>,
}

impl Sessions {
    fn push(&mut self, session: Session) -> usize {
        let at = self.all.len();
        let latest = self.by_key.entry(session.key.clone()).or_insert(at);
        if self.all.get(*latest).is_none_or(|known| known.reuse <= session.reuse) {
            *latest = at;
        }
        self.all.push(session);
        at
    }

    fn take_in(&mut self, key: SessionKey, record: &AccountingRecord) {
        let known = self.by_key.get(&key).copied();
        let at = match known.and_then(|at| self.all.get_mut(at).map(|session| (at, session))) {
            Some((at, session)) if !session.is_reused_by(record) => {
                session.merge(record);
                at
            }
            earlier => {
                let reuse = earlier.map_or(0, |(_, session)| session.reuse.saturating_add(1));
                self.push(Session::new(SessionId::new(record.received), key, reuse, record))
            }
        };
        self.changed.insert(at);
    }

    fn nas_restarted(&mut self, record: &AccountingRecord) {
        for (at, session) in self.all.iter_mut().enumerate() {
            if session.key.nas_name == record.nas_name && session.key.device == record.device {
                session.nas_restarted(record.event_time);
                self.changed.insert(at);
            }
        }
    }

    fn changed(&self) -> Vec<&Session> {
        self.changed.iter().filter_map(|at| self.all.get(*at)).collect()
    }
}

async fn load_sessions(tx: &mut SqliteConnection, records: &[&AccountingRecord]) -> Result<Sessions, StoreError> {
    let mut sessions = Sessions::default();
    let keys: HashSet<SessionKey> = records.iter().filter_map(|r| r.key()).collect();
    let keys: Vec<SessionKey> = keys.into_iter().collect();
    for chunk in keys.chunks(MAX_ROWS) {
        let sql = format!(
            "SELECT * FROM session WHERE (nas_name, device, acct_session_id, station) IN (VALUES {})",
            placeholders(4, chunk.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for key in chunk {
            query = query.bind(&key.nas_name).bind(&key.device).bind(&key.acct_session_id).bind(&key.station);
        }
        for row in query.fetch_all(&mut *tx).await? {
            sessions.push(session_of_row(&row)?);
        }
    }
    // A restart ends all that the NAS had.
    let restarted = |r: &&&AccountingRecord| matches!(r.status, AccountingStatus::On | AccountingStatus::Off);
    let devices: HashSet<(&str, &str)> =
        records.iter().filter(restarted).map(|r| (r.nas_name.as_str(), r.device.as_str())).collect();
    let known: HashSet<SessionId> = sessions.all.iter().map(|s| s.id).collect();
    for (nas_name, device) in devices {
        let of_device = "SELECT * FROM session WHERE nas_name = ? AND device = ? AND state = 'active'";
        let query = sqlx::query(of_device).bind(nas_name).bind(device);
        for row in query.fetch_all(&mut *tx).await? {
            let session = session_of_row(&row)?;
            if !known.contains(&session.id) {
                sessions.push(session);
            }
        }
    }
    Ok(sessions)
}

async fn save_sessions(tx: &mut SqliteConnection, all: &[&Session]) -> Result<(), StoreError> {
    for chunk in all.chunks(MAX_ROWS) {
        let sql = format!(
            "INSERT INTO session (id, nas_name, device, acct_session_id, station, reuse, state, started_us, last_us, \
             restarted_us, input_octets, output_octets, input_packets, output_packets, session_time, mac, user_name, \
             details) VALUES {} ON CONFLICT (id) DO UPDATE SET state = excluded.state, \
             started_us = excluded.started_us, last_us = excluded.last_us, restarted_us = excluded.restarted_us, \
             input_octets = excluded.input_octets, output_octets = excluded.output_octets, \
             input_packets = excluded.input_packets, output_packets = excluded.output_packets, \
             session_time = excluded.session_time, mac = excluded.mac, user_name = excluded.user_name, \
             details = excluded.details",
            placeholders(18, chunk.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for s in chunk {
            query = query
                .bind(&s.id.as_bytes()[..])
                .bind(&s.key.nas_name)
                .bind(&s.key.device)
                .bind(&s.key.acct_session_id)
                .bind(&s.key.station)
                .bind(i64::from(s.reuse))
                .bind(s.state().code())
                .bind(s.started_at().as_micros())
                .bind(s.last_at.as_micros())
                .bind(s.restarted_at.map(|t| t.as_micros()))
                .bind(saturated(s.input_octets))
                .bind(saturated(s.output_octets))
                .bind(saturated(s.input_packets))
                .bind(saturated(s.output_packets))
                .bind(i64::from(s.session_time))
                .bind(s.mac())
                .bind(s.user_name())
                .bind(text("session", &s.details)?);
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}
