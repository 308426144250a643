//! All connections: how many there may be, and which are let in still.
//!
//! A place in the table is taken before a handshake begins. When all are taken, the
//! oldest handshake makes room: a real one lasts milliseconds, so that those who
//! connect and say nothing crowd out one another, and no open connection.

use super::connection::Outgoing;
use super::reverse::Pending;
use super::tls::{Refusal, Shaken};
use super::{Peer, Policy};
use crate::radius::radsec::Version;
use crate::telemetry::{Discard, Metrics};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use arc_swap::ArcSwap;
use rustls_pki_types::CertificateDer;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// How often the certificate of an open connection is judged again though nothing
/// has changed but the time: lists of revoked ones get out of date, and CAs expire.
const JUDGED_EVERY: Duration = Duration::from_secs(30);
/// Of the places, one in so many may be taken by handshakes.
const HANDSHAKES: usize = 2;

/// How a connection ends. A closed list, to be counted by.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// The peer closed it, or it broke.
    Peer,
    /// It was silent for too long.
    Idle,
    /// The server stops.
    Stopped,
    /// The peer was refused, or is to blame.
    Fault(Refusal),
}

impl Ending {
    /// The peer is to blame for this.
    pub(super) fn fault(reason: Discard, detail: impl Into<String>) -> Self {
        Ending::Fault(Refusal { reason, nas: None, detail: detail.into() })
    }

    fn code(&self) -> &'static str {
        match self {
            Ending::Peer => "peer",
            Ending::Idle => "idle",
            Ending::Stopped => "stopped",
            Ending::Fault(refusal) => refusal.reason.code(),
        }
    }
}

/// Ends a connection from outside.
pub(super) type Cut = oneshot::Receiver<Ending>;

/// What is known of an open connection.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub peer: Arc<Peer>,
    pub outgoing: mpsc::Sender<Outgoing>,
    pub pending: Arc<Pending>,
    /// The chain as it was presented.
    presented: Arc<[CertificateDer<'static>]>,
    /// When it is judged again.
    judge_at: Timestamp,
}

#[derive(Debug)]
struct Entry {
    source: SocketAddr,
    cut: Option<oneshot::Sender<Ending>>,
    /// `None` during the handshake.
    open: Option<Open>,
}

