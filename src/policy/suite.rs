//! Tests that live with a policy: given these facts, this is expected. A policy
//! whose tests fail does not come into force.

use super::engine::{Outcome, Policy};
use super::facts::{AuthMethod, Facts, PostureFacts, Principal, RiskFacts};
use crate::inventory::identity::IdentityKind;
use crate::inventory::index::IdentityIndex;
use crate::inventory::mac::MacAddress;
use crate::inventory::nas::NasRegistry;
use crate::pki::certificate::CertificateFacts;
use crate::posture::check::Check;
use crate::posture::compliance::Status;
use crate::signals::kind::SignalKind;
use crate::signals::risk::{Level, Settings};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;

/// What `expect` says for a rejection.
pub const DENY: &str = "deny";
/// The kinds of ports that rules know by name.
const PORT_TYPES: [&str; 3] = ["ethernet", "wireless", "virtual"];
/// How long the certificates of tests are valid, unless they say otherwise.
const DAYS_LEFT: i64 = 90;

/// Seconds of a day.
const DAY_SECS: i64 = 86_400;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTests {
    /// The tests.
    #[serde(default)]
    pub test: Vec<PolicyTest>,
}

/// One test.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTest {
    /// What it shows.
    pub name: Spanned<String>,
    /// The facts.
    #[serde(default)]
    pub given: Given,
    /// The profile that is expected, or `deny`.
    pub expect: Spanned<String>,
}

/// Facts as people write them; what is not said takes its ordinary value.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    /// The name of an identity; without one, a stranger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// `eap-tls` (unless said otherwise) or `mab`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The name of a NAS; without one, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nas: Option<String>,
    /// When, RFC 3339; without it, the time of the [`World`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The endpoint's MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The wireless network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssid: Option<String>,
    /// `ethernet`, `wireless` or `virtual`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_type: Option<String>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_id: Option<String>,
    /// The name of the CA that vouches for the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Days until the certificate expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i64>,
    /// DNS names in the certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub san_dns: Vec<String>,
    /// `compliant`, `warning`, `non_compliant`, or `unknown` (unless said otherwise).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posture: Option<String>,
    /// Checks that fail and count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// `medium`, `high`, or `low` (unless said otherwise).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// 0 to 100; without it, the least of its level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_score: Option<i64>,
    /// Kinds of signals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub risk_kinds: Vec<String>,
    /// Whether it is in quarantine, for rules that ask; the profile is what the rules say.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contained: bool,
}

/// How one test went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestResult {
    /// What it shows.
    pub name: String,
    /// Where it stands in the file.
    pub span: Range<usize>,
    /// What is wrong, if it failed.
    pub failure: Option<String>,
}

/// What facts are made with.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Who is known.
    pub identities: &'a IdentityIndex,
    /// The gear.
    pub nas: &'a NasRegistry,
    /// The rules' hours.
    pub timezone: &'a jiff::tz::TimeZone,
    /// The time.
    pub now: Timestamp,
}

impl Given {
    /// What of these facts a test can say.
    pub fn of(facts: &Facts) -> Given {
        let identity = match &facts.principal {
            Principal::Identity(identity) => Some(identity.name.to_string()),
            Principal::UnknownCertificate | Principal::UnknownMac => None,
        };
        let certificate = facts.certificate.as_deref();
        Given {
            identity,
            method: Some(facts.method.as_str().to_owned()),
            nas: Some(facts.nas_name.clone()),
            at: Some(facts.at.to_string()),
            mac: facts.mac.map(|mac| mac.to_string()),
            ssid: facts.ssid.clone(),
            port_type: facts.nas_port_type.clone(),
            port_id: facts.nas_port_id.clone(),
            ca: facts.certificate_ca.clone(),
            days_left: certificate.map(|c| (c.not_after.unix_secs() - facts.at.unix_secs()).div_euclid(DAY_SECS)),
            san_dns: certificate.map(|c| c.san_dns.clone()).unwrap_or_default(),
            posture: Some(facts.posture.status.clone()).filter(|status| status != Status::Unknown.code()),
            failing: facts.posture.failing.clone(),
            risk: Some(facts.risk.level.clone()).filter(|level| level != Level::Low.code()),
            risk_score: Some(facts.risk.score).filter(|score| *score != 0),
            risk_kinds: facts.risk.kinds.clone(),
            contained: facts.contained.is_some(),
        }
    }

