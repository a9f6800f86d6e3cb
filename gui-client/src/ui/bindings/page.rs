//! The page of all keys, made from their table.

use egui::{Key, Modifiers, RichText, ScrollArea, Ui, Vec2};

use super::{ALL, Command, Place, take};
use crate::{
    state::{State, action::Action},
    ui::kit::{
        dialog,
        theme::{Theme, font_size, semibold, space},
    },
};

/// Width of the page with two columns, and with one.
const WIDTHS: [f32; 2] = [700.0, 360.0];

/// Width of the keys beside what they do.
const KEYS_WIDTH: f32 = 96.0;

/// Height of a row of one line.
const ROW_HEIGHT: f32 = 20.0;

/// Shows the page if it is open, and takes the keys that open and close it.
pub(crate) fn show(ui: &Ui, state: &State, actions: &mut Vec<Action>) {
    let toggles = take(ui, Command::KeysPage) + take(ui, Command::KeysPageAnywhere);
    if toggles % 2 == 1 {
        actions.push(Action::ToggleKeysPage);
    }
    if !state.is_keys_page_open {
        return;
    }
    // Before the video, for which Escape means something too.
    let is_left = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    let room = ui.ctx().content_rect().size() - Vec2::splat(4.0 * space::L);
    let columns = if room.x >= WIDTHS[0] { 2 } else { 1 };
    let width = WIDTHS[2 - columns].min(room.x);
    let modal = dialog::show(ui, "keys", width, |ui| {
        let mut is_closed = false;
        ui.horizontal(|ui| {
            ui.label(RichText::new("Keyboard shortcuts").font(semibold(font_size::HEADING)));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                is_closed = ui.button("Close").clicked();
            });
        });
        ui.add_space(space::S);
        // Without a least height, a page that was never drawn would take the height that egui gives new areas.
        ScrollArea::vertical().min_scrolled_height(room.y - 40.0).max_height(room.y - 40.0).show(ui, |ui| {
            let others = [Place::Everywhere, Place::Message, Place::Conversation];
            if columns == 2 {
                ui.columns(2, |columns| {
                    list(&mut columns[0], &[Place::Video]);
                    list(&mut columns[1], &others);
                });
            } else {
                list(ui, &Place::ALL);
            }
        });
        is_closed
    });
    if is_left || modal.inner || modal.backdrop_response.clicked() {
        actions.push(Action::ToggleKeysPage);
    }
}

fn list(ui: &mut Ui, places: &[Place]) {
    let theme = Theme::of(ui);
    for place in places {
        ui.label(RichText::new(place.header()).font(semibold(font_size::SECTION)).color(theme.weak));
        let grid = egui::Grid::new(place.header()).num_columns(2).min_col_width(KEYS_WIDTH).min_row_height(ROW_HEIGHT);
        grid.show(ui, |ui| {
            for binding in ALL.iter().filter(|binding| binding.place == *place) {
                ui.label(RichText::new(binding.keys()).font(semibold(font_size::SMALL)).color(theme.text));
                ui.add(egui::Label::new(RichText::new(binding.text).size(font_size::SMALL).color(theme.text)).wrap());
                ui.end_row();
            }
        });
        ui.add_space(space::M);
    }
}
