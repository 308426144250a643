//! Taking from an identity what it has, and giving it back: its status, and the certificates of the server's own CA.

use crate::audit::event::By;
use crate::config::apply::in_status;
use crate::config::authority::AuthorityDir;
use crate::config::live::{ChangeError, Inventory};
use crate::ids::IdentityId;
use crate::inventory::identity::IdentityStatus;
use crate::store::Store;
use crate::store::issued::IssuedFilter;
use crate::transport::clock::Clock;
use std::sync::Arc;

/// How often a change is tried again because another one came in between.
const TRIES: usize = 5;
/// Certificates that are revoked at once.
const AT_ONCE: u32 = 500;
/// Rounds of that, at most.
const ROUNDS: usize = 20;

/// Who does it.
#[derive(Clone, Debug)]
pub struct Barring {
    /// Where identities lie.
    pub inventory: Inventory,
    /// Where certificates are noted.
    pub store: Store,
    /// The time.
    pub clock: Arc<Clock>,
    /// Revocations, one after the other.
    pub turn: Arc<tokio::sync::Mutex<()>>,
}

impl Barring {
    /// Puts an identity that is `from` in the status `to`. Whether it was: one that has another status keeps it.
    ///
    /// # Errors
    /// In words, why it could not be done.
    pub async fn change(
        &self,
        id: IdentityId,
        from: IdentityStatus,
        to: IdentityStatus,
        by: &By,
        reason: &str,
    ) -> Result<bool, String> {
        for _ in 0..TRIES {
            let present = self.inventory.present();
            let identity = present.built.snapshot.identities.by_id(id).cloned();
            let identity = identity.ok_or("the identity is no more")?;
            if identity.status != from {
                return Ok(false);
            }
            if !present.stored.identities.iter().any(|known| known.id == id) {
                return Err("it is described in the server's configuration file, where its status is changed".into());
            }
            let (_, writes) = in_status(&identity, to, reason.to_owned()).map_err(|e| e.to_string())?;
            let (generation, now) = (present.stored.generation, self.clock.now());
            match self.inventory.commit(generation, &writes, by, now).await {
                Err(ChangeError::Overtaken) => {}
                Err(error) => return Err(error.to_string()),
                Ok(_) => return Ok(true),
            }
        }
        Err(ChangeError::Overtaken.to_string())
    }

    /// Revokes all certificates that the server's own CA gave an identity. How many there were.
    ///
    /// # Errors
    /// In words, why it could not be done.
    pub async fn revoke(&self, id: IdentityId, by: &By, reason: &str) -> Result<usize, String> {
        let present = self.inventory.present();
        let dir = present.config.pki.dir.as_ref().ok_or("this server has no CA of its own")?;
        let dir = present.source.resolve(dir.get_ref());
        let mut count = 0;
        for _ in 0..ROUNDS {
            let filter = IssuedFilter { identity: Some(id), revoked: Some(false), ..IssuedFilter::default() };
            let all = self.store.issued(&filter, None, AT_ONCE).await.map_err(|e| e.to_string())?.items;
            if all.is_empty() {
                break;
            }
            // Lists are written one at a time.
            let _turn = self.turn.lock().await;
            let of_disk: Vec<(String, String)> =
                all.iter().map(|one| (one.issuer.clone(), one.serial.clone())).collect();
            let (dir, now) = (dir.clone(), self.clock.now());
            let revoked = tokio::task::spawn_blocking(move || {
                let dir = AuthorityDir::at(&dir);
                of_disk.iter().try_for_each(|(issuer, serial)| dir.revoke(issuer, serial, now).map(drop))
            });
            revoked.await.map_err(|e| e.to_string())??;
            self.store.mark_revoked(&all, reason, by, now).await.map_err(|e| e.to_string())?;
            count += all.len();
        }
        Ok(count)
    }
}
