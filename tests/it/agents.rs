//! Endpoints that report for themselves, by their certificates: curl, openssl and Python are the peers.

use crate::support::eapol::Eapol;
use crate::support::pki::pki;
use crate::support::server::{Server, bare};
use crate::support::{Background, cordon, feed, succeed, system, text, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The name in the server's certificate.
pub(crate) const NAME: &str = "radius.corp.example";

/// What a server is that has a CA of its own, believes another one too, and listens for endpoints; the secret of osquery
/// is in `enroll-secret`.
pub(crate) fn ground(address: &str, listen: &str) -> PathBuf {
    let dir = tempfile::tempdir().unwrap().keep();
    succeed(cordon().args(["ca", "init", "--intermediate", "--dir"]).arg(dir.join("ca")));
    succeed(cordon().args(["ca", "init", "--name", "Side CA", "--dir"]).arg(dir.join("side")));
    let more = format!(
        "[pki]\ndir = \"ca\"\n[posture]\nlisten = [{listen:?}]\nenroll_secret_file = \"enroll-secret\"\n\
         [[ca]]\nname = \"own\"\nfile = \"ca/ca.pem\"\ncrl = [\"ca/ca.crl\", \"ca/intermediate.crl\"]\n\
         [[ca]]\nname = \"side\"\nfile = \"side/ca.pem\"\ncrl = [\"side/ca.crl\"]\n"
    );
    std::fs::write(dir.join("cordon.toml"), bare(address) + &more).unwrap();
    succeed(cordon().args(["posture", "secret", "--config"]).arg(dir.join("cordon.toml")));
    dir
}

fn server() -> Server {
    let server = Server::resumed(&ground("127.0.0.1:0", "127.0.0.1:0"));
    server.apply(&document(&server));
    server
}

/// A laptop that must have its firewall on, one whose software is looked at too, and one that is known by its key alone.
fn document(server: &Server) -> String {
    let more = r#"
[[compliance]]
name = "software"
groups = ["watched"]
checks = [{ check = "forbidden_software", none_of = ["tor", "o'hack"] }]
[[identity]]
name = "desk"
kind = "device"
groups = ["laptops", "watched"]
owner = "alice"
purpose = "work"
attributes = { hardware_serial = "PF3XKQ1" }
credentials = [{ san_dns = "rsa2048.corp.example" }]
"#;
    crate::posture::document(server, "127.0.0.1") + more
}

/// The stem of the certificate of this name, of those that all tests share.
pub(crate) fn shared(name: &str) -> PathBuf {
    pki().path(name)
}

/// Asks by curl with the certificate of this stem, if any: status and body, or what curl said.
pub(crate) fn curl(
    server: &Server,
    client: Option<&Path>,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, Value), String> {
    let port = server.posture().port();
    let mut command = system("curl", Duration::from_secs(20));
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        "15",
        "--request",
        method,
        "--write-out",
        "\n%{http_code}",
    ]);
    command.args(["--resolve", &format!("{NAME}:{port}:127.0.0.1"), "--cacert"]).arg(shared("corp/ca.pem"));
    if let Some(stem) = client {
        command.arg("--cert").arg(stem.with_extension("pem")).arg("--key").arg(stem.with_extension("key"));
    }
    if !body.is_empty() {
        command.args(["--header", "Content-Type: application/json", "--header", "Expect:", "--data-binary", "@-"]);
    }
    let said = feed(command.arg(format!("https://{NAME}:{port}{path}")), body);
    let parsed = said.rsplit_once('\n').and_then(|(body, status)| Some((status.trim().parse().ok()?, body)));
    match parsed {
        Some((0, _)) | None => Err(said),
        Some((status, body)) => Ok((status, serde_json::from_str(body).unwrap_or(Value::Null))),
    }
}

#[track_caller]
fn ask(server: &Server, client: Option<&Path>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    curl(server, client, method, path, &body).unwrap_or_else(|said| panic!("{method} {path}: {said}"))
}

