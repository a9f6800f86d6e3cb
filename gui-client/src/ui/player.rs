//! The picture in its place, and what belongs to it: title, badge, position, Stop.

use common::media::SegmentInfo;
use egui::{Align, Align2, Color32, FontId, Layout, Pos2, Rect, RichText, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::state::{
    State,
    action::Action,
    player::{Showing, Stage, Stall},
};

use super::{
    format,
    theme::{Theme, letter, size, space},
    widgets,
};

/// Heights of what stands over and under the picture.
const TITLE_HEIGHT: f32 = 30.0;
const CONTROLS_HEIGHT: f32 = 74.0;

/// Draws the place. Returns how many pixels of the screen the picture has, when one plays.
pub fn show(
    ui: &mut Ui,
    state: &State,
    picture: Option<egui::TextureId>,
    actions: &mut Vec<Action>,
) -> Option<(u32, u32)> {
    let Some(showing) = &state.player.showing else {
        nothing_plays(ui, state);
        return None;
    };
    let all = ui.available_rect_before_wrap();
    let mut place = all;
    place.min.y += TITLE_HEIGHT;
    place.max.y = (all.bottom() - CONTROLS_HEIGHT).max(place.top() + 60.0);
    let screen = fit(place, showing.aspect(), ui.ctx().pixels_per_point());
    ui.allocate_rect(all, Sense::hover());
    title(ui, screen, showing);
    ui.painter().rect_filled(screen, 0.0, Theme::of(ui).screen);
    if let Some(texture) = picture {
        let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
        ui.painter().image(texture, screen, whole, Color32::WHITE);
    }
    let response = ui.interact(screen, ui.scope_id().with("picture"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Picture of {}", showing.video.title)));
    overlays(ui, screen, showing);
    let can_play = state.link.is_online() && state.library.videos.iter().any(|video| video.id == showing.video.id);
    controls(ui, screen, showing, can_play, actions);
    let pixels = screen.size() * ui.ctx().pixels_per_point();
    Some((pixels.x.round() as u32, pixels.y.round() as u32))
}

/// The largest rectangle of this aspect in the middle of `place`, on whole pixels so that the picture is not blurred.
fn fit(place: Rect, aspect: f32, pixels_per_point: f32) -> Rect {
    let width = place.width().min(place.height() * aspect);
    let rect = Rect::from_center_size(place.center(), Vec2::new(width, width / aspect));
    let round = |x: f32| (x * pixels_per_point).round() / pixels_per_point;
    Rect::from_min_max(
        Pos2::new(round(rect.left()), round(rect.top())),
        Pos2::new(round(rect.right()), round(rect.bottom())),
    )
}

fn title(ui: &mut Ui, screen: Rect, showing: &Showing) {
    let line = Rect::from_min_max(screen.left_top() - Vec2::new(0.0, TITLE_HEIGHT), screen.right_top());
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(line).layout(Layout::left_to_right(Align::Center)));
    ui.add(egui::Label::new(RichText::new(&showing.video.title).size(letter::HEADING - 1.0)).truncate());
}

fn overlays(ui: &mut Ui, screen: Rect, showing: &Showing) {
    if let Some(height) = showing.height {
        pill(ui, screen.right_top() + Vec2::new(-10.0, 10.0), Align2::RIGHT_TOP, &format!("{height}p"), "Resolution");
    }
    let text = match (&showing.stage, showing.stall) {
        (Stage::Opening, _) => Some("Opening…"),
        (Stage::Playing, Some(Stall::Source)) => Some("Waiting for pictures from the server…"),
        (Stage::Playing, Some(Stall::Decoder)) => Some("This computer cannot keep up with the picture…"),
        (Stage::Ended, _) => Some("The end"),
        _ => None,
    };
    if let Some(text) = text {
        pill(ui, screen.center(), Align2::CENTER_CENTER, text, "Playback");
    }
    if let Stage::Failed(reason) = &showing.stage {
        let theme = Theme::of(ui);
        ui.painter().rect_filled(screen, 0.0, theme.overlay);
        let inner = screen.shrink2(Vec2::new(screen.width() * 0.12, 8.0));
        let mut child = ui.new_child(
            egui::UiBuilder::new().max_rect(inner).layout(Layout::centered_and_justified(egui::Direction::TopDown)),
        );
        let text = format!("This video cannot go on.\n{}", crate::state::link::sentence(reason));
        child.label(RichText::new(text).color(theme.on_overlay));
    }
}

/// A word on dark ground that stays readable on any picture.
fn pill(ui: &mut Ui, anchor: Pos2, align: Align2, text: &str, kind: &str) {
    let theme = Theme::of(ui);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(letter::SMALL), theme.on_overlay);
    let rect = align.anchor_size(anchor, galley.size() + Vec2::new(18.0, 8.0));
    ui.painter().rect_filled(rect, rect.height() / 2.0, theme.overlay);
    let place = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect);
    ui.painter().galley(place.min, galley, theme.on_overlay);
    let response = ui.interact(rect, ui.scope_id().with(kind), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
}

fn controls(ui: &mut Ui, screen: Rect, showing: &Showing, can_play: bool, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let column = Rect::from_min_max(
        Pos2::new(screen.left(), screen.bottom() + space::S + 2.0),
        Pos2::new(screen.right(), screen.bottom() + CONTROLS_HEIGHT),
    );
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(column).layout(Layout::top_down(Align::Min)));
    progress(&mut ui, showing);
    ui.add_space(2.0);
    ui.horizontal(|ui| {
        match showing.stage {
            Stage::Opening | Stage::Playing => {
                if ui.button("Stop").clicked() {
                    actions.push(Action::StopWatching);
                }
            }
            Stage::Ended | Stage::Failed(_) => {
                let label = if showing.stage == Stage::Ended { "Play again" } else { "Try again" };
                if ui.add_enabled_ui(can_play, |ui| widgets::primary_button(ui, label)).inner.clicked() {
                    actions.push(Action::Watch(showing.video.id));
                }
                if ui.button("Close").clicked() {
                    actions.push(Action::ClosePlayer);
                }
            }
        }
        let time =
            format!("{} / {}", format::length(showing.position_nanos), format::whole_length(showing.duration_nanos));
        ui.label(RichText::new(time).monospace().color(theme.weak));
    });
}

