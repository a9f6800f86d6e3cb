//! All keys: one table of what each does, from which the page of keys and the tooltips are made. The parts of the window
//! carry the commands out.

pub(super) mod page;
#[cfg(test)]
mod tests;

use egui::{Context, Event, Key, Modifiers, Ui};

/// Where keys count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the whole window, also while a text is being typed.
    Everywhere,
    /// While a video is in the player and no text is being typed.
    Video,
    /// While a message is being typed.
    Message,
    /// While a message of the conversation has the focus, or, as far as they move no caret, while one is being typed.
    Conversation,
}

impl Place {
    /// All of them, in the order of the page.
    pub const ALL: [Self; 4] = [Self::Everywhere, Self::Video, Self::Message, Self::Conversation];

    /// The header on the page.
    pub fn header(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Video => "Video",
            Self::Message => "Message",
            Self::Conversation => "Conversation",
        }
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Show this page, or hide it.
    KeysPage,
    /// The same where a text can be typed.
    KeysPageAnywhere,
    /// Search the people.
    SearchPeople,
    /// Open the conversation above.
    PreviousConversation,
    /// Open the conversation below.
    NextConversation,
    /// Open the next conversation with unread messages.
    NextUnread,
    /// Show the lists, or hide them.
    Lists,
    /// Show what is docked beside a video, or hide it.
    Dock,
    /// Larger text and pictures; egui does it.
    ZoomIn,
    /// Smaller ones.
    ZoomOut,
    /// As large as at first.
    ZoomReset,
    /// The whole screen, also while a text is being typed.
    FullScreenAnywhere,
    /// Pause or play.
    Pause,
    /// Ten seconds back.
    BackTen,
    /// Ten seconds forward.
    ForwardTen,
    /// Five seconds back.
    BackFive,
    /// Five seconds forward.
    ForwardFive,
    /// A second back.
    BackOne,
    /// A second forward.
    ForwardOne,
    /// The picture before.
    StepBack,
    /// The next picture.
    StepForward,
    /// A tenth of the video for each unit of the digit.
    Tenth,
    /// The first picture.
    First,
    /// The last picture.
    Last,
    /// Louder.
    Louder,
    /// Less loud.
    Quieter,
    /// No sound, or sound again.
    Mute,
    /// Slower.
    Slower,
    /// Faster.
    Faster,
    /// Normal speed.
    NormalSpeed,
    /// The whole screen.
    FullScreen,
    /// The whole width of the window.
    Theatre,
    /// Out of the whole screen, and then of what else covers something.
    Leave,
    /// The statistics.
    Statistics,
    /// The next video in the list.
    NextVideo,
    /// The one before.
    PreviousVideo,
    /// Join the party for the video, or start one.
    Together,
    /// No video.
    Close,
    /// Send the message.
    Send,
    /// A line break.
    LineBreak,
    /// To the newest message, from wherever the conversation is read.
    ToEnd,
    /// A screen of messages up.
    ScreenUp,
    /// A screen of messages down.
    ScreenDown,
    /// The focus to the message above.
    MessageAbove,
    /// The focus to the message below.
    MessageBelow,
    /// The focus to the first message.
    FirstMessage,
    /// The focus to the last message.
    LastMessage,
}

/// A key with modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keystroke {
    /// The modifiers that it needs. Shift does not count for signs such as `?`, which some keyboards have with it.
    pub modifiers: Modifiers,
    /// The key.
    pub key: Key,
}

const fn plain(key: Key) -> Keystroke {
    Keystroke { modifiers: Modifiers::NONE, key }
}

const fn with(modifiers: Modifiers, key: Key) -> Keystroke {
    Keystroke { modifiers, key }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where it counts.
    pub place: Place,
    /// The keys; each of them alone is enough.
    pub strokes: &'static [Keystroke],
    /// What they do.
    pub command: Command,
    /// The same in words, for the page.
    pub text: &'static str,
    /// Whether a key that is held down does it again and again.
    pub repeats: bool,
}

const fn row(place: Place, strokes: &'static [Keystroke], command: Command, text: &'static str) -> Binding {
    Binding { place, strokes, command, text, repeats: false }
}

const fn repeated(place: Place, strokes: &'static [Keystroke], command: Command, text: &'static str) -> Binding {
    Binding { place, strokes, command, text, repeats: true }
}