#[test]
fn an_endpoint_reports_for_itself_by_its_certificate_and_for_nobody_else() {
    let server = server();
    let laptop = shared("p256");
    let report = |checks: Value| ask(&server, Some(&laptop), "PUT", "/posture/v1/report", &json!({ "checks": checks }));
    let (status, bad) = report(json!({ "firewall": false, "patch_age_days": 3 }));
    assert_eq!((status, &bad["name"], &bad["status"]), (200, &json!("p256"), &json!("non_compliant")), "{bad:#}");
    assert_eq!(bad["findings"][0]["remedy"], "Switch the firewall on.", "{bad:#}");
    assert!(bad["certificate"]["not_after"].as_str().unwrap() > "2026", "{bad:#}");
    // What follows from it.
    let login = Eapol::new("p256");
    login.run(&server).assert_accepted(1);
    let decision = server.decision(&login.mac);
    assert_eq!(decision["profile"], "limited", "{decision:#}");
    assert!(decision.to_string().contains("\"the endpoint\""), "who reported is in the record: {decision:#}");
    assert_eq!(report(json!({ "firewall": true, "patch_age_days": 3 })).1["status"], "compliant");
    login.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&login.mac)["profile"], "corp");
    let (status, standing) = ask(&server, Some(&laptop), "GET", "/posture/v1/standing", &Value::Null);
    assert_eq!((status, &standing["findings"], &standing["watched"]), (200, &json!([]), &json!([])), "{standing:#}");
    let (_, desk) = ask(&server, Some(&shared("rsa2048")), "GET", "/posture/v1/standing", &Value::Null);
    assert_eq!((&desk["name"], &desk["watched"]), (&json!("desk"), &json!(["o'hack", "tor"])), "{desk:#}");

    // A report says of nobody whose it is, and nobody reports without a certificate.
    let of_other = json!({ "identity": desk["identity"], "checks": { "firewall": true } });
    for (client, body, status, code) in [
        (Some("p256"), of_other.clone(), 400, "invalid_body"),
        (Some("p256"), json!({ "checks": { "firewall": "on" } }), 400, "invalid_parameter"),
        (Some("unbound"), json!({ "checks": { "firewall": true } }), 403, "identity_unknown"),
        (None, of_other, 403, "certificate_required"),
    ] {
        let stem = client.map(shared);
        let (got, said) = ask(&server, stem.as_deref(), "PUT", "/posture/v1/report", &body);
        assert_eq!((got, &said["code"]), (status, &json!(code)), "{client:?} {body}: {said:#}");
    }
    for name in ["revoked", "expired", "future", "stranger", "wrong-usage"] {
        let said = curl(&server, Some(&shared(name)), "GET", "/posture/v1/standing", "");
        assert!(said.is_err(), "{name}: {said:?}");
    }
    let long = json!({ "checks": { "x.long": "y".repeat(100_000) } });
    // Refused before it is read to its end, which curl may notice before the answer.
    match curl(&server, Some(&laptop), "PUT", "/posture/v1/report", &long.to_string()) {
        Ok((status, _)) => assert_eq!(status, 413),
        Err(said) => assert!(said.contains("curl: (55)") || said.contains("curl: (56)"), "{said}"),
    }
    assert_eq!(ask(&server, Some(&laptop), "GET", "/api/v1/me", &Value::Null).0, 404);
    assert_eq!(ask(&server, Some(&laptop), "GET", "/posture/v1/report", &Value::Null).0, 405);
    // Who may not log in may not report.
    server.in_force(|| server.succeed(&["identity", "status", "device", "p256", "suspended"]));
    let (status, out) = ask(&server, Some(&laptop), "GET", "/posture/v1/standing", &Value::Null);
    assert_eq!((status, &out["code"]), (403, &json!("identity_suspended")), "{out:#}");
}

