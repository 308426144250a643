use super::*;
use crate::enforcement::nas_profile::NasProfiles;

fn session() -> LiveSession {
    LiveSession {
        user_name: Some("anna".into()),
        calling_station: Some("02-00-5E-00-00-01".into()),
        acct_session_id: Some("0000002A".into()),
        audit_session_id: Some("0A000001".into()),
        ..LiveSession::default()
    }
}

fn told(wish: &Wish, session: &LiveSession, kind: &str) -> Result<Order, CoaError> {
    order(
        wish,
        session,
        NasProfiles::new(Dictionary::standard(), []).unwrap().get(kind).unwrap(),
        Dictionary::standard(),
    )
}

#[test]
fn a_change_is_told_with_the_keys_of_the_session() {
    let order = told(&Wish::Reauthenticate, &session(), "cisco-ios").unwrap();
    assert_eq!((order.code, order.port), (Code::CoaRequest, 1700));
    let shown: Vec<_> = order.shown.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(
        shown,
        [
            "audit-session-id=0A000001",
            "02-00-5E-00-00-01",
            "subscriber:command=reauthenticate",
            "subscriber:reauthenticate-type=last"
        ]
    );
    let len: usize =
        order.shown.iter().map(|(name, value)| value.len() + if name == "Cisco-AVPair" { 8 } else { 2 }).sum();
    assert_eq!(order.attributes.len(), len);
    let order = told(&Wish::Disconnect, &session(), "standard").unwrap();
    assert_eq!((order.code, order.port), (Code::DisconnectRequest, 3799));
    let order = told(&Wish::Disconnect, &session(), "meraki").unwrap();
    assert_eq!(order.port, 3799, "a form may have a port of its own");
}

#[test]
fn a_session_that_the_gear_could_not_find_is_not_asked_for() {
    let unknown = LiveSession { audit_session_id: None, ..session() };
    let error = told(&Wish::BouncePort, &unknown, "cisco-ios").unwrap_err().to_string();
    assert!(error.contains("cannot be told to bounce_port") && error.contains("audit_session_id"), "{error}");
    // What is sent if known does not matter.
    let unknown = LiveSession { calling_station: None, ..session() };
    assert_eq!(told(&Wish::BouncePort, &unknown, "cisco-ios").unwrap().shown.len(), 2);
}

#[test]
fn what_there_are_no_words_for_is_an_error() {
    let error = told(&Wish::Role("staff".into()), &session(), "ubiquiti").unwrap_err().to_string();
    assert_eq!(error, "gear of the kind ubiquiti cannot be told to change_role");
    let session = LiveSession { nas_address: Some([10, 0, 0, 1].into()), ..session() };
    let order = told(&Wish::Vlan(Vlan::Id(30)), &session, "aruba-cx").unwrap();
    assert!(order.shown.contains(&("Tunnel-Private-Group-Id".into(), "30".into())), "{order:?}");
}

#[test]
fn mistakes_are_named() {
    let session = "[coa.session]\nsend = [\"Acct-Session-Id = {acct_session_id}\"]\nconfirmed = \"standard\"\n";
    for (coa, part) in [
        ("[coa]\nport = 1700\n".to_owned(), "[coa.session]"),
        (format!("[coa]\ncolour = 1\n{session}"), "colour"),
        (format!("[coa]\nport = 0\n{session}"), "the port 0"),
        (format!("{session}[coa.dance]\nsend = []\nconfirmed = \"standard\""), "dance"),
        (format!("{session}[coa.bounce_port]\nsend = []\nconfirmed = \"standard\""), "[coa.bounce_port] sends nothing"),
        (format!("{session}[coa.bounce_port]\nsend = [\"No-Such = 1\"]\nconfirmed = \"standard\""), "No-Such"),
        (format!("{session}[coa.bounce_port]\nsend = [\"Filter-Id = {{role}}\"]\nconfirmed = \"standard\""), "{role}"),
        (session.replace("{acct_session_id}", "{colour}"), "{colour}"),
    ] {
        let error = NasProfiles::new(Dictionary::standard(), [("own", format!("title = \"x\"\n{coa}").as_str())])
            .unwrap_err()
            .to_string();
        assert!(error.contains(part) && error.contains("own"), "no {part:?} in {error}");
    }
}

#[test]
fn forms_are_inherited_and_can_be_taken_away() {
    let text = "title = \"x\"\nextends = \"cisco-ios\"\n[coa]\nwithout = [\"disable_port\"]";
    let all = NasProfiles::new(Dictionary::standard(), [("own", text)]).unwrap();
    let own = all.get("own").unwrap().coa.as_ref().unwrap();
    assert_eq!(own.port, 1700);
    assert!(own.forms.contains_key(&Change::BouncePort) && !own.forms.contains_key(&Change::DisablePort));
}
