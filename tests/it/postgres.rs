//! The whole server on PostgreSQL: what is applied, logged in, counted, looked up.

use crate::support::eapol::Eapol;
use crate::support::postgres::postgres;
use crate::support::radclient::radclient;
use crate::support::server::{Config, Server};
use crate::support::{cordon, text, wait_for};
use std::path::Path;
use std::time::Duration;

fn config(more: &str) -> Config {
    let url = postgres().database();
    let own = Config::default().more;
    Config { more: format!("[database]\nurl = {url:?}\n{more}{own}"), ..Config::default() }
}

#[test]
fn logins_sessions_endpoints_and_signals_are_found_again() {
    let server = Server::start(&config(""));
    let login = Eapol::new("p256");
    login.run(&server).assert_accepted(1);
    let decision = server.decision(&login.mac);
    assert_eq!((&decision["outcome"], &decision["identity"]["name"]), (&"accept".into(), &"p256".into()));
    for filter in ["reason=accepted", "nas=test", "identity=p256", "outcome=accept", "enforced=true"] {
        let page = server.get(&format!("/api/v1/decisions?{filter}&mac={}", login.mac));
        assert_eq!(page["items"][0]["id"], decision["id"], "{filter}");
    }
    assert_eq!(server.get(&format!("/api/v1/decisions/{}", decision["id"].as_str().unwrap()))["id"], decision["id"]);

    let mac = "00-01-E6-00-00-01";
    let account = |status: &str, port: &str, more: &str| {
        let attributes = format!(
            "Acct-Status-Type={status}, Acct-Session-Id=\"7\", Calling-Station-Id={mac:?}, NAS-Port-Id={port:?}, \
             NAS-Port-Type=Ethernet{more}"
        );
        let out = radclient(server.acct, "acct", &attributes);
        assert!(out.contains("Accounting-Response"), "{out}");
    };
    account("Start", "1", "");
    account("Interim-Update", "1", ", Framed-IP-Address=10.9.8.7, Acct-Input-Octets=1000, Acct-Output-Octets=9");
    let who = server.get("/api/v1/who?ip=10.9.8.7");
    assert_eq!(who["items"][0]["mac"], mac, "{who:#}");
    assert_eq!(server.get("/api/v1/who?nas=test&port=1")["items"][0]["state"], "active");
    let usage = server.get("/api/v1/usage?resolution=5min&nas=test");
    let sums = usage["items"].as_array().unwrap().iter().map(|p| p["input_octets"].as_u64().unwrap());
    assert_eq!(sums.sum::<u64>(), 1_000, "{usage:#}");
    let endpoint = server.get(&format!("/api/v1/endpoints?mac={mac}&nas=test&randomized=false"))["items"][0].clone();
    assert_eq!(endpoint["macs"][0], mac, "{endpoint:#}");
    // At two ports at once, which cannot be.
    let second = format!(
        "Acct-Status-Type=Start, Acct-Session-Id=\"8\", Calling-Station-Id={mac:?}, NAS-Port-Id=\"2\", NAS-Port-Type=Ethernet"
    );
    radclient(server.acct, "acct", &second);
    let signals = server.get("/api/v1/signals?kind=mac_in_two_places");
    assert_eq!(signals["items"].as_array().unwrap().len(), 1, "{signals:#}");

    let storage = server.get("/api/v1/storage");
    let families = storage["families"].as_array().unwrap();
    assert!(families.iter().all(|f| f["octets"].as_u64().is_some_and(|octets| octets > 0)), "{storage:#}");
    assert!(server.get_raw("/api/v1/who?ip=x", Some(crate::support::server::TOKEN)).0 == 400);
}

#[test]
fn a_second_server_on_the_same_database_does_not_start() {
    let config = config("");
    let _first = Server::start(&config);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cordon.toml");
    std::fs::write(dir.path().join("policy.cedar"), &config.policy).unwrap();
    std::fs::write(&file, config.text()).unwrap();
    let output = cordon().args(["serve", "--config"]).arg(&file).output().unwrap();
    let out = text(&output);
    assert!(!output.status.success() && out.contains("another server writes to it"), "{out}");
}

#[test]
fn the_campus_is_applied_changed_and_rolled_back() {
    let server = Server::bare_with(&format!("[database]\nurl = {:?}\n", postgres().database()));
    let campus = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/campus");
    let campus = campus.to_str().unwrap();
    server.in_force(|| server.succeed(&["apply", "-f", campus, "-m", "the campus", "--by", "elena"]));
    assert!(server.succeed(&["apply", "-f", campus]).contains("0 to change, "));
    let status =
        server.in_force(|| server.succeed(&["identity", "status", "agent", "coder-1", "suspended", "--by", "elena"]));
    assert!(status.contains("suspended"), "{status}");
    assert!(server.succeed(&["identity", "history", "agent", "coder-1"]).contains("elena"));
    let policy = server.path("draft.cedar");
    std::fs::write(&policy, "@id(\"none\")\nforbid (principal, action, resource);\n").unwrap();
    let (ok, out) = server.command(&["policy", "activate", policy.to_str().unwrap(), "-m", "closed"]);
    assert!(!ok && out.contains("the policy test"), "the campus' own tests hold: {out}");
    assert!(server.succeed(&["policy", "history"]).contains("the campus"));
    assert!(server.succeed(&["export"]).contains("hq-access-1"));
    // Whoever asks and is unknown is noted, too.
    radclient(server.auth, "auth", "User-Name=x, Message-Authenticator=0x00");
    wait_for("the unknown switch", Duration::from_secs(10), || {
        server.succeed(&["nas", "unknown"]).contains("127.0.0.1").then_some(())
    });
}