#[test]
fn the_listener_speaks_tls_1_2_and_1_3_and_keeps_no_place_for_who_is_silent() {
    let server = server();
    let port = server.posture().port();
    for (version, works) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let mut command = system("openssl", Duration::from_secs(10));
        command.args(["s_client", version, "-connect", &format!("127.0.0.1:{port}"), "-brief", "-verify_return_error"]);
        command.arg("-CAfile").arg(shared("corp/ca.pem")).args(["-verify_hostname", NAME]);
        command.arg("-cert").arg(shared("p256.pem")).arg("-key").arg(shared("p256.key"));
        command.arg("-cert_chain").arg(shared("p256.pem"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.success(), works, "{version}: {}", text(&output));
    }
    let began = Instant::now();
    let mut silent = TcpStream::connect(server.posture()).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    assert!(matches!(silent.read(&mut [0; 1]), Ok(0) | Err(_)));
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

/// What the API issues to this identity, at this stem.
fn issued(server: &Server, name: &str, stem: &Path) -> String {
    let all = server.get("/api/v1/identities?kind=device");
    let id = all["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap()["id"].clone();
    let (status, made) = server.send("POST", "/api/v1/ca/certificates", &json!({ "identity": id }));
    assert_eq!(status, 201, "{made:#}");
    std::fs::write(stem.with_extension("pem"), made["certificate"].as_str().unwrap()).unwrap();
    std::fs::write(stem.with_extension("key"), made["private_key"].as_str().unwrap()).unwrap();
    made["serial"].as_str().unwrap().to_owned()
}

/// Asks over one connection until another answer than 200 comes.
const STANDING: &str = r#"
import http.client, json, ssl, sys, time
port, ca, stem = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.check_hostname = False
context.load_cert_chain(stem + ".pem", stem + ".key")
connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context, timeout=10)
connection.connect()
connection.auto_open = 0
for _ in range(80):
    connection.request("GET", "/posture/v1/standing")
    answer = connection.getresponse()
    said = json.loads(answer.read())
    print(answer.status, said.get("code"), flush=True)
    if answer.status != 200:
        break
    time.sleep(0.25)
"#;

#[test]
fn a_certificate_that_is_revoked_opens_nothing_on_a_connection_that_stands() {
    let server = server();
    let stem = server.path("mine");
    let serial = issued(&server, "p256", &stem);
    let mut command = Command::new("python3");
    command.args(["-c", STANDING, &server.posture().port().to_string()]).arg(shared("corp/ca.pem")).arg(&stem);
    let mut child = Background::start(command.stdout(Stdio::piped()));
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("200 None"));
    let (status, said) =
        server.send("POST", &format!("/api/v1/ca/certificates/{serial}/revoke?reason=stolen"), &json!({}));
    assert_eq!(status, 200, "{said:#}");
    assert_eq!(lines.last().as_deref(), Some("403 certificate_refused"));
    assert!(curl(&server, Some(&stem), "GET", "/posture/v1/standing", "").is_err());
}

fn date(when: &str) -> String {
    succeed(Command::new("date").args(["-u", "-d", when, "+%Y-%m-%dT%H:%M:%SZ"])).trim().to_owned()
}

/// A certificate below `ca` whose life began and ends then.
pub(crate) fn aged(server: &Server, ca: &str, name: &str, dns: &str, from: &str, until: &str) -> PathBuf {
    let stem = server.path(name);
    let mut command = cordon();
    command.args(["ca", "issue", "--dns", dns, "--not-before", &date(from), "--not-after", &date(until), "--dir"]);
    succeed(command.arg(server.path(ca)).arg("--out").arg(&stem));
    stem
}

/// A new key at this stem, and the request for it.
fn requested(stem: &Path) -> String {
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=root",
    ]);
    command.args(["-addext", "subjectAltName=DNS:other.corp.example", "-keyout"]).arg(stem.with_extension("key"));
    succeed(command.stderr(Stdio::null()))
}

