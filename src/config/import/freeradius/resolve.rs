//! From entries to identities: who gets which reply, as FreeRADIUS goes through
//! the file.

use super::lines::Quote;
use super::replies::{self, Attribute};
use super::users::{DEFAULT, Entry, Item};
use crate::config::import::report::{Place, Report};
use crate::inventory::mac::MacAddress;
use std::collections::HashMap;

const BY_CERTIFICATE: &str = "Cordon knows certificates and MAC addresses: issue a certificate (`cordon ca issue`), and \
                              add an [[identity]] with it";
/// What only dial-in asks with; hints as the packaged `hints` file gives them.
/// An entry that wants one is not about MAC authentication bypass.
const DIAL_IN: [(&str, &[&str]); 2] = [("Framed-Protocol", &[]), ("Hint", &["PPP", "SLIP", "CSLIP"])];

/// How an entry lets in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum AuthType {
    Accept,
    Reject,
    /// By a method or a back end.
    Other,
}

/// A password that an entry sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Password {
    /// The MAC address, as NASes send it for MAC authentication bypass.
    Mac(MacAddress),
    Other,
}

/// Whom an entry is about.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Subject {
    Everybody,
    Mac(MacAddress, Option<String>),
}

/// Whether an entry applies to a login by MAC address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Applies {
    Always,
    /// It does not, or changes nothing if it does.
    Idly,
    /// That depends on what cannot be told here.
    Perhaps,
}

struct Step {
    place: Place,
    auth_type: Option<AuthType>,
    /// How it sets the Auth-Type.
    operator: &'static str,
    password: Option<Password>,
    reply: Vec<Attribute>,
    fall_through: bool,
    applies: Applies,
    /// It lacks something that narrows it.
    incomplete: bool,
}

/// What becomes of somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Rejected,
    Granted {
        reply: Vec<Attribute>,
        /// Not before a human has looked at it: it would be more than before.
        held: bool,
    },
}

/// An endpoint, and what becomes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    pub place: Place,
    pub mac: MacAddress,
    pub name: Option<String>,
    pub verdict: Verdict,
}

/// All that the entries amount to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Resolved {
    pub endpoints: Vec<Endpoint>,
    /// What endpoints get that no entry names.
    pub strangers: Option<(Place, Vec<Attribute>)>,
}

/// Goes through the entries for each MAC address that one of them names. With
/// `authorized_macs` one with neither a password nor an Auth-Type is let in.
pub(super) fn resolve(entries: &[Entry], authorized_macs: bool, report: &mut Report) -> Resolved {
    let mut steps: Vec<Step> = Vec::new();
    let mut everybody: Vec<usize> = Vec::new();
    let mut macs: Vec<(MacAddress, Option<String>)> = Vec::new();
    let mut own: HashMap<MacAddress, Vec<usize>> = HashMap::new();
    for entry in entries {
        let Some((subject, step)) = step_of(entry, report) else { continue };
        let index = steps.len();
        match subject {
            Subject::Everybody => everybody.push(index),
            Subject::Mac(mac, name) => {
                let indices = own.entry(mac).or_default();
                if indices.is_empty() {
                    macs.push((mac, name));
                }
                indices.push(index);
            }
        }
        steps.push(step);
    }
    let everybody = decisive(&steps, everybody);
    let mut resolved = Resolved::default();
    let mut without_auth: Vec<Place> = Vec::new();
    for (mac, name) in macs {
        let own = own.get(&mac).map(Vec::as_slice).unwrap_or_default();
        let walk = Walk::of(&steps, own, &everybody);
        let Some(place) = walk.place.clone() else { continue };
        let verdict = match (walk.auth_type, walk.password) {
            (Some(AuthType::Reject), _) => Verdict::Rejected,
            (Some(AuthType::Accept), _) => Verdict::Granted { reply: walk.reply, held: walk.held },
            (Some(AuthType::Other), _) => {
                let remedy =
                    "its rule is a comment: another back end decided; make the rule active if the MAC is enough";
                report.add(&place, format!("{mac} logs in by an Auth-Type other than Accept"), remedy);
                Verdict::Granted { reply: walk.reply, held: true }
            }
            (None, Some(Password::Mac(password))) if password == mac => {
                Verdict::Granted { reply: walk.reply, held: walk.held }
            }
            (None, Some(_)) => {
                let remedy =
                    "its rule is a comment: let the NAS send the MAC address as the password, then make it active";
                report.add(&place, format!("{mac} has a password that is not the MAC address"), remedy);
                Verdict::Granted { reply: walk.reply, held: true }
            }
            (None, None) => {
                // FreeRADIUS itself refuses these: the reply may be for who logs in by EAP.
                without_auth.extend(own.first().and_then(|index| steps.get(*index)).map(|step| step.place.clone()));
                Verdict::Granted { reply: walk.reply, held: walk.held || !authorized_macs }
            }
        };
        resolved.endpoints.push(Endpoint { place, mac, name, verdict });
    }
    for place in without_auth {
        let remedy = if authorized_macs {
            "it is let in, since --authorized-macs says so; remove it if that is wrong"
        } else {
            "its rule is a comment: FreeRADIUS refuses it unless something else decides; make the rule active if the \
             MAC is enough, or import again with --authorized-macs if all such are let in"
        };
        report.add(&place, "a MAC address with neither a password nor an Auth-Type", remedy);
    }
    let walk = Walk::of(&steps, &[], &everybody);
    if let (Some(place), None | Some(AuthType::Accept)) = (walk.place, walk.auth_type) {
        if walk.auth_type.is_some() {
            let remedy = "its rule is a comment: Cordon lets no stranger in by itself; make it active if that is meant";
            report.add(&place, "DEFAULT accepts whom no entry names", remedy);
            resolved.strangers = Some((place, walk.reply));
        } else {
            let remedy = "it is part of the replies of MAC addresses where it applies; write rules for certificates";
            report.add(&place, "DEFAULT gives a reply, and leaves it to others who is let in", remedy);
        }
    }
    resolved
}

