//! Sessions: written as they change, found by what the NAS calls them, by who has
//! them and by when.

use super::db::{Arg, Kind, Row, Sql, Tx};
use super::partition::{Family, Partition};
use super::read::{LOOKS, MAX_PAGE, Order, Page, named, walked};
use super::records::{began, text};
use super::walk::{Segment, Walk};
use super::{Store, StoreError};
use crate::audit::decision::Decision;
use crate::ids::{DecisionId, SessionId};
use crate::session::live::{LINGER, LiveSessions};
use crate::session::state::{MAY_GO_ON, Session, SessionDetails, SessionKey, SessionState};
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// How far back a record may reach for its session: a NAS that could not reach us
/// for a month may still deliver what it kept.
const REACH: Duration = Duration::from_secs(5 * 7 * 24 * 3600);
/// How long before one session of a stay another may have begun that is not in memory.
const STAY: Duration = Duration::from_secs(48 * 3600);
/// Restarts of each of the two latest weeks that are read at the start.
const MAX_RESTARTS: i64 = 65_536;
/// What an id tells of the time, so that a session's own is within it.
const ALONE: Duration = Duration::from_millis(1);
/// Octets of a key's digest: enough that two are never the same.
const KEY_LEN: usize = 16;
/// Sessions that are looked at when it is asked who had an address: one that has
/// been had by more since then has been had by somebody else.
const MAX_HOLDERS: i64 = 32;

const COLUMNS: &str = "(id, stay_id, key, reuse, nas_name, device, acct_session_id, station, state, started_us, \
                       last_us, ended_us, mac, identity_name, user_name, nas_port, decision_id, input_octets, \
                       output_octets, profile, ssid, vlan, details)";
const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[
        Blob, Blob, Blob, Int, Text, Text, Text, Text, Text, Int, Int, Int, Text, Text, Text, Text, Blob, Int, Int,
        Text, Text, Text, Text,
    ]
};
/// Of what may change, all.
const UPDATE: &str = "ON CONFLICT (id) DO UPDATE SET stay_id = excluded.stay_id, key = excluded.key, \
                      reuse = excluded.reuse, device = excluded.device, station = excluded.station, \
                      acct_session_id = excluded.acct_session_id, state = excluded.state, \
                      started_us = excluded.started_us, last_us = excluded.last_us, ended_us = excluded.ended_us, \
                      mac = excluded.mac, identity_name = excluded.identity_name, user_name = excluded.user_name, \
                      nas_port = excluded.nas_port, decision_id = excluded.decision_id, \
                      input_octets = excluded.input_octets, output_octets = excluded.output_octets, \
                      profile = excluded.profile, ssid = excluded.ssid, vlan = excluded.vlan, \
                      details = excluded.details";
const ADDRESS_KINDS: &[Kind] = &[Kind::Text, Kind::Int, Kind::Blob];

/// What a key is found by: its parts are of any length.
fn digest_of(key: &SessionKey) -> Vec<u8> {
    let mut all = Vec::with_capacity(128);
    for part in [&key.nas_name, &key.device, &key.acct_session_id, &key.station] {
        all.extend_from_slice(&(part.len() as u64).to_be_bytes());
        all.extend_from_slice(part.as_bytes());
    }
    digest(&SHA256, &all).as_ref().iter().copied().take(KEY_LEN).collect()
}

fn values(s: &Session, out: &mut Vec<Arg>) -> Result<(), StoreError> {
    out.extend([
        s.id.as_bytes().into(),
        s.stay.as_bytes().into(),
        digest_of(&s.key).into(),
        s.reuse.into(),
        s.key.nas_name.as_str().into(),
        s.key.device.as_str().into(),
        s.key.acct_session_id.as_str().into(),
        s.key.station.as_str().into(),
        s.state().code().into(),
        s.started_at().into(),
        s.last_at.into(),
        s.stopped_at().into(),
        s.mac().into(),
        s.identity().into(),
        s.user_name().into(),
        s.nas_port().into(),
        Arg::Blob(s.decision().map(|d| d.as_bytes().to_vec())),
        s.counters().input_octets().into(),
        s.counters().output_octets().into(),
        s.profile().into(),
        s.ssid().into(),
        s.vlan().into(),
        text("session", &s.details)?.into(),
    ]);
    Ok(())
}

