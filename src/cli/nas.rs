//! `cordon nas`: who may ask and how they behave; who asks and is unknown, and how it
//! becomes a NAS.

use super::apply::carry_out;
use super::host::{Host, runtime};
use crate::config::Source;
use crate::config::apply::Request;
use crate::config::document::ObjectKind;
use crate::config::stored::document_of;
use crate::enforcement::nas_profile::DEFAULT;
use crate::inventory::behaviour::Behaviour;
use crate::inventory::nas::{Nas, NasMode};
use crate::inventory::unknown::UnknownNas;
use crate::secret::Secret;
use clap::{Args, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;
use toml::{Table, Value};

/// Addresses that are listed of one NAS: those that asked last.
const SHOWN_SOURCES: usize = 5;

/// Arguments of `cordon nas`.
#[derive(Debug, Args)]
pub struct NasArgs {
    #[command(subcommand)]
    command: NasCommand,
}

#[derive(Debug, Subcommand)]
enum NasCommand {
    /// List all NASes, with what was learned of them
    List(ListArgs),
    /// List the addresses that ask and are no NAS
    Unknown(UnknownArgs),
    /// Make an address a NAS; the server takes it up without a restart
    Adopt(AdoptArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct UnknownArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct AdoptArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// The address that it sends from
    address: IpAddr,
    /// The name that decisions show
    #[arg(long)]
    name: String,
    /// A file with the shared secret
    #[arg(long)]
    secret_file: PathBuf,
    /// What kind of gear it is; without it, what its packets speak of
    #[arg(long)]
    vendor: Option<String>,
    /// Where it stands
    #[arg(long)]
    site: Option<String>,
    /// A group that it belongs to; may be repeated
    #[arg(long = "group")]
    groups: Vec<String>,
    /// Let everybody in and record what would have happened
    #[arg(long)]
    observe: bool,
    /// Who adopts it, for the record
    #[arg(long)]
    by: Option<String>,
    /// Adopt it though its latest packet was made with another secret, it has not
    /// asked, or another NAS has the name
    #[arg(long)]
    force: bool,
}

/// Does what the arguments say.
///
/// # Errors
/// In words.
pub fn run(args: &NasArgs) -> Result<(), String> {
    match &args.command {
        NasCommand::List(args) => list(args),
        NasCommand::Unknown(args) => unknown(args),
        NasCommand::Adopt(args) => adopt(args),
    }
}

fn list(args: &ListArgs) -> Result<(), String> {
    let (built, mut behaviours) = runtime()?.block_on(async {
        let host = Host::read(&args.config).await?;
        // Before the first start there is no database, and nothing was learned.
        let behaviours = if host.has_database {
            host.open().await?.behaviours().await.map_err(|e| e.to_string())?
        } else {
            Vec::new()
        };
        Ok::<_, String>((host.build()?, behaviours))
    })?;
    let mut all: Vec<&Nas> = built.snapshot.nas.all().iter().map(AsRef::as_ref).collect();
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    behaviours.sort_unstable_by_key(|behaviour| std::cmp::Reverse(behaviour.last));
    for nas in &all {
        print!("{}", described(nas, &behaviours));
    }
    println!("{} NASes", all.len());
    Ok(())
}

/// One line for the NAS, and one for each address that it was seen to send from.
fn described(nas: &Nas, behaviours: &[Behaviour]) -> String {
    let site = nas.site.as_ref().map_or(String::new(), |site| format!(", at {site}"));
    let groups = if nas.groups.is_empty() { String::new() } else { format!(", in {}", nas.groups.join(", ")) };
    let observed = if nas.mode == NasMode::Observe { ", only observed" } else { "" };
    let mut out = format!("{}  {}  {}{site}{groups}{observed}\n", nas.name, nas.known_by(), nas.vendor);
    let sources: Vec<&Behaviour> = behaviours.iter().filter(|behaviour| behaviour.name == nas.name).collect();
    for behaviour in sources.iter().take(SHOWN_SOURCES) {
        let learned = &behaviour.learned;
        let mut says = vec![format!("Message-Authenticator {}", behaviour.message_authenticator())];
        for (what, values) in [
            ("methods", learned.methods.iter().map(|method| method.code().to_owned()).collect()),
            ("calls itself", learned.identifiers.clone()),
            ("address", learned.addresses.iter().map(ToString::to_string).collect()),
            ("ports", learned.port_type_names()),
            ("services", learned.service_type_names()),
            ("vendors", learned.vendor_names()),
        ] {
            if !values.is_empty() {
                says.push(format!("{what} {}", values.join(", ")));
            }
        }
        let Behaviour { address, requests, last, .. } = behaviour;
        out.push_str(&format!("  from {address}: {requests} requests, last at {last}; {}\n", says.join("; ")));
    }
    match sources.len() {
        0 => out.push_str("  has not asked yet\n"),
        n if n > SHOWN_SOURCES => out.push_str(&format!("  and from {} more addresses\n", n - SHOWN_SOURCES)),
        _ => {}
    }
    out
}

async fn all(host: &Host) -> Result<Vec<UnknownNas>, String> {
    let store = host.open().await?;
    store.unknown_nas().await.map_err(|e| e.to_string())
}

fn unknown(args: &UnknownArgs) -> Result<(), String> {
    let host = runtime()?.block_on(Host::read(&args.config))?;
    let mut all = runtime()?.block_on(all(&host))?;
    // Who was adopted otherwise has asked before, and does no more.
    let known = host.build()?.snapshot.nas;
    all.retain(|unknown| known.lookup(unknown.address).is_none());
    if all.is_empty() {
        println!("nobody unknown has asked");
    }
    for unknown in &all {
        let hints = unknown.hints();
        let named = hints.identifier.map_or(String::new(), |name| format!(", calls itself {name:?}"));
        let vendor = hints.vendor.map_or(String::new(), |vendor| format!(", speaks like {vendor}"));
        println!("{}  {} packets, last at {}{named}{vendor}", unknown.address, unknown.packets, unknown.last);
    }
    if !all.is_empty() {
        println!("`cordon nas adopt ADDRESS --name NAME --secret-file FILE` makes one a NAS");
    }
    Ok(())
}

fn adopt(args: &AdoptArgs) -> Result<(), String> {
    let secret =
        std::fs::read_to_string(&args.secret_file).map_err(|e| format!("{}: {e}", args.secret_file.display()))?;
    let secret = secret.trim();
    runtime()?.block_on(async {
        let host = Host::read(&args.config).await?;
        let taken = host.build()?.snapshot.nas.all().iter().find(|nas| nas.name == args.name).cloned();
        if let Some(nas) = taken.filter(|_| !args.force) {
            return Err(format!(
                "{} is the NAS at {}\n  -> give the new one another name; --force moves that one here",
                args.name,
                nas.known_by()
            ));
        }
        let known = all(&host).await.unwrap_or_default().into_iter().find(|u| u.address == args.address.to_canonical());
        match known.as_ref().map(|unknown| unknown.shares(&Secret::new(secret))) {
            Some(Some(true)) => println!("the secret fits the latest packet of {}", args.address),
            Some(Some(false)) if !args.force => {
                return Err(format!(
                    "the latest packet of {} was made with another secret\n  -> correct {} or the switch; --force adopts it all the same",
                    args.address,
                    args.secret_file.display()
                ));
            }
            Some(_) => println!("whether the secret fits will show with the next packet that carries Message-Authenticator"),
            None if !args.force => {
                return Err(format!(
                    "{} has not asked\n  -> `cordon nas unknown` lists who has; --force adds it all the same",
                    args.address
                ));
            }
            None => {}
        }
        // What is said under another secret may be said by anybody, and a switch
        // that is told things in foreign words leaves its ports open.
        let proven = known.filter(|unknown| unknown.shares(&Secret::new(secret)) == Some(true));
        let guessed = proven.and_then(|unknown| unknown.hints().vendor).map(str::to_owned);
        let text = |value: &str| Value::from(value);
        let mut nas = Table::from_iter([
            ("name".to_owned(), text(&args.name)),
            ("address".to_owned(), text(&args.address.to_string())),
            ("secret".to_owned(), text(secret)),
        ]);
        let vendor = args.vendor.clone().or(guessed);
        println!("it is told things as gear of the kind {}", vendor.as_deref().unwrap_or(DEFAULT));
        nas.extend(vendor.map(|vendor| ("vendor".to_owned(), Value::from(vendor))));
        nas.extend(args.site.clone().map(|site| ("site".to_owned(), Value::from(site))));
        if !args.groups.is_empty() {
            nas.insert("groups".into(), args.groups.clone().into());
        }
        if args.observe {
            nas.insert("mode".into(), text("observe"));
        }
        let text = document_of(ObjectKind::Nas, &nas).map_err(|e| e.to_string())?;
        let files = vec![Source { file: "the command line".into(), text }];
        carry_out(&host, Request { files, ..Request::default() }, args.by.as_deref()).await?;
        let (store, _) = host.open_to_write().await?;
        store.forget_unknown(args.address.to_canonical()).await.map_err(|e| e.to_string())
    })
}
