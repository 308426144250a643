//! A whole 802.1X port: wpa_supplicant, a bridge whose port hostapd unlocks,
//! and the server, each in its own network namespace.

use crate::support::pki::pki;
use crate::support::server::{Config, SECRET, Server, TOKEN};
use crate::support::{Background, read, succeed, wait_for};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) const SUPPLICANT_MAC: &str = "02:00:5e:02:00:01";

/// Three namespaces joined by veth pairs, gone when the test ends.
pub(crate) struct Network {
    tag: String,
}

impl Network {
    /// `sup` and `srv` hang on the bridge of `nas`; the port of `sup` is locked.
    pub(crate) fn make(test: &str) -> Network {
        let network = Network { tag: format!("cordon{}{test}", std::process::id()) };
        let name = |role: &str| network.name(role);
        for role in ["nas", "sup", "srv"] {
            succeed(Command::new("ip").args(["netns", "add", &name(role)]));
            network.run(role, &["ip", "link", "set", "lo", "up"]);
        }
        network.run("nas", &["ip", "link", "add", "br0", "type", "bridge"]);
        for (port, peer, role) in [("sw0", "eth0", "sup"), ("up0", "eth0", "srv")] {
            let (nas, other) = (name("nas"), name(role));
            succeed(
                Command::new("ip")
                    .args(["link", "add", port, "netns", &nas, "type", "veth", "peer", "name", peer, "netns", &other]),
            );
            network.run("nas", &["ip", "link", "set", port, "master", "br0", "up"]);
        }
        network.run("sup", &["ip", "link", "set", "eth0", "address", SUPPLICANT_MAC]);
        for (role, device, address) in
            [("nas", "br0", "10.77.0.2/24"), ("sup", "eth0", "10.77.0.3/24"), ("srv", "eth0", "10.77.0.1/24")]
        {
            network.run(role, &["ip", "address", "add", address, "dev", device]);
            network.run(role, &["ip", "link", "set", device, "up"]);
        }
        // The wire is sound: what is silent below is silent by the lock alone.
        wait_for("traffic over the open port", Duration::from_secs(10), || network.passes().then_some(()));
        network.run("nas", &["bridge", "link", "set", "dev", "sw0", "learning", "off", "locked", "on"]);
        network.run("nas", &["ip", "link", "set", "br0", "type", "bridge", "fdb_flush"]);
        network
    }

    pub(crate) fn name(&self, role: &str) -> String {
        format!("{}-{role}", self.tag)
    }

    pub(crate) fn command(&self, role: &str, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(role)]).args(args);
        command
    }

    fn run(&self, role: &str, args: &[&str]) -> String {
        succeed(&mut self.command(role, args))
    }

    /// Whether the supplicant reaches the other side of the switch.
    pub(crate) fn passes(&self) -> bool {
        let ping = ["ping", "-n", "-c", "1", "-W", "1", "10.77.0.1"];
        self.command("sup", &ping).stdout(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for role in ["nas", "sup", "srv"] {
            let _ = Command::new("ip").args(["netns", "delete", &self.name(role)]).status();
        }
    }
}

