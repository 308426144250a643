//! The life of one change to one session, from its cause to its end.
//!
//! A change has a chain of forms: if the NAS refuses one or is silent, the next is
//! tried, until one succeeds or the deadline is over. Each step consumes the state
//! before it, so that nothing is done twice or after the end.

use super::error_cause::ErrorCause;
use super::exchange::Answer;
use crate::audit::reason::Reason;
use crate::enforcement::coa::{Change, Wish};
use crate::ids::{ChangeOrderId, DecisionId, IdentityId, SessionId, WaveId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a NAS that was silent to all forms is left alone before it is asked
/// again: it restarts, or the path to it is cut.
const PAUSE: Duration = Duration::from_secs(10);
/// Attempts that a record keeps: a NAS that is away for a day would fill it
/// otherwise. Those in the middle are left out.
pub const MAX_ATTEMPTS: usize = 40;
/// The longest text of an attempt or a cause, in characters.
const MAX_TEXT: usize = 512;

/// Why a session is to change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cause {
    /// What set it off, such as `policy 3f0c...`, `inventory`, `time` or `operator anna`.
    pub trigger: String,
    /// Why its endpoint may not stay, where it is denied now.
    pub reason: Option<Reason>,
    /// What changes, in words.
    pub detail: String,
    /// Whether nobody asked for it but the server itself. Such a change is dropped
    /// when what called for it is so no more.
    pub automatic: bool,
    /// When that was noticed.
    pub at: Timestamp,
}

/// What a session is to become. Two changes with the same target want the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Target(pub String);

/// How one form fared.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Fared {
    /// The NAS did it.
    Ack,
    /// The NAS refused.
    Nak {
        /// Error-Cause, if it said one.
        error_cause: Option<u32>,
    },
    /// No answer came in time.
    Silent,
    /// What came in answer has an authenticator that does not fit: as a rule the NAS
    /// has another secret.
    WrongSecret,
    /// Nothing was sent, and why: the gear has no words for it, or something is
    /// not known of the session.
    Untold {
        /// Why.
        why: String,
    },
}

impl Fared {
    /// The name that is shown and counted.
    pub const fn code(&self) -> &'static str {
        match self {
            Fared::Ack => "ack",
            Fared::Nak { .. } => "nak",
            Fared::Silent => "silent",
            Fared::WrongSecret => "wrong_secret",
            Fared::Untold { .. } => "untold",
        }
    }

    /// Whether no answer came that can be believed: the same may be asked again.
    fn is_unanswered(&self) -> bool {
        matches!(self, Fared::Silent | Fared::WrongSecret)
    }
}

/// One form that was tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// What the NAS was asked for.
    pub change: Change,
    /// When it was asked.
    pub at: Timestamp,
    /// When that was over: by the answer, or by waiting in vain.
    pub over: Timestamp,
    /// Where it was asked: address and port, or [`BY_CONNECTION`]. `None` if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What came of it.
    #[serde(flatten)]
    pub fared: Fared,
    /// What was answered after it had been given up. It changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
}

/// Where a NAS is asked that is told down the TLS connection that it opened.
pub const BY_CONNECTION: &str = "its TLS connection";

impl Attempt {
    /// What to do about it; `None` when that is nothing.
    pub fn advice(&self) -> Option<String> {
        let to = self.to.as_deref().unwrap_or("the NAS");
        match &self.fared {
            Fared::Ack => None,
            Fared::Nak { error_cause } => Some(ErrorCause::of(*error_cause).remedy().to_owned()),
            Fared::Silent if self.to.as_deref() == Some(BY_CONNECTION) => Some(
                "Nothing came back down the TLS connection. A proxy, such as radsecproxy, takes no changes: say in coa = \
                 { address = \"...\", secret = \"...\" } of the [[nas]] where the NAS takes them over UDP."
                    .to_owned(),
            ),
            Fared::Silent => Some(format!(
                "Nothing came back from {to}. Check that dynamic authorization is on there for the address of this server, \
                 with this port and secret, and that its clock is right: many NASes drop in silence what is older than 300 \
                 seconds."
            )),
            Fared::WrongSecret => Some(format!(
                "Answers came from {to} whose secret does not fit: the NAS has another secret for changes. Set the same on \
                 both sides: `secret` of the [[nas]], or coa = {{ secret = \"...\" }} where the NAS has one of its own for \
                 changes."
            )),
            Fared::Untold { .. } => None,
        }
    }
}

/// An answer that came too late.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Late {
    /// When.
    pub at: Timestamp,
    /// Whether it was an ACK.
    pub ack: bool,
    /// Error-Cause of a NAK.
    pub error_cause: Option<u32>,
}