/// Of the entries about everybody, those that can change what becomes of a MAC
/// address: all up to one that ends the search, and of those that may apply the
/// first, since it holds back all that comes after it.
fn decisive(steps: &[Step], everybody: Vec<usize>) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut uncertain = false;
    for index in everybody {
        let Some(step) = steps.get(index) else { continue };
        match step.applies {
            Applies::Idly => {}
            Applies::Perhaps if uncertain => {}
            Applies::Perhaps => {
                uncertain = true;
                kept.push(index);
            }
            Applies::Always => {
                kept.push(index);
                if !step.fall_through {
                    break;
                }
            }
        }
    }
    kept
}

/// One way through the file.
#[derive(Default)]
struct Walk {
    /// The first entry that applied.
    place: Option<Place>,
    auth_type: Option<AuthType>,
    password: Option<Password>,
    reply: Vec<Attribute>,
    held: bool,
}

impl Walk {
    fn of(steps: &[Step], own: &[usize], everybody: &[usize]) -> Walk {
        let mut walk = Walk::default();
        let (mut own, mut everybody) = (own.iter().peekable(), everybody.iter().peekable());
        loop {
            let next = match (own.peek(), everybody.peek()) {
                (Some(a), Some(b)) if b < a => everybody.next(),
                (Some(_), _) => own.next(),
                (None, _) => everybody.next(),
            };
            let Some(step) = next.and_then(|index| steps.get(*index)) else { return walk };
            if step.applies != Applies::Always {
                // Whether it applies cannot be told: what follows may be more
                // than was granted.
                walk.held |= step.applies == Applies::Perhaps;
                continue;
            }
            walk.place.get_or_insert(step.place.clone());
            walk.auth_type = match (walk.auth_type, step.auth_type) {
                (before, None) => before,
                (Some(before), Some(_)) if step.operator == "=" => Some(before),
                (Some(AuthType::Reject), Some(_)) if step.operator == "+=" => Some(AuthType::Reject),
                (_, set) => set,
            };
            // Of several passwords, one that is not the MAC address tells.
            if walk.password != Some(Password::Other) {
                walk.password = step.password.or(walk.password);
            }
            walk.held |= step.incomplete;
            replies::merge(&mut walk.reply, &step.reply);
            if !step.fall_through {
                return walk;
            }
        }
    }
}

