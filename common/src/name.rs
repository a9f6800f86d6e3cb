//! Names that people can tell apart: Unicode, but without tricks.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript, confusable_detection::skeleton};

use crate::limits::MAX_NAME_CHARS;

/// A person's name: 1 to 32 characters in NFC, the first a letter or digit, then letters, digits, single spaces and
/// `_ - .`, all letters of one script.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name needs at least one character")]
    Empty,
    /// Too many characters.
    #[error("a name has at most {MAX_NAME_CHARS} characters, this one has {0}")]
    TooLong(usize),
    /// The first character is neither a letter nor a digit.
    #[error("a name starts with a letter or a digit, not with {0:?}")]
    BadStart(char),
    /// A character that may not stand in a name.
    #[error("{0:?} cannot stand in a name; letters, digits, single spaces, '_', '-' and '.' can")]
    BadCharacter(char),
    /// Two spaces in a row, or one at the end.
    #[error("spaces in a name stand single and not at its end")]
    BadSpace,
    /// On the wire only: another form of the same text.
    #[error("a name is sent in Unicode's composed form (NFC)")]
    NotComposed,
    /// Letters of several scripts, as used to imitate other names.
    #[error("a name keeps to one script; this one mixes several, which lets it imitate another name")]
    MixedScripts,
}

impl Name {
    /// Checks `text` after putting it into NFC.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name: String = text.nfc().collect();
        let char_count = name.chars().count();
        let first = name.chars().next().ok_or(NameError::Empty)?;
        if char_count > MAX_NAME_CHARS {
            return Err(NameError::TooLong(char_count));
        }
        if !first.is_alphanumeric() {
            return Err(NameError::BadStart(first));
        }
        if let Some(bad) = name.chars().find(|&c| !may_stand_in_name(c)) {
            return Err(NameError::BadCharacter(bad));
        }
        if name.contains("  ") || name.ends_with(' ') {
            return Err(NameError::BadSpace);
        }
        if !name.as_str().is_single_script() {
            return Err(NameError::MixedScripts);
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a reader could take one name for the other: equal but for case and look-alike letters (UTS #39 skeleton).
    pub fn is_confusable_with(&self, other: &Name) -> bool {
        self.fold() == other.fold()
    }

    /// The first of `name-2`, `name-3`, … that is free by `is_taken`.
    pub fn next_free(&self, is_taken: impl Fn(&Name) -> bool) -> Name {
        (2u32..)
            .map(|number| {
                let suffix = format!("-{number}");
                let stem: String = self.0.chars().take(MAX_NAME_CHARS - suffix.len()).collect();
                Name(format!("{}{suffix}", stem.trim_end()))
            })
            .find(|candidate| !is_taken(candidate))
            .expect("finitely many names are taken")
    }

    fn fold(&self) -> String {
        // Lower case before and after: the skeleton maps some capitals (I, O) onto small letters of other shapes.
        let lower: String = self.0.chars().flat_map(char::to_lowercase).collect();
        skeleton(&lower).flat_map(char::to_lowercase).collect()
    }
}

fn may_stand_in_name(c: char) -> bool {
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
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect(text)
    }

    #[test]
    fn names_of_many_languages_are_accepted() {
        for text in [
            "a",
            "7",
            "Ada Lovelace",
            "J. R.-R_2",
            "Žofie",
            "Ольга",
            "李小龙",
            "さくら",
            "विष्णु",
            "محمد",
            &"x".repeat(32),
        ] {
            assert_eq!(name(text).as_str(), text);
        }
    }

    #[test]
    fn tricks_are_refused_with_the_reason() {
        for (text, error) in [
            ("", NameError::Empty),
            (&"x".repeat(33), NameError::TooLong(33)),
            (" a", NameError::BadStart(' ')),
            ("-a", NameError::BadStart('-')),
            ("a\u{202e}b", NameError::BadCharacter('\u{202e}')),
            ("a\nb", NameError::BadCharacter('\n')),
            ("a\u{200d}b", NameError::BadCharacter('\u{200d}')),
            ("a/b", NameError::BadCharacter('/')),
            ("a  b", NameError::BadSpace),
            ("a ", NameError::BadSpace),
            ("p\u{430}ul", NameError::MixedScripts),
        ] {
            assert_eq!(Name::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn names_are_compared_in_composed_form() {
        assert_eq!(name("e\u{301}va"), name("éva"));
        assert!(Name::try_from("e\u{301}va".to_owned()).is_err(), "the wire carries one form only");
    }

    #[test]
    fn look_alikes_clash() {
        assert!(name("Ada").is_confusable_with(&name("aDA")));
        assert!(name("сосо").is_confusable_with(&name("coco")), "Cyrillic and Latin");
        assert!(!name("Ada").is_confusable_with(&name("Bob")));
    }

    #[test]
    fn the_next_free_name_counts_up_and_keeps_the_limit() {
        assert_eq!(name("ada").next_free(|_| false), name("ada-2"));
        assert_eq!(name("ada").next_free(|n| n.as_str() == "ada-2"), name("ada-3"));
        let long = name(&"x".repeat(32)).next_free(|_| false);
        assert_eq!(Name::parse(long.as_str()), Ok(long));
    }
}
