//! What the API's documentation says is what the API says.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it reasons` writes the lists of `docs/api.md`
//! anew; read the difference before it goes in.

use crate::support::radclient::radclient;
use crate::support::server::{Config, Server};
use crate::vendors::golden;
use cordon::audit::reason::Reason;
use cordon::telemetry::Discard;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What follows this line is written from the code.
const MARK: &str = "writes from here to the end anew. -->\n";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")
}

/// The codes with their meaning, as a table.
fn table(rows: impl Iterator<Item = (&'static str, &'static str, &'static str)>) -> String {
    let mut out = String::from("| code | what happened | what to do |\n|---|---|---|\n");
    for (code, cause, remedy) in rows {
        writeln!(out, "| `{code}` | {cause} | {remedy} |").unwrap();
    }
    out
}

#[test]
fn the_reasons_are_documented_as_the_code_has_them() {
    let text = std::fs::read_to_string(page()).unwrap();
    let (by_hand, _) = text.split_once(MARK).expect("the mark");
    let reasons = table(Reason::ALL.iter().map(|r| (r.code(), r.cause(), r.remedy())));
    let discards = table(Discard::ALL.iter().map(|d| (d.code(), d.cause(), d.remedy())));
    let text = format!(
        "{by_hand}{MARK}\nWhy an attempt ended as it did, `reason` of a decision:\n\n{reasons}\n## Discards\n\n\
         Why a packet got no answer, or a TLS connection was refused or cut, `reason` of `GET /api/v1/discards` and a label of the metric:\n\n{discards}"
    );
    golden(&page(), &text);
}

#[test]
fn every_field_of_a_decision_is_documented() {
    let server = Server::start(&Config::default());
    let mac = "02-00-5E-00-00-10";
    radclient(
        server.auth,
        "auth",
        &format!("User-Name={mac:?}, User-Password={mac:?}, Calling-Station-Id={mac:?}, Message-Authenticator=0x00"),
    );
    let decision = server.decision(mac);
    let shown: BTreeSet<&str> = decision.as_object().unwrap().keys().map(String::as_str).collect();
    let text = std::fs::read_to_string(page()).unwrap();
    let section = text.split("## A decision").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.flat_map(|row| row.split(" | ").next().unwrap().split(", "));
    let documented: BTreeSet<&str> = names.map(|name| name.trim_matches('`')).collect();
    assert_eq!(documented, shown);
}
