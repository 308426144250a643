//! What was acknowledged is stored, once, whatever happens to the process.

use crate::support::Background;
use crate::support::server::{Config, SECRET, Server};
use cordon::client::{AccountingEvent, Port};
use cordon::inventory::mac::MacAddress;
use cordon::radius::authenticator::verify_reply;
use cordon::radius::packet::Packet;
use cordon::secret::Secret;
use cordon::session::accounting::AccountingStatus;
use cordon::time::Timestamp;
use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Senders at a time.
const SENDERS: u8 = 8;

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

/// Every session that the API lists, by Acct-Session-Id, with how often.
fn sessions(server: &Server) -> HashMap<String, u32> {
    let (mut all, mut cursor) = (HashMap::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/sessions?limit=500{cursor}"));
        for item in page["items"].as_array().unwrap() {
            *all.entry(item["acct_session_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[test]
fn kill_9_loses_no_acknowledged_record() {
    let mut server = Server::start(&Config::default());
    let sent: Mutex<HashMap<String, Vec<u8>>> = Mutex::default();
    let mut known: HashSet<String> = HashSet::new();
    for round in 0..3_u32 {
        let stop = AtomicBool::new(false);
        let acked: Mutex<HashSet<String>> = Mutex::default();
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (sent, acked, stop, to) = (&sent, &acked, &stop, server.acct);
                scope.spawn(move || {
                    let socket = socket(to);
                    let mut number = round * 10_000;
                    while !stop.load(Ordering::Relaxed) {
                        number += 1;
                        let (id, request) = start(sender, number);
                        sent.lock().unwrap().insert(id.clone(), request.clone());
                        if !acknowledged(&socket, &request) {
                            return;
                        }
                        acked.lock().unwrap().insert(id);
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(700));
            server.signal("KILL");
            stop.store(true, Ordering::Relaxed);
        });
        server = server.restart("KILL");
        let acked = acked.into_inner().unwrap();
        assert!(acked.len() > 100, "only {} were acknowledged in time", acked.len());
        known.extend(acked);
        let stored = sessions(&server);
        for id in &known {
            assert_eq!(stored.get(id), Some(&1), "{id} was acknowledged");
        }
    }
    // A NAS that did not hear the answer sends the record again: to a server
    // that has forgotten the request, but not the record.
    let before = sessions(&server).len();
    let to = socket(server.acct);
    for id in known.iter().take(200) {
        let request = sent.lock().unwrap()[id].clone();
        assert!(acknowledged(&to, &request));
    }
    let after = sessions(&server);
    assert_eq!(after.len(), before);
    assert!(after.values().all(|count| *count == 1));
}

#[test]
fn sigterm_finishes_what_was_begun() {
    let server = Server::start(&Config::default());
    let to = socket(server.acct);
    let (id, request) = start(1, 1);
    assert!(acknowledged(&to, &request));
    let server = server.restart("TERM");
    assert_eq!(sessions(&server).get(&id), Some(&1));
}

#[test]
fn without_a_disk_nothing_is_acknowledged() {
    let server = Server::start(&Config::default());
    let to = socket(server.acct);
    assert!(acknowledged(&to, &start(1, 1).1));
    // The writer's connection is locked out, as by a backup gone wrong.
    let mut command = std::process::Command::new("python3");
    command
        .args([
            "-c",
            "import sqlite3, sys, time\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
               db.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\ntime.sleep(60)",
        ])
        .arg(server.path("cordon.db"))
        .stdout(std::process::Stdio::piped());
    let mut lock = Background::start(&mut command);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(lock.0.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line.trim(), "locked");
    let (id, request) = start(1, 2);
    assert!(!acknowledged(&to, &request));
    crate::support::wait_for("the server to say so", Duration::from_secs(60), || {
        let (status, body) = server.get_raw("/readyz", None);
        (status == 503 && body.contains("cannot be stored")).then_some(())
    });
    crate::support::wait_for("silence, which tells a NAS to go elsewhere", Duration::from_secs(10), || {
        let out = crate::support::radclient::radclient(server.auth, "status", "Message-Authenticator=0x00");
        out.contains("No reply").then_some(())
    });
    drop(lock);
    crate::support::wait_for("the server's recovery", Duration::from_secs(30), || {
        (server.get_raw("/readyz", None).0 == 200).then_some(())
    });
    crate::support::wait_for("an acknowledgement", Duration::from_secs(10), || {
        acknowledged(&to, &request).then_some(())
    });
    assert_eq!(sessions(&server).get(&id), Some(&1));
}
