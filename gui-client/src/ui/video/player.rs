//! The player: the picture, what is drawn over it, the controls, and what the video is. In full screen the controls are over
//! the picture, and hide.

use std::time::Instant;

use egui::{
    Align, Align2, Color32, Id, Layout, Margin, Pos2, Rect, RichText, Role, Sense, Stroke, Ui, UiBuilder, Vec2,
    WidgetInfo,
};

use crate::event::Hold;
use crate::state::{
    State,
    action::Action,
    player::{PlayerState, Showing, Stage, view::PlayerView},
};

use super::{
    announce, cards, controls, idle, ids::PICTURE, keys, preview::PreviewLookup, seek_bar::OverBar, statistics,
    together,
};
use crate::ui::kit::{
    format,
    theme::{Theme, font_size, semibold, space},
    widgets,
};

/// Height of the title under the controls, and of the line under it.
const TITLE_HEIGHT: f32 = 30.0;
const DETAILS_HEIGHT: f32 = 22.0;

/// Heights of the place from which on there is room for the title, and for the line under it.
const ROOMS: [f32; 2] = [300.0, 380.0];

/// The controls are at least this wide if there is room, even below a narrow picture.
const CONTROLS_WIDTH: f32 = 560.0;

/// Beside the statistics, the badge is drawn if there is this much room for it.
const BADGE_WIDTH: f32 = 150.0;

/// The pictures of the video in the player.
#[derive(Clone, Copy)]
pub(crate) struct Pictures<'a> {
    /// The one that is due now.
    pub(crate) current: Option<egui::TextureId>,
    /// Finds those that are shown over the seek bar.
    pub(crate) preview: PreviewLookup<'a>,
}

/// Draws the player. Returns width and height of the picture in pixels of the screen, if a video is in the player.
pub(crate) fn show(
    ui: &mut Ui,
    state: &State,
    pictures: Pictures<'_>,
    now: Instant,
    actions: &mut Vec<Action>,
) -> Option<(u32, u32)> {
    let showing = state.player.showing.as_ref()?;
    keys::take(ui, state, actions);
    let all = ui.available_rect_before_wrap();
    ui.allocate_rect(all, Sense::hover());
    let is_full = state.player.view() == PlayerView::FullScreen;
    let screen = if is_full { fit(all, showing.aspect(), ui, Align2::CENTER_CENTER) } else { docked(ui, all, showing) };
    ui.painter().rect_filled(if is_full { all } else { screen }, 0.0, Theme::of(ui).screen);
    if let Some(texture) = pictures.current {
        let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
        ui.painter().image(texture, screen, whole, Color32::WHITE);
    }
    picture_clicks(ui, if is_full { all } else { screen }, showing, actions);
    let table = state.player.statistics().map(|lines| statistics::show(ui, screen, lines, actions));
    if !cards::show(ui, screen, state, showing, actions) {
        overlays(ui, (screen, table), &state.player, showing, now);
        announce::splice(ui, screen, &state.player, now);
    }
    together::news(ui, screen, state, now);
    let over_bar = OverBar { preview: pictures.preview, now };
    if is_full {
        controls_over_picture(ui, all, (state, showing), over_bar, actions);
    } else {
        let width = screen.width().max(CONTROLS_WIDTH.min(all.width()));
        let left = screen.center().x - width / 2.0;
        let column =
            Rect::from_min_size(Pos2::new(left, screen.bottom() + space::S), Vec2::new(width, controls::HEIGHT));
        controls::show(ui, column, (state, showing), over_bar, actions);
        about(ui, all, column, state, showing);
    }
    // In full screen, the controls lie over the lower edge.
    let clear = if is_full { controls::HEIGHT + 2.0 * space::L } else { 0.0 };
    let above = Rect::from_min_max(screen.min, Pos2::new(screen.right(), screen.bottom().min(all.bottom() - clear)));
    announce::resumed(ui, above, &state.player, now, actions);
    let pixels = screen.size() * ui.ctx().pixels_per_point();
    Some((pixels.x.round() as u32, pixels.y.round() as u32))
}

/// The place of the picture above its controls. It depends on nothing that changes while a video plays.
fn docked(ui: &Ui, all: Rect, showing: &Showing) -> Rect {
    let [title, details] = ROOMS;
    let mut below = controls::HEIGHT + space::S;
    below += if all.height() >= title { TITLE_HEIGHT } else { 0.0 };
    below += if all.height() >= details { DETAILS_HEIGHT } else { 0.0 };
    let area = Rect::from_min_max(all.min, Pos2::new(all.right(), (all.bottom() - below).max(all.top() + 60.0)));
    fit(area, showing.aspect(), ui, Align2::CENTER_TOP)
}

