//! Messages that cannot be sent yet: they wait visibly, can be withdrawn, and go out once and in order, without a network.

use common::media::Library;
use proptest::prelude::*;
use triptych_client::{
    event::{NetCommand, NetEvent, Offline},
    state::{
        State,
        action::{Action, Moment, Peer},
        conversation::Delivery,
        sending::SendObstacle,
        waiting::{MAX_WAITING, WaitsFor},
    },
};

use crate::support::{
    scenes::{
        self, ada, bob, eve, joined, joins, leaves, library, lost, moment, name, online, person, say, stranger,
        was_sealed,
    },
    state::{bob_peer, commands, draft, messages, only_delivery, write},
};

/// The texts that these commands send, in order.
fn sent<'a>(commands: &'a [NetCommand]) -> Vec<&'a str> {
    let text = |command: &'a NetCommand| match command {
        NetCommand::Send { text, .. } | NetCommand::SendAgain { text, .. } => Some(text.as_str()),
        _ => None,
    };
    commands.iter().filter_map(text).collect()
}

fn texts(state: &State, peer: Peer) -> Vec<String> {
    messages(state, peer).into_iter().map(|message| message.text).collect()
}

fn is_waiting(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Waiting(_))
}

/// Ada, Bob and Eve are back after the connection was lost.
fn back() -> NetEvent {
    online(vec![person("ada", ada()), person("bob", bob()), person("eve", eve())], library())
}

#[test]
fn what_is_written_to_someone_who_left_goes_out_when_they_are_back() {
    let mut state = joined();
    say(&mut state, bob_peer(), "Hello", 1, 0);
    state.apply(leaves(&state, "bob"), moment());
    assert_eq!(state.waits_for(bob_peer()), Some(WaitsFor::Recipient(Some(name("bob")))));
    for text in ["one", "two"] {
        assert!(write(&mut state, bob_peer(), text).is_empty());
    }
    assert_eq!(
        (texts(&state, bob_peer()), draft(&state, bob_peer())),
        (vec!["Hello".into(), "one".into(), "two".into()], "")
    );
    assert!(commands(state.apply(leaves(&state, "eve"), moment())).is_empty());
    let effects = commands(state.apply(joins(&state, person("bob", bob())), moment()));
    assert_eq!(sent(&effects), ["one", "two"]);
    assert!(
        messages(&state, bob_peer()).iter().skip(1).all(|message| matches!(message.delivery, Delivery::Pending(_)))
    );
    assert!(sent(&commands(state.tick(moment()))).is_empty(), "once");
}

#[test]
fn what_is_written_without_a_connection_goes_out_when_it_is_back_with_the_time_of_writing() {
    let mut state = joined();
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(write(&mut state, bob_peer(), "Are you there?").is_empty());
    assert_eq!(state.waits_for(bob_peer()), Some(WaitsFor::Connection));
    let later = Moment { unix_millis: scenes::noon_millis() + 600_000, ..moment() };
    let effects = commands(state.apply(back(), later));
    assert_eq!(sent(&effects), ["Are you there?"]);
    let times = effects.iter().filter_map(|command| match command {
        NetCommand::Send { written_unix_millis, .. } => Some(*written_unix_millis),
        _ => None,
    });
    assert_eq!(times.collect::<Vec<_>>(), [scenes::noon_millis()]);
}

#[test]
fn what_is_said_to_everyone_waits_for_those_who_were_there_before() {
    let mut state = joined();
    state.apply(NetEvent::Offline(lost()), moment());
    write(&mut state, Peer::Everyone, "Good morning");
    let now = moment();
    // The server was restarted: this client is the first to be back.
    assert!(sent(&commands(state.apply(online(vec![person("ada", ada())], library()), now))).is_empty());
    assert_eq!(state.waits_for(Peer::Everyone), Some(WaitsFor::Others));
    assert!(sent(&commands(state.apply(joins(&state, person("eve", eve())), now))).is_empty());
    let mut all_are_back = state.clone();
    assert_eq!(sent(&commands(all_are_back.apply(joins(&state, person("bob", bob())), now))), ["Good morning"]);
    // Bob stays away.
    let due = state.next_tick().expect("it does not wait forever");
    assert_eq!(sent(&commands(state.tick(Moment { instant: due, ..now }))), ["Good morning"]);
    assert_eq!(state.next_tick(), None);
}

