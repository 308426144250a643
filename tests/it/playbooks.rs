//! What speaks against somebody contains them by itself, and lets them go again.

use crate::support::coa_nas::CoaNas;
use crate::support::radclient::radclient;
use crate::support::receiver::Receiver;
use crate::support::server::{SECRET, Server, TOKEN};
use crate::support::{cordon, succeed, wait_for};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const DISCONNECT: u64 = 40;
const SOON: Duration = Duration::from_secs(20);
/// The promise from what is told to what the switch answers.
const PROMISE: Duration = Duration::from_secs(2);

/// A switch that takes changes, and agents by their addresses, which all get one profile while nothing is said of them.
pub(crate) fn document(server: &Server, port: u16, agents: usize, more: &str) -> String {
    let rules = "@id(\"agents\") @order(\"10\") @profile(\"agents\")\npermit (principal in Group::\"agents\", \
                 action == Network::Action::\"connect\", resource);\n";
    std::fs::write(server.path("rules.cedar"), rules).unwrap();
    let mut text = format!(
        "[policy]\nfile = \"rules.cedar\"\n[[nas]]\nname = \"sw\"\naddress = \"127.0.0.1\"\nsecret = {SECRET:?}\n\
         site = \"hq\"\ncoa = {{ port = {port} }}\n[[profile]]\nname = \"agents\"\nvlan = 50\nfilter_id = \"agents\"\n[[profile]]\n\
         name = \"quarantine\"\nvlan = 66\nfilter_id = \"quarantine\"\n[[identity]]\nname = \"ben\"\nkind = \"user\"\n\
         attributes = {{ email = \"ben@corp.example\" }}\n{more}\n"
    );
    for n in 0..agents {
        writeln!(
            text,
            "[[identity]]\nname = \"agent-{n}\"\nkind = \"agent\"\ngroups = [\"agents\"]\nowner = \"ben\"\n\
             purpose = \"writes code\"\ncredentials = [{{ mac = {:?} }}]",
            mac(n)
        )
        .unwrap();
    }
    text
}

pub(crate) fn mac(n: usize) -> String {
    format!("02-00-5E-20-{:02X}-{:02X}", n >> 8, n & 255)
}

/// A login by address, as a switch sends it.
pub(crate) fn login(n: usize) -> String {
    let mac = mac(n);
    format!(
        "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
         NAS-IP-Address=127.0.0.1, NAS-Port=7, NAS-Port-Id=\"1/0/7\", NAS-Port-Type=Ethernet, \
         Acct-Session-Id=\"{n:08X}\", Message-Authenticator=0x00"
    )
}

#[track_caller]
fn log_in(server: &Server, n: usize) -> Value {
    let out = radclient(server.auth, "auth", &login(n));
    assert!(out.contains("Received Access-Accept"), "{out}");
    server.decision(&mac(n))
}

pub(crate) fn identity(server: &Server, name: &str) -> String {
    let all = server.get(&format!("/api/v1/identities?name={name}&limit=1"));
    all["items"][0]["id"].as_str().unwrap_or_else(|| panic!("nobody is called {name}: {all:#}")).to_owned()
}

fn fact(decision: &Value, name: &str) -> Value {
    let facts = decision["facts"].as_array().unwrap();
    facts.iter().find(|fact| fact["name"] == name).cloned().unwrap_or_else(|| panic!("no {name}: {decision:#}"))
}

/// What the API answers to a POST, which must have this status.
#[track_caller]
pub(crate) fn post(server: &Server, path: &str, body: Value, expected: u16) -> Value {
    let (status, answer) = server.send("POST", path, &body);
    assert_eq!(status, expected, "POST {path}: {answer:#}");
    answer
}

