//! FreeRADIUS 3: `clients.conf` and `users` (`mods-config/files/authorize`).
//!
//! What comes along grants nothing that FreeRADIUS did not grant. Where that
//! cannot be told, the rule is written as a comment, for a human to look at.
//!
//! | file | what it does |
//! |---|---|
//! | `lines` | lines, `$INCLUDE` and quoting |
//! | `clients` | clients, as `[[nas]]` |
//! | `users` | the form of the users file |
//! | `resolve` | who gets which reply |
//! | `replies` | replies, as `[[profile]]` |

mod clients;
mod lines;
mod replies;
mod resolve;
mod users;

pub use lines::Include;

use super::document::Document;
use super::report::{Place, Report};
use super::steward::Steward;
use crate::config::Source;
use crate::enforcement::nas_profile::{DEFAULT, NasProfileError, NasProfiles, Term};
use crate::radius::dictionary::Dictionary;
use clients::Client;
use replies::Profile;
use resolve::Verdict;
use std::collections::HashMap;
use std::fmt::Write;

/// How a filter's name is spelled that a NAS gets as it stands.
const PLAIN_FILTER: &str = "Filter-Id = {filter}";
/// The file of the rules, beside the document.
pub const POLICY_FILE: &str = "imported.cedar";
/// The group of those that are refused.
const REJECTED: &str = "rejected";

/// What FreeRADIUS' files become.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// TOML: `[[nas]]`, `[[profile]]`, `[[identity]]` and, if there are rules,
    /// `[policy]` with [`POLICY_FILE`].
    pub document: String,
    /// Cedar: a rule for each profile.
    pub policy: String,
    /// What could not come along.
    pub report: Report,
    /// How many NASes there are.
    pub nas: usize,
    /// How many profiles.
    pub profiles: usize,
    /// How many identities.
    pub identities: usize,
    /// How many rules are written as comments.
    pub held: usize,
}

/// Converts the files. `include` reads what an `$INCLUDE` names; `steward`
/// answers for the identities, of which FreeRADIUS says neither owner nor purpose.
/// `authorized_macs` says that MAC addresses with neither a password nor an
/// Auth-Type are let in.
///
/// # Errors
/// When the packaged NAS profiles are broken, which is a bug in Cordon.
pub fn import(
    clients: Option<&Source>,
    users: Option<&Source>,
    authorized_macs: bool,
    include: Include<'_>,
    steward: &Steward,
) -> Result<Imported, NasProfileError> {
    let nas_profiles = NasProfiles::new(Dictionary::standard(), [])?;
    let mut report = Report::default();
    let clients = clients.map(|source| clients::read(source, include, &nas_profiles, &mut report)).unwrap_or_default();
    let entries = users.map(|source| users::read(source, include, &mut report)).unwrap_or_default();
    let resolved = resolve::resolve(&entries, authorized_macs, &mut report);
    let mut writer = Writer {
        plain_filters: plain_filters(&clients, &nas_profiles),
        document: Document::with_comment(
            "Imported from FreeRADIUS. Read the report, change what is to be changed,\n\
             and keep this file to yourself: it holds shared secrets.",
        ),
        profiles: Vec::new(),
        by_profile: HashMap::new(),
        names: Names::default(),
        report,
    };
    writer.names.unique(REJECTED);
    for client in &clients {
        client.write(&mut writer.document);
    }
    let mut names = Names::default();
    let (mut identities, mut rejects) = (Document::default(), false);
    if !resolved.endpoints.is_empty() {
        steward.write_owner(&mut identities);
    }
    for endpoint in &resolved.endpoints {
        let group = match &endpoint.verdict {
            Verdict::Rejected => {
                rejects = true;
                REJECTED.to_owned()
            }
            Verdict::Granted { reply, held } => writer.group(reply, *held, &endpoint.place),
        };
        identities.section("identity");
        identities.text("name", &names.unique(endpoint.name.as_deref().unwrap_or(&endpoint.mac.to_string())));
        identities.text("kind", "device");
        identities.list("groups", &[group]);
        identities.optional("owner", steward.owner.as_deref());
        identities.optional("purpose", steward.purpose.as_deref());
        identities.tables("credentials", &[vec![("mac", endpoint.mac.to_string())]]);
    }
    let strangers = resolved.strangers.as_ref().map(|(place, reply)| writer.group(reply, true, place));
    let policy = writer.policy(rejects, strangers.as_deref());
    let Writer { document, profiles, report, .. } = writer;
    if rejects || !profiles.is_empty() {
        identities.single_section("policy");
        identities.text("file", POLICY_FILE);
    }
    Ok(Imported {
        document: document.into_text() + &identities.into_text(),
        policy,
        report,
        nas: clients.len(),
        identities: resolved.endpoints.len(),
        held: profiles.iter().filter(|(_, held)| *held).count(),
        profiles: profiles.len(),
    })
}

