use super::*;
use crate::radius::authenticator::verify_request;
use crate::radius::builder::ReplyBuilder;
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_unix_secs(1_767_225_600);

fn ask(code: Code) -> Ask {
    Ask { code, attributes: vec![44, 6, b'0', b'0', b'2', b'A'], secret: Secret::new("a long shared secret") }
}

fn pending(code: Code) -> Pending {
    Pending::begin(&ask(code), 7, Timing::RFC_5080, Jitter::default(), START).unwrap()
}

fn reply(pending: &Pending, code: Code, cause: Option<u32>, secret: &str) -> Vec<u8> {
    let packet = Packet::parse(pending.sent().packet()).unwrap();
    let ours = Secret::new("a long shared secret");
    let request = verify_request(packet, &ours, true).unwrap();
    let mut reply = ReplyBuilder::new(code, &request);
    if let Some(cause) = cause {
        reply.push_u32(attr::ERROR_CAUSE, cause).unwrap();
    }
    let mut reply = reply.finish().unwrap();
    // What another secret amounts to.
    reply[4] ^= u8::from(Secret::new(secret) != ours);
    reply
}

#[test]
fn a_request_carries_message_authenticator_first_and_event_timestamp() {
    let pending = pending(Code::CoaRequest);
    let packet = Packet::parse(pending.sent().packet()).unwrap();
    let kinds: Vec<_> = packet.attributes().map(|a| a.kind).collect();
    assert_eq!(kinds, [attr::MESSAGE_AUTHENTICATOR, 44, attr::EVENT_TIMESTAMP]);
    assert_eq!(packet.integer(attr::EVENT_TIMESTAMP), Some(1_767_225_600));
    assert!(verify_request(packet, &Secret::new("a long shared secret"), true).unwrap().has_message_authenticator());
}

#[test]
fn it_is_repeated_as_rfc_5080_says_and_then_given_up() {
    let mut waiting = pending(Code::DisconnectRequest);
    let octets = waiting.sent().packet().clone();
    let mut at = vec![0];
    let ended = loop {
        let now = waiting.due();
        match waiting.elapsed(Jitter::default(), now) {
            Elapsed::Again(next) => {
                assert_eq!(*next.sent().packet(), octets, "a repeated request is the same octets");
                at.push(now.since(START).as_secs());
                waiting = next;
            }
            Elapsed::GaveUp(_) => break now,
        }
    };
    assert_eq!(at, [0, 2, 6, 14]);
    assert_eq!(ended.since(START), Duration::from_secs(30));
}

#[test]
fn only_a_reply_that_fits_is_an_answer() {
    for (code, ack, nak) in [
        (Code::CoaRequest, Code::CoaAck, Code::CoaNak),
        (Code::DisconnectRequest, Code::DisconnectAck, Code::DisconnectNak),
    ] {
        let pending = pending(code);
        let secret = "a long shared secret";
        let answer = |octets: &[u8]| pending.sent().answer(octets);
        assert_eq!(answer(&reply(&pending, ack, None, secret)), Ok(Answer::Ack));
        assert_eq!(answer(&reply(&pending, nak, Some(503), secret)), Ok(Answer::Nak(Some(503))));
        assert_eq!(answer(&reply(&pending, nak, None, secret)), Ok(Answer::Nak(None)));
        assert_eq!(answer(&reply(&pending, Code::ProtocolError, Some(406), secret)), Ok(Answer::Nak(Some(406))));
        assert_eq!(answer(&reply(&pending, ack, None, "another secret")), Err(NoAnswer::WrongAuthenticator));
        assert_eq!(answer(&reply(&pending, Code::AccessAccept, None, secret)), Err(NoAnswer::WrongCode));
        let mut other = reply(&pending, ack, None, secret);
        other[1] = 8;
        assert_eq!(answer(&other), Err(NoAnswer::Unasked));
        assert_eq!(answer(&other[..19]), Err(NoAnswer::Malformed));
    }
}

proptest! {
    #[test]
    fn the_time_between_two_stays_within_its_bounds(octets in prop::collection::vec(any::<[u8; 2]>(), 8)) {
        let timing = Timing::RFC_5080;
        let mut jitters = octets.into_iter().map(Jitter::of);
        let first = jitters.next().unwrap();
        let mut waiting = Pending::begin(&ask(Code::CoaRequest), 1, timing, first, START).unwrap();
        prop_assert!(waiting.due().since(START).as_millis().abs_diff(2_000) <= 200);
        let (mut now, mut times) = (START, 1);
        for jitter in jitters {
            now = waiting.due();
            match waiting.elapsed(jitter, now) {
                Elapsed::Again(next) => {
                    let wait = next.due().since(now);
                    prop_assert!(wait <= Duration::from_millis(17_600));
                    waiting = next;
                    times += 1;
                }
                Elapsed::GaveUp(_) => break,
            }
            prop_assert!(waiting.due().since(START) <= timing.duration);
        }
        prop_assert!(times <= timing.count && now.since(START) <= timing.duration);
    }
}