pub(crate) fn hostapd(network: &Network, dir: &Path, server: &Server) -> (Background, Background) {
    let config = dir.join("hostapd.conf");
    let control = dir.join("hostapd");
    std::fs::write(
        &config,
        format!(
            "interface=sw0\nbridge=br0\ndriver=wired\nctrl_interface={}\nieee8021x=1\neapol_version=2\n\
             use_pae_group_addr=1\neap_reauth_period=3600\nown_ip_addr=10.77.0.2\nnas_identifier=test-switch\n\
             radius_client_addr=10.77.0.2\n\
             auth_server_addr=10.77.0.1\nauth_server_port={}\nauth_server_shared_secret={SECRET}\n\
             acct_server_addr=10.77.0.1\nacct_server_port={}\nacct_server_shared_secret={SECRET}\n\
             radius_das_port=3799\nradius_das_client=10.77.0.1 {SECRET}\nradius_das_time_window=300\n\
             radius_das_require_event_timestamp=1\n\
             radius_acct_interim_interval=2\nradius_auth_req_attr=61:d:15\n\
             radius_auth_req_attr=87:s:GigabitEthernet1/0/1\nradius_acct_req_attr=87:s:GigabitEthernet1/0/1\n",
            control.display(),
            server.auth.port(),
            server.acct.port(),
        ),
    )
    .unwrap();
    let log = std::fs::File::create(dir.join("hostapd.log")).unwrap();
    let mut command = network.command("nas", &["hostapd", "-d", config.to_str().unwrap()]);
    let hostapd = Background::start(command.stdout(log.try_clone().unwrap()).stderr(log));
    wait_for("hostapd's control socket", Duration::from_secs(10), || control.join("sw0").exists().then_some(()));
    // The switch program: unlocks the port for whom hostapd has let in.
    let action = dir.join("action.sh");
    std::fs::write(
        &action,
        "#!/bin/sh\nexec 2>>\"$0.log\"; set -x\ncase \"$2\" in\n\
         AP-STA-CONNECTED) bridge fdb replace \"$3\" dev sw0 master static;;\n\
         AP-STA-DISCONNECTED) bridge fdb del \"$3\" dev sw0 master;;\nesac\n",
    )
    .unwrap();
    std::fs::set_permissions(&action, std::fs::Permissions::from_mode(0o755)).unwrap();
    let control = control.to_str().unwrap();
    let mut command =
        network.command("nas", &["hostapd_cli", "-p", control, "-i", "sw0", "-a", action.to_str().unwrap()]);
    (hostapd, Background::start(command.stdout(Stdio::null())))
}

pub(crate) fn supplicant(network: &Network, dir: &Path) -> Background {
    supplicant_with(network, dir, &pki().path("p256.pem"), &pki().path("p256.key"))
}

/// The same with another certificate.
fn supplicant_with(network: &Network, dir: &Path, certificate: &Path, key: &Path) -> Background {
    let config = dir.join("wpa.conf");
    std::fs::write(
        &config,
        format!(
            "ctrl_interface={}\nap_scan=0\nnetwork={{\n  key_mgmt=IEEE8021X\n  eapol_flags=0\n  eap=TLS\n  \
             identity=\"anonymous@corp.example\"\n  ca_cert={:?}\n  client_cert={:?}\n  private_key={:?}\n  \
             domain_match=\"radius.corp.example\"\n}}\n",
            dir.join("wpa").display(),
            pki().path("corp/ca.pem"),
            certificate,
            key,
        ),
    )
    .unwrap();
    let log = std::fs::File::create(dir.join("wpa.log")).unwrap();
    let mut command = network.command("sup", &["wpa_supplicant", "-Dwired", "-ieth0", "-c", config.to_str().unwrap()]);
    Background::start(command.stdout(log.try_clone().unwrap()).stderr(log))
}

fn session(server: &Server) -> Option<Value> {
    let page = server.get(&format!("/api/v1/sessions?mac={SUPPLICANT_MAC}"));
    page["items"].get(0).cloned()
}

