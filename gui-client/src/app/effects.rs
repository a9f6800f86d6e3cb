//! Carries out the effects of the state: commands to the network, calls to the player.

use std::time::Instant;

use super::{App, browser, report::log_summary};
use crate::{
    event::{NetCommand, ReceivedPreview, SmallPicture},
    state::effect::Effect,
};

impl App {
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Net(command) => self.net.send(command),
                Effect::StartPlayback {
                    stream,
                    has_sound,
                    largest_picture: (width, height),
                    variants,
                    delivery,
                    ladder,
                    is_paused,
                    keeps_picture,
                } => {
                    let before = self.player.begin(stream, has_sound, Instant::now());
                    self.player.begin_ladder(&variants, delivery, ladder);
                    self.player.set_largest_picture(width, height);
                    self.player.set_paused(is_paused, Instant::now());
                    log_summary(&self.title, "replaced", before);
                    self.title = self.title_of_showing();
                    if !keeps_picture {
                        self.clear_screen();
                    }
                    // Now and not with the next frame: the first picture waits for it.
                    self.grant();
                }
                Effect::StreamStarted(start) => self.player.stream_started(&start),
                Effect::BeginEpoch { stream, epoch, has_sound, is_paused, delivery, ladder } => {
                    // The picture on the screen stays until there is one of the new epoch.
                    self.title = self.title_of_showing();
                    self.player.seek(stream, epoch, has_sound, Instant::now());
                    self.player.set_ladder(delivery, ladder);
                    // Before the grant: a paused stream gets a smaller window.
                    self.player.set_paused(is_paused, Instant::now());
                    // Now and not with the next frame: the picture of the new position waits for it.
                    self.grant();
                }
                Effect::ContinueEpoch { stream, epoch, delivery } => {
                    self.player.continue_in(stream, epoch, delivery, Instant::now());
                    self.grant();
                }
                Effect::Pause(is_paused) => self.player.set_paused(is_paused, Instant::now()),
                Effect::Volume { percent } => self.player.set_volume(percent),
                Effect::Speed(speed) => self.player.set_speed(speed, Instant::now()),
                Effect::Cue(cue) => self.player.set_cue(cue, Instant::now()),
                Effect::SourceEnded { stream, epoch } => self.player.source_ended(stream, epoch, Instant::now()),
                Effect::ShowThumbnail { key, jpeg } => self.player.decode_small(SmallPicture::Thumbnail(key), jpeg),
                Effect::DropThumbnail(key) => {
                    self.player.cancel_small(|queued| queued == SmallPicture::Thumbnail(key));
                    self.thumbnails.remove(&key);
                }
                Effect::ShowPreview(ReceivedPreview { key, jpeg }) => {
                    self.player.decode_small(SmallPicture::Preview(key), jpeg.0);
                }
                Effect::DropPreviews => {
                    self.player.cancel_small(|queued| matches!(queued, SmallPicture::Preview(_)));
                    self.previews.clear();
                }
                Effect::StopPlayback => {
                    let has_failed = self.state.player.has_failed();
                    log_summary(&self.title, if has_failed { "failed" } else { "stopped" }, self.player.stop());
                    self.clear_screen();
                }
                Effect::OpenInBrowser(address) => browser::open(address.as_str()),
                Effect::SuspendPlayback => log_summary(&self.title, "interrupted", self.player.stop()),
                Effect::Notify(notification) => self.desktop.show(notification),
                Effect::CloseNotification => self.desktop.close(),
                Effect::FocusComposer => self.wants_composer_focus = true,
            }
        }
    }

    /// The title of the video that the window shows, for the log line at its end.
    fn title_of_showing(&self) -> String {
        self.state.player.showing.as_ref().map_or_else(String::new, |showing| showing.video.title.clone())
    }

    fn clear_screen(&mut self) {
        self.screen.texture = None;
        self.next_picture = None;
    }

    pub(super) fn grant(&mut self) {
        if let Some((stream, epoch, items)) = self.player.take_credit() {
            self.net.send(NetCommand::Grant { stream, epoch, items });
        }
    }
}
