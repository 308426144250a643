use super::*;
use crate::radius::authenticator::verify_request;
use crate::radius::builder::RequestBuilder;
use crate::radius::packet::Code;
use crate::secret::Secret;

const ENOUGH: Baseline = Baseline { requests: MIN_REQUESTS, span: MIN_SPAN };

fn at(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(1_764_000_000) + Duration::from_secs(secs)
}

fn usual() -> Said<'static> {
    Said {
        identifier: Some(b"access-7"),
        addresses: [Some(IpAddr::from([192, 0, 2, 7])), None],
        port_type: Some(15),
        service_type: Some(CALL_CHECK),
        method: Method::Mab,
        message_authenticator: true,
        vendors: vec![9],
    }
}

fn fresh() -> Behaviour {
    Behaviour::new("sw1".into(), IpAddr::from([10, 0, 0, 7]), at(0))
}

/// One that has said the usual for as long as it takes, until `at(3600)`.
fn settled() -> Behaviour {
    let mut behaviour = fresh();
    for n in 0..MIN_REQUESTS {
        let findings = behaviour.observe(&usual(), at(n * 3600 / (MIN_REQUESTS - 1)), &ENOUGH);
        assert_eq!(findings, []);
    }
    assert!(behaviour.is_settled(&ENOUGH));
    behaviour
}

fn kinds(findings: &[Finding]) -> Vec<SignalKind> {
    findings.iter().map(|f| f.kind).collect()
}

#[test]
fn a_request_tells_what_its_nas_is_like() {
    let secret = Secret::new("s");
    let mut request = RequestBuilder::new(Code::AccessRequest, 1, [7; 16]);
    request.push(attr::USER_NAME, b"02-00-5E-00-00-01").unwrap();
    request.push(attr::NAS_IDENTIFIER, b"access-7").unwrap();
    request.push(attr::NAS_IP_ADDRESS, &[192, 0, 2, 7]).unwrap();
    request.push(attr::NAS_IPV6_ADDRESS, &Ipv6Addr::LOCALHOST.octets()).unwrap();
    request.push(attr::NAS_PORT_TYPE, &15u32.to_be_bytes()).unwrap();
    for vendor in [9u32, 311, 9] {
        let value = [&vendor.to_be_bytes()[..], &[1, 3, b'x']].concat();
        request.push(attr::VENDOR_SPECIFIC, &value).unwrap();
    }
    request.push(attr::VENDOR_SPECIFIC, &[0, 0]).unwrap();
    let bytes = request.finish(&secret).unwrap();
    let verified = verify_request(Packet::parse(&bytes).unwrap(), &secret, false).unwrap();
    let expected = Said {
        addresses: [Some(IpAddr::from([192, 0, 2, 7])), Some(Ipv6Addr::LOCALHOST.into())],
        service_type: None,
        vendors: vec![9, 311],
        ..usual()
    };
    assert_eq!(Said::read(&verified), expected);
}

#[test]
fn nothing_is_unexpected_before_there_is_enough_history() {
    // Many, but within a minute.
    let mut behaviour = fresh();
    for n in 0..MIN_REQUESTS * 2 {
        assert_eq!(behaviour.observe(&usual(), at(n / 10), &ENOUGH), []);
    }
    let other = Said { identifier: Some(b"other"), message_authenticator: false, ..usual() };
    assert_eq!(behaviour.observe(&other, at(60), &ENOUGH), []);
    // Over days, but few.
    let mut behaviour = fresh();
    for n in 0..MIN_REQUESTS - 2 {
        assert_eq!(behaviour.observe(&usual(), at(n * 3600), &ENOUGH), []);
    }
    assert_eq!(behaviour.observe(&other, at(1_000_000), &ENOUGH), []);
    assert_eq!(behaviour.learned.identifiers, ["access-7", "other"]);
    assert_eq!(behaviour.message_authenticator(), "sometimes");
}

