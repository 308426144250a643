//! What the console shows of the whole, and of setting gear up: by radclient and a NAS that takes changes.

use crate::support::coa_nas::CoaNas;
use crate::support::eapol::Eapol;
use crate::support::radclient::{radclient, radclient_with};
use crate::support::server::{Config, SECRET, Server, TOKEN};
use crate::support::wait_for;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// A login by MAC address, as switches make it.
fn by_mac(mac: &str) -> String {
    format!(
        "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
         NAS-IP-Address=127.0.0.1, NAS-Port-Id=\"1/0/7\", NAS-Port-Type=Ethernet, Acct-Session-Id=\"{mac}\", \
         Message-Authenticator=0x00"
    )
}

/// The overview, once it is as it should be.
#[track_caller]
fn overview(server: &Server, ready: impl Fn(&Value) -> bool) -> Value {
    wait_for("the overview", SOON, || {
        let overview = server.get("/api/v1/overview");
        ready(&overview).then_some(overview)
    })
}

fn principle<'a>(overview: &'a Value, name: &str) -> &'a Value {
    overview["principles"].as_array().unwrap().iter().find(|p| p["principle"] == name).unwrap()
}

#[test]
fn key_2_each_principle_is_a_number_with_what_lies_behind_it() {
    let server = Server::start(&Config::default());
    Eapol::new("p256").run(&server).assert_accepted(1);
    radclient(server.auth, "auth", &by_mac("02-00-5E-00-00-10"));
    radclient(server.auth, "auth", &by_mac("02-00-5E-00-00-99"));
    let seen = overview(&server, |o| o["hour"]["reject"] == 1 && o["sessions"]["total"] == 2);
    assert_eq!((&seen["hour"]["accept"], &seen["hour"]["by_certificate"]), (&json!(2), &json!(1)), "{seen:#}");
    let minutes = seen["minutes"].as_array().unwrap();
    assert_eq!(minutes.len(), 60);
    let sum = |of: &str| minutes.iter().map(|m| m[of].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("accept"), sum("reject")), (2, 1));
    assert_eq!(seen["sessions"]["kinds"]["device"], 2, "{seen:#}");
    let reason = &seen["reasons_hour"][0];
    assert_eq!((&reason["reason"], &reason["count"]), (&json!("mac_unknown"), &json!(1)));
    assert!(reason["remedy"].as_str().unwrap().len() > 10, "{reason}");
    // Each number leads to what lies behind it.
    for name in ["verify_explicitly", "least_privilege", "assume_breach", "continuously_validate"] {
        let see = principle(&seen, name)["see"].as_str().unwrap();
        assert_eq!(server.get_raw(see, Some(TOKEN)).0, 200, "{see}");
    }
    let verify = principle(&seen, "verify_explicitly");
    assert_eq!((&verify["value"], &verify["also"]), (&json!(3.0), &json!(0.5)));
    assert_eq!(principle(&seen, "least_privilege")["value"], 0.0);
    assert!(principle(&seen, "continuously_validate")["value"].as_f64().unwrap() < 60.0, "{seen:#}");
    // What was counted is counted still after a restart.
    let server = server.restart("TERM");
    let again = overview(&server, |o| o["sessions"]["total"] == 2);
    assert_eq!((&again["hour"]["accept"], &again["hour"]["reject"]), (&json!(2), &json!(1)), "{again:#}");
    assert_eq!(again["reasons_day"][0]["reason"], "mac_unknown");
}

#[test]
fn the_least_privilege_tells_rules_that_are_for_everybody() {
    let broad = "@id(\"all\") @order(\"1\") @profile(\"iot\") permit (principal is Device, action == Network::Action::\"connect\", resource) \
                 when { context.method == \"mab\" };";
    let server = Server::start(&Config { policy: broad.into(), ..Config::default() });
    let seen = server.get("/api/v1/overview");
    let privilege = principle(&seen, "least_privilege");
    assert_eq!(privilege["value"], 1.0, "{privilege:#}");
    assert!(privilege["detail"].as_str().unwrap().contains("\"all\""), "{privilege:#}");
}

