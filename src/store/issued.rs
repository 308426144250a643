//! Certificates that were issued here.

use super::db::{Row, Sql};
use super::read::{Page, page};
use super::shared_signals::of_certificate;
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::IdentityId;
use crate::time::Timestamp;
use serde_json::{Value, json};

/// What the audit log calls one.
const KIND: &str = "certificate";

/// A certificate that was issued here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issued {
    /// In lower-case hexadecimal.
    pub serial: String,
    /// Who signed it.
    pub issuer: String,
    /// Whom it names.
    pub subject: String,
    /// For whom it was issued.
    pub identity: IdentityId,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When it was issued.
    pub issued: Timestamp,
    /// Who asked for it.
    pub issued_by: String,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// Which certificates to read.
#[derive(Clone, Debug, Default)]
pub struct IssuedFilter {
    /// Of this identity.
    pub identity: Option<IdentityId>,
    /// That end before.
    pub ends_before: Option<Timestamp>,
    /// Whether they are revoked.
    pub revoked: Option<bool>,
    /// What their serial numbers begin with, in lower-case hexadecimal.
    pub serial: Option<String>,
    /// A part of whom they name; the case of ASCII letters does not matter.
    pub subject: Option<String>,
}

/// Rows that one page looks at for a part of a name: no index knows parts.
const LOOKS: i64 = 8_000;
/// What comes after all hexadecimal digits, in every order of letters.
const AFTER_DIGITS: char = 'g';

/// A place in the order in which certificates end.
pub type IssuedPlace = (Timestamp, String);

impl Store {
    /// Notes that a certificate was issued.
    ///
    /// # Errors
    /// When the database does not; then it must not be handed out.
    pub async fn add_issued(&self, issued: &Issued, by: &By) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO issued_certificate (serial, issuer, subject, identity_id, not_before_us, not_after_us, \
                   issued_us, issued_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let sql = Sql::new(sql).bind(&issued.serial).bind(&issued.issuer).bind(&issued.subject);
        let sql = sql.bind(issued.identity.as_bytes()).bind(issued.not_before).bind(issued.not_after);
        tx.execute(sql.bind(issued.issued).bind(&issued.issued_by)).await?;
        let after = json!({ "subject": issued.subject, "identity": issued.identity, "not_after": issued.not_after });
        let event = Event::new(by, "certificate.issue", KIND, &issued.serial, issued.issued);
        audit::append(&mut tx, vec![event.states(Value::Null, after)]).await?;
        let told = self.tell(&mut tx, &[of_certificate(issued, false, "", issued.issued)]).await?;
        tx.commit().await?;
        self.ring(told);
        Ok(())
    }

    /// Notes that certificates are revoked; of those that were so before, nothing is noted.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn mark_revoked(&self, all: &[Issued], why: &str, by: &By, now: Timestamp) -> Result<(), StoreError> {
        let (mut tx, mut told) = (self.db.begin().await?, false);
        for issued in all {
            let sql = Sql::new("UPDATE issued_certificate SET revoked_us = ? WHERE revoked_us IS NULL AND serial = ?");
            if tx.execute(sql.bind(now).bind(&issued.serial)).await? == 1 {
                let before = json!({ "subject": issued.subject, "identity": issued.identity });
                let event = Event::new(by, "certificate.revoke", KIND, &issued.serial, now);
                audit::append(&mut tx, vec![event.states(before, Value::Null).because(why)]).await?;
                told |= self.tell(&mut tx, &[of_certificate(issued, true, why, now)]).await?;
            }
        }
        tx.commit().await?;
        self.ring(told);
        Ok(())
    }

    /// One certificate.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn issued_one(&self, serial: &str) -> Result<Option<Issued>, StoreError> {
        let sql = Sql::new("SELECT * FROM issued_certificate WHERE serial = ?").bind(serial);
        self.db.fetch_one(sql).await?.as_ref().map(issued_of_row).transpose()
    }

    /// Certificates in the order in which they end, after this place; at most so many. A page may be short, and still
    /// have a next one, when a part of a name is looked for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn issued(
        &self,
        filter: &IssuedFilter,
        after: Option<IssuedPlace>,
        limit: u32,
    ) -> Result<Page<Issued, IssuedPlace>, StoreError> {
        let (end, serial) = after.unwrap_or((Timestamp::from_micros(i64::MIN), String::new()));
        let sql = "SELECT * FROM issued_certificate WHERE (not_after_us, serial) > (?, ?)";
        let sql = Sql::new(sql).bind(end).bind(serial);
        let sql = sql.narrow("identity_id =", filter.identity.as_ref().map(|id| id.as_bytes().as_slice()));
        let sql = sql.narrow("not_after_us <", filter.ends_before).narrow("serial >=", filter.serial.as_deref());
        let sql = sql.narrow("serial <", filter.serial.as_deref().map(|start| format!("{start}{AFTER_DIGITS}")));
        let sql = match filter.revoked {
            Some(true) => sql.then(" AND revoked_us IS NOT NULL"),
            Some(false) => sql.then(" AND revoked_us IS NULL"),
            None => sql,
        };
        let (sql, most) = (sql.then(ORDER), i64::from(limit) + 1);
        let place = |issued: &Issued| (issued.not_after, issued.serial.clone());
        let Some(part) = &filter.subject else {
            let rows = self.db.fetch(sql.then(" LIMIT ?").bind(most)).await?;
            return Ok(page(rows.iter().map(issued_of_row).collect::<Result<_, _>>()?, limit, place));
        };
        let looked = Sql::new("SELECT * FROM (").join(&sql).then(" LIMIT ?").bind(LOOKS);
        let found = looked.then(") AS looked WHERE lower(subject) LIKE ? ESCAPE '!'").bind(containing(part));
        let rows = self.db.fetch(found.then(ORDER).then(" LIMIT ?").bind(most)).await?;
        let mut found = page(rows.iter().map(issued_of_row).collect::<Result<_, _>>()?, limit, place);
        if found.next.is_none() {
            let last = sql.then(" LIMIT 1 OFFSET ?").bind(LOOKS - 1);
            found.next = self.db.fetch_one(last).await?.as_ref().map(issued_of_row).transpose()?.as_ref().map(place);
        }
        Ok(found)
    }
}

const ORDER: &str = " ORDER BY not_after_us, serial";

/// What is like all that contains this.
fn containing(part: &str) -> String {
    let mut like = String::from("%");
    for letter in part.chars() {
        if matches!(letter, '%' | '_' | '!') {
            like.push('!');
        }
        like.push(letter.to_ascii_lowercase());
    }
    like + "%"
}

fn issued_of_row(row: &Row) -> Result<Issued, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    Ok(Issued {
        serial: text("serial")?,
        issuer: text("issuer")?,
        subject: text("subject")?,
        identity: IdentityId::from_bytes(row.id("issued_certificate", "identity_id")?),
        not_before: row.time("not_before_us")?,
        not_after: row.time("not_after_us")?,
        issued: row.time("issued_us")?,
        issued_by: text("issued_by")?,
        revoked: row.maybe_int("revoked_us")?.map(Timestamp::from_micros),
    })
}
