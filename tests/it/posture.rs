//! What is reported of devices and agents decides, at once and by itself.

use crate::support::eapol::Eapol;
use crate::support::server::{SECRET, Server};
use crate::support::{Background, read, wait_for};
use crate::wired::{Network, SUPPLICANT_MAC, hostapd, listener, online, supplicant, unlocked};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};

const GOOD: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const OTHER: &str = "sha256:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

/// A laptop that must have its firewall on, and an agent that must run the approved image.
pub(crate) fn document(server: &Server, nas: &str) -> String {
    let rules = r#"
@id("healthy") @order("10") @profile("corp")
permit (principal in Group::"laptops", action == Network::Action::"connect", resource)
when { context.posture == "compliant" || context.posture == "warning" };
@id("others") @order("20") @profile("limited")
permit (principal in Group::"laptops", action == Network::Action::"connect", resource);
@id("agents") @order("30") @profile("agents")
permit (principal is Agent, action == Network::Action::"connect", resource);
@id("unapproved")
forbid (principal is Agent, action == Network::Action::"connect", resource)
unless { context.posture == "compliant" };
"#;
    std::fs::write(server.path("rules.cedar"), rules).unwrap();
    format!(
        r#"
[policy]
file = "rules.cedar"
[[nas]]
name = "sw"
address = "{nas}"
secret = "{SECRET}"
[[profile]]
name = "corp"
vlan = 20
[[profile]]
name = "limited"
vlan = 30
[[profile]]
name = "agents"
vlan = 50
filter_id = "agents"
[[compliance]]
name = "laptops"
kinds = ["device"]
checks = [
  {{ check = "firewall", is = true }},
  {{ check = "patch_age_days", at_most = 30, severity = "warning" }},
]
[[compliance]]
name = "agents"
kinds = ["agent"]
checks = [{{ check = "image_digest", one_of = ["{GOOD}"], remedy = "deploy the approved image" }}]
[[identity]]
name = "alice"
kind = "user"
[[identity]]
name = "p256"
kind = "device"
groups = ["laptops"]
owner = "alice"
purpose = "work"
credentials = [{{ san_dns = "p256.corp.example" }}]
[[identity]]
name = "coder"
kind = "agent"
owner = "alice"
purpose = "writes code"
credentials = [{{ san_dns = "p384.corp.example" }}]
"#
    )
}

/// Reports by a connector; what came of it.
fn report(server: &Server, kind: &str, name: &str, checks: Value) -> Value {
    let body = json!({ "reports": [{ "kind": kind, "name": name, "source": "mdm", "checks": checks }] });
    let (status, answer) = server.send("POST", "/api/v1/posture/reports", &body);
    assert_eq!((status, &answer["taken"]), (200, &json!(1)), "{answer:#}");
    answer
}