#[test]
fn the_help_desk_puts_an_identity_in_quarantine_and_lets_it_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 2, ""));
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    let id = identity(&server, "agent-0");
    let made = post(&server, "/api/v1/tokens", json!({ "name": "desk", "permissions": ["sessions:help"] }), 201);
    let bearer = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    let ask = |path: &str, body: Value| server.exchange("POST", path, &[&bearer], Some(&body));
    let quarantine = format!("/api/v1/identities/{id}/quarantine");

    // What is wrong is refused, and changes nothing.
    for (body, status, part) in [
        (json!({ "reason": "" }), 400, "a reason has"),
        (json!({ "reason": "odd", "profile": "nowhere" }), 422, "no profile is called"),
        (json!({ "reason": "odd", "secs": 0 }), 400, "seconds"),
    ] {
        let answer = ask(&quarantine, body);
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(part), "{}", answer.text);
    }
    assert_eq!(server.get("/api/v1/containments")["items"], json!([]));

    let since = Instant::now();
    let answer = ask(&quarantine, json!({ "reason": "it behaves oddly" }));
    assert_eq!((answer.status, &answer.body["by"]), (201, &json!("desk")), "{}", answer.text);
    assert_eq!(nas.first(1, SOON)[0]["code"], DISCONNECT);
    assert!(since.elapsed() < PROMISE, "{:?}", since.elapsed());
    let decision = log_in(&server, 0);
    assert_eq!((&decision["profile"], &decision["policies"]), (&json!("quarantine"), &json!(["agents"])));
    let told = fact(&decision, "containment");
    assert_eq!(
        (&told["value"]["cause"], &told["value"]["by"]),
        (&json!("it behaves oddly"), &json!("desk")),
        "{told:#}"
    );
    assert!(told["at"].as_str().unwrap() < decision["at"].as_str().unwrap(), "{told:#}");
    assert_eq!(log_in(&server, 1)["profile"], "agents", "somebody else");

    // It outlives a kill, and is about whoever shows the address too.
    let server = server.restart("KILL");
    assert_eq!(log_in(&server, 0)["profile"], "quarantine");
    let ask = |path: &str, body: Value| server.exchange("POST", path, &[&bearer], Some(&body));
    let by_mac = ask("/api/v1/containments", json!({ "mac": mac(1), "reason": "copied", "secs": 3600 }));
    assert_eq!((by_mac.status, &by_mac.body["identity"]), (201, &Value::Null), "{}", by_mac.text);
    assert_eq!(log_in(&server, 1)["profile"], "quarantine");
    assert_eq!(server.get("/api/v1/containments")["items"].as_array().unwrap().len(), 2);

    let release = format!("/api/v1/identities/{id}/release");
    assert_eq!(ask(&release, json!({ "reason": "looked at" })).status, 204);
    assert_eq!(
        (ask(&release, json!({ "reason": "again" })).status, log_in(&server, 0)["profile"].clone()),
        (409, json!("agents"))
    );
    let path = format!("/api/v1/containments/{}/release", by_mac.body["id"].as_str().unwrap());
    assert_eq!(ask(&path, json!({ "reason": "looked at" })).status, 204);
    assert_eq!(log_in(&server, 1)["profile"], "agents");
    let audit = server.get("/api/v1/audit?action=containment.end");
    assert_eq!((&audit["items"][0]["actor"], &audit["items"][0]["reason"]), (&json!("desk"), &json!("looked at")));
    // The help desk neither gives a profile that it likes, nor says anything else of whom a playbook contains.
    let answer = ask(&quarantine, json!({ "reason": "a favour", "profile": "agents" }));
    assert!(answer.status == 403 && answer.text.contains("sessions:change"), "{}", answer.text);
    put(&server, "injected", &injected(json!({})));
    tell(&server, "prompt_injection", "high", "agent-0", "");
    run(&server, "contained");
    assert_eq!(ask(&quarantine, json!({ "reason": "again" })).status, 403);
    // Rules may be written by who may not suspend anybody.
    let made = post(&server, "/api/v1/tokens", json!({ "name": "writer", "permissions": ["policy:write"] }), 201);
    let writer = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    for (step, wanted) in
        [("suspend", "inventory:write"), ("revoke", "certificates:write"), ("disconnect", "sessions:change")]
    {
        let body = json!({ "when": { "risk": "high" }, "steps": [{ "do": step }] });
        let answer = server.exchange("PUT", "/api/v1/playbooks/harsh", &[&writer], Some(&body));
        assert!(answer.status == 403 && answer.text.contains(wanted), "{}", answer.text);
    }
    // Who may only look may not contain.
    let made = post(&server, "/api/v1/tokens", json!({ "name": "looker", "permissions": ["network:read"] }), 201);
    let bearer = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    assert_eq!(server.exchange("POST", &quarantine, &[&bearer], Some(&json!({ "reason": "no" }))).status, 403);
}

#[test]
fn a_quarantine_ends_by_itself_and_lets_nobody_in() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 1, ""));
    log_in(&server, 0);
    let id = identity(&server, "agent-0");
    post(&server, &format!("/api/v1/identities/{id}/quarantine"), json!({ "reason": "for a while", "secs": 3 }), 201);
    assert_eq!(log_in(&server, 0)["profile"], "quarantine");
    wait_for("its end", SOON, || {
        server.get("/api/v1/containments")["items"].as_array().unwrap().is_empty().then_some(())
    });
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    // A stranger is nobody's business of a quarantine: it is denied as before.
    let stranger = mac(999);
    post(&server, "/api/v1/containments", json!({ "mac": stranger, "reason": "a stranger" }), 201);
    let out = radclient(server.auth, "auth", &login(999));
    assert!(out.contains("Received Access-Reject"), "{out}");
    assert_eq!(server.decision(&stranger)["reason"], "mac_unknown");
}

/// Puts a playbook in force.
#[track_caller]
fn put(server: &Server, name: &str, body: &Value) {
    let (status, answer) = server.send("PUT", &format!("/api/v1/playbooks/{name}"), body);
    assert!([200, 201].contains(&status) && answer["in_force"] == true, "{answer:#}");
}

/// What an agent's gateway tells.
fn tell(server: &Server, kind: &str, severity: &str, agent: &str, topic: &str) -> Value {
    let signal = json!({ "kind": kind, "severity": severity, "identity_kind": "agent", "identity_name": agent, "topic": topic,
                         "detail": "a page told it to send its keys" });
    let answer = post(server, "/api/v1/signals", json!({ "signals": [signal] }), 200);
    assert_eq!(answer["taken"], 1, "{answer:#}");
    answer["signals"][0]["id"].clone()
}

/// The latest run, once it is in this state.
#[track_caller]
fn run(server: &Server, state: &str) -> Value {
    wait_for(&format!("a run that is {state}"), SOON, || {
        let run = server.get("/api/v1/playbooks/runs?limit=1")["items"].get(0).cloned()?;
        (run["state"] == state).then_some(run)
    })
}

fn injected(more: Value) -> Value {
    let mut playbook = json!({
        "when": { "signals": ["prompt_injection"] }, "kinds": ["agent"],
        "steps": [{ "do": "quarantine", "profile": "quarantine" }, { "do": "case" }, { "do": "webhook" }],
    });
    playbook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    playbook
}

