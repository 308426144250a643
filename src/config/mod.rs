//! The configuration file: typed, documented, and strict.
//!
//! [`Config::parse`] checks the form; [`build`] turns it into what the server
//! runs on and checks the meaning. Each error names the file, the line, what is
//! wrong and what to do.

pub mod apply;
pub mod audit;
pub mod authority;
pub mod build;
pub mod compliance;
pub mod database;
pub mod document;
pub mod files;
mod form;
pub mod import;
pub mod live;
pub mod playbook;
pub mod revision;
pub mod risk;
pub mod secrets;
pub mod settings;
pub mod shared_signals;
pub mod smtp;
pub mod stored;
pub mod telemetry;
pub mod token;

use crate::inventory::nas::NasMode;
use crate::operators::role::Role;
use crate::policy::engine::{Policy, PolicyError};
use crate::policy::lint::Finding;
use crate::radius::radsec::Radius11;
use crate::store::writer::JOURNAL_MAX;
use compliance::ComplianceSection;
use document::{BindingSection, GroupSection, SiteSection};
use playbook::PlaybookSection;
use secrets::NasSecrets;
use serde::Deserialize;
use smtp::SmtpSection;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners and limits.
    #[serde(default)]
    pub server: ServerSection,
    /// Where records and the inventory are kept.
    #[serde(default)]
    pub database: DatabaseSection,
    /// How long records are kept.
    #[serde(default)]
    pub retention: RetentionSection,
    /// The audit log.
    #[serde(default)]
    pub audit: AuditSection,
    /// The HTTP API.
    #[serde(default)]
    pub http: HttpSection,
    /// What is told of the server's own work.
    #[serde(default)]
    pub telemetry: TelemetrySection,
    /// By which mail server people are told.
    pub smtp: Option<SmtpSection>,
    /// The server's certificate and the TLS versions.
    pub tls: TlsSection,
    /// Who administers the server.
    #[serde(default)]
    pub operators: OperatorsSection,
    /// A provider of identities that vouches for operators.
    pub oidc: Option<Spanned<OidcSection>>,
    /// The server's own CA.
    #[serde(default)]
    pub pki: PkiSection,
    /// How endpoints report for themselves.
    #[serde(default)]
    pub posture: PostureSection,
    /// The page that NASes send browsers to.
    #[serde(default)]
    pub recheck: RecheckSection,
    /// RADIUS over TLS.
    #[serde(default)]
    pub radsec: RadsecSection,
    /// Certificate authorities whose clients are let in.
    #[serde(default)]
    pub ca: Vec<CaSection>,
    /// The policy file.
    #[serde(default)]
    pub policy: PolicySection,
    /// How sessions are changed while they last.
    #[serde(default)]
    pub changes: ChangesSection,
    /// What signals weigh, and how those of other systems are read.
    #[serde(default)]
    pub risk: risk::RiskSection,
    /// Who tells what they know by Shared Signals.
    #[serde(default)]
    pub ssf: shared_signals::SharedSignalsSection,
    /// What a rule can grant.
    #[serde(default)]
    pub profile: Vec<ProfileSection>,
    /// What identities should be like.
    #[serde(default)]
    pub compliance: Vec<ComplianceSection>,
    /// What is done against somebody by itself.
    #[serde(default)]
    pub playbook: Vec<PlaybookSection>,
    /// The switches and controllers that may ask.
    #[serde(default)]
    pub nas: Vec<NasSection>,
    /// Places.
    #[serde(default)]
    pub site: Vec<SiteSection>,
    /// Groups of identities.
    #[serde(default)]
    pub group: Vec<GroupSection>,
    /// How certificates name identities.
    #[serde(default)]
    pub binding: Vec<BindingSection>,
    /// Who is known.
    #[serde(default)]
    pub identity: Vec<IdentitySection>,
}

