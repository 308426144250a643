//! `cordon session`: who is on the network, and changing that.

use super::host::{Host, author, runtime};
use crate::audit::event::By;
use crate::coa::error_cause::ErrorCause;
use crate::coa::life::{Attempt, Fared, Life};
use crate::coa::wave::{Counts, Wave};
use crate::enforcement::coa::{Change, Wish};
use crate::ids::{ChangeOrderId, SessionId, WaveId};
use crate::inventory::mac::MacAddress;
use crate::jobs::asked::{Asked, Placed, ask_many, ask_one, wish};
use crate::session::state::Session;
use crate::store::Store;
use crate::store::changes::ChangeFilter;
use crate::store::read::SessionFilter;
use crate::transport::clock::Clock;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// How often it is looked what became of a change.
const LOOK: Duration = Duration::from_millis(50);
/// Rows that are listed when nothing is said.
const LISTED: u32 = 50;

/// Arguments of `cordon session`.
#[derive(Debug, Args)]
pub struct SessionArgs {
    #[command(subcommand)]
    command: SessionCommand,
}

#[derive(Debug, Subcommand)]
enum SessionCommand {
    /// List who is on the network
    List(ListArgs),
    /// Show one, and what was done to it
    Show(ShowArgs),
    /// Let the endpoint log in again, without losing the link
    Reauthenticate(AskArgs),
    /// End the session
    Disconnect(AskArgs),
    /// Take the port's link down and up again, for all that hang on it
    BouncePort(AskArgs),
    /// Take the port's link down until somebody brings it up at the switch
    DisablePort(AskArgs),
    /// Move the session to another VLAN, until its next login
    Vlan(VlanArgs),
    /// Give the session another role, until its next login
    Role(RoleArgs),
    /// List changes to sessions, and what came of them
    Changes(ChangesArgs),
    /// See waves of changes, stop one, or let one go that is held
    Wave(WaveArgs),
}

#[derive(Debug, Args)]
struct On {
    /// The configuration file of the server
    #[arg(long, default_value = "cordon.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct Which {
    /// At this NAS
    #[arg(long)]
    nas: Option<String>,
    /// At NASes of this site
    #[arg(long)]
    site: Option<String>,
    /// Of this identity
    #[arg(long)]
    identity: Option<String>,
    /// Of this MAC address
    #[arg(long)]
    mac: Option<String>,
}

impl Which {
    fn is_empty(&self) -> bool {
        [&self.nas, &self.site, &self.identity, &self.mac].into_iter().all(Option::is_none)
    }

    fn filter(&self) -> Result<SessionFilter, String> {
        let mac = self.mac.as_deref().map(MacAddress::parse).transpose().map_err(|e| e.to_string())?;
        Ok(SessionFilter {
            live: Some(true),
            nas: self.nas.clone(),
            identity: self.identity.clone(),
            mac: mac.map(|mac| mac.to_string()),
            ..SessionFilter::default()
        })
    }
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    on: On,
    #[command(flatten)]
    which: Which,
    /// How many at most
    #[arg(long, default_value_t = LISTED)]
    limit: u32,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    on: On,
    /// The session
    id: SessionId,
}

#[derive(Debug, Args)]
struct AskArgs {
    #[command(flatten)]
    on: On,
    /// The session; without it, all that the options name
    id: Option<SessionId>,
    #[command(flatten)]
    which: Which,
    /// All sessions of all NASes
    #[arg(long)]
    all: bool,
    /// If the NAS refuses, try something harsher
    #[arg(long)]
    fallback: bool,
    /// Why, for the record
    #[arg(short = 'm', long, default_value = "")]
    comment: String,
    /// Who, for the record; without it, the user of the system
    #[arg(long)]
    by: Option<String>,
    /// How many seconds to wait for what comes of it; 0 does not wait
    #[arg(long, default_value_t = 40)]
    wait: u64,
}

#[derive(Debug, Args)]
struct VlanArgs {
    /// 1 to 4094, or a name that the switch knows
    vlan: String,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
struct RoleArgs {
    /// The name that the switch knows
    role: String,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
struct ChangesArgs {
    #[command(flatten)]
    on: On,
    /// Of this wave
    #[arg(long)]
    wave: Option<WaveId>,
    /// At this NAS
    #[arg(long)]
    nas: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = LISTED)]
    limit: u32,
}

#[derive(Debug, Args)]
struct WaveArgs {
    #[command(subcommand)]
    command: WaveCommand,
}

#[derive(Debug, Subcommand)]
enum WaveCommand {
    /// List them, the latest first
    List(On),
    /// Stop what is not done yet
    Abort(OneWave),
    /// Let one go that is held
    Release(OneWave),
}

#[derive(Debug, Args)]
struct OneWave {
    #[command(flatten)]
    on: On,
    /// The wave
    id: WaveId,
    /// Who, for the record; without it, the user of the system
    #[arg(long)]
    by: Option<String>,
}

