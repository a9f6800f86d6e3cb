//! Who came or went between two messages, for a quiet line in the conversation. Only the last absence is told, and a short one
//! not at all. Pure.

use common::name::Name;

/// With more other people than this, the conversation with everyone does not tell who comes and goes.
pub(super) const MAX_TOLD: usize = 12;

/// People whom a line names one by one.
const MAX_NAMED: usize = 3;

/// An absence that is shorter is not told: connections break and come back.
const MIN_ABSENCE_MILLIS: u64 = 60_000;

/// Who came or went after a message and before the next. Times are in milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PresenceNote {
    /// The person of this conversation came online.
    Came {
        /// When.
        unix_millis: u64,
    },
    /// The person of this conversation went offline.
    Left {
        /// When.
        unix_millis: u64,
    },
    /// The person of this conversation was offline for some time.
    Away {
        /// From when.
        from_unix_millis: u64,
        /// Until when.
        until_unix_millis: u64,
    },
    /// In the conversation with everyone: who came and who left, without those who did both.
    Room {
        /// Who came.
        came: Vec<Name>,
        /// Who left.
        left: Vec<Name>,
        /// When the last of them did.
        unix_millis: u64,
    },
}

/// `bob`, `bob and eve`, or `bob, eve, carl and 2 others`.
pub fn named(names: &[impl ToString]) -> String {
    let shown = |names: &[_]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match names {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] if names.len() <= MAX_NAMED => format!("{} and {}", shown(first), last.to_string()),
        _ => {
            let (first, others) = names.split_at(MAX_NAMED);
            let word = if others.len() == 1 { "other" } else { "others" };
            format!("{} and {} {word}", shown(first), others.len())
        }
    }
}

/// The note after the person of a conversation has come or gone.
pub(super) fn after_change(before: Option<PresenceNote>, has_come: bool, unix_millis: u64) -> Option<PresenceNote> {
    match (before, has_come) {
        (Some(PresenceNote::Left { unix_millis: from }), true) => (unix_millis.saturating_sub(from)
            >= MIN_ABSENCE_MILLIS)
            .then_some(PresenceNote::Away { from_unix_millis: from, until_unix_millis: unix_millis }),
        (_, true) => Some(PresenceNote::Came { unix_millis }),
        (_, false) => Some(PresenceNote::Left { unix_millis }),
    }
}

/// The note after someone has come to the room or has left it.
pub(super) fn after_room_change(
    before: Option<PresenceNote>,
    name: &Name,
    has_come: bool,
    unix_millis: u64,
) -> Option<PresenceNote> {
    let (mut came, mut left) = match before {
        Some(PresenceNote::Room { came, left, .. }) => (came, left),
        _ => (Vec::new(), Vec::new()),
    };
    let (to, other) = if has_come { (&mut came, &mut left) } else { (&mut left, &mut came) };
    match other.iter().position(|listed| listed == name) {
        Some(place) => drop(other.remove(place)),
        None if to.len() < MAX_TOLD && !to.contains(name) => to.push(name.clone()),
        None => {}
    }
    (!came.is_empty() || !left.is_empty()).then_some(PresenceNote::Room { came, left, unix_millis })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn names_are_listed_up_to_three() {
        let expected = ["", "a1", "a1 and a2", "a1, a2 and a3", "a1, a2, a3 and 1 other", "a1, a2, a3 and 2 others"];
        for (count, expected) in expected.into_iter().enumerate() {
            let names: Vec<_> = (1..=count).map(|number| Name::parse(&format!("a{number}")).unwrap()).collect();
            assert_eq!(named(&names), expected);
        }
    }

    #[test]
    fn only_the_last_absence_is_told_and_a_short_one_not_at_all() {
        let came = |note, minute: u64| after_change(note, true, minute * 60_000);
        let left = |note, minute: u64| after_change(note, false, minute * 60_000);
        assert_eq!(left(None, 2), Some(PresenceNote::Left { unix_millis: 120_000 }));
        assert_eq!(came(left(None, 2), 2), None, "a connection that broke for a moment");
        let away = |from: u64, until: u64| {
            Some(PresenceNote::Away { from_unix_millis: from * 60_000, until_unix_millis: until * 60_000 })
        };
        assert_eq!(came(left(None, 2), 5), away(2, 5));
        assert_eq!(came(left(came(left(None, 2), 5), 7), 9), away(7, 9));
        assert_eq!(came(None, 3), Some(PresenceNote::Came { unix_millis: 180_000 }));
    }

    #[test]
    fn those_who_come_and_go_between_two_messages_of_the_room_are_not_told() {
        let change = |note, who: &str, has_come| after_room_change(note, &name(who), has_come, 7);
        let note = change(change(None, "bob", true), "eve", false);
        let room = |came: &[&str], left: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|text| name(text)).collect();
            Some(PresenceNote::Room { came: names(came), left: names(left), unix_millis: 7 })
        };
        assert_eq!(note, room(&["bob"], &["eve"]));
        assert_eq!(change(note.clone(), "bob", false), room(&[], &["eve"]));
        assert_eq!(change(change(note, "bob", false), "eve", true), None);
        let many = (0..3 * MAX_TOLD).fold(None, |note, number| change(note, &format!("guest-{number}"), true));
        let Some(PresenceNote::Room { came, .. }) = many else { panic!("someone came") };
        assert_eq!(came.len(), MAX_TOLD, "the note is bounded");
    }
}
