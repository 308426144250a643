//! RADIUS over TLS: radsecproxy in front, an independent peer for RADIUS/1.1 and for
//! requests down the NAS's own connection, openssl for what must be refused.

use crate::support::eapol::Eapol;
use crate::support::pki::pki;
use crate::support::radclient::radclient;
use crate::support::radsec::{NasPki, Proxy, SW1};
use crate::support::server::{Config, Server, TOKEN};
use crate::support::{camera, succeed, system, text, wait_for};
use cordon::access::{Answer, Engine, TlsArrival};
use cordon::api::console::Console;
use cordon::config::Source;
use cordon::config::build::build;
use cordon::config::stored::Stored;
use cordon::enforcement::ticket::Tickets;
use cordon::radius::attribute as attr;
use cordon::radius::builder::RequestBuilder;
use cordon::radius::packet::{Code, Packet};
use cordon::radius::radsec::Version;
use cordon::secret::Secret;
use cordon::server::Running;
use cordon::telemetry::{Discard, Metrics};
use cordon::transport::clock::Clock;
use cordon::transport::radsec::{Connections, Reply, ReverseError};
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CAMERA: &str = "02-00-5E-00-00-10";
const NEW: [&str; 2] = ["--alpn", "radius/1.1,radius/1.0"];

/// Deadlines short enough for tests.
const SHORT: &str = "io_timeout_secs = 1";

#[test]
fn radsecproxy_carries_logins_and_accounting() {
    let nas = NasPki::new();
    let server = Server::start(&nas.sw1(""));
    for tls in ["1.2", "1.3"] {
        let dir = tempfile::tempdir().unwrap();
        let proxy = Proxy::start(dir.path(), &server, &nas, "sw1", tls);
        let connection = server.connections("sw1").pop().unwrap();
        assert_eq!((&connection["tls"], &connection["version"]), (&tls.into(), &"1.0".into()), "{connection:#}");
        assert_eq!(connection["subject"], "CN=sw1.corp.example");
        assert_eq!(connection["ca"], "gear");

        for eap in ["1.2", "1.3"] {
            let login = Eapol { tls: eap, ..Eapol::new("p256") };
            login.run_at(proxy.address, dir.path()).assert_accepted(1);
            let decision = server.decision(&login.mac);
            assert_eq!((&decision["outcome"], &decision["nas"]["name"]), (&"accept".into(), &"sw1".into()));
        }
        Eapol::new("revoked").run_at(proxy.address, dir.path()).assert_refused();

        let session = format!("over-tls-{tls}");
        for status in ["Start", "Interim-Update", "Stop"] {
            let record = format!(
                "Acct-Status-Type={status}, Acct-Session-Id={session}, User-Name=camera, NAS-IP-Address=192.0.2.7, \
                 Calling-Station-Id={CAMERA}, Acct-Input-Octets=7, Acct-Session-Time=60"
            );
            let out = radclient(proxy.address, "acct", &record);
            assert!(out.contains("Received Accounting-Response"), "{out}\n{}", proxy.log());
        }
        let sessions = server.get("/api/v1/sessions");
        let stored = sessions["items"].as_array().unwrap().iter().find(|s| s["acct_session_id"] == session.as_str());
        let stored = stored.unwrap_or_else(|| panic!("no {session} in {sessions:#}"));
        assert_eq!((&stored["nas"]["name"], &stored["state"]), (&"sw1".into(), &"stopped".into()), "{stored:#}");
    }
    // Over UDP that NAS does not exist, and its connections have ended with the proxy.
    wait_for("the end of the connections", Duration::from_secs(5), || {
        server.connections("sw1").is_empty().then_some(())
    });
}

/// What a scenario of the independent peer printed; it must succeed.
#[track_caller]
fn scenario(nas: &NasPki, server: &Server, args: &[&str]) -> String {
    succeed(&mut nas.peer(server.radsec(), "sw1", args))
}

