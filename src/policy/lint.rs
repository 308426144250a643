//! What is wrong with rules that are well-formed: trust in nothing but a place,
//! agents on flat networks, rules that can never decide.
//!
//! What gives access by mistake is an error, unless the rule says by `@accept`
//! that it is meant; what is merely of no use is a warning.

use super::engine::{FLAT_NETWORK, NETWORK_ONLY, Policy, RuleView};
use crate::enforcement::profile::Profile;
use crate::inventory::identity::{Identity, IdentityKind};
use crate::inventory::nas::Nas;
use cedar_policy::{Effect, EntityTypeName, EntityUid, PrincipalConstraint, ResourceConstraint};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Facts that say where and when, and nothing about who.
const PLACE: [&str; 9] =
    ["nas", "time", "method", "outer_identity", "randomized_mac", "posture", "compliance", "risk", "contained"];

/// A finding about one rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// Whether the policy must not come into force with it.
    pub error: bool,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What rules are held against.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Who is known.
    pub identities: &'a [Arc<Identity>],
    /// The gear.
    pub nas: &'a [Arc<Nas>],
    /// What can be granted.
    pub profiles: &'a [Profile],
}

/// All findings, in the order of the text.
pub fn lint(policy: &Policy, around: &Surroundings<'_>) -> Vec<Finding> {
    let rules: Vec<Scoped<'_>> = policy.rules().map(Scoped::new).collect();
    let known = Known::new(around);
    let mut findings = Vec::new();
    for rule in &rules {
        findings.extend(trusts_the_network(rule));
        findings.extend(flat_for_agents(rule, &known));
        findings.extend(about_nobody(rule, &known));
        findings.extend(shadowed(rule, &rules));
    }
    findings
}

/// A rule with what every check asks of it, worked out once.
struct Scoped<'a> {
    rule: RuleView<'a>,
    permits: bool,
    principal: PrincipalConstraint,
    resource: ResourceConstraint,
    json: Value,
}

impl<'a> Scoped<'a> {
    fn new(rule: RuleView<'a>) -> Self {
        Self {
            permits: rule.policy.effect() == Effect::Permit,
            principal: rule.policy.principal_constraint(),
            resource: rule.policy.resource_constraint(),
            json: rule.policy.to_json().unwrap_or_default(),
            rule,
        }
    }

    fn accepts(&self, what: &str) -> bool {
        self.rule.policy.annotation("accept") == Some(what)
    }

    fn is_unconditional(&self) -> bool {
        self.json.get("conditions").and_then(Value::as_array).is_some_and(Vec::is_empty)
    }

    fn finding(&self, error: bool, message: String, remedy: &str) -> Finding {
        Finding { rule: self.rule.id.to_owned(), error, message, remedy: remedy.to_owned() }
    }
}

/// The surroundings, found by what rules name.
struct Known<'a> {
    groups: HashSet<&'a str>,
    agents: Vec<&'a Identity>,
    nas: HashSet<&'a str>,
    nas_groups: HashSet<&'a str>,
    sites: HashSet<&'a str>,
    profiles: &'a [Profile],
}

impl<'a> Known<'a> {
    fn new(around: &Surroundings<'a>) -> Self {
        let Surroundings { identities, nas, profiles } = *around;
        Self {
            groups: identities.iter().flat_map(|i| i.groups.iter()).map(AsRef::as_ref).collect(),
            agents: identities.iter().filter(|i| i.kind == IdentityKind::Agent).map(AsRef::as_ref).collect(),
            nas: nas.iter().map(|n| n.name.as_str()).collect(),
            nas_groups: nas.iter().flat_map(|n| &n.groups).map(String::as_str).collect(),
            sites: nas.iter().filter_map(|n| n.site.as_deref()).collect(),
            profiles,
        }
    }
}

/// Anybody who is in the right place gets in: being there proves nothing.
fn trusts_the_network(rule: &Scoped<'_>) -> Option<Finding> {
    if !rule.permits || rule.principal != PrincipalConstraint::Any || rule.accepts(NETWORK_ONLY) {
        return None;
    }
    let mut used = Used::default();
    used.read(&rule.json);
    if used.principal || used.context.iter().any(|name| !PLACE.contains(&name.as_str())) {
        return None;
    }
    let message = format!("the rule {:?} lets in whoever is in the right place, whatever they prove", rule.rule.id);
    let remedy = "name a group or type of principal, or ask for something of the certificate; if it is meant, \
                  put @accept(\"network-only\") before it";
    Some(rule.finding(true, message, remedy))
}

