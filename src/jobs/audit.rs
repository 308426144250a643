//! Checkpoints of the audit log, and its export: what is new is verified before it is
//! signed, and what a receiver has taken is not told again.

use crate::audit::event::Entry;
use crate::audit::merkle::{Hash, Tree, leaf_hash};
use crate::audit::note::{Checkpoint, SigningKey};
use crate::audit::syslog::{framed, message};
use crate::store::audit::StoredCheckpoint;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use crate::transport::syslog::Receiver;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often a checkpoint is signed, if there is something new.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// Rows that are looked at in one go.
const PIECE: u32 = 1_000;
/// How often it is looked for events that a receiver has not been told.
const EXPORT: Duration = Duration::from_secs(1);
/// Events of one connection: what is told again when its end is not confirmed.
const BATCH: u32 = 200;
/// The longest time between two attempts at a receiver that is away.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Why no checkpoint is signed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignError {
    /// The log is not what it was.
    #[error(
        "the audit log is not what was signed: {0}\n  -> `cordon audit verify` tells more; nothing is signed until it is intact"
    )]
    Broken(String),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs checkpoints: of the log as far as it is the continuation of what was signed
/// before.
#[derive(Debug)]
pub struct Signer {
    store: Store,
    key: SigningKey,
    /// What has been looked at, and the hash of its last event.
    seen: Option<(Tree, Hash)>,
    /// The note that is known to whoever keeps them beside the database.
    kept: Option<String>,
}

impl Signer {
    /// Signs with `key`. `kept` is the latest note that was kept beside the database,
    /// if there is one.
    pub fn new(store: Store, key: SigningKey, kept: Option<String>) -> Signer {
        Signer { store, key, seen: None, kept }
    }

    /// What its signatures are verified with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Signs a checkpoint of all events, unless the latest one is. Gives the latest;
    /// `None` while there is no event.
    ///
    /// # Errors
    /// See [`SignError`].
    pub async fn sign(&mut self, now: Timestamp) -> Result<Option<StoredCheckpoint>, SignError> {
        let latest = self.store.latest_checkpoint().await?;
        let (mut tree, mut last) = match self.seen.take() {
            Some(seen) => seen,
            None => self.signed_before(latest.as_ref()).await?,
        };
        let there = self.store.audit_head().await?.size;
        if there < tree.size() {
            return Err(SignError::Broken(format!("{} events were there, and {there} are", tree.size())));
        }
        loop {
            let rows = self.store.audit_rows(tree.size(), PIECE).await?;
            for row in &rows {
                let hash = leaf_hash(row.body.as_bytes());
                let entry = Entry::parse(&row.body).map_err(|e| broken(row.seq, &e.to_string()))?;
                if row.hash != hash || entry.seq != tree.size() || i64::try_from(entry.seq) != Ok(row.seq) {
                    return Err(broken(row.seq, "it was altered, or one before it is missing"));
                }
                if entry.prev != last {
                    return Err(broken(row.seq, "it does not follow the one before"));
                }
                tree.push(hash);
                last = hash;
            }
            if rows.len() < PIECE as usize {
                break;
            }
        }
        let (size, root) = (tree.size(), tree.root());
        self.seen = Some((tree, last));
        if size == 0 || latest.as_ref().is_some_and(|latest| latest.size >= size) {
            return Ok(latest);
        }
        let checkpoint = StoredCheckpoint { size, at: now, note: self.key.sign(size, root) };
        self.store.add_checkpoint(&checkpoint).await?;
        Ok(Some(checkpoint))
    }

    /// The log as far as it was signed: it must be what was signed.
    async fn signed_before(&self, latest: Option<&StoredCheckpoint>) -> Result<(Tree, Hash), SignError> {
        let keys = [self.key.public().clone()];
        let notes = latest.map(|latest| &latest.note).into_iter().chain(&self.kept);
        // What another key has signed says nothing to this one.
        let signed: Vec<_> = notes.filter_map(|note| Checkpoint::open(note, &keys).ok()).collect();
        let size = signed.iter().map(|checkpoint| checkpoint.size).max().unwrap_or(0);
        let (mut tree, mut last, mut wrong) = (Tree::default(), [0; 32], None);
        let count = self
            .store
            .audit_hashes(size, |hash| {
                tree.push(hash);
                last = hash;
                let other = signed.iter().find(|c| c.size == tree.size() && c.root != tree.root());
                wrong = wrong.or(other.map(|c| c.size));
            })
            .await?;
        if count < size {
            return Err(SignError::Broken(format!("{size} events were signed, and {count} are there")));
        }
        match wrong {
            Some(size) => Err(SignError::Broken(format!("the first {size} events have another root"))),
            None => Ok((tree, last)),
        }
    }
}

fn broken(seq: i64, why: &str) -> SignError {
    SignError::Broken(format!("event {seq}: {why}"))
}

/// Signs checkpoints while the server runs, and hands each new one to `keep`.
pub async fn checkpoints(signer: Arc<Mutex<Signer>>, clock: Arc<Clock>, keep: impl Fn(&StoredCheckpoint) + Send) {
    let mut interval = tokio::time::interval(CHECKPOINT);
    let mut size = 0;
    loop {
        interval.tick().await;
        match signer.lock().await.sign(clock.now()).await {
            Ok(Some(checkpoint)) if checkpoint.size != size => {
                size = checkpoint.size;
                keep(&checkpoint);
            }
            Ok(_) => {}
            Err(error @ SignError::Broken(_)) => tracing::error!("{error}"),
            Err(SignError::Store(error)) => tracing::warn!(%error, "no checkpoint of the audit log was signed"),
        }
    }
}

/// Tells a receiver of events, in their order, from where it was told last.
pub async fn export(store: Store, receiver: Receiver, host: String, clock: Arc<Clock>) {
    let name = receiver.name();
    let mut wait = EXPORT;
    let mut told = None;
    loop {
        tokio::time::sleep(wait).await;
        match export_once(&store, &receiver, &name, &host, &clock).await {
            Ok(more) => {
                if told.take().is_some() {
                    tracing::info!(receiver = name, "the audit log is exported again");
                }
                wait = if more { Duration::ZERO } else { EXPORT };
            }
            Err(error) => {
                if told.as_ref() != Some(&error) {
                    tracing::warn!(receiver = name, "the audit log is not exported, and will be: {error}");
                }
                told = Some(error);
                wait = (wait.max(EXPORT) * 2).min(MAX_BACKOFF);
            }
        }
    }
}

/// Tells of one batch. Returns whether there may be more.
async fn export_once(
    store: &Store,
    receiver: &Receiver,
    name: &str,
    host: &str,
    clock: &Clock,
) -> Result<bool, String> {
    let from = store.export_place(name).await.map_err(|e| e.to_string())?;
    let rows = store.audit_rows(from, BATCH).await.map_err(|e| e.to_string())?;
    let Some(last) = rows.last() else { return Ok(false) };
    let next = u64::try_from(last.seq).unwrap_or(0) + 1;
    let mut octets = Vec::new();
    for row in &rows {
        match Entry::parse(&row.body) {
            Ok(entry) => octets.extend(framed(&message(&entry, &leaf_hash(row.body.as_bytes()), host))),
            // Others must not wait for what cannot be read; verifying names it.
            Err(error) => tracing::error!(event = row.seq, %error, "an event was altered and is not exported"),
        }
    }
    receiver.tell(&octets).await.map_err(|e| e.to_string())?;
    store.set_export_place(name, next, clock.now()).await.map_err(|e| e.to_string())?;
    Ok(rows.len() == BATCH as usize)
}
