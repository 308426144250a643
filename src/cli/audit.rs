//! `cordon audit`: who changed what, whether that is still as it was written, and
//! what proves it to others.

use super::host::{Host, runtime};
use crate::audit::bundle::Bundle;
use crate::audit::event::{Entry, Event, Origin};
use crate::audit::merkle::Prover;
use crate::audit::note::PublicKey;
use crate::audit::ocsf;
use crate::audit::verify::{Report, Verifier};
use crate::config::audit::{keep_checkpoint, kept_checkpoint, public_key, signing_key};
use crate::config::files::{Readers, write_whole};
use crate::ids::AuditEventId;
use crate::jobs::audit::Signer;
use crate::store::Store;
use crate::store::audit::{AuditFilter, Found, StoredCheckpoint};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use clap::{Args, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

/// Rows that are listed when nothing is said.
const LISTED: u32 = 50;
/// Events of one page of the export.
const PAGE: u32 = 1_000;

/// Arguments of `cordon audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// List who changed what, the latest first
    List(ListArgs),
    /// Show one event
    Show(OneArgs),
    /// Find what was altered, removed, moved or inserted; or verify a bundle, without a database
    Verify(VerifyArgs),
    /// Write one event with the proof that it is in the log
    Prove(ProveArgs),
    /// Print a signed checkpoint of all events
    Checkpoint(On),
    /// Print the public key by which checkpoints are verified
    Key(On),
    /// Print all events, one a line, the oldest first
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct On {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    on: On,
    /// By this author
    #[arg(long)]
    actor: Option<String>,
    /// This alone, such as identity.update
    #[arg(long)]
    action: Option<String>,
    /// To objects of this kind
    #[arg(long)]
    kind: Option<String>,
    /// To the object of this name or id
    #[arg(long)]
    object: Option<String>,
    /// At this time or later, such as 2026-11-24T08:30:00Z
    #[arg(long, value_parser = time)]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_parser = time)]
    until: Option<Timestamp>,
    /// How many at most
    #[arg(long, default_value_t = LISTED)]
    limit: u32,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    on: On,
    /// The event, by its id or number
    id: String,
}

#[derive(Debug, Args)]
struct ProveArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Where the bundle goes; without it, it is printed
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    #[command(flatten)]
    on: On,
    /// A bundle, which is verified in place of the database
    #[arg(long, requires = "key", conflicts_with = "checkpoint")]
    bundle: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere; may be repeated
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
    /// A public key, or a file with one, besides that of this server; may be repeated
    #[arg(long)]
    key: Vec<String>,
}

#[derive(Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    on: On,
    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Ocsf)]
    format: Format,
    /// From the event of this number on
    #[arg(long, default_value_t = 0)]
    from: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// OCSF 1.8
    Ocsf,
    /// As it is in the log
    Json,
}

fn time(text: &str) -> Result<Timestamp, String> {
    serde_json::from_value(text.into()).map_err(|_| "a time is written 2026-11-24T08:30:00Z".to_owned())
}

/// Does what the arguments say.
///
/// # Errors
/// In words; also when the log is not intact.
pub fn run(args: &AuditArgs) -> Result<(), String> {
    runtime()?.block_on(async {
        match &args.command {
            AuditCommand::List(args) => list(args).await,
            AuditCommand::Show(args) => show(args).await,
            AuditCommand::Verify(args) => match &args.bundle {
                Some(bundle) => verify_bundle(bundle, &args.key),
                None => verify(args).await,
            },
            AuditCommand::Prove(args) => prove(args).await,
            AuditCommand::Checkpoint(on) => checkpoint(on).await,
            AuditCommand::Key(on) => key(on).await,
            AuditCommand::Export(args) => export(args).await,
        }
    })
}

async fn opened(on: &On) -> Result<(Host, Store), String> {
    let host = Host::read(&on.config).await?;
    let store = host.open().await?;
    Ok((host, store))
}

