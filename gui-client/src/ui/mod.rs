//! The views: they draw the state and return what the person did. Nothing here talks to the network.

mod chat;
pub mod kit;
mod shell;
mod video;
pub mod window;

use common::media::VideoId;
use egui::{Align, Frame, Layout, Margin, Panel, RichText, Ui};

use crate::state::{
    State,
    action::{Action, Moment, SidePanel},
    connection::Phase,
};

use self::{
    chat::{conversation, keys, people, trust, wire},
    kit::{
        theme::{font_size, size, space},
        widgets,
    },
    shell::{connect, notices, status},
    video::{
        library::{self, ThumbnailLookup},
        player,
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
    if is_main_screen(state) {
        main_screen(ui, state, view, &mut output);
    } else {
        egui::CentralPanel::default().frame(Frame::new()).show(ui, |ui| connect::show(ui, state, &mut output.actions));
    }
    notices::show(ui, state, &mut output.actions);
    output
}

/// Whether the main screen is shown: from the first time online until the person leaves, even while the connection is lost.
fn is_main_screen(state: &State) -> bool {
    state.connection.is_wanted || state.connection.phase == Phase::Online
}

fn main_screen(ui: &mut Ui, state: &State, view: View<'_>, output: &mut ViewOutput) {
    let actions = &mut output.actions;
    trust::safety_number(ui, state, actions);
    Panel::top("status")
        .exact_size(size::STATUS_BAR)
        .frame(Frame::new().inner_margin(Margin::symmetric(8, 0)))
        .show(ui, |ui| status::show(ui, state, actions));
    if state.connection.problem.is_some() {
        let frame = Frame::new().inner_margin(Margin::symmetric(12, 8));
        Panel::top("problem").frame(frame).show(ui, |ui| status::problem(ui, state, view.now, actions));
    }
    if state.connection.is_first_visit && state.connection.is_online() && state.connection.tls.is_some() {
        let frame = Frame::new().inner_margin(Margin::symmetric(12, 8));
        Panel::top("first visit").frame(frame).show(ui, |ui| status::first_visit(ui, state, actions));
    }
    let [least, first, most] = size::LEFT;
    Panel::left("left")
        .default_size(first)
        .size_range(least..=most)
        .frame(Frame::new().inner_margin(Margin { left: 8, right: 4, top: 12, bottom: 8 }))
        .show(ui, |ui| left(ui, state, view, actions, &mut output.visible_videos));
    right_column(ui, state).frame(Frame::new()).show(ui, |ui| right(ui, state, view, actions));
    egui::CentralPanel::default()
        .frame(Frame::new().inner_margin(Margin::same(12)))
        .show(ui, |ui| output.picture_size = player::show(ui, state, view.picture, view.now.instant, actions));
}

/// The right column: as wide as the person has made it, or, for the wire and the keys, most of the window.
fn right_column(ui: &Ui, state: &State) -> Panel {
    let [least, first, most] = size::RIGHT;
    let room = ui.available_width();
    if state.is_side_wide && state.side != SidePanel::Conversation {
        // An id of its own, so that the other width is kept.
        return Panel::right("wide right").exact_size((room - size::NARROW_PLAYER).max(least)).resizable(false);
    }
    // In a narrow window the picture keeps the larger part.
    let first = first.min(room * 0.42).max(least);
    Panel::right("right").default_size(first).size_range(least..=most.min((room - 200.0).max(least)))
}

fn left(ui: &mut Ui, state: &State, view: View<'_>, actions: &mut Vec<Action>, visible_videos: &mut Vec<VideoId>) {
    let contacts = state.contacts();
    // The list of people takes the height it needs, up to a little more than half; the videos get the rest.
    let people_height = (ui.available_height() * 0.55).max(120.0);
    people::show(ui, state, &contacts, people_height, actions);
    ui.add_space(space::M);
    library::show(ui, state, view.thumbnail, actions, visible_videos);
}

fn right(ui: &mut Ui, state: &State, view: View<'_>, actions: &mut Vec<Action>) {
    let tabs = Frame::new().inner_margin(Margin::symmetric(8, 6));
    Panel::top("tabs").frame(tabs).show(ui, |ui| {
        ui.horizontal(|ui| {
            for (side, label) in
                [(SidePanel::Conversation, "Conversation"), (SidePanel::Wire, "Wire"), (SidePanel::Keys, "Keys")]
            {
                if widgets::tab(ui, label, state.side == side).clicked() {
                    actions.push(Action::ShowSide(side));
                }
            }
            if state.side != SidePanel::Conversation {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let label = if state.is_side_wide { "Narrow" } else { "Wide" };
                    let button = ui.button(RichText::new(label).size(font_size::SMALL));
                    if button.on_hover_text("Give this column more or less of the window").clicked() {
                        actions.push(Action::WidenSide(!state.is_side_wide));
                    }
                });
            }
        });
    });
    match state.side {
        SidePanel::Conversation => conversation::show(ui, state, view.wants_composer_focus, view.now, actions),
        SidePanel::Wire => wire::show(ui, state, actions),
        SidePanel::Keys => keys::show(ui, state, view.now, actions),
    }
}
