//! What was applied: read as a whole when its generation has changed, written
//! as one transaction.

use super::db::{Arg, Kind, Row, Sql, Tx};
use super::read::{Page, page};
use super::suspensions::{Behalf, settle};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event, states_of};
use crate::ids::{ChangeId, IdentityId};
use crate::inventory::credential::Credential;
use crate::inventory::identity::{Identity, Interner};
use crate::time::Timestamp;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Identities whose values are put together at a time.
const ROWS: usize = 1_024;
/// Identities that are read at a time.
const READ_AT_ONCE: i64 = 4_096;
/// The kind of changes that put a policy in force.
const POLICY: &str = "policy";
const OBJECT_KINDS: &[Kind] = &[Kind::Text, Kind::Text, Kind::Text, Kind::Blob, Kind::Int];
const CHANGE_KINDS: &[Kind] = &[Kind::Blob, Kind::Int, Kind::Text, Kind::Text, Kind::Text, Kind::Text, Kind::Text];
const IDENTITY_KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Text, Text, Text, Text, Text, Int, Text, Int, Text, Text, Text, Int, Int]
};

/// A site, group, NAS, binding or profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectRow {
    /// The name of its section.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The document that describes it alone.
    pub body: String,
    /// A shared secret, sealed.
    pub secret: Option<Vec<u8>>,
}

/// A revision of the policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionRow {
    /// From 1.
    pub number: i64,
    /// Of the text, as decisions name it.
    pub digest: String,
    /// The Cedar text.
    pub text: String,
    /// Its tests.
    pub tests: Option<String>,
    /// Why.
    pub comment: String,
    /// Who.
    pub author: String,
    /// When.
    pub created: Timestamp,
}

/// A revision that was put in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActivationRow {
    /// The revision.
    pub revision: i64,
    /// Which step it was.
    pub step: PolicyStep,
    /// Who.
    pub author: String,
    /// When.
    pub at: Timestamp,
}

/// How a revision came into force.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PolicyStep {
    /// Somebody wanted it.
    #[default]
    Activate,
    /// It was in force before the one that it replaced.
    Rollback,
    /// It is the one that it replaced with another test.
    Pin,
}

impl PolicyStep {
    const ALL: [PolicyStep; 3] = [PolicyStep::Activate, PolicyStep::Rollback, PolicyStep::Pin];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            PolicyStep::Activate => "activate",
            PolicyStep::Rollback => "rollback",
            PolicyStep::Pin => "pin",
        }
    }
}

/// The revision that a rollback leads to: the one that was in force before the
/// present one was wanted. Another rollback goes one further back. `activations`
/// begin with the latest.
pub fn before(activations: &[ActivationRow]) -> Option<i64> {
    let mut wanted = Vec::new();
    for activation in activations.iter().rev() {
        match activation.step {
            PolicyStep::Activate => wanted.push(activation.revision),
            PolicyStep::Rollback => {
                wanted.pop();
            }
            PolicyStep::Pin => {
                wanted.pop();
                wanted.push(activation.revision);
            }
        }
    }
    wanted.iter().rev().nth(1).copied()
}

/// One change of one object.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct ChangeRow {
    /// The name of its section.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// `create`, `update`, `remove`, `activate`.
    pub action: String,
    /// Field by field, what it was and what it is, as JSON.
    pub fields: serde_json::Value,
}

/// A change that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Its id.
    pub id: ChangeId,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub author: String,
    /// What was changed.
    pub change: ChangeRow,
}

/// The inventory as it is stored.
#[derive(Debug, Default)]
pub struct InventoryRows {
    /// Counts changes.
    pub generation: i64,
    /// Everything but identities.
    pub objects: Vec<ObjectRow>,
    /// Who is known.
    pub identities: Vec<Arc<Identity>>,
    /// The revision in force.
    pub policy: Option<RevisionRow>,
}

/// What one change of the inventory writes.
#[derive(Debug, Default)]
pub struct Writes {
    /// Objects that are new or different.
    pub objects: Vec<ObjectRow>,
    /// Objects that are no more, by kind and name.
    pub removed: Vec<(String, String)>,
    /// Identities that are new or different.
    pub identities: Vec<Arc<Identity>>,
    /// A new revision's text and tests, to be put in force.
    pub policy: Option<NewRevision>,
    /// A known revision to be put in force.
    pub activate: Option<i64>,
    /// How the one or the other comes into force.
    pub step: PolicyStep,
    /// Identities of which it is said that they are suspended, and which are: it is an operator's word from now on.
    pub confirmed: Vec<IdentityId>,
    /// On whose behalf the status of the identities is written.
    pub behalf: Behalf,
    /// What is told of it later.
    pub changes: Vec<ChangeRow>,
    /// Why, in the author's words; may be empty.
    pub reason: String,
}