#[test]
fn containment_is_timed_from_what_was_found_to_the_answer_of_the_switch() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let config = Config { nas: format!("coa = {{ port = {} }}", nas.port), ..Config::default() };
    let server = Server::start(&config);
    assert!(radclient(server.auth, "auth", &by_mac("02-00-5E-00-00-10")).contains("Access-Accept"));
    overview(&server, |o| o["sessions"]["total"] == 1);
    let before = server.get("/api/v1/overview");
    assert_eq!(principle(&before, "assume_breach")["value"], Value::Null);
    server.in_force(|| {
        let file = server.path("cordon.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let bars = "name = \"camera\"\nkind = \"device\"\nstatus = \"suspended\"";
        std::fs::write(&file, text.replace("name = \"camera\"\nkind = \"device\"", bars)).unwrap();
        String::new()
    });
    let seen = overview(&server, |o| principle(o, "assume_breach")["value"].is_number());
    let took = principle(&seen, "assume_breach")["value"].as_f64().unwrap();
    assert!((0.0..2.0).contains(&took), "{took} s");
}

/// The step of a check.
fn step<'a>(check: &'a Value, name: &str) -> &'a Value {
    check["steps"].as_array().unwrap().iter().find(|s| s["step"] == name).unwrap()
}

#[test]
fn a_switch_that_is_set_up_is_seen_step_by_step() {
    let server = Server::bare();
    let (status, made) = server.send(
        "PUT",
        "/api/v1/nas/sw1",
        &json!({ "address": "127.0.0.1", "vendor": "cisco-ios", "secret": SECRET }),
    );
    assert!(status == 200 || status == 201, "{made:#}");
    // Its configuration, with what differs and without the secret.
    let snippet = server.get("/api/v1/nas/sw1/snippet");
    let text = snippet["text"].as_str().unwrap();
    let host = format!("address ipv4 127.0.0.1 auth-port {} acct-port {}", server.auth.port(), server.acct.port());
    assert!(text.contains(&host) && text.contains("key <secret>") && text.contains("port 1700"), "{text}");
    assert!(!text.contains(SECRET));
    let other = server.get("/api/v1/nas/sw1/snippet?vendor=juniper-ex&server=192.0.2.9");
    assert!(other["text"].as_str().unwrap().contains("set access radius-server 192.0.2.9 port"), "{other}");
    let (status, wrong) = server.get_raw("/api/v1/nas/sw1/snippet?vendor=nobody", Some(TOKEN));
    assert!(status == 400 && wrong.contains("cisco-ios"), "{wrong}");
    for vendor in server.get("/api/v1/nas/vendors")["items"].as_array().unwrap() {
        let name = vendor["name"].as_str().unwrap();
        let text = server.get(&format!("/api/v1/nas/sw1/snippet?vendor={name}"))["text"].to_string();
        assert!(text.contains("<secret>") && text.contains("127.0.0.1"), "{name}: {text}");
    }
    let check = || server.get("/api/v1/nas/sw1/check");
    assert_eq!(step(&check(), "packet")["state"], "waiting");
    // With a wrong secret.
    radclient_with(server.auth, "auth", &by_mac("02-00-5E-00-00-01"), "another");
    let wrong = check();
    assert_eq!((&step(&wrong, "packet")["state"], &step(&wrong, "secret")["state"]), (&json!("good"), &json!("bad")));
    assert!(step(&wrong, "secret")["remedy"].as_str().unwrap().contains("secret"), "{wrong:#}");
    // With the right one.
    radclient(server.auth, "auth", &by_mac("02-00-5E-00-00-01"));
    let right = check();
    for name in ["packet", "secret", "message_authenticator"] {
        assert_eq!(step(&right, name)["state"], "good", "{right:#}");
    }
    assert_eq!(step(&right, "login")["state"], "bad", "nobody is known yet: {right:#}");
    let acct = "Acct-Status-Type=Start, Acct-Session-Id=\"1\", NAS-IP-Address=127.0.0.1, Calling-Station-Id=\"02-00-5E-00-00-01\"";
    radclient(server.acct, "acct", acct);
    wait_for("accounting", SOON, || (step(&check(), "accounting")["state"] == "good").then_some(()));
    // What came before does not count.
    let since = server.get("/api/v1/overview")["at"].as_str().unwrap().to_owned();
    let later = server.get(&format!("/api/v1/nas/sw1/check?since={since}"));
    assert_eq!(step(&later, "packet")["state"], "waiting", "{later:#}");
}

