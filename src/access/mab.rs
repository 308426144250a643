//! MAC authentication bypass: an endpoint that speaks no 802.1X, vouched for by
//! its MAC address alone. Anyone can claim one, so the policy decides how far
//! it leads.

use super::record::{self, Draft};
use super::request::RequestInfo;
use super::{Attempt, Outcome, identify, reply};
use crate::audit::reason::Reason;
use crate::ids::DecisionId;
use crate::inventory::mac::MacAddress;
use crate::radius::attribute as attr;
use crate::radius::authenticator::{UserPassword, VerifiedRequest};
use crate::radius::builder::ReplyBuilder;
use crate::radius::hide;
use crate::radius::packet::Code;
use crate::telemetry::Discard;
use std::time::Duration;
use subtle::ConstantTimeEq;

impl Attempt<'_> {
    pub(super) fn mab(&self) -> Outcome {
        let packet = self.request.packet();
        let info = RequestInfo::read(&packet, self.nas, self.source);
        let user_name = packet.find(attr::USER_NAME).unwrap_or_default();
        let named = std::str::from_utf8(user_name).ok().and_then(|name| MacAddress::parse(name).ok());
        let mut draft = Draft::new(&info, "mab", self.now);
        draft.rounds = 1;
        let mut identified = false;
        match named {
            // Somebody typing a MAC address at the login of a switch or a VPN
            // is no endpoint.
            Some(_) if packet.integer(attr::SERVICE_TYPE).is_some_and(|s| FOR_PEOPLE.contains(&s)) => draft.refuse(
                Reason::UnsupportedAuthentication,
                "User-Name is a MAC address, but Service-Type says that somebody logs in to the NAS itself".into(),
            ),
            // Only a name that is the station's own MAC address is MAB.
            Some(mac) if info.mac == Some(mac) && !mac.is_multicast() => {
                if password_fits(self.request, user_name) {
                    identified = true;
                    self.decide_for(&mut draft, identify::by_mac(self.snapshot, mac, self.now));
                } else {
                    draft.refuse(
                        Reason::MacPasswordMismatch,
                        "the password is not the MAC address as the NAS spells it in User-Name".into(),
                    );
                }
            }
            Some(_) => draft.refuse(
                Reason::MacPasswordMismatch,
                "User-Name is a MAC address, but not that of Calling-Station-Id".into(),
            ),
            None => draft.refuse(
                Reason::UnsupportedAuthentication,
                "a login by password; Cordon lets in by certificate (EAP-TLS), and by MAC address where the policy says so".into(),
            ),
        }
        // Whoever is nobody's MAC address is not let in for being observed either:
        // it may be a person at the login of the NAS.
        if draft.is_granted() || (draft.observes() && identified) {
            let id = DecisionId::new(self.now);
            let mut accept = ReplyBuilder::new(Code::AccessAccept, self.request);
            reply::grant(&mut accept, &mut draft, id, self.engine.tickets()).map_err(|_| Discard::ReplyTooLong)?;
            self.after_record(record::let_in(draft, self.snapshot, id, self.now), accept, Duration::ZERO)
        } else {
            let reject = ReplyBuilder::new(Code::AccessReject, self.request);
            let record = record::rejected(draft, self.snapshot, self.now);
            self.after_record(record, reject, self.engine.reject_delay)
        }
    }
}

/// Service-Types of people who log in to a device (RFC 2865, section 5.6): Login,
/// Callback-Login, Administrative, NAS-Prompt, Callback-NAS-Prompt and
/// Callback-Administrative.
const FOR_PEOPLE: [u32; 6] = [1, 3, 6, 7, 9, 11];

/// NASes send the User-Name again as password (PAP or CHAP), or none.
fn password_fits(request: &VerifiedRequest<'_>, user_name: &[u8]) -> bool {
    match request.user_password() {
        UserPassword::Given(password) => password.is_empty() || bool::from(password.ct_eq(user_name)),
        UserPassword::Unreadable => false,
        UserPassword::Absent => match request.packet().find(attr::CHAP_PASSWORD) {
            Some(chap) => {
                request.chap_challenge().is_some_and(|challenge| hide::chap_verify(chap, challenge, user_name))
            }
            None => true,
        },
    }
}
