//! One request from its arrival to the reply.
//!
//! [`Engine::handle`] is the whole path, and reads memory only: a datagram and
//! the time go in, an [`Answer`] comes out. What must be durable before the
//! reply may leave comes with it as a record; the transport hands the record to
//! the store, and sends the reply when it is safe. [`Engine::handle_tls`] is the
//! same for what came by a connection whose NAS is known by its certificate.

pub mod accounting;
pub mod acl_download;
pub mod again;
pub mod changes;
pub mod conversation;
pub mod failure;
pub mod identify;
pub mod login;
pub mod mab;
pub mod record;
pub mod reevaluate;
pub mod replay;
pub mod replayed;
pub mod reply;
pub mod request;

use crate::coa::Settings;
use crate::eap::tls::adapter::ServerTlsConfig;
use crate::enforcement::nas_profile::NasProfiles;
use crate::enforcement::ticket::Tickets;
use crate::enforcement::words::Vocabulary;
use crate::inventory::behaviour::{Baseline, Said};
use crate::inventory::index::IdentityIndex;
use crate::inventory::nas::{MessageAuthenticatorMode, Nas, NasRegistry};
use crate::inventory::unknown::{UnknownNas, UnknownSources};
use crate::inventory::watch::NasWatch;
use crate::pki::trust::TrustStore;
use crate::playbooks::containment::ContainmentTable;
use crate::playbooks::playbook::Playbooks;
use crate::policy::engine::Policy;
use crate::posture::table::{Policies, PostureTable};
use crate::radius::attribute as attr;
use crate::radius::authenticator::{Protection, VerifiedRequest, VerifyError, verify_request};
use crate::radius::builder::ReplyBuilder;
use crate::radius::dedup::{DuplicateCache, Origin, RequestKey, Seen};
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::{Code, Packet};
use crate::radius::radsec::{self, Version, error_cause};
use crate::secret::Secret;
use crate::shared_signals::receivers::Receivers;
use crate::shared_signals::transmitter::Transmitter;
use crate::signals::hook::Hook;
use crate::signals::risk;
use crate::signals::table::RiskTable;
use crate::store::writer::Record;
use crate::telemetry::{Discard, Metrics};
use crate::time::Timestamp;
use arc_swap::ArcSwap;
use conversation::{Conversations, Owner};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Replies kept for retransmissions: 13,000 requests per second, which is 1,800
/// logins of 7, for [`DUPLICATE_LIFE`]. Beyond it requests are served without
/// being remembered, so that a flood costs others nothing but that.
const DUPLICATE_CAPACITY: usize = 131_072;
/// How long a reply is kept (RFC 5080, section 2.2.2: 5 to 30 seconds).
const DUPLICATE_LIFE: Duration = Duration::from_secs(10);
/// Addresses that Message-Authenticator is learned of. Beyond it every address is
/// held to it, which is the safe side.
const MAX_LEARNED: usize = 100_000;
/// Timed-out conversations that are recorded per sweep, which comes each
/// second. A flood of abandoned ones is counted, not stored.
const MAX_TIMEOUT_RECORDS: usize = 50;

/// Everything that a decision reads, immutable, replaced as a whole.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Who may ask.
    pub nas: NasRegistry,
    /// Who is known.
    pub identities: Arc<IdentityIndex>,
    /// The rules.
    pub policy: Arc<Policy>,
    /// What a rule can grant, in the words of each kind of gear, by its name.
    pub spelled: HashMap<String, Vocabulary>,
    /// What kinds of gear there are, and what changes each understands.
    pub gear: Arc<NasProfiles>,
    /// The attributes by name.
    pub dictionary: Arc<Dictionary>,
    /// Whose certificates are believed.
    pub trust: Arc<TrustStore>,
    /// The server's side of TLS.
    pub tls: ServerTlsConfig,
    /// The longest EAP packet, in octets, where the NAS sets no lower limit.
    pub max_eap_len: usize,
    /// The rules' hours and weekdays.
    pub timezone: jiff::tz::TimeZone,
    /// How sessions are changed while they last.
    pub changes: Settings,
    /// What everybody should be like.
    pub compliance: Policies,
    /// What is done against somebody by itself.
    pub playbooks: Playbooks,
    /// How risk is reckoned.
    pub risk: Arc<risk::Settings>,
    /// How what other systems send is read, by the names of their hooks.
    pub hooks: Arc<[Hook]>,
    /// Who tells by Shared Signals.
    pub transmitters: Arc<[Arc<Transmitter>]>,
    /// Where events of Shared Signals may be pushed to.
    pub receivers: Arc<Receivers>,
}

