//! One request from its arrival to the reply.
//!
//! [`Engine::handle`] is the whole path, and reads memory only: a datagram and
//! the time go in, an [`Answer`] comes out. What must be durable before the
//! reply may leave comes with it as a record; the transport hands the record to
//! the store, and sends the reply when it is safe.

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
pub mod reply;
pub mod request;

use crate::coa::Settings;
use crate::eap::tls::adapter::ServerTlsConfig;
use crate::enforcement::nas_profile::NasProfiles;
use crate::enforcement::words::Vocabulary;
use crate::inventory::behaviour::{Baseline, Said};
use crate::inventory::index::IdentityIndex;
use crate::inventory::nas::{MessageAuthenticatorMode, Nas, NasRegistry};
use crate::inventory::unknown::{UnknownNas, UnknownSources};
use crate::inventory::watch::NasWatch;
use crate::pki::trust::TrustStore;
use crate::policy::engine::Policy;
use crate::radius::attribute as attr;
use crate::radius::authenticator::{VerifiedRequest, VerifyError, verify_request};
use crate::radius::builder::ReplyBuilder;
use crate::radius::dedup::{DuplicateCache, RequestKey, Seen};
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::{Code, Packet};
use crate::store::writer::Record;
use crate::telemetry::{Discard, Metrics};
use crate::time::Timestamp;
use arc_swap::ArcSwap;
use conversation::Conversations;
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
    pub identities: IdentityIndex,
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

/// Names a request while its reply is pending.
#[derive(Clone, Copy, Debug)]
pub struct RequestToken {
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
    /// [`Engine::answered`]. When it cannot be stored, send nothing and tell
    /// [`Engine::abandoned`]: the NAS asks again, or elsewhere.
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
    unknown: UnknownSources,
    watch: NasWatch,
}

impl Engine {
    /// An engine that decides by `snapshot`. Conversations end after
    /// `conversation_timeout` of silence; an Access-Reject is held back for
    /// `reject_delay`.
    pub fn new(
        snapshot: Snapshot,
        metrics: Arc<Metrics>,
        conversation_timeout: Duration,
        reject_delay: Duration,
    ) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            conversations: Conversations::new(conversation_timeout),
            duplicates: DuplicateCache::new(DUPLICATE_CAPACITY, DUPLICATE_LIFE),
            seen_message_authenticator: RwLock::default(),
            metrics,
            reject_delay,
            serving: AtomicBool::new(true),
            unknown: UnknownSources::default(),
            watch: NasWatch::new(Baseline::default()),
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

    /// Some of the addresses that asked, are no NAS, and have asked again since they
    /// were last among these.
    pub fn unknown_sources(&self) -> Vec<UnknownNas> {
        self.unknown.changed()
    }