/// What an entry does, and about whom; `None` when it is about nobody that
/// Cordon could know.
fn step_of(entry: &Entry, report: &mut Report) -> Option<(Subject, Step)> {
    let named = MacAddress::parse(&entry.name).ok();
    let is_default = entry.name == DEFAULT;
    let (mut auth_type, mut operator, mut password, mut station) = (None, "", None, None);
    let (mut conditions, mut limits): (Vec<&Item>, Vec<&Item>) = (Vec::new(), Vec::new());
    for item in &entry.checks {
        let text = item.value.text.as_str();
        if item.is("Auth-Type") && item.sets() && auth_type != Some(AuthType::Reject) {
            operator = item.operator;
            auth_type = Some(match text.to_ascii_lowercase().as_str() {
                "accept" => AuthType::Accept,
                "reject" => AuthType::Reject,
                _ => AuthType::Other,
            });
        } else if item.is_password() {
            let clear = (item.is("Cleartext-Password") || item.is("User-Password")) && !item.is_dynamic();
            let mac = MacAddress::parse(text).ok().filter(|_| clear && item.operator != "=~");
            password = Some(mac.map_or(Password::Other, Password::Mac));
        } else if item.is("Calling-Station-Id") && item.operator == "==" && item.value.quote != Quote::Back {
            match MacAddress::parse(text) {
                Ok(mac) if named.is_none_or(|named| named == mac) => station = Some(mac),
                Ok(_) => {
                    let remedy = "nothing to do: Cordon refuses who gives another name than the station's";
                    report.add(&item.place, format!("{} with another station", entry.name), remedy);
                    return None;
                }
                Err(_) => conditions.push(item),
            }
        } else if item.is("Service-Type") && item.operator == "==" && text.eq_ignore_ascii_case("Call-Check") {
            // MAC authentication bypass, which is all that this becomes.
        } else if item.sets() {
            limits.push(item);
        } else {
            conditions.push(item);
        }
    }
    let subject = match (named.or(station), is_default) {
        (Some(mac), true) => Subject::Mac(mac, None),
        (Some(mac), false) if named.is_some() => Subject::Mac(mac, None),
        // A name and its station, without a password: the station is all there is.
        (Some(mac), false) if auth_type == Some(AuthType::Accept) && password.is_none() => {
            Subject::Mac(mac, Some(entry.name.clone()))
        }
        (None, true) => Subject::Everybody,
        _ => {
            let (message, remedy) = match auth_type {
                Some(AuthType::Reject) => (
                    format!("{:?} is refused by name", entry.name),
                    "Cordon believes no name: leave the identity out, suspend it, or revoke its certificate",
                ),
                _ => (format!("{:?} logs in by name and password", entry.name), BY_CERTIFICATE),
            };
            report.add(&entry.place, message, remedy);
            return None;
        }
    };
    let idle = entry.fall_through
        && entry.replies.is_empty()
        && auth_type.is_none()
        && password.is_none()
        && limits.is_empty()
        && !entry.damaged;
    let applies = match conditions.as_slice() {
        [] => Applies::Always,
        all if idle || all.iter().any(|item| is_dial_in(item)) => Applies::Idly,
        _ => Applies::Perhaps,
    };
    for item in &conditions {
        let held = match applies {
            Applies::Perhaps => ", and the rules of MAC addresses that it may catch first are comments",
            Applies::Idly | Applies::Always => "",
        };
        let how = match item.operator {
            "=~" | "!~" => "list the MAC addresses, or write a rule with `context.mac like \"02-00-5E-*\"`",
            _ => "write a rule that asks for it; policies/README.md lists the facts",
        };
        let message = format!("{} only where {}", entry.name, item.shown());
        report.add(&item.place, message, format!("the entry was left out{held}: {how}"));
    }
    for item in &limits {
        let remedy = "what gets its reply stays a comment in the policy: see how to say it, for instance by `expires`";
        report.add(&item.place, item.shown(), remedy);
    }
    let mut incomplete = entry.damaged || !limits.is_empty();
    let mut reply = Vec::new();
    if conditions.is_empty() {
        for item in &entry.replies {
            match replies::attribute(item, report) {
                Ok(attribute) => reply.push(attribute),
                // A refusal needs no reply.
                Err(lost) => incomplete |= lost.0,
            }
        }
    }
    let (place, fall_through) = (entry.place.clone(), entry.fall_through);
    Some((subject, Step { place, auth_type, operator, password, reply, fall_through, applies, incomplete }))
}

/// Whether only dial-in meets this condition. An attribute that is not there
/// meets no `==`.
fn is_dial_in(item: &Item) -> bool {
    let wanted = DIAL_IN.iter().find(|(name, _)| item.is(name)).map(|(_, values)| *values);
    item.operator == "=="
        && wanted.is_some_and(|values| values.is_empty() || values.contains(&item.value.text.as_str()))
}
