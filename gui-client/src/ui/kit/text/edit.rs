//! Selecting and editing text with right-to-left letters. egui takes the characters of a row to lie from left to right when
//! it looks for the one under the pointer; what it finds is corrected here.

use std::sync::Arc;

use egui::{
    Event, Galley, Id, Key, Response, Role, TextBuffer, TextEdit, Ui, text::CCursor, text_edit::TextEditOutput,
    text_selection::CCursorRange,
};
use unicode_segmentation::UnicodeSegmentation;

use super::{bidi, galley::cursor_at};

/// Draws a text that can be selected and copied, but not changed. `galley` is its layout.
pub(crate) fn show_selectable(ui: &mut Ui, id: Id, text: &str, galley: &Arc<Galley>) -> Response {
    let mut layouter = |_: &Ui, _: &dyn TextBuffer, _: f32| Arc::clone(galley);
    let mut shown = text;
    let field = TextEdit::multiline(&mut shown)
        .id(id)
        .frame(egui::Frame::NONE)
        .desired_rows(1)
        .desired_width(galley.size().x)
        .layouter(&mut layouter);
    let mut output = ui
        .scope(|ui| {
            // A field is as high as a button at least; a line of text is not.
            ui.spacing_mut().interact_size.y = 0.0;
            field.show(ui)
        })
        .inner;
    follow_pointer(ui, &mut output, text);
    // A screen reader reads it as it does other texts that cannot be changed.
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_role(Role::Label);
        node.set_value(text);
    });
    output.response.response
}

/// Puts the caret of a field, and the end of its selection, where the pointer is. To be called after the field was shown.
pub(crate) fn follow_pointer(ui: &Ui, output: &mut TextEditOutput, text: &str) {
    if !bidi::has_right_to_left(text) || output.galley.text() != text {
        return;
    }
    let response = &output.response.response;
    let Some(pointer) = response.interact_pointer_pos() else { return };
    let cursor = cursor_at(&output.galley, pointer - output.galley_pos);
    let anchor_id = response.id.with("anchor");
    let is_shift_down = ui.input(|input| input.modifiers.shift);
    let range = if response.triple_clicked() {
        paragraph_at(text, cursor)
    } else if response.double_clicked() {
        word_at(text, cursor)
    } else if response.is_pointer_button_down_on() {
        let is_new = ui.input(|input| input.pointer.any_pressed()) && !is_shift_down;
        let anchor = ui.data_mut(|data| {
            if is_new {
                data.insert_temp(anchor_id, cursor.index.0);
            }
            data.get_temp::<usize>(anchor_id).unwrap_or(cursor.index.0)
        });
        CCursorRange::two(CCursor::new(anchor), cursor)
    } else {
        return;
    };
    output.state.cursor.set_char_range(Some(range));
    output.state.clone().store(ui.ctx(), response.id);
    ui.ctx().request_repaint();
}

fn word_at(text: &str, cursor: CCursor) -> CCursorRange {
    let mut start = 0;
    for word in text.split_word_bounds() {
        let end = start + word.chars().count();
        if cursor.index.0 < end {
            return CCursorRange::two(CCursor::new(start), CCursor::new(end));
        }
        start = end;
    }
    CCursorRange::one(cursor)
}

fn paragraph_at(text: &str, cursor: CCursor) -> CCursorRange {
    let mut start = 0;
    for paragraph in text.split('\n') {
        let end = start + paragraph.chars().count();
        if cursor.index.0 <= end {
            return CCursorRange::two(CCursor::new(start), CCursor::new(end));
        }
        start = end + 1;
    }
    CCursorRange::one(cursor)
}

/// Whether the paragraph with this character begins at the right.
pub(crate) fn has_right_to_left_at(text: &str, char_index: usize) -> bool {
    let [start, end] = paragraph_at(text, CCursor::new(char_index)).sorted_cursors().map(|cursor| cursor.index.0);
    let paragraph: String = text.chars().skip(start).take(end - start).collect();
    bidi::Paragraph::new(&paragraph, false).is_right_to_left()
}

/// Has the left and right arrow keys move the caret to the left and right where text runs the other way.
pub(crate) fn swap_horizontal_arrows(events: &mut [Event]) {
    for event in events {
        if let Event::Key { key, .. } = event {
            *key = match *key {
                Key::ArrowLeft => Key::ArrowRight,
                Key::ArrowRight => Key::ArrowLeft,
                other => other,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_paragraphs_are_found_by_their_characters() {
        let text = "שלום עולם\nabc def";
        assert_eq!(word_at(text, CCursor::new(6)), CCursorRange::two(CCursor::new(5), CCursor::new(9)));
        assert_eq!(paragraph_at(text, CCursor::new(12)), CCursorRange::two(CCursor::new(10), CCursor::new(17)));
        assert!(has_right_to_left_at(text, 3) && has_right_to_left_at(text, 9));
        assert!(!has_right_to_left_at(text, 10) && !has_right_to_left_at(text, 17));
    }
}
