//! Changes that an operator asks for, by the API or the command line: put into the
//! queue, from which a server takes them up.

use crate::access::Snapshot;
use crate::access::changes::Ordering;
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
    pub by: String,
    /// Why.
    pub why: String,
}

/// What was put into the queue.
#[derive(Clone, Debug)]
pub enum Placed {
    /// A few changes.
    Few(Vec<ChangeOrderId>),
    /// A wave of so many.
    Wave(WaveId, u64),
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
    store.take_up_changes(None, vec![life], false, now).await?;
    Ok(Some(id))
}

/// Asks for a change to all sessions of a filter that go on, and of a site where one
/// is named.
///
/// # Errors
/// When the database cannot be used.
pub async fn ask_many(
    store: &Store,
    snapshot: &Snapshot,
    filter: &SessionFilter,
    site: Option<&str>,
    asked: &Asked,
    now: Timestamp,
) -> Result<Placed, StoreError> {
    let filter = SessionFilter { may_go_on: Some(now - MAY_GO_ON), ..filter.clone() };
    let at_site = |session: &Session| {
        let nas = snapshot.nas.named(&session.key.nas_name);
        site.is_none_or(|site| nas.is_some_and(|nas| nas.site.as_deref() == Some(site)))
    };
    let (mut sessions, mut after) = (Vec::new(), None);
    loop {
        let page = store.sessions(&filter, after, PAGE).await?;
        sessions.extend(page.items.into_iter().filter(&at_site));
        after = page.next;
        if after.is_none() || sessions.len() >= MAX_ASKED {
            break;
        }
    }
    let bulk = sessions.len() > SMALL;
    let total = sessions.len() as u64;
    let wave = bulk.then(|| Wave {
        id: WaveId::new(now),
        trigger: format!("operator {}", asked.by),
        detail: format!("{} of {total} sessions{}", asked.wish.change(), because(&asked.why)),
        created: now,
        begins: now,
        total,
        live: total,
        aborted: None,
    });
    let turn = snapshot.changes.limits.takes(total);
    let ordering = Ordering { snapshot, wave: wave.as_ref().map(|wave| wave.id), begins: now, turn, now };
    let orders: Vec<Life> = sessions.iter().map(|session| order(&ordering, session, asked)).collect();
    let ids = orders.iter().map(|life| life.order().id).collect();
    store.take_up_changes(wave.as_ref(), orders, bulk, now).await?;
    Ok(match wave {
        Some(wave) => Placed::Wave(wave.id, total),
        None => Placed::Few(ids),
    })
}

fn order(ordering: &Ordering<'_>, session: &Session, asked: &Asked) -> Life {
    let Asked { wish, fallback, by, why } = asked;
    ordering.asked(session, wish.clone(), *fallback, by, why)
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
