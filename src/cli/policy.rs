//! `cordon policy`: what rules say, before and after they say it.

use super::host::{Host, runtime, text_of};
use super::{replay, revision as revisions};
use crate::access::again::short;
use crate::access::replay::facts_of;
use crate::audit::decision::Decision;
use crate::config::build::{Built, ordinary_time};
use crate::config::{ConfigError, Source, revision};
use crate::ids::DecisionId;
use crate::policy::engine::{Outcome, Policy, Verdict};
use crate::policy::facts::{Facts, Principal};
use crate::policy::suite::{Given, PolicyTests, World};
use crate::server;
use crate::transport::clock::Clock;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `cordon policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Check a draft as if it came into force: syntax, rules, tests, gear
    Check(CheckArgs),
    /// Store a policy as a new revision, or take a known one, and put it in force
    Activate(ActivateArgs),
    /// Put the revision in force that was so before
    Rollback(RollbackArgs),
    /// List revisions, and who put which in force when
    History(HistoryArgs),
    /// Make a recorded decision a test of the policy
    Pin(PinArgs),
    /// Run the policy's tests
    Test(TestArgs),
    /// Say of each rule whether it matches, and if not, on what it stops
    Explain(ExplainArgs),
    /// Say who would get another profile by a draft, from recorded decisions
    Diff(DiffArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// The policy; without it, the one in force
    draft: Option<PathBuf>,
    /// Its tests; without them, those in force
    #[arg(long)]
    tests: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ActivateArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// The policy
    #[arg(required_unless_present = "revision", conflicts_with = "revision")]
    draft: Option<PathBuf>,
    /// Its tests; without them, those in force
    #[arg(long, conflicts_with = "revision")]
    tests: Option<PathBuf>,
    /// A revision that is stored already
    #[arg(long)]
    revision: Option<i64>,
    /// Why, for the record
    #[arg(short = 'm', long, default_value = "")]
    comment: String,
    /// Who, for the record; without it, the user of the system
    #[arg(long)]
    by: Option<String>,
}

#[derive(Debug, Args)]
struct RollbackArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// Who, for the record; without it, the user of the system
    #[arg(long)]
    by: Option<String>,
}

#[derive(Debug, Args)]
struct HistoryArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// Print the text of this revision
    #[arg(long)]
    show: Option<i64>,
}

#[derive(Debug, Args)]
struct PinArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// The decision's id
    decision: DecisionId,
    /// What the test shows; without it, the decision's id
    #[arg(long)]
    name: Option<String>,
    /// Who, for the record; without it, the user of the system
    #[arg(long)]
    by: Option<String>,
}

#[derive(Debug, Args)]
struct TestArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// The tests, in place of those that the configuration names
    #[arg(long)]
    tests: Option<PathBuf>,
    /// The policy, in place of the one that the configuration names
    #[arg(long)]
    draft: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// The policy, in place of the one that the configuration names
    #[arg(long)]
    draft: Option<PathBuf>,
    /// A recorded decision, by its id
    #[arg(long, conflicts_with_all = ["identity", "nas", "method", "at", "mac", "ssid", "port_type"])]
    decision: Option<DecisionId>,
    /// The name of an identity; without one, a stranger
    #[arg(long)]
    identity: Option<String>,
    /// The name of a NAS; without one, the first
    #[arg(long)]
    nas: Option<String>,
    /// eap-tls or mab
    #[arg(long)]
    method: Option<String>,
    /// When, RFC 3339; without it, now
    #[arg(long)]
    at: Option<String>,
    /// The endpoint's MAC address
    #[arg(long)]
    mac: Option<String>,
    /// The wireless network
    #[arg(long)]
    ssid: Option<String>,
    /// ethernet or wireless
    #[arg(long)]
    port_type: Option<String>,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// The draft
    #[arg(long)]
    draft: PathBuf,
    /// How many days of decisions to ask
    #[arg(long, default_value_t = 7)]
    days: u32,
}

/// Does what the arguments say.
///
/// # Errors
/// In plain words; for `test`, when one fails.
pub fn run(args: &PolicyArgs) -> Result<(), String> {
    match &args.command {
        PolicyCommand::Check(args) => revisions::check(&args.config, args.draft.as_deref(), args.tests.as_deref()),
        PolicyCommand::Activate(args) => {
            let by = args.by.as_deref();
            match (&args.draft, args.revision) {
                (Some(draft), _) => revisions::activate(&args.config, draft, args.tests.as_deref(), &args.comment, by),
                (None, Some(number)) => revisions::activate_known(&args.config, number, by),
                (None, None) => Err("name a policy, or a --revision".into()),
            }
        }
        PolicyCommand::Rollback(args) => revisions::rollback(&args.config, args.by.as_deref()),
        PolicyCommand::History(args) => revisions::history(&args.config, args.show),
        PolicyCommand::Pin(args) => {
            revisions::pin(&args.config, args.decision, args.name.as_deref(), args.by.as_deref())
        }
        PolicyCommand::Test(args) => test(args),
        PolicyCommand::Explain(args) => explain(args),
        PolicyCommand::Diff(args) => diff(args),
    }
}

/// A configuration, without regard to what its tests say.
struct Loaded {
    host: Host,
    built: Built,
    tests: Option<Source>,
}

impl Loaded {
    fn read(file: &Path) -> Result<Loaded, String> {
        let mut host = runtime()?.block_on(Host::read(file))?;
        let tests = match (&host.config.policy.file, &host.config.policy.tests) {
            (_, Some(path)) => Some(text_of(&host.source.resolve(path.get_ref()))?),
            (Some(_), None) => None,
            (None, None) => host.stored.policy.as_ref().and_then(|policy| policy.tests.clone()),
        };
        let (_, _, built) = server::load_untested(file, &mut host.stored).map_err(|faults| faults.to_string())?;
        Ok(Loaded { host, built, tests })
    }

    /// The policy in `draft`, held to what would keep it out of force; or the
    /// configured one.
    fn policy(&self, draft: Option<&Path>) -> Result<Arc<Policy>, String> {
        let Some(file) = draft else { return Ok(self.built.snapshot.policy.clone()) };
        let listed = |errors: Vec<ConfigError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let draft = revision::draft(&self.built, &text_of(file)?).map_err(listed)?;
        for warning in &draft.warnings {
            eprintln!("warning: {warning}");
        }
        Ok(Arc::new(draft.policy))
    }

    fn world(&self) -> World<'_> {
        self.built.world(Clock::start().now())
    }
}

fn test(args: &TestArgs) -> Result<(), String> {
    let loaded = Loaded::read(&args.config)?;
    let policy = loaded.policy(args.draft.as_deref())?;
    let source = match &args.tests {
        Some(file) => text_of(file)?,
        None => loaded.tests.clone().ok_or("no tests: name them by [policy] tests or by --tests")?,
    };
    let tests: PolicyTests = toml::from_str(&source.text).map_err(|e| format!("{}: {e}", source.file.display()))?;
    let results = tests.run(&policy, &loaded.built.world(ordinary_time(&loaded.built.snapshot.timezone)));
    let mut failed = 0;
    for result in &results {
        match &result.failure {
            None => println!("ok      {}", result.name),
            Some(failure) => {
                failed += 1;
                println!("FAILED  {}: {failure}", result.name);
            }
        }
    }
    if failed > 0 { Err(format!("{failed} of {} tests failed", results.len())) } else { Ok(()) }
}

fn explain(args: &ExplainArgs) -> Result<(), String> {
    let loaded = Loaded::read(&args.config)?;
    let policy = loaded.policy(args.draft.as_deref())?;
    let facts = match args.decision {
        Some(id) => recorded(&loaded.host, id)?,
        None => Given {
            identity: args.identity.clone(),
            method: args.method.clone(),
            nas: args.nas.clone(),
            at: args.at.clone(),
            mac: args.mac.clone(),
            ssid: args.ssid.clone(),
            port_type: args.port_type.clone(),
            ..Given::default()
        }
        .facts(&loaded.world())?,
    };
    if let (Principal::Identity(identity), None) = (&facts.principal, args.decision)
        && !identity.is_live(facts.at)
    {
        let name = &identity.name;
        println!("{name} is {} or expired, and refused whatever the rules say; otherwise:", identity.status);
    }
    let verdict = policy.evaluate(&facts);
    println!("at {}: {}, by {}\n", facts.nas_name, words(&verdict), by(&verdict));
    for rule in policy.explain(&facts)? {
        let effect = if rule.forbids { "forbid" } else { "permit" };
        let profile = rule.profile.map_or(String::new(), |p| format!(" -> {p}"));
        println!("{:>5} {effect} {}{profile}\n        {}", rule.order, rule.id, rule.matched);
    }
    Ok(())
}

fn words(verdict: &Verdict) -> String {
    match &verdict.outcome {
        Outcome::Permit { profile } => format!("permitted with the profile {profile}"),
        Outcome::Deny => "denied".into(),
        Outcome::NoRule => "denied, since no rule permits it".into(),
        Outcome::Error => format!("denied, since a rule cannot be evaluated ({})", verdict.errors.join("; ")),
    }
}

fn by(verdict: &Verdict) -> String {
    if verdict.policies.is_empty() { "no rule".into() } else { verdict.policies.join(", ") }
}

fn recorded(host: &Host, id: DecisionId) -> Result<Facts, String> {
    let decision = runtime()?.block_on(host.decision(id))?;
    facts_of(&decision).ok_or_else(|| {
        let (cause, remedy) = (decision.reason.cause(), decision.reason.remedy());
        format!("the policy was not asked about {id}: {cause} {}\n  -> {remedy}", decision.detail)
    })
}

fn diff(args: &DiffArgs) -> Result<(), String> {
    let loaded = Loaded::read(&args.config)?;
    let (current, draft) = (loaded.policy(None)?, loaded.policy(Some(&args.draft))?);
    let ask = move |decision: &Decision| {
        let facts = facts_of(decision)?;
        Some((short(&current.evaluate(&facts).outcome), short(&draft.evaluate(&facts).outcome)))
    };
    let replayed = runtime()?.block_on(async {
        let store = loaded.host.open().await?;
        replay::replay(&store, args.days, ask).await
    })?;
    println!("{} decisions of the last {} days were asked again", replayed.flows.asked, args.days);
    replay::show(&replayed.flows);
    Ok(())
}