/// What a listener is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// Access-Request and Status-Server.
    Authentication,
    /// Accounting-Request and Status-Server.
    Accounting,
}

/// Where a datagram came in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The sender.
    pub source: SocketAddr,
    /// Which listener it was; part of what makes a duplicate.
    pub listener: u16,
    /// What that listener is for.
    pub service: Service,
}

/// Where a packet came in that a TLS connection carried.
#[derive(Clone, Copy, Debug)]
pub struct TlsArrival<'a> {
    /// The number of the connection, which no other ever has.
    pub connection: u64,
    /// The other end.
    pub source: SocketAddr,
    /// The NAS that its certificate names.
    pub nas: &'a str,
    /// What is spoken there.
    pub version: Version,
}

/// Names a request while its reply is pending.
#[derive(Clone, Debug)]
pub struct RequestToken {
    name: RequestName,
    nas: Arc<Nas>,
    source: IpAddr,
    /// What is sent when it comes to nothing.
    refusal: Option<Arc<[u8]>>,
}

/// What tells a request from others.
#[derive(Clone, Copy, Debug)]
struct RequestName {
    key: RequestKey,
    authenticator: [u8; 16],
}

/// What to do with a datagram.
#[derive(Debug)]
pub enum Answer {
    /// Nothing: it was dropped, and counted.
    Silent,
    /// Send this at once.
    Now(Arc<[u8]>),
    /// Store the record; when it is durable, send the reply and tell
    /// [`Engine::answered`]. When it cannot be stored, tell
    /// [`Engine::abandoned`], and send no more than that gives: the NAS asks
    /// again, or elsewhere.
    AfterRecord {
        /// What must be durable first.
        record: Record,
        /// The finished reply.
        reply: Arc<[u8]>,
        /// How long to hold it back.
        delay: Duration,
        /// Names the request.
        token: RequestToken,
    },
}

/// Serves requests. Shared by all workers.
#[derive(Debug)]
pub struct Engine {
    snapshot: ArcSwap<Snapshot>,
    conversations: Conversations,
    duplicates: DuplicateCache,
    /// Addresses of NASes that have sent Message-Authenticator, where that is
    /// `learned`.
    seen_message_authenticator: RwLock<HashSet<IpAddr>>,
    metrics: Arc<Metrics>,
    reject_delay: Duration,
    serving: AtomicBool,
    /// Whether the server is about to stop: nobody should turn to it any more.
    leaving: AtomicBool,
    /// Whether logins that have not begun are not taken up any more.
    closed: AtomicBool,
    unknown: UnknownSources,
    watch: NasWatch,
    posture: PostureTable,
    risks: RiskTable,
    containments: ContainmentTable,
    tickets: Tickets,
}

