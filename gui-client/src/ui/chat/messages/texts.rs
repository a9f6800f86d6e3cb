//! The sentences of a conversation: what is missing in it, what has become of a message, and who came or went.

use crate::{
    state::{
        State,
        action::Peer,
        conversation::{Delivery, Message},
        presence_note::{PresenceNote, named},
    },
    ui::kit::format,
};

/// More missing messages than this are not counted out: the number is what their author's program says.
const MAX_COUNTED_MISSING: u32 = 999;

/// Says that messages are missing.
pub(super) fn missing(name: &str, count: u32) -> String {
    match count {
        1 => format!("1 message from {name} is missing"),
        2..=MAX_COUNTED_MISSING => format!("{count} messages from {name} are missing"),
        _ => format!("Many messages from {name} are missing"),
    }
}

/// What that means.
pub(super) fn missing_meaning(name: &str) -> String {
    format!(
        "{name}'s program numbers the messages, inside the encryption. What is missing here may come later. It may also have been \
         lost or held back by the server, or it could not be opened, or you read it on another computer with your key."
    )
}

/// What taking a message back means.
pub(super) const WITHDRAW_TIP: &str =
    "Take it back into the composer, to change it or to delete it. It is lost if this window is closed";

/// What is said under an own message, unless its mark says enough.
pub(super) fn delivery(state: &State, message: &Message) -> Option<String> {
    match &message.delivery {
        Delivery::Failed(_, reason) => Some(reason.clone()),
        Delivery::Waiting(_) => {
            let waits_for = state.waits_for(state.selected).map(|waits_for| waits_for.to_string());
            Some(waits_for.unwrap_or_else(|| "Will be sent.".to_owned()))
        }
        Delivery::Pending(draft) => state
            .handing_over(*draft)
            .map(|(handed, members)| format!("Sending: {handed} of {members} people have the key to read it")),
        Delivery::Received | Delivery::Sent(..) | Delivery::Relayed | Delivery::Delivered => None,
    }
}

/// What the mark of an own message means. `recipient` is `None` if it is for everyone.
pub(super) fn delivery_meaning(delivery: &Delivery, recipient: Option<&str>) -> Option<String> {
    match (delivery, recipient) {
        (Delivery::Pending(_) | Delivery::Sent(..), _) => {
            Some("Sending: the server has not relayed it yet.".to_owned())
        }
        (Delivery::Relayed, None) => Some("Sent: it came back from the server.".to_owned()),
        (Delivery::Relayed, Some(name)) => {
            Some(format!("Sent: it came back from the server. {name}'s client has not confirmed it yet."))
        }
        (Delivery::Delivered, name) => {
            Some(format!("Delivered: {}'s client has opened it.", name.unwrap_or("the recipient")))
        }
        (Delivery::Received | Delivery::Waiting(_) | Delivery::Failed(..), _) => None,
    }
}

/// Who came or went between two messages; `name` is that of the person of the conversation.
pub(super) fn presence(name: &str, note: &PresenceNote) -> String {
    match note {
        PresenceNote::Came { unix_millis } => format!("{name} came online, {}", format::clock(*unix_millis)),
        PresenceNote::Left { unix_millis } => format!("{name} went offline, {}", format::clock(*unix_millis)),
        PresenceNote::Away { from_unix_millis, until_unix_millis } => {
            let [from, until] = [from_unix_millis, until_unix_millis].map(|millis| format::clock(*millis));
            format!("{name} was offline from {from} to {until}")
        }
        PresenceNote::Room { came, left, unix_millis } => {
            let came = (!came.is_empty()).then(|| format!("{} came online", named(came)));
            let left = (!left.is_empty()).then(|| format!("{} went offline", named(left)));
            let parts: Vec<_> = came.into_iter().chain(left).collect();
            format!("{}, {}", parts.join(", "), format::clock(*unix_millis))
        }
    }
}

/// What a screen reader says of the list of messages.
pub(super) fn list_name(state: &State) -> String {
    match state.selected {
        Peer::Everyone => "Messages to everyone".to_owned(),
        Peer::Person(key) => {
            format!("Messages with {}", state.people.name_of(&key).map_or("this person", |name| name.as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use common::name::Name;

    use super::*;

    #[test]
    fn a_line_says_who_came_and_went() {
        let name = |text: &str| Name::parse(text).unwrap();
        let room =
            PresenceNote::Room { came: vec![name("bob")], left: vec![name("eve"), name("carl")], unix_millis: 0 };
        let clock = format::clock(0);
        assert_eq!(presence("", &room), format!("bob came online, eve and carl went offline, {clock}"));
        let away = PresenceNote::Away { from_unix_millis: 0, until_unix_millis: 0 };
        assert_eq!(presence("bob", &away), format!("bob was offline from {clock} to {clock}"));
    }
}