/// `[server]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// Where the database lives.
    pub data_dir: PathBuf,
    /// UDP addresses for authentication.
    pub auth: Vec<SocketAddr>,
    /// UDP addresses for accounting.
    pub acct: Vec<SocketAddr>,
    /// A directory with NAS profiles of one's own, `NAME.toml` each.
    pub nas_profiles: Option<Spanned<PathBuf>>,
    /// A directory with dictionaries of one's own, `NAME.dict` each.
    pub dictionaries: Option<Spanned<PathBuf>>,
    /// Threads per listener; 0 means one per processor.
    pub workers: usize,
    /// How long an Access-Reject is held back, in milliseconds, to slow down
    /// guessing.
    pub reject_delay_ms: u64,
    /// How long a conversation may be silent, in seconds.
    pub conversation_timeout_secs: u64,
    /// How long a server that is told to stop goes on as before while it says that it is not ready, in
    /// milliseconds: for load balancers that look seldom.
    pub stop_delay_ms: u64,
    /// How long logins that have begun may then take to their end, in seconds.
    pub drain_secs: u64,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            data_dir: "data".into(),
            auth: vec![SocketAddr::from(([0, 0, 0, 0], 1812))],
            acct: vec![SocketAddr::from(([0, 0, 0, 0], 1813))],
            nas_profiles: None,
            dictionaries: None,
            workers: 0,
            reject_delay_ms: 1000,
            conversation_timeout_secs: 60,
            stop_delay_ms: 0,
            drain_secs: 5,
        }
    }
}

/// `[database]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSection {
    /// PostgreSQL, `postgres://user:password@host:5432/name`; without it, SQLite in
    /// `data_dir`.
    pub url: Option<Spanned<String>>,
    /// A file with the URL, so that the password is not in the configuration.
    pub url_file: Option<Spanned<PathBuf>>,
    /// MiB that the journal may hold while the database is away.
    pub journal_mib: Spanned<u64>,
}

impl Default for DatabaseSection {
    fn default() -> Self {
        Self { url: None, url_file: None, journal_mib: Spanned::new(0..0, JOURNAL_MAX >> 20) }
    }
}

/// `[retention]`: days, or 0 for ever.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSection {
    /// Decisions.
    pub decisions_days: u32,
    /// Accounting records. Sessions hold what follows from them.
    pub accounting_days: u32,
    /// Sessions.
    pub sessions_days: u32,
    /// Usage in five minutes.
    pub usage_5min_days: u32,
    /// Usage in hours.
    pub usage_hour_days: u32,
    /// Usage in days.
    pub usage_day_days: u32,
    /// Hours after which a session that never tells of itself is taken to have ended.
    pub silent_session_hours: Spanned<u32>,
}

impl Default for RetentionSection {
    fn default() -> Self {
        Self {
            decisions_days: 400,
            accounting_days: 90,
            sessions_days: 400,
            usage_5min_days: 35,
            usage_hour_days: 400,
            usage_day_days: 0,
            silent_session_hours: Spanned::new(0..0, 24),
        }
    }
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// Where events are sent to; nowhere without it.
    pub syslog: Option<Spanned<SyslogSection>>,
}

/// `syslog` of `[audit]`: over TLS (RFC 5425).
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogSection {
    /// Host and port of the receiver.
    pub server: Spanned<String>,
    /// PEM: whose certificate the receiver's is.
    pub ca: Spanned<PathBuf>,
    /// The name in its certificate, if that is not the host's.
    pub name: Option<Spanned<String>>,
    /// PEM: the certificate that is shown to a receiver that asks for one.
    pub certificate: Option<Spanned<PathBuf>>,
    /// PEM: its private key.
    pub key: Option<Spanned<PathBuf>>,
}

/// `[http]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSection {
    /// The address of the API; without a certificate loopback only.
    pub listen: Spanned<SocketAddr>,
    /// PEM: the API's certificate, then its intermediates. Without one it is plain HTTP.
    pub certificate: Option<Spanned<PathBuf>>,
    /// PEM: its private key.
    pub key: Option<Spanned<PathBuf>>,
    /// How browsers reach it, `https://host:port`: passkeys and the provider of identities are for that name. Without it,
    /// `localhost` at the port of `listen`, if that is loopback.
    pub origin: Option<Spanned<String>>,
    /// The file with the bearer token; made with a random one when missing.
    pub token_file: PathBuf,
    /// The bearer token itself, in place of the file.
    pub token: Option<Spanned<String>>,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            listen: Spanned::new(0..0, SocketAddr::from(([127, 0, 0, 1], 8080))),
            certificate: None,
            key: None,
            origin: None,
            token_file: "api-token".into(),
            token: None,
        }
    }
}

/// `[operators]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperatorsSection {
    /// Whether a password alone is not enough: a code of an app must go with it.
    pub second_factor: bool,
}