#[test]
fn pil_3_an_endpoint_renews_its_certificate_with_the_same_names_and_a_key_of_its_own() {
    let server = server();
    let old = aged(&server, "ca", "old", "p256.corp.example", "-20 days", "+10 days");
    let new = server.path("new");
    let csr = requested(&new);
    let renew = |client: &Path, csr: &str| curl(&server, Some(client), "POST", "/posture/v1/certificate", csr).unwrap();
    let (status, made) = renew(&old, &csr);
    assert_eq!(status, 201, "{made:#}");
    std::fs::write(new.with_extension("pem"), made["certificate"].as_str().unwrap()).unwrap();
    // By another reader than ours: the names of the old one, whatever the request said, and as long a life.
    let x509 = |args: &[&str]| {
        let mut command = Command::new("openssl");
        text(&command.args(["x509", "-noout"]).args(args).arg("-in").arg(new.with_extension("pem")).output().unwrap())
    };
    let names = x509(&["-ext", "subjectAltName"]);
    assert!(names.contains("DNS:p256.corp.example") && !names.contains("other.corp.example"), "{names}");
    let days = |days: u64| x509(&["-checkend", &(days * 86_400).to_string()]);
    assert!(days(29).contains("will not expire") && days(31).contains("will expire"), "{}", days(29));
    Eapol::new(new.to_str().unwrap()).run(&server).assert_accepted(1);
    assert_eq!(ask(&server, Some(&new), "GET", "/posture/v1/standing", &Value::Null).1["name"], "p256");
    let listed = server.get("/api/v1/ca/certificates");
    assert_eq!(
        (&listed["items"][0]["serial"], &listed["items"][0]["issued_by"]),
        (&made["serial"], &json!("p256")),
        "{listed:#}"
    );
    let events = server.get("/api/v1/audit?kind=certificate");
    assert_eq!(events["items"][0]["action"], "certificate.issue", "{events:#}");

    // What is refused: too early, no request, another's CA, and a request whose signature is not its key's.
    let side = aged(&server, "side", "side-p256", "p256.corp.example", "-20 days", "+10 days");
    let lines: Vec<&str> = csr.lines().collect();
    let other = requested(&server.path("other"));
    let others: Vec<&str> = other.lines().collect();
    let mixed = [&lines[..lines.len() - 3], &others[others.len() - 3..]].concat().join("\n");
    for (client, csr, status, code) in [
        (&new, csr.as_str(), 409, "too_early"),
        (&old, "please", 422, "ca"),
        (&old, mixed.as_str(), 422, "ca"),
        (&side, csr.as_str(), 409, "other_ca"),
    ] {
        let (got, said) = renew(client, csr);
        assert_eq!((got, &said["code"]), (status, &json!(code)), "{said:#}");
    }
    // Who is known by the present certificate's print alone would be nobody with the next one.
    let printed = aged(&server, "ca", "printed", "printed.corp.example", "-20 days", "+10 days");
    let mut command = Command::new("openssl");
    command.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(printed.with_extension("pem"));
    let print = succeed(&mut command).trim().rsplit_once('=').unwrap().1.replace(':', "").to_lowercase();
    let body = json!({
        "kind": "device", "name": "printed", "owner": "alice", "purpose": "a test", "credentials": [{ "fingerprint": print }],
    });
    let (status, said) = server.send("POST", "/api/v1/identities", &body);
    assert_eq!(status, 201, "{said:#}");
    let (status, said) = renew(&printed, &csr);
    assert_eq!((status, &said["code"]), (409, &json!("not_bound")), "{said:#}");
}

