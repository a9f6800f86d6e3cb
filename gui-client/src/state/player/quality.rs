//! How a video is to be played, what comes instead on a slow link, and the texts that say so.

use std::time::Instant;

use common::media::{Epoch, SetQualityRequest, SoundFormat};

use crate::{
    event::{NetCommand, PlaybackStatus},
    state::effect::Effect,
};

pub use super::quality_choice::QualityChoice;
use super::{
    PlayerState, Showing, Stage,
    units::{EveryNth, Megabits},
    wait::WaitCause,
};

/// What is on the screen in place of what the stream has there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Substitute {
    planned_height: u32,
    height: u32,
    picture_step: u8,
}

impl Showing {
    /// The resolution that the stream has at the position, and with it what is shown instead and why: short, for the corner of
    /// the picture. `None` before the first picture.
    pub fn badge(&self) -> Option<String> {
        let Substitute { planned_height, height, picture_step } = self.substitute()?;
        let mut text = format!("{planned_height}p");
        if height < planned_height {
            text += &format!(" {} shown from {height}p", self.part_name());
        }
        if picture_step > 1 {
            text += &format!(", {}", EveryNth(picture_step));
        }
        if height < planned_height || picture_step > 1 {
            text += ": ";
            text += &if self.is_capped() {
                "the limit that you chose".to_owned()
            } else {
                self.link_mbit().map_or("your link is slow".to_owned(), |mbit| format!("your link carries {mbit}"))
            };
        }
        Some(text)
    }

    /// The same for a picture too small for [`Self::badge`], from long to short.
    pub fn short_badges(&self) -> Vec<String> {
        let Some(Substitute { planned_height, height, picture_step }) = self.substitute() else { return Vec::new() };
        let mut longer = format!("{planned_height}p");
        if height < planned_height {
            longer += &format!(" from {height}p");
        }
        if picture_step > 1 {
            longer += &format!(", {}", EveryNth(picture_step));
        }
        vec![longer, format!("{height}p")]
    }

    /// The same as sentences, for the menu; `None` when all is shown as the stream has it.
    pub fn delivery_text(&self) -> Option<String> {
        let Substitute { planned_height, height, picture_step } = self.substitute()?;
        if height == planned_height && picture_step == 1 {
            return self.sound_text();
        }
        let mut text = if self.is_capped() {
            format!("You chose at most {height}p. ")
        } else {
            match self.link_mbit() {
                Some(mbit) => format!("Your link carries {mbit}, which is too little for all of {planned_height}p. "),
                None => format!("Your link is too slow for all of {planned_height}p. "),
            }
        };
        if height < planned_height {
            text += &format!("The {planned_height}p {} is shown from {height}p. ", self.part_name());
        }
        if picture_step > 1 {
            text += &format!("Only {} is shown. ", EveryNth(picture_step));
        }
        text += &self.sound_text().unwrap_or_default();
        Some(text.trim_end().to_owned())
    }

    fn sound_text(&self) -> Option<String> {
        let is_coded = self.has_sound && self.delivery.sound == SoundFormat::Opus;
        is_coded.then(|| "The sound is compressed.".to_owned())
    }

    /// Changes to the delivery that the ladder wants, without an interruption.
    pub(super) fn follow_ladder(&mut self, status: &PlaybackStatus) -> Vec<Effect> {
        let QualityChoice::Automatic { .. } = self.choice else { return Vec::new() };
        let is_steady = self.stage == Stage::Playing && self.pending_seek.is_none() && self.queued_seek.is_none();
        let (Some(delivery), Some(at), true) = (status.wanted_delivery, status.continue_at, is_steady) else {
            return Vec::new();
        };
        self.epoch = Epoch(self.epoch.0.saturating_add(1));
        self.delivery = delivery;
        self.link_bytes_per_second = status.link_bytes_per_second;
        let (stream, epoch, quality) = (self.stream, self.epoch, self.choice.quality());
        // The network gets the command first, so that no grant precedes the epoch.
        vec![
            Effect::Net(NetCommand::SetQuality(SetQualityRequest { stream, epoch, quality, at, delivery })),
            Effect::ContinueEpoch { stream, epoch, delivery },
        ]
    }

    fn substitute(&self) -> Option<Substitute> {
        let height = self.height?;
        // While a seek is under way, the picture on the screen is from elsewhere.
        let planned_height = self.segment().map_or(height, |segment| segment.height).max(height);
        Some(Substitute { planned_height, height, picture_step: self.delivery.picture_step })
    }

    /// Whether all that is missing is what the person did without.
    fn is_capped(&self) -> bool {
        matches!(self.choice, QualityChoice::Automatic { max_height: Some(_) })
            && self.delivery == self.choice.delivery()
    }

    fn link_mbit(&self) -> Option<String> {
        Some(format!("{} Mbit/s", Megabits(self.link_bytes_per_second? as f64 * 8.0)))
    }

    fn part_name(&self) -> &'static str {
        if self.segments.len() == 3 { "third" } else { "part" }
    }
}

impl PlayerState {
    /// Plays the video as the person has chosen, from the picture on the screen on.
    pub(in crate::state) fn set_quality(&mut self, choice: QualityChoice, now: Instant) -> Vec<Effect> {
        let Some(showing) = self.showing.as_mut().filter(|showing| showing.can_seek()) else { return Vec::new() };
        if showing.choice == choice || !choice.is_offered(&showing.video) {
            return Vec::new();
        }
        (showing.choice, showing.delivery) = (choice, choice.delivery());
        let at = showing.target();
        let epoch = showing.begin_epoch(at, WaitCause::Quality, now);
        showing.epoch_effects(NetCommand::SetQuality(SetQualityRequest {
            stream: showing.stream,
            epoch,
            quality: choice.quality(),
            at,
            delivery: showing.delivery,
        }))
    }
}
