//! The web console: files that Vite built from `web/console`, embedded in the binary, compressed beforehand.
//!
//! Everything that is not the API's is the console's page: its addresses are its own, and whoever opens one comes to where
//! it leads. The page holds nothing that is secret; all that it shows it asks the API for.

use super::ApiState;
use super::problem::Problem;
use crate::random::random;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A file of the console.
struct File {
    /// Its path below `dist`.
    name: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// The page that loads everything else.
const PAGE: &str = "index.html";
/// What stands in the page for the nonce of an answer.
const NONCE: &str = "__CSP_NONCE__";
/// Octets of a nonce: twice what CSP3 (section 7.1) asks for at least.
const NONCE_LEN: usize = 32;
/// The licences of what the console is made of.
const LICENCES: &str = "assets/licences.txt";
/// All other names hold a digest of what is in the file: what has a name never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// What the server says where it was built without the console.
const NOT_BUILT: &str = include_str!("../../web/not-built.html");

fn file(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

/// What files are called on the wire.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, suffix)| suffix) {
        "js" => "text/javascript",
        "css" => "text/css",
        "svg" => "image/svg+xml",
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Whether a browser takes this coding (RFC 9110, section 12.5.3); what it weighs as nothing it does not take.
fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let given = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    given.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim() == coding && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = file(&format!("assets/{name}")) else {
        return Problem::not_found("the console has no such file; load its page again").into_response();
    };
    let coded = [("br", file.brotli), ("gzip", file.gzip)];
    let coded = coded.into_iter().find_map(|(name, octets)| Some((name, octets?)).filter(|_| takes(&headers, name)));
    let (coding, octets) = coded.unwrap_or(("identity", file.plain));
    let headers = [
        (header::CONTENT_TYPE, kind(file.name)),
        (header::CONTENT_ENCODING, coding),
        (header::VARY, "Accept-Encoding"),
        (header::CACHE_CONTROL, if file.name == LICENCES { "no-cache" } else { FOREVER }),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, octets).into_response()
}

/// What the page may load and ask: its own, and nothing else. Styles that its libraries make while it runs carry a nonce;
/// scripts never do.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

/// The console's page, as it is sent to this browser.
fn page() -> Result<Response, Problem> {
    let octets: [u8; NONCE_LEN] = random().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
    let nonce = STANDARD.encode(octets);
    let policy = HeaderValue::from_str(&policy(&nonce)).map_err(|e| Problem::internal(&e))?;
    let (status, text) = match file(PAGE) {
        Some(file) => (StatusCode::OK, String::from_utf8_lossy(file.plain).replace(NONCE, &nonce)),
        None => (StatusCode::NOT_FOUND, NOT_BUILT.to_owned()),
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Its nonce is good once.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((status, headers, Html(text)).into_response())
}

/// Whatever has no route: the console's page for who opens an address of it, and else what programs understand.
pub(super) async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let page_wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let page_wanted = page_wanted.is_some_and(|accept| accept.contains("text/html"));
    if method == Method::GET && page_wanted && !uri.path().starts_with("/api/") {
        return page();
    }
    Err(Problem::not_found("no such resource; GET /api/v1/openapi.json lists those that exist"))
}

/// The routes to it.
pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/", get(async || page())).route("/assets/{name}", get(asset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap())])
    }

    #[test]
    fn a_coding_is_taken_that_is_named_and_weighs_something() {
        assert!(takes(&accepting("gzip, deflate, br"), "br"));
        assert!(takes(&accepting("br;q=0.5"), "br"));
        for other in ["gzip", "brotli", "br;q=0", "br; q=0.000", ""] {
            assert!(!takes(&accepting(other), "br"), "{other}");
        }
    }

    #[tokio::test]
    async fn each_page_has_a_nonce_of_its_own_and_no_script_may_have_it() {
        let policy =
            |response: Response| response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        let (first, second) = (policy(page().unwrap()), policy(page().unwrap()));
        assert_ne!(first, second);
        assert!(first.contains("script-src 'self';"), "{first}");
        assert!(!first.contains("unsafe"), "{first}");
    }
}