/// An agent on a VLAN with nothing else around it reaches all of that network.
fn flat_for_agents(rule: &Scoped<'_>, known: &Known<'_>) -> Option<Finding> {
    let profile = known.profiles.iter().find(|p| Some(p.name.as_str()) == rule.rule.profile)?;
    let narrow = !profile.acl.is_empty()
        || profile.filter_id.is_some()
        || profile.role.is_some()
        || profile.security_group.is_some()
        || !profile.attributes.is_empty();
    if narrow || !rule.permits || rule.accepts(FLAT_NETWORK) {
        return None;
    }
    let agent = known.agents.iter().find(|agent| scope_names_agent(&rule.principal, agent))?;
    let message = format!(
        "the rule {:?} can put the agent {} on the profile {:?}, which limits nothing but the VLAN",
        rule.rule.id, agent.name, profile.name
    );
    let remedy = "give the profile access rules, a filter, a role or a security group; if a flat network is meant, \
                  put @accept(\"flat-network\") before the rule";
    Some(rule.finding(true, message, remedy))
}

/// Whether a scope names this agent.
fn scope_names_agent(scope: &PrincipalConstraint, agent: &Identity) -> bool {
    let is_agent = |of: &EntityTypeName| of.to_string() == "Agent";
    let is = |uid: &EntityUid| {
        let id = uid.id().unescaped();
        match uid.type_name().to_string().as_str() {
            "Group" => agent.groups.iter().any(|group| **group == *id),
            "Agent" => *agent.name == *id,
            _ => false,
        }
    };
    match scope {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Is(of) => is_agent(of),
        PrincipalConstraint::In(uid) | PrincipalConstraint::Eq(uid) => is(uid),
        PrincipalConstraint::IsIn(of, uid) => is_agent(of) && is(uid),
    }
}

/// A group, site or group of gear that is empty.
fn about_nobody(rule: &Scoped<'_>, known: &Known<'_>) -> Option<Finding> {
    let quoted = |uid: &EntityUid| format!("{}::{:?}", uid.type_name(), uid.id().unescaped());
    let remedy = "correct the name, or delete the rule";
    if let PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) = &rule.principal
        && !known.groups.contains(uid.id().unescaped())
    {
        let message = format!("the rule {:?} is about {}, in which nobody is", rule.rule.id, quoted(uid));
        return Some(rule.finding(false, message, remedy));
    }
    if let ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) = &rule.resource
    {
        let there = match uid.type_name().to_string().as_str() {
            "NasGroup" => &known.nas_groups,
            "Site" => &known.sites,
            _ => &known.nas,
        };
        if !there.contains(uid.id().unescaped()) {
            let message = format!("the rule {:?} is about {}, where no NAS is", rule.rule.id, quoted(uid));
            return Some(rule.finding(false, message, remedy));
        }
    }
    None
}

/// An earlier rule without conditions takes all that this one could.
fn shadowed(rule: &Scoped<'_>, all: &[Scoped<'_>]) -> Option<Finding> {
    let first = all.iter().find(|other| {
        (other.rule.order, other.rule.id) < (rule.rule.order, rule.rule.id)
            && other.permits
            && rule.permits
            && other.is_unconditional()
            && covers_principal(&other.principal, &rule.principal)
            && covers_resource(&other.resource, &rule.resource)
    })?;
    let message = format!(
        "the rule {:?} never decides: {:?} comes before it and takes all that it could",
        rule.rule.id, first.rule.id
    );
    Some(rule.finding(false, message, "give it a lower @order, or delete it"))
}

fn covers_principal(wide: &PrincipalConstraint, narrow: &PrincipalConstraint) -> bool {
    match (wide, narrow) {
        (PrincipalConstraint::Any, _) => true,
        (PrincipalConstraint::In(a), PrincipalConstraint::IsIn(_, b)) => a == b,
        (PrincipalConstraint::Is(a), PrincipalConstraint::IsIn(b, _)) => a == b,
        (a, b) => a == b,
    }
}

fn covers_resource(wide: &ResourceConstraint, narrow: &ResourceConstraint) -> bool {
    matches!(wide, ResourceConstraint::Any | ResourceConstraint::Is(_)) || wide == narrow
}

/// What a rule's conditions look at.
#[derive(Default)]
struct Used {
    principal: bool,
    /// The first names after `context`.
    context: BTreeSet<String>,
}