#[test]
fn an_independent_peer_speaks_radius_1_1() {
    let nas = NasPki::new();
    let server = Server::start(&nas.sw1(""));
    let new = |args: &[&str]| scenario(&nas, &server, &[&NEW, args].concat());
    let out = new(&["status"]);
    assert!(out.starts_with("agreed on RADIUS/1.1 TLSv1.3\nAccess-Accept\n"), "{out}");
    let out = new(&["login", CAMERA]);
    for line in [
        "password Access-Accept",
        "chap Access-Accept",
        "chap without challenge Access-Reject",
        "wrong password Access-Reject",
    ] {
        assert!(out.lines().any(|l| l == line), "no {line:?} in:\n{out}");
    }
    let out = new(&["accounting", "new-1"]);
    assert_eq!(out.lines().filter(|l| *l == "Accounting-Response").count(), 3, "{out}");
    assert!(new(&["duplicates", CAMERA]).contains("repeated Access-Accept other Access-Reject"));
    assert!(new(&["many", "1500"]).contains("answered 1500"), "more than there are identifiers");
    let out = new(&["refusals"]);
    for line in [
        "CoA-Request Protocol-Error 406",
        "Disconnect-Request Protocol-Error 406",
        "77 Protocol-Error 406",
        "broken EAP Protocol-Error 202",
        "unknown State Protocol-Error 503",
        "no session Protocol-Error 402",
        "then Access-Accept",
    ] {
        assert!(out.lines().any(|l| l == line), "no {line:?} in:\n{out}");
    }
    assert_eq!(server.discarded("radsec_unmatched"), 1);
    let files = ["p256.pem", "p256.key", "corp/ca.pem"].map(|name| pki().path(name).display().to_string());
    let login = ["eap-tls", &files[0], &files[1], &files[2]];
    let out = new(&login);
    assert!(out.contains("Access-Accept EAP code 3") && out.contains("the keys are the session's, in clear"), "{out}");
    assert_eq!(server.decision("02:00:5e:02:00:01")["nas"]["name"], "sw1");

    let old = |args: &[&str]| scenario(&nas, &server, args);
    assert!(old(&["status"]).starts_with("agreed on RADIUS/1.0 TLSv1.3\nAccess-Accept\n"));
    assert!(old(&["--tls", "1.2", "status"]).starts_with("agreed on RADIUS/1.0 TLSv1.2\nAccess-Accept\n"));
    // RADIUS/1.1 is not spoken over TLS 1.2, whatever is offered.
    let out = scenario(&nas, &server, &[&NEW[..], &["--tls", "1.2", "status"]].concat());
    assert!(out.starts_with("agreed on RADIUS/1.0 TLSv1.2\n"), "{out}");
    let out = old(&["login", CAMERA]);
    for line in ["no password Access-Accept", "without Message-Authenticator Access-Accept", "password Access-Accept"] {
        assert!(out.lines().any(|l| l == line), "no {line:?} in:\n{out}");
    }
    assert!(old(&["duplicates", CAMERA]).contains("repeated Access-Accept other Access-Reject"));
    assert!(old(&["refusals"]).contains("77 Protocol-Error 406"));
    assert!(old(&login).contains("Access-Accept EAP code 3"));
    assert!(old(&["wrong-authenticator"]).contains("closed"));
    assert_eq!(server.discarded("wrong_secret"), 1);
}

#[test]
fn radius_1_1_is_forbidden_or_required_where_it_is_told_so() {
    let nas = NasPki::new();
    nas.issue("sw2", &["--dns", "sw2.corp.example"]);
    nas.issue("sw3", &["--dns", "sw3.corp.example"]);
    let other = "[[nas]]\nname = \"sw2\"\nradsec = { san_dns = \"sw2.corp.example\", radius_1_1 = \"forbid\" }\n\
                 [[nas]]\nname = \"sw3\"\naddress = \"127.0.0.3\"\n\
                 radsec = { san_dns = \"sw3.corp.example\", radius_1_1 = \"forbid\" }";
    let server = Server::start(&nas.config("radius_1_1 = \"require\"", &format!("{SW1}\n{other}")));
    let run = |name: &str, args: &[&str]| {
        let out = nas.peer(server.radsec(), name, args).output().unwrap();
        (out.status.success(), text(&out))
    };
    assert!(run("sw1", &[&NEW[..], &["status"]].concat()).1.contains("agreed on RADIUS/1.1"));
    let (ok, out) = run("sw1", &["status"]);
    assert!(!ok, "{out}");
    let (ok, out) = run("sw1", &["--alpn", "radius/1.0", "status"]);
    assert!(!ok && out.contains("no application protocol"), "{out}");
    // The certificate comes after the version: sw2 is told too late that it speaks the
    // wrong one, but it is told.
    let (ok, out) = run("sw2", &[&NEW[..], &["status"]].concat());
    assert!(!ok, "{out}");
    assert!(run("sw2", &["status"]).0);
    // Who is known by its address is offered the right one.
    let (ok, out) = run("sw3", &[&NEW[..], &["--source", "127.0.0.3", "status"]].concat());
    assert!(ok && out.contains("agreed on RADIUS/1.0"), "{out}");
    assert_eq!(server.discarded("radsec_version"), 3);
    let log = server.log();
    assert!(log.contains("RADIUS/1.0 was agreed on") || log.contains("RADIUS/1.1 was agreed on"), "{log}");
}

