//! Sign-ins of operators, and the links that they begin with.

use super::db::Sql;
use super::operators::{OperatorError, insert, operator_of_row, sign_out};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event, Outcome};
use crate::ids::{OperatorId, SignInId};
use crate::operators::account::Operator;
use crate::operators::sign_in::{IDLE, LIFE, LINK_LIFE, Means, SEEN_STEP, SignIn};
use crate::time::Timestamp;
use serde_json::{Value, json};

const TABLE: &str = "operator_sign_in";
/// Sign-ins of one operator at once: beyond, the oldest ends.
const MAX_EACH: i64 = 50;

/// What a link leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Invited {
    /// To the making of the first operator.
    First,
    /// To one who is there.
    Operator(Operator),
}

impl Store {
    /// Whether there is an operator.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_operators(&self) -> Result<bool, StoreError> {
        Ok(self.db.fetch_one(Sql::new("SELECT 1 AS n FROM operator LIMIT 1")).await?.is_some())
    }

    /// Makes a link, which is known by the digest of its secret part, in place of those made before for the same.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn add_link(
        &self,
        digest: &[u8; 32],
        to: Option<&Operator>,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        tx.execute(Sql::new("DELETE FROM operator_link WHERE expires_us <= ?").bind(now)).await?;
        match to {
            Some(to) => {
                let sql = Sql::new("DELETE FROM operator_link WHERE operator = ?").bind(to.id.as_bytes());
                tx.execute(sql).await?
            }
            None => tx.execute(Sql::new("DELETE FROM operator_link WHERE operator IS NULL")).await?,
        };
        let sql = Sql::new("INSERT INTO operator_link (digest, operator, expires_us) VALUES (?, ?, ?)").bind(digest);
        tx.execute(sql.bind(to.map(|to| to.id.as_bytes().as_slice())).bind(now + LINK_LIFE)).await?;
        let name = to.map_or("the first", |to| &to.name);
        audit::append(&mut tx, vec![Event::new(by, "operator.invite", "operator", name, now)]).await?;
        tx.commit().await
    }

    /// Links that end between these times: whom each lets in, where that is not the first operator, and when it ends.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn links(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Option<String>, Timestamp)>, StoreError> {
        let sql = "SELECT operator.name AS name, operator_link.expires_us AS at FROM operator_link \
                   LEFT JOIN operator ON operator.id = operator_link.operator \
                   WHERE operator_link.expires_us >= ? AND operator_link.expires_us <= ? ORDER BY at LIMIT 500";
        let rows = self.db.fetch(Sql::new(sql).bind(from).bind(until)).await?;
        rows.iter().map(|row| Ok((row.maybe_text("name")?.map(str::to_owned), row.time("at")?))).collect()
    }

    /// Where a link leads, if it is good.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn link(&self, digest: &[u8; 32], now: Timestamp) -> Result<Option<Invited>, StoreError> {
        let sql = Sql::new("SELECT operator FROM operator_link WHERE digest = ? AND expires_us > ?");
        let Some(row) = self.db.fetch_one(sql.bind(digest).bind(now)).await? else { return Ok(None) };
        let Some(id) = row.maybe_blob("operator")? else {
            return Ok((!self.has_operators().await?).then_some(Invited::First));
        };
        let id = <[u8; 16]>::try_from(id)
            .map_err(|_| StoreError::Unreadable { table: "operator_link", what: "its operator is no id".into() })?;
        let operator = self.operator(OperatorId::from_bytes(id)).await?;
        Ok(operator.filter(|operator| !operator.disabled).map(Invited::Operator))
    }

    /// Uses a link up, and signs its operator in, who is made if `first` is given. `None` when it was used meanwhile.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub async fn follow_link(
        &self,
        link: &[u8; 32],
        first: Option<&Operator>,
        sign_in: &SignIn,
        cookie: &[u8; 32],
        by: &By,
    ) -> Result<Option<()>, OperatorError> {
        let mut tx = self.db.begin().await?;
        let used = tx.execute(Sql::new("DELETE FROM operator_link WHERE digest = ?").bind(link)).await?;
        if used != 1 {
            return Ok(None);
        }
        if let Some(first) = first {
            if tx.number(Sql::new("SELECT count(*) AS n FROM operator")).await? > 0 {
                return Ok(None);
            }
            insert(&mut tx, first, by, sign_in.at).await?;
        }
        insert_sign_in(&mut tx, sign_in, cookie, by).await?;
        tx.commit().await?;
        Ok(Some(()))
    }

    /// Signs somebody in: from now on, who shows the cookie is they.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn add_sign_in(&self, sign_in: &SignIn, cookie: &[u8; 32], by: &By) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        insert_sign_in(&mut tx, sign_in, cookie, by).await?;
        tx.commit().await
    }

    /// Whose cookie this is: the sign-in, if it is good, and its operator, if they are not shut out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn signed_in(&self, cookie: &[u8; 32], now: Timestamp) -> Result<Option<(SignIn, Operator)>, StoreError> {
        let sql = "SELECT operator.*, s.id AS sign_in, s.means, s.whole, s.at_us, s.seen_us, s.address, s.browser \
                   FROM operator_sign_in AS s JOIN operator ON operator.id = s.operator WHERE s.digest = ?";
        let Some(row) = self.db.fetch_one(Sql::new(sql).bind(cookie)).await? else { return Ok(None) };
        let (sign_in, operator) = (sign_in_of_row(&row, "sign_in")?, operator_of_row(&row)?);
        let sign_in = SignIn { operator: operator.id, ..sign_in };
        Ok((sign_in.is_good(now) && !operator.disabled).then_some((sign_in, operator)))
    }

    /// Notes that a sign-in is used, unless that was noted a minute ago.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn seen(&self, sign_in: &SignIn, now: Timestamp) -> Result<(), StoreError> {
        if now.since(sign_in.seen) < SEEN_STEP {
            return Ok(());
        }
        let sql = Sql::new("UPDATE operator_sign_in SET seen_us = ? WHERE id = ?").bind(now);
        self.db.execute(sql.bind(sign_in.id.as_bytes())).await.map(drop)
    }

    /// A sign-in opens all that its operator may from now on.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn make_whole(&self, id: SignInId) -> Result<(), StoreError> {
        let sql = Sql::new("UPDATE operator_sign_in SET whole = 1 WHERE id = ?").bind(id.as_bytes());
        self.db.execute(sql).await.map(drop)
    }

    /// The sign-ins of an operator that are good, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sign_ins(&self, operator: OperatorId, now: Timestamp) -> Result<Vec<SignIn>, StoreError> {
        let sql = Sql::new("SELECT * FROM operator_sign_in WHERE operator = ? ORDER BY at_us DESC");
        let rows = self.db.fetch(sql.bind(operator.as_bytes())).await?;
        let all = rows.iter().map(|row| sign_in_of_row(row, "id").map(|sign_in| SignIn { operator, ..sign_in }));
        Ok(all.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|sign_in| sign_in.is_good(now)).collect())
    }

    /// Ends one sign-in of an operator. Whether it was there.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn end_sign_in(
        &self,
        operator: &Operator,
        id: SignInId,
        by: &By,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = Sql::new("DELETE FROM operator_sign_in WHERE operator = ? AND id = ?").bind(operator.id.as_bytes());
        let gone = tx.execute(sql.bind(id.as_bytes())).await? == 1;
        if gone {
            audit::append(&mut tx, vec![Event::new(by, "sign_out", "operator", &operator.name, now)]).await?;
            tx.commit().await?;
        }
        Ok(gone)
    }

    /// Ends all sign-ins of an operator, and gives how many there were.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn end_sign_ins(&self, operator: &Operator, by: &By, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db.begin().await?;
        let count = sign_out(&mut tx, operator.id).await?;
        let event = Event::new(by, "sign_out.all", "operator", &operator.name, now);
        audit::append(&mut tx, vec![event.states(json!({ "sign_ins": count }), Value::Null)]).await?;
        tx.commit().await?;
        Ok(count)
    }

    /// Notes in the audit log that somebody was not let in, and why.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn not_signed_in(&self, name: &str, why: &str, by: &By, now: Timestamp) -> Result<(), StoreError> {
        let event = Event::new(by, "sign_in", "operator", name, now).because(why);
        self.audit(vec![Event { outcome: Outcome::Failure, ..event }]).await
    }
}