/// A Linux host whose firewall is on, with nothing that is forbidden.
fn host() -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    json!({
        "mounts": [{ "device": "/dev/mapper/root", "device_alias": "/dev/dm-0", "path": "/" }],
        "disk_encryption": [{ "name": "/dev/dm-0", "encrypted": 1, "type": "aes-xts-plain64" }],
        "iptables": [{ "filter_name": "filter", "chain": "INPUT", "policy": "DROP", "target": "" }],
        "os_version": [{ "name": "Debian", "version": "12", "major": 12, "minor": 5, "platform": "debian" }],
        "file": [{ "path": "/var/lib/dpkg/info/bash.list", "mtime": now - 3 * 86_400 }],
        "deb_packages": [{ "name": "bash" }],
        "secureboot": [{ "secure_boot": 1, "setup_mode": 0 }],
    })
}

fn peer() -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/osquery_host.py"));
    command
}

/// A host that runs until the test ends, and what it was told so far.
fn osquery(server: &Server, name: &str, args: &[&str]) -> (Background, PathBuf) {
    let said = server.path(&format!("{name}.said"));
    let mut command = peer();
    command.args(["run", "--server", &server.posture().to_string(), "--ca"]).arg(shared("corp/ca.pem"));
    command.args(["--platform", "linux", "--identifier", name, "--host"]).arg(server.path(&format!("{name}.json")));
    let file = std::fs::File::create(&said).unwrap();
    (Background::start(command.args(args).stdout(file)), said)
}

fn nodes(server: &Server, mapped: bool) -> Vec<Value> {
    server.get(&format!("/api/v1/osquery/nodes?mapped={mapped}"))["items"].as_array().unwrap().clone()
}

