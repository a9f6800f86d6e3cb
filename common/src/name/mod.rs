//! Names of people: Unicode, restricted so that no name can imitate another.
//!
//! [`NameError`] is shown to people as it is, in the connection form and in refusals, so its texts are sentences.

mod fold;
mod marks_and_digits;
mod shown;

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript};

pub use self::fold::Fold;
use self::{
    marks_and_digits::{digit_systems, has_heaped_marks, is_mark},
    shown::Shown,
};
use crate::limits::MAX_NAME_CHARS;

/// The number of similar names that are offered in place of one that is taken.
const NUMBERED_COUNT: u32 = 16;

/// A person's name: 1 to 32 characters in NFC, the first a letter or digit, then letters, digits, single spaces and
/// `_ - .`, all letters of one script and all digits of one system; not a word that Triptych uses in the place of a name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("Enter a name.")]
    Empty,
    /// The text has this number of characters, more than [`MAX_NAME_CHARS`].
    #[error("This name has {0} characters. Names can have up to {MAX_NAME_CHARS}.")]
    TooLong(usize),
    /// The first character is neither a letter nor a digit.
    #[error("Start the name with a letter or a digit, not with {}.", Shown(*.0))]
    BadStart(char),
    /// A character that names cannot contain.
    #[error("Remove {}. Names can contain letters, digits, spaces and _ - .", Shown(*.0))]
    BadCharacter(char),
    /// Two spaces in a row, or one at the end.
    #[error("Use single spaces only, and none at the end of the name.")]
    BadSpace,
    /// The text is not in NFC. Only possible on the wire, since [`Name::parse`] normalises.
    #[error("The client must send names in Unicode's composed form (NFC).")]
    NotComposed,
    /// Letters of several scripts, as used to imitate other names: a Cyrillic `а` among Latin letters.
    #[error("Use letters of one alphabet only.")]
    MixedScripts,
    /// Digits of several systems: their numbers are read wrongly.
    #[error("Use digits of one kind only.")]
    MixedDigits,
    /// The same mark twice in a row, or more than four on one letter.
    #[error("Remove repeated accents, and put at most four on one letter.")]
    HeapedMarks,
    /// The name, which is given, could be taken for a word that Triptych uses in the place of a name.
    #[error("Choose another name. Triptych itself uses \u{201c}{0}\u{201d}, or a word that looks like it.")]
    Reserved(String),
}

impl Name {
    /// Puts `text` into NFC and checks it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name: String = text.nfc().collect();
        let char_count = name.chars().count();
        let first = name.chars().next().ok_or(NameError::Empty)?;
        if char_count > MAX_NAME_CHARS {
            return Err(NameError::TooLong(char_count));
        }
        if !first.is_alphanumeric() || is_mark(first) {
            return Err(NameError::BadStart(first));
        }
        if let Some(bad) = name.chars().find(|&c| !is_name_char(c)) {
            return Err(NameError::BadCharacter(bad));
        }
        if name.contains("  ") || name.ends_with(' ') {
            return Err(NameError::BadSpace);
        }
        if !name.as_str().is_single_script() {
            return Err(NameError::MixedScripts);
        }
        if digit_systems(&name).len() > 1 {
            return Err(NameError::MixedDigits);
        }
        if has_heaped_marks(&name) {
            return Err(NameError::HeapedMarks);
        }
        if fold::is_reserved(&name) {
            return Err(NameError::Reserved(name));
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The forms by which names are compared: two names that share one could be taken for each other. Both may be the same.
    pub fn folds(&self) -> [Fold; 2] {
        fold::folds(&self.0)
    }

    /// Whether the names differ in no more than case and look-alike letters (UTS #39 skeleton), so that a reader could take
    /// one for the other.
    pub fn is_confusable_with(&self, other: &Name) -> bool {
        let others = other.folds();
        self.folds().iter().any(|fold| others.contains(fold))
    }

    /// Similar names to offer when this one is taken: `name-2` to `name-17`, each cut to fit [`MAX_NAME_CHARS`]. The number
    /// is in the digits of the name.
    pub fn numbered(&self) -> impl Iterator<Item = Name> {
        let zero = digit_systems(&self.0).first().copied().unwrap_or('0');
        let in_digits_of_the_name =
            move |digit: char| digit.to_digit(10).and_then(|value| char::from_u32(u32::from(zero) + value));
        (2..2 + NUMBERED_COUNT).filter_map(move |number| {
            let suffix: String = number.to_string().chars().filter_map(in_digits_of_the_name).collect();
            let stem: String = self.0.chars().take(MAX_NAME_CHARS - 1 - suffix.chars().count()).collect();
            Name::parse(&format!("{}-{suffix}", stem.trim_end())).ok()
        })
    }
}

fn is_name_char(c: char) -> bool {
    matches!(c, ' ' | '_' | '-' | '.') || (c.is_ascii_alphanumeric() || (!c.is_ascii() && c.identifier_allowed()))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    /// Accepts only text that is already in NFC, so that one name has one form on the wire.
    fn try_from(text: String) -> Result<Self, NameError> {
        let name = Name::parse(&text)?;
        if name.0 == text {
            return Ok(name);
        }
        Err(NameError::NotComposed)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests;
