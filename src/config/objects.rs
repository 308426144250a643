//! The sections of what it decides about: CAs, the policy, profiles, NASes, identities.

use super::secrets::NasSecrets;
use crate::inventory::nas::NasMode;
use crate::radius::radsec::Radius11;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::Spanned;
/// `radsec` of a NAS: exactly one name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NasRadsecSection {
    /// A DNS name in its certificate.
    pub san_dns: Option<String>,
    /// An IP address in its certificate.
    pub san_ip: Option<String>,
    /// The issuer's name, with `serial`.
    pub issuer: Option<String>,
    /// The serial number in hex, with `issuer`.
    pub serial: Option<String>,
    /// Whether RADIUS/1.1 is spoken with it.
    pub radius_1_1: Option<Radius11>,
}

/// `[[ca]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaSection {
    /// The name that decisions show.
    pub name: String,
    /// PEM: the trusted certificate or certificates.
    pub file: Spanned<PathBuf>,
    /// PEM or DER: revocation lists of this CA and of its intermediates.
    #[serde(default)]
    pub crl: Vec<Spanned<PathBuf>>,
    /// Whether revocation is looked at. Default: when there are CRL files.
    pub crl_check: Option<bool>,
    /// What a missing CRL means.
    #[serde(default)]
    pub crl_missing: OnCrlProblem,
    /// What a CRL past its nextUpdate means.
    #[serde(default)]
    pub crl_outdated: OnCrlProblem,
}

/// What to do when revocation cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCrlProblem {
    /// The certificate is refused.
    #[default]
    Fail,
    /// It is accepted, and the decision's record carries a warning.
    Warn,
}

/// `[policy]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySection {
    /// The Cedar file; without one, the built-in default policy.
    pub file: Option<Spanned<PathBuf>>,
    /// The policy's tests; a policy that fails one does not come into force.
    pub tests: Option<Spanned<PathBuf>>,
    /// The IANA time zone of the rules' hours and weekdays. Default: UTC.
    pub timezone: Option<Spanned<String>>,
    /// Whether the API puts a policy in force only when another operator has approved it.
    #[serde(default)]
    pub four_eyes: bool,
}

/// `[[profile]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSection {
    /// The name that rules use.
    pub name: Spanned<String>,
    /// The VLAN's id or its name on the switch, a pool of them, or one by site.
    pub vlan: Option<Spanned<VlanValue>>,
    /// Further VLANs, whose frames carry their tag.
    #[serde(default)]
    pub tagged_vlans: Vec<Spanned<i64>>,
    /// Whether the port's voice VLAN may be used.
    #[serde(default)]
    pub voice: bool,
    /// The name of a filter that the NAS knows.
    pub filter_id: Option<String>,
    /// What may be reached, `permit tcp to 10.1.2.0/24 port 443`.
    #[serde(default)]
    pub acl: Vec<Spanned<String>>,
    /// The name of a role or group policy that the NAS knows.
    pub role: Option<String>,
    /// A security group tag, 1 to 65535.
    pub security_group: Option<Spanned<u16>>,
    /// A page that web traffic is sent to.
    pub redirect: Option<RedirectSection>,
    /// How long a session lasts, in seconds.
    pub session_timeout_secs: Option<u32>,
    /// By how many percent it may be shorter, another at each login: 0 to 50.
    pub session_timeout_jitter: Option<Spanned<u8>>,
    /// How long it may be idle, in seconds.
    pub idle_timeout_secs: Option<u32>,
    /// What the NAS does then.
    pub termination_action: Option<TerminationActionValue>,
    /// Further attributes, `Name = value`.
    #[serde(default)]
    pub attributes: Vec<Spanned<String>>,
}

/// `redirect` of a profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectSection {
    /// The page.
    pub url: String,
    /// The name of the NAS's list of what is redirected, where it wants one.
    pub acl: Option<String>,
}

/// A VLAN by number or by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a VLAN is a number, or a name in quotes")]
pub enum VlanId {
    /// 1 to 4094.
    Id(i64),
    /// As the switch knows it.
    Name(String),
}

/// One VLAN, or several over which endpoints are spread.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a VLAN's number, its name in quotes, or { pool = [20, 21] }")]
pub enum VlanPool {
    /// One.
    One(VlanId),
    /// Several.
    Pool(PoolSection),
}

/// `{ pool = [...] }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSection {
    /// The VLANs.
    pub pool: Vec<VlanId>,
}

/// `vlan` of a profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a VLAN's number, its name in quotes, { pool = [20, 21] } or { by_site = { hq = 20 }, else = 30 }"
)]
pub enum VlanValue {
    /// By the site of the NAS.
    BySite(BySiteSection),
    /// The same everywhere.
    Everywhere(VlanPool),
}

/// `{ by_site = { ... }, else = ... }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BySiteSection {
    /// The VLAN or VLANs at each site.
    pub by_site: BTreeMap<String, VlanPool>,
    /// Those at all other sites.
    #[serde(rename = "else")]
    pub otherwise: Option<VlanPool>,
}

/// What happens at Session-Timeout.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TerminationActionValue {
    /// The endpoint logs in again, without losing the link.
    Reauthenticate,
    /// The session ends.
    Disconnect,
}

