//! Endpoints as they are seen on the wire, with radclient as the switches.

use crate::support::radclient::radclient;
use crate::support::server::{Config, Server};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Assigned to Hewlett Packard.
const PRINTER: &str = "00-01-E6-00-00-01";
/// A second switch, by the address that it sends from.
const SECOND: &str = "Packet-Src-IP-Address=127.0.0.2";
/// What Cisco's device sensor overhears of a printer, and of somebody's Linux.
const JETDIRECT: &str = r#"Cisco-AVPair="dhcp-option=\000\074\000\031Hewlett-Packard JetDirect""#;
const KALI: &str = r#"Cisco-AVPair="lldp-tlv=\000\006\000\026Kali GNU/Linux Rolling""#;

fn server() -> Server {
    let mut config = Config::default();
    let secret = crate::support::server::SECRET;
    config.more.push_str(&format!("[[nas]]\nname = \"second\"\naddress = \"127.0.0.2\"\nsecret = \"{secret}\"\n"));
    config.policy = r#"
@accept("network-only") @id("all") @order("10") @profile("quarantine")
permit (principal, action == Network::Action::"connect", resource)
when { context.method == "mab" && context.nas has port_type && context.nas.port_type == "ethernet" };
"#
    .into();
    Server::start(&config)
}

/// A login by MAC address at this port.
#[track_caller]
fn login(server: &Server, mac: &str, port: &str, more: &str) -> String {
    let out = radclient(
        server.auth,
        "auth",
        &format!(
            "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
             NAS-Port-Type=Ethernet, NAS-Port-Id={port:?}, Message-Authenticator=0x00{more}"
        ),
    );
    assert!(out.contains("Received Access-Accept"), "{out}");
    out
}

#[track_caller]
fn account(server: &Server, status: &str, mac: &str, port: &str, more: &str) {
    let out = radclient(
        server.acct,
        "acct",
        &format!(
            "Acct-Status-Type={status}, Acct-Session-Id=\"7\", Calling-Station-Id={mac:?}, NAS-Port-Type=Ethernet, \
             NAS-Port-Id={port:?}{more}"
        ),
    );
    assert!(out.contains("Received Accounting-Response"), "{out}");
}

#[track_caller]
fn endpoints(server: &Server, query: &str) -> Vec<Value> {
    server.get(&format!("/api/v1/endpoints?{query}"))["items"].as_array().unwrap().clone()
}

/// The one endpoint with this address, in full.
#[track_caller]
fn endpoint(server: &Server, mac: &str) -> Value {
    let all = endpoints(server, &format!("mac={mac}"));
    assert_eq!(all.len(), 1, "{all:#?}");
    server.get(&format!("/api/v1/endpoints/{}", all[0]["id"].as_str().unwrap()))
}

fn signals(endpoint: &Value) -> Vec<&str> {
    endpoint["signals"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap()).collect()
}

#[test]
fn pil_1_every_contact_is_in_the_inventory_within_a_second_with_a_profile_and_its_confidence() {
    let server = server();
    let out = login(&server, PRINTER, "ge-0/0/7", &format!(", {JETDIRECT}"));
    let answered = Instant::now();
    let seen = endpoint(&server, PRINTER);
    assert!(answered.elapsed() < Duration::from_secs(1));
    assert_eq!(seen["known_by"], "mac");
    assert_eq!(seen["vendor"], "Hewlett Packard");
    assert_eq!((&seen["randomized"], &seen["category"]), (&false.into(), &"printer".into()));
    assert!(seen["confidence"].as_u64().unwrap() >= 50, "{seen:#}");
    let evidence = seen["fingerprint"]["evidence"].as_array().unwrap();
    assert!(evidence.iter().any(|e| e["clue"] == "dhcp-class" && e["category"] == "printer"), "{seen:#}");
    assert_eq!(seen["places"][0]["nas"]["port"], "ge-0/0/7");
    assert_eq!(seen["places"][0]["present"], true);
    // The decision says what was overheard, too.
    let facts = server.decision(PRINTER)["facts"].clone();
    assert!(facts.to_string().contains("Hewlett-Packard JetDirect"), "{facts:#}");

    // Accounting is a contact as well; it says which address it has, and when it leaves.
    let class = out.split("Class = ").nth(1).unwrap().split_whitespace().next().unwrap();
    let more = format!(", Framed-IP-Address=192.0.2.77, Class={class}");
    account(&server, "Start", PRINTER, "ge-0/0/7", &more);
    let later = endpoint(&server, PRINTER);
    assert_eq!(later["id"], seen["id"]);
    assert_eq!(later["ip"], "192.0.2.77");
    assert_eq!(later["ips"][0]["ip"], "192.0.2.77");
    assert!(later["last_at"].as_str() > seen["last_at"].as_str(), "{later:#}");
    account(&server, "Stop", PRINTER, "ge-0/0/7", &more);
    assert_eq!(endpoint(&server, PRINTER)["places"][0]["present"], false);

    // A repeated login that brings nothing new counts too.
    login(&server, PRINTER, "ge-0/0/7", "");
    login(&server, PRINTER, "ge-0/0/7", "");
    let last = endpoint(&server, PRINTER);
    assert!(last["last_at"].as_str() > later["last_at"].as_str());
    assert_eq!(signals(&last), [""; 0]);
}

