//! Sending what the composer holds, and why that may not be possible.

use std::fmt;

use common::{
    crypto::{Envelope, KeyId, MessageId, PublicKey},
    name::Name,
};

use crate::event::{DraftId, NetCommand};

use super::{
    State,
    action::{Moment, Peer},
    conversation::Delivery,
    delivery,
    effect::Effect,
    waiting::MAX_WAITING,
    wire::Said,
};

/// Why the draft of the open conversation cannot be sent, not even to wait. It is derived from the state whenever it is
/// shown, so that it goes as soon as its cause does. `Display` is the sentence that the window shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendObstacle {
    /// The message is for everyone, and no one else is online.
    Alone,
    /// The recipient has another key than before, and it was not accepted.
    KeyChanged(Name),
    /// The message is for everyone, and each of the others has another key than before.
    NoOneAccepted,
    /// The draft exceeds [`MAX_TEXT_BYTES`](common::limits::MAX_TEXT_BYTES).
    TooLong {
        /// About how many characters are too many.
        surplus_chars: u64,
    },
    /// As many messages wait as may.
    TooManyWaiting,
}

impl fmt::Display for SendObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => f.write_str("No one else is online. Your draft is kept."),
            Self::KeyChanged(name) => {
                write!(f, "{name} has another key than before. Your draft is kept; accept the key first.")
            }
            Self::NoOneAccepted => f.write_str(
                "Everyone else has another key than before. Your draft is kept; accept their keys first, in the list of people.",
            ),
            Self::TooLong { surplus_chars: 1 } => f.write_str("This message is 1 character too long. Shorten it a little."),
            Self::TooLong { surplus_chars } => {
                write!(f, "This message is {surplus_chars} characters too long. Shorten it, or send it in two parts.")
            }
            Self::TooManyWaiting => {
                write!(f, "{MAX_WAITING} messages wait to be sent already. Your draft is kept.")
            }
        }
    }
}

impl State {
    /// Why the draft of the open conversation cannot be sent now; `None` if it can.
    pub fn send_obstacle(&self) -> Option<SendObstacle> {
        self.recipient_obstacle().or_else(|| {
            let room_chars = self.conversations.get(self.selected)?.room_chars()?;
            (room_chars < 0).then(|| SendObstacle::TooLong { surplus_chars: room_chars.unsigned_abs() })
        })
    }

    /// Whether the person has tried to send the draft in spite of the obstacle that is still there.
    pub fn was_send_refused(&self) -> bool {
        self.refused_by.is_some() && self.refused_by == self.send_obstacle()
    }

    fn recipient_obstacle(&self) -> Option<SendObstacle> {
        let is_changed = |key: &KeyId| self.trust.is_changed(key);
        match self.selected {
            Peer::Everyone if !self.connection.is_online() || self.returning.deadline().is_some() => {}
            Peer::Everyone if self.people.others().next().is_none() => return Some(SendObstacle::Alone),
            Peer::Everyone if self.people.others().all(|(_, key)| is_changed(&key.id())) => {
                return Some(SendObstacle::NoOneAccepted);
            }
            // Also while they are offline. What waits for them already goes on waiting.
            Peer::Person(key)
                if is_changed(&key) || self.present_key(&key).is_some_and(|present| is_changed(&present)) =>
            {
                return self.people.name_of(&key).cloned().map(SendObstacle::KeyChanged);
            }
            _ => {}
        }
        let is_full = self.conversations.waiting.is_full() && self.waits_for(self.selected).is_some();
        is_full.then_some(SendObstacle::TooManyWaiting)
    }

    /// The people online for whom a message to everyone is not sealed, because they have another key than before.
    pub fn left_out(&self) -> impl Iterator<Item = &Name> {
        self.people.others().filter(|(_, key)| self.trust.is_changed(&key.id())).map(|(name, _)| name)
    }

    /// The people online who could not read the last message to everyone, because no letter can be sealed to their session
    /// keys.
    pub fn unreachable(&self) -> impl Iterator<Item = &Name> {
        self.unreachable
            .iter()
            .filter(|key| self.people.online_key(key).is_some())
            .filter_map(|key| self.people.name_of(key))
    }

