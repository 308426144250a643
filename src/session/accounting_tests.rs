use super::*;
use crate::audit::decision::class_of;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_unix_secs(1_764_000_000);
const NAS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn read(attributes: &[(u8, &[u8])]) -> Result<AccountingRecord, AccountingError> {
    read_at(attributes, "sw1", NOW)
}

fn read_at(attributes: &[(u8, &[u8])], nas: &str, now: Timestamp) -> Result<AccountingRecord, AccountingError> {
    let octets = attributes.iter().flat_map(|(kind, value)| {
        let header = [*kind, u8::try_from(value.len() + 2).unwrap()];
        header.into_iter().chain(value.iter().copied())
    });
    AccountingRecord::from_octets(&octets.collect::<Vec<u8>>(), nas, NAS, now)
}

const START: (u8, &[u8]) = (attr::ACCT_STATUS_TYPE, &[0, 0, 0, 1]);
const ON: (u8, &[u8]) = (attr::ACCT_STATUS_TYPE, &[0, 0, 0, 7]);
const ID: (u8, &[u8]) = (attr::ACCT_SESSION_ID, b"s1");

#[test]
fn reads_what_a_switch_sends() {
    let decision = DecisionId::new(NOW);
    let class = class_of(decision);
    let stamp = (1_763_999_990_u32).to_be_bytes();
    let r = read(&[
        (attr::ACCT_STATUS_TYPE, &[0, 0, 0, 2]),
        ID,
        (attr::USER_NAME, b"laptop-1\xff"),
        (attr::CALLING_STATION_ID, b"02-00-5e-00-00-01"),
        (attr::NAS_PORT, &[0, 0, 0, 7]),
        (attr::FRAMED_IP_ADDRESS, &[192, 0, 2, 9]),
        (attr::ACCT_INPUT_OCTETS, &[0, 0, 0, 5]),
        (attr::ACCT_INPUT_GIGAWORDS, &[0, 0, 0, 1]),
        (attr::ACCT_OUTPUT_OCTETS, &[0xff; 4]),
        (attr::ACCT_OUTPUT_GIGAWORDS, &[0xff; 4]),
        (attr::ACCT_SESSION_TIME, &[0, 0, 0, 60]),
        (attr::ACCT_TERMINATE_CAUSE, &[0, 0, 0, 1]),
        (attr::CLASS, b"somebody else's"),
        (attr::CLASS, class.as_bytes()),
        (attr::EVENT_TIMESTAMP, &stamp),
    ])
    .unwrap();
    assert_eq!(r.status, AccountingStatus::Stop);
    assert_eq!(r.user_name.as_deref(), Some("laptop-1\\xff"));
    assert_eq!(r.mac.as_deref(), Some("02-00-5E-00-00-01"));
    assert_eq!(r.names.port().as_deref(), Some("7"));
    assert_eq!(r.framed_ip.as_deref(), Some("192.0.2.9"));
    assert_eq!((r.input_octets, r.output_octets), (Some((1 << 32) + 5), Some(u64::MAX)));
    assert_eq!((r.input_is_wide, r.input_packets), (true, None));
    assert_eq!(r.class, Some(decision));
    assert_eq!(r.event_time, Timestamp::from_unix_secs(1_763_999_990));
    assert_eq!(r.key().unwrap().station, "02-00-5E-00-00-01");
    assert_eq!(&r.digest[..4], &stamp);
}

#[test]
fn refuses_what_tells_nothing() {
    assert_eq!(read(&[ID]), Err(AccountingError::NoStatus));
    assert_eq!(read(&[(attr::ACCT_STATUS_TYPE, &[1]), ID]), Err(AccountingError::NoStatus));
    assert_eq!(read(&[START]), Err(AccountingError::NoSessionId));
    assert_eq!(read(&[START, (attr::ACCT_SESSION_ID, b"")]), Err(AccountingError::NoSessionId));
    assert_eq!(read(&[ON]).unwrap().key(), None);
    assert_eq!(read(&[(attr::ACCT_STATUS_TYPE, &[0, 0, 0, 15])]).unwrap().status, AccountingStatus::Other(15));
}

#[test]
fn a_clock_that_cannot_be_right_is_not_believed() {
    let at = |stamp: u32, delay: u32| {
        let (stamp, delay) = (stamp.to_be_bytes(), delay.to_be_bytes());
        read(&[START, ID, (attr::EVENT_TIMESTAMP, &stamp), (attr::ACCT_DELAY_TIME, &delay)]).unwrap().event_time
    };
    assert_eq!(at(0, 5), NOW - Duration::from_secs(5));
    assert_eq!(at(u32::MAX, 0), NOW);
    assert_eq!(at(0, u32::MAX), NOW - Duration::from_secs(MAX_DELAY_SECS.into()));
    assert_eq!(at(1_763_990_000, 5), Timestamp::from_unix_secs(1_763_990_000));
}

#[test]
fn the_same_record_sent_again_has_the_same_digest() {
    let first = read(&[START, ID]).unwrap();
    let again = read_at(
        &[
            START,
            ID,
            (attr::ACCT_DELAY_TIME, &[0, 0, 0, 9]),
            (attr::PROXY_STATE, b"p"),
            (attr::MESSAGE_AUTHENTICATOR, &[7; 16]),
        ],
        "sw1",
        NOW + Duration::from_secs(9),
    );
    assert_eq!(first.digest, again.unwrap().digest);
    for other in [
        read(&[START, (attr::ACCT_SESSION_ID, b"s2")]),
        read_at(&[START, ID], "sw2", NOW),
        read(&[START, ID, (attr::USER_NAME, b"")]),
        // The same octets, cut differently.
        read(&[START, (attr::ACCT_SESSION_ID, b"s"), (b'1', b"")]),
    ] {
        assert_ne!(first.digest, other.unwrap().digest);
    }
}

#[test]
fn undated_restarts_are_told_apart_by_when_they_were_sent() {
    let later = NOW + Duration::from_secs(60);
    let first = read(&[ON]).unwrap();
    let repeated = read_at(&[ON, (attr::ACCT_DELAY_TIME, &[0, 0, 0, 60])], "sw1", later).unwrap();
    let second = read_at(&[ON], "sw1", later).unwrap();
    assert_eq!(first.digest, repeated.digest);
    assert_ne!(first.digest, second.digest);
}

proptest! {
    #[test]
    fn no_attributes_make_it_panic(
        attributes in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..=253)), 0..40),
        status in 0_u32..20,
        now in any::<i64>(),
    ) {
        let status = status.to_be_bytes();
        let mut list: Vec<(u8, &[u8])> = vec![(attr::ACCT_STATUS_TYPE, &status)];
        list.extend(attributes.iter().map(|(k, v)| (*k, v.as_slice())));
        if let Ok(r) = read_at(&list, "n", Timestamp::from_micros(now)) {
            let session_id = r.names.acct_session_id.unwrap_or_default();
            prop_assert!(!session_id.contains('\0') && session_id.len() <= 1012);
        }
    }
}