/// A click pauses, a double click gives the picture the screen. The second click of a double click takes back what the first
/// one did, so that nothing waits for it.
fn picture_clicks(ui: &mut Ui, rect: Rect, showing: &Showing, actions: &mut Vec<Action>) {
    let response = ui.interact(rect, Id::unique(PICTURE), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Picture of {}", showing.video.title)));
    // A card with buttons may have been here: the second click of a double click on one of them is not meant for the picture.
    let is_settled = widgets::is_settled(ui, "picture", showing.is_running());
    if response.clicked() && !response.triple_clicked() && showing.is_running() && is_settled {
        actions.push(Action::TogglePause);
    }
    if response.double_clicked() && is_settled {
        actions.push(Action::ToggleView(PlayerView::FullScreen));
    }
    if response.has_focus() {
        // A second ring inside, because the first may have the colour of the picture.
        let theme = Theme::of(ui);
        for (rect, color) in [(rect, theme.focus), (rect.shrink(2.0), theme.on_overlay)] {
            ui.painter().rect_stroke(rect, 0.0, Stroke::new(2.0, color), egui::StrokeKind::Inside);
        }
    }
}

/// The controls of the full screen, in the colours of the dark theme, because pictures are no background for the light one.
fn controls_over_picture(
    ui: &mut Ui,
    all: Rect,
    (state, showing): (&State, &Showing),
    over_bar: OverBar<'_>,
    actions: &mut Vec<Action>,
) {
    let margin = Margin::symmetric(16, 10);
    let bar = Rect::from_min_max(Pos2::new(all.left(), all.bottom() - controls::HEIGHT - margin.sum().y), all.max);
    let is_pointed_at = ui.rect_contains_pointer(bar);
    let is_playing = showing.is_running() && !showing.is_paused;
    let has_focus = ui.memory(|memory| memory.focused()).is_some_and(|focused| focused != Id::unique(PICTURE));
    if !idle::shows_controls(ui, is_pointed_at || !is_playing || has_focus) {
        return;
    }
    let mut ui = ui.new_child(UiBuilder::new().max_rect(bar).layout(Layout::top_down(Align::Min)));
    *ui.visuals_mut() = ui.ctx().style_of(egui::Theme::Dark).visuals.clone();
    // Clicks between the buttons are not meant for the picture.
    ui.interact(bar, ui.scope_id().with("bar"), Sense::click());
    ui.painter().rect_filled(bar, 0.0, Theme::of(&ui).dense_overlay);
    controls::show(&mut ui, bar - margin, (state, showing), over_bar, actions);
    widgets::pill(&mut ui, all.left_top() + Vec2::splat(space::M), Align2::LEFT_TOP, &showing.video.title, "Title");
}

/// The largest rectangle of this aspect in `area`, on whole pixels so that the picture is not blurred.
fn fit(area: Rect, aspect: f32, ui: &Ui, place: Align2) -> Rect {
    let width = area.width().min(area.height() * aspect);
    let rect = place.align_size_within_rect(Vec2::new(width, width / aspect), area);
    let round = |x: f32| (x * ui.ctx().pixels_per_point()).round() / ui.ctx().pixels_per_point();
    Rect::from_min_max(
        Pos2::new(round(rect.left()), round(rect.top())),
        Pos2::new(round(rect.right()), round(rect.bottom())),
    )
}

/// The title, and what the video is made of or who watches it together, under the controls where there is room.
fn about(ui: &mut Ui, all: Rect, controls: Rect, state: &State, showing: &Showing) {
    let [title, details] = ROOMS;
    let line = |top: f32, height: f32| {
        Rect::from_min_size(Pos2::new(controls.left(), top), Vec2::new(controls.width(), height))
    };
    let mut put = |rect: Rect, text: RichText| {
        let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::left_to_right(Align::Center)));
        ui.add(egui::Label::new(text).truncate());
    };
    if all.height() >= title {
        put(
            line(controls.bottom(), TITLE_HEIGHT),
            RichText::new(&showing.video.title).font(semibold(font_size::HEADING)),
        );
    }
    if all.height() >= details {
        let weak = Theme::of(ui).weak;
        let text = together::company(state).unwrap_or_else(|| details_of(showing));
        let text = RichText::new(text).size(font_size::SMALL).color(weak);
        let mut ui = ui.new_child(
            UiBuilder::new()
                .max_rect(line(controls.bottom() + TITLE_HEIGHT, DETAILS_HEIGHT))
                .layout(Layout::left_to_right(Align::Min)),
        );
        ui.add(egui::Label::new(text).truncate());
    }
}

/// Duration, frames per second, resolutions, and whether there is sound.
fn details_of(showing: &Showing) -> String {
    let video = &showing.video;
    let mut parts = vec![format::whole_length(video.duration_nanos)];
    if let Some(frames) = video.variants.iter().map(|variant| variant.frame_count).max() {
        let per_second = f64::from(frames) * 1e9 / video.duration_nanos.max(1) as f64;
        parts.push(format!("{} frames/s", (per_second * 100.0).round() / 100.0));
    }
    parts.extend(video.variants.iter().map(|variant| format!("{}p", variant.height)));
    if !video.has_sound {
        parts.push("no sound".to_owned());
    }
    parts.join(" · ")
}

/// Draws what is said over the picture, beside the table of the statistics if there is one.
fn overlays(ui: &mut Ui, (screen, table): (Rect, Option<Rect>), player: &PlayerState, showing: &Showing, now: Instant) {
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
        (Stage::Ended | Stage::Interrupted | Stage::Failed(_), _) => None,
    };
    if let Some(text) = text {
        // The statistics or the announcement of a splice would hide the middle.
        let is_middle_taken = table.is_some() || player.splice(now).is_some();
        let place = if is_middle_taken { Align2::CENTER_BOTTOM } else { Align2::CENTER_CENTER };
        widgets::notice(ui, screen, place, &text, "Playback");
    }
}

/// The part of the picture to the right of the table; `None` if it is too narrow for a text.
fn room_beside(screen: Rect, table: Option<Rect>) -> Option<Rect> {
    let left = table.map_or(screen.left(), |table| table.right().max(screen.left()));
    let room = Rect::from_min_max(Pos2::new(left, screen.top()), screen.max);
    (table.is_none() || room.width() >= BADGE_WIDTH).then_some(room)
}