/// A revision that is not stored yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRevision {
    /// Of the text, as decisions name it.
    pub digest: String,
    /// The Cedar text.
    pub text: String,
    /// Its tests.
    pub tests: Option<String>,
    /// Why.
    pub comment: String,
}

/// Why a change was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else made one meanwhile.
    #[error("somebody else has changed the inventory meanwhile; nothing was written: run it again")]
    Overtaken,
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ApplyError {
    fn from(e: sqlx::Error) -> Self {
        Self::Store(e.into())
    }
}

impl Store {
    /// Counts changes of the inventory: another number is another content.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn generation(&self) -> Result<i64, StoreError> {
        self.db.number(Sql::new("SELECT generation AS n FROM inventory_state")).await
    }

    /// All that was applied, as of one moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn inventory(&self) -> Result<InventoryRows, StoreError> {
        let mut tx = self.db.begin_read().await?;
        let generation = tx.number(Sql::new("SELECT generation AS n FROM inventory_state")).await?;
        let rows = tx.fetch(Sql::new("SELECT kind, name, body, secret FROM object ORDER BY kind, name")).await?;
        let objects = rows.iter().map(object_of_row).collect::<Result<_, _>>()?;
        let policy = tx.fetch_one(Sql::new(
            "SELECT * FROM policy_revision WHERE number = \
             (SELECT revision FROM policy_activation ORDER BY number DESC LIMIT 1)",
        ));
        let policy = policy.await?.as_ref().map(revision_of_row).transpose()?;
        let mut identities = Vec::new();
        let mut interner = Interner::default();
        // In pieces: a million rows at once would take more memory than what
        // they amount to.
        let mut after = Vec::new();
        loop {
            let sql =
                Sql::new("SELECT * FROM identity WHERE id > ? ORDER BY id LIMIT ?").bind(after).bind(READ_AT_ONCE);
            let rows = tx.fetch(sql).await?;
            for row in &rows {
                identities.push(Arc::new(identity_of_row(row, &mut interner)?));
            }
            match rows.last() {
                Some(last) if rows.len() as i64 == READ_AT_ONCE => after = last.blob("id")?.to_vec(),
                _ => return Ok(InventoryRows { generation, objects, identities, policy }),
            }
        }
    }

    /// Makes a change as one transaction, if the inventory is still that of
    /// `generation`.
    ///
    /// # Errors
    /// [`ApplyError`]; then nothing is changed.
    pub async fn apply(
        &self,
        generation: i64,
        writes: &Writes,
        by: &By,
        now: Timestamp,
    ) -> Result<Option<i64>, ApplyError> {
        let done = self.apply_at(generation, writes, by, now).await;
        if let Err(e @ ApplyError::Overtaken) = &done {
            let event = Event::new(by, "inventory.apply", "inventory", "the inventory", now).refused(&e.to_string());
            self.audit(vec![event]).await?;
        }
        done
    }

    async fn apply_at(
        &self,
        generation: i64,
        writes: &Writes,
        by: &By,
        now: Timestamp,
    ) -> Result<Option<i64>, ApplyError> {
        let author = by.actor.as_str();
        let mut tx = self.db.begin().await?;
        let next = Sql::new("UPDATE inventory_state SET generation = generation + 1 WHERE generation = ?");
        if tx.execute(next.bind(generation)).await? != 1 {
            return Err(ApplyError::Overtaken);
        }
        for (kind, name) in &writes.removed {
            let sql = Sql::new("DELETE FROM object WHERE kind = ? AND name = ?");
            tx.execute(sql.bind(kind).bind(name)).await?;
        }
        let mut values: Vec<Arg> = Vec::new();
        for object in &writes.objects {
            values.extend([
                (&object.kind).into(),
                (&object.name).into(),
                (&object.body).into(),
                object.secret.clone().into(),
                now.into(),
            ]);
        }
        let tail = "ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, secret = excluded.secret, \
                    updated_us = excluded.updated_us";
        tx.insert("object (kind, name, body, secret, updated_us)", OBJECT_KINDS, values, tail).await?;
        let confirmed = settle(&mut tx, writes, by, now).await?;
        for identities in writes.identities.chunks(ROWS) {
            save_identities(&mut tx, identities, now).await?;
        }
        let replaced = revision_in_force(&mut tx).await?;
        let revision = match (&writes.policy, writes.activate) {
            (Some(new), _) => Some(add_revision(&mut tx, new, author, now).await?),
            (None, known) => known,
        };
        if let Some(revision) = revision {
            let sql = Sql::new("INSERT INTO policy_activation (revision, how, author, at_us) VALUES (?, ?, ?, ?)");
            tx.execute(sql.bind(revision).bind(writes.step.as_str()).bind(author).bind(now)).await?;
        }
        let mut values: Vec<Arg> = Vec::new();
        for change in &writes.changes {
            values.extend([
                ChangeId::new(now).as_bytes().into(),
                now.into(),
                author.into(),
                (&change.kind).into(),
                (&change.name).into(),
                (&change.action).into(),
                change.fields.to_string().into(),
            ]);
        }
        tx.insert("change (id, at_us, author, kind, name, action, fields)", CHANGE_KINDS, values, "").await?;
        if let Some(number) = revision {
            let is = revision_in_force(&mut tx).await?;
            let event = Event::new(by, format!("policy.{}", writes.step.as_str()), "policy", &number.to_string(), now);
            let event = event.states(replaced, is).because(&writes.reason);
            audit::append(&mut tx, vec![event]).await?;
        }
        for changes in writes.changes.chunks(ROWS) {
            // That a policy comes into force was told with its number.
            let told = changes.iter().filter(|change| change.kind != POLICY);
            audit::append(&mut tx, told.map(|change| event_of(change, by, &writes.reason, now)).collect()).await?;
        }
        audit::append(&mut tx, confirmed).await?;
        tx.commit().await?;
        Ok(revision)
    }

    /// All revisions of the policy, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn revisions(&self) -> Result<Vec<RevisionRow>, StoreError> {
        let rows = self.db.fetch(Sql::new("SELECT * FROM policy_revision ORDER BY number DESC")).await?;
        rows.iter().map(revision_of_row).collect()
    }

    /// Which revision was put in force when, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn activations(&self) -> Result<Vec<ActivationRow>, StoreError> {
        let sql = "SELECT revision, how, author, at_us FROM policy_activation ORDER BY number DESC";
        let rows = self.db.fetch(Sql::new(sql)).await?;
        let activation = |row: &Row| {
            let how = row.text("how")?;
            let step = PolicyStep::ALL.into_iter().find(|step| step.as_str() == how).unwrap_or_default();
            let (revision, author) = (row.int("revision")?, row.text("author")?.to_owned());
            Ok(ActivationRow { revision, step, author, at: row.time("at_us")? })
        };
        rows.iter().map(activation).collect()
    }

    /// Who changed an object, and when, the latest first, before the change named `after`; at most so many.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changes(
        &self,
        kind: &str,
        name: &str,
        after: Option<ChangeId>,
        limit: u32,
    ) -> Result<Page<Changed, ChangeId>, StoreError> {
        let sql = Sql::new("SELECT * FROM change WHERE kind = ? AND name = ?").bind(kind).bind(name);
        let sql = sql.narrow("id <", after.map(|id| id.as_bytes().to_vec()));
        let rows = self.db.fetch(sql.then(" ORDER BY id DESC LIMIT ?").bind(i64::from(limit) + 1)).await?;
        let change = |row: &Row| {
            let fields = json_of(row, "change", "fields")?;
            let text = |column| row.text(column).map(str::to_owned);
            let change = ChangeRow { kind: text("kind")?, name: text("name")?, action: text("action")?, fields };
            let id = ChangeId::from_bytes(row.id("change", "id")?);
            Ok(Changed { id, at: row.time("at_us")?, author: text("author")?, change })
        };
        let changes = rows.iter().map(change).collect::<Result<Vec<_>, StoreError>>()?;
        Ok(page(changes, limit, |changed| changed.id))
    }
}

