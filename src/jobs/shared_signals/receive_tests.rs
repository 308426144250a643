use super::*;
use crate::ids::IdentityId;

#[test]
fn an_issuer_with_a_path_describes_itself_before_it() {
    assert_eq!(described_at("https://a.example"), "https://a.example/.well-known/ssf-configuration");
    assert_eq!(described_at("https://a.example/"), "https://a.example/.well-known/ssf-configuration");
    assert_eq!(described_at("https://a.example/t/1"), "https://a.example/.well-known/ssf-configuration/t/1");
}

fn transmitter(owned: bool, severity_at_most: Severity) -> Transmitter {
    Transmitter {
        name: "idp".into(),
        issuer: "https://idp.example".into(),
        audience: Vec::new(),
        keys: Keys::Discovered,
        cas: Vec::new(),
        push_token: None,
        poll: None,
        subject_issuers: vec!["https://idp.example".into()],
        opaque_subjects: true,
        events: None,
        severity_at_most,
        ends: Ends::Disconnect,
        owned,
    }
}

fn set(event: EventType, subject: &Value, details: &Value) -> Set {
    Set {
        jti: "1".into(),
        issued: Timestamp::default(),
        subject: Some(Subject::read(subject).unwrap()),
        uri: event.uri(),
        event: Some(event),
        details: details.as_object().unwrap().clone(),
    }
}

fn identity(kind: IdentityKind, name: &str, owner: Option<&str>) -> Arc<Identity> {
    let id = IdentityId::of_name(&format!("{kind} {name}"));
    Arc::new(Identity { owner: owner.map(Into::into), ..Identity::new(id, kind, name) })
}

/// Alice, a device of the same name, her laptop, and a camera.
fn known() -> IdentityIndex {
    use IdentityKind::{Device, User};
    let all = vec![
        identity(User, "alice", None),
        identity(Device, "alice", None),
        identity(Device, "laptop", Some("alice")),
        identity(Device, "camera", None),
    ];
    IdentityIndex::new(all, Vec::new()).unwrap()
}

fn issued(name: &str) -> Value {
    json!({ "format": "iss_sub", "iss": "https://idp.example", "sub": name })
}

fn opaque(name: &str) -> Value {
    json!({ "format": "opaque", "id": name })
}

#[test]
fn the_one_is_found_whom_the_event_tells() {
    let compliance = json!({ "current_status": "not-compliant" });
    let none = json!({});
    let complex = |device: Value, user: Value| json!({ "format": "complex", "device": device, "user": user });
    for (event, subject, details, wanted) in [
        (EventType::SessionRevoked, issued("alice"), &none, &["user alice"][..]),
        (EventType::AccountDisabled, opaque("alice"), &none, &["user alice"]),
        (EventType::DeviceComplianceChange, issued("alice"), &compliance, &["device alice"]),
        (EventType::SessionRevoked, opaque("alice"), &none, &[]),
        (EventType::SessionRevoked, opaque("camera"), &none, &["device camera"]),
        (EventType::SessionRevoked, complex(opaque("alice"), issued("nobody")), &none, &["device alice"]),
        (EventType::SessionRevoked, complex(opaque("nobody"), issued("alice")), &none, &["user alice"]),
        // The next alias may be clear.
        (
            EventType::SessionRevoked,
            json!({ "format": "aliases", "identifiers": [opaque("alice"), issued("alice")] }),
            &none,
            &["user alice"],
        ),
    ] {
        let set = set(event, &subject, details);
        let means = meaning(&set).unwrap();
        let whom = whom(&transmitter(false, Severity::Critical), &set, &means, &known());
        let found: Vec<_> = whom.all.iter().map(|one| format!("{} {}", one.kind, one.name)).collect();
        assert_eq!(found, wanted, "{event:?} {subject}");
        if found.is_empty() {
            let mut alike = whom.alike.clone();
            alike.sort();
            assert_eq!(alike, ["device alice", "user alice"]);
        }
    }
}

#[test]
fn what_speaks_against_nobody_is_told_of_nobody_in_the_place_of_another() {
    let subject = json!({ "format": "complex", "device": opaque("nobody"), "user": issued("alice") });
    let revoked = set(EventType::SessionRevoked, &subject, &json!({}));
    let means = meaning(&revoked).unwrap();
    let told = |at_most: Severity| {
        let transmitter = transmitter(true, at_most);
        let whom = whom(&transmitter, &revoked, &means, &known());
        // Whose sessions end is not a matter of what a signal weighs.
        assert_eq!((whom.all.len(), whom.instead), (2, true));
        whom.weighed(means.severity.min(transmitter.severity_at_most)).len()
    };
    assert_eq!((told(Severity::Critical), told(Severity::Low), told(Severity::Info)), (2, 2, 0));
    let own = set(EventType::SessionRevoked, &issued("alice"), &json!({}));
    let whom = whom(&transmitter(true, Severity::Info), &own, &meaning(&own).unwrap(), &known());
    assert_eq!(whom.weighed(Severity::Info).len(), 2, "of whom it names in the first place it is told");
}

#[test]
fn a_session_is_of_an_identity_by_its_id() {
    let all = known();
    let reference = |kind: &str, id: IdentityId| IdentityRef { id, name: "alice".into(), kind: kind.into() };
    let id_of = |kind| all.by_name(kind, "alice").unwrap().id;
    let (user, device) = (id_of(IdentityKind::User), id_of(IdentityKind::Device));
    let alice = all.by_id(user).unwrap();
    assert!(is_same(&reference("user", user), alice, &all));
    assert!(!is_same(&reference("device", device), alice, &all));
    // She was in the configuration, and is in the database now.
    let before = IdentityId::of_name("before");
    assert!(is_same(&reference("user", before), alice, &all));
    assert!(!is_same(&reference("device", before), alice, &all));
}
