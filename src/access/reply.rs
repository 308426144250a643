//! From the authorization profile to the attributes of the Access-Accept.

use super::Snapshot;
use super::record::Draft;
use crate::ids::DecisionId;
use crate::policy::profile::{Profile, TerminationAction, Vlan};
use crate::radius::attribute as attr;
use crate::radius::builder::{AttributeTooLong, ReplyBuilder};

/// Tunnel-Type VLAN (RFC 3580, section 3.31).
const TUNNEL_TYPE_VLAN: u32 = 13;
/// Tunnel-Medium-Type IEEE-802 (RFC 3580, section 3.31).
const TUNNEL_MEDIUM_802: u32 = 6;
/// No tag: the attributes name one tunnel only (RFC 2868, section 3.1).
const UNTAGGED: u8 = 0;
/// The longest User-Name, in octets.
const MAX_TEXT_LEN: usize = 253;

/// Writes what `draft` was granted into the reply, and what was written into
/// the draft's record.
///
/// # Errors
/// When a value does not fit an attribute.
pub fn grant(
    reply: &mut ReplyBuilder,
    draft: &mut Draft,
    snapshot: &Snapshot,
    id: DecisionId,
) -> Result<(), AttributeTooLong> {
    let mut written = Vec::new();
    if let Some(profile) = draft.profile().and_then(|name| snapshot.profiles.get(name)) {
        push_profile(reply, profile, &mut written)?;
    }
    // The verified name, so that accounting speaks of the identity and not of
    // an anonymous outer name.
    if let Some(name) = draft.identity_name().filter(|n| n.len() <= MAX_TEXT_LEN) {
        reply.push_text(attr::USER_NAME, name)?;
        written.push(("User-Name".into(), name.into()));
    }
    let class = format!("cordon:{id}");
    reply.push_text(attr::CLASS, &class)?;
    written.push(("Class".into(), class));
    draft.reply = written;
    Ok(())
}

fn push_profile(
    reply: &mut ReplyBuilder,
    profile: &Profile,
    written: &mut Vec<(String, String)>,
) -> Result<(), AttributeTooLong> {
    let mut note = |name: &str, value: String| written.push((name.into(), value));
    if let Some(vlan) = &profile.vlan {
        let vlan = match vlan {
            Vlan::Id(id) => id.to_string(),
            Vlan::Name(name) => name.clone(),
        };
        reply.push_tagged_u24(attr::TUNNEL_TYPE, UNTAGGED, TUNNEL_TYPE_VLAN)?;
        reply.push_tagged_u24(attr::TUNNEL_MEDIUM_TYPE, UNTAGGED, TUNNEL_MEDIUM_802)?;
        reply.push_text(attr::TUNNEL_PRIVATE_GROUP_ID, &vlan)?;
        note("Tunnel-Type", "VLAN".into());
        note("Tunnel-Medium-Type", "IEEE-802".into());
        note("Tunnel-Private-Group-Id", vlan);
    }
    if let Some(filter) = &profile.filter_id {
        reply.push_text(attr::FILTER_ID, filter)?;
        note("Filter-Id", filter.clone());
    }
    if let Some(timeout) = profile.session_timeout {
        let secs = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
        reply.push_u32(attr::SESSION_TIMEOUT, secs)?;
        note("Session-Timeout", secs.to_string());
    }
    if let Some(action) = profile.termination_action {
        let (value, name) = match action {
            TerminationAction::Default => (0, "Default"),
            TerminationAction::RadiusRequest => (1, "RADIUS-Request"),
        };
        reply.push_u32(attr::TERMINATION_ACTION, value)?;
        note("Termination-Action", name.into());
    }
    reply.push_raw(&profile.attributes)?;
    for raw in &profile.raw {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        note(name.trim(), value.trim().into());
    }
    Ok(())
}