/// A change as it was ordered, and what was tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: ChangeOrderId,
    /// The session.
    pub session: SessionId,
    /// The decision that had let it in.
    pub decision: Option<DecisionId>,
    /// The NAS that holds it, by name.
    pub nas_name: String,
    /// Whose session it is, for people: the identity, or else the MAC address.
    pub who: Option<String>,
    /// The identity, where there is one.
    pub identity: Option<IdentityId>,
    /// The wave that it is part of.
    pub wave: Option<WaveId>,
    /// Why.
    pub cause: Cause,
    /// What it leads to.
    pub target: Target,
    /// When it was ordered.
    pub created: Timestamp,
    /// When it is given up.
    pub deadline: Timestamp,
    /// What was tried, oldest first; at most [`MAX_ATTEMPTS`].
    pub attempts: Vec<Attempt>,
}

/// How a change ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The NAS did it.
    Done,
    /// The NAS has no such session: there is nothing to change.
    Gone,
    /// The NAS accepts none of the forms that it has words for.
    Refused,
    /// The NAS did not answer before the deadline.
    Unanswered,
    /// The NAS was not asked: there are no words or no way for it.
    Untold,
    /// A newer change took its place.
    Superseded,
    /// Somebody stopped it.
    Aborted,
    /// What called for it is so no more.
    Moot,
}

impl Ending {
    /// All of them.
    pub const ALL: [Ending; 8] = [
        Ending::Done,
        Ending::Gone,
        Ending::Refused,
        Ending::Unanswered,
        Ending::Untold,
        Ending::Superseded,
        Ending::Aborted,
        Ending::Moot,
    ];

    /// The name that is stored, filtered by and counted.
    pub const fn code(self) -> &'static str {
        match self {
            Ending::Done => "done",
            Ending::Gone => "gone",
            Ending::Refused => "refused",
            Ending::Unanswered => "unanswered",
            Ending::Untold => "untold",
            Ending::Superseded => "superseded",
            Ending::Aborted => "aborted",
            Ending::Moot => "moot",
        }
    }

    /// The ending with this [`code`](Self::code), if there is one.
    pub fn from_code(code: &str) -> Option<Ending> {
        Self::ALL.into_iter().find(|e| e.code() == code)
    }

    /// What it means. [`Over::advice`] says what to do, too.
    pub const fn meaning(self) -> &'static str {
        match self {
            Ending::Done => "The NAS confirmed the change. Nothing to do.",
            Ending::Gone => {
                "The NAS has no such session, so that there was nothing to change. If its accounting goes on, the change is tried again."
            }
            Ending::Refused => {
                "The NAS refused every form, and the session goes on as it was. The attempts say why; what each reason asks for is with it."
            }
            Ending::Unanswered => "The NAS did not answer in time, and the session goes on as it was.",
            Ending::Untold => {
                "The NAS was not asked, since there is no way to tell it this, and the session goes on as it was."
            }
            Ending::Superseded => "A newer change to the same session took its place: see that one.",
            Ending::Aborted => "It was stopped before its NAS had confirmed it; the session goes on as it was.",
            Ending::Moot => {
                "Before it was carried out, what called for it was taken back; the session goes on as it was."
            }
        }
    }
}

/// What a NAS is being asked for now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Asks {
    /// That.
    pub change: Change,
    /// Since when.
    pub at: Timestamp,
    /// Where: address and port, or [`BY_CONNECTION`].
    pub to: Option<String>,
}

/// A change that is to be tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// The order.
    pub order: Order,
    /// What is still to be tried in this round, first first; never empty.
    left: Vec<Wish>,
    /// What was silent in this round, and is tried again in the next.
    silent: Vec<Wish>,
    /// Not to be tried before.
    pub not_before: Timestamp,
    /// What its NAS is being asked for, once that takes a while; it may be that the
    /// server has ended meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
}

/// A change whose NAS has been asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asking {
    order: Order,
    wish: Wish,
    left: Vec<Wish>,
    silent: Vec<Wish>,
    at: Timestamp,
    to: Option<String>,
}

/// A change that is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Over {
    /// The order, with all attempts.
    pub order: Order,
    /// How it ended.
    pub ending: Ending,
    /// When.
    pub at: Timestamp,
}

/// Where a change stands, as it is stored. One whose NAS has been asked is stored
/// as it was before: after a crash it is asked again, which does no harm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Life {
    /// It is to be tried.
    Waiting(Waiting),
    /// It is over.
    Over(Over),
}

impl Life {
    /// A new change with these forms, the preferred one first. Without any it is
    /// over at once: the NAS cannot be told.
    pub fn begin(order: Order, chain: Vec<Wish>, not_before: Timestamp) -> Life {
        if chain.is_empty() {
            let at = order.created;
            return Life::Over(Over { order, ending: Ending::Untold, at });
        }
        Life::Waiting(Waiting { order, left: chain, silent: Vec::new(), not_before, asks: None })
    }

