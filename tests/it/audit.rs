//! The audit log: who changed what is in it, in both databases; what was altered,
//! removed or moved is named; what it proves is verified by others.

use crate::support::pki::pki;
use crate::support::postgres::postgres;
use crate::support::server::{Server, TOKEN};
use crate::support::{Background, cordon, read, succeed, text, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const INVENTORY: &str = "
[[site]]
name = \"hq\"
[[identity]]
name = \"elena\"
kind = \"user\"
[[identity]]
name = \"coder-1\"
kind = \"agent\"
owner = \"elena\"
purpose = \"a test\"
[[nas]]
name = \"sw1\"
address = \"10.9.0.1\"
secret = \"a-secret-that-nobody-sees\"
site = \"hq\"
";

/// A server, and how its database is written to by somebody who may.
struct Bed {
    server: Server,
    /// The database of PostgreSQL; SQLite without it.
    url: Option<String>,
}

impl Bed {
    fn start(more: &str, url: Option<String>) -> Bed {
        let section = url.as_ref().map_or(String::new(), |url| format!("[database]\nurl = {url:?}\n"));
        Bed { server: Server::bare_with(&format!("{section}{more}")), url }
    }

    fn both() -> [Bed; 2] {
        [Bed::start("", None), Bed::start("", Some(postgres().database()))]
    }

    fn sql(&self, sql: &str) -> String {
        match &self.url {
            Some(url) => postgres().sql(url.rsplit('/').next().unwrap(), sql),
            None => {
                let script = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n\
                              for row in db.cursor().execute(sys.argv[2]).fetchall(): print('|'.join(map(str, row)))\n\
                              db.commit()";
                let mut python = Command::new("python3");
                succeed(python.args(["-c", script]).arg(self.server.path("data/cordon.db")).arg(sql)).trim().to_owned()
            }
        }
    }

    fn apply(&self, document: &str) {
        let file = self.server.path("document.toml");
        std::fs::write(&file, document).unwrap();
        self.server.succeed(&["apply", "-f", file.to_str().unwrap(), "-m", "as planned", "--by", "elena"]);
    }

    fn suspend(&self, and: &str) {
        self.server.succeed(&["identity", "status", "agent", "coder-1", and, "--by", "olga"]);
    }

    fn key(&self) -> String {
        self.server.succeed(&["audit", "key"]).trim().to_owned()
    }

    /// A signed checkpoint, in a file.
    fn checkpoint(&self, name: &str) -> String {
        let file = self.server.path(name);
        std::fs::write(&file, self.server.succeed(&["audit", "checkpoint"])).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// What verifying finds; nothing if the log is intact.
    #[track_caller]
    fn faults(&self, more: &[&str]) -> String {
        let (ok, out) = self.server.command(&[&["audit", "verify"], more].concat());
        assert_eq!(ok, out.starts_with("intact: "), "{out}");
        if ok { String::new() } else { out }
    }

    fn count(&self) -> u64 {
        self.sql("SELECT size FROM audit_head").parse().unwrap()
    }
}

/// The verifier that is not ours.
fn other(args: &[&str]) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/audit_verifier.py");
    let output = Command::new("python3").arg(script).args(args).output().unwrap();
    (output.status.success(), text(&output))
}

fn post(server: &Server, path: &str, body: &str) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}", "--data", body]);
    curl.args(["--header", "Content-Type: application/json", "--header", &format!("Authorization: Bearer {TOKEN}")]);
    let output = succeed(curl.arg(format!("http://{}{path}", server.http)));
    let (body, status) = output.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn each_change_is_an_event_with_author_source_before_and_after() {
    for bed in Bed::both() {
        let server = &bed.server;
        server.in_force(|| {
            bed.apply(INVENTORY);
            String::new()
        });
        bed.suspend("suspended");
        let events = |filter: &str| server.get(&format!("/api/v1/audit?{filter}"))["items"].as_array().unwrap().clone();
        let suspended = events("action=identity.update&object=agent%20coder-1");
        let [event] = &suspended[..] else { panic!("{suspended:#?}") };
        assert_eq!((&event["actor"], &event["source"]["kind"]), (&"olga".into(), &"cli".into()), "{event:#}");
        assert_eq!((&event["before"], &event["after"]["status"]), (&Value::Null, &"suspended".into()), "{event:#}");
        let created = events("actor=elena&kind=nas");
        assert_eq!((&created[0]["action"], &created[0]["reason"]), (&"nas.create".into(), &"as planned".into()));
        assert_eq!(created[0]["after"]["address"], "10.9.0.1");
        for place in ["secret", "a-secret-that-nobody-sees"] {
            let body = bed.sql("SELECT body FROM audit_event");
            assert!(!body.contains("a-secret-that-nobody-sees"), "{place}: {body}");
        }

        // Policies, by their number.
        let draft = server.path("draft.cedar");
        for (rule, why) in [("one", "first"), ("two", "second")] {
            std::fs::write(&draft, format!("@id({rule:?})\nforbid (principal, action, resource);\n")).unwrap();
            server.succeed(&["policy", "activate", draft.to_str().unwrap(), "-m", why, "--by", "pavel"]);
        }
        server.succeed(&["policy", "rollback", "--by", "quinn"]);
        let policies = events("kind=policy");
        let told = policies.iter().map(|e| (e["action"].as_str().unwrap(), e["actor"].as_str().unwrap()));
        let expected = [("policy.rollback", "quinn"), ("policy.activate", "pavel"), ("policy.activate", "pavel")];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        let numbers = |event: &Value| (event["before"]["revision"].as_u64(), event["after"]["revision"].as_u64());
        assert_eq!(
            policies.iter().map(numbers).collect::<Vec<_>>(),
            [(Some(2), Some(1)), (Some(1), Some(2)), (None, Some(1))]
        );
        assert_eq!(policies[1]["reason"], "second");

        // One event by its id; pages; mistakes.
        let id = event["id"].as_str().unwrap();
        assert_eq!(server.get(&format!("/api/v1/audit/{id}")), *event);
        let first = server.get("/api/v1/audit?limit=2");
        let second = server.get(&format!("/api/v1/audit?limit=2&cursor={}", first["next"].as_str().unwrap()));
        let seq = |page: &Value, n: usize| page["items"][n]["seq"].as_u64().unwrap();
        assert_eq!(seq(&first, 1), seq(&second, 0) + 1, "{second:#}");
        for wrong in ["since=yesterday", "limit=0", "cursor=x", "who=me"] {
            assert_eq!(server.get_raw(&format!("/api/v1/audit?{wrong}"), Some(TOKEN)).0, 400, "{wrong}");
        }
        assert_eq!(server.get_raw("/api/v1/audit/7", Some(TOKEN)).0, 404);
        assert_eq!(server.get_raw("/api/v1/audit", None).0, 401);

        let listed = server.succeed(&["audit", "list", "--actor", "olga"]);
        assert!(listed.contains("olga (command line)  identity.update  identity agent coder-1"), "{listed}");
        assert!(server.succeed(&["audit", "show", id]).contains("\"actor\": \"olga\""));
        assert!(server.succeed(&["audit", "list", "--action", "server.start"]).ends_with("1 events\n"));
        assert_eq!(bed.faults(&[]), "");
    }
}

