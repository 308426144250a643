//! How decisions and records find their sessions.

use super::*;
use crate::audit::reason::Reason;
use crate::session::SessionState;
use crate::session::names::SessionNames;
use std::net::IpAddr;

const NAS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const MAC: &str = "02-00-5E-00-00-01";

fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix_secs(1_764_000_000 + secs)
}

fn accepted(secs: i64, names: SessionNames) -> Decision {
    let id = DecisionId::new(at(secs));
    Decision {
        id,
        at: at(secs),
        outcome: DecisionOutcome::Accept,
        reason: Reason::Accepted,
        detail: String::new(),
        method: "eap-tls".into(),
        nas_name: "sw1".into(),
        nas_address: NAS,
        nas_port: names.port(),
        names,
        calling_station: Some(MAC.into()),
        mac: Some(MAC.into()),
        called_station: None,
        outer_identity: None,
        identity: None,
        profile: Some("corp".into()),
        policies: Vec::new(),
        policy_revision: String::new(),
        facts: Vec::new(),
        reply: vec![("Session-Timeout".into(), "3600".into())],
        warnings: Vec::new(),
        rounds: 1,
        duration_us: 0,
        course: Default::default(),
        class: Some(class_of(id)),
        enforced: true,
    }
}

fn names(device: &str, acct_session_id: Option<&str>, port: &str) -> SessionNames {
    SessionNames {
        device: device.into(),
        acct_session_id: acct_session_id.map(str::to_owned),
        nas_port_id: Some(port.into()),
        ..SessionNames::default()
    }
}

/// A record of a device at a port, with further attributes.
fn record(status: u8, device: &str, session: &str, secs: i64, more: &[(u8, &[u8])]) -> AccountingRecord {
    let time = u32::try_from(at(secs).unix_secs()).unwrap().to_be_bytes();
    let status = [0, 0, 0, status];
    let first: [(u8, &[u8]); 5] =
        [(40, &status), (44, session.as_bytes()), (55, &time), (31, MAC.as_bytes()), (32, device.as_bytes())];
    let all = first.iter().chain(more);
    let octets: Vec<u8> = all.flat_map(|(k, v)| [&[*k, v.len() as u8 + 2], *v].concat()).collect();
    AccountingRecord::from_octets(&octets, "sw1", NAS, at(secs)).unwrap()
}

const START: u8 = 1;
const STOP: u8 = 2;
const INTERIM: u8 = 3;

