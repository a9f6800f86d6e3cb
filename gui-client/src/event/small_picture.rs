//! Small pictures: the names of those that are decoded beside the stream, and previews as the network brings them.

use common::{media::VideoId, message::Blob};

/// Names the thumbnail of a video: its id and the fingerprint of its files, so that changed files get a new thumbnail.
pub type ThumbnailKey = (VideoId, u64);

/// Names a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PreviewKey {
    /// The video that it shows.
    pub video: VideoId,
    /// Fingerprint of the video when the preview was made.
    pub fingerprint: u64,
    /// When it is shown in the triptych of the video.
    pub pts_nanos: u64,
}

/// A preview of a video, as the server has sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedPreview {
    /// Which one it is.
    pub key: PreviewKey,
    /// A JPEG.
    pub jpeg: Blob,
}

/// Names a small picture that is decoded beside the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmallPicture {
    /// The thumbnail of a video.
    Thumbnail(ThumbnailKey),
    /// A preview over the seek bar.
    Preview(PreviewKey),
}
