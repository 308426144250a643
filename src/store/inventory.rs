//! The database's copy of who is known, replaced as a whole.

use super::{Store, StoreError};
use crate::inventory::identity::Identity;
use crate::inventory::nas::Nas;
use crate::time::Timestamp;
use std::sync::Arc;

impl Store {
    /// Makes the tables `nas` and `identity` say what is in force.
    ///
    /// # Errors
    /// When the database cannot be written; then the old copy stands.
    pub async fn mirror_inventory(&self, nas: &[Arc<Nas>], identities: &[Arc<Identity>]) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM nas").execute(&mut *tx).await?;
        for nas in nas {
            sqlx::query("INSERT INTO nas (id, name, addresses, site, groups) VALUES (?, ?, ?, ?, ?)")
                .bind(&nas.id.as_bytes()[..])
                .bind(&nas.name)
                .bind(json(nas.addresses.iter().map(ToString::to_string)))
                .bind(&nas.site)
                .bind(json(nas.groups.iter().cloned()))
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("DELETE FROM identity").execute(&mut *tx).await?;
        for identity in identities {
            sqlx::query(
                "INSERT INTO identity (id, name, kind, status, owner, purpose, expires_us, groups, credentials) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&identity.id.as_bytes()[..])
            .bind(&identity.name)
            .bind(identity.kind.as_str())
            .bind(identity.status.as_str())
            .bind(&identity.owner)
            .bind(&identity.purpose)
            .bind(identity.expires.map(Timestamp::as_micros))
            .bind(json(identity.groups.iter().cloned()))
            .bind(json(identity.credentials.iter().map(ToString::to_string)))
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }
}

fn json(items: impl Iterator<Item = String>) -> String {
    items.collect::<serde_json::Value>().to_string()
}