#[test]
fn step_6_the_four_shipped_playbooks_are_drilled_and_tell_how_long_each_part_took() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 1, ""));
    let id = identity(&server, "agent-0");
    let shipped = server.get("/api/v1/playbooks/shipped");
    let shipped = shipped.as_array().unwrap();
    assert_eq!(shipped.len(), 4, "{shipped:#?}");
    for playbook in shipped {
        let (mut body, name) = (playbook.clone(), playbook["name"].as_str().unwrap());
        body.as_object_mut().unwrap().remove("name");
        put(&server, name, &body);
        let path = format!("/api/v1/playbooks/{name}/drill");
        // Said, and not done.
        assert_eq!(log_in(&server, 0)["profile"], "agents", "{name}");
        let dry = post(&server, &path, json!({ "identity": id }), 200);
        assert_eq!((&dry["run"]["state"], &dry["sessions"]), (&json!("rehearsed"), &json!([])), "{dry:#}");
        assert!(dry["run"]["steps"].as_array().unwrap().iter().all(|step| step["outcome"] == "left"), "{dry:#}");
        // Done, and taken back.
        let report = post(&server, &path, json!({ "identity": id, "enforce": true }), 200);
        let timing = &report["sessions"][0];
        let ms = |key: &str| timing[key].as_u64().unwrap_or_else(|| panic!("no {key}: {report:#}"));
        eprintln!("{name}: decided {} ms, sent {} ms, acked {} ms", ms("decided_ms"), ms("sent_ms"), ms("acked_ms"));
        assert!(ms("decided_ms") <= ms("sent_ms") && ms("sent_ms") <= ms("acked_ms"), "{report:#}");
        assert!(ms("acked_ms") < 2_000, "{report:#}");
        assert_eq!((&report["run"]["state"], &report["run"]["purpose"]), (&json!("released"), &json!("drill")));
        for step in report["run"]["steps"].as_array().unwrap() {
            let expected = if step["step"] == "revoke" { "left" } else { "done" };
            assert_eq!(step["outcome"], expected, "{report:#}");
        }
        assert_eq!(server.get("/api/v1/containments")["items"], json!([]));
        assert_eq!(server.get(&format!("/api/v1/identities/{id}"))["status"], "active", "{name}");
    }
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    assert_eq!(server.get("/api/v1/cases?state=open")["items"].as_array().unwrap().len(), 4);
}

#[test]
fn why_5_pil_7_prompt_injection_takes_the_role_opens_a_case_and_gives_the_role_back_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 1, ""));
    put(&server, "injected", &injected(json!({})));
    log_in(&server, 0);
    let since = Instant::now();
    let signal = tell(&server, "prompt_injection", "high", "agent-0", "");
    assert_eq!(nas.first(1, SOON)[0]["code"], DISCONNECT);
    let took = since.elapsed();
    assert!(took < PROMISE, "{took:?}");
    let decision = log_in(&server, 0);
    assert_eq!(decision["profile"], "quarantine", "{decision:#}");
    let told = fact(&decision, "containment");
    assert_eq!(told["value"]["by"], "playbook injected", "{told:#}");
    assert!(told["value"]["cause"].as_str().unwrap().starts_with("prompt_injection of"), "{told:#}");
    let contained = run(&server, "contained");
    assert_eq!((&contained["signals"], &contained["who"]), (&json!([signal]), &json!("agent-0")), "{contained:#}");
    assert!(contained["steps"].as_array().unwrap().iter().all(|step| step["outcome"] == "done"), "{contained:#}");
    // The same again is the same run, and a kill does not forget it.
    tell(&server, "prompt_injection", "high", "agent-0", "again");
    let server = server.restart("KILL");
    assert_eq!(log_in(&server, 0)["profile"], "quarantine");
    assert_eq!(server.get("/api/v1/playbooks/runs")["items"].as_array().unwrap().len(), 1);

    // The case holds what was known.
    let case = server.get("/api/v1/cases?state=open")["items"][0].clone();
    assert_eq!((&case["run"], &case["who"]), (&contained["id"], &json!("agent-0")), "{case:#}");
    let path = format!("/api/v1/cases/{}", case["id"].as_str().unwrap());
    let evidence = server.get(&format!("{path}/evidence"));
    assert_eq!(evidence["signals"][0]["id"], signal, "{evidence:#}");
    assert_eq!((&evidence["decisions"][0]["mac"], &evidence["identity"]["owner"]), (&json!(mac(0)), &json!("ben")));
    assert_eq!(evidence["sessions"].as_array().unwrap().len(), 1, "{evidence:#}");

    for signal in server.get("/api/v1/signals?kind=prompt_injection")["items"].as_array().unwrap() {
        let path = format!("/api/v1/signals/{}/dismiss", signal["id"].as_str().unwrap());
        post(&server, &path, json!({ "reason": "the page is gone" }), 200);
    }
    let released = run(&server, "released");
    assert_eq!((&released["released_by"], &released["why"]), (&json!("server"), &json!("its cause is gone")));
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    let case = post(&server, &format!("{path}/close"), json!({ "text": "all is well", "by": "ben" }), 200);
    let comments = case["comments"].as_array().unwrap();
    assert!(comments[0]["text"].as_str().unwrap().contains("its cause is gone"), "{case:#}");
    assert_eq!((&comments[1]["by"], &case["state"]), (&json!("ben"), &json!("closed")), "{case:#}");
    assert_eq!(server.send("POST", &format!("{path}/close"), &json!({ "text": "again" })).0, 409);
}

