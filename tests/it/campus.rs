//! The sample campus: applied in one command, tested by its own tests, and seen
//! by stock peers on the gear of each vendor.

use crate::support::eapol::Eapol;
use crate::support::radclient::radclient_with;
use crate::support::server::Server;
use crate::support::{vlans, wait_for};
use crate::vendors::golden;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The campus with its gear at addresses of this machine: 10.1.0.11 becomes
/// 127.1.0.11.
fn campus(server: &Server) -> PathBuf {
    let dir = server.path("campus");
    std::fs::create_dir_all(&dir).unwrap();
    for entry in std::fs::read_dir(root().join("examples/campus")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap().replace("address = \"10.", "address = \"127.");
        std::fs::write(dir.join(path.file_name().unwrap()), text).unwrap();
    }
    dir
}

fn applied() -> (Server, PathBuf) {
    let server = Server::bare();
    let dir = campus(&server);
    server.in_force(|| server.succeed(&["apply", "-f", dir.to_str().unwrap(), "-m", "the campus", "--by", "elena"]));
    (server, dir)
}

/// A login by MAC address at the NAS of this name, as radclient sees the reply:
/// what the switch acts on.
fn mab(server: &Server, nas: &str, address: &str, mac: &str, more: &str) -> Vec<String> {
    let request = format!(
        "Packet-Src-IP-Address={address}, User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, \
         Calling-Station-Id={mac:?}, {more} Message-Authenticator=0x00"
    );
    let out = radclient_with(server.auth, "auth", &request, &format!("replace-me-{nas}"));
    let reply = out.split("Received Access-").nth(1).unwrap_or_else(|| panic!("{nas}: {out}"));
    let (kind, rest) = reply.split_once(' ').unwrap();
    let own = ["Class", "Message-Authenticator", "User-Name"];
    let lines = rest.lines().skip(1).map(str::trim).filter(|line| line.contains(" = "));
    let lines = lines.filter(|line| !own.iter().any(|name| line.starts_with(name)));
    std::iter::once(format!("Access-{kind}")).chain(lines.map(str::to_owned)).collect()
}

fn login(client: &str, nas: &str, address: &str) -> Eapol {
    let mut login = Eapol::new(client);
    login.secret = format!("replace-me-{nas}");
    login.args = vec!["-A".into(), address.into()];
    login
}

#[test]
fn a_campus_is_applied_once_and_each_vendor_is_told_in_its_own_words() {
    let (server, dir) = applied();
    let again = server.succeed(&["apply", "-f", dir.to_str().unwrap()]);
    assert!(again.contains("0 to change, "), "{again}");
    let tests = server.succeed(&["policy", "test"]);
    assert_eq!((tests.matches("ok ").count(), tests.matches("FAILED").count()), (28, 0), "{tests}");

    let mut seen = String::new();
    let phone = "02-00-5E-10-00-1B";
    for (nas, address, mac, more) in [
        ("hq-access-1", "127.1.0.11", phone, ""),
        ("plant-access-1", "127.2.0.11", phone, ""),
        ("plant-hall", "127.2.0.21", phone, ""),
        ("branch-sw", "127.3.0.11", phone, ""),
        ("branch-sw-2", "127.3.0.21", phone, ""),
        ("hq-wlc", "127.1.0.20", "02-00-5E-99-00-01", "Called-Station-Id=\"02-00-5E-00-00-01:guests\","),
        ("plant-ap", "127.2.0.30", "02-00-5E-99-00-01", "Called-Station-Id=\"02-00-5E-00-00-01:guests\","),
    ] {
        writeln!(seen, "{nas}: {}", mab(&server, nas, address, mac, more).join("\n    ")).unwrap();
    }
    let agent = login("coder-1", "hq-dc-1", "127.1.9.1");
    agent.run(&server).assert_accepted(1);
    let decision = server.decision(&agent.mac);
    writeln!(seen, "hq-dc-1: Access-Accept").unwrap();
    for attribute in decision["reply"].as_array().unwrap().iter().filter(|a| a["name"] != "Class") {
        writeln!(seen, "    {} = {}", attribute["name"].as_str().unwrap(), attribute["value"].as_str().unwrap())
            .unwrap();
    }
    golden(&root().join("tests/golden/campus.txt"), &seen);

    // At the gear of another vendor, the same MAC address is nobody.
    assert_eq!(mab(&server, "hq-dc-1", "127.1.9.1", phone, ""), ["Access-Reject"]);
}