/// A server within the test, which can be asked to send requests to a NAS.
struct Local {
    runtime: tokio::runtime::Runtime,
    running: Running,
    _dir: tempfile::TempDir,
}

impl Local {
    fn start(config: &Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("policy.cedar"), &config.policy).unwrap();
        std::fs::write(dir.path().join("cordon.toml"), config.text()).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let running =
            runtime.block_on(cordon::server::start(&dir.path().join("cordon.toml"), Console::default())).unwrap();
        Self { runtime, running, _dir: dir }
    }

    fn connections(&self) -> &Connections {
        &self.running.connections
    }

    /// Asks the NAS sw1 to end a session.
    fn ask(&self, code: Code, deadline: Duration) -> Result<Reply, ReverseError> {
        let attributes = [&[attr::ACCT_SESSION_ID, 6][..], b"4711", &[attr::EVENT_TIMESTAMP, 6, 0, 0, 0, 1]].concat();
        self.runtime.block_on(self.connections().request("sw1", code, &attributes, deadline))
    }
}

#[test]
fn requests_go_down_the_connection_that_the_nas_opened() {
    let nas = NasPki::new();
    let local = Local::start(&nas.sw1(""));
    let (second, address) = (Duration::from_secs(1), local.running.radsec[0]);
    assert_eq!(local.ask(Code::CoaRequest, second), Err(ReverseError::NotConnected));
    for version in [&NEW[..], &[]] {
        let peer = |manners: &[&str]| {
            let mut command = nas.peer(address, "sw1", &[version, &["nas"], manners].concat());
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            wait_for("the connection", Duration::from_secs(10), || {
                local.connections().is_connected("sw1").then_some(())
            });
            child
        };
        let ended = |child: std::process::Child| {
            let out = child.wait_with_output().unwrap();
            assert!(out.status.success(), "{}", text(&out));
            let gone = || (!local.connections().is_connected("sw1")).then_some(());
            wait_for("the end of the connection", Duration::from_secs(5), gone);
            text(&out)
        };
        let reply = |code, error_cause| Ok(Reply { code, error_cause });
        let child = peer(&["ack", "nak", "ack", "error", "silent"]);
        assert_eq!(local.ask(Code::CoaRequest, second), reply(Code::CoaAck, None));
        assert_eq!(local.ask(Code::CoaRequest, second), reply(Code::CoaNak, Some(503)));
        assert_eq!(local.ask(Code::DisconnectRequest, second), reply(Code::DisconnectAck, None));
        assert_eq!(local.ask(Code::CoaRequest, second), reply(Code::ProtocolError, Some(406)));
        assert_eq!(local.ask(Code::DisconnectRequest, second), Err(ReverseError::TimedOut));
        let out = ended(child);
        assert!(out.contains("got CoA-Request 4711") && out.contains("got Disconnect-Request 4711"), "{out}");
        assert!(out.contains("meanwhile Access-Accept") && out.contains("still open"), "{out}");

        let child = peer(&["kind"]);
        assert_eq!(local.ask(Code::CoaRequest, second), Err(ReverseError::BadReply));
        assert!(ended(child).ends_with("closed\n"), "a peer that is out of step is cut");
        let child = peer(&["close"]);
        assert_eq!(local.ask(Code::CoaRequest, second), Err(ReverseError::Closed));
        ended(child);
    }
    let mut child = nas.peer(address, "sw1", &["nas", "wrong"]).stdout(Stdio::null()).spawn().unwrap();
    wait_for("the connection", Duration::from_secs(10), || local.connections().is_connected("sw1").then_some(()));
    assert_eq!(local.ask(Code::CoaRequest, second), Err(ReverseError::BadReply), "a wrong authenticator");
    child.wait().unwrap();
    let Local { runtime, running, .. } = local;
    runtime.block_on(running.stop());
}

