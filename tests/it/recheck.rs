//! The page that NASes send browsers to, opened by the address that the NAS was told, in Debian's Chromium.

use crate::support::coa_nas::{CoaNas, values};
use crate::support::radclient::radclient;
use crate::support::server::{SECRET, Server};
use crate::support::{node, succeed, system, wait_for};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const MAC: &str = "02-00-5E-00-00-10";
/// Cisco-AVPair, within which the address stands.
const VENDOR_SPECIFIC: u8 = 26;

/// A laptop that must have its firewall on, behind a switch that can redirect.
fn serve(tls: bool) -> (Server, CoaNas) {
    let server = Server::bare_with(&format!(
        "[recheck]\nlisten = [\"127.0.0.1:0\"]\ntls = {tls}\ncontact = \"help desk, <i>4711</i>\"\n"
    ));
    let nas = CoaNas::start(&server.path("."), &[]);
    let rules = r#"
@id("healthy") @order("10") @profile("corp")
permit (principal is Device, action == Network::Action::"connect", resource)
when { context.posture == "compliant" || context.posture == "warning" };
@id("others") @order("20") @profile("quarantine")
permit (principal is Device, action == Network::Action::"connect", resource);
"#;
    std::fs::write(server.path("rules.cedar"), rules).unwrap();
    let scheme = if tls { "https" } else { "http" };
    server.apply(&format!(
        r#"
[policy]
file = "rules.cedar"
[[nas]]
name = "sw"
address = "127.0.0.1"
secret = "{SECRET}"
vendor = "cisco-ios"
coa = {{ port = {} }}
[[profile]]
name = "corp"
vlan = 20
[[profile]]
name = "quarantine"
vlan = 666
redirect = {{ url = "{scheme}://{}/recheck/{{ticket}}", acl = "to-help" }}
[[compliance]]
name = "laptops"
kinds = ["device"]
checks = [
  {{ check = "firewall", is = true }},
  {{ check = "disk_encryption", is = true, severity = "warning", remedy = "ask <b>anna</b>" }},
]
[[identity]]
name = "alice"
kind = "user"
[[identity]]
name = "laptop"
kind = "device"
owner = "alice"
purpose = "work"
credentials = [{{ mac = "{MAC}" }}]
"#,
        nas.port,
        server.recheck()
    ));
    (server, nas)
}

fn log_in(server: &Server) -> String {
    radclient(
        server.auth,
        "auth",
        &format!(
            "User-Name=\"02005e000010\", User-Password=\"02005e000010\", Service-Type=Call-Check, Calling-Station-Id={MAC:?}, \
             NAS-IP-Address=127.0.0.1, NAS-Port=9, NAS-Port-Id=\"Gi1/0/9\", NAS-Port-Type=Ethernet, Acct-Session-Id=\"000000BB\", \
             Cisco-AVPair=\"audit-session-id=C0A80001000000BB\", Message-Authenticator=0x00"
        ),
    )
}

/// The address that the switch was told to send the laptop's browser to.
fn page(accept: &str) -> String {
    let (_, rest) = accept.split_once("url-redirect=").unwrap_or_else(|| panic!("no redirect: {accept}"));
    rest.split('"').next().unwrap().to_owned()
}

fn report(server: &Server, firewall: bool) {
    let checks = json!({ "firewall": firewall, "disk_encryption": false });
    let body = json!({ "reports": [{ "kind": "device", "name": "laptop", "source": "mdm", "checks": checks }] });
    let (status, answer) = server.send("POST", "/api/v1/posture/reports", &body);
    assert_eq!((status, &answer["taken"]), (200, &json!(1)), "{answer:#}");
}

#[test]
fn who_is_in_quarantine_sees_why_mends_it_and_is_back() {
    let (server, nas) = serve(false);
    report(&server, false);
    let accept = log_in(&server);
    let address = page(&accept);
    assert!(
        accept.contains("666") && address.starts_with(&format!("http://{}/recheck/", server.recheck())),
        "{accept}"
    );
    let ticket = address.rsplit('/').next().unwrap();
    // Who reads the record gets no ticket of others.
    let decision = server.decision(MAC).to_string();
    assert!(decision.contains("/recheck/{ticket}") && !decision.contains(ticket), "{decision}");
    // Each login has one of its own.
    assert_ne!(page(&log_in(&server)), address);

    let mended = server.path("mended");
    let told = json!({ "address": address, "mended": mended, "shots": Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots") });
    std::fs::create_dir_all(told["shots"].as_str().unwrap()).unwrap();
    let browser = std::thread::spawn(move || succeed(node("recheck.mjs").arg(told.to_string())));
    wait_for("the browser to have seen what fails", Duration::from_secs(60), || mended.exists().then_some(()));
    report(&server, true);
    // The page, or the report, has the session looked at; its switch is asked for another login.
    let request = nas.first(1, Duration::from_secs(10)).remove(0);
    assert!(values(&request, VENDOR_SPECIFIC).iter().any(|value| value.contains("reauthenticate")), "{request:#}");
    let back = log_in(&server);
    assert!(!back.contains("url-redirect") && back.contains("\"20\""), "{back}");
    let out = browser.join().unwrap();
    let told: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(told["hit"], Value::Null, "{told:#}");
}

#[test]
fn the_page_is_for_who_has_a_ticket_and_asks_no_more_than_it_may() {
    let (server, _nas) = serve(true);
    report(&server, false);
    let address = page(&log_in(&server));
    server.decision(MAC);
    let ca = crate::support::pki::pki().path("corp/ca.pem");
    let host = format!("radius.corp.example:{}", server.recheck().port());
    let curl = |path: &str, more: &[&str]| {
        let mut command = system("curl", Duration::from_secs(20));
        command.args([
            "-s",
            "-o",
            "/dev/stdout",
            "-w",
            "\n%{http_code}",
            "--cacert",
            ca.to_str().unwrap(),
            "--resolve",
        ]);
        command.arg(format!("{host}:127.0.0.1")).args(more).arg(format!("https://{host}{path}"));
        let out = succeed(&mut command);
        let (text, status) = out.trim_end().rsplit_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        (status, text)
    };
    let path = format!("/recheck/{}", address.rsplit('/').next().unwrap());
    let (status, text) = curl(&path, &[]);
    assert!(
        status == "200" && text.contains("firewall") && text.contains("help desk, &lt;i&gt;4711"),
        "{status} {text}"
    );
    // Somebody else's guess, a changed one, and whatever else the API has.
    for wrong in ["/recheck/x".to_owned(), format!("{}A", &path[..path.len() - 1]), format!("{path}A")] {
        if wrong != path {
            let (status, text) = curl(&wrong, &[]);
            assert!(
                status == "404" && text.contains("Connect again") && !text.contains("laptop"),
                "{wrong}: {status} {text}"
            );
        }
    }
    for elsewhere in ["/", "/api/v1/identities", "/sign-in", "/metrics", "/healthz"] {
        assert_eq!(curl(elsewhere, &[]).0, "404", "{elsewhere}");
    }
    // The button is bounded for each device; looking is not.
    let pressed: Vec<_> = (0..14).map(|_| curl(&path, &["-X", "POST"]).0).collect();
    assert!(pressed[..10].iter().all(|status| status == "303") && pressed.contains(&"429".to_owned()), "{pressed:?}");
    assert_eq!(curl(&path, &[]).0, "200");
    // Whoever guesses is slowed down.
    let guessed: Vec<_> = (0..80).map(|n| curl(&format!("/recheck/{n}"), &[]).0).collect();
    assert!(guessed.contains(&"429".to_owned()), "{guessed:?}");
}
