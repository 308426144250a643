//! What the API shows of endpoints, newest first.

use super::db::{Row, Sql};
use super::read::{MAX_PAGE, Page, named, page};
use super::{Store, StoreError};
use crate::ids::EndpointId;
use crate::inventory::endpoint::Endpoint;
use crate::inventory::fingerprint::Category;
use crate::signals::kind::SignalKind;

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
