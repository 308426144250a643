//! What the API shows of endpoints and signals, newest first.

use super::db::{Row, Sql};
use super::read::{MAX_PAGE, Page, named, page};
use super::{Store, StoreError};
use crate::ids::{EndpointId, SignalId};
use crate::inventory::endpoint::Endpoint;
use crate::inventory::fingerprint::Category;
use crate::inventory::signal::{SignalKind, Subject};
use crate::time::Timestamp;

/// Which endpoints. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct EndpointFilter {
    /// A MAC address that it had, in the normal spelling.
    pub mac: Option<String>,
    /// The vendor of its network card.
    pub vendor: Option<String>,
    /// What it seems to be.
    pub category: Option<Category>,
    /// One of these NASes where it was, by their names.
    pub nas: Option<Vec<String>>,
    /// Whether its address is randomised.
    pub randomized: Option<bool>,
    /// A signal that it gave.
    pub signal: Option<SignalKind>,
}

/// Which signals. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct SignalFilter {
    /// What does not fit together.
    pub kind: Option<SignalKind>,
    /// About this endpoint.
    pub endpoint: Option<EndpointId>,
    /// About the NAS of this name.
    pub nas: Option<String>,
    /// Seen at this time or later.
    pub since: Option<Timestamp>,
}

/// Something that did not fit together or was unexpected, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its id.
    pub id: SignalId,
    /// What it is about.
    pub subject: Subject,
    /// When it was seen.
    pub at: Timestamp,
    /// What it is.
    pub kind: SignalKind,
    /// What is particular to it.
    pub detail: String,
}

impl Store {
    /// Endpoints, newest first, after the one named `after`; at most `limit` and
    /// never more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn endpoints(
        &self,
        filter: &EndpointFilter,
        after: Option<EndpointId>,
        limit: u32,
    ) -> Result<Page<Endpoint, EndpointId>, StoreError> {
        const BY_MAC: &str = "id IN (SELECT endpoint_id FROM endpoint_mac WHERE mac =";
        const BY_NAS: &str = " AND id IN (SELECT endpoint_id FROM endpoint_place WHERE true";
        const BY_SIGNAL: &str = "id IN (SELECT endpoint_id FROM signal WHERE kind =";
        let limit = limit.clamp(1, MAX_PAGE);
        let mut sql = Sql::new("SELECT * FROM endpoint WHERE true")
            .narrow("id <", after.map(|id| id.as_bytes().to_vec()))
            .narrow("vendor =", filter.vendor.as_deref())
            .narrow("category =", filter.category.map(Category::code))
            .narrow("randomized =", filter.randomized);
        let signal = filter.signal.map(SignalKind::code);
        for (condition, value) in [(BY_MAC, filter.mac.as_deref()), (BY_SIGNAL, signal)] {
            if value.is_some() {
                sql = sql.narrow(condition, value).then(")");
            }
        }
        if let Some(names) = filter.nas.as_deref() {
            sql = sql.then(BY_NAS).join(&named("nas_name", names)).then(")");
        }
        let rows = self.db.fetch(sql.then(" ORDER BY id DESC LIMIT ?").bind(i64::from(limit) + 1)).await?;
        let items = rows.iter().map(endpoint_of_row).collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |e| e.id))
    }

    /// The endpoint of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
        let sql = Sql::new("SELECT * FROM endpoint WHERE id = ?").bind(id.as_bytes());
        self.db.fetch_one(sql).await?.as_ref().map(endpoint_of_row).transpose()
    }

    /// Signals, newest first, after the one named `after`; at most `limit` and
    /// never more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn signals(
        &self,
        filter: SignalFilter,
        after: Option<SignalId>,
        limit: u32,
    ) -> Result<Page<Signal, SignalId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let sql = Sql::new("SELECT * FROM signal WHERE true")
            .narrow("id <", after.map(|id| id.as_bytes().to_vec()))
            .narrow("kind =", filter.kind.map(SignalKind::code))
            .narrow("endpoint_id =", filter.endpoint.map(|id| id.as_bytes().to_vec()))
            .narrow("nas_name =", filter.nas)
            .narrow("at_us >=", filter.since);
        let rows = self.db.fetch(sql.then(" ORDER BY id DESC LIMIT ?").bind(i64::from(limit) + 1)).await?;
        let items = rows.iter().map(signal_of_row).collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |s| s.id))
    }
}

/// An endpoint as [`super::endpoints`] wrote it.
pub(super) fn endpoint_of_row(row: &Row) -> Result<Endpoint, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "endpoint", what };
    Ok(Endpoint {
        id: EndpointId::from_bytes(row.id("endpoint", "id")?),
        key: row.text("key")?.parse().map_err(unreadable)?,
        first_at: row.time("first_us")?,
        last_at: row.time("last_us")?,
        details: serde_json::from_str(row.text("details")?).map_err(|e| unreadable(e.to_string()))?,
    })
}

fn subject_of_row(row: &Row) -> Result<Subject, StoreError> {
    let Some(name) = row.maybe_text("nas_name")? else {
        return Ok(Subject::Endpoint(EndpointId::from_bytes(row.id("signal", "endpoint_id")?)));
    };
    let address = row.text("nas_address")?;
    let address = address
        .parse()
        .map_err(|_| StoreError::Unreadable { table: "signal", what: format!("{address:?} is no address") })?;
    Ok(Subject::Nas { name: name.to_owned(), address })
}

fn signal_of_row(row: &Row) -> Result<Signal, StoreError> {
    let kind = row.text("kind")?;
    let unknown = || StoreError::Unreadable { table: "signal", what: format!("there is no signal {kind:?}") };
    Ok(Signal {
        id: SignalId::from_bytes(row.id("signal", "id")?),
        subject: subject_of_row(row)?,
        at: row.time("at_us")?,
        kind: SignalKind::from_code(kind).ok_or_else(unknown)?,
        detail: row.text("detail")?.to_owned(),
    })
}
