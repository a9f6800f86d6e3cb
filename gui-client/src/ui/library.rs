//! The list of videos, and of files that are none.

use common::media::VideoInfo;
use egui::{Pos2, Rect, RichText, Ui, Vec2};

use crate::state::{State, action::Action};

use super::{
    format,
    theme::{Theme, letter, size, space},
    widgets,
};

/// Draws the list; a click plays.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let library = &state.library;
    widgets::section_head(ui, "Videos", library.videos.len());
    egui::ScrollArea::vertical().id_salt("videos").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.add_enabled_ui(state.link.is_online(), |ui| {
            for video in &library.videos {
                entry(ui, state, video, actions);
            }
        });
        if library.videos.is_empty() {
            let text = if state.link.is_online() {
                "The server has no videos yet. Whoever runs it puts files such as TITLE_240p.mp4, TITLE_720p.mp4 and \
                 TITLE_1440p.mp4 into its videos folder."
            } else {
                "The server's videos stand here while you are connected."
            };
            widgets::remark(ui, text);
        }
        skipped(ui, state, theme);
    });
}

fn entry(ui: &mut Ui, state: &State, video: &VideoInfo, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let showing = state.player.showing.as_ref().filter(|showing| showing.video.id == video.id);
    let is_playing = showing.is_some_and(|showing| showing.is_running());
    let remark = describe(video);
    let name = format!("Play {}, {remark}", video.title);
    let response = widgets::row(ui, size::VIDEO_ROW, is_playing, &name, |ui, rect| {
        let icon = Rect::from_center_size(
            Pos2::new(rect.left() + space::S + size::AVATAR / 2.0, rect.center().y),
            Vec2::new(size::AVATAR, size::AVATAR * 0.75),
        );
        play_sign(ui, icon, is_playing);
        let left = icon.right() + space::S;
        let right = rect.right() - space::S;
        let upper = Rect::from_min_max(Pos2::new(left, rect.top() + 7.0), Pos2::new(right, rect.center().y + 2.0));
        let lower = Rect::from_min_max(Pos2::new(left, rect.center().y + 1.0), Pos2::new(right, rect.bottom() - 7.0));
        widgets::line(ui, upper, &video.title, letter::BODY, theme.text);
        widgets::line(ui, lower, &remark, letter::SMALL - 0.5, theme.weak);
    });
    let response = response.on_hover_text(format!("{}\n{remark}", video.title));
    if response.clicked() {
        actions.push(Action::Watch(video.id));
    }
}

/// Length and resolutions in one line.
fn describe(video: &VideoInfo) -> String {
    let heights = video.variants.iter().map(|variant| format!("{}p", variant.height));
    std::iter::once(format::whole_length(video.duration_nanos)).chain(heights).collect::<Vec<_>>().join(" · ")
}

fn play_sign(ui: &Ui, rect: Rect, is_playing: bool) {
    let theme = Theme::of(ui);
    let (fill, sign) = if is_playing { (theme.accent, theme.on_accent) } else { (theme.border, theme.text) };
    ui.painter().rect_filled(rect, 5.0, fill);
    let center = rect.center();
    let triangle =
        [Vec2::new(-3.5, -5.0), Vec2::new(5.0, 0.0), Vec2::new(-3.5, 5.0)].map(|corner| center + corner).to_vec();
    ui.painter().add(egui::Shape::convex_polygon(triangle, sign, egui::Stroke::NONE));
}

fn skipped(ui: &mut Ui, state: &State, theme: &Theme) {
    let skipped = &state.library.skipped;
    if skipped.is_empty() {
        return;
    }
    ui.add_space(space::S);
    let head = match skipped.len() {
        1 => "1 file not playable".to_owned(),
        count => format!("{count} files not playable"),
    };
    egui::CollapsingHeader::new(RichText::new(head).size(letter::SMALL).color(theme.weak)).id_salt("skipped").show(
        ui,
        |ui| {
            for file in skipped {
                ui.label(RichText::new(&file.file_name).size(letter::SMALL));
                ui.label(RichText::new(&file.reason).size(letter::SMALL).color(theme.weak));
                ui.add_space(space::XS);
            }
        },
    );
}
