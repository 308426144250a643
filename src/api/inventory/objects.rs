//! Sites, groups, NASes, profiles, bindings, compliance policies and playbooks: few, and known by their names.

use super::bodies::{BindingBody, ComplianceBody, GroupBody, NasBody, PlaybookBody, ProfileBody, SiteBody};
use super::{Preconditions, Why, Written, change, etag, merge, present, sent, table, tagged};
use crate::api::ApiState;
use crate::api::caller::Caller;
use crate::api::extract::{Body, Query};
use crate::api::page::{Page, limit};
use crate::api::problem::Problem;
use crate::config::Source;
use crate::config::apply::Request;
use crate::config::document::{Document, ObjectKind};
use crate::config::live::{ChangeError, Present};
use crate::config::stored::document_of;
use crate::store::inventory::Writes;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use utoipa::{IntoParams, ToSchema};

/// Where an object is described.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum Home {
    /// In the database: it can be changed here.
    Database,
    /// In the server's configuration file: it is changed there.
    File,
}

/// An object, and where it is described.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Object<T> {
    /// Its name.
    name: String,
    /// Where it is described.
    home: Home,
    /// Whether a secret is stored for it; only of NASes.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_secret: Option<bool>,
    #[serde(flatten)]
    body: T,
}

/// Which page to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct PageOf {
    /// The name after which the page begins: `next` of the one before.
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

struct Found {
    home: Home,
    table: toml::Table,
    has_secret: bool,
}

/// All objects of a kind by name: those of the database, and those of the file.
fn all(present: &Present, kind: ObjectKind) -> BTreeMap<String, Found> {
    let mut found = BTreeMap::new();
    // It was read before, so that it is sound.
    let file: toml::Table = toml::from_str(&present.source.text).unwrap_or_default();
    for item in file.get(kind.as_str()).and_then(|list| list.as_array()).into_iter().flatten() {
        let Some(mut table) = item.as_table().cloned() else { continue };
        let has_secret = strip_secrets(&mut table);
        let name = table.get("name").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
        found.insert(name, Found { home: Home::File, table, has_secret });
    }
    for ((of, name), object) in &present.stored.objects {
        if *of == kind {
            let has_secret = object.secret.is_some() || object.shut.is_some();
            found.insert(name.clone(), Found { home: Home::Database, table: object.table.clone(), has_secret });
        }
    }
    found
}

/// Takes out what nobody is shown. Whether there was something.
fn strip_secrets(table: &mut toml::Table) -> bool {
    let mut any = false;
    for key in ["secret", "secret_file"] {
        any |= table.remove(key).is_some();
        if let Some(toml::Value::Table(coa)) = table.get_mut("coa") {
            any |= coa.remove(key).is_some();
        }
    }
    any
}

fn shown<T: DeserializeOwned>(kind: ObjectKind, name: &str, found: Found) -> Result<Object<T>, Problem> {
    let Found { home, mut table, has_secret } = found;
    table.remove("name");
    let body = serde_json::to_value(&table).and_then(serde_json::from_value);
    let has_secret = (kind == ObjectKind::Nas).then_some(has_secret);
    Ok(Object { name: name.to_owned(), home, has_secret, body: body.map_err(|e| Problem::internal(&e))? })
}

fn missing(kind: ObjectKind, name: &str) -> Problem {
    Problem::not_found(format!("there is no {} called {name:?}", kind.as_str()))
}

fn one<T: DeserializeOwned>(state: &ApiState, kind: ObjectKind, name: &str) -> Result<Object<T>, Problem> {
    let found = all(&present(state), kind).remove(name).ok_or_else(|| missing(kind, name))?;
    shown(kind, name, found)
}