fn event_of(change: &ChangeRow, by: &By, reason: &str, now: Timestamp) -> Event {
    let ChangeRow { kind, name, action, fields } = change;
    let (before, after) = states_of(fields);
    Event::new(by, format!("{kind}.{action}"), kind, name, now).states(before, after).because(reason)
}

/// The number and digests of the policy in force; null when that is the built-in one.
async fn revision_in_force(tx: &mut Tx) -> Result<serde_json::Value, StoreError> {
    let sql = "SELECT number, digest, tests FROM policy_revision WHERE number = \
               (SELECT revision FROM policy_activation ORDER BY number DESC LIMIT 1)";
    let Some(row) = tx.fetch_one(Sql::new(sql)).await? else { return Ok(serde_json::Value::Null) };
    let tests = row.maybe_text("tests")?.map(crate::policy::engine::digest_of);
    Ok(serde_json::json!({ "revision": row.int("number")?, "digest": row.text("digest")?, "tests": tests }))
}

async fn add_revision(tx: &mut Tx, new: &NewRevision, author: &str, now: Timestamp) -> Result<i64, StoreError> {
    let sql = "INSERT INTO policy_revision (digest, text, tests, comment, author, created_us) \
               VALUES (?, ?, ?, ?, ?, ?) RETURNING number AS n";
    let sql = Sql::new(sql).bind(&new.digest).bind(&new.text).bind(new.tests.as_deref()).bind(&new.comment);
    tx.number(sql.bind(author).bind(now)).await
}

