//! States about messages: in many languages, missing, late, on their way and confirmed.

use common::crypto::TextNumber;
use triptych_client::{
    event::{NetEvent, ReceivedMessage},
    state::State,
};

use super::{ada, bob, message, moment, talked};

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
        "languages" => {
            for (minute, text) in [
                "Příliš žluťoučký kůň úpěl ďábelské ódy",
                "Ελληνικά, русский, türkçe, Tiếng Việt",
                "日本語のテキスト、中文文本, 한국어 텍스트",
                "مرحبا بالعالم, שלום עולם",
                "हिन्दी में लिखा हुआ, ภาษาไทย",
                "😀 🎬 ✅ ❤ → ∑ ½ ♪",
            ]
            .into_iter()
            .enumerate()
            {
                state.apply(message("bob", &bob(), &[&ada()], text, 10 + minute as u64), moment());
            }
        }
        "missing" => {
            state.apply(numbered("The next one begins at nine.", 1, 0), moment());
            state.apply(numbered("So I am late.", 5, 3), moment());
            state.apply(numbered("I had to go home first.", 4, 0), moment());
            state.apply(numbered("Are you still there?", 7, 1), moment());
        }
        _ => return None,
    }
    Some(state)
}