fn posture(server: &Server, name: &str) -> Value {
    let all = server.get("/api/v1/posture");
    let found = all["items"].as_array().unwrap().iter().find(|item| item["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("nothing of {name}: {all:#}"))
}

fn fact(decision: &Value, name: &str) -> Value {
    let facts = decision["facts"].as_array().unwrap();
    facts.iter().find(|fact| fact["name"] == name).cloned().unwrap_or_else(|| panic!("no {name}: {decision:#}"))
}

/// Tries again when the network is gone, as a laptop's own network manager does.
pub(crate) fn network_manager(network: &Network, control: &str) -> Background {
    let script = format!(
        "while sleep 0.2; do ping -n -c 1 -W 1 10.77.0.1 >/dev/null || {{ wpa_cli -p {control} -i eth0 logoff; \
         wpa_cli -p {control} -i eth0 logon; sleep 1; }}; done"
    );
    let mut command = network.command("sup", &["sh", "-c", &script]);
    Background::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

/// A supplicant at a port of hostapd, whose own network manager tries again when the network is gone.
struct Port {
    _peers: [Background; 4],
    server: Server,
    dir: tempfile::TempDir,
    network: Network,
}

impl Port {
    /// The identity `p256` of [`document`], as `edited`, is on.
    fn on(tag: &'static str, edited: impl Fn(String) -> String, checks: Value) -> Port {
        let network = Network::make(tag);
        let dir = tempfile::tempdir().unwrap();
        let server = Server::bare_in(&network.name("srv"), "10.77.0.1:0");
        server.apply(&edited(document(&server, "10.77.0.2")));
        let kind = server.get("/api/v1/identities?name=p256")["items"][0]["kind"].as_str().unwrap().to_owned();
        report(&server, &kind, "p256", checks);
        let listener = listener(&network, dir.path(), &server);
        let (switch, log) = hostapd(&network, dir.path(), &server);
        let supplicant = supplicant(&network, dir.path());
        online(&network, &server);
        Port { _peers: [listener, switch, log, supplicant], server, dir, network }
    }

    fn manager(&self) -> Background {
        network_manager(&self.network, self.dir.path().join("wpa").to_str().unwrap())
    }

    /// Waits for these VLANs, one after the other since the beginning.
    #[track_caller]
    fn vlans(&self, expected: &[&str]) {
        wait_for(&format!("the VLANs {expected:?}"), Duration::from_secs(60), || {
            let seen = read(&self.dir.path().join("vlans"));
            let mut seen: Vec<_> = seen.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            // On a busy machine the network manager loses its patience and logs in again.
            seen.dedup();
            (seen == expected).then_some(())
        });
    }

    /// The port is closed within two seconds from now.
    #[track_caller]
    fn closes(&self, what: &str) {
        let told = Instant::now();
        wait_for("the closed port", Duration::from_secs(10), || (!unlocked(&self.network)).then_some(()));
        let took = told.elapsed();
        assert!(took < Duration::from_secs(2), "closed after {took:?}");
        eprintln!("the port was closed {took:?} after {what}");
    }
}

#[test]
fn pri_2_a_laptop_without_its_firewall_changes_vlan_within_two_seconds_and_comes_back_by_itself() {
    let port = Port::on("p", |text| text, json!({ "firewall": true, "patch_age_days": 3 }));
    let _manager = port.manager();
    port.vlans(&["20"]);

    report(&port.server, "device", "p256", json!({ "firewall": false, "patch_age_days": 3 }));
    port.closes("the report");
    port.vlans(&["20", "30"]);
    let decision = port.server.decision(SUPPLICANT_MAC);
    assert_eq!(
        (&decision["profile"], &fact(&decision, "posture")["value"]),
        (&json!("limited"), &json!("non_compliant"))
    );
    // Which report, and as of when.
    let firewall = fact(&decision, "posture.firewall");
    assert_eq!((&firewall["value"], &firewall["source"]), (&json!(false), &json!("mdm")), "{firewall:#}");
    assert!(firewall["at"].as_str().unwrap() < decision["at"].as_str().unwrap(), "{firewall:#}");

    online(&port.network, &port.server);
    report(&port.server, "device", "p256", json!({ "firewall": true, "patch_age_days": 3 }));
    port.vlans(&["20", "30", "20"]);
    assert_eq!(port.server.decision(SUPPLICANT_MAC)["profile"], "corp");
}

#[test]
fn the_port_of_an_agent_follows_its_image_and_what_a_playbook_says() {
    let agent =
        "kind = \"agent\"\nowner = \"alice\"\npurpose = \"work\"\ncredentials = [{ san_dns = \"p256.corp.example\" }]";
    let edited = |text: String| {
        let (before, rest) = text.split_once("name = \"p256\"\n").unwrap();
        let (_, after) = rest.split_once("[[identity]]").unwrap();
        format!(
            "{before}name = \"p256\"\n{agent}\n[[identity]]{after}\n[[playbook]]\nname = \"injected\"\n\
             when = {{ signals = [\"prompt_injection\"] }}\nsteps = [{{ do = \"quarantine\", profile = \"limited\" }}]\n"
        )
    };
    let port = Port::on("g", edited, json!({ "image_digest": GOOD }));
    let _manager = port.manager();
    port.vlans(&["50"]);

    report(&port.server, "agent", "p256", json!({ "image_digest": OTHER }));
    port.closes("another image was reported");
    report(&port.server, "agent", "p256", json!({ "image_digest": GOOD }));
    online(&port.network, &port.server);
    port.vlans(&["50"]);

    let signal =
        json!({ "kind": "prompt_injection", "severity": "high", "identity_kind": "agent", "identity_name": "p256" });
    let (status, told) = port.server.send("POST", "/api/v1/signals", &json!({ "signals": [signal] }));
    assert_eq!(status, 200, "{told:#}");
    port.closes("the signal");
    port.vlans(&["50", "30"]);
    assert_eq!(fact(&port.server.decision(SUPPLICANT_MAC), "containment")["value"]["by"], "playbook injected");
    let path = format!("/api/v1/signals/{}/dismiss", told["signals"][0]["id"].as_str().unwrap());
    assert_eq!(port.server.send("POST", &path, &json!({ "reason": "a false alarm" })).0, 200);
    port.vlans(&["50", "30", "50"]);
}

#[test]
fn key_1_an_agent_whose_image_is_not_the_approved_one_is_denied() {
    let server = Server::bare();
    server.apply(&document(&server, "127.0.0.1"));
    let agent = Eapol::new("p384");
    agent.run(&server).assert_refused();
    let unknown = server.decision(&agent.mac);
    assert_eq!((&unknown["reason"], &unknown["policies"]), (&json!("policy_denied"), &json!(["unapproved"])));
    assert_eq!(fact(&unknown, "posture")["value"], "unknown");
    assert_eq!(fact(&unknown, "posture.unknown")["value"], json!(["image_digest"]));

    report(&server, "agent", "coder", json!({ "image_digest": GOOD }));
    agent.run(&server).assert_accepted(1);
    assert_eq!(fact(&server.decision(&agent.mac), "posture")["value"], "compliant");

    report(&server, "agent", "coder", json!({ "image_digest": OTHER }));
    agent.run(&server).assert_refused();
    let refused = server.decision(&agent.mac);
    let digest = fact(&refused, "posture.image_digest");
    assert_eq!((&digest["value"], &digest["source"]), (&json!(OTHER), &json!("mdm")));
    let shown = posture(&server, "coder");
    assert_eq!(shown["status"], "non_compliant", "{shown:#}");
    assert_eq!(shown["findings"][0]["remedy"], "deploy the approved image", "{shown:#}");
    assert_eq!(server.get("/api/v1/posture?status=non_compliant")["items"].as_array().unwrap().len(), 1);
}

#[test]
fn reports_outlive_a_kill_and_wrong_ones_change_nothing() {
    let server = Server::bare();
    server.apply(&document(&server, "127.0.0.1"));
    report(&server, "device", "p256", json!({ "firewall": true, "patch_age_days": 40 }));
    let before = posture(&server, "p256");
    assert_eq!((&before["status"], &before["findings"][0]["check"]), (&json!("warning"), &json!("patch_age_days")));
    let id = before["identity"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/identities/{id}/posture");
    let put = |server: &Server, body: Value| {
        let (status, answer) = server.send("PUT", &path, &body);
        (status, answer["code"].as_str().unwrap_or_default().to_owned(), answer)
    };
    for (body, status, code, field) in [
        (json!({ "checks": { "firewall": "on" } }), 400, "invalid_parameter", "checks.firewall"),
        (json!({ "checks": { "fire wall": true } }), 400, "invalid_parameter", "checks.fire wall"),
        (json!({ "checks": {} }), 400, "invalid_parameter", "checks"),
        (json!({ "checks": { "firewall": false }, "ttl_secs": 1 }), 400, "invalid_parameter", "ttl_secs"),
        (json!({ "checks": { "firewall": false }, "at": "2099-01-01T00:00:00Z" }), 409, "report_refused", ""),
        (json!({ "checks": { "firewall": false }, "at": "2020-01-01T00:00:00Z" }), 409, "report_refused", ""),
        (json!({ "checks": { "firewall": false }, "why": "?" }), 400, "invalid_body", ""),
    ] {
        let (got, problem, answer) = put(&server, body.clone());
        assert_eq!((got, problem.as_str()), (status, code), "{body}: {answer:#}");
        assert_eq!(answer["field"].as_str().unwrap_or_default(), field, "{body}: {answer:#}");
    }
    // An older one of the same source.
    let late = json!({ "source": "mdm", "at": before["reported_at"], "checks": { "firewall": false } });
    assert_eq!(put(&server, late).0, 409);
    assert_eq!(posture(&server, "p256"), before);

    let server = server.restart("KILL");
    let after = wait_for("the posture", Duration::from_secs(5), || {
        let shown = posture(&server, "p256");
        (shown["status"] == "warning").then_some(shown)
    });
    assert_eq!(after, before);
    let (status, whole, answer) =
        put(&server, json!({ "checks": { "firewall": false, "x.vpn": "on" }, "ttl_secs": 10 }));
    assert_eq!((status, &answer["status"]), (200, &json!("non_compliant")), "{whole} {answer:#}");
    // What is stale is unknown, by the time alone.
    let shown = server.get(&path);
    assert_eq!(shown["checks"].as_array().unwrap().len(), 3, "{shown:#}");
    wait_for("the report to grow stale", Duration::from_secs(15), || {
        // The other source's report holds still.
        (posture(&server, "p256")["status"] == "warning").then_some(())
    });
}
