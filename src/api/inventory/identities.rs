//! Who is known: users, devices, machines, agents, services and models.

use super::bodies::IdentityBody;
use super::{Preconditions, Why, Written, change, etag, merge, present, sent, table, tagged};
use crate::api::ApiState;
use crate::api::caller::Caller;
use crate::api::decisions::parsed;
use crate::api::extract::{Body, Query};
use crate::api::page::{CURSOR, Page, limit};
use crate::api::problem::Problem;
use crate::config::apply::{Request, identity_table, in_status};
use crate::config::document::ObjectKind;
use crate::config::live::{ChangeError, PAUSE, Present, TRIES};
use crate::config::stored::document_of;
use crate::ids::{ChangeId, IdentityId};
use crate::inventory::identity::{Identity, IdentityKind, IdentityStatus};
use crate::inventory::listing::{Part, Sort, Wanted};
use crate::store::inventory::{Changed, Writes};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Identities that one request may write: a few seconds' work.
const MAX_BULK: usize = 10_000;

/// An identity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Identity)]
pub(in crate::api) struct IdentityView {
    /// It never changes, and no other identity ever has it.
    id: IdentityId,
    kind: String,
    name: String,
    status: String,
    /// The user who answers for it.
    #[schema(required)]
    owner: Option<String>,
    /// Why nobody answers for it, if so.
    #[schema(required)]
    orphaned: Option<String>,
    /// What it is for.
    #[schema(required)]
    purpose: Option<String>,
    /// How far an agent may act by itself, 0 to 5.
    #[schema(required)]
    autonomy: Option<u8>,
    /// Where it works.
    #[schema(required)]
    environment: Option<String>,
    /// When it ceases to be valid.
    #[schema(required)]
    expires: Option<Timestamp>,
    groups: Vec<String>,
    attributes: BTreeMap<String, String>,
    /// By what it is recognised, one key each, or `issuer` with `serial`.
    credentials: Vec<BTreeMap<String, String>>,
    /// Whether it is described in the server's configuration file, and is changed there.
    in_file: bool,
}

/// Which identities to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Parameters {
    /// `user`, `device`, `machine`, `agent`, `service` or `model`.
    kind: Option<String>,
    /// `requested`, `approved`, `active`, `suspended` or `retired`.
    status: Option<String>,
    /// A group that they belong to.
    group: Option<String>,
    /// The user who answers for them.
    owner: Option<String>,
    /// What their names begin with, or contain after `*`; case does not matter.
    name: Option<String>,
    /// Whether nobody answers for them.
    orphaned: Option<bool>,
    /// `name`, `-name` (from the last on) or `kind`; without it, in the order in which they came.
    sort: Option<String>,
    pub(in crate::api) cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    pub(in crate::api) limit: Option<u32>,
}

fn view(identity: &Identity, present: &Present, now: Timestamp) -> IdentityView {
    let table = identity_table(identity);
    let pairs = |value: &toml::Value| -> BTreeMap<String, String> {
        let fields = value.as_table().into_iter().flatten();
        fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    };
    let credentials = table.get("credentials").and_then(|list| list.as_array()).into_iter().flatten();
    IdentityView {
        id: identity.id,
        kind: identity.kind.to_string(),
        name: identity.name.to_string(),
        status: identity.status.to_string(),
        owner: identity.owner.as_deref().map(str::to_owned),
        orphaned: present.built.snapshot.identities.orphaned(identity, now).map(|why| why.to_string()),
        purpose: identity.purpose.as_deref().map(str::to_owned),
        autonomy: identity.autonomy,
        environment: identity.environment.as_deref().map(str::to_owned),
        expires: identity.expires,
        groups: identity.groups.iter().map(ToString::to_string).collect(),
        attributes: identity.attributes.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        credentials: credentials.map(pairs).collect(),
        in_file: is_in_file(identity),
    }
}

/// Ids of what the configuration file names are made of their names (RFC 9562, version 8); others begin with a time.
fn is_in_file(identity: &Identity) -> bool {
    const VERSION_OCTET: usize = 6;
    identity.id.as_bytes()[VERSION_OCTET] >> 4 == 8
}

fn known(present: &Present, id: &str) -> Result<Arc<Identity>, Problem> {
    let missing = || Problem::not_found(format!("there is no identity {id:?}; GET /api/v1/identities lists them"));
    let id: IdentityId = id.parse().map_err(|_| missing())?;
    present.built.snapshot.identities.by_id(id).cloned().ok_or_else(missing)
}

