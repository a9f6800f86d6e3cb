//! What the window knows of a lost connection: why it was lost, when it is tried again, and that its contents stay.

use common::media::Library;
use triptych_client::{
    event::{NetEvent, Offline},
    state::{
        State,
        action::{Action, Moment},
    },
};

use crate::support::{
    scenes::{ada, bob, eve, joined, leaves, lost, moment, online, person, stranger},
    state::{bob_peer, contact_names, draft, write},
};

fn refused_by_the_system() -> NetEvent {
    NetEvent::Offline(Offline::Unreachable { what: "No server listens there.".into(), remedy: "Start it.".into() })
}

/// The next automatic attempt begins.
fn tick(state: &mut State) {
    let instant = state.next_tick().expect("it is tried again");
    state.tick(Moment { instant, ..moment() });
}

#[test]
fn the_reason_of_the_loss_stays_and_that_of_the_last_attempt_is_told_beside_it() {
    let mut state = joined();
    state.apply(NetEvent::Offline(Offline::Goodbye("The server was stopped.".into())), moment());
    let loss = state.connection.problem.clone().expect("it is explained");
    assert_eq!((&*loss.what, state.connection.last_failure.clone()), ("The server ended the connection.", None));
    for _ in 0..3 {
        tick(&mut state);
        state.apply(refused_by_the_system(), moment());
        assert_eq!(state.connection.problem.as_ref(), Some(&loss));
        assert_eq!(state.connection.last_failure.as_deref(), Some("No server listens there."));
    }
    state.handle(Action::ReconnectNow, moment());
    state.apply(refused_by_the_system(), moment());
    assert_eq!(state.connection.problem.as_ref(), Some(&loss), "also after an attempt by hand");
    tick(&mut state);
    state.apply(online(Vec::new(), Library::default()), moment());
    assert_eq!((state.connection.problem.clone(), state.connection.last_failure.clone()), (None, None));
    state.apply(refused_by_the_system(), moment());
    let what = state.connection.problem.as_ref().map(|problem| problem.what.as_str());
    assert_eq!(what, Some("No server listens there."), "the next loss has a reason of its own");
}

#[test]
fn the_list_of_people_keeps_its_order_while_the_connection_is_lost() {
    let people = || {
        let guests =
            ["Bob", "Ada 10", "Ada 9"].into_iter().zip(1..).map(|(text, number)| person(text, stranger(number)));
        guests.chain([person("ada", ada()), person("zoe", bob()), person("eve", eve())]).collect()
    };
    let mut state = joined();
    state.apply(online(people(), Library::default()), moment());
    write(&mut state, bob_peer(), "Hello");
    let order = |state: &State| contact_names(state).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let before = order(&state);
    state.apply(NetEvent::Offline(lost()), moment());
    assert_eq!(order(&state), before);
    state.apply(online(people(), Library::default()), moment());
    assert_eq!(order(&state), before);
}

#[test]
fn drafts_and_the_open_conversation_survive_a_loss_and_a_visit_to_the_form() {
    let mut state = joined();
    state.handle(Action::Select(bob_peer()), moment());
    state.handle(Action::EditDraft("half a thought".into()), moment());
    state.apply(leaves(&state, "bob"), moment());
    state.apply(NetEvent::Offline(lost()), moment());
    state.handle(Action::Leave, moment());
    state.handle(Action::Connect, moment());
    state.apply(online(vec![person("ada", ada()), person("bob", bob())], Library::default()), moment());
    assert_eq!((state.selected, draft(&state, bob_peer())), (bob_peer(), "half a thought"));
}
