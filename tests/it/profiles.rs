//! What a profile grants, beyond the words of each vendor: VLANs by site and by
//! pool, times, access lists that switches download.

use crate::support::radclient::radclient;
use crate::support::server::{Config, SECRET, Server};
use crate::support::{cordon, text, wait_for};
use cordon::access::{Answer, Arrival, Engine, Service};
use cordon::audit::reason::Reason;
use cordon::config::Source;
use cordon::config::build::build;
use cordon::enforcement::ticket::Tickets;
use cordon::inventory::nas::{Nas, NasRegistry};
use cordon::radius::attribute as attr;
use cordon::radius::builder::RequestBuilder;
use cordon::radius::packet::{Code, Packet};
use cordon::secret::Secret;
use cordon::store::writer::Record;
use cordon::telemetry::Metrics;
use cordon::time::Timestamp;
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Lets in any MAC address with the profile "staff".
const POLICY: &str = "@accept(\"network-only\") @id(\"all\") @order(\"1\") @profile(\"staff\")\n\
                      permit (principal, action == Network::Action::\"connect\", resource);";

/// NASes at 127.0.1.1 and on, one at each site, and a profile "staff".
fn config(sites: &[&str], profile: &str) -> Config {
    let nas = |(number, site): (usize, &&str)| {
        let site = if site.is_empty() { String::new() } else { format!("site = {site:?}\n") };
        format!("[[nas]]\nname = \"sw{0}\"\naddress = \"127.0.1.{0}\"\nsecret = \"{SECRET}\"\n{site}", number + 1)
    };
    let more = sites.iter().enumerate().map(nas).collect::<String>();
    Config {
        nas: "site = \"hq\"".into(),
        more: format!("{more}[[profile]]\nname = \"staff\"\n{profile}\n"),
        policy: POLICY.into(),
        ..Config::default()
    }
}

fn check(config: &Config) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cordon.toml"), config.text()).unwrap();
    std::fs::write(dir.path().join("policy.cedar"), &config.policy).unwrap();
    let out = cordon().args(["check", "--config"]).arg(dir.path().join("cordon.toml")).output().unwrap();
    (out.status.success(), text(&out))
}

/// What the switch of this number is told about the endpoint of this one.
fn told(server: &Server, switch: usize, endpoint: usize) -> String {
    let mac = format!("02-00-5E-00-02-{endpoint:02X}");
    let request = format!(
        "Packet-Src-IP-Address=127.0.1.{switch}, User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, \
         Calling-Station-Id={mac:?}, Message-Authenticator=0x00"
    );
    let out = radclient(server.auth, "auth", &request);
    assert!(out.contains("Received Access-Accept"), "{out}");
    out
}

fn vlan(told: &str) -> &str {
    told.split("Tunnel-Private-Group-Id:0 = \"").nth(1).unwrap().split('"').next().unwrap()
}

#[test]
fn pil_4_the_vlan_of_a_profile_depends_on_the_site_and_stays_with_the_endpoint() {
    let vlans = "vlan = { by_site = { hq = 20, branch = { pool = [120, 121, \"guests\"] } }, else = 30 }";
    let server = Server::start(&config(&["hq", "branch", "moon", ""], vlans));
    let seen = |switch| (0..12).map(|n| vlan(&told(&server, switch, n)).to_owned()).collect::<Vec<_>>();
    assert!(seen(1).iter().all(|vlan| vlan == "20"));
    assert!(seen(3).iter().chain(&seen(4)).all(|vlan| vlan == "30"));
    let branch = seen(2);
    assert_eq!(branch.iter().map(String::as_str).collect::<BTreeSet<_>>(), ["120", "121", "guests"].into());
    assert_eq!(seen(2), branch, "an endpoint stays where it was");
    let decision = server.decision("02-00-5E-00-02-00");
    let reply = decision["reply"].to_string();
    assert!(reply.contains(&branch[0]), "the record says which: {reply}");
}

