//! Unread messages, who wrote them, what hinders sending, and the conversations of several accounts, without a window or a
//! network.

use common::{crypto::PublicKey, media::Library, message::Person};
use triptych_client::{
    event::{NetCommand, NetEvent, WireOutcome},
    state::{
        State,
        action::{Action, Peer, SidePanel},
        conversation::{Author, Delivery},
        sending::SendObstacle,
    },
};

use crate::support::{
    scenes::{
        self, ada, bob, eve, joined, joined_with, joins, leaves, library, lost, message, moment, name, online,
        online_as, person, say, stranger,
    },
    state::{bob_peer, commands, contact_names, draft, messages, unread, write},
};

fn names(state: &State) -> Vec<String> {
    contact_names(state).into_iter().map(|(name, _)| name).collect()
}

fn from_bob(text: &str) -> NetEvent {
    message("bob", &bob(), &[&ada()], text, 1)
}

// ---- Unread messages

#[test]
fn a_message_without_the_focus_is_unread_until_the_focus_comes_back() {
    let mut state = joined();
    state.handle(Action::Select(bob_peer()), moment());
    state.set_focused(false);
    state.apply(from_bob("Are you there?"), moment());
    assert_eq!(unread(&state, bob_peer()), 1, "the person works in another window");
    assert_eq!(state.unread_count(), 1);
    state.set_focused(true);
    assert_eq!(state.unread_count(), 0);
    state.apply(from_bob("Hello?"), moment());
    assert_eq!(state.unread_count(), 0, "it is read as it arrives");
}

#[test]
fn the_focus_reads_only_what_it_shows() {
    let mut state = joined();
    state.handle(Action::Select(Peer::Everyone), moment());
    state.set_focused(false);
    state.apply(from_bob("one"), moment());
    state.set_focused(true);
    assert_eq!(unread(&state, bob_peer()), 1, "another conversation is open");
    // Too narrow for a conversation beside the wire.
    state.set_window_points(800.0, 600.0);
    state.handle(Action::Select(bob_peer()), moment());
    state.handle(Action::ShowSide(SidePanel::Wire), moment());
    state.set_focused(false);
    state.apply(from_bob("two"), moment());
    state.set_focused(true);
    assert_eq!(unread(&state, bob_peer()), 1, "the wire hides it");
}

#[test]
fn unread_messages_of_all_conversations_add_up() {
    let mut state = joined();
    state.handle(Action::Select(Peer::Person(eve().id())), moment());
    state.apply(from_bob("one"), moment());
    state.apply(from_bob("two"), moment());
    state.apply(message("eve", &eve(), &[&ada(), &bob(), &eve()], "to everyone", 2), moment());
    assert_eq!(state.unread_count(), 3);
}

#[test]
fn people_with_unread_messages_are_listed_first() {
    let mut state = scenes::scene("crowd");
    let last = Peer::Person(stranger(39).id());
    let alphabetical = names(&state);
    assert_eq!(alphabetical[..3], ["guest-0", "guest-1", "guest-2"], "numbers count by value");
    state.apply(message("guest-39", &stranger(39), &[&ada()], "Psst", 1), moment());
    assert_eq!(names(&state)[0], "guest-39");
    assert_eq!(names(&state)[1..], alphabetical.iter().filter(|n| *n != "guest-39").cloned().collect::<Vec<_>>()[..]);
    state.handle(Action::Select(last), moment());
    assert_eq!(state.unread_count(), 0);
    assert_eq!(names(&state)[0], "guest-39", "the row that was clicked stays");
    state.handle(Action::Select(Peer::Everyone), moment());
    assert_eq!(names(&state), alphabetical);
}

#[test]
fn someone_who_left_with_unread_messages_is_listed_first_too() {
    let mut state = joined();
    state.apply(message("eve", &eve(), &[&ada()], "Bye", 1), moment());
    state.apply(leaves(&state, "eve"), moment());
    assert_eq!(contact_names(&state), [("eve".to_owned(), false), ("bob".to_owned(), true)]);
}

