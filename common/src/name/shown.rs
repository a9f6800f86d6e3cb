//! Characters as texts for people name them.

use std::fmt;

/// A character as a person can recognise it: an invisible one by its code point and, if it is common, in words.
pub(super) struct Shown(pub(super) char);

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
