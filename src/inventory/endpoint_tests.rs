use super::*;
use crate::ids::IdentityId;
use crate::inventory::fingerprint::{Category, OsFamily};
use proptest::prelude::*;
use std::net::Ipv4Addr;

const T0: i64 = 1_764_000_000;
/// Assigned to Hewlett Packard.
const PRINTER: [u8; 6] = [0x00, 0x01, 0xe6, 0, 0, 1];
/// Assigned to Intel and to Cisco.
const LAPTOP: [u8; 6] = [0x00, 0x1b, 0x21, 0, 0, 1];
const OTHER_CARD: [u8; 6] = [0x00, 0x00, 0x0c, 0, 0, 1];

fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix_secs(T0 + secs)
}

fn id(n: u8) -> EndpointId {
    EndpointId::from_bytes([n; 16])
}

/// A login by MAC address at a port of a switch.
fn login(mac: [u8; 6], nas: &str, port: &str, secs: i64) -> Observation {
    let [.., n] = secs.to_be_bytes();
    Observation {
        at: at(secs),
        origin: Origin::Login { decision: DecisionId::from_bytes([n; 16]), method: "mab".into() },
        mac: Some(MacAddress::new(mac)),
        certificate: None,
        identity: None,
        nas_name: nas.into(),
        nas_address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        port: Some(port.into()),
        ssid: None,
        wireless: false,
        presence: Presence::Here,
        ips: Vec::new(),
        clues: Vec::new(),
    }
}

fn account(presence: Presence, mac: [u8; 6], nas: &str, port: &str, secs: i64) -> Observation {
    let origin = Origin::Session { decision: None, name: format!("{nas} {port}") };
    Observation { origin, presence, ..login(mac, nas, port, secs) }
}

fn proven(certificate: &str, identity: &str, kind: &str, o: Observation) -> Observation {
    let certificate = CertificateRef {
        fingerprint: certificate.into(),
        subject: Some(format!("CN={certificate}")),
        issuer: Some("CN=Corp".into()),
    };
    let identity = IdentityRef { id: IdentityId::of_name(identity), name: identity.into(), kind: kind.into() };
    Observation { certificate: Some(certificate), identity: Some(identity), ..o }
}

fn clue(kind: ClueKind, value: &str) -> Clue {
    Clue::new(kind, value)
}

fn met(o: &Observation) -> Endpoint {
    let mut endpoint = Endpoint::new(id(1), o);
    assert_eq!(endpoint.merge(o, &[]).findings, []);
    endpoint
}

fn kinds(merged: &Merged) -> Vec<SignalKind> {
    merged.findings.iter().map(|f| f.kind).collect()
}

