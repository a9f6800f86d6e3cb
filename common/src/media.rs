//! Videos, streams and their parts, as they appear in messages.
//!
//! A *video* has one or more *variants*, one file per resolution. A *stream* sends frames of a video to one viewer: a
//! sequence of *pictures* (JPEG-coded frames), divided into *segments* of one variant each, with sound chunks in
//! between. Each seek or quality change begins a new *epoch* of the stream.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{bounded_list, limits::MAX_PICTURE_STEP};

/// Identifies a video at one server; independent of the path of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VideoId(pub u64);

/// The number of a stream, chosen by the viewer and larger with each `Watch` on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId(pub u32);

/// The generation of a stream, chosen by the viewer: 0 from `Watch` on, and larger with each `Seek` and `SetQuality`.
/// Whatever carries an older epoch is stale and ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u32);

/// A position in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// The picture on display at this time, in nanoseconds from the start of the stream; past the end, the last
    /// picture.
    Time(u64),
    /// The picture with this index; past the end, the last picture.
    Picture(u32),
}

impl Position {
    /// The first picture of a stream.
    pub const START: Self = Self::Picture(0);
}

/// A video in the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// The id to request it by. Stable as long as the title is.
    pub id: VideoId,
    /// Changes whenever a file of the video is added, replaced or removed.
    pub fingerprint: u64,
    /// The title, taken from the file names.
    pub title: String,
    /// The length of the triptych stream.
    pub duration_nanos: u64,
    /// Whether its streams carry sound.
    pub has_sound: bool,
    /// Whether all frames of its triptych and its sound are on the server's disk as they are sent, so that playing it needs no
    /// decoder.
    pub is_ready: bool,
    /// The variants, by ascending height; at most [`crate::limits::MAX_VARIANTS`].
    #[serde(deserialize_with = "bounded_list::variants")]
    pub variants: Vec<VariantInfo>,
    /// The nominal heights, ascending, of files of this video that cannot be played.
    #[serde(deserialize_with = "bounded_list::variants")]
    pub unreadable_heights: Vec<u32>,
}

/// One variant of a video: one file, one resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantInfo {
    /// The nominal height, the 240 of "240p", as the file name states it. Identifies the variant.
    pub height: u32,
    /// The width of its pictures in pixels, after rotation and with square pixels.
    pub picture_width: u32,
    /// The height of its pictures in pixels, after rotation and with square pixels.
    pub picture_height: u32,
    /// The number of frames in the file.
    pub frame_count: u32,
}

/// The videos of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// The videos, ordered by title; at most [`crate::limits::MAX_LIBRARY_ENTRIES`].
    #[serde(deserialize_with = "bounded_list::videos")]
    pub videos: Vec<VideoInfo>,
    /// How many videos the server cannot play at all. Which files they are, and why, is told to its host only.
    pub unplayable_count: u32,
}

/// Which frames of a video a stream sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quality {
    /// An equal share of each variant, by ascending height; see [`crate::splice`].
    Triptych,
    /// All frames of the variant with this [`VariantInfo::height`].
    Only(u32),
}

/// How a stream is delivered over the viewer's link: which of its pictures, from files of which size, and the format of
/// its sound. All viewers with the same delivery are sent the same frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Delivery {
    /// Every how many pictures one is sent: 1 to [`MAX_PICTURE_STEP`]. Sent are those whose frame number in the file of their
    /// segment is a multiple of it, and the first one of each segment and of each epoch.
    pub picture_step: u8,
    /// Pictures come from no variant higher than this [`VariantInfo::height`]. Where the stream has frames of a higher one, the
    /// largest variant within it, or the smallest there is, shows the same content. `None`: from the variants of the
    /// segments.
    pub max_height: Option<u32>,
    /// The format of the sound.
    pub sound: SoundFormat,
}

impl Delivery {
    /// Every picture from its own variant, and sound without loss.
    pub const FULL: Self = Self { picture_step: 1, max_height: None, sound: SoundFormat::Pcm };

    /// Whether [`Self::picture_step`] is within its limits.
    pub fn is_valid(&self) -> bool {
        (1..=MAX_PICTURE_STEP).contains(&self.picture_step)
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self::FULL
    }
}

/// How sound is coded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SoundFormat {
    /// 16-bit little-endian samples; see [`crate::limits::SOUND_RATE_HZ`].
    #[default]
    Pcm,
    /// Packets of Opus (RFC 6716), see [`crate::opus_sound`]. A server that has none sends [`SoundFormat::Pcm`] instead.
    Opus,
}

