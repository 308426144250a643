//! Authorization profiles: what a rule grants, in neutral words.

use super::acl::AclRule;
use super::vlan::VlanPlan;
use crate::ids::DecisionId;
use aws_lc_rs::digest::{SHA256, digest};
use std::time::Duration;

/// What is granted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// The name that rules use.
    pub name: String,
    /// The VLAN to be put on, by site.
    pub vlan: Option<VlanPlan>,
    /// Further VLANs, whose frames carry their tag.
    pub tagged_vlans: Vec<u16>,
    /// The port's voice VLAN may be used.
    pub voice: bool,
    /// The name of a filter that the NAS knows.
    pub filter_id: Option<String>,
    /// What the endpoint may reach.
    pub acl: Vec<AclRule>,
    /// The name of a role or group policy that the NAS knows.
    pub role: Option<String>,
    /// A security group tag.
    pub security_group: Option<u16>,
    /// A page that web traffic is sent to.
    pub redirect: Option<Redirect>,
    /// How long the session lasts.
    pub session_timeout: Option<SessionTimeout>,
    /// How long it may be idle.
    pub idle_timeout: Option<Duration>,
    /// What happens when the session's time is up.
    pub termination_action: Option<TerminationAction>,
    /// Further attributes as they are written, `Name = value`.
    pub raw: Vec<String>,
    /// The same, encoded.
    pub attributes: Vec<u8>,
}

/// A page that web traffic is sent to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// The page.
    pub url: String,
    /// The name of the NAS's list of what is redirected, where it wants one.
    pub acl: Option<String>,
}

/// The most jitter, in percent: beyond it, endpoints log in twice as often as the
/// timeout says.
pub const MAX_JITTER: u8 = 50;

/// How long a session lasts: each somewhat shorter than the next, so that a
/// building which came up in one second does not log in again in one second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionTimeout {
    /// Seconds, the longest that is granted.
    longest: u32,
    /// Percent of it that may be taken off.
    jitter: u8,
}

impl SessionTimeout {
    /// At most `longest` seconds, and up to `jitter` percent less. `None` when the
    /// jitter is above [`MAX_JITTER`].
    pub fn new(longest: u32, jitter: u8) -> Option<Self> {
        (jitter <= MAX_JITTER).then_some(Self { longest, jitter })
    }

    /// The seconds of one login: always the same for one decision.
    pub fn of(&self, decision: DecisionId) -> u32 {
        let spread = u64::from(self.longest) * u64::from(self.jitter) / 100;
        let drawn = digest(&SHA256, decision.as_bytes()).as_ref().iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b));
        self.longest.saturating_sub(u32::try_from(drawn % (spread + 1)).unwrap_or(0))
    }
}

/// What the NAS does when the session's time is up (RFC 2865, section 5.29).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TerminationAction {
    /// Ends the session.
    Default,
    /// Logs the endpoint in again.
    RadiusRequest,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use std::collections::HashSet;

    #[test]
    fn sessions_end_one_after_the_other_and_never_too_late() {
        let timeout = SessionTimeout::new(3600, 10).unwrap();
        let ids: Vec<_> =
            (0..1000).map(|n| DecisionId::new(Timestamp::from_unix_secs(1_764_000_000 + n / 100))).collect();
        let secs: Vec<u32> = ids.iter().map(|id| timeout.of(*id)).collect();
        assert!(secs.iter().all(|s| (3240..=3600).contains(s)), "{secs:?}");
        assert!(secs.iter().collect::<HashSet<_>>().len() > 300, "spread over all 361 seconds");
        let again: Vec<u32> = ids.iter().map(|id| timeout.of(*id)).collect();
        assert_eq!(secs, again);
    }

    #[test]
    fn without_jitter_the_time_is_as_it_was_written() {
        let id = DecisionId::of_name("a login");
        assert_eq!(SessionTimeout::new(3600, 0).unwrap().of(id), 3600);
        assert_eq!(SessionTimeout::new(0, 50).unwrap().of(id), 0);
        assert!(SessionTimeout::new(u32::MAX, 50).unwrap().of(id) >= u32::MAX / 2);
        assert_eq!(SessionTimeout::new(3600, 51), None);
    }
}
