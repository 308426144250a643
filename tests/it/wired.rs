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

const SUPPLICANT_MAC: &str = "02:00:5e:02:00:01";

/// Three namespaces joined by veth pairs, gone when the test ends.
struct Network {
    tag: String,
}

impl Network {
    /// `sup` and `srv` hang on the bridge of `nas`; the port of `sup` is locked.
    fn make(test: &str) -> Network {
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

    fn name(&self, role: &str) -> String {
        format!("{}-{role}", self.tag)
    }

    fn command(&self, role: &str, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(role)]).args(args);
        command
    }

    fn run(&self, role: &str, args: &[&str]) -> String {
        succeed(&mut self.command(role, args))
    }

    /// Whether the supplicant reaches the other side of the switch.
    fn passes(&self) -> bool {
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

fn hostapd(network: &Network, dir: &Path, server: &Server) -> (Background, Background) {
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

fn supplicant(network: &Network, dir: &Path) -> Background {
    let config = dir.join("wpa.conf");
    std::fs::write(
        &config,
        format!(
            "ctrl_interface={}\nap_scan=0\nnetwork={{\n  key_mgmt=IEEE8021X\n  eapol_flags=0\n  eap=TLS\n  \
             identity=\"anonymous@corp.example\"\n  ca_cert={:?}\n  client_cert={:?}\n  private_key={:?}\n  \
             domain_match=\"radius.corp.example\"\n}}\n",
            dir.join("wpa").display(),
            pki().path("corp/ca.pem"),
            pki().path("p256.pem"),
            pki().path("p256.key"),
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
fn listener(network: &Network, dir: &Path, server: &Server) -> Background {
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
