//! Quarantine by hand: who is in it, putting somebody there, and letting them out.

use super::ApiState;
use super::caller::Caller;
use super::decisions::parsed;
use super::extract::{Body, Query};
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::audit::event::By;
use crate::ids::{ContainmentId, IdentityId, RunId};
use crate::inventory::mac::MacAddress;
use crate::jobs::containments::NotContained;
use crate::jobs::playbooks::NotDone;
use crate::operators::role::Permission;
use crate::playbooks::containment::{Containment, PROFILE};
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The longest reason, in characters.
const MAX_TEXT: usize = 500;
/// The longest time that may be said, in seconds: a year.
const MAX_SECS: u64 = 365 * 86_400;

/// A quarantine.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Containment)]
pub(super) struct ContainmentView {
    id: ContainmentId,
    #[schema(required)]
    identity: Option<IdentityId>,
    /// The identity's kind.
    #[schema(required)]
    kind: Option<String>,
    /// The identity's name.
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    mac: Option<String>,
    /// The profile that takes the place of any that rules permit.
    profile: String,
    /// Why.
    cause: String,
    /// Who has said so: an operator, or a playbook.
    by: String,
    /// The run of the playbook that ends it; null if it is an operator's.
    #[schema(required)]
    run: Option<RunId>,
    since: Timestamp,
    /// When it ends by itself.
    #[schema(required)]
    until: Option<Timestamp>,
}

impl ContainmentView {
    fn of(containment: &Containment, state: &ApiState) -> ContainmentView {
        let (identity, mac) = match containment.subject {
            Subject::Identity(id) => (Some(id), None),
            Subject::Mac(mac) => (None, Some(mac.to_string())),
        };
        let snapshot = state.engine.snapshot();
        let known = identity.and_then(|id| snapshot.identities.by_id(id));
        ContainmentView {
            id: containment.id,
            identity,
            kind: known.map(|identity| identity.kind.to_string()),
            name: known.map(|identity| identity.name.to_string()),
            mac,
            profile: containment.profile.clone(),
            cause: containment.cause.clone(),
            by: containment.by.clone(),
            run: containment.run,
            since: containment.since,
            until: containment.until,
        }
    }
}

impl From<NotContained> for Problem {
    fn from(error: NotContained) -> Self {
        match error {
            NotContained::Full(full) => Problem::conflict("full", full.to_string()),
            NotContained::Store(error) => error.into(),
        }
    }
}

/// What a body says of who asks for something, and why.
pub(super) trait Asked {
    /// Why, as it was sent.
    fn reason(&self) -> &str;
    /// Who, where the server's own token is used.
    fn by(&self) -> &str;

    /// Who asks, and why, as they are recorded.
    ///
    /// # Errors
    /// When there is no reason, or it is too long.
    fn read(&self, caller: &Caller) -> Result<(By, String), Problem> {
        Ok((caller.by_name(self.by()), reason_of(self.reason())?))
    }
}

