//! Text that people have written, in any script: emoji from their own font, right-to-left letters in their order, links.
//! Texts of the program itself need none of this.

mod bidi;
mod edit;
mod emoji;
mod galley;
mod lines;
mod reorder;
#[cfg(test)]
mod test_text;

use std::{ops::Range, sync::Arc};

use egui::{
    Align, Color32, FontId, Galley, Rect, Stroke, TextFormat, Ui,
    epaint::text::{ByteIndex, LayoutJob, LayoutSection},
};
use unicode_segmentation::UnicodeSegmentation;

pub(crate) use edit::{follow_pointer, has_right_to_left_at, swap_horizontal_arrows};

use super::fonts;

/// How a text is set.
#[derive(Debug, Clone)]
pub(crate) struct TextStyle<'a> {
    /// Its font.
    pub font: FontId,
    /// Its colour.
    pub color: Color32,
    /// Height of a line; `None` for that of the font.
    pub line_height: Option<f32>,
    /// Width at which lines are broken.
    pub room: f32,
    /// The places of links, in order, as ranges of bytes.
    pub links: &'a [Range<usize>],
    /// Colour of links and of the line under them.
    pub link_color: Color32,
}

/// Prepares a text for [`layout`].
pub(crate) fn job(ui: &Ui, text: &str, style: &TextStyle<'_>) -> LayoutJob {
    // Emoji are higher than letters, and must not make their line so.
    let line_height = style.line_height.unwrap_or_else(|| ui.fonts_mut(|fonts| fonts.row_height(&style.font)));
    let mut job = LayoutJob::default();
    job.wrap.max_width = style.room;
    job.text = text.to_owned();
    let format = |is_emoji: bool, is_link: bool| TextFormat {
        font_id: if is_emoji { fonts::emoji(style.font.size) } else { style.font.clone() },
        color: if is_link { style.link_color } else { style.color },
        underline: if is_link { Stroke::new(1.0, style.link_color) } else { Stroke::NONE },
        line_height: Some(line_height),
        valign: Align::Center,
        ..TextFormat::default()
    };
    let is_plain = style.links.is_empty() && !emoji::may_contain(text);
    if is_plain || text.is_empty() {
        job.sections.push(section(0..text.len(), format(false, false)));
        return job;
    }
    let mut links = style.links.iter().peekable();
    let mut last = None;
    for (start, cluster) in text.grapheme_indices(true) {
        while links.next_if(|link| link.end <= start).is_some() {}
        let is_link = links.peek().is_some_and(|link| link.contains(&start));
        let kind = (emoji::is_emoji(cluster), is_link);
        let end = start + cluster.len();
        match job.sections.last_mut() {
            Some(section) if last == Some(kind) => section.byte_range.end = ByteIndex(end),
            _ => job.sections.push(section(start..end, format(kind.0, kind.1))),
        }
        last = Some(kind);
    }
    job
}

fn section(bytes: Range<usize>, format: TextFormat) -> LayoutSection {
    LayoutSection { leading_space: 0.0, byte_range: ByteIndex(bytes.start)..ByteIndex(bytes.end), format }
}

/// Lays out a text. Its paragraphs that begin at the right are aligned there, within the width of the longest line.
pub(crate) fn layout(ui: &Ui, job: LayoutJob) -> Arc<Galley> {
    layout_within(ui, job, false, false)
}

/// The same for a sentence of the program with a name in it: it begins at the left, whatever the name is written in.
pub(crate) fn layout_sentence(ui: &Ui, job: LayoutJob) -> Arc<Galley> {
    layout_within(ui, job, false, true)
}

/// The same for a field: paragraphs that begin at the right are aligned at the right edge of the field.
pub(crate) fn layout_in_field(ui: &Ui, mut job: LayoutJob) -> Arc<Galley> {
    job.keep_trailing_whitespace = true;
    layout_within(ui, job, true, false)
}

fn layout_within(ui: &Ui, job: LayoutJob, is_filled: bool, begins_at_left: bool) -> Arc<Galley> {
    ui.fonts_mut(|fonts| {
        if bidi::has_right_to_left(&job.text) {
            Arc::new(galley::layout(fonts, job, is_filled, begins_at_left))
        } else {
            fonts.layout_job(job)
        }
    })
}

/// Whether the text of a galley has right-to-left letters. If so, only [`show_selectable`] may be given it to select from.
pub(crate) fn has_right_to_left(text: &str) -> bool {
    bidi::has_right_to_left(text)
}

