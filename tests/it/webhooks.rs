//! Webhooks, to a receiver that verifies them by the library of Standard Webhooks: what happened arrives at least once,
//! signed, whoever fails meanwhile.

use crate::support::eapol::Eapol;
use crate::support::postgres::postgres;
use crate::support::server::{Server, TOKEN};
use crate::support::{receiver, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::process::Command;
use std::time::{Duration, Instant};

/// The receiver, in Python.
struct Receiver(receiver::Receiver);

impl Deref for Receiver {
    type Target = receiver::Receiver;

    fn deref(&self) -> &receiver::Receiver {
        &self.0
    }
}

impl Receiver {
    fn start(mode: &str) -> Receiver {
        Receiver(receiver::Receiver::start("webhook_receiver.py", mode))
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/cordon", self.port())
    }

    fn secret(&self, secret: &str) {
        std::fs::write(self.dir.path().join("secret"), secret).unwrap();
    }

    /// All requests so far.
    fn requests(&self) -> Vec<Value> {
        self.lines()
    }

    /// The messages that it took, by their ids: each once, however often it came.
    fn taken(&self) -> BTreeMap<String, Value> {
        let taken = self.requests().into_iter().filter(|request| request["mode"] == "200");
        taken.map(|request| (request["id"].as_str().unwrap().to_owned(), request["body"].clone())).collect()
    }

    fn of_type(&self, kind: &str) -> Vec<Value> {
        self.taken().into_values().filter(|body| body["type"].as_str().unwrap().starts_with(kind)).collect()
    }

    #[track_caller]
    fn wait(&self, kind: &str, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} of {kind}"), Duration::from_secs(30), || {
            let found = self.of_type(kind);
            (found.len() >= count).then_some(found)
        })
    }

    /// Subscribes; gives the path of the webhook.
    #[track_caller]
    fn subscribe(&self, server: &Server, more: &Value) -> String {
        let mut body =
            json!({ "name": "siem", "url": self.url(), "events": ["decision", "session", "signal", "audit"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, made) = server.send("POST", "/api/v1/webhooks", &body);
        assert_eq!(status, 201, "{made:#}");
        self.secret(made["secret"].as_str().unwrap());
        format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap())
    }
}

