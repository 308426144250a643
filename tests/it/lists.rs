//! Lists as a console asks for them: narrowed by what network engineers know, in both orders, page by page; on SQLite and
//! on PostgreSQL alike.

use crate::support::postgres::postgres;
use crate::support::radclient::radclient;
use crate::support::server::{Config, Server, TOKEN};
use serde_json::{Value, json};
use std::time::Duration;

const CAMERA: &str = "02-00-5E-00-00-10";
const STRANGER: &str = "02-00-5E-00-00-FF";
const CALLED: &str = "02-00-5E-FF-00-01:corp-wifi";

fn servers() -> [Server; 2] {
    let url = postgres().database();
    let own = Config { nas: "site = \"hq\"\n".into(), ..Config::default() };
    let other =
        Config { more: format!("[database]\nurl = {url:?}\n{}", own.more), nas: own.nas.clone(), ..Config::default() };
    [Server::start(&own), Server::start(&other)]
}

/// A column of a list, page by page.
#[track_caller]
fn all(server: &Server, path: &str, field: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let between = if path.contains('?') { '&' } else { '?' };
        let page = server.get(&format!("{path}{between}limit=1{cursor}"));
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 1, "{page:#}");
        found.extend(items.iter().map(|item| item[field].clone()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// A camera that is let in and tells of its session, and a stranger.
fn happen(server: &Server) {
    let login = |mac: &str, session: &str, called: &str| {
        let name = mac.replace('-', "").to_lowercase();
        let attributes = format!(
            "User-Name={name:?}, User-Password={name:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
             Acct-Session-Id={session:?}, NAS-Port-Type=Wireless-802.11, Called-Station-Id={called:?}, \
             Message-Authenticator=0x00"
        );
        radclient(server.auth, "auth", &attributes)
    };
    assert!(login(CAMERA, "7", CALLED).contains("Access-Accept"));
    assert!(login(STRANGER, "8", "02-00-5E-FF-00-01:guests").contains("Access-Reject"));
    let account = |status: &str, session: &str, more: &str| {
        let attributes = format!(
            "Acct-Status-Type={status}, Acct-Session-Id={session:?}, User-Name=\"02005e000010\", \
             Calling-Station-Id={CAMERA:?}, Called-Station-Id={CALLED:?}{more}"
        );
        assert!(radclient(server.acct, "acct", &attributes).contains("Accounting-Response"));
    };
    account("Start", "7", ", Framed-IP-Address=10.9.8.7");
    // Records of one second lie beside one another in no order.
    std::thread::sleep(Duration::from_millis(1_100));
    account("Interim-Update", "7", ", Framed-IP-Address=10.9.8.7, Acct-Input-Octets=1000, Acct-Session-Time=60");
    std::thread::sleep(Duration::from_millis(1_100));
    account("Stop", "7", ", Acct-Input-Octets=2000, Acct-Session-Time=90");
    account("Start", "9", ", Framed-IP-Address=10.9.8.9");
}

#[test]
fn decisions_sessions_and_endpoints_are_narrowed_and_sorted() {
    for server in servers() {
        happen(&server);
        let decisions = |query: &str| all(&server, &format!("/api/v1/decisions?{query}"), "mac");
        for query in
            ["profile=iot", "ssid=corp-wifi", "vlan=cameras", "site=hq&outcome=accept", "site=hq&nas=test&profile=iot"]
        {
            assert_eq!(decisions(query), [CAMERA], "{query}");
        }
        for query in ["outcome=reject", "outcome=reject&nas=test", "ssid=guests", "reason=mac_unknown&site=hq"] {
            assert_eq!(decisions(query), [STRANGER], "{query}");
        }
        for query in [
            "profile=corp",
            "ssid=corp",
            "vlan=20",
            "site=branch",
            "site=branch&nas=test",
            "profile=iot&outcome=reject",
        ] {
            assert_eq!(decisions(query), [""; 0], "{query}");
        }
        assert_eq!(decisions("sort=at"), [CAMERA, STRANGER]);
        assert_eq!(decisions("sort=-at"), [STRANGER, CAMERA]);
        let wrong = server.get_raw("/api/v1/decisions?sort=name", Some(TOKEN));
        assert!(wrong.0 == 400 && wrong.1.contains("at or -at"), "{wrong:?}");

        let sessions = |query: &str| all(&server, &format!("/api/v1/sessions?{query}"), "acct_session_id");
        for query in [
            "profile=iot",
            "vlan=cameras",
            "ip=10.9.8.7",
            "ip=10.9.8.7&site=hq&state=stopped",
            "identity=camera&ssid=corp-wifi",
        ] {
            assert_eq!(sessions(query), ["7"], "{query}");
        }
        for query in ["live=true", "ip=10.9.8.9", "live=true&ssid=corp-wifi&site=hq"] {
            assert_eq!(sessions(query), ["9"], "{query}");
        }
        for query in ["ssid=guests", "site=branch", "ip=10.9.8.8", "vlan=20", "until=2026-01-01T00:00:00Z"] {
            assert_eq!(sessions(query), [""; 0], "{query}");
        }
        for query in [
            "sort=started_at",
            "ssid=corp-wifi&sort=started_at",
            "sort=started_at&mac=02005e000010",
            "sort=started_at&nas=test",
        ] {
            assert_eq!(sessions(query), ["7", "9"], "{query}");
        }
        assert_eq!(sessions("since=2026-01-01T00:00:00Z&user=02005e000010"), ["9", "7"]);

        let endpoints = |query: &str| all(&server, &format!("/api/v1/endpoints?{query}"), "mac");
        assert_eq!(endpoints(&format!("site=hq&mac={CAMERA}")), [CAMERA]);
        assert_eq!(endpoints("site=branch"), [""; 0]);
    }
}

#[test]
fn accounting_records_are_listed_one_by_one_and_exported() {
    for server in servers() {
        happen(&server);
        let session = server.get("/api/v1/sessions?state=stopped")["items"][0]["id"].as_str().unwrap().to_owned();
        let told = |query: &str| all(&server, &format!("/api/v1/accounting?{query}"), "status");
        let on_one_page = |query: &str| -> Vec<Value> {
            let page = server.get(&format!("/api/v1/accounting?{query}"));
            page["items"].as_array().unwrap().iter().map(|record| record["status"].clone()).collect()
        };
        assert_eq!(told(&format!("session={session}")).len(), 3);
        assert_eq!(on_one_page(&format!("session={session}&sort=at")), ["start", "interim", "stop"]);
        assert_eq!(on_one_page(&format!("session={session}&sort=-at")), ["stop", "interim", "start"]);
        assert_eq!(told("mac=0200.5e00.0010&site=hq").len(), 4);
        assert_eq!(told("nas=test&until=2026-01-01T00:00:00Z"), [""; 0]);
        assert_eq!(told("site=branch"), [""; 0]);
        let stop = server.get(&format!("/api/v1/accounting?session={session}"))["items"][0].clone();
        assert_eq!(
            (
                &stop["input_octets"],
                &stop["session_time_secs"],
                &stop["station"],
                &stop["acct_session_id"],
                &stop["nas"]
            ),
            (&json!(2000), &json!(90), &json!(CAMERA), &json!("7"), &json!("test")),
            "{stop:#}"
        );
        let (status, csv) = server.get_raw(&format!("/api/v1/accounting.csv?session={session}"), Some(TOKEN));
        assert_eq!((status, csv.trim_end().lines().count()), (200, 4), "{csv}");
        assert!(csv.starts_with("id,at,received_at,status,nas"), "{csv}");
        let (_, lines) = server.get_raw("/api/v1/accounting.ndjson?limit=2", Some(TOKEN));
        assert_eq!(lines.trim_end().lines().count(), 2, "{lines}");
        for (query, says) in [
            ("session=019aaaaa-0000-7000-8000-000000000000", "there is no session"),
            ("session=x", "there is no session"),
            ("cursor=1.zz", "the \\\"next\\\" of an earlier page"),
        ] {
            let wrong = server.get_raw(&format!("/api/v1/accounting?{query}"), Some(TOKEN));
            assert!(wrong.0 == 400 && wrong.1.contains(says), "{query}: {wrong:?}");
        }
        let both = server.get_raw(&format!("/api/v1/accounting?session={session}&nas=test"), Some(TOKEN));
        assert!(both.0 == 400 && both.1.contains("leave those out"), "{both:?}");
    }
}

#[test]
fn identities_come_in_every_order_and_their_history_in_pages() {
    let server = Server::bare();
    let id = crate::resources::network(&server);
    let identity = |kind: &str, name: &str| match kind {
        "user" => json!({ "kind": kind, "name": name }),
        _ => json!({ "kind": kind, "name": name, "owner": "alice", "purpose": "work" }),
    };
    for (kind, name) in [("device", "Printer-1"), ("user", "bert"), ("service", "backup")] {
        let (status, made) = server.send("POST", "/api/v1/identities", &identity(kind, name));
        assert_eq!(status, 201, "{made:#}");
    }
    let names = |query: &str| all(&server, &format!("/api/v1/identities?{query}"), "name");
    assert_eq!(names("kind=user"), ["alice", "bert"], "in the order in which they came");
    assert_eq!(names("sort=name"), ["alice", "backup", "bert", "p256", "Printer-1"]);
    assert_eq!(names("sort=-name"), ["Printer-1", "p256", "bert", "backup", "alice"]);
    assert_eq!(names("sort=kind"), ["p256", "Printer-1", "backup", "alice", "bert"]);
    assert_eq!(names("sort=name&name=*R"), ["bert", "Printer-1"]);
    assert_eq!(names("sort=-name&name=P&kind=device"), ["Printer-1", "p256"]);
    let gone = server.get_raw("/api/v1/identities?sort=name&cursor=019aaaaa-0000-7000-8000-000000000000", Some(TOKEN));
    assert!(gone.0 == 400 && gone.1.contains("begin again"), "{gone:?}");
    let wrong = server.get_raw("/api/v1/identities?sort=owner", Some(TOKEN));
    assert!(wrong.0 == 400 && wrong.1.contains("name, -name or kind"), "{wrong:?}");

    for purpose in ["one", "two"] {
        let (status, done) = server.send("PATCH", &format!("/api/v1/identities/{id}"), &json!({ "purpose": purpose }));
        assert_eq!(status, 200, "{done:#}");
    }
    let history = all(&server, &format!("/api/v1/identities/{id}/history"), "fields");
    let purposes: Vec<&Value> = history.iter().map(|fields| &fields["purpose"]["new"]).collect();
    assert_eq!(purposes, ["two", "one", "work"], "{history:#?}");
}
