//! One message with what belongs to it: the day, the mark of new messages, its author, its bubble, what has become of it, and
//! who came or went after it. It is laid out before it is placed, because its height decides where it is.

use std::sync::Arc;

use egui::{
    Align, Align2, Color32, CornerRadius, FontId, Galley, Pos2, Rect, Response, Role, Sense, Stroke, Ui, UiBuilder,
    Vec2, WidgetInfo, accesskit::Live, text::LayoutJob,
};

use crate::{
    state::{
        State,
        action::{Action, Peer},
        conversation::{Author, Conversation, Delivery, Message, Serial},
        presence_note::PresenceNote,
    },
    ui::kit::{
        format,
        icons::{self, Icon},
        text,
        theme::{Theme, font_size, size, space, tabular},
    },
};

use crate::ui::chat::message_text::MessageText;

use super::{
    grouping::{self, Before},
    texts,
};

/// Space between the edge of a bubble and its text.
const MARGIN: Vec2 = Vec2::new(11.0, 6.0);

/// Space between a bubble and the edges of the conversation.
const SIDE: f32 = 8.0;

/// Most width of the text in a bubble: longer lines are hard to read.
const MAX_TEXT_WIDTH: f32 = 520.0;

/// Height of a day line, with the space around it.
pub(super) const DAY_LINE: f32 = super::heights::COVERED;

/// Height of the mark of new messages.
const NEWS_LINE: f32 = 26.0;

/// Width of the mark that says what has become of an own message.
const TICKS: f32 = 18.0;

/// A message, laid out for a width.
pub(super) struct Row<'a> {
    pub message: &'a Message,
    pub before: Before,
    /// Its height, in whole points, so that many of them add up exactly.
    pub height: f32,
    theme: &'static Theme,
    width: f32,
    ends_group: bool,
    is_doubtful: bool,
    /// Texts in the middle of the row above the bubble.
    gap: Option<Arc<Galley>>,
    author: Option<Arc<Galley>>,
    text: MessageText<'a>,
    time: Arc<Galley>,
    bubble: Vec2,
    /// What is said of the delivery under the bubble.
    status: Option<Arc<Galley>>,
    note: Option<Arc<Galley>>,
}

/// Distances between the parts of a row.
const GAP: f32 = 4.0;

impl<'a> Row<'a> {
    /// Lays the message with this index out for a width.
    pub(super) fn lay_out(ui: &Ui, state: &State, conversation: &'a Conversation, index: usize, width: f32) -> Self {
        let theme = Theme::of(ui);
        let message = &conversation.messages[index];
        let before = grouping::before(conversation, index);
        let is_mine = message.author == Author::Me;
        let is_doubtful = matches!(&message.author, Author::Other { key, .. } if state.trust.is_doubtful(key));
        let middle = |text: String, color: Color32| {
            let mut job = sentence(text, color, width - 4.0 * SIDE);
            job.halign = Align::Center;
            text::layout_sentence(ui, job)
        };
        let gap = match &message.author {
            Author::Other { name, .. } if message.missing_count > 0 => {
                Some(middle(texts::missing(name.as_str(), message.missing_count), theme.weak))
            }
            _ => None,
        };
        let note = message.note.as_ref().map(|note| middle(note_text(state, note), theme.weak));
        let room = width - 2.0 * SIDE;
        let text_room = (room - 2.0 * MARGIN.x).clamp(40.0, MAX_TEXT_WIDTH).min((room * 0.86).max(40.0));
        let text = MessageText::layout(ui, &message.text, text_room);
        let galley = text.galley();
        let time_font = tabular(font_size::TIME);
        let time = ui.painter().layout_no_wrap(format::clock(message.unix_millis), time_font, theme.weak);
        let meta = time.size().x + if is_mine { TICKS } else { 0.0 };
        let last_line_end = galley.rows.last().map_or(0.0, |row| row.rect().right() - galley.rect.left());
        let beside = last_line_end + 10.0 + meta;
        // Where the last line leaves no room for it, the time has a line of its own.
        let is_time_below = beside > text_room;
        let inner_width = galley.size().x.max(if is_time_below { meta } else { beside });
        let inner_height = galley.size().y + if is_time_below { time.size().y } else { 0.0 };
        let bubble = Vec2::new(inner_width, inner_height) + 2.0 * MARGIN;
        let author = if is_mine {
            written_as(ui, state, message)
        } else {
            before.begins_group.then(|| author_line(ui, state, message, is_doubtful)).flatten()
        };
        let status = texts::delivery(state, message).map(|text| {
            let color = if matches!(message.delivery, Delivery::Failed(..)) { theme.bad } else { theme.weak };
            let room = (room - if remedy(message).is_some() { REMEDY + space::S } else { 0.0 }).max(60.0);
            text::layout_sentence(ui, sentence(text, color, room))
        });
        let mut row = Self {
            message,
            before,
            height: 0.0,
            theme,
            width,
            ends_group: grouping::ends_group(conversation, index),
            is_doubtful,
            gap,
            author,
            text,
            time,
            bubble,
            status,
            note,
        };
        row.height = row.parts().bottom.ceil();
        row
    }

