//! The whole screen for the picture: what the desktop is told, and whether it has taken the screen back.

use egui::{Context, Id, ViewportCommand};

use crate::state::{State, action::Action, player::view::PlayerView};

/// What the desktop was told last, and whether it has done it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    is_full: bool,
    is_done: bool,
}

/// What the desktop has to be told now, and what the person did to the window by means of the desktop.
pub fn follow(ctx: &Context, state: &State) -> (Option<ViewportCommand>, Option<Action>) {
    let id = Id::unique("full screen");
    let last: Told = ctx.data(|data| data.get_temp(id)).unwrap_or_default();
    let is_full = state.player.view() == PlayerView::FullScreen;
    let is_really_full = ctx.input(|input| input.viewport().fullscreen);
    let mut told = Told { is_full, ..last };
    if is_full != last.is_full {
        told.is_done = false;
    } else if is_really_full == Some(is_full) {
        told.is_done = true;
    }
    ctx.data_mut(|data| data.insert_temp(id, told));
    let command = (is_full != last.is_full).then_some(ViewportCommand::Fullscreen(is_full));
    let is_left = is_full && last.is_full && last.is_done && is_really_full == Some(false);
    (command, is_left.then_some(Action::LeaveView))
}