    /// The facts that these words mean.
    ///
    /// # Errors
    /// What they name that is not there.
    pub fn facts(&self, world: &World<'_>) -> Result<Facts, String> {
        let method = match self.method.as_deref() {
            None | Some("eap-tls") => AuthMethod::EapTls,
            Some("mab") => AuthMethod::Mab,
            Some(other) => return Err(format!("{other:?} is no method: eap-tls or mab")),
        };
        let identity = match &self.identity {
            None => None,
            Some(name) => {
                let mut of_kinds = IdentityKind::ALL.iter().filter_map(|kind| world.identities.by_name(*kind, name));
                let found = of_kinds.find(|identity| *identity.name == **name);
                Some(found.ok_or_else(|| format!("no identity is called {name:?}"))?)
            }
        };
        let nas = match &self.nas {
            None => world.nas.all().first().ok_or("there is no NAS")?,
            Some(name) => {
                let found = world.nas.all().iter().find(|n| n.name == *name);
                found.ok_or_else(|| format!("no NAS is called {name:?}"))?
            }
        };
        let at = match &self.at {
            None => world.now,
            Some(text) => serde_json::from_value(text.as_str().into())
                .map_err(|_| format!("{text:?} is no time: write 2026-11-24T08:30:00Z"))?,
        };
        let mac = match &self.mac {
            None => None,
            Some(text) => Some(MacAddress::parse(text).map_err(|e| e.to_string())?),
        };
        if let Some(other) = self.port_type.as_ref().filter(|t| !PORT_TYPES.contains(&t.as_str())) {
            return Err(format!("{other:?} is no port type: {}", PORT_TYPES.join(", ")));
        }
        let local = jiff::Timestamp::from_microsecond(at.as_micros())
            .map_err(|e| e.to_string())?
            .to_zoned_datetime(world.timezone.clone());
        let principal = match (identity, method) {
            (Some(identity), _) => Principal::Identity(identity.clone()),
            (None, AuthMethod::EapTls) => Principal::UnknownCertificate,
            (None, AuthMethod::Mab) => Principal::UnknownMac,
        };
        let name = identity.map_or("stranger", |i| &*i.name);
        let certificate = (method == AuthMethod::EapTls).then(|| Arc::new(self.certificate(name, at)));
        Ok(Facts {
            principal,
            method,
            certificate,
            certificate_ca: self.ca.clone(),
            mac: mac.or((method == AuthMethod::Mab).then(|| MacAddress::new([2, 0, 0x5e, 0, 0x53, 0]))),
            outer_identity: None,
            nas_name: nas.name.clone(),
            nas_groups: nas.groups.clone(),
            site: nas.site.clone(),
            nas_address: nas.addresses.first().map_or([127, 0, 0, 1].into(), |prefix| prefix.address()),
            nas_port_type: self.port_type.clone(),
            nas_port_id: self.port_id.clone(),
            ssid: self.ssid.clone(),
            called_station: None,
            at,
            local_hour: local.hour().into(),
            local_minute: local.minute().into(),
            weekday: local.weekday().to_monday_one_offset().into(),
            tls_version: (method == AuthMethod::EapTls).then(|| "1.3".to_owned()),
            resumed: false,
            posture: self.posture()?,
            risk: self.risk()?,
            contained: self.contained.then(String::new),
        })
    }

