//! Runs of playbooks, and whether they are stopped.

use super::containments::{columns_of, subject_of_row};
use super::db::{Arg, Kind, Row, Sql};
use super::read::{MAX_PAGE, Page, page};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::{IdentityId, RunId};
use crate::playbooks::run::Run;
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use crate::webhooks::message::Message;
use serde_json::{Value, json};

const COLUMNS: &str = "playbook_run (id, playbook, identity_id, mac, state, muted, began_us, body)";
const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Text, Blob, Text, Text, Int, Int, Text]
};
const TABLE: &str = "playbook_run";
/// Runs that are kept, of some 2 KiB each.
const MAX_RUNS: i64 = 200_000;
/// Open and muted runs that are read at the start, at most.
const MAX_RECALLED: u32 = 200_000;

/// Which runs. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Of this playbook.
    pub playbook: Option<String>,
    /// Against this identity.
    pub identity: Option<IdentityId>,
    /// In this state.
    pub state: Option<&'static str>,
}

/// That all playbooks are stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Since when.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Stopped {
    /// Why a run is held then, in words.
    pub fn why(&self) -> String {
        format!("playbooks were stopped by {}", self.by)
    }
}

impl Store {
    /// Stores these as they are now, and tells webhooks what changed.
    ///
    /// # Errors
    /// When the database does not; then none is stored.
    pub async fn save_runs(&self, runs: &[Run], told: &[Message]) -> Result<(), StoreError> {
        let mut values: Vec<Arg> = Vec::with_capacity(runs.len() * KINDS.len());
        for run in runs {
            let (identity, mac) = columns_of(run.subject);
            values.extend([
                run.id.as_bytes().into(),
                run.playbook.as_str().into(),
                identity,
                mac,
                run.state.code().into(),
                i64::from(run.muted).into(),
                run.began.into(),
                super::records::text(TABLE, run)?.into(),
            ]);
        }
        let mut tx = self.db.begin().await?;
        let tail =
            "ON CONFLICT (id) DO UPDATE SET state = excluded.state, muted = excluded.muted, body = excluded.body";
        tx.insert(COLUMNS, KINDS, values, tail).await?;
        let enqueued = self.enqueue(&mut tx, told).await?;
        tx.commit().await?;
        enqueued.committed(self);
        Ok(())
    }

    /// Those that are not over, and those that do not begin anew.
    ///
    /// # Errors
    /// When the database cannot be read, or a row of it cannot be understood.
    pub async fn open_runs(&self) -> Result<Vec<Run>, StoreError> {
        let sql = "SELECT body FROM playbook_run WHERE state IN ('running', 'held', 'contained', 'failed') OR muted = 1 \
                   ORDER BY id LIMIT ?";
        let rows = self.db.fetch(Sql::new(sql).bind(i64::from(MAX_RECALLED))).await?;
        rows.iter().map(run_of_row).collect()
    }

    /// Which playbooks have begun runs since then, against whom and when.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn runs_since(&self, since: Timestamp) -> Result<Vec<(String, Subject, Timestamp)>, StoreError> {
        let sql = "SELECT playbook, identity_id, mac, began_us FROM playbook_run WHERE id >= ? AND state NOT IN ('held', 'rehearsed') \
                   ORDER BY id LIMIT ?";
        let rows =
            self.db.fetch(Sql::new(sql).bind(RunId::floor(since).to_vec()).bind(i64::from(MAX_RECALLED))).await?;
        let begun =
            |row: &Row| Ok((row.text("playbook")?.to_owned(), subject_of_row(row, TABLE)?, row.time("began_us")?));
        rows.iter().map(begun).collect()
    }

    /// Runs, newest first, after the one named `after`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn runs(
        &self,
        filter: RunFilter,
        after: Option<RunId>,
        limit: u32,
    ) -> Result<Page<Run, RunId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let sql = Sql::new("SELECT body FROM playbook_run WHERE true")
            .narrow("id <", after.map(|id| id.as_bytes().to_vec()))
            .narrow("playbook =", filter.playbook)
            .narrow("identity_id =", filter.identity.map(|id| id.as_bytes().to_vec()))
            .narrow("state =", filter.state);
        let rows = self.db.fetch(sql.then(" ORDER BY id DESC LIMIT ?").bind(i64::from(limit) + 1)).await?;
        let items = rows.iter().map(run_of_row).collect::<Result<Vec<_>, _>>()?;
        Ok(page(items, limit, |run| run.id))
    }

    /// The run of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        let sql = Sql::new("SELECT body FROM playbook_run WHERE id = ?").bind(id.as_bytes());
        self.db.fetch_one(sql).await?.as_ref().map(run_of_row).transpose()
    }

    /// Deletes the oldest of what is too much and over.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn bound_runs(&self) -> Result<(), StoreError> {
        let count = self.db.number(Sql::new("SELECT count(*) AS n FROM playbook_run")).await?;
        if count > MAX_RUNS {
            let sql = "DELETE FROM playbook_run WHERE id IN (SELECT id FROM playbook_run WHERE muted = 0 AND state IN \
                       ('released', 'rehearsed') ORDER BY id LIMIT ?)";
            self.db.execute(Sql::new(sql).bind(count - MAX_RUNS)).await?;
        }
        Ok(())
    }

    /// Whether playbooks are stopped.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn playbooks_stopped(&self) -> Result<Option<Stopped>, StoreError> {
        let row = self.db.fetch_one(Sql::new("SELECT * FROM playbook_stop WHERE id = 1")).await?;
        let Some(row) = row else { return Ok(None) };
        let (by, reason) = (row.text("stopped_by")?.to_owned(), row.text("reason")?.to_owned());
        Ok(Some(Stopped { at: row.time("stopped_us")?, by, reason }))
    }

    /// Stops all playbooks, or lets them go on.
    ///
    /// # Errors
    /// When the database does not; then nothing is changed.
    pub async fn stop_playbooks(&self, stop: bool, by: &By, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        tx.execute(Sql::new("DELETE FROM playbook_stop WHERE id = 1")).await?;
        if stop {
            let sql = "INSERT INTO playbook_stop (id, stopped_us, stopped_by, reason) VALUES (1, ?, ?, ?)";
            tx.execute(Sql::new(sql).bind(now).bind(&by.actor).bind(reason)).await?;
        }
        let action = if stop { "playbooks.stop" } else { "playbooks.resume" };
        let states = |stopped: bool| json!({ "stopped": stopped });
        let event = Event::new(by, action, "playbooks", "all", now).states(states(!stop), states(stop)).because(reason);
        audit::append(&mut tx, vec![event]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts on record what an operator did with a run.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn audit_run(
        &self,
        run: &Run,
        action: &str,
        by: &By,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let state = json!({ "playbook": run.playbook, "who": run.who, "state": run.state.code() });
        let event = Event::new(by, action, "run", &run.id.to_string(), now).states(Value::Null, state).because(reason);
        self.audit(vec![event]).await
    }
}

fn run_of_row(row: &Row) -> Result<Run, StoreError> {
    let unreadable = |e: serde_json::Error| StoreError::Unreadable { table: TABLE, what: e.to_string() };
    serde_json::from_str(row.text("body")?).map_err(unreadable)
}
