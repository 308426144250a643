//! A NAS and a supplicant in one, sans-IO: what `cordon auth`, the load
//! generator, the demo and the simulation log in with.

use crate::eap::peer::{Peer, PeerStep};
use crate::eap::tls::adapter::ClientTlsConfig;
use crate::eap::tls::{Established, TlsFailure};
use crate::inventory::mac::MacAddress;
use crate::radius::attribute as attr;
use crate::radius::authenticator::{ReplyError, verify_reply};
use crate::radius::builder::RequestBuilder;
use crate::radius::hide;
use crate::radius::packet::{Code, Packet};
use crate::radius::value::digits;
use crate::random::random;
use crate::secret::Secret;
use crate::session::accounting::AccountingStatus;
use crate::time::Timestamp;

/// Framed-MTU of the pretended link, in octets: Ethernet less the tunnels that
/// it may pass (what wpa_supplicant's test tool sends).
const FRAMED_MTU: u32 = 1400;
/// NAS-Port-Type Ethernet (RFC 2865, section 5.41).
const ETHERNET: u32 = 15;
/// Service-Type Framed, and Call-Check for MAC authentication bypass.
const FRAMED: u32 = 2;
const CALL_CHECK: u32 = 10;
/// The address that the pretended NAS gives as its own.
const NAS_IP_ADDRESS: u32 = 0x7f00_0001;

/// The pretended switch port and its endpoint.
#[derive(Clone, Debug)]
pub struct Port {
    /// What the switch shares with the server.
    pub secret: Secret,
    /// The endpoint's address.
    pub mac: MacAddress,
    /// NAS-Port-Id.
    pub port_id: String,
    /// Further attributes, encoded.
    pub extra: Vec<u8>,
}

impl Port {
    fn request(&self, identifier: u8, user_name: &[u8], service: u32) -> Result<RequestBuilder, ClientError> {
        let random = random().ok_or(ClientError::NoRandomness)?;
        let mut request = RequestBuilder::new(Code::AccessRequest, identifier, random);
        let built = (|| {
            request.push(attr::USER_NAME, user_name)?;
            request.push_u32(attr::NAS_IP_ADDRESS, NAS_IP_ADDRESS)?;
            request.push_u32(attr::SERVICE_TYPE, service)?;
            request.push_u32(attr::NAS_PORT_TYPE, ETHERNET)?;
            request.push_text(attr::NAS_PORT_ID, &self.port_id)?;
            request.push_text(attr::CALLING_STATION_ID, &self.mac.to_string())
        })();
        built.map_err(|_| ClientError::TooLong)?;
        request.push_raw(&self.extra);
        Ok(request)
    }

    /// A request for MAC authentication bypass, as most switches send it.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn mab(&self, identifier: u8) -> Result<Vec<u8>, ClientError> {
        let name = digits(&self.mac.octets());
        let mut request = self.request(identifier, name.as_bytes(), CALL_CHECK)?;
        request.push_user_password(&self.secret, name.as_bytes()).map_err(|_| ClientError::TooLong)?;
        request.finish(&self.secret).map_err(|_| ClientError::TooLong)
    }
}

/// What one accounting request tells.
#[derive(Clone, Debug)]
pub struct AccountingEvent<'a> {
    /// Start, Interim-Update or Stop.
    pub status: AccountingStatus,
    /// Acct-Session-Id.
    pub session_id: &'a str,
    /// When it happened, which is sent as Event-Timestamp.
    pub at: Timestamp,
    /// Seconds since the session began.
    pub session_time: u32,
    /// Octets in either direction so far.
    pub octets: u32,
}

impl Port {
    /// An Accounting-Request, as a switch sends it.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn accounting(&self, identifier: u8, event: &AccountingEvent<'_>) -> Result<Vec<u8>, ClientError> {
        // The authenticator of accounting is computed, not random.
        let mut request = RequestBuilder::new(Code::AccountingRequest, identifier, [0; 16]);
        let name = digits(&self.mac.octets());
        let built = (|| {
            request.push_u32(attr::ACCT_STATUS_TYPE, event.status.number())?;
            request.push_text(attr::ACCT_SESSION_ID, event.session_id)?;
            request.push_text(attr::USER_NAME, &name)?;
            request.push_u32(attr::NAS_IP_ADDRESS, NAS_IP_ADDRESS)?;
            request.push_u32(attr::NAS_PORT_TYPE, ETHERNET)?;
            request.push_text(attr::NAS_PORT_ID, &self.port_id)?;
            request.push_text(attr::CALLING_STATION_ID, &self.mac.to_string())?;
            request.push_u32(attr::EVENT_TIMESTAMP, u32::try_from(event.at.unix_secs()).unwrap_or(0))?;
            request.push_u32(attr::ACCT_SESSION_TIME, event.session_time)?;
            request.push_u32(attr::ACCT_INPUT_OCTETS, event.octets)?;
            request.push_u32(attr::ACCT_OUTPUT_OCTETS, event.octets)
        })();
        built.map_err(|_| ClientError::TooLong)?;
        request.push_raw(&self.extra);
        request.finish(&self.secret).map_err(|_| ClientError::TooLong)
    }
}

/// Why a request cannot be built or a reply not be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClientError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// A value is longer than fits.
    #[error("a value is longer than RADIUS can carry")]
    TooLong,
    /// The reply is not believed.
    #[error("{0}")]
    Reply(#[from] ReplyError),
    /// The reply breaks the protocol.
    #[error("{0}")]
    Protocol(String),
}

