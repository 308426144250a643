//! What identities should be like, checked as it is read.

use super::Builder;
use crate::config::Source;
use crate::config::compliance::{ComplianceSection, RequirementSection};
use crate::config::document::Sections;
use crate::inventory::identity::IdentityKind;
use crate::posture::check::{Check, Form, Value};
use crate::posture::compliance::{CompliancePolicy, Condition, Requirement};
use crate::posture::table::Policies;
use serde_json::Value as Json;
use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

/// The longest grace, in seconds: what may fail for a year is not asked for.
const MAX_GRACE_SECS: u64 = 365 * 86_400;

impl<'a> Builder<'a> {
    /// All compliance policies, in the order in which they are written.
    pub(super) fn compliance(&mut self, documents: &[(&'a Source, Sections<'a>)]) -> Policies {
        let (mut all, mut names) = (Vec::new(), HashSet::new());
        for (source, sections) in documents {
            self.source = source;
            for section in sections.compliance {
                let name = section.name.get_ref();
                if !names.insert(name.clone()) {
                    let message = format!("two compliance policies are called {name:?}");
                    self.wrong(section.name.span(), message, "give each its own name");
                }
                all.push(self.compliance_policy(section));
            }
        }
        all.into()
    }

    fn compliance_policy(&mut self, section: &ComplianceSection) -> CompliancePolicy {
        let mut policy = CompliancePolicy {
            name: section.name.get_ref().as_str().into(),
            kinds: Default::default(),
            groups: section.groups.iter().map(|group| group.as_str().into()).collect(),
            requirements: Vec::new(),
        };
        for kind in &section.kinds {
            match kind.get_ref().parse::<IdentityKind>() {
                Ok(known) => drop(policy.kinds.insert(known.as_str())),
                Err(e) => self.wrong(kind.span(), e.to_string(), "name a kind of identity"),
            }
        }
        if section.checks.is_empty() {
            let message = format!("the compliance policy {} asks for nothing", policy.name);
            self.wrong(section.name.span(), message, "give it checks: whoever it is for would be compliant");
        }
        for written in &section.checks {
            let Some(requirement) = self.requirement(written.get_ref(), written.span()) else { continue };
            if policy.requirements.iter().any(|known| known.check == requirement.check) {
                let message = format!("{} asks for {} twice", policy.name, requirement.check);
                self.wrong(written.span(), message, "keep one of the two");
            }
            policy.requirements.push(requirement);
        }
        policy
    }

    fn requirement(&mut self, section: &RequirementSection, span: Range<usize>) -> Option<Requirement> {
        let check = match section.check.parse::<Check>() {
            Ok(check) => check,
            Err(e) => {
                let known = Check::KNOWN.iter().map(Check::name).collect::<Vec<_>>().join(", ");
                self.wrong(span, e.to_string(), format!("there are {known}"));
                return None;
            }
        };
        let condition = match condition(&check, section) {
            Ok(condition) => condition,
            Err(message) => {
                self.wrong(span, message, "say by one of is, one_of, at_least, at_most, none_of what it must be");
                return None;
            }
        };
        if section.grace_secs > MAX_GRACE_SECS {
            self.wrong(span, format!("grace_secs of {check} is above a year"), "ask for it sooner, or not at all");
            return None;
        }
        let (severity, remedy) = (section.severity, section.remedy.clone());
        Some(Requirement { check, condition, severity, grace: Duration::from_secs(section.grace_secs), remedy })
    }
}

fn condition(check: &Check, section: &RequirementSection) -> Result<Condition, String> {
    let value = |json: &Json| check.value(json).map_err(|e| e.to_string());
    let ordered = |json: &Json| match (check.form(), value(json)?) {
        (Form::Number | Form::Version | Form::Any, value @ (Value::Number(_) | Value::Text(_))) => Ok(value),
        _ => Err(format!("{check} has no order: there is no least or most of it")),
    };
    let mut conditions = Vec::new();
    if let Some(wanted) = &section.is {
        conditions.push(Condition::Is(value(wanted)?));
    }
    if let Some(wanted) = &section.one_of {
        conditions.push(Condition::OneOf(wanted.iter().map(value).collect::<Result<_, _>>()?));
    }
    if let Some(least) = &section.at_least {
        conditions.push(Condition::AtLeast(ordered(least)?));
    }
    if let Some(most) = &section.at_most {
        conditions.push(Condition::AtMost(ordered(most)?));
    }
    if let Some(named) = &section.none_of {
        if !matches!(check.form(), Form::List | Form::Any) {
            return Err(format!("{check} is no list that could hold something"));
        }
        conditions.push(Condition::NoneOf(named.iter().map(|name| name.as_str().into()).collect()));
    }
    match (conditions.pop(), conditions.is_empty()) {
        (Some(condition), true) => Ok(condition),
        (None, _) => Err(format!("it is not said what {check} must be")),
        (Some(_), false) => Err(format!("two things are said of what {check} must be")),
    }
}