#[test]
fn what_is_new_is_told_and_then_learned() {
    let mut behaviour = settled();
    assert_eq!(behaviour.message_authenticator(), "always");
    let all = Said {
        identifier: Some(b"laptop\n"),
        addresses: [Some(IpAddr::from([192, 0, 2, 66])), None],
        port_type: Some(19),
        vendors: vec![9, 14988],
        ..usual()
    };
    let findings = behaviour.observe(&all, at(3700), &ENOUGH);
    use SignalKind::{NasNewAddress, NasNewIdentifier, NasNewPortType, NasNewVendor};
    assert_eq!(kinds(&findings), [NasNewIdentifier, NasNewAddress, NasNewVendor, NasNewPortType]);
    assert_eq!(findings[0].detail, r#"10.0.0.7 calls itself "laptop\\n"; before, "access-7""#);
    assert_eq!(findings[1].detail, "10.0.0.7 says that its address is 192.0.2.66; before, 192.0.2.7");
    assert_eq!(findings[2].detail, "10.0.0.7 sends attributes of the vendor Mikrotik; before, Cisco");
    assert_eq!(findings[3].detail, "10.0.0.7 speaks of a port of the type Wireless-802.11; before, Ethernet");
    // However long one waits: it is known now.
    for hours in 1..5 {
        assert_eq!(behaviour.observe(&all, at(3700 + hours * 3600), &ENOUGH), []);
    }
}

#[test]
fn a_method_or_a_service_that_is_new_is_learned_in_silence() {
    let mut behaviour = settled();
    let login = Said { method: Method::EapTls, service_type: Some(2), ..usual() };
    assert_eq!(behaviour.observe(&login, at(3700), &ENOUGH), []);
    assert_eq!(behaviour.learned.methods, [Method::Mab, Method::EapTls]);
    assert_eq!(behaviour.learned.service_types, [CALL_CHECK, 2]);
}

#[test]
fn of_each_kind_one_an_hour_is_told_and_nothing_is_learned_untold() {
    let mut behaviour = settled();
    let port = |port_type| Said { port_type: Some(port_type), ..usual() };
    assert_eq!(kinds(&behaviour.observe(&port(19), at(4000), &ENOUGH)), [SignalKind::NasNewPortType]);
    assert_eq!(behaviour.observe(&port(5), at(4001), &ENOUGH), []);
    assert_eq!(behaviour.observe(&port(5), at(4000 + 3599), &ENOUGH), []);
    assert_eq!(behaviour.learned.port_types, [15, 19]);
    // Another kind is not held back.
    let named = Said { identifier: Some(b"other"), ..usual() };
    assert_eq!(kinds(&behaviour.observe(&named, at(4002), &ENOUGH)), [SignalKind::NasNewIdentifier]);
    assert_eq!(kinds(&behaviour.observe(&port(5), at(4000 + 3600), &ENOUGH)), [SignalKind::NasNewPortType]);
    assert_eq!(behaviour.learned.port_types, [15, 19, 5]);
    assert_eq!(behaviour.learned.raised.len(), 2, "the latest of each kind");
}

#[test]
fn a_nas_that_says_many_things_may_say_anything() {
    let mut behaviour = settled();
    let mut told = 0;
    for n in 0..100 {
        let name = format!("ap-{n}");
        let said = Said { identifier: Some(name.as_bytes()), ..usual() };
        told += behaviour.observe(&said, at(4000 + n * 3600), &ENOUGH).len();
    }
    assert_eq!((told, behaviour.learned.identifiers.len()), (MAX_VALUES - 1, MAX_VALUES));
}

#[test]
fn message_authenticator_that_ceases_is_told_and_expected_again_after_a_while() {
    use SignalKind::NasMessageAuthenticatorCeased as Ceased;
    let mut behaviour = settled();
    let forged = Said { identifier: Some(b"forged"), message_authenticator: false, ..usual() };
    let findings = behaviour.observe(&forged, at(3700), &ENOUGH);
    assert_eq!(kinds(&findings), [Ceased]);
    assert!(findings[0].detail.contains("after 200 in a row with it"), "{findings:?}");
    assert_eq!(behaviour.learned.identifiers, ["access-7"], "what is not proven is not learned");
    let without = Said { message_authenticator: false, ..usual() };
    assert_eq!(behaviour.observe(&without, at(9000), &ENOUGH), [], "it is learned");
    assert_eq!(behaviour.message_authenticator(), "sometimes");
    for n in 0..=MIN_REQUESTS {
        assert_eq!(behaviour.observe(&usual(), at(10_000 + n * 20), &ENOUGH), []);
    }
    // One that is dropped counts as well.
    let requests = behaviour.requests;
    assert_eq!(kinds(&behaviour.unproven(at(15_000), &ENOUGH)), [Ceased]);
    assert_eq!(behaviour.unproven(at(20_000), &ENOUGH), []);
    assert_eq!(behaviour.requests, requests);
}

#[test]
fn message_authenticator_that_never_came_does_not_cease() {
    let mut behaviour = fresh();
    let without = Said { message_authenticator: false, ..usual() };
    for n in 0..MIN_REQUESTS * 2 {
        assert_eq!(behaviour.observe(&without, at(n * 60), &ENOUGH), []);
    }
    assert_eq!(behaviour.message_authenticator(), "never");
    assert_eq!(behaviour.unproven(at(90_000), &ENOUGH), []);
}

#[test]
fn what_was_learned_is_read_back_as_it_was() {
    let behaviour = settled();
    let text = serde_json::to_string(&behaviour.learned).unwrap();
    assert_eq!(serde_json::from_str::<Learned>(&text).unwrap(), behaviour.learned);
    assert_eq!(serde_json::from_str::<Learned>("{}").unwrap(), Learned::default());
}
