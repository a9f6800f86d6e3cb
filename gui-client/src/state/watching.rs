//! Playing a video from its start, or the next one of the list.

use common::media::VideoInfo;

use super::{State, action::Moment, effect::Effect};

impl State {
    /// The video that is this number of places below the one in the player, or above it; `None` beyond the list.
    pub fn neighbour(&self, places: i8) -> Option<&VideoInfo> {
        let id = self.player.showing.as_ref()?.video.id;
        let place = self.library.videos.iter().position(|video| video.id == id)?;
        self.library.videos.get(place.checked_add_signed(places.into())?)
    }

    /// Plays that video.
    pub(super) fn watch_neighbour(&mut self, places: i8, now: Moment) -> Vec<Effect> {
        let video = self.neighbour(places).cloned().filter(|_| self.connection.is_online());
        video.map_or_else(Vec::new, |video| self.player.watch(video, now.instant))
    }

    /// Plays the video in the player from its start.
    pub(super) fn start_over(&mut self, now: Moment) -> Vec<Effect> {
        if self.connection.is_online() { self.player.start_over(now.instant) } else { Vec::new() }
    }
}
