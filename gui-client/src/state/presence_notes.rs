//! Writes down in the conversations who comes and goes; in a large room only in those of two.

use std::sync::Arc;

use common::{crypto::KeyId, name::Name};

use super::{
    State,
    action::Peer,
    conversation::Conversation,
    presence_note::{MAX_TOLD, PresenceNote, after_change, after_room_change},
};
use crate::dictionary::Dictionary;

/// Applies `change` to the note after the last message, if there is one.
fn note(conversation: &mut Conversation, change: impl FnOnce(Option<PresenceNote>) -> Option<PresenceNote>) {
    if let Some(last) = conversation.messages.back_mut() {
        last.note = change(last.note.take());
    }
}

impl State {
    /// Notes who has come and gone since the dictionary was as `before`.
    pub(super) fn note_presence(&mut self, before: Option<Arc<Dictionary>>, unix_millis: u64) {
        let (Some(before), Some(now)) = (before, self.people.dictionary().cloned()) else { return };
        // What each of them lacks of the other one.
        let changes =
            [(&*before, &*now, false), (&*now, &*before, true)].into_iter().flat_map(|(one, other, has_come)| {
                let lacking = one.people().filter(|person| other.person(&person.public_key.id()).is_none());
                lacking.map(move |person| (person.public_key.id(), person.name.clone(), has_come))
            });
        let is_small_room = before.people().len().max(now.people().len()) <= MAX_TOLD + 1;
        for (key, name, has_come) in changes {
            self.note_change(key, &name, has_come, is_small_room, unix_millis);
        }
    }

    fn note_change(&mut self, key: KeyId, name: &Name, has_come: bool, is_small_room: bool, unix_millis: u64) {
        if let Some(conversation) = self.conversations.get_mut(Peer::Person(key)) {
            note(conversation, |before| after_change(before, has_come, unix_millis));
        }
        if let Some(conversation) = self.conversations.get_mut(Peer::Everyone).filter(|_| is_small_room) {
            note(conversation, |before| after_room_change(before, name, has_come, unix_millis));
        }
    }
}
