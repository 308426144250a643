//! The inventory while the server runs: identities and their life, gear that
//! asks and is adopted, gear that is only observed, and mistakes that change
//! nothing.

use crate::support::eapol::Eapol;
use crate::support::pki::pki;
use crate::support::radclient::{radclient, radclient_with};
use crate::support::server::{SECRET, Server};
use crate::support::wait_for;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// A small inventory: one switch, one laptop, one camera and who answers for them.
const SMALL: &str = r#"
[policy]
file = "rules.cedar"

[[site]]
name = "hq"

[[group]]
name = "laptops"

[[group]]
name = "cameras"

[[nas]]
name = "sw1"
address = "127.0.0.0/16"
secret = "a-secret-of-some-length"
vendor = "cisco-ios"
site = "hq"
groups = ["access"]

[[profile]]
name = "corp"
vlan = 20

[[profile]]
name = "iot"
vlan = 30

[[binding]]
name = "devices"
kind = "device"
san_dns = "{name}.corp.example"

[[identity]]
name = "alice"
kind = "user"

[[identity]]
name = "p256"
kind = "device"
groups = ["laptops"]
owner = "alice"
purpose = "work"
attributes = { department = "it" }

[[identity]]
name = "camera"
kind = "device"
groups = ["cameras"]
owner = "alice"
purpose = "surveillance"
credentials = [{ mac = "02-00-5E-00-00-10" }]
"#;

const RULES: &str = r#"
@id("laptops") @order("10") @profile("corp")
permit (principal in Group::"laptops", action == Network::Action::"connect", resource in Site::"hq")
when { context.method == "eap-tls" && principal.hasTag("department") && principal.getTag("department") == "it" };

@id("cameras") @order("20") @profile("iot")
permit (principal in Group::"cameras", action == Network::Action::"connect", resource in NasGroup::"access")
when { context.method == "mab" };
"#;

fn small() -> Server {
    let server = Server::bare();
    std::fs::write(server.path("rules.cedar"), RULES).unwrap();
    server.apply(SMALL);
    server
}

fn mab(server: &Server, mac: &str) -> String {
    let request = format!(
        "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
         NAS-Identifier=\"access-7\", Cisco-AVPair=\"method=mab\", Message-Authenticator=0x00"
    );
    radclient(server.auth, "auth", &request)
}

#[test]
fn int_4_a_server_that_was_told_nothing_denies_everything() {
    let server = Server::bare();
    assert!(server.log().contains("there is no policy: nobody is let in"), "{}", server.log());
    server.apply(&format!("[[nas]]\nname = \"n\"\naddress = \"127.0.0.1\"\nsecret = \"{SECRET}\"\n"));
    assert!(mab(&server, "02-00-5E-00-00-10").contains("Access-Reject"));
    let login = Eapol::new("p256");
    login.run(&server).assert_refused();
    assert_eq!(server.decision(&login.mac)["reason"], "identity_unknown");
}

#[test]
fn what_4_a_life_is_lived_in_order_and_each_step_is_told() {
    let server = small();
    let login = Eapol::new("p256");
    login.run(&server).assert_accepted(1);
    let decision = server.decision(&login.mac);
    let by = decision["facts"].as_array().unwrap().iter().find(|f| f["name"] == "identity.matched_by").unwrap();
    assert_eq!(by["value"], "binding devices (san_dns {name}.corp.example)");

    let status = |status: &str| server.command(&["identity", "status", "device", "p256", status, "--by", "bob"]);
    let (ok, out) = server.in_force_of(|| status("suspended"));
    assert!(ok, "{out}");
    login.run(&server).assert_refused();
    assert_eq!(server.decision(&login.mac)["reason"], "identity_suspended");
    let (ok, out) = status("requested");
    assert!(
        !ok && out.contains("suspended cannot become requested; from suspended follows active or retired"),
        "{out}"
    );
    assert!(server.in_force_of(|| status("active")).0);
    login.run(&server).assert_accepted(1);
    assert!(server.in_force_of(|| status("retired")).0);
    let (ok, out) = status("active");
    assert!(!ok && out.contains("from retired follows nothing"), "{out}");

    let history = server.succeed(&["identity", "history", "device", "p256"]);
    let told: Vec<_> =
        ["retired", "active", "suspended"].iter().map(|s| history.find(&format!("\"new\":\"{s}\""))).collect();
    assert!(told.iter().all(Option::is_some) || history.contains("\"new\":null"), "{history}");
    assert_eq!(history.matches("  bob  update").count(), 3, "{history}");
    assert!(history.ends_with("4 changes\n"), "{history}");
}

