//! What was answered to requests that may be sent again.

use super::db::Sql;
use super::{Store, StoreError};
use crate::time::Timestamp;
use std::time::Duration;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Requests that are remembered. Beyond, the oldest are forgotten: sent again so late, they are done again.
const MOST: i64 = 100_000;

/// What is known of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// It is new, and is to be answered now.
    New,
    /// It was answered so.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body.
        answer: String,
    },
    /// It is being answered, or the answer was not kept.
    Unanswered,
    /// The key was used for another body.
    Other,
}

impl Store {
    /// Notes that a request came, by the digests of what it is and of its body; says what is known of it.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn asked(&self, digest: &[u8; 32], body: &[u8; 32], now: Timestamp) -> Result<Asked, StoreError> {
        self.db.execute(Sql::new("DELETE FROM idempotency WHERE created_us < ?").bind(now - KEPT)).await?;
        // Now and then: it walks over as many entries of an index as are kept.
        if digest[0] == 0 {
            let beyond = "DELETE FROM idempotency WHERE created_us < \
                          (SELECT created_us FROM idempotency ORDER BY created_us DESC LIMIT 1 OFFSET ?)";
            self.db.execute(Sql::new(beyond).bind(MOST)).await?;
        }
        let sql = "INSERT INTO idempotency (digest, body, created_us) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING";
        if self.db.execute(Sql::new(sql).bind(digest).bind(body).bind(now)).await? == 1 {
            return Ok(Asked::New);
        }
        let sql = Sql::new("SELECT body, status, answer FROM idempotency WHERE digest = ?").bind(digest);
        // It may have been taken back meanwhile.
        let Some(row) = self.db.fetch_one(sql).await? else { return Ok(Asked::Unanswered) };
        if row.blob("body")? != body {
            return Ok(Asked::Other);
        }
        let status = row.maybe_int("status")?.and_then(|status| u16::try_from(status).ok());
        Ok(match (status, row.maybe_text("answer")?) {
            (Some(status), Some(answer)) => Asked::Answered { status, answer: answer.to_owned() },
            _ => Asked::Unanswered,
        })
    }

    /// Keeps the answer to a request.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn answered(&self, digest: &[u8; 32], status: u16, answer: &str) -> Result<(), StoreError> {
        let sql = Sql::new("UPDATE idempotency SET status = ?, answer = ? WHERE digest = ?");
        self.db.execute(sql.bind(i64::from(status)).bind(answer).bind(digest)).await.map(drop)
    }

    /// Forgets a request that came to nothing: it may be tried again.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn not_answered(&self, digest: &[u8; 32]) -> Result<(), StoreError> {
        self.db.execute(Sql::new("DELETE FROM idempotency WHERE digest = ?").bind(digest)).await.map(drop)
    }
}
