//! The composer, in which messages are written. Enter sends, Shift+Enter starts a new line.

use common::limits::MAX_TEXT_BYTES;
use egui::{
    Align, Color32, Event, FontId, Key, KeyboardShortcut, Layout, Margin, Modifiers, RichText, TextEdit, TextStyle, Ui,
    Vec2,
};

use crate::state::{
    State,
    action::{Action, Peer},
    conversation::Conversation,
    sending::SendObstacle,
};

use crate::ui::kit::{
    format,
    theme::{Theme, font_size, space},
    widgets,
};

/// The field grows with the text up to this many lines, then it scrolls.
const MAX_ROWS: f32 = 8.0;

/// More than a message can hold, so that a long text can be pasted and shortened, and less than takes long to lay out.
const MAX_DRAFT_CHARS: usize = 8 * MAX_TEXT_BYTES;

/// People whom a caption names one by one.
const MAX_NAMED: usize = 3;

/// Space between the edge of the field and its text.
const FIELD_MARGIN: Vec2 = Vec2::new(10.0, 7.0);

/// Width of the Send button and the gap before it.
const BUTTON_ROOM: f32 = 72.0;

/// The composer with its height. It is measured before it is drawn because its panel needs the height first; a panel that
/// takes it from the last frame trails the text by one.
pub(super) struct Composer<'a> {
    state: &'a State,
    conversation: &'a Conversation,
    field_size: Vec2,
    captions: Vec<(String, Color32)>,
    /// Height of the field and the captions under it.
    pub height: f32,
}

impl<'a> Composer<'a> {
    /// Measures the composer for this width.
    pub(super) fn measure(ui: &Ui, state: &'a State, conversation: &'a Conversation, width: f32) -> Self {
        let field_width = (width - BUTTON_ROOM).max(60.0);
        let text_height = |text: &str, style: TextStyle, width: f32| {
            let font =
                ui.style().text_styles.get(&style).cloned().unwrap_or_else(|| FontId::proportional(font_size::BODY));
            ui.painter().layout(text.to_owned(), font, Color32::PLACEHOLDER, width).size().y
        };
        let line_height = ui.text_style_height(&TextStyle::Body);
        let text_room = field_width - 2.0 * FIELD_MARGIN.x;
        // The field lays the draft out in the same way, so one of the two comes out of egui's cache.
        let draft_height = text_height(&conversation.draft, TextStyle::Body, text_room).max(line_height);
        let field_height = draft_height.min(line_height * MAX_ROWS) + 2.0 * FIELD_MARGIN.y + 2.0;
        let captions = captions(state, conversation, Theme::of(ui));
        let captions_height: f32 =
            captions.iter().map(|(text, _)| text_height(text, TextStyle::Small, width) + space::XS).sum();
        Self {
            state,
            conversation,
            field_size: Vec2::new(field_width, field_height),
            captions,
            height: field_height + captions_height + space::XS,
        }
    }

    /// Draws the field, the button and the captions.
    pub(super) fn show(self, ui: &mut Ui, wants_focus: bool, actions: &mut Vec<Action>) {
        let theme = Theme::of(ui);
        let peer = self.state.selected;
        let name = match peer {
            Peer::Everyone => "everyone".to_owned(),
            Peer::Person(key) => self.state.people.name_of(&key).map_or("this person".to_owned(), ToString::to_string),
        };
        let field_id = egui::Id::unique(("composer", peer));
        let is_send = take_enter(ui, field_id);
        let mut text = self.conversation.draft.clone();
        let can_send = !self.conversation.outgoing().trim().is_empty() && self.state.send_obstacle().is_none();
        let hint = format!("Write to {name}");
        let hint_width =
            ui.painter().layout_no_wrap(hint.clone(), FontId::proportional(font_size::BODY), theme.weak).size().x;
        // A long name would wrap into a second line, for which the field has no room.
        let has_room = hint_width <= self.field_size.x - 2.0 * FIELD_MARGIN.x;
        let hint = if has_room { hint } else { "Write a message".to_owned() };
        let line = Vec2::new(ui.available_width(), self.field_size.y);
        let response = ui
            .allocate_ui_with_layout(line, Layout::left_to_right(Align::Max), |ui| {
                ui.spacing_mut().item_spacing.x = space::S;
                let field = TextEdit::multiline(&mut text)
                    .id(field_id)
                    .hint_text(hint)
                    .char_limit(MAX_DRAFT_CHARS)
                    .desired_rows(1)
                    .desired_width(self.field_size.x)
                    .margin(Margin::symmetric(FIELD_MARGIN.x as i8, FIELD_MARGIN.y as i8))
                    .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
                let scroll = egui::ScrollArea::vertical()
                    .id_salt(("composer scroll", peer))
                    .max_width(self.field_size.x)
                    .max_height(self.field_size.y)
                    .min_scrolled_height(0.0)
                    .auto_shrink(false);
                let response = scroll
                    .show(ui, |ui| widgets::edged(ui, |ui| ui.add(field)))
                    .inner
                    .accessible_name(format!("Message to {name}"));
                if ui.add_enabled_ui(can_send, |ui| widgets::primary_button(ui, "Send")).inner.clicked() {
                    actions.push(Action::Send);
                    response.request_focus();
                }
                response
            })
            .inner;
        if wants_focus {
            response.request_focus();
        }
        if response.changed() {
            actions.push(Action::EditDraft(text));
        }
        if is_send {
            actions.push(Action::Send);
        }
        for (text, color) in self.captions {
            ui.label(RichText::new(text).size(font_size::SMALL).color(color));
        }
    }
}

