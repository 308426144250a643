//! The OpenAPI document says what the API does, and the API does what it says.

use crate::support::eapol::Eapol;
use crate::support::server::{Config, Server, TOKEN};
use crate::support::{succeed, system, text, venv};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Every operation, with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of_path = |(path, item): (&String, _)| {
        let item: &Value = item;
        let all = item.as_object().unwrap().iter();
        let named = all.map(|(method, operation)| (format!("{} {path}", method.to_uppercase()), operation));
        named.collect::<Vec<_>>()
    };
    paths.flat_map(of_path).collect()
}

#[test]
fn the_document_is_the_one_that_clients_were_built_for() {
    let document = serde_json::to_string_pretty(&cordon::api::document()).unwrap() + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &document).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    if let Some((line, (is, was))) = document.lines().zip(wanted.lines()).enumerate().find(|(_, (is, was))| is != was) {
        panic!("line {}: {is} was {was}; UPDATE_GOLDEN=1 writes the document anew", line + 1);
    }
    assert_eq!(document.lines().count(), wanted.lines().count(), "UPDATE_GOLDEN=1 writes the document anew");
}

#[test]
fn every_operation_is_described_whole() {
    let document = cordon::api::document();
    let mut ids = HashSet::new();
    for (name, operation) in operations(&document) {
        let told = |field: &str| operation[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(told("summary"), "{name} has no summary");
        assert!(told("operationId") && ids.insert(operation["operationId"].clone()), "{name} has no id of its own");
        assert!(operation["tags"][0].is_string(), "{name} has no tag");
        let security = operation["security"].as_array().map(Vec::len);
        let ways = if operation["security"] == json!([{}]) { 1 } else { 2 };
        assert_eq!(security, Some(ways), "{name} does not say who may ask");
        for (status, answer) in operation["responses"].as_object().unwrap() {
            assert!(
                answer["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{name} {status} is not described"
            );
            let content = answer["content"].as_object();
            // RFC 8935 and SSF 1.0 want empty answers.
            let empty = ["receive_event", "add_stream_subject"].map(Value::from).contains(&operation["operationId"]);
            let empty = empty || status == "204" || status == "303";
            assert!(content.is_some() || empty, "{name} {status} has no body");
            for (kind, body) in content.into_iter().flatten() {
                assert!(body["schema"].is_object(), "{name} {status} {kind} has no schema");
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["schema"].is_object(), "{name} {} has no schema", parameter["name"]);
        }
    }
    assert!(ids.len() > 70, "{}", ids.len());
}

#[test]
fn the_document_is_sound_by_another_reading() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("openapi.json");
    std::fs::write(&file, cordon::api::document().to_string()).unwrap();
    let mut validator = Command::new(venv("openapi-spec-validator"));
    let said = succeed(validator.args(["--schema", "3.1", "--errors", "all"]).arg(&file));
    assert!(said.contains("OK"), "{said}");
}

#[test]
fn the_server_shows_its_document_and_a_page_to_read() {
    let server = Server::start(&Config::default());
    let document = server.exchange("GET", "/api/v1/openapi.json", &[], None);
    assert_eq!(document.body, cordon::api::document());
    let page = server.exchange("GET", "/api/docs", &[], None);
    assert_eq!((page.status, page.headers["content-type"].as_str()), (200, "text/html; charset=utf-8"));
    assert!(page.headers["content-security-policy"].starts_with("default-src 'none'"), "{:?}", page.headers);
    for (name, operation) in operations(&document.body) {
        let anchor = format!("id=\"{}\"", operation["operationId"].as_str().unwrap());
        assert!(page.text.contains(&anchor), "{name} is not on the page");
    }
    assert!(!page.text.contains("<script") && !page.text.contains("http://") && !page.text.contains("https://"));
    let other = server.exchange("GET", "/api/v1/nothing", &[], None);
    assert_eq!((other.status, &other.body["code"]), (404, &Value::from("not_found")));
    let method = server.exchange("DELETE", "/api/v1/decisions", &[], None);
    assert_eq!((method.status, &method.body["code"]), (405, &Value::from("method_not_allowed")), "{}", method.text);
}

/// Requests that nobody would write by hand, sound and broken ones, by schemathesis: no server error, and no answer that the
/// document does not know.
#[test]
fn schemathesis_finds_no_server_error_and_nothing_that_is_not_documented() {
    let server = Server::bare();
    crate::resources::network(&server);
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    let url = format!("http://{}/api/v1/openapi.json", server.http);
    let mut command = system(venv("schemathesis").to_str().unwrap(), Duration::from_secs(240));
    command.args(["run", &url, "--header", &format!("Authorization: Bearer {TOKEN}")]);
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "12", "--seed", "1", "--workers", "1"]);
    command.args(["--request-timeout", "20", "--suppress-health-check", "all", "--no-color"]);
    // A stream has no end, and a test of its own.
    command.args(["--exclude-path", "/api/v1/events"]);
    // Nor does one that is kept open until something happens answer at once, and signed tokens are not made up.
    command.args(["--exclude-path", "/api/v1/ssf/streams/{id}/poll", "--exclude-path", "/api/v1/ssf/receive/{name}"]);
    // What is right about values is more than a schema can say: what is taken and refused is for other tests.
    command.args(["--exclude-checks", "positive_data_acceptance,negative_data_rejection"]);
    let output = command.current_dir(server.path(".")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
