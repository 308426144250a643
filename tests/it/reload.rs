//! Changes on disk are in force without a restart; mistakes change nothing.

use crate::support::eapol::Eapol;
use crate::support::pki::pki;
use crate::support::radclient::radclient;
use crate::support::server::{Config, SECRET, Server};
use crate::support::{cordon, succeed, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// A CA of the test's own, since others share the common one.
fn own_ca(dir: &Path) -> PathBuf {
    let ca = dir.join("own-ca");
    succeed(cordon().args(["ca", "init", "--name", "Own CA", "--dir"]).arg(&ca));
    ca
}

fn issue(ca: &Path, out: &Path, args: &[&str]) {
    succeed(cordon().args(["ca", "issue", "--dir"]).arg(ca).arg("--out").arg(out).args(args));
}

/// A client in the shared directory, issued by the test's own CA.
fn client(ca: &Path, name: &str) -> Eapol {
    issue(ca, &pki().path(name), &["--dns", "p256.corp.example"]);
    Eapol::new(name)
}

fn own_section(ca: &Path, more: &str) -> String {
    format!("{}\n[[ca]]\nname = \"own\"\nfile = {:?}\n{more}\n", Config::default().more, ca.join("ca.pem"))
}

#[test]
fn a_certificate_is_refused_as_soon_as_the_crl_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let ca = own_ca(dir.path());
    let more = own_section(&ca, &format!("crl = [{:?}]", ca.join("ca.crl")));
    let server = Server::start(&Config { more, ..Config::default() });
    let login = client(&ca, "own-revoked");
    login.run(&server).assert_accepted(1);
    succeed(cordon().args(["ca", "revoke", "--dir"]).arg(&ca).arg(pki().path("own-revoked.pem")));
    wait_for("the refusal", SOON, || (!login.run(&server).accepted).then_some(()));
    assert_eq!(server.decision(&login.mac)["reason"], "certificate_revoked");
}

#[test]
fn a_missing_crl_follows_the_setting_of_its_ca() {
    for (setting, accepted) in [("fail", false), ("warn", true)] {
        let dir = tempfile::tempdir().unwrap();
        let ca = own_ca(dir.path());
        // The CRL of another CA is there; that of this one is not.
        let more = own_section(
            &ca,
            &format!("crl_check = true\ncrl_missing = {setting:?}\ncrl = [{:?}]", pki().path("other/ca.crl")),
        );
        let server = Server::start(&Config { more, ..Config::default() });
        let login = client(&ca, &format!("own-missing-{setting}"));
        assert_eq!(login.run(&server).accepted, accepted, "{setting}");
        let decision = server.decision(&login.mac);
        if accepted {
            let warnings = decision["warnings"].as_array().unwrap();
            assert!(warnings.iter().any(|w| w.as_str().unwrap().contains("Own CA")), "{decision:#}");
        } else {
            assert_eq!(decision["reason"], "crl_missing", "{decision:#}");
        }
    }
}

#[test]
fn rules_identities_and_profiles_change_while_it_runs() {
    let config = Config::default();
    let server = Server::start(&config);
    let login = Eapol::new("p256");
    login.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&login.mac)["profile"], "corp");

    // Another rule.
    let policy = config.policy.replace("@profile(\"corp\")", "@profile(\"machines\")");
    std::fs::write(server.path("policy.cedar"), &policy).unwrap();
    wait_for("the new rule", SOON, || {
        login.run(&server);
        (server.decision(&login.mac)["profile"] == "machines").then_some(())
    });

    // A suspended identity.
    let text = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    let suspended = text.replace("name = \"p256\"\n", "name = \"p256\"\nstatus = \"suspended\"\n");
    assert_ne!(suspended, text);
    std::fs::write(server.path("cordon.toml"), &suspended).unwrap();
    wait_for("the suspension", SOON, || (!login.run(&server).accepted).then_some(()));
    assert_eq!(server.decision(&login.mac)["reason"], "identity_suspended");
    std::fs::write(server.path("cordon.toml"), &text).unwrap();
    wait_for("its end", SOON, || login.run(&server).accepted.then_some(()));
}

