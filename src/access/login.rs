//! A login by EAP-TLS, packet by packet.

use super::conversation::{Conversation, Found, Refused, StateKey};
use super::record::{self, Draft};
use super::request::{RequestInfo, printable};
use super::{Attempt, Outcome, failure, identify, reply};
use crate::audit::reason::Reason;
use crate::eap::packet::{EapCode, EapPacket, EapType};
use crate::eap::server::{MAX_IDENTITY_LEN, Server, Transition, Undecided};
use crate::eap::tls::Keys;
use crate::ids::DecisionId;
use crate::policy::engine::Outcome as PolicyOutcome;
use crate::radius::attribute as attr;
use crate::radius::builder::ReplyBuilder;
use crate::radius::packet::Code;
use std::time::Duration;

/// Octets of EAP-TLS keying material that each MS-MPPE key takes.
const MPPE_KEY_LEN: usize = 32;

impl Attempt<'_> {
    pub(super) fn login(&self, eap: &[u8]) -> Outcome {
        if eap.is_empty() {
            // EAP-Start: the NAS asks us to ask (RFC 3579, section 2.1).
            return self.challenge(&Server::identity_request(0), &random()?);
        }
        let packet = EapPacket::parse(eap).map_err(|_| "eap_malformed")?;
        match self.request.packet().find(attr::STATE) {
            Some(state) if packet.kind != Some(EapType::IDENTITY) => self.advance(&packet, state),
            _ => self.open(&packet),
        }
    }

    fn open(&self, packet: &EapPacket<'_>) -> Outcome {
        if packet.code != EapCode::Response || packet.kind != Some(EapType::IDENTITY) {
            return Err("eap_conversation_unknown");
        }
        if packet.data.len() > MAX_IDENTITY_LEN {
            return Err("eap_identity_too_long");
        }
        let info = RequestInfo::read(&self.request.packet(), self.nas, self.arrival.source);
        let (eap, request) = Server::open(packet, self.snapshot.tls.clone());
        let conversation = Box::new(Conversation {
            eap,
            info,
            outer_identity: printable(packet.data),
            started: self.now,
            granted: None,
        });
        let state = random()?;
        match self.engine.conversations.insert(state, conversation, self.now) {
            Ok(None) => {}
            Ok(Some(_)) => self.engine.metrics.discarded(&self.nas.name, "half_open_evicted"),
            Err(Refused::NasQuota) => return Err("nas_conversation_quota"),
            Err(Refused::TableFull) => return Err("conversation_table_full"),
        }
        self.challenge(&request, &state)
    }

    fn advance(&self, packet: &EapPacket<'_>, state: &[u8]) -> Outcome {
        let state: StateKey = state.try_into().map_err(|_| "eap_conversation_unknown")?;
        let conversations = &self.engine.conversations;
        let Conversation { eap, info, outer_identity, started, granted } =
            match conversations.take(&state, &self.nas.name) {
                Found::Taken(conversation) => *conversation,
                Found::Busy => return Err("eap_conversation_busy"),
                Found::Unknown => return Err("eap_conversation_unknown"),
            };
        let max_len = self.max_eap_len(&info);
        let keep = |eap, info, outer_identity, granted| {
            let conversation = Box::new(Conversation { eap, info, outer_identity, started, granted });
            conversations.put_back(&state, conversation, self.now);
        };
        match eap.receive(packet, max_len, self.now) {
            Transition::Ignore(eap, _) => {
                keep(eap, info, outer_identity, granted);
                Err("eap_out_of_turn")
            }
            Transition::Continue(eap, request) => {
                keep(eap, info, outer_identity, granted);
                self.challenge(&request, &state)
            }
            Transition::Decide(undecided) => {
                let mut draft = Draft::new(&info, "eap-tls", started);
                draft.outer_identity = Some(outer_identity.clone());
                draft.rounds = undecided.rounds();
                match self.decide(draft, undecided, max_len) {
                    (Transition::Continue(eap, request), draft) => {
                        keep(eap, info, outer_identity, Some(Box::new(draft)));
                        self.challenge(&request, &state)
                    }
                    (Transition::Success { packet, keys, rounds }, mut draft) => {
                        conversations.remove(&state);
                        draft.rounds = rounds;
                        self.accept(draft, &packet, &keys)
                    }
                    (Transition::Failure { packet, .. }, draft) => {
                        conversations.remove(&state);
                        self.reject(draft, &packet)
                    }
                    _ => {
                        conversations.remove(&state);
                        Err("eap_out_of_turn")
                    }
                }
            }
            Transition::Success { packet, keys, rounds } => {
                conversations.remove(&state);
                // The method succeeds only after a decision granted it.
                let mut draft = *granted.ok_or("eap_out_of_turn")?;
                draft.rounds = rounds;
                self.accept(draft, &packet, &keys)
            }
            Transition::Failure { packet, cause, rounds } => {
                conversations.remove(&state);
                let mut draft = granted.map_or_else(|| Draft::new(&info, "eap-tls", started), |d| *d);
                draft.outer_identity = Some(outer_identity);
                draft.rounds = rounds;
                let (reason, detail) = failure::of_eap(&cause, &self.snapshot.trust, self.now);
                draft.presented(&cause);
                draft.refuse(reason, detail);
                self.reject(draft, &packet)
            }
        }
    }

    /// The peer has proven possession of its key. All that was true when a
    /// ticket was issued is asked again: chain, revocation, identity, policy.
    fn decide(&self, mut draft: Draft, undecided: Undecided, max_len: usize) -> (Transition, Draft) {
        draft.tls(undecided.established());
        let chain = match self.snapshot.trust.verify(&undecided.established().peer_chain, self.now) {
            Ok(chain) => chain,
            Err(error) => {
                draft.refuse(failure::of_chain(&error), error.to_string());
                return (undecided.deny(), draft);
            }
        };
        draft.chain(&chain);
        let identified = identify::by_certificate(self.snapshot, &chain.leaf, self.now);
        self.decide_for(&mut draft, identified);
        let transition = if draft.is_granted() { undecided.grant(max_len) } else { undecided.deny() };
        (transition, draft)
    }

    /// Policy and profile for whoever was identified, by any method.
    pub(super) fn decide_for(&self, draft: &mut Draft, identified: identify::Identified) {
        draft.identified(&identified);
        if let Some((reason, detail)) = identified.barred {
            draft.refuse(reason, detail);
            return;
        }
        let facts = draft.policy_facts(identified.principal, self.snapshot, self.now);
        let verdict = self.snapshot.policy.evaluate(&facts);
        draft.decided_by(&verdict, &facts, self.snapshot.policy.revision());
        match verdict.outcome {
            PolicyOutcome::Permit { profile } => draft.grant(profile),
            PolicyOutcome::Deny => draft.refuse(
                Reason::PolicyDenied,
                format!("forbidden by {}", verdict.policies.join(", ")),
            ),
            PolicyOutcome::NoRule => draft.refuse_for_lack_of_a_rule(),
            PolicyOutcome::Error => draft.refuse(Reason::PolicyError, verdict.errors.join("; ")),
        }
    }

    fn accept(&self, mut draft: Draft, eap: &[u8], keys: &Keys) -> Outcome {
        let mut reply = ReplyBuilder::new(Code::AccessAccept, self.request);
        reply.push_eap(eap).map_err(|_| "reply_too_long")?;
        if let Some((recv, send)) = keys.msk.expose().split_at_checked(MPPE_KEY_LEN) {
            reply.push_mppe_keys(&self.nas.secret, send, recv, salts()?).map_err(|_| "reply_too_long")?;
        }
        if draft.wants_key_name() {
            reply.push(attr::EAP_KEY_NAME, &keys.session_id).map_err(|_| "reply_too_long")?;
        }
        let id = DecisionId::new(self.now);
        reply::grant(&mut reply, &mut draft, self.snapshot, id).map_err(|_| "reply_too_long")?;
        self.after_record(record::accepted(draft, id, self.now), reply, Duration::ZERO)
    }

    fn reject(&self, draft: Draft, eap: &[u8]) -> Outcome {
        let mut reply = ReplyBuilder::new(Code::AccessReject, self.request);
        reply.push_eap(eap).map_err(|_| "reply_too_long")?;
        let record = record::rejected(draft, self.snapshot, self.now);
        self.after_record(record, reply, self.engine.reject_delay)
    }

    fn challenge(&self, eap: &[u8], state: &StateKey) -> Outcome {
        let mut reply = ReplyBuilder::new(Code::AccessChallenge, self.request);
        reply.push(attr::STATE, state).map_err(|_| "reply_too_long")?;
        reply.push_eap(eap).map_err(|_| "reply_too_long")?;
        self.reply_now(reply)
    }

    fn max_eap_len(&self, info: &RequestInfo) -> usize {
        info.max_eap_len.map_or(self.snapshot.max_eap_len, |framed| framed.min(self.snapshot.max_eap_len))
    }
}

fn random() -> Result<StateKey, &'static str> {
    let mut key = StateKey::default();
    aws_lc_rs::rand::fill(&mut key).map_err(|_| "no_randomness")?;
    Ok(key)
}

/// Two different salts with the top bit set (RFC 2548, section 2.4.2).
fn salts() -> Result<[u16; 2], &'static str> {
    let mut octets = [0; 2];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| "no_randomness")?;
    let first = u16::from_be_bytes(octets) | 0x8000;
    Ok([first, first ^ 1])
}
