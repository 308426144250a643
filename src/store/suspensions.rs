//! Which runs of playbooks want an identity suspended.
//!
//! A row is one run's wish. It is written and deleted in the transaction that changes the status, and deleted when an operator or a
//! document says what the status is. So there are two kinds of suspensions and no third: one with rows is that of these runs, and the
//! last of them takes it back; one without is an operator's, and no run does.

use super::db::{Kind, Row, Sql, Tx};
use super::inventory::{ApplyError, Writes};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::{IdentityId, RunId};
use crate::inventory::identity::IdentityStatus;
use crate::time::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

const TABLE: &str = "suspension";

/// On whose behalf the status of identities is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Behalf {
    /// An operator's, or a document's: it settles what runs wanted.
    #[default]
    Operator,
    /// That of a run, which wants this identity suspended.
    Begins(IdentityId, RunId),
    /// That of the last run that wanted it.
    Ends(IdentityId, RunId),
}

/// An identity that runs want suspended.
struct Wanted {
    kind: String,
    name: String,
    status: String,
}

fn wanted_of(row: &Row) -> Result<(IdentityId, Wanted), StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    let wanted = Wanted { kind: text("kind")?, name: text("name")?, status: text("status")? };
    Ok((IdentityId::from_bytes(row.id(TABLE, "identity_id")?), wanted))
}

/// Settles whose the suspensions are that a change of the inventory begins, ends or confirms; before identities are written. Gives
/// what is to be told of those that are confirmed.
pub(super) async fn settle(tx: &mut Tx, writes: &Writes, by: &By, now: Timestamp) -> Result<Vec<Event>, ApplyError> {
    match writes.behalf {
        Behalf::Begins(id, run) => {
            let sql = "INSERT INTO suspension (identity_id, run_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
            tx.execute(Sql::new(sql).bind(id.as_bytes()).bind(run.as_bytes())).await?;
            Ok(Vec::new())
        }
        Behalf::Ends(id, run) => {
            let sql = Sql::new("DELETE FROM suspension WHERE identity_id = ? AND run_id = ?");
            let ours = tx.execute(sql.bind(id.as_bytes()).bind(run.as_bytes())).await?;
            let sql = Sql::new("SELECT count(*) AS n FROM suspension WHERE identity_id = ?").bind(id.as_bytes());
            // Whoever wants it now did not when this was planned.
            if ours != 1 || tx.number(sql).await? != 0 { Err(ApplyError::Overtaken) } else { Ok(Vec::new()) }
        }
        Behalf::Operator => {
            if writes.identities.is_empty() && writes.confirmed.is_empty() {
                return Ok(Vec::new());
            }
            let sql = "SELECT DISTINCT identity_id, kind, name, status FROM suspension \
                       JOIN identity ON identity.id = identity_id";
            let rows = tx.fetch(Sql::new(sql)).await?;
            let wanted = rows.iter().map(wanted_of).collect::<Result<BTreeMap<_, _>, _>>()?;
            let changes = |id: &IdentityId, status: IdentityStatus| {
                wanted.get(id).is_some_and(|wanted| wanted.status != status.as_str())
            };
            let changed = writes.identities.iter().filter(|new| changes(&new.id, new.status)).map(|new| new.id);
            let mut events = Vec::new();
            for id in &writes.confirmed {
                let Some(Wanted { kind, name, .. }) = wanted.get(id) else { continue };
                let whose = |who: &str| json!({ "status": IdentityStatus::Suspended.as_str(), "suspended by": who });
                let event = Event::new(by, "identity.confirm", "identity", &format!("{kind} {name}"), now);
                events.push(event.states(whose("playbooks"), whose("an operator")).because(&writes.reason));
            }
            for id in changed.chain(writes.confirmed.iter().copied().filter(|id| wanted.contains_key(id))) {
                let sql = Sql::new("DELETE FROM suspension WHERE identity_id = ?").bind(id.as_bytes());
                tx.execute(sql).await?;
            }
            Ok(events)
        }
    }
}

impl Store {
    /// Says of identities which are suspended that they are so by an operator's word, whatever becomes of the runs that suspended them.
    /// Does nothing where no run did.
    ///
    /// # Errors
    /// When the database does not, or one of them is not suspended any more, though it was when this was planned; then nothing is
    /// changed.
    pub async fn confirm_suspensions(&self, writes: &Writes, by: &By, now: Timestamp) -> Result<(), ApplyError> {
        let mut tx = self.db.begin().await?;
        // One after the other with those who change the inventory.
        tx.execute(Sql::new("UPDATE inventory_state SET generation = generation WHERE one = 1")).await?;
        for piece in writes.confirmed.chunks(self.db.rows_at_once()) {
            let sql = Sql::new("SELECT count(*) AS n FROM identity WHERE status <> 'suspended' AND id IN (");
            let ids = piece.iter().map(|id| id.as_bytes().into()).collect();
            if tx.number(sql.rows(&[Kind::Blob], ids).then(")")).await? > 0 {
                return Err(ApplyError::Overtaken);
            }
        }
        let events = settle(&mut tx, writes, by, now).await?;
        audit::append(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// Which runs want an identity suspended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn suspending_runs(&self, id: IdentityId) -> Result<Vec<RunId>, StoreError> {
        let sql = Sql::new("SELECT run_id FROM suspension WHERE identity_id = ? ORDER BY run_id").bind(id.as_bytes());
        self.db.fetch(sql).await?.iter().map(|row| Ok(RunId::from_bytes(row.id(TABLE, "run_id")?))).collect()
    }

    /// Has a run want a suspension that other runs want already, or it itself. Whether there is one.
    ///
    /// # Errors
    /// When the database does not; then nothing is changed.
    pub async fn join_suspension(&self, id: IdentityId, run: RunId) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        // One after the other with those who change the inventory.
        tx.execute(Sql::new("UPDATE inventory_state SET generation = generation WHERE one = 1")).await?;
        let sql = "SELECT count(*) AS n FROM suspension JOIN identity ON identity.id = identity_id \
                   WHERE identity_id = ? AND status = 'suspended'";
        let joins = tx.number(Sql::new(sql).bind(id.as_bytes())).await? > 0;
        if joins {
            let sql = "INSERT INTO suspension (identity_id, run_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
            tx.execute(Sql::new(sql).bind(id.as_bytes()).bind(run.as_bytes())).await?;
        }
        tx.commit().await?;
        Ok(joins)
    }

    /// Forgets that a run wants an identity suspended: with `unless_last` only where another wants it too, else only where it is not
    /// suspended, so that no suspension loses its last row and becomes an operator's. Whether it did.
    ///
    /// # Errors
    /// When the database does not; then nothing is changed.
    pub async fn leave_suspension(&self, id: IdentityId, run: RunId, unless_last: bool) -> Result<bool, StoreError> {
        let sql = Sql::new("DELETE FROM suspension WHERE identity_id = ? AND run_id = ?");
        let mut sql = sql.bind(id.as_bytes()).bind(run.as_bytes());
        if unless_last {
            let other =
                " AND EXISTS (SELECT 1 FROM suspension AS other WHERE other.identity_id = ? AND other.run_id <> ?)";
            sql = sql.then(other).bind(id.as_bytes()).bind(run.as_bytes());
        } else {
            let is = " AND NOT EXISTS (SELECT 1 FROM identity WHERE identity.id = ? AND identity.status = 'suspended')";
            sql = sql.then(is).bind(id.as_bytes());
        }
        Ok(self.db.execute(sql).await? == 1)
    }
}
