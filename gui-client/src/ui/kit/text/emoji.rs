//! Which parts of a text are emoji (UTS #51): they are drawn from a font of their own, in colour where the system has one.

use unicode_properties::emoji::{
    EmojiStatus, UnicodeEmoji, is_emoji_presentation_selector, is_regional_indicator, is_text_presentation_selector,
    is_zwj,
};

/// U+20E3 COMBINING ENCLOSING KEYCAP, as in 1️⃣.
const KEYCAP: char = '\u{20e3}';

/// Whether a text may contain emoji at all; quick, because most texts do not.
pub(super) fn may_contain(text: &str) -> bool {
    text.chars().any(|char| char >= '\u{200d}')
}

/// Whether a grapheme cluster is drawn as a picture and not as a letter or sign.
pub(super) fn is_emoji(cluster: &str) -> bool {
    let Some(first) = cluster.chars().next() else { return false };
    let mut rest = cluster.chars().skip(1);
    if rest.clone().any(is_text_presentation_selector) || !first.is_emoji_char() {
        return false;
    }
    is_picture_by_itself(first)
        || is_regional_indicator(first)
        || rest.any(|char| is_emoji_presentation_selector(char) || is_zwj(char) || is_modifier(char) || char == KEYCAP)
}

fn is_picture_by_itself(char: char) -> bool {
    use EmojiStatus::{
        EmojiPresentation, EmojiPresentationAndEmojiComponent, EmojiPresentationAndModifierAndEmojiComponent,
        EmojiPresentationAndModifierBase,
    };
    matches!(
        char.emoji_status(),
        EmojiPresentation
            | EmojiPresentationAndEmojiComponent
            | EmojiPresentationAndModifierAndEmojiComponent
            | EmojiPresentationAndModifierBase
    )
}

/// The five skin tones.
fn is_modifier(char: char) -> bool {
    char.emoji_status() == EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
}

#[cfg(test)]
mod tests {
    use unicode_segmentation::UnicodeSegmentation;

    use super::*;

    #[test]
    fn pictures_are_told_from_signs() {
        for emoji in ["😀", "👨‍👩‍👧", "👍🏽", "🇩🇪", "❤️", "1️⃣", "☝🏿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "⌚"]
        {
            assert_eq!(emoji.graphemes(true).count(), 1, "{emoji}");
            assert!(may_contain(emoji) && is_emoji(emoji), "{emoji}");
        }
        for sign in ["1", "#", "©", "→", "↔", "✔", "❤", "😀\u{fe0e}", "é", "世", "א"] {
            assert!(!is_emoji(sign), "{sign}");
        }
    }
}
