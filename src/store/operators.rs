//! Operators, and what they sign in with.

use super::db::{Row, Sql, Tx};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::OperatorId;
use crate::operators::account::{MAX_OPERATORS, Operator, Sites};
use crate::operators::passkey::Passkey;
use crate::time::Timestamp;
use serde_json::{Value, json};

/// What the audit log calls one.
const KIND: &str = "operator";
/// Passkeys of one operator: a few phones and keys.
pub const MAX_PASSKEYS: usize = 20;
const TABLE: &str = "operator";

/// Why an operator is not stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OperatorError {
    /// The name, or the provider's subject, is somebody else's.
    #[error("somebody else has that name")]
    Taken,
    /// There are as many as there can be.
    #[error("there are {MAX_OPERATORS} operators already")]
    TooMany,
    /// Somebody changed them meanwhile.
    #[error("somebody has changed them meanwhile: read them again")]
    Overtaken,
    /// Nobody could administer the server any more.
    #[error("they are the last administrator: make another one first")]
    Last,
    /// The database did not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an operator signs in with.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Keys {
    /// The password's hash, as a PHC string.
    pub password: Option<String>,
    /// What an app shares with the server, sealed.
    pub totp: Option<Vec<u8>>,
    /// The last step of time whose code was used.
    pub totp_step: i64,
    /// Digests of the recovery codes that are left.
    pub recovery: Vec<[u8; 32]>,
}

/// A passkey, and what it is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedPasskey {
    /// What it is called.
    pub name: String,
    /// The passkey.
    pub passkey: Passkey,
    /// Since when it is here.
    pub created: Timestamp,
    /// When it was used last.
    pub last_used: Option<Timestamp>,
}

/// A change of one of them.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// The password is another, by its hash.
    Password(String),
    /// There is an app.
    App {
        /// What it shares with the server, sealed.
        secret: Vec<u8>,
        /// The step of time whose code was used last.
        step: i64,
        /// Digests of the recovery codes.
        recovery: Vec<[u8; 32]>,
    },
    /// There is no app, and no recovery code.
    NoApp,
}

