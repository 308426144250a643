//! Sessions are changed while they last: by an operator, and because what let them
//! in is so no more. The NAS is `tests/peers/coa_nas.py`.

use crate::support::coa_nas::{CoaNas, values};
use crate::support::radclient::radclient;
use crate::support::radsec::{NasPki, SW1};
use crate::support::server::{SECRET, Server, TOKEN};
use crate::support::{feed, system, text, wait_for};
use cordon::coa::exchange::{Answer, Ask, NoAnswer, Timing};
use cordon::enforcement::coa::Change;
use cordon::ids::ChangeOrderId;
use cordon::radius::packet::Code;
use cordon::secret::Secret;
use cordon::transport::clock::Clock;
use cordon::transport::coa::{CoaClient, Failure, Ticket};
use serde_json::Value;
use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const DISCONNECT: u64 = 40;
const COA: u64 = 43;
/// The promise for one session.
const PROMISE: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(15);

/// What is applied to a bare server: a switch, two VLANs, and cameras by their
/// addresses.
fn inventory(port: u16, vendor: &str, more: &str, cameras: usize) -> String {
    let mut text = format!(
        "[policy]\nfile = \"rules.cedar\"\n[[nas]]\nname = \"sw\"\naddress = \"127.0.0.1\"\nsecret = {SECRET:?}\n\
         vendor = {vendor:?}\nsite = \"hq\"\ncoa = {{ port = {port} }}\n{more}\n[[profile]]\nname = \"iot\"\nvlan = 20\n\
         session_timeout_secs = 3600\nsession_timeout_jitter = 10\n[[profile]]\nname = \"limited\"\nvlan = 30\n\
         [[identity]]\nname = \"ben\"\nkind = \"user\"\n"
    );
    for n in 0..cameras {
        writeln!(
            text,
            "[[identity]]\nname = \"camera-{n}\"\nkind = \"device\"\ngroups = [\"cameras\"]\nowner = \"ben\"\n\
             purpose = \"a door\"\ncredentials = [{{ mac = {:?} }}]",
            mac(n)
        )
        .unwrap();
    }
    text
}

fn rules(profile: &str) -> String {
    format!(
        "@id(\"cameras\") @order(\"10\") @profile({profile:?})\npermit (principal in Group::\"cameras\", \
         action == Network::Action::\"connect\", resource);\n"
    )
}

fn mac(n: usize) -> String {
    format!("02-00-5E-10-{:02X}-{:02X}", n >> 8, n & 255)
}

/// A login of a camera by its address, with what a switch says of its session.
fn login(n: usize) -> String {
    let mac = mac(n);
    format!(
        "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
         NAS-IP-Address=127.0.0.1, NAS-Port=7, NAS-Port-Id=\"1/0/7\", NAS-Port-Type=Ethernet, \
         Acct-Session-Id=\"{n:08X}\", Cisco-AVPair=\"audit-session-id=C0A80001{n:08X}\", Message-Authenticator=0x00"
    )
}

fn serve(port: u16, vendor: &str, more: &str, cameras: usize) -> Server {
    let server = Server::bare();
    std::fs::write(server.path("rules.cedar"), rules("iot")).unwrap();
    server.apply(&inventory(port, vendor, more, cameras));
    server
}

fn log_in(server: &Server, n: usize) {
    let out = radclient(server.auth, "auth", &login(n));
    assert!(out.contains("Received Access-Accept"), "{out}");
}

/// The session of a camera, once it is there.
#[track_caller]
fn session(server: &Server, n: usize) -> Value {
    wait_for("the session", SOON, || server.get(&format!("/api/v1/sessions?mac={}", mac(n)))["items"].get(0).cloned())
}

/// The latest change to a session, once it is over.
#[track_caller]
fn ended(server: &Server, session: &Value, deadline: Duration) -> Value {
    let id = session["id"].as_str().unwrap();
    wait_for("the end of the change", deadline, || {
        let change = server.get(&format!("/api/v1/changes?session={id}&limit=1"))["items"].get(0).cloned()?;
        (change["state"] != "waiting").then_some(change)
    })
}

