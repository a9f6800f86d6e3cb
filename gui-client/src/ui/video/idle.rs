//! When the controls over the picture are shown: they come with any movement or key, and go when there is none.

use std::time::Duration;

use egui::{Event, Id, Popup, Ui};

/// The controls go after this time without movement, in seconds.
const SHOWN_FOR: f64 = 2.5;

/// Whether the controls are shown this long after the last movement. They stay while they are `held`: while the pointer
/// or the keyboard is at them, a menu is open, or nothing plays.
pub(super) fn are_shown(idle_seconds: f64, is_held: bool) -> bool {
    is_held || idle_seconds < SHOWN_FOR
}

/// The same for this frame. To be called in each frame of the full screen.
pub(super) fn shows_controls(ui: &Ui, is_held: bool) -> bool {
    let id = Id::unique("movement over the picture");
    let frame = ui.ctx().cumulative_frame_nr();
    let (now, has_moved) = ui.input(|input| {
        let is_movement = |event: &Event| {
            matches!(
                event,
                Event::PointerMoved(_)
                    | Event::PointerButton { .. }
                    | Event::MouseWheel { .. }
                    | Event::Touch { .. }
                    | Event::Key { .. }
            )
        };
        (input.time, input.raw.events.iter().any(is_movement))
    });
    // Frames follow each other while a video plays; after a gap, the full screen has just begun.
    let last: Option<(f64, u64)> = ui.data(|data| data.get_temp(id));
    let is_new = last.is_none_or(|(_, last_frame)| last_frame + 1 < frame);
    let moved_at = last.map_or(now, |(at, _)| at);
    let is_held = is_held || Popup::is_any_open(ui.ctx());
    let moved_at = if has_moved || is_new || is_held { now } else { moved_at };
    ui.data_mut(|data| data.insert_temp(id, (moved_at, frame)));
    let is_shown = are_shown(now - moved_at, is_held);
    if !is_shown {
        ui.ctx().set_cursor_icon(egui::CursorIcon::None);
    } else if !is_held {
        ui.ctx().request_repaint_after(Duration::from_secs_f64((SHOWN_FOR - (now - moved_at)).max(0.01)));
    }
    is_shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_go_after_a_while_unless_they_are_needed() {
        assert!(are_shown(0.0, false) && are_shown(2.4, false));
        assert!(!are_shown(2.5, false) && !are_shown(60.0, false));
        assert!(are_shown(60.0, true));
    }
}
