//! Keys that are new, known, changed, accepted and verified, without a window or a network.

use common::crypto::{KeyId, safety_number};
use triptych_client::{
    event::{NetCommand, NetEvent},
    pins::PinChange,
    state::{
        State,
        action::{Action, Peer},
        sending::SendObstacle,
        trust::Privacy,
    },
};

use crate::support::{
    scenes::{
        self, ada, bob, eve, joined, joins, key_changed, leaves, lost, message, moment, name, noon_millis, online,
        person, say, stranger,
    },
    state::{bob_peer, commands, contact_names, draft, messages, write},
};

/// The beginning of the day, in seconds.
fn today() -> u64 {
    noon_millis() / 1000 - 43_200
}

fn new_bob() -> KeyId {
    stranger(1).id()
}

fn new_bob_peer() -> Peer {
    Peer::Person(new_bob())
}

fn privacy(state: &State, key: KeyId) -> Privacy {
    state.trust.privacy(&key, today())
}

#[test]
fn people_are_remembered_when_they_are_met_and_not_again() {
    let mut state = joined();
    let carol = (name("carol"), stranger(2).id());
    let sent = commands(state.apply(joins(&state, person("carol", stranger(2))), moment()));
    assert!(sent == [NetCommand::Pin(PinChange::Met(vec![carol.clone()]))]);
    assert_eq!(privacy(&state, carol.1), Privacy::New, "met today for the first time");
    assert_eq!(privacy(&state, bob().id()), Privacy::Pinned, "met on an earlier day");
    state.apply(leaves(&state, "carol"), moment());
    assert!(commands(state.apply(joins(&state, person("carol", stranger(2))), moment())).is_empty());
    let me = ada().id();
    assert!(state.trust.privacy(&me, today()) == Privacy::New && !state.trust.is_changed(&me), "oneself is not met");
}

#[test]
fn a_day_later_a_person_is_no_longer_new() {
    let state = scenes::scene("key-new");
    let carol = stranger(2).id();
    assert_eq!(state.trust.privacy(&carol, noon_millis() / 1000), Privacy::New);
    assert_eq!(state.trust.privacy(&carol, noon_millis() / 1000 + 1), Privacy::Pinned);
}

#[test]
fn nothing_is_sent_to_another_key_and_the_draft_stays() {
    let mut state = key_changed();
    assert_eq!(privacy(&state, new_bob()), Privacy::Changed { was_verified: false });
    assert!(state.trust.is_doubtful(&new_bob()) && !state.trust.is_doubtful(&bob().id()));
    assert!(write(&mut state, new_bob_peer(), "The password is rosebud").is_empty());
    assert_eq!(state.send_obstacle(), Some(SendObstacle::KeyChanged(name("bob"))));
    assert!(state.was_send_refused());
    assert_eq!(draft(&state, new_bob_peer()), "The password is rosebud");
    assert_eq!(draft(&state, bob_peer()), "One more thing:");
}

#[test]
fn a_line_to_everyone_leaves_out_who_has_another_key() {
    let mut state = key_changed();
    let sent = write(&mut state, Peer::Everyone, "Hello");
    let [NetCommand::Send { recipients, .. }] = &sent[..] else { panic!("it is sent to the others") };
    assert!(recipients.contains(&eve()) && recipients.contains(&ada()) && !recipients.contains(&stranger(1)));
    assert_eq!(state.left_out().collect::<Vec<_>>(), [&name("bob")]);
    state.apply(leaves(&state, "eve"), moment());
    assert!(write(&mut state, Peer::Everyone, "Anyone?").is_empty());
    assert_eq!(state.send_obstacle(), Some(SendObstacle::NoOneAccepted));
    state.apply(leaves(&state, "bob"), moment());
    assert_eq!(state.send_obstacle(), Some(SendObstacle::Alone));
}