    fn posture(&self) -> Result<PostureFacts, String> {
        let status = self.posture.as_deref().unwrap_or(Status::Unknown.code());
        if !Status::ALL.iter().any(|known| known.code() == status) {
            let known = Status::ALL.map(Status::code).join(", ");
            return Err(format!("{status:?} is no posture: {known}"));
        }
        if let Some(wrong) = self.failing.iter().find(|name| name.parse::<Check>().is_err()) {
            return Err(format!("{wrong:?} is no check; docs/posture.md lists them"));
        }
        Ok(PostureFacts { status: status.to_owned(), failing: self.failing.clone(), ..PostureFacts::default() })
    }

    fn risk(&self) -> Result<RiskFacts, String> {
        let word = self.risk.as_deref().unwrap_or(Level::Low.code());
        let known = || format!("{word:?} is no level of risk: {}", Level::ALL.map(Level::code).join(", "));
        let level = Level::from_code(word).ok_or_else(known)?;
        if let Some(wrong) = self.risk_kinds.iter().find(|kind| SignalKind::from_code(kind).is_none()) {
            return Err(format!("{wrong:?} is no kind of signal; docs/risk.md lists them"));
        }
        let least = Settings::default();
        let least = match level {
            Level::Low => 0.0,
            Level::Medium => least.medium,
            Level::High => least.high,
        };
        let score = self.risk_score.unwrap_or(least as i64);
        Ok(RiskFacts { level: level.code().to_owned(), score, kinds: self.risk_kinds.clone() })
    }

    fn certificate(&self, name: &str, at: Timestamp) -> CertificateFacts {
        let day = Duration::from_secs(DAY_SECS.unsigned_abs());
        let days = self.days_left.unwrap_or(DAYS_LEFT);
        let left = day * u32::try_from(days.unsigned_abs()).unwrap_or(u32::MAX);
        CertificateFacts {
            subject: format!("CN={name}"),
            common_name: Some(name.to_owned()),
            issuer: "CN=policy test".into(),
            serial: "01".into(),
            fingerprint: "00".repeat(32),
            key_fingerprint: "00".repeat(32),
            not_before: at - day,
            not_after: if days < 0 { at - left } else { at + left },
            san_dns: self.san_dns.clone(),
            san_email: Vec::new(),
            san_uri: Vec::new(),
            san_upn: Vec::new(),
            san_ip: Vec::new(),
            sid: None,
            key_type: "EC-P256".into(),
        }
    }
}

impl PolicyTests {
    /// Asks the policy each test.
    pub fn run(&self, policy: &Policy, world: &World<'_>) -> Vec<TestResult> {
        self.test
            .iter()
            .map(|test| TestResult {
                name: test.name.get_ref().clone(),
                span: test.name.span(),
                failure: test.failure(policy, world),
            })
            .collect()
    }
}

impl PolicyTest {
    /// A test as it is written in the file.
    ///
    /// # Errors
    /// When a text cannot be written as TOML.
    pub fn text(name: &str, given: &Given, expect: &str) -> Result<String, toml::ser::Error> {
        let mut test = toml::Table::new();
        test.insert("name".into(), name.into());
        test.insert("expect".into(), expect.into());
        test.insert("given".into(), toml::Value::try_from(given)?);
        toml::to_string(&toml::Table::from_iter([("test".to_owned(), vec![toml::Value::Table(test)].into())]))
    }

    fn failure(&self, policy: &Policy, world: &World<'_>) -> Option<String> {
        let facts = match self.given.facts(world) {
            Ok(facts) => facts,
            Err(e) => return Some(e),
        };
        let verdict = policy.evaluate(&facts);
        let expected = self.expect.get_ref();
        let (got, as_expected) = match &verdict.outcome {
            Outcome::Permit { profile } => (format!("the profile {profile}"), profile == expected),
            Outcome::Deny => ("a rejection".to_owned(), expected == DENY),
            Outcome::NoRule => ("a rejection, since no rule permits it".to_owned(), expected == DENY),
            Outcome::Error => (format!("an error: {}", verdict.errors.join("; ")), false),
        };
        let rules =
            if verdict.policies.is_empty() { String::new() } else { format!(" by {}", verdict.policies.join(", ")) };
        (!as_expected).then(|| format!("expected {expected}, got {got}{rules}"))
    }
}
