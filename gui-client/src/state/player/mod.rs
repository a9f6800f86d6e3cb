//! The player: the video that is being watched, its position, and how it is played.
//!
//! Every seek starts a new epoch of the stream, and the picture of the old epoch stays until the first of the new one
//! arrives. While a seek is under way, further ones (a drag along the bar, a key held down) are queued, and only the last
//! of them is sent when the picture arrives: the server is asked as fast as it can answer and no faster.

mod explain;
pub mod meter;
pub mod quality;
mod round_trip;
pub mod statistics;
pub mod units;
mod volume;
pub mod wait;

use std::time::Instant;

use common::{
    limits::MAX_PICTURE_SIDE,
    media::{
        Delivery, Epoch, Position, SeekRequest, SegmentInfo, StreamId, StreamStart, VariantInfo, VideoInfo,
        WatchRequest,
    },
    message::EndReason,
};

use crate::event::{Hold, NetCommand, PlaybackStatus, SEEK_PATIENCE};

use self::{
    meter::Meter,
    quality::QualityChoice,
    round_trip::RoundTrip,
    statistics::Line,
    wait::{Wait, WaitCause},
};
use super::effect::Effect;

/// The stage of playback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The stream was requested; there is no picture yet.
    Opening,
    /// Pictures are shown, or the video is paused.
    Playing,
    /// The last picture was shown for its full duration.
    Ended,
    /// Playback stopped before the end; the reason is meant for people.
    Failed(String),
}

/// The video in the player.
#[derive(Debug, Clone)]
pub struct Showing {
    /// The video as the library listed it when it was clicked.
    pub video: VideoInfo,
    /// The stream that plays it.
    pub stream: StreamId,
    /// The epoch that was requested last.
    pub epoch: Epoch,
    /// The stage of playback.
    pub stage: Stage,
    /// Whether the person has paused it.
    pub is_paused: bool,
    /// How the person wants it to be played.
    pub choice: QualityChoice,
    /// The delivery of the current epoch: as requested, and then as the server has confirmed it.
    pub delivery: Delivery,
    /// What the link carries; `None` until it was measured.
    pub link_bytes_per_second: Option<u64>,
    /// The segments of the stream; empty until the server has answered.
    pub segments: Vec<SegmentInfo>,
    /// Duration of the stream.
    pub duration_nanos: u64,
    /// Number of pictures in the stream; 0 until the server has answered.
    pub frame_count: u32,
    /// Whether the stream has sound.
    pub has_sound: bool,
    /// The position in the stream; while a seek is under way, its target.
    pub position_nanos: u64,
    /// Time in the stream up to which pictures wait here; `None` before the first of the epoch.
    pub buffered_until_nanos: Option<u64>,
    /// Height in lines of the variant that the picture on the screen comes from.
    pub height: Option<u32>,
    /// Why playback is held up, if it is.
    pub hold: Option<Hold>,
    /// Whether the server has closed the stream, so that nothing more can be requested of it.
    is_closed: bool,
    /// Index in the stream of the picture on the screen; `None` if that picture is of another epoch.
    index: Option<u32>,
    /// The seek that is under way: its target and the time of the request.
    pending_seek: Option<(Position, Instant)>,
    /// The target of the seek after that.
    queued_seek: Option<Position>,
    /// When the video was opened.
    opened_at: Instant,
    /// The wait that is under way; `None` while enough has arrived, or nothing is wanted.
    wait: Option<Wait>,
}

