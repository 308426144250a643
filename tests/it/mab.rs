//! MAC authentication bypass, with radclient as the switch.

use crate::support::radclient::radclient;
use crate::support::server::{Config, Server};

/// A request as a switch sends it, with the MAC address in this spelling.
fn request(spelled: &str, calling: &str) -> String {
    format!(
        "User-Name={spelled:?}, User-Password={spelled:?}, Service-Type=Call-Check, \
         Calling-Station-Id={calling:?}, NAS-Port-Type=Ethernet, NAS-Port-Id=\"ge-0/0/7\", Message-Authenticator=0x00"
    )
}

#[test]
fn a_registered_mac_gets_its_profile_in_every_usual_spelling() {
    let server = Server::start(&Config::default());
    for spelled in
        ["02005e000010", "02005E000010", "02-00-5e-00-00-10", "02:00:5E:00:00:10", "0200.5e00.0010", "02005E-000010"]
    {
        let out = radclient(server.auth, "auth", &request(spelled, "02-00-5E-00-00-10"));
        assert!(out.contains("Received Access-Accept"), "{spelled}: {out}");
        assert!(out.contains("Tunnel-Private-Group-Id:0 = \"cameras\""), "{out}");
        assert!(out.contains("Filter-Id = \"cameras-only\""), "{out}");
        let decision = server.decision("0200.5e00.0010");
        assert_eq!(decision["method"], "mab");
        assert_eq!(decision["identity"]["name"], "camera");
        assert_eq!(decision["nas"]["port"], "ge-0/0/7");
    }
}

#[test]
fn an_unknown_mac_is_refused() {
    let server = Server::start(&Config::default());
    let out = radclient(server.auth, "auth", &request("02005e0000ff", "02-00-5E-00-00-FF"));
    assert!(out.contains("Received Access-Reject"), "{out}");
    assert_eq!(server.decision("02-00-5E-00-00-FF")["reason"], "mac_unknown");
}

#[test]
fn a_name_and_password_that_are_not_the_mac_are_refused() {
    let server = Server::start(&Config::default());
    // Somebody else's MAC as the name.
    let out = radclient(server.auth, "auth", &request("02005e000010", "02-00-5E-00-00-FF"));
    assert!(out.contains("Received Access-Reject"), "{out}");
    assert_eq!(server.decision("02-00-5E-00-00-FF")["reason"], "mac_password_mismatch");
    // The right name with another password.
    let guess =
        request("02005e000010", "02-00-5E-00-00-10").replace("User-Password=\"02005e000010\"", "User-Password=guess");
    let out = radclient(server.auth, "auth", &guess);
    assert!(out.contains("Received Access-Reject"), "{out}");
    assert_eq!(server.decision("02-00-5E-00-00-10")["reason"], "mac_password_mismatch");
}

#[test]
fn int_4_an_empty_policy_denies_on_the_wire() {
    let server = Server::start(&Config { policy: String::new(), ..Config::default() });
    let out = radclient(server.auth, "auth", &request("02005e000010", "02-00-5E-00-00-10"));
    assert!(out.contains("Received Access-Reject"), "{out}");
    let decision = server.decision("02-00-5E-00-00-10");
    assert!(["mab_not_allowed", "no_matching_rule"].contains(&decision["reason"].as_str().unwrap()), "{decision:#}");
    let login = crate::support::eapol::Eapol::new("p256");
    login.run(&server).assert_refused();
    assert_eq!(server.decision(&login.mac)["reason"], "no_matching_rule");
}

#[test]
fn pil_4_the_policy_and_not_the_mac_decides() {
    let policy = r#"
@accept("network-only") @id("cameras-at-night") @order("10") @profile("quarantine")
permit (principal, action == Network::Action::"connect", resource)
when { context.method == "mab" && context.nas has port_type && context.nas.port_type == "ethernet" };
"#;
    let server = Server::start(&Config { policy: policy.into(), ..Config::default() });
    let out = radclient(server.auth, "auth", &request("02005e0000ff", "02-00-5E-00-00-FF"));
    assert!(out.contains("Tunnel-Private-Group-Id:0 = \"666\""), "{out}");
}

#[test]
fn somebody_who_logs_in_to_the_switch_itself_is_no_endpoint() {
    let server = Server::start(&Config::default());
    let mac = "02005e000010";
    for attributes in [
        // At the switch's own prompt, with or without a station.
        request(mac, "10.9.9.9").replace("Call-Check", "NAS-Prompt-User"),
        request(mac, "02-00-5E-00-00-10").replace("Call-Check", "Administrative-User"),
        // No station, or one that is no MAC address.
        request(mac, "10.9.9.9"),
        format!("User-Name={mac}, User-Password={mac}, Message-Authenticator=0x00"),
        format!("User-Name={mac}, Message-Authenticator=0x00"),
    ] {
        let out = radclient(server.auth, "auth", &attributes);
        assert!(out.contains("Received Access-Reject"), "{attributes}: {out}");
    }
}
