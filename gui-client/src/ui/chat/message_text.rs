//! The text of a message: its layout with links, emoji and right-to-left letters, and what can be done with it.

use std::{ops::Range, sync::Arc};

use egui::{
    Galley, Pos2, Rect, Response, Role, Sense, Stroke, Ui, UiBuilder, WidgetInfo, text_selection::LabelSelectionState,
};

use crate::state::{action::Action, links};

use crate::ui::kit::{
    text::{self, TextStyle},
    theme::{Theme, font_size},
};

/// The text of a message, laid out.
pub(super) struct MessageText<'a> {
    text: &'a str,
    galley: Arc<Galley>,
    links: Vec<Range<usize>>,
}

impl<'a> MessageText<'a> {
    /// Lays out a text within a width.
    pub(super) fn layout(ui: &Ui, text: &'a str, room: f32) -> Self {
        let theme = Theme::of(ui);
        let links = links::find(text);
        let style = TextStyle {
            font: egui::FontId::proportional(font_size::BODY),
            color: theme.text,
            line_height: Some(font_size::BODY_LINE),
            room,
            links: &links,
            link_color: theme.accent,
        };
        let galley = text::layout(ui, text::job(ui, text, &style));
        Self { text, galley, links }
    }

    /// Its layout.
    pub(super) fn galley(&self) -> &Galley {
        &self.galley
    }

    /// Draws it into its bubble, with the upper left corner at `at`. It can be selected with the pointer and copied; links can be
    /// reached with the keyboard.
    pub(super) fn show(&self, ui: &mut Ui, bubble: &Response, at: Pos2, actions: &mut Vec<Action>) {
        let id = bubble.id.with("text");
        if text::has_right_to_left(self.text) {
            let room = Rect::from_min_size(at, self.galley.size());
            let mut ui = ui.new_child(UiBuilder::new().max_rect(room));
            text::show_selectable(&mut ui, id, self.text, &self.galley);
        } else {
            let (galley, color) = (Arc::clone(&self.galley), Theme::of(ui).text);
            LabelSelectionState::label_text_selection(ui, bubble, at, galley, color, Stroke::NONE);
        }
        for (index, bytes) in self.links.iter().enumerate() {
            let Some(address) = self.text.get(bytes.clone()) else { continue };
            let first_char = self.text.get(..bytes.start).unwrap_or_default().chars().count();
            let chars = first_char..first_char + address.chars().count();
            let rects = text::char_rects(&self.galley, chars);
            let rects: Vec<_> = rects.iter().map(|rect| rect.translate(at.to_vec2())).collect();
            for (row, rect) in rects.iter().enumerate() {
                // Only the first row is reached with the keyboard: it is one link.
                let sense = if row == 0 { Sense::click() } else { Sense::CLICK };
                let link = ui.interact(*rect, id.with(("link", index, row)), sense);
                link.widget_info(|| WidgetInfo::labeled(Role::Link, ui.is_enabled(), format!("Link {address}")));
                let link = link.on_hover_cursor(egui::CursorIcon::PointingHand);
                if link.has_focus() {
                    let stroke = Stroke::new(2.0, Theme::of(ui).accent);
                    for rect in &rects {
                        ui.painter().rect_stroke(rect.expand(1.0), 3.0, stroke, egui::StrokeKind::Outside);
                    }
                }
                if link.clicked() {
                    actions.push(Action::AskAboutLink(address.to_owned()));
                }
                link.context_menu(|ui| {
                    if ui.button("Open…").clicked() {
                        actions.push(Action::AskAboutLink(address.to_owned()));
                        ui.close();
                    }
                    if ui.button("Copy address").clicked() {
                        ui.ctx().copy_text(address.to_owned());
                        ui.close();
                    }
                });
            }
        }
    }
}
