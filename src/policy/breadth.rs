//! Rules that grant to more than somebody in particular: those whose scope names nobody and no place.

use super::engine::Policy;
use cedar_policy::{Effect, PrincipalConstraint, ResourceConstraint};
use serde_json::Value;

/// A rule that is broad, and in which way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broad {
    /// Its id.
    pub rule: String,
    /// The line on which it begins, from 1.
    pub line: Option<usize>,
    /// What makes it so.
    pub why: &'static str,
}

impl Policy {
    /// The permits that are broad, in the order of the text.
    pub fn broad(&self) -> Vec<Broad> {
        let found = self.rules().filter(|rule| rule.policy.effect() == Effect::Permit).filter_map(|rule| {
            let everybody =
                matches!(rule.policy.principal_constraint(), PrincipalConstraint::Any | PrincipalConstraint::Is(_));
            let everywhere =
                matches!(rule.policy.resource_constraint(), ResourceConstraint::Any | ResourceConstraint::Is(_));
            let json = rule.policy.to_json().unwrap_or_default();
            let unconditional = json.get("conditions").and_then(Value::as_array).is_some_and(Vec::is_empty);
            let why = match (everybody, everywhere, unconditional) {
                (true, true, _) => "its scope names neither a group or identity nor a place",
                (true, false, _) => "its scope names no group and no identity",
                (false, true, true) => {
                    "it grants everywhere and without a condition: a MAC address that anybody can claim is enough"
                }
                _ => return None,
            };
            Some(Broad { rule: rule.id.to_owned(), line: self.line_of(rule.id), why })
        });
        found.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::engine::DEFAULT_POLICY;

    fn broad(text: &str) -> Vec<String> {
        let policy = Policy::compile(text, &["corp"]).unwrap();
        policy.broad().into_iter().map(|broad| broad.rule).collect()
    }

    #[test]
    fn rules_for_everybody_or_without_a_condition_are_broad() {
        let connect = r#"action == Network::Action::"connect""#;
        let text = format!(
            "@id(\"all\") @order(\"1\") @profile(\"corp\") permit (principal, {connect}, resource) when {{ context.method == \"eap-tls\" }};\n\
             @id(\"kind\") @order(\"2\") @profile(\"corp\") permit (principal is Device, {connect}, resource in Site::\"hq\");\n\
             @id(\"bare\") @order(\"3\") @profile(\"corp\") permit (principal in Group::\"a\", {connect}, resource);\n\
             @id(\"good\") @order(\"4\") @profile(\"corp\") permit (principal in Group::\"a\", {connect}, resource in Site::\"hq\");\n"
        );
        assert_eq!(broad(&text), ["all", "kind", "bare"]);
    }

    #[test]
    fn the_default_policy_is_not_broad() {
        let profiles = ["quarantine", "corp", "machines", "agents", "printers", "iot"];
        assert!(Policy::compile(DEFAULT_POLICY, &profiles).unwrap().broad().is_empty());
    }
}