/// Whether Enter was pressed in the field, without Shift. The field must not see that key: its own key for a new line
/// matches with or without Shift.
///
/// A frame can take so long that the person presses Enter and goes on typing within it. What comes after Enter belongs to
/// the next message, so it is held back until the next frame, when this message has been sent and the field is empty.
fn take_enter(ui: &Ui, field_id: egui::Id) -> bool {
    let held_back_id = field_id.with("held back");
    let held_back = ui.data_mut(|data| data.remove_temp::<Vec<Event>>(held_back_id)).unwrap_or_default();
    if !ui.memory(|memory| memory.has_focus(field_id)) {
        return false;
    }
    let (is_send, held_back) = ui.input_mut(|input| {
        input.events.splice(0..0, held_back);
        split_at_enter(&mut input.events)
    });
    if !held_back.is_empty() {
        ui.data_mut(|data| data.insert_temp(held_back_id, held_back));
        ui.ctx().request_repaint();
    }
    is_send
}

/// Takes the first Enter and the typing after it out of the events of a frame. Returns whether there was one, and that
/// typing.
fn split_at_enter(events: &mut Vec<Event>) -> (bool, Vec<Event>) {
    let is_enter = |event: &Event| matches!(event, Event::Key { key: Key::Enter, pressed: true, modifiers, .. } if !modifiers.shift);
    let Some(enter) = events.iter().position(is_enter) else { return (false, Vec::new()) };
    let is_typing = |event: &Event| {
        matches!(event, Event::Key { .. } | Event::Text(_) | Event::Paste(_) | Event::Cut | Event::Copy | Event::Ime(_))
    };
    let (held_back, others): (Vec<_>, Vec<_>) = events.drain(enter..).skip(1).partition(is_typing);
    events.extend(others);
    (true, held_back)
}

fn captions(state: &State, conversation: &Conversation, theme: &Theme) -> Vec<(String, Color32)> {
    let obstacle = state.send_obstacle();
    let is_too_long = matches!(obstacle, Some(SendObstacle::TooLong { .. }));
    let counter = conversation.counter_bytes().filter(|draft_bytes| *draft_bytes <= MAX_TEXT_BYTES);
    let counter = counter.map(|draft_bytes| {
        (format!("{} of {}", format::bytes(draft_bytes), format::bytes(MAX_TEXT_BYTES)), theme.weak)
    });
    let left_out: Vec<_> = match state.selected {
        Peer::Everyone if obstacle.is_none() => state.left_out().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let left_out = match &left_out[..] {
        [] => None,
        [name] => Some(format!("{name} does not get this: accept the new key of {name} first.")),
        names => Some(format!("{} people do not get this: accept their new keys first.", names.len())),
    };
    let unreachable: Vec<_> = match state.selected {
        Peer::Everyone if obstacle.is_none() => state.unreachable().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let unreachable = match &unreachable[..] {
        [] => None,
        [name] => Some(format!("{name} cannot read this now: their client must connect again.")),
        names => {
            let (count, named) = (names.len(), names[..names.len().min(MAX_NAMED)].join(", "));
            let further = if count > MAX_NAMED { " and others" } else { "" };
            Some(format!("{count} people cannot read this now: the clients of {named}{further} must connect again."))
        }
    };
    let left_out = left_out.into_iter().chain(unreachable).map(|text| (text, theme.warn));
    let color = if is_too_long || state.was_send_refused() { theme.bad } else { theme.weak };
    counter.into_iter().chain(left_out).chain(obstacle.map(|obstacle| (obstacle.to_string(), color))).collect()
}
