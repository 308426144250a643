//! From a session and what is wanted of it to a change that can be carried out,
//! and from that to the request that its NAS is sent.

use super::Snapshot;
use super::reevaluate::Difference;
use crate::audit::decision::Decision;
use crate::coa::life::{Cause, Ending, Life, Order, Target};
use crate::coa::plan::{Goal, chain};
use crate::enforcement::coa::{LiveSession, Wish, order};
use crate::ids::{ChangeOrderId, IdentityId, WaveId};
use crate::inventory::nas::{CoaTarget, Nas};
use crate::radius::packet::Code;
use crate::secret::Secret;
use crate::session::state::Session;
use crate::time::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long after a change of the same aim another may follow, when the session
/// seems to go on as it was: the NAS needs time to tell that it has ended, and one
/// that refuses is not asked all the time.
const AGAIN: Duration = Duration::from_secs(600);
/// What is heard of a session this long after its end was confirmed tells that it
/// goes on: until then it may be an Interim-Update that was on its way.
const ECHO: Duration = Duration::from_secs(60);
/// How long after a NAS confirmed that it ended a session, of which nothing was heard
/// since, no other change to it is ordered by the server or for many at once: its
/// Accounting-Stop is lost, or it never sends one.
const CONFIRMED: Duration = Duration::from_secs(3600);

/// What a change is ordered with.
#[derive(Clone, Copy, Debug)]
pub struct Ordering<'a> {
    /// What its chain is made by.
    pub snapshot: &'a Snapshot,
    /// The wave that it is part of.
    pub wave: Option<WaveId>,
    /// When it may go.
    pub begins: Timestamp,
    /// How long it takes until its turn comes, at the pace of a wave.
    pub turn: Duration,
    /// The time.
    pub now: Timestamp,
}

impl Ordering<'_> {
    /// A change that the server itself finds due.
    pub fn automatic(&self, session: &Session, decision: &Decision, difference: Difference, trigger: &str) -> Life {
        let Difference { reason, detail, goal, target } = difference;
        let cause = Cause { trigger: trigger.to_owned(), reason, detail, automatic: true, at: self.now };
        let who = decision.identity.as_ref().map(|identity| (identity.id, identity.name.clone()));
        self.order(session, who, &goal, target, cause)
    }

    /// A change that an operator asks for.
    pub fn asked(&self, session: &Session, wish: Wish, fallback: bool, by: &str, why: &str) -> Life {
        let what = match &wish {
            Wish::Vlan(vlan) => format!("{} {vlan}", wish.change()),
            Wish::Role(role) => format!("{} {role}", wish.change()),
            _ => wish.change().to_string(),
        };
        let detail = if why.is_empty() { what.clone() } else { format!("{what}: {why}") };
        let cause = Cause { trigger: format!("operator {by}"), reason: None, detail, automatic: false, at: self.now };
        // Each is a wish of its own: to disconnect twice is no mistake.
        let target = Target(format!("{what} {}", ChangeOrderId::new(self.now)));
        self.order(session, None, &Goal::Asked { wish, fallback }, target, cause)
    }

    fn order(
        &self,
        session: &Session,
        who: Option<(IdentityId, String)>,
        goal: &Goal,
        target: Target,
        cause: Cause,
    ) -> Life {
        let (identity, name) = who.unzip();
        let order = Order {
            id: ChangeOrderId::new(self.now),
            session: session.id,
            decision: session.decision(),
            nas_name: session.key.nas_name.clone(),
            who: name.or_else(|| session.identity().map(str::to_owned)).or_else(|| session.mac().map(str::to_owned)),
            identity,
            wave: self.wave,
            cause,
            target,
            created: self.now,
            deadline: self.begins.max(self.now) + self.turn + self.snapshot.changes.deadline,
            attempts: Vec::new(),
        };
        let nas = nas_of(session, self.snapshot);
        let gear = nas.and_then(|nas| self.snapshot.gear.get(&nas.vendor));
        Life::begin(order, chain(goal, gear.and_then(|gear| gear.coa.as_ref())), self.begins.max(self.now))
    }
}

/// A session that would come to something else.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The session.
    pub session: &'a Session,
    /// What it would come to.
    pub target: &'a Target,
    /// Whether its login was judged by what is in force. If it was, and still brought
    /// something else, another login would bring the same.
    pub judged: bool,
}

