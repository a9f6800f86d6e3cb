//! What is new in a conversation, and who came or went in it, without a window; the time is passed in.

use triptych_client::state::{
    State,
    action::{Action, Moment, Peer},
    conversation::MAX_MESSAGES,
    presence_note::PresenceNote,
};

use crate::support::{
    scenes::{ada, bob, joined, joined_with, joins, leaves, library, message, moment, noon_millis, person, stranger},
    state::{bob_peer, messages, unread, write},
};

fn from_bob(state: &mut State, text: &str) {
    state.apply(message("bob", &bob(), &[&ada()], text, 1), moment());
}

/// The text of the message before which new ones begin.
fn new_from(state: &State) -> Option<String> {
    let conversation = state.conversations.get(bob_peer())?;
    let first = conversation.messages.iter().find(|message| Some(message.serial) == conversation.new_from())?;
    Some(first.text.clone())
}

/// Ada has the conversation with Bob before her.
fn with_bob() -> State {
    let mut state = joined();
    state.handle(Action::Select(bob_peer()), moment());
    state
}

#[test]
fn what_arrives_below_the_reading_place_is_unread_until_the_end_is_in_sight() {
    let mut state = with_bob();
    from_bob(&mut state, "one");
    assert_eq!((unread(&state, bob_peer()), new_from(&state)), (0, None), "it is read as it arrives");
    state.handle(Action::SeeEnd(bob_peer(), false), moment());
    from_bob(&mut state, "two");
    from_bob(&mut state, "three");
    assert_eq!((unread(&state, bob_peer()), new_from(&state).as_deref()), (2, Some("two")));
    // Another conversation's end says nothing about this one.
    state.handle(Action::SeeEnd(Peer::Everyone, true), moment());
    assert_eq!(unread(&state, bob_peer()), 2);
    state.set_focused(false);
    state.set_focused(true);
    assert_eq!(unread(&state, bob_peer()), 2, "the end is still out of sight");
    state.handle(Action::SeeEnd(bob_peer(), true), moment());
    assert_eq!(unread(&state, bob_peer()), 0);
}

#[test]
fn the_mark_of_new_messages_stays_until_the_conversation_is_left() {
    let mut state = with_bob();
    state.set_focused(false);
    from_bob(&mut state, "one");
    from_bob(&mut state, "two");
    state.set_focused(true);
    assert_eq!(unread(&state, bob_peer()), 0);
    state.handle(Action::SeeEnd(bob_peer(), true), moment());
    assert_eq!(new_from(&state).as_deref(), Some("one"), "it can still be found");
    state.set_focused(false);
    from_bob(&mut state, "three");
    assert_eq!(new_from(&state).as_deref(), Some("three"), "those before were seen");
    state.set_focused(true);
    state.handle(Action::SeeEnd(bob_peer(), true), moment());
    state.handle(Action::Select(Peer::Everyone), moment());
    assert_eq!(new_from(&state), None);
}

#[test]
fn what_was_not_seen_is_still_new_when_the_conversation_is_opened_again() {
    let mut state = with_bob();
    state.handle(Action::SeeEnd(bob_peer(), false), moment());
    from_bob(&mut state, "one");
    state.handle(Action::Select(Peer::Everyone), moment());
    assert_eq!((unread(&state, bob_peer()), new_from(&state).as_deref()), (1, Some("one")));
    from_bob(&mut state, "two");
    assert_eq!((unread(&state, bob_peer()), new_from(&state).as_deref()), (2, Some("one")));
}

#[test]
fn an_answer_ends_the_mark() {
    let mut state = with_bob();
    state.set_focused(false);
    from_bob(&mut state, "one");
    state.set_focused(true);
    write(&mut state, bob_peer(), "my answer");
    assert_eq!(new_from(&state), None);
}

/// The note after the last message with this peer.
fn note(state: &State, peer: Peer) -> Option<PresenceNote> {
    messages(state, peer).pop()?.note
}

fn at(minute: u64) -> Moment {
    Moment { unix_millis: noon_millis() + minute * 60_000, ..moment() }
}

#[test]
fn an_absence_is_told_in_the_conversations_that_it_concerns() {
    let mut state = with_bob();
    state.apply(leaves(&state, "bob"), at(1));
    assert_eq!(
        (messages(&state, bob_peer()), messages(&state, Peer::Everyone)),
        (vec![], vec![]),
        "nothing was said yet"
    );
    state.apply(joins(&state, person("bob", bob())), at(1));
    from_bob(&mut state, "one");
    state.apply(leaves(&state, "bob"), at(2));
    assert_eq!(note(&state, bob_peer()), Some(PresenceNote::Left { unix_millis: at(2).unix_millis }));
    state.apply(leaves(&state, "eve"), at(3));
    state.apply(joins(&state, person("bob", bob())), at(5));
    let [from_unix_millis, until_unix_millis] = [at(2).unix_millis, at(5).unix_millis];
    assert_eq!(note(&state, bob_peer()), Some(PresenceNote::Away { from_unix_millis, until_unix_millis }));
}

#[test]
fn only_a_small_room_is_told_who_comes() {
    for (count, is_told) in [(3, true), (30, false)] {
        let people = (0..count).map(|number| person(&format!("guest-{number}"), stranger(number)));
        let mut state = joined_with(people.chain([person("ada", ada())]).collect(), library());
        write(&mut state, Peer::Everyone, "Good morning!");
        state.apply(joins(&state, person("bob", bob())), at(1));
        let came = |note: PresenceNote| match note {
            PresenceNote::Room { came, .. } => came.iter().map(ToString::to_string).collect(),
            other => vec![format!("{other:?}")],
        };
        let expected = is_told.then(|| vec!["bob".to_owned()]);
        assert_eq!(note(&state, Peer::Everyone).map(came), expected, "{count} people");
    }
}

#[test]
fn a_conversation_is_bounded_by_messages_and_by_bytes() {
    let mut state = with_bob();
    for number in 0..MAX_MESSAGES as u64 + 5 {
        state.apply(message("bob", &bob(), &[&ada()], "x", number), moment());
    }
    let kept = &state.conversations.get(bob_peer()).unwrap().messages;
    assert_eq!(kept.len(), MAX_MESSAGES);
    assert_eq!(kept.front().map(|message| message.unix_millis), Some(at(5).unix_millis), "the oldest go first");
    for number in 0..3_000 {
        state.apply(message("bob", &bob(), &[&ada()], &"x".repeat(8_000), 20_000 + number), moment());
    }
    let kept = &state.conversations.get(bob_peer()).unwrap().messages;
    let kept_bytes: usize = kept.iter().map(|message| message.text.len()).sum();
    assert!((15 << 20..=16 << 20).contains(&kept_bytes), "{kept_bytes}");
}
