//! The server's EAP state machine (RFC 3748, RFC 4137), as a pass-through
//! authenticator's back end: the NAS retransmits, this side only answers.
//!
//! Call order: [`Server::open`] with the peer's Identity, then [`Server::receive`]
//! with each Response. A step hands back either the machine, to be kept until
//! the next Response, or an end. [`Transition::Decide`] asks the outside; the
//! machine lives on in [`Undecided`] until it is granted or denied.

use super::packet::{self, EapCode, EapPacket, EapType};
use super::tls::adapter::ServerTlsConfig;
use super::tls::server::{Finished, Method, MethodFailure, Step};
use super::tls::{Established, Keys};
use crate::time::Timestamp;

/// Round trips after which a conversation is given up. A chain of RSA 4096
/// certificates in fragments of 200 octets takes about 60; NASes give up
/// between 40 and 100 (RFC 9191).
pub const MAX_ROUNDS: u32 = 100;
/// The longest outer identity that is taken, in octets (RFC 3748, section 5.1
/// sees 1,020 as the least that must be carried; a User-Name holds 253).
pub const MAX_IDENTITY_LEN: usize = 1020;
/// The smallest EAP packet that EAP-TLS is cut to, in octets, whatever the NAS
/// announces: below it a handshake would not end within [`MAX_ROUNDS`].
pub const MIN_PACKET_LEN: usize = 100;

/// A conversation, waiting for the peer's next Response.
#[derive(Debug)]
pub struct Server {
    identifier: u8,
    rounds: u32,
    negotiating: bool,
    method: Method,
}

/// Where a step leads.
#[derive(Debug)]
pub enum Transition {
    /// Send this Request and keep the machine.
    Continue(Server, Vec<u8>),
    /// The peer has proven its identity. Decide, then grant or deny.
    Decide(Undecided),
    /// Send this EAP-Success; the NAS gets the keys.
    Success {
        /// The EAP-Success.
        packet: Vec<u8>,
        /// What the method exported.
        keys: Keys,
        /// Round trips that it took.
        rounds: u32,
    },
    /// Send this EAP-Failure.
    Failure {
        /// The EAP-Failure.
        packet: Vec<u8>,
        /// Why.
        cause: Failure,
        /// Round trips that it took.
        rounds: u32,
    },
    /// The packet is not the awaited one; drop it and keep the machine.
    Ignore(Server, Ignored),
}

/// Why a conversation failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// The peer wants other methods.
    #[error("the supplicant refuses EAP-TLS{}", wanted_text(.wanted))]
    MethodRefused {
        /// The methods that it asked for.
        wanted: Vec<EapType>,
    },
    /// EAP-TLS failed.
    #[error(transparent)]
    Method(#[from] MethodFailure),
    /// More than [`MAX_ROUNDS`] round trips.
    #[error("the conversation took more than {MAX_ROUNDS} round trips")]
    TooManyRounds,
    /// The packet breaks the protocol.
    #[error("EAP: {0}")]
    Protocol(&'static str),
    /// The outside denied it.
    #[error("access was denied")]
    Denied,
}

fn wanted_text(wanted: &[EapType]) -> String {
    match wanted {
        [] | [EapType(0)] => " and names no other method".into(),
        types => {
            let names: Vec<_> = types.iter().map(ToString::to_string).collect();
            format!(" and asks for {}", names.join(", "))
        }
    }
}

/// Why a packet was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ignored {
    /// Its identifier is not that of the outstanding Request: a late duplicate.
    StaleIdentifier,
    /// Not a Response, or of a type that was not asked for.
    Unexpected,
}

impl Server {
    /// Opens a conversation upon the peer's Response/Identity: proposes EAP-TLS.
    pub fn open(identity: &EapPacket<'_>, config: ServerTlsConfig) -> (Server, Vec<u8>) {
        let (method, data) = Method::start(config);
        let identifier = identity.identifier.wrapping_add(1);
        let request = packet::typed(EapCode::Request, identifier, EapType::TLS, &data);
        (Server { identifier, rounds: 1, negotiating: true, method }, request)
    }