#[test]
fn a_playbook_that_would_contain_too_many_asks_first_and_a_button_stops_them_all() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 4, ""));
    put(&server, "injected", &injected(json!({ "mode": "dry_run", "max_runs": 1 })));
    tell(&server, "prompt_injection", "high", "agent-3", "");
    let dry = run(&server, "rehearsed");
    assert_eq!((&dry["who"], &dry["purpose"]), (&json!("agent-3"), &json!("dry_run")), "{dry:#}");
    assert_eq!(log_in(&server, 3)["profile"], "agents", "nothing was done");

    put(&server, "injected", &injected(json!({ "max_runs": 1, "kinds": ["agent"] })));
    // What it only said before, it does now that it is on.
    let first = run(&server, "contained");
    assert_eq!(first["who"], "agent-3", "{first:#}");
    tell(&server, "prompt_injection", "high", "agent-0", "");
    let held = run(&server, "held");
    assert!(held["why"].as_str().unwrap().contains("which is its limit"), "{held:#}");
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    let path = format!("/api/v1/playbooks/runs/{}", held["id"].as_str().unwrap());
    let done = post(&server, &format!("{path}/retry"), json!({ "reason": "it is meant", "by": "ben" }), 200);
    assert_eq!(done["state"], "contained", "{done:#}");
    assert_eq!(log_in(&server, 0)["profile"], "quarantine");

    // An operator's word stands until something new is told.
    let done = post(&server, &format!("{path}/release"), json!({ "reason": "it is needed", "by": "ben" }), 200);
    assert_eq!((&done["state"], &done["released_by"]), (&json!("released"), &json!("ben")), "{done:#}");
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    assert_eq!(server.send("POST", &format!("{path}/release"), &json!({ "reason": "again" })).0, 409);

    put(&server, "injected", &injected(json!({ "max_runs": 100 })));
    let stopped = post(&server, "/api/v1/playbooks/stop", json!({ "reason": "half the company" }), 200);
    assert_eq!((&stopped["stopped"], &stopped["reason"]), (&json!(true), &json!("half the company")), "{stopped:#}");
    let server = server.restart("KILL");
    tell(&server, "prompt_injection", "high", "agent-1", "");
    tell(&server, "prompt_injection", "high", "agent-2", "");
    wait_for("two that are held", SOON, || (server.get("/api/v1/playbooks/state")["held"] == 2).then_some(()));
    assert_eq!(log_in(&server, 1)["profile"], "agents");
    let left = server.get("/api/v1/playbooks/runs?state=released")["items"][0]["who"].clone();
    assert_eq!(left, "agent-0", "it has not begun anew");
    let on = post(&server, "/api/v1/playbooks/resume", json!({ "reason": "looked at", "held": "go" }), 200);
    assert_eq!((&on["stopped"], &on["held"], &on["open"]), (&json!(false), &json!(0), &json!(3)), "{on:#}");
    assert_eq!(log_in(&server, 1)["profile"], "quarantine");
    tell(&server, "prompt_injection", "high", "agent-0", "another page");
    wait_for("a run for what is new", SOON, || {
        let latest = server.get("/api/v1/playbooks/runs?limit=1")["items"][0].clone();
        (latest["who"] == "agent-0" && latest["state"] == "contained").then_some(())
    });
    let audit = server.get("/api/v1/audit?action=playbooks.stop");
    assert_eq!(audit["items"][0]["reason"], "half the company", "{audit:#}");
}

/// A playbook that suspends.
fn suspending(kind: &str) -> Value {
    json!({ "when": { "signals": [kind] }, "steps": [{ "do": "suspend" }] })
}

/// Says that signals of a kind speak against nobody.
fn dismiss(server: &Server, kind: &str) {
    for signal in server.get(&format!("/api/v1/signals?kind={kind}"))["items"].as_array().unwrap() {
        if signal["settled"].is_null() {
            let path = format!("/api/v1/signals/{}/dismiss", signal["id"].as_str().unwrap());
            post(server, &path, json!({ "reason": "looked at" }), 200);
        }
    }
}

/// The latest run of a playbook, once it is in this state.
#[track_caller]
fn run_of(server: &Server, playbook: &str, state: &str) -> Value {
    wait_for(&format!("a run of {playbook} that is {state}"), SOON, || {
        let run =
            server.get(&format!("/api/v1/playbooks/runs?playbook={playbook}&limit=1"))["items"].get(0).cloned()?;
        (run["state"] == state).then_some(run)
    })
}