/// Which sessions. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Where they stand.
    pub state: Option<SessionState>,
    /// Whether they go on.
    pub live: Option<bool>,
    /// Those that go on, or that nobody said have ended and that were heard of since.
    pub may_go_on: Option<Timestamp>,
    /// At one of these NASes, by their names.
    pub nas: Option<Vec<String>>,
    /// The MAC address in the normal spelling.
    pub mac: Option<String>,
    /// An IP address that it had, in its usual spelling.
    pub ip: Option<String>,
    /// The identity's name.
    pub identity: Option<String>,
    /// User-Name.
    pub user: Option<String>,
    /// The profile that it was let in with.
    pub profile: Option<String>,
    /// The wireless network.
    pub ssid: Option<String>,
    /// The VLAN that was granted, as the NAS was told it.
    pub vlan: Option<String>,
    /// The first session of their stay.
    pub stay: Option<SessionId>,
    /// First heard of at this time or later.
    pub since: Option<Timestamp>,
    /// First heard of before this time.
    pub until: Option<Timestamp>,
    /// Which end the list begins with.
    pub order: Order,
}

impl SessionFilter {
    /// What an index knows of it within a week's tables, and what none does.
    fn parted(&self, week: &Partition) -> (Sql, Sql) {
        let live = self.live.or(self.state.filter(|state| state.is_live()).map(|_| true));
        let ip = self.ip.as_deref().map(|ip| {
            let ids = format!(" AND id IN (SELECT session_id FROM {} WHERE address = ?)", week.addresses());
            Sql::new(ids).bind(ip)
        });
        let equal = |text: &str, value: Option<&str>| value.map(|value| Sql::default().narrow(text, Some(value)));
        let on = (live == Some(true) || self.may_go_on.is_some()).then(|| Sql::new(" AND state <> 'stopped'"));
        let one_nas = self.nas.as_deref().filter(|names| names.len() == 1).map(|names| named("nas_name", names));
        // Together they have an index of their own.
        let (one_nas, on) = match (one_nas, on) {
            (Some(nas), Some(on)) => (Some(nas.join(&on)), None),
            apart => apart,
        };
        let indexed = [
            ip,
            equal("mac =", self.mac.as_deref()),
            equal("identity_name =", self.identity.as_deref()),
            equal("user_name =", self.user.as_deref()),
            one_nas,
            on,
        ];
        let (mut lead, mut rest) = (Sql::default(), Sql::default());
        for condition in indexed.into_iter().flatten() {
            if lead.is_empty() { lead = condition } else { rest = rest.join(&condition) }
        }
        let some_nas = self.nas.as_deref().filter(|names| names.len() != 1).map(|names| named("nas_name", names));
        let ended = live.map(|live| Sql::new(if live { " AND ended_us IS NULL" } else { " AND ended_us IS NOT NULL" }));
        let may_go_on = self.may_go_on.map(|since| Sql::new(" AND (ended_us IS NULL OR last_us > ?)").bind(since));
        let looked_at = [
            equal("state =", self.state.map(SessionState::code)),
            some_nas,
            equal("profile =", self.profile.as_deref()),
            equal("ssid =", self.ssid.as_deref()),
            equal("vlan =", self.vlan.as_deref()),
            self.stay.map(|id| Sql::default().narrow("stay_id =", Some(id.as_bytes().as_slice()))),
            ended,
            may_go_on,
        ];
        (lead, looked_at.into_iter().flatten().fold(rest, |rest, sql| rest.join(&sql)))
    }
}

/// Whose sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// Everybody's.
    All,
    /// Those of an identity, by name.
    Identity(&'a str),
    /// Those of a MAC address, in the normal spelling.
    Mac(&'a str),
}

/// What somebody had at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// An IP address, in its usual spelling.
    Ip(String),
    /// A MAC address in the normal spelling.
    Mac(String),
    /// A port of a NAS, by their names.
    Port {
        /// The NAS.
        nas: String,
        /// NAS-Port-Id, or else NAS-Port.
        port: String,
    },
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Held::Ip(text) | Held::Mac(text) => f.write_str(text),
            Held::Port { nas, port } => write!(f, "port {port} of {nas}"),
        }
    }
}

