//! The composer, in which messages are written. Enter sends, Shift+Enter starts a new line.

use common::limits::MAX_TEXT_BYTES;
use egui::{
    Color32, CursorIcon, Event, FontId, Id, ImeEvent, Key, KeyboardShortcut, Modifiers, Pos2, Rect, Response, RichText,
    Role, Sense, Stroke, StrokeKind, TextBuffer, TextEdit, TextStyle as UiTextStyle, Ui, UiBuilder, Vec2, WidgetInfo,
    text_edit::{TextEditOutput, TextEditState},
};

use crate::state::{
    State,
    action::{Action, Peer},
    conversation::Conversation,
    sending::SendObstacle,
};

use crate::ui::kit::{
    icons::{self, Icon},
    text::{self, TextStyle},
    theme::{Theme, font_size, size, space},
};

/// The field grows with the text up to this many lines, then it scrolls.
const MAX_ROWS: f32 = 8.0;

/// More than a message can hold, so that a long text can be pasted and shortened, and less than takes long to lay out.
const MAX_DRAFT_CHARS: usize = 8 * MAX_TEXT_BYTES;

/// People whom a caption names one by one.
const MAX_NAMED: usize = 3;

/// Space between the edge of the field and its text.
const FIELD_MARGIN: Vec2 = Vec2::new(12.0, 6.0);

/// Diameter of the Send button, and its distance from the edge of the field.
const BUTTON: f32 = 26.0;
const BUTTON_MARGIN: f32 = 4.0;

/// The composer with its height. It is measured before it is drawn because its panel needs the height first; a panel that
/// takes it from the last frame trails the text by one.
pub(super) struct Composer<'a> {
    state: &'a State,
    conversation: &'a Conversation,
    field_height: f32,
    captions: Vec<(String, Color32)>,
    /// Height of the field and the captions under it.
    pub height: f32,
}

/// The id of the field for messages to `peer`.
pub(super) fn field_id(peer: Peer) -> egui::Id {
    egui::Id::unique(("composer", peer))
}

impl<'a> Composer<'a> {
    /// Measures the composer for this width.
    pub(super) fn measure(ui: &Ui, state: &'a State, conversation: &'a Conversation, width: f32) -> Self {
        // The field lays the draft out in the same way, so one of the two comes out of egui's cache.
        let draft_height = layout_draft(ui, &conversation.draft, text_room(width)).size().y;
        let text_height = draft_height.clamp(font_size::BODY_LINE, MAX_ROWS * font_size::BODY_LINE);
        let field_height = (text_height + 2.0 * FIELD_MARGIN.y).max(BUTTON + 2.0 * BUTTON_MARGIN);
        let captions = captions(state, conversation, Theme::of(ui));
        let font = UiTextStyle::Small.resolve(ui.style());
        let caption_height = |text: &str| {
            ui.painter().layout(text.to_owned(), font.clone(), Color32::PLACEHOLDER, width).size().y + space::XS
        };
        let captions_height: f32 = captions.iter().map(|(text, _)| caption_height(text)).sum();
        Self { state, conversation, field_height, captions, height: field_height + captions_height + space::XS }
    }

    /// Draws the field with its button, and the captions.
    pub(super) fn show(self, ui: &mut Ui, wants_focus: bool, actions: &mut Vec<Action>) {
        let theme = Theme::of(ui);
        let peer = self.state.selected;
        let name = match peer {
            Peer::Everyone => "everyone".to_owned(),
            Peer::Person(key) => self.state.people.name_of(&key).map_or("this person".to_owned(), ToString::to_string),
        };
        let field_id = field_id(peer);
        let is_send = take_enter(ui, field_id);
        let can_send = !self.conversation.outgoing().trim().is_empty() && self.state.send_obstacle().is_none();

        let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), self.field_height), Sense::hover());
        let edge = match ui.memory(|memory| memory.has_focus(field_id)) {
            true => Stroke::new(2.0, theme.focus),
            false => Stroke::new(1.0, theme.edge),
        };
        ui.painter().rect(rect, f32::from(size::RADIUS), theme.surface, edge, StrokeKind::Inside);
        // The edge around the text belongs to the field, too.
        let frame = ui.interact(rect, field_id.with("frame"), Sense::CLICK).on_hover_cursor(CursorIcon::Text);

        let text_max =
            Pos2::new(rect.left() + FIELD_MARGIN.x + text_room(rect.width()), rect.bottom() - FIELD_MARGIN.y);
        let text_rect = Rect::from_min_max(rect.min + FIELD_MARGIN, text_max);
        let mut inner = ui.new_child(UiBuilder::new().max_rect(text_rect));
        let mut draft = self.conversation.draft.clone();
        let response = field(&mut inner, field_id, peer, text_rect.height(), &mut draft);
        let response = response.accessible_name(format!("Message to {name}"));
        if draft.is_empty() {
            let hint = format!("Write to {name}");
            let font = FontId::proportional(font_size::BODY);
            let hint = text::line(ui, &hint, font, theme.weak, text_rect.width());
            let top = text_rect.top() + (font_size::BODY_LINE - hint.size().y) / 2.0;
            ui.painter().galley(Pos2::new(text_rect.left(), top), hint, theme.weak);
        }
        let corner = rect.max - Vec2::splat(BUTTON + BUTTON_MARGIN);
        let button = send_button(ui, Rect::from_min_size(corner, Vec2::splat(BUTTON)), field_id.with("send"), can_send);
        if button.clicked() {
            actions.push(Action::Send);
        }
        if wants_focus || frame.clicked() || button.clicked() {
            response.request_focus();
        }
        if response.changed() {
            actions.push(Action::EditDraft(draft));
        }
        if is_send {
            actions.push(Action::Send);
        }
        for (text, color) in self.captions {
            ui.label(RichText::new(text).size(font_size::SMALL).color(color));
        }
    }
}