fn post(server: &Server, path: &str, body: &str) -> (u16, Value) {
    let mut command = system("curl", Duration::from_secs(30));
    command.args(["--silent", "--show-error", "--write-out", "\n%{http_code}", "--header"]);
    command.args([&format!("Authorization: Bearer {TOKEN}"), "--header", "Content-Type: application/json"]);
    let output = command.args(["--data", body, &format!("http://{}{path}", server.http)]).output().unwrap();
    let text = text(&output);
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.trim().parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn who_is_suspended_is_disconnected_within_two_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "standard", "", 2);
    log_in(&server, 0);
    log_in(&server, 1);
    let session = session(&server, 0);

    server.succeed(&["identity", "status", "device", "camera-0", "suspended"]);
    let changed = Instant::now();
    let request = nas.first(1, SOON).remove(0);
    assert!(changed.elapsed() < PROMISE, "{:?}", changed.elapsed());
    assert_eq!((&request["code"], &request["wrong"]), (&DISCONNECT.into(), &Value::Null), "{request}");
    assert_eq!(values(&request, 44), ["00000000"], "the session's own name");
    assert_eq!(values(&request, 31), [mac(0)]);

    let change = ended(&server, &session, SOON);
    assert_eq!((&change["state"], &change["reason"]), (&"done".into(), &"identity_suspended".into()), "{change:#}");
    assert_eq!(change["who"], "camera-0");
    assert_eq!(change["attempts"][0]["result"], "ack", "{change:#}");
    let noticed: cordon::time::Timestamp = serde_json::from_value(change["noticed_at"].clone()).unwrap();
    let over: cordon::time::Timestamp = serde_json::from_value(change["ended_at"].clone()).unwrap();
    assert!(over.since(noticed) < PROMISE, "{change:#}");
    // The record of the login leads to it, and nobody else was touched.
    let decision = server.get(&format!("/api/v1/decisions/{}", session["decision"].as_str().unwrap()));
    assert_eq!(decision["changes"][0]["id"], change["id"]);
    assert_eq!(nas.requests().len(), 1);
    let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
    assert!(metrics.contains("cordon_changes_total{ending=\"done\"} 1"), "{metrics}");
    assert!(metrics.contains("cordon_change_latency_seconds_count 1"), "{metrics}");
}

/// A second session of the same endpoint does not shield the first from what comes.
#[test]
fn who_is_only_thought_to_have_gone_is_disconnected_too() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "standard", "", 1);
    log_in(&server, 0);
    let elsewhere = login(0).replace("1/0/7", "1/0/8").replace("\"00000000\"", "\"00000009\"");
    assert!(radclient(server.auth, "auth", &elsewhere).contains("Received Access-Accept"));
    let states = wait_for("both sessions", SOON, || {
        let page = server.get(&format!("/api/v1/sessions?mac={}", mac(0)));
        let all: Vec<Value> = page["items"].as_array().unwrap().iter().map(|s| s["state"].clone()).collect();
        (all.len() == 2).then_some(all)
    });
    assert_eq!(states, ["authenticated", "inferred"]);
    server.succeed(&["identity", "status", "device", "camera-0", "suspended"]);
    let mut told: Vec<String> = nas.first(2, SOON).iter().map(|request| values(request, 44)[0].clone()).collect();
    told.sort();
    assert_eq!(told, ["00000000", "00000009"]);
}

/// The pipeline from what becomes known to the switch's answer, twenty times.
#[test]
fn why_1_containment_takes_less_than_two_seconds_for_95_of_100() {
    const TIMES: usize = 20;
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "standard", "", TIMES);
    (0..TIMES).for_each(|n| log_in(&server, n));
    session(&server, TIMES - 1);
    let mut took = Vec::new();
    for n in 0..TIMES {
        // The command's own start is counted too.
        let begun = Instant::now();
        server.succeed(&["identity", "status", "device", &format!("camera-{n}"), "suspended"]);
        nas.first(n + 1, SOON);
        took.push(begun.elapsed());
    }
    took.sort();
    let (median, p95) = (took[TIMES / 2], took[TIMES * 95 / 100 - 1]);
    eprintln!(
        "from the command to the switch: median {median:?}, 95th percentile {p95:?}, slowest {:?}",
        took[TIMES - 1]
    );
    assert!(p95 < PROMISE, "{took:?}");
    let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
    assert!(metrics.contains("cordon_change_latency_seconds_bucket"), "{metrics}");
}

#[test]
fn a_secret_of_its_own_for_changes_is_kept_sealed_and_can_be_exported() {
    const OWN: &str = "a-secret-for-changes-alone";
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &["--secret", OWN]);
    let text = inventory(nas.port, "standard", "", 1);
    let (plain, own) = (format!("{{ port = {} }}", nas.port), format!("{{ port = {}, secret = {OWN:?} }}", nas.port));
    let server = serve(nas.port, "standard", "", 1);
    server.apply(&text.replace(&plain, &own));
    log_in(&server, 0);
    let id = session(&server, 0)["id"].as_str().unwrap().to_owned();
    assert!(server.succeed(&["session", "disconnect", &id]).contains("done after"));
    // A document that does not say it keeps it.
    server.apply(&text.replace("vlan = 30", "vlan = 31"));
    assert!(server.succeed(&["session", "disconnect", &id]).contains("done after"));
    assert!(nas.requests().iter().all(|request| request["wrong"].is_null()));
    assert!(!server.succeed(&["export"]).contains(OWN));
    let exported = server.succeed(&["export", "--secrets"]);
    assert!(exported.contains(&format!("secret = {OWN:?}")), "{exported}");
    for entry in std::fs::read_dir(server.path("data")).unwrap() {
        let octets = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!octets.windows(OWN.len()).any(|window| window == OWN.as_bytes()), "it lies open in the database");
    }
}

