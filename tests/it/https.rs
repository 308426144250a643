//! The API over TLS, to curl and openssl.

use crate::support::server::{Server, TOKEN};
use crate::support::{cordon, succeed, system, text, wait_for};
use cordon::config::authority::AuthorityDir;
use cordon::time::Timestamp;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A pair for the API below `ca`, made by `cordon ca`.
fn issue(ca: &Path, out: &Path) {
    let names = ["--server", "--dns", "localhost", "--ip", "127.0.0.1", "--force"];
    succeed(cordon().args(["ca", "issue"]).args(names).arg("--dir").arg(ca).arg("--out").arg(out));
}

fn server() -> Server {
    let files = tempfile::tempdir().unwrap().keep();
    succeed(cordon().args(["ca", "init", "--dir"]).arg(files.join("ca")));
    issue(&files.join("ca"), &files.join("api"));
    Server::bare_over(&format!("certificate = {:?}\nkey = {:?}\n", files.join("api.pem"), files.join("api.key")))
}

/// The directory of the API's certificate, as its configuration says it.
fn files(server: &Server) -> std::path::PathBuf {
    let config = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    let line = config.lines().find(|line| line.contains("api.pem")).unwrap();
    Path::new(line.split('"').nth(1).unwrap()).parent().unwrap().to_owned()
}

fn curl(server: &Server, args: &[&str]) -> std::process::Output {
    let mut command = system("curl", Duration::from_secs(20));
    command.args(["--silent", "--show-error", "--header", &format!("Authorization: Bearer {TOKEN}")]).args(args);
    command.arg(format!("https://localhost:{}/api/v1/me", server.http.port())).output().unwrap()
}

#[test]
fn curl_and_openssl_reach_the_api_over_tls_and_nothing_older_does() {
    let server = server();
    let files = files(&server);
    let ca = files.join("ca/ca.pem");
    let ca = ca.to_str().unwrap();
    let ok = curl(&server, &["--cacert", ca]);
    assert!(text(&ok).contains("\"root_token\""), "{}", text(&ok));
    assert!(!curl(&server, &[]).status.success(), "nobody vouches for it");
    for (version, works) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let connect = format!("localhost:{}", server.http.port());
        let mut command = system("openssl", Duration::from_secs(10));
        command.args(["s_client", version, "-connect", &connect, "-CAfile", ca, "-verify_return_error", "-brief"]);
        let output =
            command.args(["-verify_hostname", "localhost"]).stdin(std::process::Stdio::null()).output().unwrap();
        assert_eq!(output.status.success(), works, "{version}: {}", text(&output));
    }
    // Another certificate is in use without a restart.
    let serial = || {
        let connect = format!("localhost:{}", server.http.port());
        let script =
            format!("openssl s_client -connect {connect} </dev/null 2>/dev/null | openssl x509 -noout -serial");
        succeed(Command::new("sh").args(["-c", &script]))
    };
    let before = serial();
    issue(&files.join("ca"), &files.join("api"));
    wait_for("the new certificate", Duration::from_secs(5), || (serial() != before).then_some(()));
}

#[test]
fn what_the_own_ca_issued_to_the_server_is_renewed_before_it_ends() {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let days = |n: i64| Timestamp::from_unix_secs(since.as_secs() as i64 + n * 86_400);
    let files = tempfile::tempdir().unwrap().keep();
    succeed(cordon().args(["ca", "init", "--dir"]).arg(files.join("ca")));
    let names = ["--server", "--dns", "localhost", "--ip", "127.0.0.1"];
    let (begin, end) = (days(-60).to_string(), days(10).to_string());
    let times = ["--not-before", &begin, "--not-after", &end];
    succeed(
        cordon()
            .args(["ca", "issue"])
            .args(names)
            .args(times)
            .arg("--dir")
            .arg(files.join("ca"))
            .arg("--out")
            .arg(files.join("api")),
    );
    let (key, old) = (std::fs::read(files.join("api.key")).unwrap(), std::fs::read(files.join("api.pem")).unwrap());
    // A list that was signed three weeks ago is good for nine days more.
    AuthorityDir::at(&files.join("ca")).crls(days(-21)).unwrap();
    let list = std::fs::read(files.join("ca/ca.crl")).unwrap();
    let [certificate, key_file, ca] = ["api.pem", "api.key", "ca"].map(|name| files.join(name));
    let server = Server::bare_over_with(
        &format!("certificate = {certificate:?}\nkey = {key_file:?}\n"),
        &format!("[pki]\ndir = {ca:?}\n"),
    );
    let connect = format!("localhost:{}", server.http.port());
    let ends = || {
        let script = format!(
            "openssl s_client -connect {connect} </dev/null 2>/dev/null | openssl x509 -noout -checkend 1814400"
        );
        Command::new("sh").args(["-c", &script]).output().unwrap().status.success()
    };
    // It lives as long again as it did: seventy days.
    wait_for("the renewed certificate", Duration::from_secs(10), || ends().then_some(()));
    assert!(curl(&server, &["--cacert", files.join("ca/ca.pem").to_str().unwrap()]).status.success());
    assert_eq!(std::fs::read(files.join("api.key")).unwrap(), key, "its key is the same");
    assert_ne!(std::fs::read(files.join("api.pem")).unwrap(), old);
    assert_ne!(std::fs::read(files.join("ca/ca.crl")).unwrap(), list);
    let token = format!("Authorization: Bearer {TOKEN}");
    let mut asked = system("curl", Duration::from_secs(20));
    asked.args(["--silent", "--insecure", "--header", &token]).arg(format!("https://{connect}/api/v1/audit?limit=50"));
    let told = succeed(&mut asked);
    assert!(told.contains("certificate.renew") && told.contains("crl.renew"), "{told}");
}