#[test]
fn sessions_that_an_operator_changes_are_told_with_where_the_request_came_from() {
    use crate::support::radclient::radclient;
    let bed = Bed::start("", None);
    bed.server.apply("[[nas]]\nname = \"test\"\naddress = \"127.0.0.0/8\"\nsecret = \"a-secret-of-some-length\"\n");
    let start = "Acct-Status-Type=Start, Acct-Session-Id=\"7\", Calling-Station-Id=\"00-01-E6-00-00-01\", \
                 NAS-Port-Id=\"1\", NAS-Port-Type=Ethernet";
    assert!(radclient(bed.server.acct, "acct", start).contains("Accounting-Response"));
    let session = bed.server.get("/api/v1/sessions")["items"][0]["id"].as_str().unwrap().to_owned();
    let body = r#"{"change": "disconnect", "by": "helga", "reason": "a test"}"#;
    let (status, out) = post(&bed.server, &format!("/api/v1/sessions/{session}/changes"), body);
    assert_eq!(status, 202, "{out}");
    let events = bed.server.get(&format!("/api/v1/audit?kind=session&object={session}"));
    let event = &events["items"][0];
    assert_eq!((&event["actor"], &event["action"]), (&"helga".into(), &"session.change".into()), "{events:#}");
    assert!(event["source"]["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{event:#}");
    assert_eq!(event["after"]["nas"], "test");
    let (status, out) = post(&bed.server, "/api/v1/changes", r#"{"change": "disconnect", "filter": {"all": true}}"#);
    assert_eq!(status, 202, "{out}");
    let events = bed.server.get(&format!("/api/v1/audit?actor=api&object={session}"));
    assert_eq!(events["items"].as_array().unwrap().len(), 1, "{events:#}");
    assert_eq!(bed.faults(&[]), "");
}

#[test]
fn gap_9_any_row_that_is_altered_removed_or_moved_is_named_in_both_databases() {
    for bed in Bed::both() {
        bed.apply(INVENTORY);
        bed.suspend("suspended");
        bed.suspend("active");
        let last = bed.count() - 1;
        let zeros = if bed.url.is_some() { "'\\x00'" } else { "X'00'" };
        bed.sql("CREATE TABLE aside AS SELECT * FROM audit_event");
        let restore = || {
            bed.sql("DELETE FROM audit_event");
            bed.sql("INSERT INTO audit_event SELECT * FROM aside");
            bed.sql(&format!("UPDATE audit_head SET size = {}", last + 1));
            assert_eq!(bed.faults(&[]), "");
        };
        for seq in [0, 2, last] {
            for (column, value) in [
                ("at_us", "at_us + 1"),
                ("actor", "'nobody'"),
                ("action", "'identity.remove'"),
                ("object_kind", "'thing'"),
                ("object_name", "'x'"),
                ("outcome", "'failure'"),
                ("body", "replace(body, '\"outcome\":\"success\"', '\"outcome\":\"failure\"')"),
                ("hash", zeros),
                ("id", zeros),
            ] {
                bed.sql(&format!("UPDATE audit_event SET {column} = {value} WHERE seq = {seq}"));
                let faults = bed.faults(&[]);
                assert!(faults.starts_with(&format!("event {seq} was altered: ")), "{column} of {seq}: {faults}");
                assert!(faults.contains(": 1 faults in "), "no other is named: {faults}");
                restore();
            }
        }
        bed.sql("DELETE FROM audit_event WHERE seq = 1");
        assert!(bed.faults(&[]).starts_with("event 1 was removed\n"));
        restore();
        for (from, to) in [(1, -1), (2, 1), (-1, 2)] {
            bed.sql(&format!("UPDATE audit_event SET seq = {to} WHERE seq = {from}"));
        }
        let faults = bed.faults(&[]);
        assert!(faults.contains("event 2 was moved to the place of event 1"), "{faults}");
        assert!(faults.contains("event 1 was moved to the place of event 2"), "{faults}");
        restore();

        // The tail goes, and the head is put right: a checkpoint tells.
        let kept = bed.checkpoint("kept");
        let cut = || {
            bed.sql(&format!("DELETE FROM audit_event WHERE seq = {last}"));
            let hash = format!("(SELECT hash FROM audit_event WHERE seq = {})", last - 1);
            bed.sql(&format!("UPDATE audit_head SET size = {last}, hash = {hash}"));
        };
        cut();
        let removed = format!("events {last} to {last} at the end were removed");
        assert!(bed.faults(&[]).contains(&removed), "{}", bed.faults(&[]));
        let (ok, out) = bed.server.command(&["audit", "checkpoint"]);
        assert!(!ok && out.contains("nothing is signed until it is intact"), "{out}");
        // Checkpoints go too, but for one that was kept elsewhere.
        bed.sql("DELETE FROM audit_checkpoint");
        std::fs::remove_file(bed.server.path("data/audit.checkpoint")).unwrap();
        assert_eq!(bed.faults(&[]), "", "nobody could tell");
        let faults = bed.faults(&["--checkpoint", &kept]);
        assert!(faults.contains(&removed) && faults.contains(&kept), "{faults}");
        std::fs::write(&kept, read(Path::new(&kept)).replacen('1', "2", 1)).unwrap();
        assert!(bed.faults(&["--checkpoint", &kept]).contains("no"), "it is not believed");
    }
}

#[test]
fn what_the_log_proves_is_verified_by_others_without_the_database() {
    for bed in Bed::both() {
        bed.apply(INVENTORY);
        let (server, key) = (&bed.server, bed.key());
        let old = bed.checkpoint("old");
        bed.suspend("suspended");
        bed.suspend("active");
        let new = bed.checkpoint("new");
        let size = bed.count();
        let file = server.path("bundle.json").to_str().unwrap().to_owned();
        for seq in 0..size {
            server.succeed(&["audit", "prove", &seq.to_string(), "--out", &file]);
            // In an empty directory, with no configuration: nothing but the bundle and the key.
            let elsewhere = tempfile::tempdir().unwrap();
            let mut ours = cordon();
            ours.args(["audit", "verify", "--bundle", &file, "--key", &key]).current_dir(&elsewhere);
            let out = succeed(&mut ours);
            assert!(out.contains(&format!("it is event {seq} of the {size} that cordon/audit/")), "{out}");
            let (ok, out) = other(&["bundle", &file, &key]);
            assert!(ok && out.starts_with(&format!("event {seq} of {size}: ")), "{out}");
        }
        let bundle = read(Path::new(&file));
        for (from, to) in [("olga", "vera"), ("index ", "index 1"), ("\\nindex", "\\nindes")] {
            std::fs::write(&file, bundle.replacen(from, to, 1)).unwrap();
            let (ok, out) = other(&["bundle", &file, &key]);
            assert!(!ok && out.starts_with("refused: "), "{from}: {out}");
            let ours = cordon().args(["audit", "verify", "--bundle", &file, "--key", &key]).output().unwrap();
            assert!(!ours.status.success(), "{from}: {}", text(&ours));
        }
        let log = server.path("log.jsonl").to_str().unwrap().to_owned();
        std::fs::write(&log, server.succeed(&["audit", "export", "--format", "json"])).unwrap();
        for note in [&old, &new] {
            let (ok, out) = other(&["log", &log, note, &key]);
            assert!(ok && out.contains("are as they were signed"), "{out}");
        }
        let (status, note) = server.get_raw("/api/v1/audit/checkpoint", Some(TOKEN));
        assert_eq!((status, note.trim()), (200, read(Path::new(&new)).trim()));
        let before = read(Path::new(&old)).lines().nth(1).unwrap().to_owned();
        let (status, grown) = server.get_raw(&format!("/api/v1/audit/consistency?from={before}"), Some(TOKEN));
        assert_eq!(status, 200, "{grown}");
        let proof = server.path("grown.json").to_str().unwrap().to_owned();
        std::fs::write(&proof, &grown).unwrap();
        let (ok, out) = other(&["grown", &proof, &old, &key]);
        assert!(ok && out.contains(&format!("{size} events go on from {before}")), "{out}");
        for wrong in ["", "?from=x", "?from=999999"] {
            assert_eq!(server.get_raw(&format!("/api/v1/audit/consistency{wrong}"), Some(TOKEN)).0, 400, "{wrong}");
        }
        let mode = succeed(Command::new("stat").args(["-c", "%a"]).arg(server.path("data/audit.key")));
        assert_eq!(mode.trim(), "600");
        assert!(server.log().contains(&key), "the start tells the key");
    }
}

#[test]
fn two_processes_write_at_once_and_some_are_killed_and_the_chain_is_whole() {
    for bed in Bed::both() {
        let agents: String = (0..4)
            .map(|n| format!("[[identity]]\nname = \"a{n}\"\nkind = \"agent\"\nowner = \"elena\"\npurpose = \"x\"\n"))
            .collect();
        bed.apply(&format!("[[identity]]\nname = \"elena\"\nkind = \"user\"\n{agents}"));
        let config = bed.server.path("cordon.toml");
        let before = bed.count();
        std::thread::scope(|scope| {
            for n in 0..4_u64 {
                let config = &config;
                scope.spawn(move || {
                    for round in 0..6_u64 {
                        let status = if round.is_multiple_of(2) { "suspended" } else { "active" };
                        let mut command = cordon();
                        command.args(["identity", "status", "agent", &format!("a{n}"), status, "--config"]);
                        command.arg(config).stdout(Stdio::null()).stderr(Stdio::null());
                        let mut child = command.spawn().unwrap();
                        if (n + round) % 3 == 0 {
                            std::thread::sleep(Duration::from_millis(20 + 25 * (n * 6 + round) % 200));
                            let _ = child.kill();
                        }
                        let _ = child.wait();
                    }
                });
            }
        });
        let server = bed.server.restart("KILL");
        let bed = Bed { server, url: bed.url };
        assert_eq!(bed.faults(&[]), "");
        let places = bed.sql("SELECT count(*), min(seq), max(seq) FROM audit_event");
        let count = bed.count();
        assert!(count > before + 4, "{count} events, {before} before");
        assert_eq!(places, format!("{count}|0|{}", count - 1));
        // What was written is told: each change of an identity has its event, and the other way round.
        let told = bed.sql("SELECT count(*) FROM audit_event WHERE object_kind = 'identity' AND outcome = 'success'");
        assert_eq!(told, bed.sql("SELECT count(*) FROM change WHERE kind = 'identity'"));
        // A stop in order is the last event, and a checkpoint is over it.
        let server = bed.server.restart("TERM");
        let bed = Bed { server, url: bed.url };
        let stops = bed.sql("SELECT count(*) FROM audit_event WHERE action = 'server.stop'");
        assert_eq!(stops, "1");
        let stop: u64 = bed.sql("SELECT seq FROM audit_event WHERE action = 'server.stop'").parse().unwrap();
        let signed: u64 = bed.sql("SELECT max(size) FROM audit_checkpoint").parse().unwrap();
        assert!(signed > stop, "{signed} are signed, and the stop is {stop}");
    }
}

/// rsyslog, which writes what it takes over TLS to a file.
struct Rsyslog {
    dir: tempfile::TempDir,
    port: u16,
    process: Option<Background>,
}

impl Rsyslog {
    fn new() -> Rsyslog {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Rsyslog { dir, port, process: None }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn start(&mut self, driver: &str) {
        let config = format!(
            r#"global(workDirectory={dir:?} maxMessageSize="64k"
    defaultNetstreamDriverCAFile={ca:?} defaultNetstreamDriverCertFile={cert:?} defaultNetstreamDriverKeyFile={key:?})
module(load="imtcp" streamDriver.name="{driver}" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="whole" type="list") {{
    property(name="timestamp" dateFormat="rfc3339") constant(value=" ")
    property(name="app-name") constant(value=" ") property(name="msgid") constant(value=" ")
    property(name="structured-data") constant(value=" ") property(name="msg") constant(value="\n")
}}
action(type="omfile" file={out:?} template="whole" asyncWriting="off" flushOnTXEnd="on")
"#,
            dir = self.dir.path(),
            ca = pki().path("corp/ca.pem"),
            cert = pki().path("server-p256.pem"),
            key = pki().path("server-p256.key"),
            port = self.port,
            out = self.file("taken"),
        );
        std::fs::write(self.file("rsyslog.conf"), config).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(self.file("log")).unwrap();
        let mut command = Command::new("/usr/sbin/rsyslogd");
        command.args(["-n", "-i"]).arg(self.file("pid")).arg("-f").arg(self.file("rsyslog.conf"));
        self.process = Some(Background::start(command.stdout(log.try_clone().unwrap()).stderr(log)));
        let port = self.port;
        wait_for("rsyslog", Duration::from_secs(20), || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    }

    /// What it has taken: how often each event, by number, and what it says.
    fn taken(&self) -> BTreeMap<u64, Vec<Value>> {
        let mut taken: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for line in read(&self.file("taken")).lines() {
            let (head, body) = line.split_once("] ").unwrap_or_else(|| panic!("{line}"));
            let event: Value = serde_json::from_str(body.trim()).unwrap_or_else(|e| panic!("{e}: {line}"));
            let seq = event["metadata"]["sequence"].as_u64().unwrap();
            let action = event["activity_name"].as_str().unwrap();
            assert!(head.contains(&format!(" cordon {action} [meta sequenceId=\"{}\"", seq + 1)), "{line}");
            taken.entry(seq).or_default().push(event);
        }
        taken
    }
}

#[test]
fn rsyslog_takes_all_events_over_tls_and_none_is_lost_while_it_is_away() {
    for driver in ["gtls", "ossl"] {
        let mut rsyslog = Rsyslog::new();
        let section = format!(
            "[audit]\nsyslog = {{ server = \"127.0.0.1:{}\", ca = {:?}, name = \"radius.corp.example\" }}\n",
            rsyslog.port,
            pki().path("corp/ca.pem")
        );
        let bed = Bed::start(&section, None);
        bed.apply(INVENTORY);
        wait_for("the warning", Duration::from_secs(20), || {
            bed.server.log().contains("the audit log is not exported, and will be").then_some(())
        });
        let all = |rsyslog: &Rsyslog| {
            let count = bed.count();
            wait_for(&format!("{driver}: all {count} events"), Duration::from_secs(60), || {
                (rsyslog.taken().len() as u64 == count).then_some(())
            });
        };
        rsyslog.start(driver);
        all(&rsyslog);
        assert!(rsyslog.taken().values().all(|times| times.len() == 1), "each is told once: {}", bed.server.log());
        // Killed in the middle of it, and away while more happens.
        rsyslog.process = None;
        bed.suspend("suspended");
        bed.suspend("active");
        rsyslog.start(driver);
        all(&rsyslog);
        let (count, taken) = (bed.count(), rsyslog.taken());
        assert_eq!(taken.keys().copied().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        let last = &taken[&(count - 1)][0];
        assert_eq!((&last["class_uid"], &last["actor"]["user"]["name"]), (&3004.into(), &"olga".into()), "{last:#}");
        // What it took is what the command writes.
        let exported = bed.server.succeed(&["audit", "export", "--format", "ocsf"]);
        for (line, (_, told)) in exported.lines().zip(&taken) {
            assert_eq!(serde_json::from_str::<Value>(line).unwrap(), told[0]);
        }
        assert_eq!(exported.lines().count() as u64, count);
    }
}

#[test]
fn a_receiver_that_is_not_who_it_should_be_is_told_nothing() {
    let mut rsyslog = Rsyslog::new();
    rsyslog.start("ossl");
    for (ca, name) in [("other/ca.pem", "radius.corp.example"), ("corp/ca.pem", "siem.corp.example")] {
        let section = format!(
            "[audit]\nsyslog = {{ server = \"127.0.0.1:{}\", ca = {:?}, name = {name:?} }}\n",
            rsyslog.port,
            pki().path(ca)
        );
        let bed = Bed::start(&section, None);
        wait_for("the refusal", Duration::from_secs(20), || {
            let log = bed.server.log();
            (log.contains("is not exported, and will be: no connection") && log.contains("certificate")).then_some(())
        });
        assert_eq!(bed.sql("SELECT count(*) FROM audit_export"), "0");
    }
    assert!(rsyslog.taken().is_empty());
}
