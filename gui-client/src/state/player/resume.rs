//! Going on where a video was left: after another one was watched, and after the connection was lost.

use std::time::{Duration, Instant};

use common::media::{Library, Position, VideoInfo};

use super::{PlayerState, Request, Showing, Stage, round_trip::RoundTrip};
use crate::state::effect::Effect;

/// Videos whose places are kept.
const MOST_PLACES: usize = 200;

/// A place this near to the beginning or to the end is not worth going back to.
const LEAST_NANOS: u64 = 5_000_000_000;

/// The notice that a video went on where it was left is shown for this long.
const NOTICE_FOR: Duration = Duration::from_secs(8);

/// Where videos were left in this run of the program.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Vec<(u64, u64)>);

impl Places {
    /// Keeps where a video was left, or forgets it when that is not worth going back to.
    fn leave(&mut self, showing: &Showing) {
        let (fingerprint, position_nanos) = (showing.video.fingerprint, showing.position_nanos);
        self.0.retain(|(kept, _)| *kept != fingerprint);
        let left_nanos = showing.duration_nanos.saturating_sub(position_nanos);
        if position_nanos >= LEAST_NANOS && left_nanos >= LEAST_NANOS && showing.stage != Stage::Ended {
            self.0.truncate(MOST_PLACES - 1);
            self.0.insert(0, (fingerprint, position_nanos));
        }
    }

    /// Where this video was left, in nanoseconds.
    pub(super) fn of(&self, video: &VideoInfo) -> Option<u64> {
        self.0.iter().find(|(kept, _)| *kept == video.fingerprint).map(|(_, position_nanos)| *position_nanos)
    }
}

impl PlayerState {
    /// Keeps where the video in the player was left.
    pub(super) fn keep_place(&mut self) {
        if let Some(showing) = &self.showing {
            self.places.leave(showing);
        }
    }

    /// Where the video went on, in nanoseconds, for as long as that is worth saying.
    pub fn resumed_at(&self, now: Instant) -> Option<u64> {
        let showing = self.showing.as_ref().filter(|showing| showing.is_running())?;
        let is_recent = now.saturating_duration_since(showing.opened_at) < NOTICE_FOR;
        showing.resumed_at_nanos.filter(|_| is_recent)
    }

    /// The person has read that it went on there.
    pub(in crate::state) fn end_resume_notice(&mut self) {
        if let Some(showing) = &mut self.showing {
            showing.resumed_at_nanos = None;
        }
    }

    /// The connection is lost. What was played goes on when it is back.
    pub(in crate::state) fn went_offline(&mut self) -> Vec<Effect> {
        self.round_trip = RoundTrip::default();
        self.previews_went_offline();
        let Some(showing) = &mut self.showing else { return Vec::new() };
        showing.is_closed = true;
        if !showing.is_running() {
            return Vec::new();
        }
        showing.stage = Stage::Interrupted;
        (showing.hold, showing.wait, showing.splice) = (None, None, None);
        vec![Effect::SuspendPlayback]
    }

    /// The connection is back: goes on with what was played, in a new stream, at the same picture.
    pub(in crate::state) fn came_online(&mut self, library: &Library, now: Instant) -> Vec<Effect> {
        let Some(showing) = self.showing.as_mut().filter(|showing| showing.stage == Stage::Interrupted) else {
            return Vec::new();
        };
        let is_same = |video: &&VideoInfo| video.fingerprint == showing.video.fingerprint;
        // Its files may have been replaced meanwhile, or renamed. Then the number of the picture may mean another one.
        let unchanged = library.videos.iter().find(is_same);
        let found = unchanged.or_else(|| library.videos.iter().find(|video| video.id == showing.video.id));
        let Some(video) = found.cloned() else {
            showing.stage = Stage::Failed("This video is no longer on the server.".into());
            return vec![Effect::StopPlayback];
        };
        let from = if unchanged.is_some() { showing.target() } else { Position::Time(showing.position_nanos) };
        let request = Request {
            from,
            position_nanos: showing.position_nanos,
            choice: showing.choice,
            is_paused: showing.is_paused,
            resumed_at_nanos: None,
        };
        self.open(video, request, now)
    }
}
