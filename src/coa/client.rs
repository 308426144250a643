//! All requests that are on their way, by NAS and Identifier.
//!
//! Datagrams and the time go in; answers, datagrams to send and the next
//! deadline come out. What carries them is `transport::coa`.

use super::exchange::{Answer, Ask, Elapsed, Jitter, NoAnswer, Pending, Sent, Timing};
use crate::radius::builder::PacketTooLong;
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long an Identifier is kept out of use after its request was given up, so
/// that a late answer is known as one, and never taken for that of another.
const LINGER: Duration = Duration::from_secs(60);
/// Requests on their way, and given up ones that are still known. Each holds a
/// packet, so that this is a few MiB; changes wait in their queue beyond it.
pub const MAX_REQUESTS: usize = 8_192;

/// A request that cannot be made now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// All 256 Identifiers of this NAS are in use.
    #[error("256 requests to this NAS are on their way")]
    NoIdentifier,
    /// Too many requests are on their way.
    #[error("{MAX_REQUESTS} requests are on their way")]
    Full,
    /// It does not fit a packet.
    #[error(transparent)]
    TooLong(#[from] PacketTooLong),
}

/// What a datagram was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received<T> {
    /// The answer to this request.
    Answered(T, Answer),
    /// The answer to a request that was given up.
    Late(T, Answer),
    /// Nothing that was asked for.
    Ignored(NoAnswer),
}

/// What the time brings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Due<T> {
    /// Send this again.
    Again(SocketAddr, Arc<[u8]>),
    /// This request got no answer; whether there were some whose authenticator does
    /// not fit.
    GaveUp(T, Mismatched),
}

/// Whether what looks like an answer came from the NAS's own address and port, with
/// an authenticator that does not fit: as a rule its secret is another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mismatched(pub bool);

#[derive(Debug)]
enum State {
    Waiting(Box<Pending>, Mismatched),
    GivenUp(Sent, Timestamp),
}

#[derive(Debug)]
struct Slot<T> {
    token: T,
    state: State,
}

impl<T> Slot<T> {
    fn due(&self) -> Timestamp {
        match &self.state {
            State::Waiting(pending, _) => pending.due(),
            State::GivenUp(_, until) => *until,
        }
    }
}

#[derive(Debug)]
struct Peer<T> {
    /// Where the search for a free Identifier begins: one is used again as late
    /// as can be.
    next: u8,
    slots: HashMap<u8, Slot<T>>,
}

/// All requests; `T` names one for who asked.
#[derive(Debug)]
pub struct Exchanges<T> {
    timing: Timing,
    peers: HashMap<SocketAddr, Peer<T>>,
    due: BTreeSet<(Timestamp, SocketAddr, u8)>,
    /// Where a NAS begins that is asked anew: not with what it was asked last.
    start: u8,
}

impl<T: Copy> Exchanges<T> {
    /// None yet; they will be repeated so.
    pub fn new(timing: Timing) -> Self {
        Self { timing, peers: HashMap::new(), due: BTreeSet::new(), start: 0 }
    }

    /// How many are known, given up ones included.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// Begins a request: the datagram to send.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn begin(
        &mut self,
        peer: SocketAddr,
        ask: &Ask,
        token: T,
        jitter: Jitter,
        now: Timestamp,
    ) -> Result<Arc<[u8]>, Refused> {
        if self.due.len() >= MAX_REQUESTS {
            return Err(Refused::Full);
        }
        let start = self.start;
        let at = self.peers.entry(peer).or_insert_with(|| Peer { next: start, slots: HashMap::new() });
        let free = (0..=u8::MAX).map(|n| at.next.wrapping_add(n)).find(|id| !at.slots.contains_key(id));
        let identifier = free.ok_or(Refused::NoIdentifier)?;
        let pending = match Pending::begin(ask, identifier, self.timing, jitter, now) {
            Ok(pending) => pending,
            Err(e) => {
                if at.slots.is_empty() {
                    self.peers.remove(&peer);
                }
                return Err(e.into());
            }
        };
        at.next = identifier.wrapping_add(1);
        self.start = at.next;
        let datagram = pending.sent().packet().clone();
        self.due.insert((pending.due(), peer, identifier));
        at.slots.insert(identifier, Slot { token, state: State::Waiting(Box::new(pending), Mismatched(false)) });
        Ok(datagram)
    }

    /// Takes in a datagram.
    pub fn receive(&mut self, peer: SocketAddr, datagram: &[u8]) -> Received<T> {
        let Some(identifier) = datagram.get(1).copied() else { return Received::Ignored(NoAnswer::Malformed) };
        let Some(slot) = self.peers.get_mut(&peer).and_then(|p| p.slots.get_mut(&identifier)) else {
            return Received::Ignored(NoAnswer::Unasked);
        };
        let (answer, late) = match &slot.state {
            State::Waiting(pending, _) => (pending.sent().answer(datagram), false),
            State::GivenUp(sent, _) => (sent.answer(datagram), true),
        };
        match answer {
            Ok(answer) => {
                let (token, due) = (slot.token, slot.due());
                self.remove(due, peer, identifier);
                if late { Received::Late(token, answer) } else { Received::Answered(token, answer) }
            }
            Err(why) => {
                if let (NoAnswer::WrongAuthenticator, State::Waiting(_, mismatched)) = (why, &mut slot.state) {
                    mismatched.0 = true;
                }
                Received::Ignored(why)
            }
        }
    }

    /// When [`elapse`](Self::elapse) is to be called next.
    pub fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, ..)| *at)
    }

    /// Does what is due.
    pub fn elapse(&mut self, mut jitter: impl FnMut() -> Jitter, now: Timestamp) -> Vec<Due<T>> {
        let mut out = Vec::new();
        while let Some((at, peer, identifier)) = self.due.first().copied().filter(|(at, ..)| *at <= now) {
            let Some(Slot { token, state }) = self.remove(at, peer, identifier) else { continue };
            let state = match state {
                State::GivenUp(..) => continue,
                State::Waiting(pending, mismatched) => match pending.elapsed(jitter(), now) {
                    Elapsed::Again(pending) => {
                        out.push(Due::Again(peer, pending.sent().packet().clone()));
                        State::Waiting(Box::new(pending), mismatched)
                    }
                    Elapsed::GaveUp(sent) => {
                        out.push(Due::GaveUp(token, mismatched));
                        State::GivenUp(sent, now + LINGER)
                    }
                },
            };
            let slot = Slot { token, state };
            self.due.insert((slot.due(), peer, identifier));
            let at = self
                .peers
                .entry(peer)
                .or_insert_with(|| Peer { next: identifier.wrapping_add(1), slots: HashMap::new() });
            at.slots.insert(identifier, slot);
        }
        out
    }

    fn remove(&mut self, due: Timestamp, peer: SocketAddr, identifier: u8) -> Option<Slot<T>> {
        self.due.remove(&(due, peer, identifier));
        let at = self.peers.get_mut(&peer)?;
        let slot = at.slots.remove(&identifier);
        // A NAS of which nothing is awaited is forgotten.
        if at.slots.is_empty() {
            self.peers.remove(&peer);
        }
        slot
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