    /// Where the parts are, from the top of the row.
    fn parts(&self) -> Parts {
        let height = |galley: &Option<Arc<Galley>>| galley.as_ref().map_or(0.0, |galley| galley.size().y + GAP);
        let day = if self.before.begins_day { DAY_LINE } else { 0.0 };
        let gap = day + if self.before.begins_day { 0.0 } else { self.space_above() };
        let news = gap + height(&self.gap);
        let author = news + if self.before.begins_news { NEWS_LINE } else { 0.0 };
        let bubble = author + self.author.as_ref().map_or(0.0, |galley| galley.size().y + 1.0);
        let status = bubble + self.bubble.y + 2.0;
        let retry = if remedy(self.message).is_some() { 30.0 } else { 0.0 };
        let note = status + self.status.as_ref().map_or(0.0, |galley| galley.size().y.max(retry) + GAP);
        Parts { gap, news, author, bubble, status, note, bottom: note + height(&self.note) }
    }

    fn space_above(&self) -> f32 {
        if self.before.begins_group { space::S } else { 1.0 }
    }

    /// Draws the row with its upper left corner at `at`, and returns the response of its bubble.
    pub(super) fn show(
        &self,
        ui: &mut Ui,
        at: Pos2,
        peer: Peer,
        focus: Focus,
        state: &State,
        actions: &mut Vec<Action>,
    ) -> Response {
        let parts = self.parts();
        let middle = at.x + self.width / 2.0;
        let id = message_id(peer, self.message.serial);
        if let Some(gap) = &self.gap {
            let name = if let Author::Other { name, .. } = &self.message.author { name.as_str() } else { "" };
            middle_text(ui, Pos2::new(middle, at.y + parts.gap), gap, id.with("gap"))
                .on_hover_text(texts::missing_meaning(name));
        }
        if self.before.begins_news {
            self.news_line(ui, at + Vec2::new(0.0, parts.news), id);
        }
        if let Some(author) = &self.author {
            let is_mine = self.message.author == Author::Me;
            let left = if is_mine { self.width - SIDE - 4.0 - author.size().x } else { SIDE + 4.0 };
            let pos = at + Vec2::new(left, parts.author);
            labelled(ui, Rect::from_min_size(pos, author.size()), author, id.with("author"));
            ui.painter().galley(pos, Arc::clone(author), self.theme.weak);
        }
        let response = self.bubble(ui, at + Vec2::new(0.0, parts.bubble), id, focus, state, actions);
        if let Some(status) = &self.status {
            self.status_line(ui, at + Vec2::new(0.0, parts.status), status, id, actions);
        }
        if let Some(note) = &self.note {
            middle_text(ui, Pos2::new(middle, at.y + parts.note), note, id.with("note"));
        }
        let spoken = grouping::spoken(self.message, self.is_doubtful);
        let spoken = match texts::delivery(state, self.message) {
            Some(reason) if matches!(self.message.delivery, Delivery::Failed(..) | Delivery::Waiting(_)) => {
                format!("{spoken}. {reason}")
            }
            _ => spoken,
        };
        response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &spoken));
        if focus.is_announced {
            ui.ctx().accesskit_node_builder(id, |node| node.set_live(Live::Polite));
        }
        response
    }

    fn news_line(&self, ui: &mut Ui, at: Pos2, id: egui::Id) {
        let font = FontId::proportional(font_size::SMALL);
        let galley = ui.painter().layout_no_wrap("New".to_owned(), font, self.theme.accent);
        let center = at + Vec2::new(self.width / 2.0, NEWS_LINE / 2.0);
        let rect = Align2::CENTER_CENTER.anchor_size(center, galley.size());
        let stroke = Stroke::new(1.0, self.theme.accent);
        ui.painter().hline(at.x + SIDE..=rect.left() - space::S, center.y, stroke);
        ui.painter().hline(rect.right() + space::S..=at.x + self.width - SIDE, center.y, stroke);
        labelled(ui, rect, &galley, id.with("news"));
        ui.painter().galley(rect.min, galley, self.theme.accent);
    }

    fn bubble(
        &self,
        ui: &mut Ui,
        at: Pos2,
        id: egui::Id,
        focus: Focus,
        state: &State,
        actions: &mut Vec<Action>,
    ) -> Response {
        let theme = self.theme;
        let is_mine = self.message.author == Author::Me;
        let left = if is_mine { self.width - SIDE - self.bubble.x } else { SIDE };
        let rect = Rect::from_min_size(at + Vec2::new(left, 0.0), self.bubble);
        let mut corners = CornerRadius::same(size::BUBBLE_RADIUS);
        if self.ends_group {
            *(if is_mine { &mut corners.se } else { &mut corners.sw }) = 4;
        }
        let (fill, stroke) = match (is_mine, self.is_doubtful) {
            (true, _) => (theme.own_bubble, Stroke::NONE),
            (false, true) => (theme.surface, Stroke::new(1.0, theme.warn)),
            (false, false) => (theme.surface, Stroke::new(1.0, theme.border)),
        };
        // It can be selected like a label. Only one message can be reached by Tab: from there on the arrow keys lead.
        let mut sense = Sense::click_and_drag();
        if !focus.is_current {
            sense -= Sense::FOCUSABLE;
        }
        let response = ui.interact(rect, id, sense);
        let ring = if response.has_focus() { Stroke::new(2.0, theme.accent) } else { stroke };
        ui.painter().rect(rect, corners, fill, ring, egui::StrokeKind::Inside);
        let text_pos = rect.min + MARGIN - Vec2::new(self.text.galley().rect.left(), 0.0);
        self.text.show(ui, &response, text_pos, actions);
        let mut end = rect.max - MARGIN;
        if is_mine {
            let (icon, color) = match &self.message.delivery {
                Delivery::Waiting(_) | Delivery::Pending(_) | Delivery::Sent(..) => (Icon::Waiting, theme.weak),
                Delivery::Delivered => (Icon::Delivered, theme.good),
                Delivery::Failed(..) => (Icon::Refused, theme.bad),
                Delivery::Received | Delivery::Relayed => (Icon::Relayed, theme.weak),
            };
            let center = Pos2::new(end.x - 7.0, end.y - self.time.size().y / 2.0);
            icons::paint(ui.painter(), icon, center, 12.0, color);
            if let Some(tip) = self.tip(state) {
                let mark = Rect::from_center_size(center, Vec2::splat(TICKS));
                ui.interact(mark, id.with("mark"), Sense::hover()).on_hover_text(tip);
            }
            end.x -= TICKS;
        }
        ui.painter().galley(end - self.time.size(), Arc::clone(&self.time), theme.weak);
        response
    }

    /// What is said of the delivery, at the right, and a button to try again.
    fn status_line(&self, ui: &mut Ui, at: Pos2, status: &Arc<Galley>, id: egui::Id, actions: &mut Vec<Action>) {
        let mut right = at.x + self.width - SIDE;
        if let Some((label, tip, action)) = remedy(self.message) {
            let rect = Rect::from_min_max(Pos2::new(right - REMEDY, at.y), Pos2::new(right, at.y + 28.0));
            let builder = UiBuilder::new().max_rect(rect).id_salt(id.with("remedy"));
            let mut ui = ui.new_child(builder.layout(egui::Layout::right_to_left(Align::Center)));
            let button = egui::Button::new(egui::RichText::new(label).size(font_size::SMALL)).min_size(Vec2::ZERO);
            if ui.add(button).on_hover_text(tip).clicked() {
                actions.push(action);
            }
            right = ui.min_rect().left() - space::S;
        }
        let size = status.size();
        let rect = Rect::from_min_size(Pos2::new(right - size.x, at.y + 2.0), size);
        labelled(ui, rect, status, id.with("status"));
        ui.painter().galley(rect.min, Arc::clone(status), self.theme.weak);
    }

    /// What has become of an own message, as a sentence for its tooltip.
    fn tip(&self, state: &State) -> Option<String> {
        let recipient = match state.selected {
            Peer::Everyone => None,
            Peer::Person(key) => Some(state.people.name_of(&key).map_or("the recipient", |name| name.as_str())),
        };
        texts::delivery_meaning(&self.message.delivery, recipient)
    }
}

