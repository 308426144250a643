//! The key that events are signed with: made when one is wanted first, sealed in the database, and changed when somebody asks.

use crate::audit::event::By;
use crate::config::live::Inventory;
use crate::shared_signals::key::{Key, KeyError};
use crate::store::{Store, StoreError};
use crate::transport::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long keys are kept in memory: those that another process has made are used soon.
const KNOWN: Duration = Duration::from_secs(60);

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key cannot be opened or sealed.
    #[error("the key for Shared Signals cannot be opened: {0}; POST /api/v1/ssf/keys makes another")]
    Sealed(String),
}

/// The key that signs, what is published of all keys, and when that was read.
type Known = (Arc<Key>, Vec<Value>, Instant);

/// Signs.
#[derive(Debug)]
pub struct Signer {
    store: Store,
    inventory: Inventory,
    clock: Arc<Clock>,
    known: Mutex<Option<Known>>,
}

impl Signer {
    /// One whose keys are in `store`, sealed as `inventory` seals.
    pub fn new(store: Store, inventory: Inventory, clock: Arc<Clock>) -> Signer {
        Signer { store, inventory, clock, known: Mutex::default() }
    }

    /// The key that signs.
    ///
    /// # Errors
    /// See [`NotSigned`].
    pub async fn key(&self) -> Result<Arc<Key>, NotSigned> {
        Ok(self.known().await?.0)
    }

    /// The public keys of all that may have signed lately (RFC 7517).
    ///
    /// # Errors
    /// See [`NotSigned`].
    pub async fn published(&self) -> Result<Value, NotSigned> {
        Ok(json!({ "keys": self.known().await?.1 }))
    }

    /// Makes another key, which signs from now on; its name.
    ///
    /// # Errors
    /// See [`NotSigned`].
    pub async fn rotate(&self, by: &By) -> Result<String, NotSigned> {
        let mut known = self.known.lock().await;
        let kid = self.make(by).await?;
        *known = None;
        Ok(kid)
    }

    async fn known(&self) -> Result<(Arc<Key>, Vec<Value>), NotSigned> {
        let mut known = self.known.lock().await;
        if let Some((key, published, _)) = known.as_ref().filter(|(.., at)| at.elapsed() < KNOWN) {
            return Ok((key.clone(), published.clone()));
        }
        let mut rows = self.store.ssf_keys().await?;
        if rows.is_empty() {
            self.make(&By::server()).await?;
            rows = self.store.ssf_keys().await?;
        }
        let seal = self.inventory.seal().map_err(|e| NotSigned::Sealed(e.to_string()))?;
        let mut keys = Vec::new();
        for (kid, sealed) in rows {
            let opened = seal.open(&owner(&kid), &sealed).map_err(|e| e.to_string());
            match opened.and_then(|kept| Key::open(&kept).map_err(|e| e.to_string())) {
                Ok(key) => keys.push(key),
                // The one that signs must be there; without an older one, a receiver refuses what it has signed.
                Err(error) if keys.is_empty() => return Err(NotSigned::Sealed(error)),
                Err(error) => tracing::warn!(kid, error, "an older key for Shared Signals cannot be opened"),
            }
        }
        let published: Vec<Value> = keys.iter().map(Key::public).collect();
        let Some(first) = keys.into_iter().next() else { return Err(NotSigned::Sealed("there is none".into())) };
        let first = Arc::new(first);
        *known = Some((first.clone(), published.clone(), Instant::now()));
        Ok((first, published))
    }

    async fn make(&self, by: &By) -> Result<String, NotSigned> {
        // Where nobody waits for it.
        let made = tokio::task::spawn_blocking(Key::make).await;
        let (key, kept) = made.map_err(|e| NotSigned::Sealed(e.to_string()))??;
        let seal = self.inventory.seal().map_err(|e| NotSigned::Sealed(e.to_string()))?;
        let sealed = seal.seal(&owner(&key.kid), &kept).map_err(|e| NotSigned::Sealed(e.to_string()))?;
        self.store.add_ssf_key(&key.kid, &sealed, by, self.clock.now()).await?;
        Ok(key.kid)
    }
}

/// What a key is sealed for.
fn owner(kid: &str) -> String {
    format!("ssf key {kid}")
}