    /// How NASes behave.
    pub fn watch(&self) -> &NasWatch {
        &self.watch
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
        let Some(nas) = snapshot.nas.lookup(arrival.source.ip()) else {
            self.unknown.note(datagram, arrival.source.ip(), now);
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
        let request = self.verify(packet, nas, arrival.source.ip()).map_err(|reason| {
            let unproven =
                matches!(reason, Discard::MissingMessageAuthenticator | Discard::EapWithoutMessageAuthenticator);
            if unproven && packet.code() == Code::AccessRequest {
                self.watch.note_unproven(&nas.name, arrival.source.ip(), now);
            }
            discard(reason)
        })?;
        if packet.code() == Code::StatusServer {
            return self.status(&request, nas, arrival.service).map_err(discard);
        }
        let token = RequestToken {
            key: RequestKey {
                source: arrival.source,
                listener: arrival.listener,
                code: packet.code().into(),
                identifier: packet.identifier(),
            },
            authenticator: *packet.authenticator(),
        };
        match self.duplicates.begin(token.key, &token.authenticator, now) {
            Seen::New | Seen::Full => {}
            Seen::Answered(reply) => {
                self.metrics.duplicate();
                return Ok(Answer::Now(reply));
            }
            Seen::InProgress => return Err(discard(Discard::InProgress)),
        }
        if packet.code() == Code::AccessRequest {
            self.watch.note(&nas.name, arrival.source.ip(), &Said::read(&request), now);
        }
        let attempt = Attempt { engine: self, snapshot: &snapshot, request: &request, nas, arrival, token, now };
        let outcome = match arrival.service {
            Service::Authentication => attempt.authenticate(),
            Service::Accounting => attempt.account(),
        };
        outcome.map_err(|reason| {
            self.duplicates.forget(token.key, &token.authenticator);
            discard(reason)
        })
    }

    /// Checks authenticators, with the care that CVE-2024-3596 asks for.
    fn verify<'a>(&self, packet: Packet<'a>, nas: &Nas, source: IpAddr) -> Result<VerifiedRequest<'a>, Discard> {
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
        let request = verify_request(packet, &nas.secret, required).map_err(|e| match e {
            VerifyError::MissingMessageAuthenticator => Discard::MissingMessageAuthenticator,
            VerifyError::EapWithoutMessageAuthenticator => Discard::EapWithoutMessageAuthenticator,
            VerifyError::BadMessageAuthenticator | VerifyError::BadRequestAuthenticator => Discard::WrongSecret,
            VerifyError::DuplicateMessageAuthenticator => Discard::DuplicateMessageAuthenticator,
            VerifyError::NotARequest(_) => Discard::UnexpectedCode,
        })?;
        if nas.message_authenticator == MessageAuthenticatorMode::Learned
            && packet.code() == Code::AccessRequest
            && request.has_message_authenticator()
            && !seen()
        {
            self.seen_message_authenticator.write().unwrap_or_else(PoisonError::into_inner).insert(source);
        }
        Ok(request)
    }

    /// RFC 5997: the reply is that of the port's service.
    fn status(&self, request: &VerifiedRequest<'_>, nas: &Nas, service: Service) -> Result<Answer, Discard> {
        if !self.serving.load(Ordering::Relaxed) {
            return Err(Discard::NotReady);
        }
        let code = match service {
            Service::Authentication => Code::AccessAccept,
            Service::Accounting => Code::AccountingResponse,
        };
        let reply = ReplyBuilder::new(code, request).finish(&nas.secret).map_err(|_| Discard::ReplyTooLong)?;
        Ok(Answer::Now(reply.into()))
    }

    /// The reply has been sent: a retransmission gets the same octets.
    pub fn answered(&self, token: &RequestToken, reply: &Arc<[u8]>, now: Timestamp) {
        self.duplicates.answer(token.key, &token.authenticator, reply.clone(), now);
    }

    /// The record could not be stored, for this reason: counted against the
    /// NAS. A retransmission of accounting or MAB is tried anew; an EAP login
    /// has to begin again.
    pub fn abandoned(&self, token: &RequestToken, reason: Discard, now: Timestamp) {
        self.duplicates.forget(token.key, &token.authenticator);
        let source = token.key.source.ip();
        let snapshot = self.snapshot.load();
        let nas = snapshot.nas.lookup(source).map(|n| n.name.as_str());
        self.metrics.discarded(nas, reason, source, now);
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

/// One request on its way.
struct Attempt<'a> {
    engine: &'a Engine,
    snapshot: &'a Arc<Snapshot>,
    request: &'a VerifiedRequest<'a>,
    nas: &'a Arc<Nas>,
    arrival: Arrival,
    token: RequestToken,
    now: Timestamp,
}

/// A request is answered, or dropped.
type Outcome = Result<Answer, Discard>;

impl Attempt<'_> {
    fn authenticate(&self) -> Outcome {
        let packet = self.request.packet();
        match packet.eap_message() {
            Some(eap) => self.login(&eap),
            None => match acl_download::list(&packet, &self.nas.secret) {
                Some(list) => self.acl_download(list),
                None => self.mab(),
            },
        }
    }

    fn discarded(&self, reason: Discard) {
        self.engine.metrics.discarded(Some(&self.nas.name), reason, self.arrival.source.ip(), self.now);
    }

    /// The reply to be sent at once, remembered for retransmissions.
    fn reply_now(&self, reply: ReplyBuilder) -> Outcome {
        let reply: Arc<[u8]> = reply.finish(&self.nas.secret).map_err(|_| Discard::ReplyTooLong)?.into();
        self.engine.duplicates.answer(self.token.key, &self.token.authenticator, reply.clone(), self.now);
        Ok(Answer::Now(reply))
    }

    /// The reply, to be sent when the record is durable.
    fn after_record(&self, record: Record, reply: ReplyBuilder, delay: Duration) -> Outcome {
        let reply = reply.finish(&self.nas.secret).map_err(|_| Discard::ReplyTooLong)?.into();
        let metrics = &self.engine.metrics;
        match &record {
            Record::Decision(d) => metrics.decided(d.outcome.code(), d.reason.code(), &d.method),
            Record::Accounting(a) => metrics.accounted(a.status.code()),
        }
        Ok(Answer::AfterRecord { record, reply, delay, token: self.token })
    }
}