impl Store {
    /// All operators by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn operators(&self) -> Result<Vec<Operator>, StoreError> {
        let rows = self.db.fetch(Sql::new("SELECT * FROM operator ORDER BY name_key")).await?;
        rows.iter().map(operator_of_row).collect()
    }

    /// One operator.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn operator(&self, id: OperatorId) -> Result<Option<Operator>, StoreError> {
        let row = self.db.fetch_one(Sql::new("SELECT * FROM operator WHERE id = ?").bind(id.as_bytes())).await?;
        row.as_ref().map(operator_of_row).transpose()
    }

    /// The operator of this name, whatever its case.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn operator_named(&self, name: &str) -> Result<Option<Operator>, StoreError> {
        let sql = Sql::new("SELECT * FROM operator WHERE name_key = ?").bind(name.to_lowercase());
        self.db.fetch_one(sql).await?.as_ref().map(operator_of_row).transpose()
    }

    /// The operator for whom a provider vouches so.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn operator_of_provider(&self, provider: &str) -> Result<Option<Operator>, StoreError> {
        let sql = Sql::new("SELECT * FROM operator WHERE provider = ?").bind(provider);
        self.db.fetch_one(sql).await?.as_ref().map(operator_of_row).transpose()
    }

    /// Adds an operator.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub async fn add_operator(&self, operator: &Operator, by: &By, now: Timestamp) -> Result<(), OperatorError> {
        let mut tx = self.db.begin().await?;
        insert(&mut tx, operator, by, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes of an operator what `operator` says, if it is still of that version; gives it with its new version. Whoever
    /// is shut out, or may do nothing any more, is signed out.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub async fn change_operator(
        &self,
        operator: Operator,
        by: &By,
        now: Timestamp,
    ) -> Result<Operator, OperatorError> {
        let mut tx = self.db.begin().await?;
        let sql = Sql::new("SELECT * FROM operator WHERE id = ?").bind(operator.id.as_bytes());
        let before = tx.fetch_one(sql).await?.as_ref().map(operator_of_row).transpose()?;
        let before = before.filter(|before| before.version == operator.version).ok_or(OperatorError::Overtaken)?;
        if taken(&mut tx, &operator).await? {
            return Err(OperatorError::Taken);
        }
        let after = Operator { version: operator.version + 1, ..operator };
        let sql = "UPDATE operator SET name = ?, name_key = ?, email = ?, roles = ?, sites = ?, disabled = ?, \
                   provider = ?, version = ? WHERE id = ?";
        let sql = Sql::new(sql).bind(&after.name).bind(after.name.to_lowercase()).bind(after.email.clone());
        let sql = sql.bind(roles(&after)).bind(sites(&after.sites)).bind(after.disabled).bind(after.provider.clone());
        tx.execute(sql.bind(after.version).bind(after.id.as_bytes())).await?;
        still_administered(&mut tx, &before).await?;
        if after.disabled || after.roles.is_empty() {
            sign_out(&mut tx, after.id).await?;
        } else if (&after.roles, &after.sites) != (&before.roles, &before.sites) {
            take_back_links(&mut tx, after.id).await?;
        }
        let event = Event::new(by, "operator.update", KIND, &after.name, now);
        audit::append(&mut tx, vec![event.states(described(&before), described(&after))]).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Removes an operator, with all that they sign in with and their tokens.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub async fn remove_operator(&self, operator: &Operator, by: &By, now: Timestamp) -> Result<(), OperatorError> {
        let mut tx = self.db.begin().await?;
        let sql = Sql::new("DELETE FROM operator WHERE id = ? AND version = ?");
        if tx.execute(sql.bind(operator.id.as_bytes()).bind(operator.version)).await? != 1 {
            return Err(OperatorError::Overtaken);
        }
        still_administered(&mut tx, operator).await?;
        let event = Event::new(by, "operator.delete", KIND, &operator.name, now);
        audit::append(&mut tx, vec![event.states(described(operator), Value::Null)]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What an operator signs in with, other than passkeys.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keys(&self, id: OperatorId) -> Result<Keys, StoreError> {
        let sql = Sql::new("SELECT password, totp, totp_step, recovery FROM operator WHERE id = ?");
        let Some(row) = self.db.fetch_one(sql.bind(id.as_bytes())).await? else { return Ok(Keys::default()) };
        Ok(Keys {
            password: row.maybe_text("password")?.map(str::to_owned),
            totp: row.maybe_blob("totp")?.map(<[u8]>::to_vec),
            totp_step: row.int("totp_step")?,
            recovery: row.blob("recovery")?.chunks_exact(32).filter_map(|digest| digest.try_into().ok()).collect(),
        })
    }

    /// Changes one of the things that an operator signs in with; the others stay as they are meanwhile. The other sign-ins
    /// of theirs end: who had them may have known the old password.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn set_keys(
        &self,
        operator: &Operator,
        change: KeyChange,
        but: Option<&[u8; 32]>,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let app = "UPDATE operator SET totp = ?, totp_step = ?, recovery = ? WHERE id = ?";
        let (did, sql) = match change {
            KeyChange::Password(hash) => {
                ("password.set", Sql::new("UPDATE operator SET password = ? WHERE id = ?").bind(hash))
            }
            KeyChange::App { secret, step, recovery } => {
                ("second_factor.set", Sql::new(app).bind(secret).bind(step).bind(recovery.concat()))
            }
            KeyChange::NoApp => {
                ("second_factor.remove", Sql::new(app).bind(None::<Vec<u8>>).bind(0_i64).bind(Vec::new()))
            }
        };
        tx.execute(sql.bind(operator.id.as_bytes())).await?;
        let sql = Sql::new("DELETE FROM operator_sign_in WHERE operator = ?").bind(operator.id.as_bytes());
        tx.execute(sql.narrow("digest <>", but.map(<[u8; 32]>::as_slice))).await?;
        take_back_links(&mut tx, operator.id).await?;
        audit::append(&mut tx, vec![Event::new(by, did, KIND, &operator.name, now)]).await?;
        tx.commit().await
    }

    /// Notes that the code of a step of time was used. Whether it was not used before: of two at once, one is late.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn use_code(&self, id: OperatorId, step: i64) -> Result<bool, StoreError> {
        let sql = Sql::new("UPDATE operator SET totp_step = ? WHERE id = ? AND totp_step < ?");
        Ok(self.db.execute(sql.bind(step).bind(id.as_bytes()).bind(step)).await? == 1)
    }

    /// Takes the used recovery code away. Whether it was still there.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn use_recovery(&self, id: OperatorId, was: &[[u8; 32]], left: &[[u8; 32]]) -> Result<bool, StoreError> {
        let sql = Sql::new("UPDATE operator SET recovery = ? WHERE id = ? AND recovery = ?");
        Ok(self.db.execute(sql.bind(left.concat()).bind(id.as_bytes()).bind(was.concat())).await? == 1)
    }

    /// The passkeys of an operator, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn passkeys(&self, id: OperatorId) -> Result<Vec<NamedPasskey>, StoreError> {
        let sql = Sql::new("SELECT * FROM operator_passkey WHERE operator = ? ORDER BY created_us");
        self.db.fetch(sql.bind(id.as_bytes())).await?.iter().map(passkey_of_row).collect()
    }

    /// The passkey of this id, and whose it is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn passkey(&self, credential: &[u8]) -> Result<Option<(OperatorId, NamedPasskey)>, StoreError> {
        let sql = Sql::new("SELECT * FROM operator_passkey WHERE credential = ?").bind(credential);
        let Some(row) = self.db.fetch_one(sql).await? else { return Ok(None) };
        let operator = OperatorId::from_bytes(row.id("operator_passkey", "operator")?);
        Ok(Some((operator, passkey_of_row(&row)?)))
    }

    /// Adds a passkey. Whether it is new, and there was room.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn add_passkey(
        &self,
        operator: &Operator,
        named: &NamedPasskey,
        by: &By,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = Sql::new("SELECT count(*) AS n FROM operator_passkey WHERE operator = ?");
        if tx.number(sql.bind(operator.id.as_bytes())).await? >= MAX_PASSKEYS as i64 {
            return Ok(false);
        }
        let sql = "INSERT INTO operator_passkey (credential, operator, name, fixed, changing, created_us) \
                   VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (credential) DO NOTHING";
        let Passkey { id, fixed, changing } = &named.passkey;
        let sql = Sql::new(sql).bind(id.clone()).bind(operator.id.as_bytes()).bind(&named.name);
        if tx.execute(sql.bind(fixed.clone()).bind(changing.clone()).bind(now)).await? != 1 {
            return Ok(false);
        }
        let event = Event::new(by, "passkey.add", KIND, &operator.name, now);
        audit::append(&mut tx, vec![event.states(Value::Null, json!({ "name": named.name }))]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes that a passkey was used.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn use_passkey(&self, passkey: &Passkey, now: Timestamp) -> Result<(), StoreError> {
        let sql = Sql::new("UPDATE operator_passkey SET changing = ?, last_used_us = ? WHERE credential = ?");
        self.db.execute(sql.bind(passkey.changing.clone()).bind(now).bind(passkey.id.clone())).await.map(drop)
    }

    /// Removes a passkey of an operator. Whether it was there.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn remove_passkey(
        &self,
        operator: &Operator,
        named: &NamedPasskey,
        by: &By,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = Sql::new("DELETE FROM operator_passkey WHERE operator = ? AND credential = ?");
        let gone = tx.execute(sql.bind(operator.id.as_bytes()).bind(named.passkey.id.clone())).await? == 1;
        if gone {
            let event = Event::new(by, "passkey.remove", KIND, &operator.name, now);
            audit::append(&mut tx, vec![event.states(json!({ "name": named.name }), Value::Null)]).await?;
            tx.commit().await?;
        }
        Ok(gone)
    }
}

