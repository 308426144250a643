//! What a session that was let in would come to now: the recorded facts of its
//! endpoint, and the inventory, rules, profiles and revocations of today. Nothing
//! is asked of the endpoint.

use super::identify::risk_subject;
use super::replay::facts_of;
use super::{Snapshot, failure, identify, record};
use crate::audit::decision::{Decision, DecisionOutcome};
use crate::audit::reason::Reason;
use crate::coa::life::Target;
use crate::coa::plan::Goal;
use crate::enforcement::spelling::Spelled;
use crate::inventory::nas::{Nas, NasMode};
use crate::pki::certificate::CertificateFacts;
use crate::pki::standing::IssuerFacts;
use crate::playbooks::containment::ContainmentTable;
use crate::policy::engine::Outcome;
use crate::policy::facts::{AuthMethod, Facts, PostureFacts, Principal, RiskFacts};
use crate::posture::table::PostureTable;
use crate::signals::risk::Risk;
use crate::signals::table::RiskTable;
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use std::sync::Arc;

/// What of a reply tells nothing of what was granted: it differs at each login.
const ALWAYS_OTHER: [&str; 3] = ["User-Name", "Class", "Session-Timeout"];
/// Octets of the digest by which two spellings of a profile are told apart.
const TARGET_LEN: usize = 8;

/// What a session comes to now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// What it came to at its login.
    Same,
    /// It cannot be told, or is none of our business, and why.
    LeftAlone(&'static str),
    /// Something else.
    Differs(Box<Difference>),
}

/// How it differs, and what follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Why its endpoint may not stay, where that is so.
    pub reason: Option<Reason>,
    /// What differs, in words.
    pub detail: String,
    /// What is to be done.
    pub goal: Goal,
    /// What it leads to.
    pub target: Target,
}

/// A look at one session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// What it comes to.
    pub standing: Standing,
    /// When the time alone ends it, if it does: its certificate or its identity
    /// expires.
    pub until: Option<Timestamp>,
}

impl Look {
    fn alone(why: &'static str) -> Look {
        Look { standing: Standing::LeftAlone(why), until: None }
    }
}

/// What is known of everybody, in memory.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// How they are doing.
    pub posture: &'a PostureTable,
    /// What speaks against them.
    pub risks: &'a RiskTable,
    /// Who of them is in quarantine.
    pub containments: &'a ContainmentTable,
}

/// Looks at the session that `decision` let in.
pub fn look(decision: &Decision, snapshot: &Snapshot, known: &Known<'_>, now: Timestamp) -> Look {
    if decision.outcome != DecisionOutcome::Accept && decision.enforced {
        return Look::alone("it was not let in by this decision");
    }
    // By name: over TLS a NAS is known by its certificate, wherever it asks from.
    let Some(nas) = snapshot.nas.named(&decision.nas_name) else {
        return Look::alone("its NAS is not configured any more");
    };
    if nas.mode == NasMode::Observe {
        return Look::alone("its NAS is only observed");
    }
    let Some(mut facts) = facts_of(decision) else {
        return Look::alone("its record does not hold the facts that rules ask for");
    };
    let identified = match (facts.method, &facts.certificate, facts.mac) {
        (AuthMethod::EapTls, Some(leaf), _) => {
            identify::by_certificate(snapshot, leaf, facts.certificate_ca.as_deref(), now)
        }
        (AuthMethod::Mab, _, Some(mac)) => identify::by_mac(snapshot, mac, now),
        _ => return Look::alone("its record does not say who it is"),
    };
    let recognised = matches!(identified.principal, Principal::Identity(_));
    if decision.identity.is_some() && !recognised && facts.certificate.as_ref().is_some_and(|leaf| is_cut(leaf)) {
        return Look::alone("its record holds only a part of its certificate");
    }
    let expires = match &identified.principal {
        Principal::Identity(identity) => identity.expires,
        Principal::UnknownCertificate | Principal::UnknownMac => None,
    };
    // A certificate is good to the end of its last second.
    let not_after = facts.certificate.as_ref().map(|leaf| Timestamp::from_unix_secs(leaf.not_after.unix_secs() + 1));
    let until = expires.into_iter().chain(not_after).filter(|at| *at > now).min();
    let denied = |reason, detail| Look { standing: Standing::Differs(Box::new(ended(reason, detail))), until };
    if let (Some(leaf), Some(ca)) = (&facts.certificate, &facts.certificate_ca)
        && let Err(error) = snapshot.trust.standing(leaf, &issuers(decision), ca, now)
    {
        return denied(failure::of_chain(&error), error.to_string());
    }
    if let Some((reason, detail)) = identified.barred {
        return denied(reason, detail);
    }
    if let Principal::Identity(identity) = &identified.principal {
        let verdict = known.posture.verdict(identity, &snapshot.compliance, now);
        facts.posture = PostureFacts::of(&verdict, now);
    }
    let risk = match risk_subject(&identified.principal, facts.mac) {
        Some(subject) => known.risks.risk(subject, &snapshot.risk, now),
        None => Risk::default(),
    };
    facts.risk = RiskFacts::of(&risk);
    facts.principal = identified.principal;
    facts.contained = known.containments.of(&facts.principal.subjects(facts.mac)).map(|c| c.profile.clone());
    today(&mut facts, nas, snapshot, now);
    let verdict = snapshot.policy.evaluate(&facts);
    let mut rules = verdict.policies.join(", ");
    if facts.contained.is_some() {
        rules.push_str(", in quarantine");
    }
    let profile = match verdict.outcome {
        Outcome::Permit { profile } => facts.granted(profile),
        Outcome::Deny => return denied(Reason::PolicyDenied, format!("forbidden by {rules}")),
        Outcome::NoRule => return denied(Reason::NoMatchingRule, "no rule permits it here any more".into()),
        Outcome::Error => return denied(Reason::PolicyError, verdict.errors.join("; ")),
    };
    let words = snapshot.spelled.get(&nas.vendor).and_then(|kind| kind.profiles.get(&profile));
    let spelled = match words.map(|words| words.pick(nas.site.as_deref(), &endpoint(&facts))) {
        Some(Ok(spelled)) => spelled,
        Some(Err(e)) => return denied(Reason::ProfileNotExpressible, format!("profile {profile}: {e}")),
        None => return denied(Reason::PolicyError, format!("there is no profile {profile}")),
    };
    let standing = match compare(decision, &profile, &rules, spelled) {
        Some(difference) => Standing::Differs(Box::new(difference)),
        None => Standing::Same,
    };
    Look { standing, until }
}

