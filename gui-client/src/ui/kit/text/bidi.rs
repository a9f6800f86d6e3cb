//! The order in which text with right-to-left letters is read on the screen (UAX #9), as pieces that epaint shapes rightly.
//!
//! epaint 0.37 puts what it shapes from left to right, and turns only letters around that come from one font and belong to a
//! right-to-left script. So a line is cut into pieces that are either such letters or nothing of that kind, and the pieces are
//! put into their order on the screen.

use std::ops::Range;

use unicode_bidi::{BidiClass, BidiInfo, Level, ParagraphInfo, bidi_class};
use unicode_bidi_mirroring::get_mirrored;
use unicode_segmentation::UnicodeSegmentation;

/// Part of a line that is shaped on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it is in the paragraph.
    pub bytes: Range<usize>,
    /// Whether it is read from right to left.
    pub is_right_to_left: bool,
    /// What is drawn: brackets between right-to-left letters are mirrored.
    pub shown: String,
}

/// A paragraph with the direction of each character.
pub(super) struct Paragraph<'a> {
    info: BidiInfo<'a>,
}

/// Whether any of the text may be read from right to left.
pub(crate) fn has_right_to_left(text: &str) -> bool {
    // Nothing before the Hebrew letters is.
    text.chars().any(|char| char >= '\u{590}' && is_right_to_left(char))
}

fn is_right_to_left(char: char) -> bool {
    use BidiClass::{AL, AN, R, RLE, RLI, RLO};
    matches!(bidi_class(char), R | AL | AN | RLE | RLI | RLO)
}

/// Whether a shaper takes this character for part of a word of right-to-left letters.
fn is_joined(char: char) -> bool {
    matches!(bidi_class(char), BidiClass::R | BidiClass::AL | BidiClass::NSM) || matches!(char, '\u{200c}' | '\u{200d}')
}

impl<'a> Paragraph<'a> {
    /// Finds the directions in `text`, which contains no line break. It begins where its first letter is read from, or always
    /// at the left.
    pub(super) fn new(text: &'a str, begins_at_left: bool) -> Self {
        let mut info = BidiInfo::new(text, begins_at_left.then(Level::ltr));
        // What a reader takes for one character has one direction, also where joiners are in it.
        for (start, cluster) in text.grapheme_indices(true) {
            let level = info.levels[start];
            info.levels[start..start + cluster.len()].fill(level);
        }
        Self { info }
    }

    /// The text of the paragraph.
    pub(super) fn text(&self) -> &'a str {
        self.info.text
    }

    /// Whether the paragraph begins at the right.
    pub(super) fn is_right_to_left(&self) -> bool {
        self.info.paragraphs.first().is_some_and(|paragraph| paragraph.level.is_rtl())
    }

    /// The pieces of a line of this paragraph, from left to right.
    pub(super) fn pieces(&self, line: Range<usize>) -> Vec<Piece> {
        if line.is_empty() {
            return Vec::new();
        }
        // Separators such as U+2029 begin further paragraphs in the eyes of the algorithm; here they are in one line.
        let whole = ParagraphInfo {
            range: 0..self.info.text.len(),
            level: self.info.paragraphs.first().map_or(Level::ltr(), |paragraph| paragraph.level),
        };
        let (levels, runs) = self.info.visual_runs(&whole, line);
        runs.into_iter()
            .flat_map(|run| {
                let is_right_to_left = levels[run.start].is_rtl();
                let mut pieces = cut(self.info.text, run, is_right_to_left);
                if is_right_to_left {
                    pieces.reverse();
                }
                pieces
            })
            .collect()
    }
}

