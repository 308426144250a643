//! `cordon policy`: tests that guard a policy, explanations, and what a draft
//! would change.

use crate::support::eapol::Eapol;
use crate::support::radclient::radclient;
use crate::support::server::{Config, Server};
use crate::support::{cordon, text, wait_for};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

const RULES: &str = r#"
@id("quarantined") @order("1") @profile("quarantine")
forbid (principal in Group::"quarantined", action == Network::Action::"connect", resource);

@id("laptops") @order("10") @profile("corp")
permit (principal in Group::"laptops", action == Network::Action::"connect", resource)
when { context.method == "eap-tls" && context has certificate && context.certificate.days_left > 7 };

@id("cameras") @order("20") @profile("iot")
permit (principal in Group::"mab-allowed", action == Network::Action::"connect", resource in NasGroup::"access")
unless { context.nas has ssid };
"#;

const TESTS: &str = r#"
[[test]]
name = "a laptop with a good certificate"
given = { identity = "p256" }
expect = "corp"

[[test]]
name = "a laptop whose certificate is nearly over"
given = { identity = "p256", days_left = 3 }
expect = "deny"

[[test]]
name = "a camera at the wire"
given = { identity = "camera", method = "mab" }
expect = "iot"

[[test]]
name = "a stranger"
given = { method = "mab", at = "2026-11-24T03:00:00Z" }
expect = "deny"
"#;

fn config() -> Config {
    Config { policy: RULES.into(), nas: "groups = [\"access\"]".into(), ..Config::default() }
}

/// A server whose policy is guarded by tests.
fn guarded() -> Server {
    let server = Server::start(&config());
    std::fs::write(server.path("tests.toml"), TESTS).unwrap();
    let file = server.path("cordon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("file = \"policy.cedar\"", "file = \"policy.cedar\"\ntests = \"tests.toml\""))
        .unwrap();
    wait_for("the tests to be in force", Duration::from_secs(10), || {
        server.log().contains("is in force").then_some(())
    });
    server
}

fn policy(server: &Server, args: &[&str]) -> (bool, String) {
    let mut command: Command = cordon();
    command.arg("policy").args(args).arg("--config").arg(server.path("cordon.toml"));
    let out = command.output().unwrap();
    (out.status.success(), text(&out))
}

fn mab(server: &Server, mac: &str) -> String {
    let request = format!(
        "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
         Message-Authenticator=0x00"
    );
    radclient(server.auth, "auth", &request)
}

#[test]
fn a_policy_that_fails_its_tests_does_not_come_into_force() {
    let server = guarded();
    let (ok, out) = policy(&server, &["test"]);
    assert!(ok && out.matches("ok ").count() == 4, "{out}");
    let login = Eapol::new("p256");
    login.run(&server).assert_accepted(1);

    let draft = server.path("draft.cedar");
    std::fs::write(&draft, RULES.replace("days_left > 7", "days_left > 1")).unwrap();
    let (ok, out) = policy(&server, &["test", "--draft", draft.to_str().unwrap()]);
    assert!(!ok && out.contains("FAILED  a laptop whose certificate is nearly over"), "{out}");
    assert!(out.contains("expected deny, got the profile corp by laptops"), "{out}");

    std::fs::copy(&draft, server.path("policy.cedar")).unwrap();
    wait_for("the refusal", Duration::from_secs(10), || {
        let log = server.log();
        (log.contains("not reloaded") && log.contains("tests.toml:8") && log.contains("nearly over")).then_some(())
    });
    login.run(&server).assert_accepted(1);
    let revision = server.decision(&login.mac)["policy_revision"].clone();
    std::fs::write(server.path("policy.cedar"), format!("{RULES}\n// mended\n")).unwrap();
    wait_for("the next policy", Duration::from_secs(10), || {
        login.run(&server);
        (server.decision(&login.mac)["policy_revision"] != revision).then_some(())
    });
}

#[test]
fn mistakes_in_tests_are_named() {
    let server = guarded();
    for (tests, part) in [
        (
            "[[test]]\nname = \"x\"\ngiven = { identity = \"nobody\" }\nexpect = \"corp\"",
            "no identity is called \"nobody\"",
        ),
        ("[[test]]\nname = \"x\"\ngiven = { nas = \"nowhere\" }\nexpect = \"corp\"", "no NAS is called"),
        ("[[test]]\nname = \"x\"\ngiven = { colour = 1 }\nexpect = \"corp\"", "colour"),
        ("[[test]]\nname = \"x\"\ngiven = { at = \"noon\" }\nexpect = \"corp\"", "no time"),
        ("[[test]]\nname = \"x\"", "expect"),
    ] {
        std::fs::write(server.path("tests.toml"), tests).unwrap();
        let (ok, out) = policy(&server, &["test"]);
        assert!(!ok && out.contains(part), "no {part:?} in:\n{out}");
        let check = cordon().args(["check", "--config"]).arg(server.path("cordon.toml")).output().unwrap();
        assert!(!check.status.success() && text(&check).contains("tests.toml"), "{}", text(&check));
    }
}

