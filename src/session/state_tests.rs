use super::*;
use proptest::prelude::*;

const T0: i64 = 1_764_000_000;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix_secs(T0 + secs)
}

/// A record of `status` at `secs`, with counters that grow with the time.
fn record(status: AccountingStatus, secs: i64) -> AccountingRecord {
    AccountingRecord {
        received: at(secs),
        event_time: at(secs),
        nas_name: "sw1".into(),
        nas_address: IpAddr::from([192, 0, 2, 1]),
        names: SessionNames {
            device: "192.0.2.1".into(),
            acct_session_id: Some("s1".into()),
            ..SessionNames::default()
        },
        status,
        user_name: None,
        calling_station: None,
        called_station: None,
        mac: Some("02-00-5E-00-00-01".into()),
        nas_port_type: None,
        framed_ip: None,
        framed_ipv6: None,
        input_octets: Some(secs as u64 * 100),
        input_is_wide: true,
        output_octets: Some(secs as u64 * 1000),
        output_is_wide: true,
        input_packets: Some(secs as u64),
        output_packets: Some(secs as u64),
        session_time: Some(secs as u32),
        terminate_cause: (status == AccountingStatus::Stop).then_some(1),
        class: None,
        clues: Vec::new(),
        attributes: Vec::new(),
        digest: [0; 32],
    }
}

fn session(first: &AccountingRecord) -> Session {
    let id = SessionId::from_bytes([1; 16]);
    Session::new(id, first.key().unwrap(), 0, first)
}

use AccountingStatus::{Interim, Start, Stop};

#[test]
fn a_stop_alone_makes_a_complete_session() {
    let s = session(&record(Stop, 60));
    assert_eq!(s.state(), SessionState::Stopped);
    assert_eq!((s.started_at(), s.stopped_at()), (at(0), Some(at(60))));
    assert_eq!(s.terminate_cause().as_deref(), Some("User-Request"));
    assert_eq!(s.counters().input_octets(), 6000);
}

#[test]
fn a_late_interim_takes_nothing_back() {
    let mut s = session(&record(Start, 0));
    s.merge(&record(Interim, 120));
    let before = (s.counters().clone(), s.last_at, s.started_at(), s.state());
    s.merge(&record(Interim, 60));
    assert_eq!((s.counters().clone(), s.last_at, s.started_at(), s.state()), before);
    s.merge(&record(Stop, 180));
    s.merge(&record(Interim, 150));
    assert_eq!((s.state(), s.counters().session_time()), (SessionState::Stopped, 180));
}

#[test]
fn what_start_says_wins_over_what_others_imply() {
    let mut s = session(&record(Interim, 60));
    assert_eq!(s.started_at(), at(0));
    s.merge(&record(Start, 3));
    assert_eq!(s.started_at(), at(3));
}

#[test]
fn a_restart_ends_what_has_nothing_later_to_tell() {
    let mut s = session(&record(Interim, 60));
    s.nas_restarted(at(50));
    assert_eq!(s.state(), SessionState::Active);
    s.nas_restarted(at(200));
    s.nas_restarted(at(100));
    s.nas_restarted(at(300));
    assert_eq!((s.stopped_at(), s.terminate_cause().as_deref()), (Some(at(100)), Some("NAS-Reboot")));
    s.merge(&record(Interim, 150));
    assert_eq!(s.state(), SessionState::Active, "it was still there after that restart");
    s.merge(&record(Stop, 90));
    assert_eq!(s.terminate_cause().as_deref(), Some("User-Request"));
}

#[test]
fn only_a_start_after_the_end_reuses_the_id() {
    let mut s = session(&record(Start, 0));
    assert!(!s.is_reused_by(&record(Start, 500)), "it has not ended");
    s.merge(&record(Stop, 60));
    assert!(!s.is_reused_by(&record(Start, 60)));
    assert!(!s.is_reused_by(&record(Interim, 500)));
    assert!(s.is_reused_by(&record(Start, 61)));
}

#[test]
fn causes_have_their_names() {
    assert_eq!(terminate_cause_name(0), None);
    assert_eq!(terminate_cause_name(1), Some("User-Request"));
    assert_eq!(terminate_cause_name(NAS_REBOOT), Some("NAS-Reboot"));
    assert_eq!(terminate_cause_name(19), Some("Supplicant-Restart"));
    assert_eq!(terminate_cause_name(22), Some("Port-Disabled"));
    assert_eq!(terminate_cause_name(u32::MAX), None);
}

/// A session's life, each record telling some of the optional things.
fn life() -> impl Strategy<Value = Vec<AccountingRecord>> {
    let optional = || proptest::option::of("[a-c]");
    let one = (0_i64..300, optional(), optional(), proptest::option::of(0_u8..3));
    proptest::collection::vec(one, 1..6).prop_map(|list| {
        let mut out = vec![record(Start, 0)];
        for (secs, user, ip, class) in list {
            let mut r = record(Interim, secs);
            (r.user_name, r.framed_ip) = (user, ip);
            r.class = class.map(|c| DecisionId::from_bytes([c; 16]));
            out.push(r);
        }
        out.push(record(Stop, 300));
        out
    })
}

proptest! {
    #[test]
    fn any_order_and_repetition_ends_in_the_same_session(
        (records, shuffled) in life().prop_flat_map(|records| {
            let twice: Vec<_> = records.iter().chain(&records).cloned().collect();
            (Just(records), Just(twice).prop_shuffle())
        }),
    ) {
        let fold = |list: &[AccountingRecord]| {
            let mut s = session(&list[0]);
            for r in list {
                assert!(!s.is_reused_by(r));
                s.merge(r);
            }
            s
        };
        prop_assert_eq!(fold(&records), fold(&shuffled));
    }

    #[test]
    fn details_survive_storing(records in life()) {
        let mut s = session(&records[0]);
        records.iter().for_each(|r| s.merge(r));
        let text = serde_json::to_string(&s.details).unwrap();
        prop_assert_eq!(serde_json::from_str::<SessionDetails>(&text).unwrap(), s.details);
    }
}