/// Where the server had a picture from when it was requested from the frame store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// It was held in memory.
    Memory,
    /// It was read from the disk as it is sent.
    Disk,
    /// It was decoded from the video.
    Decoder,
}

/// A segment of a stream: consecutive pictures from one variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentInfo {
    /// The [`VariantInfo::height`] of the variant that the stream has here, whatever the delivery is.
    pub height: u32,
    /// The [`VariantInfo::height`] of the variant that its pictures come from in this epoch; at most `height`.
    pub sent_height: u32,
    /// The index in the stream of its first picture.
    pub first_index: u32,
    /// The number of its pictures, at least one, sent or not.
    pub frame_count: u32,
    /// The time in the stream of its first picture.
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
    /// How they are to be delivered.
    pub delivery: Delivery,
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

/// With which frames, and in which delivery, a viewer wants to continue a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetQualityRequest {
    /// The running stream.
    pub stream: StreamId,
    /// The number of the new epoch; larger than any before it in this stream.
    pub epoch: Epoch,
    /// Which frames of the video to send from now on.
    pub quality: Quality,
    /// How they are to be delivered from now on.
    pub delivery: Delivery,
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
    /// The segments in stream order; together they cover every picture. At most [`crate::limits::MAX_VARIANTS`].
    #[serde(deserialize_with = "bounded_list::segments")]
    pub segments: Vec<SegmentInfo>,
    /// The index of the first picture of this epoch.
    pub first_index: u32,
    /// Whether the stream carries sound chunks.
    pub has_sound: bool,
    /// The delivery of this epoch: as requested, except for a sound format that the server does not have.
    pub delivery: Delivery,
}

/// The description of a picture, without its JPEG bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureHead {
    /// The stream it belongs to.
    pub stream: StreamId,
    /// The epoch of the stream it belongs to.
    pub epoch: Epoch,
    /// Its index in the stream, from 0.
    pub index: u32,
    /// The [`VariantInfo::height`] of the variant it comes from: [`SegmentInfo::sent_height`].
    pub height: u32,
    /// Its presentation time, counted from the start of the stream.
    pub pts_nanos: u64,
    /// How long it is displayed: until the next picture that is sent, or the end of the stream.
    pub duration_nanos: u64,
    /// The size of its JPEG, of which the message holds the beginning: 1 to [`crate::limits::MAX_PICTURE_BYTES`].
    pub jpeg_bytes: u32,
    /// Where the server had it from.
    pub origin: Origin,
}

/// The description of a sound chunk, without its samples or packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundHead {
    /// The stream it belongs to.
    pub stream: StreamId,
    /// The epoch of the stream it belongs to.
    pub epoch: Epoch,
    /// The presentation time of its first sample that is heard, counted from the start of the stream.
    pub pts_nanos: u64,
    /// How it is coded: as [`StreamStart::delivery`] says.
    pub format: SoundFormat,
}

/// The figures of the server's video engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Running streams.
    pub viewers: u32,
    /// Live decoders, for pictures and for sound.
    pub decoders: u32,
    /// Requests for a picture or sound chunk that the frame store held already.
    pub hits: u64,
    /// Requests for a picture or sound chunk that had to wait for a decoder.
    pub misses: u64,
    /// Pictures and sound chunks that decoders have put into the frame store so far.
    pub decoded: u64,
    /// The size of what the frame store holds.
    pub held_bytes: u64,
    /// The size that the frame store may hold.
    pub cache_bytes: u64,
    /// Requests for a picture that was read from the disk as it is sent.
    pub disk_hits: u64,
    /// The size of the encoded frames on the disk.
    pub disk_bytes: u64,
    /// The size that they may have.
    pub disk_limit_bytes: u64,
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let (held, limit) = (mebibytes(self.held_bytes), mebibytes(self.cache_bytes));
        let Self { viewers, decoders, hits, misses, decoded, .. } = self;
        write!(f, "{viewers} viewers, {decoders} decoders, {hits} hits, {misses} misses, {decoded} decoded, ")?;
        write!(f, "{held:.1} of {limit:.1} MiB held, ")?;
        let (on_disk, disk_limit) = (mebibytes(self.disk_bytes), mebibytes(self.disk_limit_bytes));
        write!(f, "{} hits on the disk, {on_disk:.1} of {disk_limit:.1} MiB there", self.disk_hits)
    }
}
