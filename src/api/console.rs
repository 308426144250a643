//! The web console: files that Vite built from `web/console`, compressed beforehand, which the program hands over.
//!
//! Everything that is not the API's is the console's page: its addresses are its own, and whoever opens one comes to where
//! it leads. The page holds nothing that is secret; all that it shows it asks the API for.

use super::ApiState;
use super::problem::Problem;
use crate::random::random;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A file of the console.
#[derive(Debug)]
struct File {
    /// Its path below `dist`.
    name: String,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// The files of the console, where they lie in the program; none, where it was built without.
#[derive(Clone, Debug, Default)]
pub struct Console(Arc<[File]>);

impl Console {
    /// What is in `archive` (tar): each file, with what `.br` and `.gz` beside it say more shortly. Empty is no console.
    ///
    /// # Errors
    /// In words, when this is no archive.
    pub fn read(archive: &'static [u8]) -> Result<Self, String> {
        let unreadable = |e: &dyn fmt::Display| format!("the console in this program cannot be read: {e}");
        let mut all = BTreeMap::new();
        let mut tar = tar::Archive::new(archive);
        for entry in tar.entries().map_err(|e| unreadable(&e))? {
            let entry = entry.map_err(|e| unreadable(&e))?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path().map_err(|e| unreadable(&e))?;
            let name = path.to_string_lossy().trim_start_matches("./").to_owned();
            let octets = usize::try_from(entry.raw_file_position()).ok().and_then(|at| archive.get(at..));
            let octets = octets.and_then(|rest| rest.get(..usize::try_from(entry.size()).ok()?));
            all.insert(name, octets.ok_or_else(|| unreadable(&"it is cut off"))?);
        }
        let coded = |name: &str, suffix: &str| all.get(&format!("{name}{suffix}")).copied();
        let plain = all.iter().filter(|(name, _)| !name.ends_with(BROTLI) && !name.ends_with(GZIP));
        let files = plain.map(|(name, plain)| File {
            name: name.clone(),
            plain,
            brotli: coded(name, BROTLI),
            gzip: coded(name, GZIP),
        });
        Ok(Self(files.collect()))
    }

    fn file(&self, name: &str) -> Option<&File> {
        self.0.iter().find(|file| file.name == name)
    }
}

/// How files are called that are compressed beforehand.
const BROTLI: &str = ".br";
const GZIP: &str = ".gz";
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

async fn asset(State(state): State<ApiState>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = state.console.file(&format!("assets/{name}")) else {
        return Problem::not_found("the console has no such file; load its page again").into_response();
    };
    let coded = [("br", file.brotli), ("gzip", file.gzip)];
    let coded = coded.into_iter().find_map(|(name, octets)| Some((name, octets?)).filter(|_| takes(&headers, name)));
    let (coding, octets) = coded.unwrap_or(("identity", file.plain));
    let headers = [
        (header::CONTENT_TYPE, kind(&file.name)),
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
fn page(console: &Console) -> Result<Response, Problem> {
    let octets: [u8; NONCE_LEN] = random().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
    let nonce = STANDARD.encode(octets);
    let policy = HeaderValue::from_str(&policy(&nonce)).map_err(|e| Problem::internal(&e))?;
    let (status, text) = match console.file(PAGE) {
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
pub(super) async fn fallback(
    State(state): State<ApiState>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page_wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let page_wanted = page_wanted.is_some_and(|accept| accept.contains("text/html"));
    if method == Method::GET && page_wanted && !uri.path().starts_with("/api/") {
        return page(&state.console);
    }
    Err(Problem::not_found("no such resource; GET /api/v1/openapi.json lists those that exist"))
}

/// The routes to it.
pub(super) fn routes() -> Router<ApiState> {
    let first = async |State(state): State<ApiState>| page(&state.console);
    Router::new().route("/", get(first)).route("/assets/{name}", get(asset))
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

    #[test]
    fn the_archive_is_read_where_it_lies_and_what_is_cut_off_is_an_error() {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, octets) in [("./index.html", "<html>"), ("./assets/a.js", "plain"), ("./assets/a.js.br", "short")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(octets.len() as u64);
            tar.append_data(&mut header, name, octets.as_bytes()).unwrap();
        }
        let octets: &'static [u8] = tar.into_inner().unwrap().leak();
        let console = Console::read(octets).unwrap();
        let script = console.file("assets/a.js").unwrap();
        assert_eq!((script.plain, script.brotli, script.gzip), (&b"plain"[..], Some(&b"short"[..]), None));
        assert!(console.file("assets/a.js.br").is_none());
        assert_eq!(page(&console).unwrap().status(), StatusCode::OK);
        assert_eq!(page(&Console::default()).unwrap().status(), StatusCode::NOT_FOUND);
        assert!(Console::read(&octets[..1_026]).unwrap_err().contains("cannot be read"));
    }

    #[tokio::test]
    async fn each_page_has_a_nonce_of_its_own_and_no_script_may_have_it() {
        let policy =
            |response: Response| response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        let none = Console::read(&[]).unwrap();
        let (first, second) = (policy(page(&none).unwrap()), policy(page(&none).unwrap()));
        assert_ne!(first, second);
        assert!(first.contains("script-src 'self';"), "{first}");
        assert!(!first.contains("unsafe"), "{first}");
    }
}
