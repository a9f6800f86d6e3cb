//! What the app has to do outside the state because of an event or an action.

use common::media::{Delivery, Epoch, StreamId, StreamStart, VariantInfo};

use crate::event::{Cue, LadderSettings, NetCommand, ReceivedPreview, Speed, ThumbnailKey};

use super::{links::WebAddress, notification::Notification};

/// One thing that the app has to do, in the order in which the state returns them.
#[derive(Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send a command to the network thread.
    Net(NetCommand),
    /// Get ready for the pictures of this stream, and end the one before.
    StartPlayback {
        /// The stream to play.
        stream: StreamId,
        /// Whether a sound device is needed.
        has_sound: bool,
        /// Width and height of the largest picture of the video, as the library lists it.
        largest_picture: (u32, u32),
        /// The variants of the video.
        variants: Vec<VariantInfo>,
        /// The delivery that was requested.
        delivery: Delivery,
        /// What the ladder for slow links may do.
        ladder: LadderSettings,
        /// Whether only its first picture is shown.
        is_paused: bool,
        /// Whether the last picture of the stream before stays until there is one of this.
        keeps_picture: bool,
    },
    /// The server has described the stream, or an epoch of it.
    StreamStarted(StreamStart),
    /// Get ready for the pictures of this epoch, and discard what is left of the epoch before.
    BeginEpoch {
        /// The stream concerned.
        stream: StreamId,
        /// The epoch concerned.
        epoch: Epoch,
        /// Whether a sound device is needed.
        has_sound: bool,
        /// Whether only the first picture of the epoch is shown.
        is_paused: bool,
        /// The delivery that was requested.
        delivery: Delivery,
        /// What the ladder for slow links may do.
        ladder: LadderSettings,
    },
    /// Go on in this epoch without an interruption: what has arrived of the epoch before is still to be shown.
    ContinueEpoch {
        /// The stream concerned.
        stream: StreamId,
        /// The epoch concerned.
        epoch: Epoch,
        /// The delivery that was requested.
        delivery: Delivery,
    },
    /// Pause picture and sound (`true`), or continue them (`false`).
    Pause(bool),
    /// Set the volume of the sound.
    Volume {
        /// From 0 to 100; 0 when muted.
        percent: u8,
    },
    /// Play at this speed.
    Speed(Speed),
    /// Be where this says whenever playback starts or goes on, or wherever it is.
    Cue(Option<Cue>),
    /// The server has sent everything of this epoch; what has arrived is still to be shown.
    SourceEnded {
        /// The stream concerned.
        stream: StreamId,
        /// The epoch concerned.
        epoch: Epoch,
    },
    /// Decode a thumbnail and show it in the list of videos.
    ShowThumbnail {
        /// The video that it shows.
        key: ThumbnailKey,
        /// A JPEG file (JFIF).
        jpeg: Vec<u8>,
    },
    /// Free a thumbnail.
    DropThumbnail(ThumbnailKey),
    /// Decode a preview, so that it can be shown over the seek bar.
    ShowPreview(ReceivedPreview),
    /// Free all previews.
    DropPreviews,
    /// End playback and clear the picture.
    StopPlayback,
    /// Open an address in the browser.
    OpenInBrowser(WebAddress),
    /// End playback for now, and keep the picture.
    SuspendPlayback,
    /// Have the desktop show this notification instead of the one before.
    Notify(Notification),
    /// Have the desktop take the notification away.
    CloseNotification,
    /// Give the keyboard focus to the composer.
    FocusComposer,
}
