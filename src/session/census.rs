//! Who is on the network, in numbers: by what they are and at which NAS, and whose last proof is the oldest.

use super::state::Session;
use crate::ids::SessionId;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The session whose endpoint proved itself the longest ago.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Oldest {
    /// Its id.
    pub session: SessionId,
    /// When it was let in last.
    pub proven: Timestamp,
    /// Whose it is: the identity, or else the MAC address.
    pub who: Option<String>,
    /// The NAS.
    pub nas: String,
}

/// The sessions that go on, in numbers.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Census {
    /// How many there are.
    pub total: u64,
    /// How many by the kind of identity (`None` where nobody was recognised) and the name of the NAS.
    pub by: BTreeMap<(Option<String>, String), u64>,
    /// Of those that were let in here, the one whose proof is the oldest.
    pub oldest: Option<Oldest>,
    /// Those that only accounting tells of: nobody was let in here as them.
    pub unproven: u64,
}

impl Census {
    /// Of those among `sessions` that go on.
    pub fn of<'a>(sessions: impl Iterator<Item = &'a Session>) -> Census {
        let mut census = Census::default();
        let mut oldest: Option<(Timestamp, &Session)> = None;
        for session in sessions.filter(|session| session.state().is_live()) {
            census.total += 1;
            let key = (session.kind().map(str::to_owned), session.key.nas_name.clone());
            *census.by.entry(key).or_default() += 1;
            match session.decision().map(|decision| decision.made_at()) {
                None => census.unproven += 1,
                Some(at) if oldest.is_none_or(|(known, _)| at < known) => oldest = Some((at, session)),
                Some(_) => {}
            }
        }
        census.oldest = oldest.map(|(proven, session)| Oldest {
            session: session.id,
            proven,
            who: session.identity().or(session.mac()).map(str::to_owned),
            nas: session.key.nas_name.clone(),
        });
        census
    }
}