/// Distances of the parts of a row from its top.
struct Parts {
    gap: f32,
    news: f32,
    author: f32,
    bubble: f32,
    status: f32,
    note: f32,
    bottom: f32,
}

/// The part that a message has in the keyboard focus and in what is announced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Focus {
    /// The Tab key reaches it.
    pub is_current: bool,
    /// A screen reader says it when it appears.
    pub is_announced: bool,
}

/// The id of a bubble; it stays when the message moves.
pub(super) fn message_id(peer: Peer, serial: Serial) -> egui::Id {
    egui::Id::unique(("message", peer, serial))
}

/// Room for the button of a message that has not gone out.
const REMEDY: f32 = 96.0;

/// What can be done about a message that has not gone out: label and meaning of the button, and the action.
fn remedy(message: &Message) -> Option<(&'static str, &'static str, Action)> {
    match &message.delivery {
        Delivery::Failed(draft, _) => Some(("Retry", "Send it once more", Action::Retry(*draft))),
        Delivery::Waiting(draft) => Some(("Withdraw", texts::WITHDRAW_TIP, Action::Withdraw(*draft))),
        _ => None,
    }
}

/// The name above the first of several messages; in a talk of two only if its key is another than before.
fn author_line(ui: &Ui, state: &State, message: &Message, is_doubtful: bool) -> Option<Arc<Galley>> {
    let theme = Theme::of(ui);
    let Author::Other { name, .. } = &message.author else { return None };
    if state.selected != Peer::Everyone && !is_doubtful {
        return None;
    }
    if !is_doubtful {
        return Some(text::line(ui, name.as_str(), FontId::proportional(font_size::SMALL), theme.weak, f32::INFINITY));
    }
    let text = format!("{name}, with another key than before");
    Some(text::layout_sentence(ui, sentence(text, theme.warn, f32::INFINITY)))
}

