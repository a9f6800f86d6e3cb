//! States about messages: in many languages, missing, late, on their way and confirmed.

use common::crypto::TextNumber;
use triptych_client::{
    event::{NetEvent, ReceivedMessage},
    state::{
        State,
        action::{Action, Moment, Peer},
        delivery::PATIENCE,
    },
};

use super::{ada, bob, id, message, moment, say, talked};

/// Bob writes to Ada, as number `number` of his letters, with this many missing before it.
pub fn numbered(text: &str, number: u32, missing_count: u32) -> NetEvent {
    let NetEvent::Received(message) = message("bob", &bob(), &[&ada()], text, 5) else { unreachable!("it is made so") };
    let number = TextNumber { count: 1, number };
    NetEvent::Received(ReceivedMessage { number, missing_count, ..message })
}

/// The scene with this name, if it is one of these.
pub fn scene(which: &str) -> Option<State> {
    let mut state = talked();
    match which {
        "missing" => {
            state.apply(numbered("The next one begins at nine.", 1, 0), moment());
            state.apply(numbered("So I am late.", 5, 3), moment());
            state.apply(numbered("I had to go home first.", 4, 0), moment());
            state.apply(numbered("Are you still there?", 7, 1), moment());
        }
        "delivery" => {
            let with_bob = Peer::Person(bob().id());
            say(&mut state, with_bob, "Did you see the end?", 110, 6);
            state.apply(NetEvent::Confirmed { by: bob().id(), ids: vec![id(110)] }, moment());
            say(&mut state, with_bob, "I liked the sound most.", 111, 7);
            let later = Moment { instant: moment().instant + PATIENCE, ..moment() };
            state.tick(later);
            say(&mut state, with_bob, "Shall we see another one?", 112, 8);
            state.handle(Action::EditDraft("Tomorrow?".into()), moment());
            state.handle(Action::Send, moment());
        }
        _ => return None,
    }
    Some(state)
}
