//! Which forms a change is tried in, the gentlest first.

use crate::enforcement::coa::{Change, Coa, Wish};

/// What a session is to come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Its endpoint may not stay.
    End,
    /// Its endpoint gets something else.
    Move,
    /// What an operator asks for.
    Asked {
        /// That.
        wish: Wish,
        /// Whether something harsher may take its place when the NAS refuses it.
        fallback: bool,
    },
}

/// The chain for this goal, of forms that the gear has words for. Empty when it
/// can be told none.
///
/// Who may not stay is disconnected; where that fails, a login that will be
/// refused, and the port's bounce, do the same. Who gets something else logs in
/// again, even where the gear could be told another VLAN or role alone: only a login
/// brings a profile as a whole, and has a decision of its own, by which it is known
/// what the session has. A bounce comes last: it takes the neighbours on the port
/// down too.
pub fn chain(goal: &Goal, gear: Option<&Coa>) -> Vec<Wish> {
    let wanted = match goal {
        Goal::End => vec![Wish::Disconnect, Wish::Reauthenticate, Wish::BouncePort],
        Goal::Move => vec![Wish::Reauthenticate, Wish::Disconnect, Wish::BouncePort],
        // What was asked for is tried even if there are no words for it, so that
        // the record says so.
        Goal::Asked { wish, fallback: false } => return vec![wish.clone()],
        Goal::Asked { wish, fallback: true } => {
            let harsher: &[Wish] = match wish.change() {
                Change::Reauthenticate | Change::ChangeVlan | Change::ChangeRole => {
                    &[Wish::Disconnect, Wish::BouncePort]
                }
                Change::Disconnect => &[Wish::BouncePort],
                Change::BouncePort | Change::DisablePort => &[],
            };
            let able = harsher.iter().filter(|w| speaks(gear, w)).cloned();
            return std::iter::once(wish.clone()).chain(able).collect();
        }
    };
    wanted.into_iter().filter(|wish| speaks(gear, wish)).collect()
}

fn speaks(gear: Option<&Coa>, wish: &Wish) -> bool {
    gear.is_some_and(|coa| coa.forms.contains_key(&wish.change()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::nas_profile::NasProfiles;
    use crate::radius::dictionary::Dictionary;

    fn told(goal: &Goal, kind: &str) -> Vec<Change> {
        let kinds = NasProfiles::new(Dictionary::standard(), []).unwrap();
        let kind = kinds.get(kind).unwrap();
        chain(goal, kind.coa.as_ref()).iter().map(Wish::change).collect()
    }

    #[test]
    fn the_gentlest_form_that_the_gear_knows_comes_first() {
        assert_eq!(told(&Goal::Move, "cisco-ios"), [Change::Reauthenticate, Change::Disconnect, Change::BouncePort]);
        assert_eq!(told(&Goal::Move, "aruba-cx"), [Change::Disconnect, Change::BouncePort]);
        assert_eq!(told(&Goal::Move, "standard"), [Change::Disconnect]);
        assert_eq!(told(&Goal::End, "cisco-ios"), [Change::Disconnect, Change::Reauthenticate, Change::BouncePort]);
        assert_eq!(chain(&Goal::End, None), []);
    }

    #[test]
    fn an_operator_gets_what_was_asked_for_and_more_only_if_that_was_asked_too() {
        let asked = |fallback| Goal::Asked { wish: Wish::Reauthenticate, fallback };
        assert_eq!(told(&asked(false), "ubiquiti"), [Change::Reauthenticate]);
        assert_eq!(told(&asked(true), "ubiquiti"), [Change::Reauthenticate, Change::Disconnect]);
        let disable = Goal::Asked { wish: Wish::DisablePort, fallback: true };
        assert_eq!(told(&disable, "cisco-ios"), [Change::DisablePort]);
    }
}
