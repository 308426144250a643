//! Moving in: what is imported works as it did where it came from.

use crate::support::radclient::{radclient, radclient_with};
use crate::support::server::{Config, Server};
use crate::support::{Background, cordon, succeed, text, wait_for};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PACKAGED: &str = "/etc/freeradius/3.0";
const SECRET: &str = "a\"b\\101 c#d with some length";

/// As its owner might have written it.
const CLIENTS: &str = r#"
client switches {
	ipaddr = 127.0.0.1   # where radclient is
	secret = "a\"b\101 c#d with some length"
	shortname = 'access-switches'
	nas_type = other
	require_message_authenticator = no
}
client by-name {
	ipaddr = switch.example
	secret = x
}
$INCLUDE more/
"#;
const USERS: &str = r#"
# Cameras and printers.
DEFAULT
	Idle-Timeout = 600, Fall-Through = Yes

02005e000001 Cleartext-Password := "02005e000001"
	Tunnel-Type:1 = VLAN, Tunnel-Medium-Type:1 = IEEE-802,
	Tunnel-Private-Group-Id:1 = "20",
	Reply-Message = "hello %{User-Name}"

02005e000002 Auth-Type := Accept
	Tunnel-Type = 13, Tunnel-Medium-Type = 6,
	Tunnel-Private-Group-Id = "cameras",
	Filter-Id = "only \"cameras\"", Session-Timeout = 0x0e10,
	Termination-Action = RADIUS-Request,
	Idle-Timeout := 60,
	Cisco-AVPair = "a=b", Cisco-AVPair += "c=d"

DEFAULT Calling-Station-Id == "02-00-5E-00-00-03", Auth-Type := Accept
	Tunnel-Type:1 = VLAN, Tunnel-Medium-Type:1 = IEEE-802,
	Tunnel-Private-Group-Id:1 = "20"

02005e000004 Auth-Type := Reject

02005e000007
	Session-Timeout = 10, Session-Timeout = 20, Idle-Timeout = 5, Fall-Through = Yes
02005e000007 Auth-Type := Accept
	Idle-Timeout := 7, Idle-Timeout := 8, Filter-Id = "one", Filter-Id += "two", Fall-Through = Yes
02005e000007 Auth-Type := Reject, Calling-Station-Id == "02-00-5E-00-00-99"
02005e000008 Auth-Type := Reject
	Fall-Through = Yes
02005e000008 Auth-Type := Accept
02005e000009 Auth-Type = Accept
	Fall-Through = Yes
02005e000009 Auth-Type = Reject
02005e00000a Auth-Type := Accept, Service-Type == Call-Check
	Filter-Id = 'it\'s', Reply-Message = "x"

bob Cleartext-Password := "hush"
	Tunnel-Private-Group-Id = 99

$INCLUDE more-users
"#;
const MORE_USERS: &str = r#"
02005e000007

02005e000005 Auth-Type := Accept
	Service-Type = Framed-User

DEFAULT Framed-Protocol == PPP
	Framed-Protocol = PPP

02005e00000b
	Tunnel-Type = VLAN, Tunnel-Medium-Type = IEEE-802, Tunnel-Private-Group-Id = "20"

02005e00000c Auth-Type := Accept
	Filter-Id = "after-ppp"

DEFAULT NAS-Port == 7
	Filter-Id = "lab"

02005e00000d Auth-Type := Accept
	Filter-Id = "not in the lab"
"#;