#[test]
fn a_message_to_no_one_is_refused_but_one_that_was_written_before_waits_for_company() {
    let alone = || online(vec![person("ada", ada())], library());
    let mut state = joined();
    state.apply(NetEvent::Offline(lost()), moment());
    write(&mut state, Peer::Everyone, "Good morning");
    state.apply(alone(), moment());
    let due = state.next_tick().unwrap();
    assert!(state.tick(Moment { instant: due, ..moment() }).is_empty());
    assert_eq!(state.waits_for(Peer::Everyone), Some(WaitsFor::Company));
    assert!(write(&mut state, Peer::Everyone, "Is no one here?").is_empty());
    assert_eq!(state.send_obstacle(), Some(SendObstacle::Alone));
    assert_eq!(draft(&state, Peer::Everyone), "Is no one here?");
    let effects = commands(state.apply(joins(&state, person("bob", bob())), moment()));
    assert_eq!(sent(&effects), ["Good morning"]);
}

#[test]
fn a_recipient_with_another_key_gets_nothing_until_it_is_accepted() {
    let mut state = joined();
    say(&mut state, bob_peer(), "Hello", 1, 0);
    state.apply(leaves(&state, "bob"), moment());
    write(&mut state, bob_peer(), "Our secret");
    let effects = commands(state.apply(joins(&state, person("bob", stranger(1))), moment()));
    assert!(sent(&effects).is_empty());
    assert_eq!(state.waits_for(bob_peer()), Some(WaitsFor::Acceptance(name("bob"))));
    assert!(is_waiting(&messages(&state, bob_peer())[1].delivery));
    let effects = commands(state.handle(Action::AcceptKey(stranger(1).id()), moment()));
    let recipients = effects.iter().find_map(|command| match command {
        NetCommand::Send { recipients, text, .. } if text == "Our secret" => Some(recipients.clone()),
        _ => None,
    });
    assert_eq!(recipients, Some(vec![stranger(1)]));
    assert!(matches!(messages(&state, Peer::Person(stranger(1).id())).last().unwrap().delivery, Delivery::Pending(_)));
}

#[test]
fn a_withdrawn_message_is_in_the_composer_and_nowhere_else() {
    let mut state = joined();
    state.apply(NetEvent::Offline(lost()), moment());
    write(&mut state, bob_peer(), "one");
    write(&mut state, bob_peer(), "two");
    let number = |state: &State, text: &str| {
        let message = messages(state, bob_peer()).into_iter().find(|message| message.text == text).unwrap();
        let Delivery::Waiting(draft) = message.delivery else { panic!("{text} does not wait") };
        draft
    };
    let one = number(&state, "one");
    state.handle(Action::Withdraw(one), moment());
    assert_eq!((texts(&state, bob_peer()), draft(&state, bob_peer())), (vec!["two".into()], "one"));
    state.handle(Action::Withdraw(one), moment());
    assert_eq!(draft(&state, bob_peer()), "one", "once");
    let two = number(&state, "two");
    state.handle(Action::Withdraw(two), moment());
    assert_eq!(draft(&state, bob_peer()), "two\none", "what was being written is kept");
    assert!(sent(&commands(state.apply(back(), moment()))).is_empty());
}

