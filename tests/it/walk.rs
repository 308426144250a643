//! What docs/getting-started.md tells a new user works as it is written there.

use crate::support::{cordon, succeed, system, text};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The commands of a document, in their order.
fn commands(document: &str) -> String {
    let mut parts = document.split("```sh\n").skip(1);
    let code = parts.by_ref().map(|part| part.split("```").next().unwrap());
    code.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_walk_of_a_new_user_works_as_it_is_written() {
    let netns = format!("cordon{}walk", std::process::id());
    succeed(Command::new("ip").args(["netns", "add", &netns]));
    let dir = tempfile::tempdir().unwrap();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/getting-started.md");
    let script = commands(&std::fs::read_to_string(document).unwrap());
    for word in ["cordon init", "api -X PUT", "eapol_test", "policy/activate"] {
        assert!(script.contains(word), "no {word} in:\n{script}");
    }
    // The ports of the document are free where nobody else is.
    let binary = cordon().get_program().to_owned();
    let bin = Path::new(&binary).parent().unwrap().display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    std::fs::write(dir.path().join("walk.sh"), format!("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{script}"))
        .unwrap();
    succeed(Command::new("ip").args(["netns", "exec", &netns, "ip", "link", "set", "lo", "up"]));
    let mut command = system("ip", Duration::from_secs(90));
    command.args(["netns", "exec", &netns, "bash", "walk.sh"]).current_dir(dir.path()).env("PATH", path);
    let output = command.output().unwrap();
    let _ = Command::new("ip").args(["netns", "delete", &netns]).status();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for word in ["\"in_force\":true", "\"valid\":true", "SUCCESS", "\"outcome\":\"accept\"", "\"token\":\"cordon_"] {
        assert!(said.contains(word), "no {word} in:\n{said}");
    }
    // A second time it overwrites nothing.
    let mut again = cordon();
    let output = again.arg("init").current_dir(dir.path()).output().unwrap();
    assert!(!output.status.success() && text(&output).contains("is there already"), "{}", text(&output));
}