    /// How many members of how many have been handed the sender key for this message to everyone, while it waits for that.
    pub fn handing_over(&self, draft: DraftId) -> Option<(usize, usize)> {
        self.handing_over.filter(|(waiting, ..)| *waiting == draft).map(|(_, handed, members)| (handed, members))
    }

    /// Forgets a refusal whose cause has gone, so that the same cause, when it comes again, is not shown as an error
    /// before the person has tried again.
    pub(super) fn forget_overcome_refusal(&mut self) {
        if self.refused_by.is_some() && !self.was_send_refused() {
            self.refused_by = None;
        }
    }

    pub(super) fn edit_draft(&mut self, text: String) {
        self.conversations.entry(self.selected).draft = text;
        self.refused_by = None;
    }

    pub(super) fn send(&mut self, now: Moment) {
        let peer = self.selected;
        let text = self.conversations.entry(peer).outgoing().to_owned();
        if text.trim().is_empty() {
            return;
        }
        self.refused_by = self.send_obstacle();
        if self.refused_by.is_some() {
            return;
        }
        self.conversations.entry(peer).draft.clear();
        let draft = self.conversations.write(peer, text, now.unix_millis);
        // What can be sent now is taken out of the queue at once.
        self.conversations.hold(draft, peer);
    }

    pub(super) fn retry(&mut self, draft: DraftId) {
        let Some((peer, _)) = self.conversations.failed(draft) else { return };
        self.select(peer);
        self.refused_by = self.recipient_obstacle();
        if self.refused_by.is_none()
            && let Some((draft, _)) = self.conversations.rewrite(draft, peer)
        {
            self.conversations.hold(draft, peer);
        }
    }

    /// Tells the sender of a letter that it is shown; not while its key is another than before, which was not accepted.
    pub(super) fn confirm(&self, sender: KeyId, message_id: MessageId) -> Vec<Effect> {
        if self.trust.is_changed(&sender) {
            return Vec::new();
        }
        vec![Effect::Net(NetCommand::Confirm { to: sender, message_id })]
    }

    /// Offers to send those messages once more of which nothing was heard for too long.
    pub(super) fn give_up_waiting(&mut self, now: Moment) {
        let people = &self.people;
        self.conversations.tick(now.instant, |step, dispatch| {
            let Peer::Person(key) = dispatch.to else { return delivery::overdue(step, "", false) };
            let name = people.name_of(&key).map_or("The recipient", |name| name.as_str());
            let person = people.dictionary().and_then(|dictionary| dictionary.person(&key));
            let session = dispatch.sealed.as_ref().and_then(|sealed| sealed.session);
            let is_replaced =
                person.is_some_and(|person| session.is_some_and(|session| person.session.id() != session));
            delivery::overdue(step, name, is_replaced)
        });
    }

    /// What this client said in a message of its own that the server has just relayed.
    pub(super) fn own_text(&self, envelope: &Envelope) -> Option<Said> {
        let peer = envelope.recipient().map_or(Peer::Everyone, Peer::Person);
        let messages = &self.conversations.get(peer)?.messages;
        let is_it = |delivery: &Delivery| matches!(delivery, Delivery::Sent(_, id) if *id == envelope.message_id);
        let message = messages.iter().rev().find(|message| is_it(&message.delivery))?;
        Some(Said { sent_unix_millis: message.unix_millis, text: message.text.clone() })
    }

    /// The keys for which a message to `peer` is sealed; for everyone, those of all people online, the sender included.
    pub(super) fn recipients(&self, peer: Peer) -> Vec<PublicKey> {
        match peer {
            Peer::Everyone => {
                let accepted = self.people.online_keys().filter(|key| !self.trust.is_changed(&key.id()));
                accepted.cloned().collect()
            }
            Peer::Person(key) => self.people.online_key(&key).cloned().into_iter().collect(),
        }
    }
}