#[test]
fn one_rule_file_answers_for_a_laptop_a_machine_and_an_agent() {
    let (server, _) = applied();
    for (client, kind, nas, address, profile) in [
        ("anna-laptop", "device", "hq-access-1", "127.1.0.11", Some("finance")),
        ("web-01", "machine", "hq-dc-1", "127.1.9.1", Some("servers")),
        ("coder-1", "agent", "hq-dc-1", "127.1.9.1", Some("coding-agents")),
        ("web-01", "machine", "hq-access-1", "127.1.0.11", None),
        ("coder-1", "agent", "hq-access-1", "127.1.0.11", None),
    ] {
        let login = login(client, nas, address);
        let result = login.run(&server);
        assert_eq!(result.accepted, profile.is_some(), "{client} at {nas}: {}", result.text);
        let decision = server.decision(&login.mac);
        assert_eq!(decision["identity"]["name"], client, "{decision:#}");
        assert_eq!(decision["identity"]["kind"], kind, "{decision:#}");
        assert_eq!(decision["profile"].as_str(), profile, "{decision:#}");
    }
}

#[test]
fn a_vlan_changes_when_the_policy_is_activated_and_no_login_is_lost() {
    let (server, dir) = applied();
    let vlan = |login: &Eapol| {
        let result = login.run(&server);
        result.assert_accepted(1);
        vlans(&result.text).pop().unwrap()
    };
    let anna = login("anna-laptop", "hq-access-1", "127.1.0.11");
    assert_eq!(vlan(&anna), "finance");

    let policy = std::fs::read_to_string(dir.join("policy.cedar")).unwrap();
    let draft = server.path("draft.cedar");
    std::fs::write(&draft, policy.replace("@profile(\"finance\")", "@profile(\"staff-limited\")")).unwrap();
    let draft = draft.to_str().unwrap();
    // The tests say finance, and keep it out.
    let (ok, out) = server.command(&["policy", "activate", draft]);
    assert!(!ok && out.contains("a finance laptop gets the finance VLAN"), "{out}");
    let tests = server.path("tests.toml");
    let text = std::fs::read_to_string(dir.join("policy-tests.toml")).unwrap();
    std::fs::write(&tests, text.replace("expect = \"finance\"", "expect = \"staff-limited\"")).unwrap();
    let tests = tests.to_str().unwrap();

    let diff = server.succeed(&["policy", "diff", "--draft", draft]);
    assert!(diff.contains("finance -> staff-limited: 1 decisions, 1: anna-laptop"), "{diff}");

    // Logins go on all the while, and none of them fails.
    let (stop, done) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let others = login("web-01", "hq-dc-1", "127.1.9.1");
        let (stop, done, server) = (&stop, &done, &server);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                others.run(server).assert_accepted(1);
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        server.in_force(|| server.succeed(&["policy", "activate", draft, "--tests", tests, "-m", "limit finance"]));
        assert_eq!(vlan(&anna), "staff");
        assert_eq!(server.decision(&anna.mac)["profile"], "staff-limited");
        server.in_force(|| server.succeed(&["policy", "rollback", "--by", "bruno"]));
        assert_eq!(vlan(&anna), "finance");
        wait_for("logins meanwhile", Duration::from_secs(20), || (done.load(Ordering::Relaxed) >= 3).then_some(()));
        stop.store(true, Ordering::Relaxed);
    });
    let history = server.succeed(&["policy", "history"]);
    assert!(history.contains("limit finance") && history.contains("by bruno"), "{history}");
    assert!(history.contains("the campus") && history.contains("elena"), "{history}");
}

