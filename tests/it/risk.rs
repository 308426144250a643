//! What others tell of devices and agents becomes a risk that rules go by, at once and by itself.

use crate::support::eapol::Eapol;
use crate::support::radclient::radclient;
use crate::support::server::{SECRET, Server, TOKEN};
use crate::support::{Background, feed, read, wait_for};
use crate::wired::{Network, SUPPLICANT_MAC, hostapd, listener, online, supplicant, unlocked};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A laptop, which goes to quarantine when its risk is high, and an agent that is denied when it may have been injected.
fn document(server: &Server, nas: &str) -> String {
    let rules = r#"
@id("risky") @order("5") @profile("quarantine")
permit (principal in Group::"laptops", action == Network::Action::"connect", resource)
when { context.risk.level == "high" };
@id("laptops") @order("10") @profile("corp")
permit (principal in Group::"laptops", action == Network::Action::"connect", resource);
@id("agents") @order("20") @profile("agents")
permit (principal is Agent, action == Network::Action::"connect", resource);
@id("injected")
forbid (principal is Agent, action == Network::Action::"connect", resource)
when { context.risk.kinds.contains("prompt_injection") && context.risk.score >= 40 };
"#;
    std::fs::write(server.path("rules.cedar"), rules).unwrap();
    format!(
        r#"
[[nas]]
name = "sw"
address = "{nas}"
secret = "{SECRET}"
[[profile]]
name = "corp"
vlan = 20
[[profile]]
name = "quarantine"
vlan = 66
[[profile]]
name = "agents"
vlan = 50
filter_id = "agents"
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
[policy]
file = "rules.cedar"
"#
    )
}

