//! `cordon session`: who is on the network, and changing that.

mod ask;

use super::host::{Host, author, runtime};
use crate::access::Snapshot;
use crate::access::changes::confirmed_end;
use crate::audit::event::By;
use crate::coa::error_cause::ErrorCause;
use crate::coa::life::{Attempt, Ending, Fared, Life};
use crate::coa::wave::{Counts, Wave};
use crate::enforcement::coa::{Change, Wish};
use crate::ids::{SessionId, WaveId};
use crate::inventory::mac::MacAddress;
use crate::jobs::asked::{Unknown, unknown};
use crate::session::state::Session;
use crate::store::Store;
use crate::store::changes::{ChangeFilter, Stopped, WaveStep};
use crate::store::read::SessionFilter;
use crate::transport::clock::Clock;
use ask::ask;
use clap::{Args, Subcommand};
use std::path::PathBuf;

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
    #[command(alias = "bounce_port")]
    BouncePort(AskArgs),
    /// Take the port's link down until somebody brings it up at the switch
    #[command(alias = "disable_port")]
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
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
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
            nas: self.nas.clone().map(|name| vec![name]),
            identity: self.identity.clone(),
            mac: mac.map(|mac| mac.to_string()),
            ..SessionFilter::default()
        })
    }

    /// The same, of names that are known.
    async fn known(&self, store: &Store, snapshot: &Snapshot) -> Result<SessionFilter, String> {
        let filter = self.filter()?;
        let unknown = unknown(store, snapshot, &filter, self.site.as_deref()).await.map_err(|e| e.to_string())?;
        match unknown {
            Some(Unknown { field, detail }) => Err(format!("--{field}: {detail}")),
            None => Ok(filter),
        }
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
    /// If the NAS refuses or is silent, try something harsher: after reauthenticate, vlan and role a disconnect, and
    /// after that bounce-port; what its kind of gear has no words for is left out
    #[arg(long)]
    fallback: bool,
    /// Why, for the record
    #[arg(short = 'm', long, default_value = "")]
    comment: String,
    /// Who, for the record; without it, the user of the system
    #[arg(long)]
    by: Option<String>,
    /// Go on though many sessions are meant
    #[arg(long)]
    yes: bool,
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
        let nas = snapshot.nas.named(&session.key.nas_name);
        args.which.site.as_deref().is_none_or(|site| nas.is_some_and(|nas| nas.site.as_deref() == Some(site)))
    };
    let filter = args.which.known(&store, &snapshot).await?;
    let most = args.limit.max(1) as usize;
    let (mut found, mut after) = (Vec::new(), None);
    // One more tells whether there are more.
    while found.len() <= most {
        let page = store.sessions(&filter, after, args.limit.saturating_add(1)).await.map_err(|e| e.to_string())?;
        found.extend(page.items.into_iter().filter(at));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let more = found.len() > most;
    found.truncate(most);
    let ids: Vec<SessionId> = found.iter().map(|session| session.id).collect();
    let latest = store.latest_changes(&ids).await.map_err(|e| e.to_string())?;
    for session in &found {
        println!("{}", line(session, latest.get(&session.id)));
    }
    let shown = count(found.len() as u64, "session");
    match more {
        true => println!("{shown}, the latest; there are more: --limit N shows more, --nas, --site, --identity narrow"),
        false => println!("{shown}"),
    }
    Ok(())
}

/// So many of them, in words.
fn count(n: u64, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        _ if what.ends_with('S') => format!("{n} {what}es"),
        _ => format!("{n} {what}s"),
    }
}

