//! `cordon policy`: what rules say, before and after they say it.

use crate::access::replay::facts_of;
use crate::audit::decision::Decision;
use crate::config::ConfigError;
use crate::config::build::Built;
use crate::ids::DecisionId;
use crate::policy::engine::{Outcome, Policy, Verdict};
use crate::policy::facts::Facts;
use crate::policy::lint::{Surroundings, lint};
use crate::policy::suite::{Given, PolicyTests, World};
use crate::server;
use crate::store::Store;
use crate::store::read::{DecisionFilter, MAX_PAGE};
use crate::transport::clock::Clock;
use clap::{Args, Subcommand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Identities that a line of `diff` names; the others are counted.
const NAMED: usize = 5;

/// Arguments of `cordon policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Run the policy's tests
    Test(TestArgs),
    /// Say of each rule whether it matches, and if not, on what it stops
    Explain(ExplainArgs),
    /// Say who would get another profile by a draft, from recorded decisions
    Diff(DiffArgs),
}

#[derive(Debug, Args)]
struct TestArgs {
    /// The configuration file
    #[arg(long, default_value = "cordon.toml")]
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
    #[arg(long, default_value = "cordon.toml")]
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
    #[arg(long, default_value = "cordon.toml")]
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
        PolicyCommand::Test(args) => test(args),
        PolicyCommand::Explain(args) => explain(args),
        PolicyCommand::Diff(args) => diff(args),
    }
}

/// A configuration, without regard to what its tests say.
struct Loaded {
    built: Built,
    tests: Option<PathBuf>,
    database: PathBuf,
}

impl Loaded {
    fn read(file: &Path) -> Result<Loaded, String> {
        let (config, source, built) = server::load_untested(file).map_err(|faults| faults.to_string())?;
        let tests = config.policy.tests.as_ref().map(|path| source.resolve(path.get_ref()));
        let database = source.resolve(&config.server.data_dir).join(server::DATABASE);
        Ok(Loaded { built, tests, database })
    }

    /// The policy in `draft`, held to what would keep it out of force; or the
    /// configured one.
    fn policy(&self, draft: Option<&Path>) -> Result<Arc<Policy>, String> {
        let Some(file) = draft else { return Ok(self.built.snapshot.policy.clone()) };
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let names: Vec<&str> = self.built.profiles.iter().map(|p| p.name.as_str()).collect();
        let listed = |errors: Vec<ConfigError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let policy = Policy::compile(&text, &names)
            .map_err(|errors| listed(errors.into_iter().map(|e| ConfigError::in_policy(file, e)).collect()))?;
        let snapshot = &self.built.snapshot;
        let around = Surroundings {
            identities: snapshot.identities.all(),
            nas: snapshot.nas.all(),
            profiles: &self.built.profiles,
        };
        let (errors, warnings): (Vec<_>, Vec<_>) = lint(&policy, &around).into_iter().partition(|f| f.error);
        for warning in warnings {
            eprintln!("warning: {}", ConfigError::of_finding(file, &policy, warning));
        }
        if errors.is_empty() {
            Ok(Arc::new(policy))
        } else {
            Err(listed(errors.into_iter().map(|f| ConfigError::of_finding(file, &policy, f)).collect()))
        }
    }

    fn world(&self) -> World<'_> {
        let snapshot = &self.built.snapshot;
        World {
            identities: &snapshot.identities,
            nas: &snapshot.nas,
            timezone: &snapshot.timezone,
            now: Clock::start().now(),
        }
    }
}

fn test(args: &TestArgs) -> Result<(), String> {
    let loaded = Loaded::read(&args.config)?;
    let policy = loaded.policy(args.draft.as_deref())?;
    let file = args.tests.clone().or(loaded.tests.clone());
    let file = file.ok_or("no tests: name them by [policy] tests or by --tests")?;
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let tests: PolicyTests = toml::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
    let results = tests.run(&policy, &loaded.world());
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
        Some(id) => recorded(&loaded.database, id)?,
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
    let verdict = policy.evaluate(&facts);
    println!("{}, by {}\n", words(&verdict), by(&verdict));
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

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())
}

fn recorded(database: &Path, id: DecisionId) -> Result<Facts, String> {
    let decision = runtime()?.block_on(async {
        let store = open(database).await?;
        store.decision(id).await.map_err(|e| e.to_string())
    })?;
    let decision = decision.ok_or(format!("there is no decision {id} in {}", database.display()))?;
    facts_of(&decision).ok_or(format!("the policy was not asked about {id}: {}", decision.reason.cause()))
}

async fn open(database: &Path) -> Result<Store, String> {
    if !database.exists() {
        return Err(format!("{}: there is no database yet; nothing was decided", database.display()));
    }
    Store::open(database).await.map_err(|e| format!("{}: {e}", database.display()))
}

/// What becomes of a group of decisions, old and new.
type Change = (String, String);

#[derive(Default)]
struct Flow {
    decisions: u64,
    who: BTreeSet<String>,
}

fn diff(args: &DiffArgs) -> Result<(), String> {
    let loaded = Loaded::read(&args.config)?;
    let (current, draft) = (loaded.policy(None)?, loaded.policy(Some(&args.draft))?);
    let since = Clock::start().now() - Duration::from_secs(u64::from(args.days) * 86_400);
    let filter = DecisionFilter { since: Some(since), ..DecisionFilter::default() };
    let (mut asked, mut flows) = (0_u64, BTreeMap::<Change, Flow>::new());
    runtime()?.block_on(async {
        let store = open(&loaded.database).await?;
        let mut cursor = None;
        loop {
            let page = store.decisions(&filter, cursor, MAX_PAGE).await.map_err(|e| e.to_string())?;
            for decision in &page.items {
                let Some(facts) = facts_of(decision) else { continue };
                asked += 1;
                let change = (short(&current.evaluate(&facts)), short(&draft.evaluate(&facts)));
                if change.0 != change.1 {
                    let flow = flows.entry(change).or_default();
                    flow.decisions += 1;
                    flow.who.insert(who(decision));
                }
            }
            cursor = match page.next {
                Some(next) => Some(next),
                None => return Ok::<_, String>(()),
            };
        }
    })?;
    println!("{asked} decisions of the last {} days were asked again", args.days);
    if flows.is_empty() {
        println!("nobody would get another profile");
    }
    for ((old, new), flow) in &flows {
        let named: Vec<_> = flow.who.iter().take(NAMED).map(String::as_str).collect();
        let more = flow.who.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        println!("{old} -> {new}: {} decisions, {}: {}{more}", flow.decisions, flow.who.len(), named.join(", "));
    }
    Ok(())
}

fn short(verdict: &Verdict) -> String {
    match &verdict.outcome {
        Outcome::Permit { profile } => profile.clone(),
        _ => "denied".into(),
    }
}

fn who(decision: &Decision) -> String {
    let identity = decision.identity.as_ref().map(|i| i.name.clone());
    identity.or_else(|| decision.mac.clone()).or_else(|| decision.outer_identity.clone()).unwrap_or_default()
}
