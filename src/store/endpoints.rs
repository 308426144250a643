//! What was seen of endpoints, written with the records that tell it.
//!
//! The writer's task keeps those that were met lately in memory, so that normally
//! a contact needs no read. One that brings nothing new moves only the time of the
//! latest contact; the times within its history are written when something
//! else is, or now and then ([`REFRESH`]).

mod bound;

use super::db::{Arg, Kind, Sql, Tx, chunks};
use super::endpoints_read::endpoint_of_row;
use super::records::text;
use super::{StoreError, signals};
use crate::ids::{EndpointId, IdentityId};
use crate::inventory::endpoint::{Endpoint, MAX_MACS};
use crate::inventory::mac::MacAddress;
use crate::inventory::observation::{EndpointKey, Observation, Origin};
use crate::signals::kind::Finding;
use crate::signals::signal::{About, Signal};
use crate::time::Timestamp;
use crate::webhooks::message::Message;
use bound::{MAX_STORED, Rows};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// Endpoints kept in memory, of one to four KiB each. Beyond it all are forgotten
/// and read again as they come, which costs a read for each batch for a while.
const MAX_CACHED: usize = 16_384;
/// Others with the same MAC address that a contact is compared with: the latest.
/// A randomised address has an endpoint for each login.
const MAX_PEERS: usize = 8;
/// How old the times within a stored history may be.
const REFRESH: Duration = Duration::from_secs(600);

const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Text, Int, Int, Int, Int, Int, Text, Text, Text]
};

/// The endpoints that were met lately.
#[derive(Debug)]
pub(super) struct Endpoints {
    known: HashMap<EndpointId, Known>,
    by_key: HashMap<EndpointKey, EndpointId>,
    /// Of the addresses here all endpoints are known, the latest [`MAX_PEERS`].
    by_mac: HashMap<MacAddress, Vec<EndpointId>>,
    /// How many there are in the database, once they were counted.
    stored: Option<Rows>,
    /// Endpoints of each sort, and signals, at most: [`MAX_STORED`].
    most: i64,
    /// Signals that were written since they were taken from here.
    told: Vec<Signal>,
}

#[derive(Debug)]
struct Known {
    endpoint: Endpoint,
    /// The latest contact when all of it was written.
    written: Option<Timestamp>,
}

/// What a batch has to write.
#[derive(Debug, Default)]
struct Changes {
    /// All of it.
    full: HashSet<EndpointId>,
    /// Only the time of the latest contact.
    touched: HashSet<EndpointId>,
    signals: Vec<Signal>,
    /// Of all, those that the database has not yet.
    new: Vec<EndpointId>,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self::bounded(MAX_STORED)
    }
}

impl Endpoints {
    /// None yet, and at most so many rows of each sort in the database.
    fn bounded(most: i64) -> Self {
        Self {
            known: HashMap::new(),
            by_key: HashMap::new(),
            by_mac: HashMap::new(),
            stored: None,
            most,
            told: Vec::new(),
        }
    }

    /// Takes in contacts and writes what follows. When this fails, or what it is
    /// a part of, call [`Endpoints::forget`]: memory is ahead of the database then.
    /// Gives what there is to tell of it.
    pub(super) async fn observe(&mut self, tx: &mut Tx, contacts: &[Observation]) -> Result<Vec<Message>, StoreError> {
        if self.known.len() > MAX_CACHED {
            *self = Self { stored: self.stored, ..Self::bounded(self.most) };
        }
        let stored = match self.stored {
            Some(stored) => stored,
            None => Rows::count(tx).await?,
        };
        self.load(tx, contacts).await?;
        let mut changes = Changes::default();
        for contact in contacts {
            self.take_in(contact, &mut changes);
        }
        changes.touched.retain(|id| !changes.full.contains(id));
        let told = self.save(tx, &changes).await?;
        self.told.extend(changes.signals.iter().cloned());
        let mut added = Rows { signals: changes.signals.len() as i64, ..Rows::default() };
        for endpoint in changes.new.iter().filter_map(|id| self.known.get(id)) {
            *added.endpoints(endpoint.endpoint.key.is_ephemeral()) += 1;
        }
        self.stored = Some(self.make_room(tx, stored, added).await?);
        Ok(told)
    }