    /// The order.
    pub fn order(&self) -> &Order {
        match self {
            Life::Waiting(waiting) => &waiting.order,
            Life::Over(over) => &over.order,
        }
    }

    /// The same, for what came late.
    pub fn order_mut(&mut self) -> &mut Order {
        match self {
            Life::Waiting(waiting) => &mut waiting.order,
            Life::Over(over) => &mut over.order,
        }
    }

    /// The name of where it stands: `waiting`, or that of its ending.
    pub fn code(&self) -> &'static str {
        match self {
            Life::Waiting(_) => WAITING,
            Life::Over(over) => over.ending.code(),
        }
    }
}

impl Life {
    /// What it means, and what to do; of one that is to be tried, what its latest
    /// attempt asks for.
    pub fn advice(&self) -> Option<String> {
        match self {
            Life::Over(over) => Some(over.advice()),
            Life::Waiting(waiting) => waiting.order.attempts.last().and_then(Attempt::advice),
        }
    }
}

impl Over {
    /// What it means, and what to do.
    pub fn advice(&self) -> String {
        let last = self.order.attempts.last();
        let mut text = self.ending.meaning().to_owned();
        let more = match (self.ending, last) {
            (Ending::Unanswered, None) => Some(
                "It was never asked: no server ran, or others were asked before until the deadline ([changes] \
                 deadline_secs)."
                    .to_owned(),
            ),
            (Ending::Unanswered, Some(last)) => last.advice(),
            (Ending::Untold, None) => Some(
                "Its kind of gear has no words for any change that would do (docs/vendors.md), or it is not configured any \
                 more."
                    .to_owned(),
            ),
            (Ending::Untold, Some(Attempt { fared: Fared::Untold { why }, .. })) => Some(format!("Why: {why}.")),
            _ => None,
        };
        if let Some(more) = more {
            text = format!("{text} {more}");
        }
        if self.ending == Ending::Unanswered && self.order.cause.automatic {
            text.push_str(" The change is tried again later if it is still due.");
        }
        text
    }

    /// Whether it is by what its NAS said, rather than by what was done here.
    pub fn is_answered(&self) -> bool {
        matches!(self.ending, Ending::Done | Ending::Gone)
            || (self.ending == Ending::Refused
                && self.order.attempts.iter().any(|a| matches!(a.fared, Fared::Nak { .. })))
    }

    /// Whether the NAS confirmed that it ended the session.
    pub fn ended_session(&self) -> bool {
        self.ending == Ending::Done && self.order.attempts.last().is_some_and(|last| last.change == Change::Disconnect)
    }
}

/// What a change that is to be tried is called.
pub const WAITING: &str = "waiting";

impl Waiting {
    /// What is tried next, and what after it.
    pub fn chain(&self) -> impl Iterator<Item = &Wish> {
        self.left.iter().chain(&self.silent)
    }

    /// Whether it is part of a wave and its turn has not come.
    pub fn is_behind(&self) -> bool {
        self.order.wave.is_some() && self.order.attempts.is_empty()
    }

    /// Asks the NAS.
    ///
    /// # Errors
    /// When the deadline is over, with how it ended.
    pub fn ask(self, now: Timestamp) -> Result<Asking, Box<Over>> {
        let Waiting { order, mut left, silent, .. } = self;
        if left.is_empty() || now >= order.deadline {
            return Err(Box::new(end(order, now)));
        }
        let wish = left.remove(0);
        Ok(Asking { order, wish, left, silent, at: now, to: None })
    }

    /// It is over without the NAS being asked any more: somebody stopped it, a newer
    /// one takes its place, or there is nothing to change.
    pub fn end(self, ending: Ending, now: Timestamp) -> Over {
        Over { order: self.order, ending, at: now }
    }

    /// Somebody stopped it when forms of it had been tried: a refusal stays one.
    pub fn stopped(self, now: Timestamp) -> Over {
        let refused = self.order.attempts.last().is_some_and(|last| matches!(last.fared, Fared::Nak { .. }));
        self.end(if refused { Ending::Refused } else { Ending::Aborted }, now)
    }

    /// It cannot be tried now, through no fault of the NAS.
    pub fn postpone(self, until: Timestamp) -> Waiting {
        Waiting { not_before: until, ..self }
    }
}

impl Asking {
    /// What the NAS is asked for.
    pub fn wish(&self) -> &Wish {
        &self.wish
    }

    /// The order.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// It is asked there.
    pub fn asked_at(self, to: Option<String>) -> Asking {
        Asking { to, ..self }
    }

