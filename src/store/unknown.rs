//! Addresses that asked and are no NAS.

use super::db::{Arg, Kind, Row, Sql};
use super::{Store, StoreError};
use crate::inventory::unknown::{MAX_UNKNOWN, UnknownNas};
use std::net::IpAddr;

const KINDS: &[Kind] = &[Kind::Text, Kind::Int, Kind::Int, Kind::Int, Kind::Blob];

impl Store {
    /// Takes in what is new about them, each address once. The table keeps as many
    /// as memory does: those that asked more than once before others, and those that
    /// were seen last.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_unknown(&self, all: &[UnknownNas]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let mut values: Vec<Arg> = Vec::with_capacity(all.len() * KINDS.len());
        for unknown in all {
            values.extend([
                unknown.address.to_string().into(),
                unknown.first.into(),
                unknown.last.into(),
                unknown.packets.into(),
                unknown.packet.as_slice().into(),
            ]);
        }
        let into = "unknown_nas (address, first_us, last_us, packets, packet)";
        let tail = "ON CONFLICT (address) DO UPDATE SET last_us = excluded.last_us, packet = excluded.packet, \
                    packets = CASE WHEN excluded.packets > unknown_nas.packets THEN excluded.packets \
                    ELSE unknown_nas.packets END";
        tx.insert(into, KINDS, values, tail).await?;
        let sql = "DELETE FROM unknown_nas WHERE address NOT IN (SELECT address FROM unknown_nas \
                   ORDER BY CASE WHEN packets > 1 THEN 0 ELSE 1 END, last_us DESC LIMIT ?)";
        tx.execute(Sql::new(sql).bind(MAX_UNKNOWN as i64)).await?;
        tx.commit().await
    }

    /// All of them, those that asked last first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unknown_nas(&self) -> Result<Vec<UnknownNas>, StoreError> {
        let rows = self.db.fetch(Sql::new("SELECT * FROM unknown_nas ORDER BY last_us DESC")).await?;
        rows.iter().map(unknown_of_row).collect()
    }

    /// Forgets one, since it is a NAS now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_unknown(&self, address: IpAddr) -> Result<(), StoreError> {
        let sql = Sql::new("DELETE FROM unknown_nas WHERE address = ?").bind(address.to_string());
        self.db.execute(sql).await.map(drop)
    }
}

fn unknown_of_row(row: &Row) -> Result<UnknownNas, StoreError> {
    let address = row.text("address")?;
    let address = address
        .parse()
        .map_err(|_| StoreError::Unreadable { table: "unknown_nas", what: format!("{address:?} is no address") })?;
    Ok(UnknownNas {
        address,
        first: row.time("first_us")?,
        last: row.time("last_us")?,
        packets: row.counter("packets")?,
        packet: row.blob("packet")?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

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
