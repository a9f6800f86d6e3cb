//! The list of videos, and of files that cannot be played.

use common::media::{VideoId, VideoInfo};
use egui::{Align2, Id, Pos2, Rect, Ui, Vec2};

use crate::{
    event::ThumbnailKey,
    state::{State, action::Action, lists::ListsAction, thumbnails},
};

use super::together;
use crate::ui::kit::{
    format,
    icons::{self, Icon},
    list_keys::{self, Focused},
    rows::Rows,
    search_field,
    theme::{Theme, font_size, size, space, tabular},
    title, widgets,
};

/// Finds the thumbnail of a video and its size in points, if it has been loaded.
pub(crate) type ThumbnailLookup<'a> = &'a dyn Fn(ThumbnailKey) -> Option<(egui::TextureId, Vec2)>;

/// Size of the thumbnail beside a title.
const THUMBNAIL: Vec2 = Vec2::new(96.0, 54.0);

/// Diameter of the mark of a video that is ready.
const READY_MARK: f32 = 15.0;

/// Gap between rows.
const ROW_GAP: f32 = 2.0;

/// Width from which the videos are cards side by side, and the least width of a card.
const GRID_FROM_POINTS: f32 = 480.0;
const CARD_POINTS: f32 = 200.0;

/// Height of the texts under the picture of a card.
const CARD_TEXT_POINTS: f32 = 66.0;

/// Width of the bar that marks the video in the player.
const PLAYING_BAR: f32 = 3.0;

/// How many videos are side by side in a list of this width.
fn columns(width_points: f32) -> usize {
    if width_points < GRID_FROM_POINTS { 1 } else { ((width_points / CARD_POINTS) as usize).max(2) }
}

/// Draws the list; a click on a row plays the video. `visible` gets the videos whose rows are on the screen.
pub(crate) fn show(
    ui: &mut Ui,
    state: &State,
    lookup: ThumbnailLookup<'_>,
    actions: &mut Vec<Action>,
    visible: &mut Vec<VideoId>,
) {
    let library = &state.library;
    widgets::section_header(ui, "Videos", library.videos.len(), None);
    let search = &state.lists.videos_search;
    if state.lists.has_videos_search(library.videos.len()) {
        let id = Id::unique("videos search");
        let searched = search_field::show(ui, id, search, "Search videos", "Search videos");
        let found = state.found_videos();
        if searched.is_entered
            && let Some(first) = found.first()
        {
            actions.push(Action::Watch(library.videos[*first].id));
        }
        let cleared = searched.is_left.then(String::new);
        if let Some(text) = searched.text.or(cleared) {
            actions.push(Action::Lists(ListsAction::SearchVideos(text)));
        }
        ui.add_space(space::XS);
    }
    let found = state.found_videos();
    let columns = columns(ui.available_width());
    let ids: Vec<Id> = found.iter().map(|place| row_id(library.videos[*place].id)).collect();
    let focused = list_keys::take(ui, &ids, columns);
    let focused = focused.map(|focused| Focused { row: focused.row / columns, ..focused });
    egui::ScrollArea::vertical().id_salt("videos").auto_shrink(false).show_viewport(ui, |ui, viewport| {
        let gap = if columns > 1 { space::S } else { ROW_GAP };
        ui.spacing_mut().item_spacing.y = gap;
        let card = (ui.available_width() - (columns - 1) as f32 * space::S) / columns as f32;
        let height = if columns > 1 { card * 9.0 / 16.0 + CARD_TEXT_POINTS } else { size::VIDEO_ROW };
        let rows = Rows { height, gap, count: found.len().div_ceil(columns) };
        ui.add_enabled_ui(state.connection.is_online(), |ui| {
            rows.show(ui, viewport, focused, |ui, row| {
                let places = found.iter().skip(row * columns).take(columns);
                let mut draw = |ui: &mut Ui, place: &usize| {
                    let video = &library.videos[*place];
                    if entry(ui, state, lookup, video, height, actions) {
                        visible.push(video.id);
                    }
                };
                if columns == 1 {
                    places.for_each(|place| draw(ui, place));
                    return;
                }
                ui.horizontal(|ui| {
                    ui.spacing_mut().item_spacing.x = space::S;
                    for place in places {
                        ui.allocate_ui(Vec2::new(card, height), |ui| {
                            ui.set_width(card);
                            draw(ui, place);
                        });
                    }
                });
            });
        });
        if library.videos.is_empty() {
            let text = if state.connection.is_online() {
                "The server has no videos yet. The person running it can add some with: triptych-server import FILE"
            } else {
                "Videos appear here while you are connected."
            };
            widgets::caption(ui, text);
        } else if found.is_empty() {
            widgets::caption(ui, &format!("No video is called \u{201c}{}\u{201d}.", search.trim()));
        }
        if let Some(text) = unplayable(library.unplayable_count) {
            widgets::caption(ui, &text);
        }
    });
}

