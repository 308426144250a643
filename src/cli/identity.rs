//! `cordon identity`: who is known, who answers for it, and its life.

use super::apply::carry_out;
use super::host::{Host, runtime};
use crate::config::Source;
use crate::config::apply::{Request, identity_table};
use crate::config::document::ObjectKind;
use crate::config::stored::document_of;
use crate::inventory::identity::{IdentityKind, IdentityStatus};
use crate::store::inventory::Changed;
use crate::store::read::MAX_PAGE;
use crate::transport::clock::Clock;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `cordon identity`.
#[derive(Debug, Args)]
pub struct IdentityArgs {
    #[command(subcommand)]
    command: IdentityCommand,
}

#[derive(Debug, Subcommand)]
enum IdentityCommand {
    /// List who is known
    List(ListArgs),
    /// List those for whom nobody answers, and why
    Orphans(ListArgs),
    /// Change the status of one: requested, approved, active, suspended, retired
    Status(StatusArgs),
    /// Who changed one, when, and how
    History(HistoryArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// Only those of this kind
    #[arg(long)]
    kind: Option<IdentityKind>,
}

#[derive(Debug, Args)]
struct StatusArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// user, device, machine, agent, service or model
    kind: IdentityKind,
    /// Its name
    name: String,
    /// What it becomes
    status: IdentityStatus,
    /// Who asks for it, for the record
    #[arg(long)]
    by: Option<String>,
}

#[derive(Debug, Args)]
struct HistoryArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// user, device, machine, agent, service or model
    kind: IdentityKind,
    /// Its name
    name: String,
}

/// Does what the arguments say.
///
/// # Errors
/// In words.
pub fn run(args: &IdentityArgs) -> Result<(), String> {
    match &args.command {
        IdentityCommand::List(args) => list(args, false),
        IdentityCommand::Orphans(args) => list(args, true),
        IdentityCommand::Status(args) => status(args),
        IdentityCommand::History(args) => history(args),
    }
}

fn list(args: &ListArgs, orphans: bool) -> Result<(), String> {
    let built = runtime()?.block_on(Host::read(&args.config))?.build()?;
    let now = Clock::start().now();
    let index = &built.snapshot.identities;
    let mut count = 0_u64;
    let mut all: Vec<_> = index.all().iter().filter(|i| args.kind.is_none_or(|kind| i.kind == kind)).collect();
    all.sort_by_key(|identity| (identity.kind.as_str(), &identity.name));
    for identity in all {
        let orphaned = index.orphaned(identity, now);
        if orphans && orphaned.is_none() {
            continue;
        }
        count += 1;
        let owner = identity.owner.as_deref().map_or(String::new(), |owner| format!(", owner {owner}"));
        let orphaned = orphaned.map_or(String::new(), |why| format!(" ({why})"));
        println!("{} {}  {}{owner}{orphaned}", identity.kind, identity.name, identity.status);
    }
    println!("{count} {}", if orphans { "orphans" } else { "identities" });
    Ok(())
}

fn status(args: &StatusArgs) -> Result<(), String> {
    runtime()?.block_on(async {
        let host = Host::read(&args.config).await?;
        let mut all = host.stored.identities.iter();
        let named = all.find(|i| i.kind == args.kind && i.name.eq_ignore_ascii_case(&args.name));
        let identity = named.ok_or_else(|| {
            format!(
                "the database knows no {} called {:?}\n  -> `cordon identity list` tells who is known; those of {} are changed there",
                args.kind,
                args.name,
                host.file.display()
            )
        })?;
        let mut table = identity_table(identity);
        table.insert("status".into(), args.status.as_str().into());
        let text = document_of(ObjectKind::Identity, &table).map_err(|e| e.to_string())?;
        let files = vec![Source { file: "the command line".into(), text }];
        carry_out(&host, Request { files, ..Request::default() }, args.by.as_deref()).await
    })
}

fn history(args: &HistoryArgs) -> Result<(), String> {
    let name = format!("{} {}", args.kind, args.name);
    runtime()?.block_on(async {
        let store = Host::read(&args.config).await?.open().await?;
        let (mut shown, mut after) = (0, None);
        loop {
            let page = store.changes(ObjectKind::Identity.as_str(), &name, after, MAX_PAGE).await;
            let page = page.map_err(|e| e.to_string())?;
            for Changed { at, author, change, .. } in &page.items {
                println!("{at}  {author}  {}  {}", change.action, change.fields);
            }
            shown += page.items.len();
            after = page.next;
            if after.is_none() {
                println!("{shown} changes");
                return Ok(());
            }
        }
    })
}
