//! A thing as it is seen on the wire: its addresses, where it was and when, and
//! what it seems to be.
//!
//! [`Endpoint::merge`] takes in one contact and says what does not fit together.
//! Contacts may come late and in any order: of two times the earlier or later is
//! taken, so that the history is the same in the end. Every history has a bound
//! and forgets its oldest.

use super::fingerprint::{Category, Fingerprint, Judged, OsFamily, judge};
use super::mac::MacAddress;
use super::observation::{CertificateRef, EndpointKey, Observation, Origin, Presence};
use super::oui;
use super::sensor::{Clue, ClueKind};
use crate::audit::decision::IdentityRef;
use crate::ids::{DecisionId, EndpointId};
use crate::signals::kind::{Finding, SignalKind};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// Network cards of one endpoint: a laptop has two or three, and meets some docks.
pub const MAX_MACS: usize = 8;
/// Ports that are remembered: a month of a person who moves about.
pub const MAX_PLACES: usize = 16;
/// IP addresses that are remembered.
pub const MAX_IPS: usize = 16;
/// Logins that accounting may still come for.
const MAX_LOGINS: usize = 4;
/// Signals that are remembered to be kept quiet about.
const MAX_SIGNALLED: usize = 16;
/// How long something counts as still there without a word: twice the 5 minutes
/// after which switches usually send an Interim-Update.
pub const STILL_THERE: Duration = Duration::from_secs(600);
/// How long the same signal about the same things is not raised again.
pub const QUIET: Duration = Duration::from_secs(3600);

/// One port or radio, and how long the endpoint was seen there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The network card that was seen.
    pub mac: Option<MacAddress>,
    /// The configured name of the NAS.
    pub nas: String,
    /// The NAS's address.
    pub address: IpAddr,
    /// The port.
    pub port: Option<String>,
    /// The wireless network.
    pub ssid: Option<String>,
    /// Whether it is a radio.
    pub wireless: bool,
    /// The first contact here.
    pub first_at: Timestamp,
    /// The latest contact here.
    pub last_at: Timestamp,
    /// When it was on the network here for the last time.
    here_at: Option<Timestamp>,
    /// When accounting said that it left, the last time.
    left_at: Option<Timestamp>,
    /// The decision that let it in.
    decision: Option<DecisionId>,
}

impl Place {
    /// Where and since when the contact says it is.
    fn of(o: &Observation) -> Self {
        let mut place = Self {
            mac: o.mac,
            nas: o.nas_name.clone(),
            address: o.nas_address,
            port: o.port.clone(),
            ssid: o.ssid.clone(),
            wireless: o.wireless,
            first_at: o.at,
            last_at: o.at,
            here_at: None,
            left_at: None,
            decision: None,
        };
        place.extend(o);
        place
    }

    /// Whether the contact was here. A NAS that says less about the port in
    /// accounting than at the login means the port of that login.
    fn is_of(&self, o: &Observation) -> bool {
        let same_port = self.port == o.port
            || o.port.is_none()
            || (self.decision.is_some() && self.decision == o.origin.decision());
        self.mac == o.mac && self.nas == o.nas_name && self.address == o.nas_address && same_port
    }

    fn extend(&mut self, o: &Observation) {
        self.first_at = self.first_at.min(o.at);
        self.last_at = self.last_at.max(o.at);
        self.wireless |= o.wireless;
        if self.ssid.is_none() {
            self.ssid.clone_from(&o.ssid);
        }
        match o.presence {
            Presence::Here => {
                self.here_at = self.here_at.max(Some(o.at));
                self.decision = o.origin.decision().or(self.decision);
            }
            Presence::Left => self.left_at = self.left_at.max(Some(o.at)),
            Presence::Tried => {}
        }
    }

    /// When it was here for the last time, unless it has left since.
    pub fn present_at(&self) -> Option<Timestamp> {
        self.here_at.filter(|here| self.left_at.is_none_or(|left| left < *here))
    }

    fn name(&self) -> String {
        let port = self.port.as_deref().unwrap_or("an unnamed port");
        format!("{} ({}) at {}", self.nas, port, self.address)
    }
}

/// An IP address, and how long it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenIp {
    /// The address.
    pub ip: IpAddr,
    /// The first time it was told.
    pub first_at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
}