/// Whether a record may hold less of a certificate than there was; see
/// [`record::MAX_NAMES`].
fn is_cut(leaf: &CertificateFacts) -> bool {
    let lists = [&leaf.san_dns, &leaf.san_email, &leaf.san_uri, &leaf.san_upn, &leaf.san_ip];
    let texts = [&leaf.subject, &leaf.issuer].into_iter().chain(&leaf.common_name);
    lists.iter().any(|names| names.len() >= record::MAX_NAMES)
        || texts.chain(lists.into_iter().flatten()).any(|text| text.ends_with(record::CUT))
}

fn ended(reason: Reason, detail: String) -> Difference {
    // Who stops a change for one reason has said nothing about the next.
    let target = Target(format!("denied {} {}", reason.code(), short(detail.as_bytes())));
    Difference { reason: Some(reason), detail, goal: Goal::End, target }
}

/// What tells two texts apart, in hexadecimal.
fn short(text: &[u8]) -> String {
    digest(&SHA256, text).as_ref().iter().take(TARGET_LEN).map(|octet| format!("{octet:02x}")).collect()
}

/// The certificates between the endpoint's and the anchor, as the record has them.
fn issuers(decision: &Decision) -> Vec<IssuerFacts> {
    let texts = |name: &str| {
        let fact = decision.facts.iter().find(|fact| fact.name == name);
        let list = fact.and_then(|fact| fact.value.as_array()).into_iter().flatten();
        list.filter_map(|text| text.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let named = texts("certificate.chain").into_iter().zip(texts("certificate.chain_serials"));
    named.map(|(subject, serial)| IssuerFacts { subject, serial }).collect()
}

/// The facts that are those of today: the NAS as it is configured, and the time.
fn today(facts: &mut Facts, nas: &Arc<Nas>, snapshot: &Snapshot, now: Timestamp) {
    facts.nas_name = nas.name.clone();
    facts.nas_groups = nas.groups.clone();
    facts.site = nas.site.clone();
    let local = jiff::Timestamp::from_microsecond(now.as_micros())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned_datetime(snapshot.timezone.clone());
    facts.at = now;
    facts.local_hour = i64::from(local.hour());
    facts.local_minute = i64::from(local.minute());
    facts.weekday = i64::from(local.weekday().to_monday_one_offset());
}

/// What a VLAN of a pool is chosen by; see `Draft::endpoint`.
fn endpoint(facts: &Facts) -> Vec<u8> {
    match (&facts.principal, facts.mac, &facts.certificate) {
        (Principal::Identity(identity), ..) => identity.id.as_bytes().to_vec(),
        (_, Some(mac), _) => mac.to_string().into_bytes(),
        (_, None, Some(certificate)) => certificate.fingerprint.clone().into_bytes(),
        (_, None, None) => Vec::new(),
    }
}

/// What differs between what the NAS was told and what it would be told.
fn compare(decision: &Decision, profile: &str, rules: &str, spelled: &Spelled) -> Option<Difference> {
    let told = |reply: &[(String, String)]| -> Vec<(String, String)> {
        reply.iter().filter(|(name, _)| !ALWAYS_OTHER.contains(&name.as_str())).cloned().collect()
    };
    let (was, is) = (told(&decision.reply), told(&spelled.shown));
    // Two profiles that are told alike are alike to the NAS.
    if was == is {
        return None;
    }
    let differing: Vec<_> = was.iter().zip(&is).filter(|(was, is)| was != is).collect();
    let alike = was.len() == is.len() && differing.iter().all(|(was, is)| was.0 == is.0);
    let detail = match &decision.profile {
        Some(old) if old == profile => {
            let words: Vec<_> = match alike {
                true => differing.iter().map(|(was, is)| format!("{} {} -> {}", is.0, was.1, is.1)).collect(),
                false => vec!["its attributes".into()],
            };
            format!("the profile {profile} is told in other words now: {}", words.join(", "))
        }
        Some(old) => format!("the profile {old} becomes {profile} (rule {rules})"),
        None => format!("it gets the profile {profile} (rule {rules})"),
    };
    let all: String = is.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let target = Target(format!("{profile} {}", short(all.as_bytes())));
    Some(Difference { reason: None, detail, goal: Goal::Move, target })
}
