//! The speed at which videos are played. It stays the same from one video to the next.

use super::PlayerState;
use crate::{event::Speed, state::effect::Effect};

impl PlayerState {
    /// Plays at this speed from now on.
    pub(in crate::state) fn set_speed(&mut self, speed: Speed) -> Vec<Effect> {
        if std::mem::replace(&mut self.speed, speed) == speed {
            return Vec::new();
        }
        vec![Effect::Speed(speed)]
    }
}
