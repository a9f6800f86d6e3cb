//! The views: they draw the state and return what the person did. Nothing here talks to the network.

pub mod bindings;
mod chat;
pub mod full_screen;
pub mod kit;
mod shell;
mod video;
pub mod window;

use common::media::VideoId;
use egui::{Align, Frame, Layout, Margin, Panel, Rect, RichText, Ui, Vec2};

use crate::state::{
    State,
    action::{Action, Moment},
    connection::Phase,
    layout::Pane,
    player::view::PlayerView,
};

use self::{
    chat::{conversation, keys, people, shortcuts, trust, wire},
    kit::theme::{font_size, semibold, size, space},
    shell::{about, back, bar, columns, connect, notices, status},
    video::{
        library::{self, ThumbnailLookup},
        player::{self, Pictures},
        preview::PreviewLookup,
    },
};

/// What the views need besides the state.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The time of this frame.
    pub now: Moment,
    /// The current picture of the video that plays.
    pub picture: Option<egui::TextureId>,
    /// Finds the thumbnail of a video and its size.
    pub thumbnail: ThumbnailLookup<'a>,
    /// Finds a preview of the video in the player and its size.
    pub preview: PreviewLookup<'a>,
    /// Whether the composer takes the keyboard focus now.
    pub wants_composer_focus: bool,
}

/// What drawing one frame resulted in.
#[derive(Debug, Default)]
pub struct ViewOutput {
    /// Everything that the person did, in order.
    pub actions: Vec<Action>,
    /// Width and height of the picture in pixels of the screen, if a video is in the player.
    pub picture_size: Option<(u32, u32)>,
    /// The videos whose rows are visible in the list.
    pub visible_videos: Vec<VideoId>,
}

/// Draws the window, which has been cleared to [`kit::theme::Theme::background`]. Lines separate columns and bars, instead of
/// backgrounds of their own: filling those costs a software renderer two milliseconds for each picture of a video.
pub fn show(ui: &mut Ui, state: &State, view: View) -> ViewOutput {
    let mut output = ViewOutput::default();
    bindings::page::show(ui, state, &mut output.actions);
    if is_main_screen(state) {
        main_screen(ui, state, view, &mut output);
    } else {
        egui::CentralPanel::default()
            .frame(Frame::new())
            .show(ui, |ui| connect::show(ui, state, view.now, &mut output.actions));
    }
    notices::show(ui, state, room_for_notices(ui, state), view.now, &mut output.actions);
    output
}

/// Where notices lie over the contents: in the widest pane, whose header they cover and not that of another one.
fn room_for_notices(ui: &Ui, state: &State) -> Rect {
    let mut room = ui.ctx().content_rect();
    if is_main_screen(state) {
        let places = state.places();
        room.min.y += places.bar_points;
        if state.player.view() != PlayerView::FullScreen {
            let (left, right) = places.widest();
            (room.min.x, room.max.x) = (room.min.x + left, room.min.x + right);
        }
    }
    room.shrink2(Vec2::new(space::S, space::XS))
}

/// Whether the main screen is shown: from the first time online until the person leaves, even while the connection is lost.
fn is_main_screen(state: &State) -> bool {
    state.connection.is_wanted || state.connection.phase == Phase::Online
}

fn main_screen(ui: &mut Ui, state: &State, view: View<'_>, output: &mut ViewOutput) {
    let places = state.places();
    shortcuts::take(ui, state, &mut output.actions);
    people::take_keys(ui, &mut output.actions);
    trust::safety_number(ui, state, &mut output.actions);
    // A problem that needs a decision is not hidden by a video.
    if state.player.view() == PlayerView::FullScreen && !needs_decision(state) {
        let player = |ui: &mut Ui| player::show(ui, state, pictures(view), view.now.instant, &mut output.actions);
        output.picture_size = egui::CentralPanel::default().frame(Frame::new()).show(ui, player).inner;
        return;
    }
    about::show(ui, state, &mut output.actions);
    Panel::top("bar")
        .exact_size(places.bar_points)
        .frame(Frame::new().inner_margin(Margin::symmetric(8, 0)))
        .show(ui, |ui| bar::show(ui, state, &places, &mut output.actions));
    let is_alarm = state.connection.problem.as_ref().is_some_and(|problem| problem.certificate.is_some());
    if is_alarm && ui.available_height() < size::LOW {
        // The decision comes first, and takes the room.
        let frame = Frame::new().inner_margin(Margin::symmetric(12, 8));
        let problem = |ui: &mut Ui| status::problem(ui, state, view.now, &mut output.actions);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| egui::ScrollArea::vertical().show(ui, problem));
        return;
    }
    status_rows(ui, state, view, &mut output.actions);
    if let Some(back) = places.back {
        let row = Panel::top("back").exact_size(size::BACK_ROW);
        row.frame(Frame::new().inner_margin(Margin::symmetric(8, 0)))
            .show(ui, |ui| back::show(ui, state, back, &mut output.actions));
    }
    let rects = columns::rects(ui, &places);
    for (pane, rect) in &rects {
        columns::pane(ui, *pane, *rect, |ui| show_pane(ui, *pane, state, view, output));
    }
    columns::edges(ui, &places, &rects, &mut output.actions);
}

