//! The inventory: what can be read and changed of it, and how a change is made.
//!
//! Every change goes the way of `cordon apply`: it becomes a document, is planned against what is in force, and
//! written as a whole or not at all.

pub(super) mod apply;
mod bodies;
pub(super) mod identities;
pub(super) mod objects;

use super::caller::Caller;
use super::problem::{Fault, Problem};
use super::{ApiState, MAX_REASON};
use crate::config::apply::Request;
use crate::config::live::{ChangeError, Done, Present, TRIES};
use crate::config::{ConfigError, Source};
use crate::store::inventory::ApplyError;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Octets of the digest in an ETag.
const ETAG_LEN: usize = 16;

/// What goes with a change.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Why {
    /// Why it is changed, for the audit log.
    pub(super) reason: Option<String>,
}

impl Why {
    pub(super) fn comment(&self) -> String {
        self.reason.iter().flat_map(|reason| reason.chars()).take(MAX_REASON).collect()
    }
}

/// An object that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Written<T> {
    /// As it is now.
    pub(super) item: T,
    /// Whether decisions go by it already.
    pub(super) in_force: bool,
    /// What is unwise but no error.
    pub(super) warnings: Vec<String>,
}

/// What a client knows of an object that it writes (RFC 9110, section 13).
#[derive(Clone, Debug, Default)]
pub(super) struct Preconditions {
    /// `If-Match`: it must be this.
    matches: Option<String>,
    /// `If-None-Match: *`: it must not be there.
    absent: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = |name: HeaderName| -> Result<Option<String>, Problem> {
            let told = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned);
            let value = parts.headers.get(&name).map(told).transpose();
            value.map_err(|_| Problem::parameter(name.as_str().to_owned(), "an ETag is text in quotes"))
        };
        let absent = match text(header::IF_NONE_MATCH)?.as_deref() {
            None => false,
            Some("*") => true,
            Some(_) => return Err(Problem::parameter("if-none-match", "a write takes * alone: it must not be there")),
        };
        Ok(Preconditions { matches: text(header::IF_MATCH)?, absent })
    }
}

impl Preconditions {
    /// Whether an object may be written of which this is the ETag, if it is there.
    ///
    /// # Errors
    /// When it is another than the client knows.
    pub(super) fn check(&self, etag: Option<&str>) -> Result<(), Problem> {
        match (&self.matches, etag) {
            (Some(_), None) => Err(Problem::precondition("it is not there; leave If-Match out to create it")),
            (Some(wanted), Some(etag)) if wanted != "*" && wanted.split(',').all(|one| one.trim() != etag) => {
                Err(Problem::precondition("it was changed since you read it; read it again, and decide anew"))
            }
            (_, Some(_)) if self.absent => Err(Problem::precondition("it is there already")),
            _ => Ok(()),
        }
    }
}

/// What tells one state of an object from others.
pub(super) fn etag(item: &impl Serialize) -> String {
    // What has a form in JSON is written without fail.
    let text = serde_json::to_vec(item).unwrap_or_default();
    let octets = digest(&SHA256, &text);
    let hex: String = octets.as_ref().iter().take(ETAG_LEN).map(|octet| format!("{octet:02x}")).collect();
    format!("\"{hex}\"")
}

/// The header with it.
pub(super) fn tagged(item: &impl Serialize) -> [(HeaderName, String); 1] {
    [(header::ETAG, etag(item))]
}

/// Text of a document that somebody sent.
pub(super) fn sent(text: String) -> Source {
    Source { file: "the request".into(), text }
}

/// A JSON object as TOML has it; what is null is left out.
pub(super) fn table(value: Value) -> Result<toml::Table, Problem> {
    let Value::Object(fields) = without_null(value) else { return Err(Problem::body("the body is no object")) };
    let read = toml::Table::try_from(fields);
    read.map_err(|e| Problem::body(format!("the body has something that documents do not know: {e}")))
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_null(v))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_null).collect()),
        other => other,
    }
}

/// RFC 7396: what `patch` names becomes as it says; what it says is null goes.
pub(super) fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(&key);
                } else {
                    merge(target.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch,
    }
}

/// What is wrong, one by one.
pub(super) fn faults(errors: &[ConfigError]) -> Vec<Fault> {
    let fault = |error: &ConfigError| {
        let file = error.file.display();
        let at = error.line.map_or_else(|| file.to_string(), |line| format!("{file}, line {line}"));
        Fault { at: Some(at), message: error.message.clone(), remedy: error.remedy.clone() }
    };
    errors.iter().map(fault).collect()
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Faults(wrong) => {
                let first = wrong.errors.first().map(|e| format!("{}; {}", e.message, e.remedy)).unwrap_or_default();
                let more = wrong.errors.len().saturating_sub(1);
                let detail = if more == 0 { first } else { format!("{first} (and {more} more: see errors)") };
                Problem::unprocessable("invalid_inventory", detail, faults(&wrong.errors))
            }
            ChangeError::Overtaken => Problem::conflict("overtaken", ChangeError::Overtaken.to_string()),
            ChangeError::Store(error) => error.into(),
            other @ (ChangeError::Key(_) | ChangeError::Lost) => Problem::internal(&other),
        }
    }
}

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Overtaken => ChangeError::Overtaken.into(),
            ApplyError::Store(error) => error.into(),
        }
    }
}

/// Makes a change that depends on what is in force: `ask` says what it is, or refuses.
pub(super) async fn change(
    state: &ApiState,
    caller: &Caller,
    ask: impl Fn(&Present) -> Result<Request, Problem> + Send + Sync,
) -> Result<Done, Problem> {
    for _ in 0..TRIES {
        let present = state.inventory.present();
        let request = ask(&present)?;
        let only_at = Some(present.stored.generation);
        match state.inventory.change(request, &caller.by(), state.clock.now(), only_at).await {
            Err(ChangeError::Overtaken) => {}
            done => return Ok(done?),
        }
    }
    Err(ChangeError::Overtaken.into())
}

/// What is in force, to read from.
pub(super) fn present(state: &ApiState) -> Arc<Present> {
    state.inventory.present()
}
