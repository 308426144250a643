//! Long lists.

use super::{OPERATORS, browse_as};
use crate::support::server::Server;
use serde_json::{Value, json};
use std::time::Instant;

/// Rows of the list: hundreds of pages of the server's, and more than the page's scroller holds at a time.
const MANY: usize = 22_000;
/// Identities of one request.
const AT_ONCE: usize = 5_500;
/// What the page may hold more after it was scrolled through, in MiB: a fraction of what all rows are.
const MOST_MIB: f64 = 6.0;
/// The most rows of the document, in a window of 900 pixels: those that are seen, and a dozen on each side.
const MOST_ROWS: f64 = 80.0;

#[test]
fn a_list_of_very_many_is_scrolled_to_its_end_and_back_with_few_rows_in_the_page_and_in_memory() {
    let server = Server::bare_with(OPERATORS);
    server.apply("[[identity]]\nname = \"ben\"\nkind = \"user\"\n");
    let began = Instant::now();
    for first in (0..MANY).step_by(AT_ONCE) {
        let user = |n: usize| json!({ "kind": "user", "name": format!("user-{n:06}@corp.example") });
        let identities: Vec<Value> = (first..first + AT_ONCE).map(user).collect();
        let (status, done) = server.send("POST", "/api/v1/identities/bulk", &json!({ "identities": identities }));
        assert_eq!((status, &done["created"]), (200, &json!(AT_ONCE)), "{done}");
    }
    println!("{MANY} identities after {:?}", began.elapsed());
    let told = browse_as(&server, &["viewer"], "far_down", &json!({ "many": MANY }));
    println!("{told:#}");
    let number = |key: &str| told[key].as_f64().unwrap_or_else(|| panic!("{key}: {told:#}"));
    assert!(number("rows_in_page") < MOST_ROWS, "{told:#}");
    assert!(number("heap_after_mib") - number("heap_before_mib") < MOST_MIB, "{told:#}");
    // Each page once on the way down, and few again on the way up.
    let pages = (MANY / 100) as f64;
    assert!((pages..pages + 20.0).contains(&number("asked_down")), "{told:#}");
    assert!(number("asked_in_all") < pages + 200.0, "{told:#}");
}