#[test]
fn who_is_not_let_in_is_told_by_an_alert() {
    let nas = NasPki::new();
    nas.issue("revoked", &["--dns", "sw1.corp.example"]);
    nas.revoke("revoked");
    let past = ["--not-before", "2020-01-01T00:00:00Z", "--not-after", "2021-01-01T00:00:00Z"];
    nas.issue("expired", &[&["--dns", "sw1.corp.example"], &past[..]].concat());
    nas.issue("nobody", &["--dns", "nobody.corp.example"]);
    nas.issue("named", &["--cn", "sw1.corp.example", "--dns", "other.corp.example"]);
    nas.issue("wild", &["--dns", "*.corp.example"]);
    nas.issue("two", &["--dns", "sw1.corp.example", "--dns", "sw2.corp.example"]);
    nas.issue("sw2", &["--dns", "sw2.corp.example"]);
    let far = "[[nas]]\nname = \"sw2\"\naddress = \"192.0.2.0/24\"\nradsec = { san_dns = \"sw2.corp.example\" }";
    let server = Server::start(&nas.config("", &format!("{SW1}\n{far}")));
    let stranger = ["pem", "key"].map(|kind| pki().path(&format!("p256.{kind}")).display().to_string());
    let stranger = ["-cert".to_owned(), stranger[0].clone(), "-key".to_owned(), stranger[1].clone()];

    // The alerts of RFC 8446, section 6.2, by their numbers.
    let cases: [(&[String], &str, &str); 9] = [
        (&[], "116", "radsec_no_certificate"),
        (&stranger, "48", "radsec_certificate"),
        (&nas.presented("revoked"), "44", "radsec_certificate"),
        (&nas.presented("expired"), "45", "radsec_certificate"),
        (&nas.presented("nobody"), "49", "radsec_unknown_nas"),
        (&nas.presented("named"), "49", "radsec_unknown_nas"),
        (&nas.presented("wild"), "49", "radsec_unknown_nas"),
        (&nas.presented("two"), "49", "radsec_ambiguous"),
        (&nas.presented("sw2"), "49", "radsec_source"),
    ];
    for (number, (presented, alert, reason)) in cases.into_iter().enumerate() {
        let before = server.discarded(reason);
        let presented: Vec<&str> = presented.iter().map(String::as_str).collect();
        let out = nas.openssl(server.radsec(), &presented, "");
        assert!(out.contains(&format!("SSL alert number {alert}")), "case {number}: no alert {alert} in:\n{out}");
        assert_eq!(server.discarded(reason), before + 1, "case {number}: {reason}\n{}", server.log());
    }
    let out = nas.openssl(server.radsec(), &["-tls1_2"], "");
    assert!(out.contains("SSL alert number 116"), "{out}");
    let sw1 = nas.presented("sw1");
    let sw1: Vec<&str> = sw1.iter().map(String::as_str).collect();
    let out = nas.openssl(server.radsec(), &[&sw1[..], &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]].concat(), "");
    // Its hello lacks what TLS 1.2 demands, which is told before its version.
    assert!(out.contains("SSL alert number 40") || out.contains("SSL alert number 70"), "{out}");
    let out = nas.openssl(server.radsec(), &[&sw1[..], &["-alpn", "http/1.1"]].concat(), "");
    assert!(out.contains("SSL alert number 120"), "no no_application_protocol in:\n{out}");
    assert!(server.discarded("radsec_version") == 1 && server.discarded("radsec_handshake") >= 1);
    let log = server.log();
    for part in ["was revoked at", "CN=sw2.corp.example; names: sw2.corp.example", "nas=\"sw2\""] {
        assert!(log.contains(part), "no {part:?} in:\n{log}");
    }
    // Early data and resumption are not offered.
    let out = nas.openssl(server.radsec(), &[&sw1[..], &["-alpn", "radius/1.1"]].concat(), "");
    assert!(out.contains("ALPN protocol: radius/1.1") && !out.contains("New Session Ticket"), "{out}");
}

