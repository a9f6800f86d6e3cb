//! Ways from one thing to another: to the neighbouring conversation, and from a message to its envelope.

use common::crypto::MessageId;

use super::{
    State,
    action::{Neighbour, Peer, SidePanel},
    effect::Effect,
    wire::WireAction,
};

/// The place that `neighbour` means, in a list in which `open` is the place of the open conversation.
fn neighbour_of(open: usize, neighbour: Neighbour, has_unread: &[bool]) -> Option<usize> {
    let count = has_unread.len();
    match neighbour {
        Neighbour::Previous => open.checked_sub(1),
        Neighbour::Next => Some(open + 1).filter(|next| *next < count),
        Neighbour::NextUnread => (1..count).map(|step| (open + step) % count).find(|place| has_unread[*place]),
    }
}

impl State {
    pub(super) fn go_to(&mut self, neighbour: Neighbour) -> Vec<Effect> {
        let others = self.contacts().into_iter().map(|contact| Peer::Person(contact.key));
        let peers: Vec<_> = std::iter::once(Peer::Everyone).chain(others).collect();
        let unread =
            |peer: &Peer| self.conversations.get(*peer).is_some_and(|conversation| conversation.unread_count > 0);
        let has_unread: Vec<_> = peers.iter().map(unread).collect();
        let open = peers.iter().position(|peer| *peer == self.selected).unwrap_or(0);
        let Some(place) = neighbour_of(open, neighbour, &has_unread) else { return Vec::new() };
        self.show_conversation();
        self.select(peers[place]);
        vec![Effect::FocusComposer]
    }

    /// Whether the envelope with this id is listed on the wire.
    pub fn has_envelope(&self, id: MessageId) -> bool {
        self.wire.newest_first().any(|passed| passed.message_id == id)
    }

    pub(super) fn show_envelope(&mut self, id: MessageId) {
        let number = self.wire.newest_first().find(|passed| passed.message_id == id).map(|passed| passed.number);
        if let Some(number) = number {
            self.wire.handle(WireAction::Open(number));
            self.show_side(SidePanel::Wire);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_unread_conversation_is_looked_for_below_and_then_from_the_top() {
        let unread = [false, true, false, true];
        let next = |open| neighbour_of(open, Neighbour::NextUnread, &unread);
        assert_eq!([next(0), next(1), next(2), next(3)], [Some(1), Some(3), Some(3), Some(1)]);
        assert_eq!(neighbour_of(0, Neighbour::NextUnread, &[true]), None, "it is open");
        assert_eq!(neighbour_of(0, Neighbour::Previous, &unread), None);
        assert_eq!(
            [neighbour_of(2, Neighbour::Next, &unread), neighbour_of(3, Neighbour::Next, &unread)],
            [Some(3), None]
        );
    }
}