impl Store {
    /// Writes sessions as they are now. Their tables must be there.
    pub(super) async fn save_sessions(&self, tx: &mut Tx, all: &[Session]) -> Result<(), StoreError> {
        let (mut rows, mut addresses) = (BTreeMap::new(), BTreeMap::new());
        for session in all {
            let missing = || StoreError::Unreadable { table: "partitions", what: format!("none for {}", session.id) };
            let partition = self.partitions.at(Family::Session, began(session)).ok_or_else(missing)?;
            values(session, rows.entry(partition.table()).or_insert_with(Vec::new))?;
            for place in session.addresses() {
                let values: &mut Vec<Arg> = addresses.entry(partition.addresses()).or_default();
                values.extend([place.value.as_str().into(), place.first_us.into(), session.id.as_bytes().into()]);
            }
        }
        for (table, values) in rows {
            tx.insert(&format!("{table} {COLUMNS}"), KINDS, values, UPDATE).await?;
        }
        for (table, values) in addresses {
            let earlier = "ON CONFLICT (address, session_id) DO UPDATE SET first_us = excluded.first_us \
                           WHERE excluded.first_us < ";
            let tail = format!("{earlier}{table}.first_us");
            tx.insert(&format!("{table} (address, first_us, session_id)"), ADDRESS_KINDS, values, &tail).await?;
        }
        Ok(())
    }

