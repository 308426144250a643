//! What is kept of endpoints, and within which bounds.

use super::*;
use crate::ids::DecisionId;
use crate::inventory::observation::Presence;
use crate::store::Store;

fn contact(mac: [u8; 6], at: Timestamp) -> Observation {
    Observation {
        at,
        origin: Origin::Login { decision: DecisionId::new(at), method: "mab".into() },
        mac: Some(MacAddress::new(mac)),
        certificate: None,
        identity: None,
        nas_name: "sw1".into(),
        nas_address: [192, 0, 2, 1].into(),
        port: Some("1".into()),
        ssid: None,
        wireless: false,
        presence: Presence::Here,
        ips: Vec::new(),
        clues: Vec::new(),
    }
}

const ASSIGNED: [u8; 6] = [0x00, 0x01, 0xe6, 0, 0, 1];
const RANDOM: [u8; 6] = [0x02, 0x00, 0x5e, 0, 0, 1];

fn at(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(1_764_000_000) + Duration::from_secs(secs)
}

struct Fixture {
    store: Store,
    endpoints: Endpoints,
    _dir: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        Self { store, endpoints: Endpoints::default(), _dir: dir }
    }

    async fn observe(&mut self, contacts: &[Observation]) {
        let mut tx = self.store.db.begin().await.unwrap();
        self.endpoints.observe(&mut tx, contacts).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn all(&self) -> Vec<Endpoint> {
        self.store.endpoints(&Default::default(), None, 100).await.unwrap().items
    }
}

#[tokio::test]
async fn memory_and_database_agree_with_and_without_each_other() {
    let mut f = Fixture::new().await;
    f.observe(&[contact(ASSIGNED, at(0)), contact(ASSIGNED, at(1))]).await;
    f.observe(&[contact(ASSIGNED, at(5))]).await;
    let cached = f.all().await;
    assert_eq!((cached.len(), cached[0].first_at, cached[0].last_at), (1, at(0), at(5)));
    f.endpoints.forget();
    f.observe(&[contact(ASSIGNED, at(9))]).await;
    let read = f.all().await;
    assert_eq!((read.len(), read[0].id, read[0].last_at), (1, cached[0].id, at(9)));
    assert_eq!(read[0].details.places.len(), 1);
}

#[tokio::test]
async fn peers_of_a_randomised_address_are_bounded() {
    let mut f = Fixture::new().await;
    for n in 0..20 {
        f.observe(&[contact(RANDOM, at(n))]).await;
    }
    assert_eq!(f.all().await.len(), 20);
    let latest = |f: &Fixture| f.endpoints.by_mac[&MacAddress::new(RANDOM)].clone();
    let before = latest(&f);
    assert_eq!(before.len(), MAX_PEERS);
    f.endpoints.forget();
    f.observe(&[contact(RANDOM, at(30))]).await;
    assert_eq!(latest(&f)[..MAX_PEERS - 1], before[1..]);
}

#[tokio::test]
async fn many_logins_of_one_address_cost_and_change_nothing() {
    let mut f = Fixture::new().await;
    let other = [RANDOM[0], 0, 0x5e, 0, 0, 2];
    for n in 0..300 {
        f.observe(&[contact(RANDOM, at(n)), contact(other, at(n))]).await;
    }
    let all = f.store.endpoints(&Default::default(), None, 1000).await.unwrap().items;
    for mac in [RANDOM, other].map(MacAddress::new) {
        let mut latest: Vec<_> = all.iter().filter(|e| e.details.macs == [mac]).map(|e| e.id).collect();
        latest.sort_unstable();
        f.endpoints.forget();
        let mut tx = f.store.db.begin().await.unwrap();
        f.endpoints.load(&mut tx, &[contact(RANDOM, at(999)), contact(other, at(999))]).await.unwrap();
        assert_eq!(f.endpoints.by_mac[&mac], latest[latest.len() - MAX_PEERS..]);
        assert_eq!(f.endpoints.known.len(), 2 * MAX_PEERS, "no others are read");
    }
    // Neither sorted nor scanned, so that it stops at the eighth.
    let plan = f.store.db.fetch(peers(vec!["a".into(), "b".into()]).explained()).await.unwrap();
    let plan: Vec<&str> = plan.iter().map(|row| row.text("detail").unwrap()).collect();
    let ranged = "SEARCH endpoint_mac USING PRIMARY KEY (mac=? AND endpoint_id>?)";
    assert!(plan.contains(&ranged), "{plan:?}");
    assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE") || step.contains("SCAN endpoint")), "{plan:?}");
}