#[derive(Debug, Default)]
struct Table {
    /// By number, and so by age.
    all: BTreeMap<u64, Entry>,
    /// Those that began a handshake, oldest first. May name some that are open, or
    /// gone.
    handshakes: VecDeque<u64>,
    shaking: usize,
    /// Those that speak RADIUS/1.1.
    newer: usize,
    by_address: HashMap<IpAddr, usize>,
    by_nas: HashMap<String, Vec<u64>>,
    stopped: bool,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    policy: ArcSwap<Policy>,
    table: Mutex<Table>,
    next: AtomicU64,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<Clock>,
    stopping: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(policy: Arc<Policy>, metrics: Arc<Metrics>, clock: Arc<Clock>) -> Self {
        Self {
            policy: ArcSwap::new(policy),
            table: Mutex::default(),
            next: AtomicU64::new(1),
            metrics,
            clock,
            stopping: watch::Sender::new(false),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Takes a place for who connects from there, if there is one.
    pub(super) fn admit(self: &Arc<Self>, source: SocketAddr) -> Option<(Place, Cut)> {
        let limits = self.policy.load().limits;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (cut, receiver) = oneshot::channel();
        let mut table = self.table();
        let from_there = table.by_address.get(&source.ip()).copied().unwrap_or(0);
        let crowded = table.all.len() >= limits.connections || table.shaking >= limits.connections.div_ceil(HANDSHAKES);
        if table.stopped || from_there >= limits.per_address || (crowded && !table.make_room()) {
            drop(table);
            self.ended(None, source, &Ending::fault(Discard::RadsecLimit, "there is no place for it"));
            return None;
        }
        table.all.insert(number, Entry { source, cut: Some(cut), open: None });
        table.handshakes.push_back(number);
        table.shaking += 1;
        *table.by_address.entry(source.ip()).or_default() += 1;
        self.count(&table);
        drop(table);
        Some((Place { shared: self.clone(), number, source }, receiver))
    }

    fn count(&self, table: &Table) {
        self.metrics.set_connections("handshake", table.shaking);
        self.metrics.set_connections("radius_1_0", table.all.len().saturating_sub(table.shaking + table.newer));
        self.metrics.set_connections("radius_1_1", table.newer);
    }

    /// Counts the end of a connection, and says what its peer is to blame for.
    fn ended(&self, nas: Option<&str>, source: SocketAddr, ending: &Ending) {
        self.metrics.connection_ended(ending.code());
        if let Ending::Fault(Refusal { reason, nas: claimed, detail }) = ending {
            self.metrics.cut(nas.or(claimed.as_deref()), *reason, source.ip(), detail, self.clock.now());
        }
    }

    pub(super) fn replace(&self, policy: Arc<Policy>) {
        self.policy.store(policy);
        let mut table = self.table();
        for entry in table.all.values_mut() {
            if let Some(open) = &mut entry.open {
                open.judge_at = Timestamp::default();
            }
        }
        drop(table);
        self.sweep();
    }

    /// Cuts the connections that are not let in any more.
    pub(super) fn sweep(&self) {
        let (now, policy) = (self.clock.now(), self.policy());
        // Judging takes a while, for which others must not wait.
        let due: Vec<(u64, Open)> = {
            let mut table = self.table();
            let open = table.all.iter_mut().filter_map(|(number, entry)| Some((*number, entry.open.as_mut()?)));
            // What lies far ahead was set before the clock was set back.
            let due = open.filter(|(_, open)| now >= open.judge_at || open.judge_at > now + JUDGED_EVERY);
            due.map(|(number, open)| {
                open.judge_at = judged_again(&open.peer, now);
                (number, open.clone())
            })
            .collect()
        };
        for (number, open) in due {
            let Err(refusal) = judge(&policy, &open, now) else { continue };
            let cut = self.table().all.get_mut(&number).and_then(|entry| entry.cut.take());
            if let Some(cut) = cut {
                // Where nobody listens, it has ended by itself.
                let _ = cut.send(Ending::Fault(refusal));
            }
        }
    }

    pub(super) fn open(&self, nas: Option<&str>) -> Vec<Arc<Peer>> {
        let table = self.table();
        let peer = |entry: &Entry| entry.open.as_ref().map(|open| open.peer.clone());
        match nas {
            None => table.all.values().filter_map(peer).collect(),
            Some(nas) => {
                let numbers = table.by_nas.get(nas).into_iter().flatten();
                numbers.filter_map(|number| table.all.get(number).and_then(peer)).collect()
            }
        }
    }

    pub(super) fn is_connected(&self, nas: &str) -> bool {
        self.table().by_nas.contains_key(nas)
    }

    /// The connection that a NAS opened last, to send it a request.
    pub(super) fn latest(&self, nas: &str) -> Option<Open> {
        let table = self.table();
        let number = table.by_nas.get(nas)?.last()?;
        table.all.get(number)?.open.clone()
    }

    /// Becomes true when no more requests are to be taken.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    pub(super) fn end(&self) {
        self.stop();
        let mut table = self.table();
        table.stopped = true;
        for cut in table.all.values_mut().filter_map(|entry| entry.cut.take()) {
            let _ = cut.send(Ending::Stopped);
        }
    }
}

/// Whether an open connection would be let in now.
fn judge(policy: &Policy, open: &Open, now: Timestamp) -> Result<(), Refusal> {
    let peer = &open.peer;
    let admitted = policy.admit(&open.presented, peer.source.ip(), now).map_err(|(refusal, _)| refusal)?;
    let refused = |reason, detail| Err(Refusal { reason, nas: None, detail });
    if admitted.nas.name != peer.nas {
        return refused(Discard::RadsecUnknownNas, format!("its certificate is that of {} now", admitted.nas.name));
    }
    if !policy.speaks(&admitted.nas, peer.version) {
        return refused(Discard::RadsecVersion, format!("{} is not spoken with it any more", peer.version));
    }
    Ok(())
}

/// When the connection is judged again: soon after its certificate expires, at the
/// latest.
fn judged_again(peer: &Peer, now: Timestamp) -> Timestamp {
    // Its last second is part of its validity.
    let expired = peer.certificate.not_after + Duration::from_secs(1);
    (now + JUDGED_EVERY).min(expired.max(now))
}

impl Table {
    fn make_room(&mut self) -> bool {
        while let Some(number) = self.handshakes.pop_front() {
            if self.all.get(&number).is_some_and(|entry| entry.open.is_none()) {
                if let Some(cut) = self.remove(number).and_then(|entry| entry.cut) {
                    let _ = cut.send(Ending::fault(Discard::RadsecLimit, "it made room for newer ones"));
                }
                return true;
            }
        }
        false
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.all.remove(&number)?;
        if let Some(count) = self.by_address.get_mut(&entry.source.ip()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&entry.source.ip());
            }
        }
        match &entry.open {
            None => self.shaking = self.shaking.saturating_sub(1),
            Some(open) => {
                self.newer = self.newer.saturating_sub(usize::from(open.peer.version == Version::V1_1));
                if let Some(numbers) = self.by_nas.get_mut(&open.peer.nas) {
                    numbers.retain(|n| *n != number);
                    if numbers.is_empty() {
                        self.by_nas.remove(&open.peer.nas);
                    }
                }
            }
        }
        // Places of handshakes that are over must not fill the queue.
        if self.handshakes.len() > 2 * self.all.len() + 64 {
            let all = &self.all;
            self.handshakes.retain(|n| all.get(n).is_some_and(|entry| entry.open.is_none()));
        }
        Some(entry)
    }
}

