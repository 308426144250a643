//! Authorization profiles: what a rule grants, in neutral words.

use super::acl::AclRule;
use super::vlan::VlanPlan;
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
    pub session_timeout: Option<Duration>,
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

/// What the NAS does when the session's time is up (RFC 2865, section 5.29).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TerminationAction {
    /// Ends the session.
    Default,
    /// Logs the endpoint in again.
    RadiusRequest,
}