#[test]
fn a_certificate_is_the_key_then_an_assigned_mac_and_never_a_randomised_one() {
    let random = login([0x02, 0, 0x5e, 0, 0, 1], "sw1", "1", 0);
    assert!(random.key().is_ephemeral());
    let again = Observation {
        origin: Origin::Login { decision: DecisionId::from_bytes([9; 16]), method: "mab".into() },
        ..random.clone()
    };
    assert_ne!(random.key(), again.key());
    assert_eq!(login(PRINTER, "sw1", "1", 0).key(), EndpointKey::Mac(MacAddress::new(PRINTER)));
    assert_eq!(proven("aa", "pc", "device", random).key(), EndpointKey::Certificate("aa".into()));
    for key in [EndpointKey::Mac(MacAddress::new(PRINTER)), EndpointKey::Login("a:b c".into())] {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
}

#[test]
fn two_places_at_once_are_a_signal_said_once() {
    let mut endpoint = met(&login(PRINTER, "sw1", "ge-1", 0));
    let second = endpoint.merge(&login(PRINTER, "sw2", "ge-7", 60), &[]);
    assert_eq!(kinds(&second), [SignalKind::MacInTwoPlaces]);
    let detail = &second.findings.first().unwrap().detail;
    assert!(detail.contains("sw1 (ge-1)") && detail.contains("sw2 (ge-7)"), "{detail}");
    assert_eq!(endpoint.merge(&login(PRINTER, "sw1", "ge-1", 120), &[]).findings, []);
    // Both are still there when the hour of silence is over.
    endpoint.merge(&login(PRINTER, "sw2", "ge-7", 3_600), &[]);
    assert_eq!(kinds(&endpoint.merge(&login(PRINTER, "sw1", "ge-1", 3_700), &[])), [SignalKind::MacInTwoPlaces]);
}

#[test]
fn the_other_place_may_be_another_endpoints() {
    let laptop = met(&proven("aa", "pc", "device", login(LAPTOP, "sw1", "1", 0)));
    let copy = login(LAPTOP, "sw2", "2", 30);
    let mut copied = Endpoint::new(id(2), &copy);
    assert_eq!(kinds(&copied.merge(&copy, &[&laptop])), [SignalKind::MacInTwoPlaces]);
}

#[test]
fn moving_roaming_and_trying_are_no_contradiction() {
    // Accounting told that it left.
    let mut endpoint = met(&login(PRINTER, "sw1", "1", 0));
    endpoint.merge(&account(Presence::Left, PRINTER, "sw1", "1", 30), &[]);
    assert_eq!(endpoint.merge(&login(PRINTER, "sw2", "2", 40), &[]).findings, []);
    // It was long ago.
    let mut endpoint = met(&login(PRINTER, "sw1", "1", 0));
    assert_eq!(endpoint.merge(&login(PRINTER, "sw2", "2", 601), &[]).findings, []);
    // On the air.
    let air = |nas, secs| Observation { wireless: true, ..login(PRINTER, nas, "1", secs) };
    let mut endpoint = met(&air("wlc1", 0));
    assert_eq!(endpoint.merge(&air("wlc2", 5), &[]).findings, []);
    // Refused, or at a port that the switch does not name in accounting.
    let mut endpoint = met(&login(PRINTER, "sw1", "1", 0));
    let tried = Observation { presence: Presence::Tried, ..login(PRINTER, "sw2", "2", 5) };
    assert_eq!(endpoint.merge(&tried, &[]).findings, []);
    let unnamed = Observation { port: None, ..account(Presence::Here, PRINTER, "sw1", "", 6) };
    assert_eq!(endpoint.merge(&unnamed, &[]).findings, []);
    // One computer with two network cards.
    let mut endpoint = met(&proven("aa", "pc", "device", login(LAPTOP, "sw1", "1", 0)));
    let dock = proven("aa", "pc", "device", login([0x00, 0x1b, 0x21, 0, 0, 2], "sw2", "2", 5));
    assert_eq!(endpoint.merge(&dock, &[]).findings, []);
    assert_eq!(endpoint.details.macs.len(), 2);
}

#[test]
fn a_printer_that_turns_into_linux_is_a_signal() {
    let printing = clue(ClueKind::DhcpClass, "Hewlett-Packard JetDirect");
    let mut endpoint = met(&Observation { clues: vec![printing], ..login(PRINTER, "sw1", "1", 0) });
    let category = endpoint.details.fingerprint.category.unwrap();
    assert!(category.value == Category::Printer && category.is_confident(), "{category:?}");
    assert_eq!(endpoint.vendor(), Some("Hewlett Packard"));

    let kali = clue(ClueKind::LldpDescription, "Kali GNU/Linux Rolling");
    let dhclient = clue(ClueKind::DhcpParameters, "1,28,2,3,15,6,119,12,44,47,26,121,42");
    let merged = endpoint.merge(&Observation { clues: vec![kali, dhclient], ..login(PRINTER, "sw1", "1", 60) }, &[]);
    assert_eq!(kinds(&merged), [SignalKind::CategoryChanged, SignalKind::OsChanged]);
    assert!(merged.findings.iter().all(|f| f.detail.contains("Kali GNU/Linux")), "{merged:?}");
    let now = &endpoint.details.fingerprint;
    assert_eq!(now.os.map(|os| os.value), Some(OsFamily::Linux));
    assert!(!now.evidence.iter().any(|e| e.value.contains("JetDirect")), "{now:?}");
}

#[test]
fn weak_or_late_evidence_changes_nothing() {
    let mut endpoint = met(&login(PRINTER, "sw1", "1", 100));
    let weak = clue(ClueKind::DhcpClass, "udhcp 1.30");
    assert_eq!(endpoint.merge(&Observation { clues: vec![weak], ..login(PRINTER, "sw1", "1", 110) }, &[]).findings, []);
    let windows = clue(ClueKind::DhcpClass, "MSFT 5.0");
    let late = Observation { clues: vec![windows], ..login(PRINTER, "sw1", "1", 5) };
    assert_eq!(endpoint.merge(&late, &[]).findings, []);
    assert!(endpoint.details.fingerprint.evidence.iter().any(|e| e.value == "udhcp 1.30"));
}

#[test]
fn another_vendors_card_behind_a_known_certificate_is_a_signal() {
    let mut endpoint = met(&proven("aa", "pc", "device", login(LAPTOP, "sw1", "1", 0)));
    let elsewhere = proven("aa", "pc", "device", login(OTHER_CARD, "sw2", "9", 5));
    let merged = endpoint.merge(&elsewhere, &[]);
    assert_eq!(kinds(&merged), [SignalKind::VendorChanged], "{merged:?}");
    // Back on the first: both are known now.
    assert_eq!(endpoint.merge(&proven("aa", "pc", "device", login(LAPTOP, "sw1", "1", 9)), &[]).findings, []);
}

#[test]
fn one_card_with_the_certificates_of_two_things_is_a_signal() {
    let first = met(&proven("aa", "camera-1", "device", login(LAPTOP, "sw1", "1", 0)));
    let o = proven("bb", "camera-2", "device", login(LAPTOP, "sw1", "1", 60));
    assert!(!first.is_renewed_by(&o));
    assert_eq!(kinds(&Endpoint::new(id(2), &o).merge(&o, &[&first])), [SignalKind::MacSharedByCertificates]);
    // The person before the computer.
    let person = proven("cc", "alice", "user", login(LAPTOP, "sw1", "1", 60));
    assert_eq!(Endpoint::new(id(3), &person).merge(&person, &[&first]).findings, []);
}

#[test]
fn a_renewed_certificate_is_the_same_endpoint() {
    let mut endpoint = met(&proven("aa", "pc", "device", login(LAPTOP, "sw1", "1", 0)));
    let renewed = proven("bb", "pc", "device", login(LAPTOP, "sw1", "1", 60));
    assert!(endpoint.is_renewed_by(&renewed));
    let merged = endpoint.merge(&renewed, &[]);
    assert!(merged.changed && merged.findings.is_empty());
    assert_eq!(endpoint.key, EndpointKey::Certificate("bb".into()));
}

#[test]
fn a_contact_that_brings_nothing_new_changes_only_times() {
    let mut endpoint = met(&login(PRINTER, "sw1", "1", 0));
    assert!(!endpoint.merge(&login(PRINTER, "sw1", "1", 60), &[]).changed);
    assert_eq!(endpoint.last_at, at(60));
    let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
    let told = Observation { ips: vec![ip], ..account(Presence::Here, PRINTER, "sw1", "1", 70) };
    assert!(endpoint.merge(&told, &[]).changed);
    assert!(!endpoint.merge(&Observation { at: at(80), ..told }, &[]).changed);
    assert_eq!(endpoint.details.ips, [SeenIp { ip, first_at: at(70), last_at: at(80) }]);
}

fn any_contact() -> impl Strategy<Value = Observation> {
    (0..40_u8, 0..30_u8, 0..3_u8, 0..100_000_i64, 0..3_u8, 0..16_usize, "\\PC{0,12}").prop_map(
        |(mac, port, nas, secs, presence, kind, value)| {
            let presence = [Presence::Here, Presence::Tried, Presence::Left][usize::from(presence)];
            let mut o = login([0, 0x1b, 0x21, 0, 0, mac], &format!("sw{nas}"), &port.to_string(), secs);
            o.presence = presence;
            o.ips = vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, port))];
            o.clues = vec![clue(ClueKind::ALL[kind], &value)];
            proven(&format!("{:02x}", mac % 4), "pc", "device", o)
        },
    )
}