impl Default for OperatorsSection {
    fn default() -> Self {
        Self { second_factor: true }
    }
}

/// `[oidc]`: OpenID Connect.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSection {
    /// What the sign-in page calls it.
    pub name: String,
    /// Its issuer, as its discovery document says: an https URL, or http on loopback.
    pub issuer: Spanned<String>,
    /// What this server is called there.
    pub client_id: String,
    /// A file with the secret by which it proves that.
    pub client_secret_file: Spanned<PathBuf>,
    /// PEM: whose certificate the provider's is, if the system does not trust it.
    pub ca: Option<Spanned<PathBuf>>,
    /// The claim that says who may do what.
    #[serde(default = "groups_claim")]
    pub claim: String,
    /// What its values come to. Whoever has none of them is not let in.
    pub grant: Vec<Spanned<OidcGrant>>,
}

fn groups_claim() -> String {
    "groups".into()
}

/// What a value of the claim comes to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcGrant {
    /// The value.
    pub value: String,
    /// The roles.
    pub roles: Vec<Role>,
    /// The sites where they hold; everywhere if it is not said.
    pub sites: Option<Vec<String>>,
}

/// `[telemetry]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySection {
    /// Where traces are sent, by OTLP over HTTP; nowhere without it.
    pub otlp: Option<Spanned<String>>,
    /// Which share of them, from 0 to 1.
    pub ratio: Spanned<f64>,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self { otlp: None, ratio: Spanned::new(0..0, 1.0) }
    }
}

/// `[pki]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PkiSection {
    /// The directory of a CA that `cordon ca init` made: by it the API issues and revokes certificates.
    pub dir: Option<Spanned<PathBuf>>,
}

/// `[posture]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostureSection {
    /// TCP addresses where endpoints report by their certificates, and osquery; none, and nobody can.
    pub listen: Vec<SocketAddr>,
    /// A file with the secret by which osquery may enroll without a certificate; without it, it may not.
    pub enroll_secret_file: Option<Spanned<PathBuf>>,
}

/// `[recheck]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecheckSection {
    /// TCP addresses of the page that says what fails, which `redirect` of a profile sends browsers to; none, and there is
    /// no page.
    pub listen: Vec<SocketAddr>,
    /// Whether it is there over TLS, with the certificate of the API, where that has one.
    pub tls: bool,
    /// Whom people turn to who cannot help themselves: shown on the page.
    pub contact: Option<String>,
}

impl Default for RecheckSection {
    fn default() -> Self {
        RecheckSection { listen: Vec::new(), tls: true, contact: None }
    }
}

/// `[tls]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// PEM: the server's certificate, then its intermediates.
    pub certificate: Spanned<PathBuf>,
    /// PEM: its private key.
    pub key: Spanned<PathBuf>,
    /// The oldest TLS version to speak.
    #[serde(default = "tls12")]
    pub min_version: Spanned<String>,
    /// The newest TLS version to speak.
    #[serde(default = "tls13")]
    pub max_version: Spanned<String>,
    /// The longest EAP-TLS payload in one packet, in octets. A smaller
    /// Framed-MTU of the NAS wins.
    #[serde(default = "default_fragment_size")]
    pub fragment_size: Spanned<usize>,
    /// Whether sessions may resume by ticket.
    #[serde(default = "yes")]
    pub resumption: bool,
}

fn tls12() -> Spanned<String> {
    Spanned::new(0..0, "1.2".into())
}

fn tls13() -> Spanned<String> {
    Spanned::new(0..0, "1.3".into())
}

/// Fits an Ethernet frame through most tunnels; what FreeRADIUS and hostapd use
/// is near.
fn default_fragment_size() -> Spanned<usize> {
    Spanned::new(0..0, 1020)
}

fn yes() -> bool {
    true
}