/// FreeRADIUS with these files, on a port that was free.
fn freeradius(dir: &Path) -> (Background, SocketAddr) {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (root, pki) = (Path::new(env!("CARGO_MANIFEST_DIR")), crate::support::pki::pki());
    succeed(
        Command::new("sh").arg(root.join("scripts/freeradius.sh")).arg(dir).args([&port.to_string(), "unused"]).args([
            pki.path("server-p256.pem"),
            pki.path("server-p256.key"),
            pki.path("corp/ca.pem"),
        ]),
    );
    std::fs::remove_file(dir.join("mods-enabled/eap")).unwrap();
    std::fs::write(
        dir.join("sites-enabled/default"),
        format!(
            "server default {{\n listen {{\n type = auth\n ipaddr = 127.0.0.1\n port = {port}\n }}\n \
             authorize {{\n files\n pap\n }}\n authenticate {{\n pap\n }}\n}}\n"
        ),
    )
    .unwrap();
    // It asks DNS for names, and there is none here.
    let clients = CLIENTS.replace("switch.example", "192.0.2.1");
    std::fs::write(dir.join("clients.conf"), clients).unwrap();
    std::fs::create_dir(dir.join("more")).unwrap();
    std::fs::write(dir.join("mods-config/files/authorize"), USERS).unwrap();
    std::fs::write(dir.join("mods-config/files/more-users"), MORE_USERS).unwrap();
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let mut command = Command::new("freeradius");
    command.args(["-f", "-l", "stdout", "-d"]).arg(dir).stdout(log.try_clone().unwrap()).stderr(log);
    let server = Background::start(&mut command);
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    wait_for("FreeRADIUS", Duration::from_secs(20), || {
        let out = radclient_with(address, "status", "Message-Authenticator=0x00", SECRET);
        out.contains("Received Access-Accept").then_some(())
    });
    (server, address)
}

/// What a login by MAC address gives: the attributes that grant something,
/// without tags, or `None` when it is refused.
fn told(address: SocketAddr, mac: &str) -> Option<Vec<String>> {
    told_at(address, mac, 1)
}

