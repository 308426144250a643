//! Who and what may be let in: kinds, and the life of an identity.

use super::credential::Credential;
use crate::ids::IdentityId;
use crate::time::Timestamp;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The name in lower case.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| UnknownName {
                    given: text.to_owned(),
                    known: Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// A word that is not one of those that there are.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{given:?} is not one of {known}")]
pub struct UnknownName {
    /// What was written.
    pub given: String,
    /// What there is.
    pub known: String,
}

named_enum! {
    /// What an identity is.
    IdentityKind {
        /// A human.
        User = "user",
        /// Something a human uses: a laptop, a phone, a printer.
        Device = "device",
        /// A server or workload.
        Machine = "machine",
        /// An AI agent.
        Agent = "agent",
        /// An integration between systems.
        Service = "service",
        /// An AI model.
        Model = "model",
    }
}

named_enum! {
    /// Where an identity is in its life.
    IdentityStatus {
        /// Asked for.
        Requested = "requested",
        /// Allowed, and not yet in use.
        Approved = "approved",
        /// In use: the only one that may log in.
        Active = "active",
        /// Barred for now.
        Suspended = "suspended",
        /// Gone for good.
        Retired = "retired",
    }
}

impl IdentityStatus {
    /// What may come next. Who is retired stays so: a name that comes back is
    /// somebody else.
    pub const fn next(self) -> &'static [IdentityStatus] {
        use IdentityStatus::{Active, Approved, Requested, Retired, Suspended};
        match self {
            Requested => &[Approved, Retired],
            Approved => &[Active, Suspended, Retired],
            Active => &[Suspended, Retired],
            Suspended => &[Active, Retired],
            Retired => &[],
        }
    }

    /// Checks a change.
    ///
    /// # Errors
    /// [`IllegalTransition`], which says what would be allowed.
    pub fn change_to(self, next: IdentityStatus) -> Result<(), IllegalTransition> {
        let legal = self == next || self.next().contains(&next);
        if legal { Ok(()) } else { Err(IllegalTransition { from: self, to: next }) }
    }
}

/// A change of status that the life of an identity does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IllegalTransition {
    /// What it is.
    pub from: IdentityStatus,
    /// What it was to become.
    pub to: IdentityStatus,
}

impl std::error::Error for IllegalTransition {}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allowed: Vec<_> = self.from.next().iter().map(|s| s.as_str()).collect();
        let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(" or ") };
        write!(f, "{} cannot become {}; from {} follows {allowed}", self.from, self.to, self.from)
    }
}

/// Text that many identities share, kept once.
#[derive(Debug, Default)]
pub struct Interner {
    words: HashSet<Arc<str>>,
    lists: HashSet<Arc<[Arc<str>]>>,
}

impl Interner {
    /// The shared copy of a word.
    pub fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.words.get(text) {
            return known.clone();
        }
        let word: Arc<str> = text.into();
        self.words.insert(word.clone());
        word
    }

    /// The shared copy of a list.
    pub fn list<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) -> Arc<[Arc<str>]> {
        let list: Arc<[Arc<str>]> = items.into_iter().map(|item| self.word(item)).collect();
        if let Some(known) = self.lists.get(&list) {
            return known.clone();
        }
        self.lists.insert(list.clone());
        list
    }
}

/// Someone or something that may be let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// The name that decisions show.
    pub name: Box<str>,
    /// What it is.
    pub kind: IdentityKind,
    /// Groups it belongs to.
    pub groups: Arc<[Arc<str>]>,
    /// The name of the user who answers for it.
    pub owner: Option<Arc<str>>,
    /// What it is for.
    pub purpose: Option<Arc<str>>,
    /// How far it may act by itself, 0 (not at all) to [`MAX_AUTONOMY`].
    pub autonomy: Option<u8>,
    /// Where it works, such as `production`.
    pub environment: Option<Arc<str>>,
    /// Anything else that is known of it.
    pub attributes: Attributes,
    /// Where it is in its life.
    pub status: IdentityStatus,
    /// When it ceases to be valid.
    pub expires: Option<Timestamp>,
    /// By what it is recognised.
    pub credentials: Box<[Credential]>,
}

/// What else is known of an identity, by name, in the order of the names. A list:
/// there are few, and a map of one would take ten times the memory.
pub type Attributes = Box<[(Arc<str>, Arc<str>)]>;

/// The highest autonomy level of an agent: acts without anybody watching.
pub const MAX_AUTONOMY: u8 = 5;

/// Why nobody answers for an identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Orphaned {
    /// It names no owner.
    NoOwner,
    /// No user has the owner's name.
    UnknownOwner,
    /// The owner is suspended, retired, expired or not there yet.
    OwnerGone(IdentityStatus),
}

impl fmt::Display for Orphaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Orphaned::NoOwner => f.write_str("it has no owner"),
            Orphaned::UnknownOwner => f.write_str("no user has its owner's name"),
            Orphaned::OwnerGone(IdentityStatus::Active) => f.write_str("its owner has expired"),
            Orphaned::OwnerGone(status) => write!(f, "its owner is {status}"),
        }
    }
}

impl Identity {
    /// One that is active and of which nothing else is known.
    pub fn new(id: IdentityId, kind: IdentityKind, name: &str) -> Identity {
        Identity {
            id,
            name: name.into(),
            kind,
            groups: Arc::default(),
            owner: None,
            purpose: None,
            autonomy: None,
            environment: None,
            attributes: Attributes::default(),
            status: IdentityStatus::Active,
            expires: None,
            credentials: Box::default(),
        }
    }

    /// Whether it may log in at `now`, as far as its life goes.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.status == IdentityStatus::Active && self.expires.is_none_or(|at| at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_are_told_what_there_is() {
        let error = "robot".parse::<IdentityKind>().unwrap_err();
        assert!(error.to_string().contains("agent"), "{error}");
    }

    #[test]
    fn what_4_a_life_goes_one_way() {
        use IdentityStatus::{Active, Approved, Requested, Retired, Suspended};
        let legal = [
            (Requested, Approved),
            (Requested, Retired),
            (Approved, Active),
            (Approved, Suspended),
            (Approved, Retired),
            (Active, Suspended),
            (Active, Retired),
            (Suspended, Active),
            (Suspended, Retired),
        ];
        for from in IdentityStatus::ALL {
            for to in IdentityStatus::ALL {
                let expected = from == to || legal.contains(&(*from, *to));
                assert_eq!(from.change_to(*to).is_ok(), expected, "{from} to {to}");
            }
        }
        let error = Requested.change_to(Active).unwrap_err().to_string();
        assert_eq!(error, "requested cannot become active; from requested follows approved or retired");
    }

    #[test]
    fn shared_text_is_kept_once() {
        let mut interner = Interner::default();
        let (one, two) = (interner.list(["a", "b"]), interner.list(["a", "b"]));
        assert!(Arc::ptr_eq(&one, &two));
        assert!(Arc::ptr_eq(&one[0], &interner.word("a")));
    }
}
