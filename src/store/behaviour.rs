//! How each NAS behaves, and what was unexpected about it.

use super::db::{Arg, Kind, Row, Sql};
use super::records::text;
use super::{Store, StoreError, signals};
use crate::inventory::behaviour::Behaviour;
use crate::inventory::watch::{MAX_WATCHED, NasSignal};
use crate::signals::signal::{About, Signal};
use crate::webhooks::message::Message;

const KINDS: &[Kind] = &[Kind::Text, Kind::Text, Kind::Int, Kind::Int, Kind::Int, Kind::Text];

/// Rows in one commit: others that want to write wait for it.
const AT_ONCE: usize = 200;

impl Store {
    /// Writes how these behave now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_behaviours(&self, all: &[Behaviour]) -> Result<(), StoreError> {
        for chunk in all.chunks(AT_ONCE) {
            let mut values: Vec<Arg> = Vec::with_capacity(chunk.len() * KINDS.len());
            for behaviour in chunk {
                values.extend([
                    behaviour.address.to_string().into(),
                    behaviour.name.as_str().into(),
                    behaviour.first.into(),
                    behaviour.last.into(),
                    behaviour.requests.into(),
                    text("nas_behaviour", &behaviour.learned)?.into(),
                ]);
            }
            let mut tx = self.db.begin().await?;
            let tail = "ON CONFLICT (address) DO UPDATE SET name = excluded.name, first_us = excluded.first_us, \
                        last_us = excluded.last_us, requests = excluded.requests, learned = excluded.learned";
            let into = "nas_behaviour (address, name, first_us, last_us, requests, learned)";
            tx.insert(into, KINDS, values, tail).await?;
            tx.commit().await?;
        }
        let count = self.db.number(Sql::new("SELECT count(*) AS n FROM nas_behaviour")).await?;
        if count > MAX_WATCHED as i64 {
            let sql = "DELETE FROM nas_behaviour WHERE address IN \
                       (SELECT address FROM nas_behaviour ORDER BY last_us LIMIT ?)";
            self.db.execute(Sql::new(sql).bind(count - MAX_WATCHED as i64)).await?;
        }
        Ok(())
    }

    /// Writes what was unexpected: all of it or nothing.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_nas_signals(&self, all: &[NasSignal]) -> Result<(), StoreError> {
        let mut rows: Vec<Arg> = Vec::with_capacity(all.len() * signals::KINDS.len());
        let mut told = Vec::with_capacity(all.len());
        for signal in all {
            let about = About { nas: Some((signal.name.clone(), signal.address)), ..About::default() };
            let signal = Signal::found(about, signal.at, signal.finding.clone());
            told.push(Message::of_signal(&signal));
            rows.extend(signals::values(&signal)?);
        }
        let mut tx = self.db.begin().await?;
        tx.insert(signals::COLUMNS, signals::KINDS, rows, "").await?;
        let enqueued = self.enqueue(&mut tx, &told).await?;
        tx.commit().await?;
        enqueued.committed(self);
        Ok(())
    }

    /// How all behave. A row that cannot be read is only what was learned: it is
    /// left out, and learned again.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn behaviours(&self) -> Result<Vec<Behaviour>, StoreError> {
        let rows = self.db.fetch(Sql::new("SELECT * FROM nas_behaviour ORDER BY address")).await?;
        let read = |row| match behaviour_of_row(row) {
            Ok(behaviour) => Some(behaviour),
            Err(error) => {
                tracing::warn!(%error, "what was learned of a NAS is forgotten");
                None
            }
        };
        Ok(rows.iter().filter_map(read).collect())
    }
}

