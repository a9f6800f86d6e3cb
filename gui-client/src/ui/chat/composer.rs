//! Where messages are written. Enter sends, Shift+Enter begins a new line.

use common::limits::MAX_TEXT_BYTES;
use egui::{
    Align, Color32, FontId, Key, KeyboardShortcut, Layout, Margin, Modifiers, RichText, TextEdit, TextStyle, Ui, Vec2,
};

use crate::state::{
    State,
    action::{Action, Peer},
    conversation::Conversation,
};

use crate::ui::kit::{
    format,
    theme::{Theme, font_size, space},
    widgets,
};

/// The field grows with the text up to so many lines, then it scrolls.
const MAX_ROWS: f32 = 8.0;

/// More than a message holds, so that what is too long can be shortened; less than would take long to lay out.
const MAX_DRAFT_CHARS: usize = 8 * MAX_TEXT_BYTES;

/// Between the field's edge and its text.
const FIELD_MARGIN: Vec2 = Vec2::new(10.0, 7.0);

/// Width of the button and the gap before it.
const BUTTON_ROOM: f32 = 72.0;

/// The composer, measured: its panel must be as high as it is before it is drawn, or else it trails the text by a frame.
pub struct Composer<'a> {
    state: &'a State,
    conversation: &'a Conversation,
    field_size: Vec2,
    captions: Vec<(String, Color32)>,
    /// Height of all of it.
    pub height: f32,
}

impl<'a> Composer<'a> {
    /// Measures it for this width.
    pub fn measure(ui: &Ui, state: &'a State, conversation: &'a Conversation, width: f32) -> Self {
        let field_width = (width - BUTTON_ROOM).max(60.0);
        let text_height = |text: &str, style: TextStyle, width: f32| {
            let font =
                ui.style().text_styles.get(&style).cloned().unwrap_or_else(|| FontId::proportional(font_size::BODY));
            ui.painter().layout(text.to_owned(), font, Color32::PLACEHOLDER, width).size().y
        };
        let line_height = ui.text_style_height(&TextStyle::Body);
        let text_room = field_width - 2.0 * FIELD_MARGIN.x;
        // The draft is laid out by the field anyway, so this one comes out of the cache.
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

    /// Draws the field, and under it what is to be said about it.
    pub fn show(self, ui: &mut Ui, wants_focus: bool, actions: &mut Vec<Action>) {
        let peer = self.state.selected;
        let name = match peer {
            Peer::Everyone => "everyone".to_owned(),
            Peer::Person(key) => self.state.people.name_of(&key).map_or("this person".to_owned(), ToString::to_string),
        };
        let field_id = egui::Id::unique(("composer", peer));
        let is_send = take_enter(ui, field_id);
        let mut text = self.conversation.draft.clone();
        let can_send = !self.conversation.outgoing().trim().is_empty();
        let line = Vec2::new(ui.available_width(), self.field_size.y);
        let response = ui
            .allocate_ui_with_layout(line, Layout::left_to_right(Align::Max), |ui| {
                ui.spacing_mut().item_spacing.x = space::S;
                let field = TextEdit::multiline(&mut text)
                    .id(field_id)
                    .hint_text(format!("Write to {name}"))
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
                let response = scroll.show(ui, |ui| ui.add(field)).inner.accessible_name(format!("Message to {name}"));
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

/// Whether Enter was pressed in the field, without Shift. The field must not see that key: its own new-line key matches
/// with or without Shift.
fn take_enter(ui: &Ui, field_id: egui::Id) -> bool {
    let has_focus = ui.memory(|memory| memory.has_focus(field_id));
    has_focus
        && ui.input_mut(|input| {
            let is_enter = |event: &egui::Event| {
                matches!(event, egui::Event::Key { key: Key::Enter, pressed: true, modifiers, .. } if !modifiers.shift)
            };
            let count = input.events.len();
            input.events.retain(|event| !is_enter(event));
            input.events.len() < count
        })
}

fn captions(state: &State, conversation: &Conversation, theme: &Theme) -> Vec<(String, Color32)> {
    let mut captions = Vec::new();
    if let Some(draft_bytes) = conversation.counter_bytes() {
        captions.push(if draft_bytes > MAX_TEXT_BYTES {
            (format!("{} bytes too long for one message", draft_bytes - MAX_TEXT_BYTES), theme.bad)
        } else {
            (format!("{} of {}", format::bytes(draft_bytes), format::bytes(MAX_TEXT_BYTES)), theme.weak)
        });
    }
    let standing = state.cannot_send();
    let hint = conversation.hint.as_ref();
    // The standing caption says the same as the refusal that follows from it; once is enough.
    if let Some(hint) = hint.filter(|hint| standing.as_ref() != Some(hint)) {
        captions.push((hint.clone(), theme.bad));
    }
    if let Some(standing) = standing {
        captions.push((standing, if hint.is_some() { theme.bad } else { theme.weak }));
    }
    captions
}
