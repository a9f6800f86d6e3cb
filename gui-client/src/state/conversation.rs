//! Conversations: what was said with whom, what became of it, and what is being written.

use std::collections::{HashMap, VecDeque};

use common::{
    crypto::{KeyId, MessageId},
    limits::MAX_TEXT_BYTES,
    name::Name,
};

use crate::event::{DraftId, ReceivedMessage};

use super::action::Peer;

/// Messages kept in one conversation; the oldest fall away.
const MAX_MESSAGES: usize = 2_000;

/// From how many bytes before the limit on the composer counts.
const COUNTER_FROM_BYTES: usize = MAX_TEXT_BYTES - 1_024;

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// This client.
    Me,
    /// Somebody else.
    Other {
        /// The name at that time.
        name: Name,
        /// The key that signed.
        key: KeyId,
    },
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It came from somebody else.
    Received,
    /// Being sealed.
    Pending(DraftId),
    /// Given to the server.
    Sent(DraftId, MessageId),
    /// Came back from the server, so everybody online has it.
    Relayed,
    /// Did not go out, or nobody can tell whether it did.
    Failed(DraftId, String),
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who wrote it.
    pub author: Author,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
    /// What it says.
    pub text: String,
    /// What became of it.
    pub delivery: Delivery,
}

/// What was said with one peer.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// In the order in which it came.
    pub messages: VecDeque<Message>,
    /// Messages from others that were not yet on the screen.
    pub unread_count: u32,
    /// What is being written.
    pub draft: String,
    /// Why the draft was not sent just now.
    pub hint: Option<String>,
}

impl Conversation {
    /// Bytes that the draft is long, when that is worth saying.
    pub fn counter_bytes(&self) -> Option<usize> {
        let draft_bytes = self.outgoing().len();
        (draft_bytes >= COUNTER_FROM_BYTES).then_some(draft_bytes)
    }

    /// The draft as it would be sent: without blank lines around it.
    pub fn outgoing(&self) -> &str {
        self.draft.trim_end().trim_start_matches(['\n', '\r'])
    }

    fn push(&mut self, message: Message) {
        if self.messages.len() == MAX_MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }
}

/// All conversations of this client.
#[derive(Debug, Clone, Default)]
pub struct Conversations {
    by_peer: HashMap<Peer, Conversation>,
    last_draft: u64,
}

impl Conversations {
    /// The one with `peer`, when there is one.
    pub fn get(&self, peer: Peer) -> Option<&Conversation> {
        self.by_peer.get(&peer)
    }

    /// The one with `peer`, begun now if need be.
    pub fn entry(&mut self, peer: Peer) -> &mut Conversation {
        self.by_peer.entry(peer).or_default()
    }

    /// Keys with whom something was said or is being written.
    pub fn persons(&self) -> impl Iterator<Item = KeyId> {
        self.by_peer.iter().filter_map(|(peer, conversation)| match peer {
            Peer::Person(key) if !conversation.messages.is_empty() || !conversation.draft.is_empty() => Some(*key),
            _ => None,
        })
    }

    pub(super) fn receive(&mut self, message: ReceivedMessage, is_on_screen: impl Fn(Peer) -> bool) {
        // A message sealed to several people belongs where all of them can answer.
        let peer = if message.recipients.len() > 1 { Peer::Everyone } else { Peer::Person(message.sender) };
        let is_read = is_on_screen(peer);
        let conversation = self.entry(peer);
        conversation.unread_count += u32::from(!is_read);
        conversation.push(Message {
            author: Author::Other { name: message.from, key: message.sender },
            unix_millis: message.sent_unix_millis,
            text: message.text,
            delivery: Delivery::Received,
        });
    }

    pub(super) fn write(&mut self, peer: Peer, text: String, unix_millis: u64) -> DraftId {
        self.last_draft += 1;
        let draft = DraftId(self.last_draft);
        self.entry(peer).push(Message { author: Author::Me, unix_millis, text, delivery: Delivery::Pending(draft) });
        draft
    }

    /// Puts a failed message on its way once more, under a new number.
    pub(super) fn rewrite(&mut self, draft: DraftId) -> Option<DraftId> {
        let next = DraftId(self.last_draft + 1);
        let message = self.find(|delivery| matches!(delivery, Delivery::Failed(failed, _) if *failed == draft))?;
        message.delivery = Delivery::Pending(next);
        self.last_draft = next.0;
        Some(next)
    }

    /// The failed message of this number, and where it stands.
    pub(super) fn failed(&self, draft: DraftId) -> Option<(Peer, &Message)> {
        self.by_peer.iter().find_map(|(peer, conversation)| {
            let message = conversation
                .messages
                .iter()
                .rev()
                .find(|message| matches!(&message.delivery, Delivery::Failed(failed, _) if *failed == draft))?;
            Some((*peer, message))
        })
    }

    pub(super) fn sent(&mut self, draft: DraftId, message_id: MessageId) {
        if let Some(message) = self.find(|delivery| *delivery == Delivery::Pending(draft)) {
            message.delivery = Delivery::Sent(draft, message_id);
        }
    }

    pub(super) fn send_failed(&mut self, draft: DraftId, reason: String) {
        let is_it =
            |delivery: &Delivery| matches!(delivery, Delivery::Pending(d) | Delivery::Sent(d, _) if *d == draft);
        if let Some(message) = self.find(is_it) {
            message.delivery = Delivery::Failed(draft, reason);
        }
    }

    pub(super) fn relayed(&mut self, id: MessageId) {
        let is_it = |delivery: &Delivery| matches!(delivery, Delivery::Sent(_, sent) if *sent == id);
        if let Some(message) = self.find(is_it) {
            message.delivery = Delivery::Relayed;
        }
    }

    /// The link is gone: what had not come back yet did not arrive, as far as anybody can tell.
    pub(super) fn went_offline(&mut self) {
        for message in self.by_peer.values_mut().flat_map(|conversation| conversation.messages.iter_mut()) {
            match message.delivery {
                Delivery::Pending(draft) => {
                    message.delivery = Delivery::Failed(draft, "Not sent: the connection broke.".into());
                }
                Delivery::Sent(draft, _) => {
                    let reason = "The connection broke before the server passed it on; it may not have arrived.";
                    message.delivery = Delivery::Failed(draft, reason.into());
                }
                Delivery::Received | Delivery::Relayed | Delivery::Failed(..) => {}
            }
        }
    }

    fn find(&mut self, is_it: impl Fn(&Delivery) -> bool) -> Option<&mut Message> {
        self.by_peer
            .values_mut()
            .flat_map(|conversation| conversation.messages.iter_mut().rev())
            .find(|message| is_it(&message.delivery))
    }
}