    /// The signals that were written by [`Endpoints::observe`]: once the transaction is there.
    pub(super) fn take_told(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.told)
    }

    /// Forgets what is in memory.
    pub(super) fn forget(&mut self) {
        *self = Self::bounded(self.most);
    }

    /// Reads those that the contacts may be about.
    async fn load(&mut self, tx: &mut Tx, contacts: &[Observation]) -> Result<(), StoreError> {
        // A login that nothing identifies is new; it cannot have been met.
        let may_be_known = |o: &&Observation| !(o.key().is_ephemeral() && matches!(o.origin, Origin::Login { .. }));
        let keys: HashSet<EndpointKey> = contacts.iter().filter(may_be_known).map(Observation::key).collect();
        let keys: Vec<String> = keys.iter().filter(|k| !self.by_key.contains_key(k)).map(ToString::to_string).collect();
        let macs: HashSet<MacAddress> = contacts.iter().filter_map(|o| o.mac).collect();
        let macs: Vec<MacAddress> = macs.into_iter().filter(|mac| !self.by_mac.contains_key(mac)).collect();
        let keys = keys.into_iter().map(Arg::from).collect();
        for chunk in chunks(keys, tx.rows_at_once()) {
            let sql = Sql::new("SELECT * FROM endpoint WHERE key IN (").rows(&[Kind::Text], chunk).then(")");
            self.read(tx, sql).await?;
        }
        let asked = macs.iter().map(|mac| mac.to_string().into()).collect();
        for mac in macs {
            self.by_mac.insert(mac, Vec::new());
        }
        for chunk in chunks(asked, tx.rows_at_once()) {
            for id in self.read(tx, peers(chunk)).await? {
                let macs = self.known.get(&id).map(|k| k.endpoint.details.macs.clone());
                macs.into_iter().flatten().for_each(|mac| self.index_mac(mac, id));
            }
        }
        Ok(())
    }

    /// Whose rows these are. What is in memory is newer than the row, and stays.
    async fn read(&mut self, tx: &mut Tx, sql: Sql) -> Result<Vec<EndpointId>, StoreError> {
        let mut ids = Vec::new();
        for row in tx.fetch(sql).await? {
            match endpoint_of_row(&row) {
                Ok(endpoint) => {
                    let id = endpoint.id;
                    ids.push(id);
                    if !self.known.contains_key(&id) {
                        self.by_key.insert(endpoint.key.clone(), id);
                        self.known.insert(id, Known { written: Some(endpoint.last_at), endpoint });
                    }
                }
                // It is only what was seen: better lost than in the way of a login.
                Err(error) => {
                    tracing::warn!(%error, "an endpoint is forgotten");
                    let sql = Sql::new("DELETE FROM endpoint WHERE id = ?").bind(row.blob("id")?);
                    tx.execute(sql).await?;
                }
            }
        }
        Ok(ids)
    }

    fn index_mac(&mut self, mac: MacAddress, id: EndpointId) {
        let Some(ids) = self.by_mac.get_mut(&mac) else { return };
        if let Err(at) = ids.binary_search(&id) {
            ids.insert(at, id);
            if ids.len() > MAX_PEERS {
                ids.remove(0);
            }
        }
    }

    /// Whose contact it is; a new endpoint's if nobody's.
    fn meet(&mut self, contact: &Observation) -> EndpointId {
        let peers = || contact.mac.and_then(|mac| self.by_mac.get(&mac)).into_iter().flatten().rev();
        // One that was deleted may still stand at an address that it had long ago.
        let peers = || peers().filter(|id| self.known.contains_key(id));
        let peer = |id: &EndpointId| self.known.get(id).map(|k| &k.endpoint);
        let key = contact.key();
        let by_key = || self.by_key.get(&key);
        let known = match &contact.origin {
            // Accounting proves nothing: it belongs to the login that it names, or else
            // to whoever had the address last.
            Origin::Session { decision, .. } => peers()
                .find(|id| peer(id).zip(*decision).is_some_and(|(e, d)| e.has_login(d)))
                .or_else(|| by_key().filter(|_| key.is_ephemeral()))
                .or_else(|| peers().max_by_key(|id| peer(id).map(|e| e.last_at)))
                .or_else(by_key),
            Origin::Login { .. } => {
                by_key().or_else(|| peers().find(|id| peer(id).is_some_and(|e| e.is_renewed_by(contact))))
            }
        };
        known.copied().unwrap_or_else(|| {
            let endpoint = Endpoint::new(EndpointId::new(contact.at), contact);
            let id = endpoint.id;
            self.by_key.insert(endpoint.key.clone(), id);
            self.known.insert(id, Known { endpoint, written: None });
            id
        })
    }

    fn take_in(&mut self, contact: &Observation, changes: &mut Changes) {
        let id = self.meet(contact);
        // Out of the map while others are looked at.
        let Some(mut known) = self.known.remove(&id) else { return };
        let peers = contact.mac.and_then(|mac| self.by_mac.get(&mac)).into_iter().flatten();
        let peers: Vec<&Endpoint> = peers.filter_map(|id| self.known.get(id)).map(|k| &k.endpoint).collect();
        let old_key = known.endpoint.key.clone();
        let merged = known.endpoint.merge(contact, &peers);
        let identity = known.endpoint.details.identity.as_ref().map(|identity| identity.id);
        let stale = known
            .written
            .is_none_or(|at| known.endpoint.last_at.since(at) >= REFRESH || day(known.endpoint.last_at) != day(at));
        if merged.changed || stale {
            if known.written.is_none() {
                changes.new.push(id);
            }
            known.written = Some(known.endpoint.last_at);
            changes.full.insert(id);
        } else {
            changes.touched.insert(id);
        }
        if known.endpoint.key != old_key {
            self.by_key.remove(&old_key);
            self.by_key.insert(known.endpoint.key.clone(), id);
        }
        self.known.insert(id, known);
        changes.signals.extend(merged.findings.into_iter().map(|finding| signal(id, identity, contact, finding)));
        if let Some(mac) = contact.mac {
            self.index_mac(mac, id);
        }
    }

    async fn save(&self, tx: &mut Tx, changes: &Changes) -> Result<Vec<Message>, StoreError> {
        let of = |ids: &HashSet<EndpointId>| -> Vec<&Endpoint> {
            let mut ids: Vec<&EndpointId> = ids.iter().collect();
            ids.sort_unstable();
            ids.into_iter().filter_map(|id| self.known.get(id)).map(|k| &k.endpoint).collect()
        };
        let (full, touched) = (of(&changes.full), of(&changes.touched));
        save_full(tx, &full).await?;
        let seen = touched.iter().flat_map(|e| [e.id.as_bytes().into(), e.last_at.into()]).collect();
        for chunk in chunks(seen, tx.rows_at_once() * 2) {
            let sql = Sql::new("WITH seen (id, at_us) AS (").rows(&[Kind::Blob, Kind::Int], chunk);
            let set = ") UPDATE endpoint SET last_us = seen.at_us FROM seen WHERE endpoint.id = seen.id";
            tx.execute(sql.then(set)).await?;
        }
        let mut rows = Vec::with_capacity(changes.signals.len() * signals::KINDS.len());
        for signal in &changes.signals {
            rows.extend(signals::values(signal)?);
        }
        tx.insert(signals::COLUMNS, signals::KINDS, rows, "").await?;
        Ok(changes.signals.iter().map(Message::of_signal).collect())
    }
}

