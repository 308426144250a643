//! One request of ours and its retransmissions (RFC 5080, section 2.2.1). A
//! repeated request is the same octets: the same Identifier, authenticator and
//! Event-Timestamp (RFC 5176, section 3).

use crate::radius::attribute as attr;
use crate::radius::authenticator::{ReplyError, verify_reply};
use crate::radius::builder::{PacketTooLong, RequestBuilder};
use crate::radius::packet::{Code, Packet};
use crate::secret::Secret;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Event-Timestamp: type, length and seconds, in octets.
const EVENT_TIMESTAMP_LEN: u8 = 6;

/// How a request is repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// IRT: how long the first answer is waited for.
    pub initial: Duration,
    /// MRT: the longest time between two.
    pub longest: Duration,
    /// MRC: how often it is sent at most.
    pub count: u32,
    /// MRD: when it is given up, counted from the first.
    pub duration: Duration,
}

impl Timing {
    /// The values of RFC 5080, section 2.2.1.
    pub const RFC_5080: Timing = Timing {
        initial: Duration::from_secs(2),
        longest: Duration::from_secs(16),
        count: 5,
        duration: Duration::from_secs(30),
    };
}

/// RAND of RFC 5080, from -0.1 to 0.1, so that requests that began together are
/// not repeated together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Jitter(i32);

impl Jitter {
    /// From two octets that nobody can foretell.
    pub fn of(octets: [u8; 2]) -> Jitter {
        Jitter(i32::from(u16::from_be_bytes(octets)) % 201 - 100)
    }

    /// A thousandth of `time`, as often as this says; added to it.
    fn on(self, time: Duration) -> Duration {
        let share = time / 1000 * self.0.unsigned_abs();
        if self.0 < 0 { time.saturating_sub(share) } else { time.saturating_add(share) }
    }
}

/// What to ask a NAS for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// CoA-Request or Disconnect-Request.
    pub code: Code,
    /// The attributes, encoded; Message-Authenticator and Event-Timestamp are added.
    pub attributes: Vec<u8>,
    /// What is shared with the NAS for this.
    pub secret: Secret,
}

impl Ask {
    /// The packet: Message-Authenticator first, Event-Timestamp last.
    ///
    /// # Errors
    /// When it is longer than RADIUS can carry.
    pub fn packet(&self, identifier: u8, now: Timestamp) -> Result<Vec<u8>, PacketTooLong> {
        let mut request = RequestBuilder::new(self.code, identifier, [0; 16]);
        request.push_raw(&dated(&self.attributes, now));
        request.finish(&self.secret)
    }
}

/// These attributes with Event-Timestamp, which keeps a request from being played
/// again later (RFC 5176, section 6.3).
pub fn dated(attributes: &[u8], now: Timestamp) -> Vec<u8> {
    let secs = u32::try_from(now.unix_secs()).unwrap_or(u32::MAX).to_be_bytes();
    [attributes, &[attr::EVENT_TIMESTAMP, EVENT_TIMESTAMP_LEN], &secs].concat()
}

/// What a NAS answered, with the authenticator checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// CoA-ACK or Disconnect-ACK.
    Ack,
    /// CoA-NAK, Disconnect-NAK or Protocol-Error; and Error-Cause, if it said one.
    Nak(Option<u32>),
}

/// Why a datagram is no answer. It is counted, and the request goes on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NoAnswer {
    /// Nothing was asked of this sender under this Identifier.
    Unasked,
    /// It is no RADIUS packet.
    Malformed,
    /// Its authenticator fits neither the request nor the secret.
    WrongAuthenticator,
    /// It is no reply to this kind of request.
    WrongCode,
}

impl NoAnswer {
    /// All of them.
    pub const ALL: [NoAnswer; 4] = [Self::Unasked, Self::Malformed, Self::WrongAuthenticator, Self::WrongCode];

    /// The name that it is counted by.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::Malformed => "malformed",
            Self::WrongAuthenticator => "wrong_authenticator",
            Self::WrongCode => "wrong_code",
        }
    }
}

/// The octets that were sent, with what their answer is checked by.
#[derive(Clone, Debug)]
pub struct Sent {
    code: Code,
    packet: Arc<[u8]>,
    secret: Secret,
}

impl Sent {
    /// What a datagram says in answer to it.
    ///
    /// # Errors
    /// Why it is no answer.
    pub fn answer(&self, datagram: &[u8]) -> Result<Answer, NoAnswer> {
        let request = Packet::parse(&self.packet).map_err(|_| NoAnswer::Malformed)?;
        let reply = verify_reply(datagram, &request, &self.secret).map_err(|e| match e {
            ReplyError::Malformed(_) => NoAnswer::Malformed,
            ReplyError::WrongIdentifier { .. } => NoAnswer::Unasked,
            _ => NoAnswer::WrongAuthenticator,
        })?;
        let packet = reply.packet();
        let cause = packet.integer(attr::ERROR_CAUSE);
        match (self.code, packet.code()) {
            (Code::CoaRequest, Code::CoaAck) | (Code::DisconnectRequest, Code::DisconnectAck) => Ok(Answer::Ack),
            (Code::CoaRequest, Code::CoaNak)
            | (Code::DisconnectRequest, Code::DisconnectNak)
            | (_, Code::ProtocolError) => Ok(Answer::Nak(cause)),
            _ => Err(NoAnswer::WrongCode),
        }
    }

    /// The datagram.
    pub fn packet(&self) -> &Arc<[u8]> {
        &self.packet
    }
}

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub struct Pending {
    sent: Sent,
    timing: Timing,
    first: Timestamp,
    times: u32,
    interval: Duration,
    due: Timestamp,
}

/// What the time brings.
#[derive(Clone, Debug)]
pub enum Elapsed {
    /// It is to be sent again.
    Again(Pending),
    /// No answer is waited for any more. What still comes is late.
    GaveUp(Sent),
}

impl Pending {
    /// A request that is sent now for the first time.
    ///
    /// # Errors
    /// When it is longer than RADIUS can carry.
    pub fn begin(
        ask: &Ask,
        identifier: u8,
        timing: Timing,
        jitter: Jitter,
        now: Timestamp,
    ) -> Result<Pending, PacketTooLong> {
        let sent = Sent { code: ask.code, packet: ask.packet(identifier, now)?.into(), secret: ask.secret.clone() };
        let interval = jitter.on(timing.initial);
        let due = now + interval.min(timing.duration);
        Ok(Pending { sent, timing, first: now, times: 1, interval, due })
    }

    /// What was sent.
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// When the time is up for what was sent last.
    pub fn due(&self) -> Timestamp {
        self.due
    }

    /// The time is up.
    pub fn elapsed(self, jitter: Jitter, now: Timestamp) -> Elapsed {
        let end = self.first + self.timing.duration;
        if self.times >= self.timing.count || now >= end {
            return Elapsed::GaveUp(self.sent);
        }
        let doubled = jitter.on(self.interval) + self.interval;
        let interval = if doubled > self.timing.longest { jitter.on(self.timing.longest) } else { doubled };
        Elapsed::Again(Pending { times: self.times + 1, interval, due: (now + interval).min(end), ..self })
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
