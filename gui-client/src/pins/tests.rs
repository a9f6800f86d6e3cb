//! When a key counts as known, as new and as changed, and who is forgotten first.

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_780_000_000;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn key(number: u8) -> KeyId {
    KeyId([number; 32])
}

fn met(people: &[(&str, u8)]) -> PinChange {
    PinChange::Met(people.iter().map(|(text, number)| (name(text), key(*number))).collect())
}

fn known(pins: &Pins, text: &str, number: u8) -> bool {
    matches!(pins.standing(&name(text), &key(number)), Standing::Known { .. })
}

#[test]
fn the_first_key_of_a_name_stays_until_another_is_accepted() {
    let mut pins = Pins::default();
    assert_eq!(pins.standing(&name("bob"), &key(1)), Standing::New);
    assert!(pins.apply(&met(&[("bob", 1)]), NOW));
    assert_eq!(pins.standing(&name("bob"), &key(1)), Standing::Known { first_met_unix_secs: NOW, is_verified: false });
    assert!(!pins.apply(&met(&[("bob", 2)]), NOW), "a meeting replaces no key");
    assert_eq!(pins.standing(&name("bob"), &key(2)), Standing::Changed { pinned: key(1), was_verified: false });
    assert!(!pins.has_accepted(&name("bob"), &key(2)));

    assert!(pins.apply(&PinChange::Accepted(name("bob"), key(2)), NOW + 5));
    assert_eq!(
        pins.standing(&name("bob"), &key(2)),
        Standing::Known { first_met_unix_secs: NOW + 5, is_verified: false }
    );
    assert_eq!(pins.standing(&name("bob"), &key(1)), Standing::Changed { pinned: key(2), was_verified: false });
    assert!(pins.has_accepted(&name("bob"), &key(1)), "what was written before stays unmarked");
}

#[test]
fn a_look_alike_with_another_key_is_no_stranger() {
    let mut pins = Pins::default();
    pins.apply(&met(&[("bob", 1), ("Paul", 3)]), NOW);
    for (look_alike, pinned) in [("BOB", 1), ("PauI", 3)] {
        let standing = pins.standing(&name(look_alike), &key(9));
        assert_eq!(standing, Standing::Changed { pinned: key(pinned), was_verified: false }, "{look_alike}");
    }
    pins.apply(&PinChange::Accepted(name("BOB"), key(9)), NOW);
    assert_eq!(pins.iter().len(), 2, "it takes the place of the one that it looks like");
    assert!(matches!(pins.standing(&name("bob"), &key(1)), Standing::Changed { .. }));
}

#[test]
fn verified_is_one_key_and_a_change_clears_it() {
    let mut pins = Pins::default();
    pins.apply(&met(&[("bob", 1)]), NOW);
    assert!(!pins.apply(&PinChange::Verified(name("bob"), key(2), true), NOW), "another key was compared");
    assert!(pins.apply(&PinChange::Verified(name("bob"), key(1), true), NOW));
    assert!(!pins.apply(&PinChange::Verified(name("bob"), key(1), true), NOW), "nothing new");
    assert_eq!(pins.standing(&name("bob"), &key(2)), Standing::Changed { pinned: key(1), was_verified: true });
    pins.apply(&PinChange::Accepted(name("bob"), key(2)), NOW);
    assert!(matches!(pins.standing(&name("bob"), &key(2)), Standing::Known { is_verified: false, .. }));
    pins.apply(&PinChange::Accepted(name("bob"), key(1)), NOW);
    assert!(
        matches!(pins.standing(&name("bob"), &key(1)), Standing::Known { is_verified: false, .. }),
        "nor by going back"
    );
}

#[test]
fn a_meeting_is_written_once_a_day() {
    let mut pins = Pins::default();
    pins.apply(&met(&[("bob", 1)]), NOW);
    assert!(!pins.apply(&met(&[("bob", 1)]), NOW + 60));
    assert!(pins.apply(&met(&[("bob", 1)]), NOW + DAY_SECS));
    assert!(known(&pins, "bob", 1));
}

#[test]
fn a_server_that_invents_people_displaces_its_inventions() {
    let mut pins = Pins::default();
    pins.apply(&met(&[("verified", 1), ("old", 2)]), NOW - 3 * DAY_SECS);
    pins.apply(&PinChange::Verified(name("verified"), key(1), true), NOW);
    pins.apply(&met(&[("friend", 3)]), NOW);
    for number in 0..MAX_PINS + 50 {
        pins.apply(&met(&[(&format!("guest-{number}"), 4)]), NOW + 1);
    }
    assert_eq!(pins.iter().len(), MAX_PINS);
    assert!(known(&pins, "verified", 1) && known(&pins, "friend", 3));
    assert_eq!(pins.standing(&name("old"), &key(2)), Standing::New, "who was away longest is forgotten first");
    assert!(known(&pins, &format!("guest-{}", MAX_PINS + 49), 4), "the newest is remembered all the same");
}

fn changes() -> impl Strategy<Value = Vec<(u8, &'static str, u8)>> {
    prop::collection::vec((0u8..4, prop::sample::select(vec!["bob", "BOB", "eve", "Paul", "PauI"]), 0u8..4), 0..40)
}

proptest! {
    /// Whatever happens, a key is never known under a name unless it was met first or accepted last, and no two names look
    /// the same.
    #[test]
    fn no_key_becomes_known_by_itself(changes in changes()) {
        let mut pins = Pins::default();
        for (kind, text, number) in changes {
            let before = pins.standing(&name(text), &key(number));
            let change = match kind {
                0 | 1 => met(&[(text, number)]),
                2 => PinChange::Accepted(name(text), key(number)),
                _ => PinChange::Verified(name(text), key(number), true),
            };
            pins.apply(&change, NOW);
            let after = pins.standing(&name(text), &key(number));
            match (kind, before) {
                (0 | 1, Standing::Changed { .. }) | (3, Standing::Changed { .. } | Standing::New) => {
                    prop_assert_eq!(after, before);
                }
                (0..=2, Standing::New) | (2, Standing::Changed { .. }) => {
                    let is_known_unverified = matches!(after, Standing::Known { is_verified: false, .. });
                    prop_assert!(is_known_unverified);
                }
                _ => {
                    let is_known = matches!(after, Standing::Known { .. });
                    prop_assert!(is_known);
                }
            }
            let folds: Vec<_> = pins.iter().flat_map(|pin| std::collections::BTreeSet::from(pin.name.folds())).collect();
            let distinct: std::collections::BTreeSet<_> = folds.iter().collect();
            prop_assert_eq!(distinct.len(), folds.len());
        }
    }
}
