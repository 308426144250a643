//! What was acknowledged is stored, once, whatever happens to the process, the
//! database or the disk.

use crate::support::postgres::Postgres;
use crate::support::radclient::radclient;
use crate::support::server::{Config, SECRET, Server};
use crate::support::{Background, succeed, wait_for};
use cordon::client::{AccountingEvent, Port};
use cordon::inventory::mac::MacAddress;
use cordon::radius::authenticator::verify_reply;
use cordon::radius::packet::Packet;
use cordon::secret::Secret;
use cordon::session::accounting::AccountingStatus;
use cordon::store::{Location, Store};
use cordon::time::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Senders at a time.
const SENDERS: u8 = 8;
/// How often something is killed.
const ROUNDS: u32 = 50;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_secs(since.as_secs() as i64)
}

/// The Start of a session of its own.
fn start(sender: u8, number: u32) -> (String, Vec<u8>) {
    let [_, _, high, low] = number.to_be_bytes();
    let session_id = format!("S{sender}-{number}");
    let mac = MacAddress::new([0x02, 0x00, 0x5e, sender, high, low]);
    let port = Port { secret: Secret::new(SECRET), mac, port_id: "1".into(), extra: Vec::new() };
    let event = AccountingEvent {
        status: AccountingStatus::Start,
        session_id: &session_id,
        at: now(),
        session_time: 0,
        octets: 0,
    };
    let request = port.accounting(number as u8, &event).unwrap();
    (session_id, request)
}

fn acknowledged(socket: &UdpSocket, request: &[u8]) -> bool {
    let parsed = Packet::parse(request).unwrap();
    let mut buffer = [0; 4096];
    if socket.send(request).is_err() {
        return false;
    }
    socket.recv(&mut buffer).is_ok_and(|l| verify_reply(&buffer[..l], &parsed, &Secret::new(SECRET)).is_ok())
}

fn socket(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket
}

/// Senders that send Starts, each when the one before was answered.
#[derive(Default)]
struct Load {
    /// All that may have been heard.
    sent: Mutex<HashMap<String, Vec<u8>>>,
    acknowledged: Mutex<HashSet<String>>,
    /// The last number of each sender.
    number: Mutex<u32>,
}

impl Load {
    /// Sends from all senders while `meanwhile` runs. A sender that is not answered
    /// gives up, as a NAS whose server has died.
    fn during(&self, to: SocketAddr, meanwhile: impl FnOnce()) {
        let stop = AtomicBool::new(false);
        let first = *self.number.lock().unwrap();
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let stop = &stop;
                scope.spawn(move || {
                    let (socket, mut number) = (socket(to), first);
                    while !stop.load(Ordering::Relaxed) {
                        number += 1;
                        let (id, request) = start(sender, number);
                        self.sent.lock().unwrap().insert(id.clone(), request.clone());
                        let answered = acknowledged(&socket, &request);
                        let mut highest = self.number.lock().unwrap();
                        *highest = (*highest).max(number);
                        if !answered {
                            return;
                        }
                        self.acknowledged.lock().unwrap().insert(id);
                    }
                });
            }
            meanwhile();
            stop.store(true, Ordering::Relaxed);
        });
    }

    /// All that was acknowledged is stored, once; and nothing that was never sent.
    #[track_caller]
    fn assert_stored(&self, stored: &BTreeMap<String, u64>) {
        let (sent, acknowledged) = (self.sent.lock().unwrap(), self.acknowledged.lock().unwrap());
        let lost: Vec<&String> = acknowledged.iter().filter(|id| !stored.contains_key(*id)).collect();
        assert!(lost.is_empty(), "{} of {} that were acknowledged are not stored: {lost:?}", lost.len(), sent.len());
        let twice: Vec<_> = stored.iter().filter(|(_, count)| **count != 1).collect();
        assert!(twice.is_empty(), "stored more than once: {twice:?}");
        assert!(stored.keys().all(|id| sent.contains_key(id)), "something was stored that was never sent");
    }
}

/// Chance enough for when to kill, another in each run.
fn chance(below: u64) -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (u64::from(since.subsec_nanos()) / 7) % below
}

/// How often each accounting record lies in the database, once all of the journal
/// is there.
fn stored(server: &Server, location: &Location) -> BTreeMap<String, u64> {
    wait_for("all of the journal in the database", Duration::from_secs(60), || {
        // The API waits for it as long as it may; then the database is read itself.
        let storage = server.get("/api/v1/storage");
        (storage["journal"]["records_behind"] == 0 && storage["journal"]["caught_up"] == true).then_some(())
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open_to_read(location).await.unwrap();
        store.accounting_by_session("S").await.unwrap()
    })
}

#[test]
fn kill_9_at_any_time_loses_no_acknowledged_record() {
    let mut server = Server::start(&Config::default());
    let load = Load::default();
    for _ in 0..ROUNDS {
        load.during(server.acct, || {
            std::thread::sleep(Duration::from_millis(30 + chance(300)));
            server.signal("KILL");
        });
        server = server.restart("KILL");
    }
    let count = load.acknowledged.lock().unwrap().len();
    assert!(count > 1_000, "only {count} were acknowledged in time");
    let file = Location::File(server.path("cordon.db"));
    load.assert_stored(&stored(&server, &file));
    // A NAS that did not hear the answer sends the record again: to a server
    // that has forgotten the request, but not the record.
    let to = socket(server.acct);
    for request in load.sent.lock().unwrap().values().take(200) {
        assert!(acknowledged(&to, request));
    }
    load.assert_stored(&stored(&server, &file));
}