/// Adds an operator within a transaction.
pub(super) async fn insert(tx: &mut Tx, operator: &Operator, by: &By, now: Timestamp) -> Result<(), OperatorError> {
    if tx.number(Sql::new("SELECT count(*) AS n FROM operator")).await? >= MAX_OPERATORS {
        return Err(OperatorError::TooMany);
    }
    if taken(tx, operator).await? {
        return Err(OperatorError::Taken);
    }
    let sql = "INSERT INTO operator (id, name, name_key, email, roles, sites, disabled, provider, created_us, version, \
               totp_step, recovery) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)";
    let sql = Sql::new(sql).bind(operator.id.as_bytes()).bind(&operator.name).bind(operator.name.to_lowercase());
    let sql = sql.bind(operator.email.clone()).bind(roles(operator)).bind(sites(&operator.sites));
    let sql = sql.bind(operator.disabled).bind(operator.provider.clone()).bind(operator.created);
    tx.execute(sql.bind(operator.version).bind(Vec::new())).await?;
    let event = Event::new(by, "operator.create", KIND, &operator.name, now);
    audit::append(tx, vec![event.states(Value::Null, described(operator))]).await?;
    Ok(())
}

async fn taken(tx: &mut Tx, operator: &Operator) -> Result<bool, StoreError> {
    let sql = Sql::new("SELECT count(*) AS n FROM operator WHERE id <> ?").bind(operator.id.as_bytes());
    let named = tx.number(sql.clone().narrow("name_key =", Some(operator.name.to_lowercase()))).await?;
    let vouched = match &operator.provider {
        Some(provider) => tx.number(sql.narrow("provider =", Some(provider.as_str()))).await?,
        None => 0,
    };
    Ok(named + vouched > 0)
}

