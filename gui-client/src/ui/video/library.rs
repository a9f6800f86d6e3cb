//! The list of videos, and of files that cannot be played.

use common::media::{VideoId, VideoInfo};
use egui::{Align2, Pos2, Rect, Ui, Vec2};

use crate::{
    event::ThumbnailKey,
    state::{State, action::Action, thumbnails},
};

use crate::ui::kit::{
    format,
    icons::{self, Icon},
    rows::Rows,
    theme::{Theme, font_size, size, space},
    widgets,
};

/// Finds the thumbnail of a video and its size in points, if it has been loaded.
pub(crate) type ThumbnailLookup<'a> = &'a dyn Fn(ThumbnailKey) -> Option<(egui::TextureId, Vec2)>;

/// Size of the thumbnail beside a title.
const THUMBNAIL: Vec2 = Vec2::new(68.0, 39.0);

/// Diameter of the mark of a video that is ready.
const READY_MARK: f32 = 15.0;

/// Gap between rows.
const ROW_GAP: f32 = 2.0;

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
    egui::ScrollArea::vertical().id_salt("videos").auto_shrink(false).show_viewport(ui, |ui, viewport| {
        ui.spacing_mut().item_spacing.y = ROW_GAP;
        ui.add_enabled_ui(state.connection.is_online(), |ui| {
            let rows = Rows { height: size::VIDEO_ROW, gap: ROW_GAP, count: library.videos.len() };
            rows.show(ui, viewport, |ui, index| {
                let video = &library.videos[index];
                if entry(ui, state, lookup, video, actions) {
                    visible.push(video.id);
                }
            });
        });
        if library.videos.is_empty() {
            let text = if state.connection.is_online() {
                "The server has no videos yet. The person running it can add some with: triptych-server import FILE"
            } else {
                "Videos appear here while you are connected."
            };
            widgets::caption(ui, text);
        }
        if let Some(text) = unplayable(library.unplayable_count) {
            widgets::caption(ui, &text);
        }
    });
}

/// Draws a row. Returns whether it is on the screen.
fn entry(
    ui: &mut Ui,
    state: &State,
    lookup: ThumbnailLookup<'_>,
    video: &VideoInfo,
    actions: &mut Vec<Action>,
) -> bool {
    let theme = Theme::of(ui);
    let showing = state.player.showing.as_ref().filter(|showing| showing.video.id == video.id);
    let is_playing = showing.is_some_and(|showing| showing.is_running());
    let caption = describe(video);
    let sound = if video.has_sound { ", with sound" } else { "" };
    let ready = if video.is_ready { ", ready" } else { "" };
    let name = format!("Play {}, {caption}{sound}{ready}", video.title);
    let mut is_visible = false;
    let response = widgets::row(ui, ("video", video.id), size::VIDEO_ROW, is_playing, &name, |ui, rect| {
        is_visible = true;
        let center = Pos2::new(rect.left() + space::S + THUMBNAIL.x / 2.0, rect.center().y);
        let picture = Rect::from_center_size(center, THUMBNAIL);
        thumbnail(ui, picture, lookup(thumbnails::key(video)), is_playing);
        if video.is_ready {
            ready_mark(ui, picture);
        }
        let left = picture.right() + space::S + 1.0;
        let right = rect.right() - space::S;
        let middle = rect.center().y;
        let upper = Rect::from_min_max(Pos2::new(left, rect.top() + 7.0), Pos2::new(right, middle + 1.0));
        let mut lower = Rect::from_min_max(Pos2::new(left, middle + 1.0), Pos2::new(right, rect.bottom() - 7.0));
        widgets::line(ui, upper, &video.title, font_size::BODY, theme.text);
        if video.has_sound {
            let center = Pos2::new(lower.left() + 6.0, lower.center().y + 0.5);
            icons::paint(ui.painter(), Icon::Speaker, center, 12.0, theme.weak);
            lower.min.x += 16.0;
        }
        widgets::line(ui, lower, describe_shortly(video), font_size::SMALL - 0.5, theme.weak);
    });
    let ready = if video.is_ready { "\nReady: the server sends it without decoding anything." } else { "" };
    let response = response.on_hover_text(format!("{}\n{caption}{sound}{ready}", video.title));
    if response.clicked() {
        actions.push(Action::Watch(video.id));
    }
    is_visible
}

/// Duration and range of resolutions, short enough for a row.
fn describe_shortly(video: &VideoInfo) -> String {
    let heights = match video.variants.as_slice() {
        [] => return format::whole_length(video.duration_nanos),
        [only] => format!("{}p", only.height),
        [least, .., most] => format!("{}p–{}p", least.height, most.height),
    };
    format!("{} · {heights}", format::whole_length(video.duration_nanos))
}

/// Draws a flash into the lower right corner of a thumbnail.
fn ready_mark(ui: &Ui, thumbnail: Rect) {
    let theme = Theme::of(ui);
    let center = thumbnail.right_bottom() - Vec2::splat(READY_MARK * 0.6);
    ui.painter().circle_filled(center, READY_MARK / 2.0, theme.dense_overlay);
    icons::paint(ui.painter(), Icon::Ready, center, READY_MARK * 0.7, theme.on_overlay);
}

/// Draws a thumbnail on a dark background, in its own aspect ratio.
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
        }
    }
    if is_playing {
        ui.painter().circle_filled(area.center(), 11.0, theme.accent);
        icons::paint(ui.painter(), Icon::Play, area.center(), 10.0, theme.on_accent);
    } else if picture.is_none() {
        icons::paint(ui.painter(), Icon::Play, area.center(), 12.0, theme.weak);
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
