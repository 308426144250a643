//! The keys of another system, kept for a while, and asked for again when one is not known.

use super::https::{self, FetchError};
use crate::time::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use std::time::Duration;

/// How long what another system says of itself is believed.
pub const KNOWN: Duration = Duration::from_secs(60 * 60);
/// How often its keys are asked for anew because of one that is not known.
const AGAIN: Duration = Duration::from_secs(30);

/// Keys that another system publishes.
#[derive(Clone, Debug)]
pub struct Published {
    /// The client that asks.
    pub client: reqwest::Client,
    uri: String,
    /// The keys.
    pub keys: JwkSet,
    at: Timestamp,
}

impl Published {
    /// Asks for the keys at `uri`.
    ///
    /// # Errors
    /// When they are not to be had.
    pub async fn fetch(client: reqwest::Client, uri: String, now: Timestamp) -> Result<Published, FetchError> {
        let keys = https::json(client.get(&uri)).await?;
        Ok(Published { client, uri, keys, at: now })
    }

    /// Whether they are so old that they should be asked for again.
    pub fn is_old(&self, now: Timestamp) -> bool {
        self.at > now || now.since(self.at) >= KNOWN
    }

    /// Asks again, unless that was just now: one of them is not known.
    ///
    /// # Errors
    /// When they are not to be had; then those that are known stay.
    pub async fn again(&mut self, now: Timestamp) -> Result<(), FetchError> {
        if self.at > now || now.since(self.at) >= AGAIN {
            self.keys = https::json(self.client.get(&self.uri)).await?;
            self.at = now;
        }
        Ok(())
    }
}
