//! The video in the player: what is known of it and of the stream that plays it.

use std::time::Instant;

use common::media::{Delivery, Epoch, Position, SeekRequest, SegmentInfo, StreamId, VideoInfo};

use super::{
    quality_choice::QualityChoice,
    wait::{Wait, WaitCause},
};
use crate::{
    event::{Hold, NetCommand, SEEK_PATIENCE},
    state::effect::Effect,
};

/// A splice that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    /// The resolution that began.
    pub(super) text: String,
    /// When it did.
    pub(super) at: Instant,
}

/// The stage of playback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The stream was requested; there is no picture yet.
    Opening,
    /// Pictures are shown, or the video is paused.
    Playing,
    /// The last picture was shown for its full duration.
    Ended,
    /// The connection to the server is lost. Playback goes on by itself when it is back.
    Interrupted,
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
    pub(super) is_closed: bool,
    /// Index in the stream of the picture on the screen; `None` if that picture is of another epoch.
    pub(super) index: Option<u32>,
    /// The seek that is under way: its target and the time of the request.
    pub(super) pending_seek: Option<(Position, Instant)>,
    /// The target of the seek after that.
    pub(super) queued_seek: Option<Position>,
    /// When the person last sought.
    pub(super) sought_at: Option<Instant>,
    /// When the video was opened.
    pub(super) opened_at: Instant,
    /// The wait that is under way; `None` while enough has arrived, or nothing is wanted.
    pub(super) wait: Option<Wait>,
    /// The last splice that was shown; `None` since a seek.
    pub(super) splice: Option<Splice>,
    /// Where it went on, if it was watched before in this run and the person has not read that yet.
    pub(super) resumed_at_nanos: Option<u64>,
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
    pub(in crate::state) fn time_of(&self, index: u32) -> u64 {
        let ends = self.segments.iter().skip(1).map(|segment| segment.start_nanos).chain([self.duration_nanos]);
        let part = self.segments.iter().zip(ends).take_while(|(segment, _)| segment.first_index <= index).last();
        part.map_or(0, |(segment, end)| {
            let length = u128::from(end.saturating_sub(segment.start_nanos));
            let ahead = length * u128::from(index - segment.first_index) / u128::from(segment.frame_count.max(1));
            segment.start_nanos.saturating_add(u64::try_from(ahead).unwrap_or(u64::MAX))
        })
    }

    /// The position, or the target of the latest seek, as the server understands it.
    pub(super) fn target(&self) -> Position {
        let pending = self.pending_seek.map(|(to, _)| to);
        self.queued_seek
            .or(pending)
            .or(self.index.map(Position::Picture))
            .unwrap_or(Position::Time(self.position_nanos))
    }

    pub(super) fn seek(&mut self, to: Position, now: Instant) -> Vec<Effect> {
        let epoch = self.begin_epoch(to, WaitCause::Seek, now);
        let seek = NetCommand::Seek(SeekRequest { stream: self.stream, epoch, to });
        self.epoch_effects(seek)
    }

    pub(super) fn begin_epoch(&mut self, to: Position, cause: WaitCause, now: Instant) -> Epoch {
        self.epoch = Epoch(self.epoch.0.saturating_add(1));
        self.pending_seek = Some((to, now));
        self.queued_seek = None;
        self.index = None;
        self.splice = None;
        self.hold = None;
        self.buffered_until_nanos = None;
        self.wait = Some(Wait::new(cause, 0, now));
        self.stage = Stage::Playing;
        self.epoch
    }

    pub(super) fn epoch_effects(&self, command: NetCommand) -> Vec<Effect> {
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

    pub(in crate::state) fn is_seeking(&self, now: Instant) -> bool {
        self.pending_seek.is_some_and(|(_, asked_at)| now.saturating_duration_since(asked_at) < SEEK_PATIENCE)
    }
}
