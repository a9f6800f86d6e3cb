//! Text with right-to-left letters, laid out. The text of such a galley and its characters keep the order in which they were
//! written, so that selecting and copying give the text as it was written; only the places of the glyphs are those on the
//! screen.
//!
//! A glyph that is read from right to left is given its right edge as its place and a negative width. A caret before it is
//! then drawn where it belongs. A row of a paragraph that begins at the right counts from its right edge, for the same reason.

use std::{ops::Range, sync::Arc};

use egui::{
    Galley, Pos2, Rect, Vec2,
    epaint::text::{CharIndex, FontsView, Glyph, LayoutJob, PlacedRow, Row},
    text::CCursor,
};

use super::{
    bidi::Paragraph,
    lines::{break_lines, row_job, sections},
    reorder::reorder,
};

/// Lays out `job`, whose text contains right-to-left letters. Lines are broken between words at the job's width; paragraphs
/// that begin at the right are aligned there, within the job's width if `is_filled`, otherwise within the longest line. With
/// `begins_at_left` none of them begins at the right.
pub(super) fn layout(fonts: &mut FontsView<'_>, job: LayoutJob, is_filled: bool, begins_at_left: bool) -> Galley {
    let mut lines = Vec::new();
    let mut start = 0;
    for text in job.text.split('\n') {
        let end = start + text.len();
        let paragraph = Paragraph::new(text, begins_at_left);
        let mut ranges = break_lines(fonts, &job, &paragraph, text, start);
        let last = ranges.pop().unwrap_or(0..text.len());
        for (range, is_last) in ranges.into_iter().map(|range| (range, false)).chain([(last, true)]) {
            let mut line = Line::new(fonts, &job, &paragraph, start, range);
            line.ends_with_newline = is_last && end < job.text.len();
            lines.push(line);
        }
        start = end + 1;
    }
    assemble(fonts, job, lines, is_filled)
}

/// A line, laid out from left to right, and where its characters are.
struct Line {
    row: Row,
    /// From the left end to the right one.
    width: f32,
    begins_at_right: bool,
    ends_with_newline: bool,
}

impl Line {
    fn new(
        fonts: &mut FontsView<'_>,
        job: &LayoutJob,
        paragraph: &Paragraph<'_>,
        offset: usize,
        bytes: Range<usize>,
    ) -> Self {
        let begins_at_right = paragraph.is_right_to_left();
        let pieces = paragraph.pieces(bytes);
        let parts: Vec<_> = pieces.iter().map(|piece| sections(job, piece, offset)).collect();
        // As many glyphs as each piece has when it is laid out by itself.
        let counts: Vec<usize> = parts
            .iter()
            .map(|parts| {
                let galley = fonts.layout_job(row_job(job, parts.iter().cloned()));
                galley.rows.first().map_or(0, |row| row.glyphs.len())
            })
            .collect();
        let mut whole = row_job(job, parts.into_iter().flatten());
        if whole.sections.is_empty() {
            // An empty line is as high as its letters would be.
            let section = job.sections.iter().rev().find(|section| section.byte_range.start.0 <= offset);
            if let Some(section) = section.or(job.sections.first()) {
                whole.append("", 0.0, section.format.clone());
            }
        }
        let galley = fonts.layout_job(whole);
        let width = galley.intrinsic_size().x;
        let placed = galley.rows.first().expect("there is a row even without text");
        let mut row = Row::clone(&placed.row);
        if !pieces.is_empty() {
            reorder(&mut row, paragraph.text(), &pieces, &counts, width);
        }
        Self { row, width, begins_at_right, ends_with_newline: false }
    }
}

