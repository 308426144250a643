//! The server's EAP-TLS method: flights in, flights out, and between the
//! handshake and its success a question to the outside.

use super::adapter::{ServerTls, ServerTlsConfig};
use super::fragment::{self, Fragmenter, MAX_HELLO_LEN, Reassembled, Reassembler, TlsData};
use super::{Established, Keys, TlsFailure};
use crate::time::Timestamp;

/// The method, waiting for the peer. Each step consumes it.
#[derive(Debug)]
pub struct Method {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Start was sent. No TLS connection exists yet: a peer that vanishes here
    /// costs next to nothing.
    Started(ServerTlsConfig, Reassembler),
    /// A flight of the peer is expected, or arriving in fragments.
    Receiving(Box<ServerTls>, Reassembler),
    /// Our flight is on its way in fragments.
    Sending(Fragmenter, After),
}

/// What follows when the peer has acknowledged our flight.
#[derive(Debug)]
enum After {
    /// Its next flight.
    Receive(Box<ServerTls>),
    /// Our alert has been delivered.
    Fail(TlsFailure),
    /// Our last flight has been delivered.
    Succeed(Box<ServerTls>, Keys),
}

/// What a step led to.
#[derive(Debug)]
pub enum Step {
    /// Send this EAP-TLS data, and wait.
    Send(Method, Vec<u8>),
    /// The peer has proven possession of its key; the outside decides.
    Decide(Box<Finished>),
    /// EAP-Success.
    Succeed(Keys),
    /// EAP-Failure.
    Fail(MethodFailure),
}

/// Why the method failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MethodFailure {
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(#[from] TlsFailure),
    /// The framing is broken, or a packet came out of turn.
    #[error("EAP-TLS framing: {0}")]
    Framing(String),
}

/// The handshake is finished, and nothing has been told to the peer: neither
/// success nor a ticket has left the server.
#[derive(Debug)]
pub struct Finished {
    tls: Box<ServerTls>,
    established: Established,
}

impl Finished {
    /// What the handshake established.
    pub fn established(&self) -> &Established {
        &self.established
    }

    /// The peer may join: sends our last flight, with the ticket and, in TLS
    /// 1.3, the protected success indication.
    pub fn grant(mut self, max_len: usize) -> Step {
        if self.tls.is_tls13() {
            self.tls.commit();
        }
        let flight = self.tls.output();
        if flight.is_empty() {
            // A resumed TLS 1.2 session: the peer spoke last.
            return Step::Succeed(self.established.keys);
        }
        let keys = self.established.keys;
        send(flight, After::Succeed(self.tls, keys), max_len)
    }
}

impl Method {
    /// The method, and the data of the packet that opens it.
    pub fn start(config: ServerTlsConfig) -> (Method, Vec<u8>) {
        (Method { state: State::Started(config, Reassembler::with_limit(MAX_HELLO_LEN)) }, fragment::start())
    }

    /// Whether the peer has not yet sent a whole ClientHello.
    pub fn is_fresh(&self) -> bool {
        matches!(self.state, State::Started(..))
    }

    /// Whether a flight was under way, in either direction, in fragments. A
    /// conversation that ends here lost them on the path.
    pub fn is_mid_flight(&self) -> bool {
        match &self.state {
            State::Started(_, reassembler) | State::Receiving(_, reassembler) => reassembler.is_partial(),
            State::Sending(fragmenter, _) => fragmenter.is_partial(),
        }
    }

    /// Takes the data of the peer's next EAP-TLS packet. What is sent is at
    /// most `max_len` octets.
    pub fn receive(self, data: &[u8], max_len: usize, now: Timestamp) -> Step {
        let packet = match TlsData::parse(data) {
            Ok(packet) => packet,
            Err(e) => return Step::Fail(MethodFailure::Framing(e.to_string())),
        };
        match self.state {
            State::Sending(fragmenter, after) => sending(fragmenter, after, &packet, max_len, now),
            State::Receiving(tls, reassembler) => receiving(tls, reassembler, &packet, max_len, now),
            State::Started(config, reassembler) => match collect(reassembler, &packet) {
                Ok(Collected::Whole(flight)) => match ServerTls::new(&config, now) {
                    Ok(tls) => process(Box::new(tls), &flight, max_len, now),
                    Err(failure) => Step::Fail(failure.into()),
                },
                Ok(Collected::Partial(reassembler)) => acknowledge(State::Started(config, reassembler)),
                Err(failure) => Step::Fail(failure),
            },
        }
    }
}