#[test]
fn what_belongs_to_who_left_is_an_orphan() {
    let server = small();
    assert!(server.succeed(&["identity", "orphans"]).starts_with("0 orphans"));
    server.in_force(|| server.succeed(&["identity", "status", "user", "alice", "suspended"]));
    let out = server.succeed(&["identity", "orphans"]);
    assert!(out.contains("device camera  active, owner alice (its owner is suspended)"), "{out}");
    assert!(out.ends_with("2 orphans\n"), "{out}");
}

#[test]
fn a_switch_that_asks_is_found_and_adopted_without_a_restart() {
    let server = Server::bare();
    std::fs::write(server.path("rules.cedar"), RULES).unwrap();
    server.apply(&SMALL.replace("address = \"127.0.0.0/16\"", "address = \"127.9.9.9\""));
    let mac = "02-00-5E-00-00-10";
    assert!(!mab(&server, mac).contains("Received"), "nobody answers a stranger");
    let found = wait_for("the stranger", SOON, || {
        server.get("/api/v1/nas/unknown")["items"].get(0).filter(|n| n["packets"].as_u64() >= Some(1)).cloned()
    });
    assert_eq!((&found["address"], &found["nas_identifier"]), (&"127.0.0.1".into(), &"access-7".into()), "{found:#}");
    assert_eq!(found["vendor"], "cisco-ios");
    let out = server.succeed(&["nas", "unknown"]);
    assert!(out.contains("127.0.0.1") && out.contains("calls itself \"access-7\", speaks like cisco-ios"), "{out}");

    let secret = server.path("secret");
    let adopt = |name: &str, text: &str| {
        std::fs::write(&secret, text).unwrap();
        server.command(&[
            "nas",
            "adopt",
            "127.0.0.1",
            "--name",
            name,
            "--secret-file",
            secret.to_str().unwrap(),
            "--group",
            "access",
        ])
    };
    let (ok, out) = adopt("sw2", "another-secret-altogether");
    assert!(!ok && out.contains("made with another secret"), "{out}");
    let (ok, out) = server.in_force_of(|| adopt("sw2", SECRET));
    assert!(ok && out.contains("the secret fits"), "{out}");
    assert!(mab(&server, mac).contains("Access-Accept"));
    assert_eq!(server.get("/api/v1/nas/unknown")["items"].as_array().unwrap().len(), 0);

    // The secret is nowhere in the database.
    for file in ["cordon.db", "cordon.db-wal"] {
        let octets = std::fs::read(server.path("data").join(file)).unwrap();
        assert!(!octets.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()), "{file}");
    }
    let export = server.succeed(&["export"]);
    assert!(export.contains("name = \"sw2\"") && !export.contains(SECRET), "{export}");
    assert!(server.succeed(&["export", "--secrets"]).contains(SECRET));
}

