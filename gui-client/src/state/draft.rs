//! What the composer and the list of people say about a draft.

use common::limits::MAX_TEXT_BYTES;

use super::conversation::Conversation;

/// Part of the limit from which the composer says how much room is left.
const COUNTED_FROM: f64 = 0.9;

impl Conversation {
    /// About how many more characters fit into the message, once nine tenths of the room are taken; negative if it is too
    /// long. The limit counts bytes, so the characters are taken to be as long as those that are there.
    pub fn room_chars(&self) -> Option<i64> {
        let text = self.outgoing();
        if (text.len() as f64) < COUNTED_FROM * MAX_TEXT_BYTES as f64 {
            return None;
        }
        let char_bytes = text.len() as f64 / text.chars().count().max(1) as f64;
        let room_bytes = MAX_TEXT_BYTES as f64 - text.len() as f64;
        // Rounded down: what is said to fit does fit, and one byte too many is one character too many.
        Some((room_bytes / char_bytes).floor() as i64)
    }

    /// The beginning of the draft in one line, for a list; `None` if there is nothing but white space.
    pub fn draft_preview(&self) -> Option<String> {
        let words: Vec<&str> = self.draft.split_whitespace().take(MAX_PREVIEW_WORDS).collect();
        (!words.is_empty()).then(|| words.join(" ").chars().take(MAX_PREVIEW_CHARS).collect())
    }
}

/// More than a row of a list has room for.
const MAX_PREVIEW_WORDS: usize = 40;
const MAX_PREVIEW_CHARS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Conversation {
        let mut conversation = Conversation::default();
        conversation.draft.push_str(text);
        conversation
    }

    #[test]
    fn the_room_is_counted_in_characters_of_the_text() {
        assert_eq!(draft("short").room_chars(), None);
        assert_eq!(draft(&"a".repeat(MAX_TEXT_BYTES - 10)).room_chars(), Some(10));
        assert_eq!(draft(&"a".repeat(MAX_TEXT_BYTES)).room_chars(), Some(0));
        assert_eq!(draft(&"a".repeat(MAX_TEXT_BYTES + 3)).room_chars(), Some(-3));
        // Three bytes each: 2730 fit.
        assert_eq!(draft(&"世".repeat(2_725)).room_chars(), Some(5));
        assert_eq!(draft(&"世".repeat(2_731)).room_chars(), Some(-1));
    }

    #[test]
    fn a_preview_is_one_line() {
        assert_eq!(draft(" \n ").draft_preview(), None);
        assert_eq!(draft("Dear all,\n\n  the clip").draft_preview().as_deref(), Some("Dear all, the clip"));
        assert_eq!(draft(&"ab".repeat(500)).draft_preview().map(|text| text.len()), Some(120));
    }
}
