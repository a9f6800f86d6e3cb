//! The player: the video that is being watched, its position, and how it is played.
//!
//! Every seek starts a new epoch of the stream, and the picture of the old epoch stays until the first of the new one
//! arrives. While a seek is under way, further ones (a drag along the bar, a key held down) are queued, and only the last
//! of them is sent when the picture arrives: the server is asked as fast as it can answer and no faster.

mod explain;
pub mod meter;
mod previews;
pub mod quality;
mod quality_choice;
mod resume;
mod round_trip;
mod showing;
mod speed;
mod splice;
pub mod statistics;
pub mod units;
pub mod view;
mod volume;
pub mod wait;

use std::time::Instant;

use common::{
    limits::MAX_PICTURE_SIDE,
    media::{Epoch, Position, StreamId, StreamStart, VariantInfo, VideoInfo, WatchRequest},
    message::EndReason,
};

use crate::event::{NetCommand, PlaybackStatus, Speed};

pub use self::showing::{Showing, Stage};

use self::{
    meter::Meter,
    previews::Previews,
    quality::QualityChoice,
    resume::Places,
    round_trip::RoundTrip,
    statistics::Line,
    view::PlayerView,
    wait::{Wait, WaitCause},
};
use super::effect::Effect;

/// The player: a video or nothing, and the volume.
#[derive(Debug, Clone)]
pub struct PlayerState {
    /// The video in the player, if any.
    pub showing: Option<Showing>,
    /// The volume, from 0 to 100.
    pub volume_percent: u8,
    /// Whether the sound is muted, whatever the volume.
    pub is_muted: bool,
    /// The last volume above 0, for unmuting.
    audible_percent: u8,
    /// The speed at which videos are played.
    pub speed: Speed,
    /// Whether there is a sound device that works, as far as was found out.
    pub has_sound_device: bool,
    last_stream: u32,
    view: PlayerView,
    /// The room that the player had before it was given the screen.
    view_before: PlayerView,
    places: Places,
    previews: Previews,
    /// The statistics over the picture, while they are shown.
    statistics: Option<Vec<Line>>,
    meter: Meter,
    round_trip: RoundTrip,
    /// How far the video is ahead of the party in which it is watched, for the statistics.
    pub(super) party_error_nanos: Option<i64>,
}

impl Default for PlayerState {
    fn default() -> Self {
        Self {
            showing: None,
            volume_percent: 100,
            is_muted: false,
            audible_percent: 100,
            speed: Speed::NORMAL,
            has_sound_device: true,
            last_stream: 0,
            view: PlayerView::default(),
            view_before: PlayerView::default(),
            places: Places::default(),
            previews: Previews::default(),
            statistics: None,
            meter: Meter::default(),
            round_trip: RoundTrip::default(),
            party_error_nanos: None,
        }
    }
}

impl PlayerState {
    pub(super) fn watch(&mut self, video: VideoInfo, now: Instant) -> Vec<Effect> {
        if let Some(showing) = self.showing.as_ref().filter(|showing| showing.video.id == video.id)
            && showing.is_running()
        {
            // A second click, also that of a double click, must not start the video over.
            return if showing.is_paused { self.toggle_pause() } else { Vec::new() };
        }
        self.keep_place();
        let place = self.places.of(&video);
        self.watch_from(video, place, now)
    }

    /// Plays a video from this time on, or from its start.
    fn watch_from(&mut self, video: VideoInfo, place: Option<u64>, now: Instant) -> Vec<Effect> {
        let before = self.showing.as_ref().filter(|before| before.video.id == video.id);
        // The same video plays in the resolution chosen before, unless that one failed; any other starts as a triptych.
        let before = before.filter(|before| !matches!(before.stage, Stage::Failed(_)));
        let request = Request {
            from: place.map_or(Position::START, Position::Time),
            position_nanos: place.unwrap_or(0),
            choice: before.map(|before| before.choice).unwrap_or_default(),
            is_paused: false,
            resumed_at_nanos: place,
        };
        self.open(video, request, now)
    }

    /// Plays a video from this position on, because others are there, or shows its picture there.
    pub(super) fn watch_at(&mut self, video: VideoInfo, nanos: u64, is_paused: bool, now: Instant) -> Vec<Effect> {
        self.keep_place();
        let position_nanos = nanos.min(video.duration_nanos);
        let (from, choice) = (Position::Time(position_nanos), QualityChoice::default());
        self.open(video, Request { from, position_nanos, choice, is_paused, resumed_at_nanos: None }, now)
    }

    /// Plays the video in the player from its start.
    pub(super) fn start_over(&mut self, now: Instant) -> Vec<Effect> {
        self.end_resume_notice();
        let Some(showing) = &mut self.showing else { return Vec::new() };
        if showing.can_seek() {
            showing.is_paused = false;
            return self.seek_to(0, now);
        }
        let video = showing.video.clone();
        if showing.is_running() { Vec::new() } else { self.watch_from(video, None, now) }
    }