#[test]
fn what_is_no_radius_ends_the_connection_at_once_and_half_of_it_at_the_deadline() {
    let nas = NasPki::new();
    let server = Server::start(&nas.sw1(SHORT));
    let sw1 = nas.presented("sw1");
    let sw1: Vec<&str> = sw1.iter().map(String::as_str).collect();
    let began = Instant::now();
    let out = nas.openssl(server.radsec(), &[&sw1[..], &["-quiet", "-ign_eof"]].concat(), "GET / HTTP/1.1\\r\\n\\r\\n");
    // Its input lasts a second, and its connection no longer.
    assert!(began.elapsed() < Duration::from_secs(5), "{out}");
    assert_eq!(server.discarded("radsec_malformed"), 1);
    // Attributes that do not fill the packet.
    let broken = "\\001\\001\\000\\027AAAAAAAAAAAAAAAA\\001\\011x";
    nas.openssl(server.radsec(), &[&sw1[..], &["-quiet", "-ign_eof"]].concat(), broken);
    assert_eq!(server.discarded("radsec_malformed"), 2);

    for scene in ["half", "trickle"] {
        let out = scenario(&nas, &server, &[scene]);
        let secs: f64 = out.split("closed after ").nth(1).and_then(|s| s.split(' ').next()).unwrap().parse().unwrap();
        assert!((0.8..3.0).contains(&secs), "{scene}: {out}");
    }
    assert_eq!(server.discarded("radsec_deadline"), 2);
    assert!(scenario(&nas, &server, &["deaf"]).contains("closed"));
    assert_eq!(server.discarded("radsec_deadline"), 3, "{}", server.log());

    // No TLS at all, and none ever.
    let mut plain = TcpStream::connect(server.radsec()).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut silent = TcpStream::connect(server.radsec()).unwrap();
    for socket in [&mut plain, &mut silent] {
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut rest = Vec::new();
        let ended = socket.read_to_end(&mut rest);
        let reset = |e: &std::io::Error| e.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(ended.is_ok() || ended.as_ref().is_err_and(reset), "{ended:?}");
    }
    wait_for("the deadline", Duration::from_secs(5), || (server.discarded("radsec_deadline") == 4).then_some(()));
    let (_, metrics) = server.get_raw("/metrics", Some(TOKEN));
    for line in [
        r#"cordon_radsec_connections_ended_total{ending="radsec_malformed"} 2"#,
        r#"cordon_radsec_connections_ended_total{ending="radsec_deadline"} 4"#,
        r#"cordon_radsec_connections{state="handshake"} 0"#,
    ] {
        assert!(metrics.contains(line), "no {line} in:\n{metrics}");
    }
}

