//! Addresses that asked and are no NAS.

use super::records::{MAX_ROWS, placeholders};
use super::{Store, StoreError};
use crate::inventory::unknown::{MAX_UNKNOWN, UnknownNas};
use crate::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};
use std::net::IpAddr;

impl Store {
    /// Takes in what is new about them, each address once. The table keeps as many
    /// as memory does: those that asked more than once before others, and those that
    /// were seen last.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_unknown(&self, all: &[UnknownNas]) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        for chunk in all.chunks(MAX_ROWS) {
            let sql = format!(
                "INSERT INTO unknown_nas (address, first_us, last_us, packets, packet) VALUES {} \
                 ON CONFLICT (address) DO UPDATE SET last_us = excluded.last_us, packet = excluded.packet, \
                 packets = max(packets, excluded.packets)",
                placeholders(5, chunk.len())
            );
            // Safe: only the number of placeholders varies.
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for unknown in chunk {
                query = query
                    .bind(unknown.address.to_string())
                    .bind(unknown.first.as_micros())
                    .bind(unknown.last.as_micros())
                    .bind(i64::try_from(unknown.packets).unwrap_or(i64::MAX))
                    .bind(&unknown.packet);
            }
            query.execute(&mut *tx).await?;
        }
        let sql = "DELETE FROM unknown_nas WHERE address NOT IN \
                   (SELECT address FROM unknown_nas ORDER BY packets > 1 DESC, last_us DESC LIMIT ?)";
        sqlx::query(sql).bind(MAX_UNKNOWN as i64).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// All of them, those that asked last first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unknown_nas(&self) -> Result<Vec<UnknownNas>, StoreError> {
        let rows = sqlx::query("SELECT * FROM unknown_nas ORDER BY last_us DESC").fetch_all(&self.read).await?;
        rows.iter().map(unknown_of_row).collect()
    }

    /// Forgets one, since it is a NAS now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_unknown(&self, address: IpAddr) -> Result<(), StoreError> {
        let sql = "DELETE FROM unknown_nas WHERE address = ?";
        sqlx::query(sql).bind(address.to_string()).execute(&self.write).await?;
        Ok(())
    }
}

fn unknown_of_row(row: &SqliteRow) -> Result<UnknownNas, StoreError> {
    let address: &str = row.try_get("address")?;
    let address = address
        .parse()
        .map_err(|_| StoreError::Unreadable { table: "unknown_nas", what: format!("{address:?} is no address") })?;
    let time = |name| Ok::<_, sqlx::Error>(Timestamp::from_micros(row.try_get(name)?));
    let packets = row.try_get::<i64, _>("packets")?.unsigned_abs();
    Ok(UnknownNas {
        address,
        first: time("first_us")?,
        last: time("last_us")?,
        packets,
        packet: row.try_get("packet")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_table_keeps_its_bound_and_who_asks_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let unknown = |number: u32, packets| {
            let (address, at) = (IpAddr::from(number.to_be_bytes()), Timestamp::from_unix_secs(number.into()));
            UnknownNas { address, first: at, last: at, packets, packet: vec![1, 2] }
        };
        let all: Vec<UnknownNas> = (0..MAX_UNKNOWN as u32 + 100).map(|n| unknown(n, 1 + u64::from(n == 7))).collect();
        for some in all.chunks(70) {
            store.save_unknown(some).await.unwrap();
        }
        let again =
            UnknownNas { last: Timestamp::from_unix_secs(9_999), packets: 1, packet: vec![3], ..all[7].clone() };
        store.save_unknown(std::slice::from_ref(&again)).await.unwrap();
        let kept = store.unknown_nas().await.unwrap();
        assert_eq!(kept.len(), MAX_UNKNOWN);
        assert_eq!(kept[0], UnknownNas { packets: 2, ..again }, "its count survives a restart");
        assert_eq!(kept[1..], all.iter().rev().take(MAX_UNKNOWN - 1).cloned().collect::<Vec<_>>());
    }
}
