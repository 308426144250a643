//! How identities are doing, as it was reported.

use super::db::{Arg, Kind, Sql};
use super::{Store, StoreError};
use crate::ids::IdentityId;
use crate::posture::table::Kept;
use crate::time::Timestamp;

const KINDS: &[Kind] = &[Kind::Blob, Kind::Text, Kind::Int, Kind::Text];
/// Rows that are read at once, of about a KiB each.
const READ_AT_ONCE: i64 = 10_000;

/// What is stored of one identity.
#[derive(Clone, PartialEq, Debug)]
pub struct PostureRow {
    /// Whose.
    pub identity: IdentityId,
    /// How it was judged.
    pub status: &'static str,
    /// What is known.
    pub kept: Kept,
}

impl Store {
    /// Stores these, no identity twice.
    ///
    /// # Errors
    /// When the database does not; then none is stored.
    pub async fn save_posture(&self, rows: &[PostureRow], now: Timestamp) -> Result<(), StoreError> {
        let unwritable = |e: serde_json::Error| StoreError::Unreadable { table: "posture", what: e.to_string() };
        let mut values: Vec<Arg> = Vec::with_capacity(rows.len() * KINDS.len());
        for row in rows {
            let body = serde_json::to_string(&row.kept).map_err(unwritable)?;
            values.extend([row.identity.as_bytes().into(), row.status.into(), now.into(), body.into()]);
        }
        let mut tx = self.db.begin().await?;
        let tail = "ON CONFLICT (identity_id) DO UPDATE SET status = excluded.status, \
                    updated_us = excluded.updated_us, body = excluded.body";
        tx.insert("posture (identity_id, status, updated_us, body)", KINDS, values, tail).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Everything that is stored, handed to `take` one by one.
    ///
    /// # Errors
    /// When the database cannot be read. A row that cannot be understood is told in the log and left out.
    pub async fn posture(&self, mut take: impl FnMut(IdentityId, Kept)) -> Result<(), StoreError> {
        let mut after = Vec::new();
        loop {
            let sql = "SELECT identity_id, body FROM posture WHERE identity_id > ? ORDER BY identity_id LIMIT ?";
            let rows = self.db.fetch(Sql::new(sql).bind(after).bind(READ_AT_ONCE)).await?;
            for row in &rows {
                let id = IdentityId::from_bytes(row.id("posture", "identity_id")?);
                match serde_json::from_str(row.text("body")?) {
                    Ok(kept) => take(id, kept),
                    Err(error) => tracing::warn!(identity = %id, %error, "its posture cannot be read, and is unknown"),
                }
            }
            match rows.last() {
                Some(last) if rows.len() as i64 == READ_AT_ONCE => after = last.blob("identity_id")?.to_vec(),
                _ => return Ok(()),
            }
        }
    }

    /// Forgets what is stored of an identity.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_posture(&self, identity: IdentityId) -> Result<(), StoreError> {
        let sql = Sql::new("DELETE FROM posture WHERE identity_id = ?").bind(identity.as_bytes());
        self.db.execute(sql).await.map(drop)
    }
}