#[test]
fn a_silent_connection_ends_and_a_dead_peer_is_looked_for() {
    let nas = NasPki::new();
    let server = Server::start(&nas.sw1("idle_timeout_secs = 2"));
    let began = Instant::now();
    assert!(scenario(&nas, &server, &["hold", "10"]).contains("closed"));
    assert!(began.elapsed() > Duration::from_millis(1800), "{:?}", began.elapsed());
    let (_, metrics) = server.get_raw("/metrics", Some(TOKEN));
    assert!(metrics.contains(r#"cordon_radsec_connections_ended_total{ending="idle"} 1"#), "{metrics}");
    // The kernel asks the other end of a quiet connection whether it is there.
    let _held = TcpStream::connect(server.radsec()).unwrap();
    let port = format!("sport = :{}", server.radsec().port());
    let timers = wait_for("the connection", Duration::from_secs(2), || {
        let out = succeed(Command::new("ss").args(["-tnoH", "state", "established", &port]));
        out.contains("timer:").then_some(out)
    });
    assert!(timers.contains("timer:(keepalive,"), "{timers}");
}

/// A peer that holds a connection, and says when it ends.
#[track_caller]
fn held(nas: &NasPki, server: &Server, name: &str, of: &str) -> std::process::Child {
    let before = server.connections(of).len();
    let child = nas.peer(server.radsec(), name, &["hold", "45"]).stdout(Stdio::piped()).spawn().unwrap();
    wait_for("the connection", Duration::from_secs(10), || (server.connections(of).len() > before).then_some(()));
    child
}

#[track_caller]
fn cut(child: std::process::Child, what: &str) {
    let out = child.wait_with_output().unwrap();
    assert!(text(&out).ends_with("closed\n"), "{what}: {}", text(&out));
}

#[test]
fn a_connection_does_not_outlive_its_right() {
    let nas = NasPki::new();
    nas.issue("again", &["--dns", "sw1.corp.example"]);
    let server = Server::start(&nas.sw1(""));
    let soon = Clock::start().now() + Duration::from_secs(12);
    nas.issue("short", &["--dns", "sw1.corp.example", "--not-after", &soon.to_string()]);

    let expiring = held(&nas, &server, "short", "sw1");
    let (revoked, stays) = (held(&nas, &server, "sw1", "sw1"), held(&nas, &server, "again", "sw1"));
    let began = Instant::now();
    nas.revoke("sw1");
    cut(revoked, "a revoked certificate");
    assert!(began.elapsed() < Duration::from_secs(4), "cut after {:?}", began.elapsed());
    cut(expiring, "a certificate that expires");
    assert_eq!(server.discarded("radsec_certificate"), 2, "{}", server.log());
    assert_eq!(server.connections("sw1").len(), 1, "the other certificate is good");

    // The NAS is another's, then it may connect from elsewhere only, then it is gone.
    let file = server.path("cordon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let change = |from: &str, to: &str| {
        server.in_force(|| {
            std::fs::write(&file, text.replace(from, to)).unwrap();
            String::new()
        });
    };
    change("name = \"sw1\"", "name = \"sw9\"");
    cut(stays, "a certificate that is another NAS's");
    let moved = held(&nas, &server, "again", "sw9");
    change("name = \"sw1\"", "name = \"sw9\"\naddress = \"192.0.2.1\"");
    cut(moved, "a NAS that is elsewhere");
    assert_eq!(server.discarded("radsec_source"), 1, "{}", server.log());
    change("nothing at all", "");
    let gone = held(&nas, &server, "again", "sw1");
    change(SW1, "");
    cut(gone, "a NAS that is gone");
    assert_eq!(server.discarded("radsec_unknown_nas"), 2, "{}", server.log());
}

#[test]
fn applied_gear_connects_and_is_withdrawn() {
    let nas = NasPki::new();
    nas.issue("sw7", &["--dns", "sw7.corp.example"]);
    let server = Server::start(&nas.sw1(""));
    let out = server.apply("[[nas]]\nname = \"sw7\"\nradsec = { san_dns = \"sw7.corp.example\" }\n");
    assert!(out.contains("sw7"), "{out}");
    let connection = held(&nas, &server, "sw7", "sw7");
    let listed = server.succeed(&["nas", "list"]);
    assert!(listed.contains("sw7  certificate with SAN DNS sw7.corp.example"), "{listed}");
    let file = server.path("applied.toml");
    std::fs::write(&file, "").unwrap();
    let path = file.to_str().unwrap().to_owned();
    server.in_force(|| server.succeed(&["apply", "-f", &path, "--prune"]));
    cut(connection, "a NAS that was withdrawn");
}

/// The engine alone, with the NASes sw1 and sw2.
fn engine(nas: &NasPki) -> Engine {
    let other = "[[nas]]\nname = \"sw2\"\nradsec = { san_dns = \"sw2.corp.example\" }";
    let config = nas.config("", &format!("{SW1}\n{other}"));
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("policy.cedar"), &config.policy).unwrap();
    let source = Source { file: dir.path().join("cordon.toml"), text: config.text() };
    let parsed = cordon::config::Config::parse(&source).unwrap();
    let built = build(&parsed, &source, &Stored::default(), None, Clock::start().now()).unwrap();
    Engine::new(
        built.snapshot,
        Arc::new(Metrics::new()),
        Duration::from_secs(60),
        Duration::ZERO,
        Tickets::new(&[7; 32]),
    )
}

fn arrival(connection: u64, nas: &str, version: Version) -> TlsArrival<'_> {
    TlsArrival { connection, source: "192.0.2.7:2000".parse().unwrap(), nas, version }
}

/// A packet of RADIUS/1.1.
fn token(code: u8, token: u8, attributes: &[u8]) -> Vec<u8> {
    let length = (20 + attributes.len() as u16).to_be_bytes();
    [&[code, 0][..], &length, &[0, 0, 0, token], &[0; 12], attributes].concat()
}