/// Whether a change is to be ordered, given the latest one. One that is `alone` need
/// not wait for a wave that it is part of.
pub fn is_due(latest: Option<&Life>, wanted: Wanted<'_>, alone: bool, now: Timestamp) -> bool {
    let Wanted { session, target, judged } = wanted;
    if is_ended(latest, session, now) {
        return false;
    }
    let Some(latest) = latest.filter(|life| life.order().target == *target) else { return true };
    let over = match latest {
        Life::Waiting(waiting) => return alone && waiting.is_behind(),
        Life::Over(over) => over,
    };
    // It did what it was for, or was of no use; then the endpoint logged in and got
    // what it is to lose now.
    let logged_in_since = !judged && over.order.decision != session.decision();
    let again = || now.since(over.at) >= AGAIN;
    match over.ending {
        // What an operator stopped is not begun again for the same reason.
        Ending::Aborted => false,
        // It was taken back, and is due again.
        Ending::Moot | Ending::Superseded => true,
        Ending::Refused | Ending::Unanswered | Ending::Untold => logged_in_since || again(),
        Ending::Done | Ending::Gone => logged_in_since || goes_on(session, over.at) && again(),
    }
}

/// When the NAS confirmed that it ended the session, if nothing tells that it goes on
/// all the same. `None` once it has ended by what is known of it, too.
pub fn confirmed_end(latest: Option<&Life>, session: &Session) -> Option<Timestamp> {
    ended_at(latest, session).filter(|_| session.state().is_live())
}

/// Whether the NAS confirmed lately that it ended the session.
pub fn is_ended(latest: Option<&Life>, session: &Session, now: Timestamp) -> bool {
    ended_at(latest, session).is_some_and(|at| now.since(at) < CONFIRMED)
}

fn ended_at(latest: Option<&Life>, session: &Session) -> Option<Timestamp> {
    match latest {
        Some(Life::Over(over)) if over.ended_session() && over.order.decision == session.decision() => {
            (!goes_on(session, over.at)).then_some(over.at)
        }
        _ => None,
    }
}

fn goes_on(session: &Session, over: Timestamp) -> bool {
    session.last_at > over + ECHO
}

/// The NAS of a session, as it is configured now.
pub fn nas_of<'a>(session: &Session, snapshot: &'a Snapshot) -> Option<&'a Arc<Nas>> {
    let at = session.nas_address().and_then(|address| snapshot.nas.lookup(address));
    at.filter(|nas| nas.name == session.key.nas_name).or_else(|| snapshot.nas.named(&session.key.nas_name))
}

/// A request, and where it goes.
#[derive(Clone, Debug)]
pub struct Told {
    /// The NAS.
    pub nas: Arc<Nas>,
    /// CoA-Request or Disconnect-Request.
    pub code: Code,
    /// Its attributes, encoded.
    pub attributes: Vec<u8>,
    /// Over UDP: where to, and what is shared with the NAS for this; or why it cannot
    /// be asked so, which matters only where it has no connection of its own.
    pub udp: Result<(SocketAddr, Secret), String>,
}

/// How this NAS is told this about this session.
///
/// # Errors
/// Why it cannot be told.
pub fn tell(wish: &Wish, session: &Session, snapshot: &Snapshot) -> Result<Told, String> {
    let name = &session.key.nas_name;
    let nas = nas_of(session, snapshot).ok_or_else(|| format!("the NAS {name} is not configured any more"))?;
    let (address, port, secret) = match &nas.coa {
        CoaTarget::Off => return Err(format!("{name} takes no changes: coa = false in its configuration")),
        CoaTarget::At { address, port, secret } => (*address, *port, secret.clone()),
    };
    let from = session.nas_address();
    let known = from.filter(|from| snapshot.nas.lookup(*from).is_some_and(|at| at.name == nas.name));
    let secret = secret
        .or_else(|| nas.secret.clone())
        .ok_or_else(|| {
            format!(
                "{name} speaks RADIUS over TLS, and has no connection now; if a proxy stands between, say in coa = {{ address = \
                 \"...\", secret = \"...\" }} where it takes changes over UDP"
            )
        });
    let address = address.or(known).ok_or_else(|| {
        format!("it is not known where {name} takes changes: its session came from no address that is its own now")
    });
    let gear = snapshot.gear.get(&nas.vendor).ok_or_else(|| format!("no NAS profile is called {}", nas.vendor))?;
    let order = order(wish, &names(session), gear, &snapshot.dictionary).map_err(|e| e.to_string())?;
    Ok(Told {
        nas: nas.clone(),
        code: order.code,
        attributes: order.attributes,
        udp: secret.and_then(|secret| Ok((SocketAddr::new(address?, port.unwrap_or(order.port)), secret))),
    })
}

/// What a session is known by.
fn names(session: &Session) -> LiveSession {
    let names = session.names().cloned().unwrap_or_default();
    LiveSession {
        user_name: session.user_name().map(str::to_owned),
        calling_station: session.calling_station().map(str::to_owned),
        acct_session_id: names.acct_session_id,
        nas_port: names.nas_port,
        nas_port_id: names.nas_port_id,
        nas_address: names.nas_ip,
        audit_session_id: names.audit_session_id,
    }
}
