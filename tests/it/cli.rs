//! The client commands against servers that are not ours, and what they say
//! when something is wrong.

use crate::support::pki::pki;
use crate::support::server::{Config, SECRET, Server};
use crate::support::{Background, cordon, succeed, text, wait_for};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// FreeRADIUS with the shared certificates, on a port that was free.
fn freeradius(dir: &Path) -> (Background, String) {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/freeradius.sh");
    succeed(Command::new("sh").arg(script).arg(dir).args([&port.to_string(), SECRET]).args([
        pki().path("server-p256.pem"),
        pki().path("server-p256.key"),
        pki().path("corp/ca.pem"),
    ]));
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let mut command = Command::new("freeradius");
    command.args(["-f", "-l", "stdout", "-d"]).arg(dir).stdout(log.try_clone().unwrap()).stderr(log);
    let server = Background::start(&mut command);
    let address = format!("127.0.0.1:{port}");
    wait_for("FreeRADIUS", Duration::from_secs(20), || {
        crate::support::radclient::radclient(address.parse().unwrap(), "status", "Message-Authenticator=0x00")
            .contains("Received Access-Accept")
            .then_some(())
    });
    (server, address)
}

fn login(server: &str, client: &str, more: &[&str]) -> Command {
    let mut command = cordon();
    command.args(["auth", "--server", server, "--secret", SECRET]);
    command.arg("--cert").arg(pki().path(&format!("{client}.pem")));
    command.arg("--key").arg(pki().path(&format!("{client}.key")));
    command.arg("--ca").arg(pki().path("corp/ca.pem")).args(more);
    command
}

#[test]
fn auth_and_load_work_against_freeradius() {
    let dir = tempfile::tempdir().unwrap();
    let (process, address) = freeradius(dir.path());
    for tls in ["1.2", "1.3"] {
        let out = succeed(&mut login(&address, "p256", &["--tls", tls]));
        assert!(out.contains("accepted after") && out.contains(&format!("TLS {tls}")), "{out}");
    }
    let out = login(&address, "expired", &[]).output().unwrap();
    assert!(!out.status.success());
    assert!(text(&out).contains("refused (Access-Reject)"), "{}", text(&out));

    let client = |work: &str| {
        let mut command = cordon();
        command.args(["load", work, "--server", &address, "--secret", SECRET, "-n", "30", "-c", "4", "--json"]);
        command.args(["--pid", &process.0.id().to_string()]);
        command.arg("--cert").arg(pki().path("p256.pem")).arg("--key").arg(pki().path("p256.key"));
        command.arg("--ca").arg(pki().path("corp/ca.pem"));
        let report: serde_json::Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        assert_eq!((report["done"].as_u64(), report["failed"].as_u64()), (Some(30), Some(0)), "{report}");
        assert!(report["server_cpu_us"].as_f64().unwrap() > 0.0 || work != "eap-tls", "{report}");
    };
    client("eap-tls");
    client("mab");
}

#[test]
fn load_does_each_kind_of_work_against_cordon() {
    let server = Server::start(&Config::default());
    for work in ["eap-tls", "eap-tls-resumed", "mab", "accounting"] {
        let mut command = cordon();
        // Each kind of work finds its port by itself.
        command.env("CORDON_AUTH", server.auth.to_string()).env("CORDON_ACCT", server.acct.to_string());
        command.args(["load", work, "--secret", SECRET, "-n", "40", "-c", "4"]);
        command.args(["--json", "--mac", "02-00-5E-00-00-10", "--pid", &server.pid().to_string()]);
        command.arg("--cert").arg(pki().path("p256.pem")).arg("--key").arg(pki().path("p256.key"));
        command.arg("--ca").arg(pki().path("corp/ca.pem"));
        let report: serde_json::Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        assert_eq!((report["done"].as_u64(), report["failed"].as_u64()), (Some(40), Some(0)), "{work}: {report}");
    }
    let out = cordon()
        .args(["load", "mab", "--mac", "02-00-5E-00-00-FF", "-n", "4", "-c", "2", "--secret", SECRET])
        .args(["--server", &server.auth.to_string()])
        .output()
        .unwrap();
    assert!(!out.status.success() && text(&out).contains("4 of 4 failed"), "{}", text(&out));
    let sessions = server.get("/api/v1/sessions");
    let counted = sessions["items"].as_array().unwrap().iter().filter(|s| s["state"] != "authenticated");
    assert_eq!(counted.count(), 8, "five records each: {sessions:#}");
}

