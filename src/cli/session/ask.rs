//! Changes that are asked for on the command line: of whom, and what came of them.

use super::{AskArgs, count, print, tried};
use crate::access::Snapshot;
use crate::audit::event::By;
use crate::cli::host::{Host, author};
use crate::coa::life::{Ending, Life, Waiting};
use crate::enforcement::coa::Change;
use crate::ids::ChangeOrderId;
use crate::jobs::asked::{Asked, Meant, Placed, ask_many, ask_one, meant, wish};
use crate::session::state::Session;
use crate::store::{Store, StoreError};
use crate::transport::clock::Clock;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked what became of a change.
const LOOK: Duration = Duration::from_millis(50);
/// A server looks at its queue several times in a second: if it has not begun by
/// then, there may be none.
const TAKEN_UP: Duration = Duration::from_secs(5);
const UNTOUCHED: &str = "no server has taken it up; is `cordon serve` running with this configuration, or has the NAS to \
                         answer others first?";
/// Of so many sessions it is not asked whether they are meant.
const FEW: usize = 5;
/// NASes and sites that are named one by one.
const NAMED: usize = 5;

/// Asks for a change, and waits for what comes of it.
pub(super) async fn ask(args: &AskArgs, change: Change, vlan: Option<&str>, role: Option<&str>) -> Result<(), String> {
    let wish = wish(change, vlan, role)?;
    let host = Host::read(&args.on.config).await?;
    let snapshot = host.build()?.snapshot;
    let (store, _) = host.open_to_write().await?;
    let by = By::cli(author(args.by.as_deref()));
    let asked = Asked { wish, fallback: args.fallback, by, why: args.comment.clone() };
    let now = Clock::start().now();
    let failed = |e: StoreError| e.to_string();
    let placed = match (args.id, args.which.is_empty(), args.all) {
        (Some(id), true, false) => {
            let order = ask_one(&store, &snapshot, id, &asked, now).await.map_err(failed)?;
            Placed::Few(vec![order.ok_or(format!(
                "there is no session {id} that goes on\n  -> `cordon session list` tells which there are"
            ))?])
        }
        (None, empty, all) if empty == all => {
            let filter = args.which.known(&store, &snapshot).await?;
            let site = args.which.site.as_deref();
            let Meant { sessions, ended } = meant(&store, &snapshot, &filter, site, now).await.map_err(failed)?;
            if ended > 0 {
                println!("{} left out: a disconnect was confirmed less than an hour ago", count(ended, "session"));
            }
            if sessions.is_empty() {
                return Err("no session goes on that is meant".into());
            }
            if sessions.len() > FEW {
                println!("{change}: {}", preview(&sessions, &snapshot));
                if !args.yes {
                    return Err("nothing was done, since many are meant\n  -> say --yes to go on".into());
                }
            }
            // Who said yes has seen how many they are.
            ask_many(&store, &snapshot, &sessions, &asked, false, now).await.map_err(failed)?
        }
        _ => {
            return Err("say whose session: its id, or options such as --identity and --nas, or --all\n  -> `cordon \
                        session list` tells which there are"
                .into());
        }
    };
    match placed {
        Placed::Few(ids) => {
            let (wait, until) = (args.wait, Instant::now() + Duration::from_secs(args.wait));
            let (mut undone, mut open) = (0, 0);
            for id in &ids {
                match outcome(&store, *id, until, wait == 0).await? {
                    Came::Made => {}
                    Came::NotMade => undone += 1,
                    Came::Open => open += 1,
                }
            }
            match (undone, open) {
                (0, 0) => Ok(()),
                (1, 0) if ids.len() == 1 => Err("the change was not made".into()),
                (0, 1) if ids.len() == 1 => Err("the change has not been made so far".into()),
                (n, m) => Err(format!("of {}, {n} not made and {m} not so far", count(ids.len() as u64, "change"))),
            }
        }
        Placed::Wave(wave) => {
            let id = wave.id;
            println!("{} will be changed by the wave {id}", count(wave.total, "session"));
            println!("  `cordon session wave list` tells how far it is, `cordon session wave abort {id}` stops it");
            Ok(())
        }
    }
}

/// How many sessions are meant, and where they are.
fn preview(sessions: &[Session], snapshot: &Snapshot) -> String {
    let (mut nases, mut sites) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new());
    for session in sessions {
        let name = session.key.nas_name.as_str();
        *nases.entry(name).or_default() += 1;
        let site = snapshot.nas.named(name).and_then(|nas| nas.site.as_deref());
        *sites.entry(site.unwrap_or("no site")).or_default() += 1;
    }
    let named = |all: &BTreeMap<&str, u64>| {
        let mut all: Vec<_> = all.iter().map(|(name, n)| (*n, *name)).collect();
        all.sort_by_key(|(n, name)| (std::cmp::Reverse(*n), *name));
        let more = all.len().saturating_sub(NAMED);
        let mut text: Vec<_> = all.iter().take(NAMED).map(|(n, name)| format!("{name} {n}")).collect();
        if more > 0 {
            text.push(format!("{more} more"));
        }
        text.join(", ")
    };
    let at = count(nases.len() as u64, "NAS");
    format!("{} at {at} ({}), by site: {}", count(sessions.len() as u64, "session"), named(&nases), named(&sites))
}

/// What came of a change.
enum Came {
    /// It was made, or that is not waited for.
    Made,
    /// It is over, and was not made.
    NotMade,
    /// It is still to be made.
    Open,
}

/// Waits for what comes of a change, tells what is tried meanwhile, and shows how it
/// ended.
async fn outcome(store: &Store, id: ChangeOrderId, until: Instant, at_once: bool) -> Result<Came, String> {
    let begun = Instant::now();
    let (mut told, mut asking, mut untouched) = (0, None, false);
    loop {
        let life = store.change_to_session(id).await.map_err(|e| e.to_string())?;
        let life = life.ok_or(format!("the change {id} is not there any more"))?;
        let waiting = match &life {
            Life::Over(over) => {
                print(&life);
                let made = matches!(over.ending, Ending::Done | Ending::Gone);
                return Ok(if made { Came::Made } else { Came::NotMade });
            }
            Life::Waiting(waiting) => waiting,
        };
        if at_once || Instant::now() >= until {
            print(&life);
            println!(
                "  it is in the queue until {}: `cordon session show {}`",
                waiting.order.deadline, waiting.order.session
            );
            if untouched && is_untouched(waiting) {
                println!("  {UNTOUCHED}");
            }
            return Ok(if at_once { Came::Made } else { Came::Open });
        }
        for attempt in waiting.order.attempts.iter().skip(told) {
            eprintln!("{}", tried(attempt));
        }
        told = waiting.order.attempts.len();
        if let Some(asks) = waiting.asks.as_ref().filter(|asks| asking != Some(asks.at)) {
            let to = asks.to.as_deref().unwrap_or("the NAS");
            eprintln!("  {}: {to} is being asked since {}", asks.change, asks.at);
            asking = Some(asks.at);
        }
        if !untouched && is_untouched(waiting) && begun.elapsed() >= TAKEN_UP {
            untouched = true;
            eprintln!("  {UNTOUCHED}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether nothing shows that a server knows of it.
fn is_untouched(waiting: &Waiting) -> bool {
    waiting.order.attempts.is_empty() && waiting.asks.is_none()
}
