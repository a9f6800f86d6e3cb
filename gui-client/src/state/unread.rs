//! Which messages are new to the person: those that arrived while the end of their conversation was not in sight.

use super::{
    State,
    action::Peer,
    conversation::Conversation,
    news::{News, Serial},
};

impl Conversation {
    /// The message before which the window marks that new ones begin.
    pub fn new_from(&self) -> Option<Serial> {
        self.news.first
    }

    /// The first new message, while the end has not been in sight since it arrived.
    pub fn first_unseen(&self) -> Option<Serial> {
        self.news.first.filter(|_| !self.news.is_seen)
    }

    /// Takes in that this message arrived unread.
    pub(super) fn note_unread(&mut self, serial: Serial) {
        self.unread_count += 1;
        if self.first_unseen().is_none() {
            self.news = News { first: Some(serial), is_seen: false };
        }
    }

    fn see_end(&mut self) {
        self.news.is_seen = true;
    }

    /// Another conversation is opened: what has been seen is not new any more.
    pub(super) fn leave(&mut self) {
        if self.news.is_seen {
            self.news = News::default();
        }
    }
}

impl State {
    /// Whether the window has the keyboard focus.
    pub fn is_focused(&self) -> bool {
        self.is_focused
    }

    /// Whether the end of the open conversation is in sight; while it is not, what arrives is unread.
    pub fn is_end_in_sight(&self) -> bool {
        self.is_end_in_sight
    }

    /// Takes in whether the window has the keyboard focus. A message that arrives without it is unread even if its
    /// conversation is open, because the person is working in another window; it is read when the focus comes back.
    pub fn set_focused(&mut self, is_focused: bool) {
        let has_come_back = is_focused && !self.is_focused;
        self.is_focused = is_focused;
        if has_come_back && self.shows_conversation() && self.is_end_in_sight {
            self.mark_read();
        }
    }

    /// Takes in whether the window shows the end of this conversation.
    pub(super) fn see_end(&mut self, peer: Peer, is_in_sight: bool) {
        if peer != self.selected {
            return;
        }
        self.is_end_in_sight = is_in_sight;
        if is_in_sight && self.is_focused {
            self.mark_read();
            self.conversations.entry(peer).see_end();
        }
    }

    /// Whether messages of this conversation are read as they arrive.
    pub(super) fn is_being_read(&self, peer: Peer) -> bool {
        self.is_focused && peer == self.selected && self.shows_conversation() && self.is_end_in_sight
    }

    pub(super) fn select(&mut self, peer: Peer) {
        if self.selected != peer {
            self.conversations.entry(self.selected).leave();
            self.selected = peer;
            // Until the window says otherwise.
            self.is_end_in_sight = true;
            self.raised = None;
            self.refused_by = None;
        }
        if self.shows_conversation() && self.is_end_in_sight {
            self.mark_read();
        }
    }

    /// The open conversation has come into sight.
    pub(super) fn see_conversation(&mut self) {
        if self.is_focused && self.is_end_in_sight {
            self.mark_read();
        }
    }

    fn mark_read(&mut self) {
        let conversation = self.conversations.entry(self.selected);
        if std::mem::take(&mut conversation.unread_count) > 0 {
            // Otherwise the row that was just clicked would jump away, perhaps out of sight.
            self.raised = Some(self.selected);
        }
    }
}