#[test]
fn radius_1_1_is_told_what_radius_1_0_is_not() {
    let (pki, now) = (NasPki::new(), Clock::start().now());
    let engine = engine(&pki);
    let record = [&[40, 6, 0, 0, 0, 1, 44, 3, b'x'][..], b"\x1f\x1302-00-5E-00-00-10"].concat();
    let told = |reply: Option<Arc<[u8]>>| {
        reply.map(|reply| {
            let reply = Packet::parse(&reply).unwrap();
            (reply.code(), reply.authenticator()[3], reply.integer(attr::ERROR_CAUSE))
        })
    };
    // A record that cannot be stored.
    let mut refused = Vec::new();
    for version in [Version::V1_1, Version::V1_0] {
        let packet = match version {
            Version::V1_1 => token(4, 9, &record),
            Version::V1_0 => radsec_request(Code::AccountingRequest, &record),
        };
        let answer = engine.handle_tls(Packet::parse(&packet).unwrap(), arrival(1, "sw1", version), now).unwrap();
        let Answer::AfterRecord { token, .. } = answer else { panic!("{answer:?}") };
        refused.push(told(engine.abandoned(&token, Discard::BackendUnavailable, now)));
        // It was forgotten, so that it can be tried again.
        let again = engine.handle_tls(Packet::parse(&packet).unwrap(), arrival(1, "sw1", version), now).unwrap();
        assert!(matches!(again, Answer::AfterRecord { .. }), "{again:?}");
        let meanwhile = engine.handle_tls(Packet::parse(&packet).unwrap(), arrival(1, "sw1", version), now).unwrap();
        assert!(matches!(meanwhile, Answer::Silent), "it is being worked on: {meanwhile:?}");
    }
    assert_eq!(refused, [Some((Code::ProtocolError, 9, Some(506))), None]);
    // A server that cannot serve.
    engine.set_serving(false);
    let status = token(12, 7, &[]);
    let answer = engine.handle_tls(Packet::parse(&status).unwrap(), arrival(1, "sw1", Version::V1_1), now).unwrap();
    let Answer::Now(reply) = answer else { panic!("{answer:?}") };
    assert_eq!(told(Some(reply)), Some((Code::ProtocolError, 7, Some(506))));
    let gone = engine.handle_tls(Packet::parse(&status).unwrap(), arrival(1, "sw9", Version::V1_1), now);
    assert_eq!(gone.unwrap_err(), Discard::RadsecUnknownNas);
}

/// A request of RADIUS/1.0 within TLS.
fn radsec_request(code: Code, attributes: &[u8]) -> Vec<u8> {
    let mut request = RequestBuilder::new(code, 9, [9; 16]);
    request.push_raw(attributes);
    request.finish(&Secret::new("radsec")).unwrap()
}

#[test]
fn a_login_goes_on_by_whichever_connection_of_its_nas_and_by_no_others() {
    let (pki, now) = (NasPki::new(), Clock::start().now());
    let engine = engine(&pki);
    let identity = [&[79, 8, 2, 0, 0, 6, 1, b'x'][..]].concat();
    let packet = token(1, 1, &identity);
    let serve = |packet: &[u8], connection, nas| {
        let arrival = arrival(connection, nas, Version::V1_1);
        match engine.handle_tls(Packet::parse(packet).unwrap(), arrival, now).unwrap() {
            Answer::Now(reply) => reply.to_vec(),
            other => panic!("{other:?}"),
        }
    };
    let first = serve(&packet, 1, "sw1");
    assert_eq!(serve(&packet, 1, "sw1"), first, "a repeated request gets the same reply");
    assert_ne!(serve(&packet, 2, "sw1"), first, "on another connection it is another request");
    let reply = Packet::parse(&first).unwrap();
    let state = [&[24, 18][..], reply.find(attr::STATE).unwrap()].concat();
    // A Nak that asks for another method.
    let next = [&state[..], &[79, 8, 2, reply.eap_message().unwrap()[1], 0, 6, 3, 26]].concat();
    let stolen = serve(&token(1, 2, &next), 3, "sw2");
    let stolen = Packet::parse(&stolen).unwrap();
    assert_eq!((stolen.code(), stolen.integer(attr::ERROR_CAUSE)), (Code::ProtocolError, Some(503)));
    let arrival = arrival(4, "sw1", Version::V1_1);
    let answer = engine.handle_tls(Packet::parse(&token(1, 2, &next)).unwrap(), arrival, now).unwrap();
    assert!(matches!(answer, Answer::AfterRecord { .. }), "it is decided on: {answer:?}");
}