impl Engine {
    /// An engine that decides by `snapshot`. Conversations end after
    /// `conversation_timeout` of silence; an Access-Reject is held back for
    /// `reject_delay`. Who is sent to a page gets one of `tickets`.
    pub fn new(
        snapshot: Snapshot,
        metrics: Arc<Metrics>,
        conversation_timeout: Duration,
        reject_delay: Duration,
        tickets: Tickets,
    ) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            conversations: Conversations::new(conversation_timeout),
            duplicates: DuplicateCache::new(DUPLICATE_CAPACITY, DUPLICATE_LIFE),
            seen_message_authenticator: RwLock::default(),
            metrics,
            reject_delay,
            serving: AtomicBool::new(true),
            leaving: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            unknown: UnknownSources::default(),
            watch: NasWatch::new(Baseline::default()),
            posture: PostureTable::default(),
            risks: RiskTable::default(),
            containments: ContainmentTable::default(),
            tickets,
        }
    }

    /// Decides by `snapshot` from now on. Conversations in progress go on.
    pub fn replace(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }

    /// What decisions are made by now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Whether Status-Server is answered: only while logins can really be
    /// served, so that a NAS fails over when they cannot.
    pub fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Relaxed);
    }

    /// Answers no Status-Server from now on: the server is about to stop, and NASes are to turn elsewhere. All else
    /// goes on.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Takes up no logins of several rounds from now on, and sees those that have begun to their end. What one round
    /// settles is answered still.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Some of the addresses that asked, are no NAS, and have asked again since they
    /// were last among these.
    pub fn unknown_sources(&self) -> Vec<UnknownNas> {
        self.unknown.changed()
    }

    /// How NASes behave.
    pub fn watch(&self) -> &NasWatch {
        &self.watch
    }

    /// How everybody is doing.
    pub fn posture(&self) -> &PostureTable {
        &self.posture
    }

    /// What speaks against everybody.
    pub fn risks(&self) -> &RiskTable {
        &self.risks
    }

    /// Who is in quarantine.
    pub fn containments(&self) -> &ContainmentTable {
        &self.containments
    }

    /// By what the page that NASes send browsers to knows whose they are.
    pub fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// What is known of everybody besides the inventory.
    pub fn known(&self) -> reevaluate::Known<'_> {
        reevaluate::Known { posture: &self.posture, risks: &self.risks, containments: &self.containments }
    }

    /// Conversations in progress.
    pub fn conversations(&self) -> usize {
        self.conversations.len()
    }

    /// Replies kept for retransmissions.
    pub fn remembered_replies(&self) -> usize {
        self.duplicates.len()
    }

    /// Serves one datagram.
    pub fn handle(&self, datagram: &[u8], arrival: Arrival, now: Timestamp) -> Answer {
        match self.serve(datagram, arrival, now) {
            Ok(answer) => answer,
            Err((nas, reason)) => {
                self.metrics.discarded(nas.as_deref(), reason, arrival.source.ip(), now);
                Answer::Silent
            }
        }
    }

    fn serve(&self, datagram: &[u8], arrival: Arrival, now: Timestamp) -> Result<Answer, (Option<String>, Discard)> {
        let snapshot = self.snapshot.load();
        let source = arrival.source.ip();
        let Some((nas, secret)) = snapshot.nas.lookup(source).and_then(|nas| Some((nas, nas.secret.as_ref()?))) else {
            self.unknown.note(datagram, source, now);
            return Err((None, Discard::UnknownNas));
        };
        let discard = |reason| (Some(nas.name.clone()), reason);
        let packet = Packet::parse(datagram).map_err(|_| discard(Discard::Malformed))?;
        let expected = matches!(
            (arrival.service, packet.code()),
            (_, Code::StatusServer)
                | (Service::Authentication, Code::AccessRequest)
                | (Service::Accounting, Code::AccountingRequest)
        );
        if !expected {
            return Err(discard(Discard::UnexpectedCode));
        }
        let request = self.verify(packet, nas, secret, source).map_err(|reason| {
            let unproven =
                matches!(reason, Discard::MissingMessageAuthenticator | Discard::EapWithoutMessageAuthenticator);
            if unproven && packet.code() == Code::AccessRequest {
                self.watch.note_unproven(&nas.name, source, now);
            }
            discard(reason)
        })?;
        if packet.code() == Code::StatusServer {
            return self.status(&request, arrival.service).map_err(discard);
        }
        let name = RequestName {
            key: RequestKey {
                origin: Origin::Datagram { source: arrival.source, listener: arrival.listener },
                code: packet.code().into(),
                identifier: packet.identifier().into(),
            },
            authenticator: *packet.authenticator(),
        };
        let (source, owner) = (arrival.source, Owner::Address(source));
        let attempt = Attempt { engine: self, snapshot: &snapshot, request: &request, nas, source, owner, name, now };
        self.attempt(&attempt).map_err(discard)
    }

    /// Serves one packet that came by a TLS connection. What RADIUS/1.0 leaves
    /// without an answer gets a Protocol-Error in RADIUS/1.1 (RFC 9765, section
    /// 6).
    ///
    /// # Errors
    /// Why the connection has to be closed: its peer is out of step, or no NAS any
    /// more. It is not counted yet.
    pub fn handle_tls(&self, packet: Packet<'_>, arrival: TlsArrival<'_>, now: Timestamp) -> Result<Answer, Discard> {
        let snapshot = self.snapshot.load();
        let TlsArrival { connection, source, version, .. } = arrival;
        let nas =
            snapshot.nas.named(arrival.nas).filter(|nas| nas.radsec.is_some()).ok_or(Discard::RadsecUnknownNas)?;
        let count = |reason| self.metrics.discarded(Some(&nas.name), reason, source.ip(), now);
        let code = packet.code();
        if !matches!(code, Code::AccessRequest | Code::AccountingRequest | Code::StatusServer) {
            count(Discard::UnexpectedCode);
            return Ok(radsec::unsupported(&packet, version).map_or(Answer::Silent, |reply| Answer::Now(reply.into())));
        }
        let request = match radsec::verify(packet, version).map_err(unverified) {
            Ok(request) => request,
            Err(reason @ (Discard::WrongSecret | Discard::DuplicateMessageAuthenticator)) => return Err(reason),
            Err(reason) => {
                count(reason);
                return Ok(Answer::Silent);
            }
        };
        let outcome = if code == Code::StatusServer {
            self.status(&request, Service::Authentication)
        } else {
            let name = RequestName {
                key: RequestKey {
                    origin: Origin::Connection(connection),
                    code: code.into(),
                    identifier: radsec::number(&packet, version),
                },
                authenticator: radsec::fingerprint(&packet, version),
            };
            let owner = Owner::Nas(nas.id);
            let attempt =
                Attempt { engine: self, snapshot: &snapshot, request: &request, nas, source, owner, name, now };
            self.attempt(&attempt)
        };
        Ok(outcome.unwrap_or_else(|reason| {
            count(reason);
            refusal(&request, reason).map_or(Answer::Silent, Answer::Now)
        }))
    }

    /// An Access-Request or Accounting-Request that was verified.
    fn attempt(&self, attempt: &Attempt<'_>) -> Outcome {
        let Attempt { nas, request, now, .. } = *attempt;
        let RequestName { key, authenticator } = attempt.name;
        match self.duplicates.begin(key, &authenticator, now) {
            Seen::New | Seen::Full => {}
            Seen::Answered(reply) => {
                self.metrics.duplicate();
                if let Some(state) = request.packet().find(attr::STATE).and_then(|state| state.try_into().ok()) {
                    self.conversations.repeated(&state, attempt.owner);
                }
                return Ok(Answer::Now(reply));
            }
            Seen::InProgress => return Err(Discard::InProgress),
        }
        let code = request.packet().code();
        // Over TLS several NASes may share an address; what is learned of one must not
        // be held against another.
        if code == Code::AccessRequest && !nas.addresses.is_empty() {
            self.watch.note(&nas.name, attempt.source.ip(), &Said::read(request), now);
        }
        let outcome = match code {
            Code::AccountingRequest => attempt.account(),
            _ => attempt.authenticate(),
        };
        outcome.inspect_err(|_| self.duplicates.forget(key, &authenticator))
    }

    /// Checks authenticators, with the care that CVE-2024-3596 asks for.
    fn verify<'a>(
        &self,
        packet: Packet<'a>,
        nas: &Nas,
        secret: &'a Secret,
        source: IpAddr,
    ) -> Result<VerifiedRequest<'a>, Discard> {
        let seen = || {
            let known = self.seen_message_authenticator.read().unwrap_or_else(PoisonError::into_inner);
            known.contains(&source) || known.len() >= MAX_LEARNED
        };
        let required = match nas.message_authenticator {
            MessageAuthenticatorMode::Required => true,
            MessageAuthenticatorMode::Learned => seen(),
            MessageAuthenticatorMode::Off => false,
        };
        // Proxy-State is what the attacker of CVE-2024-3596 has echoed.
        let limited = packet.code() == Code::AccessRequest
            && nas.message_authenticator != MessageAuthenticatorMode::Off
            && packet.find(attr::PROXY_STATE).is_some()
            && packet.find(attr::MESSAGE_AUTHENTICATOR).is_none();
        if limited {
            return Err(Discard::MissingMessageAuthenticator);
        }
        let request = verify_request(packet, secret, required).map_err(unverified)?;
        if nas.message_authenticator == MessageAuthenticatorMode::Learned
            && packet.code() == Code::AccessRequest
            && request.has_message_authenticator()
            && !seen()
        {
            self.seen_message_authenticator.write().unwrap_or_else(PoisonError::into_inner).insert(source);
        }
        Ok(request)
    }

    /// RFC 5997: the reply is that of the port's service; over TLS, where one port
    /// serves all, it is Access-Accept.
    fn status(&self, request: &VerifiedRequest<'_>, service: Service) -> Result<Answer, Discard> {
        if !self.serving.load(Ordering::Relaxed) || self.leaving.load(Ordering::Relaxed) {
            return Err(Discard::NotReady);
        }
        let code = match service {
            Service::Authentication => Code::AccessAccept,
            Service::Accounting => Code::AccountingResponse,
        };
        let reply = ReplyBuilder::new(code, request).finish().map_err(|_| Discard::ReplyTooLong)?;
        Ok(Answer::Now(reply.into()))
    }

    /// The reply has been sent: a retransmission gets the same octets.
    pub fn answered(&self, token: &RequestToken, reply: &Arc<[u8]>, now: Timestamp) {
        self.duplicates.answer(token.name.key, &token.name.authenticator, reply.clone(), now);
    }

    /// The record could not be stored, for this reason: counted against the
    /// NAS. A retransmission of accounting or MAB is tried anew; an EAP login
    /// has to begin again. Over RADIUS/1.1 the NAS is told, by what comes back.
    #[must_use]
    pub fn abandoned(&self, token: &RequestToken, reason: Discard, now: Timestamp) -> Option<Arc<[u8]>> {
        self.duplicates.forget(token.name.key, &token.name.authenticator);
        self.metrics.discarded(Some(&token.nas.name), reason, token.source, now);
        token.refusal.clone()
    }

    /// Ends what has been silent for too long. Call it each second; store the
    /// records that come back.
    pub fn sweep(&self, now: Timestamp) -> Vec<Record> {
        self.duplicates.expire(now);
        let snapshot = self.snapshot.load();
        let expired = self.conversations.expire(now);
        self.metrics.set_conversations(self.conversations.len());
        expired
            .into_iter()
            .take(MAX_TIMEOUT_RECORDS)
            .map(|conversation| failure::timed_out(&snapshot, *conversation, now))
            .collect()
    }
}

