//! A switch that was told the name of an access list asks for its rules, as Cisco
//! switches do: an Access-Request whose User-Name is the list's name. What does
//! not fit one reply goes out as Access-Challenge, and the switch asks on with its
//! State; the last part is an Access-Accept.
//!
//! Nobody gets on the network by it, and so a download that succeeds leaves no
//! record.

use super::record::{self, Draft};
use super::request::RequestInfo;
use super::{Attempt, Outcome};
use crate::audit::reason::Reason;
use crate::enforcement::download::PREFIX;
use crate::radius::attribute as attr;
use crate::radius::authenticator::{UserPassword, VerifiedRequest};
use crate::radius::builder::ReplyBuilder;
use crate::radius::packet::Code;
use crate::telemetry::Discard;

/// What tells a switch's own request from somebody who types a list's name where
/// a password is asked for; people cannot add it.
const EVENT: &[u8] = b"aaa:event=acl-download";

/// The name of the list that a switch asks for, if that is what the request is.
pub(super) fn list<'a>(request: &VerifiedRequest<'a>) -> Option<&'a str> {
    let packet = request.packet();
    let name = packet.text(attr::USER_NAME).filter(|name| name.starts_with(PREFIX))?;
    let password = match request.user_password() {
        UserPassword::Absent => false,
        UserPassword::Unreadable => true,
        UserPassword::Given(password) => !password.is_empty(),
    };
    let typed = password || packet.find(attr::CHAP_PASSWORD).is_some();
    let asked = packet.vendor(attr::VENDOR_CISCO, attr::CISCO_AVPAIR).any(|pair| pair == EVENT);
    (asked && !typed).then_some(name)
}

impl Attempt<'_> {
    pub(super) fn acl_download(&self, name: &str) -> Outcome {
        // Without a password it is all that vouches for who asks.
        if !self.request.is_authenticated() {
            return Err(Discard::MissingMessageAuthenticator);
        }
        let packet = self.request.packet();
        let list = self.snapshot.spelled.get(&self.nas.vendor).and_then(|words| words.downloads.get(name));
        // The State says how far the switch has got; there is nothing to keep.
        let number = match packet.find(attr::STATE) {
            None => Some(0),
            Some(state) => <[u8; 1]>::try_from(state).ok().map(|[number]| number),
        };
        let Some(part) = list.and_then(|list| list.part(number?)) else { return self.unknown_list(name) };
        let code = if part.next.is_some() { Code::AccessChallenge } else { Code::AccessAccept };
        let mut reply = ReplyBuilder::new(code, self.request);
        if let Some(next) = part.next {
            reply.push(attr::STATE, &[next]).map_err(|_| Discard::ReplyTooLong)?;
        }
        reply.push_raw(part.attributes);
        tracing::debug!(nas = self.nas.name, name, "an access list is downloaded");
        self.reply_now(reply)
    }

    fn unknown_list(&self, name: &str) -> Outcome {
        let info = RequestInfo::read(&self.request.packet(), self.nas, self.source);
        let mut draft = Draft::new(&info, "acl-download", self.now);
        draft.rounds = 1;
        let kind = &self.nas.vendor;
        draft.refuse(Reason::AclUnknown, format!("no list for gear of the kind {kind} is called {name:?}"));
        let record = record::rejected(draft, self.snapshot, self.now);
        self.after_record(record, ReplyBuilder::new(Code::AccessReject, self.request), self.engine.reject_delay)
    }
}