#[test]
fn half_open_connections_stop_nobody() {
    let nas = NasPki::new();
    let lines = "max_connections = 200\nmax_connections_per_address = 1000\nio_timeout_secs = 60";
    let server = Server::start(&nas.sw1(lines));
    let connection = held(&nas, &server, "sw1", "sw1");
    let mut open = Vec::new();
    for number in 0..3000 {
        let mut socket = TcpStream::connect(server.radsec()).unwrap();
        if number % 3 == 0 {
            // The beginning of a hello, and no more.
            let _ = socket.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
        }
        open.push(socket);
        // What this process may have open is bounded as well.
        if open.len() > 700 {
            open.remove(0);
        }
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server.auth).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let began = Instant::now();
    for identifier in 0..50 {
        socket.send(&camera().mab(identifier).unwrap()).unwrap();
        let mut reply = [0; 4096];
        socket.recv(&mut reply).unwrap();
        assert_eq!(reply[0], 2);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "50 logins took {:?}", began.elapsed());
    Eapol::new("p256").run(&server).assert_accepted(1);
    // The NAS that was connected stays, and others get in.
    assert_eq!(server.connections("sw1").len(), 1);
    assert!(scenario(&nas, &server, &["status"]).contains("Access-Accept"));
    // Those that this process closed before the server had looked at them ended by themselves.
    let turned_away = || server.discarded("radsec_limit") + server.discarded("radsec_handshake");
    wait_for("all but the newest to be gone", Duration::from_secs(10), || (turned_away() > 2_000).then_some(()));
    assert!(server.discarded("radsec_limit") > 0);
    let (_, metrics) = server.get_raw("/metrics", Some(TOKEN));
    let shaking = metrics.lines().find_map(|l| l.strip_prefix(r#"cordon_radsec_connections{state="handshake"} "#));
    assert!(shaking.unwrap().parse::<u32>().unwrap() <= 100, "{metrics}");
    drop(open);
    server.signal("TERM");
    cut(connection, "the server's end");
}

#[test]
fn connections_from_one_address_are_bounded() {
    let nas = NasPki::new();
    let server = Server::start(&nas.sw1("max_connections_per_address = 3"));
    let open: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(server.radsec()).unwrap()).collect();
    let fourth = nas.peer(server.radsec(), "sw1", &["status"]).output().unwrap();
    assert!(!fourth.status.success(), "{}", text(&fourth));
    assert!(server.discarded("radsec_limit") >= 1);
    drop(open);
    wait_for("room", Duration::from_secs(5), || {
        nas.peer(server.radsec(), "sw1", &["status"]).output().unwrap().status.success().then_some(())
    });
}

#[test]
fn over_udp_a_nas_that_speaks_tls_alone_is_nobody() {
    let nas = NasPki::new();
    let only = "[[nas]]\nname = \"sw1\"\naddress = \"127.0.0.1\"\nradsec = { san_dns = \"sw1.corp.example\" }";
    let server = Server::start(&nas.config("", only));
    // The wider NAS of the common configuration is who asks from there by UDP.
    let out = radclient(server.auth, "status", "Message-Authenticator=0x00");
    assert!(out.contains("Received Access-Accept"), "{out}");
    scenario(&nas, &server, &["login", CAMERA]);
    let page = server.get("/api/v1/nas");
    let sw1 = page["items"].as_array().unwrap().iter().find(|item| item["name"] == "sw1").unwrap().clone();
    assert_eq!((&sw1["udp"], &sw1["requests"]), (&false.into(), &3.into()), "{sw1:#}");
}

#[test]
fn what_is_sent_over_tls_is_sound_to_a_dissector() {
    let nas = NasPki::new();
    let server = Server::start(&nas.sw1(""));
    let dir = tempfile::tempdir().unwrap();
    let (dump, capture) = (dir.path().join("dump"), dir.path().join("dump.pcap"));
    let files = ["p256.pem", "p256.key", "corp/ca.pem"].map(|name| pki().path(name).display().to_string());
    for scene in [&["login", CAMERA][..], &["accounting", "seen"], &["eap-tls", &files[0], &files[1], &files[2]]] {
        succeed(nas.peer(server.radsec(), "sw1", scene).env("DUMP", &dump));
    }
    // RADIUS/1.0 within TLS has the form that it has over UDP.
    let mut command = system("text2pcap", Duration::from_secs(20));
    succeed(command.args(["-q", "-4", "127.0.0.1,127.0.0.1", "-u", "1812,50000"]).arg(&dump).arg(&capture));
    let mut command = system("tshark", Duration::from_secs(60));
    let seen = succeed(command.arg("-V").arg("-r").arg(&capture));
    for part in ["Access-Accept (2)", "Accounting-Response (5)", "Access-Challenge (11)"] {
        assert!(seen.contains(part), "no {part:?} in:\n{seen}");
    }
    assert!(!seen.contains("Malformed") && !seen.contains("Unknown-Attribute"), "{seen}");
}
