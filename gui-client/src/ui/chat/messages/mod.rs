//! The messages of a conversation. Only those in sight are laid out and drawn, so that ten thousand scroll like ten.

mod grouping;
mod heights;
mod jump;
mod menu;
mod place;
mod row;
mod texts;

use std::{collections::HashMap, ops::Range};

use egui::{Align2, Color32, EventFilter, FontId, Pos2, Rect, Sense, Stroke, Ui, UiBuilder, Vec2, accesskit::Role};

use crate::{
    state::{
        State,
        action::{Action, Peer},
        conversation::{Author, Conversation, Serial},
    },
    ui::{
        bindings::{self, Command},
        kit::{
            format, reading_column,
            theme::{Theme, font_size, space},
        },
    },
};

use self::{
    heights::Anchor,
    place::{Place, SharedPlace, Target},
    row::{DAY_LINE, Focus, Row, message_id},
};

/// Space below the last message.
const END_SPACE: f32 = space::S;

/// Where to go in the open conversation, from elsewhere in the window.
pub(super) fn go_to_end(ui: &Ui, state: &State) {
    SharedPlace::of(ui, state.selected).lock().target = Some(Target::End);
}

/// To be called in each frame in which a conversation is shown, also an empty one.
pub(super) fn enter(ui: &Ui, peer: Peer, conversation: &Conversation) {
    if SharedPlace::enter(ui, peer) {
        let place = SharedPlace::of(ui, peer);
        let mut place = place.lock();
        place.known_until = conversation.messages.iter().map(|message| message.serial).max();
        place.selected_anew();
    }
}

/// Whether a message of this conversation has the keyboard focus.
pub(super) fn has_focus(ui: &Ui, peer: Peer) -> bool {
    let current = SharedPlace::of(ui, peer).lock().current;
    current.is_some_and(|serial| ui.memory(|memory| memory.has_focus(message_id(peer, serial))))
}

/// Goes up or down by a screen.
pub(super) fn go_by_screen(ui: &Ui, state: &State, screens: i8) {
    SharedPlace::of(ui, state.selected).lock().target = Some(Target::Screens(screens));
}

/// Draws the messages, of which there is at least one.
pub(super) fn show(
    ui: &mut Ui,
    state: &State,
    conversation: &Conversation,
    now_unix_millis: u64,
    actions: &mut Vec<Action>,
) {
    let peer = state.selected;
    let place = SharedPlace::of(ui, peer);
    let mut place = place.lock();
    let view = ui.available_rect_before_wrap();
    let width = reading_column::width(view.width());
    place.heights.follow(conversation, width);
    // Who writes wants to see what they wrote.
    let last = conversation.messages.back();
    if place.last != last.map(|last| last.serial)
        && place.last.is_some()
        && last.is_some_and(|last| last.author == Author::Me)
    {
        place.target = Some(Target::End);
    }
    place.last = last.map(|last| last.serial);
    let current = place.current.filter(|serial| place.heights.find(*serial).is_some());
    place.current = current.or(place.last);
    let opens_menu = take_keys(ui, state, &mut place);
    let mut rows: HashMap<usize, Row<'_>> = HashMap::new();
    let offset = settle(&mut place, conversation, view.height(), |index| {
        rows.entry(index).or_insert_with(|| Row::lay_out(ui, state, conversation, index, width)).height
    });
    let scroll =
        egui::ScrollArea::vertical().id_salt(("messages", peer)).auto_shrink(false).vertical_scroll_offset(offset);
    let builder =
        UiBuilder::new().max_rect(view).accessibility_role(Role::List).accessibility_label(texts::list_name(state));
    let mut shown = 0..0;
    let output = ui
        .scope_builder(builder, |ui| {
            // The offset is set in each frame, so nothing may swing beyond the ends.
            ui.spacing_mut().scroll.kinetic.rubber_band = false;
            scroll.show_viewport(ui, |ui, viewport| {
                let side = (view.width() - width) / 2.0;
                let list = List { state, conversation, width, side, now_unix_millis };
                shown = list.show(ui, viewport, &mut place, rows, opens_menu, actions);
            })
        })
        .inner;
    let offset = output.state.unclamped_offset().y;
    let view_height = output.inner_rect.height();
    place.anchor = place.heights.anchor_at(offset, view_height - END_SPACE, shown.clone());
    let is_at_end = place.anchor == Anchor::End;
    jump::show(ui, conversation, &mut place, output.inner_rect, (is_at_end, shown.end));
    let is_news = is_at_end && state.is_focused() && conversation.first_unseen().is_some();
    if is_at_end != state.is_end_in_sight() || is_news {
        actions.push(Action::SeeEnd(peer, is_at_end));
    }
    if place.target.is_some() {
        ui.ctx().request_repaint();
    }
}