/// Whether there is a problem with the connection that does not go by itself.
fn needs_decision(state: &State) -> bool {
    state.connection.problem.is_some() && !notices::is_strip(&state.connection)
}

fn status_rows(ui: &mut Ui, state: &State, view: View<'_>, actions: &mut Vec<Action>) {
    let frame = Frame::new().inner_margin(Margin::symmetric(12, 8));
    if needs_decision(state) {
        Panel::top("problem").frame(frame).show(ui, |ui| status::problem(ui, state, view.now, actions));
    }
    if state.connection.is_first_visit && state.connection.is_online() && state.connection.tls.is_some() {
        Panel::top("first visit").frame(frame).show(ui, |ui| status::first_visit(ui, state, actions));
    }
}

fn show_pane(ui: &mut Ui, pane: Pane, state: &State, view: View<'_>, output: &mut ViewOutput) {
    let actions = &mut output.actions;
    let lists = Frame::new().inner_margin(Margin { left: 8, right: 8, top: 12, bottom: 8 });
    match pane {
        Pane::Lists => {
            lists.show(ui, |ui| {
                // The people take the height they need, up to a little more than half; the videos get the rest.
                let people_height = (ui.available_height() * 0.55).max(120.0);
                people::show(ui, state, view.now, people_height, actions);
                ui.add_space(space::M);
                library::show(ui, state, view.thumbnail, actions, &mut output.visible_videos);
            });
        }
        Pane::People => {
            lists.show(ui, |ui| people::show(ui, state, view.now, ui.available_height() - space::L, actions));
        }
        Pane::Library => {
            lists.show(ui, |ui| library::show(ui, state, view.thumbnail, actions, &mut output.visible_videos));
        }
        Pane::Player => {
            let frame = Frame::new().inner_margin(Margin::same(12));
            let player = |ui: &mut Ui| player::show(ui, state, pictures(view), view.now.instant, actions);
            output.picture_size = frame.show(ui, player).inner;
        }
        Pane::Conversation => conversation::show(ui, state, view.wants_composer_focus, view.now, actions),
        Pane::Wire => {
            widen(ui, state, "Wire", actions);
            wire::show(ui, state, actions);
        }
        Pane::Keys => {
            widen(ui, state, "Keys", actions);
            keys::show(ui, state, view.now, actions);
        }
    }
}

fn pictures(view: View<'_>) -> Pictures<'_> {
    Pictures { current: view.picture, preview: view.preview }
}

/// Above wire and keys, where others are beside them: what this is, and the button that gives it most of the window.
fn widen(ui: &mut Ui, state: &State, title: &str, actions: &mut Vec<Action>) {
    if state.places().panes.len() == 1 {
        return;
    }
    let frame = Frame::new().inner_margin(Margin { left: 12, right: 12, top: 6, bottom: 0 });
    Panel::top("widen").frame(frame).show_separator_line(false).show(ui, |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.style_mut().wrap_mode = Some(egui::TextWrapMode::Extend);
            let label = if state.is_side_wide { "Narrow" } else { "Wide" };
            let button = ui.button(RichText::new(label).size(font_size::SMALL));
            if button.on_hover_text("Give this column more or less of the window").clicked() {
                actions.push(Action::WidenSide(!state.is_side_wide));
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.label(RichText::new(title).font(semibold(font_size::BODY)));
            });
        });
    });
}
