//! The keys of another system, kept for a while, and asked for again when one is not known. That they were not to be had is
//! kept, too, so that nobody can have them asked for all the time.

use super::https::{self, FetchError};
use crate::time::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use std::time::Duration;

/// How long what another system says of itself is believed.
pub const KNOWN: Duration = Duration::from_secs(60 * 60);
/// How often its keys are asked for anew because of one that is not known.
const AGAIN: Duration = Duration::from_secs(30);
/// How long a system is not asked again that did not give its keys, counted from when it was asked: longer than an answer may
/// take, and short enough that one that comes back is believed soon.
pub const FAILED: Duration = Duration::from_secs(30);

/// Keys were not to be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    why: String,
    at: Timestamp,
}

impl Failure {
    /// At `now`, for this.
    pub fn new(error: &FetchError, now: Timestamp) -> Failure {
        Failure { why: error.to_string(), at: now }
    }

    /// What is answered instead of asking again; nothing, when it is time to ask.
    pub fn holds(&self, now: Timestamp) -> Option<FetchError> {
        let fresh = self.at <= now && now.since(self.at) < FAILED;
        fresh.then(|| FetchError::Transport(format!("its keys were not to be had a moment ago: {}", self.why)))
    }
}

/// Keys that another system publishes.
#[derive(Clone, Debug)]
pub struct Published {
    /// The client that asks.
    pub client: reqwest::Client,
    uri: String,
    /// The keys.
    pub keys: JwkSet,
    at: Timestamp,
    failed: Option<Failure>,
}

impl Published {
    /// Asks for the keys at `uri`.
    ///
    /// # Errors
    /// When they are not to be had.
    pub async fn fetch(client: reqwest::Client, uri: String, now: Timestamp) -> Result<Published, FetchError> {
        let keys = https::json(client.get(&uri)).await?;
        Ok(Published { client, uri, keys, at: now, failed: None })
    }

    /// Whether they are so old that they should be asked for again.
    pub fn is_old(&self, now: Timestamp) -> bool {
        self.at > now || now.since(self.at) >= KNOWN
    }

    /// Asks again, unless that was just now: one of them is not known.
    ///
    /// # Errors
    /// When they are not to be had, or were not [`FAILED`] ago; then those that are known stay.
    pub async fn again(&mut self, now: Timestamp) -> Result<(), FetchError> {
        if self.at <= now && now.since(self.at) < AGAIN {
            return Ok(());
        }
        if let Some(error) = self.failed.as_ref().and_then(|failed| failed.holds(now)) {
            return Err(error);
        }
        match https::json(self.client.get(&self.uri)).await {
            Ok(keys) => (self.keys, self.at, self.failed) = (keys, now, None),
            Err(error) => {
                self.failed = Some(Failure::new(&error, now));
                return Err(error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_remembered_for_a_moment() {
        let at = Timestamp::from_unix_secs(1_790_000_000);
        let failure = Failure::new(&FetchError::Transport("refused".into()), at);
        for after in [Duration::ZERO, FAILED - Duration::from_millis(1)] {
            assert!(failure.holds(at + after).unwrap().to_string().ends_with("refused"), "{after:?}");
        }
        assert!(failure.holds(at + FAILED).is_none());
        assert!(failure.holds(at - Duration::from_secs(1)).is_none(), "the clock was set back");
    }
}
