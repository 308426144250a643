//! The page that NASes send browsers to, opened by the address that the NAS was told, in Debian's Chromium.

use crate::support::coa_nas::{CoaNas, values};
use crate::support::eapol::Eapol;
use crate::support::pki::pki;
use crate::support::radclient::radclient;
use crate::support::server::{SECRET, Server};
use crate::support::{node, succeed, system, wait_for};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const LAPTOP: &str = "02-00-5e-01-77-01";
const PRINTER: &str = "02-00-5E-00-00-10";
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
  {{ check = "disk_encryption", is = true, severity = "warning", remedy = "ask <img src=x onerror=window.hit=1>anna" }},
]
[[identity]]
name = "alice"
kind = "user"
[[identity]]
name = "laptop"
kind = "device"
owner = "alice"
purpose = "work"
credentials = [{{ san_dns = "p256.corp.example" }}]
[[identity]]
name = "printer"
kind = "device"
owner = "alice"
purpose = "prints"
credentials = [{{ mac = "{PRINTER}" }}]
"#,
        nas.port,
        server.recheck()
    ));
    (server, nas)
}

/// The laptop logs in by its certificate; the text of the switch's redirect, and what else it was told.
fn log_in(server: &Server) -> String {
    // A vendor-specific attribute, as eapol_test takes it: vendor 9, type 1, length, text.
    let pair = "audit-session-id=C0A80001000000AA";
    let hex =
        pair.bytes().fold(format!("0000000901{:02x}", pair.len() + 2), |hex, octet| hex + &format!("{octet:02x}"));
    let said = ["44:s:000000AA", "87:s:Gi1/0/8", "4:x:7f000001", &format!("26:x:{hex}")];
    let args = said.into_iter().flat_map(|attribute| ["-N".to_owned(), attribute.to_owned()]).collect();
    let login = Eapol { args, mac: LAPTOP.into(), ..Eapol::new("p256") }.run(server);
    login.assert_accepted(1);
    let values = login.text.lines().filter_map(|line| line.trim().strip_prefix("Value: "));
    let texts = values.map(|value| match cordon::radius::value::unhex(value) {
        Some(octets) => String::from_utf8_lossy(&octets).into_owned(),
        None => value.to_owned(),
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// A printer logs in by its MAC address.
fn mab(server: &Server) -> String {
    radclient(
        server.auth,
        "auth",
        &format!(
            "User-Name=\"02005e000010\", User-Password=\"02005e000010\", Service-Type=Call-Check, Calling-Station-Id={PRINTER:?}, \
             NAS-IP-Address=127.0.0.1, NAS-Port=9, NAS-Port-Id=\"Gi1/0/9\", NAS-Port-Type=Ethernet, Acct-Session-Id=\"000000BB\", \
             Cisco-AVPair=\"audit-session-id=C0A80001000000BB\", Message-Authenticator=0x00"
        ),
    )
}

/// The address that the switch was told to send the browser to.
fn page(accept: &str) -> String {
    let (_, rest) = accept.split_once("url-redirect=").unwrap_or_else(|| panic!("no redirect: {accept}"));
    rest.split(['"', '\n']).next().unwrap().to_owned()
}

fn report(server: &Server, name: &str, firewall: bool) {
    let checks = json!({ "firewall": firewall, "disk_encryption": false });
    let body = json!({ "reports": [{ "kind": "device", "name": name, "source": "mdm", "checks": checks }] });
    let (status, answer) = server.send("POST", "/api/v1/posture/reports", &body);
    assert_eq!((status, &answer["taken"]), (200, &json!(1)), "{answer:#}");
}

#[test]
fn who_is_in_quarantine_sees_why_mends_it_and_is_back() {
    let (server, nas) = serve(false);
    report(&server, "laptop", false);
    let accept = log_in(&server);
    let address = page(&accept);
    assert!(
        accept.contains("666") && address.starts_with(&format!("http://{}/recheck/", server.recheck())),
        "{accept}"
    );
    let ticket = address.rsplit('/').next().unwrap();
    // Who reads the record gets no ticket of others.
    let decision = server.decision(LAPTOP);
    assert_eq!(decision["profile"], "quarantine", "{decision:#}");
    let decision = decision.to_string();
    assert!(decision.contains("/recheck/{ticket}") && !decision.contains(ticket), "{decision}");
    // Each login has one of its own.
    assert_ne!(page(&log_in(&server)), address);

    let (mended, back) = (server.path("mended"), server.path("back"));
    let told = json!({ "address": address, "mended": mended, "back": back, "shots": Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots") });
    std::fs::create_dir_all(told["shots"].as_str().unwrap()).unwrap();
    let browser = std::thread::spawn(move || succeed(node("recheck.mjs").arg(told.to_string())));
    wait_for("the browser to have seen what fails", Duration::from_secs(60), || mended.exists().then_some(()));
    report(&server, "laptop", true);
    // The page, or the report, has the session looked at; its switch is asked for another login.
    let request = nas.first(1, Duration::from_secs(10)).remove(0);
    assert!(values(&request, VENDOR_SPECIFIC).iter().any(|value| value.contains("reauthenticate")), "{request:#}");
    wait_for("the browser to have seen that it changes", Duration::from_secs(60), || back.exists().then_some(()));
    let accept = log_in(&server);
    assert!(!accept.contains("url-redirect"), "{accept}");
    assert_eq!(server.decision(LAPTOP)["profile"], "corp");
    let out = browser.join().unwrap();
    let told: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(told["hit"], Value::Null, "{told:#}");
}

#[test]
fn the_page_is_for_who_has_a_ticket_and_asks_no_more_than_it_may() {
    let (server, _nas) = serve(true);
    report(&server, "laptop", false);
    report(&server, "printer", false);
    let address = page(&log_in(&server));
    server.decision(LAPTOP);
    let ca = pki().path("corp/ca.pem");
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
        let (text, status) = out.trim_end().rsplit_once('\n').unwrap();
        (status.to_owned(), text.to_owned())
    };
    let path = |address: &str| format!("/recheck/{}", address.rsplit('/').next().unwrap());
    let laptop = path(&address);
    let (status, text) = curl(&laptop, &[]);
    assert!(
        status == "200" && text.contains("It is: no") && text.contains("help desk, &lt;i&gt;4711"),
        "{status} {text}"
    );
    // Somebody else's guess, a changed one, and whatever else the API has.
    let other = if laptop.ends_with('A') { "B" } else { "A" };
    for wrong in ["/recheck/x".to_owned(), format!("{}{other}", &laptop[..laptop.len() - 1]), format!("{laptop}A")] {
        let (status, text) = curl(&wrong, &[]);
        assert!(
            status == "404" && text.contains("Connect again") && !text.contains("laptop"),
            "{wrong}: {status} {text}"
        );
    }
    for elsewhere in ["/", "/api/v1/identities", "/sign-in", "/metrics", "/healthz"] {
        assert_eq!(curl(elsewhere, &[]).0, "404", "{elsewhere}");
    }
    // Whoever shows somebody's MAC address is told what to mend, and neither whose it is nor what was found.
    let printer = path(&page(&mab(&server)));
    server.decision(PRINTER);
    let (status, text) = curl(&printer, &[]);
    assert!(status == "200" && text.contains("Switch the firewall on") && text.contains(PRINTER), "{status} {text}");
    assert!(!text.contains("It is:") && !text.contains("Last report") && !text.contains(">printer<"), "{text}");
    // One ticket looks as often as it needs to, and takes nothing from the others behind the same address.
    let looks: Vec<_> = (0..60).map(|_| curl(&laptop, &["-X", "POST"]).0).collect();
    assert!(looks[..15].iter().all(|status| status == "303") && looks.contains(&"429".to_owned()), "{looks:?}");
    assert!((0..60).all(|n| curl(&format!("/recheck/{n}"), &[]).0 == "404"));
    assert_eq!(curl(&printer, &[]).0, "200");
}
