//! The queue of changes to sessions, on SQLite and on PostgreSQL alike; and by what
//! a session is found to be due for one.

use crate::support::pki::pki;
use crate::support::postgres::postgres;
use crate::support::server::SECRET;
use cordon::access::changes::{Wanted, is_due, tell};
use cordon::access::reevaluate::{Difference, Known, Look, Standing, look};
use cordon::access::{Answer as Reply, Arrival, Engine, Service, Snapshot};
use cordon::audit::decision::Decision;
use cordon::audit::event::By;
use cordon::audit::reason::Reason;
use cordon::client::Port;
use cordon::coa::exchange::Answer;
use cordon::coa::life::{Cause, Ending, Fared, Life, Order, Target, Waiting};
use cordon::coa::plan::Goal;
use cordon::coa::wave::Wave;
use cordon::config::build::build;
use cordon::config::stored::Stored;
use cordon::config::{Config, Source};
use cordon::enforcement::coa::Wish;
use cordon::enforcement::ticket::Tickets;
use cordon::ids::{ChangeOrderId, SessionId, WaveId};
use cordon::inventory::mac::MacAddress;
use cordon::playbooks::containment::ContainmentTable;
use cordon::posture::table::PostureTable;
use cordon::secret::Secret;
use cordon::session::state::{Session, SessionKey};
use cordon::signals::table::RiskTable;
use cordon::store::audit::AuditFilter;
use cordon::store::changes::{ChangeFilter, Stopped, WaveStep};
use cordon::store::writer::Record;
use cordon::store::{Location, Store};
use cordon::telemetry::Metrics;
use cordon::time::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const START: Timestamp = Timestamp::from_unix_secs(1_767_225_600);

fn after(secs: u64) -> Timestamp {
    START + Duration::from_secs(secs)
}

async fn both() -> Vec<(Store, tempfile::TempDir)> {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let url = tokio::task::spawn_blocking(|| postgres().database()).await.unwrap();
    let mut stores = Vec::new();
    for (dir, location) in dirs.into_iter().zip([None, Some(Location::Url(url))]) {
        let location = location.unwrap_or_else(|| Location::File(dir.path().join("db")));
        stores.push((Store::open_at(&location).await.unwrap(), dir));
    }
    stores
}

fn life(session: SessionId, target: &str, nas: &str, at: Timestamp, wave: Option<WaveId>) -> Life {
    let cause = Cause { trigger: "policy 1".into(), reason: None, detail: target.into(), automatic: true, at };
    let order = Order {
        id: ChangeOrderId::new(at),
        session,
        decision: None,
        nas_name: nas.into(),
        who: None,
        identity: None,
        wave,
        cause,
        target: Target(target.into()),
        created: at,
        deadline: at + Duration::from_secs(300),
        attempts: Vec::new(),
    };
    Life::begin(order, vec![Wish::Reauthenticate, Wish::Disconnect], at)
}