/// The latest clue of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SeenClue {
    #[serde(flatten)]
    clue: Clue,
    at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Signalled {
    kind: SignalKind,
    about: String,
    at: Timestamp,
}

/// What an endpoint holds besides what is searched by; stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointDetails {
    /// Its network cards, the latest first; at most [`MAX_MACS`].
    pub macs: Vec<MacAddress>,
    /// Who was recognised the last time.
    pub identity: Option<IdentityRef>,
    /// The certificate it proved the last time.
    pub certificate: Option<CertificateRef>,
    /// Where it was, the latest first; at most [`MAX_PLACES`].
    pub places: Vec<Place>,
    /// Its IP addresses, the latest first; at most [`MAX_IPS`].
    pub ips: Vec<SeenIp>,
    /// What it seems to be.
    pub fingerprint: Fingerprint,
    clues: Vec<SeenClue>,
    /// The latest login, which says who it is.
    login_at: Option<Timestamp>,
    logins: Vec<DecisionId>,
    signalled: Vec<Signalled>,
}

/// A thing as it is seen on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Our own id, made at the first contact.
    pub id: EndpointId,
    /// What it is known by; a renewed certificate replaces the old one.
    pub key: EndpointKey,
    /// The first contact.
    pub first_at: Timestamp,
    /// The latest contact.
    pub last_at: Timestamp,
    /// Everything else.
    pub details: EndpointDetails,
}

/// What a contact changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Something else than times.
    pub changed: bool,
    /// What does not fit together.
    pub findings: Vec<Finding>,
}

impl Endpoint {
    /// The endpoint that this contact is the first of. Merge the contact next.
    pub fn new(id: EndpointId, o: &Observation) -> Self {
        Self { id, key: o.key(), first_at: o.at, last_at: o.at, details: EndpointDetails::default() }
    }