impl Used {
    /// Walks Cedar's JSON form of a policy.
    fn read(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    let of_context = inner.pointer("/left/Var").and_then(Value::as_str) == Some("context");
                    if of_context && let Some(attribute) = inner.get("attr").and_then(Value::as_str) {
                        self.context.insert(attribute.to_owned());
                    }
                    if name == "Var" && inner.as_str() == Some("principal") {
                        self.principal = true;
                    }
                    self.read(inner);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.read(item)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{IdentityId, NasId};
    use crate::inventory::nas::{MessageAuthenticatorMode, NasMode};
    use crate::secret::Secret;

    fn findings(text: &str) -> Vec<(String, bool, String)> {
        let profiles = [
            Profile { name: "flat".into(), ..Profile::default() },
            Profile { name: "narrow".into(), role: Some("agents".into()), ..Profile::default() },
        ];
        let agent = Identity {
            groups: ["agents".into()].into(),
            owner: Some("ben".into()),
            ..Identity::new(IdentityId::of_name("a"), IdentityKind::Agent, "summariser")
        };
        let nas = Nas {
            id: NasId::of_name("n"),
            name: "sw1".into(),
            vendor: "standard".into(),
            addresses: vec![],
            secret: Some(Secret::new("x")),
            radsec: None,
            message_authenticator: MessageAuthenticatorMode::Required,
            site: Some("hq".into()),
            groups: vec!["access".into()],
            max_conversations: 1,
            mode: NasMode::Enforce,
            coa: Default::default(),
        };
        let policy = Policy::compile(text, &["flat", "narrow"]).unwrap();
        let (identities, nas) = ([Arc::new(agent)], [Arc::new(nas)]);
        let around = Surroundings { identities: &identities, nas: &nas, profiles: &profiles };
        lint(&policy, &around).into_iter().map(|f| (f.rule, f.error, f.message)).collect()
    }

    fn rule(id: &str, order: u32, profile: &str, scope: &str, when: &str) -> String {
        format!("@id({id:?}) @order(\"{order}\") @profile({profile:?})\npermit ({scope}) {when};\n")
    }

    const CONNECT: &str = "action == Network::Action::\"connect\"";

    #[test]
    fn what_2_a_rule_that_trusts_the_source_network_alone_is_refused() {
        let scope = format!("principal, {CONNECT}, resource in Site::\"hq\"");
        for when in
            ["", "when { context.nas.address.isInRange(ip(\"10.0.0.0/8\")) }", "when { context.method == \"mab\" }"]
        {
            let found = findings(&rule("place", 1, "narrow", &scope, when));
            assert!(matches!(found.as_slice(), [(id, true, _)] if id == "place"), "{when}: {found:?}");
            let accepted = format!("@accept(\"network-only\") {}", rule("place", 1, "narrow", &scope, when));
            assert_eq!(findings(&accepted), []);
        }
        for when in [
            "when { context has certificate && context.certificate.ca == \"corp\" }",
            "when { principal is Device && principal has owner }",
        ] {
            assert_eq!(findings(&rule("asks", 1, "narrow", &scope, when)), [], "{when}");
        }
    }

    #[test]
    fn lay_8_an_agent_on_a_flat_network_is_refused() {
        let scope = format!("principal in Group::\"agents\", {CONNECT}, resource");
        let found = findings(&rule("agents", 1, "flat", &scope, ""));
        assert!(found[0].1 && found[0].2.contains("summariser"), "{found:?}");
        assert_eq!(findings(&rule("agents", 1, "narrow", &scope, "")), []);
        let accepted = format!("@accept(\"flat-network\") {}", rule("agents", 1, "flat", &scope, ""));
        assert_eq!(findings(&accepted), []);
        let devices = format!("principal is Device in Group::\"agents\", {CONNECT}, resource");
        assert_eq!(findings(&rule("devices", 1, "flat", &devices, "")), []);
    }

    #[test]
    fn rules_that_never_decide_are_named() {
        let agents = format!("principal in Group::\"agents\", {CONNECT}, resource");
        let wide = rule("wide", 1, "narrow", &agents, "");
        let narrow = format!("principal is Agent in Group::\"agents\", {CONNECT}, resource in Site::\"hq\"");
        let found = findings(&(wide.clone() + &rule("late", 2, "narrow", &narrow, "when { context.risk.score < 5 }")));
        assert!(matches!(found.as_slice(), [(id, false, m)] if id == "late" && m.contains("\"wide\"")), "{found:?}");
        assert_eq!(findings(&(wide + &rule("early", 0, "narrow", &narrow, "when { context.risk.score < 5 }"))), []);
        let nobody = format!("principal in Group::\"ghosts\", {CONNECT}, resource");
        assert!(findings(&rule("n", 1, "narrow", &nobody, ""))[0].2.contains("nobody is"));
        let nowhere = format!("principal in Group::\"agents\", {CONNECT}, resource in Site::\"moon\"");
        assert!(findings(&rule("n", 1, "narrow", &nowhere, ""))[0].2.contains("no NAS is"));
    }
}
