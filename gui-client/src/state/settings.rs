//! What is remembered from one run to the next: taken in at the start, and kept up to date while the program runs. The app
//! writes [`State::settings`] to the disk whenever they have changed.

use super::{State, effect::Effect};
use crate::{
    event::Speed,
    settings::{Settings, WindowSettings},
};

impl State {
    /// Takes in the settings to start with; `notice` is what the window has to tell about their file, if anything.
    pub fn use_settings(&mut self, settings: Settings, notice: Option<String>) -> Vec<Effect> {
        self.settings_notice = notice;
        let mut effects = self.player.set_volume(settings.volume_percent);
        effects.extend(self.player.set_speed(Speed::nearest(settings.speed_percent)));
        self.settings = settings;
        effects
    }

    /// Takes in how the window looks now. A maximised window keeps the size of before, to which it goes back.
    pub fn note_window(&mut self, size_points: [u32; 2], is_maximized: bool, zoom_percent: u16) {
        let [width_points, height_points] = size_points;
        let window = &mut self.settings.window;
        *window = match is_maximized {
            true => WindowSettings { is_maximized, ..*window },
            false => WindowSettings { width_points, height_points, is_maximized },
        };
        self.settings.zoom_percent = zoom_percent;
    }

    /// Remembers the server that was joined, and the name.
    pub(super) fn remember_visit(&mut self) {
        self.settings.server = Some(self.connection.address.trim().to_owned());
        self.settings.name = Some(self.connection.name.trim().to_owned());
    }

    /// Remembers what an action may have changed elsewhere in the state.
    pub(super) fn remember_choices(&mut self) {
        self.settings.volume_percent = self.player.volume_percent;
        self.settings.speed_percent = self.player.speed.percent();
    }
}
