//! The store on its own, on SQLite and on PostgreSQL alike: idempotence, restarts of
//! a NAS and of the server, who had what when, what is dropped for its age.

use crate::support::postgres::{Postgres, postgres};
use cordon::audit::event::By;
use cordon::audit::verify::Verifier;
use cordon::ids::{CaseId, DecisionId, IdentityId, RunId};
use cordon::inventory::identity::{Identity, IdentityKind, IdentityStatus};
use cordon::playbooks::case::{Case, MAX_OPEN_OF_MACS, NoRoom};
use cordon::session::accounting::{AccountingRecord, AccountingStatus};
use cordon::session::{Session, SessionState};
use cordon::store::accounting_read::{AccountingFilter, StoredRecord};
use cordon::store::audit::AuditFilter;
use cordon::store::inventory::{ApplyError, Writes};
use cordon::store::partition::Retention;
use cordon::store::read::{Held, Order, SessionFilter};
use cordon::store::suspensions::Behalf;
use cordon::store::usage::Resolution;
use cordon::store::writer::{JOURNAL_MAX, Record, Writer};
use cordon::store::{Location, Store};
use cordon::telemetry::Metrics;
use cordon::time::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const T0: i64 = 1_764_000_000;
/// Within which everything that was written is read.
const PATIENCE: Duration = Duration::from_secs(20);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix_secs(T0 + secs)
}

/// An accounting record in the making.
struct Told {
    attributes: Vec<u8>,
    secs: i64,
}

impl Told {
    fn new(status: AccountingStatus, session: &str, secs: i64) -> Self {
        let time = u32::try_from(T0 + secs).unwrap();
        Self { attributes: Vec::new(), secs }
            .with(40, &status.number().to_be_bytes())
            .with(44, session.as_bytes())
            .with(55, &time.to_be_bytes())
    }

    fn with(mut self, kind: u8, value: &[u8]) -> Self {
        self.attributes.extend_from_slice(&[kind, value.len() as u8 + 2]);
        self.attributes.extend_from_slice(value);
        self
    }

    fn of(self, mac: &str) -> Record {
        let Self { attributes, secs } = self.with(31, mac.as_bytes());
        let source = IpAddr::from([192, 0, 2, 1]);
        Record::Accounting(Box::new(AccountingRecord::from_octets(&attributes, "sw1", source, at(secs)).unwrap()))
    }
}

const MAC: &str = "02-00-5E-00-00-01";

fn record(status: AccountingStatus, session: &str, secs: i64) -> Record {
    Told::new(status, session, secs).of(MAC)
}

/// A store with its writer, and where they lie.
struct Bed {
    location: Location,
    dir: TempDir,
    store: Store,
    writer: Writer,
}

impl Bed {
    async fn open(location: Location, dir: TempDir) -> Bed {
        let store = Store::open_at(&location).await.unwrap();
        let writer = Writer::start(store.clone(), dir.path(), JOURNAL_MAX, Arc::new(Metrics::new())).await.unwrap();
        Bed { location, dir, store, writer }
    }

    /// One on each database.
    async fn both() -> [Bed; 2] {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let url = tokio::task::spawn_blocking(|| postgres().database()).await.unwrap();
        let file = Location::File(first.path().join("db"));
        [Bed::open(file, first).await, Bed::open(Location::Url(url), second).await]
    }