/// Who is known, in the order in which they came
#[utoipa::path(
    get, path = "/api/v1/identities", operation_id = "list_identities", tag = "identities", params(Parameters),
    responses((status = 200, description = "A page of them", body = Page<IdentityView>)),
    security(("bearer" = ["inventory:read"]))
)]
pub(in crate::api) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<IdentityView>>, Problem> {
    let kind = parsed("kind", p.kind.as_deref(), "a kind of identity", |text| text.parse::<IdentityKind>().ok())?;
    let status = parsed("status", p.status.as_deref(), "a status", |text| text.parse::<IdentityStatus>().ok())?;
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse::<IdentityId>().ok())?;
    let sort = parsed("sort", p.sort.as_deref(), "name, -name or kind", sort_of)?.unwrap_or_default();
    let (limit, present, now) = (limit(p.limit)? as usize, present(&state), state.clock.now());
    let name = p.name.map(|name| match name.strip_prefix('*') {
        Some(part) => Part::Any(part.to_owned()),
        None => Part::Start(name),
    });
    let wanted = Wanted { kind, status, group: p.group, owner: p.owner, name, orphaned: p.orphaned };
    let index = &present.built.snapshot.identities;
    if sort != Sort::Came && after.is_some_and(|id| index.by_id(id).is_none()) {
        return Err(Problem::parameter("cursor", "the identity that it was about is gone: begin again"));
    }
    // A million take some milliseconds, and a second when they were just read anew: away from who serves others.
    let listed = tokio::task::spawn_blocking(move || {
        let (found, more) = present.built.snapshot.identities.list(&wanted, sort, after, limit, now);
        let next = found.last().filter(|_| more).map(|last| last.id);
        Page::new(found.into_iter().map(|identity| view(identity, &present, now)).collect(), next)
    });
    Ok(Json(listed.await.map_err(|e| Problem::internal(&e))?))
}

fn sort_of(text: &str) -> Option<Sort> {
    match text {
        "name" => Some(Sort::Name { backwards: false }),
        "-name" => Some(Sort::Name { backwards: true }),
        "kind" => Some(Sort::Kind),
        _ => None,
    }
}

/// One identity
#[utoipa::path(
    get, path = "/api/v1/identities/{id}", operation_id = "get_identity", tag = "identities",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It, with its ETag", body = IdentityView,
               headers(("etag" = String, description = "Tells this state from others")))),
    security(("bearer" = ["inventory:read"]))
)]
pub(in crate::api) async fn get(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<([(HeaderName, String); 1], Json<IdentityView>), Problem> {
    let present = present(&state);
    let item = view(known(&present, &id)?.as_ref(), &present, state.clock.now());
    Ok((tagged(&item), Json(item)))
}

type Answer = (StatusCode, [(HeaderName, String); 1], Json<Written<IdentityView>>);

fn document(body: &IdentityBody) -> Result<String, Problem> {
    let object = table(serde_json::to_value(body).map_err(|e| Problem::internal(&e))?)?;
    document_of(ObjectKind::Identity, &object).map_err(|e| Problem::internal(&e))
}

fn named<'a>(present: &'a Present, body: &IdentityBody) -> Result<Option<&'a Arc<Identity>>, Problem> {
    let kind: IdentityKind = body.kind.parse().map_err(|e| Problem::parameter("kind", format!("{e}")))?;
    Ok(present.built.snapshot.identities.by_name(kind, &body.name))
}

/// Creates an identity
#[utoipa::path(
    post, path = "/api/v1/identities", operation_id = "create_identity", tag = "identities", params(Why),
    request_body = IdentityBody,
    responses(
        (status = 201, description = "It was created", body = Written<IdentityView>),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(in crate::api) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(body): Body<IdentityBody>,
) -> Result<Answer, Problem> {
    let text = document(&body)?;
    let done = change(&state, &caller, |present| {
        if let Some(known) = named(present, &body)? {
            let detail =
                format!("there is the {} {} already: PATCH /api/v1/identities/{}", known.kind, known.name, known.id);
            return Err(Problem::conflict("exists", detail));
        }
        Ok(Request { files: vec![sent(text.clone())], comment: why.comment(), remote: true, ..Request::default() })
    })
    .await?;
    // The one that was written, whether or not it is in force yet.
    let identity = done.plan.writes.identities.first().ok_or_else(|| Problem::internal(&"nothing was written"))?;
    let item = view(identity, &present(&state), state.clock.now());
    let written = Written { item, in_force: done.in_force, warnings: done.plan.warnings };
    Ok((StatusCode::CREATED, tagged(&written.item), Json(written)))
}

