//! What was counted over time, and how much room everything takes.

use super::ApiState;
use super::decisions::{TIME, parsed, time};
use super::extract::Query;
use super::problem::Problem;
use crate::store::usage::Resolution;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::IntoParams;

/// The most periods of one answer: a week of five minutes.
const MAX_PERIODS: u32 = 2_016;
/// How long the database may take to say how large it is.
const SIZES: Duration = Duration::from_secs(3);
/// How far back it goes when nothing is said.
const DEFAULT_SPAN: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    resolution: Option<String>,
    nas: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

#[utoipa::path(
    get,
    path = "/api/v1/usage",
    tag = "usage",
    params(Parameters),
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn usage(State(state): State<ApiState>, Query(p): Query<Parameters>) -> Result<Json<Value>, Problem> {
    let resolution = parsed("resolution", p.resolution.as_deref(), "5min, hour or day", Resolution::from_code)?;
    let resolution = resolution.unwrap_or(Resolution::Hour);
    let until = parsed("until", p.until.as_deref(), TIME, time)?.unwrap_or_else(|| state.clock.now());
    let since = parsed("since", p.since.as_deref(), TIME, time)?.unwrap_or(until - DEFAULT_SPAN);
    let rows = state.store.usage(resolution, p.nas.as_deref(), since, until, MAX_PERIODS).await?;
    let items: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "begin": row.begin,
                "input_octets": row.sum.input_octets,
                "output_octets": row.sum.output_octets,
                "records": row.sum.records,
                "sessions": row.sum.sessions,
            })
        })
        .collect();
    Ok(Json(json!({ "resolution": resolution.code(), "since": since, "until": until, "items": items })))
}

/// How much room records take, how long they are kept, and what waits for the
/// database.
#[utoipa::path(
    get,
    path = "/api/v1/storage",
    tag = "system",
    responses((status = 200, description = "", body = Value)),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn storage(State(state): State<ApiState>) -> Json<Value> {
    // The journal can be told of while the database is away.
    let sizes = tokio::time::timeout(SIZES, state.store.sizes()).await.ok().and_then(Result::ok);
    let (sizes, octets) = sizes.map_or((Vec::new(), None), |(sizes, octets)| (sizes, Some(octets)));
    let backlog = state.writer.backlog();
    let families: Vec<Value> = sizes
        .iter()
        .map(|size| {
            json!({
                "family": size.family,
                "tables": size.partitions,
                "since": size.since,
                "rows": size.rows,
                "octets": size.octets,
            })
        })
        .collect();
    Json(json!({
        "database_octets": octets,
        "families": families,
        "journal": {
            "octets": backlog.journal_octets,
            "records_behind": backlog.behind,
            "caught_up": backlog.caught_up,
            "database_takes_records": backlog.database,
        },
    }))
}
