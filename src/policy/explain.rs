//! Why a rule matched or did not: asked of each rule, and of each part of it, on
//! the same facts.

use super::engine::Policy;
use super::facts::Facts;
use cedar_policy::{Effect, PolicyId, PolicySet};
use serde_json::{Value, json};
use std::fmt;

/// What one rule says to the facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleVerdict {
    /// Its id.
    pub id: String,
    /// Whether it forbids.
    pub forbids: bool,
    /// The profile that it names.
    pub profile: Option<String>,
    /// Its order.
    pub order: u32,
    /// Whether it matched, and if not, where it stopped.
    pub matched: Matched,
}

/// Whether a rule matched, and if not, where it stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Matched {
    /// It matched.
    Yes,
    /// It is about others.
    Principal(String),
    /// It is about other gear.
    Resource(String),
    /// These parts of its conditions are false.
    Conditions(Vec<String>),
    /// It could not be evaluated.
    Error(String),
}

impl fmt::Display for Matched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matched::Yes => f.write_str("matches"),
            Matched::Principal(scope) => write!(f, "is about others: {scope}"),
            Matched::Resource(scope) => write!(f, "is about other gear: {scope}"),
            Matched::Conditions(parts) => write!(f, "is not so: {}", parts.join("; ")),
            Matched::Error(error) => write!(f, "cannot be evaluated: {error}"),
        }
    }
}

/// A part of a rule, asked on its own.
enum Part {
    Holds,
    Fails,
    Errs(String),
}

impl Policy {
    /// What each rule says to these facts, in the order in which they count.
    ///
    /// # Errors
    /// When the facts cannot be put to the policy at all.
    pub fn explain(&self, facts: &Facts) -> Result<Vec<RuleVerdict>, String> {
        let mut all = Vec::new();
        for rule in self.rules() {
            let matched = match self.ask(rule.policy, facts)? {
                Part::Holds => Matched::Yes,
                Part::Errs(error) => Matched::Error(error),
                Part::Fails => self.why_not(rule.policy, facts)?,
            };
            all.push(RuleVerdict {
                id: rule.id.to_owned(),
                forbids: rule.policy.effect() == Effect::Forbid,
                profile: rule.profile.map(str::to_owned),
                order: rule.order,
                matched,
            });
        }
        all.sort_by(|a, b| (!a.forbids, a.order, &a.id).cmp(&(!b.forbids, b.order, &b.id)));
        Ok(all)
    }

    /// Whether one policy holds by itself.
    fn ask(&self, policy: &cedar_policy::Policy, facts: &Facts) -> Result<Part, String> {
        let set = PolicySet::from_policies([policy.clone()]).map_err(|e| e.to_string())?;
        let response = self.authorize(facts, &set)?;
        let error = response.diagnostics().errors().next().map(|e| e.to_string().replace("policy `part`", "it"));
        Ok(match error {
            Some(error) => Part::Errs(error),
            None if response.diagnostics().reason().next().is_some() => Part::Holds,
            None => Part::Fails,
        })
    }

    fn why_not(&self, policy: &cedar_policy::Policy, facts: &Facts) -> Result<Matched, String> {
        let whole = policy.to_json().map_err(|e| e.to_string())?;
        let with = |part: &str| whole.get(part).cloned().unwrap_or(json!({ "op": "All" }));
        let only = |principal: Value, resource: Value, conditions: Value| {
            let policy = json!({
                "effect": "permit", "principal": principal, "action": { "op": "All" }, "resource": resource,
                "conditions": conditions,
            });
            cedar_policy::Policy::from_json(Some(PolicyId::new("part")), policy).map_err(|e| e.to_string())
        };
        let anyone = || json!({ "op": "All" });
        let principal = only(with("principal"), anyone(), json!([]))?;
        if !matches!(self.ask(&principal, facts)?, Part::Holds) {
            return Ok(Matched::Principal(scope_text(&principal, "principal")));
        }
        let resource = only(anyone(), with("resource"), json!([]))?;
        if !matches!(self.ask(&resource, facts)?, Part::Holds) {
            return Ok(Matched::Resource(scope_text(&resource, "resource")));
        }
        let mut failing = Vec::new();
        for condition in whole.get("conditions").and_then(Value::as_array).into_iter().flatten() {
            let kind = condition.get("kind").cloned().unwrap_or(json!("when"));
            let body = condition.get("body").cloned().unwrap_or(Value::Null);
            // `unless` holds or fails as a whole; of `when`, each part must hold.
            let parts = if kind == "when" { conjuncts(body) } else { vec![body] };
            for part in parts {
                let asked = only(anyone(), anyone(), json!([{ "kind": kind, "body": part }]))?;
                if !matches!(self.ask(&asked, facts)?, Part::Holds) {
                    failing.push(condition_text(&asked));
                    // What follows may rest on what has failed.
                    break;
                }
            }
        }
        Ok(Matched::Conditions(failing))
    }
}

/// The parts of `a && b && c`, in order.
fn conjuncts(body: Value) -> Vec<Value> {
    match body.get("&&") {
        Some(and) => {
            let side = |name| and.get(name).cloned().unwrap_or(Value::Null);
            [conjuncts(side("left")), conjuncts(side("right"))].concat()
        }
        None => vec![body],
    }
}

/// `principal in Group::"x"`, out of a policy with this scope alone.
fn scope_text(policy: &cedar_policy::Policy, which: &str) -> String {
    let text = one_line(policy);
    let inside = text.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or(text.as_str(), |(i, _)| i);
    inside.split(", ").find(|part| part.trim_start().starts_with(which)).unwrap_or(inside).trim().to_owned()
}

/// `when { ... }`, out of a policy with this condition alone.
fn condition_text(policy: &cedar_policy::Policy) -> String {
    let text = one_line(policy);
    let condition = text.split_once(')').map_or(text.as_str(), |(_, rest)| rest);
    let condition = condition.trim().trim_end_matches(';').trim();
    match condition.strip_prefix("when {").and_then(|c| c.strip_suffix('}')) {
        Some(inside) => inside.trim().to_owned(),
        None => condition.to_owned(),
    }
}

fn one_line(policy: &cedar_policy::Policy) -> String {
    let text = policy.to_cedar().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