    /// Asks for the peer's identity, for a NAS that sent EAP-Start (RFC 3579,
    /// section 2.1). Nothing needs to be remembered.
    pub fn identity_request(identifier: u8) -> Vec<u8> {
        packet::typed(EapCode::Request, identifier, EapType::IDENTITY, &[])
    }

    /// Round trips so far.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Whether the peer has sent no TLS data yet: such conversations are the
    /// first to go when there are too many.
    pub fn is_half_open(&self) -> bool {
        self.method.is_fresh()
    }

    /// Whether fragments were under way.
    pub fn is_mid_flight(&self) -> bool {
        self.method.is_mid_flight()
    }

    /// Takes the peer's Response. What is sent is an EAP packet of at most
    /// `max_packet_len` octets (but never cut below [`MIN_PACKET_LEN`]).
    pub fn receive(mut self, response: &EapPacket<'_>, max_packet_len: usize, now: Timestamp) -> Transition {
        let (EapCode::Response, Some(kind)) = (response.code, response.kind) else {
            return Transition::Ignore(self, Ignored::Unexpected);
        };
        if response.identifier != self.identifier {
            return Transition::Ignore(self, Ignored::StaleIdentifier);
        }
        match kind {
            EapType::TLS => {
                self.rounds += 1;
                if self.rounds > MAX_ROUNDS {
                    return self.fail(Failure::TooManyRounds);
                }
                let max_len = method_data_len(max_packet_len);
                let step = self.method.receive(response.data, max_len, now);
                proceed(self.identifier, self.rounds, step)
            }
            EapType::NAK if self.negotiating => {
                let wanted = response.data.iter().copied().map(EapType).collect();
                self.fail(Failure::MethodRefused { wanted })
            }
            EapType::EXPANDED if self.negotiating => self.fail(Failure::MethodRefused { wanted: vec![kind] }),
            EapType::NAK | EapType::EXPANDED => self.fail(Failure::Protocol("a Nak came after the method had begun")),
            _ => Transition::Ignore(self, Ignored::Unexpected),
        }
    }

    fn fail(self, cause: Failure) -> Transition {
        Transition::Failure { packet: packet::failure(self.identifier), cause, rounds: self.rounds }
    }
}

fn method_data_len(max_packet_len: usize) -> usize {
    max_packet_len.max(MIN_PACKET_LEN) - packet::TYPED_HEADER_LEN
}

fn proceed(identifier: u8, rounds: u32, step: Step) -> Transition {
    match step {
        Step::Send(method, data) => {
            let identifier = identifier.wrapping_add(1);
            let request = packet::typed(EapCode::Request, identifier, EapType::TLS, &data);
            Transition::Continue(Server { identifier, rounds, negotiating: false, method }, request)
        }
        Step::Decide(finished) => Transition::Decide(Undecided { identifier, rounds, finished }),
        Step::Succeed(keys) => Transition::Success { packet: packet::success(identifier), keys, rounds },
        Step::Fail(cause) => Transition::Failure { packet: packet::failure(identifier), cause: cause.into(), rounds },
    }
}

/// The peer has proven possession of its key, and has been told nothing yet.
#[derive(Debug)]
pub struct Undecided {
    identifier: u8,
    rounds: u32,
    finished: Box<Finished>,
}

impl Undecided {
    /// What the handshake established.
    pub fn established(&self) -> &Established {
        self.finished.established()
    }

    /// Round trips so far.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The peer may join.
    pub fn grant(self, max_packet_len: usize) -> Transition {
        proceed(self.identifier, self.rounds, self.finished.grant(method_data_len(max_packet_len)))
    }

    /// The peer may not join. No ticket and no sign of success has left.
    pub fn deny(self) -> Transition {
        Transition::Failure { packet: packet::failure(self.identifier), cause: Failure::Denied, rounds: self.rounds }
    }
}
