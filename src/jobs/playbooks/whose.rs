//! Records of somebody: names are unique within a kind alone, and records are found by names.

use crate::access::Snapshot;
use crate::audit::decision::Decision;
use crate::inventory::identity::Identity;
use crate::session::state::{MAY_GO_ON, Session};
use crate::signals::signal::Subject;
use crate::store::read::{DecisionFilter, SessionFilter};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use std::sync::Arc;

/// Pages that are read for one of several who have the same name.
const MAX_PAGES: usize = 10;

/// Whose records.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    /// Those of an identity.
    Identity(Arc<Identity>),
    /// Those of a MAC address, in the normal spelling.
    Mac(String),
}

impl Whose {
    /// Somebody's; nothing of an identity that is no more.
    pub(super) fn of(subject: Subject, snapshot: &Snapshot) -> Option<Whose> {
        match subject {
            Subject::Identity(id) => snapshot.identities.by_id(id).cloned().map(Whose::Identity),
            Subject::Mac(mac) => Some(Whose::Mac(mac.to_string())),
        }
    }

    /// The identity.
    pub(super) fn identity(&self) -> Option<&Arc<Identity>> {
        match self {
            Whose::Identity(identity) => Some(identity),
            Whose::Mac(_) => None,
        }
    }

    /// What records are found by: the name, or the MAC address.
    pub(super) fn names(&self) -> (Option<String>, Option<String>) {
        match self {
            Whose::Identity(identity) => (Some(identity.name.to_string()), None),
            Whose::Mac(mac) => (None, Some(mac.clone())),
        }
    }

    /// Whether a session that was found is theirs.
    pub(super) fn has(&self, session: &Session) -> bool {
        self.identity().is_none_or(|identity| session.kind() == Some(identity.kind.as_str()))
    }

    /// Their latest decisions, at most so many.
    pub(super) async fn decisions(&self, store: &Store, most: usize) -> Result<Vec<Decision>, StoreError> {
        let (identity, mac) = self.names();
        let filter = DecisionFilter { identity, mac, ..DecisionFilter::default() };
        let has = |decision: &Decision| {
            let is = decision.identity.as_ref().map(|identity| identity.id);
            self.identity().is_none_or(|identity| is == Some(identity.id))
        };
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = store.decisions(&filter, after, most as u32).await?;
            found.extend(page.items.into_iter().filter(has));
            after = page.next;
            if after.is_none() || found.len() >= most {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Their latest sessions, at most so many.
    pub(super) async fn sessions(&self, store: &Store, most: usize) -> Result<Vec<Session>, StoreError> {
        self.sessions_of(store, SessionFilter::default(), most).await
    }

    /// Those that may go on.
    pub(super) async fn live_sessions(
        &self,
        store: &Store,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let may_go_on = Some(now - MAY_GO_ON);
        self.sessions_of(store, SessionFilter { may_go_on, ..SessionFilter::default() }, most).await
    }

    async fn sessions_of(&self, store: &Store, of: SessionFilter, most: usize) -> Result<Vec<Session>, StoreError> {
        let (identity, mac) = self.names();
        let filter = SessionFilter { identity, mac, ..of };
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = store.sessions(&filter, after, most as u32).await?;
            found.extend(page.items.into_iter().filter(|session| self.has(session)));
            after = page.next;
            if after.is_none() || found.len() >= most {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }
}
