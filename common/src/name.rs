//! Names of people: Unicode, restricted so that no name can imitate another.
//!
//! [`NameError`] is shown to people as it is, in the connection form and in refusals, so its texts are sentences.

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

/// A form of a name in which case and look-alike letters make no difference.
pub type Fold = String;

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
        if !first.is_alphanumeric() {
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
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the names are equal apart from case and look-alike letters (UTS #39 skeleton), so that a reader could
    /// take one for the other.
    pub fn is_confusable_with(&self, other: &Name) -> bool {
        self.fold() == other.fold()
    }

    /// The first of `name-2`, `name-3`, … for which `is_taken` is false; the name is cut to fit [`MAX_NAME_CHARS`].
    pub fn next_free(&self, is_taken: impl Fn(&Name) -> bool) -> Name {
        (2u32..)
            .map(|number| {
                let suffix = format!("-{number}");
                let stem: String = self.0.chars().take(MAX_NAME_CHARS - suffix.len()).collect();
                Name(format!("{}{suffix}", stem.trim_end()))
            })
            .find(|candidate| !is_taken(candidate))
            .expect("only finitely many names are taken")
    }

    /// The forms by which names are compared: two names that share one could be taken for each other.
    pub fn folds(&self) -> [Fold; 2] {
        let fold = self.fold();
        [fold.clone(), fold]
    }

    fn fold(&self) -> String {
        // Lower-cased before and after, because the skeleton maps some capitals (I, O) to lower-case letters of other
        // shapes.
        let lower: String = self.0.chars().flat_map(char::to_lowercase).collect();
        skeleton(&lower).flat_map(char::to_lowercase).collect()
    }
}

fn is_name_char(c: char) -> bool {
    matches!(c, ' ' | '_' | '-' | '.') || (c.is_ascii_alphanumeric() || (!c.is_ascii() && c.identifier_allowed()))
}

/// A character as a person can recognise it: an invisible one by its code point and, if it is common, in words.
struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(c) = *self;
        // `escape_debug` escapes what has no visible form of its own, and quotes and the backslash besides.
        if matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1 && c != ' ' {
            return write!(f, "\u{201c}{c}\u{201d}");
        }
        let words = match c {
            ' ' => return f.write_str("a space"),
            '\t' => return f.write_str("a tab"),
            '\n' | '\r' => return f.write_str("a line break"),
            '\u{ad}' => "soft hyphen",
            '\u{200b}' | '\u{feff}' => "zero-width space",
            '\u{200c}' => "zero-width non-joiner",
            '\u{200d}' => "zero-width joiner",
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "text-direction control",
            _ => return write!(f, "the invisible character U+{:04X}", u32::from(c)),
        };
        write!(f, "the invisible character U+{:04X} ({words})", u32::from(c))
    }
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
    fn refused_characters_are_named_so_that_people_recognise_them() {
        for (c, shown) in [
            ('/', "\u{201c}/\u{201d}"),
            ('\'', "\u{201c}'\u{201d}"),
            ('✅', "\u{201c}✅\u{201d}"),
            (' ', "a space"),
            ('\n', "a line break"),
            ('\u{202e}', "the invisible character U+202E (text-direction control)"),
            ('\u{200d}', "the invisible character U+200D (zero-width joiner)"),
            ('\u{7}', "the invisible character U+0007"),
            ('\u{301}', "the invisible character U+0301"),
        ] {
            let text = NameError::BadCharacter(c).to_string();
            assert_eq!(text, format!("Remove {shown}. Names can contain letters, digits, spaces and _ - ."));
            let text = NameError::BadStart(c).to_string();
            assert_eq!(text, format!("Start the name with a letter or a digit, not with {shown}."));
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