/// Width of the text in a field of this width: the button is at its right.
fn text_room(width: f32) -> f32 {
    (width - FIELD_MARGIN.x - BUTTON - 2.0 * BUTTON_MARGIN - space::XS).max(40.0)
}

fn layout_draft(ui: &Ui, draft: &str, room: f32) -> std::sync::Arc<egui::Galley> {
    let color = Theme::of(ui).text;
    let style = TextStyle {
        font: FontId::proportional(font_size::BODY),
        color,
        line_height: Some(font_size::BODY_LINE),
        room,
        links: &[],
        link_color: color,
    };
    text::layout_in_field(ui, text::job(ui, draft, &style))
}

/// Draws the text with its caret. It scrolls when it is higher than `height`.
fn field(ui: &mut Ui, id: Id, peer: Peer, height: f32, draft: &mut String) -> Response {
    let is_scrolled_to_caret = id.with("scroll to caret");
    let wants_caret = ui.data_mut(|data| data.remove_temp::<bool>(is_scrolled_to_caret)).unwrap_or(false);
    let caret = TextEditState::load(ui.ctx(), id).and_then(|state| state.cursor.char_range());
    let caret = caret.map_or(0, |range| range.primary.index.0);
    if ui.memory(|memory| memory.has_focus(id)) && text::has_right_to_left_at(draft, caret) {
        ui.input_mut(|input| text::swap_horizontal_arrows(&mut input.events));
    }
    // Without an animation, which would end at the place that the caret had in a field of another height.
    let scroll = egui::ScrollArea::vertical()
        .id_salt(("composer scroll", peer))
        .max_height(height)
        .min_scrolled_height(0.0)
        .auto_shrink(false)
        .animated(false);
    // The fade at the ends of a list would have the colour of the window, and not that of the field.
    ui.spacing_mut().scroll.fade.strength = 0.0;
    let output = scroll.show(ui, |ui| {
        let mut layouter = |ui: &Ui, text: &dyn TextBuffer, room: f32| layout_draft(ui, text.as_str(), room);
        let field = TextEdit::multiline(draft)
            .id(id)
            .frame(egui::Frame::NONE)
            .char_limit(MAX_DRAFT_CHARS)
            .desired_rows(1)
            .desired_width(f32::INFINITY)
            .layouter(&mut layouter)
            .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
        let mut output = field.show(ui);
        text::follow_pointer(ui, &mut output, draft);
        if output.response.response.changed() {
            // The field has the height for this text only in the next frame.
            ui.data_mut(|data| data.insert_temp(is_scrolled_to_caret, true));
            ui.ctx().request_repaint();
        } else if wants_caret {
            scroll_to_caret(ui, &output);
        }
        output.response.response
    });
    output.inner
}

fn scroll_to_caret(ui: &Ui, output: &TextEditOutput) {
    if let Some(range) = output.cursor_range {
        let caret = output.galley.pos_from_cursor(range.primary).translate(output.galley_pos.to_vec2());
        ui.scroll_to_rect(caret, None);
    }
}

/// The round button inside the field.
fn send_button(ui: &Ui, rect: Rect, id: Id, is_enabled: bool) -> Response {
    let theme = Theme::of(ui);
    let response = ui.interact(rect, id, if is_enabled { Sense::click() } else { Sense::hover() });
    response.widget_info(|| WidgetInfo::labeled(Role::Button, is_enabled, "Send"));
    let (fill, ink) = match (is_enabled, response.hovered()) {
        (false, _) => (theme.border, theme.weak),
        (true, false) => (theme.accent, theme.on_accent),
        (true, true) => (theme.accent_hover, theme.on_accent),
    };
    ui.painter().circle_filled(rect.center(), BUTTON / 2.0, fill);
    icons::paint(ui.painter(), Icon::Sent, rect.center(), BUTTON * 0.55, ink);
    if response.has_focus() {
        ui.painter().circle_stroke(rect.center(), BUTTON / 2.0 + 2.0, Stroke::new(2.0, theme.text));
    }
    response.on_hover_text("Send (Enter)")
}

