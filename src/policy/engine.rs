//! Cedar, and what we add to it: an order among rules, profiles, quarantine by
//! `forbid`, denial on error, and an index so that a thousand rules cost no more
//! than the few that can apply.

use super::facts::{AuthMethod, Facts, Principal};
use crate::inventory::identity::IdentityKind;
use aws_lc_rs::digest::{SHA256, digest};
use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet,
    PrincipalConstraint, Request, ResourceConstraint, Response, RestrictedExpression, Schema, ValidationMode,
    Validator,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

/// The built-in default policy.
pub const DEFAULT_POLICY: &str = include_str!("../../policies/default.cedar");
/// What rules may speak of, in Cedar's own words.
pub const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");
/// Sets of rules that are kept ready, one for each combination of groups that
/// logs in. Beyond it they are made anew, which only costs time.
const MAX_READY_SETS: usize = 4096;
/// The longest policy text, in octets; a thousand rules take about 200 KiB.
const MAX_POLICY_LEN: usize = 8 << 20;
const ANNOTATIONS: [&str; 5] = ["id", "order", "profile", "description", "accept"];
/// A value of `@accept`: the rule trusts a place alone, and is meant to.
pub(super) const NETWORK_ONLY: &str = "network-only";
/// A value of `@accept`: the rule puts agents on a flat network, and is meant to.
pub(super) const FLAT_NETWORK: &str = "flat-network";

/// What is wrong with a policy, where, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {message}\n  -> {remedy}")]
pub struct PolicyError {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What the policy says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It may join with this profile.
    Permit {
        /// The profile's name.
        profile: String,
    },
    /// A rule forbids it.
    Deny,
    /// No rule permits it.
    NoRule,
    /// A rule could not be evaluated. Cedar would go on without it, and if it
    /// is a `forbid`, let in whom it bars.
    Error,
}

/// What the policy says, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What it says.
    pub outcome: Outcome,
    /// The rules that decided.
    pub policies: Vec<String>,
    /// All rules that matched.
    pub matched: Vec<String>,
    /// Rules that could not be evaluated, and why.
    pub errors: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    id: String,
    line: usize,
    order: u32,
    profile: Option<String>,
    policy: cedar_policy::Policy,
}

impl Rule {
    /// What a message calls it.
    fn called(&self) -> String {
        if self.id.is_empty() { format!("the rule of line {}", self.line) } else { format!("the rule {:?}", self.id) }
    }
}

/// A rule as others see it.
pub(super) struct RuleView<'a> {
    pub id: &'a str,
    pub order: u32,
    pub profile: Option<&'a str>,
    pub policy: &'a cedar_policy::Policy,
}

/// Whom a rule's scope names.
#[derive(Default, Debug)]
struct Index {
    anyone: Vec<u32>,
    by_type: HashMap<EntityTypeName, Vec<u32>>,
    /// By the entity that the principal must be, or be in.
    by_entity: HashMap<EntityUid, Vec<u32>>,
}

/// A compiled policy. Immutable; shared by all workers.
pub struct Policy {
    rules: Vec<Rule>,
    by_id: HashMap<PolicyId, u32>,
    index: Index,
    whole: PolicySet,
    ready: RwLock<HashMap<Vec<u32>, Arc<PolicySet>>>,
    names: Names,
    revision: String,
    authorizer: Authorizer,
}

/// Entity types and ids that are used at each decision, parsed once.
struct Names {
    kinds: HashMap<IdentityKind, EntityTypeName>,
    certificate: EntityTypeName,
    endpoint: EntityTypeName,
    group: EntityTypeName,
    nas: EntityTypeName,
    nas_group: EntityTypeName,
    site: EntityTypeName,
    connect: EntityUid,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("revision", &self.revision).field("rules", &self.rules.len()).finish()
    }
}