/// One that is for the API to change, and is as the client knows it.
fn ours(
    state: &ApiState,
    present: &Present,
    id: &str,
    preconditions: &Preconditions,
) -> Result<Arc<Identity>, Problem> {
    let identity = known(present, id)?;
    if is_in_file(&identity) {
        let detail = format!(
            "the {} {} is described in the server's configuration file: change it there, or move it to the database \
             by `cordon apply`",
            identity.kind, identity.name
        );
        return Err(Problem::conflict("described_in_file", detail));
    }
    preconditions.check(Some(&etag(&view(&identity, present, state.clock.now()))))?;
    Ok(identity)
}

fn answer(state: &ApiState, identity: &Identity, in_force: bool, warnings: Vec<String>) -> Answer {
    let written = Written { item: view(identity, &present(state), state.clock.now()), in_force, warnings };
    (StatusCode::OK, tagged(&written.item), Json(written))
}

/// What `body_of` makes of the identity as it is.
async fn write(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    (why, preconditions): (&Why, &Preconditions),
    body_of: impl Fn(&Identity) -> Result<IdentityBody, Problem> + Send + Sync,
) -> Result<Answer, Problem> {
    let done = change(state, caller, |present| {
        let identity = ours(state, present, id, preconditions)?;
        let body = body_of(&identity)?;
        if body.kind != identity.kind.as_str() || body.name != *identity.name {
            let detail =
                "an identity keeps its kind and name: records lead to them. Create another, and retire this one";
            return Err(Problem::unprocessable("renamed", detail, Vec::new()));
        }
        Ok(Request { files: vec![sent(document(&body)?)], comment: why.comment(), remote: true, ..Request::default() })
    })
    .await?;
    let identity = match done.plan.writes.identities.first() {
        Some(written) => written.clone(),
        None => known(&present(state), id)?,
    };
    Ok(answer(state, &identity, done.in_force, done.plan.warnings))
}

/// Bars an identity: suspends or retires it. A plan of the whole would refuse that while a file has a mistake.
async fn bar(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    status: IdentityStatus,
    (why, preconditions): (&Why, &Preconditions),
) -> Result<(Arc<Identity>, bool), Problem> {
    for _ in 0..TRIES {
        let present = present(state);
        let identity = ours(state, &present, id, preconditions)?;
        if identity.status == status {
            // It may have been a playbook's word alone.
            let confirmed = if status == IdentityStatus::Suspended { vec![identity.id] } else { Vec::new() };
            let writes = Writes { confirmed, reason: why.comment(), ..Writes::default() };
            match state.inventory.confirm(&writes, &caller.by(), state.clock.now()).await {
                // A playbook has let it back, and that is not in force yet.
                Err(ChangeError::Overtaken) => tokio::time::sleep(PAUSE).await,
                done => return done.map(|()| (identity, true)).map_err(Problem::from),
            }
            continue;
        }
        let (barred, writes) = in_status(&identity, status, why.comment()).map_err(|e| {
            Problem::unprocessable("invalid_inventory", format!("{} {}: {e}", identity.kind, identity.name), Vec::new())
        })?;
        let (generation, now) = (present.stored.generation, state.clock.now());
        match state.inventory.commit(generation, &writes, &caller.by(), now).await {
            Err(ChangeError::Overtaken) => {}
            done => return Ok((barred, done?.1)),
        }
    }
    Err(ChangeError::Overtaken.into())
}

/// What it is, but for its status: that stays where it is not spoken of, and says nothing anew.
fn body_of(identity: &Identity) -> Result<Value, Problem> {
    let mut table = identity_table(identity);
    table.remove("status");
    serde_json::to_value(table).map_err(|e| Problem::internal(&e))
}

fn read(value: Value) -> Result<IdentityBody, Problem> {
    serde_json::from_value(value).map_err(|e| Problem::body(format!("the body: {e}")))
}