#[test]
fn a_role_without_a_vlan_at_a_site_where_it_may_be_granted_is_refused() {
    let vlans = "vlan = { by_site = { hq = 20, brunch = 120 } }";
    let (ok, out) = check(&config(&["hq", "branch", ""], vlans));
    assert!(!ok, "{out}");
    let message = "the rule \"all\" can grant the profile \"staff\" at sw2, but it has no VLAN at the site branch";
    for part in [message, "at sw3, but it has no VLAN where the NAS has no site", "give it an else"] {
        assert!(out.contains(part), "no {part:?} in:\n{out}");
    }
    assert!(!out.contains("at sw1"), "{out}");
    // A rule for other sites is no matter; the misspelled one is.
    let mut config = config(&["hq", "branch"], vlans);
    config.policy = POLICY.replace("resource)", "resource in Site::\"hq\")");
    let (ok, out) = check(&config);
    assert!(ok, "{out}");
    assert!(out.contains("has a VLAN at the site \"brunch\", where no NAS is"), "{out}");
}

#[test]
fn should_a_site_lack_a_vlan_all_the_same_the_login_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&[], "vlan = { by_site = { hq = 20 } }");
    let policy = dir.path().join("policy.cedar");
    std::fs::write(&policy, &config.policy).unwrap();
    let source = Source { file: dir.path().join("cordon.toml"), text: config.text() };
    let mut snapshot = build(
        &cordon::config::Config::parse(&source).unwrap(),
        &source,
        &cordon::config::stored::Stored::default(),
        None,
        now(),
    )
    .unwrap()
    .snapshot;
    let moved = Nas { site: Some("moon".into()), ..Nas::clone(&snapshot.nas.all()[0]) };
    snapshot.nas = NasRegistry::new(vec![moved]).unwrap();
    let engine = Engine::new(
        snapshot,
        Arc::new(Metrics::new()),
        Duration::from_secs(60),
        Duration::ZERO,
        Tickets::new(&[7; 32]),
    );
    let mut request = RequestBuilder::new(Code::AccessRequest, 7, [7; 16]);
    request.push_text(attr::USER_NAME, "02-00-5E-00-02-01").unwrap();
    request.push_text(attr::CALLING_STATION_ID, "02-00-5E-00-02-01").unwrap();
    let request = request.finish(&Secret::new(SECRET)).unwrap();
    let arrival = Arrival { source: "127.0.0.1:1024".parse().unwrap(), listener: 0, service: Service::Authentication };
    let Answer::AfterRecord { record: Record::Decision(decision), reply, .. } = engine.handle(&request, arrival, now())
    else {
        panic!("no decision");
    };
    assert_eq!(Packet::parse(&reply).unwrap().code(), Code::AccessReject);
    assert_eq!(decision.reason, Reason::ProfileNotExpressible);
    assert_eq!(decision.detail, "profile staff: it has no VLAN at the site moon");
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_secs(since.as_secs() as i64)
}

#[test]
fn mistakes_in_vlans_are_named() {
    for (vlan, part) in [
        ("{ pool = [] }", "a pool without a VLAN"),
        ("{ pool = [20, 20] }", "the VLAN 20 is in the pool twice"),
        ("{ pool = [20, 5000] }", "VLAN 5000 does not exist"),
        ("{ by_site = { hq = 0 } }", "VLAN 0 does not exist"),
        ("{ by_site = { hq = \"\" } }", "1 to 253 octets"),
        ("{ by_sight = { hq = 1 } }", "by_site"),
        ("true", "{ pool = [20, 21] }"),
    ] {
        let (ok, out) = check(&config(&[], &format!("vlan = {vlan}")));
        assert!(!ok && out.contains(part) && out.contains("cordon.toml:"), "no {part:?} in:\n{out}");
    }
}