/// Waits until this identity has this status, and these findings.
#[track_caller]
pub(crate) fn stands(server: &Server, name: &str, status: &str, failing: &[&str]) -> Value {
    let mut last = Value::Null;
    let until = Instant::now() + Duration::from_secs(15);
    while Instant::now() < until {
        let all = server.get("/api/v1/posture");
        let found = all["items"].as_array().unwrap().iter().find(|item| item["name"] == name).cloned();
        last = found.unwrap_or_default();
        let findings = last["findings"].as_array().cloned().unwrap_or_default();
        let findings: Vec<_> = findings.iter().filter_map(|finding| finding["check"].as_str()).collect();
        if last["status"] == status && findings == failing {
            return last;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{name} is not {status} by {failing:?}, but {last:#}");
}

#[test]
fn a_host_with_osquery_enrolls_reports_and_is_let_back_when_it_is_mended() {
    let server = server();
    let secret = server.succeed(&["posture", "secret"]).trim().to_owned();
    let file = server.path("mini.json");
    let set = |change: &dyn Fn(&mut Value)| {
        let mut state = host();
        change(&mut state);
        // Whole or not at all, as a host's tables are.
        std::fs::write(file.with_extension("new"), state.to_string()).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
    };
    set(&|_| {});
    // Nobody's as yet, and listed so.
    let _stray = {
        std::fs::write(server.path("stray.json"), host().to_string()).unwrap();
        osquery(&server, "stray", &["--secret", &secret, "--serial", "UNKNOWN-1"])
    };
    let (_mini, said) = osquery(&server, "mini", &["--secret", &secret, "--serial", "pf3xkq1"]);
    stands(&server, "desk", "compliant", &[]);
    let known = nodes(&server, true);
    assert_eq!(
        (&known[0]["host_identifier"], &known[0]["identity_name"], &known[0]["mapped_by"], &known[0]["platform"]),
        (&json!("mini"), &json!("desk"), &json!("hardware_serial"), &json!("linux")),
        "{known:#?}"
    );
    let stray = wait_for("the other host", Duration::from_secs(10), || nodes(&server, false).first().cloned());
    assert_eq!((&stray["host_identifier"], &stray["identity"]), (&json!("stray"), &Value::Null), "{stray:#}");
    let id = known[0]["identity"].as_str().unwrap();
    let whole = server.get(&format!("/api/v1/identities/{id}/posture"));
    let checks: Vec<_> = whole["checks"].as_array().unwrap().iter().map(|c| (&c["check"], &c["value"])).collect();
    for (check, value) in [
        ("disk_encryption", json!(true)),
        ("firewall", json!(true)),
        ("forbidden_software", json!([])),
        ("os_family", json!("linux")),
        ("os_version", json!("12.5.0")),
        ("patch_age_days", json!(3)),
        ("secure_boot", json!(true)),
    ] {
        assert!(checks.contains(&(&json!(check), &value)), "{check}: {checks:?}");
    }
    let login = Eapol::new("rsa2048");
    login.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&login.mac)["profile"], "corp");

    // The firewall goes off, and software comes that is looked for.
    set(&|state| {
        state["iptables"][0]["policy"] = json!("ACCEPT");
        state["processes"] = json!([{ "pid": 7, "name": "tor" }]);
    });
    let bad = stands(&server, "desk", "non_compliant", &["firewall"]);
    assert_eq!(bad["findings"][0]["source"], "osquery", "{bad:#}");
    login.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&login.mac)["profile"], "limited");
    // What fails is asked again at each look: mended, it is known long before its interval.
    set(&|_| {});
    let began = Instant::now();
    stands(&server, "desk", "compliant", &[]);
    eprintln!("mended and known after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(5));
    login.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&login.mac)["profile"], "corp");

    // One that is forgotten enrolls again by itself, with another key.
    let keys = || {
        let told = std::fs::read_to_string(&said).unwrap();
        let lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| line["said"]["node_key"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let path = format!("/api/v1/osquery/nodes/{}", nodes(&server, true)[0]["id"].as_str().unwrap());
    assert_eq!(server.send("DELETE", &path, &Value::Null).0, 204);
    let keys = wait_for("another key", Duration::from_secs(10), || Some(keys()).filter(|keys| keys.len() == 2));
    assert_ne!(keys[0], keys[1]);
    assert_eq!(server.send("DELETE", &path, &Value::Null).0, 404);
    let events = server.get("/api/v1/audit?kind=osquery_node");
    let told: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| event["action"].clone()).collect();
    assert_eq!(told, ["osquery.enroll", "osquery.forget", "osquery.enroll", "osquery.enroll"], "{events:#}");
    assert!(!std::fs::read(server.path("data/cordon.db")).unwrap().windows(64).any(|w| w == keys[1].as_bytes()));
}

