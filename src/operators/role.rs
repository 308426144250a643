//! Roles, and the permissions that they come to.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What somebody may do with the API. Each operation wants exactly one.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Permission {
            $($(#[$doc])* $name,)*
        }

        impl Permission {
            /// All of them.
            pub const ALL: &[Permission] = &[$(Permission::$name,)*];

            /// Its name in OpenAPI documents and in tokens.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Permission::$name => $code,)*
                }
            }
        }
    };
}

permissions! {
    /// One's own account, sign-ins and tokens.
    Own = "own",
    /// Decisions, sessions, accounting, endpoints, signals.
    NetworkRead = "network:read",
    /// Identities, groups, sites, NASes, profiles, bindings, certificates.
    InventoryRead = "inventory:read",
    /// Policy revisions and their tests; asking what they would decide.
    PolicyRead = "policy:read",
    /// Settings, storage, metrics, discards, webhooks.
    SettingsRead = "settings:read",
    /// The audit log.
    AuditRead = "audit:read",
    /// Other operators and their tokens.
    OperatorsRead = "operators:read",
    /// Reporting how identities are doing: for agents and connectors.
    PostureWrite = "posture:write",
    /// Telling what speaks against identities: for an IDS, a SIEM, gateways and other connectors.
    SignalsWrite = "signals:write",
    /// Streams of Shared Signals of one's own: for other systems that are told what happens here.
    SharedSignals = "ssf:manage",
    /// Having a session authenticate again; putting somebody in quarantine, and ending what an operator began.
    SessionsHelp = "sessions:help",
    /// Any change to any number of sessions.
    SessionsChange = "sessions:change",
    /// Identities, their credentials, groups, endpoints.
    InventoryWrite = "inventory:write",
    /// NASes and sites.
    GearWrite = "gear:write",
    /// Issuing and revoking certificates.
    CertificatesWrite = "certificates:write",
    /// Drafts of the policy, profiles and bindings.
    PolicyWrite = "policy:write",
    /// Putting a policy in force, and taking it back.
    PolicyActivate = "policy:activate",
    /// Settings, webhooks.
    SettingsWrite = "settings:write",
    /// Operators, their roles and tokens.
    OperatorsWrite = "operators:write",
}

/// A text that names no permission or role.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{given:?} is no {what}; there are {known}")]
pub struct NoSuch {
    given: String,
    what: &'static str,
    known: String,
}

impl FromStr for Permission {
    type Err = NoSuch;

    fn from_str(text: &str) -> Result<Self, NoSuch> {
        Permission::ALL.iter().copied().find(|p| p.code() == text).ok_or_else(|| NoSuch {
            given: text.to_owned(),
            what: "permission",
            known: Permission::ALL.iter().map(|p| p.code()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u32);

impl Permissions {
    /// None at all.
    pub const NONE: Permissions = Permissions(0);
    /// Every one.
    pub const ALL: Permissions = Permissions(u32::MAX);

    /// Whether `permission` is among them.
    pub const fn include(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u32) != 0
    }

    /// Those of either.
    pub const fn or(self, other: Permissions) -> Permissions {
        Permissions(self.0 | other.0)
    }

    /// Those of both.
    pub const fn and(self, other: Permissions) -> Permissions {
        Permissions(self.0 & other.0)
    }

    const fn of(list: &[Permission]) -> Permissions {
        let mut set = 0;
        let mut n = 0;
        while n < list.len() {
            set |= 1 << list[n] as u32;
            n += 1;
        }
        Permissions(set)
    }

    /// Each of them, in a fixed order.
    pub fn each(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.include(*p))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(list: I) -> Self {
        list.into_iter().fold(Permissions::NONE, |set, p| set.or(Permissions::of(&[p])))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.each().map(Permission::code)).finish()
    }
}

/// What somebody is here for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees the network, changes nothing.
    Viewer,
    /// Also has sessions authenticate again, and puts people in quarantine.
    HelpDesk,
    /// Runs the network: gear, identities, certificates, sessions.
    Operator,
    /// Writes the rules and puts them in force.
    PolicyAuthor,
    /// Reads everything, the audit log too.
    Auditor,
    /// May do everything.
    Administrator,
}

const VIEWER: Permissions = Permissions::of(&[
    Permission::Own,
    Permission::NetworkRead,
    Permission::InventoryRead,
    Permission::PolicyRead,
    Permission::SettingsRead,
]);

impl Role {
    /// All of them, from the least to the most.
    pub const ALL: [Role; 6] =
        [Role::Viewer, Role::HelpDesk, Role::Operator, Role::PolicyAuthor, Role::Auditor, Role::Administrator];

    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::HelpDesk => "help_desk",
            Role::Operator => "operator",
            Role::PolicyAuthor => "policy_author",
            Role::Auditor => "auditor",
            Role::Administrator => "administrator",
        }
    }

    /// What it may do.
    pub const fn permissions(self) -> Permissions {
        use Permission::{
            AuditRead, CertificatesWrite, GearWrite, InventoryWrite, OperatorsRead, PolicyActivate, PolicyWrite,
            SessionsChange, SessionsHelp,
        };
        match self {
            Role::Viewer => VIEWER,
            Role::HelpDesk => VIEWER.or(Permissions::of(&[SessionsHelp])),
            Role::Operator => VIEWER.or(Permissions::of(&[
                SessionsHelp,
                SessionsChange,
                InventoryWrite,
                GearWrite,
                CertificatesWrite,
            ])),
            Role::PolicyAuthor => VIEWER.or(Permissions::of(&[PolicyWrite, PolicyActivate])),
            Role::Auditor => VIEWER.or(Permissions::of(&[AuditRead, OperatorsRead])),
            Role::Administrator => Permissions::ALL,
        }
    }
}

impl FromStr for Role {
    type Err = NoSuch;

    fn from_str(text: &str) -> Result<Self, NoSuch> {
        Role::ALL.into_iter().find(|role| role.code() == text).ok_or_else(|| NoSuch {
            given: text.to_owned(),
            what: "role",
            known: Role::ALL.map(Role::code).join(", "),
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back() {
        for permission in Permission::ALL {
            assert_eq!(permission.code().parse(), Ok(*permission));
        }
        for role in Role::ALL {
            assert_eq!(role.code().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().unwrap_err().to_string().contains("viewer, help_desk"));
    }

    #[test]
    fn nobody_but_an_administrator_may_do_everything() {
        for role in Role::ALL {
            let all = Permission::ALL.iter().all(|p| role.permissions().include(*p));
            assert_eq!(all, role == Role::Administrator, "{role}");
            assert!(role.permissions().include(Permission::Own), "{role}");
        }
        let help = Role::HelpDesk.permissions();
        assert!(help.include(Permission::SessionsHelp) && !help.include(Permission::SessionsChange));
    }
}
