//! What the window says has become of a message: relayed, delivered, or overdue and to be sent again. Without a network; the
//! time is passed in.

use common::crypto::{KeyId, MessageId, TextNumber, test_keys};
use triptych_client::{
    event::{DraftId, NetCommand, NetEvent, SealedAs, WireOutcome},
    state::{
        State,
        action::{Action, Moment, Peer},
        conversation::Delivery,
        delivery::PATIENCE,
    },
};

use crate::support::{
    scenes::{
        ada, bob, envelope, eve, id, id_of, joined, joins, key_changed, leaves, message, moment, person, stranger,
    },
    state::{bob_peer, commands, messages, only_delivery, write},
};

const ID: MessageId = MessageId([5; 16]);

/// Ada writes to Bob or to everyone, and it is sealed at this time.
fn sealed(state: &mut State, peer: Peer, at: Moment) -> (DraftId, SealedAs) {
    let [NetCommand::Send { draft, .. }] = &write(state, peer, "Are you there?")[..] else { panic!("not sent") };
    let session = match peer {
        Peer::Person(key) => Some(state.people.dictionary().unwrap().person(&key).unwrap().session.id()),
        Peer::Everyone => None,
    };
    let sealed = SealedAs { message_id: ID, number: TextNumber { count: 9, number: 4 }, session };
    state.apply(NetEvent::Sent { draft: *draft, sealed: sealed.clone() }, at);
    (*draft, sealed)
}

fn relay(state: &mut State, to: &[KeyId], at: Moment) {
    state.apply(envelope(5, ada().id(), to.to_vec(), WireOutcome::Own), at);
}

fn later(at: Moment, steps: u32) -> Moment {
    Moment { instant: at.instant + PATIENCE * steps, ..at }
}

fn confirmed(by: KeyId, ids: &[MessageId]) -> NetEvent {
    NetEvent::Confirmed { by, ids: ids.to_vec() }
}

#[test]
fn a_letter_that_is_confirmed_is_delivered_and_nothing_is_waited_for() {
    let (mut state, now) = (joined(), moment());
    assert_eq!(state.next_tick(), None);
    sealed(&mut state, bob_peer(), now);
    assert_eq!(state.next_tick(), Some(now.instant + PATIENCE));
    relay(&mut state, &[bob().id()], now);
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Relayed);
    assert_eq!(state.next_tick(), Some(now.instant + PATIENCE), "for the receipt");
    state.apply(confirmed(bob().id(), &[id(1), ID, id(2)]), now);
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Delivered);
    assert_eq!(state.next_tick(), None);
    state.tick(later(now, 3));
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Delivered);
}

#[test]
fn a_receipt_counts_only_of_the_key_that_the_letter_was_for() {
    let (mut state, now) = (joined(), moment());
    sealed(&mut state, bob_peer(), now);
    relay(&mut state, &[bob().id()], now);
    for (by, id) in [(eve().id(), ID), (bob().id(), id(6)), (ada().id(), ID)] {
        state.apply(confirmed(by, &[id]), now);
        assert_eq!(only_delivery(&state, bob_peer()), Delivery::Relayed);
    }
    // Nor does a receipt for what was said to everyone.
    let mut state = joined();
    sealed(&mut state, Peer::Everyone, now);
    relay(&mut state, &[], now);
    state.apply(confirmed(bob().id(), &[ID]), now);
    assert_eq!(only_delivery(&state, Peer::Everyone), Delivery::Relayed);
    assert_eq!(state.next_tick(), None, "and none is waited for");
}

#[test]
fn a_message_that_is_not_relayed_or_not_confirmed_in_time_can_be_sent_again_as_the_same() {
    for is_relayed in [false, true] {
        let (mut state, now) = (joined(), moment());
        let (draft, sealed) = sealed(&mut state, bob_peer(), now);
        if is_relayed {
            relay(&mut state, &[bob().id()], now);
        }
        state.tick(Moment { instant: now.instant + PATIENCE / 2, ..now });
        assert!(!matches!(only_delivery(&state, bob_peer()), Delivery::Failed(..)));
        state.tick(later(now, 1));
        let reason = match is_relayed {
            true => "bob's client has not confirmed this message.",
            false => "The server has not relayed this message.",
        };
        assert_eq!(only_delivery(&state, bob_peer()), Delivery::Failed(draft, reason.into()));
        assert_eq!(state.next_tick(), None);
        let at_retry = Moment { unix_millis: now.unix_millis + 90_000, ..now };
        let again = commands(state.handle(Action::Retry(draft), at_retry));
        let [NetCommand::SendAgain { draft: next, recipients, text, written_unix_millis, sealed: before }] = &again[..]
        else {
            panic!("{:?}", again.len())
        };
        assert_eq!((recipients, &**text, &**before), (&vec![bob()], "Are you there?", &sealed));
        assert_eq!(*written_unix_millis, messages(&state, bob_peer())[0].unix_millis, "both see the time of writing");
        // The receipt for the first copy comes while the second is being sealed.
        state.apply(confirmed(bob().id(), &[ID]), now);
        state.apply(NetEvent::Sent { draft: *next, sealed: sealed.clone() }, now);
        assert_eq!(only_delivery(&state, bob_peer()), Delivery::Delivered);
    }
}