fn states(live: &LiveSessions) -> Vec<(String, SessionState)> {
    let mut all: Vec<_> = live.iter().map(|s| (s.key.acct_session_id.clone(), s.state())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn a_login_and_the_accounting_that_names_it_by_class_are_one_session() {
    let mut live = LiveSessions::default();
    let decision = accepted(0, names("a", None, "1"));
    live.decided(&decision);
    assert_eq!(live.iter().map(Session::state).collect::<Vec<_>>(), [SessionState::Authenticated]);
    let class = class_of(decision.id);
    let more: &[(u8, &[u8])] = &[(25, class.as_bytes())];
    let counted = live.told(&record(START, "a", "7", 1, more)).unwrap();
    assert!(counted.began);
    live.told(&record(INTERIM, "a", "7", 60, &[more, &[(42, &[0, 0, 1, 0])]].concat()));
    let all: Vec<_> = live.changes();
    assert_eq!(all.len(), 1);
    let session = &all[0];
    assert_eq!((session.state(), session.key.acct_session_id.as_str()), (SessionState::Active, "7"));
    assert_eq!((session.profile(), session.decision()), (Some("corp"), Some(decision.id)));
    assert_eq!(session.session_timeout(), Some(3600));
    assert!(live.changes().is_empty(), "it was taken");
}

#[test]
fn without_a_class_it_is_the_endpoint_at_the_port() {
    let mut live = LiveSessions::default();
    live.decided(&accepted(0, names("a", None, "1")));
    live.told(&record(START, "a", "7", 1, &[(87, b"1")]));
    assert_eq!(states(&live), [("7".into(), SessionState::Started)]);
}

#[test]
fn a_session_that_logs_in_again_is_the_same() {
    let mut live = LiveSessions::default();
    live.decided(&accepted(0, names("a", Some("7"), "1")));
    live.told(&record(START, "a", "7", 1, &[]));
    let again = accepted(3600, names("a", Some("7"), "1"));
    live.decided(&again);
    // Read again from the journal.
    live.decided(&again);
    assert_eq!(states(&live), [("7".into(), SessionState::Started)]);
    assert_eq!(live.iter().next().unwrap().decision(), Some(again.id));
    // Without a name it is found by its port.
    let third = accepted(7200, names("a", None, "1"));
    live.decided(&third);
    assert_eq!((live.len(), live.iter().next().unwrap().decision()), (1, Some(third.id)));
}

#[test]
fn a_new_session_takes_the_place_of_one_whose_stop_was_lost() {
    let mut live = LiveSessions::default();
    live.told(&record(START, "a", "1", 0, &[]));
    live.told(&record(INTERIM, "a", "1", 600, &[]));
    live.told(&record(START, "a", "2", 700, &[]));
    assert_eq!(states(&live), [("1".into(), SessionState::Inferred), ("2".into(), SessionState::Started)]);
    // Its Stop comes late after all.
    live.told(&record(STOP, "a", "1", 650, &[]));
    assert_eq!(states(&live)[0].1, SessionState::Stopped);
    // One that goes on is no earlier one.
    live.told(&record(INTERIM, "a", "2", 1300, &[]));
    live.told(&record(START, "a", "0", 500, &[]));
    assert_eq!(
        states(&live),
        [("0".into(), SessionState::Inferred), ("1".into(), SessionState::Stopped), ("2".into(), SessionState::Active)]
    );
}

#[test]
fn roaming_is_one_stay_by_multi_session_id_or_by_class() {
    let mut live = LiveSessions::default();
    let decision = accepted(0, names("ap1", None, "1"));
    let class = class_of(decision.id);
    live.decided(&decision);
    live.told(&record(START, "ap1", "1", 1, &[(25, class.as_bytes()), (50, b"stay")]));
    live.told(&record(STOP, "ap1", "1", 100, &[(25, class.as_bytes()), (50, b"stay")]));
    live.told(&record(START, "ap2", "1", 101, &[(50, b"stay")]));
    live.told(&record(START, "ap3", "9", 200, &[(25, class.as_bytes())]));
    let stays: HashSet<SessionId> = live.iter().map(|s| s.stay).collect();
    assert_eq!((live.len(), stays.len()), (3, 1), "{live:#?}");
    assert_eq!(live.iter().filter(|s| s.profile() == Some("corp")).count(), 2, "what it was let in as roams along");
    live.told(&record(START, "ap4", "9", 300, &[(50, b"another")]));
    assert_eq!(live.iter().map(|s| s.stay).collect::<HashSet<_>>().len(), 2);
}

#[test]
fn a_restart_of_one_device_ends_its_sessions_alone() {
    let mut live = LiveSessions::default();
    live.told(&record(START, "a", "1", 0, &[]));
    live.told(&record(START, "b", "2", 0, &[]));
    live.changes();
    live.told(&record(7, "a", "", 60, &[]));
    assert_eq!(states(&live), [("1".into(), SessionState::Stopped), ("2".into(), SessionState::Started)]);
    assert_eq!(live.changes().len(), 1);
}

#[test]
fn what_has_ended_and_was_taken_is_forgotten_after_a_while() {
    let mut live = LiveSessions::default();
    live.told(&record(START, "a", "1", 0, &[(50, b"m")]));
    live.told(&record(STOP, "a", "1", 60, &[(50, b"m")]));
    let much_later = at(60) + LINGER;
    live.sweep(much_later, LINGER);
    assert_eq!(live.len(), 1, "it is not stored yet");
    live.changes();
    live.sweep(much_later, LINGER);
    assert!(live.is_empty() && live.by_key.is_empty() && live.by_station.is_empty() && live.by_stay.is_empty());
    let late = record(INTERIM, "a", "1", 30, &[]);
    assert_eq!(
        live.unknown([&late].into_iter(), [].into_iter()).len(),
        1,
        "a late record looks for it in the database"
    );
}

#[test]
fn a_timeout_that_was_granted_is_longer_than_silence() {
    let mut live = LiveSessions::default();
    let mut decision = accepted(0, names("a", None, "1"));
    decision.reply = vec![("Session-Timeout".into(), "100000".into())];
    live.decided(&decision);
    live.sweep(at(90_000), Duration::from_secs(86_400));
    assert_eq!(live.iter().next().unwrap().state(), SessionState::Authenticated);
    live.sweep(at(100_001), Duration::from_secs(86_400));
    assert_eq!(live.iter().next().unwrap().inference(), Some(Inference::Silent));
}

#[test]
fn who_was_refused_has_no_session() {
    let mut live = LiveSessions::default();
    let refused = Decision { outcome: DecisionOutcome::Reject, class: None, ..accepted(0, names("a", None, "1")) };
    live.decided(&refused);
    live.decided(&Decision { method: NO_SESSION.into(), ..accepted(0, names("a", None, "1")) });
    assert!(live.is_empty());
    // At a switch that is only observed it was let in all the same.
    live.decided(&Decision { outcome: DecisionOutcome::Reject, enforced: false, ..accepted(0, names("a", None, "1")) });
    assert_eq!(live.len(), 1);
}

#[test]
fn what_comes_late_is_told_of_the_stay_that_it_was_in() {
    let mut live = LiveSessions::default();
    let octets = |n: u8| [0, 0, 0, n];
    live.told(&record(START, "a", "1", 0, &[]));
    // The NAS restarted without a word, and counts from 1 again.
    live.told(&record(START, "a", "1", 1_000, &[]));
    live.told(&record(INTERIM, "a", "1", 1_600, &[(46, &[0, 0, 2, 88]), (42, &octets(7))]));
    live.told(&record(INTERIM, "a", "1", 600, &[(46, &[0, 0, 2, 88]), (42, &octets(200))]));
    // And a Stop of one whose Start was lost.
    live.told(&record(STOP, "a", "1", 700, &[(46, &[0, 0, 0, 20]), (42, &octets(9))]));
    let mut all: Vec<_> = live.iter().map(|s| (s.started_at(), s.counters().input_octets(), s.reuse)).collect();
    all.sort();
    assert_eq!(all, [(at(0), 200, 0), (at(680), 9, 2), (at(1_000), 7, 1)], "{live:#?}");
    assert_eq!(live.unknown([&record(INTERIM, "a", "1", 900, &[])].into_iter(), [].into_iter()).len(), 1);
    live.changes();
    live.sweep(at(200_000), LINGER);
    live.changes();
    live.sweep(at(200_000), LINGER);
    assert!(live.is_empty() && live.earlier.is_empty() && live.by_key.is_empty());
}

#[test]
fn a_restart_ends_what_is_told_late_of_before() {
    let mut live = LiveSessions::default();
    live.told(&record(7, "a", "", 60, &[]));
    live.told(&record(START, "a", "1", 0, &[]));
    live.told(&record(START, "a", "2", 90, &[]));
    assert_eq!(states(&live), [("1".into(), SessionState::Stopped), ("2".into(), SessionState::Started)]);
    for n in 0..100 {
        live.told(&record(7, "a", "", 100 + n, &[]));
    }
    assert_eq!(live.restarts.values().map(Vec::len).collect::<Vec<_>>(), [MAX_RESTARTS]);
}

#[test]
fn a_login_that_is_repeated_before_accounting_begins_is_one_session() {
    let mut live = LiveSessions::default();
    live.decided(&accepted(0, names("a", None, "1")));
    let again = accepted(3, names("a", None, "1"));
    live.decided(&again);
    live.told(&record(START, "a", "7", 4, &[(25, class_of(again.id).as_bytes())]));
    assert_eq!(states(&live), [("7".into(), SessionState::Started)]);
}

#[test]
fn a_login_at_a_new_place_belongs_to_the_stay_and_a_name_that_was_used_is_numbered() {
    let mut live = LiveSessions::default();
    live.told(&record(START, "ap1", "1", 0, &[(50, b"stay")]));
    live.told(&record(STOP, "ap1", "1", 90, &[(50, b"stay")]));
    let multi = SessionNames { multi_session_id: Some("stay".into()), ..names("ap1", None, "1") };
    let decision = accepted(100, multi);
    live.decided(&decision);
    live.told(&record(START, "ap1", "1", 101, &[(25, class_of(decision.id).as_bytes()), (50, b"stay")]));
    let mut reuses: Vec<_> = live.iter().map(|s| s.reuse).collect();
    reuses.sort_unstable();
    assert_eq!((reuses, live.iter().map(|s| s.stay).collect::<HashSet<_>>().len()), (vec![0, 1], 1), "{live:#?}");
    // What is only in the database is looked for there.
    let elsewhere = record(START, "ap3", "4", 200, &[(50, b"another stay")]);
    assert_eq!(live.wanted_stays([&elsewhere].into_iter(), [].into_iter()), [(MAC, at(200))]);
    let named = accepted(300, names("b", Some("x"), "1"));
    assert_eq!(live.unknown([].into_iter(), [&named].into_iter()).len(), 1);
}

#[test]
fn one_that_was_let_in_elsewhere_is_where_it_is_told_of() {
    let mut live = LiveSessions::default();
    let decision = accepted(0, names("ap1", None, "1"));
    live.decided(&decision);
    live.told(&record(START, "ap2", "1", 1, &[(25, class_of(decision.id).as_bytes())]));
    let stations: Vec<_> = live.by_station.keys().map(|(_, device, _)| device.as_str()).collect();
    assert_eq!((live.len(), stations), (1, vec!["ap2"]), "{live:#?}");
}

#[test]
fn a_nas_that_makes_sessions_up_crowds_out_its_own() {
    let mut live = LiveSessions::default();
    let mut decision = accepted(0, names("a", None, "1"));
    decision.nas_name = "honest".into();
    live.decided(&decision);
    // Each of a station of its own, and all told as of tomorrow.
    for n in 0..100 {
        live.keep_to(20);
        let station = format!("02-00-5E-00-01-{n:02X}");
        live.told(&AccountingRecord { mac: Some(station), ..record(START, "b", &format!("{n}"), 86_000, &[]) });
        live.changes();
    }
    assert!(live.len() <= 22, "{}", live.len());
    assert_eq!(live.iter().filter(|s| s.key.nas_name == "honest" && s.state().is_live()).count(), 1);
}

#[test]
fn an_end_for_silence_that_a_wrong_clock_concluded_is_void_when_the_session_tells_of_itself() {
    let mut live = LiveSessions::default();
    live.told(&record(START, "a", "1", 0, &[]));
    live.sweep(at(100_000_000), Duration::from_secs(86_400));
    assert_eq!(states(&live)[0].1, SessionState::Inferred);
    live.told(&record(INTERIM, "a", "1", 300, &[]));
    assert_eq!(states(&live)[0].1, SessionState::Active);
}

#[test]
fn sessions_of_one_station_that_are_dated_ahead_do_not_pile_up() {
    let mut live = LiveSessions::default();
    for n in 0..100 {
        live.told(&record(START, "a", &format!("{n}"), n, &[]));
        // None of these was silent since the next one began.
        live.told(&record(INTERIM, "a", &format!("{n}"), 86_000 + n, &[]));
    }
    let going_on = live.iter().filter(|s| s.state().is_live()).count();
    assert_eq!(going_on, MAX_AT_STATION);
    assert!(live.by_station.values().all(|ids| ids.len() == going_on));
    // The latest is among them.
    assert!(live.iter().any(|s| s.key.acct_session_id == "99" && s.state().is_live()));
}

#[test]
fn a_restart_ends_the_sessions_of_its_device_alone() {
    let mut live = LiveSessions::default();
    for (device, session) in [("a", "1"), ("a", "2"), ("b", "3")] {
        let station = Some(format!("02-00-5E-00-00-0{session}"));
        live.told(&AccountingRecord { mac: station, ..record(START, device, session, 0, &[]) });
    }
    live.told(&record(7, "a", "", 10, &[]));
    let states = states(&live).into_iter().map(|(_, state)| state).collect::<Vec<_>>();
    assert_eq!(states, [SessionState::Stopped, SessionState::Stopped, SessionState::Started]);
    live.sweep(at(100_000), Duration::from_secs(1));
    live.changes();
    live.sweep(at(100_000), Duration::from_secs(1));
    assert!(live.by_device.is_empty(), "{:?}", live.by_device);
}