proptest! {
    #[test]
    fn every_history_is_bounded(contacts in proptest::collection::vec(any_contact(), 1..120)) {
        let mut endpoint = Endpoint::new(id(1), contacts.first().unwrap());
        for o in &contacts {
            endpoint.merge(o, &[]);
        }
        let d = &endpoint.details;
        prop_assert!(d.macs.len() <= MAX_MACS && d.places.len() <= MAX_PLACES && d.ips.len() <= MAX_IPS);
        prop_assert!(d.clues.len() <= ClueKind::ALL.len() && d.logins.len() <= MAX_LOGINS);
        prop_assert!(d.signalled.len() <= MAX_SIGNALLED);
        prop_assert_eq!(endpoint.last_at, contacts.iter().map(|o| o.at).max().unwrap());
        // What is stored is what was there.
        let stored = serde_json::to_string(d).unwrap();
        prop_assert_eq!(&serde_json::from_str::<EndpointDetails>(&stored).unwrap(), d);
    }

    /// As long as nothing falls out, the order of contacts does not matter to where
    /// and when the endpoint was.
    #[test]
    fn the_order_of_contacts_does_not_matter(
        contacts in proptest::collection::vec((0..4_u8, 0..2_u8, 0..1_000_i64, 0..3_u8), 1..20)
    ) {
        let contacts: Vec<Observation> = contacts
            .into_iter()
            .map(|(port, nas, secs, presence)| {
                let presence = [Presence::Here, Presence::Tried, Presence::Left][usize::from(presence)];
                let mut o = account(presence, PRINTER, &format!("sw{nas}"), &port.to_string(), secs);
                o.ips = vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, port))];
                o
            })
            .collect();
        let merged = |all: Vec<&Observation>| {
            let mut endpoint = Endpoint::new(id(1), all.first().unwrap());
            for o in all {
                endpoint.merge(o, &[]);
            }
            let mut places = endpoint.details.places;
            places.sort_by(|a, b| (&a.nas, &a.port).cmp(&(&b.nas, &b.port)));
            (endpoint.first_at, endpoint.last_at, places, endpoint.details.ips)
        };
        prop_assert_eq!(merged(contacts.iter().collect()), merged(contacts.iter().rev().collect()));
    }
}
