use super::*;
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_unix_secs(1_767_225_600);

fn after(secs: u64) -> Timestamp {
    START + Duration::from_secs(secs)
}

fn order(deadline_secs: u64) -> Order {
    Order {
        id: ChangeOrderId::new(START),
        session: SessionId::new(START),
        decision: None,
        nas_name: "sw".into(),
        who: Some("anna".into()),
        identity: None,
        wave: None,
        cause: Cause {
            trigger: "policy 1".into(),
            reason: None,
            detail: "corp is now limited".into(),
            automatic: true,
            at: START,
        },
        target: Target("limited".into()),
        created: START,
        deadline: after(deadline_secs),
        attempts: Vec::new(),
    }
}

fn begin(chain: &[Wish], deadline_secs: u64) -> Waiting {
    match Life::begin(order(deadline_secs), chain.to_vec(), START) {
        Life::Waiting(waiting) => waiting,
        Life::Over(over) => panic!("{over:?}"),
    }
}

fn waiting(life: Life) -> Waiting {
    match life {
        Life::Waiting(waiting) => waiting,
        Life::Over(over) => panic!("{over:?}"),
    }
}

fn ending(life: Life) -> (Ending, Vec<(Change, Fared)>) {
    match life {
        Life::Waiting(waiting) => panic!("{waiting:?}"),
        Life::Over(over) => (over.ending, over.order.attempts.into_iter().map(|a| (a.change, a.fared)).collect()),
    }
}

const CHAIN: [Wish; 3] = [Wish::Reauthenticate, Wish::Disconnect, Wish::BouncePort];

#[test]
fn a_refusal_leads_to_the_next_form_and_an_ack_ends_it() {
    let asking = begin(&CHAIN, 60).ask(START).unwrap();
    assert_eq!(asking.wish(), &Wish::Reauthenticate);
    let next = waiting(asking.answered(Answer::Nak(Some(401)), after(1)));
    assert_eq!(next.not_before, after(1), "what was refused need not wait");
    let over = next.ask(after(1)).unwrap().answered(Answer::Ack, after(2));
    let tried = vec![(Change::Reauthenticate, Fared::Nak { error_cause: Some(401) }), (Change::Disconnect, Fared::Ack)];
    assert_eq!(ending(over), (Ending::Done, tried));
}

#[test]
fn a_session_that_the_nas_does_not_have_is_gone() {
    for cause in [503, 201] {
        let over = begin(&CHAIN, 60).ask(START).unwrap().answered(Answer::Nak(Some(cause)), START);
        assert_eq!(ending(over).0, Ending::Gone);
    }
    // A new login that has begun is what was asked for, but no end of the session.
    let over = begin(&CHAIN, 60).ask(START).unwrap().answered(Answer::Nak(Some(507)), START);
    assert_eq!(ending(over).0, Ending::Done);
    let next = begin(&[Wish::Disconnect, Wish::BouncePort], 60).ask(START).unwrap();
    waiting(next.answered(Answer::Nak(Some(507)), START));
}

#[test]
fn what_is_refused_is_not_asked_again_and_what_is_silent_is_until_the_deadline() {
    let next = waiting(begin(&CHAIN[..2], 90).ask(START).unwrap().answered(Answer::Nak(None), START));
    let next = waiting(next.ask(START).unwrap().unanswered(after(30)));
    assert_eq!(next.chain().collect::<Vec<_>>(), [&Wish::Disconnect]);
    assert_eq!(next.not_before, after(40), "a NAS that was silent to all is left alone for a while");
    let next = waiting(next.ask(after(40)).unwrap().unanswered(after(70)));
    let over = next.clone().ask(after(90)).unwrap_err();
    assert_eq!(over.ending, Ending::Unanswered);
    let (end, tried) = ending(next.ask(after(80)).unwrap().unanswered(after(110)));
    assert_eq!((end, tried.len()), (Ending::Unanswered, 4));
    // All that was refused is over at once.
    let over = begin(&CHAIN[..1], 90).ask(START).unwrap().answered(Answer::Nak(Some(501)), START);
    assert_eq!(ending(over).0, Ending::Refused);
}

#[test]
fn what_cannot_be_told_is_put_on_record_and_the_next_form_tried() {
    let next = waiting(begin(&CHAIN[..2], 60).ask(START).unwrap().untold("audit_session_id is not known", START));
    let (end, tried) = ending(next.ask(START).unwrap().untold("nor is anything else", START));
    assert_eq!(end, Ending::Untold, "it was never asked");
    assert!(matches!(&tried[0].1, Fared::Untold { why } if why.contains("audit_session_id")));
    let none = Life::begin(order(60), Vec::new(), START);
    assert!(none.advice().unwrap().contains("no words"), "{none:?}");
    assert!(matches!(none, Life::Over(Over { ending: Ending::Untold, .. })));
    // One of several that was refused makes it a refusal.
    let next = waiting(begin(&CHAIN[..2], 60).ask(START).unwrap().answered(Answer::Nak(Some(501)), START));
    assert_eq!(ending(next.ask(START).unwrap().untold("no words", START)).0, Ending::Refused);
}