#[test]
fn an_observed_switch_lets_in_and_records_what_would_have_happened() {
    let server = Server::bare();
    std::fs::write(server.path("rules.cedar"), RULES).unwrap();
    server.apply(&SMALL.replace("site = \"hq\"", "site = \"hq\"\nmode = \"observe\""));
    for (client, tls, outcome, reason, profile) in [
        ("p256", "1.3", "accept", "accepted", Some("corp")),
        ("unbound", "1.3", "reject", "identity_unknown", None),
        ("expired", "1.2", "reject", "certificate_expired", None),
        ("stranger", "1.3", "reject", "unknown_ca", None),
        ("revoked", "1.2", "reject", "certificate_revoked", None),
    ] {
        let login = Eapol { tls, ..Eapol::new(client) };
        login.run(&server).assert_accepted(1);
        let decision = server.decision(&login.mac);
        let expected = (outcome, reason, profile, false);
        let (got, why, granted) = (&decision["outcome"], &decision["reason"], decision["profile"].as_str());
        assert_eq!(
            (got.as_str().unwrap(), why.as_str().unwrap(), granted, decision["enforced"].as_bool().unwrap()),
            expected
        );
        let sent: Vec<_> = decision["reply"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
        assert!(!sent.iter().any(|name| name.starts_with("Tunnel")), "{sent:?}");
        assert!(sent.contains(&"Class"), "accounting finds the decision: {sent:?}");
    }
    assert!(mab(&server, "02-00-5E-00-00-77").contains("Access-Accept"));
    assert_eq!(server.decision("02-00-5E-00-00-77")["reason"], "mac_unknown");
    // A person at the switch's own login is no endpoint.
    let person = "User-Name=\"root\", User-Password=\"x\", Service-Type=Login, Message-Authenticator=0x00";
    assert!(radclient(server.auth, "auth", person).contains("Access-Reject"));
    let would = server.get("/api/v1/decisions?enforced=false&outcome=reject");
    assert_eq!(would["items"].as_array().unwrap().len(), 5, "{would:#}");
    std::fs::write(server.path("enforced.toml"), SMALL).unwrap();
    let plan = server.succeed(&["apply", "--plan", "-f", server.path("enforced.toml").to_str().unwrap()]);
    assert!(plan.contains("let in, since it is only observed -> denied: 2 decisions"), "{plan}");
    // Enforced again, it is refused again; the ticket of the observed login opens nothing.
    let login = Eapol::new("unbound");
    server.apply(SMALL);
    login.run(&server).assert_refused();
    assert_eq!(server.decision(&login.mac)["enforced"], true);
}

/// One mistake each: what to replace in the small inventory by what, and what
/// the message must say.
const MISTAKES: [(&str, &str, &[&str]); 40] = [
    ("[[site]]\nname = \"hq\"", "[[site]]\nname = hq", &["applied.toml:6"]),
    ("[[site]]\nname = \"hq\"", "[[site]]\nnmae = \"hq\"", &["applied.toml:6", "unknown field `nmae`"]),
    ("[[site]]\nname = \"hq\"", "[[site]]\nname = \"hq\"\n[[site]]\nname = \"hq\"", &["two sites are called \"hq\""]),
    ("[[site]]", "[[building]]", &["unknown field `building`", "a document has [[site]]"]),
    ("file = \"rules.cedar\"", "file = \"missing.cedar\"", &["applied.toml:3", "missing.cedar cannot be read"]),
    ("site = \"hq\"", "site = \"hg\"", &["sw1 stands at the site \"hg\", which is not declared"]),
    ("[\"laptops\"]", "[\"lapotps\"]", &["p256 is in the group \"lapotps\", which is not declared"]),
    ("\"127.0.0.0/16\"", "\"127.0.0.1/16\"", &["bits set beyond its prefix", "127.0.0.0/16"]),
    ("\"127.0.0.0/16\"", "\"localhost\"", &["\"localhost\" is no address or prefix"]),
    ("secret = \"a-secret-of-some-length\"\n", "", &["the NAS sw1 has no secret"]),
    ("secret = \"a-secret-of-some-length\"", "secret = \"\"", &["the secret of sw1 is empty"]),
    ("secret = \"a-secret-of-some-length\"", "secret_file = \"gone\"", &["the secret", "gone cannot be read"]),
    ("\"cisco-ios\"", "\"cisco\"", &["no NAS profile is called \"cisco\"", "cisco-ios"]),
    ("vendor = \"cisco-ios\"", "mode = \"watch\"", &["unknown variant `watch`"]),
    ("vlan = 20", "vlan = 4095", &["VLAN 4095 does not exist", "1 to 4094"]),
    ("vlan = 20", "vlan = \"\"", &["a VLAN's name has 1 to 253 octets"]),
    ("\"cisco-ios\"", "\"mikrotik-switch\"", &["a profile for it needs"]),
    ("vlan = 20", "vlan = { by_site = { branch = 20 } }", &["no VLAN at the site hq"]),
    ("vlan = 20", "vlan = { pool = [] }", &["a pool without a VLAN"]),
    ("vlan = 20", "vlan = 20\nacl = [\"allow all\"]", &["applied.toml:", "acc"]),
    ("vlan = 20", "vlan = 20\nacl = [\"permit ip to 2001:db8::/32\"]", &["sw1", "only IPv4"]),
    ("vlan = 20", "vlan = 20\nsecurity_group = 0", &["security group tag 0"]),
    ("vlan = 20", "vlan = 20\nattributes = [\"Tunnel-Type = VLAN\"]", &["repeats what vlan sends"]),
    ("vlan = 20", "vlan = 20\nattributes = [\"Cisco-Nonsense = 1\"]", &["Cisco-Nonsense"]),
    ("vlan = 20", "vlan = 20\nsession_timeout_secs = -1", &["applied.toml:"]),
    ("name = \"iot\"", "name = \"corp\"", &["two profiles are called \"corp\""]),
    ("{name}.corp.example", "corp.example", &["must hold one {name} or one (.*)"]),
    ("{name}.corp.example", "{name}", &["lets every certificate name itself"]),
    ("san_dns = \"{name}.corp.example\"", "", &["must look at exactly one field"]),
    ("kind = \"device\"\ngroups = [\"laptops\"]", "kind = \"robot\"", &["\"robot\" is not one of user, device"]),
    ("name = \"camera\"", "name = \"P256\"", &["two identities of kind device are called"]),
    ("owner = \"alice\"\npurpose = \"work\"", "purpose = \"work\"", &["device p256 has no owner"]),
    ("owner = \"alice\"\npurpose = \"work\"", "owner = \"alice\"", &["device p256 has no purpose"]),
    ("owner = \"alice\"\npurpose = \"work\"", "owner = \"alcie\"\npurpose = \"work\"", &["no user is called that"]),
    ("purpose = \"work\"", "purpose = \"work\"\nexpires = \"tomorrow\"", &["\"tomorrow\" is no time"]),
    ("purpose = \"work\"", "purpose = \"work\"\nautonomy = 9", &["autonomy level 9 is above 5"]),
    (
        "purpose = \"work\"",
        "purpose = \"work\"\ncredentials = [{ mac = \"02-00-5E-00-00-10\" }]",
        &["bound to", "camera", "p256"],
    ),
    ("purpose = \"work\"", "purpose = \"work\"\ncredentials = [{ mac = \"camera\" }]", &["no MAC address"]),
    (
        "purpose = \"work\"",
        "purpose = \"work\"\ncredentials = [{ san_dns = \"a\", mac = \"02-00-5E-00-00-11\" }]",
        &["names one thing"],
    ),
    (
        "purpose = \"work\"",
        "purpose = \"work\"\ncredentials = [{ serial = \"01\" }]",
        &["issuer and serial go together"],
    ),
];

/// The same for the rules.
const RULE_MISTAKES: [(&str, &str, &[&str]); 10] = [
    ("permit (principal in Group::\"laptops\"", "permit (principal in", &["rules.cedar:"]),
    ("@profile(\"corp\")", "@profile(\"crop\")", &["rules.cedar:", "no profile is called \"crop\""]),
    ("@profile(\"corp\")", "", &["rules.cedar:", "profile"]),
    ("@order(\"10\")", "@order(\"first\")", &["rules.cedar:", "order"]),
    ("@id(\"cameras\")", "@id(\"laptops\")", &["rules.cedar:", "laptops"]),
    ("@id(\"cameras\")", "@colour(\"red\") @id(\"cameras\")", &["rules.cedar:", "colour"]),
    ("context.method == \"mab\"", "context.methud == \"mab\"", &["rules.cedar:", "methud"]),
    ("context.method == \"mab\"", "context.mac == \"x\"", &["rules.cedar:", "mac"]),
    ("principal in Group::\"cameras\"", "principal", &["whoever is in the right place"]),
    ("principal.hasTag(\"department\") && ", "", &["rules.cedar:", "department"]),
];

#[test]
fn each_mistake_has_a_message_of_its_own_and_changes_nothing() {
    let server = small();
    let before = server.succeed(&["export", "--secrets"]);
    let mut messages = Vec::new();
    let mut refused = |what: &str, parts: &[&str]| {
        let (ok, out) = server.command(&["apply", "-f", server.path("applied.toml").to_str().unwrap()]);
        assert!(!ok, "{what} was applied:\n{out}");
        assert!(parts.iter().all(|part| out.contains(part)), "{what}: no {parts:?} in:\n{out}");
        assert!(out.contains("  -> "), "{what}: no remedy in:\n{out}");
        messages.push(out);
    };
    for (from, to, parts) in MISTAKES {
        assert!(SMALL.contains(from), "{from}");
        let mut text = SMALL.replacen(from, to, 1);
        if to.contains("mikrotik") {
            text = text.replace("vlan = 20", "vlan = \"staff\"");
        }
        let parts: &[&str] = if to.contains("mikrotik") { &["sw1", "cannot be told"] } else { parts };
        // A NAS without a secret keeps the one it has: the mistake is that of a new one.
        let text = if from.starts_with("secret") && to.is_empty() { text.replace("sw1", "sw9") } else { text };
        let parts: Vec<&str> =
            parts.iter().map(|p| if to.is_empty() && p.contains("sw1") { "sw9 has no secret" } else { p }).collect();
        std::fs::write(server.path("applied.toml"), text).unwrap();
        refused(&format!("{from} -> {to}"), &parts);
    }
    std::fs::write(server.path("applied.toml"), SMALL).unwrap();
    for (from, to, parts) in RULE_MISTAKES {
        assert!(RULES.contains(from), "{from}");
        std::fs::write(server.path("rules.cedar"), RULES.replacen(from, to, 1)).unwrap();
        refused(&format!("{from} -> {to}"), parts);
    }
    let told = messages.len();
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), told, "each has its own");
    assert_eq!(server.succeed(&["export", "--secrets"]), before, "nothing was changed");
    assert_eq!(server.log().matches("is in force").count(), 1, "{}", server.log());
}

