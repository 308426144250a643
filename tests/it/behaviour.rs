//! What switches normally say, with radclient as the switches.

use crate::support::radclient::radclient;
use crate::support::server::{Config, SECRET, Server, TOKEN};
use crate::support::wait_for;
use cordon::access::{Arrival, Engine, Service};
use cordon::config::Source;
use cordon::config::stored::Stored;
use cordon::enforcement::ticket::Tickets;
use cordon::radius::attribute as attr;
use cordon::radius::builder::RequestBuilder;
use cordon::radius::packet::Code;
use cordon::secret::Secret;
use cordon::signals::kind::SignalKind;
use cordon::store::Store;
use cordon::telemetry::Metrics;
use cordon::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const SOON: Duration = Duration::from_secs(20);
const MAC: &str = "02-00-5E-00-00-10";

/// A login by MAC address, from a switch that says this of itself.
#[track_caller]
fn login(server: &Server, says: &str) {
    let out = radclient(
        server.auth,
        "auth",
        &format!(
            "User-Name={MAC:?}, User-Password={MAC:?}, Service-Type=Call-Check, Calling-Station-Id={MAC:?}, {says}"
        ),
    );
    assert!(out.contains("Received Access-Accept"), "{out}");
}

const USUAL: &str = "NAS-Identifier=\"access-7\", NAS-IP-Address=192.0.2.7, NAS-Port-Type=Ethernet, \
                     Cisco-AVPair=\"method=mab\", Message-Authenticator=0x00";

/// The NAS of the test's configuration.
fn nas(server: &Server) -> Value {
    server.get("/api/v1/nas")["items"].as_array().unwrap().iter().find(|nas| nas["name"] == "test").unwrap().clone()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_secs(since.as_secs() as i64)
}

#[test]
fn what_a_switch_says_is_learned_and_shown_and_outlives_a_restart() {
    let config = Config { nas: "site = \"hq\"\ngroups = [\"access\"]".into(), ..Config::default() };
    let server = Server::start(&config);
    let before = nas(&server);
    assert_eq!((&before["requests"], &before["last_at"], &before["learned"]), (&json!(0), &Value::Null, &json!([])));
    assert!(server.succeed(&["nas", "list"]).contains("has not asked yet"));
    login(&server, USUAL);
    login(&server, USUAL);
    crate::support::eapol::Eapol::new("p256").run(&server).assert_accepted(1);
    // What does not fit the secret is not the switch's.
    let forged = format!("User-Name=\"x\", NAS-Identifier=\"forged\", {}", "Message-Authenticator=0x00");
    crate::support::radclient::radclient_with(server.auth, "auth", &forged, "another-secret-altogether");

    let seen = nas(&server);
    assert_eq!(seen["addresses"], json!(["127.0.0.0/8", "::1", "10.77.0.0/16"]));
    assert_eq!((&seen["site"], &seen["groups"], &seen["mode"]), (&json!("hq"), &json!(["access"]), &json!("enforce")));
    assert_eq!(seen["sources"], 1);
    let learned = &seen["learned"][0];
    assert_eq!((&learned["address"], &learned["settled"]), (&json!("127.0.0.1"), &json!(false)));
    assert_eq!(learned["nas_identifiers"], json!(["access-7"]), "{learned:#}");
    assert_eq!(learned["nas_addresses"][0], "192.0.2.7", "{learned:#}");
    assert_eq!(learned["port_types"][0], "Ethernet", "{learned:#}");
    assert_eq!(learned["methods"], json!(["mab", "eap-tls"]));
    assert_eq!(learned["service_types"][0], "Call-Check", "{learned:#}");
    assert_eq!(learned["vendors"][0], "Cisco", "{learned:#}");
    assert_eq!(learned["message_authenticator"], "always");
    assert!(seen["requests"].as_u64().unwrap() > 4, "the rounds of EAP count: {seen:#}");

    let listed = wait_for("what was learned to be stored", SOON, || {
        Some(server.succeed(&["nas", "list"])).filter(|out| out.contains("eap-tls"))
    });
    for part in [
        "test  127.0.0.0/8, ::1, 10.77.0.0/16  standard, at hq, in access\n",
        "  from 127.0.0.1: ",
        "Message-Authenticator always; methods mab, eap-tls; calls itself access-7; address 192.0.2.7",
        "vendors Cisco",
        "\n1 NASes\n",
    ] {
        assert!(listed.contains(part), "no {part:?} in {listed}");
    }
    let server = server.restart("KILL");
    let after = nas(&server);
    assert_eq!((&after["requests"], &after["learned"]), (&seen["requests"], &seen["learned"]));
}

