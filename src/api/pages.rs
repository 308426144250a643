//! The pages for people: signing in, and one's own account.

use super::ApiState;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

/// What the pages may load and ask: their own, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HTML: &str = include_str!("../../web/sign-in/index.html");
const STYLE: &str = include_str!("../../web/sign-in/style.css");
const SCRIPT: &str = include_str!("../../web/sign-in/script.js");

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, text)
}

/// The routes to them.
pub(super) fn pages() -> Router<ApiState> {
    Router::new()
        .route("/sign-in", get(async || file("text/html; charset=utf-8", HTML)))
        .route("/sign-in/style.css", get(async || file("text/css", STYLE)))
        .route("/sign-in/script.js", get(async || file("text/javascript", SCRIPT)))
}