impl Policy {
    /// Compiles a policy that may grant the profiles of these names.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn compile(text: &str, profiles: &[&str]) -> Result<Policy, Vec<PolicyError>> {
        let one = |offset, message: String, remedy: &str| vec![error_at(text, offset, message, remedy)];
        if text.len() > MAX_POLICY_LEN {
            return Err(one(0, format!("the policy has more than {MAX_POLICY_LEN} octets"), "split it, or use groups"));
        }
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|e| one(0, format!("the built-in schema is broken: {e}"), "this is a bug in Cordon"))?;
        let names =
            Names::new().ok_or_else(|| one(0, "the built-in names are broken".into(), "this is a bug in Cordon"))?;
        let parsed = PolicySet::from_str(text).map_err(|errors| {
            errors.iter().map(|e| cedar_error(text, &DetailedError::from(e), "correct the syntax")).collect::<Vec<_>>()
        })?;
        let mut errors = Vec::new();
        if let Some(template) = parsed.templates().next() {
            let offset = text.find(&template.to_string()).unwrap_or(0);
            errors.push(error_at(
                text,
                offset,
                "templates are not supported".into(),
                "name the principal or resource in place of ?principal or ?resource",
            ));
        }
        let rules = annotated(text, &parsed, profiles, &mut errors);
        let result = Validator::new(schema).validate(&parsed, ValidationMode::Strict);
        errors.extend(result.validation_errors().map(|e| {
            let error = DetailedError::from(e);
            let mut error = cedar_error(text, &error, "see policies/README.md for the facts and their types");
            // Cedar numbers the rules; people know them by @id or by their line.
            let numbered = in_order(&parsed).into_iter().zip(&rules).find(|(policy, _)| policy.id() == e.policy_id());
            if let Some((policy, rule)) = numbered {
                let number = format!("policy `{}`", policy.id());
                error.message = error.message.replace(&number, &rule.called());
                error.remedy = error.remedy.replace(&number, &rule.called());
            }
            error
        }));
        if !errors.is_empty() {
            errors.sort_by_key(|e| (e.line, e.column));
            return Err(errors);
        }
        let whole = PolicySet::from_policies(rules.iter().map(|r| r.policy.clone()))
            .map_err(|e| one(0, e.to_string(), "give each rule its own @id"))?;
        let by_id = (0..).zip(&rules).map(|(i, r)| (r.policy.id().clone(), i)).collect();
        let index = Index::of(&rules);
        let revision = digest_of(text);
        Ok(Policy {
            rules,
            by_id,
            index,
            whole,
            ready: RwLock::default(),
            names,
            revision,
            authorizer: Authorizer::new(),
        })
    }

    /// Names the policy's text: the first 12 hex digits of its SHA-256.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The line on which the rule of this id begins, from 1.
    pub fn line_of(&self, id: &str) -> Option<usize> {
        self.rules.iter().find(|rule| rule.id == id).map(|rule| rule.line)
    }

    /// The rules that may grant a profile at this NAS, as far as their scope
    /// tells, each with the profile's name.
    pub fn grants_at(&self, nas: &str, groups: &[String], site: Option<&str>) -> Vec<(&str, &str)> {
        let mut around = vec![uid(&self.names.nas, nas)];
        around.extend(groups.iter().map(|group| uid(&self.names.nas_group, group)));
        around.extend(site.map(|site| uid(&self.names.site, site)));
        let here = |rule: &&Rule| match rule.policy.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => true,
            ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => {
                around.contains(&uid)
            }
        };
        self.rules.iter().filter(here).filter_map(|r| Some((r.id.as_str(), r.profile.as_deref()?))).collect()
    }

    /// What the policy says to these facts.
    pub fn evaluate(&self, facts: &Facts) -> Verdict {
        let principal = self.names.principal(facts);
        let candidates = self.index.candidates(&principal, &self.names.groups(facts));
        let rules = self.ready_set(candidates);
        self.decide(facts, principal, &rules)
    }

    /// The same without the index; a test holds the two against each other.
    pub fn evaluate_plainly(&self, facts: &Facts) -> Verdict {
        self.decide(facts, self.names.principal(facts), &self.whole)
    }

    fn ready_set(&self, candidates: Vec<u32>) -> Arc<PolicySet> {
        if let Some(set) = self.ready.read().unwrap_or_else(PoisonError::into_inner).get(&candidates) {
            return set.clone();
        }
        let policies = candidates.iter().filter_map(|i| self.rules.get(*i as usize)).map(|r| r.policy.clone());
        // Ids are unique, so that this cannot fail; the whole set is right too.
        let set = Arc::new(PolicySet::from_policies(policies).unwrap_or_else(|_| self.whole.clone()));
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= MAX_READY_SETS {
            ready.clear();
        }
        ready.insert(candidates, set.clone());
        set
    }

    /// The rules, in the order of the text.
    pub(super) fn rules(&self) -> impl Iterator<Item = RuleView<'_>> {
        self.rules.iter().map(|rule| RuleView {
            id: &rule.id,
            order: rule.order,
            profile: rule.profile.as_deref(),
            policy: &rule.policy,
        })
    }

    /// What Cedar says to these facts by `rules` alone.
    pub(super) fn authorize(&self, facts: &Facts, rules: &PolicySet) -> Result<Response, String> {
        let (request, entities) = self.names.request(facts, self.names.principal(facts))?;
        Ok(self.authorizer.is_authorized(&request, rules, &entities))
    }

    fn decide(&self, facts: &Facts, principal: EntityUid, rules: &PolicySet) -> Verdict {
        let (request, entities) = match self.names.request(facts, principal) {
            Ok(built) => built,
            Err(message) => {
                return Verdict { outcome: Outcome::Error, policies: vec![], matched: vec![], errors: vec![message] };
            }
        };
        let response = self.authorizer.is_authorized(&request, rules, &entities);
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        let mut matched: Vec<&Rule> = response
            .diagnostics()
            .reason()
            .filter_map(|id| self.by_id.get(id).and_then(|i| self.rules.get(*i as usize)))
            .collect();
        matched.sort_by(|a, b| (a.order, &a.id).cmp(&(b.order, &b.id)));
        let ids = |rules: &[&Rule]| rules.iter().map(|r| r.id.clone()).collect::<Vec<_>>();
        let all = ids(&matched);
        let first = matched.get(..1).unwrap_or_default();
        let granted = |rule: &Rule| rule.profile.clone();
        let (outcome, policies) = if !errors.is_empty() {
            (Outcome::Error, Vec::new())
        } else if response.decision() == Decision::Deny && matched.is_empty() {
            (Outcome::NoRule, Vec::new())
        } else if response.decision() == Decision::Deny && matched.iter().any(|r| r.profile.is_none()) {
            let plain: Vec<_> = matched.iter().copied().filter(|r| r.profile.is_none()).collect();
            (Outcome::Deny, ids(&plain))
        } else {
            match first.first().and_then(|r| granted(r)) {
                Some(profile) => (Outcome::Permit { profile }, ids(first)),
                None => (Outcome::Deny, ids(first)),
            }
        };
        Verdict { outcome, policies, matched: all, errors }
    }
}

