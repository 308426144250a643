//! The decision record, as it comes together along the way.
//!
//! A [`Draft`] gathers every fact with its source and age; what ends the
//! attempt turns it into the [`Decision`] that is stored.

use super::Snapshot;
use super::identify::Identified;
use super::request::RequestInfo;
use crate::audit::course::Course;
use crate::audit::decision::{Decision, DecisionOutcome, Fact, IdentityRef, class_of};
use crate::audit::reason::Reason;
use crate::eap::server::Failure;
use crate::eap::tls::server::MethodFailure;
use crate::eap::tls::{Established, TlsFailure};
use crate::enforcement::spelling::Spelled;
use crate::ids::DecisionId;
use crate::inventory::identity::Identity;
use crate::inventory::mac::MacAddress;
use crate::inventory::nas::NasMode;
use crate::inventory::observation::CLUE_FACT;
use crate::pki::certificate::CertificateFacts;
use crate::pki::trust::VerifiedChain;
use crate::playbooks::containment::Containment;
use crate::policy::engine::Verdict;
use crate::policy::facts::{AuthMethod, Facts, PostureFacts, Principal, RiskFacts};
use crate::posture::compliance::Verdict as Compliance;
use crate::signals::risk::Risk;
use crate::store::writer::Record;
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;

/// Where a fact comes from.
mod source {
    pub const NAS: &str = "nas";
    pub const HANDSHAKE: &str = "tls handshake";
    pub const CERTIFICATE: &str = "certificate";
    pub const INVENTORY: &str = "inventory";
    pub const CLOCK: &str = "clock";
    pub const REPORTS: &str = "posture reports";
    pub const SIGNALS: &str = "signals";
    pub const CONTAINMENTS: &str = "containments";
    pub const NONE: &str = "not known";
}

/// An attempt on its way to a decision.
#[derive(Debug)]
pub struct Draft {
    info: RequestInfo,
    method: &'static str,
    started: Timestamp,
    /// The EAP identity or User-Name, unverified.
    pub outer_identity: Option<String>,
    /// Round trips so far.
    pub rounds: u32,
    /// What came and what was answered.
    pub course: Course,
    certificate: Option<Arc<CertificateFacts>>,
    certificate_ca: Option<String>,
    identity: Option<IdentityRef>,
    /// Whom a certificate names that is not in force: for the record alone.
    named: Option<IdentityRef>,
    facts: Vec<Fact>,
    warnings: Vec<String>,
    policies: Vec<String>,
    policy_revision: String,
    tls: Option<(String, bool)>,
    pub(super) reply: Vec<(String, String)>,
    outcome: DraftOutcome,
}

/// The fact that tells of a quarantine.
pub(super) const CONTAINMENT_FACT: &str = "containment";

/// Facts that every record holds: what is not known is said to be unknown.
const ALWAYS_SAID: &[&str] = &[
    "certificate.subject",
    "certificate.issuer",
    "certificate.serial",
    "certificate.not_after",
    "identity.name",
    "identity.kind",
    "identity.groups",
    "identity.owner",
    "identity.purpose",
    "identity.autonomy",
    "identity.environment",
    "identity.status",
    "tls.version",
    "tls.resumed",
    "time.hour",
    "time.weekday",
    "posture",
    "risk",
];

/// The longest text of a certificate that a record keeps, in characters, and the
/// most names of a kind: enough for every honest one. Strangers can put 64 KiB
/// into a certificate and send it as often as they like.
const MAX_TEXT: usize = 512;
pub(super) const MAX_NAMES: usize = 16;
/// What a text that was cut ends with.
pub(super) const CUT: char = '\u{2026}';

fn texts(words: &[Arc<str>]) -> Vec<&str> {
    words.iter().map(AsRef::as_ref).collect()
}

/// Cuts text, and lists of it, to what a record keeps.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => cut(text),
        Value::Array(items) => {
            items.truncate(MAX_NAMES);
            items.iter_mut().for_each(shorten);
        }
        _ => {}
    }
}

fn cut(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(at);
        text.push(CUT);
    }
}