    /// What is stored meanwhile: it as it was before, and what is asked.
    pub fn noted(&self) -> Waiting {
        let Asking { order, wish, left, silent, at, to } = self.clone();
        let asks = Some(Asks { change: wish.change(), at, to });
        Waiting { order, left: std::iter::once(wish).chain(left).collect(), silent, not_before: at, asks }
    }

    /// The NAS answered.
    pub fn answered(self, answer: Answer, now: Timestamp) -> Life {
        match answer {
            Answer::Ack => self.over(Fared::Ack, Ending::Done, now),
            Answer::Nak(error_cause) => {
                let fared = Fared::Nak { error_cause };
                match ErrorCause::of(error_cause) {
                    ErrorCause::SessionNotFound | ErrorCause::ResidualContextRemoved => {
                        self.over(fared, Ending::Gone, now)
                    }
                    // RFC 5176, section 3.2: the NAS authorizes anew instead of answering.
                    ErrorCause::RequestInitiated if self.wish == Wish::Reauthenticate => {
                        self.over(fared, Ending::Done, now)
                    }
                    _ => self.next(fared, now),
                }
            }
        }
    }

    /// The NAS was silent.
    pub fn unanswered(mut self, now: Timestamp) -> Life {
        self.silent.push(self.wish.clone());
        self.next(Fared::Silent, now)
    }

    /// Only answers came whose authenticator does not fit.
    pub fn mismatched(mut self, now: Timestamp) -> Life {
        self.silent.push(self.wish.clone());
        self.next(Fared::WrongSecret, now)
    }

    /// It could not be sent now, through no fault of the NAS: the same is tried later.
    pub fn postponed(mut self, until: Timestamp) -> Waiting {
        self.left.insert(0, self.wish);
        Waiting { order: self.order, left: self.left, silent: self.silent, not_before: until, asks: None }
    }

    /// Nothing could be sent, and why.
    pub fn untold(self, why: &str, now: Timestamp) -> Life {
        self.next(Fared::Untold { why: why.chars().take(MAX_TEXT).collect() }, now)
    }

    fn over(mut self, fared: Fared, ending: Ending, now: Timestamp) -> Life {
        self.note(fared, now);
        Life::Over(Over { order: self.order, ending, at: now })
    }

    fn next(mut self, fared: Fared, now: Timestamp) -> Life {
        self.note(fared, now);
        let Asking { order, left, silent, .. } = self;
        if !left.is_empty() && now < order.deadline {
            return Life::Waiting(Waiting { order, left, silent, not_before: now, asks: None });
        }
        let again = now + PAUSE;
        if silent.is_empty() || !left.is_empty() || again >= order.deadline {
            return Life::Over(end(order, now));
        }
        // What was refused once is not asked for again.
        Life::Waiting(Waiting { order, left: silent, silent: Vec::new(), not_before: again, asks: None })
    }

    fn note(&mut self, fared: Fared, now: Timestamp) {
        let to = self.to.clone();
        let attempt = Attempt { change: self.wish.change(), at: self.at, over: now, to, fared, late: None };
        let attempts = &mut self.order.attempts;
        if attempts.len() >= MAX_ATTEMPTS {
            // The first ones tell how it began, the last ones how it stands.
            attempts.remove(MAX_ATTEMPTS / 2);
        }
        attempts.push(attempt);
    }
}

impl Order {
    /// An answer came after its attempt had been given up: the latest silent one
    /// of this change.
    pub fn late(&mut self, change: Change, answer: Answer, now: Timestamp) {
        let (ack, error_cause) = match answer {
            Answer::Ack => (true, None),
            Answer::Nak(cause) => (false, cause),
        };
        let silent = |a: &&mut Attempt| a.change == change && a.fared.is_unanswered() && a.late.is_none();
        if let Some(attempt) = self.attempts.iter_mut().rev().find(silent) {
            attempt.late = Some(Late { at: now, ack, error_cause });
        }
    }
}

/// How a change ends to which there is nothing more to try: a NAS that refused
/// answers; one that was silent to the last does not; one that could be told nothing
/// was not asked.
fn end(order: Order, now: Timestamp) -> Over {
    let refused = order.attempts.iter().any(|attempt| matches!(attempt.fared, Fared::Nak { .. }));
    let ending = match order.attempts.last() {
        None => Ending::Unanswered,
        Some(last) if last.fared.is_unanswered() => Ending::Unanswered,
        Some(_) if refused => Ending::Refused,
        Some(_) if order.attempts.iter().any(|attempt| attempt.fared.is_unanswered()) => Ending::Unanswered,
        Some(_) => Ending::Untold,
    };
    Over { order, ending, at: now }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
