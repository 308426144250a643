//! The inventory as documents: planned, applied, exported.

use super::objects::may_put_in_force;
use super::{Why, change, sent, table};
use crate::api::ApiState;
use crate::api::caller::Caller;
use crate::api::extract::{Body, Query};
use crate::api::problem::Problem;
use crate::config::apply::{Change, Plan, Request, export};
use crate::config::document::toml_of_yaml;
use crate::operators::role::Permission;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Changes that an answer tells one by one; the others are counted.
const TOLD: usize = 1_000;

/// Documents, in one of three forms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Documents {
    /// A document as JSON: `site`, `group`, `nas`, `binding`, `profile`, `compliance` and `identity`, a list each.
    #[serde(default)]
    document: Option<BTreeMap<String, Value>>,
    /// The same as TOML text.
    #[serde(default)]
    toml: Option<String>,
    /// The same as YAML text.
    #[serde(default)]
    yaml: Option<String>,
    /// Remove what the document does not mention; identities are suspended.
    #[serde(default)]
    prune: bool,
}

/// How to apply them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct How {
    /// Only say what would be done.
    #[serde(default)]
    plan: bool,
    /// Why, for the audit log.
    reason: Option<String>,
}

/// What is done, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct PlanView {
    /// Whether it was only planned.
    planned_only: bool,
    /// How many objects become different.
    changes_in_all: usize,
    /// The first 1,000 of them.
    changes: Vec<ChangeView>,
    /// Objects of the document that are so already.
    unchanged: usize,
    /// What is unwise but no error.
    warnings: Vec<String>,
    /// Whether decisions go by it already.
    in_force: bool,
}

/// An object that becomes different.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ChangeView {
    /// Its kind.
    kind: String,
    name: String,
    /// `create`, `update` or `remove`; an identity that is removed is suspended.
    action: String,
    /// Field by field.
    fields: Vec<FieldView>,
}

/// A field that becomes different.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct FieldView {
    name: String,
    /// What it was; null if it was not there. Secrets are hidden.
    #[schema(required)]
    old: Option<Value>,
    /// What it becomes; null if it goes.
    #[schema(required)]
    new: Option<Value>,
}

fn told(change: &Change) -> ChangeView {
    let json = |value: &Option<toml::Value>| value.as_ref().and_then(|value| serde_json::to_value(value).ok());
    let fields =
        change.fields.iter().map(|(name, old, new)| FieldView { name: name.clone(), old: json(old), new: json(new) });
    let (kind, action) = (change.kind.to_owned(), change.action.as_str().to_owned());
    ChangeView { kind, name: change.name.clone(), action, fields: fields.collect() }
}

fn view(plan: Plan, planned_only: bool, in_force: bool) -> PlanView {
    PlanView {
        planned_only,
        changes_in_all: plan.changes.len(),
        changes: plan.changes.iter().take(TOLD).map(told).collect(),
        unchanged: plan.unchanged,
        warnings: plan.warnings,
        in_force,
    }
}

/// Makes the inventory what a document says, or says what would change
///
/// What the document describes becomes as it says, whole; what it does not mention stays, unless it is pruned. All is
/// written, or nothing. A document from here names no files; a policy has operations of its own. It wants `gear:write` and
/// `policy:write` too, and, where it has playbooks, what their steps want by hand.
#[utoipa::path(
    post, path = "/api/v1/apply", operation_id = "apply", tag = "inventory", params(How),
    request_body = Documents,
    responses(
        (status = 200, description = "What was done, or would be", body = PlanView),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(in crate::api) async fn apply(
    State(state): State<ApiState>,
    caller: Caller,
    Query(how): Query<How>,
    Body(documents): Body<Documents>,
) -> Result<Json<PlanView>, Problem> {
    // A document may describe gear and what rules grant, too.
    for permission in [Permission::GearWrite, Permission::PolicyWrite] {
        caller.may(permission)?;
    }
    let text = match (documents.document, documents.toml, documents.yaml) {
        (Some(document), None, None) => {
            let document = table(Value::Object(document.into_iter().collect()))?;
            toml::to_string(&document).map_err(|e| Problem::body(format!("the document: {e}")))?
        }
        (None, Some(toml), None) => toml,
        (None, None, Some(yaml)) => toml_of_yaml(&yaml).map_err(|e| Problem::body(format!("the YAML text: {e}")))?,
        _ => return Err(Problem::body("give the document by one of: document, toml, yaml")),
    };
    let source = sent(text);
    may_put_in_force(&caller, &source)?;
    let comment = Why { reason: how.reason }.comment();
    let request = Request { files: vec![source], prune: documents.prune, comment, remote: true, ..Request::default() };
    let _turn = state.turns.wait().await?;
    if how.plan {
        let plan = state.inventory.plan(request, state.clock.now()).await?;
        return Ok(Json(view(plan, true, false)));
    }
    let done = change(&state, &caller, |_| Ok(request.clone())).await?;
    Ok(Json(view(done.plan, false, done.in_force)))
}

/// Everything that was applied, as a document that can be applied again
///
/// Shared secrets are left out; a document without them keeps those that are stored.
#[utoipa::path(
    get, path = "/api/v1/export", operation_id = "export", tag = "inventory",
    responses((status = 200, description = "A document in TOML", body = String, content_type = "application/toml")),
    security(("bearer" = ["inventory:read"]))
)]
pub(in crate::api) async fn export_all(State(state): State<ApiState>) -> Result<Response, Problem> {
    let present = super::present(&state);
    let text = tokio::task::spawn_blocking(move || toml::to_string(&export(&present.stored))).await;
    let text = text.map_err(|e| Problem::internal(&e))?.map_err(|e| Problem::internal(&e))?;
    Ok(([(header::CONTENT_TYPE, "application/toml")], text).into_response())
}