#[derive(Debug)]
enum DraftOutcome {
    Open,
    Granted(String, Arc<Spelled>),
    Refused(Reason, String),
}

impl Draft {
    /// How the conversation went, and the packet that ends it.
    pub fn ended(&mut self, mut course: Course, eap: &[u8]) {
        course.sent(eap);
        self.course = course;
    }

    /// An attempt by `method` that began at `started`.
    pub fn new(info: &RequestInfo, method: &'static str, started: Timestamp) -> Self {
        let mut draft = Self {
            info: info.clone(),
            method,
            started,
            outer_identity: info.user_name.clone(),
            rounds: 0,
            course: Course::default(),
            certificate: None,
            certificate_ca: None,
            identity: None,
            named: None,
            facts: Vec::with_capacity(32),
            warnings: Vec::new(),
            policies: Vec::new(),
            policy_revision: String::new(),
            tls: None,
            reply: Vec::new(),
            outcome: DraftOutcome::Open,
        };
        let nas = info.nas.clone();
        draft.fact("nas.name", json!(nas.name), source::INVENTORY);
        draft.fact("nas.groups", json!(nas.groups), source::INVENTORY);
        draft.fact("nas.site", json!(nas.site), source::INVENTORY);
        draft.fact("nas.address", json!(info.source.ip()), source::NAS);
        draft.fact("nas.port_id", json!(info.port), source::NAS);
        draft.fact("nas.port_type", json!(info.port_type), source::NAS);
        draft.fact("nas.ssid", json!(info.ssid), source::NAS);
        draft.fact("randomized_mac", json!(info.mac.map(MacAddress::is_randomized)), source::NAS);
        draft.fact("calling_station", json!(info.calling_station), source::NAS);
        draft.fact("method", json!(method), source::NAS);
        for clue in &info.clues {
            draft.fact(format!("{CLUE_FACT}{}", clue.kind.code()), json!(clue.value), source::NAS);
        }
        draft
    }

    fn fact(&mut self, name: impl Into<Cow<'static, str>>, value: Value, source: &'static str) {
        let at = self.started;
        // What is not known is said, as null, and not left out.
        let source = if value.is_null() { source::NONE } else { source };
        self.facts.push(Fact { name: name.into(), value, source: source.into(), at });
    }

    /// How it is doing, and what of it is not as it should be: which report said so, and when.
    pub fn posture(&mut self, verdict: &Compliance, facts: &PostureFacts) {
        if verdict.policies.is_empty() && verdict.reported.is_none() {
            return;
        }
        let source = source::REPORTS;
        self.fact("posture", json!(facts.status), source);
        self.fact("posture.policies", json!(texts(&verdict.policies)), source::INVENTORY);
        self.fact("posture.failing", json!(facts.failing), source);
        self.fact("posture.unknown", json!(facts.unknown), source);
        self.fact("posture.age_secs", json!(facts.age_secs), source);
        for finding in verdict.findings.iter().take(MAX_NAMES) {
            let mut value = json!(finding.found);
            shorten(&mut value);
            let name = format!("posture.{}", finding.check).into();
            let source = finding.source.clone().map_or(Cow::Borrowed(source::NONE), Cow::Owned);
            self.facts.push(Fact { name, value, source, at: finding.at.unwrap_or(self.started) });
        }
    }

    /// What speaks against it: which signal, of whom, as of when, and what each weighs now.
    pub fn risk(&mut self, risk: &Risk, facts: &RiskFacts) {
        if risk.factors.is_empty() {
            return;
        }
        self.fact("risk", json!(facts.level), source::SIGNALS);
        self.fact("risk.score", json!(facts.score), source::SIGNALS);
        self.fact("risk.kinds", json!(facts.kinds), source::SIGNALS);
        for (number, (factor, weight)) in risk.factors.iter().take(MAX_NAMES).enumerate() {
            let mut value = json!({ "signal": factor.id, "kind": factor.kind, "severity": factor.severity,
                                    "weight": weight.round() as i64, "detail": factor.detail });
            shorten(&mut value);
            let (name, source) = (format!("risk.{}", number + 1).into(), factor.source.clone().into());
            self.facts.push(Fact { name, value, source, at: factor.at });
        }
    }

