//! Which messages belong together, and what is said of each: pure.

use crate::state::conversation::{Author, Conversation, Delivery, Message};
use crate::ui::kit::format;

/// Messages of one author belong together up to this time between them.
const GROUP_MILLIS: u64 = 5 * 60_000;

/// What precedes the bubble of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    /// It is the first of its day.
    pub begins_day: bool,
    /// New messages begin with it.
    pub begins_news: bool,
    /// It is the first of several that belong together.
    pub begins_group: bool,
}

/// What precedes the message with this index.
pub(super) fn before(conversation: &Conversation, index: usize) -> Before {
    let message = &conversation.messages[index];
    let last = index.checked_sub(1).map(|last| &conversation.messages[last]);
    let day = format::day(message.unix_millis);
    let begins_day = day.is_some() && last.is_none_or(|last| format::day(last.unix_millis) != day);
    let begins_news = conversation.new_from() == Some(message.serial);
    let is_apart = |last: &Message| {
        last.author != message.author
            || last.unix_millis.abs_diff(message.unix_millis) > GROUP_MILLIS
            || last.note.is_some()
            || message.missing_count > 0
    };
    let begins_group = begins_day || begins_news || last.is_none_or(is_apart);
    Before { begins_day, begins_news, begins_group }
}

/// Whether the message with this index is the last of those that belong together.
pub(super) fn ends_group(conversation: &Conversation, index: usize) -> bool {
    index + 1 >= conversation.messages.len() || before(conversation, index + 1).begins_group
}

/// What has become of an own message, in a word or two.
pub(super) fn delivery_word(delivery: &Delivery) -> &'static str {
    match delivery {
        Delivery::Received => "",
        Delivery::Waiting(_) => "waiting",
        Delivery::Pending(_) | Delivery::Sent(..) => "sending",
        Delivery::Relayed => "sent",
        Delivery::Delivered => "delivered",
        Delivery::Failed(..) => "not sent",
    }
}

/// What a screen reader says for a message.
pub(super) fn spoken(message: &Message, is_doubtful: bool) -> String {
    let author = match &message.author {
        Author::Me => "You",
        Author::Other { name, .. } => name.as_str(),
    };
    let doubt = if is_doubtful { ", with another key than before" } else { "" };
    let (time, text) = (format::clock(message.unix_millis), &message.text);
    match delivery_word(&message.delivery) {
        "" => format!("{author}{doubt}, {time}: {text}"),
        state => format!("{author}, {time}: {text}, {state}"),
    }
}

/// A message as it is copied: with its author and time.
pub(super) fn with_author(message: &Message, me: &str) -> String {
    let author = match &message.author {
        Author::Me => me,
        Author::Other { name, .. } => name.as_str(),
    };
    format!("[{}] {author}: {}", format::date_and_clock(message.unix_millis), message.text)
}
