//! What network, player and state exchange about the stream that plays.

use std::time::{Duration, Instant};

use common::media::{Delivery, Epoch, PictureHead, Position, SoundHead, StreamId};

/// Why a video shows no new picture although it is neither paused nor at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The server or the network delivers nothing.
    Source,
    /// Pictures have arrived, but this computer has not decoded the next one yet.
    Decoder,
    /// Pictures have arrived, but the last of them cannot be decoded.
    Unreadable,
}

/// How long a seek may take before the window treats it as slow: from then on it shows that it waits for the server, and
/// the next seek is sent without waiting for the picture of this one.
pub const SEEK_PATIENCE: Duration = Duration::from_millis(300);

/// What the ladder for slow links may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LadderSettings {
    /// Whether it changes the delivery; otherwise it measures only.
    pub is_automatic: bool,
    /// The height that the person allows at most.
    pub max_height: Option<u32>,
}

/// The state of the stream that plays, as the player reports it for each frame of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaybackStatus {
    /// The stream that plays.
    pub stream: StreamId,
    /// Its current epoch.
    pub epoch: Epoch,
    /// Time in the stream; `None` until the first picture of the epoch is shown.
    pub position_nanos: Option<u64>,
    /// Time in the stream by the clock that pictures and sound go by, and when it was that; `None` while the clock rests.
    pub clock: Option<(Duration, Instant)>,
    /// The picture on the screen, which may still be of an earlier epoch; `None` before the first of the stream.
    pub shown: Option<PictureHead>,
    /// Time in the stream up to which pictures wait here; `None` before the first of the epoch.
    pub buffered_until_nanos: Option<u64>,
    /// Bytes of pictures and sound that have arrived in this epoch, also of a picture that is not whole yet.
    pub epoch_bytes: u64,
    /// Why there is no new picture; `None` while playback runs, is paused or has ended.
    pub hold: Option<Hold>,
    /// Whether every picture was shown, the last one for its full duration.
    pub is_finished: bool,
    /// Whether the stream has sound that is not heard, because there is no sound device that works.
    pub lacks_device: bool,
    /// Where an epoch has to begin that continues this one; `None` when none can.
    pub continue_at: Option<Position>,
    /// The delivery that the link carries, if that is another one.
    pub wanted_delivery: Option<Delivery>,
    /// What the link carries; `None` until it was measured.
    pub link_bytes_per_second: Option<u64>,
}

/// A part of a picture, or a chunk of sound, that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPart {
    /// The stream that it belongs to.
    pub stream: StreamId,
    /// The epoch of the stream that it belongs to.
    pub epoch: Epoch,
    /// Its size.
    pub bytes: usize,
    /// Whether an item begins with it.
    pub is_first: bool,
    /// The size of the whole picture; `None` for sound, and for the later parts of a picture.
    pub picture_bytes: Option<usize>,
}

/// Receives pictures and sound from the network thread. It is called on that thread and must not block; credit bounds how
/// much arrives.
pub trait PictureSink: Send + Sync {
    /// Takes in that a part of an item arrives just now. The item itself follows when it is whole.
    fn part(&self, _part: StreamPart) {}

    /// Takes a picture of a stream.
    fn picture(&self, head: PictureHead, jpeg: Vec<u8>);

    /// Takes a chunk of sound, which has been checked: 16-bit little-endian samples at [`common::limits::SOUND_RATE_HZ`],
    /// interleaved by channel, or [`common::opus_sound`], as the head says.
    fn sound(&self, head: SoundHead, bytes: Vec<u8>);
}