    /// That it is in quarantine: why, since when, and who has put it there.
    pub fn contained(&mut self, containment: &Containment) {
        let Containment { profile, cause, by, run, .. } = containment;
        let mut value = json!({ "id": containment.id, "profile": profile, "cause": cause, "by": by, "run": run });
        shorten(&mut value);
        self.facts.push(Fact {
            name: CONTAINMENT_FACT.into(),
            value,
            source: source::CONTAINMENTS.into(),
            at: containment.since,
        });
    }

    /// The handshake's facts.
    pub fn tls(&mut self, established: &Established) {
        self.tls = Some((established.version.into(), established.resumed));
        self.fact("tls.version", json!(established.version), source::HANDSHAKE);
        self.fact("tls.cipher_suite", json!(established.cipher_suite), source::HANDSHAKE);
        self.fact("tls.key_exchange", json!(established.key_exchange), source::HANDSHAKE);
        self.fact("tls.resumed", json!(established.resumed), source::HANDSHAKE);
    }

    /// The verified chain's facts.
    pub fn chain(&mut self, chain: &VerifiedChain) {
        self.warnings.extend(chain.warnings.iter().cloned());
        self.certificate(&chain.leaf);
        self.fact("certificate.chain", json!(chain.issuers), source::CERTIFICATE);
        // By these, and the names above, a revoked CA is found in a record later.
        let serials: Vec<_> = chain.between.iter().map(|issuer| issuer.serial.as_str()).collect();
        self.fact("certificate.chain_serials", json!(serials), source::CERTIFICATE);
        self.fact("certificate.ca", json!(chain.anchor), source::INVENTORY);
        self.certificate_ca = Some(chain.anchor.clone());
    }

    fn certificate(&mut self, leaf: &Arc<CertificateFacts>) {
        if let Ok(Value::Object(fields)) = serde_json::to_value(leaf.as_ref()) {
            for (name, mut value) in fields {
                shorten(&mut value);
                let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                if !empty {
                    self.fact(format!("certificate.{name}"), value, source::CERTIFICATE);
                }
            }
        }
        self.certificate = Some(leaf.clone());
    }

    /// The certificate of a handshake that failed, so that the record says
    /// whose it was. Nothing of it is verified.
    pub fn presented(&mut self, cause: &Failure) {
        let Failure::Method(MethodFailure::Tls(TlsFailure::Certificate { chain, .. })) = cause else { return };
        if let Some(leaf) = chain.first().and_then(|der| CertificateFacts::from_der(der).ok()) {
            self.certificate(&Arc::new(leaf));
        }
    }

    /// Who it is.
    pub fn identified(&mut self, identified: &Identified) {
        self.fact("identity.matched_by", json!(identified.matched_by), source::INVENTORY);
        if let Principal::Identity(identity) = &identified.principal {
            self.identity = Some(self.identity_facts(identity));
        }
    }

    /// Whom the certificate names that was refused because it is not in force,
    /// so that the record is found by its identity. Nothing is decided by it.
    pub fn named(&mut self, identified: &Identified) {
        if let Principal::Identity(identity) = &identified.principal {
            self.fact("identity.matched_by", json!(identified.matched_by), source::INVENTORY);
            self.named = Some(self.identity_facts(identity));
        }
    }

    fn identity_facts(&mut self, identity: &Identity) -> IdentityRef {
        self.fact("identity.name", json!(identity.name), source::INVENTORY);
        self.fact("identity.kind", json!(identity.kind.to_string()), source::INVENTORY);
        self.fact("identity.groups", json!(texts(&identity.groups)), source::INVENTORY);
        self.fact("identity.owner", json!(identity.owner.as_deref()), source::INVENTORY);
        self.fact("identity.purpose", json!(identity.purpose.as_deref()), source::INVENTORY);
        self.fact("identity.autonomy", json!(identity.autonomy), source::INVENTORY);
        self.fact("identity.environment", json!(identity.environment.as_deref()), source::INVENTORY);
        for (name, value) in &identity.attributes {
            self.fact(format!("identity.attributes.{name}"), json!(&**value), source::INVENTORY);
        }
        self.fact("identity.status", json!(identity.status.to_string()), source::INVENTORY);
        IdentityRef { id: identity.id, name: identity.name.to_string(), kind: identity.kind.to_string() }
    }