/// Puts the lines under each other.
fn assemble(fonts: &mut FontsView<'_>, job: LayoutJob, lines: Vec<Line>, is_filled: bool) -> Galley {
    let room = job.wrap.max_width;
    let widest = lines.iter().map(Line::visible_width).fold(0.0, f32::max);
    let width = if is_filled && room.is_finite() { room } else { widest };
    let mut galley = Galley::clone(&fonts.layout_job(job));
    let to_pixel = |points: f32| (points * galley.pixels_per_point).round() / galley.pixels_per_point;
    let mut top = 0.0;
    let mut mesh_bounds = Rect::NOTHING;
    let (mut num_vertices, mut num_indices) = (0, 0);
    let rows = lines.into_iter().map(|mut line| {
        let mut left = 0.0;
        if line.begins_at_right {
            left = to_pixel(width);
            line.count_from_right();
        }
        let pos = Pos2::new(left, top);
        top = to_pixel(top + line.row.size.y);
        mesh_bounds |= line.row.visuals.mesh_bounds.translate(pos.to_vec2());
        num_vertices += line.row.visuals.mesh.vertices.len();
        num_indices += line.row.visuals.mesh.indices.len();
        PlacedRow { pos, row: Arc::new(line.row), ends_with_newline: line.ends_with_newline }
    });
    galley.rows = rows.collect();
    galley.rect = Rect::from_min_size(Pos2::ZERO, Vec2::new(width.ceil().min(room.max(1.0)), top));
    (galley.mesh_bounds, galley.num_vertices, galley.num_indices) = (mesh_bounds, num_vertices, num_indices);
    galley.elided = false;
    galley
}

impl Line {
    /// Its width without the white space at its end.
    fn visible_width(&self) -> f32 {
        let blank = self.row.glyphs.iter().rev().take_while(|glyph| glyph.chr.is_whitespace());
        self.width - blank.map(|glyph| glyph.advance_width.abs()).sum::<f32>()
    }

    /// Moves everything such that the right end is at 0.
    fn count_from_right(&mut self) {
        let shift = -self.width;
        for glyph in &mut self.row.glyphs {
            glyph.pos.x += shift;
        }
        for vertex in &mut self.row.visuals.mesh.vertices {
            vertex.pos.x += shift;
        }
        self.row.visuals.mesh_bounds = self.row.visuals.mesh.calc_bounds();
        self.row.size.x = self.row.glyphs.last().map_or(0.0, Glyph::max_x);
    }
}

/// The caret nearest to a position in a galley of this module.
pub(super) fn cursor_at(galley: &Galley, at: Vec2) -> CCursor {
    let mut first_char = 0;
    let last = galley.rows.len().saturating_sub(1);
    for (index, placed) in galley.rows.iter().enumerate() {
        if at.y < placed.pos.y + placed.row.size.y || index == last {
            return CCursor {
                index: CharIndex(first_char + nearest_caret(&placed.row, at.x - placed.pos.x)),
                prefer_next_row: true,
            };
        }
        first_char += placed.char_count_including_newline().0;
    }
    CCursor::default()
}

