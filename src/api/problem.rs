//! Errors, each with a code, what is wrong and what to do (RFC 9457).

use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What a request failed with.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// The query parameter that is at fault.
    field: Option<&'static str>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None }
    }

    /// A query parameter says what it cannot.
    pub(super) fn parameter(field: &'static str, detail: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail) }
    }

    /// The query as a whole cannot be read.
    pub(super) fn query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_query", plain("the query", detail))
    }

    /// The body cannot be read.
    pub(super) fn body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", plain("the body", detail))
    }

    /// A name that nobody and nothing has.
    pub(super) fn unknown_name(field: &'static str, detail: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_name", detail) }
    }

    /// It is there, but stands where this cannot be done.
    pub(super) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// There is no such thing.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The resource is there, but not for this method.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this resource is not for this method; docs/api.md says which it takes",
        )
    }

    /// No token, or a wrong one.
    pub(super) fn unauthorized(given: bool) -> Self {
        let detail = if given {
            "the token is not the one of this server; it is in the file that [http] token_file names"
        } else {
            "send the header \"Authorization: Bearer TOKEN\"; the token is in the file that [http] token_file names"
        };
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }
}

/// What the reader of a request says, without words that speak of its own workings.
fn plain(what: &str, detail: impl Into<String>) -> String {
    const OWN: [&str; 4] = [
        "Failed to deserialize the JSON body into the target type: ",
        "Failed to parse the request body as JSON: ",
        "Failed to deserialize query string: ",
        "Failed to deserialize query string",
    ];
    let detail = detail.into();
    match OWN.into_iter().find_map(|own| detail.strip_prefix(own)) {
        Some("") => format!("{what} cannot be read"),
        Some(rest) => format!("{what}: {rest}"),
        None => detail,
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database cannot be read");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            "the database cannot be read at the moment; the server's log says why",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some(field), Some(object)) = (self.field, body.as_object_mut()) {
            object.insert("field".into(), field.into());
        }
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
