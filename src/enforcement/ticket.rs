//! Tickets: by one, the page that a NAS sends a browser to knows whose browser it is. A NAS's redirect says nothing else
//! that could be trusted; a ticket names the decision that granted the redirect, and nobody else can make one.

use crate::ids::DecisionId;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq;

/// What stands for a ticket in the URL of a `[[profile]]`, and in records: who reads them gets no ticket.
pub const TICKET: &str = "{ticket}";
/// Octets of a decision's id.
const ID_LEN: usize = 16;
/// Octets of the tag, of the 32 that HMAC-SHA-256 has: nobody guesses 128 bits, and a URL stays short.
const TAG_LEN: usize = 16;
/// What keeps the room for a ticket, 32 octets in base64url, in attributes that are made before anybody logs in.
pub(super) const ROOM: &str = "{ticket...................................}";

/// Makes tickets, and reads them. Its key is never shown.
pub struct Tickets(Key);

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets(***)")
    }
}

impl Tickets {
    /// Tickets by this key.
    pub fn new(key: &[u8; 32]) -> Tickets {
        Tickets(Key::new(HMAC_SHA256, key))
    }

    /// The ticket of a decision.
    pub fn of(&self, decision: DecisionId) -> String {
        let id = decision.as_bytes();
        let tag = sign(&self.0, id);
        let tag = tag.as_ref().get(..TAG_LEN).unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode([id.as_slice(), tag].concat())
    }

    /// The decision that a ticket is of; nothing, if it is none of ours.
    pub fn read(&self, ticket: &str) -> Option<DecisionId> {
        let octets = BASE64_URL_SAFE_NO_PAD.decode(ticket).ok()?;
        let id = octets.first_chunk::<ID_LEN>()?;
        let ours = self.of(DecisionId::from_bytes(*id));
        bool::from(ours.as_bytes().ct_eq(ticket.as_bytes())).then(|| DecisionId::from_bytes(*id))
    }
}

/// Where in encoded attributes there is room for tickets.
pub(super) fn rooms(attributes: &[u8]) -> Vec<usize> {
    let room = ROOM.as_bytes();
    attributes.windows(room.len()).enumerate().filter(|(_, octets)| *octets == room).map(|(at, _)| at).collect()
}

/// Attributes with a ticket in each room.
pub(super) fn filled(attributes: &[u8], rooms: &[usize], ticket: &str) -> Vec<u8> {
    let mut own = attributes.to_vec();
    for at in rooms {
        if let Some(room) = own.get_mut(*at..*at + ROOM.len()).filter(|room| room.len() == ticket.len()) {
            room.copy_from_slice(ticket.as_bytes());
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_ticket_is_read_by_who_made_it_alone() {
        let (tickets, at) = (Tickets::new(&[7; 32]), Timestamp::from_unix_secs(1_700_000_000));
        let (id, other) = (DecisionId::new(at), DecisionId::new(at));
        let ticket = tickets.of(id);
        assert_eq!(ticket.len(), ROOM.len());
        assert_eq!(tickets.read(&ticket), Some(id));
        assert_ne!(tickets.of(other), ticket);
        assert_eq!(Tickets::new(&[8; 32]).read(&ticket), None);
        for at in 0..ticket.len() {
            let wrong = if &ticket[at..=at] == "A" { "B" } else { "A" };
            let mut changed = ticket.clone();
            changed.replace_range(at..=at, wrong);
            assert_eq!(tickets.read(&changed), None, "{changed}");
            assert_eq!(tickets.read(&ticket[..at]), None);
        }
        assert_eq!(tickets.read(&format!("{ticket}A")), None);
    }
}