fn list<T: DeserializeOwned>(state: &ApiState, kind: ObjectKind, page: &PageOf) -> Result<Page<Object<T>>, Problem> {
    let limit = limit(page.limit)? as usize;
    let after = |name: &String| page.cursor.as_ref().is_none_or(|cursor| name > cursor);
    let mut rest = all(&present(state), kind).into_iter().filter(|(name, _)| after(name));
    let items: Vec<_> =
        rest.by_ref().take(limit).map(|(name, found)| shown(kind, &name, found)).collect::<Result<_, _>>()?;
    let next = rest.next().and(items.last()).map(|item: &Object<T>| item.name.clone());
    Ok(Page::new(items, next))
}

/// An object that the file describes is not for the API to change.
fn writable(found: Option<&Found>, kind: ObjectKind, name: &str) -> Result<(), Problem> {
    match found {
        Some(found) if found.home == Home::File => Err(Problem::conflict(
            "described_in_file",
            format!(
                "the {} {name:?} is described in the server's configuration file: change it there, or move it to the \
                 database by `cordon apply`",
                kind.as_str()
            ),
        )),
        _ => Ok(()),
    }
}

/// Text of the present state, by which an ETag is made.
fn tag<T: Serialize + DeserializeOwned>(kind: ObjectKind, name: &str, found: &Found) -> Option<String> {
    let Found { home, table, has_secret } = found;
    let found = Found { home: *home, table: table.clone(), has_secret: *has_secret };
    shown::<T>(kind, name, found).ok().map(|object| etag(&object))
}

fn written(kind: ObjectKind, writes: &Writes) -> Option<Found> {
    let row = writes.objects.first()?;
    let document: toml::Table = toml::from_str(&row.body).ok()?;
    let table = document.get(kind.as_str())?.as_array()?.first()?.as_table()?.clone();
    Some(Found { home: Home::Database, table, has_secret: row.secret.is_some() })
}

/// Whoever puts playbooks in force may do by hand what their steps do. It is asked of the document that is written, and so of nothing
/// that a body says otherwise.
///
/// # Errors
/// When they may not, or the document cannot be read.
pub(in crate::api) fn may_put_in_force(caller: &Caller, source: &Source) -> Result<(), Problem> {
    let document = Document::parse(source).map_err(|error| ChangeError::Faults(error.into()))?;
    for playbook in &document.playbook {
        for step in &playbook.steps {
            if let Some(permission) = step.get_ref().wants() {
                let what = format!("the step {} of the playbook {}", step.get_ref().code(), playbook.name.get_ref());
                caller.may_do(permission, &what)?;
            }
        }
    }
    Ok(())
}

type Answer<T> = (StatusCode, [(HeaderName, String); 1], Json<Written<Object<T>>>);

async fn write<T: Serialize + DeserializeOwned + Send + Sync>(
    state: &ApiState,
    caller: &Caller,
    (kind, name): (ObjectKind, &str),
    (why, preconditions): (&Why, &Preconditions),
    body_of: impl Fn(Option<&Found>) -> Result<Value, Problem> + Send + Sync,
) -> Result<Answer<T>, Problem> {
    let was_there = AtomicBool::new(false);
    let done = change(state, caller, |present| {
        let found = all(present, kind).remove(name);
        writable(found.as_ref(), kind, name)?;
        preconditions.check(found.as_ref().and_then(|found| tag::<T>(kind, name, found)).as_deref())?;
        was_there.store(found.is_some(), Ordering::Relaxed);
        let body = body_of(found.as_ref())?;
        let mut object = table(body)?;
        object.insert("name".into(), name.into());
        let source = sent(document_of(kind, &object).map_err(|e| Problem::internal(&e))?);
        if kind == ObjectKind::Playbook {
            may_put_in_force(caller, &source)?;
        }
        Ok(Request { files: vec![source], comment: why.comment(), remote: true, ..Request::default() })
    })
    .await?;
    // What was written, whether or not it is in force yet.
    let item = match written(kind, &done.plan.writes) {
        Some(found) => shown(kind, name, found)?,
        None => one::<T>(state, kind, name)?,
    };
    let status = if was_there.load(Ordering::Relaxed) { StatusCode::OK } else { StatusCode::CREATED };
    let tagged = tagged(&item);
    Ok((status, tagged, Json(Written { item, in_force: done.in_force, warnings: done.plan.warnings })))
}

