//! What was counted of attempts, after a start: from the latest that are stored.

use super::{Store, StoreError};
use crate::audit::decision::DecisionOutcome;
use crate::audit::reason::Reason;
use crate::audit::tally::{Attempt, SPAN, Tally};
use crate::time::Timestamp;
use serde::Deserialize;

/// Attempts that are read at a start: less than a second of work.
const RECALLED: u32 = 20_000;

/// What is read of a record.
#[derive(Deserialize)]
struct Ended {
    at: Timestamp,
    outcome: DecisionOutcome,
    reason: Reason,
    method: String,
}

impl Store {
    /// What was counted within the day that ends with the latest attempt, as far back as so many attempts go.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn tally(&self) -> Result<Tally, StoreError> {
        let (bodies, more) = self.decision_bodies(Timestamp::default(), None, RECALLED).await?;
        // A record that a later version wrote counts for nothing, and stops no start.
        let ended: Vec<Ended> = bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect();
        let oldest = ended.last().map(|ended| ended.at).filter(|_| more.is_some());
        let latest = ended.first().map_or(Timestamp::default(), |ended| ended.at);
        let mut tally = Tally::new(oldest.unwrap_or_default());
        for Ended { at, outcome, reason, method } in ended.iter().filter(|ended| latest.since(ended.at) <= SPAN) {
            tally.add(&Attempt { at: *at, outcome: *outcome, reason: *reason, method });
        }
        Ok(tally)
    }
}