#[test]
fn a_node_that_was_enrolled_by_a_certificate_shows_it_each_time() {
    let server = server();
    std::fs::write(server.path("laptop.json"), host().to_string()).unwrap();
    let (certificate, key) = (shared("p256.pem"), shared("p256.key"));
    let args = ["--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap(), "--serial", "S2"];
    // Where flags for Fleet point.
    let (_host, said) = osquery(&server, "laptop", &[&args[..], &["--prefix", "/api/v1/osquery"]].concat());
    stands(&server, "p256", "compliant", &[]);
    let nodes = nodes(&server, true);
    assert_eq!((&nodes[0]["identity_name"], &nodes[0]["mapped_by"]), (&json!("p256"), &json!("certificate")));
    let first = std::fs::read_to_string(said).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let stolen = json!({ "node_key": first["said"]["node_key"] });
    for client in [None, Some(shared("rsa2048"))] {
        let (status, said) = ask(&server, client.as_deref(), "POST", "/osquery/config", &stolen);
        assert_eq!((status, &said["node_invalid"]), (200, &json!(true)), "{said:#}");
    }
    assert_eq!(ask(&server, Some(&shared("p256")), "POST", "/osquery/config", &stolen).1["node_invalid"], false);

    // By curl: the wrong secret, no secret, a key of nobody's, a body that is none.
    for body in [json!({ "host_identifier": "x", "enroll_secret": "guess" }), json!({ "host_identifier": "x" })] {
        let (status, said) = ask(&server, None, "POST", "/osquery/enroll", &body);
        assert_eq!((status, &said["node_invalid"], said.get("node_key")), (200, &json!(true), None), "{said:#}");
    }
    for path in ["config", "log", "distributed/read", "distributed/write"] {
        let body = json!({ "node_key": "nobody", "log_type": "result", "data": [] });
        let (status, said) = ask(&server, None, "POST", &format!("/osquery/{path}"), &body);
        assert_eq!((status, &said["node_invalid"]), (200, &json!(true)), "{path}: {said:#}");
    }
    assert_eq!(curl(&server, None, "POST", "/osquery/enroll", "{").unwrap().0, 400);
    // Who goes on guessing is told to wait.
    let guessed = (0..80).map(|_| {
        let body = json!({ "host_identifier": "x", "enroll_secret": "guess" });
        ask(&server, None, "POST", "/osquery/enroll", &body).0
    });
    assert!(guessed.into_iter().any(|status| status == 429));
}

#[test]
fn the_pack_finds_what_osquerys_tables_say() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut all = host();
    for (table, rows) in [
        ("alf", json!([{ "global_state": 1 }])),
        ("bitlocker_info", json!([{ "drive_letter": "C:", "protection_status": 1 }])),
        ("windows_security_center", json!([{ "firewall": "Good", "antivirus": "Poor" }])),
        (
            "package_install_history",
            json!([{ "time": now - 90_000, "name": "macOS 15.1", "source": "softwareupdated" }]),
        ),
        ("windows_update_history", json!([{ "date": now - 200_000, "result_code": "Succeeded" }])),
        ("screenlock", json!([{ "enabled": 1, "grace_period": 5 }])),
        ("managed_policies", json!([{ "domain": "com.apple.screensaver", "name": "idleTime", "value": "300" }])),
        ("apps", json!([{ "name": "tor.app" }, { "name": "Safari.app" }])),
        ("programs", json!([{ "name": "nmap" }])),
        ("deb_packages", json!([{ "name": "nmap" }, { "name": "bash" }])),
        ("processes", json!([{ "name": "tor" }, { "name": "clamd" }])),
    ] {
        all[table] = rows;
    }
    let rows = all["file"].as_array_mut().unwrap();
    rows.push(json!({ "path": "/var/lib/clamav/daily.cld", "mtime": now - 86_400 }));
    let path =
        "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System\\InactivityTimeoutSecs";
    all["registry"] = json!([{ "path": path, "data": "600" }]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("host"), all.to_string()).unwrap();
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/osquery/cordon.conf");
    let found = succeed(peer().arg("check").arg("--pack").arg(&pack).arg("--host").arg(dir.path().join("host")));
    let found: Value = serde_json::from_str(&found).unwrap();
    for (query, values) in [
        ("disk_encryption_linux", json!(["1"])),
        ("disk_encryption_darwin", json!(["0"])),
        ("disk_encryption_windows", json!(["1"])),
        ("firewall_linux", json!(["1"])),
        ("firewall_darwin", json!(["1"])),
        ("firewall_windows", json!(["1"])),
        ("patch_age_days_linux", json!(["3"])),
        ("patch_age_days_darwin", json!(["1"])),
        ("patch_age_days_windows", json!(["2"])),
        ("screen_lock_secs_darwin", json!(["305"])),
        ("screen_lock_secs_windows", json!(["600"])),
        ("anti_malware_linux", json!(["1"])),
        ("anti_malware_windows", json!(["0"])),
        ("secure_boot_linux", json!(["1"])),
        ("forbidden_software_linux", json!(["nmap", "tor"])),
        ("forbidden_software_darwin", json!(["tor"])),
        ("forbidden_software_windows", json!(["nmap"])),
    ] {
        assert_eq!(found[format!("cordon_{query}")], values, "{query}: {found:#}");
    }
}
