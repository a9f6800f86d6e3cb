//! Taking in what others say, and who they are.

use std::sync::Arc;

use common::message::Viewing;

use super::{
    State,
    action::{Moment, Peer},
    conversation::Conversations,
    effect::Effect,
};
use crate::{
    dictionary::Dictionary,
    event::{ReceivedMessage, WireEntry, WireOutcome},
};

impl State {
    /// A message was opened.
    pub(super) fn received(&mut self, message: ReceivedMessage, now: Moment) -> Vec<Effect> {
        // An author is shown under the name that the window lists, and one that it has never listed is not shown.
        let Some(from) = self.people.name_of(&message.sender).cloned() else { return Vec::new() };
        self.wire.note_received(&message);
        let peer = Conversations::peer_of(&message);
        let (is_read, sender, message_id) = (self.is_being_read(peer), message.sender, message.message_id);
        let message = ReceivedMessage { from, ..message };
        let is_new = self.conversations.receive(message.clone(), is_read);
        if is_new && !self.is_focused {
            self.notify_of(peer, &message, now);
        }
        if peer == Peer::Everyone { Vec::new() } else { self.confirm(sender, message_id) }
    }

    /// An envelope has passed.
    pub(super) fn passed(&mut self, entry: WireEntry, now: Moment) {
        let mut said = None;
        if entry.outcome == WireOutcome::Own {
            said = self.own_text(&entry.envelope);
            self.conversations.relayed(entry.envelope.message_id, now.instant);
        }
        self.wire.push(entry, now.unix_millis, said);
    }

    /// People have come or gone.
    pub(super) fn dictionary_changed(&mut self, dictionary: Arc<Dictionary>, now: Moment) -> Vec<Effect> {
        let (before, companions) = (self.people.dictionary().cloned(), self.companions());
        let newcomers = self.people.change(dictionary, Some(now.unix_millis));
        self.note_presence(before, now.unix_millis);
        self.note_companions(&companions, now);
        self.forget_departed();
        self.meet(newcomers, now)
    }

    /// People watch something else than before.
    pub(super) fn watching_changed(&mut self, viewings: &[Viewing], now: Moment) {
        let companions = self.companions();
        self.people.watch(viewings);
        self.note_companions(&companions, now);
    }
}
