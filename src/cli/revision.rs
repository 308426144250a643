//! Revisions of the policy: checked, put in force, taken back.

use super::host::{Host, author, runtime, text_of};
use crate::access::again::{DENIED, short};
use crate::access::replay::facts_of;
use crate::audit::event::By;
use crate::config::Source;
use crate::config::build::{Built, build};
use crate::config::files::{Readers, write_whole};
use crate::config::revision::{known_revision, new_revision};
use crate::config::stored::StoredPolicy;
use crate::ids::DecisionId;
use crate::policy::suite::{DENY, Given, PolicyTest};
use crate::store::inventory::{ActivationRow, PolicyStep, Writes, before};
use crate::transport::clock::Clock;
use std::path::Path;

impl Host {
    /// The policy in force, if it is one that can be changed here.
    fn managed(&self) -> Result<(), String> {
        match &self.config.policy.file {
            None => Ok(()),
            Some(file) => Err(format!(
                "the policy in force is the file {}\n  -> change it there, or remove `file` from [policy] in {} to keep revisions in the database",
                self.source.resolve(file.get_ref()).display(),
                self.file.display()
            )),
        }
    }

    /// What a server would run on if `policy` were in force.
    fn build_with(&mut self, policy: StoredPolicy) -> Result<Built, String> {
        self.config.policy.file = None;
        self.config.policy.tests = None;
        self.stored.policy = Some(policy);
        let now = Clock::start().now();
        build(&self.config, &self.source, &self.stored, None, now).map_err(|faults| faults.to_string())
    }

    /// The tests of the policy in force.
    fn tests_in_force(&self) -> Result<Option<Source>, String> {
        match (&self.config.policy.file, &self.config.policy.tests) {
            (Some(_), Some(path)) => text_of(&self.source.resolve(path.get_ref())).map(Some),
            (Some(_), None) => Ok(None),
            (None, _) => Ok(self.stored.policy.as_ref().and_then(|policy| policy.tests.clone())),
        }
    }

    fn draft(&self, draft: &Path, tests: Option<&Path>) -> Result<StoredPolicy, String> {
        let tests = match tests {
            Some(file) => Some(text_of(file)?),
            None => self.tests_in_force()?,
        };
        Ok(StoredPolicy { number: 0, text: text_of(draft)?, tests })
    }
}

/// Checks a draft, or what is in force.
///
/// # Errors
/// All that is wrong.
pub fn check(config: &Path, draft: Option<&Path>, tests: Option<&Path>) -> Result<(), String> {
    let mut host = runtime()?.block_on(Host::read(config))?;
    let built = match draft {
        Some(file) => {
            let policy = host.draft(file, tests)?;
            host.build_with(policy)?
        }
        None => host.build()?,
    };
    for warning in &built.warnings {
        println!("warning: {warning}");
    }
    let policy = &built.snapshot.policy;
    println!("good: {} rules (policy {})", policy.len(), policy.revision());
    Ok(())
}

/// Stores a draft as a new revision and puts it in force.
///
/// # Errors
/// All that is wrong; then nothing is changed.
pub fn activate(
    config: &Path,
    draft: &Path,
    tests: Option<&Path>,
    comment: &str,
    by: Option<&str>,
) -> Result<(), String> {
    let mut host = runtime()?.block_on(Host::read(config))?;
    host.managed()?;
    let policy = host.draft(draft, tests)?;
    put_in_force(&mut host, policy, PolicyStep::Activate, comment, by)
}

fn put_in_force(
    host: &mut Host,
    policy: StoredPolicy,
    step: PolicyStep,
    comment: &str,
    by: Option<&str>,
) -> Result<(), String> {
    let writes = new_revision(&policy, step, comment);
    write(host, policy, &writes, by)
}

/// Puts a stored revision in force again.
///
/// # Errors
/// All that is wrong with it today; then nothing is changed.
pub fn activate_known(config: &Path, number: i64, by: Option<&str>) -> Result<(), String> {
    let mut host = runtime()?.block_on(Host::read(config))?;
    host.managed()?;
    step_to(&mut host, number, PolicyStep::Activate, by)
}

fn step_to(host: &mut Host, number: i64, step: PolicyStep, by: Option<&str>) -> Result<(), String> {
    let found = runtime()?.block_on(async {
        let revisions = host.open().await?.revisions().await.map_err(|e| e.to_string())?;
        let known = revisions.iter().map(|r| r.number.to_string()).collect::<Vec<_>>().join(", ");
        let found = revisions.into_iter().find(|revision| revision.number == number);
        found.ok_or(format!("there is no revision {number}; there are: {known}"))
    })?;
    let writes = known_revision(number, &found.digest, step, "");
    write(host, StoredPolicy::of_row(found), &writes, by)
}

