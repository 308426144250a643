//! The facts of a recorded decision, put together again, so that another policy
//! can be asked what it would have said.

use super::record::CONTAINMENT_FACT;
use crate::audit::decision::Decision;
use crate::inventory::identity::{Attributes, Identity};
use crate::inventory::mac::MacAddress;
use crate::pki::certificate::CertificateFacts;
use crate::policy::facts::{AuthMethod, Facts, PostureFacts, Principal, RiskFacts};
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The recorded facts by name.
struct Recorded<'a>(HashMap<&'a str, &'a Value>);

impl Recorded<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(|v| v.as_array()).into_iter().flatten();
        list.filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }

    fn attributes(&self) -> Attributes {
        let all = self.0.iter();
        let named = all.filter_map(|(name, value)| Some((name.strip_prefix("identity.attributes.")?, value.as_str()?)));
        let sorted: BTreeMap<&str, &str> = named.collect();
        sorted.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        serde_json::from_value((*self.0.get(name)?).clone()).ok()
    }
}

/// The facts that the policy was asked with. `None` when it was not asked:
/// the login failed before, or nobody waited for its end.
pub fn facts_of(decision: &Decision) -> Option<Facts> {
    let recorded = Recorded(decision.facts.iter().map(|f| (f.name.as_ref(), &f.value)).collect());
    let method = match decision.method.as_str() {
        "eap-tls" => AuthMethod::EapTls,
        "mab" => AuthMethod::Mab,
        _ => return None,
    };
    // The policy is asked at a time of day, and nothing else notes it.
    let local_hour = recorded.number("time.hour")?;
    let principal = match (&decision.identity, method) {
        (Some(identity), _) => Principal::Identity(Arc::new(Identity {
            groups: recorded.texts("identity.groups").into_iter().map(Arc::from).collect(),
            owner: recorded.text("identity.owner").map(Arc::from),
            purpose: recorded.text("identity.purpose").map(Arc::from),
            autonomy: recorded.number("identity.autonomy").and_then(|level| u8::try_from(level).ok()),
            environment: recorded.text("identity.environment").map(Arc::from),
            attributes: recorded.attributes(),
            ..Identity::new(identity.id, identity.kind.parse().ok()?, &identity.name)
        })),
        (None, AuthMethod::EapTls) => Principal::UnknownCertificate,
        (None, AuthMethod::Mab) => Principal::UnknownMac,
    };
    Some(Facts {
        principal,
        method,
        certificate: certificate(&recorded).map(Arc::new),
        certificate_ca: recorded.text("certificate.ca"),
        mac: decision.mac.as_deref().and_then(|mac| MacAddress::parse(mac).ok()),
        outer_identity: decision.outer_identity.clone(),
        nas_name: decision.nas_name.clone(),
        nas_groups: recorded.texts("nas.groups"),
        site: recorded.text("nas.site"),
        nas_address: decision.nas_address,
        nas_port_type: recorded.text("nas.port_type"),
        nas_port_id: decision.nas_port.clone(),
        ssid: recorded.text("nas.ssid"),
        called_station: decision.called_station.clone(),
        at: decision.at,
        local_hour,
        local_minute: recorded.number("time.minute").unwrap_or(0),
        weekday: recorded.number("time.weekday").unwrap_or(1),
        tls_version: recorded.text("tls.version"),
        resumed: recorded.0.get("tls.resumed").and_then(|v| v.as_bool()).unwrap_or(false),
        posture: posture(&recorded),
        risk: risk(&recorded),
        contained: contained(&recorded),
    })
}

fn posture(recorded: &Recorded<'_>) -> PostureFacts {
    let Some(status) = recorded.text("posture") else { return PostureFacts::default() };
    PostureFacts {
        status,
        failing: recorded.texts("posture.failing"),
        unknown: recorded.texts("posture.unknown"),
        age_secs: recorded.number("posture.age_secs"),
    }
}

fn risk(recorded: &Recorded<'_>) -> RiskFacts {
    let Some(level) = recorded.text("risk") else { return RiskFacts::default() };
    RiskFacts { level, score: recorded.number("risk.score").unwrap_or(0), kinds: recorded.texts("risk.kinds") }
}

fn contained(recorded: &Recorded<'_>) -> Option<String> {
    recorded.0.get(CONTAINMENT_FACT)?.get("profile")?.as_str().map(str::to_owned)
}

fn certificate(recorded: &Recorded<'_>) -> Option<CertificateFacts> {
    Some(CertificateFacts {
        subject: recorded.text("certificate.subject")?,
        common_name: recorded.text("certificate.common_name"),
        issuer: recorded.text("certificate.issuer")?,
        serial: recorded.text("certificate.serial")?,
        fingerprint: recorded.text("certificate.fingerprint")?,
        key_fingerprint: recorded.text("certificate.key_fingerprint")?,
        not_before: recorded.time("certificate.not_before")?,
        not_after: recorded.time("certificate.not_after")?,
        san_dns: recorded.texts("certificate.san_dns"),
        san_email: recorded.texts("certificate.san_email"),
        san_uri: recorded.texts("certificate.san_uri"),
        san_upn: recorded.texts("certificate.san_upn"),
        san_ip: recorded.texts("certificate.san_ip"),
        sid: recorded.text("certificate.sid"),
        key_type: recorded.text("certificate.key_type").unwrap_or_default(),
    })
}