#[test]
fn what_needs_a_restart_is_not_said_to_be_in_force() {
    let server = Server::start(&Config::default());
    let write = |from: &str, to: &str| {
        let text = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
        assert!(text.contains(from), "no {from:?} in:\n{text}");
        std::fs::write(server.path("cordon.toml"), text.replace(from, to)).unwrap();
    };
    write("workers = 2\n", "workers = 3\n");
    write("[http]\nlisten = \"127.0.0.1:0\"", "[http]\nlisten = \"127.0.0.1:1\"");
    let told = "needs a restart: [server] workers, [http] listen";
    wait_for("the message", SOON, || server.log().contains(told).then_some(()));
    wait_for("the rest", SOON, || server.log().contains("all else of the changed configuration").then_some(()));
    assert!(!server.log().contains("INFO the changed configuration is in force"), "{}", server.log());
    assert_eq!(server.get_raw("/healthz", None).0, 200, "the API is where it was");
    // Nothing waits once the file says again what it said at the start.
    write("workers = 3\n", "workers = 2\n");
    write("127.0.0.1:1\"", "127.0.0.1:0\"");
    wait_for("the message", SOON, || server.log().contains("INFO the changed configuration is in force").then_some(()));
}

#[test]
fn a_mistake_is_told_and_changes_nothing() {
    let server = Server::start(&Config::default());
    let login = Eapol::new("p256");
    login.run(&server).assert_accepted(1);
    std::fs::write(server.path("policy.cedar"), "permit (principal, action, resource) when { context.colour };")
        .unwrap();
    wait_for("the message", SOON, || server.log().contains("not reloaded").then_some(()));
    login.run(&server).assert_accepted(1);
    let log = server.log();
    assert!(log.contains("policy.cedar:1"), "{log}");
}

/// A server whose rules are a file, and whose laptop is in the database; its id, and the file.
fn with_a_laptop() -> (Server, String, PathBuf) {
    let rules = tempfile::tempdir().unwrap().keep().join("rules.cedar");
    let text = "@id(\"known\") @order(\"10\") @profile(\"corp\") permit (principal is Device, action == Network::Action::\"connect\", resource);";
    std::fs::write(&rules, text).unwrap();
    let server = Server::bare_with(&format!(
        "[policy]\nfile = {rules:?}\n[[profile]]\nname = \"corp\"\nvlan = 20\n[[nas]]\nname = \"sw1\"\naddress = \"127.0.0.1\"\n\
         secret = {SECRET:?}\n"
    ));
    let send = |body: &Value| {
        let (status, answer) = server.send("POST", "/api/v1/identities", body);
        assert_eq!(status, 201, "{answer:#}");
        answer["item"]["id"].as_str().unwrap().to_owned()
    };
    send(&json!({ "kind": "user", "name": "alice" }));
    let id = send(&json!({
        "kind": "device", "name": "p256", "owner": "alice", "purpose": "work",
        "credentials": [{ "san_dns": "p256.corp.example" }],
    }));
    (server, id, rules)
}

/// Waits until a mistake was noticed.
fn noticed(server: &Server) {
    wait_for("the message", SOON, || server.log().contains("not reloaded").then_some(()));
}

#[test]
fn who_is_barred_stays_out_while_the_configuration_has_a_mistake() {
    let (server, id, _) = with_a_laptop();
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    let file = server.path("cordon.toml");
    let sound = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{sound}nonsense =\n")).unwrap();
    noticed(&server);
    // What is not about identities comes into force as well.
    let (status, site) = server.send("PUT", "/api/v1/sites/lab", &json!({}));
    assert_eq!((status, &site["in_force"]), (201, &json!(true)), "{site:#}");
    assert_eq!(server.get("/api/v1/sites/lab")["name"], "lab");
    let lost = json!({ "reason": "lost" });
    let (status, revoked) = server.send("POST", &format!("/api/v1/identities/{id}/revoke"), &lost);
    assert_eq!(
        (status, &revoked["status"], &revoked["in_force"]),
        (200, &json!("suspended"), &json!(true)),
        "{revoked:#}"
    );
    laptop.run(&server).assert_refused();
    let event = server.get("/api/v1/audit?kind=identity")["items"][0].clone();
    assert_eq!((&event["reason"], &event["object"]["name"]), (&json!("lost"), &json!("device p256")), "{event:#}");
    // The mistake is mended, and nothing is lost.
    let loads = || server.log().matches("the changed configuration is in force").count();
    let before = loads();
    std::fs::write(&file, &sound).unwrap();
    wait_for("the message", SOON, || (loads() > before).then_some(()));
    laptop.run(&server).assert_refused();
    assert_eq!(server.get(&format!("/api/v1/identities/{id}"))["status"], "suspended");
}