#[test]
fn what_happens_is_told_signed_to_those_who_asked_for_it() {
    let server = Server::bare();
    crate::resources::network(&server);
    let all = Receiver::start("200");
    let path = all.subscribe(&server, &json!({}));
    let refusals = Receiver::start("200");
    refusals.subscribe(&server, &json!({ "name": "pager", "events": ["decision.reject.identity_unknown"] }));

    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    Eapol::new("p384").run(&server).assert_refused();
    let decisions = all.wait("decision.", 2);
    let accepted = decisions.iter().find(|body| body["type"] == "decision.accept.accepted").unwrap();
    let recorded = server.decision(&laptop.mac);
    assert_eq!((&accepted["data"]["id"], &accepted["data"]["profile"]), (&recorded["id"], &json!("corp")));
    assert_eq!(accepted["timestamp"], recorded["at"], "{accepted:#}");
    let sessions = all.wait("session.", 1);
    assert_eq!(
        (&sessions[0]["type"], &sessions[0]["data"]["identity"]),
        (&json!("session.authenticated"), &json!("p256"))
    );
    // The audit log: the second webhook was made after the first, by the API; an identity by another process.
    server.succeed(&["identity", "status", "device", "p256", "suspended", "--by", "olga"]);
    let made = all.wait("audit.webhook.create", 1);
    assert_eq!(made[0]["data"]["after"]["name"], "pager", "{made:#?}");
    let suspended = all.wait("audit.identity.update", 1);
    assert_eq!(suspended[0]["data"]["actor"], "olga", "{suspended:#?}");
    let told = refusals.wait("decision.", 1);
    assert_eq!((told.len(), &told[0]["data"]["reason"]), (1, &json!("identity_unknown")));
    assert_eq!(refusals.taken().len(), 1, "nothing else");
    for request in all.requests().iter().chain(&refusals.requests()) {
        assert_eq!(
            (&request["verified"], &request["content_type"]),
            (&json!(true), &json!("application/json")),
            "{request:#}"
        );
    }

    // A test; another secret, with which the old one goes on for a while.
    let (status, tested) = server.send("POST", &format!("{path}/test"), &Value::Null);
    assert_eq!((status, &tested["taken"]), (200, &json!(true)), "{tested:#}");
    assert_eq!(all.of_type("webhook.test").len(), 1);
    let (status, rotated) = server.send("POST", &format!("{path}/secret"), &Value::Null);
    assert_eq!(status, 200, "{rotated:#}");
    for secret in [None, rotated["secret"].as_str()] {
        secret.iter().for_each(|secret| all.secret(secret));
        server.send("POST", &format!("{path}/test"), &Value::Null);
        let last = all.requests().pop().unwrap();
        assert_eq!((&last["verified"], &last["signatures"]), (&json!(true), &json!(2)), "{last:#}");
    }
    all.mode("500");
    let (_, tested) = server.send("POST", &format!("{path}/test"), &Value::Null);
    assert_eq!((&tested["taken"], &tested["error"]), (&json!(false), &json!("it answered 500")), "{tested:#}");
    // Nobody sees a secret, and it is not in the database.
    let secret = rotated["secret"].as_str().unwrap().trim_start_matches("whsec_").to_owned();
    assert!(!server.get("/api/v1/webhooks").to_string().contains(&secret) && !server.log().contains(&secret));
    let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
    assert!(metrics.contains("cordon_webhook_attempts_total{result=\"taken\"}"), "{metrics}");
}

#[test]
fn what_is_wrong_about_a_webhook_is_said() {
    let server = Server::bare();
    let ok = json!({ "name": "a", "url": "https://siem.example/", "events": ["decision"] });
    for (field, value, told) in [
        ("name", json!(" "), "1 to 64"),
        ("url", json!("http://siem.example/"), "https is wanted"),
        ("url", json!("ftp://siem.example/"), "https is wanted"),
        ("url", json!("siem.example"), "no URL"),
        ("url", json!("https://user:word@siem.example/"), "password"),
        ("events", json!([]), "1 to 50"),
        ("events", json!(["decision.maybe"]), "decision.OUTCOME.REASON"),
        ("give_up_secs", json!(1), "10 to 86400"),
    ] {
        let mut body = ok.clone();
        body[field] = value;
        let (status, said) = server.send("POST", "/api/v1/webhooks", &body);
        assert_eq!((status, &said["field"]), (400, &json!(field)), "{said:#}");
        assert!(said["detail"].as_str().unwrap().contains(told), "{said:#}");
    }
    // Who may not read the audit log is not told of it either.
    let token = json!({ "name": "t", "permissions": ["settings:write", "network:read"] });
    let (_, made) = server.send("POST", "/api/v1/tokens", &token);
    let bearer = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    let ask = |events: Value| {
        let body = json!({ "name": "a", "url": "https://siem.example/", "events": events });
        server.exchange("POST", "/api/v1/webhooks", &[&bearer], Some(&body)).status
    };
    assert_eq!((ask(json!(["audit"])), ask(json!(["decision"]))), (403, 201));
    let listed = server.get("/api/v1/webhooks");
    let path = format!("/api/v1/webhooks/{}", listed[0]["id"].as_str().unwrap());
    let (status, changed) = server.send("PATCH", &path, &json!({ "events": ["audit"], "enabled": false }));
    assert_eq!((status, &changed["events"], &changed["enabled"]), (200, &json!(["audit"]), &json!(false)));
    // Nor by leading elsewhere what somebody else asked for, nor by looking at what waits.
    let elsewhere = json!({ "url": "https://elsewhere.example/" });
    assert_eq!(server.exchange("PATCH", &path, &[&bearer], Some(&elsewhere)).status, 403);
    assert_eq!(server.exchange("GET", &format!("{path}/deliveries"), &[&bearer], None).status, 403);
    let deleted = server.exchange("DELETE", &path, &[&format!("Authorization: Bearer {TOKEN}")], None);
    assert_eq!((deleted.status, server.get_raw(&path, Some(TOKEN)).0), (204, 404));
    let events = server.get("/api/v1/audit?kind=webhook");
    let actions: Vec<_> = events["items"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["webhook.delete", "webhook.update", "webhook.create"]);
    assert_eq!(
        (&events["items"][1]["before"]["enabled"], &events["items"][1]["after"]["enabled"]),
        (&json!(true), &json!(false))
    );
}

