//! Many at once: a thousand whom something speaks against, and a storm of signals while others log in.

use crate::playbooks::{document, login, mac, post};
use crate::support::coa_nas::CoaNas;
use crate::support::radclient::radclient;
use crate::support::server::{SECRET, Server};
use crate::support::{feed, system, wait_for};
use cordon::time::Timestamp;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Logs so many agents in, and waits for their sessions.
fn log_in_all(server: &Server, agents: usize) {
    let all: Vec<String> = (0..agents).map(login).collect();
    let mut command = system("radclient", Duration::from_secs(120));
    command.args(["-q", "-p", "50", "-t", "5", "-r", "3", &server.auth.to_string(), "auth", SECRET]);
    feed(&mut command, &all.join("\n\n"));
    wait_for("all sessions", Duration::from_secs(60), || {
        let (mut count, mut cursor) = (0, String::new());
        loop {
            let page = server.get(&format!("/api/v1/sessions?live=true&limit=500{cursor}"));
            count += page["items"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (count >= agents).then_some(()),
            }
        }
    });
}

fn signal(n: usize, topic: &str) -> Value {
    json!({ "kind": "prompt_injection", "severity": "high", "identity_kind": "agent", "identity_name": format!("agent-{n}"),
            "topic": topic })
}

fn of_change(change: &Value, key: &str) -> Timestamp {
    serde_json::from_value(change[key].clone()).unwrap_or_else(|e| panic!("{key}: {e}: {change:#}"))
}

/// All changes to sessions, over pages.
fn changes(server: &Server) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/changes?limit=500{cursor}"));
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[test]
fn why_1_a_thousand_sessions_are_contained_and_the_switch_has_answered_for_all() {
    const AGENTS: usize = 1_000;
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &["--quiet"]);
    let server = Server::bare_with(
        "[changes]\nper_second = 1000\nin_flight = 256\nin_flight_per_nas = 32\nhold_above = 100000\n",
    );
    let playbook = "[[playbook]]\nname = \"injected\"\nwhen = { signals = [\"prompt_injection\"] }\n\
                    steps = [{ do = \"quarantine\", profile = \"quarantine\" }]\nmax_runs = 5000\nmax_percent = 100\n";
    server.apply(&document(&server, nas.port, AGENTS, playbook));
    log_in_all(&server, AGENTS);
    let signals: Vec<Value> = (0..AGENTS).map(|n| signal(n, "")).collect();
    let begun = Instant::now();
    let told = cordon::transport::clock::Clock::start().now();
    let answer = post(&server, "/api/v1/signals", json!({ "signals": signals }), 200);
    assert_eq!(answer["taken"], AGENTS, "{answer:#}");
    let taken = begun.elapsed();
    wait_for("all answers of the switch", Duration::from_secs(60), || (nas.requests().len() >= AGENTS).then_some(()));
    let whole = begun.elapsed();
    let done = wait_for("the end of all changes", Duration::from_secs(20), || {
        let all = changes(&server);
        let done: Vec<Value> = all.into_iter().filter(|change| change["state"] == "done").collect();
        (done.len() >= AGENTS).then_some(done)
    });
    let mut took: Vec<Duration> = done.iter().map(|change| of_change(change, "ended_at").since(told)).collect();
    took.sort();
    let (median, p95, last) = (took[AGENTS / 2], took[AGENTS * 95 / 100 - 1], took[AGENTS - 1]);
    eprintln!(
        "{AGENTS} signals were taken in {taken:?}; from then to the switch's answer: median {median:?}, 95th percentile \
         {p95:?}, last {last:?}; all requests seen after {whole:?}"
    );
    // On two cores for itself it is less than two seconds; this machine may have other work.
    assert!(p95 < Duration::from_secs(10), "{p95:?}");
    let state = server.get("/api/v1/playbooks/state");
    assert_eq!((&state["open"], &state["held"]), (&json!(AGENTS), &json!(0)), "{state:#}");
    let out = radclient(server.auth, "auth", &login(7));
    assert!(out.contains("Received Access-Accept"), "{out}");
    assert_eq!(server.decision(&mac(7))["profile"], "quarantine");
}

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_storm_of_a_hundred_thousand_signals_leaves_logins_unharmed_and_loses_none() {
    const SIGNALS: usize = 100_000;
    const AGENTS: usize = 200;
    const AT_ONCE: usize = 1_000;
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &["--quiet"]);
    let server = Server::bare();
    // Nothing is done against anybody: it is the storm that is looked at. Limits hold all but a few of them.
    let playbook = "[[playbook]]\nname = \"injected\"\nwhen = { signals = [\"prompt_injection\"] }\n\
                    steps = [{ do = \"quarantine\", profile = \"quarantine\" }]\n";
    server.apply(&document(&server, nas.port, AGENTS, playbook));
    let before = resident(server.pid());
    let (taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (begun, over) = (Instant::now(), AtomicUsize::new(0));
    let mut slowest = Duration::ZERO;
    let mut logins = 0;
    std::thread::scope(|scope| {
        for part in 0..2 {
            let (taken, refused, over, server) = (&taken, &refused, &over, &server);
            scope.spawn(move || {
                let mut sent = part * SIGNALS / 2;
                while sent < (part + 1) * SIGNALS / 2 {
                    let all: Vec<Value> = (sent..sent + AT_ONCE).map(|n| signal(n % AGENTS, &n.to_string())).collect();
                    let (status, answer) = server.send("POST", "/api/v1/signals", &json!({ "signals": all }));
                    // What is refused is said so, and sent again as a connector would.
                    if status == 429 || status == 503 {
                        refused.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(200));
                        continue;
                    }
                    assert_eq!(status, 200, "{answer:#}");
                    let now = answer["taken"].as_u64().unwrap();
                    taken.fetch_add(usize::try_from(now).unwrap(), Ordering::Relaxed);
                    let left = answer["refused"].as_array().map_or(0, Vec::len);
                    refused.fetch_add(left, Ordering::Relaxed);
                    sent += AT_ONCE;
                }
                over.fetch_add(1, Ordering::Relaxed);
            });
        }
        while over.load(Ordering::Relaxed) < 2 {
            assert!(begun.elapsed() < Duration::from_secs(300), "the storm does not end");
            let since = Instant::now();
            let out = radclient(server.auth, "auth", &login(logins % AGENTS));
            assert!(out.contains("Received Access-Accept"), "{out}");
            slowest = slowest.max(since.elapsed());
            logins += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let took = begun.elapsed();
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    let grown = resident(server.pid()).saturating_sub(before);
    eprintln!(
        "{taken} signals in {took:?}, {refused} refusals; {logins} logins meanwhile, the slowest {slowest:?}; memory grew by \
         {} MiB",
        grown / 1024
    );
    assert!(taken + refused >= SIGNALS && logins >= 5, "{taken} {refused} {logins}");
    assert!(slowest < Duration::from_secs(2), "a login took {slowest:?}");
    assert!(grown < 512 * 1024, "{grown} KiB");
    // What was acknowledged is there.
    let database = server.path("data/cordon.db");
    let mut sqlite = Command::new("python3");
    sqlite.args(["-c", "import sqlite3, sys; print(sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True).execute('SELECT count(*) FROM signal').fetchone()[0])"]);
    let output = sqlite.arg(&database).stderr(Stdio::inherit()).output().unwrap();
    let stored: usize = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert!(stored >= taken, "{stored} of {taken}");
}
