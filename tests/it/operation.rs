//! How a server is run: as a service, in a container, and how it stops.

use crate::support::server::{Server, TOKEN};
use crate::support::{cordon, succeed, system};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn packaged(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)).unwrap()
}

#[test]
fn the_unit_is_sound_and_leaves_little_open() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("cordon.service");
    let binary = cordon().get_program().to_str().unwrap().to_owned();
    // Where nothing is installed there is neither the program nor its user.
    let text = packaged("systemd/cordon.service").replace("/usr/bin/cordon", &binary);
    let text = text.replace("User=cordon\n", "User=nobody\n").replace("Group=cordon\n", "Group=nogroup\n");
    std::fs::write(&unit, text).unwrap();
    succeed(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    // In tenths: 0 is best, 100 is worst.
    let said =
        succeed(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(&unit));
    assert!(said.contains("Overall exposure level"), "{said}");
}

#[test]
fn the_container_is_built_as_everything_else_is() {
    let recipe = packaged("container/Containerfile");
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(recipe.contains(&format!("rust:{rust}-")), "the recipe's Rust is not {rust}");
    assert!(recipe.contains("--locked") && recipe.contains("USER cordon"));
    // What becomes of an empty volume.
    let line = recipe.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let entry: Vec<String> = serde_json::from_str(line).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let bin = Path::new(cordon().get_program()).parent().unwrap().to_owned();
    let script = entry[2].replace("exec cordon serve", "exec cordon check");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(&entry[0]);
    let said = succeed(command.args(["-c", &script]).current_dir(dir.path()).env("PATH", path));
    assert!(said.contains("good."), "{said}");
}

#[test]
fn what_was_asked_before_it_stops_is_answered() {
    let server = Server::bare();
    let identities: Vec<Value> =
        (0..4_000).map(|n| json!({ "kind": "user", "name": format!("user-{n:05}") })).collect();
    let (status, done) = server.send("POST", "/api/v1/identities/bulk", &json!({ "identities": identities }));
    assert_eq!(status, 200, "{done:#}");
    let mut slow = system("curl", Duration::from_secs(30));
    slow.args(["--silent", "--fail", "--limit-rate", "400k", "--header", &format!("Authorization: Bearer {TOKEN}")]);
    slow.arg(format!("http://{}/api/v1/identities.ndjson", server.http)).stdout(Stdio::piped());
    let slow = slow.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    server.signal("TERM");
    let output = slow.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(output.stdout.iter().filter(|octet| **octet == b'\n').count(), 4_000);
}
