//! The settings of the server: read here, changed in its file.

use super::ApiState;
use crate::config::settings::{Setting, settings};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The settings of the server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Settings)]
pub(super) struct SettingsView {
    /// The file that says them: they are changed there.
    file: String,
    /// All of them, in the order of `docs/configuration.md`.
    settings: Vec<SettingView>,
}

/// One setting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Setting)]
pub(super) struct SettingView {
    section: &'static str,
    key: &'static str,
    /// What is in force; `(secret)` stands for what nobody is shown, null for what is not set.
    value: Value,
    /// `file`, or `default`.
    source: &'static str,
    /// The line of the file.
    #[schema(required)]
    line: Option<usize>,
    /// Whether a change is in force by `reload`, within a second, or by `restart`.
    takes_effect: &'static str,
    /// Whether the file says something else by now, which waits for the next start.
    waits_for_restart: bool,
    /// What the file says by now.
    in_file: Value,
}

/// The settings of the server, and where each comes from
///
/// NASes, profiles, identities and the like are resources of their own. Settings are changed in the file, which is watched:
/// a sound change is in force within a second, or waits for the next start, as `takes_effect` says.
#[utoipa::path(
    get, path = "/api/v1/settings", operation_id = "get_settings", tag = "system",
    responses((status = 200, description = "All of them, without secrets", body = SettingsView)),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn get(State(state): State<ApiState>) -> Json<SettingsView> {
    let (present, started) = (state.inventory.present(), state.inventory.started());
    let now = settings(&present.config, &present.source);
    let all = started.iter().zip(now).map(|(started, now)| view(started, now));
    Json(SettingsView { file: present.source.file.display().to_string(), settings: all.collect() })
}

/// Of a setting with which the server was `started`, and which is so in the file `now`.
fn view(started: &Setting, now: Setting) -> SettingView {
    let waits = started.waits(&now);
    SettingView {
        section: now.section,
        key: now.key,
        value: if waits { started.value.clone() } else { now.value.clone() },
        source: if now.line.is_some() { "file" } else { "default" },
        line: now.line,
        takes_effect: now.effect.code(),
        waits_for_restart: waits,
        in_file: now.value,
    }
}