    /// Whether the database would take this session.
    pub(super) async fn try_session(&self, session: &Session) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        self.save_sessions(&mut tx, std::slice::from_ref(session)).await
    }

    /// The stored sessions of these keys, as far back as a record may reach.
    /// `now` is when the latest of the records came.
    pub(super) async fn sessions_by_key(
        &self,
        keys: &[SessionKey],
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let mut found = Vec::new();
        if keys.is_empty() {
            return Ok(found);
        }
        let since = Some(now - REACH);
        let digests: Vec<Arg> = keys.iter().map(|key| digest_of(key).into()).collect();
        for partition in self.partitions.between(Family::Session, since, None) {
            for chunk in super::db::chunks(digests.clone(), self.db.rows_at_once()) {
                let sql = format!("SELECT * FROM {} WHERE key IN (", partition.table());
                found.extend(readable(&self.db.fetch(Sql::new(sql).rows(&[Kind::Blob], chunk).then(")")).await?));
            }
        }
        Ok(found)
    }

    /// The stored sessions of these MAC addresses that began within [`STAY`] before
    /// each time: a session may belong to the stay of one of them.
    pub(super) async fn sessions_of_stations(&self, wanted: &[(&str, Timestamp)]) -> Result<Vec<Session>, StoreError> {
        let mut found = Vec::new();
        let Some(since) = wanted.iter().map(|(_, at)| *at).min().map(|at| at - STAY) else { return Ok(found) };
        let macs: BTreeSet<&str> = wanted.iter().map(|(mac, _)| *mac).collect();
        let macs: Vec<Arg> = macs.into_iter().map(Arg::from).collect();
        for partition in self.partitions.between(Family::Session, Some(since), None) {
            for chunk in super::db::chunks(macs.clone(), self.db.rows_at_once()) {
                let sql = format!("SELECT * FROM {} WHERE mac IN (", partition.table());
                let sql = Sql::new(sql).rows(&[Kind::Text], chunk).then(") AND started_us > ?").bind(since);
                found.extend(readable(&self.db.fetch(sql).await?));
            }
        }
        Ok(found)
    }

    /// Takes restarts of devices that late records may have to be seen with.
    async fn load_restarts(&self, into: &mut LiveSessions) -> Result<(), StoreError> {
        for partition in self.partitions.between(Family::Accounting, None, None).into_iter().take(2) {
            // As the index says it.
            let sql = format!(
                "SELECT nas_name, device, event_us FROM {} WHERE status IN (7, 8) ORDER BY event_us DESC LIMIT ?",
                partition.table()
            );
            for row in self.db.fetch(Sql::new(sql).bind(MAX_RESTARTS)).await? {
                into.load_restart(row.text("nas_name")?, row.text("device")?, row.time("event_us")?);
            }
        }
        Ok(())
    }

    /// Takes the sessions that go on, and those that ended lately, into memory.
    pub(super) async fn load_live(&self, into: &mut LiveSessions) -> Result<(), StoreError> {
        self.load_restarts(into).await?;
        let partitions = self.partitions.between(Family::Session, None, None);
        let mut last = None;
        for partition in &partitions {
            let sql = format!("SELECT max(last_us) AS n FROM {}", partition.table());
            let row = self.db.fetch_one(Sql::new(sql)).await?;
            last = last.max(row.map(|row| row.maybe_int("n")).transpose()?.flatten());
        }
        let lately = last.map(Timestamp::from_micros).map(|t| t - LINGER);
        for partition in &partitions {
            let mut after = [0; 16];
            loop {
                let sql = format!(
                    "SELECT * FROM {} WHERE id > ? AND (ended_us IS NULL OR last_us > ?) ORDER BY id LIMIT 1000",
                    partition.table()
                );
                let rows = self.db.fetch(Sql::new(sql).bind(&after).bind(lately.unwrap_or_default())).await?;
                for row in &rows {
                    let session = session_of_row(row)?;
                    after = *session.id.as_bytes();
                    into.load(session);
                }
                if rows.len() < 1000 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sessions, after the one named `after`; at most `limit` and never more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Page<Session, SessionId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let Some(filter) = self.of_its_stay(filter).await? else { return Ok(Page { items: Vec::new(), next: None }) };
        let at = after.map(|id| id.made_at());
        let (since, until) = match filter.order {
            Order::NewestFirst => (filter.since, at.into_iter().chain(filter.until).min()),
            Order::OldestFirst => (at.into_iter().chain(filter.since).max(), filter.until),
        };
        let mut weeks = self.partitions.between(Family::Session, since, until);
        if filter.order == Order::OldestFirst {
            weeks.reverse();
        }
        let (mut segments, mut rest) = (Vec::with_capacity(weeks.len()), Sql::default());
        for week in &weeks {
            let (lead, looked_at) = filter.parted(week);
            rest = looked_at;
            segments.push(Segment {
                table: week.table(),
                low: filter.since.map(|since| SessionId::floor(since).to_vec()),
                high: filter.until.map(|until| SessionId::floor(until).to_vec()),
                lead,
            });
        }
        let after = after.map(|id| id.as_bytes().to_vec());
        let walk = Walk { key: "id", columns: "*", segments, order: filter.order, after, rest, looks: LOOKS };
        let found = self.walk(&walk, i64::from(limit) + 1).await?;
        walked(found, limit, session_of_row, |s| s.id, SessionId::from_bytes)
    }

    /// The filter with what else is known of the sessions of a stay: they have the MAC address of the first, and came
    /// no earlier than a stay may last. Nothing where there is no such stay.
    async fn of_its_stay(&self, filter: &SessionFilter) -> Result<Option<SessionFilter>, StoreError> {
        let Some(stay) = filter.stay else { return Ok(Some(filter.clone())) };
        let Some(first) = self.session(stay).await? else { return Ok(None) };
        let filter = filter.clone();
        Ok(Some(match first.mac() {
            Some(mac) => SessionFilter { mac: filter.mac.or_else(|| Some(mac.to_owned())), ..filter },
            // Without an address nothing says that another is of the same stay.
            None => SessionFilter { since: Some(stay.made_at()), until: Some(stay.made_at() + ALONE), ..filter },
        }))
    }

    /// How many sessions go on.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_live_sessions(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for partition in self.partitions.between(Family::Session, None, None) {
            let sql = format!(
                "SELECT count(*) AS n FROM {} WHERE state <> 'stopped' AND ended_us IS NULL",
                partition.table()
            );
            count += self.db.number(Sql::new(sql)).await?.unsigned_abs();
        }
        Ok(count)
    }

    /// Sessions that may go on at `now`, of one or of all, newest first, each
    /// with the decision that let it in last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn live_sessions(
        &self,
        of: Of<'_>,
        now: Timestamp,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Page<(Session, Option<Decision>), SessionId>, StoreError> {
        let (identity, mac) = match of {
            Of::All => (None, None),
            Of::Identity(name) => (Some(name.to_owned()), None),
            Of::Mac(mac) => (None, Some(mac.to_owned())),
        };
        let filter = SessionFilter { may_go_on: Some(now - MAY_GO_ON), identity, mac, ..SessionFilter::default() };
        let Page { items, next } = self.sessions(&filter, after, limit).await?;
        let ids: Vec<DecisionId> = items.iter().filter_map(Session::decision).collect();
        let decisions: HashMap<DecisionId, Decision> =
            self.decisions_by_id(&ids).await?.into_iter().map(|d| (d.id, d)).collect();
        let with = |session: Session| {
            // One that roams shares its decision with others.
            let decision = session.decision().and_then(|id| decisions.get(&id)).cloned();
            (session, decision)
        };
        Ok(Page { items: items.into_iter().map(with).collect(), next })
    }

    /// The session of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let Some(partition) = self.partitions.at(Family::Session, id.made_at()) else { return Ok(None) };
        self.session_in(&partition, id.as_bytes().to_vec()).await
    }

    async fn session_in(&self, partition: &Partition, id: Vec<u8>) -> Result<Option<Session>, StoreError> {
        let sql = Sql::new(format!("SELECT * FROM {} WHERE id = ?", partition.table())).bind(id);
        self.db.fetch_one(sql).await?.as_ref().map(session_of_row).transpose()
    }

    /// Whose sessions had this at a time, the latest that began first: as a rule one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn holders(&self, what: &Held, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        let mut found = Vec::new();
        for partition in self.partitions.between(Family::Session, None, None) {
            let table = partition.table();
            let began = " AND started_us <= ? AND (ended_us IS NULL OR ended_us >= ?) ORDER BY started_us DESC LIMIT ?";
            let sql = match what {
                Held::Ip(ip) => {
                    let ids =
                        format!("SELECT session_id FROM {} WHERE address = ? AND first_us <= ?", partition.addresses());
                    let ids = format!("SELECT * FROM {table} WHERE id IN ({ids} ORDER BY first_us DESC LIMIT ?)");
                    Sql::new(ids).bind(ip).bind(at).bind(MAX_HOLDERS)
                }
                Held::Mac(mac) => {
                    let sql = format!("SELECT * FROM {table} WHERE mac = ?{began}");
                    Sql::new(sql).bind(mac).bind(at).bind(at).bind(MAX_HOLDERS)
                }
                Held::Port { nas, port } => {
                    let sql = format!("SELECT * FROM {table} WHERE nas_name = ? AND nas_port = ?{began}");
                    Sql::new(sql).bind(nas).bind(port).bind(at).bind(at).bind(MAX_HOLDERS)
                }
            };
            for row in self.db.fetch(sql).await? {
                found.push(session_of_row(&row)?);
            }
        }
        if let Held::Ip(ip) = what {
            found.retain(|s| s.had_address(ip, at));
        }
        found.sort_by_key(|s| std::cmp::Reverse(s.started_at()));
        Ok(found)
    }
}

