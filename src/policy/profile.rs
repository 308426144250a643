//! Authorization profiles: what a rule grants, in neutral words.

use std::time::Duration;

/// What is granted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// The name that rules use.
    pub name: String,
    /// The VLAN to be put on.
    pub vlan: Option<Vlan>,
    /// The name of a filter that the NAS knows.
    pub filter_id: Option<String>,
    /// How long the session lasts.
    pub session_timeout: Option<Duration>,
    /// What happens then.
    pub termination_action: Option<TerminationAction>,
    /// Further attributes as they are written, `Name = value`.
    pub raw: Vec<String>,
    /// The same, encoded.
    pub attributes: Vec<u8>,
}

/// A VLAN, as the switch knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Vlan {
    /// 1 to 4094.
    Id(u16),
    /// A name.
    Name(String),
}

/// What the NAS does when the session's time is up (RFC 2865, section 5.29).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TerminationAction {
    /// Ends the session.
    Default,
    /// Logs the endpoint in again.
    RadiusRequest,
}
