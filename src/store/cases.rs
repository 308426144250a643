//! Cases, newest first, and their evidence.

use super::db::{Arg, Kind, Row, Sql};
use super::read::{MAX_PAGE, Page, page};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::{CaseId, IdentityId, RunId};
use crate::playbooks::case::{Case, MAX_OPEN, MAX_OPEN_OF_MACS, NoRoom};
use crate::time::Timestamp;
use serde_json::{Value, json};

const COLUMNS: &str = "incident (id, state, identity_id, run_id, opened_us, body, evidence)";
const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Text, Blob, Blob, Int, Text, Text]
};
const TABLE: &str = "incident";
/// Cases beyond which the earliest closed ones make room. Evidence has some 100 KiB.
const MAX_CASES: i64 = 10_000;

impl Store {
    /// Opens a case, unless too many are open.
    ///
    /// # Errors
    /// When the database does not; then it is not opened.
    pub async fn open_case(&self, case: &Case, evidence: &Value, by: &By) -> Result<Result<(), NoRoom>, StoreError> {
        let values: Vec<Arg> = vec![
            case.id.as_bytes().into(),
            case.state().into(),
            Arg::Blob(case.identity.map(|id| id.as_bytes().to_vec())),
            Arg::Blob(case.run.map(|id| id.as_bytes().to_vec())),
            case.opened.into(),
            super::records::text(TABLE, case)?.into(),
            super::records::text(TABLE, evidence)?.into(),
        ];
        let mut tx = self.db.begin().await?;
        let open = "SELECT count(*) AS n FROM incident WHERE state = 'open'";
        if tx.number(Sql::new(open)).await? >= MAX_OPEN {
            return Ok(Err(NoRoom::Open));
        }
        if case.identity.is_none()
            && tx.number(Sql::new(open).then(" AND identity_id IS NULL")).await? >= MAX_OPEN_OF_MACS
        {
            return Ok(Err(NoRoom::OpenOfMacs));
        }
        tx.insert(COLUMNS, KINDS, values, "").await?;
        let sql = "DELETE FROM incident WHERE state = 'closed' AND id IN (SELECT id FROM incident ORDER BY id DESC \
                   LIMIT 1000 OFFSET ?)";
        tx.execute(Sql::new(sql).bind(MAX_CASES)).await?;
        let state = json!({ "title": case.title, "who": case.who, "run": case.run });
        let event = Event::new(by, "case.open", "case", &case.id.to_string(), case.opened).states(Value::Null, state);
        audit::append(&mut tx, vec![event]).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// Changes a case, unless it is not there; gives it as it is then. `change` says what it did, for the audit log, or why
    /// it did nothing.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn change_case(
        &self,
        id: CaseId,
        by: &By,
        now: Timestamp,
        change: impl FnOnce(&mut Case) -> Result<(&'static str, String), String> + Send,
    ) -> Result<Option<Result<Case, String>>, StoreError> {
        let mut tx = self.db.begin().await?;
        let row = tx.fetch_one(Sql::new("SELECT body FROM incident WHERE id = ?").bind(id.as_bytes())).await?;
        let Some(mut case) = row.as_ref().map(case_of_row).transpose()? else { return Ok(None) };
        let before = json!({ "state": case.state() });
        let (action, reason) = match change(&mut case) {
            Ok(done) => done,
            Err(why) => return Ok(Some(Err(why))),
        };
        let sql = Sql::new("UPDATE incident SET state = ?, body = ? WHERE id = ?");
        let body = super::records::text(TABLE, &case)?;
        tx.execute(sql.bind(case.state()).bind(body).bind(id.as_bytes())).await?;
        let event = Event::new(by, action, "case", &id.to_string(), now);
        let event = event.states(before, json!({ "state": case.state() })).because(&reason);
        audit::append(&mut tx, vec![event]).await?;
        tx.commit().await?;
        Ok(Some(Ok(case)))
    }

    /// Cases, newest first, after the one named `after`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn cases(
        &self,
        state: Option<&'static str>,
        identity: Option<IdentityId>,
        after: Option<CaseId>,
        limit: u32,
    ) -> Result<Page<Case, CaseId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let sql = Sql::new("SELECT body FROM incident WHERE true")
            .narrow("id <", after.map(|id| id.as_bytes().to_vec()))
            .narrow("state =", state)
            .narrow("identity_id =", identity.map(|id| id.as_bytes().to_vec()));
        let rows = self.db.fetch(sql.then(" ORDER BY id DESC LIMIT ?").bind(i64::from(limit) + 1)).await?;
        let items = rows.iter().map(case_of_row).collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |case| case.id))
    }

    /// The case of this id, with its evidence.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn case(&self, id: CaseId) -> Result<Option<(Case, Value)>, StoreError> {
        let sql = Sql::new("SELECT body, evidence FROM incident WHERE id = ?").bind(id.as_bytes());
        let Some(row) = self.db.fetch_one(sql).await? else { return Ok(None) };
        let unreadable = |e: serde_json::Error| StoreError::Unreadable { table: TABLE, what: e.to_string() };
        Ok(Some((case_of_row(&row)?, serde_json::from_str(row.text("evidence")?).map_err(unreadable)?)))
    }

    /// The cases that a run has opened.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn cases_of(&self, run: RunId) -> Result<Vec<CaseId>, StoreError> {
        let sql = Sql::new("SELECT id FROM incident WHERE run_id = ? ORDER BY id LIMIT 20").bind(run.as_bytes());
        self.db.fetch(sql).await?.iter().map(|row| Ok(CaseId::from_bytes(row.id(TABLE, "id")?))).collect()
    }
}

fn case_of_row(row: &Row) -> Result<Case, StoreError> {
    let unreadable = |e: serde_json::Error| StoreError::Unreadable { table: TABLE, what: e.to_string() };
    serde_json::from_str(row.text("body")?).map_err(unreadable)
}
