//! Text for property tests: words of several scripts and directions, and what is hard to lay out.

use proptest::prelude::*;

/// Up to 13 words, one after the other.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "abc",
        "x",
        "שלום",
        "مرحبا",
        "لا",
        "بِسْمِ",
        "123",
        "۱۲۳",
        "世界",
        "é",
        "e\u{301}",
        "👨‍👩‍👧",
        "(",
        ")",
        " ",
        "  ",
        "\t",
        "\n",
        "\u{200d}",
        "\u{202e}",
        "\u{2029}",
        "\u{2069}",
    ]);
    prop::collection::vec(word, 0..14).prop_map(|words| words.concat())
}