#[test]
fn a_switch_says_whether_it_takes_changes_and_nobody_is_disconnected() {
    let dir = tempfile::tempdir().unwrap();
    for (args, vendor, outcome, listens, secret, word) in [
        (&["--disconnect", "nak:503"][..], "standard", "nak", true, json!(true), "no such session"),
        (&["--disconnect", "nak:501"], "cisco-ios", "nak", true, json!(true), "refuse changes"),
        (&["--disconnect", "ack"], "standard", "ack", true, json!(true), "confirmed"),
        (&["--disconnect", "silent"], "fortinet", "silent", false, Value::Null, "nothing came back"),
    ] {
        let nas = CoaNas::start(dir.path(), args);
        let server = Server::bare();
        let body = json!({ "address": "127.0.0.1", "vendor": vendor, "secret": SECRET, "coa": { "port": nas.port } });
        let (status, made) = server.send("PUT", "/api/v1/nas/sw1", &body);
        assert!(status < 300, "{made:#}");
        let (status, told) = server.send("POST", "/api/v1/nas/sw1/coa-test", &json!({}));
        assert_eq!(status, 200, "{told:#}");
        assert_eq!((&told["outcome"], &told["listens"], &told["secret"]), (&json!(outcome), &json!(listens), &secret));
        assert!(told["detail"].as_str().unwrap().contains(word), "{told:#}");
        let asked = nas.first(1, SOON).remove(0);
        assert_eq!((&asked["code"], &asked["wrong"]), (&json!(40), &Value::Null), "{asked}");
        // No port: where gear finds sessions by it, somebody would be meant.
        assert!(asked["attributes"].as_array().unwrap().iter().all(|a| a[0] != 5 && a[0] != 87), "{asked}");
        let check = server.get("/api/v1/nas/sw1/check");
        assert_eq!(check["coa_test"]["outcome"], outcome);
        let (status, refused) = server.send("POST", "/api/v1/nas/sw1/coa-test", &json!({ "address": "192.0.2.1" }));
        assert_eq!((status, &refused["field"]), (400, &json!("address")), "{refused:#}");
    }
}

#[test]
fn the_calendar_tells_what_ends_and_what_that_takes_down() {
    let config = Config::default();
    let more = "[[identity]]\nname = \"contractor\"\nkind = \"user\"\nexpires = \"2099-01-01T00:00:00Z\"\n";
    let server = Server::start(&Config { more: config.more.clone() + more, ..config });
    let (status, token) = server.send("POST", "/api/v1/tokens", &json!({ "name": "siem", "role": "auditor" }));
    assert_eq!(status, 201, "{token:#}");
    let calendar = server.get("/api/v1/calendar?until=2100-01-01T00:00:00Z");
    let items = calendar["items"].as_array().unwrap();
    let of = |kind: &str| items.iter().find(|i| i["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {calendar:#}"));
    assert!(of("server_certificate")["takes_down"].as_str().unwrap().contains("EAP-TLS"));
    assert!(of("ca")["identities"].as_u64().unwrap() > 3, "{calendar:#}");
    assert!(of("crl")["takes_down"].as_str().unwrap().contains("refused"), "{calendar:#}");
    assert_eq!((&of("identity")["name"], &of("token")["name"]), (&json!("contractor"), &json!("siem")));
    let ends: Vec<&str> = items.iter().map(|i| i["ends_at"].as_str().unwrap()).collect();
    assert!(ends.is_sorted(), "{ends:?}");
    // What ends soon and is of many is at a glance, too.
    assert!(server.get("/api/v1/overview")["ending"].as_array().unwrap().iter().all(|i| i["kind"] != "token"));
}

#[test]
fn the_audit_log_is_verified_by_the_api_and_what_was_altered_is_named() {
    let server = Server::bare();
    for n in 0..5 {
        server.send("PUT", &format!("/api/v1/sites/site-{n}"), &json!({}));
    }
    let verified = || {
        let (status, begun) = server.send("POST", "/api/v1/audit/verify", &Value::Null);
        assert_eq!(status, 202, "{begun:#}");
        wait_for("the end of the look", SOON, || {
            let look = server.get("/api/v1/audit/verify");
            (look["state"] != "running").then_some(look)
        })
    };
    assert_eq!(server.get("/api/v1/audit/verify")["state"], "never");
    let good = verified();
    assert_eq!((&good["state"], &good["fault_count"]), (&json!("intact"), &json!(0)), "{good:#}");
    assert!(good["events"].as_u64().unwrap() >= 6, "{good:#}");
    let script = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n\
                  db.execute(\"UPDATE audit_event SET actor = 'mallory' WHERE seq = 3\")\ndb.commit()";
    let altered = Command::new("python3").args(["-c", script]).arg(server.path("data/cordon.db")).status();
    assert!(altered.unwrap().success());
    let bad = verified();
    assert_eq!(bad["state"], "not_intact", "{bad:#}");
    assert!(bad["faults"][0].as_str().unwrap().contains("event 3 was altered"), "{bad:#}");
}
