//! EAP conversations in progress: bounded in number and in time, so that a
//! flood neither exhausts memory nor locks others out. When an address, or over TLS
//! a NAS, has used up its quota, its own oldest make room: half-open ones first, then any that
//! have not been granted. A login takes a fraction of a second, so that those
//! who flood crowd out one another.
//!
//! A conversation is named by its State attribute. While a worker advances one
//! it is out of the table, and its slot says so; a second packet for it that
//! arrives meanwhile is dropped as any other that is out of turn.

use super::Snapshot;
use super::record::Draft;
use super::request::RequestInfo;
use crate::audit::course::Course;
use crate::eap::server::Server;
use crate::eap::tls::Established;
use crate::ids::NasId;
use crate::time::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Conversations in all, whatever the NASes' quotas. One holds a TLS connection
/// and flights of a few KiB as a rule; 64 KiB at most in each direction.
pub const MAX_CONVERSATIONS: usize = 20_000;

/// The State attribute's value: random, so that nobody can guess another's.
pub type StateKey = [u8; 16];

/// Whose conversations are counted together, and who alone may go on with one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// Who sends from this address, by UDP.
    Address(IpAddr),
    /// The NAS, by whichever of its TLS connections.
    Nas(NasId),
}

/// One conversation.
#[derive(Debug)]
pub struct Conversation {
    /// Who began it.
    pub owner: Owner,
    /// Where the EAP machine stands.
    pub eap: Server,
    /// The attempt, as the first request described it.
    pub info: RequestInfo,
    /// The peer's Identity, in clear and unverified.
    pub outer_identity: String,
    /// When it began.
    pub started: Timestamp,
    /// What came and what was answered so far.
    pub course: Course,
    /// The decision, once it has been taken in its favour and while the last
    /// flight is on its way.
    pub granted: Option<Box<Granted>>,
}

/// A decision in favour, while the last flight is on its way.
#[derive(Debug)]
pub struct Granted {
    /// The record of it.
    pub draft: Draft,
    /// What the peer has proven, should the decision have to be taken again.
    pub established: Established,
    /// What it was decided by.
    pub snapshot: Arc<Snapshot>,
    /// When.
    pub at: Timestamp,
}

#[derive(Debug)]
struct Slot {
    /// `None` while a worker has it.
    conversation: Option<Box<Conversation>>,
    /// Only it may go on.
    owner: Owner,
    touched: Timestamp,
    phase: Phase,
}

/// How far a conversation has got, as far as making room goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No TLS data has come.
    HalfOpen,
    /// The handshake goes on.
    Handshake,
    /// Decided; only the last flight is on its way.
    Granted,
}

impl Phase {
    fn of(conversation: &Conversation) -> Phase {
        match (&conversation.granted, conversation.eap.is_half_open()) {
            (Some(_), _) => Phase::Granted,
            (None, true) => Phase::HalfOpen,
            (None, false) => Phase::Handshake,
        }
    }
}

/// The conversations of one owner.
#[derive(Default, Debug)]
struct PerNas {
    count: usize,
    /// Those that began half-open, oldest first. May name some that went on, or
    /// are gone.
    half_open: VecDeque<StateKey>,
    /// All, oldest first. May name some that are gone.
    all: VecDeque<StateKey>,
}

#[derive(Default, Debug)]
struct Table {
    slots: HashMap<StateKey, Slot>,
    per_nas: HashMap<Owner, PerNas>,
}

/// All conversations of this server.
#[derive(Debug)]
pub struct Conversations {
    table: Mutex<Table>,
    timeout: Duration,
}