/// The reason in our own words.
fn unverified(error: VerifyError) -> Discard {
    match error {
        VerifyError::MissingMessageAuthenticator => Discard::MissingMessageAuthenticator,
        VerifyError::EapWithoutMessageAuthenticator => Discard::EapWithoutMessageAuthenticator,
        VerifyError::BadMessageAuthenticator | VerifyError::BadRequestAuthenticator => Discard::WrongSecret,
        VerifyError::DuplicateMessageAuthenticator => Discard::DuplicateMessageAuthenticator,
        VerifyError::NotARequest(_) => Discard::UnexpectedCode,
    }
}

/// What RADIUS/1.1 answers a request that is not served. One that is still being
/// worked on will have its answer.
fn refusal(request: &VerifiedRequest<'_>, reason: Discard) -> Option<Arc<[u8]>> {
    let cause = match reason {
        Discard::InProgress => return None,
        Discard::InvalidEap => error_cause::INVALID_EAP_PACKET,
        Discard::InvalidAccounting => error_cause::MISSING_ATTRIBUTE,
        Discard::ConversationUnknown => error_cause::SESSION_CONTEXT_NOT_FOUND,
        Discard::ReplyTooLong => error_cause::RESPONSE_TOO_BIG,
        _ => error_cause::RESOURCES_UNAVAILABLE,
    };
    match request.protection() {
        Protection::Secret(_) => None,
        Protection::Tls => radsec::protocol_error(request, cause).ok().map(Arc::from),
    }
}

