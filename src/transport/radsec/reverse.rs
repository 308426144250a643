//! Requests to a NAS, down the connection that it opened: CoA-Request and
//! Disconnect-Request reach gear behind address translation that way
//! (draft-ietf-radext-reverse-coa). Numbers of the two directions have nothing to do
//! with each other.

use super::connection::Outgoing;
use super::table::Shared;
use crate::radius::attribute as attr;
use crate::radius::packet::{Code, Packet};
use crate::radius::radsec::{self, Version};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Requests on one connection whose reply is awaited, or whose number is not free
/// yet. RADIUS/1.0 has no more numbers; 0 is left to Status-Server.
pub(super) const MAX_PENDING: usize = 255;
/// How long the number of a request that got no reply in time is not used again, so
/// that a late reply is not taken for another's.
const LINGER: Duration = Duration::from_secs(30);

/// A NAS's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    /// ACK, NAK or Protocol-Error.
    pub code: Code,
    /// Error-Cause (RFC 5176, section 3.5).
    pub error_cause: Option<u32>,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReverseError {
    /// The NAS has no connection, or the attributes are none that one could carry.
    #[error("the NAS has no TLS connection that could carry the request")]
    NotConnected,
    /// As many requests are under way on its connection as there may be.
    #[error("too many requests are under way on the NAS's connection")]
    Busy,
    /// No answer came in time.
    #[error("the NAS did not answer in time")]
    TimedOut,
    /// The connection ended before the answer came.
    #[error("the NAS's connection ended before the answer came")]
    Closed,
    /// An answer came that does not fit the request.
    #[error("the NAS's answer does not fit the request")]
    BadReply,
}

/// What comes of a request.
type Outcome = Result<Reply, ReverseError>;

#[derive(Debug)]
struct Waiting {
    request: Vec<u8>,
    answer: Option<oneshot::Sender<Outcome>>,
    /// When the number is free again, if no reply comes.
    until: Instant,
}

#[derive(Debug, Default)]
struct Numbers {
    waiting: HashMap<u32, Waiting>,
    last: u32,
}

/// The requests that wait for a reply by one connection.
#[derive(Debug)]
pub(super) struct Pending {
    version: Version,
    numbers: Mutex<Numbers>,
}

/// A reply that fits no request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stray {
    /// None has its number: it may be late.
    Unmatched,
    /// One has, and it is not the reply to that: the peer is out of step.
    Mismatched,
}

impl Pending {
    pub(super) fn new(version: Version) -> Self {
        Self { version, numbers: Mutex::default() }
    }

    /// The request's octets, and where its outcome comes.
    fn begin(
        &self,
        code: Code,
        attributes: &[u8],
        deadline: Duration,
    ) -> Result<(Vec<u8>, oneshot::Receiver<Outcome>), ReverseError> {
        let now = Instant::now();
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if numbers.waiting.len() >= MAX_PENDING {
            numbers.waiting.retain(|_, waiting| waiting.until > now);
        }
        if numbers.waiting.len() >= MAX_PENDING {
            return Err(ReverseError::Busy);
        }
        // There is a free one, since there are as many as may wait.
        let number = loop {
            numbers.last = match self.version {
                Version::V1_0 => numbers.last % 255 + 1,
                Version::V1_1 => numbers.last.wrapping_add(1),
            };
            if !numbers.waiting.contains_key(&numbers.last) {
                break numbers.last;
            }
        };
        let request =
            radsec::request(self.version, code, number, attributes).map_err(|_| ReverseError::NotConnected)?;
        Packet::parse(&request).map_err(|_| ReverseError::NotConnected)?;
        let (answer, receiver) = oneshot::channel();
        let waiting = Waiting { request: request.clone(), answer: Some(answer), until: now + deadline + LINGER };
        numbers.waiting.insert(number, waiting);
        Ok((request, receiver))
    }