/// Carries out the way to a target, and returns the offset at which the list is drawn.
fn settle(place: &mut Place, conversation: &Conversation, height: f32, mut measure: impl FnMut(usize) -> f32) -> f32 {
    // What is new does not leave the screen before it was seen.
    let unseen = conversation.first_unseen();
    let Place { heights, anchor, target, .. } = place;
    let view_height = height - END_SPACE;
    match target.take() {
        None => {}
        Some(Target::End) => {
            let offset = heights.settle(Anchor::End, None, view_height, measure);
            return offset;
        }
        Some(Target::Top(serial)) => *anchor = Anchor::Row(serial, heights::COVERED),
        Some(Target::Screens(screens)) => {
            let offset = heights.settle(*anchor, unseen, view_height, &mut measure);
            let by = f32::from(screens) * (view_height - 40.0).max(view_height / 2.0);
            let most = (heights.total() - view_height).max(0.0);
            let offset = (offset + by).clamp(0.0, most);
            *anchor = match heights.row_at(offset) {
                Some((index, top)) => Anchor::Row(heights.serial(index).unwrap_or(Serial(0)), top - offset),
                None => Anchor::End,
            };
        }
        Some(Target::Nearest(serial)) => {
            let offset = heights.settle(*anchor, unseen, view_height, &mut measure);
            if let Some(index) = heights.find(serial) {
                let row_height = measure(index);
                let top = heights.top(index) - offset;
                if top < heights::COVERED {
                    *anchor = Anchor::Row(serial, heights::COVERED);
                } else if top + row_height > view_height {
                    *anchor = Anchor::Row(serial, (view_height - row_height).max(0.0));
                }
            }
        }
    }
    heights.settle(*anchor, unseen, view_height, measure)
}

/// Takes the keys that lead through the messages while one of them has the focus. Returns whether its menu is asked for.
fn take_keys(ui: &Ui, state: &State, place: &mut Place) -> bool {
    let Some(current) = place.current else { return false };
    let id = message_id(state.selected, current);
    if !ui.memory(|memory| memory.has_focus(id)) || egui::Popup::is_any_open(ui.ctx()) {
        return false;
    }
    let filter = EventFilter { vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let index = place.heights.find(current).unwrap_or(0);
    let last = place.heights.count().saturating_sub(1);
    let mut to = None;
    for (command, place) in [
        (Command::MessageAbove, index.saturating_sub(1)),
        (Command::MessageBelow, (index + 1).min(last)),
        (Command::FirstMessage, 0),
        (Command::LastMessage, last),
    ] {
        if bindings::take(ui, command) > 0 {
            to = Some(place);
        }
    }
    if let Some(serial) = to.and_then(|to| place.heights.serial(to)) {
        place.current = Some(serial);
        place.wants_focus = true;
        place.target = Some(if to == Some(last) { Target::End } else { Target::Nearest(serial) });
        return false;
    }
    menu::is_asked_for(ui)
}

/// What the rows are drawn from.
struct List<'a> {
    state: &'a State,
    conversation: &'a Conversation,
    width: f32,
    /// Space beside the rows.
    side: f32,
    now_unix_millis: u64,
}