async fn put<T: Serialize + DeserializeOwned + Send + Sync>(
    state: &ApiState,
    caller: &Caller,
    at: (ObjectKind, &str),
    with: (&Why, &Preconditions),
    body: T,
) -> Result<Answer<T>, Problem> {
    let body = serde_json::to_value(body).map_err(|e| Problem::internal(&e))?;
    write(state, caller, at, with, |_| Ok(body.clone())).await
}

async fn patch<T: Serialize + DeserializeOwned + Send + Sync>(
    state: &ApiState,
    caller: &Caller,
    (kind, name): (ObjectKind, &str),
    with: (&Why, &Preconditions),
    changes: Map<String, Value>,
) -> Result<Answer<T>, Problem> {
    write(state, caller, (kind, name), with, |found| {
        let found = found.ok_or_else(|| missing(kind, name))?;
        let mut object = found.table.clone();
        object.remove("name");
        let mut object = serde_json::to_value(object).map_err(|e| Problem::internal(&e))?;
        merge(&mut object, Value::Object(changes.clone()));
        let read: T = serde_json::from_value(object).map_err(|e| Problem::body(format!("the body: {e}")))?;
        serde_json::to_value(read).map_err(|e| Problem::internal(&e))
    })
    .await
}

async fn delete<T: Serialize + DeserializeOwned + Send + Sync>(
    state: &ApiState,
    caller: &Caller,
    (kind, name): (ObjectKind, &str),
    (why, preconditions): (&Why, &Preconditions),
) -> Result<StatusCode, Problem> {
    change(state, caller, |present| {
        let found = all(present, kind).remove(name).ok_or_else(|| missing(kind, name))?;
        writable(Some(&found), kind, name)?;
        preconditions.check(tag::<T>(kind, name, &found).as_deref())?;
        let remove = BTreeSet::from([(kind, name.to_owned())]);
        Ok(Request { remove, comment: why.comment(), remote: true, ..Request::default() })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The operations of one kind of object.
macro_rules! objects {
    ($module:ident: $kind:ident, $body:ident, $tag:literal, $all:literal, $one:literal, $write:literal,
     [$list:literal, $get:literal, $put:literal, $patch:literal, $delete:literal]) => {
        pub(in crate::api) mod $module {
            use super::*;

            const KIND: ObjectKind = ObjectKind::$kind;

            #[utoipa::path(
                                get, path = $all, operation_id = $list, tag = $tag, params(PageOf),
                                summary = "All of them by name",
                                responses((status = 200, description = "A page of them", body = Page<Object<$body>>)),
                                security(("bearer" = ["inventory:read"]))
                            )]
            pub(in crate::api) async fn list(
                State(state): State<ApiState>,
                Query(page): Query<PageOf>,
            ) -> Result<Json<Page<Object<$body>>>, Problem> {
                super::list(&state, KIND, &page).map(Json)
            }

            #[utoipa::path(
                                get, path = $one, operation_id = $get, tag = $tag,
                                summary = "One by its name",
                                params(("name" = String, Path, description = "Its name")),
                                responses((status = 200, description = "It, with its ETag", body = Object<$body>,
                                           headers(("etag" = String, description = "Tells this state from others")))),
                                security(("bearer" = ["inventory:read"]))
                            )]
            pub(in crate::api) async fn get(
                State(state): State<ApiState>,
                Path(name): Path<String>,
            ) -> Result<([(HeaderName, String); 1], Json<Object<$body>>), Problem> {
                let item = super::one::<$body>(&state, KIND, &name)?;
                Ok((tagged(&item), Json(item)))
            }

            #[utoipa::path(
                                put, path = $one, operation_id = $put, tag = $tag,
                                summary = "Creates it, or replaces it as a whole",
                                params(("name" = String, Path, description = "Its name"), Why),
                                request_body = $body,
                                responses(
                                    (status = 200, description = "It was replaced", body = Written<Object<$body>>),
                                    (status = 201, description = "It was created", body = Written<Object<$body>>),
                                ),
                                security(("bearer" = [$write]))
                            )]
            pub(in crate::api) async fn put(
                State(state): State<ApiState>,
                caller: Caller,
                preconditions: Preconditions,
                Path(name): Path<String>,
                Query(why): Query<Why>,
                Body(body): Body<$body>,
            ) -> Result<Answer<$body>, Problem> {
                super::put(&state, &caller, (KIND, &name), (&why, &preconditions), body).await
            }

            #[utoipa::path(
                                patch, path = $one, operation_id = $patch, tag = $tag,
                                summary = "Changes what is named (JSON merge patch); what is null goes",
                                params(("name" = String, Path, description = "Its name"), Why),
                                request_body = BTreeMap<String, Value>,
                                responses(
                                    (status = 200, description = "It was changed", body = Written<Object<$body>>),
                                ),
                                security(("bearer" = [$write]))
                            )]
            pub(in crate::api) async fn patch(
                State(state): State<ApiState>,
                caller: Caller,
                preconditions: Preconditions,
                Path(name): Path<String>,
                Query(why): Query<Why>,
                Body(changes): Body<Map<String, Value>>,
            ) -> Result<Answer<$body>, Problem> {
                super::patch(&state, &caller, (KIND, &name), (&why, &preconditions), changes).await
            }

            #[utoipa::path(
                                delete, path = $one, operation_id = $delete, tag = $tag,
                                summary = "Removes it",
                                params(("name" = String, Path, description = "Its name"), Why),
                                responses(
                                    (status = 204, description = "It is gone"),
                                ),
                                security(("bearer" = [$write]))
                            )]
            pub(in crate::api) async fn delete(
                State(state): State<ApiState>,
                caller: Caller,
                preconditions: Preconditions,
                Path(name): Path<String>,
                Query(why): Query<Why>,
            ) -> Result<StatusCode, Problem> {
                super::delete::<$body>(&state, &caller, (KIND, &name), (&why, &preconditions)).await
            }
        }
    };
}