#[test]
fn the_list_keeps_its_order_while_the_connection_is_lost() {
    let mut state = joined();
    let [first, second] = if bob().id() < stranger(1).id() { [bob(), stranger(1)] } else { [stranger(1), bob()] };
    // The one who left has the smaller key, so the order of keys alone would put them first.
    let people = |key: &PublicKey| vec![person("ada", ada()), person("bob", key.clone())];
    state.apply(online(people(&first), library()), moment());
    say(&mut state, Peer::Person(first.id()), "Hello", 1, 0);
    state.apply(online(people(&second), library()), moment());
    let keys = |state: &State| state.contacts().iter().map(|contact| contact.key).collect::<Vec<_>>();
    assert_eq!(keys(&state), [second.id(), first.id()]);
    state.apply(NetEvent::Offline(lost()), moment());
    assert_eq!(keys(&state), [second.id(), first.id()]);
}

// ---- Who wrote it

#[test]
fn a_letter_whose_author_was_never_listed_is_not_shown() {
    let mut state = joined_with(vec![person("ada", ada()), person("bob", bob())], Library::default());
    for recipients in [&[&ada()][..], &[&ada(), &bob()]] {
        state.apply(message("bob", &eve(), recipients, "It is me, Bob", 1), moment());
    }
    assert_eq!((messages(&state, Peer::Everyone), messages(&state, bob_peer())), (vec![], vec![]));
    assert_eq!(messages(&state, Peer::Person(eve().id())), []);
    // Someone who has left since was listed, and a letter shows the name that the window has for its key.
    state.apply(leaves(&state, "bob"), moment());
    state.apply(message("bobby", &bob(), &[&ada()], "Bye", 2), moment());
    let author = messages(&state, bob_peer()).pop().map(|message| message.author);
    assert_eq!(author, Some(Author::Other { name: name("bob"), key: bob().id() }));
}

#[test]
fn dropped_envelopes_are_counted() {
    let mut state = joined();
    state.apply(NetEvent::EnvelopesDropped(3), moment());
    state.apply(NetEvent::EnvelopesDropped(4), moment());
    assert_eq!((state.wire.dropped(), state.wire.total()), (7, 0));
}

// ---- What hinders sending

#[test]
fn a_refused_draft_is_no_error_any_more_when_its_cause_is_gone() {
    let mut state = joined_with(vec![person("ada", ada())], library());
    assert!(write(&mut state, Peer::Everyone, "Hello").is_empty());
    assert_eq!(state.send_obstacle(), Some(SendObstacle::Alone));
    assert!(state.was_send_refused());
    state.apply(joins(&state, person("bob", bob())), moment());
    assert_eq!(state.send_obstacle(), None, "it is derived, not remembered");
    assert!(!state.was_send_refused());
    assert_eq!(draft(&state, Peer::Everyone), "Hello");
    state.apply(leaves(&state, "bob"), moment());
    assert!(state.send_obstacle().is_some() && !state.was_send_refused(), "this time nothing was refused yet");
}

#[test]
fn a_refusal_belongs_to_its_conversation() {
    let long = "x".repeat(common::limits::MAX_TEXT_BYTES + 1);
    let mut state = joined();
    for peer in [bob_peer(), Peer::Everyone] {
        state.handle(Action::Select(peer), moment());
        state.handle(Action::EditDraft(long.clone()), moment());
    }
    state.handle(Action::Send, moment());
    assert!(state.was_send_refused());
    state.handle(Action::Select(bob_peer()), moment());
    assert!(state.send_obstacle().is_some() && !state.was_send_refused());
}

// ---- Several servers and names

/// Leaves, and joins as `who` at `address`.
fn join_as(state: &mut State, address: &str, who: &str, key: PublicKey) {
    state.handle(Action::Leave, moment());
    state.handle(Action::EditAddress(address.into()), moment());
    state.handle(Action::EditName(who.into()), moment());
    assert_eq!(commands(state.handle(Action::Connect, moment())).len(), 1);
    let people: Vec<Person> = vec![person(who, key.clone()), person("bob", bob())];
    state.apply(online_as(person(who, key), people, library()), moment());
}

