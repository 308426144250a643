//! A login by EAP-TLS, packet by packet.

use super::conversation::{Conversation, Found, Granted, Refused, StateKey};
use super::failure as reasons;
use super::record::{self, Draft};
use super::request::{RequestInfo, printable};
use super::{Attempt, Outcome, identify, reply};
use crate::audit::course::Course;
use crate::audit::reason::Reason;
use crate::eap::packet::{EapCode, EapPacket, EapType, failure};
use crate::eap::server::{Failure, MAX_IDENTITY_LEN, Server, Transition};
use crate::eap::tls::server::MethodFailure;
use crate::eap::tls::{Established, Keys, TlsFailure};
use crate::enforcement::words::Words;
use crate::ids::DecisionId;
use crate::inventory::nas::NasMode;
use crate::pki::error::ChainError;
use crate::pki::verifier::AnyChain;
use crate::policy::engine::Outcome as PolicyOutcome;
use crate::policy::facts::{PostureFacts, Principal, RiskFacts};
use crate::radius::attribute as attr;
use crate::radius::builder::ReplyBuilder;
use crate::radius::packet::Code;
use crate::random::random;
use crate::telemetry::Discard;
use crate::time::Timestamp;
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;

/// Octets of EAP-TLS keying material that each MS-MPPE key takes.
const MPPE_KEY_LEN: usize = 32;
/// How long a decision holds until the peer has confirmed it: within this, what changes finds the session by its login, see
/// `jobs::reevaluate`.
const JUDGED_FOR: Duration = Duration::from_secs(1);

