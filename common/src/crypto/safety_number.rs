//! Safety numbers: 60 digits that are the same for two people exactly when each has the other's real key.
//!
//! The construction is that of Signal (libsignal, `fingerprint.rs`): half of the digits come from each person's key and
//! name, by iterated SHA-512, so that searching for a key with the same digits costs more; the smaller half comes first,
//! so that both see the same number.

use sha2::{Digest, Sha512};

use super::{PublicKey, fingerprint::grouped};
use crate::name::Name;

/// The version of the construction, two bytes.
const VERSION: [u8; 2] = [0, 0];
/// The iterations that Signal uses; together they take milliseconds.
const ITERATIONS: usize = 5_200;

/// The safety number of two people, as twelve groups of five digits with spaces between them. The order of the two does
/// not matter. Takes milliseconds: compute it once, not for each frame.
pub fn safety_number(one: (&Name, &PublicKey), other: (&Name, &PublicKey)) -> String {
    let mut halves = [half(one.0, one.1), half(other.0, other.1)];
    halves.sort_unstable();
    grouped(&halves.concat())
}

/// Thirty digits of one person.
fn half(name: &Name, key: &PublicKey) -> String {
    let mut hash = [&VERSION[..], key.der(), name.as_str().as_bytes()].concat();
    for _ in 0..ITERATIONS {
        hash = Sha512::new().chain_update(&hash).chain_update(key.der()).finalize().to_vec();
    }
    let number = |chunk: &[u8]| chunk.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    hash[..30].chunks_exact(5).map(|chunk| format!("{:05}", number(chunk) % 100_000)).collect()
}

#[cfg(all(test, feature = "test-keys"))]
mod tests {
    use super::*;
    use crate::crypto::test_keys;

    fn number(one: &str, key: &PublicKey, other: &str, other_key: &PublicKey) -> String {
        let name = |text| Name::parse(text).expect("the tests use valid names");
        safety_number((&name(one), key), (&name(other), other_key))
    }

    #[test]
    fn the_number_is_that_of_the_protocol_page_on_both_sides() {
        let (ada, bob) = (test_keys::ada(), test_keys::bob());
        let (ada, bob) = (ada.public_key(), bob.public_key());
        let expected = "37114 27089 09929 12925 73534 24457 98041 95121 60469 30147 49856 93953";
        assert_eq!(number("Ada", ada, "Bob", bob), expected);
        assert_eq!(number("Bob", bob, "Ada", ada), expected);
    }

    #[test]
    fn another_key_or_name_gives_another_number() {
        let (ada, bob, eve) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
        let (ada, bob, eve) = (ada.public_key(), bob.public_key(), eve.public_key());
        let real = number("Ada", ada, "Bob", bob);
        // The server gives Ada Eve's key for Bob, and Bob Eve's key for Ada: what both see differs.
        let (seen_by_ada, seen_by_bob) = (number("Ada", ada, "Bob", eve), number("Bob", bob, "Ada", eve));
        assert_ne!(seen_by_ada, seen_by_bob);
        assert_ne!(seen_by_ada, real);
        assert_ne!(number("Ada", ada, "bob", bob), real);
        assert_ne!(number("Bob", ada, "Ada", bob), real, "names and keys belong together");
    }

    #[test]
    fn a_number_has_twelve_groups_of_five_digits() {
        let (ada, bob) = (test_keys::ada(), test_keys::bob());
        let number = number("Ada", ada.public_key(), "Bob", bob.public_key());
        let groups: Vec<_> = number.split(' ').collect();
        assert_eq!(groups.len(), 12);
        assert!(groups.iter().all(|group| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_digit())));
    }
}