fn status(server: &Server, id: &str) -> String {
    server.get(&format!("/api/v1/identities/{id}"))["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_suspension_is_lifted_by_the_last_run_that_wants_it_and_never_against_an_operator() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    let text = document(&server, nas.port, 4, "");
    server.apply(&text);
    let ids: Vec<String> = (0..4).map(|n| identity(&server, &format!("agent-{n}"))).collect();
    put(&server, "injected", &suspending("prompt_injection"));
    put(&server, "leaked", &suspending("data_exfiltration"));

    // Of two runs, the last one.
    tell(&server, "prompt_injection", "high", "agent-0", "");
    run_of(&server, "injected", "contained");
    tell(&server, "data_exfiltration", "high", "agent-0", "");
    let second = run_of(&server, "leaked", "contained");
    assert_eq!(
        (second["steps"][0]["detail"].as_str(), status(&server, &ids[0]).as_str()),
        (Some("it is suspended"), "suspended")
    );
    dismiss(&server, "prompt_injection");
    run_of(&server, "injected", "released");
    assert_eq!(status(&server, &ids[0]), "suspended", "the other run wants it still");
    let server = server.restart("KILL");
    dismiss(&server, "data_exfiltration");
    run_of(&server, "leaked", "released");
    assert_eq!(status(&server, &ids[0]), "active");

    // An operator's word stands: one that came before, one that came since, and one of a document.
    let suspend = |n: usize| {
        post(&server, &format!("/api/v1/identities/{}/status", ids[n]), json!({ "status": "suspended" }), 200);
    };
    suspend(0);
    for n in 0..4 {
        tell(&server, "prompt_injection", "high", &format!("agent-{n}"), "");
    }
    wait_for("four runs", SOON, || (server.get("/api/v1/playbooks/state")["open"] == 4).then_some(()));
    wait_for("all to be suspended", SOON, || {
        let contained = server.get("/api/v1/playbooks/runs?state=contained");
        (contained["items"].as_array().unwrap().len() == 4).then_some(())
    });
    suspend(1);
    let confirmed = server.get("/api/v1/audit?action=identity.confirm");
    assert_eq!(confirmed["items"][0]["object"]["name"], "agent agent-1", "{confirmed:#}");
    let file = server.path("again.toml");
    let again = text.replace("name = \"agent-2\"\n", "name = \"agent-2\"\nstatus = \"suspended\"\n");
    std::fs::write(&file, again).unwrap();
    server.succeed(&["apply", "-f", file.to_str().unwrap()]);
    // Who speaks of something else says nothing of the status.
    let (code, answer) =
        server.send("PATCH", &format!("/api/v1/identities/{}", ids[3]), &json!({ "environment": "lab" }));
    assert!(code == 200 && answer["item"]["status"] == "suspended", "{answer:#}");
    dismiss(&server, "prompt_injection");
    wait_for("all to be released", SOON, || (server.get("/api/v1/playbooks/state")["open"] == 0).then_some(()));
    let now: Vec<String> = ids.iter().map(|id| status(&server, id)).collect();
    assert_eq!(now, ["suspended", "suspended", "suspended", "active"]);
}

#[test]
fn a_kill_in_the_midst_of_a_run_leaves_nobody_suspended_and_no_case_twice() {
    const CASES: usize = 15;
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 1, ""));
    let id = identity(&server, "agent-0");
    let mut steps = vec![json!({ "do": "suspend" })];
    steps.resize(1 + CASES, json!({ "do": "case" }));
    put(&server, "injected", &json!({ "when": { "signals": ["prompt_injection"] }, "steps": steps }));
    tell(&server, "prompt_injection", "high", "agent-0", "");
    wait_for("the suspension", SOON, || (status(&server, &id) == "suspended").then_some(()));
    let server = server.restart("KILL");
    let run = run(&server, "contained");
    assert!(run["steps"].as_array().unwrap().iter().all(|step| step["outcome"] == "done"), "{run:#}");
    assert_eq!(server.get("/api/v1/cases")["items"].as_array().unwrap().len(), CASES);
    dismiss(&server, "prompt_injection");
    run_of(&server, "injected", "released");
    assert_eq!(status(&server, &id), "active");
}

#[test]
fn a_document_puts_no_playbook_in_force_whose_steps_its_author_may_not_do() {
    let server = Server::bare();
    server.apply(&document(&server, 3799, 0, ""));
    let permissions = ["inventory:write", "gear:write", "policy:write"];
    let made = post(&server, "/api/v1/tokens", json!({ "name": "gitops", "permissions": permissions }), 201);
    let bearer = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    let playbook = |step: Value| json!([{ "name": "harsh", "when": { "risk": "high" }, "steps": [step] }]);
    let revoke = json!({ "do": "revoke" });
    let toml = "[[playbook]]\nname = \"harsh\"\nwhen = { risk = \"high\" }\nsteps = [{ do = \"revoke\" }]\n";
    let yaml = "playbook: [{name: harsh, when: {risk: high}, steps: [{do: revoke}]}]\n";
    for (body, wanted) in [
        (json!({ "document": { "playbook": playbook(revoke.clone()) } }), "certificates:write"),
        (json!({ "toml": toml }), "certificates:write"),
        (json!({ "yaml": yaml }), "certificates:write"),
        // What is null is left out of the document, and hides nothing.
        (
            json!({ "document": { "playbook": playbook(json!({ "do": "revoke", "profile": null })) } }),
            "certificates:write",
        ),
        (
            json!({ "document": { "playbook": playbook(json!({ "do": "quarantine", "profile": "quarantine" })) } }),
            "sessions:change",
        ),
    ] {
        let answer = server.exchange("POST", "/api/v1/apply", &[&bearer], Some(&body));
        assert!(answer.status == 403 && answer.text.contains(wanted), "{body}: {}", answer.text);
        assert!(answer.text.contains("of the playbook harsh"), "{}", answer.text);
    }
    let hidden = json!({ "when": { "risk": "high" }, "steps": [{ "do": "revoke", "profile": null }] });
    let answer = server.exchange("PUT", "/api/v1/playbooks/harsh", &[&bearer], Some(&hidden));
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert_eq!(server.get("/api/v1/playbooks")["items"], json!([]));
    let suspend = json!({ "document": { "playbook": playbook(json!({ "do": "suspend" })) } });
    let answer = server.exchange("POST", "/api/v1/apply", &[&bearer], Some(&suspend));
    assert_eq!((answer.status, &answer.body["in_force"]), (200, &json!(true)), "{}", answer.text);
}