impl Attempt<'_> {
    pub(super) fn login(&self, eap: &[u8]) -> Outcome {
        if eap.is_empty() {
            if self.engine.is_closed() {
                return Err(Discard::Stopping);
            }
            // EAP-Start: the NAS asks us to ask (RFC 3579, section 2.1).
            return self.challenge(&Server::identity_request(0), &random().ok_or(Discard::BackendUnavailable)?);
        }
        let packet = EapPacket::parse(eap).map_err(|_| Discard::InvalidEap)?;
        match self.request.packet().find(attr::STATE) {
            Some(state) if packet.kind != Some(EapType::IDENTITY) => self.advance(eap, &packet, state),
            _ => self.open(eap, &packet),
        }
    }

    fn open(&self, octets: &[u8], packet: &EapPacket<'_>) -> Outcome {
        if packet.code != EapCode::Response || packet.kind != Some(EapType::IDENTITY) {
            return Err(Discard::ConversationUnknown);
        }
        if packet.data.len() > MAX_IDENTITY_LEN {
            return Err(Discard::InvalidEap);
        }
        if self.engine.is_closed() {
            return Err(Discard::Stopping);
        }
        let info = RequestInfo::read(&self.request.packet(), self.nas, self.source);
        let tls = match self.nas.mode {
            NasMode::Enforce => self.snapshot.tls.clone(),
            // The handshake lets everybody finish who has a key; whether the
            // certificate is good is judged afterwards, and recorded.
            NasMode::Observe => self.snapshot.tls.lenient(Arc::new(AnyChain::new(self.snapshot.trust.hints()))),
        };
        let (eap, request) = Server::open(packet, tls);
        let mut course = Course::default();
        course.received(octets, self.now, self.now);
        course.sent(&request);
        let conversation = Box::new(Conversation {
            owner: self.owner,
            eap,
            info,
            outer_identity: printable(packet.data),
            started: self.now,
            course,
            granted: None,
        });
        let state = random().ok_or(Discard::BackendUnavailable)?;
        match self.engine.conversations.insert(state, conversation, self.now) {
            Ok(false) => {}
            Ok(true) => self.discarded(Discard::ConversationEvicted),
            Err(Refused) => return Err(Discard::ConversationLimit),
        }
        self.challenge(&request, &state)
    }

    fn advance(&self, octets: &[u8], packet: &EapPacket<'_>, state: &[u8]) -> Outcome {
        let state: StateKey = state.try_into().map_err(|_| Discard::ConversationUnknown)?;
        let conversations = &self.engine.conversations;
        let Conversation { owner, eap, mut info, outer_identity, started, mut course, granted } =
            match conversations.take(&state, self.owner) {
                Found::Taken(conversation) => *conversation,
                Found::Busy => return Err(Discard::InProgress),
                Found::Unknown => return Err(Discard::ConversationUnknown),
            };
        // The NAS as it is today: site, groups, and whether it is only observed.
        info.nas = self.nas.clone();
        let max_len = self.max_eap_len(&info);
        let keep = |eap, info, outer_identity, course, granted| {
            let conversation = Box::new(Conversation { owner, eap, info, outer_identity, started, course, granted });
            conversations.put_back(&state, conversation, self.now);
        };
        match eap.receive(packet, max_len, self.now) {
            Transition::Ignore(eap, _) => {
                keep(eap, info, outer_identity, course, granted);
                Err(Discard::InvalidEap)
            }
            Transition::Continue(eap, request) => {
                course.received(octets, started, self.now);
                course.sent(&request);
                keep(eap, info, outer_identity, course, granted);
                self.challenge(&request, &state)
            }
            Transition::Decide(undecided) => {
                course.received(octets, started, self.now);
                let established = undecided.established().clone();
                let mut draft = self.judge(&info, &outer_identity, started, &established);
                draft.rounds = undecided.rounds();
                let transition = if lets_in(&draft) { undecided.grant(max_len) } else { undecided.deny() };
                match transition {
                    Transition::Continue(eap, request) => {
                        let granted = Granted { draft, established, snapshot: self.snapshot.clone(), at: self.now };
                        course.sent(&request);
                        keep(eap, info, outer_identity, course, Some(Box::new(granted)));
                        self.challenge(&request, &state)
                    }
                    Transition::Success { packet, keys, rounds } => {
                        conversations.remove(&state);
                        draft.rounds = rounds;
                        draft.ended(course, &packet);
                        self.accept(draft, &packet, &keys)
                    }
                    Transition::Failure { packet, .. } => {
                        conversations.remove(&state);
                        draft.ended(course, &packet);
                        self.reject(draft, &packet)
                    }
                    Transition::Decide(_) | Transition::Ignore(..) => {
                        conversations.remove(&state);
                        Err(Discard::InvalidEap)
                    }
                }
            }
            Transition::Success { packet, keys, rounds } => {
                conversations.remove(&state);
                // The method succeeds only after a decision granted it.
                let Granted { mut draft, established, snapshot, at } = *granted.ok_or(Discard::InvalidEap)?;
                // Rules, identities or revocations have changed meanwhile; or posture, risk or a quarantine may have,
                // where the peer has taken its time.
                if !Arc::ptr_eq(&snapshot, self.snapshot) || self.now.since(at) >= JUDGED_FOR {
                    draft = self.judge(&info, &outer_identity, started, &established);
                }
                draft.rounds = rounds;
                course.received(octets, started, self.now);
                if lets_in(&draft) {
                    draft.ended(course, &packet);
                    self.accept(draft, &packet, &keys)
                } else {
                    let packet = failure(packet.get(1).copied().unwrap_or_default());
                    draft.ended(course, &packet);
                    self.reject(draft, &packet)
                }
            }
            Transition::Failure { packet, cause, rounds } => {
                conversations.remove(&state);
                let mut draft = granted.map_or_else(|| Draft::new(&info, "eap-tls", started), |g| g.draft);
                draft.outer_identity = Some(outer_identity);
                draft.rounds = rounds;
                course.received(octets, started, self.now);
                draft.ended(course, &packet);
                let (reason, detail) = reasons::of_eap(&cause, &self.snapshot.trust, self.now);
                draft.presented(&cause);
                if let Failure::Method(MethodFailure::Tls(TlsFailure::Certificate { chain, .. })) = &cause
                    && let Err(error) = self.snapshot.trust.verify(chain, self.now)
                {
                    self.name_lapsed(&mut draft, chain, &error);
                }
                draft.refuse(reason, detail);
                self.reject(draft, &packet)
            }
        }
    }

    /// The peer has proven possession of its key. All that was true when a
    /// ticket was issued is asked again: chain, revocation, identity, policy.
    fn judge(&self, info: &RequestInfo, outer_identity: &str, started: Timestamp, proven: &Established) -> Draft {
        let mut draft = Draft::new(info, "eap-tls", started);
        draft.outer_identity = Some(outer_identity.to_owned());
        draft.tls(proven);
        match self.snapshot.trust.verify(&proven.peer_chain, self.now) {
            Ok(chain) => {
                draft.chain(&chain);
                let identified = identify::by_certificate(self.snapshot, &chain.leaf, Some(&chain.anchor), self.now);
                self.decide_for(&mut draft, identified);
            }
            Err(error) => {
                self.name_lapsed(&mut draft, &proven.peer_chain, &error);
                draft.refuse(reasons::of_chain(&error), error.to_string());
            }
        }
        draft
    }

    /// Puts on record whom a certificate names that was refused for its time or
    /// its revocation, if it names one identity.
    fn name_lapsed(&self, draft: &mut Draft, chain: &[CertificateDer<'_>], error: &ChainError) {
        if let Some(lapsed) = self.snapshot.trust.lapsed(chain, error) {
            draft.named(&identify::by_certificate(self.snapshot, &lapsed.leaf, Some(&lapsed.anchor), self.now));
        }
    }

    /// Policy and profile for whoever was identified, by any method.
    pub(super) fn decide_for(&self, draft: &mut Draft, identified: identify::Identified) {
        draft.identified(&identified);
        if let Some((reason, detail)) = identified.barred {
            draft.refuse(reason, detail);
            return;
        }
        let mut facts = draft.policy_facts(identified.principal, self.snapshot, self.now);
        if let Principal::Identity(identity) = &facts.principal {
            let verdict = self.engine.posture.verdict(identity, &self.snapshot.compliance, self.now);
            facts.posture = PostureFacts::of(&verdict, self.now);
            draft.posture(&verdict, &facts.posture);
        }
        if let Some(subject) = identify::risk_subject(&facts.principal, facts.mac) {
            let risk = self.engine.risks.risk(subject, &self.snapshot.risk, self.now);
            facts.risk = RiskFacts::of(&risk);
            draft.risk(&risk, &facts.risk);
        }
        if let Some(containment) = self.engine.containments.of(&facts.principal.subjects(facts.mac)) {
            draft.contained(&containment);
            facts.contained = Some(containment.profile.clone());
        }
        let verdict = self.snapshot.policy.evaluate(&facts);
        draft.decided_by(&verdict, &facts, self.snapshot.policy.revision());
        match verdict.outcome {
            PolicyOutcome::Permit { profile } => {
                let profile = facts.granted(profile);
                let endpoint = draft.endpoint();
                match self.words(&profile).map(|words| words.pick(self.nas.site.as_deref(), &endpoint)) {
                    Some(Ok(spelled)) => draft.grant(profile, spelled.clone()),
                    // Without its access rules a port would be open.
                    Some(Err(e)) => draft.refuse(Reason::ProfileNotExpressible, format!("profile {profile}: {e}")),
                    None => draft.refuse(Reason::PolicyError, format!("there is no profile {profile}")),
                }
            }
            PolicyOutcome::Deny => {
                draft.refuse(Reason::PolicyDenied, format!("forbidden by {}", verdict.policies.join(", ")))
            }
            PolicyOutcome::NoRule => draft.refuse_for_lack_of_a_rule(),
            PolicyOutcome::Error => draft.refuse(Reason::PolicyError, verdict.errors.join("; ")),
        }
    }

    fn words(&self, profile: &str) -> Option<&Words> {
        self.snapshot.spelled.get(&self.nas.vendor)?.profiles.get(profile)
    }

    fn accept(&self, mut draft: Draft, eap: &[u8], keys: &Keys) -> Outcome {
        let mut reply = ReplyBuilder::new(Code::AccessAccept, self.request);
        reply.push_eap(eap).map_err(|_| Discard::ReplyTooLong)?;
        if let Some((recv, send)) = keys.msk.expose().split_at_checked(MPPE_KEY_LEN) {
            reply.push_mppe_keys(send, recv, salts()?).map_err(|_| Discard::ReplyTooLong)?;
        }
        if draft.wants_key_name() {
            reply.push(attr::EAP_KEY_NAME, &keys.session_id).map_err(|_| Discard::ReplyTooLong)?;
        }
        let id = DecisionId::new(self.now);
        reply::grant(&mut reply, &mut draft, id, self.engine.tickets()).map_err(|_| Discard::ReplyTooLong)?;
        self.after_record(record::let_in(draft, self.snapshot, id, self.now), reply, Duration::ZERO)
    }

    fn reject(&self, draft: Draft, eap: &[u8]) -> Outcome {
        let mut reply = ReplyBuilder::new(Code::AccessReject, self.request);
        reply.push_eap(eap).map_err(|_| Discard::ReplyTooLong)?;
        let record = record::rejected(draft, self.snapshot, self.now);
        self.after_record(record, reply, self.engine.reject_delay)
    }

    fn challenge(&self, eap: &[u8], state: &StateKey) -> Outcome {
        let mut reply = ReplyBuilder::new(Code::AccessChallenge, self.request);
        reply.push(attr::STATE, state).map_err(|_| Discard::ReplyTooLong)?;
        reply.push_eap(eap).map_err(|_| Discard::ReplyTooLong)?;
        self.reply_now(reply)
    }

    fn max_eap_len(&self, info: &RequestInfo) -> usize {
        info.max_eap_len.map_or(self.snapshot.max_eap_len, |framed| framed.min(self.snapshot.max_eap_len))
    }
}

/// Whether the endpoint joins: by decision, or because its NAS is only observed.
fn lets_in(draft: &Draft) -> bool {
    draft.is_granted() || draft.observes()
}

/// Two different salts with the top bit set (RFC 2548, section 2.4.2).
fn salts() -> Result<[u16; 2], Discard> {
    let octets = random().ok_or(Discard::BackendUnavailable)?;
    let first = u16::from_be_bytes(octets) | 0x8000;
    Ok([first, first ^ 1])
}