/// Cuts a run of one direction into pieces, in the order of the text.
fn cut(text: &str, run: Range<usize>, is_right_to_left: bool) -> Vec<Piece> {
    let Some(run_text) = text.get(run.clone()) else { return Vec::new() };
    let mut pieces: Vec<(Piece, bool)> = Vec::new();
    for (offset, cluster) in run_text.grapheme_indices(true) {
        let bytes = run.start + offset..run.start + offset + cluster.len();
        // What a shaper would turn around by itself. Figures are not to be turned, so each is on its own.
        let is_turned = cluster.chars().all(is_joined);
        let goes_on = match pieces.last() {
            Some((_, was_turned)) if is_right_to_left => *was_turned && is_turned,
            Some((_, was_turned)) => !is_turned && !was_turned && !is_foreign_figure(cluster),
            None => false,
        };
        let shown = if is_right_to_left { mirrored(cluster) } else { cluster.to_owned() };
        match pieces.last_mut().filter(|_| goes_on) {
            Some((piece, _)) => {
                piece.bytes.end = bytes.end;
                piece.shown.push_str(&shown);
            }
            None => pieces.push((
                Piece { bytes, is_right_to_left, shown },
                // A figure on its own is not followed by anything either.
                is_turned || is_foreign_figure(cluster),
            )),
        }
    }
    pieces.into_iter().map(|(piece, _)| piece).collect()
}

/// Whether these are figures of the Arabic script, which a shaper would turn around although they are read from left to right.
fn is_foreign_figure(cluster: &str) -> bool {
    cluster.chars().any(|char| matches!(bidi_class(char), BidiClass::AN | BidiClass::EN) && !char.is_ascii())
}

fn mirrored(cluster: &str) -> String {
    cluster.chars().map(|char| get_mirrored(char).unwrap_or(char)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ui::kit::text::test_text::any_text;

    fn shown(text: &str) -> String {
        let paragraph = Paragraph::new(text, false);
        paragraph.pieces(0..text.len()).into_iter().map(|piece| format!("[{}]", piece.shown)).collect()
    }

    #[test]
    fn words_and_what_is_between_them_change_places() {
        assert_eq!(shown("مرحبا بالعالم"), "[بالعالم][ ][مرحبا]");
        assert_eq!(shown("שלום עולם!"), "[!][עולם][ ][שלום]");
        assert_eq!(shown("plain text"), "[plain text]");
    }

    #[test]
    fn latin_words_and_figures_keep_their_direction() {
        assert_eq!(shown("אבג hello 123 דהו"), "[דהו][ ][hello 123][ ][אבג]");
        assert_eq!(shown("see אבג now"), "[see ][אבג][ now]");
        // Persian figures, each on its own.
        assert_eq!(shown("ساعت ۱۲"), "[۱][۲][ ][ساعت]");
    }

    #[test]
    fn brackets_between_right_to_left_letters_are_mirrored() {
        assert_eq!(shown("אב (גד)"), "[(][גד][)][ ][אב]");
    }

    #[test]
    fn the_first_letter_decides_where_a_paragraph_begins() {
        assert!(Paragraph::new("שלום world", false).is_right_to_left());
        assert!(!Paragraph::new("שלום world", true).is_right_to_left());
        assert!(!Paragraph::new("world שלום", false).is_right_to_left());
        assert!(has_right_to_left("a שלום") && !has_right_to_left("Grüße, 世界 🎉"));
    }

    proptest! {
        /// The pieces of a line are its text, cut and put into another order, and no grapheme cluster is cut.
        #[test]
        fn pieces_are_the_line_in_another_order(text in any_text(), cut in 0.0..=1.0f64) {
            let paragraph = Paragraph::new(&text, false);
            let starts: Vec<_> = text.grapheme_indices(true).map(|(start, _)| start).chain([text.len()]).collect();
            let middle = starts[(cut * (starts.len() - 1) as f64) as usize];
            for line in [0..middle, middle..text.len(), 0..text.len()] {
                let mut pieces = paragraph.pieces(line.clone());
                pieces.sort_by_key(|piece| piece.bytes.start);
                let mut end = line.start;
                for piece in &pieces {
                    prop_assert_eq!(piece.bytes.start, end);
                    // Invisible characters at the end of a line may have a direction of their own.
                    let is_invisible = text.get(piece.bytes.clone()).is_some_and(|text| text.starts_with(|char| bidi_class(char) == BidiClass::BN));
                    prop_assert!(starts.contains(&piece.bytes.start) || is_invisible);
                    prop_assert_eq!(piece.shown.chars().count(), text.get(piece.bytes.clone()).map_or(0, |text| text.chars().count()));
                    end = piece.bytes.end;
                }
                prop_assert_eq!(end, line.end);
            }
        }
    }
}
