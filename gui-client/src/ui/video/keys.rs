//! The keys that control a video.

use egui::{EventFilter, Key, Modifiers, Ui};

use super::{controls::VOLUME, seek_bar::SEEK_BAR};
use crate::state::{action::Action, player::PlayerState};

/// How far the arrow keys seek.
const SKIP_NANOS: i64 = 5_000_000_000;

/// How much the arrow keys change the volume, in percentage points.
const VOLUME_STEP: i8 = 10;

/// Takes the keys that control the video, unless another widget has the focus.
pub(super) fn take(ui: &Ui, player: &PlayerState, actions: &mut Vec<Action>) {
    let focused = ui.memory(|memory| memory.focused());
    let own = [VOLUME, SEEK_BAR].map(egui::Id::unique).into_iter().find(|id| focused == Some(*id));
    if focused != own || egui::Popup::is_any_open(ui.ctx()) {
        return;
    }
    if let Some(own) = own {
        // Otherwise the arrow keys move the focus to the next widget.
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(own, filter));
    }
    let meanings = [
        (Key::Space, Action::TogglePause),
        (Key::ArrowLeft, Action::SeekBy(-SKIP_NANOS)),
        (Key::ArrowRight, Action::SeekBy(SKIP_NANOS)),
        (Key::Comma, Action::Step(-1)),
        (Key::Period, Action::Step(1)),
        (Key::Home, Action::SeekTo(0)),
        (Key::End, Action::SeekToLast),
        (Key::M, Action::ToggleMute),
        (Key::I, Action::ToggleStatistics),
        (Key::ArrowUp, Action::ChangeVolume(VOLUME_STEP)),
        (Key::ArrowDown, Action::ChangeVolume(-VOLUME_STEP)),
    ];
    ui.input_mut(|input| {
        let escape = player.statistics().map(|_| (Key::Escape, Action::ToggleStatistics));
        for (key, action) in meanings.into_iter().chain(escape) {
            // A key that is held down repeats; that must not toggle over and over.
            let is_toggle = matches!(action, Action::TogglePause | Action::ToggleMute | Action::ToggleStatistics);
            let is_held = |event: &&egui::Event| matches!(event, egui::Event::Key { key: held, repeat: true, pressed: true, .. } if *held == key);
            let held_count = if is_toggle { input.events.iter().filter(is_held).count() } else { 0 };
            let count = input.count_and_consume_key(Modifiers::NONE, key).saturating_sub(held_count);
            actions.extend(std::iter::repeat_n(action, count));
        }
    });
}
