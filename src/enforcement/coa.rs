//! How each kind of gear is told to change a session that is there: CoA-Request
//! and Disconnect-Request (RFC 5176), as data of the NAS profiles.

use super::nas_profile::{Confirmed, NasProfile};
use super::spelling::{Spelled, check_line};
use super::vlan::Vlan;
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::Code;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Where a NAS takes requests, unless told otherwise (RFC 5176, section 2.1).
const DEFAULT_PORT: u16 = 3799;
/// What a session is known by. Each is a placeholder of `session` and `send`.
const SESSION_KEYS: [&str; 7] =
    ["user_name", "calling_station", "acct_session_id", "nas_port", "nas_port_id", "nas_address", "audit_session_id"];

/// A kind of change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The endpoint logs in again; the session goes on meanwhile.
    Reauthenticate,
    /// The link goes down and comes up again, for all that hang on the port.
    BouncePort,
    /// The link goes down and stays so.
    DisablePort,
    /// The session ends.
    Disconnect,
    /// Another VLAN.
    ChangeVlan,
    /// Another role.
    ChangeRole,
}

impl Change {
    /// All of them.
    pub const ALL: [Change; 6] = [
        Change::Reauthenticate,
        Change::BouncePort,
        Change::DisablePort,
        Change::Disconnect,
        Change::ChangeVlan,
        Change::ChangeRole,
    ];

    fn placeholders(self) -> &'static [&'static str] {
        match self {
            Change::ChangeVlan => &["vlan"],
            Change::ChangeRole => &["role"],
            _ => &[],
        }
    }
}

impl Change {
    /// The name that is stored, filtered by and counted.
    pub const fn code(self) -> &'static str {
        match self {
            Change::Reauthenticate => "reauthenticate",
            Change::BouncePort => "bounce_port",
            Change::DisablePort => "disable_port",
            Change::Disconnect => "disconnect",
            Change::ChangeVlan => "change_vlan",
            Change::ChangeRole => "change_role",
        }
    }

    /// The change with this [`code`](Self::code), if there is one; with hyphens, as on
    /// the command line, too.
    pub fn from_code(code: &str) -> Option<Change> {
        let code = code.replace('-', "_");
        Self::ALL.into_iter().find(|change| change.code() == code)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A change, with what it changes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// See [`Change::Reauthenticate`].
    Reauthenticate,
    /// See [`Change::BouncePort`].
    BouncePort,
    /// See [`Change::DisablePort`].
    DisablePort,
    /// See [`Change::Disconnect`].
    Disconnect,
    /// To this VLAN.
    Vlan(Vlan),
    /// To this role, by the name that the NAS knows.
    Role(String),
}

impl Wish {
    /// Its kind.
    pub fn change(&self) -> Change {
        match self {
            Wish::Reauthenticate => Change::Reauthenticate,
            Wish::BouncePort => Change::BouncePort,
            Wish::DisablePort => Change::DisablePort,
            Wish::Disconnect => Change::Disconnect,
            Wish::Vlan(_) => Change::ChangeVlan,
            Wish::Role(_) => Change::ChangeRole,
        }
    }

    fn value(&self) -> Option<(&'static str, String)> {
        match self {
            Wish::Vlan(vlan) => Some(("vlan", vlan.to_string())),
            Wish::Role(role) => Some(("role", role.clone())),
            _ => None,
        }
    }
}

/// Which request carries a change.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// CoA-Request.
    #[default]
    Coa,
    /// Disconnect-Request.
    Disconnect,
}

/// How one change is told.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// What carries it.
    #[serde(default)]
    pub request: Request,
    /// Attributes besides the session's, each `Name = value` with `{placeholders}`.
    pub send: Vec<String>,
    /// Where it goes, if not where the others do.
    pub port: Option<u16>,
    /// What stands behind it.
    pub confirmed: Confirmed,
}

/// By what gear finds a session.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionKeys {
    /// Attributes without which it is not found.
    pub send: Vec<String>,
    /// Attributes that are sent where they are known.
    #[serde(default)]
    pub send_if_known: Vec<String>,
    /// What stands behind it.
    pub confirmed: Confirmed,
}

/// `[coa]` of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoaFile {
    port: Option<u16>,
    session: Option<SessionKeys>,
    #[serde(default)]
    without: Vec<Change>,
    reauthenticate: Option<Form>,
    bounce_port: Option<Form>,
    disable_port: Option<Form>,
    disconnect: Option<Form>,
    change_vlan: Option<Form>,
    change_role: Option<Form>,
}

/// What a kind of gear understands of changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coa {
    /// The UDP port that requests go to.
    pub port: u16,
    /// By what a session is found.
    pub session: SessionKeys,
    /// The changes that it can be told.
    pub forms: BTreeMap<Change, Form>,
}

impl Coa {
    /// What a file says, on top of the profile that it extends. `None` when
    /// neither says anything.
    pub(super) fn read(
        file: Option<CoaFile>,
        base: Option<&Coa>,
        dictionary: &Dictionary,
    ) -> Result<Option<Coa>, String> {
        let Some(file) = file else { return Ok(base.cloned()) };
        let session = file.session.or_else(|| base.map(|b| b.session.clone()));
        let session = session.ok_or("[coa] needs [coa.session]: by what the gear finds a session")?;
        let mut forms = base.map(|b| b.forms.clone()).unwrap_or_default();
        forms.retain(|change, _| !file.without.contains(change));
        let own = [
            (Change::Reauthenticate, file.reauthenticate),
            (Change::BouncePort, file.bounce_port),
            (Change::DisablePort, file.disable_port),
            (Change::Disconnect, file.disconnect),
            (Change::ChangeVlan, file.change_vlan),
            (Change::ChangeRole, file.change_role),
        ];
        forms.extend(own.into_iter().filter_map(|(change, form)| Some((change, form?))));
        let port = file.port.or_else(|| base.map(|b| b.port)).unwrap_or(DEFAULT_PORT);
        let coa = Coa { port, session, forms };
        coa.check(dictionary)?;
        Ok(Some(coa))
    }

