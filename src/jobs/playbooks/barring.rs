//! Taking from an identity what it has, and giving it back: its status, and the certificates of the server's own CA.

use crate::audit::event::By;
use crate::config::apply::in_status;
use crate::config::authority::AuthorityDir;
use crate::config::live::{ChangeError, Inventory, PAUSE, Present, TRIES};
use crate::ids::{IdentityId, RunId};
use crate::inventory::identity::{Identity, IdentityStatus};
use crate::store::Store;
use crate::store::inventory::Writes;
use crate::store::issued::IssuedFilter;
use crate::store::suspensions::Behalf;
use crate::transport::clock::Clock;
use std::sync::Arc;

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
    /// Suspends an identity on behalf of a run, or has the run want what other runs have done. Whether the run has to take it back:
    /// not where an operator or another status bars it already. Doing it again changes nothing.
    ///
    /// # Errors
    /// In words, why it could not be done.
    pub async fn suspend(&self, id: IdentityId, run: RunId, by: &By, reason: &str) -> Result<bool, String> {
        for _ in 0..TRIES {
            let present = self.inventory.present();
            let identity = present.built.snapshot.identities.by_id(id).cloned().ok_or("the identity is no more")?;
            match identity.status {
                IdentityStatus::Suspended => {
                    let joined = self.store.join_suspension(id, run).await.map_err(|e| e.to_string())?;
                    let latest = self.store.generation().await.map_err(|e| e.to_string())?;
                    if joined || latest == present.stored.generation {
                        return Ok(joined);
                    }
                    // Somebody has changed something, and it may have been this.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                IdentityStatus::Active => {}
                IdentityStatus::Requested | IdentityStatus::Approved | IdentityStatus::Retired => return Ok(false),
            }
            if !is_stored(&present, id) {
                return Err("it is described in the server's configuration file, where its status is changed".into());
            }
            let (to, behalf) = (IdentityStatus::Suspended, Behalf::Begins(id, run));
            if self.write(&present, &identity, to, behalf, by, reason).await? {
                return Ok(true);
            }
        }
        Err(ChangeError::Overtaken.to_string())
    }

    /// Has a run not want an identity suspended any more, and makes it active again if it was the last that did. Whether it was: one
    /// that an operator has suspended meanwhile stays so.
    ///
    /// # Errors
    /// In words, why it could not be done.
    pub async fn lift(&self, id: IdentityId, run: RunId, by: &By, reason: &str) -> Result<bool, String> {
        for _ in 0..TRIES {
            let wanted = self.store.suspending_runs(id).await.map_err(|e| e.to_string())?;
            if !wanted.contains(&run) {
                return Ok(false);
            }
            let present = self.inventory.present();
            let identity = present.built.snapshot.identities.by_id(id).cloned();
            let suspended = identity.filter(|identity| identity.status == IdentityStatus::Suspended);
            let others = wanted.len() > 1;
            match suspended.filter(|_| !others && is_stored(&present, id)) {
                Some(identity) => {
                    let (to, behalf) = (IdentityStatus::Active, Behalf::Ends(id, run));
                    if self.write(&present, &identity, to, behalf, by, reason).await? {
                        return Ok(true);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                None => {
                    if self.store.leave_suspension(id, run, others).await.map_err(|e| e.to_string())? {
                        return Ok(false);
                    }
                    // It is suspended by the database's word, and that is not in force yet.
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Err(ChangeError::Overtaken.to_string())
    }

    /// Whether it was written: not if another change came in between.
    async fn write(
        &self,
        present: &Present,
        identity: &Identity,
        to: IdentityStatus,
        behalf: Behalf,
        by: &By,
        reason: &str,
    ) -> Result<bool, String> {
        let (_, writes) = in_status(identity, to, reason.to_owned()).map_err(|e| e.to_string())?;
        let writes = Writes { behalf, ..writes };
        match self.inventory.commit(present.stored.generation, &writes, by, self.clock.now()).await {
            Err(ChangeError::Overtaken) => Ok(false),
            Err(error) => Err(error.to_string()),
            Ok(_) => Ok(true),
        }
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

/// Whether an identity is the database's, and not the configuration file's.
fn is_stored(present: &Present, id: IdentityId) -> bool {
    present.stored.identities.iter().any(|known| known.id == id)
}