#[test]
fn a_receiver_that_fails_is_tried_again_and_then_given_up_until_somebody_asks() {
    let server = Server::bare();
    crate::resources::network(&server);
    let receiver = Receiver::start("503");
    let path = receiver.subscribe(&server, &json!({ "events": ["decision"], "give_up_secs": 10 }));
    let laptop = Eapol::new("p256");
    let began = Instant::now();
    laptop.run(&server).assert_accepted(1);
    assert!(began.elapsed() < Duration::from_secs(3), "a login waits for no webhook: {:?}", began.elapsed());
    wait_for("an attempt", Duration::from_secs(10), || (!receiver.requests().is_empty()).then_some(()));
    let waiting = server.get(&format!("{path}/deliveries?state=waiting"));
    assert_eq!(
        (&waiting["items"][0]["error"], &waiting["items"][0]["attempts"]),
        (&json!("it answered 503"), &json!(1))
    );
    receiver.mode("200");
    let taken = receiver.wait("decision.", 1);
    let requests = receiver.requests();
    assert_eq!((requests.len(), &requests[0]["id"]), (2, &requests[1]["id"]), "{requests:#?}");
    let between = requests[1]["at"].as_f64().unwrap() - requests[0]["at"].as_f64().unwrap();
    assert!((3.9..8.0).contains(&between), "{between}");
    assert_eq!(taken.len(), 1);

    // Dead for longer than it is tried.
    receiver.mode("500");
    laptop.run(&server).assert_accepted(1);
    let dead = wait_for("it to be given up", Duration::from_secs(30), || {
        server.get(&format!("{path}/deliveries"))["items"].get(0).cloned()
    });
    assert_eq!(
        (&dead["state"], &dead["error"], &dead["type"]),
        (&json!("dead"), &json!("it answered 500"), &json!("decision.accept.accepted")),
        "{dead:#}"
    );
    let seen = server.get(&path);
    assert_eq!((&seen["dead"], &seen["waiting"], &seen["delivered"]), (&json!(1), &json!(0), &json!(1)), "{seen:#}");
    receiver.mode("200");
    let (status, unknown) = server.send("POST", &format!("{path}/redeliver"), &json!({ "delivery": "none" }));
    assert_eq!((status, &unknown["code"]), (422, &json!("unknown_name")), "{unknown:#}");
    let (status, again) = server.send("POST", &format!("{path}/redeliver"), &json!({ "delivery": dead["id"] }));
    assert_eq!((status, &again["deliveries"]), (200, &json!(1)), "{again:#}");
    receiver.wait("decision.", 2);
    assert_eq!(receiver.taken()[dead["id"].as_str().unwrap()], dead["body"]);
    assert_eq!(server.get("/api/v1/audit?action=webhook.redeliver")["items"].as_array().unwrap().len(), 1);

    // One that says that it is gone for good is told nothing any more.
    receiver.mode("410");
    laptop.run(&server).assert_accepted(1);
    wait_for("it to be switched off", Duration::from_secs(20), || {
        (server.get(&path)["enabled"] == false).then_some(())
    });
    let off = server.get("/api/v1/audit?action=webhook.update")["items"][0].clone();
    assert_eq!(
        (&off["actor"], &off["reason"]),
        (&json!("server"), &json!("its receiver answered 410 Gone")),
        "{off:#}"
    );
}