/// `[radsec]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RadsecSection {
    /// TCP addresses for RADIUS over TLS; none, and it is not spoken.
    pub listen: Vec<SocketAddr>,
    /// PEM: the certificate and its intermediates. Default: that of `[tls]`.
    pub certificate: Option<Spanned<PathBuf>>,
    /// PEM: its private key.
    pub key: Option<Spanned<PathBuf>>,
    /// The oldest TLS version to speak.
    pub min_version: Spanned<String>,
    /// The newest TLS version to speak.
    pub max_version: Spanned<String>,
    /// Whose certificates of NASes are believed: these alone.
    pub ca: Vec<CaSection>,
    /// Whether RADIUS/1.1 is spoken, where a NAS says nothing else.
    pub radius_1_1: Radius11,
    /// How long a connection may be silent, in seconds; 0 for ever.
    pub idle_timeout_secs: Spanned<u64>,
    /// How long a handshake, the rest of a packet, or the taking of a reply may
    /// last, in seconds.
    pub io_timeout_secs: Spanned<u64>,
    /// Connections at once.
    pub max_connections: Spanned<usize>,
    /// Connections at once from one address.
    pub max_connections_per_address: Spanned<usize>,
}

impl Default for RadsecSection {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            certificate: None,
            key: None,
            min_version: tls12(),
            max_version: tls13(),
            ca: Vec::new(),
            radius_1_1: Radius11::Allow,
            // The draft asks for 10 to 15 minutes.
            idle_timeout_secs: Spanned::new(0..0, 720),
            io_timeout_secs: Spanned::new(0..0, 10),
            // A process may have 1,024 files open unless it is told otherwise.
            max_connections: Spanned::new(0..0, 512),
            max_connections_per_address: Spanned::new(0..0, 64),
        }
    }
}

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
    #[serde(default, deserialize_with = "form::time")]
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

/// What is wrong with a configuration, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl ConfigError {
    /// A policy's error, in its file.
    pub fn in_policy(file: &Path, error: PolicyError) -> Self {
        let PolicyError { line, message, remedy, .. } = error;
        Self { file: file.to_owned(), line: Some(line), message, remedy }
    }

    /// A finding about a rule of the policy in `file`.
    pub fn of_finding(file: &Path, policy: &Policy, finding: Finding) -> Self {
        let Finding { rule, message, remedy, .. } = finding;
        Self { file: file.to_owned(), line: policy.line_of(&rule), message, remedy }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.remedy.is_empty() {
            write!(f, "\n  -> {}", self.remedy)?;
        }
        Ok(())
    }
}

/// A configuration file's text, to tell lines by.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// An error at a place in this file. An empty span stands for a default
    /// value, which has no line.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) -> ConfigError {
        // The text of a YAML file is what it became as TOML: its lines are others.
        let known = span.end > 0 && !document::is_yaml(&self.file);
        let line = known.then(|| line_of(&self.text, span.start));
        ConfigError { file: self.file.clone(), line, message: message.into(), remedy: remedy.into() }
    }

    /// A path as written in this file: relative ones start where the file is.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

impl Config {
    /// Reads the form of a configuration.
    ///
    /// # Errors
    /// What is wrong and where: syntax, an unknown key, a value of another type.
    pub fn parse(source: &Source) -> Result<Config, ConfigError> {
        toml::from_str(&source.text).map_err(|e| form::error(source, &e, "see docs/configuration.md for every key"))
    }

    /// Reads the file and its form.
    ///
    /// # Errors
    /// When it cannot be read, and as [`Config::parse`].
    pub fn load(file: &Path) -> Result<(Config, Source), ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError {
            file: file.to_owned(),
            line: None,
            message: format!("cannot be read: {e}"),
            remedy: "`cordon init` makes one with all that it needs; --config names another".into(),
        })?;
        let source = Source { file: file.to_owned(), text };
        Ok((Config::parse(&source)?, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(&Source { file: "cordon.toml".into(), text: text.into() })
    }

    #[test]
    fn errors_name_the_line() {
        let text = "[tls]\ncertificate = \"a\"\nkey = \"b\"\n\n[server]\nworkers = \"two\"\n";
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, Some(6), "{error}");
        let error = parse("[tls]\ncertificate = \"a\"\nkey = \"b\"\ncolour = 1\n").unwrap_err();
        assert_eq!(error.line, Some(4), "{error}");
        assert!(error.to_string().contains("colour"), "{error}");
    }

    #[test]
    fn a_minimal_file_is_enough() {
        let config = parse("[tls]\ncertificate = \"a\"\nkey = \"b\"\n").unwrap();
        assert_eq!(config.server.auth[0].port(), 1812);
        assert!(config.http.listen.get_ref().ip().is_loopback());
        assert!(config.nas.is_empty(), "nobody may ask until it is said who");
    }
}