async fn list(args: &ListArgs) -> Result<(), String> {
    let (_, store) = opened(&args.on).await?;
    let filter = AuditFilter {
        actor: args.actor.clone(),
        action: args.action.clone(),
        kind: args.kind.clone(),
        object: args.object.clone(),
        since: args.since,
        until: args.until,
    };
    let (mut after, mut count) = (None, 0);
    while count < args.limit {
        let page = store.audit_events(&filter, after, args.limit - count).await.map_err(|e| e.to_string())?;
        for found in &page.items {
            println!("{}", line(&found.entry));
            count += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    println!("{count} events");
    Ok(())
}

fn line(entry: &Entry) -> String {
    let Event { id, at, actor, source, action, object, reason, .. } = &entry.event;
    let from = match source {
        Origin::Cli => " (command line)".to_owned(),
        Origin::Api { address } => format!(" (API, {address})"),
        Origin::Server => String::new(),
    };
    let why = reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    format!("{}  {id}  {at}  {actor}{from}  {action}  {} {}{why}", entry.seq, object.kind, object.name)
}

async fn found(store: &Store, id: &str) -> Result<Found, String> {
    let found = match (id.parse::<u64>(), id.parse::<AuditEventId>()) {
        (Ok(seq), _) => store.audit_event_at(seq).await,
        (_, Ok(id)) => store.audit_event(id).await,
        _ => return Err(format!("{id:?} is neither the id of an event nor its number")),
    };
    let missing = || format!("there is no event {id}\n  -> `cordon audit list` tells which there are");
    found.map_err(|e| e.to_string())?.ok_or_else(missing)
}

async fn show(args: &OneArgs) -> Result<(), String> {
    let (_, store) = opened(&args.on).await?;
    let found = found(&store, &args.id).await?;
    println!("{}", serde_json::to_string_pretty(&found.entry).map_err(|e| e.to_string())?);
    Ok(())
}

/// Signs what is new, if there is the key of a server here.
async fn signed(host: &Host) -> Result<(Option<StoredCheckpoint>, PublicKey), String> {
    let (store, _) = host.open_to_write().await?;
    let mut signer = Signer::new(store, signing_key(&host.data_dir)?, kept_checkpoint(&host.data_dir));
    let checkpoint = signer.sign(Clock::start().now()).await.map_err(|e| e.to_string())?;
    if let Some(checkpoint) = &checkpoint {
        keep_checkpoint(&host.data_dir, &checkpoint.note).map_err(|e| e.to_string())?;
    }
    Ok((checkpoint, signer.key().public().clone()))
}

async fn checkpoint(on: &On) -> Result<(), String> {
    let (host, _) = opened(on).await?;
    let (checkpoint, _) = signed(&host).await?;
    print!("{}", checkpoint.ok_or("there is no event yet")?.note);
    Ok(())
}

async fn key(on: &On) -> Result<(), String> {
    let host = Host::read(&on.config).await?;
    std::fs::create_dir_all(&host.data_dir).map_err(|e| format!("{}: {e}", host.data_dir.display()))?;
    println!("{}", signing_key(&host.data_dir)?.public());
    Ok(())
}

async fn prove(args: &ProveArgs) -> Result<(), String> {
    let (host, store) = opened(&args.one.on).await?;
    let found = found(&store, &args.one.id).await?;
    let (checkpoint, key) = signed(&host).await?;
    let checkpoint = checkpoint.ok_or("there is no checkpoint")?;
    let seq = found.entry.seq;
    let mut prover =
        Prover::inclusion(seq, checkpoint.size).ok_or("the latest checkpoint does not reach this event")?;
    store.audit_hashes(checkpoint.size, |hash| prover.push(hash)).await.map_err(|e| e.to_string())?;
    let gone = "events are missing\n  -> `cordon audit verify` names them";
    let path = prover.finish().ok_or(gone)?;
    let bundle = Bundle::new(&found.body, seq, &path, &checkpoint.note, &key);
    // What is handed out must hold; it may have been signed by another key before.
    let keys = [key];
    bundle
        .verify(&keys)
        .map_err(|e| format!("the log does not prove it: {e}\n  -> `cordon audit verify` tells more"))?;
    match &args.out {
        None => print!("{}", bundle.text()),
        Some(file) => {
            write_whole(file, &bundle.text(), Readers::All).map_err(|e| format!("{}: {e}", file.display()))?;
            println!(
                "{}: event {seq}, in the log of {} events that {} signed",
                file.display(),
                checkpoint.size,
                keys[0].name()
            );
        }
    }
    Ok(())
}

/// Keys as they are given: each is one, or a file with one.
fn keys(given: &[String]) -> Result<Vec<PublicKey>, String> {
    let one = |text: &String| {
        text.parse().or_else(|e| {
            let read = std::fs::read_to_string(text).map_err(|_| format!("--key {text}: {e}"))?;
            read.parse().map_err(|e| format!("{text}: {e}"))
        })
    };
    given.iter().map(one).collect()
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}

fn verify_bundle(file: &Path, given: &[String]) -> Result<(), String> {
    let bundle = Bundle::parse(&read(file)?).map_err(|e| format!("{}: {e}", file.display()))?;
    let (entry, checkpoint) = bundle.verify(&keys(given)?).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("{}", line(&entry));
    println!("it is event {} of the {} that {} has signed", entry.seq, checkpoint.size, checkpoint.origin);
    Ok(())
}

/// Verifies the audit log of the server with this configuration.
///
/// # Errors
/// What is not intact.
pub fn verify_at(config: &Path) -> Result<(), String> {
    let on = On { config: config.to_owned() };
    let args = VerifyArgs { on, bundle: None, checkpoint: Vec::new(), key: Vec::new() };
    runtime()?.block_on(verify(&args))
}

async fn verify(args: &VerifyArgs) -> Result<(), String> {
    let (host, store) = opened(&args.on).await?;
    let mut known = keys(&args.key)?;
    known.extend(public_key(&host.data_dir)?);
    let mut notes = Vec::new();
    for file in &args.checkpoint {
        notes.push((file.display().to_string(), read(file)?));
    }
    let beside = kept_checkpoint(&host.data_dir).map(|note| ("the checkpoint in the data directory".to_owned(), note));
    notes.extend(beside);
    let report = store.audit_verify(
        |stored| {
            notes.extend(stored.into_iter().map(|c| (format!("the checkpoint of {} events", c.size), c.note)));
            Verifier::against(notes, &known)
        },
        |_| {},
    );
    told(&report.await.map_err(|e| e.to_string())?)
}

fn told(report: &Report) -> Result<(), String> {
    for fault in &report.faults {
        println!("{fault}");
    }
    if report.count > 0 {
        return Err(format!("the audit log is not intact: {} faults in {} events", report.count, report.events));
    }
    println!(
        "intact: {} events, {} of them confirmed by {} checkpoints",
        report.events, report.confirmed, report.checkpoints
    );
    if report.confirmed < report.events {
        println!("  `cordon audit checkpoint` signs those that are newer");
    }
    Ok(())
}

async fn export(args: &ExportArgs) -> Result<(), String> {
    let (_, store) = opened(&args.on).await?;
    let mut from = args.from;
    loop {
        let rows = store.audit_rows(from, PAGE).await.map_err(|e| e.to_string())?;
        for row in &rows {
            let entry = Entry::parse(&row.body);
            let entry = entry.map_err(|e| format!("event {}: {e}\n  -> `cordon audit verify` tells more", row.seq))?;
            match args.format {
                Format::Ocsf => println!("{}", ocsf::event(&entry, &entry.seal().hash)),
                Format::Json => println!("{}", row.body),
            }
            from = entry.seq + 1;
        }
        if rows.len() < PAGE as usize {
            return Ok(());
        }
    }
}
