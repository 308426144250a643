//! What the database holds of the inventory, in the form that configurations
//! are built from.

use super::Source;
use super::document::{Document, ObjectKind};
use super::files::secret_file;
use super::secrets::NasSecrets;
use crate::inventory::identity::Identity;
use crate::inventory::seal::{KEY_LEN, Seal};
use crate::radius::value::unhex;
use crate::store::inventory::{InventoryRows, ObjectRow, RevisionRow};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The key of secrets at rest, within `data_dir`.
pub const SEAL_KEY: &str = "secrets.key";

/// The inventory of the database.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Counts changes: a higher number is another content.
    pub generation: i64,
    /// Everything but identities, object by object.
    pub documents: Vec<(Source, Document)>,
    /// Who is known.
    pub identities: Vec<Arc<Identity>>,
    /// The policy in force.
    pub policy: Option<StoredPolicy>,
    /// Sites, groups, NASes, bindings and profiles as they were applied.
    pub objects: BTreeMap<(ObjectKind, String), StoredObject>,
}

/// A site, group, NAS, binding or profile.
#[derive(Clone, Debug)]
pub struct StoredObject {
    /// Its keys and values, without secrets.
    pub table: toml::Table,
    /// A NAS's secrets.
    pub secret: Option<NasSecrets>,
    /// Why it has none, although one is stored.
    pub shut: Option<String>,
}

/// A revision of the policy.
#[derive(Clone, Debug)]
pub struct StoredPolicy {
    /// Its number.
    pub number: i64,
    /// The Cedar text.
    pub text: Source,
    /// Its tests.
    pub tests: Option<Source>,
}

/// What is in the database cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoredError {
    /// The key of secrets is missing or unreadable.
    #[error(
        "{file}, the key of the stored secrets, cannot be used: {what}\n  -> restore it from the backup of this data directory"
    )]
    Key {
        /// Where it should be.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A row is no document.
    #[error("the {kind} {name} in the database cannot be read: {what}")]
    Object {
        /// Of which kind.
        kind: String,
        /// Which.
        name: String,
        /// What is wrong.
        what: String,
    },
}

/// The key of the secrets of the database in `data_dir`; `None` when there is
/// none.
///
/// # Errors
/// When it cannot be read or is no key.
pub fn seal(data_dir: &Path) -> Result<Option<Seal>, StoredError> {
    if data_dir.join(SEAL_KEY).exists() { seal_or_new(data_dir).map(Some) } else { Ok(None) }
}

/// The same, made with a random one when there is none. Only who writes makes
/// one: what it seals must be read by others.
///
/// # Errors
/// When it cannot be read or made, or is no key.
pub fn seal_or_new(data_dir: &Path) -> Result<Seal, StoredError> {
    let file = data_dir.join(SEAL_KEY);
    let wrong = |what: String| StoredError::Key { file: file.display().to_string(), what };
    let text = secret_file::<KEY_LEN>(&file).map_err(|e| wrong(e.to_string()))?;
    let key = unhex(&text).ok_or_else(|| wrong("it is not hexadecimal".into()))?;
    Seal::new(&key).map_err(|_| wrong(format!("it has not {KEY_LEN} octets")))
}

/// A key of its own for each purpose, made of that of the secrets.
///
/// # Errors
/// When that cannot be read or made.
pub fn derived_key(data_dir: &Path, purpose: &str) -> Result<[u8; 32], StoredError> {
    let file = data_dir.join(SEAL_KEY);
    let wrong = |what: String| StoredError::Key { file: file.display().to_string(), what };
    let text = secret_file::<KEY_LEN>(&file).map_err(|e| wrong(e.to_string()))?;
    // An empty one would be everybody's.
    unhex(&text)
        .filter(|key| key.len() == KEY_LEN)
        .ok_or_else(|| wrong(format!("it is not {KEY_LEN} octets in hexadecimal")))?;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, text.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, purpose.as_bytes());
    tag.as_ref().try_into().map_err(|_| wrong("no key can be made of it".into()))
}

/// What a NAS's secret is sealed for.
pub fn secret_of(nas: &str) -> String {
    format!("nas {nas}")
}

/// The text of a document with one object.
pub fn document_of(kind: ObjectKind, table: &toml::Table) -> Result<String, toml::ser::Error> {
    let list = toml::Value::Array(vec![toml::Value::Table(table.clone())]);
    toml::to_string(&toml::Table::from_iter([(kind.as_str().to_owned(), list)]))
}

impl Stored {
    /// The inventory as the database has it. A NAS whose secret does not open is
    /// there without it, so that the others are served.
    ///
    /// # Errors
    /// When it was written by something else.
    pub fn of_rows(rows: InventoryRows, seal: Option<&Seal>) -> Result<Stored, StoredError> {
        let mut stored = Stored { generation: rows.generation, identities: rows.identities, ..Stored::default() };
        for row in rows.objects {
            stored.add(row, seal)?;
        }
        stored.policy = rows.policy.map(StoredPolicy::of_row);
        Ok(stored)
    }

    fn add(&mut self, row: ObjectRow, seal: Option<&Seal>) -> Result<(), StoredError> {
        let ObjectRow { kind, name, body, secret } = row;
        let wrong = |what: String| StoredError::Object { kind: kind.clone(), name: name.clone(), what };
        let known = ObjectKind::ALL.into_iter().find(|k| k.as_str() == kind);
        let known = known.ok_or_else(|| wrong("this version does not know its kind".into()))?;
        let opened = secret.map(|sealed| match seal {
            Some(seal) => seal.open(&secret_of(&name), &sealed).map_err(|e| e.to_string()),
            None => Err(format!("{SEAL_KEY} is missing")),
        });
        let (secret, shut) = match opened {
            None => (None, None),
            Some(Ok(secret)) => (Some(NasSecrets::unpack(secret)), None),
            Some(Err(why)) => (None, Some(why)),
        };
        let source = Source { file: format!("the database ({kind} {name})").into(), text: body };
        let mut document = Document::parse(&source).map_err(|e| wrong(e.message))?;
        for nas in &mut document.nas {
            nas.kept_secret = secret.clone();
            nas.shut = shut.clone();
        }
        let whole: toml::Table = toml::from_str(&source.text).map_err(|e| wrong(e.message().to_owned()))?;
        let table = whole.get(&kind).and_then(|list| list.as_array()?.first()?.as_table().cloned());
        let table = table.ok_or_else(|| wrong("its section is not there".into()))?;
        self.objects.insert((known, name), StoredObject { table, secret, shut });
        self.documents.push((source, document));
        Ok(())
    }
}

impl StoredPolicy {
    /// A revision, with names for its texts.
    pub fn of_row(row: RevisionRow) -> StoredPolicy {
        let named = |what: &str| format!("the database (policy revision {}{what})", row.number).into();
        StoredPolicy {
            number: row.number,
            tests: row.tests.map(|text| Source { file: named(", tests"), text }),
            text: Source { file: named(""), text: row.text },
        }
    }
}
