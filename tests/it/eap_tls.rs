//! A stock supplicant (eapol_test) logs in, or is refused for the right reason.

use crate::support::eapol::Eapol;
use crate::support::pki::KEYS;
use crate::support::server::{Config, Server};
use serde_json::Value;

/// The value of a fact in a decision.
fn fact<'a>(decision: &'a Value, name: &str) -> &'a Value {
    let facts = decision["facts"].as_array().unwrap();
    let fact = facts.iter().find(|f| f["name"] == name);
    &fact.unwrap_or_else(|| panic!("no fact {name} in {decision:#}"))["value"]
}

#[test]
fn every_kind_of_key_logs_in_with_both_versions_of_tls() {
    let server = Server::start(&Config::default());
    for key in KEYS {
        for tls in ["1.2", "1.3"] {
            let login = Eapol { tls, ..Eapol::new(key) };
            login.run(&server).assert_accepted(1);
            let decision = server.decision(&login.mac);
            assert_eq!(decision["outcome"], "accept", "{decision:#}");
            assert_eq!(decision["identity"]["name"], key);
            assert_eq!(decision["profile"], "corp");
            assert_eq!(decision["policies"], serde_json::json!(["laptops"]));
            assert_eq!(decision["outer_identity"], "anonymous@corp.example");
            assert_eq!(fact(&decision, "tls.version"), tls);
        }
    }
}

#[test]
fn the_server_may_have_any_kind_of_key() {
    for server_key in KEYS {
        let server = Server::start(&Config { server_key, ..Config::default() });
        for tls in ["1.2", "1.3"] {
            Eapol { tls, ..Eapol::new("p256") }.run(&server).assert_accepted(1);
        }
    }
}

#[test]
fn chains_with_and_without_an_intermediate_are_believed() {
    let server = Server::start(&Config::default());
    for client in ["p256", "direct"] {
        Eapol::new(client).run(&server).assert_accepted(1);
    }
}

#[test]
fn the_reply_puts_the_port_on_its_vlan() {
    let server = Server::start(&Config::default());
    let login = Eapol { args: vec!["-e".into()], ..Eapol::new("p256") };
    let login = login.run(&server);
    login.assert_accepted(1);
    for line in [
        "Attribute 64 (Tunnel-Type)",
        "Attribute 65 (Tunnel-Medium-Type)",
        "Attribute 81 (Tunnel-Private-Group-Id)",
        // Session-Timeout, in seconds.
        "Value: 28800",
        "Locally derived EAP Session-Id matches EAP-Key-Name from server",
    ] {
        assert!(login.text.contains(line), "no {line:?} in:\n{}", login.text);
    }
}

#[test]
fn fragments_of_any_size_come_together() {
    for server_size in [200, 600, 1400] {
        let server = Server::start(&Config {
            tls: format!("fragment_size = {server_size}"),
            server_key: "rsa4096",
            ..Config::default()
        });
        for fragment_size in [200, 300, 700, 1100, 1400] {
            for tls in ["1.2", "1.3"] {
                Eapol { fragment_size, tls, ..Eapol::new("rsa2048") }.run(&server).assert_accepted(1);
            }
        }
    }
}

#[test]
fn a_session_resumes_with_both_versions_of_tls() {
    let server = Server::start(&Config::default());
    for tls in ["1.2", "1.3"] {
        let login = Eapol { tls, again: 3, ..Eapol::new("p256") };
        login.run(&server).assert_accepted(4);
        let page = server.get(&format!("/api/v1/decisions?mac={}", login.mac));
        let resumed: Vec<bool> =
            page["items"].as_array().unwrap().iter().map(|d| fact(d, "tls.resumed").as_bool().unwrap()).collect();
        assert_eq!(resumed, [true, true, true, false], "newest first, TLS {tls}");
        let rounds = page["items"][0]["rounds"].as_u64().unwrap();
        assert!(rounds <= 5, "a resumed login took {rounds} requests");
    }
}

