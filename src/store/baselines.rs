//! What is usual of each identity.

use super::db::{Arg, Kind, Sql};
use super::{Store, StoreError};
use crate::ids::IdentityId;
use crate::signals::detect::Baseline;

const KINDS: &[Kind] = &[Kind::Blob, Kind::Text];
/// Rows in one commit, and of one look: others that want to write wait for it.
const AT_ONCE: usize = 1_000;

impl Store {
    /// Stores these, no identity twice.
    ///
    /// # Errors
    /// When the database cannot be written; a part may be stored then.
    pub async fn save_baselines(&self, all: &[(IdentityId, Baseline)]) -> Result<(), StoreError> {
        let unwritable = |e: serde_json::Error| StoreError::Unreadable { table: "baseline", what: e.to_string() };
        for chunk in all.chunks(AT_ONCE) {
            let mut values: Vec<Arg> = Vec::with_capacity(chunk.len() * KINDS.len());
            for (id, baseline) in chunk {
                let body = serde_json::to_string(baseline).map_err(unwritable)?;
                values.extend([id.as_bytes().into(), body.into()]);
            }
            let mut tx = self.db.begin().await?;
            let tail = "ON CONFLICT (identity_id) DO UPDATE SET body = excluded.body";
            tx.insert("baseline (identity_id, body)", KINDS, values, tail).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// All that are stored, handed to `take` one by one. Those of identities that are gone are dropped, and one that
    /// cannot be read is only learned again.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn baselines(&self, mut take: impl FnMut(IdentityId, Baseline)) -> Result<(), StoreError> {
        self.db.execute(Sql::new("DELETE FROM baseline WHERE identity_id NOT IN (SELECT id FROM identity)")).await?;
        let mut after = Vec::new();
        loop {
            let sql = "SELECT identity_id, body FROM baseline WHERE identity_id > ? ORDER BY identity_id LIMIT ?";
            let rows = self.db.fetch(Sql::new(sql).bind(after).bind(AT_ONCE as i64)).await?;
            for row in &rows {
                let id = IdentityId::from_bytes(row.id("baseline", "identity_id")?);
                match serde_json::from_str(row.text("body")?) {
                    Ok(baseline) => take(id, baseline),
                    Err(error) => tracing::warn!(identity = %id, %error, "what is usual of it is learned again"),
                }
            }
            match rows.last() {
                Some(row) => after = row.id("baseline", "identity_id")?.to_vec(),
                None => return Ok(()),
            }
        }
    }
}
