//! Who is in quarantine.

use super::db::{Arg, Kind, Row, Sql, chunks};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::{ContainmentId, IdentityId, RunId};
use crate::inventory::mac::MacAddress;
use crate::playbooks::containment::Containment;
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const COLUMNS: &str = "containment (id, identity_id, mac, profile, cause, set_by, run_id, since_us, until_us)";
const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Blob, Text, Text, Text, Text, Blob, Int, Int]
};
const TABLE: &str = "containment";

/// Of what kind somebody is in the audit log, and their id or address.
pub(super) fn object(subject: Subject) -> (&'static str, String) {
    match subject {
        Subject::Identity(id) => ("identity", id.to_string()),
        Subject::Mac(mac) => ("mac", mac.to_string()),
    }
}

fn state(containment: &Containment) -> Value {
    let Containment { id, profile, cause, run, until, .. } = containment;
    json!({ "containment": id, "profile": profile, "cause": cause, "run": run, "until": until })
}

fn event(containment: &Containment, action: &str, by: &By, now: Timestamp) -> Event {
    let (kind, name) = object(containment.subject);
    Event::new(by, action, kind, &name, now)
}

impl Store {
    /// Stores these, in place of those that they renew.
    ///
    /// # Errors
    /// When the database does not; then none is stored.
    pub async fn contain(
        &self,
        all: &[Containment],
        renewed: &[Arc<Containment>],
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut values: Vec<Arg> = Vec::with_capacity(all.len() * KINDS.len());
        let mut events = Vec::with_capacity(all.len());
        for containment in all {
            let (identity, mac) = columns_of(containment.subject);
            values.extend([
                containment.id.as_bytes().into(),
                identity,
                mac,
                containment.profile.as_str().into(),
                containment.cause.as_str().into(),
                containment.by.as_str().into(),
                Arg::Blob(containment.run.map(|id| id.as_bytes().to_vec())),
                containment.since.into(),
                containment.until.into(),
            ]);
            events.push(
                event(containment, "containment.begin", by, now)
                    .states(Value::Null, state(containment))
                    .because(&containment.cause),
            );
        }
        let mut tx = self.db.begin().await?;
        let ids = renewed.iter().map(|renewed| renewed.id.as_bytes().into()).collect();
        for chunk in chunks(ids, tx.rows_at_once()) {
            let sql = Sql::new("DELETE FROM containment WHERE id IN (").rows(&[Kind::Blob], chunk).then(")");
            tx.execute(sql).await?;
        }
        tx.insert(COLUMNS, KINDS, values, "").await?;
        audit::append(&mut tx, events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends these.
    ///
    /// # Errors
    /// When the database does not; then all go on.
    pub async fn end_containments(
        &self,
        all: &[Arc<Containment>],
        by: &By,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let events = all.iter().map(|containment| {
            event(containment, "containment.end", by, now).states(state(containment), Value::Null).because(reason)
        });
        let events = events.collect();
        let mut tx = self.db.begin().await?;
        let ids = all.iter().map(|containment| containment.id.as_bytes().into()).collect();
        for chunk in chunks(ids, tx.rows_at_once()) {
            let sql = Sql::new("DELETE FROM containment WHERE id IN (").rows(&[Kind::Blob], chunk).then(")");
            tx.execute(sql).await?;
        }
        audit::append(&mut tx, events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// All of them.
    ///
    /// # Errors
    /// When the database cannot be read. A row that cannot be understood is an error too: who is in quarantine must not
    /// leave it by a mistake.
    pub async fn containments(&self) -> Result<Vec<Containment>, StoreError> {
        let rows = self.db.fetch(Sql::new("SELECT * FROM containment ORDER BY id")).await?;
        rows.iter().map(containment_of_row).collect()
    }
}

/// An identity's id or a MAC address, each in a column of its own.
pub(super) fn columns_of(subject: Subject) -> (Arg, Arg) {
    match subject {
        Subject::Identity(id) => (Arg::Blob(Some(id.as_bytes().to_vec())), None::<String>.into()),
        Subject::Mac(mac) => (Arg::Blob(None), Some(mac.to_string()).into()),
    }
}

/// Whom the two columns name.
pub(super) fn subject_of_row(row: &Row, table: &'static str) -> Result<Subject, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable { table, what: what.to_owned() };
    if row.maybe_blob("identity_id")?.is_some() {
        return Ok(Subject::Identity(IdentityId::from_bytes(row.id(table, "identity_id")?)));
    }
    let mac = row.maybe_text("mac")?.ok_or_else(|| unreadable("it is about nobody"))?;
    MacAddress::parse(mac).map(Subject::Mac).map_err(|_| unreadable("mac is no MAC address"))
}

fn containment_of_row(row: &Row) -> Result<Containment, StoreError> {
    let run = match row.maybe_blob("run_id")? {
        Some(_) => Some(RunId::from_bytes(row.id(TABLE, "run_id")?)),
        None => None,
    };
    Ok(Containment {
        id: ContainmentId::from_bytes(row.id(TABLE, "id")?),
        subject: subject_of_row(row, TABLE)?,
        profile: row.text("profile")?.to_owned(),
        cause: row.text("cause")?.to_owned(),
        by: row.text("set_by")?.to_owned(),
        run,
        since: row.time("since_us")?,
        until: row.maybe_int("until_us")?.map(Timestamp::from_micros),
    })
}