/// Replaces an identity as a whole; its status stays if it is not said
#[utoipa::path(
    put, path = "/api/v1/identities/{id}", operation_id = "put_identity", tag = "identities",
    params(("id" = String, Path, description = "Its id"), Why),
    request_body = IdentityBody,
    responses(
        (status = 200, description = "It was replaced", body = Written<IdentityView>),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(in crate::api) async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    preconditions: Preconditions,
    Path(id): Path<String>,
    Query(why): Query<Why>,
    Body(body): Body<IdentityBody>,
) -> Result<Answer, Problem> {
    write(&state, &caller, &id, (&why, &preconditions), |_| Ok(body.clone())).await
}

/// Changes what is named (JSON merge patch); what is null goes
#[utoipa::path(
    patch, path = "/api/v1/identities/{id}", operation_id = "patch_identity", tag = "identities",
    params(("id" = String, Path, description = "Its id"), Why),
    request_body = BTreeMap<String, Value>,
    responses(
        (status = 200, description = "It was changed", body = Written<IdentityView>),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(in crate::api) async fn patch(
    State(state): State<ApiState>,
    caller: Caller,
    preconditions: Preconditions,
    Path(id): Path<String>,
    Query(why): Query<Why>,
    Body(changes): Body<Map<String, Value>>,
) -> Result<Answer, Problem> {
    write(&state, &caller, &id, (&why, &preconditions), |identity| {
        let mut body = body_of(identity)?;
        merge(&mut body, Value::Object(changes.clone()));
        read(body)
    })
    .await
}

/// What a new status is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewStatus {
    /// `requested`, `approved`, `active`, `suspended` or `retired`.
    status: String,
}

