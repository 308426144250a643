//! Who is known, as lists show it: in the order of names, narrowed by kind, status, group, owner and parts of names.
//!
//! A million identities are looked through in a few milliseconds: each condition is a set of bits, and names lie one
//! after the other in one text. It is made when it is first wanted, since a login needs none of it.

use super::identity::{Identity, IdentityKind, IdentityStatus};
use super::index::IdentityIndex;
use crate::ids::IdentityId;
use crate::time::Timestamp;
use memchr::memmem;
use std::collections::HashMap;
use std::sync::Arc;

/// What stands between two names: no name that somebody looks for holds it.
const BETWEEN: char = '\n';

/// Whom to list. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this kind.
    pub kind: Option<IdentityKind>,
    /// Of this status.
    pub status: Option<IdentityStatus>,
    /// Members of this group.
    pub group: Option<String>,
    /// For whom this user answers.
    pub owner: Option<String>,
    /// By name.
    pub name: Option<Part>,
    /// Whether nobody answers for them.
    pub orphaned: Option<bool>,
}

/// A part of a name; its case does not matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// What it begins with.
    Start(String),
    /// What it contains.
    Any(String),
}

/// In which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sort {
    /// In which they came.
    #[default]
    Came,
    /// Of their names, or the other way round.
    Name {
        /// From the last name on.
        backwards: bool,
    },
    /// Of their kinds, and of their names within each.
    Kind,
}

/// One bit for each identity.
#[derive(Clone, Debug)]
struct Bits(Vec<u64>);

impl Bits {
    fn none(count: usize) -> Bits {
        Bits(vec![0; count.div_ceil(64)])
    }

    fn of(count: usize, numbers: impl Iterator<Item = u32>) -> Bits {
        let mut bits = Bits::none(count);
        numbers.for_each(|number| bits.set(number));
        bits
    }

    fn set(&mut self, number: u32) {
        if let Some(word) = self.0.get_mut(number as usize / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn and(&mut self, other: &Bits) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }
}

/// What lists are made of. Identities are told by their places among all.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// All names in lower case, in their order.
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    by_name: Vec<u32>,
    kinds: Vec<IdentityKind>,
    statuses: Vec<IdentityStatus>,
    groups: HashMap<Arc<str>, Vec<u32>>,
    owners: HashMap<Arc<str>, Vec<u32>>,
    unowned: Vec<u32>,
}

fn lower(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_lowercase)
}

