//! Errors, each with a code, what is wrong and what to do (RFC 9457).

use crate::operators::role::Permission;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;
use utoipa::ToSchema;

/// The longest body of a request, in octets: an inventory of some 50,000 identities as one document.
pub(super) const MAX_BODY: usize = 32 * 1024 * 1024;

/// What a request failed with.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// The parameter or field that is at fault.
    field: Option<Cow<'static, str>>,
    /// All that is wrong, where there may be several things.
    errors: Vec<Fault>,
    retry_after: Option<Duration>,
}

/// One of several things that are wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Fault {
    /// Which object or field it is about.
    #[schema(required)]
    pub at: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemDetails {
    /// Always `about:blank`: `code` tells which problem it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Which problem it is; programs go by it.
    code: &'static str,
    /// What is wrong and what to do.
    detail: String,
    /// The parameter or field at fault, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Cow<'static, str>>,
    /// All that is wrong, where there may be several things.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, errors: Vec::new(), retry_after: None }
    }

    /// A parameter says what it cannot.
    pub(super) fn parameter(field: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail) }
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
        Self { field: Some(field.into()), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_name", detail) }
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

    /// What is asked for is well formed, and still cannot be.
    pub(super) fn unprocessable(code: &'static str, detail: impl Into<String>, errors: Vec<Fault>) -> Self {
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail) }
    }

    /// What is wrong, in words.
    pub(super) fn told(&self) -> String {
        match &self.field {
            Some(field) => format!("{field}: {}", self.detail),
            None => self.detail.clone(),
        }
    }

    /// It was changed since the caller read it (`If-Match`), or is there already (`If-None-Match: *`).
    pub(super) fn precondition(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
    }

    /// The body is no JSON by its own word.
    pub(super) fn media_type() -> Self {
        let detail = "send the body as JSON, with the header \"Content-Type: application/json\"";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// The body is longer than [`MAX_BODY`].
    pub(super) fn too_large() -> Self {
        let detail = format!(
            "the body is longer than is read here, which is {} MiB at most; send it in parts",
            MAX_BODY / (1024 * 1024)
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// There were too many requests; `after` that it may be tried again.
    pub(super) fn too_many(detail: impl Into<String>, after: Duration) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail);
        Self { retry_after: Some(after), ..problem }
    }

    /// It cannot be done at the moment; `after` that it may be tried again.
    pub(super) fn unavailable(code: &'static str, detail: impl Into<String>, after: Duration) -> Self {
        Self { retry_after: Some(after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail) }
    }

    /// They are known, and may not do that, which is `what` in words.
    pub(super) fn forbidden(permission: Permission, what: &str) -> Self {
        let detail = format!(
            "{what} wants the permission {permission}, which your role or token does not have; GET /api/v1/me shows \
             what you have, and an administrator can give more"
        );
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// The certificate that was shown, or that none was, opens nothing here.
    pub(super) fn certificate(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// They may do that at some sites alone, and this is about all.
    pub(super) fn beyond_sites() -> Self {
        let detail = "your rights hold at some sites alone, and this reaches beyond them; GET /api/v1/me shows them";
        Self::new(StatusCode::FORBIDDEN, "beyond_sites", detail)
    }

    /// A page of another site had a browser ask.
    pub(super) fn cross_site(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "cross_site", detail)
    }

    /// Another server is of no use.
    pub(super) fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "provider_unavailable", detail)
    }

    /// Which problem it is.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// Somebody did not sign in: `code` says whether something is wrong or missing.
    pub(super) fn not_signed_in(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    /// An operation that says nothing of who may ask for it is for nobody.
    pub(super) fn undescribed() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "nobody may ask for this: it does not say who may")
    }

    /// The server itself is at fault; its log says more.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request of the API failed");
        let detail = "the server is at fault, and its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
    }

    /// No token, or a wrong one.
    pub(super) fn unauthorized(given: bool) -> Self {
        let detail = if given {
            "the token is not good, or not any more; the server's own is in the file that [http] token_file names"
        } else {
            "sign in, or send the header \"Authorization: Bearer TOKEN\"; the server's own token is in the file that [http] token_file names"
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
        let Self { status, code, detail, field, errors, retry_after } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body =
            ProblemDetails { r#type: "about:blank", title, status: status.as_u16(), code, detail, field, errors };
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, axum::Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(after) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().max(1).into());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