#[test]
fn sessions_that_begin_together_end_one_after_the_other() {
    let server = Server::start(&config(&["hq"], "session_timeout_secs = 10000\nsession_timeout_jitter = 20"));
    let mut seen = BTreeSet::new();
    for endpoint in 0..8 {
        let out = told(&server, 1, endpoint);
        let secs: u32 = out.split("Session-Timeout = ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        assert!((8000..=10000).contains(&secs), "{out}");
        let decision = server.decision(&format!("02-00-5E-00-02-{endpoint:02X}"));
        let recorded = decision["reply"].to_string();
        assert!(recorded.contains(&format!("\"{secs}\"")), "{secs} is not in {recorded}");
        seen.insert(secs);
    }
    assert!(seen.len() > 4, "{seen:?}");
}

#[test]
fn a_retransmission_is_granted_the_same_time() {
    let server = Server::start(&config(&["hq"], "session_timeout_secs = 10000\nsession_timeout_jitter = 50"));
    let mut request = RequestBuilder::new(Code::AccessRequest, 7, [7; 16]);
    let mac = "02-00-5E-00-02-01";
    request.push_text(attr::USER_NAME, mac).unwrap();
    request.push_text(attr::CALLING_STATION_ID, mac).unwrap();
    let request = request.finish(&Secret::new(SECRET)).unwrap();
    let socket = UdpSocket::bind("127.0.1.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let ask = || {
        socket.send_to(&request, server.auth).unwrap();
        let mut reply = [0; 4096];
        let len = socket.recv(&mut reply).unwrap();
        reply[..len].to_vec()
    };
    let first = ask();
    let packet = Packet::parse(&first).unwrap();
    assert!((5000..=10000).contains(&packet.integer(attr::SESSION_TIMEOUT).unwrap()));
    assert_eq!(ask(), first);
}

#[test]
fn a_jitter_that_makes_no_sense_is_refused() {
    for (lines, part) in [
        ("session_timeout_secs = 600\nsession_timeout_jitter = 51", "a jitter of 51 percent is above 50"),
        ("session_timeout_jitter = 10", "without session_timeout_secs"),
    ] {
        let (ok, out) = check(&config(&[], lines));
        assert!(!ok && out.contains(part), "no {part:?} in:\n{out}");
    }
}

#[test]
fn an_attribute_that_another_key_sends_already_is_refused() {
    let twice = "filter_id = \"staff\"\nsession_timeout_secs = 60\nattributes = [\n\"Reply-Message = hello\",\n\
                 \"Filter-Id = other\",\n\"Session-Timeout = 600\"]";
    let (ok, out) = check(&config(&["hq"], twice));
    assert!(!ok, "{out}");
    let text = config(&["hq"], twice).text();
    let line = |part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    for (attribute, key) in [("Filter-Id = other", "filter_id"), ("Session-Timeout = 600", "session_timeout_secs")] {
        let message =
            format!("cordon.toml:{}: the profile \"staff\": {attribute:?} repeats what {key} sends", line(attribute));
        assert_eq!(out.matches(&message).count(), 1, "no {message:?} in:\n{out}");
    }
    assert!(!out.contains("hello"), "{out}");
    // Other words of other gear are no repetition.
    let mut airespace = config(&["hq"], "filter_id = \"staff\"\nattributes = [\"Airespace-ACL-Name = other\"]");
    assert!(check(&airespace).0);
    airespace.nas = "vendor = \"cisco-wlc\"".into();
    let (ok, out) = check(&airespace);
    assert!(!ok && out.contains("what filter_id sends to gear of the kind cisco-wlc"), "{out}");
}

/// A profile whose access rules take this many lines.
fn rules(count: usize) -> String {
    let rules: Vec<_> = (1..=count).map(|n| format!("\"permit tcp to 10.1.{n}.0/24 port 443\"")).collect();
    format!("acl = [{}]", rules.join(", "))
}

/// A switch that downloads lists, and one that does not.
fn downloading(count: usize) -> Config {
    let mut config = config(&["hq", "hq"], &rules(count));
    config.more = config.more.replacen("site", "vendor = \"cisco-ios-dacl\"\nsite", 1);
    config.policy = POLICY.replace("resource)", "resource == Nas::\"sw1\")");
    config
}

/// The list that the switch is told at a login.
fn named_list(server: &Server) -> String {
    let out = told(server, 1, 1);
    assert!(!out.contains("inacl"), "{out}");
    let name = out.split("ACS:CiscoSecure-Defined-ACL=").nth(1).unwrap().split('"').next().unwrap();
    assert!(name.starts_with("#ACSACL#-IP-staff-"), "{name}");
    name.to_owned()
}

fn ask(server: &Server, switch: usize, list: &str, more: &str) -> String {
    let request = format!(
        "Packet-Src-IP-Address=127.0.1.{switch}, User-Name=\"{list}\", Cisco-AVPair=\"aaa:service=ip_admission\", \
         Cisco-AVPair+=\"aaa:event=acl-download\"{more}"
    );
    radclient(server.auth, "auth", &request)
}

const SIGNED: &str = ", Message-Authenticator=0x00";

fn lines(reply: &str) -> Vec<&str> {
    let pairs = reply.split("Received").nth(1).unwrap_or_default().split("Cisco-AVPair = \"").skip(1);
    pairs.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn pil_4_a_switch_downloads_the_access_rules_of_a_profile() {
    let server = Server::start(&downloading(2));
    let list = named_list(&server);
    for password in ["", ", User-Password=\"\""] {
        let out = ask(&server, 1, &list, &format!("{SIGNED}{password}"));
        assert!(out.contains("Received Access-Accept"), "{out}");
        let expected = [
            "ip:inacl#10=permit tcp any 10.1.1.0 0.0.0.255 eq 443",
            "ip:inacl#20=permit tcp any 10.1.2.0 0.0.0.255 eq 443",
        ];
        assert_eq!(lines(&out), expected);
    }
}

#[test]
fn a_long_list_is_downloaded_in_several_rounds() {
    let server = Server::start(&downloading(120));
    let list = named_list(&server);
    let (mut all, mut state) = (Vec::new(), String::new());
    for round in 1..=10 {
        let out = ask(&server, 1, &list, &format!("{SIGNED}{state}"));
        all.extend(lines(&out).into_iter().map(str::to_owned));
        if out.contains("Received Access-Accept") {
            assert_eq!(round, 3);
            break;
        }
        assert!(out.contains("Received Access-Challenge"), "{out}");
        let received = out.split("Received").nth(1).unwrap();
        let value = received.split("State = ").nth(1).unwrap().lines().next().unwrap();
        state = format!(", State={value}");
    }
    let expected: Vec<_> =
        (1..=120).map(|n| format!("ip:inacl#{}=permit tcp any 10.1.{n}.0 0.0.0.255 eq 443", n * 10)).collect();
    assert!(all == expected, "{} lines", all.len());
    // A State of nobody's.
    let out = ask(&server, 1, &list, &format!("{SIGNED}, State=0x63"));
    assert!(out.contains("Received Access-Reject"), "{out}");
}

#[test]
fn a_list_goes_to_the_switches_that_it_is_for_and_to_nobody_else() {
    let server = Server::start(&downloading(2));
    let list = named_list(&server);
    let reason = || server.get("/api/v1/decisions?limit=1")["items"][0]["reason"].as_str().unwrap().to_owned();
    let refused = |out: &str| assert!(out.contains("Received Access-Reject") && !out.contains("inacl"), "{out}");
    // A name that is not, or not any more; another kind of gear.
    refused(&ask(&server, 1, "#ACSACL#-IP-staff-00000000", SIGNED));
    assert_eq!(reason(), "acl_unknown");
    refused(&ask(&server, 2, &list, SIGNED));
    assert_eq!(reason(), "acl_unknown");
    // Somebody who types the name at a prompt.
    refused(&ask(&server, 1, &list, &format!("{SIGNED}, User-Password=guess")));
    assert_eq!(reason(), "unsupported_authentication");
    let typed = format!("Packet-Src-IP-Address=127.0.1.1, User-Name=\"{list}\"{SIGNED}");
    refused(&radclient(server.auth, "auth", &typed));
    assert_eq!(reason(), "unsupported_authentication");
    // Whoever can send from the switch's address, but does not know the secret.
    let out = ask(&server, 1, &list, "");
    assert!(out.contains("No reply"), "{out}");
    assert_eq!(server.discarded("missing_message_authenticator"), 1);
}

#[test]
fn a_changed_list_has_a_new_name_and_the_old_one_stays_for_a_while() {
    let server = Server::start(&downloading(2));
    let old = named_list(&server);
    let text = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    std::fs::write(server.path("cordon.toml"), text.replace("10.1.2.0/24", "10.9.9.0/24")).unwrap();
    let new =
        wait_for("the new rules", Duration::from_secs(10), || Some(named_list(&server)).filter(|new| *new != old));
    assert!(ask(&server, 1, &new, SIGNED).contains("10.9.9.0"));
    // Another change, and the first list is there still.
    std::fs::write(server.path("cordon.toml"), text.replace("10.1.2.0/24", "10.8.8.0/24")).unwrap();
    wait_for("the newest rules", Duration::from_secs(10), || Some(named_list(&server)).filter(|n| *n != new));
    let out = ask(&server, 1, &old, SIGNED);
    assert!(out.contains("10.1.2.0") && !out.contains("10.9.9.0"), "{out}");
}