/// Whether all this gear is told the name of a filter as it stands, as
/// FreeRADIUS does.
fn plain_filters(clients: &[Client], nas_profiles: &NasProfiles) -> bool {
    clients.iter().all(|client| {
        let profile = nas_profiles.get(client.vendor.as_deref().unwrap_or(DEFAULT));
        profile.and_then(|p| p.spellings.get(&Term::Filter)).is_some_and(|s| s.send == [PLAIN_FILTER])
    })
}

struct Writer {
    plain_filters: bool,
    document: Document,
    /// The names of the profiles, and whether their rule is held back.
    profiles: Vec<(String, bool)>,
    by_profile: HashMap<(Profile, bool), String>,
    names: Names,
    report: Report,
}

impl Writer {
    /// The group whose rule grants this reply; its profile has the same name.
    fn group(&mut self, reply: &[replies::Attribute], held: bool, place: &Place) -> String {
        let mut said = Report::default();
        let (profile, incomplete) = Profile::of(reply, self.plain_filters, place, &mut said);
        let held = held || incomplete.0;
        if let Some(name) = self.by_profile.get(&(profile.clone(), held)) {
            return name.clone();
        }
        self.report.append(said);
        let suffix = if held { "-review" } else { "" };
        let name = self.names.unique(&format!("{}{suffix}", profile.name()));
        profile.write(&name, &mut self.document);
        self.profiles.push((name.clone(), held));
        self.by_profile.insert((profile, held), name.clone());
        name
    }

    fn policy(&self, rejects: bool, strangers: Option<&str>) -> String {
        let mut out = String::from(
            "// Imported from FreeRADIUS: a rule for each profile. Rules that are comments\n\
             // might let in more than FreeRADIUS did; the report says why.\n",
        );
        if rejects {
            let _ = write!(
                out,
                "\n@id(\"imported-{REJECTED}\")\n\
                 forbid (principal in Group::\"{REJECTED}\", action == Network::Action::\"connect\", resource);\n"
            );
        }
        let mut rule = |id: &str, order: usize, profile: &str, principal: &str, held: bool| {
            let text = format!(
                "@id(\"imported-{id}\")\n@order(\"{order}\")\n@profile(\"{profile}\")\n\
                 permit ({principal}, action == Network::Action::\"connect\", resource)\n\
                 when {{ context.method == \"mab\" }};\n"
            );
            out.push('\n');
            for line in text.lines() {
                let _ = writeln!(out, "{}{line}", if held { "// " } else { "" });
            }
        };
        let mut order = FIRST_ORDER;
        for (name, held) in self.profiles.iter().filter(|(name, _)| Some(name.as_str()) != strangers) {
            rule(name, order, name, &format!("principal in Group::\"{name}\""), *held);
            order += ORDER_STEP;
        }
        if let Some(name) = strangers {
            // An identity may have the same reply, and be held back too.
            rule(name, order, name, &format!("principal in Group::\"{name}\""), true);
            rule("strangers", order + ORDER_STEP, name, "principal is Endpoint", true);
        }
        out
    }
}

/// The `@order` of the first rule: there is room for others before it.
const FIRST_ORDER: usize = 100;
/// The room between two rules.
const ORDER_STEP: usize = 10;

/// Names that are each given once.
#[derive(Default)]
struct Names {
    /// How often a name was asked for.
    taken: HashMap<String, usize>,
}

impl Names {
    /// This name, with a number behind it if it is taken.
    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        while let Some(times) = self.taken.get_mut(&unique) {
            *times += 1;
            unique = format!("{name}-{times}");
            if !self.taken.contains_key(&unique) {
                break;
            }
            // Go on from the count of the name itself, so that many of one name
            // take no time squared.
            unique = name.to_owned();
        }
        self.taken.insert(unique.clone(), 1);
        unique
    }
}

/// Converts, for tests, files without includes.
#[cfg(test)]
fn convert(clients: &str, users: &str) -> Imported {
    convert_with(clients, users, false)
}

/// As [`convert`], with the option of that name.
#[cfg(test)]
fn convert_with(clients: &str, users: &str, authorized_macs: bool) -> Imported {
    let source = |file: &str, text: &str| Source { file: file.into(), text: text.into() };
    let (clients, users) = (source("clients.conf", clients), source("users", users));
    let include = |_: &std::path::Path| Err("no such file".into());
    import(Some(&clients), Some(&users), authorized_macs, &include, &Steward::default()).unwrap()
}

#[cfg(test)]
#[path = "freeradius_tests.rs"]
mod tests;
