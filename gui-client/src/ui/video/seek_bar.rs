//! The seek bar: one part for each segment, as long as the segment, filled up to the position and fainter up to where
//! pictures have been received, with its resolution below. A click or a drag seeks. Over the place that is pointed at, a
//! [`preview`] of it.

use std::time::Instant;

use common::media::SegmentInfo;
use egui::{FontId, Pos2, Rect, Response, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit};

use super::{
    ids::SEEK_BAR,
    preview::{self, PreviewLookup},
};
use crate::state::{
    action::Action,
    player::{PlayerState, Showing},
};

use crate::ui::kit::{
    format,
    theme::{Theme, font_size, size},
    widgets,
};

/// Height of the labels below the bar.
const LABELS_HEIGHT: f32 = 18.0;

/// How far a screen reader steps.
const STEP_NANOS: i64 = 5_000_000_000;

/// Releasing the knob seeks once more if playback has moved on by more than this since the last seek of the drag.
const MAX_DRIFT_NANOS: u64 = 150_000_000;

/// Height of the bar with its labels.
pub(super) const HEIGHT: f32 = size::SEEK_BAR + LABELS_HEIGHT;

/// What is shown over the bar needs.
#[derive(Clone, Copy)]
pub(super) struct OverBar<'a> {
    /// Finds a preview.
    pub(super) preview: PreviewLookup<'a>,
    /// The time of this frame.
    pub(super) now: Instant,
}

/// Draws the bar.
pub(super) fn show(
    ui: &mut Ui,
    player: &PlayerState,
    showing: &Showing,
    over_bar: OverBar<'_>,
    actions: &mut Vec<Action>,
) {
    let theme = Theme::of(ui);
    let sense = if showing.can_seek() { Sense::click_and_drag() } else { Sense::hover() };
    let (_, rect) = ui.allocate_space(Vec2::new(ui.available_width(), HEIGHT));
    let response = ui.interact(rect, egui::Id::unique(SEEK_BAR), sense);
    response.widget_info(|| WidgetInfo {
        current_text_value: Some(spoken(showing)),
        ..WidgetInfo::slider(showing.can_seek(), showing.position_nanos as f64 / 1e9, "Position in the video")
    });
    if showing.can_seek() {
        steps(ui, &response, actions);
    }
    if response.has_focus() {
        let edge = rect.expand2(Vec2::new(4.0, 3.0));
        let stroke = Stroke::new(2.0, theme.focus);
        ui.painter().rect_stroke(edge, f32::from(size::RADIUS), stroke, egui::StrokeKind::Inside);
    }
    let bar = Rect::from_min_size(rect.min, Vec2::new(rect.width(), size::SEEK_BAR));
    let duration = showing.duration_nanos.max(1) as f64;
    let at = |nanos: u64| bar.left() + (nanos as f64 / duration).min(1.0) as f32 * bar.width();
    if showing.segments.is_empty() {
        widgets::rail(ui, bar);
        return;
    }
    let count = showing.segments.len();
    for (index, segment) in showing.segments.iter().enumerate() {
        let end = showing.segments.get(index + 1).map_or(showing.duration_nanos, |next| next.start_nanos);
        let gap = if index + 1 < count { 3.0 } else { 0.0 };
        let part = Rect::from_min_max(
            Pos2::new(at(segment.start_nanos), bar.top()),
            Pos2::new((at(end) - gap).max(at(segment.start_nanos) + 1.0), bar.bottom()),
        );
        widgets::rail(ui, part);
        if let Some(received) = showing.buffered_until_nanos {
            let received = part.intersect(Rect::everything_left_of(at(received)));
            if received.width() > 0.5 {
                ui.painter().rect_filled(received, size::SEEK_BAR / 2.0, theme.received_part(index, count));
            }
        }
        let filled = part.intersect(Rect::everything_left_of(at(showing.position_nanos)));
        if filled.width() > 0.5 {
            ui.painter().rect_filled(filled, size::SEEK_BAR / 2.0, theme.part(index, count));
        }
        let is_current = showing.segment().is_some_and(|current| current.first_index == segment.first_index);
        part_label(ui, part, segment, is_current);
    }
    if showing.is_running() || showing.can_seek() {
        let knob = Pos2::new(at(showing.position_nanos), bar.center().y);
        widgets::knob(ui, knob, size::SEEK_BAR * 0.8, &response);
    }
    if showing.can_seek() {
        let time_at = |x: f32| {
            let share = f64::from(((x - bar.left()) / bar.width().max(1.0)).clamp(0.0, 1.0));
            (share * duration) as u64
        };
        if let Some(x) = place_of_interest(ui, &response, player, over_bar.now, at(showing.position_nanos)) {
            let x = x.clamp(bar.left(), bar.right());
            over(ui, (bar, x), time_at(x), (player, showing), over_bar, actions);
        }
        seek(&response, showing, &time_at, actions);
        response.on_hover_cursor(egui::CursorIcon::PointingHand);
    }
}

