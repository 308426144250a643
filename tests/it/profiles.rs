//! What a profile grants, beyond the words of each vendor: VLANs by site and by
//! pool, times.

use crate::support::radclient::radclient;
use crate::support::server::{Config, SECRET, Server};
use crate::support::{cordon, text};
use cordon::radius::attribute as attr;
use cordon::radius::builder::RequestBuilder;
use cordon::radius::packet::{Code, Packet};
use cordon::secret::Secret;
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

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