enum Collected {
    Whole(Vec<u8>),
    Partial(Reassembler),
}

fn collect(mut reassembler: Reassembler, packet: &TlsData<'_>) -> Result<Collected, MethodFailure> {
    match reassembler.push(packet) {
        Ok(Reassembled::Complete(flight)) if flight.is_empty() => {
            Err(MethodFailure::Framing("an empty packet came where TLS data was expected".into()))
        }
        Ok(Reassembled::Complete(flight)) => Ok(Collected::Whole(flight)),
        Ok(Reassembled::NeedMore) => Ok(Collected::Partial(reassembler)),
        Err(e) => Err(MethodFailure::Framing(e.to_string())),
    }
}

fn acknowledge(state: State) -> Step {
    Step::Send(Method { state }, fragment::acknowledgement())
}

fn send(flight: Vec<u8>, after: After, max_len: usize) -> Step {
    let mut fragmenter = Fragmenter::new(flight);
    let data = fragmenter.next(max_len);
    Step::Send(Method { state: State::Sending(fragmenter, after) }, data)
}

fn sending(mut fragmenter: Fragmenter, after: After, packet: &TlsData<'_>, max_len: usize, now: Timestamp) -> Step {
    if !fragmenter.is_done() {
        if !packet.is_acknowledgement() {
            return Step::Fail(MethodFailure::Framing("data came where an acknowledgement was expected".into()));
        }
        let data = fragmenter.next(max_len);
        return Step::Send(Method { state: State::Sending(fragmenter, after) }, data);
    }
    match after {
        After::Receive(tls) => receiving(tls, Reassembler::default(), packet, max_len, now),
        // Whatever the peer says to our alert, the outcome stands.
        After::Fail(failure) => Step::Fail(failure.into()),
        After::Succeed(_, keys) if packet.is_acknowledgement() => Step::Succeed(keys),
        // An alert of the peer in place of its acknowledgement.
        After::Succeed(mut tls, _) => match tls.advance(packet.data, now) {
            Err(failure) => Step::Fail(failure.into()),
            Ok(()) => Step::Fail(MethodFailure::Framing("data came after the handshake".into())),
        },
    }
}

fn receiving(
    tls: Box<ServerTls>,
    reassembler: Reassembler,
    packet: &TlsData<'_>,
    max_len: usize,
    now: Timestamp,
) -> Step {
    match collect(reassembler, packet) {
        Ok(Collected::Whole(flight)) => process(tls, &flight, max_len, now),
        Ok(Collected::Partial(reassembler)) => acknowledge(State::Receiving(tls, reassembler)),
        Err(failure) => Step::Fail(failure),
    }
}

fn process(mut tls: Box<ServerTls>, flight: &[u8], max_len: usize, now: Timestamp) -> Step {
    let result = tls.advance(flight, now);
    if let Err(failure) = result {
        let alert = tls.output();
        // The alert is delivered before EAP-Failure (RFC 5216, section 2.1.3),
        // so that the supplicant can say what was wrong.
        return if alert.is_empty() { Step::Fail(failure.into()) } else { send(alert, After::Fail(failure), max_len) };
    }
    if tls.is_finished() {
        return match tls.established() {
            Ok(established) => Step::Decide(Box::new(Finished { tls, established })),
            Err(failure) => Step::Fail(failure.into()),
        };
    }
    let out = tls.output();
    if out.is_empty() {
        return Step::Fail(MethodFailure::Framing("the peer's TLS flight ends in the middle of a message".into()));
    }
    send(out, After::Receive(tls), max_len)
}