/// Those of some rows that are as they were written: one that is not stands in nobody's
/// way.
fn readable(rows: &[Row]) -> Vec<Session> {
    let read = |row: &Row| match session_of_row(row) {
        Ok(session) => Some(session),
        Err(error) => {
            tracing::error!(%error, "a session is passed over");
            None
        }
    };
    rows.iter().filter_map(read).collect()
}

/// A session as it was written.
pub(super) fn session_of_row(row: &Row) -> Result<Session, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "session", what };
    let reuse = row.int("reuse")?;
    let details: SessionDetails = serde_json::from_str(row.text("details")?).map_err(|e| unreadable(e.to_string()))?;
    Ok(Session {
        id: SessionId::from_bytes(row.id("session", "id")?),
        stay: SessionId::from_bytes(row.id("session", "stay_id")?),
        key: SessionKey {
            nas_name: row.text("nas_name")?.to_owned(),
            device: row.text("device")?.to_owned(),
            acct_session_id: row.text("acct_session_id")?.to_owned(),
            station: row.text("station")?.to_owned(),
        },
        reuse: u32::try_from(reuse).map_err(|_| unreadable(format!("reuse is {reuse}")))?,
        last_at: row.time("last_us")?,
        details,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::accounting::AccountingRecord;

    #[tokio::test]
    async fn a_session_is_written_with_the_names_that_it_has_now() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let at = Timestamp::from_unix_secs(1_764_000_000);
        let octets = [&[40, 6, 0, 0, 0, 1, 44, 3, b'1', 31, 19][..], b"02-00-5e-00-00-01"].concat();
        let record = AccountingRecord::from_octets(&octets, "wlc", [192, 0, 2, 1].into(), at).unwrap();
        let mut session = Session::new(SessionId::new(at), record.key().unwrap(), 0, &record);
        store.partitions.ensure(&store.db, Family::Session, at).await.unwrap();
        // Let in at one access point, and told of by the next.
        for device in ["ap1", "ap2"] {
            device.clone_into(&mut session.key.device);
            let mut tx = store.db.begin().await.unwrap();
            store.save_sessions(&mut tx, std::slice::from_ref(&session)).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(store.session(session.id).await.unwrap().unwrap(), session);
        }
    }
}