/// A place in the table, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub shared: Arc<Shared>,
    pub number: u64,
    pub source: SocketAddr,
}

impl Place {
    /// The handshake is over: the NAS is connected. `None` when the connection has
    /// been cut meanwhile.
    pub(super) fn open(&self, shaken: &Shaken, outgoing: mpsc::Sender<Outgoing>) -> Option<Open> {
        let now = self.shared.clock.now();
        let peer = Arc::new(Peer {
            connection: self.number,
            source: self.source,
            nas: shaken.admitted.nas.name.clone(),
            since: now,
            version: shaken.version,
            tls: shaken.tls,
            cipher_suite: shaken.cipher_suite.clone(),
            certificate: shaken.admitted.chain.leaf.clone(),
            ca: shaken.admitted.chain.anchor.clone(),
        });
        let pending = Arc::new(Pending::new(shaken.version));
        // Judged at once: what it was let in by may have been replaced meanwhile.
        let judge_at = Timestamp::default();
        let open = Open { peer, outgoing, pending, presented: shaken.presented.clone().into(), judge_at };
        let mut table = self.shared.table();
        let entry = table.all.get_mut(&self.number)?;
        entry.open = Some(open.clone());
        table.shaking = table.shaking.saturating_sub(1);
        table.newer += usize::from(open.peer.version == Version::V1_1);
        table.by_nas.entry(open.peer.nas.clone()).or_default().push(self.number);
        self.shared.count(&table);
        drop(table);
        tracing::info!(
            nas = open.peer.nas,
            source = %self.source,
            version = open.peer.version.as_str(),
            tls = open.peer.tls,
            certificate = open.peer.certificate.subject,
            "a NAS has connected by TLS"
        );
        Some(open)
    }

    /// The connection has ended so.
    pub(super) fn end(self, ending: &Ending) {
        let nas =
            self.shared.table().remove(self.number).and_then(|entry| entry.open).map(|open| open.peer.nas.clone());
        self.shared.ended(nas.as_deref(), self.source, ending);
        if let Some(nas) = nas {
            tracing::info!(nas, source = %self.source, ending = ending.code(), "a NAS has disconnected");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.remove(self.number);
        self.shared.count(&table);
    }
}