    /// The facts that the policy decides on.
    pub fn policy_facts(&self, principal: Principal, snapshot: &Snapshot, now: Timestamp) -> Facts {
        let info = &self.info;
        let local = jiff::Timestamp::from_microsecond(now.as_micros())
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned_datetime(snapshot.timezone.clone());
        Facts {
            principal,
            method: if self.method == "mab" { AuthMethod::Mab } else { AuthMethod::EapTls },
            certificate: self.certificate.clone(),
            certificate_ca: self.certificate_ca.clone(),
            mac: info.mac,
            outer_identity: self.outer_identity.clone(),
            nas_name: info.nas.name.clone(),
            nas_groups: info.nas.groups.clone(),
            site: info.nas.site.clone(),
            nas_address: info.source.ip(),
            nas_port_type: info.port_type.clone(),
            nas_port_id: info.port.clone(),
            ssid: info.ssid.clone(),
            called_station: info.called_station.clone(),
            at: now,
            local_hour: i64::from(local.hour()),
            local_minute: i64::from(local.minute()),
            weekday: i64::from(local.weekday().to_monday_one_offset()),
            tls_version: self.tls.as_ref().map(|(version, _)| version.clone()),
            resumed: self.tls.as_ref().is_some_and(|(_, resumed)| *resumed),
            posture: PostureFacts::default(),
            risk: RiskFacts::default(),
            contained: None,
        }
    }

    /// What tells this endpoint from others and stays the same from login to
    /// login: its identity, or else its MAC address, or else its certificate.
    pub fn endpoint(&self) -> Vec<u8> {
        match (&self.identity, self.info.mac, &self.certificate) {
            (Some(identity), ..) => identity.id.as_bytes().to_vec(),
            (None, Some(mac), _) => mac.to_string().into_bytes(),
            (None, None, Some(certificate)) => certificate.fingerprint.clone().into_bytes(),
            (None, None, None) => Vec::new(),
        }
    }

    /// What the policy said.
    pub fn decided_by(&mut self, verdict: &Verdict, facts: &Facts, revision: &str) {
        self.fact("time.hour", json!(facts.local_hour), source::CLOCK);
        self.fact("time.minute", json!(facts.local_minute), source::CLOCK);
        self.fact("time.weekday", json!(facts.weekday), source::CLOCK);
        self.policies = verdict.policies.clone();
        self.policy_revision = revision.into();
        self.warnings.extend(verdict.errors.iter().map(|e| format!("policy: {e}")));
    }

    /// It may join, with this profile.
    pub fn grant(&mut self, profile: String, spelled: Arc<Spelled>) {
        self.outcome = DraftOutcome::Granted(profile, spelled);
    }

    /// It may not, and why. The first reason stands.
    pub fn refuse(&mut self, reason: Reason, detail: String) {
        if !matches!(self.outcome, DraftOutcome::Refused(..)) {
            self.outcome = DraftOutcome::Refused(reason, detail);
        }
    }

    /// No rule lets it in; the record says which kind of stranger it was.
    pub fn refuse_for_lack_of_a_rule(&mut self) {
        let (reason, detail) = match (&self.identity, self.method) {
            (Some(identity), _) => {
                (Reason::NoMatchingRule, format!("no rule permits {} {} here", identity.kind, identity.name))
            }
            (None, "mab") => {
                (Reason::MacUnknown, "no identity has this MAC address, and no rule admits unknown ones".into())
            }
            (None, _) => (
                Reason::IdentityUnknown,
                "no identity is bound to this certificate, and no rule admits unbound ones".into(),
            ),
        };
        self.refuse(reason, detail);
    }

    /// Whether it may join.
    pub fn is_granted(&self) -> bool {
        matches!(self.outcome, DraftOutcome::Granted(..))
    }

    /// Whether the NAS is only observed, so that whatever is decided is not
    /// carried out.
    pub fn observes(&self) -> bool {
        self.info.nas.mode == NasMode::Observe
    }