#[test]
fn yaml_says_the_same_and_export_gives_what_was_applied() {
    let server = small();
    let yaml = "nas:\n  - name: sw2\n    address: 127.5.0.1\n    secret: another-secret-of-some-length\n    site: hq\n";
    std::fs::write(server.path("more.yaml"), yaml).unwrap();
    let file = server.path("more.yaml");
    server.in_force(|| server.succeed(&["apply", "-f", file.to_str().unwrap()]));
    let port = server.auth;
    let request = "Packet-Src-IP-Address=127.5.0.1, Message-Authenticator=0x00";
    assert!(radclient_with(port, "status", request, "another-secret-of-some-length").contains("Access-Accept"));
    for (wrong, message) in [
        ("site: hq", "more.yaml: the NAS sw2 stands at the site \"hg\", which is not declared"),
        ("address: 127.5.0.1", "more.yaml: \"hg\" is no address or prefix"),
        ("nas:", "more.yaml:"),
    ] {
        let to = wrong.split_once(' ').map_or("hg".to_owned(), |(key, _)| format!("{key} hg"));
        std::fs::write(&file, yaml.replace(wrong, &to)).unwrap();
        let (ok, out) = server.command(&["apply", "-f", file.to_str().unwrap()]);
        assert!(!ok && out.contains(message) && out.contains("  -> "), "{wrong}: {out}");
    }
    let out = server.path("exported");
    server.succeed(&["export", "--out", out.to_str().unwrap()]);
    let again = server.succeed(&["apply", "--prune", "-f", out.to_str().unwrap()]);
    assert!(again.contains("0 to change"), "{again}");
    // Without sw2, and with pruning, it goes; identities are suspended.
    let (ok, text) = server.in_force_of(|| {
        std::fs::write(
            server.path("applied.toml"),
            SMALL.replace("name = \"camera\"", "name = \"camera-2\"").replace("02-00-5E-00-00-10", "02-00-5E-00-00-20"),
        )
        .unwrap();
        server.command(&["apply", "--prune", "-f", server.path("applied.toml").to_str().unwrap()])
    });
    assert!(ok && text.contains("- nas sw2") && text.contains("- identity device camera"), "{text}");
    assert!(mab(&server, "02-00-5E-00-00-10").contains("Access-Reject"));
    assert_eq!(server.decision("02-00-5E-00-00-10")["reason"], "identity_suspended");
    assert!(!radclient_with(port, "status", request, "another-secret-of-some-length").contains("Received"));
}