#[test]
fn the_command_line_reaches_a_server_elsewhere() {
    let server = server();
    let files = files(&server);
    let token = files.join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let ask = |args: &[&str]| {
        let mut command = cordon();
        command.env("CORDON_SERVER", format!("https://localhost:{}", server.http.port()));
        command.env("CORDON_TOKEN_FILE", &token).env("CORDON_CA", files.join("ca/ca.pem"));
        command.arg("ask").args(args).output().unwrap()
    };
    let document = files.join("site.toml");
    std::fs::write(&document, "[[site]]\nname = \"lab\"\n").unwrap();
    let applied = ask(&["post", "apply", "--data", &format!("@{}", document.display())]);
    assert!(applied.status.success(), "{}", text(&applied));
    let made = ask(&[
        "PUT",
        "nas/sw1",
        "--data",
        r#"{"address": "192.0.2.1", "secret": "a-long-enough-secret", "site": "lab"}"#,
    ]);
    assert!(made.status.success(), "{}", text(&made));
    let shown = ask(&["get", "nas"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&shown["items"][0]["name"], &shown["items"][0]["site"]), (&"sw1".into(), &"lab".into()));
    let stale = ask(&["delete", "nas/sw1", "--header", "If-Match: \"other\""]);
    assert!(!stale.status.success() && text(&stale).contains("412"), "{}", text(&stale));
    let wrong = ask(&["put", "nas/sw2", "--data", r#"{"address": "nowhere", "secret": "a-long-enough-secret"}"#]);
    assert!(text(&wrong).contains("nowhere") && text(&wrong).contains("->"), "{}", text(&wrong));
    // Without a CA that vouches for it, nothing is said to it.
    let mut alone = cordon();
    let url = format!("https://localhost:{}", server.http.port());
    alone.args(["ask", "get", "me", "--server", &url, "--token-file"]).arg(&token);
    let alone = alone.output().unwrap();
    assert!(!alone.status.success() && text(&alone).contains("--ca"), "{}", text(&alone));
}

#[test]
fn who_is_slow_keeps_no_place() {
    let server = server();
    let began = Instant::now();
    let plain = Server::bare();
    // Says nothing: where a handshake should begin, and where a request should.
    for port in [server.http.port(), plain.http.port()] {
        let mut silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        silent.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let mut nothing = [0; 1];
        assert!(matches!(silent.read(&mut nothing), Ok(0)), "it was not closed");
    }
    assert!(began.elapsed() < Duration::from_secs(24), "{:?}", began.elapsed());
    // Nothing but HTTP/1.1 is spoken, whose heads have a deadline.
    let mut other = TcpStream::connect(plain.http).unwrap();
    other.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    other.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let mut answer = Vec::new();
    let _ = other.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    // In the middle of a head.
    let began = Instant::now();
    let mut slow = TcpStream::connect(plain.http).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer);
    assert!(began.elapsed() < Duration::from_secs(18), "{:?}", began.elapsed());
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
}

#[test]
fn without_a_certificate_it_is_for_this_host_alone() {
    let dir = tempfile::tempdir().unwrap();
    succeed(cordon().arg("init").arg(dir.path()));
    let file = dir.path().join("cordon.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let open = config.replace("127.0.0.1:8443", "0.0.0.0:8443");
    let plain = open.replace("certificate = \"api.pem\"\nkey = \"api.key\"\n", "");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let output = cordon().args(["check", "--config"]).arg(&file).output().unwrap();
        (output.status.success(), crate::support::text(&output))
    };
    assert!(check(&open).0, "{}", check(&open).1);
    let (sound, said) = check(&plain);
    assert!(!sound && said.contains("plain HTTP") && said.contains("cordon ca issue --server"), "{said}");
    let (sound, said) = check(&config.replace("key = \"api.key\"\n", ""));
    assert!(!sound && said.contains("give both, or neither"), "{said}");
}
