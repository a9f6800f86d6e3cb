//! Messages that cannot be sent yet: what each of them waits for, and the queue in which they keep their order. A message
//! that waits is shown in its conversation, can be withdrawn, and goes out once, when what it waits for has come.

use std::{
    collections::HashSet,
    fmt,
    time::{Duration, Instant},
};

use common::{
    crypto::{KeyId, PublicKey},
    name::Name,
};

use crate::{
    dictionary::Dictionary,
    event::{DraftId, NetCommand},
};

use super::{
    State,
    action::{Moment, Peer},
    conversation::{Conversations, Delivery},
    effect::Effect,
};

pub use super::waiting_queue::MAX_WAITING;

/// How long messages to everyone wait, after a lost connection is back, for those who were online before. Clients try again
/// at least every ten seconds.
const RETURN_TIME: Duration = Duration::from_secs(12);

/// What a message waits for. `Display` is the sentence beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsFor {
    /// The connection to the server.
    Connection,
    /// Its recipient, who is offline; the last name they had, when it is known.
    Recipient(Option<Name>),
    /// That the new key of its recipient is accepted.
    Acceptance(Name),
    /// That someone else is online, or accepted; it is for everyone.
    Company,
    /// That those are back who were online before the connection was lost; it is for everyone.
    Others,
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("Will be sent when you are connected again."),
            Self::Recipient(Some(name)) => write!(f, "Will be sent when {name} is back."),
            Self::Recipient(None) => f.write_str("Will be sent when this person is back."),
            Self::Acceptance(name) => {
                write!(f, "{name} has another key than before. Will be sent when you accept it.")
            }
            Self::Company => f.write_str("Will be sent when someone else is online whose key you have accepted."),
            Self::Others => f.write_str("Will be sent in a few seconds, when the others are connected again."),
        }
    }
}

impl WaitsFor {
    /// What the composer says before a message is written that will wait; nothing where the window says so elsewhere, or where
    /// it waits for moments only.
    pub fn outlook(&self) -> Option<String> {
        match self {
            Self::Connection | Self::Others | Self::Acceptance(_) => None,
            Self::Recipient(Some(name)) => {
                Some(format!("{name} is offline. What you send now waits here until {name} is back."))
            }
            Self::Recipient(None) => {
                Some("This person is offline. What you send now waits here until they are back.".to_owned())
            }
            Self::Company => Some("No one else is online. What you send now waits here.".to_owned()),
        }
    }
}

/// The people who were online when the connection was lost and have not come back since it is there again. What is said to
/// everyone waits for them a little: after a restart of the server, all clients come back within seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Returning {
    missing: HashSet<KeyId>,
    until: Option<Instant>,
}

impl Returning {
    /// The connection is back, without these people who were there before.
    pub(super) fn begin(missing: HashSet<KeyId>, now: Instant) -> Self {
        let until = (!missing.is_empty()).then_some(now + RETURN_TIME);
        Self { missing, until }
    }

    /// Takes in who is there and what time it is.
    pub(super) fn update(&mut self, is_there: impl Fn(&KeyId) -> bool, now: Instant) {
        self.missing.retain(|key| !is_there(key));
        if self.missing.is_empty() || self.until.is_some_and(|until| until <= now) {
            *self = Self::default();
        }
    }

    /// When the wait ends at the latest, while there is one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }
}

impl Conversations {
    /// Has a message that was just written, or written anew, wait instead of being sent.
    pub(super) fn hold(&mut self, draft: DraftId, peer: Peer) {
        let mut messages = self.entry(peer).messages.iter_mut().rev();
        if let Some(message) = messages.find(|message| message.delivery == Delivery::Pending(draft)) {
            message.delivery = Delivery::Waiting(draft);
            self.waiting.push(draft, peer);
        }
    }

    /// Takes a message that waits out of the queue and out of its conversation.
    fn take_back(&mut self, draft: DraftId) -> Option<(Peer, String)> {
        let peer = self.waiting.withdraw(draft)?;
        let conversation = self.entry(peer);
        let place = conversation.messages.iter().position(|message| message.delivery == Delivery::Waiting(draft))?;
        Some((peer, conversation.remove(place)?.text))
    }

    /// Marks a message that has waited as being sent now, and returns what sends it. One that was sealed before, and for the
    /// same recipient, is sent as the same message.
    fn release(&mut self, draft: DraftId, peer: Peer, recipients: Vec<PublicKey>) -> Option<NetCommand> {
        let mut messages = self.entry(peer).messages.iter_mut().rev();
        let message = messages.find(|message| message.delivery == Delivery::Waiting(draft))?;
        message.delivery = Delivery::Pending(draft);
        message.written_as = None;
        let dispatch = message.dispatch.as_mut()?;
        if dispatch.to != peer {
            (dispatch.to, dispatch.sealed) = (peer, None);
        }
        let (text, written_unix_millis) = (message.text.clone(), message.unix_millis);
        Some(match dispatch.sealed.clone() {
            Some(sealed) => {
                let sealed = Box::new(sealed);
                NetCommand::SendAgain { draft, recipients, text, written_unix_millis, sealed }
            }
            None => NetCommand::Send { draft, recipients, text, written_unix_millis },
        })
    }
}