#[test]
fn an_accepted_key_takes_over_what_was_said_and_drafted() {
    let mut state = key_changed();
    let before = messages(&state, bob_peer()).len();
    let sent = commands(state.handle(Action::AcceptKey(new_bob()), moment()));
    assert!(sent == [NetCommand::Pin(PinChange::Accepted(name("bob"), new_bob()))]);
    assert_eq!(privacy(&state, new_bob()), Privacy::New);
    assert!(!state.trust.is_doubtful(&new_bob()) && !state.trust.is_doubtful(&bob().id()));
    assert_eq!((messages(&state, bob_peer()).len(), messages(&state, new_bob_peer()).len()), (0, before + 1));
    assert_eq!(messages(&state, new_bob_peer())[before].text, "It is me, on my new computer", "the newest is last");
    assert_eq!((draft(&state, new_bob_peer()), state.selected), ("One more thing:", new_bob_peer()));
    assert_eq!(contact_names(&state).iter().filter(|(name, _)| name == "bob").count(), 1);
    assert_eq!(state.send_obstacle(), None);
    assert_eq!(commands(state.handle(Action::Send, moment())).len(), 1);
    assert!(state.handle(Action::AcceptKey(new_bob()), moment()).is_empty(), "once");
    assert!(state.handle(Action::AcceptKey(eve().id()), moment()).is_empty(), "there is nothing to accept");
}

#[test]
fn verified_is_cleared_by_a_change_and_a_changed_key_is_not_verified_unseen() {
    let mut state = scenes::scene("verified");
    assert_eq!(privacy(&state, bob().id()), Privacy::Verified);
    state.apply(leaves(&state, "bob"), moment());
    state.apply(joins(&state, person("bob", stranger(1))), moment());
    assert_eq!(privacy(&state, new_bob()), Privacy::Changed { was_verified: true });
    assert!(state.handle(Action::SetVerified(new_bob(), true), moment()).is_empty(), "not before it is accepted");
    state.handle(Action::AcceptKey(new_bob()), moment());
    assert_eq!(privacy(&state, new_bob()), Privacy::New);
    let sent = commands(state.handle(Action::SetVerified(new_bob(), true), moment()));
    assert!(sent == [NetCommand::Pin(PinChange::Verified(name("bob"), new_bob(), true))]);
    state.apply(leaves(&state, "bob"), moment());
    state.apply(joins(&state, person("bob", bob())), moment());
    assert_eq!(privacy(&state, bob().id()), Privacy::Changed { was_verified: true }, "the key before is no longer his");
}

#[test]
fn the_safety_number_is_the_same_on_both_sides() {
    let mut state = scenes::scene("safety-number");
    let view = state.trust.open.clone().expect("it is open");
    let number = safety_number((&name("bob"), &bob()), (&name("ada"), &ada()));
    assert_eq!((view.key, view.number), (bob().id(), number), "bob sees it like this");
    state.handle(Action::CloseSafetyNumber, moment());
    assert_eq!(state.trust.open, None);
    state.apply(leaves(&state, "bob"), moment());
    state.handle(Action::OpenSafetyNumber(bob().id()), moment());
    assert_eq!(state.trust.open, None, "the server does not list the key");
}

#[test]
fn what_is_remembered_of_a_server_comes_with_each_connection() {
    let mut state = joined();
    say(&mut state, bob_peer(), "Hello", 1, 0);
    state.apply(NetEvent::Offline(lost()), moment());
    let people = vec![person("ada", ada()), person("bob", stranger(1))];
    let NetEvent::Online(mut again) = online(people, scenes::library()) else { unreachable!("it is made so") };
    again.pins = scenes::pins(&[person("bob", bob())]);
    state.apply(NetEvent::Online(again), moment());
    assert_eq!(
        privacy(&state, new_bob()),
        Privacy::Changed { was_verified: false },
        "replaced during a lost connection"
    );
    assert_eq!(state.present_key(&bob().id()), Some(new_bob()));
}

#[test]
fn who_writes_with_another_key_is_marked_although_the_name_is_the_same() {
    let mut state = joined();
    state.apply(joins(&state, person("carol", stranger(3))), moment());
    state.apply(message("carol", &stranger(3), &[&ada()], "Hello", 1), moment());
    assert!(!state.trust.is_doubtful(&stranger(3).id()), "a first contact is no change");
    state.apply(leaves(&state, "carol"), moment());
    state.apply(joins(&state, person("CAROL", stranger(4))), moment());
    assert!(state.trust.is_doubtful(&stranger(4).id()), "nor does another spelling help");
}
