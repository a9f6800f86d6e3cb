//! The keys that control a video: what the commands of the table do with it.

use egui::{EventFilter, Id, Ui};

use super::{
    ids::{PICTURE, SEEK_BAR, VOLUME},
    together,
};
use crate::{
    event::Speed,
    state::{State, action::Action, player::view::PlayerView},
    ui::bindings::{self, Command, DIGITS},
};

/// A second.
const SECOND_NANOS: i64 = 1_000_000_000;

/// How much a key changes the volume, in percentage points.
const VOLUME_STEP: i8 = 10;

/// Commands whose keys belong to a widget that has the focus.
const OF_FOCUSED: [Command; 8] = [
    Command::Pause,
    Command::BackFive,
    Command::ForwardFive,
    Command::Louder,
    Command::Quieter,
    Command::First,
    Command::Last,
    Command::Leave,
];

/// Takes the keys that control the video, unless they are meant for something else.
pub(super) fn take(ui: &Ui, state: &State, actions: &mut Vec<Action>) {
    let whole = Action::ToggleView(PlayerView::FullScreen);
    actions.extend(std::iter::repeat_n(whole.clone(), bindings::take(ui, Command::FullScreenAnywhere)));
    let is_covered = ui.memory(|memory| memory.top_modal_layer().is_some()) || state.is_keys_page_open;
    if bindings::is_typing(ui.ctx()) || is_covered || egui::Popup::is_any_open(ui.ctx()) {
        return;
    }
    let focused = ui.memory(|memory| memory.focused());
    let own = [VOLUME, SEEK_BAR, PICTURE].map(Id::unique).into_iter().find(|id| focused == Some(*id));
    if let Some(own) = own {
        // Otherwise the arrow keys move the focus to the next widget.
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(own, filter));
    }
    let is_elsewhere = focused.is_some() && own.is_none();
    for (command, action) in meanings(state) {
        if !(is_elsewhere && OF_FOCUSED.contains(&command)) {
            actions.extend(std::iter::repeat_n(action, bindings::take(ui, command)));
        }
    }
    for key in bindings::taken(ui, Command::Tenth) {
        let tenths = DIGITS.iter().position(|digit| *digit == key).unwrap_or_default();
        actions.push(Action::SeekToTenth(tenths as u8));
    }
}

/// What each command does now.
fn meanings(state: &State) -> Vec<(Command, Action)> {
    let seek = |seconds: i64| Action::SeekBy(seconds * SECOND_NANOS);
    let mut meanings = vec![
        (Command::Pause, Action::TogglePause),
        (Command::BackFive, seek(-5)),
        (Command::ForwardFive, seek(5)),
        (Command::BackTen, seek(-10)),
        (Command::ForwardTen, seek(10)),
        (Command::BackOne, seek(-1)),
        (Command::ForwardOne, seek(1)),
        (Command::StepBack, Action::Step(-1)),
        (Command::StepForward, Action::Step(1)),
        (Command::First, Action::SeekTo(0)),
        (Command::Last, Action::SeekToLast),
        (Command::Mute, Action::ToggleMute),
        (Command::Louder, Action::ChangeVolume(VOLUME_STEP)),
        (Command::Quieter, Action::ChangeVolume(-VOLUME_STEP)),
        (Command::Slower, Action::ChangeSpeed(-1)),
        (Command::Faster, Action::ChangeSpeed(1)),
        (Command::NormalSpeed, Action::SetSpeed(Speed::NORMAL)),
        (Command::FullScreen, Action::ToggleView(PlayerView::FullScreen)),
        (Command::Theatre, Action::ToggleView(PlayerView::Theatre)),
        (Command::Statistics, Action::ToggleStatistics),
        (Command::NextVideo, Action::WatchNeighbour(1)),
        (Command::PreviousVideo, Action::WatchNeighbour(-1)),
        (Command::Close, Action::StopWatching),
    ];
    meanings.extend(together::quick_action(state).map(|action| (Command::Together, action)));
    if state.player.view() != PlayerView::Docked {
        meanings.push((Command::Leave, Action::LeaveView));
    } else if state.player.statistics().is_some() {
        meanings.push((Command::Leave, Action::ToggleStatistics));
    }
    meanings
}