/// A switch with a long history behaves in another way: told once, in words.
#[test]
fn what_is_unexpected_of_a_switch_is_a_signal() {
    let server = Server::start(&Config::default());
    login(&server, USUAL);
    let database = server.path("cordon.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The history of two hours cannot be lived through here.
    runtime.block_on(async {
        let store = Store::open(&database).await.unwrap();
        let mut stored = loop {
            match store.behaviours().await.unwrap().pop() {
                Some(stored) => break stored,
                None => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        };
        let first = stored.first - Duration::from_secs(7200);
        (stored.requests, stored.first) = (500, first);
        let authenticated = &mut stored.learned.message_authenticator;
        (authenticated.total, authenticated.in_a_row, authenticated.since_us) = (500, 500, first.as_micros());
        store.save_behaviours(&[stored]).await.unwrap();
    });
    let server = server.restart("KILL");
    assert_eq!(nas(&server)["learned"][0]["settled"], true);
    login(&server, USUAL);
    let other = USUAL.replace("access-7", "laptop").replace("192.0.2.7", "192.0.2.66").replace("Ethernet", "Virtual");
    let other = other.replace("Cisco-AVPair=\"method=mab\"", "Mikrotik-Group=\"x\"");
    login(&server, &other);
    login(&server, &other);
    let all = wait_for("the signals", SOON, || {
        let page = server.get("/api/v1/signals?nas=test");
        Some(page["items"].as_array().unwrap().clone()).filter(|items| !items.is_empty())
    });
    let mut kinds: Vec<&str> = all.iter().map(|signal| signal["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["nas_new_address", "nas_new_identifier", "nas_new_port_type", "nas_new_vendor"]);
    for signal in &all {
        assert_eq!(
            (&signal["endpoint"], &signal["nas"]),
            (&Value::Null, &json!({ "name": "test", "address": "127.0.0.1" }))
        );
        assert!(signal["remedy"].as_str().unwrap().len() > 40);
    }
    let named = all.iter().find(|signal| signal["kind"] == "nas_new_identifier").unwrap();
    assert_eq!(named["detail"], "127.0.0.1 calls itself \"laptop\"; before, \"access-7\"");

    // Without Message-Authenticator it may be anybody: dropped, and told.
    let out = radclient(server.auth, "auth", &format!("User-Name={MAC:?}, NAS-Identifier=\"forged\""));
    assert!(!out.contains("Received"), "{out}");
    wait_for("the signal", SOON, || {
        let page = server.get("/api/v1/signals?kind=nas_message_authenticator_ceased");
        page["items"].get(0).cloned()
    });
    assert_eq!(server.get("/api/v1/signals?nas=test")["items"].as_array().unwrap().len(), 5, "each once");
    assert_eq!(nas(&server)["learned"][0]["nas_identifiers"], json!(["access-7", "laptop"]));
}

#[test]
fn the_engine_learns_from_what_is_new_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { nas: "message_authenticator = \"off\"".into(), ..Config::default() };
    std::fs::write(dir.path().join("policy.cedar"), &config.policy).unwrap();
    let source = Source { file: dir.path().join("cordon.toml"), text: config.text() };
    let parsed = cordon::config::Config::parse(&source).unwrap();
    let built = cordon::config::build::build(&parsed, &source, &Stored::default(), None, now()).unwrap();
    let engine = Engine::new(
        built.snapshot,
        Arc::new(Metrics::new()),
        Duration::from_secs(60),
        Duration::ZERO,
        Tickets::new(&[7; 32]),
    );
    let start = now();
    let ask = |number: u16, secs: u64, identifier: &str, secret: &str| {
        let [high, low] = number.to_be_bytes();
        let mut authenticator = [7; 16];
        (authenticator[0], authenticator[1]) = (high, low);
        let mut request = RequestBuilder::new(Code::AccessRequest, low, authenticator);
        request.push_text(attr::USER_NAME, MAC).unwrap();
        request.push_text(attr::NAS_IDENTIFIER, identifier).unwrap();
        let request = request.finish(&Secret::new(secret)).unwrap();
        let arrival =
            Arrival { source: "127.0.0.1:1024".parse().unwrap(), listener: 0, service: Service::Authentication };
        engine.handle(&request, arrival, start + Duration::from_secs(secs));
    };
    for number in 0..250 {
        ask(number, u64::from(number) * 20, "access-7", SECRET);
    }
    // The same once more is a retransmission.
    ask(249, 249 * 20 + 1, "access-7", SECRET);
    ask(250, 5001, "forged", "another-secret-altogether");
    let news = engine.watch().news();
    assert_eq!((news.behaviours.len(), news.behaviours[0].requests, news.signals.len()), (1, 250, 0));
    ask(251, 5002, "other", SECRET);
    ask(252, 5003, "third", SECRET);
    let told: Vec<_> = engine.watch().news().signals.into_iter().map(|signal| signal.finding.kind).collect();
    assert_eq!(told, [SignalKind::NasNewIdentifier]);
}

#[test]
fn nases_come_in_pages() {
    let mut config = Config::default();
    for n in 1..=3 {
        config.more.push_str(&format!("[[nas]]\nname = \"sw{n}\"\naddress = \"10.1.0.{n}\"\nsecret = \"{SECRET}\"\n"));
    }
    let server = Server::start(&config);
    let names = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|nas| nas["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = server.get("/api/v1/nas?limit=3");
    assert_eq!((names(&first), &first["next"]), (vec!["sw1".into(), "sw2".into(), "sw3".into()], &json!("sw3")));
    let rest = server.get("/api/v1/nas?limit=3&cursor=sw3");
    assert_eq!((names(&rest), &rest["next"]), (vec!["test".into()], &Value::Null));
    let (status, body) = server.get_raw("/api/v1/nas?limit=0", Some(TOKEN));
    assert!(status == 400 && body.contains("\"field\":\"limit\""), "{body}");
    assert!(!server.get("/api/v1/nas").to_string().contains(SECRET));
}
