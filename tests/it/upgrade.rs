//! Databases that earlier versions left are opened by this one with all that is in them; one of a newer version is left
//! alone. What the earlier ones wrote themselves is in `tests/upgrade`.

use crate::support::eapol::Eapol;
use crate::support::postgres::postgres;
use crate::support::server::Server;
use crate::support::{cordon, feed, succeed, text};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A step of the tables that no version knows.
const FUTURE: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                      VALUES (9999, 'of tomorrow', true, '', 0);";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(name)
}

fn sqlite(database: &Path, sql: &str) {
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())";
    let said = feed(Command::new("python3").args(["-c", script]).arg(database), sql);
    assert!(said.is_empty(), "{said}");
}

fn psql(url: &str, sql: &str) {
    let mut psql = Command::new("psql");
    let said = feed(psql.args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", url]), sql);
    assert!(!said.contains("ERROR"), "{said}");
}

/// A directory with a server's configuration, the key of its secrets, and nothing else.
fn home(database: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    // Whatever day it is by now.
    let more = format!("[retention]\ndecisions_days = 0\naccounting_days = 0\nsessions_days = 0\n{database}");
    std::fs::write(dir.path().join("cordon.toml"), crate::support::server::bare("127.0.0.1:0") + &more).unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::copy(fixture("secrets.key"), dir.path().join("data/secrets.key")).unwrap();
    dir
}

fn each<'a>(page: &'a Value, field: &str) -> Vec<&'a str> {
    let items = page["items"].as_array().unwrap();
    let mut all: Vec<&str> = items.iter().map(|item| item[field].as_str().unwrap_or_default()).collect();
    all.sort_unstable();
    all
}

/// All that an earlier version had recorded is told by this one, and it goes on.
fn assert_upgraded(server: &Server) {
    let decisions = server.get("/api/v1/decisions");
    let macs = ["02-00-5E-01-00-01", "02-00-5E-01-00-02", "02-00-5E-01-00-03"];
    assert_eq!(each(&decisions, "mac"), macs, "{decisions:#}");
    assert_eq!(each(&decisions, "reason"), ["accepted", "accepted", "identity_unknown"]);
    let id = decisions["items"][1]["id"].as_str().unwrap();
    let one = server.get(&format!("/api/v1/decisions/{id}"));
    assert_eq!((&one["identity"]["name"], &one["profile"]), (&"p256".into(), &"corp".into()), "{one:#}");

    let sessions = server.get("/api/v1/sessions");
    assert_eq!(each(&sessions, "acct_session_id"), ["S1", "S2"], "{sessions:#}");
    let stopped = sessions["items"].as_array().unwrap().iter().find(|s| s["acct_session_id"] == "S2").unwrap();
    assert_eq!((&stopped["state"], &stopped["input_octets"]), (&"stopped".into(), &5000.into()), "{stopped:#}");
    let endpoints = server.get("/api/v1/endpoints");
    assert_eq!(endpoints["items"].as_array().unwrap().len(), 2, "{endpoints:#}");

    assert_eq!(each(&server.get("/api/v1/identities"), "name"), ["alice", "p256"]);
    assert_eq!(server.get("/api/v1/nas/sw1")["has_secret"], true);
    assert!(server.succeed(&["policy", "history"]).contains("laptops alone"));
    assert!(server.succeed(&["identity", "history", "device", "p256"]).contains("elena"));

    // By the identity, the policy, the profile and the sealed secret that were there.
    let laptop = Eapol::new("p256");
    laptop.run(server).assert_accepted(1);
    assert_eq!(server.decision(&laptop.mac)["profile"], "corp");
    assert!(server.succeed(&["audit", "verify"]).contains("intact:"));
    assert_eq!(each(&server.get("/api/v1/decisions"), "mac").len(), 4);
}

#[test]
fn databases_of_earlier_versions_are_brought_up_with_all_that_is_in_them() {
    for name in ["sqlite-0004.sql", "sqlite-0010.sql"] {
        let dir = home("");
        sqlite(&dir.path().join("data/cordon.db"), &std::fs::read_to_string(fixture(name)).unwrap());
        let server = Server::resumed(dir.path());
        assert_upgraded(&server);
        // Once more, with nothing left to be done.
        let server = server.restart("TERM");
        assert_eq!(each(&server.get("/api/v1/decisions"), "mac").len(), 4, "{name}");
    }
}

#[test]
fn a_database_of_postgresql_is_brought_up_too() {
    let url = postgres().database();
    psql(&url, &std::fs::read_to_string(fixture("postgres-0010.sql")).unwrap());
    let dir = home(&format!("[database]\nurl = {url:?}\n"));
    assert_upgraded(&Server::resumed(dir.path()));
}

/// Starts a server that must not start, and gives what it says.
fn refused(dir: &Path) -> String {
    let output = cordon().args(["serve", "--config"]).arg(dir.join("cordon.toml")).output().unwrap();
    assert!(!output.status.success());
    text(&output)
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let dir = home("");
    let database = dir.path().join("data/cordon.db");
    sqlite(&database, &std::fs::read_to_string(fixture("sqlite-0010.sql")).unwrap());
    sqlite(&database, FUTURE);
    let dump = || succeed(Command::new("python3").args(["-c", DUMP]).arg(&database));
    let before = dump();
    let said = refused(dir.path());
    assert!(said.contains("newer version") && said.contains("step 9999") && said.contains("-> start that"), "{said}");
    assert_eq!(dump(), before);

    let url = postgres().database();
    psql(&url, &std::fs::read_to_string(fixture("postgres-0010.sql")).unwrap());
    psql(&url, FUTURE);
    // Newer ones mark their dumps by a number of their own.
    let dump = || {
        let text = succeed(Command::new("pg_dump").args(["--inserts", "--dbname", &url]));
        text.lines().filter(|line| !line.starts_with('\\')).collect::<Vec<_>>().join("\n")
    };
    let before = dump();
    let said = refused(home(&format!("[database]\nurl = {url:?}\n")).path());
    assert!(said.contains("newer version") && said.contains("step 9999"), "{said}");
    assert!(before.contains("decision_20261123"), "{before}");
    assert_eq!(dump(), before);
}

/// All of a database of SQLite as text.
const DUMP: &str = "import sqlite3, sys; print('\\n'.join(sqlite3.connect(sys.argv[1]).iterdump()))";