#[test]
fn auth_shows_each_step_and_offers_a_post_quantum_key_exchange() {
    let server = Server::start(&Config::default());
    let out = succeed(&mut login(&server.auth.to_string(), "p256", &[]));
    for line in [
        "-> Access-Request",
        "<- Access-Challenge",
        "<- Access-Accept",
        "Tunnel-Private-Group-Id = 20",
        "X25519MLKEM768",
    ] {
        assert!(out.contains(line), "no {line} in:\n{out}");
    }
}

#[test]
fn a_login_that_fails_says_why() {
    let server = Server::start(&Config::default());
    let address = server.auth.to_string();
    let failed = |command: &mut Command, part: &str| {
        let out = command.output().unwrap();
        assert!(!out.status.success());
        assert!(text(&out).contains(part), "no {part:?} in:\n{}", text(&out));
    };
    failed(&mut login(&address, "expired", &["--tls", "1.3"]), "CertificateExpired");
    failed(&mut login(&address, "revoked", &["--tls", "1.2"]), "CertificateRevoked");
    let mut suspicious = cordon();
    suspicious.args(["auth", "--server", &address, "--secret", SECRET, "--ca"]).arg(pki().path("other/ca.pem"));
    failed(&mut suspicious, "this client does not trust the server's certificate");
    failed(&mut suspicious, "--ca");
    let mut wrong = cordon();
    wrong.args(["auth", "--mab", "--server", &address, "--secret", "wrong", "--timeout", "200", "--tries", "1"]);
    failed(&mut wrong, "no answer");
    failed(cordon().args(["auth", "--mab", "--server", "nowhere", "--secret", "x"]), "--server nowhere");
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut nobody = cordon();
    nobody.args(["auth", "--mab", "--server", &free, "--secret", "x", "--timeout", "200", "--tries", "2"]);
    failed(&mut nobody, "nothing listens on");
}

#[test]
fn decode_reads_hex() {
    // RFC 2865, section 7.1, whose secret is xyzzy5461.
    let packet = "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d \
                  93 d4 13 ce 31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03";
    let out = succeed(cordon().args(["decode", packet]));
    for line in ["Access-Request id 0, 56 octets", "User-Name = nemo", "NAS-IP-Address = 192.168.1.16", "NAS-Port = 3"]
    {
        assert!(out.contains(line), "no {line} in:\n{out}");
    }
    for (arguments, part) in [(["decode", "zz"], "not hex"), (["decode", "01000038"], "not a RADIUS packet")] {
        let out = cordon().args(arguments).output().unwrap();
        assert!(!out.status.success() && text(&out).contains(part), "{}", text(&out));
    }
    let out = crate::support::feed(cordon().arg("decode").stdin(Stdio::piped()), packet);
    assert!(out.contains("User-Name = nemo"), "{out}");
}

#[test]
fn serve_tells_an_address_it_has_not_from_a_port_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cordon.toml");
    let serve = |auth: &str| {
        let tls =
            format!("certificate = {:?}\nkey = {:?}", pki().path("server-p256.pem"), pki().path("server-p256.key"));
        let text = format!(
            "[server]\nauth = [{auth:?}]\nacct = [\"127.0.0.1:0\"]\n[http]\nlisten = \"127.0.0.1:0\"\n[tls]\n{tls}\n"
        );
        std::fs::write(&file, text).unwrap();
        let out = cordon().args(["serve", "--config"]).arg(&file).output().unwrap();
        assert!(!out.status.success());
        crate::support::text(&out)
    };
    let out = serve("192.0.2.77:1812");
    assert!(
        out.contains("192.0.2.77:1812") && out.contains("has no such address") && out.contains("`ip address`"),
        "{out}"
    );
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let out = serve(&taken.local_addr().unwrap().to_string());
    assert!(out.contains("another process has this port") && out.contains("`ss -lunp`"), "{out}");
}

/// The login of RFC 2865, section 7.1.
const RFC_REQUEST: &str =
    "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce3196e43f782a0aee0406c0a80110050600000003";
const RFC_REPLY: &str = "0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103";

