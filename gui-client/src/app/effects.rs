//! Carries out what the state asks for: commands to the network, orders to the player.

use std::time::Instant;

use super::{App, report::log_summary};
use crate::{event::NetCommand, state::effect::Effect};

impl App {
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Net(command) => self.net.send(command),
                Effect::StartPlayback { title, stream, has_sound } => {
                    let before = self.player.begin(stream, has_sound, Instant::now());
                    log_summary(&self.title, "replaced", before);
                    self.title = title;
                    self.clear_screen();
                    // At once: the first picture waits for it.
                    self.grant();
                }
                Effect::BeginEpoch { title, stream, epoch, has_sound } => {
                    // What is on the screen stays there.
                    self.title = title;
                    self.player.seek(stream, epoch, has_sound, Instant::now());
                }
                Effect::Pause(is_paused) => {
                    self.player.set_paused(is_paused, Instant::now());
                    self.grant();
                }
                Effect::Volume { percent } => self.player.set_volume(percent),
                Effect::SourceEnded { stream, epoch } => self.player.source_ended(stream, epoch, Instant::now()),
                Effect::ShowThumbnail { key, jpeg } => self.player.thumbnail(key, jpeg),
                Effect::DropThumbnail(key) => drop(self.thumbnails.remove(&key)),
                Effect::StopPlayback { how } => {
                    log_summary(&self.title, how, self.player.stop());
                    self.clear_screen();
                }
                Effect::FocusComposer => self.wants_composer_focus = true,
            }
        }
    }

    fn clear_screen(&mut self) {
        self.screen.texture = None;
        self.next_picture = None;
    }

    pub(super) fn grant(&self) {
        if let Some((stream, epoch, items)) = self.player.take_credit() {
            self.net.send(NetCommand::Grant { stream, epoch, items });
        }
    }
}
