//! Imports point down only, and what is sans-IO stays so.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// From the lowest layer to the highest.
const LAYERS: [&[&str]; 6] = [
    &["time", "ids", "random", "secret", "telemetry"],
    &["radius", "eap", "jose"],
    &[
        "inventory",
        "policy",
        "session",
        "pki",
        "audit",
        "client",
        "enforcement",
        "coa",
        "operators",
        "posture",
        "webhooks",
        "signals",
        "shared_signals",
        "playbooks",
    ],
    &["store", "transport"],
    &["access", "config", "api", "jobs", "agent"],
    &["server", "cli"],
];

/// What layers 0 to 2 may not name.
const OUTSIDE: [&str; 8] =
    ["tokio", "sqlx", "axum", "std::net::UdpSocket", "std::fs", "std::thread", "SystemTime::now", "Instant::now"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
    all
}

/// The code without comments and without the tests at its end.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_point_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layer_of: HashMap<&str, usize> =
        LAYERS.iter().enumerate().flat_map(|(n, names)| names.iter().map(move |name| (*name, n))).collect();
    let mut faults = Vec::new();
    for path in sources(&src) {
        let relative = path.strip_prefix(&src).unwrap();
        let module = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "main", "bin"].contains(&module) || relative.to_str().unwrap().ends_with("_tests.rs") {
            continue;
        }
        let own = *layer_of.get(module).unwrap_or_else(|| panic!("{module} is in no layer"));
        let code = code(&path);
        for after in code.split("crate::").skip(1) {
            let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            match layer_of.get(name.as_str()) {
                Some(other) if *other <= own => {}
                Some(_) => faults.push(format!("{} imports {name} from above", relative.display())),
                None => faults.push(format!("{} imports {name}, which is in no layer", relative.display())),
            }
        }
        if own <= 2 {
            for word in OUTSIDE.iter().filter(|word| code.contains(*word)) {
                faults.push(format!("{} names {word}", relative.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
