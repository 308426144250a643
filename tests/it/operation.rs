//! How a server is run: as a service, in a container, and how it stops.

use crate::support::eapol::Eapol;
use crate::support::radclient::radclient;
use crate::support::server::{Config, Server, TOKEN};
use crate::support::{cordon, succeed, system, wait_for};
use serde_json::{Value, json};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn packaged(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)).unwrap()
}

#[test]
fn the_unit_is_sound_and_leaves_little_open() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("cordon.service");
    let binary = cordon().get_program().to_str().unwrap().to_owned();
    // Where nothing is installed there is neither the program nor its user.
    let text = packaged("systemd/cordon.service").replace("/usr/bin/cordon", &binary);
    let text = text.replace("User=cordon\n", "User=nobody\n").replace("Group=cordon\n", "Group=nogroup\n");
    std::fs::write(&unit, text).unwrap();
    succeed(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    // In tenths: 0 is best, 100 is worst.
    let said =
        succeed(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(&unit));
    assert!(said.contains("Overall exposure level"), "{said}");
}

#[test]
fn the_agents_unit_is_one_that_systemd_takes_and_is_fenced() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("cordon-agent.service");
    let text =
        packaged("systemd/cordon-agent.service").replace("/usr/bin/cordon-agent", env!("CARGO_BIN_EXE_cordon-agent"));
    std::fs::write(&unit, text).unwrap();
    succeed(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    // It stays root, which a server need not.
    let said =
        succeed(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=35"]).arg(&unit));
    assert!(said.contains("Overall exposure level"), "{said}");
}

#[test]
fn the_container_is_built_as_everything_else_is() {
    let recipe = packaged("container/Containerfile");
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(recipe.contains(&format!("rust:{rust}-")), "the recipe's Rust is not {rust}");
    assert!(recipe.contains("--locked") && recipe.contains("USER cordon"));
    // What becomes of an empty volume.
    let line = recipe.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let entry: Vec<String> = serde_json::from_str(line).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let bin = Path::new(cordon().get_program()).parent().unwrap().to_owned();
    let script = entry[2].replace("exec cordon serve", "exec cordon check");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(&entry[0]);
    let said = succeed(command.args(["-c", &script]).current_dir(dir.path()).env("PATH", path));
    assert!(said.contains("good."), "{said}");
}

/// Passes datagrams on between one client and a server, each this much later.
fn slow_path(server: SocketAddr, delay: Duration) -> SocketAddr {
    let (front, back) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = front.local_addr().unwrap();
    back.connect(server).unwrap();
    let client = Arc::new(Mutex::new(None));
    for socket in [&front, &back] {
        socket.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    }
    let (to, asks) = (client.clone(), (front.try_clone().unwrap(), back.try_clone().unwrap()));
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = asks.0.recv_from(&mut buffer) {
            *to.lock().unwrap() = Some(from);
            std::thread::sleep(delay);
            let _ = asks.1.send(&buffer[..length]);
        }
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = back.recv(&mut buffer) {
            std::thread::sleep(delay);
            let _ = front.send_to(&buffer[..length], client.lock().unwrap().unwrap());
        }
    });
    address
}

#[test]
fn logins_that_have_begun_end_well_before_the_server_does() {
    const LOGINS: usize = 8;
    let config = Config { server: "reject_delay_ms = 500\ndrain_secs = 15".into(), ..Config::default() };
    let mut server = Server::start(&config);
    std::thread::scope(|scope| {
        let server = &server;
        let login = |client: &'static str| {
            let path = slow_path(server.auth, Duration::from_millis(500));
            scope.spawn(move || Eapol::new(client).run_at(path, &server.path(".")))
        };
        let good: Vec<_> = (0..LOGINS).map(|_| login("p256")).collect();
        let refused = login("unbound");
        wait_for("the logins to have begun", Duration::from_secs(10), || {
            let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
            metrics.contains(&format!("\ncordon_conversations {}\n", LOGINS + 1)).then_some(())
        });
        server.signal("TERM");
        wait_for("it to say so", Duration::from_secs(2), || {
            let (status, said) = server.get_raw("/readyz", None);
            (status == 503 && said.contains("stopping")).then_some(())
        });
        assert!(radclient(server.auth, "status", "Message-Authenticator=0x00").contains("No reply"));
        let mut late = Eapol::new("p256");
        late.args.extend(["-t".into(), "1".into()]);
        assert!(!late.run(server).accepted, "it takes up no more");
        assert_eq!((server.discarded("not_ready") > 0, server.discarded("stopping")), (true, 1));
        for login in good {
            login.join().unwrap().assert_accepted(1);
        }
        refused.join().unwrap().assert_refused();
    });
    assert!(server.end(Duration::from_secs(10)).success(), "{}", server.log());
    let server = Server::resumed(&server.path("."));
    let count = |outcome: &str| {
        let page = server.get(&format!("/api/v1/decisions?outcome={outcome}"));
        page["items"].as_array().unwrap().len()
    };
    assert_eq!((count("accept"), count("reject")), (LOGINS, 1));
}

#[test]
fn a_login_that_hangs_does_not_keep_the_server_from_its_end() {
    let mut server = Server::start(&Config { server: "drain_secs = 1".into(), ..Config::default() });
    // So slow that it is not over by then.
    let path = slow_path(server.auth, Duration::from_millis(1_200));
    std::thread::scope(|scope| {
        let login = scope.spawn(|| {
            let mut slow = Eapol::new("p256");
            slow.args.extend(["-t".into(), "6".into()]);
            slow.run_at(path, &server.path("."))
        });
        wait_for("it to begin", Duration::from_secs(10), || {
            server.get_raw("/metrics", Some(TOKEN)).1.contains("\ncordon_conversations 1\n").then_some(())
        });
        server.signal("TERM");
        assert!(!login.join().unwrap().accepted);
    });
    assert!(server.end(Duration::from_secs(5)).success());
    assert!(server.log().contains("logins were not over in time"), "{}", server.log());
}

#[test]
fn what_was_asked_before_it_stops_is_answered_and_who_watches_is_let_go() {
    let mut server = Server::bare();
    // More than sockets hold.
    let purpose = "a purpose of some length ".repeat(20);
    for part in 0..4 {
        let names = (0..5_000).map(|n| format!("user-{part}-{n:05}"));
        let identities: Vec<Value> =
            names.map(|name| json!({ "kind": "user", "name": name, "purpose": purpose })).collect();
        let (status, done) = server.send("POST", "/api/v1/identities/bulk", &json!({ "identities": identities }));
        assert_eq!(status, 200, "{done:#}");
    }
    let curl = |args: &[&str], path: &str| {
        let mut curl = system("curl", Duration::from_secs(30));
        curl.args(["--silent", "--fail", "--header", &format!("Authorization: Bearer {TOKEN}")]).args(args);
        curl.arg(format!("http://{}{path}", server.http)).stdout(Stdio::piped()).spawn().unwrap()
    };
    let watcher = curl(&["--no-buffer"], "/api/v1/events");
    let slow = curl(&["--limit-rate", "4M"], "/api/v1/identities.ndjson");
    std::thread::sleep(Duration::from_millis(500));
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    // It is still there for that one request, and for nobody else.
    assert!(
        !Command::new("curl")
            .args(["--silent", &format!("http://{}/healthz", server.http)])
            .status()
            .unwrap()
            .success()
    );
    let output = slow.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(output.stdout.iter().filter(|octet| **octet == b'\n').count(), 20_000);
    assert!(watcher.wait_with_output().unwrap().status.success(), "its stream has come to its end");
    assert!(server.end(Duration::from_secs(10)).success());
}