/// The caret of a row nearest to `x`, as the number of characters before it.
fn nearest_caret(row: &Row, x: f32) -> usize {
    let inside = row.glyphs.iter().position(|glyph| {
        let (start, end) = (glyph.pos.x, glyph.max_x());
        start.min(end) <= x && x < start.max(end)
    });
    if let Some(index) = inside {
        let glyph = &row.glyphs[index];
        let is_nearer_to_end = (x - glyph.pos.x).abs() > (x - glyph.max_x()).abs();
        return index + usize::from(is_nearer_to_end);
    }
    let carets = row.glyphs.iter().map(|glyph| glyph.pos.x).chain([row.size.x]);
    let distance = |caret: f32| (caret - x).abs();
    carets.enumerate().min_by(|(_, a), (_, b)| distance(*a).total_cmp(&distance(*b))).map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use egui::{
        Color32, FontId,
        epaint::text::{FontDefinitions, Fonts, TextFormat, TextOptions},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::ui::kit::text::test_text::any_text;

    /// The letters may be missing from the font: that changes neither their order nor their number.
    fn with_fonts<T>(use_fonts: impl FnOnce(&mut FontsView<'_>) -> T) -> T {
        let mut fonts = Fonts::new(TextOptions::default(), FontDefinitions::default());
        use_fonts(&mut fonts.with_pixels_per_point(1.0))
    }

    fn laid_out(fonts: &mut FontsView<'_>, text: &str, room: f32, is_filled: bool) -> Galley {
        let format = TextFormat::simple(FontId::proportional(15.0), Color32::WHITE);
        let mut job = LayoutJob::single_section(text.to_owned(), format);
        job.wrap.max_width = room;
        layout(fonts, job, is_filled, false)
    }

    fn row_text(placed: &PlacedRow) -> String {
        placed.row.glyphs.iter().map(|glyph| glyph.chr).collect()
    }

    /// The characters of a row from left to right.
    fn seen(placed: &PlacedRow) -> String {
        let mut glyphs: Vec<_> = placed.row.glyphs.iter().collect();
        let middle = |glyph: &Glyph| glyph.pos.x + glyph.advance_width / 2.0;
        glyphs.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
        glyphs.iter().map(|glyph| glyph.chr).collect()
    }

    #[test]
    fn characters_lie_in_the_order_in_which_they_are_read() {
        with_fonts(|fonts| {
            let galley = laid_out(fonts, "שלום abc (ד)", f32::INFINITY, false);
            assert_eq!(seen(&galley.rows[0]), ")ד( abc םולש");
            assert_eq!(row_text(&galley.rows[0]), galley.text());
        });
    }

    #[test]
    fn a_sentence_begins_at_the_left_also_with_a_name_that_begins_at_the_right() {
        with_fonts(|fonts| {
            let job = LayoutJob::single_section("דוד לוי is here".to_owned(), TextFormat::default());
            assert_eq!(seen(&layout(fonts, job.clone(), false, true).rows[0]), "יול דוד is here");
            assert_eq!(
                seen(&layout(fonts, job, false, false).rows[0]),
                "is here יול דוד",
                "without a sentence around it"
            );
        });
    }

    #[test]
    fn lines_are_broken_before_they_are_turned_around() {
        with_fonts(|fonts| {
            let galley = laid_out(fonts, "אאאא בבבב גגגג", 70.0, true);
            let rows: Vec<_> = galley.rows.iter().map(row_text).collect();
            assert!(rows.len() > 1 && rows[0].starts_with('א') && rows[rows.len() - 1].ends_with('ג'), "{rows:?}");
            assert_eq!(rows.concat(), galley.text());
            // Each line begins at the right edge of the field.
            for placed in &galley.rows {
                let first = placed.row.glyphs[0];
                assert!((placed.pos.x + first.pos.x - 70.0).abs() <= 1.0 && first.advance_width < 0.0, "{first:?}");
            }
        });
    }

    #[test]
    fn a_position_and_its_caret_belong_together() {
        with_fonts(|fonts| {
            let galley = laid_out(fonts, "abc שלום def", f32::INFINITY, false);
            // Before "ש", at the right end of the word, and before "ם", at its left end but one.
            for (index, _) in galley.text().chars().enumerate() {
                let glyph = galley.rows[0].row.glyphs[index];
                let inside = Vec2::new(glyph.pos.x + glyph.advance_width * 0.25, 5.0);
                assert_eq!(cursor_at(&galley, inside).index.0, index);
            }
            let first_letter = galley.rows[0].row.glyphs[4];
            let caret = galley.pos_from_cursor(CCursor::new(4)).center().x;
            assert_eq!(caret, first_letter.pos.x, "at its right side");
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// Whatever the text and the width: a galley keeps the text, has one glyph for each character, in order, and a mesh
        /// in which each character has its own vertices.
        #[test]
        fn a_galley_keeps_the_text_in_its_order(text in any_text(), room in 5.0..300.0f32, is_filled: bool) {
            with_fonts(|fonts| {
                let galley = laid_out(fonts, &text, room, is_filled);
                prop_assert_eq!(galley.text(), &text);
                let mut rows = String::new();
                for placed in &galley.rows {
                    rows.push_str(&row_text(placed));
                    rows.extend(placed.ends_with_newline.then_some('\n'));
                    let visuals = &placed.row.visuals;
                    prop_assert!(placed.row.glyphs.is_sorted_by_key(|glyph| glyph.first_vertex));
                    let vertices = visuals.mesh.vertices.len();
                    prop_assert!(placed.row.glyphs.iter().all(|glyph| glyph.first_vertex as usize <= vertices));
                    prop_assert!(visuals.mesh.is_valid());
                    prop_assert!(placed.row.size.y > 0.0);
                }
                prop_assert_eq!(rows, &*text);
                prop_assert_eq!(galley.end().index.0, text.chars().count());
                Ok(())
            })?;
        }
    }
}
