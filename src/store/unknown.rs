//! Addresses that asked and are no NAS.

use super::{Store, StoreError};
use crate::inventory::unknown::{MAX_UNKNOWN, UnknownNas};
use crate::time::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::net::IpAddr;

impl Store {
    /// Takes in what is new about them. The table keeps those that were seen
    /// last, as many as memory does.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_unknown(&self, all: &[UnknownNas]) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        for unknown in all {
            let sql = "INSERT INTO unknown_nas (address, first_us, last_us, packets, packet) VALUES (?, ?, ?, ?, ?) \
                       ON CONFLICT (address) DO UPDATE SET last_us = excluded.last_us, packet = excluded.packet, \
                       packets = max(packets, excluded.packets)";
            let query = sqlx::query(sql).bind(unknown.address.to_string()).bind(unknown.first.as_micros());
            let packets = i64::try_from(unknown.packets).unwrap_or(i64::MAX);
            query.bind(unknown.last.as_micros()).bind(packets).bind(&unknown.packet).execute(&mut *tx).await?;
        }
        let sql = "DELETE FROM unknown_nas WHERE address NOT IN \
                   (SELECT address FROM unknown_nas ORDER BY last_us DESC LIMIT ?)";
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
