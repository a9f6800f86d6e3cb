//! What the server says about its videos and streams.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Opaque handle of a video; says nothing about where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VideoId(pub u64);

/// Number of a stream, chosen by the viewer; each `Watch` on a connection uses a larger one than the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId(pub u32);

/// Number of a stretch of a stream, chosen by the viewer: 0 from `Watch` on, and a larger one with each `Seek` and
/// `SetQuality`. What carries an older one is stale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u32);

/// A place in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// The picture that stands at this time, in nanoseconds from the start; past the end, the last one.
    Time(u64),
    /// The picture with this index; past the end, the last one.
    Picture(u32),
}

impl Position {
    /// Where a stream begins.
    pub const START: Self = Self::Picture(0);
}

/// One entry of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// What to ask for.
    pub id: VideoId,
    /// Another one as soon as a file of the video is another one.
    pub fingerprint: u64,
    /// Title as the file names give it.
    pub title: String,
    /// Length of the triptych.
    pub duration_nanos: u64,
    /// Whether its streams have sound.
    pub has_sound: bool,
    /// Resolutions, ascending.
    pub variants: Vec<VariantInfo>,
}

/// One resolution of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantInfo {
    /// The `240` of 240p: the height that the file name promises.
    pub height: u32,
    /// Width of the picture as shown (square pixels, upright), in pixels.
    pub picture_width: u32,
    /// Height of the picture as shown, in pixels.
    pub picture_height: u32,
    /// Frames in the file.
    pub frame_count: u32,
}

/// A file in the video folder that cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFile {
    /// Name of the file, without its folder.
    pub file_name: String,
    /// What is wrong with it, in words for a person.
    pub reason: String,
}

/// Everything the server offers, and what it cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// Videos by title.
    pub videos: Vec<VideoInfo>,
    /// Files that were skipped, by file name.
    pub skipped: Vec<SkippedFile>,
}

/// Which frames a viewer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quality {
    /// Each resolution contributes its share, ascending.
    Triptych,
    /// All frames of the one resolution with this `VariantInfo::height`.
    Only(u32),
}

/// One part of a stream: consecutive pictures from one resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentInfo {
    /// The `VariantInfo::height` it comes from.
    pub height: u32,
    /// Index in the stream of its first picture.
    pub first_index: u32,
    /// Number of pictures, at least one.
    pub frame_count: u32,
    /// Time in the stream of its first picture.
    pub start_nanos: u64,
}

/// Which video a viewer wants to watch, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchRequest {
    /// The number of the new stream; larger than any before it on this connection.
    pub stream: StreamId,
    /// The video, from the library.
    pub video: VideoId,
    /// Which frames of the video to send.
    pub quality: Quality,
    /// The position of the first picture.
    pub from: Position,
}

/// Where a viewer wants to continue a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeekRequest {
    /// The running stream.
    pub stream: StreamId,
    /// The number of the new epoch; larger than any before it in this stream.
    pub epoch: Epoch,
    /// The position of the first picture.
    pub to: Position,
}

/// With which frames a viewer wants to continue a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetQualityRequest {
    /// The running stream.
    pub stream: StreamId,
    /// The number of the new epoch; larger than any before it in this stream.
    pub epoch: Epoch,
    /// Which frames of the video to send from now on.
    pub quality: Quality,
    /// Where to continue, as a position in the stream before the change.
    pub at: Position,
}

/// The description of a stream that opens each of its epochs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStart {
    /// The number from [`WatchRequest`].
    pub stream: StreamId,
    /// 0 after [`WatchRequest`], else the number from [`SeekRequest`] or [`SetQualityRequest`].
    pub epoch: Epoch,
    /// The video from [`WatchRequest`].
    pub video: VideoId,
    /// The length of the stream.
    pub duration_nanos: u64,
    /// The number of pictures in the stream.
    pub frame_count: u32,
    /// The segments in stream order; together they cover every picture.
    pub segments: Vec<SegmentInfo>,
    /// The index of the first picture of this epoch.
    pub first_index: u32,
    /// Whether the stream carries sound chunks.
    pub has_sound: bool,
}

/// A picture without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureHead {
    /// The stream it belongs to.
    pub stream: StreamId,
    /// The stretch of the stream it belongs to.
    pub epoch: Epoch,
    /// Its place in the stream, from 0.
    pub index: u32,
    /// The `VariantInfo::height` it comes from.
    pub height: u32,
    /// When it is due, counted from the start of the stream.
    pub pts_nanos: u64,
    /// How long it stands.
    pub duration_nanos: u64,
}

/// A chunk of sound without its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundHead {
    /// The stream it belongs to.
    pub stream: StreamId,
    /// The stretch of the stream it belongs to.
    pub epoch: Epoch,
    /// When its first sample is heard, counted from the start of the stream.
    pub pts_nanos: u64,
}

/// What a server says of its video engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Streams under way.
    pub viewers: u32,
    /// Decoders alive, of pictures and of sound.
    pub decoders: u32,
    /// Pictures and sound chunks that were there when a viewer came for them.
    pub hits: u64,
    /// Those that a viewer had to wait for.
    pub misses: u64,
    /// Pictures and sound chunks that decoders have put into the frame store.
    pub decoded: u64,
    /// What the frame store holds.
    pub held_bytes: u64,
    /// What it may hold.
    pub cache_bytes: u64,
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let (held, limit) = (mebibytes(self.held_bytes), mebibytes(self.cache_bytes));
        let Self { viewers, decoders, hits, misses, decoded, .. } = self;
        write!(f, "{viewers} viewers, {decoders} decoders, {hits} hits, {misses} misses, {decoded} decoded, ")?;
        write!(f, "{held:.1} of {limit:.1} MiB held")
    }
}