#[test]
fn a_profile_that_is_told_in_other_words_reaches_who_is_there_in_the_words_of_its_switch() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "cisco-ios", "", 1);
    log_in(&server, 0);
    let session = session(&server, 0);
    // What says nothing about the session changes nothing.
    let other = inventory(nas.port, "cisco-ios", "", 1).replace("purpose = \"a door\"", "purpose = \"a gate\"");
    server.apply(&other.replace("session_timeout_secs = 3600", "session_timeout_secs = 1800"));
    server.apply(&other.replace("vlan = 20", "vlan = 40"));
    let request = nas.first(1, SOON).remove(0);
    assert_eq!(request["code"], COA);
    let words = values(&request, 26);
    assert!(words.iter().any(|w| w.ends_with("subscriber:command=reauthenticate")), "{words:?}");
    assert!(words.iter().any(|w| w.ends_with("audit-session-id=C0A8000100000000")), "{words:?}");
    let change = ended(&server, &session, SOON);
    assert_eq!(change["state"], "done");
    let detail = change["detail"].as_str().unwrap();
    assert!(detail.contains("iot is told in other words") && detail.contains("20 -> 40"), "{detail}");
    // What the login that follows brings is what was wanted: nothing more is to be done.
    log_in(&server, 0);
    server.apply(
        &other
            .replace("vlan = 20", "vlan = 40")
            .replace("[[profile]]\nname = \"limited\"", "[[site]]\nname = \"hq\"\n[[profile]]\nname = \"limited\""),
    );
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(nas.requests().len(), 1, "{:#?}", nas.requests());
}

#[test]
fn a_refusal_leads_down_the_chain_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &["--coa", "nak:401"]);
    let server = serve(nas.port, "cisco-ios", "", 1);
    log_in(&server, 0);
    let draft = server.path("draft.cedar");
    std::fs::write(&draft, rules("limited")).unwrap();
    server.succeed(&["policy", "activate", draft.to_str().unwrap()]);
    let change = ended(&server, &session(&server, 0), SOON);
    assert_eq!(change["state"], "done", "{change:#}");
    assert!(change["detail"].as_str().unwrap().contains("iot becomes limited (rule cameras)"), "{change:#}");
    let tried: Vec<_> = change["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["change"].clone(), a["error_cause"].clone()))
        .collect();
    assert_eq!(tried, [("reauthenticate".into(), 401.into()), ("disconnect".into(), Value::Null)]);
    assert!(change["attempts"][0]["remedy"].as_str().unwrap().contains("vendor set for this NAS"), "{change:#}");
    let shown = server.succeed(&["session", "show", session(&server, 0)["id"].as_str().unwrap()]);
    assert!(shown.contains("refused after") && shown.contains("401 unsupported_attribute"), "{shown}");
    assert!(shown.contains(&format!("disconnect at 127.0.0.1:{}: done after", nas.port)), "{shown}");
}

#[test]
fn what_a_nas_refuses_altogether_and_what_it_does_not_know_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let prohibited = CoaNas::start(dir.path(), &["--disconnect", "nak:501"]);
    let server = serve(prohibited.port, "standard", "", 2);
    log_in(&server, 0);
    let id = session(&server, 0)["id"].as_str().unwrap().to_owned();
    let (ok, out) = server.command(&["session", "disconnect", &id, "-m", "a test", "--by", "anna"]);
    assert!(!ok && out.contains("501 administratively_prohibited") && out.contains("Allow it there"), "{out}");
    assert!(out.contains("refused") && out.contains("operator anna"), "{out}");

    let unknown = CoaNas::start(dir.path(), &["--disconnect", "nak:503"]);
    server.apply(&inventory(unknown.port, "standard", "", 2));
    let out = server.succeed(&["session", "disconnect", &id]);
    assert!(out.contains("gone") && out.contains("503 session_not_found"), "{out}");
    // What there are no words for is said, and not sent.
    let (ok, out) = server.command(&["session", "vlan", "30", &id]);
    assert!(!ok && out.contains("gear of the kind standard cannot be told to change_vlan"), "{out}");
    assert_eq!(unknown.requests().len(), 1);
    server
        .apply(&inventory(unknown.port, "standard", "", 2).replace(&format!("{{ port = {} }}", unknown.port), "false"));
    let (ok, out) = server.command(&["session", "disconnect", &id]);
    assert!(!ok && out.contains("coa = false"), "{out}");
}

#[test]
fn an_answer_with_the_wrong_authenticator_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &["--disconnect", "wrong:1"]);
    let server = serve(nas.port, "standard", "", 1);
    log_in(&server, 0);
    let id = session(&server, 0)["id"].as_str().unwrap().to_owned();
    let out = server.succeed(&["session", "disconnect", &id]);
    assert!(out.contains("done after"), "{out}");
    let requests = nas.requests();
    assert_eq!(requests.len(), 2, "{requests:#?}");
    assert_eq!(requests[0]["packet"], requests[1]["packet"], "a retransmission is the same octets");
    let gap = requests[1]["at"].as_f64().unwrap() - requests[0]["at"].as_f64().unwrap();
    assert!((1.7..2.6).contains(&gap), "{gap}");
    let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
    assert!(metrics.contains("cordon_change_ignored_datagrams_total{why=\"wrong_authenticator\"} 1"), "{metrics}");
}