fn row_id(video: VideoId) -> Id {
    Id::unique(("video", video))
}

/// Draws a row or a card. Returns whether it is on the screen.
fn entry(
    ui: &mut Ui,
    state: &State,
    lookup: ThumbnailLookup<'_>,
    video: &VideoInfo,
    height: f32,
    actions: &mut Vec<Action>,
) -> bool {
    let theme = Theme::of(ui);
    let showing = state.player.showing.as_ref().filter(|showing| showing.video.id == video.id);
    let playing = showing.filter(|showing| showing.is_running());
    let sound = if video.has_sound { ", with sound" } else { "" };
    let ready = if video.is_ready { ", ready" } else { "" };
    let gap = state.lists.gap(video.id);
    let is_member = state.together.party().is_some_and(|party| party.video == video.id);
    let party = state.people.parties().iter().find(|party| party.video == video.id && !is_member);
    let company = party.map(|party| together::who_watches(state, party));
    let (spoken, gap) = company.as_ref().map_or((gap, gap), |(spoken, short)| (Some(&**spoken), Some(&**short)));
    let lacking = spoken.map_or_else(String::new, |text| format!(", {text}"));
    let name = format!("Play {}, {}{sound}{ready}{lacking}", video.title, describe(video));
    let (mut is_visible, mut is_elided) = (false, false);
    let mut join = None;
    let response = widgets::row(ui, ("video", video.id), height, false, &name, |ui, rect| {
        is_visible = true;
        let (picture, text) = places(rect);
        thumbnail(ui, picture, lookup(thumbnails::key(video)), playing.is_some());
        if let Some(showing) = playing {
            let bar = Rect::from_min_size(rect.min, Vec2::new(PLAYING_BAR, rect.height()));
            ui.painter().rect_filled(bar, PLAYING_BAR / 2.0, theme.accent);
            equaliser(ui, picture.center(), !showing.is_paused);
        }
        if video.is_ready {
            ready_mark(ui, picture);
        }
        length_mark(ui, picture, video.duration_nanos);
        let lines = title::two_lines(ui, &video.title, text.width(), font_size::BODY, theme.text);
        is_elided = lines.elided;
        let gap_height = if gap.is_some() { font_size::SMALL + 4.0 } else { 0.0 };
        // Beside the picture the texts are centred, under it they begin at the top.
        let is_card = picture.bottom() <= text.top();
        let free = if is_card { 0.0 } else { (text.height() - lines.size().y - gap_height).max(0.0) / 2.0 };
        let top = text.top() + free;
        let below = top + lines.size().y;
        ui.painter().galley(Pos2::new(text.left(), top), lines, theme.text);
        if let Some(gap) = gap {
            let line = Rect::from_min_size(Pos2::new(text.left(), below), Vec2::new(text.width(), gap_height));
            let (room, color) = if party.is_some() { (together::JOIN_SIZE.x, theme.accent) } else { (0.0, theme.weak) };
            join = Some(line);
            let words = Rect::from_min_max(line.min, line.max - Vec2::new(room, 0.0));
            widgets::line(ui, words, gap, font_size::SMALL - 0.5, color);
        }
    });
    if response.clicked() {
        actions.push(Action::Watch(video.id));
    }
    if let (Some(rect), Some(party)) = (join, party) {
        together::join_button(ui, rect, state, party, actions);
    }
    if is_elided {
        // Beside the list, so that it covers no other row.
        let tooltip = egui::Tooltip::for_enabled(&response);
        tooltip.gap(space::M).show(|ui| ui.label(&video.title));
    }
    is_visible
}

/// Where picture and texts are: beside each other in a row, one under the other in a card.
fn places(rect: Rect) -> (Rect, Rect) {
    if rect.height() <= size::VIDEO_ROW {
        let center = Pos2::new(rect.left() + space::S + THUMBNAIL.x / 2.0, rect.center().y);
        let picture = Rect::from_center_size(center, THUMBNAIL);
        let min = Pos2::new(picture.right() + space::S, rect.top() + 3.0);
        return (picture, Rect::from_min_max(min, Pos2::new(rect.right() - space::XS, rect.bottom() - 3.0)));
    }
    let inside = rect.shrink(space::XS);
    let picture = Rect::from_min_size(inside.min, Vec2::new(inside.width(), inside.width() * 9.0 / 16.0));
    let min = Pos2::new(inside.left() + 2.0, picture.bottom() + space::XS);
    (picture, Rect::from_min_max(min, inside.max))
}