    /// Hands a reply to who waits for it.
    ///
    /// # Errors
    /// When nobody does.
    pub(super) fn complete(&self, reply: &Packet<'_>) -> Result<(), Stray> {
        let number = radsec::number(reply, self.version);
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = numbers.waiting.remove(&number).ok_or(Stray::Unmatched)?;
        drop(numbers);
        let request = Packet::parse(&waiting.request).map_err(|_| Stray::Unmatched)?;
        let fits = radsec::check_reply(self.version, reply, &request).is_ok();
        let outcome = match fits {
            true => Ok(Reply { code: reply.code(), error_cause: reply.integer(attr::ERROR_CAUSE) }),
            false => Err(ReverseError::BadReply),
        };
        if let Some(answer) = waiting.answer.take() {
            // Who asked may have given up.
            let _ = answer.send(outcome);
        }
        if fits { Ok(()) } else { Err(Stray::Mismatched) }
    }

    /// The connection has ended.
    pub(super) fn abandon(&self) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).waiting.clear();
    }
}

/// See [`Connections::request`](super::Connections::request).
pub(super) async fn request(
    shared: &Shared,
    nas: &str,
    code: Code,
    attributes: &[u8],
    deadline: Duration,
) -> Result<Reply, ReverseError> {
    let open = shared.latest(nas).ok_or(ReverseError::NotConnected)?;
    let (request, answer) = open.pending.begin(code, attributes, deadline)?;
    open.outgoing.try_send(Outgoing::request(request)).map_err(|e| match e {
        mpsc::error::TrySendError::Full(_) => ReverseError::Busy,
        mpsc::error::TrySendError::Closed(_) => ReverseError::Closed,
    })?;
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(ReverseError::Closed),
        Err(_) => Err(ReverseError::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::builder::ReplyBuilder;

    const SECOND: Duration = Duration::from_secs(1);

    fn answer(version: Version, request: &[u8], code: Code) -> Vec<u8> {
        let verified = radsec::verify(Packet::parse(request).unwrap(), version).unwrap();
        ReplyBuilder::new(code, &verified).finish().unwrap()
    }

    #[test]
    fn each_request_gets_its_own_reply() {
        for version in [Version::V1_0, Version::V1_1] {
            let pending = Pending::new(version);
            let (first, mut of_first) = pending.begin(Code::CoaRequest, &[], SECOND).unwrap();
            let (second, mut of_second) = pending.begin(Code::DisconnectRequest, &[], SECOND).unwrap();
            assert_ne!(first, second);
            let nak = answer(version, &second, Code::DisconnectNak);
            assert_eq!(pending.complete(&Packet::parse(&nak).unwrap()), Ok(()));
            assert_eq!(of_second.try_recv().unwrap().unwrap().code, Code::DisconnectNak);
            assert!(of_first.try_recv().is_err());
            assert_eq!(pending.complete(&Packet::parse(&nak).unwrap()), Err(Stray::Unmatched), "it came before");
            let wrong = answer(version, &first, Code::DisconnectAck);
            assert_eq!(pending.complete(&Packet::parse(&wrong).unwrap()), Err(Stray::Mismatched));
            assert_eq!(of_first.try_recv().unwrap(), Err(ReverseError::BadReply));
        }
    }

    #[test]
    fn numbers_are_not_used_up_nor_used_twice() {
        for version in [Version::V1_0, Version::V1_1] {
            let pending = Pending::new(version);
            let begin = || pending.begin(Code::CoaRequest, &[], SECOND);
            let all: Vec<_> = (0..MAX_PENDING).map(|_| begin().unwrap()).collect();
            assert_eq!(begin().unwrap_err(), ReverseError::Busy);
            let numbers: std::collections::HashSet<u32> =
                all.iter().map(|(request, _)| radsec::number(&Packet::parse(request).unwrap(), version)).collect();
            assert_eq!(numbers.len(), MAX_PENDING);
            assert!(!numbers.contains(&0) || version == Version::V1_1, "0 is for Status-Server");
            let ack = answer(version, &all[7].0, Code::CoaAck);
            pending.complete(&Packet::parse(&ack).unwrap()).unwrap();
            assert!(begin().is_ok(), "one is free again");
        }
    }

    #[test]
    fn who_waits_on_a_connection_that_ends_is_told() {
        let pending = Pending::new(Version::V1_1);
        let (_, mut answer) = pending.begin(Code::CoaRequest, &[], SECOND).unwrap();
        pending.abandon();
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(pending.begin(Code::CoaRequest, &[0; 5000], SECOND).unwrap_err(), ReverseError::NotConnected);
    }
}
