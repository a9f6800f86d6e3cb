//! The table of keys: no key twice, and a name for each.

use super::*;

/// All keys that a row answers to, with every combination of modifiers.
fn answered(binding: &Binding) -> Vec<(Key, Modifiers)> {
    let mut answered = Vec::new();
    for bits in 0..8 {
        let modifiers = Modifiers {
            alt: bits & 1 > 0,
            shift: bits & 2 > 0,
            command: bits & 4 > 0,
            ctrl: bits & 4 > 0,
            mac_cmd: false,
        };
        for key in Key::ALL {
            if binding.strokes.iter().any(|stroke| stroke.is_pressed(*key, modifiers)) {
                answered.push((*key, modifiers));
            }
        }
    }
    answered
}

#[test]
fn no_key_means_two_things_in_the_same_place() {
    for (number, binding) in ALL.iter().enumerate() {
        assert!(!answered(binding).is_empty(), "{binding:?}");
        for other in &ALL[number + 1..] {
            let meet = binding.place == other.place || [binding.place, other.place].contains(&Place::Everywhere);
            let same = answered(binding).into_iter().find(|key| answered(other).contains(key));
            assert!(!meet || same.is_none(), "{same:?} is {:?} and {:?}", binding.command, other.command);
        }
    }
}

#[test]
fn every_row_is_named_in_a_way_that_can_be_read() {
    for binding in ALL {
        assert!(!binding.keys().is_empty() && !binding.text.is_empty());
        assert!(ALL.iter().filter(|other| other.command == binding.command).count() == 1, "{:?}", binding.command);
    }
    let keys = |command| ALL.iter().find(|binding| binding.command == command).map(Binding::keys);
    assert_eq!(keys(C::SearchPeople).as_deref(), Some("Ctrl K"));
    assert_eq!(keys(C::Pause).as_deref(), Some("Space  K"));
    assert_eq!(keys(C::Tenth).as_deref(), Some("0 … 9"));
    assert_eq!(keys(C::BackOne).as_deref(), Some("Shift ←"));
    assert_eq!(tip("Mute", C::Mute), "Mute (M)");
}