#[test]
fn a_message_that_failed_waits_when_it_is_tried_again_and_stays_the_same_message() {
    let mut state = joined();
    let [NetCommand::Send { draft, .. }] = write(&mut state, bob_peer(), "Hello")[..] else { panic!("not sent") };
    state.apply(was_sealed(draft, 5), moment());
    state.apply(NetEvent::Offline(lost()), moment());
    let Delivery::Failed(failed, _) = only_delivery(&state, bob_peer()) else { panic!("it may have arrived") };
    assert!(commands(state.handle(Action::Retry(failed), moment())).is_empty());
    assert!(is_waiting(&only_delivery(&state, bob_peer())));
    let effects = commands(state.apply(back(), moment()));
    let again = effects.iter().find_map(|command| match command {
        NetCommand::SendAgain { sealed, .. } => Some(sealed.message_id),
        _ => None,
    });
    assert_eq!(again, Some(scenes::id(5)), "its recipient shows it once");
}

#[test]
fn no_more_wait_than_can_be_sent_at_once() {
    let mut state = joined();
    state.apply(NetEvent::Offline(lost()), moment());
    for number in 0..MAX_WAITING {
        write(&mut state, bob_peer(), &number.to_string());
    }
    write(&mut state, bob_peer(), "too many");
    assert_eq!(state.send_obstacle(), Some(SendObstacle::TooManyWaiting));
    assert_eq!(draft(&state, bob_peer()), "too many");
    assert_eq!(sent(&commands(state.apply(back(), moment()))).len(), MAX_WAITING);
    assert_eq!(state.send_obstacle(), None);
}

#[test]
fn leaving_sends_nothing_under_another_name() {
    let mut state = joined();
    state.apply(leaves(&state, "bob"), moment());
    write(&mut state, bob_peer(), "It is me");
    state.handle(Action::Leave, moment());
    state.handle(Action::EditName("Ada Lovelace".into()), moment());
    state.handle(Action::Connect, moment());
    let people = vec![person("Ada Lovelace", eve()), person("bob", bob())];
    let arrival = scenes::online_as(person("Ada Lovelace", eve()), people, Library::default());
    assert!(sent(&commands(state.apply(arrival, moment()))).is_empty());
    let Delivery::Failed(failed, reason) = only_delivery(&state, bob_peer()) else { panic!("it was another name") };
    assert_eq!(reason, "Not sent: it was written as ada.");
    assert_eq!(messages(&state, bob_peer())[0].written_as, Some(name("ada")));
    assert_eq!(sent(&commands(state.handle(Action::Retry(failed), moment()))), ["It is me"]);
    assert_eq!(messages(&state, bob_peer())[0].written_as, None, "it is sent under the name of now");
}