/// A name or title in one line, shortened with `…` if it does not fit into `room`.
pub(crate) fn line(ui: &Ui, text: &str, font: FontId, color: Color32, room: f32) -> Arc<Galley> {
    let style = TextStyle { font, color, line_height: None, room: f32::INFINITY, links: &[], link_color: color };
    // A line break in a title is a space.
    let text: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let whole = layout(ui, job(ui, &text, &style));
    if whole.size().x <= room {
        return whole;
    }
    let ends: Vec<usize> = text.grapheme_indices(true).map(|(start, _)| start).collect();
    let shortened = |count: usize| {
        let beginning = text.get(..ends.get(count).copied().unwrap_or(0)).unwrap_or_default().trim_end();
        layout(ui, job(ui, &format!("{beginning}…"), &style))
    };
    // The first number of clusters that is too wide.
    let mut counts = 0..ends.len();
    while counts.len() > 1 {
        let middle = counts.start + counts.len() / 2;
        if shortened(middle).size().x <= room { counts.start = middle } else { counts.end = middle }
    }
    shortened(counts.start)
}

/// Where these characters are in a galley of this module, one rectangle for each row.
pub(crate) fn char_rects(galley: &Galley, chars: Range<usize>) -> Vec<Rect> {
    let mut rects = Vec::new();
    let mut first_char = 0;
    for placed in &galley.rows {
        let glyphs = &placed.row.glyphs;
        let start = chars.start.saturating_sub(first_char).min(glyphs.len());
        let end = chars.end.saturating_sub(first_char).min(glyphs.len());
        let sides = glyphs[start..end].iter().flat_map(|glyph| [glyph.pos.x, glyph.max_x()]);
        let left = sides.clone().fold(f32::INFINITY, f32::min);
        let right = sides.fold(f32::NEG_INFINITY, f32::max);
        if left < right {
            let rect = Rect::from_min_max(egui::pos2(left, 0.0), egui::pos2(right, placed.row.size.y));
            rects.push(rect.translate(placed.pos.to_vec2()));
        }
        first_char += placed.char_count_including_newline().0;
    }
    rects
}

pub(crate) use edit::show_selectable;

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;

    use super::*;

    #[test]
    fn a_line_that_is_too_long_ends_with_an_ellipsis() {
        let mut shown = Vec::new();
        let builder = Harness::builder().allow_missing_glyphs().with_context_setup(super::super::theme::apply);
        let mut harness = builder.build_ui(|ui| {
            let font = FontId::proportional(15.0);
            shown.clear();
            for (text, room) in [
                ("Wolfeschlegelsteinhausenbergerdorff", 120.0),
                ("short", 120.0),
                ("משה שמואל אברהם יצחק יעקב", 80.0),
                ("two\nlines", 200.0),
                ("x", 0.0),
            ] {
                let galley = line(ui, text, font.clone(), Color32::WHITE, room);
                shown.push((galley.text().to_owned(), galley.size().x, galley.rows.len()));
            }
        });
        harness.run();
        drop(harness);
        assert!(shown[0].0.starts_with("Wolfe") && shown[0].0.ends_with('…') && shown[0].1 <= 120.0, "{:?}", shown[0]);
        assert_eq!(shown[1].0, "short");
        assert!(shown[2].0.starts_with("משה") && shown[2].0.ends_with('…') && shown[2].1 <= 81.0, "{:?}", shown[2]);
        assert_eq!((&*shown[3].0, shown[3].2), ("two lines", 1));
        assert_eq!(shown[4].0, "…");
    }

    #[test]
    fn emoji_and_links_have_sections_of_their_own() {
        let mut shown = Vec::new();
        let harness = Harness::builder().build_ui(|ui| {
            let text = "a 😀 b https://x.example";
            let links = 9..text.len();
            let links = &[links][..];
            let style = TextStyle {
                font: FontId::proportional(15.0),
                color: Color32::WHITE,
                line_height: None,
                room: 100.0,
                links,
                link_color: Color32::RED,
            };
            let job = job(ui, text, &style);
            shown = job
                .sections
                .iter()
                .map(|section| {
                    (
                        job.text
                            .get(section.byte_range.start.0..section.byte_range.end.0)
                            .unwrap_or_default()
                            .to_owned(),
                        section.format.font_id.family.clone(),
                        section.format.color,
                    )
                })
                .collect();
        });
        drop(harness);
        let plain = egui::FontFamily::Proportional;
        let expected = [
            ("a ", plain.clone(), Color32::WHITE),
            ("😀", fonts::emoji(15.0).family, Color32::WHITE),
            (" b ", plain.clone(), Color32::WHITE),
            ("https://x.example", plain, Color32::RED),
        ];
        assert_eq!(shown, expected.map(|(text, family, color)| (text.to_owned(), family, color)));
    }
}
