//! Characters as texts for people name them.

use std::fmt;

use super::marks_and_digits::is_mark;

/// A character as a person can recognise it: itself, or what it does if it has no form of its own.
pub(super) struct Shown(pub(super) char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(c) = *self;
        // `escape_debug` escapes what has no visible form of its own, and quotes and the backslash besides.
        if matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1 && c != ' ' {
            return write!(f, "\u{201c}{c}\u{201d}");
        }
        f.write_str(match c {
            ' ' => "a space",
            '\t' => "a tab",
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => "a line break",
            '\u{ad}' => "an invisible hyphen",
            '\u{200b}' | '\u{2060}' | '\u{feff}' => "an invisible space",
            '\u{200c}' => "an invisible character that separates letters",
            '\u{200d}' => "an invisible joiner",
            '\u{202d}' | '\u{202e}' => "an invisible character that reverses the direction of text",
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202c}' | '\u{2066}'..='\u{2069}' => {
                "an invisible character that changes the direction of text"
            }
            c if is_mark(c) => "an accent without a letter",
            c if c.is_whitespace() => "an unusual space",
            c if c.is_control() => "a control character",
            _ => "a character that cannot be shown",
        })
    }
}