/// One request on its way.
struct Attempt<'a> {
    engine: &'a Engine,
    snapshot: &'a Arc<Snapshot>,
    request: &'a VerifiedRequest<'a>,
    nas: &'a Arc<Nas>,
    source: SocketAddr,
    owner: Owner,
    name: RequestName,
    now: Timestamp,
}

/// A request is answered, or dropped.
type Outcome = Result<Answer, Discard>;

impl Attempt<'_> {
    fn authenticate(&self) -> Outcome {
        let packet = self.request.packet();
        match packet.eap_message() {
            Some(eap) => self.login(&eap),
            None => match acl_download::list(self.request) {
                Some(list) => self.acl_download(list),
                None => self.mab(),
            },
        }
    }

    fn discarded(&self, reason: Discard) {
        self.engine.metrics.discarded(Some(&self.nas.name), reason, self.source.ip(), self.now);
    }

    /// The reply to be sent at once, remembered for retransmissions.
    fn reply_now(&self, reply: ReplyBuilder<'_>) -> Outcome {
        let reply: Arc<[u8]> = reply.finish().map_err(|_| Discard::ReplyTooLong)?.into();
        self.engine.duplicates.answer(self.name.key, &self.name.authenticator, reply.clone(), self.now);
        Ok(Answer::Now(reply))
    }

    /// The reply, to be sent when the record is durable.
    fn after_record(&self, record: Record, reply: ReplyBuilder<'_>, delay: Duration) -> Outcome {
        let reply = reply.finish().map_err(|_| Discard::ReplyTooLong)?.into();
        let metrics = &self.engine.metrics;
        match &record {
            Record::Decision(d) => metrics.decided(d.outcome.code(), d.reason.code(), &d.method),
            Record::Accounting(a) => metrics.accounted(a.status.code()),
        }
        let refusal = refusal(self.request, Discard::BackendUnavailable);
        let token = RequestToken { name: self.name, nas: self.nas.clone(), source: self.source.ip(), refusal };
        Ok(Answer::AfterRecord { record, reply, delay, token })
    }
}
