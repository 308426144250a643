//! The attributes of the Access-Accept.

use super::record::Draft;
use crate::audit::decision::class_of;
use crate::enforcement::ticket::Tickets;
use crate::ids::DecisionId;
use crate::radius::attribute as attr;
use crate::radius::builder::{AttributeTooLong, ReplyBuilder};

/// The longest User-Name, in octets.
const MAX_TEXT_LEN: usize = 253;

/// Writes what `draft` was granted into the reply, and what was written into
/// the draft's record. At a NAS that is only observed nothing is granted: ports
/// stay as they are without a RADIUS server.
///
/// # Errors
/// When a value does not fit an attribute.
pub fn grant(
    reply: &mut ReplyBuilder<'_>,
    draft: &mut Draft,
    id: DecisionId,
    tickets: &Tickets,
) -> Result<(), AttributeTooLong> {
    let mut written = Vec::new();
    let observed = draft.observes();
    if let Some(spelled) = draft.spelled().filter(|_| !observed) {
        reply.push_raw(&spelled.for_decision(id, tickets));
        written.extend(spelled.shown.iter().cloned());
        if let Some(secs) = spelled.session_timeout.map(|timeout| timeout.of(id)) {
            reply.push_u32(attr::SESSION_TIMEOUT, secs)?;
            written.push(("Session-Timeout".into(), secs.to_string()));
        }
    }
    // The verified name, so that accounting speaks of the identity and not of
    // an anonymous outer name.
    if let Some(name) = draft.identity_name().filter(|n| n.len() <= MAX_TEXT_LEN) {
        reply.push_text(attr::USER_NAME, name)?;
        written.push(("User-Name".into(), name.into()));
    }
    let class = class_of(id);
    reply.push_text(attr::CLASS, &class)?;
    written.push(("Class".into(), class));
    draft.reply = written;
    Ok(())
}