#[test]
fn what_comes_late_counts_all_the_same() {
    let (mut state, now) = (joined(), moment());
    sealed(&mut state, bob_peer(), now);
    state.tick(later(now, 1));
    relay(&mut state, &[bob().id()], later(now, 1));
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Relayed);
    state.tick(later(now, 2));
    assert!(matches!(only_delivery(&state, bob_peer()), Delivery::Failed(..)));
    state.apply(confirmed(bob().id(), &[ID]), later(now, 9));
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Delivered);
}

#[test]
fn it_is_said_when_the_session_key_was_replaced_or_someone_has_another_key() {
    let (mut state, now) = (joined(), moment());
    let (draft, _) = sealed(&mut state, bob_peer(), now);
    relay(&mut state, &[bob().id()], now);
    // Bob was away and is back, with another session key.
    state.apply(leaves(&state, "bob"), now);
    let mut back = person("bob", bob());
    back.session = common::crypto::SessionRecord::sign(&[7; 1216], 2, &test_keys::bob(), &back.name, &[0; 32]);
    state.apply(joins(&state, back), now);
    state.tick(later(now, 1));
    let Delivery::Failed(failed, reason) = only_delivery(&state, bob_peer()) else { panic!("still waiting") };
    assert_eq!(failed, draft);
    assert!(reason.ends_with("It was sealed for a session key that it has replaced."), "{reason}");
}

#[test]
fn a_message_to_another_key_than_before_is_another_message() {
    let (mut state, now) = (joined(), moment());
    let (draft, _) = sealed(&mut state, bob_peer(), now);
    relay(&mut state, &[bob().id()], now);
    state.tick(later(now, 1));
    state.apply(leaves(&state, "bob"), now);
    state.apply(joins(&state, person("bob", stranger(1))), now);
    state.handle(Action::AcceptKey(stranger(1).id()), now);
    let again = commands(state.handle(Action::Retry(draft), now));
    assert!(matches!(&again[..], [NetCommand::Send { recipients, .. }] if *recipients == [stranger(1)]));
    state.apply(confirmed(stranger(1).id(), &[ID]), now);
    assert!(matches!(only_delivery(&state, Peer::Person(stranger(1).id())), Delivery::Pending(_)));
}

#[test]
fn letters_are_confirmed_when_they_are_shown_and_their_key_is_accepted() {
    let mut state = joined();
    let confirms = |state: &mut State, event| {
        commands(state.apply(event, moment()))
            .into_iter()
            .filter_map(|command| match command {
                NetCommand::Confirm { to, message_id } => Some((to, message_id)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let from_bob = message("bob", &bob(), &[&ada()], "Yes.", 5);
    let confirmed = [(bob().id(), id_of("Yes.", 5))];
    assert_eq!(confirms(&mut state, from_bob.clone()), confirmed);
    assert_eq!(confirms(&mut state, from_bob), confirmed, "its sender has not learnt it");
    assert_eq!(messages(&state, Peer::Person(bob().id())).len(), 1, "it is shown once");
    let to_everyone = message("bob", &bob(), &[&ada(), &bob(), &eve()], "Yes, all of you.", 6);
    assert_eq!(confirms(&mut state, to_everyone), []);
    // One who was never listed is not shown.
    assert_eq!(confirms(&mut state, message("bob", &stranger(1), &[&ada()], "It is me.", 7)), []);

    let mut state = key_changed();
    let from_the_other = message("bob", &stranger(1), &[&ada()], "It is me.", 9);
    assert_eq!(confirms(&mut state, from_the_other.clone()), [], "shown with a mark, and not confirmed");
    assert_eq!(confirms(&mut state, from_the_other), []);
    state.handle(Action::AcceptKey(stranger(1).id()), moment());
    let from_the_other = message("bob", &stranger(1), &[&ada()], "Really.", 10);
    assert_eq!(confirms(&mut state, from_the_other), [(stranger(1).id(), id_of("Really.", 10))]);
}