/// A login by EAP-TLS on its way.
#[derive(Debug)]
pub struct Login {
    port: Port,
    user_name: Vec<u8>,
    peer: Peer,
    request: Vec<u8>,
    /// Requests sent so far, without retransmissions.
    pub rounds: u32,
}

/// What follows a reply.
#[derive(Debug)]
pub enum LoginStep {
    /// Send this request; the text says what the supplicant did.
    Send(Vec<u8>, &'static str),
    /// It is over.
    Done(Box<Ending>),
}

/// How a login ended.
#[derive(Debug)]
pub struct Ending {
    /// Access-Accept or Access-Reject.
    pub code: Code,
    /// The reply.
    pub reply: Vec<u8>,
    /// What the TLS handshake established, if it came so far.
    pub established: Option<Established>,
    /// For an Accept: the server's MS-MPPE keys equal our MSK.
    pub keys_match: bool,
    /// Why the supplicant itself gave up.
    pub failure: Option<TlsFailure>,
}

impl Ending {
    /// Why the supplicant itself gave up, as it sees it: its peer is the server.
    pub fn why(&self) -> Option<String> {
        Some(match self.failure.as_ref()? {
            TlsFailure::Alert { code, name } => {
                format!("the server sent the TLS alert {name} ({code}): its decision record says why")
            }
            TlsFailure::Certificate { message, .. } => format!(
                "this client does not trust the server's certificate: {message}\n  -> give the CA that issued it (--ca), \
                 and look at its dates and that it is for servers"
            ),
            TlsFailure::NoCertificate => "the server sent no certificate".into(),
            other => other.to_string(),
        })
    }
}

impl Login {
    /// A login through `port`, with `identity` in clear and what `tls` holds as
    /// proof. EAP packets have at most `max_eap_len` octets.
    pub fn new(port: Port, identity: &str, tls: ClientTlsConfig, max_eap_len: usize) -> Self {
        Self {
            port,
            user_name: identity.as_bytes().to_vec(),
            peer: Peer::new(identity, tls, max_eap_len),
            request: Vec::new(),
            rounds: 0,
        }
    }

    /// The request that begins it.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn start(&mut self, identifier: u8, now: Timestamp) -> Result<Vec<u8>, ClientError> {
        let asked = crate::eap::server::Server::identity_request(0);
        match self.peer.receive(&asked, now) {
            PeerStep::Respond(response, _) => self.send(identifier, &response, None),
            _ => Err(ClientError::Protocol("the supplicant gives no identity".into())),
        }
    }

    /// The request that a reply is awaited to, for retransmission.
    pub fn pending(&self) -> &[u8] {
        &self.request
    }

    /// Takes a reply. `identifier` is for the request that may follow.
    ///
    /// # Errors
    /// When the reply is not one to our request: wait on for another.
    pub fn receive(&mut self, datagram: &[u8], identifier: u8, now: Timestamp) -> Result<LoginStep, ClientError> {
        let request = Packet::parse(&self.request).map_err(ReplyError::from)?;
        let request_authenticator = *request.authenticator();
        let reply = verify_reply(datagram, &request, &self.port.secret)?.packet();
        let eap = reply.eap_message().map(|e| e.into_owned()).unwrap_or_default();
        let step = self.peer.receive(&eap, now);
        match (reply.code(), step) {
            (Code::AccessChallenge, PeerStep::Respond(response, what)) => {
                let state = reply.find(attr::STATE).map(<[u8]>::to_vec);
                Ok(LoginStep::Send(self.send(identifier, &response, state.as_deref())?, what))
            }
            (code @ (Code::AccessAccept | Code::AccessReject), step) => {
                let (established, failure) = match step {
                    PeerStep::Success(established) => (Some(*established), None),
                    PeerStep::Failure(failure) => (self.peer.established(), failure),
                    _ => (None, None),
                };
                let keys_match = established
                    .as_ref()
                    .is_some_and(|e| keys_match(&reply, &self.port.secret, &request_authenticator, e));
                let reply = reply.bytes().to_vec();
                Ok(LoginStep::Done(Box::new(Ending { code, reply, established, keys_match, failure })))
            }
            (Code::AccessChallenge, PeerStep::Ignore(why)) => Err(ClientError::Protocol(why.into())),
            (code, _) => Err(ClientError::Protocol(format!("{code} with an EAP packet that does not fit it"))),
        }
    }

    fn send(&mut self, identifier: u8, eap: &[u8], state: Option<&[u8]>) -> Result<Vec<u8>, ClientError> {
        let mut request = self.port.request(identifier, &self.user_name, FRAMED)?;
        let built = (|| {
            request.push_u32(attr::FRAMED_MTU, FRAMED_MTU)?;
            if let Some(state) = state {
                request.push(attr::STATE, state)?;
            }
            request.push_eap(eap)
        })();
        built.map_err(|_| ClientError::TooLong)?;
        self.rounds += 1;
        self.request = request.finish(&self.port.secret).map_err(|_| ClientError::TooLong)?;
        Ok(self.request.clone())
    }
}

/// MS-MPPE-Recv-Key and Send-Key are the two halves of the MSK's first 64
/// octets (RFC 5216, section 2.3).
fn keys_match(
    reply: &Packet<'_>,
    secret: &Secret,
    request_authenticator: &[u8; 16],
    established: &Established,
) -> bool {
    let key = |kind| {
        let value = reply.vendor(attr::VENDOR_MICROSOFT, kind).next()?;
        hide::salt_decrypt(value, secret, request_authenticator)
    };
    match (key(attr::MS_MPPE_RECV_KEY), key(attr::MS_MPPE_SEND_KEY)) {
        (Some(recv), Some(send)) => [recv, send].concat() == established.keys.msk.expose(),
        _ => false,
    }
}
