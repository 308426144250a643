//! EAP conversations in progress: bounded in number and in time, so that a
//! flood neither exhausts memory nor locks others out.
//!
//! A conversation is named by its State attribute. While a worker advances one
//! it is out of the table, and its slot says so; a second packet for it that
//! arrives meanwhile is dropped as any other that is out of turn.

use super::record::Draft;
use super::request::RequestInfo;
use crate::eap::server::Server;
use crate::time::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Conversations in all, whatever the NASes' quotas. One holds a TLS
/// connection and flights of a few KiB, so this bounds memory to about 1 GiB.
pub const MAX_CONVERSATIONS: usize = 20_000;

/// The State attribute's value: random, so that nobody can guess another's.
pub type StateKey = [u8; 16];

/// One conversation.
#[derive(Debug)]
pub struct Conversation {
    /// Where the EAP machine stands.
    pub eap: Server,
    /// The attempt, as the first request described it.
    pub info: RequestInfo,
    /// The peer's Identity, in clear and unverified.
    pub outer_identity: String,
    /// When it began.
    pub started: Timestamp,
    /// The decision, once it has been taken in its favour and while the last
    /// flight is on its way.
    pub granted: Option<Box<Draft>>,
}

#[derive(Debug)]
struct Slot {
    /// `None` while a worker has it.
    conversation: Option<Box<Conversation>>,
    nas: String,
    touched: Timestamp,
    half_open: bool,
}

#[derive(Default, Debug)]
struct PerNas {
    count: usize,
    /// Half-open conversations, oldest first. May name some that are gone.
    half_open: VecDeque<StateKey>,
}

#[derive(Default, Debug)]
struct Table {
    slots: HashMap<StateKey, Slot>,
    per_nas: HashMap<String, PerNas>,
}

/// All conversations of this server.
#[derive(Debug)]
pub struct Conversations {
    table: Mutex<Table>,
    timeout: Duration,
}

/// Why a conversation cannot begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The NAS has as many as it may, none of them half-open.
    NasQuota,
    /// The server has as many as it can hold.
    TableFull,
}

/// What the table knows under a State.
#[derive(Debug)]
pub enum Found {
    /// It is yours until you put it back or drop it.
    Taken(Box<Conversation>),
    /// A worker is advancing it.
    Busy,
    /// Not one of ours, or over, or of another NAS.
    Unknown,
}

impl Conversations {
    /// An empty table whose conversations end after `timeout` of silence.
    pub fn new(timeout: Duration) -> Self {
        Self { table: Mutex::default(), timeout }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new conversation in. When its NAS has used up its quota, the
    /// oldest one there that has not sent any TLS data makes room and is
    /// handed back: those who flood crowd out one another.
    ///
    /// # Errors
    /// When there is no room.
    pub fn insert(
        &self,
        key: StateKey,
        conversation: Box<Conversation>,
        now: Timestamp,
    ) -> Result<Option<Box<Conversation>>, Refused> {
        let mut table = self.table();
        let nas = &conversation.info.nas;
        let quota = nas.max_conversations;
        let count = table.per_nas.get(&nas.name).map_or(0, |p| p.count);
        let full = table.slots.len() >= MAX_CONVERSATIONS;
        let mut evicted = None;
        if count >= quota || full {
            let name = nas.name.clone();
            evicted = table.evict_half_open(&name);
            if evicted.is_none() {
                return Err(if full { Refused::TableFull } else { Refused::NasQuota });
            }
        }
        let name = nas.name.clone();
        let half_open = conversation.eap.is_half_open();
        let per_nas = table.per_nas.entry(name.clone()).or_default();
        per_nas.count += 1;
        if half_open {
            per_nas.half_open.push_back(key);
        }
        table.slots.insert(key, Slot { conversation: Some(conversation), nas: name, touched: now, half_open });
        Ok(evicted.flatten())
    }

    /// Takes the conversation out to advance it. Only its own NAS finds it.
    pub fn take(&self, key: &StateKey, nas: &str) -> Found {
        let mut table = self.table();
        match table.slots.get_mut(key) {
            Some(slot) if slot.nas == nas => match slot.conversation.take() {
                Some(conversation) => Found::Taken(conversation),
                None => Found::Busy,
            },
            _ => Found::Unknown,
        }
    }

    /// Puts an advanced conversation back.
    pub fn put_back(&self, key: &StateKey, conversation: Box<Conversation>, now: Timestamp) {
        let mut table = self.table();
        if let Some(slot) = table.slots.get_mut(key) {
            slot.half_open = conversation.eap.is_half_open();
            slot.conversation = Some(conversation);
            slot.touched = now;
        }
    }

    /// Forgets a conversation that has ended.
    pub fn remove(&self, key: &StateKey) {
        self.table().remove(key);
    }

    /// Takes out those that have been silent for too long.
    pub fn expire(&self, now: Timestamp) -> Vec<Box<Conversation>> {
        let mut table = self.table();
        let expired: Vec<StateKey> = table
            .slots
            .iter()
            .filter(|(_, slot)| slot.conversation.is_some() && now.since(slot.touched) >= self.timeout)
            .map(|(key, _)| *key)
            .collect();
        let gone = expired.iter().filter_map(|key| table.remove(key)).collect();
        let Table { slots, per_nas } = &mut *table;
        for entry in per_nas.values_mut() {
            entry.half_open.retain(|key| slots.get(key).is_some_and(|slot| slot.half_open));
        }
        gone
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table().slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    fn remove(&mut self, key: &StateKey) -> Option<Box<Conversation>> {
        let slot = self.slots.remove(key)?;
        if let Some(per_nas) = self.per_nas.get_mut(&slot.nas) {
            per_nas.count = per_nas.count.saturating_sub(1);
            if per_nas.count == 0 {
                self.per_nas.remove(&slot.nas);
            }
        }
        slot.conversation
    }

    /// `Some` when room was made; within, the conversation that went.
    fn evict_half_open(&mut self, nas: &str) -> Option<Option<Box<Conversation>>> {
        while let Some(key) = self.per_nas.get_mut(nas)?.half_open.pop_front() {
            let evictable = self.slots.get(&key).is_some_and(|s| s.half_open && s.conversation.is_some());
            if evictable {
                return Some(self.remove(&key));
            }
        }
        None
    }
}
