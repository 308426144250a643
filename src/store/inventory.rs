//! What was applied: read as a whole when its generation has changed, written
//! as one transaction.

use super::{Store, StoreError};
use crate::ids::{ChangeId, IdentityId};
use crate::inventory::credential::Credential;
use crate::inventory::identity::{Identity, Interner};
use crate::time::Timestamp;
use futures_util::TryStreamExt;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Identities of one statement: SQLite takes 32,766 values.
const ROWS: usize = 256;

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
    /// What is told of it later.
    pub changes: Vec<ChangeRow>,
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
        Ok(sqlx::query_scalar("SELECT generation FROM inventory_state").fetch_one(&self.read).await?)
    }

    /// All that was applied, as of one moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn inventory(&self) -> Result<InventoryRows, StoreError> {
        let mut tx = self.read.begin().await?;
        let generation = sqlx::query_scalar("SELECT generation FROM inventory_state").fetch_one(&mut *tx).await?;
        let rows = sqlx::query("SELECT kind, name, body, secret FROM object ORDER BY kind, name");
        let rows = rows.fetch_all(&mut *tx).await?;
        let objects = rows.iter().map(object_of_row).collect::<Result<_, _>>()?;
        let policy = sqlx::query(
            "SELECT * FROM policy_revision WHERE number = \
             (SELECT revision FROM policy_activation ORDER BY number DESC LIMIT 1)",
        );
        let policy = policy.fetch_optional(&mut *tx).await?.as_ref().map(revision_of_row).transpose()?;
        let mut identities = Vec::new();
        let mut interner = Interner::default();
        // Row by row: a million rows at once would take more memory than what
        // they amount to.
        let mut rows = sqlx::query("SELECT * FROM identity ORDER BY id").fetch(&mut *tx);
        while let Some(row) = rows.try_next().await? {
            identities.push(Arc::new(identity_of_row(&row, &mut interner)?));
        }
        Ok(InventoryRows { generation, objects, identities, policy })
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
        author: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, ApplyError> {
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let next = sqlx::query("UPDATE inventory_state SET generation = generation + 1 WHERE generation = ?");
        if next.bind(generation).execute(&mut *tx).await?.rows_affected() != 1 {
            return Err(ApplyError::Overtaken);
        }
        for (kind, name) in &writes.removed {
            let sql = "DELETE FROM object WHERE kind = ? AND name = ?";
            sqlx::query(sql).bind(kind).bind(name).execute(&mut *tx).await?;
        }
        for object in &writes.objects {
            let sql = "INSERT INTO object (kind, name, body, secret, updated_us) VALUES (?, ?, ?, ?, ?) \
                       ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, secret = excluded.secret, \
                       updated_us = excluded.updated_us";
            let query = sqlx::query(sql).bind(&object.kind).bind(&object.name).bind(&object.body);
            query.bind(&object.secret).bind(now.as_micros()).execute(&mut *tx).await?;
        }
        for identities in writes.identities.chunks(ROWS) {
            save_identities(&mut tx, identities, now).await?;
        }
        let revision = match (&writes.policy, writes.activate) {
            (Some(new), _) => Some(add_revision(&mut tx, new, author, now).await?),
            (None, known) => known,
        };
        if let Some(revision) = revision {
            let sql = "INSERT INTO policy_activation (revision, how, author, at_us) VALUES (?, ?, ?, ?)";
            let query = sqlx::query(sql).bind(revision).bind(writes.step.as_str()).bind(author);
            query.bind(now.as_micros()).execute(&mut *tx).await?;
        }
        for change in &writes.changes {
            let sql = "INSERT INTO change (id, at_us, author, kind, name, action, fields) VALUES (?, ?, ?, ?, ?, ?, ?)";
            let query =
                sqlx::query(sql).bind(ChangeId::new(now).as_bytes().to_vec()).bind(now.as_micros()).bind(author);
            let query = query.bind(&change.kind).bind(&change.name).bind(&change.action);
            query.bind(change.fields.to_string()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(revision)
    }

    /// All revisions of the policy, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn revisions(&self) -> Result<Vec<RevisionRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM policy_revision ORDER BY number DESC").fetch_all(&self.read).await?;
        rows.iter().map(revision_of_row).collect()
    }

    /// Which revision was put in force when, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn activations(&self) -> Result<Vec<ActivationRow>, StoreError> {
        let sql = "SELECT revision, how, author, at_us FROM policy_activation ORDER BY number DESC";
        let rows = sqlx::query(sql).fetch_all(&self.read).await?;
        let activation = |row: &SqliteRow| {
            let at = Timestamp::from_micros(row.try_get("at_us")?);
            let how: &str = row.try_get("how")?;
            let step = PolicyStep::ALL.into_iter().find(|step| step.as_str() == how).unwrap_or_default();
            Ok(ActivationRow { revision: row.try_get("revision")?, step, author: row.try_get("author")?, at })
        };
        rows.iter().map(activation).collect()
    }

    /// Who changed an object, and when, the latest first: time, author, action
    /// and fields.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changes(&self, kind: &str, name: &str) -> Result<Vec<(Timestamp, String, ChangeRow)>, StoreError> {
        let sql = "SELECT * FROM change WHERE kind = ? AND name = ? ORDER BY id DESC";
        let rows = sqlx::query(sql).bind(kind).bind(name).fetch_all(&self.read).await?;
        let change = |row: &SqliteRow| {
            let fields = json_of(row, "change", "fields")?;
            let (kind, name, action) = (row.try_get("kind")?, row.try_get("name")?, row.try_get("action")?);
            let at = Timestamp::from_micros(row.try_get("at_us")?);
            Ok((at, row.try_get("author")?, ChangeRow { kind, name, action, fields }))
        };
        rows.iter().map(change).collect()
    }
}

