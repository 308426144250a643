//! The supplicant's side (RFC 3748, section 4; RFC 5216; RFC 9190), for
//! `cordon auth`, the load generator and the simulation.

use super::packet::{self, EapCode, EapPacket, EapType};
use super::tls::adapter::{ClientTls, ClientTlsConfig};
use super::tls::fragment::{self, Fragmenter, Reassembled, Reassembler, TlsData};
use super::tls::{Established, TlsFailure};
use crate::time::Timestamp;

/// A supplicant. Feed it each EAP packet from the server; it answers with a
/// Response, or has reached an end.
#[derive(Debug)]
pub struct Peer {
    identity: Vec<u8>,
    tls: ClientTlsConfig,
    fragment_len: usize,
    last: Option<(u8, Vec<u8>)>,
    method: Option<Method>,
}

#[derive(Debug)]
struct Method {
    tls: ClientTls,
    reassembler: Reassembler,
    outgoing: Option<Fragmenter>,
    failure: Option<TlsFailure>,
    committed: bool,
}

/// What the supplicant does next.
#[derive(Debug)]
pub enum PeerStep {
    /// Send this Response. The text says what it is, for a trace.
    Respond(Vec<u8>, &'static str),
    /// Let in, with the keys.
    Success(Box<Established>),
    /// Not let in; the TLS failure, if that is why.
    Failure(Option<TlsFailure>),
    /// Nothing to do: not meant for us, or out of turn.
    Ignore(&'static str),
}

impl Peer {
    /// A supplicant that calls itself `identity` in clear, and cuts what it
    /// sends into EAP packets of at most `max_packet_len` octets.
    pub fn new(identity: impl Into<Vec<u8>>, tls: ClientTlsConfig, max_packet_len: usize) -> Self {
        let fragment_len = max_packet_len.max(super::server::MIN_PACKET_LEN) - packet::TYPED_HEADER_LEN;
        Self { identity: identity.into(), tls, fragment_len, last: None, method: None }
    }

    /// What the handshake established, once it is complete on our side.
    pub fn established(&self) -> Option<Established> {
        self.method.as_ref()?.tls.established().ok()
    }

    /// Takes a packet of the server.
    pub fn receive(&mut self, bytes: &[u8], now: Timestamp) -> PeerStep {
        let Ok(request) = EapPacket::parse(bytes) else { return PeerStep::Ignore("not an EAP packet") };
        match (request.code, request.kind) {
            (EapCode::Success, _) => self.success(),
            (EapCode::Failure, _) => PeerStep::Failure(self.method.take().and_then(|m| m.failure)),
            (EapCode::Request, Some(kind)) => self.request(&request, kind, now),
            _ => PeerStep::Ignore("a Response came to the supplicant"),
        }
    }

    fn success(&mut self) -> PeerStep {
        let Some(method) = &self.method else { return PeerStep::Ignore("success before any method") };
        // In TLS 1.3 success counts only with the protected indication.
        if method.tls.is_tls13() && !method.committed {
            return PeerStep::Ignore("success without the protected success indication");
        }
        match method.tls.established() {
            Ok(established) if method.tls.is_finished() => PeerStep::Success(Box::new(established)),
            _ => PeerStep::Ignore("success before the handshake was complete"),
        }
    }

    fn request(&mut self, request: &EapPacket<'_>, kind: EapType, now: Timestamp) -> PeerStep {
        if let Some((identifier, response)) = &self.last
            && *identifier == request.identifier
        {
            return PeerStep::Respond(response.clone(), "the last response again");
        }
        let (kind, data, what) = match kind {
            EapType::IDENTITY => {
                self.method = None;
                (kind, self.identity.clone(), "identity")
            }
            EapType::NOTIFICATION => (kind, Vec::new(), "notification seen"),
            EapType::TLS => match self.tls(request.data, now) {
                Ok((data, what)) => (kind, data, what),
                Err(why) => return PeerStep::Ignore(why),
            },
            _ => (EapType::NAK, vec![EapType::TLS.0], "refusal: EAP-TLS only"),
        };
        let response = packet::typed(EapCode::Response, request.identifier, kind, &data);
        self.last = Some((request.identifier, response.clone()));
        PeerStep::Respond(response, what)
    }

    fn tls(&mut self, data: &[u8], now: Timestamp) -> Result<(Vec<u8>, &'static str), &'static str> {
        let incoming = TlsData::parse(data).map_err(|_| "broken EAP-TLS framing")?;
        if incoming.start {
            let tls = ClientTls::new(&self.tls, now).map_err(|_| "TLS could not be set up")?;
            self.method = Some(Method {
                tls,
                reassembler: Reassembler::default(),
                outgoing: None,
                failure: None,
                committed: false,
            });
            return Ok((self.flush(), "ClientHello"));
        }
        let method = self.method.as_mut().ok_or("EAP-TLS data before Start")?;
        if method.outgoing.as_ref().is_some_and(|f| !f.is_done()) {
            return Ok((self.flush(), "next fragment"));
        }
        match method.reassembler.push(&incoming) {
            Err(_) => return Err("broken fragments"),
            Ok(Reassembled::NeedMore) => return Ok((fragment::acknowledgement(), "fragment received")),
            Ok(Reassembled::Complete(flight)) => {
                if let Err(failure) = method.tls.advance(&flight, now) {
                    method.failure = Some(failure);
                }
            }
        }
        method.outgoing = None;
        if method.tls.is_finished() && method.failure.is_none() {
            method.committed |= method.tls.committed();
        }
        let what = if method.failure.is_some() { "TLS alert" } else { "TLS flight" };
        Ok((self.flush(), what))
    }

    fn flush(&mut self) -> Vec<u8> {
        let Some(method) = self.method.as_mut() else { return fragment::acknowledgement() };
        if method.outgoing.is_none() {
            let flight = method.tls.output();
            if flight.is_empty() {
                return fragment::acknowledgement();
            }
            method.outgoing = Some(Fragmenter::new(flight));
        }
        method.outgoing.as_mut().map_or_else(fragment::acknowledgement, |f| f.next(self.fragment_len))
    }
}
