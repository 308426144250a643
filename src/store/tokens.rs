//! API tokens.

use super::db::{Row, Sql};
use super::operators::{sites, sites_of};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::{OperatorId, TokenId};
use crate::operators::token::{ApiToken, LAST_USE_STEP};
use crate::time::Timestamp;
use serde_json::{Value, json};

/// Tokens at most: a list that people look through.
pub const MAX_TOKENS: i64 = 10_000;
/// What the audit log calls one.
const KIND: &str = "token";

impl Store {
    /// Stores a new token. Whether there was room.
    ///
    /// # Errors
    /// When the database does not; then it is not stored.
    pub async fn add_token(&self, token: &ApiToken, digest: &[u8; 32], by: &By) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.number(Sql::new("SELECT count(*) AS n FROM api_token")).await? >= MAX_TOKENS {
            return Ok(false);
        }
        let permissions = permissions(token);
        let sql = "INSERT INTO api_token (id, name, digest, permissions, created_by, created_us, expires_us, \
                   operator, sites) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let sql = Sql::new(sql).bind(token.id.as_bytes()).bind(&token.name).bind(digest).bind(permissions.to_string());
        let sql = sql.bind(&token.created_by).bind(token.created).bind(token.expires);
        let operator = token.operator.as_ref().map(|id| id.as_bytes().as_slice());
        tx.execute(sql.bind(operator).bind(sites(&token.sites))).await?;
        let after = json!({ "name": token.name, "permissions": permissions, "sites": token.sites.list(), "expires": token.expires });
        let event = Event::new(by, "token.create", KIND, &token.id.to_string(), token.created);
        audit::append(&mut tx, vec![event.states(Value::Null, after)]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The token with this digest of its value.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token_by_digest(&self, digest: &[u8; 32]) -> Result<Option<ApiToken>, StoreError> {
        let row = self.db.fetch_one(Sql::new("SELECT * FROM api_token WHERE digest = ?").bind(digest)).await?;
        row.as_ref().map(token_of_row).transpose()
    }

    /// One token.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token(&self, id: TokenId) -> Result<Option<ApiToken>, StoreError> {
        let row = self.db.fetch_one(Sql::new("SELECT * FROM api_token WHERE id = ?").bind(id.as_bytes())).await?;
        row.as_ref().map(token_of_row).transpose()
    }

    /// All tokens, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let rows = self.db.fetch(Sql::new("SELECT * FROM api_token ORDER BY id DESC")).await?;
        rows.iter().map(token_of_row).collect()
    }

    /// Notes that a token was used, unless that was noted a minute ago.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn token_used(&self, token: &ApiToken, now: Timestamp) -> Result<(), StoreError> {
        if token.last_used.is_some_and(|at| now.since(at) < LAST_USE_STEP) {
            return Ok(());
        }
        let sql = Sql::new("UPDATE api_token SET last_used_us = ? WHERE id = ?").bind(now).bind(token.id.as_bytes());
        self.db.execute(sql).await.map(drop)
    }

    /// Takes a token back. Whether it was there and good.
    ///
    /// # Errors
    /// When the database does not; then it stays as it was.
    pub async fn revoke_token(&self, token: &ApiToken, by: &By, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = Sql::new("UPDATE api_token SET revoked_us = ? WHERE revoked_us IS NULL AND id = ?");
        if tx.execute(sql.bind(now).bind(token.id.as_bytes())).await? != 1 {
            return Ok(false);
        }
        let before = json!({ "name": token.name, "permissions": permissions(token) });
        let event = Event::new(by, "token.revoke", KIND, &token.id.to_string(), now);
        audit::append(&mut tx, vec![event.states(before, Value::Null)]).await?;
        tx.commit().await?;
        Ok(true)
    }
}

fn permissions(token: &ApiToken) -> Value {
    token.permissions.each().map(|permission| permission.code()).collect()
}

fn token_of_row(row: &Row) -> Result<ApiToken, StoreError> {
    let unreadable = |what: String| StoreError::Unreadable { table: "api_token", what };
    let codes: Vec<String> = serde_json::from_str(row.text("permissions")?).map_err(|e| unreadable(e.to_string()))?;
    let maybe = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(Timestamp::from_micros));
    Ok(ApiToken {
        id: TokenId::from_bytes(row.id("api_token", "id")?),
        name: row.text("name")?.to_owned(),
        // What a later version knows, and this one does not, is not granted.
        permissions: codes.iter().filter_map(|code| code.parse().ok()).collect(),
        sites: sites_of(row, "api_token")?,
        operator: match row.maybe_blob("operator")? {
            Some(id) => {
                let id = <[u8; 16]>::try_from(id).map_err(|_| unreadable("its operator is no id".into()))?;
                Some(OperatorId::from_bytes(id))
            }
            None => None,
        },
        created_by: row.text("created_by")?.to_owned(),
        created: row.time("created_us")?,
        expires: row.time("expires_us")?,
        last_used: maybe("last_used_us")?,
        revoked: maybe("revoked_us")?,
    })
}
