//! What was counted over time, and how much room everything takes.

use super::ApiState;
use super::decisions::{TIME, parsed, time};
use super::extract::Query;
use super::problem::Problem;
use crate::store::retention::Size;
use crate::store::usage::Resolution;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The most periods of one answer: a week of five minutes.
const MAX_PERIODS: u32 = 2_016;
/// How long what the database said of its size is shown: PostgreSQL looks at each of its files.
const KNOWN: Duration = Duration::from_secs(30);
/// How long the database may take to say how large it is.
const SIZES: Duration = Duration::from_secs(3);
/// How far back it goes when nothing is said.
const DEFAULT_SPAN: Duration = Duration::from_secs(24 * 3600);

/// What the database said of its size, and when.
pub(super) type Sizes = Arc<tokio::sync::Mutex<Option<(Timestamp, Vec<Size>, u64)>>>;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// `5min`, `hour` (unless said otherwise) or `day`.
    resolution: Option<String>,
    /// Only what was counted at this NAS.
    nas: Option<String>,
    /// From when on; a day ago, if it is not said.
    since: Option<String>,
    /// Until when; now, if it is not said.
    until: Option<String>,
}

/// What was counted in each period.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    /// `5min`, `hour` or `day`.
    resolution: &'static str,
    since: Timestamp,
    until: Timestamp,
    /// At most the latest 2,016 periods.
    items: Vec<Period>,
}

/// What was counted in a period.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Period {
    /// When it begins.
    begin: Timestamp,
    /// Octets from endpoints.
    input_octets: u64,
    /// Octets to endpoints.
    output_octets: u64,
    /// Accounting records.
    records: u64,
    /// Sessions that began.
    sessions: u64,
}

/// How much room records take, and what waits for the database.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Storage {
    /// Null while the database is away.
    #[schema(required)]
    database_octets: Option<u64>,
    families: Vec<Family>,
    journal: JournalView,
}

/// Records of one sort.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Family {
    /// `decision`, `accounting`, `session` and others; `other` is all else.
    family: &'static str,
    /// How many tables they lie in.
    tables: u64,
    /// Since when there are any.
    #[schema(required)]
    since: Option<Timestamp>,
    /// How many, about.
    rows: u64,
    /// With all indexes; null where the database does not tell.
    #[schema(required)]
    octets: Option<u64>,
}

/// What is durable, and on its way to the database.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JournalView {
    octets: u64,
    /// Records that the database does not have yet.
    records_behind: u64,
    caught_up: bool,
    /// False while the database is away.
    database_takes_records: bool,
}

/// What was counted in each five minutes, hour or day
#[utoipa::path(
    get,
    path = "/api/v1/usage",
    operation_id = "get_usage",
    tag = "usage",
    params(Parameters),
    responses((status = 200, description = "The periods in which something was counted, in their order", body = Usage)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn usage(State(state): State<ApiState>, Query(p): Query<Parameters>) -> Result<Json<Usage>, Problem> {
    let resolution = parsed("resolution", p.resolution.as_deref(), "5min, hour or day", Resolution::from_code)?;
    let resolution = resolution.unwrap_or(Resolution::Hour);
    let until = parsed("until", p.until.as_deref(), TIME, time)?.unwrap_or_else(|| state.clock.now());
    let since = parsed("since", p.since.as_deref(), TIME, time)?.unwrap_or(until - DEFAULT_SPAN);
    let rows = state.store.usage(resolution, p.nas.as_deref(), since, until, MAX_PERIODS).await?;
    let items = rows.iter().map(|row| Period {
        begin: row.begin,
        input_octets: row.sum.input_octets,
        output_octets: row.sum.output_octets,
        records: row.sum.records,
        sessions: row.sum.sessions,
    });
    Ok(Json(Usage { resolution: resolution.code(), since, until, items: items.collect() }))
}

/// How much room records take, and what waits for the database
#[utoipa::path(
    get,
    path = "/api/v1/storage",
    operation_id = "get_storage",
    tag = "system",
    responses((status = 200, description = "Sizes of the database and the journal", body = Storage)),
    security(("bearer" = ["settings:read"]))
)]
pub(super) async fn storage(State(state): State<ApiState>) -> Json<Storage> {
    let now = state.clock.now();
    let mut known = state.sizes.lock().await;
    if known.as_ref().is_none_or(|known| now.since(known.0) >= KNOWN) {
        // The journal can be told of while the database is away.
        let sizes = tokio::time::timeout(SIZES, state.store.sizes()).await.ok().and_then(Result::ok);
        *known = sizes.map(|(sizes, octets)| (now, sizes, octets));
    }
    let (sizes, octets) = known.clone().map_or((Vec::new(), None), |(_, sizes, octets)| (sizes, Some(octets)));
    drop(known);
    let backlog = state.writer.backlog();
    let families = sizes.iter().map(|size| Family {
        family: size.family,
        tables: size.partitions,
        since: size.since,
        rows: size.rows,
        octets: size.octets,
    });
    Json(Storage {
        database_octets: octets,
        families: families.collect(),
        journal: JournalView {
            octets: backlog.journal_octets,
            records_behind: backlog.behind,
            caught_up: backlog.caught_up,
            database_takes_records: backlog.database,
        },
    })
}
