//! The web console, in Debian's Chromium, against a server with real logins in the background.

mod answers;
mod lists;
mod setup;
mod skeleton;
mod tasks;

use crate::support::server::Server;
use crate::support::{node, succeed};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What operators of these servers sign in with: a password is enough there.
const OPERATORS: &str = "[operators]\nsecond_factor = false\n";

/// Where the screenshots are kept.
fn shots() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// A link for an operator with these roles.
#[track_caller]
fn invite(server: &Server, name: &str, roles: &[&str]) -> String {
    let body = json!({ "name": name, "roles": roles });
    let (status, made) = server.send("POST", "/api/v1/operators", &body);
    assert_eq!(status, 201, "{made}");
    let link = made["link"].as_str().unwrap();
    link.split_once('#').unwrap().1.to_owned()
}

/// Runs `tests/peers/node/console/SCRIPT`, whose browser is signed in as an operator with these roles; what it told.
#[track_caller]
fn browse_as(server: &Server, roles: &[&str], script: &str, told: &Value) -> Value {
    let (_, page) = server.get_raw("/", None);
    assert!(
        !page.contains("without its console"),
        "the console is not in the binary: `make console`, then build again"
    );
    let link = invite(server, "anna", roles);
    let given = json!({ "origin": format!("http://localhost:{}", server.http.port()), "link": link, "shots": shots(), "told": told });
    let out = succeed(node(&format!("console/{script}.mjs")).arg(given.to_string()));
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}