#[test]
fn step_8_a_stock_switch_and_supplicant_open_and_close_the_port() {
    let network = Network::make("a");
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_in(&network.name("srv"), &Config { listen: "10.77.0.1", ..Config::default() });
    let _switch = hostapd(&network, dir.path(), &server);
    assert!(!network.passes(), "the port must be locked before the login");

    let _supplicant = supplicant(&network, dir.path());
    let logs = || ["wpa.log", "hostapd.log", "action.sh.log"].map(|name| read(&dir.path().join(name))).join("\n");
    let open = std::time::Instant::now();
    while !network.passes() {
        assert!(open.elapsed() < Duration::from_secs(20), "no traffic after the login:\n{}", logs());
    }

    let decision = server.decision(SUPPLICANT_MAC);
    assert_eq!(decision["outcome"], "accept", "{decision:#}\n{}", logs());
    assert_eq!(decision["identity"]["name"], "p256");
    assert_eq!(decision["nas"]["port"], "GigabitEthernet1/0/1");

    let active = wait_for("the session", Duration::from_secs(10), || {
        session(&server).filter(|s| s["state"] == "started" || s["state"] == "active")
    });
    assert_eq!(active["decision"], decision["id"], "the Class came back with accounting");
    wait_for("an Interim-Update", Duration::from_secs(20), || {
        let (_, metrics) = server.get_raw("/metrics", Some(TOKEN));
        metrics.contains(r#"cordon_accounting_records_total{status="interim"}"#).then_some(())
    });

    let control = dir.path().join("wpa");
    network.run("sup", &["wpa_cli", "-p", control.to_str().unwrap(), "-i", "eth0", "logoff"]);
    let stopped =
        wait_for("the session's end", Duration::from_secs(10), || session(&server).filter(|s| s["state"] == "stopped"));
    assert_eq!(stopped["terminate_cause"], "User-Request", "{stopped:#}");
    assert_eq!(stopped["id"], active["id"]);
    assert!(stopped["session_time_secs"].as_u64().unwrap() >= 2, "{stopped:#}");
    wait_for("silence after the logoff", Duration::from_secs(10), || (!network.passes()).then_some(()));
}

/// tshark at the switch: writes the VLAN of each Access-Accept to `vlans`.
pub(crate) fn listener(network: &Network, dir: &Path, server: &Server) -> Background {
    let (seen, log) = (dir.join("vlans"), dir.join("tshark.log"));
    let decode = format!("udp.port=={},radius", server.auth.port());
    let args = ["tshark", "-l", "-i", "br0", "-d", &decode, "-Y", "radius.code==2", "-T", "fields", "-e"];
    let mut command = network.command("nas", &[&args[..], &["radius.Tunnel_Private_Group_Id"]].concat());
    let (out, errors) = (std::fs::File::create(seen).unwrap(), std::fs::File::create(&log).unwrap());
    let listener = Background::start(command.stdout(out).stderr(errors));
    wait_for("tshark", Duration::from_secs(20), || read(&log).contains("Capturing on").then_some(()));
    listener
}

#[test]
fn a_switch_is_told_the_new_vlan_when_the_policy_is_activated() {
    let network = Network::make("b");
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bare_in(&network.name("srv"), "10.77.0.1:0");
    let rules = |profile: &str| {
        format!(
            "@id(\"laptops\") @order(\"10\") @profile({profile:?})\npermit (principal in Group::\"laptops\", \
             action == Network::Action::\"connect\", resource);\n"
        )
    };
    std::fs::write(server.path("rules.cedar"), rules("corp")).unwrap();
    server.apply(&format!(
        "[policy]\nfile = \"rules.cedar\"\n[[nas]]\nname = \"sw\"\naddress = \"10.77.0.2\"\nsecret = {SECRET:?}\n\
         [[profile]]\nname = \"corp\"\nvlan = 20\n[[profile]]\nname = \"limited\"\nvlan = 30\n\
         [[binding]]\nname = \"d\"\nkind = \"device\"\nsan_dns = \"{{name}}.corp.example\"\n\
         [[identity]]\nname = \"alice\"\nkind = \"user\"\n[[identity]]\nname = \"p256\"\nkind = \"device\"\n\
         groups = [\"laptops\"]\nowner = \"alice\"\npurpose = \"work\"\n"
    ));
    let _listener = listener(&network, dir.path(), &server);
    let _switch = hostapd(&network, dir.path(), &server);
    let _supplicant = supplicant(&network, dir.path());
    let told = |expected: &[&str]| {
        wait_for(&format!("the VLANs {expected:?}"), Duration::from_secs(20), || {
            let seen = read(&dir.path().join("vlans"));
            let seen: Vec<_> = seen.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            (seen == expected).then_some(())
        });
    };
    told(&["20"]);
    wait_for("the open port", Duration::from_secs(10), || network.passes().then_some(()));

    let draft = server.path("draft.cedar");
    std::fs::write(&draft, rules("limited")).unwrap();
    server.in_force(|| server.succeed(&["policy", "activate", draft.to_str().unwrap()]));
    // Asked again, as a switch does at the session's end, it is told the new one.
    let control = dir.path().join("wpa");
    network.run("sup", &["wpa_cli", "-p", control.to_str().unwrap(), "-i", "eth0", "reauthenticate"]);
    told(&["20", "30"]);
}

/// What is applied: a switch, a laptop, and a rule that gives it `profile`.
fn laptop(server: &Server, vendor: &str, profile: &str) -> String {
    std::fs::write(server.path("rules.cedar"), rules(profile)).unwrap();
    format!(
        "[policy]\nfile = \"rules.cedar\"\n[[nas]]\nname = \"sw\"\naddress = \"10.77.0.2\"\nsecret = {SECRET:?}\n\
         vendor = {vendor:?}\n[[profile]]\nname = \"corp\"\nvlan = 20\n[[profile]]\nname = \"limited\"\nvlan = 30\n\
         [[identity]]\nname = \"alice\"\nkind = \"user\"\n[[identity]]\nname = \"p256\"\nkind = \"device\"\n\
         groups = [\"laptops\"]\nowner = \"alice\"\npurpose = \"work\"\n\
         credentials = [{{ san_dns = \"p256.corp.example\" }}]\n"
    )
}

pub(crate) fn rules(profile: &str) -> String {
    format!(
        "@id(\"laptops\") @order(\"10\") @profile({profile:?})\npermit (principal in Group::\"laptops\", \
         action == Network::Action::\"connect\", resource);\n"
    )
}

/// Whether the switch lets the supplicant's frames through: a look, where a ping
/// that gets no answer takes a second.
pub(crate) fn unlocked(network: &Network) -> bool {
    network.run("nas", &["bridge", "fdb", "show", "dev", "sw0"]).contains(SUPPLICANT_MAC)
}

/// The latest change to the supplicant's session, once it is over.
fn change(server: &Server) -> Value {
    wait_for("the end of the change", Duration::from_secs(15), || {
        let change = server.get("/api/v1/changes?limit=1")["items"].get(0).cloned()?;
        (change["state"] != "waiting").then_some(change)
    })
}

/// Logged in, and accounted for.
pub(crate) fn online(network: &Network, server: &Server) {
    wait_for("the open port", Duration::from_secs(20), || network.passes().then_some(()));
    wait_for("the session", Duration::from_secs(10), || {
        session(server).filter(|s| !s["acct_session_id"].is_null() && s["state"] != "authenticated")
    });
}

#[test]
fn a_suspended_identity_loses_its_port_within_two_seconds_and_does_not_get_it_back() {
    let network = Network::make("c");
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bare_in(&network.name("srv"), "10.77.0.1:0");
    server.apply(&laptop(&server, "standard", "corp"));
    let _switch = hostapd(&network, dir.path(), &server);
    let _supplicant = supplicant(&network, dir.path());
    online(&network, &server);

    server.succeed(&["identity", "status", "device", "p256", "suspended"]);
    let suspended = std::time::Instant::now();
    wait_for("the closed port", Duration::from_secs(10), || (!unlocked(&network)).then_some(()));
    let took = suspended.elapsed();
    assert!(took < Duration::from_secs(2), "closed after {took:?}:\n{}", read(&dir.path().join("hostapd.log")));
    eprintln!("the port was closed {took:?} after the identity was suspended");
    let change = change(&server);
    assert_eq!((&change["state"], &change["reason"]), (&"done".into(), &"identity_suspended".into()), "{change:#}");
    assert_eq!(change["attempts"][0]["change"], "disconnect", "{change:#}");
    assert!(!network.passes());

    // It asks again, and is refused.
    let control = dir.path().join("wpa");
    let control = control.to_str().unwrap();
    network.run("sup", &["wpa_cli", "-p", control, "-i", "eth0", "logoff"]);
    network.run("sup", &["wpa_cli", "-p", control, "-i", "eth0", "logon"]);
    let refused = wait_for("the refusal", Duration::from_secs(20), || {
        let decision = server.decision(SUPPLICANT_MAC);
        (decision["outcome"] == "reject").then_some(decision)
    });
    assert_eq!(refused["reason"], "identity_suspended", "{refused:#}");
    assert!(!network.passes());
}

#[test]
fn another_vlan_by_policy_ends_the_session_and_the_next_login_brings_it() {
    let network = Network::make("d");
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bare_in(&network.name("srv"), "10.77.0.1:0");
    // This switch is taken for one that knows CoA-Request, and does not.
    let gear = server.path("gear");
    std::fs::create_dir(&gear).unwrap();
    std::fs::write(
        gear.join("hopeful.toml"),
        "title = \"hostapd, taken for more\"\nextends = \"standard\"\n[coa.reauthenticate]\n\
         send = [\"Service-Type = Authorize-Only\"]\nconfirmed = \"unconfirmed\"\n",
    )
    .unwrap();
    let file = server.path("cordon.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    server.in_force(|| {
        std::fs::write(&file, config.replacen("[server]\n", &format!("[server]\nnas_profiles = {gear:?}\n"), 1))
            .unwrap();
        String::new()
    });
    server.apply(&laptop(&server, "hopeful", "corp"));
    let _listener = listener(&network, dir.path(), &server);
    let _switch = hostapd(&network, dir.path(), &server);
    let _supplicant = supplicant(&network, dir.path());
    online(&network, &server);
    let vlans = || -> Vec<String> {
        let seen = read(&dir.path().join("vlans"));
        seen.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    wait_for("the first VLAN", Duration::from_secs(10), || (vlans() == ["20"]).then_some(()));

    let draft = server.path("draft.cedar");
    std::fs::write(&draft, rules("limited")).unwrap();
    server.succeed(&["policy", "activate", draft.to_str().unwrap()]);
    wait_for("the closed port", Duration::from_secs(5), || (!unlocked(&network)).then_some(()));
    let change = change(&server);
    assert_eq!(change["state"], "done", "{change:#}");
    assert!(change["detail"].as_str().unwrap().contains("corp becomes limited"), "{change:#}");
    let tried: Vec<_> = change["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["change"].as_str().unwrap(), a["result"].as_str().unwrap(), a["error_cause"].as_u64()))
        .collect();
    assert!(matches!(tried[..], [("reauthenticate", "nak", Some(_)), ("disconnect", "ack", None)]), "{change:#}");

    // After a disconnect hostapd tells the supplicant nothing; it logs in again.
    let control = dir.path().join("wpa");
    let control = control.to_str().unwrap();
    network.run("sup", &["wpa_cli", "-p", control, "-i", "eth0", "logoff"]);
    network.run("sup", &["wpa_cli", "-p", control, "-i", "eth0", "logon"]);
    wait_for("the new VLAN", Duration::from_secs(20), || (vlans() == ["20", "30"]).then_some(()));
    wait_for("the open port", Duration::from_secs(10), || network.passes().then_some(()));
    assert_eq!(server.decision(SUPPLICANT_MAC)["profile"], "limited");
}

#[test]
fn a_revoked_certificate_loses_its_port() {
    let network = Network::make("e");
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bare_in(&network.name("srv"), "10.77.0.1:0");
    let ca = server.path("own");
    succeed(crate::support::cordon().args(["ca", "init", "--name", "Own", "--dir"]).arg(&ca));
    let laptop_at = server.path("laptop");
    succeed(
        crate::support::cordon()
            .args(["ca", "issue", "--dns", "p256.corp.example", "--dir"])
            .arg(&ca)
            .arg("--out")
            .arg(&laptop_at),
    );
    let file = server.path("cordon.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    server.in_force(|| {
        let (pem, crl) = (ca.join("ca.pem"), ca.join("ca.crl"));
        let more = format!("\n[[ca]]\nname = \"own\"\nfile = {pem:?}\ncrl = [{crl:?}]\n");
        std::fs::write(&file, config + &more).unwrap();
        String::new()
    });
    server.apply(&laptop(&server, "standard", "corp"));
    let _switch = hostapd(&network, dir.path(), &server);
    let (certificate, key) = (laptop_at.with_extension("pem"), laptop_at.with_extension("key"));
    let _supplicant = supplicant_with(&network, dir.path(), &certificate, &key);
    online(&network, &server);

    succeed(crate::support::cordon().args(["ca", "revoke", "--dir"]).arg(&ca).arg(&certificate));
    let revoked = std::time::Instant::now();
    wait_for("the closed port", Duration::from_secs(10), || (!unlocked(&network)).then_some(()));
    eprintln!("the port was closed {:?} after the certificate was revoked", revoked.elapsed());
    assert!(revoked.elapsed() < Duration::from_secs(2), "{:?}", revoked.elapsed());
    let change = change(&server);
    assert_eq!((&change["state"], &change["reason"]), (&"done".into(), &"certificate_revoked".into()), "{change:#}");
    assert!(!network.passes());
}