impl Listing {
    /// That of these.
    pub fn new(all: &[Arc<Identity>]) -> Listing {
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(all.len()));
        for identity in all {
            text.extend(lower(&identity.name));
            ends.push(text.len());
        }
        let raw = Listing { text, ends, ..Listing::default() };
        let mut by_name: Vec<u32> = (0..).zip(all).map(|(number, _)| number).collect();
        let id = |number: u32| all.get(number as usize).map(|identity| identity.id);
        by_name.sort_unstable_by(|a, b| {
            let order = raw.name(*a as usize, 0).cmp(raw.name(*b as usize, 0));
            order.then_with(|| id(*a).cmp(&id(*b)))
        });
        let mut listing = Listing {
            text: String::with_capacity(raw.text.len() + all.len()),
            ends: Vec::with_capacity(all.len()),
            kinds: all.iter().map(|identity| identity.kind).collect(),
            statuses: all.iter().map(|identity| identity.status).collect(),
            ..Listing::default()
        };
        for number in &by_name {
            listing.text.push_str(raw.name(*number as usize, 0));
            listing.ends.push(listing.text.len());
            listing.text.push(BETWEEN);
        }
        listing.by_name = by_name;
        for (number, identity) in (0..).zip(all) {
            for group in identity.groups.iter() {
                listing.groups.entry(group.clone()).or_default().push(number);
            }
            match &identity.owner {
                Some(owner) => listing.owners.entry(owner.clone()).or_default().push(number),
                None => listing.unowned.push(number),
            }
        }
        listing
    }

    /// The name at a place, where so many octets stand between two.
    fn name(&self, place: usize, between: usize) -> &str {
        let begin = place.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| end + between);
        self.ends.get(place).and_then(|end| self.text.get(begin..*end)).unwrap_or_default()
    }

    /// The place in the order of names before which all come that `before` says.
    fn place(&self, before: impl Fn(&str, u32) -> bool) -> usize {
        let (mut low, mut high) = (0, self.by_name.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let number = self.by_name.get(middle).copied().unwrap_or_default();
            if before(self.name(middle, BETWEEN.len_utf8()), number) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Those whose names begin so.
    fn beginning(&self, start: &str) -> &[u32] {
        let first = self.place(|name, _| name < start);
        let end = self.place(|name, _| name < start || name.starts_with(start));
        self.by_name.get(first..end).unwrap_or_default()
    }

    /// Those whose names contain this, in the order of names.
    fn containing<'a>(&'a self, part: &'a str) -> impl Iterator<Item = u32> + 'a {
        let finder = memmem::Finder::new(part).into_owned();
        // What stands between names is in none of them.
        let (mut at, mut place) = (if part.contains(BETWEEN) { self.text.len() } else { 0 }, 0);
        std::iter::from_fn(move || {
            let found = at + finder.find(self.text.as_bytes().get(at..)?)?;
            // As a rule the next name is near.
            while self.ends.get(place).is_some_and(|end| *end <= found) {
                place += 1;
            }
            at = self.ends.get(place)? + BETWEEN.len_utf8();
            self.by_name.get(place).copied()
        })
    }

    /// See [`IdentityIndex::find`]; identities by their places.
    fn find(&self, part: &str, most: usize) -> Vec<(u8, u32)> {
        let part: String = lower(part).collect();
        let first = self.place(|name, _| name < part.as_str());
        let starts = self.beginning(&part).iter().zip(first..).take(most);
        let mut found: Vec<(u8, u32)> =
            starts.map(|(number, place)| (u8::from(self.name(place, BETWEEN.len_utf8()) != part), *number)).collect();
        let left = most - found.len();
        let known = found.clone();
        let others = self.containing(&part).filter(|number| known.iter().all(|(_, one)| one != number)).take(left);
        found.extend(others.map(|number| (2, number)));
        found
    }

    fn orphans(&self, index: &IdentityIndex, now: Timestamp) -> Bits {
        let gone = |owner: &str| index.by_name(IdentityKind::User, owner).is_none_or(|owner| !owner.is_live(now));
        let owned = self.owners.iter().filter(|(owner, _)| gone(owner)).flat_map(|(_, all)| all);
        let answers = |number: &u32| {
            let place = *number as usize;
            self.kinds.get(place) == Some(&IdentityKind::User)
                || self.statuses.get(place) == Some(&IdentityStatus::Retired)
        };
        Bits::of(self.by_name.len(), owned.chain(&self.unowned).filter(|number| !answers(number)).copied())
    }

    /// Who is wanted; all, if nothing narrows.
    fn narrowed(&self, index: &IdentityIndex, wanted: &Wanted, now: Timestamp) -> Option<Bits> {
        let count = self.by_name.len();
        let of = |numbers: Option<&Vec<u32>>| Bits::of(count, numbers.into_iter().flatten().copied());
        let alike = |same: &dyn Fn(usize) -> bool| Bits::of(count, (0..count as u32).filter(|n| same(*n as usize)));
        let conditions = [
            wanted.kind.map(|kind| alike(&|place| self.kinds.get(place) == Some(&kind))),
            wanted.status.map(|status| alike(&|place| self.statuses.get(place) == Some(&status))),
            wanted.group.as_deref().map(|group| of(self.groups.get(group))),
            wanted.owner.as_deref().map(|owner| of(self.owners.get(owner))),
            wanted.name.as_ref().map(|part| match part {
                Part::Start(start) => {
                    Bits::of(count, self.beginning(&lower(start).collect::<String>()).iter().copied())
                }
                Part::Any(part) => Bits::of(count, self.containing(&lower(part).collect::<String>())),
            }),
            wanted.orphaned.map(|orphaned| {
                let bits = self.orphans(index, now);
                if orphaned { bits } else { alike(&|place| !bits.has(place as u32)) }
            }),
        ];
        conditions.into_iter().flatten().reduce(|mut all, bits| {
            all.and(&bits);
            all
        })
    }

    /// The place of an identity in the order of names, or where it would be; with `after` the one behind it.
    fn place_of(&self, index: &IdentityIndex, identity: &Identity, after: bool) -> usize {
        let wanted: String = lower(&identity.name).collect();
        let id = |number: u32| index.all().get(number as usize).map(|known| known.id);
        self.place(|name, number| {
            (name, id(number)) < (wanted.as_str(), Some(identity.id)) || after && id(number) == Some(identity.id)
        })
    }
}

impl IdentityIndex {
    /// At most so many whose names are this, begin with it or contain it, the best first, each with which of these it
    /// is: 0, 1 or 2.
    pub fn find(&self, part: &str, most: usize) -> Vec<(u8, &Arc<Identity>)> {
        let found = self.listing().find(part, most).into_iter();
        found.filter_map(|(rank, number)| Some((rank, self.all().get(number as usize)?))).collect()
    }

    /// Those who are wanted, after the one named `after`; at most `limit`, and whether there are more. Nobody, where
    /// there is no such one in an order that is not that of ids.
    pub fn list(
        &self,
        wanted: &Wanted,
        sort: Sort,
        after: Option<IdentityId>,
        limit: usize,
        now: Timestamp,
    ) -> (Vec<&Arc<Identity>>, bool) {
        let listing = self.listing();
        let narrowed = listing.narrowed(self, wanted, now);
        let is_wanted = |number: &u32| narrowed.as_ref().is_none_or(|bits| bits.has(*number));
        let names = || listing.by_name.iter().copied();
        let last = after.and_then(|id| self.by_id(id));
        let kind = |number: &u32| listing.kinds.get(*number as usize).copied();
        let mut numbers: Box<dyn Iterator<Item = u32>> = match (sort, last) {
            (Sort::Came, _) => Box::new(self.numbers_after(after)),
            (_, None) if after.is_some() => Box::new(std::iter::empty()),
            (Sort::Name { backwards: false }, last) => {
                Box::new(names().skip(last.map_or(0, |last| listing.place_of(self, last, true))))
            }
            (Sort::Name { backwards: true }, last) => {
                let before = last.map_or(listing.by_name.len(), |last| listing.place_of(self, last, false));
                Box::new(names().take(before).rev())
            }
            (Sort::Kind, last) => {
                let mut kinds = IdentityKind::ALL.to_vec();
                kinds.sort_unstable_by_key(|kind| kind.as_str());
                let rest = kinds.into_iter().filter(move |kind| last.is_none_or(|l| kind.as_str() >= l.kind.as_str()));
                Box::new(rest.flat_map(move |of| {
                    let skipped =
                        last.filter(|last| last.kind == of).map_or(0, |last| listing.place_of(self, last, true));
                    names().skip(skipped).filter(move |number| kind(number) == Some(of))
                }))
            }
        };
        let mut found = Vec::with_capacity(limit.min(1_024));
        for number in numbers.by_ref().filter(is_wanted) {
            if found.len() == limit {
                return (found, true);
            }
            found.extend(self.all().get(number as usize));
        }
        (found, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> IdentityIndex {
        let mut secs = 0;
        let mut one = |kind, name: &str, groups: &[&str], owner: Option<&str>| {
            secs += 1;
            let id = IdentityId::new(Timestamp::from_unix_secs(1_764_000_000 + secs));
            let groups = groups.iter().map(|group| Arc::from(*group)).collect();
            Arc::new(Identity { groups, owner: owner.map(Arc::from), ..Identity::new(id, kind, name) })
        };
        use IdentityKind::{Agent, Device, User};
        let mut all = vec![
            one(User, "Zoe", &["staff"], None),
            one(Device, "laptop-2", &["laptops"], Some("Zoe")),
            one(Device, "laptop-10", &["laptops", "lent"], Some("nobody")),
            one(Agent, "coder", &["staff"], Some("zoe")),
            one(Device, "Zoetrope", &[], None),
        ];
        let retired = Arc::make_mut(&mut all[4]);
        retired.status = IdentityStatus::Retired;
        IdentityIndex::new(all, Vec::new()).unwrap()
    }

    fn names(index: &IdentityIndex, wanted: &Wanted, sort: Sort) -> Vec<String> {
        // Page by page: what is on them together is the list.
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (page, more) = index.list(wanted, sort, after, 2, Timestamp::from_unix_secs(1_765_000_000));
            all.extend(page.iter().map(|identity| identity.name.to_string()));
            after = page.last().map(|identity| identity.id);
            if !more {
                return all;
            }
        }
    }

    #[test]
    fn lists_come_in_every_order_page_by_page() {
        let (index, all) = (index(), Wanted::default());
        assert_eq!(names(&index, &all, Sort::Came), ["Zoe", "laptop-2", "laptop-10", "coder", "Zoetrope"]);
        let by_name = ["coder", "laptop-10", "laptop-2", "Zoe", "Zoetrope"];
        assert_eq!(names(&index, &all, Sort::Name { backwards: false }), by_name);
        let backwards: Vec<_> = by_name.into_iter().rev().collect();
        assert_eq!(names(&index, &all, Sort::Name { backwards: true }), backwards);
        assert_eq!(names(&index, &all, Sort::Kind), ["coder", "laptop-10", "laptop-2", "Zoetrope", "Zoe"]);
    }

    #[test]
    fn each_condition_narrows_and_all_together() {
        let index = index();
        let list = |wanted| names(&index, &wanted, Sort::Name { backwards: false });
        let part = |name| Wanted { name: Some(name), ..Wanted::default() };
        assert_eq!(list(part(Part::Start("ZOE".into()))), ["Zoe", "Zoetrope"]);
        assert_eq!(list(part(Part::Any("O".into()))), ["coder", "laptop-10", "laptop-2", "Zoe", "Zoetrope"]);
        assert_eq!(list(part(Part::Any("p-1".into()))), ["laptop-10"]);
        assert_eq!(list(part(Part::Any("r\nl".into()))), [""; 0]);
        let staff = Wanted { group: Some("staff".into()), ..Wanted::default() };
        assert_eq!(list(staff.clone()), ["coder", "Zoe"]);
        assert_eq!(list(Wanted { kind: Some(IdentityKind::Agent), ..staff.clone() }), ["coder"]);
        assert_eq!(list(Wanted { status: Some(IdentityStatus::Suspended), ..staff }), [""; 0]);
        assert_eq!(list(Wanted { owner: Some("Zoe".into()), ..Wanted::default() }), ["laptop-2"]);
        // As the index judges each of them.
        assert_eq!(list(Wanted { orphaned: Some(true), ..Wanted::default() }), ["laptop-10"]);
        assert_eq!(
            list(Wanted { orphaned: Some(false), ..Wanted::default() }),
            ["coder", "laptop-2", "Zoe", "Zoetrope"]
        );
    }

    #[test]
    fn what_is_looked_for_comes_with_the_best_first() {
        let index = index();
        let find = |part: &str, most| -> Vec<(u8, String)> {
            index.find(part, most).into_iter().map(|(rank, identity)| (rank, identity.name.to_string())).collect()
        };
        assert_eq!(find("zoe", 9), [(0, "Zoe".to_owned()), (1, "Zoetrope".to_owned())]);
        assert_eq!(find("TOP", 1), [(2, "laptop-10".to_owned())]);
        assert!(find("nothing", 9).is_empty());
    }
}