impl State {
    /// What a message to `peer` waits for if it is sent now; `None` if it goes out at once.
    pub fn waits_for(&self, peer: Peer) -> Option<WaitsFor> {
        if !self.connection.is_online() {
            return Some(WaitsFor::Connection);
        }
        match peer {
            Peer::Everyone => {
                if self.returning.deadline().is_some() {
                    return Some(WaitsFor::Others);
                }
                let mut others = self.people.others();
                others.all(|(_, key)| self.trust.is_changed(&key.id())).then_some(WaitsFor::Company)
            }
            Peer::Person(key) => {
                let name = self.people.name_of(&key).cloned();
                let is_online = self.people.online_key(&key).is_some();
                let present = if is_online { Some(key) } else { self.present_key(&key) };
                let is_changed = present.is_some_and(|present| self.trust.is_changed(&present));
                match name {
                    Some(name) if is_changed => Some(WaitsFor::Acceptance(name)),
                    name if !is_online => Some(WaitsFor::Recipient(name)),
                    _ => None,
                }
            }
        }
    }

    /// The client is online among `people`: what is said to everyone waits a little for those who were there before.
    pub(super) fn await_others(&mut self, people: &Dictionary, now: Moment) {
        let before = self.people.others().map(|(_, key)| key.id());
        let missing = before.filter(|key| people.person(key).is_none()).collect();
        self.returning = Returning::begin(missing, now.instant);
    }

    /// Sends those messages that have waited long enough.
    pub(super) fn send_waiting(&mut self, now: Moment) -> Vec<Effect> {
        let people = &self.people;
        self.returning.update(|key| people.online_key(key).is_some(), now.instant);
        if self.conversations.waiting.is_empty() {
            return Vec::new();
        }
        let ready: HashSet<Peer> =
            self.conversations.waiting.peers().filter(|peer| self.waits_for(*peer).is_none()).collect();
        let taken = self.conversations.waiting.take_ready(|peer| ready.contains(&peer));
        let send = |(draft, peer)| {
            let recipients = self.recipients(peer);
            self.conversations.release(draft, peer, recipients).map(Effect::Net)
        };
        taken.into_iter().filter_map(send).collect()
    }

    /// Takes a message that waits back into the composer, before what is written there.
    pub(super) fn withdraw(&mut self, draft: DraftId) -> Vec<Effect> {
        let Some((peer, text)) = self.conversations.take_back(draft) else { return Vec::new() };
        self.select(peer);
        let conversation = self.conversations.entry(peer);
        let rest = std::mem::take(&mut conversation.draft);
        conversation.draft = if rest.trim().is_empty() { text } else { format!("{text}\n{rest}") };
        self.refused_by = None;
        vec![Effect::FocusComposer]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::waiting_queue::Queue;

    /// What happens to the queue.
    #[derive(Debug, Clone)]
    enum Step {
        Write(u8),
        Withdraw(u64),
        Ready(u8),
        Redirect(u8, u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0u8..4).prop_map(Step::Write),
            1 => (0u64..40).prop_map(Step::Withdraw),
            2 => (0u8..4).prop_map(Step::Ready),
            1 => (0u8..4, 0u8..4).prop_map(|(from, to)| Step::Redirect(from, to)),
        ]
    }

    fn peer(number: u8) -> Peer {
        if number == 0 { Peer::Everyone } else { Peer::Person(KeyId([number; 32])) }
    }

    proptest! {
        /// Whatever happens: each message is sent once, or withdrawn, or still waits; and those that go out at a time go in the
        /// order in which they were written.
        #[test]
        fn every_message_leaves_the_queue_once_and_in_order(steps in prop::collection::vec(step(), 0..60)) {
            let (mut queue, mut written, mut gone) = (Queue::default(), 0, Vec::new());
            for step in steps {
                match step {
                    Step::Write(to) => {
                        queue.push(DraftId(written), peer(to));
                        written += 1;
                    }
                    Step::Withdraw(draft) => {
                        if queue.withdraw(DraftId(draft)).is_some() {
                            gone.push(DraftId(draft));
                        }
                    }
                    Step::Ready(who) => {
                        let taken = queue.take_ready(|waiting| waiting == peer(who));
                        prop_assert!(taken.iter().all(|(_, waiting)| *waiting == peer(who)));
                        prop_assert!(taken.is_sorted());
                        gone.extend(taken.into_iter().map(|(draft, _)| draft));
                        prop_assert!(!queue.peers().any(|waiting| waiting == peer(who)));
                    }
                    Step::Redirect(from, to) => queue.redirect(peer(from), peer(to)),
                }
            }
            gone.extend(queue.take_ready(|_| true).into_iter().map(|(draft, _)| draft));
            gone.sort();
            prop_assert_eq!(gone, (0..written).map(DraftId).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_others_are_waited_for_until_all_are_back_or_the_time_is_over() {
        let now = Instant::now();
        let keys = [KeyId([1; 32]), KeyId([2; 32])];
        let begun = Returning::begin(HashSet::from(keys), now);
        let mut returning = begun.clone();
        returning.update(|key| *key == keys[0], now);
        assert_eq!(returning.deadline(), Some(now + RETURN_TIME));
        // The first may have left again; it was back.
        returning.update(|key| *key == keys[1], now);
        assert_eq!(returning.deadline(), None);
        let mut returning = begun;
        returning.update(|_| false, now + RETURN_TIME);
        assert_eq!(returning.deadline(), None);
        assert_eq!(Returning::begin(HashSet::new(), now).deadline(), None);
    }
}