#[test]
fn resumption_can_be_switched_off() {
    let server = Server::start(&Config { tls: "resumption = false".into(), ..Config::default() });
    for tls in ["1.2", "1.3"] {
        let login = Eapol { tls, again: 1, ..Eapol::new("p256") };
        login.run(&server).assert_accepted(2);
        assert_eq!(fact(&server.decision(&login.mac), "tls.resumed"), false);
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let server = Server::start(&Config::default());
    for (client, reason) in [
        ("expired", "certificate_expired"),
        ("future", "certificate_not_yet_valid"),
        ("revoked", "certificate_revoked"),
        ("stranger", "unknown_ca"),
        ("wrong-usage", "wrong_key_usage"),
        ("unbound", "identity_unknown"),
    ] {
        for tls in ["1.2", "1.3"] {
            let login = Eapol { tls, ..Eapol::new(client) };
            login.run(&server).assert_refused();
            let decision = server.decision(&login.mac);
            assert_eq!(decision["outcome"], "reject");
            assert_eq!(decision["reason"], reason, "{client} over TLS {tls}: {decision:#}");
            assert!(decision["remedy"].as_str().unwrap().len() > 20);
            assert!(!decision["detail"].as_str().unwrap().is_empty(), "{decision:#}");
        }
    }
}

#[test]
fn a_certificate_that_is_not_in_force_is_found_by_the_identity_it_names() {
    let server = Server::start(&Config::default());
    for (client, reason) in [
        ("expired", "certificate_expired"),
        ("future", "certificate_not_yet_valid"),
        ("revoked", "certificate_revoked"),
    ] {
        let login = Eapol::new(client);
        login.run(&server).assert_refused();
        let found = server.get(&format!("/api/v1/decisions?identity=p256&reason={reason}"));
        let decision = &found["items"][0];
        assert_eq!(decision["identity"]["name"], "p256", "{client}: {found:#}");
        assert_eq!(fact(decision, "identity.matched_by"), "SAN DNS p256.corp.example");
        assert_eq!((&decision["profile"], &decision["outcome"]), (&Value::Null, &"reject".into()));
        // The name is not proven: the endpoint gets none.
        let seen = server.get(&format!("/api/v1/endpoints?mac={}", login.mac));
        assert_eq!(seen["items"][0]["identity"], Value::Null, "{seen:#}");
    }
    // What another CA says of it, or what is wrong in another way, names nobody.
    for client in ["stranger", "wrong-usage"] {
        let login = Eapol::new(client);
        login.run(&server).assert_refused();
        assert_eq!(server.decision(&login.mac)["identity"], Value::Null, "{client}");
    }
}

#[test]
fn a_client_that_does_not_trust_the_server_says_so() {
    let server = Server::start(&Config::default());
    for tls in ["1.2", "1.3"] {
        let login = Eapol { tls, ca: "other/ca.pem".into(), ..Eapol::new("p256") };
        login.run(&server).assert_refused();
        let decision = server.decision(&login.mac);
        assert_eq!(decision["reason"], "server_certificate_not_trusted", "{decision:#}");
    }
}

#[test]
fn a_client_that_wants_another_server_name_says_so() {
    let server = Server::start(&Config::default());
    let login = Eapol { network: "domain_match=\"elsewhere.example\"".into(), ..Eapol::new("p256") };
    login.run(&server).assert_refused();
    let decision = server.decision(&login.mac);
    assert_eq!(decision["reason"], "server_certificate_rejected", "{decision:#}");
}

#[test]
fn a_client_that_can_only_do_peap_is_told_apart() {
    let server = Server::start(&Config::default());
    let login = Eapol { eap: "PEAP", ..Eapol::new("p256") };
    login.run(&server).assert_refused();
    let decision = server.decision(&login.mac);
    assert_eq!(decision["reason"], "eap_method_refused", "{decision:#}");
    assert!(decision["detail"].as_str().unwrap().contains("PEAP"), "{decision:#}");
}

#[test]
fn a_version_of_tls_that_is_switched_off_is_named() {
    let server = Server::start(&Config { tls: "min_version = \"1.3\"".into(), ..Config::default() });
    let login = Eapol { tls: "1.2", ..Eapol::new("p256") };
    login.run(&server).assert_refused();
    assert_eq!(server.decision(&login.mac)["reason"], "no_common_tls_version");
    Eapol::new("p256").run(&server).assert_accepted(1);
}

#[test]
fn ipv6_is_served_like_ipv4() {
    let server = Server::start(&Config { listen: "::1", ..Config::default() });
    let login = Eapol::new("p256");
    login.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&login.mac)["nas"]["address"], "::1");
}

#[test]
fn an_access_reject_is_held_back() {
    let server = Server::start(&Config { server: "reject_delay_ms = 1500".into(), ..Config::default() });
    let started = std::time::Instant::now();
    Eapol::new("expired").run(&server).assert_refused();
    assert!(started.elapsed() >= std::time::Duration::from_millis(1500));
}

#[test]
fn pri_1_every_decision_says_what_was_known_and_what_was_not() {
    let server = Server::start(&Config::default());
    for (client, identity) in [("p256", serde_json::json!("p256")), ("stranger", Value::Null)] {
        let login = Eapol::new(client);
        login.run(&server);
        let decision = server.decision(&login.mac);
        for name in ["nas.name", "nas.address", "certificate.subject", "certificate.serial", "method", "time.hour"] {
            fact(&decision, name);
        }
        assert_eq!(fact(&decision, "identity.name"), &identity);
        for name in ["posture", "risk"] {
            assert_eq!(fact(&decision, name), &Value::Null, "there is no source for it yet");
        }
        for f in decision["facts"].as_array().unwrap() {
            assert_eq!(f["value"].is_null(), f["source"] == "not known", "{f}");
            assert!(f["at"].as_str().is_some_and(|s| s.ends_with('Z')), "{f}");
        }
    }
}
