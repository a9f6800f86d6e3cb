//! What the desktop shows of messages that arrive while the window is not in front: one notification, which is replaced as more
//! arrive and goes when the person comes back. It holds no text of a message unless the person wants that.

use std::time::{Duration, Instant};

use common::name::Name;

use super::{
    State,
    action::{Moment, Peer},
    effect::Effect,
    notification::Notification,
    presence_note::named,
};
use crate::{event::ReceivedMessage, settings::Notifications};

/// A notification is replaced no sooner than this after it was shown, so that a lively talk does not flicker.
pub const LEAST_INTERVAL: Duration = Duration::from_secs(2);

/// Most characters of a message in a notification.
const MAX_TEXT_CHARS: usize = 200;

/// The messages of one conversation that have arrived since the window was in front.
#[derive(Debug, Clone)]
struct Arrived {
    peer: Peer,
    count: usize,
    /// The author of the last one.
    author: Name,
    /// The last one; `None` if texts are not shown.
    text: Option<String>,
}

/// What has arrived, and what the desktop shows of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Notifier {
    /// The conversation of the last message comes last.
    arrived: Vec<Arrived>,
    /// Since when a change is to be shown.
    changed_at: Option<Instant>,
    shown_at: Option<Instant>,
}

impl Notifier {
    fn arrive(&mut self, peer: Peer, author: Name, text: Option<String>, now: Instant) {
        let place = self.arrived.iter().position(|arrived| arrived.peer == peer);
        let count = place.map_or(0, |place| self.arrived.remove(place).count) + 1;
        self.arrived.push(Arrived { peer, count, author, text });
        self.changed_at.get_or_insert(now);
    }

    /// When the notification is to be shown, or shown anew.
    fn due_at(&self) -> Option<Instant> {
        let changed_at = self.changed_at?;
        Some(self.shown_at.map_or(changed_at, |shown_at| changed_at.max(shown_at + LEAST_INTERVAL)))
    }

    /// What is to be shown now, if anything.
    fn take_due(&mut self, now: Instant) -> Option<Notification> {
        self.due_at().filter(|due_at| *due_at <= now)?;
        (self.changed_at, self.shown_at) = (None, Some(now));
        compose(&self.arrived)
    }

    /// The window is in front again. Returns whether a notification has to go.
    fn come_back(&mut self) -> bool {
        std::mem::take(self).shown_at.is_some()
    }
}

/// The notification about these messages.
fn compose(arrived: &[Arrived]) -> Option<Notification> {
    let last = arrived.last()?;
    let opens = last.peer;
    let total: usize = arrived.iter().map(|arrived| arrived.count).sum();
    if arrived.len() > 1 {
        let name = |arrived: &Arrived| match arrived.peer {
            Peer::Everyone => "Everyone".to_owned(),
            Peer::Person(_) => arrived.author.to_string(),
        };
        let names: Vec<_> = arrived.iter().rev().map(name).collect();
        return Some(Notification {
            title: format!("{total} new messages"),
            text: format!("From {}", named(&names)),
            opens,
        });
    }
    let title = match (last.peer, last.count) {
        (Peer::Everyone, 1) => format!("{} wrote to everyone", last.author),
        (Peer::Everyone, count) => format!("Everyone: {count} new messages"),
        (Peer::Person(_), 1) => format!("{} wrote to you", last.author),
        (Peer::Person(_), count) => format!("{}: {count} new messages", last.author),
    };
    let text = last.text.as_deref().unwrap_or_default();
    let mut shown: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = shown.char_indices().nth(MAX_TEXT_CHARS) {
        shown.truncate(end);
        shown.push('…');
    }
    Some(Notification { title, text: shown, opens })
}

impl State {
    /// Takes in that this message has become unread while the window is not in front.
    pub(super) fn notify_of(&mut self, peer: Peer, message: &ReceivedMessage, now: Moment) {
        let text = match self.settings.notifications {
            Notifications::Off => return,
            Notifications::WithoutText => None,
            Notifications::WithText => Some(message.text.clone()),
        };
        self.notifier.arrive(peer, message.from.clone(), text, now.instant);
    }

    /// When [`Self::notify`] has something to do.
    pub(super) fn next_notification(&self) -> Option<Instant> {
        self.notifier.due_at()
    }

    /// What the desktop has to be told now.
    pub(super) fn notify(&mut self, now: Moment) -> Option<Effect> {
        if self.is_focused {
            return self.notifier.come_back().then_some(Effect::CloseNotification);
        }
        self.notifier.take_due(now.instant).map(Effect::Notify)
    }
}

#[cfg(test)]
mod tests {
    use common::crypto::KeyId;

    use super::*;

    const ADA: Peer = Peer::Person(KeyId([1; 32]));
    const BOB: Peer = Peer::Person(KeyId([2; 32]));

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn several_messages_are_told_in_one_notification() {
        let mut notifier = Notifier::default();
        let now = Instant::now();
        let mut shown = |peer, who: &str, text: Option<&str>| {
            notifier.arrive(peer, name(who), text.map(str::to_owned), now);
            let Notification { title, text, opens } = compose(&notifier.arrived).unwrap();
            (title, text, opens)
        };
        let expected = |title: &str, text: &str, opens| (title.to_owned(), text.to_owned(), opens);
        assert_eq!(shown(ADA, "ada", None), expected("ada wrote to you", "", ADA));
        assert_eq!(shown(ADA, "ada", Some("two\nlines")), expected("ada: 2 new messages", "two lines", ADA));
        assert_eq!(shown(BOB, "bob", None), expected("3 new messages", "From bob and ada", BOB));
        assert_eq!(
            shown(Peer::Everyone, "eve", None),
            expected("4 new messages", "From Everyone, bob and ada", Peer::Everyone)
        );
        let mut alone = Notifier::default();
        alone.arrive(Peer::Everyone, name("eve"), Some("é".repeat(300)), now);
        let Notification { title, text, .. } = compose(&alone.arrived).unwrap();
        assert_eq!((title.as_str(), text.chars().count()), ("eve wrote to everyone", MAX_TEXT_CHARS + 1));
    }

    #[test]
    fn the_first_message_is_told_at_once_and_further_ones_together() {
        let mut notifier = Notifier::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!((notifier.due_at(), notifier.take_due(start)), (None, None));
        notifier.arrive(ADA, name("ada"), None, start);
        assert_eq!(notifier.take_due(start).map(|shown| shown.title).as_deref(), Some("ada wrote to you"));
        for millis in [100, 200, 300] {
            notifier.arrive(ADA, name("ada"), None, at(millis));
            assert_eq!(notifier.take_due(at(millis)), None);
        }
        assert_eq!(notifier.due_at(), Some(start + LEAST_INTERVAL));
        assert_eq!(
            notifier.take_due(start + LEAST_INTERVAL).map(|shown| shown.title).as_deref(),
            Some("ada: 4 new messages")
        );
        assert_eq!(notifier.due_at(), None);
        assert!(notifier.come_back());
        assert!(!notifier.come_back(), "it has gone");
    }
}
