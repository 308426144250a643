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
    let mut silent = session(&record(Interim, 60));
    silent.close(at(1_000), Inference::Silent);
    silent.nas_restarted(at(5_000));
    assert_eq!(silent.stopped_at(), Some(at(60)), "it had ended by then");
}

#[test]
fn what_began_after_all_that_was_told_is_another_stay_of_the_same_id() {
    let begun = |status, secs, lasted| AccountingRecord { session_time: Some(lasted), ..record(status, secs) };
    let mut s = session(&record(Start, 0));
    s.merge(&record(Interim, 40));
    // The NAS restarted without a word, or the Start was sent again.
    assert!(s.is_reused_by(&record(Start, 500)));
    assert!(!s.is_reused_by(&record(Start, 45)));
    assert!(!s.is_reused_by(&begun(Interim, 500, 500)) && s.is_reused_by(&begun(Interim, 500, 300)));
    assert!(!s.is_reused_by(&begun(Interim, 500, 0)), "it never counts");
    s.merge(&record(Stop, 60));
    assert!(!s.is_reused_by(&record(Start, 60)));
    assert!(!s.is_reused_by(&record(Interim, 500)));
    assert!(s.is_reused_by(&record(Start, 61)) && s.is_reused_by(&begun(Stop, 500, 430)));
}

#[test]
fn what_was_before_the_beginning_is_of_an_earlier_stay() {
    let mut s = session(&AccountingRecord { session_time: Some(60), ..record(Interim, 1_060) });
    assert!(!s.is_later_than(&record(Start, 980)), "how long it lasted may be counted from later on");
    assert!(s.is_later_than(&record(Interim, 600)));
    s.merge(&record(Start, 1_000));
    assert!(s.is_later_than(&record(Start, 980)) && !s.is_later_than(&record(Start, 996)));
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