    /// Requests a stream. The picture of the same video stays until there is another one.
    fn open(&mut self, video: VideoInfo, request: Request, now: Instant) -> Vec<Effect> {
        let Request { from, position_nanos, choice, is_paused, resumed_at_nanos } = request;
        self.last_stream += 1;
        let stream = StreamId(self.last_stream);
        let kept = self.showing.take().filter(|kept| kept.stage == Stage::Interrupted);
        let choice = if choice.is_offered(&video) { choice } else { QualityChoice::default() };
        let delivery = choice.delivery();
        let command =
            NetCommand::Watch(WatchRequest { stream, video: video.id, quality: choice.quality(), from, delivery });
        let largest_picture = largest_picture(&video);
        let start = Effect::StartPlayback {
            stream,
            has_sound: video.has_sound,
            largest_picture,
            variants: video.variants.clone(),
            delivery,
            ladder: choice.ladder(),
            is_paused,
            keeps_picture: kept.is_some(),
        };
        let is_start = from == Position::START;
        self.showing = Some(Showing {
            stream,
            epoch: Epoch::default(),
            stage: Stage::Opening,
            is_paused,
            choice,
            delivery,
            link_bytes_per_second: None,
            segments: Vec::new(),
            duration_nanos: video.duration_nanos,
            frame_count: 0,
            has_sound: video.has_sound,
            position_nanos,
            buffered_until_nanos: None,
            height: kept.and_then(|kept| kept.height),
            hold: None,
            is_closed: false,
            index: None,
            pending_seek: (!is_start).then_some((from, now)),
            queued_seek: None,
            sought_at: None,
            opened_at: now,
            wait: Some(Wait::new(WaitCause::Open, 0, now)),
            splice: None,
            resumed_at_nanos,
            video,
        });
        self.meter = Meter::default();
        self.rewrite_statistics();
        // The network gets the command first, so that no grant precedes its `Watch`.
        vec![Effect::Net(command), start]
    }

    pub(super) fn stop(&mut self) -> Vec<Effect> {
        self.keep_place();
        self.dock();
        match self.showing.take() {
            Some(showing) if !showing.is_closed && !matches!(showing.stage, Stage::Failed(_)) => {
                vec![Effect::StopPlayback, Effect::Net(NetCommand::Stop { stream: showing.stream })]
            }
            Some(showing) if showing.stage == Stage::Interrupted => vec![Effect::StopPlayback],
            _ => Vec::new(),
        }
    }

