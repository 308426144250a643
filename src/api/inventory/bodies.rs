//! What can be said of each kind of object, with the keys of documents (docs/configuration.md).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A place.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Site)]
pub(in crate::api) struct SiteBody {
    /// What and where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// A group of identities.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Group)]
pub(in crate::api) struct GroupBody {
    /// Who belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// A switch, controller or other RADIUS client.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Nas)]
pub(in crate::api) struct NasBody {
    /// An address or prefix that it sends from, or a list of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Value>,
    /// The shared secret. It is never shown; left out, the one that is stored is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    secret: Option<String>,
    /// How it is known when it speaks RADIUS over TLS: `san_dns`, `san_ip`, or `issuer` with `serial`.
    #[serde(skip_serializing_if = "Option::is_none")]
    radsec: Option<Value>,
    /// What kind of gear it is: the name of a NAS profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
    /// Whether requests must carry Message-Authenticator: `required`, `learned` or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_authenticator: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    /// The groups it belongs to, for rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// EAP conversations that it may have open at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_conversations: Option<u32>,
    /// `enforce`, or `observe`: everybody is let in, and what would have happened is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    /// Where it takes changes to its sessions: `false`, or `port`, `address` and `secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    coa: Option<Value>,
}

/// What a rule can grant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Profile)]
pub(in crate::api) struct ProfileBody {
    /// The VLAN's number or name, `{"pool": [20, 21]}`, or `{"by_site": {"hq": 20}, "else": 30}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Value>,
    /// Further VLANs, whose frames carry their tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    tagged_vlans: Option<Vec<u16>>,
    /// Whether the port's voice VLAN may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<bool>,
    /// The name of a filter that the NAS knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_id: Option<String>,
    /// What may be reached, `permit tcp to 10.1.2.0/24 port 443`.
    #[serde(skip_serializing_if = "Option::is_none")]
    acl: Option<Vec<String>>,
    /// The name of a role or group policy that the NAS knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// A security group tag, 1 to 65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    security_group: Option<u16>,
    /// A page that web traffic is sent to: `url`, and `acl` where the NAS wants one.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<Value>,
    /// How long a session lasts, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_timeout_secs: Option<u32>,
    /// By how many percent it may be shorter, another at each login: 0 to 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_timeout_jitter: Option<u8>,
    /// How long it may be idle, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_timeout_secs: Option<u32>,
    /// What the NAS does at the end: `reauthenticate` or `disconnect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_action: Option<String>,
    /// Further attributes, `Name = value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Vec<String>>,
}

/// How certificates name identities: exactly one field, whose text holds `{name}` or `(.*)`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Binding)]
pub(in crate::api) struct BindingBody {
    /// The kind of identity that is named.
    kind: String,
    /// The CA that must vouch for the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    /// A DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    san_dns: Option<String>,
    /// A URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    san_uri: Option<String>,
    /// An email address.
    #[serde(skip_serializing_if = "Option::is_none")]
    san_email: Option<String>,
    /// A User Principal Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    san_upn: Option<String>,
    /// The subject's common name.
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<String>,
}

/// What identities should be like (docs/posture.md).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CompliancePolicy)]
pub(in crate::api) struct ComplianceBody {
    /// Whom it is for: kinds of identities; all, if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    kinds: Option<Vec<String>>,
    /// Whom it is for: members of these groups; everybody, if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// What must be so: each with `check`, one of `is`, `one_of`, `at_least`, `at_most` and `none_of`, and perhaps
    /// `severity`, `grace_secs` and `remedy`.
    checks: Vec<Value>,
}

/// What is done against somebody by itself (docs/playbooks.md).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Playbook)]
pub(in crate::api) struct PlaybookBody {
    /// What it is for, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// `on` (unless said otherwise), `dry_run` or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    /// What sets it off: `signals` with perhaps `severity`, `risk`, `posture`, or `checks`.
    when: Value,
    /// Whom it is for: kinds of identities; all, if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    kinds: Option<Vec<String>>,
    /// Whom it is for: members of these groups; everybody, if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// Whom it is for: whose attributes have these values.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<String, String>>,
    /// Whom it is for: who has a session at one of these sites; all, if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    sites: Option<Vec<String>>,
    /// What is done, one after the other: each with `do`, which is `quarantine` (with `profile`), `disconnect`, `suspend`,
    /// `revoke`, `webhook`, `notify` (perhaps with `to`) or `case` (perhaps with `title`).
    steps: Vec<Value>,
    /// `recovered` (unless said otherwise) or `by_hand`.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    /// A risk below this level, `medium` or `high`, is recovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_below: Option<String>,
    /// It is taken back after so many seconds, whatever the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_after_secs: Option<u64>,
    /// Runs within the window before an operator is asked; 20 if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_runs: Option<u64>,
    /// The same in percent of all sessions that go on; 10 if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_percent: Option<u8>,
    /// The window, in seconds; 600 if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_secs: Option<u64>,
}

/// Who is known.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewIdentity)]
pub(in crate::api) struct IdentityBody {
    /// `user`, `device`, `machine`, `agent`, `service` or `model`.
    pub(super) kind: String,
    /// Its name, which no other of its kind has.
    pub(super) name: String,
    /// The groups it belongs to, for rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// The user who answers for it; required of everything that is no user.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// What it is for; required of everything that is no user.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    /// How far an agent may act by itself, 0 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    autonomy: Option<u8>,
    /// Where it works, such as `production`.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// Anything else that is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<String, String>>,
    /// `requested`, `approved`, `active` (unless said otherwise), `suspended` or `retired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    /// When it ceases to be valid (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// By what it is recognised, one key each: `mac`, `san_dns`, `san_uri`, `san_email`, `san_upn`, `common_name`,
    /// `fingerprint` and others, or `issuer` with `serial`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credentials: Option<Vec<BTreeMap<String, String>>>,
}