impl OneWave {
    fn by(&self) -> By {
        By::cli(author(self.by.as_deref()))
    }
}

/// Does what the arguments say.
///
/// # Errors
/// In words.
pub fn run(args: &SessionArgs) -> Result<(), String> {
    runtime()?.block_on(async {
        match &args.command {
            SessionCommand::List(args) => list(args).await,
            SessionCommand::Show(args) => show(args).await,
            SessionCommand::Reauthenticate(args) => ask(args, Change::Reauthenticate, None, None).await,
            SessionCommand::Disconnect(args) => ask(args, Change::Disconnect, None, None).await,
            SessionCommand::BouncePort(args) => ask(args, Change::BouncePort, None, None).await,
            SessionCommand::DisablePort(args) => ask(args, Change::DisablePort, None, None).await,
            SessionCommand::Vlan(args) => ask(&args.ask, Change::ChangeVlan, Some(&args.vlan), None).await,
            SessionCommand::Role(args) => ask(&args.ask, Change::ChangeRole, None, Some(&args.role)).await,
            SessionCommand::Changes(args) => changes(args).await,
            SessionCommand::Wave(args) => wave(&args.command).await,
        }
    })
}

async fn list(args: &ListArgs) -> Result<(), String> {
    let host = Host::read(&args.on.config).await?;
    let store = host.open().await?;
    let snapshot = host.build()?.snapshot;
    let at = |session: &Session| {
        let nas = snapshot.nas.all().iter().find(|nas| nas.name == session.key.nas_name);
        args.which.site.as_deref().is_none_or(|site| nas.is_some_and(|nas| nas.site.as_deref() == Some(site)))
    };
    let (filter, mut after, mut count) = (args.which.filter()?, None, 0);
    while count < args.limit {
        let page = store.sessions(&filter, after, args.limit).await.map_err(|e| e.to_string())?;
        for session in page.items.iter().filter(|s| at(s)).take((args.limit - count) as usize) {
            println!("{}", line(session));
            count += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    println!("{count} sessions");
    Ok(())
}

fn line(session: &Session) -> String {
    let who = session.identity().or(session.user_name()).or(session.mac()).unwrap_or("-");
    let port = session.nas_port().map_or(String::new(), |port| format!(" {port}"));
    let profile = session.profile().map_or(String::new(), |profile| format!(", profile {profile}"));
    format!(
        "{}  {}  {who}, {} at {}{port}{profile}, since {}",
        session.id,
        session.state().code(),
        session.mac().unwrap_or("no MAC address"),
        session.key.nas_name,
        session.started_at()
    )
}

async fn show(args: &ShowArgs) -> Result<(), String> {
    let store = Host::read(&args.on.config).await?.open().await?;
    let session = store.session(args.id).await.map_err(|e| e.to_string())?;
    let session = session.ok_or(format!("there is no session {}", args.id))?;
    println!("{}", line(&session));
    let filter = ChangeFilter { session: Some(args.id), ..ChangeFilter::default() };
    print_changes(&store, &filter, LISTED).await
}

async fn print_changes(store: &Store, filter: &ChangeFilter, limit: u32) -> Result<(), String> {
    let page = store.changes_to_sessions(filter, None, limit).await.map_err(|e| e.to_string())?;
    page.items.iter().for_each(print);
    println!("{} changes", page.items.len());
    Ok(())
}

/// A change, what was tried, and what that means.
fn print(life: &Life) {
    let order = life.order();
    println!(
        "{}  {}  {} at {}: {} ({})",
        order.id,
        life.code(),
        order.who.as_deref().unwrap_or("-"),
        order.nas_name,
        order.cause.detail,
        order.cause.trigger
    );
    for Attempt { change, at, over, fared, late } in &order.attempts {
        let millis = over.since(*at).as_millis();
        match fared {
            Fared::Ack => println!("  {at}  {change}: done after {millis} ms"),
            Fared::Nak { error_cause } => {
                let cause = ErrorCause::of(*error_cause);
                println!("  {at}  {change}: refused after {millis} ms, {cause}");
                println!("    {} {}", cause.cause(), cause.remedy());
            }
            Fared::Silent => println!("  {at}  {change}: no answer"),
            Fared::Untold { why } => println!("  {at}  {change}: not asked for: {why}"),
        }
        if let Some(late) = late {
            println!("    an answer came at {}, when it had been given up", late.at);
        }
    }
    match life {
        Life::Over(over) => println!("  {}", over.ending.advice()),
        Life::Waiting(waiting) => {
            let next: Vec<_> = waiting.chain().map(Wish::change).map(Change::code).collect();
            println!("  to be tried, not before {}: {}", waiting.not_before, next.join(", "));
        }
    }
}

async fn ask(args: &AskArgs, change: Change, vlan: Option<&str>, role: Option<&str>) -> Result<(), String> {
    let wish = wish(change, vlan, role)?;
    let host = Host::read(&args.on.config).await?;
    let snapshot = host.build()?.snapshot;
    let (store, _) = host.open_to_write().await?;
    let asked =
        Asked { wish, fallback: args.fallback, by: By::cli(author(args.by.as_deref())), why: args.comment.clone() };
    let now = Clock::start().now();
    let failed = |e: crate::store::StoreError| e.to_string();
    let placed = match (args.id, args.which.is_empty(), args.all) {
        (Some(id), true, false) => {
            let order = ask_one(&store, &snapshot, id, &asked, now).await.map_err(failed)?;
            Placed::Few(vec![order.ok_or(format!(
                "there is no session {id} that goes on\n  -> `cordon session list` tells which there are"
            ))?])
        }
        (None, empty, all) if empty == all => {
            let filter = args.which.filter()?;
            ask_many(&store, &snapshot, &filter, args.which.site.as_deref(), &asked, now).await.map_err(failed)?
        }
        _ => {
            return Err("say whose session: its id, or options such as --identity and --nas, or --all\n  -> `cordon \
                        session list` tells which there are"
                .into());
        }
    };
    match placed {
        Placed::Few(ids) if ids.is_empty() => Err("no session goes on that is meant".into()),
        Placed::Few(ids) => {
            let mut failed = 0;
            for id in ids {
                failed += usize::from(!outcome(&store, id, Duration::from_secs(args.wait)).await?);
            }
            if failed > 0 { Err(format!("{failed} of these changes were not made")) } else { Ok(()) }
        }
        Placed::Wave(id, total) => {
            println!("{total} sessions will be changed by the wave {id}");
            println!("  `cordon session wave list` tells how far it is, `cordon session wave abort {id}` stops it");
            Ok(())
        }
    }
}

/// Waits for what comes of a change and shows it. Returns whether it was made, or is
/// still to be.
async fn outcome(store: &Store, id: ChangeOrderId, wait: Duration) -> Result<bool, String> {
    let until = tokio::time::Instant::now() + wait;
    loop {
        let life = store.change_to_session(id).await.map_err(|e| e.to_string())?;
        let life = life.ok_or(format!("the change {id} is not there any more"))?;
        let over = match &life {
            Life::Over(over) => Some(over.ending),
            Life::Waiting(_) => None,
        };
        if over.is_some() || tokio::time::Instant::now() >= until {
            print(&life);
            if over.is_none() {
                println!("  it is in the queue of the server, which goes on with it");
            }
            use crate::coa::life::Ending;
            return Ok(matches!(over, None | Some(Ending::Done | Ending::Gone)));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn changes(args: &ChangesArgs) -> Result<(), String> {
    let store = Host::read(&args.on.config).await?.open().await?;
    let filter = ChangeFilter { wave: args.wave, nas: args.nas.clone(), ..ChangeFilter::default() };
    print_changes(&store, &filter, args.limit).await
}

async fn wave(command: &WaveCommand) -> Result<(), String> {
    let now = Clock::start().now();
    match command {
        WaveCommand::List(on) => {
            let store = Host::read(&on.config).await?.open().await?;
            let page = store.waves(None, LISTED).await.map_err(|e| e.to_string())?;
            for (Wave { id, trigger, detail, created, begins, total, live, .. }, counts) in &page.items {
                let state = page.items.iter().find(|(wave, _)| wave.id == *id).map_or("", |(w, c)| w.state(c, now));
                println!("{id}  {state}  {created}: {trigger}: {detail}; {total} of {live} sessions");
                if state == "held" {
                    println!("  it begins at {begins}");
                }
                println!("  {}", progress(counts));
            }
            println!("{} waves", page.items.len());
            Ok(())
        }
        WaveCommand::Abort(one) => {
            let host = Host::read(&one.on.config).await?;
            let (store, _) = host.open_to_write().await?;
            let stopped = store.abort_wave(one.id, &one.by(), now).await.map_err(|e| e.to_string())?;
            let stopped = stopped.ok_or(format!("there is no wave {}", one.id))?;
            println!("{stopped} changes will not be made");
            Ok(())
        }
        WaveCommand::Release(one) => {
            let host = Host::read(&one.on.config).await?;
            let (store, _) = host.open_to_write().await?;
            match store.release_wave(one.id, &one.by(), now).await.map_err(|e| e.to_string())? {
                true => println!("it begins now"),
                false => return Err(format!("there is no wave {}", one.id)),
            }
            Ok(())
        }
    }
}

fn progress(counts: &Counts) -> String {
    let over = counts.over.iter().map(|(ending, n)| format!("{n} {ending}"));
    let all: Vec<_> = std::iter::once(format!("{} waiting", counts.waiting)).chain(over).collect();
    all.join(", ")
}
