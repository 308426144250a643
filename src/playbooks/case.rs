//! Cases: what people look into, what they said of it, and what was known when it was opened.

use crate::ids::{CaseId, IdentityId, RunId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Open cases at most, of some 100 KiB of evidence each: more than that nobody looks into.
pub const MAX_OPEN: i64 = 10_000;
/// Those of them about MAC addresses that are nobody's: anybody may show as many as they like, and must leave room.
pub const MAX_OPEN_OF_MACS: i64 = 1_000;
/// The most comments of a case.
pub const MAX_COMMENTS: usize = 500;

/// That no more cases are opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoRoom {
    /// There are [`MAX_OPEN`].
    #[error("{MAX_OPEN} cases are open, and there is no room for more; close some")]
    Open,
    /// There are [`MAX_OPEN_OF_MACS`] of those.
    #[error(
        "{MAX_OPEN_OF_MACS} cases about MAC addresses that are nobody's are open, and there is no room for more; close some"
    )]
    OpenOfMacs,
}

/// What somebody said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Comment {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// A case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// What it is about.
    pub title: String,
    /// The identity that it is about.
    pub identity: Option<IdentityId>,
    /// What they are called.
    pub who: String,
    /// The run that opened it.
    pub run: Option<RunId>,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who opened it.
    pub by: String,
    /// When it was closed.
    pub closed: Option<Timestamp>,
    /// What was said of it since.
    #[serde(default)]
    pub comments: Vec<Comment>,
}

impl Case {
    /// `open` or `closed`.
    pub const fn state(&self) -> &'static str {
        if self.closed.is_some() { "closed" } else { "open" }
    }

    /// Adds what somebody said; whether there is room.
    pub fn say(&mut self, by: &str, text: &str, at: Timestamp) -> bool {
        let room = self.comments.len() < MAX_COMMENTS;
        if room {
            self.comments.push(Comment { at, by: by.to_owned(), text: text.to_owned() });
        }
        room
    }
}
