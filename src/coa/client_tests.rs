use super::*;
use crate::radius::attribute as attr;
use crate::radius::authenticator::verify_request;
use crate::radius::builder::ReplyBuilder;
use crate::radius::packet::{Code, Packet};
use crate::secret::Secret;
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: Timestamp = Timestamp::from_unix_secs(1_767_225_600);
const SECRET: &str = "a long shared secret";

fn nas(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 3799))
}

fn ask() -> Ask {
    Ask { code: Code::DisconnectRequest, attributes: vec![44, 4, b'1', b'2'], secret: Secret::new(SECRET) }
}

fn begin(exchanges: &mut Exchanges<u32>, peer: SocketAddr, token: u32) -> Result<Arc<[u8]>, Refused> {
    exchanges.begin(peer, &ask(), token, Jitter::default(), START)
}

fn reply(request: &[u8], code: Code, cause: Option<u32>, secret: &str) -> Vec<u8> {
    let ours = Secret::new(SECRET);
    let request = verify_request(Packet::parse(request).unwrap(), &ours, true).unwrap();
    let mut reply = ReplyBuilder::new(code, &request);
    if let Some(cause) = cause {
        reply.push_u32(attr::ERROR_CAUSE, cause).unwrap();
    }
    let mut reply = reply.finish().unwrap();
    // What another secret amounts to.
    reply[4] ^= u8::from(secret != SECRET);
    reply
}

#[test]
fn identifiers_of_a_nas_have_an_end_and_others_do_not_share_it() {
    let mut exchanges = Exchanges::new(Timing::RFC_5080);
    let mut seen = std::collections::HashSet::new();
    for token in 0..256 {
        let datagram = begin(&mut exchanges, nas(1), token).unwrap();
        assert!(seen.insert(datagram[1]), "an Identifier that is in use");
    }
    assert_eq!(begin(&mut exchanges, nas(1), 256), Err(Refused::NoIdentifier));
    assert!(begin(&mut exchanges, nas(2), 257).is_ok());
    let mut many = Exchanges::new(Timing::RFC_5080);
    let mut refused = None;
    for n in 0..=MAX_REQUESTS {
        let peer = SocketAddr::from(([192, 0, 2, 1], 1024 + u16::try_from(n / 200).unwrap()));
        refused = begin(&mut many, peer, u32::try_from(n).unwrap()).err();
    }
    assert_eq!((refused, many.len()), (Some(Refused::Full), MAX_REQUESTS));
}

#[test]
fn an_identifier_is_not_used_again_at_once() {
    let mut exchanges = Exchanges::new(Timing::RFC_5080);
    let first = begin(&mut exchanges, nas(1), 1).unwrap();
    let answer = reply(&first, Code::DisconnectAck, None, SECRET);
    assert_eq!(exchanges.receive(nas(1), &answer), Received::Answered(1, Answer::Ack));
    // The same answer again, or by somebody who listened.
    assert_eq!(exchanges.receive(nas(1), &answer), Received::Ignored(NoAnswer::Unasked));
    assert!(exchanges.is_empty() && exchanges.peers.is_empty());
    assert_ne!(begin(&mut exchanges, nas(1), 2).unwrap()[1], first[1]);
    assert_eq!(exchanges.receive(nas(1), &answer), Received::Ignored(NoAnswer::Unasked));
}

#[test]
fn a_late_answer_is_known_as_one_and_a_forged_one_changes_nothing() {
    let mut exchanges = Exchanges::new(Timing::RFC_5080);
    let request = begin(&mut exchanges, nas(1), 7).unwrap();
    let forged = reply(&request, Code::DisconnectAck, None, "a secret of somebody else");
    assert_eq!(exchanges.receive(nas(1), &forged), Received::Ignored(NoAnswer::WrongAuthenticator));
    let answer = reply(&request, Code::DisconnectNak, Some(504), SECRET);
    // From somewhere else, with the right authenticator.
    assert_eq!(exchanges.receive(nas(2), &answer), Received::Ignored(NoAnswer::Unasked));
    let mut gave_up = Vec::new();
    while let Some(at) = exchanges.next().filter(|_| gave_up.is_empty()) {
        gave_up = exchanges.elapse(Jitter::default, at).into_iter().filter(|d| matches!(d, Due::GaveUp(..))).collect();
    }
    assert_eq!(gave_up, [Due::GaveUp(7, Mismatched(true))], "the one who asked is told that the secret does not fit");
    assert_eq!(exchanges.receive(nas(1), &forged), Received::Ignored(NoAnswer::WrongAuthenticator));
    assert_eq!(exchanges.receive(nas(1), &answer), Received::Late(7, Answer::Nak(Some(504))));
    assert!(exchanges.is_empty());
    // What is never answered is forgotten too.
    begin(&mut exchanges, nas(1), 8).unwrap();
    while let Some(at) = exchanges.next() {
        exchanges.elapse(Jitter::default, at);
    }
    assert!(exchanges.is_empty() && exchanges.peers.is_empty());
}