async fn add_revision(
    tx: &mut SqliteConnection,
    new: &NewRevision,
    author: &str,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let sql =
        "INSERT INTO policy_revision (digest, text, tests, comment, author, created_us) VALUES (?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(&new.digest).bind(&new.text).bind(&new.tests).bind(&new.comment);
    let done = query.bind(author).bind(now.as_micros()).execute(tx).await?;
    Ok(done.last_insert_rowid())
}

async fn save_identities(
    tx: &mut SqliteConnection,
    identities: &[Arc<Identity>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let json = |value: serde_json::Result<String>| {
        value.map_err(|e| StoreError::Unreadable { table: "identity", what: e.to_string() })
    };
    let mut rows = Vec::with_capacity(identities.len());
    for identity in identities {
        let groups: Vec<&str> = identity.groups.iter().map(AsRef::as_ref).collect();
        let attributes: BTreeMap<&str, &str> = identity.attributes.iter().map(|(k, v)| (&**k, &**v)).collect();
        rows.push((
            identity,
            json(serde_json::to_string(&groups))?,
            json(serde_json::to_string(&attributes))?,
            json(serde_json::to_string(&identity.credentials))?,
        ));
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO identity (id, kind, name, status, owner, purpose, autonomy, environment, expires_us, groups, \
         attributes, credentials, created_us, updated_us) ",
    );
    query.push_values(rows, |mut row, (identity, groups, attributes, credentials)| {
        row.push_bind(identity.id.as_bytes().to_vec())
            .push_bind(identity.kind.as_str())
            .push_bind(identity.name.to_string())
            .push_bind(identity.status.as_str())
            .push_bind(identity.owner.as_deref().map(str::to_owned))
            .push_bind(identity.purpose.as_deref().map(str::to_owned))
            .push_bind(identity.autonomy.map(i64::from))
            .push_bind(identity.environment.as_deref().map(str::to_owned))
            .push_bind(identity.expires.map(Timestamp::as_micros))
            .push_bind(groups)
            .push_bind(attributes)
            .push_bind(credentials)
            .push_bind(now.as_micros())
            .push_bind(now.as_micros());
    });
    query.push(
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status, owner = excluded.owner, \
         purpose = excluded.purpose, autonomy = excluded.autonomy, environment = excluded.environment, \
         expires_us = excluded.expires_us, groups = excluded.groups, attributes = excluded.attributes, \
         credentials = excluded.credentials, updated_us = excluded.updated_us",
    );
    query.build().execute(tx).await?;
    Ok(())
}

fn object_of_row(row: &SqliteRow) -> Result<ObjectRow, StoreError> {
    let (kind, name) = (row.try_get("kind")?, row.try_get("name")?);
    Ok(ObjectRow { kind, name, body: row.try_get("body")?, secret: row.try_get("secret")? })
}

fn revision_of_row(row: &SqliteRow) -> Result<RevisionRow, StoreError> {
    Ok(RevisionRow {
        number: row.try_get("number")?,
        digest: row.try_get("digest")?,
        text: row.try_get("text")?,
        tests: row.try_get("tests")?,
        comment: row.try_get("comment")?,
        author: row.try_get("author")?,
        created: Timestamp::from_micros(row.try_get("created_us")?),
    })
}

fn json_of<T: DeserializeOwned>(row: &SqliteRow, table: &'static str, column: &str) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|e| StoreError::Unreadable { table, what: format!("{column}: {e}") })
}

fn identity_of_row(row: &SqliteRow, interner: &mut Interner) -> Result<Identity, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "identity", what };
    let id: [u8; 16] =
        row.try_get::<&[u8], _>("id")?.try_into().map_err(|_| unreadable("its id is not 16 octets".into()))?;
    let kind = row.try_get::<&str, _>("kind")?.parse().map_err(|e| unreadable(format!("{e}")))?;
    let mut word = |name| Ok::<_, StoreError>(row.try_get::<Option<&str>, _>(name)?.map(|text| interner.word(text)));
    let (owner, purpose, environment) = (word("owner")?, word("purpose")?, word("environment")?);
    let groups: Vec<String> = json_of(row, "identity", "groups")?;
    let attributes: BTreeMap<String, String> = json_of(row, "identity", "attributes")?;
    let credentials: Vec<Credential> = json_of(row, "identity", "credentials")?;
    Ok(Identity {
        owner,
        purpose,
        environment,
        autonomy: row.try_get::<Option<i64>, _>("autonomy")?.and_then(|level| u8::try_from(level).ok()),
        groups: interner.list(groups.iter().map(String::as_str)),
        attributes: attributes.iter().map(|(key, value)| (interner.word(key), interner.word(value))).collect(),
        status: row.try_get::<&str, _>("status")?.parse().map_err(|e| unreadable(format!("{e}")))?,
        expires: row.try_get::<Option<i64>, _>("expires_us")?.map(Timestamp::from_micros),
        credentials: credentials.into(),
        ..Identity::new(IdentityId::from_bytes(id), kind, row.try_get("name")?)
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