/// Refuses a change by which the last administrator would go.
async fn still_administered(tx: &mut Tx, before: &Operator) -> Result<(), OperatorError> {
    if !before.is_administrator() {
        return Ok(());
    }
    let rows = tx.fetch(Sql::new("SELECT * FROM operator WHERE disabled = 0")).await?;
    let all = rows.iter().map(operator_of_row).collect::<Result<Vec<_>, _>>()?;
    if all.iter().any(Operator::is_administrator) { Ok(()) } else { Err(OperatorError::Last) }
}

/// Ends all sign-ins of an operator within a transaction, and takes back the links by which they could begin anew.
pub(super) async fn sign_out(tx: &mut Tx, id: OperatorId) -> Result<u64, StoreError> {
    take_back_links(tx, id).await?;
    tx.execute(Sql::new("DELETE FROM operator_sign_in WHERE operator = ?").bind(id.as_bytes())).await
}

/// Takes back an operator's links: who made one may not have been allowed to make it for what they are now.
async fn take_back_links(tx: &mut Tx, id: OperatorId) -> Result<(), StoreError> {
    let sql = Sql::new("DELETE FROM operator_link WHERE operator = ?").bind(id.as_bytes());
    tx.execute(sql).await.map(drop)
}

fn roles(operator: &Operator) -> String {
    json!(operator.roles).to_string()
}

/// Sites as they are stored: a JSON list, or nothing for everywhere.
pub(super) fn sites(sites: &Sites) -> Option<String> {
    sites.list().map(|list| json!(list).to_string())
}

/// The sites of a row.
pub(super) fn sites_of(row: &Row, table: &'static str) -> Result<Sites, StoreError> {
    let unreadable = |e: serde_json::Error| StoreError::Unreadable { table, what: e.to_string() };
    let list: Option<Vec<String>> =
        row.maybe_text("sites")?.map(serde_json::from_str).transpose().map_err(unreadable)?;
    Ok(Sites::from(list))
}

fn described(operator: &Operator) -> Value {
    json!({
        "name": operator.name,
        "email": operator.email,
        "roles": operator.roles,
        "sites": operator.sites.list(),
        "disabled": operator.disabled,
        "provider": operator.provider,
    })
}

pub(super) fn operator_of_row(row: &Row) -> Result<Operator, StoreError> {
    let unreadable = |e: serde_json::Error| StoreError::Unreadable { table: TABLE, what: e.to_string() };
    let roles: Vec<String> = serde_json::from_str(row.text("roles")?).map_err(unreadable)?;
    Ok(Operator {
        id: OperatorId::from_bytes(row.id(TABLE, "id")?),
        name: row.text("name")?.to_owned(),
        email: row.maybe_text("email")?.map(str::to_owned),
        // What a later version knows, and this one does not, grants nothing.
        roles: roles.iter().filter_map(|code| code.parse().ok()).collect(),
        sites: sites_of(row, TABLE)?,
        disabled: row.int("disabled")? != 0,
        provider: row.maybe_text("provider")?.map(str::to_owned),
        created: row.time("created_us")?,
        version: row.int("version")?,
    })
}

fn passkey_of_row(row: &Row) -> Result<NamedPasskey, StoreError> {
    Ok(NamedPasskey {
        name: row.text("name")?.to_owned(),
        passkey: Passkey {
            id: row.blob("credential")?.to_vec(),
            fixed: row.blob("fixed")?.to_vec(),
            changing: row.blob("changing")?.to_vec(),
        },
        created: row.time("created_us")?,
        last_used: row.maybe_int("last_used_us")?.map(Timestamp::from_micros),
    })
}