#[test]
fn a_late_answer_is_known_and_a_silent_nas_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let timing = Timing {
        initial: Duration::from_millis(50),
        longest: Duration::from_millis(100),
        count: 3,
        duration: Duration::from_millis(250),
    };
    let ignored = Arc::new(Mutex::new(Vec::new()));
    let counted = ignored.clone();
    let count = Arc::new(move |why: NoAnswer| counted.lock().unwrap().push(why));
    let late = CoaNas::start(dir.path(), &["--coa", "late:600"]);
    let silent = CoaNas::start(dir.path(), &["--coa", "silent", "--address", "::1"]);
    let forger = CoaNas::start(dir.path(), &["--coa", "wrong:99"]);
    runtime.block_on(async {
        let clock = Arc::new(Clock::start());
        let (client, mut answers) = CoaClient::start(&[], timing, clock.clone(), count).await.unwrap();
        let ticket = |number| Ticket { order: ChangeOrderId::new(clock.now()), change: Change::Reauthenticate, number };
        let ask = Ask { code: Code::CoaRequest, attributes: vec![44, 4, b'1', b'2'], secret: Secret::new(SECRET) };
        let to = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let asked = ticket(1);
        assert_eq!(client.request(to(late.port), ask.clone(), asked).await, Err(Failure::Silent));
        let answer = tokio::time::timeout(Duration::from_secs(5), answers.recv()).await.unwrap().unwrap();
        assert_eq!((answer.ticket, answer.answer), (asked, Answer::Ack));
        let v6 = std::net::SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), silent.port);
        assert_eq!(client.request(v6, ask.clone(), ticket(2)).await, Err(Failure::Silent));
        assert_eq!(client.request(to(forger.port), ask, ticket(3)).await, Err(Failure::WrongSecret));
    });
    assert_eq!(silent.requests().len(), 3, "sent three times, and then given up");
    assert!(silent.requests().iter().all(|request| request["wrong"].is_null()), "{:#?}", silent.requests());
    assert_eq!(*ignored.lock().unwrap(), [NoAnswer::WrongAuthenticator; 3]);
}

#[test]
fn what_is_on_its_way_when_a_wave_is_stopped_ends_as_its_nas_answers() {
    const CAMERAS: usize = 30;
    let dir = tempfile::tempdir().unwrap();
    // Late, and before it is asked again.
    let nas = CoaNas::start(dir.path(), &["--disconnect", "late:1500"]);
    let server = serve(nas.port, "standard", "", CAMERAS);
    log_in_all(&server, CAMERAS);
    let (ok, out) = server.command(&["session", "disconnect", "--all"]);
    assert!(!ok && out.contains("30 sessions at 1 NAS (sw 30), by site: hq 30") && out.contains("say --yes"), "{out}");
    assert!(server.get("/api/v1/changes")["items"].as_array().unwrap().is_empty(), "nothing was done");
    server.succeed(&["session", "disconnect", "--all", "--yes"]);
    nas.first(8, SOON);
    let id = server.get("/api/v1/waves?limit=1")["items"][0]["id"].as_str().unwrap().to_owned();
    let out = server.succeed(&["session", "wave", "abort", &id]);
    assert!(out.contains("22 changes will not be made") && out.contains("of 8 the NAS is being asked"), "{out}");
    let over = wait_for("the wave to rest", SOON, || {
        let wave = server.get(&format!("/api/v1/waves/{id}"));
        (wave["waiting"] == 0).then(|| wave["over"].clone())
    });
    assert_eq!((&over["done"], &over["aborted"]), (&8.into(), &22.into()), "{over}");
    assert_eq!(nas.requests().iter().filter(|request| request["repeated"] == false).count(), 8);
}