#[test]
fn the_button_stops_what_is_at_work_before_its_next_step() {
    const AGENTS: usize = 30;
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, AGENTS, ""));
    for n in 0..AGENTS {
        log_in(&server, n);
    }
    let mut playbook = suspending("prompt_injection");
    playbook
        .as_object_mut()
        .unwrap()
        .extend([("max_runs".to_owned(), json!(1_000)), ("max_percent".to_owned(), json!(100))]);
    put(&server, "injected", &playbook);
    let signal = |n: usize| json!({ "kind": "prompt_injection", "identity_kind": "agent", "identity_name": format!("agent-{n}") });
    post(&server, "/api/v1/signals", json!({ "signals": (0..AGENTS).map(signal).collect::<Vec<_>>() }), 200);
    let count = |status: &str| {
        let all = server.get("/api/v1/identities?kind=agent&limit=500");
        all["items"].as_array().unwrap().iter().filter(|identity| identity["status"] == status).count()
    };
    wait_for("the first suspension", SOON, || (count("suspended") > 0).then_some(()));
    let since = Instant::now();
    let stopped = post(&server, "/api/v1/playbooks/stop", json!({ "reason": "half the company" }), 200);
    let took = since.elapsed();
    assert_eq!(stopped["stopped"], true, "{stopped:#}");
    wait_for("those that are held", SOON, || (server.get("/api/v1/playbooks/state")["held"] != 0).then_some(()));
    let (suspended, active) = (count("suspended"), count("active"));
    eprintln!("stopped in {took:?}: {suspended} of {AGENTS} were suspended");
    assert!(suspended > 0 && active > 0 && suspended + active == AGENTS, "{suspended} and {active}");
    let held = server.get("/api/v1/playbooks/runs?state=held&limit=500");
    assert_eq!(held["items"].as_array().unwrap().len(), active, "{held:#}");
    assert!(held["items"][0]["why"].as_str().unwrap().contains("were stopped by"), "{held:#}");
    // One of them may be carried out all the same.
    let path = format!("/api/v1/playbooks/runs/{}/retry", held["items"][0]["id"].as_str().unwrap());
    assert_eq!(post(&server, &path, json!({ "reason": "this one" }), 200)["state"], "contained");
    assert_eq!(count("suspended"), suspended + 1);
    let on = post(&server, "/api/v1/playbooks/resume", json!({ "reason": "looked at", "held": "drop" }), 200);
    assert_eq!((&on["held"], &on["open"]), (&json!(0), &json!(suspended + 1)), "{on:#}");
    assert_eq!(count("suspended"), suspended + 1);
}

#[test]
fn what_is_told_late_is_news() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 1, ""));
    put(&server, "injected", &injected(json!({})));
    tell(&server, "prompt_injection", "high", "agent-0", "");
    let first = run(&server, "contained");
    let path = format!("/api/v1/playbooks/runs/{}/release", first["id"].as_str().unwrap());
    post(&server, &path, json!({ "reason": "it is needed" }), 200);
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    // A connector that was away tells of what happened before.
    let before = server.get("/api/v1/signals?kind=prompt_injection")["items"][0]["at"].as_str().unwrap().to_owned();
    let signal = json!({ "kind": "prompt_injection", "severity": "high", "identity_kind": "agent", "identity_name": "agent-0",
                         "topic": "another page", "at": before });
    post(&server, "/api/v1/signals", json!({ "signals": [signal] }), 200);
    let second = run(&server, "contained");
    assert_ne!(second["id"], first["id"]);
    assert_eq!(log_in(&server, 0)["profile"], "quarantine");
}

#[test]
fn evidence_and_drills_are_of_whom_they_are_about_and_not_of_a_namesake() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    let namesake = format!(
        "[[identity]]\nname = \"agent-0\"\nkind = \"device\"\ngroups = [\"agents\"]\nowner = \"ben\"\npurpose = \"prints\"\n\
         credentials = [{{ mac = {:?} }}]\n",
        mac(7)
    );
    server.apply(&document(&server, nas.port, 1, &namesake));
    for n in [0, 7, 7] {
        assert_eq!(log_in(&server, n)["profile"], "agents");
    }
    put(&server, "injected", &injected(json!({ "sites": ["hq"] })));
    tell(&server, "prompt_injection", "high", "agent-0", "");
    run(&server, "contained");
    let case = server.get("/api/v1/cases")["items"][0]["id"].as_str().unwrap().to_owned();
    let evidence = server.get(&format!("/api/v1/cases/{case}/evidence"));
    let macs = |what: &str| {
        let all = evidence[what].as_array().unwrap().iter().map(|record| record["mac"].as_str().unwrap().to_owned());
        all.collect::<Vec<_>>()
    };
    assert!(!macs("decisions").is_empty() && macs("decisions").iter().all(|of| *of == mac(0)), "{evidence:#}");
    assert_eq!(macs("sessions"), [mac(0)], "{evidence:#}");
    let all = server.get("/api/v1/identities?kind=device&limit=1");
    let device = all["items"][0]["id"].as_str().unwrap();
    let report = post(&server, "/api/v1/playbooks/injected/drill", json!({ "identity": device, "enforce": true }), 200);
    assert_eq!(report["live_sessions"], 1, "{report:#}");
}

#[test]
fn what_a_playbook_that_is_gone_has_begun_is_listed_and_ends_when_its_cause_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 2, ""));
    put(&server, "injected", &injected(json!({})));
    log_in(&server, 0);
    tell(&server, "prompt_injection", "high", "agent-0", "");
    assert_eq!(run(&server, "contained")["orphaned"], false);
    assert_eq!(server.send("DELETE", "/api/v1/playbooks/injected", &Value::Null).0, 204);
    wait_for("its run to be told", SOON, || (server.get("/api/v1/playbooks/state")["orphaned"] == 1).then_some(()));
    assert_eq!(run(&server, "contained")["orphaned"], true);
    assert!(server.log().contains("this playbook is gone"), "{}", server.log());
    let server = server.restart("KILL");
    assert_eq!(log_in(&server, 0)["profile"], "quarantine");
    assert_eq!(server.get("/api/v1/playbooks/runs?limit=1")["items"][0]["orphaned"], true);
    tell(&server, "prompt_injection", "high", "agent-1", "");
    dismiss(&server, "prompt_injection");
    let released = run(&server, "released");
    assert_eq!((&released["why"], &released["who"]), (&json!("its cause is gone"), &json!("agent-0")));
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    assert_eq!(server.get("/api/v1/playbooks/runs")["items"].as_array().unwrap().len(), 1, "none begins");
}