/// A conversation cannot begin: there is no room, and none can be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

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

    /// Takes a new conversation in. Whether another had to make room for it.
    ///
    /// # Errors
    /// When there is no room.
    pub fn insert(&self, key: StateKey, conversation: Box<Conversation>, now: Timestamp) -> Result<bool, Refused> {
        let mut table = self.table();
        let owner = conversation.owner;
        let count = table.per_nas.get(&owner).map_or(0, |p| p.count);
        let crowded = if count >= conversation.info.nas.max_conversations {
            Some(owner)
        } else if table.slots.len() >= MAX_CONVERSATIONS {
            table.per_nas.iter().max_by_key(|(_, p)| p.count).map(|(owner, _)| *owner)
        } else {
            None
        };
        if let Some(crowded) = crowded
            && !table.make_room(&crowded)
        {
            return Err(Refused);
        }
        let per_nas = table.per_nas.entry(owner).or_default();
        per_nas.count += 1;
        let phase = Phase::of(&conversation);
        if phase == Phase::HalfOpen {
            per_nas.half_open.push_back(key);
        }
        per_nas.all.push_back(key);
        table.slots.insert(key, Slot { conversation: Some(conversation), owner, touched: now, phase });
        Ok(crowded.is_some())
    }

    /// Takes the conversation out to advance it. Only who began it finds it.
    pub fn take(&self, key: &StateKey, owner: Owner) -> Found {
        let mut table = self.table();
        match table.slots.get_mut(key) {
            Some(slot) if slot.owner == owner => match slot.conversation.take() {
                Some(conversation) => Found::Taken(conversation),
                None => Found::Busy,
            },
            _ => Found::Unknown,
        }
    }

    /// The NAS has sent the latest request of this conversation again, and gets the same answer.
    pub fn repeated(&self, key: &StateKey, owner: Owner) {
        if let Some(slot) = self.table().slots.get_mut(key)
            && slot.owner == owner
            && let Some(conversation) = &mut slot.conversation
        {
            conversation.course.repeated();
        }
    }

    /// Puts an advanced conversation back.
    pub fn put_back(&self, key: &StateKey, conversation: Box<Conversation>, now: Timestamp) {
        let mut table = self.table();
        if let Some(slot) = table.slots.get_mut(key) {
            slot.phase = Phase::of(&conversation);
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
        // What was touched in the future was so before the clock was set back.
        let silent = |touched: Timestamp| now.since(touched) >= self.timeout || touched > now + self.timeout;
        let expired: Vec<StateKey> =
            table.slots.iter().filter(|(_, slot)| silent(slot.touched)).map(|(key, _)| *key).collect();
        let gone = expired.iter().filter_map(|key| table.remove(key)).collect();
        let Table { slots, per_nas } = &mut *table;
        for entry in per_nas.values_mut() {
            entry.half_open.retain(|key| slots.get(key).is_some_and(|s| s.phase == Phase::HalfOpen));
            entry.all.retain(|key| slots.contains_key(key));
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
        if let Some(per_nas) = self.per_nas.get_mut(&slot.owner) {
            per_nas.count = per_nas.count.saturating_sub(1);
            if per_nas.count == 0 {
                self.per_nas.remove(&slot.owner);
            }
        }
        slot.conversation
    }

    /// Ends one conversation of this owner, if one can be ended. What the
    /// queues name in vain is dropped on the way, so that this takes little time
    /// however long they are.
    fn make_room(&mut self, owner: &Owner) -> bool {
        let Table { slots, per_nas } = &mut *self;
        let Some(entry) = per_nas.get_mut(owner) else { return false };
        let phase = |key: &StateKey| slots.get(key).map(|s| (s.phase, s.conversation.is_some()));
        let mut found = None;
        while let Some(key) = entry.half_open.pop_front() {
            if phase(&key) == Some((Phase::HalfOpen, true)) {
                found = Some(key);
                break;
            }
        }
        let mut spared = Vec::new();
        while found.is_none()
            && let Some(key) = entry.all.pop_front()
        {
            match phase(&key) {
                Some((Phase::HalfOpen | Phase::Handshake, true)) => found = Some(key),
                Some(_) => spared.push(key),
                None => {}
            }
        }
        spared.into_iter().rev().for_each(|key| entry.all.push_front(key));
        found.is_some_and(|key| self.remove(&key).is_some())
    }
}