#[test]
fn many_that_the_api_asks_for_are_held_unless_it_says_at_once() {
    const CAMERAS: usize = 25;
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "standard", "", CAMERAS);
    let file = server.path("cordon.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    server.in_force(|| {
        std::fs::write(&file, format!("{config}\n[changes]\nhold_above = 20\nhold_secs = 600\n")).unwrap();
        String::new()
    });
    log_in_all(&server, CAMERAS);
    let all = |more: &str| {
        let body = format!(r#"{{"change": "disconnect", "filter": {{"all": true}}{more}}}"#);
        let (status, body) = post(&server, "/api/v1/changes", &body);
        assert_eq!((status, &body["sessions"]), (202, &CAMERAS.into()), "{body}");
        body["wave"].as_str().unwrap().to_owned()
    };
    let wave = |id: &str| server.get(&format!("/api/v1/waves/{id}"));
    let held = all("");
    assert_eq!(wave(&held)["state"], "held");
    let (status, body) = post(&server, &format!("/api/v1/waves/{held}/abort"), "");
    assert_eq!((status, &body["stopped"]), (200, &CAMERAS.into()), "{body}");
    assert_eq!(nas.requests().len(), 0);
    let id = all(r#", "at_once": true"#);
    nas.first(CAMERAS, SOON);
    wait_for("the end of the wave", SOON, || (wave(&id)["over"]["done"] == CAMERAS).then_some(()));
}

#[test]
fn who_was_disconnected_is_shown_so_and_not_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "standard", "", 3);
    (0..3).for_each(|n| log_in(&server, n));
    let id = session(&server, 0)["id"].as_str().unwrap().to_owned();
    session(&server, 2);
    assert!(server.succeed(&["session", "list", "--limit", "2"]).contains("2 sessions, the latest; there are more"));
    assert!(server.succeed(&["session", "disconnect", "--identity", "camera-0"]).contains(&format!(":{}", nas.port)));
    let listed = server.succeed(&["session", "list"]);
    assert_eq!(listed.matches("disconnect confirmed at").count(), 1, "{listed}");
    assert!(listed.ends_with("3 sessions\n"), "{listed}");
    assert!(session(&server, 0)["disconnect_confirmed_at"].is_string());
    assert!(session(&server, 1)["disconnect_confirmed_at"].is_null());
    // Of many it is left out; who names it gets it.
    let (ok, out) = server.command(&["session", "disconnect", "--identity", "camera-0"]);
    assert!(!ok && out.contains("1 session left out") && out.contains("no session goes on"), "{out}");
    assert!(server.succeed(&["session", "disconnect", "--all"]).contains("1 session left out"));
    assert_eq!(nas.requests().len(), 3);
    server.in_force(|| server.succeed(&["identity", "status", "device", "camera-0", "suspended"]));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(nas.requests().len(), 3, "{:#?}", nas.requests());
    server.succeed(&["session", "disconnect", &id]);
    assert_eq!(nas.requests().len(), 4);
    for (args, part) in [
        (&["session", "show", "x"][..], "that is no id of a session; `cordon session list` shows them"),
        (&["session", "list", "--nas", "swift"], "no NAS is called"),
        (&["session", "disconnect", "--site", "elsewhere"], "no NAS is at a site called"),
        (&["session", "bounce_port", &id], "cannot be told to bounce_port"),
    ] {
        let (ok, out) = server.command(args);
        assert!(!ok && out.contains(part), "{args:?}: {out}");
    }
}

#[test]
fn who_waits_is_told_where_it_is_asked_and_whether_a_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &["--disconnect", "silent"]);
    let server = serve(nas.port, "standard", "", 2);
    (0..2).for_each(|n| log_in(&server, n));
    let [first, second] = [0, 1].map(|n| session(&server, n)["id"].as_str().unwrap().to_owned());
    let (ok, out) = server.command(&["session", "disconnect", &first, "--wait", "3"]);
    assert!(!ok && out.contains(&format!("disconnect: being asked at 127.0.0.1:{} since", nas.port)), "{out}");
    let change = server.get("/api/v1/changes?state=waiting")["items"][0].clone();
    assert_eq!(change["asking"]["address"], format!("127.0.0.1:{}", nas.port), "{change:#}");
    server.signal("KILL");
    let (ok, out) = server.command(&["session", "disconnect", &second, "--wait", "7"]);
    assert!(!ok && out.contains("no server has taken it up"), "{out}");
}

#[test]
fn a_nas_behind_a_proxy_of_tls_is_told_over_udp() {
    let dir = tempfile::tempdir().unwrap();
    let udp = CoaNas::start(dir.path(), &[]);
    let nas = NasPki::new();
    let coa = format!("coa = {{ address = \"127.0.0.1\", port = {}, secret = {SECRET:?} }}", udp.port);
    let server = Server::start(&nas.config("", &format!("{SW1}\n{coa}\n")));
    // Like a proxy it passes no request on; then its connection is gone altogether.
    let mut peer = nas.peer(server.radsec(), "sw1", &["stay", "2A", "silent"]);
    let peer = peer.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let session =
        wait_for("the session", SOON, || server.get("/api/v1/sessions?live=true&nas=sw1")["items"].get(0).cloned());
    let out = server.succeed(&["session", "disconnect", session["id"].as_str().unwrap()]);
    assert!(out.contains(&format!("disconnect at 127.0.0.1:{}: done", udp.port)), "{out}");
    let said = text(&peer.wait_with_output().unwrap());
    assert!(said.contains("got Disconnect-Request 2A"), "{said}");
    server.succeed(&["session", "disconnect", session["id"].as_str().unwrap()]);
    assert_eq!(udp.requests().len(), 2);
}

#[test]
fn what_was_ordered_is_done_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = serve(port, "standard", "", 3);
    (0..3).for_each(|n| log_in(&server, n));
    let sessions: Vec<Value> = (0..3).map(|n| session(&server, n)).collect();
    server.succeed(&["session", "disconnect", "--nas", "sw", "--wait", "0"]);
    // Nobody is at home there: the requests are on their way, and the changes open.
    let open = |server: &Server| server.get("/api/v1/changes?state=waiting")["items"].as_array().unwrap().len();
    assert_eq!(open(&server), 3);
    std::thread::sleep(Duration::from_millis(500));
    let server = server.restart("KILL");
    assert_eq!(open(&server), 3, "what was acknowledged is there");
    let nas = CoaNas::start(dir.path(), &["--port", &port.to_string()]);
    for session in &sessions {
        let change = ended(&server, session, Duration::from_secs(30));
        assert_eq!(change["state"], "done", "{change:#}");
        assert_eq!(change["attempts"].as_array().unwrap().len(), 1);
    }
    let names: std::collections::BTreeSet<_> = nas.requests().iter().flat_map(|r| values(r, 44)).collect();
    assert_eq!(names.len(), 3);
}

