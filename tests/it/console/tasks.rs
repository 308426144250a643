//! What an operator does all day, done in the browser against logins that happened.

use super::{OPERATORS, browse_as};
use crate::support::coa_nas::CoaNas;
use crate::support::eapol::Eapol;
use crate::support::radclient::radclient;
use crate::support::server::{SECRET, Server};
use crate::support::{cordon, wait_for};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY_SECS: u64 = 86_400;
/// Logins that the stream is to show.
const STREAM: usize = 6_000;
/// How many come in a second at least, from a build without optimisation and beside other tests; `make bench` has more.
const SLOWEST: f64 = 100.0;
/// What runs in a browser that takes what it is told for HTML.
const HOSTILE: &str = "<img src=x onerror=window.hit=1><script>window.hit=1</script>";

/// A switch at two sites' ports, laptops, an agent, and printers that nobody knows.
fn serve() -> (Server, CoaNas) {
    serve_with("", "")
}

/// The same, with further lines of the configuration and of the inventory.
pub(super) fn serve_with(config: &str, inventory: &str) -> (Server, CoaNas) {
    let server = Server::bare_with(&format!("{OPERATORS}{config}"));
    std::fs::write(server.path("policy.cedar"), cordon::policy::engine::DEFAULT_POLICY).unwrap();
    let nas = CoaNas::start(&server.path("."), &[]);
    let mut text = format!(
        "[policy]\nfile = \"policy.cedar\"\n[[site]]\nname = \"hq\"\n[[nas]]\nname = \"sw-hq-1\"\naddress = \"127.0.0.1\"\nsecret = {SECRET:?}\n\
         vendor = \"cisco-ios\"\nsite = \"hq\"\ncoa = {{ port = {} }}\n\
         [[identity]]\nname = \"ben\"\nkind = \"user\"\n",
        nas.port
    );
    for (profile, vlan) in
        [("corp", 20), ("machines", 40), ("agents", 50), ("printers", 30), ("iot", 60), ("quarantine", 666)]
    {
        let more = if profile == "agents" { "filter_id = \"agents-only\"\n" } else { "" };
        writeln!(text, "[[profile]]\nname = {profile:?}\nvlan = {vlan}\n{more}").unwrap();
    }
    let who = |kind: &str, name: &str, group: &str, credential: &str| {
        format!(
            "[[identity]]\nname = {name:?}\nkind = {kind:?}\nowner = \"ben\"\npurpose = \"work\"\ngroups = [{group:?}]\n\
             credentials = [{{ {credential} }}]\n"
        )
    };
    text += &who("device", "p256", "laptops", "san_dns = \"p256.corp.example\"");
    text += &who("device", "anna-laptop", "laptops", "san_dns = \"anna-laptop.corp.example\"");
    text += &who("agent", "coder-1", "agents", "san_uri = \"spiffe://corp.example/agent/coder-1\"");
    text += &who("device", "camera-1", "mab-allowed", "mac = \"02-00-5E-00-00-10\"");
    server.apply(&(text + inventory));
    (server, nas)
}

fn account(server: &Server, status: &str, at: u64, more: &str) {
    let out = radclient(
        server.acct,
        "acct",
        &format!(
            "Acct-Status-Type={status}, Acct-Session-Id=\"0A\", Calling-Station-Id=\"02-00-5E-77-00-01\", NAS-IP-Address=127.0.0.1, \
             NAS-Port-Id=\"Gi1/0/7\", NAS-Port-Type=Ethernet, User-Name=\"visitor\", Event-Timestamp={at}{more}"
        ),
    );
    assert!(out.contains("Accounting-Response"), "{out}");
}

/// A login by MAC address, with what a switch says of the session.
pub(super) fn mab(server: &Server, mac: &str, name: &str) -> String {
    radclient(
        server.auth,
        "auth",
        &format!(
            "User-Name={name:?}, User-Password={name:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, NAS-IP-Address=127.0.0.1, \
             NAS-Port=9, NAS-Port-Id=\"Gi1/0/9\", NAS-Port-Type=Ethernet, Acct-Session-Id=\"000000BB\", Cisco-AVPair=\"audit-session-id=C0A80001000000BB\", \
             Message-Authenticator=0x00"
        ),
    )
}

/// The agent logs in as a supplicant on that switch.
pub(super) fn agent(server: &Server) {
    // A vendor-specific attribute, as eapol_test takes it: vendor 9, type 1, length, text.
    let pair = "audit-session-id=C0A80001000000AA";
    let hex =
        pair.bytes().fold(format!("0000000901{:02x}", pair.len() + 2), |hex, octet| hex + &format!("{octet:02x}"));
    let pair = format!("26:x:{hex}");
    let said = ["44:s:000000AA", "87:s:Gi1/0/8", "4:x:7f000001", &pair];
    let login = Eapol {
        mac: "02-00-5e-01-0a-01".into(),
        args: said.into_iter().flat_map(|attribute| ["-N".to_owned(), attribute.to_owned()]).collect(),
        ..Eapol::new("coder-1")
    };
    login.run(server).assert_accepted(1);
}