#[test]
fn made_up_addresses_use_up_no_limit_of_identities_and_all_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 1, ""));
    put(&server, "injected", &injected(json!({ "kinds": null, "max_runs": 1 })));
    let signal = |n: usize| json!({ "kind": "prompt_injection", "severity": "high", "mac": mac(500 + n) });
    post(&server, "/api/v1/signals", json!({ "signals": (0..5).map(signal).collect::<Vec<_>>() }), 200);
    wait_for("those that are held", SOON, || (server.get("/api/v1/playbooks/state")["held"] == 4).then_some(()));
    let held = server.get("/api/v1/playbooks/runs?state=held")["items"].clone();
    let said = |run: &Value| run["why"].as_str().unwrap().contains("MAC addresses that are nobody's");
    assert!(held.as_array().unwrap().iter().all(said), "{held:#}");
    tell(&server, "prompt_injection", "high", "agent-0", "");
    wait_for("the agent's run", SOON, || {
        let contained = server.get("/api/v1/playbooks/runs?state=contained")["items"].clone();
        contained.as_array()?.iter().any(|run| run["who"] == "agent-0").then_some(())
    });
    let wanted = [
        "cordon_playbook_runs_total{playbook=\"injected\",outcome=\"begun\"} 6",
        "cordon_playbook_runs_total{playbook=\"injected\",outcome=\"held\"} 4",
        "cordon_playbook_runs_total{playbook=\"injected\",outcome=\"contained\"} 2",
        "cordon_playbook_steps_total{step=\"quarantine\",result=\"done\"} 2",
        "cordon_playbook_runs_open{state=\"held\"} 4",
        "cordon_playbooks_stopped 0",
    ];
    wait_for("the metrics", SOON, || {
        let metrics = server.get_raw("/metrics", Some(TOKEN)).1;
        let missing: Vec<_> = wanted.iter().filter(|line| !metrics.contains(**line)).collect();
        if !missing.is_empty() {
            eprintln!("missing: {missing:?}");
        }
        missing.is_empty().then_some(())
    });
}

#[test]
fn key_3_a_burst_of_calls_steps_an_agent_down_within_two_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    server.apply(&document(&server, nas.port, 1, ""));
    let playbook = json!({ "when": { "risk": "high" }, "steps": [{ "do": "quarantine", "profile": "quarantine" }] });
    put(&server, "burst", &playbook);
    log_in(&server, 0);
    let signal = |n: usize| {
        json!({ "kind": "runaway_tool_use", "severity": "low", "identity_kind": "agent", "identity_name": "agent-0",
                "topic": format!("tool-{n}") })
    };
    post(&server, "/api/v1/signals", json!({ "signals": [signal(0), signal(1)] }), 200);
    assert_eq!(log_in(&server, 0)["profile"], "agents", "two calls are no burst");
    let since = Instant::now();
    post(&server, "/api/v1/signals", json!({ "signals": (0..50).map(signal).collect::<Vec<_>>() }), 200);
    nas.first(1, SOON);
    assert!(since.elapsed() < PROMISE, "{:?}", since.elapsed());
    assert_eq!(log_in(&server, 0)["profile"], "quarantine");
}

#[test]
fn an_agent_whose_image_changes_is_contained_until_it_runs_the_approved_one_again() {
    const GOOD: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
    const OTHER: &str = "sha256:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare();
    let more = format!(
        "[[compliance]]\nname = \"agents\"\nkinds = [\"agent\"]\nchecks = [{{ check = \"image_digest\", one_of = [\"{GOOD}\"] }}]\n\
         [[playbook]]\nname = \"image\"\nwhen = {{ checks = [\"image_digest\"] }}\nsites = [\"hq\"]\n\
         steps = [{{ do = \"quarantine\", profile = \"quarantine\" }}]\n"
    );
    server.apply(&document(&server, nas.port, 1, &more));
    let report = |digest: &str| {
        let report =
            json!({ "kind": "agent", "name": "agent-0", "source": "cluster", "checks": { "image_digest": digest } });
        let answer = post(&server, "/api/v1/posture/reports", json!({ "reports": [report] }), 200);
        assert_eq!(answer["taken"], 1, "{answer:#}");
    };
    report(GOOD);
    assert_eq!(log_in(&server, 0)["profile"], "agents");
    let since = Instant::now();
    report(OTHER);
    assert_eq!(nas.first(1, SOON)[0]["code"], DISCONNECT);
    assert!(since.elapsed() < PROMISE, "{:?}", since.elapsed());
    let decision = log_in(&server, 0);
    assert_eq!(
        (&decision["profile"], &fact(&decision, "posture.image_digest")["source"]),
        (&json!("quarantine"), &json!("cluster"))
    );
    report(GOOD);
    assert_eq!(run(&server, "released")["why"], "its cause is gone");
    assert_eq!(nas.first(2, SOON)[1]["code"], DISCONNECT);
    assert_eq!(log_in(&server, 0)["profile"], "agents");
}

