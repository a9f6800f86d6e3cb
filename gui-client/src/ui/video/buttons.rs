//! What the buttons of the controls do, whether they are in the row or in its menu.

use egui::Ui;

use super::control_row::Item;
use crate::{
    state::{
        State,
        action::Action,
        player::{Showing, Stage, view::PlayerView},
    },
    ui::{
        bindings::Command,
        kit::{
            icons::Icon,
            theme::{Theme, font_size},
        },
    },
};

/// A button that does one thing.
pub(super) struct Press {
    pub(super) icon: Icon,
    /// What a screen reader says, and what the menu calls it.
    pub(super) name: &'static str,
    /// Its key is in the tooltip.
    pub(super) command: Command,
    pub(super) action: Action,
    pub(super) is_enabled: bool,
}

/// Width of a text on a button.
pub(super) fn text_width(ui: &Ui, text: &str) -> f32 {
    let font = egui::FontId::proportional(font_size::BODY);
    ui.painter().layout_no_wrap(text.to_owned(), font, Theme::of(ui).text).size().x
}

/// What a button of the row does; `None` for what is not a button with an icon.
pub(super) fn button(state: &State, showing: &Showing, item: Item) -> Option<Press> {
    let player = &state.player;
    let is_online = state.connection.is_online();
    let press = |icon, name, command, action| Press { icon, name, command, action, is_enabled: true };
    Some(match item {
        Item::Pause => {
            let is_meant_to_play = showing.is_running() || showing.stage == Stage::Interrupted;
            let (icon, name) =
                if is_meant_to_play && !showing.is_paused { (Icon::Pause, "Pause") } else { (Icon::Play, "Play") };
            let can_play = !matches!(showing.stage, Stage::Failed(_)) && (showing.stage != Stage::Ended || is_online);
            Press { is_enabled: can_play, ..press(icon, name, Command::Pause, Action::TogglePause) }
        }
        Item::Previous | Item::Next => {
            let (icon, name, command, places) = if item == Item::Next {
                (Icon::Next, "Next video", Command::NextVideo, 1)
            } else {
                (Icon::Previous, "Previous video", Command::PreviousVideo, -1)
            };
            let is_enabled = is_online && state.neighbour(places).is_some();
            Press { is_enabled, ..press(icon, name, command, Action::WatchNeighbour(places)) }
        }
        Item::Stop => press(Icon::Stop, "Stop", Command::Close, Action::StopWatching),
        Item::Mute if !player.has_sound_device => {
            press(Icon::NoSound, "No sound device", Command::Mute, Action::ToggleMute)
        }
        Item::Mute if player.is_muted || player.volume_percent == 0 => {
            press(Icon::Muted, "Unmute", Command::Mute, Action::ToggleMute)
        }
        Item::Mute => press(Icon::Speaker, "Mute", Command::Mute, Action::ToggleMute),
        Item::Statistics => press(Icon::Statistics, "Statistics", Command::Statistics, Action::ToggleStatistics),
        Item::Theatre => {
            let name = if player.view() == PlayerView::Theatre { "Leave theatre" } else { "Theatre" };
            press(Icon::Theatre, name, Command::Theatre, Action::ToggleView(PlayerView::Theatre))
        }
        Item::FullScreen => {
            let (icon, name) = if player.view() == PlayerView::FullScreen {
                (Icon::LeaveFullScreen, "Leave full screen")
            } else {
                (Icon::FullScreen, "Full screen")
            };
            press(icon, name, Command::FullScreen, Action::ToggleView(PlayerView::FullScreen))
        }
        Item::Volume | Item::Time | Item::Together | Item::Speed | Item::Quality | Item::More => return None,
    })
}
