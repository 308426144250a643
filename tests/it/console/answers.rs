//! What answers to a threat or a mistake: playbooks, drills, disconnects, waves, revocations, and what is pinned against the next.

use super::browse_as;
use super::setup::own_ca;
use super::tasks::{agent, mab, serve_with};
use crate::support::coa_nas::values;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Sessions of the wave: more than go at once.
const WAVE: usize = 24;
/// RFC 2865, section 5.31.
const CALLING_STATION_ID: u8 = 31;
/// Codes of RFC 5176.
const DISCONNECT_REQUEST: u8 = 40;
const COA_REQUEST: u8 = 43;

#[test]
fn a_playbook_is_written_drilled_let_loose_and_stopped() {
    let (server, nas) = serve_with("", "");
    agent(&server);
    let agent = server.get("/api/v1/identities?name=coder-1")["items"][0]["id"].clone();
    let told = browse_as(&server, &["administrator"], "playbooks", &json!({ "agent": agent }));
    // The drill asked the switch, whose endpoint never came again: what the session is to become is asked for once.
    assert!(!nas.requests().is_empty());
    let drill = told["drill"].as_array().unwrap();
    assert_eq!((&drill[0], drill.len()), (&json!("sw-hq-1"), 4), "{told:#}");
    assert!(drill[1..].iter().all(|cell| cell.as_str().unwrap().ends_with(" ms")), "{told:#}");
    let audit = server.get("/api/v1/audit?limit=200").to_string();
    for text in ["a storm of alerts", "seen by two people", "playbook.remove"] {
        assert!(audit.contains(text), "{text} is not in the audit log: {audit}");
    }
    let playbooks = server.get("/api/v1/playbooks");
    assert_eq!(playbooks["items"], json!([]), "{playbooks:#}");
}

#[test]
fn sessions_end_a_wave_is_let_go_a_certificate_is_revoked_and_a_decision_is_pinned() {
    let mut printers = String::new();
    for n in 0..WAVE {
        writeln!(
            printers,
            "[[identity]]\nname = \"printer-{n:02}\"\nkind = \"device\"\nowner = \"ben\"\npurpose = \"prints\"\n\
             groups = [\"mab-allowed\"]\ncredentials = [{{ mac = \"02-00-5E-70-00-{n:02X}\" }}]"
        )
        .unwrap();
    }
    let config = format!("[changes]\nhold_above = 20\nhold_secs = 600\n{}", own_ca());
    let (server, nas) = serve_with(&config, &printers);
    for n in 0..WAVE {
        let mac = format!("02-00-5E-70-00-{n:02X}");
        assert!(mab(&server, &mac, &mac.replace('-', "")).contains("Access-Accept"));
    }
    let all = json!({ "change": "reauthenticate", "filter": { "nas": "sw-hq-1" }, "reason": "new firmware" });
    let (status, placed) = server.send("POST", "/api/v1/changes", &all);
    assert_eq!((status, &placed["sessions"]), (202, &json!(WAVE)), "{placed:#}");
    let told = browse_as(&server, &["administrator"], "answers", &json!({ "wave": WAVE }));
    assert_eq!(told["revoked"], "revoked", "{told:#}");
    let certificates = server.get("/api/v1/ca/certificates");
    assert!(certificates["items"][0]["revoked_at"].is_string(), "{certificates:#}");
    // Each session of the wave was asked to log in again, and one was ended.
    let mut asked = nas.requests();
    asked.retain(|request| request["repeated"] == false);
    let whose = |code: u8| {
        let of = asked.iter().filter(|request| request["code"] == code);
        of.flat_map(|request| values(request, CALLING_STATION_ID)).collect::<BTreeSet<_>>()
    };
    assert_eq!(whose(COA_REQUEST).len(), WAVE, "{asked:#?}");
    assert_eq!(whose(DISCONNECT_REQUEST).into_iter().collect::<Vec<_>>(), ["02-00-5E-70-00-05"], "{asked:#?}");
    let tests: Value = server.get("/api/v1/policy");
    assert!(tests["tests"].as_str().unwrap().contains("printer-03"), "{tests:#}");
}