#[tokio::test]
async fn whatever_arrives_the_tables_keep_their_bound() {
    const MOST: i64 = 10;
    let mut f = Fixture::new().await;
    let count = async |f: &Fixture| Rows::count(&mut f.store.db.begin_read().await.unwrap()).await.unwrap();
    // There are too many already, as after an earlier version.
    let card = |n: u8| [0, 1, 0xe6, 0, 1, n];
    let early: Vec<_> = (0..30).flat_map(|n| [contact(card(n), at(0)), contact(RANDOM, at(0))]).collect();
    f.observe(&early).await;
    assert_eq!(count(&f).await, Rows { ephemeral: 30, lasting: 30, signals: 0 });
    f.endpoints = Endpoints::bounded(MOST);
    let mut before = count(&f).await;
    for n in 0..20 {
        // New endpoints of both sorts, and a card that is in two places.
        let moved = Observation { nas_name: "sw2".into(), ..contact(card(100 + n), at(100)) };
        f.observe(&[contact(card(100 + n), at(100)), moved, contact(RANDOM, at(100))]).await;
        let now = count(&f).await;
        assert_eq!(f.endpoints.stored, Some(now), "the count is kept");
        assert_eq!(now.ephemeral, MOST.max(before.ephemeral - 1), "one comes and two go");
        assert_eq!(now.lasting, MOST.max(before.lasting - 1));
        assert!(now.signals <= MOST, "{now:?}");
        before = now;
    }
    assert_eq!((before.ephemeral, before.lasting), (MOST, MOST));
    let left = f.all().await;
    assert!(left.iter().all(|e| e.first_at == at(100)), "the oldest went");
    // What is left in memory is what is left in the database.
    assert_eq!(f.endpoints.known.len(), left.len());
    let ids: HashSet<EndpointId> = left.iter().map(|e| e.id).collect();
    assert!(f.endpoints.by_key.values().all(|id| ids.contains(id)));
    // One whose endpoint went comes again.
    f.observe(&[contact(card(0), at(200)), contact(RANDOM, at(200))]).await;
    assert_eq!(f.all().await.iter().filter(|e| e.last_at == at(200)).count(), 2);
}

#[tokio::test]
async fn signals_keep_their_bound() {
    let mut f = Fixture::new().await;
    f.endpoints = Endpoints::bounded(5);
    for n in 0..20 {
        let elsewhere = Observation { nas_name: "sw2".into(), ..contact(ASSIGNED, at(3600 * n + 1)) };
        f.observe(&[contact(ASSIGNED, at(3600 * n)), elsewhere]).await;
    }
    let signals = f.store.signals(Default::default(), None, 100).await.unwrap().items;
    assert_eq!(signals.len(), 5);
    assert_eq!(f.endpoints.stored, Some(Rows { ephemeral: 0, lasting: 1, signals: 5 }));
}

#[tokio::test]
async fn what_was_not_seen_for_long_is_forgotten_with_all_that_hangs_on_it() {
    const DAY: u64 = 24 * 3600;
    let mut f = Fixture::new().await;
    let elsewhere = Observation { nas_name: "sw2".into(), ..contact(ASSIGNED, at(5)) };
    f.observe(&[contact(RANDOM, at(0)), contact(ASSIGNED, at(0)), elsewhere]).await;
    assert_eq!(f.store.signals(Default::default(), None, 10).await.unwrap().items.len(), 1);
    for (days, left) in [(29, 2), (31, 1), (399, 1), (402, 0)] {
        let mut tx = f.store.db.begin().await.unwrap();
        f.endpoints.prune(&mut tx, at(days * DAY)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(f.all().await.len(), left, "after {days} days");
    }
    for table in ["endpoint_mac", "endpoint_place", "signal"] {
        let sql = Sql::new(format!("SELECT count(*) AS n FROM {table}"));
        assert_eq!(f.store.db.number(sql).await.unwrap(), 0, "{table}");
    }
    assert!(f.endpoints.known.is_empty());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stands_in_nobodys_way() {
    let mut f = Fixture::new().await;
    f.observe(&[contact(ASSIGNED, at(0))]).await;
    f.store.db.execute(Sql::new("UPDATE endpoint SET details = '{'")).await.unwrap();
    f.endpoints.forget();
    f.observe(&[contact(ASSIGNED, at(1))]).await;
    let all = f.all().await;
    assert_eq!((all.len(), all[0].first_at), (1, at(1)));
}