/// The latest [`MAX_PEERS`] endpoints of each of some addresses. It steps back
/// along the primary key of `endpoint_mac`, so that an address with a login for
/// each of a million endpoints costs no more than another.
fn peers(macs: Vec<Arg>) -> Sql {
    const LEAST: &str = "), least (mac, id) AS (SELECT mac, COALESCE((SELECT endpoint_id FROM endpoint_mac \
                         WHERE endpoint_mac.mac = asked.mac ORDER BY endpoint_id DESC LIMIT 1 OFFSET ?), ?) FROM asked) \
                         SELECT endpoint.* FROM least JOIN endpoint_mac ON endpoint_mac.mac = least.mac \
                         AND endpoint_mac.endpoint_id >= least.id JOIN endpoint ON endpoint.id = endpoint_mac.endpoint_id";
    let sql = Sql::new("WITH asked (mac) AS (").rows(&[Kind::Text], macs).then(LEAST);
    sql.bind(MAX_PEERS as i64 - 1).bind(Vec::new())
}

/// UTC days since 1970.
fn day(at: Timestamp) -> i64 {
    const SECS: i64 = 24 * 3600;
    at.unix_secs().div_euclid(SECS)
}

/// The signal that a contact gave.
fn signal(endpoint: EndpointId, identity: Option<IdentityId>, contact: &Observation, finding: Finding) -> Signal {
    let about = About { endpoint: Some(endpoint), identity, mac: contact.mac, ..About::default() };
    Signal::found(about, contact.at, finding)
}