impl Showing {
    /// Whether pictures are shown or expected.
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Opening | Stage::Playing)
    }

    /// Whether the server still accepts seeks in the stream.
    pub fn can_seek(&self) -> bool {
        !self.segments.is_empty() && !self.is_closed && matches!(self.stage, Stage::Playing | Stage::Ended)
    }

    /// Width by height of the picture. It is that of the largest variant throughout, so that a splice does not move the
    /// picture.
    pub fn aspect(&self) -> f32 {
        let largest = self.video.variants.last();
        largest.map_or(16.0 / 9.0, |variant| variant.picture_width as f32 / variant.picture_height.max(1) as f32)
    }

    /// The segment of the picture on the screen, or else of the position.
    pub fn segment(&self) -> Option<&SegmentInfo> {
        let is_begun = |segment: &&SegmentInfo| match self.index {
            Some(index) => segment.first_index <= index,
            None => segment.start_nanos <= self.position_nanos,
        };
        self.segments.iter().take_while(is_begun).last()
    }

    /// Index in the stream of the picture on the screen; `None` if that picture is of another epoch.
    pub fn picture_index(&self) -> Option<u32> {
        self.index
    }

    /// The time of the picture with this index, in nanoseconds. Exact if frames are evenly spaced, else an estimate.
    fn time_of(&self, index: u32) -> u64 {
        let ends = self.segments.iter().skip(1).map(|segment| segment.start_nanos).chain([self.duration_nanos]);
        let part = self.segments.iter().zip(ends).take_while(|(segment, _)| segment.first_index <= index).last();
        part.map_or(0, |(segment, end)| {
            let length = u128::from(end.saturating_sub(segment.start_nanos));
            let ahead = length * u128::from(index - segment.first_index) / u128::from(segment.frame_count.max(1));
            segment.start_nanos.saturating_add(u64::try_from(ahead).unwrap_or(u64::MAX))
        })
    }

    /// The position, or the target of the latest seek, as the server understands it.
    fn target(&self) -> Position {
        let pending = self.pending_seek.map(|(to, _)| to);
        self.queued_seek
            .or(pending)
            .or(self.index.map(Position::Picture))
            .unwrap_or(Position::Time(self.position_nanos))
    }

    fn seek(&mut self, to: Position, now: Instant) -> Vec<Effect> {
        let epoch = self.begin_epoch(to, WaitCause::Seek, now);
        let seek = NetCommand::Seek(SeekRequest { stream: self.stream, epoch, to });
        self.epoch_effects(seek)
    }

    fn begin_epoch(&mut self, to: Position, cause: WaitCause, now: Instant) -> Epoch {
        self.epoch = Epoch(self.epoch.0.saturating_add(1));
        self.pending_seek = Some((to, now));
        self.queued_seek = None;
        self.index = None;
        self.hold = None;
        self.buffered_until_nanos = None;
        self.wait = Some(Wait::new(cause, 0, now));
        self.stage = Stage::Playing;
        self.epoch
    }

    fn epoch_effects(&self, command: NetCommand) -> Vec<Effect> {
        // The network gets the command first, so that no grant precedes the epoch.
        vec![
            Effect::Net(command),
            Effect::BeginEpoch {
                stream: self.stream,
                epoch: self.epoch,
                has_sound: self.has_sound,
                is_paused: self.is_paused,
                delivery: self.delivery,
                ladder: self.choice.ladder(),
            },
        ]
    }

    fn is_seeking(&self, now: Instant) -> bool {
        self.pending_seek.is_some_and(|(_, asked_at)| now.saturating_duration_since(asked_at) < SEEK_PATIENCE)
    }
}

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
    last_stream: u32,
    /// The statistics over the picture, while they are shown.
    statistics: Option<Vec<Line>>,
    meter: Meter,
    round_trip: RoundTrip,
}

impl Default for PlayerState {
    fn default() -> Self {
        Self {
            showing: None,
            volume_percent: 100,
            is_muted: false,
            audible_percent: 100,
            last_stream: 0,
            statistics: None,
            meter: Meter::default(),
            round_trip: RoundTrip::default(),
        }
    }
}