/// Bodies that say why and who asks, with fields of their own.
macro_rules! asked {
    ($($(#[$doc:meta])* $see:vis struct $name:ident { $($(#[$about:meta])* $field:ident: $type:ty,)* })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            $see struct $name {
                /// In words, for the record: 1 to 500 characters.
                reason: String,
                $($(#[$about])* $field: $type,)*
                /// Who asks, where the server's own token is used.
                #[serde(default)]
                by: String,
            }

            impl Asked for $name {
                fn reason(&self) -> &str {
                    &self.reason
                }

                fn by(&self) -> &str {
                    &self.by
                }
            }
        )+
    };
}
pub(super) use asked;

asked! {
    /// Why, and how.
    pub(super) struct Quarantine {
        /// The profile that it gets; `quarantine` if it is not said.
        profile: Option<String>,
        /// After how many seconds it ends by itself, at most a year; it goes on until it is ended, if that is not said.
        secs: Option<u64>,
    }

    /// Who is put in quarantine, and why.
    pub(super) struct NewContainment {
        /// The id of an identity; or `mac`.
        identity: Option<String>,
        /// A MAC address in any spelling, whoever shows it; or `identity`.
        mac: Option<String>,
        /// The profile; `quarantine` if it is not said.
        profile: Option<String>,
        /// After how many seconds it ends by itself, at most a year; it goes on until it is ended, if that is not said.
        secs: Option<u64>,
    }

    /// Why somebody is let out.
    pub(super) struct Release {}
}

/// A reason as it is recorded.
///
/// # Errors
/// When there is none, or it is too long.
pub(super) fn reason_of(text: &str) -> Result<String, Problem> {
    let reason: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_TEXT {
        return Err(Problem::parameter("reason", format!("a reason has 1 to {MAX_TEXT} characters")));
    }
    Ok(reason.to_owned())
}

/// The identity of this id.
///
/// # Errors
/// When there is none.
pub(super) fn identity_of(state: &ApiState, id: &str) -> Result<IdentityId, Problem> {
    let missing = || Problem::not_found(format!("there is no identity {id:?}; GET /api/v1/identities lists them"));
    let id: IdentityId = id.parse().map_err(|_| missing())?;
    state.engine.snapshot().identities.by_id(id).map(|identity| identity.id).ok_or_else(missing)
}

/// Carries on with what an operator wants of runs, though nobody waits for the answer any more: a request that is given up
/// leaves nothing half done.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, NotDone>> + Send + 'static,
) -> Result<T, NotDone> {
    tokio::spawn(work).await.unwrap_or_else(|e| Err(NotDone::Unknown(format!("it was not carried out: {e}"))))
}

async fn begin(
    state: &ApiState,
    caller: &Caller,
    subject: Subject,
    asked: Quarantine,
) -> Result<(StatusCode, Json<ContainmentView>), Problem> {
    let (by, cause) = asked.read(caller)?;
    let profile = asked.profile.unwrap_or_else(|| PROFILE.to_owned());
    let present = state.inventory.present();
    if !present.built.profiles.iter().any(|known| known.name == profile) {
        let detail = format!("no profile is called {profile:?}; GET /api/v1/profiles lists them");
        return Err(Problem::unknown_name("profile", detail));
    }
    if asked.secs.is_some_and(|secs| secs == 0 || secs > MAX_SECS) {
        return Err(Problem::parameter("secs", format!("give 1 to {MAX_SECS} seconds, or none")));
    }
    let beyond = |known: &Arc<Containment>| known.is_beyond_help();
    if profile != PROFILE || state.engine.containments().all_of(subject).iter().any(beyond) {
        caller.may(Permission::SessionsChange)?;
    }
    let now = state.clock.now();
    let containment = Containment {
        id: ContainmentId::new(now),
        subject,
        profile,
        cause,
        by: by.actor.clone(),
        run: None,
        since: now,
        until: asked.secs.map(|secs| now + Duration::from_secs(secs)),
    };
    let view = ContainmentView::of(&containment, state);
    state.containments.begin(vec![containment], &by).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Ends these; what a playbook began, or has a profile of its own, wants more than what the help desk may say.
async fn end(state: &ApiState, caller: &Caller, all: Vec<Arc<Containment>>, asked: &Release) -> Result<(), Problem> {
    if all.iter().any(|containment| containment.is_beyond_help()) {
        caller.may(Permission::SessionsChange)?;
    }
    let (by, reason) = asked.read(caller)?;
    let (of_runs, by_hand): (Vec<_>, Vec<_>) = all.into_iter().partition(|containment| containment.run.is_some());
    state.containments.end(&by_hand, &by, &reason).await?;
    for containment in of_runs {
        let Some(run) = containment.run else { continue };
        let (playbooks, of) = (state.playbooks.clone(), (by.clone(), reason.clone()));
        match to_its_end(async move { playbooks.release(run, &of.0, &of.1).await }).await {
            Ok(_) => {}
            // Its run is over or gone: what is left of it ends all the same.
            Err(NotDone::Missing | NotDone::State(_)) => state.containments.end(&[containment], &by, &reason).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Puts an identity in quarantine
///
/// Wherever rules permit it, it gets the profile that is named in place of theirs, now and at each login, until it is
/// released; who is denied stays denied. Sessions are changed within two seconds. Said again, it takes the place of what was
/// said before. Another profile than `quarantine`, and whoever a playbook contains, want `sessions:change` too.
#[utoipa::path(
    post, path = "/api/v1/identities/{id}/quarantine", operation_id = "quarantine_identity", tag = "containment",
    params(("id" = String, Path, description = "The id of the identity")),
    request_body = Quarantine,
    responses((status = 201, description = "It is in quarantine", body = ContainmentView)),
    security(("bearer" = ["sessions:help"]))
)]
pub(super) async fn quarantine(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Quarantine>,
) -> Result<(StatusCode, Json<ContainmentView>), Problem> {
    let identity = identity_of(&state, &id)?;
    begin(&state, &caller, Subject::Identity(identity), asked).await
}

/// Ends all quarantines of an identity
///
/// What a playbook began wants `sessions:change` too; its run is over then.
#[utoipa::path(
    post, path = "/api/v1/identities/{id}/release", operation_id = "release_identity", tag = "containment",
    params(("id" = String, Path, description = "The id of the identity")),
    request_body = Release,
    responses((status = 204, description = "It is in none any more")),
    security(("bearer" = ["sessions:help"]))
)]
pub(super) async fn release_identity(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Release>,
) -> Result<StatusCode, Problem> {
    let identity = identity_of(&state, &id)?;
    let all = state.engine.containments().all_of(Subject::Identity(identity));
    if all.is_empty() {
        return Err(Problem::conflict("not_contained", "it is in no quarantine"));
    }
    end(&state, &caller, all, &asked).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts an identity, or a MAC address whoever shows it, in quarantine
///
/// Another profile than `quarantine`, and whoever a playbook contains, want `sessions:change` too.
#[utoipa::path(
    post, path = "/api/v1/containments", operation_id = "begin_containment", tag = "containment",
    request_body = NewContainment,
    responses(
        (status = 201, description = "It is in quarantine", body = ContainmentView),
        (status = 404, description = "There is no such identity"),
    ),
    security(("bearer" = ["sessions:help"]))
)]
pub(super) async fn set(
    State(state): State<ApiState>,
    caller: Caller,
    Body(asked): Body<NewContainment>,
) -> Result<(StatusCode, Json<ContainmentView>), Problem> {
    let NewContainment { identity, mac, reason, profile, secs, by } = asked;
    let subject = match (&identity, &mac) {
        (Some(id), None) => Subject::Identity(identity_of(&state, id)?),
        (None, Some(mac)) => {
            let mac = MacAddress::parse(mac).map_err(|e| Problem::parameter("mac", e.to_string()))?;
            Subject::Mac(mac)
        }
        _ => return Err(Problem::body("say whom: by identity or by mac, one of the two")),
    };
    begin(&state, &caller, subject, Quarantine { reason, profile, secs, by }).await
}

