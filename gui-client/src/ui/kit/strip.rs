//! A strip of one line that lies over the contents of the window, so that nothing moves when it comes and goes.

use egui::{Align, Align2, Area, FontId, Frame, Id, Layout, Margin, Order, Pos2, RichText, Stroke, Ui, Vec2};

use super::{
    theme::{Theme, font_size, size, space},
    title,
};

/// What a strip says.
pub(crate) struct Strip<'a> {
    /// Tells it from other strips.
    pub id: &'a str,
    /// The middle of its upper edge: below the bar, where it covers nothing that is written into.
    pub top: Pos2,
    /// Its width at most.
    pub width: f32,
    /// Whether it warns; else it tells of something pleasant.
    pub is_warning: bool,
    /// Its line.
    pub text: &'a str,
    /// What is shown where there is no room for the line.
    pub short: &'a str,
    /// Label and explanation of each button, from left to right.
    pub buttons: &'a [(&'a str, &'a str)],
    /// Sentences that are unfolded below the line.
    pub details: &'a [&'a str],
}

impl Strip<'_> {
    /// Draws it. Returns which button was clicked.
    pub(crate) fn show(self, ui: &Ui) -> Option<usize> {
        let theme = Theme::of(ui);
        let (fill, edge) = if self.is_warning { (theme.warn_soft, theme.warn) } else { (theme.surface, theme.accent) };
        let width = size::STRIP[0].min(self.width);
        let area = Area::new(Id::unique(("strip", self.id)))
            .order(Order::Foreground)
            .pivot(Align2::CENTER_TOP)
            .fixed_pos(self.top);
        let shown = area.show(ui.ctx(), |ui| {
            Frame::new()
                .fill(fill)
                .stroke(Stroke::new(1.0, edge))
                .corner_radius(size::RADIUS)
                .shadow(ui.visuals().popup_shadow)
                .inner_margin(Margin::symmetric(space::M as i8, 0))
                .show(ui, |ui| {
                    ui.set_width(width - 2.0 * space::M);
                    ui.spacing_mut().item_spacing.y = 0.0;
                    // The line has a height of its own, so what is in it is centred between the edges.
                    let line = Vec2::new(ui.available_width(), size::STRIP[1]);
                    let layout = Layout::right_to_left(Align::Center);
                    let clicked = ui.allocate_ui_with_layout(line, layout, |ui| self.line(ui)).inner;
                    for sentence in self.details {
                        ui.label(RichText::new(*sentence).color(theme.text).size(font_size::SMALL));
                        ui.add_space(space::S);
                    }
                    clicked
                })
                .inner
        });
        shown.inner
    }

    fn line(&self, ui: &mut Ui) -> Option<usize> {
        ui.set_min_height(size::STRIP[1]);
        let mut clicked = None;
        for (index, (label, tip)) in self.buttons.iter().enumerate().rev() {
            if ui.button(*label).on_hover_text(*tip).clicked() {
                clicked = Some(index);
            }
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let theme = Theme::of(ui);
            let color = if self.is_warning { theme.warn } else { theme.text };
            let font = FontId::proportional(font_size::BODY);
            let width = ui.painter().layout_no_wrap(self.text.to_owned(), font.clone(), color).size().x;
            let shown = if width <= ui.available_width() { self.text } else { self.short };
            title::name(ui, shown, self.text, font, color);
        });
        clicked
    }
}
