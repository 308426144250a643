//! Shared Signals with a peer that signs, verifies and polls by a JOSE library of another language.

use crate::support::coa_nas::{CoaNas, values};
use crate::support::postgres::postgres;
use crate::support::radclient::radclient;
use crate::support::receiver::Receiver;
use crate::support::server::{SECRET, Server, TOKEN};
use crate::support::{cordon, feed, succeed, venv, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

const ISSUER: &str = "https://idp.example";
const PUSH_TOKEN: &str = "what-the-idp-shows-when-it-pushes";
const POLL_TOKEN: &str = "what-is-shown-where-it-is-polled";
const SOON: Duration = Duration::from_secs(15);
const DISCONNECT: u64 = 40;
const CAMERA: &str = "02-00-5E-00-00-77";

fn peer(args: &[&str]) -> Command {
    let mut command = Command::new(venv("python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/ssf_peer.py")).args(args);
    command
}

/// A transmitter's keys and what it shows.
struct Idp {
    dir: PathBuf,
    /// Keeps the directory.
    _own: Option<TempDir>,
}

impl Idp {
    fn new() -> Idp {
        let own = tempfile::tempdir().unwrap();
        Idp::in_dir(own.path()).owning(own)
    }

    fn in_dir(dir: &Path) -> Idp {
        succeed(&mut peer(&["make", dir.to_str().unwrap()]));
        std::fs::write(dir.join("push"), format!("{PUSH_TOKEN}\n")).unwrap();
        std::fs::write(dir.join("poll"), POLL_TOKEN).unwrap();
        Idp { dir: dir.to_owned(), _own: None }
    }

    fn owning(self, own: TempDir) -> Idp {
        Idp { _own: Some(own), ..self }
    }

    fn at(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// The section of a transmitter that pushes.
    fn section(&self, more: &str) -> String {
        format!(
            "[[ssf.transmitter]]\nname = \"idp\"\nissuer = {ISSUER:?}\naudience = [\"https://cordon.example/ssf\"]\n\
             jwks_file = {:?}\npush_token_file = {:?}\n{more}\n",
            self.at("jwks.json"),
            self.at("push")
        )
    }

    fn sign(&self, spec: &Value) -> String {
        succeed(&mut peer(&["sign", self.dir.to_str().unwrap(), &spec.to_string()]))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn caep(name: &str) -> String {
    format!("https://schemas.openid.net/secevent/caep/event-type/{name}")
}

fn camera() -> Value {
    json!({ "format": "iss_sub", "iss": ISSUER, "sub": "camera" })
}

/// The claims of an event of ours.
fn claims(jti: &str, subject: &Value, uri: &str, event: &Value) -> Value {
    json!({ "iss": ISSUER, "aud": "https://cordon.example/ssf", "jti": jti, "iat": now(), "sub_id": subject,
            "events": { uri: event } })
}

/// Pushes a token: status and body.
fn push_as(server: &Server, name: &str, token: &str, kind: &str, set: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v1/ssf/receive/{name}", server.http);
    let (bearer, kind) = (format!("Authorization: Bearer {token}"), format!("Content-Type: {kind}"));
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "--max-time",
        "20",
        "-w",
        "\n%{http_code}",
        "-H",
        &bearer,
        "-H",
        &kind,
        "--data-binary",
        "@-",
        &url,
    ]);
    let out = feed(&mut curl, set);
    let (body, status) = out.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn push(server: &Server, set: &str) -> (u16, Value) {
    push_as(server, "idp", PUSH_TOKEN, "application/secevent+jwt", set)
}

/// A camera behind a switch that takes changes, which goes to quarantine when its risk is high.
fn inventory(server: &Server, port: u16) {
    let rules = r#"
@id("risky") @order("5") @profile("quarantine")
permit (principal in Group::"cameras", action == Network::Action::"connect", resource)
when { context.risk.level == "high" };
@id("cameras") @order("10") @profile("iot")
permit (principal in Group::"cameras", action == Network::Action::"connect", resource);
"#;
    std::fs::write(server.path("rules.cedar"), rules).unwrap();
    server.apply(&format!(
        "[policy]\nfile = \"rules.cedar\"\n[[nas]]\nname = \"sw\"\naddress = \"127.0.0.1\"\nsecret = {SECRET:?}\n\
         coa = {{ port = {port} }}\n[[profile]]\nname = \"iot\"\nvlan = 20\n[[profile]]\nname = \"quarantine\"\nvlan = 66\n\
         [[identity]]\nname = \"ben\"\nkind = \"user\"\ncredentials = [{{ san_email = \"ben@corp.example\" }}]\n\
         [[identity]]\nname = \"camera\"\nkind = \"device\"\ngroups = [\"cameras\"]\nowner = \"ben\"\npurpose = \"a door\"\n\
         credentials = [{{ mac = {CAMERA:?} }}]\n"
    ));
}

/// The camera logs in; the answer.
fn log_in(server: &Server) -> String {
    let attributes = format!(
        "User-Name={CAMERA:?}, User-Password={CAMERA:?}, Service-Type=Call-Check, Calling-Station-Id={CAMERA:?}, \
         NAS-IP-Address=127.0.0.1, NAS-Port=7, NAS-Port-Type=Ethernet, Acct-Session-Id=\"00000001\", \
         Message-Authenticator=0x00"
    );
    let out = radclient(server.auth, "auth", &attributes);
    assert!(out.contains("Received Access-Accept"), "{out}");
    out
}

/// What may not change when something is refused.
fn standing(server: &Server) -> (usize, usize, usize) {
    let count = |path: &str| server.get(path)["items"].as_array().unwrap().len();
    (count("/api/v1/signals"), count("/api/v1/changes"), count("/api/v1/audit?action=ssf.event"))
}

#[test]
fn a_revoked_session_ends_at_the_switch_and_what_is_forged_changes_nothing() {
    let (dir, idp) = (tempfile::tempdir().unwrap(), Idp::new());
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare_with(&idp.section(""));
    inventory(&server, nas.port);
    log_in(&server);
    let before = standing(&server);

    let good = claims("bad", &camera(), &caep("session-revoked"), &json!({}));
    let with = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        json!({ "claims": claims })
    };
    for (what, spec, code) in [
        ("a wrong key", json!({ "claims": good, "key": "evil" }), "invalid_key"),
        ("a key that is not known", json!({ "claims": good, "key": "evil", "kid": "k9" }), "invalid_key"),
        ("no signature", json!({ "claims": good, "alg": "none" }), "invalid_request"),
        ("the public key as a secret", json!({ "claims": good, "alg": "HS256" }), "invalid_key"),
        ("another type", json!({ "claims": good, "typ": "JWT" }), "invalid_request"),
        ("another issuer", with("iss", json!("https://evil.example")), "invalid_issuer"),
        ("another audience", with("aud", json!("https://other.example")), "invalid_audience"),
        ("one of yesterday", with("iat", json!(now() - 90_000)), "invalid_request"),
        ("one of tomorrow", with("iat", json!(now() + 90_000)), "invalid_request"),
        ("one that has expired", with("exp", json!(now() - 60)), "invalid_request"),
        ("an access token", with("sub", json!("camera")), "invalid_request"),
        ("no event", with("events", json!({})), "invalid_request"),
    ] {
        let (status, answer) = push(&server, &idp.sign(&spec));
        assert_eq!((status, &answer["err"]), (400, &json!(code)), "{what}: {answer}");
        assert!(!answer["description"].as_str().unwrap().is_empty(), "{what}: {answer}");
    }
    let token = idp.sign(&json!({ "claims": good }));
    let (head, rest) = token.split_once('.').unwrap();
    let changed = format!("{head}.{}.{}", rest.split('.').next().unwrap().to_ascii_lowercase(), "AAAA");
    for set in ["", "x", "a.b.c", &changed, &"a".repeat(100_000)] {
        assert_eq!(push(&server, set).0, 400);
    }
    for (name, shown) in [("idp", "a-wrong-token-of-some-length"), ("nobody", PUSH_TOKEN), ("idp", TOKEN)] {
        let (status, answer) = push_as(&server, name, shown, "application/secevent+jwt", &token);
        assert_eq!((status, &answer["err"]), (400, &json!("authentication_failed")), "{answer}");
    }
    let (status, answer) = push_as(&server, "idp", PUSH_TOKEN, "application/json", &token);
    assert_eq!((status, &answer["err"]), (400, &json!("invalid_request")), "{answer}");
    assert_eq!(standing(&server), before, "nothing has changed");
    assert_eq!(nas.requests().len(), 0);

    // By the device, and by the user that it belongs to, of whom nothing is known to end.
    let reason = json!({ "reason_admin": { "en": "the badge was stolen" }, "initiating_entity": "admin" });
    let revoked = idp.sign(&json!({ "claims": claims("r1", &camera(), &caep("session-revoked"), &reason) }));
    let began = Instant::now();
    assert_eq!(push(&server, &revoked), (202, Value::Null));
    let request = nas.first(1, SOON).remove(0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    eprintln!("the switch was told {:?} after the event was pushed", began.elapsed());
    assert_eq!((&request["code"], values(&request, 31)), (&json!(DISCONNECT), vec![CAMERA.to_owned()]), "{request}");
    let signals = server.get("/api/v1/signals?source=idp");
    let signal = &signals["items"][0];
    assert_eq!((&signal["kind"], &signal["source_id"]), (&json!("session_revoked"), &json!("r1")), "{signal:#}");
    assert_eq!(signal["evidence"]["event"], "session-revoked");
    assert!(signal["detail"].as_str().unwrap().contains("the badge was stolen"), "{signal:#}");
    let audit = server.get("/api/v1/audit?action=ssf.event");
    let event = &audit["items"][0];
    assert_eq!((&event["actor"], &event["reason"]), (&json!("ssf:idp"), &json!("the badge was stolen")), "{event:#}");
    assert_eq!(
        (&event["after"]["identities"], &event["after"]["sessions_ended"]),
        (&json!(["camera"]), &json!(1)),
        "{event:#}"
    );
    let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
    for part in ["result=\"acted\"} 1", "result=\"invalid_audience\"} 1", "result=\"authentication_failed\"} 3"] {
        assert!(metrics.contains(&format!("cordon_ssf_received_total{{{part}")), "{part}: {metrics}");
    }

    // The same again is answered as before, and changes nothing; after a kill, too.
    let out = log_in(&server);
    assert!(out.contains("\"66\""), "its risk is high for a while: {out}");
    assert_eq!(fact(&server, "risk.1")["source"], "idp");
    // Its risk fades, and has the session looked at: changes may come of that, and not of the event.
    let (signals, _, events) = standing(&server);
    assert_eq!(push(&server, &revoked).0, 202);
    let server = server.restart("KILL");
    assert_eq!(push(&server, &revoked).0, 202);
    wait_for("the replay to be told from a new one", SOON, || {
        let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
        metrics.contains("cordon_ssf_received_total{result=\"repeated\"} 1").then_some(())
    });
    let after = standing(&server);
    assert_eq!((after.0, after.2), (signals, events));
    let shown = server.get("/api/v1/ssf/transmitters");
    assert_eq!((&shown[0]["taken"], &shown[0]["name"]), (&json!(1), &json!("idp")), "{shown:#}");
}

fn fact(server: &Server, name: &str) -> Value {
    let decision = server.decision(CAMERA);
    let facts = decision["facts"].as_array().unwrap().iter().find(|fact| fact["name"] == name).cloned();
    facts.unwrap_or_else(|| panic!("no {name}: {decision:#}"))
}

#[test]
fn a_level_of_risk_moves_the_port_and_what_is_not_believed_does_not() {
    let (dir, idp) = (tempfile::tempdir().unwrap(), Idp::new());
    let nas = CoaNas::start(dir.path(), &[]);
    let more = "owned = true\nseverity_at_most = \"critical\"\nevents = [\"risk-level-change\", \"device-compliance-change\", \
                \"verification\"]\nend_sessions = \"reauthenticate\"\n";
    let server = Server::bare_with(&idp.section(more));
    inventory(&server, nas.port);
    assert!(log_in(&server).contains("\"20\""));
    let tell = |jti: &str, subject: &Value, event: &str, details: &Value| {
        let token = idp.sign(&json!({ "claims": claims(jti, subject, &caep(event), details),
                                      "alg": "ES256", "key": "ec", "kid": "e1" }));
        assert_eq!(push(&server, &token).0, 202);
    };
    // It may not end sessions.
    tell("1", &camera(), "session-revoked", &json!({}));
    // Of a user who owns the camera; by the email address.
    let ben = json!({ "format": "email", "email": "BEN@corp.example" });
    tell(
        "2",
        &ben,
        "risk-level-change",
        &json!({ "principal": "USER", "current_level": "HIGH", "risk_reason": "leaked" }),
    );
    let request = nas.first(1, SOON).remove(0);
    assert_eq!(request["wrong"], Value::Null, "{request}");
    assert!(log_in(&server).contains("\"66\""));
    let first = fact(&server, "risk.1");
    assert_eq!((&first["source"], &first["value"]["kind"]), (&json!("idp"), &json!("risk_level_change")), "{first:#}");
    tell("3", &ben, "risk-level-change", &json!({ "principal": "USER", "current_level": "LOW" }));
    nas.first(2, SOON);
    assert!(log_in(&server).contains("\"20\""));
    // What is told of nobody who is known is kept, and another's names are not believed.
    let stranger = json!({ "format": "iss_sub", "iss": "https://other.example", "sub": "camera" });
    tell("4", &stranger, "risk-level-change", &json!({ "principal": "USER", "current_level": "HIGH" }));
    tell(
        "5",
        &camera(),
        "device-compliance-change",
        &json!({ "previous_status": "compliant", "current_status": "not-compliant" }),
    );
    let token = idp.sign(&json!({ "claims": {
        "iss": ISSUER, "aud": "https://cordon.example/ssf", "jti": "6", "iat": now(),
        "sub_id": { "format": "opaque", "id": "stream" },
        "events": { "https://schemas.openid.net/secevent/ssf/event-type/verification": { "state": "abc" } } } }));
    assert_eq!(push(&server, &token).0, 202);
    let shown = server.get("/api/v1/ssf/transmitters");
    assert_eq!((&shown[0]["verified_state"], &shown[0]["taken"]), (&json!("abc"), &json!(6)), "{shown:#}");
    let signals = server.get("/api/v1/signals?source=idp");
    let kinds: Vec<_> = signals["items"].as_array().unwrap().iter().map(|s| (&s["kind"], &s["identity"])).collect();
    assert_eq!(kinds.len(), 6, "two each of two about ben, and two more: {signals:#}");
    assert!(kinds.contains(&(&json!("risk_level_change"), &Value::Null)), "{signals:#}");
    assert!(kinds.iter().any(|(kind, of)| **kind == json!("device_not_compliant") && !of.is_null()), "{signals:#}");
    assert_eq!(server.get("/api/v1/changes?state=done")["items"].as_array().unwrap().len(), 2);
}

#[test]
fn mistakes_in_the_configuration_of_a_transmitter_are_told() {
    let idp = Idp::new();
    let server = Server::bare();
    let before = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    let good = idp.section("");
    std::fs::write(server.path("short"), "x").unwrap();
    for (text, message) in [
        (good.replace("\"idp\"", "\"a b\""), "a transmitter is called"),
        (format!("{good}{good}"), "two transmitters are called"),
        (good.replace(ISSUER, "http://idp.example"), "no https issuer"),
        (good.replace("[\"https://cordon.example/ssf\"]", "[]"), "has no audience"),
        (format!("{good}jwks_uri = \"https://idp.example/jwks\""), "both jwks_uri and jwks_file"),
        (format!("{good}poll_endpoint = \"https://idp.example/poll\""), "polled without a token"),
        (format!("{good}events = [\"session-ended\"]"), "\"session-ended\" is no event"),
        (format!("{good}severity_at_most = \"awful\""), "\"awful\" is no severity"),
        (format!("{good}end_sessions = \"perhaps\""), "\"perhaps\" is no way to end sessions"),
        (good.replace(&idp.at("push"), "short"), "shorter than 16 octets"),
        (good.replace("push_token_file", "poll_token_file"), "can tell nothing"),
        (good.replace(&idp.at("jwks.json"), "short"), "the keys of idp"),
        ("[ssf]\nreceivers = [\"https://siem.example\"]".into(), "\"https://siem.example\" names no host"),
        (format!("[ssf]\nreceivers = {:?}", vec!["siem.example"; 51]), "more than 50 receivers"),
        (format!("{good}[[risk.hook]]\nname = \"idp\"\nip = [\"/src\"]"), "a hook is called"),
    ] {
        std::fs::write(server.path("cordon.toml"), format!("{before}{text}\n")).unwrap();
        let (ok, out) = server.command(&["check"]);
        assert!(!ok && out.contains(message), "{message}: {out}");
    }
}

/// A transmitter that is asked, whose keys are where its own description says.
fn polled(more: &str) {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let mut transmitter = Receiver::start_with("ssf_peer.py", &["serve"], "200");
    let idp = Idp::in_dir(transmitter.dir.path());
    let issuer = format!("http://127.0.0.1:{}", transmitter.port());
    let section = format!(
        "{more}[[ssf.transmitter]]\nname = \"mdm\"\nissuer = {issuer:?}\naudience = [\"https://cordon.example/ssf\"]\n\
         poll_endpoint = \"{issuer}/poll\"\npoll_token_file = {:?}\nsubject_issuers = [{ISSUER:?}]\n",
        idp.at("poll")
    );
    let server = Server::bare_with(&section);
    inventory(&server, nas.port);
    log_in(&server);
    let event = |jti: &str, audience: &str| {
        let mut claims = claims(jti, &camera(), &caep("session-revoked"), &json!({}));
        (claims["iss"], claims["aud"]) = (json!(issuer), json!(audience));
        json!({ "jti": jti, "set": idp.sign(&json!({ "claims": claims })) })
    };
    let lines = [event("p1", "https://other.example"), event("p2", "https://cordon.example/ssf")];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(idp.dir.join("new"), text).unwrap();
    std::fs::rename(idp.dir.join("new"), idp.dir.join("queue")).unwrap();
    let request = nas.first(1, SOON).remove(0);
    assert_eq!((&request["code"], values(&request, 31)), (&json!(DISCONNECT), vec![CAMERA.to_owned()]), "{request}");
    let polls = || -> Vec<Value> {
        let text = crate::support::read(&idp.dir.join("polls"));
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let settled =
        wait_for("the acknowledgement", SOON, || polls().into_iter().find(|poll| poll["ack"] == json!(["p2"])));
    assert_eq!(settled["setErrs"]["p1"]["err"], "invalid_audience", "{settled:#}");
    assert_eq!(settled["authorization"], format!("Bearer {POLL_TOKEN}"));
    wait_for("an empty queue", SOON, || crate::support::read(&idp.dir.join("queue")).is_empty().then_some(()));
    let (signals, _, events) = standing(&server);
    // One that is away is asked again, and one that gives the same again changes nothing.
    transmitter.stop();
    let server = server.restart("KILL");
    wait_for("the failure to be seen", SOON, || {
        server.get("/api/v1/ssf/transmitters")[0]["error"].as_str().map(str::to_owned)
    });
    let again = lines[1].clone();
    std::fs::write(idp.dir.join("queue"), format!("{again}\n")).unwrap();
    transmitter.run();
    wait_for("the same to be acknowledged", Duration::from_secs(40), || {
        (polls().iter().filter(|poll| poll["ack"] == json!(["p2"])).count() == 2).then_some(())
    });
    // Changes may come of the risk that fades, and none of the event.
    let after = standing(&server);
    assert_eq!((after.0, after.2), (signals, events));
}

#[test]
fn a_transmitter_is_polled_and_told_what_became_of_its_events() {
    polled("");
}

#[test]
fn nor_is_anything_lost_or_repeated_with_postgresql() {
    polled(&format!("[database]\nurl = {:?}\n", postgres().database()));
}

/// A token of somebody who may have streams, as a header.
fn subscriber(server: &Server, name: &str) -> String {
    let body = json!({ "name": name, "permissions": ["ssf:manage"] });
    let (status, made) = server.send("POST", "/api/v1/tokens", &body);
    assert_eq!(status, 201, "{made:#}");
    format!("Authorization: Bearer {}", made["token"].as_str().unwrap())
}

fn told() -> Value {
    let all =
        ["session-revoked", "credential-change", "device-compliance-change", "risk-level-change", "session-presented"];
    all.map(caep).to_vec().into()
}

fn local(server: &Server, url: &Value) -> String {
    let url = url.as_str().unwrap();
    let path = url.splitn(4, '/').nth(3).unwrap();
    format!("http://{}/{path}", server.http)
}

/// The section that has events pushed to these.
fn listed(receivers: &[&Receiver]) -> String {
    let all: Vec<_> = receivers.iter().map(|receiver| format!("127.0.0.1:{}", receiver.port())).collect();
    format!("[ssf]\nreceivers = {all:?}\n")
}

fn signal(server: &Server, severity: &str) {
    let signals = json!({ "signals": [{ "kind": "malware", "severity": severity, "identity_kind": "device",
                                        "identity_name": "camera", "topic": "x", "source": "edr" }] });
    let (status, answer) = server.send("POST", "/api/v1/signals", &signals);
    assert_eq!((status, &answer["taken"]), (200, &json!(1)), "{answer:#}");
}

#[test]
fn what_happens_is_pushed_signed_and_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let mut receiver = Receiver::start_with("ssf_peer.py", &["serve"], "202");
    let server = Server::bare_with(&listed(&[&receiver]));
    inventory(&server, nas.port);
    let described = server.get_raw("/.well-known/ssf-configuration", None);
    assert_eq!(described.0, 200);
    let described: Value = serde_json::from_str(&described.1).unwrap();
    assert_eq!(described["spec_version"], "1_0", "{described:#}");
    std::fs::write(receiver.dir.path().join("jwks_url"), local(&server, &described["jwks_uri"])).unwrap();
    let bearer = subscriber(&server, "siem");
    let delivery = |more: &str| {
        json!({ "method": "urn:ietf:rfc:8935", "endpoint_url": format!("http://127.0.0.1:{}/push", receiver.port()),
                "authorization_header": more })
    };
    let body = json!({ "events_requested": told(), "delivery": delivery("Bearer of-the-siem"), "description": "SIEM" });
    let made = server.exchange("POST", "/api/v1/ssf/stream", &[&bearer], Some(&body));
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body["events_delivered"].as_array().unwrap().len(), 4, "{:#}", made.body);
    assert!(!made.text.contains("of-the-siem"), "{}", made.text);
    let id = made.body["stream_id"].as_str().unwrap().to_owned();
    let verify = json!({ "stream_id": id, "state": "tried" });
    assert_eq!(server.exchange("POST", "/api/v1/ssf/verify", &[&bearer], Some(&verify)).status, 204);
    assert_eq!(server.exchange("POST", "/api/v1/ssf/verify", &[&bearer], Some(&verify)).status, 429);
    let taken = |receiver: &Receiver, event: &str| -> Vec<Value> {
        let uri = if event == "verification" {
            "https://schemas.openid.net/secevent/ssf/event-type/verification".to_owned()
        } else {
            caep(event)
        };
        let lines = receiver.lines();
        for line in &lines {
            assert_eq!(line["error"], Value::Null, "{line:#}");
        }
        lines.into_iter().filter(|line| line["mode"] == 202 && !line["claims"]["events"][&uri].is_null()).collect()
    };
    let wait = |receiver: &Receiver, event: &str, count: usize| {
        wait_for(&format!("{count} of {event}"), Duration::from_secs(30), || {
            let found = taken(receiver, event);
            (found.len() >= count).then_some(found)
        })
    };
    let verified = wait(&receiver, "verification", 1).remove(0);
    assert_eq!(verified["claims"]["sub_id"], json!({ "format": "opaque", "id": id }));
    assert_eq!((&verified["claims"]["aud"], &verified["claims"]["iss"]), (&made.body["aud"], &described["issuer"]));
    assert_eq!(
        (&verified["authorization"], &verified["content_type"]),
        (&json!("Bearer of-the-siem"), &json!("application/secevent+jwt"))
    );

    // A risk; a session that ends for it, by an operator, and a certificate.
    log_in(&server);
    signal(&server, "high");
    let risk = wait(&receiver, "risk-level-change", 1).remove(0)["claims"].clone();
    let event = &risk["events"][caep("risk-level-change")];
    assert_eq!(
        (&event["current_level"], &event["previous_level"], &event["principal"]),
        (&json!("HIGH"), &json!("LOW"), &json!("DEVICE")),
        "{risk:#}"
    );
    assert_eq!(risk["sub_id"]["user"], json!({ "format": "email", "email": "ben@corp.example" }), "{risk:#}");
    assert_eq!(risk["sub_id"]["device"]["sub"], "camera", "{risk:#}");
    nas.first(1, SOON);
    log_in(&server);
    let change = json!({ "change": "disconnect", "reason": "lost", "filter": { "identity": "camera" } });
    let (status, answer) = server.send("POST", "/api/v1/changes", &change);
    assert_eq!(status, 202, "{answer:#}");
    let revoked = wait(&receiver, "session-revoked", 1).pop().unwrap()["claims"].clone();
    let event = &revoked["events"][caep("session-revoked")];
    assert!(!event["reason_admin"]["en"].as_str().unwrap().is_empty(), "{revoked:#}");
    assert_eq!(revoked["sub_id"]["session"]["format"], "opaque", "{revoked:#}");

    // Of whom nothing is to be told nothing is.
    let ben = json!({ "stream_id": id, "subject": { "format": "email", "email": "ben@corp.example" } });
    assert_eq!(server.exchange("POST", "/api/v1/ssf/subjects/remove", &[&bearer], Some(&ben)).status, 204);
    signal(&server, "info");
    wait_for("the risk to fall", SOON, || {
        let streams = server.get("/api/v1/ssf/streams");
        (server.get("/api/v1/risk")["items"].as_array().unwrap().is_empty() && streams[0]["waiting"] == 0).then_some(())
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(taken(&receiver, "risk-level-change").len(), 1);
    assert_eq!(server.exchange("POST", "/api/v1/ssf/subjects/add", &[&bearer], Some(&ben)).status, 200);

    // The receiver is away, and then the server dies: what happened is told once both are there again.
    receiver.stop();
    signal(&server, "critical");
    wait_for("a failure", SOON, || {
        let streams = server.get("/api/v1/ssf/streams");
        (!streams[0]["last_error"].is_null()).then_some(())
    });
    let gone = now();
    let rotated = server.send("POST", "/api/v1/ssf/keys", &Value::Null);
    assert_eq!(rotated.0, 200, "{:#}", rotated.1);
    let server = server.restart("KILL");
    std::fs::write(receiver.dir.path().join("jwks_url"), local(&server, &described["jwks_uri"])).unwrap();
    let keys: Value = serde_json::from_str(&server.get_raw("/api/v1/ssf/jwks", None).1).unwrap();
    assert_eq!((keys["keys"].as_array().unwrap().len(), &keys["keys"][0]["kid"]), (2, &rotated.1["kid"]), "{keys:#}");
    receiver.run();
    let risks = wait(&receiver, "risk-level-change", 2);
    assert_eq!(risks.len(), 2, "{risks:#?}");
    // As a token of when it was signed, of an event of when it happened.
    let (taken, claims) = (risks[1]["at"].as_f64().unwrap() as u64, &risks[1]["claims"]);
    let (signed, happened) = (claims["iat"].as_u64(), &claims["events"][caep("risk-level-change")]["event_timestamp"]);
    assert!(signed.is_some_and(|at| at + 3 >= taken), "{claims:#}");
    assert!(happened.as_u64().is_some_and(|at| at <= gone), "{claims:#}");
    let streams = server.get("/api/v1/ssf/streams");
    assert_eq!((&streams[0]["dropped"], &streams[0]["dead"]), (&json!(0), &json!(0)), "{streams:#}");

    // What a receiver finds wrong is given up at once; one that is disabled is told nothing.
    receiver.mode("400");
    signal(&server, "info");
    wait_for("it to be given up", SOON, || {
        (server.get("/api/v1/ssf/streams")[0]["dead"].as_u64() >= Some(1)).then_some(())
    });
    let off = json!({ "stream_id": id, "status": "disabled", "reason": "maintenance" });
    let answer = server.exchange("POST", "/api/v1/ssf/status", &[&bearer], Some(&off));
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("disabled")), "{}", answer.text);
    // Nobody else sees the stream, nor may do anything with it.
    let other = subscriber(&server, "other");
    let path = format!("/api/v1/ssf/stream?stream_id={id}");
    assert_eq!(server.exchange("GET", &path, &[&other], None).status, 404);
    assert_eq!(server.exchange("DELETE", &path, &[&other], None).status, 404);
    assert_eq!(server.exchange("GET", "/api/v1/ssf/stream", &[&other], None).body, json!([]));
    assert_eq!(server.exchange("GET", "/api/v1/signals", &[&bearer], None).status, 403);
    assert_eq!(server.exchange("DELETE", &path, &[&bearer], None).status, 204);
    assert_eq!(server.get("/api/v1/ssf/streams"), json!([]));
}

#[test]
fn events_are_polled_for_until_they_are_acknowledged() {
    let ca = tempfile::tempdir().unwrap();
    succeed(cordon().args(["ca", "init", "--dir"]).arg(ca.path()));
    let own = format!("[pki]\ndir = {:?}\n[[ca]]\nname = \"own\"\nfile = {:?}\n", ca.path(), ca.path().join("ca.pem"));
    let server = Server::bare_with(&own);
    inventory(&server, 3799);
    let bearer = subscriber(&server, "siem");
    let send = |method: &str, path: &str, body: Value| server.exchange(method, path, &[&bearer], Some(&body));
    for (body, told) in [
        (json!({ "delivery": { "method": "smoke" } }), "neither"),
        (json!({ "delivery": { "method": "urn:ietf:rfc:8935" } }), "endpoint_url"),
        (json!({ "delivery": { "method": "urn:ietf:rfc:8935", "endpoint_url": "http://siem.example/" } }), "https"),
        (
            json!({ "delivery": { "method": "urn:ietf:rfc:8935", "endpoint_url": "https://siem.example/" } }),
            "[ssf] receivers",
        ),
    ] {
        let answer = send("POST", "/api/v1/ssf/stream", body);
        assert!(answer.status == 400 && answer.text.contains(told), "{told}: {}", answer.text);
    }
    let made = send("POST", "/api/v1/ssf/stream", json!({ "events_requested": [caep("credential-change")] }));
    assert_eq!((made.status, &made.body["delivery"]["method"]), (201, &json!("urn:ietf:rfc:8936")), "{}", made.text);
    let id = made.body["stream_id"].as_str().unwrap().to_owned();
    let poll = format!("/api/v1/ssf/streams/{id}/poll");
    assert!(made.body["delivery"]["endpoint_url"].as_str().unwrap().ends_with(&poll), "{}", made.text);
    let empty = send("POST", &poll, json!({ "returnImmediately": true }));
    assert_eq!((empty.status, &empty.body), (200, &json!({ "sets": {}, "moreAvailable": false })), "{}", empty.text);

    // A certificate is issued and revoked: two events, in order, one at a time.
    let people = server.get("/api/v1/identities");
    let ben = people["items"].as_array().unwrap().iter().find(|one| one["name"] == "ben").unwrap()["id"].clone();
    let (status, issued) = server.send("POST", "/api/v1/ca/certificates", &json!({ "identity": ben, "days": 30 }));
    assert_eq!(status, 201, "{issued:#}");
    let serial = issued["serial"].as_str().unwrap();
    let (status, _) =
        server.send("POST", &format!("/api/v1/ca/certificates/{serial}/revoke?reason=stolen"), &json!({}));
    assert_eq!(status, 200);
    let server = server.restart("KILL");
    let send = |method: &str, path: &str, body: Value| server.exchange(method, path, &[&bearer], Some(&body));
    let jwks = format!("http://{}/api/v1/ssf/jwks", server.http);
    let mut changes = Vec::new();
    let mut acks: Vec<String> = Vec::new();
    for _ in 0..2 {
        let answer = send("POST", &poll, json!({ "maxEvents": 1, "ack": acks }));
        let sets = answer.body["sets"].as_object().unwrap().clone();
        assert_eq!((answer.status, sets.len()), (200, 1), "{}", answer.text);
        let again = send("POST", &poll, json!({ "maxEvents": 1, "returnImmediately": true }));
        assert_eq!(again.body["sets"].as_object().unwrap().keys().collect::<Vec<_>>(), sets.keys().collect::<Vec<_>>());
        acks = sets.keys().cloned().collect();
        let token = sets.values().next().unwrap().as_str().unwrap().to_owned();
        let verified: Value = serde_json::from_str(&feed(&mut peer(&["verify", &jwks]), &token)).unwrap();
        assert_eq!(verified[0]["jti"], acks[0]);
        assert_eq!(verified[0]["sub_id"], json!({ "format": "email", "email": "ben@corp.example" }), "{verified:#}");
        let event = verified[0]["events"][caep("credential-change")].clone();
        assert_eq!((&event["x509_serial"], &event["credential_type"]), (&json!(serial), &json!("x509")), "{event:#}");
        changes.push(event["change_type"].clone());
    }
    assert_eq!(changes, ["create", "revoke"]);
    let refused = json!({ "returnImmediately": true, "setErrs": { &acks[0]: { "err": "invalid_key", "description": "odd" },
                          "nonsense": { "err": "x" } } });
    assert_eq!(send("POST", &poll, refused).body["sets"], json!({}));
    let streams = server.get("/api/v1/ssf/streams");
    assert_eq!(
        (&streams[0]["delivered"], &streams[0]["dead"], &streams[0]["waiting"]),
        (&json!(1), &json!(1), &json!(0))
    );

    // A paused stream keeps what happens.
    send("POST", "/api/v1/ssf/status", json!({ "stream_id": id, "status": "paused" }));
    let (status, _) = server.send("POST", "/api/v1/ca/certificates", &json!({ "identity": ben, "days": 30 }));
    assert_eq!(status, 201);
    let at_once = json!({ "returnImmediately": true });
    assert_eq!(send("POST", &poll, at_once.clone()).body["sets"], json!({}));
    send("POST", "/api/v1/ssf/status", json!({ "stream_id": id, "status": "enabled" }));
    assert_eq!(send("POST", &poll, at_once).body["sets"].as_object().unwrap().len(), 1);
    let status = server.exchange("GET", &format!("/api/v1/ssf/status?stream_id={id}"), &[&bearer], None);
    assert_eq!(status.body["status"], "enabled", "{}", status.text);
    // What it is may be said anew.
    let changed = send("PATCH", "/api/v1/ssf/stream", json!({ "stream_id": id, "description": "another" }));
    assert_eq!((changed.status, &changed.body["description"]), (200, &json!("another")), "{}", changed.text);
    assert_eq!(changed.body["events_requested"], json!([caep("credential-change")]));
    let replaced = send("PUT", "/api/v1/ssf/stream", json!({ "stream_id": id, "events_requested": [] }));
    assert_eq!((replaced.status, &replaced.body["events_delivered"]), (200, &json!([])), "{}", replaced.text);
    assert_eq!(replaced.body["description"], Value::Null, "{}", replaced.text);
}

#[test]
fn a_stream_does_not_outlive_the_rights_of_its_owner_and_operators_can_end_it() {
    let receiver = Receiver::start_with("ssf_peer.py", &["serve"], "500");
    let server = Server::bare_with(&listed(&[&receiver]));
    inventory(&server, 3799);
    let wanted = json!({ "name": "siem", "permissions": ["ssf:manage"] });
    let (status, token) = server.send("POST", "/api/v1/tokens", &wanted);
    assert_eq!(status, 201, "{token:#}");
    let bearer = format!("Authorization: Bearer {}", token["token"].as_str().unwrap());
    let delivery = json!({ "method": "urn:ietf:rfc:8935",
                           "endpoint_url": format!("http://127.0.0.1:{}/push", receiver.port()) });
    let body = json!({ "events_requested": told(), "delivery": delivery });
    let make = || server.exchange("POST", "/api/v1/ssf/stream", &[&bearer], Some(&body));
    let made = make();
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.body["stream_id"].as_str().unwrap().to_owned();
    for _ in 1..5 {
        assert_eq!(make().status, 201);
    }
    let full = make();
    assert_eq!((full.status, &full.body["code"]), (409, &json!("too_many_streams")), "{}", full.text);
    // What is read with each event is short.
    let remove = |subject: Value| {
        let body = json!({ "stream_id": id, "subject": subject });
        server.exchange("POST", "/api/v1/ssf/subjects/remove", &[&bearer], Some(&body)).status
    };
    assert_eq!(remove(json!({ "format": "opaque", "id": "x", "more": "y".repeat(3_000) })), 400);
    assert_eq!(remove(json!({ "format": "opaque", "id": "x", "more": "y".repeat(300_000) })), 413);
    assert_eq!(remove(json!({ "format": "opaque", "id": "x" })), 204);

    let path = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
    let gone = server.send("DELETE", &path, &Value::Null);
    assert!((200..300).contains(&gone.0), "{:#}", gone.1);
    signal(&server, "critical");
    let ended = wait_for("the stream to be disabled", SOON, || {
        let streams = server.get("/api/v1/ssf/streams");
        let one = streams.as_array().unwrap().iter().find(|one| one["id"] == id.as_str()).cloned().unwrap();
        (one["status"] == "disabled").then_some(one)
    });
    assert_eq!((&ended["delivered"], &ended["waiting"]), (&json!(0), &json!(0)), "{ended:#}");
    assert!(ended["reason"].as_str().unwrap().contains("owner"), "{ended:#}");
    assert_eq!(receiver.lines().len(), 0, "nothing was told");
    let path = format!("/api/v1/ssf/streams/{id}");
    assert_eq!(server.send("DELETE", &path, &Value::Null).0, 204);
    assert_eq!(server.send("DELETE", &path, &Value::Null).0, 404);
}

#[test]
fn good_news_of_one_thing_leaves_the_bad_news_of_another_and_what_changes_nothing_is_not_kept() {
    let idp = Idp::new();
    let server = Server::bare_with(&idp.section("owned = true\n"));
    inventory(&server, 3799);
    let tell = |jti: &str, subject: &Value, event: &str, details: &Value| {
        let token = idp.sign(&json!({ "claims": claims(jti, subject, &caep(event), details) }));
        assert_eq!(push(&server, &token).0, 202);
    };
    let high = |server: &Server| {
        let risks = server.get("/api/v1/risk");
        risks["items"].as_array().unwrap().iter().filter(|risk| risk["level"] == "high").count()
    };
    let risk = |principal: &str, level: &str| json!({ "principal": principal, "current_level": level });
    tell("1", &camera(), "risk-level-change", &risk("DEVICE", "HIGH"));
    assert_eq!(high(&server), 1);
    // Neither what is told of its owner, nor of a device that is not known, takes that back.
    let ben = json!({ "format": "email", "email": "ben@corp.example" });
    tell("2", &ben, "risk-level-change", &risk("USER", "LOW"));
    let other = json!({ "format": "complex", "device": { "format": "opaque", "id": "nobody" }, "user": camera() });
    tell("3", &other, "risk-level-change", &risk("DEVICE", "LOW"));
    assert_eq!(high(&server), 1);
    tell("4", &camera(), "risk-level-change", &risk("DEVICE", "LOW"));
    assert_eq!(high(&server), 0);
    let metric = |part: &str| server.get_raw("/metrics", Some(TOKEN)).1.contains(part);
    for _ in 0..2 {
        tell("5", &camera(), "session-presented", &json!({}));
    }
    assert!(metric("cordon_ssf_received_total{result=\"acknowledged\"} 2"));
}

/// Where a receiver takes what is pushed.
fn pushed_to(receiver: &Receiver) -> String {
    format!("http://127.0.0.1:{}/push", receiver.port())
}

#[test]
fn events_are_pushed_to_whom_the_operator_lists_and_to_nobody_else() {
    let (listens, other) = (
        Receiver::start_with("ssf_peer.py", &["serve"], "307"),
        Receiver::start_with("ssf_peer.py", &["serve"], "202"),
    );
    std::fs::write(listens.dir.path().join("location"), pushed_to(&other)).unwrap();
    let server = Server::bare_with(&listed(&[&listens]));
    inventory(&server, 3799);
    for receiver in [&listens, &other] {
        let jwks = format!("http://{}/api/v1/ssf/jwks", server.http);
        std::fs::write(receiver.dir.path().join("jwks_url"), jwks).unwrap();
    }
    let bearer = subscriber(&server, "siem");
    let send = |method: &str, body: Value| server.exchange(method, "/api/v1/ssf/stream", &[&bearer], Some(&body));
    let to = |url: &str| json!({ "method": "urn:ietf:rfc:8935", "endpoint_url": url });
    let refused = [
        pushed_to(&other),
        pushed_to(&listens).replace("127.0.0.1", "localhost"),
        pushed_to(&listens).replace("127.0.0.1", "127.0.0.2"),
        pushed_to(&listens).replace("127.0.0.1", "[::1]"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ];
    for url in &refused {
        let answer = send("POST", json!({ "events_requested": told(), "delivery": to(url) }));
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!("delivery")), "{url}: {}", answer.text);
        assert!(answer.text.contains("[ssf] receivers"), "{url}: {}", answer.text);
    }
    // However it is spelled, it is the address that is listed.
    let spelled = pushed_to(&listens).replace("127.0.0.1", "2130706433");
    let made = send("POST", json!({ "events_requested": told(), "delivery": to(&spelled) }));
    assert_eq!(
        (made.status, &made.body["delivery"]["endpoint_url"]),
        (201, &json!(pushed_to(&listens))),
        "{}",
        made.text
    );
    let id = &made.body["stream_id"];
    for method in ["PATCH", "PUT"] {
        let answer = send(method, json!({ "stream_id": id, "delivery": to(&refused[0]) }));
        assert_eq!(answer.status, 400, "{method}: {}", answer.text);
    }

    // A redirect leads nowhere.
    signal(&server, "critical");
    let error = |part: &str| {
        wait_for(part, SOON, || {
            let streams = server.get("/api/v1/ssf/streams");
            streams[0]["last_error"].as_str().is_some_and(|error| error.contains(part)).then_some(())
        });
    };
    error("307");
    assert_eq!(other.lines().len(), 0, "it was led there");
    // Whom the operator takes off the list is told nothing any more, and what happened is kept.
    let file = server.path("cordon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let without = text.replace(&listed(&[&listens]), "");
    assert_ne!(text, without);
    listens.mode("202");
    server.in_force(|| std::fs::write(&file, &without).map(|()| String::new()).unwrap());
    let before = listens.lines().len();
    error("[ssf] receivers");
    assert_eq!(listens.lines().len(), before);
    let described: Value = serde_json::from_str(&server.get_raw("/.well-known/ssf-configuration", None).1).unwrap();
    assert_eq!(described["delivery_methods_supported"], json!(["urn:ietf:rfc:8936"]), "{described:#}");
    server.in_force(|| std::fs::write(&file, &text).map(|()| String::new()).unwrap());
    wait_for("the event", Duration::from_secs(40), || {
        listens.lines().iter().any(|line| line["mode"] == 202 && line["error"].is_null()).then_some(())
    });
    assert_eq!(other.lines().len(), 0);
}

#[test]
fn a_name_that_several_have_is_that_of_whom_the_event_tells_or_of_nobody() {
    const HERS: &str = "02-00-5E-00-00-A1";
    const THINGS: &str = "02-00-5E-00-00-A2";
    let (dir, idp) = (tempfile::tempdir().unwrap(), Idp::new());
    let nas = CoaNas::start(dir.path(), &[]);
    let strict = idp.section("").replace("\"idp\"", "\"strict\"");
    let server = Server::bare_with(&format!("{}{strict}", idp.section("opaque_subjects = true\n")));
    std::fs::write(
        server.path("rules.cedar"),
        "@id(\"all\") @order(\"1\") @profile(\"iot\")\npermit (principal in Group::\"all\", action == Network::Action::\"connect\", resource);",
    )
    .unwrap();
    let one = |name: &str, kind: &str, more: &str, mac: &str| {
        format!(
            "[[identity]]\nname = {name:?}\nkind = {kind:?}\ngroups = [\"all\"]\n{more}credentials = [{{ mac = {mac:?} }}]\n"
        )
    };
    let owned = "owner = \"alice\"\npurpose = \"x\"\n";
    server.apply(&format!(
        "[policy]\nfile = \"rules.cedar\"\n[[nas]]\nname = \"sw\"\naddress = \"127.0.0.1\"\nsecret = {SECRET:?}\n\
         coa = {{ port = {} }}\n[[profile]]\nname = \"iot\"\nvlan = 20\n{}{}{}",
        nas.port,
        one("alice", "user", "", HERS),
        one("alice", "device", owned, THINGS),
        one("camera", "device", owned, CAMERA),
    ));
    for (port, mac) in [HERS, THINGS, CAMERA].iter().enumerate() {
        let attributes = format!(
            "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
             NAS-IP-Address=127.0.0.1, NAS-Port={port}, NAS-Port-Type=Ethernet, Acct-Session-Id=\"0000000{port}\", \
             Message-Authenticator=0x00"
        );
        let out = radclient(server.auth, "auth", &attributes);
        assert!(out.contains("Received Access-Accept"), "{out}");
    }
    let tell = |to: &str, jti: &str, subject: Value, event: &str, details: Value| -> Value {
        let token = idp.sign(&json!({ "claims": claims(jti, &subject, &caep(event), &details) }));
        assert_eq!(push_as(&server, to, PUSH_TOKEN, "application/secevent+jwt", &token).0, 202);
        let audit = server.get("/api/v1/audit?action=ssf.event");
        let all = audit["items"].as_array().unwrap();
        all.iter().find(|event| event["after"]["jti"] == jti).unwrap()["after"].clone()
    };
    let opaque = |name: &str| json!({ "format": "opaque", "id": name });
    let issued = json!({ "format": "iss_sub", "iss": ISSUER, "sub": "alice" });

    // Nothing tells which of the two is meant.
    let event = tell("idp", "1", opaque("alice"), "session-revoked", json!({}));
    assert_eq!((&event["identities"], &event["sessions_ended"]), (&json!([]), &json!(0)), "{event:#}");
    let mut alike: Vec<_> = event["ambiguous"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    alike.sort_unstable();
    assert_eq!(alike, ["device alice", "user alice"]);
    // Nobody says whose name this is, and this transmitter is not believed then.
    let event = tell("strict", "2", opaque("camera"), "session-revoked", json!({}));
    assert_eq!((&event["identities"], &event["ambiguous"]), (&json!([]), &Value::Null), "{event:#}");
    let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
    for part in ["ambiguous", "unknown"] {
        assert!(metrics.contains(&format!("cordon_ssf_unmatched_total{{result=\"{part}\"}} 1")), "{part}: {metrics}");
    }
    // A user, whose sessions alone end, though a device has the same name.
    let event = tell("strict", "3", issued.clone(), "session-revoked", json!({}));
    assert_eq!((&event["identities"], &event["sessions_ended"]), (&json!(["alice"]), &json!(1)), "{event:#}");
    let request = nas.first(1, SOON).remove(0);
    assert_eq!(values(&request, 31), [HERS], "{request}");
    // The compliance of a device is that of the device.
    tell("idp", "4", issued.clone(), "device-compliance-change", json!({ "current_status": "not-compliant" }));
    let about = |jti: &str| {
        let signals = server.get("/api/v1/signals");
        signals["items"].as_array().unwrap().iter().find(|signal| signal["source_id"] == jti).unwrap()["identity"]
            .clone()
    };
    let kinds = server.get("/api/v1/identities");
    let of = |kind: &str| {
        let all = kinds["items"].as_array().unwrap();
        all.iter().find(|one| one["name"] == "alice" && one["kind"] == kind).unwrap()["id"].clone()
    };
    let (signal, device) = (about("4"), of("device"));
    assert!(signal == device || signal["id"] == device, "{signal:#} {device}");
    // Whoever says so, the device by its own name.
    let device = json!({ "format": "complex", "device": issued });
    let event = tell("strict", "5", device, "session-revoked", json!({}));
    assert_eq!(event["sessions_ended"], 1, "{event:#}");
    let request = nas.first(2, SOON).remove(1);
    assert_eq!(values(&request, 31), [THINGS], "{request}");
    assert_eq!(nas.requests().len(), 2);
}

/// A stream that many change at once, and one that is paused and moved while it is told.
fn changed(more: &str) {
    let ca = tempfile::tempdir().unwrap();
    succeed(cordon().args(["ca", "init", "--dir"]).arg(ca.path()));
    let (first, second) = (
        Receiver::start_with("ssf_peer.py", &["serve"], "202"),
        Receiver::start_with("ssf_peer.py", &["serve"], "202"),
    );
    let own = format!("[pki]\ndir = {:?}\n[[ca]]\nname = \"own\"\nfile = {:?}\n", ca.path(), ca.path().join("ca.pem"));
    let server = Server::bare_with(&format!("{more}{}{own}", listed(&[&first, &second])));
    inventory(&server, 3799);
    for receiver in [&first, &second] {
        let jwks = format!("http://{}/api/v1/ssf/jwks", server.http);
        std::fs::write(receiver.dir.path().join("jwks_url"), jwks).unwrap();
    }
    let bearer = subscriber(&server, "siem");
    let send = |method: &str, path: &str, body: Value| server.exchange(method, path, &[&bearer], Some(&body));
    let to = |receiver: &Receiver, shown: &str| json!({ "method": "urn:ietf:rfc:8935", "endpoint_url": pushed_to(receiver), "authorization_header": shown });
    let body = json!({ "events_requested": [caep("credential-change")], "delivery": to(&first, "Bearer first") });
    let made = send("POST", "/api/v1/ssf/stream", body);
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.body["stream_id"].clone();

    const AT_ONCE: usize = 12;
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let (send, id) = (&send, &id);
            scope.spawn(move || {
                let subject = json!({ "format": "email", "email": format!("{number}@corp.example") });
                let body = json!({ "stream_id": id, "subject": subject });
                assert_eq!(send("POST", "/api/v1/ssf/subjects/remove", body).status, 204);
            });
        }
        scope.spawn(|| {
            let changed = send("PATCH", "/api/v1/ssf/stream", json!({ "stream_id": id, "description": "another" }));
            assert_eq!(changed.status, 200, "{}", changed.text);
        });
    });
    let stream = server.get("/api/v1/ssf/streams")[0].clone();
    assert_eq!(
        (&stream["removed_subjects"], &stream["description"]),
        (&json!(AT_ONCE), &json!("another")),
        "{stream:#}"
    );

    // Four events for a slow receiver: it has the one that was on its way when the stream was paused, and no other.
    std::fs::write(first.dir.path().join("delay"), "2").unwrap();
    let status = |status: &str| {
        let answer = send("POST", "/api/v1/ssf/status", json!({ "stream_id": id, "status": status }));
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    status("paused");
    let people = server.get("/api/v1/identities");
    let ben = people["items"].as_array().unwrap().iter().find(|one| one["name"] == "ben").unwrap()["id"].clone();
    for _ in 0..4 {
        let (status, issued) = server.send("POST", "/api/v1/ca/certificates", &json!({ "identity": ben, "days": 30 }));
        assert_eq!(status, 201, "{issued:#}");
    }
    status("enabled");
    wait_for("the first event", SOON, || (first.lines().len() == 1).then_some(()));
    status("paused");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(first.lines().len(), 1, "it was told more when it was paused");
    // It moves while the next is on its way.
    status("enabled");
    wait_for("the second event", SOON, || (first.lines().len() == 2).then_some(()));
    let moved =
        send("PATCH", "/api/v1/ssf/stream", json!({ "stream_id": id, "delivery": to(&second, "Bearer second") }));
    assert_eq!(moved.status, 200, "{}", moved.text);
    wait_for("the others", SOON, || (second.lines().len() == 2).then_some(()));
    let of = |receiver: &Receiver| -> Vec<(Value, Value, Value)> {
        let lines = receiver.lines().into_iter();
        lines
            .map(|line| (line["authorization"].clone(), line["error"].clone(), line["claims"]["jti"].clone()))
            .collect()
    };
    let mut all = of(&first);
    assert!(all.iter().all(|(shown, error, _)| shown == "Bearer first" && error.is_null()), "{all:?}");
    let rest = of(&second);
    assert!(rest.iter().all(|(shown, error, _)| shown == "Bearer second" && error.is_null()), "{rest:?}");
    all.extend(rest);
    all.dedup_by(|a, b| a.2 == b.2);
    assert_eq!(all.len(), 4, "{all:?}");
}

#[test]
fn changes_of_a_stream_at_once_are_all_made_and_one_that_is_moved_is_told_nothing_where_it_was() {
    changed("");
}

#[test]
fn nor_is_a_change_lost_with_postgresql() {
    changed(&format!("[database]\nurl = {:?}\n", postgres().database()));
}

#[test]
fn of_a_stream_one_question_is_kept_open() {
    let server = Server::bare();
    inventory(&server, 3799);
    let bearer = subscriber(&server, "siem");
    let send = |method: &str, path: &str, body: Value| server.exchange(method, path, &[&bearer], Some(&body));
    let made = send("POST", "/api/v1/ssf/stream", json!({ "events_requested": told() }));
    let id = made.body["stream_id"].as_str().unwrap().to_owned();
    let poll = format!("/api/v1/ssf/streams/{id}/poll");
    std::thread::scope(|scope| {
        let ask = || {
            let began = Instant::now();
            (send("POST", &poll, json!({})), began.elapsed())
        };
        let first = scope.spawn(ask);
        std::thread::sleep(Duration::from_secs(2));
        assert!(!first.is_finished(), "it is kept open");
        let second = scope.spawn(ask);
        let (answer, took) = first.join().unwrap();
        assert_eq!((answer.status, &answer.body["sets"]), (200, &json!({})), "{}", answer.text);
        assert!(took < Duration::from_secs(8), "{took:?}");
        assert!(!second.is_finished(), "the second is kept open");
        // It is answered as soon as there is something.
        let began = Instant::now();
        assert_eq!(send("POST", "/api/v1/ssf/verify", json!({ "stream_id": id })).status, 204);
        let (answer, _) = second.join().unwrap();
        assert_eq!(answer.body["sets"].as_object().unwrap().len(), 1, "{}", answer.text);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let jti = answer.body["sets"].as_object().unwrap().keys().next().unwrap().clone();
        // So does one whose stream goes away.
        let ack = json!({ "ack": [jti] });
        let (send, poll) = (&send, &poll);
        let third = scope.spawn(move || send("POST", poll, ack));
        std::thread::sleep(Duration::from_secs(2));
        let began = Instant::now();
        let path = format!("/api/v1/ssf/streams/{id}");
        assert_eq!(server.send("DELETE", &path, &Value::Null).0, 204);
        let answer = third.join().unwrap();
        assert_eq!(answer.body["sets"], json!({}), "{}", answer.text);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    });
}

#[test]
fn keys_that_are_not_to_be_had_are_not_asked_for_all_the_time() {
    let transmitter = Receiver::start_with("ssf_peer.py", &["serve"], "200");
    let idp = Idp::in_dir(transmitter.dir.path());
    let issuer = format!("http://127.0.0.1:{}", transmitter.port());
    let server = Server::bare_with(&format!(
        "[[ssf.transmitter]]\nname = \"idp\"\nissuer = {issuer:?}\naudience = [\"https://cordon.example/ssf\"]\n\
         push_token_file = {:?}\n",
        idp.at("push")
    ));
    inventory(&server, 3799);
    let token = |jti: &str, kid: &str| {
        let mut claims = claims(jti, &camera(), &caep("session-revoked"), &json!({}));
        claims["iss"] = json!(issuer);
        idp.sign(&json!({ "claims": claims, "kid": kid }))
    };
    let asked = |path: &str| {
        let gets = crate::support::read(&idp.dir.join("gets"));
        gets.lines().filter(|line| *line == path).count()
    };
    std::fs::write(idp.dir.join("away"), "500").unwrap();
    for number in 0..5 {
        let (status, answer) = push(&server, &token(&number.to_string(), &format!("forged-{number}")));
        assert_eq!(status, 503, "{answer}");
    }
    assert_eq!(asked("/.well-known/ssf-configuration"), 1);
    // What the server knew of it is gone with the server.
    std::fs::remove_file(idp.dir.join("away")).unwrap();
    let server = server.restart("TERM");
    for number in 0..5 {
        let (status, answer) = push(&server, &token(&number.to_string(), &format!("forged-{number}")));
        assert_eq!((status, &answer["err"]), (400, &json!("invalid_key")), "{answer}");
    }
    assert_eq!((asked("/.well-known/ssf-configuration"), asked("/jwks")), (2, 1));
    assert_eq!(push(&server, &token("good", "k1")).0, 202);
}