impl<'a> List<'a> {
    /// Draws the rows in sight, and returns which those are.
    fn show(
        &self,
        ui: &mut Ui,
        viewport: Rect,
        place: &mut Place,
        mut rows: HashMap<usize, Row<'a>>,
        opens_menu: bool,
        actions: &mut Vec<Action>,
    ) -> Range<usize> {
        let (origin, peer) = (ui.max_rect().min, self.state.selected);
        let area =
            Rect::from_min_size(origin, Vec2::new(self.width + 2.0 * self.side, place.heights.total() + END_SPACE));
        ui.advance_cursor_after_rect(area);
        let origin = origin + Vec2::new(self.side, 0.0);
        let start = place.heights.row_at(viewport.min.y).map_or(0, |(index, _)| index);
        let mut end = start;
        let mut y = place.heights.top(start);
        while end < place.heights.count() && y < viewport.max.y {
            y += place.heights.height(end);
            end += 1;
        }
        let drawn = place.drawn(ui, start..end);
        let mut y = place.heights.top(drawn.start);
        let mut days = Vec::new();
        for index in drawn {
            let row = rows.remove(&index);
            let row = row.unwrap_or_else(|| Row::lay_out(ui, self.state, self.conversation, index, self.width));
            let serial = row.message.serial;
            let is_current = place.current == Some(serial);
            let focus = Focus {
                is_current,
                is_announced: row.message.author != Author::Me && Some(serial) > place.known_until,
            };
            if is_current && std::mem::take(&mut place.wants_focus) {
                ui.memory_mut(|memory| memory.request_focus(message_id(peer, serial)));
            }
            if row.before.begins_day {
                days.push((index, y));
            }
            let at = origin + Vec2::new(0.0, y);
            let bubble = row.show(ui, at, peer, focus, self.state, actions);
            if bubble.clicked() || bubble.gained_focus() {
                place.current = Some(serial);
            }
            menu::show(ui, self.state, row.message, &bubble, opens_menu && is_current, actions);
            y += row.height;
        }
        self.days(ui, origin, viewport, start, &days);
        start..end
    }

    /// Draws the day lines. That of the first message in sight stays at the upper edge until the next one pushes it away.
    fn days(&self, ui: &Ui, origin: Pos2, viewport: Rect, first: usize, begins: &[(usize, f32)]) {
        let top = viewport.min.y;
        let begun = begins.iter().rev().find(|(_, y)| *y <= top).map(|(index, _)| *index);
        let next = begins.iter().find(|(_, y)| *y > top).map(|(_, y)| *y);
        for (index, y) in begins.iter().filter(|(index, _)| Some(*index) != begun) {
            self.day(ui, origin.y + y, *index, origin.x, true);
        }
        if begun.is_some() || top > 0.0 {
            let y = next.map_or(top, |next| top.min(next - DAY_LINE));
            // What scrolls under it would be half covered.
            let strip = Rect::from_min_size(
                origin + Vec2::new(-self.side, y),
                Vec2::new(self.width + 2.0 * self.side, DAY_LINE - space::XS),
            );
            ui.painter().rect_filled(strip, 0.0, Theme::of(ui).background);
            self.day(ui, origin.y + y, begun.unwrap_or(first), origin.x, true);
        }
    }

    /// Draws the day of a message, with the upper edge of its line at `y`.
    fn day(&self, ui: &Ui, y: f32, index: usize, left: f32, has_line: bool) {
        let theme = Theme::of(ui);
        let message = &self.conversation.messages[index];
        let (Some(day), Some(today)) = (format::day(message.unix_millis), format::day(self.now_unix_millis)) else {
            return;
        };
        let font = FontId::proportional(font_size::SMALL);
        let galley = ui.painter().layout_no_wrap(format::day_name(day, today), font, theme.weak);
        let center = Pos2::new(left + self.width / 2.0, y + DAY_LINE / 2.0);
        let text = Align2::CENTER_CENTER.anchor_size(center, galley.size());
        let pill = text.expand2(Vec2::new(10.0, 3.0));
        ui.painter().rect(
            pill,
            pill.height() / 2.0,
            theme.background,
            Stroke::new(1.0, theme.border),
            egui::StrokeKind::Inside,
        );
        if has_line {
            let response =
                ui.interact(text, message_id(self.state.selected, message.serial).with("day"), Sense::hover());
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, galley.text()));
        }
        ui.painter().galley(text.min, galley, Color32::PLACEHOLDER);
    }
}