/// Names a policy's text: the first 12 hex digits of its SHA-256.
pub fn digest_of(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().take(6).map(|b| format!("{b:02x}")).collect()
}

impl Index {
    fn of(rules: &[Rule]) -> Index {
        let mut index = Index::default();
        for (i, rule) in (0..).zip(rules) {
            match rule.policy.principal_constraint() {
                PrincipalConstraint::Any => index.anyone.push(i),
                PrincipalConstraint::Is(kind) => index.by_type.entry(kind).or_default().push(i),
                // That it is of the type as well, Cedar sees to.
                PrincipalConstraint::In(uid) | PrincipalConstraint::Eq(uid) | PrincipalConstraint::IsIn(_, uid) => {
                    index.by_entity.entry(uid).or_default().push(i);
                }
            }
        }
        index
    }

    /// The rules whose scope may name this principal, in ascending order.
    fn candidates(&self, principal: &EntityUid, groups: &[EntityUid]) -> Vec<u32> {
        let mut out = self.anyone.clone();
        out.extend(self.by_type.get(principal.type_name()).into_iter().flatten());
        for uid in std::iter::once(principal).chain(groups) {
            out.extend(self.by_entity.get(uid).into_iter().flatten());
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}

impl Names {
    fn new() -> Option<Names> {
        let name = |text: &str| EntityTypeName::from_str(text).ok();
        let kinds = [
            (IdentityKind::User, "User"),
            (IdentityKind::Device, "Device"),
            (IdentityKind::Machine, "Machine"),
            (IdentityKind::Agent, "Agent"),
            (IdentityKind::Service, "Service"),
            (IdentityKind::Model, "Model"),
        ];
        Some(Names {
            kinds: kinds.into_iter().map(|(kind, text)| Some((kind, name(text)?))).collect::<Option<_>>()?,
            certificate: name("Certificate")?,
            endpoint: name("Endpoint")?,
            group: name("Group")?,
            nas: name("Nas")?,
            nas_group: name("NasGroup")?,
            site: name("Site")?,
            connect: EntityUid::from_str("Network::Action::\"connect\"").ok()?,
        })
    }

    fn principal(&self, facts: &Facts) -> EntityUid {
        match &facts.principal {
            Principal::Identity(identity) => {
                let kind = self.kinds.get(&identity.kind).unwrap_or(&self.endpoint);
                uid(kind, &identity.name)
            }
            Principal::UnknownCertificate => {
                uid(&self.certificate, facts.certificate.as_ref().map_or("", |c| c.fingerprint.as_str()))
            }
            Principal::UnknownMac => uid(&self.endpoint, &facts.mac.map(|m| m.to_string()).unwrap_or_default()),
        }
    }

    fn groups(&self, facts: &Facts) -> Vec<EntityUid> {
        match &facts.principal {
            Principal::Identity(identity) => identity.groups.iter().map(|g| uid(&self.group, g)).collect(),
            _ => Vec::new(),
        }
    }

    fn request(&self, facts: &Facts, principal: EntityUid) -> Result<(Request, Entities), String> {
        let nas = uid(&self.nas, &facts.nas_name);
        let subject = match &facts.principal {
            Principal::Identity(identity) => {
                let mut attributes = HashMap::from([("name".to_owned(), string(&identity.name))]);
                attributes.extend(identity.owner.as_deref().map(|o| ("owner".to_owned(), string(o))));
                attributes.extend(identity.purpose.as_deref().map(|p| ("purpose".to_owned(), string(p))));
                attributes.extend(identity.environment.as_deref().map(|e| ("environment".to_owned(), string(e))));
                attributes.extend(identity.autonomy.map(|level| ("autonomy".to_owned(), long(level.into()))));
                let groups = self.groups(facts);
                let tags = identity.attributes.iter().map(|(name, value)| (name.to_string(), string(value)));
                Entity::new_with_tags(principal.clone(), attributes, groups, tags).map_err(|e| e.to_string())?
            }
            _ => Entity::new_no_attrs(principal.clone(), HashSet::new()),
        };
        let around = facts
            .nas_groups
            .iter()
            .map(|g| uid(&self.nas_group, g))
            .chain(facts.site.iter().map(|s| uid(&self.site, s)))
            .collect();
        let resource = Entity::new(nas.clone(), HashMap::from([("name".to_owned(), string(&facts.nas_name))]), around)
            .map_err(|e| e.to_string())?;
        let entities = Entities::from_entities([subject, resource], None).map_err(|e| e.to_string())?;
        let request =
            Request::new(principal, self.connect.clone(), nas, context(facts)?, None).map_err(|e| e.to_string())?;
        Ok((request, entities))
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn long(number: i64) -> RestrictedExpression {
    RestrictedExpression::new_long(number)
}

type Fields = Vec<(String, RestrictedExpression)>;

fn record(fields: Fields) -> Result<RestrictedExpression, String> {
    RestrictedExpression::new_record(fields).map_err(|e| e.to_string())
}

fn context(facts: &Facts) -> Result<Context, String> {
    let mut fields: Fields = vec![
        ("method".into(), string(facts.method.as_str())),
        ("posture".into(), string(&facts.posture.status)),
        ("compliance".into(), record(compliance_facts(facts))?),
        ("risk".into(), record(risk_facts(facts))?),
        ("contained".into(), RestrictedExpression::new_bool(facts.contained.is_some())),
        (
            "time".into(),
            record(vec![
                ("hour".into(), long(facts.local_hour)),
                ("minute".into(), long(facts.local_minute)),
                ("weekday".into(), long(facts.weekday)),
                ("unix".into(), long(facts.at.unix_secs())),
            ])?,
        ),
        ("nas".into(), record(nas_facts(facts))?),
    ];
    if let Some(certificate) = &facts.certificate
        && facts.method == AuthMethod::EapTls
    {
        fields.push(("certificate".into(), record(certificate_facts(facts, certificate))?));
    }
    if let Some(version) = &facts.tls_version {
        let tls = vec![
            ("version".into(), string(version)),
            ("resumed".into(), RestrictedExpression::new_bool(facts.resumed)),
        ];
        fields.push(("tls".into(), record(tls)?));
    }
    if let Some(mac) = facts.mac {
        fields.push(("mac".into(), string(&mac.to_string())));
        fields.push(("randomized_mac".into(), RestrictedExpression::new_bool(mac.is_randomized())));
    }
    if let Some(name) = &facts.outer_identity {
        fields.push(("outer_identity".into(), string(name)));
    }
    Context::from_pairs(fields).map_err(|e| e.to_string())
}

fn compliance_facts(facts: &Facts) -> Fields {
    let set = |names: &[String]| RestrictedExpression::new_set(names.iter().map(|name| string(name)));
    let posture = &facts.posture;
    let mut fields = vec![("failing".into(), set(&posture.failing)), ("unknown".into(), set(&posture.unknown))];
    fields.extend(posture.age_secs.map(|secs| ("age_secs".into(), long(secs))));
    fields
}

fn risk_facts(facts: &Facts) -> Fields {
    let kinds = RestrictedExpression::new_set(facts.risk.kinds.iter().map(|kind| string(kind)));
    vec![("level".into(), string(&facts.risk.level)), ("score".into(), long(facts.risk.score)), ("kinds".into(), kinds)]
}

fn nas_facts(facts: &Facts) -> Fields {
    let optional = [
        ("port_type", facts.nas_port_type.as_deref()),
        ("port_id", facts.nas_port_id.as_deref()),
        ("ssid", facts.ssid.as_deref()),
        ("called_station", facts.called_station.as_deref()),
    ];
    let mut fields = vec![
        ("name".into(), string(&facts.nas_name)),
        ("address".into(), RestrictedExpression::new_ip(facts.nas_address.to_canonical().to_string())),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), string(value?)))));
    fields
}