/// Ends one quarantine
///
/// What a playbook began wants `sessions:change` too.
#[utoipa::path(
    post, path = "/api/v1/containments/{id}/release", operation_id = "end_containment", tag = "containment",
    params(("id" = String, Path, description = "Its id")),
    request_body = Release,
    responses((status = 204, description = "It has ended")),
    security(("bearer" = ["sessions:help"]))
)]
pub(super) async fn release(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Release>,
) -> Result<StatusCode, Problem> {
    let all = state.engine.containments().all();
    let missing = || Problem::not_found(format!("there is no containment {id:?}; GET /api/v1/containments lists them"));
    let id: ContainmentId = id.parse().map_err(|_| missing())?;
    let found = all.into_iter().find(|known| known.id == id).ok_or_else(missing)?;
    end(&state, &caller, vec![found], &asked).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Of the identity with this id alone.
    identity: Option<String>,
    cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    limit: Option<u32>,
}

/// Who is in quarantine
#[utoipa::path(
    get, path = "/api/v1/containments", operation_id = "list_containments", tag = "containment", params(Parameters),
    responses((status = 200, description = "A page of them, the earliest first", body = Page<ContainmentView>)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<ContainmentView>>, Problem> {
    let of = parsed("identity", p.identity.as_deref(), "the id of an identity", |text| text.parse().ok())?;
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, |text| text.parse::<ContainmentId>().ok())?;
    let limit = limit(p.limit)? as usize;
    let mut all = match of {
        Some(id) => state.engine.containments().all_of(Subject::Identity(id)),
        None => state.engine.containments().all(),
    };
    all.retain(|containment| after.is_none_or(|after| containment.id > after));
    all.sort_by_key(|containment| containment.id);
    let next = (all.len() > limit).then(|| all.get(limit.saturating_sub(1)).map(|last| last.id)).flatten();
    let items = all.iter().take(limit).map(|containment| ContainmentView::of(containment, &state)).collect();
    Ok(Json(Page::new(items, next)))
}
