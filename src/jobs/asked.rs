//! Changes that an operator asks for, by the API or the command line: put into the
//! queue, from which a server takes them up.

use crate::access::Snapshot;
use crate::access::changes::{Ordering, is_ended};
use crate::audit::event::By;
use crate::coa::life::Life;
use crate::coa::wave::{SMALL, Wave};
use crate::enforcement::coa::{Change, Wish};
use crate::enforcement::vlan::Vlan;
use crate::ids::{ChangeOrderId, SessionId, WaveId};
use crate::session::state::{MAY_GO_ON, Session};
use crate::store::read::SessionFilter;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use std::time::Duration;

/// The most sessions of one request.
pub const MAX_ASKED: usize = 200_000;
/// Sessions of one page.
const PAGE: u32 = 500;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// That.
    pub wish: Wish,
    /// Whether something harsher may take its place.
    pub fallback: bool,
    /// Who asks.
    pub by: By,
    /// Why.
    pub why: String,
}

/// What was put into the queue.
#[derive(Clone, Debug)]
pub enum Placed {
    /// A few changes.
    Few(Vec<ChangeOrderId>),
    /// A wave.
    Wave(Box<Wave>),
}

/// A change by its name, with what it changes to.
///
/// # Errors
/// What is missing or too much.
pub fn wish(change: Change, vlan: Option<&str>, role: Option<&str>) -> Result<Wish, String> {
    match (change, vlan, role) {
        (Change::ChangeVlan, Some(vlan), None) => match vlan.parse::<u16>() {
            Ok(id @ 1..=4094) => Ok(Wish::Vlan(Vlan::Id(id))),
            Ok(_) => Err(format!("{vlan} is no VLAN: give 1 to 4094, or a name")),
            Err(_) if vlan.is_empty() => Err("the VLAN is empty".into()),
            Err(_) => Ok(Wish::Vlan(Vlan::Name(vlan.to_owned()))),
        },
        (Change::ChangeRole, None, Some(role)) if !role.is_empty() => Ok(Wish::Role(role.to_owned())),
        (Change::ChangeVlan, ..) => Err("change_vlan wants a VLAN, and nothing else".into()),
        (Change::ChangeRole, ..) => Err("change_role wants a role, and nothing else".into()),
        (_, None, None) => Ok(match change {
            Change::Reauthenticate => Wish::Reauthenticate,
            Change::BouncePort => Wish::BouncePort,
            Change::DisablePort => Wish::DisablePort,
            _ => Wish::Disconnect,
        }),
        _ => Err(format!("{change} takes neither a VLAN nor a role")),
    }
}

/// Asks for a change to one session. `None` when there is no such session, or it
/// is over.
///
/// # Errors
/// When the database cannot be used.
pub async fn ask_one(
    store: &Store,
    snapshot: &Snapshot,
    id: SessionId,
    asked: &Asked,
    now: Timestamp,
) -> Result<Option<ChangeOrderId>, StoreError> {
    let Some(session) = store.session(id).await?.filter(|session| session.may_go_on(now)) else { return Ok(None) };
    let ordering = Ordering { snapshot, wave: None, begins: now, turn: Duration::ZERO, now };
    let life = order(&ordering, &session, asked);
    let id = life.order().id;
    store.take_up_changes(None, vec![life], false, &asked.by, now).await?;
    Ok(Some(id))
}

/// A name in a filter that is nobody's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unknown {
    /// Of what it is the name: `nas`, `site` or `identity`.
    pub field: &'static str,
    /// What is wrong and what to do, in words.
    pub detail: String,
}

/// The first name of a filter that is unknown: neither configured nor that of a
/// session on record.
///
/// # Errors
/// When the database cannot be used.
pub async fn unknown(
    store: &Store,
    snapshot: &Snapshot,
    filter: &SessionFilter,
    site: Option<&str>,
) -> Result<Option<Unknown>, StoreError> {
    let some = |field, detail| Ok(Some(Unknown { field, detail }));
    let unconfigured = |name: &&String| snapshot.nas.named(name).is_none();
    for name in filter.nas.iter().flatten().filter(unconfigured) {
        let of = SessionFilter { nas: Some(vec![name.clone()]), ..SessionFilter::default() };
        if store.sessions(&of, None, 1).await?.items.is_empty() {
            return some("nas", format!("no NAS is called {name:?}; `cordon nas list` shows them"));
        }
    }
    if let Some(name) = site
        && !snapshot.nas.all().iter().any(|nas| nas.site.as_deref() == Some(name))
    {
        return some("site", format!("no NAS is at a site called {name:?}; `cordon nas list` shows them"));
    }
    if let Some(name) = &filter.identity
        && !snapshot.identities.all().iter().any(|identity| *identity.name == **name)
    {
        let of = SessionFilter { identity: Some(name.clone()), ..SessionFilter::default() };
        if store.sessions(&of, None, 1).await?.items.is_empty() {
            return some("identity", format!("nobody is called {name:?}; `cordon identity list` shows who is known"));
        }
    }
    Ok(None)
}