fn certificate_facts(facts: &Facts, certificate: &crate::pki::certificate::CertificateFacts) -> Fields {
    const SECS_PER_DAY: i64 = 86_400;
    let set = |values: &[String]| RestrictedExpression::new_set(values.iter().map(|v| string(v)));
    let mut fields: Fields = vec![
        ("subject".into(), string(&certificate.subject)),
        ("issuer".into(), string(&certificate.issuer)),
        ("ca".into(), string(facts.certificate_ca.as_deref().unwrap_or_default())),
        ("serial".into(), string(&certificate.serial)),
        ("fingerprint".into(), string(&certificate.fingerprint)),
        ("key_type".into(), string(&certificate.key_type)),
        ("san_dns".into(), set(&certificate.san_dns)),
        ("san_email".into(), set(&certificate.san_email)),
        ("san_uri".into(), set(&certificate.san_uri)),
        ("san_upn".into(), set(&certificate.san_upn)),
        ("days_left".into(), long((certificate.not_after.unix_secs() - facts.at.unix_secs()).div_euclid(SECS_PER_DAY))),
    ];
    fields.extend(certificate.common_name.as_deref().map(|n| ("common_name".to_owned(), string(n))));
    fields.extend(certificate.sid.as_deref().map(|s| ("sid".to_owned(), string(s))));
    fields
}

