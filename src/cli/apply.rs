//! `cordon apply` and `cordon export`: the inventory and the policy as files.

use super::host::{Host, author, runtime};
use super::replay::replay;
use crate::access::again;
use crate::access::replayed::Replayed;
use crate::audit::event::By;
use crate::config::apply::{self, Action, Change, Plan, Request};
use crate::config::document::{ObjectKind, read};
use crate::config::files::{Readers, write_whole};
use crate::inventory::seal::{KEY_LEN, Seal};
use crate::secret::Secret;
use crate::store::Store;
use crate::transport::clock::Clock;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use toml::{Table, Value};

/// Changes of one kind that are listed; the others are counted.
const LISTED: usize = 40;

/// Identities that take a second or so to write, in which no login is answered.
const MANY: usize = 50_000;

/// Arguments of `cordon apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// A document (TOML or YAML), or a directory of them; may be repeated
    #[arg(short = 'f', long = "file", required = true)]
    files: Vec<PathBuf>,
    /// Say what would change and whom it touches, and change nothing
    #[arg(long)]
    plan: bool,
    /// Remove what the documents do not mention; identities are suspended
    #[arg(long)]
    prune: bool,
    /// Why, for the record
    #[arg(short = 'm', long, default_value = "")]
    comment: String,
    /// Who, for the record; without it, the user of the system
    #[arg(long)]
    by: Option<String>,
    /// How many days of decisions the plan asks again
    #[arg(long, default_value_t = 7)]
    days: u32,
}

/// Arguments of `cordon export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// A directory for the documents; without it, the inventory is printed
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write shared secrets too; without them, `apply` keeps those that are stored
    #[arg(long)]
    secrets: bool,
}

/// Makes the inventory and the policy what the documents say.
///
/// # Errors
/// All that is wrong; then nothing is changed.
pub fn apply(args: &ApplyArgs) -> Result<(), String> {
    runtime()?.block_on(async {
        let host = Host::read(&args.config).await?;
        let mut files = Vec::new();
        for path in &args.files {
            files.extend(read(path).map_err(|e| e.to_string())?);
        }
        let request = Request { files, prune: args.prune, comment: args.comment.clone(), ..Request::default() };
        if args.plan {
            // Nothing is kept of what this key seals.
            let seal = Seal::new(&[0; KEY_LEN]).map_err(|e| e.to_string())?;
            let planned = host.plan(request, &seal)?;
            show(&planned);
            if let Ok(store) = host.open().await {
                touched(&host, &store, &planned, args.days).await?;
            }
            println!("nothing was changed: this was the plan");
            return Ok(());
        }
        carry_out(&host, request, args.by.as_deref()).await
    })
}

/// Plans a change, shows it and makes it.
///
/// # Errors
/// All that is wrong; then nothing is changed.
pub async fn carry_out(host: &Host, request: Request, by: Option<&str>) -> Result<(), String> {
    let (store, seal) = host.open_to_write().await?;
    let planned = host.plan(request, &seal)?;
    show(&planned);
    let (by, now) = (By::cli(author(by)), Clock::start().now());
    if planned.changes.is_empty() {
        return store.confirm_suspensions(&planned.writes, &by, now).await.map_err(|e| e.to_string());
    }
    let done = store.apply(host.stored.generation, &planned.writes, &by, now).await;
    match done.map_err(|e| e.to_string())? {
        Some(revision) => println!("applied; policy revision {revision} is active"),
        None => println!("applied"),
    }
    Ok(())
}

fn show(plan: &Plan) {
    for warning in &plan.warnings {
        println!("warning: {warning}");
    }
    let mut listed: BTreeMap<(&str, Action), usize> = BTreeMap::new();
    for change in &plan.changes {
        let count = listed.entry((change.kind, change.action)).or_default();
        *count += 1;
        if *count <= LISTED {
            println!("{}", line(change));
        }
    }
    for ((kind, action), count) in listed.iter().filter(|(_, count)| **count > LISTED) {
        println!("  and {} more: {} {kind}", count - LISTED, action.as_str());
    }
    for change in plan.changes.iter().filter(|change| change.action == Action::Update) {
        let lost = change.fields.iter().any(|(key, _, new)| key == "credentials" && new.is_none());
        if lost {
            println!("warning: {} {} loses all its credentials", change.kind, change.name);
        }
    }
    if plan.writes.identities.len() > MANY {
        println!(
            "warning: while {} identities are written, logins at a running server wait: apply them at a quiet hour",
            plan.writes.identities.len()
        );
    }
    println!("{} to change, {} as they should be", plan.changes.len(), plan.unchanged);
}

