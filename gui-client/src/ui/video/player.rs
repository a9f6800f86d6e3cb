//! The player: the title, the picture, and what is drawn over the picture (resolution, stage of playback, failure).

use std::time::Instant;

use egui::{
    Align, Align2, Color32, Layout, Pos2, Rect, RichText, Role, Sense, TextStyle, TextWrapMode, Ui, Vec2, WidgetInfo,
    WidgetText,
};

use crate::event::Hold;
use crate::state::{
    State,
    action::Action,
    connection::sentence,
    player::{PlayerState, Showing, Stage},
};

use super::{controls, keys, statistics};
use crate::ui::kit::{
    theme::{Theme, font_size, space},
    widgets,
};

/// Height of the title above the picture.
const TITLE_HEIGHT: f32 = 30.0;

/// The controls are at least this wide if there is room, even below a narrow picture.
const CONTROLS_WIDTH: f32 = 420.0;

/// Beside the statistics, the badge is drawn if there is this much room for it.
const BADGE_WIDTH: f32 = 150.0;

/// Draws the player. Returns width and height of the picture in pixels of the screen, if a video is in the player.
pub(crate) fn show(
    ui: &mut Ui,
    state: &State,
    picture: Option<egui::TextureId>,
    now: Instant,
    actions: &mut Vec<Action>,
) -> Option<(u32, u32)> {
    let Some(showing) = &state.player.showing else {
        nothing_plays(ui, state);
        return None;
    };
    keys::take(ui, &state.player, actions);
    let all = ui.available_rect_before_wrap();
    let controls_height = controls::height(all.width());
    let mut area = all;
    area.min.y += TITLE_HEIGHT;
    area.max.y = (all.bottom() - controls_height).max(area.top() + 60.0);
    let screen = fit(area, showing.aspect(), ui.ctx().pixels_per_point());
    ui.allocate_rect(all, Sense::hover());
    title(ui, screen, showing);
    ui.painter().rect_filled(screen, 0.0, Theme::of(ui).screen);
    if let Some(texture) = picture {
        let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
        ui.painter().image(texture, screen, whole, Color32::WHITE);
    }
    let response = ui.interact(screen, ui.scope_id().with("picture"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Picture of {}", showing.video.title)));
    if response.clicked() {
        actions.push(Action::TogglePause);
    }
    let table = state.player.statistics().map(|lines| statistics::show(ui, screen, lines, actions));
    overlays(ui, (screen, table), &state.player, showing, now);
    let can_play =
        state.connection.is_online() && state.library.videos.iter().any(|video| video.id == showing.video.id);
    let width = screen.width().max(CONTROLS_WIDTH.min(all.width()));
    let column = Rect::from_min_size(
        Pos2::new(screen.center().x - width / 2.0, screen.bottom() + space::S + 2.0),
        Vec2::new(width, controls_height - space::S - 2.0),
    );
    controls::show(ui, column, &state.player, showing, can_play, actions);
    let pixels = screen.size() * ui.ctx().pixels_per_point();
    Some((pixels.x.round() as u32, pixels.y.round() as u32))
}

/// The largest rectangle of this aspect in the middle of `area`, on whole pixels so that the picture is not blurred.
fn fit(area: Rect, aspect: f32, pixels_per_point: f32) -> Rect {
    let width = area.width().min(area.height() * aspect);
    let rect = Rect::from_center_size(area.center(), Vec2::new(width, width / aspect));
    let round = |x: f32| (x * pixels_per_point).round() / pixels_per_point;
    Rect::from_min_max(
        Pos2::new(round(rect.left()), round(rect.top())),
        Pos2::new(round(rect.right()), round(rect.bottom())),
    )
}

fn title(ui: &mut Ui, screen: Rect, showing: &Showing) {
    let line = Rect::from_min_max(screen.left_top() - Vec2::new(0.0, TITLE_HEIGHT), screen.right_top());
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(line).layout(Layout::left_to_right(Align::Center)));
    ui.add(egui::Label::new(RichText::new(&showing.video.title).size(font_size::HEADING - 1.0)).truncate());
}

/// Draws what is said over the picture, beside the table of the statistics if there is one.
fn overlays(ui: &mut Ui, (screen, table): (Rect, Option<Rect>), player: &PlayerState, showing: &Showing, now: Instant) {
    if let Stage::Failed(reason) = &showing.stage {
        failure(ui, screen, reason);
        return;
    }
    // Without room beside the statistics, their first line says it.
    if let Some(text) = showing.badge()
        && let Some(room) = room_beside(screen, table)
    {
        widgets::badge(ui, room, (&text, &showing.short_badges()), "Resolution");
    }
    let text = match (&showing.stage, showing.hold) {
        (Stage::Opening | Stage::Playing, Some(Hold::Unreadable)) => {
            Some("This computer cannot decode the pictures of this video.".into())
        }
        (Stage::Playing, Some(Hold::Decoder)) => Some("This computer is too slow for this resolution.".into()),
        (Stage::Opening | Stage::Playing, _) => player.wait_reason(now).map(|reason| reason.to_string()),
        (Stage::Ended, _) => Some("The end".to_owned()),
        (Stage::Failed(_), _) => None,
    };
    if let Some(text) = text {
        // The statistics would hide the middle.
        let place = if table.is_some() { Align2::CENTER_BOTTOM } else { Align2::CENTER_CENTER };
        widgets::notice(ui, screen, place, &text, "Playback");
    }
}

/// The part of the picture to the right of the table; `None` if it is too narrow for a text.
fn room_beside(screen: Rect, table: Option<Rect>) -> Option<Rect> {
    let left = table.map_or(screen.left(), |table| table.right().max(screen.left()));
    let room = Rect::from_min_max(Pos2::new(left, screen.top()), screen.max);
    (table.is_none() || room.width() >= BADGE_WIDTH).then_some(room)
}

fn failure(ui: &mut Ui, screen: Rect, reason: &str) {
    let theme = Theme::of(ui);
    ui.painter().rect_filled(screen, 0.0, theme.overlay);
    let reason = RichText::new(sentence(reason)).color(theme.on_overlay);
    let width = screen.width() * 0.76;
    let galley = WidgetText::from(reason.clone()).into_galley(ui, Some(TextWrapMode::Wrap), width, TextStyle::Body);
    let height = galley.size().y + font_size::HEADING + space::M;
    let inner = Rect::from_center_size(screen.center(), Vec2::new(width, height.min(screen.height())));
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(inner).layout(Layout::top_down(Align::Center)));
    ui.label(RichText::new("Playback stopped.").size(font_size::HEADING).color(theme.on_overlay));
    ui.label(reason);
}

fn nothing_plays(ui: &mut Ui, state: &State) {
    let area = ui.available_rect_before_wrap();
    let rect =
        Rect::from_center_size(Pos2::new(area.center().x, area.top() + area.height() * 0.36), Vec2::new(84.0, 62.0));
    widgets::mark(ui, rect);
    let below = Rect::from_min_max(Pos2::new(area.left(), rect.bottom() + space::L), area.max);
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(below).layout(Layout::top_down(Align::Center)));
    let theme = Theme::of(&ui);
    let (header, text) = if !state.connection.is_online() {
        ("Nothing is playing", "You can watch videos again when you are connected.")
    } else if state.library.videos.is_empty() {
        ("No videos yet", "Videos appear on the left as soon as the server has some.")
    } else {
        ("Nothing is playing", "Choose a video on the left. It starts in low resolution and ends in high.")
    };
    ui.set_max_width(ui.available_width().min(380.0));
    ui.label(RichText::new(header).size(font_size::HEADING));
    ui.label(RichText::new(text).color(theme.weak));
}
