//! `Idempotency-Key`: a request that creates something may be sent again when its answer was lost, and is done once
//! (draft-ietf-httpapi-idempotency-key-header).

use super::ApiState;
use super::caller::{Caller, Means};
use super::problem::{MAX_BODY, Problem};
use crate::operators::token::digest_of;
use crate::store::idempotency::Asked;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The header.
const KEY: &str = "idempotency-key";
/// Says that an answer is the one that was given before.
const REPLAYED: &str = "idempotency-replayed";
/// The longest key, in octets.
const MAX_KEY: usize = 255;
/// The longest answer that is kept, in octets; the repetition of a longer one is refused.
const MAX_ANSWER: usize = 1024 * 1024;

/// Answers a repetition with what was answered before.
pub(super) async fn once(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(KEY).filter(|_| request.method() == Method::POST).cloned() else {
        return next.run(request).await;
    };
    // What is for everybody makes nothing of its own, and nobody fills the table of those who may.
    let Some(caller) = request.extensions().get::<Caller>() else { return next.run(request).await };
    let who = match caller.means {
        Means::RootToken => "root".to_owned(),
        Means::Token(id) => id.to_string(),
        Means::SignIn(id) => id.to_string(),
    };
    match answer(&state, key, who, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    state: &ApiState,
    key: HeaderValue,
    who: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(Problem::parameter(KEY, format!("a key has 1 to {MAX_KEY} octets")));
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, MAX_BODY).await.map_err(|_| Problem::too_large())?;
    let what = [who.as_bytes(), b"\n", parts.uri.to_string().as_bytes(), b"\n", key.as_bytes()].concat();
    let (digest, of_body) = (digest_of(&what), digest_of(&bytes));
    match state.store.asked(&digest, &of_body, state.clock.now()).await? {
        Asked::New => {}
        Asked::Answered { status, answer } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let headers = [(header::CONTENT_TYPE.as_str(), "application/json"), (REPLAYED, "true")];
            return Ok((status, headers, answer).into_response());
        }
        Asked::Unanswered => {
            let detail = "it is being answered, or was and the answer is not kept: look whether it was done";
            return Err(Problem::conflict("already_asked", detail));
        }
        Asked::Other => {
            let detail = "this Idempotency-Key was used with another body: a new request has a new key";
            return Err(Problem::unprocessable("key_used_otherwise", detail, Vec::new()));
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let (parts, body) = response.into_parts();
    // It is in memory already: a handler makes an answer to a POST as a whole.
    let answer = to_bytes(body, usize::MAX).await.map_err(|e| Problem::internal(&e))?;
    // What is a secret is shown once, and kept nowhere.
    let secret = parts.headers.get(header::CACHE_CONTROL).is_some_and(|value| value == "no-store");
    let noted = match std::str::from_utf8(&answer) {
        // Nothing was done: it may be asked again, and the answer may be another by then.
        _ if !parts.status.is_success() => state.store.not_answered(&digest).await,
        Ok(text) if !secret && text.len() <= MAX_ANSWER => {
            state.store.answered(&digest, parts.status.as_u16(), text).await
        }
        _ => Ok(()),
    };
    if let Err(error) = noted {
        tracing::warn!(%error, "an answer is not kept: its repetition is refused");
    }
    Ok(Response::from_parts(parts, Body::from(answer)))
}
