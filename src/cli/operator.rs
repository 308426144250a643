//! `cordon operator`: who administers the server, from its host. Whoever may write to its database is trusted with it.

use super::host::{Host, runtime};
use crate::api::door::link_at;
use crate::audit::event::By;
use crate::operators::account::Operator;
use crate::operators::token::digest_of;
use crate::radius::value::digits;
use crate::random::random;
use crate::server::origin;
use crate::store::Store;
use crate::transport::clock::Clock;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Random octets of a link.
const LINK_LEN: usize = 32;

/// Arguments of `cordon operator`.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Debug, Subcommand)]
enum OperatorCommand {
    /// List who administers the server
    List(HostArgs),
    /// Make a link by which somebody signs in once: the first operator, or one who lost their keys
    Link(LinkArgs),
    /// Shut somebody out, and sign them out
    Disable(NameArgs),
    /// Let somebody in again
    Enable(NameArgs),
}

#[derive(Debug, Args)]
struct HostArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct LinkArgs {
    #[command(flatten)]
    host: HostArgs,
    /// For whom; nobody, if it is for the first operator
    name: Option<String>,
}

#[derive(Debug, Args)]
struct NameArgs {
    #[command(flatten)]
    host: HostArgs,
    /// Who
    name: String,
}

/// Does what the arguments say.
///
/// # Errors
/// In words.
pub fn run(args: &OperatorArgs) -> Result<(), String> {
    runtime()?.block_on(async {
        match &args.command {
            OperatorCommand::List(args) => list(args).await,
            OperatorCommand::Link(args) => link(args).await,
            OperatorCommand::Disable(args) => disable(args, true).await,
            OperatorCommand::Enable(args) => disable(args, false).await,
        }
    })
}

async fn list(args: &HostArgs) -> Result<(), String> {
    let host = Host::read(&args.config).await?;
    for operator in host.open().await?.operators().await.map_err(|e| e.to_string())? {
        let roles: Vec<&str> = operator.roles.iter().map(|role| role.code()).collect();
        let sites = operator.sites.list().map_or(String::new(), |sites| format!(" at {}", sites.join(", ")));
        let disabled = if operator.disabled { " (disabled)" } else { "" };
        println!("{}  {}{sites}{disabled}", operator.name, roles.join(", "));
    }
    Ok(())
}

async fn named(store: &Store, name: &str) -> Result<Operator, String> {
    let found = store.operator_named(name).await.map_err(|e| e.to_string())?;
    found.ok_or_else(|| format!("there is no operator {name:?}\n  -> `cordon operator list` tells who there is"))
}

fn by() -> By {
    By::cli(std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default())
}

async fn link(args: &LinkArgs) -> Result<(), String> {
    let host = Host::read(&args.host.config).await?;
    let (store, _) = host.open_to_write().await?;
    let to = match &args.name {
        Some(name) => Some(named(&store, name).await?),
        None if store.has_operators().await.map_err(|e| e.to_string())? => {
            return Err("there are operators\n  -> name the one for whom the link is; `cordon operator list` tells who there is".into());
        }
        None => None,
    };
    if to.as_ref().is_some_and(|to| to.provider.is_some()) {
        return Err("a provider of identities vouches for this operator, who signs in by it alone".into());
    }
    let octets = random::<LINK_LEN>().ok_or("the system gives no random numbers")?;
    let secret = digits(&octets);
    let now = Clock::start().now();
    store.add_link(&digest_of(secret.as_bytes()), to.as_ref(), &by(), now).await.map_err(|e| e.to_string())?;
    println!("{}", link_at(&origin(&host.config, *host.config.http.listen.get_ref()), &secret));
    eprintln!("It is good once, within 24 hours.");
    Ok(())
}

async fn disable(args: &NameArgs, disabled: bool) -> Result<(), String> {
    let host = Host::read(&args.host.config).await?;
    let (store, _) = host.open_to_write().await?;
    let operator = named(&store, &args.name).await?;
    let operator = Operator { disabled, ..operator };
    let now = Clock::start().now();
    let operator = store.change_operator(operator, &by(), now).await.map_err(|e| e.to_string())?;
    println!("{} is {}", operator.name, if disabled { "shut out, and signed out" } else { "let in again" });
    Ok(())
}
