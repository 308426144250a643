//! The sections of the server itself: where it listens, what it keeps, whom it believes.

use super::objects::CaSection;
use crate::operators::role::Role;
use crate::radius::radsec::Radius11;
use crate::store::writer::JOURNAL_MAX;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::Spanned;
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