    /// Whether attributes exist and placeholders have a value.
    fn check(&self, dictionary: &Dictionary) -> Result<(), String> {
        let keys = self.session.send.iter().chain(&self.session.send_if_known);
        keys.into_iter().try_for_each(|line| check_line(line, &SESSION_KEYS, dictionary))?;
        for (change, form) in &self.forms {
            let known = [change.placeholders(), &SESSION_KEYS].concat();
            form.send.iter().try_for_each(|line| check_line(line, &known, dictionary))?;
            if form.send.is_empty() && form.request == Request::Coa {
                return Err(format!("[coa.{change}] sends nothing: a CoA-Request says by attributes what to do"));
            }
        }
        if self.port == 0 || self.forms.values().any(|form| form.port == Some(0)) {
            return Err(format!("[coa] has the port 0; it is {DEFAULT_PORT} as a rule"));
        }
        Ok(())
    }
}

/// A session, by all that is known of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LiveSession {
    /// User-Name, as the Access-Accept or else the request had it.
    pub user_name: Option<String>,
    /// Calling-Station-Id, as the NAS spells it.
    pub calling_station: Option<String>,
    /// Acct-Session-Id.
    pub acct_session_id: Option<String>,
    /// NAS-Port.
    pub nas_port: Option<u32>,
    /// NAS-Port-Id.
    pub nas_port_id: Option<String>,
    /// NAS-IP-Address.
    pub nas_address: Option<std::net::Ipv4Addr>,
    /// Cisco's `audit-session-id`, which comes with its requests as an AVPair.
    pub audit_session_id: Option<String>,
}

impl LiveSession {
    /// Placeholders and values; what is not known is empty.
    fn values(&self) -> Vec<(&'static str, String)> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let values = [
            text(&self.user_name),
            text(&self.calling_station),
            text(&self.acct_session_id),
            text(&self.nas_port.map(|port| port.to_string())),
            text(&self.nas_port_id),
            text(&self.nas_address.map(|address| address.to_string())),
            text(&self.audit_session_id),
        ];
        SESSION_KEYS.into_iter().zip(values).collect()
    }
}

/// A change in the words of one kind of gear.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// CoA-Request or Disconnect-Request.
    pub code: Code,
    /// The UDP port that it goes to.
    pub port: u16,
    /// The attributes, encoded.
    pub attributes: Vec<u8>,
    /// The same as name and value.
    pub shown: Vec<(String, String)>,
}

/// A change cannot be told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CoaError {
    /// There are no words for it.
    #[error("gear of the kind {nas_profile} cannot be told to {change}")]
    NoWords {
        /// The NAS profile.
        nas_profile: String,
        /// What it lacks.
        change: Change,
    },
    /// Something is not known of the session, or does not fit.
    #[error("gear of the kind {nas_profile} cannot be told to {change}: {what}")]
    NoFit {
        /// The NAS profile.
        nas_profile: String,
        /// The change.
        change: Change,
        /// What is missing or does not fit.
        what: String,
    },
}

/// What is missing of a session, with how it becomes known.
fn advised(what: String) -> String {
    let advice = match what {
        _ if what.contains("needs audit_session_id") => {
            "let the switch send audit-session-id with its requests (Cisco-AVPair; `radius-server vsa send` where it is \
             off), and switch accounting on; the next login tells it"
        }
        _ if what.contains("needs acct_session_id") => {
            "switch accounting on at the NAS, towards this server: by it the NAS tells the names of its sessions"
        }
        _ if what.contains("of which nothing is known") => {
            "let the NAS send it with its requests and its accounting, or leave it out of [coa.session] of a NAS profile"
        }
        _ => return what,
    };
    format!("{what}; {advice}")
}

/// The change to this session in the words of this kind of gear.
///
/// # Errors
/// See [`CoaError`].
pub fn order(wish: &Wish, session: &LiveSession, nas: &NasProfile, dictionary: &Dictionary) -> Result<Order, CoaError> {
    let change = wish.change();
    let no_words = || CoaError::NoWords { nas_profile: nas.name.clone(), change };
    let no_fit = |what: String| CoaError::NoFit { nas_profile: nas.name.clone(), change, what: advised(what) };
    let coa = nas.coa.as_ref().ok_or_else(no_words)?;
    let form = coa.forms.get(&change).ok_or_else(no_words)?;
    let mut values = session.values();
    values.extend(wish.value());
    let mut out = Spelled::default();
    coa.session.send.iter().try_for_each(|line| out.push(line, &values, dictionary)).map_err(no_fit)?;
    let unknown =
        |line: &str| values.iter().any(|(key, value)| value.is_empty() && line.contains(&format!("{{{key}}}")));
    let known = coa.session.send_if_known.iter().filter(|line| !unknown(line));
    known.chain(&form.send).try_for_each(|line| out.push(line, &values, dictionary)).map_err(no_fit)?;
    let code = match form.request {
        Request::Coa => Code::CoaRequest,
        Request::Disconnect => Code::DisconnectRequest,
    };
    Ok(Order { code, port: form.port.unwrap_or(coa.port), attributes: out.attributes, shown: out.shown })
}

#[cfg(test)]
#[path = "coa_tests.rs"]
mod tests;
