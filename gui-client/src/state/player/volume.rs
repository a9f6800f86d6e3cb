//! The volume of the sound, and whether it is muted.

use super::PlayerState;
use crate::state::effect::Effect;

impl PlayerState {
    pub(in crate::state) fn set_volume(&mut self, percent: u8) -> Vec<Effect> {
        self.volume_percent = percent.min(100);
        self.is_muted = false;
        if self.volume_percent > 0 {
            self.audible_percent = self.volume_percent;
        }
        vec![self.volume()]
    }

    pub(in crate::state) fn change_volume(&mut self, percent: i8) -> Vec<Effect> {
        // Turning the volume down must not unmute the sound.
        if self.is_muted && percent < 0 {
            return Vec::new();
        }
        self.set_volume(self.volume_percent.saturating_add_signed(percent))
    }

    pub(in crate::state) fn toggle_mute(&mut self) -> Vec<Effect> {
        if self.volume_percent == 0 {
            return self.set_volume(self.audible_percent);
        }
        self.is_muted = !self.is_muted;
        vec![self.volume()]
    }

    fn volume(&self) -> Effect {
        Effect::Volume { percent: if self.is_muted { 0 } else { self.volume_percent } }
    }
}
