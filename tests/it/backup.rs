//! What is backed up while logins go on is a server again, and nothing that was acknowledged is missing.

use crate::support::eapol::Eapol;
use crate::support::server::Server;
use crate::support::{cordon, feed, postgres::postgres, succeed, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

const PASSPHRASE: &str = "correct horse battery staple";

fn run(args: &[&str], passphrase: &str) -> Output {
    cordon().args(args).env("CORDON_BACKUP_PASSPHRASE", passphrase).output().unwrap()
}

#[track_caller]
fn done(args: &[&str]) -> String {
    let output = run(args, PASSPHRASE);
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    text(&output)
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Backs a server up while somebody logs in over and over; the file, and how many decisions were acknowledged before.
fn backed_up(server: &Server) -> (PathBuf, usize) {
    let file = server.path("server.backup");
    let over = AtomicBool::new(false);
    let laptop = Eapol::new("p256");
    let mut before = 0;
    std::thread::scope(|scope| {
        let logins = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                laptop.run(server).assert_accepted(1);
                count += 1;
            }
            count
        });
        std::thread::sleep(std::time::Duration::from_millis(700));
        before = server.get("/api/v1/decisions?limit=500")["items"].as_array().unwrap().len();
        done(&["backup", "--config", name(&server.path("cordon.toml")), name(&file)]);
        over.store(true, Ordering::Relaxed);
        assert!(logins.join().unwrap() > 0);
    });
    (file, before)
}

#[test]
fn a_backup_that_is_made_while_logins_go_on_is_a_server_again() {
    let server = Server::bare();
    crate::resources::network(&server);
    let (file, before) = backed_up(&server);
    assert!(before > 0);
    let said = done(&["restore", "--verify", name(&file)]);
    assert!(
        said.contains("the database is sound") && said.contains("intact:") && said.contains("the backup is whole"),
        "{said}"
    );

    let dir = tempfile::tempdir().unwrap();
    let restored = dir.path().join("restored");
    done(&["restore", name(&file), name(&restored)]);
    let again = done(&["audit", "verify", "--config", name(&restored.join("cordon.toml"))]);
    assert!(again.contains("intact:"), "{again}");
    drop(server);
    let server = Server::resumed(&restored);
    let decisions = server.get("/api/v1/decisions?limit=500")["items"].as_array().unwrap().len();
    assert!(decisions >= before, "{decisions} of {before}");
    assert_eq!(server.get("/api/v1/nas/sw1")["has_secret"], true);
    Eapol::new("p256").run(&server).assert_accepted(1);
    // Not on top of something.
    let output = run(&["restore", name(&file), name(&restored)], PASSPHRASE);
    assert!(!output.status.success() && text(&output).contains("is not empty"), "{}", text(&output));
}

#[test]
fn one_octet_another_passphrase_and_a_cut_are_found_and_stock_age_reads_it() {
    let server = Server::bare();
    crate::resources::network(&server);
    let config = server.path("cordon.toml");
    let file = server.path("server.backup");
    done(&["backup", "--config", name(&config), name(&file)]);
    let twice = run(&["backup", "--config", name(&config), name(&file)], PASSPHRASE);
    assert!(text(&twice).contains("is there already"), "{}", text(&twice));
    let none = cordon().args(["backup", "--config", name(&config), name(&server.path("b"))]).output().unwrap();
    assert!(!none.status.success() && text(&none).contains("--recipient age1"), "{}", text(&none));
    let wrong = run(&["restore", "--verify", name(&file)], "another");
    assert!(!wrong.status.success(), "{}", text(&wrong));
    let whole = std::fs::read(&file).unwrap();
    let damaged = server.path("damaged");
    for place in [whole.len() / 3, whole.len() - 5] {
        let mut octets = whole.clone();
        octets[place] ^= 1;
        std::fs::write(&damaged, &octets).unwrap();
        let found = run(&["restore", "--verify", name(&damaged)], PASSPHRASE);
        assert!(!found.status.success(), "{place}: {}", text(&found));
    }
    std::fs::write(&damaged, &whole[..whole.len() - 70_000]).unwrap();
    assert!(!run(&["restore", "--verify", name(&damaged)], PASSPHRASE).status.success());

    // To a recipient, and opened by age and tar themselves.
    let key = server.path("age.key");
    let made = succeed(Command::new("age-keygen").args(["-o", name(&key)]));
    let recipient = made.split_whitespace().find(|word| word.starts_with("age1")).unwrap().to_owned();
    let sealed = server.path("sealed.backup");
    done(&["backup", "--config", name(&config), "--recipient", &recipient, name(&sealed)]);
    let script = format!("age -d -i {} {} | tar -t", name(&key), name(&sealed));
    let listed = succeed(Command::new("sh").args(["-c", &script]));
    for entry in ["database/cordon.db", "configuration/cordon.toml", "manifest.json", "data/journal/"] {
        assert!(listed.contains(entry), "no {entry} in:\n{listed}");
    }
    assert!(done(&["restore", "--verify", "--identity", name(&key), name(&sealed)]).contains("the backup is whole"));
}

#[test]
fn postgresql_is_dumped_and_comes_back() {
    let database = postgres().database();
    let server = Server::bare_with(&format!("[database]\nurl = {:?}\n", database));
    crate::resources::network(&server);
    let (file, before) = backed_up(&server);
    let dir = tempfile::tempdir().unwrap();
    let restored = dir.path().join("restored");
    let said = done(&["restore", name(&file), name(&restored)]);
    assert!(said.contains("pg_restore --no-owner"), "{said}");
    drop(server);
    let other = postgres().database();
    let dump = restored.join("cordon.dump");
    feed(Command::new("pg_restore").args(["--no-owner", "--dbname", &other, name(&dump)]), "");
    let config = restored.join("cordon.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace(&database, &other);
    std::fs::write(&config, text).unwrap();
    let server = Server::resumed(&restored);
    let decisions = server.get("/api/v1/decisions?limit=500")["items"].as_array().unwrap().len();
    assert!(decisions >= before, "{decisions} of {before}");
    Eapol::new("p256").run(&server).assert_accepted(1);
}