#[test]
fn an_operator_finds_out_why_and_who_and_quarantines_and_nothing_hostile_runs() {
    let (server, nas) = serve();
    Eapol::new("expired").run(&server).assert_refused();
    Eapol::new("revoked").run(&server).assert_refused();
    Eapol::new("unbound").run(&server).assert_refused();
    let anna = Eapol { tls: "1.2", fragment_size: 300, ..Eapol::new("anna-laptop") };
    anna.run(&server).assert_accepted(1);
    let decision = server.decision(&anna.mac);
    let course = decision["course"].as_array().unwrap();
    let carried = |side: &str| course.iter().map(|round| round[side]["carried"].clone()).collect::<Vec<_>>();
    let (received, sent) = (carried("received"), carried("sent"));
    assert_eq!((&received[0], sent.last().unwrap()), (&json!("identity"), &json!("success")), "{decision:#}");
    assert!(received.contains(&json!("fragment")) && sent.contains(&json!("acknowledgement")), "{decision:#}");
    assert_eq!(course.len() as u64, decision["rounds"], "{decision:#}");
    agent(&server);
    assert!(mab(&server, "02-00-5E-00-00-10", "02005e000010").contains("Access-Accept"));
    assert!(mab(&server, "00-01-E6-00-00-01", "0001e6000001").contains("Access-Reject"));
    assert!(mab(&server, "00-01-E6-00-00-02", HOSTILE).contains("Access-Reject"));

    // Yesterday from 13:00 to 15:00, a visitor had an address, which somebody else has today.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let yesterday = now / DAY_SECS * DAY_SECS - DAY_SECS;
    let (one, three) = (yesterday + 13 * 3_600, yesterday + 15 * 3_600);
    account(&server, "Start", one, ", Framed-IP-Address=10.9.8.7");
    account(
        &server,
        "Interim-Update",
        one + 3_600,
        ", Framed-IP-Address=10.9.8.7, Acct-Input-Octets=4000000, Acct-Output-Octets=9000000",
    );
    account(
        &server,
        "Stop",
        three,
        ", Framed-IP-Address=10.9.8.7, Acct-Input-Octets=5000000, Acct-Output-Octets=30000000, Acct-Session-Time=7200",
    );

    let hostile = json!({ "name": format!("printer {HOSTILE}"), "kind": "device", "owner": "ben", "purpose": HOSTILE,
        "attributes": { "room": HOSTILE }, "credentials": [{ "mac": "00-01-E6-00-00-02" }] });
    let made = server.send("POST", "/api/v1/identities", &hostile);
    assert_eq!(made.0, 201, "{}", made.1);
    let told = json!({ "hostile": made.1["item"]["id"], "failed": "p256", "day": yesterday, "mac": anna.mac });
    let told = browse_as(&server, &["administrator"], "tasks", &told);

    // The switch was told of both, and who quarantined and why is in the audit log.
    let agent = &server.get("/api/v1/identities?name=coder-1")["items"][0];
    assert_eq!(agent["groups"], json!(["agents"]), "{agent:#}");
    assert!(nas.requests().len() >= 2, "{:#?}", nas.requests());
    let audit = server.get("/api/v1/audit?limit=200").to_string();
    assert!(
        audit.contains("it sends mail by night") && audit.contains("containment.end"),
        "why is not in the audit log"
    );
    assert_eq!(told["hit"], Value::Null, "{told:#}");
}

#[test]
fn a_storm_of_logins_stalls_nothing() {
    let (server, _nas) = serve();
    let auth = server.auth.to_string();
    let load = std::thread::spawn({
        let (ready, stream) = (server.path("stream-wanted"), STREAM.to_string());
        let mut load = cordon();
        load.args(["load", "mab", "--server", &auth, "--secret", SECRET, "--mac", "02-00-5E-00-00-10"]);
        load.args(["--count", &stream, "--concurrency", "8", "--json"]);
        move || {
            wait_for("the browser to look", Duration::from_secs(60), || ready.exists().then_some(()));
            let output = load.output().unwrap();
            serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
        }
    });
    let told = json!({ "wanted": server.path("stream-wanted") });
    let told = browse_as(&server, &["viewer"], "stream", &told);
    let load = load.join().unwrap();
    println!("the load: {load}\nthe page: {told:#}");
    let number = |key: &str| told[key].as_f64().unwrap_or_else(|| panic!("{key}: {told:#}"));
    // What came within the busiest ten seconds was shown, or all of it, if it took less.
    let rate = load["per_second"].as_f64().unwrap();
    let came = (rate * 10.0).min(STREAM as f64);
    assert!(rate >= SLOWEST && number("shown_in_10_s") >= 0.7 * came, "{load}: {told:#}");
    // On processors that other tests use too; alone it is a tenth of that.
    assert!(number("delay_p95_ms") < 250.0 && number("delay_max_ms") < 2_000.0, "{told:#}");
}
