//! What sets a network up and answers for it: the first steps, a switch, a policy that moves somebody, and the evidence.

use super::{OPERATORS, browse_as, invite};
use crate::support::coa_nas::CoaNas;
use crate::support::pki::pki;
use crate::support::radclient::radclient;
use crate::support::server::{SECRET, Server};
use crate::support::{cordon, succeed};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The lines of a CA of the server's own.
pub(super) fn own_ca() -> String {
    let ca = tempfile::tempdir().unwrap().keep();
    succeed(cordon().args(["ca", "init", "--intermediate", "--dir"]).arg(&ca));
    let file = |name: &str| ca.join(name);
    format!(
        "[pki]\ndir = {ca:?}\n[[ca]]\nname = \"own\"\nfile = {:?}\ncrl = [{:?}, {:?}]\n",
        file("ca.pem"),
        file("ca.crl"),
        file("intermediate.crl"),
    )
}

/// A server without anything but a CA of its own.
fn empty() -> Server {
    Server::bare_with(&format!("{}{OPERATORS}", own_ca()))
}

/// Where the server asks to be found, and a folder for files.
fn told(server: &Server, more: Value) -> Value {
    let mut told = json!({ "auth": server.auth.port(), "acct": server.acct.port(), "dir": server.path("."),
        "ca": pki().path("corp/ca.pem"), "secret": SECRET });
    told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    told
}

#[test]
fn from_an_empty_server_to_the_first_login_by_the_first_steps_alone() {
    let server = empty();
    let told = browse_as(&server, &["administrator"], "first_run", &told(&server, json!({})));
    let seconds = told["seconds"].as_f64().unwrap();
    println!("from the first step to the first login: {seconds:.1} s");
    assert!(seconds < 300.0, "{told:#}");
    let decision = server.get("/api/v1/decisions?outcome=accept&limit=1");
    assert_eq!(decision["items"][0]["identity"]["name"], "laptop-1", "{decision:#}");
}

#[test]
fn a_switch_is_added_with_its_text_and_comes_alive() {
    let server = Server::bare_with(OPERATORS);
    let dir = tempfile::tempdir().unwrap();
    let nas = CoaNas::start(dir.path(), &["--disconnect", "nak:503", "--secret", "a-secret-that-was-typed"]);
    let told = browse_as(&server, &["administrator"], "switch", &told(&server, json!({ "coa": nas.port })));
    assert_eq!(told["steps"]["packet"], "good", "{told:#}");
    assert_eq!(nas.requests().len(), 1);
    let tls = server.get("/api/v1/nas/branch-7");
    assert_eq!(
        (&tls["radsec"], &tls["coa"]),
        (&json!({ "san_dns": "branch-7.our.example" }), &json!(false)),
        "{tls:#}"
    );
}

/// Printers at two sites, each with its switch.
fn printers() -> Server {
    printers_with("")
}

/// The same, with further lines of the configuration.
fn printers_with(more: &str) -> Server {
    let server = Server::bare_with(&format!("{OPERATORS}{more}"));
    let mut text = "[[identity]]\nname = \"ben\"\nkind = \"user\"\n[policy]\nfile = \"rules.cedar\"\n".to_owned();
    for (site, address) in [("hq", "127.0.0.1"), ("branch", "127.0.0.2")] {
        writeln!(
            text,
            "[[site]]\nname = {site:?}\n[[nas]]\nname = \"sw-{site}\"\naddress = {address:?}\nsecret = {SECRET:?}\nsite = {site:?}"
        )
        .unwrap();
    }
    for (profile, vlan) in [("printers", 30), ("printers-hq", 31)] {
        writeln!(text, "[[profile]]\nname = {profile:?}\nvlan = {vlan}").unwrap();
    }
    for n in 0..4 {
        writeln!(
            text,
            "[[identity]]\nname = \"printer-{n}\"\nkind = \"device\"\ngroups = [\"printers\"]\nowner = \"ben\"\n\
             purpose = \"printing\"\ncredentials = [{{ mac = \"02-00-5E-70-00-0{n}\" }}]"
        )
        .unwrap();
    }
    let rules = "@id(\"printers\")\n@order(\"40\")\n@profile(\"printers\")\npermit (principal in Group::\"printers\", \
                 action == Network::Action::\"connect\", resource)\nwhen { context.method == \"mab\" };\n";
    std::fs::write(server.path("rules.cedar"), rules).unwrap();
    server.apply(&text);
    for n in 0..4 {
        let from = if n == 3 { "127.0.0.2" } else { "127.0.0.1" };
        let mac = format!("02-00-5E-70-00-0{n}");
        let out = radclient(
            server.auth,
            "auth",
            &format!(
                "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
                 NAS-Port-Type=Ethernet, NAS-Port-Id=\"1/0/{n}\", Packet-Src-IP-Address={from}, Message-Authenticator=0x00"
            ),
        );
        assert!(out.contains("Access-Accept"), "{out}");
    }
    server
}

