//! How each NAS behaves, and what was unexpected about it.

use super::records::text;
use super::{Store, StoreError};
use crate::ids::SignalId;
use crate::inventory::behaviour::Behaviour;
use crate::inventory::watch::{MAX_WATCHED, NasSignal};
use crate::time::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Rows in one commit: others that want to write wait for it.
const AT_ONCE: usize = 200;

impl Store {
    /// Writes how these behave now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_behaviours(&self, all: &[Behaviour]) -> Result<(), StoreError> {
        for chunk in all.chunks(AT_ONCE) {
            let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
            for behaviour in chunk {
                let sql = "INSERT INTO nas_behaviour (address, name, first_us, last_us, requests, learned) \
                           VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET name = excluded.name, \
                           first_us = excluded.first_us, last_us = excluded.last_us, \
                           requests = excluded.requests, learned = excluded.learned";
                sqlx::query(sql)
                    .bind(behaviour.address.to_string())
                    .bind(&behaviour.name)
                    .bind(behaviour.first.as_micros())
                    .bind(behaviour.last.as_micros())
                    .bind(i64::try_from(behaviour.requests).unwrap_or(i64::MAX))
                    .bind(text("nas_behaviour", &behaviour.learned)?)
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await?;
        }
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM nas_behaviour").fetch_one(&self.write).await?;
        if count > MAX_WATCHED as i64 {
            let sql = "DELETE FROM nas_behaviour WHERE address IN \
                       (SELECT address FROM nas_behaviour ORDER BY last_us LIMIT ?)";
            sqlx::query(sql).bind(count - MAX_WATCHED as i64).execute(&self.write).await?;
        }
        Ok(())
    }

    /// Writes what was unexpected: all of it or nothing.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_nas_signals(&self, all: &[NasSignal]) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        for signal in all {
            let sql = "INSERT INTO signal (id, nas_name, nas_address, at_us, kind, detail) VALUES (?, ?, ?, ?, ?, ?)";
            sqlx::query(sql)
                .bind(SignalId::new(signal.at).as_bytes().to_vec())
                .bind(&signal.name)
                .bind(signal.address.to_string())
                .bind(signal.at.as_micros())
                .bind(signal.finding.kind.code())
                .bind(&signal.finding.detail)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// How all behave. A row that cannot be read is only what was learned: it is
    /// left out, and learned again.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn behaviours(&self) -> Result<Vec<Behaviour>, StoreError> {
        let rows = sqlx::query("SELECT * FROM nas_behaviour ORDER BY address").fetch_all(&self.read).await?;
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

fn behaviour_of_row(row: &SqliteRow) -> Result<Behaviour, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "nas_behaviour", what };
    let address: &str = row.try_get("address")?;
    Ok(Behaviour {
        address: address.parse().map_err(|_| unreadable(format!("{address:?} is no address")))?,
        name: row.try_get("name")?,
        first: Timestamp::from_micros(row.try_get("first_us")?),
        last: Timestamp::from_micros(row.try_get("last_us")?),
        requests: row.try_get::<i64, _>("requests")?.unsigned_abs(),
        learned: serde_json::from_str(row.try_get("learned")?)
            .map_err(|e| unreadable(format!("what {address} says: {e}")))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::EndpointId;
    use crate::inventory::signal::{Finding, SignalKind, Subject};
    use crate::store::MIGRATIONS;
    use crate::store::endpoints_read::SignalFilter;
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
        sqlx::query(sql).execute(&store.write).await.unwrap();
        assert_eq!(store.behaviours().await.unwrap(), [behaviour(2)]);
    }

    #[tokio::test]
    async fn signals_about_endpoints_outlive_the_step_to_signals_about_nases() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(true);
        let old = SqlitePool::connect_with(options).await.unwrap();
        let before: Vec<_> = MIGRATIONS.iter().filter(|m| m.version < 4).cloned().collect();
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
        let nas = Subject::Nas { name: "sw1".into(), address };
        let subjects: Vec<_> = all.iter().map(|s| s.subject.clone()).collect();
        assert_eq!(subjects, [nas.clone(), Subject::Endpoint(endpoint)]);
        let of = |nas: &str| SignalFilter { nas: Some(nas.into()), ..SignalFilter::default() };
        let narrowed = store.signals(of("sw1"), None, 10).await.unwrap().items;
        assert_eq!((narrowed.len(), &narrowed[0].subject, narrowed[0].kind), (1, &nas, SignalKind::NasNewVendor));
        assert_eq!(store.signals(of("sw2"), None, 10).await.unwrap().items, []);

        // What hangs on an endpoint goes with it; the rest stays.
        sqlx::query("DELETE FROM endpoint").execute(&store.write).await.unwrap();
        assert_eq!(store.signals(SignalFilter::default(), None, 10).await.unwrap().items.len(), 1);
    }
}
