//! Accounting records as they came, one by one.

use super::ApiState;
use super::caller::{Caller, at_site};
use super::decisions::{TIME, at_nas, mac, order, parsed, time};
use super::extract::Query;
use super::page::{CURSOR, Page, limit};
use super::problem::Problem;
use crate::ids::SessionId;
use crate::operators::account::Sites;
use crate::session::accounting::AccountingStatus;
use crate::store::accounting_read::{AccountingFilter, RecordPlace, StoredRecord};
use crate::time::Timestamp;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The id of a session: what its NAS told of it.
    session: Option<String>,
    /// The name of the NAS.
    nas: Option<String>,
    /// The site of the NAS.
    site: Option<String>,
    /// The endpoint's MAC address, in any spelling.
    mac: Option<String>,
    /// Of this time or later, as the NAS tells it.
    since: Option<String>,
    until: Option<String>,
    /// `at`: the oldest first; `-at`: the newest first, as without it.
    sort: Option<String>,
    pub(in crate::api) cursor: Option<String>,
    /// How many, 1 to 500; 50 if it is not said.
    pub(in crate::api) limit: Option<u32>,
}

/// An accounting record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountingRecord)]
pub(super) struct RecordView {
    /// What tells it from others, in hexadecimal: a record that is sent twice has it once.
    id: String,
    /// When it happened, as the NAS tells it.
    at: Timestamp,
    /// When it came.
    received_at: Timestamp,
    /// `start`, `stop`, `interim`, `on`, `off` or `other`.
    status: &'static str,
    /// Acct-Status-Type.
    status_type: u32,
    /// The name of the NAS.
    nas: String,
    /// Which of the devices that this entry stands for.
    device: String,
    #[schema(required)]
    acct_session_id: Option<String>,
    /// The endpoint's MAC address, or else its Calling-Station-Id.
    #[schema(required)]
    station: Option<String>,
    /// Octets from the endpoint.
    #[schema(required)]
    input_octets: Option<u64>,
    /// Octets to the endpoint.
    #[schema(required)]
    output_octets: Option<u64>,
    #[schema(required)]
    session_time_secs: Option<u32>,
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// A cursor is the week's beginning and the last record of the page.
fn place(text: &str) -> Option<RecordPlace> {
    let (week, digest) = text.split_once('.')?;
    Some((Timestamp::from_micros(week.parse().ok()?), octets(digest)?))
}

fn shown(record: StoredRecord) -> RecordView {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    RecordView {
        id: hex(&record.digest),
        at: record.at,
        received_at: record.received,
        status: AccountingStatus::from(record.status).code(),
        status_type: record.status,
        nas: record.nas,
        device: record.device,
        acct_session_id: some(record.acct_session_id),
        station: some(record.station),
        input_octets: record.input_octets,
        output_octets: record.output_octets,
        session_time_secs: record.session_time,
    }
}

async fn filter(state: &ApiState, sites: &Sites, p: &Parameters) -> Result<AccountingFilter, Problem> {
    let since = parsed("since", p.since.as_deref(), TIME, time)?;
    let until = parsed("until", p.until.as_deref(), TIME, time)?;
    let order = order(p.sort.as_deref(), "at")?;
    let Some(text) = &p.session else {
        let (nas, station) = (at_nas(state, sites, p.nas.clone(), p.site.as_deref()), mac(p.mac.as_deref())?);
        return Ok(AccountingFilter { nas, station, since, until, order, ..AccountingFilter::default() });
    };
    if p.nas.is_some() || p.site.is_some() || p.mac.is_some() {
        return Err(Problem::parameter("session", "a session says its nas, site and mac itself: leave those out"));
    }
    let missing = || Problem::parameter("session", format!("there is no session {text:?}"));
    let id: SessionId = text.parse().map_err(|_| missing())?;
    let session = state.store.session(id).await?.ok_or_else(missing)?;
    if !at_site(state, sites, &session.key.nas_name) {
        return Err(missing());
    }
    let of = AccountingFilter::of_session(&session, state.clock.now());
    Ok(AccountingFilter { since: of.since.max(since), until: of.until.into_iter().chain(until).min(), order, ..of })
}

/// Accounting records, newest first
///
/// Records of NASes that tell no time (Event-Timestamp) come after the others of their week, in order within each page alone.
/// A page may be short and still have a next one: what is seldom is looked for a stretch at a time.
#[utoipa::path(
    get,
    path = "/api/v1/accounting",
    operation_id = "list_accounting",
    tag = "sessions",
    params(Parameters),
    responses((status = 200, description = "A page of them", body = Page<RecordView>)),
    security(("bearer" = ["network:read", "by_site"]))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Query(p): Query<Parameters>,
) -> Result<Json<Page<RecordView>>, Problem> {
    let filter = filter(&state, &caller.sites, &p).await?;
    let after = parsed("cursor", p.cursor.as_deref(), CURSOR, place)?;
    let page = state.store.accounting(&filter, after, limit(p.limit)?).await?;
    let next = page.next.map(|(week, digest)| format!("{}.{}", week.as_micros(), hex(&digest)));
    Ok(Json(Page::new(page.items.into_iter().map(shown).collect(), next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let there = (Timestamp::from_micros(1_764_000_000_000_000), vec![0, 0xab, 0xff]);
        assert_eq!(place("1764000000000000.00abff"), Some(there.clone()));
        assert_eq!(hex(&there.1), "00abff");
        for wrong in ["", "1", ".", "x.00", "1.0g", "1.é"] {
            assert_eq!(place(wrong), (wrong == "1.").then(|| there.clone()), "{wrong}");
        }
    }
}
