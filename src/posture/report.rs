//! One report: who says what of whom, as of when, and for how long it holds.

use super::check::{Check, Value};
use crate::ids::IdentityId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How long a value holds if its report does not say.
pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 3600);
/// Values that hold for longer are no reports but claims.
pub const MAX_TTL: Duration = Duration::from_secs(30 * 24 * 3600);
/// Values that hold for less would be stale before a switch has heard of them.
pub const MIN_TTL: Duration = Duration::from_secs(10);
/// How far the clock of who reports may be ahead of ours.
pub const MAX_AHEAD: Duration = Duration::from_secs(120);
/// An older report tells of the past, and changes nothing.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The most checks of a report.
pub const MAX_CHECKS: usize = 128;

/// Who reports.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Source {
    /// The endpoint itself, by its certificate.
    Endpoint,
    /// An osquery that was enrolled.
    Osquery,
    /// Another system, by its token: the token's name.
    Connector(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Endpoint => f.write_str("the endpoint"),
            Source::Osquery => f.write_str("osquery"),
            Source::Connector(name) => f.write_str(name),
        }
    }
}

/// A report that was read, and not yet taken in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Of whom.
    pub identity: IdentityId,
    /// Who says so.
    pub source: Source,
    /// As of when, by the clock of who reports.
    pub at: Timestamp,
    /// What was found.
    pub checks: BTreeMap<Check, Observed>,
}

/// A value, and how long it holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Observed {
    /// The value.
    pub value: Value,
    /// How long, in whole seconds.
    pub ttl_secs: u32,
}

/// Why a report is not taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// Its time is ahead of ours.
    #[error("the report is of {0}, which is to come: correct the clock of who reports")]
    Ahead(Timestamp),
    /// It is too old to tell anything.
    #[error("the report is of {0}, which is too long ago: report what is so now")]
    Old(Timestamp),
    /// The same source has reported something newer.
    #[error("the report is of {given}, and one of {known} came before: it is a repetition or came too late")]
    Replayed {
        /// Its time.
        given: Timestamp,
        /// That of the newer one.
        known: Timestamp,
    },
}

impl Report {
    /// Whether it may be taken in at `now`, where the same source reported last as of `latest`. The same
    /// report again is no error, and changes nothing; another of the same instant is one.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn admit(&self, latest: Option<Timestamp>, now: Timestamp) -> Result<(), Refused> {
        if self.at > now + MAX_AHEAD {
            return Err(Refused::Ahead(self.at));
        }
        if self.at + MAX_AGE < now {
            return Err(Refused::Old(self.at));
        }
        match latest {
            Some(known) if self.at <= known => Err(Refused::Replayed { given: self.at, known }),
            _ => Ok(()),
        }
    }
}
