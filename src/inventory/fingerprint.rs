//! What kind of thing an endpoint is, as far as clues tell, and how sure that is.
//!
//! The rules are data (`fingerprints.toml`); clues go in, a [`Fingerprint`] with
//! its evidence comes out. Clues are unproven: a fingerprint is good for a look,
//! never a credential.

use super::sensor::{Clue, ClueKind};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The packaged rules.
const PACKAGED: &str = include_str!("fingerprints.toml");
/// From this confidence on a fingerprint is relied on, for example to say that a
/// thing has changed: one clear clue, or two fair ones that agree.
pub const CONFIDENT: u8 = 50;
/// No amount of hearsay makes certain.
const MOST: u32 = 99;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident $($(#[$member_doc:meta])* $member:ident $code:literal)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$member_doc])* #[serde(rename = $code)] $member,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$member,)+];

            /// The name that is stored, shown and filtered by.
            pub const fn code(self) -> &'static str {
                match self { $($name::$member => $code,)+ }
            }

            /// The one with this [`code`](Self::code), if there is one.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.code() == code)
            }
        }
    };
}

words! {
    /// What it is for.
    Category
    /// Prints or scans.
    Printer "printer"
    /// A desk phone or conference system.
    Phone "phone"
    /// Watches.
    Camera "camera"
    /// Somebody works at it: desktop or laptop.
    Workstation "workstation"
    /// A phone or tablet that is carried around.
    Mobile "mobile"
    /// Serves others, hypervisors included.
    Server "server"
    /// Bridges wireless stations.
    AccessPoint "access_point"
    /// Switches or routes.
    Switch "switch"
    /// Any other thing: sensors, controllers, displays, badges.
    Iot "iot"
}

words! {
    /// What runs on it.
    OsFamily
    /// Microsoft Windows.
    Windows "windows"
    /// Apple's on desktops and laptops.
    Macos "macos"
    /// Apple's on phones and tablets.
    Ios "ios"
    /// Android.
    Android "android"
    /// Linux as an administrator installs it.
    Linux "linux"
    /// Chrome OS.
    Chromeos "chromeos"
    /// Firmware, whatever its kernel.
    Embedded "embedded"
}

/// A conclusion, and how sure it is in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged<T> {
    /// What it seems to be.
    pub value: T,
    /// 0 to 99.
    pub confidence: u8,
}

impl<T> Judged<T> {
    /// Whether it is relied on.
    pub fn is_confident(&self) -> bool {
        self.confidence >= CONFIDENT
    }
}

/// A clue that a rule had something to say about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it was about.
    pub clue: ClueKind,
    /// What was seen.
    pub value: String,
    /// What the rule concludes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub category: Option<Category>,
    /// What the rule concludes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub os: Option<OsFamily>,
    /// How much that weighs, 1 to 99.
    pub weight: u8,
}

/// What an endpoint seems to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// What it is for, if anything tells.
    pub category: Option<Judged<Category>>,
    /// What runs on it, if anything tells.
    pub os: Option<Judged<OsFamily>>,
    /// What that was concluded from.
    pub evidence: Vec<Evidence>,
}

impl Fingerprint {
    /// How sure the whole is: of what it is for, or else of what runs on it.
    pub fn confidence(&self) -> u8 {
        self.category.map(|c| c.confidence).or(self.os.map(|o| o.confidence)).unwrap_or(0)
    }
}

/// A condition on one clue, and what follows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    clue: ClueKind,
    /// The value is one of these.
    #[serde(default)]
    is: Vec<String>,
    /// The value begins with one of these.
    #[serde(default)]
    starts: Vec<String>,
    /// One of these is in the value.
    #[serde(default)]
    contains: Vec<String>,
    category: Option<Category>,
    os: Option<OsFamily>,
    weight: u8,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rule: Vec<Rule>,
}

/// Read once. A test sees to it that the packaged rules can be read; if they
/// could not, there would be no fingerprints, and logins would go on.
static RULES: LazyLock<Rules> = LazyLock::new(|| toml::from_str(PACKAGED).unwrap_or_default());

impl Rule {
    /// Letter case means nothing; `value` is in lower case, as the rules are.
    fn fits(&self, kind: ClueKind, value: &str) -> bool {
        self.clue == kind
            && (self.is.iter().any(|w| value == w)
                || self.starts.iter().any(|w| value.starts_with(w.as_str()))
                || self.contains.iter().any(|w| value.contains(w.as_str())))
    }
}

/// What follows from these clues, of each at most two conclusions. Their order does
/// not matter.
pub fn judge<'a>(clues: impl IntoIterator<Item = &'a Clue>) -> Fingerprint {
    let mut evidence = Vec::new();
    for clue in clues {
        let value = clue.value.to_lowercase();
        // The first rule about a category and the first about a system count, so that
        // the special stands before the general.
        let (mut category, mut os) = (false, false);
        for rule in RULES.rule.iter().filter(|rule| rule.fits(clue.kind, &value)) {
            let new = (rule.category.filter(|_| !category), rule.os.filter(|_| !os));
            if new == (None, None) {
                continue;
            }
            (category, os) = (category || rule.category.is_some(), os || rule.os.is_some());
            evidence.push(Evidence {
                clue: clue.kind,
                value: clue.value.clone(),
                category: new.0,
                os: new.1,
                weight: rule.weight,
            });
        }
    }
    let category = weigh(Category::ALL, &evidence, |e| e.category);
    let os = weigh(OsFamily::ALL, &evidence, |e| e.os);
    Fingerprint { category, os, evidence }
}