#[test]
fn advice_is_of_what_happened_and_comes_with_the_first_attempt() {
    let asking = begin(&CHAIN[..1], 60).ask(START).unwrap().asked_at(Some("192.0.2.1:3799".into()));
    let noted = asking.noted();
    assert_eq!(noted.asks.as_ref().unwrap().to.as_deref(), Some("192.0.2.1:3799"));
    assert_eq!(noted.ask(after(1)).unwrap().wish(), asking.wish(), "after a crash it is asked again");
    let silent = asking.clone().unanswered(after(30));
    assert!(silent.advice().unwrap().contains("Nothing came back from 192.0.2.1:3799"), "{silent:?}");
    let wrong = asking.mismatched(after(30));
    let advice = wrong.advice().unwrap();
    assert!(advice.contains("from 192.0.2.1:3799 whose secret does not fit") && advice.contains("coa = {"), "{advice}");
    for (automatic, later) in [(true, true), (false, false)] {
        let mut life = wrong.clone();
        life.order_mut().cause.automatic = automatic;
        let over = waiting(life).ask(after(60)).unwrap_err();
        assert_eq!((over.ending, over.advice().contains("tried again later")), (Ending::Unanswered, later));
        assert!(over.advice().contains("secret does not fit"));
    }
    let never = begin(&CHAIN[..1], 60).ask(after(60)).unwrap_err();
    assert!(never.advice().contains("never asked"), "{never:?}");
}

#[test]
fn what_was_refused_before_it_was_stopped_reads_refused() {
    let next = waiting(begin(&CHAIN, 60).ask(START).unwrap().answered(Answer::Nak(Some(501)), START));
    assert_eq!(next.stopped(after(1)).ending, Ending::Refused);
    let next = waiting(begin(&CHAIN, 60).ask(START).unwrap().unanswered(after(30)));
    assert_eq!(next.stopped(after(31)).ending, Ending::Aborted);
}

#[test]
fn a_late_answer_is_recorded_and_changes_nothing() {
    let mut life = begin(&CHAIN[..2], 300).ask(START).unwrap().unanswered(after(30));
    life.order_mut().late(Change::Reauthenticate, Answer::Nak(Some(504)), after(31));
    life.order_mut().late(Change::BouncePort, Answer::Ack, after(32));
    let late = life.order().attempts[0].late.clone().unwrap();
    assert_eq!((late.at, late.ack, late.error_cause), (after(31), false, Some(504)));
    assert_eq!(waiting(life).ask(after(32)).unwrap().wish(), &Wish::Disconnect);
}

#[test]
fn it_is_stored_and_read_as_it_was() {
    let next = waiting(begin(&CHAIN, 60).ask(START).unwrap().unanswered(after(30)));
    for life in [Life::Waiting(next.clone()), Life::Over(next.end(Ending::Aborted, after(31)))] {
        let text = serde_json::to_string(&life).unwrap();
        assert_eq!(serde_json::from_str::<Life>(&text).unwrap(), life, "{text}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Said {
    Ack,
    Nak(u32),
    Silence,
    Nothing,
}

proptest! {
    /// Whatever a NAS does, a change ends, no later than one attempt after its
    /// deadline, with a record of bounded size.
    #[test]
    fn every_change_ends(
        said in prop::collection::vec(
            prop_oneof![
                1 => Just(Said::Ack),
                2 => (200_u32..602).prop_map(Said::Nak),
                12 => Just(Said::Silence),
                1 => Just(Said::Nothing),
            ],
            4000,
        ),
        forms in 1_usize..=3,
        deadline in 1_u64..86_400,
    ) {
        let mut state = begin(&CHAIN[..forms], deadline);
        let mut now = START;
        let mut over = None;
        for said in said {
            now = now.max(state.not_before);
            let asking = match state.ask(now) {
                Ok(asking) => asking,
                Err(ended) => { over = Some(*ended); break; }
            };
            let life = match said {
                Said::Ack => asking.answered(Answer::Ack, now),
                Said::Nak(cause) => asking.answered(Answer::Nak(Some(cause)), now),
                Said::Nothing => asking.untold("x", now),
                Said::Silence => { now = now + Duration::from_secs(30); asking.unanswered(now) }
            };
            match life {
                Life::Waiting(next) => state = next,
                Life::Over(ended) => { over = Some(ended); break; }
            }
        }
        let over = over.expect("it does not end");
        prop_assert!(over.at <= after(deadline + 30));
        prop_assert!(over.order.attempts.len() <= MAX_ATTEMPTS);
    }
}