fn seek(response: &Response, showing: &Showing, time_at: &dyn Fn(f32) -> u64, actions: &mut Vec<Action>) {
    let pointer = response.interact_pointer_pos();
    if let Some(target) = pointer.map(|pointer| time_at(pointer.x)) {
        let is_moved = response.drag_started() || response.dragged() && response.drag_delta().x != 0.0;
        let is_released = response.drag_stopped() && target.abs_diff(showing.position_nanos) > MAX_DRIFT_NANOS;
        if response.clicked() || is_moved || is_released {
            actions.push(Action::SeekTo(target));
        }
    }
}

/// The place of the bar that the person looks for, from left to right: where the pointer is, or where a key has just moved the
/// knob while it has the focus.
fn place_of_interest(ui: &Ui, response: &Response, player: &PlayerState, now: Instant, knob: f32) -> Option<f32> {
    let dragged = response.interact_pointer_pos().filter(|_| response.dragged());
    if let Some(pointer) = dragged.or(response.hover_pos()) {
        return Some(pointer.x);
    }
    let left = player.shows_knob_for(now).filter(|_| response.has_focus())?;
    ui.ctx().request_repaint_after(left);
    Some(knob)
}

/// Shows what there is at a place of the bar, and asks for its previews.
fn over(
    ui: &mut Ui,
    (bar, x): (Rect, f32),
    nanos: u64,
    (player, showing): (&PlayerState, &Showing),
    over_bar: OverBar<'_>,
    actions: &mut Vec<Action>,
) {
    if player.lacks_previews() {
        actions.push(Action::WantPreviews);
    }
    let mut text = format::length(nanos);
    if let Some(segment) = showing.segments.iter().take_while(|segment| segment.start_nanos <= nanos).last() {
        text += &format!(" · {}p", segment.height);
    }
    preview::show(ui, bar, x, player.preview_near(nanos).and_then(over_bar.preview), &text);
}

/// What a screen reader says: position, duration and resolution.
fn spoken(showing: &Showing) -> String {
    let (position, duration) = (showing.position_nanos, showing.duration_nanos);
    let mut text = format!("{} of {}", format::spoken_length(position), format::spoken_length(duration));
    if let Some(segment) = showing.segment() {
        text += &format!(", {}p", segment.height);
    }
    text
}

/// What a screen reader may ask for: a step forward or back.
fn steps(ui: &Ui, response: &Response, actions: &mut Vec<Action>) {
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.add_action(accesskit::Action::Increment);
        node.add_action(accesskit::Action::Decrement);
    });
    for (request, nanos) in [(accesskit::Action::Increment, STEP_NANOS), (accesskit::Action::Decrement, -STEP_NANOS)] {
        let count = ui.input(|input| input.num_accesskit_action_requests(response.id, request));
        actions.extend(std::iter::repeat_n(Action::SeekBy(nanos), count));
    }
}

fn part_label(ui: &Ui, part: Rect, segment: &SegmentInfo, is_current: bool) {
    let theme = Theme::of(ui);
    let color = if is_current { theme.text } else { theme.weak };
    let layout = |text| ui.painter().layout_no_wrap(text, FontId::proportional(font_size::SMALL - 1.0), color);
    let mut galley = layout(format!("{}p", segment.height));
    if segment.sent_height != segment.height {
        // The third keeps its name; what it is shown from is added where there is room.
        let longer = layout(format!("{}p from {}p", segment.height, segment.sent_height));
        galley = if longer.size().x <= part.width() { longer } else { galley };
    }
    if galley.size().x <= part.width() {
        let left = part.center().x - galley.size().x / 2.0;
        ui.painter().galley(Pos2::new(left, part.bottom() + 3.0), galley, color);
    }
}
