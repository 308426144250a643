//! Drafts and revisions of the policy: checked against what is in force, and what is written to put one in force.

use super::build::Built;
use super::stored::StoredPolicy;
use super::{ConfigError, Source};
use crate::policy::engine::{Policy, digest_of};
use crate::policy::lint::{Surroundings, lint};
use crate::store::inventory::{ChangeRow, NewRevision, PolicyStep, Writes};
use serde_json::{Value, json};

/// A draft that could come into force, and what is unwise about it.
#[derive(Debug)]
pub struct Draft {
    /// The rules.
    pub policy: Policy,
    /// What is unwise but no error.
    pub warnings: Vec<ConfigError>,
}

/// Compiles a draft and holds it to what would keep it out of force: the schema, the profiles, the gear. Its tests are
/// another matter.
///
/// # Errors
/// All that is wrong.
pub fn draft(built: &Built, text: &Source) -> Result<Draft, Vec<ConfigError>> {
    let Source { file, text } = text;
    let names: Vec<&str> = built.profiles.iter().map(|p| p.name.as_str()).collect();
    let policy = Policy::compile(text, &names).map_err(|errors| -> Vec<ConfigError> {
        errors.into_iter().map(|e| ConfigError::in_policy(file, e)).collect()
    })?;
    let snapshot = &built.snapshot;
    let around =
        Surroundings { identities: snapshot.identities.all(), nas: snapshot.nas.all(), profiles: &built.profiles };
    let (errors, warnings): (Vec<_>, Vec<_>) = lint(&policy, &around).into_iter().partition(|f| f.error);
    let told = |all: Vec<_>| all.into_iter().map(|f| ConfigError::of_finding(file, &policy, f)).collect::<Vec<_>>();
    let (errors, warnings) = (told(errors), told(warnings));
    if errors.is_empty() { Ok(Draft { policy, warnings }) } else { Err(errors) }
}

/// What puts a new revision in force.
pub fn new_revision(policy: &StoredPolicy, step: PolicyStep, comment: &str) -> Writes {
    let new = NewRevision {
        digest: digest_of(&policy.text.text),
        text: policy.text.text.clone(),
        tests: policy.tests.as_ref().map(|tests| tests.text.clone()),
        comment: comment.to_owned(),
    };
    let fields = json!({ "digest": new.digest, "comment": comment });
    let (changes, reason) = (vec![activation(fields)], comment.to_owned());
    Writes { policy: Some(new), step, changes, reason, ..Writes::default() }
}

/// What puts a revision in force that is stored already.
pub fn known_revision(number: i64, digest: &str, step: PolicyStep, comment: &str) -> Writes {
    let fields = json!({ "digest": digest, "revision": number, "step": step.as_str() });
    let reason = comment.to_owned();
    Writes { activate: Some(number), step, changes: vec![activation(fields)], reason, ..Writes::default() }
}

fn activation(fields: Value) -> ChangeRow {
    ChangeRow { kind: "policy".into(), name: "the policy".into(), action: "activate".into(), fields }
}