fn behaviour_of_row(row: &Row) -> Result<Behaviour, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "nas_behaviour", what };
    let address = row.text("address")?;
    Ok(Behaviour {
        address: address.parse().map_err(|_| unreadable(format!("{address:?} is no address")))?,
        name: row.text("name")?.to_owned(),
        first: row.time("first_us")?,
        last: row.time("last_us")?,
        requests: row.counter("requests")?,
        learned: serde_json::from_str(row.text("learned")?)
            .map_err(|e| unreadable(format!("what {address} says: {e}")))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{EndpointId, SignalId};
    use crate::signals::kind::{Finding, SignalKind};
    use crate::store::db::SQLITE;
    use crate::store::signals::SignalFilter;
    use crate::time::Timestamp;
    use sqlx::migrate::Migrator;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
    use std::net::IpAddr;
    use std::time::Duration;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(1_764_000_000) + Duration::from_secs(secs)
    }

    fn behaviour(number: u32) -> Behaviour {
        Behaviour::new("net".into(), IpAddr::from(number.to_be_bytes()), at(u64::from(number)))
    }

    #[tokio::test]
    async fn behaviours_are_read_as_they_were_written_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let mut one = behaviour(7);
        store.save_behaviours(std::slice::from_ref(&one)).await.unwrap();
        one.requests = 3;
        one.learned.identifiers.push("access-7".into());
        store.save_behaviours(std::slice::from_ref(&one)).await.unwrap();
        assert_eq!(store.behaviours().await.unwrap(), [one]);

        let many: Vec<Behaviour> = (100..=100 + MAX_WATCHED as u32).map(behaviour).collect();
        store.save_behaviours(&many).await.unwrap();
        let kept = store.behaviours().await.unwrap();
        assert_eq!(kept.len(), MAX_WATCHED);
        assert!(kept.iter().all(|b| b.last > at(100)), "those that were silent for longest are gone");
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        store.save_behaviours(&[behaviour(1), behaviour(2)]).await.unwrap();
        let sql = "UPDATE nas_behaviour SET learned = '{' WHERE address = '0.0.0.1'";
        store.db.execute(Sql::new(sql)).await.unwrap();
        assert_eq!(store.behaviours().await.unwrap(), [behaviour(2)]);
    }

    #[tokio::test]
    async fn signals_about_endpoints_outlive_the_step_to_signals_about_nases() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(true);
        let old = SqlitePool::connect_with(options).await.unwrap();
        let before: Vec<_> = SQLITE.iter().filter(|m| m.version < 4).cloned().collect();
        Migrator { migrations: before.into(), ..Migrator::DEFAULT }.run(&old).await.unwrap();
        let (endpoint, id) = (EndpointId::new(at(0)), SignalId::new(at(0)));
        sqlx::query("INSERT INTO endpoint VALUES (?, 'login:x', 1, 0, 0, 0, 0, NULL, NULL, '{}')")
            .bind(endpoint.as_bytes().to_vec())
            .execute(&old)
            .await
            .unwrap();
        sqlx::query("INSERT INTO signal (id, endpoint_id, at_us, kind, detail) VALUES (?, ?, 0, 'os_changed', 'd')")
            .bind(id.as_bytes().to_vec())
            .bind(endpoint.as_bytes().to_vec())
            .execute(&old)
            .await
            .unwrap();
        old.close().await;

        let store = Store::open(&path).await.unwrap();
        let finding = Finding { kind: SignalKind::NasNewVendor, detail: "n".into() };
        let address = IpAddr::from([192, 0, 2, 1]);
        let signal = NasSignal { name: "sw1".into(), address, at: at(1), finding };
        store.save_nas_signals(&[signal]).await.unwrap();
        let all = store.signals(SignalFilter::default(), None, 10).await.unwrap().items;
        let nas = Some(("sw1".to_owned(), address));
        let about: Vec<_> = all.iter().map(|s| (s.about.nas.clone(), s.about.endpoint)).collect();
        assert_eq!(about, [(nas.clone(), None), (None, Some(endpoint))]);
        let of = |nas: &str| SignalFilter { nas: Some(nas.into()), ..SignalFilter::default() };
        let narrowed = store.signals(of("sw1"), None, 10).await.unwrap().items;
        assert_eq!((narrowed.len(), &narrowed[0].about.nas, narrowed[0].kind), (1, &nas, SignalKind::NasNewVendor));
        assert_eq!(store.signals(of("sw2"), None, 10).await.unwrap().items, []);

        // What hangs on an endpoint goes with it; the rest stays.
        store.db.execute(Sql::new("DELETE FROM endpoint")).await.unwrap();
        assert_eq!(store.signals(SignalFilter::default(), None, 10).await.unwrap().items.len(), 1);
    }
}