#[test]
fn a_decision_becomes_a_test_in_one_step() {
    let (server, dir) = applied();
    let anna = login("anna-laptop", "branch-sw", "127.3.0.11");
    anna.run(&server).assert_accepted(1);
    let id = server.decision(&anna.mac)["id"].as_str().unwrap().to_owned();
    let out = server.in_force(|| server.succeed(&["policy", "pin", &id, "--name", "anna at the branch"]));
    assert!(out.contains("policy revision 2 is active"), "{out}");
    assert!(server.succeed(&["policy", "test"]).contains("ok      anna at the branch"));
    let draft = server.path("draft.cedar");
    let policy = std::fs::read_to_string(dir.join("policy.cedar")).unwrap();
    // Only the pinned test knows of the branch.
    std::fs::write(
        &draft,
        policy.replace(
            "resource in NasGroup::\"access\")\nwhen { context.method == \"eap-tls\" };\n\n@id(\"finance-air\")",
            "resource in Site::\"hq\")\nwhen { context.method == \"eap-tls\" };\n\n@id(\"finance-air\")",
        ),
    )
    .unwrap();
    let (ok, out) = server.command(&["policy", "activate", draft.to_str().unwrap()]);
    assert!(!ok && out.contains("anna at the branch") && out.contains("expected finance"), "{out}");
    // A pin is no policy of its own to go back from.
    let (ok, out) = server.command(&["policy", "rollback"]);
    assert!(!ok && out.contains("no other policy was in force before"), "{out}");
    // Documents that do not know the test say that it would go.
    let out = server.succeed(&["apply", "--plan", "-f", dir.to_str().unwrap()]);
    assert!(out.contains("warning: the policy loses the test \"anna at the branch\""), "{out}");
}

#[test]
fn a_plan_tells_whom_it_touches_and_changes_nothing() {
    let (server, dir) = applied();
    login("anna-laptop", "hq-access-1", "127.1.0.11").run(&server).assert_accepted(1);
    login("coder-1", "hq-dc-1", "127.1.9.1").run(&server).assert_accepted(1);
    let devices = std::fs::read_to_string(dir.join("devices.toml")).unwrap();
    let changed = devices.replacen("groups = [\"staff\", \"finance\"]", "groups = [\"staff\"]", 1);
    std::fs::write(dir.join("devices.toml"), changed).unwrap();
    let profiles = std::fs::read_to_string(dir.join("profiles.toml")).unwrap();
    std::fs::write(dir.join("profiles.toml"), profiles.replace("10.1.30.11 port 22", "10.1.30.12 port 22")).unwrap();
    // The tests that come with it say otherwise of anna.
    let tests = std::fs::read_to_string(dir.join("policy-tests.toml")).unwrap();
    std::fs::write(dir.join("policy-tests.toml"), tests.replacen("anna-laptop", "bruno-laptop", 1)).unwrap();
    let plan = |more: &[&str]| server.succeed(&[&["apply", "--plan", "-f", dir.to_str().unwrap()], more].concat());
    let out = plan(&[]);
    assert!(out.contains("~ identity device anna-laptop: groups: [\"staff\", \"finance\"] -> [\"staff\"]"), "{out}");
    assert!(out.contains("~ profile coding-agents: acl"), "{out}");
    assert!(out.contains("finance -> staff: 1 decisions, 1: anna-laptop"), "{out}");
    assert!(out.contains("the profile coding-agents changes for 1: coder-1"), "{out}");
    assert_eq!(plan(&[]), out, "a plan changes nothing");
    // What a document no longer mentions stays, unless it is to go.
    std::fs::remove_file(dir.join("agents.toml")).unwrap();
    assert!(!plan(&[]).contains("- "), "{}", plan(&[]));
}