/// What happens around a client.
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Lose,
    Return,
    Leave(usize),
    Join(usize),
    Withdraw(usize),
    Relay(usize),
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..3).prop_map(Step::Write),
        1 => Just(Step::Lose),
        2 => Just(Step::Return),
        1 => (0usize..2).prop_map(Step::Leave),
        2 => (0usize..2).prop_map(Step::Join),
        1 => (0usize..8).prop_map(Step::Withdraw),
        1 => (0usize..8).prop_map(Step::Relay),
        1 => Just(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens around a client: each message is handed over to be sent once, or withdrawn, or refused, or still waits;
    /// and those to one peer in the order in which they were written.
    #[test]
    fn every_message_is_sent_once_and_in_order_or_withdrawn_or_still_waits(steps in prop::collection::vec(step(), 1..40)) {
        let others = [("bob", bob()), ("eve", eve())];
        let peers = [Peer::Person(bob().id()), Peer::Person(eve().id()), Peer::Everyone];
        let mut state = joined();
        let mut is_there = [true, true];
        let mut now = moment();
        let (mut written, mut refused, mut withdrawn) = (Vec::new(), Vec::new(), Vec::new());
        let mut handed: Vec<(Peer, String)> = Vec::new();
        for step in steps {
            let mut events = Vec::new();
            match step {
                Step::Write(to) => {
                    let text = written.len().to_string();
                    written.push((peers[to], text.clone()));
                    let effects = write(&mut state, peers[to], &text);
                    handed.extend(sent(&effects).into_iter().map(|text| (peers[to], text.to_owned())));
                    if draft(&state, peers[to]) == text {
                        refused.push((peers[to], text));
                    }
                    state.handle(Action::EditDraft(String::new()), now);
                }
                Step::Lose if state.connection.is_online() => events.push(NetEvent::Offline(lost())),
                Step::Return if !state.connection.is_online() => {
                    let there = others.iter().zip(is_there).filter(|(_, is_there)| *is_there);
                    let there = there.map(|((text, key), _)| person(text, key.clone()));
                    events.push(online(there.chain([person("ada", ada())]).collect(), Library::default()));
                }
                Step::Leave(who) => {
                    if std::mem::take(&mut is_there[who]) && state.connection.is_online() {
                        events.push(leaves(&state, others[who].0));
                    }
                }
                Step::Join(who) => {
                    if !std::mem::replace(&mut is_there[who], true) && state.connection.is_online() {
                        events.push(joins(&state, person(others[who].0, others[who].1.clone())));
                    }
                }
                Step::Withdraw(which) => {
                    let waiting = peers.iter().flat_map(|peer| messages(&state, *peer).into_iter().map(|m| (*peer, m)));
                    let waiting: Vec<_> = waiting.filter(|(_, message)| is_waiting(&message.delivery)).collect();
                    if let Some((peer, message)) = waiting.get(which)
                        && let Delivery::Waiting(draft) = message.delivery
                    {
                        state.handle(Action::Withdraw(draft), now);
                        prop_assert_eq!(crate::support::state::draft(&state, *peer), &message.text);
                        state.handle(Action::EditDraft(String::new()), now);
                        withdrawn.push((*peer, message.text.clone()));
                    }
                }
                Step::Relay(which) => {
                    let all = peers.iter().flat_map(|peer| messages(&state, *peer)).nth(which);
                    if let Some(Delivery::Pending(draft)) = all.map(|message| message.delivery) {
                        events.push(was_sealed(draft, draft.0 as u8));
                    }
                }
                Step::Wait => now.instant += std::time::Duration::from_secs(13),
                Step::Lose | Step::Return => {}
            }
            let mut effects: Vec<_> = events.into_iter().flat_map(|event| state.apply(event, now)).collect();
            effects.extend(state.tick(now));
            for command in commands(effects) {
                let NetCommand::Send { recipients, text, .. } = command else { continue };
                prop_assert!(state.connection.is_online());
                let to_one = peers.iter().find(|peer| recipients.len() == 1 && **peer == Peer::Person(recipients[0].id()));
                handed.push((*to_one.unwrap_or(&Peer::Everyone), text));
            }
        }
        for peer in peers {
            let of = |list: &[(Peer, String)]| -> Vec<String> {
                list.iter().filter(|(to, _)| *to == peer).map(|(_, text)| text.clone()).collect()
            };
            let handed = of(&handed);
            prop_assert!(handed.is_sorted_by_key(|text| text.parse::<u32>().unwrap()), "{:?}", handed);
            let waiting = messages(&state, peer).into_iter().filter(|message| is_waiting(&message.delivery));
            let waiting: Vec<_> = waiting.map(|message| message.text).collect();
            let mut all = [handed, waiting, of(&withdrawn), of(&refused)].concat();
            all.sort_by_key(|text| text.parse::<u32>().unwrap());
            prop_assert_eq!(all, of(&written));
        }
    }
}

#[test]
fn nothing_is_sent_to_a_server_that_ended_the_connection_for_good() {
    let mut state = joined();
    let offline = Offline::BrokeProtocol { what: "It lists too much.".into(), remedy: "Update it.".into() };
    state.apply(NetEvent::Offline(offline), moment());
    assert!(write(&mut state, bob_peer(), "Hello").is_empty());
    assert!(is_waiting(&only_delivery(&state, bob_peer())));
    assert!(state.tick(moment()).is_empty());
}