/// `[[nas]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NasSection {
    /// The name that decisions show.
    pub name: Spanned<String>,
    /// An address or prefix, or several.
    pub address: Option<Spanned<OneOrMany>>,
    /// How it is known when it speaks RADIUS over TLS.
    pub radsec: Option<Spanned<NasRadsecSection>>,
    /// The shared secret.
    pub secret: Option<Spanned<String>>,
    /// A file with the shared secret.
    pub secret_file: Option<Spanned<PathBuf>>,
    /// The secrets that the database keeps for it.
    #[serde(skip)]
    pub kept_secret: Option<NasSecrets>,
    /// Why the database's secret does not open.
    #[serde(skip)]
    pub shut: Option<String>,
    /// What kind of gear it is: the name of a NAS profile.
    pub vendor: Option<Spanned<String>>,
    /// Whether requests must carry Message-Authenticator.
    #[serde(default)]
    pub message_authenticator: MessageAuthenticatorValue,
    /// Where it stands.
    pub site: Option<String>,
    /// The groups it belongs to, for rules.
    #[serde(default)]
    pub groups: Vec<String>,
    /// EAP conversations that it may have open at once.
    pub max_conversations: Option<Spanned<usize>>,
    /// Whether decisions about its endpoints are carried out.
    #[serde(default)]
    pub mode: NasMode,
    /// Where it takes changes to its sessions.
    pub coa: Option<Spanned<CoaValue>>,
}

/// `coa` of a NAS.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected false, or a table with port, address, and secret or secret_file, such as { port = 3799 }"
)]
pub enum CoaValue {
    /// Whether it takes any.
    Switch(bool),
    /// What differs from its kind of gear and from its requests.
    At(CoaSection),
}

/// `{ port = 1700, address = "...", secret = "..." }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoaSection {
    /// The UDP port.
    pub port: Option<i64>,
    /// Where to send them, if not where its requests come from.
    pub address: Option<String>,
    /// The secret, if it is not that of its requests.
    pub secret: Option<String>,
    /// A file with it.
    pub secret_file: Option<PathBuf>,
}

/// `[changes]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChangesSection {
    /// Whether sessions are looked at again when what they were let in by changes.
    pub reevaluate: Option<bool>,
    /// Changes on their way at once.
    pub in_flight: Option<Spanned<usize>>,
    /// Changes on their way at once to one NAS.
    pub in_flight_per_nas: Option<Spanned<usize>>,
    /// Changes begun in a second.
    pub per_second: Option<Spanned<u32>>,
    /// How long a change is tried, in seconds.
    pub deadline_secs: Option<Spanned<u64>>,
    /// Waves of more sessions than this, or of more than this share, wait first.
    pub hold_above: Option<Spanned<HoldValue>>,
    /// How long they wait, in seconds.
    pub hold_secs: Option<u64>,
    /// How often all sessions are looked at again, in seconds.
    pub recheck_secs: Option<Spanned<u64>>,
}

/// `1000` or `"20%"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a number of sessions, or a share of them such as \"20%\"")]
pub enum HoldValue {
    /// A number of sessions.
    Sessions(u64),
    /// A share of them.
    Share(String),
}

/// When Message-Authenticator is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageAuthenticatorValue {
    /// Always.
    Required,
    /// From the first request on that carried one.
    #[default]
    Learned,
    /// Never, but for EAP and Status-Server.
    Off,
}

/// `"a"` or `["a", "b"]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// A single value.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

/// `[[identity]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySection {
    /// The name that decisions show.
    pub name: Spanned<String>,
    /// user, device, machine, agent, service or model.
    pub kind: Spanned<String>,
    /// The groups it belongs to, for rules.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The human who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// How far an agent may act by itself, 0 to 5.
    pub autonomy: Option<Spanned<u8>>,
    /// Where it works, such as `production`.
    pub environment: Option<String>,
    /// Anything else that is known of it.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// requested, approved, active (the default), suspended or retired.
    pub status: Option<Spanned<String>>,
    /// When it ceases to be valid (RFC 3339), quoted or not.
    #[serde(default, deserialize_with = "super::form::time")]
    pub expires: Option<Spanned<String>>,
    /// By what it is recognised.
    #[serde(default)]
    pub credentials: Vec<Spanned<CredentialSection>>,
}

/// One entry of `credentials`: exactly one of these, or issuer with serial.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialSection {
    /// A DNS name in the certificate.
    pub san_dns: Option<String>,
    /// A URI in the certificate, such as a SPIFFE id.
    pub san_uri: Option<String>,
    /// An IP address in the certificate.
    pub san_ip: Option<String>,
    /// An email address in the certificate.
    pub san_email: Option<String>,
    /// A User Principal Name in the certificate.
    pub san_upn: Option<String>,
    /// A Microsoft security identifier in the certificate.
    pub sid: Option<String>,
    /// The subject's common name: weak, since any CA may repeat it.
    pub common_name: Option<String>,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: Option<String>,
    /// SHA-256 of the public key, in hex.
    pub key_fingerprint: Option<String>,
    /// The issuer's name, with `serial`.
    pub issuer: Option<String>,
    /// The serial number in hex, with `issuer`.
    pub serial: Option<String>,
    /// A MAC address, for MAC authentication bypass.
    pub mac: Option<String>,
}
