//! What is around every page: who is signed out comes back to where they were, what may not be done is barred.

use super::{OPERATORS, browse_as};
use crate::support::server::Server;
use serde_json::Value;

/// The most JavaScript of a first view, compressed, in octets.
const MAX_SCRIPT: f64 = 300.0 * 1024.0;

#[test]
fn the_console_is_there_for_who_is_signed_in_and_nothing_in_it_runs_that_is_not_its_own() {
    let server = Server::bare_with(OPERATORS);
    let told = browse_as(&server, &["viewer"], "skeleton", &Value::Null);
    let policy = told["policy"].as_str().unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(told["asset"]["cache-control"], "public, max-age=31536000, immutable", "{told:#}");
    assert_eq!(told["asset"]["content-encoding"], "br", "{told:#}");
    println!("the first view: {}", told["view"]);
    let number = |key: &str| told["view"][key].as_f64().unwrap();
    assert!((50_000.0..MAX_SCRIPT).contains(&number("js_octets")), "{told:#}");
    // 1.5 s where nothing else runs (`make bench`); tests run beside each other.
    assert!(number("interactive_ms") < 5_000.0, "{told:#}");
    // Programs that ask for what is not there are told so in their language.
    let (status, missing) = server.get_raw("/nothing/here", None);
    assert!(status == 404 && missing.contains("not_found"), "{status}: {missing}");
}