/// Three bars that move while the video plays and rest while it is paused. They move with the pictures of the video, so
/// that they cost no frame of their own, and not at all where motion is not wanted.
fn equaliser(ui: &Ui, center: Pos2, is_moving: bool) {
    let theme = Theme::of(ui);
    ui.painter().circle_filled(center, 13.0, theme.dense_overlay);
    let is_moving = is_moving && ui.style().animation_time > 0.0;
    let time = if is_moving { ui.input(|input| input.time) } else { 0.0 };
    for (number, (speed, rest)) in [(5.1, 0.55), (7.3, 1.0), (6.2, 0.7)].into_iter().enumerate() {
        let height =
            if is_moving { 0.4 + 0.6 * (0.5 + 0.5 * (time * speed + f64::from(number as u8)).sin()) } else { rest };
        let height = 12.0 * height as f32;
        let left = center.x - 6.5 + 5.0 * number as f32;
        let bar = Rect::from_min_max(Pos2::new(left, center.y + 6.0 - height), Pos2::new(left + 3.0, center.y + 6.0));
        ui.painter().rect_filled(bar, 1.0, theme.on_overlay);
    }
}

/// Writes the length into the lower right corner of a thumbnail.
fn length_mark(ui: &Ui, thumbnail: Rect, duration_nanos: u64) {
    let theme = Theme::of(ui);
    let text = format::whole_length(duration_nanos);
    let galley = ui.painter().layout_no_wrap(text, tabular(font_size::DENSE - 1.0), theme.on_overlay);
    let pill = galley.size() + Vec2::new(6.0, 1.0);
    let rect = Rect::from_min_size(thumbnail.right_bottom() - pill - Vec2::splat(2.0), pill);
    ui.painter().rect_filled(rect, 3.0, theme.dense_overlay);
    ui.painter().galley(
        Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect).min,
        galley,
        theme.on_overlay,
    );
}

/// Draws a flash into the lower left corner of a thumbnail.
fn ready_mark(ui: &Ui, thumbnail: Rect) {
    let theme = Theme::of(ui);
    let center = thumbnail.left_bottom() + Vec2::new(1.0, -1.0) * READY_MARK * 0.65;
    ui.painter().circle_filled(center, READY_MARK / 2.0, theme.dense_overlay);
    icons::paint(ui.painter(), Icon::Ready, center, READY_MARK * 0.7, theme.on_overlay);
}

/// Draws a thumbnail on a dark background, in its own aspect ratio. Until there is one, it is a sign that plays.
fn thumbnail(ui: &Ui, area: Rect, picture: Option<(egui::TextureId, Vec2)>, is_playing: bool) {
    let theme = Theme::of(ui);
    const CORNERS: f32 = 4.0;
    match picture {
        Some((texture, size)) => {
            ui.painter().rect_filled(area, CORNERS, theme.screen);
            let scale = (area.width() / size.x.max(1.0)).min(area.height() / size.y.max(1.0));
            let rect = Align2::CENTER_CENTER.align_size_within_rect(size * scale, area);
            let image = egui::Image::from_texture((texture, size)).corner_radius(CORNERS);
            image.paint_at(ui, rect);
        }
        None => {
            ui.painter().rect_filled(area, CORNERS, theme.border);
            if !is_playing {
                icons::paint(ui.painter(), Icon::Play, area.center(), 12.0, theme.weak);
            }
        }
    }
}

/// Duration and all resolutions in one line.
fn describe(video: &VideoInfo) -> String {
    let heights = video.variants.iter().map(|variant| format!("{}p", variant.height));
    std::iter::once(format::whole_length(video.duration_nanos)).chain(heights).collect::<Vec<_>>().join(" · ")
}

/// What is said of videos that cannot be played. Which ones, and why, only the host can do something about.
fn unplayable(count: u32) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 video cannot be played".to_owned()),
        count => Some(format!("{count} videos cannot be played")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_side_by_side_from_a_width_on() {
        let widths = [200.0, 479.0, 480.0, 599.0, 600.0, 1_000.0];
        assert_eq!(widths.map(columns), [1, 1, 2, 2, 3, 5]);
    }
}