/// The rules in the order of the text: Cedar calls them policy0, policy1 and so on.
fn in_order(parsed: &PolicySet) -> Vec<&cedar_policy::Policy> {
    let mut policies: Vec<_> = parsed.policies().collect();
    policies.sort_by_key(|p| p.id().to_string().trim_start_matches("policy").parse::<u32>().unwrap_or(u32::MAX));
    policies
}

/// The rules with their annotations; what is wrong with those goes to `errors`.
fn annotated(text: &str, parsed: &PolicySet, profiles: &[&str], errors: &mut Vec<PolicyError>) -> Vec<Rule> {
    let mut seen = BTreeSet::new();
    let mut rules = Vec::new();
    let mut end = 0;
    // Lines up to the rule before, so that the text is counted through once.
    let (mut line, mut counted) = (1, 0);
    for policy in in_order(parsed) {
        let source = policy.to_string();
        let offset = text.get(end..).and_then(|rest| rest.find(&source)).map_or(end, |at| end + at);
        line += text.get(counted..offset).unwrap_or_default().matches('\n').count();
        counted = offset;
        end = offset + source.len().min(text.len() - offset);
        let mut wrong = |message: String, remedy: String| errors.push(error_at(text, offset, message, &remedy));
        let id = policy.annotation("id").unwrap_or_default().to_owned();
        if id.is_empty() {
            wrong("the rule has no @id".into(), "put @id(\"a-name\") before it; records name rules by it".into());
        } else if !seen.insert(id.clone()) {
            wrong(format!("two rules have the @id {id:?}"), "give each its own".into());
        }
        for (key, _) in policy.annotations() {
            if !ANNOTATIONS.contains(&key) {
                wrong(format!("@{key} means nothing"), format!("there are @{}", ANNOTATIONS.join(", @")));
            }
        }
        if let Some(accepted) = policy.annotation("accept").filter(|a| ![NETWORK_ONLY, FLAT_NETWORK].contains(a)) {
            let known = format!("there are @accept({NETWORK_ONLY:?}) and @accept({FLAT_NETWORK:?})");
            wrong(format!("@accept({accepted:?}) means nothing"), known);
        }
        let profile = policy.annotation("profile").map(str::to_owned);
        let permit = policy.effect() == Effect::Permit;
        match &profile {
            Some(name) if !profiles.contains(&name.as_str()) => {
                let known = if profiles.is_empty() { "none yet".into() } else { profiles.join(", ") };
                wrong(format!("no profile is called {name:?}"), format!("define it, or use one of: {known}"));
            }
            None if permit => wrong(
                format!("the rule {id:?} permits but names no profile"),
                "put @profile(\"name\") before it".into(),
            ),
            _ => {}
        }
        let order = policy.annotation("order");
        let number = order.and_then(|o| o.parse().ok());
        match (order, number) {
            (Some(text), None) => wrong(format!("@order({text:?}) is no number"), "write @order(\"10\")".into()),
            (None, _) if profile.is_some() => wrong(
                format!("the rule {id:?} names a profile but has no @order"),
                "put @order(\"10\") before it: of all rules that match, the lowest names the profile".into(),
            ),
            _ => {}
        }
        let policy = policy.new_id(PolicyId::new(&id));
        rules.push(Rule { id, line, order: number.unwrap_or(0), profile, policy });
    }
    rules
}

fn error_at(text: &str, offset: usize, message: String, remedy: &str) -> PolicyError {
    let before = text.get(..offset.min(text.len())).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |n| n + 1) + 1;
    PolicyError { line, column, message, remedy: remedy.to_owned() }
}

fn cedar_error(text: &str, error: &DetailedError, remedy: &str) -> PolicyError {
    let offset = error.source_locations.first().map_or(0, |label| label.loc.start);
    error_at(text, offset, error.message.clone(), error.help.as_deref().unwrap_or(remedy))
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
