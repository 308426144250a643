//! The agent on a host, beside a stock supplicant and switch.

use crate::agents::{NAME, aged, ground, shared, stands};
use crate::posture::{document, network_manager};
use crate::support::eapol::Eapol;
use crate::support::server::Server;
use crate::support::{Background, feed, read, succeed, text, wait_for};
use crate::wired::{Network, hostapd, listener, online, supplicant, unlocked};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What is asked of laptops besides their firewall.
const DISKS: &str = r#"
[[compliance]]
name = "disks"
kinds = ["device"]
groups = ["laptops"]
checks = [
  { check = "disk_encryption", is = true },
  { check = "forbidden_software", none_of = ["tor", "nmap"] },
]
"#;

/// A host of files, in `dir`, and the agent's configuration for it.
struct Host {
    dir: PathBuf,
}

impl Host {
    /// One with this certificate.
    fn new(dir: &Path, server: &Server, certificate: &Path, more: &str) -> Host {
        let host = Host { dir: dir.join("host") };
        std::fs::create_dir_all(host.path("root/proc/self")).unwrap();
        for kind in ["pem", "key"] {
            std::fs::copy(certificate.with_extension(kind), host.path("own").with_extension(kind)).unwrap();
        }
        host.disk(true);
        host.write("root/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        host.write("root/var/lib/dpkg/status", "Package: bash\nStatus: install ok installed\n\n");
        host.write("root/var/lib/dpkg/info/bash.list", "/bin/bash\n");
        let (port, address, ca) = (server.posture().port(), server.posture(), shared("corp/ca.pem"));
        host.write(
            "agent.toml",
            &format!(
                "server = \"https://{NAME}:{port}\"\naddress = \"{address}\"\nca = {ca:?}\ncertificate = \"own.pem\"\n\
                 key = \"own.key\"\nstate_dir = \"state\"\nroot = \"root\"\ninterval_secs = 30\nlook_secs = 1\n{more}"
            ),
        );
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    /// What its root lies on: LUKS, or a partition.
    fn disk(&self, encrypted: bool) {
        self.write("root/sys/dev/block/253:0/dm/uuid", "CRYPT-LUKS2-0123-root\n");
        self.write("root/sys/dev/block/8:2/partition", "2\n");
        let (device, source) = if encrypted { ("253:0", "mapper/root") } else { ("8:2", "sda2") };
        let line = format!("22 1 {device} / / rw,relatime shared:1 - ext4 /dev/{source} rw\n");
        self.write("root/proc/self/mountinfo.new", &line);
        std::fs::rename(self.path("root/proc/self/mountinfo.new"), self.path("root/proc/self/mountinfo")).unwrap();
    }

    fn command(&self, network: Option<&Network>, command: &str) -> Command {
        let config = self.path("agent.toml");
        let args = [env!("CARGO_BIN_EXE_cordon-agent"), command, "--config", config.to_str().unwrap()];
        match network {
            Some(network) => network.command("sup", &args),
            None => {
                let mut command = Command::new(args[0]);
                command.args(&args[1..]);
                command
            }
        }
    }

    /// Runs the agent until the test ends.
    fn run(&self, network: Option<&Network>) -> Background {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        Background::start(self.command(network, "run").stderr(log))
    }

    fn status(&self, network: Option<&Network>) -> Output {
        self.command(network, "status").output().unwrap()
    }

    fn log(&self) -> String {
        read(&self.path("log"))
    }
}

/// Turns the firewall of the supplicant's namespace on or off.
fn firewall(network: &Network, on: bool) {
    let rules = "table inet filter {\nchain input {\ntype filter hook input priority 0; policy drop;\n\
                 ip saddr 10.77.0.1 accept\nmeta l4proto { icmp, icmpv6 } accept\n}\n}\n";
    let said = feed(&mut network.command("sup", &["nft", "-f", "-"]), if on { rules } else { "flush ruleset" });
    assert!(said.is_empty(), "{said}");
}

/// Memory at its most in KiB, and CPU in ticks of 10 ms, of a process.
fn footprint(pid: u32) -> (u64, u64) {
    let status = read(Path::new(&format!("/proc/{pid}/status")));
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let stat = read(Path::new(&format!("/proc/{pid}/stat")));
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    (peak.split_whitespace().next().unwrap().parse().unwrap(), ticks)
}

#[test]
fn a_laptop_whose_firewall_goes_off_is_put_apart_and_comes_back_by_itself_when_it_is_on() {
    let network = Network::make("g");
    let dir = tempfile::tempdir().unwrap();
    let server = Server::resumed_in(&network.name("srv"), &ground("10.77.0.1:0", "10.77.0.1:0"));
    server.apply(&(document(&server, "10.77.0.2") + DISKS));
    let _listener = listener(&network, dir.path(), &server);
    let _switch = hostapd(&network, dir.path(), &server);
    firewall(&network, true);
    let _supplicant = supplicant(&network, dir.path());
    online(&network, &server);
    let _manager = network_manager(&network, dir.path().join("wpa").to_str().unwrap());
    let host = Host::new(dir.path(), &server, &shared("p256"), "");
    let vlans = |expected: &[&str]| {
        wait_for(&format!("the VLANs {expected:?}"), Duration::from_secs(60), || {
            let seen = read(&dir.path().join("vlans"));
            let mut seen: Vec<_> = seen.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            seen.dedup();
            (seen == expected).then_some(())
        });
    };
    // Nothing is known of it, until its agent tells.
    vlans(&["30"]);
    let agent = host.run(Some(&network));
    vlans(&["30", "20"]);
    online(&network, &server);
    let well = host.status(Some(&network));
    assert!(well.status.success() && text(&well).contains("p256 (device): compliant"), "{}", text(&well));

    firewall(&network, false);
    let off = Instant::now();
    wait_for("the closed port", Duration::from_secs(15), || (!unlocked(&network)).then_some(()));
    eprintln!("the port was closed {:?} after the firewall went off", off.elapsed());
    vlans(&["30", "20", "30"]);
    online(&network, &server);
    let bad = host.status(Some(&network));
    assert_eq!(bad.status.code(), Some(1), "{}", text(&bad));
    for part in
        ["non_compliant", "firewall: is false, must be", "-> Switch the firewall on.", "certificate: good until"]
    {
        assert!(text(&bad).contains(part), "no {part:?} in {}", text(&bad));
    }

    firewall(&network, true);
    vlans(&["30", "20", "30", "20"]);
    online(&network, &server);
    stands(&server, "p256", "compliant", &[]);
    // The agent is the child of `ip netns exec`, which becomes it.
    let (peak, ticks) = footprint(agent.0.id());
    eprintln!("the agent took {peak} KiB at most, and {ticks} ticks of CPU");
    assert!(peak < 100 * 1024);
}

#[test]
fn what_could_not_be_told_is_told_later_and_the_certificate_is_renewed_in_time() {
    // The same port before and after.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::resumed(&ground("127.0.0.1:0", &free.to_string()));
    let plain = document(&server, "127.0.0.1").replace("{ check = \"firewall\", is = true },", "");
    server.apply(&(plain + DISKS));
    // Less than a third of its life is left, and the last renewal ended before both files were in their places.
    let old = aged(&server, "ca", "old", "p256.corp.example", "-20 days", "+8 days");
    let dir = tempfile::tempdir().unwrap();
    let host = Host::new(dir.path(), &server, &old, "after_renewal = [\"touch\", \"/dev/null\"]\n");
    let config = read(&host.path("agent.toml")).replace("/dev/null", host.path("told").to_str().unwrap());
    host.write("agent.toml", &config);
    host.write("state/renewed.pem", &(read(&host.path("own.key")) + &read(&host.path("own.pem"))));
    std::fs::copy(shared("p384.key"), host.path("own.key")).unwrap();
    let _agent = host.run(None);
    stands(&server, "p256", "compliant", &[]);
    wait_for("the renewal", Duration::from_secs(15), || host.path("told").exists().then_some(()));
    assert_ne!(read(&host.path("own.pem")), read(&old.with_extension("pem")), "{}", host.log());
    let public = |args: &[&str], file: &str| {
        let mut command = Command::new("openssl");
        succeed(command.args(args).arg("-in").arg(host.path(file)).stderr(Stdio::null()))
    };
    let key = public(&["pkey", "-pubout"], "own.key");
    assert_eq!(public(&["x509", "-noout", "-pubkey"], "own.pem"), key, "certificate and key fit");
    assert!(!host.path("state/renewed.pem").exists());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(host.path("own.key")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let login = Eapol::new(host.path("own").to_str().unwrap());
    login.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&login.mac)["identity"]["name"], "p256");
    let early = host.command(None, "renew").output().unwrap();
    assert!(!early.status.success() && text(&early).contains("too_early"), "{}", text(&early));

    // What `watched` names is looked for as soon as the server has told it.
    host.write("root/var/lib/dpkg/status", "Package: tor\nStatus: install ok installed\n\n");
    stands(&server, "p256", "non_compliant", &["forbidden_software"]);
    host.write("root/var/lib/dpkg/status", "Package: bash\nStatus: install ok installed\n\n");
    stands(&server, "p256", "compliant", &[]);
    let looked = succeed(&mut host.command(None, "look"));
    let looked: Value = serde_json::from_str(&looked).unwrap();
    assert_eq!((&looked["disk_encryption"], &looked["os_version"]), (&true.into(), &"12".into()), "{looked:#}");
    assert_eq!(looked["certificate_days_left"], 27, "{looked:#}");

    // The server is away, and the disk is replaced meanwhile.
    server.signal("KILL");
    host.disk(false);
    let kept = host.path("state/unsent.json");
    wait_for("the report that waits", Duration::from_secs(20), || {
        read(&kept).contains("\"disk_encryption\":false").then_some(())
    });
    let away = host.status(None);
    for part in ["the server cannot be asked", "waits until it can be", "what it said last", "compliant"] {
        assert!(text(&away).contains(part), "no {part:?} in {}", text(&away));
    }
    let server = server.restart("KILL");
    stands(&server, "p256", "non_compliant", &["disk_encryption"]);
    wait_for("nothing to wait", Duration::from_secs(5), || (!kept.exists()).then_some(()));
    host.disk(true);
    stands(&server, "p256", "compliant", &[]);
}

#[test]
fn a_wrong_configuration_of_the_agent_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agent.toml");
    let good = "server = \"https://h:8444\"\nca = \"ca.pem\"\ncertificate = \"c.pem\"\nkey = \"c.key\"\n";
    for (text_of, part) in [
        (good.replace("https", "http"), "begins with https://"),
        (format!("{good}look_secs = 0\n"), "from 1 to 3600"),
        (format!("{good}interval_secs = 5\n"), "from 30 to 86400"),
        (format!("{good}colour = 1\n"), "unknown field `colour`"),
        (good.replace("ca = ", "# "), "missing field `ca`"),
    ] {
        std::fs::write(&file, text_of).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cordon-agent"));
        let output = command.args(["status", "--config"]).arg(&file).output().unwrap();
        assert!(!output.status.success() && text(&output).contains(part), "no {part:?} in {}", text(&output));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_cordon-agent"));
    let none = command.args(["run", "--config", "/nowhere.toml"]).output().unwrap();
    assert!(!none.status.success() && text(&none).contains("docs/agent.md"), "{}", text(&none));
}