fn line(change: &Change) -> String {
    let sign = match change.action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Remove => '-',
    };
    let mut head = format!("{sign} {} {}", change.kind, change.name);
    if change.action == Action::Remove && change.kind == ObjectKind::Identity.as_str() {
        head.push_str(" (is suspended)");
    }
    if change.action != Action::Update {
        return head;
    }
    let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), |value| value.to_string());
    let fields: Vec<String> =
        change.fields.iter().map(|(key, old, new)| format!("{key}: {} -> {}", shown(old), shown(new))).collect();
    format!("{head}: {}", fields.join(", "))
}

/// Whom the change touches: recorded decisions, asked again under what is in
/// force and under what would be; and who has a profile that becomes different.
async fn touched(host: &Host, store: &Store, plan: &Plan, days: u32) -> Result<(), String> {
    let old = Arc::new(host.build()?.snapshot);
    let new = Arc::new(plan.built.snapshot.clone());
    let ask = move |decision: &_| Some((again::decide(decision, &old)?, again::decide(decision, &new)?));
    let Replayed { flows, profiles } = replay(store, days, ask).await?;
    println!("of {} decisions of the last {days} days (who has not logged in is not among them):", flows.asked);
    super::replay::show(&flows);
    for change in plan.changes.iter().filter(|change| change.kind == ObjectKind::Profile.as_str()) {
        if let Some(who) = profiles.get(&change.name).filter(|who| !who.is_empty()) {
            println!("  the profile {} changes for {}", change.name, super::replay::named(who));
        }
    }
    Ok(())
}

fn text_of(secret: &Secret) -> Result<&str, String> {
    std::str::from_utf8(secret.expose()).map_err(|_| "a secret is not text and cannot be exported".into())
}

/// Writes the inventory and the policy as documents.
///
/// # Errors
/// In words.
pub fn export(args: &ExportArgs) -> Result<(), String> {
    let host = runtime()?.block_on(Host::read(&args.config))?;
    let mut document = apply::export(&host.stored);
    if args.secrets {
        for nas in document.get_mut(ObjectKind::Nas.as_str()).and_then(Value::as_array_mut).into_iter().flatten() {
            let Value::Table(table) = nas else { continue };
            let name = table.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let object = host.stored.objects.get(&(ObjectKind::Nas, name));
            let Some(secrets) = object.and_then(|object| object.secret.as_ref()) else { continue };
            if let Some(shared) = &secrets.shared {
                table.insert("secret".into(), text_of(shared)?.into());
            }
            if let (Some(secret), Some(Value::Table(coa))) = (&secrets.coa, table.get_mut("coa")) {
                coa.insert("secret".into(), text_of(secret)?.into());
            }
        }
    }
    let write = |name: &str, text: &str| match &args.out {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
            let readers = if args.secrets { Readers::Owner } else { Readers::All };
            write_whole(&dir.join(name), text, readers).map_err(|e| format!("{}: {e}", dir.join(name).display()))
        }
        None => {
            print!("{text}");
            Ok(())
        }
    };
    if let (Some(policy), Some(_)) = (&host.stored.policy, &args.out) {
        let mut section = Table::from_iter([("file".to_owned(), Value::from("policy.cedar"))]);
        write("policy.cedar", &policy.text.text)?;
        if let Some(tests) = &policy.tests {
            section.insert("tests".into(), "policy-tests.toml".into());
            write("policy-tests.toml", &tests.text)?;
        }
        document.insert("policy".into(), section.into());
    }
    write("inventory.toml", &toml::to_string(&document).map_err(|e| e.to_string())?)
}
