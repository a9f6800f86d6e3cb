//! What is remembered from one run to the next.

use common::media::Library;
use triptych_client::{
    event::NetEvent,
    settings::{Settings, WindowSettings},
    state::{action::Action, effect::Effect},
};

use crate::support::scenes::{self, moment};

#[test]
fn a_server_and_a_name_are_remembered_once_they_were_joined() {
    let mut state = scenes::form();
    state.handle(Action::EditAddress(" lab.local:9 ".into()), moment());
    state.handle(Action::EditName("ada".into()), moment());
    state.handle(Action::Connect, moment());
    state.apply(NetEvent::Offline(scenes::lost()), moment());
    assert_eq!(state.settings, Settings::default(), "that server was never joined");
    state.handle(Action::Connect, moment());
    state.apply(scenes::online(Vec::new(), Library::default()), moment());
    assert_eq!(state.settings.server.as_deref(), Some("lab.local:9"));
    assert_eq!(state.settings.name.as_deref(), Some("ada"));
    state.handle(Action::Leave, moment());
    assert!(state.settings.server.is_some(), "leaving forgets nothing");
}

#[test]
fn the_volume_is_applied_at_the_start_and_remembered_when_it_changes() {
    let mut state = scenes::form();
    let effects = state.use_settings(Settings { volume_percent: 35, ..Settings::default() }, None);
    assert!(effects == [Effect::Volume { percent: 35 }]);
    assert_eq!(state.player.volume_percent, 35);
    state.handle(Action::ChangeVolume(5), moment());
    assert_eq!(state.settings.volume_percent, 40);
    state.handle(Action::ToggleMute, moment());
    assert_eq!(state.settings.volume_percent, 40, "the next start is not silent");
}

#[test]
fn a_maximised_window_keeps_the_size_to_which_it_goes_back() {
    let mut state = scenes::form();
    state.note_window([900, 700], false, 125);
    state.note_window([1920, 1080], true, 150);
    let window = WindowSettings { width_points: 900, height_points: 700, is_maximized: true };
    assert_eq!((state.settings.window, state.settings.zoom_percent), (window, 150));
}