/// A capture of both as `tcpdump` writes it, half a second apart; of each frame
/// at most `snap` octets.
fn capture(snap: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let magic: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1];
    magic.iter().for_each(|word| out.extend(word.to_le_bytes()));
    let (nas, server) = (([192, 0, 2, 1], 50_000), ([192, 0, 2, 2], 1812));
    for (micros, hex, (from, to)) in [(0_u32, RFC_REQUEST, (nas, server)), (500_000, RFC_REPLY, (server, nas))] {
        let payload = cordon::radius::value::unhex(hex).unwrap();
        let mut frame = Vec::new();
        etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(from.0, to.0, 64)
            .udp(from.1, to.1)
            .write(&mut frame, &payload)
            .unwrap();
        let kept = frame.len().min(snap);
        let header = [1_767_225_600, micros, u32::try_from(kept).unwrap(), u32::try_from(frame.len()).unwrap()];
        header.iter().for_each(|word: &u32| out.extend(word.to_le_bytes()));
        out.extend(&frame[..kept]);
    }
    out
}

#[test]
fn decode_says_what_cannot_be_checked_and_which_check_failed() {
    let decode = |args: &[&str]| {
        let out = cordon().arg("decode").args(args).output().unwrap();
        (out.status.success(), text(&out))
    };
    let (ok, out) = decode(&[RFC_REPLY, "--secret", "xyzzy5461"]);
    assert!(ok && out.contains("cannot be checked") && out.contains("--pcap"), "{out}");
    let (ok, out) = decode(&[RFC_REQUEST, "--secret", "wrong"]);
    assert!(ok && out.contains("cannot be checked: an Access-Request without Message-Authenticator"), "{out}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("login.pcap");
    let pcap = |octets: &[u8], secret: &str| {
        std::fs::write(&file, octets).unwrap();
        decode(&["--pcap", file.to_str().unwrap(), "--secret", secret])
    };
    let whole = capture(65_535);
    let (ok, out) = pcap(&whole, "xyzzy5461");
    assert!(ok && out.contains("authenticator: good"), "{out}");
    for part in ["#1 2026-01-01T00:00:00.000000Z", "#2 2026-01-01T00:00:00.500000Z"] {
        assert!(out.contains(part), "no {part:?} in:\n{out}");
    }
    let (ok, out) = pcap(&whole, "another");
    assert!(!ok && out.contains("packets that do not fit the secret: 1\n"), "{out}");
    assert!(out.contains("#2: the Response Authenticator does not fit"), "{out}");
    assert!(out.contains("User-Name = nemo"), "what was read is shown: {out}");

    let (ok, out) = pcap(&whole[..whole.len() - 7], "xyzzy5461");
    let place = format!("is cut off after packet 1, at octet {}", 24 + 16 + 14 + 20 + 8 + 56);
    assert!(!ok && out.contains(&place) && out.contains("User-Name = nemo"), "no {place:?} in:\n{out}");
    let (ok, out) = pcap(&whole[..11], "xyzzy5461");
    assert!(!ok && out.contains("cut off within its header"), "{out}");
    let (ok, out) = pcap(b"not a capture at all, whatever its name", "xyzzy5461");
    assert!(!ok && out.contains("neither pcap nor pcapng"), "{out}");
    let (ok, out) = pcap(&capture(64), "xyzzy5461");
    assert!(ok && out.contains("cut off: 34 of 56 octets were not captured"), "{out}");
}

#[test]
fn check_finds_every_mistake_with_file_line_and_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cordon.toml");
    let good = format!(
        "[tls]\ncertificate = {:?}\nkey = {:?}\n[[ca]]\nname = \"corp\"\nfile = {:?}\n[policy]\nfile = \"p.cedar\"\n",
        pki().path("server-p256.pem"),
        pki().path("server-p256.key"),
        pki().path("corp/ca.pem")
    );
    let check = |text: &str, policy: &str| {
        std::fs::write(&file, text).unwrap();
        std::fs::write(dir.path().join("p.cedar"), policy).unwrap();
        let out = cordon().args(["check", "--config"]).arg(&file).output().unwrap();
        (out.status.success(), crate::support::text(&out))
    };
    let (ok, out) = check(&good, "");
    assert!(ok && out.contains("good"), "{out}");
    let twice = "[[profile]]\nname = \"p\"\n";
    for (server, part) in [("expired", "expired at"), ("p256", "not for server authentication")] {
        let files = |kind: &str| pki().path(&format!("{server}.{kind}")).display().to_string();
        let text = good
            .replace(&pki().path("server-p256.pem").display().to_string(), &files("pem"))
            .replace(&pki().path("server-p256.key").display().to_string(), &files("key"));
        let (ok, out) = check(&text, "");
        assert!(ok && out.contains("warning") && out.contains(part), "no {part:?} in:\n{out}");
    }
    assert!(check(&good, "").1.contains("the policy has no rule: nobody is let in"));
    // The chain of the server's certificate tells of the intermediate.
    let lists = |names: &[&str]| {
        let lists: Vec<_> = names.iter().map(|name| pki().path(&format!("corp/{name}.crl"))).collect();
        good.replace("[policy]", &format!("crl = {lists:?}\n[policy]"))
    };
    let (ok, out) = check(&lists(&["ca"]), "");
    assert!(ok && out.contains("no CRL of CN=Corp CA Issuing") && out.contains("will be refused"), "{out}");
    let (ok, out) = check(&lists(&["ca", "intermediate"]), "");
    assert!(ok && !out.contains("no CRL"), "{out}");
    std::fs::write(dir.path().join("guessable"), "hunter2\n").unwrap();
    let (ok, out) = check(&format!("{good}[posture]\nenroll_secret_file = \"guessable\"\n"), "");
    assert!(!ok && out.contains("less than 16 octets") && out.contains("cordon posture secret"), "{out}");
    let profile = "[[profile]]\nname = \"p\"\nvlan = 5000\n";
    let nas = "[[nas]]\nname = \"n\"\naddress = \"10.0.0.1/8\"\nsecret = \"short\"\n";
    let (ok, out) = check(&format!("{good}{twice}{twice}"), "");
    assert!(!ok && out.contains("two profiles are called"), "{out}");
    let (ok, out) = check(&format!("{good}{profile}{nas}"), "permit (principal, action, resource);");
    assert!(!ok);
    for part in ["cordon.toml:11", "VLAN 5000", "cordon.toml:14", "10.0.0.0/8", "p.cedar:1", "@id", "->"] {
        assert!(out.contains(part), "no {part:?} in:\n{out}");
    }
    let gear = |lines: &str| format!("{good}[[nas]]\nname = \"n\"\n{lines}\n");
    let tls = |name: &str| format!("[[nas]]\nname = \"{name}\"\nradsec = {{ san_dns = \"sw1.example\" }}\n");
    let ca = format!("[[radsec.ca]]\nname = \"gear\"\nfile = {:?}\n", pki().path("corp/ca.pem"));
    let (ok, out) = check(&format!("{good}[radsec]\nlisten = [\"127.0.0.1:0\"]\n{ca}{}", tls("sw1")), "");
    assert!(ok && !out.contains("radsec"), "{out}");
    for (text, parts) in [
        (gear(""), ["cordon.toml:10", "has no address", "radsec = {"]),
        (gear("address = \"10.0.0.1\""), ["cordon.toml:10", "has no secret", "secret_file"]),
        (
            gear("secret = \"a-secret-of-some-length\"\nradsec = { san_dns = \"x.example\" }"),
            ["cordon.toml:11", "secret but no address", "by its certificate"],
        ),
        (gear("radsec = { san_dns = \"*.example\" }"), ["cordon.toml:11", "no single NAS", "without a wildcard"]),
        (gear("radsec = { san_ip = \"sw1\" }"), ["cordon.toml:11", "no IP address", "of the certificate"]),
        (
            gear("radsec = { issuer = \"CN=x\" }"),
            ["cordon.toml:11", "one thing in its certificate", "issuer with serial"],
        ),
        (gear("radsec = { common_name = \"sw1\" }"), ["cordon.toml:11", "common_name", "san_dns"]),
        (gear("radsec = { san_dns = \"a\", radius_1_1 = \"maybe\" }"), ["cordon.toml:11", "maybe", "require"]),
        (
            format!("{good}{}{}", tls("one"), tls("two")),
            ["cordon.toml:13", "is that of one and of two", "one [[nas]] only"],
        ),
        (
            format!("{good}[audit]\nsyslog = {{ server = \"siem\", ca = \"x\" }}\n"),
            ["cordon.toml:10", "no host with a port", "siem.example.net:6514"],
        ),
        (
            format!("{good}[audit]\nsyslog = {{ server = \"siem:6514\" }}\n"),
            ["cordon.toml:10", "missing field `ca`", "docs/configuration.md"],
        ),
        (
            format!("{good}[audit]\nsyslog = {{ server = \"siem:6514\", ca = \"none.pem\" }}\n"),
            ["cordon.toml:10", "none.pem cannot be read", "relative to the configuration"],
        ),
        (
            format!("{good}[audit]\nsyslog = {{ server = \"siem:6514\", ca = \"p.cedar\" }}\n"),
            ["cordon.toml:10", "the CA file of syslog", "PEM certificates"],
        ),
        (
            format!(
                "{good}[audit]\nsyslog = {{ server = \"siem:6514\", ca = {0:?}, certificate = {0:?} }}\n",
                pki().path("corp/ca.pem")
            ),
            ["cordon.toml:10", "go together", "asks for none"],
        ),
        (
            format!(
                "{good}[audit]\nsyslog = {{ server = \"[::1]:6514\", name = \"a b\", ca = {:?} }}\n",
                pki().path("corp/ca.pem")
            ),
            ["cordon.toml:10", "no name that a certificate can bear", "receiver's certificate"],
        ),
        (format!("{good}[radsec]\nlisten = [\"0.0.0.0\"]\n"), ["cordon.toml:10", "has no port", "0.0.0.0:2083"]),
        (format!("{good}[radsec]\nmax_connections = 0\n"), ["cordon.toml:10", "no NAS could connect", "give a number"]),
        (format!("{good}[radsec]\nio_timeout_secs = 0\n"), ["cordon.toml:10", "from 1 to 300", "10 suits"]),
        (
            format!("{good}[radsec]\nmin_version = \"1.1\"\n"),
            ["cordon.toml:10", "\"1.1\" is not spoken", "\"1.2\" or \"1.3\""],
        ),
        (
            format!("{good}[radsec]\ncertificate = {:?}\n", pki().path("server-p256.pem")),
            ["cordon.toml:10", "go together", "those of [tls]"],
        ),
        (
            format!(
                "{good}[radsec]\ncertificate = {:?}\nkey = {:?}\n",
                pki().path("server-p256.pem"),
                pki().path("p256.key")
            ),
            ["cordon.toml:10", "does not belong", "cordon ca issue"],
        ),
        (format!("{good}{ca}{ca}"), ["cordon.toml", "two CAs are named", "[[radsec.ca]]"]),
        (format!("{good}[[radsec]]\nlisten = []\n"), ["cordon.toml:9", "[[radsec]]", "there is one"]),
    ] {
        let (ok, out) = check(&text, "");
        assert!(!ok, "{text}");
        for part in parts {
            assert!(out.contains(part), "no {part:?} in:\n{out}");
        }
    }
    for (text, part) in [
        (format!("{good}{}", tls("sw1")), "has no `listen`"),
        (format!("{good}[radsec]\nlisten = [\"127.0.0.1:0\"]\n{ca}"), "nobody can connect"),
        (format!("{good}[radsec]\nlisten = [\"127.0.0.1:0\"]\n{}", tls("sw1")), "no [[radsec.ca]]"),
        (format!("{good}[radsec]\nidle_timeout_secs = 30\n"), "600 to 900"),
    ] {
        let (ok, out) = check(&text, "");
        assert!(ok && out.contains(part), "no {part:?} in:\n{out}");
    }
    let coa = "[[nas]]\nname = \"sw\"\naddress = \"10.0.0.1\"\nsecret = \"a-secret-of-some-length\"\n";
    for (text, part) in [
        ("[tls]\ncolour = 1\n", "cordon.toml:2"),
        ("", "[tls]"),
        (&*good.replace("server-p256.key", "server-p384.key"), "does not belong"),
        (&*format!("{good}[http]\nlisten = \"0.0.0.0:8080\"\n"), "127.0.0.1"),
        (&*format!("{good}[changes]\nper_second = 0\n"), "per_second is 0"),
        (&*format!("{good}[changes]\nin_flight_per_nas = 300\n"), "give 1 to 32"),
        (&*format!("{good}[telemetry]\notlp = \"127.0.0.1:4318\"\n"), "the collector's address"),
        (&*format!("{good}[telemetry]\nratio = 1.5\n"), "one in a hundred"),
        (&*format!("{good}[changes]\nhold_above = \"many\"\n"), "from \"1%\" to \"100%\""),
        (&*format!("{good}[changes]\nhold_above = true\n"), "a share of them such as"),
        (&*format!("{good}[[changes]]\nper_second = 10\n"), "write [changes]"),
        (&*format!("{good}{coa}coa = {{ port = 70000 }}\n"), "the coa port of sw is 70000"),
        (&*format!("{good}{coa}coa = {{ address = \"switch.example\" }}\n"), "no IP address"),
        (&*format!("{good}{coa}coa = {{ secret = \"\" }}\n"), "the coa secret of sw is empty"),
        (&*format!("{good}{coa}coa = {{ secret = \"a\", secret_file = \"b\" }}\n"), "remove one of them"),
        (&*format!("{good}{coa}coa = {{ colour = 1 }}\n"), "expected false, or a table with port"),
        (&*format!("{good}{coa}coa = \"on\"\n"), "expected false, or a table with port"),
        (&*format!("{good}[database]\nurl = \"mysql://x\"\n"), "write postgres://"),
        (&*format!("{good}[database]\nurl = \"postgres://x\"\nurl_file = \"y\"\n"), "keep one of them"),
        (&*format!("{good}[database]\nurl_file = \"no-such\"\n"), "no-such cannot be read"),
        (&*format!("{good}[database]\njournal_mib = 1\n"), "64 is the least"),
        (&*format!("{good}[retention]\nsilent_session_hours = 0\n"), "24 is usual"),
    ] {
        let (ok, out) = check(text, "");
        assert!(!ok && out.contains(part), "no {part:?} in:\n{out}");
    }
}

