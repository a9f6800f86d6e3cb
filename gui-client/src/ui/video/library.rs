//! The list of videos, and of files that are none.

use common::media::{VideoId, VideoInfo};
use egui::{Align2, Pos2, Rect, RichText, Ui, Vec2};

use crate::{
    event::ThumbnailKey,
    state::{State, action::Action, thumbnails},
};

use crate::ui::kit::{
    format,
    icons::{self, Icon},
    theme::{Theme, font_size, size, space},
    widgets,
};

/// Finds the small picture of a video and its size in points, when there is one.
pub type ThumbnailLookup<'a> = &'a dyn Fn(ThumbnailKey) -> Option<(egui::TextureId, Vec2)>;

/// Size of the small picture beside a title.
const PICTURE: Vec2 = Vec2::new(68.0, 39.0);

/// Draws the list; a click plays. `visible` gets the entries that are on the screen.
pub fn show(
    ui: &mut Ui,
    state: &State,
    lookup: ThumbnailLookup<'_>,
    actions: &mut Vec<Action>,
    visible: &mut Vec<VideoId>,
) {
    let theme = Theme::of(ui);
    let library = &state.library;
    widgets::section_header(ui, "Videos", library.videos.len());
    egui::ScrollArea::vertical().id_salt("videos").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.add_enabled_ui(state.connection.is_online(), |ui| {
            for video in &library.videos {
                if entry(ui, state, lookup, video, actions) {
                    visible.push(video.id);
                }
            }
        });
        if library.videos.is_empty() {
            let text = if state.connection.is_online() {
                "The server has no videos yet. Whoever runs it puts files such as TITLE_240p.mp4, TITLE_720p.mp4 and \
                 TITLE_1440p.mp4 into its videos folder."
            } else {
                "The server's videos stand here while you are connected."
            };
            widgets::caption(ui, text);
        }
        skipped(ui, state, theme);
    });
}

/// Returns whether it is on the screen.
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
    let name = format!("Play {}, {caption}{sound}", video.title);
    let mut is_visible = false;
    let response = widgets::row(ui, size::VIDEO_ROW, is_playing, &name, |ui, rect| {
        is_visible = true;
        let picture =
            Rect::from_center_size(Pos2::new(rect.left() + space::S + PICTURE.x / 2.0, rect.center().y), PICTURE);
        thumbnail(ui, picture, lookup(thumbnails::key(video)), is_playing);
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
    let response = response.on_hover_text(format!("{}\n{caption}{sound}", video.title));
    if response.clicked() {
        actions.push(Action::Watch(video.id));
    }
    is_visible
}

/// As much of it as has room beside a picture.
fn describe_shortly(video: &VideoInfo) -> String {
    let heights = match video.variants.as_slice() {
        [] => return format::whole_length(video.duration_nanos),
        [only] => format!("{}p", only.height),
        [least, .., most] => format!("{}p–{}p", least.height, most.height),
    };
    format!("{} · {heights}", format::whole_length(video.duration_nanos))
}

/// The picture on dark ground, as it is: what does not have the shape of the place keeps its own.
fn thumbnail(ui: &Ui, place: Rect, picture: Option<(egui::TextureId, Vec2)>, is_playing: bool) {
    let theme = Theme::of(ui);
    const CORNERS: f32 = 4.0;
    match picture {
        Some((texture, size)) => {
            ui.painter().rect_filled(place, CORNERS, theme.screen);
            let scale = (place.width() / size.x.max(1.0)).min(place.height() / size.y.max(1.0));
            let rect = Align2::CENTER_CENTER.align_size_within_rect(size * scale, place);
            let image = egui::Image::from_texture((texture, size)).corner_radius(CORNERS);
            image.paint_at(ui, rect);
        }
        None => {
            ui.painter().rect_filled(place, CORNERS, theme.border);
        }
    }
    if is_playing {
        ui.painter().circle_filled(place.center(), 11.0, theme.accent);
        icons::paint(ui.painter(), Icon::Play, place.center(), 10.0, theme.on_accent);
    } else if picture.is_none() {
        icons::paint(ui.painter(), Icon::Play, place.center(), 12.0, theme.weak);
    }
}

/// Length and resolutions in one line.
fn describe(video: &VideoInfo) -> String {
    let heights = video.variants.iter().map(|variant| format!("{}p", variant.height));
    std::iter::once(format::whole_length(video.duration_nanos)).chain(heights).collect::<Vec<_>>().join(" · ")
}

fn skipped(ui: &mut Ui, state: &State, theme: &Theme) {
    let skipped = &state.library.skipped;
    if skipped.is_empty() {
        return;
    }
    ui.add_space(space::S);
    let header = match skipped.len() {
        1 => "1 file not playable".to_owned(),
        count => format!("{count} files not playable"),
    };
    egui::CollapsingHeader::new(RichText::new(header).size(font_size::SMALL).color(theme.weak))
        .id_salt("skipped")
        .show(ui, |ui| {
            for file in skipped {
                ui.label(RichText::new(&file.file_name).size(font_size::SMALL));
                ui.label(RichText::new(&file.reason).size(font_size::SMALL).color(theme.weak));
                ui.add_space(space::XS);
            }
        });
}