#[test]
fn kill_9_of_postgresql_or_of_the_server_loses_nothing_and_stores_nothing_twice() {
    let mut postgres = Postgres::start();
    let url = postgres.database();
    let more = format!("[database]\nurl = {url:?}\n{}", Config::default().more);
    let mut server = Server::start(&Config { more, ..Config::default() });
    let load = Load::default();
    for round in 0..ROUNDS {
        // The database, the server, or both.
        let (database, process) = match round % 3 {
            0 => (true, false),
            1 => (false, true),
            _ => (true, true),
        };
        load.during(server.acct, || {
            std::thread::sleep(Duration::from_millis(30 + chance(250)));
            if database {
                postgres.kill();
                // Nobody waits for it.
                std::thread::sleep(Duration::from_millis(chance(100)));
            }
            if process {
                server.signal("KILL");
            }
        });
        if database {
            postgres.up();
        }
        if process {
            server = server.restart("KILL");
        }
    }
    let count = load.acknowledged.lock().unwrap().len();
    assert!(count > 1_000, "only {count} were acknowledged in time");
    load.assert_stored(&stored(&server, &Location::Url(url.clone())));
    // What was counted is what was stored, though transactions broke off at any point.
    let database = url.rsplit('/').next().unwrap();
    let table = postgres.sql(database, "SELECT 'usage_' || suffix FROM partitions WHERE family = 'usage_day'");
    let counted = postgres.sql(database, &format!("SELECT sum(records) FROM {table}"));
    let records = stored(&server, &Location::Url(url)).values().sum::<u64>();
    assert_eq!(counted, records.to_string());
}

#[test]
fn sigterm_finishes_what_was_begun() {
    let server = Server::start(&Config::default());
    let to = socket(server.acct);
    let (id, request) = start(1, 1);
    assert!(acknowledged(&to, &request));
    let server = server.restart("TERM");
    let stored = stored(&server, &Location::File(server.path("cordon.db")));
    assert_eq!(stored.get(&id), Some(&1));
}

#[test]
fn a_database_that_is_locked_keeps_nobody_waiting() {
    let server = Server::start(&Config::default());
    let to = socket(server.acct);
    assert!(acknowledged(&to, &start(1, 1).1));
    // The writer's connection is locked out, as by a backup gone wrong.
    let mut command = Command::new("python3");
    command
        .args([
            "-c",
            "import sqlite3, sys, time\ndb = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n\
               db.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\ntime.sleep(60)",
        ])
        .arg(server.path("cordon.db"))
        .stdout(std::process::Stdio::piped());
    let mut lock = Background::start(&mut command);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(lock.0.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line.trim(), "locked");
    let (id, request) = start(1, 2);
    assert!(acknowledged(&to, &request), "the journal has it");
    let mac = "02-00-5E-00-00-10";
    let login =
        format!("User-Name={mac:?}, User-Password={mac:?}, Calling-Station-Id={mac:?}, Message-Authenticator=0x00");
    let out = radclient(server.auth, "auth", &login);
    assert!(out.contains("Access-Accept"), "logins go on from memory: {out}");
    wait_for("the server to say so", Duration::from_secs(30), || {
        let log = server.log();
        log.contains("the database takes no records; they are kept in the journal").then_some(())
    });
    assert_eq!(server.get_raw("/readyz", None).0, 200, "logins can be served");
    drop(lock);
    wait_for("the database's recovery", Duration::from_secs(30), || {
        server.log().contains("the database takes records again").then_some(())
    });
    assert_eq!(server.decision(mac)["outcome"], "accept");
    assert_eq!(stored(&server, &Location::File(server.path("cordon.db"))).get(&id), Some(&1));
}

/// A small disk, gone when the test ends.
struct Disk<'a>(&'a Path);

impl Disk<'_> {
    fn mount(at: &Path, mib: u32) -> Disk<'_> {
        std::fs::create_dir_all(at).unwrap();
        succeed(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(at));
        Disk(at)
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut dd = Command::new("dd");
        dd.args(["if=/dev/zero", "bs=4k", "status=none"]).arg(format!("of={}", self.0.join("filler").display()));
        assert!(!dd.output().unwrap().status.success(), "it must run out of room");
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn on_a_full_disk_nothing_is_acknowledged_and_nothing_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("disk");
    let disk = Disk::mount(&path, 192);
    let config = Config::default();
    let text = config.text().replace("data_dir = \".\"", &format!("data_dir = {:?}", path.display().to_string()));
    let mut server = Server::start_with(&config, &text);
    let load = Load::default();
    for round in 0..6 {
        load.during(server.acct, || {
            std::thread::sleep(Duration::from_millis(100 + chance(200)));
            disk.fill();
            wait_for("the disk to be missed", Duration::from_secs(20), || {
                let (status, body) = server.get_raw("/readyz", None);
                (status == 503 && body.contains("cannot be stored")).then_some(())
            });
        });
        let to = socket(server.acct);
        let (_, request) = start(100, round);
        assert!(!acknowledged(&to, &request), "it could not be stored");
        let silent = radclient(server.auth, "status", "Message-Authenticator=0x00");
        assert!(silent.contains("No reply"), "silence tells a NAS to go elsewhere: {silent}");
        if round % 2 == 1 {
            server.signal("KILL");
        }
        disk.empty();
        if round % 2 == 1 {
            server = server.restart("KILL");
        }
        wait_for("the server's recovery", Duration::from_secs(30), || {
            (server.get_raw("/readyz", None).0 == 200).then_some(())
        });
        let to = socket(server.acct);
        load.sent.lock().unwrap().insert(format!("S100-{round}"), request.clone());
        wait_for("an acknowledgement", Duration::from_secs(10), || acknowledged(&to, &request).then_some(()));
        load.acknowledged.lock().unwrap().insert(format!("S100-{round}"));
    }
    load.assert_stored(&stored(&server, &Location::File(path.join("cordon.db"))));
}
