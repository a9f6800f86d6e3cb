//! Hashes in forms that people can read to each other, and compare.
//!
//! Words are proquints (D. S. Wilkerson, *A Proposal for Proquints: Identifiers that are Readable, Spellable, and
//! Pronounceable*, 2009): five letters, consonants and vowels in turn, for 16 bits.

const CONSONANTS: [char; 16] = ['b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
const VOWELS: [char; 4] = ['a', 'i', 'o', 'u'];

/// The number of words: 112 bits, more than anyone can search through for a certificate that looks the same.
const WORD_COUNT: usize = 7;

/// The first 14 bytes of a hash as seven words of five letters, with hyphens between them.
pub fn words(hash: &[u8; 32]) -> String {
    let words: Vec<_> = hash[..2 * WORD_COUNT].chunks_exact(2).map(|pair| word(pair[0], pair[1])).collect();
    words.join("-")
}

/// The first 16 bytes of a hash, as a big-endian number modulo 10^35, as seven groups of five digits with spaces between
/// them: 116 bits.
pub fn digits(hash: &[u8; 32]) -> String {
    let number = u128::from_be_bytes(*hash.first_chunk().expect("a hash has 32 bytes"));
    let digits = format!("{:035}", number % 10u128.pow(35));
    grouped(&digits)
}

/// Decimal digits in groups of five, with spaces between them.
pub(super) fn grouped(digits: &str) -> String {
    let groups: Vec<_> = digits.as_bytes().chunks(5).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join(" ")
}

/// The bits `cccc vv cccc vv cccc`, from the highest to the lowest.
fn word(high: u8, low: u8) -> String {
    let bits = usize::from(u16::from_be_bytes([high, low]));
    let consonant = |shift: u32| CONSONANTS[bits >> shift & 15];
    let vowel = |shift: u32| VOWELS[bits >> shift & 3];
    [consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)].iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn words_and_digits_are_those_of_the_protocol_page() {
        let hash = crate::crypto::sha256(b"triptych");
        assert_eq!(words(&hash), "murag-domuh-fibuh-huluf-bojan-bafod-lavid");
        assert_eq!(digits(&hash), "63404 76259 11836 08269 32354 14653 66287");
    }

    #[test]
    fn words_are_proquints() {
        // Examples of the article: 127.0.0.1 and 63.84.220.193.
        assert_eq!([word(127, 0), word(0, 1)], ["lusab", "babad"]);
        assert_eq!([word(63, 84), word(220, 193)], ["gutih", "tugad"]);
    }

    #[test]
    fn each_pair_of_bytes_has_a_word_of_its_own() {
        let all: HashSet<_> = (0..=u16::MAX).map(|bits| word((bits >> 8) as u8, bits as u8)).collect();
        assert_eq!(all.len(), 1 << 16);
    }

    #[test]
    fn every_one_of_the_first_112_bits_shows() {
        let hash = [0x5a; 32];
        for bit in 0..112 {
            let mut other = hash;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(words(&other), words(&hash), "bit {bit}");
            assert_ne!(digits(&other), digits(&hash), "bit {bit}");
        }
    }
}
