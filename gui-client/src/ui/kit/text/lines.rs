//! The lines of a paragraph with right-to-left letters, broken before they are put into the order of the screen.

use std::{ops::Range, sync::Arc};

use egui::{
    Galley,
    epaint::text::{ByteIndex, FontsView, LayoutJob, LayoutSection},
};
use unicode_segmentation::UnicodeSegmentation;

use super::bidi::{Paragraph, Piece};

/// The lines of a paragraph, as ranges of its bytes. `offset` is where it begins in the job.
pub(super) fn break_lines(
    fonts: &mut FontsView<'_>,
    job: &LayoutJob,
    paragraph: &Paragraph<'_>,
    text: &str,
    offset: usize,
) -> Vec<Range<usize>> {
    let room = job.wrap.max_width;
    let mut width_of = |range: Range<usize>| -> f32 {
        let pieces = paragraph.pieces(range);
        pieces.iter().map(|piece| piece_galley(fonts, job, piece, offset).intrinsic_size().x).sum()
    };
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut line = 0..0;
    let mut line_width = 0.0;
    for (start, word) in words(text) {
        // White space at the end of a line may lie beyond the edge.
        let visible = start..start + word.trim_end().len();
        let mut parts = vec![(start..start + word.len(), width_of(visible))];
        if parts[0].1 > room {
            parts = word
                .grapheme_indices(true)
                .map(|(at, cluster)| start + at..start + at + cluster.len())
                .map(|range| (range.clone(), width_of(range)))
                .collect();
        }
        for (range, visible_width) in parts {
            if line_width + visible_width > room && !line.is_empty() {
                lines.push(std::mem::replace(&mut line, range.start..range.start));
                line_width = 0.0;
            }
            line_width += width_of(range.clone());
            line.end = range.end;
        }
    }
    lines.push(line);
    lines
}

/// The words of a text, each with the white space after it and with its place.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut words: Vec<(usize, &str)> = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((_, char)) = chars.next() {
        let next = chars.peek().copied();
        if next.is_none_or(|(_, next)| char.is_whitespace() && !next.is_whitespace()) {
            let end = next.map_or(text.len(), |(at, _)| at);
            words.push((start, text.get(start..end).unwrap_or_default()));
            start = end;
        }
    }
    words
}

/// The sections that a piece consists of: its text may have several formats.
pub(super) fn sections(job: &LayoutJob, piece: &Piece, offset: usize) -> Vec<(String, LayoutSection)> {
    let bytes = piece.bytes.start + offset..piece.bytes.end + offset;
    let mut parts: Vec<(String, LayoutSection)> = Vec::new();
    let chars = job.text.get(bytes.clone()).unwrap_or_default().char_indices().zip(piece.shown.chars());
    let mut last = usize::MAX;
    for ((at, _), shown) in chars {
        let at = bytes.start + at;
        let found = job.sections.partition_point(|section| section.byte_range.end.0 <= at);
        let index = found.min(job.sections.len().saturating_sub(1));
        // A word of right-to-left letters has one format: it is turned around as a whole.
        if parts.is_empty() || index != last && !piece.is_right_to_left {
            let Some(section) = job.sections.get(index) else { continue };
            parts.push((String::new(), LayoutSection { leading_space: 0.0, ..section.clone() }));
            last = index;
        }
        if let Some((text, _)) = parts.last_mut() {
            text.push(shown);
        }
    }
    parts
}

/// A job of one row with these sections.
pub(super) fn row_job(job: &LayoutJob, parts: impl IntoIterator<Item = (String, LayoutSection)>) -> LayoutJob {
    let mut row = LayoutJob { break_on_newline: false, keep_trailing_whitespace: true, ..LayoutJob::default() };
    row.round_output_to_gui = false;
    row.first_row_min_height = job.first_row_min_height;
    for (text, section) in parts {
        // Not `append`, which would join pieces of one format and have them shaped together.
        let start = ByteIndex(row.text.len());
        row.text.push_str(&text);
        row.sections.push(LayoutSection { byte_range: start..ByteIndex(row.text.len()), ..section });
    }
    row
}

fn piece_galley(fonts: &mut FontsView<'_>, job: &LayoutJob, piece: &Piece, offset: usize) -> Arc<Galley> {
    fonts.layout_job(row_job(job, sections(job, piece, offset)))
}