    /// The vendor of its latest network card that has one.
    pub fn vendor(&self) -> Option<&'static str> {
        self.details.macs.iter().find_map(|mac| oui::vendor(*mac))
    }

    /// Whether its latest network card has a randomised address.
    pub fn is_randomized(&self) -> bool {
        self.details.macs.first().is_some_and(|mac| mac.is_randomized())
    }

    /// Whether this session's login was one of its latest.
    pub fn has_login(&self, decision: DecisionId) -> bool {
        self.details.logins.contains(&decision)
    }

    /// Whether the contact shows the successor of its certificate: of the same
    /// identity, from the same network card.
    pub fn is_renewed_by(&self, o: &Observation) -> bool {
        let known_card = o.mac.is_some_and(|mac| !mac.is_randomized() && self.details.macs.contains(&mac));
        let identity = |i: &Option<IdentityRef>| i.as_ref().map(|i| i.id);
        matches!(self.key, EndpointKey::Certificate(_))
            && o.certificate.is_some()
            && known_card
            && identity(&o.identity).is_some()
            && identity(&o.identity) == identity(&self.details.identity)
    }

    /// Takes in a contact of this endpoint. `peers` are others that have been met
    /// with the same MAC address.
    pub fn merge(&mut self, o: &Observation, peers: &[&Endpoint]) -> Merged {
        let mut merged = Merged::default();
        self.merge_credential(o, peers, &mut merged);
        self.merge_mac(o, &mut merged);
        self.merge_place(o, peers, &mut merged);
        self.merge_ips(o, &mut merged);
        self.merge_clues(o, &mut merged);
        self.first_at = self.first_at.min(o.at);
        self.last_at = self.last_at.max(o.at);
        merged.changed |= !merged.findings.is_empty();
        merged
    }

    fn merge_credential(&mut self, o: &Observation, peers: &[&Endpoint], merged: &mut Merged) {
        if let Origin::Login { decision, .. } = o.origin {
            // Worth a write only together with something else: accounting is led here
            // by its MAC address too.
            self.details.logins.insert(0, decision);
            self.details.logins.truncate(MAX_LOGINS);
        }
        if !matches!(o.origin, Origin::Login { .. }) || self.details.login_at.is_some_and(|at| o.at < at) {
            return;
        }
        self.details.login_at = Some(o.at);
        if o.identity.is_some() && self.details.identity != o.identity {
            self.details.identity.clone_from(&o.identity);
            merged.changed = true;
        }
        let (Some(certificate), Some(mac)) = (&o.certificate, o.mac) else {
            self.replace_certificate(o, merged);
            return;
        };
        let is_person = |identity: &Option<IdentityRef>| identity.as_ref().is_some_and(|i| i.kind == "user");
        for peer in peers {
            let Some(other) = &peer.details.certificate else { continue };
            // A computer logs in as itself and then as the person before it, and
            // several persons may share one.
            if is_person(&o.identity)
                || is_person(&peer.details.identity)
                || other.fingerprint == certificate.fingerprint
            {
                continue;
            }
            let mut both = [certificate.fingerprint.as_str(), other.fingerprint.as_str()];
            both.sort_unstable();
            let detail = format!("{mac} was used by {} and by {}", named(certificate), named(other));
            self.find(SignalKind::MacSharedByCertificates, both.concat(), detail, o.at, peers, merged);
        }
        self.replace_certificate(o, merged);
    }

    fn replace_certificate(&mut self, o: &Observation, merged: &mut Merged) {
        if o.certificate.is_some() && self.details.certificate != o.certificate {
            self.details.certificate.clone_from(&o.certificate);
            self.key = o.key();
            merged.changed = true;
        }
    }

    fn merge_mac(&mut self, o: &Observation, merged: &mut Merged) {
        let Some(mac) = o.mac else { return };
        match self.details.macs.iter().position(|known| *known == mac) {
            Some(0) => return,
            Some(at) if o.at >= self.last_at => {
                self.details.macs.remove(at);
            }
            Some(_) => return,
            None => {
                let known: Vec<&str> = self.details.macs.iter().filter_map(|mac| oui::vendor(*mac)).collect();
                // Vendors spell themselves in many ways, but begin with the same word.
                let word = |name: &str| name.split([' ', ',', '.']).next().unwrap_or_default().to_lowercase();
                if let Some(vendor) = oui::vendor(mac)
                    && matches!(self.key, EndpointKey::Certificate(_))
                    && !known.is_empty()
                    && known.iter().all(|name| word(name) != word(vendor))
                {
                    let detail =
                        format!("{mac} is of {vendor}; so far the certificate came from cards of {}", known.join(", "));
                    self.find(SignalKind::VendorChanged, word(vendor), detail, o.at, &[], merged);
                }
            }
        }
        self.details.macs.insert(0, mac);
        self.details.macs.truncate(MAX_MACS);
        merged.changed = true;
    }

    fn merge_place(&mut self, o: &Observation, peers: &[&Endpoint], merged: &mut Merged) {
        let places = &mut self.details.places;
        let found = places.iter().position(|place| place.is_of(o));
        let was_latest = found == Some(0);
        let mut place = found.map_or_else(|| Place::of(o), |at| places.remove(at));
        let before = place.present_at().is_some();
        place.extend(o);
        // Whether it is there is worth a write; when it was last seen there, only now and then.
        merged.changed |= !was_latest || before != place.present_at().is_some();
        if let (Some(mac), Some(here), Presence::Here) = (place.mac, place.present_at(), o.presence) {
            let others = self.details.places.iter().chain(peers.iter().flat_map(|p| &p.details.places));
            let elsewhere = others.filter(|other| {
                let apart = |there: Timestamp| here.since(there).max(there.since(here));
                let same_port_unnamed = other.nas == place.nas
                    && other.address == place.address
                    && (other.port.is_none() || place.port.is_none() || other.port == place.port);
                other.mac == Some(mac)
                    && !same_port_unnamed
                    // Stations on the air roam, and the old radio hears of it last.
                    && !(other.wireless && place.wireless)
                    && other.present_at().is_some_and(|there| apart(there) < STILL_THERE)
            });
            let elsewhere: Vec<String> = elsewhere.map(Place::name).collect();
            for other in elsewhere {
                let mut both = [place.name(), other];
                both.sort_unstable();
                let both = both.join(" and at ");
                let detail = format!("{mac} was active at {both}");
                self.find(SignalKind::MacInTwoPlaces, both, detail, o.at, peers, merged);
            }
        }
        let places = &mut self.details.places;
        places.push(place);
        places.sort_by_key(|place| std::cmp::Reverse(place.last_at));
        places.truncate(MAX_PLACES);
    }

    fn merge_ips(&mut self, o: &Observation, merged: &mut Merged) {
        let ips = &mut self.details.ips;
        for ip in &o.ips {
            match ips.iter_mut().find(|seen| seen.ip == *ip) {
                Some(seen) => {
                    seen.first_at = seen.first_at.min(o.at);
                    seen.last_at = seen.last_at.max(o.at);
                }
                None => {
                    ips.push(SeenIp { ip: *ip, first_at: o.at, last_at: o.at });
                    merged.changed = true;
                }
            }
        }
        ips.sort_by_key(|seen| (std::cmp::Reverse(seen.last_at), seen.ip));
        ips.truncate(MAX_IPS);
    }

    fn merge_clues(&mut self, o: &Observation, merged: &mut Merged) {
        let mut told = o.clues.clone();
        if let Some(vendor) = o.mac.and_then(oui::vendor) {
            told.push(Clue::new(ClueKind::Vendor, vendor));
        }
        if let Origin::Login { method, .. } = &o.origin {
            told.push(Clue::new(ClueKind::Method, method));
        }
        if let Some(issuer) = o.certificate.as_ref().and_then(|c| c.issuer.as_deref()) {
            told.push(Clue::new(ClueKind::CertificateIssuer, issuer));
        }
        let known = |clue: &Clue| self.details.clues.iter().any(|seen| seen.clue == *clue);
        if told.iter().all(known) {
            return;
        }
        // What is told late is no news, and contradicts nothing.
        if self.details.clues.iter().all(|seen| seen.at <= o.at) {
            self.compare(&judge(&told), o.at, merged);
        }
        for clue in told {
            match self.details.clues.iter_mut().find(|seen| seen.clue.kind == clue.kind) {
                Some(seen) if seen.at <= o.at => *seen = SeenClue { clue, at: o.at },
                Some(_) => {}
                None => self.details.clues.push(SeenClue { clue, at: o.at }),
            }
        }
        self.details.clues.sort_by_key(|seen| seen.clue.kind);
        self.details.fingerprint = judge(self.details.clues.iter().map(|seen| &seen.clue));
        merged.changed = true;
    }

    /// Whether it seems to be another thing than before, where both are relied on.
    fn compare(&mut self, now: &Fingerprint, at: Timestamp, merged: &mut Merged) {
        let before = &self.details.fingerprint;
        let category = turned(before.category, now.category, Category::code);
        let os = turned(before.os, now.os, OsFamily::code);
        if category.is_some() || os.is_some() {
            // What the other thing said is no evidence about this one.
            self.details.clues.clear();
        }
        for (kind, turned) in [(SignalKind::CategoryChanged, category), (SignalKind::OsChanged, os)] {
            let Some((was, is)) = turned else { continue };
            let evidence: Vec<String> =
                now.evidence.iter().map(|e| format!("{} {:?}", e.clue.code(), e.value)).collect();
            let detail = format!("it looked like {was}, and now like {is}: {}", evidence.join(", "));
            self.find(kind, format!("{was} {is}"), detail, at, &[], merged);
        }
    }

    /// Raises a signal, unless it was about the same a short while ago.
    fn find(
        &mut self,
        kind: SignalKind,
        about: String,
        detail: String,
        at: Timestamp,
        peers: &[&Endpoint],
        merged: &mut Merged,
    ) {
        let recent = |s: &Signalled| s.kind == kind && s.about == about && at.since(s.at).max(s.at.since(at)) < QUIET;
        if self.details.signalled.iter().any(recent) || peers.iter().any(|p| p.details.signalled.iter().any(recent)) {
            return;
        }
        self.details.signalled.insert(0, Signalled { kind, about, at });
        self.details.signalled.truncate(MAX_SIGNALLED);
        merged.findings.push(Finding { kind, detail });
    }
}

/// From what to what, if both are relied on and differ.
fn turned<T: Copy + PartialEq>(
    before: Option<Judged<T>>,
    now: Option<Judged<T>>,
    code: impl Fn(T) -> &'static str,
) -> Option<(&'static str, &'static str)> {
    let (was, is) = (before?, now?);
    (was.is_confident() && is.is_confident() && was.value != is.value).then(|| (code(was.value), code(is.value)))
}

fn named(certificate: &CertificateRef) -> &str {
    certificate.subject.as_deref().unwrap_or(&certificate.fingerprint)
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