async fn save_full(tx: &mut Tx, all: &[&Endpoint]) -> Result<(), StoreError> {
    let mut values: Vec<Arg> = Vec::with_capacity(all.len() * KINDS.len());
    for e in all {
        values.extend([
            e.id.as_bytes().into(),
            e.key.to_string().into(),
            e.key.is_ephemeral().into(),
            e.first_at.into(),
            e.last_at.into(),
            day(e.last_at).into(),
            e.is_randomized().into(),
            e.vendor().into(),
            e.details.fingerprint.category.map(|c| c.value.code()).into(),
            text("endpoint", &e.details)?.into(),
        ]);
    }
    let into = "endpoint (id, key, ephemeral, first_us, last_us, last_day, randomized, vendor, category, details)";
    let tail = "ON CONFLICT (id) DO UPDATE SET key = excluded.key, first_us = excluded.first_us, \
                last_us = excluded.last_us, last_day = excluded.last_day, randomized = excluded.randomized, \
                vendor = excluded.vendor, category = excluded.category, details = excluded.details";
    tx.insert(into, KINDS, values, tail).await?;
    // One that has had many addresses leaves the oldest behind.
    for e in all.iter().filter(|e| e.details.macs.len() == MAX_MACS) {
        tx.execute(Sql::new("DELETE FROM endpoint_mac WHERE endpoint_id = ?").bind(e.id.as_bytes())).await?;
    }
    let macs = all.iter().flat_map(|e| e.details.macs.iter().map(|mac| (mac.to_string(), e.id)));
    link(tx, "endpoint_mac (mac, endpoint_id)", macs.collect()).await?;
    let places = all.iter().flat_map(|e| e.details.places.iter().map(|place| (place.nas.clone(), e.id)));
    link(tx, "endpoint_place (nas_name, endpoint_id)", places.collect()).await
}

/// What endpoints are found by, besides their key.
async fn link(tx: &mut Tx, table: &str, links: BTreeSet<(String, EndpointId)>) -> Result<(), StoreError> {
    let values = links.into_iter().flat_map(|(from, to)| [from.into(), to.as_bytes().into()]).collect();
    tx.insert(table, &[Kind::Text, Kind::Blob], values, "ON CONFLICT DO NOTHING").await.map(drop)
}

#[cfg(test)]
#[path = "endpoints_tests.rs"]
mod tests;
