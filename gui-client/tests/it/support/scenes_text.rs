//! States about what people write: scripts, emoji, links, and the composer.

use triptych_client::state::{
    State,
    action::{Action, Peer},
};

use super::{ada, bob, message, moment, say, talked};

/// A link whose first letter is Cyrillic.
pub const LOOK_ALIKE: &str = "https://аpple.com/";

/// Messages of Bob in many scripts.
const SCRIPTS: [&str; 9] = [
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Ελληνικά, русский, türkçe, Tiếng Việt",
    "日本語のテキスト、中文文本, 한국어 텍스트",
    "مرحبا بالعالم! الدرس الساعة 14:30 في الغرفة (B12).",
    "שלום עולם, the file is Holiday_720p.mp4, בהצלחה!",
    "In English with שלום עולם inside.",
    "हिन्दी में लिखा हुआ, ภาษาไทย",
    "😀 🎬 ✅ ❤️ ❤ → ∑ ½ ♪",
    "👨‍👩‍👧 👍🏽 🇩🇪 1️⃣ 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
];

/// The scene with this name, if it is one of these.
pub(super) fn scene(which: &str) -> Option<State> {
    let mut state = talked();
    let with_bob = Peer::Person(bob().id());
    state.handle(Action::Select(with_bob), moment());
    match which {
        "languages" => {
            for (minute, text) in SCRIPTS.into_iter().enumerate() {
                state.apply(message("bob", &bob(), &[&ada()], text, 10 + minute as u64), moment());
            }
            say(&mut state, with_bob, "תודה רבה 😀", 30, 30);
            state.handle(Action::EditDraft("أكتب الآن بالعربية, then English 😀 ".into()), moment());
        }
        "links" => {
            for (minute, text) in [
                "The slides are at https://slides.example.org/a-long-path/of-many-parts/lecture-01?page=12#figure, have a look.",
                "Is this the shop? https://аpple.com/",
            ]
            .into_iter()
            .enumerate()
            {
                state.apply(message("bob", &bob(), &[&ada()], text, 10 + minute as u64), moment());
            }
            say(&mut state, with_bob, "No, http://10.0.0.7:8080", 30, 20);
        }
        "link-question" => {
            state = scene("links")?;
            state.handle(Action::AskAboutLink(LOOK_ALIKE.into()), moment());
        }
        "long-draft" => {
            let lines: Vec<String> = (1..=30).map(|line| format!("Line {line} of what I have to say.")).collect();
            state.handle(Action::EditDraft(lines.join("\n")), moment());
        }
        "nearly-full" => {
            state.handle(Action::EditDraft("word ".repeat(1_630)), moment());
        }
        "too-long" => {
            state.handle(Action::EditDraft("word ".repeat(1_641)), moment());
        }
        _ => return None,
    }
    Some(state)
}