async fn due(store: &Store, bulk: bool, busy: &[&str], now: Timestamp) -> Vec<Waiting> {
    let busy: Vec<String> = busy.iter().map(|nas| (*nas).to_owned()).collect();
    store.due_changes(bulk, &busy, &HashSet::new(), 100, now).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_change_takes_the_place_of_one_that_was_not_sent() {
    for (store, _dir) in both().await {
        let session = SessionId::new(START);
        let by = By::server();
        let take = |life: Life| store.take_up_changes(None, vec![life], false, &by, START);
        assert_eq!(take(life(session, "corp", "sw", START, None)).await.unwrap(), 1);
        assert_eq!(take(life(session, "corp", "sw", after(1), None)).await.unwrap(), 0, "the same is not wanted twice");
        assert_eq!(take(life(session, "denied", "sw", after(2), None)).await.unwrap(), 1);
        let filter = ChangeFilter { session: Some(session), ..ChangeFilter::default() };
        let all = store.changes_to_sessions(&filter, None, 10).await.unwrap().items;
        let states: Vec<_> = all.iter().map(|life| (life.order().target.0.as_str(), life.code())).collect();
        assert_eq!(states, [("denied", "waiting"), ("corp", "superseded")]);
        assert_eq!(store.pending_changes().await.unwrap(), 1);
        let latest = store.latest_changes(&[session, SessionId::new(after(9))]).await.unwrap();
        assert_eq!(latest.len(), 1);
        assert_eq!(latest[&session].order().target, Target("denied".into()));

        // Who is alone need not wait for the turn of a wave.
        let other = SessionId::new(after(3));
        let wave = WaveId::new(after(3));
        store
            .take_up_changes(None, vec![life(other, "denied", "sw", after(3), Some(wave))], true, &By::server(), START)
            .await
            .unwrap();
        assert_eq!(take(life(other, "denied", "sw", after(4), None)).await.unwrap(), 1);
        let urgent = due(&store, false, &[], after(9)).await;
        assert!(urgent.iter().any(|w| w.order.session == other), "{urgent:?}");
        assert!(due(&store, true, &[], after(9)).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_while_its_nas_was_asked_stays_so_and_keeps_the_attempt() {
    for (store, _dir) in both().await {
        let session = SessionId::new(START);
        store
            .take_up_changes(None, vec![life(session, "corp", "sw", START, None)], false, &By::server(), START)
            .await
            .unwrap();
        let [waiting] = due(&store, false, &[], START).await.try_into().unwrap();
        let id = waiting.order.id;
        let flying = waiting.clone().ask(START).unwrap();
        assert_eq!(store.end_changes(vec![waiting.clone()], Ending::Aborted, after(1)).await.unwrap(), 1);
        assert_eq!(store.end_changes(vec![waiting], Ending::Moot, after(1)).await.unwrap(), 0, "it is over");
        let over = flying.answered(Answer::Nak(Some(401)), after(2));
        store.save_changes(std::slice::from_ref(&over)).await.unwrap();
        let stored = store.change_to_session(id).await.unwrap().unwrap();
        assert_eq!((stored.code(), stored.order().attempts.len()), ("aborted", 1));
        assert_eq!(stored.order().attempts[0].fared, Fared::Nak { error_cause: Some(401) });
        assert!(due(&store, false, &[], after(9)).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_nas_is_asked_for_ends_as_it_answers_whatever_was_stopped_meanwhile() {
    for (store, _dir) in both().await {
        let wave = Wave {
            id: WaveId::new(START),
            trigger: "policy 1".into(),
            detail: String::new(),
            created: START,
            begins: START,
            total: 3,
            live: 3,
            aborted: None,
        };
        let one = |n| life(SessionId::new(after(n)), "corp", "sw", START, Some(wave.id));
        store.take_up_changes(Some(&wave), (0..3).map(one).collect(), true, &By::server(), START).await.unwrap();
        let [first, second, _] = due(&store, true, &[], START).await.try_into().unwrap();
        let ids = [first.order.id, second.order.id];
        assert_eq!(store.begin_asking(&ids).await.unwrap(), HashSet::from(ids));
        let stopped = store.abort_wave(wave.id, &By::cli("anna"), after(1)).await.unwrap();
        assert_eq!(stopped, WaveStep::Made(Stopped { stopped: 1, asking: 2 }));
        assert!(store.is_stopped(wave.id).await.unwrap());
        let filter = ChangeFilter { state: Some("waiting"), ..ChangeFilter::default() };
        assert_eq!(store.changes_to_sessions(&filter, None, 10).await.unwrap().items.len(), 2);
        // What somebody took back meanwhile was done all the same.
        assert_eq!(store.end_changes(vec![second.clone()], Ending::Moot, after(1)).await.unwrap(), 1);
        let over = [first, second].map(|w| w.ask(START).unwrap().answered(Answer::Ack, after(2)));
        store.save_changes(&over).await.unwrap();
        let (_, counts) = store.wave(wave.id).await.unwrap().unwrap();
        assert_eq!((counts.waiting, counts.over), (0, vec![("done", 2), ("aborted", 1)]));
        assert!(store.begin_asking(&ids).await.unwrap().is_empty(), "it is over");
        assert_eq!(store.abort_wave(wave.id, &By::cli("anna"), after(3)).await.unwrap(), WaveStep::Not("aborted"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_comes_in_its_order_and_not_to_who_is_busy() {
    for (store, _dir) in both().await {
        let one = |n: u64, nas: &str| life(SessionId::new(after(n)), "corp", nas, after(n), None);
        store
            .take_up_changes(None, vec![one(3, "a"), one(1, "b"), one(2, "a")], false, &By::server(), START)
            .await
            .unwrap();
        store.take_up_changes(None, vec![one(0, "c")], true, &By::server(), START).await.unwrap();
        let names = |all: Vec<Waiting>| all.into_iter().map(|w| w.order.nas_name).collect::<Vec<_>>();
        assert_eq!(names(due(&store, false, &[], after(2)).await), ["b", "a"], "what is due later is not");
        assert_eq!(names(due(&store, false, &[], after(9)).await), ["b", "a", "a"]);
        assert_eq!(names(due(&store, false, &["a"], after(9)).await), ["b"]);
        assert_eq!(names(due(&store, true, &[], after(9)).await), ["c"]);
        let flying: HashSet<_> = due(&store, false, &[], after(1)).await.iter().map(|w| w.order.id).collect();
        let next = store.due_changes(false, &[], &flying, 1, after(9)).await.unwrap();
        assert_eq!(names(next), ["a"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_is_held_let_go_stopped_and_forgotten() {
    for (store, _dir) in both().await {
        let wave = Wave {
            id: WaveId::new(START),
            trigger: "policy 1".into(),
            detail: "700 get something else".into(),
            created: START,
            begins: after(60),
            total: 700,
            live: 1000,
            aborted: None,
        };
        // More than one piece.
        let changes = (0..700).map(|_| match life(SessionId::new(START), "corp", "sw", START, Some(wave.id)) {
            Life::Waiting(waiting) => Life::Waiting(waiting.postpone(after(60))),
            over => over,
        });
        let added = store.take_up_changes(Some(&wave), changes.collect(), true, &By::server(), START).await.unwrap();
        assert_eq!(added, 700);
        assert!(due(&store, true, &[], after(59)).await.is_empty());
        let (found, counts) = store.wave(wave.id).await.unwrap().unwrap();
        assert_eq!((&found, counts.waiting, found.state(&counts, START)), (&wave, 700, "held"));
        let anna = By::cli("anna");
        assert_eq!(store.release_wave(wave.id, &anna, after(5)).await.unwrap(), WaveStep::Made(()));
        assert_eq!(store.release_wave(wave.id, &anna, after(5)).await.unwrap(), WaveStep::Not("running"));
        assert_eq!(store.release_wave(WaveId::new(START), &anna, after(5)).await.unwrap(), WaveStep::Missing);
        let released = due(&store, true, &[], after(5)).await;
        assert_eq!(released.len(), 100);
        let done: Vec<_> =
            released.into_iter().map(|w| w.ask(after(5)).unwrap().answered(Answer::Ack, after(6))).collect();
        store.save_changes(&done).await.unwrap();
        let made = WaveStep::Made(Stopped { stopped: 600, asking: 0 });
        assert_eq!(store.abort_wave(wave.id, &anna, after(7)).await.unwrap(), made);
        assert_eq!(store.abort_wave(wave.id, &anna, after(8)).await.unwrap(), WaveStep::Not("aborted"));
        assert_eq!(store.abort_wave(WaveId::new(after(1)), &anna, after(7)).await.unwrap(), WaveStep::Missing);
        let page = store.waves(None, 10).await.unwrap();
        let [(found, counts)] = page.items.as_slice() else { panic!("{page:?}") };
        assert_eq!(found.state(counts, after(8)), "aborted");
        assert_eq!((counts.waiting, counts.over.clone()), (0, vec![("done", 100), ("aborted", 600)]));
        // One event for all of it, and one for each thing that was done to it; none for what was refused.
        let filter = AuditFilter { object: Some(wave.id.to_string()), ..AuditFilter::default() };
        let told = store.audit_events(&filter, None, 10).await.unwrap().items;
        let told: Vec<_> = told.iter().map(|f| (f.entry.event.action.as_str(), f.entry.event.actor.as_str())).collect();
        assert_eq!(told, [("wave.abort", "anna"), ("wave.release", "anna"), ("wave.order", "server")]);
        assert_eq!(store.forget_changes(after(3600)).await.unwrap(), 700);
        assert!(store.wave(wave.id).await.unwrap().is_none());
    }
}

// By what a session is found to be due.

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_secs(since.as_secs() as i64)
}

const POLICY: &str = "@id(\"cameras\") @order(\"10\") @profile(\"iot\")\npermit (principal in Group::\"cameras\", \
                      action == Network::Action::\"connect\", resource);\n";
const CAMERA: &str = "[[identity]]\nname = \"camera\"\nkind = \"device\"\ngroups = [\"cameras\"]\n\
                      credentials = [{ mac = \"02-00-5E-00-00-10\" }]\n";
const IOT: &str = "[[profile]]\nname = \"iot\"\nvlan = 20\nfilter_id = \"cameras\"\n\
                   session_timeout_secs = 3600\nsession_timeout_jitter = 20\n";
const NAS: &str = "[[nas]]\nname = \"sw\"\naddress = \"192.0.2.0/24\"\nsecret = \"a-secret-of-some-length\"\n\
                   vendor = \"aruba-cx\"\nsite = \"hq\"\n";

fn snapshot(policy: &str, sections: &[&str]) -> Snapshot {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("policy.cedar"), policy).unwrap();
    let (pem, key) = (pki().path("server-p256.pem"), pki().path("server-p256.key"));
    let text = format!(
        "[tls]\ncertificate = {pem:?}\nkey = {key:?}\n[policy]\nfile = \"policy.cedar\"\n{}",
        sections.join("\n")
    );
    let source = Source { file: dir.path().join("cordon.toml"), text };
    let config = Config::parse(&source).unwrap_or_else(|e| panic!("{e}"));
    build(&config, &source, &Stored::default(), None, now()).unwrap_or_else(|e| panic!("{e}")).snapshot
}

/// The login of the camera, as it is recorded.
fn login(snapshot: Snapshot) -> Decision {
    let engine = Engine::new(
        snapshot,
        Arc::new(Metrics::new()),
        Duration::from_secs(60),
        Duration::ZERO,
        Tickets::new(&[7; 32]),
    );
    let mac = MacAddress::new([0x02, 0x00, 0x5e, 0x00, 0x00, 0x10]);
    let port = Port { secret: Secret::new(SECRET), mac, port_id: "1/0/7".into(), extra: vec![44, 4, b'4', b'2'] };
    let arrival = Arrival { source: "192.0.2.9:1024".parse().unwrap(), listener: 0, service: Service::Authentication };
    match engine.handle(&port.mab(1).unwrap(), arrival, now()) {
        Reply::AfterRecord { record: Record::Decision(decision), .. } => *decision,
        other => panic!("{other:?}"),
    }
}

/// A look at a session of whom nothing else is known.
fn looked(decision: &Decision, snapshot: &Snapshot) -> Look {
    let (posture, risks) = (PostureTable::default(), RiskTable::default());
    let known = Known { posture: &posture, risks: &risks, containments: &ContainmentTable::default() };
    look(decision, snapshot, &known, now())
}

fn differs(decision: &Decision, snapshot: &Snapshot) -> Difference {
    match looked(decision, snapshot).standing {
        Standing::Differs(difference) => *difference,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_session_would_come_to_now_is_told_from_its_record() {
    let decision = login(snapshot(POLICY, &[CAMERA, IOT, NAS]));
    let look = |policy: &str, sections: &[&str]| looked(&decision, &snapshot(policy, sections));
    assert_eq!(look(POLICY, &[CAMERA, IOT, NAS]).standing, Standing::Same);
    // Another session time is for the next login; a profile that is told alike is alike.
    assert_eq!(look(POLICY, &[CAMERA, &IOT.replace("3600", "600"), NAS]).standing, Standing::Same);
    let renamed = (POLICY.replace("iot", "things"), IOT.replace("iot", "things"));
    assert_eq!(look(&renamed.0, &[CAMERA, &renamed.1, NAS]).standing, Standing::Same);

    let vlan = differs(&decision, &snapshot(POLICY, &[CAMERA, &IOT.replace("20\nfilter", "30\nfilter"), NAS]));
    assert_eq!(vlan.goal, Goal::Move, "{vlan:?}");
    assert!(vlan.detail.contains("20 -> 30"), "{vlan:?}");
    let filter = differs(&decision, &snapshot(POLICY, &[CAMERA, &IOT.replace("\"cameras\"", "\"none\""), NAS]));
    assert_eq!(filter.goal, Goal::Move, "{filter:?}");
    assert_ne!(vlan.target, filter.target);

    // Over TLS a NAS has no address of its own.
    let over_tls =
        "[[nas]]\nname = \"sw\"\nradsec = { san_dns = \"sw.our.example\" }\nvendor = \"aruba-cx\"\nsite = \"hq\"\n";
    assert_eq!(look(POLICY, &[CAMERA, IOT, over_tls]).standing, Standing::Same);

    let mut targets = HashSet::new();
    for (policy, sections, reason) in [
        (
            POLICY.replace("permit", "forbid").replace("@order(\"10\") @profile(\"iot\")", ""),
            vec![CAMERA, IOT, NAS],
            Reason::PolicyDenied,
        ),
        (POLICY.replace("Group::\"cameras\"", "Group::\"others\""), vec![CAMERA, IOT, NAS], Reason::NoMatchingRule),
        (
            POLICY.into(),
            vec![&*CAMERA.replace("groups", "status = \"suspended\"\ngroups"), IOT, NAS],
            Reason::IdentitySuspended,
        ),
        (
            POLICY.into(),
            vec![&*CAMERA.replace("groups", "expires = 2026-01-01T00:00:00Z\ngroups"), IOT, NAS],
            Reason::IdentityExpired,
        ),
        (POLICY.into(), vec![IOT, NAS], Reason::NoMatchingRule),
    ] {
        let difference = differs(&decision, &snapshot(&policy, &sections));
        assert_eq!((difference.reason, &difference.goal), (Some(reason), &Goal::End), "{difference:?}");
        targets.insert(difference.target);
    }
    assert_eq!(targets.len(), 4, "who stops a change for one reason has said nothing about the next: {targets:?}");
    for nas in [NAS.replace("vendor", "mode = \"observe\"\nvendor"), NAS.replace("\"sw\"", "\"other\"")] {
        assert!(matches!(look(POLICY, &[CAMERA, IOT, &nas]).standing, Standing::LeftAlone(_)), "{nas}");
    }
    let later = now() + Duration::from_secs(3600);
    let expires = CAMERA.replace("groups", &format!("expires = \"{later}\"\ngroups"));
    assert_eq!(look(POLICY, &[&expires, IOT, NAS]).until, Some(later));
}

fn session(decision: &Decision) -> Session {
    let key = SessionKey {
        nas_name: decision.nas_name.clone(),
        device: "192.0.2.9".into(),
        acct_session_id: "42".into(),
        station: decision.mac.clone().unwrap(),
    };
    Session::let_in(SessionId::new(decision.at), key, 0, decision)
}

#[test]
fn a_change_is_told_to_where_the_session_came_from_unless_the_configuration_says_otherwise() {
    let decision = login(snapshot(POLICY, &[CAMERA, IOT, NAS]));
    let session = session(&decision);
    let told = |nas: &str| tell(&Wish::Disconnect, &session, &snapshot(POLICY, &[CAMERA, IOT, nas]));
    let plain = told(NAS).unwrap();
    assert_eq!(
        plain.udp.map(|(to, secret)| (to.to_string(), secret)),
        Ok(("192.0.2.9:3799".into(), Secret::new(SECRET)))
    );
    let other =
        told(&format!("{NAS}coa = {{ port = 1700, address = \"198.51.100.1\", secret = \"another-secret\" }}\n"));
    let other = other.unwrap();
    assert_eq!(
        other.udp.map(|(to, secret)| (to.to_string(), secret)),
        Ok(("198.51.100.1:1700".into(), Secret::new("another-secret")))
    );
    for (nas, part) in [
        (format!("{NAS}coa = false\n"), "takes no changes"),
        (NAS.replace("192.0.2.0/24", "198.51.100.7"), "from no address that is its own now"),
        (NAS.replace("\"sw\"", "\"other\""), "not configured any more"),
    ] {
        let error = told(&nas).and_then(|told| told.udp).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let words = tell(
        &Wish::Role("staff".into()),
        &session,
        &snapshot(POLICY, &[CAMERA, IOT, &NAS.replace("aruba-cx", "standard")]),
    );
    assert!(words.unwrap_err().contains("cannot be told to change_role"));
    let unnamed = told(&NAS.replace("aruba-cx", "cisco-ios")).unwrap_err();
    assert!(unnamed.contains("needs audit_session_id") && unnamed.contains("let the switch send"), "{unnamed}");
}

#[test]
fn the_same_is_not_asked_for_again_until_there_is_reason_to() {
    let decision = login(snapshot(POLICY, &[CAMERA, IOT, NAS]));
    let mut session = session(&decision);
    let began = decision.at;
    let at = |secs| began + Duration::from_secs(secs);
    let target = Target("denied".into());
    let waiting = |wish: &Wish| {
        let Life::Waiting(waiting) = life(session.id, "denied", "sw", began, None) else { panic!("over") };
        match Life::begin(waiting.order, vec![wish.clone()], began) {
            Life::Waiting(waiting) => waiting,
            Life::Over(over) => panic!("{over:?}"),
        }
    };
    let over = |wish: &Wish, answer| waiting(wish).ask(began).unwrap().answered(answer, began);
    let [done, gone, refused] =
        [Answer::Ack, Answer::Nak(Some(503)), Answer::Nak(Some(501))].map(|a| over(&Wish::Disconnect, a));
    let end = |ending| Life::Over(waiting(&Wish::Disconnect).end(ending, began));
    let open = Life::Waiting(waiting(&Wish::Disconnect));
    let corp = Target("corp".into());
    fn wanted<'a>(session: &'a Session, target: &'a Target, judged: bool) -> Wanted<'a> {
        Wanted { session, target, judged }
    }
    let is = |session: &Session, life: &Life, secs| is_due(Some(life), wanted(session, &target, true), true, at(secs));

    assert!(is_due(None, wanted(&session, &target, true), true, began));
    assert!(is_due(Some(&done), wanted(&session, &corp, true), true, began), "something else is wanted");
    assert!(!is(&session, &open, 9_999), "it is on its way");
    let behind = life(session.id, "denied", "sw", began, Some(WaveId::new(began)));
    assert!(is(&session, &behind, 0), "who is alone need not wait for the others");
    assert!(!is_due(Some(&behind), wanted(&session, &target, true), false, began));
    assert!(!is(&session, &end(Ending::Aborted), 9_999), "somebody stopped it");
    assert!(is(&session, &end(Ending::Moot), 0) && is(&session, &end(Ending::Superseded), 0));
    assert!(!is(&session, &refused, 599) && is(&session, &refused, 600));
    for life in [&done, &gone] {
        assert!(!is(&session, life, 9_999), "nothing was heard of it since: it is over");
    }
    // Who was disconnected is not there any more, whatever else would be wanted of it.
    let mut ended = done.clone();
    ended.order_mut().decision = session.decision();
    let other = |session: &Session, secs| is_due(Some(&ended), wanted(session, &corp, true), true, at(secs));
    assert!(!other(&session, 3_599) && other(&session, 3_600));
    // Who came back by another login than the one that was ended, before this was wanted of them, is asked at once; who got
    // the wrong thing by the rules of now would only get it again.
    for life in [&done, &gone, &refused] {
        assert!(is_due(Some(life), wanted(&session, &target, false), true, at(1)), "{life:?}");
        let mut of_this_login = life.clone();
        of_this_login.order_mut().decision = session.decision();
        assert!(!is_due(Some(&of_this_login), wanted(&session, &target, false), true, at(1)), "{life:?}");
    }
    assert!(!is_due(Some(&end(Ending::Aborted)), wanted(&session, &target, false), true, at(1)), "somebody stopped it");
    session.last_at = at(700);
    assert!(other(&session, 800), "it goes on");
    for life in [&done, &gone] {
        assert!(!is(&session, life, 500) && is(&session, life, 9_999), "it goes on, whatever its NAS said");
    }
}