async fn insert_sign_in(
    tx: &mut super::db::Tx,
    sign_in: &SignIn,
    cookie: &[u8; 32],
    by: &By,
) -> Result<(), StoreError> {
    let over = Sql::new("DELETE FROM operator_sign_in WHERE seen_us < ? OR at_us < ?");
    tx.execute(over.bind(sign_in.at - IDLE).bind(sign_in.at - LIFE)).await?;
    let oldest = "DELETE FROM operator_sign_in WHERE operator = ? AND id NOT IN (SELECT id FROM operator_sign_in \
                  WHERE operator = ? ORDER BY at_us DESC LIMIT ?)";
    let id = sign_in.operator.as_bytes();
    tx.execute(Sql::new(oldest).bind(id).bind(id).bind(MAX_EACH - 1)).await?;
    let sql = "INSERT INTO operator_sign_in (digest, id, operator, means, whole, at_us, seen_us, address, browser) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let sql = Sql::new(sql).bind(cookie).bind(sign_in.id.as_bytes()).bind(id).bind(sign_in.means.code());
    let sql = sql.bind(sign_in.whole).bind(sign_in.at).bind(sign_in.seen).bind(&sign_in.from).bind(&sign_in.browser);
    tx.execute(sql).await?;
    let event = Event::new(by, "sign_in", "operator", &by.actor, sign_in.at);
    let after = json!({ "means": sign_in.means.code(), "browser": sign_in.browser });
    audit::append(tx, vec![event.states(Value::Null, after)]).await?;
    Ok(())
}

fn sign_in_of_row(row: &super::db::Row, id: &str) -> Result<SignIn, StoreError> {
    let means = row.text("means")?;
    let unreadable = || StoreError::Unreadable { table: TABLE, what: format!("{means:?} is no means of signing in") };
    Ok(SignIn {
        id: SignInId::from_bytes(row.id(TABLE, id)?),
        operator: OperatorId::from_bytes([0; 16]),
        means: Means::of_code(means).ok_or_else(unreadable)?,
        whole: row.int("whole")? != 0,
        at: row.time("at_us")?,
        seen: row.time("seen_us")?,
        from: row.text("address")?.to_owned(),
        browser: row.text("browser")?.to_owned(),
    })
}