proptest! {
    #[test]
    fn no_datagram_makes_it_panic_or_end_a_request(datagram in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut exchanges = Exchanges::new(Timing::RFC_5080);
        let request = begin(&mut exchanges, nas(1), 1).unwrap();
        let mut like = request.to_vec();
        for (octet, other) in like.iter_mut().skip(2).zip(&datagram) {
            *octet ^= other;
        }
        for octets in [datagram, like] {
            let received = exchanges.receive(nas(1), &octets);
            prop_assert!(matches!(received, Received::Ignored(_)), "{:?}", received);
        }
        prop_assert_eq!(exchanges.len(), 1);
    }
}

type Wire = BTreeMap<(Timestamp, u32), (SocketAddr, Vec<u8>)>;

/// What the network does with one datagram.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    Delivered { after_ms: u64, copies: u8 },
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        1 => Just(Fate::Lost),
        3 => (0_u64..40_000, 1_u8..3).prop_map(|(after_ms, copies)| Fate::Delivered { after_ms, copies }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Whatever is lost, repeated, delayed, reordered and forged: each request ends
    /// exactly once, by a true answer or by being given up, and no answer is taken
    /// for another's.
    #[test]
    fn each_request_ends_once_and_by_its_own_answer(
        fates in prop::collection::vec(fate(), 64),
        forge in any::<u64>(),
        requests in 1_u32..12,
    ) {
        let mut exchanges = Exchanges::new(Timing::RFC_5080);
        let mut fates = fates.into_iter().cycle();
        // What is on its way back: by time, and a number that tells two of one time apart.
        let mut wire = Wire::new();
        let (mut number, mut ended, mut late) = (0_u32, BTreeMap::<u32, u32>::new(), 0);
        let mut tokens = BTreeMap::new();
        let mut arrive = |wire: &mut Wire, peer: SocketAddr, datagram: &[u8], token: u32, now: Timestamp| {
            // Each NAS answers each token with an Error-Cause of its own.
            let mut answer = reply(datagram, Code::DisconnectNak, Some(400 + token), SECRET);
            if forge >> (number % 64) & 1 == 1 {
                answer = reply(datagram, Code::DisconnectAck, None, "guessed");
            }
            if let Some(Fate::Delivered { after_ms, copies }) = fates.next() {
                for copy in 0..copies {
                    number += 1;
                    let at = now + Duration::from_millis(after_ms * u64::from(copy + 1));
                    wire.insert((at, number), (peer, answer.clone()));
                }
            }
            number += 1;
        };
        for token in 0..requests {
            let peer = nas(u8::try_from(token % 3).unwrap());
            let datagram = begin(&mut exchanges, peer, token).unwrap();
            tokens.insert((peer, datagram[1]), token);
            arrive(&mut wire, peer, &datagram, token, START);
        }
        loop {
            let (timer, network) = (exchanges.next(), wire.first_key_value().map(|((at, _), _)| *at));
            let Some(now) = timer.into_iter().chain(network).min() else { break };
            if network == Some(now) {
                let (_, (peer, datagram)) = wire.pop_first().unwrap();
                match exchanges.receive(peer, &datagram) {
                    Received::Answered(token, answer) => {
                        prop_assert_eq!(answer, Answer::Nak(Some(400 + token)));
                        *ended.entry(token).or_default() += 1;
                    }
                    Received::Late(token, answer) => {
                        prop_assert_eq!(answer, Answer::Nak(Some(400 + token)));
                        prop_assert!(ended.contains_key(&token));
                        late += 1;
                    }
                    Received::Ignored(_) => {}
                }
                continue;
            }
            for due in exchanges.elapse(Jitter::default, now) {
                match due {
                    Due::Again(peer, datagram) => {
                        let token = tokens[&(peer, datagram[1])];
                        arrive(&mut wire, peer, &datagram, token, now);
                    }
                    Due::GaveUp(token, _) => *ended.entry(token).or_default() += 1,
                }
            }
        }
        prop_assert!(exchanges.is_empty());
        prop_assert_eq!(ended.len(), requests as usize);
        prop_assert!(ended.values().all(|times| *times == 1), "{:?}", ended);
        prop_assert!(late <= requests);
    }
}