#[test]
fn explain_says_on_what_each_rule_stops() {
    let server = Server::start(&config());
    let (ok, out) = policy(&server, &["explain", "--identity", "p256"]);
    assert!(ok && out.contains("permitted with the profile corp, by laptops"), "{out}");
    assert!(out.contains("is about others: principal in Group::\"quarantined\""), "{out}");
    assert!(out.contains("is about others: principal in Group::\"mab-allowed\""), "{out}");

    let (ok, out) = policy(&server, &["explain", "--identity", "p256", "--method", "mab"]);
    assert!(ok && out.contains("denied, since no rule permits it"), "{out}");
    assert!(out.contains("is not so: context.method == \"eap-tls\""), "{out}");

    let (ok, out) = policy(&server, &["explain", "--identity", "camera", "--method", "mab", "--ssid", "guests"]);
    assert!(ok && out.contains("is not so: !(context.nas has ssid)"), "{out}");

    // The same of what was recorded.
    let login = Eapol::new("p256");
    login.run(&server).assert_accepted(1);
    let id = server.decision(&login.mac)["id"].as_str().unwrap().to_owned();
    let (ok, out) = policy(&server, &["explain", "--decision", &id]);
    assert!(ok && out.contains("permitted with the profile corp, by laptops"), "{out}");
    let login = Eapol::new("expired");
    login.run(&server).assert_refused();
    let id = server.decision(&login.mac)["id"].as_str().unwrap().to_owned();
    let (ok, out) = policy(&server, &["explain", "--decision", &id]);
    assert!(!ok && out.contains("the policy was not asked"), "{out}");
}

#[test]
fn diff_counts_what_asking_again_one_by_one_counts() {
    let server = Server::start(&config());
    for client in ["p256", "rsa2048", "direct", "unbound", "expired"] {
        Eapol::new(client).run(&server);
    }
    for n in 0..6 {
        mab(&server, &format!("02-00-5E-00-00-{:02X}", 0x0e + n));
    }
    // What is in force says today what it said then.
    let draft = server.path("draft.cedar");
    std::fs::write(&draft, RULES).unwrap();
    let (ok, out) = policy(&server, &["diff", "--draft", draft.to_str().unwrap()]);
    assert!(ok && out.contains("10 decisions") && out.contains("nobody would get another profile"), "{out}");

    let changed = RULES
        .replace("@profile(\"corp\")", "@profile(\"machines\")")
        .replace("permit (principal in Group::\"mab-allowed\"", "permit (principal");
    std::fs::write(&draft, &changed).unwrap();
    let (ok, out) = policy(&server, &["diff", "--draft", draft.to_str().unwrap()]);
    assert!(!ok && out.contains("draft.cedar:9") && out.contains("whoever is in the right place"), "{out}");
    let meant = changed.replace("@id(\"cameras\")", "@accept(\"network-only\") @id(\"cameras\")");
    std::fs::write(&draft, meant).unwrap();
    let (ok, out) = policy(&server, &["diff", "--draft", draft.to_str().unwrap()]);
    assert!(ok, "{out}");
    // By hand: each recorded decision, explained by the draft.
    let page = server.get("/api/v1/decisions?limit=500");
    let mut expected: BTreeMap<String, u32> = BTreeMap::new();
    for decision in page["items"].as_array().unwrap() {
        let (asked, said) = policy(
            &server,
            &["explain", "--draft", draft.to_str().unwrap(), "--decision", decision["id"].as_str().unwrap()],
        );
        if !asked {
            continue;
        }
        let old = decision["profile"].as_str().unwrap_or("denied").to_owned();
        let new = match said.split("the profile ").nth(1).filter(|_| said.contains(": permitted")) {
            Some(rest) => rest.split(',').next().unwrap().to_owned(),
            None => "denied".to_owned(),
        };
        if old != new {
            *expected.entry(format!("{old} -> {new}")).or_default() += 1;
        }
    }
    assert_eq!(expected.len(), 2, "{expected:?}");
    for (change, count) in expected {
        assert!(out.contains(&format!("{change}: {count} decisions")), "no {change}: {count} in:\n{out}");
    }
}
