//! Duplicate detection (RFC 5080, section 2.2.2): a retransmitted request gets
//! the octets that the first one got, and is not served twice.

use crate::time::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Parts of the table that can be used at the same time; several times the
/// processors of a large server.
const SHARDS: usize = 64;

/// Where a request came in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// In a datagram.
    Datagram {
        /// The sender's address and port.
        source: SocketAddr,
        /// The socket that it came in by.
        listener: u16,
    },
    /// By the connection of this number, which no other ever has.
    Connection(u64),
}

/// What makes two requests the same, but for their authenticator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestKey {
    /// Where it came in.
    pub origin: Origin,
    /// The packet's code.
    pub code: u8,
    /// The packet's identifier, or in RADIUS/1.1 its Token.
    pub identifier: u32,
}

/// What is known of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Nothing; it is now in progress.
    New,
    /// It is being served: drop this one.
    InProgress,
    /// It has been answered with this.
    Answered(Arc<[u8]>),
    /// Nothing, and there is no room to remember it: serve it all the same.
    Full,
}

#[derive(Debug)]
struct Entry {
    authenticator: [u8; 16],
    reply: Option<Arc<[u8]>>,
    since: Timestamp,
}

#[derive(Default, Debug)]
struct Shard {
    entries: HashMap<RequestKey, Entry>,
    /// Keys by age. May name requests that were replaced meanwhile.
    order: VecDeque<(Timestamp, RequestKey)>,
}

/// Requests of the last seconds. Shared by all workers.
#[derive(Debug)]
pub struct DuplicateCache {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    capacity_per_shard: usize,
    life: Duration,
}

impl DuplicateCache {
    /// Remembers about `capacity` requests for `life` each.
    pub fn new(capacity: usize, life: Duration) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            capacity_per_shard: capacity.div_ceil(SHARDS),
            life,
        }
    }

    fn with<R>(&self, key: &RequestKey, f: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        let shard = self.hasher.hash_one(key) as usize % SHARDS;
        let mut shard = self.shards.get(shard)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(f(&mut shard))
    }

    /// Looks a request up, and marks a new one as in progress. One with the
    /// same key but another authenticator is new, and takes the old one's place.
    /// Call it only for requests that have been verified.
    pub fn begin(&self, key: RequestKey, authenticator: &[u8; 16], now: Timestamp) -> Seen {
        self.with(&key, |shard| {
            shard.expire(now, self.life);
            match shard.entries.get(&key) {
                Some(entry) if entry.authenticator == *authenticator => {
                    return entry.reply.clone().map_or(Seen::InProgress, Seen::Answered);
                }
                Some(_) => {}
                None if shard.entries.len() >= self.capacity_per_shard => return Seen::Full,
                None => {}
            }
            shard.compact(self.capacity_per_shard);
            shard.entries.insert(key, Entry { authenticator: *authenticator, reply: None, since: now });
            shard.order.push_back((now, key));
            Seen::New
        })
        .unwrap_or(Seen::Full)
    }

    /// Remembers the reply. Its life begins now.
    pub fn answer(&self, key: RequestKey, authenticator: &[u8; 16], reply: Arc<[u8]>, now: Timestamp) {
        self.with(&key, |shard| {
            let Some(entry) = shard.entries.get_mut(&key) else { return };
            if entry.authenticator == *authenticator {
                entry.reply = Some(reply);
                if entry.since != now {
                    entry.since = now;
                    shard.order.push_back((now, key));
                }
            }
        });
    }

    /// Forgets a request that will not be answered, so that it can be tried
    /// again.
    pub fn forget(&self, key: RequestKey, authenticator: &[u8; 16]) {
        self.with(&key, |shard| {
            if shard.entries.get(&key).is_some_and(|e| e.authenticator == *authenticator) {
                shard.entries.remove(&key);
            }
        });
    }

    /// Forgets what is past its life.
    pub fn expire(&self, now: Timestamp) {
        for shard in &self.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).expire(now, self.life);
        }
    }

    /// How many requests are remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner).entries.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    /// Drops places in the queue whose requests were replaced or forgotten, when
    /// they have come to be most of it.
    fn compact(&mut self, capacity: usize) {
        if self.order.len() > capacity.saturating_mul(2) {
            let entries = &self.entries;
            self.order.retain(|(since, key)| entries.get(key).is_some_and(|entry| entry.since == *since));
        }
    }

    fn expire(&mut self, now: Timestamp, life: Duration) {
        while let Some((since, key)) = self.order.front().copied() {
            // What lies in the future was put there before the clock was set
            // back.
            if now.since(since) < life && since <= now + life {
                break;
            }
            self.order.pop_front();
            if self.entries.get(&key).is_some_and(|entry| entry.since == since) {
                self.entries.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(10);

    fn key(identifier: u32) -> RequestKey {
        RequestKey { origin: from(4000), code: 1, identifier }
    }

    fn from(port: u16) -> Origin {
        Origin::Datagram { source: SocketAddr::from(([192, 0, 2, 1], port)), listener: 0 }
    }

    #[test]
    fn a_duplicate_gets_the_same_octets() {
        let cache = DuplicateCache::new(1000, LIFE);
        let t = Timestamp::from_unix_secs(100);
        assert_eq!(cache.begin(key(1), &[1; 16], t), Seen::New);
        assert_eq!(cache.begin(key(1), &[1; 16], t), Seen::InProgress);
        let reply: Arc<[u8]> = Arc::from(&b"reply"[..]);
        cache.answer(key(1), &[1; 16], reply.clone(), t);
        assert_eq!(cache.begin(key(1), &[1; 16], t + LIFE / 2), Seen::Answered(reply));
        assert_eq!(cache.begin(key(1), &[2; 16], t + LIFE / 2), Seen::New, "another authenticator is another request");
        assert_eq!(cache.begin(key(2), &[1; 16], t), Seen::New);
        let of = |connection| RequestKey { origin: Origin::Connection(connection), ..key(1) };
        assert_eq!(cache.begin(of(1), &[1; 16], t), Seen::New);
        assert_eq!(cache.begin(of(2), &[1; 16], t), Seen::New, "another connection knows nothing of the first");
        assert_eq!(cache.begin(of(1), &[1; 16], t), Seen::InProgress);
    }

    #[test]
    fn replies_have_a_life_of_their_own() {
        let cache = DuplicateCache::new(1000, LIFE);
        let t = Timestamp::from_unix_secs(100);
        cache.begin(key(1), &[1; 16], t);
        let late = t + LIFE - Duration::from_secs(1);
        cache.answer(key(1), &[1; 16], Arc::from(&b"r"[..]), late);
        cache.expire(t + LIFE);
        assert_eq!(cache.len(), 1, "counted from the reply");
        cache.expire(late + LIFE);
        assert_eq!(cache.len(), 0);
        cache.begin(key(3), &[1; 16], t);
        cache.forget(key(3), &[1; 16]);
        assert_eq!(cache.begin(key(3), &[1; 16], t), Seen::New);
    }

    #[test]
    fn there_is_a_bound() {
        let cache = DuplicateCache::new(SHARDS, LIFE);
        let t = Timestamp::from_unix_secs(100);
        let mut full = 0;
        for port in 0..10_000u16 {
            let key = RequestKey { origin: from(port), ..key(1) };
            if cache.begin(key, &[1; 16], t) == Seen::Full {
                full += 1;
            }
        }
        assert!(cache.len() <= SHARDS && full > 9000, "{} {full}", cache.len());
    }
}
