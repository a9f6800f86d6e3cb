//! The menu of this client's person: their key, how the window looks, and the way out.

use egui::{Align, Layout, RichText, Ui};

use crate::{
    settings::Colours,
    state::{
        State,
        action::Action,
        appearance::{Appearance, AppearanceAction},
        layout::LayoutAction,
    },
};

use super::notification_choice;
use crate::ui::kit::{
    theme::{Theme, font_size, semibold, space},
    widgets,
};

/// Width of the menu, in points.
pub(super) const WIDTH: f32 = 270.0;

/// Height of a row with several buttons, in points.
const ROW: f32 = 34.0;

/// Draws the menu.
pub(super) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let room = (ui.ctx().content_rect().height() - 90.0).max(120.0);
    // A popover has 400 points unless it is told otherwise. In a low window, or at a large zoom, it scrolls.
    ui.set_max_height(room);
    egui::ScrollArea::vertical().max_height(room).show(ui, |ui| {
        me(ui, state);
        separator(ui);
        look(ui, state, actions);
        zoom(ui);
        separator(ui);
        privacy(ui, state, actions);
        notification_choice::show(ui, state, actions);
        separator(ui);
        if entry(ui, "Keyboard shortcuts") {
            actions.push(Action::ToggleKeysPage);
        }
        if entry(ui, "About Triptych") {
            actions.push(Action::Layout(LayoutAction::ShowAbout(true)));
        }
        if entry(ui, "Disconnect") {
            actions.push(Action::Leave);
        }
    });
}

fn separator(ui: &mut Ui) {
    ui.add_space(space::XS);
    ui.separator();
    ui.add_space(space::XS);
}

/// An entry that closes the menu. Returns whether it was clicked.
fn entry(ui: &mut Ui, label: &str) -> bool {
    let is_clicked = ui
        .with_layout(Layout::top_down_justified(Align::Min), |ui| {
            ui.visuals_mut().widgets.inactive.weak_bg_fill = egui::Color32::TRANSPARENT;
            ui.visuals_mut().widgets.inactive.bg_stroke = egui::Stroke::NONE;
            ui.button(label).clicked()
        })
        .inner;
    if is_clicked {
        ui.close();
    }
    is_clicked
}

fn caption(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).size(font_size::SMALL).color(Theme::of(ui).weak));
}

fn me(ui: &mut Ui, state: &State) {
    let name = state.people.my_name().map_or(state.connection.name.as_str(), |name| name.as_str());
    ui.label(RichText::new(name).font(semibold(font_size::HEADING)));
    let Some(key) = state.people.me() else { return };
    caption(ui, "Your key, as others see it");
    ui.horizontal(|ui| {
        let text = widgets::key_text(&key);
        ui.label(RichText::new(&text).monospace());
        let button = ui.button(RichText::new("Copy").size(font_size::SMALL));
        if button.on_hover_text("Copy these digits").clicked() {
            ui.ctx().copy_text(text);
        }
    });
}

fn look(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let mut act = |action| actions.push(Action::Appearance(action));
    caption(ui, "Colours");
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        for (colours, label) in [(Colours::System, "System"), (Colours::Light, "Light"), (Colours::Dark, "Dark")] {
            if widgets::tab(ui, label, state.settings.theme == colours).clicked() {
                act(AppearanceAction::SetColours(colours));
            }
        }
    });
    let Appearance { mut has_high_contrast, mut has_reduced_motion, .. } = state.appearance();
    if widgets::edged(ui, |ui| ui.checkbox(&mut has_high_contrast, "High contrast")).changed() {
        act(AppearanceAction::SetHighContrast(has_high_contrast));
    }
    if widgets::edged(ui, |ui| ui.checkbox(&mut has_reduced_motion, "Reduced motion")).changed() {
        act(AppearanceAction::SetReducedMotion(has_reduced_motion));
    }
}

fn privacy(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let mut is_shown = state.settings.is_watching_shown;
    let checkbox = widgets::edged(ui, |ui| ui.checkbox(&mut is_shown, "Show others what I watch"));
    if checkbox.on_hover_text("Your row in their lists then names the video that you play").changed() {
        actions.push(Action::ShowWatching(is_shown));
    }
}

fn zoom(ui: &mut Ui) {
    let percent = (ui.ctx().zoom_factor() * 100.0).round();
    let row = egui::Vec2::new(ui.available_width(), ROW);
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
        ui.label("Zoom");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let button = |ui: &mut Ui, label: &str, name: &str, keys: &str| {
                ui.button(label).on_hover_text(format!("{name} ({keys})")).accessible_name(name).clicked()
            };
            if button(ui, "+", "Larger", "Ctrl and +") {
                egui::gui_zoom::zoom_in(ui.ctx());
            }
            if button(ui, &format!("{percent} %"), &format!("Zoom {percent} %, back to 100 %"), "Ctrl and 0") {
                ui.ctx().set_zoom_factor(1.0);
            }
            if button(ui, "−", "Smaller", "Ctrl and −") {
                egui::gui_zoom::zoom_out(ui.ctx());
            }
        });
    });
}
