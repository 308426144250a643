//! Webhooks: what is told to whom, how it is signed, and when it is tried again. The form is that of Standard Webhooks
//! (<https://www.standardwebhooks.com>, specification 1.0.0).

pub mod message;
pub mod schedule;
pub mod signature;
pub mod topic;

use crate::ids::WebhookId;
use crate::time::Timestamp;
use std::time::Duration;
use topic::Topic;

/// Webhooks at most: each has a task and a queue.
pub const MAX_WEBHOOKS: usize = 50;
/// Topics of one webhook, at most.
pub const MAX_TOPICS: usize = 50;
/// How long a delivery is tried, unless the webhook says otherwise.
pub const GIVE_UP: Duration = Duration::from_secs(24 * 3600);
/// The least time that a webhook may say.
pub const GIVE_UP_LEAST: Duration = Duration::from_secs(10);
/// For how long after a change of the secret the one before signs, too: receivers are told of the new one meanwhile.
pub const OLD_SECRET: Duration = Duration::from_secs(24 * 3600);

/// Where something is told, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What it is for.
    pub name: String,
    /// Where it is told.
    pub url: String,
    /// What is told; at least one.
    pub topics: Vec<Topic>,
    /// Whether anything is.
    pub enabled: bool,
    /// How long one delivery is tried, counted from the first attempt.
    pub give_up: Duration,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created: Timestamp,
}

impl Webhook {
    /// Whether it is told of messages of this kind.
    pub fn wants(&self, kind: &str) -> bool {
        self.enabled && self.topics.iter().any(|topic| topic.covers(kind))
    }

    /// Whether it is told of any event of the audit log.
    pub fn wants_audit(&self) -> bool {
        self.enabled && self.topics.iter().any(Topic::is_of_audit)
    }
}