/// Whether Enter was pressed in the field, without Shift. The field must not see that key: its own key for a new line
/// matches with or without Shift.
///
/// A frame can take so long that the person presses Enter and goes on typing within it. What comes after Enter belongs to
/// the next message, so it is held back until the next frame, when this message has been sent and the field is empty.
fn take_enter(ui: &Ui, field_id: Id) -> bool {
    let (held_back_id, composing_id) = (field_id.with("held back"), field_id.with("composing"));
    let held_back = ui.data_mut(|data| data.remove_temp::<Vec<Event>>(held_back_id)).unwrap_or_default();
    if !ui.memory(|memory| memory.has_focus(field_id)) {
        ui.data_mut(|data| data.remove_temp::<bool>(composing_id));
        return false;
    }
    let mut is_composing = ui.data(|data| data.get_temp(composing_id)).unwrap_or(false);
    let (is_send, held_back) = ui.input_mut(|input| {
        input.events.splice(0..0, held_back);
        split_at_enter(&mut input.events, &mut is_composing)
    });
    ui.data_mut(|data| data.insert_temp(composing_id, is_composing));
    if !held_back.is_empty() {
        ui.data_mut(|data| data.insert_temp(held_back_id, held_back));
        ui.ctx().request_repaint();
    }
    is_send
}

/// Takes the first Enter and the typing after it out of the events of a frame. Returns whether there was one, and that
/// typing. While an input method composes (`is_composing`), Enter is its own and sends nothing.
fn split_at_enter(events: &mut Vec<Event>, is_composing: &mut bool) -> (bool, Vec<Event>) {
    let is_enter = |event: &Event| matches!(event, Event::Key { key: Key::Enter, pressed: true, modifiers, .. } if !modifiers.shift);
    let mut place = None;
    let mut index = 0;
    events.retain(|event| {
        let is_kept = match event {
            _ if place.is_some() => true,
            Event::Ime(ImeEvent::Preedit { text, .. }) => {
                *is_composing = !text.is_empty();
                true
            }
            Event::Ime(ImeEvent::Commit(_)) => {
                *is_composing = false;
                true
            }
            event if is_enter(event) && *is_composing => false,
            event if is_enter(event) => {
                place = Some(index);
                true
            }
            _ => true,
        };
        index += usize::from(is_kept);
        is_kept
    });
    let Some(enter) = place else { return (false, Vec::new()) };
    let is_typing = |event: &Event| {
        matches!(event, Event::Key { .. } | Event::Text(_) | Event::Paste(_) | Event::Cut | Event::Copy | Event::Ime(_))
    };
    let (held_back, others): (Vec<_>, Vec<_>) = events.drain(enter..).skip(1).partition(is_typing);
    events.extend(others);
    (true, held_back)
}

/// How many more characters fit; nothing while that is far away, and nothing if it is too long, which the obstacle says.
fn counter(conversation: &Conversation) -> Option<String> {
    match conversation.room_chars()? {
        0 => Some("No character left".to_owned()),
        1 => Some("1 character left".to_owned()),
        count if count > 0 => Some(format!("{count} characters left")),
        _ => None,
    }
}

fn captions(state: &State, conversation: &Conversation, theme: &Theme) -> Vec<(String, Color32)> {
    let obstacle = state.send_obstacle();
    let is_too_long = matches!(obstacle, Some(SendObstacle::TooLong { .. }));
    let counter = counter(conversation).map(|text| (text, theme.weak));
    let left_out: Vec<_> = match state.selected {
        Peer::Everyone if obstacle.is_none() => state.left_out().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let left_out = match &left_out[..] {
        [] => None,
        [name] => Some(format!("{name} does not get this until you accept their new key.")),
        names => Some(format!("{} people do not get this until you accept their new keys.", names.len())),
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
    let delay = obstacle.is_none().then(|| state.waits_for(state.selected)).flatten();
    let delay = delay.and_then(|waits_for| Some((waits_for.outlook()?, theme.weak)));
    let left_out = left_out.into_iter().chain(unreachable).map(|text| (text, theme.warn));
    let color = if is_too_long || state.was_send_refused() { theme.bad } else { theme.weak };
    counter
        .into_iter()
        .chain(left_out)
        .chain(delay)
        .chain(obstacle.map(|obstacle| (obstacle.to_string(), color)))
        .collect()
}