impl PlayerState {
    pub(super) fn watch(&mut self, video: VideoInfo, now: Instant) -> Vec<Effect> {
        if let Some(showing) = self.showing.as_ref().filter(|showing| showing.video.id == video.id)
            && showing.is_running()
        {
            // A second click, also that of a double click, must not start the video over.
            return if showing.is_paused { self.toggle_pause(now) } else { Vec::new() };
        }
        self.last_stream += 1;
        let stream = StreamId(self.last_stream);
        let before = self.showing.take().filter(|before| before.video.id == video.id);
        // The same video plays in the resolution chosen before, unless that one failed; any other starts as a triptych.
        let before = before.filter(|before| !matches!(before.stage, Stage::Failed(_)));
        let choice = before.map(|before| before.choice).filter(|choice| choice.is_offered(&video)).unwrap_or_default();
        let delivery = choice.delivery();
        let command = NetCommand::Watch(WatchRequest {
            stream,
            video: video.id,
            quality: choice.quality(),
            from: Position::START,
            delivery,
        });
        let largest_picture = largest_picture(&video);
        let start = Effect::StartPlayback {
            stream,
            has_sound: video.has_sound,
            largest_picture,
            variants: video.variants.clone(),
            delivery,
            ladder: choice.ladder(),
        };
        self.showing = Some(Showing {
            stream,
            epoch: Epoch::default(),
            stage: Stage::Opening,
            is_paused: false,
            choice,
            delivery,
            link_bytes_per_second: None,
            segments: Vec::new(),
            duration_nanos: video.duration_nanos,
            frame_count: 0,
            has_sound: video.has_sound,
            position_nanos: 0,
            buffered_until_nanos: None,
            height: None,
            hold: None,
            is_closed: false,
            index: None,
            pending_seek: None,
            queued_seek: None,
            opened_at: now,
            wait: Some(Wait::new(WaitCause::Open, 0, now)),
            video,
        });
        self.meter = Meter::default();
        self.rewrite_statistics();
        // The network gets the command first, so that no grant precedes its `Watch`.
        vec![Effect::Net(command), start]
    }

    pub(super) fn stop(&mut self) -> Vec<Effect> {
        match self.showing.take() {
            Some(showing) if !showing.is_closed && !matches!(showing.stage, Stage::Failed(_)) => {
                vec![Effect::StopPlayback, Effect::Net(NetCommand::Stop { stream: showing.stream })]
            }
            _ => Vec::new(),
        }
    }

    /// Pauses, continues, or after the end starts again.
    pub(super) fn toggle_pause(&mut self, now: Instant) -> Vec<Effect> {
        match &mut self.showing {
            Some(showing) if showing.is_running() => {
                showing.is_paused = !showing.is_paused;
                vec![Effect::Pause(showing.is_paused)]
            }
            Some(showing) if showing.stage == Stage::Ended => {
                showing.is_paused = false;
                self.seek_to(0, now)
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
        let Some(showing) = self.current(status.stream).filter(|showing| showing.epoch == status.epoch) else {
            return Vec::new();
        };
        showing.hold = status.hold;
        showing.buffered_until_nanos = status.buffered_until_nanos;
        showing.note_wait(&status, now);
        if let Some(picture) = status.shown {
            showing.stage = Stage::Playing;
            showing.height = Some(picture.height);
            if let Some(position_nanos) = status.position_nanos {
                showing.index = Some(picture.index);
                showing.pending_seek = None;
                if showing.queued_seek.is_none() {
                    showing.position_nanos = position_nanos.min(showing.duration_nanos);
                }
            }
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

    pub(super) fn went_offline(&mut self) -> Vec<Effect> {
        self.round_trip = RoundTrip::default();
        let Some(showing) = &mut self.showing else { return Vec::new() };
        showing.is_closed = true;
        if !showing.is_running() {
            return Vec::new();
        }
        showing.stage = Stage::Failed("The connection to the server was lost.".into());
        vec![Effect::StopPlayback]
    }

    /// Whether playback of the video in the player stopped with an error.
    pub fn has_failed(&self) -> bool {
        self.showing.as_ref().is_some_and(|showing| matches!(showing.stage, Stage::Failed(_)))
    }

    fn current(&mut self, stream: StreamId) -> Option<&mut Showing> {
        self.showing.as_mut().filter(|showing| showing.stream == stream && showing.is_running())
    }
}

/// Width and height of the largest picture, from whichever variant each comes.
fn largest_picture(video: &VideoInfo) -> (u32, u32) {
    let largest = |side: fn(&VariantInfo) -> u32| video.variants.iter().map(side).max().unwrap_or(MAX_PICTURE_SIDE);
    (largest(|variant| variant.picture_width), largest(|variant| variant.picture_height))
}
