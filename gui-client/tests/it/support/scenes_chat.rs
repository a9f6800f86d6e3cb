//! States of conversations: what is new, who came and went, and a talk over several days.

use triptych_client::state::{
    State,
    action::{Action, Moment, Peer},
};

use super::{ada, bob, eve, joined, joins, leaves, message, moment, noon_millis, person, say};

const MINUTES_OF_DAY: u64 = 24 * 60;

/// The scene with this name, if it is one of these.
pub fn scene(which: &str) -> Option<State> {
    let with_bob = Peer::Person(bob().id());
    let mut state = joined();
    let from_bob = |state: &mut State, text: &str, minute: u64| {
        state.apply(message("bob", &bob(), &[&ada()], text, minute), moment());
    };
    let at = |minute: u64| Moment { unix_millis: noon_millis() + minute * 60_000, ..moment() };
    match which {
        "new" => {
            state.handle(Action::Select(with_bob), moment());
            from_bob(&mut state, "The numbers are ready.", 1);
            say(&mut state, with_bob, "I look at them at home.", 120, 2);
            state.set_focused(false);
            from_bob(&mut state, "Good. Tell me what you think of the middle part.", 30);
            from_bob(&mut state, "And of the sound.", 31);
            state.set_focused(true);
        }
        "went-offline" => {
            state.handle(Action::Select(with_bob), moment());
            from_bob(&mut state, "I have to change trains.", 1);
            state.apply(leaves(&state, "bob"), at(2));
            state.apply(joins(&state, person("bob", bob())), at(9));
            from_bob(&mut state, "Here I am again.", 10);
            state.apply(leaves(&state, "bob"), at(12));
        }
        "room" => {
            let all = [ada(), bob(), eve()];
            let all: Vec<_> = all.iter().collect();
            for (name, key, text, minute) in [
                ("bob", bob(), "Does anyone have the second lecture?", 1),
                ("bob", bob(), "Mine ends in the middle.", 2),
                ("eve", eve(), "Ask Ada. She was there.", 3),
            ] {
                state.apply(message(name, &key, &all, text, minute), moment());
            }
            say(&mut state, Peer::Everyone, "It is on the server since this morning: Lecture 2.", 121, 4);
            state.apply(leaves(&state, "eve"), at(5));
            state.apply(message("bob", &bob(), &all, "Thank you!", 14), moment());
        }
        "long-talk" | "ten-thousand" => {
            let count = if which == "long-talk" { 120 } else { 10_000 };
            for number in 0..count {
                let minute = number / 40 * MINUTES_OF_DAY + number % 40 * 2;
                let text = match number % 5 {
                    0 => "And then?".to_owned(),
                    1 => format!("Part {number}. It is the same picture, and still one sees more of it each time."),
                    2 => "Yes.".to_owned(),
                    3 => "I think it is the light. In the first part it is only a patch, and in the last one each leaf has its own."
                        .to_owned(),
                    _ => format!("{number} …"),
                };
                if number % 3 == 1 && count < 1_000 {
                    say(&mut state, with_bob, &text, (number % 250) as u8, minute);
                } else {
                    from_bob(&mut state, &text, minute);
                }
            }
            state.handle(Action::Select(with_bob), moment());
        }
        _ => return None,
    }
    Some(state)
}