#[test]
fn the_ca_refuses_what_would_lose_something() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    succeed(cordon().args(["ca", "init", "--dir"]).arg(&ca));
    let key = std::fs::metadata(ca.join("ca.key")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
    let out = cordon().args(["ca", "init", "--dir"]).arg(&ca).output().unwrap();
    assert!(!out.status.success() && text(&out).contains("holds a CA already"), "{}", text(&out));
    let issue = |more: &[&str]| {
        let mut command = cordon();
        command.args(["ca", "issue", "--dns", "x.example", "--dir"]).arg(&ca).arg("--out").arg(dir.path().join("x"));
        command.args(more).output().unwrap()
    };
    assert!(issue(&[]).status.success());
    let out = issue(&[]);
    assert!(!out.status.success() && text(&out).contains("x.key is there already"), "{}", text(&out));
    assert!(issue(&["--force"]).status.success());
    for (names, part) in [
        (["--dns", "not a name"], "no DNS name"),
        (["--dns", "10.0.0.1"], "give the host's name"),
        (["--uri", "coder-1"], "no absolute URI"),
        (["--email", "Anna <anna@corp.example>"], "no email address"),
        (["--upn", "anna"], "no User Principal Name"),
    ] {
        let out = issue(&["--force", names[0], names[1]]);
        assert!(!out.status.success() && text(&out).contains(part), "no {part:?} in: {}", text(&out));
    }
    // What outlives its CA is not believed: the end is the CA's, or it is said.
    let read = |name: &str| {
        let pem = std::fs::read(dir.path().join(name)).unwrap();
        let leaf = cordon::pki::pem::certificates(&pem).unwrap().remove(0);
        cordon::pki::certificate::CertificateFacts::from_der(&leaf).unwrap()
    };
    let out = issue(&["--force", "--days", "36500"]);
    assert!(out.status.success() && text(&out).contains("ends with its CA"), "{}", text(&out));
    assert_eq!(read("x.pem").not_after, read("ca/ca.pem").not_after);
    let out = issue(&["--force", "--not-after", "2199-01-01T00:00:00Z"]);
    assert!(out.status.success() && text(&out).contains("warning: the CA ends at"), "{}", text(&out));

    let revoke = || succeed(cordon().args(["ca", "revoke", "--dir"]).arg(&ca).arg(dir.path().join("x.pem")));
    let out = revoke();
    let said = format!("revoked CN=x.example, serial {} of CN=Cordon CA\n", read("x.pem").serial);
    assert!(out.starts_with(&said) && out.contains("ca.crl"), "no {said:?} in: {out}");
    assert!(revoke().contains("was revoked already at 2"), "{}", revoke());
    let out = cordon().args(["ca", "revoke", "--dir"]).arg(&ca).arg(pki().path("p256.pem")).output().unwrap();
    assert!(!out.status.success() && text(&out).contains("is not the CA"), "{}", text(&out));
}
