use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: i64 = 1_790_000_000;

fn now() -> Timestamp {
    Timestamp::from_unix_secs(NOW)
}

fn claims() -> Value {
    json!({
        "iss": "https://idp.example", "aud": ["https://cordon.example", "other"], "jti": "1", "iat": NOW - 5,
        "sub_id": { "format": "email", "email": "alice@corp.example" },
        "events": { EventType::SessionRevoked.uri(): {
            "event_timestamp": NOW - 60, "reason_admin": { "de": "Diebstahl", "en": "stolen" } } },
    })
}

fn read(claims: &Value) -> Result<Set, Refused> {
    Set::read(claims.as_object().unwrap(), "https://idp.example", &["https://cordon.example".into()], now())
}

#[test]
fn an_event_is_read() {
    let set = read(&claims()).unwrap();
    assert_eq!((set.event, set.jti.as_str()), (Some(EventType::SessionRevoked), "1"));
    assert_eq!((set.happened(), set.reason()), (Timestamp::from_unix_secs(NOW - 60), Some("stolen")));
    let mut late = claims();
    late["events"][EventType::SessionRevoked.uri()]["event_timestamp"] = json!(NOW + 9_999);
    assert_eq!(read(&late).unwrap().happened(), Timestamp::from_unix_secs(NOW - 5), "that cannot be");
    let unknown = json!({ "iss": "https://idp.example", "aud": "https://cordon.example", "jti": "2", "iat": NOW,
                          "events": { "https://x.example/event": {} } });
    assert_eq!(read(&unknown).unwrap().event, None);
}

#[test]
fn what_is_not_as_it_must_be_is_refused_by_the_code_that_says_so() {
    use RefusedCode::{InvalidAudience, InvalidIssuer, InvalidRequest};
    for (key, value, code) in [
        ("iss", json!("https://evil.example"), InvalidIssuer),
        ("iss", Value::Null, InvalidIssuer),
        ("aud", json!("https://other.example"), InvalidAudience),
        ("aud", Value::Null, InvalidAudience),
        ("sub", json!("alice"), InvalidRequest),
        ("exp", json!(NOW + 60), InvalidRequest),
        ("jti", json!(""), InvalidRequest),
        ("jti", json!(7), InvalidRequest),
        ("jti", json!("x".repeat(256)), InvalidRequest),
        ("iat", json!("now"), InvalidRequest),
        ("iat", json!(NOW + 121), InvalidRequest),
        ("iat", json!(NOW - 86_401), InvalidRequest),
        ("iat", json!(-1), InvalidRequest),
        ("iat", json!(1e300), InvalidRequest),
        ("events", json!({}), InvalidRequest),
        ("events", json!({ "a": {}, "b": {} }), InvalidRequest),
        ("events", json!({ "a": 5 }), InvalidRequest),
        ("events", Value::Null, InvalidRequest),
        ("sub_id", json!({ "format": "email" }), InvalidRequest),
        ("sub_id", Value::Null, InvalidRequest),
    ] {
        let mut claims = claims();
        claims[key] = value.clone();
        assert_eq!(read(&claims).map_err(|refused| refused.code), Err(code), "{key} {value}");
    }
    let mut edge = claims();
    edge["iat"] = json!(NOW - 86_400);
    assert!(read(&edge).is_ok());
    edge["iat"] = json!(NOW + 120);
    assert!(read(&edge).is_ok());
}

#[test]
fn nothing_that_must_be_there_may_be_missing_and_nothing_is_taken_for_something_like_it() {
    use RefusedCode::{InvalidAudience, InvalidIssuer, InvalidRequest};
    for (key, code) in [
        ("iss", InvalidIssuer),
        ("aud", InvalidAudience),
        ("jti", InvalidRequest),
        ("iat", InvalidRequest),
        ("events", InvalidRequest),
        ("sub_id", InvalidRequest),
    ] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(key);
        assert_eq!(read(&claims).map_err(|refused| refused.code), Err(code), "without {key}");
    }
    for (key, value, code) in [
        ("iss", json!("https://idp.example/"), InvalidIssuer),
        ("iss", json!("HTTPS://IDP.EXAMPLE"), InvalidIssuer),
        ("iss", json!(["https://idp.example"]), InvalidIssuer),
        ("aud", json!("https://cordon.example.evil.example"), InvalidAudience),
        ("aud", json!("https://cordon.example/"), InvalidAudience),
        ("aud", json!([]), InvalidAudience),
        ("aud", json!([["https://cordon.example"], 5]), InvalidAudience),
        ("aud", json!({ "0": "https://cordon.example" }), InvalidAudience),
        ("sub", Value::Null, InvalidRequest),
        ("exp", Value::Null, InvalidRequest),
        ("iat", json!(NOW.to_string()), InvalidRequest),
        ("events", json!([{ EventType::SessionRevoked.uri(): {} }]), InvalidRequest),
        ("events", json!({ EventType::SessionRevoked.uri(): null }), InvalidRequest),
        ("sub_id", json!("alice@corp.example"), InvalidRequest),
    ] {
        let mut claims = claims();
        claims[key] = value.clone();
        assert_eq!(read(&claims).map_err(|refused| refused.code), Err(code), "{key} {value}");
    }
    // Drafts had the subject within the event, and what is about the stream alone needs none.
    let mut draft = claims();
    let subject = draft.as_object_mut().unwrap().remove("sub_id").unwrap();
    draft["events"][EventType::SessionRevoked.uri()]["subject"] = subject;
    assert!(read(&draft).unwrap().subject.is_some());
    let mut verification = claims();
    verification.as_object_mut().unwrap().remove("sub_id");
    verification["events"] = json!({ EventType::Verification.uri(): { "state": "x" } });
    assert_eq!(read(&verification).unwrap().text("state"), Some("x"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z_@.]{0,12}".prop_map(Value::from),
        Just(Value::from("email")),
        Just(Value::from("complex")),
        Just(Value::from("aliases")),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof![
            Just("format".to_owned()),
            Just("email".to_owned()),
            Just("identifiers".to_owned()),
            Just("user".to_owned()),
            Just(EventType::RiskLevelChange.uri()),
            "[a-z]{1,6}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|all| Value::Object(all.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_claims_say_they_are_read_or_refused(
        events in any_json(), subject in any_json(), iat in any_json(), jti in any_json(),
    ) {
        let mut claims = claims();
        (claims["events"], claims["sub_id"], claims["iat"], claims["jti"]) = (events, subject, iat, jti);
        if let Ok(set) = read(&claims) {
            prop_assert!(set.issued <= now() + MAX_AHEAD && now().since(set.issued) <= MAX_AGE);
            prop_assert!(!set.jti.is_empty());
            let _ = (set.happened(), set.reason(), set.subject.as_ref().map(Subject::describe));
        }
    }
}
