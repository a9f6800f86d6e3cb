//! Videos and streams, as parts of other states and as states of their own.

use common::media::{
    Delivery, Epoch, Origin, PictureHead, SegmentInfo, StreamId, StreamStart, VariantInfo, VideoId, VideoInfo,
};
use triptych_client::{
    event::{NetEvent, PlaybackStatus},
    state::{State, action::Action},
};

use super::{moment, talked};

pub fn video(id: u64, title: &str, duration_nanos: u64) -> VideoInfo {
    let variant = |height: u32| VariantInfo {
        height,
        picture_width: height * 16 / 9,
        picture_height: height,
        frame_count: (duration_nanos / 40_000_000) as u32,
    };
    let variants = [240, 720, 1440].map(variant).to_vec();
    VideoInfo {
        id: VideoId(id),
        fingerprint: id,
        title: title.into(),
        duration_nanos,
        has_sound: true,
        variants,
        is_ready: false,
        unreadable_heights: Vec::new(),
    }
}

pub fn segments() -> Vec<SegmentInfo> {
    [(240, 0), (720, 184), (1440, 368)]
        .map(|(height, first_index)| SegmentInfo {
            height,
            first_index,
            frame_count: 184,
            start_nanos: u64::from(first_index) * 40_000_000,
            sent_height: height,
        })
        .to_vec()
}

pub fn watch(state: &mut State, video: u64) -> StreamId {
    state.handle(Action::Watch(VideoId(video)), moment());
    state.player.showing.as_ref().expect("the video is in the library").stream
}

/// What the server says at the beginning of a stream.
pub fn stream_start(stream: StreamId, video: u64) -> StreamStart {
    StreamStart {
        stream,
        epoch: Epoch(0),
        video: VideoId(video),
        duration_nanos: 22_120_000_000,
        frame_count: 552,
        segments: segments(),
        first_index: 0,
        has_sound: true,
        delivery: Delivery::FULL,
    }
}

pub fn start(state: &mut State, stream: StreamId, video: u64) {
    state.apply(NetEvent::StreamStarted(stream_start(stream, video)), moment());
}

/// A picture at 25 frames/s.
pub fn head(stream: StreamId, epoch: Epoch, index: u32, height: u32) -> PictureHead {
    let duration_nanos = 40_000_000;
    PictureHead {
        stream,
        epoch,
        index,
        height,
        pts_nanos: u64::from(index) * duration_nanos,
        duration_nanos,
        jpeg_bytes: 1,
        origin: Origin::Memory,
    }
}

pub fn report(stream: StreamId, seconds: u64, height: u32) -> PlaybackStatus {
    PlaybackStatus {
        stream,
        epoch: Epoch(0),
        position_nanos: Some(seconds * 1_000_000_000),
        clock: None,
        shown: Some(head(stream, Epoch(0), seconds as u32 * 25, height)),
        buffered_until_nanos: Some(seconds * 1_000_000_000 + 800_000_000),
        epoch_bytes: 2_000_000,
        hold: None,
        is_finished: false,
        lacks_device: false,
        continue_at: None,
        wanted_delivery: None,
        link_bytes_per_second: None,
    }
}

pub fn playing() -> State {
    let mut state = talked();
    let stream = watch(&mut state, 1);
    start(&mut state, stream, 1);
    state.report(report(stream, 10, 720), moment());
    state
}