/// The conclusion with the most weight. Clues that agree add up as independent
/// chances do; what speaks for another conclusion takes away as much as it weighs.
fn weigh<T: Copy + PartialEq>(
    all: &[T],
    evidence: &[Evidence],
    says: impl Fn(&Evidence) -> Option<T>,
) -> Option<Judged<T>> {
    let doubt = |candidate: T| {
        let agreeing = evidence.iter().filter(|e| says(e) == Some(candidate));
        // In ten-thousandths, so that the order of the clues does not show in rounding.
        let mut weights: Vec<u32> = agreeing.map(|e| u32::from(e.weight)).collect();
        weights.sort_unstable();
        weights.iter().fold(10_000, |doubt, weight| doubt * (100 - (*weight).min(MOST)) / 100)
    };
    let mut scores: Vec<(u32, T)> = all.iter().map(|c| (10_000 - doubt(*c), *c)).filter(|(s, _)| *s > 0).collect();
    scores.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let &(best, value) = scores.first()?;
    let second = scores.get(1).map_or(0, |(score, _)| *score);
    let confidence = (best * (10_000 - second) / 1_000_000).min(MOST);
    Some(Judged { value, confidence: u8::try_from(confidence).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clues(said: &[(ClueKind, &str)]) -> Vec<Clue> {
        said.iter().map(|(kind, value)| Clue::new(*kind, value)).collect()
    }

    fn of(said: &[(ClueKind, &str)]) -> (Option<Category>, Option<OsFamily>, u8) {
        let f = judge(&clues(said));
        (f.category.map(|c| c.value), f.os.map(|o| o.value), f.confidence())
    }

    #[test]
    fn the_packaged_rules_can_be_read_and_mean_something() {
        let rules: Rules = toml::from_str(PACKAGED).unwrap();
        assert!(rules.rule.len() > 40, "only {} rules", rules.rule.len());
        for rule in &rules.rule {
            let words: Vec<&String> = rule.is.iter().chain(&rule.starts).chain(&rule.contains).collect();
            assert!(!words.is_empty(), "{rule:?} has no condition");
            assert!(words.iter().all(|w| !w.is_empty() && **w == w.to_lowercase()), "{rule:?} is not in lower case");
            assert!(rule.category.is_some() || rule.os.is_some(), "{rule:?} concludes nothing");
            assert!((1..=99).contains(&rule.weight), "{rule:?}");
        }
    }

    #[test]
    fn usual_things_are_recognised() {
        use ClueKind::*;
        let printer = of(&[(Vendor, "Hewlett Packard"), (DhcpClass, "Hewlett-Packard JetDirect")]);
        assert_eq!((printer.0, printer.1), (Some(Category::Printer), Some(OsFamily::Embedded)));
        assert!(printer.2 >= CONFIDENT, "{printer:?}");
        let windows = of(&[(DhcpClass, "MSFT 5.0"), (HttpUserAgent, "Mozilla/5.0 (Windows NT 10.0; Win64; x64)")]);
        assert_eq!((windows.0, windows.1), (Some(Category::Workstation), Some(OsFamily::Windows)));
        let phone = of(&[(CdpPlatform, "Cisco IP Phone 8845"), (CdpCapabilities, "host phone")]);
        assert!(phone.0 == Some(Category::Phone) && phone.2 > 80, "{phone:?}");
        assert_eq!(of(&[(Vendor, "Axis Communications AB")]).0, Some(Category::Camera));
        assert_eq!(of(&[(DhcpClass, "android-dhcp-14")]).1, Some(OsFamily::Android));
        assert_eq!(
            of(&[(HttpUserAgent, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)")]).1,
            Some(OsFamily::Ios)
        );
        assert_eq!(of(&[(LldpDescription, "Ubuntu 24.04 LTS Linux 6.8.0")]).1, Some(OsFamily::Linux));
        assert_eq!(of(&[(LldpCapabilities, "bridge wlan-access-point")]).0, Some(Category::AccessPoint));
        assert_eq!(of(&[]), (None, None, 0));
    }

    #[test]
    fn a_vendor_alone_or_a_contradiction_is_not_relied_on() {
        use ClueKind::*;
        assert!(of(&[(Vendor, "Hewlett Packard")]).2 < CONFIDENT);
        let both = judge(&clues(&[(DhcpClass, "Hewlett-Packard JetDirect"), (CdpPlatform, "Cisco IP Phone 8845")]));
        assert!(!both.category.unwrap().is_confident(), "{both:?}");
        assert_eq!(both.evidence.len(), 2);
    }

    proptest! {
        #[test]
        fn the_order_of_clues_does_not_matter(said in proptest::collection::vec((0..16_usize, 0..6_usize), 0..12)) {
            let values = ["MSFT 5.0", "Hewlett-Packard JetDirect", "linux", "phone", "Cisco IP Phone", "android"];
            let clues: Vec<Clue> = said.iter().map(|(k, v)| Clue::new(ClueKind::ALL[*k], values[*v])).collect();
            let (there, back) = (judge(&clues), judge(clues.iter().rev()));
            prop_assert_eq!((there.category, there.os), (back.category, back.os));
            prop_assert!(there.evidence.len() <= 2 * clues.len() && there.confidence() <= 99);
        }
    }
}
