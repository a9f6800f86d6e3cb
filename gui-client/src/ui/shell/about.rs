//! What the program is, in which version, and what it keeps on the disk.

use common::limits::PROTOCOL_VERSION;
use egui::{RichText, Ui};

use crate::state::{State, action::Action, layout::LayoutAction};

use crate::ui::kit::{
    dialog,
    theme::{Theme, font_size, semibold, space},
    widgets,
};

/// What the program promises about the disk.
const KEPT: &str = "On this computer, Triptych keeps your keys, the servers and people you have met with their keys, the numbers of the \
                    messages you have received, and your settings. Messages and videos are never written to the disk.";

/// Draws it, if it is wanted.
pub(crate) fn show(ui: &Ui, state: &State, actions: &mut Vec<Action>) {
    if !state.layout.shows_about {
        return;
    }
    let theme = Theme::of(ui);
    let response = dialog::show(ui, "about", 380.0, |ui| {
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(40.0), egui::Sense::hover());
            widgets::mark(ui, rect);
            ui.vertical(|ui| {
                ui.label(RichText::new("Triptych").font(semibold(font_size::HEADING)));
                let version = env!("CARGO_PKG_VERSION");
                let text = format!("Version {version}, protocol {PROTOCOL_VERSION}");
                ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak));
            });
        });
        ui.add_space(space::S);
        ui.label("Private messages and videos on your own network. Videos start in low resolution and end in high.");
        ui.add_space(space::XS);
        ui.label(KEPT);
        ui.add_space(space::XS);
        let text = "Open source under the licence in the file LICENSE. The typeface is Inter, under the SIL Open Font License 1.1.";
        ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak));
        ui.add_space(space::S);
        widgets::primary_button(ui, "Close").clicked()
    });
    if response.inner || response.should_close() {
        actions.push(Action::Layout(LayoutAction::ShowAbout(false)));
    }
}
