//! What the window shows: reads the state, returns what the person did. Nothing here talks to the network.

mod chat;
pub mod kit;
mod shell;
mod video;

use common::media::VideoId;
use egui::{Frame, Margin, Panel, Ui};

use crate::state::{
    State,
    action::{Action, Moment, SidePanel},
    connection::Phase,
};

use self::{
    chat::{conversation, people, wire},
    kit::{
        theme::{size, space},
        widgets,
    },
    shell::{connect, status},
    video::{
        library::{self, ThumbnailLookup},
        player,
    },
};

/// What a view needs besides the state.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The time.
    pub now: Moment,
    /// The picture that plays.
    pub picture: Option<egui::TextureId>,
    /// The small picture of a video and its size, when there is one.
    pub thumbnail: ThumbnailLookup<'a>,
    /// Whether keys typed from now on belong in the composer.
    pub wants_composer_focus: bool,
}

/// What came of drawing.
#[derive(Debug, Default)]
pub struct ViewOutput {
    /// What the person did, in order.
    pub actions: Vec<Action>,
    /// How many pixels of the screen the picture has, when one plays.
    pub picture_size: Option<(u32, u32)>,
    /// Videos whose entries in the list are on the screen.
    pub visible_videos: Vec<VideoId>,
}

/// Draws everything, on a window that was cleared to [`kit::theme::Theme::background`]. Columns and bars are told apart by lines,
/// not by backgrounds of their own: filling them would cost a software renderer two milliseconds for each picture of a video.
pub fn show(ui: &mut Ui, state: &State, view: View) -> ViewOutput {
    let mut outcome = ViewOutput::default();
    if is_inside(state) {
        inside(ui, state, view, &mut outcome);
    } else {
        egui::CentralPanel::default()
            .frame(Frame::new())
            .show(ui, |ui| connect::show(ui, &state.connection, &mut outcome.actions));
    }
    outcome
}

/// Whether the main screen stands: once in, also while the link is broken, until the person leaves.
fn is_inside(state: &State) -> bool {
    state.connection.is_wanted || state.connection.phase == Phase::Online
}

fn inside(ui: &mut Ui, state: &State, view: View<'_>, outcome: &mut ViewOutput) {
    let actions = &mut outcome.actions;
    Panel::top("status")
        .exact_size(size::STATUS_BAR)
        .frame(Frame::new().inner_margin(Margin::symmetric(8, 0)))
        .show(ui, |ui| status::show(ui, state, actions));
    if state.connection.problem.is_some() {
        let frame = Frame::new().inner_margin(Margin::symmetric(12, 8));
        Panel::top("problem").frame(frame).show(ui, |ui| status::problem(ui, state, view.now, actions));
    }
    let [least, first, most] = size::LEFT;
    Panel::left("left")
        .default_size(first)
        .size_range(least..=most)
        .frame(Frame::new().inner_margin(Margin { left: 8, right: 4, top: 12, bottom: 8 }))
        .show(ui, |ui| left(ui, state, view, actions, &mut outcome.visible_videos));
    let [least, first, most] = size::RIGHT;
    // The picture keeps the larger half of a narrow window.
    let first = first.min(ui.available_width() * 0.42).max(least);
    Panel::right("right")
        .default_size(first)
        .size_range(least..=most.min((ui.available_width() - 200.0).max(least)))
        .frame(Frame::new())
        .show(ui, |ui| right(ui, state, view, actions));
    egui::CentralPanel::default()
        .frame(Frame::new().inner_margin(Margin::same(12)))
        .show(ui, |ui| outcome.picture_size = player::show(ui, state, view.picture, actions));
}

fn left(ui: &mut Ui, state: &State, view: View<'_>, actions: &mut Vec<Action>, visible_videos: &mut Vec<VideoId>) {
    let contacts = state.contacts();
    // People take what they need, up to somewhat more than half; videos have the rest.
    let people_height = (ui.available_height() * 0.55).max(120.0);
    people::show(ui, state, &contacts, people_height, actions);
    ui.add_space(space::M);
    library::show(ui, state, view.thumbnail, actions, visible_videos);
}

fn right(ui: &mut Ui, state: &State, view: View<'_>, actions: &mut Vec<Action>) {
    let tabs = Frame::new().inner_margin(Margin::symmetric(8, 6));
    Panel::top("tabs").frame(tabs).show(ui, |ui| {
        ui.horizontal(|ui| {
            for (side, label) in [(SidePanel::Conversation, "Conversation"), (SidePanel::Wire, "Wire")] {
                if widgets::tab(ui, label, state.side == side).clicked() {
                    actions.push(Action::ShowSide(side));
                }
            }
        });
    });
    match state.side {
        SidePanel::Conversation => conversation::show(ui, state, view.wants_composer_focus, actions),
        SidePanel::Wire => wire::show(ui, state),
    }
}