#[test]
fn a_randomised_address_is_recognised_and_identifies_nobody() {
    let server = server();
    let mac = "02-00-5E-11-22-33";
    login(&server, mac, "ge-0/0/1", "");
    login(&server, mac, "ge-0/0/1", "");
    let all = endpoints(&server, "randomized=true");
    assert_eq!(all.len(), 2, "{all:#?}");
    for seen in &all {
        assert_eq!((&seen["known_by"], &seen["mac"]), (&"login".into(), &mac.into()));
        assert_eq!(seen["vendor"], Value::Null);
    }
    // Accounting without a Class belongs to the latest of them.
    account(&server, "Start", mac, "ge-0/0/1", ", Framed-IP-Address=192.0.2.9");
    let all = endpoints(&server, "randomized=true");
    assert_eq!((all.len(), &all[0]["ip"], &all[1]["ip"]), (2, &"192.0.2.9".into(), &Value::Null));
    assert_eq!(endpoints(&server, "randomized=false").len(), 0);
}

#[test]
fn a_printer_that_turns_into_linux_is_a_signal() {
    let server = server();
    login(&server, PRINTER, "ge-0/0/7", &format!(", {JETDIRECT}"));
    account(&server, "Interim-Update", PRINTER, "ge-0/0/7", &format!(", {KALI}"));
    let seen = endpoint(&server, PRINTER);
    assert_eq!((&seen["os"], &seen["category"]), (&"linux".into(), &"workstation".into()), "{seen:#}");
    // Its network card is still that of a printer's maker, so that only the system is sure.
    assert_eq!(signals(&seen), ["os_changed"], "{seen:#}");
    let page = server.get("/api/v1/signals?kind=os_changed");
    let signal = &page["items"][0];
    assert_eq!(signal["endpoint"], seen["id"]);
    assert!(signal["detail"].as_str().unwrap().contains("Kali GNU/Linux"), "{signal:#}");
    assert!(signal["remedy"].as_str().unwrap().contains("copied MAC address"));
    assert_eq!(endpoints(&server, "signal=os_changed").len(), 1);
    assert_eq!(endpoints(&server, "signal=vendor_changed").len(), 0);
}

#[test]
fn the_same_address_at_two_switches_is_a_signal() {
    let server = server();
    login(&server, PRINTER, "ge-0/0/7", "");
    login(&server, PRINTER, "ge-0/0/9", &format!(", {SECOND}"));
    let seen = endpoint(&server, PRINTER);
    assert_eq!(signals(&seen), ["mac_in_two_places"], "{seen:#}");
    let detail = seen["signals"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("test (ge-0/0/7)") && detail.contains("second (ge-0/0/9)"), "{detail}");
    assert_eq!(endpoints(&server, "nas=second&vendor=Hewlett%20Packard").len(), 1);

    // One that was moved, and whose switch said so, is none.
    let moved = "00-01-E6-00-00-02";
    login(&server, moved, "ge-0/0/7", "");
    account(&server, "Start", moved, "ge-0/0/7", "");
    std::thread::sleep(Duration::from_millis(10));
    account(&server, "Stop", moved, "ge-0/0/7", ", Acct-Session-Time=3");
    login(&server, moved, "ge-0/0/9", &format!(", {SECOND}"));
    assert_eq!(signals(&endpoint(&server, moved)), [""; 0]);
    assert_eq!(server.get("/api/v1/signals")["items"].as_array().unwrap().len(), 1);
}

#[test]
fn what_was_seen_outlives_a_restart() {
    let server = server();
    login(&server, PRINTER, "ge-0/0/7", &format!(", {JETDIRECT}"));
    let before = endpoint(&server, PRINTER);
    let server = server.restart("KILL");
    login(&server, PRINTER, "ge-0/0/8", &format!(", {SECOND}"));
    let after = endpoint(&server, PRINTER);
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["category"], "printer");
    assert_eq!(after["places"].as_array().unwrap().len(), 2);
    assert_eq!(signals(&after), ["mac_in_two_places"]);
}

#[test]
fn a_certificate_is_one_endpoint_whatever_its_address() {
    let server = Server::start(&Config::default());
    let login = crate::support::eapol::Eapol::new("p256");
    login.run(&server).assert_accepted(1);
    let page = endpoints(&server, "");
    assert_eq!(page.len(), 1, "{page:#?}");
    assert_eq!(page[0]["known_by"], "certificate");
    assert_eq!(page[0]["identity"]["name"], "p256");
    login.run(&server).assert_accepted(1);
    assert_eq!(endpoints(&server, "").len(), 1);
}

#[test]
fn pages_and_mistakes() {
    let server = server();
    for n in 1..=3 {
        login(&server, &format!("00-01-E6-00-00-0{n}"), &format!("ge-0/0/{n}"), "");
    }
    let first = server.get("/api/v1/endpoints?limit=2");
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let rest = server.get(&format!("/api/v1/endpoints?limit=2&cursor={next}"));
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    for (query, field) in [
        ("endpoints?category=toaster", "category"),
        ("endpoints?randomized=maybe", "randomized"),
        ("endpoints?signal=smoke", "signal"),
        ("signals?kind=smoke", "kind"),
        ("signals?endpoint=7", "endpoint"),
    ] {
        let (status, body) = server.get_raw(&format!("/api/v1/{query}"), Some(crate::support::server::TOKEN));
        assert!(status == 400 && body.contains(&format!("\"field\":\"{field}\"")), "{query}: {body}");
    }
}