/// Every login is told, though receiver and server are killed in turn; a receiver that hangs is in nobody's way.
fn nothing_is_lost(mut server: Server) {
    crate::resources::network(&server);
    let mut receiver = Receiver::start("200");
    let path = receiver.subscribe(&server, &json!({ "events": ["decision", "audit.identity"] }));
    let hanging = Receiver::start("hang");
    hanging.subscribe(&server, &json!({ "name": "slow", "events": ["decision"] }));
    let laptop = Eapol::new("p256");
    let mut logins = 0;
    for round in 0..3 {
        for _ in 0..4 {
            let began = Instant::now();
            laptop.run(&server).assert_accepted(1);
            assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
            logins += 1;
        }
        // With what was answered just now, and is perhaps not even in the database yet.
        match round {
            0 => server = server.restart("KILL"),
            1 => receiver.0.stop(),
            _ => {}
        }
    }
    server.succeed(&["identity", "status", "device", "p256", "suspended"]);
    receiver.0.run();
    wait_for("all logins", Duration::from_secs(90), || (receiver.of_type("decision.").len() >= logins).then_some(()));
    let told: Vec<Value> = receiver.of_type("decision.");
    let mut told: Vec<&str> = told.iter().map(|body| body["data"]["id"].as_str().unwrap()).collect();
    told.sort_unstable();
    let page = server.get("/api/v1/decisions?limit=100");
    let mut recorded: Vec<&str> = page["items"].as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap()).collect();
    recorded.sort_unstable();
    assert_eq!(told, recorded);
    receiver.wait("audit.identity.update", 1);
    assert_eq!(server.get(&path)["dropped"], 0);
    let slow = server.get("/api/v1/webhooks")[1].clone();
    assert_eq!((&slow["delivered"], &slow["waiting"]), (&json!(0), &json!(logins)), "{slow:#}");
}

#[test]
fn no_message_is_lost_whoever_is_killed() {
    nothing_is_lost(Server::bare());
}

#[test]
fn nor_with_postgresql() {
    nothing_is_lost(Server::bare_with(&format!("[database]\nurl = {:?}\n", postgres().database())));
}

#[test]
fn a_queue_has_a_bound_and_what_finds_no_room_is_counted() {
    // The queue as an earlier run has left it.
    let server = Server::bare();
    crate::resources::network(&server);
    let receiver = Receiver::start("500");
    let path = receiver.subscribe(&server, &json!({ "events": ["decision", "audit"] }));
    let id = path.rsplit('/').next().unwrap().replace('-', "");
    let script = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], timeout=20)\nw = bytes.fromhex(sys.argv[2])\n\
                  far = 1 << 60\nfor n in range(10000):\n    db.execute('INSERT INTO webhook_delivery (id, webhook_id, kind, \
                  body, created_us, due_us, dead, attempts) VALUES (?, ?, ?, ?, 0, ?, 0, 0)', (n.to_bytes(16, 'big'), w, \
                  'decision', '{}', far))\ndb.commit()";
    let database = server.path("data/cordon.db");
    crate::support::succeed(Command::new("python3").args(["-c", script]).arg(database).arg(&id));
    let server = server.restart("TERM");
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    let seen = wait_for("the count", Duration::from_secs(10), || {
        let seen = server.get(&path);
        (seen["dropped"] == 1).then_some(seen)
    });
    assert_eq!(seen["waiting"], 10_000, "{seen:#}");
    assert!(server.log().contains("messages are dropped and counted"));
    wait_for("the metric", Duration::from_secs(10), || {
        server.get_raw("/metrics", Some(TOKEN)).1.contains("cordon_webhook_dropped_total 1").then_some(())
    });
    // The audit log is a queue by itself: it waits there.
    assert_eq!(receiver.requests().len(), 0);
}