#[test]
fn a_binding_that_leaves_the_ca_open_is_warned_about() {
    let server = small();
    assert!(!server.succeed(&["check"]).contains("binding"));
    server.apply("[[binding]]\nname = \"agents\"\nkind = \"agent\"\nca = \"crop\"\nsan_uri = \"spiffe://x/{name}\"\n");
    let out = server.succeed(&["check"]);
    assert!(out.contains("no [[ca]] is called that: it binds nothing"), "{out}");
    let config = server.path("cordon.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let other = pki().path("other/ca.pem");
    std::fs::write(&config, format!("{text}[[ca]]\nname = \"other\"\nfile = {other:?}\n")).unwrap();
    let out = server.succeed(&["check"]);
    assert!(out.contains("the binding devices (san_dns {name}.corp.example) lets each of the 2 trusted CAs"), "{out}");
}

#[test]
fn a_secret_that_does_not_open_bars_one_switch_and_is_replaced() {
    let server = small();
    let key = server.path("data/secrets.key");
    std::fs::write(&key, format!("{}\n", "ab".repeat(32))).unwrap();
    let out = server.succeed(&["check"]);
    assert!(out.contains("the NAS sw1 is not served") && out.contains("restore secrets.key"), "{out}");
    let server = server.restart("KILL");
    assert!(server.log().contains("the NAS sw1 is not served"));
    assert!(!mab(&server, "02-00-5E-00-00-10").contains("Received"));
    server.in_force(|| server.succeed(&["apply", "-f", server.path("applied.toml").to_str().unwrap()]));
    assert!(mab(&server, "02-00-5E-00-00-10").contains("Access-Accept"));

    // Who only reads makes no key.
    std::fs::remove_file(&key).unwrap();
    let out = server.succeed(&["check"]);
    assert!(out.contains("secrets.key is missing") && !key.exists(), "{out}");
}

#[test]
fn who_applies_at_once_seals_with_one_key() {
    let server = Server::bare();
    std::fs::write(server.path("rules.cedar"), RULES).unwrap();
    let texts: Vec<_> = (0..6)
        .map(|n| {
            let file = server.path(&format!("nas-{n}.toml"));
            let text = format!("[[nas]]\nname = \"n{n}\"\naddress = \"127.0.{n}.1\"\nsecret = {SECRET:?}\n");
            std::fs::write(&file, text).unwrap();
            file
        })
        .collect();
    std::thread::scope(|scope| {
        for file in &texts {
            let server = &server;
            // One at a time is planned against what the others have not changed.
            scope.spawn(move || {
                let applied = (0..50).any(|_| server.command(&["apply", "-f", file.to_str().unwrap()]).0);
                assert!(applied, "{}", file.display());
            });
        }
    });
    let out = server.succeed(&["check"]);
    assert!(out.contains("6 NAS") && !out.contains("not served"), "{out}");
}
