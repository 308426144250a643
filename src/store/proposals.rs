//! Policies that wait for a second pair of eyes.

use super::db::{Row, Sql};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::ProposalId;
use crate::time::Timestamp;
use serde_json::{Value, json};

/// Proposals that may wait at once: each is a text that somebody is to read.
pub const MAX_OPEN: i64 = 50;
/// How many are listed, the newest.
pub const LISTED: i64 = 200;
/// What the audit log calls one.
const KIND: &str = "proposal";
const TABLE: &str = "policy_proposal";

/// What has become of a proposal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Nobody has decided.
    Open,
    /// It was put in force.
    Approved,
    /// It was not.
    Rejected,
}

impl Status {
    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Approved => "approved",
            Status::Rejected => "rejected",
        }
    }
}

/// A policy that somebody wants in force.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// What was asked for, as JSON.
    pub request: String,
    /// Who asked, as the audit log tells them.
    pub by: String,
    /// Who that is, whatever they are called.
    pub proposer: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What has become of it.
    pub status: Status,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// What they said of it.
    pub remark: Option<String>,
}

impl Store {
    /// Stores a new proposal. Whether there was room.
    ///
    /// # Errors
    /// When the database does not; then it is not stored.
    pub async fn propose(&self, new: &Proposal, by: &By) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let open = Sql::new("SELECT count(*) AS n FROM policy_proposal WHERE status = 'open'");
        if tx.number(open).await? >= MAX_OPEN {
            return Ok(false);
        }
        let sql = "INSERT INTO policy_proposal (id, request, proposed_by, proposer, proposed_us, reason, status) \
                   VALUES (?, ?, ?, ?, ?, ?, ?)";
        let sql = Sql::new(sql).bind(new.id.as_bytes()).bind(&new.request).bind(&new.by).bind(&new.proposer);
        tx.execute(sql.bind(new.at).bind(&new.reason).bind(new.status.code())).await?;
        let event = Event::new(by, "policy.propose", KIND, &new.id.to_string(), new.at).because(&new.reason);
        let request = serde_json::from_str(&new.request).unwrap_or(Value::Null);
        audit::append(&mut tx, vec![event.states(Value::Null, request)]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The newest proposals, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn proposals(&self) -> Result<Vec<Proposal>, StoreError> {
        let sql = Sql::new("SELECT * FROM policy_proposal ORDER BY id DESC LIMIT ?").bind(LISTED);
        self.db.fetch(sql).await?.iter().map(of_row).collect()
    }

    /// One proposal.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn proposal(&self, id: ProposalId) -> Result<Option<Proposal>, StoreError> {
        let sql = Sql::new("SELECT * FROM policy_proposal WHERE id = ?").bind(id.as_bytes());
        self.db.fetch_one(sql).await?.as_ref().map(of_row).transpose()
    }

    /// Decides about a proposal that is open. Whether it still was.
    ///
    /// # Errors
    /// When the database does not; then it stays as it was.
    pub async fn decide(
        &self,
        id: ProposalId,
        status: Status,
        remark: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE policy_proposal SET status = ?, decided_by = ?, decided_us = ?, remark = ? \
                   WHERE id = ? AND status = 'open'";
        let sql = Sql::new(sql).bind(status.code()).bind(&by.actor).bind(now).bind(remark).bind(id.as_bytes());
        if tx.execute(sql).await? != 1 {
            return Ok(false);
        }
        let action = if status == Status::Approved { "policy.approve" } else { "policy.reject" };
        let event = Event::new(by, action, KIND, &id.to_string(), now).because(remark);
        audit::append(&mut tx, vec![event.states(json!({ "status": "open" }), json!({ "status": status.code() }))])
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Opens a proposal again that was approved and could not be put in force.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn reopen(&self, id: ProposalId, why: &str, by: &By, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE policy_proposal SET status = 'open', decided_by = NULL, decided_us = NULL, remark = NULL \
                   WHERE id = ?";
        tx.execute(Sql::new(sql).bind(id.as_bytes())).await?;
        let event = Event::new(by, "policy.reopen", KIND, &id.to_string(), now).because(why);
        audit::append(&mut tx, vec![event]).await?;
        tx.commit().await
    }
}

fn of_row(row: &Row) -> Result<Proposal, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    let maybe = |column| row.maybe_text(column).map(|text| text.map(str::to_owned));
    let status = match row.text("status")? {
        "open" => Status::Open,
        "approved" => Status::Approved,
        "rejected" => Status::Rejected,
        other => return Err(StoreError::Unreadable { table: TABLE, what: format!("its status is {other:?}") }),
    };
    Ok(Proposal {
        id: ProposalId::from_bytes(row.id(TABLE, "id")?),
        request: text("request")?,
        by: text("proposed_by")?,
        proposer: text("proposer")?,
        at: row.time("proposed_us")?,
        reason: text("reason")?,
        status,
        decided_by: maybe("decided_by")?,
        decided_at: row.maybe_int("decided_us")?.map(Timestamp::from_micros),
        remark: maybe("remark")?,
    })
}