/// Puts the revision in force that was so before the present one was wanted;
/// another rollback goes one further back.
///
/// # Errors
/// When there was none, or when it would not be sound today.
pub fn rollback(config: &Path, by: Option<&str>) -> Result<(), String> {
    // Read first: a change that comes in between is noticed when this is written.
    let mut host = runtime()?.block_on(Host::read(config))?;
    host.managed()?;
    let activations =
        runtime()?.block_on(async { host.open().await?.activations().await.map_err(|e| e.to_string()) })?;
    let target = before(&activations).ok_or("no other policy was in force before this one")?;
    step_to(&mut host, target, PolicyStep::Rollback, by)?;
    if let Some(undone) = activations.first() {
        println!("it takes the place of revision {}, in force since {}", undone.revision, undone.at);
    }
    Ok(())
}

fn write(host: &mut Host, policy: StoredPolicy, writes: &Writes, by: Option<&str>) -> Result<(), String> {
    let generation = host.stored.generation;
    let built = host.build_with(policy)?;
    for warning in &built.warnings {
        println!("warning: {warning}");
    }
    let done = runtime()?.block_on(async {
        let (store, _) = host.open_to_write().await?;
        let now = Clock::start().now();
        store.apply(generation, writes, &By::cli(author(by)), now).await.map_err(|e| e.to_string())
    })?;
    if let Some(revision) = done {
        println!("policy revision {revision} is active: {} rules", built.snapshot.policy.len());
    }
    Ok(())
}

/// Lists revisions and activations, or prints one revision.
///
/// # Errors
/// When the database cannot be read.
pub fn history(config: &Path, show: Option<i64>) -> Result<(), String> {
    let (revisions, activations) = runtime()?.block_on(async {
        let store = Host::read(config).await?.open().await?;
        let revisions = store.revisions().await.map_err(|e| e.to_string())?;
        Ok::<_, String>((revisions, store.activations().await.map_err(|e| e.to_string())?))
    })?;
    if let Some(number) = show {
        let revision = revisions.iter().find(|revision| revision.number == number);
        print!("{}", revision.ok_or(format!("there is no revision {number}"))?.text);
        return Ok(());
    }
    println!("revisions:");
    for revision in &revisions {
        let comment = if revision.comment.is_empty() { String::new() } else { format!("  {}", revision.comment) };
        println!("{:>5}  {}  {}  {}{comment}", revision.number, revision.digest, revision.created, revision.author);
    }
    println!("in force:");
    for activation in &activations {
        let ActivationRow { revision, step, author, at } = activation;
        println!("{revision:>5}  since {at}, {} by {author}", step.as_str());
    }
    Ok(())
}

/// Makes a recorded decision a test, so that no later policy decides otherwise
/// without somebody noticing.
///
/// # Errors
/// When the policy in force decides otherwise already, or was not asked.
pub fn pin(config: &Path, id: DecisionId, name: Option<&str>, by: Option<&str>) -> Result<(), String> {
    let (mut host, recorded) = runtime()?.block_on(async {
        let host = Host::read(config).await?;
        let recorded = host.decision(id).await?;
        Ok::<_, String>((host, recorded))
    })?;
    let facts = facts_of(&recorded)
        .ok_or_else(|| format!("the policy was not asked about {id}: {}", recorded.reason.cause()))?;
    let expected = recorded.profile.clone().unwrap_or_else(|| DENY.into());
    let name = name.map_or_else(|| format!("decision {id}"), str::to_owned);
    let built = host.build()?;
    let given = Given::of(&facts);
    let now = Clock::start().now();
    let again = given.facts(&built.world(now)).map(|facts| short(&built.snapshot.policy.evaluate(&facts).outcome))?;
    let again = if again == DENIED { DENY.to_owned() } else { again };
    if again != expected {
        return Err(format!(
            "it was {expected} then, and what a test can say of it gives {again} today: the test would fail\n  -> \
             `cordon policy explain --decision {id}` tells why"
        ));
    }
    let test = PolicyTest::text(&name, &given, &expected).map_err(|e| e.to_string())?;
    if host.config.policy.file.is_some() {
        let Some(path) = &host.config.policy.tests else {
            return Err("the policy has no tests file\n  -> name one in [policy] tests, and try again".into());
        };
        let file = host.source.resolve(path.get_ref());
        let text = format!("{}\n{test}", text_of(&file)?.text.trim_end());
        write_whole(&file, &text, Readers::All).map_err(|e| format!("{}: {e}", file.display()))?;
        println!("pinned as {name:?} in {}", file.display());
        return Ok(());
    }
    let policy = host.stored.policy.clone().ok_or("the built-in policy has no tests; activate a policy of your own")?;
    let known = policy.tests.as_ref().map_or("", |tests| tests.text.trim_end());
    let file = "the pinned test".into();
    let tests = Some(Source { file, text: format!("{known}\n{test}").trim_start().to_owned() });
    put_in_force(&mut host, StoredPolicy { tests, ..policy }, PolicyStep::Pin, &format!("pinned: {name}"), by)
}