fn line(session: &Session, latest: Option<&Life>) -> String {
    let who = session.identity().or(session.user_name()).or(session.mac()).unwrap_or("-");
    let port = session.nas_port().map_or(String::new(), |port| format!(" {port}"));
    let profile = session.profile().map_or(String::new(), |profile| format!(", profile {profile}"));
    let ended = confirmed_end(latest, session)
        .map_or(String::new(), |at| format!("; disconnect confirmed at {at}, no Accounting-Stop yet"));
    format!(
        "{}  {}  {who}, {} at {}{port}{profile}, since {}{ended}",
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
    let session = session.ok_or(format!("there is no session {}\n  -> `cordon session list` shows them", args.id))?;
    let latest = store.latest_changes(&[args.id]).await.map_err(|e| e.to_string())?;
    println!("{}", line(&session, latest.get(&args.id)));
    let filter = ChangeFilter { session: Some(args.id), ..ChangeFilter::default() };
    print_changes(&store, &filter, LISTED).await
}

async fn print_changes(store: &Store, filter: &ChangeFilter, limit: u32) -> Result<(), String> {
    let page = store.changes_to_sessions(filter, None, limit).await.map_err(|e| e.to_string())?;
    page.items.iter().for_each(print);
    let shown = count(page.items.len() as u64, "change");
    match page.next {
        Some(_) => println!("{shown}, the latest; there are more: --limit N shows more"),
        None => println!("{shown}"),
    }
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
    order.attempts.iter().for_each(|attempt| println!("{}", tried(attempt)));
    match life {
        // Its attempts have said why.
        Life::Over(over) if over.ending == Ending::Untold && !order.attempts.is_empty() => {
            println!("  {}", over.ending.meaning());
        }
        Life::Over(over) => println!("  {}", over.advice()),
        Life::Waiting(waiting) => match &waiting.asks {
            Some(asks) => {
                let to = asks.to.as_deref().unwrap_or("the NAS");
                println!("  {}: being asked at {to} since {}", asks.change, asks.at);
            }
            None => {
                let next: Vec<_> = waiting.chain().map(Wish::change).map(Change::code).collect();
                println!("  to be tried from {} on, until {}: {}", waiting.not_before, order.deadline, next.join(", "));
            }
        },
    }
}

/// An attempt, and what to do about it.
fn tried(attempt: &Attempt) -> String {
    let Attempt { change, at, over, to, fared, late } = attempt;
    let millis = over.since(*at).as_millis();
    let to = to.as_deref().map_or(String::new(), |to| format!(" at {to}"));
    let mut text = match fared {
        Fared::Ack => format!("  {at}  {change}{to}: done after {millis} ms"),
        Fared::Nak { error_cause } => {
            let cause = ErrorCause::of(*error_cause);
            format!("  {at}  {change}{to}: refused after {millis} ms, {cause}\n    {}", cause.cause())
        }
        Fared::Silent => format!("  {at}  {change}{to}: no answer"),
        Fared::WrongSecret => format!("  {at}  {change}{to}: answers whose secret does not fit"),
        Fared::Untold { why } => format!("  {at}  {change}: not asked for: {why}"),
    };
    if let Some(advice) = attempt.advice() {
        text.push_str(&format!("\n    {advice}"));
    }
    if let Some(late) = late {
        text.push_str(&format!("\n    an answer came at {}, when it had been given up", late.at));
    }
    text
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
            println!("{}", count(page.items.len() as u64, "wave"));
            Ok(())
        }
        WaveCommand::Abort(one) => {
            let host = Host::read(&one.on.config).await?;
            let (store, _) = host.open_to_write().await?;
            match store.abort_wave(one.id, &one.by(), now).await.map_err(|e| e.to_string())? {
                WaveStep::Made(Stopped { stopped, asking }) => {
                    println!("{} will not be made", count(stopped, "change"));
                    if asking > 0 {
                        println!("  of {asking} the NAS is being asked: they end as it answers");
                    }
                    Ok(())
                }
                WaveStep::Not(state) => Err(format!("the wave {} is {state}: there is nothing to stop", one.id)),
                WaveStep::Missing => Err(no_wave(one.id)),
            }
        }
        WaveCommand::Release(one) => {
            let host = Host::read(&one.on.config).await?;
            let (store, _) = host.open_to_write().await?;
            match store.release_wave(one.id, &one.by(), now).await.map_err(|e| e.to_string())? {
                WaveStep::Made(()) => println!("it begins now"),
                WaveStep::Not(state) => return Err(format!("the wave {} is {state}, and not held", one.id)),
                WaveStep::Missing => return Err(no_wave(one.id)),
            }
            Ok(())
        }
    }
}

fn no_wave(id: WaveId) -> String {
    format!("there is no wave {id}\n  -> `cordon session wave list` shows them")
}

fn progress(counts: &Counts) -> String {
    let waiting = match counts.asking {
        0 => format!("{} waiting", counts.waiting),
        n => format!("{} waiting, of which {n} are asked now", counts.waiting),
    };
    let over = counts.over.iter().map(|(ending, n)| format!("{n} {ending}"));
    let all: Vec<_> = std::iter::once(waiting).chain(over).collect();
    all.join(", ")
}