/// The name under which an own message was written, if that is another one than now.
fn written_as(ui: &Ui, state: &State, message: &Message) -> Option<Arc<Galley>> {
    let name = message.written_as.as_ref().filter(|name| Some(*name) != state.people.my_name())?;
    Some(text::layout_sentence(ui, sentence(format!("Written as {name}"), Theme::of(ui).weak, f32::INFINITY)))
}

/// A small text of the program, which may have a name in it.
fn sentence(text: String, color: Color32, room: f32) -> LayoutJob {
    LayoutJob::simple(text, FontId::proportional(font_size::SMALL), color, room)
}

fn note_text(state: &State, note: &PresenceNote) -> String {
    let name = match state.selected {
        Peer::Person(key) => state.people.name_of(&key).map_or("This person", |name| name.as_str()),
        Peer::Everyone => "",
    };
    texts::presence(name, note)
}

/// Draws a text whose upper edge has its middle at `top`.
fn middle_text(ui: &Ui, top: Pos2, galley: &Arc<Galley>, id: egui::Id) -> Response {
    let rect = Rect::from_center_size(top + Vec2::new(0.0, galley.size().y / 2.0), galley.size());
    let response = labelled(ui, rect, galley, id);
    // With right-to-left letters it counts from its left edge, otherwise from its middle.
    let left_of_middle = Vec2::new(galley.rect.center().x, 0.0);
    ui.painter().galley(top - left_of_middle, Arc::clone(galley), Theme::of(ui).weak);
    response
}

/// Makes a text that is painted known to screen readers.
fn labelled(ui: &Ui, rect: Rect, galley: &Galley, id: egui::Id) -> Response {
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, galley.text()));
    response
}