/// The digits, from 0 on.
pub const DIGITS: [Key; 10] =
    [Key::Num0, Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

const DIGIT_STROKES: &[Keystroke] = &[
    plain(DIGITS[0]),
    plain(DIGITS[1]),
    plain(DIGITS[2]),
    plain(DIGITS[3]),
    plain(DIGITS[4]),
    plain(DIGITS[5]),
    plain(DIGITS[6]),
    plain(DIGITS[7]),
    plain(DIGITS[8]),
    plain(DIGITS[9]),
];

use Command as C;
use Place::{Conversation, Everywhere, Message, Video};

/// All bindings, in the order of the page.
pub const ALL: &[Binding] = &[
    row(Everywhere, &[plain(Key::Questionmark)], C::KeysPage, "Show this page, unless a text is being typed"),
    row(Everywhere, &[plain(Key::F1)], C::KeysPageAnywhere, "Show this page"),
    row(Everywhere, &[with(Modifiers::COMMAND, Key::K)], C::SearchPeople, "Search people"),
    repeated(Everywhere, &[with(Modifiers::ALT, Key::ArrowUp)], C::PreviousConversation, "Previous conversation"),
    repeated(Everywhere, &[with(Modifiers::ALT, Key::ArrowDown)], C::NextConversation, "Next conversation"),
    row(Everywhere, &[with(Modifiers::COMMAND, Key::J)], C::NextUnread, "Next unread conversation"),
    repeated(
        Everywhere,
        &[with(Modifiers::COMMAND, Key::Plus), with(Modifiers::COMMAND, Key::Equals)],
        C::ZoomIn,
        "Larger text",
    ),
    repeated(Everywhere, &[with(Modifiers::COMMAND, Key::Minus)], C::ZoomOut, "Smaller text"),
    row(Everywhere, &[with(Modifiers::COMMAND, Key::Num0)], C::ZoomReset, "Normal text size"),
    row(Everywhere, &[plain(Key::F9)], C::Lists, "Show or hide people and videos"),
    row(Everywhere, &[with(Modifiers::SHIFT, Key::F9)], C::Dock, "Show or hide what is beside a video"),
    row(Everywhere, &[plain(Key::F11)], C::FullScreenAnywhere, "Full screen, while a video is open"),
    row(Video, &[plain(Key::Space), plain(Key::K)], C::Pause, "Pause or play"),
    repeated(Video, &[plain(Key::ArrowLeft)], C::BackFive, "5 seconds back"),
    repeated(Video, &[plain(Key::ArrowRight)], C::ForwardFive, "5 seconds forward"),
    repeated(Video, &[plain(Key::J)], C::BackTen, "10 seconds back"),
    repeated(Video, &[plain(Key::L)], C::ForwardTen, "10 seconds forward"),
    repeated(Video, &[with(Modifiers::SHIFT, Key::ArrowLeft)], C::BackOne, "1 second back"),
    repeated(Video, &[with(Modifiers::SHIFT, Key::ArrowRight)], C::ForwardOne, "1 second forward"),
    repeated(Video, &[plain(Key::Comma)], C::StepBack, "Previous picture"),
    repeated(Video, &[plain(Key::Period)], C::StepForward, "Next picture"),
    row(Video, DIGIT_STROKES, C::Tenth, "To 0 %, 10 %, … 90 % of the video"),
    row(Video, &[plain(Key::Home)], C::First, "To the beginning"),
    row(Video, &[plain(Key::End)], C::Last, "To the last picture"),
    repeated(Video, &[plain(Key::ArrowUp)], C::Louder, "Louder"),
    repeated(Video, &[plain(Key::ArrowDown)], C::Quieter, "Less loud"),
    row(Video, &[plain(Key::M)], C::Mute, "Mute or unmute"),
    row(Video, &[plain(Key::OpenBracket)], C::Slower, "Slower"),
    row(Video, &[plain(Key::CloseBracket)], C::Faster, "Faster"),
    row(Video, &[plain(Key::Backspace)], C::NormalSpeed, "Normal speed"),
    row(Video, &[plain(Key::F)], C::FullScreen, "Full screen; also a double click on the picture"),
    row(Video, &[plain(Key::T)], C::Theatre, "Whole width of the window"),
    row(Video, &[plain(Key::Escape)], C::Leave, "Leave full screen, or close the statistics"),
    row(Video, &[plain(Key::I)], C::Statistics, "Statistics"),
    row(Video, &[plain(Key::N)], C::NextVideo, "Next video"),
    row(Video, &[plain(Key::P)], C::PreviousVideo, "Previous video"),
    row(Video, &[plain(Key::W)], C::Together, "Watch together with others"),
    row(Video, &[plain(Key::Q)], C::Close, "Close the video"),
    row(Message, &[plain(Key::Enter)], C::Send, "Send"),
    row(Message, &[with(Modifiers::SHIFT, Key::Enter)], C::LineBreak, "New line"),
    row(Conversation, &[with(Modifiers::COMMAND, Key::End)], C::ToEnd, "Newest message"),
    repeated(Conversation, &[plain(Key::PageUp)], C::ScreenUp, "One screen up"),
    repeated(Conversation, &[plain(Key::PageDown)], C::ScreenDown, "One screen down"),
    repeated(Conversation, &[plain(Key::ArrowUp)], C::MessageAbove, "Message above"),
    repeated(Conversation, &[plain(Key::ArrowDown)], C::MessageBelow, "Message below"),
    row(Conversation, &[plain(Key::Home)], C::FirstMessage, "First message"),
    row(Conversation, &[plain(Key::End)], C::LastMessage, "Last message"),
];

impl Keystroke {
    /// Whether a key that is pressed with these modifiers is this one.
    pub fn is_pressed(self, key: Key, modifiers: Modifiers) -> bool {
        // Where signs are on a keyboard differs: here with Shift, there without.
        let signs =
            [Key::Questionmark, Key::OpenBracket, Key::CloseBracket, Key::Plus, Key::Equals, Key::Comma, Key::Period];
        let is_sign = signs.contains(&self.key) || DIGITS.contains(&self.key);
        self.key == key
            && self.modifiers.command == modifiers.command
            && self.modifiers.alt == modifiers.alt
            && (self.modifiers.shift == modifiers.shift || is_sign)
    }

    /// Its name on the page.
    pub fn name(self) -> String {
        let sign = match self.key {
            Key::ArrowLeft => "←",
            Key::ArrowRight => "→",
            Key::ArrowUp => "↑",
            Key::ArrowDown => "↓",
            Key::Escape => "Esc",
            Key::PageUp => "Page Up",
            Key::PageDown => "Page Down",
            Key::Minus => "-",
            key => key.symbol_or_name(),
        };
        let mut name = String::new();
        for (is_needed, text) in
            [(self.modifiers.command, "Ctrl "), (self.modifiers.alt, "Alt "), (self.modifiers.shift, "Shift ")]
        {
            name += if is_needed { text } else { "" };
        }
        name + sign
    }
}

impl Binding {
    /// Its keys, as the page names them.
    pub fn keys(&self) -> String {
        match self.command {
            C::Tenth => "0 … 9".to_owned(),
            C::ZoomIn => self.strokes[0].name(),
            _ => self.strokes.iter().map(|stroke| stroke.name()).collect::<Vec<_>>().join("  "),
        }
    }
}

/// Whether keys that do not count while a text is typed count now.
pub fn is_typing(ctx: &Context) -> bool {
    ctx.text_edit_focused()
}

/// How often the keys of this command were pressed since the last frame. They count for nothing else after that.
pub(crate) fn take(ui: &Ui, command: Command) -> usize {
    taken(ui, command).count()
}

/// The same, as the keys that were pressed.
pub(crate) fn taken(ui: &Ui, command: Command) -> impl Iterator<Item = Key> + use<> {
    let mut keys = Vec::new();
    for binding in ALL.iter().filter(|binding| binding.command == command) {
        let counts = match binding.place {
            // A sign would be typed.
            Place::Everywhere if command == C::KeysPage => !is_typing(ui.ctx()),
            Place::Everywhere | Place::Message | Place::Conversation => true,
            Place::Video => !is_typing(ui.ctx()),
        };
        if !counts {
            continue;
        }
        ui.input_mut(|input| {
            input.events.retain(|event| match event {
                Event::Key { key, pressed: true, repeat, modifiers, .. }
                    if binding.strokes.iter().any(|stroke| stroke.is_pressed(*key, *modifiers)) =>
                {
                    // A key that is held down repeats; that must not toggle over and over.
                    keys.extend((!repeat || binding.repeats).then_some(*key));
                    false
                }
                _ => true,
            });
        });
    }
    keys.into_iter()
}

/// A tooltip with the keys of a command.
pub(crate) fn tip(text: &str, command: Command) -> String {
    let keys = ALL.iter().find(|binding| binding.command == command).and_then(|binding| binding.strokes.first());
    keys.map_or_else(|| text.to_owned(), |stroke| format!("{text} ({})", stroke.name()))
}