#[test]
fn printers_of_one_site_move_after_the_difference_was_seen_and_come_back() {
    let server = printers();
    let told = browse_as(&server, &["administrator"], "policy", &told(&server, json!({})));
    assert_eq!(told["vlans"], json!(["31", "30", "30"]), "{told:#}");
    let steps = server.get("/api/v1/policy/revisions");
    let in_force = steps.as_array().unwrap().iter().find(|r| r["in_force"] == true).unwrap();
    assert_eq!(in_force["activations"][0]["step"], "rollback", "{steps:#}");
    let audit = server.get("/api/v1/audit?limit=100").to_string();
    assert!(audit.contains("printers of hq have a VLAN of their own"), "why is not in the audit log");
}

#[test]
fn a_policy_waits_for_a_second_pair_of_eyes() {
    let server = printers_with("[policy]\nfour_eyes = true\n");
    let second = invite(&server, "olga", &["policy_author"]);
    browse_as(&server, &["policy_author"], "four_eyes", &told(&server, json!({ "second": second })));
    let policy = server.get("/api/v1/policy");
    assert_eq!(policy["rules"], 0, "{policy:#}");
}

#[test]
fn the_audit_log_is_verified_and_a_report_is_taken_away() {
    let server = printers();
    let told = browse_as(&server, &["administrator"], "evidence", &told(&server, json!({})));
    let report = told["report"].as_str().unwrap();
    assert!(report.lines().count() >= 5 && report.contains("printer-2"), "{report}");
    assert_eq!(told["verified"], "intact");
}

#[test]
fn every_page_of_rules_and_trust_is_there_on_a_desk_and_on_a_phone() {
    let server = printers();
    // Something to look at: a certificate that ends, a signal, a webhook, a token, another operator.
    let identity = server.get("/api/v1/identities?name=printer-0")["items"][0]["id"].clone();
    let signal = json!({ "signals": [{ "kind": "ids_alert", "severity": "high", "detail": "ET SCAN <b>behaviour</b>", "identity": identity }] });
    server.send("POST", "/api/v1/signals", &signal);
    server.send("POST", "/api/v1/tokens", &json!({ "name": "siem", "role": "auditor" }));
    let hook = json!({ "name": "chat", "url": "http://127.0.0.1:9/hook", "events": ["signal"] });
    server.send("POST", "/api/v1/webhooks", &hook);
    server.send("POST", "/api/v1/operators", &json!({ "name": "olga", "roles": ["operator"], "sites": ["hq"] }));
    let check = json!({ "checks": [{ "check": "disk_encryption", "is": true }], "groups": ["printers"] });
    let (status, made) = server.send("PUT", "/api/v1/compliance/printers", &check);
    assert!(status < 300, "{made:#}");
    server.send(
        "PUT",
        "/api/v1/nas/sw-new",
        &json!({ "address": "10.0.0.9", "vendor": "aruba-cx", "secret": SECRET, "site": "hq" }),
    );
    browse_as(&server, &["administrator"], "pages", &told(&server, json!({ "identity": identity })));
}