/// Changes the status of an identity
///
/// Whoever is suspended or retired loses the sessions that go on, within two seconds.
#[utoipa::path(
    post, path = "/api/v1/identities/{id}/status", operation_id = "set_identity_status", tag = "identities",
    params(("id" = String, Path, description = "Its id"), Why),
    request_body = NewStatus,
    responses(
        (status = 200, description = "It was changed", body = Written<IdentityView>),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(in crate::api) async fn status(
    State(state): State<ApiState>,
    caller: Caller,
    preconditions: Preconditions,
    Path(id): Path<String>,
    Query(why): Query<Why>,
    Body(NewStatus { status }): Body<NewStatus>,
) -> Result<Answer, Problem> {
    let status: IdentityStatus = status.parse().map_err(|e| Problem::parameter("status", format!("{e}")))?;
    if matches!(status, IdentityStatus::Suspended | IdentityStatus::Retired) {
        let (identity, in_force) = bar(&state, &caller, &id, status, (&why, &preconditions)).await?;
        return Ok(answer(&state, &identity, in_force, Vec::new()));
    }
    write(&state, &caller, &id, (&why, &preconditions), |identity| {
        let mut body = read(body_of(identity)?)?;
        body.status = Some(status.as_str().to_owned());
        Ok(body)
    })
    .await
}

/// Suspends an identity, unless its status bars it already. Gives it, and whether decisions go by it already.
pub(in crate::api) async fn suspend(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    why: &Why,
) -> Result<(Arc<Identity>, bool), Problem> {
    let preconditions = Preconditions::default();
    let identity = ours(state, &present(state), id, &preconditions)?;
    match identity.status {
        IdentityStatus::Approved | IdentityStatus::Active | IdentityStatus::Suspended => {
            bar(state, caller, id, IdentityStatus::Suspended, (why, &preconditions)).await
        }
        IdentityStatus::Requested | IdentityStatus::Retired => Ok((identity, true)),
    }
}

/// Adds a credential to an identity
#[utoipa::path(
    post, path = "/api/v1/identities/{id}/credentials", operation_id = "add_credential", tag = "identities",
    params(("id" = String, Path, description = "Its id"), Why),
    request_body = BTreeMap<String, String>,
    responses(
        (status = 200, description = "It has it", body = Written<IdentityView>),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(in crate::api) async fn add_credential(
    State(state): State<ApiState>,
    caller: Caller,
    preconditions: Preconditions,
    Path(id): Path<String>,
    Query(why): Query<Why>,
    Body(credential): Body<BTreeMap<String, String>>,
) -> Result<Answer, Problem> {
    write(&state, &caller, &id, (&why, &preconditions), |identity| {
        let mut body = read(body_of(identity)?)?;
        body.credentials.get_or_insert_default().push(credential.clone());
        Ok(body)
    })
    .await
}

/// Takes a credential from an identity
#[utoipa::path(
    post, path = "/api/v1/identities/{id}/credentials/remove", operation_id = "remove_credential", tag = "identities",
    params(("id" = String, Path, description = "Its id"), Why),
    request_body = BTreeMap<String, String>,
    responses(
        (status = 200, description = "It has it no more", body = Written<IdentityView>),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(in crate::api) async fn remove_credential(
    State(state): State<ApiState>,
    caller: Caller,
    preconditions: Preconditions,
    Path(id): Path<String>,
    Query(why): Query<Why>,
    Body(credential): Body<BTreeMap<String, String>>,
) -> Result<Answer, Problem> {
    write(&state, &caller, &id, (&why, &preconditions), |identity| {
        let mut body = read(body_of(identity)?)?;
        let all = body.credentials.get_or_insert_default();
        let Some(place) = all.iter().position(|known| *known == credential) else {
            let detail = "it has no such credential; GET the identity shows how each is written";
            return Err(Problem::unprocessable("no_such_credential", detail, Vec::new()));
        };
        all.remove(place);
        Ok(body)
    })
    .await
}

/// Several identities.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Bulk {
    /// At most 10,000. Who is there by kind and name becomes as it says; who is not is created.
    identities: Vec<IdentityBody>,
}

/// What came of several identities.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct BulkDone {
    created: usize,
    updated: usize,
    unchanged: usize,
    /// Whether decisions go by them already.
    in_force: bool,
    warnings: Vec<String>,
}

/// Creates or replaces several identities: all, or none if one is wrong
#[utoipa::path(
    post, path = "/api/v1/identities/bulk", operation_id = "put_identities", tag = "identities", params(Why),
    request_body = Bulk,
    responses(
        (status = 200, description = "All were written", body = BulkDone),
    ),
    security(("bearer" = ["inventory:write"]))
)]
pub(in crate::api) async fn bulk(
    State(state): State<ApiState>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(Bulk { identities }): Body<Bulk>,
) -> Result<Json<BulkDone>, Problem> {
    if identities.len() > MAX_BULK {
        return Err(Problem::parameter("identities", format!("there are more than {MAX_BULK}; send them in parts")));
    }
    let mut text = String::new();
    for body in &identities {
        text.push_str(&document(body)?);
        text.push('\n');
    }
    let done = change(&state, &caller, |_| {
        Ok(Request { files: vec![sent(text.clone())], comment: why.comment(), remote: true, ..Request::default() })
    })
    .await?;
    let count = |action| done.plan.changes.iter().filter(|change| change.action == action).count();
    Ok(Json(BulkDone {
        created: count(crate::config::apply::Action::Create),
        updated: count(crate::config::apply::Action::Update),
        unchanged: done.plan.unchanged,
        in_force: done.in_force,
        warnings: done.plan.warnings,
    }))
}

/// One change of an identity.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct HistoryView {
    id: ChangeId,
    at: Timestamp,
    /// Who made it.
    author: String,
    /// `create`, `update` or `remove`.
    action: String,
    /// Field by field, what it was and what it became.
    fields: BTreeMap<String, Value>,
}

/// Which part of a history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct HistoryParameters {
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// Who changed an identity, when and how, the latest first
#[utoipa::path(
    get, path = "/api/v1/identities/{id}/history", operation_id = "get_identity_history", tag = "identities",
    params(("id" = String, Path, description = "Its id"), HistoryParameters),
    responses((status = 200, description = "A page of the changes", body = Page<HistoryView>)),
    security(("bearer" = ["inventory:read"]))
)]
pub(in crate::api) async fn history(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(p): Query<HistoryParameters>,
) -> Result<Json<Page<HistoryView>>, Problem> {
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse::<ChangeId>().ok())?;
    let identity = known(&present(&state), &id)?;
    let name = format!("{} {}", identity.kind, identity.name);
    let page = state.store.changes(ObjectKind::Identity.as_str(), &name, after, limit(p.limit)?).await?;
    let shown = page.items.into_iter().map(|Changed { id, at, author, change }| {
        let fields = change.fields.as_object().cloned().unwrap_or_default().into_iter().collect();
        HistoryView { id, at, author, action: change.action, fields }
    });
    Ok(Json(Page::new(shown.collect(), page.next)))
}