fn identity(server: &Server, name: &str) -> String {
    let all = server.get("/api/v1/identities");
    let found = all["items"].as_array().unwrap().iter().find(|item| item["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("nobody is called {name}: {all:#}"))["id"].as_str().unwrap().to_owned()
}

/// Tells signals with the server's own token; what came of them.
fn tell(server: &Server, signals: Value) -> Value {
    let (status, answer) = server.send("POST", "/api/v1/signals", &json!({ "signals": signals }));
    assert_eq!(status, 200, "{answer:#}");
    answer
}

fn risk(server: &Server, name: &str) -> Value {
    server.get(&format!("/api/v1/identities/{}/risk", identity(server, name)))
}

fn fact(decision: &Value, name: &str) -> Value {
    let facts = decision["facts"].as_array().unwrap();
    facts.iter().find(|fact| fact["name"] == name).cloned().unwrap_or_else(|| panic!("no {name}: {decision:#}"))
}

fn dismiss(server: &Server, signal: &Value) {
    let path = format!("/api/v1/signals/{}/dismiss", signal.as_str().unwrap());
    let (status, answer) = server.send("POST", &path, &json!({ "reason": "a false alarm", "by": "bob" }));
    assert_eq!((status, &answer["settled"]["by"]), (200, &json!("bob")), "{answer:#}");
}

#[test]
fn step_5_what_speaks_against_an_agent_and_against_a_laptop_travels_one_way() {
    let server = Server::bare();
    server.apply(&document(&server, "127.0.0.1"));
    let (agent, laptop) = (Eapol::new("p384"), Eapol::new("p256"));
    agent.run(&server).assert_accepted(1);
    assert_eq!(fact(&server.decision(&agent.mac), "risk")["value"], Value::Null, "nothing speaks against it");

    // Its gateway tells, by a token that may do nothing else.
    let body = json!({ "name": "gateway", "permissions": ["signals:write"] });
    let (status, made) = server.send("POST", "/api/v1/tokens", &body);
    assert_eq!(status, 201, "{made:#}");
    let bearer = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    let signals = json!({ "signals": [
        { "kind": "prompt_injection", "severity": "high", "identity_kind": "agent", "identity_name": "coder", "id": "7",
          "detail": "a page told it to send its keys", "evidence": { "tool": "browser" }, "source": "somebody else" },
        { "kind": "malware", "severity": "high", "mac": laptop.mac, "topic": "EICAR" },
    ] });
    let answer = server.exchange("POST", "/api/v1/signals", &[&bearer], Some(&signals));
    assert_eq!((answer.status, &answer.body["taken"]), (200, &json!(2)), "{}", answer.text);
    assert_eq!(server.exchange("GET", "/api/v1/signals", &[&bearer], None).status, 403);
    let again =
        server.exchange("POST", "/api/v1/signals", &[&bearer], Some(&json!({ "signals": [signals["signals"][0]] })));
    assert_eq!((&again.body["known"], &again.body["taken"]), (&json!(1), &json!(0)), "{}", again.text);
    assert_eq!(again.body["signals"][0]["id"], answer.body["signals"][0]["id"]);

    agent.run(&server).assert_refused();
    let refused = server.decision(&agent.mac);
    assert_eq!(refused["policies"], json!(["injected"]), "{refused:#}");
    let first = fact(&refused, "risk.1");
    assert_eq!(
        (&first["source"], &first["value"]["kind"]),
        (&json!("gateway"), &json!("prompt_injection")),
        "{first:#}"
    );
    assert!(first["at"].as_str().unwrap() < refused["at"].as_str().unwrap(), "{first:#}");
    // The laptop was unknown when it was told of; it counts for its address alone.
    let of_mac = server.get(&format!("/api/v1/risk?mac={}", laptop.mac));
    assert_eq!(
        (&of_mac["items"][0]["level"], &of_mac["items"][0]["identity"]),
        (&json!("high"), &Value::Null),
        "{of_mac:#}"
    );
    laptop.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&laptop.mac)["profile"], "corp");
    // Now that it is known whose address it is, it counts for the laptop.
    let told = tell(&server, json!([{ "kind": "malware", "severity": "high", "mac": laptop.mac, "topic": "EICAR" }]));
    assert_eq!(told["signals"][0]["identity"], identity(&server, "p256"), "{told:#}");
    laptop.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&laptop.mac)["profile"], "quarantine");

    // The risk is the sum of what it lists.
    let shown = risk(&server, "p256");
    assert_eq!((&shown["level"], &shown["factors"][0]["full_weight"]), (&json!("high"), &json!(80.0)), "{shown:#}");
    let sum: f64 = shown["factors"].as_array().unwrap().iter().map(|factor| factor["weight"].as_f64().unwrap()).sum();
    assert!((sum - shown["score"].as_f64().unwrap()).abs() < 0.02 && sum > 79.0, "{shown:#}");
    let high = server.get("/api/v1/risk?level=high");
    assert_eq!(high["items"].as_array().unwrap().len(), 2, "{high:#}");

    // What is taken back counts no more, and who did it is on record.
    dismiss(&server, &answer.body["signals"][0]["id"]);
    agent.run(&server).assert_accepted(1);
    let audit = server.get("/api/v1/audit?action=signal.dismiss");
    let event = &audit["items"][0];
    assert_eq!((&event["actor"], &event["reason"]), (&json!("bob"), &json!("a false alarm")), "{audit:#}");
    let (status, again) = server.send(
        "POST",
        &format!("/api/v1/signals/{}/dismiss", answer.body["signals"][0]["id"].as_str().unwrap()),
        &json!({ "reason": "again" }),
    );
    assert_eq!((status, &again["code"]), (409, &json!("already_dismissed")), "{again:#}");
}

