//! `cordon demo`, as somebody runs it who has ten minutes.

use crate::support::{Background, cordon, feed, read, succeed, wait_for};
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn start(dir: &Path, output: &Path) -> Background {
    let out = std::fs::File::create(output).unwrap();
    let mut command = cordon();
    command.args(["demo", "--auth-port", "0", "--acct-port", "0", "--http-port", "0", "--data"]).arg(dir);
    let demo = Background::start(command.stdout(out.try_clone().unwrap()).stderr(out));
    wait_for("the demo", Duration::from_secs(30), || dir.join("ready").exists().then_some(()));
    demo
}

/// What a shell sees after reading demo.env.
fn environment(dir: &Path) -> HashMap<String, String> {
    let script = format!("set -a; . '{}/demo.env'; env | grep ^CORDON_", dir.display());
    let out = succeed(Command::new("sh").args(["-c", &script]).env_clear());
    out.lines().map(|l| l.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
}

#[test]
fn the_demo_logs_in_each_kind_of_client_and_stays_up() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, output) = (temp.path().join("a directory"), temp.path().join("out"));
    let demo = start(&dir, &output);
    let table = read(&output);
    for (who, outcome, vlan, why) in [
        ("laptop:", "accept", "20", "accepted"),
        ("printer:", "accept", "30", "accepted"),
        ("machine:", "accept", "40", "accepted"),
        ("agent:", "accept", "ai-agents", "accepted"),
        ("expired:", "reject", "-", "certificate_expired"),
        ("revoked:", "reject", "-", "certificate_revoked"),
        ("camera:", "accept", "50", "accepted"),
        ("stranger:", "reject", "-", "mac_unknown"),
    ] {
        let row = table.lines().find(|l| l.starts_with(who)).unwrap_or_else(|| panic!("no {who} in\n{table}"));
        for word in [outcome, vlan, why] {
            assert!(row.split_whitespace().any(|w| w == word), "no {word} in {row}");
        }
    }
    let env = environment(&dir);
    for name in ["LAPTOP", "PRINTER", "MACHINE", "AGENT", "EXPIRED", "REVOKED"] {
        for kind in ["CERT", "KEY"] {
            assert!(Path::new(&env[&format!("CORDON_{name}_{kind}")]).exists());
        }
    }
    // The next steps that it prints.
    let auth = succeed(
        cordon()
            .args(["auth", "--cert", &env["CORDON_AGENT_CERT"], "--key", &env["CORDON_AGENT_KEY"]])
            .env_clear()
            .envs(&env),
    );
    assert!(auth.contains("accepted after") && auth.contains("Tunnel-Private-Group-Id = ai-agents"), "{auth}");
    let header = format!("Authorization: Bearer {}", env["CORDON_API_TOKEN"]);
    let url = format!("{}/api/v1/decisions?limit=1", env["CORDON_API"]);
    let decisions = succeed(Command::new("curl").args(["-s", "-H", &header, &url]));
    assert!(decisions.contains("ticket-summariser"), "{decisions}");
    // Accounting is taken, too.
    let out = feed(
        Command::new("radclient").args(["-x", &env["CORDON_ACCT"], "acct", &env["CORDON_SECRET"]]),
        "Acct-Status-Type=Start, Acct-Session-Id=1",
    );
    assert!(out.contains("Accounting-Response"), "{out}");
    // Who is on the network, of the configuration that demo.env names.
    let sessions = succeed(cordon().args(["session", "list"]).env_clear().envs(&env));
    assert!(sessions.contains("ticket-summariser") && sessions.contains("at loopback"), "{sessions}");

    // Ended and begun again: the same certificates, and what was recorded.
    let laptop = read(&dir.join("laptop.pem"));
    succeed(Command::new("kill").args(["-TERM", &demo.0.id().to_string()]));
    wait_for("its end", Duration::from_secs(15), || (!dir.join("ready").exists()).then_some(()));
    drop(demo);
    // What the user wrote is kept, and what is secret is the user's alone.
    let file = dir.join("cordon.toml");
    let edited = read(&file)
        + "\n[[identity]]\nname = \"my-phone\"\nkind = \"device\"\ncredentials = [{ san_dns = \"phone.corp.example\" }]\n";
    std::fs::write(&file, &edited).unwrap();
    let _demo = start(&dir, &output);
    assert_eq!(read(&file), edited);
    for name in ["nas-secret", "api-token", "demo.env", "laptop.key", "ca/ca.key", "cordon.db"] {
        let mode = std::fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} can be read by others: {mode:o}");
    }
    assert_eq!(read(&dir.join("laptop.pem")), laptop);
    assert!(read(&output).contains("certificate_revoked"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = cordon()
        .args(["demo", "--acct-port", "0", "--http-port", "0", "--auth-port", &port, "--data"])
        .arg(temp.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = crate::support::text(&output);
    assert!(text.contains(&format!("127.0.0.1:{port}")) && text.contains("->"), "{text}");
}