    /// Pauses or continues.
    pub(super) fn toggle_pause(&mut self) -> Vec<Effect> {
        match &mut self.showing {
            Some(showing) if showing.is_running() => {
                showing.is_paused = !showing.is_paused;
                vec![Effect::Pause(showing.is_paused)]
            }
            // The wish is kept for the time when it goes on.
            Some(showing) if showing.stage == Stage::Interrupted => {
                showing.is_paused = !showing.is_paused;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn seek_to(&mut self, nanos: u64, now: Instant) -> Vec<Effect> {
        let Some(showing) = self.showing.as_mut().filter(|showing| showing.can_seek()) else { return Vec::new() };
        let nanos = nanos.min(showing.duration_nanos);
        Self::request(showing, Position::Time(nanos), nanos, now)
    }

    pub(super) fn seek_by(&mut self, nanos: i64, now: Instant) -> Vec<Effect> {
        let from = self.showing.as_ref().map_or(0, |showing| showing.position_nanos);
        self.seek_to(from.saturating_add_signed(nanos), now)
    }

    pub(super) fn seek_to_tenth(&mut self, tenths: u8, now: Instant) -> Vec<Effect> {
        let duration_nanos = self.showing.as_ref().map_or(0, |showing| showing.duration_nanos);
        self.seek_to(duration_nanos / 10 * u64::from(tenths), now)
    }

    pub(super) fn seek_to_last(&mut self, now: Instant) -> Vec<Effect> {
        let Some(showing) = self.showing.as_mut().filter(|showing| showing.can_seek()) else { return Vec::new() };
        let last = showing.frame_count.saturating_sub(1);
        let nanos = showing.time_of(last);
        Self::request(showing, Position::Picture(last), nanos, now)
    }

    /// Pauses and steps by this number of pictures.
    pub(super) fn step(&mut self, pictures: i32, now: Instant) -> Vec<Effect> {
        let Some(showing) = self.showing.as_mut().filter(|showing| showing.can_seek()) else { return Vec::new() };
        // While a seek to a time is under way, the index of its picture is not known yet.
        let Position::Picture(index) = showing.target() else { return Vec::new() };
        let mut effects = Vec::new();
        if !showing.is_paused {
            showing.is_paused = true;
            effects.push(Effect::Pause(true));
        }
        let last = showing.frame_count.saturating_sub(1);
        let index = index.saturating_add_signed(pictures).min(last);
        let nanos = showing.time_of(index);
        effects.extend(Self::request(showing, Position::Picture(index), nanos, now));
        effects
    }

    fn request(showing: &mut Showing, to: Position, nanos: u64, now: Instant) -> Vec<Effect> {
        showing.position_nanos = nanos;
        showing.sought_at = Some(now);
        if showing.is_seeking(now) {
            showing.queued_seek = Some(to);
            return Vec::new();
        }
        showing.seek(to, now)
    }

    pub(super) fn started(&mut self, start: StreamStart, now: Instant) -> Vec<Effect> {
        let showing = self.current(start.stream).filter(|showing| showing.epoch == start.epoch);
        let Some(showing) = showing else { return Vec::new() };
        if let Some(wait) = &mut showing.wait {
            wait.answered(now);
        }
        showing.duration_nanos = start.duration_nanos;
        showing.segments.clone_from(&start.segments);
        showing.frame_count = start.frame_count;
        showing.has_sound = start.has_sound;
        showing.delivery = start.delivery;
        // The answer names the picture; its index in this epoch is the position from here on.
        showing.pending_seek =
            showing.pending_seek.map(|(_, asked_at)| (Position::Picture(start.first_index), asked_at));
        if showing.pending_seek.is_some() && showing.queued_seek.is_none() {
            showing.position_nanos = showing.time_of(start.first_index);
        }
        vec![Effect::StreamStarted(start)]
    }

    pub(super) fn source_ended(&mut self, stream: StreamId, epoch: Epoch, reason: EndReason) -> Vec<Effect> {
        // A stream that fails does so in all its epochs, even in those that the server has not started yet.
        let showing = self.showing.as_mut().filter(|showing| showing.stream == stream);
        let Some(showing) = showing.filter(|showing| !matches!(showing.stage, Stage::Failed(_))) else {
            return Vec::new();
        };
        match reason {
            EndReason::Finished if showing.epoch == epoch => vec![Effect::SourceEnded { stream, epoch }],
            EndReason::Finished => Vec::new(),
            EndReason::Stopped | EndReason::Failed(_) if showing.stage == Stage::Ended => {
                showing.is_closed = true;
                Vec::new()
            }
            EndReason::Stopped => {
                self.showing = None;
                vec![Effect::StopPlayback]
            }
            EndReason::Failed(reason) => {
                showing.stage = Stage::Failed(reason);
                vec![Effect::StopPlayback]
            }
        }
    }

    pub(super) fn report(&mut self, status: PlaybackStatus, now: Instant) -> Vec<Effect> {
        if self.current(status.stream).is_some_and(|showing| showing.has_sound && !showing.is_paused) {
            self.has_sound_device = !status.lacks_device;
        }
        let Some(showing) = self.current(status.stream).filter(|showing| showing.epoch == status.epoch) else {
            return Vec::new();
        };
        showing.hold = status.hold;
        showing.buffered_until_nanos = status.buffered_until_nanos;
        showing.note_wait(&status, now);
        if let Some(picture) = status.shown {
            showing.stage = Stage::Playing;
            showing.note_splice(now, |showing| {
                showing.height = Some(picture.height);
                if let Some(position_nanos) = status.position_nanos {
                    showing.index = Some(picture.index);
                    showing.pending_seek = None;
                    if showing.queued_seek.is_none() {
                        showing.position_nanos = position_nanos.min(showing.duration_nanos);
                    }
                }
            });
        }
        if !showing.is_seeking(now)
            && let Some(to) = showing.queued_seek
        {
            return showing.seek(to, now);
        }
        if status.is_finished && showing.pending_seek.is_none() {
            // Without a single picture to show, "ended" would hide that something is wrong.
            let has_shown = status.shown.is_some();
            showing.stage = if has_shown {
                Stage::Ended
            } else {
                Stage::Failed("None of the pictures of this video can be decoded.".into())
            };
            showing.is_paused = false;
            showing.hold = None;
            showing.position_nanos = showing.duration_nanos;
        }
        showing.follow_ladder(&status)
    }

    /// Whether playback of the video in the player stopped with an error.
    pub fn has_failed(&self) -> bool {
        self.showing.as_ref().is_some_and(|showing| matches!(showing.stage, Stage::Failed(_)))
    }

    /// Whether the last picture was shown for its full duration.
    pub fn has_ended(&self) -> bool {
        self.showing.as_ref().is_some_and(|showing| showing.stage == Stage::Ended)
    }

    fn current(&mut self, stream: StreamId) -> Option<&mut Showing> {
        self.showing.as_mut().filter(|showing| showing.stream == stream && showing.is_running())
    }
}

/// How a stream is to begin.
struct Request {
    from: Position,
    /// The position that the seek bar shows until the first picture has come.
    position_nanos: u64,
    choice: QualityChoice,
    is_paused: bool,
    /// Where the person is told that the video went on.
    resumed_at_nanos: Option<u64>,
}

/// Width and height of the largest picture, from whichever variant each comes.
fn largest_picture(video: &VideoInfo) -> (u32, u32) {
    let largest = |side: fn(&VariantInfo) -> u32| video.variants.iter().map(side).max().unwrap_or(MAX_PICTURE_SIDE);
    (largest(|variant| variant.picture_width), largest(|variant| variant.picture_height))
}