#[test]
fn mistakes_in_playbooks_are_told_and_change_nothing() {
    let server = Server::bare();
    server.apply(&document(&server, 3799, 0, ""));
    for (more, part) in [
        (json!({ "when": {} }), "not said what sets it off"),
        (json!({ "when": { "risk": "high", "signals": ["malware"] } }), "more than one"),
        (json!({ "when": { "signals": ["mallware"] } }), "no kind of signal"),
        (json!({ "when": { "risk": "low" } }), "everybody"),
        (json!({ "steps": [] }), "has 0 steps"),
        (json!({ "steps": [{ "do": "quarantine", "profile": "nowhere" }] }), "no [[profile]]"),
        (json!({ "steps": [{ "do": "dance" }] }), "dance"),
        (json!({ "max_percent": 0 }), "max_percent is 0"),
        (json!({ "kinds": ["robot"] }), "robot"),
    ] {
        let (status, answer) = server.send("PUT", "/api/v1/playbooks/wrong", &injected(more.clone()));
        assert!(status == 422 && answer.to_string().contains(part), "{more}: {status} {answer:#}");
    }
    assert_eq!(server.send("PUT", "/api/v1/playbooks/runs", &injected(json!({}))).0, 405);
    assert_eq!(server.get("/api/v1/playbooks")["items"], json!([]));
}

#[test]
fn pri_7_one_call_takes_certificates_status_and_session_within_two_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    succeed(cordon().args(["ca", "init", "--dir"]).arg(&ca));
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare_with(&format!("[pki]\ndir = {ca:?}\n"));
    let issued = format!(
        "[[identity]]\nname = \"issued\"\nkind = \"agent\"\ngroups = [\"agents\"]\nowner = \"ben\"\npurpose = \"writes code\"\n\
         credentials = [{{ mac = {:?} }}, {{ san_dns = \"issued.corp.example\" }}]\n",
        mac(0)
    );
    server.apply(&document(&server, nas.port, 0, &issued));
    let id = identity(&server, "issued");
    post(&server, "/api/v1/ca/certificates", json!({ "identity": id }), 201);
    log_in(&server, 0);
    let since = Instant::now();
    let lost =
        post(&server, &format!("/api/v1/identities/{id}/revoke"), json!({ "reason": "its key was copied" }), 200);
    assert_eq!((&lost["status"], &lost["certificates"]), (&json!("suspended"), &json!(1)), "{lost:#}");
    assert_eq!(nas.first(1, SOON)[0]["code"], DISCONNECT);
    let took = since.elapsed();
    eprintln!("from the call to the switch: {took:?}");
    assert!(took < PROMISE, "{took:?}");
    let out = radclient(server.auth, "auth", &login(0));
    assert!(out.contains("Received Access-Reject"), "{out}");
}

#[test]
fn the_owner_is_told_by_email_after_tls_and_a_login() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    succeed(cordon().args(["ca", "init", "--dir", &at("ca"), "--name", "Mail CA"]));
    succeed(cordon().args(["ca", "issue", "--dir", &at("ca"), "--out", &at("mail"), "--server", "--dns", "localhost"]));
    let receiver = Receiver::prepared("smtp_server.py", &[], "refuse", |to| {
        std::fs::copy(at("mail.pem"), to.join("certificate")).unwrap();
        std::fs::copy(at("mail.key"), to.join("key")).unwrap();
    });
    std::fs::write(dir.path().join("password"), "a-password-for-mail\n").unwrap();
    let smtp = |server: &str| {
        format!(
            "[smtp]\nserver = \"{server}\"\nfrom = \"cordon@corp.example\"\nusername = \"cordon\"\npassword_file = {:?}\nca = {:?}\n",
            at("password"),
            at("ca/ca.pem")
        )
    };
    let nas = CoaNas::start(dir.path(), &[]);
    let server = Server::bare_with(&smtp(&format!("localhost:{}", receiver.port())));
    server.apply(&document(&server, nas.port, 1, ""));
    let body = json!({ "when": { "signals": ["prompt_injection"] },
                       "steps": [{ "do": "quarantine", "profile": "quarantine" }, { "do": "notify" },
                                 { "do": "notify", "to": ["soc@corp.example"] }] });
    put(&server, "told", &body);
    tell(&server, "prompt_injection", "high", "agent-0", "");
    let run = run(&server, "contained");
    assert_eq!(run["steps"][1]["detail"], "an email is on its way to ben@corp.example", "{run:#}");
    // A server that does not take it at once is asked again.
    wait_for("the first refusal", SOON, || server.log().contains("an email was not sent yet").then_some(()));
    receiver.mode("take");
    let taken = wait_for("both emails", Duration::from_secs(40), || {
        let lines = receiver.lines();
        (lines.len() >= 2).then_some(lines)
    });
    let first = &taken[0];
    assert_eq!(
        (&first["to"], &first["tls"], &first["login"]),
        (&json!(["ben@corp.example"]), &json!(true), &json!("cordon"))
    );
    assert_eq!(first["subject"], "told: agent-0 (running)", "{first:#}");
    let text = first["text"].as_str().unwrap();
    assert!(text.contains("prompt_injection of") && text.contains("- quarantine: done"), "{text}");
    assert_eq!(taken[1]["to"], json!(["soc@corp.example"]));

    let before = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    let start = before.find("[smtp]").unwrap();
    for (wrong, part) in [
        (smtp("mail.example:port"), "[smtp] server is"),
        (smtp("mail.example").replace("from =", "security = \"none\"\nfrom ="), "in clear text"),
        (smtp("mail.example").replace("cordon@corp.example", "cordon"), "[smtp] from is"),
        (smtp("mail.example").replace("username = \"cordon\"\n", ""), "one of username and password_file"),
    ] {
        std::fs::write(server.path("cordon.toml"), format!("{}{wrong}", &before[..start])).unwrap();
        let (ok, out) = server.command(&["check"]);
        assert!(!ok && out.contains(part), "{wrong}: {out}");
    }
}
