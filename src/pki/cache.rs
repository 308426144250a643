//! Paths that were verified, by what was presented.
//!
//! Only what leads to a trusted CA is kept, so strangers cannot fill it.

use super::path::Path;
use aws_lc_rs::digest::{Context, SHA256};
use rustls_pki_types::CertificateDer;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Parts that lock apart, so that workers seldom wait for one another.
const SHARDS: usize = 16;

/// Paths kept in each generation of a shard: 2 x 16 x 1,024 in all, some 2 KiB
/// each, thus at most about 64 MiB.
const GENERATION_PATHS: usize = 1024;

/// SHA-256 over a presented chain.
pub(super) type ChainDigest = [u8; 32];

/// The key of a presented chain. Lengths are hashed too, so that two chains
/// never run into the same octets.
pub(super) fn chain_digest(chain: &[CertificateDer<'_>]) -> ChainDigest {
    let mut context = Context::new(&SHA256);
    for certificate in chain {
        context.update(&(certificate.len() as u64).to_be_bytes());
        context.update(certificate);
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

/// Bounded by two generations: when the young one is full it becomes the old
/// one, and what is asked for in the old one becomes young again.
#[derive(Default)]
pub(super) struct PathCache {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    young: HashMap<ChainDigest, Arc<Path>>,
    old: HashMap<ChainDigest, Arc<Path>>,
}

impl PathCache {
    pub(super) fn get(&self, key: &ChainDigest) -> Option<Arc<Path>> {
        let mut shard = self.shard(key);
        if let Some(path) = shard.young.get(key) {
            return Some(Arc::clone(path));
        }
        let path = shard.old.remove(key)?;
        shard.put(*key, Arc::clone(&path));
        Some(path)
    }

    pub(super) fn put(&self, key: ChainDigest, path: Arc<Path>) {
        self.shard(&key).put(key, path);
    }

    #[cfg(test)]
    pub(super) fn remove(&self, key: &ChainDigest) -> Option<Arc<Path>> {
        self.shard(key).young.remove(key)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap()).map(|shard| shard.young.len() + shard.old.len()).sum()
    }

    fn shard(&self, key: &ChainDigest) -> std::sync::MutexGuard<'_, Shard> {
        self.shards[usize::from(key[0]) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn put(&mut self, key: ChainDigest, path: Arc<Path>) {
        if self.young.len() >= GENERATION_PATHS && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_holds_more_than_its_bound_and_keeps_what_is_used() {
        let cache = PathCache::default();
        let path = Arc::new(Path::for_tests());
        let key = |n: u32| {
            let mut key = [0; 32];
            key[1..5].copy_from_slice(&n.to_be_bytes());
            key
        };
        for n in 0..10 * GENERATION_PATHS as u32 {
            cache.put(key(n), Arc::clone(&path));
            assert!(cache.get(&key(0)).is_some(), "{n}");
        }
        assert!(cache.len() <= 2 * GENERATION_PATHS);
        assert!(cache.get(&key(1)).is_none());
    }

    #[test]
    fn chains_that_share_their_octets_differ() {
        let chain = |parts: &[&[u8]]| {
            chain_digest(&parts.iter().map(|part| CertificateDer::from(part.to_vec())).collect::<Vec<_>>())
        };
        assert_ne!(chain(&[b"ab", b"c"]), chain(&[b"a", b"bc"]));
    }
}
