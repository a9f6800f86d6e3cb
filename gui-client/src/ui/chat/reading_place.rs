//! The reading place in a conversation: it stays where it is when messages are added at either end, and a button leads to
//! new ones below.

use egui::{Align, Layout, Rect, Ui, Vec2, scroll_area::ScrollAreaOutput, style::ScrollAnimation};

use crate::{
    state::{
        action::Peer,
        conversation::{Author, Conversation},
    },
    ui::kit::{theme::space, widgets},
};

/// The end counts as visible up to this distance from it, in points.
const END_TOLERANCE: f32 = 4.0;

/// Pages of messages, and what has been seen of them. Kept for each conversation while the program runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadingPlace {
    /// Pages of messages that are drawn.
    pages: usize,
    /// Whether the next frame is to keep the message that was first before another page was added in its place.
    is_page_added: bool,
    /// Messages of the conversation when its end was last visible.
    seen_count: usize,
    /// Whether the next frame is to show the end.
    goes_to_end: bool,
}

impl ReadingPlace {
    /// The place in the conversation with `peer`.
    pub(super) fn load(ui: &Ui, peer: Peer, conversation: &Conversation) -> Self {
        let seen_count = conversation.messages.len();
        let start = Self { pages: 1, is_page_added: false, seen_count, goes_to_end: false };
        let mut place = ui.data(|data| data.get_temp(id(peer))).unwrap_or(start);
        // Who writes wants to see what they wrote.
        let is_mine_new = conversation.messages.len() > place.seen_count
            && conversation.messages.back().is_some_and(|message| message.author == Author::Me);
        place.goes_to_end |= is_mine_new;
        place
    }

    /// The index of the first message to draw.
    pub(super) fn first(&self, conversation: &Conversation, page_messages: usize) -> usize {
        conversation.messages.len().saturating_sub(self.pages * page_messages)
    }

    /// Adds a page of earlier messages.
    pub(super) fn add_page(&mut self) {
        self.pages += 1;
        self.is_page_added = true;
    }

    /// To be called before the message with this index is drawn.
    pub(super) fn before_message(&mut self, ui: &Ui, index: usize, conversation: &Conversation, page_messages: usize) {
        let last_first = conversation.messages.len().saturating_sub((self.pages - 1) * page_messages);
        if self.is_page_added && index == last_first {
            self.is_page_added = false;
            ui.scroll_to_cursor_animation(Some(Align::Min), ScrollAnimation::none());
            // The offset takes effect in the next pass; without that pass, this frame would show another place.
            ui.ctx().request_discard("earlier messages were added above");
        }
    }

    /// To be called after the last message was drawn.
    pub(super) fn after_messages(&mut self, ui: &Ui) {
        if std::mem::take(&mut self.goes_to_end) {
            ui.scroll_to_cursor_animation(Some(Align::Max), ScrollAnimation::none());
        }
    }

    /// Draws the button for new messages below, if there are any, and keeps the place for the next frame.
    pub(super) fn store(mut self, ui: &mut Ui, peer: Peer, conversation: &Conversation, output: &ScrollAreaOutput<()>) {
        let offset = output.state.clamped_offset().y;
        let is_end_visible = offset + output.inner_rect.height() >= output.content_size.y - END_TOLERANCE;
        let count = conversation.messages.len();
        if is_end_visible {
            self.seen_count = count;
        }
        let new_count = count.saturating_sub(self.seen_count);
        if new_count > 0 {
            let area = Rect::from_min_max(
                output.inner_rect.left_bottom() - Vec2::new(0.0, 40.0),
                output.inner_rect.right_bottom() - Vec2::new(0.0, space::S),
            );
            let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(area).layout(Layout::top_down(Align::Center)));
            let text = if new_count == 1 { "1 new message".to_owned() } else { format!("{new_count} new messages") };
            if widgets::primary_button(&mut ui, &text).clicked() {
                self.goes_to_end = true;
                ui.ctx().request_repaint();
            }
        }
        ui.data_mut(|data| data.insert_temp(id(peer), self));
    }
}

fn id(peer: Peer) -> egui::Id {
    egui::Id::unique(("reading place", peer))
}