#[test]
fn who_is_barred_stays_out_while_the_rules_have_a_mistake() {
    let (server, id, rules) = with_a_laptop();
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    std::fs::write(rules, "permit (principal, action, resource) when { context.colour };").unwrap();
    noticed(&server);
    // What needs them is refused, and it is told why.
    let (status, refused) = server.send("PUT", "/api/v1/sites/lab", &json!({}));
    assert_eq!((status, &refused["code"]), (422, &json!("invalid_inventory")), "{refused:#}");
    assert!(refused["errors"][0]["at"].as_str().unwrap().contains("rules.cedar"), "{refused:#}");
    let path = format!("/api/v1/identities/{id}/status");
    let (status, barred) = server.send("POST", &path, &json!({ "status": "suspended" }));
    assert_eq!(
        (status, &barred["item"]["status"], &barred["in_force"]),
        (200, &json!("suspended"), &json!(true)),
        "{barred:#}"
    );
    laptop.run(&server).assert_refused();
}

#[test]
fn a_new_server_certificate_is_used_at_once() {
    let server = Server::start(&Config::default());
    // eapol_test prints the SHA-256 of each certificate that it is shown.
    let shown = |name: &str| {
        let text = std::fs::read(pki().path(&format!("{name}.pem"))).unwrap();
        let leaf = cordon::pki::pem::certificates(&text).unwrap().remove(0);
        format!("hash={}", cordon::pki::certificate::CertificateFacts::from_der(&leaf).unwrap().fingerprint)
    };
    let login = Eapol::new("p256").run(&server);
    login.assert_accepted(1);
    assert!(
        login.text.contains(&shown("server-p256")) && !login.text.contains(&shown("server-p384")),
        "{}",
        login.text
    );
    let text = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    std::fs::write(server.path("cordon.toml"), text.replace("server-p256", "server-p384")).unwrap();
    server.signal("HUP");
    wait_for("the new certificate", SOON, || {
        let login = Eapol::new("p256").run(&server);
        login.assert_accepted(1);
        login.text.contains(&shown("server-p384")).then_some(())
    });
}

#[test]
fn a_new_switch_may_ask_at_once() {
    let server = Server::start(&Config { nas: String::new(), ..Config::default() });
    let text = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    let more = "[[nas]]\nname = \"new\"\naddress = \"127.0.0.1\"\nsecret = \"a-secret-of-another-switch\"\n";
    std::fs::write(server.path("cordon.toml"), format!("{text}\n{more}")).unwrap();
    wait_for("the new switch", SOON, || {
        let out = crate::support::radclient::radclient_with(
            server.auth,
            "status",
            "Message-Authenticator=0x00",
            "a-secret-of-another-switch",
        );
        out.contains("Received Access-Accept").then_some(())
    });
    let out = radclient(server.auth, "status", "Message-Authenticator=0x00");
    assert!(out.contains("No reply"), "the longer prefix has the new secret: {out}");
}

#[test]
fn a_file_that_was_missing_is_waited_for() {
    let server = Server::start(&Config::default());
    let text = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    let more = "[[ca]]\nname = \"late\"\nfile = \"late.pem\"\n";
    std::fs::write(server.path("cordon.toml"), format!("{text}\n{more}")).unwrap();
    wait_for("the message", SOON, || server.log().contains("late.pem cannot be read").then_some(()));
    let dir = tempfile::tempdir().unwrap();
    let ca = own_ca(dir.path());
    let login = client(&ca, "own-late");
    login.run(&server).assert_refused();
    std::fs::copy(ca.join("ca.pem"), server.path("late.pem")).unwrap();
    wait_for("the login", SOON, || login.run(&server).accepted.then_some(()));
}

#[test]
fn a_crl_that_cannot_be_read_does_not_bring_the_revoked_back() {
    let dir = tempfile::tempdir().unwrap();
    let ca = own_ca(dir.path());
    let login = client(&ca, "own-gone");
    succeed(cordon().args(["ca", "revoke", "--dir"]).arg(&ca).arg(pki().path("own-gone.pem")));
    let more = own_section(&ca, &format!("crl_missing = \"warn\"\ncrl = [{:?}]", ca.join("ca.crl")));
    let server = Server::start(&Config { more, ..Config::default() });
    login.run(&server).assert_refused();
    std::fs::remove_file(ca.join("ca.crl")).unwrap();
    wait_for("the warning", SOON, || server.log().contains("stays in force").then_some(()));
    login.run(&server).assert_refused();
    assert_eq!(server.decision(&login.mac)["reason"], "certificate_revoked");
}