    /// The profile it was granted.
    pub fn profile(&self) -> Option<&str> {
        match &self.outcome {
            DraftOutcome::Granted(profile, _) => Some(profile),
            _ => None,
        }
    }

    /// The same in the words of the NAS.
    pub fn spelled(&self) -> Option<&Arc<Spelled>> {
        match &self.outcome {
            DraftOutcome::Granted(_, spelled) => Some(spelled),
            _ => None,
        }
    }

    /// The verified name, for User-Name in the reply.
    pub fn identity_name(&self) -> Option<&str> {
        self.identity.as_ref().map(|i| i.name.as_str())
    }

    /// Whether the NAS asked for EAP-Key-Name.
    pub fn wants_key_name(&self) -> bool {
        self.info.wants_key_name
    }

    fn finish(
        mut self,
        id: DecisionId,
        outcome: DecisionOutcome,
        reason: Reason,
        mut detail: String,
        enforced: bool,
        now: Timestamp,
    ) -> Record {
        cut(&mut detail);
        let profile = self.profile().map(str::to_owned);
        for name in ALWAYS_SAID {
            if !self.facts.iter().any(|fact| fact.name == *name) {
                self.fact(*name, Value::Null, source::NONE);
            }
        }
        let Draft {
            info,
            method,
            started,
            outer_identity,
            rounds,
            course,
            identity,
            named,
            facts,
            warnings,
            policies,
            ..
        } = self;
        Record::Decision(Box::new(Decision {
            id,
            at: now,
            outcome,
            reason,
            detail,
            method: method.into(),
            nas_name: info.nas.name.clone(),
            nas_address: info.source.ip(),
            nas_port: info.port,
            names: info.names,
            calling_station: info.calling_station,
            mac: info.mac.map(|m| m.to_string()),
            called_station: info.called_station,
            outer_identity,
            identity: identity.or(named),
            profile,
            policies,
            policy_revision: self.policy_revision,
            facts,
            reply: self.reply,
            warnings,
            rounds,
            course,
            class: (outcome == DecisionOutcome::Accept || !enforced).then(|| class_of(id)),
            enforced,
            duration_us: u64::try_from(now.since(started).as_micros()).unwrap_or(u64::MAX),
        }))
    }
}

/// The record of an Access-Accept. `id` is what its Class says. At a NAS that is
/// only observed it tells what would have happened.
pub fn let_in(draft: Draft, snapshot: &Snapshot, id: DecisionId, now: Timestamp) -> Record {
    let enforced = !draft.observes();
    if !draft.is_granted() {
        return refused(draft, snapshot, id, enforced, now);
    }
    let detail = match (draft.identity_name(), draft.profile()) {
        (Some(name), Some(profile)) => format!("{name} gets the profile {profile}"),
        (None, Some(profile)) => format!("gets the profile {profile}"),
        _ => String::new(),
    };
    draft.finish(id, DecisionOutcome::Accept, Reason::Accepted, detail, enforced, now)
}

/// The record of an Access-Reject.
pub fn rejected(draft: Draft, snapshot: &Snapshot, now: Timestamp) -> Record {
    refused(draft, snapshot, DecisionId::new(now), true, now)
}

fn refused(mut draft: Draft, snapshot: &Snapshot, id: DecisionId, enforced: bool, now: Timestamp) -> Record {
    if draft.policy_revision.is_empty() {
        draft.policy_revision = snapshot.policy.revision().into();
    }
    let (reason, detail) = match &mut draft.outcome {
        DraftOutcome::Refused(reason, detail) => (*reason, std::mem::take(detail)),
        _ => (Reason::EapProtocolError, "the conversation ended without a decision".into()),
    };
    draft.finish(id, DecisionOutcome::Reject, reason, detail, enforced, now)
}

/// The record of an attempt that came to no end.
pub fn incomplete(mut draft: Draft, snapshot: &Snapshot, reason: Reason, detail: String, now: Timestamp) -> Record {
    draft.policy_revision = snapshot.policy.revision().into();
    draft.finish(DecisionId::new(now), DecisionOutcome::Incomplete, reason, detail, true, now)
}