#[test]
fn the_api_takes_wishes_and_says_what_is_wrong_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "aruba-cx", "", 1);
    log_in(&server, 0);
    let id = session(&server, 0)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/sessions/{id}/changes");
    let (status, body) =
        post(&server, &path, r#"{"change": "change_vlan", "vlan": 30, "by": "anna", "reason": "a test"}"#);
    assert_eq!(status, 202, "{body:#}");
    let change = ended(&server, &session(&server, 0), SOON);
    assert_eq!((&change["id"], &change["state"]), (&body["id"], &"done".into()), "{change:#}");
    assert_eq!((&change["trigger"], &change["detail"]), (&"operator anna".into(), &"change_vlan 30: a test".into()));
    let request = nas.first(1, SOON).remove(0);
    assert_eq!((&request["code"], values(&request, 81)), (&COA.into(), vec!["\u{0}30".to_owned()]));
    for (path, body, status, part) in [
        (path.as_str(), r#"{"change": "dance"}"#, 400, "bounce_port"),
        (path.as_str(), r#"{"change": "disconnect", "vlan": 3}"#, 400, "takes neither"),
        (path.as_str(), r#"{"change": "change_vlan", "vlan": 4095}"#, 400, "1 to 4094"),
        (path.as_str(), r#"{"change": "change_role"}"#, 400, "wants a role"),
        (path.as_str(), r#"{"change": "disconnect", "colour": 1}"#, 400, "colour"),
        (path.as_str(), "dance", 400, "expected"),
        (path.as_str(), r#"{"change": "disconnect", "filter": {"all": true}}"#, 400, "one session is named"),
        ("/api/v1/changes", r#"{"change": "disconnect"}"#, 400, "say whose sessions"),
        ("/api/v1/sessions/x/changes", r#"{"change": "disconnect"}"#, 404, "there is no session"),
        ("/api/v1/waves/x/abort", "{}", 404, "there is no wave"),
    ] {
        let (got, problem) = post(&server, path, body);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(got == status && detail.contains(part), "{path} {body}: {got} {problem}");
    }
    let (status, body) = post(
        &server,
        "/api/v1/changes",
        r#"{"change": "disconnect", "filter": {"identity": "camera-0", "site": "hq"}}"#,
    );
    assert_eq!((status, &body["sessions"]), (202, &1.into()), "{body}");
    for (filter, status, part) in [
        (r#"{"site": "elsewhere"}"#, 422, "no NAS is at a site called"),
        (r#"{"nas": "swift"}"#, 422, "no NAS is called"),
        (r#"{"identity": "camera-9"}"#, 422, "nobody is called"),
        (r#"{"all": true, "nas": "sw"}"#, 400, "all contradicts nas"),
        ("{}", 400, "say whose sessions"),
        (r#"{"color": "red"}"#, 400, "the body: filter.color: unknown field"),
    ] {
        let body = format!(r#"{{"change": "disconnect", "filter": {filter}}}"#);
        let (got, problem) = post(&server, "/api/v1/changes", &body);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(got == status && detail.contains(part), "{filter}: {got} {problem}");
    }
    assert_eq!(server.get_raw("/api/v1/changes", None).0, 401);
}

/// Logs many cameras in, as fast as the server takes them.
fn log_in_all(server: &Server, cameras: usize) {
    let all: Vec<String> = (0..cameras).map(login).collect();
    let mut command = system("radclient", Duration::from_secs(120));
    command.args(["-q", "-p", "50", "-t", "5", "-r", "3", &server.auth.to_string(), "auth", SECRET]);
    feed(&mut command, &all.join("\n\n"));
    wait_for("all sessions", Duration::from_secs(60), || {
        let mut count = 0;
        let mut cursor = String::new();
        loop {
            let page = server.get(&format!("/api/v1/sessions?limit=500{cursor}"));
            count += page["items"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (count >= cameras).then_some(()),
            }
        }
    });
}

#[test]
fn a_wave_is_paced_held_and_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "standard", "", 60);
    let file = server.path("cordon.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let with = |changes: &str| {
        std::fs::write(&file, format!("{config}\n[changes]\n{changes}\n")).unwrap();
        "".to_owned()
    };
    server.in_force(|| with("per_second = 20\nhold_above = \"50%\"\nhold_secs = 600"));
    log_in_all(&server, 60);
    let wave = || server.get("/api/v1/waves?limit=1")["items"].get(0).cloned();
    let activate = |profile: &str| {
        let draft = server.path("draft.cedar");
        std::fs::write(&draft, rules(profile)).unwrap();
        server.in_force(|| server.succeed(&["policy", "activate", draft.to_str().unwrap()]));
    };
    activate("limited");
    let held = wait_for("the wave", SOON, wave);
    assert_eq!(
        (&held["state"], &held["sessions"], &held["waiting"]),
        (&"held".into(), &60.into(), &60.into()),
        "{held:#}"
    );
    assert!(server.log().contains("60 get something else, at sw"), "{}", server.log());
    // Before it is let go, the rules are as they were: nothing is to be done any more.
    server.in_force(|| server.succeed(&["policy", "rollback"]));
    wait_for("the end of the wave", SOON, || {
        let counts = wave()?;
        (counts["waiting"] == 0 && counts["over"]["moot"] == 60).then_some(())
    });
    assert_eq!(nas.requests().len(), 0);

    activate("limited");
    let id =
        wait_for("the next wave", SOON, || wave().filter(|w| w["state"] == "held"))["id"].as_str().unwrap().to_owned();
    let started = Instant::now();
    server.succeed(&["session", "wave", "release", &id]);
    nas.first(20, SOON);
    let took = started.elapsed();
    let out = server.succeed(&["session", "wave", "abort", &id, "--by", "anna"]);
    assert!(out.contains("changes will not be made"), "{out}");
    assert!(took > Duration::from_millis(700), "20 in {took:?} is more than 20 in a second");
    std::thread::sleep(Duration::from_secs(2));
    let sent = nas.requests().len();
    assert!((20..60).contains(&sent), "{sent}");
    let stopped = wait_for("the wave to rest", SOON, || wave().filter(|w| w["waiting"] == 0));
    assert_eq!((&stopped["state"], &stopped["aborted"]["by"]), (&"aborted".into(), &"anna".into()));
    let done = stopped["over"]["done"].as_u64().unwrap() as usize;
    assert_eq!(sent, done, "what was sent ended as its NAS answered: {stopped:#}");
    assert_eq!(stopped["over"]["aborted"].as_u64().unwrap() as usize, 60 - done);
    // Those that were about to be sent are not promised.
    let promised: usize = out.split(' ').next().unwrap().parse().unwrap_or_else(|e| panic!("{e}: {out}"));
    assert!(promised <= 60 - done && promised + 8 >= 60 - done, "{done}: {out}");
    for step in ["abort", "release"] {
        let (ok, out) = server.command(&["session", "wave", step, &id]);
        assert!(!ok && out.contains("is aborted"), "{out}");
        let (status, problem) = post(&server, &format!("/api/v1/waves/{id}/{step}"), "");
        assert_eq!((status, &problem["code"]), (409, &"wave_state".into()), "{problem}");
    }
    let listed = server.succeed(&["session", "wave", "list"]);
    assert!(listed.contains("aborted") && listed.contains("60 get something else"), "{listed}");
}

/// Attributes of a request but for what is made anew each time.
fn said(request: &Value) -> Vec<(u64, String)> {
    let all = request["attributes"].as_array().unwrap().iter();
    let all = all.map(|pair| (pair[0].as_u64().unwrap(), pair[1].as_str().unwrap().to_owned()));
    let all = all.filter(|(kind, _)| ![55, 80].contains(kind));
    // A tag of 0 may be there or not (RFC 2868, section 3.6): radclient leaves it out.
    let untagged = |(kind, value): (u64, String)| match value.strip_prefix("00") {
        Some(rest) if kind == 81 => (kind, rest.to_owned()),
        _ => (kind, value),
    };
    all.map(untagged).collect()
}

#[test]
fn radclient_sends_the_same_for_the_same_words() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    for (vendor, command, words) in [
        (
            "cisco-ios",
            &["reauthenticate"][..],
            "Cisco-AVPair=\"audit-session-id=C0A8000100000000\", Calling-Station-Id=\"02-00-5E-10-00-00\", \
             Cisco-AVPair+=\"subscriber:command=reauthenticate\", Cisco-AVPair+=\"subscriber:reauthenticate-type=last\"",
        ),
        (
            "aruba-cx",
            &["vlan", "30"],
            "User-Name=\"camera-0\", NAS-IP-Address=127.0.0.1, Acct-Session-Id=\"00000000\", \
             Calling-Station-Id=\"02-00-5E-10-00-00\", NAS-Port-Id=\"1/0/7\", Tunnel-Type:0=VLAN, \
             Tunnel-Medium-Type:0=IEEE-802, Tunnel-Private-Group-Id:0=\"30\"",
        ),
        (
            "fortinet",
            &["bounce-port"],
            "Calling-Station-Id=\"02-00-5E-10-00-00\", Fortinet-Host-Port-AVPair=\"action=bounce-port\"",
        ),
        (
            "standard",
            &["disconnect"],
            "Acct-Session-Id=\"00000000\", User-Name=\"camera-0\", Calling-Station-Id=\"02-00-5E-10-00-00\"",
        ),
    ] {
        let before = nas.requests().len();
        let server = serve(nas.port, vendor, "", 1);
        log_in(&server, 0);
        let id = session(&server, 0)["id"].as_str().unwrap().to_owned();
        let args: Vec<&str> = ["session"].iter().chain(command).copied().chain([id.as_str()]).collect();
        server.succeed(&args);
        let kind = if command[0] == "disconnect" { "disconnect" } else { "coa" };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let more = format!("{words}, Event-Timestamp={now}, Message-Authenticator=0x00");
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], nas.port));
        let out = radclient(to, kind, &more);
        assert!(out.contains("-ACK"), "{out}");
        let requests = nas.requests();
        let [ours, theirs] = &requests[before..] else { panic!("{requests:#?}") };
        assert_eq!((&ours["code"], said(ours)), (&theirs["code"], said(theirs)), "{vendor}");
        assert!(ours["wrong"].is_null() && theirs["wrong"].is_null(), "{ours} {theirs}");
    }
}

#[test]
fn who_is_let_in_for_a_while_stays_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "standard", "", 2);
    let soon = Clock::start().now() + Duration::from_secs(9);
    let text = inventory(nas.port, "standard", "", 2);
    server.apply(&text.replacen("name = \"camera-0\"", &format!("name = \"camera-0\"\nexpires = \"{soon}\""), 1));
    log_in(&server, 0);
    log_in(&server, 1);
    let change = ended(&server, &session(&server, 0), Duration::from_secs(30));
    assert_eq!((&change["state"], &change["reason"]), (&"done".into(), &"identity_expired".into()), "{change:#}");
    assert_eq!(change["trigger"], "time");
    assert_eq!(nas.requests().len(), 1);
}

#[test]
fn a_nas_that_speaks_tls_alone_is_told_down_its_own_connection() {
    let nas = NasPki::new();
    let server = Server::start(&nas.sw1(""));
    for (id, version, manner, state) in [
        ("2A", &[][..], "ack", "done"),
        ("2B", &["--alpn", "radius/1.1"], "nak", "gone"),
        ("2C", &[], "close", "untold"),
    ] {
        let args = [version, &["stay", id, manner]].concat();
        let peer =
            nas.peer(server.radsec(), "sw1", &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let session = wait_for("the session", SOON, || {
            let all = server.get("/api/v1/sessions?live=true&nas=sw1");
            all["items"].as_array()?.iter().find(|session| session["acct_session_id"] == id).cloned()
        });
        server.command(&["session", "disconnect", session["id"].as_str().unwrap(), "--wait", "0"]);
        let said = text(&peer.wait_with_output().unwrap());
        assert!(said.contains(&format!("got Disconnect-Request {id}")), "{said}");
        let change = ended(&server, &session, SOON);
        assert_eq!(change["state"], state, "{change:#}\n{said}");
        if manner == "close" {
            // The connection went before the answer, and there is no other way.
            assert_eq!(change["attempts"][0]["result"], "untold", "{change:#}");
        }
    }
}

#[test]
fn a_switch_that_is_only_observed_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = serve(nas.port, "standard", "mode = \"observe\"", 1);
    log_in(&server, 0);
    session(&server, 0);
    server.in_force(|| server.succeed(&["identity", "status", "device", "camera-0", "suspended"]));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(nas.requests().len(), 0);
    assert_eq!(server.get("/api/v1/changes")["items"].as_array().unwrap().len(), 0);
}

/// Ten thousand sessions change their VLAN at once, and logins go on meanwhile as
/// they did.
#[test]
fn ten_thousand_sessions_change_without_starving_logins() {
    const SESSIONS: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &["--quiet"]);
    let server = serve(nas.port, "cisco-ios", "", SESSIONS + 1);
    let file = server.path("cordon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    server.in_force(|| {
        std::fs::write(
            &file,
            format!("{text}\n[changes]\nper_second = 1000\nin_flight_per_nas = 32\nhold_above = 100000\n"),
        )
        .unwrap();
        String::new()
    });
    log_in_all(&server, SESSIONS);
    let draft = server.path("draft.cedar");
    std::fs::write(&draft, rules("limited")).unwrap();
    server.succeed(&["policy", "activate", draft.to_str().unwrap()]);
    let started = Instant::now();
    nas.first(1, Duration::from_secs(30));
    let (mut slowest, mut logins) = (Duration::ZERO, 0);
    while nas.requests().len() < SESSIONS {
        assert!(started.elapsed() < Duration::from_secs(150), "{} of {SESSIONS}", nas.requests().len());
        let login = Instant::now();
        log_in(&server, SESSIONS);
        slowest = slowest.max(login.elapsed());
        logins += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    eprintln!("{SESSIONS} in {:?}; {logins} logins meanwhile, the slowest {slowest:?}", started.elapsed());
    // A switch asks again after a few seconds, and another server after that.
    assert!(slowest < Duration::from_secs(1), "a login took {slowest:?}");
    assert!(logins >= 5, "{logins}");
    let wave = wait_for("the wave's end", Duration::from_secs(60), || {
        let wave = server.get("/api/v1/waves?limit=1")["items"][0].clone();
        (wave["state"] == "over").then_some(wave)
    });
    assert_eq!(wave["over"]["done"], SESSIONS, "{wave:#}");
    let repeated = nas.requests().iter().filter(|r| r["repeated"] == true).count();
    assert!(repeated < SESSIONS / 20, "{repeated} were sent again");
}