    /// As after a restart of the server.
    async fn again(self) -> Bed {
        let Bed { location, dir, store, writer } = self;
        drop((store, writer));
        // The journal is another process's until its thread has ended.
        for _ in 0..200 {
            let store = Store::open_at(&location).await.unwrap();
            if let Ok(writer) = Writer::start(store.clone(), dir.path(), JOURNAL_MAX, Arc::new(Metrics::new())).await {
                return Bed { location, dir, store, writer };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the journal is still in use");
    }

    /// Makes records durable.
    async fn write(&self, records: Vec<Record>) {
        let (done, mut results) = tokio::sync::mpsc::unbounded_channel();
        let count = records.len();
        for record in records {
            let done = done.clone();
            let told = Box::new(move |result| done.send(result).unwrap());
            self.writer.submit(record, told).unwrap();
        }
        for _ in 0..count {
            results.recv().await.unwrap().unwrap();
        }
    }

    /// Makes records durable, and waits until they can be read.
    async fn store_all(&self, records: Vec<Record>) {
        self.write(records).await;
        self.store.caught_up(PATIENCE).await;
        assert_eq!(self.writer.backlog().behind, 0);
    }

    async fn sessions(&self) -> Vec<Session> {
        self.store.sessions(&SessionFilter::default(), None, 100).await.unwrap().items
    }
}

use AccountingStatus::{Interim, On, Start, Stop};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_counts_once_and_a_restart_ends_sessions() {
    for bed in Bed::both().await {
        bed.store_all(vec![record(Start, "a", 0), record(Start, "a", 0), record(Start, "b", 1)]).await;
        bed.store_all(vec![record(Start, "a", 0), record(Interim, "a", 60)]).await;
        assert_eq!(bed.store.accounting_count().await.unwrap(), 3);

        bed.store_all(vec![record(Stop, "b", 30), record(On, "", 100)]).await;
        let sessions = bed.sessions().await;
        let causes: Vec<_> = sessions.iter().map(|s| (s.key.acct_session_id.as_str(), s.terminate_cause())).collect();
        assert_eq!(causes, [("b", None), ("a", Some("NAS-Reboot".to_owned()))], "{sessions:#?}");

        // The NAS counts from the beginning again.
        bed.store_all(vec![record(Start, "a", 200), record(Interim, "a", 260)]).await;
        let sessions = bed.sessions().await;
        assert_eq!(sessions.len(), 3);
        assert_eq!((sessions[0].reuse, sessions[0].stopped_at()), (1, None));
        bed.writer.drain().await;
        assert_eq!(bed.writer.depth(), 0);
    }
}

/// One that does not say when it was, received at a time.
fn undated(status: AccountingStatus, session: &str, secs: i64) -> Record {
    let told = Told { attributes: Vec::new(), secs };
    told.with(40, &status.number().to_be_bytes()).with(44, session.as_bytes()).of(MAC)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_comes_again_after_the_end_is_no_new_session() {
    for bed in Bed::both().await {
        bed.store_all(vec![undated(Start, "a", 0), undated(Stop, "a", 20)]).await;
        bed.store_all(vec![undated(Start, "a", 30)]).await;
        let sessions = bed.sessions().await;
        assert_eq!((sessions.len(), sessions[0].stopped_at()), (1, Some(at(20))), "{sessions:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_late_is_joined_with_what_is_no_longer_in_memory() {
    for bed in Bed::both().await {
        let told = |status, session: &str, ap: &str, secs| {
            Told::new(status, session, secs).with(32, ap.as_bytes()).with(50, b"stay").of(MAC)
        };
        bed.store_all(vec![told(Start, "1", "ap1", 0), told(Stop, "1", "ap1", 100)]).await;
        bed.store_all(vec![Told::new(On, "", 300).with(32, b"ap2").of("")]).await;
        let later = Told::new(Start, "other", 20_000).of("02-00-5E-00-00-09");
        bed.store_all(vec![later]).await;
        let bed = bed.again().await;
        bed.store_all(vec![told(Start, "2", "ap2", 101)]).await;
        let sessions = bed.sessions().await;
        let of = |session: &str| sessions.iter().find(|s| s.key.acct_session_id == session).unwrap();
        assert_eq!(of("1").stay, of("2").stay, "{sessions:#?}");
        assert_eq!(of("2").stopped_at(), Some(at(300)), "its access point restarted since");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_late_records_find_their_sessions() {
    for bed in Bed::both().await {
        bed.store_all(vec![record(Start, "live", 0)]).await;
        bed.store_all(vec![Told::new(Start, "over", 0).of("02-00-5E-00-00-02")]).await;
        bed.store_all(vec![Told::new(Stop, "over", 50).of("02-00-5E-00-00-02")]).await;
        let before = bed.sessions().await;
        // Long after, so that what has ended is no longer in memory.
        bed.store_all(vec![record(Interim, "live", 10_000)]).await;
        let bed = bed.again().await;
        bed.store_all(vec![
            record(Stop, "live", 10_060),
            Told::new(Interim, "over", 40).with(42, &[0, 0, 1, 0]).of("02-00-5E-00-00-02"),
        ])
        .await;
        let after = bed.sessions().await;
        assert_eq!(after.len(), 2, "{after:#?}");
        for session in &after {
            assert!(before.iter().any(|s| s.id == session.id), "{session:#?}");
            assert_eq!(session.state(), SessionState::Stopped);
        }
        assert!(
            after.iter().any(|s| s.key.acct_session_id == "over" && s.counters().input_octets() == 256),
            "{after:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_had_an_address_or_a_port_at_a_time_is_one_look_up() {
    for bed in Bed::both().await {
        let (first, second) = ("02-00-5E-00-00-01", "02-00-5E-00-00-02");
        let (ten, eleven) = ([10, 0, 0, 10], [10, 0, 0, 11]);
        bed.store_all(vec![
            Told::new(Start, "1", 0).with(87, b"Gi1/0/1").of(first),
            Told::new(Interim, "1", 60).with(87, b"Gi1/0/1").with(8, &ten).of(first),
            Told::new(Interim, "1", 600).with(87, b"Gi1/0/1").with(8, &eleven).of(first),
            Told::new(Stop, "1", 1000).with(87, b"Gi1/0/1").with(8, &eleven).of(first),
            // The same address and port, later.
            Told::new(Start, "2", 2000).with(87, b"Gi1/0/1").with(8, &ten).of(second),
        ])
        .await;
        let who = async |held: Held, secs: i64| -> Vec<String> {
            let found = bed.store.holders(&held, at(secs)).await.unwrap();
            found.iter().map(|s| s.mac().unwrap().to_owned()).collect()
        };
        let ip = || Held::Ip("10.0.0.10".into());
        assert_eq!(who(ip(), 300).await, [first]);
        assert_eq!(who(ip(), 30).await, [] as [&str; 0], "it was not told yet");
        assert_eq!(who(ip(), 700).await, [] as [&str; 0], "it had the next one by then");
        assert_eq!(who(Held::Ip("10.0.0.11".into()), 1000).await, [first]);
        assert_eq!(who(ip(), 3000).await, [second]);
        let port = || Held::Port { nas: "sw1".into(), port: "Gi1/0/1".into() };
        assert_eq!(who(port(), 500).await, [first]);
        assert_eq!(who(port(), 1500).await, [] as [&str; 0]);
        assert_eq!(who(Held::Mac(second.into()), 2500).await, [second]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_adds_up_by_five_minutes_hours_and_days() {
    for bed in Bed::both().await {
        let told = |status, secs, octets: u32| {
            Told::new(status, "u", secs).with(42, &octets.to_be_bytes()).with(43, &(octets * 2).to_be_bytes())
        };
        bed.store_all(vec![told(Start, 0, 0).of(MAC), told(Interim, 100, 1_000).of(MAC)]).await;
        // Repeated, late, and in the next period.
        bed.store_all(vec![told(Interim, 100, 1_000).of(MAC), told(Interim, 500, 5_000).of(MAC)]).await;
        bed.store_all(vec![told(Interim, 300, 3_000).of(MAC), told(Stop, 4_000, 9_000).of(MAC)]).await;
        let usage =
            async |resolution| bed.store.usage(resolution, Some("sw1"), at(-9_000), at(9_000), 100).await.unwrap();
        for resolution in Resolution::ALL {
            let rows = usage(resolution).await;
            let sum = |of: fn(&cordon::store::usage::Sum) -> u64| rows.iter().map(|row| of(&row.sum)).sum::<u64>();
            assert_eq!((sum(|s| s.input_octets), sum(|s| s.output_octets)), (9_000, 18_000), "{rows:#?}");
            assert_eq!((sum(|s| s.sessions), sum(|s| s.records)), (1, 5), "one came twice");
        }
        let minutes = usage(Resolution::Minutes).await;
        assert_eq!(minutes.first().unwrap().sum.input_octets, 1_000, "{minutes:#?}");
        assert!(bed.store.usage(Resolution::Hour, Some("other"), at(-9_000), at(9_000), 9).await.unwrap().is_empty());
        assert_eq!(
            usage(Resolution::Minutes).await,
            bed.store.usage(Resolution::Minutes, None, at(-9_000), at(9_000), 100).await.unwrap()
        );
    }
}

/// Nor is what comes after held up by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_nas_that_counts_nonsense_fills_its_own_periods_alone() {
    for bed in Bed::both().await {
        let told = |session: &str, mac: &str, octets: u32| {
            let all = octets.to_be_bytes();
            Told::new(Interim, session, 60).with(42, &all).with(52, &all).with(43, &all).with(53, &all).of(mac)
        };
        for (n, octets) in [u32::MAX, u32::MAX, 1].into_iter().enumerate() {
            bed.store_all(vec![told(&format!("s{n}"), &format!("02-00-5E-00-00-1{n}"), octets)]).await;
        }
        assert_eq!(bed.store.accounting_count().await.unwrap(), 3);
        let rows = bed.store.usage(Resolution::Day, None, at(-99_000), at(99_000), 9).await.unwrap();
        assert_eq!(rows.iter().map(|row| (row.sum.input_octets, row.sum.sessions)).collect::<Vec<_>>(), [(1 << 53, 3)]);
    }
}

/// All records of a filter, page by page; never more on a page than asked for.
async fn accounting(bed: &Bed, filter: &AccountingFilter) -> Vec<(String, i64)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = bed.store.accounting(filter, after, 2).await.unwrap();
        assert!(page.items.len() <= 2);
        let told = |record: &StoredRecord| (record.acct_session_id.clone(), record.at.unix_secs() - T0);
        all.extend(page.items.iter().map(told));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounting_records_are_read_one_by_one_both_ways_and_narrowed() {
    const WEEK: i64 = 7 * 24 * 3600;
    const OTHER: &str = "02-00-5E-00-00-02";
    for bed in Bed::both().await {
        bed.store_all(vec![record(Start, "a", 0), undated(Interim, "a", 30), record(Interim, "a", 60)]).await;
        bed.store_all(vec![record(Stop, "a", 120), Told::new(Start, "b", WEEK).of(OTHER)]).await;
        let all = AccountingFilter::default();
        let told = |list: &[(&str, i64)]| list.iter().map(|(id, secs)| ((*id).to_owned(), *secs)).collect::<Vec<_>>();
        // What does not tell its time is the last of its week.
        let newest = told(&[("b", WEEK), ("a", 120), ("a", 60), ("a", 0), ("a", 30)]);
        assert_eq!(accounting(&bed, &all).await, newest);
        // Pages of two: what tells no time has an order within its page.
        let oldest = told(&[("a", 0), ("a", 30), ("a", 60), ("a", 120), ("b", WEEK)]);
        let forwards = AccountingFilter { order: Order::OldestFirst, ..all.clone() };
        assert_eq!(accounting(&bed, &forwards).await, oldest);

        let between = AccountingFilter { since: Some(at(30)), until: Some(at(120)), ..all.clone() };
        assert_eq!(accounting(&bed, &between).await, told(&[("a", 60), ("a", 30)]));
        let station = AccountingFilter { station: Some(OTHER.into()), ..all.clone() };
        assert_eq!(accounting(&bed, &station).await, told(&[("b", WEEK)]));
        let nowhere = AccountingFilter { nas: Some(vec!["sw2".into(), "sw3".into()]), ..all.clone() };
        assert_eq!(accounting(&bed, &nowhere).await, []);
        let here = AccountingFilter { nas: Some(vec!["sw2".into(), "sw1".into()]), ..all.clone() };
        assert_eq!(accounting(&bed, &here).await, newest);
        let sessions = bed.sessions().await;
        let of = sessions.iter().find(|session| session.acct_session_id() == Some("a")).unwrap();
        let of = AccountingFilter::of_session(of, at(WEEK));
        assert_eq!(accounting(&bed, &of).await, told(&[("a", 120), ("a", 60), ("a", 30), ("a", 0)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_seldom_is_found_a_stretch_at_a_time() {
    const MANY: i64 = 2_600;
    for bed in Bed::both().await {
        let called = |ssid: &str| format!("02-00-5E-FF-00-01:{ssid}");
        let begun = |n: i64| {
            let ssid = if n == 0 { "seldom" } else { "usual" };
            let told = Told::new(Start, &n.to_string(), n).with(30, called(ssid).as_bytes());
            told.of(&format!("02-00-5E-01-{:02X}-{:02X}", n / 256, n % 256))
        };
        bed.store_all((0..MANY).map(begun).collect()).await;
        let filter = SessionFilter { ssid: Some("seldom".into()), ..SessionFilter::default() };
        let first = bed.store.sessions(&filter, None, 50).await.unwrap();
        assert!(first.items.is_empty() && first.next.is_some(), "so many were looked at, and no more: {first:?}");
        let second = bed.store.sessions(&filter, first.next, 50).await.unwrap();
        assert_eq!(second.items.iter().map(|s| s.acct_session_id()).collect::<Vec<_>>(), [Some("0")]);
        assert_eq!(second.next, None);
        let forwards = SessionFilter { order: Order::OldestFirst, ..filter.clone() };
        let found = bed.store.sessions(&forwards, None, 1).await.unwrap();
        assert_eq!(found.items.iter().map(|s| s.acct_session_id()).collect::<Vec<_>>(), [Some("0")]);
        // Of what is on every row a page is full, and each row is on one.
        let usual = SessionFilter { ssid: Some("usual".into()), ..SessionFilter::default() };
        let (mut seen, mut after) = (std::collections::HashSet::new(), None);
        loop {
            let page = bed.store.sessions(&usual, after, 500).await.unwrap();
            assert!(page.items.iter().all(|session| seen.insert(session.id)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len() as i64, MANY - 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gap_9_what_is_old_is_dropped_by_class_and_the_chained_log_tells_of_it() {
    const DAY: i64 = 24 * 3600;
    for bed in Bed::both().await {
        bed.store_all(vec![record(Start, "gone", 0), record(Stop, "gone", 60)]).await;
        bed.store_all(vec![Told::new(Start, "long", 60).of("02-00-5E-00-00-02")]).await;
        bed.store_all(vec![Told::new(Start, "new", 40 * DAY).of("02-00-5E-00-00-03")]).await;
        let month = Some(Duration::from_secs(30 * 24 * 3600));
        let retention = Retention {
            decisions: month,
            accounting: month,
            sessions: month,
            usage_minutes: month,
            usage_hours: None,
            usage_days: None,
        };
        let now = at(40 * DAY);
        let dropped = bed.store.retain(&retention, now).await.unwrap();
        let tables: Vec<String> = dropped.iter().map(|p| p.table()).collect();
        assert_eq!(tables, ["accounting_20251124", "usage_5min_20251124"], "one session of that week goes on");
        assert_eq!(bed.store.accounting_count().await.unwrap(), 1);
        // Nothing was heard of it for a month.
        bed.writer.sweep_sessions(now, Duration::from_secs(24 * 3600)).await;
        let dropped = bed.store.retain(&retention, now).await.unwrap();
        assert_eq!(dropped.iter().map(|p| p.table()).collect::<Vec<_>>(), ["session_20251124"]);
        let filter = AuditFilter { action: Some("records.drop".into()), ..AuditFilter::default() };
        let told = bed.store.audit_events(&filter, None, 10).await.unwrap().items;
        let told: Vec<_> = told.iter().map(|found| found.entry.event.object.name.as_str()).collect();
        assert_eq!(told, ["session_20251124", "usage_5min_20251124", "accounting_20251124"]);
        let report = bed.store.audit_verify(|_| Verifier::new(Vec::new()), |_| {}).await.unwrap();
        assert_eq!((report.events, report.count), (3, 0), "{report:?}");
        let left = bed.sessions().await;
        assert_eq!(left.iter().map(|s| s.key.acct_session_id.as_str()).collect::<Vec<_>>(), ["new"]);
        let (sizes, octets) = bed.store.sizes().await.unwrap();
        assert!(octets > 0 && sizes.iter().any(|s| s.family == "session" && s.partitions == 1), "{sizes:#?}");
        // A record of then makes its table anew, and nothing fails.
        bed.store_all(vec![record(Interim, "gone", 30)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_sessions_have_ended_and_live_again_when_they_are_heard_of() {
    for bed in Bed::both().await {
        bed.store_all(vec![record(Start, "a", 0), record(Interim, "a", 600)]).await;
        bed.writer.sweep_sessions(at(2_000), Duration::from_secs(86_400)).await;
        let state = async || {
            let sessions = bed.sessions().await;
            sessions.iter().find(|s| s.key.acct_session_id == "a").map(|s| (s.state(), s.stopped_at())).unwrap()
        };
        assert_eq!(state().await, (SessionState::Active, None), "two intervals are no silence");
        bed.writer.sweep_sessions(at(2_500), Duration::from_secs(86_400)).await;
        assert_eq!(state().await, (SessionState::Inferred, Some(at(600))));
        bed.store_all(vec![record(Interim, "a", 3_000)]).await;
        assert_eq!(state().await, (SessionState::Active, None));
    }
}

/// A database that is away keeps nobody waiting, and gets everything in the end.
#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_away_records_wait_in_the_journal_and_come_in_order() {
    let mut own = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let bed = Bed::open(Location::Url(own.database()), dir).await;
    bed.store_all(vec![record(Start, "a", 0)]).await;
    let mut own = tokio::task::spawn_blocking(move || {
        own.kill();
        own
    })
    .await
    .unwrap();
    for n in 1..=50 {
        bed.write(vec![record(Interim, "a", n * 60)]).await;
    }
    assert!(bed.writer.healthy(), "the journal takes records");
    let behind = bed.writer.backlog();
    assert!(behind.behind == 50 && behind.journal_octets > 1_000, "{behind:?}");
    // A restart of the server meanwhile loses nothing.
    let Bed { location, dir, store, writer } = bed;
    drop((store, writer));
    tokio::task::spawn_blocking(move || {
        own.up();
        own
    })
    .await
    .map(|own| async move {
        let mut bed = None;
        for _ in 0..200 {
            let store = Store::open_at(&location).await.unwrap();
            match Writer::start(store.clone(), dir.path(), JOURNAL_MAX, Arc::new(Metrics::new())).await {
                Ok(writer) => {
                    bed = Some(Bed { location, dir, store, writer });
                    break;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        let bed = bed.expect("the journal is still in use");
        bed.store_all(vec![record(Stop, "a", 60 * 60)]).await;
        for _ in 0..200 {
            if bed.store.accounting_count().await.unwrap() == 52 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(bed.store.accounting_count().await.unwrap(), 52);
        let sessions = bed.sessions().await;
        assert_eq!((sessions.len(), sessions[0].state()), (1, SessionState::Stopped), "{sessions:#?}");
        drop(own);
    })
    .unwrap()
    .await;
}

/// A standby that takes over may lack what the first one had last.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_database_lacks_that_took_the_place_of_another_is_stored_again() {
    let [_, bed] = Bed::both().await;
    let Location::Url(url) = bed.location.clone() else { panic!("the second is PostgreSQL") };
    let told = |n: i64| record(Interim, "a", n * 60);
    bed.store_all((1..=20).map(told).collect()).await;
    tokio::task::spawn_blocking(move || {
        let database = url.rsplit('/').next().unwrap();
        let behind = "UPDATE journal_place SET file = 1, place = 0; DELETE FROM accounting_20251124; \
                      DELETE FROM session_20251124";
        postgres().sql(database, behind);
    })
    .await
    .unwrap();
    bed.write((21..=30).map(told).collect()).await;
    for _ in 0..200 {
        if bed.store.accounting_count().await.unwrap() == 30 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bed.store.accounting_count().await.unwrap(), 30);
    let sessions = bed.sessions().await;
    assert_eq!((sessions.len(), sessions[0].last_at), (1, at(1_800)), "{sessions:#?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    std::fs::write(&path, "this is no database, but it is long enough to be looked at as one ".repeat(20)).unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    let id = DecisionId::new(Timestamp::from_unix_secs(T0));
    assert!(store.decision(id).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_about_addresses_that_are_nobodys_leave_room_for_others() {
    for bed in Bed::both().await {
        let store = &bed.store;
        let open = async |identity: Option<IdentityId>| {
            let (id, by) = (CaseId::new(at(0)), By::cli("anna"));
            let (title, who, opened) = ("a test".to_owned(), String::new(), at(0));
            let (run, closed, comments) = (None, None, Vec::new());
            let case = Case { id, title, identity, who, run, opened, by: by.actor.clone(), closed, comments };
            (id, store.open_case(&case, &serde_json::json!({}), &by).await.unwrap())
        };
        let (first, _) = open(None).await;
        for _ in 1..MAX_OPEN_OF_MACS {
            assert_eq!(open(None).await.1, Ok(()));
        }
        assert_eq!(open(None).await.1, Err(NoRoom::OpenOfMacs));
        assert_eq!(open(Some(IdentityId::of_name("coder"))).await.1, Ok(()));
        let close = |case: &mut Case| {
            case.closed = Some(at(1));
            Ok(("case.close", String::new()))
        };
        store.change_case(first, &By::cli("anna"), at(1), close).await.unwrap().unwrap().unwrap();
        assert_eq!(open(None).await.1, Ok(()), "a closed one makes room");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_runs_that_want_a_suspension_the_last_lifts_it_and_none_an_operators() {
    for bed in Bed::both().await {
        let store = &bed.store;
        let (one, other) = (RunId::of_name("one"), RunId::of_name("other"));
        let active = Identity::new(IdentityId::new(at(0)), IdentityKind::User, "alice");
        let id = active.id;
        let write = async |status: IdentityStatus, behalf: Behalf| {
            let identities = vec![Arc::new(Identity { status, ..active.clone() })];
            let writes = Writes { identities, behalf, ..Writes::default() };
            let generation = store.generation().await.unwrap();
            store.apply(generation, &writes, &By::cli("one"), at(0)).await.map(drop)
        };
        use IdentityStatus::{Active, Suspended};
        write(Active, Behalf::Operator).await.unwrap();
        assert!(!store.join_suspension(id, one).await.unwrap(), "there is none");
        // As after a crash, once more.
        write(Suspended, Behalf::Begins(id, one)).await.unwrap();
        write(Suspended, Behalf::Begins(id, one)).await.unwrap();
        assert!(store.join_suspension(id, one).await.unwrap() && store.join_suspension(id, other).await.unwrap());
        assert_eq!(store.suspending_runs(id).await.unwrap().len(), 2);
        let early = write(Active, Behalf::Ends(id, one)).await;
        assert!(matches!(early, Err(ApplyError::Overtaken)), "{early:?}");
        assert!(store.leave_suspension(id, one, true).await.unwrap());
        assert!(!store.leave_suspension(id, other, true).await.unwrap(), "it is the last");
        write(Active, Behalf::Ends(id, other)).await.unwrap();
        assert!(store.suspending_runs(id).await.unwrap().is_empty());
        let again = write(Active, Behalf::Ends(id, other)).await;
        assert!(matches!(again, Err(ApplyError::Overtaken)), "{again:?}");

        // An operator writes something else of it; then says that it stays suspended; then lets it in.
        write(Suspended, Behalf::Begins(id, one)).await.unwrap();
        write(Suspended, Behalf::Operator).await.unwrap();
        assert_eq!(store.suspending_runs(id).await.unwrap(), [one]);
        let confirm = Writes { confirmed: vec![id], ..Writes::default() };
        store.confirm_suspensions(&confirm, &By::cli("anna"), at(0)).await.unwrap();
        assert!(store.suspending_runs(id).await.unwrap().is_empty());
        assert!(!store.join_suspension(id, other).await.unwrap(), "it is an operator's now");
        let filter = AuditFilter { action: Some("identity.confirm".into()), ..AuditFilter::default() };
        assert_eq!(store.audit_events(&filter, None, 9).await.unwrap().items.len(), 1);
        write(Active, Behalf::Operator).await.unwrap();
        write(Suspended, Behalf::Begins(id, one)).await.unwrap();
        write(Active, Behalf::Operator).await.unwrap();
        assert!(store.suspending_runs(id).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_planned_at_once_one_is_made() {
    for bed in Bed::both().await {
        let store = &bed.store;
        let writes = |name: &str| Writes {
            identities: vec![Arc::new(Identity::new(IdentityId::new(at(0)), IdentityKind::User, name))],
            ..Writes::default()
        };
        let planned = store.generation().await.unwrap();
        store.apply(planned, &writes("alice"), &By::cli("one"), at(0)).await.unwrap();
        let late = store.apply(planned, &writes("bob"), &By::cli("two"), at(0)).await;
        assert!(matches!(late, Err(ApplyError::Overtaken)), "{late:?}");
        let inventory = store.inventory().await.unwrap();
        let names: Vec<_> = inventory.identities.iter().map(|i| i.name.to_string()).collect();
        assert_eq!((names, inventory.generation), (vec!["alice".to_owned()], planned + 1));
    }
}
