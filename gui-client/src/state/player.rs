//! What is being watched.

use std::time::Instant;

use common::{
    media::{Quality, SegmentInfo, StreamId, VideoInfo},
    message::EndReason,
};

use crate::event::NetCommand;

use super::action::Effect;

/// How far a video is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Asked for; no picture yet.
    Opening,
    /// Pictures are being shown.
    Playing,
    /// Its last picture has stood its time.
    Ended,
    /// It could not go on, in words for a person.
    Failed(String),
}

/// Why the picture stands still although it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// No pictures come from the server.
    Source,
    /// This computer decodes too slowly.
    Decoder,
}

/// What the playout says of the picture on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaybackReport {
    /// Which stream it is about.
    pub stream: StreamId,
    /// Time in the stream.
    pub position_nanos: u64,
    /// The `VariantInfo::height` of the picture; none before the first.
    pub height: Option<u32>,
    /// Why it stands still.
    pub stall: Option<Stall>,
    /// Whether the last picture has stood its time.
    pub is_finished: bool,
}

/// The video on the picture's place.
#[derive(Debug, Clone)]
pub struct Showing {
    /// Which one, as the library said when it was clicked.
    pub video: VideoInfo,
    /// Its stream.
    pub stream: StreamId,
    /// How far it is.
    pub stage: Stage,
    /// Parts of the stream; empty until the server has answered.
    pub segments: Vec<SegmentInfo>,
    /// Length of the stream.
    pub duration_nanos: u64,
    /// Time in the stream.
    pub position_nanos: u64,
    /// Where the picture comes from.
    pub height: Option<u32>,
    /// Why it stands still.
    pub stall: Option<Stall>,
    /// When the stream was asked for.
    pub asked_at: Instant,
}

impl Showing {
    /// Whether pictures are shown or expected.
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Opening | Stage::Playing)
    }

    /// Width by height of the picture's place: that of the largest variant, so that a splice moves nothing.
    pub fn aspect(&self) -> f32 {
        let largest = self.video.variants.last();
        largest.map_or(16.0 / 9.0, |variant| variant.picture_width as f32 / variant.picture_height.max(1) as f32)
    }
}

/// The picture's place.
#[derive(Debug, Clone, Default)]
pub struct Player {
    /// What stands on it.
    pub showing: Option<Showing>,
    last_stream: u32,
}

impl Player {
    pub(super) fn watch(&mut self, video: VideoInfo, now: Instant) -> Vec<Effect> {
        self.last_stream += 1;
        let stream = StreamId(self.last_stream);
        let command = NetCommand::Watch { stream, video: video.id, quality: Quality::Triptych };
        let start = Effect::StartPlayback { title: video.title.clone(), stream };
        self.showing = Some(Showing {
            stream,
            stage: Stage::Opening,
            segments: Vec::new(),
            duration_nanos: video.duration_nanos,
            position_nanos: 0,
            height: None,
            stall: None,
            asked_at: now,
            video,
        });
        // The network hears of the stream first, so that a grant never comes before its `Watch`.
        vec![Effect::Net(command), start]
    }

    pub(super) fn stop(&mut self) -> Vec<Effect> {
        match self.showing.take() {
            Some(showing) if showing.is_running() => {
                vec![Effect::StopPlayback { how: "stopped" }, Effect::Net(NetCommand::Stop { stream: showing.stream })]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn started(&mut self, stream: StreamId, duration_nanos: u64, segments: Vec<SegmentInfo>) {
        if let Some(showing) = self.current(stream) {
            showing.duration_nanos = duration_nanos;
            showing.segments = segments;
        }
    }

    pub(super) fn source_ended(&mut self, stream: StreamId, reason: EndReason) -> Vec<Effect> {
        let Some(showing) = self.current(stream) else { return Vec::new() };
        match reason {
            EndReason::Finished => vec![Effect::SourceEnded(stream)],
            EndReason::Stopped => {
                self.showing = None;
                vec![Effect::StopPlayback { how: "stopped" }]
            }
            EndReason::Failed(reason) => {
                showing.stage = Stage::Failed(reason);
                vec![Effect::StopPlayback { how: "failed" }]
            }
        }
    }

    pub(super) fn report(&mut self, report: PlaybackReport) {
        let Some(showing) = self.current(report.stream) else { return };
        showing.position_nanos = report.position_nanos.min(showing.duration_nanos);
        showing.height = report.height.or(showing.height);
        showing.stall = report.stall;
        if report.height.is_some() {
            showing.stage = Stage::Playing;
        }
        if report.is_finished {
            showing.stage = Stage::Ended;
            showing.stall = None;
            showing.position_nanos = showing.duration_nanos;
        }
    }

    pub(super) fn went_offline(&mut self) -> Vec<Effect> {
        match &mut self.showing {
            Some(showing) if showing.is_running() => {
                showing.stage = Stage::Failed("The connection to the server broke.".into());
                vec![Effect::StopPlayback { how: "failed" }]
            }
            _ => Vec::new(),
        }
    }

    fn current(&mut self, stream: StreamId) -> Option<&mut Showing> {
        self.showing.as_mut().filter(|showing| showing.stream == stream && showing.is_running())
    }
}
