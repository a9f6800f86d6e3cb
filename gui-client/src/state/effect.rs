//! What has to happen outside the state because of an event or an action.

use common::media::{Epoch, StreamId};

use crate::event::{NetCommand, ThumbnailKey};

/// What has to happen outside of the state.
#[derive(Clone, PartialEq, Eq)]
pub enum Effect {
    /// For the network thread.
    Net(NetCommand),
    /// Pictures of this stream are coming; whatever played before is over.
    StartPlayback {
        /// The stream to play.
        stream: StreamId,
        /// Whether the sound device will be needed.
        has_sound: bool,
    },
    /// Pictures of this epoch are coming; what is left of the one before is not shown any more.
    BeginEpoch {
        /// Which stream.
        stream: StreamId,
        /// Which epoch of it.
        epoch: Epoch,
        /// Whether the sound device will be needed.
        has_sound: bool,
        /// Whether only the first picture of the epoch is shown.
        is_paused: bool,
    },
    /// Picture and sound stand still, or go on.
    Pause(bool),
    /// How loud from now on.
    Volume {
        /// From 0 to 100.
        percent: u8,
    },
    /// Nothing more of this epoch comes; what is on hand is still shown.
    SourceEnded {
        /// Which stream.
        stream: StreamId,
        /// Which epoch of it.
        epoch: Epoch,
    },
    /// A small picture of a video is to be decoded and shown in the list.
    ShowThumbnail {
        /// Which video.
        key: ThumbnailKey,
        /// JFIF.
        jpeg: Vec<u8>,
    },
    /// A small picture is not needed any more.
    DropThumbnail(ThumbnailKey),
    /// Nothing more is shown.
    StopPlayback,
    /// Keys typed from now on belong in the composer.
    FocusComposer,
}
