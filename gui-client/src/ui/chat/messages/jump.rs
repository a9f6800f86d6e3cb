//! The buttons over the lower end of the messages: to what is new below, and to the end.

use egui::{Layout, Pos2, Rect, Role, Sense, Stroke, Ui, UiBuilder, Vec2, WidgetInfo, accesskit::Live};

use crate::{
    state::conversation::{Author, Conversation},
    ui::kit::{
        icons::{self, Icon},
        theme::{Theme, space},
        widgets,
    },
};

use super::place::{Place, Target};

/// Draws what leads down from here, if the end is out of sight. `end` is the row after the last one in sight.
pub(super) fn show(
    ui: &mut Ui,
    conversation: &Conversation,
    place: &mut Place,
    view: Rect,
    (is_at_end, end): (bool, usize),
) {
    if is_at_end {
        return;
    }
    let first = conversation.first_unseen().and_then(|serial| Some((serial, place.heights.find(serial)?)));
    let Some((serial, first)) = first else { return to_end(ui, place, view) };
    let below = conversation.messages.iter().skip(first.max(end.saturating_sub(1)));
    let count = below.filter(|message| message.author != Author::Me).count();
    if count == 0 {
        return to_end(ui, place, view);
    }
    let text = if count == 1 { "1 new message".to_owned() } else { format!("{count} new messages") };
    let area = Rect::from_min_max(
        Pos2::new(view.left(), view.bottom() - 44.0),
        view.right_bottom() - Vec2::new(0.0, space::S),
    );
    let mut ui = ui.new_child(UiBuilder::new().max_rect(area).layout(Layout::top_down(egui::Align::Center)));
    let button = widgets::primary_button(&mut ui, &text);
    ui.ctx().accesskit_node_builder(button.id, |node| node.set_live(Live::Polite));
    if button.clicked() {
        // Where the first of them is in sight already, the end is what is missing.
        place.target = Some(if first < end.saturating_sub(1) { Target::End } else { Target::Top(serial) });
    }
}

/// A round button with an arrow that points down.
fn to_end(ui: &Ui, place: &mut Place, view: Rect) {
    let theme = Theme::of(ui);
    let radius = 17.0;
    let center = view.right_bottom() - Vec2::splat(radius + space::M);
    let rect = Rect::from_center_size(center, Vec2::splat(2.0 * radius));
    let response = ui.interact(rect, egui::Id::unique("to the end"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Go to the end"));
    let fill = if response.hovered() { theme.hover } else { theme.surface };
    let edge = if response.has_focus() { Stroke::new(2.0, theme.accent) } else { Stroke::new(1.0, theme.edge) };
    ui.painter().circle(center, radius, fill, edge);
    icons::paint(ui.painter(), Icon::Down, center, 16.0, theme.text);
    if response.on_hover_text("Go to the end (Ctrl+End)").clicked() {
        place.target = Some(Target::End);
    }
}
