//! When two names look alike (UTS #39 §4), and which names are reserved.

use std::{collections::BTreeSet, sync::LazyLock};

use unicode_security::confusable_detection::skeleton;

/// Words that clients show in the place of a name: conversations, the own row, and the operator of the server.
const RESERVED: [&str; 7] = ["everyone", "you", "me", "server", "system", "admin", "triptych"];

/// Those words in small letters and in capitals: the look-alikes of the ones are not those of the others.
static RESERVED_FOLDS: LazyLock<BTreeSet<Fold>> = LazyLock::new(|| {
    RESERVED.into_iter().flat_map(|word| [folds(word), folds(&word.to_uppercase())]).flatten().collect()
});

/// A form of a name in which case and look-alike letters make no difference. Names that share one could be taken for each
/// other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fold(String);

/// The two forms of a name by which it is compared: the skeleton of its lower-case letters, and that of its letters as they
/// are, both in lower case.
///
/// One alone is not enough. Some capitals look like letters that their lower case does not look like: the I of `PauI` like
/// an l, the Cyrillic capitals of ТОМ like Latin ones. And some lower-case letters have look-alikes that their capitals
/// lack.
pub(super) fn folds(text: &str) -> [Fold; 2] {
    let lower = in_lower_case(text.chars());
    [Fold(in_lower_case(skeleton(&lower))), Fold(in_lower_case(skeleton(text)))]
}

/// Whether a name could be taken for a word that Triptych itself uses in the place of a name.
pub(super) fn is_reserved(text: &str) -> bool {
    folds(text).iter().any(|fold| RESERVED_FOLDS.contains(fold))
}

fn in_lower_case(chars: impl Iterator<Item = char>) -> String {
    chars.flat_map(char::to_lowercase).collect()
}