objects!(sites: Site, SiteBody, "sites", "/api/v1/sites", "/api/v1/sites/{name}", "gear:write",
    ["list_sites", "get_site", "put_site", "patch_site", "delete_site"]);
objects!(groups: Group, GroupBody, "groups", "/api/v1/groups", "/api/v1/groups/{name}", "inventory:write",
    ["list_groups", "get_group", "put_group", "patch_group", "delete_group"]);
objects!(nas: Nas, NasBody, "nas", "/api/v1/nas/configured", "/api/v1/nas/{name}", "gear:write",
    ["list_configured_nas", "get_nas", "put_nas", "patch_nas", "delete_nas"]);
objects!(profiles: Profile, ProfileBody, "profiles", "/api/v1/profiles", "/api/v1/profiles/{name}", "policy:write",
    ["list_profiles", "get_profile", "put_profile", "patch_profile", "delete_profile"]);
objects!(bindings: Binding, BindingBody, "bindings", "/api/v1/bindings", "/api/v1/bindings/{name}", "policy:write",
    ["list_bindings", "get_binding", "put_binding", "patch_binding", "delete_binding"]);
objects!(compliance: Compliance, ComplianceBody, "posture", "/api/v1/compliance", "/api/v1/compliance/{name}", "policy:write",
    ["list_compliance_policies", "get_compliance_policy", "put_compliance_policy", "patch_compliance_policy", "delete_compliance_policy"]);
objects!(playbooks: Playbook, PlaybookBody, "playbooks", "/api/v1/playbooks", "/api/v1/playbooks/{name}", "policy:write",
    ["list_playbooks", "get_playbook", "put_playbook", "patch_playbook", "delete_playbook"]);