#[test]
fn another_name_on_the_same_server_keeps_the_conversations_and_says_who_wrote() {
    let mut state = joined();
    say(&mut state, Peer::Everyone, "to all", 9, 0);
    say(&mut state, bob_peer(), "as ada", 1, 0);
    state.handle(Action::EditDraft("half a thought".into()), moment());
    state.apply(scenes::envelope(3, bob().id(), vec![ada().id()], WireOutcome::Opened), moment());
    let seen = state.wire.total();
    let written = |state: &State| {
        let written = messages(state, bob_peer()).into_iter();
        written.map(|m| (m.text, m.written_as.map(|name| name.to_string()))).collect::<Vec<_>>()
    };

    join_as(&mut state, "127.0.0.1:7878", "Ada Lovelace", eve());
    assert_eq!(written(&state), [("as ada".into(), Some("ada".into()))]);
    assert_eq!(messages(&state, Peer::Everyone).last().and_then(|last| last.note.clone()), None, "ada has not left");
    assert_eq!((draft(&state, bob_peer()), state.selected), ("half a thought", bob_peer()));
    assert_eq!(state.wire.total(), seen);
    say(&mut state, bob_peer(), "as Ada Lovelace", 2, 1);
    assert_eq!(written(&state)[1], ("as Ada Lovelace".into(), None));

    join_as(&mut state, "127.0.0.1", "ada", ada());
    let expected = [("as ada", "ada"), ("as Ada Lovelace", "Ada Lovelace")];
    assert_eq!(written(&state), expected.map(|(text, name)| (text.into(), Some(name.into()))));
}

#[test]
fn another_server_has_its_own_conversations_and_the_first_one_shows_its_own_again() {
    let mut state = joined();
    say(&mut state, bob_peer(), "here", 1, 0);
    state.handle(Action::EditDraft("half a thought".into()), moment());
    let seen = state.wire.total();
    join_as(&mut state, "elsewhere", "ada", ada());
    assert!(messages(&state, bob_peer()).is_empty());
    assert_eq!((draft(&state, bob_peer()), state.wire.total(), state.selected), ("", 0, Peer::Everyone));
    join_as(&mut state, "127.0.0.1", "ada", ada());
    assert_eq!(messages(&state, bob_peer())[0].text, "here");
    assert_eq!((draft(&state, bob_peer()), state.wire.total()), ("half a thought", seen));
    assert_eq!(state.selected, bob_peer());
}

#[test]
fn what_did_not_arrive_under_one_name_is_another_message_under_another() {
    let mut state = joined();
    let [NetCommand::Send { draft: sealed, .. }] = write(&mut state, bob_peer(), "Hello")[..] else {
        panic!("not sent")
    };
    state.apply(scenes::was_sealed(sealed, 1), moment());
    join_as(&mut state, "127.0.0.1:7878", "Ada Lovelace", eve());
    let again = commands(state.handle(Action::Retry(sealed), moment()));
    assert!(matches!(&again[..], [NetCommand::Send { .. }]), "the number before belongs to another key");
    assert_eq!(state.next_tick(), None, "no receipt for the first can come any more");
}

#[test]
fn a_late_answer_for_one_server_does_not_touch_the_messages_of_another() {
    let mut state = joined();
    let sent = write(&mut state, bob_peer(), "as ada");
    let [NetCommand::Send { draft: late, .. }] = sent[..] else { panic!("one message is sent") };
    join_as(&mut state, "lab", "eve", eve());
    write(&mut state, bob_peer(), "as eve");
    state.apply(NetEvent::SendFailed { draft: late, reason: "Too late.".into() }, moment());
    assert!(matches!(messages(&state, bob_peer())[0].delivery, Delivery::Pending(_)));
    join_as(&mut state, "127.0.0.1:7878", "ada", ada());
    assert!(
        matches!(messages(&state, bob_peer())[0].delivery, Delivery::Failed(..)),
        "it was lost with the connection"
    );
}