/// Sessions that are meant.
#[derive(Clone, Default, Debug)]
pub struct Meant {
    /// Those that are to be changed.
    pub sessions: Vec<Session>,
    /// How many are left out: their NAS confirmed lately that it ended them.
    pub ended: u64,
}

/// The sessions of a filter that go on, and of a site where one is named.
///
/// # Errors
/// When the database cannot be used.
pub async fn meant(
    store: &Store,
    snapshot: &Snapshot,
    filter: &SessionFilter,
    site: Option<&str>,
    now: Timestamp,
) -> Result<Meant, StoreError> {
    // Whatever a command has filled in: those are meant that may go on.
    let filter = SessionFilter { live: None, may_go_on: Some(now - MAY_GO_ON), ..filter.clone() };
    let at_site = |session: &Session| {
        let nas = snapshot.nas.named(&session.key.nas_name);
        site.is_none_or(|site| nas.is_some_and(|nas| nas.site.as_deref() == Some(site)))
    };
    let (mut meant, mut after) = (Meant::default(), None);
    loop {
        let page = store.sessions(&filter, after, PAGE).await?;
        let ids: Vec<SessionId> = page.items.iter().map(|session| session.id).collect();
        let latest = store.latest_changes(&ids).await?;
        for session in page.items.into_iter().filter(at_site) {
            match is_ended(latest.get(&session.id), &session, now) {
                true => meant.ended += 1,
                false => meant.sessions.push(session),
            }
        }
        after = page.next;
        if after.is_none() || meant.sessions.len() >= MAX_ASKED {
            return Ok(meant);
        }
    }
}

/// Asks for a change to these sessions. Many are a wave; `hold` lets it wait like
/// others if it is as large as `[changes] hold_above` says.
///
/// # Errors
/// When the database cannot be used.
pub async fn ask_many(
    store: &Store,
    snapshot: &Snapshot,
    sessions: &[Session],
    asked: &Asked,
    hold: bool,
    now: Timestamp,
) -> Result<Placed, StoreError> {
    let bulk = sessions.len() > SMALL;
    let total = sessions.len() as u64;
    let settings = snapshot.changes;
    let live = match bulk {
        true => store.count_live_sessions().await?.max(total),
        false => total,
    };
    let begins = if hold && bulk && settings.hold.holds(total, live) { now + settings.hold_for } else { now };
    let wave = bulk.then(|| Wave {
        id: WaveId::new(now),
        trigger: format!("operator {}", asked.by.actor),
        detail: format!("{} of {total} sessions{}", asked.wish.change(), because(&asked.why)),
        created: now,
        begins,
        total,
        live,
        aborted: None,
    });
    let turn = settings.limits.takes(total);
    let ordering = Ordering { snapshot, wave: wave.as_ref().map(|wave| wave.id), begins, turn, now };
    let orders: Vec<Life> = sessions.iter().map(|session| order(&ordering, session, asked)).collect();
    let ids = orders.iter().map(|life| life.order().id).collect();
    store.take_up_changes(wave.as_ref(), orders, bulk, &asked.by, now).await?;
    Ok(match wave {
        Some(wave) => Placed::Wave(Box::new(wave)),
        None => Placed::Few(ids),
    })
}

fn order(ordering: &Ordering<'_>, session: &Session, asked: &Asked) -> Life {
    let Asked { wish, fallback, by, why } = asked;
    ordering.asked(session, wish.clone(), *fallback, &by.actor, why)
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_what_it_changes_to_and_nothing_else() {
        assert_eq!(wish(Change::ChangeVlan, Some("30"), None), Ok(Wish::Vlan(Vlan::Id(30))));
        assert_eq!(wish(Change::ChangeVlan, Some("lab"), None), Ok(Wish::Vlan(Vlan::Name("lab".into()))));
        assert_eq!(wish(Change::ChangeRole, None, Some("staff")), Ok(Wish::Role("staff".into())));
        for change in [Change::Reauthenticate, Change::BouncePort, Change::DisablePort, Change::Disconnect] {
            assert_eq!(wish(change, None, None).unwrap().change(), change);
            assert!(wish(change, Some("30"), None).is_err());
        }
        for (vlan, role) in
            [(None, None), (Some("0"), None), (Some("4095"), None), (Some(""), None), (Some("1"), Some("x"))]
        {
            assert!(wish(Change::ChangeVlan, vlan, role).is_err(), "{vlan:?} {role:?}");
        }
        assert!(wish(Change::ChangeRole, None, Some("")).is_err());
    }
}