async fn save_identities(tx: &mut Tx, identities: &[Arc<Identity>], now: Timestamp) -> Result<(), StoreError> {
    let json = |value: serde_json::Result<String>| {
        value.map_err(|e| StoreError::Unreadable { table: "identity", what: e.to_string() })
    };
    let mut values: Vec<Arg> = Vec::with_capacity(identities.len() * IDENTITY_KINDS.len());
    for identity in identities {
        let groups: Vec<&str> = identity.groups.iter().map(AsRef::as_ref).collect();
        let attributes: BTreeMap<&str, &str> = identity.attributes.iter().map(|(k, v)| (&**k, &**v)).collect();
        values.extend([
            identity.id.as_bytes().into(),
            identity.kind.as_str().into(),
            (&*identity.name).into(),
            identity.status.as_str().into(),
            identity.owner.as_deref().into(),
            identity.purpose.as_deref().into(),
            identity.autonomy.map(u32::from).into(),
            identity.environment.as_deref().into(),
            identity.expires.into(),
            json(serde_json::to_string(&groups))?.into(),
            json(serde_json::to_string(&attributes))?.into(),
            json(serde_json::to_string(&identity.credentials))?.into(),
            now.into(),
            now.into(),
        ]);
    }
    let into = "identity (id, kind, name, status, owner, purpose, autonomy, environment, expires_us, groups, \
                attributes, credentials, created_us, updated_us)";
    let tail = "ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status, owner = excluded.owner, \
                purpose = excluded.purpose, autonomy = excluded.autonomy, environment = excluded.environment, \
                expires_us = excluded.expires_us, groups = excluded.groups, attributes = excluded.attributes, \
                credentials = excluded.credentials, updated_us = excluded.updated_us";
    tx.insert(into, IDENTITY_KINDS, values, tail).await.map(drop)
}

fn object_of_row(row: &Row) -> Result<ObjectRow, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    let secret = row.maybe_blob("secret")?.map(<[u8]>::to_vec);
    Ok(ObjectRow { kind: text("kind")?, name: text("name")?, body: text("body")?, secret })
}

fn revision_of_row(row: &Row) -> Result<RevisionRow, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    Ok(RevisionRow {
        number: row.int("number")?,
        digest: text("digest")?,
        text: text("text")?,
        tests: row.maybe_text("tests")?.map(str::to_owned),
        comment: text("comment")?,
        author: text("author")?,
        created: row.time("created_us")?,
    })
}

fn json_of<T: DeserializeOwned>(row: &Row, table: &'static str, column: &str) -> Result<T, StoreError> {
    serde_json::from_str(row.text(column)?)
        .map_err(|e| StoreError::Unreadable { table, what: format!("{column}: {e}") })
}

fn identity_of_row(row: &Row, interner: &mut Interner) -> Result<Identity, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "identity", what };
    let id = IdentityId::from_bytes(row.id("identity", "id")?);
    let kind = row.text("kind")?.parse().map_err(|e| unreadable(format!("{e}")))?;
    let mut word = |name| Ok::<_, StoreError>(row.maybe_text(name)?.map(|text| interner.word(text)));
    let (owner, purpose, environment) = (word("owner")?, word("purpose")?, word("environment")?);
    let groups: Vec<String> = json_of(row, "identity", "groups")?;
    let attributes: BTreeMap<String, String> = json_of(row, "identity", "attributes")?;
    let credentials: Vec<Credential> = json_of(row, "identity", "credentials")?;
    Ok(Identity {
        owner,
        purpose,
        environment,
        autonomy: row.maybe_int("autonomy")?.and_then(|level| u8::try_from(level).ok()),
        groups: interner.list(groups.iter().map(String::as_str)),
        attributes: attributes.iter().map(|(key, value)| (interner.word(key), interner.word(value))).collect(),
        status: row.text("status")?.parse().map_err(|e| unreadable(format!("{e}")))?,
        expires: row.maybe_int("expires_us")?.map(Timestamp::from_micros),
        credentials: credentials.into(),
        ..Identity::new(id, kind, row.text("name")?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_goes_back_and_never_forth() {
        use PolicyStep::{Activate, Pin, Rollback};
        let mut activations = Vec::new();
        let mut step = |revision, step| {
            activations.insert(0, ActivationRow { revision, step, author: String::new(), at: Timestamp::default() });
            before(&activations)
        };
        assert_eq!(step(1, Activate), None);
        assert_eq!(step(2, Activate), Some(1));
        assert_eq!(step(3, Activate), Some(2));
        assert_eq!(step(2, Rollback), Some(1), "not 3, which was undone");
        assert_eq!(step(4, Pin), Some(1), "a pin is no policy of its own");
        assert_eq!(step(1, Rollback), None);
    }
}