#[test]
fn a_risk_outlives_a_kill_and_wrong_signals_change_nothing() {
    let server = Server::bare_with(
        "[risk]\nmedium = 30\nhigh = 60\nweights = { ids_alert = 61 }\nhalf_life_secs = { ids_alert = 600 }\n",
    );
    server.apply(&document(&server, "127.0.0.1"));
    let told = tell(
        &server,
        json!([
            { "kind": "ids_alert", "severity": "high", "identity_kind": "device", "identity_name": "p256" },
            { "kind": "ids_alert", "identity_kind": "device", "identity_name": "nobody" },
            { "kind": "ids_alert", "identity": "00000000-0000-0000-0000-000000000000" },
            { "kind": "ids_alert" },
            { "kind": "ids_alert", "mac": "02-00-5E-00-00-99", "at": "2099-01-01T00:00:00Z" },
            { "kind": "ids_alert", "mac": "02-00-5E-00-00-99", "at": "2020-01-01T00:00:00Z" },
            { "kind": "ids_alert", "mac": "02-00-5E-00-00-99", "half_life_secs": 9_999_999 },
            { "kind": "ids_alert", "mac": "02-00-5E-00-00-99", "source": "cordon" },
        ]),
    );
    assert_eq!((&told["taken"], told["refused"].as_array().unwrap().len()), (&json!(1), 7), "{told:#}");
    let messages: Vec<_> =
        told["refused"].as_array().unwrap().iter().map(|fault| fault["message"].as_str().unwrap()).collect();
    for (message, part) in messages.iter().zip([
        "identity_name: there is no device",
        "no identity with the id",
        "not said of whom",
        "lies ahead",
        "more than a day ago",
        "half_life_secs: 9999999",
        "source: a source",
    ]) {
        assert!(message.contains(part), "{part}: {messages:#?}");
    }
    for (kind, status) in [("nonsense", 400), ("ids_alert", 200)] {
        let body = json!({ "signals": [{ "kind": kind, "ip": "10.1.0.99" }] });
        let (got, answer) = server.send("POST", "/api/v1/signals", &body);
        assert_eq!(got, status, "{answer:#}");
    }
    // Of an address that nobody has it is stored, and adds to nobody's risk.
    assert_eq!(server.get("/api/v1/signals")["items"].as_array().unwrap().len(), 2);
    assert_eq!(server.get("/api/v1/risk")["items"].as_array().unwrap().len(), 1);

    let server = server.restart("KILL");
    let shown = risk(&server, "p256");
    assert_eq!((&shown["level"], &shown["factors"][0]["half_life_secs"]), (&json!("high"), &json!(600)), "{shown:#}");
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&laptop.mac)["profile"], "quarantine");
    dismiss(&server, &told["signals"][0]["id"]);
    let server = server.restart("KILL");
    assert_eq!((&risk(&server, "p256")["level"], &risk(&server, "p256")["score"]), (&json!("low"), &json!(0.0)));
}

#[test]
fn mistakes_in_the_configuration_of_risk_are_told() {
    let server = Server::bare();
    for (more, message) in [
        ("[risk]\nmedium = 80", "high is 70"),
        ("[risk]\nhigh = 170", "high is 170"),
        ("[risk]\nhysteresis = 50", "would never fall"),
        ("[risk.weights]\nmallware = 3", "\"mallware\" is no kind of signal"),
        ("[risk.half_life_secs]\nmalware = 0", "the half-life is 0 s"),
        ("[[risk.hook]]\nname = \"siem\"", "does not say whom"),
        ("[[risk.hook]]\nname = \"siem\"\nip = [\"src\"]", "\"src\" is no JSON pointer"),
        ("[[risk.hook]]\nname = \"a/b\"\nip = [\"/src\"]", "a hook is called"),
    ] {
        let before = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
        std::fs::write(server.path("cordon.toml"), format!("{before}{more}\n")).unwrap();
        let (ok, out) = server.command(&["check"]);
        std::fs::write(server.path("cordon.toml"), before).unwrap();
        assert!(!ok && out.contains(message), "{more}: {out}");
    }
}