/// The bar in its parts: each resolution as long as it plays, filled up to the position, its name under it.
fn progress(ui: &mut Ui, showing: &Showing) {
    let theme = Theme::of(ui);
    let (rect, response) =
        ui.allocate_exact_size(Vec2::new(ui.available_width(), size::PROGRESS + 18.0), Sense::hover());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, "Position in the video");
        info.value = Some(showing.position_nanos as f64 / 1e9);
        info
    });
    let bar = Rect::from_min_size(rect.min, Vec2::new(rect.width(), size::PROGRESS));
    let duration = showing.duration_nanos.max(1) as f64;
    let at = |nanos: u64| bar.left() + (nanos as f64 / duration).min(1.0) as f32 * bar.width();
    if showing.segments.is_empty() {
        ui.painter().rect_filled(bar, size::PROGRESS / 2.0, theme.border);
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
        ui.painter().rect_filled(part, size::PROGRESS / 2.0, theme.border);
        let filled = part.intersect(Rect::everything_left_of(at(showing.position_nanos)));
        if filled.width() > 0.5 {
            ui.painter().rect_filled(filled, size::PROGRESS / 2.0, theme.part(index, count));
        }
        part_label(ui, part, segment, showing.height == Some(segment.height));
    }
    if showing.is_running() {
        let knob = Pos2::new(at(showing.position_nanos), bar.center().y);
        ui.painter().circle(knob, size::PROGRESS * 0.8, theme.accent, egui::Stroke::new(2.0, theme.ground));
    }
}

fn part_label(ui: &Ui, part: Rect, segment: &SegmentInfo, is_current: bool) {
    let theme = Theme::of(ui);
    let color = if is_current { theme.text } else { theme.weak };
    let text = format!("{}p", segment.height);
    let galley = ui.painter().layout_no_wrap(text, FontId::proportional(letter::SMALL - 1.0), color);
    if galley.size().x <= part.width() {
        let left = part.center().x - galley.size().x / 2.0;
        ui.painter().galley(Pos2::new(left, part.bottom() + 3.0), galley, color);
    }
}

fn nothing_plays(ui: &mut Ui, state: &State) {
    let top = ui.available_rect_before_wrap();
    let rect =
        Rect::from_center_size(Pos2::new(top.center().x, top.top() + top.height() * 0.36), Vec2::new(84.0, 62.0));
    widgets::mark(ui, rect);
    let below = Rect::from_min_max(Pos2::new(top.left(), rect.bottom() + space::L), top.max);
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(below).layout(Layout::top_down(Align::Center)));
    let theme = Theme::of(&ui);
    let (head, text) = if !state.link.is_online() {
        ("Nothing is playing", "Videos can be watched again as soon as you are connected.")
    } else if state.library.videos.is_empty() {
        ("No videos yet", "As soon as the server has some, they stand at the left.")
    } else {
        ("Nothing is playing", "Choose a video at the left. It begins with few pixels and ends with many.")
    };
    ui.set_max_width(ui.available_width().min(380.0));
    ui.label(RichText::new(head).size(letter::HEADING));
    ui.label(RichText::new(text).color(theme.weak));
}