/// [`told`] at this NAS-Port.
fn told_at(address: SocketAddr, mac: &str, port: u32) -> Option<Vec<String>> {
    let station: Vec<&str> = (0..6).map(|i| &mac[2 * i..2 * i + 2]).collect();
    let request = format!(
        "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={:?}, \
         NAS-Port={port}, Message-Authenticator=0x00",
        station.join("-").to_uppercase()
    );
    let out = radclient_with(address, "auth", &request, SECRET);
    if out.contains("Received Access-Reject") {
        return None;
    }
    let accept = out.split("Received Access-Accept").nth(1).unwrap_or_else(|| panic!("no answer for {mac}:\n{out}"));
    let lines = accept.lines().skip(1).map(|line| line.trim().replace(":0 =", " =").replace(":1 =", " ="));
    let lines = lines.filter(|line| {
        let own = ["Message-Authenticator", "Class", "User-Name", "Reply-Message"];
        !line.is_empty() && !own.iter().any(|name| line.starts_with(name))
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    Some(lines)
}

fn import(clients: &Path, users: &Path, out: &Path, more: &[&str]) -> (bool, String) {
    let mut command = cordon();
    command.args(["import", "freeradius", "--clients"]).arg(clients).arg("--users").arg(users);
    let output = command.arg("--out").arg(out).args(more).output().unwrap();
    (output.status.success(), text(&output))
}

/// The document as sections for a configuration that names the policy itself.
fn sections(dir: &Path) -> String {
    let document = std::fs::read_to_string(dir.join("imported.toml")).unwrap();
    document.replace("[policy]\nfile = \"imported.cedar\"\n", "")
}

/// A server on nothing but what was imported.
fn serve(dir: &Path) -> Server {
    let document = sections(dir);
    let policy = std::fs::read_to_string(dir.join("imported.cedar")).unwrap();
    Server::start(&Config { more: document, policy, ..Config::default() })
}

#[test]
fn what_freeradius_let_in_gets_the_same_from_cordon() {
    let dir = tempfile::tempdir().unwrap();
    let (raddb, out) = (dir.path().join("raddb"), dir.path().join("out"));
    let (_process, freeradius) = freeradius(&raddb);
    std::fs::write(raddb.join("clients.conf"), CLIENTS).unwrap();
    let (ok, report) = import(&raddb.join("clients.conf"), &raddb.join("mods-config/files/authorize"), &out, &[]);
    assert!(ok, "{report}");
    for part in [
        "clients.conf:7: require_message_authenticator = no",
        "clients.conf:10: the client \"by-name\" has no address but \"switch.example\"",
        "authorize:9: Reply-Message = hello %{User-Name}: made at each login",
        "authorize:39: \"bob\" logs in by name and password",
        "more-users:10: a MAC address with neither a password nor an Auth-Type",
        "more-users:16: DEFAULT only where NAS-Port == 7",
        "1 NAS, 9 profiles, 12 identities",
        "2 of the rules are comments",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
    assert!(!report.contains("hush") && !report.contains("some length"), "{report}");
    let mode = std::fs::metadata(out.join("imported.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds secrets");

    let server = serve(&out);
    for (mac, part) in [
        ("02005e000001", Some("Tunnel-Private-Group-Id = \"20\"")),
        ("02005e000002", Some("Tunnel-Private-Group-Id = \"cameras\"")),
        ("02005e000003", Some("Tunnel-Private-Group-Id = \"20\"")),
        ("02005e000004", None),
        ("02005e000005", Some("Service-Type = Framed-User")),
        ("02005e000006", None),
        ("02005e000007", Some("Session-Timeout = 10")),
        ("02005e000008", Some("Idle-Timeout = 600")),
        ("02005e000009", Some("Idle-Timeout = 600")),
        ("02005e00000a", Some("Idle-Timeout = 600")),
        ("02005e00000b", None),
        ("02005e00000c", Some("Filter-Id = \"after-ppp\"")),
    ] {
        let (before, after) = (told(freeradius, mac), told(server.auth, mac));
        assert_eq!(before, after, "{mac}");
        match (part, after) {
            (Some(part), Some(lines)) => assert!(lines.iter().any(|line| line == part), "no {part:?} in {lines:?}"),
            (part, lines) => assert_eq!(part.is_some(), lines.is_some(), "{mac}"),
        }
    }
    assert_eq!(server.decision("02-00-5E-00-00-04")["policies"][0], "imported-rejected");
    assert_eq!(server.decision("02-00-5E-00-00-01")["nas"]["name"], "access-switches");

    // Where it is let in depends on the port, which the entry does not say: held back.
    assert!(told_at(freeradius, "02005e00000d", 1).is_some() && told_at(freeradius, "02005e00000d", 7).is_none());
    assert!(told_at(server.auth, "02005e00000d", 1).is_none() && told_at(server.auth, "02005e00000d", 7).is_none());

    let users = raddb.join("mods-config/files/authorize");
    let (ok, report) = import(&raddb.join("clients.conf"), &users, &out, &["--force", "--authorized-macs"]);
    assert!(ok && report.contains("1 NAS, 8 profiles") && report.contains("1 of the rules are comments"), "{report}");
    assert!(told(serve(&out).auth, "02005e00000b").is_some());
}

#[test]
fn what_was_imported_is_applied_to_a_bare_server() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("clients.conf"), "client sw {\n\tipaddr = 127.0.0.1\n\tsecret = a-secret-of-some-length\n}\n")
        .unwrap();
    std::fs::write(
        path("users"),
        "02005e000001 Cleartext-Password := \"02005e000001\"\n\tTunnel-Type:1 = VLAN, Tunnel-Medium-Type:1 = IEEE-802,\n\
         \tTunnel-Private-Group-Id:1 = \"20\"\n02005e000004 Auth-Type := Reject\n",
    )
    .unwrap();
    let run = |out: &str, more: &[&str]| import(&path("clients.conf"), &path("users"), &path(out), more);
    let (ok, out) = run("bare", &[]);
    assert!(ok && out.contains("2 identities lack an owner or a purpose") && out.contains("--owner NAME"), "{out}");
    let (ok, out) = run("imported", &["--owner", "anna@corp.example", "--purpose", "as in FreeRADIUS"]);
    assert!(ok && !out.contains("lack an owner"), "{out}");

    let server = Server::bare();
    let document = |name: &str| path(name).join("imported.toml").display().to_string();
    let (ok, out) = server.command(&["apply", "-f", &document("bare")]);
    assert!(!ok && out.contains("has no owner"), "{out}");
    let plan = server.succeed(&["apply", "--plan", "-f", &document("imported")]);
    assert!(plan.contains("anna@corp.example"), "{plan}");
    server.in_force(|| server.succeed(&["apply", "-f", &document("imported")]));
    let told = |mac: &str| {
        let request = format!(
            "User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, Calling-Station-Id={mac:?}, \
             Message-Authenticator=0x00"
        );
        radclient_with(server.auth, "auth", &request, "a-secret-of-some-length")
    };
    let out = told("02-00-5E-00-00-01");
    assert!(out.contains("Received Access-Accept") && out.contains("Tunnel-Private-Group-Id:0 = \"20\""), "{out}");
    assert!(told("02-00-5E-00-00-04").contains("Received Access-Reject"));
    let decision = server.decision("02-00-5E-00-00-01");
    let owner = decision["facts"].as_array().unwrap().iter().find(|f| f["name"] == "identity.owner").unwrap();
    assert_eq!(owner["value"], "anna@corp.example", "{decision:#}");
}

#[test]
fn the_files_that_debian_packages_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| PathBuf::from(PACKAGED).join(name);
    let (clients, users) = (path("clients.conf"), path("mods-config/files/authorize"));
    let (ok, report) = import(&clients, &users, dir.path(), &[]);
    assert!(ok, "{report}");
    for part in [
        "require_message_authenticator = no",
        "limit { }",
        "DEFAULT only where Framed-Protocol == PPP",
        "DEFAULT only where Hint == CSLIP",
        "DEFAULT only where Hint == SLIP",
        "2 NAS, 0 profiles, 0 identities",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
    // The tests' own NAS has the loopback address of IPv6.
    let config = Config { more: sections(dir.path()), ..Config::default() }.text().replace("\"::1\", ", "");
    std::fs::write(dir.path().join("cordon.toml"), config).unwrap();
    std::fs::copy(dir.path().join("imported.cedar"), dir.path().join("policy.cedar")).unwrap();
    let out = succeed(cordon().args(["check", "--config"]).arg(dir.path().join("cordon.toml")));
    assert!(out.contains("good. 3 NAS, 0 identities") && out.contains("nobody is let in"), "{out}");

    let (ok, again) = import(&clients, &users, dir.path(), &[]);
    assert!(!ok && again.contains("imported.toml is there already; --force"), "{again}");
    assert!(import(&clients, &users, dir.path(), &["--force"]).0);
    let (ok, missing) = import(&dir.path().join("none"), &users, dir.path(), &["--force"]);
    assert!(!ok && missing.contains("none: No such file"), "{missing}");
}

#[test]
fn a_table_becomes_an_inventory_that_logs_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("nas.csv"), "name,address,secret,site\nsw-1,127.0.0.1,a-secret-of-some-length,hq\n").unwrap();
    std::fs::write(
        path("identities.csv"),
        "name,kind,groups,owner,purpose,mac\ncamera-7,device,mab-allowed;cameras,anna@corp.example,\"doors, outside\",0200.5e00.0077\n",
    )
    .unwrap();
    let run = || {
        let mut command = cordon();
        command.args(["import", "csv", "--identities"]).arg(path("identities.csv"));
        let out = command.arg("--nas").arg(path("nas.csv")).arg("--out").arg(path("inventory.toml")).output().unwrap();
        (out.status.success(), text(&out))
    };
    let (ok, out) = run();
    assert!(ok && out.contains("1 NAS, 1 identities"), "{out}");
    let more = std::fs::read_to_string(path("inventory.toml")).unwrap();
    let server = Server::start(&Config { more, ..Config::default() });
    let out = radclient(
        server.auth,
        "auth",
        "User-Name=02005e000077, User-Password=02005e000077, Service-Type=Call-Check, \
         Calling-Station-Id=\"02-00-5E-00-00-77\", Message-Authenticator=0x00",
    );
    assert!(out.contains("Tunnel-Private-Group-Id:0 = \"cameras\""), "{out}");
    let decision = server.decision("02-00-5E-00-00-77");
    assert_eq!(decision["identity"]["name"], "camera-7");
    assert_eq!(decision["nas"]["name"], "sw-1");

    let (ok, out) = run();
    assert!(!ok && out.contains("inventory.toml is there already"), "{out}");
    std::fs::remove_file(path("inventory.toml")).unwrap();
    std::fs::write(path("nas.csv"), "name,address,secret\nsw-1,127.0.0.1/8,x\n").unwrap();
    std::fs::write(path("identities.csv"), "name,kind\na,robot\n").unwrap();
    let (ok, out) = run();
    assert!(!ok && out.contains("nas.csv:2: column address") && out.contains("identities.csv:2: column kind"), "{out}");
    assert!(!path("inventory.toml").exists());
}