/// fail2ban, which reads `log` and tells the hook by curl whom it bans, and that it lifts a ban.
fn fail2ban(network: &Network, server: &Server, dir: &std::path::Path) -> Background {
    let config = dir.join("fail2ban");
    for sub in ["filter.d", "action.d"] {
        std::fs::create_dir_all(config.join(sub)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(config.join(name), text).unwrap();
    let at = |name: &str| dir.join(name).display().to_string();
    write(
        "fail2ban.conf",
        &format!(
            "[Definition]\nloglevel = INFO\nlogtarget = {}\nsyslogsocket = auto\nsocket = {}\npidfile = {}\n\
             dbfile = None\ndbpurgeage = 1d\ndbmaxmatches = 10\nallowipv6 = auto\n",
            at("fail2ban.log"),
            at("fail2ban.sock"),
            at("fail2ban.pid")
        ),
    );
    write(
        "filter.d/probe.conf",
        "[Definition]\nfailregex = ^\\s*probe of port \\d+ from <HOST>$\ndatepattern = ^%%Y-%%m-%%dT%%H:%%M:%%S%%z\n",
    );
    write(
        "action.d/cordon.conf",
        &format!(
            "[Definition]\nactionban = curl -s --max-time 5 -H 'Authorization: Bearer {TOKEN}' -H 'Content-Type: application/json' \
             -d '{{\"id\": \"<name>-<ip>-<bantime>-<time>\", \"rule\": \"<name>\", \"src\": \"<ip>\", \"failures\": <failures>, \"level\": 9}}' \
             http://{}/api/v1/signals/hooks/fail2ban >> {}\n",
            server.http,
            at("told")
        ),
    );
    write(
        "jail.conf",
        &format!(
            "[DEFAULT]\nbackend = polling\nusedns = no\nignoreself = false\nmaxretry = 3\nfindtime = 600\nbantime = 600\n\
             [probe]\nenabled = true\nfilter = probe\nlogpath = {}\naction = cordon\n",
            at("probes.log")
        ),
    );
    std::fs::write(dir.join("probes.log"), "").unwrap();
    let mut command = network.command("srv", &["fail2ban-server", "-f", "-x", "-c", config.to_str().unwrap(), "start"]);
    let background = Background::start(command.stdout(Stdio::null()));
    wait_for("fail2ban", Duration::from_secs(20), || {
        read(&dir.join("fail2ban.log")).contains("Jail 'probe' started").then_some(())
    });
    background
}

/// Tries again when the network is gone, as a laptop's own network manager does.
fn network_manager(network: &Network, control: &str) -> Background {
    let script = format!(
        "while sleep 0.2; do ping -n -c 1 -W 1 10.77.0.1 >/dev/null || {{ wpa_cli -p {control} -i eth0 logoff; \
         wpa_cli -p {control} -i eth0 logon; sleep 1; }}; done"
    );
    let mut command = network.command("sup", &["sh", "-c", &script]);
    Background::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

#[test]
fn an_intrusion_alert_moves_the_port_to_quarantine_and_back_when_it_is_dismissed_or_has_decayed() {
    let network = Network::make("r");
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bare_in(&network.name("srv"), "10.77.0.1:0");
    let before = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    let hook = r#"
[risk]
weights = { ids_alert = 60 }
[[risk.hook]]
name = "fail2ban"
id = "/id"
ip = ["/src"]
severity = "/level"
severities = { 9 = "critical" }
topic = "/rule"
detail = "/rule"
evidence = { failures = "/failures" }
"#;
    server.in_force(|| {
        std::fs::write(server.path("cordon.toml"), format!("{before}{hook}")).unwrap();
        String::new()
    });
    server.apply(&document(&server, "10.77.0.2"));
    let _listener = listener(&network, dir.path(), &server);
    let _switch = hostapd(&network, dir.path(), &server);
    let _supplicant = supplicant(&network, dir.path());
    online(&network, &server);
    let _manager = network_manager(&network, dir.path().join("wpa").to_str().unwrap());
    let vlans = |expected: &[&str]| {
        wait_for(&format!("the VLANs {expected:?}"), Duration::from_secs(60), || {
            let seen = read(&dir.path().join("vlans"));
            let mut seen: Vec<_> = seen.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            // On a busy machine the network manager loses its patience and logs in again.
            seen.dedup();
            (seen == expected).then_some(())
        });
    };
    vlans(&["20"]);
    // The switch tells which address the laptop has.
    let session = wait_for("the session", Duration::from_secs(20), || {
        let sessions = server.get(&format!("/api/v1/sessions?live=true&mac={SUPPLICANT_MAC}"));
        sessions["items"].as_array().unwrap().first().filter(|s| !s["acct_session_id"].is_null()).cloned()
    });
    let ip = "10.77.0.3";
    let port = server.acct.port();
    let mut radclient = network
        .command("nas", &["radclient", "-x", "-t", "1", "-r", "3", &format!("10.77.0.1:{port}"), "acct", SECRET]);
    feed(
        &mut radclient,
        &format!(
            "Acct-Status-Type = Interim-Update\nNAS-IP-Address = 10.77.0.2\nNAS-Identifier = test-switch\n\
             Acct-Session-Id = {}\nCalling-Station-Id = {SUPPLICANT_MAC}\nFramed-IP-Address = {ip}\n",
            session["acct_session_id"]
        ),
    );
    wait_for("the laptop's address", Duration::from_secs(10), || {
        let who = server.get(&format!("/api/v1/who?ip={ip}"));
        (!who["items"].as_array().unwrap().is_empty()).then_some(())
    });

    let _ids = fail2ban(&network, &server, dir.path());
    let probes: String = (1..=4).map(|port| format!("{} probe of port {port} from {ip}\n", now())).collect();
    std::fs::write(dir.path().join("probes.log"), probes).unwrap();
    let alert = wait_for("the alert", Duration::from_secs(30), || {
        let signals = server.get("/api/v1/signals?source=fail2ban");
        signals["items"].as_array().unwrap().first().cloned()
    });
    let (told, since) = (read(&dir.path().join("told")), Instant::now());
    assert_eq!((&alert["identity"], &alert["ip"]), (&json!(identity(&server, "p256")), &json!(ip)), "{alert:#} {told}");
    assert_eq!(alert["severity"], "critical", "{alert:#}");
    assert!(["3", "4"].contains(&alert["evidence"]["failures"].as_str().unwrap()), "{alert:#}");
    wait_for("the closed port", Duration::from_secs(10), || (!unlocked(&network)).then_some(()));
    eprintln!("the port was closed {:?} after the alert was seen", since.elapsed());
    vlans(&["20", "66"]);
    let decision = server.decision(SUPPLICANT_MAC);
    assert_eq!(fact(&decision, "risk.1")["source"], "fail2ban", "{decision:#}");

    online(&network, &server);
    dismiss(&server, &alert["id"]);
    vlans(&["20", "66", "20"]);

    // One that decays takes itself back.
    online(&network, &server);
    tell(
        &server,
        json!([{ "kind": "malware", "severity": "high", "identity_kind": "device", "identity_name": "p256",
                 "half_life_secs": 30, "source": "edr" }]),
    );
    vlans(&["20", "66", "20", "66"]);
    vlans(&["20", "66", "20", "66", "20"]);
    assert_ne!(risk(&server, "p256")["level"], "high");
}

/// The time, as logs write it.
fn now() -> String {
    let output = Command::new("date").arg("+%Y-%m-%dT%H:%M:%S%z").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_is_unlike_somebody_is_found_by_the_server_itself() {
    let server = Server::bare();
    server.apply(&format!(
        r#"
[[site]]
name = "berlin"
[[site]]
name = "porto"
[[nas]]
name = "sw-berlin"
address = "127.0.0.1"
secret = "{SECRET}"
site = "berlin"
[[nas]]
name = "sw-porto"
address = "127.0.0.2"
secret = "{SECRET}"
site = "porto"
[[profile]]
name = "iot"
vlan = 50
[[identity]]
name = "camera"
kind = "device"
owner = "alice"
purpose = "looks"
credentials = [{{ mac = "02-00-5E-00-00-77" }}]
[[identity]]
name = "alice"
kind = "user"
"#
    ));
    let text = "@id(\"iot\") @order(\"10\") @profile(\"iot\")\npermit (principal is Device, action == Network::Action::\"connect\", resource);\n";
    let (status, answer) = server.send("POST", "/api/v1/policy/activate", &json!({ "text": text }));
    assert_eq!(status, 200, "{answer:#}");
    let mab = |from: &str, mac: &str, password: &str| {
        let attributes = format!(
            "Packet-Src-IP-Address={from}, User-Name={mac:?}, User-Password={password:?}, Calling-Station-Id={mac:?}, \
             Service-Type=Call-Check, Message-Authenticator=0x00"
        );
        radclient(server.auth, "auth", &attributes)
    };
    let camera = "02-00-5E-00-00-77";
    for from in ["127.0.0.1", "127.0.0.2"] {
        let out = mab(from, camera, camera);
        assert!(out.contains("Access-Accept"), "{out}");
    }
    let told = |kind: &str| {
        wait_for(kind, Duration::from_secs(10), || {
            let page = server.get(&format!("/api/v1/signals?kind={kind}"));
            page["items"].as_array().and_then(|items| items.first()).cloned()
        })
    };
    let moved = told("impossible_movement");
    assert_eq!(moved["source"], "cordon", "{moved:#}");
    assert!(moved["detail"].as_str().unwrap().contains("berlin"), "{moved:#}");
    let risk = risk(&server, "camera");
    assert!(risk["score"].as_f64().unwrap() > 0.0, "{risk:#}");
    // Who is refused again and again for want of a good credential.
    for _ in 0..5 {
        let out = mab("127.0.0.1", camera, "guessed");
        assert!(out.contains("Access-Reject"), "{out}");
    }
    let failed = told("failed_logins");
    assert_eq!((&failed["source"], &failed["mac"]), (&json!("cordon"), &json!("02-00-5E-00-00-77")), "{failed:#}");
    // Anybody may show that address: it speaks against the address, and not against the camera.
    assert_eq!(failed["identity"], Value::Null, "{failed:#}");
}
